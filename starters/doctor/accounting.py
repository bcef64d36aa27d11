"""Fortnox: address, credentials and rights, the right company, year and lock, accounts, VAT, series, currencies, terms, clock."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any

from clients.errors import ApiError, Unauthorised, Unavailable
from clients.fortnox import FinancialYear, FortnoxClient
from starters.doctor.chart import examine_accounts, examine_series
from starters.doctor.clock import clock_agrees
from starters.doctor.company import Company
from starters.doctor.finding import Finding, bad, good, later

RIGHTS = {
    "customers": "customer",
    "invoices": "invoice",
    "vouchers": "bookkeeping",
    "currencies": "currency",
    "termsofpayments": "settings",
    "supplierinvoices": "supplierinvoice",
}
KRONOR = "SEK"
YEAR_AHEAD = timedelta(days=31)


async def examine_accounting(client: FortnoxClient, where: Mapping[str, Any], company: Company) -> list[Finding]:
    """What Fortnox says to our credentials, and whether the company is set up for what we book."""
    found = [await clock_agrees("fortnox-clock", str(where["base_url"]), "/3/companyinformation")]
    try:
        information = await client.company_information()
    except Unauthorised as refusal:
        if "companyinformation" in str(refusal) and refusal.status == 403:
            remedy = "Give the integration the right companyinformation in Fortnox."
            return [*found, bad("fortnox-rights", f"the right companyinformation is missing: {refusal}", remedy)]
        remedy = (
            "Correct client id and secret (lagerbro connection set fortnox --credentials FILE), or tenant_id of the connection"
            f" ({where['tenant_id']}), or consent anew in Fortnox."
        )
        return [*found, bad("fortnox-credentials", str(refusal), remedy)]
    except Unavailable as silence:
        return [*found, bad("fortnox-address", str(silence), "Correct base_url and token_url of the connection.")]
    found += [good("fortnox-address", "answers"), good("fortnox-credentials", "accepted")]
    if information.database_number != int(where["tenant_id"]):
        said = f"the credentials open company {information.database_number}, the connection says {where['tenant_id']}"
        return [
            *found,
            bad("fortnox-company", said, "Correct tenant_id of the connection, or take the other company's credentials."),
        ]
    found.append(good("fortnox-company", f"company {information.database_number}"))
    rights = await _rights(client)
    found.append(rights)
    years: list[FinancialYear] = []
    for name, look in _looks(client, company, years):
        try:
            found += await look()
        except Unauthorised as refusal:
            remedy = rights.remedy or "Give the integration the right to it in Fortnox, or look there yourself."
            found.append(later(name, f"cannot be seen without the right: {refusal}", remedy))
        except ApiError as failure:
            found.append(later(name, f"cannot be seen: {failure}", "Run it again."))
    return found


Look = Callable[[], Coroutine[Any, Any, list[Finding]]]


def _looks(client: FortnoxClient, company: Company, years: list[FinancialYear]) -> list[tuple[str, Look]]:
    """What is looked at; the year comes first, because others look in it."""
    return [
        ("fortnox-financial-year", lambda: _year(client, company, years)),
        ("fortnox-locked-period", lambda: _lock(client, company)),
        ("fortnox-accounts", lambda: examine_accounts(client, company, years)),
        ("fortnox-series", lambda: examine_series(client, company, years)),
        ("fortnox-currencies", lambda: _currencies(client, company)),
        ("fortnox-terms", lambda: _terms(client, company)),
        ("fortnox-vat", lambda: _registered(client)),
        ("fortnox-lager", lambda: _warehouse_module(client)),
    ]


async def _rights(client: FortnoxClient) -> Finding:
    lacking = []
    for resource, right in RIGHTS.items():
        try:
            await client.may_read(resource)
        except Unauthorised:
            lacking.append(right)
        except ApiError:
            continue
    if lacking:
        remedy = f"Give the integration in Fortnox {', '.join(sorted(set(lacking)))}, with its licence, and consent anew."
        return bad("fortnox-rights", f"rights are missing: {', '.join(sorted(set(lacking)))}", remedy)
    return good("fortnox-rights", "all that is needed")


async def _year(client: FortnoxClient, company: Company, years: list[FinancialYear]) -> list[Finding]:
    years += await client.financial_years(company.today)
    if not years:
        remedy = "Create the financial year in Fortnox, with its accounts and series."
        return [bad("fortnox-financial-year", f"there is none for {company.today}", remedy)]
    year = years[0]
    if (year.accounting_method or "").upper() == "CASH":
        remedy = "Invoices are booked when they are made: change the company to the accrual method, or ask its accountant."
        return [bad("fortnox-financial-year", "the year is kept by the cash method", remedy)]
    following = await client.financial_years(year.to_date + timedelta(days=1))
    if not following and year.to_date - company.today < YEAR_AHEAD:
        remedy = "Create the next financial year before it begins."
        return [later("fortnox-financial-year", f"ends on {year.to_date}, and the next one is not there", remedy)]
    years += following
    return [good("fortnox-financial-year", f"{year.from_date} to {year.to_date}")]


async def _lock(client: FortnoxClient, company: Company) -> list[Finding]:
    locked = await client.locked_period()
    if locked is not None and locked >= company.today:
        remedy = "Unlock the period in Fortnox: nothing can be booked today."
        return [bad("fortnox-locked-period", f"the books are locked to {locked}", remedy)]
    if locked is not None and locked >= company.today - timedelta(days=1):
        where = {"hold": "waits for a person", "next-open-day": "moves to the next open day"}[
            company.settings.locked_period_policy
        ]
        remedy = "Lock a period when its last day has its vouchers, not day by day."
        return [later("fortnox-locked-period", f"the books are locked to {locked}: what is booked for yesterday {where}", remedy)]
    return [good("fortnox-locked-period", f"locked to {locked}" if locked else "nothing is locked")]


async def _currencies(client: FortnoxClient, company: Company) -> list[Finding]:
    held = {currency.code for currency in await client.currencies()}
    lacking = sorted({company.currency, *company.currencies} - held)
    if lacking:
        remedy = "Register them in Fortnox: an invoice in an unknown currency is refused."
        return [bad("fortnox-currencies", f"not registered: {', '.join(lacking)}", remedy)]
    if company.currency != KRONOR:
        said = f"the merchant's books are kept in {company.currency}, and Fortnox keeps its vouchers in {KRONOR}"
        return [
            later(
                "fortnox-currencies",
                said,
                "Correct currency of the merchant in erp.merchant, unless the company has an exception.",
            )
        ]
    if unregistered := sorted({*company.supplier_currencies} - held):
        remedy = "Register them in Fortnox: a supplier's invoice in an unknown currency cannot be written there."
        return [later("fortnox-currencies", f"suppliers' currencies that are not registered: {', '.join(unregistered)}", remedy)]
    return [good("fortnox-currencies", ", ".join(sorted({company.currency, *company.currencies})))]


async def _terms(client: FortnoxClient, company: Company) -> list[Finding]:
    wanted = company.settings.terms_of_payment
    if wanted not in {terms.code for terms in await client.terms_of_payment()}:
        remedy = "Add it in Fortnox, or correct terms_of_payment in the merchant's settings."
        return [bad("fortnox-terms", f"terms of payment {wanted!r} are not there", remedy)]
    return [good("fortnox-terms", f"terms of payment {wanted}")]


async def _registered(client: FortnoxClient) -> list[Finding]:
    if (await client.company_settings()).tax_enabled is False:
        remedy = "Register the company for VAT in Fortnox: invoices with VAT are refused."
        return [bad("fortnox-vat", "the company is not registered for VAT", remedy)]
    return [good("fortnox-vat", "registered for VAT")]


async def _warehouse_module(client: FortnoxClient) -> list[Finding]:
    if await client.warehouse_module():
        remedy = "Switch Fortnox Lager off: it would value the stock a second time and hold back every invoice."
        return [bad("fortnox-lager", "Fortnox Lager is on", remedy)]
    return [good("fortnox-lager", "off")]
