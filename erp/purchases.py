"""Purchase orders as the processes read and write them: what is ordered, what came in at which cost, where it stands.

A purchase order's row is locked before its documents, as a sales order's is. What came in is counted on the warehouse's own lines; a
goods receipt is written for each booking, with the rate as a fact of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.counting import Line
from domain.errors import Refused
from domain.keys import PurchaseKey
from domain.receiving import Cost, ReceivedLine
from erp.counters import PURCHASE_ORDER, RECEIVED
from erp.database import Session, one, rows
from erp.watching import Listed

ALL_HERE, INVOICED, COMPLETED, CANCELLED = "received", "invoiced", "completed", "cancelled"


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    line_number: int
    article_number: str
    quantity: Decimal
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class PurchaseDocument:
    """A purchase order as the ERP has it now."""

    number: str
    supplier_number: str
    supplier_name: str
    status: str
    currency: str
    expected_on: date | None
    version: int
    remark: str | None = field(repr=False)
    order_type: str
    cancel_requested: bool
    closed: bool
    refused_version: int | None
    lines: list[PurchaseLine]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is counted on a purchase order: whether a doubt is open and how long, and whether the warehouse is to be told."""

    booked: bool
    doubt_seconds: float | None
    unreported: bool


_PURCHASE = """
    select p.purchase_order_number as number, p.supplier_number, s.name as supplier_name, p.status, p.currency, p.expected_on,
      p.version, p.remark, p.order_type, p.cancel_requested_at is not null as cancel_requested, p.closed_by is not null as closed,
      p.refused_version
    from erp.purchase_order p join erp.supplier s using (merchant_id, supplier_number)
    where p.merchant_id = :merchant and p.purchase_order_number = :number
    """
_LOAD = text(_PURCHASE)
_LOCK = text(
    "select 1 from erp.purchase_order where merchant_id = :merchant and purchase_order_number = :number for no key update"
)
_LINES = text(
    """
    select line_number, article_number, quantity, unit_price from erp.purchase_order_line
    where merchant_id = :merchant and purchase_order_number = :number order by line_number
    """
)
_WATCH = text(
    """
    insert into bridge.watched (merchant_id, kind, doc_id, document, look_owed, status, watch_until)
    values (:merchant, :kind, :doc_id, :number, false, cast(:status as int), now() + make_interval(days => :days))
    on conflict (merchant_id, kind, doc_id) do nothing
    """
)
_FENCE = text(
    """
    update bridge.watched w set fence = nextval('bridge.look_no'), look_owed = :look_owed, looked_at = now(), status = n.s
    from unnest(cast(:doc_ids as bigint[]), cast(:statuses as int[])) as n(d, s)
    where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = n.d
    """
)
_PRICES = text(
    """
    select article_number, purchase_price, purchase_currency from erp.article
    where merchant_id = :merchant and article_number = any(cast(:numbers as text[])) and purchase_price is not null
    """
)
_RECEIPT = text(
    """
    insert into erp.goods_receipt (merchant_id, purchase_order_number, receipt_no, transaction_no)
    select :merchant, :number, coalesce(max(receipt_no), 0) + 1, cast(:transaction_no as bigint) from erp.goods_receipt
    where merchant_id = :merchant and purchase_order_number = :number returning receipt_no
    """
)
_RECEIPT_LINES = text(
    """
    insert into erp.goods_receipt_line (merchant_id, purchase_order_number, receipt_no, row_no, doc_id, line_id, step, line_number,
      article_number, warehouse, in_stock, quantity, unit_price, currency, exchange_rate, rate_date, value, mark_epoch, mark_keep,
      reverses_step, received_at)
    select :merchant, :number, :receipt_no, row_no, d, l, s, n, a, w, i, q, p, c, r, rd, v, me, mk, rs, at
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[]), cast(:steps as int[]), cast(:line_numbers as int[]),
      cast(:articles as text[]), cast(:warehouses as text[]), cast(:in_stock as boolean[]), cast(:quantities as numeric[]),
      cast(:prices as numeric[]), cast(:currencies as text[]), cast(:rates as numeric[]), cast(:rate_dates as date[]),
      cast(:values as numeric[]), cast(:epochs as int[]), cast(:keeps as numeric[]), cast(:reverses as int[]),
      cast(:times as timestamptz[])) with ordinality as u(d, l, s, n, a, w, i, q, p, c, r, rd, v, me, mk, rs, at, row_no)
    """
)
_COSTS = text(
    """
    select doc_id, line_id, step, unit_price, currency, exchange_rate, rate_date from erp.goods_receipt_line
    where merchant_id = :merchant and quantity > 0
      and doc_id = any(cast(:doc_ids as bigint[])) and line_id = any(cast(:line_ids as bigint[])) order by step
    """
)
_STRAYS = text(
    """
    select u.doc_id, u.document from unnest(cast(:ids as bigint[]), cast(:documents as text[])) as u(doc_id, document)
    join erp.purchase_order o on o.merchant_id = :merchant and o.purchase_order_number = u.document and o.status = 'cancelled'
    where not exists (select from bridge.watched w where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = u.doc_id)
    """
)
_STANDING = text(
    """
    select coalesce(bool_or(c.booked > 0), false) as booked,
      extract(epoch from now() - max(c.doubt_at))::double precision as doubt_seconds,
      coalesce(bool_or(c.booked <> coalesce(c.reported_known, 0)), false) as unreported
    from bridge.watched w join bridge.counted c using (merchant_id, kind, doc_id)
    where w.merchant_id = :merchant and w.kind = :kind and w.document = :number and c.what = :what
    """
)
_SENT_AGO = text(
    """
    select extract(epoch from now() - updated_at)::double precision as seconds from bridge.link
    where merchant_id = :merchant and system = 'ongoing' and kind = :kind and our_key = :number
    """
)
_MOVE = text(
    """
    update erp.purchase_order set status = :status
    where merchant_id = :merchant and purchase_order_number = :number and status <> :status
    """
)
_REFUSED = text(
    """
    update erp.purchase_order set refused_version = cast(:version as int), refused_code = cast(:code as text)
    where merchant_id = :merchant and purchase_order_number = :number
      and (refused_version, refused_code) is distinct from (cast(:version as int), cast(:code as text))
    """
)
_END = text(
    """
    update bridge.process set ended_at = now(), outcome = :outcome
    where merchant_id = :merchant and kind = :kind and document = :number and run = :run and ended_at is null
    """
)
_WATCHED = text(
    """
    select w.doc_id, w.document, w.status, w.look_owed, p.ended_at is null as running from bridge.watched w
    left join lateral (select ended_at from bridge.process p where p.merchant_id = w.merchant_id and p.kind = w.kind
                       and p.document = w.document order by run desc limit 1) as p on true
    where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = any(cast(:ids as bigint[]))
    """
)
_COUNTED = text(
    """
    select doc_id, line_id, booked, reported_known from bridge.counted
    where merchant_id = :merchant and kind = :kind and what = :what and doc_id = any(cast(:ids as bigint[]))
    """
)
_ANY = text("select 1 from erp.purchase_order where merchant_id = :merchant and status <> 'draft' limit 1")
_TO_SWEEP = text(
    """
    select doc_id, document from bridge.watched
    where merchant_id = :merchant and kind = :kind and doc_id > :after and (watch_until is null or watch_until > now())
    order by doc_id limit :most
    """
)


async def lock_purchase(connection: Session, merchant: str, number: str) -> PurchaseDocument:
    """The purchase order as the ERP has it now, locked until the transaction ends."""
    await connection.execute(_LOCK, {"merchant": merchant, "number": number})
    return await load_purchase(connection, merchant, number)


async def load_purchase(connection: Session, merchant: str, number: str) -> PurchaseDocument:
    """The purchase order as the ERP has it now; refuses one that does not exist."""
    row = await one(connection, _LOAD, merchant=merchant, number=number)
    if row is None:
        raise Refused("purchase-without-lines", f"purchase order {number} is not in erp.purchase_order")
    lines = await rows(connection, _LINES, merchant=merchant, number=number)
    return PurchaseDocument(**row._mapping, lines=[PurchaseLine(**line._mapping) for line in lines])


async def watch(connection: Session, merchant: str, number: str, doc_id: int, status: int, days: int) -> None:
    """Keep an eye on the warehouse's document of a purchase order. Repeating changes nothing."""
    key = {"merchant": merchant, "kind": PURCHASE_ORDER, "number": number}
    await connection.execute(_WATCH, key | {"doc_id": doc_id, "status": status, "days": days})


async def draw_fence(connection: Session, merchant: str, statuses: Mapping[int, int], look_owed: bool) -> None:
    """End a booking: from here no look that began earlier may be booked. Also when nothing had changed."""
    parameters = {"doc_ids": list(statuses), "statuses": list(statuses.values()), "look_owed": look_owed}
    await connection.execute(_FENCE, {"merchant": merchant, "kind": PURCHASE_ORDER} | parameters)


# --- what came in -----------------------------------------------------------------------------------------------------


async def usual_prices(connection: Session, merchant: str, numbers: Sequence[str]) -> dict[str, tuple[Decimal, str | None]]:
    """What these articles usually cost, and in which currency: for what came in without having been ordered."""
    found = await rows(connection, _PRICES, merchant=merchant, numbers=sorted(set(numbers)))
    return {r.article_number: (r.purchase_price, r.purchase_currency) for r in found}


async def costs(connection: Session, merchant: str, lines: Sequence[Line]) -> dict[tuple[Line, int], Cost]:
    """What each receipt on these lines cost, by line and step: what takes it back names the same, in the order of the steps."""
    key = {"doc_ids": [line[0] for line in lines], "line_ids": [line[1] for line in lines]}
    found = await rows(connection, _COSTS, merchant=merchant, **key)
    return {((r.doc_id, r.line_id), r.step): Cost(r.unit_price, r.currency, r.exchange_rate, r.rate_date) for r in found}


async def write_receipt(
    connection: Session,
    merchant: str,
    number: str,
    lines: Sequence[tuple[ReceivedLine, int | None, Cost]],
    transaction_no: int | None,
) -> int:
    """One goods receipt with its lines, each with the number of our line (None: not ordered) and its cost. Returns its number."""
    key = {"merchant": merchant, "number": number}
    receipt_no = int((await connection.execute(_RECEIPT, key | {"transaction_no": transaction_no})).scalar_one())
    found = [line for line, _, _ in lines]
    columns: dict[str, list[Any]] = {
        "doc_ids": [each.receipt.step.line[0] for each in found],
        "line_ids": [each.receipt.step.line[1] for each in found],
        "steps": [each.receipt.step.step for each in found],
        "line_numbers": [line_number for _, line_number, _ in lines],
        "articles": [each.receipt.place[0] for each in found],
        "warehouses": [each.receipt.place[1] for each in found],
        "in_stock": [each.receipt.in_stock for each in found],
        "quantities": [each.quantity for each in found],
        "prices": [cost.unit_price for _, _, cost in lines],
        "currencies": [cost.currency for _, _, cost in lines],
        "rates": [cost.rate for _, _, cost in lines],
        "rate_dates": [cost.rate_date for _, _, cost in lines],
        "values": [each.value for each in found],
        "epochs": [each.at and each.at.epoch for each in found],
        "keeps": [each.at and each.at.keep for each in found],
        "reverses": [each.reverses_step for each in found],
        "times": [each.receipt.occurred_at for each in found],
    }
    await connection.execute(_RECEIPT_LINES, key | {"receipt_no": receipt_no} | columns)
    return receipt_no


# --- where it stands --------------------------------------------------------------------------------------------------


async def standing(connection: Session, merchant: str, number: str) -> Standing:
    """What is counted on the purchase order, and what is open about it."""
    row = await one(connection, _STANDING, merchant=merchant, number=number, kind=PURCHASE_ORDER, what=RECEIVED)
    return Standing(row.booked, row.doubt_seconds, row.unreported)


async def sent_seconds_ago(connection: Session, merchant: str, number: str) -> float | None:
    """How long ago the purchase order was last sent; None if it never was."""
    row = await one(connection, _SENT_AGO, merchant=merchant, number=number, kind=PURCHASE_ORDER)
    return None if row is None else float(row.seconds)


async def move(connection: Session, merchant: str, number: str, status: str) -> None:
    """Set the purchase order's status; the same status again changes nothing."""
    await connection.execute(_MOVE, {"merchant": merchant, "number": number, "status": status})


async def tell_refusal(connection: Session, merchant: str, number: str, version: int | None, code: str | None) -> None:
    """Tell the ERP on its own row which version the warehouse does not follow, and why; None and None: it follows."""
    await connection.execute(_REFUSED, {"merchant": merchant, "number": number, "version": version, "code": code})


async def end(connection: Session, key: PurchaseKey, outcome: str) -> None:
    """The purchase order is at its end, and its process with it."""
    await move(connection, key.merchant, key.number, outcome)
    values = {"merchant": key.merchant, "kind": PURCHASE_ORDER, "number": key.number, "run": key.run, "outcome": outcome}
    await connection.execute(_END, values)


# --- what nobody told -------------------------------------------------------------------------------------------------


async def changed(connection: Session, merchant: str, listed: Sequence[Listed]) -> dict[int, str]:
    """Of the documents listed, those that we watch and that differ from our books: id to our number."""
    key: dict[str, Any] = {"merchant": merchant, "kind": PURCHASE_ORDER, "ids": [each.doc_id for each in listed]}
    watched = {row.doc_id: row for row in await rows(connection, _WATCHED, **key)}
    counted = {(row.doc_id, row.line_id): row for row in await rows(connection, _COUNTED, **key, what=RECEIVED)}
    return {
        each.doc_id: watched[each.doc_id].document
        for each in listed
        if each.doc_id in watched and _differs(each, watched[each.doc_id], counted)
    }


def _differs(listed: Listed, watched: Any, counted: Mapping[Line, Any]) -> bool:
    if watched.running is None:
        return False
    if watched.status != listed.status or watched.look_owed:
        return True
    for line, (received, reported) in listed.lines.items():
        known = counted.get(line)
        if known is None:
            if received:
                return True
        elif known.booked != received or (known.reported_known or 0) != (reported or 0):
            return True
    return any(line not in listed.lines for line in counted if line[0] == listed.doc_id)


async def to_sweep(connection: Session, merchant: str, after: int, most: int) -> list[tuple[int, str]]:
    """The next purchase orders to sweep, in the order of their ids in the warehouse."""
    found = await rows(connection, _TO_SWEEP, merchant=merchant, kind=PURCHASE_ORDER, after=after, most=most)
    return [(row.doc_id, row.document) for row in found]


async def any_placed(connection: Session, merchant: str) -> bool:
    """Whether the merchant buys anything at all: else the warehouse need not be asked."""
    return await one(connection, _ANY, merchant=merchant) is not None


async def strays(connection: Session, merchant: str, numbers: Mapping[int, str]) -> dict[int, str]:
    """Of these documents with our mark, those that nobody waits for though the purchase order is cancelled: a late request."""
    key = {"merchant": merchant, "kind": PURCHASE_ORDER}
    found = await rows(connection, _STRAYS, **key, ids=list(numbers), documents=list(numbers.values()))
    return {row.doc_id: row.document for row in found}
