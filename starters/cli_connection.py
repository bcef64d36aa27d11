"""Commands about a merchant's connections: see them, and give them new credentials."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import text

from clients.sftp import read_private_key
from erp.database import Database, rows
from erp.merchants import load_connection, save_connection
from starters.command import AsJson, MerchantId, console, print_json, run_command, wrong
from worker.settings import Settings

connection = typer.Typer(
    no_args_is_help=True, help="How Ongoing, Fortnox and a server of stock files are reached for a merchant."
)

NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "ongoing": (("username", "password"),),
    "fortnox": (("client_id", "client_secret"),),
    "sftp": (("password",), ("private_key",)),
}
"""What a file of credentials holds: one of these sets."""


@connection.command("show")
def show(
    merchant: MerchantId = "demo",
    as_json: AsJson = False,
) -> None:
    """Address and state of each connection; credentials are never shown.

    Exit code 0: working. 1: one is blocked, or none is there.
    """
    run_command(_show(merchant, as_json))


async def _show(merchant: str, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    statement = text(
        "select system, state, problem, problem_since, settings from bridge.connection where merchant_id = :m order by system"
    )
    async with database.everyone() as session:
        found = [dict(row._mapping) for row in await rows(session, statement, m=merchant)]
    await database.close()
    if as_json:
        print_json(found)
    for row in found if not as_json else []:
        colour = {"working": "green", "blocked": "red"}.get(row["state"], "yellow")
        since = f" since {row['problem_since']:%Y-%m-%d %H:%M}: {row['problem']}" if row["problem"] else ""
        console.print(f"[bold]{row['system']}[/]: [{colour}]{row['state']}[/]{since}  {row['settings']}", highlight=False)
    if not found and not as_json:
        wrong(f"Merchant {merchant} has no connections.")
    return 0 if found and all(row["state"] != "blocked" for row in found) else 1


@connection.command("set")
def set_credentials(
    system: Annotated[str, typer.Argument(help="ongoing, fortnox or sftp.")],
    credentials: Annotated[
        Path,
        typer.Option(
            "--credentials",
            exists=True,
            dir_okay=False,
            help="JSON: username and password; client_id and client_secret; for sftp password or private_key.",
        ),
    ],
    merchant: MerchantId = "demo",
) -> None:
    """Give a connection new credentials, from a file so that they stand in no command line.

    What waited for them goes on by itself.

    Exit code 0: stored. 1: the file or the merchant is not usable, and nothing was changed.
    """
    run_command(_set(system, credentials.name, credentials.read_text(encoding="utf-8"), merchant))


async def _set(system: str, name: str, content: str, merchant: str) -> int:
    if system not in NEEDED:
        wrong(f"{system!r} is not {', '.join(NEEDED)}.")
        return 1
    sets = " or ".join(" and ".join(names) for names in NEEDED[system])
    try:
        given: dict[str, Any] = json.loads(content)
        [fields] = [names for names in NEEDED[system] if all(given.get(field) for field in names)]
        secret = json.dumps({field: str(given[field]) for field in fields})
    except (ValueError, AttributeError, TypeError):
        wrong(f"{name} is not JSON with {sets}.")
        return 1
    if "private_key" in fields:
        try:
            read_private_key(str(given["private_key"]))
        except ValueError as fault:
            wrong(f"{name}: private_key is {fault}.")
            return 1
    settings = Settings.from_environment()
    database = Database(settings.database("app"))
    async with database.merchant(merchant) as session:
        known = await load_connection(session, merchant, system)
        await save_connection(session, merchant, system, known.settings, settings.key_ring().seal(merchant, system, secret))
    await database.close()
    console.print(f"{system} of {merchant} has new credentials; they are tried with the next call.")
    return 0
