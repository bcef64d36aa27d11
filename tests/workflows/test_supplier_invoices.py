"""Purchases that live until they are invoiced: the accounting tells late, wrongly or twice, and a person decides by name."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from domain.keys import PurchaseKey
from tests.activities.buying import OWED, STOCK, accounts, bill, buying, edit, enter, invoice_state, owed, pool
from tests.activities.test_purchases import floor, ordered, place, status
from tests.workflows.process import LosesFirstAnswers, Processes, becomes
from tests.workflows.test_receive_purchase_order import ended, of, reaches, shows, watcher_looks
from tests.workflows.test_sales_order import losing
from workflows import attributes, options
from workflows.match_supplier_invoices import MatchSupplierInvoices
from workflows.purchase_corrections import AboutInvoice
from workflows.receive_purchase_order import ReceivePurchaseOrder

__all__ = ["losing"]

APPROVE: Any = ReceivePurchaseOrder.approve
REJECT: Any = ReceivePurchaseOrder.reject
LINE = {"article": "N", "quantity": "10", "price": "10"}


async def placed(processes: Processes, receive: dict[Any, Any] | None = None, **settings: Any) -> None:
    """Ten of a new article at 10, expected by the warehouse; with `receive` so much has come."""
    shop = processes.shop
    await buying(shop, "N", **settings)
    await place(shop, [ordered("N", 10, 10)])
    await processes.deliver()
    await reaches(processes, "at-warehouse")
    if receive is not None:
        await floor(shop, "receive", receive)
        await watcher_looks(processes)
        await reaches(processes, "received" if receive == {1: 10} else "part-received")


async def told(processes: Processes, *lines: dict[str, Any], **wish: Any) -> int:
    number = await bill(processes.shop, *lines, **wish)
    await processes.deliver()
    return number


async def blocked(processes: Processes, code: str | None) -> None:
    await becomes(lambda: shows(processes, attributes.BLOCKED_REASON), code)


def about(number: int) -> AboutInvoice:
    return AboutInvoice(number, "anna", "agreed by mail")


async def test_a_purchase_ends_when_what_came_is_invoiced(processes: Processes) -> None:
    await placed(processes, {1: 10})
    await becomes(lambda: shows(processes, attributes.WAITING_FOR), "accounting")
    await told(processes, LINE)
    assert await ended(processes) == "invoiced"
    assert (await status(processes.shop), await owed(processes.shop)) == ("invoiced", 0)


async def test_the_hourly_reading_finds_what_nobody_told(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes, {1: 10})
    body = {"tenantId": shop.tenant, "purchase": "PO-1", "invoiceNumber": "F-1", "lines": [LINE | {"account": OWED}]}
    await shop.fortnox("POST", "supplier-invoices", body)
    for news in (1, 0):
        run: WorkflowHandle[MatchSupplierInvoices, int] = await processes.client.start_workflow(
            MatchSupplierInvoices.run, shop.merchant, id=f"supplier-invoices/{shop.merchant}", task_queue=options.ORDERS_QUEUE
        )
        assert await asyncio.wait_for(run.result(), 20) == news
    await processes.deliver()
    assert await ended(processes) == "invoiced"


async def test_an_invoice_that_differs_stands_still_until_a_person_approves_it(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes, {1: 10})
    number = await told(processes, LINE | {"price": "12"})
    await blocked(processes, "supplier-invoice-to-decide")
    [(code, blocking)] = await shop.exceptions()
    assert (code, blocking) == ("supplier-invoice-to-decide", True)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await of(processes).execute_update(APPROVE, AboutInvoice(number, " ", "why"))
    assert "names the invoice" in str(refused.value.cause)
    with pytest.raises(WorkflowUpdateFailedError):
        await of(processes).execute_update(APPROVE, about(number + 7))
    answer = await of(processes).execute_update(APPROVE, about(number))
    assert answer == f"supplier invoice {number} of purchase order PO-1: approve by anna"
    assert await ended(processes) == "invoiced"
    assert (await pool(shop, "N"), await owed(shop), await shop.exceptions()) == ((10, 120), 0, [])


async def test_what_is_rejected_is_left_out_until_it_is_changed(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes, {1: 10})
    number = await told(processes, LINE | {"price": "12"})
    await blocked(processes, "supplier-invoice-to-decide")
    await of(processes).execute_update(REJECT, about(number))
    await blocked(processes, None)
    assert (await invoice_state(shop, number))[0] == "rejected"
    await edit(shop, number, LINE)
    await processes.deliver()
    assert await ended(processes) == "invoiced"
    assert await accounts(shop) == {STOCK: 100, OWED: -100}


async def test_an_invoice_that_is_moved_away_lets_its_purchase_go_on(processes: Processes) -> None:
    await placed(processes, {1: 4})
    number = await told(processes, LINE | {"quantity": "4", "price": "12"})
    await blocked(processes, "supplier-invoice-to-decide")
    await edit(processes.shop, number, purchase="elsewhere")
    await processes.deliver()
    await blocked(processes, None)
    assert await processes.shop.exceptions() == [("supplier-invoice-without-purchase", False)]


async def test_a_decision_may_be_sent_as_a_signal_and_a_wrong_one_is_told(processes: Processes) -> None:
    await placed(processes, {1: 10})
    number = await told(processes, LINE | {"price": "12"})
    await blocked(processes, "supplier-invoice-to-decide")
    await of(processes).signal("approve", {"invoice": "many", "by": "anna", "reason": "agreed"})
    await of(processes).signal("approve", {"invoice": number, "by": "anna", "reason": "agreed"})
    assert await ended(processes) == "invoiced"


async def test_goods_are_booked_while_an_invoice_waits_for_a_person(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes, {1: 4})
    number = await told(processes, LINE | {"quantity": "4", "price": "12"})
    await blocked(processes, "supplier-invoice-to-decide")
    await floor(shop, "receive", {1: 6})
    await watcher_looks(processes)
    await reaches(processes, "received")
    assert await pool(shop, "N") == (10, 100)
    await blocked(processes, "supplier-invoice-to-decide")
    await of(processes).execute_update(APPROVE, about(number))
    await told(processes, LINE | {"quantity": "6"})
    assert await ended(processes) == "invoiced"
    assert (await pool(shop, "N"), await owed(shop)) == ((10, 108), 0)


async def test_an_invoice_before_the_goods_is_matched_when_they_come(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes)
    number = await told(processes, LINE)
    await becomes(lambda: invoice_state(shop, number), ("parked", "not_received"))
    await floor(shop, "receive")
    await watcher_looks(processes)
    assert await ended(processes) == "invoiced"
    assert await owed(shop) == 0


async def test_what_comes_after_the_end_starts_another_run(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes, {1: 10}, landed_cost_account=2491)
    await told(processes, LINE)
    assert await ended(processes) == "invoiced"
    await enter(shop, "landed_cost", landed_cost_number="LC-1", purchases=["PO-1"], amount=25)
    await processes.deliver()
    assert await ended(processes, run=2) == "invoiced"
    assert await pool(shop, "N") == (10, 125)
    await told(processes, LINE | {"quantity": "-10"})
    await becomes(lambda: status(shop), "received")
    await told(processes, LINE)
    assert await ended(processes, run=3) == "invoiced"
    assert (await pool(shop, "N"), await owed(shop), PurchaseKey(shop.merchant, "PO-1", 3).workflow_id) == (
        (10, 125),
        0,
        f"purchase-order/{shop.merchant}/PO-1#3",
    )


async def test_every_answer_lost_once_changes_nothing(losing: tuple[Processes, LosesFirstAnswers]) -> None:
    processes, interceptor = losing
    shop = processes.shop
    await placed(processes, {1: 10}, landed_cost_account=2491)
    await enter(shop, "landed_cost", landed_cost_number="LC-1", purchases=["PO-1"], amount=25)
    number = await told(processes, LINE | {"price": "12"})
    await blocked(processes, "supplier-invoice-to-decide")
    await of(processes).execute_update(APPROVE, about(number))
    assert await ended(processes) == "invoiced"
    assert (await pool(shop, "N"), await owed(shop)) == ((10, 145), 0)
    assert {"match_purchase", "correct_purchase"} <= set(interceptor.lost)
    bookings = "select document, kind from erp.purchase_booking where merchant_id = :m order by 1"
    assert await shop.read(bookings) == [("landed-cost/LC-1", "landed-cost"), (f"supplier-invoice/{number}", "match")]
