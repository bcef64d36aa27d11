"""Looking: what the warehouse has counted becomes stock, cost, shipments and invoice bases, once, and nothing else does."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from activities.errors import Waiting
from activities.ongoing import Ongoing, Rules
from domain.errors import LookAgain, Refused
from domain.keys import OrderState
from tests.activities.world import HOW_OFTEN, Shop, again
from tests.erp.data import line

D = Decimal
COST = D("4.50")

PICKS = "select line_id, step, quantity from bridge.booking where merchant_id = :m order by line_id, step"
ENTRIES = """
    select article_number, kind, quantity, value from erp.stock_entry
    where merchant_id = :m and kind <> 'opening' order by entry_no
"""
SHIPPED = "select shipment_no, reason, line_number, quantity from erp.shipment_line join erp.shipment using (merchant_id, order_number, shipment_no) where merchant_id = :m order by 1, 3"  # noqa: E501
BASES = "select shipment_no, part, kind, amount, net, vat, state from erp.invoice_basis where merchant_id = :m order by 1, 2"


def look(worker: Any) -> Any:
    return worker.ongoing.look_at_sales_order


async def left(shop: Shop, article: str) -> tuple[Decimal, Decimal]:
    """Pieces and value in our books beside what was there at the opening."""
    quantity, value = (await shop.balances())[article]
    return quantity - 1000, value - 4500


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_full_pick_that_was_sent_is_booked_reported_shipped_and_owed_once(shop: Shop, often: Any) -> None:
    key = await shop.sent(freight=49)
    await shop.pick_and_send()
    state = await often(shop.workers, look, key)
    assert (state.stage, state.look_after, state.outcome, len(state.to_invoice)) == ("invoicing", None, None, 1)
    assert await shop.read(ENTRIES) == [("A", "pick", D(-3), D("-13.50")), ("B", "pick", D(-2), D("-9.00"))]
    assert await shop.read(SHIPPED) == [(1, "sent", 1, D(3)), (1, "sent", 2, D(2))]
    assert await shop.read(BASES) == [(1, 1, "invoice", D("90.00"), D("90.00"), D("22.50"), "open")]
    assert [quantity for _, _, quantity in await shop.read(PICKS)] == [D(3), D(2)]
    assert await shop.picked_and_reported() == {"1": (3.0, 3.0), "2": (2.0, 2.0)}
    assert await shop.status() == "shipped"
    cogs = "select account, sum(debit - credit) from erp.posting_row where merchant_id = :m and account = 4960 group by 1"
    assert await shop.read(cogs) == [(4960, D("22.50"))]
    assert await shop.exceptions() == []


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_pick_in_two_goes_is_booked_by_what_is_new_each_time(shop: Shop, often: Any) -> None:
    key = await shop.sent()
    await shop.floor("pick", lines={1: 1})
    assert await often(shop.workers, look, key) == OrderState("picking")
    assert await shop.picked_and_reported() == {"1": (1.0, 1.0), "2": (0.0, None)}
    await shop.floor("pick", lines={1: 2, 2: 2})
    assert await often(shop.workers, look, key) == OrderState("picking")
    assert await shop.read(BASES) == [], "a pick is not a shipment"
    await shop.floor("send")
    assert len((await often(shop.workers, look, key)).to_invoice) == 1
    assert [(step, quantity) for _, step, quantity in await shop.read(PICKS)] == [(1, D(1)), (2, D(2)), (1, D(2))]
    assert (await left(shop, "A"), await left(shop, "B")) == ((D(-3), D("-13.50")), (D(-2), D("-9.00")))
    assert await shop.status() == "shipped"


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_an_unpick_before_the_shipment_takes_back_stock_and_cost_and_bills_nothing(shop: Shop, often: Any) -> None:
    key = await shop.sent()
    await shop.floor("pick")
    await often(shop.workers, look, key)
    await shop.floor("undo-pick", lines={1: 2})
    await often(shop.workers, look, key)
    state = await shop.look_until_calm()
    assert state == OrderState("picking")
    assert await shop.read(ENTRIES) == [
        ("A", "pick", D(-3), D("-13.50")),
        ("B", "pick", D(-2), D("-9.00")),
        ("A", "pick-reversal", D(2), D("9.00")),
    ]
    assert await shop.read(BASES) == []
    assert await shop.picked_and_reported() == {"1": (1.0, 1.0), "2": (2.0, 2.0)}


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_an_unpick_after_the_shipment_becomes_one_credit(shop: Shop, often: Any) -> None:
    key = await shop.sent(freight=49)
    await shop.pick_and_send()
    await often(shop.workers, look, key)
    await shop.floor("undo-pick", lines={1: 2})
    await often(shop.workers, look, key)
    await shop.look_until_calm()
    state = await often(shop.workers, look, key)
    assert [basis.part for basis in state.to_invoice] == [1, 1]
    assert await shop.read(BASES) == [
        (1, 1, "invoice", D("90.00"), D("90.00"), D("22.50"), "open"),
        (2, 1, "credit", D("-20.00"), D("-20.00"), D("-5.00"), "open"),
    ]
    assert (await shop.read(SHIPPED))[-1] == (2, "correction", 1, D(-2))
    assert await left(shop, "A") == (D(-1), D("-4.50"))
    assert await shop.status() == "part-shipped"


async def test_a_decrease_is_believed_only_when_a_second_look_agrees(shop: Shop) -> None:
    key = await shop.sent()
    await shop.floor("pick")
    await shop.look()
    await shop.floor("undo-pick", lines={1: 2})
    patient = Ongoing(shop.worker.database, shop.worker.connections[0], Rules(timedelta(hours=1), timedelta(1), "test"))
    for _ in range(2):
        state = await again(patient.look_at_sales_order, key)
        assert state.look_after is not None and 3500 < state.look_after < 3601
    assert [quantity for _, _, quantity in await shop.read(PICKS)] == [D(3), D(2)]
    assert (await shop.picked_and_reported())["1"] == (1.0, 3.0), "while in doubt nothing is reported"
    await shop.floor("pick")
    assert await again(patient.look_at_sales_order, key) == OrderState("picking")
    assert await shop.read("select 1 from bridge.counted where merchant_id = :m and doubt_value is not null") == []


async def test_a_short_shipment_is_billed_for_what_was_picked_and_waits_its_grace(shop: Shop) -> None:
    await shop.settings(short_grace_seconds=3600)
    await shop.sent()
    await shop.floor("pick", lines={1: 2})
    await shop.floor("finish-short")
    state = await shop.look()
    assert (state.stage, len(state.to_invoice)) == ("invoicing", 1)
    assert state.look_after is not None and 3500 < state.look_after <= 3600
    assert await shop.read(BASES) == [(1, 1, "invoice", D("20.00"), D("20.00"), D("5.00"), "open")]
    assert await shop.status() == "part-shipped"


async def test_an_article_listed_twice_in_an_order_is_kept_apart_by_line(shop: Shop) -> None:
    lines = [line("A", 3, 10), line("A", 3, 8), line("B", 1, 5)]
    await shop.sent(lines=lines)
    await shop.floor("pick", lines={1: 1, 2: 3, 3: 1})
    await shop.floor("send")
    await shop.settings(short_grace_seconds=3600)
    await shop.look()
    assert await shop.read(SHIPPED) == [(1, "sent", 1, D(1)), (1, "sent", 2, D(3)), (1, "sent", 3, D(1))]
    rows = "select line_number, quantity, amount from erp.invoice_basis_row where merchant_id = :m order by row_no"
    assert await shop.read(rows) == [(1, D(1), D("10.00")), (2, D(3), D("24.00")), (3, D(1), D("5.00"))]
    assert await left(shop, "A") == (D(-4), D("-18.00"))


async def test_service_lines_ride_on_the_first_shipment_and_freight_goes_once(shop: Shop) -> None:
    await shop.settings(ship_when="picked")
    await shop.sent(lines=[line("A", 3, 10), line("FRAKTSERVICE", 1, 200), line("B", 2, 5)], freight=49)
    await shop.floor("pick", lines={1: 1})
    await shop.look()
    await shop.floor("pick", lines={1: 2, 3: 2})
    await shop.look()
    assert await shop.read(SHIPPED) == [
        (1, "at-once", 1, D(1)),
        (1, "at-once", 2, D(1)),
        (2, "at-once", 1, D(2)),
        (2, "at-once", 3, D(2)),
    ]
    assert [(n, amount) for n, _, _, amount, _, _, _ in await shop.read(BASES)] == [(1, D("259.00")), (2, D("30.00"))]


async def test_more_picked_than_ordered_is_booked_but_not_billed_and_shown(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick", lines={1: 5, 2: 2}, over=True)
    await shop.floor("send")
    await shop.look()
    assert await left(shop, "A") == (D(-5), D("-22.50"))
    assert await shop.read("select amount from erp.invoice_basis where merchant_id = :m") == [(D("41.00"),)]
    assert await shop.exceptions() == [("over-delivery", False)]


async def test_more_picked_than_our_books_hold_is_booked_at_the_last_cost_and_shown(shop: Shop) -> None:
    await shop.sent(lines=[line("A", 1200, 1)])
    await shop.pick_and_send()
    await shop.look()
    assert await shop.balances() == await shop.balances() | {"A": (D(-200), D("-900.00"))}
    assert await shop.exceptions() == [("stock-below-zero", False)]


async def test_an_order_of_a_thousand_lines_is_billed_in_parts_of_five_hundred(shop: Shop) -> None:
    await shop.sent(lines=[line("ABC"[number % 3], 1, 10) for number in range(1000)], freight=49)
    await shop.stock(articles=["A", "B", "C"])
    await shop.pick_and_send()
    state = await shop.look_until_calm()
    assert [basis.part for basis in state.to_invoice] == [1, 2, 3]
    rows = "select part, count(*), count(*) filter (where kind = 'freight') from erp.invoice_basis_row where merchant_id = :m group by 1 order by 1"  # noqa: E501
    assert await shop.read(rows) == [(1, 500, 1), (2, 500, 0), (3, 1, 0)]
    assert await shop.read("select sum(amount) from erp.invoice_basis where merchant_id = :m") == [(D("10049.00"),)]
    reported = await shop.picked_and_reported()
    assert set(reported.values()) == {(1.0, 1.0)}


async def test_a_lost_report_is_made_good_and_books_nothing_twice(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    async with shop.ongoing.fault("PATCH *", "refuse-connection"):
        state = await shop.look()
    assert state.look_after is not None and len(state.to_invoice) == 1
    assert (1.0, 0.0) not in (await shop.picked_and_reported()).values()
    again_owed = await shop.look()
    assert len(again_owed.to_invoice) == 1
    assert await shop.picked_and_reported() == {"1": (3.0, 3.0), "2": (2.0, 2.0)}
    assert len(await shop.read(PICKS)) == 2


@pytest.mark.parametrize("kind", ["lost-answer", "lost-answer-500", "html-200", "truncated", "rate-limited"])
async def test_an_unclear_report_owes_a_look_and_books_nothing_twice(shop: Shop, kind: str) -> None:
    await shop.sent()
    await shop.pick_and_send()
    async with shop.ongoing.fault("PATCH *", kind):
        assert (await shop.look()).look_after is not None
    owed = "select look_owed from bridge.watched where merchant_id = :m"
    assert await shop.read(owed) == [(True,)]
    await shop.look()
    assert await shop.read(owed) == [(False,)]
    assert await shop.picked_and_reported() == {"1": (3.0, 3.0), "2": (2.0, 2.0)}
    assert len(await shop.read(PICKS)) == 2
    assert len(await shop.read(BASES)) == 1


async def test_a_refused_report_is_shown_and_does_not_hold_the_order_up(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    async with shop.ongoing.fault("PATCH *", "http", count=1, status=400, body={"message": "Order is locked"}):
        state = await shop.look()
    assert len(state.to_invoice) == 1
    assert await shop.exceptions() == [("report-refused", False)]


async def test_a_stale_answer_of_the_warehouse_takes_nothing_back(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick", lines={1: 1})
    await shop.look()
    await shop.floor("pick", lines={1: 2, 2: 2})
    await shop.look()
    async with shop.ongoing.fault("GET /orders/*", "stale-read"):
        state = await shop.look()
    assert state.look_after is None or await shop.look_until_calm()
    await shop.look_until_calm()
    assert [quantity for _, _, quantity in await shop.read(PICKS)] == [D(1), D(2), D(2)]
    assert [kind for _, kind, _, _ in await shop.read(ENTRIES)] == ["pick"] * 3


async def test_an_answer_that_cannot_be_read_books_nothing(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    for kind in ("html-200", "empty-200", "truncated", "lost-answer", "refuse-connection", "lost-answer-500"):
        async with shop.ongoing.fault("GET /orders/*", kind):
            with pytest.raises(TimeoutError):
                await again_at_most_once(shop)
        assert await shop.read(PICKS) == []
    await shop.look()
    assert len(await shop.read(PICKS)) == 2


async def again_at_most_once(shop: Shop) -> OrderState:
    from temporalio.testing import ActivityEnvironment

    from clients.errors import Unavailable

    try:
        state: OrderState = await ActivityEnvironment().run(shop.worker.ongoing.look_at_sales_order, shop.key())
    except (Unavailable, Waiting, LookAgain) as unclear:
        raise TimeoutError from unclear
    return state


async def test_a_document_that_the_warehouse_no_longer_finds_is_unknown_and_not_empty(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    await shop.look()
    async with shop.ongoing.fault("GET /orders/*", "http", status=404, body={"message": "not found"}):
        with pytest.raises(TimeoutError):
            await again_at_most_once(shop)
    assert len(await shop.read(PICKS)) == 2


async def test_a_back_order_is_followed_and_completes_the_line(shop: Shop) -> None:
    await shop.ongoing("PUT", "settings", {"shortPick": "back-order"})
    try:
        await shop.sent()
        await shop.floor("pick", lines={1: 1, 2: 2})
        await shop.floor("finish-short")
    finally:
        await shop.ongoing("PUT", "settings", {"shortPick": "same-order"})
    await shop.look()
    assert len(await shop.read("select 1 from bridge.watched where merchant_id = :m")) == 2
    await shop.floor("pick", "SO-1-1")
    await shop.floor("send", "SO-1-1")
    state = await shop.look()
    assert len(state.to_invoice) == 2
    assert await shop.read(SHIPPED) == [(1, "sent", 1, D(1)), (1, "sent", 2, D(2)), (2, "sent", 1, D(2))]
    assert await shop.status() == "shipped"


async def test_an_order_in_the_warehouses_error_status_is_refused_after_its_picks_are_booked(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick", lines={1: 1})
    order = await shop.warehouse_order()
    await shop.settings(statuses={str(order["orderInfo"]["orderStatus"]["number"]): "error", "999": "sent"})
    with pytest.raises(Refused) as refused:
        await again(shop.worker.ongoing.look_at_sales_order, shop.key())
    assert refused.value.code == "order-error-at-warehouse"
    assert len(await shop.read(PICKS)) == 1


async def test_a_status_that_the_settings_do_not_know_is_named_after_the_picks_are_booked(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    await shop.settings(statuses={"999": "sent"})
    with pytest.raises(Refused, match="order status 450") as refused:
        await again(shop.worker.ongoing.look_at_sales_order, shop.key())
    assert refused.value.code == "unknown-order-status"
    assert len(await shop.read(PICKS)) == 2
    await shop.settings()
    assert len((await shop.look()).to_invoice) == 1


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_an_order_is_cancelled_while_the_warehouse_has_not_begun(shop: Shop, often: Any) -> None:
    key = await shop.sent()
    await shop.ask_to_cancel()
    state = await often(shop.workers, lambda worker: worker.ongoing.cancel_sales_order, key)
    assert state.outcome == "cancelled"
    assert await shop.status() == "cancelled"
    assert (await shop.warehouse_order())["orderInfo"]["orderStatus"]["number"] == 1000


async def test_a_cancellation_that_comes_too_late_is_a_note_and_the_order_goes_on(shop: Shop) -> None:
    key = await shop.sent()
    await shop.pick_and_send()
    await shop.ask_to_cancel()
    state = await again(shop.worker.ongoing.cancel_sales_order, key)
    assert len(state.to_invoice) == 1
    assert await shop.exceptions() == [("too-late-to-cancel", False)]
    assert await shop.status() == "shipped"


@pytest.mark.parametrize("kind", ["lost-answer", "lost-answer-500", "refuse-connection", "http"])
async def test_a_lost_answer_to_a_cancellation_still_ends_cancelled(shop: Shop, kind: str) -> None:
    key = await shop.sent()
    await shop.ask_to_cancel()
    params = {"status": 503} if kind == "http" else {}
    async with shop.ongoing.fault("DELETE /orders/*", kind, **params):
        state = await again(shop.worker.ongoing.cancel_sales_order, key)
    assert state.outcome == "cancelled"
    assert await shop.status() == "cancelled"


async def test_an_order_cancelled_by_the_warehouse_ends_cancelled_with_nothing_billed(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick", lines={1: 1})
    await shop.look()
    await shop.floor("cancel")
    state = await shop.look_until_calm()
    assert state.outcome == "cancelled"
    assert await left(shop, "A") == (D(0), D(0))
    assert await shop.read(BASES) == []
    assert await shop.status() == "cancelled"
