"""Receipts: what goods that come in are worth, what is taken back, and when nothing more is expected."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.costing import Pool
from domain.counting import Step
from domain.errors import Refused
from domain.merchant import MerchantSettings
from domain.pools import AnyPool
from domain.receiving import Balance, Cost, Receipt, difference, is_closed, receive_goods
from domain.stock import Earlier, Entry, Place, StockAccounts, postings

D = Decimal
PLACE = ("A", "MAIN")
AT, ON = datetime(2026, 3, 16, tzinfo=UTC), date(2026, 3, 16)


def receipt(quantity: Any, price: Any = 5, rate: Any = 1, before: Any = 0, number: int = 1, in_stock: bool = True) -> Receipt:
    step = Step((1, 1), number, D(quantity), D(before), D(before) + D(quantity))
    return Receipt(step, PLACE, AT, ON, Cost(D(price), "EUR", D(rate), ON), in_stock)


def held(pools: dict[Place, AnyPool]) -> tuple[Any, ...]:
    return pools[PLACE].quantity, pools[PLACE].value


def shown(entries: list[Entry]) -> list[tuple[Any, ...]]:
    return [(each.kind, each.quantity, each.value, each.reverses) for each in entries]


def test_a_receipt_is_worth_its_price_at_its_rate_and_keeps_the_mark_of_the_pool_before_it() -> None:
    pool = Pool(D(10), D(40), epoch=3, keep=D("0.5"))
    [entry], after, [line] = receive_goods([receipt(3, "1.335", "11.2345")], {PLACE: pool}, {})
    assert shown([entry]) == [("receipt", 3, D("44.99"), None)]
    assert held(after) == (13, D("84.99"))
    assert line.at is not None
    assert (line.at.epoch, line.at.keep, line.value) == (3, D("0.5"), D("44.99"))


def test_a_receipt_that_fills_a_hole_settles_what_was_sold() -> None:
    entries, after, _ = receive_goods([receipt(10, 5)], {PLACE: Pool(D(-4), D(-12), D(3))}, {})
    assert shown(entries) == [("receipt", 10, 50, None), ("true-up", 0, -8, None)]
    assert held(after) == (6, 30)


def test_what_is_taken_back_leaves_at_the_value_of_its_own_receipt_the_last_first() -> None:
    earlier = {(1, 1): [(2, Earlier(12, D(2), D(14), D(2), D(14))), (1, Earlier(11, D(4), D(20), D(4), D(20)))]}
    entries, after, lines = receive_goods([receipt(-3, before=6, number=3)], {PLACE: Pool(D(6), D(34))}, earlier)
    assert shown(entries) == [("receipt-reversal", -2, -14, 12), ("receipt-reversal", -1, -5, 11)]
    assert [each.reverses_step for each in lines] == [2, 1]
    assert [each.value for each in lines] == [-14, -5]
    assert held(after) == (3, 15)


def test_what_is_not_stocked_is_a_receipt_and_moves_nothing() -> None:
    entries, after, [line] = receive_goods([receipt(2, in_stock=False)], {}, {})
    assert (entries, after, line.at) == ([], {}, None)
    assert line.value == 10


@given(st.lists(st.tuples(st.integers(1, 1000), st.decimals(0, 1000, places=4), st.decimals("0.01", 20, places=4)), min_size=1))
def test_value_in_is_the_sum_of_what_the_receipts_say(parts: list[tuple[int, Decimal, Decimal]]) -> None:
    pool = Pool(D(5), D(20))
    receipts = [receipt(*part, number=n) for n, part in enumerate(parts, 1)]
    entries, after, lines = receive_goods(receipts, {PLACE: pool}, {})
    assert after[PLACE].value == pool.value + sum(line.value for line in lines) == pool.value + sum(e.value for e in entries)


def test_goods_received_are_owed_on_the_account_of_the_setting_and_without_it_nothing_is_booked() -> None:
    entries, _, _ = receive_goods([receipt(10)], {PLACE: Pool()}, {})
    [posting], _ = postings(entries, StockAccounts(1460, 4960, 2099, received=2490))
    assert [(row.account, row.debit - row.credit) for row in posting.rows] == [(1460, D(50)), (2490, D(-50))]
    with pytest.raises(Refused, match="no posting rule for goods-received; set goods_received_not_invoiced_account"):
        postings(entries, StockAccounts(1460, 4960, 2099))
    with pytest.raises(Refused, match="goods_received_not_invoiced_account"):
        MerchantSettings().receipt_accounts("PO-1", "normal")


FULL, SHORT, OVER = Balance(D(5), D(5), True), Balance(D(5), D(4), True), Balance(D(5), D(6), True)
STRANGE = Balance(D(0), D(1), False)


def test_short_comes_before_over_and_something_else_is_over() -> None:
    assert difference([FULL]) is None
    assert difference([FULL, OVER]) == "over"
    assert difference([FULL, STRANGE]) == "over"
    assert difference([OVER, SHORT]) == "short"


@pytest.mark.parametrize(
    ("meaning", "lines", "short", "over", "by_person", "closed"),
    [
        ("received", [FULL], "person", "person", False, True),
        ("inbound", [FULL], "at-deviation", "at-deviation", False, False),
        ("inbound", [SHORT], "at-deviation", "at-deviation", True, True),
        ("deviation", [SHORT], "person", "at-deviation", False, False),
        ("deviation", [SHORT], "at-deviation", "person", False, True),
        ("deviation", [OVER], "person", "at-deviation", False, True),
        ("deviation", [OVER], "at-deviation", "person", False, False),
    ],
)
def test_it_is_closed_by_the_warehouse_by_rule_or_by_a_person(
    meaning: str, lines: list[Balance], short: str, over: str, by_person: bool, closed: bool
) -> None:
    assert is_closed(meaning, lines, short, over, by_person) is closed


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"goods_received_not_invoiced_account": 1460}, "the stock account itself"),
        ({"goods_received_not_invoiced_account": "2490"}, "goods_received_not_invoiced_account"),
        ({"close_purchase_short": "never"}, "close_purchase_short"),
        ({"purchase_statuses": {"100": "expected"}}, "purchase_statuses.100"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_with_their_name(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused, match=named):
        MerchantSettings.of(settings)
