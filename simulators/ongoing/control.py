"""The control interface, `/_control/...`: who owns goods, what people in the warehouse do, what goes wrong, what time it is.

Not part of Ongoing. It has no authentication and belongs on the loopback only.
"""

import json
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, unquote

from simulators.ongoing import purchases, returns
from simulators.ongoing.adjustments import adjust
from simulators.ongoing.articles import article_by_number, as_written, ensure_stock
from simulators.ongoing.auto import AutoWarehouse
from simulators.ongoing.faults import BadFault, Faults
from simulators.ongoing.floor import CannotDo, Floor
from simulators.ongoing.orders import Orders
from simulators.ongoing.server import ClientGone, Receive, Scope, Send, read_body, send_answer
from simulators.ongoing.store import transaction
from simulators.ongoing.switches import BadSetting
from simulators.ongoing.webhooks import EVENTS, Webhooks
from simulators.ongoing.wire import Raw, Unreadable, dumps, loads, moment_json, number, read_moment, to_units
from simulators.ongoing.world import Answer, GoodsOwner, Refusal, World

Json = Any

_MOST_LOG_ENTRIES = 100_000


class BadWish(ValueError):
    """The control request cannot be understood."""


class NotThere(LookupError):
    """What the control request names does not exist."""


class Control:
    def __init__(
        self,
        world: World,
        orders: Orders,
        floor: Floor,
        faults: Faults,
        webhooks: Webhooks,
        auto: AutoWarehouse,
        settled: Callable[[], None],
    ) -> None:
        self._world, self._orders, self._floor, self._faults = world, orders, floor, faults
        self._webhooks, self._auto, self._settled = webhooks, auto, settled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive)
        except ClientGone:
            return
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        parts = [unquote(part) for part in raw_path.split(b"?")[0].decode("ascii", "replace").strip("/").split("/")[1:]]
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("ascii", "replace")).items()}
        await send_answer(send, self._answer(scope["method"], parts, query, body))

    def _answer(self, method: str, parts: list[str], query: dict[str, str], body: bytes | None) -> Answer:
        answer = self._tried(method, parts, query, body)
        if answer.status == 200:
            self._settled()
        else:
            self._world.forget()
        return answer

    def _tried(self, method: str, parts: list[str], query: dict[str, str], body: bytes | None) -> Answer:
        try:
            wish = loads(body) if body else None
            with transaction(self._world.db, self._world.now()):
                return Answer(200, dumps(self._do(method, parts, query, wish)))
        except (CannotDo, purchases.CannotReceive, sqlite3.IntegrityError) as error:
            return Answer(409, dumps({"error": str(error)}))
        except (NotThere, KeyError) as error:
            return Answer(404 if isinstance(error, NotThere) else 400, dumps({"error": f"missing: {error.args[0]}"}))
        except (BadWish, BadFault, BadSetting, Unreadable, ArithmeticError, ValueError, TypeError, AttributeError) as error:
            return Answer(400, dumps({"error": str(error)}))
        except Refusal as refusal:
            return refusal.answer

    def _do(self, method: str, parts: list[str], query: dict[str, str], wish: Json) -> Json:
        match method, *parts:
            case "GET", "health":
                return {"ok": True}
            case "PUT", "goods-owners":
                return self._put_goods_owner(wish)
            case "PUT", "stock":
                return self._set_stock(wish)
            case "GET", "articles", owner_id, article_number:
                written = as_written(self._world, int(owner_id), article_number)
                if written is None:
                    raise NotThere(f"article {article_number}")
                return written
            case "POST", "lock-for-sale":
                return self._lock_for_sale(wish)
            case "POST", "adjust":
                return self._adjust(wish)
            case "POST", "count":
                return self._count(wish)
            case "POST", "orders":
                order_id = self._orders.create_by_hand(self._owner(wish["goodsOwnerId"]), wish)
                return {"orderId": order_id}
            case "POST", "orders", "by-number", owner_id, order_number, action:
                return self._act(self._order_id(int(owner_id), order_number), action, wish)
            case "POST", "orders", order_id, action:
                return self._act(int(order_id), action, wish)
            case "POST", "purchase-orders", "by-number", owner_id, purchase_number, action:
                found = purchases.by_number(self._world, int(owner_id), purchase_number)
                if found is None:
                    raise NotThere(f"purchase order {purchase_number}")
                return self._act_on_purchase(found["id"], action, wish)
            case "POST", "purchase-orders", purchase_id, action:
                return self._act_on_purchase(int(purchase_id), action, wish)
            case "POST", "return-orders", "by-number", owner_id, return_number, action:
                found = returns.by_number(self._world, int(owner_id), return_number)
                if found is None:
                    raise NotThere(f"return order {return_number} of goods owner {owner_id}")
                return self._act_on_return(found["id"], action, wish)
            case "POST", "return-orders", return_id, action:
                return self._act_on_return(int(return_id), action, wish)
            case "PUT", "auto":
                self._owner(wish["goodsOwnerId"])
                self._auto.switch(wish["goodsOwnerId"], wish)
                return {"ok": True}
            case "GET", "auto":
                return [Raw(row["settings"]) for row in self._world.db.execute("SELECT settings FROM auto ORDER BY goods_owner")]
            case "GET", "settings":
                return self._world.switches.values
            case "PUT", "settings":
                return self._change_settings(wish)
            case ("GET" | "PUT", "clock"):
                if method == "PUT":
                    self._set_clock(wish)
                return self._world.clock.described()
            case "GET", "faults":
                return self._faults.listed()
            case "POST", "faults":
                return self._faults.put(wish).described()
            case "DELETE", "faults":
                self._faults.clear()
                return {"ok": True}
            case "DELETE", "faults", fault_id:
                self._faults.clear(fault_id)
                return {"ok": True}
            case "GET", "log":
                return self._log(query)
            case "PUT", "webhooks":
                return self._put_webhook(wish)
            case "GET", "webhooks":
                return [dict(row) for row in self._world.db.execute("SELECT * FROM webhook ORDER BY id")]
            case "POST", "webhooks", "fire":
                self._webhooks.order(
                    self._order_id(wish["goodsOwnerId"], wish["orderNumber"]), wish.get("event", "statusChanged")
                )
                return {"ok": True}
            case "POST", "webhooks", "replay":
                return {"again": self._webhooks.replay(self._owner(wish["goodsOwnerId"]).id, wish["orderNumber"])}
            case "GET", "webhook-calls":
                return self._webhook_calls(query)
            case "GET", "state":
                return self._state(int(query["goodsOwnerId"]))
        raise NotThere(f"{method} /_control/{'/'.join(parts)}")

    # --- goods owners and goods

    def _put_goods_owner(self, wish: Json) -> Json:
        tenant, owner_id = str(wish["warehouse"]).lower(), int(wish["goodsOwnerId"])
        known = self._world.db.execute("SELECT tenant FROM goods_owner WHERE id = ?", (owner_id,)).fetchone()
        if known is not None and known["tenant"] != tenant:
            raise BadWish(f"goods owner {owner_id} belongs to {known['tenant']}")
        self._world.db.execute(
            "INSERT INTO goods_owner (id, tenant, name, username, password) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET name = excluded.name, username = excluded.username, password = excluded.password",
            (owner_id, tenant, str(wish.get("name") or f"Goods owner {owner_id}"), str(wish["username"]), str(wish["password"])),
        )
        return {"goodsOwnerId": owner_id, "warehouse": tenant}

    def _owner(self, owner_id: Json) -> GoodsOwner:
        row = self._world.db.execute("SELECT * FROM goods_owner WHERE id = ?", (int(owner_id),)).fetchone()
        if row is None:
            raise NotThere(f"goods owner {owner_id}")
        return GoodsOwner(**row)

    def _article_id(self, owner_id: int, article_number: Json) -> int:
        article = article_by_number(self._world, owner_id, str(article_number))
        if article is None:
            raise NotThere(f"article {article_number}")
        return int(article["id"])

    def _house(self, wish: Json) -> int:
        house = int(wish.get("warehouseId") or self._world.switches["warehouses"][0]["id"])
        if self._world.switches.warehouse(house) is None:
            raise NotThere(f"warehouse {house}")
        return house

    def _set_stock(self, wish: Json) -> Json:
        """Set what lies on the shelves, as an opening balance: no adjustment is recorded."""
        owner, house = self._owner(wish["goodsOwnerId"]), self._house(wish)
        known = {
            row["number"]: row["id"]
            for row in self._world.db.execute(
                "SELECT id, number FROM article WHERE goods_owner = ? AND number IN (SELECT value FROM json_each(?))",
                (owner.id, json.dumps([str(each["articleNumber"]) for each in wish["articles"]])),
            )
        }
        missing = [str(each["articleNumber"]) for each in wish["articles"] if str(each["articleNumber"]) not in known]
        if missing:
            raise NotThere(f"articles {', '.join(missing[:20])}")
        for each in wish["articles"]:
            article_id = known[str(each["articleNumber"])]
            ensure_stock(self._world, article_id, house)
            self._world.db.execute(
                "UPDATE stock SET physical = ? WHERE article_id = ? AND warehouse_id = ?",
                (_units(each["numberOfItems"]), article_id, house),
            )
        self._world.stocked_owners.add(owner.id)
        return {"articles": len(wish["articles"])}

    def _lock_for_sale(self, wish: Json) -> Json:
        owner, house = self._owner(wish["goodsOwnerId"]), self._house(wish)
        article_id = self._article_id(owner.id, wish["articleNumber"])
        ensure_stock(self._world, article_id, house)
        self._world.db.execute(
            "UPDATE stock SET locked = ?, changed_at = ? WHERE article_id = ? AND warehouse_id = ?",
            (_units(wish["numberOfItems"]), self._world.now(), article_id, house),
        )
        return {"ok": True}

    def _adjust(self, wish: Json) -> Json:
        owner, units = self._owner(wish["goodsOwnerId"]), _units(wish["numberOfItems"])
        inventory_id = adjust(
            self._world,
            owner.id,
            self._article_id(owner.id, wish["articleNumber"]),
            self._house(wish),
            units,
            cause=wish.get("cause"),
            comment=str(wish.get("comment") or ""),
            item_comment=str(wish.get("itemComment") or ""),
            inventory_id=wish.get("inventoryId"),
        )
        if units > 0:
            self._world.stocked_owners.add(owner.id)
        return {"inventoryId": inventory_id}

    def _count(self, wish: Json) -> Json:
        """Count an article: what lies there now is written down, and the difference becomes an adjustment with a cause."""
        owner, house = self._owner(wish["goodsOwnerId"]), self._house(wish)
        article_id = self._article_id(owner.id, wish["articleNumber"])
        ensure_stock(self._world, article_id, house)
        row = self._world.db.execute(
            "SELECT physical FROM stock WHERE article_id = ? AND warehouse_id = ?", (article_id, house)
        ).fetchone()
        units = _units(wish["numberOfItems"]) - int(row["physical"])
        if not units:
            return {"inventoryId": None, "numberOfItems": 0}
        inventory_id = adjust(
            self._world,
            owner.id,
            article_id,
            house,
            units,
            cause=wish.get("cause"),
            comment=str(wish.get("comment") or "Counted"),
            inventory_id=wish.get("inventoryId"),
        )
        return {"inventoryId": inventory_id, "numberOfItems": Raw(number(units))}

    # --- orders and purchase orders

    def _order_id(self, owner_id: Json, order_number: Json) -> int:
        order = self._orders.by_number(int(owner_id), str(order_number))
        if order is None:
            raise NotThere(f"order {order_number} of goods owner {owner_id}")
        return int(order["id"])

    def _act(self, order_id: int, action: str, wish: Json) -> Json:
        if action not in self._floor.actions:
            raise NotThere(f"action {action}; there are: {', '.join(self._floor.actions)}")
        if self._world.db.execute("SELECT 1 FROM sales_order WHERE id = ?", (order_id,)).fetchone() is None:
            raise NotThere(f"order {order_id}")
        return Raw(self._floor.act(order_id, action, wish or {}))

    def _act_on_purchase(self, purchase_id: int, action: str, wish: Json) -> Json:
        row = self._world.db.execute("SELECT * FROM purchase_order WHERE id = ?", (purchase_id,)).fetchone()
        if row is None:
            raise NotThere(f"purchase order {purchase_id}")
        owner = self._owner(row["goods_owner"])
        match action:
            case "receive":
                return Raw(purchases.receive(self._world, owner, purchase_id, wish or {}))
            case "finish":
                return Raw(purchases.receive(self._world, owner, purchase_id, {"lines": [], "finish": True}))
            case "undo-receive":
                return Raw(purchases.undo_receipt(self._world, owner, purchase_id, wish or {}))
            case "arrive" | "cancel":
                meaning = "arrival" if action == "arrive" else "cancelled"
                purchases.set_status(self._world, purchase_id, self._world.switches.purchase_status(meaning))
                row = self._world.db.execute("SELECT * FROM purchase_order WHERE id = ?", (purchase_id,)).fetchone()
                return Raw(purchases.purchase_text(self._world, owner, row))
        raise NotThere(f"action {action}; there are: receive, finish, undo-receive, arrive, cancel")

    def _act_on_return(self, return_id: int, action: str, wish: Json) -> Json:
        row = self._world.db.execute("SELECT * FROM return_order WHERE id = ?", (return_id,)).fetchone()
        if row is None:
            raise NotThere(f"return order {return_id}")
        match action:
            case "receive":
                return Raw(returns.receive(self._world, self._floor, row, wish or {}))
            case "finish" | "cancel":
                returns.set_status(self._world, return_id, "returned" if action == "finish" else "cancelled")
                return Raw(returns.return_text(self._world, return_id))
        raise NotThere(f"action {action}; there are: receive, finish, cancel")

    # --- settings and clock

    def _change_settings(self, wish: Json) -> Json:
        """Change switches. Orders that exist move along when their status gets another number."""
        switches, db = self._world.switches, self._world.db
        renumbered = {
            "sales_order": ("orderStatusNumbers", switches.order_status),
            "purchase_order": ("purchaseOrderStatusNumbers", switches.purchase_status),
        }
        meanings = {"sales_order": _ORDER_MEANINGS, "purchase_order": _PURCHASE_MEANINGS}
        before = {table: {meaning: status(meaning) for meaning in meanings[table]} for table, (_, status) in renumbered.items()}
        switches.change(wish)
        db.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?)", [(name, dumps(value)) for name, value in wish.items()])
        for table, (name, status) in renumbered.items():
            if name not in wish:
                continue
            moved = {old: status(meaning) for meaning, old in before[table].items() if old != status(meaning)}
            if moved:
                cases = " ".join(f"WHEN {old} THEN {new}" for old, new in moved.items())
                db.execute(f"UPDATE {table} SET status = CASE status {cases} ELSE status END")
        return switches.values

    def _set_clock(self, wish: Json) -> None:
        clock = self._world.clock
        if wish is None:
            clock.shift(0)
        elif "now" in wish:
            clock.set(read_moment(wish["now"]), frozen=bool(wish.get("frozen")))
        else:
            clock.shift(int(wish["offsetSeconds"] * 1000))
        stored = dumps({"offset": clock.offset, "frozenAt": clock.frozen_at})
        self._world.db.execute("INSERT OR REPLACE INTO setting VALUES ('_clock', ?)", (stored,))
        self._world.webhooks_waiting = True

    # --- webhooks

    def _put_webhook(self, wish: Json) -> Json:
        owner, kind = self._owner(wish["goodsOwnerId"]), wish["type"]
        policy, events = wish.get("retryPolicy", "OneDay"), wish.get("events")
        if kind not in EVENTS:
            raise BadWish(f"the type is one of {sorted(EVENTS)}")
        if policy not in ("OneDay", "None"):
            raise BadWish("the retry policy is OneDay or None")
        if events is not None and not set(events) <= set(EVENTS[kind]):
            raise BadWish(f"the events of {kind} are {list(EVENTS[kind])}")
        statuses = wish.get("statuses")
        self._world.db.execute(
            "INSERT INTO webhook (goods_owner, type, url, token, retry_policy, enabled, statuses, events) VALUES"
            " (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (goods_owner, type) DO UPDATE SET url = excluded.url, token = excluded.token,"
            " retry_policy = excluded.retry_policy, enabled = excluded.enabled, statuses = excluded.statuses,"
            " events = excluded.events",
            (
                owner.id, kind, str(wish["url"]), wish.get("token"), policy, int(wish.get("enabled", True)),
                dumps(statuses) if statuses else None, dumps(events) if events is not None else None,
            ),
        )  # fmt: skip
        return {"ok": True}

    def _webhook_calls(self, query: dict[str, str]) -> Json:
        rows = self._world.db.execute(
            "SELECT c.id, h.type, c.event_id, c.number, c.state, c.attempts, c.last_status, c.due_at FROM webhook_call c"
            " JOIN webhook h ON h.id = c.webhook_id WHERE c.id > ? ORDER BY c.id LIMIT ?",
            (int(query.get("since", 0)), _MOST_LOG_ENTRIES),
        )
        return [
            {
                "id": row["id"], "type": row["type"], "webhookEventId": row["event_id"], "number": row["number"],
                "state": row["state"],
                "attempts": row["attempts"], "lastStatus": row["last_status"], "dueAt": Raw(moment_json(row["due_at"])),
            }
            for row in rows
        ]  # fmt: skip

    # --- looking

    def _log(self, query: dict[str, str]) -> Json:
        """What was asked, in order. `route` is exact ("PUT /orders") or the beginning of a route with a star ("PATCH *")."""
        conditions, values = ["n > ?"], [query.get("since", "0")]
        if query.get("route"):
            conditions.append("route GLOB ?" if "*" in query["route"] else "route = ?")
            values.append(query["route"].replace("[", "[[]"))
        rows = self._world.db.execute(
            f"SELECT * FROM request_log WHERE {' AND '.join(conditions)} ORDER BY n LIMIT ?",
            (*values, min(int(query.get("limit", _MOST_LOG_ENTRIES)), _MOST_LOG_ENTRIES)),
        )
        return [
            {
                "n": row["n"], "at": Raw(moment_json(row["at"])), "method": row["method"], "path": row["path"],
                "route": row["route"],
                "status": row["status"], "fault": row["fault"],
                "written": {"kind": row["kind"], "id": row["object_id"], "number": row["number"]} if row["kind"] else None,
                "applied": bool(row["applied"]), "late": bool(row["late"]), "appliedAt": Raw(moment_json(row["applied_at"])),
            }
            for row in rows
        ]  # fmt: skip

    def _state(self, owner_id: int) -> Json:
        """Totals added up from the lines themselves, for checks that trust neither side."""
        self._owner(owner_id)

        def counted(table: str) -> dict[str, int]:
            rows = self._world.db.execute(
                f"SELECT status, count(*) AS count FROM {table} WHERE goods_owner = ? GROUP BY status ORDER BY status",
                (owner_id,),
            )
            return {str(row["status"]): row["count"] for row in rows}

        def per_article(statement: str) -> dict[str, Raw]:
            return {row["number"]: number(row["units"]) for row in self._world.db.execute(statement, (owner_id,)) if row["units"]}

        def of_lines(column: str) -> dict[str, Raw]:
            return per_article(
                f"SELECT a.number, sum(l.{column}) AS units FROM article a JOIN order_line l ON l.article_id = a.id"
                " WHERE a.goods_owner = ? AND l.moves GROUP BY a.id ORDER BY a.id"
            )

        to_report = self._world.db.execute(
            "SELECT count(*) AS count FROM order_line l JOIN sales_order o ON o.id = l.order_id"
            " WHERE o.goods_owner = ? AND l.moves AND l.picked > coalesce(l.reported, 0)",
            (owner_id,),
        ).fetchone()
        return {
            "goodsOwnerId": owner_id,
            "ordersByStatus": counted("sales_order"),
            "purchaseOrdersByStatus": counted("purchase_order"),
            "picked": of_lines("picked"),
            "returned": of_lines("returned"),
            "reported": of_lines("reported"),
            "received": per_article(
                "SELECT a.number, sum(l.received) AS units FROM article a JOIN purchase_line l ON l.article_id = a.id"
                " WHERE a.goods_owner = ? AND l.moves GROUP BY a.id ORDER BY a.id"
            ),
            "stock": per_article(
                "SELECT a.number, sum(s.physical) AS units FROM article a JOIN stock s ON s.article_id = a.id"
                " WHERE a.goods_owner = ? GROUP BY a.id ORDER BY a.id"
            ),
            "linesToReport": to_report["count"],
        }


_ORDER_MEANINGS = ("error", "open", "released", "allocated", "picked", "sent", "collected", "returned", "cancelled")
_PURCHASE_MEANINGS = ("notified", "arrival", "inbound", "deviation", "received", "cancelled")


def _units(value: Json) -> int:
    return to_units(Decimal(str(value)))
