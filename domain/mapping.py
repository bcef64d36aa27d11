"""Checking a merchant's settings: the whole document at once, and every fault with the path of the key that has it.

Two systems give the same thing two names. What a code of ours is called in the warehouse stands here, and nowhere in the code.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, NotRequired, TypedDict

from domain import pools, posting_rules, reconciliation_settings
from domain.errors import Refused
from domain.exchange import AT_INVOICE, AT_PAYMENT
from domain.landed import KEYS
from domain.receiving import CLOSING
from domain.returns import GRADES
from domain.vat import VatZone
from domain.vouchers import PER, POLICIES

RETURN_STATUS_MEANINGS = ("notified", "returned", "cancelled")
PURCHASE_STATUS_MEANINGS = ("notified", "arrival", "inbound", "deviation", "received", "cancelled")
STATUS_MEANINGS = ("error", "open", "released", "allocated", "picked", "sent", "collected", "returned", "cancelled")
PURCHASE_FIELDS = ("YourReference", "OurReference", "ExternalInvoiceNumber", "Comments")
LONGEST_CODE = 50
RANGES = {
    "short_grace_seconds": (0, 90 * 86400),
    "report_singly_up_to": (0, 10_000),
    "stock_account": (1000, 9999),
    "cost_of_goods_sold_account": (1000, 9999),
    "opening_account": (1000, 9999),
    "scrap_account": (1000, 9999),
    "edit_lock_status": (1, 99_999),
    "watch_days": (1, 3650),
    "watch_interval_seconds": (1, 86400),
    "nightly_sweep_hour": (0, 23),
    "vouchers_hour": (0, 23),
    "second_person_above": (0, 1_000_000_000),
    "invoice_tolerance_percent": (0, 100),
    "invoice_tolerance_row": (0, 1_000_000_000),
    "invoice_tolerance_rounding": (0, 1_000_000),
    "exchange_gain_account": (1000, 9999),
    "exchange_loss_account": (1000, 9999),
    "rate_history_days": (1, 3650),
    "rate_jump_percent": (1, 100),
    "rate_cross_check_percent": (1, 50),
    "cost_landed_percent": (0, 500),
    "cost_threshold_percent": (0, 100),
    "cost_jump_percent": (1, 1000),
}
CHOICES = {
    "ship_when": ("sent", "picked"),
    "voucher_per": PER,
    "locked_period_policy": POLICIES,
    "costing_method": pools.METHODS,
    "posting_style": posting_rules.STYLES,
    "credit_freight": ("with-the-last", "never"),
    "return_grade_unstated": GRADES,
    "close_purchase_short": CLOSING,
    "close_purchase_over": CLOSING,
    "supplier_invoice_when": ("booked", "registered"),
    "supplier_invoice_purchase_field": PURCHASE_FIELDS,
    "landed_cost_key": KEYS,
    "rate_difference_at_invoice": AT_INVOICE,
    "rate_difference_at_payment": AT_PAYMENT,
}
LONGEST = {"voucher_series": 10}


class Transport(TypedDict):
    """A carrier in the warehouse's words, and those of its services that we use: our word, theirs."""

    code: str
    services: NotRequired[Mapping[str, str]]


class WayOfDelivery(TypedDict):
    """How goods travel, in the warehouse's words; `transporter` and `service` are ours, of `transporters`."""

    code: str
    transporter: NotRequired[str]
    service: NotRequired[str]


class OrderType(TypedDict):
    """What an order is: its type in the warehouse (None: none is sent), and its posting rule."""

    code: str | None
    invoice: NotRequired[bool]
    issue_account: NotRequired[int]


Fault = tuple[str, str]


def read_settings(document: Mapping[str, Any], defaults: Any) -> dict[str, Any]:
    """The document as the values of `MerchantSettings`; refuses all that is wrong in it at once, each with its key."""
    if not isinstance(document, Mapping):
        raise Refused("settings-wrong", f"settings are a JSON object of names and values, not {_shown(document)}")
    known = {f.name: getattr(defaults, f.name) for f in fields(defaults)}
    values: dict[str, Any] = dict(document)
    for name, widen in (("ways_of_delivery", _named), ("transporters", _named), ("order_types", _named)):
        if isinstance(values.get(name), Mapping):
            values[name] = {code: widen(given) for code, given in values[name].items()}
    for name in ("rate_currencies", "posting_rules"):
        if isinstance(values.get(name), list):
            values[name] = tuple(values[name])
    faults: list[Fault] = []
    for name, value in values.items():
        if name not in known:
            faults.append((name, f"is not known; known are {', '.join(sorted(known))}"))
        else:
            faults += _faults(name, value, known[name])
    if not faults:
        faults += _across(known | values)
    if faults:
        raise Refused("settings-wrong", "; ".join(f"setting {path} {what}" for path, what in faults))
    return values


def _named(given: Any) -> Any:
    """`"EXPRESS"` is short for `{"code": "EXPRESS"}`."""
    return {"code": given} if isinstance(given, str) or given is None else given


def _faults(name: str, value: Any, default: Any) -> list[Fault]:
    if name in TABLES:
        return list(TABLES[name](name, value))
    if type(value) is not type(default):
        return [(name, f"is {_shown(value)}, not {_kind(type(default))}")]
    if name in RANGES and not RANGES[name][0] <= value <= RANGES[name][1]:
        return [(name, f"is {value}; it goes from {RANGES[name][0]} to {RANGES[name][1]}")]
    if name in CHOICES and value not in CHOICES[name]:
        return [(name, f"is {value!r}, not {' or '.join(CHOICES[name])}")]
    longest = LONGEST.get(name, LONGEST_CODE)
    if isinstance(value, str) and not (_is_code(value) and len(value) <= longest):
        return [(name, f"is {value!r}, not 1 to {longest} characters, printable and without blanks at the ends")]
    return []


def _statuses(path: str, value: Any) -> Iterable[Fault]:
    if not isinstance(value, Mapping) or not value:
        yield path, f'is {_shown(value)}, not numbers with their meanings, like {{"450": "sent"}}'
        return
    for number, meaning in value.items():
        if not re.fullmatch(r"[1-9][0-9]{0,4}", str(number)):
            yield f"{path}.{number}", "is not a status number of the warehouse"
        if meaning not in STATUS_MEANINGS:
            yield f"{path}.{number}", f"means {_shown(meaning)}; meanings are {', '.join(STATUS_MEANINGS)}"
    if "sent" not in value.values():
        yield path, "has no number that means sent: no order could be shipped"


def _coded(path: str, value: Any, optional: Mapping[str, Callable[[str, Any], Iterable[Fault]]], none: bool) -> Iterable[Fault]:
    if not isinstance(value, Mapping):
        yield path, f'is {_shown(value)}, not codes of the ERP with their meaning, like {{"EXPRESS": {{"code": "XP"}}}}'
        return
    for ours, given in value.items():
        at = f"{path}.{ours}"
        if not _is_code(ours):
            yield at, f"is not a code: 1 to {LONGEST_CODE} printable characters without blanks at the ends"
        if not isinstance(given, Mapping) or "code" not in given:
            yield at, f'is {_shown(given)}, not the code of the warehouse or {{"code": ...}}'
            continue
        if not _is_code(given["code"]) and not (none and given["code"] is None):
            yield f"{at}.code", f"is {_shown(given['code'])}, not a code of the warehouse{' or null' if none else ''}"
        for key, inside in given.items():
            if key in optional:
                yield from optional[key](f"{at}.{key}", inside)
            elif key != "code":
                yield f"{at}.{key}", f"is not known; known are code, {', '.join(sorted(optional))}"


def _ways(path: str, value: Any) -> Iterable[Fault]:
    return _coded(path, value, {"transporter": _code, "service": _code}, none=False)


def _transporters(path: str, value: Any) -> Iterable[Fault]:
    return _coded(path, value, {"services": _codes}, none=False)


def _order_types(path: str, value: Any) -> Iterable[Fault]:
    return _coded(path, value, {"invoice": _truth, "issue_account": _account}, none=True)


def _code(path: str, value: Any) -> Iterable[Fault]:
    if not _is_code(value):
        yield path, f"is {_shown(value)}, not a code"


def _codes(path: str, value: Any) -> Iterable[Fault]:
    if not isinstance(value, Mapping):
        yield path, f"is {_shown(value)}, not our words with the warehouse's codes"
        return
    for ours, theirs in value.items():
        yield from _code(f"{path}.{ours}", theirs)


def _truth(path: str, value: Any) -> Iterable[Fault]:
    if type(value) is not bool:
        yield path, f"is {_shown(value)}, not true or false"


def _account(path: str, value: Any) -> Iterable[Fault]:
    if type(value) is not int or not 1000 <= value <= 9999:
        yield path, f"is {_shown(value)}, not an account from 1000 to 9999"


def _sales_accounts(path: str, value: Any) -> Iterable[Fault]:
    for zone, rates in _zones(path, value):
        if isinstance(zone, tuple):
            yield zone
        elif not isinstance(rates, Mapping):
            yield f"{path}.{zone}", f'is {_shown(rates)}, not VAT rates with their accounts, like {{"25": 3001}}'
        else:
            for rate, account in rates.items():
                if not re.fullmatch(r"(0|[1-9][0-9]?|100)(\.[0-9]*[1-9])?", str(rate)):
                    yield f"{path}.{zone}.{rate}", "is not a VAT rate in percent"
                yield from _account(f"{path}.{zone}.{rate}", account)


def _freight_accounts(path: str, value: Any) -> Iterable[Fault]:
    for zone, account in _zones(path, value):
        if isinstance(zone, tuple):
            yield zone
        else:
            yield from _account(f"{path}.{zone}", account)


def _zones(path: str, value: Any) -> Iterable[tuple[Any, Any]]:
    """Each zone with what it holds; a fault instead of a zone where it is none."""
    if not isinstance(value, Mapping):
        yield (path, f"is {_shown(value)}, not VAT zones with their accounts"), None
        return
    for zone, inside in value.items():
        wrong = (f"{path}.{zone}", f"is not a VAT zone; zones are {', '.join(VatZone)}")
        yield (zone, inside) if zone in set(VatZone) else (wrong, None)


def _currencies(path: str, value: Any) -> Iterable[Fault]:
    if not isinstance(value, list | tuple) or not all(isinstance(c, str) and c.isalpha() and len(c) == 3 for c in value):
        yield path, f'is {_shown(value)}, not a list of currencies such as ["EUR", "USD"]'


def _units(path: str, value: Any) -> Iterable[Fault]:
    if not isinstance(value, Mapping) or not all(units in (1, 100) for units in value.values()):
        yield path, f'is {_shown(value)}, not like {{"JPY": 100}}; a unit is 1 or 100'


def _return_causes(path: str, value: Any) -> Iterable[Fault]:
    if not isinstance(value, Mapping):
        yield path, f"is {_shown(value)}, not causes with their grades"
        return
    for cause, grade in value.items():
        if grade not in GRADES:
            yield f"{path}.{cause}", f"is graded {grade!r}; grades are {', '.join(GRADES)}"


def _return_statuses(path: str, value: Any) -> Iterable[Fault]:
    if not isinstance(value, Mapping):
        yield path, f"is {_shown(value)}, not status numbers with their meanings"
        return
    for number, meaning in value.items():
        if not str(number).isdigit() or meaning not in RETURN_STATUS_MEANINGS:
            yield f"{path}.{number}", f"means {meaning!r}; meanings are {', '.join(RETURN_STATUS_MEANINGS)}"


def _purchase_statuses(path: str, value: Any) -> Iterable[Fault]:
    if not isinstance(value, Mapping):
        yield path, f"is {_shown(value)}, not status numbers with their meanings"
        return
    for number, meaning in value.items():
        if not str(number).isdigit() or meaning not in PURCHASE_STATUS_MEANINGS:
            yield f"{path}.{number}", f"means {meaning!r}; meanings are {', '.join(PURCHASE_STATUS_MEANINGS)}"


def _account_or_none(path: str, value: Any) -> Iterable[Fault]:
    return () if value is None else _account(path, value)


TABLES: dict[str, Callable[[str, Any], Iterable[Fault]]] = {
    "posting_rules": posting_rules.faults,
    "reconciliation": reconciliation_settings.faults,
    "return_causes": _return_causes,
    "return_statuses": _return_statuses,
    "purchase_statuses": _purchase_statuses,
    "goods_received_not_invoiced_account": _account_or_none,
    "price_difference_account": _account_or_none,
    "supplier_claims_account": _account_or_none,
    "purchase_account": _account_or_none,
    "landed_cost_account": _account_or_none,
    "purchase_difference_account": _account_or_none,
    "rate_currencies": _currencies,
    "rate_units": _units,
    "statuses": _statuses,
    "ways_of_delivery": _ways,
    "transporters": _transporters,
    "order_types": _order_types,
    "sales_accounts": _sales_accounts,
    "freight_accounts": _freight_accounts,
}


def _across(values: Mapping[str, Any]) -> Iterable[Fault]:
    """What one setting says about another."""
    transporters: Mapping[str, Transport] = values["transporters"]
    for ours, way in values["ways_of_delivery"].items():
        at, carrier, service = f"ways_of_delivery.{ours}", way.get("transporter"), way.get("service")
        if carrier is not None and carrier not in transporters:
            yield f"{at}.transporter", f"is {carrier!r}; transporters has {', '.join(sorted(transporters)) or 'none'}"
        elif service is not None and (carrier is None or service not in transporters[carrier].get("services", {})):
            yield f"{at}.service", f"is {service!r}, which is no service of transporter {carrier!r}"
    for name in ("supplier_claims_account", "landed_cost_account"):
        if values[name] is not None and values[name] == values["stock_account"]:
            yield name, "is the stock account itself"
    if (
        values["landed_cost_account"] is not None
        and values["landed_cost_account"] == values["goods_received_not_invoiced_account"]
    ):
        yield "landed_cost_account", "is the account of goods received and not invoiced: a row could mean either"
    if values["goods_received_not_invoiced_account"] == values["stock_account"]:
        yield "goods_received_not_invoiced_account", "is the stock account itself: what came in would have no value"
    if values["costing_method"] in pools.AT_SET_PRICE and values["price_difference_account"] is None:
        yield (
            "price_difference_account",
            f"is missing: with {values['costing_method']} what goods cost more than the price goes to it",
        )
    if values["price_difference_account"] == values["stock_account"]:
        yield "price_difference_account", "is the stock account itself: a difference would hide in stock"
    for n, rule in enumerate(values["posting_rules"]):
        asked = rule.get("order_type", posting_rules.ANY)
        if asked != posting_rules.ANY and asked not in values["order_types"]:
            known = ", ".join(sorted(values["order_types"])) or "none"
            yield f"posting_rules.{n}.order_type", f"is {asked!r}, so it never can match: order_types has {known}"
    yield from _sides(values)
    for ours, kind in values["order_types"].items():
        if kind.get("issue_account") == values["stock_account"]:
            yield f"order_types.{ours}.issue_account", "is the stock account itself: the goods would not leave it"


def _sides(values: Mapping[str, Any]) -> Iterable[Fault]:
    """No account may be stock by one rule and the other side by another: nobody could tie it out."""
    own = posting_rules.read_rules(values["posting_rules"])
    if not own:
        return
    elsewhere = {code: kind["issue_account"] for code, kind in values["order_types"].items() if "issue_account" in kind}
    built = posting_rules.built_in(
        values["stock_account"],
        values["cost_of_goods_sold_account"],
        values["opening_account"],
        values["scrap_account"],
        values["goods_received_not_invoiced_account"],
        values["price_difference_account"],
        elsewhere,
    )
    for account in posting_rules.both_sides([*own, *built]):
        yield "posting_rules", f"book {account} as stock by one rule and as the other side by another"


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_CODE and value == value.strip() and value.isprintable()


def _kind(type_: type) -> str:
    return {bool: "true or false", int: "a whole number", str: "a text"}.get(type_, type_.__name__)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
