"""Comparing our books with the other systems: what the warehouse shows, what Fortnox holds.

Only reads, over there and here: connections are opened from the snapshot, and neither proven nor blocked in the tables. The world
goes on meanwhile, so what differs is read once more on both sides, and what is on its way is listed, not called wrong.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.connections import Connections, WrongCompany
from clients.errors import ApiError, NotFound
from clients.fortnox import FortnoxClient, Invoice, InvoiceHit
from clients.ongoing import GetOrder, GetOrderLine, OngoingClient, OrderFilter
from domain.errors import Refused
from erp.counters import PICKED, RETURNED, SALES_ORDER
from erp.database import Database, Session, one, rows
from erp.merchants import load_connection, load_merchant
from starters.tie_out import tie
from starters.verify.check import SAMPLES, CannotCheck, Found, Violation
from starters.verify.online_purchases import compare_purchases
from starters.verify.report import Result, Verdict
from worker.keyring import KeyRingError
from worker.settings import Settings
from worker.wiring import fortnox_connections, ongoing_connections

PAGE = 100
AT_ONCE = 6
FRESH = timedelta(minutes=10)
ZERO = Decimal(0)

Client = TypeVar("Client")


@dataclass(frozen=True, slots=True)
class Online:
    """The ways to the other systems. `database` is the application's: the limiter's window is shared with the workers."""

    database: Database
    ongoing: Connections[OngoingClient]
    fortnox: Connections[FortnoxClient]


@asynccontextmanager
async def open_online(settings: Settings) -> AsyncIterator[Online]:
    """Open the ways to the other systems, by the application's role and key ring."""
    database = Database(settings.database("app"), pool_size=AT_ONCE + 2)
    try:
        keys = settings.key_ring()
        yield Online(database, ongoing_connections(database, keys, settings), fortnox_connections(database, keys, settings))
    finally:
        await database.close()


_MERCHANTS = text(
    """
    select merchant_id,
      exists (select from bridge.watched w where w.merchant_id = m.merchant_id and w.kind = 'sales-order') as at_warehouse,
      exists (select from bridge.watched w where w.merchant_id = m.merchant_id and w.kind = 'purchase-order') as bought,
      exists (select from erp.invoice_basis b where b.merchant_id = m.merchant_id) as billed,
      exists (select from bridge.voucher v where v.merchant_id = m.merchant_id) as vouchered
    from erp.merchant m where coalesce(cast(:merchant as text), merchant_id) = merchant_id order by 1
    """
)
_DOCUMENTS = text(
    """
    select w.doc_id, w.document, w.status, w.look_owed, l.their_id is not null as sent,
      (select s.mark from bridge.order_sent s where s.merchant_id = w.merchant_id and s.order_number = w.document) as mark,
      exists (select from bridge.process p where p.merchant_id = w.merchant_id and p.kind = w.kind and p.document = w.document
                and p.ended_at is null) as running,
      exists (select from bridge.inbox i where i.merchant_id = w.merchant_id and i.document = w.document and i.applied_at is null)
        as nudged,
      exists (select from bridge.exception x where x.merchant_id = w.merchant_id and x.kind = w.kind and x.document = w.document
                and x.closed_at is null) as known,
      exists (select from erp.return_order r where r.merchant_id = w.merchant_id and r.order_number = w.document
                and r.status not in ('draft', 'completed', 'cancelled')) as returning,
      exists (select from erp.return_order r join bridge.exception x on x.merchant_id = r.merchant_id and x.kind = 'return'
                and x.document = r.return_number and x.closed_at is null
              where r.merchant_id = w.merchant_id and r.order_number = w.document) as return_known
    from bridge.watched w left join bridge.link l on l.merchant_id = w.merchant_id and l.system = 'ongoing' and l.kind = w.kind
      and l.our_key = w.document and l.their_id = w.doc_id::text
    where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = any(cast(:ids as bigint[]))
    """
)
_IDS = text(
    """
    select doc_id from bridge.watched
    where merchant_id = :merchant and kind = :kind and (watch_until is null or watch_until > now()) order by doc_id
    """
)
_COUNTED = text(
    """
    select doc_id, line_id, booked, reported_known, doubt_value is not null as doubted from bridge.counted
    where merchant_id = :merchant and kind = :kind and what = :what and doc_id = any(cast(:ids as bigint[]))
    """
)
_BASES = text(
    """
    select b.basis_no, b.part, b.reference, b.order_number, b.state, b.currency, b.price_basis, b.amount, b.vat, b.tolerance,
      b.fortnox_invoice_number as number, b.fortnox_net, b.fortnox_vat,
      coalesce(o.customer_number, 'KOLLEKTIV-' || coalesce(o.delivery_country, m.country)) as customer_number, o.version
    from erp.invoice_basis b join erp.sales_order o using (merchant_id, order_number) join erp.merchant m using (merchant_id)
    where b.merchant_id = :merchant order by b.basis_no, b.part
    """
)
_BASIS_NOW = text("select state from erp.invoice_basis where merchant_id = :merchant and reference = :reference")
_SURPLUS = text(
    """
    select their_id, business_key, state from bridge.surplus_document
    where merchant_id = :merchant and system = 'fortnox' and kind = 'invoice'
    """
)
_RUNS = text(
    "select 1 from bridge.process where merchant_id = :merchant and kind = :kind and document = :document and ended_at is null"
)


async def compare(connection: AsyncConnection, online: Online, merchant: str | None) -> list[Result]:
    """One result per merchant and system. A system that does not answer is not checked."""
    results = []
    for who in await rows(connection, _MERCHANTS, merchant=merchant):
        if who.at_warehouse:
            says = f"Online: Ongoing shows what our books hold for {who.merchant_id}: picked, reported, status"
            results.append(await _with("E2", says, connection, online.ongoing, who.merchant_id, online, with_warehouse))
        if who.bought:
            says = f"Online: the warehouse shows what our books hold of purchases of {who.merchant_id}: received, reported"
            results.append(await _with("G1", says, connection, online.ongoing, who.merchant_id, online, with_purchases))
        if who.billed:
            says = f"Online: Fortnox holds exactly one live invoice for each basis of {who.merchant_id}, with our figures"
            results.append(await _with("I1", says, connection, online.fortnox, who.merchant_id, online, with_fortnox))
        if who.vouchered:
            says = f"Online: the stock of {who.merchant_id} ties to Fortnox's stock account: our vouchers and listed foreign ones"
            results.append(await _with("C4", says, connection, online.fortnox, who.merchant_id, online, with_stock_account))
    return results


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found; `on_its_way`: differs, and something living is about to see to it."""

    found: Found
    on_its_way: list[Violation]


async def _with(
    invariant: str,
    says: str,
    connection: AsyncConnection,
    connections: Connections[Client],
    merchant: str,
    online: Online,
    does: Callable[[AsyncConnection, Client, str, Online], Awaitable[Compared]],
) -> Result:
    began = time.perf_counter()
    try:
        async with _client(connection, connections, merchant) as client:
            compared = await does(connection, client, merchant, online)
    except (ApiError, Refused, CannotCheck, KeyRingError, WrongCompany, SQLAlchemyError, TimeoutError) as why:
        reason = f"{connections.system} of {merchant}: {why or type(why).__name__}"
        return Result(invariant, says, Verdict.NOT_CHECKED, why=reason, seconds=round(time.perf_counter() - began, 3))
    found = compared.found
    verdict = Verdict.VIOLATED if found.violations else Verdict.CLEAN if found.rows else Verdict.NOTHING_PROVED
    seconds = round(time.perf_counter() - began, 3)
    on_its_way = compared.on_its_way
    return Result(invariant, says, verdict, found.rows, found.violations, found.samples, on_its_way, seconds=seconds)


@asynccontextmanager
async def _client(connection: AsyncConnection, connections: Connections[Client], merchant: str) -> AsyncIterator[Client]:
    stored = await load_connection(connection, merchant, connections.system)
    client = connections.build(await load_merchant(connection, merchant), stored)
    try:
        await connections.prove(client, stored)
        yield client
    finally:
        await connections.close(client)


# --- the warehouse ----------------------------------------------------------------------------------------------------


async def with_warehouse(connection: AsyncConnection, client: OngoingClient, merchant: str, online: Online) -> Compared:
    """Every watched document, line by line."""
    ids = [row.doc_id for row in await rows(connection, _IDS, merchant=merchant, kind=SALES_ORDER)]
    lines = 0
    wrong: list[Violation] = []
    on_its_way: list[Violation] = []
    for first in range(0, len(ids), PAGE):
        batch = ids[first : first + PAGE]
        ours = await _ours(connection, merchant, batch)
        held = await _held(client, [ours[doc_id].document for doc_id in batch], batch[0])
        for doc_id in batch:
            lines += max(1, len(ours[doc_id].lines))
            if doc_id not in held or _differences(ours[doc_id], held[doc_id]) or _returned(ours[doc_id], held[doc_id]):
                for differs, living in await _again(client, merchant, online, doc_id):
                    (on_its_way if living else wrong).extend(differs)
    return Compared(Found.of(lines, wrong), on_its_way)


@dataclass(frozen=True, slots=True)
class _Document:
    """One document of the warehouse as our books hold it."""

    document: str
    status: int | None
    sent: bool
    mark: str | None
    waits: bool
    running: bool
    lines: dict[int, Any]
    returning: bool
    return_waits: bool
    returned: dict[int, Any]


async def _ours(connection: Session, merchant: str, ids: list[int]) -> dict[int, _Document]:
    key = {"merchant": merchant, "kind": SALES_ORDER, "ids": ids}
    counted: dict[int, dict[int, Any]] = {doc_id: {} for doc_id in ids}
    returned: dict[int, dict[int, Any]] = {doc_id: {} for doc_id in ids}
    for what, into in ((PICKED, counted), (RETURNED, returned)):
        for row in await rows(connection, _COUNTED, **key, what=what):
            into[row.doc_id][row.line_id] = row
    return {
        row.doc_id: _Document(
            row.document,
            row.status,
            row.sent,
            row.mark,
            row.look_owed or row.nudged or row.known or any(line.doubted for line in counted[row.doc_id].values()),
            row.running,
            counted[row.doc_id],
            row.returning,
            row.return_known or any(line.doubted for line in returned[row.doc_id].values()),
            returned[row.doc_id],
        )
        for row in await rows(connection, _DOCUMENTS, **key)
    }


async def _held(client: OngoingClient, numbers: list[str], first_id: int) -> dict[int, GetOrder]:
    wanted = OrderFilter(order_id_from=first_id, order_numbers=tuple(sorted(set(numbers))))
    return {order.order_id: order async for page in client.list_orders(wanted, page_size=PAGE) for order in page}


async def _again(client: OngoingClient, merchant: str, online: Online, doc_id: int) -> list[tuple[list[Violation], bool]]:
    """Read both sides once more: the document by its id, then our rows as they are now.

    Of the order, then of what came back on it: what differs, and whether a living process is about to see to it.
    """
    try:
        held = await client.get_order(doc_id)
    except NotFound:
        held = None
    async with online.database.merchant(merchant) as session:
        ours = (await _ours(session, merchant, [doc_id]))[doc_id]
    if held is None:
        return [([Violation(merchant, ours.document, f"document {doc_id} is not in the warehouse")], False)]
    picked = _fresh(line.picked_at for line in _lines(held))
    came_back = _fresh(line.returned_at for line in _lines(held))
    where = f"{ours.document} ({doc_id})"
    return [
        ([Violation(merchant, where, what) for what in _differences(ours, held)], ours.running and (ours.waits or picked)),
        (
            [Violation(merchant, where, what) for what in _returned(ours, held)],
            ours.returning and (ours.return_waits or came_back),
        ),
    ]


def _fresh(times: Iterable[datetime | None]) -> bool:
    newest = max((at for at in times if at), default=None)
    return newest is not None and newest > datetime.now(UTC) - FRESH


def _lines(held: GetOrder) -> list[GetOrderLine]:
    return [counted for line in held.lines for counted in line.counted]


def _differences(ours: _Document, held: GetOrder) -> list[str]:
    differs = []
    if ours.sent and held.order_number != ours.document:
        differs.append(f"is numbered {held.order_number}")
    if ours.sent and not (held.goods_owner_order_id or "").startswith(f"lagerbro/{ours.document}/v"):
        differs.append(f"does not carry our mark, but {held.goods_owner_order_id}")
    elif ours.sent and ours.mark is not None and held.goods_owner_order_id != ours.mark:
        differs.append(f"is {held.goods_owner_order_id}; the warehouse had taken {ours.mark}")
    if held.status != ours.status:
        differs.append(f"has status {held.status}, we last saw {ours.status}")
    theirs = {line.line_id: line for line in _lines(held)}
    for line_id in sorted(theirs.keys() | ours.lines.keys()):
        line, counted = theirs.get(line_id), ours.lines.get(line_id)
        booked = counted.booked if counted else ZERO
        if line is None:
            if booked:
                differs.append(f"line {line_id} is gone, booked are {_plain(booked)}")
        elif line.picked is None or line.picked != booked:
            differs.append(f"line {line_id} shows {line.picked} picked, booked are {booked}")
        elif (line.reported or ZERO) != booked:
            differs.append(f"line {line_id} shows {line.reported} reported, booked are {booked}")
    return differs


def _plain(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"


def _returned(ours: _Document, held: GetOrder) -> list[str]:
    """What came back, as it is shown and as it is booked. A line that is gone is said of its picks."""
    differs = []
    theirs = {line.line_id: line for line in _lines(held)}
    for line_id, line in sorted(theirs.items()):
        counted = ours.returned.get(line_id)
        booked = counted.booked if counted else ZERO
        shown, reported = line.returned or ZERO, line.reported_returned or ZERO
        if shown != booked:
            differs.append(f"line {line_id} shows {_plain(shown)} returned, booked are {_plain(booked)}")
        elif reported != booked:
            differs.append(f"line {line_id} shows {_plain(reported)} reported as returned, booked are {_plain(booked)}")
    differs += [
        f"line {line_id} is gone, booked as returned are {_plain(ours.returned[line_id].booked)}"
        for line_id in sorted(ours.returned.keys() - theirs.keys() - ours.lines.keys())
        if ours.returned[line_id].booked
    ]
    return differs


async def with_purchases(connection: AsyncConnection, client: OngoingClient, merchant: str, online: Online) -> Compared:
    """Every watched purchase order, line by line."""
    found = await compare_purchases(connection, client, merchant, online.database)
    return Compared(Found.of(found.lines, found.wrong), found.on_its_way)


# --- Fortnox ----------------------------------------------------------------------------------------------------------


async def with_fortnox(connection: AsyncConnection, client: FortnoxClient, merchant: str, online: Online) -> Compared:
    """Every basis of ours over there, surplus documents cancelled, and nothing live with our mark that is not ours."""
    bases = await rows(connection, _BASES, merchant=merchant)
    held = await _ours_in_fortnox(client, _mark(merchant))
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(basis: Any) -> tuple[list[Violation], bool]:
        async with gate:
            return await _basis(client, merchant, online, basis, held.get(basis.reference, []))

    wrong: list[Violation] = []
    on_its_way: list[Violation] = []
    for differs, living in await asyncio.gather(*(read(basis) for basis in bases)):
        (on_its_way if living else wrong).extend(differs)
    surplus = await rows(connection, _SURPLUS, merchant=merchant)
    for row in surplus:
        wrong += await _surplus(client, merchant, row)
    known = {basis.reference for basis in bases}
    async with online.database.merchant(merchant) as session:
        for reference in sorted(held.keys() - known):
            live = [hit.document_number for hit in held[reference] if not hit.cancelled]
            if live and await one(session, _BASIS_NOW, merchant=merchant, reference=reference) is None:
                wrong.append(Violation(merchant, f"Fortnox invoice {live[0]}", f"carries {reference}, and we have no such basis"))
    return Compared(Found.of(len(bases) + len(surplus), wrong), on_its_way[:SAMPLES])


async def with_stock_account(connection: AsyncConnection, client: FortnoxClient, merchant: str, online: Online) -> Compared:
    """The tie-out. A gap is read again: a voucher may have been booked between the two sides. Foreign vouchers are listed."""
    tied = await tie(online.database, client, merchant)
    if not tied.agrees:
        tied = await tie(online.database, client, merchant)
    where = f"account {', '.join(map(str, tied.accounts))}"
    wrong = []
    if tied.gap:
        text_ = f"Fortnox has {tied.fortnox}, our vouchers {tied.ours.vouchered}: {tied.gap} is explained by nothing"
        wrong.append(Violation(merchant, where, text_))
    if tied.unexplained_here:
        ours = tied.ours
        text_ = f"the ledger is worth {ours.ledger}, balances {ours.balances}, posted are {ours.posted}"
        wrong.append(Violation(merchant, where, text_))
    listed = [
        Violation(merchant, f"Fortnox voucher {each.voucher}", f"not ours: {each.amount} of {each.on}") for each in tied.foreign
    ]
    if tied.ours.waiting_postings:
        listed.append(
            Violation(merchant, where, f"{tied.ours.waiting_postings} postings wait for a voucher: {tied.ours.waiting}")
        )
    return Compared(Found.of(1, wrong), listed[:SAMPLES])


def _mark(merchant: str) -> str:
    return f"lb-{hashlib.sha256(merchant.encode()).hexdigest()[:6]}-"


async def _ours_in_fortnox(client: FortnoxClient, mark: str) -> dict[str, list[InvoiceHit]]:
    """Every invoice over there whose reference begins with our mark, by reference."""
    by_reference: dict[str, list[InvoiceHit]] = {}
    for hit in await client.find_invoices_by_prefix(mark):
        by_reference.setdefault(hit.external_invoice_reference1 or "", []).append(hit)
    return by_reference


async def _basis(
    client: FortnoxClient, merchant: str, online: Online, basis: Any, hits: list[InvoiceHit]
) -> tuple[list[Violation], bool]:
    where = f"{basis.order_number} basis {basis.basis_no}/{basis.part} ({basis.reference})"
    # The list finds parts of a reference, which Fortnox does not promise; the exact search is its documented use.
    live = [hit for hit in hits or await client.find_invoices_by_reference(basis.reference) if not hit.cancelled]
    if basis.state != "booked":
        booked = [hit.document_number for hit in live if hit.booked]
        if not booked:
            return [], False
        async with online.database.merchant(merchant) as session:
            running = await one(session, _RUNS, merchant=merchant, kind=SALES_ORDER, document=basis.order_number) is not None
            now = await one(session, _BASIS_NOW, merchant=merchant, reference=basis.reference)
        if now.state == "booked":
            return [], False
        return [Violation(merchant, where, f"is {basis.state}; invoice {booked[0]} is booked in Fortnox")], running
    if len(live) != 1:
        numbers = ", ".join(str(hit.document_number) for hit in live) or "none"
        return [Violation(merchant, where, f"live documents in Fortnox: {numbers}; ours is {basis.number}")], False
    invoice = await client.get_invoice(live[0].document_number)
    return [Violation(merchant, where, what) for what in _invoice_differs(basis, invoice)], False


def _invoice_differs(basis: Any, invoice: Invoice) -> list[str]:
    net, vat = invoice.net_total, invoice.total_vat or ZERO
    quoted = net if basis.price_basis == "net" else net + vat
    facts = [
        ("number", invoice.document_number, basis.number),
        ("booked", invoice.booked, True),
        ("currency", invoice.currency, basis.currency),
        ("net", net, basis.fortnox_net),
        ("VAT", vat, basis.fortnox_vat),
        (f"{basis.price_basis} total", quoted, basis.amount),
    ]
    if basis.version == 1:
        facts.append(("customer", invoice.customer_number, basis.customer_number))
    differs = [f"{name} in Fortnox is {theirs}, ours is {ours}" for name, theirs, ours in facts if theirs != ours]
    if abs(vat - basis.vat) > basis.tolerance:
        differs.append(f"VAT in Fortnox is {vat}, the basis says {basis.vat}, which may differ by {basis.tolerance}")
    return differs


async def _surplus(client: FortnoxClient, merchant: str, row: Any) -> list[Violation]:
    try:
        invoice = await client.get_invoice(int(row.their_id))
    except NotFound:
        return []  # deleted over there: it is not live
    if invoice.cancelled:
        return []
    return [Violation(merchant, f"Fortnox invoice {row.their_id}", f"is surplus to {row.business_key} and not cancelled there")]
