"""`verify --prove`: does the checker find what it is there to find?

Healthy books are made in a scratch database and must verify clean. Then one violation after the other is planted as a superuser,
looked for by its own invariant, and rolled back. What cannot be planted in PostgreSQL, a workflow that fails on its own code, is
planted in a scratch Temporal server. A check that overlooks its violation is worse than none: it says "clean".
"""

import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from erp.database import rows
from erp.migrate import engine_for, prepare_async
from starters.verify.check import CannotCheck, Found, Stage, Violation
from starters.verify.healthy import MERCHANTS, fill
from starters.verify.planted import PLANTS, Plant
from starters.verify.report import CLEAN, NOT_CHECKED, VIOLATED, Result, Verdict
from starters.verify.run import CHECKS, examine, reached
from starters.verify.stuck import PLANTED, scratch_temporal

_AS_VERIFY = text("set local role lagerbro_verify")
_DURABLE = text("set local synchronous_commit = on")
_AS_OURSELVES = text("reset role")
_TABLES = text(
    """
    select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('erp', 'bridge') and c.relkind in ('r', 'p') and c.relname <> 'schema_version' order by 1
    """
)
_SET_MERCHANT = text("select set_config('lagerbro.merchant', :merchant, true)")


@dataclass(frozen=True, slots=True)
class Proof:
    """One violation planted: whether its invariant found it, and the words in which it said so."""

    invariant: str
    what: str
    found: bool
    said: str
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class ProveReport:
    """`unwell`: checks that the healthy books did not pass, which makes every proof worthless."""

    proofs: list[Proof]
    unwell: list[Result]
    unproved: list[str]
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 everything was found, 1 something was overlooked or the healthy books were not clean, 2 it could not be tried."""
        if self.unwell or any(not proof.found and proof.why_not is None for proof in self.proofs):
            return VIOLATED
        if self.unproved or not self.proofs or any(not proof.found for proof in self.proofs):
            return NOT_CHECKED
        return CLEAN

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "exit_code": self.exit_code}, ensure_ascii=False, indent=2)


async def prove(owner_url: str) -> ProveReport:
    """Plant one violation after the other in a scratch database and look for each. Drops the scratch whatever happens.

    `owner_url` must be a superuser's login: triggers, roles and foreign keys are what stands in the way of a violation.
    """
    began = time.monotonic()
    async with _scratch(owner_url) as engine:
        await fill(engine)
        unwell = await _healthy(engine)
        before = {_words(sample) for result in unwell for sample in result.samples}
        proofs = [await _prove(engine, plant, before) for plant in PLANTS]
        proofs += await _tried(engine)
        proofs += await _in_temporal(engine)
    proved = {proof.invariant for proof in proofs if proof.found}
    unproved = ({check.invariant for check in CHECKS} | {"X6"}) - proved
    return ProveReport(proofs, unwell, sorted(unproved), round(time.monotonic() - began, 1))


@asynccontextmanager
async def _scratch(owner_url: str) -> AsyncIterator[AsyncEngine]:
    name = f"lagerbro_prove_{secrets.token_hex(4)}"
    owner = engine_for(owner_url)
    scratch = make_url(owner_url).set(database=name).render_as_string(hide_password=False)
    try:
        async with owner.connect() as connection:
            if not (await rows(connection, text("select rolsuper as yes from pg_roles where rolname = current_user")))[0].yes:
                raise CannotCheck("--prove needs a superuser's login: it must get past what protects the books")
            await connection.commit()
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text(f"create database {name}"))
        try:
            await prepare_async(scratch, {})
            engine = engine_for(scratch)
            yield engine
            await engine.dispose()
        finally:
            async with owner.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.execute(text(f"drop database {name} with (force)"))
    finally:
        await owner.dispose()


async def _healthy(engine: AsyncEngine) -> list[Result]:
    async with engine.begin() as connection:
        await connection.execute(_DURABLE)
        await connection.execute(_AS_VERIFY)
        stages = await reached(connection, None)
        results = [await examine(connection, check, None, stages) for check in CHECKS]
    return [result for result in results if result.verdict != Verdict.CLEAN]


async def _prove(engine: AsyncEngine, plant: Plant, before: set[str]) -> Proof:
    async with engine.connect() as connection:
        transaction = await connection.begin()
        try:
            await connection.execute(_DURABLE)
            await _plant(connection, plant)
            await connection.execute(_AS_VERIFY)
            results = [await examine(connection, c, None, set(Stage)) for c in CHECKS if c.invariant == plant.invariant]
        except DBAPIError as refused:
            return Proof(plant.invariant, plant.what, False, "", f"could not be planted: {str(refused.orig).splitlines()[0]}")
        finally:
            await transaction.rollback()
    return _proof(plant, results, before)


async def _plant(connection: AsyncConnection, plant: Plant) -> None:
    for table in plant.off:
        await connection.execute(text(f"alter table {table} disable trigger all"))
    for statement in plant.statements:
        await connection.execute(text(statement))


def _proof(plant: Plant, results: list[Result], before: set[str]) -> Proof:
    """Found means that something is said which the healthy books did not say."""
    said = [words for result in results for sample in result.samples if (words := _words(sample)) not in before]
    unchecked = [result.why for result in results if result.verdict == Verdict.NOT_CHECKED]
    if not said and unchecked:
        return Proof(plant.invariant, plant.what, False, "", unchecked[0])
    return Proof(plant.invariant, plant.what, bool(said), said[0] if said else "")


def _words(violation: Violation) -> str:
    return " ".join(part for part in (violation.merchant, violation.document) if part) + f": {violation.detail}"


# --- T1 is tried, not only read ---------------------------------------------------------------------------------------


async def try_row_level_security(connection: AsyncConnection) -> Found:
    """As the application's role: see nothing without a merchant, one merchant with it, and write into no other."""
    tables = [row.name for row in await rows(connection, _TABLES)]
    ours, theirs = MERCHANTS
    await connection.execute(text("set local role lagerbro_app"))
    wrong, tried = [], 0
    for table in tables:
        tried += 2
        await connection.execute(_SET_MERCHANT, {"merchant": ""})
        if await rows(connection, text(f"select 1 from {table} limit 1")):
            wrong.append(Violation("", table, "shows rows to the application without a merchant"))
        await connection.execute(_SET_MERCHANT, {"merchant": ours})
        if await rows(connection, text(f"select 1 from {table} where merchant_id <> :ours limit 1"), ours=ours):
            wrong.append(Violation(ours, table, "shows rows of another merchant"))
    tried += 1
    try:
        async with connection.begin_nested():
            await connection.execute(
                text(
                    "insert into bridge.exception (merchant_id, kind, document, code, detail, blocking)"
                    " values (:theirs, 'article', 'A', 'stock-below-zero', 'written by another merchant', false)"
                ),
                {"theirs": theirs},
            )
        wrong.append(Violation(theirs, "bridge.exception", f"takes a row from {ours}"))
    except DBAPIError:
        pass  # refused, as it must be
    await connection.execute(_AS_OURSELVES)
    return Found.of(tried, wrong)


async def _tried(engine: AsyncEngine) -> list[Proof]:
    proofs = []
    for what, statement in (
        ("tried: the application sees every merchant", "alter policy app on erp.sales_order using (true)"),
        ("tried: row security is off on a table", "alter table erp.stock_entry disable row level security"),
        ("tried: the application writes for another merchant", "alter policy app on bridge.exception with check (true)"),
        ("tried: nothing is planted and nothing must be found", "select 1"),
    ):
        async with engine.connect() as connection:
            transaction = await connection.begin()
            await connection.execute(text(statement))
            found = await try_row_level_security(connection)
            await transaction.rollback()
        said = _words(found.samples[0]) if found.samples else f"{found.rows} trials, nothing leaked"
        proofs.append(Proof("T1", what, bool(found.violations) == (statement != "select 1"), said))
    return proofs


# --- Temporal ---------------------------------------------------------------------------------------------------------


async def _in_temporal(engine: AsyncEngine) -> list[Proof]:
    """A workflow that fails on its own code, and processes of our tables that run nowhere."""
    proofs = []
    try:
        async with scratch_temporal() as client, engine.connect() as connection:
            for invariant, what, ask in PLANTED:
                found = await ask(connection, client)
                proofs.append(Proof(invariant, what, bool(found.violations), _words(found.samples[0]) if found.samples else ""))
    except CannotCheck as why:
        proofs += [Proof(invariant, what, False, "", str(why)) for invariant, what, _ in PLANTED]
    return proofs


def print_proofs(report: ProveReport, console: Console | None = None) -> None:
    """A line for each violation planted, then the verdict in one sentence."""
    console = console or Console(emoji=False)
    table = Table(title="Violations planted in a scratch database", title_justify="left", header_style="bold")
    for name in ("", "planted", "found", "what the check said"):
        table.add_column(name)
    for proof in report.proofs:
        colour, verdict = (
            ("green", "found") if proof.found else ("yellow", "not tried") if proof.why_not else ("bold red", "OVERLOOKED")
        )
        table.add_row(proof.invariant, escape(proof.what), f"[{colour}]{verdict}[/]", escape(proof.why_not or proof.said))
    console.print(table)
    for result in report.unwell:
        console.print(
            f"[bold red]The healthy books are not clean: {result.invariant} {result.verdict}[/] {escape(result.why or '')}"
        )
        for sample in result.samples:
            console.print(f"  {escape(_words(sample))}")
    found = sum(proof.found for proof in report.proofs)
    colour = ("green", "bold red", "yellow")[report.exit_code]
    missing = f" Without a proof: {', '.join(report.unproved)}." if report.unproved else ""
    console.print(f"[{colour}]{found} of {len(report.proofs)} planted violations found in {report.seconds} s.{missing}[/]")
