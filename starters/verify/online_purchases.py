"""Comparing purchase orders with the warehouse: what it shows received, reported and as status is what our books hold."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from clients.errors import NotFound
from clients.ongoing import GetPurchaseOrder, OngoingClient, PurchaseFilter
from erp.counters import PURCHASE_ORDER, RECEIVED
from erp.database import Database, Session, rows
from starters.verify.check import Violation

PAGE = 100
FRESH = timedelta(minutes=10)
ZERO = Decimal(0)

_OURS = text(
    """
    select w.doc_id, w.document, w.status, w.look_owed
      or exists (select from bridge.inbox i where i.merchant_id = w.merchant_id and i.document = w.document and i.kind = w.kind
                   and i.applied_at is null)
      or exists (select from bridge.exception x where x.merchant_id = w.merchant_id and x.kind = w.kind
                   and x.document = w.document and x.closed_at is null) as waits,
      exists (select from bridge.process p where p.merchant_id = w.merchant_id and p.kind = w.kind and p.document = w.document
                and p.ended_at is null) as running
    from bridge.watched w where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = any(cast(:ids as bigint[]))
    """
)
_IDS = text(
    """
    select doc_id, document from bridge.watched
    where merchant_id = :merchant and kind = :kind and (watch_until is null or watch_until > now()) order by doc_id
    """
)
_COUNTED = text(
    """
    select doc_id, line_id, booked from bridge.counted
    where merchant_id = :merchant and kind = :kind and what = :what and doc_id = any(cast(:ids as bigint[]))
    """
)


@dataclass(frozen=True, slots=True)
class Purchases:
    """What the comparison found: lines looked at, what is wrong, and what something living is about to see to."""

    lines: int
    wrong: list[Violation]
    on_its_way: list[Violation]


@dataclass(frozen=True, slots=True)
class _Ours:
    row: Any
    booked: dict[int, Decimal]


async def compare_purchases(connection: Session, client: OngoingClient, merchant: str, database: Database) -> Purchases:
    """Every watched purchase order, line by line. What differs is read once more on both sides."""
    found = Purchases(0, [], [])
    lines = 0
    watched = await rows(connection, _IDS, merchant=merchant, kind=PURCHASE_ORDER)
    for first in range(0, len(watched), PAGE):
        batch = watched[first : first + PAGE]
        ours = await _ours(connection, merchant, [row.doc_id for row in batch])
        wanted = PurchaseFilter(tuple(sorted({row.document for row in batch})), batch[0].doc_id)
        held = {each.purchase_order_id: each async for page in client.list_purchase_orders(wanted) for each in page}
        for doc_id, mine in ours.items():
            lines += max(1, len(mine.booked))
            if doc_id not in held or _differences(mine, held[doc_id]):
                differs, living = await _again(client, merchant, database, doc_id)
                (found.on_its_way if living else found.wrong).extend(differs)
    return Purchases(lines, found.wrong, found.on_its_way)


async def _ours(connection: Session, merchant: str, ids: list[int]) -> dict[int, _Ours]:
    key: dict[str, Any] = {"merchant": merchant, "kind": PURCHASE_ORDER, "ids": ids}
    booked: dict[int, dict[int, Decimal]] = {}
    for row in await rows(connection, _COUNTED, **key, what=RECEIVED):
        booked.setdefault(row.doc_id, {})[row.line_id] = row.booked
    return {row.doc_id: _Ours(row, booked.get(row.doc_id, {})) for row in await rows(connection, _OURS, **key)}


async def _again(client: OngoingClient, merchant: str, database: Database, doc_id: int) -> tuple[list[Violation], bool]:
    try:
        held = await client.get_purchase_order(doc_id)
    except NotFound:
        held = None
    async with database.merchant(merchant) as session:
        ours = (await _ours(session, merchant, [doc_id]))[doc_id]
    if held is None:
        return [Violation(merchant, ours.row.document, f"purchase order {doc_id} is not in the warehouse")], False
    at = max((line.received_at for line in held.lines if line.received_at), default=None)
    fresh = at is not None and at > datetime.now(UTC) - FRESH
    differs = [Violation(merchant, f"{ours.row.document} ({doc_id})", what) for what in _differences(ours, held)]
    return differs, bool(ours.row.running and (ours.row.waits or fresh))


def _differences(ours: _Ours, held: GetPurchaseOrder) -> list[str]:
    differs = []
    if held.purchase_order_number != ours.row.document:
        differs.append(f"is numbered {held.purchase_order_number}")
    if held.status != ours.row.status:
        differs.append(f"has status {held.status}, we last saw {ours.row.status}")
    theirs = {line.line_id: line for line in held.lines}
    for line_id in sorted(theirs.keys() | ours.booked.keys()):
        line, booked = theirs.get(line_id), ours.booked.get(line_id, ZERO)
        if line is None:
            differs.append(f"line {line_id} is gone, booked are {booked}")
        elif line.received is None or line.received != booked:
            differs.append(f"line {line_id} shows {line.received} received, booked are {booked}")
        elif (line.reported or ZERO) != booked:
            differs.append(f"line {line_id} shows {line.reported} reported, booked are {booked}")
    return differs
