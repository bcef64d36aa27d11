"""What a run found: the differences with their parts, article by article, and what only one side has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.reconciling import Explanation
from erp.database import Session, one, rows
from erp.reconciliation_runs import Run


@dataclass(frozen=True, slots=True)
class Found:
    """An article with a difference, explained; its cost per piece, and when it was read."""

    comparison: str
    explanation: Explanation
    unit_cost: Decimal | None
    read_at: datetime


_LOCK_RUN = text(
    "select state, position, swept from erp.reconciliation_run where merchant_id = :merchant and run_no = :run_no for update"
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
_UNMATCHED_OF = text(
    "select side, number, quantity, action from erp.unmatched where merchant_id = :merchant and run_no = :run_no order by 1, 2"
)


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
