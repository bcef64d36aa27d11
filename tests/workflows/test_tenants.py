"""Each tenant's orders through the real process: changed too late or in time, picked, sent, invoiced; and a mapping mended."""

from decimal import Decimal

import pytest

from bench.prove_2.tenants import TENANTS, Tenant
from erp.merchants import change_settings
from tests.activities.test_tenants import warehouse_of
from tests.erp.data import set_order
from tests.workflows.process import Processes, becomes

D = Decimal


@pytest.mark.parametrize("tenant", TENANTS, ids=lambda tenant: tenant.name)
async def test_an_order_that_the_erp_changes_runs_to_its_end(processes: Processes, tenant: Tenant) -> None:
    shop = processes.shop
    async with warehouse_of(shop, tenant):
        await processes.begin(way_of_delivery="OMBUD", freight=49)
        await processes.reaches("at-warehouse")
        await set_order(shop.erp, shop.merchant, "SO-1", note="Ring först")
        await processes.deliver()
        await shop.stock(articles=["A", "B"])
        if tenant.start < 300:
            await shop.floor("release")
        await shop.floor("pick", lines={1: 1})
        await processes.look()
        await becomes(lambda: shop.read("select sum(booked) from bridge.counted where merchant_id = :m"), [(D(1),)])
        await shop.floor("pick")
        await shop.floor("send", waybill="W-1")
        await processes.look()
        assert await processes.result() == "completed"
        assert [D(str(invoice["net"])) for invoice in await shop.invoices()] == [D("90.00")]
        progress = """
            select status, warehouse_status, warehouse_status_number, tracking_numbers, ordered, picked, shipped, invoiced,
              remaining from erp.sales_order_progress where merchant_id = :m
        """
        number = tenant.numbers.get("sent", 450)
        assert await shop.read(progress) == [("completed", "sent", number, ["W-1"], *[D(5)] * 4, D(0))]


async def test_a_mapping_that_is_mended_sets_the_order_going_by_itself(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin(way_of_delivery="OMBUD")
    await processes.blocked_by("unknown-way-of-delivery")
    async with shop.worker.database.merchant(shop.merchant) as session:
        await change_settings(session, shop.merchant, {"ways_of_delivery": {"OMBUD": "mypack"}}, "anna", "was missing")
    told = "select count(*) from bridge.outbox where merchant_id = :m and topic = 'sales-order.changed' and claimed_until < now()"
    await becomes(lambda: shop.read(told), [(1,)])
    await processes.deliver()
    await processes.reaches("at-warehouse")
    await processes.blocked_by(None)
