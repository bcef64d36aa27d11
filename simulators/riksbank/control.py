"""The control interface: how a test or a person behind the screen moves the banks about. Not part of either bank."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from simulators.riksbank.banks import DEFAULTS, Answer, settings
from simulators.riksbank.clock import Clock
from simulators.riksbank.faults import Faults
from simulators.riksbank.quotes import ECB, RIKSBANK
from simulators.riksbank.store import Store


class Control:
    def __init__(self, store: Store, clock: Clock, faults: Faults) -> None:
        self._store, self._clock, self._faults = store, clock, faults

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        """Carry out a control request; one that makes no sense is 400 and changes nothing."""
        try:
            found = self._done(f"{method} {path}", query, json.loads(body) if body else None)
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as wrong:
            return _said({"error": str(wrong) or type(wrong).__name__}, 400)
        return _said({"error": "no such control"}, 404) if found is None else _said(found, 200)

    def _done(self, request: str, query: Mapping[str, str], body: Any) -> Any:
        match request:
            case "GET health":
                return {"ok": True}
            case "GET clock":
                return self._clock.told()
            case "PUT clock":
                self._clock.set(body)
                return self._clock.told()
            case "GET settings":
                return settings(self._store)
            case "PUT settings":
                return self._change(body)
            case "PUT quotes":
                return self._quote(body)
            case "DELETE quotes":
                self._store.run("delete from quote")
                return {}
            case "POST faults":
                return self._faults.add(body)
            case "GET faults":
                return self._faults.told()
            case "DELETE faults":
                self._faults.clear()
                return {}
            case "GET log":
                rows = self._store.run("select * from log where n > ? order by n", int(query.get("since", 0)))
                return [dict(row) for row in rows]
        return None

    def _change(self, body: dict[str, Any]) -> dict[str, Any]:
        if unknown := body.keys() - DEFAULTS.keys():
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DEFAULTS)}")
        kept = self._store.read("settings", {}) | body
        self._store.write("settings", {name: value for name, value in kept.items() if value != DEFAULTS[name]})
        return settings(self._store)

    def _quote(self, body: dict[str, Any]) -> dict[str, Any]:
        """A quote by hand: `value` null is a day without one."""
        bank, currency, day = body["bank"], str(body["currency"]), date.fromisoformat(body["date"])
        if bank not in (RIKSBANK, ECB):
            raise ValueError(f"bank is {RIKSBANK} or {ECB}")
        value = body["value"]
        shown = None if value is None else f"{Decimal(str(value)):f}"
        self._store.run("insert or replace into quote values (?, ?, ?, ?)", bank, currency, day.isoformat(), shown)
        return {"bank": bank, "currency": currency, "date": day.isoformat(), "value": shown}


def _said(value: Any, status: int) -> Answer:
    return Answer(status, json.dumps(value).encode())
