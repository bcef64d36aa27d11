"""The chart of accounts and the voucher series in Fortnox, this year and the next, against what we book on."""

from collections.abc import Iterable, Mapping, Sequence

from clients.errors import Unauthorised
from clients.fortnox import Account, FinancialYear, FortnoxClient
from domain.merchant import DEFAULT_ORDER_TYPES, MerchantSettings
from starters.doctor.company import Company
from starters.doctor.finding import Finding, bad, good, later

VAT_CODES = {"25": "MP1", "12": "MP2", "6": "MP3"}
OPTIONAL = (
    "goods_received_not_invoiced_account",
    "price_difference_account",
    "purchase_account",
    "landed_cost_account",
    "supplier_claims_account",
    "purchase_difference_account",
)
REMEDY = "Add or activate them in Fortnox, or correct the merchant's accounts."


async def examine_accounts(client: FortnoxClient, company: Company, years: Sequence[FinancialYear]) -> list[Finding]:
    """Every account that something is booked on: there, active, and those of sales with the VAT code of their rate."""
    if not years:
        return [later("fortnox-accounts", "no financial year to look in")]
    used = _used(company.settings, company.order_types)
    held, *following = [{account.number: account for account in await client.accounts(year.year_id)} for year in years]
    found = [good("fortnox-accounts", f"{len({number for number, _ in used})} accounts, all active")]
    if wrong := _wrong(used, held):
        found = [bad("fortnox-accounts", "; ".join(wrong), REMEDY)]
    elif following and (soon := _wrong(used, following[0])):
        found = [later("fortnox-accounts", f"in the year from {years[1].from_date}: {'; '.join(soon)}", REMEDY)]
    return [*found, _vat_of_accounts(company, held)]


def _used(settings: MerchantSettings, order_types: Iterable[str]) -> list[tuple[int, str]]:
    """Each account with what it is for. An order type that came with the product counts once orders use it."""
    used = [
        (settings.stock_account, "stock"),
        (settings.cost_of_goods_sold_account, "cost of goods sold"),
        (settings.opening_account, "opening"),
        (settings.scrap_account, "scrapped returns"),
    ]
    rules = settings.reconciling
    used += [(rules.adjustment_account, "corrections of stock"), (rules.unknown_difference_account, "unknown differences")]
    used += [(number, f"corrections of stock {cause}") for cause, number in rules.adjustment_accounts.items()]
    used += [
        (number, name.removesuffix("_account").replace("_", " ")) for name in OPTIONAL if (number := getattr(settings, name))
    ]
    if settings.match_supplier_invoices:
        used += [(settings.exchange_gain_account, "exchange gains"), (settings.exchange_loss_account, "exchange losses")]
    for kind, known in settings.order_types.items():
        if (account := known.get("issue_account")) and (kind in order_types or known != DEFAULT_ORDER_TYPES.get(kind)):
            used.append((account, f"goods of order type {kind}"))
    for rule in settings.own_rules:
        used += [(number, f"posting rule {rule.priority}, {rule.event}") for number in (rule.debit, rule.credit)]
    used += [
        (number, f"sales {zone} {rate} %") for zone, rates in settings.sales_accounts.items() for rate, number in rates.items()
    ]
    return used + [(number, f"freight {zone}") for zone, number in settings.freight_accounts.items()]


def _wrong(used: Iterable[tuple[int, str]], held: Mapping[int, Account]) -> list[str]:
    wrong = []
    for number, use in used:
        if number not in held:
            wrong.append(f"{number} ({use}) is not in the chart")
        elif held[number].active is False:
            wrong.append(f"{number} ({use}) is not active")
    return wrong


def _vat_of_accounts(company: Company, held: Mapping[int, Account]) -> Finding:
    settings = company.settings
    home = settings.sales_accounts.get("SEVAT", {})
    wrong = [f"no sales account is known for {rate} %" for rate in company.vat_rates if rate not in home]
    wrong += [
        f"no sales account is known for {rate} %, {zone}, which orders use"
        for zone, rate in company.sales
        if rate not in settings.sales_accounts.get(zone, {}) and not (zone == "SEVAT" and rate in company.vat_rates)
    ]
    wrong += [
        f"no freight account is known for {zone}, which orders use"
        for zone in company.freights
        if zone not in settings.freight_accounts
    ]
    for rate, code in VAT_CODES.items():
        number = home.get(rate)
        account = held.get(number) if number else None
        if account is not None and account.vat_code != code:
            wrong.append(f"account {number} for {rate} % has VAT code {account.vat_code or 'none'}, not {code}")
    if wrong:
        remedy = "Correct the VAT code of the account in Fortnox, or the merchant's sales_accounts and freight_accounts."
        return bad("fortnox-vat-accounts", "; ".join(wrong), remedy)
    return good("fortnox-vat-accounts", "each rate has an account with its VAT code")


async def examine_series(client: FortnoxClient, company: Company, years: Sequence[FinancialYear]) -> list[Finding]:
    """The series of our vouchers: there and manual, this year and the next, and nobody else's."""
    if not years:
        return [later("fortnox-series", "no financial year to look in")]
    wanted = company.settings.voucher_series
    for year in years:
        find = bad if year is years[0] else later
        when = "this year" if year is years[0] else f"the year from {year.from_date}"
        held = {series.code: series for series in await client.voucher_series(year.year_id)}
        if wanted not in held:
            remedy = f"Make the series {wanted} for {when} in Fortnox, manual, and used by nobody else."
            return [find("fortnox-series", f"series {wanted} is not there for {when}", remedy)]
        if held[wanted].manual is False:
            said = f"series {wanted} takes no manual vouchers in {when}"
            return [find("fortnox-series", said, f"Allow manual vouchers in the series {wanted}.")]
    try:
        others = sorted(name for name, series in (await client.predefined_series()).items() if series == wanted)
    except Unauthorised:
        others = []
    if others:
        said = f"series {wanted} is also that of {', '.join(others)} in Fortnox: others write in it"
        return [later("fortnox-series", said, "Make a series that only Lagerbro writes in, and set voucher_series to it.")]
    return [good("fortnox-series", f"series {wanted} is there and manual")]
