"""Fortnox: address, credentials and rights, the right company, year and lock, accounts, VAT, series, currencies, terms, clock."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from clients.errors import ApiError, Unauthorised, Unavailable
from clients.fortnox import Account, FinancialYear, FortnoxClient
from domain.merchant import MerchantSettings
from starters.doctor.clock import clock_agrees
from starters.doctor.finding import Finding, bad, good, later

RIGHTS = {
    "customers": "customer",
    "invoices": "invoice",
    "vouchers": "bookkeeping",
    "currencies": "currency",
    "termsofpayments": "settings",
    "supplierinvoices": "supplierinvoice",
}
VAT_CODES = {"25": "MP1", "12": "MP2", "6": "MP3"}


@dataclass(frozen=True, slots=True)
class Company:
    """What the merchant needs of its books: today there, its settings, the currencies, VAT rates and order types in use."""

    today: date
    settings: MerchantSettings
    currency: str
    currencies: Sequence[str]
    vat_rates: Sequence[str]
    order_types: Sequence[str] = ()


async def examine_accounting(client: FortnoxClient, where: Mapping[str, Any], company: Company) -> list[Finding]:
    """What Fortnox says to our credentials, and whether the company is set up for what we book."""
    found = [await clock_agrees("fortnox-clock", str(where["base_url"]), "/3/companyinformation")]
    try:
        information = await client.company_information()
    except Unauthorised as refusal:
        if "companyinformation" in str(refusal) and refusal.status == 403:
            remedy = "Give the integration the right companyinformation in Fortnox."
            return [*found, bad("fortnox-rights", f"the right companyinformation is missing: {refusal}", remedy)]
        remedy = "Correct client id and secret (lagerbro connection set fortnox --credentials FILE), or consent anew in Fortnox."
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
            found.append(later(name, f"cannot be seen without the right: {refusal}", rights.remedy))
        except ApiError as failure:
            found.append(later(name, f"cannot be seen: {failure}", "Run it again."))
    return found


Look = Callable[[], Coroutine[Any, Any, list[Finding]]]


def _looks(client: FortnoxClient, company: Company, years: list[FinancialYear]) -> list[tuple[str, Look]]:
    """What is looked at; the year comes first, because others look in it."""
    return [
        ("fortnox-financial-year", lambda: _year(client, company, years)),
        ("fortnox-locked-period", lambda: _lock(client, company)),
        ("fortnox-accounts", lambda: _accounts(client, company, years)),
        ("fortnox-series", lambda: _series(client, company, years)),
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
    if (year.to_date - company.today).days < 14 and not await client.financial_years(date(year.to_date.year + 1, 1, 1)):
        remedy = "Create the next financial year before it begins."
        return [later("fortnox-financial-year", f"ends on {year.to_date}, and the next one is not there", remedy)]
    return [good("fortnox-financial-year", f"{year.from_date} to {year.to_date}")]


async def _lock(client: FortnoxClient, company: Company) -> list[Finding]:
    locked = await client.locked_period()
    if locked is not None and locked >= company.today:
        remedy = "Unlock the period in Fortnox: nothing can be booked today."
        return [bad("fortnox-locked-period", f"the books are locked to {locked}", remedy)]
    return [good("fortnox-locked-period", f"locked to {locked}" if locked else "nothing is locked")]


async def _accounts(client: FortnoxClient, company: Company, years: list[FinancialYear]) -> list[Finding]:
    if not years:
        return [later("fortnox-accounts", "no financial year to look in")]
    settings = company.settings
    used = {"stock": settings.stock_account, "cost of goods sold": settings.cost_of_goods_sold_account}
    used |= {"opening": settings.opening_account, "scrapped returns": settings.scrap_account}
    rules = settings.reconciling
    used |= {"corrections of stock": rules.adjustment_account, "unknown differences": rules.unknown_difference_account}
    used |= {f"corrections of stock {cause}": number for cause, number in rules.adjustment_accounts.items()}
    if settings.goods_received_not_invoiced_account is not None:
        used |= {"goods received and not invoiced": settings.goods_received_not_invoiced_account}
    for kind in company.order_types:
        known = settings.order_types.get(kind)
        if known and (account := known.get("issue_account")):
            used |= {f"goods of order type {kind}": account}
    used |= {
        f"sales {zone} {rate} %": number for zone, rates in settings.sales_accounts.items() for rate, number in rates.items()
    }
    used |= {f"freight {zone}": number for zone, number in settings.freight_accounts.items()}
    held = {account.number: account for account in await client.accounts(years[0].year_id)}
    wrong = []
    for use, number in used.items():
        if number not in held:
            wrong.append(f"{number} ({use}) is not in the chart")
        elif held[number].active is False:
            wrong.append(f"{number} ({use}) is not active")
    found = [
        bad("fortnox-accounts", "; ".join(wrong), "Add or activate them in Fortnox, or correct the merchant's accounts.")
        if wrong
        else good("fortnox-accounts", f"{len(set(used.values()))} accounts, all active")
    ]
    found.append(_vat_of_accounts(company, held))
    return found


def _vat_of_accounts(company: Company, held: Mapping[int, Account]) -> Finding:
    home = company.settings.sales_accounts.get("SEVAT", {})
    wrong = [f"no sales account is known for {rate} %" for rate in company.vat_rates if rate not in home]
    for rate, code in VAT_CODES.items():
        number = home.get(rate)
        account = held.get(number) if number else None
        if account is not None and account.vat_code != code:
            wrong.append(f"account {number} for {rate} % has VAT code {account.vat_code or 'none'}, not {code}")
    if wrong:
        remedy = "Correct the VAT code of the account in Fortnox, or the merchant's sales_accounts."
        return bad("fortnox-vat-accounts", "; ".join(wrong), remedy)
    return good("fortnox-vat-accounts", "each rate has an account with its VAT code")


async def _series(client: FortnoxClient, company: Company, years: list[FinancialYear]) -> list[Finding]:
    if not years:
        return [later("fortnox-series", "no financial year to look in")]
    wanted = company.settings.voucher_series
    held = {series.code: series for series in await client.voucher_series(years[0].year_id)}
    if wanted not in held:
        remedy = f"Make the series {wanted} for this year in Fortnox, manual, and used by nobody else."
        return [bad("fortnox-series", f"series {wanted} is not there for this year", remedy)]
    if held[wanted].manual is False:
        return [
            bad("fortnox-series", f"series {wanted} takes no manual vouchers", f"Allow manual vouchers in the series {wanted}.")
        ]
    return [good("fortnox-series", f"series {wanted} is there and manual")]


async def _currencies(client: FortnoxClient, company: Company) -> list[Finding]:
    held = {currency.code for currency in await client.currencies()}
    lacking = sorted({company.currency, *company.currencies} - held)
    if lacking:
        remedy = "Register them in Fortnox: an invoice in an unknown currency is refused."
        return [bad("fortnox-currencies", f"not registered: {', '.join(lacking)}", remedy)]
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
