"""Writes to a system without an idempotency key: the intent is committed first, and an attempt before its bytes are sent.

Whoever finds an attempt that was sent and not ended must treat it as unclear: it may have been executed, or may still be on
its way. Nothing is created again before `settle_after`, a time stored with the attempt that is longer than a request can live.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from erp.database import Session, one, rows
from erp.exceptions import open_exception

_INTEND = text(
    """
    insert into bridge.foreign_call (merchant_id, system, operation, business_key, payload_hash)
    values (:merchant, :system, :operation, :key, :hash) on conflict do nothing
    """
)
_READ = text(
    """
    select state, attempt, their_id, payload_hash, extract(epoch from settle_after - clock_timestamp()) as settles_in
    from bridge.foreign_call
    where merchant_id = :merchant and system = :system and operation = :operation and business_key = :key
    """
)
_SEND = text(
    """
    update bridge.foreign_call set state = 'sent', attempt = attempt + 1, sent_at = clock_timestamp(), payload_hash = :hash,
      deadline = clock_timestamp() + make_interval(secs => :deadline),
      settle_after = clock_timestamp() + make_interval(secs => :settle), error = null
    where merchant_id = :merchant and system = :system and operation = :operation and business_key = :key
      and attempt = :attempt and state in ('intended', 'refused', 'sent')
    returning attempt
    """
)
_END = text(
    """
    update bridge.foreign_call set state = :state, their_id = coalesce(:their_id, their_id), error = left(:error, 500),
      ended_at = case when :state = 'intended' then null else now() end
    where merchant_id = :merchant and system = :system and operation = :operation and business_key = :key and attempt = :attempt
      and state <> 'done'
    """
)
_SURPLUS = text(
    """
    insert into bridge.surplus_document as s (merchant_id, system, kind, their_id, business_key, fault)
    values (:merchant, :system, :kind, :their_id, :key, :fault) on conflict do nothing
    """
)
_SURPLUS_CANCELLED = text(
    """
    update bridge.surplus_document set state = 'cancelled', cancelled_at = now()
    where merchant_id = :merchant and system = :system and kind = :kind and their_id = :their_id
    """
)


@dataclass(frozen=True, slots=True)
class CallKey:
    """What identifies a foreign write for ever: the business key, never an attempt."""

    merchant: str
    system: str
    operation: str
    key: str

    def parameters(self) -> dict[str, Any]:
        return {"merchant": self.merchant, "system": self.system, "operation": self.operation, "key": self.key}


@dataclass(frozen=True, slots=True)
class Call:
    """Where a foreign write stands. `settles_in`: seconds until an unclear attempt can no longer be alive."""

    state: str
    attempt: int
    their_id: str | None
    settles_in: float | None


def payload_hash(payload: dict[str, Any]) -> str:
    """The same for the same content, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True, default=str).encode()).hexdigest()


async def intend(connection: Session, call: CallKey, payload: dict[str, Any]) -> Call:
    """Commit the intent, or find the one that is there."""
    await connection.execute(_INTEND, call.parameters() | {"hash": payload_hash(payload)})
    row = await one(connection, _READ, **call.parameters())
    return Call(row.state, row.attempt, row.their_id, None if row.settles_in is None else float(row.settles_in))


async def send(
    connection: Session, call: CallKey, attempt: int, payload: dict[str, Any], deadline: float, settle: float
) -> int | None:
    """Claim the next attempt, before its bytes are written. None: somebody else has claimed it, so leave it to them."""
    row = await one(
        connection,
        _SEND,
        **call.parameters(),
        attempt=attempt,
        hash=payload_hash(payload),
        deadline=deadline,
        settle=settle,
    )
    return None if row is None else int(row.attempt)


async def end(
    connection: Session, call: CallKey, attempt: int, state: str, their_id: str | None = None, error: str | None = None
) -> None:
    """Write down how an attempt ended: done, refused, or intended again when it was surely not executed."""
    await connection.execute(_END, call.parameters() | {"attempt": attempt, "state": state, "their_id": their_id, "error": error})


async def note_surplus(connection: Session, call: CallKey, kind: str, their_id: str, fault: str) -> None:
    """List a document that a fault made twice."""
    await connection.execute(_SURPLUS, call.parameters() | {"kind": kind, "their_id": their_id, "fault": fault})


async def surplus_cancelled(connection: Session, call: CallKey, kind: str, their_id: str) -> None:
    """The surplus document is cancelled over there."""
    await connection.execute(_SURPLUS_CANCELLED, call.parameters() | {"kind": kind, "their_id": their_id})


_SURPLUS_OF = text(
    """
    select their_id from bridge.surplus_document
    where merchant_id = :merchant and system = :system and kind = :kind and business_key = :key
      and (state = 'cancelled' or not cast(:cancelled as boolean))
    """
)
_REPEATED = text(
    """
    select business_key, state, attempt, their_id from bridge.foreign_call
    where merchant_id = :merchant and system = :system and operation = :operation and attempt > 1 and state = 'done'
      and ended_at > now() - make_interval(days => :days)
    order by business_key
    """
)


async def surplus_documents(connection: Session, call: CallKey, kind: str, cancelled: bool = False) -> set[str]:
    """Documents of this call that are already known to be surplus; `cancelled`: only those that are undone over there as well."""
    found = await rows(connection, _SURPLUS_OF, **call.parameters(), kind=kind, cancelled=cancelled)
    return {row.their_id for row in found}


async def repeated_calls(connection: Session, merchant: str, system: str, operation: str, days: int) -> list[tuple[str, Call]]:
    """Calls that took more than one attempt: an attempt that went missing may still turn up."""
    found = await rows(connection, _REPEATED, merchant=merchant, system=system, operation=operation, days=days)
    return [(row.business_key, Call(row.state, row.attempt, row.their_id, None)) for row in found]


async def note_refusal(connection: Session, call: CallKey, code: str, detail: str) -> None:
    """An exception for a person about a foreign document, not about one process."""
    await open_exception(connection, call.merchant, call.operation, call.key, code, detail, False)
