"""Ordered, received, invoiced: what an invoice line differs by, split by one fixed rule, and what to make of it.

The rule, in amounts of our books: what the matched pieces stood for at their receipt, then at the price they were received at
and the invoice's rate, then as invoiced, then the whole line. Each step is one difference, so they add up to the öre whatever is
rounded:

    rate      the receipt's price at the invoice's rate, less what the receipt was booked at
    price     as invoiced, less the receipt's price at the invoice's rate; `agreed` is what of it the purchase order's price
              explains, where that was changed after the receipt: nobody need decide about it again
    quantity  what was billed for goods that are not here

Rate and price become cost of the goods received (or go where the merchant's policy says); the quantity part waits as a claim on
the supplier and is never cost of a product. Given up: the order of terms of other systems, which splits the same sum otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from domain.landed import allocate
from domain.money import ZERO, rounded


@dataclass(frozen=True, slots=True)
class OpenReceipt:
    """Received and not yet invoiced: so many pieces, which stand for `value` in our books (their own price and rate).

    `price` is that price, in the invoice's currency; None where it is the ordered one."""

    receipt: str
    quantity: Decimal
    value: Decimal
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of a supplier invoice: quantity, its amount in the invoice's currency, and the invoice's own rate.

    `booked` is its amount in our books where that is known otherwise than by the rate: as a part of a total.
    """

    quantity: Decimal
    amount: Decimal
    rate: Decimal
    booked: Decimal | None = None

    @property
    def value(self) -> Decimal:
        """The amount in our books."""
        return rounded(self.amount * self.rate) if self.booked is None else self.booked


@dataclass(frozen=True, slots=True)
class Part:
    """What of a line belongs to one receipt: pieces, the value that is cleared, and the two differences that become cost.
    `agreed`: what of the price difference the ordered price explains."""

    receipt: str
    quantity: Decimal
    cleared: Decimal
    rate: Decimal
    price: Decimal
    agreed: Decimal = ZERO

    @property
    def late_cost(self) -> Decimal:
        return self.rate + self.price


@dataclass(frozen=True, slots=True)
class Claim:
    """Billed and not here: pieces, and what was billed for them."""

    quantity: Decimal = ZERO
    value: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Match:
    """A line laid on its receipts. Everything adds up: `cleared + rate + price + claim` is the line."""

    parts: tuple[Part, ...]
    claim: Claim

    @property
    def quantity(self) -> Decimal:
        return sum((part.quantity for part in self.parts), ZERO)

    @property
    def cleared(self) -> Decimal:
        return sum((part.cleared for part in self.parts), ZERO)

    @property
    def rate(self) -> Decimal:
        return sum((part.rate for part in self.parts), ZERO)

    @property
    def price(self) -> Decimal:
        return sum((part.price for part in self.parts), ZERO)

    @property
    def unexpected(self) -> Decimal:
        """What was invoiced otherwise than ordered."""
        return self.price - sum((part.agreed for part in self.parts), ZERO)


def match_line(ordered_price: Decimal, receipts: Sequence[OpenReceipt], line: InvoiceLine) -> Match:
    """Lay an invoice line on what is received and not invoiced, oldest first. What it bills beyond that is a claim."""
    if line.quantity <= 0:
        raise ValueError("a line that takes back is a credit note: use credit()")
    parts = []
    running = received = ordered_so_far = received_so_far = invoiced_so_far = ZERO
    for receipt in receipts:
        taken = min(receipt.quantity, line.quantity - running)
        if taken <= 0:
            continue
        running += taken
        cleared = receipt.value if taken == receipt.quantity else share_of(receipt.value, taken, receipt.quantity)
        received += taken * (ordered_price if receipt.price is None else receipt.price)
        ordered = rounded(running * ordered_price * line.rate) - ordered_so_far
        stands = rounded(received * line.rate) - received_so_far
        invoiced = share_of(line.value, running, line.quantity) - invoiced_so_far
        ordered_so_far, received_so_far = ordered_so_far + ordered, received_so_far + stands
        invoiced_so_far += invoiced
        parts.append(Part(receipt.receipt, taken, cleared, stands - cleared, invoiced - stands, ordered - stands))
    return Match(tuple(parts), Claim(line.quantity - running, line.value - invoiced_so_far))


@dataclass(frozen=True, slots=True)
class OrderedLine:
    """A line of a purchase order: its price in the order's currency, and what of it is received and not invoiced."""

    price: Decimal
    receipts: tuple[OpenReceipt, ...]

    @property
    def open_quantity(self) -> Decimal:
        return sum((receipt.quantity for receipt in self.receipts), ZERO)


def match_total(lines: Sequence[OrderedLine], amount: Decimal, rate: Decimal, value: Decimal | None = None) -> list[Match]:
    """Lay an invoice that has no lines on all that one purchase has open, by what was ordered. Whether it fits is for `judge`.

    `value` is its amount in our books where that is known otherwise than by the rate. It says nothing of quantities, so it is
    taken to bill what is here; a difference shows as price. Empty where nothing is open.
    """
    weights = [line.open_quantity * line.price for line in lines]
    if not any(weights):
        return []
    booked = rounded(amount * rate) if value is None else value
    parts = zip(lines, allocate(amount, weights), allocate(booked, weights), strict=True)
    return [
        match_line(line.price, line.receipts, InvoiceLine(line.open_quantity, share, rate, part))
        for line, share, part in parts
        if line.open_quantity
    ]


@dataclass(frozen=True, slots=True)
class Credited:
    """What a credit note takes back of one part: pieces that count as not invoiced again, their value, and the change of cost."""

    receipt: str
    quantity: Decimal
    reopened: Decimal
    late_cost: Decimal


def credit(match: Match, quantity: Decimal, value: Decimal) -> tuple[tuple[Credited, ...], Claim, Decimal]:
    """Lay a credit note (quantity and value positive) on an earlier match.

    With a quantity it first meets the claim, then the parts, the last first. Without one it is a lower price for everything
    matched, spread by value. Returns what it changes, the claim that is left, and what of the credit the claim did not expect.
    """
    if quantity == 0:
        shares = allocate(value, [part.cleared for part in match.parts])
        taken = tuple(Credited(part.receipt, ZERO, ZERO, -share) for part, share in zip(match.parts, shares, strict=True))
        return taken, match.claim, ZERO
    if quantity > match.quantity + match.claim.quantity:
        raise ValueError(f"{quantity} pieces are credited, {match.quantity + match.claim.quantity} were invoiced")
    claimed = min(quantity, match.claim.quantity)
    expected = share_of(match.claim.value, claimed, match.claim.quantity) if claimed else ZERO
    given = share_of(value, claimed, quantity)
    found, running, so_far = [], claimed, given
    for part in reversed(match.parts):
        back = min(part.quantity, quantity - running)
        if back <= 0:
            break
        running += back
        amount = share_of(value, running, quantity) - so_far
        so_far += amount
        reopened = share_of(part.cleared, back, part.quantity)
        found.append(Credited(part.receipt, back, reopened, reopened - amount))
    left = Claim(match.claim.quantity - claimed, match.claim.value - expected)
    return tuple(found), left, given - expected


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much a line may differ: percent of what was received and an amount, both must hold. `rounding` is for an invoice."""

    percent: Decimal = Decimal(2)
    line: Decimal = Decimal(500)
    rounding: Decimal = Decimal(50)


STATES = (
    "no_po",
    "duplicate",
    "currency_mismatch",
    "not_received",
    "qty_over",
    "price_diff",
    "qty_under",
    "within_tolerance",
    "matched",
)


def unmatchable(ordered_in: str | None, invoiced_in: str, seen_before: bool) -> str | None:
    """Why a line is not matched at all, or None. `ordered_in` is the currency of the purchase order; None where there is none."""
    if ordered_in is None:
        return "no_po"
    if seen_before:
        return "duplicate"
    return None if ordered_in == invoiced_in else "currency_mismatch"


def judge(match: Match, received: Decimal, tolerance: Tolerance) -> str:
    """The state of a matched line; `received`: how many pieces stood open before it. Of several the first of `STATES` counts."""
    if not match.parts:
        return "not_received"
    if match.claim.quantity:
        return "qty_over"
    if not holds(match.unexpected, match.cleared, tolerance):
        return "price_diff"
    if match.quantity < received:
        return "qty_under"
    return "within_tolerance" if match.unexpected else "matched"


def holds(difference: Decimal, of: Decimal, tolerance: Tolerance) -> bool:
    """Whether a difference is small enough for nobody to decide about it."""
    return abs(difference) <= tolerance.line and abs(difference) * 100 <= tolerance.percent * abs(of)


def total_holds(lines: Decimal, total: Decimal, tolerance: Tolerance) -> bool:
    """Whether an invoice's total differs from its lines by no more than its own rounding."""
    return abs(total - lines) <= tolerance.rounding


def share_of(value: Decimal, part: Decimal, whole: Decimal, places: int = 2) -> Decimal:
    """The part of a value that so many of so many pieces have, rounded once."""
    with localcontext() as context:
        context.prec = 60
        return rounded(value * part / whole, places)
