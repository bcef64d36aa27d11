"""Stock corrections: made in the warehouse, read and acknowledged by the goods owner."""

import sqlite3
from typing import Any

from simulators.ongoing.articles import SHELF, ensure_stock
from simulators.ongoing.wire import Raw, dumps, moment_json, number
from simulators.ongoing.world import Answer, Call, Query, Selection, World, Written

Json = Any


def adjust(
    world: World,
    owner_id: int,
    article_id: int,
    warehouse_id: int,
    units: int,
    *,
    cause: dict[str, Json] | None,
    comment: str = "",
    item_comment: str = "",
    inventory_id: int | None = None,
) -> int:
    """Change stock with a reason, as part of a stock-taking (a new one unless it is named), and return the stock-taking's ID."""
    ensure_stock(world, article_id, warehouse_id)
    if inventory_id is None:
        inventory_id = (
            world.db.execute("INSERT INTO inventory (goods_owner, comment) VALUES (?, ?)", (owner_id, comment)).lastrowid or 0
        )
    stock = world.db.execute(
        "SELECT id FROM stock WHERE article_id = ? AND warehouse_id = ?", (article_id, warehouse_id)
    ).fetchone()
    world.db.execute("UPDATE stock SET physical = physical + ? WHERE id = ?", (units, stock["id"]))
    adjustment_id = world.db.execute(
        "INSERT INTO adjustment (inventory_id, goods_owner, article_id, warehouse_id, quantity, at,"
        " item_comment, cause, location, batch,"
        " serial, article_item_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', ?)",
        (
            inventory_id, owner_id, article_id, warehouse_id, units, world.now(), item_comment, dumps(cause) if cause else None,
            SHELF, stock["id"],
        ),
    ).lastrowid  # fmt: skip
    world.tell("inventory", "adjusted", adjustment_id or 0)
    return inventory_id


def list_adjustments(world: World, call: Call) -> Answer:
    query = Query(world, call)
    selection = Selection("j.goods_owner = ?", query.owner(call))
    for name, condition in (("from", world.after("j.at")), ("toTime", world.before("j.at")), ("to", world.before("j.at"))):
        moment = query.moment(name)
        if moment is not None:
            selection.add(condition, moment)
    is_reported = query.truth("isReported")
    if is_reported is not None:
        selection.add("j.is_reported = ?", int(is_reported))
    return Answer(200, dumps(_by_article(world, selection)))


def get_adjustment(world: World, call: Call) -> Answer:
    """One stock-taking; the specification shows one article in it, so the first is shown."""
    inventory_id = call.ids["inventoryId"]
    found = _by_article(world, Selection("j.goods_owner = ? AND j.inventory_id = ?", call.owner.id, inventory_id))
    if not found:
        world.refuse_unknown_id(f"There is no inventory with ID {inventory_id}.")
    return Answer(200, dumps(found[0]))


def set_reported(world: World, call: Call) -> Answer:
    rows = world.db.execute(
        "SELECT id, article_item_id FROM adjustment WHERE goods_owner = ? AND inventory_id = ? AND article_id = ? ORDER BY id",
        (call.owner.id, call.ids["inventoryId"], call.ids["articleSystemId"]),
    ).fetchall()
    if not rows:
        world.refuse_unknown_id(f"There is no such article in inventory {call.ids['inventoryId']}.")
    world.db.executemany("UPDATE adjustment SET is_reported = 1 WHERE id = ?", [(row["id"],) for row in rows])
    items = [{"inventoryArticleItemId": row["id"], "articleItemId": row["article_item_id"]} for row in rows]
    return Answer(
        200,
        dumps({"message": "Inventory adjustments set as reported", "items": items}),
        Written("inventoryAdjustment", call.ids["inventoryId"], str(call.ids["articleSystemId"])),
    )


def _by_article(world: World, selection: Selection) -> list[dict[str, Json]]:
    found: dict[int, dict[str, Json]] = {}
    for row in world.db.execute(
        "SELECT j.*, a.in_purchase, i.comment FROM adjustment j JOIN article a ON a.id = j.article_id"
        f" JOIN inventory i ON i.id = j.inventory_id WHERE {selection.where} ORDER BY j.article_id, j.id",
        selection.values,
    ):
        line = found.setdefault(row["article_id"], {"article": Raw(row["in_purchase"]), "inventoryAdjustments": []})
        line["inventoryAdjustments"].append(_adjustment(world, row))
    return list(found.values())


def _adjustment(world: World, row: sqlite3.Row) -> dict[str, Json]:
    house = world.switches.warehouse(row["warehouse_id"])
    return {
        "inventoryId": row["inventory_id"],
        "numberOfItems": number(row["quantity"]),
        "inventoryTime": Raw(moment_json(row["at"])),
        "articleItemComment": row["item_comment"],
        "inventoryItemComment": row["comment"],
        "inventoryAdjustmentCause": Raw(row["cause"]) if row["cause"] else None,
        "location": row["location"],
        "batchNumber": row["batch"],
        "serial": row["serial"],
        "articleItemStatus": None,
        "expiryDate": None,
        "warehouse": house and {name: house.get(name) for name in ("id", "code", "name")},
    }
