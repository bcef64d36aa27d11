"""Point 1: a late cost by the keep factor is what a replay of the whole history gives: 20 000 random histories, exact fractions.

The model knows nothing of keep factors. It replays the history twice, in exact fractions: with the late cost known only late, and
known from the start; the difference of the two pools is what of the late cost is still in stock. Half of the histories also take
picks back and go below zero; there the model follows the stated rule: what is taken back returns at the value it left with in
both, what fills a hole is sold at once.

The product (`domain.costing`, `domain.revaluation`) must give the same share to 30 digits, the same öre, and books that add up.
Two controls show that the proof can fail: the coverage short-cut of the notes, and a pool that does not begin anew when it runs
empty.

    python -m bench.prove_4.histories [--small]
"""

import random
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from bench.prove_1.proof import Proof
from domain.costing import Pool
from domain.revaluation import Mark, mark, part_left, settle

PROCESSES = 2
RUNS, SMALL = 20_000, 1_000
CLOSE = Fraction(1, 10**30)
RULES = ("ours", "coverage", "one epoch for ever")


@dataclass(slots=True)
class Truth:
    """The pool in exact fractions: pieces, and what they are worth by two accounts of the same history."""

    pieces: Fraction = Fraction(0)
    without: Fraction = Fraction(0)
    known: Fraction = Fraction(0)

    @property
    def still_here(self) -> Fraction:
        return self.known - self.without

    def receive(self, quantity: Fraction, value: Fraction, late: Fraction) -> None:
        stays = max(quantity + min(self.pieces, Fraction(0)), Fraction(0)) / quantity
        self.pieces += quantity
        self.without += value * stays
        self.known += (value + late) * stays

    def issue(self, quantity: Fraction) -> None:
        stays = (self.pieces - quantity) / self.pieces if quantity < self.pieces else Fraction(0)
        self.pieces -= quantity
        self.without *= stays
        self.known *= stays


@dataclass(slots=True)
class Books:
    """The product's pool, and everything that came in and went out."""

    rule: str
    pool: Pool = field(default_factory=Pool)
    came: Decimal = Decimal(0)
    went: Decimal = Decimal(0)
    at: Mark | None = None
    received: Decimal = Decimal(0)

    def receive(self, quantity: Decimal, value: Decimal, late: bool) -> None:
        if late:
            self.at, self.received = mark(self.pool), quantity
        self.pool, true_up = self.pool.receive(quantity, value)
        self.came, self.went = self.came + value, self.went + true_up

    def issue(self, quantity: Decimal) -> Decimal:
        epoch = self.pool.epoch
        self.pool, cost = self.pool.issue(quantity)
        if self.rule == "one epoch for ever":
            self.pool = replace(self.pool, epoch=epoch)
        self.went += cost
        return cost

    def part(self) -> Decimal:
        assert self.at is not None
        if self.rule == "coverage":
            return min(max(self.pool.quantity, Decimal(0)), self.received) / self.received
        return part_left(self.pool, self.at)


def history(seed: int, rule: str = RULES[0]) -> list[str]:
    """One history with a late cost at a random moment after its receipt. Returns what is wrong."""
    rng = random.Random(seed)
    rough = rng.random() < 0.5
    truth, books = Truth(), Books(rule)
    late = Decimal(rng.randint(-2000, 200_000)) / 100
    moves = rng.randint(3, 40)
    bearer = rng.randrange(moves)
    picks: list[tuple[Decimal, Decimal]] = []
    for n in range(moves):
        quantity = Decimal(rng.randint(1, 600)) / rng.choice([1, 1, 1, 10, 10_000])
        here = books.pool.quantity
        if n == bearer or rng.random() < 0.4:
            value = Decimal(rng.randint(max(0, -int(late * 100)) if n == bearer else 0, 900_000)) / 100
            books.receive(quantity, value, n == bearer)
            truth.receive(Fraction(quantity), Fraction(value), Fraction(late) if n == bearer else Fraction(0))
        elif rough and picks and rng.random() < 0.25:
            back, cost = picks.pop(rng.randrange(len(picks)))
            books.receive(back, cost, False)
            truth.receive(Fraction(back), Fraction(cost), Fraction(0))
        elif rough or here > 0:
            taken = quantity if rough else min(quantity, here)
            taken = here if here > 0 and rng.random() < 0.05 else taken
            picks.append((taken, books.issue(taken)))
            truth.issue(Fraction(taken))
    return _judge(truth, books, late)


def _judge(truth: Truth, books: Books, late: Decimal) -> list[str]:
    wrong = []
    assert books.at is not None
    if truth.pieces != Fraction(books.pool.quantity):
        wrong.append(f"{books.pool.quantity} pieces, the truth is {truth.pieces}")
    if abs(Fraction(books.part()) * Fraction(late) - truth.still_here) > CLOSE:
        wrong.append(f"{float(books.part() * late)} of {late} is in stock, the truth is {float(truth.still_here)}")
    after, split = settle(books.pool, books.at, late)
    due = max(_to_ore(truth.still_here), -books.pool.value) if truth.pieces > 0 else Decimal(0)
    if books.rule == RULES[0] and split.stock != due:
        wrong.append(f"{split.stock} goes to stock, the truth is {truth.still_here}")
    if books.came + late != books.went + split.sold + after.value:
        wrong.append(f"came {books.came + late}, went {books.went + split.sold}, left {after.value}")
    if after.quantity == 0 and after.value:
        wrong.append(f"{after.value} lies on no pieces")
    return wrong


def _to_ore(amount: Fraction) -> Decimal:
    """Half away from zero, by whole numbers only."""
    ore, rest = divmod(abs(amount) * 100, 1)
    return Decimal(int(ore) + (rest >= Fraction(1, 2))) / 100 * (1 if amount >= 0 else -1)


def _many(first: int, last: int, rule: str) -> tuple[int, str]:
    wrong, example = 0, ""
    for seed in range(first, last):
        if found := history(seed, rule):
            wrong += 1
            example = example or f"seed {seed}: {found[0]}"
    return wrong, example


def run(runs: int, rule: str, many: Callable[[int, int, str], tuple[int, str]] = _many) -> tuple[int, str]:
    """So many histories, in two processes. Returns how many go wrong, and an example."""
    share = runs // PROCESSES
    firsts = [n * share for n in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        parts = list(pool.map(many, firsts, [first + share for first in firsts], [rule] * PROCESSES))
    return sum(wrong for wrong, _ in parts), next((example for _, example in parts if example), "")


def prove(small: bool) -> Proof:
    """None goes wrong with the product's rule, and some with each rule that is known to be wrong."""
    runs = SMALL if small else RUNS
    wrong, example = run(runs, RULES[0])
    controls = {rule: run(min(runs, 2_000), rule)[0] for rule in RULES[1:]}
    short = [f"{wrong} histories differ: {example}"] if wrong else []
    short += [f"the control ({rule}) finds nothing, so the proof proves nothing" for rule, n in controls.items() if not n]
    found = ", ".join(f"{rule} {n}" for rule, n in controls.items())
    return Proof("1", "late cost = full replay", f"{wrong} of {runs} histories differ (controls: {found})", tuple(short))


if __name__ == "__main__":
    proof = prove("--small" in sys.argv[1:])
    print(proof.line())
    sys.exit(not proof.ok)
