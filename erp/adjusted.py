"""The warehouse's own corrections as counters: what is booked of each, what is in doubt, what it was told; and how it counts."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.reconciling import Adjusted, AdjustmentKey, AdjustmentStep
from erp.database import Session, one, rows

_ENSURE = text("insert into bridge.reconciling (merchant_id) values (:merchant) on conflict do nothing")
_LOCK = text("select run_no, settlement_no, fence, watermark from bridge.reconciling where merchant_id = :merchant for update")
_ADJUSTED = text(
    """
    select inventory_id, article_id, warehouse_id, cause, up, booked, step, doubt, doubt_at, reported from bridge.adjusted
    where merchant_id = :merchant and happened_at >= :since
      and (cast(:ids as bigint[]) is null or article_id = any(cast(:ids as bigint[])))
    """
)
_ADJUST = text(
    """
    insert into bridge.adjusted as j (merchant_id, inventory_id, article_id, warehouse_id, cause, up, article_number, booked, step,
      happened_at)
    values (:merchant, :inventory_id, :article_id, :warehouse_id, :cause, :up, :article, :to_value, :step, :happened_at)
    on conflict (merchant_id, inventory_id, article_id, warehouse_id, cause, up) do update set booked = excluded.booked,
      step = excluded.step, doubt = null, doubt_at = null, reported = false
    """
)
_DOUBT = text(
    """
    update bridge.adjusted set doubt = :doubt, doubt_at = case when cast(:doubt as numeric) is not null then cast(:at as timestamptz) end
    where merchant_id = :merchant and inventory_id = :inventory_id and article_id = :article_id and warehouse_id = :warehouse_id
      and cause = :cause and up = :up
    """
)
_UNREPORTED = text(
    """
    select inventory_id, article_id, warehouse_id, cause, up, step from bridge.adjusted
    where merchant_id = :merchant and not reported and doubt is null order by 1, 2, 3, 4, 5
    """
)
_REPORTED = text(
    """
    update bridge.adjusted j set reported = true
    from unnest(cast(:inventories as bigint[]), cast(:articles as bigint[]), cast(:warehouses as bigint[]), cast(:causes as text[]),
                cast(:ups as boolean[]), cast(:steps as int[])) as told(inventory_id, article_id, warehouse_id, cause, up, step)
    where j.merchant_id = :merchant and j.inventory_id = told.inventory_id and j.article_id = told.article_id
      and j.warehouse_id = told.warehouse_id and j.cause = told.cause and j.up = told.up and j.step = told.step and j.doubt is null
    """
)
_LOOK = text("select nextval('bridge.look_no') as number, clock_timestamp() as now")
_FENCE = text("update bridge.reconciling set fence = nextval('bridge.look_no') where merchant_id = :merchant")
_COUNTING = text("select counting from bridge.reconciling where merchant_id = :merchant")
_KEEP_COUNTING = text(
    """
    update bridge.reconciling set counting = counting || cast(:fresh as jsonb) where merchant_id = :merchant returning counting
    """
)


async def begin_look(connection: Session) -> tuple[int, datetime]:
    """A number for a look at the warehouse's corrections, and the time. The caller commits before it asks."""
    row = await one(connection, _LOOK)
    return int(row.number), row.now


async def lock_adjusted(
    connection: Session, merchant: str, look: int | None, since: datetime
) -> dict[AdjustmentKey, Adjusted] | None:
    """What is booked of the warehouse's corrections since then, locked; None when a newer look has been booked meanwhile."""
    await connection.execute(_ENSURE, {"merchant": merchant})
    row = await one(connection, _LOCK, merchant=merchant)
    if look is not None and look <= row.fence:
        return None
    return await adjusted(connection, merchant, since)


async def adjusted(
    connection: Session, merchant: str, since: datetime, ids: Sequence[int] | None = None
) -> dict[AdjustmentKey, Adjusted]:
    """What is booked of the warehouse's corrections since then, of all its articles or of these, without a lock."""
    return {
        AdjustmentKey(r.inventory_id, r.article_id, r.warehouse_id, r.cause, r.up): Adjusted(
            r.booked, r.step, r.doubt, r.doubt_at
        )
        for r in await rows(connection, _ADJUSTED, merchant=merchant, since=since, ids=None if ids is None else list(ids))
    }


async def note_adjusted(
    connection: Session,
    merchant: str,
    steps: Sequence[tuple[AdjustmentStep, str, datetime]],
    doubted: Mapping[AdjustmentKey, Decimal],
    over: Sequence[AdjustmentKey],
    at: datetime,
) -> None:
    """Write how far the counters are booked (step, our article, when it happened), their doubts, and the fence."""
    for step, article, happened_at in steps:
        told = {"article": article, "to_value": step.to_value, "step": step.step, "happened_at": happened_at}
        await connection.execute(_ADJUST, _key(merchant, step.key) | told)
    for key, value in [*doubted.items(), *((key, None) for key in over)]:
        await connection.execute(_DOUBT, _key(merchant, key) | {"doubt": value, "at": at})
    await connection.execute(_FENCE, {"merchant": merchant})


def _key(merchant: str, key: AdjustmentKey) -> dict[str, Any]:
    return {
        "merchant": merchant,
        "inventory_id": key.inventory_id,
        "article_id": key.article_id,
        "warehouse_id": key.warehouse_id,
        "cause": key.cause,
        "up": key.up,
    }


async def counting(connection: Session, merchant: str) -> dict[str, Any]:
    """What is proved of how the warehouse counts: setting to its value, the article that showed it, and when."""
    found = await one(connection, _COUNTING, merchant=merchant)
    return {} if found is None else dict(found.counting)


async def keep_counting(connection: Session, merchant: str, fresh: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what is proved now over what was; gives all of it."""
    await connection.execute(_ENSURE, {"merchant": merchant})
    row = await one(connection, _KEEP_COUNTING, merchant=merchant, fresh=json.dumps(fresh))
    return dict(row.counting)


async def unreported(connection: Session, merchant: str) -> list[tuple[AdjustmentKey, int]]:
    """Corrections that are booked and that the warehouse has not been told of, and how often each was booked."""
    return [
        (AdjustmentKey(r.inventory_id, r.article_id, r.warehouse_id, r.cause, r.up), r.step)
        for r in await rows(connection, _UNREPORTED, merchant=merchant)
    ]


async def adjustments_reported(connection: Session, merchant: str, told: Sequence[tuple[AdjustmentKey, int]]) -> None:
    """The warehouse has been told of these. One that was booked once more meanwhile is still to be told."""
    columns = {
        "inventories": [key.inventory_id for key, _ in told],
        "articles": [key.article_id for key, _ in told],
        "warehouses": [key.warehouse_id for key, _ in told],
        "causes": [key.cause for key, _ in told],
        "ups": [key.up for key, _ in told],
        "steps": [step for _, step in told],
    }
    await connection.execute(_REPORTED, {"merchant": merchant} | columns)
