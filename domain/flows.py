"""A merchant's flows: what is carried between its systems, each switched on or off by itself.

The one list of them. A new flow is a line here, and `using(merchant, FLOW)` or its own look at `bridge.entity` where it works.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow. With a `process` (whose workflow is `<process>/<merchant>`) it looks by itself, every `interval_seconds` if it
    has an interval, and may be asked to run now; without one it runs whenever something happens."""

    name: str
    carries: str
    process: str | None = None
    interval_seconds: int | None = None

    @property
    def off(self) -> str:
        """The reason of what waits because this flow is switched off."""
        return f"{self.name}-off"


ARTICLES = Flow("articles", "articles of the ERP, to the warehouse", "articles", 60)
ORDERS_OUT = Flow("orders-out", "released, changed and cancelled sales orders, to the warehouse")
ORDERS_BACK = Flow("orders-back", "what the warehouse has done with sales orders, into our books", "watch", 60)
INVOICES = Flow("invoices", "invoice bases, to the accounting")
SWEEP = Flow("sweep", "the nightly comparison of every watched document", "watch")

FLOWS = {flow.name: flow for flow in (ARTICLES, ORDERS_OUT, ORDERS_BACK, INVOICES, SWEEP)}
