"""Standard cost and latest price: the price is set, and every difference shows."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.fixed_price import FixedPricePool

D = Decimal


def test_a_receipt_at_standard_cost_shows_its_price_difference() -> None:
    pool, difference = FixedPricePool(price=D(10)).receive(D(100), D("1120.00"))
    assert (pool.value, difference) == (D("1000.00"), D("120.00"))
    pool, cost = pool.issue(D(40))
    assert (cost, pool.value) == (D("400.00"), D("600.00"))
    assert pool.reprice(D("11.20"))[1] == D("72.00")


def test_the_latest_price_becomes_the_price_of_what_was_here_before() -> None:
    pool, _, _ = FixedPricePool().receive_at_latest(D(10), D("100.00"))
    pool, gained, rest = pool.receive_at_latest(D(5), D("60.00"))
    assert (pool.value, gained, rest) == (D("180.00"), D("20.00"), D("0.00"))


def test_goods_that_come_for_nothing_do_not_set_the_latest_price() -> None:
    pool, _ = FixedPricePool(latest=True).receive(D(100), D("1000.00"))
    pool, more = pool.receive(D(1), D(0))
    assert (pool.value, pool.price, more) == (D("1010.00"), D(10), D("-10.00"))


def test_a_price_that_does_not_divide_leaves_its_rest_as_a_difference_and_never_in_stock() -> None:
    pool, gained, rest = FixedPricePool().receive_at_latest(D(3000), D("1000.00"))
    assert (pool.price, pool.value, gained, rest) == (D("0.333333"), D("1000.00"), D(0), D("0.00"))
    pool, cost = pool.issue(D(3000))
    assert (cost, pool.value) == (D("1000.00"), D(0))


quantities = st.decimals("0.0001", "5000", places=4)


@given(st.lists(st.tuples(st.sampled_from(["in", "latest", "out", "price"]), quantities, st.decimals("0", "9999", places=2))))
def test_what_came_in_is_what_went_out_what_differed_and_what_is_left(history: list[tuple[str, Decimal, Decimal]]) -> None:
    pool, total = FixedPricePool(), D(0)
    for kind, quantity, value in history:
        if kind == "in":
            pool, difference = pool.receive(quantity, value)
            total += value - difference
        elif kind == "latest":
            pool, gained, rest = pool.receive_at_latest(quantity, value)
            total += value + gained - rest
        elif kind == "out":
            pool, cost = pool.issue(quantity)
            total -= cost
        else:
            pool, gained = pool.reprice(value)
            total += gained
        assert pool.value == total
        assert pool.quantity != 0 or pool.value == 0
