"""What the outbox says about purchase orders."""

from domain.keys import PurchaseKey
from erp.counters import PURCHASE_ORDER
from starters.relay_documents import Documents
from workflows.receive_purchase_order import ReceivePurchaseOrder

PURCHASES = Documents(
    PURCHASE_ORDER,
    "Purchase order",
    PurchaseKey,
    ReceivePurchaseOrder.run,
    "purchase-order.placed",
    {
        "purchase-order.changed": ReceivePurchaseOrder.erp_changed,
        "purchase-order.cancel": ReceivePurchaseOrder.erp_changed,
    },
)
