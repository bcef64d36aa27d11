"""Faults on tap: rules that make a route misbehave, so often and in such a way, counted.

The dice are thrown from the rule's seed and the number of the matching request, so the same run meets the same faults,
also across a restart.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulators.fortnox.store import Store
from simulators.fortnox.wire import Fields, read_json, write_json

KINDS = frozenset(
    (
        "http", "rate-limited", "html-200", "empty-200", "truncated", "drip", "error-in-200", "lost-answer", "lost-answer-500",
        "refuse-connection", "late", "delay", "stale-read", "token-loss",
    )
)  # fmt: skip
# Faults that happen in front of the system: nothing is done unless the rule says `"applied": true`.
BEFORE = frozenset(("http", "html-200", "empty-200", "error-in-200"))


@dataclass(slots=True)
class Fault:
    """One rule."""

    id: str
    route: str
    kind: str
    count: int | None = None
    probability: float = 1.0
    seed: int = 0
    after: int = 0
    params: dict[str, Any] = field(default_factory=dict)
    tenant: int | None = None
    seen: int = 0
    fired: int = 0

    def number(self, name: str, default: float) -> float:
        return float(self.params.get(name, default))

    def told(self) -> Fields:
        return {
            "id": self.id,
            "route": self.route,
            "kind": self.kind,
            "count": self.count,
            "seen": self.seen,
            "fired": self.fired,
        }


class Faults:
    """The rules in the order they were given; the first that fires decides."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: list[Fault] = []
        self.reload()

    def reload(self) -> None:
        rows = self._store.all("SELECT body, seen, fired FROM fault ORDER BY position")
        self._rules = [_rule({**read_json(row["body"].encode()), "seen": row["seen"], "fired": row["fired"]}) for row in rows]

    def add(self, wanted: Fields) -> Fault:
        """Add or replace a rule. An unknown kind or a missing field raises ValueError."""
        if wanted.get("kind") not in KINDS or not wanted.get("id"):
            raise ValueError(f"a fault needs an id and one of the kinds {', '.join(sorted(KINDS))}")
        if wanted["kind"] == "token-loss":
            wanted = {"route": "POST /oauth-v1/token", **wanted}
        if " " not in str(wanted.get("route", "")):
            raise ValueError("a fault needs a route such as 'POST /3/invoices'")
        rule = _rule(wanted)
        self._store.run("DELETE FROM fault WHERE id = ?", rule.id)
        self._store.run("INSERT INTO fault (id, body) VALUES (?, ?)", rule.id, write_json(wanted))
        self.reload()
        return rule

    def clear(self, rule_id: str | None = None) -> None:
        """Take one rule away, or all."""
        self._store.run("DELETE FROM fault WHERE ? IS NULL OR id = ?", rule_id, rule_id)
        self._rules = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]

    def told(self) -> list[Fields]:
        return [rule.told() for rule in self._rules]

    def pick(self, method: str, path: str, tenant: Callable[[], int | None]) -> Fault | None:
        """Return the rule that fires on this request, counting it. `tenant`: whose token the request carries."""
        if not self._rules:
            return None
        segments = path.strip("/").split("/")
        for rule in self._rules:
            if not matches(rule.route, method, segments) or rule.tenant not in (None, tenant()):
                continue
            rule.seen += 1
            fires = self._fires(rule)
            rule.fired += fires
            self._store.run("UPDATE fault SET seen = ?, fired = ? WHERE id = ?", rule.seen, rule.fired, rule.id)
            if fires:
                return rule
        return None

    def _fires(self, rule: Fault) -> bool:
        if rule.seen <= rule.after or (rule.count is not None and rule.fired >= rule.count):
            return False
        return rule.probability >= 1 or random.Random(f"{rule.seed}:{rule.seen}").random() < rule.probability


def matches(route: str, method: str, segments: list[str]) -> bool:
    """Say whether `PUT /3/invoices/*/bookkeep` fits a request; `*` stands for one segment, or for any method."""
    wanted_method, _, pattern = route.partition(" ")
    wanted = pattern.strip().strip("/").split("/")
    if wanted_method not in (method, "*") or len(wanted) != len(segments):
        return False
    return all(part in ("*", segment) for part, segment in zip(wanted, segments, strict=True))


def _rule(wanted: Fields) -> Fault:
    return Fault(
        id=str(wanted["id"]),
        route=str(wanted["route"]),
        kind=str(wanted["kind"]),
        count=None if wanted.get("count") is None else int(wanted["count"]),
        probability=float(wanted.get("probability", 1)),
        seed=int(wanted.get("seed", 0)),
        after=int(wanted.get("after", 0)),
        params=dict(wanted.get("params") or {}),
        tenant=None if wanted.get("tenantId") is None else int(wanted["tenantId"]),
        seen=int(wanted.get("seen", 0)),
        fired=int(wanted.get("fired", 0)),
    )
