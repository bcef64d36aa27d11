"""Two costs of an article: the booked one follows from the books, the calculated one looks ahead."""

from decimal import Decimal

import pytest

from domain.costing import Pool
from domain.errors import Refused
from domain.prices import Limits, booked_cost, calculated_cost, moved

D = Decimal


@pytest.mark.parametrize(("rate", "goods", "cost"), [("11.2345", "112.35", "131.44"), ("11.4567", "114.57", "134.04")])
def test_the_calculated_cost_is_rounded_once(rate: str, goods: str, cost: str) -> None:
    assert calculated_cost(D("10.00"), D(rate), D(0)) == D(goods)
    assert calculated_cost(D("10.00"), D(rate), D(17)) == D(cost)


def test_a_cost_is_written_when_it_has_moved_enough_since_the_last_one_written() -> None:
    assert moved("A", D("131.44"), D("134.04"), 0, Limits()) == D("134.04")
    assert moved("A", D("131.44"), D("132.00"), 0, Limits()) is None
    assert moved("A", None, D("132.00"), 0, Limits()) == D("132.00")
    written, at = D("100.00"), []
    for step in range(1, 31):
        cost = D(100) + D(step) / 10
        if moved("A", written, cost, 0, Limits()):
            written = cost
            at.append(cost)
    assert at == [D("101.1"), D("102.2")]


@pytest.mark.parametrize(
    ("cost", "age", "words"),
    [("160.00", 0, r"from 131\.44 to 160\.00, 21\.7 %"), ("0", 0, "would be 0"), ("132.00", 6, "6 banking days old")],
)
def test_what_a_person_must_see_leaves_the_cost_as_it_is(cost: str, age: int, words: str) -> None:
    with pytest.raises(Refused, match=f"article A: .*{words}"):
        moved("A", D("131.44"), D(cost), age, Limits())


def test_quantity_times_booked_cost_is_the_stock_value() -> None:
    pool, _ = Pool().receive(D(60), D("6788.00"))
    assert booked_cost(pool) == D("113.133333")
    assert booked_cost(pool.issue(D(60))[0]) == D("113.133333")
    assert booked_cost(Pool()) == 0
