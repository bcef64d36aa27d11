"""A warehouse that works by itself: each open order is released, picked, packed and sent in small steps over time.

How far an order has come is kept with the order, so a restarted warehouse goes on where it stopped. An order that
lacks goods waits until some come in. Between steps nothing runs.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simulators.ongoing.floor import CannotDo, Floor
from simulators.ongoing.store import transaction
from simulators.ongoing.wire import PIECE, dumps, loads, number
from simulators.ongoing.world import World

Json = Any

_FULL = ("allocate", "pick", "pack", "send")
_TWO_SHIPMENTS = ("allocate", "pick-some", "pack", "send", "pick", "pack", "send")
_TWO_GOES = ("allocate", "pick-some", "pick", "pack", "send")
_SHORT = ("allocate", "pick-some", "pack", "finish-short")
# Of a hundred orders in the varied style: so many short, in two shipments, in two goes; the others in full.
_VARIED = ((10, _SHORT), (22, _TWO_SHIPMENTS), (34, _TWO_GOES))
_NEEDS_GOODS = ("allocate", "pick", "pick-some")
_OLD_ORDERS_SPREAD = 1.0


@dataclass(frozen=True, slots=True)
class Routine:
    """How one goods owner's warehouse works."""

    enabled: bool
    delay_seconds: float
    style: str
    seed: str

    @staticmethod
    def read(given: dict[str, Json]) -> "Routine":
        if given.get("style", "full") not in ("full", "varied"):
            raise CannotDo("the style is full or varied")
        return Routine(
            bool(given.get("enabled", True)),
            float(given.get("delaySeconds", 0.2)),
            given.get("style", "full"),
            str(given.get("seed", 1)),
        )

    def steps(self, order_number: str) -> tuple[str, ...]:
        if self.style == "varied":
            drawn = self.drawn(order_number) % 100
            for below, steps in _VARIED:
                if drawn < below:
                    return steps
        return _FULL

    def drawn(self, key: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{key}".encode()).digest()[:4])


class AutoWarehouse:
    def __init__(self, world: World, floor: Floor, settled: Callable[[], None]) -> None:
        self._world, self._floor, self._settled = world, floor, settled
        self._routines: dict[int, Routine] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._short_of_goods: dict[int, set[int]] = {}

    def start(self) -> None:
        for row in self._world.db.execute("SELECT * FROM auto").fetchall():
            self._begin(row["goods_owner"], Routine.read(loads(row["settings"])))

    def switch(self, owner_id: int, given: dict[str, Json]) -> Routine:
        routine = Routine.read(given)
        self._world.db.execute("INSERT OR REPLACE INTO auto VALUES (?, ?)", (owner_id, dumps(given)))
        self._begin(owner_id, routine)
        return routine

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _begin(self, owner_id: int, routine: Routine) -> None:
        self._routines[owner_id] = routine
        self._short_of_goods.pop(owner_id, None)
        rows = self._world.db.execute(
            "SELECT * FROM sales_order WHERE goods_owner = ? AND status < ? ORDER BY id",
            (owner_id, self._world.switches.order_status("returned")),
        ).fetchall()
        for row in rows:
            timer = self._timers.pop(row["id"], None)
            if timer is not None:
                timer.cancel()
            if routine.enabled and self._next_step(row, routine) is not None:
                spread = routine.drawn(row["number"]) / 2**32 * min(_OLD_ORDERS_SPREAD, len(rows) / 100)
                self._schedule(row["id"], routine.delay_seconds + spread)

    def notice(self, order_ids: set[int], stocked_owners: set[int]) -> None:
        """Look at orders that were touched, and at those that waited for goods which may have come."""
        for order_id in order_ids:
            row = self._order(order_id)
            routine = self._routines.get(row["goods_owner"])
            if (
                routine is not None
                and routine.enabled
                and order_id not in self._timers
                and self._next_step(row, routine) is not None
            ):
                self._schedule(order_id, routine.delay_seconds)
        for owner_id in stocked_owners:
            routine = self._routines.get(owner_id)
            for order_id in self._short_of_goods.pop(owner_id, set()):
                if routine is not None and order_id not in self._timers:
                    self._schedule(order_id, routine.delay_seconds)

    def _schedule(self, order_id: int, seconds: float) -> None:
        self._timers[order_id] = asyncio.get_running_loop().call_later(seconds, self._work, order_id)

    def _order(self, order_id: int) -> sqlite3.Row:
        row: sqlite3.Row = self._world.db.execute("SELECT * FROM sales_order WHERE id = ?", (order_id,)).fetchone()
        return row

    def _next_step(self, order: sqlite3.Row, routine: Routine) -> str | None:
        """Return what to do next with the order, or None when there is nothing."""
        switches = self._world.switches
        if order["status"] >= switches.order_status("returned"):
            return None
        if order["status"] < switches.order_status("released"):
            return "release" if order["status"] != switches.order_status("error") else None
        steps = routine.steps(order["number"])
        done: int = order["auto_step"]
        if done >= len(steps) or (order["status"] >= switches.order_status("sent") and not self._has_rest(order["id"])):
            return None
        return steps[done]

    def _has_rest(self, order_id: int) -> bool:
        rest = self._world.db.execute(
            "SELECT 1 FROM order_line WHERE order_id = ? AND moves AND (ordered > picked OR picked > packed) LIMIT 1", (order_id,)
        ).fetchone()
        return rest is not None

    def _work(self, order_id: int) -> None:
        self._timers.pop(order_id, None)
        order = self._order(order_id)
        routine = self._routines[order["goods_owner"]]
        step = self._next_step(order, routine) if routine.enabled else None
        if step is None:
            return
        try:
            with transaction(self._world.db, self._world.now()):
                self._do(order, step, routine)
                if step != "release":
                    self._world.db.execute("UPDATE sales_order SET auto_step = auto_step + 1 WHERE id = ?", (order_id,))
        except CannotDo:
            # Goods are missing, or a person has come in between: look again when goods come or the order is touched.
            if step in _NEEDS_GOODS:
                self._short_of_goods.setdefault(order["goods_owner"], set()).add(order_id)
            self._world.forget()
            return
        self._settled()

    def _do(self, order: sqlite3.Row, step: str, routine: Routine) -> None:
        match step:
            case "pick-some":
                self._floor.act(order["id"], "pick", {"lines": self._some(order, routine)})
            case "send" | "finish-short":
                # The second shipment of an order has papers of its own.
                suffix = f"{order['id']:010d}{order['auto_step']:02d}"
                self._floor.act(
                    order["id"],
                    step,
                    {
                        "waybill": f"0037073{suffix}",
                        "trackingUrl": f"https://carrier.example/t/{suffix}",
                        "parcelNumber": f"0037350{suffix}",
                    },
                )
            case _:
                self._floor.act(order["id"], step, {})

    def _some(self, order: sqlite3.Row, routine: Routine) -> list[dict[str, Json]]:
        """About half of the lines as they are, the others in part or not at all; always something and never everything."""
        lines = self._world.db.execute(
            "SELECT id, row_number, ordered, picked FROM order_line WHERE order_id = ? AND moves AND ordered >"
            " picked ORDER BY position, id",
            (order["id"],),
        ).fetchall()
        some = []
        for line in lines:
            left = line["ordered"] - line["picked"]
            drawn = routine.drawn(f"{order['number']}/{line['row_number']}") % 4
            units = left if drawn < 2 else (left // 2 // PIECE * PIECE if drawn == 2 else 0)
            some.append([line["id"], units, left])
        if some and all(units == left for _, units, left in some):
            some[-1][1] = some[-1][2] // 2 // PIECE * PIECE
        if some and not any(units for _, units, _ in some):
            some[0][1] = max(some[0][2] // 2 // PIECE * PIECE, min(some[0][2], PIECE))
        return [{"lineId": line_id, "numberOfItems": Decimal(number(units))} for line_id, units, _ in some if units]
