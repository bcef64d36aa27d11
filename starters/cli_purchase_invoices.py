"""Commands about what purchases cost: their supplier invoices and who decides about them, landed costs, returns to suppliers, and
what is received and not invoiced."""

import getpass
import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer
from sqlalchemy import text

from domain.corrections import quantity_of
from domain.errors import Refused
from domain.flows import SUPPLIER_INVOICES
from domain.purchase_corrections import PurchaseName
from erp.database import DATABASE_ERRORS, Database, one, rows
from erp.flows import ask_to_run
from erp.merchants import load_merchant
from erp.people import audit
from erp.purchase_overview import purchase_overview
from erp.supplier_invoices import nudge
from erp.uninvoiced import uninvoiced
from starters.cli_purchases import corrected, purchases
from starters.command import AsJson, By, MerchantId, Reason, console, print_json, run_command, said_by, table, wrong
from worker.settings import Settings
from workflows.purchase_corrections import AboutInvoice

__all__ = ["purchases"]

_LIST = text(
    """
    select s.merchant_id, s.fortnox_number, s.supplier_number, s.invoice_number, s.purchase_order_number, s.currency,
      coalesce(l.value, 0) as value, s.state, s.match_state, s.why
    from erp.supplier_invoice s
    left join lateral (select sum(value) as value from erp.supplier_invoice_line l
      where l.merchant_id = s.merchant_id and l.fortnox_number = s.fortnox_number and l.version = s.version) as l on true
    where (cast(:merchant as text) is null or s.merchant_id = :merchant) and (:all or s.state not in ('booked', 'cancelled'))
    order by s.state_at desc limit :most
    """
)
_LANDED = text(
    """
    insert into erp.landed_cost (merchant_id, landed_cost_number, purchases, amount, allocation_key, parts, account, cost_date,
      entered_by, reason, corrects)
    values (:merchant, :number, cast(:purchases as text[]), :amount, :how, cast(:parts as jsonb), cast(:account as int),
      coalesce(cast(:on as date), current_date), :by, :reason, :corrects) on conflict do nothing returning 1
    """
)
_RETURN = text(
    """
    insert into erp.supplier_return (merchant_id, supplier_return_number, purchase_order_number, article_number, quantity,
      entered_by, reason)
    values (:merchant, :number, :purchase, :article, :quantity, :by, :reason) on conflict do nothing returning 1
    """
)
_SAME_COST = text(
    """
    select 1 from erp.landed_cost where merchant_id = :merchant and landed_cost_number = :number
      and purchases = cast(:purchases as text[]) and amount = :amount and allocation_key = :how
      and parts is not distinct from cast(:parts as jsonb) and account is not distinct from cast(:account as int)
      and cost_date = coalesce(cast(:on as date), cost_date) and corrects is not distinct from cast(:corrects as text)
    """
)
_SAME_RETURN = text(
    """
    select 1 from erp.supplier_return where merchant_id = :merchant and supplier_return_number = :number
      and purchase_order_number = :purchase and article_number = :article and quantity = :quantity
    """
)
KEYS = ("value", "weight", "volume", "quantity", "equal")
Purchase = Annotated[str, typer.Argument(help="Purchase order number.")]


@purchases.command("invoices")
def invoices(
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant; all without it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Booked and cancelled ones too.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="How many rows at the most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Supplier invoices that concern purchases: what waits, for what, and what is booked with --all. Exit code 0."""
    run_command(_invoices(merchant, everything, most, as_json))


async def _invoices(merchant: str | None, everything: bool, most: int, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        listed = await rows(session, _LIST, merchant=merchant, all=everything, most=most)
    await database.close()
    found = [dict(row._mapping) for row in listed]
    if as_json:
        print_json(found)
    elif found:
        console.print(table("supplier invoices", found))
    else:
        console.print("No supplier invoices wait.")
    return 0


@purchases.command("match")
def match(number: Purchase, merchant: MerchantId = "demo") -> None:
    """Match the invoices of a purchase order now: Fortnox is asked for what is new, and what names the purchase order is matched.

    Exit code 0: it is under way; a process that has ended gets another run. 1: there is no such purchase order, or the merchant
    matches no supplier invoices.
    """
    run_command(_match(merchant, number))


async def _match(merchant: str, number: str) -> int:
    if await _found(merchant, number) is None:
        return 1
    database = Database(Settings.from_environment().database("app"))
    try:
        async with database.merchant(merchant) as session:
            if not (await load_merchant(session, merchant)).settings.match_supplier_invoices:
                wrong(f"Merchant {merchant} matches no supplier invoices: set match_supplier_invoices in its settings first.")
                return 1
            await nudge(session, merchant, [number])
        try:
            async with database.merchant(merchant) as session:
                await ask_to_run(session, merchant, SUPPLIER_INVOICES, getpass.getuser(), f"purchase match {number}")
            reads = "Fortnox is asked for new supplier invoices within seconds"
        except Refused as off:
            reads = f"Nothing new is read from Fortnox ({off}); what is read already is matched"
    finally:
        await database.close()
    console.print(f"{reads}. `lagerbro purchase show {number}` shows what came of it.", highlight=False)
    return 0


@purchases.command("approve")
def approve(
    number: Purchase,
    invoice: Annotated[int, typer.Option("--invoice", "-i", help="The supplier invoice's number in Fortnox.")],
    by: By,
    reason: Reason,
    reject: Annotated[bool, typer.Option("--reject", help="It must not be booked as it is.")] = False,
    key: Annotated[str, typer.Option("--key", help="Your own key: the same one is done once.")] = "",
    merchant: MerchantId = "demo",
) -> None:
    """Decide about a supplier invoice that differs: book it as it is, or --reject it. Who and why are kept.

    Above the merchant's second_person_above another person must say yes: `purchase correct NUMBER approve_correction --key KEY`.
    Exit code 0: it is decided, or waits for a second person. 1: nothing waits for a decision there, or it can only be mended.
    """
    run_command(_approve(merchant, number, AboutInvoice(invoice, by, reason, key), reject))


async def _approve(merchant: str, number: str, about: AboutInvoice, reject: bool) -> int:
    if await _found(merchant, number) is None:
        return 1
    name = PurchaseName.REJECT if reject else PurchaseName.APPROVE
    return await corrected(merchant, number, name.value, about.by, about.reason, about.key, {"invoice": about.invoice})


async def _found(merchant: str, number: str) -> dict[str, Any] | None:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = await purchase_overview(session, merchant, number)
    await database.close()
    if found is None:
        wrong(f"There is no purchase order {number} of merchant {merchant}.")
    return found


@purchases.command("landed-cost")
def landed_cost(
    number: Annotated[str, typer.Argument(help="A number for the cost; new.")],
    purchase: Annotated[list[str], typer.Option("--purchase", "-p", help="A purchase order that it brought home; repeat.")],
    amount: Annotated[str, typer.Option("--amount", "-a", help="Without VAT, in the books' currency.")],
    by: By,
    reason: Reason,
    how: Annotated[str, typer.Option("--key", help="value, weight, volume, quantity or equal.")] = "value",
    part: Annotated[list[str] | None, typer.Option("--part", help="By hand: PURCHASE/RECEIPT/ROW=AMOUNT; repeat.")] = None,
    account: Annotated[int | None, typer.Option("--account", help="Where it is booked; landed_cost_account without it.")] = None,
    on: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Its accounting day; today without it.")
    ] = None,
    corrects: Annotated[
        str | None, typer.Option("--corrects", help="The booked landed cost that this corrects: its amount may be below zero.")
    ] = None,
    merchant: MerchantId = "demo",
) -> None:
    """Lay freight, customs or insurance on what it brought home: what is here becomes dearer, and what is sold did.

    Exit code 0: entered, or it was before. 1: the number is taken by another, or it is refused as written.
    """
    try:
        parts = {place: str(Decimal(given)) for place, given in (each.rsplit("=", 1) for each in part or [])}
        cost = Decimal(amount)
        if not cost.is_finite():
            raise ValueError
    except (ValueError, InvalidOperation):
        wrong("--amount is a number, and --part is PURCHASE/RECEIPT/ROW=AMOUNT, as in PO-1/1/2=120.50.")
        raise typer.Exit(1) from None
    if cost <= 0 and not corrects:
        wrong(
            f"--amount {amount}: a landed cost is above zero. What was too much of an earlier one is taken back with --corrects"
            " and its number; a supplier's credit note is read from Fortnox by itself."
        )
        raise typer.Exit(1)
    if how not in KEYS:
        wrong(f"--key {how!r} is none; there are {', '.join(KEYS)}.")
        raise typer.Exit(1)
    values = {
        "number": number,
        "purchases": purchase,
        "amount": cost,
        "how": "hand" if parts else how,
        "parts": json.dumps(parts) if parts else None,
        "account": account,
        "on": on and on.date(),
        "corrects": corrects,
    }
    run_command(_enter(_LANDED, _SAME_COST, merchant, number, values, by, reason))


@purchases.command("return")
def send_back(
    number: Annotated[str, typer.Argument(help="A number for the return; new.")],
    purchase: Annotated[str, typer.Option("--purchase", "-p", help="The purchase order they came on.")],
    article: Annotated[str, typer.Option("--article", help="Article number.")],
    quantity: Annotated[str, typer.Option("--quantity", "-q", help="How many go back.")],
    by: By,
    reason: Reason,
    merchant: MerchantId = "demo",
) -> None:
    """Goods go back to the supplier: they leave at the average of today, and their credit note is awaited.

    Exit code 0: entered, or it was before. 1: the number is taken by another, or it is refused as written.
    """
    many = quantity_of(quantity)
    if not many:
        wrong(f"--quantity {quantity!r} is not a number above zero with at most 4 decimals.")
        raise typer.Exit(1)
    values = {"number": number, "purchase": purchase, "article": article, "quantity": many}
    run_command(_enter(_RETURN, _SAME_RETURN, merchant, number, values, by, reason))


async def _enter(statement: Any, same: Any, merchant: str, number: str, values: dict[str, Any], by: str, reason: str) -> int:
    if not (by.strip() and reason.strip()):
        wrong("--by and --reason must say who and why: both are kept.")
        return 1
    database = Database(Settings.from_environment().database("erp"))
    try:
        async with database.everyone() as session:
            key = {"merchant": merchant, "by": by, "reason": reason}
            made = (await session.execute(statement, values | key)).one_or_none()
            repeated = made is None and await one(session, same, merchant=merchant, **values) is not None
    except DATABASE_ERRORS as refused:
        wrong(said_by(refused))
        return 1
    finally:
        await database.close()
    if made is None and not repeated:
        wrong(f"{number} was entered before, and says something else. Take a new number; nothing is changed.")
        return 1
    console.print(f"{number} is entered." if made else f"{number} was entered before; nothing is changed.")
    return 0


@purchases.command("uninvoiced")
def uninvoiced_list(
    as_of: Annotated[
        datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="Accounting day; today without it.")
    ] = None,
    merchant: MerchantId = "demo",
    as_json: AsJson = False,
) -> None:
    """Goods received and not invoiced as of a day, oldest first, with the account that they tie to.

    Exit code 0: the list ties to the account. 1: there is a gap, or no account is set.
    """
    run_command(_uninvoiced(merchant, as_of, as_json))


async def _uninvoiced(merchant: str, as_of: datetime | None, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    day = (as_of or datetime.now(UTC)).date()
    async with database.everyone() as session:
        found = await uninvoiced(session, merchant, day)
    await database.close()
    if found is None:
        wrong(f"Merchant {merchant} has no goods_received_not_invoiced_account in its settings.")
        return 1
    if as_json:
        sums = {"account": found.account, "as_of": day, "value": found.value, "claimed": found.claimed}
        sums |= {"on_account": found.on_account, "unmatched": found.unmatched, "gap": found.gap, "by_age": found.by_age}
        print_json(sums | {"rows": found.rows})
        return 1 if found.gap else 0
    if found.rows:
        console.print(table(f"received and not invoiced as of {day}", found.rows))
    ages = ", ".join(f"{name} {value}" for name, value in found.by_age.items())
    console.print(f"Open: [bold]{found.value}[/]{' (' + ages + ')' if ages else ''}. Claims on the supplier: {found.claimed}.")
    console.print(
        f"Account {found.account} with the invoices that are matched: {found.on_account}. Not matched: {found.unmatched}."
    )
    console.print("It ties." if not found.gap else f"[bold red]Gap: {found.gap}[/]")
    return 1 if found.gap else 0


_WITHDRAW = {
    "landed cost": text(
        "delete from erp.landed_cost where merchant_id = :merchant and landed_cost_number = :number returning 1 as gone"
    ),
    "return": text(
        "delete from erp.supplier_return where merchant_id = :merchant and supplier_return_number = :number returning 1 as gone"
    ),
}


@purchases.command("withdraw")
def withdraw(
    number: Annotated[str, typer.Argument(help="The number of a landed cost or of a return to the supplier.")],
    by: By,
    reason: Reason,
    merchant: MerchantId = "demo",
) -> None:
    """Take back a landed cost or a return to the supplier that was entered and is not booked: it stands in nothing's way then.

    Exit code 0: withdrawn. 1: there is none of that number, or it is booked.
    """
    run_command(_withdraw(merchant, number, by, reason))


async def _withdraw(merchant: str, number: str, by: str, reason: str) -> int:
    if not (by.strip() and reason.strip()):
        wrong("--by and --reason must say who and why: both are kept.")
        return 1
    database = Database(Settings.from_environment().database("erp"))
    gone = []
    try:
        async with database.everyone() as session:
            gone = [
                what for what, statement in _WITHDRAW.items() if await rows(session, statement, merchant=merchant, number=number)
            ]
    except DATABASE_ERRORS as refused:
        wrong(said_by(refused))
        return 1
    finally:
        await database.close()
    if not gone:
        wrong(f"There is no landed cost and no return to a supplier {number} of merchant {merchant}.")
        return 1
    ours = Database(Settings.from_environment().database("app"))
    async with ours.merchant(merchant) as session:
        await audit(session, merchant, by, "withdraw", "purchase-cost", number, reason)
    await ours.close()
    console.print(f"{number} ({' and '.join(gone)}) is withdrawn.")
    return 0
