"""Which orders and purchases are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from clients.wire import utc


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders; everything that is set must hold. Times are aware; `updated_from` may be at most two days old."""

    order_numbers: Sequence[str] = ()
    order_id_from: int | None = None
    status_from: int | None = None
    status_to: int | None = None
    status_changed_from: datetime | None = None
    updated_from: datetime | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    shipped_from: datetime | None = None
    shipped_to: datetime | None = None
    last_picking_from: datetime | None = None
    last_returned_from: datetime | None = None
    only_with_lines_to_report: bool = False
    only_with_lines_to_report_returned: bool = False
    back_order_for_order_id: int | None = None
    article_numbers: Sequence[str] = ()

    def parameters(self) -> list[tuple[str, object]]:
        """As query parameters, without the order numbers and the cursor, which paging adds."""
        times = {
            "orderStatusChangedTimeFrom": self.status_changed_from,
            "orderUpdatedTimeFrom": self.updated_from,
            "orderCreatedTimeFrom": self.created_from,
            "orderCreatedTimeTo": self.created_to,
            "shippedTimeFrom": self.shipped_from,
            "shippedTimeTo": self.shipped_to,
            "lastPickingTimeFrom": self.last_picking_from,
            "lastReturnedFrom": self.last_returned_from,
        }
        return [
            ("orderStatusFrom", self.status_from),
            ("orderStatusTo", self.status_to),
            *((name, at and utc(at)) for name, at in times.items()),
            ("onlyOrdersWithOrderLinesToReport", self.only_with_lines_to_report or None),
            ("onlyOrdersWithOrderLinesToReportReturned", self.only_with_lines_to_report_returned or None),
            ("backOrderForOrderId", self.back_order_for_order_id),
            *(("articleNumbers", number) for number in self.article_numbers),
        ]


@dataclass(frozen=True, slots=True)
class PurchaseFilter:
    """Which purchase orders; everything that is set must hold. Times are aware."""

    purchase_order_numbers: Sequence[str] = ()
    purchase_order_id_from: int | None = None
    status_changed_from: datetime | None = None
    last_received_from: datetime | None = None
    only_with_lines_to_report: bool = False
    article_numbers: Sequence[str] = ()

    def parameters(self) -> list[tuple[str, object]]:
        """As query parameters, without the numbers and the cursor, which paging adds."""
        return [
            *(("articleNumbers", number) for number in self.article_numbers),
            ("purchaseOrderStatusChangedTimeFrom", self.status_changed_from and utc(self.status_changed_from)),
            ("lastReceiveTimeFrom", self.last_received_from and utc(self.last_received_from)),
            ("onlyPurchaseOrdersWithOrderLinesToReport", self.only_with_lines_to_report or None),
        ]
