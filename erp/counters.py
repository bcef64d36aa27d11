"""What the warehouse counts, as our books hold it: looks, fences, steps (protocols in `domain.counting`).

The order of things makes it safe. A look takes its number and commits before it asks. Booking locks the document's row, and
refuses a look whose number is not above the fence; then it draws a new number as the fence. So an answer that was read
before our last booking, by anybody, can never be booked after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.counting import Counter, Doubt, Line, Plan, plan_booking
from erp.database import Session, one, rows
from erp.visible import SHOWING, Shown, showing

SALES_ORDER = "sales-order"
PURCHASE_ORDER = "purchase-order"
PICKED = "picked"
RETURNED = "returned"
RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Look:
    """A numbered look at one document, taken before asking the warehouse, and the database's time at that moment."""

    doc_id: int
    number: int
    epoch: int
    began_at: datetime


@dataclass(frozen=True, slots=True)
class CountedLine:
    """One line in the warehouse: whose line of ours it is (None for a component or a line that is not ours).

    `picked`, `reported` and `picked_at` are those of the counter that is booked: of what came back for returns, of what came in for
    purchases.
    """

    line: Line
    line_number: int | None
    article_number: str
    ordered: Decimal
    picked: Decimal
    reported: Decimal | None
    moves_stock: bool
    picked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Watched:
    """The documents of one order under lock, with what is counted on them. `outran` is true when no look may be booked;
    `shown` is the digest of what the ERP was last shown of each document."""

    outran: bool
    counters: dict[Line, Counter]
    line_numbers: dict[Line, int | None]
    shipped: dict[Line, Decimal]
    reported: dict[Line, Decimal | None]
    short_since: datetime | None
    now: datetime
    shown: dict[int, str | None]


_BEGIN = text(
    """
    select doc_id, epoch, nextval('bridge.look_no') as number, clock_timestamp() as began_at from bridge.watched
    where merchant_id = :merchant and kind = :kind and document = :document order by doc_id
    """
)
_LOCK = text(
    """
    select doc_id, fence, epoch, short_since, shown, now() as now from bridge.watched
    where merchant_id = :merchant and kind = :kind and document = :document order by doc_id for update
    """
)
_COUNTED = text(
    """
    select c.doc_id, c.line_id, c.booked, c.step, c.doubt_value, c.doubt_look, c.doubt_at, c.reversed_at, c.line_number,
           c.shipped, c.reported_known
    from bridge.counted c
    where c.merchant_id = :merchant and c.kind = :kind and c.doc_id = any(cast(:ids as bigint[])) and c.what = :what
    order by c.doc_id, c.line_id
    """
)
_NEW_LINES = text(
    """
    insert into bridge.counted (merchant_id, kind, doc_id, line_id, what, line_number, article_number, ordered, booked, step,
      reported_known)
    select :merchant, :kind, n.d, n.l, :what, n.n, n.a, n.o, n.b, (n.b > 0)::int, n.r
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[]), cast(:line_numbers as int[]),
                cast(:articles as text[]), cast(:ordered as numeric[]), cast(:booked as numeric[]),
                cast(:reported as numeric[])) as n(d, l, n, a, o, b, r)
    on conflict do nothing
    """
)
_BOOK = text(
    """
    insert into bridge.booking (merchant_id, kind, doc_id, line_id, what, step, look, quantity, from_value, to_value, occurred_at)
    select :merchant, :kind, d, l, :what, s, k, q, f, t, at
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[]), cast(:steps as int[]), cast(:looks as bigint[]),
                cast(:quantities as numeric[]), cast(:froms as numeric[]), cast(:tos as numeric[]),
                cast(:times as timestamptz[])) as n(d, l, s, k, q, f, t, at)
    """
)
_COUNT = text(
    """
    update bridge.counted c set booked = n.t, step = n.s, doubt_value = null, doubt_look = null, doubt_at = null,
        reversed_at = case when n.q < 0 then now() else c.reversed_at end
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[]), cast(:steps as int[]), cast(:quantities as numeric[]),
                cast(:tos as numeric[])) as n(d, l, s, q, t)
    where c.merchant_id = :merchant and c.kind = :kind and c.what = :what
      and c.doc_id = any(cast(:doc_ids as bigint[])) and c.doc_id = n.d and c.line_id = n.l
    """
)
_DOUBT = text(
    """
    update bridge.counted c set doubt_value = n.v, doubt_look = nextval('bridge.look_no'), doubt_at = now()
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[]), cast(:values as numeric[])) as n(d, l, v)
    where c.merchant_id = :merchant and c.kind = :kind and c.what = :what
      and c.doc_id = any(cast(:doc_ids as bigint[])) and c.doc_id = n.d and c.line_id = n.l
    """
)
_SETTLE = text(
    """
    update bridge.counted c set doubt_value = null, doubt_look = null, doubt_at = null
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[])) as n(d, l)
    where c.merchant_id = :merchant and c.kind = :kind and c.what = :what
      and c.doc_id = any(cast(:doc_ids as bigint[])) and c.doc_id = n.d and c.line_id = n.l
    """
)
_SEEN = text(
    """
    update bridge.counted c set reported_known = n.r, ordered = n.o
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[]), cast(:reported as numeric[]),
                cast(:ordered as numeric[])) as n(d, l, r, o)
    where c.merchant_id = :merchant and c.kind = :kind and c.what = :what
      and c.doc_id = any(cast(:doc_ids as bigint[])) and c.doc_id = n.d and c.line_id = n.l
      and (c.reported_known is distinct from n.r or c.ordered <> n.o)
    """
)
_FENCING = """
    update bridge.watched w set fence = nextval('bridge.look_no'), look_owed = :look_owed, looked_at = now(), status = n.s,
        shipped_at = coalesce(n.at, w.shipped_at), short_since = case when n.sent then coalesce(w.short_since, now()) end{also}
    from unnest(cast(:doc_ids as bigint[]), cast(:statuses as int[]), cast(:times as timestamptz[]), cast(:sent as boolean[]))
         as n(d, s, at, sent){beside}
    where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = any(cast(:doc_ids as bigint[])) and w.doc_id = n.d
    """
_FENCE = text(_FENCING.format(also="", beside=""))
_FENCE_AND_SHOW = text(
    SHOWING
    + _FENCING.format(
        also=", shown = coalesce(g.digest, w.shown)",
        beside=" left join unnest(cast(:shown_ids as bigint[]), cast(:digests as text[])) as g(d, digest) on g.d = n.d",
    )
)
_FENCE_ONLY = text(
    """
    update bridge.watched set fence = nextval('bridge.look_no')
    where merchant_id = :merchant and kind = :kind and document = :document
    """
)
_WATCH = text(
    """
    with shown as (
      insert into erp.warehouse_order (merchant_id, warehouse_order_id, order_number, status, meaning)
      select merchant_id, :doc_id, order_number, cast(:status as int), cast(:meaning as text) from erp.sales_order
      where merchant_id = :merchant and order_number = :document on conflict do nothing)
    insert into bridge.watched (merchant_id, kind, doc_id, document, look_owed, status, watch_until)
    values (:merchant, :kind, :doc_id, :document, false, cast(:status as int), now() + make_interval(days => :days))
    on conflict (merchant_id, kind, doc_id) do nothing
    """
)
_REPORTED = text(
    """
    update bridge.counted c set reported_known = n.v
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[]), cast(:values as numeric[])) as n(d, l, v)
    where c.merchant_id = :merchant and c.kind = :kind and c.what = :what
      and c.doc_id = any(cast(:doc_ids as bigint[])) and c.doc_id = n.d and c.line_id = n.l
    """
)
_SHIPPED = text(
    """
    update bridge.counted c set shipped = n.v
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[]), cast(:values as numeric[])) as n(d, l, v)
    where c.merchant_id = :merchant and c.kind = :kind and c.what = :what
      and c.doc_id = any(cast(:doc_ids as bigint[])) and c.doc_id = n.d and c.line_id = n.l
    """
)
_IS_WATCHED = text("select 1 from bridge.watched where merchant_id = :merchant and kind = :kind and document = :document limit 1")
_OWE_NOTHING = text(
    "update bridge.watched set look_owed = false where merchant_id = :merchant and kind = :kind and document = :document"
)
_OWE_LOOK = text(
    "update bridge.watched set look_owed = true where merchant_id = :merchant and kind = :kind and document = :document"
)


async def watch(
    connection: Session,
    merchant: str,
    document: str,
    doc_id: int,
    days: int,
    status: int | None = None,
    meaning: str | None = None,
) -> None:
    """Keep an eye on a document of the warehouse, by its id there and with the status it has. Repeating changes nothing."""
    key = {"merchant": merchant, "kind": SALES_ORDER, "doc_id": doc_id, "document": document}
    await connection.execute(_WATCH, key | {"days": days, "status": status, "meaning": meaning})


async def begin_look(connection: Session, merchant: str, document: str, kind: str = SALES_ORDER) -> list[Look]:
    """A look number for every document of the order. The caller commits before it asks the warehouse."""
    found = await rows(connection, _BEGIN, merchant=merchant, kind=kind, document=document)
    return [Look(row.doc_id, row.number, row.epoch, row.began_at) for row in found]


async def lock(
    connection: Session, merchant: str, document: str, looks: Sequence[Look], what: str = PICKED, kind: str = SALES_ORDER
) -> Watched:
    """Lock the order's documents and read what is booked on them."""
    key = {"merchant": merchant, "kind": kind, "document": document}
    documents = await rows(connection, _LOCK, **key)
    numbers = {look.doc_id: look for look in looks}
    outran = not documents or any(
        row.doc_id not in numbers or numbers[row.doc_id].number <= row.fence or numbers[row.doc_id].epoch != row.epoch
        for row in documents
    )
    ids = [row.doc_id for row in documents]
    counted = await rows(connection, _COUNTED, merchant=merchant, kind=kind, ids=ids, what=what)
    return Watched(
        outran,
        {(r.doc_id, r.line_id): Counter(r.booked, r.step, _doubt(r), r.reversed_at) for r in counted},
        {(r.doc_id, r.line_id): r.line_number for r in counted},
        {(r.doc_id, r.line_id): r.shipped for r in counted},
        {(r.doc_id, r.line_id): r.reported_known for r in counted},
        min((row.short_since for row in documents if row.short_since), default=None),
        documents[0].now if documents else datetime.min.replace(tzinfo=UTC),
        {row.doc_id: row.shown for row in documents},
    )


def _doubt(row: Any) -> Doubt | None:
    return None if row.doubt_value is None else Doubt(row.doubt_value, row.doubt_look, row.doubt_at)


async def book(
    connection: Session,
    merchant: str,
    watched: Watched,
    seen: Sequence[CountedLine],
    looks: Sequence[Look],
    patience: timedelta,
    what: str = PICKED,
    kind: str = SALES_ORDER,
) -> Plan:
    """Write the steps that the look leads to, and its doubts. Stock entries for the steps are the caller's next statement."""
    numbers = {look.doc_id: look.number for look in looks}
    key = {"merchant": merchant, "kind": kind, "what": what}
    by_line = {line.line: line for line in seen}
    began_at = min(look.began_at for look in looks)
    plan = plan_booking(watched.counters, {line.line: line.picked for line in seen}, numbers, began_at, patience)
    new = [line for line in seen if line.line not in watched.counters]
    if new:
        await connection.execute(
            _NEW_LINES,
            key
            | _lines([line.line for line in new])
            | {
                "line_numbers": [line.line_number for line in new],
                "articles": [line.article_number for line in new],
                "ordered": [line.ordered for line in new],
                "booked": [line.picked for line in new],
                "reported": [line.reported for line in new],
            },
        )
    if plan.steps:
        steps = _lines([step.line for step in plan.steps]) | {
            "steps": [step.step for step in plan.steps],
            "quantities": [step.quantity for step in plan.steps],
            "tos": [step.to_value for step in plan.steps],
        }
        await connection.execute(
            _BOOK,
            key
            | steps
            | {
                "looks": [numbers[step.line[0]] for step in plan.steps],
                "froms": [step.from_value for step in plan.steps],
                "times": [by_line[step.line].picked_at or watched.now for step in plan.steps],
            },
        )
        known = [step for step in plan.steps if step.line in watched.counters]
        if known:
            await connection.execute(
                _COUNT,
                key
                | _lines([step.line for step in known])
                | {
                    "steps": [step.step for step in known],
                    "quantities": [step.quantity for step in known],
                    "tos": [step.to_value for step in known],
                },
            )
    settled = [line for line in plan.settled if line not in {step.line for step in plan.steps}]
    if settled:
        await connection.execute(_SETTLE, key | _lines(settled))
    if plan.doubted:
        await connection.execute(_DOUBT, key | _lines(list(plan.doubted)) | {"values": list(plan.doubted.values())})
    changed = [line for line in seen if line.line in watched.reported and watched.reported[line.line] != line.reported]
    if changed:
        await connection.execute(
            _SEEN,
            key
            | _lines([line.line for line in changed])
            | {"reported": [line.reported for line in changed], "ordered": [line.ordered for line in changed]},
        )
    return plan


async def draw_fence(
    connection: Session,
    merchant: str,
    document: str,
    look_owed: bool,
    statuses: Mapping[int, tuple[int, datetime | None, bool]],
    shown: Sequence[Shown] = (),
    picked: Mapping[int, Decimal] | None = None,
) -> None:
    """End a booking: from here no look that began earlier may be booked. Also when nothing had changed.

    `statuses`: for each document its status number, when it was sent, and whether the status means that it was. `shown` and
    `picked` are what the ERP has not been shown yet: documents, and quantities by line of ours.
    """
    key = {"merchant": merchant, "kind": SALES_ORDER}
    parameters = key | {
        "look_owed": look_owed,
        "doc_ids": list(statuses),
        "statuses": [status for status, _, _ in statuses.values()],
        "times": [at for _, at, _ in statuses.values()],
        "sent": [sent for _, _, sent in statuses.values()],
    }
    if not shown and not picked:
        await connection.execute(_FENCE, parameters)
        return
    digests = {"digests": [each.digest for each in shown]}
    await connection.execute(_FENCE_AND_SHOW, parameters | showing(document, shown, picked or {}) | digests)


async def booked(connection: Session, merchant: str, doc_ids: Sequence[int], what: str = PICKED) -> dict[Line, Decimal]:
    """How far a counter of these documents is booked, by line. No lock: what it says may be older than it is."""
    found = await rows(connection, _COUNTED, merchant=merchant, kind=SALES_ORDER, ids=list(doc_ids), what=what)
    return {(r.doc_id, r.line_id): r.booked for r in found}


async def draw_fence_only(connection: Session, merchant: str, document: str) -> None:
    """End a booking that says nothing about picks: from here no look that began earlier may be booked."""
    await connection.execute(_FENCE_ONLY, {"merchant": merchant, "kind": SALES_ORDER, "document": document})


async def reported(
    connection: Session, merchant: str, values: Sequence[tuple[Line, Decimal]], what: str = PICKED, kind: str = SALES_ORDER
) -> None:
    """Remember what the warehouse has been told, after it has answered."""
    await connection.execute(_REPORTED, _values(merchant, values, what, kind))


async def shipped(connection: Session, merchant: str, values: Sequence[tuple[Line, Decimal]]) -> None:
    """Set how much of each counted line has been put on shipments."""
    await connection.execute(_SHIPPED, _values(merchant, values))


async def owe_look(connection: Session, merchant: str, document: str) -> None:
    """Note that a look is owed: an answer was unclear."""
    await connection.execute(_OWE_LOOK, {"merchant": merchant, "kind": SALES_ORDER, "document": document})


async def owe_nothing(connection: Session, merchant: str, document: str) -> None:
    """No look is owed any more: what it was for has been refused for good."""
    await connection.execute(_OWE_NOTHING, {"merchant": merchant, "kind": SALES_ORDER, "document": document})


async def is_watched(connection: Session, merchant: str, document: str) -> bool:
    """Whether the warehouse holds a document for this order of ours."""
    statement = text(
        "select 1 from bridge.watched where merchant_id = :merchant and kind = :kind and document = :document limit 1"
    )
    return await one(connection, statement, merchant=merchant, kind=SALES_ORDER, document=document) is not None


def _lines(lines: Sequence[Line]) -> dict[str, list[int]]:
    return {"doc_ids": [line[0] for line in lines], "line_ids": [line[1] for line in lines]}


def _values(merchant: str, values: Sequence[tuple[Line, Decimal]], what: str = PICKED, kind: str = SALES_ORDER) -> dict[str, Any]:
    key = {"merchant": merchant, "kind": kind, "what": what}
    return key | _lines([line for line, _ in values]) | {"values": [value for _, value in values]}
