"""The warehouse worker: release, allocate, pick, pack, send, collect, undo, return, cancel.

None of this is part of Ongoing's API: it is what people do in the warehouse, reached by the control interface and
by the automatic warehouse.
"""

import json
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simulators.ongoing.adjustments import adjust
from simulators.ongoing.articles import SHELF
from simulators.ongoing.codes import ensure_code
from simulators.ongoing.order_view import order_text
from simulators.ongoing.orders import Orders
from simulators.ongoing.webhooks import Webhooks
from simulators.ongoing.wire import PIECE, Unreadable, dumps, loads, number, to_units
from simulators.ongoing.world import GoodsOwner, World

Json = Any


class CannotDo(Exception):
    """The worker cannot do that with this order, and has done nothing."""


@dataclass(frozen=True, slots=True)
class Move:
    """So many of one line, with what the worker wrote down about them."""

    line: sqlite3.Row
    units: int
    serial: str
    batch: str


class Floor:
    def __init__(self, world: World, orders: Orders, webhooks: Webhooks) -> None:
        self._world, self._orders, self._webhooks = world, orders, webhooks
        self.actions = {
            "release": self.release, "allocate": self.allocate, "pick": self.pick, "undo-pick": self.undo_pick, "pack": self.pack,
            "send": self.send, "collect": self.collect, "cancel": self.cancel, "finish-short": self.finish_short,
            "return": self.return_goods, "undo-return": self.undo_return,
        }  # fmt: skip

    def act(self, order_id: int, action: str, wish: dict[str, Json]) -> str:
        """Do one thing with an order and return it as the API shows it afterwards."""
        order = self._orders.by_id(order_id)
        owner = self.owner(order["goods_owner"])
        self._orders.remember(owner, order)
        self.actions[action](order, wish)
        self._world.db.execute("UPDATE sales_order SET updated_at = ? WHERE id = ?", (self._world.now(), order_id))
        self._world.touched_orders.add(order_id)
        return order_text(self._world, owner, self._orders.by_id(order_id))

    def owner(self, owner_id: int) -> GoodsOwner:
        return GoodsOwner(**self._world.db.execute("SELECT * FROM goods_owner WHERE id = ?", (owner_id,)).fetchone())

    # --- before the goods move

    def release(self, order: sqlite3.Row, _wish: dict[str, Json]) -> None:
        self._refuse_cancelled(order)
        if order["status"] >= self._status("released"):
            raise CannotDo(f"order {order['number']} is already released")
        self._orders.set_status(order["id"], self._status("released"))

    def allocate(self, order: sqlite3.Row, wish: dict[str, Json]) -> None:
        self._refuse_unreleased(order)
        moves = self._moves(order, wish, "ordered - allocated")
        self._refuse_shortage(moves, "physical - untaken - locked - allocated")
        for move in moves:
            if move.line["allocated"] + move.units > move.line["ordered"] and not wish.get("over"):
                raise CannotDo(f"row {move.line['row_number']}: more than was ordered cannot be allocated")
        self._world.db.executemany(
            "UPDATE order_line SET allocated = allocated + ? WHERE id = ?", [(move.units, move.line["id"]) for move in moves]
        )
        self._sum_up_kits(order)
        self._settle_status(order)
        self._tell(order, "isAllocated", moves)

    def pick(self, order: sqlite3.Row, wish: dict[str, Json]) -> None:
        """Take goods from the shelf. More than was ordered needs `over`; more than there is, is not possible."""
        self._refuse_unreleased(order)
        moves = self._moves(order, wish, "ordered - picked")
        over = [move for move in moves if move.line["picked"] + move.units > move.line["ordered"]]
        if over and not wish.get("over"):
            raise CannotDo(f"row {over[0].line['row_number']}: more than was ordered would be picked")
        self._refuse_shortage(moves, "physical - untaken - locked")
        db, now = self._world.db, self._world.now()
        at_pick = self._world.switches["goodsLeaveStock"] == "at-pick" or order["status"] >= self._status("collected")
        db.executemany(
            "UPDATE order_line SET picked = picked + ?, taken = taken + ?, allocated = max(allocated, picked + ?) WHERE id = ?",
            [(move.units, move.units if at_pick else 0, move.units, move.line["id"]) for move in moves],
        )
        if at_pick:
            self._move_stock(moves, -1)
        db.executemany(
            "INSERT INTO picked_item (order_id, line_id, quantity, in_date, serial, batch, location, picked_at)"
            " SELECT ?, ?, ?, coalesce(last_in_at, data_updated_at), ?, ?, ?, ? FROM article WHERE id = ?",
            [
                (order["id"], move.line["id"], move.units, move.serial, move.batch, SHELF, now, move.line["article_id"])
                for move in moves
            ],
        )
        db.execute("UPDATE sales_order SET last_picked_at = ? WHERE id = ?", (now, order["id"]))
        self._sum_up_kits(order)
        self._settle_status(order)
        self._tell(order, "isPicked", moves)

    def undo_pick(self, order: sqlite3.Row, wish: dict[str, Json]) -> None:
        """Put picked goods back on the shelf, the last picked first; they are no longer allocated either."""
        moves = self._moves(order, wish, "picked - returned")
        for move in moves:
            if move.units > move.line["picked"] - move.line["returned"]:
                raise CannotDo(f"row {move.line['row_number']}: only {number(move.line['picked'])} is picked")
        db, now = self._world.db, self._world.now()
        back = [(move, min(move.units, move.line["taken"])) for move in moves]
        db.executemany(
            "UPDATE order_line SET picked = picked - ?, taken = taken - ?, allocated = max(0, allocated - ?),"
            " packed = min(packed, picked - ?) WHERE id = ?",
            [(move.units, taken, move.units, move.units, move.line["id"]) for move, taken in back],
        )
        db.executemany(
            "UPDATE stock SET physical = physical + ? WHERE article_id = ? AND warehouse_id = ?",
            [(taken, move.line["article_id"], move.line["warehouse_id"]) for move, taken in back if taken],
        )
        for move in moves:
            self._take_from_items(move)
        db.execute("UPDATE sales_order SET last_picked_at = ? WHERE id = ?", (now, order["id"]))
        self._sum_up_kits(order)
        if order["status"] <= self._status("picked"):
            self._settle_status(order)
        self._world.stocked_owners.add(order["goods_owner"])
        self._tell(order, "isDeleted", moves)

    def _take_from_items(self, move: Move) -> None:
        left = move.units
        for item in self._world.db.execute(
            "SELECT id, quantity FROM picked_item WHERE line_id = ? AND returned_at IS NULL ORDER BY id DESC", (move.line["id"],)
        ).fetchall():
            taken = min(left, item["quantity"])
            left -= taken
            if taken == item["quantity"]:
                self._world.db.execute("DELETE FROM picked_item WHERE id = ?", (item["id"],))
            else:
                self._world.db.execute("UPDATE picked_item SET quantity = quantity - ? WHERE id = ?", (taken, item["id"]))
            if not left:
                return

    def pack(self, order: sqlite3.Row, wish: dict[str, Json]) -> None:
        self._refuse_cancelled(order)
        moves = self._moves(order, wish, "picked - packed")
        for move in moves:
            if move.line["packed"] + move.units > move.line["picked"]:
                raise CannotDo(f"row {move.line['row_number']}: only {number(move.line['picked'])} is picked")
        self._world.db.executemany(
            "UPDATE order_line SET packed = packed + ? WHERE id = ?", [(move.units, move.line["id"]) for move in moves]
        )
        self._world.db.execute(
            "UPDATE picked_item SET packed_at = ? WHERE order_id = ? AND packed_at IS NULL", (self._world.now(), order["id"])
        )
        self._tell(order, "isPacked", moves)

    # --- the goods leave

    def send(self, order: sqlite3.Row, wish: dict[str, Json]) -> None:
        """Hand the goods to the carrier: waybill, parcel, shipping time."""
        self._refuse_unreleased(order)
        db, order_id = self._world.db, order["id"]
        waybill, url, parcel_number = (wish.get(name) for name in ("waybill", "trackingUrl", "parcelNumber"))
        if waybill:
            db.execute("UPDATE sales_order SET way_bill = ? WHERE id = ?", (waybill, order_id))
            self._orders.add_tracking(order_id, waybill, url, is_return=False)
        if parcel_number:
            parcel = db.execute("SELECT id FROM parcel WHERE order_id = ? AND number = ?", (order_id, parcel_number)).fetchone()
            parcel_id = (
                parcel["id"]
                if parcel
                else db.execute(
                    "INSERT INTO parcel (order_id, number, is_return, waybill, tracking_url) VALUES (?, ?, 0, ?, ?)",
                    (order_id, parcel_number, waybill, url),
                ).lastrowid
            )
            db.execute("UPDATE picked_item SET parcel_id = ? WHERE order_id = ? AND parcel_id IS NULL", (parcel_id, order_id))
        sent = self._status("sent")
        if order["status"] == sent:
            db.execute("UPDATE sales_order SET shipped_at = ? WHERE id = ?", (self._world.now(), order_id))
        self._orders.set_status(order_id, sent)

    def finish_short(self, order: sqlite3.Row, wish: dict[str, Json]) -> None:
        """Send what is picked and end the order there; a tenant with back orders gets the rest as an order of its own."""
        rest = [
            (line["row_number"], line["ordered"] - line["picked"])
            for line in self._leaf_lines(order)
            if line["parent_id"] is None and line["ordered"] > line["picked"]
        ]
        self.send(order, wish)
        if rest and self._world.switches["shortPick"] == "back-order":
            self._back_order(order, dict(rest))

    def _back_order(self, order: sqlite3.Row, rest: dict[str, int]) -> None:
        """The remaining quantities as a new order: same row numbers, number with a suffix, pointing to the first."""
        db, owner_id = self._world.db, order["goods_owner"]
        at = 1
        while self._orders.by_number(owner_id, f"{order['number']}-{at}") is not None:
            at += 1
        number_of_rest, now = f"{order['number']}-{at}", self._world.now()
        document = {**loads(order["document"]), "orderNumber": number_of_rest}
        order_id = db.execute(
            "INSERT INTO sales_order (goods_owner, number, status, document, info, rest, warehouse_id,"
            " address_id, reference_number,"
            " market_place, back_order_for, created_at, updated_at, status_changed_at, visible_at)"
            " SELECT goods_owner, ?, ?, ?, info, rest, warehouse_id, address_id, reference_number, market_place, id, ?, ?, ?, ?"
            " FROM sales_order WHERE id = ?",
            (number_of_rest, self._status("released"), dumps(document), now, now, now, now, order["id"]),
        ).lastrowid
        db.executemany(
            "INSERT INTO order_line (order_id, row_number, position, article_id, warehouse_id, serial, batch,"
            " fixed, moves, reserves,"
            " uncollected, ordered) SELECT ?, row_number, position, article_id, warehouse_id, serial, batch,"
            " fixed, moves, 1, 1, ?"
            " FROM order_line WHERE order_id = ? AND row_number = ? AND parent_id IS NULL",
            [(order_id, units, order["id"], row_number) for row_number, units in rest.items()],
        )
        self._webhooks.order(order_id or 0, "created")
        self._world.touched_orders.add(order_id or 0)

    def collect(self, order: sqlite3.Row, _wish: dict[str, Json]) -> None:
        self._refuse_cancelled(order)
        self._orders.set_status(order["id"], self._status("collected"))

    # --- the goods come back

    def cancel(self, order: sqlite3.Row, wish: dict[str, Json]) -> None:
        """Cancel by the warehouse. What was picked goes back first, unless it is kept on purpose (`keepPicks`)."""
        self._refuse_cancelled(order)
        if not wish.get("keepPicks") and any(line["picked"] > line["returned"] for line in self._leaf_lines(order)):
            self.undo_pick(order, {})
        self._orders.set_status(order["id"], self._status("cancelled"))

    def return_goods(self, order: sqlite3.Row, wish: dict[str, Json]) -> None:
        """Take picked goods back from the customer; `scrap` throws them away again by a stock adjustment;
        `over` takes in more than ever left."""
        moves = self._moves(order, wish, "picked - returned")
        for move in moves:
            if move.line["returned"] + move.units > move.line["picked"] and not wish.get("over"):
                raise CannotDo(f"row {move.line['row_number']}: only {number(move.line['picked'])} is picked")
        db, now, scrap = self._world.db, self._world.now(), bool(wish.get("scrap"))
        self._orders.take_goods(order["id"])
        db.executemany(
            "UPDATE order_line SET returned = returned + ? WHERE id = ?", [(move.units, move.line["id"]) for move in moves]
        )
        self._move_stock(moves, 1)
        cause = {"code": wish["causeCode"], "name": wish.get("causeName")} if wish.get("causeCode") else None
        if cause:
            ensure_code(self._world, order["goods_owner"], "returnCause", str(cause["code"]), cause["name"])
        for move in moves:
            self._mark_returned(move, dumps(cause) if cause else None, now, scrap, wish.get("returnLine"))
            if scrap:
                adjust(self._world, order["goods_owner"], move.line["article_id"], move.line["warehouse_id"], -move.units,
                       cause=cause, comment=f"Returned on order {order['number']} and scrapped")  # fmt: skip
        db.execute("UPDATE sales_order SET last_returned_at = ? WHERE id = ?", (now, order["id"]))
        self._sum_up_kits(order)
        if not wish.get("keepStatus"):
            self._orders.set_status(order["id"], self._status("returned"))
        self._world.stocked_owners.add(order["goods_owner"])
        self._tell(order, "isReturned", moves)

    def undo_return(self, order: sqlite3.Row, wish: dict[str, Json]) -> None:
        """A return that was registered by mistake: the goods are with the customer after all, the last returned first."""
        moves = self._moves(order, wish, "returned")
        for move in moves:
            if move.units > move.line["returned"]:
                raise CannotDo(f"row {move.line['row_number']}: only {number(move.line['returned'])} is returned")
        db = self._world.db
        db.executemany(
            "UPDATE order_line SET returned = returned - ? WHERE id = ?", [(move.units, move.line["id"]) for move in moves]
        )
        for move in moves:
            scrapped = self._unmark_returned(move)
            if scrapped:
                adjust(self._world, order["goods_owner"], move.line["article_id"], move.line["warehouse_id"], scrapped,
                       cause=None, comment=f"Return on order {order['number']} undone")  # fmt: skip
        self._move_stock(moves, -1)
        db.execute("UPDATE sales_order SET last_returned_at = ? WHERE id = ?", (self._world.now(), order["id"]))
        self._sum_up_kits(order)
        self._tell(order, "isReturned", moves)

    def _unmark_returned(self, move: Move) -> int:
        """Make returned items picked ones again; returns how many of them had been scrapped."""
        left, scrapped, db = move.units, 0, self._world.db
        for item in db.execute(
            "SELECT * FROM picked_item WHERE line_id = ? AND returned_at IS NOT NULL ORDER BY returned_at DESC, id DESC",
            (move.line["id"],),
        ).fetchall():
            taken = min(left, item["quantity"])
            left -= taken
            scrapped += taken * item["removed_by_inventory"]
            if item["return_line_id"] is not None:
                db.execute(
                    "UPDATE return_line SET returned = returned - ?, removed = removed - ? WHERE id = ?",
                    (taken, taken * item["removed_by_inventory"], item["return_line_id"]),
                )
            db.execute("UPDATE picked_item SET quantity = quantity - ? WHERE id = ?", (taken, item["id"]))
            db.execute(
                "INSERT INTO picked_item (order_id, line_id, quantity, in_date, serial, batch, location, picked_at, packed_at,"
                " parcel_id) SELECT order_id, line_id, ?, in_date, serial, batch, location, picked_at, packed_at, parcel_id"
                " FROM picked_item WHERE id = ?",
                (taken, item["id"]),
            )
            if not left:
                break
        db.execute("DELETE FROM picked_item WHERE line_id = ? AND quantity = 0", (move.line["id"],))
        return scrapped

    def _mark_returned(self, move: Move, cause: str | None, now: int, scrap: bool, return_line: int | None = None) -> None:
        left = move.units
        for item in self._world.db.execute(
            "SELECT * FROM picked_item WHERE line_id = ? AND returned_at IS NULL ORDER BY id", (move.line["id"],)
        ).fetchall():
            taken = min(left, item["quantity"])
            left -= taken
            if taken < item["quantity"]:
                self._world.db.execute("UPDATE picked_item SET quantity = quantity - ? WHERE id = ?", (taken, item["id"]))
                self._world.db.execute(
                    "INSERT INTO picked_item (order_id, line_id, quantity, in_date, serial, batch, location, picked_at,"
                    " packed_at,"
                    " parcel_id, returned_at, return_cause, removed_by_inventory, return_line_id)"
                    " SELECT order_id, line_id, ?, in_date, serial, batch, location, picked_at, packed_at, parcel_id, ?, ?, ?, ?"
                    " FROM picked_item WHERE id = ?",
                    (taken, now, cause, int(scrap), return_line, item["id"]),
                )
            else:
                self._world.db.execute(
                    "UPDATE picked_item SET returned_at = ?, return_cause = ?, removed_by_inventory = ?, return_line_id = ?"
                    " WHERE id = ?",
                    (now, cause, int(scrap), return_line, item["id"]),
                )
            if not left:
                return

    # --- what the actions share

    def _status(self, meaning: str) -> int:
        return self._world.switches.order_status(meaning)

    def _refuse_cancelled(self, order: sqlite3.Row) -> None:
        if order["status"] == self._status("cancelled"):
            raise CannotDo(f"order {order['number']} is cancelled")

    def _refuse_unreleased(self, order: sqlite3.Row) -> None:
        self._refuse_cancelled(order)
        if order["status"] < self._status("released"):
            raise CannotDo(f"order {order['number']} is not released")

    def _leaf_lines(self, order: sqlite3.Row) -> list[sqlite3.Row]:
        """The lines that move goods: stock articles to be picked, and the parts of kits."""
        return self._world.db.execute(
            "SELECT * FROM order_line WHERE order_id = ? AND moves ORDER BY position, id", (order["id"],)
        ).fetchall()

    def _moves(self, order: sqlite3.Row, wish: dict[str, Json], everything: str) -> list[Move]:
        """Read which lines and how many; no lines means everything that is left to do."""
        if wish.get("lines") is None:
            rows = self._world.db.execute(
                f"SELECT *, {everything} AS left_to_do FROM order_line WHERE order_id = ? AND moves AND {everything}"
                " > 0 ORDER BY position, id",
                (order["id"],),
            )
            return [Move(row, row["left_to_do"], row["serial"] or "", row["batch"] or "") for row in rows]
        every = self._world.db.execute(
            "SELECT * FROM order_line WHERE order_id = ? ORDER BY position, id", (order["id"],)
        ).fetchall()
        moves = []
        for asked in wish["lines"]:
            line = _named_line(every, asked)
            units = _asked_units(asked)
            serial, batch = str(asked.get("serial") or line["serial"] or ""), str(asked.get("batchNumber") or line["batch"] or "")
            parts = [part for part in every if part["parent_id"] == line["id"]]
            if not parts and not line["moves"]:
                raise CannotDo(f"row {line['row_number']} is not picked: its article is not kept in stock")
            moves += [Move(part, units * part["per_parent"] // PIECE, "", "") for part in parts if part["moves"]] or [
                Move(line, units, serial, batch)
            ]
        return [move for move in moves if move.units]

    def _refuse_shortage(self, moves: list[Move], free: str) -> None:
        wanted: dict[tuple[int, int], int] = {}
        for move in moves:
            key = (move.line["article_id"], move.line["warehouse_id"])
            wanted[key] = wanted.get(key, 0) + move.units
        articles = json.dumps([article_id for article_id, _ in wanted])
        there = {
            (row["article_id"], row["warehouse_id"]): row
            for row in self._world.db.execute(
                f"SELECT s.article_id, s.warehouse_id, a.number, {free} AS free FROM stock s JOIN article a ON a.id ="
                " s.article_id"
                " WHERE s.article_id IN (SELECT value FROM json_each(?))",
                (articles,),
            )
        }
        for key, units in wanted.items():
            if units > there[key]["free"]:
                raise CannotDo(
                    f"article {there[key]['number']}: {number(units)} wanted, {number(max(0, there[key]['free']))} there"
                    " (PUT /_control/stock sets what there is)"
                )

    def _move_stock(self, moves: list[Move], sign: int) -> None:
        self._world.db.executemany(
            "UPDATE stock SET physical = physical + ? WHERE article_id = ? AND warehouse_id = ?",
            [(sign * move.units, move.line["article_id"], move.line["warehouse_id"]) for move in moves],
        )

    def _sum_up_kits(self, order: sqlite3.Row) -> None:
        """A kit is picked, and comes back, as often as its scarcest part allows."""
        self._world.db.execute(
            "UPDATE order_line AS kit SET (allocated, picked, returned) = (SELECT min(p.allocated * ? / p.per_parent),"
            " min(p.picked * ? / p.per_parent), min(p.returned * ? / p.per_parent)"
            " FROM order_line p WHERE p.parent_id = kit.id AND p.moves)"
            " WHERE kit.order_id = ? AND kit.id IN (SELECT parent_id FROM order_line WHERE order_id = ? AND"
            " moves AND parent_id IS NOT NULL)",
            (PIECE, PIECE, PIECE, order["id"], order["id"]),
        )

    def _settle_status(self, order: sqlite3.Row) -> None:
        """Follow the goods: all picked is Picked, some is Allocated, none is Released."""
        if order["status"] >= self._status("sent") and self._world.switches["laterPick"] == "keeps":
            return
        lines = self._leaf_lines(order)
        if all(line["picked"] >= line["ordered"] for line in lines):
            meaning = "picked"
        elif any(line["picked"] or line["allocated"] for line in lines):
            meaning = "allocated"
        else:
            meaning = "released"
        self._orders.set_status(order["id"], self._status(meaning))

    def _tell(self, order: sqlite3.Row, event: str, moves: list[Move]) -> None:
        self._webhooks.picking(order["id"], event, [(move.line["id"], move.units) for move in moves])


def _named_line(lines: list[sqlite3.Row], asked: dict[str, Json]) -> sqlite3.Row:
    for column, name in (("id", "lineId"), ("row_number", "rowNumber")):
        if asked.get(name) is not None:
            found = [line for line in lines if line[column] == asked[name] or str(line[column]) == str(asked[name])]
            if found:
                return found[0]
    raise CannotDo(f"there is no line {dumps(asked)}")


def _asked_units(asked: dict[str, Json]) -> int:
    try:
        units = to_units(Decimal(str(asked["numberOfItems"])))
    except (KeyError, ArithmeticError, Unreadable) as error:
        raise CannotDo(f"{dumps(asked)} has no readable numberOfItems") from error
    if units < 0:
        raise CannotDo("a quantity is not negative")
    return units
