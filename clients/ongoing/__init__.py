"""Ongoing WMS, the goods owner REST API v1. Names are Ongoing's own, in snake case; `line_id` and `order_id` are its ids.

Optional details may be null, missing or an empty list, and mean the same. A quantity that is null stays None: unknown, and
never zero; the caller judges. Ongoing has no error codes, so after a refusal the order itself is read to see what holds.
"""

from clients.ongoing.asked import OrderFilter, PurchaseFilter
from clients.ongoing.client import Kind, OngoingClient
from clients.ongoing.seen import (
    ArticleAdjustments,
    ArticleInventory,
    GetArticle,
    GetOrder,
    GetOrderLine,
    GetPurchaseOrder,
    GetReturnOrder,
    InventoryAdjustment,
    OrderStatus,
    OrderTransporter,
    Tracking,
)
from clients.ongoing.sent import (
    AlternativeBarCode,
    ArticleNameTranslation,
    Cause,
    Consignee,
    PostArticle,
    PostOrder,
    PostOrderLine,
    PostPurchaseLine,
    PostPurchaseOrder,
    PostReturnLine,
    PostReturnOrder,
    Prices,
    StructureDefinition,
    StructureRow,
    TaricNumber,
    Transporter,
)

__all__ = [
    "AlternativeBarCode",
    "ArticleAdjustments",
    "ArticleInventory",
    "ArticleNameTranslation",
    "Cause",
    "Consignee",
    "GetArticle",
    "GetOrder",
    "GetOrderLine",
    "GetPurchaseOrder",
    "GetReturnOrder",
    "InventoryAdjustment",
    "Kind",
    "OngoingClient",
    "OrderFilter",
    "OrderStatus",
    "OrderTransporter",
    "PostArticle",
    "PostOrder",
    "PostOrderLine",
    "PostPurchaseLine",
    "PostPurchaseOrder",
    "PostReturnLine",
    "PostReturnOrder",
    "Prices",
    "PurchaseFilter",
    "StructureDefinition",
    "StructureRow",
    "TaricNumber",
    "Tracking",
    "Transporter",
]
