"""What recording needs: a shop, the product's workers on a real server, and payloads in the clear."""

from collections.abc import AsyncIterator

import pytest_asyncio
from temporalio.client import Client

from erp.database import Database
from starters.relay import Relay
from tests.activities.conftest import erp, fortnox, http, ongoing, shop, verify, workers
from tests.activities.world import Shop
from tests.conftest import TemporalServer, TestDatabase
from tests.replay.converter import CONVERTER
from tests.workflows.process import Processes, working
from worker.keyring import KeyRing
from worker.settings import Settings

__all__ = ["erp", "fortnox", "http", "ongoing", "shop", "verify", "workers"]


@pytest_asyncio.fixture(loop_scope="session")
async def processes(
    shop: Shop, temporal_server: TemporalServer, database: TestDatabase, key_ring: KeyRing, riksbank_simulator: str
) -> AsyncIterator[Processes]:
    told = {
        "LAGERBRO_KEYS": key_ring.dump(),
        "LAGERBRO_DOUBT_SECONDS": "0.5",
        "LAGERBRO_CLIENT_DEADLINE_SECONDS": "2",
        "LAGERBRO_SETTLE_SECONDS": "4.5",
        "LAGERBRO_BUILD_ID": "recorded",
        "LAGERBRO_RIKSBANK_URL": f"{riksbank_simulator}/swea/v1",
        "LAGERBRO_ECB_URL": f"{riksbank_simulator}/stats/eurofxref",
    }
    settings = Settings.from_environment(database.environment() | temporal_server.environment() | told)
    client = await Client.connect(temporal_server.address, identity="lagerbro", data_converter=CONVERTER)
    relaying = Database(database.url("relay"), pool_size=4)
    async with working(client, database.url("app"), key_ring, settings):
        made = Processes(shop, client, Relay(relaying, client))
        yield made
        await made.end_all()
    await relaying.close()
