"""Purchase orders: what the goods owner expects, and what the warehouse has received of it."""

import json
import sqlite3
from decimal import Decimal
from itertools import groupby
from typing import Any

from simulators.ongoing.articles import article_by_number, ensure_stock, save_article
from simulators.ongoing.codes import ensure_code
from simulators.ongoing.wire import (
    Raw,
    Unreadable,
    date_text,
    dumps,
    loads,
    members,
    moment_json,
    number,
    optional_number,
    quoted,
    read_moment,
    to_units,
)
from simulators.ongoing.world import Answer, Call, GoodsOwner, Query, Selection, World, Written, only_owner, refuse

Json = Any

_ARRIVAL = "IN-1"
_RECEIVED_FROM = 400
_FREE_TEXTS = ("freeText1", "freeText2", "freeText3", "freeText4", "freeText5", "freeDecimal1", "freeDecimal2")


class CannotReceive(Exception):
    """The worker cannot do that with this purchase order, and has done nothing."""


# --- create, update, cancel


def put_purchase_order(world: World, call: Call) -> Answer:
    body = world.read("PostPurchaseOrderModel", call.body)
    only_owner(call, body["goodsOwnerId"])
    return _save(world, call, body, by_number(world, call.owner.id, body["purchaseOrderNumber"]))


def put_purchase_order_by_id(world: World, call: Call) -> Answer:
    body = world.read("PostPurchaseOrderModel", call.body)
    only_owner(call, body["goodsOwnerId"])
    known = _by_id(world, call)
    namesake = by_number(world, call.owner.id, body["purchaseOrderNumber"])
    if namesake is not None and namesake["id"] != known["id"]:
        refuse(400, f"Purchase order number {body['purchaseOrderNumber']} is already used.")
    return _save(world, call, body, known)


def _save(world: World, call: Call, body: dict[str, Json], known: sqlite3.Row | None) -> Answer:
    now, switches = world.now(), world.switches
    if known is not None:
        if _has_begun(world, known):
            world.refuse_change(
                "purchaseOrderId",
                f"Purchase order {known['number']} cannot be changed because the warehouse has started working on it.",
            )
        _remember(world, call.owner, known)
    keep = known is not None and switches["omittedFields"] == "unchanged"
    document: dict[str, Json] = {**(loads(known["document"]) if known is not None and keep else {}), **body}
    posted = document.pop("purchaseOrderLines", None)
    house = document.get("warehouseId") or switches["warehouses"][0]["id"]
    if switches.warehouse(house) is None:
        refuse(400, f"There is no warehouse with ID {house}.")
    sentences = []
    supplier = document.get("supplierInfo") or {}
    if (
        supplier.get("supplierNumber")
        and ensure_code(world, call.owner.id, "supplier", supplier["supplierNumber"], supplier.get("supplierName")).is_new
    ):
        sentences.append(f"Supplier with supplier number '{supplier['supplierNumber']}' created. ")
    kind = document.get("purchaseOrderType") or {}
    if kind.get("code"):
        ensure_code(world, call.owner.id, "purchaseOrderType", kind["code"], kind.get("name"))
    in_date = read_moment(document["inDate"]) if document.get("inDate") else None
    if known is None:
        status = (document.get("advanced") or {}).get("purchaseOrderStatusCreated")
        if status is not None and switches.purchase_status_text(status) is None:
            refuse(400, f"There is no purchase order status {status}.")
        purchase_id = world.db.execute(
            "INSERT INTO purchase_order (goods_owner, number, status, document, warehouse_id, in_date,"
            " created_at, status_changed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                call.owner.id, document["purchaseOrderNumber"],
                switches.purchase_status("notified") if status is None else status,
                dumps(document), house, in_date, now, now,
            ),
        ).lastrowid or 0  # fmt: skip
    else:
        purchase_id = known["id"]
        world.db.execute(
            "UPDATE purchase_order SET number = ?, document = ?, warehouse_id = ?, in_date = ? WHERE id = ?",
            (document["purchaseOrderNumber"], dumps(document), house, in_date, purchase_id),
        )
    if posted is not None or known is None or not keep or "purchaseOrderLines" in body:
        _save_lines(world, call.owner, _by_own_id(world, purchase_id), posted or [])
    if known is None:
        world.tell("purchaseOrder", "created", purchase_id)
    word = "created" if known is None else "updated"
    sentences.append(f"Inorder with order number {document['purchaseOrderNumber']} {word}. ")
    return Answer(
        200,
        dumps({"purchaseOrderId": purchase_id, "message": "<br/>".join([*sentences, ""])}),
        Written("purchaseOrder", purchase_id, document["purchaseOrderNumber"]),
    )


def _has_begun(world: World, purchase: sqlite3.Row) -> bool:
    if purchase["status"] >= world.switches["purchaseOrderEditLockStatus"]:
        return True
    begun = world.db.execute(
        "SELECT 1 FROM purchase_line WHERE purchase_order_id = ? AND received > 0 LIMIT 1", (purchase["id"],)
    ).fetchone()
    return begun is not None


def _save_lines(world: World, owner: GoodsOwner, purchase: sqlite3.Row, posted: list[dict[str, Json]]) -> None:
    """Bring the lines to what was put: same row number, same line."""
    db, house = world.db, purchase["warehouse_id"]
    known = {
        row["row_number"]: row for row in db.execute("SELECT * FROM purchase_line WHERE purchase_order_id = ?", (purchase["id"],))
    }
    row_numbers = [line["rowNumber"] for line in posted]
    if len(set(row_numbers)) < len(row_numbers):
        world.refuse_invalid({"purchaseOrderLines": "A row number is used twice."})
    missing = [row for row_number, row in known.items() if row_number not in set(row_numbers)]
    if missing and world.switches["missingLines"] == "reject":
        world.refuse_change("purchaseOrderId", f"Purchase order {purchase['number']} is missing rows.")
    if world.switches["missingLines"] == "remove":
        db.executemany("DELETE FROM purchase_line WHERE id = ?", [(row["id"],) for row in missing])
    expected, unfinished = _flags(world, purchase["status"])
    for position, line in enumerate(posted):
        article = _article_of(world, owner, line)
        advised = to_units(line.get("numberOfItems") or Decimal(0))
        if advised < 0:
            world.refuse_invalid({f"purchaseOrderLines[{position}].numberOfItems": "The number of items cannot be negative."})
        ensure_stock(world, article["id"], house)
        old = known.get(line["rowNumber"])
        moves = article["is_stock"]
        if old is not None and (old["article_id"], old["warehouse_id"]) == (article["id"], house):
            db.execute(
                "UPDATE purchase_line SET position = ?, fixed = ?, advised = ?, moves = ?, batch = ?, serial = ? WHERE id = ?",
                (position, _line_text(line), advised, moves, line.get("batchNumber"), line.get("serialNumber"), old["id"]),
            )
            continue
        if old is not None:
            db.execute("DELETE FROM purchase_line WHERE id = ?", (old["id"],))
        db.execute(
            "INSERT INTO purchase_line (id, purchase_order_id, row_number, position, article_id, warehouse_id,"
            " fixed, batch, serial, moves,"
            " expected, unfinished, advised) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                old["id"] if old is not None else None, purchase["id"], line["rowNumber"], position, article["id"], house,
                _line_text(line), line.get("batchNumber"), line.get("serialNumber"), moves, expected, unfinished, advised,
            ),
        )  # fmt: skip


def _article_of(world: World, owner: GoodsOwner, line: dict[str, Json]) -> sqlite3.Row:
    article = article_by_number(world, owner.id, line["articleNumber"])
    if article is None and world.switches["unknownArticle"] == "create":
        save_article(world, owner.id, {"goodsOwnerId": owner.id, "articleNumber": line["articleNumber"]}, None)
        article = article_by_number(world, owner.id, line["articleNumber"])
    if article is None:
        refuse(400, f"Article {line['articleNumber']} on row {line['rowNumber']} does not exist.")
    return article


def _line_text(line: dict[str, Json]) -> str:
    free = line.get("lineFreeValues")
    return members(
        {
            "rowNumber": line["rowNumber"],
            **{name: line.get(name) for name in ("comment", "rowPrice", "externalOrderLineId", "lineType", "inDate")},
            "freeValues": free and {name: free.get(name) for name in ("freeText1", "freeText2")},
            "textLines": None,
        }
    )


def _flags(world: World, status: int) -> tuple[int, int]:
    """Say whether more is expected, and whether what has been received is still being put away."""
    switches = world.switches
    ended = status in (switches.purchase_status("received"), switches.purchase_status("cancelled"))
    return int(not ended), int(status < switches.purchase_status("deviation"))


def set_status(world: World, purchase_id: int, status: int) -> None:
    purchase = _by_own_id(world, purchase_id)
    if purchase["status"] == status:
        return
    expected, unfinished = _flags(world, status)
    world.db.execute(
        "UPDATE purchase_line SET expected = ?, unfinished = ? WHERE purchase_order_id = ?", (expected, unfinished, purchase_id)
    )
    world.db.execute(
        "UPDATE purchase_order SET status = ?, status_changed_at = ? WHERE id = ?", (status, world.now(), purchase_id)
    )
    world.tell("purchaseOrder", "statusChanged", purchase_id)


def delete_purchase_order(world: World, call: Call) -> Answer:
    return _cancel(world, call, _by_id(world, call))


def delete_purchase_order_by_number(world: World, call: Call) -> Answer:
    query = Query(world, call)
    owner_id, number_given = query.owner(call), query.text("purchaseOrderNumber")
    if not number_given:
        world.refuse_invalid({"purchaseOrderNumber": "The purchaseOrderNumber field is required."})
    known = by_number(world, owner_id, number_given)
    if known is None:
        world.refuse_unknown_id(f"There is no purchase order with number {number_given}.")
    return _cancel(world, call, known)


def _cancel(world: World, call: Call, purchase: sqlite3.Row) -> Answer:
    cancelled = world.switches.purchase_status("cancelled")
    done = Written("purchaseOrder", purchase["id"], purchase["number"])
    if purchase["status"] == cancelled:
        if world.switches["secondCancel"] == "refuse":
            world.refuse_change("purchaseOrderId", f"Purchase order {purchase['number']} is already cancelled.")
        return Answer(200, dumps({"purchaseOrderId": purchase["id"], "message": "Already cancelled."}), done)
    if _has_begun(world, purchase):
        world.refuse_change(
            "purchaseOrderId", f"Purchase order {purchase['number']} cannot be cancelled because receiving has begun."
        )
    _remember(world, call.owner, purchase)
    set_status(world, purchase["id"], cancelled)
    return Answer(200, dumps({"purchaseOrderId": purchase["id"], "message": f"Inorder {purchase['number']} cancelled."}), done)


# --- single changes and reporting back


def patch_in_date(world: World, call: Call) -> Answer:
    purchase, body = _opened(world, call, "PatchPurchaseOrderInDate")
    moment = read_moment(body["inDate"]) if body.get("inDate") else None
    world.db.execute("UPDATE purchase_order SET in_date = ? WHERE id = ?", (moment, purchase["id"]))
    return _rewritten(world, purchase, {"inDate": body.get("inDate")})


def patch_advised_date(world: World, call: Call) -> Answer:
    purchase, body = _opened(world, call, "PatchPurchaseOrderAdvisedDate")
    advanced = {**(loads(purchase["document"]).get("advanced") or {}), "advisedDate": body.get("advisedDate")}
    return _rewritten(world, purchase, {"advanced": advanced})


def patch_free_bool(world: World, call: Call) -> Answer:
    purchase, body = _opened(world, call, "PatchPurchaseOrderFreeBool1")
    free = {**(loads(purchase["document"]).get("freeValues") or {}), "freeBoolean1": body["freeBool1"]}
    return _rewritten(world, purchase, {"freeValues": free})


def patch_status(world: World, call: Call) -> Answer:
    purchase, body = _opened(world, call, "PatchPurchaseOrderStatus")
    status = body["purchaseOrderStatusNumber"]
    if world.switches.purchase_status_text(status) is None:
        refuse(400, f"There is no purchase order status {status}.")
    if _has_begun(world, purchase):
        refuse(400, f"The status of purchase order {purchase['number']} cannot be changed because receiving has begun.")
    set_status(world, purchase["id"], status)
    return _patched(purchase, "Status changed")


def report_line(world: World, call: Call) -> Answer:
    purchase, body = _opened(world, call, "PatchPurchaseOrderReportedNumberOfItemsModel")
    if body["reportedNumberOfItems"] < 0:
        world.refuse_invalid({"reportedNumberOfItems": "The number of items cannot be negative."})
    line_id = call.ids["purchaseOrderLineId"]
    changed = world.db.execute(
        "UPDATE purchase_line SET reported = ? WHERE id = ? AND purchase_order_id = ?",
        (to_units(body["reportedNumberOfItems"]), line_id, purchase["id"]),
    ).rowcount
    if not changed:
        world.refuse_unknown_id(f"There is no line with ID {line_id} on purchase order {purchase['number']}.")
    return Answer(200, "", Written("purchaseOrder", purchase["id"], purchase["number"]))


def report_all(world: World, call: Call) -> Answer:
    purchase = _by_id(world, call)
    world.db.execute(
        "UPDATE purchase_line SET reported = received WHERE purchase_order_id = ? AND received <> coalesce(reported, 0)",
        (purchase["id"],),
    )
    return Answer(200, "", Written("purchaseOrder", purchase["id"], purchase["number"]))


def _opened(world: World, call: Call, model: str) -> tuple[sqlite3.Row, dict[str, Json]]:
    purchase, body = _by_id(world, call), world.read(model, call.body)
    _remember(world, call.owner, purchase)
    return purchase, body


def _rewritten(world: World, purchase: sqlite3.Row, changes: dict[str, Json]) -> Answer:
    document = {**loads(purchase["document"]), **changes}
    world.db.execute("UPDATE purchase_order SET document = ? WHERE id = ?", (dumps(document), purchase["id"]))
    return _patched(purchase, f"{next(iter(changes))} changed")


def _patched(purchase: sqlite3.Row, sentence: str) -> Answer:
    return Answer(
        200,
        dumps({"purchaseOrderId": purchase["id"], "message": sentence}),
        Written("purchaseOrder", purchase["id"], purchase["number"]),
    )


# --- read


def get_purchase_order(world: World, call: Call) -> Answer:
    return Answer(200, purchase_text(world, call.owner, _by_id(world, call)))


def list_purchase_orders(world: World, call: Call) -> Answer:
    query = Query(world, call)
    owner_id = query.owner(call)
    selection = Selection("p.goods_owner = ?", owner_id)
    if query.text("purchaseOrderNumber"):
        selection.add("p.number = ?", query.text("purchaseOrderNumber"))
    selection.among("p.number", query.texts("purchaseOrderNumbers"))
    for name, condition in (
        ("purchaseOrderIdFrom", "p.id >= ?"),
        ("purchaseOrderStatusFrom", "p.status >= ?"),
        ("purchaseOrderStatusTo", "p.status <= ?"),
    ):
        value = query.whole(name)
        if value is not None:
            selection.add(condition, value)
    for name, condition in (
        ("purchaseOrderStatusChangedTimeFrom", world.after("p.status_changed_at")),
        ("lastReceiveTimeFrom", world.after("p.last_received_at")),
        ("lastReceiveTimeTo", world.before("p.last_received_at")),
        ("inDateFrom", world.after("p.in_date")),
        ("inDateTo", world.before("p.in_date")),
    ):
        moment = query.moment(name)
        if moment is not None:
            selection.add(condition, moment)
    if query.truth("onlyPurchaseOrdersWithOrderLinesToReport"):
        selection.add("p.id IN (SELECT purchase_order_id FROM purchase_line WHERE received <> coalesce(reported, 0))")
    if query.texts("articleNumbers"):
        selection.add(
            "p.id IN (SELECT l.purchase_order_id FROM article a JOIN purchase_line l ON l.article_id = a.id"
            " WHERE a.goods_owner = ? AND a.number IN (SELECT value FROM json_each(?)))",
            owner_id,
            json.dumps(query.texts("articleNumbers")),
        )
    most = query.whole("maxPurchaseOrdersToGet")
    rows = world.db.execute(
        f"SELECT p.* FROM purchase_order p WHERE {selection.where} ORDER BY p.id LIMIT ?",
        (*selection.values, -1 if most is None else most),
    ).fetchall()
    return Answer(200, f"[{','.join(purchase_texts(world, call.owner, rows))}]")


def purchase_text(world: World, owner: GoodsOwner, row: sqlite3.Row) -> str:
    return purchase_texts(world, owner, [row])[0]


def purchase_texts(world: World, owner: GoodsOwner, rows: list[sqlite3.Row]) -> list[str]:
    wanted = json.dumps([row["id"] for row in rows])
    lines = _grouped(
        world,
        "SELECT l.*, a.in_purchase FROM purchase_line l JOIN article a ON a.id = l.article_id"
        " WHERE l.purchase_order_id IN (SELECT value FROM json_each(?)) ORDER BY l.purchase_order_id, l.position, l.id",
        wanted,
    )
    items = _grouped(
        world,
        "SELECT * FROM received_item WHERE purchase_order_id IN (SELECT value FROM json_each(?)) ORDER BY purchase_order_id, id",
        wanted,
    )
    return [_purchase(world, owner, row, lines.get(row["id"], []), items.get(row["id"], [])) for row in rows]


def _grouped(world: World, statement: str, wanted: str) -> dict[int, list[sqlite3.Row]]:
    rows = world.db.execute(statement, (wanted,))
    return {purchase_id: list(group) for purchase_id, group in groupby(rows, key=lambda row: row["purchase_order_id"])}


def _purchase(world: World, owner: GoodsOwner, row: sqlite3.Row, lines: list[sqlite3.Row], items: list[sqlite3.Row]) -> str:
    document = loads(row["document"])
    supplier, seller, advanced = (document.get(name) for name in ("supplierInfo", "sellerInfo", "advanced"))
    free, house = document.get("freeValues"), world.switches.warehouse(row["warehouse_id"])
    items_of: dict[int, list[str]] = {}
    for item in items:
        items_of.setdefault(item["line_id"], []).append(_received_item(item))
    return dumps(
        {
            "goodsOwner": {"id": owner.id, "name": owner.name},
            "supplierInfo": supplier and {name: supplier.get(name) for name in ("supplierNumber", "supplierName")},
            "sellerInfo": seller and {name: seller.get(name) for name in ("sellerNumber", "sellerName")},
            "purchaseOrderInfo": {
                "purchaseOrderId": row["id"],
                "purchaseOrderNumber": row["number"],
                **{
                    name: document.get(name)
                    for name in (
                        "supplierOrderNumber",
                        "goodsOwnerReference",
                        "referenceNumber",
                        "purchaseOrderType",
                        "purchaseOrderRemark",
                    )
                },
                "purchaseOrderStatus": {"number": row["status"], "text": world.switches.purchase_status_text(row["status"])},
                "inDate": date_text(document["inDate"]) if document.get("inDate") else None,
                "createdDate": Raw(moment_json(row["created_at"])),
                "warehouse": house and {name: house.get(name) for name in ("id", "code", "name")},
                "advanced": {
                    "arrivalDate": None,
                    "orderDate": _instant((advanced or {}).get("orderDate")),
                    "container": (advanced or {}).get("container"),
                    "purchaseOrderIsReturnType": bool((advanced or {}).get("purchaseOrderIsReturnType")),
                },
                # Written as freeBoolean1, read as freeBool1: Ongoing's spelling.
                "freeValues": free
                and {
                    **{name: free.get(name) for name in _FREE_TEXTS},
                    "freeBool1": free.get("freeBoolean1"),
                    "freeBool2": free.get("freeBoolean2"),
                },
            },
            "purchaseOrderLines": [Raw(_purchase_line(line, items_of)) for line in lines] or None,
        }
    )


def _instant(text: str | None) -> Json:
    return Raw(moment_json(read_moment(text))) if text else None


def _purchase_line(line: sqlite3.Row, items_of: dict[int, list[str]]) -> str:
    items = ",".join(items_of.get(line["id"], []))
    return (
        f'{{"id":{line["id"]},{line["fixed"]},"article":{line["in_purchase"]},"advisedNumberOfItems":{number(line["advised"])},'
        f'"receivedNumberOfItems":{number(line["received"])},"reportedNumberOfItems":{optional_number(line["reported"])},'
        f'"articleItems":{f"[{items}]" if items else "null"},"subPurchaseOrderLines":null}}'
    )


def _received_item(item: sqlite3.Row) -> str:
    return (
        f'{{"originalArticleItemId":{item["id"]},"numberOfItems":{number(item["quantity"])},"inDate":{moment_json(item["in_date"])},'
        f'"batchNumber":{quoted(item["batch"])},"serial":{quoted(item["serial"])},"location":{quoted(item["location"])},'
        f'"expiryDate":{moment_json(item["expires_at"])},"articleItemStatus":null,"caseNumber":null,"container":null,"comment":null,'
        '"weight":null}'
    )


# --- the warehouse receives


def receive(world: World, owner: GoodsOwner, purchase_id: int, wish: dict[str, Json]) -> str:
    """Receive goods: no lines means all that is left. `finish` ends the receipt; it ends by itself when nothing is left."""
    purchase = _by_own_id(world, purchase_id)
    if purchase["status"] == world.switches.purchase_status("cancelled"):
        raise CannotReceive(f"purchase order {purchase['number']} is cancelled")
    _remember(world, owner, purchase)
    now = world.now()
    for line, units, asked in _receipts(world, owner, purchase, wish):
        if line["received"] + units > line["advised"] and world.switches["overReceipt"] == "refuse":
            raise CannotReceive(f"row {line['row_number']}: more than was advised cannot be received")
        world.db.execute("UPDATE purchase_line SET received = received + ? WHERE id = ?", (units, line["id"]))
        world.db.execute(
            "UPDATE stock SET physical = physical + ? WHERE article_id = ? AND warehouse_id = ?",
            (units if line["moves"] else 0, line["article_id"], line["warehouse_id"]),
        )
        world.db.execute("UPDATE article SET last_in_at = ? WHERE id = ?", (now, line["article_id"]))
        expires = read_moment(asked["expiryDate"]) if asked.get("expiryDate") else None
        item_id = world.db.execute(
            "INSERT INTO received_item (purchase_order_id, line_id, quantity, in_date, serial, batch, location, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                purchase_id, line["id"], units, now, str(asked.get("serial") or line["serial"] or ""),
                str(asked.get("batchNumber") or line["batch"] or ""), str(asked.get("location") or _ARRIVAL), expires,
            ),
        ).lastrowid  # fmt: skip
        world.tell("movement", "isReceive", item_id or 0)
    world.db.execute("UPDATE purchase_order SET last_received_at = ? WHERE id = ?", (now, purchase_id))
    _settle_receipt(world, purchase_id, wish.get("finish"))
    if _is_received(world, purchase_id):
        world.tell("purchaseOrder", "received", purchase_id)
    world.stocked_owners.add(owner.id)
    return purchase_text(world, owner, _by_own_id(world, purchase_id))


def _is_received(world: World, purchase_id: int) -> bool:
    """What the webhook calls received: status 400 or later, and at least one item."""
    any_item = "SELECT 1 FROM purchase_line WHERE purchase_order_id = ? AND received > 0 LIMIT 1"
    status = _by_own_id(world, purchase_id)["status"]
    return status >= _RECEIVED_FROM and world.db.execute(any_item, (purchase_id,)).fetchone() is not None


def _receipts(
    world: World, owner: GoodsOwner, purchase: sqlite3.Row, wish: dict[str, Json]
) -> list[tuple[sqlite3.Row, int, dict[str, Json]]]:
    lines = world.db.execute(
        "SELECT * FROM purchase_line WHERE purchase_order_id = ? ORDER BY position, id", (purchase["id"],)
    ).fetchall()
    if wish.get("lines") is None:
        return [(line, line["advised"] - line["received"], {}) for line in lines if line["advised"] > line["received"]]
    receipts: list[tuple[sqlite3.Row, int, dict[str, Json]]] = []
    for asked in wish["lines"]:
        try:
            units = to_units(Decimal(str(asked["numberOfItems"])))
        except (KeyError, ArithmeticError, Unreadable) as error:
            raise CannotReceive(f"{dumps(asked)} has no readable numberOfItems") from error
        if units <= 0:
            raise CannotReceive("what is received is more than nothing")
        line = _line_of(world, owner, lines, receipts, asked) or _unannounced_line(world, owner, purchase, asked)
        receipts.append((line, units, asked))
    return receipts


def _line_of(
    world: World,
    owner: GoodsOwner,
    lines: list[sqlite3.Row],
    receipts: list[tuple[sqlite3.Row, int, dict[str, Json]]],
    asked: dict[str, Json],
) -> sqlite3.Row | None:
    """The row that is named; where only the article is, the first of its rows that is not full, or else its last."""
    if "rowNumber" in asked or "lineId" in asked:
        wanted = str(asked.get("rowNumber", "\0")), asked.get("lineId")
        return next((each for each in lines if str(each["row_number"]) == wanted[0] or each["id"] == wanted[1]), None)
    article = article_by_number(world, owner.id, str(asked.get("articleNumber")))
    of_article = [] if article is None else [each for each in lines if each["article_id"] == article["id"]]
    now = {each["id"]: each["received"] + sum(n for line, n, _ in receipts if line["id"] == each["id"]) for each in of_article}
    return next((each for each in of_article if now[each["id"]] < each["advised"]), of_article[-1] if of_article else None)


def _unannounced_line(world: World, owner: GoodsOwner, purchase: sqlite3.Row, asked: dict[str, Json]) -> sqlite3.Row:
    """The warehouse found an article nobody announced: a line of its own without a row number."""
    article = article_by_number(world, owner.id, str(asked.get("articleNumber")))
    if article is None:
        raise CannotReceive(f"there is no line or article {dumps(asked)}")
    ensure_stock(world, article["id"], purchase["warehouse_id"])
    expected, unfinished = _flags(world, purchase["status"])
    line_id = world.db.execute(
        "INSERT INTO purchase_line (purchase_order_id, row_number, position, article_id, warehouse_id,"
        " fixed, moves, expected, unfinished,"
        " advised) VALUES (?, '', 1000000, ?, ?, ?, ?, ?, ?, 0)",
        (
            purchase["id"],
            article["id"],
            purchase["warehouse_id"],
            _line_text({"rowNumber": ""}),
            article["is_stock"],
            expected,
            unfinished,
        ),
    ).lastrowid
    line: sqlite3.Row = world.db.execute("SELECT * FROM purchase_line WHERE id = ?", (line_id,)).fetchone()
    return line


def _settle_receipt(world: World, purchase_id: int, finish: bool | None) -> None:
    lines = world.db.execute("SELECT advised, received FROM purchase_line WHERE purchase_order_id = ?", (purchase_id,)).fetchall()
    nothing_left = all(line["received"] >= line["advised"] for line in lines)
    if not (nothing_left if finish is None else finish):
        meaning = "inbound"
    elif all(line["received"] == line["advised"] for line in lines):
        meaning = "received"
    else:
        meaning = "deviation"
    set_status(world, purchase_id, world.switches.purchase_status(meaning))


def undo_receipt(world: World, owner: GoodsOwner, purchase_id: int, wish: dict[str, Json]) -> str:
    """Take a receipt back, the last one first: the goods were counted wrongly."""
    purchase = _by_own_id(world, purchase_id)
    _remember(world, owner, purchase)
    items = world.db.execute(
        "SELECT * FROM received_item WHERE purchase_order_id = ? ORDER BY id DESC", (purchase_id,)
    ).fetchall()
    wanted = wish.get("originalArticleItemId")
    item = next((each for each in items if wanted in (None, each["id"])), None)
    if item is None:
        raise CannotReceive("there is no such receipt")
    world.db.execute("UPDATE purchase_line SET received = received - ? WHERE id = ?", (item["quantity"], item["line_id"]))
    world.db.execute(
        "UPDATE stock SET physical = physical - ? WHERE (article_id, warehouse_id) ="
        " (SELECT article_id, warehouse_id FROM purchase_line WHERE id = ? AND moves)",
        (item["quantity"], item["line_id"]),
    )
    world.db.execute("DELETE FROM received_item WHERE id = ?", (item["id"],))
    _settle_receipt(world, purchase_id, False)
    return purchase_text(world, owner, _by_own_id(world, purchase_id))


# --- finding


def by_number(world: World, owner_id: int, purchase_order_number: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = world.db.execute(
        "SELECT * FROM purchase_order WHERE goods_owner = ? AND number = ?", (owner_id, purchase_order_number)
    ).fetchone()
    return found


def _by_own_id(world: World, purchase_id: int) -> sqlite3.Row:
    row: sqlite3.Row = world.db.execute("SELECT * FROM purchase_order WHERE id = ?", (purchase_id,)).fetchone()
    return row


def _by_id(world: World, call: Call) -> sqlite3.Row:
    purchase_id = call.ids["purchaseOrderId"]
    row: sqlite3.Row | None = world.db.execute(
        "SELECT * FROM purchase_order WHERE id = ? AND goods_owner = ?", (purchase_id, call.owner.id)
    ).fetchone()
    if row is None:
        world.refuse_unknown_id(f"There is no purchase order with ID {purchase_id}.")
    return row


def _remember(world: World, owner: GoodsOwner, purchase: sqlite3.Row) -> None:
    world.earlier.keep("purchaseOrder", purchase["id"], purchase_text(world, owner, purchase))
