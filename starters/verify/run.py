"""Verifying a database: every check on one snapshot, read-only, by a role that can change nothing."""

import asyncio
import re
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.client import Client

from erp.database import Database, one, rows
from starters.verify import (
    books,
    calls,
    chain,
    costing,
    counters,
    events,
    guards,
    invoices,
    orders,
    rates,
    receipts,
    reconciliation,
    stock,
    supplier_invoices,
)
from starters.verify.check import SAMPLES, CannotCheck, Check, Found, Probe, Stage, Violation
from starters.verify.online import Online, compare
from starters.verify.report import Report, Result, Verdict
from starters.verify.temporal import processes_run, workflows_are_well

CHECKS: tuple[Check | Probe, ...] = (
    *counters.CHECKS,
    *stock.CHECKS[:1],
    *chain.CHECKS[:2],
    *guards.CHECKS[:1],
    *stock.CHECKS[1:],
    *books.CHECKS,
    *costing.CHECKS,
    *rates.CHECKS,
    *receipts.CHECKS,
    *supplier_invoices.CHECKS,
    *reconciliation.CHECKS,
    *events.CHECKS[:-1],
    *orders.CHECKS,
    *invoices.CHECKS,
    *events.CHECKS[-1:],
    *calls.CHECKS,
    *guards.CHECKS[1:4],
    *chain.CHECKS[2:],
    *guards.CHECKS[4:],
)

LISTED = 20

_SNAPSHOT = text("set transaction isolation level repeatable read, read only")
_EXPORT = text("select pg_export_snapshot() as snapshot")
_SNAPSHOT_ID = re.compile(r"[0-9A-F-]{1,60}")
_ROOM = text("select set_config('work_mem', '128MB', true), set_config('jit', 'off', true)")
_WHO = text(
    """
    select current_user as name, pg_has_role(current_user, 'lagerbro_verify', 'usage') as sees_all,
      exists (select from pg_namespace where nspname = 'bridge') as ours
    """
)
_ROLE = text("select 1 from pg_roles where rolname = 'lagerbro_verify'")
_MERCHANT = text("select 1 from erp.merchant where merchant_id = :merchant")
_STAGES = text(
    """
    select true as "ALWAYS", false as "NEVER",
      exists (select from bridge.outbox where coalesce(cast(:merchant as text), merchant_id) = merchant_id) as "RELEASED",
      exists (select from bridge.watched where coalesce(cast(:merchant as text), merchant_id) = merchant_id) as "SENT",
      exists (select from bridge.booking where coalesce(cast(:merchant as text), merchant_id) = merchant_id) as "BOOKED",
      exists (select from erp.shipment where coalesce(cast(:merchant as text), merchant_id) = merchant_id) as "SHIPPED",
      exists (select from erp.invoice_basis where coalesce(cast(:merchant as text), merchant_id) = merchant_id) as "BILLED",
      exists (select from erp.invoice_basis
              where state = 'booked' and coalesce(cast(:merchant as text), merchant_id) = merchant_id) as "INVOICED",
      exists (select from bridge.connection where coalesce(cast(:merchant as text), merchant_id) = merchant_id) as "CONNECTED"
    """
)
_HEADS = text(
    """
    select merchant_id, transaction_no || ':' || encode(hash, 'hex') as head from bridge.ledger_head
    where coalesce(cast(:merchant as text), merchant_id) = merchant_id order by 1
    """
)
_COUNTED = "select coalesce(sum(n), 0)::bigint as n from ("
_OF_ALL = ") as counted"
_OF_ONE = ") as counted where merchant_id = :merchant"
_LISTED = "select count(*) over () as total, merchant_id, document, detail from ("
_MOST = " limit :most"


async def verify(database: Database, *, merchant: str | None = None, online: Online | None, temporal: Client | None) -> Report:
    """Check everything that can be checked. Never raises for what the database holds: what cannot be checked is reported so.

    `online` also compares with Ongoing and Fortnox; `temporal` also asks whether the workflows behind the rows are well.
    """
    async with database.engine.connect() as connection, database.engine.connect() as beside:
        await connection.execute(_SNAPSHOT)
        await connection.execute(_ROOM)
        try:
            await _can_see(connection, merchant)
        except (CannotCheck, SQLAlchemyError) as why:
            return _report(merchant, online, [_unchecked("A5", "The database can be read whole", why, 0.0)], {})
        await _same_snapshot(connection, beside)
        stages = await reached(connection, merchant)
        waiting = iter(enumerate(CHECKS))
        done: dict[int, Result] = {}

        async def work_through(lane: AsyncConnection) -> None:
            for number, check in waiting:
                done[number] = await examine(lane, check, merchant, stages)

        await asyncio.gather(work_through(connection), work_through(beside))
        results = [done[number] for number in sorted(done)]
        for invariant, says, ask in (
            ("O6", "Every running process has its running workflow in Temporal, and the other way round", processes_run),
            ("X6", "No workflow is stuck on its own code, and no history is longer than 2 000 events", workflows_are_well),
        ):
            results.append(await _asked(invariant, says, ask, connection, temporal, merchant))
        heads = {row.merchant_id: row.head for row in await rows(connection, _HEADS, merchant=merchant)}
        if online:
            results += await compare(connection, online, merchant)
        return _report(merchant, online, results, heads)


async def _same_snapshot(connection: AsyncConnection, beside: AsyncConnection) -> None:
    """Let a second connection see exactly what the first sees, so that two cores share the work."""
    snapshot = str((await one(connection, _EXPORT)).snapshot)
    if not _SNAPSHOT_ID.fullmatch(snapshot):
        raise CannotCheck(f"PostgreSQL names its snapshot {snapshot!r}")
    await beside.execute(_SNAPSHOT)
    await beside.execute(text("set transaction snapshot '" + snapshot + "'"))
    await beside.execute(_ROOM)


def _report(merchant: str | None, online: Online | None, results: list[Result], heads: dict[str, str]) -> Report:
    return Report(merchant, datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"), online is not None, results, heads)


async def _can_see(connection: AsyncConnection, merchant: str | None) -> None:
    if await one(connection, _ROLE) is None:
        raise CannotCheck("there is no role lagerbro_verify: this is not a database of ours")
    who = await one(connection, _WHO)
    if not who.ours:
        raise CannotCheck("there is no schema bridge: this is not a database of ours")
    if not who.sees_all:
        raise CannotCheck(f"{who.name} is not lagerbro_verify: row level security would hide rows, and hidden is not clean")
    if merchant is not None and await one(connection, _MERCHANT, merchant=merchant) is None:
        raise CannotCheck(f"there is no merchant {merchant}")


async def reached(connection: AsyncConnection, merchant: str | None) -> set[Stage]:
    """The stages that this database has come to."""
    row = (await one(connection, _STAGES, merchant=merchant))._mapping
    return {stage for stage in Stage if row[stage.name]}


async def examine(connection: AsyncConnection, check: Check | Probe, merchant: str | None, stages: set[Stage]) -> Result:
    """Make one check on the snapshot. An error is `not checked`, and the next check goes on."""
    began = time.perf_counter()
    listed: list[Violation] = []
    try:
        async with connection.begin_nested():
            if isinstance(check, Probe):
                found = await check.does(connection, merchant)
            else:
                found = await _by_sql(connection, check, merchant)
                if check.listed:
                    listed = (await _violations(connection, check.listed, merchant, LISTED)).samples
    except (CannotCheck, SQLAlchemyError, TimeoutError) as why:
        return _unchecked(check.invariant, check.says, why, time.perf_counter() - began)
    verdict = _verdict(found, check.since in stages)
    seconds = round(time.perf_counter() - began, 3)
    return Result(check.invariant, check.says, verdict, found.rows, found.violations, found.samples, listed, seconds=seconds)


def _verdict(found: Found, expected: bool) -> Verdict:
    if found.violations:
        return Verdict.VIOLATED
    if found.rows:
        return Verdict.CLEAN
    return Verdict.NOTHING_PROVED if expected else Verdict.NOTHING_YET


async def _by_sql(connection: AsyncConnection, check: Check, merchant: str | None) -> Found:
    counted = await one(connection, text(_COUNTED + check.rows + _whose(merchant)), **_key(merchant))
    found = await _violations(connection, check.violations, merchant, SAMPLES)
    return Found(int(counted.n), found.violations, found.samples)


async def _violations(connection: AsyncConnection, statement: str, merchant: str | None, most: int) -> Found:
    found = await rows(connection, text(_LISTED + statement + _whose(merchant) + _MOST), **_key(merchant), most=most)
    samples = [Violation(row.merchant_id, row.document or "", row.detail or "") for row in found]
    return Found(0, found[0].total if found else 0, samples)


def _whose(merchant: str | None) -> str:
    return _OF_ALL if merchant is None else _OF_ONE


def _key(merchant: str | None) -> dict[str, str]:
    return {} if merchant is None else {"merchant": merchant}


async def _asked(
    invariant: str, says: str, ask: Any, connection: AsyncConnection, temporal: Client | None, merchant: str | None
) -> Result:
    began = time.perf_counter()
    try:
        found = await ask(connection, temporal, merchant)
    except (CannotCheck, SQLAlchemyError) as why:
        return _unchecked(invariant, says, why, time.perf_counter() - began)
    seconds = round(time.perf_counter() - began, 3)
    return Result(invariant, says, _verdict(found, False), found.rows, found.violations, found.samples, seconds=seconds)


def _unchecked(invariant: str, says: str, why: Exception, seconds: float) -> Result:
    said = str(why.orig) if isinstance(why, DBAPIError) else str(why)
    reason = said.splitlines()[0] if said else type(why).__name__
    return Result(invariant, says, Verdict.NOT_CHECKED, why=reason, seconds=round(seconds, 3))
