"""Returns as processes on a real server: from a row in the ERP, or a pallet at the gate, to credits that make everything zero."""

import asyncio
from decimal import Decimal
from typing import Any

from temporalio.client import WorkflowHandle

from domain.keys import ReturnKey
from tests.activities.returning import announce, cost_of_goods_sold, receive, sums
from tests.activities.world import again
from tests.erp.data import line
from tests.workflows.process import Processes, becomes
from workflows import attributes
from workflows.patient import Correction
from workflows.receive_return import ReceiveReturn

D = Decimal


def of(processes: Processes, number: str = "R-1") -> WorkflowHandle[ReceiveReturn, str]:
    key = ReturnKey(processes.shop.merchant, number)
    return processes.client.get_workflow_handle_for(ReceiveReturn.run, key.workflow_id)


async def ended(processes: Processes, number: str = "R-1", seconds: float = 90) -> str:
    async with asyncio.timeout(seconds):
        return await of(processes, number).result()


async def blocked_by(processes: Processes, code: str | None, number: str = "R-1") -> None:
    """Wait until the return stands still for this reason, or (None) for none."""

    async def blocked() -> Any:
        return (await of(processes, number).describe()).typed_search_attributes.get(attributes.BLOCKED_REASON)

    await becomes(blocked, code)


async def announced(processes: Processes, lines: dict[int, Any], number: str = "R-1", **columns: Any) -> None:
    await announce(processes.shop, lines, number, **columns)
    await processes.deliver()


async def sold(processes: Processes, lines: Any = (), **columns: Any) -> None:
    """An order that ran to its end."""
    await processes.begin(lines=lines, **columns)
    await processes.reaches("at-warehouse")
    await processes.shop.stock(articles=["A", "B"])
    await processes.shop.pick_and_send()
    await processes.look()
    assert await processes.result() == "completed"


async def credited(processes: Processes, how_many: int) -> None:
    """Wait for so many booked credits, telling the process now and then that it may look."""

    async def booked() -> int:
        await of(processes).signal(ReceiveReturn.look)
        return len([each for each in await processes.shop.invoices() if each["credit"] and each["booked"]])

    await becomes(booked, how_many)


async def test_two_shipments_come_back_in_three_parts_and_everything_is_zero(processes: Processes) -> None:
    shop = processes.shop
    before = await shop.balances()
    await shop.settings(short_grace_seconds=3600)
    lines = [line("A", 3, "99.90"), line("B", 2, "33.33", vat_rate=12)]
    await processes.begin(lines=lines, freight=49, discount_percent=10)
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send(lines={1: 2})
    await processes.look()
    await becomes(lambda: _booked(processes), 1)
    await shop.pick_and_send(lines={1: 1, 2: 2})
    await processes.look()
    assert await processes.result() == "completed"

    await announced(processes, {1: 3, 2: 2})
    await becomes(lambda: _status(processes), "at-warehouse")
    await receive(shop, {1: 1})
    await credited(processes, 1)
    await receive(shop, {1: 1, 2: 1})
    await credited(processes, 3)
    await receive(shop)
    await of(processes).signal(ReceiveReturn.look)
    assert await ended(processes) == "completed"
    assert await sums(shop) == [0, 0, 0]
    assert await shop.balances() == before
    assert await cost_of_goods_sold(shop) == 0
    assert await shop.exceptions() == []


async def _booked(processes: Processes) -> int:
    return len([each for each in await processes.shop.invoices() if each["booked"]])


async def _status(processes: Processes, number: str = "R-1") -> Any:
    found = await processes.shop.read(
        "select status from erp.return_order where merchant_id = :m and return_number = :n", n=number
    )
    return found[0][0] if found else None


async def test_a_pallet_at_the_gate_is_booked_and_credited_without_a_word_from_anybody(processes: Processes) -> None:
    await sold(processes)
    await processes.shop.floor("return", lines={1: 3})
    await again(processes.shop.worker.watch.sweep, processes.shop.merchant)
    await processes.deliver()
    assert await ended(processes, "SO-1/R1") == "completed"
    assert (await sums(processes.shop))[0] == D("11.00")


async def test_money_that_waits_says_for_whom_and_a_decision_lets_the_return_end(processes: Processes) -> None:
    shop = processes.shop
    await sold(processes)
    await announced(processes, {1: 1})
    await becomes(lambda: _status(processes), "at-warehouse")
    await receive(shop, {1: 4}, over=True)
    await of(processes).signal(ReceiveReturn.look)

    await blocked_by(processes, "returned-more-than-sent")
    assert (await sums(shop))[0] == D("11.00"), "what was invoiced is credited meanwhile"
    update: Any = ReceiveReturn.settle_without_credit
    await of(processes).execute_update(update, Correction("Kim", "counted with the warehouse"))
    assert await ended(processes) == "completed"
    audit = await shop.read("select actor, reason from bridge.audit where merchant_id = :m")
    assert audit == [("Kim", "counted with the warehouse")]
    assert [blocking for _, blocking in await shop.exceptions()] == [False]


async def test_a_return_that_the_erp_cancels_is_expected_no_more(processes: Processes) -> None:
    shop = processes.shop
    await sold(processes)
    await announced(processes, {1: 1})
    await becomes(lambda: _status(processes), "at-warehouse")
    async with shop.erp.everyone() as session:
        from sqlalchemy import text

        statement = "update erp.return_order set cancel_requested_at = now() where merchant_id = :m"
        await session.execute(text(statement), {"m": shop.merchant})
    await processes.deliver()
    assert await ended(processes) == "cancelled"
    answer = await shop.call_ongoing("GET", f"returnOrders?goodsOwnerId={shop.goods_owner}")
    assert answer.json()[0]["returnOrderInfo"]["returnOrderStatus"]["number"] == 900


async def test_a_credit_without_goods_runs_by_itself(processes: Processes) -> None:
    await sold(processes, freight=49)
    await announced(processes, {2: 2}, "K-1", origin="credit", decided_by="Kim", decision="claim", credit_freight=True)
    assert await ended(processes, "K-1") == "completed"
    assert await sums(processes.shop) == [D("30.00"), D("7.50"), D("37.50")]
