"""What people ask of the database: an order with all that belongs to it, what is open, what stands still, and the totals.

Read as `lagerbro_verify`, which sees every merchant and can change nothing.
"""

from typing import Any

from sqlalchemy import text

from erp.database import Session, one, rows

_ORDER = text(
    """
    select order_number, status, customer_number, currency, price_basis, order_date, version, released_at, status_changed_at
    from erp.sales_order where merchant_id = :merchant and order_number = :number
    """
)
_LINES = text(
    """
    select line_number, article_number, ordered, picked, shipped, invoiced, remaining from erp.sales_order_line_progress
    where merchant_id = :merchant and order_number = :number order by line_number
    """
)
_NOT_IN_STOCK = text(
    """
    select l.line_number, l.article_number, l.ordered - l.picked as to_pick, coalesce(sum(b.quantity), 0) as in_stock
    from erp.sales_order_line_progress l
    join erp.sales_order o using (merchant_id, order_number)
    join erp.article a using (merchant_id, article_number)
    left join erp.stock_balance b using (merchant_id, article_number)
    where l.merchant_id = :merchant and l.order_number = :number and a.stock_article
      and o.status in ('at-warehouse', 'picking', 'part-shipped')
    group by l.line_number, l.article_number, l.ordered, l.picked
    having l.ordered - l.picked > greatest(coalesce(sum(b.quantity), 0), 0) order by l.line_number
    """
)
_PROCESSES = text(
    """
    select run, workflow_id, started_at, ended_at, outcome from bridge.process
    where merchant_id = :merchant and kind = 'sales-order' and document = :number order by run
    """
)
_DOCUMENTS = text(
    """
    select w.doc_id as ongoing_order_id, o.back_order_for, w.status, o.meaning, o.way_of_delivery, o.transporter,
      o.shipped_at, w.looked_at, w.look_owed
    from bridge.watched w left join erp.warehouse_order o on o.merchant_id = w.merchant_id and o.warehouse_order_id = w.doc_id
    where w.merchant_id = :merchant and w.kind = 'sales-order' and w.document = :number order by w.doc_id
    """
)
_PARCELS = text(
    """
    select p.parcel_number, p.tracking_number, p.tracking_url from erp.parcel p join erp.warehouse_order o
      using (merchant_id, warehouse_order_id)
    where p.merchant_id = :merchant and o.order_number = :number order by p.warehouse_order_id, p.parcel_key
    """
)
_SHIPMENTS = text(
    "select shipment_no, reason, shipped_at from erp.shipment where merchant_id = :merchant and order_number = :number order by 1"
)
_INVOICES = text(
    """
    select basis_no, part, kind, shipment_no, reference, state, net, vat, fortnox_invoice_number, fortnox_voucher, booked_at
    from erp.invoice_basis where merchant_id = :merchant and order_number = :number order by basis_no, part
    """
)
_EXCEPTIONS = text(
    """
    select code, detail, blocking, opened_at, closed_at from bridge.exception
    where merchant_id = :merchant and kind = 'sales-order' and document = :number order by exception_no
    """
)
_LIST = text(
    """
    select o.merchant_id, o.order_number, o.status, o.status_changed_at,
      case when o.status in ('completed', 'cancelled') then null when o.status = 'draft' then 'the ERP to release it'
           when exists (select from erp.invoice_basis b where b.merchant_id = o.merchant_id and b.order_number = o.order_number
                        and b.state = 'open') then 'accounting'
           when o.status = 'released' then 'being sent' else 'the warehouse' end as waits_for,
      x.code as blocked, x.opened_at as blocked_since
    from erp.sales_order o
    left join lateral (select code, opened_at from bridge.exception x where x.merchant_id = o.merchant_id and x.kind = 'sales-order'
      and x.document = o.order_number and x.closed_at is null and x.blocking order by opened_at limit 1) as x on true
    where (cast(:merchant as text) is null or o.merchant_id = :merchant) and (:all or :blocked or o.status not in ('completed', 'cancelled'))
      and (not :blocked or x.code is not null)
    order by o.status_changed_at desc limit :most
    """
)
_TOTALS = text(
    """
    select
      (select count(*) from erp.sales_order where merchant_id = m.merchant_id and status <> 'draft') as orders,
      (select count(*) from erp.sales_order where merchant_id = m.merchant_id and status = 'completed') as completed,
      (select count(*) from erp.sales_order where merchant_id = m.merchant_id and status = 'cancelled') as cancelled,
      (select count(*) from erp.shipment where merchant_id = m.merchant_id) as shipments,
      (select count(*) from erp.invoice_basis where merchant_id = m.merchant_id and state = 'booked') as invoices,
      (select coalesce(sum(fortnox_net), 0) from erp.invoice_basis where merchant_id = m.merchant_id and state = 'booked') as invoiced_net,
      (select coalesce(sum(value), 0) from erp.stock_balance where merchant_id = m.merchant_id) as stock_value,
      (select coalesce(sum(quantity), 0) from erp.stock_balance where merchant_id = m.merchant_id) as stock_quantity,
      (select coalesce(sum(to_sold), 0) from erp.late_cost where merchant_id = m.merchant_id)
        + (select coalesce(-sum(e.value), 0) from erp.stock_entry e
        left join erp.posting p on p.merchant_id = e.merchant_id and p.posting_no = e.posting_no
        where e.merchant_id = m.merchant_id
          and e.kind in ('pick', 'pick-reversal', 'true-up', 'return', 'return-scrapped', 'return-reversal')
          and coalesce(p.event, '') not in ('goods-transferred', 'goods-transferred-reversed')) as cost_of_goods_sold,
      (select count(*) from bridge.exception where merchant_id = m.merchant_id and closed_at is null and blocking) as blocked,
      (select count(*) from bridge.exception where merchant_id = m.merchant_id and closed_at is null and not blocking) as noted,
      (select count(*) from bridge.surplus_document where merchant_id = m.merchant_id) as surplus_documents
    from erp.merchant m where m.merchant_id = :merchant
    """
)
_MOVING = text(
    """
    select
      (select count(*) from bridge.outbox where delivered_at is null) as outbox,
      (select count(*) from bridge.inbox where applied_at is null) as inbox,
      (select count(*) from erp.sales_order o where status not in ('draft', 'completed', 'cancelled') and not exists (
        select from bridge.exception x where x.merchant_id = o.merchant_id and x.kind = 'sales-order' and x.document = o.order_number
          and x.closed_at is null and x.blocking)) as orders,
      (select count(*) from bridge.exception where closed_at is null and blocking) as blocked
    """
)
_OPEN_EXCEPTIONS = text(
    """
    select merchant_id, kind, document, code, detail, blocking, opened_at from bridge.exception
    where closed_at is null and (cast(:merchant as text) is null or merchant_id = :merchant) order by opened_at limit :most
    """
)


async def order_overview(connection: Session, merchant: str, number: str) -> dict[str, Any] | None:
    """The whole chain of one order, without anything personal; None when there is no such order."""
    key = {"merchant": merchant, "number": number}
    order = await one(connection, _ORDER, **key)
    if order is None:
        return None
    parts = {
        "lines": _LINES,
        "not_in_stock": _NOT_IN_STOCK,
        "processes": _PROCESSES,
        "warehouse_documents": _DOCUMENTS,
        "shipments": _SHIPMENTS,
    }
    parts |= {"parcels": _PARCELS, "invoices": _INVOICES, "exceptions": _EXCEPTIONS}
    return dict(order._mapping) | {
        name: [dict(row._mapping) for row in await rows(connection, statement, **key)] for name, statement in parts.items()
    }


async def order_list(
    connection: Session, merchant: str | None, everything: bool, blocked: bool, most: int
) -> list[dict[str, Any]]:
    """Orders under way, oldest change first; `everything` takes the finished ones too."""
    found = await rows(connection, _LIST, merchant=merchant, all=everything, blocked=blocked, most=most)
    return [dict(row._mapping) for row in found]


async def totals(connection: Session, merchant: str) -> dict[str, Any]:
    """A merchant in figures."""
    row = await one(connection, _TOTALS, merchant=merchant)
    return dict(row._mapping) if row else {}


async def moving(connection: Session) -> dict[str, int]:
    """How much is still on its way, over all merchants: undelivered messages, and orders neither ended nor blocked."""
    return dict((await one(connection, _MOVING))._mapping)


async def open_exceptions(connection: Session, merchant: str | None, most: int = 100) -> list[dict[str, Any]]:
    """What stands still or deserves a look, oldest first."""
    return [dict(row._mapping) for row in await rows(connection, _OPEN_EXCEPTIONS, merchant=merchant, most=most)]
