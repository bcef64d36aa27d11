"""Landed cost: the worked table, key by key, and parts that always add up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused
from domain.landed import ReceivedLine, allocate, by_hand, by_key
from domain.revaluation import split

D = Decimal
LINES = [
    ReceivedLine("1", D(100), D("11200.00"), D("22.0"), D("0.5")),
    ReceivedLine("2", D(200), D("4480.00"), D("70.0"), D("1.5")),
    ReceivedLine("3", D(50), D("2000.00"), D("8.0"), D("0.5")),
]


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("value", ["633.48", "253.40", "113.12"]),
        ("weight", ["220.00", "700.00", "80.00"]),
        ("quantity", ["285.71", "571.43", "142.86"]),
        ("equal", ["333.33", "333.34", "333.33"]),
        ("volume", ["200.00", "600.00", "200.00"]),
    ],
)
def test_a_thousand_over_three_lines_by_each_key(key: str, parts: list[str]) -> None:
    assert by_key(D("1000.00"), key, LINES) == [D(part) for part in parts]


def test_each_part_is_then_a_late_cost_of_its_receipt() -> None:
    found = [split(part, keep) for part, keep in zip(by_key(D(1000), "value", LINES), (D("0.6"), D(1), D(0)), strict=True)]
    assert [each.stock for each in found] == [D("380.09"), D("253.40"), D("0.00")]
    assert [each.sold for each in found] == [D("253.39"), D("0.00"), D("113.12")]
    assert (sum(each.stock for each in found), sum(each.sold for each in found)) == (D("633.49"), D("366.51"))


def test_parts_by_hand_must_add_up() -> None:
    assert by_hand(D("10.00"), [D("9.99"), D("0.01")]) == [D("9.99"), D("0.01")]
    for parts in ([D("9.99")], [D("9.995"), D("0.005")], []):
        with pytest.raises(Refused, match=r"the cost is 10\.00"):
            by_hand(D("10.00"), parts)


@pytest.mark.parametrize("weights", [[], ["0", "0"], ["2", "-1"]])
def test_weights_that_weigh_nothing_are_refused(weights: list[str]) -> None:
    with pytest.raises(Refused, match="cannot be laid on"):
        allocate(D(10), [D(weight) for weight in weights])


def test_a_line_without_its_weight_is_named_and_never_taken_for_nothing() -> None:
    with pytest.raises(Refused, match="Kruka has no weight"):
        by_key(D(10), "weight", [*LINES, ReceivedLine("Kruka", D(1), D(1))])
    with pytest.raises(Refused, match="'colour' is not known"):
        by_key(D(10), "colour", LINES)


@given(st.decimals("-1000000", "1000000", places=2), st.lists(st.decimals("0", "100000", places=4), min_size=1, max_size=40))
def test_the_parts_add_up_for_any_weights(total: Decimal, weights: list[Decimal]) -> None:
    if sum(weights) == 0:
        weights[0] = D(1)
    parts = allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) <= D("0.01")
        assert weight or part == 0
