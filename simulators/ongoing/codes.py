"""Things that come into being when they are first named (customers, suppliers, order types), and the fixed lists."""

from dataclasses import dataclass
from typing import Any

from simulators.ongoing.wire import dumps
from simulators.ongoing.world import Answer, Call, Query, World, Written, only_owner

Json = Any


@dataclass(frozen=True, slots=True)
class Code:
    id: int
    is_new: bool


def ensure_code(world: World, owner_id: int, kind: str, code: str, name: str | None, comment: str | None = None) -> Code:
    """Find a thing by its code, or create it; a new name replaces the old one."""
    known = world.db.execute(
        "SELECT id, name FROM code WHERE goods_owner = ? AND kind = ? AND code = ?", (owner_id, kind, code)
    ).fetchone()
    if known is None:
        cursor = world.db.execute(
            "INSERT INTO code (goods_owner, kind, code, name, comment) VALUES (?, ?, ?, ?, ?)",
            (owner_id, kind, code, name, comment),
        )
        return Code(cursor.lastrowid or 0, True)
    if name is not None and name != known["name"]:
        world.db.execute("UPDATE code SET name = ?, comment = coalesce(?, comment) WHERE id = ?", (name, comment, known["id"]))
    return Code(known["id"], False)


def _codes(world: World, call: Call, kind: str, columns: str) -> list[dict[str, Json]]:
    owner_id = Query(world, call).owner(call)
    rows = world.db.execute(f"SELECT {columns} FROM code WHERE goods_owner = ? AND kind = ? ORDER BY id", (owner_id, kind))
    return [dict(row) for row in rows]


def list_order_statuses(world: World, _call: Call) -> Answer:
    return Answer(200, dumps({"orderStatuses": world.switches.order_statuses()}))


def list_purchase_order_statuses(world: World, _call: Call) -> Answer:
    # The key is `orderStatuses` here too.
    return Answer(200, dumps({"orderStatuses": world.switches.purchase_statuses()}))


def list_order_types(world: World, call: Call) -> Answer:
    return Answer(200, dumps({"orderTypes": _codes(world, call, "orderType", "code, name")}))


def list_order_classes(world: World, call: Call) -> Answer:
    return Answer(200, dumps({"orderClasses": _codes(world, call, "orderClass", "code, name, comment")}))


def list_purchase_order_types(world: World, call: Call) -> Answer:
    return Answer(200, dumps({"purchaseOrderTypes": _codes(world, call, "purchaseOrderType", "code, name")}))


def list_ways_of_delivery(world: World, call: Call) -> Answer:
    return Answer(200, dumps({"wayOfDeliveryTypes": _codes(world, call, "wayOfDelivery", "id, code, name")}))


def put_way_of_delivery(world: World, call: Call) -> Answer:
    body = world.read("PostWayOfDeliveryTypeModel", call.body)
    only_owner(call, body["goodsOwnerId"])
    code_id = call.ids.get("wayOfDeliveryTypeId")
    if code_id is None:
        code_id = ensure_code(world, call.owner.id, "wayOfDelivery", body["code"], body["name"]).id
    else:
        _own_way_of_delivery(world, call, code_id)
        world.db.execute("UPDATE code SET code = ?, name = ? WHERE id = ?", (body["code"], body["name"], code_id))
    return Answer(200, dumps({"wayOfDeliveryTypeId": code_id, "success": True, "message": "Way of delivery saved"}),
                  Written("wayOfDelivery", code_id, body["code"]))  # fmt: skip


def delete_way_of_delivery(world: World, call: Call) -> Answer:
    code_id = call.ids["wayOfDeliveryTypeId"]
    code = _own_way_of_delivery(world, call, code_id)
    world.db.execute("DELETE FROM code WHERE id = ?", (code_id,))
    return Answer(200, dumps({"wayOfDeliveryTypeId": code_id, "success": True, "message": "Way of delivery removed"}),
                  Written("wayOfDelivery", code_id, code))  # fmt: skip


def _own_way_of_delivery(world: World, call: Call, code_id: int) -> str:
    row = world.db.execute(
        "SELECT code FROM code WHERE id = ? AND goods_owner = ? AND kind = 'wayOfDelivery'", (code_id, call.owner.id)
    ).fetchone()
    if row is None:
        world.refuse_unknown_id(f"There is no way of delivery with ID {code_id}.")
    return str(row["code"])


def list_transporter_contracts(world: World, call: Call) -> Answer:
    Query(world, call).owner(call)
    return Answer(200, dumps(world.switches["transporters"]))


def list_warehouses(world: World, _call: Call) -> Answer:
    houses = [
        {"id": house["id"], "code": house.get("code"), "name": house.get("name"), "address": None}
        for house in world.switches["warehouses"]
    ]
    return Answer(200, dumps(houses))


def list_zones(world: World, call: Call) -> Answer:
    if world.switches.warehouse(call.ids["warehouseId"]) is None:
        world.refuse_unknown_id(f"There is no warehouse with ID {call.ids['warehouseId']}.")
    return Answer(200, dumps([{"id": 1, "name": "A", "position": None, "aisles": None}]))


def list_location_types(_world: World, _call: Call) -> Answer:
    return Answer(200, dumps([{"id": 1, "name": "Plockplats", "code": "PICK"}, {"id": 2, "name": "Buffert", "code": "BUFFER"}]))


def list_parcel_types(world: World, call: Call) -> Answer:
    Query(world, call).owner(call)
    sizes = ("weight", "length", "width", "height", "loadMeters", "area", "barCode")
    return Answer(200, dumps([{"id": 1, "code": "PKT", "name": "Paket", **dict.fromkeys(sizes)}]))


def list_article_item_statuses(world: World, call: Call) -> Answer:
    Query(world, call).owner(call)
    return Answer(200, dumps({"articleItemStatuses": []}))
