"""Our keys and theirs: which document in another system is which of ours, and what we last sent of it."""

from dataclasses import dataclass

from sqlalchemy import text

from erp.database import Session, one, rows

# Two unique keys guard a link, ours and theirs, and ON CONFLICT with a target waits at one of them only: without a target it
# waits at both, and what it then finds is brought up to date.
_LINK = text(
    """
    insert into bridge.link (merchant_id, system, kind, our_key, their_id, sent_hash, sent_version, confirmed)
    values (:merchant, :system, :kind, :our_key, :their_id, :sent_hash, :sent_version, :confirmed)
    on conflict do nothing returning true
    """
)
_RELINK = text(
    """
    update bridge.link set their_id = :their_id, sent_hash = :sent_hash, sent_version = :sent_version, confirmed = :confirmed,
      updated_at = now()
    where merchant_id = :merchant and system = :system and kind = :kind and our_key = :our_key
      and coalesce(cast(:sent_version as integer), 0) >= coalesce(sent_version, 0)
    returning true
    """
)
_LINKED = text(
    """
    select our_key, their_id, sent_hash, sent_version, confirmed from bridge.link
    where merchant_id = :merchant and system = :system and kind = :kind and our_key = any(cast(:our_keys as text[]))
    """
)


@dataclass(frozen=True, slots=True)
class Link:
    """Our key and theirs, what was last sent (hash, version), and whether reading back confirmed it."""

    their_id: str
    sent_hash: str | None
    sent_version: int | None
    confirmed: bool


async def save_link(
    connection: Session,
    merchant: str,
    system: str,
    kind: str,
    our_key: str,
    their_id: str,
    sent_hash: str | None = None,
    sent_version: int | None = None,
    confirmed: bool = True,
) -> None:
    """Remember which document of theirs is which of ours, and what we last sent. An older version never replaces a newer one.

    Refuses, loudly, a document of theirs that stands for another of ours: that is a bug of the caller.
    """
    values = {
        "merchant": merchant,
        "system": system,
        "kind": kind,
        "our_key": our_key,
        "their_id": their_id,
        "sent_hash": sent_hash,
        "sent_version": sent_version,
        "confirmed": confirmed,
    }
    if await one(connection, _LINK, **values) or await one(connection, _RELINK, **values):
        return
    if not await links(connection, merchant, system, kind, [our_key]):
        raise ValueError(f"{system} {kind} {their_id} is linked to another document than {our_key}")


async def links(connection: Session, merchant: str, system: str, kind: str, our_keys: list[str]) -> dict[str, Link]:
    """What is known of these keys of ours in another system."""
    found = await rows(connection, _LINKED, merchant=merchant, system=system, kind=kind, our_keys=our_keys)
    return {r.our_key: Link(r.their_id, r.sent_hash, r.sent_version, r.confirmed) for r in found}


_LINKED_TO = text(
    "select our_key from bridge.link where merchant_id = :merchant and system = :system and kind = :kind and their_id = :their_id"
)


async def linked_to(connection: Session, merchant: str, system: str, kind: str, their_id: str) -> str | None:
    """Which key of ours stands for a document of theirs."""
    row = await one(connection, _LINKED_TO, merchant=merchant, system=system, kind=kind, their_id=their_id)
    return None if row is None else str(row.our_key)
