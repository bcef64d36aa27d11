"""Commands for the accountant: vouchers (verifikationer), and whether stock, ledger and Fortnox are one figure."""

import asyncio
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy import text
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from activities.vouchers import totals
from clients.errors import NotFound
from clients.fortnox import FortnoxClient
from domain.money import ZERO
from domain.vouchers import voucher_key
from erp.database import Database, one, rows
from erp.merchants import Merchant, load_merchant
from erp.vouchers import TieOut, booked_vouchers, tie_out
from starters.command import AsJson, MerchantId, console, print_json, run_command
from worker.settings import Settings
from worker.temporal import connect
from worker.wiring import fortnox_connections
from workflows import attributes, options
from workflows.post_vouchers import PostVouchers

vouchers = typer.Typer(no_args_is_help=True, help="Vouchers that carry the ledger's postings to Fortnox.")


_LIST = text(
    """
    select v.voucher_no, v.accounting_date, v.state, v.booked_on, v.fortnox_series || v.fortnox_number as fortnox, v.fortnox_year,
      (select count(*) from bridge.voucher_posting p where p.merchant_id = v.merchant_id and p.voucher_no = v.voucher_no)
        as postings,
      (select coalesce(sum(r.debit), 0) from bridge.voucher_posting p join erp.posting_row r using (merchant_id, posting_no)
        where p.merchant_id = v.merchant_id and p.voucher_no = v.voucher_no) as amount
    from bridge.voucher v where v.merchant_id = :merchant order by v.voucher_no desc limit :most
    """
)
_SPECIFICATION = text("select specification from bridge.voucher where merchant_id = :merchant and voucher_no = :number")


@vouchers.command("post")
def post(merchant: MerchantId = "demo") -> None:
    """Book what has no voucher yet, now instead of at the daily hour. A run that is under way is left to do it.

    Exit code 0: done, or still at it after ten seconds (then see the UI).
    """
    run_command(_post(merchant))


async def _post(merchant: str) -> int:
    booked = await post_now(await connect(Settings.from_environment()), merchant)
    if booked is None:
        console.print(f"Under way: the workflow vouchers/{merchant} in the UI says how far.")
    else:
        console.print(f"{booked} vouchers booked.")
    await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once
    return 0


async def post_now(client: Client, merchant: str, seconds: float = 10) -> int | None:
    """Have the vouchers booked; how many, or None if that takes longer than `seconds`."""
    handle = await client.start_workflow(
        PostVouchers.run,
        merchant,
        id=f"vouchers/{merchant}",
        task_queue=options.ORDERS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Vouchers of {merchant}",
        search_attributes=attributes.at_start(merchant, merchant, "posting", datetime.now(UTC)),
    )
    try:
        return await asyncio.wait_for(handle.result(), seconds)
    except TimeoutError:
        return None


@vouchers.command("list")
def list_them(
    merchant: MerchantId = "demo",
    most: Annotated[int, typer.Option("--most", help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest vouchers: day, postings, amount, and where each is in Fortnox."""
    run_command(_list(merchant, most, as_json))


async def _list(merchant: str, most: int, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        found = [dict(row._mapping) for row in await rows(session, _LIST, merchant=merchant, most=most)]
    await database.close()
    if as_json:
        print_json(found)
        return 0
    table = Table("voucher", "accounting day", "booked on", "postings", "amount", "in Fortnox", "state")
    for row in found:
        on = "" if row["booked_on"] in (None, row["accounting_date"]) else str(row["booked_on"])
        where = f"{row['fortnox']} (year {row['fortnox_year']})" if row["fortnox"] else ""
        number, day = voucher_key(row["voucher_no"]), str(row["accounting_date"])
        table.add_row(number, day, on, str(row["postings"]), str(row["amount"]), where, row["state"])
    console.print(table if found else f"Merchant {merchant} has no vouchers yet: `lagerbro voucher post` makes them.")
    return 0


@vouchers.command("show")
def show(number: Annotated[int, typer.Argument(help="Our number of the voucher.")], merchant: MerchantId = "demo") -> None:
    """The specification of one voucher, as CSV: every posting in it, row by row.

    Exit code 0: shown. 1: there is no such voucher.
    """
    run_command(_show(merchant, number))


async def _show(merchant: str, number: int) -> int:
    database = Database(Settings.from_environment().database("verify"))
    async with database.everyone() as session:
        row = await one(session, _SPECIFICATION, merchant=merchant, number=number)
    await database.close()
    if row is None:
        console.print(f"[red]Merchant {merchant} has no voucher {number}.[/]")
        return 1
    print(row.specification, end="")
    return 0


@dataclass(frozen=True, slots=True)
class Foreign:
    """A voucher in Fortnox that moves the stock account and is not ours."""

    voucher: str
    on: date
    amount: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class Tied:
    """Both sides of the tie-out. `gap` is what nothing explains: 0.00 or somebody must look."""

    account: int
    ours: TieOut
    fortnox: Decimal
    brought_forward: Decimal
    foreign: list[Foreign] = field(default_factory=list)

    @property
    def gap(self) -> Decimal:
        """Fortnox's balance, less what is explained: our vouchers, what it brought forward, and the foreign vouchers listed."""
        foreign = sum((each.amount for each in self.foreign), ZERO)
        before = ZERO if self.ours.opening else self.brought_forward
        return self.fortnox - self.ours.vouchered - self.ours.opening - before - foreign

    @property
    def agrees(self) -> bool:
        return self.ours.ledger == self.ours.balances == self.ours.posted and self.gap == 0


def tie_out_command(merchant: MerchantId = "demo", as_json: AsJson = False) -> None:
    """Stock ledger, balances and Fortnox's stock account side by side (avstämning), every gap named.

    Exit code 0: one figure, apart from what is listed as waiting or foreign. 1: something does not tie.
    """
    run_command(_tie_out(merchant, as_json))


async def _tie_out(merchant_id: str, as_json: bool) -> int:
    tied = await tied_out(Settings.from_environment(), merchant_id)
    if as_json:
        told = asdict(tied) | {"gap": tied.gap, "agrees": tied.agrees}
        print_json(told)
    else:
        print_tied(tied)
    return 0 if tied.agrees else 1


async def tied_out(settings: Settings, merchant_id: str) -> Tied:
    """The tie-out by connections of its own."""
    database = Database(settings.database("app"), pool_size=2)
    connections = fortnox_connections(database, settings.key_ring(), settings)
    try:
        async with connections.using(merchant_id) as (_, client):
            return await tie(database, client, merchant_id)
    finally:
        await connections.aclose()
        await database.close()


async def tie(database: Database, client: FortnoxClient, merchant_id: str) -> Tied:
    """Read both sides. Vouchers that are not ours are looked for only when the figures differ: each costs a request."""
    async with database.merchant(merchant_id) as session:
        merchant = await load_merchant(session, merchant_id)
        account = merchant.settings.stock_account
        ours = await tie_out(session, merchant_id, account, not merchant.settings.opening_is_in_fortnox)
        known = {
            (row.fortnox_series, row.fortnox_number, row.fortnox_year) for row in await booked_vouchers(session, merchant_id)
        }
    today = merchant.day_of(datetime.now(UTC))
    brought, balance = ZERO, ZERO
    years = await client.financial_years(today)
    for year in years:
        try:
            held = await client.get_account(account, year.year_id)
        except NotFound:
            continue
        brought, balance = held.balance_brought_forward or ZERO, held.balance_carried_forward or ZERO
    tied = Tied(account, ours, balance, brought)
    if tied.gap and years:
        return Tied(account, ours, balance, brought, await _foreign(client, merchant, account, years[0], known))
    return tied


async def _foreign(
    client: FortnoxClient, merchant: Merchant, account: int, year: Any, known: set[tuple[str, int, int]]
) -> list[Foreign]:
    found = []
    for series in await client.voucher_series(year.year_id):
        for hit in await client.list_vouchers(series.code, year.year_id, year.from_date, year.to_date):
            if (hit.voucher_series, hit.voucher_number, year.year_id) in known:
                continue
            voucher = await client.get_voucher(hit.voucher_series, hit.voucher_number, year.year_id)
            debit, credit = totals(voucher).get(account, (ZERO, ZERO))
            if debit != credit:
                name = f"{hit.voucher_series}{hit.voucher_number}"
                found.append(Foreign(name, hit.transaction_date, debit - credit, hit.description or ""))
    return found


def print_tied(tied: Tied) -> None:
    table = Table("what", "value", title=f"Tie-out of account {tied.account}")
    ours = tied.ours
    table.add_row("stock ledger, every entry", f"{ours.ledger:.2f}")
    table.add_row("balances per article", f"{ours.balances:.2f}")
    table.add_row("posted to the account", f"{ours.posted:.2f}")
    table.add_row("  of it in Fortnox, by our vouchers", f"{ours.vouchered:.2f}")
    table.add_row(f"  waiting for a voucher ({ours.waiting_postings} postings)", f"{ours.waiting:.2f}")
    if ours.opening:
        table.add_row("  opening, held by Fortnox before", f"{ours.opening:.2f}")
    table.add_row("Fortnox, balance of the account", f"{tied.fortnox:.2f}")
    for each in tied.foreign:
        table.add_row(f"  not ours: {each.voucher} of {each.on}, {each.text[:40]}", f"{each.amount:.2f}")
    table.add_row("gap that nothing explains", f"{tied.gap:.2f}")
    console.print(table)
    if tied.agrees:
        console.print(
            "[green]One figure.[/]" if not ours.waiting_postings else "[green]One figure once the waiting is booked.[/]"
        )
    else:
        console.print("[red]It does not tie: the rows above say where.[/]")
