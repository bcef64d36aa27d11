"""The fence: a look that began before the last booking may not be booked after it, whatever it has seen."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from erp import counters
from erp.counters import CountedLine, Look
from erp.database import Database
from tests.erp.data import add_merchant, add_order, read

D = Decimal
DOC = 9001


async def watched_order(erp: Database, app: Database) -> str:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    async with app.merchant(merchant) as session:
        await counters.watch(session, merchant, "SO-1", DOC, 400)
    return merchant


async def begin(app: Database, merchant: str) -> list[Look]:
    async with app.merchant(merchant) as session:
        return await counters.begin_look(session, merchant, "SO-1")


async def book(app: Database, merchant: str, looks: list[Look], picked: int) -> bool:
    """Book what a look has seen; False when it came too late."""
    seen = [CountedLine((DOC, 1), 1, "A", D(10), D(picked), None, False, datetime.now(UTC))]
    async with app.merchant(merchant) as session:
        watched = await counters.lock(session, merchant, "SO-1", looks)
        if watched.outran:
            return False
        plan = await counters.book(session, merchant, watched, seen, looks, timedelta(seconds=30))
        await counters.draw_fence(session, merchant, "SO-1", plan.open_doubts, {DOC: (300, None, False)})
    return True


async def steps(verify: Database, merchant: str) -> list[tuple[object, ...]]:
    return await read(
        verify, "select step, from_value, to_value from bridge.booking where merchant_id = :m order by step", m=merchant
    )


async def test_a_look_that_began_before_the_last_booking_is_not_booked(app: Database, erp: Database, verify: Database) -> None:
    merchant = await watched_order(erp, app)
    early, late = await begin(app, merchant), await begin(app, merchant)
    assert await book(app, merchant, late, 5)
    assert not await book(app, merchant, early, 7)
    assert await steps(verify, merchant) == [(1, D(0), D(5))]
    assert await book(app, merchant, await begin(app, merchant), 7)
    assert await steps(verify, merchant) == [(1, D(0), D(5)), (2, D(5), D(7))]


async def test_a_booking_that_changed_nothing_ends_the_looks_before_it_too(
    app: Database, erp: Database, verify: Database
) -> None:
    merchant = await watched_order(erp, app)
    assert await book(app, merchant, await begin(app, merchant), 5)
    early, late = await begin(app, merchant), await begin(app, merchant)
    assert await book(app, merchant, late, 5)
    assert not await book(app, merchant, early, 6)
    assert await steps(verify, merchant) == [(1, D(0), D(5))]


async def test_a_look_is_booked_once(app: Database, erp: Database, verify: Database) -> None:
    merchant = await watched_order(erp, app)
    looks = await begin(app, merchant)
    booked = await asyncio.gather(*(book(app, merchant, looks, 5) for _ in range(8)))
    assert sorted(booked) == [False] * 7 + [True]
    assert await steps(verify, merchant) == [(1, D(0), D(5))]


async def test_of_looks_at_once_at_least_one_is_booked_and_none_twice(app: Database, erp: Database, verify: Database) -> None:
    merchant = await watched_order(erp, app)
    looks = [await begin(app, merchant) for _ in range(8)]
    booked = await asyncio.gather(*(book(app, merchant, each, 5) for each in looks))
    assert any(booked)
    assert await steps(verify, merchant) == [(1, D(0), D(5))]


async def test_a_look_of_another_epoch_is_not_booked(app: Database, erp: Database, verify: Database) -> None:
    from sqlalchemy import text

    merchant = await watched_order(erp, app)
    looks = await begin(app, merchant)
    async with app.merchant(merchant) as session:
        await session.execute(text("update bridge.watched set epoch = epoch + 1"))
    assert not await book(app, merchant, looks, 5)
    assert await steps(verify, merchant) == []


async def test_a_decrease_becomes_a_whole_doubt_and_the_look_stays_owed(app: Database, erp: Database, verify: Database) -> None:
    merchant = await watched_order(erp, app)
    assert await book(app, merchant, await begin(app, merchant), 5)
    assert await book(app, merchant, await begin(app, merchant), 3)
    doubt = "select booked, doubt_value, doubt_look > 0, doubt_at is not null from bridge.counted where merchant_id = :m"
    assert await read(verify, doubt, m=merchant) == [(D(5), D(3), True, True)]
    assert await read(verify, "select look_owed from bridge.watched where merchant_id = :m", m=merchant) == [(True,)]
    assert await book(app, merchant, await begin(app, merchant), 5)
    assert await read(verify, doubt, m=merchant) == [(D(5), None, None, False)]
    assert await read(verify, "select look_owed from bridge.watched where merchant_id = :m", m=merchant) == [(False,)]
