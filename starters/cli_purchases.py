"""Commands about purchase orders: place one as the ERP would, see one, see all that are under way, close one."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer
from rich.markup import escape
from sqlalchemy import text

from domain.corrections import quantity_of
from domain.keys import PurchaseKey
from domain.money import ZERO
from domain.purchase_corrections import PurchaseName
from domain.reasons import REASONS
from erp.database import DATABASE_ERRORS, Database, one, rows
from erp.purchase_overview import purchase_list, purchase_overview
from starters.cli_returns import decide
from starters.command import AsJson, By, MerchantId, Reason, console, print_json, run_command, said_by, table, wrong
from starters.corrections import Unacceptable
from starters.purchase_corrections import correct_purchase
from worker.settings import Settings
from worker.temporal import connect
from workflows.receive_purchase_order import ReceivePurchaseOrder

purchases = typer.Typer(no_args_is_help=True, help="Purchase orders: place one, see one, see all that are under way, close one.")

_SUPPLIER = text("select currency from erp.supplier where merchant_id = :merchant and supplier_number = :supplier")
_PURCHASE = text(
    """
    insert into erp.purchase_order (merchant_id, purchase_order_number, supplier_number, currency, expected_on, status)
    values (:merchant, :number, :supplier, :currency, :expected_on, 'placed') on conflict do nothing returning 1
    """
)
_LINE = text(
    """
    insert into erp.purchase_order_line (merchant_id, purchase_order_number, line_number, article_number, quantity, unit_price)
    values (:merchant, :number, :line, :article, :quantity, :price)
    """
)
_BEFORE = text(
    """
    select p.supplier_number, p.currency, l.article_number, l.quantity, l.unit_price
    from erp.purchase_order p left join erp.purchase_order_line l using (merchant_id, purchase_order_number)
    where p.merchant_id = :merchant and p.purchase_order_number = :number order by l.line_number
    """
)
_STATUS = text(
    "select status from erp.purchase_order where merchant_id = :merchant and purchase_order_number = :number for update"
)
_CLOSE = text(
    """
    update erp.purchase_order set closed_by = :by, close_reason = :reason
    where merchant_id = :merchant and purchase_order_number = :number
    """
)


@purchases.command("start")
def start(
    number: Annotated[str, typer.Argument(help="Purchase order number; new.")],
    supplier: Annotated[str, typer.Option("--supplier", "-s", help="A supplier of the ERP.")],
    line: Annotated[list[str], typer.Option("--line", "-l", help="ARTICLE:QUANTITY:PRICE, for each line.")],
    currency: Annotated[str | None, typer.Option("--currency", help="The supplier's own without it.")] = None,
    expected: Annotated[datetime | None, typer.Option("--expected", formats=["%Y-%m-%d"], help="When it should come.")] = None,
    merchant: MerchantId = "demo",
) -> None:
    """Place a purchase order, as the ERP would: its process starts by itself within a second.

    Exit code 0: placed, or it was before. 1: there is no such supplier, the number is another's, or what is written is refused.
    """
    run_command(_write(merchant, number, supplier, line, currency, expected))


async def _write(
    merchant: str, number: str, supplier: str, lines: list[str], currency: str | None, expected: datetime | None
) -> int:
    wanted = [_line(each) for each in lines]
    database = Database(Settings.from_environment().database("erp"))
    key = {"merchant": merchant, "number": number}
    try:
        async with database.everyone() as session:
            known = await one(session, _SUPPLIER, merchant=merchant, supplier=supplier)
            if known is None:
                wrong(f"There is no supplier {supplier} of merchant {merchant}: add it in erp.supplier first.")
                return 1
            header = {"supplier": supplier, "currency": currency or known.currency, "expected_on": expected and expected.date()}
            if (await session.execute(_PURCHASE, key | header)).one_or_none() is None:
                before = [tuple(row) for row in await rows(session, _BEFORE, **key)]
                return _there_before(number, before, [(supplier, header["currency"], *each) for each in wanted])
            for place, (article, quantity, price) in enumerate(wanted, start=1):
                values = {"line": place, "article": article, "quantity": quantity, "price": price}
                await session.execute(_LINE, key | values)
    except DATABASE_ERRORS as refused:
        wrong(said_by(refused))
        return 1
    finally:
        await database.close()
    console.print(f"{number} is placed.")
    return 0


def _there_before(number: str, before: list[Any], wanted: list[Any]) -> int:
    """The number is taken: by this very purchase, or by another, which the person must know."""
    if before == wanted:
        console.print(f"{number} was there before: `lagerbro purchase show {number}` shows it.")
        return 0
    wrong(f"{number} is another purchase order already. Take a new number; `lagerbro purchase show {number}` shows the other.")
    return 1


def _line(written: str) -> tuple[str, Decimal, Decimal]:
    try:
        article, quantity, price = written.rsplit(":", 2)
        pieces, each = quantity_of(quantity), Decimal(price)
    except (ValueError, InvalidOperation):
        pieces, each = None, ZERO
    if not pieces or not each.is_finite() or each < 0:
        wrong(f"--line {written!r}: write ARTICLE:QUANTITY:PRICE, as in A-1:10:5.50; a quantity above zero, a price not below.")
        raise typer.Exit(1)
    return article, pieces, each


@purchases.command("show")
def show(
    number: Annotated[str, typer.Argument(help="Purchase order number.")], merchant: MerchantId = "demo", as_json: AsJson = False
) -> None:
    """Everything that belongs to one purchase order: lines, receipts, supplier invoices, what stands still and why.

    Exit code 0: shown. 1: there is no such purchase order.
    """
    run_command(_show(merchant, number, as_json))


async def _show(merchant: str, number: str, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = await purchase_overview(session, merchant, number)
    await database.close()
    if found is None:
        wrong(f"There is no purchase order {number} of merchant {merchant}.")
        return 1
    if as_json:
        print_json(found)
        return 0
    console.print(f"[bold]{number}[/] from supplier {found['supplier_number']}: [bold]{found['status']}[/]")
    if found["closed_by"]:
        console.print(f"Closed by {found['closed_by']}: {found['close_reason']}", highlight=False)
    for row in found["exceptions"]:
        if row["closed_at"] is None:
            reason = REASONS[row["code"]]
            console.print(
                f"[red]{row['code']}[/] since {row['opened_at']:%Y-%m-%d %H:%M}: {escape(row['detail'])}", highlight=False
            )
            console.print(f"  {reason.sentence} Who acts: {reason.who}. What to do: {reason.remedy}", highlight=False)
    for name in ("lines", "receipts", "invoices", "bookings", "claims", "entered", "processes"):
        if found[name]:
            console.print(table(name, found[name]))
    return 0


@purchases.command("list")
def listed(
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant; all without it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Completed and cancelled ones too.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="How many rows at the most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Purchase orders under way, the last changed first, and what about some deserves a look. Exit code 0."""
    run_command(_listed(merchant, everything, most, as_json))


async def _listed(merchant: str | None, everything: bool, most: int, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = await purchase_list(session, merchant, everything, most)
    await database.close()
    if as_json:
        print_json(found)
    elif found:
        console.print(table("purchase orders", found))
    else:
        console.print("No purchase orders under way.")
    return 0


@purchases.command("close")
def close(
    number: Annotated[str, typer.Argument(help="Purchase order number.")],
    by: By,
    reason: Reason,
    key: Annotated[str, typer.Option("--key", help="Your own key: the same one is done once.")] = "",
    merchant: MerchantId = "demo",
) -> None:
    """Expect nothing more of a purchase order, short or over. A decision: who and why are kept.

    Goods that come later are booked all the same. Above second_person_above another person must say yes.

    Exit code 0: it is decided, or waits for a second person. 1: there is no such purchase order under way.
    """
    run_command(_close(merchant, number, by, reason, key))


async def _close(merchant: str, number: str, by: str, reason: str, key_: str) -> int:
    if not (by.strip() and reason.strip()):
        wrong("--by and --reason must say who and why: both are kept.")
        return 1
    verify = Database(Settings.from_environment().database("verify"))
    async with verify.everyone() as session:
        shown = await purchase_overview(session, merchant, number)
    await verify.close()
    if shown is not None and any(process["ended_at"] is None for process in shown["processes"]):
        return await corrected(merchant, number, PurchaseName.CLOSE_SHORT.value, by, reason, key_, {})
    # Nothing runs yet: it is written as the ERP would.
    key = {"merchant": merchant, "number": number}
    database = Database(Settings.from_environment().database("erp"))
    try:
        async with database.everyone() as session:
            found = await one(session, _STATUS, **key)
            if found is None or found.status in ("draft", "received", "invoiced", "completed", "cancelled"):
                state = "is not there" if found is None else f"is {found.status}"
                wrong(f"Purchase order {number} of {merchant} {state}: there is nothing to close.")
                return 1
            await session.execute(_CLOSE, key | {"by": by, "reason": reason})
    finally:
        await database.close()
    console.print(f"{number} is to be closed: `lagerbro purchase show {number}` shows it.")
    return 0


@purchases.command("retry")
def retry(
    number: Annotated[str, typer.Argument(help="Purchase order number.")], by: By, reason: Reason, merchant: MerchantId = "demo"
) -> None:
    """Try again what stands still. Exit code 0: it is tried again. 1: it does not stand still, or is not there."""
    run_command(_retry(merchant, number, by, reason))


async def _retry(merchant: str, number: str, by: str, reason: str) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = await purchase_overview(session, merchant, number)
    await database.close()
    if found is None:
        wrong(f"There is no purchase order {number} of merchant {merchant}.")
        return 1
    runs = [process["run"] for process in found["processes"] if process["ended_at"] is None]
    if not runs:
        wrong(f"Purchase order {number} of {merchant} is {found['status']}: it has no running process.")
        return 1
    workflow_id = PurchaseKey(merchant, number, runs[-1]).workflow_id
    return await decide(workflow_id, ReceivePurchaseOrder.retry_now, by, reason)


async def corrected(merchant: str, number: str, name: str, by: str, reason: str, key: str, given: dict[str, Any]) -> int:
    """Send it, and say what is answered; the exit code."""
    settings = Settings.from_environment()
    database = Database(settings.database("app"), pool_size=1)
    sent = {name_: value for name_, value in given.items() if value != ""}
    sent |= {"by": by, "reason": reason} | ({"key": key} if key else {})
    try:
        client = await connect(settings)
        answer = await correct_purchase(client, database, merchant, number, name, settings.build_id, **sent)
        console.print(escape(answer), highlight=False, soft_wrap=True)
    except Unacceptable as why:
        wrong(f"{why}")
        return 1
    finally:
        await database.close()
    return 0
