"""A person corrects what received goods cost: the difference is a late cost of the receipt lines, on an account that they name.

What is still here gets its share and what is sold the rest, by the exact split of `erp/late_cost.py`. The other side is
`purchase_difference_account`, or the account given: never one that receipts, invoices or sales are booked on, which would hide it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.landed import allocate
from domain.money import ZERO, rounded
from domain.purchase_corrections import number_of
from erp import ledger
from erp import supplier_invoices as kept
from erp.database import Session, one, rows
from erp.late_cost import Booking, ReceiptLine, accounts_of, book_late_cost
from erp.merchants import Merchant
from erp.purchases import PurchaseDocument

_BORNE = text(
    """
    select receipt_no, receipt_row_no, sum(amount) as amount from erp.late_cost
    where merchant_id = :merchant and purchase_order_number = :purchase group by 1, 2
    """
)
_REVALUED = text(
    """
    select receipt_no, receipt_row_no, sum(amount) as amount from erp.revaluation_line
    where merchant_id = :merchant and purchase_order_number = :purchase and receipt_no is not null group by 1, 2
    """
)
_SPLIT = text(
    """
    select coalesce(sum(to_stock), 0) as to_stock, coalesce(sum(to_sold), 0) as to_sold from erp.late_cost
    where merchant_id = :merchant and document = :document and step = :step
    """
)


class NotCorrected(Exception):
    """A correction that makes no sense, in words for the person; nothing is written."""


@dataclass(frozen=True, slots=True)
class CostCorrection:
    """What a correction comes to: how much on each receipt line, and the account of the other side."""

    parts: tuple[tuple[ReceiptLine, Decimal], ...]
    account: int

    @property
    def amount(self) -> Decimal:
        return sum((part for _, part in self.parts), ZERO)


async def plan_correction(
    connection: Session, merchant: Merchant, document: PurchaseDocument, content: Mapping[str, Any]
) -> CostCorrection:
    """What the correction comes to now; refused in words where it makes no sense. The purchase order is locked by the caller."""
    found = await kept.receipts(connection, merchant.merchant_id, [document.number])
    here = {name: at for (number, name), at in found.lines.items() if found.received[number, name][0] > 0}
    if not here:
        raise NotCorrected("nothing of it has come in whose cost could be corrected")
    receipt, amount = str(content.get("receipt", "")).strip(), number_of(str(content.get("amount", "")), 2)
    if receipt and receipt not in here:
        known = ", ".join(f"{name} (article {line.place[0]})" for name, line in sorted(here.items()))
        raise NotCorrected(f"there is no receipt line {receipt} of goods that came to stock; there are {known}")
    if amount is None:
        quantity, value = found.received[document.number, receipt]
        if merchant.settings.awaits_invoice(document.order_type) and found.open[document.number, receipt].quantity:
            text_ = "correct the price on the purchase order in the ERP and revalue (lagerbro cost preview), or give an amount"
            raise NotCorrected(f"receipt line {receipt} awaits its invoice, which says what it cost: {text_}")
        cost = number_of(str(content["unit_cost"]), 6) or ZERO
        amount = rounded(cost * quantity) - value - await _borne(connection, merchant, document.number, receipt)
        if not amount:
            raise NotCorrected(f"receipt line {receipt} costs {cost.normalize():f} a piece already")
    names = [receipt] if receipt else sorted(here, key=lambda name: [int(part) for part in name.split("/")])
    values = [found.received[document.number, name][1] for name in names]
    parts = [amount] if receipt else allocate(amount, values if any(values) else [Decimal(1)] * len(values))
    if amount < 0:
        for name, part in zip(names, parts, strict=True):
            cost_now = found.received[document.number, name][1] + await _borne(connection, merchant, document.number, name)
            if cost_now + part < 0:
                raise NotCorrected(f"receipt line {name} cost {cost_now}: it cannot become {-part} cheaper")
    lines = [(here[name], part) for name, part in zip(names, parts, strict=True) if part]
    return CostCorrection(tuple(lines), await _account(connection, merchant, document, content, [line for line, _ in lines]))


async def correct_cost(
    connection: Session,
    merchant: Merchant,
    document: PurchaseDocument,
    planned: CostCorrection,
    actor: str,
    reason: str,
    code_version: str,
) -> str:
    """Book it; returns in words what it came to."""
    await ledger.lock_pools(connection, merchant.merchant_id, {line.place for line, _ in planned.parts})
    now = await kept.now(connection)
    booking = Booking(
        f"cost-correction/{document.number}",
        "cost-correction",
        document.number,
        planned.account,
        planned.account,
        merchant.day_of(now),
        actor,
        reason,
        value=planned.amount,
        price=planned.amount,
    )
    step = await book_late_cost(connection, merchant, booking, planned.parts, now, code_version)
    split = await one(connection, _SPLIT, merchant=merchant.merchant_id, document=booking.document, step=step)
    way = "dearer" if planned.amount > 0 else "cheaper"
    where = f"{split.to_stock} on what is here, {split.to_sold} on what is sold"
    return f"{abs(planned.amount)} {merchant.currency} {way}: {where}, against account {planned.account}"


async def _borne(connection: Session, merchant: Merchant, purchase: str, receipt: str) -> Decimal:
    """What a receipt line became dearer by since it came."""
    key = {"merchant": merchant.merchant_id, "purchase": purchase}
    found = [*await rows(connection, _BORNE, **key), *await rows(connection, _REVALUED, **key)]
    return sum((r.amount for r in found if f"{r.receipt_no}/{r.receipt_row_no}" == receipt), ZERO)


async def _account(
    connection: Session, merchant: Merchant, document: PurchaseDocument, content: Mapping[str, Any], lines: list[ReceiptLine]
) -> int:
    settings = merchant.settings
    given = str(content.get("account", "")).strip()
    account = int(given) if given else settings.purchase_difference_account
    if account is None:
        raise NotCorrected("say against which account: give account, or set purchase_difference_account in the settings")
    sides = await accounts_of(connection, merchant, f"purchase-order/{document.number}", [line.place for line in lines])
    taken = {number for both in sides.values() for number in both}
    taken |= {n for n in (settings.received_account, settings.invoiced_on, settings.supplier_claims_account) if n}
    if account in taken:
        raise NotCorrected(f"account {account} is one that receipts, invoices or sales are booked on: give another account")
    return account
