"""The proof of the counters at a size for every day, and that it can fail."""

from decimal import Decimal

import pytest

from bench.prove_1.interleavings import RULES, interleave, wrong_bookings

D = Decimal


def test_no_interleaving_books_wrongly() -> None:
    assert [found for seed in range(3000) if (found := interleave(seed))] == []


@pytest.mark.parametrize(("rule", "seed"), [("no fence", 48), ("look number as fence", 962), ("patience until booking", 2018)])
def test_a_wrong_rule_is_found_out(rule: str, seed: int) -> None:
    assert rule in RULES
    assert interleave(seed, rule)


def test_a_decrease_that_never_happened_is_wrong() -> None:
    steps = [(D(0), D(5)), (D(5), D(3)), (D(3), D(5))]
    assert wrong_bookings(steps, [D(0), D(3), D(5)], D(5), in_order=False) == [
        "a decrease from 5 to 3 was booked that never happened"
    ]


def test_a_decrease_that_happened_is_right() -> None:
    assert wrong_bookings([(D(0), D(5)), (D(5), D(3))], [D(0), D(5), D(3)], D(3), in_order=True) == []


def test_books_that_do_not_end_at_the_truth_are_wrong() -> None:
    assert wrong_bookings([(D(0), D(5))], [D(0), D(5), D(6)], D(5), in_order=True) == ["ended at 5, the truth is 6"]


def test_a_figure_booked_after_something_later_is_wrong() -> None:
    steps = [(D(0), D(5)), (D(5), D(8))]
    assert wrong_bookings(steps, [D(0), D(8), D(5), D(8)], D(8), in_order=True) == []
    assert len(wrong_bookings(steps, [D(0), D(8), D(5)], D(8), in_order=True)) == 2
