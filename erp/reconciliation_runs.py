"""Runs of the reconciliation: which there are, how far each is, which days it covers, and its file.

Everything has a natural key, so that a repeat finds what is there: a day has one run, a delivered file one, a run one file of each
format.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from erp.database import Session, one, rows


@dataclass(frozen=True, slots=True)
class Run:
    """One reconciliation. `position`: the last article of the warehouse that is compared; `cut_at`: None means now."""

    merchant: str
    run_no: int
    kind: str
    for_date: date
    source: str
    settles: bool
    state: str
    cut_at: datetime | None
    input_hash: str | None
    position: int
    swept: bool
    articles_read: int
    ours_only: int
    theirs_only: int
    held: str | None
    covered_by: int | None
    started_at: datetime


_RUN = """
    merchant_id as merchant, run_no, kind, for_date, source, settles, state, cut_at, input_hash, position, swept, articles_read,
    ours_only, theirs_only, held, covered_by, started_at
"""
_ENSURE = text("insert into bridge.reconciling (merchant_id) values (:merchant) on conflict do nothing")
_LOCK = text("select run_no, settlement_no, fence, watermark from bridge.reconciling where merchant_id = :merchant for update")
_SAME = text(
    f"""
    select {_RUN} from erp.reconciliation_run where merchant_id = :merchant and (request = :request
      or (kind in ('daily', 'past') and cast(:kind as text) in ('daily', 'past') and for_date = :for_date)
      or input_hash = :input_hash)
    order by request <> :request limit 1
    """
)
_BEGIN = text(
    f"""
    with n as (update bridge.reconciling set run_no = run_no + 1 where merchant_id = :merchant returning run_no)
    insert into erp.reconciliation_run (merchant_id, run_no, kind, for_date, request, source, settles, cut_at, input_hash)
    select :merchant, n.run_no, :kind, :for_date, :request, :source, :settles, :cut_at, :input_hash from n
    returning {_RUN}
    """
)
_LOAD = text(f"select {_RUN} from erp.reconciliation_run where merchant_id = :merchant and run_no = :run_no")
_RECENT = text(f"select {_RUN} from erp.reconciliation_run where merchant_id = :merchant order by run_no desc limit :most")
_UNSWEPT = text(
    """
    select run_no from erp.reconciliation_run where merchant_id = :merchant and kind = 'daily' and for_date = :day
      and state = 'running' and not swept for update
    """
)
_EMPTY = {
    table: text(f"delete from erp.{table} where merchant_id = :merchant and run_no = :run_no")
    for table in ("difference", "unmatched")
}
_MAKE_PAST = text(
    """
    update erp.reconciliation_run set kind = 'past', source = 'history', settles = false, cut_at = :cut_at, position = 0,
      articles_read = 0, ours_only = 0, theirs_only = 0
    where merchant_id = :merchant and run_no = :run_no
    """
)
_HOLD = text("update erp.reconciliation_run set held = left(:held, 500) where merchant_id = :merchant and run_no = :run_no")
_WORTH = text(
    "update erp.reconciliation_run set stocked = :stocked, stock_value = :value where merchant_id = :merchant and run_no = :run_no"
)
_FINISH = text(
    """
    update erp.reconciliation_run set state = 'finished', finished_at = now(), cut_at = coalesce(cut_at, :cut_at),
      covered_by = :covered_by, booked_to = :booked_to
    where merchant_id = :merchant and run_no = :run_no and state = 'running'
    """
)
_WATERMARK = text(
    "update bridge.reconciling set watermark = greatest(coalesce(watermark, :day), :day) where merchant_id = :merchant"
)
_COVERED = text(
    """
    select for_date from erp.reconciliation_run where merchant_id = :merchant and (run_no = :run_no or covered_by = :run_no)
    order by 1
    """
)
_ONE_FILE = text("select pg_advisory_xact_lock(hashtext('lagerbro.reconciliation-file'), hashtext(cast(:merchant as text)))")
_FILE = text(
    """
    insert into erp.reconciliation_file (merchant_id, run_no, format, name, content, sha256)
    values (:merchant, :run_no, :format, :name, :content, sha256(:content)) on conflict do nothing
    """
)
_FILES = text(
    "select format, name, content, sha256 from erp.reconciliation_file where merchant_id = :merchant and run_no = :run_no order by 1"
)
_DAYS = text(
    """
    select r.for_date as day, coalesce(sum(round(abs(p.quantity) * coalesce(d.unit_cost, 0), 2)), 0) as differing,
      coalesce(sum(round(abs(p.quantity) * coalesce(d.unit_cost, 0), 2)) filter (where p.why not in ('unknown', 'deferred')), 0) as explained
    from erp.reconciliation_run r
    left join erp.difference d on d.merchant_id = r.merchant_id and d.run_no = r.run_no and d.comparison = 'physical'
    left join erp.difference_part p on p.merchant_id = d.merchant_id and p.run_no = d.run_no and p.comparison = d.comparison
      and p.article_number = d.article_number and p.warehouse = d.warehouse
    where r.merchant_id = :merchant and r.covered_by is null and r.for_date > cast(:day as date) - 30 and r.for_date <= :day
      and r.run_no = (select max(n.run_no) from erp.reconciliation_run n where n.merchant_id = r.merchant_id
        and n.for_date = r.for_date and n.covered_by is null and n.run_no <= :run_no)
    group by 1 order by 1
    """
)
_TOTALS = text("select stocked, stock_value from erp.reconciliation_run where merchant_id = :merchant and run_no = :run_no")


async def begin_run(
    connection: Session,
    merchant: str,
    kind: str,
    for_date: date,
    request: str,
    source: str,
    settles: bool,
    cut_at: datetime | None = None,
    input_hash: str | None = None,
) -> Run:
    """A run for this request; the one that is there already for the same request, day or file."""
    await connection.execute(_ENSURE, {"merchant": merchant})
    await connection.execute(_LOCK, {"merchant": merchant})
    key = {"merchant": merchant, "kind": kind, "for_date": for_date, "request": request, "input_hash": input_hash}
    found = await one(connection, _SAME, **key)
    if found is None:
        found = await one(connection, _BEGIN, **key, source=source, settles=settles, cut_at=cut_at)
    return Run(**found._mapping)


async def load_run(connection: Session, merchant: str, run_no: int) -> Run | None:
    row = await one(connection, _LOAD, merchant=merchant, run_no=run_no)
    return None if row is None else Run(**row._mapping)


async def recent_runs(connection: Session, merchant: str, most: int) -> list[Run]:
    return [Run(**row._mapping) for row in await rows(connection, _RECENT, merchant=merchant, most=most)]


async def make_past(connection: Session, merchant: str, day: date, cut_at: datetime) -> None:
    """A day whose run was not through before the day was over: compared with the figures of that day, it explains and never books."""
    row = await one(connection, _UNSWEPT, merchant=merchant, day=day)
    if row is not None:
        for table in ("difference", "unmatched"):
            await connection.execute(_EMPTY[table], {"merchant": merchant, "run_no": row.run_no})
        await connection.execute(_MAKE_PAST, {"merchant": merchant, "run_no": row.run_no, "cut_at": cut_at})


async def watermark(connection: Session, merchant: str) -> date | None:
    """The last day that is covered."""
    await connection.execute(_ENSURE, {"merchant": merchant})
    row = await one(connection, _LOCK, merchant=merchant)
    found: date | None = row.watermark
    return found


async def hold(connection: Session, run: Run, why: str) -> None:
    await connection.execute(_HOLD, {"merchant": run.merchant, "run_no": run.run_no, "held": why})


async def save_worth(connection: Session, run: Run, stocked: int, value: Decimal) -> None:
    """What our stock was, and was worth, before the run booked anything."""
    await connection.execute(_WORTH, {"merchant": run.merchant, "run_no": run.run_no, "stocked": stocked, "value": value})


async def totals(connection: Session, run: Run) -> tuple[int, Decimal]:
    row = await one(connection, _TOTALS, merchant=run.merchant, run_no=run.run_no)
    return row.stocked, row.stock_value


async def finish(
    connection: Session, run: Run, cut_at: datetime, covered_by: int | None = None, booked_to: int | None = None
) -> None:
    """The run stands from now on. A day's run moves the watermark. `booked_to`: up to where its file lists approvals."""
    key = {"merchant": run.merchant, "run_no": run.run_no}
    await connection.execute(_FINISH, key | {"cut_at": cut_at, "covered_by": covered_by, "booked_to": booked_to})
    if run.kind in ("daily", "past"):
        await connection.execute(_WATERMARK, {"merchant": run.merchant, "day": run.for_date})


async def covers(connection: Session, run: Run) -> tuple[date, ...]:
    """The days for which this run stands: its own, and missed ones that nothing else could tell of."""
    return tuple(row.for_date for row in await rows(connection, _COVERED, merchant=run.merchant, run_no=run.run_no))


async def last_days(connection: Session, run: Run) -> list[Any]:
    """The thirty days up to the run's own: value of differences and of the explained part, by the newest run of each day."""
    return await rows(connection, _DAYS, merchant=run.merchant, day=run.for_date, run_no=run.run_no)


async def one_file_at_a_time(connection: Session, merchant: str) -> None:
    """Wait until no other run of the merchant writes its file: what that one lists is then known, and is not listed again."""
    await connection.execute(_ONE_FILE, {"merchant": merchant})


async def save_file(connection: Session, run: Run, format: str, name: str, content: bytes) -> None:
    """Keep the run's file in this format; the first one stays."""
    key = {"merchant": run.merchant, "run_no": run.run_no}
    await connection.execute(_FILE, key | {"format": format, "name": name, "content": content})


async def files(connection: Session, merchant: str, run_no: int) -> list[Any]:
    """The run's file in every format: format, name, content, sha256."""
    return await rows(connection, _FILES, merchant=merchant, run_no=run_no)
