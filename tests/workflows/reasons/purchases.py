"""Purchase orders."""

from datetime import UTC, datetime
from typing import Any

from domain.merchant import MerchantSettings
from tests.activities.test_purchases import ACCOUNT, floor, head, ordered, place, status
from tests.erp.data import article, insert
from tests.workflows.process import Processes, becomes
from tests.workflows.reasons.world import Way, agreed, erp, mend_ongoing, seen_to, set_in_force, spoil_ongoing
from tests.workflows.test_receive_purchase_order import ended, of
from workflows.receive_purchase_order import ReceivePurchaseOrder

PO = "PO-1"


async def expected(p: Processes, lines: Any = (), **settings: Any) -> None:
    await agreed(p, goods_received_not_invoiced_account=ACCOUNT, **settings)
    await place(p.shop, lines)
    await becomes(lambda: status(p.shop), "at-warehouse")


async def look(p: Processes) -> None:
    await of(p).signal(ReceivePurchaseOrder.look)


async def completed(p: Processes) -> None:
    assert await ended(p) == "completed"


async def close(p: Processes) -> None:
    await head(p.shop, closed_by="Kim", close_reason="agreed with the supplier")
    await completed(p)


async def only_a_service(p: Processes) -> None:
    await place(p.shop, [ordered("FRAKTSERVICE", 1, 100)])


async def a_line_comes(p: Processes) -> None:
    key = {"merchant_id": p.shop.merchant, "purchase_order_number": PO, "line_number": 2}
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.purchase_order_line", key | ordered())


async def refused_by_the_warehouse(p: Processes) -> None:
    await spoil_ongoing(p, "PUT /purchaseOrders", "http", status=400, body={"message": "Supplier is not allowed"})
    await place(p.shop)


async def corrected(p: Processes) -> None:
    await mend_ongoing(p)
    await head(p.shop, remark="another supplier")


async def a_change_that_comes_too_late(p: Processes) -> None:
    await expected(p)
    await floor(p.shop, "receive", {1: 3})
    await erp(p, "update erp.purchase_order_line set quantity = 99 where merchant_id = :m and line_number = 1")


async def set_back(p: Processes) -> None:
    await erp(p, "update erp.purchase_order_line set quantity = 10 where merchant_id = :m and line_number = 1")


async def a_line_that_stays(p: Processes) -> None:
    await expected(p)
    await erp(p, "delete from erp.purchase_order_line where merchant_id = :m and line_number = 2")


async def a_foreign_one(p: Processes) -> None:
    shop = p.shop
    await shop.call_ongoing("PUT", "articles", {"goodsOwnerId": shop.goods_owner, "articleNumber": "X", "articleName": "x"})
    lines = [{"rowNumber": "1", "articleNumber": "X", "numberOfItems": 1}]
    await shop.call_ongoing(
        "PUT", "purchaseOrders", {"goodsOwnerId": shop.goods_owner, "purchaseOrderNumber": PO, "purchaseOrderLines": lines}
    )
    await place(shop)


async def ours_is_cancelled_and_placed_anew(p: Processes) -> None:
    """Cancelled in the warehouse by whoever made it; ours is placed under another number, as the remedy says."""
    await head(p.shop, cancel_requested_at=datetime.now(UTC))
    await place(p.shop, number="PO-2")
    await becomes(lambda: status(p.shop, "PO-2"), "at-warehouse")
    assert await ended(p) == "cancelled"


async def a_status_that_nobody_named(p: Processes) -> None:
    known = {number: meaning for number, meaning in MerchantSettings().purchase_statuses.items() if meaning != "inbound"}
    await expected(p, purchase_statuses=known)
    await floor(p.shop, "receive", {1: 3})
    await look(p)


async def it_is_named(p: Processes) -> None:
    await set_in_force(p, goods_received_not_invoiced_account=ACCOUNT)
    await becomes(lambda: _looked_anew(p), True)


async def _looked_anew(p: Processes) -> bool:
    """A worker remembers settings for two seconds."""
    await look(p)
    return await p.shop.exceptions() == []


async def cancelled_too_late(p: Processes) -> None:
    await expected(p)
    await floor(p.shop, "receive", {1: 3})
    await head(p.shop, cancel_requested_at=datetime.now(UTC))


async def an_article_of_theirs(p: Processes) -> None:
    await expected(p, [ordered()])
    body = {"goodsOwnerId": p.shop.goods_owner, "articleNumber": "X", "articleName": "x"}
    await p.shop.call_ongoing("PUT", "articles", body)
    await floor(p.shop, "receive", {1: 10, "X": 2})
    await look(p)


async def the_erp_has_it(p: Processes) -> None:
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.article", article(p.shop.merchant, "X", purchase_price=1))
    await look(p)


async def something_else_comes(p: Processes) -> None:
    await expected(p, [ordered()])
    await p.shop.call_ongoing("PUT", "articles", {"goodsOwnerId": p.shop.goods_owner, "articleNumber": "C", "articleName": "c"})
    await floor(p.shop, "receive", {"C": 2})
    await look(p)


def received(lines: dict[Any, Any], **settings: Any) -> Any:
    async def into(p: Processes) -> None:
        await expected(p, **settings)
        await floor(p.shop, "receive", lines, finish=True)
        await look(p)

    return into


async def it_comes_after_the_end(p: Processes) -> None:
    await received({1: 6}, close_purchase_short="at-deviation")(p)
    await completed(p)
    await floor(p.shop, "receive", {1: 4})
    from temporalio.testing import ActivityEnvironment

    await ActivityEnvironment().run(p.shop.worker.watch.find_changes, p.shop.merchant)


WAYS = {
    "purchase-without-lines": Way(only_a_service, a_line_comes),
    "purchase-refused": Way(refused_by_the_warehouse, corrected),
    "purchase-change-refused": Way(a_change_that_comes_too_late, set_back, blocking=False),
    "purchase-differs": Way(a_line_that_stays, a_line_comes, odd=True),
    "foreign-purchase-number": Way(a_foreign_one, ours_is_cancelled_and_placed_anew),
    "unknown-purchase-status": Way(a_status_that_nobody_named, it_is_named),
    "too-late-to-cancel-purchase": Way(cancelled_too_late, seen_to("too-late-to-cancel-purchase", PO), blocking=False),
    "purchase-article-not-in-erp": Way(an_article_of_theirs, the_erp_has_it),
    "received-not-ordered": Way(something_else_comes, seen_to("received-not-ordered", PO), blocking=False),
    "received-more-than-ordered": Way(received({1: 12, 2: 4}), seen_to("received-more-than-ordered", PO), blocking=False),
    "purchase-short": Way(received({1: 6}), close, blocking=False),
    "purchase-over": Way(received({1: 12, 2: 4}, close_purchase_over="person"), close, blocking=False),
    "received-after-close": Way(it_comes_after_the_end, seen_to("received-after-close", PO), blocking=False),
}
