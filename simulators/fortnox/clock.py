"""One clock for the whole simulator, movable from outside, read in Stockholm.

Business dates (today's invoice date, `lastmodified`) follow it. Rate windows, token lifetimes and search lag follow
real time: they are about the network, not about the calendar.
"""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from simulators.fortnox.store import Store
from simulators.fortnox.wire import read_json, write_json

STOCKHOLM = ZoneInfo("Europe/Stockholm")


class Clock:
    """Real time, shifted or stopped."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset = timedelta()
        self._stopped_at: datetime | None = None
        self.reload()

    def reload(self) -> None:
        saved = self._store.value("SELECT value FROM world WHERE name = 'clock'")
        state: dict[str, Any] = read_json(saved.encode()) if saved else {}
        self._offset = timedelta(seconds=float(state.get("offset", 0)))
        self._stopped_at = datetime.fromisoformat(state["stopped"]) if state.get("stopped") else None

    def now(self) -> datetime:
        """Return the local Swedish time."""
        instant = self._stopped_at or datetime.now(UTC) + self._offset
        return instant.astimezone(STOCKHOLM)

    def today(self) -> date:
        return self.now().date()

    def set(self, change: dict[str, Any] | None) -> None:
        """`{"now"}` sets it and lets it run (`"frozen": true` stops it there), `{"offsetSeconds"}` shifts, null resets."""
        self._offset, self._stopped_at = timedelta(), None
        if change and change.get("now") is not None:
            wanted = datetime.fromisoformat(str(change["now"]))
            wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=STOCKHOLM)
            if change.get("frozen"):
                self._stopped_at = wanted
            else:
                self._offset = wanted - datetime.now(UTC)
        elif change and change.get("offsetSeconds") is not None:
            self._offset = timedelta(seconds=float(change["offsetSeconds"]))
        state = {
            "offset": str(self._offset.total_seconds()),
            "stopped": self._stopped_at.isoformat() if self._stopped_at else None,
        }
        self._store.run("INSERT OR REPLACE INTO world VALUES ('clock', ?)", write_json(state))

    def told(self) -> dict[str, Any]:
        return {
            "now": self.now().isoformat(),
            "offsetSeconds": round(self._offset.total_seconds()),
            "frozen": self._stopped_at is not None,
        }


def real_seconds() -> float:
    """Return real seconds since the epoch; used where the network's time counts."""
    return time.time()
