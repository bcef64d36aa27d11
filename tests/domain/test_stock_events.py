"""Returns, counts, moves, kits and write-downs, as the costing notes value them."""

from decimal import Decimal

from domain.costing import Pool
from domain.stock_events import assemble, count_gain, customer_return, return_to_supplier, transfer, write_down

D = Decimal


def pool(quantity: str, value: str) -> Pool:
    return Pool().receive(D(quantity), D(value))[0]


def test_a_return_to_the_supplier_leaves_at_the_average_and_shows_the_difference() -> None:
    held, _ = pool("10", "320.00").receive(D(10), D("480.00"))
    left, returned = return_to_supplier(held, D(4), D("192.00"))
    assert (returned.cost, returned.credited, returned.difference) == (D("160.00"), D("192.00"), D("32.00"))
    assert (left.quantity, left.value) == (D(16), D("640.00"))


def test_a_customers_return_comes_back_at_what_it_left_with_corrections_included() -> None:
    back, value, true_up = customer_return(pool("60", "7182.00"), D(2), D(40), D("4788.00"))
    assert (value, true_up, back.value) == (D("239.40"), D(0), D("7421.40"))


def test_found_pieces_are_worth_the_average_or_the_last_cost() -> None:
    assert count_gain(pool("10", "320.00"), D(2))[1] == D("64.00")
    empty, _ = pool("10", "320.00").issue(D(10))
    gained, value, true_up = count_gain(empty, D(2))
    assert (value, true_up, gained.value) == (D("64.00"), D(0), D("64.00"))
    assert count_gain(Pool(), D(2))[1] == 0


def test_a_move_takes_the_value_along() -> None:
    source, target, value, _ = transfer(pool("7", "100.00"), pool("1", "10.00"), D(2))
    assert (value, source.value, target.value) == (D("28.57"), D("71.43"), D("38.57"))


def test_a_kit_costs_what_its_parts_cost() -> None:
    parts, kit, value, _ = assemble([(pool("7", "100.00"), D(7)), (pool("3", "10.00"), D(1))], Pool(), D(1))
    assert (value, kit.value) == (D("103.33"), D("103.33"))
    assert [part.value for part in parts] == [D(0), D("6.67")]


def test_a_write_down_stays_beside_the_pool() -> None:
    held = pool("60", "7182.00")
    assert write_down(held, D("105.00")) == D("-882.00")
    assert write_down(held, D("130.00")) == 0
    assert held.value == D("7182.00")
