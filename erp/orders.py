"""Sales orders as the processes read and move them: the document itself, its status, and what it still owes.

Names and addresses live in `OrderDocument` only: it is loaded inside an activity, sent to the other system, and forgotten.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import TextClause, text

from domain.errors import Refused
from domain.keys import BasisKey, OrderKey, OrderState
from domain.merchant import SENT
from erp.counters import PICKED, SALES_ORDER
from erp.database import Session, one, rows
from erp.merchants import Merchant

COMPLETED, CANCELLED = "completed", "cancelled"
STOPPED, TOO_LATE = "stopped", "too-late"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line with what the ERP knows of its article; `stock_article` is None when the ERP has no such article."""

    line_number: int
    article_number: str
    description: str
    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal
    vat_rate: Decimal
    account: int | None
    stock_article: bool | None


@dataclass(frozen=True, slots=True)
class Address:
    """Where the goods go. Personal data: never in a message, a log or Temporal."""

    name: str = field(repr=False)
    address1: str = field(repr=False)
    address2: str | None = field(repr=False)
    post_code: str = field(repr=False)
    city: str = field(repr=False)
    country: str
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the warehouse took last: our mark on it and everything but its lines. Personal data, like an address.

    `alive_for` is how many seconds a request for this order may still be under way; None when none can be.
    """

    mark: str | None
    header: dict[str, Any] | None = field(repr=False)
    alive_for: float | None


@dataclass(frozen=True, slots=True)
class OrderDocument:
    """A sales order with its lines: as the ERP has it now, or (`load_agreed`) as it counts for goods and money."""

    number: str
    status: str
    version: int
    order_type: str
    currency: str
    exchange_rate: Decimal | None
    price_basis: str
    order_date: date
    delivery_date: date | None
    way_of_delivery: str | None
    your_reference: str | None
    freight: Decimal
    freight_vat_rate: Decimal
    discount_percent: Decimal
    delivery_instruction: str | None = field(repr=False)
    note: str | None = field(repr=False)
    customer_number: str | None
    customer_country: str | None
    vat_number: str | None
    cancel_requested: bool
    cancel_answer: str | None
    refused_version: int | None
    sent: Sent
    missing: list[str]
    address: Address | None
    lines: list[OrderLine]

    @property
    def cancel_wanted(self) -> bool:
        """The ERP asks to cancel, and has not been told that it is too late."""
        return self.cancel_requested and self.cancel_answer != TOO_LATE

    @property
    def stock_lines(self) -> list[OrderLine]:
        return [line for line in self.lines if line.stock_article]

    @property
    def country(self) -> str:
        """The country that decides VAT: the customer's, else where the goods go."""
        return self.customer_country or (self.address.country if self.address else "SE")


_ORDER = text(
    """
    select o.*, c.country as customer_country, c.vat_number, c.name as customer_name, c.address1 as customer_address1,
      c.address2 as customer_address2, c.post_code as customer_post_code, c.city as customer_city, s.mark as sent_mark,
      s.header as sent_header,
      extract(epoch from greatest(s.unclear_until, s.sending_until) - clock_timestamp()) as alive_for
    from erp.sales_order o left join erp.customer c using (merchant_id, customer_number)
    left join bridge.order_sent s using (merchant_id, order_number)
    where o.merchant_id = :merchant and o.order_number = :number
    """
)
_LINES = """
    select l.line_number, l.article_number, coalesce(nullif(l.description, ''), a.name, l.article_number) as description,
      l.quantity, l.unit_price, l.discount_percent, l.vat_rate, coalesce(l.account, a.sales_account) as account, a.stock_article
    from {lines} l left join erp.article a using (merchant_id, article_number)
    where l.merchant_id = :merchant and l.order_number = :number order by l.line_number
    """
_ERP_LINES = text(_LINES.format(lines="erp.sales_order_line"))
_AGREED_LINES = text(_LINES.format(lines="erp.agreed_line"))
_MOVE = text(
    """
    with moved as (
      update erp.sales_order set status = :status
      where merchant_id = :merchant and order_number = :number and status <> :status returning order_number)
    insert into bridge.status_move (merchant_id, order_number, from_status, to_status, cause)
    select :merchant, order_number, :from_status, :status, :cause from moved
    """
)
_STATE = text(
    """
    select o.status, now() as now,
      (select coalesce(array_agg(b.basis_no order by b.basis_no, b.part), '{}') from erp.invoice_basis b
        where b.merchant_id = o.merchant_id and b.order_number = o.order_number and b.state = 'open'
          and b.return_number is null) as bases,
      (select coalesce(array_agg(b.part order by b.basis_no, b.part), '{}') from erp.invoice_basis b
        where b.merchant_id = o.merchant_id and b.order_number = o.order_number and b.state = 'open'
          and b.return_number is null) as parts,
      (select extract(epoch from greatest(s.unclear_until, s.sending_until) - clock_timestamp()) from bridge.order_sent s
        where s.merchant_id = o.merchant_id and s.order_number = o.order_number) as alive_for,
      w.statuses, coalesce(w.look_owed, false) as look_owed, w.short_since, w.doubt_at, w.booked, w.owed_shipping,
      coalesce(s.shipments, 0) as shipments, s.all_shipped, s.net_shipped
    from erp.sales_order o
    left join lateral (
      select array_agg(distinct w.status) as statuses, bool_or(w.look_owed) as look_owed, min(w.short_since) as short_since,
        max(c.doubt_at) as doubt_at, sum(c.booked) as booked,
        bool_or(c.booked <> c.shipped and c.line_number is not null) as owed_shipping
      from bridge.watched w left join bridge.counted c on c.merchant_id = w.merchant_id and c.kind = w.kind
        and c.doc_id = w.doc_id and c.what = :what
      where w.merchant_id = o.merchant_id and w.kind = :kind and w.document = o.order_number) as w on true
    left join lateral (
      select (select count(*) from erp.shipment s
                where s.merchant_id = o.merchant_id and s.order_number = o.order_number) as shipments,
        bool_and(coalesce(d.quantity, 0) >= l.quantity) as all_shipped, sum(coalesce(d.quantity, 0)) as net_shipped
      from erp.agreed_line l left join (
        select line_number, sum(quantity) as quantity from erp.shipment_line d
        where d.merchant_id = o.merchant_id and d.order_number = o.order_number group by line_number) as d using (line_number)
      where l.merchant_id = o.merchant_id and l.order_number = o.order_number) as s on true
    where o.merchant_id = :merchant and o.order_number = :number
    """
)
_ANSWER = text(
    """
    update erp.sales_order set cancel_answer = :answer, cancel_answered_at = now()
    where merchant_id = :merchant and order_number = :number and cancel_requested_at is not null
      and cancel_answer is distinct from :answer and cancel_answer is distinct from 'too-late'
    """
)
_REFUSE = text(
    """
    update erp.sales_order set refused_version = :version, refused_part = :part, refused_code = :code,
      refused_text = left(:why, 1000), refused_at = now()
    where merchant_id = :merchant and order_number = :number and coalesce(refused_version, 0) <= :version
      and (refused_version, refused_part, refused_code, refused_text)
        is distinct from (cast(:version as int), cast(:part as text), cast(:code as text), left(:why, 1000))
    """
)
_FORGET_REFUSAL = text(
    """
    update erp.sales_order set refused_version = null, refused_part = null, refused_code = null, refused_text = null,
      refused_at = null
    where merchant_id = :merchant and order_number = :number
    """
)
_LOCK = text("select 1 from erp.sales_order where merchant_id = :merchant and order_number = :number for no key update")
_END = text(
    """
    update bridge.process set ended_at = now(), outcome = :outcome
    where merchant_id = :merchant and kind = :kind and document = :number and run = :run and ended_at is null
    """
)


async def load_order(connection: Session, key: OrderKey) -> OrderDocument:
    """The order as the ERP has it now, for sending; refuses one that does not exist."""
    return await _load(connection, key, _ERP_LINES)


async def load_agreed(connection: Session, key: OrderKey) -> OrderDocument:
    """The order as it counts for goods and money: the lines that the warehouse holds, at the ERP's terms, and the services."""
    return await _load(connection, key, _AGREED_LINES)


async def _load(connection: Session, key: OrderKey, statement: TextClause) -> OrderDocument:
    row = await one(connection, _ORDER, merchant=key.merchant, number=key.number)
    if row is None:
        raise Refused("order-without-lines", f"sales order {key.number} is not in erp.sales_order")
    lines = await rows(connection, statement, merchant=key.merchant, number=key.number)
    address, missing = _address(row)
    return OrderDocument(
        number=row.order_number,
        status=row.status,
        version=row.version,
        order_type=row.order_type,
        currency=row.currency,
        exchange_rate=row.exchange_rate,
        price_basis=row.price_basis,
        order_date=row.order_date,
        delivery_date=row.delivery_date,
        way_of_delivery=row.way_of_delivery,
        your_reference=row.your_reference,
        freight=row.freight,
        freight_vat_rate=row.freight_vat_rate,
        discount_percent=row.discount_percent,
        delivery_instruction=row.delivery_instruction,
        note=row.note,
        customer_number=row.customer_number,
        customer_country=row.customer_country,
        vat_number=row.vat_number,
        cancel_requested=row.cancel_requested_at is not None,
        cancel_answer=row.cancel_answer,
        refused_version=row.refused_version,
        sent=Sent(row.sent_mark, row.sent_header, _still(row.alive_for)),
        missing=missing,
        address=address,
        lines=[OrderLine(**line._mapping) for line in lines],
    )


def _still(seconds: Any) -> float | None:
    return float(seconds) if seconds is not None and seconds > 0 else None


def _address(row: Any) -> tuple[Address | None, list[str]]:
    """The delivery address, else the customer's own, whole: never a street of one with the town of the other."""
    own = {
        "name": row.delivery_name,
        "address1": row.delivery_address1,
        "post_code": row.delivery_post_code,
        "city": row.delivery_city,
        "country": row.delivery_country,
    }
    if not any(own.values()) and row.customer_name:
        own = {
            "name": row.customer_name,
            "address1": row.customer_address1,
            "post_code": row.customer_post_code,
            "city": row.customer_city,
            "country": row.customer_country,
        }
        address2 = row.customer_address2
    else:
        address2 = row.delivery_address2
    missing = [name for name, value in own.items() if not value or not value.strip()]
    if missing:
        return None, missing
    return Address(address2=address2, email=row.delivery_email, phone=row.delivery_phone, **own), []


async def move_status(connection: Session, merchant: str, number: str, current: str, target: str, cause: str) -> None:
    """Move the ERP's order status along the declared graph; a move that is already made changes nothing."""
    if current != target:
        await connection.execute(
            _MOVE, {"merchant": merchant, "number": number, "from_status": current, "status": target, "cause": cause}
        )


async def lock_order(connection: Session, key: OrderKey) -> None:
    """The first lock of every booking: an ERP that holds its order open makes only that order wait."""
    await connection.execute(_LOCK, {"merchant": key.merchant, "number": key.number})


async def order_state(
    connection: Session, merchant: Merchant, key: OrderKey, patience: float, just_looked: bool = False
) -> OrderState:
    """What the order owes now, and its end when nothing is owed: then the status and the process are closed here.

    Only a look (`just_looked`) ends an order that was cancelled or delivered short: what was picked meanwhile must have been seen.
    Locks the order's row first, in a statement of its own: what it then reads includes whatever the last holder committed.
    """
    await lock_order(connection, key)
    row = await one(connection, _STATE, merchant=key.merchant, number=key.number, kind=SALES_ORDER, what=PICKED)
    to_invoice = [
        BasisKey(key.merchant, key.number, key.run, basis, part) for basis, part in zip(row.bases, row.parts, strict=True)
    ]
    waits = []
    if row.doubt_at is not None:
        waits.append(max(0.05, patience - (row.now - row.doubt_at).total_seconds() + 0.05))
    elif row.look_owed:
        waits.append(1.0)
    if row.status == COMPLETED and not to_invoice and not waits and not row.owed_shipping:
        await end_process(connection, key, COMPLETED)
        return OrderState(COMPLETED, outcome=COMPLETED)
    meanings = {merchant.settings.meaning(status) for status in row.statuses or [] if status is not None}
    alive = _still(row.alive_for)
    if alive is not None and row.statuses is not None and not meanings <= SENT:
        # A request without a clear answer may still arrive, and restore or revive what it says: then it is read back.
        waits.append(alive + 0.05)
    target = _target_status(row)
    await move_status(connection, key.merchant, key.number, row.status, target, "warehouse")
    stage = target
    ended = False
    if row.statuses is None:
        ended = bool(row.shipments and row.all_shipped)
    elif not waits and meanings and meanings <= SENT | {"cancelled"} and not row.owed_shipping:
        if row.all_shipped:
            ended = True
        elif meanings == {"cancelled"}:
            ended = just_looked
            waits += [] if ended else [0.0]
        else:
            grace = merchant.settings.short_grace_seconds - _seconds_since(row.short_since, row.now)
            ended = grace <= 0 and just_looked
            if not ended:
                stage = "waiting-for-the-rest"
                waits.append(max(grace, 0.0))
    if ended and not to_invoice:
        return OrderState(stage, outcome=await _conclude(connection, key, target, row.net_shipped, "cancelled" in meanings))
    return OrderState("invoicing" if to_invoice else stage, to_invoice, min(waits, default=None))


def _seconds_since(at: datetime | None, now: datetime) -> float:
    return (now - at).total_seconds() if at else 0.0


def _target_status(row: Any) -> str:
    if row.shipments:
        target = "shipped" if row.all_shipped else "part-shipped"
    elif row.booked:
        target = "picking"
    elif row.statuses is not None:
        target = "at-warehouse"
    else:
        return str(row.status)
    return CANCELLED if row.status == CANCELLED and target == "at-warehouse" else target


async def _conclude(connection: Session, key: OrderKey, current: str, net_shipped: Decimal | None, stopped: bool) -> str:
    outcome = COMPLETED if current in ("shipped", "part-shipped") else CANCELLED
    await answer_cancel(connection, key, STOPPED if stopped or outcome == CANCELLED else TOO_LATE)
    await move_status(connection, key.merchant, key.number, current, outcome, "all done" if net_shipped else "nothing delivered")
    await end_process(connection, key, outcome)
    return outcome


async def answer_cancel(connection: Session, key: OrderKey, answer: str) -> None:
    """Tell the ERP what became of its wish to cancel. Nothing where it has not asked, or has been told that it is too late."""
    await connection.execute(_ANSWER, {"merchant": key.merchant, "number": key.number, "answer": answer})


async def refuse_change(connection: Session, key: OrderKey, version: int, part: str, code: str, why: str) -> None:
    """Tell the ERP, on its own row, which part of which version of the order was not taken, and why."""
    await connection.execute(
        _REFUSE, {"merchant": key.merchant, "number": key.number, "version": version, "part": part, "code": code, "why": why}
    )


async def forget_refusal(connection: Session, key: OrderKey) -> None:
    """A later version was taken whole: nothing of the order is refused any more."""
    await connection.execute(_FORGET_REFUSAL, {"merchant": key.merchant, "number": key.number})


async def end_process(connection: Session, key: OrderKey, outcome: str) -> None:
    """Write down that the process has ended. Repeating changes nothing."""
    await connection.execute(
        _END, {"merchant": key.merchant, "kind": SALES_ORDER, "number": key.number, "run": key.run, "outcome": outcome}
    )
