"""Small registers: currencies, modes and terms of payment, units, price lists, and the predefined accounts and series."""

from dataclasses import dataclass

from simulators.fortnox import cards, ledger, lists
from simulators.fortnox.call import Call
from simulators.fortnox.fields import Spec, boolean, day, integer, number, read, read_only, text
from simulators.fortnox.refusals import Refusal, invalid, missing
from simulators.fortnox.wire import HERE, Answer, Fields, decimal, enveloped, write_json


@dataclass(frozen=True, slots=True)
class Register:
    """One register: its path, its envelopes, its fields, and what is said when a code is not in it."""

    kind: str
    path: str
    single: str
    plural: str
    spec: Spec
    empty: Fields
    code: int
    message: str

    def listing(self, call: Call) -> Answer:
        wanted = lists.Wanted(call)
        wanted.where("kind = ?", self.kind)
        wanted.modified()
        return lists.page(wanted, self.plural, "card", {"code": "key"}, "CAST(key AS INTEGER) then key")

    def get(self, call: Call, key: str) -> Answer:
        found = cards.text_of(call, self.kind, key)
        if found is None:
            raise self._missing()
        return enveloped(self.single, found)

    def create(self, call: Call) -> Answer:
        sent = read(self.spec, call.envelope(self.single), call.knobs)
        key = sent.get("Code")
        if not key:
            raise invalid(2001795, "Obligatoriska fält saknas.")
        if cards.exists(call, self.kind, key):
            raise invalid(2000106, "Koden används redan.")
        return enveloped(self.single, self._keep(call, key, self.empty, sent), 201)

    def update(self, call: Call, key: str) -> Answer:
        card = cards.find(call, self.kind, key)
        if card is None:
            raise self._missing()
        sent = read(self.spec, call.envelope(self.single), call.knobs)
        return enveloped(self.single, self._keep(call, key, card, sent))

    def delete(self, call: Call, key: str) -> Answer:
        if not cards.exists(call, self.kind, key):
            raise self._missing()
        if cards.is_used(call, self.kind, key):
            raise invalid(2000310, "Posten används.")
        cards.remove(call, self.kind, key)
        return Answer(204)

    def _keep(self, call: Call, key: str, card: Fields, sent: Fields) -> str:
        laid = {name: self.empty[name] if value is None else value for name, value in sent.items()}
        fields: Fields = {"@url": f"{HERE}/3/{self.path}/{key}", **card, **laid, "Code": key}
        return cards.keep(call, self.kind, key, fields, fields)

    def _missing(self) -> Refusal:
        return missing(self.code, self.message)


_URL = read_only("@url")

CURRENCIES = Register(
    "currency", "currencies", "Currency", "Currencies",
    {
        **_URL, "Code": text(exactly=3), "Description": text(), "BuyRate": number(), "SellRate": number(), "Unit": number(),
        "IsAutomatic": boolean(), "Date": day(),
    },
    {"BuyRate": 1, "Code": "", "Date": None, "Description": "", "IsAutomatic": False, "SellRate": 1, "Unit": 1},
    2000427, "Kan inte hitta valutan.",
)  # fmt: skip
TERMS = Register(
    "termsofpayment", "termsofpayments", "TermsOfPayment", "TermsOfPayments", {**_URL, "Code": text(25), "Description": text()},
    {"Code": "", "Description": ""}, 2000429, "Kan inte hitta betalningsvillkoret.",
)  # fmt: skip
MODES = Register(
    "modeofpayment", "modesofpayments", "ModeOfPayment", "ModesOfPayments",
    {**_URL, "AccountNumber": text(exactly=4), "Code": text(), "Description": text()},
    {"AccountNumber": "1930", "Code": "", "Description": ""}, 2001795, "Kan inte hitta betalningssättet.",
)  # fmt: skip
UNITS = Register(
    "unit", "units", "Unit", "Units", {**_URL, "Code": text(20), "CodeEnglish": text(100), "Description": text(100)},
    {"Code": "", "CodeEnglish": "", "Description": ""}, 2000432, "Kan inte hitta enheten.",
)  # fmt: skip
PRICE_LISTS = Register(
    "pricelist", "pricelists", "PriceList", "PriceLists",
    {**_URL, "Code": text(100), "Comments": text(), "Description": text(50), "PreSelected": boolean()},
    {"Code": "", "Comments": "", "Description": "", "PreSelected": False}, 2000431, "Kan inte hitta prislistan.",
)  # fmt: skip
ALL = (CURRENCIES, TERMS, MODES, UNITS, PRICE_LISTS)


def predefined_accounts(call: Call) -> Answer:
    rows = call.store.all("SELECT name, value FROM predefined WHERE tenant = ? AND kind = 'account' ORDER BY name", call.tenant)
    return lists.page_of(call, "PreDefinedAccounts", [_account(row["name"], row["value"]) for row in rows])


def predefined_account(call: Call, name: str) -> Answer:
    return enveloped("PreDefinedAccount", _account(name, _value(call, "account", name)))


def update_predefined_account(call: Call, name: str) -> Answer:
    _value(call, "account", name)
    spec: Spec = {**read_only("@url", "Name"), "Account": integer(1000, 9999)}
    account = read(spec, call.envelope("PreDefinedAccount"), call.knobs).get("Account")
    year = ledger.preselected(call)
    if not account or year is None or ledger.account_of(call, year["id"], account) is None:
        raise invalid(2001265, "Kontot är ogiltigt.")
    _set(call, "account", name, str(account))
    return enveloped("PreDefinedAccount", _account(name, str(account)))


def predefined_all_series(call: Call) -> Answer:
    rows = call.store.all("SELECT name, value FROM predefined WHERE tenant = ? AND kind = 'series' ORDER BY name", call.tenant)
    return lists.page_of(call, "PreDefinedVoucherSeriesCollection", [_series(row["name"], row["value"]) for row in rows])


def predefined_series(call: Call, name: str) -> Answer:
    return enveloped("PreDefinedVoucherSeries", _series(name, _value(call, "series", name)))


def update_predefined_series(call: Call, name: str) -> Answer:
    _value(call, "series", name)
    spec: Spec = {**read_only("@url", "Name"), "VoucherSeries": text(10)}
    code = read(spec, call.envelope("PreDefinedVoucherSeries"), call.knobs).get("VoucherSeries")
    if not code:
        raise invalid(2001795, "Obligatoriska fält saknas.")
    year = ledger.preselected(call)
    if year is not None:
        ledger.series_of(call, year["id"], code)
    _set(call, "series", name, code)
    return enveloped("PreDefinedVoucherSeries", _series(name, code))


def currency(call: Call, code: str) -> Fields:
    """Return a registered currency, now used by a document, or refuse."""
    card = cards.find(call, "currency", code)
    if card is None:
        raise invalid(2000427, "Kunde inte hitta valuta.")
    cards.mark_used(call, "currency", code)
    return card


def days_of(code: str) -> int:
    """Return how many days terms of payment give; terms without a number are due at once."""
    return int(decimal(code)) if code.isdecimal() and len(code) < 4 else 0


def _value(call: Call, kind: str, name: str) -> str:
    found = call.store.value("SELECT value FROM predefined WHERE tenant = ? AND kind = ? AND name = ?", call.tenant, kind, name)
    if found is None:
        raise missing(2001403, "Kan inte hitta den fördefinierade inställningen.")
    return str(found)


def _set(call: Call, kind: str, name: str, value: str) -> None:
    call.store.run("UPDATE predefined SET value = ? WHERE tenant = ? AND kind = ? AND name = ?", value, call.tenant, kind, name)
    call.note(f"predefined {kind}", name, value)


def _account(name: str, value: str) -> str:
    return write_json({"@url": f"{HERE}/3/predefinedaccounts/{name}", "Account": int(value), "Name": name})


def _series(name: str, value: str) -> str:
    return write_json({"@url": f"{HERE}/3/predefinedvoucherseries/{name}", "Name": name, "VoucherSeries": value})
