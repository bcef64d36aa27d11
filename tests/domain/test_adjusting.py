"""Stock that changes without an order: gone at the pool's cost, found at a known one, and below zero settled as by a receipt."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from domain.adjusting import Change, change_stock, cost_of
from domain.costing import Pool
from domain.stock import StockAccounts, postings

D = Decimal
AT, ON = datetime(2026, 11, 26, tzinfo=UTC), date(2026, 11, 26)
ACCOUNTS = StockAccounts(1460, 4960, 2099)


def change(quantity: Any, unit_cost: Any = None, account: int = 4991) -> Change:
    cost = None if unit_cost is None else D(unit_cost)
    return Change(("A", "MAIN"), D(quantity), "settlement/1", account, AT, ON, cost)


def test_what_is_gone_leaves_at_the_average_and_what_is_found_comes_in_at_it() -> None:
    pool = Pool(D(10), D(45))
    [entry], after = change_stock(change(-2), pool)
    assert (entry.quantity, entry.value, after.quantity, after.value) == (D(-2), D(-9), D(8), D(36))
    [entry], after = change_stock(change(2), pool)
    assert (entry.quantity, entry.value, after.value) == (D(2), D(9), D(54))


def test_what_is_taken_back_comes_in_at_the_cost_that_it_was_booked_at() -> None:
    [entry], _ = change_stock(change(3, "7.50"), Pool(D(10), D(45)))
    assert entry.value == D("22.50")


def test_what_is_found_below_zero_fills_the_hole_at_its_own_cost() -> None:
    below = Pool(D(-2), D(-10), D(5))
    entries, after = change_stock(change(3, 6), below)
    assert [(e.kind, e.quantity, e.value, e.cause) for e in entries] == [
        ("adjustment", D(3), D(18), "settlement/1"),
        ("true-up", D(0), D(-2), "settlement/1/true-up"),
    ]
    assert (after.quantity, after.value) == (D(1), D(6))
    assert sum(e.value for e in entries) == after.value - below.value


def test_the_other_side_is_the_account_of_the_cause_and_plus_and_minus_are_booked_apart() -> None:
    gone, after = change_stock(change(-2), Pool(D(10), D(45)))
    found, _ = change_stock(change(2), after)
    booked, numbers = postings([*gone, *found], ACCOUNTS)
    assert [(p.event, [(r.account, r.debit, r.credit) for r in p.rows]) for p in booked] == [
        ("stock-adjusted", [(4991, D(9), D(0)), (1460, D(0), D(9))]),
        ("stock-adjusted", [(1460, D(9), D(0)), (4991, D(0), D(9))]),
    ]
    assert numbers == [1, 2]


def test_nobody_knows_what_a_piece_is_worth_when_nobody_has_said() -> None:
    assert cost_of(Pool()) is None
    assert cost_of(Pool(), D(3)) == D(3)
    assert cost_of(Pool(D(0), D(0), D(5)), D(3)) == D(5)
    assert cost_of(Pool(D(4), D(10)), D(3)) == D("2.5")
