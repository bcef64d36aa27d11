"""The same model against the real tables, and the one moment that is too rare for chance: an old answer that is held back."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest_asyncio
from sqlalchemy import text

from bench.prove_1.table_interleavings import run
from domain.counting import Plan
from erp import counters
from erp.counters import CountedLine, Look
from erp.database import Database
from tests.conftest import Cluster, TestDatabase

MERCHANT = "held-back"
PATIENCE = timedelta(seconds=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def worker(database: TestDatabase) -> AsyncIterator[Database]:
    erp, app = Database(database.url("erp"), 1), Database(database.url("app"), 2)
    async with erp.everyone() as session:
        await session.execute(text("insert into erp.merchant (merchant_id, name) values (:m, 'Held back')"), {"m": MERCHANT})
    yield app
    await erp.close()
    await app.close()


async def begin(worker: Database, doc_id: int) -> list[Look]:
    async with worker.merchant(MERCHANT) as session:
        await counters.watch(session, MERCHANT, f"SO-{doc_id}", doc_id, 1)
        return await counters.begin_look(session, MERCHANT, f"SO-{doc_id}")


async def book(worker: Database, looks: list[Look], picked: int) -> Plan:
    doc_id = looks[0].doc_id
    line = CountedLine((doc_id, 1), 1, "A", Decimal(10), Decimal(picked), None, True, None)
    async with worker.merchant(MERCHANT) as session:
        watched = await counters.lock(session, MERCHANT, f"SO-{doc_id}", looks)
        assert not watched.outran
        plan = await counters.book(session, MERCHANT, watched, [line], looks, PATIENCE)
        await counters.draw_fence(session, MERCHANT, f"SO-{doc_id}", plan.open_doubts, {doc_id: (300, None, False)})
    return plan


async def patience_is_over(worker: Database, doc_id: int) -> None:
    over = text("select doubt_at + :patience <= clock_timestamp() from bridge.counted where doc_id = :doc_id")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        async with worker.merchant(MERCHANT) as session:
            if (await session.execute(over, {"patience": PATIENCE, "doc_id": doc_id})).scalar_one():
                return
        await asyncio.sleep(0)
    raise AssertionError("the patience is never over")


async def test_a_decrease_that_a_later_look_still_sees_is_booked(worker: Database) -> None:
    await book(worker, await begin(worker, 1), 5)
    assert (await book(worker, await begin(worker, 1), 3)).doubted
    await patience_is_over(worker, 1)
    assert [step.quantity for step in (await book(worker, await begin(worker, 1), 3)).steps] == [Decimal(-2)]


async def test_an_old_answer_that_was_held_back_confirms_no_doubt(worker: Database) -> None:
    """Two old answers of one moment agree whenever the second is booked: its look must have begun after the patience."""
    await book(worker, await begin(worker, 2), 5)
    assert (await book(worker, await begin(worker, 2), 3)).doubted
    asked_at_once = await begin(worker, 2)
    await patience_is_over(worker, 2)
    assert (await book(worker, asked_at_once, 3)).steps == []


async def test_two_workers_and_a_warehouse_in_any_order_end_at_the_truth(cluster: Cluster) -> None:
    wrong, bookings, example = await run(cluster.url(), 60)
    assert (wrong, example) == (0, "")
    assert bookings > 60
