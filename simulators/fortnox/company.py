"""Companies: made by the control interface, read through `companyinformation` and `settings`."""

from typing import Any

from simulators.fortnox import cards, chart
from simulators.fortnox.call import Call
from simulators.fortnox.wire import HERE, Answer, Fields, enveloped, read_json, write_json

ALL_SCOPES = (
    "article", "bookkeeping", "companyinformation", "connectfile", "costcenter", "currency", "customer", "inbox", "invoice",
    "order", "payment",
    "price", "print", "profile", "project", "settings", "supplier", "supplierinvoice",
)  # fmt: skip
FIRST_YEAR, LAST_YEAR = 2009, 2027


def set_up(call: Call, wanted: Fields) -> None:
    """Make a company, or bring an existing one to what is asked; what it has booked stays."""
    known = call.store.value("SELECT body FROM company WHERE tenant = ?", call.tenant)
    company = {
        "name": "Demo AB",
        "organisationNumber": "556000-0001",
        "accountingMethod": "ACCRUAL",
        **(read_json(known.encode()) if known else {}),
        **{
            name: wanted[name]
            for name in ("name", "organisationNumber", "accountingMethod", "easyVat", "taxEnabled")
            if name in wanted
        },
    }
    call.store.run(
        "INSERT INTO company VALUES (?, ?, NULL) ON CONFLICT DO UPDATE SET body = excluded.body", call.tenant, write_json(company)
    )
    if "clientId" in wanted:
        scopes = " ".join(wanted.get("scopes") or ALL_SCOPES)
        call.store.run(
            "INSERT INTO consent (tenant, client_id, client_secret, scopes) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET client_secret = excluded.client_secret, scopes = excluded.scopes, active = 1",
            call.tenant, str(wanted["clientId"]), str(wanted.get("clientSecret", "")), scopes,
        )  # fmt: skip
    years = wanted.get("financialYears")
    if years is None and not known:
        years = [{"from": f"{year}-01-01", "to": f"{year}-12-31"} for year in range(FIRST_YEAR, LAST_YEAR + 1)]
    for year in years or []:
        taken = call.store.value(
            "SELECT 1 FROM year WHERE tenant = ? AND from_date <= ? AND to_date >= ?", call.tenant, year["to"], year["from"]
        )
        if taken is None:
            add_year(call, str(year["from"]), str(year["to"]), str(company["accountingMethod"]))
    if not known:
        _registers(call)


def add_year(call: Call, start: str, end: str, method: str = "ACCRUAL", *, copy_from: int | None = None) -> int:
    """Open a financial year with the default chart and series, or with another year's accounts and series."""
    number = call.store.next_number(call.tenant, "year")
    call.store.run("INSERT INTO year VALUES (?, ?, ?, ?, ?, ?)", call.tenant, number, start, end, method, f"Bas {end[:4]}")
    if copy_from is None:
        call.store.run_many(
            "INSERT INTO account (tenant, year, number, description, vat_code, modified) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (call.tenant, number, account, name, chart.VAT_CODES.get(account, ""), call.stamp)
                for account, name in chart.ACCOUNTS
            ],
        )
        call.store.run_many(
            "INSERT INTO series (tenant, year, code, description, manual) VALUES (?, ?, ?, ?, ?)",
            [(call.tenant, number, code, name, int(manual)) for code, name, manual in chart.SERIES],
        )
        return number
    call.store.run(
        "INSERT INTO account (tenant, year, number, description, active, sru, vat_code, modified) "
        "SELECT tenant, ?, number, description, active, sru, vat_code, ? FROM account WHERE tenant = ? AND year = ?",
        number, call.stamp, call.tenant, copy_from,
    )  # fmt: skip
    call.store.run(
        "INSERT INTO series (tenant, year, code, description, manual) SELECT tenant, ?, code, description, manual FROM series "
        "WHERE tenant = ? AND year = ?",
        number, call.tenant, copy_from,
    )  # fmt: skip
    return number


def information(call: Call) -> Answer:
    company = described(call)
    body = {
        "Address": "Hamngatan 1",
        "City": "Göteborg",
        "CountryCode": "SE",
        "DatabaseNumber": call.tenant,
        "CompanyName": company["name"],
        "OrganizationNumber": company["organisationNumber"],
        "VisitAddress": "",
        "VisitCity": "",
        "VisitCountryCode": "",
        "VisitZipCode": "",
        "ZipCode": "41104",
    }
    return enveloped("CompanyInformation", write_json(body))


def settings(call: Call) -> Answer:
    company = described(call)
    body = {
        "Address": "Hamngatan 1", "BG": "991-2346", "BIC": "", "BranchCode": "", "City": "Göteborg", "ContactFirstName": "",
        "ContactLastName": "",
        "Country": "Sverige", "CountryCode": "SE", "DatabaseNumber": str(call.tenant), "Domicile": "Göteborg", "Email": "",
        "Fax": "", "IBAN": "",
        "Name": company["name"], "OrganizationNumber": company["organisationNumber"], "PG": "", "Phone1": "", "Phone2": "",
        "TaxEnabled": company.get("taxEnabled", True),
        "VATNumber": f"SE{str(company['organisationNumber']).replace('-', '')}01", "VisitAddress": "", "VisitCity": "",
        "VisitCountry": "",
        "VisitCountryCode": "", "VisitName": "", "VisitZipCode": "", "WWW": "", "ZipCode": "41104",
    }  # fmt: skip
    return enveloped("CompanySettings", write_json(body))


def locked_period(call: Call) -> Answer:
    until = call.store.value("SELECT locked_until FROM company WHERE tenant = ?", call.tenant)
    return enveloped("LockedPeriod", write_json({"EndDate": until}))


def described(call: Call) -> Fields:
    company: Fields = read_json(call.store.value("SELECT body FROM company WHERE tenant = ?", call.tenant).encode())
    return company


def _registers(call: Call) -> None:
    for code, name, rate, unit in chart.CURRENCIES:
        _register(
            call, "currency", "currencies", code,
            {"BuyRate": _rate(rate), "Code": code, "Date": call.today, "Description": name, "IsAutomatic": False,
            "SellRate": _rate(rate), "Unit": unit},
        )  # fmt: skip
    for code, name in chart.TERMS:
        _register(call, "termsofpayment", "termsofpayments", code, {"Code": code, "Description": name})
    for code, name, account in chart.MODES:
        _register(call, "modeofpayment", "modesofpayments", code, {"AccountNumber": account, "Code": code, "Description": name})
    for code, name in chart.UNITS:
        _register(call, "unit", "units", code, {"Code": code, "CodeEnglish": "", "Description": name})
    for code, name in chart.PRICE_LISTS:
        _register(
            call, "pricelist", "pricelists", code, {"Code": code, "Comments": "", "Description": name, "PreSelected": code == "A"}
        )
    predefined = [(call.tenant, "series", name, code) for name, code in chart.PREDEFINED_SERIES.items()]
    predefined += [(call.tenant, "account", name, str(account)) for name, account in chart.PREDEFINED_ACCOUNTS.items()]
    call.store.run_many("INSERT OR REPLACE INTO predefined VALUES (?, ?, ?, ?)", predefined)


def _register(call: Call, kind: str, resource: str, code: str, fields: Fields) -> None:
    card: Fields = {"@url": f"{HERE}/3/{resource}/{code}", **fields}
    cards.keep(call, kind, code, card, card)


def _rate(text: str) -> Any:
    return read_json(text.encode())
