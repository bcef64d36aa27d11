"""Before anything unknown is booked, a real pick and a real receipt have shown how the warehouse counts."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest_asyncio

from starters.doctor.finding import Finding
from starters.doctor.how_it_counts import examine_counting
from tests.activities.test_purchases import ACCOUNT, look, ordered, place, send
from tests.activities.test_purchases import floor as inbound
from tests.activities.test_reconciling import ENTRIES, QUIET, Clock, clock, lose, stocked
from tests.activities.world import Shop
from tests.erp.data import line

__all__ = ["clock"]
D = Decimal
LOST = [("A", "adjustment", D(-2), D("-9.00"))]
HELD = "select held from erp.reconciliation_run where merchant_id = :m order by run_no desc limit 1"


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def put_back(shop: Shop) -> AsyncIterator[None]:
    yield
    await shop.ongoing("PUT", "settings", {"goodsLeaveStock": "at-pick", "receivedGoodsCount": "at-once"})


async def unproved(shop: Shop, **rules: Any) -> None:
    await stocked(shop)
    await settle(shop, counting_is_known=False, **rules)


async def settle(shop: Shop, **rules: Any) -> None:
    rules = QUIET | {"looks_apart_hours": 0} | rules
    await shop.settings(reconciliation=rules, goods_received_not_invoiced_account=ACCOUNT)


async def picked(shop: Shop) -> None:
    """An order that is picked, and booked, and not collected yet."""
    await shop.sent(lines=[line("B", 5, 10)])
    await shop.stock(1000, ["B"])
    await shop.floor("pick")
    await shop.look()


async def received(shop: Shop) -> None:
    """An inbound of which something has come, and that is not finished."""
    key = await place(shop, [ordered("C", 10, 4)])
    await send(shop, key)
    await inbound(shop, "receive", {1: 6}, finish=False)
    await look(shop, key)


async def doctor(shop: Shop) -> Finding:
    async with shop.worker.reconcile._connections.using(shop.merchant) as (merchant, client):
        return await examine_counting(shop.worker.database, client, merchant)


async def entries(shop: Shop) -> list[Any]:
    return [row for row in await shop.read(ENTRIES) if row[1] == "adjustment"]


async def test_nothing_unknown_is_booked_before_a_pick_and_a_receipt_were_seen_and_then_by_itself(
    shop: Shop, clock: Clock
) -> None:
    await unproved(shop)
    await lose(shop, "A", 998)
    await clock.run()
    settled, written = await clock.run(timedelta(hours=24))
    assert "it is not proved yet how the warehouse counts" in str(settled.held)
    assert "NOTHING WAS BOOKED" in written.headline and written.waiting == 0
    assert await shop.exceptions() == [("counting-not-proved", False)]
    assert (await doctor(shop)).state == "yellow"
    await picked(shop)
    assert "goods leave the stock at the pick (shown by article B)" in (await doctor(shop)).said
    settled, _ = await clock.run(timedelta(hours=24))
    assert "received on an inbound" in str(settled.held) and "picked and not" not in str(settled.held)
    assert await entries(shop) == []
    await received(shop)
    settled, _ = await clock.run(timedelta(hours=24))
    assert (settled.unknown, settled.held) == (1, None)
    assert await entries(shop) == LOST
    assert await shop.exceptions() == []
    assert (await doctor(shop)).state == "green"


async def test_a_warehouse_that_counts_otherwise_than_the_settings_say_is_told_and_nothing_unknown_is_booked(
    shop: Shop, clock: Clock
) -> None:
    await shop.ongoing("PUT", "settings", {"goodsLeaveStock": "at-collection", "receivedGoodsCount": "when-finished"})
    await unproved(shop)
    await lose(shop, "A", 998)
    await picked(shop)
    await received(shop)
    for _ in range(3):
        settled, _ = await clock.run(timedelta(hours=24))
        assert settled.unknown == 0
    assert "set reconciliation.goods_leave_at_collection to true" in str(settled.held)
    found = await doctor(shop)
    assert (found.name, found.state) == ("ongoing-counting", "red")
    assert "set reconciliation.received_counts_when_finished to true" in found.said
    assert await entries(shop) == []
    await settle(shop, counting_is_known=False, goods_leave_at_collection=True, received_counts_when_finished=True)
    await clock.run(timedelta(hours=24))
    settled, _ = await clock.run(timedelta(hours=24))
    assert settled.held is None
    assert await entries(shop) == LOST
    assert (await doctor(shop)).state == "green"


async def test_who_knows_how_the_warehouse_counts_may_say_so(shop: Shop, clock: Clock) -> None:
    await stocked(shop, counting_is_known=True, looks_apart_hours=0)
    await lose(shop, "A", 998)
    await clock.run()
    await clock.run(timedelta(hours=24))
    assert await entries(shop) == LOST
    assert (await doctor(shop)).state == "green"
