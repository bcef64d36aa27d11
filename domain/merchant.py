"""A merchant's settings: how its warehouse numbers and names things, when it ships, which accounts it uses.

Kept as one document per merchant, checked as a whole by `domain.mapping`: what is wrong is refused with its name. Everything
the papers of the two systems leave open is a setting here, with the default that the papers suggest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from domain import prices
from domain.errors import Refused
from domain.exchange import RatePolicy
from domain.mapping import STATUS_MEANINGS, OrderType, Transport, WayOfDelivery, read_settings
from domain.matching import Tolerance
from domain.pools import AT_SET_PRICE
from domain.posting_rules import ANY, PostingRule, built_in, read_rules
from domain.rates import Limits
from domain.reconciliation_settings import ReconciliationSettings
from domain.stock import StockAccounts
from domain.vat import VatZone

__all__ = ["SENT", "STATUS_MEANINGS", "MerchantSettings"]

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
DEFAULT_RETURN_STATUSES = {"100": "notified", "500": "returned", "900": "cancelled"}
DEFAULT_PURCHASE_STATUSES = {
    "100": "notified",
    "200": "arrival",
    "300": "inbound",
    "400": "deviation",
    "500": "received",
    "900": "cancelled",
}
DEFAULT_SALES_ACCOUNTS = {
    "SEVAT": {"25": 3001, "12": 3002, "6": 3003, "0": 3004},
    "EUREVERSEDVAT": {"0": 3108},
    "EUVAT": {"25": 3106, "12": 3106, "6": 3106, "0": 3106},
    "EXPORT": {"0": 3105},
}
DEFAULT_FREIGHT_ACCOUNTS = {"SEVAT": 3520, "EUREVERSEDVAT": 3521, "EUVAT": 3521, "EXPORT": 3522}
DEFAULT_IN_TRANSIT_ACCOUNT = 1461
_SALE: OrderType = {"code": None}
DEFAULT_ORDER_TYPES: dict[str, OrderType] = {
    "normal": {"code": None},
    "transfer": {"code": "TRANSFER", "invoice": False, "issue_account": DEFAULT_IN_TRANSIT_ACCOUNT},
}


@dataclass(frozen=True, slots=True)
class MerchantSettings:
    """Settings of one merchant. `short_grace_seconds`: how long a short shipment waits for a back order or more picks;
    `ship_when`: `sent` (the goods have left) or `picked` (each pick is a shipment); `report_singly_up_to`: lines reported one
    by one, more than that by Ongoing's "set all".

    `statuses`: the warehouse's number, what it means; `edit_lock_status`: the lowest of its numbers at which it refuses to change
    an order. `ways_of_delivery`, `transporters` and `order_types`: the ERP's code, what it is called in the warehouse; each list
    is whole, and a code that is not in it blocks. An order type says too whether it is invoiced, and on which account its goods
    are laid when they leave, if not on cost of goods sold.

    `voucher_series`: a series in Fortnox that only we write to; `voucher_per`: `day` or `event`; `locked_period_policy`: what is
    late for a locked day is booked on the `next-open-day`, or on `hold` until a person opens it; `opening_is_in_fortnox`: the
    stock account held the opening value before go-live, so opening entries get no voucher.

    `rate_currencies`: fetched beside those of suppliers and purchases; `rate_units`: a currency that the Riksbank quotes for 100;
    `rate_difference_at_invoice`, `rate_difference_at_payment`: see `domain/exchange.py`.

    `return_causes`: what goods that come back for a cause are fit for (`stock`, `locked`, `scrapped`), `return_grade_unstated`
    where no cause is given; `credit_freight`: `with-the-last` goods or `never`.

    `null_clears_structure`: an article that is a structure article no longer is sent with a null in its place, for a warehouse
    that takes it so; without it the warehouse must be told by hand.

    `second_person_above`: a person's correction that concerns more than this, in the books' currency, waits for a second
    person; 0: never.

    `purchase_statuses`: the warehouse's number of a purchase order, what it means; `close_purchase_short`, `close_purchase_over`:
    what the warehouse finished with a difference is closed `at-deviation`, or waits for a `person`;
    `goods_received_not_invoiced_account`: what is owed for goods received until their invoice comes. It has no default: without
    it nothing that is received can be booked.

    `costing_method`: what leaves costs its `moving-average`, what the oldest cost (`fifo`), or stock stands at a set price
    (`latest-price` or `standard`) and what goods cost more goes to `price_difference_account`; chosen before anything is booked.
    `cost_landed_percent`: what freight and customs add to an article's calculated cost; it is written when it has moved more than
    `cost_threshold_percent`, and refused when more than `cost_jump_percent`, until a person sets it.

    `posting_style`: goods that come in are owed for (`gr-ir`) until their invoice is booked, or (`purchases-expensed`) stock is a
    change of its own beside purchases that Fortnox books as cost; then no account for goods not invoiced is needed.
    `posting_rules`: accounts by event, order type, article and so on, the first match wins; see `domain/posting_rules.py`.

    `match_supplier_invoices`: a purchase order lives until its supplier invoices are matched, not only until its goods are here;
    `supplier_invoice_when`: they are matched once they are `booked` there, or as soon as they are `registered`;
    `supplier_invoice_purchase_field`: the field of the accounting system that holds our purchase order number;
    `purchase_account`: where goods are coded on supplier invoices, without it the account of goods not invoiced.
    `invoice_tolerance_...`: how much a price may differ before a person must decide, percent and amount of a row, both must hold;
    and how much a total may differ by rounding. `supplier_claims_account`: where what the supplier owes us waits; without it on
    the account of what is not invoiced. `landed_cost_account`: invoice rows on it are costs of bringing goods home, laid on
    receipts by `landed_cost_key`. `purchase_difference_account`: what a credit note brings more or less than expected; without it
    cost of goods sold.

    `reconciliation`: see `domain/reconciliation_settings.py`."""

    statuses: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_STATUSES))
    edit_lock_status: int = 320
    ways_of_delivery: Mapping[str, WayOfDelivery] = field(default_factory=dict)
    transporters: Mapping[str, Transport] = field(default_factory=dict)
    order_types: Mapping[str, OrderType] = field(default_factory=lambda: dict(DEFAULT_ORDER_TYPES))
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
    scrap_account: int = 4990
    return_causes: Mapping[str, str] = field(default_factory=dict)
    return_grade_unstated: str = "stock"
    return_statuses: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_RETURN_STATUSES))
    credit_freight: str = "with-the-last"
    purchase_statuses: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_PURCHASE_STATUSES))
    close_purchase_short: str = "person"
    close_purchase_over: str = "at-deviation"
    goods_received_not_invoiced_account: int | None = None
    costing_method: str = "moving-average"
    price_difference_account: int | None = None
    cost_landed_percent: int = 0
    cost_threshold_percent: int = 1
    cost_jump_percent: int = 20
    posting_style: str = "gr-ir"
    posting_rules: Sequence[Mapping[str, Any]] = ()
    match_supplier_invoices: bool = False
    supplier_invoice_when: str = "booked"
    supplier_invoice_purchase_field: str = "YourReference"
    purchase_account: int | None = None
    invoice_tolerance_percent: int = 2
    invoice_tolerance_row: int = 500
    invoice_tolerance_rounding: int = 50
    supplier_claims_account: int | None = None
    landed_cost_account: int | None = None
    landed_cost_key: str = "value"
    purchase_difference_account: int | None = None
    exchange_gain_account: int = 3960
    exchange_loss_account: int = 7960
    terms_of_payment: str = "30"
    rate_currencies: Sequence[str] = ()
    rate_units: Mapping[str, int] = field(default_factory=dict)
    rate_history_days: int = 30
    rate_jump_percent: int = 20
    rate_cross_check_percent: int = 5
    rate_difference_at_invoice: str = "product-cost"
    rate_difference_at_payment: str = "accounting-system"
    null_clears_structure: bool = False
    watch_days: int = 400
    watch_interval_seconds: int = 60
    nightly_sweep_hour: int = 3
    voucher_series: str = "L"
    voucher_per: str = "day"
    locked_period_policy: str = "next-open-day"
    opening_is_in_fortnox: bool = False
    vouchers_hour: int = 4
    second_person_above: int = 50_000
    reconciliation: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "MerchantSettings":
        """Settings from their stored form; an unknown or unusable value is refused with its name."""
        return cls(**read_settings(document, cls()))

    def meaning(self, status: int) -> str:
        """What an order status number means at this merchant's warehouse; an unknown number blocks, naming it."""
        try:
            return self.statuses[str(status)]
        except KeyError:
            raise Refused("unknown-order-status", f"order status {status} has no meaning in the merchant's settings") from None

    def locked(self, status: int) -> bool:
        """Whether the warehouse refuses to change an order that stands at this status number."""
        return status >= self.edit_lock_status

    def order_type(self, code: str, order: str) -> OrderType:
        """What an order type of the ERP is to the warehouse and to the books; an unknown one blocks, naming it."""
        try:
            return self.order_types[code]
        except KeyError:
            raise Refused(
                "unknown-order-type", f"{order}: {_unknown('order type', code, 'order_types', self.order_types)}"
            ) from None

    def way_of_delivery(self, code: str, order: str) -> WayOfDelivery:
        """What a way of delivery of the ERP is called in the warehouse; an unknown one blocks, naming it."""
        try:
            return self.ways_of_delivery[code]
        except KeyError:
            text = _unknown("way of delivery", code, "ways_of_delivery", self.ways_of_delivery)
            raise Refused("unknown-way-of-delivery", f"{order}: {text}") from None

    def our_way_of_delivery(self, theirs: str | None, ordered: str | None) -> str | None:
        """The warehouse's way of delivery in the ERP's words: the one ordered if it is that, else the first that is called so,
        else the warehouse's own."""
        ours = [code for code, way in self.ways_of_delivery.items() if theirs is not None and way["code"] == theirs]
        return ordered if ordered in ours else ours[0] if ours else theirs

    def our_transporter(self, theirs: str | None) -> str | None:
        """The warehouse's transporter in the ERP's word, else the warehouse's own."""
        return next((ours for ours, known in self.transporters.items() if known["code"] == theirs), theirs)

    def return_meaning(self, status: int | None) -> str:
        """What a return order's status number means at this merchant's warehouse; an unknown number blocks, naming it."""
        try:
            return self.return_statuses[str(status)]
        except KeyError:
            text = f"return order status {status} has no meaning in the merchant's settings"
            raise Refused("unknown-return-status", text) from None

    def purchase_meaning(self, status: int) -> str:
        """What a purchase order's status number means at this merchant's warehouse; an unknown number blocks, naming it."""
        try:
            return self.purchase_statuses[str(status)]
        except KeyError:
            text = f"purchase order status {status} has no meaning in the merchant's settings (purchase_statuses)"
            raise Refused("unknown-purchase-status", text) from None

    def receipt_accounts(self, purchase: str, order_type: str) -> StockAccounts:
        """Where receipts are booked: a transfer against its goods in transit, all else against goods received and not invoiced,
        which is refused as long as no account is set for it."""
        transferred = self.order_type(order_type, f"purchase order {purchase}").get("issue_account")
        account = self.received_account if transferred is None else transferred
        if account is None and not any(rule.event in (ANY, "goods-received") for rule in self.own_rules):
            text = f"purchase order {purchase}: set goods_received_not_invoiced_account in the merchant's settings"
            raise Refused("goods-received-account-missing", text)
        return replace(self.stock_accounts, received=account)

    @property
    def received_account(self) -> int | None:
        """The other side of goods that come in, by the posting style; None: it has to be set, or be said by a rule."""
        if self.goods_received_not_invoiced_account is None and self.posting_style == "purchases-expensed":
            return self.cost_of_goods_sold_account
        return self.goods_received_not_invoiced_account

    @property
    def own_rules(self) -> tuple[PostingRule, ...]:
        return read_rules(self.posting_rules)

    @property
    def posting_table(self) -> list[PostingRule]:
        """Every posting rule in order of priority: the merchant's own, and behind them what its other settings come to."""
        accounts = self.stock_accounts
        elsewhere = {code: kind["issue_account"] for code, kind in self.order_types.items() if "issue_account" in kind}
        single = (accounts.stock, accounts.cost_of_goods_sold, accounts.opening, accounts.scrapped)
        return [*accounts.rules, *built_in(*single, self.received_account, accounts.price_difference, elsewhere)]

    @property
    def invoice_tolerance(self) -> Tolerance:
        return Tolerance(
            Decimal(self.invoice_tolerance_percent), Decimal(self.invoice_tolerance_row), Decimal(self.invoice_tolerance_rounding)
        )

    @property
    def invoiced_on(self) -> int | None:
        """The account on which the accounting books goods of supplier invoices."""
        return self.purchase_account or self.goods_received_not_invoiced_account

    def awaits_invoice(self, order_type: str) -> bool:
        """Whether a purchase order of this type is at its end only when it is invoiced. A transfer is invoiced by nobody."""
        return self.match_supplier_invoices and self.order_types.get(order_type, _SALE).get("issue_account") is None

    @property
    def reconciling(self) -> ReconciliationSettings:
        return ReconciliationSettings.of(self.reconciliation)

    @property
    def cost_limits(self) -> prices.Limits:
        return prices.Limits(Decimal(self.cost_threshold_percent), Decimal(self.cost_jump_percent))

    @property
    def rate_policy(self) -> RatePolicy:
        return RatePolicy(self.rate_difference_at_invoice, self.rate_difference_at_payment)

    @property
    def rate_limits(self) -> Limits:
        return Limits(Decimal(self.rate_jump_percent), Decimal(self.rate_cross_check_percent))

    @property
    def stock_accounts(self) -> StockAccounts:
        single = (self.stock_account, self.cost_of_goods_sold_account, self.opening_account, self.scrap_account)
        difference = self.price_difference_account if self.costing_method in AT_SET_PRICE else None
        return StockAccounts(*single, price_difference=difference, rules=self.own_rules)

    @property
    def stock_account_numbers(self) -> list[int]:
        """Every account that stock stands on by some rule: what the tie-out adds up."""
        return sorted({rule.sides(rule.event)[0] for rule in self.posting_table} | {self.stock_account})

    def accounts_for(self, order_type: str) -> StockAccounts:
        """The posting rule of an order type: where its goods are booked from and to when they are picked."""
        return replace(self.stock_accounts, elsewhere=self.order_types.get(order_type, _SALE).get("issue_account"))

    def is_invoiced(self, order_type: str) -> bool:
        """Whether shipments of this order type are billed. What is not known is: it has been sent by a mapping since changed."""
        return self.order_types.get(order_type, _SALE).get("invoice", True)

    def sales_account(self, zone: VatZone, rate: Decimal, row: str) -> int:
        """The account for a sale at this rate to this zone, or a refusal naming the row."""
        try:
            return self.sales_accounts[zone.value][f"{rate.normalize():f}"]
        except KeyError:
            raise Refused("vat-rate-without-account", f"{row}: no account for {rate.normalize():f} % VAT, {zone.value}") from None


def _unknown(what: str, code: str, setting: str, known: Mapping[str, object]) -> str:
    return f"{what} {code!r} is not in the merchant's settings ({setting}: {', '.join(sorted(known)) or 'none yet'})"
