"""Purchases: what is ordered is expected, what comes in is stock at its cost to the öre, each piece once, whatever happens."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from activities.errors import Waiting
from domain.errors import Refused
from domain.keys import PurchaseKey, PurchaseState
from domain.rates import Quote
from erp.counters import PURCHASE_ORDER, begin_look
from erp.rates import Checked, store
from tests.activities.world import HOW_OFTEN, Shop, again
from tests.erp.data import Row, article, insert, set_order

D = Decimal
OPENING = (D(1000), D(4500))
ACCOUNT = 2490
LINES = """
  select line_number, article_number, quantity, value from erp.goods_receipt_line
  where merchant_id = :m order by receipt_no, row_no"""
POSTED = """
  select p.event, r.account, sum(r.debit - r.credit) from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
  where p.merchant_id = :m and p.document like 'purchase-order/%' group by 1, 2 order by 1, 2"""


def ordered(article_number: str = "A", quantity: Any = 10, unit_price: Any = 5) -> Row:
    return {"article_number": article_number, "quantity": quantity, "unit_price": unit_price}


async def place(shop: Shop, lines: Sequence[Row] = (), number: str = "PO-1", **columns: Any) -> PurchaseKey:
    """A purchase order as the ERP writes it, with its process begun as the relay begins it."""
    async with shop.erp.everyone() as session:
        await session.execute(
            text(
                "insert into erp.supplier (merchant_id, supplier_number, name)"
                " values (:m, 'S-1', 'Leverans AB') on conflict do nothing"
            ),
            {"m": shop.merchant},
        )
        key = {"merchant_id": shop.merchant, "purchase_order_number": number}
        await insert(session, "erp.purchase_order", key | {"supplier_number": "S-1", "status": "placed"} | columns)
        rows = [key | {"line_number": n} | values for n, values in enumerate(lines or [ordered(), ordered("B", 4, "2.50")], 1)]
        await insert(session, "erp.purchase_order_line", *rows)
    return await begin(shop, number)


async def begin(shop: Shop, number: str) -> PurchaseKey:
    key = PurchaseKey(shop.merchant, number)
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(
            text(
                "insert into bridge.process (merchant_id, kind, document, run, workflow_id)"
                " values (:m, 'purchase-order', :n, 1, :w) on conflict do nothing"
            ),
            {"m": shop.merchant, "n": number, "w": key.workflow_id},
        )
    return key


async def change(shop: Shop, statement: str, **values: Any) -> None:
    """The ERP changes something of its own; `:m` is the merchant."""
    async with shop.erp.everyone() as session:
        await session.execute(text(statement), values | {"m": shop.merchant})


async def head(shop: Shop, number: str = "PO-1", **columns: Any) -> None:
    """The ERP changes the head of its purchase order."""
    sets = ", ".join(f"{name} = :{name}" for name in columns)
    where = "where merchant_id = :m and purchase_order_number = :n"
    await change(shop, f"update erp.purchase_order set {sets} {where}", n=number, **columns)


async def send(shop: Shop, key: PurchaseKey) -> PurchaseState:
    return await again(shop.worker.purchases.send_purchase_order, key)


async def look(shop: Shop, key: PurchaseKey) -> PurchaseState:
    return await again(shop.worker.purchases.look_at_purchase_order, key)


async def calm(shop: Shop, key: PurchaseKey) -> PurchaseState:
    """Look as the process does, until no look is owed."""
    async with asyncio.timeout(15):
        while True:
            state = await look(shop, key)
            if state.look_after is None:
                return state
            await asyncio.sleep(min(state.look_after, 0.2))


async def expected(shop: Shop, lines: Sequence[Row] = (), number: str = "PO-1", **columns: Any) -> PurchaseKey:
    """A purchase order that the warehouse expects, with an account for what it will be owed."""
    await shop.settings(goods_received_not_invoiced_account=ACCOUNT)
    key = await place(shop, lines, number, **columns)
    await send(shop, key)
    return key


async def floor(shop: Shop, action: str, lines: dict[Any, Any] | None = None, number: str = "PO-1", **wish: Any) -> None:
    """The warehouse's people: lines by row number, or by article number where nothing was ordered."""
    if lines is not None:
        wish["lines"] = [
            ({"rowNumber": str(row)} if isinstance(row, int) else {"articleNumber": row}) | {"numberOfItems": str(quantity)}
            for row, quantity in lines.items()
        ]
    await shop.ongoing("POST", f"purchase-orders/by-number/{shop.goods_owner}/{number}/{action}", wish)


async def held(shop: Shop, number: str = "PO-1") -> dict[str, Any]:
    answer = await shop.call_ongoing("GET", f"purchaseOrders?goodsOwnerId={shop.goods_owner}&purchaseOrderNumber={number}")
    [found] = answer.json()
    return dict(found)


async def counters(shop: Shop, number: str = "PO-1") -> list[tuple[Any, ...]]:
    lines = (await held(shop, number))["purchaseOrderLines"]
    return [
        (each["rowNumber"], each["advisedNumberOfItems"], each["receivedNumberOfItems"], each["reportedNumberOfItems"])
        for each in lines
    ]


async def status(shop: Shop, number: str = "PO-1") -> str:
    statement = "select status from erp.purchase_order where merchant_id = :m and purchase_order_number = :n"
    [(found,)] = await shop.read(statement, n=number)
    return str(found)


async def notes(shop: Shop) -> list[str]:
    return [code for code, _ in await shop.exceptions()]


# --- expecting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("often", HOW_OFTEN)
async def test_a_purchase_that_is_placed_is_expected_once(shop: Shop, often: Any) -> None:
    key = await place(shop, expected_on=datetime(2026, 12, 24, tzinfo=UTC).date())
    state = await often(shop.workers, lambda worker: worker.purchases.send_purchase_order, key)
    assert (state.stage, state.outcome) == ("at-warehouse", None)
    found = await held(shop)
    assert (found["purchaseOrderInfo"]["inDate"], found["supplierInfo"]["supplierNumber"]) == ("2026-12-24", "S-1")
    assert await counters(shop) == [("1", 10, 0, None), ("2", 4, 0, None)]
    assert await status(shop) == "at-warehouse"
    assert await shop.read("select count(*) from bridge.watched where merchant_id = :m") == [(1,)]


async def test_a_purchase_whose_answer_is_lost_is_sent_once(shop: Shop) -> None:
    key = await place(shop)
    async with shop.ongoing.fault("PUT /purchaseOrders", "lost-answer"):
        await send(shop, key)
    assert await counters(shop) == [("1", 10, 0, None), ("2", 4, 0, None)]


async def test_quantity_date_line_and_supplier_changes_follow_until_the_warehouse_has_begun(shop: Shop) -> None:
    key = await expected(shop)
    await change(shop, "insert into erp.supplier (merchant_id, supplier_number, name) values (:m, 'S-2', 'Annan AB')")
    await head(shop, supplier_number="S-2", expected_on=datetime(2027, 1, 2, tzinfo=UTC).date())
    await change(shop, "update erp.purchase_order_line set quantity = 12 where merchant_id = :m and line_number = 1")
    await change(shop, "delete from erp.purchase_order_line where merchant_id = :m and line_number = 2")
    new = {"merchant_id": shop.merchant, "purchase_order_number": "PO-1", "line_number": 3}
    async with shop.erp.everyone() as session:
        await insert(session, "erp.purchase_order_line", new | ordered("C", 7, 1))
    await send(shop, key)
    found = await held(shop)
    assert (found["purchaseOrderInfo"]["inDate"], found["supplierInfo"]["supplierNumber"]) == ("2027-01-02", "S-2")
    assert await counters(shop) == [("1", 12, 0, None), ("3", 7, 0, None)]


async def test_a_change_after_the_warehouse_has_begun_is_refused_shown_and_what_came_is_booked(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 3})
    await change(shop, "update erp.purchase_order_line set quantity = 99 where merchant_id = :m and line_number = 1")
    state = await send(shop, key)
    assert state.stage == "receiving"
    assert await notes(shop) == ["purchase-change-refused"]
    assert await counters(shop) == [("1", 10, 3, 3), ("2", 4, 0, None)]
    told = "select refused_version, refused_code from erp.purchase_order where merchant_id = :m"
    assert await shop.read(told) == [(2, "purchase-change-refused")]


async def test_a_late_older_version_is_sent_over(shop: Shop) -> None:
    key = await expected(shop)
    old = {
        "goodsOwnerId": shop.goods_owner,
        "purchaseOrderNumber": "PO-1",
        "referenceNumber": "lagerbro/PO-1/v1",
        "supplierInfo": {"supplierNumber": "S-1", "supplierName": "Leverans AB"},
        "purchaseOrderLines": [{"rowNumber": "1", "articleNumber": "A", "numberOfItems": 10}],
    }
    await change(shop, "update erp.purchase_order_line set quantity = 12 where merchant_id = :m and line_number = 1")
    assert (await send(shop, key)).look_after is not None
    await shop.call_ongoing("PUT", "purchaseOrders", old)
    await look(shop, key)
    assert await counters(shop) == [("1", 12, 0, None), ("2", 4, 0, None)]


async def test_a_foreign_purchase_with_our_number_is_left_alone(shop: Shop) -> None:
    lines = [{"rowNumber": "1", "articleNumber": "X", "numberOfItems": 1}]
    body = {"goodsOwnerId": shop.goods_owner, "purchaseOrderNumber": "PO-1", "purchaseOrderLines": lines}
    await shop.call_ongoing("PUT", "articles", {"goodsOwnerId": shop.goods_owner, "articleNumber": "X"})
    await shop.call_ongoing("PUT", "purchaseOrders", body)
    key = await place(shop)
    with pytest.raises(Refused) as refused:
        await send(shop, key)
    assert refused.value.code == "foreign-purchase-number"
    assert await counters(shop) == [("1", 1, 0, None)]


async def test_a_cancelled_purchase_is_not_expected_any_more(shop: Shop) -> None:
    key = await expected(shop)
    await head(shop, cancel_requested_at=datetime.now(UTC))
    state = await send(shop, key)
    assert (state.outcome, await status(shop)) == ("cancelled", "cancelled")
    assert (await held(shop))["purchaseOrderInfo"]["purchaseOrderStatus"]["number"] == 900


async def test_a_purchase_that_was_never_sent_is_cancelled_without_the_warehouse(shop: Shop) -> None:
    key = await place(shop)
    await head(shop, cancel_requested_at=datetime.now(UTC))
    assert (await send(shop, key)).outcome == "cancelled"


async def test_too_late_to_cancel_is_noted_and_the_goods_are_booked(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 3})
    await head(shop, cancel_requested_at=datetime.now(UTC))
    assert (await send(shop, key)).outcome is None
    assert await notes(shop) == ["too-late-to-cancel-purchase"]
    assert (await shop.balances())["A"][0] == 1003


# --- receiving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("often", HOW_OFTEN)
async def test_what_comes_in_is_stock_at_its_cost_once_and_is_reported_back(shop: Shop, often: Any) -> None:
    key = await expected(shop)
    await floor(shop, "receive")
    state = await often(shop.workers, lambda worker: worker.purchases.look_at_purchase_order, key)
    assert (state.outcome, await status(shop)) == ("completed", "completed")
    balances = await shop.balances()
    assert (balances["A"], balances["B"]) == ((1010, D(4550)), (1004, D(4510)))
    assert await shop.read(LINES) == [(1, "A", 10, 50), (2, "B", 4, 10)]
    assert await shop.read(POSTED) == [("goods-received", 1460, 60), ("goods-received", ACCOUNT, -60)]
    assert await counters(shop) == [("1", 10, 10, 10), ("2", 4, 4, 4)]
    assert await shop.exceptions() == []


async def test_five_parts_are_five_receipts_and_add_up(shop: Shop) -> None:
    key = await expected(shop)
    for _ in range(4):
        await floor(shop, "receive", {1: 2})
        state = await calm(shop, key)
        assert (state.stage, state.outcome) == ("receiving", None)
    assert await status(shop) == "part-received"
    await floor(shop, "receive")
    assert (await calm(shop, key)).outcome == "completed"
    assert await shop.read("select count(*) from erp.goods_receipt where merchant_id = :m") == [(5,)]
    assert (await shop.balances())["A"] == (1010, 4550)


async def test_a_receipt_keeps_the_pool_s_mark_the_price_and_the_rate_of_its_day(shop: Shop) -> None:
    async with shop.worker.database.merchant(shop.merchant) as session:
        quote = Quote("EUR", datetime.now(UTC).date(), D("11.2345"))
        await store(session, shop.merchant, "EUR", [Checked(quote, "ecb", D("11.23"))], datetime.now(UTC))
    key = await expected(shop, [ordered("A", 3, "1.335")], currency="EUR")
    await floor(shop, "receive")
    assert (await calm(shop, key)).outcome == "completed"
    kept = """
      select unit_price, currency, exchange_rate, value, mark_epoch, mark_keep
      from erp.goods_receipt_line where merchant_id = :m"""
    assert await shop.read(kept) == [(D("1.335"), "EUR", D("11.2345"), D("44.99"), 1, 1)]
    assert (await shop.balances())["A"] == (1003, D("4544.99"))


async def test_without_a_rate_nothing_is_booked_and_the_currency_is_named(shop: Shop) -> None:
    key = await expected(shop, currency="NOK")
    await floor(shop, "receive")
    with pytest.raises(Refused, match="NOK") as refused:
        await look(shop, key)
    assert refused.value.code == "exchange-rate-missing"
    assert (await shop.balances())["A"] == OPENING


async def test_without_an_account_nothing_is_booked_and_the_setting_is_named(shop: Shop) -> None:
    key = await expected(shop)
    await shop.settings()
    await floor(shop, "receive")
    with pytest.raises(Refused, match="goods_received_not_invoiced_account"):
        await look(shop, key)
    assert (await shop.balances())["A"] == OPENING
    await shop.settings(goods_received_not_invoiced_account=ACCOUNT)
    assert (await calm(shop, key)).outcome == "completed"


async def test_a_lost_answer_to_the_report_is_told_again(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive")
    async with shop.ongoing.fault("PATCH /purchaseOrders/{purchaseOrderId}/lines/*", "lost-answer"):
        assert (await calm(shop, key)).outcome == "completed"
    assert await counters(shop) == [("1", 10, 10, 10), ("2", 4, 4, 4)]
    assert (await shop.balances())["A"][0] == 1010


async def test_a_stale_answer_of_the_warehouse_takes_nothing_back(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 4})
    await calm(shop, key)
    await floor(shop, "receive", {1: 2})
    await calm(shop, key)
    async with shop.ongoing.fault("GET /purchaseOrders/{purchaseOrderId}", "stale-read"):
        await look(shop, key)
    await calm(shop, key)
    assert (await shop.balances())["A"] == (1006, 4530)
    assert await shop.read("select count(*) from bridge.booking where merchant_id = :m") == [(2,)]


async def test_an_answer_that_was_read_before_another_look_was_booked_is_never_booked(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 4})
    purchases = shop.worker.purchases
    async with purchases._connections.using(shop.merchant) as (merchant, client):
        async with shop.worker.database.merchant(shop.merchant) as session:
            looks = await begin_look(session, shop.merchant, "PO-1", PURCHASE_ORDER)
        answer = [await client.get_purchase_order(look.doc_id) for look in looks]
        await look(shop, key)
        with pytest.raises(Waiting, match="another look was booked meanwhile"):
            await purchases._book(merchant, key, looks, answer)
    assert (await shop.balances())["A"] == (1004, 4520)


async def test_a_receipt_that_is_taken_back_leaves_at_the_value_it_came_with(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 4})
    await calm(shop, key)
    await floor(shop, "undo-receive")
    state = await look(shop, key)
    assert state.stage == "doubt"
    assert (await shop.balances())["A"] == (1004, 4520)
    assert (await calm(shop, key)).stage == "at-warehouse"
    assert (await shop.balances())["A"] == OPENING
    assert await shop.read(LINES) == [(1, "A", 4, 20), (1, "A", -4, -20)]
    assert (await shop.read(POSTED))[:2] == [("goods-receipt-undone", 1460, -20), ("goods-receipt-undone", ACCOUNT, 20)]
    await floor(shop, "receive")
    assert (await calm(shop, key)).outcome == "completed"
    assert (await shop.balances())["A"] == (1010, 4550)


async def test_goods_sold_before_they_came_in_are_settled_at_the_receipt_s_cost(shop: Shop) -> None:
    await shop.sent(lines=[{"article_number": "A", "quantity": 1005, "unit_price": 10}])
    await shop.pick_and_send()
    await shop.look_until_calm()
    assert (await shop.balances())["A"] == (-5, D("-22.5"))
    assert await notes(shop) == ["stock-below-zero"]
    key = await expected(shop)
    await floor(shop, "receive")
    await calm(shop, key)
    assert (await shop.balances())["A"] == (5, 25)
    assert await notes(shop) == []


# --- over, short, something else, too late ----------------------------------------------------------------------------


async def test_over_is_booked_noted_and_closed_by_rule(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 12, 2: 4}, finish=True)
    assert (await calm(shop, key)).outcome == "completed"
    assert await notes(shop) == ["received-more-than-ordered"]
    assert (await shop.balances())["A"] == (1012, 4560)


async def test_over_waits_for_a_person_where_the_rule_says_so(shop: Shop) -> None:
    key = await expected(shop)
    await shop.settings(goods_received_not_invoiced_account=ACCOUNT, close_purchase_over="person")
    await floor(shop, "receive", {1: 12, 2: 4}, finish=True)
    assert (await calm(shop, key)).stage == "deviation"
    assert await notes(shop) == ["purchase-over", "received-more-than-ordered"]


async def test_short_waits_for_a_person_who_closes_it_with_name_and_reason(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 7, 2: 4}, finish=True)
    state = await calm(shop, key)
    assert (state.stage, state.outcome) == ("deviation", None)
    assert await notes(shop) == ["purchase-short"]
    await head(shop, closed_by="Kim", close_reason="the supplier has no more")
    assert (await send(shop, key)).outcome == "completed"
    assert await shop.exceptions() == []
    audit = "select actor, action, reason from bridge.audit where merchant_id = :m and kind = 'purchase-order'"
    assert await shop.read(audit) == [("Kim", "close-purchase", "the supplier has no more")]


async def test_closed_before_anything_came_is_cancelled_in_the_warehouse(shop: Shop) -> None:
    key = await expected(shop)
    await head(shop, closed_by="Kim", close_reason="never mind")
    assert (await send(shop, key)).outcome == "cancelled"
    assert (await held(shop))["purchaseOrderInfo"]["purchaseOrderStatus"]["number"] == 900


async def test_goods_that_came_and_are_not_booked_yet_are_booked_when_it_is_closed(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 7})
    await head(shop, closed_by="Kim", close_reason="no more")
    await send(shop, key)
    assert (await calm(shop, key)).outcome == "completed"
    assert (await shop.balances())["A"] == (1007, 4535)
    assert await notes(shop) == ["received-after-close"]


async def test_short_closes_by_itself_where_the_rule_says_so(shop: Shop) -> None:
    key = await expected(shop)
    await shop.settings(goods_received_not_invoiced_account=ACCOUNT, close_purchase_short="at-deviation")
    await floor(shop, "receive", {1: 7}, finish=True)
    assert (await calm(shop, key)).outcome == "completed"


async def test_an_article_that_was_not_ordered_is_booked_at_its_purchase_price_or_at_its_cost_in_stock(shop: Shop) -> None:
    await change(shop, "update erp.article set purchase_price = 3 where merchant_id = :m and article_number = 'C'")
    key = await expected(shop, [ordered()])
    for number in ("B", "C"):
        await shop.call_ongoing("PUT", "articles", {"goodsOwnerId": shop.goods_owner, "articleNumber": number})
    await floor(shop, "receive", {"C": 2, "B": 2})
    await calm(shop, key)
    balances = await shop.balances()
    assert (balances["C"], balances["B"]) == ((1002, 4506), (1002, 4509))
    assert await notes(shop) == ["received-not-ordered"]
    assert [row[0] for row in await shop.read(LINES)] == [None, None]


async def test_an_article_that_the_erp_lacks_is_named_and_the_rest_is_booked(shop: Shop) -> None:
    key = await expected(shop, [ordered()])
    await shop.call_ongoing("PUT", "articles", {"goodsOwnerId": shop.goods_owner, "articleNumber": "X"})
    await floor(shop, "receive", {1: 10, "X": 2})
    with pytest.raises(Refused, match="article X") as refused:
        await look(shop, key)
    assert refused.value.code == "purchase-article-not-in-erp"
    assert (await shop.balances())["A"] == (1010, 4550)
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "X", purchase_price=1))
    await calm(shop, key)
    assert (await shop.balances())["X"] == (2, 2)


async def test_what_comes_after_closing_is_booked_and_noted(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 7, 2: 4}, finish=True)
    await calm(shop, key)
    await head(shop, closed_by="Kim", close_reason="no more")
    assert (await send(shop, key)).outcome == "completed"
    await floor(shop, "receive", {1: 3})
    assert (await calm(shop, PurchaseKey(shop.merchant, "PO-1", 2))).outcome == "completed"
    assert (await shop.balances())["A"] == (1010, 4550)
    assert await notes(shop) == ["received-after-close"]


async def test_lines_of_a_completed_purchase_are_history(shop: Shop) -> None:
    key = await expected(shop)
    await floor(shop, "receive")
    await calm(shop, key)
    with pytest.raises(Exception, match="its lines are history"):
        await change(shop, "update erp.purchase_order_line set quantity = 1 where merchant_id = :m")


async def test_a_purchase_that_was_placed_is_cancelled_and_not_deleted(shop: Shop) -> None:
    await expected(shop)
    with pytest.raises(Exception, match="purchase order PO-1 is at-warehouse: set cancel_requested_at"):
        await change(shop, "delete from erp.purchase_order where merchant_id = :m")


async def test_a_sales_order_of_the_same_number_is_another_document(shop: Shop) -> None:
    await shop.sent("PO-1")
    key = await expected(shop)
    await floor(shop, "receive")
    await shop.pick_and_send("PO-1")
    assert (await calm(shop, key)).outcome == "completed"
    await shop.look_until_calm("PO-1")
    assert (await shop.balances())["A"][0] == 1007
    await set_order(shop.erp, shop.merchant, "PO-1", note="x")


async def test_a_transfer_arrives_as_an_inbound_of_its_type_and_empties_what_is_in_transit(shop: Shop) -> None:
    transfer = {"code": "TRANSFER", "invoice": False, "issue_account": 1461}
    await shop.settings(order_types={"normal": None, "transfer": transfer})
    key = await place(shop, [ordered("A", 10, "4.50")], order_type="transfer")
    await send(shop, key)
    assert (await held(shop))["purchaseOrderInfo"]["purchaseOrderType"]["code"] == "TRANSFER"
    await floor(shop, "receive", {1: 10})
    await calm(shop, key)
    assert await shop.read(POSTED) == [("goods-received", 1460, D("45.00")), ("goods-received", 1461, D("-45.00"))]


async def test_a_type_that_the_mapping_does_not_know_is_named_before_anything_is_sent(shop: Shop) -> None:
    key = await place(shop, order_type="konsignation")
    with pytest.raises(Refused, match="konsignation") as refused:
        await send(shop, key)
    assert refused.value.code == "unknown-order-type"


async def test_with_purchases_expensed_what_comes_in_waits_for_no_account(shop: Shop) -> None:
    await shop.settings(posting_style="purchases-expensed")
    key = await place(shop)
    await send(shop, key)
    await floor(shop, "receive", {1: 10})
    await calm(shop, key)
    assert await shop.read(POSTED) == [("goods-received", 1460, D("50.00")), ("goods-received", 4960, D("-50.00"))]


async def test_a_receipt_is_booked_by_the_rule_of_its_supplier_country(shop: Shop) -> None:
    rules = [{"priority": 1, "event": "goods-received", "debit": 1465, "credit": 2491, "country": "SE", "order_type": "normal"}]
    await shop.settings(posting_rules=rules)
    key = await place(shop)
    await send(shop, key)
    await floor(shop, "receive", {1: 10})
    await calm(shop, key)
    assert await shop.read(POSTED) == [("goods-received", 1465, D("50.00")), ("goods-received", 2491, D("-50.00"))]
