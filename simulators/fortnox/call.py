"""One request to the accounting API, with all a resource needs to answer it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulators.fortnox.clock import real_seconds
from simulators.fortnox.knobs import Knobs
from simulators.fortnox.refusals import bad_parameter, invalid, wrong_body
from simulators.fortnox.store import Store
from simulators.fortnox.wire import Fields, read_json


@dataclass(frozen=True, slots=True)
class Written:
    """What a request wrote: for the log, and for tests that count documents."""

    kind: str
    number: str
    reference: str


@dataclass(slots=True)
class Call:
    """A request of one company: its books, its knobs, the time, and what was asked."""

    store: Store
    tenant: int
    knobs: Knobs
    now: datetime
    query: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    stale_seconds: float | None = None
    wrote: list[Written] = field(default_factory=list)
    # What one request has looked up already: an invoice of 500 rows names few accounts.
    looked_up: dict[Any, Any] = field(default_factory=dict)

    @property
    def today(self) -> str:
        return self.now.date().isoformat()

    @property
    def stamp(self) -> str:
        """The local time as `lastmodified` compares it."""
        return self.now.strftime("%Y-%m-%d %H:%M:%S")

    @property
    def served_until(self) -> float:
        """Changes after this real instant are not seen by a stale read."""
        return real_seconds() - self.stale_seconds if self.stale_seconds is not None else float("inf")

    def envelope(self, key: str) -> Fields:
        """Return the object inside `{key: {...}}`."""
        if not self.raw.strip():
            raise wrong_body()
        try:
            body: Any = read_json(self.raw)
        except (ValueError, RecursionError):
            raise invalid(2002115, "Error deserializing JSON: JSON_ERROR_SYNTAX") from None
        if not isinstance(body, dict) or not isinstance(body.get(key), dict):
            raise wrong_body()
        inside: Fields = body[key]
        return inside

    def integer(self, name: str) -> int | None:
        """Return a numeric query parameter, or None when it is not given."""
        text = self.query.get(name)
        if text is None or text == "":
            return None
        if not text.isdecimal() or len(text) > 18:
            raise bad_parameter()
        return int(text)

    def boolean(self, name: str) -> bool | None:
        text = self.query.get(name)
        if text is None or text == "":
            return None
        if text.casefold() not in ("true", "false", "1", "0"):
            raise bad_parameter()
        return text.casefold() in ("true", "1")

    def note(self, kind: str, number: object, reference: str = "") -> None:
        self.wrote.append(Written(kind, str(number), reference))
