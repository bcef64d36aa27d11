"""What stands still or deserves a person's eye, and why: rows that open once and close with a name."""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import text

from domain.errors import Refused
from domain.reasons import CLOSE_BY_THEMSELVES
from erp.database import Session, rows
from erp.people import audit

_OPEN = text(
    """
    insert into bridge.exception (merchant_id, kind, document, code, detail, blocking)
    values (:merchant, :kind, :document, :code, left(:detail, 1000), :blocking)
    on conflict (merchant_id, kind, document, code) where closed_at is null do update set detail = excluded.detail
    """
)
_CLOSE = text(
    """
    update bridge.exception set closed_at = now(), closed_by = :by
    where merchant_id = :merchant and kind = :kind and document = :document and closed_at is null and blocking
    """
)

_CLOSE_NOTE = text(
    """
    update bridge.exception set closed_at = now(), closed_by = :by
    where merchant_id = :merchant and kind = :kind and document = :document and code = :code and closed_at is null
    """
)


async def open_exception(
    connection: Session, merchant: str, kind: str, document: str, code: str, detail: str, blocking: bool
) -> None:
    """Note an exception; one that is open already keeps its opening time and takes the new detail."""
    await connection.execute(
        _OPEN,
        {
            "merchant": merchant,
            "kind": kind,
            "document": document,
            "code": code,
            "detail": detail.replace("\x00", ""),
            "blocking": blocking,
        },
    )


async def close_exceptions(connection: Session, merchant: str, kind: str, document: str, by: str) -> None:
    """Close what blocked a document: it moves again. Notes that do not block stay open for a person."""
    await connection.execute(_CLOSE, {"merchant": merchant, "kind": kind, "document": document, "by": by})


_LISTED = text(
    """
    select document from bridge.exception where merchant_id = :merchant and kind = :kind and code = :code and closed_at is null
    """
)


async def keep_notes(connection: Session, merchant: str, kind: str, code: str, notes: Mapping[str, str], by: str) -> None:
    """Make these the open notes of one kind and code: by document, what there is to say. Others are no longer so."""
    for row in await rows(connection, _LISTED, merchant=merchant, kind=kind, code=code):
        if row.document not in notes:
            await close_note(connection, merchant, kind, row.document, code, by)
    for document, detail in sorted(notes.items()):
        await open_exception(connection, merchant, kind, document, code, detail, False)


async def close_note(connection: Session, merchant: str, kind: str, document: str, code: str, by: str) -> None:
    """Close one note of a document: what it told of is no longer so."""
    await connection.execute(_CLOSE_NOTE, {"merchant": merchant, "kind": kind, "document": document, "code": code, "by": by})


_CLOSE_NOTES = text(
    """
    update bridge.exception set closed_at = now(), closed_by = :by
    where merchant_id = :merchant and kind = :kind and document = :document and code = any(cast(:codes as text[]))
      and closed_at is null
    """
)


async def close_notes(connection: Session, merchant: str, kind: str, document: str, codes: Sequence[str], by: str) -> None:
    """Close several notes of one document."""
    key = {"merchant": merchant, "kind": kind, "document": document}
    await connection.execute(_CLOSE_NOTES, key | {"codes": list(codes), "by": by})


_OPEN_NOTE = text(
    """
    select kind, blocking, detail from bridge.exception
    where merchant_id = :merchant and document = :document and code = :code and closed_at is null
      and (cast(:kind as text) is null or kind = :kind) order by kind for update
    """
)


async def settle_note(
    connection: Session, merchant: str, document: str, code: str, by: str, reason: str, kind: str | None = None
) -> str:
    """A person has seen to what a note tells of: it is closed, and who and why are kept. Returns what it said.

    Refuses what stands still, what our own books keep open, what is not there, and a number that two documents have.
    """
    if not (by.strip() and reason.strip()):
        raise Refused("approval-incomplete", "by and reason must say who and why: both are kept")
    key = {"merchant": merchant, "document": document, "code": code}
    found = await rows(connection, _OPEN_NOTE, **key, kind=kind)
    if not found:
        raise Refused("settings-wrong", f"there is no open note {code} of {document}: `lagerbro stuck --notes` lists them")
    if len(found) > 1:
        kinds = ", ".join(row.kind for row in found)
        raise Refused("settings-wrong", f"{document} has a note {code} as each of {kinds}: say which with --kind")
    [note] = found
    if note.blocking:
        raise Refused(code, f"{document} stands still for {code}: it is mended and tried again, not closed")
    if code in CLOSE_BY_THEMSELVES:
        raise Refused(code, f"{code} of {document} closes by itself when it is no longer so")
    await close_note(connection, merchant, note.kind, document, code, by)
    await audit(connection, merchant, by, "close-note", note.kind, document, reason, json.dumps({"code": code}))
    return str(note.detail)
