"""A warehouse beside the accounting stand whose webhooks are all dropped: orders are sent there, sold, and partly taken back."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from activities.ongoing import Ongoing, Rules
from activities.returns import Returns
from activities.watch import Watch
from bench.prove_1.accounting import ARTICLES, MERCHANT, Accounting
from bench.prove_1.stand import simulator
from domain.keys import BasisKey, OrderKey, ReturnKey
from erp.database import Database, rows
from erp.merchants import save_connection
from tests.activities.world import again
from worker.wiring import ongoing_connections

GOODS_OWNER = 77
AT_ONCE = 8
_SEEN = text(
    """
    select return_number from erp.return_order
    where merchant_id = :merchant and origin = 'seen' and order_number = any(cast(:orders as text[])) order by 1
    """
)
_BEGIN = text(
    """
    insert into bridge.process (merchant_id, kind, document, run, workflow_id) values (:m, :kind, :n, 1, :w)
    on conflict do nothing
    """
)


@dataclass(frozen=True, slots=True)
class Gate:
    """The warehouse's gate, through which goods leave and come back."""

    stand: Accounting
    address: str
    erp: Database
    ongoing: Ongoing
    returns: Returns
    watch: Watch

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        async with httpx.AsyncClient(base_url=self.address, trust_env=False, timeout=60) as http:
            answer = await http.request(method, f"/_control/{path}", json=body)
            answer.raise_for_status()
            return answer.json() if answer.content else None

    async def _floor(self, action: str, number: str, body: Any) -> None:
        await self.control("POST", f"orders/by-number/{GOODS_OWNER}/{number}/{action}", body)

    async def sell(self, orders: int) -> list[BasisKey]:
        """So many orders of two pieces, sent to the warehouse, picked and gone; returns the invoices to write."""
        numbers = [f"RET-{n:05d}" for n in range(orders)]
        await _write(self.erp, numbers)
        turns = asyncio.Semaphore(AT_ONCE)

        async def send(number: str) -> None:
            async with turns:
                await self._begin("sales-order", number, OrderKey(MERCHANT, number).workflow_id)
                await again(self.ongoing.send_sales_order, OrderKey(MERCHANT, number))

        async def leave(number: str) -> list[BasisKey]:
            async with turns:
                await self._floor("pick", number, {})
                await self._floor("send", number, {})
                state = await again(self.ongoing.look_at_sales_order, OrderKey(MERCHANT, number))
                return list(state.to_invoice)

        await asyncio.gather(*(send(number) for number in numbers))
        goods = [{"articleNumber": number, "numberOfItems": "100000"} for number, _ in ARTICLES]
        await self.control("PUT", "stock", {"warehouse": MERCHANT, "goodsOwnerId": GOODS_OWNER, "articles": goods})
        return [basis for made in await asyncio.gather(*(leave(number) for number in numbers)) for basis in made]

    async def take_back(self, orders: list[str]) -> tuple[list[BasisKey], int]:
        """One piece of each comes back, and nobody is told; returns the credits to make, and how many webhooks were dropped."""
        for number in orders:
            await self._floor("return", number, {"lines": [{"rowNumber": "1", "numberOfItems": "1"}]})
        await again(self.watch.find_changes, MERCHANT, seconds=120)
        async with self.stand.database.merchant(MERCHANT) as session:
            seen = [str(row.return_number) for row in await rows(session, _SEEN, merchant=MERCHANT, orders=orders)]
        credits: list[BasisKey] = []
        for number in seen:
            key = ReturnKey(MERCHANT, number)
            await self._begin("return", number, key.workflow_id)
            credits += (await again(self.returns.look_at_return, key)).to_credit
        return credits, sum(1 for call in await self._calls() if call["state"] == "dropped")

    async def delivered(self) -> int:
        """How many webhooks were not dropped."""
        return sum(1 for call in await self._calls() if call["state"] != "dropped")

    async def _calls(self) -> list[Any]:
        calls: list[Any] = []
        while page := await self.control("GET", f"webhook-calls?since={calls[-1]['id'] if calls else 0}"):
            calls += page
        return calls

    async def _begin(self, kind: str, number: str, workflow_id: str) -> None:
        async with self.stand.database.merchant(MERCHANT) as session:
            await session.execute(_BEGIN, {"m": MERCHANT, "kind": kind, "n": number, "w": workflow_id})


async def _write(erp: Database, numbers: list[str]) -> None:
    head = (
        "insert into erp.sales_order (merchant_id, order_number, customer_number, delivery_name, delivery_address1,"
        " delivery_post_code, delivery_city, delivery_country)"
        " values (:m, :n, 'K1', 'Bevis', 'Gatan 1', '111 22', 'Stad', 'SE')"
    )
    line = (
        "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price)"
        " values (:m, :n, 1, :a, 2, :p)"
    )
    async with erp.everyone() as session:
        for at, number in enumerate(numbers):
            article, price = ARTICLES[at % len(ARTICLES)]
            await session.execute(text(head), {"m": MERCHANT, "n": number})
            await session.execute(text(line), {"m": MERCHANT, "n": number, "a": article, "p": price + Decimal(7)})
    async with erp.everyone() as session:
        release = "update erp.sales_order set status = 'released' where merchant_id = :m and order_number = any(:n)"
        await session.execute(text(release), {"m": MERCHANT, "n": numbers})


@asynccontextmanager
async def gate_of_returns(stand: Accounting, folder: Path) -> AsyncIterator[Gate]:
    """The merchant's warehouse, with webhooks that are switched on and dropped, every one."""
    password = secrets.token_urlsafe(16)
    async with simulator("ongoing", folder / "ongoing.db") as address:
        database = stand.database
        connections = ongoing_connections(database, stand.keys, stand.settings)
        rules = Rules(timedelta(seconds=0.3), timedelta(seconds=0.2), "proof", timedelta(seconds=1))
        erp = Database(stand.scratch.url("erp"), pool_size=4)
        gate = Gate(
            stand,
            address,
            erp,
            Ongoing(database, connections, rules),
            Returns(database, connections, rules),
            Watch(database, connections),
        )
        owner = {"warehouse": MERCHANT, "goodsOwnerId": GOODS_OWNER, "name": "Bevis AB"}
        await gate.control("PUT", "goods-owners", owner | {"username": "user", "password": password})
        for kind in ("order", "picking"):
            hook = {"goodsOwnerId": GOODS_OWNER, "type": kind, "url": "http://127.0.0.1:9/", "token": "none"}
            await gate.control("PUT", "webhooks", hook | {"enabled": True, "retryPolicy": "None"})
            fault: dict[str, Any] = {
                "id": f"drop-{kind}",
                "route": f"WEBHOOK {kind}",
                "kind": "drop",
                "count": None,
                "params": {},
            }
            await gate.control("POST", "faults", fault)
        async with database.merchant(MERCHANT) as session:
            where = {"base_url": address, "warehouse": MERCHANT, "goods_owner_id": GOODS_OWNER}
            sealed = stand.keys.seal(MERCHANT, "ongoing", json.dumps({"username": "user", "password": password}))
            await save_connection(session, MERCHANT, "ongoing", where, sealed)
        try:
            yield gate
        finally:
            await connections.aclose()
            await erp.close()
