"""Return orders: what a customer has announced to send back, tied to an order; and what the warehouse takes in on them.

What comes in is counted twice, on the return order's line and on the line of the original order, and it is one movement: the
worker takes it in on the original order (`floor.py`), this module remembers for which return.
"""

import sqlite3
from decimal import Decimal
from typing import Any

from simulators.ongoing.codes import ensure_code
from simulators.ongoing.floor import CannotDo, Floor
from simulators.ongoing.wire import Raw, date_text, dumps, loads, moment_json, number, to_units
from simulators.ongoing.world import Answer, Call, GoodsOwner, Query, Selection, World, Written, only_owner, refuse

Json = Any

# The numbers are not published; a goods owner reads them from the list.
STATUSES = {
    "notified": (100, "Notified", "Aviserad"),
    "returned": (500, "Returned", "Returnerad"),
    "cancelled": (900, "Cancelled", "Makulerad"),
}
_FLAGS = ("isRemoveCause", "isChangeCause", "isReturnCommentMandatory")


# --- create, update, cancel


def put_return_order(world: World, call: Call) -> Answer:
    """Create or update by number, until something has come back."""
    body = world.read("PostReturnOrderModel", call.body)
    only_owner(call, body["goodsOwnerId"])
    known, now = by_number(world, call.owner.id, body["returnOrderNumber"]), world.now()
    if known is not None and _has_begun(world, known):
        world.refuse_change("returnOrderId", f"Return order {known['number']} cannot be changed because goods have come back.")
    if known is not None and known["status"] == STATUSES["cancelled"][0]:
        world.refuse_change("returnOrderId", f"Return order {known['number']} is cancelled.")
    order = world.db.execute(
        "SELECT * FROM sales_order WHERE id = ? AND goods_owner = ?", (body["customerOrder"]["orderId"], call.owner.id)
    ).fetchone()
    if order is None:
        refuse(400, f"There is no order with ID {body['customerOrder']['orderId']}.")
    house = body.get("warehouseId") or order["warehouse_id"]
    if world.switches.warehouse(house) is None:
        refuse(400, f"There is no warehouse with ID {house}.")
    lines = body.pop("returnOrderLines")
    if known is None:
        return_id = world.db.execute(
            "INSERT INTO return_order (goods_owner, number, order_id, status, document, warehouse_id, created_at,"
            " status_changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (call.owner.id, body["returnOrderNumber"], order["id"], STATUSES["notified"][0], dumps(body), house, now, now),
        ).lastrowid or 0  # fmt: skip
    else:
        return_id = known["id"]
        world.db.execute(
            "UPDATE return_order SET order_id = ?, document = ?, warehouse_id = ? WHERE id = ?",
            (order["id"], dumps(body), house, return_id),
        )
    _save_lines(world, call.owner, return_id, order, lines)
    word = "created" if known is None else "updated"
    return _answer(return_id, body["returnOrderNumber"], f"Return order {body['returnOrderNumber']} {word}.")


def _save_lines(world: World, owner: GoodsOwner, return_id: int, order: sqlite3.Row, posted: list[dict[str, Json]]) -> None:
    """Bring the lines to what was put: same row number, same line."""
    row_numbers = [line["returnOrderRowNumber"] for line in posted]
    if len(set(row_numbers)) < len(row_numbers):
        world.refuse_invalid({"returnOrderLines": "A row number is used twice."})
    known = {
        row["row_number"]: row["id"]
        for row in world.db.execute("SELECT * FROM return_line WHERE return_order_id = ?", (return_id,))
    }
    world.db.execute("DELETE FROM return_line WHERE return_order_id = ?", (return_id,))
    visible = order["visible_at"] <= world.now()
    for position, line in enumerate(posted):
        line_id = line["customerOrderLine"].get("orderLineId")
        there = world.db.execute("SELECT 1 FROM order_line WHERE id = ? AND order_id = ?", (line_id, order["id"])).fetchone()
        if there is None or not visible:
            refuse(400, f"There is no line with ID {line_id} on order {order['number']}.")
        units = to_units(line["toBeReturnedNumberOfItems"])
        if units <= 0:
            world.refuse_invalid({f"returnOrderLines[{position}].toBeReturnedNumberOfItems": "The number must be above 0."})
        cause = line.get("returnCause")
        if cause and cause.get("code"):
            ensure_code(world, owner.id, "returnCause", cause["code"], cause.get("name"))
        world.db.execute(
            "INSERT INTO return_line (id, return_order_id, row_number, position, order_line_id, to_be_returned, cause)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                known.get(line["returnOrderRowNumber"]), return_id, line["returnOrderRowNumber"], position, line_id, units,
                dumps({"code": cause["code"], "name": cause.get("name")}) if cause and cause.get("code") else None,
            ),
        )  # fmt: skip


def delete_return_order(world: World, call: Call) -> Answer:
    return _cancel(world, _by_id(world, call))


def delete_return_order_by_number(world: World, call: Call) -> Answer:
    query = Query(world, call)
    owner_id, number_given = query.owner(call), query.text("returnOrderNumber")
    if not number_given:
        world.refuse_invalid({"returnOrderNumber": "The returnOrderNumber field is required."})
    known = by_number(world, owner_id, number_given)
    if known is None:
        world.refuse_unknown_id(f"There is no return order with number {number_given}.")
    return _cancel(world, known)


def _cancel(world: World, known: sqlite3.Row) -> Answer:
    if known["status"] == STATUSES["cancelled"][0]:
        if world.switches["secondCancel"] == "refuse":
            world.refuse_change("returnOrderId", f"Return order {known['number']} is already cancelled.")
        return _answer(known["id"], known["number"], "Already cancelled.")
    if _has_begun(world, known):
        world.refuse_change("returnOrderId", f"Return order {known['number']} cannot be cancelled because goods have come back.")
    set_status(world, known["id"], "cancelled")
    return _answer(known["id"], known["number"], f"Return order {known['number']} cancelled.")


def patch_status(world: World, call: Call) -> Answer:
    known, body = _by_id(world, call), world.read("PatchReturnOrderStatus", call.body)
    meaning = next((name for name, (n, _, _) in STATUSES.items() if n == body["returnOrderStatusNumber"]), None)
    if meaning is None:
        refuse(400, f"There is no return order status {body['returnOrderStatusNumber']}.")
    set_status(world, known["id"], meaning)
    return _answer(known["id"], known["number"], "Status changed")


def set_status(world: World, return_id: int, meaning: str) -> None:
    world.db.execute(
        "UPDATE return_order SET status = ?, status_changed_at = ? WHERE id = ? AND status <> ?",
        (STATUSES[meaning][0], world.now(), return_id, STATUSES[meaning][0]),
    )


def _has_begun(world: World, row: sqlite3.Row) -> bool:
    begun = world.db.execute("SELECT 1 FROM return_line WHERE return_order_id = ? AND returned > 0", (row["id"],)).fetchone()
    return begun is not None or row["status"] == STATUSES["returned"][0]


def _answer(return_id: int, return_number: str, sentence: str) -> Answer:
    text = dumps({"returnOrderId": return_id, "message": sentence})
    return Answer(200, text, Written("returnOrder", return_id, return_number))


# --- read


def get_return_order(world: World, call: Call) -> Answer:
    return Answer(200, return_text(world, _by_id(world, call)["id"]))


def list_return_orders(world: World, call: Call) -> Answer:
    """No paging here, as in the specification."""
    query = Query(world, call)
    selection = Selection("r.goods_owner = ?", query.owner(call))
    selection.among("r.number", query.texts("returnOrderNumbers"))
    selection.among("o.number", query.texts("customerOrderNumbers"))
    for name, condition in (("returnOrderStatusFrom", "r.status >= ?"), ("returnOrderStatusTo", "r.status <= ?")):
        value = query.whole(name)
        if value is not None:
            selection.add(condition, value)
    since = query.moment("goodsReturnedFromDate")
    if since is not None:
        selection.add(world.after("r.last_returned_at"), since)
    rows = world.db.execute(
        f"SELECT r.id FROM return_order r JOIN sales_order o ON o.id = r.order_id WHERE {selection.where} ORDER BY r.id",
        selection.values,
    ).fetchall()
    return Answer(200, f"[{','.join(return_text(world, row['id']) for row in rows)}]")


def return_text(world: World, return_id: int) -> str:
    """A return order as Ongoing shows it."""
    row = _by_own_id(world, return_id)
    document, house = loads(row["document"]), world.switches.warehouse(row["warehouse_id"])
    lines = world.db.execute(
        "SELECT r.*, l.row_number AS order_row, l.picked, a.id AS article_id, a.number AS article_number, a.name AS article_name"
        " FROM return_line r JOIN order_line l ON l.id = r.order_line_id JOIN article a ON a.id = l.article_id"
        " WHERE r.return_order_id = ? ORDER BY r.position",
        (return_id,),
    ).fetchall()
    meaning = next(texts for texts in STATUSES.values() if texts[0] == row["status"])
    return dumps(
        {
            "returnOrderInfo": {
                "returnOrderId": row["id"],
                "returnOrderNumber": row["number"],
                "comment": document.get("comment"),
                "inDate": date_text(document["inDate"]) if document.get("inDate") else None,
                "returnOrderStatus": {
                    "number": row["status"],
                    "text": meaning[2] if world.switches["language"] == "sv" else meaning[1],
                },
                "warehouse": house and {name: house.get(name) for name in ("id", "code", "name")},
                "returnOrderHandlingComment": document.get("returnOrderHandlingComment"),
            },
            "customerOrderInfo": {"orderId": row["order_id"], "orderNumber": row["order_number"]},
            "returnOrderLines": [_line(world, line) for line in lines] or None,
        }
    )


def _line(world: World, line: sqlite3.Row) -> dict[str, Json]:
    items = world.db.execute(
        "SELECT * FROM picked_item WHERE return_line_id = ? AND returned_at IS NOT NULL ORDER BY id", (line["id"],)
    ).fetchall()
    nothing = (
        "expiryDate",
        "container",
        "weight",
        "volume",
        "comment",
        "returnComment",
        "articleItemStatus",
        "articleItemCategory",
    )
    return {
        "returnOrderLineId": line["id"],
        "returnOrderRowNumber": line["row_number"],
        "customerOrderLine": {"orderLineId": line["order_line_id"], "customerOrderRowNumber": line["order_row"]},
        "article": {
            "articleSystemId": line["article_id"],
            "articleNumber": line["article_number"],
            "articleName": line["article_name"],
        },
        "returnCause": Raw(line["cause"]) if line["cause"] else None,
        "returnedNumberOfItems": number(line["returned"]),
        "pickedNumberOfItems": number(line["picked"]),
        "toBeReturnedNumberOfItems": number(line["to_be_returned"]),
        "returnedRemovedByInventoryNumberOfItems": number(line["removed"]),
        "returnedArticleItems": [
            {
                "numberOfItems": number(item["quantity"]),
                "batch": item["batch"],
                "serial": item["serial"],
                "returnTime": Raw(moment_json(item["returned_at"])),
                "isReturnRemovedByInventory": bool(item["removed_by_inventory"]),
                "returnCause": Raw(item["return_cause"]) if item["return_cause"] else None,
                **dict.fromkeys(nothing),
            }
            for item in items
        ]
        or None,
    }


# --- causes and statuses


def list_statuses(world: World, _call: Call) -> Answer:
    swedish = world.switches["language"] == "sv"
    statuses = [{"number": n, "text": own if swedish else english} for n, english, own in STATUSES.values()]
    return Answer(200, dumps({"returnOrderStatuses": statuses}))


def list_causes(world: World, call: Call) -> Answer:
    rows = world.db.execute(
        "SELECT * FROM code WHERE goods_owner = ? AND kind = 'returnCause' ORDER BY id", (Query(world, call).owner(call),)
    )
    causes = [
        {
            "id": row["id"],
            "code": row["code"],
            "name": row["name"],
            **dict.fromkeys(_FLAGS, False),
            **loads(row["comment"] or "{}"),
        }
        for row in rows
    ]
    return Answer(200, dumps({"returnCauses": causes or None}))


def put_cause(world: World, call: Call) -> Answer:
    body = world.read("PostReturnCauseModel", call.body)
    only_owner(call, body["goodsOwnerId"])
    cause_id = call.ids.get("returnCauseId")
    if cause_id is None:
        cause_id = ensure_code(world, call.owner.id, "returnCause", body["code"], body["name"]).id
    elif not world.db.execute(
        "UPDATE code SET code = ?, name = ? WHERE id = ? AND goods_owner = ? AND kind = 'returnCause'",
        (body["code"], body["name"], cause_id, call.owner.id),
    ).rowcount:
        world.refuse_unknown_id(f"There is no return cause with ID {cause_id}.")
    flags = {name: bool(body.get(name)) for name in _FLAGS}
    world.db.execute("UPDATE code SET comment = ? WHERE id = ?", (dumps(flags), cause_id))
    return Answer(
        200,
        dumps({"returnCauseId": cause_id, "success": True, "message": "Return cause saved"}),
        Written("returnCause", cause_id, body["code"]),
    )


# --- the warehouse takes it in


def receive(world: World, floor: Floor, row: sqlite3.Row, wish: dict[str, Json]) -> str:
    """Take in what has come, in parts or more than was announced; no lines means all that is left. All of it ends the return."""
    if row["status"] == STATUSES["cancelled"][0]:
        raise CannotDo(f"return order {row['number']} is cancelled")
    lines = world.db.execute("SELECT * FROM return_line WHERE return_order_id = ? ORDER BY position", (row["id"],)).fetchall()
    by_row = {line["row_number"]: line for line in lines}
    asked = wish.get("lines")
    if asked is None:
        asked = [
            {"rowNumber": line["row_number"], "numberOfItems": number(line["to_be_returned"] - line["returned"])}
            for line in lines
            if line["to_be_returned"] > line["returned"]
        ]
    for each in asked:
        line = by_row.get(str(each.get("rowNumber")))
        if line is None:
            raise CannotDo(f"there is no line {dumps(each)}")
        own_cause = loads(line["cause"]) if line["cause"] else {}
        came = {
            "lines": [{"lineId": line["order_line_id"], "numberOfItems": each["numberOfItems"]}],
            "causeCode": each.get("causeCode") or wish.get("causeCode") or own_cause.get("code"),
            "causeName": each.get("causeName") or wish.get("causeName") or own_cause.get("name"),
            "scrap": each.get("scrap", wish.get("scrap")),
            "keepStatus": wish.get("keepStatus"),
            "over": wish.get("over"),
            "returnLine": line["id"],
        }
        floor.act(row["order_id"], "return", came)
        units = to_units(Decimal(str(each["numberOfItems"])))
        world.db.execute(
            "UPDATE return_line SET returned = returned + ?, removed = removed + ? WHERE id = ?",
            (units, units if came["scrap"] else 0, line["id"]),
        )
    world.db.execute("UPDATE return_order SET last_returned_at = ? WHERE id = ?", (world.now(), row["id"]))
    left = world.db.execute(
        "SELECT 1 FROM return_line WHERE return_order_id = ? AND returned < to_be_returned", (row["id"],)
    ).fetchone()
    if left is None or wish.get("finish"):
        set_status(world, row["id"], "returned")
    return return_text(world, row["id"])


# --- finding


def by_number(world: World, owner_id: int, return_number: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = world.db.execute(
        "SELECT * FROM return_order WHERE goods_owner = ? AND number = ?", (owner_id, return_number)
    ).fetchone()
    return row


def _by_own_id(world: World, return_id: int) -> sqlite3.Row:
    row: sqlite3.Row = world.db.execute(
        "SELECT r.*, o.number AS order_number FROM return_order r JOIN sales_order o ON o.id = r.order_id WHERE r.id = ?",
        (return_id,),
    ).fetchone()
    return row


def _by_id(world: World, call: Call) -> sqlite3.Row:
    return_id = call.ids["returnOrderId"]
    row: sqlite3.Row | None = world.db.execute(
        "SELECT * FROM return_order WHERE id = ? AND goods_owner = ?", (return_id, call.owner.id)
    ).fetchone()
    if row is None:
        world.refuse_unknown_id(f"There is no return order with ID {return_id}.")
    return row
