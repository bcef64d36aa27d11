"""Orders as their owner writes them: create, change, cancel, and the single-field changes.

An order may be put again until the warehouse has begun on it. Lines are matched by row number and keep their ID.
"""

import json
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simulators.ongoing.articles import article_by_number, ensure_stock, save_article
from simulators.ongoing.codes import ensure_code
from simulators.ongoing.order_view import head, line_text, order_by_id, order_text
from simulators.ongoing.webhooks import Webhooks
from simulators.ongoing.wire import PIECE, dumps, loads, to_units
from simulators.ongoing.world import Answer, Call, GoodsOwner, Query, World, Written, only_owner, refuse

Json = Any


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was put, with its article found."""

    row_number: str
    article_id: int
    moves: bool
    is_kit: bool
    ordered: int
    serial: str | None
    batch: str | None
    fixed: str


class Orders:
    def __init__(self, world: World, webhooks: Webhooks) -> None:
        self._world, self._webhooks = world, webhooks

    # --- create and update

    def put(self, world: World, call: Call) -> Answer:
        body = world.read("PostOrderModel", call.body)
        only_owner(call, body["goodsOwnerId"])
        known = self.by_number(call.owner.id, body["orderNumber"])
        return self._save(call.owner, body, known)

    def put_by_id(self, world: World, call: Call) -> Answer:
        body = world.read("PostOrderModel", call.body)
        only_owner(call, body["goodsOwnerId"])
        known = order_by_id(world, call)
        namesake = self.by_number(call.owner.id, body["orderNumber"])
        if namesake is not None and namesake["id"] != known["id"]:
            refuse(400, f"Order number {body['orderNumber']} is already used.")
        return self._save(call.owner, body, known)

    def create_by_hand(self, owner: GoodsOwner, body: Json) -> int:
        """Create an order the way a person in the warehouse does; the owner's systems have never heard of it."""
        read = self._world.read("PostOrderModel", body)
        if self.by_number(owner.id, read["orderNumber"]) is not None:
            refuse(400, f"Order number {read['orderNumber']} is already used.")
        answer = self._save(owner, read, None, status=self._world.switches.order_status("open"))
        assert answer.written is not None
        return answer.written.id

    def _save(self, owner: GoodsOwner, body: dict[str, Json], known: sqlite3.Row | None, *, status: int | None = None) -> Answer:
        world, now = self._world, self._world.now()
        if known is not None:
            self._refuse_if_begun(known)
            self.remember(owner, known)
        keep = known is not None and world.switches["omittedFields"] == "unchanged"
        document: dict[str, Json] = {**(loads(known["document"]) if known is not None and keep else {}), **body}
        posted_lines = document.pop("orderLines", [] if known is None or not keep else None)
        document["warehouseId"] = self._warehouse(document)
        self._check_transporters(document)
        sentences: list[str] = []
        address_id = self._consignee(owner, document, sentences)
        self._ensure_codes(owner, document)
        lines = (
            None if "orderLines" not in body and known is not None and keep else self._lines(owner, posted_lines or [], sentences)
        )
        info, rest = head(world, document, address_id)
        columns: dict[str, Json] = {
            "number": document["orderNumber"],
            "document": dumps(document),
            "info": info,
            "rest": rest,
            "warehouse_id": document["warehouseId"],
            "address_id": address_id,
            "reference_number": document.get("referenceNumber"),
            "market_place": (document.get("marketPlace") or {}).get("marketPlace"),
            "updated_at": now,
            "visible_at": now + int(world.switches["visibilityDelaySeconds"] * 1000),
        }
        if known is None:
            columns |= {
                "goods_owner": owner.id,
                "status": world.switches["startStatus"] if status is None else status,
                "created_at": now,
                "status_changed_at": now,
            }
            cursor = world.db.execute(
                f"INSERT INTO sales_order ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)})",
                tuple(columns.values()),
            )
            order_id = cursor.lastrowid or 0
        else:
            order_id = known["id"]
            sets = ", ".join(f"{name} = ?" for name in columns)
            world.db.execute(f"UPDATE sales_order SET {sets} WHERE id = ?", (*columns.values(), order_id))
            if known["status"] == world.switches.order_status("cancelled"):
                self.set_status(order_id, world.switches["startStatus"])
        if lines is not None:
            order = self.by_id(order_id)
            self._save_lines(order, lines)
        if known is None:
            self._webhooks.order(order_id, "created")
        world.touched_orders.add(order_id)
        sentences.append(f"Order number {document['orderNumber']} created/updated")
        code = world.switches["createdStatusCode"] if known is None else 200
        return Answer(
            code,
            dumps({"orderId": order_id, "message": "<br/> <br/>".join(sentences)}),
            Written("order", order_id, document["orderNumber"]),
        )

    def _refuse_if_begun(self, order: sqlite3.Row) -> None:
        world = self._world
        if order["status"] == world.switches.order_status("cancelled"):
            if world.switches["putOnCancelled"] == "revive":
                return
            world.refuse_change("orderId", f"Order {order['number']} is cancelled and cannot be changed.")
        if self._has_begun(order):
            world.refuse_change(
                "orderId", f"Order {order['number']} cannot be changed because the warehouse has started working on it."
            )

    def _has_begun(self, order: sqlite3.Row) -> bool:
        if order["status"] >= self._world.switches["editLockStatus"]:
            return True
        begun = self._world.db.execute(
            "SELECT 1 FROM order_line WHERE order_id = ? AND (allocated > 0 OR picked > 0) LIMIT 1", (order["id"],)
        ).fetchone()
        return begun is not None and bool(self._world.switches["editLockOnQuantities"])

    def _warehouse(self, document: dict[str, Json]) -> int:
        wanted = document.get("warehouseId")
        if wanted is None:
            return int(self._world.switches["warehouses"][0]["id"])
        if self._world.switches.warehouse(wanted) is None:
            refuse(400, f"There is no warehouse with ID {wanted}.")
        return int(wanted)

    def _check_transporters(self, document: dict[str, Json]) -> None:
        if self._world.switches["unknownTransporter"] == "accept":
            return
        for name in ("transporter", "returnTransporter"):
            given = document.get(name) or {}
            code, service = given.get("transporterCode"), given.get("transporterServiceCode")
            if not code:
                continue
            contract = next((each for each in self._world.switches["transporters"] if each["transporterCode"] == code), None)
            services = [each["transporterServiceCode"] for each in contract["transporterServices"]] if contract else []
            if contract is None or (service and service not in services):
                refuse(400, f"Transporter {code} with service {service} is not set up.")

    def _consignee(self, owner: GoodsOwner, document: dict[str, Json], sentences: list[str]) -> int:
        """Find or create the customer. Without a customer number the address belongs to this order only."""
        given = document["consignee"]
        customer_number = given.get("customerNumber")
        if not customer_number:
            return ensure_code(self._world, owner.id, "address", document["orderNumber"], given.get("name")).id
        customer = ensure_code(self._world, owner.id, "customer", customer_number, given.get("name"))
        if customer.is_new:
            sentences.append(f"Customer with customer number '{customer_number}' and ID '{customer.id}' created. ")
        return customer.id

    def _ensure_codes(self, owner: GoodsOwner, document: dict[str, Json]) -> None:
        for kind in ("orderType", "wayOfDelivery"):
            given = document.get(kind) or {}
            if given.get("code"):
                ensure_code(self._world, owner.id, kind, given["code"], given.get("name"))
        for given in document.get("classes") or []:
            if given.get("code"):
                ensure_code(self._world, owner.id, "orderClass", given["code"], given.get("name"), given.get("comment"))

    # --- lines

    def _lines(self, owner: GoodsOwner, posted: list[dict[str, Json]], sentences: list[str]) -> list[Line]:
        world = self._world
        wanted = json.dumps([line["articleNumber"] for line in posted])
        known = {
            row["number"]: row
            for row in world.db.execute(
                "SELECT id, number, is_stock, kind FROM article WHERE goods_owner = ? AND number IN (SELECT value"
                " FROM json_each(?))",
                (owner.id, wanted),
            )
        }
        lines: list[Line] = []
        problems: dict[str, str] = {}
        row_numbers: set[str] = set()
        for at, line in enumerate(posted):
            article_number = line["articleNumber"]
            if article_number not in known and world.switches["unknownArticle"] == "create":
                save_article(world, owner.id, {"goodsOwnerId": owner.id, "articleNumber": article_number}, None)
                created = article_by_number(world, owner.id, article_number)
                assert created is not None
                known[article_number] = created
            article = known.get(article_number)
            if article is None and world.switches["unknownArticle"] == "drop":
                sentences.append(f"Article {article_number} does not exist, row {line['rowNumber']} was left out. ")
                continue
            if article is None:
                refuse(400, f"Article {article_number} on row {line['rowNumber']} does not exist.")
            ordered = to_units(line.get("numberOfItems") or Decimal(0))
            if ordered < 0:
                problems[f"orderLines[{at}].numberOfItems"] = "The number of items cannot be negative."
            if line["rowNumber"] in row_numbers:
                problems[f"orderLines[{at}].rowNumber"] = f"Row number {line['rowNumber']} is used twice."
            row_numbers.add(line["rowNumber"])
            moves = bool(article["is_stock"]) and line.get("shouldBePicked") is not False
            lines.append(
                Line(
                    line["rowNumber"], article["id"], moves, article["kind"] == "Structure", ordered,
                    line.get("serialNumber"), line.get("batchNumber"), line_text(line, moves=moves),
                )
            )  # fmt: skip
        if problems:
            world.refuse_invalid(problems)
        return lines

    def _save_lines(self, order: sqlite3.Row, lines: list[Line]) -> None:
        """Bring the lines of the order to what was put: same row number, same line."""
        db, order_id, house = self._world.db, order["id"], order["warehouse_id"]
        known = {
            row["row_number"]: row
            for row in db.execute("SELECT * FROM order_line WHERE order_id = ? AND parent_id IS NULL", (order_id,))
        }
        self._drop_missing(order, known, {line.row_number for line in lines})
        if house != self._world.switches["warehouses"][0]["id"]:
            for line in lines:
                ensure_stock(self._world, line.article_id, house)
        reserves, uncollected = self._flags(order["status"])
        added: list[tuple[Json, ...]] = []
        changed: list[tuple[Json, ...]] = []
        kits: list[Line] = []
        for position, line in enumerate(lines):
            old = known.get(line.row_number)
            moves = int(line.moves and not line.is_kit)
            if line.is_kit:
                kits.append(line)
            same = old is not None and (old["article_id"], old["warehouse_id"]) == (line.article_id, house)
            if old is not None and same:
                changed.append((position, line.fixed, moves, line.ordered, line.serial, line.batch, line.ordered, old["id"]))
                continue
            if old is not None:
                self._remove_line(old)
            added.append((
                old["id"] if old is not None else None, order_id, line.row_number, position, line.article_id, house,
                line.serial, line.batch, line.fixed, moves, reserves, uncollected, line.ordered,
            ))  # fmt: skip
        db.executemany(
            "UPDATE order_line SET position = ?, fixed = ?, moves = ?, ordered = ?, serial = ?, batch = ?,"
            " allocated = min(allocated, max(?, picked)) WHERE id = ?",
            changed,
        )
        db.executemany(
            "INSERT INTO order_line (id, order_id, row_number, position, article_id, warehouse_id, serial, batch, fixed, moves,"
            " reserves, uncollected, ordered) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            added,
        )
        for line in kits:
            self._save_parts(order, line, reserves, uncollected)

    def _drop_missing(self, order: sqlite3.Row, known: dict[str, sqlite3.Row], kept: set[str]) -> None:
        missing = [row for row_number, row in known.items() if row_number not in kept]
        if not missing or self._world.switches["missingLines"] == "keep":
            return
        if self._world.switches["missingLines"] == "reject":
            rows = ", ".join(row["row_number"] for row in missing)
            self._world.refuse_change("orderId", f"Order {order['number']} is missing rows {rows}.")
        for row in missing:
            self._remove_line(row)

    def _remove_line(self, line: sqlite3.Row) -> None:
        touched = self._world.db.execute(
            "SELECT 1 FROM order_line WHERE (id = ? OR parent_id = ?) AND picked > 0", (line["id"], line["id"])
        ).fetchone()
        if touched is not None:
            self._world.refuse_change("orderId", f"Row {line['row_number']} is picked and cannot be removed.")
        self._world.db.execute("DELETE FROM order_line WHERE id = ? OR parent_id = ?", (line["id"], line["id"]))

    def _save_parts(self, order: sqlite3.Row, line: Line, reserves: int, uncollected: int) -> None:
        """Lay the parts of a kit under its line; only the parts move goods."""
        db, house = self._world.db, order["warehouse_id"]
        parent = db.execute(
            "SELECT id, position FROM order_line WHERE order_id = ? AND row_number = ? AND parent_id IS NULL",
            (order["id"], line.row_number),
        ).fetchone()
        parts = db.execute(
            "SELECT c.position, c.quantity, a.id, a.is_stock FROM component c JOIN article a ON a.id = c.component_id"
            " WHERE c.article_id = ? ORDER BY c.position",
            (line.article_id,),
        ).fetchall()
        db.execute("DELETE FROM order_line WHERE parent_id = ? AND picked = 0", (parent["id"],))
        if db.execute("SELECT 1 FROM order_line WHERE parent_id = ?", (parent["id"],)).fetchone() is not None:
            self._world.refuse_change("orderId", f"Row {line.row_number} is picked and cannot be changed.")
        for part in parts:
            ensure_stock(self._world, part["id"], house)
            moves = line.moves and bool(part["is_stock"])
            row_number = f"{line.row_number}.{part['position'] + 1}"
            db.execute(
                "INSERT INTO order_line (order_id, row_number, position, article_id, warehouse_id, parent_id,"
                " per_parent, fixed, moves,"
                " reserves, uncollected, ordered) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    order["id"], row_number, parent["position"], part["id"], house, parent["id"], part["quantity"],
                    line_text({"rowNumber": row_number}, moves=moves), int(moves), reserves, uncollected,
                    line.ordered * part["quantity"] // PIECE,
                ),
            )  # fmt: skip

    def _flags(self, status: int) -> tuple[int, int]:
        """Say whether lines of an order in this status reserve goods, and whether what is picked waits for the carrier."""
        switches = self._world.switches
        if status == switches.order_status("cancelled"):
            return 0, 0
        return int(status < switches.order_status("picked")), int(status < switches.order_status("collected"))

    # --- status

    def set_status(self, order_id: int, status: int) -> None:
        """Move an order to a status with all that follows: reservations, allocations, the shipping time, the webhooks."""
        world, switches, order = self._world, self._world.switches, self.by_id(order_id)
        if status == order["status"]:
            return
        reserves, uncollected = self._flags(status)
        # What is allocated and will not be picked any more goes back to the shelf.
        frees = not reserves
        world.db.execute(
            "UPDATE order_line SET reserves = ?, uncollected = ?, allocated = CASE WHEN ? THEN picked ELSE allocated END"
            " WHERE order_id = ? AND (reserves <> ? OR uncollected <> ? OR (? AND allocated > picked))",
            (reserves, uncollected, frees, order_id, reserves, uncollected, frees),
        )
        if not uncollected:
            self.take_goods(order_id)
        sent = switches.order_status("sent") <= status < switches.order_status("returned")
        now = world.now()
        world.db.execute(
            "UPDATE sales_order SET status = ?, status_changed_at = ?, updated_at = ?, shipped_at = CASE WHEN ?"
            " THEN ? ELSE shipped_at END,"
            " transport_printed = max(transport_printed, ?) WHERE id = ?",
            (
                status,
                now,
                now,
                sent and (order["shipped_at"] is None or status == switches.order_status("sent")),
                now,
                int(sent),
                order_id,
            ),
        )
        world.touched_orders.add(order_id)
        self._webhooks.order(order_id, "statusChanged")
        picked_status = switches.order_status("picked")
        if order["status"] < picked_status <= status < switches.order_status("cancelled"):
            picked = world.db.execute(
                "SELECT 1 FROM order_line WHERE order_id = ? AND picked > 0 LIMIT 1", (order_id,)
            ).fetchone()
            if picked is not None:
                self._webhooks.order(order_id, "picked")

    def take_goods(self, order_id: int) -> None:
        """Take picked goods out of stock where that is done when the carrier collects them."""
        db = self._world.db
        owed = db.execute(
            "SELECT article_id, warehouse_id, sum(picked - taken) AS quantity FROM order_line"
            " WHERE order_id = ? AND picked > taken AND moves GROUP BY article_id, warehouse_id",
            (order_id,),
        ).fetchall()
        db.executemany(
            "UPDATE stock SET physical = physical - ? WHERE article_id = ? AND warehouse_id = ?",
            [(row["quantity"], row["article_id"], row["warehouse_id"]) for row in owed],
        )
        if owed:
            db.execute("UPDATE order_line SET taken = picked WHERE order_id = ? AND picked > taken AND moves", (order_id,))

    # --- cancel

    def delete(self, world: World, call: Call) -> Answer:
        return self._cancel(call.owner, order_by_id(world, call))

    def delete_by_number(self, world: World, call: Call) -> Answer:
        query = Query(world, call)
        owner_id, order_number = query.owner(call), query.text("orderNumber")
        if not order_number:
            world.refuse_invalid({"orderNumber": "The orderNumber field is required."})
        known = self.by_number(owner_id, order_number)
        if known is None:
            world.refuse_unknown_id(f"There is no order with number {order_number}.")
        return self._cancel(call.owner, known)

    def _cancel(self, owner: GoodsOwner, order: sqlite3.Row) -> Answer:
        world, cancelled = self._world, self._world.switches.order_status("cancelled")
        done = Written("order", order["id"], order["number"])
        if order["status"] == cancelled:
            if world.switches["secondCancel"] == "refuse":
                world.refuse_change("orderId", f"Order {order['number']} is already cancelled.")
            return Answer(200, dumps({"orderId": order["id"], "message": f"Order {order['number']} is already cancelled."}), done)
        if self._has_begun(order):
            world.refuse_change("orderId", f"Order {order['number']} cannot be cancelled because picking has begun.")
        self.remember(owner, order)
        self.set_status(order["id"], cancelled)
        return Answer(200, dumps({"orderId": order["id"], "message": f"Order {order['number']} cancelled."}), done)

    # --- single changes

    def patch_order_number(self, world: World, call: Call) -> Answer:
        """Give the order another number. Ongoing does not check that it is free, so neither does this."""
        order, body = self._opened(call, "PatchOrderNumberModel")
        document = {**loads(order["document"]), "orderNumber": body["orderNumber"]}
        world.db.execute(
            "UPDATE sales_order SET number = ?, document = ? WHERE id = ?", (body["orderNumber"], dumps(document), order["id"])
        )
        return self._patched(order["id"], "Order number changed")

    def patch_order_status(self, world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PatchOrderStatus")
        status = body["orderStatusNumber"]
        if world.switches.order_status_text(status) is None:
            refuse(400, f"There is no order status {status}.")
        allocated = world.db.execute(
            "SELECT 1 FROM order_line WHERE order_id = ? AND allocated > picked LIMIT 1", (order["id"],)
        ).fetchone()
        if allocated is not None:
            refuse(400, f"The status of order {order['number']} cannot be changed because goods are allocated to it.")
        self.set_status(order["id"], status)
        return self._patched(order["id"], "Order status changed")

    def patch_delivery_date(self, _world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PatchOrderDeliveryDate")
        return self._rewritten(order, {"deliveryDate": body["deliveryDate"]}, "Delivery date changed")

    def patch_transporter(self, _world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PatchOrderTransporterModel")
        self._check_transporters({"transporter": body})
        return self._rewritten(order, {"transporter": body}, "Transporter changed")

    def patch_service_point(self, _world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PatchServicePointCode")
        return self._rewritten(order, {"servicePointCode": body["servicePointCode"]}, "Service point code changed")

    def patch_waybill(self, world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PatchOrderWaybill")
        world.db.execute("UPDATE sales_order SET way_bill = ? WHERE id = ?", (body["waybill"], order["id"]))
        return self._patched(order["id"], "Waybill changed")

    def patch_return_waybill(self, world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PatchOrderReturnWaybill")
        world.db.execute("UPDATE sales_order SET return_way_bill = ? WHERE id = ?", (body["returnWaybill"], order["id"]))
        return self._patched(order["id"], "Return waybill changed")

    def add_classes(self, _world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PatchOrderClassesModel")
        new = body.get("classes") or []
        codes = {each.get("code") for each in new}
        kept = [each for each in loads(order["document"]).get("classes") or [] if each.get("code") not in codes]
        return self._set_classes(call, order, kept + new)

    def set_classes(self, _world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PatchOrderClassesModel")
        return self._set_classes(call, order, body.get("classes") or [])

    def _set_classes(self, call: Call, order: sqlite3.Row, classes: list[dict[str, Json]]) -> Answer:
        self._ensure_codes(call.owner, {"classes": classes})
        return self._rewritten(order, {"classes": classes}, "Order classes changed")

    def put_tracking(self, world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PostOrderTrackingModel")
        self.add_tracking(order["id"], body["waybill"], body["trackingUrl"], is_return=body["isReturnTracking"])
        column = "return_way_bill" if body["isReturnTracking"] else "way_bill"
        world.db.execute(f"UPDATE sales_order SET {column} = coalesce({column}, ?) WHERE id = ?", (body["waybill"], order["id"]))
        self._patched(order["id"], "")
        return Answer(200, dumps({"success": True, "message": "Tracking saved"}), Written("order", order["id"], order["number"]))

    def put_parcel(self, world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PostParcelTypeModel")
        is_return = int(body["transportAdministrationType"].lower() == "return")
        known = world.db.execute(
            "SELECT id FROM parcel WHERE order_id = ? AND number = ?", (order["id"], body["parcelNumber"])
        ).fetchone()
        if known is None:
            parcel_id = world.db.execute(
                "INSERT INTO parcel (order_id, number, is_return) VALUES (?, ?, ?)",
                (order["id"], body["parcelNumber"], is_return),
            ).lastrowid
        else:
            parcel_id = known["id"]
            world.db.execute("UPDATE parcel SET is_return = ? WHERE id = ?", (is_return, parcel_id))
        self._patched(order["id"], "")
        return Answer(
            200,
            dumps({"parcelId": parcel_id, "success": True, "message": "Parcel saved"}),
            Written("order", order["id"], order["number"]),
        )

    def put_parcel_by_id(self, world: World, call: Call) -> Answer:
        order, body = self._opened(call, "PostParcelUsingIdTypeModel")
        parcel = self._parcel(call)
        world.db.execute("UPDATE parcel SET number = coalesce(?, number) WHERE id = ?", (body.get("parcelNumber"), parcel["id"]))
        self._patched(order["id"], "")
        return Answer(
            200,
            dumps({"parcelId": parcel["id"], "success": True, "message": "Parcel saved"}),
            Written("order", order["id"], order["number"]),
        )

    def delete_parcel(self, world: World, call: Call) -> Answer:
        order, parcel = order_by_id(world, call), self._parcel(call)
        if world.db.execute("SELECT 1 FROM picked_item WHERE parcel_id = ?", (parcel["id"],)).fetchone() is not None:
            return Answer(200, dumps({"parcelId": parcel["id"], "success": False, "message": "The parcel is not empty."}))
        world.db.execute("DELETE FROM parcel WHERE id = ?", (parcel["id"],))
        return Answer(
            200,
            dumps({"parcelId": parcel["id"], "success": True, "message": "Parcel removed"}),
            Written("order", order["id"], order["number"]),
        )

    def _parcel(self, call: Call) -> sqlite3.Row:
        row: sqlite3.Row | None = self._world.db.execute(
            "SELECT * FROM parcel WHERE id = ? AND order_id = ?", (call.ids["parcelId"], call.ids["orderId"])
        ).fetchone()
        if row is None:
            self._world.refuse_unknown_id(f"There is no parcel with ID {call.ids['parcelId']}.")
        return row

    def add_tracking(self, order_id: int, waybill: str, url: str | None, *, is_return: bool) -> None:
        self._world.db.execute(
            "INSERT INTO tracking (order_id, waybill, tracking_url, is_return, created_at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (order_id, waybill, is_return) DO UPDATE SET tracking_url ="
            " coalesce(excluded.tracking_url, tracking_url)",
            (order_id, waybill, url, int(is_return), self._world.now()),
        )

    def _opened(self, call: Call, model: str) -> tuple[sqlite3.Row, dict[str, Json]]:
        order, body = order_by_id(self._world, call), self._world.read(model, call.body)
        self.remember(call.owner, order)
        return order, body

    def _rewritten(self, order: sqlite3.Row, changes: dict[str, Json], sentence: str) -> Answer:
        document = {**loads(order["document"]), **changes}
        info, rest = head(self._world, document, order["address_id"])
        self._world.db.execute(
            "UPDATE sales_order SET document = ?, info = ?, rest = ? WHERE id = ?", (dumps(document), info, rest, order["id"])
        )
        return self._patched(order["id"], sentence)

    def _patched(self, order_id: int, sentence: str) -> Answer:
        self._world.db.execute("UPDATE sales_order SET updated_at = ? WHERE id = ?", (self._world.now(), order_id))
        order = self.by_id(order_id)
        return Answer(200, dumps({"orderId": order_id, "message": sentence}), Written("order", order_id, order["number"]))

    # --- reporting back

    def report_line(self, world: World, call: Call) -> Answer:
        body = world.read("PatchOrderReportedNumberOfItemsModel", call.body)
        order = self._report(call, "reported", body["reportedNumberOfItems"])
        return Answer(
            200,
            dumps({"orderId": order["id"], "message": "Reported number of items changed"}),
            Written("order", order["id"], order["number"]),
        )

    def report_line_returned(self, world: World, call: Call) -> Answer:
        body = world.read("PatchOrderReportedReturnedNumberOfItemsModel", call.body)
        order = self._report(call, "reported_returned", body["reportedReturnedNumberOfItems"])
        return Answer(200, "", Written("order", order["id"], order["number"]))

    def _report(self, call: Call, column: str, quantity: Decimal) -> sqlite3.Row:
        """Set the absolute quantity; the order itself does not count as updated by it."""
        order = order_by_id(self._world, call)
        if quantity < 0:
            self._world.refuse_invalid({column: "The number of items cannot be negative."})
        changed = self._world.db.execute(
            f"UPDATE order_line SET {column} = ? WHERE id = ? AND order_id = ?",
            (to_units(quantity), call.ids["orderLineId"], order["id"]),
        ).rowcount
        if not changed:
            self._world.refuse_unknown_id(f"There is no line with ID {call.ids['orderLineId']} on order {order['number']}.")
        return order

    def report_all(self, world: World, call: Call) -> Answer:
        return self._report_all(world, call, "reported", "picked")

    def report_all_returned(self, world: World, call: Call) -> Answer:
        return self._report_all(world, call, "reported_returned", "returned")

    def _report_all(self, world: World, call: Call, reported: str, actual: str) -> Answer:
        order = order_by_id(world, call)
        world.db.execute(
            f"UPDATE order_line SET {reported} = {actual} WHERE order_id = ? AND coalesce({reported}, 0) <> {actual}",
            (order["id"],),
        )
        return Answer(
            200,
            dumps({"orderId": order["id"], "message": "Reported number of items changed"}),
            Written("order", order["id"], order["number"]),
        )

    # --- finding

    def by_number(self, owner_id: int, order_number: str) -> sqlite3.Row | None:
        """Find an order by its number; where a number was given twice, the newest."""
        found: sqlite3.Row | None = self._world.db.execute(
            "SELECT * FROM sales_order WHERE goods_owner = ? AND number = ? ORDER BY id DESC LIMIT 1", (owner_id, order_number)
        ).fetchone()
        return found

    def by_id(self, order_id: int) -> sqlite3.Row:
        row: sqlite3.Row = self._world.db.execute("SELECT * FROM sales_order WHERE id = ?", (order_id,)).fetchone()
        return row

    def remember(self, owner: GoodsOwner, order: sqlite3.Row) -> None:
        """Keep how the order looks before it changes, for answers out of an old cache."""
        self._world.earlier.keep("order", order["id"], order_text(self._world, owner, order))
