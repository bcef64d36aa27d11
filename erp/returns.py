"""Returns as the processes read and write them: what is announced, what came back and why, what was credited of it.

What came back is counted on the order's lines, whatever return it belongs to; it is shared over the returns when it is booked,
under the order's lock, and so is what it is worth: two returns of one order never credit the same piece.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.counting import Line
from domain.crediting import Credit, Invoiced
from domain.errors import Refused
from domain.keys import BasisKey, ReturnKey, ReturnState
from domain.money import ZERO
from domain.returns import Announced, Graded, Reason
from erp import bases
from erp.counters import PICKED, RETURNED, SALES_ORDER
from erp.database import Session, one, rows
from erp.merchants import Merchant

RETURN = "return"
COMPLETED, CANCELLED = "completed", "cancelled"
PATIENCE = 1.0
NUDGES_APART = 5.0


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """What the ERP expects back of one line of the order."""

    line_number: int
    quantity: Decimal
    cause_code: str | None
    cause_name: str | None


@dataclass(frozen=True, slots=True)
class ReturnDocument:
    """A return as the ERP has it now. `origin`: announced by the ERP, seen in the warehouse, or a credit without goods."""

    number: str
    order_number: str
    origin: str
    status: str
    version: int
    credit: bool
    credit_freight: bool | None
    expected_on: date | None
    comment: str | None = field(repr=False)
    cancel_requested: bool
    lines: list[ReturnLine]


@dataclass(frozen=True, slots=True)
class Came:
    """Pieces of one counted step: which line in the warehouse and of ours, what they are fit for, whose return they are."""

    line: Line
    step: int
    part: int
    line_number: int | None
    return_number: str
    article_number: str
    goods: Graded
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the money of a return stands: by line, pieces that came (or shall be credited) and pieces that are settled."""

    came: dict[int, Decimal]
    settled: dict[int, Decimal]

    @property
    def owed(self) -> dict[int, Decimal]:
        """Pieces that came and are not settled."""
        left = {line: quantity - self.settled.get(line, ZERO) for line, quantity in self.came.items()}
        return {line: quantity for line, quantity in left.items() if quantity > 0}


@dataclass(frozen=True, slots=True)
class Sale:
    """What was invoiced of the order, with what was credited of it, and what it needs before it can be credited."""

    invoices: list[Invoiced]
    terms: dict[tuple[int, int], Any]
    unbooked: bool
    unshipped: bool
    delivered: dict[int, Decimal]
    returned: dict[int, Decimal]


_RETURN = text(
    """
    select return_number as number, order_number, origin, status, version, credit, credit_freight, expected_on, comment,
      cancel_requested_at is not null as cancel_requested
    from erp.return_order where merchant_id = :merchant and return_number = :number
    """
)
_LINES = text(
    """
    select line_number, quantity, cause_code, cause_name from erp.return_order_line
    where merchant_id = :merchant and return_number = :number order by line_number
    """
)
_OPEN = text(
    """
    select r.return_number, r.origin, l.line_number, l.quantity from erp.return_order r
    left join erp.return_order_line l using (merchant_id, return_number)
    where r.merchant_id = :merchant and r.order_number = :order and r.origin <> 'credit'
      and r.status not in ('draft', 'completed', 'cancelled')
    order by r.created_at, r.return_number, l.line_number
    """
)
_ATTRIBUTED = text(
    """
    select return_number, line_number, sum(quantity) as quantity from erp.returned_goods
    where merchant_id = :merchant and order_number = :order and line_number is not null group by 1, 2
    """
)
_REASONS = text(
    """
    select doc_id, line_id, cause_code, grade, sum(quantity) as quantity from erp.returned_goods
    where merchant_id = :merchant and kind = :kind and what = :what and doc_id = any(cast(:ids as bigint[]))
    group by 1, 2, 3, 4 having sum(quantity) > 0
    """
)
_NEXT_NUMBER = text(
    """
    select left(cast(:order as text), 40) || '/R' || n as number from generate_series(1, 100000) as n
    where not exists (select from erp.return_order r where r.merchant_id = :merchant
                      and r.return_number = left(cast(:order as text), 40) || '/R' || n) order by n limit 1
    """
)
_SEEN = text(
    """
    insert into erp.return_order (merchant_id, return_number, order_number, origin, status)
    values (:merchant, :number, :order, 'seen', 'announced')
    """
)
_NUDGE = text(
    """
    update erp.return_order set nudged_at = clock_timestamp()
    where merchant_id = :merchant and return_number = any(cast(:numbers as text[])) and status not in ('draft', 'completed', 'cancelled')
      and coalesce(nudged_at, created_at) <= now() - make_interval(secs => :apart)
    """
)
_GOODS = text(
    """
    insert into erp.returned_goods (merchant_id, doc_id, line_id, step, part, order_number, line_number, return_number,
      article_number, quantity, cause_code, grade, occurred_at)
    select :merchant, d, l, s, p, :order, n, r, a, q, c, g, at
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[]), cast(:steps as int[]), cast(:parts as int[]),
      cast(:line_numbers as int[]), cast(:returns as text[]), cast(:articles as text[]), cast(:quantities as numeric[]),
      cast(:causes as text[]), cast(:grades as text[]), cast(:times as timestamptz[])) as u(d, l, s, p, n, r, a, q, c, g, at)
    """
)
_STANDING = text(
    """
    select coalesce(c.line_number, s.line_number) as line_number, coalesce(c.quantity, 0) as came, coalesce(s.quantity, 0) as settled
    from (select line_number, sum(quantity) as quantity from erp.returned_goods
          where merchant_id = :merchant and return_number = :number and line_number is not null group by 1) as c
    full join (select line_number, sum(quantity) as quantity from erp.return_settlement
          where merchant_id = :merchant and return_number = :number group by 1) as s using (line_number)
    """
)
_CAUSES = text(
    """
    select cause_code from erp.returned_goods where merchant_id = :merchant and return_number = :number and cause_code is not null
    group by 1 having sum(quantity) > 0 order by 1
    """
)
_DELIVERED = text(
    """
    select line_number, sum(quantity) as quantity from erp.shipment_line
    where merchant_id = :merchant and order_number = :order group by 1
    """
)
_UNSHIPPED = text(
    """
    select count(*) as n from bridge.counted c join bridge.watched w using (merchant_id, kind, doc_id)
    where w.merchant_id = :merchant and w.kind = :kind and w.document = :order and c.what = :what and c.line_number is not null
      and c.booked > c.shipped
    """
)
_HAS_CREDIT = text(
    """
    select exists (select from erp.invoice_basis b where b.merchant_id = :merchant and b.return_number = :number
      and b.state <> 'cancelled') as credited
    """
)
_SETTLE = text(
    """
    insert into erp.return_settlement (merchant_id, return_number, line_number, settlement_no, quantity, outcome, basis_no, part)
    select :merchant, :number, cast(:line as int), coalesce(max(settlement_no), 0) + 1, cast(:quantity as numeric),
      cast(:outcome as text), cast(:basis_no as bigint), cast(:part as int)
    from erp.return_settlement where merchant_id = :merchant and return_number = :number and line_number = :line
    """
)
_STATE = text(
    """
    select r.status, r.origin, r.order_number, now() as now,
      (select coalesce(array_agg(b.basis_no order by b.basis_no, b.part), '{}') from erp.invoice_basis b
        where b.merchant_id = r.merchant_id and b.return_number = r.return_number and b.state = 'open') as bases,
      (select coalesce(array_agg(b.part order by b.basis_no, b.part), '{}') from erp.invoice_basis b
        where b.merchant_id = r.merchant_id and b.return_number = r.return_number and b.state = 'open') as parts,
      w.doubt_at, coalesce(w.unreported, false) as unreported
    from erp.return_order r
    left join lateral (
      select max(c.doubt_at) as doubt_at, bool_or(c.booked <> coalesce(c.reported_known, 0)) as unreported
      from bridge.watched w join bridge.counted c using (merchant_id, kind, doc_id)
      where w.merchant_id = r.merchant_id and w.kind = :kind and w.document = r.order_number and c.what = :what) as w on true
    where r.merchant_id = :merchant and r.return_number = :number
    """
)
_MOVE = text(
    "update erp.return_order set status = :status where merchant_id = :merchant and return_number = :number and status <> :status"
)
_END = text(
    """
    update bridge.process set ended_at = now(), outcome = :outcome
    where merchant_id = :merchant and kind = :kind and document = :number and run = :run and ended_at is null
    """
)
_SETTLE_WITHOUT = text(
    """
    update erp.return_order set credit = false, decided_by = :by, decision = :reason
    where merchant_id = :merchant and return_number = :number and credit and status not in ('draft', 'completed', 'cancelled')
    """
)
_LAST_LISTED = text(
    """
    select w.doc_id, w.document from bridge.watched w
    where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = any(cast(:ids as bigint[]))
    """
)
_COUNTED = text(
    """
    select doc_id, line_id, booked from bridge.counted
    where merchant_id = :merchant and kind = :kind and what = :what and doc_id = any(cast(:ids as bigint[]))
    """
)
_UNENDED = text(
    """
    update erp.return_order set nudged_at = clock_timestamp()
    where merchant_id = :merchant and status not in ('draft', 'completed', 'cancelled')
      and coalesce(nudged_at, created_at) < now() - interval '1 hour'
    """
)


async def load_return(connection: Session, merchant: str, number: str) -> ReturnDocument:
    """The return as the ERP has it now; refuses one that does not exist."""
    row = await one(connection, _RETURN, merchant=merchant, number=number)
    if row is None:
        raise Refused("return-without-lines", f"return {number} is not in erp.return_order")
    lines = await rows(connection, _LINES, merchant=merchant, number=number)
    return ReturnDocument(**row._mapping, lines=[ReturnLine(**line._mapping) for line in lines])


# --- whose is what came back ------------------------------------------------------------------------------------------


async def expecting(
    connection: Session, merchant: str, order: str, counted: Mapping[tuple[str, int], Decimal]
) -> tuple[list[Announced], str | None]:
    """What open returns of the order expect, the oldest first; and the open return of what nobody announced, if there is one."""
    found = await rows(connection, _OPEN, merchant=merchant, order=order)
    announced = [
        Announced(r.return_number, r.line_number, r.quantity, counted.get((r.return_number, r.line_number), ZERO))
        for r in found
        if r.line_number is not None
    ]
    return announced, next((r.return_number for r in found if r.origin == "seen"), None)


async def attributed_so_far(connection: Session, merchant: str, order: str) -> dict[tuple[str, int], Decimal]:
    """By return and line of the order, what has been booked."""
    found = await rows(connection, _ATTRIBUTED, merchant=merchant, order=order)
    return {(r.return_number, r.line_number): r.quantity for r in found}


async def booked_reasons(connection: Session, merchant: str, doc_ids: Sequence[int]) -> dict[Line, dict[Reason, Decimal]]:
    """By line in the warehouse, why what is booked came back."""
    key = {"merchant": merchant, "kind": SALES_ORDER, "what": RETURNED, "ids": list(doc_ids)}
    booked: dict[Line, dict[Reason, Decimal]] = {}
    for r in await rows(connection, _REASONS, **key):
        booked.setdefault((r.doc_id, r.line_id), {})[r.cause_code, r.grade] = r.quantity
    return booked


async def open_seen(connection: Session, merchant: str, order: str) -> str:
    """A new return for what nobody announced. Its process starts by itself: the table tells the relay."""
    number = str((await one(connection, _NEXT_NUMBER, merchant=merchant, order=order)).number)
    await connection.execute(_SEEN, {"merchant": merchant, "number": number, "order": order})
    return number


async def nudge(connection: Session, merchant: str, numbers: Sequence[str], apart: float = 0.0) -> None:
    """Tell the processes of these returns to look; with `apart` not those that were told so many seconds ago."""
    if numbers:
        await connection.execute(_NUDGE, {"merchant": merchant, "numbers": sorted(numbers), "apart": apart})


async def record_goods(connection: Session, merchant: str, order: str, came: Sequence[Came]) -> None:
    """Write down what came back, piece by reason, for the ERP to read."""
    if came:
        await connection.execute(
            _GOODS,
            {
                "merchant": merchant,
                "order": order,
                "doc_ids": [each.line[0] for each in came],
                "line_ids": [each.line[1] for each in came],
                "steps": [each.step for each in came],
                "parts": [each.part for each in came],
                "line_numbers": [each.line_number for each in came],
                "returns": [each.return_number for each in came],
                "articles": [each.article_number for each in came],
                "quantities": [each.goods.quantity for each in came],
                "causes": [each.goods.cause for each in came],
                "grades": [each.goods.grade for each in came],
                "times": [each.at for each in came],
            },
        )


# --- money ------------------------------------------------------------------------------------------------------------


async def standing(connection: Session, merchant: str, document: ReturnDocument) -> Standing:
    """What came back on the return, or shall be credited without goods, and what of it is settled."""
    found = await rows(connection, _STANDING, merchant=merchant, number=document.number)
    settled = {r.line_number: r.settled for r in found if r.settled}
    if document.origin == "credit":
        return Standing({line.line_number: line.quantity for line in document.lines}, settled)
    return Standing({r.line_number: r.came for r in found if r.came}, settled)


async def causes(connection: Session, merchant: str, number: str) -> list[str]:
    """The causes for which goods came back on the return."""
    return [str(r.cause_code) for r in await rows(connection, _CAUSES, merchant=merchant, number=number)]


async def sale(connection: Session, merchant: str, order: str) -> Sale:
    """What was invoiced of the order and is left to credit. The caller holds the order's lock."""
    key = {"merchant": merchant, "order": order}
    sold = await bases.billed(connection, merchant, order)
    returned: dict[int, Decimal] = {}
    for (_, line), quantity in (await attributed_so_far(connection, merchant, order)).items():
        returned[line] = returned.get(line, ZERO) + quantity
    unshipped = await one(connection, _UNSHIPPED, **key, kind=SALES_ORDER, what=PICKED)
    return Sale(
        sold.invoices,
        sold.terms,
        sold.unbooked,
        unshipped.n > 0,
        {r.line_number: r.quantity for r in await rows(connection, _DELIVERED, **key)},
        returned,
    )


async def write_credit(
    connection: Session, merchant: Merchant, document: ReturnDocument, what: Sale, credit: Credit, on: date
) -> None:
    """One credit basis, with what it settles."""
    basis_no = await bases.new_basis_no(connection)
    key = {
        "merchant": merchant.merchant_id,
        "order": document.order_number,
        "basis_no": basis_no,
        "part": 1,
        "return_number": document.number,
        "invoice_date": on,
    }
    await bases.write_credit(connection, key, what.terms[credit.basis_no, credit.part], credit)
    for each in credit.rows:
        if each.row.line_number is not None:
            await settle(
                connection, merchant.merchant_id, document.number, each.row.line_number, each.quantity, "credited", basis_no
            )


async def has_credit(connection: Session, merchant: str, number: str) -> bool:
    """Whether anything was credited on the return."""
    return bool((await one(connection, _HAS_CREDIT, merchant=merchant, number=number)).credited)


async def settle(
    connection: Session, merchant: str, number: str, line: int, quantity: Decimal, outcome: str, basis_no: int | None = None
) -> None:
    """Note that so many pieces of a return are settled, and how. The caller holds the order's lock."""
    await connection.execute(
        _SETTLE,
        {
            "merchant": merchant,
            "number": number,
            "line": line,
            "quantity": quantity,
            "outcome": outcome,
            "basis_no": basis_no,
            "part": None if basis_no is None else 1,
        },
    )


async def settle_without_credit(connection: Session, merchant: str, number: str, by: str, reason: str) -> None:
    """A decision: what came back on this return is not credited. Who and why go to the audit by the table itself."""
    await connection.execute(_SETTLE_WITHOUT, {"merchant": merchant, "number": number, "by": by, "reason": reason})


# --- where it stands --------------------------------------------------------------------------------------------------


async def move_return(connection: Session, merchant: str, number: str, status: str) -> None:
    """Set the return's status; the same status again changes nothing."""
    await connection.execute(_MOVE, {"merchant": merchant, "number": number, "status": status})


async def return_state(connection: Session, key: ReturnKey, patience: float, waits: float | None = None) -> ReturnState:
    """What the return owes now, and its end when nothing is owed: then the status and the process are closed here.

    `waits`: the caller knows of something that must be looked at again. The caller holds the order's lock.
    """
    document = await load_return(connection, key.merchant, key.number)
    row = await one(connection, _STATE, merchant=key.merchant, number=key.number, kind=SALES_ORDER, what=RETURNED)
    to_credit = [
        BasisKey(key.merchant, row.order_number, key.run, basis, part, return_number=key.number)
        for basis, part in zip(row.bases, row.parts, strict=True)
    ]
    if document.status in (COMPLETED, CANCELLED) and not to_credit:
        await _end(connection, key, document.status)
        return ReturnState(document.status, outcome=document.status)
    stand = await standing(connection, key.merchant, document)
    after = [waits] if waits is not None else []
    if document.origin != "credit":
        if row.doubt_at is not None:
            after.append(max(0.05, patience - (row.now - row.doubt_at).total_seconds() + 0.05))
        elif row.unreported:
            after.append(PATIENCE)
    if stand.owed and not to_credit and waits is None:
        after.append(PATIENCE)  # a credit of a part is booked: the next look says what holds up the rest
    done = document.origin != "announced" or document.status == "returned"
    if done and not to_credit and not stand.owed and not after:
        await move_return(connection, key.merchant, key.number, COMPLETED)
        await _end(connection, key, COMPLETED)
        return ReturnState(COMPLETED, outcome=COMPLETED)
    stage = "crediting" if to_credit else "at-warehouse" if document.origin == "announced" else "settling-return"
    return ReturnState(stage, to_credit, min(after, default=None))


async def end_return(connection: Session, key: ReturnKey, outcome: str) -> ReturnState:
    """The return is at its end."""
    await move_return(connection, key.merchant, key.number, outcome)
    await _end(connection, key, outcome)
    return ReturnState(outcome, outcome=outcome)


async def _end(connection: Session, key: ReturnKey, outcome: str) -> None:
    await connection.execute(
        _END, {"merchant": key.merchant, "kind": RETURN, "number": key.number, "run": key.run, "outcome": outcome}
    )


# --- what nobody announced --------------------------------------------------------------------------------------------


async def notice(connection: Session, merchant: str, listed: Mapping[Line, Decimal | None]) -> int:
    """Of these counters of returns, those that differ from our books: their returns are nudged, or one is opened.

    Returns how many orders that were. Nothing is booked here.
    """
    key = {"merchant": merchant, "kind": SALES_ORDER, "ids": sorted({line[0] for line in listed})}
    documents = {r.doc_id: r.document for r in await rows(connection, _LAST_LISTED, **key)}
    booked = {(r.doc_id, r.line_id): r.booked for r in await rows(connection, _COUNTED, **key, what=RETURNED)}
    differing = {
        documents[line[0]]
        for line, returned in listed.items()
        if line[0] in documents and returned is not None and returned != booked.get(line, ZERO)
    }
    for order in sorted(differing):
        await connection.execute(_LOCK_ORDER, {"merchant": merchant, "order": order})
        found = {r.return_number: r for r in await rows(connection, _OPEN, merchant=merchant, order=order)}
        if found:
            await nudge(connection, merchant, list(found), NUDGES_APART)
        else:
            await open_seen(connection, merchant, order)
    return len(differing)


async def nudge_unended(connection: Session, merchant: str) -> None:
    """Tell every return that has not ended to look: once a night, should its process or a message have been lost."""
    await connection.execute(_UNENDED, {"merchant": merchant})


_LOCK_ORDER = text("select 1 from erp.sales_order where merchant_id = :merchant and order_number = :order for no key update")
