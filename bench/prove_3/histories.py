"""Point 2, the rules: random histories of pick, un-pick, return, scrap and undo against a model that shares no code with them.

python -m bench.prove_3.histories [N]

In memory: `domain/` is driven as the activities drive it; the model keeps whole öre and whole pieces in plain integers. Prices,
costs and quantities are drawn; after every event pieces and value must be equal, and once everything is back nothing may be left.
"""

import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

from bench.prove_1.proof import Proof
from domain.costing import Pool
from domain.counting import Line, Step
from domain.pools import AnyPool
from domain.returns import Graded, ReturnMovement, move_returns
from domain.stock import Earlier, Entry, Movement, Place, move_stock

LINE: Line = (1, 1)
PLACE: Place = ("A", "MAIN")
AT, ON = datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1)
HISTORIES = 10_000


def half_up(part: int, whole: int, value: int) -> int:
    """`value * part / whole`, rounded half away from zero, in whole numbers."""
    return (2 * value * part + whole) // (2 * whole)


@dataclass
class Model:
    """Pieces and öre, and every pick with what came back of it."""

    pieces: int
    worth: int
    lost: int = 0
    picks: list[list[int]] = field(default_factory=list)
    returns: list[list[int]] = field(default_factory=list)

    def pick(self, n: int) -> None:
        cost = self.worth if n == self.pieces else half_up(n, self.pieces, self.worth)
        self.pieces, self.worth = self.pieces - n, self.worth - cost
        self.picks.append([n, cost, 0, 0])

    def _take(self, entries: list[list[int]], n: int) -> list[tuple[list[int], int, int]]:
        taken = []
        for entry in reversed(entries):
            part = min(n, entry[0] - entry[2])
            if part:
                value = half_up(entry[2] + part, entry[0], entry[1]) - entry[3]
                entry[2], entry[3] = entry[2] + part, entry[3] + value
                taken.append((entry, part, value))
                n -= part
        return taken

    def unpick(self, n: int) -> None:
        for _, part, value in self._take(self.picks, n):
            self.pieces, self.worth = self.pieces + part, self.worth + value

    def back(self, n: int, scrapped: bool) -> None:
        for pick, part, value in self._take(self.picks, n):
            if scrapped:
                self.lost += value
            else:
                self.pieces, self.worth = self.pieces + part, self.worth + value
                self.returns.append([part, value, 0, 0, self.picks.index(pick)])

    @property
    def out(self) -> int:
        return sum(n - back for n, _, back, _ in self.picks)


class Product:
    """The product's rules, with the ledger kept as a list."""

    def __init__(self, pieces: int, worth: int) -> None:
        self.pool: AnyPool = Pool(Decimal(pieces), Decimal(worth) / 100)
        self.entries: list[Entry] = []
        self.steps = 0

    def _left(self, kind: str) -> list[Earlier]:
        found = []
        for no, entry in enumerate(self.entries, start=1):
            if entry.kind == kind:
                gone = [each for each in self.entries if each.reverses == no]
                quantity, value = abs(entry.quantity), abs(entry.value)
                back = sum((each.quantity for each in gone), Decimal(0)), sum((each.value for each in gone), Decimal(0))
                found.append(Earlier(no, quantity, value, quantity - abs(back[0]), value - abs(back[1])))
        return found[::-1]

    def picked(self, n: int) -> None:
        self.steps += 1
        movement = Movement(Step(LINE, self.steps, Decimal(n), Decimal(0), Decimal(n)), PLACE, AT, ON)
        entries, pools = move_stock([movement], {PLACE: self.pool}, {LINE: self._left("pick")})
        self.entries, self.pool = self.entries + entries, pools[PLACE]

    def back(self, n: int, scrapped: bool) -> None:
        self.steps += 1
        part = Graded(Decimal(n), None, "scrapped" if scrapped else "stock")
        movement = ReturnMovement(Step(LINE, self.steps, part.quantity, Decimal(0), part.quantity), PLACE, AT, ON, (part,))
        entries, pools, _ = move_returns([movement], {PLACE: self.pool}, {LINE: self._left("pick")}, {})
        self.entries, self.pool = self.entries + entries, pools[PLACE]


def history(seed: int) -> str | None:
    """One history; what differed, or None."""
    rng = Random(seed)
    pieces, worth = rng.randint(20, 60), rng.randint(0, 99_999)
    model, product, told = Model(pieces, worth), Product(pieces, worth), []
    for number in range(14):
        last = number >= 12
        does = "back" if last else rng.choice(("pick", "pick", "unpick", "back", "scrap"))
        if does == "pick":
            n = rng.randint(1, min(7, model.pieces)) if model.pieces else 0
        else:
            n = model.out if last else rng.randint(0, model.out)
        if not n:
            continue
        told.append(f"{does} {n}")
        if does == "pick":
            model.pick(n)
            product.picked(n)
        elif does == "unpick":
            model.unpick(n)
            product.picked(-n)
        else:
            model.back(n, does == "scrap")
            product.back(n, does == "scrap")
        if [product.pool.quantity, product.pool.value * 100] != [model.pieces, model.worth]:
            return f"seed {seed}: after {', '.join(told)}: {product.pool.quantity} worth {product.pool.value}, model {model}"
    scrapped = sum((entry.value for entry in product.entries if entry.kind == "scrap"), Decimal(0))
    if model.out or product.pool.value * 100 + model.lost != worth or -scrapped * 100 != model.lost:
        return f"seed {seed}: {', '.join(told)}: {product.pool.value} in stock, {scrapped} scrapped, of {worth} öre"
    return None


def prove(histories: int = HISTORIES) -> Proof:
    """Value in equals value out over every round trip."""
    began = time.monotonic()
    short = [found for seed in range(histories) if (found := history(seed))]
    figure = f"{histories} histories in memory, {len(short)} differ from the model; {time.monotonic() - began:.0f} s"
    return Proof("2", "random histories of picks and returns (rules)", figure, tuple(short[:10]))


if __name__ == "__main__":
    proof = prove(int(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES)
    print(proof.line())
    sys.exit(0 if proof.ok else 1)
