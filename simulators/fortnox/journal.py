"""The request log: what was asked, what was written, which answers were lost. Paths only, never query values.

It is written in the transaction of the request itself, so what it says was written is what the books hold.
"""

from collections import deque
from dataclasses import dataclass, field

from simulators.fortnox.call import Written
from simulators.fortnox.clock import Clock
from simulators.fortnox.faults import matches
from simulators.fortnox.store import Store
from simulators.fortnox.wire import Fields, read_json, write_json

LOST = ("lost-answer", "lost-answer-500", "late", "token-loss")
_COUNTS = f"""
SELECT route, method, CASE late WHEN 0 THEN status END AS answered, sum(late = 0) AS times,
  sum(late = 0 AND coalesce(kind, '') IN ({",".join("?" * len(LOST))}) AND (applied = 1 OR kind = 'late')) AS lost,
  sum(late = 1 AND applied = 1) AS arrived
FROM log GROUP BY 1, 2, 3
"""


@dataclass(slots=True)
class Entry:
    """One request as the log keeps it; `status` is None when the connection was closed without an answer."""

    method: str
    path: str
    route: str
    real: float
    tenant: int | None = None
    client: str | None = None
    status: int | None = None
    fault: str | None = None
    kind: str | None = None
    wrote: list[Written] = field(default_factory=list)
    applied: bool = False
    late: bool = False
    refused: bool = False
    arrived_as: int | None = None


class Journal:
    """Keeps the log and counts over it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, entry: Entry) -> int:
        wrote = [{"kind": item.kind, "number": item.number, "reference": item.reference} for item in entry.wrote]
        self._store.run(
            "INSERT INTO log "
            "(at, real, tenant, client, method, path, route, status, fault, kind, wrote, applied, late, refused429, arrived_as) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            self._clock.now().isoformat(), entry.real, entry.tenant, entry.client, entry.method, entry.path, entry.route,
            entry.status, entry.fault,
            entry.kind, write_json(wrote) if wrote else "[]", int(entry.applied), int(entry.late), int(entry.refused),
            entry.arrived_as,
        )  # fmt: skip
        return self._store.last_id()

    def told(self, since: int, route: str | None, limit: int) -> Fields:
        rows = self._store.all("SELECT * FROM log WHERE n > ? ORDER BY n LIMIT ?", since, limit)
        entries = [
            {
                "n": row["n"],
                "at": row["at"],
                "tenant": row["tenant"],
                "method": row["method"],
                "path": row["path"],
                "status": row["status"],
                "fault": row["fault"],
                "kind": row["kind"],
                "wrote": read_json(row["wrote"].encode()),
                "applied": bool(row["applied"]),
                "late": bool(row["late"]),
                "refused429": bool(row["refused429"]),
                "arrivedAs": row["arrived_as"],
            }
            for row in rows
            if not route or matches(route, row["method"], row["path"].strip("/").split("/"))
        ]
        return {"entries": entries, "last": rows[-1]["n"] if rows else since}

    def summary(self, window: float) -> Fields:
        """Count per route, lost answers of applied requests, late arrivals, and the fullest rate window."""
        routes: dict[str, Fields] = {}
        for row in self._store.all(_COUNTS, *LOST):
            name = f"{row['method']} {row['route']}"
            told = routes.setdefault(name, {"route": name, "requests": 0, "statuses": {}, "lostAnswers": 0, "lateArrivals": 0})
            told["requests"] += row["times"]
            told["lostAnswers"] += row["lost"]
            told["lateArrivals"] += row["arrived"]
            if row["times"]:
                told["statuses"][str(row["answered"] or "none")] = row["times"]
        return {
            "routes": [told for _, told in sorted(routes.items())],
            "requests": sum(told["requests"] for told in routes.values()),
            "lostAnswers": sum(told["lostAnswers"] for told in routes.values()),
            "lateArrivals": sum(told["lateArrivals"] for told in routes.values()),
            "refused429": self._store.value("SELECT count(*) FROM log WHERE refused429 = 1"),
            "faults": {
                row["kind"]: row["times"]
                for row in self._store.all(
                    "SELECT kind, count(*) AS times FROM log WHERE kind IS NOT NULL AND late = 0 GROUP BY kind"
                )
            },
            "windowSeconds": window,
            "maxInWindow": self._fullest(window),
        }

    def clear(self) -> None:
        self._store.run("DELETE FROM log")

    def _fullest(self, window: float) -> int:
        """Return the most requests of one client and company that any window held, refused ones left out."""
        inside: dict[tuple[str, int], deque[float]] = {}
        fullest = 0
        for row in self._store.all(
            "SELECT client, tenant, real FROM log WHERE client IS NOT NULL AND refused429 = 0 AND late = 0 ORDER BY real"
        ):
            times = inside.setdefault((row["client"], row["tenant"]), deque())
            times.append(row["real"])
            while times[0] <= row["real"] - window:
                times.popleft()
            fullest = max(fullest, len(times))
        return fullest
