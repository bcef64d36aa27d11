"""The simulator's clock, read in Stockholm: real time, moved or stopped."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from simulators.riksbank.store import Store

STOCKHOLM = ZoneInfo("Europe/Stockholm")


class Clock:
    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        state = self._store.read("_clock", {})
        if state.get("stopped"):
            return datetime.fromisoformat(state["stopped"]).astimezone(STOCKHOLM)
        return (datetime.now(UTC) + timedelta(seconds=state.get("offset", 0))).astimezone(STOCKHOLM)

    def set(self, change: dict[str, Any] | None) -> None:
        """`{"now"}` sets it and lets it run (`"frozen": true` stops it there), `{"offsetSeconds"}` shifts, null resets."""
        state: dict[str, Any] = {}
        if change and change.get("now") is not None:
            wanted = datetime.fromisoformat(str(change["now"]))
            wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=STOCKHOLM)
            if change.get("frozen"):
                state = {"stopped": wanted.isoformat()}
            else:
                state = {"offset": (wanted - datetime.now(UTC)).total_seconds()}
        elif change and change.get("offsetSeconds") is not None:
            state = {"offset": float(change["offsetSeconds"])}
        self._store.write("_clock", state)

    def told(self) -> dict[str, Any]:
        state = self._store.read("_clock", {})
        return {
            "now": self.now().isoformat(),
            "offsetSeconds": round(state.get("offset", 0)),
            "frozen": bool(state.get("stopped")),
        }
