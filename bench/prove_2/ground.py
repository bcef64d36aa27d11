"""What the proofs about webhooks stand on: the embedded stack with stock in it, and the hands that work there."""

import asyncio
import json
import re
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from domain.flows import ORDERS_BACK
from erp import flows
from erp.database import Database, rows
from erp.merchants import load_merchant
from erp.opening import OpeningBalance, book_opening
from starters.connect import GOODS_OWNER_ID, MERCHANT
from starters.stack import Stack
from worker.settings import Settings

ARTICLE = "A1"
DEADLINE = 120.0
SIGNALS = re.compile(
    r'^service_requests\{(?=[^}]*operation="SignalWorkflowExecution")[^}]*service_name="frontend"[^}]*\} (\d+)', re.MULTILINE
)


@dataclass
class Ground:
    """The stack, its merchant, and one article in stock."""

    stack: Stack
    erp: Database
    app: Database
    verify: Database
    http: httpx.AsyncClient
    path: str
    token: str

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"{self.stack.addresses['ongoing']}/_control/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def floor(self, action: str, number: str) -> None:
        await self.control("POST", f"orders/by-number/{GOODS_OWNER_ID}/{number}/{action}", {})

    async def webhooks(self, enabled: bool) -> None:
        for kind in ("order", "picking"):
            body = {"goodsOwnerId": GOODS_OWNER_ID, "type": kind, "enabled": enabled, "retryPolicy": "OneDay"}
            address = {"url": f"{self.stack.addresses['intake']}{self.path}", "token": self.token}
            await self.control("PUT", "webhooks", body | address)

    async def interval(self, seconds: int) -> None:
        """How often the watcher asks; it asks at once, so that the next look is an interval away."""
        async with self.app.merchant(MERCHANT) as session:
            await flows.set_interval(session, MERCHANT, ORDERS_BACK, seconds, "bench", "measured")

    async def sent(self, orders: int) -> list[str]:
        """So many orders at the warehouse, each seen there by our side, with nothing more said about them."""
        batch = secrets.token_hex(3)
        numbers = [f"P-{batch}-{number}" for number in range(orders)]
        order = """
            insert into erp.sales_order (merchant_id, order_number, delivery_name, delivery_address1, delivery_post_code,
              delivery_city, delivery_country) values (:m, :n, 'Bench', 'Gatan 1', '111 22', 'Stad', 'SE')
        """
        line = """
            insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price)
            values (:m, :n, 1, :a, 2, 10)
        """
        release = "update erp.sales_order set status = 'released' where merchant_id = :m and order_number = any(:n)"
        async with self.erp.everyone() as session:
            for number in numbers:
                await session.execute(text(order), {"m": MERCHANT, "n": number})
                await session.execute(text(line), {"m": MERCHANT, "n": number, "a": ARTICLE})
        async with self.erp.everyone() as session:
            await session.execute(text(release), {"m": MERCHANT, "n": numbers})
        watched = "select count(*) from bridge.watched where merchant_id = :m and document = any(:n)"
        await until(lambda: self.is_so(f"select ({watched}) = {orders}", n=numbers), "the orders are at the warehouse")
        articles = [{"articleNumber": ARTICLE, "numberOfItems": "1000000"}]
        await self.control("PUT", "stock", {"warehouse": MERCHANT, "goodsOwnerId": GOODS_OWNER_ID, "articles": articles})
        await self.drained()
        return numbers

    async def drained(self) -> None:
        await until(lambda: self.is_so("select not exists (select from bridge.inbox where applied_at is null)"), "no hint waits")

    async def booked_at(self, number: str) -> datetime | None:
        """When the first pick of an order was booked."""
        statement = """
            select min(booked_at) as at from bridge.booking b join bridge.watched w using (merchant_id, kind, doc_id)
            where b.merchant_id = :m and w.document = :n
        """
        return (await self.read(statement, n=number))[0].at  # type: ignore[no-any-return]

    async def read(self, statement: str, **parameters: Any) -> list[Any]:
        async with self.verify.everyone() as session:
            return await rows(session, text(statement), **({"m": MERCHANT} if ":m" in statement else {}) | parameters)

    async def is_so(self, statement: str, **parameters: Any) -> bool:
        return bool((await self.read(statement, **parameters))[0][0])

    async def signals(self) -> int:
        """How many signals the Temporal server says it has been sent; read until it stands, for the figure lags."""
        former = -1
        while True:
            metrics = (await self.http.get(self.stack.addresses["metrics"])).text
            asked = SIGNALS.findall(metrics)
            now = sum(int(figure) for figure in asked)
            if now == former:
                return now
            former = now
            await asyncio.sleep(1.5)


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """The stack in a folder of its own, for as long as the proof takes."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with Stack.start(Path(folder) / "home") as stack, httpx.AsyncClient(trust_env=False, timeout=30) as http:
            known = json.loads((stack.home.folder / "demo-secrets.json").read_text(encoding="utf-8"))
            settings = Settings.from_environment(stack.environment())
            erp, app, verify = (Database(settings.database(role), pool_size=4) for role in ("erp", "app", "verify"))
            made = Ground(stack, erp, app, verify, http, known["webhook_path"], known["webhook_token"])
            try:
                await _stocked(made)
                yield made
            finally:
                for database in (erp, app, verify):
                    await database.close()
                await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once


async def _stocked(made: Ground) -> None:
    async with made.erp.everyone() as session:
        await session.execute(
            text("insert into erp.article (merchant_id, article_number, name) values (:m, :a, 'Article')"),
            {"m": MERCHANT, "a": ARTICLE},
        )
    async with made.app.merchant(MERCHANT) as session:
        merchant = await load_merchant(session, MERCHANT)
        balance = OpeningBalance(ARTICLE, Decimal(1_000_000), Decimal("4.50"))
        await book_opening(session, merchant, [balance], datetime.now(UTC), "bench", "bench")


async def until(probe: Callable[[], Awaitable[bool]], what: str, seconds: float = DEADLINE) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + seconds
    while not await probe():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seconds:.0f} s, and it is not so that {what}")
        await asyncio.sleep(0.02)


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
