"""What an invoice adds up to: rows, VAT, fees, and the voucher that books it. Pure arithmetic, in decimals.

VAT is rounded once per rate, or per row where the knob says so, half away from zero. When prices include VAT the gross
side is exact and net is what is left of it. In the voucher SEK amounts are rounded per account and the last öre of a currency
conversion lands on the rounding account, so that every voucher balances.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from simulators.fortnox.knobs import Knobs
from simulators.fortnox.wire import ZERO, Fields, decimal, places, to_ore

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Sums:
    """The figures of an invoice in its own currency."""

    gross: Decimal
    net: Decimal
    vat: Decimal
    total: Decimal
    round_off: Decimal
    freight_vat: Decimal
    fee_vat: Decimal
    vat_by_rate: dict[Decimal, Decimal]
    net_by_rate: dict[Decimal, Decimal]

    @property
    def to_pay(self) -> Decimal:
        return self.total + self.round_off


def fill_row(row: Fields, knobs: Knobs, *, vat_included: bool) -> None:
    """Round quantity and price as the company keeps them, and set the row's totals."""
    quantity = places(decimal(row["DeliveredQuantity"]), knobs["quantityDecimals"])
    price = places(decimal(row["Price"]), knobs["priceDecimals"])
    discount, rate = decimal(row["Discount"]), decimal(row["VAT"])
    amount = quantity * price
    if discount:
        amount -= amount * discount / HUNDRED if row["DiscountType"] == "PERCENT" else discount
    total = to_ore(amount)
    row["DeliveredQuantity"] = format(quantity.normalize() + ZERO, "f") if quantity else "0"
    row["Price"] = price
    row["Total"] = total
    if vat_included and rate:
        row["PriceExcludingVAT"] = to_ore(price * HUNDRED / (HUNDRED + rate))
        row["TotalExcludingVAT"] = to_ore(total * HUNDRED / (HUNDRED + rate))
    else:
        row["PriceExcludingVAT"] = price
        row["TotalExcludingVAT"] = total


def add_up(invoice: Fields, knobs: Knobs, *, fee_rate: Decimal) -> Sums:
    """Sum filled rows, freight and fee."""
    included, per_row = bool(invoice["VATIncluded"]), knobs["vatRounding"] == "row"
    quoted: dict[Decimal, Decimal] = {}
    vat: dict[Decimal, Decimal] = {}
    for row in invoice["InvoiceRows"]:
        rate = decimal(row["VAT"])
        quoted[rate] = quoted.get(rate, ZERO) + decimal(row["Total"])
        if per_row:
            vat[rate] = vat.get(rate, ZERO) + vat_of(decimal(row["Total"]), rate, included=included)
    if not per_row:
        vat = {rate: vat_of(amount, rate, included=included) for rate, amount in quoted.items()}
    net = {rate: amount - vat[rate] if included else amount for rate, amount in quoted.items()}
    freight, fee = decimal(invoice["Freight"]), decimal(invoice["AdministrationFee"])
    freight_vat, fee_vat = vat_of(freight, fee_rate, included=included), vat_of(fee, fee_rate, included=included)
    gross = sum(net.values(), ZERO)
    fees_net = freight + fee - (freight_vat + fee_vat if included else ZERO)
    total_vat = sum(vat.values(), ZERO) + freight_vat + fee_vat
    total = gross + fees_net + total_vat
    rounds = knobs["roundOff"] and invoice["Currency"] == "SEK"
    round_off = total.quantize(Decimal(1), rounding=ROUND_HALF_UP) - total if rounds else ZERO
    return Sums(gross, gross + fees_net, total_vat, total, round_off, freight_vat, fee_vat, vat, net)


def vat_of(amount: Decimal, rate: Decimal, *, included: bool) -> Decimal:
    """Return the VAT on a net amount, or the VAT inside a gross one."""
    return to_ore(amount * rate / ((HUNDRED + rate) if included else HUNDRED))


def by_account(rows: Iterable[Fields], net: dict[Decimal, Decimal]) -> dict[tuple[int, str, str], Decimal]:
    """Share each rate's net over the accounts (and cost centres and projects) of its rows.

    Each gets its rows' own rounded net; what the rounding per rate differs goes to the rate's largest share.
    """
    shares: dict[Decimal, dict[tuple[int, str, str], Decimal]] = {}
    for row in rows:
        of_rate = shares.setdefault(decimal(row["VAT"]), {})
        key = (int(row["AccountNumber"] or 0), row["CostCenter"], row["Project"])
        of_rate[key] = of_rate.get(key, ZERO) + decimal(row["TotalExcludingVAT"])
    together: dict[tuple[int, str, str], Decimal] = {}
    for rate, of_rate in shares.items():
        rest = net[rate] - sum(of_rate.values(), ZERO)
        if rest:
            largest = max(of_rate, key=lambda key: (abs(of_rate[key]), key))
            of_rate[largest] += rest
        for key, amount in of_rate.items():
            together[key] = together.get(key, ZERO) + amount
    return together
