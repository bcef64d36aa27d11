"""Refused credentials block the connection, once for the merchant, and not each order; mended, everything goes on by itself."""

import asyncio
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.errors import Waiting
from domain.errors import Refused
from domain.keys import OrderState
from tests.activities.world import Shop, again, connect

STATE = "select state, problem is not null from bridge.connection where merchant_id = :m and system = :s"
PROBE_NOW = "update bridge.connection set probe_after = now()"


async def attempt(does: Any, argument: Any) -> Waiting:
    with pytest.raises(Waiting) as waiting:
        await ActivityEnvironment().run(does, argument)
    return waiting.value


async def requests(control: Any) -> int:
    answer = await control("GET", "log")
    entries = answer["log"] if isinstance(answer, dict) else answer
    return max((entry["n"] for entry in entries), default=0)


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_by_the_warehouse_blocks_the_connection_once_for_all_its_orders(shop: Shop, status: int) -> None:
    for number in range(5):
        await shop.order(f"SO-{number}")
    async with shop.ongoing.fault("GET /orders/statuses", "http", count=1, status=status):
        first = await attempt(shop.worker.ongoing.send_sales_order, shop.key("SO-0"))
    assert first.code == "connection-blocked"
    asked = await requests(shop.ongoing)
    for number in range(5):
        for worker in shop.workers:
            waiting = await attempt(worker.ongoing.send_sales_order, shop.key(f"SO-{number}"))
            assert (waiting.code, 0 < waiting.seconds <= 30) == ("connection-blocked", True)
    assert await requests(shop.ongoing) == asked, "while it is blocked nobody calls"
    assert await shop.read(STATE, s="ongoing") == [("blocked", True)]
    assert await shop.exceptions() == [], "not an exception for every order"


async def test_a_wrong_password_blocks_and_the_right_one_lets_everything_go_on(shop: Shop) -> None:
    await connect(shop, ongoing_password="wrong")
    await shop.order()
    assert (await attempt(shop.worker.ongoing.send_sales_order, shop.key())).code == "connection-blocked"
    await connect(shop)
    assert await shop.send() == OrderState("at-warehouse")
    assert await shop.read(STATE, s="ongoing") == [("working", False)]


async def test_a_blocked_connection_comes_back_by_itself_by_one_attempt_now_and_then(shop: Shop) -> None:
    from sqlalchemy import text

    await shop.order()
    async with shop.ongoing.fault("GET /orders/statuses", "http", count=1, status=401):
        await attempt(shop.worker.ongoing.send_sales_order, shop.key())
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text(PROBE_NOW))
    asked = await requests(shop.ongoing)
    async with shop.ongoing.fault("GET /orders/statuses", "http", count=1, status=401):
        tried = await asyncio.gather(
            *(attempt(worker.ongoing.send_sales_order, shop.key()) for worker in shop.workers for _ in range(4))
        )
    assert {waiting.code for waiting in tried} == {"connection-blocked"}
    assert await requests(shop.ongoing) == asked + 1, "one attempt finds out for all"
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text(PROBE_NOW))
    assert await shop.send() == OrderState("at-warehouse")
    assert await shop.read(STATE, s="ongoing") == [("working", False)]


async def test_fortnox_refusing_the_credentials_blocks_only_fortnox(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    state = await shop.look()
    await connect(shop, fortnox_secret="wrong")
    waiting = await attempt(shop.worker.fortnox.invoice_shipment, state.to_invoice[0])
    assert waiting.code == "connection-blocked"
    assert await shop.read(STATE, s="fortnox") == [("blocked", True)]
    await shop.order("SO-2")
    assert await shop.send("SO-2") == OrderState("at-warehouse")
    await connect(shop)
    assert (await shop.invoice(state)).outcome == "completed"


async def test_an_expired_token_is_renewed_and_nobody_notices(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    state = await shop.look()
    await again(shop.worker.fortnox.sweep_surplus_invoices, shop.merchant)
    await shop.fortnox("POST", "expire-tokens", {"tenantId": shop.tenant})
    assert (await shop.invoice(state)).outcome == "completed"
    assert await shop.read(STATE, s="fortnox") == [("working", False)]


async def test_a_connection_to_another_company_is_refused_before_anything_is_written(shop: Shop) -> None:
    import json

    from sqlalchemy import text

    await shop.sent()
    await shop.pick_and_send()
    state = await shop.look()
    async with shop.worker.database.merchant(shop.merchant) as session:
        change = """
            update bridge.connection set settings = settings || cast(:s as jsonb), version = version + 1 where system = 'fortnox'
        """
        await session.execute(text(change), {"s": json.dumps({"tenant_id": 424242})})
    other = {
        "tenantId": 424242,
        "name": "Annan AB",
        "organisationNumber": "556000-0002",
        "clientId": f"client-{shop.goods_owner}",
    }
    await shop.fortnox("PUT", "companies", other | {"clientSecret": shop.secrets["fortnox"]})
    async with shop.fortnox.fault(
        "GET /3/companyinformation",
        "http",
        status=200,
        body={"CompanyInformation": {"DatabaseNumber": 999999, "CompanyName": "Annan AB"}},
    ):
        waiting = await attempt(shop.worker.fortnox.invoice_shipment, state.to_invoice[0])
    assert waiting.code == "connection-blocked"
    problem = "select state, problem from bridge.connection where merchant_id = :m and system = 'fortnox'"
    expected = "the credentials open company 999999, the connection says 424242"
    assert await shop.read(problem) == [("blocked", expected)]
    assert await shop.invoices() == []


async def test_a_merchant_that_is_not_connected_is_told_so(shop: Shop) -> None:
    from sqlalchemy import text

    from tests.erp.data import add_merchant, add_order

    other = await add_merchant(shop.erp)
    await add_order(shop.erp, other)
    with pytest.raises(Refused, match="has no connection to ongoing") as refusal:
        await again(shop.worker.ongoing.send_sales_order, type(shop.key())(other, "SO-1"))
    assert refusal.value.code == "settings-wrong"
    async with shop.worker.database.merchant(other) as session:
        assert (await session.execute(text("select count(*) from bridge.foreign_call"))).scalar_one() == 0
