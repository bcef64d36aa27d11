"""What the watcher compares and tells: which documents differ from our books, and nudges for those that do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.counting import Line
from domain.flows import ORDERS_BACK
from domain.flows import SWEEP as NIGHTLY
from erp.counters import PICKED, SALES_ORDER
from erp.database import Session, one, rows

FLOW = ORDERS_BACK.name
SWEEP = NIGHTLY.name
QUICKER = {"poll": ("webhook",), "sweep": ("webhook", "poll")}
"""What should have told of a change before this source had to find it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A document as a list of the warehouse shows it: status, our mark if it is the order itself (a back order has none that
    changes), and picked and reported by line (None where unknown)."""

    doc_id: int
    status: int
    mark: str | None
    lines: dict[Line, tuple[Decimal | None, Decimal | None]]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a flow runs: its interval and since when it has looked; when its nightly sweep last ran, whether somebody has asked
    for one since, and whether it may."""

    enabled: bool
    interval_seconds: int
    watermark: datetime | None
    now: datetime
    swept_at: datetime | None
    sweep_asked: bool
    sweep_enabled: bool


_WATCHED = text(
    """
    select w.doc_id, w.document, w.status, w.look_owed, p.ended_at is null as running, s.mark from bridge.watched w
    left join bridge.order_sent s on s.merchant_id = w.merchant_id and s.order_number = w.document
    left join lateral (select ended_at from bridge.process p where p.merchant_id = w.merchant_id and p.kind = w.kind
                       and p.document = w.document order by run desc limit 1) as p on true
    where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = any(cast(:ids as bigint[]))
    """
)
_STRAYS = text(
    """
    select u.doc_id, u.document from unnest(cast(:ids as bigint[]), cast(:documents as text[])) as u(doc_id, document)
    join erp.sales_order o on o.merchant_id = :merchant and o.order_number = u.document and o.status = 'cancelled'
    where not exists (select from bridge.watched w where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = u.doc_id)
    """
)
_COUNTED = text(
    """
    select doc_id, line_id, booked, reported_known from bridge.counted
    where merchant_id = :merchant and kind = :kind and what = :what and doc_id = any(cast(:ids as bigint[]))
    """
)
_NUDGE = text(
    """
    insert into bridge.inbox (merchant_id, source, event_id, kind, doc_id, document, alone)
    select :merchant, :source, gen_random_uuid()::text, :kind, d, n,
      w.doc_id is not null and not exists (select from bridge.inbox h
        where h.merchant_id = :merchant and h.kind = :kind and h.doc_id = d and h.source = any(cast(:quicker as text[]))
          and (h.applied_at is null or h.applied_at >= coalesce(w.looked_at, '-infinity')))
    from unnest(cast(:ids as bigint[]), cast(:documents as text[])) as u(d, n)
    left join bridge.watched w on w.merchant_id = :merchant and w.kind = :kind and w.doc_id = d
    where not exists (select from bridge.inbox i where i.merchant_id = :merchant and i.document = u.n and i.kind = :kind
                      and i.applied_at is null and i.source = :source)
    """
)
_ORPHANS = text(
    """
    select distinct b.order_number from erp.invoice_basis b
    where b.merchant_id = :merchant and b.state = 'open' and b.return_number is null and not exists (
      select from bridge.process p where p.merchant_id = b.merchant_id and p.kind = :kind and p.document = b.order_number
        and p.ended_at is null)
    """
)
_RHYTHM = text(
    """
    with mine as (
      insert into bridge.entity as e (merchant_id, flow, interval_seconds) values (:merchant, :flow, :interval)
      on conflict (merchant_id, flow) do update set flow = excluded.flow
      returning e.enabled, e.interval_seconds, e.watermark)
    select mine.*, clock_timestamp() as now, s.last_run_at as swept_at, coalesce(s.enabled, true) as sweep_enabled,
      coalesce(s.run_now_at > coalesce(s.last_run_at, '-infinity'), false) as sweep_asked
    from mine left join bridge.entity s on s.merchant_id = :merchant and s.flow = :sweep
    """
)
_RAN = text(
    """
    insert into bridge.entity as e (merchant_id, flow, last_run_at, watermark)
    values (:merchant, :flow, coalesce(cast(:watermark as timestamptz), now()), :watermark)
    on conflict (merchant_id, flow) do update set last_run_at = excluded.last_run_at,
      watermark = coalesce(excluded.watermark, e.watermark)
    """
)
_TO_SWEEP = text(
    """
    select doc_id, document from bridge.watched
    where merchant_id = :merchant and kind = :kind and doc_id > :after and (watch_until is null or watch_until > now())
    order by doc_id limit :most
    """
)


async def rhythm(connection: Session, merchant: str, interval: int) -> Rhythm:
    """When the merchant's orders are looked at; made with its default interval on first use."""
    row = await one(connection, _RHYTHM, merchant=merchant, flow=FLOW, interval=interval, sweep=SWEEP)
    return Rhythm(row.enabled, row.interval_seconds, row.watermark, row.now, row.swept_at, row.sweep_asked, row.sweep_enabled)


async def ran(connection: Session, merchant: str, flow: str, watermark: datetime | None = None) -> None:
    """The flow has run. `watermark` is when it began: from then on things may have changed unseen."""
    await connection.execute(_RAN, {"merchant": merchant, "flow": flow, "watermark": watermark})


async def changed(connection: Session, merchant: str, listed: Sequence[Listed]) -> dict[int, str]:
    """Of the documents listed, those that we watch and that differ from our books: id to our number."""
    ids = [document.doc_id for document in listed]
    key: dict[str, Any] = {"merchant": merchant, "kind": SALES_ORDER, "ids": ids}
    watched = {row.doc_id: row for row in await rows(connection, _WATCHED, **key)}
    counted: dict[int, dict[Line, Any]] = {}
    for row in await rows(connection, _COUNTED, **key, what=PICKED):
        counted.setdefault(row.doc_id, {})[row.doc_id, row.line_id] = row
    return {
        document.doc_id: watched[document.doc_id].document
        for document in listed
        if document.doc_id in watched and _differs(document, watched[document.doc_id], counted.get(document.doc_id, {}))
    }


def _differs(listed: Listed, watched: Any, counted: Mapping[Line, Any]) -> bool:
    if watched.running is None:
        return False
    if watched.status != listed.status or watched.look_owed:
        return True
    if None not in (listed.mark, watched.mark) and listed.mark != watched.mark:
        return True
    for line, (picked, reported) in listed.lines.items():
        known = counted.get(line)
        if known is None:
            if picked:
                return True
        elif known.booked != picked or (known.reported_known or 0) != (reported or 0):
            return True
    return any(line not in listed.lines for line in counted)


async def strays(connection: Session, merchant: str, numbers: Mapping[int, str]) -> dict[int, str]:
    """Of these documents with our mark, those that we do not watch though the order has ended: a request came very late."""
    found = await rows(
        connection, _STRAYS, merchant=merchant, kind=SALES_ORDER, ids=list(numbers), documents=list(numbers.values())
    )
    return {row.doc_id: row.document for row in found}


async def nudge(connection: Session, merchant: str, source: str, documents: Mapping[int, str], kind: str = SALES_ORDER) -> None:
    """Put documents in the inbox, whose drain tells their processes. One nudge that waits already is enough.

    A nudge is `alone` when nothing quicker has said anything that no look has taken up yet.
    """
    if documents:
        await connection.execute(
            _NUDGE,
            {
                "merchant": merchant,
                "source": source,
                "quicker": QUICKER.get(source, ()),
                "kind": kind,
                "ids": list(documents),
                "documents": list(documents.values()),
            },
        )


async def orphans(connection: Session, merchant: str) -> list[str]:
    """Orders that owe an invoice and have no process: booked by an attempt that outlived its workflow."""
    return [row.order_number for row in await rows(connection, _ORPHANS, merchant=merchant, kind=SALES_ORDER)]


async def to_sweep(connection: Session, merchant: str, after: int, most: int) -> list[tuple[int, str]]:
    """The next documents to sweep, in the order of their ids."""
    found = await rows(connection, _TO_SWEEP, merchant=merchant, kind=SALES_ORDER, after=after, most=most)
    return [(row.doc_id, row.document) for row in found]
