"""What a check is: an invariant, how many rows it covers, and which of them break it.

Most checks are two statements. `rows` counts, by merchant, what the invariant speaks about; `violations` lists what breaks it as
(merchant_id, document, detail). A check that needs more than SQL is a `Probe`. `since` says from which stage of a database's
life there must be rows: from then on, no rows means that nothing was proved, which is not clean.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

SAMPLES = 5


class Stage(StrEnum):
    """How far a database has come; each names the table that first has rows then."""

    ALWAYS = "always"
    RELEASED = "an order was released"
    SENT = "an order was sent to the warehouse"
    BOOKED = "a pick was booked"
    SHIPPED = "a shipment was closed"
    BILLED = "an invoice basis was written"
    INVOICED = "an invoice was booked"
    CONNECTED = "a merchant was connected"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is not as it must be: whose, which document or row, and what is wrong with it."""

    merchant: str
    document: str
    detail: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a check saw: rows covered, violations in all, and the first of them."""

    rows: int
    violations: int = 0
    samples: list[Violation] = field(default_factory=list)

    @classmethod
    def of(cls, rows: int, violations: list[Violation]) -> "Found":
        """From every violation there is."""
        return cls(rows, len(violations), violations[:SAMPLES])


@dataclass(frozen=True, slots=True)
class Check:
    """An invariant in SQL. `listed` names what is allowed but worth a person's eye, in the form of `violations`."""

    invariant: str
    says: str
    since: Stage
    rows: str
    violations: str
    listed: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """An invariant that takes more than two statements. Gets the snapshot and the one merchant asked for, or None."""

    invariant: str
    says: str
    since: Stage
    does: Callable[[AsyncConnection, str | None], Awaitable[Found]]


class CannotCheck(Exception):
    """What a check needs is not there; the text says what and, where a person can help, how."""
