"""`lagerbro verify`: are the books right, and would the checker notice if they were not?"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.exc import DBAPIError
from temporalio.client import Client

from erp.database import Database
from starters.cli_stack import nothing_runs
from starters.command import AsJson, run_command
from starters.verify import CannotCheck, open_online, print_proofs, print_report, prove, verify
from starters.verify.report import NOT_CHECKED
from worker.keyring import KeyRingError
from worker.settings import Settings, SettingsError
from worker.temporal import connect

SAID = (CannotCheck, SettingsError, KeyRingError, DBAPIError, OSError, TimeoutError)


def verify_command(
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant; all without it.")] = None,
    online: Annotated[
        bool,
        typer.Option("--online", help="Also ask Ongoing and Fortnox for every order and invoice, inside their rate limits."),
    ] = False,
    prove_it: Annotated[
        bool,
        typer.Option(
            "--prove",
            help="Check the checker: plant every kind of violation in a scratch database and find each. Touches no other"
            " database; needs a superuser's login in LAGERBRO_OWNER_DATABASE_URL.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the books: every invariant, on one snapshot, read-only, at any time, on any database.

    Each line names an invariant, how many rows it covered and how many break it, with merchant, document and row. A check that
    could not be made says why, and one that met no rows although orders have run has proved nothing: neither counts as clean.
    What is allowed but worth a look (surplus invoices, near-twin articles, what is not invoiced yet) is listed.

    Without --online the other systems are not asked. Temporal is asked wherever TEMPORAL_ADDRESS answers.

    Exit code 0: clean. 1: something is violated, or --prove overlooked something. 2: no violation, but not everything was proved.
    3: nothing runs.
    """
    run_command(_settled(merchant, online, prove_it, as_json))


async def _settled(merchant: str | None, online: bool, prove_it: bool, as_json: bool) -> int:
    said = Console(stderr=True, emoji=False)
    try:
        code = await (_prove(as_json) if prove_it else _verify(merchant, online, as_json))
    except SAID as why:
        if isinstance(why, SettingsError) and nothing_runs(why):
            raise
        reason = why.orig if isinstance(why, DBAPIError) else why
        said.print(f"[yellow]Could not check:[/] {reason or type(why).__name__}", highlight=False)
        code = NOT_CHECKED
    await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once
    return code


async def _verify(merchant: str | None, online: bool, as_json: bool) -> int:
    settings = Settings.from_environment()
    database = Database(settings.database("verify"), pool_size=2)
    try:
        async with AsyncExitStack() as stack:
            ways = await stack.enter_async_context(open_online(settings)) if online else None
            report = await verify(database, merchant=merchant, online=ways, temporal=await _temporal(settings))
    finally:
        await database.close()
    if as_json:
        print(report.to_json())
    else:
        print_report(report)
    return report.exit_code


async def _temporal(settings: Settings) -> Client | None:
    """Temporal, if it answers: without it the checks that need it are reported as not made."""
    try:
        return await connect(settings)
    except (RuntimeError, SettingsError):
        return None


def superuser_of_own_stack(home: Path) -> str | None:
    """The superuser of the embedded PostgreSQL, which belongs to whoever can read the state folder."""
    file = home / "run" / "superuser.url"
    return file.read_text(encoding="utf-8").strip() if file.exists() else None


async def _prove(as_json: bool) -> int:
    settings = Settings.from_environment()
    own = superuser_of_own_stack(settings.home)
    report = await prove(own or settings.database("owner"))
    if as_json:
        print(report.to_json())
    else:
        print_proofs(report)
    return report.exit_code
