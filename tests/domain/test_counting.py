"""Booking counters: laws of the plan, and the whole protocol against a model of a warehouse that misbehaves.

The model keeps nothing but the truth: what was picked and un-picked. The product's rules are given looks that are stale, raced
by a second worker, and commits whose answer is lost; whatever happens, the books must end at the truth and must never have
booked a figure that the warehouse had not shown.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.counting import Counter, Doubt, Plan, believable, plan_booking
from domain.errors import LookAgain

D = Decimal
T = timedelta(seconds=30)
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LINE = (1, 1)


def plan(counter: Counter, seen: int, look: int = 10, now: datetime = NOW) -> Plan:
    return plan_booking({LINE: counter}, {LINE: D(seen)}, {1: look}, now, T)


def test_an_increase_is_booked_at_once() -> None:
    step = plan(Counter(D(3), 2), 5).steps[0]
    assert (step.step, step.quantity, step.from_value, step.to_value) == (3, D(2), D(3), D(5))


def test_a_decrease_is_doubted_first_and_booked_when_a_later_look_agrees() -> None:
    first = plan(Counter(D(5), 1), 3)
    assert (first.steps, first.doubted, first.open_doubts) == ([], {LINE: D(3)}, True)
    doubted = Counter(D(5), 1, Doubt(D(3), 11, NOW))
    assert plan(doubted, 3, look=11, now=NOW + T).steps == []
    assert plan(doubted, 3, look=12, now=NOW + T - timedelta(seconds=1)).steps == []
    assert plan(doubted, 3, look=12, now=NOW + T).steps[0].quantity == D(-2)


def test_a_decrease_to_another_figure_starts_the_doubt_again() -> None:
    doubted = Counter(D(5), 1, Doubt(D(3), 11, NOW))
    assert plan(doubted, 2, look=12, now=NOW + T).doubted == {LINE: D(2)}


def test_an_increase_right_after_a_reversal_is_doubted_too() -> None:
    assert plan(Counter(D(3), 2, reversed_at=NOW), 5, now=NOW + T / 2).doubted == {LINE: D(5)}
    assert plan(Counter(D(3), 2, reversed_at=NOW), 5, now=NOW + T).steps[0].quantity == D(2)


def test_the_same_figure_settles_a_doubt() -> None:
    settled = plan(Counter(D(5), 1, Doubt(D(3), 11, NOW)), 5, look=12)
    assert (settled.steps, settled.settled, settled.open_doubts) == ([], [LINE], False)


def test_a_known_line_that_is_absent_is_unknown_and_never_zero() -> None:
    with pytest.raises(LookAgain):
        plan_booking({LINE: Counter(D(5), 1)}, {}, {1: 3}, NOW, T)


@pytest.mark.parametrize("quantity", [None, D("NaN"), D("-1"), D("Infinity")])
def test_a_quantity_that_is_no_number_is_unknown(quantity: Decimal | None) -> None:
    with pytest.raises(LookAgain):
        believable(quantity, "picked")


@given(st.integers(0, 50), st.integers(0, 50))
def test_planning_from_the_result_plans_nothing(booked: int, seen: int) -> None:
    for step in plan(Counter(D(booked), 4), seen).steps:
        again = plan(Counter(step.to_value, step.step), seen)
        assert again == Plan([], {}, [], False)


# --- the whole protocol in memory: fence, doubts, two workers, lost commits ----------------------------------------------


@dataclass
class Books:
    """What `erp.counters` keeps in tables, with its locking: a booking is one atomic step."""

    numbers: int = 0
    fence: int = 0
    counter: Counter = field(default_factory=Counter)
    steps: list[tuple[Decimal, Decimal]] = field(default_factory=list)

    def next(self) -> int:
        self.numbers += 1
        return self.numbers

    def book(self, look: int, seen: Decimal, now: datetime) -> bool:
        if look <= self.fence:
            return False
        planned = plan_booking({LINE: self.counter}, {LINE: seen}, {1: look}, now, T)
        for step in planned.steps:
            reversed_at = now if step.quantity < 0 else self.counter.reversed_at
            self.counter = Counter(step.to_value, step.step, None, reversed_at)
            self.steps.append((step.from_value, step.to_value))
        if planned.settled and not planned.steps:
            self.counter = Counter(self.counter.booked, self.counter.step, None, self.counter.reversed_at)
        for value in planned.doubted.values():
            doubt = Doubt(value, self.next(), now)
            self.counter = Counter(self.counter.booked, self.counter.step, doubt, self.counter.reversed_at)
        self.fence = self.next()
        return True


def run_interleaving(seed: int, stale: bool = True) -> None:
    """One warehouse line, two workers, random order of everything; ends calm and must end at the truth."""
    rng = random.Random(seed)
    books, now, truth = Books(), NOW, D(0)
    history = [(now, truth)]
    in_flight: list[tuple[int, Decimal]] = []
    allowed = {D(0)}
    for _ in range(rng.randint(3, 14)):
        now += timedelta(seconds=rng.choice([0, 1, 5, 31]))
        action = rng.random()
        if action < 0.35:
            truth = D(rng.randint(0, 6)) if rng.random() < 0.3 else truth + rng.randint(1, 3)
            history.append((now, truth))
            allowed.add(truth)
        elif action < 0.75:
            look = books.next()
            shown = truth
            if stale and rng.random() < 0.2:
                # an old answer served by the warehouse itself, no older than it ever gets
                recent = [value for at, value in history if at >= now - T / 3] or [truth]
                shown = rng.choice(recent)
            in_flight.append((look, shown))
        elif in_flight:
            look, shown = in_flight.pop(rng.randrange(len(in_flight)))
            if books.book(look, shown, now) and rng.random() < 0.3:
                books.book(look, shown, now)  # the commit's answer was lost: the activity runs again with its old look
    for look, shown in in_flight:
        books.book(look, shown, now)
    for _ in range(4):
        now += T + timedelta(seconds=1)
        books.book(books.next(), truth, now)
    assert books.counter.booked == truth, f"seed {seed}"
    assert all(before in allowed and after in allowed for before, after in books.steps), f"seed {seed}"
    assert [after for _, after in books.steps[:-1]] == [before for before, _ in books.steps[1:]], f"seed {seed}"


def test_random_interleavings_always_end_at_the_truth() -> None:
    for seed in range(3000):
        run_interleaving(seed)
