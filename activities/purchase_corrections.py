"""What a person's correction of a purchase order does, whichever it is: one transaction on the locked purchase order.

The audit row is written with the effect, under the caller's key: a repeat finds it and does nothing more. Above the merchant's
limit nothing is done, and what was asked for is kept until a second person says yes to its key; so it outlives the process.
"""

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from temporalio import activity

from activities.corrections import Asked
from activities.supplier_invoices import decide
from domain.errors import LookAgain, Refused
from domain.keys import InvoiceDecision
from domain.money import ZERO, rounded
from domain.purchase_corrections import SECOND_PERSON, PurchaseName
from erp import corrections, cost_corrections, purchases
from erp.counters import PURCHASE_ORDER
from erp.database import Database, Session, one, rows
from erp.merchants import Merchant, load_merchant
from erp.people import audit, audited
from erp.purchases import PurchaseDocument
from erp.rates import rate_for

_MISSING = text(
    """
    select l.article_number, l.unit_price, greatest(l.quantity - coalesce(r.quantity, 0), 0) as quantity
    from erp.purchase_order_line l
    left join (select line_number, sum(quantity) as quantity from erp.goods_receipt_line
               where merchant_id = :merchant and purchase_order_number = :number group by 1) as r using (line_number)
    where l.merchant_id = :merchant and l.purchase_order_number = :number
    """
)
_INVOICE = text(
    """
    select coalesce(sum(l.value), 0) as value from erp.supplier_invoice s
    join erp.supplier_invoice_line l using (merchant_id, fortnox_number, version)
    where s.merchant_id = :merchant and s.fortnox_number = :invoice
    """
)


@dataclass(frozen=True, slots=True)
class PurchaseCorrected:
    """What came of it, in words. `refused`: nothing was done, and why; `second_person`: it waits for somebody else's yes.

    `name`: which correction it was, also where a second person said yes by the key alone."""

    words: str = ""
    refused: str | None = None
    repeated: bool = False
    second_person: bool = False
    name: str = ""


class PurchaseCorrections:
    """Corrections of purchase orders."""

    def __init__(self, database: Database, code_version: str) -> None:
        self._database = database
        self._code_version = code_version

    @activity.defn
    async def correct_purchase(self, asked: Asked) -> PurchaseCorrected:
        """Do it, once for the caller's key. `approve_correction` does what was asked for under its key."""
        try:
            async with self._database.merchant(asked.merchant) as session:
                return await self._correct(session, asked)
        except (_NotDone, cost_corrections.NotCorrected, Refused) as why:
            return PurchaseCorrected(refused=str(why))
        except _NeedsAnother as needs:
            try:
                async with self._database.merchant(asked.merchant) as session:
                    return await _request(session, asked, needs)
            except _NotDone as why:
                return PurchaseCorrected(refused=str(why))

    async def _correct(self, session: Session, asked: Asked) -> PurchaseCorrected:
        document = await purchases.lock_purchase(session, asked.merchant, asked.number)
        if asked.name == SECOND_PERSON:
            asked = await _requested(session, asked)
        if (known := await _known(session, asked, asked.key, asked.name)) is not None:
            return known
        merchant = await load_merchant(session, asked.merchant)
        words, amount = await self._effect(session, merchant, document, asked)
        limit = merchant.settings.second_person_above
        if limit and abs(amount) > limit and asked.approved_by is None:
            raise _NeedsAnother(f"{rounded(abs(amount))} {merchant.currency}", f"{limit}")
        detail = corrections.detail_of(
            {"sent": _plain(asked.content)}, amount=str(amount), approved_by=asked.approved_by, came_to=words
        )
        if not await audit(
            session, asked.merchant, asked.by, asked.name, PURCHASE_ORDER, asked.number, asked.reason, detail, asked.key
        ):
            raise LookAgain(f"the key {asked.key} was used at the same moment")
        return PurchaseCorrected(words, name=asked.name)

    async def _effect(
        self, session: Session, merchant: Merchant, document: PurchaseDocument, asked: Asked
    ) -> tuple[str, Decimal]:
        """Do it, in the caller's transaction: what it came to in words, and what it is about in the books' currency."""
        match PurchaseName(asked.name):
            case PurchaseName.RETRY:
                return "tried again", ZERO
            case PurchaseName.CLOSE_SHORT:
                amount = await _not_to_come(session, merchant, document)
                if why := await corrections.close_purchase(session, asked.merchant, asked.number, asked.by, asked.reason):
                    raise _NotDone(why)
                return "close_short is done", amount
            case PurchaseName.CORRECT_COST:
                planned = await cost_corrections.plan_correction(session, merchant, document, asked.content)
                words = await cost_corrections.correct_cost(
                    session, merchant, document, planned, asked.by, asked.reason, self._code_version
                )
                return words, planned.amount
            case PurchaseName.APPROVE | PurchaseName.REJECT:
                reject, invoice = asked.name == PurchaseName.REJECT, int(asked.content["invoice"])
                row = await one(session, _INVOICE, merchant=asked.merchant, invoice=invoice)
                decision = InvoiceDecision(asked.merchant, asked.number, invoice, asked.by, asked.reason, reject)
                return await decide(session, decision), ZERO if reject else row.value


class _NotDone(Exception):
    """Takes the transaction back, with the words for the person."""


class _NeedsAnother(Exception):
    """Takes the transaction back: the amount, and the limit above which a second person is needed."""

    def __init__(self, amount: str, limit: str) -> None:
        super().__init__(amount)
        self.amount, self.limit = amount, limit


async def _not_to_come(session: Session, merchant: Merchant, document: PurchaseDocument) -> Decimal:
    """What the goods that are no longer expected would have cost; without a rate, by the figures of their own currency."""
    found = await rows(session, _MISSING, merchant=merchant.merchant_id, number=document.number)
    value = sum((row.quantity * row.unit_price for row in found), ZERO)
    if not value or document.currency == merchant.currency:
        return Decimal(value)
    now = (await one(session, text("select now() as now"))).now
    try:
        used = await rate_for(session, merchant.merchant_id, merchant.currency, document.currency, merchant.day_of(now))
    except Refused:
        return Decimal(value)
    return Decimal(value * used.rate)


async def _request(session: Session, asked: Asked, needs: _NeedsAnother) -> PurchaseCorrected:
    """Keep what was asked for until a second person says yes. The same again changes nothing."""
    key = f"{asked.key}/requested"
    detail = corrections.detail_of({"sent": _plain(asked.content)}, name=asked.name, amount=needs.amount, limit=needs.limit)
    action = f"{asked.name} requested"
    if not await audit(session, asked.merchant, asked.by, action, PURCHASE_ORDER, asked.number, asked.reason, detail, key):
        await _known(session, asked, key, action)
    return PurchaseCorrected(f"{needs.amount} is above the limit of {needs.limit}", second_person=True)


async def _requested(session: Session, approval: Asked) -> Asked:
    """What waits under the key that a second person says yes to."""
    held = await audited(session, approval.merchant, f"{approval.key}/requested")
    if held is None or held["kind"] != PURCHASE_ORDER or held["document"] != approval.number:
        raise _NotDone(f"nothing waits for approval under {approval.key}")
    if held["actor"].strip().casefold() == approval.by.strip().casefold():
        raise _NotDone(f"{held['actor']} asked for it: another person must approve")
    kept = _detail(held)
    return replace(
        approval, name=kept["name"], by=held["actor"], reason=held["reason"], content=kept["sent"], approved_by=approval.by
    )


async def _known(session: Session, asked: Asked, key: str, action: str) -> PurchaseCorrected | None:
    """What was done before under this key. Raises `_NotDone` when it was another correction."""
    held = await audited(session, asked.merchant, key)
    if held is None:
        return None
    kept = _detail(held)
    said = (held["action"], held["kind"], held["document"], kept.get("sent"))
    if said == (action, PURCHASE_ORDER, asked.number, _plain(asked.content)):
        return PurchaseCorrected(str(kept.get("came_to", "")), repeated=True)
    raise _NotDone(f"the key {asked.key} was used for another correction: take a new one")


def _detail(held: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = held["detail"] if isinstance(held["detail"], dict) else json.loads(held["detail"])
    return found


def _plain(content: dict[str, Any]) -> Any:
    return json.loads(json.dumps(content, sort_keys=True, default=str))
