"""From the warehouse's webhook to booked stock: over a real socket, also when nobody listened at first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from sqlalchemy import text

from erp.database import Database
from starters.endpoints import hashed
from starters.impatience import Impatient
from starters.intake import application
from starters.stack.ports import free_ports
from tests.activities.world import Shop
from tests.conftest import TestDatabase
from tests.workflows.process import Processes, becomes

BOOKED = "select count(*) from bridge.booking where merchant_id = :m"
HINTS = (
    "select kind, count(*), count(distinct event_id) from bridge.inbox where merchant_id = :m and source = 'webhook' group by 1"
)


@asynccontextmanager
async def intake(database: TestDatabase, port: int) -> AsyncIterator[None]:
    """The intake as it is served, on this port."""
    opened = Database(database.url("intake"), pool_size=4)
    server = uvicorn.Server(uvicorn.Config(application(opened), port=port, http=Impatient, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await becomes(started, True)
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        await opened.close()


async def subscribe(shop: Shop, port: int, kind: str, events: list[str]) -> None:
    secret = f"s-{shop.merchant}"
    statement = """
        insert into bridge.webhook_endpoint (merchant_id, system, path_hash, token_hash) values (:m, 'ongoing', :p, :t)
        on conflict do nothing
    """
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text(statement), {"m": shop.merchant, "p": hashed(secret), "t": hashed("token")})
    body = {"goodsOwnerId": shop.goods_owner, "type": kind, "retryPolicy": "OneDay", "enabled": True, "events": events}
    url = f"http://127.0.0.1:{port}/webhooks/ongoing/{secret}"
    await shop.ongoing("PUT", "webhooks", body | {"url": url, "token": "token"})


async def delivered(processes: Processes) -> list[tuple[Any, ...]]:
    await processes.deliver()
    return await processes.shop.read(BOOKED)


async def test_a_webhook_that_nobody_took_comes_again_after_a_minute_and_the_pick_is_booked(
    processes: Processes, database: TestDatabase
) -> None:
    shop, (port,) = processes.shop, free_ports(1)
    await processes.begin()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await subscribe(shop, port, "order", ["picked"])
    await shop.floor("pick")

    async def attempts() -> list[tuple[int, str]]:
        calls = await shop.ongoing("GET", "webhook-calls")
        return [(call["attempts"], call["state"]) for call in calls if call["number"] == "SO-1" and call["type"] == "order"][-1:]

    await becomes(attempts, [(1, "waiting")])
    try:
        async with intake(database, port):
            assert await delivered(processes) == [(0,)], "nobody has told"
            await shop.ongoing("PUT", "clock", {"offsetSeconds": 61})
            await becomes(attempts, [(2, "sent")])
            await becomes(lambda: delivered(processes), [(2,)])
    finally:
        await shop.ongoing("PUT", "clock")
    assert await shop.read(HINTS) == [("sales-order", 1, 1)]


async def test_every_type_that_the_warehouse_sends_is_taken_and_a_doubled_one_kept_once(
    processes: Processes, database: TestDatabase
) -> None:
    shop, (port,) = processes.shop, free_ports(1)
    await processes.begin()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await subscribe(shop, port, "picking", ["isPicked"])
    for kind, events in (("inventory", ["adjusted"]), ("purchaseOrder", ["created"]), ("movement", ["isReceive"])):
        await subscribe(shop, port, kind, events)
    async with intake(database, port):
        async with shop.ongoing.fault("WEBHOOK picking", "duplicate", count=2, copies=3):
            await shop.floor("pick")
        body = {"goodsOwnerId": shop.goods_owner, "articleNumber": "A", "numberOfItems": "-1"}
        await shop.ongoing("POST", "adjust", body | {"cause": {"code": "BROKEN", "name": "Broken"}})
        purchase = {"goodsOwnerId": shop.goods_owner, "purchaseOrderNumber": "PO-1", "inDate": "2026-12-01T00:00:00"}
        lines = [{"rowNumber": "1", "articleNumber": "A", "numberOfItems": 5}]
        answer = await shop.call_ongoing("PUT", "purchaseOrders", purchase | {"purchaseOrderLines": lines})
        assert answer.status_code == 200, answer.text
        await shop.ongoing("POST", f"purchase-orders/by-number/{shop.goods_owner}/PO-1/receive", {})
        told = [("inventory", 1, 1), ("purchase-order", 2, 2), ("sales-order", 2, 2)]
        await becomes(lambda: shop.read(HINTS + " order by 1"), told)
        await becomes(lambda: delivered(processes), [(2,)])
