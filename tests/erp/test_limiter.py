"""The request window and the write lease, shared by all workers through PostgreSQL. Times are injected and short."""

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from erp.database import Database
from erp.limiter import RateWindow, WriteLease
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, read

WINDOW = 0.4


@asynccontextmanager
async def workers(database: TestDatabase, number: int) -> AsyncIterator[list[Database]]:
    """As many processes as there are pools: nothing is shared but PostgreSQL."""
    async with AsyncExitStack() as stack:
        pools = []
        for _ in range(number):
            pool = Database(database.url("app"), pool_size=10)
            stack.push_async_callback(pool.close)
            pools.append(pool)
        yield pools


def most_in_any_window(moments: list[float], seconds: float) -> int:
    ordered = sorted(moments)
    return max(bisect_left(ordered, start + seconds) - number for number, start in enumerate(ordered))


async def test_never_more_than_the_allowed_requests_fall_into_any_window(database: TestDatabase, erp: Database) -> None:
    merchant = await add_merchant(erp)
    seen: list[float] = []

    async def ask(window: RateWindow, number: int) -> None:
        async with window():
            await asyncio.sleep(0.001 * (number % 7))  # how long a request travels before the partner counts it
            seen.append(time.monotonic())

    async with workers(database, 4) as pools:
        windows = [RateWindow(pool, merchant, "fortnox", 25, WINDOW, 5) for pool in pools]
        began = time.monotonic()
        async with asyncio.timeout(20):
            await asyncio.gather(*(ask(windows[n % 4], n) for n in range(130)))
        took = time.monotonic() - began
    assert len(seen) == 130
    assert most_in_any_window(seen, WINDOW) <= 25
    assert took < WINDOW * 130 / 5, "a loaded machine is slower; one that uses a fifth of what is allowed is wrong"


async def test_merchants_and_systems_do_not_wait_for_each_other(database: TestDatabase, app: Database, erp: Database) -> None:
    one, other = await add_merchant(erp), await add_merchant(erp)
    async with asyncio.timeout(5), RateWindow(app, one, "fortnox", 1, 60, 60)():
        async with RateWindow(app, other, "fortnox", 1, 60, 60)():
            pass
        async with RateWindow(app, one, "ongoing", 1, 60, 60)():
            pass


async def test_a_slot_is_free_again_after_its_holder_died(app: Database, erp: Database) -> None:
    merchant = await add_merchant(erp)
    window = RateWindow(app, merchant, "fortnox", 1, 0.2, 0.3)
    dead = window()
    began = time.monotonic()
    await dead.__aenter__()
    async with asyncio.timeout(10), window():
        waited = time.monotonic() - began
    assert 0.5 <= waited < 3, "the longest life of a request and the window, and then it is free"


async def test_a_request_that_fails_gives_its_slot_back(app: Database, erp: Database) -> None:
    merchant = await add_merchant(erp)
    window = RateWindow(app, merchant, "fortnox", 1, 0.05, 60)
    for _ in range(3):
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(5), window():
                raise ConnectionError("reset")


async def test_writes_to_the_warehouse_happen_one_at_a_time(database: TestDatabase, erp: Database) -> None:
    merchant = await add_merchant(erp)
    inside, most, done = 0, 0, 0

    async def write(lease: WriteLease, urgent: bool) -> None:
        nonlocal inside, most, done
        async with lease(urgent):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.002)
            inside -= 1
            done += 1

    async with workers(database, 3) as pools:
        leases = [WriteLease(pool, merchant, "ongoing", 10) for pool in pools]
        async with asyncio.timeout(20):
            await asyncio.gather(*(write(leases[n % 3], n % 2 == 0) for n in range(36)))
    assert (most, done) == (1, 36)


ASKED_URGENTLY = "select 1 from bridge.write_lease where merchant_id = :m and orders_wait_until is not null"


async def test_orders_go_before_articles_that_waited_longer(database: TestDatabase, erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    order: list[str] = []

    async def write(lease: WriteLease, what: str, urgent: bool) -> None:
        async with lease(urgent):
            order.append(what)

    async with workers(database, 3) as pools:
        holder, articles, orders = (WriteLease(pool, merchant, "ongoing", 10) for pool in pools)
        waiting: list[asyncio.Task[None]] = []
        async with asyncio.timeout(20):
            async with holder(True):
                waiting += [asyncio.create_task(write(articles, f"article {n}", False)) for n in range(3)]
                waiting.append(asyncio.create_task(write(orders, "order", True)))
                while not await read(verify, ASKED_URGENTLY, m=merchant):  # noqa: ASYNC110 - another session writes it
                    await asyncio.sleep(0.01)
            await asyncio.gather(*waiting)
    assert order == ["order", "article 0", "article 1", "article 2"]


async def test_the_lease_is_free_again_after_its_holder_died(app: Database, erp: Database) -> None:
    merchant = await add_merchant(erp)
    began = time.monotonic()
    dead = WriteLease(app, merchant, "ongoing", 0.4)(True)
    await dead.__aenter__()
    async with asyncio.timeout(10), WriteLease(app, merchant, "ongoing", 0.4)(False):
        waited = time.monotonic() - began
    assert 0.4 <= waited < 3


async def test_a_late_release_does_not_take_the_lease_from_its_next_holder(
    app: Database, erp: Database, verify: Database
) -> None:
    merchant = await add_merchant(erp)
    late = WriteLease(app, merchant, "ongoing", 0.1)(True)
    await late.__aenter__()
    async with asyncio.timeout(10), WriteLease(app, merchant, "ongoing", 30)(True):
        holder = "select holder from bridge.write_lease where merchant_id = :m"
        before = await read(verify, holder, m=merchant)
        await late.__aexit__(None, None, None)
        assert await read(verify, holder, m=merchant) == before
        assert before[0][0] is not None
