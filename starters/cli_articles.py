"""Commands about articles: how far the warehouse is from the ERP, bringing it there, and trying again what it refused."""

import asyncio
import getpass
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from sqlalchemy import text

from erp.articles import Due, articles_due, due_again, try_articles_again
from erp.database import Database, rows
from starters.command import AsJson, MerchantId, console, print_json, run_command, wrong
from starters.merchants import start_syncing
from worker.settings import Settings
from worker.temporal import connect

articles = typer.Typer(no_args_is_help=True, help="Articles in the warehouse: how far it is, what it refused, trying again.")


_LISTED = text(
    """
    select document as article_number, code, detail from bridge.exception
    where merchant_id = :merchant and kind = 'article' and closed_at is null order by document, code limit :most
    """
)
_TOLD = text(
    """
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason)
    values (:merchant, :by, :action, 'article', coalesce(:number, 'all'), :reason)
    """
)


@articles.command("status")
def status(merchant: MerchantId = "demo", as_json: AsJson = False) -> None:
    """How many articles are in the warehouse, how many are still to send and since when, and what is listed about any.

    Exit code 0: nothing refused. 1: the warehouse refuses some; each is listed with its reason.
    """
    run_command(_status(merchant, as_json))


async def _status(merchant: str, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        due = await articles_due(session, merchant)
        listed = [dict(row._mapping) for row in await rows(session, _LISTED, merchant=merchant, most=200)]
    await database.close()
    if as_json:
        print_json(asdict(due) | {"listed": listed})
    else:
        since = f", the oldest since {due.oldest:%Y-%m-%d %H:%M:%S} UTC" if due.oldest else ""
        console.print(f"{due.sent} in the warehouse, {due.to_send} to send{since}, {due.refused} refused.")
        if listed:
            table = Table("article", "what", "detail")
            for row in listed:
                table.add_row(row["article_number"], row["code"], row["detail"])
            console.print(table)
    return 1 if due.refused else 0


@articles.command("sync")
def sync(
    merchant: MerchantId = "demo",
    everything: Annotated[
        bool,
        typer.Option("--all", help="Every article that the warehouse has once more, changed or not: it was lost over there."),
    ] = False,
    seconds: Annotated[float, typer.Option("--wait", help="Show how far it is for so many seconds at most.")] = 3600,
    as_json: AsJson = False,
) -> None:
    """Bring the warehouse's articles to where the ERP is, now, and show how far it has come. Stopping this stops nothing.

    Exit code 0: nothing is left to send. 1: the warehouse refuses some, or there still is something to send.
    """
    run_command(_sync(merchant, everything, seconds, as_json))


async def _sync(merchant: str, everything: bool, seconds: float, as_json: bool) -> int:
    settings = Settings.from_environment()
    app, verify = Database(settings.database("app"), pool_size=1), Database(settings.database("verify"), pool_size=1)
    if everything:
        async with app.merchant(merchant) as session:
            await due_again(session, merchant)
            told = {"merchant": merchant, "by": getpass.getuser(), "action": "articles-all", "number": None}
            await session.execute(_TOLD, told | {"reason": "lagerbro article sync --all"})
    await start_syncing(await connect(settings), merchant)
    ends, former = time.monotonic() + seconds, -1
    while (due := await _due(verify, merchant)).to_send and time.monotonic() < ends:
        if due.to_send != former and not as_json:
            console.print(f"{due.to_send} to send, {due.refused} refused")
        former = due.to_send
        await asyncio.sleep(1.0)
    await app.close()
    await verify.close()
    await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once
    if as_json:
        print_json(asdict(due))
    else:
        console.print(f"{due.sent} in the warehouse, {due.to_send} to send, {due.refused} refused.")
    return 1 if due.to_send or due.refused else 0


async def _due(database: Database, merchant: str) -> Due:
    async with database.everyone() as session:
        return await articles_due(session, merchant)


@articles.command("again")
def again(
    number: Annotated[str | None, typer.Argument(help="Article number; every refused one without it.")] = None,
    merchant: MerchantId = "demo",
    by: Annotated[str, typer.Option("--by", help="Who wants it.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="What was mended.")] = "",
) -> None:
    """Send refused articles once more, for a cause that was mended in the warehouse. What changes in the ERP is sent by itself.

    Exit code 0: they will be sent. 1: none is refused, or nobody said who and why.
    """
    if not by.strip() or not reason.strip():
        console.print('[red]Say who wants it and what was mended: --by anna --reason "supplier made".[/]')
        raise typer.Exit(1)
    run_command(_again(merchant, number, by, reason))


async def _again(merchant: str, number: str | None, by: str, reason: str) -> int:
    database = Database(Settings.from_environment().database("app"))
    async with database.merchant(merchant) as session:
        found = await try_articles_again(session, merchant, number)
        if found:
            told = {"merchant": merchant, "by": by, "action": "articles-again", "number": number, "reason": reason}
            await session.execute(_TOLD, told)
    await database.close()
    if not found:
        wrong(f"The warehouse refuses no such article of merchant {merchant}.")
        return 1
    console.print(f"{len(found)} articles are tried again: {', '.join(found[:10])}{' ...' if len(found) > 10 else ''}")
    return 0
