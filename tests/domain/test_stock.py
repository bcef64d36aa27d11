"""What picks do to stock and to the books: entries, reversals, postings."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from domain.costing import Pool
from domain.counting import Step
from domain.stock import Earlier, Movement, StockAccounts, move_stock, opening, postings

D = Decimal
AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
ON = date(2026, 11, 25)
PLACE = ("A", "MAIN")
ACCOUNTS = StockAccounts(1460, 4960, 2099)


def movement(quantity: str, line: tuple[int, int] = (1, 1), step: int = 1) -> Movement:
    change = D(quantity)
    start = D(0) if change > 0 else -change
    return Movement(Step(line, step, change, start, start + change), PLACE, AT, ON)


def pool(quantity: str, value: str) -> Pool:
    return Pool().receive(D(quantity), D(value))[0]


def test_an_issue_leaves_the_average_where_it_was() -> None:
    entries, after = move_stock([movement("4")], {PLACE: pool("10", "50.00")}, {})
    assert [(e.kind, e.quantity, e.value) for e in entries] == [("pick", D(-4), D("-20.00"))]
    assert (after[PLACE].quantity, after[PLACE].value) == (D(6), D("30.00"))


def test_an_undone_pick_comes_back_last_entry_first_at_the_value_it_left_with() -> None:
    earlier = [Earlier(9, D(2), D("30.00"), D(2), D("30.00")), Earlier(4, D(3), D("10.00"), D(3), D("10.00"))]
    entries, after = move_stock([movement("-3")], {PLACE: pool("10", "50.00")}, {(1, 1): earlier})
    assert [(e.kind, e.quantity, e.value, e.reverses) for e in entries] == [
        ("pick-reversal", D(2), D("30.00"), 9),
        ("pick-reversal", D(1), D("3.33"), 4),
    ]
    assert (after[PLACE].quantity, after[PLACE].value) == (D(13), D("83.33"))


def test_the_last_piece_of_a_reversal_carries_the_rest() -> None:
    earlier = [Earlier(4, D(3), D("10.00"), D(1), D("3.34"))]
    entries, _ = move_stock([movement("-1")], {PLACE: pool("1", "1.00")}, {(1, 1): earlier})
    assert entries[0].value == D("3.34")


def test_more_is_never_taken_back_than_was_booked() -> None:
    with pytest.raises(ValueError, match="more are taken back"):
        move_stock([movement("-3")], {PLACE: pool("1", "1.00")}, {(1, 1): [Earlier(4, D(2), D(2), D(2), D(2))]})


def test_every_posting_balances_and_holds_its_entries() -> None:
    entries, _ = move_stock([movement("4"), movement("1", (1, 2))], {PLACE: pool("10", "50.00")}, {})
    booked, numbers = postings(entries, ACCOUNTS)
    assert numbers == [1, 1]
    assert [(r.account, r.debit, r.credit) for r in booked[0].rows] == [(4960, D("25.00"), D(0)), (1460, D(0), D("25.00"))]


def test_an_opening_balance_lies_against_its_own_account() -> None:
    [entry], held = opening(PLACE, D(10), D("99.90"), "opening/A", AT, ON)
    booked, _ = postings([entry], ACCOUNTS)
    assert (held.quantity, held.value) == (D(10), D("99.90"))
    assert [(r.account, r.debit, r.credit) for r in booked[0].rows] == [(1460, D("99.90"), D(0)), (2099, D(0), D("99.90"))]


def test_what_has_no_value_has_no_posting() -> None:
    entries, _ = move_stock([movement("2")], {PLACE: Pool()}, {})
    assert postings(entries, ACCOUNTS) == ([], [None])


def test_parts_of_an_undone_pick_add_up_to_it_however_cheap_it_was() -> None:
    quantity_left, value_left, back = D(10), D("0.05"), []
    for _ in range(10):
        earlier = [Earlier(4, D(10), D("0.05"), quantity_left, value_left)]
        entries, _ = move_stock([movement("-1")], {PLACE: pool("1", "1.00")}, {(1, 1): earlier})
        back.append(entries[0].value)
        quantity_left, value_left = quantity_left - 1, value_left - entries[0].value
    assert sum(back) == D("0.05")
    assert min(back) >= 0
