"""Commands about sales orders: start, show, list, retry; and loading orders into the ERP's tables."""

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.markup import escape
from sqlalchemy import text
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.articles import send_articles
from domain.errors import Refused
from domain.reasons import REASONS
from erp.articles import unsent_articles
from erp.database import Database, one
from erp.merchants import load_connection, load_merchant, utc_now
from erp.opening import OpeningBalance, book_opening
from erp.overview import order_list, order_overview
from starters.command import AsJson, By, MerchantId, console, print_json, run_command, said_by, table, wrong
from starters.import_orders import ImportResult, import_orders, release_orders
from worker.settings import Settings
from worker.temporal import connect
from worker.wiring import ongoing_connections
from workflows.patient import Correction
from workflows.sales_order import FulfilSalesOrder

orders = typer.Typer(no_args_is_help=True, help="Sales orders: start one, see one, see all that are under way, try one again.")
erp = typer.Typer(no_args_is_help=True, help="Write into the ERP's tables as an ERP would.")


LONG = frozenset(["reference", "basis_no", "looked_at", "started_at"])
"""Columns that only programs ask for: --json has them."""


@orders.command("start")
def start(number: Annotated[str, typer.Argument(help="Order number.")], merchant: MerchantId = "demo") -> None:
    """Release a draft order, as the ERP would: its process starts by itself within a second.

    Exit code 0: released, or it was before. 1: there is no such order, or the database refuses (no lines).
    """
    run_command(_start(merchant, number))


async def _start(merchant: str, number: str) -> int:
    settings = Settings.from_environment()
    database = Database(settings.database("erp"))
    statement = text("select status from erp.sales_order where merchant_id = :merchant and order_number = :number")
    release = text("update erp.sales_order set status = 'released' where merchant_id = :merchant and order_number = :number")
    async with database.everyone() as session:
        row = await one(session, statement, merchant=merchant, number=number)
    if row is None:
        console.print(f"[red]There is no sales order {number} of merchant {merchant}.[/] Insert it in erp.sales_order first.")
        return 1
    if row.status != "draft":
        console.print(f"{number} was released before; it is {row.status}.")
        return 0
    try:
        async with database.everyone() as session:
            await session.execute(release, {"merchant": merchant, "number": number})
    except Exception as refused:
        wrong(said_by(refused))
        return 1
    finally:
        await database.close()
    console.print(f"{number} is released.")
    return 0


@orders.command("show")
def show(
    number: Annotated[str, typer.Argument(help="Order number.")], merchant: MerchantId = "demo", as_json: AsJson = False
) -> None:
    """Everything that belongs to one order: lines, shipments, parcels, invoices, what stands still and why.

    Exit code 0: shown. 1: there is no such order.
    """
    run_command(_show(merchant, number, as_json))


async def _show(merchant: str, number: str, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = await order_overview(session, merchant, number)
    await database.close()
    if found is None:
        wrong(f"There is no sales order {number} of merchant {merchant}.")
        return 1
    if as_json:
        print_json(found)
        return 0
    console.print(
        f"[bold]{number}[/] of {merchant}: [bold]{found['status']}[/] since {found['status_changed_at']:%Y-%m-%d %H:%M}"
    )
    for row in found["exceptions"]:
        if row["closed_at"] is None:
            reason = REASONS[row["code"]]
            console.print(
                f"[red]{row['code']}[/] since {row['opened_at']:%Y-%m-%d %H:%M}: {escape(row['detail'])}", highlight=False
            )
            console.print(f"  {reason.sentence} Who acts: {reason.who}. What to do: {reason.remedy}", highlight=False)
    for name in ("lines", "not_in_stock", "shipments", "parcels", "invoices", "warehouse_documents", "processes"):
        if found[name]:
            shown = [{column: row[column] for column in row if column not in LONG} for row in found[name]]
            console.print(table(name.replace("_", " "), shown))
    return 0


@orders.command("list")
def listed(
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant; all without it.")] = None,
    blocked: Annotated[bool, typer.Option("--blocked", help="Only orders that stand still.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Completed and cancelled orders too.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="How many rows at the most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Orders under way, the last changed first: what each waits for, and why some stand still. Exit code 0."""
    run_command(_listed(merchant, everything, blocked, most, as_json))


async def _listed(merchant: str | None, everything: bool, blocked: bool, most: int, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = await order_list(session, merchant, everything, blocked, most)
    await database.close()
    if as_json:
        print_json(found)
    elif found:
        console.print(
            table("orders", [{name: row[name] for name in row if name != "merchant_id" or not merchant} for row in found])
        )
        if len(found) == most:
            console.print(f"The first {most}; --most shows more.")
    else:
        console.print("No orders under way." if not blocked else "Nothing stands still.")
    return 0


@orders.command("retry")
def retry(
    number: Annotated[str, typer.Argument(help="Order number.")],
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="What was mended; it is kept.")],
    merchant: MerchantId = "demo",
) -> None:
    """Try again what stands still. Exit code 0: it is tried again. 1: it does not stand still, or is not there."""
    run_command(_retry(merchant, number, by, reason))


async def _retry(merchant: str, number: str, by: str, reason: str) -> int:
    settings = Settings.from_environment()
    database = Database(settings.database("verify"))
    async with database.everyone() as session:
        found = await order_overview(session, merchant, number)
    await database.close()
    if found is None:
        wrong(f"There is no sales order {number} of merchant {merchant}.")
        return 1
    if not (by.strip() and reason.strip()):
        wrong("--by and --reason must say who and why: both are kept.")
        return 1
    running = [process for process in found["processes"] if process["ended_at"] is None]
    if not running:
        wrong(f"Sales order {number} of {merchant} is {found['status']}: it has no running process.")
        return 1
    client = await connect(settings)
    handle = client.get_workflow_handle(running[-1]["workflow_id"])
    try:
        console.print(await handle.execute_update(FulfilSalesOrder.retry_now, Correction(by, reason)))
    except WorkflowUpdateFailedError as refused:
        wrong(f"{refused.cause}")
        return 1
    except RPCError as error:
        wrong(f"Temporal: {error.message}")
        return 1
    return 0


@erp.command("import-orders")
def import_command(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with a row for each order line.")],
    merchant: MerchantId = "demo",
    with_stock: Annotated[
        bool, typer.Option("--with-stock", help="Give each article an opening balance that suffices, in both systems.")
    ] = False,
    vat_rate: Annotated[str, typer.Option("--vat-rate", help="VAT in percent for home and EU; elsewhere none.")] = "25",
    gross: Annotated[bool, typer.Option("--with-vat", help="Prices in the file include VAT.")] = False,
    release: Annotated[bool, typer.Option("--release/--draft", help="Release the orders, or leave drafts.")] = True,
    as_json: AsJson = False,
) -> None:
    """Load orders from a CSV into the ERP's tables, then release them. Drafts that an interrupted run left are released too.

    Columns: invoice_no, invoice_date, customer_id, country, stock_code, description, quantity, unit_price, separated by commas.

    Prices are in the merchant's currency, without VAT unless --with-vat. Missing articles are made; an order without an address
    gets a placeholder, one without a customer is billed to a collective customer of its country. What is not taken is
    listed with its reason: C invoices, lines without a quantity or price above 0, orders that are there already.

    With --with-stock each stock article opens with what the file's orders take, at half of its highest price in whole öre (this
    needs the simulated warehouse: a real one cannot be given stock).

    Exit code 0: every line is taken or listed. 1: the file or the merchant is not usable, and nothing was written.
    """
    try:
        rate = Decimal(vat_rate)
    except InvalidOperation:
        rate = Decimal(-1)
    if not 0 <= rate <= 100:
        wrong(f"--vat-rate is {vat_rate!r}: give a percentage from 0 to 100.")
        raise typer.Exit(1)
    run_command(_import(file, merchant, with_stock, rate, gross, release, as_json))


async def _import(
    file: Path, merchant: str, with_stock: bool, vat_rate: Decimal, gross: bool, release: bool, as_json: bool
) -> int:
    settings = Settings.from_environment()
    database = Database(settings.database("erp"))
    try:
        result, balances = await import_orders(database, merchant, file, vat_rate, gross)
        if with_stock:
            await open_stock(settings, merchant, balances)
        if release:
            await release_orders(database, merchant, [*result.already_there, *result.orders])
    except (ValueError, Refused) as fault:
        wrong(f"{fault}")
        return 1
    finally:
        await database.close()
    if as_json:
        print_json(_as_dict(result))
    else:
        _print_result(result)
    return 0


async def open_stock(settings: Settings, merchant: str, balances: list[OpeningBalance]) -> None:
    """Book opening balances here and lay the same stock in the simulated warehouse."""
    database = Database(settings.database("app"))
    connections = ongoing_connections(database, settings.key_ring(), settings)
    numbers = [balance.article_number for balance in balances]
    async with connections.using(merchant) as (_, client):
        async with database.merchant(merchant) as session:
            unsent = await unsent_articles(session, merchant, numbers)
            connection = await load_connection(session, merchant, "ongoing")
        unclear = timedelta(seconds=settings.settle_seconds)
        await send_articles(database, client, merchant, unsent, unclear, lambda _number: None)
    async with database.merchant(merchant) as session:
        who = await load_merchant(session, merchant)
        booked = set(await book_opening(session, who, balances, utc_now(), "lagerbro erp import-orders", settings.build_id))
    async with httpx.AsyncClient(base_url=connection.settings["base_url"], trust_env=False, timeout=60) as warehouse:
        answer = await warehouse.put(
            "/_control/stock",
            json={
                "warehouse": connection.settings["warehouse"],
                "goodsOwnerId": connection.settings["goods_owner_id"],
                "articles": [
                    {"articleNumber": b.article_number, "numberOfItems": str(b.quantity)}
                    for b in balances
                    if b.article_number in booked
                ],
            },
        )
        if answer.status_code >= 400:
            raise ValueError(f"the warehouse takes no opening stock ({answer.status_code}): --with-stock needs the simulator")
    await connections.aclose()
    await database.close()


def _as_dict(result: ImportResult) -> dict[str, Any]:
    return {
        "lines": result.lines,
        "taken_lines": result.taken_lines,
        "orders": result.orders,
        "already_there": result.already_there,
        "listed": [asdict(item) for item in result.listed],
        "near_twins": result.near_twins,
        "service_articles": result.service_articles,
        "new_articles": result.new_articles,
        "net": str(result.net),
    }


def _print_result(result: ImportResult) -> None:
    console.print(
        f"{result.lines} lines: [green]{result.taken_lines} taken[/] in {len(result.orders)} orders, "
        f"[yellow]{len(result.listed)} listed[/]; net {result.net}; {result.new_articles} new articles"
    )
    reasons: dict[str, int] = {}
    for item in result.listed:
        reasons[item.reason] = reasons.get(item.reason, 0) + 1
    for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1]):
        where = [str(item.row) for item in result.listed if item.reason == reason]
        console.print(f"  {count:>5}  {reason} (rows {', '.join(where[:8])}{', ...' if len(where) > 8 else ''})", highlight=False)
    if result.near_twins:
        console.print(f"Near-twins, kept apart: {', '.join(' / '.join(twins) for twins in result.near_twins)}")
    if result.service_articles:
        console.print(f"Taken as services, not kept in stock: {', '.join(sorted(result.service_articles))}")
