"""Commands of the reconciliation: run it, see what it found, decide what waits, fetch its file, look without writing."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.compare_stock import Comparer, Unmatched
from activities.reconciliation_file import write_once
from activities.sweep_stock import Sweep
from domain.reconciliation_words import ACTS, MEANING, NOBODY
from domain.reconciling import Why
from erp import differences, reconciliation_bookings, reconciliation_runs, reconciling, settlements, stock_files
from erp.database import Database
from erp.differences import Found
from erp.merchants import load_merchant
from erp.overview import open_exceptions
from erp.reconciliation_runs import Run
from starters.command import AsJson, By, MerchantId, Reason, console, print_json, run_command, wrong
from starters.known import known
from worker.settings import Settings
from worker.temporal import connect
from worker.wiring import ongoing_connections
from workflows import attributes, options
from workflows.approve_differences import Approval, ApproveDifferences
from workflows.reconcile_stock import ReconcileStock, ToReconcile

reconcile = typer.Typer(no_args_is_help=True, help="Warehouse against books: run, show, approve, file, preview.")

RunNo = Annotated[int | None, typer.Argument(help="The run's number; the newest without it.")]

DONE, LOOK = 0, 1
STILL_TO_COME = ("approved-once", "approved", "later")
"""Answers to a decision that was taken and has not come to its end yet."""
FORMATS = ("csv", "xlsx", "html", "all")


@reconcile.command("run")
def run(
    merchant: MerchantId = "demo",
    on: Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="A past day: explains, never books.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="A delivered stock file; it must lie where the worker can read it."),
    ] = None,
    files: Annotated[
        bool, typer.Option("--files", help="Every new file in the merchant's folder and on its SFTP server.")
    ] = False,
    daily: Annotated[bool, typer.Option("--daily", help="What the schedule does: every day that is owed.")] = False,
    seconds: Annotated[float, typer.Option("--wait", help="How long to wait for it.")] = 600,
) -> None:
    """Reconcile now, and show progress until it is through.

    Exit code 0: through, nothing waits. 1: differences wait for a person, or it is still at it (see the UI), or refused; the text
    says which. 3: nothing runs.
    """
    kind = "past" if on else "file" if file or files else "daily" if daily else "on-demand"
    wanted = ToReconcile(merchant, kind, on.date() if on else None, str(file.resolve()) if file else None)
    run_command(_reconcile(wanted, seconds))


async def _reconcile(wanted: ToReconcile, seconds: float) -> int:
    settings = Settings.from_environment()
    merchant = await known(settings, wanted.merchant)
    if wanted.on and wanted.on >= (today := merchant.day_of(datetime.now(UTC))):
        wrong(f"--on {wanted.on} is not past: it is {today} for {wanted.merchant}. Without --on the stock of now is reconciled.")
        return LOOK
    client = await connect(settings)
    database = Database(settings.database("app"))
    try:
        handle = await begin(client, wanted)
        said = await _follow(handle, database, wanted.merchant, seconds)
        if said is None:
            console.print(f"Still at it: the workflow {handle.id} in the UI says how far, and what it waits for.")
            async with database.merchant(wanted.merchant) as session:
                standing = [row for row in await open_exceptions(session, wanted.merchant) if row["kind"] == "reconcile"]
            for row in standing:
                wrong(f"stands still: {row['code']}: {row['detail']}")
            return LOOK
        return await _outcome(database, wanted, said)
    finally:
        await database.close()
        await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once


async def _outcome(database: Database, wanted: ToReconcile, said: list[str]) -> int:
    """Say how it came out: what every run found, and which delivered files were not believed."""
    async with database.merchant(wanted.merchant) as session:
        refused = await stock_files.refusals(session, wanted.merchant) if wanted.kind == "file" else {}
        waiting = [each for each in await settlements.open_settlements(session, wanted.merchant) if each.state == "waiting"]
    if wanted.file:
        name = Path(wanted.file).name[:200]
        refused = {name: refused[name]} if name in refused and not said else {}
    for why in refused.values():
        wrong(f"Refused: {why}")
    for sentence in said or ([] if refused else ["Nothing is owed."]):
        console.print(sentence)
    return LOOK if waiting or refused else DONE


async def begin(client: Client, wanted: ToReconcile) -> WorkflowHandle[ReconcileStock, list[str]]:
    """Start a reconciliation, or take hold of the one of its kind that runs."""
    name = f"reconcile/{wanted.merchant}/{wanted.kind}" + (f"/{wanted.on}" if wanted.on else "")
    return await client.start_workflow(
        ReconcileStock.run,
        wanted,
        id=name,
        task_queue=options.ORDERS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=attributes.at_start(wanted.merchant, wanted.merchant, "planning", datetime.now(UTC)),
    )


async def _follow(handle: WorkflowHandle[Any, list[str]], database: Database, merchant: str, seconds: float) -> list[str] | None:
    """Its sentences when it is through, None when the time is up; meanwhile how many articles are read."""
    result = asyncio.create_task(handle.result())
    told = -1
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while loop.time() < ends:
        done, _ = await asyncio.wait([result], timeout=1)
        if done:
            return await result
        async with database.merchant(merchant) as session:
            newest = await reconciliation_runs.recent_runs(session, merchant, 1)
            if newest and newest[0].state == "running" and newest[0].articles_read != told:
                told = newest[0].articles_read
                differing, of = await differences.differing(session, newest[0]), await reconciling.matched(session, merchant)
                words = f"{told} of about {max(of, told)} articles read and compared, {differing} differ"
                console.print(f"run {newest[0].run_no} for {newest[0].for_date}: {words}", highlight=False)
    result.cancel()
    return None


@reconcile.command("show")
def show(
    number: RunNo = None,
    merchant: MerchantId = "demo",
    as_json: AsJson = False,
    most: Annotated[int, typer.Option("--most", help="How many differences to list.")] = 40,
) -> None:
    """What a run found: its differences by class, the largest of them, what waits for a person.

    Exit code 0: everything is explained. 1: something is unknown or waits for a person, or there is no such run. 3: nothing runs.
    """
    run_command(_show(number, merchant, as_json, most))


async def _show(number: int | None, merchant: str, as_json: bool, most: int) -> int:
    database = Database(Settings.from_environment().database("app"))
    async with database.merchant(merchant) as session:
        run = await _of_number(session, merchant, number)
        waiting = await settlements.open_settlements(session, merchant)
        found = await differences.found_in(session, run) if run else []
        booked = await reconciliation_bookings.bookings_in(session, run) if run else []
        lonely = await differences.unmatched_in(session, run) if run else []
    await database.close()
    if run is None:
        wrong(f"Merchant {merchant} has no reconciliation {number or 'yet'}: lagerbro reconcile run.")
        return LOOK
    parts = [(row, part) for row in found for part in row.parts]
    unknown = any(part[0] == Why.UNKNOWN and row.comparison == "physical" for row, part in parts)
    asked = [each for each in waiting if each.state == "waiting"]
    if as_json:
        document = {
            "run": asdict(run),
            "differences": [dict(row._mapping) for row in found],
            "booked": [dict(row._mapping) for row in booked],
            "unmatched": [dict(row._mapping) for row in lonely],
            "waiting": [asdict(each) for each in waiting],
        }
        print_json(document)
        return LOOK if asked or unknown else DONE
    state = "finished" if run.state == "finished" else f"running, {run.articles_read} articles read"
    console.print(f"Run {run.run_no} ({run.kind}) for {run.for_date}, {state}. {run.articles_read} articles compared.")
    if run.held:
        wrong(f"Held: {run.held}")
    _classes([(row.comparison, part[0], Decimal(part[1])) for row, part in parts])
    rows = Table(
        "article", "comparison", "class", "warehouse minus books", "document", "cause", title=f"Differences ({len(parts)})"
    )
    for row, (why, quantity, document, _, cause, _) in parts[:most]:
        rows.add_row(row.article, row.comparison, why, f"{Decimal(quantity).normalize():+f}", document, cause or "")
    if parts:
        console.print(rows)
    for each in lonely[:most]:
        console.print(f"only in the {each.side}: {each.number} ({each.quantity.normalize():f}): {each.action}")
    for each in booked[:most]:
        console.print(
            f"booked ({each.what}): {each.article} {each.quantity.normalize():+f}, account {each.account}, {each.reason}"
        )
    for one in waiting[:most]:
        console.print(f"{one.settlement_no}: {one.article} {one.quantity.normalize():+f}, {one.state}: {one.why}")
    if asked:
        console.print("Decide with: lagerbro reconcile approve NUMBER --by ... --reason ... (--refuse)")
    return LOOK if asked or unknown else DONE


async def _of_number(session: Any, merchant: str, number: int | None) -> Run | None:
    if number is not None:
        return await reconciliation_runs.load_run(session, merchant, number)
    newest = await reconciliation_runs.recent_runs(session, merchant, 1)
    return newest[0] if newest else None


def _classes(parts: Sequence[tuple[str, str, Decimal]]) -> None:
    count: Counter[tuple[str, str]] = Counter((comparison, why) for comparison, why, _ in parts)
    if not count:
        console.print("No article differs.")
        return
    table = Table("comparison", "class", "differences", "too many there", "missing there", "meaning", "who must act")
    for (comparison, why), number in sorted(count.items(), reverse=True):
        mine = [quantity for c, w, quantity in parts if (c, w) == (comparison, why)]
        plus, minus = sum(q for q in mine if q > 0), sum(q for q in mine if q < 0)
        table.add_row(
            comparison,
            why,
            str(number),
            f"{Decimal(plus).normalize():f}",
            f"{Decimal(minus).normalize():f}",
            MEANING.get(why, ""),
            ACTS.get(why, NOBODY),
        )
    console.print(table)


@reconcile.command("approve")
def approve(
    number: Annotated[int, typer.Argument(help="The number of the unknown difference, as show says it.")],
    by: By,
    reason: Reason,
    refuse: Annotated[bool, typer.Option("--refuse", help="It must not be booked.")] = False,
    key: Annotated[str, typer.Option("--key", help="Your own key: the same one is decided once.")] = "",
    merchant: MerchantId = "demo",
) -> None:
    """Decide about a difference that nobody can explain. Above the merchant's limit a second person must approve too.

    Exit code 0: booked or refused as you said, or approved and waiting: for a second person, or because the article is moving;
    the text says which. 1: not taken, with the reason. 3: nothing runs.
    """
    run_command(_approve(Approval(number, by, reason, refuse, key), merchant))


async def _approve(approval: Approval, merchant: str) -> int:
    settings = Settings.from_environment()
    await known(settings, merchant)
    client = await connect(settings)
    try:
        answer = await decide(client, merchant, approval)
    except WorkflowUpdateFailedError as refused:
        wrong(f"{refused.cause}")
        return 1
    except RPCError as error:
        wrong(f"Temporal: {error.message}")
        return 1
    finally:
        await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once
    console.print(answer)
    wished = "refused" if approval.refuse else "booked"
    return DONE if answer.split(":", 1)[0] in (wished, *STILL_TO_COME) else LOOK


async def decide(client: Client, merchant: str, approval: Approval) -> str:
    """Send a decision to the process that waits for it, which is started if it does not run."""
    start = WithStartWorkflowOperation(
        ApproveDifferences.run,
        merchant,
        id=f"differences/{merchant}",
        task_queue=options.ORDERS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=attributes.at_start(merchant, merchant, "waiting", datetime.now(UTC)),
    )
    update: Any = ApproveDifferences.approve
    return str(await client.execute_update_with_start_workflow(update, approval, start_workflow_operation=start))


@reconcile.command("file")
def file(
    number: RunNo = None,
    merchant: MerchantId = "demo",
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")] = Path(),
    form: Annotated[str, typer.Option("--format", help="csv, xlsx, html, or all.")] = "all",
) -> None:
    """Write a run's file, as it was made, and check its hash.

    Exit code 0: written. 1: the run has no file yet, or what is kept is not what was written. 3: nothing runs.
    """
    run_command(_file(number, merchant, out, form))


async def _file(number: int | None, merchant: str, out: Path, form: str) -> int:
    if form not in FORMATS:
        wrong(f"--format {form!r} is none; there are {', '.join(FORMATS)}.")
        return 1
    database = Database(Settings.from_environment().database("app"))
    async with database.merchant(merchant) as session:
        run = await _of_number(session, merchant, number)
        kept = await reconciliation_runs.files(session, merchant, run.run_no) if run else []
    await database.close()
    wanted = [row for row in kept if form in ("all", row.format)]
    if not wanted:
        wrong(f"There is no such file of merchant {merchant}: lagerbro reconcile show says what the run does.")
        return 1
    for row in wanted:
        digest = hashlib.sha256(bytes(row.content)).digest()
        if digest != bytes(row.sha256):
            wrong(f"{row.name}: its content is not what its hash says")
            return 1
        console.print(f"{write_once(out, row.name, bytes(row.content))} sha256 {digest.hex()}", soft_wrap=True)
    return DONE


@reconcile.command("preview")
def preview(
    merchant: MerchantId = "demo",
    most: Annotated[int, typer.Option("--most", help="How many differences to list.")] = 40,
) -> None:
    """Compare now and show what a run would find. Writes nothing, anywhere.

    Exit code 0: everything is explained. 1: something is unknown. 3: nothing runs.
    """
    run_command(_preview(merchant, most))


async def _preview(merchant: str, most: int) -> int:
    settings = Settings.from_environment()
    database = Database(settings.database("app"))
    connections = ongoing_connections(database, settings.key_ring(), settings)
    try:
        found, lonely, read = await look_only(database, connections, merchant)
    finally:
        await connections.aclose()
        await database.close()
    parts = [(each, part) for each in found for part in each.explanation.parts]
    console.print(f"{read} articles compared. Nothing was written.")
    _classes([(each.comparison, part.why.value, part.quantity) for each, part in parts])
    for each, part in parts[:most]:
        words = f"{each.explanation.article} ({each.comparison}): {part.why} {part.quantity.normalize():+f}"
        console.print(f"{words} {part.document} {part.cause or ''}", highlight=False)
    for side, number, quantity, action in lonely[:most]:
        console.print(f"only in the {side}: {number} ({quantity.normalize():f}): {action}")
    return LOOK if any(part.why is Why.UNKNOWN and each.comparison == "physical" for each, part in parts) else DONE


async def look_only(database: Database, connections: Any, merchant: str) -> tuple[list[Found], list[Unmatched], int]:
    """What a run would find now: its differences, what only one side has, and how many articles were compared."""
    found: list[Found] = []
    lonely: list[Unmatched] = []
    total = 0

    async def keep(some: Sequence[Found], alone: Sequence[Unmatched], _position: int, read: int, _swept: bool) -> bool:
        nonlocal total
        found.extend(some)
        lonely.extend(alone)
        total += read
        return True

    async with database.merchant(merchant) as session:
        await load_merchant(session, merchant)
    async with connections.using(merchant) as (who, client):
        await Sweep(Comparer(database, client, who, datetime.now(UTC)), writes=False).over(0, keep)
    return found, lonely, total
