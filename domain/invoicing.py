"""The invoice basis (fakturaunderlag): what a shipment may be billed, row by row.

The side the prices are quoted in, net or gross, is exact over all invoices of an order: each row is the running total after
this shipment less the running total before it, so part deliveries add up to what one delivery would have cost. The other
side and the VAT are what Fortnox computes; `tolerance` says how far apart its figure and ours may be: half an öre for each
rounding it makes. Fortnox keeps two decimals of quantity and price, so a row that those would change goes as quantity 1 at
the row's amount, with the true quantity in the text (`folded`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.errors import Refused
from domain.merchant import MerchantSettings
from domain.money import ZERO, exact, rounded
from domain.text import cleaned
from domain.vat import VatZone, check_rate

ROWS_PER_INVOICE = 500
HUNDRED = Decimal(100)
HALF_CENT = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for the whole order. `discount_percent` applies to goods and services, not to freight."""

    price_basis: str
    discount_percent: Decimal
    freight: Decimal
    freight_vat_rate: Decimal
    zone: VatZone


@dataclass(frozen=True, slots=True)
class BillableLine:
    line_number: int
    article_number: str
    description: str
    quantity_ordered: Decimal
    unit_price: Decimal
    discount_percent: Decimal
    vat_rate: Decimal
    account: int | None
    stock_article: bool


@dataclass(frozen=True, slots=True)
class BasisRow:
    """One row as Fortnox gets it. `billed` is the true quantity, also where the row is folded to quantity 1."""

    kind: str
    line_number: int | None
    article_number: str | None
    description: str
    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal
    amount: Decimal
    vat_rate: Decimal
    account: int
    folded: bool
    billed: Decimal


@dataclass(frozen=True, slots=True)
class BasisPart:
    """One invoice: at most 500 rows. `amount` is on the quoted side and exact; `net` and `vat` may differ from Fortnox's by
    `tolerance` each."""

    rows: tuple[BasisRow, ...]
    amount: Decimal
    net: Decimal
    vat: Decimal
    tolerance: Decimal


def invoice_basis(
    terms: Terms,
    lines: Sequence[BillableLine],
    before: Mapping[int, Decimal],
    now: Mapping[int, Decimal],
    freight_due: bool,
    settings: MerchantSettings,
) -> list[BasisPart]:
    """The parts that bill `now` (quantity per line number) on top of what was billed `before`."""
    rows = []
    if freight_due and terms.freight:
        check_rate(terms.zone, terms.freight_vat_rate, "freight")
        rows.append(
            BasisRow(
                "freight",
                None,
                None,
                "Frakt",
                Decimal(1),
                terms.freight,
                ZERO,
                terms.freight,
                terms.freight_vat_rate,
                settings.freight_accounts[terms.zone.value],
                False,
                Decimal(1),
            )
        )
    rows += [
        _row(terms, line, before.get(line.line_number, ZERO), now[line.line_number], settings)
        for line in lines
        if now.get(line.line_number)
    ]
    parts = [rows[i : i + ROWS_PER_INVOICE] for i in range(0, len(rows), ROWS_PER_INVOICE)]
    return [part_of(terms.price_basis, part) for part in parts]


def billable(line: BillableLine, delivered: Decimal, settings: MerchantSettings) -> Decimal:
    """How much of what was delivered may be billed: no more than was ordered, unless the merchant bills over-deliveries."""
    return delivered if settings.invoice_over_delivery else min(delivered, line.quantity_ordered)


def combined_discount(first: Decimal, second: Decimal) -> Decimal:
    """Two discounts, one after the other, as one percentage."""
    return first + second - first * second / HUNDRED


def amount_for(quantity: Decimal, price: Decimal, discount: Decimal) -> Decimal:
    """What so many pieces cost, rounded once; also how Fortnox totals a row."""
    return rounded(quantity * price * (HUNDRED - discount) / HUNDRED)


def _row(terms: Terms, line: BillableLine, before: Decimal, now: Decimal, settings: MerchantSettings) -> BasisRow:
    name = f"line {line.line_number} ({line.article_number})"
    check_rate(terms.zone, line.vat_rate, name)
    discount = combined_discount(line.discount_percent, terms.discount_percent)
    amount = amount_for(before + now, line.unit_price, discount) - amount_for(before, line.unit_price, discount)
    row = BasisRow(
        "goods" if line.stock_article else "service",
        line.line_number,
        line.article_number,
        cleaned(line.description, 255) or line.article_number,
        now,
        line.unit_price,
        discount,
        amount,
        line.vat_rate,
        line.account or settings.sales_account(terms.zone, line.vat_rate, name),
        False,
        now,
    )
    return as_fortnox_takes_it(row)


def as_fortnox_takes_it(row: BasisRow) -> BasisRow:
    """The row, or what Fortnox keeps exactly: quantity 1 at the row's amount, with the true quantity in the text."""
    quantity, price, discount = row.quantity, row.unit_price, row.discount_percent
    as_it_is = exact(quantity, 2) and exact(price, 2) and exact(discount, 2)
    if as_it_is and amount_for(quantity, price, discount) == row.amount:
        return row
    sign = Decimal(1 if quantity > 0 else -1)
    text = cleaned(f"{quantity.normalize():f} st à {price.normalize():f} {row.description}", 255)
    return replace(row, quantity=sign, unit_price=row.amount * sign, discount_percent=ZERO, description=text, folded=True)


def tax_on(price_basis: str, amount: Decimal, rate: Decimal) -> Decimal:
    """The VAT on so much of one rate in one document, or inside it where prices include VAT; rounded once."""
    return rounded(amount * rate / (HUNDRED if price_basis == "net" else HUNDRED + rate))


def part_of(price_basis: str, rows: list[BasisRow]) -> BasisPart:
    """One document of these rows, with its totals."""
    net = vat = ZERO
    by_rate: dict[Decimal, list[BasisRow]] = {}
    for row in rows:
        by_rate.setdefault(row.vat_rate, []).append(row)
    for rate, of_rate in by_rate.items():
        total = sum((row.amount for row in of_rate), ZERO)
        tax = tax_on(price_basis, total, rate)
        net, vat = net + (total if price_basis == "net" else total - tax), vat + tax
    taxed = sum(1 for row in rows if row.vat_rate)
    tolerance = HALF_CENT * (taxed + len(by_rate)) if taxed else ZERO
    return BasisPart(tuple(rows), sum((row.amount for row in rows), ZERO), net, vat, rounded(tolerance))


def compare_totals(price_basis: str, part: BasisPart, net: Decimal, vat: Decimal) -> None:
    """Refuse a document whose totals are not ours: the quoted side exactly, the other within the tolerance."""
    quoted = net if price_basis == "net" else net + vat
    if quoted != part.amount:
        raise Refused("invoice-differs", f"{price_basis} total is {quoted}, meant was {part.amount}")
    if abs(vat - part.vat) > part.tolerance:
        raise Refused("row-not-exact", f"VAT is {vat}, meant was {part.vat}, which may differ by {part.tolerance}")


def reference(merchant: str, basis_no: int, part: int, revision: int) -> str:
    """Our key on the invoice (`ExternalInvoiceReference1`): always 30 characters, so that no key is a part of another."""
    mark = hashlib.sha256(merchant.encode()).hexdigest()[:6]
    return f"lb-{mark}-{basis_no:012d}-{part:03d}-{revision:03d}"
