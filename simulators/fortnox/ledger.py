"""The general ledger: years, series, accounts, the lock, and the one way a voucher comes to be.

A voucher that another document causes (invoice, payment) and one that a client posts go through the same `book`, so
balances are always the sum of the vouchers.
"""

import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simulators.fortnox import refusals
from simulators.fortnox.call import Call
from simulators.fortnox.clock import real_seconds
from simulators.fortnox.documents import chosen
from simulators.fortnox.wire import HERE, ZERO, Fields, from_ore, ore, write_json

VOUCHER_BRIEF = (
    "@url",
    "ApprovalState",
    "Comments",
    "Description",
    "ReferenceNumber",
    "ReferenceType",
    "TransactionDate",
    "VoucherNumber",
    "VoucherSeries",
    "Year",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a voucher: debit positive, credit negative, in SEK."""

    account: int
    amount: Decimal
    cost_center: str = ""
    project: str = ""
    information: str = ""
    description: str = ""
    quantity: Decimal = ZERO
    credit_side: bool | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A voucher about to be booked."""

    year: int
    series: str
    date: str
    description: str
    rows: list[Row]
    comments: str = ""
    reference_type: str = "MANUAL"
    reference: str = ""
    cost_center: str = ""
    project: str = ""


def year_of(call: Call, day: str) -> sqlite3.Row | None:
    """Return the financial year that a day falls in."""
    return call.store.one(
        "SELECT * FROM year WHERE tenant = ? AND from_date <= ? AND to_date >= ? ORDER BY id LIMIT 1", call.tenant, day, day
    )


def year_for_booking(call: Call, day: str) -> sqlite3.Row:
    year = year_of(call, day)
    if year is None:
        raise refusals.invalid(call.knobs.code("noFinancialYear"), "Räkenskapsår saknas för valt datum.")
    return year


def year_asked(call: Call) -> sqlite3.Row:
    """Return the year a request means: by id, by a date inside it, or the preselected one."""
    number = call.integer("financialyear")
    if number is not None:
        found = call.store.one("SELECT * FROM year WHERE tenant = ? AND id = ?", call.tenant, number)
    elif day := call.query.get("financialyeardate"):
        found = year_of(call, day)
    else:
        found = preselected(call)
    if found is None:
        raise refusals.invalid(call.knobs.code("noFinancialYear"), "Räkenskapsår saknas för valt datum.")
    return found


def preselected(call: Call) -> sqlite3.Row | None:
    wanted: Any = call.knobs["preselectedYear"]
    if wanted == "today":
        return year_of(call, call.today)
    if isinstance(wanted, int):
        return call.store.one("SELECT * FROM year WHERE tenant = ? AND id = ?", call.tenant, wanted)
    return call.store.one("SELECT * FROM year WHERE tenant = ? ORDER BY to_date DESC LIMIT 1", call.tenant)


def refuse_locked(call: Call, day: str) -> None:
    """Refuse to book anything dated in the locked period."""
    until = call.store.value("SELECT locked_until FROM company WHERE tenant = ?", call.tenant)
    if until is not None and day <= until:
        raise refusals.invalid(2000401, f"Administratören har låst perioden t.o.m. {until}. Lås upp perioden för att fortsätta.")


def account_of(call: Call, year: int, number: int) -> sqlite3.Row | None:
    return call.store.one("SELECT * FROM account WHERE tenant = ? AND year = ? AND number = ?", call.tenant, year, number)


def usable_account(call: Call, year: int, number: int, absent: int = 2000423) -> sqlite3.Row:
    """Return an account that exists and is active in the year, or refuse."""
    found = account_of(call, year, number)
    if found is None:
        raise refusals.invalid(absent, "Kan inte hitta kontot." if absent == 2000423 else f"Kunde inte hitta konto {number}")
    if not found["active"]:
        raise refusals.invalid(2000550, f'Konto "{number}" är inte aktivt.')
    return found


def predefined_account(call: Call, name: str) -> int:
    found = call.store.value("SELECT value FROM predefined WHERE tenant = ? AND kind = 'account' AND name = ?", call.tenant, name)
    if found is None:
        raise refusals.invalid(2001403, "Kan inte hitta det fördefinierade kontot.")
    return int(found)


def predefined_series(call: Call, name: str) -> str:
    found = call.store.value("SELECT value FROM predefined WHERE tenant = ? AND kind = 'series' AND name = ?", call.tenant, name)
    return str(found or "A")


def series_of(call: Call, year: int, code: str) -> sqlite3.Row:
    found = call.store.one("SELECT * FROM series WHERE tenant = ? AND year = ? AND code = ?", call.tenant, year, code)
    if found is None:
        raise refusals.invalid(call.knobs.code("unknownSeries"), "Ogiltig verifikationsserie angiven.")
    return found


def book(call: Call, entry: Entry) -> Fields:
    """Number, store and post a balanced voucher; move the balances of its accounts. Refuses what is locked or inactive."""
    refuse_locked(call, entry.date)
    series_of(call, entry.year, entry.series)
    if sum(ore(row.amount) for row in entry.rows) != 0:
        raise refusals.invalid(call.knobs.code("unbalancedVoucher"), "Verifikationen är inte balanserad.")
    described = [(row, usable_account(call, entry.year, row.account)["description"]) for row in entry.rows]
    number = int(
        call.store.value(
            "UPDATE series SET next = next + 1 WHERE tenant = ? AND year = ? AND code = ? RETURNING next - 1",
            call.tenant, entry.year, entry.series,
        )
    )  # fmt: skip
    voucher = {
        "@url": f"{HERE}/3/vouchers/{entry.series}/{number}?financialyear={entry.year}",
        "Comments": entry.comments,
        "CostCenter": entry.cost_center,
        "Description": entry.description,
        "Project": entry.project,
        "ReferenceNumber": entry.reference,
        "ReferenceType": entry.reference_type,
        "TransactionDate": entry.date,
        "VoucherNumber": number,
        "VoucherRows": [_written(row, name) for row, name in described],
        "VoucherSeries": entry.series,
        "Year": entry.year,
        "ApprovalState": 0,
    }
    moment = real_seconds()
    call.store.run(
        "INSERT INTO voucher VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,NULL)",
        call.tenant, entry.year, entry.series, number, entry.date, entry.reference_type, entry.reference, entry.cost_center,
        write_json(voucher), write_json(chosen(voucher, VOUCHER_BRIEF)), call.stamp, moment, moment,
    )  # fmt: skip
    call.store.run_many(
        "UPDATE account SET moved = moved + ? WHERE tenant = ? AND year = ? AND number = ?",
        [(ore(row.amount), call.tenant, entry.year, row.account) for row in entry.rows],
    )
    call.note("voucher", f"{entry.series}/{number}/{entry.year}", entry.comments or entry.reference)
    return voucher


def account_fields(row: sqlite3.Row) -> Fields:
    """Return an account as a single GET shows it."""
    return {
        "@url": f"{HERE}/3/accounts/{row['number']}?financialyear={row['year']}",
        "Active": bool(row["active"]),
        "BalanceBroughtForward": from_ore(row["opening"]),
        "BalanceCarriedForward": from_ore(row["opening"] + row["moved"]),
        "CostCenter": row["cost_center"],
        "CostCenterSettings": row["cost_center_rule"],
        "Description": row["description"],
        "Number": row["number"],
        "OpeningQuantities": [],
        "Project": row["project"],
        "ProjectSettings": row["project_rule"],
        "QuantitySettings": "ALLOWED",
        "QuantityUnit": "",
        "SRU": row["sru"],
        "TransactionInformation": row["information"],
        "TransactionInformationSettings": row["information_rule"],
        "VATCode": row["vat_code"],
        "Year": row["year"],
    }


def _written(row: Row, account_name: str) -> Fields:
    on_credit = row.amount < 0 if row.credit_side is None else row.credit_side
    return {
        "Account": row.account,
        "CostCenter": row.cost_center,
        "Credit": -row.amount if on_credit else ZERO,
        "Description": row.description or account_name,
        "Debit": ZERO if on_credit else row.amount,
        "Project": row.project,
        "Removed": False,
        "TransactionInformation": row.information,
        "Quantity": row.quantity,
    }
