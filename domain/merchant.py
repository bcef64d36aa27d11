"""A merchant's settings: how its warehouse numbers things, when it ships, which accounts it uses.

Kept as one validated document per merchant. Everything the papers of the two systems leave open is a setting here, with the
default that the papers suggest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from domain.errors import Refused
from domain.exchange import AT_INVOICE, AT_PAYMENT, RatePolicy
from domain.rates import Limits
from domain.stock import StockAccounts
from domain.vat import VatZone
from domain.vouchers import PER, POLICIES

STATUS_MEANINGS = ("error", "open", "released", "allocated", "picked", "sent", "collected", "returned", "cancelled")
SENT = frozenset({"sent", "collected", "returned"})

DEFAULT_STATUSES = {
    "150": "error",
    "200": "open",
    "300": "released",
    "320": "allocated",
    "400": "picked",
    "450": "sent",
    "500": "collected",
    "800": "returned",
    "1000": "cancelled",
}
DEFAULT_SALES_ACCOUNTS = {
    "SEVAT": {"25": 3001, "12": 3002, "6": 3003, "0": 3004},
    "EUREVERSEDVAT": {"0": 3108},
    "EUVAT": {"25": 3106, "12": 3106, "6": 3106, "0": 3106},
    "EXPORT": {"0": 3105},
}
DEFAULT_FREIGHT_ACCOUNTS = {"SEVAT": 3520, "EUREVERSEDVAT": 3521, "EUVAT": 3521, "EXPORT": 3522}


@dataclass(frozen=True, slots=True)
class MerchantSettings:
    """Settings of one merchant. `short_grace_seconds`: how long a short shipment waits for a back order or more picks;
    `ship_when`: `sent` (the goods have left) or `picked` (each pick is a shipment); `report_singly_up_to`: lines reported one
    by one, more than that by Ongoing's "set all".

    `voucher_series`: a series in Fortnox that only we write to; `voucher_per`: `day` or `event`; `locked_period_policy`: what is
    late for a locked day is booked on the `next-open-day`, or on `hold` until a person opens it; `opening_is_in_fortnox`: the
    stock account held the opening value before go-live, so opening entries get no voucher.

    `rate_currencies`: fetched beside those of suppliers and purchases; `rate_units`: a currency that the Riksbank quotes for 100;
    `rate_difference_at_invoice`, `rate_difference_at_payment`: see `domain/exchange.py`.

    `second_person_above`: a person's correction that concerns more than this, in the books' currency, waits for a second
    person; 0: never."""

    statuses: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_STATUSES))
    warehouse: str = "MAIN"
    ship_when: str = "sent"
    short_grace_seconds: int = 3600
    invoice_over_delivery: bool = False
    report_singly_up_to: int = 10
    collective_customers: bool = True
    stock_account: int = 1460
    cost_of_goods_sold_account: int = 4960
    opening_account: int = 2099
    sales_accounts: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: dict(DEFAULT_SALES_ACCOUNTS))
    freight_accounts: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_FREIGHT_ACCOUNTS))
    terms_of_payment: str = "30"
    rate_currencies: Sequence[str] = ()
    rate_units: Mapping[str, int] = field(default_factory=dict)
    rate_history_days: int = 30
    rate_jump_percent: int = 20
    rate_cross_check_percent: int = 5
    rate_difference_at_invoice: str = "product-cost"
    rate_difference_at_payment: str = "accounting-system"
    watch_days: int = 400
    watch_interval_seconds: int = 60
    nightly_sweep_hour: int = 3
    voucher_series: str = "L"
    voucher_per: str = "day"
    locked_period_policy: str = "next-open-day"
    opening_is_in_fortnox: bool = False
    vouchers_hour: int = 4
    second_person_above: int = 50_000

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "MerchantSettings":
        """Settings from their stored form; an unknown or unusable value is refused with its name."""
        known = {f.name: f for f in fields(cls)}
        for name, value in document.items():
            if name not in known:
                raise Refused("settings-wrong", f"setting {name} is not known; known are {', '.join(sorted(known))}")
            default = getattr(cls(), name)
            if isinstance(default, bool | int | str) and type(value) is not type(default):
                raise Refused("settings-wrong", f"setting {name} is {value!r}, not a {type(default).__name__}")
        settings = cls(**document)
        for number, meaning in settings.statuses.items():
            if not number.isdigit() or meaning not in STATUS_MEANINGS:
                raise Refused(
                    "settings-wrong", f"statuses: {number} means {meaning!r}; meanings are {', '.join(STATUS_MEANINGS)}"
                )
        if settings.ship_when not in ("sent", "picked"):
            raise Refused("settings-wrong", f"ship_when is {settings.ship_when!r}, not sent or picked")
        if settings.voucher_per not in PER:
            raise Refused("settings-wrong", f"voucher_per is {settings.voucher_per!r}, not one of {', '.join(PER)}")
        if settings.locked_period_policy not in POLICIES:
            policies = ", ".join(POLICIES)
            raise Refused("settings-wrong", f"locked_period_policy is {settings.locked_period_policy!r}, not one of {policies}")
        if not 1 <= len(settings.voucher_series) <= 10:
            raise Refused("settings-wrong", f"voucher_series is {settings.voucher_series!r}, not 1 to 10 characters")
        _check_rates(settings)
        for zone in settings.sales_accounts:
            if zone not in set(VatZone):
                raise Refused("settings-wrong", f"sales_accounts: {zone!r} is not one of {', '.join(VatZone)}")
        return settings

    def meaning(self, status: int) -> str:
        """What an order status number means at this merchant's warehouse; an unknown number blocks, naming it."""
        try:
            return self.statuses[str(status)]
        except KeyError:
            raise Refused("unknown-order-status", f"order status {status} has no meaning in the merchant's settings") from None

    @property
    def rate_policy(self) -> RatePolicy:
        return RatePolicy(self.rate_difference_at_invoice, self.rate_difference_at_payment)

    @property
    def rate_limits(self) -> Limits:
        return Limits(Decimal(self.rate_jump_percent), Decimal(self.rate_cross_check_percent))

    @property
    def stock_accounts(self) -> StockAccounts:
        return StockAccounts(self.stock_account, self.cost_of_goods_sold_account, self.opening_account)

    def sales_account(self, zone: VatZone, rate: Decimal, row: str) -> int:
        """The account for a sale at this rate to this zone, or a refusal naming the row."""
        try:
            return self.sales_accounts[zone.value][f"{rate.normalize():f}"]
        except KeyError:
            raise Refused("vat-rate-without-account", f"{row}: no account for {rate.normalize():f} % VAT, {zone.value}") from None


def _check_rates(settings: MerchantSettings) -> None:
    currencies, units = settings.rate_currencies, settings.rate_units
    if not isinstance(currencies, list | tuple) or not all(
        isinstance(c, str) and c.isalpha() and len(c) == 3 for c in currencies
    ):
        raise Refused("settings-wrong", f'rate_currencies is {currencies!r}, not a list such as ["EUR", "USD"]')
    if not isinstance(units, Mapping) or not all(units[currency] in (1, 100) for currency in units):
        raise Refused("settings-wrong", f'rate_units is {units!r}, not like {{"JPY": 100}}; a unit is 1 or 100')
    if not 1 <= settings.rate_history_days <= 3650:
        raise Refused("settings-wrong", f"rate_history_days is {settings.rate_history_days}, not from 1 to 3650")
    for name, most in (("rate_jump_percent", 100), ("rate_cross_check_percent", 50)):
        if not 1 <= getattr(settings, name) <= most:
            raise Refused("settings-wrong", f"{name} is {getattr(settings, name)}, not from 1 to {most}")
    for name, known in (("rate_difference_at_invoice", AT_INVOICE), ("rate_difference_at_payment", AT_PAYMENT)):
        if getattr(settings, name) not in known:
            raise Refused("settings-wrong", f"{name} is {getattr(settings, name)!r}, not one of {', '.join(known)}")
