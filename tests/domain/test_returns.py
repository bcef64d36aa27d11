"""Returns: back at the cost they left with, fit for what their cause says, and to the return they belong to."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.costing import Pool
from domain.counting import Line, Step
from domain.errors import Refused
from domain.merchant import MerchantSettings
from domain.money import ZERO
from domain.returns import Announced, Graded, Reason, ReturnMovement, attributed, grade_of, graded, move_returns
from domain.stock import Earlier, Entry, StockAccounts, postings

D = Decimal
LINE: Line = (9001, 1)
PLACE = ("A", "MAIN")
AT = datetime(2026, 3, 20, 9, tzinfo=UTC)
CAUSES = {"SIZE": "stock", "DIRTY": "locked", "BROKEN": "scrapped"}


def back(*parts: Graded, step: int = 1) -> ReturnMovement:
    quantity = sum((part.quantity for part in parts), ZERO)
    return ReturnMovement(Step(LINE, step, quantity, ZERO, quantity), PLACE, AT, date(2026, 3, 20), parts)


def came(quantity: Any, grade: str = "stock") -> Graded:
    return Graded(D(quantity), None, grade)


def left(entry_no: int, quantity: str, value: str) -> Earlier:
    return Earlier(entry_no, D(quantity), D(value), D(quantity), D(value))


def told(entries: list[Entry]) -> list[tuple[Any, ...]]:
    return [(e.kind, e.quantity, e.value, e.reverses) for e in entries]


def test_goods_come_back_at_the_cost_they_left_with_last_first() -> None:
    picks = {LINE: [left(7, "2", "21.00"), left(3, "3", "30.00")]}
    entries, pools, surplus = move_returns([back(came(3))], {PLACE: Pool(D(10), D(200))}, picks, {})
    assert told(entries) == [("return", 2, D("21.00"), 7), ("return", 1, D("10.00"), 3)]
    assert [pools[PLACE].quantity, pools[PLACE].value, surplus] == [13, D("231.00"), {}]


def test_scrapped_goods_leave_the_pool_as_it_was_and_their_cost_on_an_account_of_their_own() -> None:
    pool = Pool(D(7), D("23.31"))
    entries, pools, _ = move_returns([back(came(1, "scrapped"))], {PLACE: pool}, {LINE: [left(3, "3", "31.00")]}, {})
    assert told(entries) == [("return-scrapped", 1, D("10.33"), 3), ("scrap", -1, D("-10.33"), None)]
    assert pools[PLACE] == pool
    booked, numbers = postings(entries, StockAccounts(1460, 4960, 2099, 4990))
    assert [(p.event, [(r.account, r.debit, r.credit) for r in p.rows]) for p in booked] == [
        ("goods-returned", [(1460, D("10.33"), 0), (4960, 0, D("10.33"))]),
        ("goods-scrapped", [(4990, D("10.33"), 0), (1460, 0, D("10.33"))]),
    ]
    assert numbers == [1, 2]


def test_more_than_ever_left_comes_in_at_what_the_pool_is_worth_and_is_named() -> None:
    entries, _, surplus = move_returns([back(came(3))], {PLACE: Pool(D(4), D(10))}, {LINE: [left(3, "1", "9.00")]}, {})
    assert told(entries) == [("return", 1, D("9.00"), 3), ("return", 2, D("5.00"), None)]
    assert surplus == {LINE: 2}


def test_a_return_that_is_undone_leaves_at_the_value_it_came_with() -> None:
    returns = {(LINE, "return"): [left(9, "2", "21.00")]}
    entries, pools, _ = move_returns([back(came(-1))], {PLACE: Pool(D(2), D("22.00"))}, {}, returns)
    assert told(entries) == [("return-reversal", -1, D("-10.50"), 9)]
    assert [pools[PLACE].quantity, pools[PLACE].value] == [1, D("11.50")]
    entries, pools, _ = move_returns([back(came(-2))], {PLACE: Pool(D(2), D("22.00"))}, {}, returns)
    assert told(entries) == [("return-reversal", -2, D("-21.00"), 9), ("true-up", 0, D("-1.00"), None)]
    assert [pools[PLACE].quantity, pools[PLACE].value] == [0, 0]


def test_a_cause_decides_the_grade_and_what_was_thrown_away_is_scrapped_whatever_the_cause() -> None:
    assert [grade_of(cause, False, CAUSES, "locked") for cause in ("SIZE", "DIRTY", "BROKEN", "NEW", None)] == [
        "stock",
        "locked",
        "scrapped",
        "stock",
        "locked",
    ]
    assert grade_of("SIZE", True, CAUSES, "stock") == "scrapped"


def test_a_step_is_shared_over_what_is_listed_and_not_booked_and_the_rest_is_stated_by_nobody() -> None:
    seen: dict[Reason, Decimal] = {("SIZE", "stock"): D(2), ("BROKEN", "scrapped"): D(1)}
    booked: dict[Reason, Decimal] = {("SIZE", "stock"): D(1)}
    assert graded(D(4), seen, booked, (None, "stock")) == (
        Graded(D(1), "BROKEN", "scrapped"),
        Graded(D(1), "SIZE", "stock"),
        Graded(D(2), None, "stock"),
    )


def test_a_step_down_takes_first_what_is_listed_no_more() -> None:
    booked: dict[Reason, Decimal] = {("SIZE", "stock"): D(2), ("BROKEN", "scrapped"): D(1)}
    still: dict[Reason, Decimal] = {("SIZE", "stock"): D(2)}
    assert graded(D(-1), still, booked, (None, "stock")) == (Graded(D(-1), "BROKEN", "scrapped"),)
    assert graded(D(-3), {}, booked, (None, "stock")) == (
        Graded(D(-1), "BROKEN", "scrapped"),
        Graded(D(-2), "SIZE", "stock"),
    )


def test_goods_belong_to_the_return_they_were_counted_on_then_to_one_that_expects_them_then_to_nobody() -> None:
    announced = [Announced("R-1", 1, D(2), ZERO), Announced("R-2", 1, D(2), D(1))]
    assert attributed({1: D(6)}, announced, {}, "SEEN") == {("R-2", 1): D(2), ("R-1", 1): D(2), ("SEEN", 1): D(2)}
    assert attributed({1: D(1)}, announced, {}, "SEEN") == {("R-2", 1): D(1)}
    assert attributed({2: D(1)}, announced, {}, "SEEN") == {("SEEN", 2): D(1)}
    sofar = {("R-1", 1): D(2), ("SEEN", 1): D(1)}
    assert attributed({1: D(-2)}, announced, sofar, "SEEN") == {("SEEN", 1): D(-1), ("R-1", 1): D(-1)}


@pytest.mark.parametrize(
    "settings",
    [
        {"return_causes": {"SIZE": "gone"}},
        {"return_grade_unstated": "x"},
        {"return_statuses": {"1": "x"}},
        {"credit_freight": "x"},
    ],
)
def test_a_setting_that_means_nothing_is_refused_with_its_name(settings: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=next(iter(settings))):
        MerchantSettings.of(settings)


@given(
    costs=st.lists(st.tuples(st.integers(1, 9), st.decimals("0", "99", places=2)), min_size=1, max_size=4),
    grades=st.lists(st.sampled_from(["stock", "scrapped"]), min_size=40, max_size=40),
)
def test_everything_that_left_comes_back_to_the_ore(costs: list[tuple[int, Decimal]], grades: list[str]) -> None:
    picks = [left(n, str(quantity), str(quantity * cost)) for n, (quantity, cost) in enumerate(costs, start=1)]
    whole = sum((each.value for each in picks), ZERO)
    pieces = sum(quantity for quantity, _ in costs)
    movement = back(*(came(1, grade) for _, grade in zip(range(pieces), grades, strict=False)))
    entries, pools, surplus = move_returns([movement], {PLACE: Pool()}, {LINE: picks[::-1]}, {})
    returned = [entry for entry in entries if entry.kind.startswith("return")]
    assert sum(entry.value for entry in returned) == whole
    assert pools[PLACE].value == sum(entry.value for entry in entries)
    assert not surplus
