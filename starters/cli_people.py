"""Commands for the day: what is stuck, why, and what moves it; the morning's digest; the lists of the Temporal UI."""

import json
import webbrowser
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape
from temporalio.client import Client

from domain.reasons import CLOSE_BY_THEMSELVES, REASONS
from domain.reasons_sv import SWEDISH
from erp.database import Database
from erp.people import audit, blocked_connections, digest, late_flows, merchants, whereabouts
from starters.command import AsJson, By, MerchantId, console, print_json, run_command, table, wrong
from starters.filters import FILTERS, address_of, query_of
from starters.people import Stuck, all_stuck, broken, explain, retry_many
from starters.stack.home import Home
from worker.settings import Settings
from worker.temporal import connect

DONE, WRONG = 0, 1
HELD = "held-by-a-person"  # only a release moves it
OLDEST_DIGEST = timedelta(hours=26)
EXPLAINED_BY = {"sales order": "explain", "purchase order": "purchase show", "return": "return show"}

OneMerchant = Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant; all without it.")]


async def _temporal(settings: Settings) -> Client | None:
    """Temporal where it answers; the commands show less without it, and say so."""
    try:
        return await connect(settings)
    except RuntimeError:
        return None


def stuck_command(
    merchant: OneMerchant = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only what this reason holds, e.g. missing-address.")] = None,
    notes: Annotated[bool, typer.Option("--notes", help="Also what stands nowhere still but deserves a look.")] = False,
    swedish: Annotated[bool, typer.Option("--sv", help="Reasons and remedies in Swedish.")] = False,
    as_json: AsJson = False,
) -> None:
    """What stands still, the oldest first: why, who acts, and what they do.

    Exit code 0: nothing stands still. 1: something does, and is listed. 3: nothing runs.
    """
    run_command(_stuck(merchant, reason, notes, swedish, as_json))


async def _stuck(merchant: str | None, reason: str | None, notes: bool, swedish: bool, as_json: bool) -> int:
    if _unknown(reason):
        return WRONG
    settings = Settings.from_environment()
    database = Database(settings.database("verify"), pool_size=1)
    client = await _temporal(settings)
    if await _unknown_merchant(database, merchant):
        return WRONG
    found = await all_stuck(database, client, merchant, notes)
    found += await broken(client, merchant) if client else []
    await database.close()
    found = [each for each in found if reason in (None, each.code)]
    if as_json:
        print_json([asdict(each) for each in found])
        return WRONG if found else DONE
    if client is None:
        console.print("[yellow]Temporal does not answer: this is our own list alone.[/]")
    if not found:
        console.print("Nothing stands still.")
        return DONE
    for each in found:
        since = f"{each.since:%Y-%m-%d %H:%M}" if each.since else ""
        words = SWEDISH.get(each.code) if swedish else None
        console.print(
            f"[bold]{each.document}[/] ({each.merchant}, {each.kind}) since {since}: [red]{each.code}[/]", soft_wrap=True
        )
        console.print(
            f"  {escape(words.sentence if words else each.sentence)} {escape(each.detail)}", highlight=False, soft_wrap=True
        )
        console.print(
            f"  Waits for: {each.waiting_for}. What to do: {escape(words.remedy if words else each.remedy)}",
            highlight=False,
            soft_wrap=True,
        )
        if not each.blocking and each.code not in CLOSE_BY_THEMSELVES:
            console.print(
                f"  Seen to? lagerbro note close {escape(each.document)} {each.code} -m {each.merchant} --by NAME --reason WHY",
                highlight=False,
                soft_wrap=True,
            )
    console.print()
    for (waits, code), count in sorted(
        Counter((each.waiting_for, each.code) for each in found).items(), key=lambda item: -item[1]
    ):
        console.print(f"  {count:>5}  waiting for {waits}: {code}", highlight=False)
    return WRONG


async def _unknown_merchant(database: Database, merchant: str | None) -> bool:
    """Says so when there is no such merchant: an empty list would look like good news."""
    if merchant is None:
        return False
    async with database.everyone() as session:
        known = await merchants(session)
    if merchant in known:
        return False
    await database.close()
    wrong(f"There is no merchant {merchant}; there are: {', '.join(known) or 'none'}.")
    return True


def _unknown(reason: str | None) -> bool:
    if reason is None or reason in REASONS:
        return False
    wrong(f"{reason} is no reason; docs/reasons.md lists them.")
    return True


def explain_command(
    number: Annotated[str, typer.Argument(help="Order number.")], merchant: MerchantId = "demo", as_json: AsJson = False
) -> None:
    """The whole chain of one order: ERP, process, warehouse, shipments, ledger, invoices, Fortnox, every attempt.

    Exit code 0: explained. 1: there is no such order. 3: nothing runs.
    """
    run_command(_explain(merchant, number, as_json))


async def _explain(merchant: str, number: str, as_json: bool) -> int:
    settings = Settings.from_environment()
    database = Database(settings.database("verify"), pool_size=1)
    client = await _temporal(settings)
    if await _unknown_merchant(database, merchant):
        return WRONG
    found = await explain(database, client, merchant, number)
    if found is None:
        async with database.everyone() as session:
            elsewhere = await whereabouts(session, number)
        await database.close()
        wrong(f"There is no sales order {number} of merchant {merchant}.")
        for whose, kind in elsewhere:
            command = f"lagerbro {EXPLAINED_BY[kind]} {number} -m {whose}"
            console.print(
                f"There is a {kind} {escape(number)} of {escape(whose)}: {escape(command)}", highlight=False, soft_wrap=True
            )
        if not elsewhere:
            console.print("lagerbro order list --all shows those there are.", highlight=False)
        return WRONG
    await database.close()
    if as_json:
        print_json(found)
        return DONE
    console.print(
        f"[bold]{number}[/] of {merchant}: [bold]{found['status']}[/] since {found['status_changed_at']:%Y-%m-%d %H:%M}"
    )
    _print_why(found)
    for name, part in found.items():
        if isinstance(part, list) and part:
            console.print(table(name.replace("_", " "), part, "%Y-%m-%d %H:%M:%S"))
    if client is None:
        console.print("[yellow]Temporal does not answer: its steps are not shown.[/]")
    return DONE


def _print_why(found: dict[str, Any]) -> None:
    """Why it stands where it stands, in a sentence or two."""
    standing = [row for row in found["exceptions"] if row["closed_at"] is None and row["blocking"]]
    now = found["now"]
    for row in standing:
        reason = REASONS.get(row["code"], REASONS["unexpected-refusal"])
        console.print(f"[red]{row['code']}[/] since {row['opened_at']:%Y-%m-%d %H:%M}: {escape(row['detail'])}", highlight=False)
        console.print(f"  {reason.sentence} Who acts: {reason.who}. What to do: {reason.remedy}", highlight=False)
    if now and not standing:
        console.print(f"Now: {now['stage']}" + (f", waiting for {now['waiting_for']}" if now["waiting_for"] else ""))
    for each in now["pending"] if now else []:
        last = f": {escape(each['last'])}" if each["last"] else ""
        console.print(f"  {each['step']}, attempt {each['attempt']}{last}", highlight=False)


def retry_command(
    by: By,
    why: Annotated[str, typer.Option("--why", help="What was mended; it is kept.")],
    everything: Annotated[bool, typer.Option("--all", help="Everything that stands still for the reason.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Only what this reason holds.")] = None,
    merchant: OneMerchant = None,
    pace: Annotated[float, typer.Option("--pace", min=0.1, max=100, help="So many a second.")] = 5.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be tried.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try again many that stand still, paced, after an outage or a correction that concerns them all.

    Exit code 0: all were taken. 1: one was not, or nothing was asked for. 3: nothing runs.
    """
    run_command(_retry(merchant, everything, reason, by, why, pace, dry_run, as_json))


async def _retry(
    merchant: str | None, everything: bool, reason: str | None, by: str, why: str, pace: float, dry_run: bool, as_json: bool
) -> int:
    if not everything:
        wrong("Say --all, with --reason to narrow it; one order is tried again by `lagerbro order retry`.")
        return WRONG
    if not (by.strip() and why.strip()):
        wrong("--by and --why must say who and why: both are kept.")
        return WRONG
    if _unknown(reason):
        return WRONG
    settings = Settings.from_environment()
    database = Database(settings.database("verify"), pool_size=1)
    client = await connect(settings)
    if await _unknown_merchant(database, merchant):
        return WRONG
    standing = await all_stuck(database, client, merchant)
    held = {(each.merchant, each.kind, each.document) for each in standing if each.code == HELD}
    chosen = {(each.merchant, each.kind, each.document): each for each in standing if reason in (None, each.code)}
    found = [each for place, each in chosen.items() if place not in held]
    await database.close()
    if dry_run:
        _say_planned(found, as_json)
        return DONE
    results = [result async for result in retry_many(client, found, by, why, pace)]
    refused = [result for result in results if result.refused]
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in refused:
            console.print(
                f"[red]{escape(result.document)}[/] ({result.merchant}): {escape(result.refused or '')}", highlight=False
            )
        console.print(f"{len(results) - len(refused)} are tried again, {len(refused)} were not.")
    return WRONG if refused else DONE


def _say_planned(found: list[Stuck], as_json: bool) -> None:
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        console.print(f"{len(found)} would be tried again: {', '.join(each.document for each in found[:20])}")


def digest_command(
    merchant: OneMerchant = None,
    hours: Annotated[float, typer.Option("--hours", min=0.1, max=24 * 31, help="How far back.")] = 24.0,
    proof: Annotated[bool, typer.Option("--proof", help="Only say when each merchant's digest ran last.")] = False,
    as_json: AsJson = False,
) -> None:
    """The morning mail: exceptions only, and the proof that it ran, which is kept. Send its output by any mailer.

    Exit code 0: nothing to say (with --proof: every digest is younger than 26 hours). 1: something is listed (with --proof: one
    did not run). 3: nothing runs.
    """
    run_command(_digest(merchant, hours, proof, as_json))


async def _digest(merchant: str | None, hours: float, proof: bool, as_json: bool) -> int:
    settings = Settings.from_environment()
    database = Database(settings.database("verify"), pool_size=1)
    now = datetime.now(UTC)
    if await _unknown_merchant(database, merchant):
        return WRONG
    async with database.everyone() as session:
        figures = await digest(session, merchant, now - timedelta(hours=hours))
        connections = await blocked_connections(session, merchant)
        late = await late_flows(session, merchant)
    standing = await all_stuck(database, None, merchant, notes=True)
    await database.close()
    if proof:
        return _say_proof(figures, now, as_json)
    app = Database(settings.database("app"), pool_size=1)
    for row in figures:
        async with app.merchant(row["merchant_id"]) as session:
            detail = json.dumps({name: value for name, value in row.items() if isinstance(value, int)})
            who = row["merchant_id"]
            await audit(session, who, "lagerbro digest", "digest", "merchant", who, f"the last {hours:g} hours", detail)
    await app.close()
    exceptional = bool(
        standing or connections or late or any(row["undelivered"] or row["unread"] or row["surplus"] for row in figures)
    )
    if as_json:
        exceptions = [asdict(each) for each in standing]
        print_json(
            {"ran_at": now, "hours": hours, "merchants": figures, "exceptions": exceptions}
            | {"connections": connections, "late_flows": late}
        )
    else:
        _print_digest(figures, standing, connections, late, now, hours)
    return WRONG if exceptional else DONE


def _say_proof(figures: list[dict[str, Any]], now: datetime, as_json: bool) -> int:
    if as_json:
        print_json({row["merchant_id"]: row["last_digest"] for row in figures})
    for row in figures if not as_json else []:
        last = row["last_digest"]
        console.print(f"{row['merchant_id']}: " + (f"ran {last:%Y-%m-%d %H:%M} UTC" if last else "[red]has never run[/]"))
    return DONE if all(row["last_digest"] and now - row["last_digest"] < OLDEST_DIGEST for row in figures) else WRONG


def _print_digest(
    figures: list[dict[str, Any]],
    standing: list[Stuck],
    connections: list[dict[str, Any]],
    late: list[dict[str, Any]],
    now: datetime,
    hours: float,
) -> None:
    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True, markup=False)

    for row in connections:
        since = f"{row['problem_since']:%Y-%m-%d %H:%M}"
        say(f"{row['merchant_id']}: the connection to {row['system']} is blocked since {since}: {row['problem']}")
    for row in late:
        say(f"{row['merchant_id']}: {row['flow']} has not run since {row['last_run_at']:%Y-%m-%d %H:%M} UTC")
    for row in figures:
        for name, words in (
            ("undelivered", "messages of the ERP wait for more than five minutes"),
            ("unread", "hints of the warehouse wait for more than five minutes"),
            ("surplus", "surplus documents came up in Fortnox"),
        ):
            if row[name]:
                say(f"{row['merchant_id']}: {row[name]} {words}")
    for each in standing:
        since = f"{each.since:%Y-%m-%d %H:%M}" if each.since else ""
        say(f"{each.merchant} {each.document} since {since}: {each.code}. {each.sentence} {each.detail}")
        say(f"    {each.waiting_for}: {each.remedy}")
    if not (connections or late or standing):
        say("No exceptions.")
    say("")
    for row in figures:
        before = f"{row['last_digest']:%Y-%m-%d %H:%M}" if row["last_digest"] else "never"
        say(
            f"{row['merchant_id']}: {row['under_way']} orders under way, {row['completed']} completed, {row['blocked']} stand "
            f"still, {row['mended']} were mended, {row['found_only_by_sweep']} found only by the sweep. "
            f"Digest before this one: {before}."
        )
    say(f"Ran {now:%Y-%m-%d %H:%M} UTC over {hours:g} hours and {len(figures)} merchants; kept in bridge.audit.")


ui = typer.Typer(no_args_is_help=True, help="The lists of the Temporal UI that people use.")


def _filter_command(name: str) -> None:
    meaning = FILTERS[name][0]

    def command(
        merchant: OneMerchant = None,
        address: Annotated[str | None, typer.Option("--ui", help="Address of the UI; the running stack's without it.")] = None,
        browser: Annotated[bool, typer.Option("--open", help="Open it in a browser too.")] = False,
        as_json: AsJson = False,
    ) -> None:
        settings = Settings.from_environment()
        base = address or Home(settings.home).state().get("addresses", {}).get("ui") or settings.codec_origin
        day_ago = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = query_of(name, merchant, day_ago)
        if base is None:
            wrong("No stack runs here and no UI is set: give --ui ADDRESS, or start a stack with `lagerbro up`.")
            raise typer.Exit(WRONG)
        found = address_of(base, settings.temporal_namespace, query)
        if as_json:
            print_json({"query": query, "address": found})
        else:
            print(query)
            print(found)
        if browser:
            webbrowser.open(found)

    command.__doc__ = (
        f"What {meaning}: the query, and the address that shows it.\n\nExit code 0: printed. 1: where the UI is, is not known."
    )
    ui.command(name)(command)


for _name in FILTERS:
    _filter_command(_name)
