"""A merchant's flows: what is carried between its systems, each switched on or off by itself.

The one list of them. A new flow is a line here, and `using(merchant, FLOW)` or its own look at `bridge.entity` where it works.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow. With a `process` (whose workflow is `<process>/<merchant>`) or a `schedule` (of the same form) it looks by
    itself, every `interval_seconds` if it has an interval, and may be asked to run now; without either it runs whenever
    something happens. `runs` says so in words where there is no interval."""

    name: str
    carries: str
    process: str | None = None
    interval_seconds: int | None = None
    schedule: str | None = None
    runs: str = "whenever something happens"

    @property
    def may_be_asked(self) -> bool:
        """Whether it looks by itself, so that it can be asked to look now."""
        return self.process is not None or self.schedule is not None

    @property
    def off(self) -> str:
        """The reason of what waits because this flow is switched off."""
        return f"{self.name}-off"


ARTICLES = Flow("articles", "articles of the ERP, to the warehouse", "articles", runs="whenever an article changes")
ORDERS_OUT = Flow("orders-out", "released, changed and cancelled sales orders, to the warehouse")
ORDERS_BACK = Flow("orders-back", "what the warehouse has done with sales orders, into our books", "watch", 60)
INVOICES = Flow("invoices", "invoice bases, to the accounting")
PURCHASES = Flow("purchases", "purchase orders, to the warehouse, and what it receives of them, into our books")
VOUCHERS = Flow(
    "vouchers",
    "postings of the ledger, to the accounting",
    schedule="vouchers",
    runs="once a day, at vouchers_hour of the merchant's settings",
)
SUPPLIER_INVOICES = Flow(
    "supplier-invoices",
    "supplier invoices of the accounting, matched to what was received",
    schedule="supplier-invoices",
    runs="every hour, where match_supplier_invoices of the merchant's settings is on",
)
BALANCES = Flow(
    "balances",
    "the daily reconciliation of stock with the warehouse",
    schedule="reconcile",
    runs="once a day, at the hour in the part reconciliation of the merchant's settings",
)
SWEEP = Flow(
    "sweep",
    "the nightly comparison of every watched document",
    "watch",
    runs="once a night, at nightly_sweep_hour of the merchant's settings",
)

FLOWS = {
    flow.name: flow
    for flow in (ARTICLES, ORDERS_OUT, ORDERS_BACK, PURCHASES, SUPPLIER_INVOICES, INVOICES, VOUCHERS, BALANCES, SWEEP)
}
