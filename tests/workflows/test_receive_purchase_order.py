"""Purchases as processes on a real server: from a row in the ERP to stock at its cost, whoever tells, or nobody."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.testing import ActivityEnvironment

from domain.keys import PurchaseKey
from tests.activities.test_purchases import ACCOUNT, counters, floor, head, place, status
from tests.activities.world import rule
from tests.workflows.process import Processes, becomes
from workflows import attributes
from workflows.receive_purchase_order import ReceivePurchaseOrder


def of(processes: Processes, number: str = "PO-1", run: int = 1) -> WorkflowHandle[ReceivePurchaseOrder, str]:
    key = PurchaseKey(processes.shop.merchant, number, run)
    return processes.client.get_workflow_handle_for(ReceivePurchaseOrder.run, key.workflow_id)


async def ended(processes: Processes, number: str = "PO-1", run: int = 1) -> str:
    async with asyncio.timeout(20):
        return await of(processes, number, run).result()


async def reaches(processes: Processes, wanted: str) -> None:
    await becomes(lambda: status(processes.shop), wanted)


async def watcher_looks(processes: Processes) -> None:
    """The watcher's round, and the relay that tells what it found."""
    shop = processes.shop
    await ActivityEnvironment().run(shop.worker.watch.find_changes, shop.merchant)
    await processes.deliver()


async def shows(processes: Processes, key: Any) -> Any:
    return (await of(processes).describe()).typed_search_attributes.get(key)


async def placed(processes: Processes, **settings: Any) -> None:
    await processes.shop.settings(goods_received_not_invoiced_account=ACCOUNT, **settings)
    await place(processes.shop)
    await processes.deliver()
    await reaches(processes, "at-warehouse")


async def test_a_purchase_runs_from_the_erp_to_stock_with_nobody_but_the_watcher_telling(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes)
    await floor(shop, "receive", {1: 6})
    await watcher_looks(processes)
    await reaches(processes, "part-received")
    await floor(shop, "receive")
    await watcher_looks(processes)
    assert await ended(processes) == "completed"
    assert (await shop.balances())["A"] == (1010, 4550)
    assert await counters(shop) == [("1", 10, 10, 10), ("2", 4, 4, 4)]


async def test_goods_that_come_after_the_end_start_another_run(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes, close_purchase_short="at-deviation")
    await floor(shop, "receive", {1: 6}, finish=True)
    await watcher_looks(processes)
    assert await ended(processes) == "completed"
    await floor(shop, "receive", {1: 4, 2: 4})
    await watcher_looks(processes)
    assert await ended(processes, run=2) == "completed"
    assert (await shop.balances())["A"] == (1010, 4550)
    await watcher_looks(processes)
    runs = "select max(run) from bridge.process where merchant_id = :m and kind = 'purchase-order'"
    assert await shop.read(runs) == [(2,)]


async def test_a_missing_account_blocks_and_setting_it_goes_on(processes: Processes) -> None:
    shop = processes.shop
    await place(shop)
    await processes.deliver()
    await reaches(processes, "at-warehouse")
    await floor(shop, "receive")
    await watcher_looks(processes)
    await becomes(lambda: shows(processes, attributes.BLOCKED_REASON), "goods-received-account-missing")
    await shop.settings(goods_received_not_invoiced_account=ACCOUNT)

    async def told() -> str:
        if await status(shop) != "completed":  # a worker remembers settings for two seconds
            await of(processes).signal(ReceivePurchaseOrder.look)
        return await status(shop)

    await becomes(told, "completed")
    assert await ended(processes) == "completed"
    assert await shop.exceptions() == []


async def test_a_change_and_a_cancellation_reach_the_process(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes)
    await head(shop, expected_on=datetime(2027, 1, 2, tzinfo=UTC).date())
    await processes.deliver()

    async def version() -> Any:
        [(found,)] = await shop.read("select sent_version from bridge.link where merchant_id = :m and kind = 'purchase-order'")
        return found

    await becomes(version, 2)
    await head(shop, cancel_requested_at=datetime.now(UTC))
    await processes.deliver()
    assert await ended(processes) == "cancelled"


async def test_short_waits_for_a_person_and_says_so(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes)
    await floor(shop, "receive", {1: 6}, finish=True)
    await watcher_looks(processes)
    await becomes(lambda: shows(processes, attributes.WAITING_FOR), "person")
    await head(shop, closed_by="Kim", close_reason="no more")
    await processes.deliver()
    assert await ended(processes) == "completed"


async def test_every_answer_that_is_lost_once_changes_nothing(processes: Processes) -> None:
    """The warehouse does what it is asked, and the first answer to each kind of request never arrives."""
    shop = processes.shop
    await shop.settings(goods_received_not_invoiced_account=ACCOUNT)
    await place(shop)
    lost = [
        rule("PUT /purchaseOrders", "lost-answer"),
        rule("GET /purchaseOrders/{purchaseOrderId}", "lost-answer"),
        rule("PATCH /purchaseOrders/{purchaseOrderId}/lines/*", "lost-answer"),
    ]
    async with shop.ongoing.faults(*lost):
        await processes.deliver()
        await reaches(processes, "at-warehouse")
        await floor(shop, "receive")
        await of(processes).signal(ReceivePurchaseOrder.look)
        assert await ended(processes) == "completed"
    assert (await shop.balances())["A"] == (1010, 4550)
    assert await counters(shop) == [("1", 10, 10, 10), ("2", 4, 4, 4)]
