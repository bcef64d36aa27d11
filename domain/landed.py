"""Landed cost: freight, customs and insurance laid on the receipts they brought home.

The parts of an amount always add up to it: each is what the running total is due so far, less what was given before. A part is
then a late cost of its receipt (`domain/revaluation.py`). Import VAT is never landed cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from domain.errors import Refused
from domain.money import ZERO, rounded

KEYS = ("value", "weight", "volume", "quantity", "equal")


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """A receipt line that may bear cost. Weight and volume are those of the whole line; None where nobody knows them."""

    name: str
    quantity: Decimal
    value: Decimal
    weight: Decimal | None = None
    volume: Decimal | None = None


def allocate(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Parts of `total` by weight, each to the öre, together exactly `total`."""
    whole = sum(weights, ZERO)
    if not whole or any(weight < 0 for weight in weights):
        raise Refused(
            "landed-cost-not-allocated",
            f"{total} cannot be laid on {len(weights)} lines by weights that are {', '.join(map(str, weights)) or 'none'}",
        )
    parts = []
    running = given = ZERO
    with localcontext() as context:
        context.prec = 60
        for weight in weights:
            running += weight
            parts.append(rounded(total * running / whole) - given)
            given += parts[-1]
    return parts


def by_key(total: Decimal, key: str, lines: Sequence[ReceivedLine]) -> list[Decimal]:
    """Parts of `total` for the lines, by one of `KEYS`. A line that lacks the figure is refused by name, never taken as zero."""
    if key not in KEYS:
        raise Refused("landed-cost-not-allocated", f"allocation by {key!r} is not known; known are {', '.join(KEYS)} and by hand")
    weights = []
    for line in lines:
        weight = Decimal(1) if key == "equal" else getattr(line, key)
        if weight is None:
            raise Refused(
                "landed-cost-not-allocated", f"{line.name} has no {key}: add it to the article, or allocate by another key"
            )
        weights.append(weight)
    return allocate(total, weights)


def by_hand(total: Decimal, parts: Sequence[Decimal]) -> list[Decimal]:
    """Parts that a person has decided. They must add up and have no more than two decimals."""
    if sum(parts, ZERO) != total or any(part != rounded(part) for part in parts):
        raise Refused("landed-cost-not-allocated", f"the parts by hand add up to {sum(parts, ZERO)}, the cost is {total}")
    return list(parts)
