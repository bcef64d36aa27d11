"""Warehouses that number their statuses otherwise and lock orders earlier or later: the merchant's mapping is all we need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from bench.prove_2.tenants import TENANTS, Tenant
from domain.errors import Refused
from simulators.ongoing.switches import DEFAULTS
from tests.activities.world import HOW_OFTEN, Shop, again, rule

D = Decimal
NAMED = pytest.mark.parametrize("tenant", TENANTS, ids=lambda tenant: tenant.name)


@asynccontextmanager
async def warehouse_of(shop: Shop, tenant: Tenant, **settings: Any) -> AsyncIterator[None]:
    """While inside, the simulated warehouse is this tenant's, and the merchant's mapping says so."""
    await shop.ongoing("PUT", "settings", tenant.switches)
    try:
        await shop.settings(**tenant.mapping | settings)
        yield
    finally:
        await shop.ongoing("PUT", "settings", {name: DEFAULTS[name] for name in tenant.switches})


async def put_status(shop: Shop, number: int) -> None:
    """The warehouse's own people give the order a status."""
    order_id = (await shop.warehouse_order())["orderInfo"]["orderId"]
    answer = await shop.call_ongoing("PATCH", f"orders/{order_id}/orderStatus", {"orderStatusNumber": number})
    assert answer.status_code == 200, answer.text


@NAMED
@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_an_order_runs_to_its_end(shop: Shop, tenant: Tenant, often: Any) -> None:
    async with warehouse_of(shop, tenant):
        key = await shop.order(way_of_delivery="OMBUD", order_type="webb", freight=49)
        await often(shop.workers, lambda worker: worker.ongoing.send_sales_order, key)
        await shop.stock(articles=["A", "B"])
        if tenant.start < 300:
            await shop.floor("release")
        await shop.floor("pick", lines={1: 1})
        assert (await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, key)).stage == "picking"
        await shop.floor("pick")
        for number in tenant.extra:
            await put_status(shop, number)
            assert (await shop.look()).stage == "picking"
        await shop.floor("send")
        state = await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, key)
        assert (await shop.ended(state)).outcome == "completed"
        assert [D(str(invoice["net"])) for invoice in await shop.invoices()] == [D("90.00")]
        seen = "select warehouse_status, warehouse_status_number, way_of_delivery_shipped from erp.sales_order_progress where merchant_id = :m"  # noqa: E501
        assert await shop.read(seen) == [("sent", tenant.numbers.get("sent", 450), "OMBUD")]
        await shop.floor("collect")
        await shop.look()
        assert await shop.read(seen) == [("collected", tenant.numbers.get("collected", 500), "OMBUD")]
        assert await shop.exceptions() == []


async def test_a_late_first_request_that_locks_the_order_is_taken_as_ours(shop: Shop) -> None:
    async with warehouse_of(shop, TENANTS[1]):
        await shop.sent("SO-0")
        key = await shop.order()
        late = rule("PUT /orders", "late", 1, seconds=0.5)
        slow = rule("GET /orders", "delay", 1, after=1, when="after", seconds=1.5)
        async with shop.ongoing.faults(late, slow):
            assert (await again(shop.worker.ongoing.send_sales_order, key)).stage == "at-warehouse"
        log = await shop.ongoing("GET", "log?since=0")
        entries = log["log"] if isinstance(log, dict) else log
        puts = [each for each in entries if each["method"] == "PUT" and each["path"].endswith("/orders")]
        assert {each["status"] for each in puts[-2:]} == {201, 400}, "the first had made and locked the order meanwhile"


@NAMED
async def test_a_change_is_taken_or_refused_as_the_lock_says_and_the_erp_is_told(shop: Shop, tenant: Tenant) -> None:
    async with warehouse_of(shop, tenant):
        await shop.sent()
        await shop.change(note="Ring först")
        await shop.send()
        remark = (await shop.warehouse_order())["orderInfo"]["orderRemark"]
        [(part,)] = await shop.read("select refused_part from erp.sales_order where merchant_id = :m")
        assert (remark, part) == (("Ring först", None) if tenant.open_at_start else (None, "address"))


@NAMED
async def test_an_order_that_the_erp_cancels_is_cancelled_where_the_lock_lets_it(shop: Shop, tenant: Tenant) -> None:
    async with warehouse_of(shop, tenant):
        key = await shop.sent()
        await shop.ask_to_cancel()
        state = await again(shop.worker.ongoing.cancel_sales_order, key)
        if tenant.open_at_start:
            assert (state.outcome, await shop.exceptions()) == ("cancelled", [])
            return
        assert await shop.exceptions() == [("too-late-to-cancel", False)]
        if tenant.start < 300:
            await shop.floor("release")
        await shop.pick_and_send()
        assert (await shop.ended(await shop.look())).outcome == "completed"


async def test_without_its_mapping_such_a_tenants_status_blocks_by_number_and_the_mapping_mends_it(shop: Shop) -> None:
    tenant = TENANTS[1]
    async with warehouse_of(shop, tenant, statuses={"200": "open", "300": "released", "450": "sent"}):
        await shop.sent()
        await shop.floor("release")
        await shop.pick_and_send()
        with pytest.raises(Refused, match="order status 425") as refused:
            await again(shop.worker.ongoing.look_at_sales_order, shop.key())
        assert refused.value.code == "unknown-order-status"
        await shop.settings(**tenant.mapping)
        assert len((await shop.look()).to_invoice) == 1
