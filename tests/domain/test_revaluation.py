"""Late cost: every worked table of the costing notes about it, and the laws that make it exact."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.costing import Pool
from domain.revaluation import Mark, OpenValue, Split, at_rate, mark, part_left, settle, split

D = Decimal


def received(pool: Pool, quantity: str, value: str) -> tuple[Pool, Mark]:
    at = mark(pool)
    return pool.receive(D(quantity), D(value))[0], at


def test_a_late_cost_splits_by_the_keep_factor_and_not_by_coverage() -> None:
    pool, _ = received(Pool(), "50", "5000.00")
    pool, at = received(pool, "100", "11200.00")
    pool, cost = pool.issue(D(90))
    assert cost == D("9720.00")
    later = pool
    pool, found = settle(pool, at, D("770.00"))
    assert found == Split(D("308.00"), D("462.00"))
    assert (pool.quantity, pool.value) == (D(60), D("6788.00"))
    later, _ = received(later, "100", "11500.00")
    later, _ = later.issue(D(40))
    assert part_left(later, at) == D("0.3")
    assert settle(later, at, D("770.00"))[1] == Split(D("231.00"), D("539.00"))


def test_after_a_late_cost_the_books_are_as_if_it_had_been_known_from_the_start() -> None:
    late, right = Pool(), Pool()
    late, _ = received(late, "50", "5000.00")
    right, _ = received(right, "50", "5000.00")
    late, at = received(late, "100", "11200.00")
    right, _ = received(right, "100", "11970.00")
    late, cost = late.issue(D(90))
    right, right_cost = right.issue(D(90))
    late, found = settle(late, at, D("770.00"))
    assert (late.value, cost + found.sold) == (right.value, right_cost) == (D("6788.00"), D("10182.00"))


def test_receipt_sale_and_an_invoice_at_another_price_and_rate() -> None:
    pool, at = received(Pool(), "100", "11200.00")
    pool, cost = pool.issue(D(40))
    assert (cost, pool.value) == (D("4480.00"), D("6720.00"))
    pool, found = settle(pool, at, D("770.00"))
    assert found == Split(D("462.00"), D("308.00"))
    assert (pool.value, cost + found.sold) == (D("7182.00"), D("4788.00"))
    assert pool.value / pool.quantity == D("119.70")


def test_part_invoices_on_one_receipt_row_by_row() -> None:
    pool, at = received(Pool(), "100", "11200.00")
    rows: list[tuple[Decimal, ...]] = []
    sold, open_value = D(0), D("11200.00")
    pool, cost = pool.issue(D(40))
    sold += cost
    rows.append((pool.value, sold, open_value))
    pool, found = settle(pool, at, D("7182.00") - D("6720.00"))
    sold, open_value = sold + found.sold, open_value - D("6720.00")
    rows.append((found.stock, found.sold, pool.value, sold, open_value))
    pool, cost = pool.issue(D(30))
    sold += cost
    rows.append((cost, pool.value, sold))
    pool, found = settle(pool, at, D("4400.00") - D("4480.00"))
    sold, open_value = sold + found.sold, open_value - D("4480.00")
    rows.append((found.stock, found.sold, pool.value, sold, open_value))
    assert rows == [
        (D("6720.00"), D("4480.00"), D("11200.00")),
        (D("277.20"), D("184.80"), D("6997.20"), D("4664.80"), D("4480.00")),
        (D("3498.60"), D("3498.60"), D("8163.40")),
        (D("-24.00"), D("-56.00"), D("3474.60"), D("8107.40"), D("0.00")),
    ]
    assert pool.value + sold == D("7182.00") + D("4400.00")


def test_a_receipt_into_a_hole_keeps_what_did_not_fill_it() -> None:
    pool, _ = received(Pool(), "2", "200.00")
    pool, cost = pool.issue(D(5))
    assert (cost, pool.quantity, pool.value) == (D("500.00"), D(-3), D("-300.00"))
    at = mark(pool)
    pool, true_up = pool.receive(D(10), D("1100.00"))
    assert (true_up, pool.quantity, pool.value) == (D("30.00"), D(7), D("770.00"))
    assert part_left(pool, at) == D("0.7")


def test_a_receipt_that_only_makes_a_hole_smaller_has_nothing_left() -> None:
    pool, _ = Pool().issue(D(10))
    pool, first = received(pool, "4", "40.00")
    assert part_left(pool, first) == 0
    pool, second = received(pool, "6", "60.00")
    assert (pool.quantity, pool.value, part_left(pool, second)) == (D(0), D(0), D(0))
    pool, third = received(pool, "5", "50.00")
    assert [part_left(pool, at) for at in (first, second, third)] == [0, 0, 1]


def test_what_comes_after_the_pool_ran_empty_is_none_of_an_earlier_receipts() -> None:
    pool, at = received(Pool(), "4", "40.00")
    pool, _ = pool.issue(D(4))
    pool, _ = received(pool, "9", "90.00")
    assert settle(pool, at, D("7.00")) == (pool, Split(D(0), D("7.00")))


def test_a_later_charge_on_goods_that_are_all_sold_is_cost_of_goods_sold() -> None:
    pool, at = received(Pool(), "1", "10.00")
    pool, _ = pool.issue(D(1))
    assert settle(pool, at, D("2.00"))[1] == Split(D(0), D("2.00"))


def test_received_and_not_invoiced_at_the_closing_rate() -> None:
    pool, at = received(Pool(), "100", "11200.00")
    pool, _ = pool.issue(D(40))
    pool, found = at_rate(pool, at, OpenValue(D("1000.00"), D("11200.00")), D("10.95"))
    assert found == Split(D("-150.00"), D("-100.00"))
    assert pool.value == D("6570.00")


def test_a_credit_never_makes_stock_worth_less_than_nothing() -> None:
    pool, at = received(Pool(), "2", "0.01")
    pool, cost = pool.issue(D(1))
    assert (cost, pool.value) == (D("0.01"), D("0.00"))
    pool, found = settle(pool, at, D("-0.01"))
    assert (pool.value, found) == (D("0.00"), Split(D("0.00"), D("-0.01")))


def test_half_an_ore_that_a_third_only_nearly_reaches_is_half_an_ore() -> None:
    pool, at = received(Pool(), "3", "3.00")
    pool, _ = pool.issue(D(2))
    assert settle(pool, at, D("0.015"))[1].stock == D("0.01")


def test_pieces_are_needed_to_bear_a_value() -> None:
    with pytest.raises(ValueError, match="cannot become worth"):
        Pool().revalue(D(1))


@given(st.decimals("-1000000", "1000000", places=2), st.decimals("0", "1", places=12))
def test_a_split_adds_up_and_lies_within_half_an_ore(amount: Decimal, part: Decimal) -> None:
    found = split(amount, part)
    assert found.stock + found.sold == amount
    assert abs(found.stock - amount * part) <= D("0.005")


moves = st.lists(st.tuples(st.booleans(), st.integers(1, 60), st.integers(1, 9999)), min_size=1, max_size=30)


@given(moves, st.integers(1, 50), st.decimals("-5", "500", places=2), moves)
def test_late_cost_by_keep_factor_is_a_full_replay_with_the_right_cost(
    before: list[tuple[bool, int, int]], quantity: int, late: Decimal, after: list[tuple[bool, int, int]]
) -> None:
    pool, wrong, right, here = Pool(), Fraction(0), Fraction(0), 0
    at = None
    for inward, n, ore in [*before, (True, quantity, 0), *after]:
        is_it = (inward, n, ore) == (True, quantity, 0) and at is None
        value = D(quantity * 10) if is_it else D(ore) / 100
        if inward:
            at = mark(pool) if is_it else at
            pool, _ = pool.receive(D(n), value)
            wrong, right = wrong + Fraction(value), right + Fraction(value + (late if is_it else 0))
            here += n
        elif n <= here:
            pool, _ = pool.issue(D(n))
            wrong, right = wrong * (here - n) / here, right * (here - n) / here
            here -= n
    assert at is not None
    exact = right - wrong
    assert abs(Fraction(part_left(pool, at)) * Fraction(late) - exact) < Fraction(1, 10**30)
    assert abs(Fraction(split(late, part_left(pool, at)).stock) - exact) <= Fraction(1, 200)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), min_size=1, max_size=30))
def test_the_part_left_never_rises_and_the_books_always_add_up(history: list[tuple[bool, int]]) -> None:
    pool, came, went = Pool(), D(0), D(0)
    marks: list[tuple[Mark, Decimal]] = []
    for inward, n in history:
        if inward:
            at = mark(pool)
            pool, true_up = pool.receive(D(n), D(n) * 7)
            came, went = came + n * 7, went + true_up
            marks.append((at, D(1)))
        else:
            pool, cost = pool.issue(D(n))
            went += cost
        for number, (at, part) in enumerate(marks):
            left = part_left(pool, at)
            assert 0 <= left <= part
            marks[number] = (at, left)
        pool, found = settle(pool, marks[0][0], D("0.37")) if marks else (pool, Split(D(0), D(0)))
        came, went = came + found.stock + found.sold, went + found.sold
        assert came == went + pool.value
        assert pool.quantity != 0 or pool.value == 0
