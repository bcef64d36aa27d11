"""Orders as Ongoing shows them: one order, and the list with its filters.

The parts of an order that do not move with the goods are written as JSON when the order is put (`head`, `line_text`);
a read puts the counters between them. Six hundred lines are read in a few milliseconds.
"""

import json
import sqlite3
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from simulators.ongoing.articles import SHELF
from simulators.ongoing.wire import (
    date_text,
    dumps,
    members,
    moment_json,
    moment_text,
    number,
    optional_number,
    quoted,
    read_moment,
)
from simulators.ongoing.world import DAY, Answer, Call, GoodsOwner, Query, Selection, World

Json = Any

_CHUNK = 400
# Goods that are allocated but not picked are shown as an item too; this keeps its ID apart from those of picked items.
_UNPICKED_ITEM_ID = 1_000_000_000

_INFO_FIELDS = (
    "goodsOwnerOrderId", "referenceNumber", "salesCode", "orderRemark", "deliveryInstruction", "servicePointCode",
    "freeText1", "freeText2", "freeText3", "orderType", "wayOfDelivery", "preparedTransportDocumentId",
    "termsOfDeliveryType", "customerPrice", "consigneeOrderNumber", "warehouseInstruction", "pickingPriority", "productionCode",
)  # fmt: skip
_ADDRESS_FIELDS = ("name", "address1", "address2", "address3", "postCode", "city", "countryCode", "countryStateCode")
_LINE_FIELDS = (
    "comment", "serialNumber", "lineTotalCustomsValue", "batchNumber", "lineType", "customerArticleNumber", "externalId",
    "minDaysToExpiryDate", "maxDaysToExpiryDate", "deliveryDate", "warehouseInstruction", "vat",
)  # fmt: skip
_PRICE_FIELDS = ("linePrice", "customerLinePrice", "currencyCode", "discountPercentage")
_NOTIFICATIONS = ("telephoneNotification", "emailNotification", "smsNotification")


# --- the written parts


def head(world: World, document: dict[str, Json], address_id: int) -> tuple[str, str]:
    """Write what an order says about itself: the inside of orderInfo, and the objects beside it."""
    house = world.switches.warehouse(document["warehouseId"])
    market, customs = document.get("marketPlace"), document.get("customsInfo")
    info = {
        **{name: document.get(name) for name in _INFO_FIELDS},
        "deliveryDate": date_text(document["deliveryDate"]),
        **{name: _notification(document.get(name)) for name in _NOTIFICATIONS},
        "customsInfo": customs and {"customsValueCurrencyCode": customs.get("customsValueCurrencyCode")},
        "marketPlace": market and {name: market.get(name) for name in ("marketPlace", "marketPlaceOrderNumber")},
        "warehouse": house and {name: house.get(name) for name in ("id", "code", "name")},
    }
    classes = [{"code": each.get("code"), "name": each.get("name")} for each in document.get("classes") or []]
    rest = {
        "consignee": _consignee(document["consignee"], address_id),
        "transporter": _transporter(world, document.get("transporter")),
        "returnTransporter": _transporter(world, document.get("returnTransporter")),
        "classes": classes or None,
    }
    return members(info), members(rest)


def _notification(given: dict[str, Json] | None) -> Json:
    return given and {"toBeNotified": bool(given.get("toBeNotified")), "value": given.get("value")}


def _consignee(given: dict[str, Json], address_id: int) -> dict[str, Json]:
    advanced, invoice = given.get("advanced"), given.get("invoiceAddress")
    invoice_advanced = (invoice or {}).get("advanced")
    return {
        "id": address_id,
        "customerNumber": given.get("customerNumber"),
        **{name: given.get(name) for name in _ADDRESS_FIELDS},
        "remark": given.get("remark"),
        "doorCode": given.get("doorCode"),
        "advanced": advanced and {name: _notification(advanced.get(name)) for name in _NOTIFICATIONS},
        "invoiceAddress": invoice
        and {
            **{name: invoice.get(name) for name in _ADDRESS_FIELDS},
            "advanced": invoice_advanced
            and {name: invoice_advanced.get(name) and {"value": invoice_advanced[name].get("value")} for name in _NOTIFICATIONS},
        },
    }


def _transporter(world: World, given: dict[str, Json] | None) -> Json:
    if not given:
        return None
    code, service = given.get("transporterCode"), given.get("transporterServiceCode")
    contract = next((each for each in world.switches["transporters"] if each["transporterCode"] == code), None)
    services = contract["transporterServices"] if contract else []
    return {
        "transporterName": contract["transporterName"] if contract else None,
        "name": next((each["transporterServiceName"] for each in services if each["transporterServiceCode"] == service), None),
        "code": code,
        "serviceCode": service,
        "transporterContract": None,
        "serviceComment": None,
    }


def line_text(line: dict[str, Json], *, moves: bool) -> str:
    """Write what a line says about itself, once, when it is put."""
    prices, free = line.get("prices"), line.get("lineFreeValues")
    fixed = {
        "rowNumber": line["rowNumber"],
        "shouldBePicked": moves,
        **{name: line.get(name) for name in _LINE_FIELDS},
        "prices": prices and {name: prices.get(name) for name in _PRICE_FIELDS},
        "freeValues": free and {"freeText1": free.get("freeText1")},
        "pickOrderInfo": None,
    }
    return members(fixed)


# --- one order


def get_order(world: World, call: Call) -> Answer:
    row = order_by_id(world, call)
    return Answer(200, order_text(world, call.owner, row))


def order_by_id(world: World, call: Call) -> sqlite3.Row:
    order_id = call.ids["orderId"]
    row: sqlite3.Row | None = world.db.execute(
        "SELECT * FROM sales_order WHERE id = ? AND goods_owner = ?", (order_id, call.owner.id)
    ).fetchone()
    if row is None:
        world.refuse_unknown_id(f"There is no order with ID {order_id}.")
    return row


def order_text(world: World, owner: GoodsOwner, row: sqlite3.Row) -> str:
    return orders_text(world, owner, [row])[0]


def orders_text(world: World, owner: GoodsOwner, rows: list[sqlite3.Row]) -> list[str]:
    """Write orders as Ongoing answers them, reading the lines of many at once."""
    written: list[str] = []
    goods_owner = dumps({"id": owner.id, "name": owner.name})
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        wanted = json.dumps([row["id"] for row in chunk])
        lines = _grouped(
            world,
            "SELECT l.*, a.in_order FROM order_line l JOIN article a ON a.id = l.article_id"
            " WHERE l.order_id IN (SELECT value FROM json_each(?)) ORDER BY l.order_id, l.position",
            wanted,
        )
        in_order = "WHERE order_id IN (SELECT value FROM json_each(?)) ORDER BY order_id, id"
        items = _grouped(world, f"SELECT * FROM picked_item {in_order}", wanted)
        parcels = _grouped(world, f"SELECT * FROM parcel {in_order}", wanted)
        tracking = _grouped(world, f"SELECT * FROM tracking {in_order}", wanted)
        for row in chunk:
            order_id = row["id"]
            found = (lines.get(order_id, []), items.get(order_id, []), parcels.get(order_id, []), tracking.get(order_id, []))
            written.append(_order(world, goods_owner, row, *found))
    return written


def _grouped(world: World, statement: str, wanted: str) -> dict[int, list[sqlite3.Row]]:
    rows = world.db.execute(statement, (wanted,))
    return {order_id: list(group) for order_id, group in groupby(rows, key=lambda row: row["order_id"])}


def _order(
    world: World,
    goods_owner: str,
    row: sqlite3.Row,
    lines: list[sqlite3.Row],
    items: list[sqlite3.Row],
    parcels: list[sqlite3.Row],
    tracking: list[sqlite3.Row],
) -> str:
    document = row["document"]
    if row["visible_at"] > world.now():
        lines, items = [], []
    top = [line for line in lines if line["parent_id"] is None]
    ordered, allocated, picked = (sum(line[name] for line in top) for name in ("ordered", "allocated", "picked"))
    parcel_texts = {parcel["id"]: _item_parcel(parcel) for parcel in parcels}
    items_of: dict[int, list[str]] = {}
    for item in items:
        items_of.setdefault(item["line_id"], []).append(_picked_item(item, parcel_texts))
    parts_of: dict[int, list[sqlite3.Row]] = {}
    for line in lines:
        if line["parent_id"] is not None:
            parts_of.setdefault(line["parent_id"], []).append(line)
    line_texts = [_line(line, items_of, parts_of, row["created_at"]) for line in top]
    back_order = "null" if row["back_order_for"] is None else f'{{"backOrderForOrderId":{row["back_order_for"]}}}'
    shipment = "null" if row["shipment_id"] is None else f'{{"shipmentId":{row["shipment_id"]}}}'
    return (
        f'{{"goodsOwner":{goods_owner},"orderInfo":{{"orderId":{row["id"]},"orderNumber":{quoted(row["number"])},{row["info"]},'
        f'"createdDate":{moment_json(row["created_at"])},"shippedTime":{moment_json(row["shipped_at"])},'
        f'"wayBill":{dumps(row["way_bill"])},"returnWayBill":{dumps(row["return_way_bill"])},'
        f'"orderStatus":{dumps({"number": row["status"], "text": world.switches.order_status_text(row["status"])})},'
        f'"orderedNumberOfItems":{number(ordered)},"allocatedNumberOfItems":{number(allocated)},"pickedNumberOfItems":{number(picked)},'
        f'"advanced":{_advanced(document, back_order)}}},'
        f'{row["rest"]},"parcels":{_listed(_parcel(parcel) for parcel in parcels)},"orderLines":{_listed(line_texts)},'
        f'"tracking":{_listed(_tracking(each) for each in tracking if not each["is_return"])},"shipmentInfo":{shipment}}}'
    )


def _listed(texts: Iterable[str]) -> str:
    """A list that holds nothing is null, as at Ongoing."""
    joined = ",".join(texts)
    return f"[{joined}]" if joined else "null"


def _advanced(document_text: str, back_order: str) -> str:
    document = json.loads(document_text)
    advanced = document.get("advanced") or {}
    arrival = advanced.get("arrivalDate")
    return (
        f'{{"invoiceNumber":{dumps(advanced.get("invoiceNumber"))},'
        f'"arrivalDate":{moment_json(read_moment(arrival) if arrival else None)},'
        f'"deliveryDateWithTime":"{moment_text(read_moment(document["deliveryDate"]))}","backOrderInfo":{back_order}}}'
    )


def _line(line: sqlite3.Row, items_of: dict[int, list[str]], parts_of: dict[int, list[sqlite3.Row]], created_at: int) -> str:
    line_id = line["id"]
    allocated, picked = line["allocated"], line["picked"]
    items = items_of.get(line_id, [])
    if allocated > picked and line["moves"]:
        items = [*items, _unpicked_item(line, created_at)]
    parts = _listed(_line(part, items_of, parts_of, created_at) for part in parts_of.get(line_id, ())) if parts_of else "null"
    return (
        f'{{"id":{line_id},{line["fixed"]},"article":{line["in_order"]},'
        f'"orderedNumberOfItems":{number(line["ordered"])},"allocatedNumberOfItems":{number(allocated)},'
        f'"pickedNumberOfItems":{number(picked)},"packedNumberOfItems":{number(line["packed"])},'
        f'"reportedNumberOfItems":{optional_number(line["reported"])},"returnedNumberOfItems":{number(line["returned"])},'
        f'"reportedReturnedNumberOfItems":{optional_number(line["reported_returned"])},'
        f'"pickedArticleItems":{_listed(items)},"subOrderLines":{parts}}}'
    )


_ITEM_REST = (
    '"caseNumber":null,"container":null,"comment":null,"weight":null,"volume":null,"expiryDate":null,"locationTypeCode":null,'
    '"articleItemStatus":null,"freeText1":null,"handling":null,"zoneName":null}'
)


def _picked_item(item: sqlite3.Row, parcel_texts: dict[int, str]) -> str:
    return (
        f'{{"articleItemId":{item["id"]},"numberOfItems":{number(item["quantity"])},"inDate":{moment_json(item["in_date"])},'
        f'"serial":{quoted(item["serial"])},"batchNumber":{quoted(item["batch"])},"isPicked":true,'
        f'"pickedTime":{moment_json(item["picked_at"])},"packedTime":{moment_json(item["packed_at"])},'
        f'"isReturned":{"false" if item["returned_at"] is None else "true"},"returnDate":{moment_json(item["returned_at"])},'
        f'"returnCause":{item["return_cause"] or "null"},"location":{quoted(item["location"])},'
        f'"parcel":{parcel_texts.get(item["parcel_id"], "null")},{_ITEM_REST}'
    )


def _unpicked_item(line: sqlite3.Row, created_at: int) -> str:
    return (
        f'{{"articleItemId":{_UNPICKED_ITEM_ID + line["id"]},"numberOfItems":{number(line["allocated"] - line["picked"])},'
        f'"inDate":{moment_json(created_at)},"serial":{quoted(line["serial"] or "")},"batchNumber":{quoted(line["batch"] or "")},'
        f'"isPicked":false,"pickedTime":null,"packedTime":null,"isReturned":false,"returnDate":null,"returnCause":null,'
        f'"location":"{SHELF}","parcel":null,{_ITEM_REST}'
    )


def _parcel(parcel: sqlite3.Row) -> str:
    return dumps(
        {
            "id": parcel["id"],
            "parcelNumber": parcel["number"],
            "isReturnParcel": bool(parcel["is_return"]),
            "tracking": {"trackingUrl": parcel["tracking_url"], "waybill": parcel["waybill"], "freightPrice": None},
            "advanced": None,
        }
    )


def _item_parcel(parcel: sqlite3.Row) -> str:
    return dumps(
        {"id": parcel["id"], "parcelNumber": parcel["number"], "parcelType": None, "advanced": None, "parentParcel": None}
    )


def _tracking(each: sqlite3.Row) -> str:
    created = moment_json(each["created_at"])
    return f'{{"waybill":{quoted(each["waybill"])},"trackingUrl":{dumps(each["tracking_url"])},"created":{created}}}'


# --- the list


def list_orders(world: World, call: Call) -> Answer:
    query = Query(world, call)
    owner_id = query.owner(call)
    selection = Selection("o.goods_owner = ?", owner_id)
    _select_by_number(query, selection)
    _select_by_time(world, query, selection)
    _select_by_goods(world, query, selection, owner_id)
    most = query.whole("maxOrdersToGet")
    rows = world.db.execute(
        f"SELECT o.* FROM sales_order o WHERE {selection.where} ORDER BY o.id LIMIT ?",
        (*selection.values, -1 if most is None else most),
    ).fetchall()
    return Answer(200, f"[{','.join(orders_text(world, call.owner, rows))}]")


def _select_by_number(query: Query, selection: Selection) -> None:
    if query.text("orderNumber"):
        selection.add("o.number = ?", query.text("orderNumber"))
    selection.among("o.number", query.texts("orderNumbers"))
    selection.among("o.reference_number", query.texts("referenceNumbers"))
    for name, condition in (
        ("orderIdFrom", "o.id >= ?"),
        ("orderStatusFrom", "o.status >= ?"),
        ("orderStatusTo", "o.status <= ?"),
        ("backOrderForOrderId", "o.back_order_for = ?"),
        ("shipmentId", "o.shipment_id = ?"),
    ):
        value = query.whole(name)
        if value is not None:
            selection.add(condition, value)
    if query.text("marketPlace"):
        selection.add("o.market_place = ?", query.text("marketPlace"))


def _select_by_time(world: World, query: Query, selection: Selection) -> None:
    updated = query.recent("orderUpdatedTimeFrom", 2 * DAY, "orderUpdatedTimeFrom must be within 2 days of the current time.")
    if updated is not None:
        selection.add(world.after("o.updated_at"), updated)
    for name, condition in (
        ("orderStatusChangedTimeFrom", world.after("o.status_changed_at")),
        ("orderCreatedTimeFrom", world.after("o.created_at")),
        ("orderCreatedTimeTo", world.before("o.created_at")),
        ("shippedTimeFrom", world.after("o.shipped_at")),
        ("shippedTimeTo", world.before("o.shipped_at")),
        ("lastPickingTimeFrom", world.after("o.last_picked_at")),
        ("lastReturnedFrom", world.after("o.last_returned_at")),
    ):
        moment = query.moment(name)
        if moment is not None:
            selection.add(condition, moment)


def _select_by_goods(world: World, query: Query, selection: Selection, owner_id: int) -> None:
    if query.truth("onlyOrdersWithOrderLinesToReport"):
        selection.add("o.id IN (SELECT order_id FROM order_line WHERE moves AND picked > coalesce(reported, 0))")
    if query.truth("onlyOrdersWithOrderLinesToReportReturned"):
        selection.add("o.id IN (SELECT order_id FROM order_line WHERE moves AND returned > coalesce(reported_returned, 0))")
    if query.truth("onlyIfTransportPrinted"):
        selection.add("o.transport_printed")
    if query.text("parcelNumber"):
        selection.add("o.id IN (SELECT order_id FROM parcel WHERE number = ?)", query.text("parcelNumber"))
    if query.text("serial"):
        selection.add("o.id IN (SELECT order_id FROM picked_item WHERE serial = ? AND serial <> '')", query.text("serial"))
    if query.texts("articleNumbers"):
        selection.add(
            "o.id IN (SELECT l.order_id FROM article a JOIN order_line l ON l.article_id = a.id"
            " WHERE a.goods_owner = ? AND a.number IN (SELECT value FROM json_each(?)))",
            owner_id,
            json.dumps(query.texts("articleNumbers")),
        )
    if query.text("orderLineSupplierNumber"):
        selection.add(
            "EXISTS (SELECT 1 FROM order_line l JOIN article a ON a.id = l.article_id WHERE l.order_id = o.id"
            " AND a.supplier_number = ?)",
            query.text("orderLineSupplierNumber"),
        )
    pickable = query.text("pickable")
    if pickable not in (None, "", "All", "NotPickable", "NotOk"):
        world.refuse_invalid({"pickable": f"The value '{pickable}' is not valid for pickable."})
    lacks_goods = (
        "EXISTS (SELECT 1 FROM order_line l JOIN stock s ON s.article_id = l.article_id AND s.warehouse_id = l.warehouse_id"
        " WHERE l.order_id = o.id AND l.moves AND l.reserves AND l.ordered - l.picked > s.physical - s.locked - s.untaken)"
    )
    if pickable == "NotPickable":
        selection.add(lacks_goods)
    if pickable == "NotOk":
        selection.add(f"(o.status = ? OR {lacks_goods})", world.switches.order_status("error"))
