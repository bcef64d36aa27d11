"""What a person's correction does to an order's rows, each with its audit row in the same transaction.

A function says in words why it cannot be done; then nothing was written. The ERP's own triggers tell the process of what changed.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.corrections import quantity_of
from domain.keys import BasisKey
from erp.counters import SALES_ORDER
from erp.database import Session, one, rows

ADDRESS = ("name", "address1", "address2", "post_code", "city", "country", "email", "phone", "instruction")

_LINES = text(
    """
    select l.line_number, l.article_number, l.quantity, l.unit_price * (1 - l.discount_percent / 100) * coalesce(o.exchange_rate, 1)
      as price
    from erp.sales_order_line l join erp.sales_order o using (merchant_id, order_number)
    where l.merchant_id = :merchant and l.order_number = :number order by l.line_number
    """
)
_UNSENT = text(
    """
    select coalesce(sum((l.quantity - coalesce(d.quantity, 0)) * l.unit_price * (1 - l.discount_percent / 100)
      * coalesce(o.exchange_rate, 1)), 0) as amount
    from erp.sales_order_line l join erp.sales_order o using (merchant_id, order_number)
    left join (select line_number, sum(quantity) as quantity from erp.shipment_line
               where merchant_id = :merchant and order_number = :number group by 1) as d using (line_number)
    where l.merchant_id = :merchant and l.order_number = :number
    """
)
_CANCEL = text(
    """
    update erp.sales_order set cancel_requested_at = coalesce(cancel_requested_at, now())
    where merchant_id = :merchant and order_number = :number
    """
)
_PARKED = text(
    "select * from bridge.parked_address where merchant_id = :merchant and parked = :parked and order_number = :number"
)
_UNPARK = text("delete from bridge.parked_address where merchant_id = :merchant and parked = :parked")
_PARK = text(
    f"""
    insert into bridge.parked_address (merchant_id, parked, order_number, {", ".join(ADDRESS)})
    values (:merchant, :parked, :number, {", ".join(":" + name for name in ADDRESS)})
    on conflict (merchant_id, parked) do nothing returning parked
    """
)
_READDRESS = text(
    """
    update erp.sales_order set delivery_name = :name, delivery_address1 = :address1, delivery_address2 = :address2,
      delivery_post_code = :post_code, delivery_city = :city, delivery_country = :country, delivery_email = :email,
      delivery_phone = :phone, delivery_instruction = coalesce(:instruction, delivery_instruction), version = version + 1
    where merchant_id = :merchant and order_number = :number
    """
)
_CHANGE_LINES = text(
    "select bridge.change_order_lines(:merchant, :number, cast(:lines as int[]), cast(:quantities as numeric[]))"
)
_SPLIT = text(
    """
    select bridge.split_order(:merchant, :number, :new, cast(:lines as int[]), cast(:quantities as numeric[]),
      cast(:left as numeric[]))
    """
)
_SHORT = text(
    """
    update bridge.watched set short_since = '2000-01-01' where merchant_id = :merchant and kind = :kind and document = :number
      and short_since is not null returning doc_id
    """
)
_IS_SENT = text(
    """
    select exists (select from bridge.link k where k.merchant_id = :merchant and k.system = 'ongoing' and k.kind = 'sales-order'
        and k.our_key = :number) as linked,
      (select extract(epoch from greatest(s.unclear_until, s.sending_until) - clock_timestamp()) from bridge.order_sent s
        where s.merchant_id = :merchant and s.order_number = :number) as alive_for,
      exists (select from erp.sales_order o where o.merchant_id = :merchant and o.order_number = :new) as taken
    """
)
_OPEN_BASIS = text(
    """
    select b.basis_no, b.part, b.revision, b.amount * b.exchange_rate as amount, b.reference,
      exists (select from bridge.foreign_call c where c.merchant_id = b.merchant_id and c.system = 'fortnox'
        and c.operation = 'create-invoice' and c.business_key = b.reference and c.state = 'sent'
        and c.settle_after > clock_timestamp()) as on_its_way
    from erp.invoice_basis b
    where b.merchant_id = :merchant and b.order_number = :number and b.state = 'open' order by b.basis_no, b.part limit 1
    """
)
_CLOSE_PURCHASE = text(
    """
    update erp.purchase_order set closed_by = :by, close_reason = :reason
    where merchant_id = :merchant and purchase_order_number = :number and closed_by is null
      and status not in ('draft', 'received', 'invoiced', 'completed', 'cancelled') returning purchase_order_number
    """
)
_PURCHASE = text(
    "select status, closed_by from erp.purchase_order where merchant_id = :merchant and purchase_order_number = :number"
)
_HANDLED = text(
    """
    update erp.invoice_basis set state = 'cancelled'
    where merchant_id = :merchant and basis_no = :basis and part = :part and state = 'open'
    """
)
_REDATE = text(
    """
    update erp.invoice_basis set invoice_date = cast(:day as text)::date
    where merchant_id = :merchant and basis_no = :basis and part = :part and state = 'open'
    """
)


async def amount_of(connection: Session, name: str, merchant: str, number: str, content: Mapping[str, Any]) -> Decimal:
    """What a correction is about, in the books' currency: what is no longer sold, or is invoiced elsewhere."""
    key = {"merchant": merchant, "number": number}
    if name in ("cancel", "accept_short"):
        return abs(Decimal((await one(connection, _UNSENT, **key)).amount))
    if name == "change_lines":
        wanted = {int(each["line"]): quantity_of(str(each["quantity"])) for each in content["lines"]}
        found = await rows(connection, _LINES, **key)
        return sum(
            (
                abs((wanted[row.line_number] or Decimal(0)) - row.quantity) * row.price
                for row in found
                if row.line_number in wanted
            ),
            Decimal(0),
        )
    if name in ("handled_outside", "adopt"):
        basis = await one(connection, _OPEN_BASIS, **key)
        return abs(Decimal(basis.amount)) if basis else Decimal(0)
    return Decimal(0)


async def ask_to_cancel(connection: Session, merchant: str, number: str) -> str | None:
    """As when the ERP asks: the process hears it from the order's own row."""
    await connection.execute(_CANCEL, {"merchant": merchant, "number": number})
    return None


async def park_address(connection: Session, merchant: str, number: str, parked: str, address: Mapping[str, str | None]) -> bool:
    """Keep an address until a correction takes it: personal data stay in PostgreSQL. False when the name is taken."""
    values = {name: address.get(name) for name in ADDRESS}
    return await one(connection, _PARK, merchant=merchant, number=number, parked=parked, **values) is not None


async def take_address(connection: Session, merchant: str, number: str, parked: str) -> str | None:
    """Put a parked address on the order, and forget it where it was parked."""
    row = await one(connection, _PARKED, merchant=merchant, parked=parked, number=number)
    if row is None:
        return f"no address is parked for order {number} under {parked}: park one first (lagerbro park-address)"
    values = {name: getattr(row, name) for name in ADDRESS}
    await connection.execute(_READDRESS, {"merchant": merchant, "number": number} | values)
    await connection.execute(_UNPARK, {"merchant": merchant, "parked": parked})
    return None


async def change_lines(connection: Session, merchant: str, number: str, lines: Sequence[Mapping[str, Any]]) -> str | None:
    """Set lines to new quantities; 0 removes a line. Something must be left."""
    key = {"merchant": merchant, "number": number}
    held = {row.line_number: row.quantity for row in await rows(connection, _LINES, **key)}
    wanted = {int(each["line"]): quantity_of(str(each["quantity"])) or Decimal(0) for each in lines}
    if unknown := sorted(set(wanted) - set(held)):
        return f"order {number} has no line {unknown[0]}; it has {', '.join(map(str, sorted(held)))}"
    if not any((held | wanted).values()):
        return f"no line of order {number} would be left: cancel it instead"
    await connection.execute(_CHANGE_LINES, key | {"lines": list(wanted), "quantities": list(wanted.values())})
    return None


async def accept_short(connection: Session, merchant: str, number: str) -> str | None:
    """The rest is not waited for any longer: the next look ends the order with what was sent."""
    if not await rows(connection, _SHORT, merchant=merchant, kind=SALES_ORDER, number=number):
        return f"order {number} does not wait for the rest of a short shipment any more"
    return None


async def split_off(connection: Session, merchant: str, number: str, new: str, lines: Sequence[Mapping[str, Any]]) -> str | None:
    """Move quantities to a new order and release it. Only while the warehouse cannot have the order."""
    key = {"merchant": merchant, "number": number}
    there = await one(connection, _IS_SENT, **key, new=new)
    if there.linked:
        return (
            f"the warehouse holds order {number} already: change its lines with change_lines and write a new order for the rest"
        )
    if there.alive_for is not None and there.alive_for > 0:
        return f"a request to send order {number} may still arrive: send this again in {there.alive_for:.0f} s"
    if there.taken:
        return f"there is an order {new} already"
    held = {row.line_number: row.quantity for row in await rows(connection, _LINES, **key)}
    moved = {int(each["line"]): quantity_of(str(each["quantity"])) or Decimal(0) for each in lines}
    for line, quantity in moved.items():
        if line not in held or quantity > held[line]:
            return f"line {line} of order {number} has {held.get(line, 0)}, and {quantity} are to be moved"
    if all(held[line] == moved.get(line) for line in held):
        return f"no line of order {number} would be left"
    left = [held[line] - quantity for line, quantity in moved.items()]
    given = {"new": new, "lines": list(moved), "quantities": list(moved.values()), "left": left}
    await connection.execute(_SPLIT, key | given)
    return None


async def open_basis(connection: Session, merchant: str, number: str, run: int) -> tuple[BasisKey, bool] | None:
    """The invoice that is made next, and whether an attempt to make it may still arrive; None when none is owed."""
    row = await one(connection, _OPEN_BASIS, merchant=merchant, number=number)
    return None if row is None else (BasisKey(merchant, number, run, row.basis_no, row.part), bool(row.on_its_way))


async def handled_outside(connection: Session, key: BasisKey) -> None:
    """This invoice is made outside; nothing is invoiced here. The ledger is not touched."""
    await connection.execute(_HANDLED, {"merchant": key.merchant, "basis": key.basis, "part": key.part})


async def redate(connection: Session, key: BasisKey, day: str) -> None:
    """Give an invoice that is not made yet another day."""
    await connection.execute(_REDATE, {"merchant": key.merchant, "basis": key.basis, "part": key.part, "day": day})


def detail_of(content: Mapping[str, Any], **more: Any) -> str:
    """What the audit row keeps: what was sent, and what it came to."""
    return json.dumps({**content, **more}, default=str, sort_keys=True)


async def close_purchase(connection: Session, merchant: str, number: str, by: str, reason: str) -> str | None:
    """Write on the purchase order's row who closes it and why."""
    key = {"merchant": merchant, "number": number}
    if await rows(connection, _CLOSE_PURCHASE, **key, by=by, reason=reason):
        return None
    row = await one(connection, _PURCHASE, **key)
    return f"purchase order {number} " + (f"was closed by {row.closed_by}" if row.closed_by else f"is {row.status}") + " already"
