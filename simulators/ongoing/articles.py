"""Articles and their stock figures.

What an article says about itself is written as JSON once, when it is put; a read only adds the figures.
"""

import sqlite3
from decimal import Decimal
from typing import Any

from simulators.ongoing.codes import ensure_code
from simulators.ongoing.wire import PIECE, Raw, decimal_text, dumps, loads, members, moment_json, number, quoted, to_units
from simulators.ongoing.world import DAY, Answer, Call, Query, Selection, World, Written, only_owner, refuse

Json = Any

_PLAIN_FIELDS = (
    "articleName", "productCode", "description", "quantityPerPackage", "quantityPerPallet", "weight", "length", "width", "height",
    "volume", "purchasePrice", "stockValuationPrice", "customerPrice", "purcaseCurrencyCode", "countryOfOriginCode",
    "statisticsNumber", "stockLimit", "minimumReorderQuantity", "netWeight", "subQuantityPerItem", "customsDescription",
    "linkToPicture",
)  # fmt: skip

_SUMS = ", ".join(
    f"coalesce(sum(s.{column}), 0) AS {column}"
    for column in (
        "physical",
        "locked",
        "booked",
        "allocated",
        "left_to_allocate",
        "to_collect",
        "untaken",
        "to_receive",
        "to_finish",
    )
)


# --- create and update


def put_article(world: World, call: Call) -> Answer:
    body = world.read("PostArticleModel", call.body)
    only_owner(call, body["goodsOwnerId"])
    known = article_by_number(world, call.owner.id, body["articleNumber"])
    if known is None and world.switches["articleNumbers"] == "alike":
        known = _alike(world, call.owner.id, body["articleNumber"])
    return _write_article(world, call, body, known)


def _alike(world: World, owner_id: int, article_number: str) -> sqlite3.Row | None:
    """An article whose number differs in case or in blanks around it only."""
    found: sqlite3.Row | None = world.db.execute(
        "SELECT * FROM article WHERE goods_owner = ? AND trim(lower(number)) = trim(lower(?)) ORDER BY id LIMIT 1",
        (owner_id, article_number),
    ).fetchone()
    return found


def put_article_by_id(world: World, call: Call) -> Answer:
    body = world.read("PostArticleModel", call.body)
    only_owner(call, body["goodsOwnerId"])
    known = _article_by_id(world, call)
    namesake = article_by_number(world, call.owner.id, body["articleNumber"])
    if namesake is not None and namesake["id"] != known["id"]:
        refuse(400, f"Article number {body['articleNumber']} is already used.")
    return _write_article(world, call, body, known)


def _write_article(world: World, call: Call, body: dict[str, Json], known: sqlite3.Row | None) -> Answer:
    sentences = []
    supplier = (body.get("supplierInfo") or {}).get("supplierNumber")
    if supplier and ensure_code(world, call.owner.id, "supplier", supplier, body["supplierInfo"].get("supplierName")).is_new:
        sentences.append(f"Supplier with supplier number '{supplier}' created. ")
    article_id = save_article(world, call.owner.id, body, known)
    sentences.append(f"Article {body['articleNumber']} {body.get('articleName') or ''} Updated/Created")
    return Answer(
        200,
        dumps({"articleSystemId": article_id, "message": "<br/>".join(sentences)}),
        Written("article", article_id, body["articleNumber"]),
    )


def save_article(world: World, owner_id: int, body: dict[str, Json], known: sqlite3.Row | None) -> int:
    """Create the article or change it; fields that were not sent stay as they are unless the tenant clears them."""
    keep = known is not None and world.switches["omittedFields"] == "unchanged"
    document: dict[str, Json] = {**(loads(known["document"]) if known is not None and keep else {}), **body}
    kind = (document.get("structureDefinition") or {}).get("articleKind")
    columns = {
        "number": document["articleNumber"],
        "document": dumps(document),
        "name": document.get("articleName"),
        "product_code": document.get("productCode"),
        "supplier_number": (document.get("supplierInfo") or {}).get("supplierNumber"),
        "is_stock": int(document.get("isStockArticle") is not False),
        "is_obsolete": int(bool((document.get("storageProperties") or {}).get("isObsolete"))),
        "kind": kind,
        "stock_limit": document["stockLimit"] * PIECE if document.get("stockLimit") is not None else None,
        "valuation": decimal_text(document.get("stockValuationPrice") or Decimal(0)),
        "data_updated_at": world.now(),
        "rendered": _rendered(document, kind),
    }
    if known is None:
        names = ["goods_owner", *columns, "in_order", "in_purchase"]
        marks = ", ".join("?" for _ in names)
        cursor = world.db.execute(
            f"INSERT INTO article ({', '.join(names)}) VALUES ({marks})", (owner_id, *columns.values(), "", "")
        )
        article_id = cursor.lastrowid or 0
        for warehouse in world.switches["warehouses"][:1]:
            ensure_stock(world, article_id, warehouse["id"])
    else:
        article_id = known["id"]
        sets = ", ".join(f"{name} = ?" for name in columns)
        world.db.execute(f"UPDATE article SET {sets} WHERE id = ?", (*columns.values(), article_id))
    brief = {
        "articleSystemId": article_id,
        "articleNumber": document["articleNumber"],
        "articleName": document.get("articleName"),
        "productCode": document.get("productCode"),
    }
    world.db.execute(
        "UPDATE article SET in_order = ?, in_purchase = ? WHERE id = ?",
        (dumps({**brief, "articleKind": kind}), dumps(brief), article_id),
    )
    _save_bar_codes(world, article_id, document.get("barCodeInfo") or {})
    _save_components(world, owner_id, article_id, document.get("structureDefinition") or {})
    return article_id


def _rendered(document: dict[str, Json], kind: str | None) -> str:
    supplier, codes = document.get("supplierInfo"), document.get("barCodeInfo")
    free, properties = document.get("freeValues"), document.get("storageProperties") or {}
    unit = document.get("unitCode")
    fields: dict[str, Json] = {
        "articleNumber": document["articleNumber"],
        **{name: document.get(name) for name in _PLAIN_FIELDS},
        "unitCode": unit.lower() if unit else unit,
        "isStockArticle": document.get("isStockArticle") is not False,
        "isActive": document.get("isActive") is not False,
        "supplierInfo": supplier
        and {
            **{name: supplier.get(name) for name in ("supplierArticleNumber", "supplierNumber", "supplierName")},
            "alternativeSuppliers": None,
        },
        "barCodeInfo": codes
        and {name: codes.get(name) for name in ("barCode", "barCodePackage", "barCodePallet", "alternativeBarCodes")},
        "articleGroup": document.get("articleGroup"),
        "articleCategory": document.get("articleCategory"),
        "articleKind": kind,
        "freeValues": free
        and {
            **{f"freeDecimal{at}": free.get(f"freeDecimal{at}") for at in (1, 2, 3)},
            **{f"freeBoolean{at}": bool(free.get(f"freeBoolean{at}")) for at in (1, 2, 3)},
        },
        "taricNumbersInfo": document.get("taricNumbersInfo"),
        "storageProperties": {"isObsolete": bool(properties.get("isObsolete"))},
        "defaultLocation": None,
        "defaultLocationMaxNumberOfItems": None,
        "defaultLocationStockLimit": None,
    }
    return members(fields)


def _save_bar_codes(world: World, article_id: int, codes: dict[str, Json]) -> None:
    found = {codes.get(name) for name in ("barCode", "barCodePackage", "barCodePallet")}
    found |= {alternative.get("barCode") for alternative in codes.get("alternativeBarCodes") or []}
    world.db.execute("DELETE FROM bar_code WHERE article_id = ?", (article_id,))
    world.db.executemany("INSERT INTO bar_code VALUES (?, ?)", [(article_id, code) for code in found if code])


def _save_components(world: World, owner_id: int, article_id: int, structure: dict[str, Json]) -> None:
    world.db.execute("DELETE FROM component WHERE article_id = ?", (article_id,))
    for position, row in enumerate(structure.get("rows") or []):
        component = article_by_number(world, owner_id, row["articleNumber"])
        if component is None or component["id"] == article_id:
            refuse(400, f"Article {row['articleNumber']} cannot be a part of the structure.")
        quantity = to_units(row.get("numberOfItems") or Decimal(1))
        world.db.execute("INSERT INTO component VALUES (?, ?, ?, ?)", (article_id, position, component["id"], quantity))


def ensure_stock(world: World, article_id: int, warehouse_id: int) -> None:
    """Make sure the article has a row of figures in the warehouse; the line triggers count on it."""
    world.db.execute(
        "INSERT OR IGNORE INTO stock (article_id, warehouse_id, changed_at) VALUES (?, ?, ?)",
        (article_id, warehouse_id, world.now()),
    )


def article_by_number(world: World, owner_id: int, article_number: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = world.db.execute(
        "SELECT * FROM article WHERE goods_owner = ? AND number = ?", (owner_id, article_number)
    ).fetchone()
    return found


def _article_by_id(world: World, call: Call) -> sqlite3.Row:
    article_id = call.ids["articleSystemId"]
    found: sqlite3.Row | None = world.db.execute(
        "SELECT * FROM article WHERE id = ? AND goods_owner = ?", (article_id, call.owner.id)
    ).fetchone()
    if found is None:
        world.refuse_unknown_id(f"There is no article with ID {article_id}.")
    return found


# --- read


def get_article(world: World, call: Call) -> Answer:
    known = _article_by_id(world, call)
    return Answer(200, _articles(world, call, Selection("a.id = ?", known["id"]), None)[0])


def list_articles(world: World, call: Call) -> Answer:
    query = Query(world, call)
    selection = Selection("a.goods_owner = ?", query.owner(call))
    _select_articles(world, query, selection)
    if query.text("productCode"):
        selection.add("a.product_code = ?", query.text("productCode"))
    selection.among("a.product_code", query.texts("productCodes"))
    updated = query.moment("articleDataLastUpdatedFrom")
    if updated is not None:
        selection.add(world.after("a.data_updated_at"), updated)
    if query.texts("articleNameContains"):
        names = query.texts("articleNameContains")
        selection.add("(" + " OR ".join("instr(lower(a.name), lower(?)) > 0" for _ in names) + ")", *names)
    if query.wholes("articleClassIds"):
        selection.add(
            "a.id IN (SELECT article_id FROM article_class WHERE class_id IN (SELECT value FROM json_each(?)))",
            dumps(query.wholes("articleClassIds")),
        )
    if query.texts("barCodes"):
        selection.add("a.id IN (SELECT article_id FROM bar_code WHERE code IN (SELECT value FROM json_each(?)))",
                      dumps(query.texts("barCodes")))  # fmt: skip
    if query.truth("isObsolete") is not None:
        selection.add("a.is_obsolete = ?", int(bool(query.truth("isObsolete"))))
    having = "1"
    if query.truth("onlyArticlesBelowStockLimit"):
        having = "coalesce(sum(s.physical), 0) < a.stock_limit"
    if query.truth("onlyArticlesBelowStockLimitConsideringNumberOfBookedItems"):
        having += " AND coalesce(sum(s.physical), 0) - coalesce(sum(s.booked), 0) < a.stock_limit"
    rendered = _articles(world, call, selection, query.whole("maxArticlesToGet"), having)
    return Answer(200, f"[{','.join(rendered)}]")


def _paging(query: Query) -> str:
    """By what a list of articles is ordered. For asked numbers not along the index of ids, which reads all."""
    return "+a.id" if query.texts("articleNumbers") else "a.id"


def _select_articles(world: World, query: Query, selection: Selection) -> None:
    """Add the filters that all lists of articles share."""
    if query.text("articleNumber"):
        selection.add("a.number = ?", query.text("articleNumber"))
    selection.among("a.number", query.texts("articleNumbers"))
    if query.whole("articleSystemIdFrom") is not None:
        selection.add("a.id >= ?", query.whole("articleSystemIdFrom"))
    changed = query.recent("stockInfoChangedFrom", DAY, "stockInfoChangedFrom must be within 24 hours of the current time.")
    if changed is not None:
        selection.add(f"a.id IN (SELECT article_id FROM stock WHERE {world.after('changed_at')})", changed)
    if query.truth("onlyArticlesInStock"):
        selection.add("EXISTS (SELECT 1 FROM stock i WHERE i.article_id = a.id AND i.physical > 0)")


def _articles(world: World, call: Call, selection: Selection, most: int | None, having: str = "1") -> list[str]:
    rows = world.db.execute(
        f"SELECT a.id, a.kind, a.rendered, a.valuation, a.data_updated_at, a.last_in_at, {_SUMS},"
        " (SELECT json_group_array(json_object('id', k.id, 'code', k.code, 'name', k.name)) FROM article_class c"
        "  JOIN code k ON k.id = c.class_id WHERE c.article_id = a.id) AS classes"
        f" FROM article a LEFT JOIN stock s ON s.article_id = a.id WHERE {selection.where}"
        f" GROUP BY a.id HAVING {having} ORDER BY a.id LIMIT ?",
        (*selection.values, -1 if most is None else most),
    )
    owner = dumps({"id": call.owner.id, "name": call.owner.name})
    return [_article(world, owner, row) for row in rows]


def _article(world: World, owner: str, row: sqlite3.Row) -> str:
    locked = row["allocated"] + row["locked"]
    sellable = _kit_sellable(world, row["id"]) if row["kind"] == "Structure" else _sellable(row) - _uncounted(world, row)
    counted = _counted(world, row)
    value = Decimal(counted) / PIECE * Decimal(row["valuation"])
    classes = row["classes"] if row["classes"] != "[]" else "null"
    return (
        f'{{"goodsOwner":{owner},"articleSystemId":{row["id"]},{row["rendered"]},"classes":{classes},'
        f'"articleDataLastUpdated":{moment_json(row["data_updated_at"])},"inventoryInfo":{{'
        f'"numberOfItems":{number(counted)},"numberOfBookedItems":{number(row["booked"])},'
        f'"numberOfLockedItems":{number(locked)},"toReceiveNumberOfItems":{number(row["to_receive"])},'
        f'"allocatedNumberOfItems":{number(row["allocated"])},"lockedForSaleNumberOfItems":{number(locked)},'
        f'"pickedToBeCollectedNumberOfItems":{number(row["to_collect"])},'
        f'"receivedToBeFinishedNumberOfItems":{number(row["to_finish"])},"lastInDate":{moment_json(row["last_in_at"])},'
        f'"sellableNumberOfItems":{number(sellable)},"totalStockValue":{decimal_text(value)}}}}}'
    )


def _uncounted(world: World, row: sqlite3.Row) -> int:
    """Return what lies there and is not counted yet: received on an inbound that is not finished, where the tenant counts so."""
    return int(row["to_finish"]) if world.switches["receivedGoodsCount"] == "when-finished" else 0


def _counted(world: World, row: sqlite3.Row) -> int:
    return int(row["physical"]) - _uncounted(world, row)


def _sellable(row: sqlite3.Row) -> int:
    """Return what can still be sold. Goods that are picked but still counted in stock are sold already."""
    return int(row["physical"] - row["untaken"] - row["allocated"] - row["locked"] - row["left_to_allocate"])


def _kit_sellable(world: World, article_id: int) -> int:
    parts = world.db.execute(
        f"SELECT c.quantity, {_SUMS} FROM component c LEFT JOIN stock s ON s.article_id = c.component_id"
        " WHERE c.article_id = ? GROUP BY c.position",
        (article_id,),
    ).fetchall()
    return min((_sellable(part) // part["quantity"] * PIECE for part in parts), default=0)


def inventory_per_warehouse(world: World, call: Call) -> Answer:
    query = Query(world, call)
    selection = Selection("a.goods_owner = ?", query.owner(call))
    _select_articles(world, query, selection)
    selection.among("s.warehouse_id", query.wholes("warehouseIds"))
    if query.truth("excludeStructureArticles"):
        selection.add("a.kind IS NOT 'Structure'")
    if query.truth("excludeNonStockArticles"):
        selection.add("a.is_stock")
    found: dict[int, tuple[str, list[str]]] = {}
    most = query.whole("maxArticlesToGet")
    for row in world.db.execute(
        f"SELECT s.*, a.number FROM article a JOIN stock s ON s.article_id = a.id WHERE {selection.where}"
        f" ORDER BY {_paging(query)}, s.warehouse_id",
        selection.values,
    ):
        if most is not None and len(found) == most and row["article_id"] not in found:
            break  # a page of a million articles is not read to its end
        locked = row["allocated"] + row["locked"]
        found.setdefault(row["article_id"], (row["number"], []))[1].append(
            f'{{"warehouseId":{row["warehouse_id"]},"numberOfItems":{number(_counted(world, row))},'
            f'"numberOfLockedItems":{number(locked)},'
            f'"sellableNumberOfItems":{number(_sellable(row) - _uncounted(world, row))},'
            f'"availableForSaleNumberOfItems":{number(row["physical"] - row["untaken"] - locked)},'
            f'"allocatedNumberOfItems":{number(row["allocated"])},"reported":{{'
            f'"pickedToBeReportedNumberOfItems":{number(row["picked_to_report"])},'
            f'"returnedToBeReportedNumberOfItems":{number(row["returned_to_report"])},'
            f'"receivedToBeReportedNumberOfItems":{number(row["received_to_report"])}}}}}'
        )
    rendered = [
        f'{{"articleSystemId":{article_id},"articleNumber":{quoted(article_number)},"inventoryPerWarehouse":[{",".join(rows)}]}}'
        for article_id, (article_number, rows) in list(found.items())[:most]
    ]
    return Answer(200, f"[{','.join(rendered)}]")


def historical_inventory(world: World, call: Call) -> Answer:
    """Stock as it stood at an instant; a date alone means its first moment in UTC."""
    query = Query(world, call)
    owner_id, instant = query.owner(call), query.moment("stockDate")
    if instant is None:
        world.refuse_invalid({"stockDate": "The stockDate field is required."})
    house = query.whole("warehouseId")
    rows = world.db.execute(
        "SELECT a.id, a.in_purchase, coalesce(sum(m.quantity), 0) AS quantity FROM article a"
        " JOIN stock_movement m ON m.article_id = a.id AND m.at <= ? AND (? IS NULL OR m.warehouse_id = ?)"
        " WHERE a.goods_owner = ? GROUP BY a.id HAVING quantity <> 0 ORDER BY a.id",
        (instant, house, house, owner_id),
    )
    articles = [
        Raw(f'{row["in_purchase"][:-1]},"numberOfItems":{number(row["quantity"])},'
            f'"articleItems":[{{"numberOfItems":{number(row["quantity"])},"batch":"","serial":""}}]}}')
        for row in rows
    ]  # fmt: skip
    return Answer(200, dumps([{"articles": articles}]))


def list_article_items(world: World, call: Call) -> Answer:
    query = Query(world, call)
    selection = Selection("a.goods_owner = ? AND s.physical > 0", query.owner(call))
    selection.among("a.number", query.texts("articleNumbers"))
    if query.whole("articleSystemIdFrom") is not None:
        selection.add("a.id >= ?", query.whole("articleSystemIdFrom"))
    found: dict[int, dict[str, Json]] = {}
    for row in world.db.execute(
        "SELECT s.*, a.number, a.last_in_at FROM article a JOIN stock s ON s.article_id = a.id"
        f" WHERE {selection.where} ORDER BY a.id, s.warehouse_id",
        selection.values,
    ):
        entry = found.setdefault(
            row["article_id"], {"articleSystemId": row["article_id"], "articleNumber": row["number"], "items": []}
        )
        for quantity, is_locked in ((row["physical"] - row["locked"], False), (row["locked"], True)):
            if quantity > 0:
                entry["items"].append(_article_item(world, row, quantity, is_locked))
    return Answer(200, dumps(list(found.values())[: query.whole("maxArticlesToGet")]))


def _article_item(world: World, row: sqlite3.Row, quantity: int, is_locked: bool) -> dict[str, Json]:
    house = world.switches.warehouse(row["warehouse_id"])
    in_date = row["last_in_at"] if row["last_in_at"] is not None else row["changed_at"]
    return {
        "batch": "",
        "container": None,
        "expiryDate": None,
        "isLocked": False,
        "isLockedForSale": is_locked,
        "location": SHELF,
        "numberOfItems": number(quantity),
        "serial": "",
        "status": None,
        "comment": None,
        "warehouse": house and {name: house.get(name) for name in ("id", "code", "name")},
        "inDate": Raw(moment_json(in_date)),
    }


SHELF = "A-01-3"


def as_written(world: World, owner_id: int, article_number: str) -> Json:
    """What was last put of an article, with what no read shows: translations, colour, size."""
    row = article_by_number(world, owner_id, article_number)
    return None if row is None else {"articleSystemId": row["id"]} | loads(row["document"])


def structure_definition(world: World, call: Call) -> Answer:
    row = _article_by_id(world, call)
    return Answer(200, dumps(_structure(world, row)))


def list_structure_definitions(world: World, call: Call) -> Answer:
    query = Query(world, call)
    selection = Selection("a.goods_owner = ? AND a.kind IS NOT NULL", query.owner(call))
    selection.among("a.number", query.texts("articleNumbers"))
    if query.text("articleKind"):
        selection.add("a.kind = ?", query.text("articleKind"))
    rows = world.db.execute(f"SELECT * FROM article a WHERE {selection.where} ORDER BY a.id", selection.values).fetchall()
    return Answer(200, dumps([_structure(world, row) for row in rows]))


def _structure(world: World, row: sqlite3.Row) -> dict[str, Json]:
    parts = world.db.execute(
        "SELECT c.quantity, p.id, p.number FROM component c JOIN article p ON p.id = c.component_id WHERE"
        " c.article_id = ? ORDER BY c.position",
        (row["id"],),
    ).fetchall()
    return {
        "articleSystemId": row["id"],
        "articleNumber": row["number"],
        "articleKind": row["kind"],
        "rows": [
            {"articleSystemId": part["id"], "articleNumber": part["number"], "numberOfItems": number(part["quantity"])}
            for part in parts
        ]
        or None,
    }


# --- classes


def list_article_classes(world: World, call: Call) -> Answer:
    owner_id = Query(world, call).owner(call)
    rows = world.db.execute(
        "SELECT id, code, name, comment FROM code WHERE goods_owner = ? AND kind = 'articleClass' ORDER BY id", (owner_id,)
    )
    return Answer(200, dumps({"articleClasses": [dict(row) for row in rows]}))


def put_article_class(world: World, call: Call) -> Answer:
    body = world.read("PostArticleClassModel", call.body)
    only_owner(call, body["goodsOwnerId"])
    code = ensure_code(world, call.owner.id, "articleClass", body["code"], body["name"], body.get("comment"))
    return Answer(200, dumps({"articleClassId": code.id, "success": True, "message": "Article class saved"}),
                  Written("articleClass", code.id, body["code"]))  # fmt: skip


def put_classes_of_article(world: World, call: Call) -> Answer:
    row = _article_by_id(world, call)
    body = world.read("PortArticleArticleClassesModel", call.body)
    world.db.execute("DELETE FROM article_class WHERE article_id = ?", (row["id"],))
    world.db.executemany(
        "INSERT OR IGNORE INTO article_class VALUES (?, ?)", [(row["id"], each) for each in body["articleClassIds"]]
    )
    return Answer(200, dumps({"fileId": None, "success": True, "message": "Article classes saved"}),
                  Written("article", row["id"], row["number"]))  # fmt: skip
