"""The credit basis: what of an invoice is given back, row by row, so that an invoice and its credits sum to zero.

A credit follows the invoice and not today's order: same rate, VAT rates, accounts and prices, never more than was invoiced and is
left. Rows are running totals like those of the invoice, so that the last piece carries the rest.

VAT is rounded once for each rate of each document. The parts of an amount can therefore make another öre of VAT than the whole:
10.02 makes 2.51, twice 5.01 makes 2.50. Whoever splits an invoice over several credits must choose the split so that VAT comes
out too. A part is moved by as few öre as possible until its VAT and that of what is left make what was left before; the
last credit is what is left, and is right by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from domain.errors import Refused
from domain.invoicing import BasisPart, BasisRow, as_fortnox_takes_it, part_of, tax_on
from domain.money import CENT, ZERO, rounded
from domain.text import cleaned


@dataclass(frozen=True, slots=True)
class InvoicedRow:
    """A row of an invoice with how much of it has been credited."""

    row_no: int
    row: BasisRow
    credited: Decimal = ZERO
    credited_amount: Decimal = ZERO

    @property
    def left(self) -> Decimal:
        return self.row.billed - self.credited


@dataclass(frozen=True, slots=True)
class Invoiced:
    """An invoice and what has been credited of it. `credits`: for each earlier credit, its amount by VAT rate, positive."""

    basis_no: int
    part: int
    price_basis: str
    rows: tuple[InvoicedRow, ...]
    credits: tuple[Mapping[Decimal, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class CreditRow:
    """One row of a credit: which row of the invoice it takes back, and the true quantity, positive."""

    row_no: int
    quantity: Decimal
    row: BasisRow


@dataclass(frozen=True, slots=True)
class Credit:
    """One credit of one invoice."""

    basis_no: int
    part: int
    rows: tuple[CreditRow, ...]
    basis: BasisPart


@dataclass(slots=True)
class _Taken:
    quantities: dict[int, Decimal] = field(default_factory=dict)


def credit_bases(
    invoices: Sequence[Invoiced], wanted: Mapping[int, Decimal], freight: bool | None, with_the_last: bool
) -> list[Credit]:
    """Credits for `wanted` pieces by line of the order, the newest invoices first; one for each invoice that is touched.

    `freight`: credit it now, not now, or (None) when the merchant's rule says so: `with_the_last` goods. Refuses, naming the
    line, what is more than was invoiced and is left.
    """
    newest = sorted(invoices, key=lambda each: (each.basis_no, each.part), reverse=True)
    taken = {(each.basis_no, each.part): _Taken() for each in newest}
    for line, quantity in wanted.items():
        left = quantity
        for invoice in newest:
            for row in reversed(invoice.rows):
                if row.row.line_number == line and row.row.kind != "freight" and left > 0:
                    part = min(left, row.left)
                    if part > 0:
                        taken[invoice.basis_no, invoice.part].quantities[row.row_no] = part
                        left -= part
        if left:
            text = f"line {line}: {left.normalize():f} more are to be credited than were invoiced and are left"
            raise Refused("credit-more-than-invoiced", text)
    if freight is True or (freight is None and with_the_last and wanted and _all_goods_back(newest, taken)):
        for invoice in newest:
            for row in invoice.rows:
                if row.row.kind == "freight" and row.left > 0:
                    taken[invoice.basis_no, invoice.part].quantities[row.row_no] = row.left
    made = [_credit(invoice, taken[invoice.basis_no, invoice.part].quantities) for invoice in reversed(newest)]
    return [credit for credit in made if credit is not None]


def creditable(invoices: Iterable[Invoiced], line: int) -> Decimal:
    """How many pieces of a line were invoiced and are not credited."""
    return sum((row.left for each in invoices for row in each.rows if row.row.line_number == line), ZERO)


def _all_goods_back(invoices: Iterable[Invoiced], taken: Mapping[tuple[int, int], _Taken]) -> bool:
    return all(
        _all_of_it(row, taken[each.basis_no, each.part].quantities) or _money_left(each, row.row.vat_rate) <= 0
        for each in invoices
        for row in each.rows
        if row.row.kind == "goods"
    )


def _all_of_it(row: InvoicedRow, quantities: Mapping[int, Decimal]) -> bool:
    """Whether nothing of the row is left after these; a row whose money is all given back never holds anything up."""
    return row.left == quantities.get(row.row_no, ZERO) or row.credited_amount >= row.row.amount


def _money_left(invoice: Invoiced, rate: Decimal) -> Decimal:
    """What of the amounts of one VAT rate has not been credited."""
    invoiced = sum((row.row.amount for row in invoice.rows if row.row.vat_rate == rate), ZERO)
    return invoiced - sum((each.get(rate, ZERO) for each in invoice.credits), ZERO)


def _credit(invoice: Invoiced, quantities: Mapping[int, Decimal]) -> Credit | None:
    rows = [row for row in invoice.rows if quantities.get(row.row_no)]
    amounts = {row.row_no: _part_of_row(row, quantities[row.row_no]) for row in rows}
    for rate in {row.row.vat_rate for row in rows}:
        mine = [row for row in rows if row.row.vat_rate == rate]
        wanted = sum((amounts[row.row_no] for row in mine), ZERO)
        off = _amount(invoice, rate, quantities, wanted) - wanted
        for row in sorted(mine, key=lambda row: (amounts[row.row_no], row.row_no), reverse=True):
            moved = max(off, -amounts[row.row_no])
            amounts[row.row_no] += moved
            off -= moved
    made = tuple(
        CreditRow(row.row_no, quantities[row.row_no], _row(row, quantities[row.row_no], amounts[row.row_no])) for row in rows
    )
    if not any(amounts.values()):
        return None
    return Credit(invoice.basis_no, invoice.part, made, part_of(invoice.price_basis, [each.row for each in made]))


def _part_of_row(row: InvoicedRow, quantity: Decimal) -> Decimal:
    """The running total, but never nothing while something is left: a credit of nothing could not be remembered."""
    left = row.row.amount - row.credited_amount
    if left <= 0:
        return ZERO
    part = _running_part(row.row.amount, row.row.billed, row.credited, quantity, row.credited_amount)
    return min(max(part, CENT), left)


def _running_part(amount: Decimal, quantity: Decimal, before: Decimal, now: Decimal, amount_before: Decimal) -> Decimal:
    """What `now` pieces of a row of `quantity` pieces over `amount` give back, after `before` gave back `amount_before`.

    The parts add up to the amount, whatever each is rounded to; the last piece gives back the rest.
    """
    return amount - rounded(amount * (quantity - before - now) / quantity) - amount_before


def _amount(invoice: Invoiced, rate: Decimal, quantities: Mapping[int, Decimal], wanted: Decimal) -> Decimal:
    """What to credit of one VAT rate: all that is left with the last pieces, else what is wanted, moved until VAT agrees.

    There is always an answer: the VAT of all that is left agrees, because each credit before this one was chosen so.
    """
    of_rate = [row for row in invoice.rows if row.row.vat_rate == rate]
    left = _money_left(invoice, rate)
    if wanted >= left or all(_all_of_it(row, quantities) for row in of_rate):
        return left
    vat_left = tax_on(invoice.price_basis, left, rate)
    for ore in range(int((left - wanted) / CENT)):
        for amount in (wanted + ore * CENT, wanted - ore * CENT):
            fits = ZERO < amount <= left or amount == wanted == 0
            if fits and tax_on(invoice.price_basis, amount, rate) + tax_on(invoice.price_basis, left - amount, rate) == vat_left:
                return amount
    return left


def _row(row: InvoicedRow, quantity: Decimal, amount: Decimal) -> BasisRow:
    negative = replace(row.row, quantity=-quantity, amount=-amount, billed=-quantity)
    if row.row.folded:
        text = cleaned(f"{quantity.normalize():f} av {row.row.description}", 255)
        return replace(negative, quantity=Decimal(-1), unit_price=amount, description=text)
    return as_fortnox_takes_it(negative)
