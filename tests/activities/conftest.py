"""Two workers between real PostgreSQL and both simulators; a merchant of its own for every test."""

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest_asyncio

from erp.database import Database
from tests.activities.world import Control, Shop, Worker, new_shop, new_worker
from tests.conftest import TestDatabase
from worker.keyring import KeyRing


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def erp(database: TestDatabase) -> AsyncIterator[Database]:
    opened = Database(database.url("erp"), pool_size=4)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def verify(database: TestDatabase) -> AsyncIterator[Database]:
    opened = Database(database.url("verify"), pool_size=4)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ongoing(ongoing_simulator: str, http: httpx.AsyncClient) -> Control:
    return Control(ongoing_simulator, http)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fortnox(fortnox_simulator: str, http: httpx.AsyncClient) -> Control:
    return Control(fortnox_simulator, http)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def workers(database: TestDatabase, key_ring: KeyRing) -> AsyncIterator[Sequence[Worker]]:
    made = [new_worker(database.url("app"), key_ring) for _ in range(2)]
    yield made
    for worker in made:
        await worker.close()


@pytest_asyncio.fixture(loop_scope="session")
async def shop(
    database: TestDatabase,
    erp: Database,
    verify: Database,
    workers: Sequence[Worker],
    ongoing: Control,
    fortnox: Control,
    key_ring: KeyRing,
) -> Shop:
    return await new_shop(erp, verify, workers, ongoing, fortnox, key_ring, database.url("app"))
