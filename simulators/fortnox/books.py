"""The ledger over the API: financial years, accounts, voucher series, vouchers."""

from typing import Any

from simulators.fortnox import company, ledger, lists
from simulators.fortnox.call import Call
from simulators.fortnox.documents import chosen, seen
from simulators.fortnox.fields import Spec, boolean, choice, day, integer, nested, number, read, read_only, rows, text
from simulators.fortnox.refusals import bad_identifier, invalid, missing
from simulators.fortnox.wire import HERE, ZERO, Answer, Fields, enveloped, ore, places, to_ore, write_json

_RULES = ("ALLOWED", "MANDATORY", "NOTALLOWED")

YEAR_SPEC: Spec = {
    **read_only("@url", "Id"),
    "FromDate": day(),
    "ToDate": day(),
    "AccountingMethod": choice("ACCRUAL", "CASH"),
    "AccountChartType": text(),
}
ACCOUNT_SPEC: Spec = {
    **read_only("@url", "BalanceCarriedForward", "QuantitySettings", "QuantityUnit", "Year"),
    "Active": boolean(),
    "BalanceBroughtForward": number(),
    "CostCenter": text(),
    "CostCenterSettings": choice(*_RULES),
    "Description": text(200, shortest=1),
    "Number": integer(1000, 9999),
    "OpeningQuantities": rows({"Balance": integer(), "Project": text()}),
    "Project": text(),
    "ProjectSettings": choice(*_RULES),
    "SRU": integer(),
    "TransactionInformation": text(),
    "TransactionInformationSettings": choice(*_RULES),
    "VATCode": text(),
}
SERIES_SPEC: Spec = {
    **read_only("@url", "NextVoucherNumber", "Year"),
    "Approver": nested({"Id": integer(), "Name": text()}),
    "Code": text(10, shortest=1),
    "Description": text(200),
    "Manual": boolean(),
}
VOUCHER_SPEC: Spec = {
    **read_only("@url", "VoucherNumber", "ReferenceNumber", "ReferenceType", "ApprovalState"),
    "Comments": text(1000),
    "CostCenter": text(),
    "Description": text(200, shortest=1),
    "Project": text(),
    "TransactionDate": day(),
    "VoucherRows": rows(
        {
            **read_only("Removed"),
            "Account": integer(1000, 9999),
            "CostCenter": text(),
            "Credit": number(),
            "Debit": number(),
            "Description": text(),
            "Project": text(),
            "Quantity": number(),
            "TransactionInformation": text(100),
        }
    ),
    "VoucherSeries": text(10),
    "Year": integer(),
}
_ACCOUNT_BRIEF = (
    "@url",
    "Active",
    "BalanceBroughtForward",
    "CostCenter",
    "CostCenterSettings",
    "Description",
    "Number",
    "Project",
    "ProjectSettings",
    "SRU",
    "VATCode",
    "Year",
)
_ACCOUNT_COLUMNS = {
    "Active": "active",
    "CostCenter": "cost_center",
    "CostCenterSettings": "cost_center_rule",
    "Description": "description",
    "Project": "project",
    "ProjectSettings": "project_rule",
    "SRU": "sru",
    "TransactionInformation": "information",
    "TransactionInformationSettings": "information_rule",
    "VATCode": "vat_code",
}
_BLANK_ACCOUNT: Fields = {
    "Active": True,
    "CostCenterSettings": "ALLOWED",
    "ProjectSettings": "ALLOWED",
    "TransactionInformationSettings": "ALLOWED",
    "SRU": 0,
}


# Financial years


def list_years(call: Call) -> Answer:
    day_asked = call.query.get("date") or call.query.get("financialyeardate")
    years = call.store.all("SELECT * FROM year WHERE tenant = ? ORDER BY id", call.tenant)
    wanted = [year for year in years if not day_asked or year["from_date"] <= day_asked <= year["to_date"]]
    return lists.page_of(call, "FinancialYears", [write_json(_year(year)) for year in wanted])


def get_year(call: Call, key: str) -> Answer:
    found = call.store.one("SELECT * FROM year WHERE tenant = ? AND id = ?", call.tenant, _identifier(key))
    if found is None:
        raise missing(call.knobs.code("noFinancialYear"), "Kan inte hitta räkenskapsåret.")
    return enveloped("FinancialYear", write_json(_year(found)))


def create_year(call: Call) -> Answer:
    sent = read(YEAR_SPEC, call.envelope("FinancialYear"), call.knobs)
    if not sent.get("FromDate") or not sent.get("ToDate"):
        raise invalid(2001795, "Obligatoriska fält saknas.")
    number_now = open_year(call, sent["FromDate"], sent["ToDate"], sent.get("AccountingMethod"))
    answer = get_year(call, str(number_now))
    answer.status = 201
    return answer


def open_year(call: Call, start: str, end: str, method: str | None) -> int:
    """Open a year with the accounts and series of the year before; years may not overlap."""
    overlap = call.store.value("SELECT 1 FROM year WHERE tenant = ? AND from_date <= ? AND to_date >= ?", call.tenant, end, start)
    if overlap or start >= end:
        raise invalid(call.knobs.code("yearOverlaps"), "Räkenskapsåret överlappar ett annat räkenskapsår.")
    before = call.store.value("SELECT id FROM year WHERE tenant = ? ORDER BY to_date DESC LIMIT 1", call.tenant)
    number_now = company.add_year(call, start, end, method or str(company.described(call)["accountingMethod"]), copy_from=before)
    call.note("financialyear", number_now)
    return number_now


# Accounts


def list_accounts(call: Call) -> Answer:
    year = ledger.year_asked(call)
    rule, values = "tenant = ? AND year = ?", [call.tenant, year["id"]]
    if since := call.query.get("lastmodified"):
        rule, values = f"{rule} AND modified >= ?", [*values, since]
    if (sru := call.integer("sru")) is not None:
        rule, values = f"{rule} AND sru = ?", [*values, sru]
    found = call.store.all(f"SELECT * FROM account WHERE {rule} ORDER BY number", *values)
    return lists.page_of(call, "Accounts", [write_json(chosen(ledger.account_fields(row), _ACCOUNT_BRIEF)) for row in found])


def get_account(call: Call, key: str) -> Answer:
    found = ledger.account_of(call, ledger.year_asked(call)["id"], _identifier(key))
    if found is None:
        raise missing(2000423, "Kan inte hitta kontot.")
    return enveloped("Account", write_json(ledger.account_fields(found)))


def create_account(call: Call) -> Answer:
    year = ledger.year_asked(call)["id"]
    sent = read(ACCOUNT_SPEC, call.envelope("Account"), call.knobs)
    if not sent.get("Number") or not sent.get("Description"):
        raise invalid(2001795, "Obligatoriska fält saknas.")
    if ledger.account_of(call, year, sent["Number"]) is not None:
        raise invalid(call.knobs.code("accountExists"), "Kontot finns redan.")
    call.store.run(
        "INSERT INTO account (tenant, year, number, description, modified) VALUES (?, ?, ?, ?, ?)",
        call.tenant, year, sent["Number"], sent["Description"], call.stamp,
    )  # fmt: skip
    change_account(call, year, sent["Number"], sent)
    answer = enveloped("Account", write_json(_account(call, year, sent["Number"])), 201)
    answer.headers.append((b"location", b"accounts"))
    return answer


def update_account(call: Call, key: str) -> Answer:
    year, number_now = ledger.year_asked(call)["id"], _identifier(key)
    if ledger.account_of(call, year, number_now) is None:
        raise missing(2000423, "Kan inte hitta kontot.")
    change_account(call, year, number_now, read(ACCOUNT_SPEC, call.envelope("Account"), call.knobs))
    return enveloped("Account", write_json(_account(call, year, number_now)))


def delete_account(call: Call, key: str) -> Answer:
    year, number_now = ledger.year_asked(call)["id"], _identifier(key)
    found = ledger.account_of(call, year, number_now)
    if found is None:
        raise missing(2000423, "Kan inte hitta kontot.")
    if found["moved"] or found["opening"]:
        raise invalid(2000310, "Posten används.")
    call.store.run("DELETE FROM account WHERE tenant = ? AND year = ? AND number = ?", call.tenant, year, number_now)
    call.note("account deleted", number_now)
    return Answer(204)


def change_account(call: Call, year: int, number_now: int, sent: Fields) -> None:
    """Lay the sent fields over an account of one year."""
    changes: dict[str, Any] = {"modified": call.stamp}
    for name, column in _ACCOUNT_COLUMNS.items():
        if name in sent:
            changes[column] = _BLANK_ACCOUNT.get(name, "") if sent[name] is None else sent[name]
    if "BalanceBroughtForward" in sent:
        changes["opening"] = ore(sent["BalanceBroughtForward"] or ZERO)
    columns = ", ".join(f"{column} = ?" for column in changes)
    call.store.run(
        f"UPDATE account SET {columns} WHERE tenant = ? AND year = ? AND number = ?",
        *changes.values(),
        call.tenant,
        year,
        number_now,
    )
    call.note("account", number_now)


# Voucher series


def list_series(call: Call) -> Answer:
    year = ledger.year_asked(call)["id"]
    found = call.store.all("SELECT * FROM series WHERE tenant = ? AND year = ? ORDER BY code", call.tenant, year)
    return lists.page_of(call, "VoucherSeriesCollection", [write_json(_series(row)) for row in found])


def get_series(call: Call, code: str) -> Answer:
    year = ledger.year_asked(call)["id"]
    found = call.store.one("SELECT * FROM series WHERE tenant = ? AND year = ? AND code = ?", call.tenant, year, code)
    if found is None:
        raise missing(call.knobs.code("unknownSeries"), "Kan inte hitta verifikationsserien.")
    return enveloped("VoucherSeries", write_json({**_series(found), "NextVoucherNumber": found["next"]}))


def create_series(call: Call) -> Answer:
    year = ledger.year_asked(call)["id"]
    sent = read(SERIES_SPEC, call.envelope("VoucherSeries"), call.knobs)
    code = sent.get("Code")
    if not code:
        raise invalid(2001795, "Obligatoriska fält saknas.")
    if call.store.value("SELECT 1 FROM series WHERE tenant = ? AND year = ? AND code = ?", call.tenant, year, code):
        raise invalid(call.knobs.code("seriesExists"), "Verifikationsserien finns redan.")
    call.store.run(
        "INSERT INTO series (tenant, year, code, description, manual) VALUES (?, ?, ?, ?, ?)",
        call.tenant, year, code, sent.get("Description") or "", int(sent.get("Manual") or False),
    )  # fmt: skip
    call.note("voucherseries", code)
    answer = get_series(call, code)
    answer.status = 201
    return answer


def update_series(call: Call, code: str) -> Answer:
    year = ledger.year_asked(call)["id"]
    get_series(call, code)
    sent = read(SERIES_SPEC, call.envelope("VoucherSeries"), call.knobs)
    if "Description" in sent:
        _set_series(call, year, code, "description", sent["Description"] or "")
    if "Manual" in sent:
        _set_series(call, year, code, "manual", int(sent["Manual"] or False))
    call.note("voucherseries", code)
    return get_series(call, code)


# Vouchers


def create_voucher(call: Call) -> Answer:
    sent = read(VOUCHER_SPEC, call.envelope("Voucher"), call.knobs)
    if not sent.get("Description") or not sent.get("TransactionDate") or not sent.get("VoucherSeries"):
        raise invalid(2001795, "Obligatoriska fält saknas.")
    year = ledger.year_asked(call)
    if call.knobs["yearInVoucherBody"] == "used" and sent.get("Year"):
        year = call.store.one("SELECT * FROM year WHERE tenant = ? AND id = ?", call.tenant, sent["Year"]) or year
    when = sent["TransactionDate"]
    if not year["from_date"] <= when <= year["to_date"]:
        ledger.year_for_booking(call, when)
        raise invalid(call.knobs.code("dateOutsideYear"), "Datumet ligger utanför räkenskapsåret.")
    series = ledger.series_of(call, year["id"], sent["VoucherSeries"])
    if not series["manual"]:
        raise invalid(call.knobs.code("seriesNotManual"), f"Verifikationsserien är inte manuell ({series['code']})")
    lines = [_row(call, year["id"], line) for line in sent.get("VoucherRows") or []]
    if not lines:
        raise invalid(call.knobs.code("badVoucherRow"), "Verifikationen saknar rader.")
    voucher = ledger.book(
        call,
        ledger.Entry(
            year=year["id"],
            series=series["code"],
            date=when,
            description=sent["Description"],
            rows=lines,
            comments=sent.get("Comments") or "",
            cost_center=sent.get("CostCenter") or "",
            project=sent.get("Project") or "",
        ),
    )
    answer = enveloped("Voucher", write_json(voucher), 201)
    answer.headers.append((b"location", b"vouchers"))
    return answer


def get_voucher(call: Call, series: str, key: str) -> Answer:
    year = ledger.year_asked(call)["id"]
    found = call.store.one(
        "SELECT * FROM voucher WHERE tenant = ? AND year = ? AND series = ? AND number = ?",
        call.tenant,
        year,
        series,
        _identifier(key),
    )
    text_now = seen(call, found)
    if text_now is None:
        raise missing(call.knobs.code("noSuchVoucher"), "Kan inte hitta verifikationen.")
    return enveloped("Voucher", text_now)


def list_vouchers(call: Call) -> Answer:
    return _vouchers(call, None, dates=True)


def sublist(call: Call, series: str | None = None) -> Answer:
    return _vouchers(call, series, dates=call.knobs["sublistDates"] == "honoured")


def _vouchers(call: Call, series: str | None, *, dates: bool) -> Answer:
    lists.known_parameters(call, frozenset(("costcenter", "voucherseries")))
    wanted = lists.Wanted(call)
    wanted.where("year = ?", ledger.year_asked(call)["id"])
    series = series or call.query.get("voucherseries")
    if series:
        wanted.where("series = ?", series)
    if dates:
        wanted.between("date")
        wanted.modified()
    if center := call.query.get("costcenter"):
        wanted.where("cost_center = ?", center)
    wanted.visible()
    order = {
        "vouchernumber": "number then series",
        "voucherseries": "series then number",
        "referencenumber": "reference then series then number",
        "referencetype": "reference_type then series then number",
    }
    return lists.page(wanted, "Vouchers", "voucher", order, "series then number")


def _row(call: Call, year: int, line: Fields) -> ledger.Row:
    """Return a voucher row that may be booked: one side, not negative, its account willing to take it."""
    debit, credit = to_ore(line.get("Debit") or ZERO), to_ore(line.get("Credit") or ZERO)
    if not line.get("Account"):
        raise invalid(2001304, "Kunde inte hitta konto.")
    if debit < 0 or credit < 0 or (debit and credit):
        raise invalid(call.knobs.code("badVoucherRow"), "Ange antingen debet eller kredit, som positivt belopp.")
    account = ledger.usable_account(call, year, line["Account"])
    for name, rule in (
        ("CostCenter", "cost_center_rule"),
        ("Project", "project_rule"),
        ("TransactionInformation", "information_rule"),
    ):
        given = bool(line.get(name))
        if (account[rule] == "MANDATORY" and not given) or (account[rule] == "NOTALLOWED" and given):
            raise invalid(call.knobs.code("badVoucherRow"), f"Konto {account['number']}: {name} {account[rule]}")
    return ledger.Row(
        account=line["Account"],
        amount=debit - credit,
        cost_center=line.get("CostCenter") or "",
        project=line.get("Project") or "",
        information=line.get("TransactionInformation") or "",
        description=line.get("Description") or "",
        quantity=places(line.get("Quantity") or ZERO, 2),
        credit_side=None if debit or credit else False,
    )


def _identifier(key: str) -> int:
    if not key.isdecimal() or len(key) > 18:
        raise bad_identifier()
    return int(key)


def _account(call: Call, year: int, number_now: int) -> Fields:
    found = ledger.account_of(call, year, number_now)
    if found is None:
        raise missing(2000423, "Kan inte hitta kontot.")
    return ledger.account_fields(found)


def _year(row: Any) -> Fields:
    return {
        "@url": f"{HERE}/3/financialyears/{row['id']}",
        "Id": row["id"],
        "FromDate": row["from_date"],
        "ToDate": row["to_date"],
        "AccountChartType": row["chart"],
        "AccountingMethod": row["method"],
    }


def _series(row: Any) -> Fields:
    return {
        "@url": f"{HERE}/3/voucherseries/{row['code']}?financialyear={row['year']}",
        "Approver": None,
        "Code": row["code"],
        "Description": row["description"],
        "Manual": bool(row["manual"]),
        "Year": row["year"],
    }


def _set_series(call: Call, year: int, code: str, column: str, value: Any) -> None:
    call.store.run(f"UPDATE series SET {column} = ? WHERE tenant = ? AND year = ? AND code = ?", value, call.tenant, year, code)
