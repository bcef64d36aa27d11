"""What must come of six events of one order in any order, worked out by hand. Shares no code with the product.

Written from what the two sides promise: the warehouse lets an order be changed or cancelled until it has picked something; it
refuses to pick more than is ordered, and to do anything on a cancelled order; goods that are sent are billed at what was sent; a
pick after the sending opens the order again. An ERP order that is completed or cancelled keeps its lines.
"""

from dataclasses import dataclass, field
from decimal import Decimal

EVENTS = ("change", "pick", "second pick", "cancel", "send", "replay")
ORDERED = {1: Decimal(10), 2: Decimal(4)}
CHANGED_TO = {1: Decimal(8), 2: Decimal(4)}
PICKS = {"pick": {1: Decimal(3)}, "second pick": {1: Decimal(6), 2: Decimal(4)}}
PRICES = {1: Decimal(10), 2: Decimal("5.50")}
COSTS = {1: Decimal("2.50"), 2: Decimal("1.25")}


@dataclass(slots=True)
class Expected:
    """The end of one order, as both sides must show it."""

    picked: dict[int, Decimal] = field(default_factory=lambda: {1: Decimal(0), 2: Decimal(0)})
    shipped: dict[int, Decimal] = field(default_factory=lambda: {1: Decimal(0), 2: Decimal(0)})
    ordered_there: dict[int, Decimal] = field(default_factory=lambda: dict(ORDERED))
    invoiced: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    status: str = "at-warehouse"
    status_there: str = "released"
    refused_part: str | None = None
    cancel_answer: str | None = None
    blocked: bool = False
    refused_by_warehouse: int = 0
    refused_by_erp: int = 0


def predict(events: tuple[str, ...]) -> Expected:
    """Play the events one after the other; after each, both sides have come to rest."""
    end = Expected()
    for event in events:
        _happens(end, event)
    end.invoiced = sum((end.shipped[n] * PRICES[n] for n in end.shipped), Decimal(0))
    end.cost = sum((end.picked[n] * COSTS[n] for n in end.picked), Decimal(0))
    return end


def _happens(end: Expected, event: str) -> None:
    untouched = end.status_there == "released" and not any(end.picked.values())
    if event == "change":
        if end.status in ("completed", "cancelled"):
            end.refused_by_erp += 1
        elif untouched:
            end.ordered_there = dict(CHANGED_TO)
        else:
            end.refused_part = "address and lines"
    elif event == "cancel":
        if untouched:
            end.status_there, end.status, end.cancel_answer = "cancelled", "cancelled", "stopped"
        else:
            end.cancel_answer = "too-late"
    elif event in PICKS:
        wanted = PICKS[event]
        too_many = any(end.picked[n] + quantity > end.ordered_there[n] for n, quantity in wanted.items())
        if end.status_there == "cancelled" or too_many:
            end.refused_by_warehouse += 1
            return
        for n, quantity in wanted.items():
            end.picked[n] += quantity
        all_picked = all(end.picked[n] >= end.ordered_there[n] for n in end.picked)
        end.status_there = "picked" if all_picked else "allocated"
        end.status = "part-shipped" if any(end.shipped.values()) else "picking"
    elif event == "send":
        if end.status_there == "cancelled":
            end.refused_by_warehouse += 1
            return
        end.status_there = "sent"
        end.shipped = dict(end.picked)
        end.status = "completed" if any(end.shipped.values()) else "cancelled"
