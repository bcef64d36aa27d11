"""Commands for notes: what stands nowhere still but deserves a look, and that somebody has looked."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from erp.database import Database
from erp.exceptions import settle_note
from worker.settings import Settings

notes = typer.Typer(
    no_args_is_help=True, help="Notes: what stands nowhere still but deserves a look. `lagerbro stuck --notes` lists them."
)
console = Console(soft_wrap=True, emoji=False)


@notes.command("close")
def close(
    document: Annotated[str, typer.Argument(help="Its number, as `lagerbro stuck --notes` shows it.")],
    code: Annotated[str, typer.Argument(help="The note's reason, e.g. over-delivery.")],
    by: Annotated[str, typer.Option("--by", help="Who has seen to it; kept.")],
    reason: Annotated[str, typer.Option("--reason", help="What was done; kept.")],
    merchant: Annotated[str, typer.Option("--merchant", "-m", help="The merchant's id, as in erp.merchant.")] = "demo",
    kind: Annotated[
        str | None, typer.Option("--kind", help="sales-order, purchase-order, return, ...: where two have it.")
    ] = None,
) -> None:
    """Say that a note has been seen to: it leaves the lists, and who and why are kept.

    What is still so and shows in our own books (stock-below-zero) cannot be closed, nor what stands still.

    Exit code 0: closed. 1: there is no such note, or it cannot be closed; the text says why. 3: nothing runs.
    """
    raise typer.Exit(asyncio.run(_close(merchant, document, code, by, reason, kind)))


async def _close(merchant: str, document: str, code: str, by: str, reason: str, kind: str | None) -> int:
    database = Database(Settings.from_environment().database("app"), pool_size=1)
    try:
        async with database.merchant(merchant) as session:
            said = await settle_note(session, merchant, document, code, by, reason, kind)
    finally:
        await database.close()
    console.print(f"Closed: {escape(said)}", highlight=False)
    return 0
