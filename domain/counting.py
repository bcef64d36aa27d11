"""Booking a counter: what is new is what the warehouse shows less what our books hold.

Messages are never booked, only counters, so a message that is lost, doubled or late changes nothing. Two dangers remain:
an answer that was read before our last booking, and an old answer that the warehouse itself serves. The first dies at
the fence, a number drawn by each booking that a look must exceed (`erp.counters` keeps it); the second is why a decrease is
believed only when two looks, some time apart, agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from domain.errors import LookAgain

Line = tuple[int, int]
"""A line as the warehouse numbers it: its document's id and its own."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A decrease that one look has shown: its value, the number a look must outrun to confirm it, and since when."""

    value: Decimal
    look: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Counter:
    """What our books hold of one counter of one line."""

    booked: Decimal = Decimal(0)
    step: int = 0
    doubt: Doubt | None = None
    reversed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One booking to make. `quantity` is signed, `from_value + quantity == to_value`; a line's steps have no gaps."""

    line: Line
    step: int
    quantity: Decimal
    from_value: Decimal
    to_value: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """What a look leads to: steps to book, doubts to note down, doubts that are settled."""

    steps: list[Step] = field(default_factory=list)
    doubted: dict[Line, Decimal] = field(default_factory=dict)
    settled: list[Line] = field(default_factory=list)
    open_doubts: bool = False


def plan_booking(
    counters: Mapping[Line, Counter],
    seen: Mapping[Line, Decimal],
    looks: Mapping[int, int],
    began_at: datetime,
    patience: timedelta,
) -> Plan:
    """Compare what a look saw with what is booked. Planning twice from the result plans nothing.

    `looks` holds the number of the look for each document, `began_at` when it began: of two old answers of one moment the
    second may be booked late, and must not confirm the first. `patience` is how long a decrease must stand before it is
    believed, and how long after a reversal an increase is doubted too. Raises `LookAgain` when a known line is absent.
    """
    plan = Plan()
    open_doubts = False
    for line in counters:
        if line not in seen:
            raise LookAgain(f"line {line[1]} of document {line[0]} is missing from the answer")
    for line, value in seen.items():
        counter = counters.get(line, Counter())
        difference = value - counter.booked
        recently_reversed = counter.reversed_at is not None and began_at < counter.reversed_at + patience
        if difference == 0:
            if counter.doubt:
                plan.settled.append(line)
            continue
        confirmed = (
            counter.doubt is not None
            and counter.doubt.value == value
            and looks[line[0]] > counter.doubt.look
            and began_at >= counter.doubt.at + patience
        )
        if confirmed or (difference > 0 and not recently_reversed):
            plan.steps.append(Step(line, counter.step + 1, difference, counter.booked, value))
            if counter.doubt:
                plan.settled.append(line)
            continue
        open_doubts = True
        if counter.doubt is None or counter.doubt.value != value:
            plan.doubted[line] = value
    return Plan(plan.steps, plan.doubted, plan.settled, open_doubts)


def believable(quantity: Decimal | None, what: str) -> Decimal:
    """A counter as the warehouse gave it, or `LookAgain` when it is unknown: null, not a number, or negative."""
    if quantity is None or not quantity.is_finite() or quantity < 0:
        raise LookAgain(f"{what} is {quantity}: unknown, which is not zero")
    return quantity
