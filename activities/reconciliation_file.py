"""The one file of a run: made from the tables, written once under its name."""

import tempfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from domain.money import rounded
from domain.reconciliation_report import Booking, Day, Report, Row, day_of
from domain.reconciliation_report import Unmatched as UnmatchedRow
from domain.reconciliation_report import Waiting as WaitingRow
from domain.reconciling import value_of
from erp import differences, reconciliation_bookings, reconciliation_runs, reconciling, settlements
from erp.database import Session
from erp.merchants import Merchant
from erp.reconciliation_runs import Run


async def report_of(
    session: Session, merchant: Merchant, run: Run, at: datetime, covered_by: int | None = None, booked_to: int | None = None
) -> Report:
    """Everything that the file of a run says, from the tables. `booked_to`: the newest ledger transaction that it may list."""
    # Bookings before the stock's value: what is booked in between is then among what others have booked meanwhile.
    booked = await reconciliation_bookings.bookings_in(session, run, booked_to)
    _, value_after = await reconciling.worth(session, run.merchant, merchant.settings.warehouse)
    found = await differences.found_in(session, run)
    rows = [
        Row(
            row.comparison,
            row.article,
            row.name or "",
            row.warehouse,
            row.ours,
            row.theirs,
            why,
            Decimal(quantity),
            value_of(Decimal(quantity), row.unit_cost),
            document,
            cause or "",
            None if happened is None else datetime.fromisoformat(happened),
        )
        for row in found
        for why, quantity, document, _, cause, happened in row.parts
    ]
    _, value_before = await reconciliation_runs.totals(session, run)
    days = [
        Day(row.day, rounded(row.differing), rounded(row.explained)) for row in await reconciliation_runs.last_days(session, run)
    ]
    if covered_by is None:
        days = [day for day in days if day.on != run.for_date] + [day_of(run.for_date, rows)]
    covers = sorted({run.for_date, *(await reconciliation_runs.covers(session, run))})
    notes = [
        f"Day {day} has no figures of its own in the warehouse and is covered by this run."
        for day in covers
        if day != run.for_date
    ]
    if covered_by is not None:
        notes.append(f"This day is covered by run {covered_by}: {run.held}.")
    return Report(
        run.merchant,
        run.run_no,
        run.kind,
        run.for_date,
        tuple(covers) if covered_by is None else (),
        run.source,
        run.cut_at or at,
        merchant.currency,
        run.articles_read,
        run.ours_only,
        run.theirs_only,
        value_before,
        value_after if run.settles else value_before,
        tuple(rows),
        tuple(
            Booking(
                row.what,
                row.article,
                row.quantity,
                row.value,
                row.account,
                row.reason,
                row.transaction_no,
                row.by_people,
                row.day,
                row.stock_account,
            )
            for row in booked
        ),
        tuple(
            UnmatchedRow(row.side, row.number, row.quantity, row.action) for row in await differences.unmatched_in(session, run)
        ),
        tuple(
            WaitingRow(
                one.settlement_no,
                one.article,
                one.quantity,
                value_of(one.quantity, one.unit_cost),
                one.first_seen_at,
                one.state,
                one.why,
                one.approved_by,
            )
            for one in await settlements.open_settlements(session, run.merchant)
        ),
        tuple(sorted(days, key=lambda day: day.on)[-30:]),
        run.held if covered_by is None else None,
        tuple(notes),
        tuple(_rules(merchant)),
    )


def _rules(merchant: Merchant) -> list[str]:
    """By which rules this run booked, for whoever reads the file years later."""
    rules, currency = merchant.settings.reconciling, merchant.currency
    accounts = ", ".join(f"{cause} {account}" for cause, account in sorted(rules.adjustment_accounts.items()))
    stock = merchant.settings.stock_account
    if not rules.settles:
        return ["This merchant's settings say that a reconciliation books nothing."]
    return [
        "What the warehouse has corrected and given a cause is booked between the stock account"
        f" {stock} and account {rules.adjustment_account}{f' ({accounts})' if accounts else ''}.",
        f"What nobody can explain is booked between {stock} and {rules.unknown_difference_account} when the same figure stood"
        f" in two runs at least {rules.looks_apart_hours} hours apart, is at most {rules.tolerated_pieces} pieces and"
        f" {rules.tolerated_value} {currency}, and at most {rules.tolerated_pieces_per_month} pieces and"
        f" {rules.tolerated_value_per_month} {currency} of that article in a month.",
        f"A run that would change more than {rules.most_percent_of_stock_value} % of the stock value, or find every article gone,"
        " books nothing unknown and asks.",
        f"The rest waits for a person; above {rules.second_person_above_value} {currency} for two.",
    ]


async def covering(session: Session, run: Run) -> int | None:
    """The run that stands for a day of which the warehouse has no figures: today's, which is owed with it."""
    if run.kind != "past" or run.held is None:
        return None
    later = [each for each in await reconciliation_runs.recent_runs(session, run.merchant, 200) if each.kind == "daily"]
    found = [each for each in later if each.for_date > run.for_date]
    return min(found, key=lambda each: each.for_date).run_no if found else None


def write_once(folder: Path, name: str, content: bytes) -> Path:
    """Write a file under its name unless it is there; half a file is never seen under that name."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    if not target.exists() or target.read_bytes() != content:
        # A name of its own for each attempt: two at once would write into what the other has put in place already.
        handle, part = tempfile.mkstemp(suffix=".part", prefix=f".{name}.", dir=folder)
        try:
            with open(handle, "wb") as out:
                out.write(content)
            Path(part).chmod(0o444)
            Path(part).replace(target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    return target
