"""Commands about returns: announce one as the ERP would, see one, see all that are under way; and credit without goods."""

from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.markup import escape
from sqlalchemy import text
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from domain.corrections import quantity_of
from domain.keys import ReturnKey
from domain.reasons import REASONS
from erp.database import DATABASE_ERRORS, Database, Session, one, rows
from erp.return_overview import return_list, return_overview, standing_of_lines
from starters.cli_orders import orders
from starters.command import AsJson, By, MerchantId, Reason, console, print_json, run_command, said_by, table, wrong
from worker.settings import Settings
from worker.temporal import connect
from workflows.patient import Correction
from workflows.receive_return import ReceiveReturn

returns = typer.Typer(no_args_is_help=True, help="Returns: announce one, see one, see all that are under way, settle one.")

Lines = Annotated[
    list[str] | None,
    typer.Option("--line", "-l", help="LINE:QUANTITY of the order, for each line; without it all that was sent and is not back."),
]
Credited = Annotated[list[str] | None, typer.Option("--line", "-l", help="LINE:QUANTITY of the order, for each line.")]

_ORDER = text("select freight from erp.sales_order where merchant_id = :merchant and order_number = :order")
_RETURN = text(
    """
    insert into erp.return_order (merchant_id, return_number, order_number, origin, status, credit, credit_freight, decided_by,
      decision)
    values (:merchant, :number, :order, :origin, 'announced', :credit, :freight, :by, :reason) on conflict do nothing returning 1
    """
)
_BEFORE = text(
    """
    select r.order_number, r.origin, l.line_number, l.quantity
    from erp.return_order r left join erp.return_order_line l using (merchant_id, return_number)
    where r.merchant_id = :merchant and r.return_number = :number
    """
)
_CANCEL = text(
    """
    update erp.return_order set cancel_requested_at = coalesce(cancel_requested_at, now())
    where merchant_id = :merchant and return_number = :number and status not in ('completed', 'cancelled') returning 1
    """
)
_STATUS = text("select status from erp.return_order where merchant_id = :merchant and return_number = :number")
_LINE = text(
    """
    insert into erp.return_order_line (merchant_id, return_number, line_number, quantity, cause_code)
    values (:merchant, :number, :line, :quantity, :cause)
    """
)


@returns.command("start")
def start(
    number: Annotated[str, typer.Argument(help="Return number; new.")],
    order: Annotated[str, typer.Option("--order", "-o", help="The sales order it comes from.")],
    line: Lines = None,
    cause: Annotated[str | None, typer.Option("--cause", help="Why: a cause of the warehouse.")] = None,
    credit: Annotated[
        bool, typer.Option("--credit/--without-credit", help="Whether what comes back is credited; without: --by and --reason.")
    ] = True,
    by: Annotated[str | None, typer.Option("--by", help="Who decided to credit nothing; it is kept.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why: an exchange, a claim; it is kept.")] = None,
    merchant: MerchantId = "demo",
) -> None:
    """Announce a return, as the ERP would: its process starts by itself within a second.

    Exit code 0: announced, or it was before. 1: there is no such order or line, more comes back than was sent, or the number is
    taken.
    """
    if not credit:
        _decided(by, reason)
    run_command(_write(merchant, number, order, line, "announced", credit=credit, by=by, reason=reason, cause=cause))


@returns.command("cancel")
def cancel(number: Annotated[str, typer.Argument(help="Return number.")], merchant: MerchantId = "demo") -> None:
    """Ask that a return, or a credit that stands still, is expected no more. What has come back stays booked.

    Exit code 0: it is asked for; `lagerbro return show` says what came of it. 1: there is no such return, or it has ended.
    """
    run_command(_cancel(merchant, number))


async def _cancel(merchant: str, number: str) -> int:
    database = Database(Settings.from_environment().database("erp"))
    try:
        async with database.everyone() as session:
            asked = await one(session, _CANCEL, merchant=merchant, number=number)
            there = await one(session, _STATUS, merchant=merchant, number=number)
    except DATABASE_ERRORS as refused:
        wrong(said_by(refused))
        return 1
    finally:
        await database.close()
    if there is None:
        wrong(f"There is no return {number} of merchant {merchant}.")
        return 1
    if asked is None:
        wrong(f"Return {number} of {merchant} is {there.status} already.")
        return 1
    console.print(f"{number} is asked to be cancelled: `lagerbro return show {number}` says what came of it.")
    return 0


@orders.command("credit")
def credit(
    order: Annotated[str, typer.Argument(help="Order number.")],
    number: Annotated[str, typer.Option("--number", "-n", help="A number of its own for this credit: a repeat does nothing.")],
    by: By,
    reason: Reason,
    line: Credited = None,
    freight: Annotated[bool, typer.Option("--freight", help="Credit the freight too.")] = False,
    merchant: MerchantId = "demo",
) -> None:
    """Credit without goods coming back: a claim, a gesture. A decision: who and why are kept.

    With --freight and no --line the freight alone.

    Exit code 0: it is under way, or was before. 1: refused, and the text says why.
    """
    _decided(by, reason)
    if not line and not freight:
        wrong("Name what is credited: --line LINE:QUANTITY, --freight, or both.")
        raise typer.Exit(1)
    run_command(_write(merchant, number, order, line or [], "credit", freight=freight or None, by=by, reason=reason))


def _decided(by: str | None, reason: str | None) -> None:
    if not ((by or "").strip() and (reason or "").strip()):
        wrong("--by and --reason must say who and why: both are kept.")
        raise typer.Exit(1)


async def _write(
    merchant: str,
    number: str,
    order: str,
    lines: list[str] | None,
    origin: str,
    *,
    credit: bool = True,
    freight: bool | None = None,
    by: str | None = None,
    reason: str | None = None,
    cause: str | None = None,
) -> int:
    wanted = _quantities(lines) if lines is not None else None
    database = Database(Settings.from_environment().database("erp"))
    key: dict[str, Any] = {"merchant": merchant, "number": number, "order": order}
    try:
        async with database.everyone() as session:
            known = await one(session, _ORDER, merchant=merchant, order=order)
            if known is None:
                wrong(f"There is no sales order {order} of merchant {merchant}.")
                return 1
            if freight and not known.freight:
                wrong(f"Sales order {order} has no freight that could be credited.")
                return 1
            if await rows(session, _BEFORE, merchant=merchant, number=number):
                return await _there_before(session, key, origin, wanted)
            stand = {row.line_number: _left(row, origin) for row in await standing_of_lines(session, merchant, order)}
            if wanted is None:
                wanted = {line: left for line, (left, _) in stand.items() if left > 0}
                if not wanted:
                    wrong(f"Nothing of sales order {order} is out that is not announced: there is nothing that could come back.")
                    return 1
            too_much = [f"line {at}: {stand[at][1]}" for at, many in wanted.items() if at in stand and many > stand[at][0]]
            if too_much:
                wrong(f"That is more of sales order {order} than can be. {'; '.join(too_much)}.")
                return 1
            header = key | {"origin": origin, "credit": credit, "freight": freight, "by": by, "reason": reason}
            if (await session.execute(_RETURN, header)).one_or_none() is None:
                return await _there_before(session, key, origin, None if lines is None else wanted)
            for line, quantity in wanted.items():
                values = {"merchant": merchant, "number": number, "line": line, "quantity": quantity, "cause": cause}
                await session.execute(_LINE, values)
    except DATABASE_ERRORS as refused:
        wrong(said_by(refused))
        return 1
    finally:
        await database.close()
    said = "is announced" if origin == "announced" else "is decided, and the credit under way"
    console.print(f"{number} {said}: `lagerbro return show {number}` shows how it goes.")
    return 0


def _left(row: Any, origin: str) -> tuple[Decimal, str]:
    """How many pieces of a line can come back, or be credited, at most; and the words for it."""
    goods = origin == "announced"
    done, under_way = (row.back, row.coming) if goods else (row.credited, row.crediting)
    left = max(row.sent - done - under_way, Decimal(0))
    sent, before, coming, most = (f"{number.normalize():f}" for number in (row.sent, done, under_way, left))
    words = f"{before} are back, {coming} more are announced" if goods else f"{before} are credited, {coming} more are to be"
    return (
        left,
        f"{'at most ' + most if left else 'none'} can {'come back' if goods else 'be credited'} ({sent} were sent, {words})",
    )


async def _there_before(session: Session, key: dict[str, Any], origin: str, wanted: dict[int, Decimal] | None) -> int:
    """The number is taken: by this very return, or by another, which the person must know."""
    number = key["number"]
    found = await rows(session, _BEFORE, merchant=key["merchant"], number=number)
    lines = {row.line_number: row.quantity for row in found if row.line_number is not None}
    if (found[0].order_number, found[0].origin) == (key["order"], origin) and wanted in (None, lines):
        console.print(f"{number} was there before: `lagerbro return show {number}` shows it.")
        return 0
    what = "a credit" if found[0].origin == "credit" else "a return"
    console.print(
        f"[red]{number} is {what} of order {found[0].order_number} already, not this one. Take a new number;"
        f" `lagerbro return show {number}` shows the other.[/]"
    )
    return 1


def _quantities(lines: list[str]) -> dict[int, Decimal]:
    wanted: dict[int, Decimal] = {}
    for each in lines:
        line, _, quantity = each.partition(":")
        pieces = quantity_of(quantity)
        if not line.strip().isdecimal() or not pieces:
            wrong(f"--line {each!r}: write LINE:QUANTITY, as in 1:2; a quantity above zero, at most 4 decimals.")
            raise typer.Exit(1)
        number = int(line)
        if number in wanted:
            wrong(f"--line {each!r}: line {number} is named twice. Say its whole quantity once.")
            raise typer.Exit(1)
        wanted[number] = pieces
    return wanted


@returns.command("show")
def show(
    number: Annotated[str, typer.Argument(help="Return number.")], merchant: MerchantId = "demo", as_json: AsJson = False
) -> None:
    """Everything that belongs to one return: lines, what came back and why, credits, what stands still.

    Exit code 0: shown. 1: there is no such return.
    """
    run_command(_show(merchant, number, as_json))


async def _show(merchant: str, number: str, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = await return_overview(session, merchant, number)
    await database.close()
    if found is None:
        wrong(f"There is no return {number} of merchant {merchant}.")
        return 1
    if as_json:
        print_json(found)
        return 0
    console.print(f"[bold]{number}[/] of order {found['order_number']}, {found['origin']}: [bold]{found['status']}[/]")
    if found["decision"]:
        console.print(f"Decided by {found['decided_by']}: {found['decision']}", highlight=False)
    for row in found["exceptions"]:
        if row["closed_at"] is None:
            reason = REASONS[row["code"]]
            console.print(
                f"[red]{row['code']}[/] since {row['opened_at']:%Y-%m-%d %H:%M}: {escape(row['detail'])}", highlight=False
            )
            console.print(f"  {reason.sentence} Who acts: {reason.who}. What to do: {reason.remedy}", highlight=False)
    for name in ("lines", "came_back", "credits", "processes"):
        if found[name]:
            console.print(table(name.replace("_", " "), found[name]))
    return 0


@returns.command("list")
def listed(
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant; all without it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Completed and cancelled returns too.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="How many rows at the most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Returns under way, the last changed first, and why some stand still. Exit code 0."""
    run_command(_listed(merchant, everything, most, as_json))


async def _listed(merchant: str | None, everything: bool, most: int, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = await return_list(session, merchant, everything, most)
    await database.close()
    if as_json:
        print_json(found)
    elif found:
        console.print(table("returns", found))
    else:
        console.print("No returns under way.")
    return 0


@returns.command("retry")
def retry(
    number: Annotated[str, typer.Argument(help="Return number.")], by: By, reason: Reason, merchant: MerchantId = "demo"
) -> None:
    """Try again what stands still. Exit code 0: it is tried again. 1: it does not stand still, or is not there."""
    run_command(_update(merchant, number, ReceiveReturn.retry_now, by, reason))


@returns.command("settle")
def settle(
    number: Annotated[str, typer.Argument(help="Return number.")], by: By, reason: Reason, merchant: MerchantId = "demo"
) -> None:
    """Do not credit what came back and is not credited yet: an exchange, a claim. A decision: who and why are kept.

    Exit code 0: it is settled. 1: there is no such return under way.
    """
    run_command(_update(merchant, number, ReceiveReturn.settle_without_credit, by, reason))


async def _update(merchant: str, number: str, update: Any, by: str, reason: str) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = await return_overview(session, merchant, number)
    await database.close()
    if found is None:
        wrong(f"There is no return {number} of merchant {merchant}.")
        return 1
    running = [process for process in found["processes"] if process["ended_at"] is None]
    if not running:
        wrong(f"Return {number} of {merchant} is {found['status']}: it has no running process.")
        return 1
    return await decide(ReturnKey(merchant, number, running[-1]["run"]).workflow_id, update, by, reason)


async def decide(workflow_id: str, update: Any, by: str, reason: str) -> int:
    """Send a person's decision to a process, and say what it answers."""
    if not (by.strip() and reason.strip()):
        wrong("--by and --reason must say who and why: both are kept.")
        return 1
    handle = (await connect(Settings.from_environment())).get_workflow_handle(workflow_id)
    try:
        console.print(await handle.execute_update(update, Correction(by, reason)))
    except WorkflowUpdateFailedError as refused:
        wrong(f"{refused.cause}")
        return 1
    except RPCError as error:
        wrong(f"Temporal: {error.message}")
        return 1
    return 0
