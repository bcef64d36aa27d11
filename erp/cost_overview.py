"""What a person asks about the worth of stock: one article in all its figures, and the stock list as of an accounting day."""

from datetime import date
from typing import Any

from sqlalchemy import text

from erp.database import Session, one, rows

_ARTICLE = text(
    """
    select coalesce(s.settings->>'costing_method', 'moving-average') as method
    from erp.article a left join bridge.merchant_settings s using (merchant_id)
    where a.merchant_id = :merchant and a.article_number = :article
    """
)
_CALCULATED = text(
    """
    select calculated_cost, price, currency, exchange_rate, rate_date, landed_percent, set_by, reason, calculated_at
    from erp.article_cost where merchant_id = :merchant and article_number = :article
    """
)
_STOCK = text(
    """
    select warehouse, quantity, value, booked_cost from erp.article_costs
    where merchant_id = :merchant and article_number = :article and warehouse is not null order by warehouse
    """
)
_LAYERS = text(
    """
    select warehouse, layer_no, received, quantity, value from erp.stock_layer
    where merchant_id = :merchant and article_number = :article order by warehouse, layer_no
    """
)
_STANDARD = text(
    """
    select valid_from, price, written_at from erp.standard_cost
    where merchant_id = :merchant and article_number = :article order by valid_from desc limit 10
    """
)
_RECEIVED = text(
    """
    select purchase_order_number as purchase, receipt_no, row_no, quantity, value, unit_price, currency, exchange_rate, received_at
    from erp.received_not_invoiced
    where merchant_id = :merchant and article_number = :article and (quantity <> 0 or value <> 0) order by received_at
    """
)
_ENTRIES = text(
    """
    select e.entry_no, e.warehouse, e.kind, e.quantity, e.value, e.document, p.accounting_date, e.occurred_at
    from erp.stock_entry e left join erp.posting p using (merchant_id, posting_no)
    where e.merchant_id = :merchant and e.article_number = :article order by e.entry_no desc limit 20
    """
)
_AS_OF = text(
    """
    select e.article_number as article, e.warehouse, sum(e.quantity) as quantity, sum(e.value) as value,
      case when sum(e.quantity) <> 0 then round(sum(e.value) / sum(e.quantity), 6) end as cost
    from erp.stock_entry e left join erp.posting p using (merchant_id, posting_no)
    where e.merchant_id = :merchant and coalesce(p.accounting_date, (e.occurred_at at time zone :zone)::date) <= :on
    group by e.article_number, e.warehouse having sum(e.quantity) <> 0 or sum(e.value) <> 0
    order by e.article_number, e.warehouse
    """
)


async def cost_of_article(connection: Session, merchant: str, article: str) -> dict[str, Any] | None:
    """An article's costs and what they rest on; None when the ERP has no such article."""
    key = {"merchant": merchant, "article": article}
    known = await one(connection, _ARTICLE, **key)
    if known is None:
        return None
    calculated = await one(connection, _CALCULATED, **key)
    parts = {"stock": _STOCK, "layers": _LAYERS, "standard": _STANDARD, "received": _RECEIVED, "entries": _ENTRIES}
    found = {name: [dict(row._mapping) for row in await rows(connection, query, **key)] for name, query in parts.items()}
    shown = None if calculated is None else dict(calculated._mapping)
    return {"article": article, "method": known.method, "calculated": shown} | found


async def stock_as_of(connection: Session, merchant: str, on: date, zone: str) -> list[dict[str, Any]]:
    """Pieces and value of each article at the end of an accounting day. What has no value is dated by when it happened."""
    return [dict(row._mapping) for row in await rows(connection, _AS_OF, merchant=merchant, on=on, zone=zone)]
