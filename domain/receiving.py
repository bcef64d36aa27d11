"""From counted receipts to stock: what goods that come in are worth, and when a purchase order is at its end.

A receipt's rate is a fact of the receipt: quantity times the purchase price, at the rate of the day it came in, rounded once to
the öre. A receipt that is taken back leaves at the value it came in with, last first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext

from domain.counting import Line, Step
from domain.money import ZERO, rounded
from domain.pools import AnyPool, mark
from domain.revaluation import Mark
from domain.stock import Earlier, Entry, Place, taken_back

CLOSING = ("at-deviation", "person")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one piece costs, in the currency it is bought in, and the rate into our books with the day that it is of."""

    unit_price: Decimal
    currency: str
    rate: Decimal
    rate_date: date

    def value(self, quantity: Decimal) -> Decimal:
        """So many pieces in the books' currency, to the öre."""
        with localcontext() as context:
            context.prec = 60
            return rounded(quantity * self.unit_price * self.rate)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One counted step of a line: goods that came in, or that are taken back. `in_stock` is false for what is not stocked."""

    step: Step
    place: Place
    occurred_at: datetime
    accounting_date: date
    cost: Cost
    in_stock: bool


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """One line of a goods receipt. `at` is where the pool stood just before, to find later how much of it is still here;
    `reverses_step` is the receipt of the same line that it takes back."""

    receipt: Receipt
    quantity: Decimal
    value: Decimal
    at: Mark | None = None
    reverses_step: int | None = None


def receive_goods(
    receipts: Sequence[Receipt], pools: Mapping[Place, AnyPool], earlier: Mapping[Line, Sequence[tuple[int, Earlier]]]
) -> tuple[list[Entry], dict[Place, AnyPool], list[ReceivedLine]]:
    """Ledger entries for the receipts, in their order, the pools as they stand afterwards, and the lines of the goods receipt.

    `earlier` holds, for each line with a decrease, its receipts newest first, each with its step.
    """
    entries: list[Entry] = []
    lines: list[ReceivedLine] = []
    after = dict(pools)
    for receipt in receipts:
        quantity = receipt.step.quantity
        if not receipt.in_stock:
            lines.append(ReceivedLine(receipt, quantity, receipt.cost.value(quantity)))
            continue
        pool = after[receipt.place]
        if quantity > 0:
            at, value = mark(pool), receipt.cost.value(quantity)
            pool, true_up = pool.receive(quantity, value)
            entries.append(_entry(receipt, "receipt", quantity, value, pool))
            lines.append(ReceivedLine(receipt, quantity, value, at))
            entries += _true_up(receipt, true_up, pool)
        else:
            known = earlier[receipt.step.line]
            steps = {each.entry_no: step for step, each in known}
            for back in taken_back(-quantity, [each for _, each in known]):
                pool, true_up = pool.take_out(back.quantity, back.value)
                entries.append(_entry(receipt, "receipt-reversal", -back.quantity, -back.value, pool, back.entry_no))
                lines.append(ReceivedLine(receipt, -back.quantity, -back.value, None, steps[back.entry_no]))
                entries += _true_up(receipt, true_up, pool)
        after[receipt.place] = pool
    return entries, after, lines


def _true_up(receipt: Receipt, true_up: Decimal, pool: AnyPool) -> list[Entry]:
    return [_entry(receipt, "true-up", ZERO, -true_up, pool)] if true_up else []


def _entry(receipt: Receipt, kind: str, quantity: Decimal, value: Decimal, pool: AnyPool, reverses: int | None = None) -> Entry:
    return Entry(
        receipt.place,
        kind,
        quantity,
        value,
        receipt.step,
        receipt.occurred_at,
        receipt.accounting_date,
        reverses=reverses,
        epoch=pool.epoch,
        keep=pool.keep,
    )


@dataclass(frozen=True, slots=True)
class Balance:
    """How one line in the warehouse stands: pieces advised and booked, and whether it is a line of ours."""

    advised: Decimal
    booked: Decimal
    ours: bool


def difference(lines: Sequence[Balance]) -> str | None:
    """`short` when any line of ours lacks pieces, else `over` when more came or something else, else None."""
    if any(line.ours and line.booked < line.advised for line in lines):
        return "short"
    if any(line.booked > (line.advised if line.ours else ZERO) for line in lines):
        return "over"
    return None


def is_closed(meaning: str, lines: Sequence[Balance], short: str, over: str, by_person: bool) -> bool:
    """Whether nothing more is expected: the warehouse says so, the rule for this difference does, or a person has decided."""
    if by_person or meaning == "received":
        return True
    if meaning != "deviation":
        return False
    rule = {"short": short, "over": over}.get(difference(lines) or "")
    return rule is None or rule == "at-deviation"
