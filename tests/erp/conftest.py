"""One connection pool per role, against the module's own migrated database."""

from collections.abc import AsyncIterator

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from erp.database import Database
from erp.migrate import engine_for
from tests.conftest import TestDatabase


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(database: TestDatabase) -> AsyncIterator[Database]:
    opened = Database(database.url("app"), pool_size=10)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def erp(database: TestDatabase) -> AsyncIterator[Database]:
    opened = Database(database.url("erp"), pool_size=4)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def relay(database: TestDatabase) -> AsyncIterator[Database]:
    opened = Database(database.url("relay"), pool_size=4)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def intake(database: TestDatabase) -> AsyncIterator[Database]:
    opened = Database(database.url("intake"), pool_size=2)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def verify(database: TestDatabase) -> AsyncIterator[Database]:
    opened = Database(database.url("verify"), pool_size=4)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def superuser(database: TestDatabase) -> AsyncIterator[AsyncEngine]:
    engine = engine_for(database.url("owner"))
    yield engine
    await engine.dispose()
