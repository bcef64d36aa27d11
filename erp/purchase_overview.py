"""What people ask of the database about purchase orders. Read as `lagerbro_verify`, which sees every merchant and changes nothing."""

from typing import Any

from sqlalchemy import text

from erp.database import Session, one, rows

_PURCHASE = text(
    """
    select p.purchase_order_number, p.supplier_number, p.status, p.currency, p.order_date, p.expected_on, p.version, l.sent_version,
      p.refused_version, p.refused_code, p.cancel_requested_at, p.closed_by, p.close_reason, p.created_at, p.status_changed_at
    from erp.purchase_order p
    left join bridge.link l on l.merchant_id = p.merchant_id and l.system = 'ongoing' and l.kind = 'purchase-order'
      and l.our_key = p.purchase_order_number
    where p.merchant_id = :merchant and p.purchase_order_number = :number
    """
)
_LINES = text(
    """
    select o.line_number, coalesce(o.article_number, g.article_number) as article_number, o.quantity as ordered, o.unit_price,
      coalesce(g.quantity, 0) as received, coalesce(g.value, 0) as value
    from (select * from erp.purchase_order_line where merchant_id = :merchant and purchase_order_number = :number) as o
    full join (select line_number, article_number, sum(quantity) as quantity, sum(value) as value from erp.goods_receipt_line
               where merchant_id = :merchant and purchase_order_number = :number group by 1, 2) as g using (line_number)
    order by 1 nulls last, 2
    """
)
_RECEIPTS = text(
    """
    select receipt_no, row_no, line_number, article_number, quantity, unit_price, currency, exchange_rate, rate_date, value, received_at
    from erp.goods_receipt_line where merchant_id = :merchant and purchase_order_number = :number order by receipt_no, row_no
    """
)
_INVOICES = text(
    """
    select s.fortnox_number, s.invoice_number, s.invoice_date, s.currency, s.exchange_rate, coalesce(l.amount, 0) as amount,
      coalesce(l.value, 0) as value, s.state, s.match_state, s.why, s.decision, s.decided_by
    from erp.supplier_invoice s
    left join lateral (select sum(amount) as amount, sum(value) as value from erp.supplier_invoice_line l
      where l.merchant_id = s.merchant_id and l.fortnox_number = s.fortnox_number and l.version = s.version) as l on true
    where s.merchant_id = :merchant and s.purchase_order_number = :number order by 1
    """
)
_BOOKINGS = text(
    """
    select b.document, b.step, b.kind, b.accounting_date, b.value, b.cleared, b.rate, b.price, b.claimed, b.difference, b.exchange,
      coalesce(l.to_stock, 0) as to_stock, coalesce(l.to_sold, 0) as to_sold, b.actor, b.reason
    from erp.purchase_booking b
    left join lateral (select sum(to_stock) as to_stock, sum(to_sold) as to_sold from erp.late_cost l
      where l.merchant_id = b.merchant_id and l.document = b.document and l.step = b.step) as l on true
    where b.merchant_id = :merchant and b.purchase_order_number = :number order by b.booked_at, b.document, b.step
    """
)
_CLAIMS = text(
    """
    select claimed_by, article_number, sum(quantity) as quantity, sum(value) as value from erp.claim
    where merchant_id = :merchant and purchase_order_number = :number
    group by 1, 2 having sum(quantity) <> 0 or sum(value) <> 0 order by 1, 2
    """
)
_ENTERED = text(
    """
    select 'landed-cost/' || landed_cost_number as document, amount, allocation_key as how, state, entered_by, reason
    from erp.landed_cost where merchant_id = :merchant and :number = any(purchases)
    union all
    select 'supplier-return/' || supplier_return_number, quantity, article_number, state, entered_by, reason
    from erp.supplier_return where merchant_id = :merchant and purchase_order_number = :number order by 1
    """
)
_PROCESSES = text(
    """
    select run, started_at, ended_at, outcome from bridge.process
    where merchant_id = :merchant and kind = 'purchase-order' and document = :number order by run
    """
)
_EXCEPTIONS = text(
    """
    select code, detail, blocking, opened_at, closed_at from bridge.exception
    where merchant_id = :merchant and kind = 'purchase-order' and document = :number order by exception_no
    """
)
_LIST = text(
    """
    select p.merchant_id, p.purchase_order_number, p.supplier_number, p.status, p.expected_on, p.status_changed_at, x.code as attention
    from erp.purchase_order p
    left join lateral (select code from bridge.exception x where x.merchant_id = p.merchant_id and x.kind = 'purchase-order'
      and x.document = p.purchase_order_number and x.closed_at is null order by x.blocking desc, opened_at limit 1) as x on true
    where (cast(:merchant as text) is null or p.merchant_id = :merchant) and (:all or p.status not in ('invoiced', 'completed', 'cancelled'))
    order by p.status_changed_at desc limit :most
    """
)


async def purchase_overview(connection: Session, merchant: str, number: str) -> dict[str, Any] | None:
    """The whole of one purchase order; None when there is no such purchase order."""
    key = {"merchant": merchant, "number": number}
    found = await one(connection, _PURCHASE, **key)
    if found is None:
        return None
    parts = {"lines": _LINES, "receipts": _RECEIPTS, "processes": _PROCESSES, "exceptions": _EXCEPTIONS}
    parts |= {"invoices": _INVOICES, "bookings": _BOOKINGS, "claims": _CLAIMS, "entered": _ENTERED}
    return dict(found._mapping) | {
        name: [dict(row._mapping) for row in await rows(connection, statement, **key)] for name, statement in parts.items()
    }


async def purchase_list(connection: Session, merchant: str | None, everything: bool, most: int) -> list[dict[str, Any]]:
    """Purchase orders under way, the last changed first; `everything` takes the finished ones too."""
    found = await rows(connection, _LIST, merchant=merchant, all=everything, most=most)
    return [dict(row._mapping) for row in found]
