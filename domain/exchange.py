"""One amount in a foreign currency, three rates: at the receipt, on the invoice, at the payment. Each is a fact of its own.

Which difference goes where is the merchant's policy. Between receipt and invoice it is part of what the goods cost, or an
exchange difference; between invoice and payment it never touches the goods: it is an exchange difference that we book, or that
the accounting system has booked itself.
"""

from dataclasses import dataclass
from decimal import Decimal

from domain.money import ZERO, rounded

AT_INVOICE = ("product-cost", "exchange-account")
AT_PAYMENT = ("accounting-system", "exchange-account")


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """Where the two differences go: one of `AT_INVOICE`, one of `AT_PAYMENT`."""

    at_invoice: str = AT_INVOICE[0]
    at_payment: str = AT_PAYMENT[0]


@dataclass(frozen=True, slots=True)
class RateDifferences:
    """What the amount became dearer by. The three add up to its value at the last rate less its value at the first."""

    product_cost: Decimal
    exchange_account: Decimal
    accounting_system: Decimal


def rate_differences(
    amount: Decimal, at_receipt: Decimal, at_invoice: Decimal, at_payment: Decimal | None, policy: RatePolicy
) -> RateDifferences:
    """The differences of one amount. Not paid yet is no payment difference, and not a rate of zero."""
    received, invoiced = rounded(amount * at_receipt), rounded(amount * at_invoice)
    first = invoiced - received
    second = ZERO if at_payment is None else rounded(amount * at_payment) - invoiced
    cost = first if policy.at_invoice == "product-cost" else ZERO
    ours = (first - cost) + (second if policy.at_payment == "exchange-account" else ZERO)
    return RateDifferences(cost, ours, first + second - cost - ours)
