"""What stands still or deserves a person's eye, and why: rows that open once and close with a name."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text

from erp.database import Session, rows

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
