"""Faults on tap: rules that make a route misbehave, so often and in such a way, counted. The dice are seeded."""

import json
import random
from typing import Any

from simulators.riksbank.store import Store

KINDS = (
    "http", "rate-limited", "html-200", "empty-200", "truncated", "drip", "lost-answer", "refuse-connection", "delay",
)  # fmt: skip
Rule = dict[str, Any]


class Faults:
    """The rules in the order they were given; the first that fires decides."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, rule: Rule) -> Rule:
        """Add or replace a rule. An unknown kind or a missing field raises ValueError."""
        if rule.get("kind") not in KINDS or not rule.get("id") or " " not in str(rule.get("route", "")):
            raise ValueError(f"a fault needs an id, a route such as 'GET /swea/v1/*' and one of the kinds {', '.join(KINDS)}")
        self._store.run("insert or replace into fault (id, body) values (?, ?)", rule["id"], json.dumps(rule))
        return rule

    def clear(self) -> None:
        self._store.run("delete from fault")

    def told(self) -> list[Rule]:
        rows = self._store.run("select * from fault order by rowid")
        return [json.loads(row["body"]) | {"seen": row["seen"], "fired": row["fired"]} for row in rows]

    def pick(self, method: str, path: str) -> Rule | None:
        """The rule that fires on this request, counting it."""
        for rule in self.told():
            wanted, _, pattern = rule["route"].partition(" ")
            if wanted not in ("*", method) or not _fits(pattern, path):
                continue
            seen = rule["seen"] + 1
            count = rule.get("count")
            fires = seen > rule.get("after", 0) and (count is None or rule["fired"] < count)
            chance = rule.get("probability", 1)
            fires = fires and (chance >= 1 or random.Random(f"{rule.get('seed', 0)}:{seen}").random() < chance)
            self._store.run("update fault set seen = ?, fired = fired + ? where id = ?", seen, int(fires), rule["id"])
            if fires:
                return rule
        return None


def _fits(pattern: str, path: str) -> bool:
    """A `*` at the end stands for everything below, elsewhere for one segment."""
    wanted, given = pattern.strip("/").split("/"), path.strip("/").split("/")
    if wanted[-1] == "*" and len(given) >= len(wanted):
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(part in ("*", segment) for part, segment in zip(wanted, given, strict=True))
