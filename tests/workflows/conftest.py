"""Processes of one shop on the server whose clock is moved by hand, and on the real one."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from erp.database import Database
from starters.relay import Relay
from tests.activities.conftest import erp, fortnox, http, ongoing, shop, verify, workers
from tests.activities.world import Shop
from tests.conftest import TestDatabase
from tests.workflows.process import Processes, working
from worker.keyring import KeyRing
from worker.settings import Settings

__all__ = ["erp", "fortnox", "http", "ongoing", "shop", "verify", "workers"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def relay_database(database: TestDatabase) -> AsyncIterator[Database]:
    opened = Database(database.url("relay"), pool_size=10)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def skipping_settings(database: TestDatabase, skipping: WorkflowEnvironment, key_ring: KeyRing) -> Settings:
    """What a worker is told on the server whose clock is moved by hand."""
    return settings_for(database, skipping, key_ring)


def settings_for(database: TestDatabase, skipping: WorkflowEnvironment, key_ring: KeyRing) -> Settings:
    """The same, for a module that needs other times."""
    return Settings.from_environment(
        database.environment()
        | {
            "TEMPORAL_ADDRESS": skipping.client.service_client.config.target_host,
            "LAGERBRO_KEYS": key_ring.dump(),
            "LAGERBRO_DOUBT_SECONDS": "0.5",
            "LAGERBRO_CLIENT_DEADLINE_SECONDS": "2",
            "LAGERBRO_SETTLE_SECONDS": "4.5",
        }
    )


@pytest_asyncio.fixture(loop_scope="session")
async def processes(
    shop: Shop,
    skipping: WorkflowEnvironment,
    skipping_settings: Settings,
    database: TestDatabase,
    relay_database: Database,
    key_ring: KeyRing,
) -> AsyncIterator[Processes]:
    """Orders with the product's workers, on the server whose clock is moved by hand."""
    client: Client = skipping.client
    async with working(client, database.url("app"), key_ring, skipping_settings):
        made = Processes(shop, client, Relay(relay_database, client), skipping.fast_forward)
        yield made
        await made.end_all()
