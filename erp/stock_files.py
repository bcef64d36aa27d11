"""Stock files that the warehouse delivered: believed and kept, or refused with the reason."""

import hashlib
from datetime import datetime

from sqlalchemy import text

from erp.database import Session, one, rows
from erp.exceptions import open_exception

_TAKE_FILE = text(
    """
    insert into bridge.stock_file (merchant_id, content_hash, name, content, state, reason, cut_at, articles)
    values (:merchant, :content_hash, :name, :content, :state, :reason, :cut_at, :articles) on conflict do nothing returning 1
    """
)
_STOCK_FILE = text("select content, name from bridge.stock_file where merchant_id = :merchant and content_hash = :content_hash")
_REFUSALS = text(
    """
    select document, detail from bridge.exception
    where merchant_id = :merchant and kind = 'stock-file' and closed_at is null order by document
    """
)
_NEWEST_CUT = text("select max(cut_at) as at from bridge.stock_file where merchant_id = :merchant and state = 'taken'")


async def take_file(
    connection: Session, merchant: str, name: str, content: bytes, content_hash: str, cut_at: datetime, articles: int
) -> bool:
    """Keep a delivered file that is believed; False when one that says the same is here already."""
    key = {"merchant": merchant, "content_hash": content_hash, "name": name[:200], "content": content}
    told = {"state": "taken", "reason": None, "cut_at": cut_at, "articles": articles}
    return (await connection.execute(_TAKE_FILE, key | told)).one_or_none() is not None


async def refuse_file(connection: Session, merchant: str, name: str, content: bytes | None, reason: str) -> None:
    """Keep what a delivered file was refused for, and list it. None: its content was not read."""
    if content is not None:
        digest = hashlib.sha256(content).hexdigest()
        key = {"merchant": merchant, "content_hash": f"refused/{digest}", "name": name[:200], "content": content[:1_000_000]}
        told = {"state": "refused", "reason": reason[:500], "cut_at": None, "articles": None}
        await connection.execute(_TAKE_FILE, key | told)
    await open_exception(connection, merchant, "stock-file", name[:200], "stock-file-refused", f"{name}: {reason}", False)


async def refusals(connection: Session, merchant: str) -> dict[str, str]:
    """Why files were refused that nobody has seen to yet, by name."""
    return {row.document: row.detail for row in await rows(connection, _REFUSALS, merchant=merchant)}


async def stock_file(connection: Session, merchant: str, content_hash: str) -> bytes | None:
    row = await one(connection, _STOCK_FILE, merchant=merchant, content_hash=content_hash)
    return None if row is None else bytes(row.content)


async def newest_cut(connection: Session, merchant: str) -> datetime | None:
    found: datetime | None = (await one(connection, _NEWEST_CUT, merchant=merchant)).at
    return found
