"""What people ask of the database about returns. Read as `lagerbro_verify`, which sees every merchant and can change nothing."""

from typing import Any

from sqlalchemy import text

from erp.database import Session, one, rows

_RETURN = text(
    """
    select return_number, order_number, origin, status, credit, credit_freight, decided_by, decision, version, created_at,
      status_changed_at
    from erp.return_order where merchant_id = :merchant and return_number = :number
    """
)
_LINES = text(
    """
    select coalesce(l.line_number, g.line_number, s.line_number) as line_number, l.quantity as announced, l.cause_code,
      coalesce(g.quantity, 0) as came_back, coalesce(s.credited, 0) as credited, coalesce(s.settled, 0) as settled_otherwise
    from (select * from erp.return_order_line where merchant_id = :merchant and return_number = :number) as l
    full join (select line_number, sum(quantity) as quantity from erp.returned_goods
               where merchant_id = :merchant and return_number = :number and line_number is not null group by 1) as g
      using (line_number)
    full join (select line_number, sum(quantity) filter (where outcome = 'credited') as credited,
                 sum(quantity) filter (where outcome <> 'credited') as settled
               from erp.return_settlement where merchant_id = :merchant and return_number = :number group by 1) as s
      using (line_number)
    order by 1
    """
)
_CAME = text(
    """
    select line_number, article_number, quantity, cause_code, grade, occurred_at from erp.returned_goods
    where merchant_id = :merchant and return_number = :number order by booked_at, line_id, step, part
    """
)
_CREDITS = text(
    """
    select b.basis_no, b.state, b.net, b.vat, i.fortnox_invoice_number as credits_invoice, b.fortnox_invoice_number, b.booked_at
    from erp.invoice_basis b join erp.invoice_basis i on i.merchant_id = b.merchant_id and i.basis_no = b.credits_basis_no
      and i.part = b.credits_part
    where b.merchant_id = :merchant and b.return_number = :number order by b.basis_no
    """
)
_PROCESSES = text(
    """
    select run, started_at, ended_at, outcome from bridge.process
    where merchant_id = :merchant and kind = 'return' and document = :number order by run
    """
)
_EXCEPTIONS = text(
    """
    select code, detail, blocking, opened_at, closed_at from bridge.exception
    where merchant_id = :merchant and kind = 'return' and document = :number order by exception_no
    """
)
_LIST = text(
    """
    select r.merchant_id, r.return_number, r.order_number, r.origin, r.status, r.status_changed_at, x.code as blocked
    from erp.return_order r
    left join lateral (select code from bridge.exception x where x.merchant_id = r.merchant_id and x.kind = 'return'
      and x.document = r.return_number and x.closed_at is null and x.blocking order by opened_at limit 1) as x on true
    where (cast(:merchant as text) is null or r.merchant_id = :merchant) and (:all or r.status not in ('completed', 'cancelled'))
    order by r.status_changed_at desc limit :most
    """
)
_STANDING = text(
    """
    select line_number, coalesce(sent.quantity, 0) as sent, coalesce(back.quantity, 0) as back,
      coalesce(under_way.coming, 0) as coming, coalesce(credited.quantity, 0) as credited,
      coalesce(under_way.crediting, 0) as crediting
    from (select line_number from erp.sales_order_line where merchant_id = :merchant and order_number = :order) as lines
    left join (select line_number, sum(quantity) as quantity from erp.shipment_line
      where merchant_id = :merchant and order_number = :order group by 1) as sent using (line_number)
    left join (select line_number, sum(quantity) as quantity from erp.returned_goods
      where merchant_id = :merchant and order_number = :order group by 1) as back using (line_number)
    left join (select s.line_number, sum(s.quantity) as quantity
      from erp.return_settlement s join erp.return_order r using (merchant_id, return_number)
      where merchant_id = :merchant and r.order_number = :order and s.outcome = 'credited' group by 1) as credited
      using (line_number)
    left join (
      select l.line_number,
        sum(greatest(l.quantity - coalesce(came.quantity, 0), 0)) filter (where r.origin <> 'credit') as coming,
        sum(greatest(l.quantity - coalesce(settled.quantity, 0), 0)) filter (where r.credit) as crediting
      from erp.return_order r join erp.return_order_line l using (merchant_id, return_number)
      left join lateral (select sum(g.quantity) as quantity from erp.returned_goods g where g.merchant_id = r.merchant_id
        and g.return_number = r.return_number and g.line_number = l.line_number) as came on true
      left join lateral (select sum(s.quantity) as quantity from erp.return_settlement s where s.merchant_id = r.merchant_id
        and s.return_number = r.return_number and s.line_number = l.line_number) as settled on true
      where merchant_id = :merchant and r.order_number = :order and r.status not in ('completed', 'cancelled')
      group by 1) as under_way using (line_number)
    order by 1
    """
)


async def return_overview(connection: Session, merchant: str, number: str) -> dict[str, Any] | None:
    """The whole of one return, without anything personal; None when there is no such return."""
    key = {"merchant": merchant, "number": number}
    found = await one(connection, _RETURN, **key)
    if found is None:
        return None
    parts = {"lines": _LINES, "came_back": _CAME, "credits": _CREDITS, "processes": _PROCESSES, "exceptions": _EXCEPTIONS}
    return dict(found._mapping) | {
        name: [dict(row._mapping) for row in await rows(connection, statement, **key)] for name, statement in parts.items()
    }


async def return_list(connection: Session, merchant: str | None, everything: bool, most: int) -> list[dict[str, Any]]:
    """Returns under way, the last changed first; `everything` takes the finished ones too."""
    found = await rows(connection, _LIST, merchant=merchant, all=everything, most=most)
    return [dict(row._mapping) for row in found]


async def standing_of_lines(connection: Session, merchant: str, order: str) -> list[Any]:
    """Of each line of a sales order: what was sent, is back, is credited, and is announced or to be credited by open returns."""
    return await rows(connection, _STANDING, merchant=merchant, order=order)
