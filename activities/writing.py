"""The hard moment of a write to a system without an idempotency key: one attempt, and what is known of it afterwards.

An attempt is committed before its bytes are sent, so a worker that freezes or dies leaves it as `sent`, which is unclear. What
comes back says whether it was executed: surely not, surely, or nobody knows; and only in the last case is it left alone until it
can no longer arrive. What a search finds, and what a document must look like, is each document's own business.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from activities.errors import Waiting
from clients.errors import RateLimited, Rejected, Unauthorised, Unavailable
from domain.errors import Refused
from erp import calls
from erp.calls import Call, CallKey
from erp.database import Database


@dataclass(frozen=True, slots=True)
class WriteRules:
    """`deadline` of one request; `settle`: how long an unclear attempt may still arrive, longer than the deadline;
    `patience` of the counters, which decides when an order is at its end."""

    deadline: timedelta
    settle: timedelta
    patience: timedelta


def may_be_written(call: Call, what: str) -> None:
    """Raises `Waiting` while an earlier attempt may still arrive: nothing is searched for or created before that."""
    if call.state == "sent" and call.settles_in is not None and call.settles_in > 0:
        raise Waiting("settling", f"{what}: an attempt may still arrive", call.settles_in + 0.05)


async def attempt_once(
    database: Database,
    rules: WriteRules,
    key: CallKey,
    former: int,
    payload: dict[str, Any],
    what: str,
    create: Callable[[], Awaitable[int]],
    refused: Callable[[Rejected], Refused],
) -> tuple[int, int]:
    """Make one attempt after the `former`; returns the number of what was created, and the attempt's.

    Raises `Waiting` when the answer is unclear or somebody else is at it, and what `refused` makes of a refusal.
    """
    settle = rules.settle.total_seconds()
    async with database.merchant(key.merchant) as session:
        attempt = await calls.send(session, key, former, payload, rules.deadline.total_seconds(), settle)
    if attempt is None:
        raise Waiting("settling", f"{what}: another attempt is under way", 1.0)
    try:
        return await create(), attempt
    except RateLimited:
        await end_attempt(database, key, attempt, "intended", error="429: not executed")
        raise
    except Unavailable as unclear:
        if not unclear.outcome_unknown:
            await end_attempt(database, key, attempt, "intended", error=str(unclear))
            raise
        raise Waiting("settling", f"{what}: {unclear}", settle) from None
    except Unauthorised:
        await end_attempt(database, key, attempt, "intended", error="refused credentials")
        raise
    except Rejected as refusal:
        await end_attempt(database, key, attempt, "refused", error=str(refusal))
        raise refused(refusal) from None


async def end_attempt(
    database: Database, key: CallKey, attempt: int, state: str, their_id: int | None = None, error: str | None = None
) -> None:
    """Commit how an attempt ended."""
    async with database.merchant(key.merchant) as session:
        await calls.end(session, key, attempt, state, None if their_id is None else str(their_id), error)
