"""What the reconciliation writes: runs and their differences, what nobody can explain and who decided, bookings, the file.

Everything has a natural key, so that a repeat finds what is there: a day has one run, an article at most one open unknown difference,
a cause one booking (the ledger's own unique cause), a run one file of each format.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.adjusting import Change, account_of, change_stock
from domain.money import ZERO, rounded
from domain.pools import AnyPool
from domain.reconciling import Explanation
from domain.stock import Entry, Place
from erp import ledger
from erp.database import Session, one, rows
from erp.exceptions import open_exception
from erp.merchants import Merchant


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


@dataclass(frozen=True, slots=True)
class Found:
    """An article with a difference, explained; its cost per piece, and when it was read."""

    comparison: str
    explanation: Explanation
    unit_cost: Decimal | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Open:
    """An unknown difference that is not booked yet."""

    settlement_no: int
    article: str
    warehouse: str
    quantity: Decimal
    unit_cost: Decimal | None
    state: str
    why: str
    first_seen_at: datetime
    seen_runs: int
    last_run_no: int
    approved_by: tuple[str, ...] = ()


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
_LOCK_RUN = text(
    "select state, position, swept from erp.reconciliation_run where merchant_id = :merchant and run_no = :run_no for update"
)
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
_ADVANCE = text(
    """
    update erp.reconciliation_run set position = :position, articles_read = articles_read + :read,
      ours_only = ours_only + :ours_only, theirs_only = theirs_only + :theirs_only, swept = :swept
    where merchant_id = :merchant and run_no = :run_no
    """
)
_FORGET = text(
    """
    delete from erp.difference where merchant_id = :merchant and run_no = :run_no
      and article_number = any(cast(:numbers as text[]))
    """
)
_DIFFERENCES = text(
    """
    insert into erp.difference (merchant_id, run_no, comparison, article_number, warehouse, ours, theirs, unit_cost, read_at)
    select :merchant, :run_no, c, a, w, o, t, u, r
    from unnest(cast(:comparisons as text[]), cast(:articles as text[]), cast(:warehouses as text[]), cast(:ours as numeric[]),
                cast(:theirs as numeric[]), cast(:costs as numeric[]), cast(:times as timestamptz[])) as n(c, a, w, o, t, u, r)
    """
)
_PARTS = text(
    """
    insert into erp.difference_part (merchant_id, run_no, comparison, article_number, warehouse, part_no, why, quantity, document,
      what, cause, happened_at)
    select :merchant, :run_no, c, a, w, p, y, q, d, x, z, h
    from unnest(cast(:comparisons as text[]), cast(:articles as text[]), cast(:warehouses as text[]), cast(:numbers as int[]),
                cast(:whys as text[]), cast(:quantities as numeric[]), cast(:documents as text[]), cast(:whats as text[]),
                cast(:causes as text[]), cast(:times as timestamptz[])) as n(c, a, w, p, y, q, d, x, z, h)
    """
)
_UNMATCHED = text(
    """
    insert into erp.unmatched (merchant_id, run_no, side, number, quantity, action)
    select :merchant, :run_no, s, n, q, a
    from unnest(cast(:sides as text[]), cast(:numbers as text[]), cast(:quantities as numeric[]), cast(:actions as text[]))
      as u(s, n, q, a)
    on conflict do nothing
    """
)
_FOUND = text(
    """
    select d.comparison, d.article_number as article, d.warehouse, d.ours, d.theirs, d.unit_cost, d.read_at, a.name,
      erp.twin_key(d.article_number) as twin_key, a.replaces_article_number as replaces,
      (select coalesce(json_agg(json_build_array(p.why, p.quantity::text, p.document, p.what, p.cause, p.happened_at)
         order by p.part_no), '[]') from erp.difference_part p where p.merchant_id = d.merchant_id and p.run_no = d.run_no
         and p.comparison = d.comparison and p.article_number = d.article_number and p.warehouse = d.warehouse)::jsonb as parts
    from erp.difference d left join erp.article a using (merchant_id, article_number)
    where d.merchant_id = :merchant and d.run_no = :run_no
    order by d.comparison desc, d.article_number, d.warehouse
    """
)
_DIFFERING = text(
    """
    select count(*) as n from erp.difference where merchant_id = :merchant and run_no = :run_no and comparison = 'physical'
    """
)
_UNKNOWN = text(
    """
    select d.article_number as article, d.warehouse, d.ours, d.theirs, d.unit_cost, d.read_at,
      erp.twin_key(d.article_number) as twin_key, a.replaces_article_number as replaces, p.part_no, p.quantity
    from erp.difference d join erp.difference_part p using (merchant_id, run_no, comparison, article_number, warehouse)
    join erp.article a using (merchant_id, article_number)
    where d.merchant_id = :merchant and d.run_no = :run_no and d.comparison = 'physical' and p.why = 'unknown'
    order by d.article_number, d.warehouse
    """
)
_TIE = text(
    """
    update erp.difference_part set why = :why, cause = :cause where merchant_id = :merchant and run_no = :run_no
      and comparison = 'physical' and article_number = :article and warehouse = :warehouse and why = 'unknown'
    """
)
_EMPTIED = text(
    """
    select count(*) as n from erp.difference d join erp.difference_part p using (merchant_id, run_no, comparison, article_number, warehouse)
    where d.merchant_id = :merchant and d.run_no = :run_no and d.comparison = 'physical' and d.theirs = 0 and d.ours > 0
      and p.why = 'unknown'
    """
)
_OPENED = text(
    """
    select s.settlement_no, s.article_number as article, s.warehouse, s.quantity, s.unit_cost, s.state, s.why, s.first_seen_at,
      s.seen_runs, s.last_run_no,
      (select array_agg(p.actor order by p.decided_at) from erp.settlement_approval p
        where p.merchant_id = s.merchant_id and p.settlement_no = s.settlement_no and p.decision = 'approve') as approved_by
    from erp.settlement s where s.merchant_id = :merchant and s.state in ('seen', 'waiting', 'approved')
    order by s.settlement_no
    """
)
_SEE = text(
    """
    with n as (update bridge.reconciling set settlement_no = settlement_no + 1 where merchant_id = :merchant returning settlement_no)
    insert into erp.settlement (merchant_id, settlement_no, article_number, warehouse, quantity, unit_cost, first_run_no, last_run_no,
      first_seen_at, read_at, listed)
    select :merchant, n.settlement_no, :article, :warehouse, :quantity, :unit_cost, :run_no, :run_no, :read_at, :read_at,
      cast(:listed as jsonb) from n
    returning settlement_no
    """
)
_SEEN_AGAIN = text(
    """
    update erp.settlement set seen_runs = seen_runs + 1, last_run_no = :run_no, read_at = :read_at, unit_cost = :unit_cost,
      listed = cast(:listed as jsonb)
    where merchant_id = :merchant and settlement_no = :number and last_run_no < :run_no
    """
)
_MOVE = text(
    """
    update erp.settlement set state = :state, why = left(:why, 500),
      ended_at = case when cast(:state as text) in ('gone', 'refused') then now() end
    where merchant_id = :merchant and settlement_no = :number and state in ('seen', 'waiting', 'approved')
    """
)
_BOOKED = text(
    """
    update erp.settlement set state = 'booked', why = left(:why, 500), transaction_no = :transaction_no, booked_in_run = :run_no,
      ended_at = now(), read_at = :read_at, listed = cast(:listed as jsonb)
    where merchant_id = :merchant and settlement_no = :number and state in ('seen', 'waiting', 'approved')
    """
)
_OF_NUMBER = text(
    """
    select s.settlement_no, s.article_number as article, s.warehouse, s.quantity, s.unit_cost, s.state, s.why, s.first_seen_at,
      s.seen_runs, s.last_run_no,
      (select array_agg(p.actor order by p.decided_at) from erp.settlement_approval p
        where p.merchant_id = s.merchant_id and p.settlement_no = s.settlement_no and p.decision = 'approve') as approved_by
    from erp.settlement s where s.merchant_id = :merchant and s.settlement_no = :number for update of s
    """
)
_REFUSED = text(
    """
    select distinct on (article_number, warehouse) article_number as article, warehouse, quantity from erp.settlement
    where merchant_id = :merchant and state = 'refused' order by article_number, warehouse, settlement_no desc
    """
)
_APPROVE = text(
    """
    insert into erp.settlement_approval (merchant_id, settlement_no, actor, decision, reason)
    values (:merchant, :number, :actor, :decision, :reason) on conflict do nothing
    """
)
_MONTH = text(
    """
    select article_number as article, sum(abs(quantity)) as pieces, sum(abs(value)) as value from erp.reconciliation_booking
    where merchant_id = :merchant and what = 'unknown' and booked_at >= :since and article_number = any(cast(:numbers as text[]))
    group by 1
    """
)
_BOOKING = text(
    """
    insert into erp.reconciliation_booking (merchant_id, cause, run_no, what, article_number, warehouse, quantity, value, account,
      reason, transaction_no)
    select :merchant, c, :run_no, w, a, h, q, v, n, r, :transaction_no
    from unnest(cast(:causes as text[]), cast(:whats as text[]), cast(:articles as text[]), cast(:warehouses as text[]),
                cast(:quantities as numeric[]), cast(:values as numeric[]), cast(:accounts as int[]), cast(:reasons as text[]))
      as u(c, w, a, h, q, v, n, r)
    """
)
_HAVE = text(
    "select cause from erp.reconciliation_booking where merchant_id = :merchant and cause = any(cast(:causes as text[]))"
)
_APPROVALS = text(
    """
    select actor, reason from erp.settlement_approval
    where merchant_id = :merchant and settlement_no = :number and decision = 'approve' order by decided_at, actor
    """
)
_LISTED = text(
    """
    select coalesce(r.booked_to, h.transaction_no) as up_to, (select coalesce(max(o.booked_to), 0) from erp.reconciliation_run o
        where o.merchant_id = r.merchant_id and o.run_no <> r.run_no and (r.booked_to is null or o.booked_to < r.booked_to)) as after
    from erp.reconciliation_run r left join bridge.ledger_head h using (merchant_id)
    where r.merchant_id = :merchant and r.run_no = :run_no and r.kind in ('daily', 'on-demand')
    """
)
_BOOKINGS = text(
    """
    select what, article_number as article, quantity, value, account, reason, transaction_no, run_no is null as by_people
    from erp.reconciliation_booking
    where merchant_id = :merchant and (run_no = :run_no or (run_no is null and transaction_no > :after and transaction_no <= :up_to))
    order by what, article_number, cause
    """
)
_SETTLED_COST = text(
    """
    select quantity, value, account from erp.reconciliation_booking where merchant_id = :merchant and cause = 'settlement/' || :number
    """
)
_ABSORBED_TIMES = text(
    """
    select count(*) as n from erp.reconciliation_booking where merchant_id = :merchant and cause like 'absorbed/' || :number || '/%'
      and cause like '%/' || cast(:key as text) || '/%'
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
_UNMATCHED_OF = text(
    "select side, number, quantity, action from erp.unmatched where merchant_id = :merchant and run_no = :run_no order by 1, 2"
)
_TOTALS = text("select stocked, stock_value from erp.reconciliation_run where merchant_id = :merchant and run_no = :run_no")
_TAKE_FILE = text(
    """
    insert into bridge.stock_file (merchant_id, content_hash, name, content, state, reason, cut_at, articles)
    values (:merchant, :content_hash, :name, :content, :state, :reason, :cut_at, :articles) on conflict do nothing returning 1
    """
)
_STOCK_FILE = text("select content, name from bridge.stock_file where merchant_id = :merchant and content_hash = :content_hash")
_NEWEST_CUT = text("select max(cut_at) as at from bridge.stock_file where merchant_id = :merchant and state = 'taken'")


# --- runs -------------------------------------------------------------------------------------------------------------


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


async def save_page(
    connection: Session,
    run: Run,
    found: Sequence[Found],
    unmatched: Sequence[tuple[str, str, Decimal, str]],
    position: int,
    read: int,
    swept: bool = False,
) -> Run:
    """What a range of articles came to, and how far the run is. A page that another attempt has saved is left as it is."""
    locked = await one(connection, _LOCK_RUN, merchant=run.merchant, run_no=run.run_no)
    if locked.state == "finished" or locked.swept or (locked.position >= position and not swept):
        return replace(run, position=locked.position, swept=locked.swept, state=locked.state)
    await write_differences(connection, run, found)
    await _add_unmatched(connection, run, unmatched)
    ours = sum(1 for each in unmatched if each[0] == "books")
    await connection.execute(
        _ADVANCE,
        {
            "merchant": run.merchant,
            "run_no": run.run_no,
            "position": position,
            "read": read,
            "ours_only": ours,
            "theirs_only": len(unmatched) - ours,
            "swept": swept,
        },
    )
    return replace(run, position=position, swept=swept, articles_read=run.articles_read + read)


async def write_differences(connection: Session, run: Run, found: Sequence[Found]) -> None:
    """Write these articles' differences in parts, in place of what the run has said of them before."""
    if not found:
        return
    key = {"merchant": run.merchant, "run_no": run.run_no}
    await connection.execute(_FORGET, key | {"numbers": sorted({each.explanation.article for each in found})})
    await connection.execute(
        _DIFFERENCES,
        key
        | {
            "comparisons": [each.comparison for each in found],
            "articles": [each.explanation.article for each in found],
            "warehouses": [each.explanation.warehouse for each in found],
            "ours": [each.explanation.ours for each in found],
            "theirs": [each.explanation.theirs for each in found],
            "costs": [each.unit_cost for each in found],
            "times": [each.read_at for each in found],
        },
    )
    parts = [
        (each.comparison, each.explanation, number, part)
        for each in found
        for number, part in enumerate(each.explanation.parts, start=1)
    ]
    await connection.execute(
        _PARTS,
        key
        | {
            "comparisons": [comparison for comparison, _, _, _ in parts],
            "articles": [explanation.article for _, explanation, _, _ in parts],
            "warehouses": [explanation.warehouse for _, explanation, _, _ in parts],
            "numbers": [number for _, _, number, _ in parts],
            "whys": [part.why.value for _, _, _, part in parts],
            "quantities": [part.quantity for _, _, _, part in parts],
            "documents": [part.document for _, _, _, part in parts],
            "whats": [part.what for _, _, _, part in parts],
            "causes": [part.cause for _, _, _, part in parts],
            "times": [part.at for _, _, _, part in parts],
        },
    )


async def _add_unmatched(connection: Session, run: Run, unmatched: Sequence[tuple[str, str, Decimal, str]]) -> None:
    if unmatched:
        await connection.execute(
            _UNMATCHED,
            {
                "merchant": run.merchant,
                "run_no": run.run_no,
                "sides": [side for side, _, _, _ in unmatched],
                "numbers": [number for _, number, _, _ in unmatched],
                "quantities": [quantity for _, _, quantity, _ in unmatched],
                "actions": [action for _, _, _, action in unmatched],
            },
        )


async def found_in(connection: Session, run: Run) -> list[Any]:
    """Every difference of the run with its parts, in a lasting order."""
    return await rows(connection, _FOUND, merchant=run.merchant, run_no=run.run_no)


async def differing(connection: Session, run: Run) -> int:
    """How many articles differ on the shelf so far; the same article's difference in what can be sold is not another one."""
    return int((await one(connection, _DIFFERING, merchant=run.merchant, run_no=run.run_no)).n)


async def unmatched_in(connection: Session, run: Run) -> list[Any]:
    return await rows(connection, _UNMATCHED_OF, merchant=run.merchant, run_no=run.run_no)


async def unknown_in(connection: Session, run: Run) -> list[Any]:
    """The physical differences of the run that nothing explains."""
    return await rows(connection, _UNKNOWN, merchant=run.merchant, run_no=run.run_no)


async def tie(connection: Session, run: Run, article: str, warehouse: str, why: str, other: str) -> None:
    """An unknown difference has its opposite on another article: say so, in the run's own words."""
    key = {"merchant": run.merchant, "run_no": run.run_no, "article": article, "warehouse": warehouse}
    await connection.execute(_TIE, key | {"why": why, "cause": other})


async def emptied(connection: Session, run: Run) -> int:
    """How many articles with stock in our books the warehouse shows at zero, unexplained."""
    return int((await one(connection, _EMPTIED, merchant=run.merchant, run_no=run.run_no)).n)


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


# --- the file ---------------------------------------------------------------------------------------------------------


async def save_file(connection: Session, run: Run, format: str, name: str, content: bytes) -> None:
    """Keep the run's file in this format; the first one stays."""
    key = {"merchant": run.merchant, "run_no": run.run_no}
    await connection.execute(_FILE, key | {"format": format, "name": name, "content": content})


async def files(connection: Session, merchant: str, run_no: int) -> list[Any]:
    """The run's file in every format: format, name, content, sha256."""
    return await rows(connection, _FILES, merchant=merchant, run_no=run_no)


# --- delivered stock files --------------------------------------------------------------------------------------------


async def take_file(
    connection: Session, merchant: str, name: str, content: bytes, content_hash: str, cut_at: datetime, articles: int
) -> bool:
    """Keep a delivered file that is believed; False when one that says the same is here already."""
    key = {"merchant": merchant, "content_hash": content_hash, "name": name[:200], "content": content}
    told = {"state": "taken", "reason": None, "cut_at": cut_at, "articles": articles}
    return (await connection.execute(_TAKE_FILE, key | told)).one_or_none() is not None


async def refuse_file(connection: Session, merchant: str, name: str, content: bytes, reason: str) -> bool:
    """Keep what a delivered file was refused for; False when it was refused before."""
    digest = hashlib.sha256(content).hexdigest()
    key = {"merchant": merchant, "content_hash": f"refused/{digest}", "name": name[:200], "content": content[:1_000_000]}
    told = {"state": "refused", "reason": reason[:500], "cut_at": None, "articles": None}
    new = (await connection.execute(_TAKE_FILE, key | told)).one_or_none() is not None
    await open_exception(connection, merchant, "stock-file", name[:200], "stock-file-refused", f"{name}: {reason}", False)
    return new


async def stock_file(connection: Session, merchant: str, content_hash: str) -> bytes | None:
    row = await one(connection, _STOCK_FILE, merchant=merchant, content_hash=content_hash)
    return None if row is None else bytes(row.content)


async def newest_cut(connection: Session, merchant: str) -> datetime | None:
    found: datetime | None = (await one(connection, _NEWEST_CUT, merchant=merchant)).at
    return found


# --- what nobody can explain ------------------------------------------------------------------------------------------


async def open_settlements(connection: Session, merchant: str) -> list[Open]:
    """Unknown differences that are neither booked nor gone, oldest first."""
    return [_open(row) for row in await rows(connection, _OPENED, merchant=merchant)]


async def refused_figures(connection: Session, merchant: str) -> dict[tuple[str, str], Decimal]:
    """Unknown differences that a person has refused to book, by article and warehouse: the same figure is not asked again."""
    found = await rows(connection, _REFUSED, merchant=merchant)
    return {(row.article, row.warehouse): row.quantity for row in found}


async def lock_settlement(connection: Session, merchant: str, number: int) -> Open | None:
    row = await one(connection, _OF_NUMBER, merchant=merchant, number=number)
    return None if row is None else _open(row)


def _open(row: Any) -> Open:
    return Open(
        row.settlement_no,
        row.article,
        row.warehouse,
        row.quantity,
        row.unit_cost,
        row.state,
        row.why,
        row.first_seen_at,
        row.seen_runs,
        row.last_run_no,
        tuple(row.approved_by or ()),
    )


async def see(
    connection: Session,
    run: Run,
    article: str,
    warehouse: str,
    quantity: Decimal,
    unit_cost: Decimal | None,
    read_at: datetime,
    listed: Mapping[str, Decimal],
    known: Open | None,
) -> Open:
    """Note an unknown difference: the same figure once more, or a new one in the place of another."""
    told = json.dumps({key: str(value) for key, value in listed.items()})
    key = {"merchant": run.merchant, "run_no": run.run_no, "read_at": read_at, "unit_cost": unit_cost, "listed": told}
    if known is not None and known.quantity == quantity:
        await connection.execute(_SEEN_AGAIN, key | {"number": known.settlement_no})
        again = known.last_run_no < run.run_no
        return replace(known, seen_runs=known.seen_runs + int(again), last_run_no=run.run_no, unit_cost=unit_cost)
    if known is not None:
        await move_settlement(connection, run.merchant, known.settlement_no, "gone", f"the figure is now {quantity}")
    row = await one(connection, _SEE, **key, article=article, warehouse=warehouse, quantity=quantity)
    return Open(row.settlement_no, article, warehouse, quantity, unit_cost, "seen", "", read_at, 1, run.run_no)


async def move_settlement(connection: Session, merchant: str, number: int, state: str, why: str) -> None:
    """Say what an open unknown difference waits for, or why it is over."""
    await connection.execute(_MOVE, {"merchant": merchant, "number": number, "state": state, "why": why})


async def decide(connection: Session, merchant: str, number: int, actor: str, decision: str, reason: str) -> None:
    """Keep who decided what, and why."""
    key = {"merchant": merchant, "number": number, "actor": actor.strip(), "decision": decision, "reason": reason.strip()}
    await connection.execute(_APPROVE, key)


async def booked_this_month(
    connection: Session, merchant: str, since: datetime, numbers: Sequence[str]
) -> dict[str, tuple[Decimal, Decimal]]:
    """Pieces and value booked as unknown since then, by article, in absolute figures."""
    found = await rows(connection, _MONTH, merchant=merchant, since=since, numbers=list(numbers))
    return {row.article: (row.pieces, row.value) for row in found}


# --- bookings ---------------------------------------------------------------------------------------------------------


async def book_changes(
    connection: Session,
    merchant: Merchant,
    run_no: int | None,
    changes: Sequence[Change],
    what: str,
    reasons: Sequence[str],
    document: str,
    actor: str,
    code_version: str,
) -> int | None:
    """Book changes of stock in one ledger transaction, each cause once for ever; those that are booked already are left out.

    Returns the transaction's number, None when there was nothing left to book.
    """
    who = merchant.merchant_id
    pools = await ledger.lock_pools(connection, who, [change.place for change in changes])
    found = await rows(connection, _HAVE, merchant=who, causes=[change.cause for change in changes])
    have = {row.cause for row in found}
    fresh = [(change, reason) for change, reason in zip(changes, reasons, strict=True) if change.cause not in have]
    if not fresh:
        return None
    accounts = merchant.settings.stock_accounts
    if accounts.rules:  # what is kept beside the entry is the account that it was booked on
        accounts = await ledger.asked_for(connection, who, accounts, [change.place for change, _ in fresh], document)
        fresh = [(replace(change, account=account_of(change, accounts)), reason) for change, reason in fresh]
    entries: list[Entry] = []
    after: dict[Place, AnyPool] = {}
    values: list[Decimal] = []
    for change, _ in fresh:
        made, pool = change_stock(change, after.get(change.place, pools[change.place]))
        after[change.place] = pool
        values.append(made[0].value)
        entries += made
    number = await ledger.append(
        connection,
        who,
        entries,
        after,
        accounts,
        merchant.currency,
        document,
        reasons[0],
        actor,
        code_version,
    )
    await connection.execute(
        _BOOKING,
        {
            "merchant": who,
            "run_no": run_no,
            "transaction_no": number,
            "causes": [change.cause for change, _ in fresh],
            "whats": [what for _ in fresh],
            "articles": [change.place[0] for change, _ in fresh],
            "warehouses": [change.place[1] for change, _ in fresh],
            "quantities": [change.quantity for change, _ in fresh],
            "values": values,
            "accounts": [change.account for change, _ in fresh],
            "reasons": [reason for _, reason in fresh],
        },
    )
    for article in ledger.below_zero(after):
        detail = f"{article} stands at {next(p.quantity for place, p in after.items() if place[0] == article)} after {document}"
        await open_exception(connection, who, "article", article, "stock-below-zero", detail, False)
    return number


async def settlement_booked(
    connection: Session,
    merchant: str,
    run_no: int | None,
    number: int,
    transaction_no: int,
    why: str,
    read_at: datetime,
    listed: Mapping[str, Decimal],
) -> None:
    """The unknown difference is booked. It stays open for a cause that comes late: what was listed with it is kept."""
    told = json.dumps({key: str(value) for key, value in listed.items()})
    key = {"merchant": merchant, "run_no": run_no, "number": number, "transaction_no": transaction_no}
    await connection.execute(_BOOKED, key | {"why": why, "read_at": read_at, "listed": told})


async def settled_at(connection: Session, merchant: str, number: int) -> tuple[Decimal, Decimal, int] | None:
    """What a settlement was booked at: quantity, value, account."""
    row = await one(connection, _SETTLED_COST, merchant=merchant, number=str(number))
    return None if row is None else (row.quantity, row.value, row.account)


async def times_absorbed(connection: Session, merchant: str, number: int, key: str) -> int:
    return int((await one(connection, _ABSORBED_TIMES, merchant=merchant, number=str(number), key=key)).n)


async def approvals(connection: Session, merchant: str, number: int) -> str:
    """Who has approved an unknown difference, and why, in words; empty when nobody had to."""
    found = await rows(connection, _APPROVALS, merchant=merchant, number=number)
    return " and ".join(f"{row.actor} ({row.reason})" for row in found)


async def listed(connection: Session, run: Run) -> tuple[int, int]:
    """The transactions between which the file of a run lists what people have approved: after the first, up to the second."""
    found = await one(connection, _LISTED, merchant=run.merchant, run_no=run.run_no)
    return (0, 0) if found is None else (found.after, found.up_to or 0)


async def bookings_in(connection: Session, run: Run, booked_to: int | None = None) -> list[Any]:
    """What the run booked, and what people approved since the file before: each is in one file."""
    after, up_to = await listed(connection, run)
    up_to = up_to if booked_to is None else booked_to
    return await rows(connection, _BOOKINGS, merchant=run.merchant, run_no=run.run_no, after=after, up_to=up_to)


def value_of(quantity: Decimal, unit_cost: Decimal | None) -> Decimal | None:
    """What so many pieces are worth at this cost; None when nobody knows."""
    return None if unit_cost is None else rounded(quantity * unit_cost) + ZERO
