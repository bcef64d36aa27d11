"""Goods that come back: what they are fit for, and the cost at which they come back.

A return is believed by the counter of the order's line and by nothing else. The pieces that the warehouse lists beside it say
why they came: a merchant's map of causes makes that a grade. Pieces that nothing is said about count as stated by nobody.

Goods come back at the cost they left with: the line's own picks, last first, in parts that add up to the whole. Scrapped
goods come in and go out again in one step, without touching the pool's average: one fact, whether the warehouse
shows it as a return, as an adjustment or as both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext

from domain.counting import Line, Step
from domain.money import ZERO, rounded
from domain.pools import AnyPool
from domain.stock import Earlier, Entry, Place, taken_back

STOCK, LOCKED, SCRAPPED = "stock", "locked", "scrapped"
GRADES = (STOCK, LOCKED, SCRAPPED)

Reason = tuple[str | None, str]
"""Why pieces came back (the warehouse's cause, None when unstated) and the grade that follows."""


@dataclass(frozen=True, slots=True)
class Graded:
    """So many pieces of one step, signed, with the warehouse's cause and the grade that follows."""

    quantity: Decimal
    cause: str | None
    grade: str


@dataclass(frozen=True, slots=True)
class ReturnMovement:
    """One counted step of a returned line: which article, where, when it came, and what it was fit for."""

    step: Step
    place: Place
    occurred_at: datetime
    accounting_date: date
    parts: tuple[Graded, ...]


def grade_of(cause: str | None, removed: bool, causes: Mapping[str, str], unstated: str) -> str:
    """What pieces with this cause are fit for; thrown away is thrown away, whatever the cause. Unknown causes stay in stock."""
    if removed:
        return SCRAPPED
    return unstated if cause is None else causes.get(cause, STOCK)


def graded(
    quantity: Decimal, seen: Mapping[Reason, Decimal], booked: Mapping[Reason, Decimal], unstated: Reason
) -> tuple[Graded, ...]:
    """Share one step over the reasons: what is listed and not booked yet first, the rest is `unstated`.

    For a step down what is booked and not listed any more goes first, then whatever is booked.
    """
    sign = 1 if quantity > 0 else -1
    left = abs(quantity)
    shares: dict[Reason, Decimal] = {}

    def take(reason: Reason, most: Decimal) -> None:
        nonlocal left
        part = min(left, most)
        if part > 0:
            shares[reason] = shares.get(reason, ZERO) + part
            left -= part

    for reason in _in_order({*seen, *booked}):
        take(reason, sign * (seen.get(reason, ZERO) - booked.get(reason, ZERO)))
    if sign < 0:
        for reason in _in_order(booked):
            take(reason, booked[reason] - shares.get(reason, ZERO))
    take(unstated, left)
    return tuple(Graded(sign * part, *reason) for reason, part in shares.items())


def _in_order(reasons: "Mapping[Reason, Decimal] | set[Reason]") -> list[Reason]:
    return sorted(reasons, key=lambda reason: (reason[0] or "", reason[1]))


def move_returns(
    movements: Sequence[ReturnMovement],
    pools: Mapping[Place, AnyPool],
    picks: Mapping[Line, Sequence[Earlier]],
    returns: Mapping[tuple[Line, str], Sequence[Earlier]],
) -> tuple[list[Entry], dict[Place, AnyPool], dict[Line, Decimal]]:
    """Entries for the movements, the pools afterwards, and by line how many pieces came back that had never left.

    `picks` holds what of each line's picks has not come back, newest first; `returns`, by line and kind of entry, its returns.
    """
    entries: list[Entry] = []
    after = dict(pools)
    surplus: dict[Line, Decimal] = {}
    for movement in movements:
        line, pool = movement.step.line, after[movement.place]
        back = _Cursor(picks.get(line, ()))
        undo = {kind: _Cursor(returns.get((line, kind), ())) for kind in ("return", "return-scrapped")}
        for number, part in enumerate(movement.parts, start=1):
            kind = "return-scrapped" if part.grade == SCRAPPED else "return"
            if part.quantity > 0:
                taken, missing = back.take(part.quantity)
                if missing:
                    surplus[line] = surplus.get(line, ZERO) + missing
                    taken.append(Earlier(0, missing, rounded(missing * _cost_now(pool)), ZERO, ZERO))
                for piece, each in enumerate(taken, start=1):
                    mark = f"scrapped/{line[0]}/{line[1]}/{movement.step.step}/{number}.{piece}"
                    more, pool = _come_back(movement, kind, each, pool, mark)
                    entries += more
            else:
                taken, missing = undo[kind].take(-part.quantity)
                if missing:
                    raise ValueError(f"{missing} pieces more are undone than ever came back on line {line}")
                for piece, each in enumerate(taken, start=1):
                    mark = f"unscrapped/{line[0]}/{line[1]}/{movement.step.step}/{number}.{piece}"
                    more, pool = _leave_again(movement, kind, each, pool, mark)
                    entries += more
        after[movement.place] = pool
    return entries, after, surplus


class _Cursor:
    """Entries of a line that may be taken back, newest first; what is taken is gone for the next part of the same step."""

    def __init__(self, entries: Sequence[Earlier]) -> None:
        self._entries = list(entries)

    def take(self, quantity: Decimal) -> tuple[list[Earlier], Decimal]:
        there = sum((entry.quantity_left for entry in self._entries), ZERO)
        wanted = min(quantity, there)
        taken = taken_back(wanted, self._entries) if wanted else []
        by_entry = {each.entry_no: each for each in taken}
        self._entries = [
            Earlier(
                entry.entry_no,
                entry.quantity,
                entry.value,
                entry.quantity_left - by_entry[entry.entry_no].quantity,
                entry.value_left - by_entry[entry.entry_no].value,
            )
            if entry.entry_no in by_entry
            else entry
            for entry in self._entries
        ]
        return taken, quantity - wanted


def _cost_now(pool: AnyPool) -> Decimal:
    """What a piece is worth that came back and had never left: the pool's average, else the last known cost."""
    with localcontext() as context:
        context.prec = 60
        if pool.quantity > 0:
            return pool.value / pool.quantity
    return pool.last_cost or ZERO


def _come_back(movement: ReturnMovement, kind: str, each: Earlier, pool: AnyPool, mark: str) -> tuple[list[Entry], AnyPool]:
    if kind == "return-scrapped":
        came = _entry(movement, kind, each.quantity, each.value, pool, reverses=each.entry_no or None)
        gone = _entry(movement, "scrap", -each.quantity, -each.value, pool, cause=mark)
        return [came, gone], pool
    pool, true_up = pool.put_back(each.quantity, each.value)
    entries = [_entry(movement, kind, each.quantity, each.value, pool, reverses=each.entry_no or None)]
    if true_up:
        entries.append(_entry(movement, "true-up", ZERO, -true_up, pool))
    return entries, pool


def _leave_again(movement: ReturnMovement, kind: str, each: Earlier, pool: AnyPool, mark: str) -> tuple[list[Entry], AnyPool]:
    if kind == "return-scrapped":
        found = _entry(movement, "scrap-reversal", each.quantity, each.value, pool, cause=mark)
        gone = _entry(movement, "return-reversal", -each.quantity, -each.value, pool, reverses=each.entry_no)
        return [found, gone], pool
    pool, true_up = pool.take_out(each.quantity, each.value)
    entries = [_entry(movement, "return-reversal", -each.quantity, -each.value, pool, reverses=each.entry_no)]
    if true_up:
        entries.append(_entry(movement, "true-up", ZERO, -true_up, pool))
    return entries, pool


def _entry(
    movement: ReturnMovement,
    kind: str,
    quantity: Decimal,
    value: Decimal,
    pool: AnyPool,
    reverses: int | None = None,
    cause: str | None = None,
) -> Entry:
    return Entry(
        movement.place,
        kind,
        quantity,
        value,
        None if cause else movement.step,
        movement.occurred_at,
        movement.accounting_date,
        cause=cause,
        reverses=reverses,
        epoch=pool.epoch,
        keep=pool.keep,
    )


@dataclass(frozen=True, slots=True)
class Announced:
    """What one return still expects of one line of its order: pieces announced, pieces the warehouse has counted on it."""

    return_number: str
    line_number: int
    expected: Decimal
    counted: Decimal


def attributed(
    arrived: Mapping[int, Decimal], announced: Sequence[Announced], sofar: Mapping[tuple[str, int], Decimal], unannounced: str
) -> dict[tuple[str, int], Decimal]:
    """To which return what came back on each line of the order belongs: `arrived` by line, signed, may be negative.

    First what the warehouse counted on a return, then what an open return still expects, the rest is `unannounced`. What was
    undone is taken from the returns that have it, the unannounced first.
    """
    shares: dict[tuple[str, int], Decimal] = {}

    def give(key: tuple[str, int], left: Decimal, most: Decimal) -> Decimal:
        part = min(left, max(most, ZERO))
        if part:
            shares[key] = shares.get(key, ZERO) + part
        return left - part

    for line, quantity in arrived.items():
        mine = [each for each in announced if each.line_number == line]
        left = max(quantity, ZERO)
        for key, most in (
            *(((each.return_number, line), each.counted) for each in mine),
            *(((each.return_number, line), each.expected) for each in mine),
        ):
            left = give(key, left, most - sofar.get(key, ZERO) - shares.get(key, ZERO))
        if left:
            shares[unannounced, line] = shares.get((unannounced, line), ZERO) + left
        undone = max(-quantity, ZERO)
        having = sorted((key for key in sofar if key[1] == line), key=lambda key: (key[0] != unannounced, key[0]))
        for key in having:
            part = min(undone, max(sofar[key], ZERO))
            if part:
                shares[key] = shares.get(key, ZERO) - part
                undone -= part
    return shares
