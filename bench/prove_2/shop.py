"""One merchant on an embedded stack of its own, for proofs: the ERP that writes, the warehouse's people, and what is there."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from bench.prove_1.retail_run import QUICK
from erp.database import Database, rows
from erp.merchants import save_settings
from erp.opening import OpeningBalance
from starters.cli_orders import open_stock
from starters.connect import GOODS_OWNER_ID, MERCHANT, SECRETS_FILE
from starters.stack import Stack
from starters.verify import open_online, verify
from starters.verify.report import Verdict
from worker.settings import Settings
from worker.temporal import connect

LOTS = Decimal(1_000_000)


@dataclass(slots=True)
class Shop:
    """The merchant `demo` with open hands on every side."""

    stack: Stack
    settings: Settings
    erp: Database
    app: Database
    verifying: Database
    http: httpx.AsyncClient
    password: str

    async def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """The control interface of the simulated warehouse."""
        return await self.http.request(method, f"{self.stack.addresses['ongoing']}/_control/{path}", json=body)

    async def orders_there(self, numbers: Sequence[str]) -> list[dict[str, Any]]:
        """Orders as the warehouse's own API shows them."""
        asked = {"goodsOwnerId": str(GOODS_OWNER_ID), "orderNumbers": list(numbers)}
        answer = await self.http.get(
            f"{self.stack.addresses['ongoing']}/{MERCHANT}/api/v1/orders", params=asked, auth=("WSIdemo", self.password)
        )
        return list(json.loads(answer.raise_for_status().content, parse_float=Decimal))

    async def write(self, *statements: tuple[str, Mapping[str, Any]]) -> None:
        """What the ERP writes, in one transaction; `:m` is the merchant."""
        async with self.erp.everyone() as session:
            for statement, values in statements:
                await session.execute(text(statement), {"m": MERCHANT} | dict(values))

    async def read(self, statement: str, **values: Any) -> list[Any]:
        """Rows as the verifier sees them; `:m` is the merchant."""
        async with self.verifying.everyone() as session:
            return await rows(session, text(statement), m=MERCHANT, **values)

    async def stock_there(self, articles: Sequence[str]) -> None:
        """Enough of everything on the warehouse's shelves. It knows an article once an order with it was sent."""
        goods = [{"articleNumber": number, "numberOfItems": "1000000"} for number in articles]
        body = {"warehouse": MERCHANT, "goodsOwnerId": GOODS_OWNER_ID, "articles": goods}
        (await self.control("PUT", "stock", body)).raise_for_status()

    async def unclean(self) -> list[str]:
        """What `verify --online` finds."""
        client = await connect(self.settings)
        async with open_online(self.settings) as online:
            report = await verify(self.verifying, merchant=MERCHANT, online=online, temporal=client)
        fine = (Verdict.CLEAN, Verdict.NOTHING_YET)
        return [f"verify: {r.invariant} {r.verdict}: {r.says} {r.samples[:2]}" for r in report.results if r.verdict not in fine]


@asynccontextmanager
async def open_shop(costs: Mapping[str, Decimal], **settings: Any) -> AsyncIterator[Shop]:
    """A stack with these articles in stock at these costs, and these settings of the merchant."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with Stack.start(Path(folder) / "home", environment=QUICK) as stack:
            known = Settings.from_environment(stack.environment())
            secrets = json.loads((stack.home.folder / SECRETS_FILE).read_text(encoding="utf-8"))
            erp, verifying = Database(known.database("erp"), 20), Database(known.database("verify"), 10)
            app = Database(known.database("app"), 2)
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
                    shop = Shop(stack, known, erp, app, verifying, http, secrets["ongoing_password"])
                    await _furnish(shop, costs)
                    async with app.merchant(MERCHANT) as session:
                        await save_settings(session, MERCHANT, settings, "proof")
                    await asyncio.sleep(2.5)  # as long as a worker remembers the settings it has read
                    yield shop
                    await asyncio.sleep(0.3)
            finally:
                for database in (erp, verifying, app):
                    await database.close()


async def _furnish(shop: Shop, costs: Mapping[str, Decimal]) -> None:
    article = "insert into erp.article (merchant_id, article_number, name, purchase_price) values (:m, :a, :a, :c)"
    customer = (
        "insert into erp.customer (merchant_id, customer_number, name, address1, post_code, city)"
        " values (:m, 'K-1', 'Provbolaget AB', 'Provgatan 1', '111 22', 'Provstad')"
    )
    await shop.write((customer, {}), *((article, {"a": number, "c": cost}) for number, cost in costs.items()))
    await open_stock(shop.settings, MERCHANT, [OpeningBalance(number, LOTS, cost) for number, cost in costs.items()])


def order(number: str, lines: Sequence[tuple[str, Decimal, Decimal]]) -> list[tuple[str, Mapping[str, Any]]]:
    """An order with lines of (article, quantity, price), released at once."""
    head = "insert into erp.sales_order (merchant_id, order_number, customer_number) values (:m, :n, 'K-1')"
    line = (
        "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price)"
        " values (:m, :n, :l, :a, :q, :p)"
    )
    released = "update erp.sales_order set status = 'released' where merchant_id = :m and order_number = :n"
    wanted: list[tuple[str, Mapping[str, Any]]] = [(head, {"n": number})]
    for at, (article, quantity, price) in enumerate(lines, start=1):
        wanted.append((line, {"n": number, "l": at, "a": article, "q": quantity, "p": price}))
    return [*wanted, (released, {"n": number})]
