"""The arithmetic of stock value, against the worked tables of the costing notes and against laws."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.costing import Pool

D = Decimal
quantities = st.decimals("0.0001", "5000", places=4)
values = st.decimals("0", "1000000", places=2)


def test_seven_pieces_for_a_hundred_leave_exactly_a_hundred_in_parts() -> None:
    pool, _ = Pool().receive(D(7), D("100.00"))
    costs = []
    for part in (2, 2, 2, 1):
        pool, cost = pool.issue(D(part))
        costs.append(cost)
    assert costs == [D("28.57"), D("28.57"), D("28.57"), D("14.29")]
    assert (pool.quantity, pool.value) == (D(0), D(0))


def test_the_worked_moving_average_comes_out_row_by_row() -> None:
    pool, _ = Pool().receive(D(10), D("320.00"))
    pool, _ = pool.receive(D(10), D("480.00"))
    pool, cost = pool.issue(D(16))
    assert (cost, pool.quantity, pool.value) == (D("640.00"), D(4), D("160.00"))
    pool, _ = pool.receive(D(6), D("300.00"))
    pool, cost = pool.issue(D(3))
    assert (cost, pool.quantity, pool.value) == (D("138.00"), D(7), D("322.00"))


def test_stock_below_zero_leaves_at_last_cost_and_the_next_receipt_settles_it() -> None:
    pool, _ = Pool().receive(D(2), D("200.00"))
    pool, cost = pool.issue(D(5))
    assert (cost, pool.quantity, pool.value) == (D("500.00"), D(-3), D("-300.00"))
    pool, true_up = pool.receive(D(10), D("1100.00"))
    assert (true_up, pool.quantity, pool.value) == (D("30.00"), D(7), D("770.00"))


def test_an_article_never_received_leaves_at_zero() -> None:
    pool, cost = Pool().issue(D(3))
    assert (cost, pool.quantity, pool.value) == (D(0), D(-3), D(0))


def test_the_keep_factor_is_what_is_left_of_an_earlier_receipt() -> None:
    pool, _ = Pool().receive(D(50), D("5000.00"))
    pool, _ = pool.receive(D(100), D("11200.00"))
    pool, _ = pool.issue(D(90))
    assert pool.keep == D("0.4")
    pool, _ = pool.receive(D(100), D("11500.00"))
    pool, _ = pool.issue(D(40))
    assert pool.keep == D("0.3")


def test_a_pool_that_runs_empty_begins_a_new_epoch() -> None:
    pool, _ = Pool().receive(D(4), D("10.00"))
    emptied, _ = pool.issue(D(4))
    assert (emptied.epoch, emptied.keep) == (pool.epoch + 1, D(1))


@given(st.lists(st.tuples(st.booleans(), quantities, values), min_size=1, max_size=40))
def test_what_came_in_is_what_went_out_and_what_is_left(history: list[tuple[bool, Decimal, Decimal]]) -> None:
    pool, came, went = Pool(), D(0), D(0)
    for inward, quantity, value in history:
        if inward:
            pool, true_up = pool.receive(quantity, value)
            came, went = came + value, went + true_up
        else:
            pool, cost = pool.issue(quantity)
            went += cost
        assert came == went + pool.value
        assert pool.quantity != 0 or pool.value == 0
        assert pool.quantity <= 0 or pool.value >= 0
        assert 0 <= pool.keep <= 1


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 50)), min_size=1, max_size=25))
def test_keep_is_the_exact_product_over_the_issues_of_an_epoch(history: list[tuple[bool, int]]) -> None:
    pool, exact = Pool(), Fraction(1)
    for inward, quantity in history:
        if inward:
            pool, _ = pool.receive(D(quantity), D(quantity) * 3)
        elif quantity <= pool.quantity:
            exact = Fraction(1) if quantity == pool.quantity else exact * (1 - Fraction(quantity) / Fraction(pool.quantity))
            pool, _ = pool.issue(D(quantity))
    assert abs(Fraction(pool.keep) - exact) < Fraction(1, 10**30)


def test_an_exact_half_ore_is_rounded_away_from_zero_whatever_the_average_looks_like() -> None:
    _, cost = Pool(Decimal(48), Decimal("534.16")).issue(Decimal(3))
    assert cost == Decimal("33.39")
