"""Returns."""

from datetime import UTC, datetime
from typing import Any

from domain.merchant import MerchantSettings
from tests.activities.returning import announce, receive
from tests.workflows.process import Processes, becomes
from tests.workflows.reasons.invoices import a_value_that_is_refused
from tests.workflows.reasons.orders import theirs
from tests.workflows.reasons.world import (
    Way,
    agreed,
    at_warehouse,
    erp,
    mend_fortnox,
    mend_ongoing,
    seen_to,
    set_in_force,
    sold,
    spoil_ongoing,
)
from tests.workflows.test_receive_return import _status, credited, of
from workflows.corrections import ForeignDocument
from workflows.patient import Correction
from workflows.receive_return import ReceiveReturn


async def retry(p: Processes, number: str = "R-1") -> None:
    await of(p, number).execute_update("retry_now", Correction("anna", "mended"))


async def look(p: Processes, number: str = "R-1") -> None:
    await of(p, number).signal(ReceiveReturn.look)


async def expected(p: Processes, lines: dict[int, Any], number: str = "R-1", **columns: Any) -> None:
    """Sold, and its return announced to the warehouse."""
    await sold(p)
    await announce(p.shop, lines, number, **columns)
    await becomes(lambda: _status(p, number), "at-warehouse", 40)


async def refused(p: Processes) -> None:
    await sold(p)
    await spoil_ongoing(p, "PUT /returnOrders", "http", status=400, body={"message": "Return cause is not allowed"})
    await announce(p.shop, {1: 1})


async def corrected(p: Processes) -> None:
    await mend_ongoing(p)
    await retry(p)
    await becomes(lambda: _status(p), "at-warehouse")


async def it_differs(p: Processes) -> None:
    """Somebody in the warehouse has changed what is expected, while our change was on its way."""
    await sold(p)
    await spoil_ongoing(p, "PUT /returnOrders", "http", status=200, body={"returnOrderId": await another(p)})
    await announce(p.shop, {1: 2})


async def another(p: Processes) -> int:
    shop = p.shop
    held = await shop.warehouse_order()
    body = {
        "goodsOwnerId": shop.goods_owner,
        "returnOrderNumber": "OTHER",
        "customerOrder": {"orderId": held["orderInfo"]["orderId"]},
        "returnOrderLines": [
            {
                "returnOrderRowNumber": "1",
                "customerOrderLine": {"orderLineId": held["orderLines"][0]["id"]},
                "toBeReturnedNumberOfItems": 1,
            }
        ],
    }
    answer = await shop.call_ongoing("PUT", "returnOrders", body)
    assert answer.status_code in (200, 201), answer.text
    return int(answer.json()["returnOrderId"])


async def never_sent(p: Processes) -> None:
    await at_warehouse(p, "SO-2")
    await p.begin("SO-1", customer_number=None)
    await p.blocked_by("missing-address")
    await announce(p.shop, {1: 1})


async def written_anew_for_the_right_order(p: Processes) -> None:
    await erp(p, "update erp.return_order set cancel_requested_at = now() where merchant_id = :m")
    await announce(p.shop, {1: 1}, "R-2", "SO-2")
    await becomes(lambda: _status(p, "R-2"), "at-warehouse", 30)


async def without_lines(p: Processes) -> None:
    await expected(p, {1: 1})
    await erp(p, "delete from erp.return_order_line where merchant_id = :m")


async def a_line_comes(p: Processes) -> None:
    await erp(
        p,
        "insert into erp.return_order_line (merchant_id, return_number, line_number, quantity) values (:m, 'R-1', 2, 1)",
    )


async def a_cause_that_nobody_named(p: Processes) -> None:
    await agreed(p, return_causes={"SIZE": "stock"})
    await expected(p, {1: 1})
    await receive(p.shop, causeCode="NEW")
    await look(p)


async def the_cause_is_named(p: Processes) -> None:
    await set_in_force(p, return_causes={"SIZE": "stock", "NEW": "stock"})
    await becomes(lambda: _retried(p), True, 20)


async def _retried(p: Processes) -> bool:
    """A worker remembers settings for two seconds."""
    found = await p.shop.read("select status from erp.return_order where merchant_id = :m")
    if found != [("completed",)]:
        try:
            await retry(p)
        except Exception:
            return False
    return found == [("completed",)]


async def a_status_that_nobody_named(p: Processes) -> None:
    known = {number: meaning for number, meaning in MerchantSettings().return_statuses.items() if meaning != "notified"}
    await agreed(p, return_statuses=known)
    await expected(p, {1: 1})


async def the_status_is_named(p: Processes) -> None:
    await set_in_force(p)
    await receive(p.shop)
    await becomes(lambda: _retried(p), True, 20)


async def cancelled_too_late(p: Processes) -> None:
    await expected(p, {2: 2})
    await receive(p.shop, {2: 1})
    await erp(p, "update erp.return_order set cancel_requested_at = :at where merchant_id = :m", at=datetime.now(UTC))


async def taken_back_after_its_credit(p: Processes) -> None:
    await expected(p, {1: 2})
    await receive(p.shop, {1: 1}, keepStatus=True)
    await credited(p, 1)
    await p.shop.floor("undo-return", lines={1: 1})
    await becomes(lambda: _noted(p), True, 30)


async def _noted(p: Processes) -> bool:
    await look(p)
    return ("return-undone-after-credit", False) in await p.shop.exceptions()


async def on_a_line_of_theirs(p: Processes) -> None:
    await at_warehouse(p)
    await theirs(p, {1: ("A", 3), 2: ("B", 2), 9: ("A", 2)}, "lagerbro/SO-1/v1")
    await p.shop.pick_and_send()
    await p.look()
    assert await p.result("SO-1", 40) == "completed"
    await p.shop.floor("return", lines={9: 1})
    from temporalio.testing import ActivityEnvironment

    await ActivityEnvironment().run(p.shop.worker.watch.sweep, p.shop.merchant)


async def another_order_has_the_number(p: Processes) -> None:
    await at_warehouse(p, "SO-2")
    held = await p.shop.warehouse_order("SO-2")
    body = {
        "goodsOwnerId": p.shop.goods_owner,
        "returnOrderNumber": "R-1",
        "customerOrder": {"orderId": held["orderInfo"]["orderId"]},
        "returnOrderLines": [
            {
                "returnOrderRowNumber": "1",
                "customerOrderLine": {"orderLineId": held["orderLines"][0]["id"]},
                "toBeReturnedNumberOfItems": 1,
            }
        ],
    }
    answer = await p.shop.call_ongoing("PUT", "returnOrders", body)
    assert answer.status_code in (200, 201), answer.text
    await sold(p)
    await announce(p.shop, {1: 1})


async def announced_under_another_number(p: Processes) -> None:
    await erp(p, "update erp.return_order set cancel_requested_at = :at where merchant_id = :m", at=datetime.now(UTC))
    await announce(p.shop, {1: 1}, "R-2")
    await becomes(lambda: _status(p, "R-2"), "at-warehouse", 30)
    answer = await p.shop.call_ongoing("GET", f"returnOrders?goodsOwnerId={p.shop.goods_owner}")
    said = {each["returnOrderInfo"]["returnOrderNumber"]: each["returnOrderInfo"]["returnOrderStatus"] for each in answer.json()}
    assert said["R-1"]["number"] == 100, "theirs is left alone"


async def invoiced_by_hand(p: Processes) -> None:
    """What was sold was invoiced outside, by decision; then some of it comes back."""
    await a_value_that_is_refused(p)
    await p.blocked_by("invoice-refused")
    await p.of().execute_update("handled_outside", ForeignDocument("anna", "invoiced by hand", "4711"))
    await mend_fortnox(p)
    assert await p.result("SO-1", 40) == "completed"
    await announce(p.shop, {1: 1})
    await becomes(lambda: _status(p), "at-warehouse", 40)
    await receive(p.shop)
    await look(p)


async def credited_by_hand(p: Processes) -> None:
    """`lagerbro return settle`."""
    await of(p, "R-1").execute_update("settle_without_credit", Correction("anna", "credited where it was invoiced"))
    await becomes(lambda: _status(p), "completed", 30)


WAYS = {
    "invoiced-outside": Way(invoiced_by_hand, credited_by_hand),
    "return-refused": Way(refused, corrected),
    "return-differs": Way(it_differs, corrected),
    "return-of-unsent-order": Way(never_sent, written_anew_for_the_right_order),
    "return-without-lines": Way(without_lines, a_line_comes),
    "unknown-return-cause": Way(a_cause_that_nobody_named, the_cause_is_named),
    "unknown-return-status": Way(a_status_that_nobody_named, the_status_is_named),
    "too-late-to-cancel-return": Way(cancelled_too_late, seen_to("too-late-to-cancel-return", "R-1"), blocking=False),
    "return-undone-after-credit": Way(taken_back_after_its_credit, seen_to("return-undone-after-credit", "R-1"), blocking=False),
    "return-not-ours": Way(on_a_line_of_theirs, seen_to("return-not-ours", "SO-1/R1"), blocking=False),
    "foreign-return-number": Way(another_order_has_the_number, announced_under_another_number),
}
