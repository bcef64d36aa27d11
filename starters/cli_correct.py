"""Commands that correct a sales order, and the tokens of programs that may."""

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from domain.corrections import EXAMPLES, MEANINGS, Name
from erp.corrections import ADDRESS, NameTaken, park_address
from erp.database import Database
from erp.people import add_token, end_token
from starters.command import By, MerchantId, Reason, console, run_command, wrong
from starters.corrections import Unacceptable, correct, running
from starters.endpoints import hashed
from worker.settings import Settings
from worker.temporal import connect

DONE, WRONG = 0, 1
token = typer.Typer(no_args_is_help=True, help="Tokens with which programs correct orders over HTTP.")


def correct_command(
    number: Annotated[str, typer.Argument(help="Order number.")],
    name: Annotated[str, typer.Argument(help="The correction, or approve; `lagerbro corrections` lists them.")],
    by: By,
    reason: Reason,
    content: Annotated[str, typer.Option("--content", help='The rest as JSON, e.g. {"day": "2026-12-01"}.')] = "{}",
    key: Annotated[str, typer.Option("--key", help="Your own key: the same one is done once.")] = "",
    merchant: MerchantId = "demo",
) -> None:
    """Correct one order: hold, release, cancel, change lines, and so on.

    Exit code 0: done, or done before under this key. 1: refused, and the text says why. 3: nothing runs.
    """
    run_command(_correct(merchant, number, name, by, reason, content, key))


async def _correct(merchant: str, number: str, name: str, by: str, reason: str, content: str, key: str) -> int:
    try:
        given = json.loads(content)
        if not isinstance(given, dict):
            raise ValueError
    except ValueError:
        wrong(f"--content is not a JSON object: {content}")
        return WRONG
    settings = Settings.from_environment()
    database = Database(settings.database("app"), pool_size=1)
    try:
        client = await connect(settings)
        sent = given | {"by": by, "reason": reason} | ({"key": key} if key else {})
        console.print(escape(await correct(client, database, merchant, number, name.replace("-", "_"), **sent)), highlight=False)
    except Unacceptable as why:
        wrong(f"{why}")
        return WRONG
    finally:
        await database.close()
    return DONE


def corrections_command() -> None:
    """The corrections with what each means and takes. Exit code 0."""
    for name in Name:
        takes = f"  --content '{json.dumps(EXAMPLES[name])}'" if EXAMPLES[name] else ""
        console.print(f"[bold]{name.value}[/]: {MEANINGS[name]}{escape(takes)}", highlight=False, soft_wrap=True)
    console.print("[bold]approve[/]: a second person says yes to what was sent under a key  --key KEY", highlight=False)


def park_command(
    number: Annotated[str, typer.Argument(help="Order number.")],
    parked: Annotated[str, typer.Argument(help="A name for it, to give to change_address.")],
    file: Annotated[Path, typer.Option("--file", exists=True, dir_okay=False, help=f"JSON with {', '.join(ADDRESS)}.")],
    merchant: MerchantId = "demo",
) -> None:
    """Keep an address for the correction change_address, which names it: addresses never travel through Temporal.

    Exit code 0: kept. 1: the file or the order is not usable.
    """
    run_command(_park(merchant, number, parked, file.read_text(encoding="utf-8")))


async def _park(merchant: str, number: str, parked: str, content: str) -> int:
    try:
        address = json.loads(content)
        if not isinstance(address, dict) or set(address) - set(ADDRESS):
            raise ValueError
    except ValueError:
        wrong(f"The file is not JSON with {', '.join(ADDRESS)}.")
        return WRONG
    database = Database(Settings.from_environment().database("app"), pool_size=1)
    try:
        async with database.merchant(merchant) as session:
            await running(session, merchant, number)
            done = await park_address(session, merchant, number, parked, address)
    except (Unacceptable, NameTaken) as why:
        wrong(f"{why}")
        return WRONG
    finally:
        await database.close()
    if not done:
        wrong(f"An address is parked under {parked} already: take another name.")
        return WRONG
    console.print(f"Parked; now: lagerbro correct {number} change_address --content '{json.dumps({'parked': parked})}' ...")
    return DONE


@token.command("new")
def new_token(
    name: Annotated[str, typer.Argument(help="Whose it is; it stands in the audit beside the person.")],
    merchant: MerchantId = "demo",
) -> None:
    """Make a token and show it once; only its hash is kept. Exit code 0: made."""
    run_command(_new_token(merchant, name))


async def _new_token(merchant: str, name: str) -> int:
    secret = secrets.token_urlsafe(32)
    database = Database(Settings.from_environment().database("app"), pool_size=1)
    async with database.merchant(merchant) as session:
        await add_token(session, merchant, hashed(secret), name)
    await database.close()
    print(secret)
    return DONE


@token.command("end")
def end_command(name: Annotated[str, typer.Argument(help="Whose it was.")], merchant: MerchantId = "demo") -> None:
    """End every token of that name. Exit code 0: ended. 1: there was none."""
    run_command(_end_token(merchant, name))


async def _end_token(merchant: str, name: str) -> int:
    database = Database(Settings.from_environment().database("app"), pool_size=1)
    async with database.merchant(merchant) as session:
        ended = await end_token(session, merchant, name)
    await database.close()
    console.print(f"Tokens of {escape(name)} are ended." if ended else f"[red]There is no token of {escape(name)}.[/]")
    return DONE if ended else WRONG
