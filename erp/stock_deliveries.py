"""What lay where stock files are delivered when it was last read, and what became of it: nothing is fetched or judged twice.

The files themselves are in `bridge.stock_file`, once for each content; here stand the names under which they came.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from erp.database import Session, rows


@dataclass(frozen=True, slots=True)
class Delivered:
    """A name, and what lay there. Taken: `content_hash` is set, and `run_no` while its run is not through. Else refused."""

    place: str
    name: str
    size: int
    modified_at: datetime
    sha256: bytes | None
    content_hash: str | None
    reason: str | None
    read_at: datetime
    run_no: int | None = None
    for_date: date | None = None


_KNOWN = text(
    """
    select d.place, d.name, d.size, d.modified_at, d.sha256, d.content_hash, d.reason, d.read_at, r.run_no, r.for_date
    from bridge.stock_delivery d left join erp.reconciliation_run r
      on r.merchant_id = d.merchant_id and r.input_hash = d.content_hash and r.state = 'running'
    where d.merchant_id = :merchant
    """
)
_NOTE = text(
    """
    insert into bridge.stock_delivery as d (merchant_id, place, name, size, modified_at, sha256, content_hash, reason, read_at)
    values (:merchant, :place, :name, :size, :modified_at, :sha256, :content_hash, :reason, :read_at)
    on conflict (merchant_id, place, name) do update set size = excluded.size, modified_at = excluded.modified_at,
      sha256 = excluded.sha256, content_hash = excluded.content_hash, reason = excluded.reason, read_at = excluded.read_at
    """
)


async def known(connection: Session, merchant: str) -> list[Delivered]:
    """Every name under which something was read."""
    return [Delivered(**row._mapping) for row in await rows(connection, _KNOWN, merchant=merchant)]


async def note(connection: Session, merchant: str, each: Delivered) -> None:
    """Keep what lies under a name now; replaces what lay there before."""
    said = {
        "place": each.place,
        "name": each.name,
        "size": each.size,
        "modified_at": each.modified_at,
        "sha256": each.sha256,
        "content_hash": each.content_hash,
        "reason": each.reason and each.reason[:500],
        "read_at": each.read_at,
    }
    await connection.execute(_NOTE, {"merchant": merchant} | said)
