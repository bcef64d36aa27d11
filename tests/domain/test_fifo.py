"""First in, first out: layers, late cost of a layer, and stock below zero."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.fifo import FifoPool, Layer
from domain.revaluation import Split

D = Decimal


def stocked(*receipts: tuple[str, str]) -> FifoPool:
    pool = FifoPool()
    for quantity, value in receipts:
        pool, _ = pool.receive(D(quantity), D(value))
    return pool


def test_the_oldest_layer_leaves_first() -> None:
    pool, cost = stocked(("10", "320.00"), ("10", "480.00")).issue(D(16))
    assert (cost, pool.quantity, pool.value) == (D("608.00"), D(4), D("192.00"))
    assert pool.layers == (Layer(2, D(10), D(4), D("192.00")),)


def test_the_last_piece_of_a_layer_carries_the_rest() -> None:
    pool, costs = stocked(("7", "100.00")), []
    for part in (2, 2, 2, 1):
        pool, cost = pool.issue(D(part))
        costs.append(cost)
    assert costs == [D("28.57"), D("28.57"), D("28.57"), D("14.29")]
    assert (pool.quantity, pool.value, pool.layers) == (D(0), D(0), ())


def test_a_late_cost_follows_what_is_left_of_its_layer() -> None:
    pool, _ = stocked(("50", "5000.00"), ("100", "11200.00")).issue(D(90))
    pool, found = pool.settle(2, D("770.00"))
    assert found == Split(D("462.00"), D("308.00"))
    assert pool.value == D("6720.00") + D("462.00")


def test_a_late_cost_of_a_layer_that_is_gone_is_all_sold() -> None:
    pool, _ = stocked(("50", "5000.00"), ("100", "11200.00")).issue(D(90))
    assert pool.settle(1, D("10.00")) == (pool, Split(D(0), D("10.00")))


def test_below_zero_at_last_cost_and_settled_by_the_next_receipt() -> None:
    pool, cost = stocked(("2", "200.00")).issue(D(5))
    assert (cost, pool.quantity, pool.value) == (D("500.00"), D(-3), D("-300.00"))
    pool, true_up = pool.receive(D(10), D("1100.00"))
    assert (true_up, pool.quantity, pool.value) == (D("30.00"), D(7), D("770.00"))
    assert pool.settle(2, D("10.00"))[1] == Split(D("7.00"), D("3.00"))


def test_a_credit_never_makes_a_layer_worth_less_than_nothing() -> None:
    pool, found = stocked(("3", "0.01")).settle(1, D("-0.05"))
    assert (pool.value, found) == (D(0), Split(D("-0.01"), D("-0.04")))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["in", "out", "late"]), st.decimals("0.0001", "500", places=4), st.decimals("0", "9999", places=2)
        ),
        min_size=1,
        max_size=40,
    )
)
def test_what_came_in_is_what_went_out_and_what_is_left(history: list[tuple[str, Decimal, Decimal]]) -> None:
    pool, came, went, pieces = FifoPool(), D(0), D(0), D(0)
    for kind, quantity, value in history:
        if kind == "in":
            pool, true_up = pool.receive(quantity, value)
            came, went, pieces = came + value, went + true_up, pieces + quantity
        elif kind == "out":
            pool, cost = pool.issue(quantity)
            went, pieces = went + cost, pieces - quantity
        else:
            pool, found = pool.settle(max(1, pool.next_number - 1), value)
            came, went = came + value, went + found.sold
            assert found.stock + found.sold == value
        assert came == went + pool.value
        assert pool.quantity == pieces
        assert pieces != 0 or pool.value == 0
        assert all(layer.quantity > 0 and layer.value >= 0 for layer in pool.layers)
