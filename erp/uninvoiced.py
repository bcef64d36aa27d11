"""Goods received and not invoiced as of an accounting date, by age, and how it ties to the account it stands on.

Read as `lagerbro_verify`. A receipt counts from its accounting day, an invoice from the day it is booked on.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.money import ZERO
from erp.database import Session, one, rows

AGES = (30, 60, 90)

_OPEN = text(
    """
    select r.purchase_order_number, p.supplier_number, r.receipt_no, r.row_no, r.article_number,
      (r.received_at at time zone m.time_zone)::date as received_on, r.currency,
      r.quantity + coalesce(b.quantity, 0) - coalesce(i.quantity, 0) as quantity,
      r.value + coalesce(b.value, 0) + coalesce(v.amount, 0) - coalesce(i.cleared, 0) as value
    from erp.goods_receipt_line r
    join erp.merchant m using (merchant_id)
    join erp.purchase_order p using (merchant_id, purchase_order_number)
    join erp.goods_receipt g using (merchant_id, purchase_order_number, receipt_no)
    left join lateral (select sum(t.quantity) as quantity, sum(t.value) as value from erp.goods_receipt_line t
      where t.merchant_id = r.merchant_id and t.doc_id = r.doc_id and t.line_id = r.line_id and t.reverses_step = r.step
        and (t.received_at at time zone m.time_zone)::date <= :as_of) as b on true
    left join lateral (select sum(i.quantity) as quantity, sum(i.cleared) as cleared from erp.invoice_match i
      join erp.purchase_booking k using (merchant_id, document, step)
      where i.merchant_id = r.merchant_id and i.purchase_order_number = r.purchase_order_number and i.receipt_no = r.receipt_no
        and i.receipt_row_no = r.row_no and k.accounting_date <= :as_of) as i on true
    left join lateral (select sum(t.amount) as amount from erp.revaluation_line t
      join erp.revaluation k using (merchant_id, revaluation_no)
      where t.merchant_id = r.merchant_id and t.purchase_order_number = r.purchase_order_number and t.receipt_no = r.receipt_no
        and t.receipt_row_no = r.row_no and k.accounting_date <= :as_of) as v on true
    where r.merchant_id = :merchant and r.in_stock and r.quantity > 0 and (r.received_at at time zone m.time_zone)::date <= :as_of
      and exists (select from erp.posting q join erp.posting_row w using (merchant_id, posting_no) where q.merchant_id = g.merchant_id
        and q.transaction_no = g.transaction_no and q.event = 'goods-received' and w.account = :account)
      and (r.quantity + coalesce(b.quantity, 0) - coalesce(i.quantity, 0) <> 0
        or r.value + coalesce(b.value, 0) + coalesce(v.amount, 0) - coalesce(i.cleared, 0) <> 0)
    order by received_on, 1, 3, 4
    """
)
_ACCOUNT = text(
    """
    select cast(settings->>'goods_received_not_invoiced_account' as int) as account from bridge.merchant_settings
    where merchant_id = :merchant
    """
)
_TIE = text(
    """
    select coalesce((select sum(w.debit - w.credit) from erp.posting q join erp.posting_row w using (merchant_id, posting_no)
        where q.merchant_id = :merchant and w.account = :account and q.accounting_date <= :as_of), 0) as posted,
      coalesce((select sum(b.value) from erp.purchase_booking b where b.merchant_id = :merchant and b.account = :account
        and b.kind in ('match', 'delivery', 'reversal') and b.accounting_date <= :as_of), 0) as invoiced,
      coalesce((select sum(b.claimed) from erp.purchase_booking b where b.merchant_id = :merchant and b.claims_account = :account
        and b.kind <> 'landed-cost' and b.accounting_date <= :as_of), 0) as claimed,
      coalesce((select sum(l.value) from erp.supplier_invoice s join erp.supplier_invoice_line l using (merchant_id, fortnox_number, version)
        where s.merchant_id = :merchant and l.account = :account and s.in_books and not s.cancelled and s.state <> 'booked'
          and s.invoice_date <= :as_of), 0) as unmatched
    """
)


@dataclass(frozen=True, slots=True)
class Uninvoiced:
    """The open receipts with their sum; claims that wait on the account, what the account holds with the matched invoices, and
    what is booked on it in the accounting and not matched."""

    account: int
    as_of: date
    rows: list[dict[str, Any]]
    value: Decimal
    claimed: Decimal
    on_account: Decimal
    unmatched: Decimal

    @property
    def gap(self) -> Decimal:
        """What nobody can explain: zero."""
        return self.on_account - (self.claimed - self.value)

    @property
    def by_age(self) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = {}
        for row in self.rows:
            below = next((age for age in AGES if row["days"] <= age), None)
            name = f"up to {below} days" if below else f"more than {AGES[-1]} days"
            sums[name] = sums.get(name, ZERO) + row["value"]
        return sums


async def uninvoiced(connection: Session, merchant: str, as_of: date) -> Uninvoiced | None:
    """What was received up to the day and not invoiced up to it, oldest first; None without an account for it."""
    account = await one(connection, _ACCOUNT, merchant=merchant)
    if account is None or account.account is None:
        return None
    key = {"merchant": merchant, "account": account.account, "as_of": as_of}
    found = [dict(row._mapping) for row in await rows(connection, _OPEN, **key)]
    for row in found:
        row["days"] = (as_of - row["received_on"]).days
    tie = await one(connection, _TIE, **key)
    value = sum((row["value"] for row in found), ZERO)
    return Uninvoiced(account.account, as_of, found, value, tie.claimed, tie.posted + tie.invoiced, tie.unmatched)
