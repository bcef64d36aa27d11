"""Webhook bodies as Ongoing documents them, for every type that we read."""

from typing import Any

COMMON: dict[str, Any] = {
    "webhookEventId": 4550101,
    "system": "nordlager",
    "timestamp": "2026-03-02T13:05:48.1230000",
    "goodsOwnerId": 77,
    "goodsOwnerName": "Nordbutik AB",
    "webhookTemplate": "Standard",
    "byUser": {"userId": 31},
    "byComputer": {"computerId": 4, "computerName": "PACK-02"},
}
ARTICLE = {"articleSystemId": 501, "articleNumber": "A-1", "barCode": None}


def order(**changes: Any) -> dict[str, Any]:
    return (
        COMMON
        | {
            "webhookOrdersId": 12,
            "orderId": 90211,
            "orderNumber": "SO-10045",
            "goodsOwnerOrderId": "6f0a2c1e",
            "path": "api/v1/orders/90211",
            "orderStatus": {"number": 450},
            "tracking": [],
            "parcels": [],
        }
        | changes
    )


def picking(**changes: Any) -> dict[str, Any]:
    flags = {"isAllocated": False, "isPicked": True, "isPacked": False, "isReturned": False, "isDeleted": False}
    about = {"orderId": 90211, "orderNumber": "SO-10045", "orderLine": {"orderLineId": 7, "rowNumber": "1"}}
    return COMMON | flags | {"webhookPickingId": 13, "article": ARTICLE, "order": about} | changes


def purchase_order(**changes: Any) -> dict[str, Any]:
    return (
        COMMON
        | {
            "webhookPurchaseOrdersId": 14,
            "purchaseOrderId": 3301,
            "purchaseOrderNumber": "PO-9",
            "path": "api/v1/purchaseOrders/3301",
            "purchaseOrderStatus": {"number": 400},
        }
        | changes
    )


def movement(**changes: Any) -> dict[str, Any]:
    return (
        COMMON
        | {
            "webhookMovesId": 15,
            "isReceive": True,
            "isMove": False,
            "article": ARTICLE,
            "purchaseOrder": {"purchaseOrderId": 3301, "purchaseOrderNumber": "PO-9"},
        }
        | changes
    )


def inventory(**changes: Any) -> dict[str, Any]:
    return (
        COMMON
        | {
            "webhookInventoryId": 16,
            "transaction": {"transactionNumberOfItems": -2, "inventoryAdjustmentCause": {"id": 3, "code": "BROKEN"}},
            "inventory": {"inventoryId": 8801, "isCountInventory": False, "inventoryComment": None},
            "article": ARTICLE,
        }
        | changes
    )


EVERY_TYPE = (order, picking, purchase_order, movement, inventory)
