"""Webhooks: thin notes that something happened, sent to an address that a person entered.

A note is written in the transaction of the change it tells of, and sent afterwards. What fails is sent again after
1, 5, 15 and 30 minutes and then every two hours for a day, on the simulator's clock. Nothing promises order.
"""

import asyncio
import hashlib
import sqlite3
from typing import Any

import httpx

from simulators.ongoing.faults import Faults
from simulators.ongoing.wire import dumps, loads, moment_text, number
from simulators.ongoing.world import DAY, World

Json = Any

_MINUTE = 60_000
_FIRST_WAITS = (1 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE)
_LATER_WAIT = 120 * _MINUTE
_ANSWER_TIMEOUT = 10.0
_FIRST_EVENT_ID = 4550101

ORDER_EVENTS = ("created", "statusChanged", "picked")
PICKING_EVENTS = ("isAllocated", "isPicked", "isPacked", "isReturned", "isDeleted")
MOVEMENT_EVENTS = ("isReceive",)
EVENTS = {
    "order": ORDER_EVENTS,
    "picking": PICKING_EVENTS,
    "purchaseOrder": ("created", "statusChanged", "received"),
    "movement": MOVEMENT_EVENTS,
    "inventory": ("adjusted",),
}


class Webhooks:
    """Writes the notes. Sending them is `Sender`'s."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world, self._faults = world, faults
        world.tell = self.tell

    def tell(self, kind: str, event: str, row_id: int) -> None:
        """Tell of a purchase order, a received item or an adjustment, by the id of its row."""
        {"purchaseOrder": self._purchase_order, "movement": self._movement, "inventory": self._inventory}[kind](event, row_id)

    def _purchase_order(self, event: str, purchase_id: int) -> None:
        row = self._world.db.execute("SELECT * FROM purchase_order WHERE id = ?", (purchase_id,)).fetchone()
        document = loads(row["document"])
        for hook in self._hooks(row["goods_owner"], "purchaseOrder", event):
            if hook["statuses"] and event == "statusChanged" and row["status"] not in loads(hook["statuses"]):
                continue
            note = {
                "webhookPurchaseOrdersId": hook["id"],
                "purchaseOrderId": row["id"],
                "purchaseOrderNumber": row["number"],
                "goodsOwnerId": row["goods_owner"],
                "path": f"api/v1/purchaseOrders/{row['id']}",
                "webhookTemplate": "Standard",
                "purchaseOrderStatus": {"number": row["status"]},
                "goodsOwnerName": self._owner_name(row["goods_owner"]),
                "purchaseOrderType": _order_type(document),
            }
            self._write(hook, row["number"], note)

    def _movement(self, event: str, item_id: int) -> None:
        item = self._world.db.execute(
            "SELECT i.*, l.article_id, l.row_number, l.reported, a.number AS article_number, p.number AS purchase_number,"
            " p.goods_owner, p.document FROM received_item i JOIN purchase_line l ON l.id = i.line_id"
            " JOIN article a ON a.id = l.article_id JOIN purchase_order p ON p.id = i.purchase_order_id WHERE i.id = ?",
            (item_id,),
        ).fetchone()
        for hook in self._hooks(item["goods_owner"], "movement", event):
            note = {
                "webhookMovesId": hook["id"],
                "goodsOwnerId": item["goods_owner"],
                "isReceive": event == "isReceive",
                "isMove": event == "isMove",
                "article": {"articleSystemId": item["article_id"], "articleNumber": item["article_number"], "barCode": None},
                "movement": {"from": None, "to": {**_PLACE, "toLocation": item["location"]}},
                "articleItem": {
                    "articleItemId": item["id"],
                    "originalArticleItemId": item["id"],
                    "serial": item["serial"],
                    "batch": item["batch"],
                    "expiryDate": None,
                    "numberOfItems": number(item["quantity"]),
                    "articleItemStatus": None,
                },
                **_SOMEBODY,
                "purchaseOrder": {
                    "purchaseOrderId": item["purchase_order_id"],
                    "purchaseOrderNumber": item["purchase_number"],
                    "purchaseOrderLine": {
                        "id": item["line_id"],
                        "rowNumber": item["row_number"],
                        "reportedNumberOfItems": number(item["reported"] or 0),
                    },
                    "purchaseOrderType": _order_type(loads(item["document"])),
                },
                "webhookTemplate": "Standard",
            }
            self._write(hook, item["purchase_number"], note)

    def _inventory(self, event: str, adjustment_id: int) -> None:
        row = self._world.db.execute(
            "SELECT j.*, a.number AS article_number, i.comment FROM adjustment j JOIN article a ON a.id = j.article_id"
            " JOIN inventory i ON i.id = j.inventory_id WHERE j.id = ?",
            (adjustment_id,),
        ).fetchone()
        cause = loads(row["cause"]) if row["cause"] else None
        for hook in self._hooks(row["goods_owner"], "inventory", event):
            note = {
                "webhookInventoryId": hook["id"],
                "goodsOwnerId": row["goods_owner"],
                "goodsOwnerName": self._owner_name(row["goods_owner"]),
                "transaction": {
                    "transactionNumberOfItems": number(row["quantity"]),
                    "inventoryAdjustmentCause": {"id": 1, "code": cause["code"]} if cause else None,
                    "returnRemovedByOrder": None,
                    "inventoryTransactionComment": row["item_comment"],
                },
                "inventory": {"inventoryId": row["inventory_id"], "isCountInventory": False, "inventoryComment": row["comment"]},
                "article": {"articleSystemId": row["article_id"], "articleNumber": row["article_number"], "barCode": None},
                "articleItem": {
                    "articleItemId": row["article_item_id"],
                    "originalArticleItemId": row["article_item_id"],
                    "serial": row["serial"],
                    "batch": row["batch"],
                    "expiryDate": None,
                    "numberOfItems": number(row["quantity"]),
                    "articleItemStatus": None,
                },
                **_SOMEBODY,
                "purchaseOrder": None,
                "location": {"location": row["location"], "locationId": 1, "isLocked": False, "isLockedForSale": False},
                "webhookTemplate": "Standard",
            }
            self._write(hook, row["article_number"], note)

    def order(self, order_id: int, event: str) -> None:
        """Tell that an order was created, changed its status or was picked."""
        row = self._world.db.execute("SELECT * FROM sales_order WHERE id = ?", (order_id,)).fetchone()
        for hook in self._hooks(row["goods_owner"], "order", event):
            if hook["statuses"] and event == "statusChanged" and row["status"] not in loads(hook["statuses"]):
                continue
            self._write(hook, row["number"], {"webhookOrdersId": hook["id"], **self._order_note(row)})

    def _order_note(self, row: sqlite3.Row) -> dict[str, Json]:
        document = loads(row["document"])
        tracking = self._world.db.execute("SELECT * FROM tracking WHERE order_id = ? ORDER BY id", (row["id"],))
        parcels = self._world.db.execute("SELECT * FROM parcel WHERE order_id = ? ORDER BY id", (row["id"],))
        return {
            "orderId": row["id"],
            "orderNumber": row["number"],
            "goodsOwnerId": row["goods_owner"],
            "goodsOwnerOrderId": document.get("goodsOwnerOrderId"),
            "consigneeOrderNumber": document.get("consigneeOrderNumber"),
            "path": f"api/v1/orders/{row['id']}",
            **_SOMEBODY,
            "orderStatus": {"number": row["status"]},
            "currentShipmentId": row["shipment_id"],
            "webhookTemplate": "Standard",
            "goodsOwnerName": self._owner_name(row["goods_owner"]),
            "goodsOwnerClasses": [],
            "tracking": [
                {"trackingUrl": each["tracking_url"], "waybill": each["waybill"], "isReturn": bool(each["is_return"])}
                for each in tracking
            ],
            "parcels": [
                {
                    "id": each["id"],
                    "parcelNumber": each["number"],
                    "isReturnParcel": bool(each["is_return"]),
                    "tracking": {"trackingUrl": each["tracking_url"]},
                }
                for each in parcels
            ],
        }

    def picking(self, order_id: int, event: str, moved: list[tuple[int, int]]) -> None:
        """Tell for each line and quantity that goods were allocated, picked, packed, returned or deallocated."""
        row = self._world.db.execute("SELECT * FROM sales_order WHERE id = ?", (order_id,)).fetchone()
        for hook in self._hooks(row["goods_owner"], "picking", event):
            for line_id, quantity in moved:
                line = self._world.db.execute(
                    "SELECT l.*, a.number AS article_number FROM order_line l JOIN article a ON a.id = l.article_id"
                    " WHERE l.id = ?",
                    (line_id,),
                ).fetchone()
                self._write(
                    hook, row["number"], {"webhookPickingId": hook["id"], **self._picking_note(row, line, event, quantity)}
                )

    def _picking_note(self, row: sqlite3.Row, line: sqlite3.Row, event: str, quantity: int) -> dict[str, Json]:
        return {
            "goodsOwnerId": row["goods_owner"],
            "goodsOwnerName": self._owner_name(row["goods_owner"]),
            **{name: name == event for name in PICKING_EVENTS},
            "article": {"articleSystemId": line["article_id"], "articleNumber": line["article_number"], "barCode": None},
            "articleItem": {
                "articleItemId": line["id"],
                "originalArticleItemId": line["id"],
                "serial": line["serial"] or "",
                "batch": line["batch"] or "",
                "expiryDate": None,
                "numberOfItems": number(quantity),
                "location": None,
                "returnCause": None,
                "orderPalletItem": None,
            },
            **_SOMEBODY,
            "order": {
                "orderId": row["id"],
                "orderNumber": row["number"],
                "orderLine": {"orderLineId": line["id"], "rowNumber": line["row_number"], "parentOrderLine": line["parent_id"]},
            },
            "webhookTemplate": "Standard",
        }

    def replay(self, owner_id: int, about: str) -> int:
        """Send every note about an order once more, as it was; says how many."""
        now = self._world.now()
        again = self._world.db.execute(
            "INSERT INTO webhook_call (webhook_id, event_id, body, created_at, due_at, state, number)"
            " SELECT c.webhook_id, c.event_id, c.body, ?, ?, 'waiting', c.number FROM webhook_call c"
            " JOIN webhook h ON h.id = c.webhook_id WHERE h.goods_owner = ? AND c.number = ? ORDER BY c.id",
            (now, now, owner_id, about),
        )
        self._world.webhooks_waiting = True
        return again.rowcount

    def _hooks(self, owner_id: int, kind: str, event: str) -> list[sqlite3.Row]:
        rows = self._world.db.execute(
            "SELECT * FROM webhook WHERE goods_owner = ? AND type = ? AND enabled", (owner_id, kind)
        ).fetchall()
        return [row for row in rows if row["events"] is None or event in loads(row["events"])]

    def _owner_name(self, owner_id: int) -> str:
        return str(self._world.db.execute("SELECT name FROM goods_owner WHERE id = ?", (owner_id,)).fetchone()["name"])

    def _write(self, hook: sqlite3.Row, about: str, note: dict[str, Json]) -> None:
        now = self._world.now()
        newest = self._world.db.execute("SELECT event_id FROM webhook_call ORDER BY id DESC LIMIT 1").fetchone()
        event_id = newest["event_id"] + 1 if newest else _FIRST_EVENT_ID
        tenant = self._world.db.execute("SELECT tenant FROM goods_owner WHERE id = ?", (hook["goods_owner"],)).fetchone()[
            "tenant"
        ]
        timestamp = moment_text(now - now % 1000)[:-1] + f".{now % 1000:03d}0000"
        body = dumps({**note, "webhookEventId": event_id, "system": tenant, "timestamp": timestamp})
        dues, state = [now], "waiting"
        for fault in self._faults.meet("WEBHOOK", hook["type"], hook["type"]):
            match fault.kind:
                case "drop":
                    state = "dropped"
                case "duplicate":
                    copies = range(int(fault.params.get("copies", 2)))
                    dues = [now + _drawn(f"{fault.seed}/{event_id}/{n}", float(fault.params.get("within", 0))) for n in copies]
                case "reorder":
                    dues = [now + int(fault.seconds(1.0) * 1000)]
        for due in dues:
            self._world.db.execute(
                "INSERT INTO webhook_call (webhook_id, event_id, body, created_at, due_at, state, number) VALUES (?,"
                " ?, ?, ?, ?, ?, ?)",
                (hook["id"], event_id, body, now, due, state, about),
            )
        self._world.webhooks_waiting = True


def _drawn(seed: str, seconds: float) -> int:
    """Milliseconds between now and `seconds` later, the same for the same seed."""
    return int(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) / 2**32 * seconds * 1000)


def _order_type(document: dict[str, Json]) -> Json:
    kind = document.get("purchaseOrderType")
    return {"purchaseOrderTypeId": 1, "purchaseOrderTypeCode": kind.get("code")} if kind else None


_PLACE = {"toLocationId": 1, "isLocationLocked": False, "isLocationLockedForSale": False}
_SOMEBODY = {"byUser": {"userId": 31}, "byComputer": {"computerId": 4, "computerName": "PACK-02"}}


class Sender:
    """Sends what is due, and sleeps until the next is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=_ANSWER_TIMEOUT, trust_env=False, follow_redirects=False) as http:
            while True:
                self._wake.clear()
                call = self._world.db.execute(
                    "SELECT c.*, h.url, h.token, h.retry_policy FROM webhook_call c JOIN webhook h ON h.id = c.webhook_id"
                    " WHERE c.state = 'waiting' ORDER BY c.due_at, c.id LIMIT 1"
                ).fetchone()
                wait = None if call is None else self._world.clock.seconds_until(call["due_at"])
                if call is not None and wait == 0.0:
                    await self._send(http, call)
                    continue
                try:
                    await asyncio.wait_for(self._wake.wait(), wait)
                except TimeoutError:
                    continue

    async def _send(self, http: httpx.AsyncClient, call: sqlite3.Row) -> None:
        headers = {"Content-Type": "application/json", **({"X-Auth-Token": call["token"]} if call["token"] else {})}
        status: int | None = None
        try:
            status = (await http.post(call["url"], content=call["body"].encode(), headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            status = None
        attempts = call["attempts"] + 1
        if status is not None and 200 <= status < 300:
            state, due = "sent", call["due_at"]
        else:
            state, due = self._next_attempt(call, attempts)
        self._world.db.execute(
            "UPDATE webhook_call SET state = ?, due_at = ?, attempts = ?, last_status = ? WHERE id = ?",
            (state, due, attempts, status, call["id"]),
        )

    def _next_attempt(self, call: sqlite3.Row, attempts: int) -> tuple[str, int]:
        wait = _FIRST_WAITS[attempts - 1] if attempts <= len(_FIRST_WAITS) else _LATER_WAIT
        due = self._world.now() + wait
        if call["retry_policy"] != "OneDay" or due > call["created_at"] + DAY:
            return "given-up", call["due_at"]
        return "waiting", due
