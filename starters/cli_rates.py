"""Commands about exchange rates: see them, fetch them now, confirm one that is not believed."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy

from activities.rates import RateConfirmation
from domain.banking_days import banking_days
from erp.database import Database
from erp.overview import open_exceptions
from erp.rates import shown
from starters.command import AsJson, MerchantId, console, print_json, run_command, wrong
from starters.known import known
from worker.settings import Settings
from worker.temporal import connect
from workflows import attributes, options
from workflows.exchange_rates import FetchExchangeRates, RatesKey
from workflows.patient import Correction

rates = typer.Typer(no_args_is_help=True, help="Exchange rates: see them, fetch them now, confirm one that is not believed.")

KIND = "exchange-rates"


@rates.command("show")
def show(
    currency: Annotated[str | None, typer.Argument(help="A currency such as EUR; all without it.")] = None,
    merchant: MerchantId = "demo",
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How many days back.")] = 14,
    as_json: AsJson = False,
) -> None:
    """The stored rates, who spoke for each, the banking days without one, and what stands still.

    Exit code 0: shown. 1: there are none.
    """
    run_command(_show(merchant, currency.upper() if currency else None, days, as_json))


async def _show(merchant: str, currency: str | None, days: int, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"), pool_size=1)
    first = datetime.now(UTC).date() - timedelta(days=days)
    async with database.everyone() as session:
        found = await shown(session, merchant, currency, first)
        standing = [row for row in await open_exceptions(session, merchant) if row["kind"] == KIND]
    await database.close()
    missing = _missing(found)
    if as_json:
        told = {"rates": found, "missing": missing, "standing": standing}
        print_json(told)
    else:
        _print(merchant, found, missing, standing, days)
    return 0 if found else 1


def _print(
    merchant: str, found: list[dict[str, Any]], missing: dict[str, list[date]], standing: list[dict[str, Any]], days: int
) -> None:
    table = Table("currency", "day", "kronor", "for", "revision", "checked by", "other bank, for 1", header_style="bold")
    for row in found:
        word = f"person ({row['confirmed_by']})" if row["confirmed_by"] else row["checked_by"]
        other = "" if row["other_rate"] is None else f"{row['other_rate'].normalize():f}"
        cells = (row["currency"], row["rate_date"], f"{row['value'].normalize():f}", row["units"], row["revision"])
        table.add_row(*map(str, cells), escape(word), other)
    if found:
        console.print(table)
        console.print("Source: Sveriges Riksbank; compared with the ECB.", style="dim")
    else:
        console.print(f"No rates of {merchant} from the last {days} days. `lagerbro rates fetch` asks for them.")
    for currency, gaps in missing.items():
        console.print(f"[yellow]{currency} has no rate for banking days[/] {', '.join(map(str, gaps))}")
    for row in standing:
        console.print(f"[red]stands still[/]: [bold]{row['code']}[/] {escape(str(row['detail']))}", soft_wrap=True)


def _missing(found: list[dict[str, Any]]) -> dict[str, list[date]]:
    """Banking days without a rate, between the first and the last that is shown."""
    there: dict[str, set[date]] = {}
    for row in found:
        there.setdefault(row["currency"], set()).add(row["rate_date"])
    gaps = {currency: [day for day in banking_days(min(days), max(days)) if day not in days] for currency, days in there.items()}
    return {currency: days for currency, days in gaps.items() if days}


@rates.command("fetch")
def fetch(
    merchant: MerchantId = "demo",
    seconds: Annotated[float, typer.Option("--wait", help="How long to wait for the outcome.")] = 30.0,
) -> None:
    """Fetch now instead of at five past five; one that stands still tries again.

    Exit code 0: every rate that must be there is there. 1: it stands still, or there is no such merchant; the text says why.
    """
    run_command(_fetch(merchant, seconds))


async def _fetch(merchant: str, seconds: float) -> int:
    settings = Settings.from_environment()
    await known(settings, merchant)
    client = await connect(settings)
    if (running := await _standing(client, merchant)) is not None:
        await client.get_workflow_handle(running).signal("retry_now", Correction("lagerbro rates fetch", "asked to fetch now"))
    handle = await client.start_workflow(
        FetchExchangeRates.run,
        RatesKey(merchant),
        id=f"rates/{merchant}",
        task_queue=options.ORDERS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Exchange rates for {merchant}",
        search_attributes=attributes.at_start(merchant, merchant, "fetching", datetime.now(UTC)),
    )
    try:
        async with asyncio.timeout(seconds):
            fetched = await handle.result()
    except TimeoutError:
        return await _still_waits(settings, merchant, seconds)
    console.print(f"{fetched.currencies} currencies up to {fetched.up_to}; {fetched.added} rates are new.")
    return 0


async def _still_waits(settings: Settings, merchant: str, seconds: float) -> int:
    database = Database(settings.database("verify"), pool_size=1)
    async with database.everyone() as session:
        standing = [row for row in await open_exceptions(session, merchant) if row["kind"] == KIND]
    await database.close()
    for row in standing:
        console.print(f"[red]stands still[/]: [bold]{row['code']}[/] {escape(str(row['detail']))}", soft_wrap=True)
    if not standing:
        console.print(f"Not done after {seconds:g} s; it goes on by itself. `lagerbro rates show` tells how far it is.")
    return 1


@rates.command("confirm")
def confirm(
    currency: Annotated[str, typer.Argument(help="The currency, such as EUR.")],
    on: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The day of the rate.")],
    value: Annotated[str, typer.Argument(help="The value exactly as it was published.")],
    by: Annotated[str, typer.Option("--by", help="Who confirms it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is right.")],
    merchant: MerchantId = "demo",
) -> None:
    """Say that a rate which is not believed is right. Kept with the rate, and in the audit log.

    Exit code 0: taken. 1: nothing stands still for this rate, or the value is no number.
    """
    try:
        number = Decimal(value)
    except InvalidOperation:
        console.print(f"[red]{escape(value)} is not a number.[/] Write it with a point, as the bank does: 11.2345")
        raise typer.Exit(1) from None
    run_command(_confirm(merchant, RateConfirmation(by, reason, currency.upper(), on.date(), number)))


async def _confirm(merchant: str, confirmation: RateConfirmation) -> int:
    client = await connect(Settings.from_environment())
    running = await _standing(client, merchant)
    if running is None:
        console.print(f"No fetch of exchange rates of {merchant} stands still: there is nothing to confirm.")
        return 1
    update: Any = FetchExchangeRates.confirm_rate
    try:
        console.print(await client.get_workflow_handle(running).execute_update(update, confirmation))
    except WorkflowUpdateFailedError as refused:
        wrong(f"{refused.cause}")
        return 1
    return 0


async def _standing(client: Client, merchant: str) -> str | None:
    """The fetch of a merchant that stands still, by the clock's or by hand."""
    named = merchant.replace("'", "")
    query = (
        f"WorkflowType = 'FetchExchangeRates' AND Merchant = '{named}' AND ExecutionStatus = 'Running' "
        "AND BlockedReason IS NOT NULL"
    )
    async for found in client.list_workflows(query):
        return found.id
    return None
