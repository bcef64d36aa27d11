"""Point 5, in memory: the counter protocol against a model of a warehouse that misbehaves, a hundred thousand times.

The model keeps the truth: what was picked and un-picked, and when. A look begins, is answered and is booked at three different
moments, each at any time; the warehouse may serve an old answer; two workers race; a commit whose answer was lost is booked
again with its old look. The plan and its laws are the product's (`domain.counting`), the fence is kept as `erp.counters` does.

A booking is wrong when a decrease is booked that the warehouse never went through, when a figure is booked that it never
showed, when a line's steps have a gap, or when the books do not end at the truth. If nobody is served an old answer, the
figures must moreover be booked in the order in which they were true. Three variants show that the proof can fail: without a
fence, with the look's own number as the fence, and with the patience counted to the booking instead of to the beginning of
the look (an old answer that is held back long enough would then confirm another old answer).
"""

import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from bench.prove_1.proof import Proof
from domain.counting import Counter, Doubt, plan_booking

LINE = (1, 1)
PATIENCES = [timedelta(seconds=n) for n in (0, 6, 30)]
BEGINNING = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
RULES = ("ours", "no fence", "look number as fence", "patience until booking")
PROCESSES = 2
CONTROL_RUNS = 20_000


@dataclass(slots=True)
class Look:
    """A look under way: its number and when it was drawn; what it was answered, once it was."""

    number: int
    began: datetime
    seen: Decimal | None = None


@dataclass(slots=True)
class Books:
    """What `erp.counters` keeps in tables, one atomic step a booking. `rule` says what is done otherwise."""

    rule: str
    patience: timedelta
    numbers: int = 0
    fence: int = 0
    counter: Counter = field(default_factory=Counter)
    steps: list[tuple[Decimal, Decimal, datetime]] = field(default_factory=list)

    def next(self) -> int:
        self.numbers += 1
        return self.numbers

    def book(self, look: "Look", seen: Decimal, now: datetime) -> bool:
        if look.number <= self.fence:
            return False
        judged_at = now if self.rule == "patience until booking" else look.began
        plan = plan_booking({LINE: self.counter}, {LINE: seen}, {1: look.number}, judged_at, self.patience)
        if plan.settled:
            self.counter = replace(self.counter, doubt=None)
        for step in plan.steps:
            reversed_at = now if step.quantity < 0 else self.counter.reversed_at
            self.counter = Counter(step.to_value, step.step, None, reversed_at)
            self.steps.append((step.from_value, step.to_value, now))
        for value in plan.doubted.values():
            self.counter = replace(self.counter, doubt=Doubt(value, self.next(), now))
        if self.rule == "look number as fence":
            self.fence = look.number
        elif self.rule != "no fence":
            self.fence = self.next()
        return True


@dataclass(slots=True)
class Warehouse:
    """One counter of one line, and everything it has been."""

    oldest_answer: timedelta
    now: datetime = BEGINNING
    history: list[tuple[datetime, Decimal]] = field(default_factory=lambda: [(BEGINNING, Decimal(0))])

    @property
    def picked(self) -> Decimal:
        return self.history[-1][1]

    def pick(self, value: Decimal) -> None:
        if value != self.picked:
            self.history.append((self.now, value))

    def answer(self, rng: random.Random, old: bool) -> Decimal:
        """The counter now, or one that was true a moment ago."""
        if not old:
            return self.picked
        oldest = self.now - self.oldest_answer
        true_then = [
            value
            for (_, value), until in zip(self.history, [at for at, _ in self.history[1:]] + [self.now], strict=True)
            if until >= oldest
        ]
        return rng.choice(true_then)


def interleave(seed: int, rule: str = RULES[0]) -> list[str]:
    """One line, many looks, a random order of everything, then calm. Returns what was booked wrongly."""
    rng = random.Random(seed)
    patience = rng.choice(PATIENCES)
    only_up, old_answers = rng.random() < 0.3, rng.random() < 0.5
    warehouse, books = Warehouse(patience / 3), Books(rule, patience)
    under_way: list[Look] = []
    for _ in range(rng.randint(8, 40)):
        warehouse.now += timedelta(seconds=rng.choice([0, 0, 0, 0, 1, 3, 31]))
        action = rng.random()
        if action < 0.2:
            up = only_up or rng.random() < 0.6
            warehouse.pick(warehouse.picked + rng.randint(1, 3) if up else Decimal(rng.randint(0, int(warehouse.picked))))
        elif action < 0.45:
            under_way.append(Look(books.next(), warehouse.now))
        elif under_way:
            look = rng.choice(under_way)
            if look.seen is None:
                look.seen = warehouse.answer(rng, old_answers and rng.random() < 0.6)
            else:
                under_way.remove(look)
                if books.book(look, look.seen, warehouse.now) and rng.random() < 0.3:
                    books.book(look, look.seen, warehouse.now)  # the commit's answer was lost
    for look in under_way:
        if look.seen is not None:
            books.book(look, look.seen, warehouse.now)
    for _ in range(4):
        warehouse.now += patience + timedelta(seconds=1)
        books.book(Look(books.next(), warehouse.now), warehouse.picked, warehouse.now)
    in_order = not old_answers
    return wrong_bookings([(a, b) for a, b, _ in books.steps], [v for _, v in warehouse.history], books.counter.booked, in_order)


def wrong_bookings(steps: list[tuple[Decimal, Decimal]], history: list[Decimal], booked: Decimal, in_order: bool) -> list[str]:
    """Judge a line's bookings by what the warehouse went through. Knows nothing of fences and doubts."""
    wrong = []
    if booked != history[-1]:
        wrong.append(f"ended at {booked}, the truth is {history[-1]}")
    if any(after != before for (_, after), (before, _) in pairwise(steps)):
        wrong.append("the steps have a gap")
    for before, after in steps:
        if after not in history:
            wrong.append(f"{after} was booked and never true")
        elif after < before and not _went_through(history, before, after):
            wrong.append(f"a decrease from {before} to {after} was booked that never happened")
    if in_order:
        at = 0
        for _, after in steps:
            try:
                at = history.index(after, at)
            except ValueError:
                wrong.append(f"{after} was booked after it had ceased to be true and something later was booked")
                break
    return wrong


def _went_through(history: list[Decimal], before: Decimal, after: Decimal) -> bool:
    first = history.index(before) if before in history else len(history)
    return after in history[first:]


def _many(first: int, last: int, rule: str) -> tuple[int, str]:
    """How many of these interleavings book wrongly, and the first of them."""
    wrong, example = 0, ""
    for seed in range(first, last):
        if found := interleave(seed, rule):
            wrong += 1
            example = example or f"seed {seed}: {found[0]}"
    return wrong, example


def run(runs: int, rule: str = RULES[0]) -> tuple[int, str]:
    """So many interleavings, in two processes. Returns how many booked wrongly, and an example."""
    share = runs // PROCESSES
    firsts = [n * share for n in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        parts = list(pool.map(_many, firsts, [first + share for first in firsts], [rule] * PROCESSES))
    return sum(wrong for wrong, _ in parts), next((example for _, example in parts if example), "")


def prove(small: bool) -> Proof:
    """0 wrong bookings with the product's rule, and some with each rule that is known to be wrong."""
    runs = 4_000 if small else 100_000
    wrong, example = run(runs)
    controls = {rule: run(CONTROL_RUNS, rule)[0] for rule in RULES[1:]}
    short = [f"{wrong} interleavings book wrongly: {example}"] if wrong else []
    short += [f"the control ({rule}) finds nothing, so the proof proves nothing" for rule, n in controls.items() if not n]
    found = ", ".join(f"{rule} {n}" for rule, n in controls.items())
    figure = f"{wrong} of {runs} interleavings book wrongly (controls: {found})"
    return Proof("5", "counters in memory", figure, tuple(short))


if __name__ == "__main__":
    print(prove(False).line())
