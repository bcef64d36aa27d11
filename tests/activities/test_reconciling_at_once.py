"""Two of everything at once, and a warehouse that answers nonsense: one booking, one file, never a piece too much."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from activities.reconcile import Decision, Step, Wish
from tests.activities.test_reconciling import ENTRIES, Clock, adjust, clock, lose, parts, stocked, waits
from tests.activities.world import Shop, Worker, again

__all__ = ["clock"]
D = Decimal
RUNS = "select kind, for_date::text, state from erp.reconciliation_run where merchant_id = :m order by run_no"
FILES = "select count(*), count(distinct run_no) from erp.reconciliation_file where merchant_id = :m"


async def through(worker: Worker, wish: Wish) -> None:
    """One worker's whole reconciliation; a repeat as Temporal would make it."""
    does = worker.reconcile
    for owed in await again(does.plan_reconciliation, wish):
        step = Step(wish.merchant, owed.run_no, wish.at)
        while not (await again(does.compare_stock, step)).done:
            continue
        if owed.kind != "past":
            await again(does.settle_differences, step)
        await again(does.write_reconciliation_file, step)


async def together(*doing: Awaitable[Any]) -> list[Any]:
    return list(await asyncio.gather(*doing))


async def test_two_runs_of_the_same_day_at_once_are_one_run_with_one_file_and_one_booking(shop: Shop, clock: Clock) -> None:
    await stocked(shop, looks_apart_hours=0)
    await lose(shop, "A", 998)
    await clock.run()
    await adjust(shop, "B", -4)
    clock.now += timedelta(hours=1)
    wishes = [Wish(shop.merchant, clock.now, f"daily/{n}", "daily") for n in range(4)]
    await together(*(through(shop.workers[n % 2], wish) for n, wish in enumerate(wishes)))
    assert sorted(await shop.read(ENTRIES)) == [("A", "adjustment", D(-2), D("-9.00")), ("B", "adjustment", D(-4), D("-18.00"))]
    assert [row[0] for row in await shop.read(RUNS)] == ["on-demand", "daily"]
    assert await shop.read(FILES) == [(6, 2)]


async def test_the_same_person_approving_twice_at_once_books_once(shop: Shop, clock: Clock) -> None:
    number = await waits(shop, clock)
    asked = Decision(shop.merchant, number, "anna", "counted", clock.now)
    said = await together(*(again(shop.workers[n % 2].reconcile.decide_difference, asked) for n in range(4)))
    assert {each.outcome for each in said} == {"booked"}
    assert await shop.read(ENTRIES) == [("A", "adjustment", D(-10), D("-45.00"))]


async def test_one_who_approves_and_one_who_refuses_at_once_come_to_one_end(shop: Shop, clock: Clock) -> None:
    number = await waits(shop, clock)
    yes = Decision(shop.merchant, number, "anna", "counted", clock.now)
    no = Decision(shop.merchant, number, "bo", "count again", clock.now, refuse=True)
    said = await together(
        again(shop.workers[0].reconcile.decide_difference, yes), again(shop.workers[1].reconcile.decide_difference, no)
    )
    [(state,)] = await shop.read("select state from erp.settlement where merchant_id = :m")
    booked = len(await shop.read(ENTRIES))
    assert (state, booked) in (("booked", 1), ("refused", 0)), said
    await clock.run(timedelta(hours=24))
    assert len(await shop.read(ENTRIES)) == booked


async def test_an_approval_while_the_next_run_settles_books_once(shop: Shop, clock: Clock) -> None:
    number = await waits(shop, clock)
    [step] = await clock.plan()
    while not (await again(shop.worker.reconcile.compare_stock, step)).done:
        continue
    asked = Decision(shop.merchant, number, "anna", "counted", clock.now)
    await together(
        again(shop.workers[1].reconcile.decide_difference, asked), again(shop.worker.reconcile.settle_differences, step)
    )
    await clock.reconcile(step)
    await again(shop.worker.reconcile.decide_difference, asked)
    await clock.run(timedelta(hours=24))
    assert await shop.read(ENTRIES) == [("A", "adjustment", D(-10), D("-45.00"))]


async def test_a_warehouse_that_shows_no_article_at_all_empties_nothing(shop: Shop, clock: Clock) -> None:
    """Absent is never zero: each is asked for by itself, and what is not shown is listed for people."""
    await stocked(shop, looks_apart_hours=0, most_percent_of_stock_value=100, tolerated_pieces=100_000, tolerated_value=1_000_000)
    empty = {"status": 200, "body": []}
    async with shop.ongoing.fault("GET /articles/inventoryPerWarehouse", "http", None, **empty):
        for _ in range(3):
            settled, written = await clock.run(timedelta(hours=24))
            assert settled.unknown == 0
    assert await shop.read(ENTRIES) == []
    assert await parts(shop) == []
    assert "0 articles compared" in written.headline or "differ" in written.headline


@pytest.mark.parametrize(
    "before", [datetime(2026, 3, 27, 5, tzinfo=UTC), datetime(2026, 10, 23, 5, tzinfo=UTC)], ids=["spring", "autumn"]
)
async def test_days_on_which_the_clock_is_put_forward_or_back_have_one_file_each(
    shop: Shop, clock: Clock, before: datetime
) -> None:
    await stocked(shop, hour=2)
    days, first = 5, await _owed(shop, before)
    for owed in first:
        await clock.reconcile(Step(shop.merchant, owed.run_no, before))
    later = before + timedelta(days=days)
    missed = await _owed(shop, later)
    assert [each.on for each in missed] == [first[-1].on + timedelta(days=n) for n in range(1, days + 1)]
    cuts = await shop.read(
        "select cut_at from erp.reconciliation_run where merchant_id = :m and kind = 'past' order by for_date desc limit 4"
    )
    gaps = {int((a[0] - b[0]).total_seconds() // 3600) for a, b in pairwise(cuts)}
    assert gaps <= {23, 24, 25} and len(gaps) > 1, "the clock was moved on one of the days"
    for each in missed:
        await clock.reconcile(Step(shop.merchant, each.run_no, later))
    assert await _owed(shop, later) == []


async def _owed(shop: Shop, at: datetime) -> list[Any]:
    return list(await again(shop.worker.reconcile.plan_reconciliation, Wish(shop.merchant, at, f"daily/{at}", "daily")))


async def test_what_people_approved_is_in_one_file_when_two_runs_end_at_once(shop: Shop, clock: Clock) -> None:
    number = await waits(shop, clock)
    said = await again(shop.worker.reconcile.decide_difference, Decision(shop.merchant, number, "anna", "counted", clock.now))
    assert said.outcome == "booked"
    clock.now += timedelta(hours=1)
    steps = []
    for kind in ("daily", "on-demand"):
        [step] = await clock.plan(kind)
        while not (await again(shop.worker.reconcile.compare_stock, step)).done:
            continue
        await again(shop.worker.reconcile.settle_differences, step)
        steps.append(step)
    daily, other = (w.reconcile.write_reconciliation_file(s) for w, s in zip(shop.workers, steps, strict=False))
    async with shop.worker.database.merchant(shop.merchant) as session:  # the day's run has read, and cannot end yet
        await session.execute(text("select 1 from bridge.reconciling where merchant_id = :m for update"), {"m": shop.merchant})
        ends = asyncio.gather(daily)
        later = asyncio.gather(other)
        await asyncio.wait({ends, later}, timeout=3, return_when=asyncio.FIRST_COMPLETED)
    await together(ends, later)
    files = await shop.read("select content from erp.reconciliation_file where merchant_id = :m and format = 'csv'")
    assert [bytes(content).decode().count("approved by anna") for (content,) in files if b"approved by anna" in content] == [1]
