"""Commands for the accountant: vouchers (verifikationer), and whether stock, ledger and Fortnox are one figure."""

import asyncio
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated

import typer
from rich.table import Table
from sqlalchemy import text
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from domain.vouchers import voucher_key
from erp.database import Database, one, rows
from starters.command import AsJson, MerchantId, console, print_json, run_command, wrong
from starters.known import known
from starters.tie_out import Tied, tied_out
from worker.settings import Settings
from worker.temporal import connect
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

    Exit code 0: done, or still at it after ten seconds (then see the UI). 1: there is no such merchant.
    """
    run_command(_post(merchant))


async def _post(merchant: str) -> int:
    settings = Settings.from_environment()
    await known(settings, merchant)
    booked = await post_now(await connect(settings), merchant)
    if booked is None:
        console.print(f"Under way: the workflow vouchers/{merchant} in the UI says how far.")
    else:
        console.print(f"{booked} voucher{'' if booked == 1 else 's'} booked.")
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
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="The newest so many.")] = 50,
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
        wrong(f"Merchant {merchant} has no voucher {number}.")
        return 1
    print(row.specification, end="")
    return 0


def tie_out_command(
    merchant: MerchantId = "demo",
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="At the end of that accounting day; now without it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Stock ledger, balances and Fortnox's stock account side by side (avstämning), every gap named.

    As of a day it is the stock list of that day (lagerbro cost list) against what Fortnox has booked up to it: what it brought
    into the year, our vouchers, and others that move the account. Each of them is read there, so it takes its time.

    Exit code 0: one figure, apart from what is listed as waiting or foreign. 1: something does not tie.
    """
    run_command(_tie_out(merchant, as_of and as_of.date(), as_json))


async def _tie_out(merchant_id: str, as_of: date | None, as_json: bool) -> int:
    tied = await tied_out(Settings.from_environment(), merchant_id, as_of)
    if as_json:
        told = asdict(tied) | {"gap": tied.gap, "agrees": tied.agrees}
        print_json(told)
    else:
        print_tied(tied)
    return 0 if tied.agrees else 1


def print_tied(tied: Tied) -> None:
    accounts = ", ".join(map(str, tied.accounts))
    when = f" at the end of {tied.as_of}" if tied.as_of else ""
    table = Table("what", "value", title=f"Tie-out of account {accounts}{when}")
    ours = tied.ours
    table.add_row("stock ledger, every entry" if tied.as_of is None else "stock list", f"{ours.ledger:.2f}")
    if tied.as_of is None:
        table.add_row("balances per article", f"{ours.balances:.2f}")
    table.add_row("posted to the account", f"{ours.posted:.2f}")
    table.add_row("  of it in Fortnox, by our vouchers", f"{ours.vouchered:.2f}")
    table.add_row(f"  waiting for a voucher ({ours.waiting_postings} postings)", f"{ours.waiting:.2f}")
    if ours.later:
        table.add_row("  booked on a later day, its own was locked", f"{ours.later:.2f}")
    if ours.opening:
        table.add_row("  opening, held by Fortnox before", f"{ours.opening:.2f}")
    table.add_row("Fortnox, balance of the account", f"{tied.fortnox:.2f}")
    if tied.before and not ours.opening:
        held = "not brought into the year yet, of our earlier vouchers" if tied.not_brought else "held before our vouchers"
        table.add_row(f"  {held}", f"{tied.before:.2f}")
    if tied.lost_between_years:
        table.add_row("  brought into the year otherwise than the year before ended", f"{tied.lost_between_years:.2f}")
    for each in tied.foreign:
        table.add_row(f"  not ours: {each.voucher} of {each.on}, {each.text[:40]}", f"{each.amount:.2f}")
    table.add_row("gap that nothing explains", f"{tied.gap:.2f}")
    console.print(table)
    if tied.agrees:
        waits = ["the waiting is booked"] if ours.waiting_postings else []
        waits += ["Fortnox has brought its balance into the year"] if tied.not_brought and not ours.opening else []
        console.print(f"[green]One figure{' once ' + ' and '.join(waits) if waits else ''}.[/]")
    else:
        wrong("It does not tie: the rows above say where.")
