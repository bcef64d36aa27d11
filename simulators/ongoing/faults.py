"""Faults on tap: which request meets which fault, and how often each has fired.

A fault is drawn from its seed and the number of the matching request, so a run can be repeated and a restarted
simulator goes on where it stopped.
"""

import hashlib
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from simulators.ongoing.wire import dumps, loads

Json = Any

REQUEST_KINDS = frozenset({
    "http", "rate-limited", "html-200", "empty-200", "truncated", "drip", "lost-answer", "lost-answer-500",
    "refuse-connection", "late", "stale-read", "null-id", "delay",
})  # fmt: skip
WEBHOOK_KINDS = frozenset({"drop", "duplicate", "reorder"})
# With these the request normally never reaches the warehouse; params.applied says otherwise.
_NOT_APPLIED = frozenset({"http", "rate-limited", "html-200", "refuse-connection"})


class BadFault(ValueError):
    """The rule is not one the simulator can follow."""


@dataclass(slots=True)
class Fault:
    id: str
    route: str
    kind: str
    count: int | None
    probability: Decimal
    seed: str
    after: int
    params: dict[str, Json]
    matched: int = 0
    fired: int = 0

    @property
    def applied(self) -> bool:
        return bool(self.params.get("applied", self.kind not in _NOT_APPLIED))

    def seconds(self, usual: float) -> float:
        return float(self.params.get("seconds", usual))

    def fits(self, method: str, template: str, path: str, warehouse: str) -> bool:
        if self.params.get("warehouse") not in (None, warehouse):
            return False
        if self.route == "*":
            return method != "WEBHOOK"
        wanted_method, _, wanted_path = self.route.partition(" ")
        if wanted_method not in ("*", method):
            return False
        return not wanted_path or fnmatchcase(template, wanted_path) or fnmatchcase(path, wanted_path)

    def strikes(self) -> bool:
        """Count one matching request and say whether this one is hit."""
        self.matched += 1
        if self.matched <= self.after or (self.count is not None and self.fired >= self.count):
            return False
        if self.probability < 1:
            drawn = hashlib.sha256(f"{self.seed}/{self.matched}".encode()).digest()[:4]
            if int.from_bytes(drawn) >= int(self.probability * 2**32):
                return False
        self.fired += 1
        return True

    def described(self) -> dict[str, Json]:
        return {
            "id": self.id, "route": self.route, "kind": self.kind, "count": self.count, "probability": self.probability,
            "seed": self.seed, "after": self.after, "params": self.params, "matched": self.matched, "fired": self.fired,
        }  # fmt: skip


class Faults:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._faults: dict[str, Fault] = {}
        for row in db.execute("SELECT * FROM fault ORDER BY position"):
            self._faults[row["id"]] = _read(loads(row["rule"]), row["matched"], row["fired"])

    def put(self, rule: Json) -> Fault:
        """Add a fault, or replace the one with the same id and start its count again."""
        if isinstance(rule, dict) and "id" not in rule:
            rule = {"id": f"f{len(self._faults) + 1}", **rule}
        fault = _read(rule, 0, 0)
        self._faults[fault.id] = fault
        self._db.execute("INSERT OR REPLACE INTO fault (id, rule) VALUES (?, ?)", (fault.id, dumps(rule)))
        return fault

    def clear(self, fault_id: str | None = None) -> None:
        if fault_id is None:
            self._faults.clear()
            self._db.execute("DELETE FROM fault")
        else:
            self._faults.pop(fault_id, None)
            self._db.execute("DELETE FROM fault WHERE id = ?", (fault_id,))

    def listed(self) -> list[dict[str, Json]]:
        return [fault.described() for fault in self._faults.values()]

    def meet(self, method: str, template: str, path: str, warehouse: str = "") -> list[Fault]:
        """Return what this request meets: any delays, and at most one other fault. `warehouse`: the name in its address."""
        met: list[Fault] = []
        for fault in self._faults.values():
            if not fault.fits(method, template, path, warehouse):
                continue
            struck = fault.strikes()
            self._db.execute("UPDATE fault SET matched = ?, fired = ? WHERE id = ?", (fault.matched, fault.fired, fault.id))
            if struck:
                met.append(fault)
                if fault.kind != "delay":
                    break
        return met


def _read(rule: Json, matched: int, fired: int) -> Fault:
    if not isinstance(rule, dict) or not isinstance(rule.get("route"), str):
        raise BadFault('a fault has a route like "PUT /orders" and a kind')
    unknown = set(rule) - {"id", "route", "kind", "count", "probability", "seed", "after", "params"}
    if unknown:
        raise BadFault(f"a fault has no {sorted(unknown)}")
    known = WEBHOOK_KINDS if rule["route"].startswith("WEBHOOK") else REQUEST_KINDS
    if rule.get("kind") not in known:
        raise BadFault(f"the kind of a fault on {rule['route']} is one of {sorted(known)}")
    probability = Decimal(1 if rule.get("probability") is None else rule["probability"])
    if not 0 <= probability <= 1:
        raise BadFault("a probability lies between 0 and 1")
    return Fault(
        str(rule["id"]), rule["route"], rule["kind"], rule.get("count"), probability, str(rule.get("seed", 0)),
        int(rule.get("after") or 0), dict(rule.get("params") or {}), matched, fired,
    )  # fmt: skip
