"""Every reason of the catalogue: a process comes to stand still for it, and goes on by the stated remedy.

All of them run side by side, each with a merchant of its own, while the tests wait for one after the other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import httpx
import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from domain.reasons import REASONS
from erp.database import Database
from starters.people import all_stuck
from starters.relay import Relay
from tests.activities.world import Control, Worker, new_shop
from tests.conftest import REPOSITORY, TestDatabase, simulator
from tests.workflows.process import Processes, becomes, working
from tests.workflows.reasons import articles, books, costs, invoices, orders, purchases, returning
from tests.workflows.reasons.elsewhere import ELSEWHERE
from tests.workflows.reasons.world import ODD_RULES, SETTLE, Way, gone, listed, stands
from worker.keyring import KeyRing
from worker.settings import Settings

WAYS: dict[str, Way] = {}
for subject in (orders, invoices, articles, purchases, costs, returning, books):
    WAYS |= subject.WAYS
AT_ONCE = 8
SLOW = ("settling", "voucher-booked-twice", "connection-blocked", "article-not-in-erp")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def odd_warehouse(tmp_path_factory: pytest.TempPathFactory, http: httpx.AsyncClient) -> AsyncIterator[Control]:
    """A warehouse with other rules than most."""
    with simulator("ongoing", tmp_path_factory.mktemp("odd")) as address:
        control = Control(address, http)
        await control("PUT", "settings", ODD_RULES)
        yield control


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def attempts(
    request: pytest.FixtureRequest,
    database: TestDatabase,
    erp: Database,
    verify: Database,
    workers: Sequence[Worker],
    ongoing: Control,
    odd_warehouse: Control,
    fortnox: Control,
    key_ring: KeyRing,
    skipping: WorkflowEnvironment,
    skipping_settings: Settings,
    relay_database: Database,
) -> AsyncIterator[Mapping[str, asyncio.Task[None]]]:
    """Every chosen reason under way, by its code."""
    relay = Relay(relay_database, skipping.client)
    made: list[Processes] = []
    room = asyncio.Semaphore(AT_ONCE)

    async def run(code: str, way: Way) -> None:
        async with room:
            warehouse = odd_warehouse if way.odd else ongoing
            shop = await new_shop(erp, verify, workers, warehouse, fortnox, key_ring, database.url("app"))
            processes = Processes(shop, skipping.client, relay, skipping.fast_forward)
            made.append(processes)
            try:
                await in_and_out(processes, verify, code, way)
            finally:
                await end(processes)

    # The slow ones first: the others pass while they wait.
    under_test = {item.callspec.params.get("code") for item in request.session.items if hasattr(item, "callspec")}
    order = sorted(WAYS, key=lambda code: code not in SLOW)
    chosen = [code for code in order if code in under_test]
    settings = skipping_settings.model_copy(update={"settle_seconds": SETTLE})
    async with working(skipping.client, database.url("app"), key_ring, settings):
        telling = asyncio.create_task(tell(relay))
        tasks = {code: asyncio.create_task(run(code, WAYS[code])) for code in chosen}
        yield tasks
        for task in (*tasks.values(), telling):
            task.cancel()
        await asyncio.gather(*tasks.values(), telling, return_exceptions=True)


async def tell(relay: Relay) -> None:
    """The relay, as it runs by itself."""
    while True:
        await relay.deliver_outbox()
        await relay.deliver_articles()
        await relay.drain_inbox()
        await relay.tend_flows()
        await asyncio.sleep(0.1)


async def end(processes: Processes) -> None:
    merchant = processes.shop.merchant
    found = await processes.shop.read("select workflow_id from bridge.process where merchant_id = :m")
    for name in [
        *(name for (name,) in found),
        *(f"{kind}/{merchant}" for kind in ("articles", "vouchers", "differences", "rates")),
    ]:
        with contextlib.suppress(Exception):
            await processes.client.get_workflow_handle(name).terminate("the test is over")


async def in_and_out(processes: Processes, verify: Database, code: str, way: Way) -> None:
    await way.into(processes)
    await listed(processes, code)
    standing = [each for each in await all_stuck(verify, None, processes.shop.merchant, notes=True) if each.code == code]
    found = max(standing, key=lambda each: each.workflow_id is not None)
    assert found.remedy == REASONS[code].remedy
    assert found.detail, "it says of what"
    assert (code, way.blocking) in await processes.shop.exceptions()
    if way.blocking:
        handle = processes.client.get_workflow_handle(found.workflow_id or f"{found.kind}/{processes.shop.merchant}")
        await becomes(lambda: stands(handle), code)
    await way.out(processes)
    await gone(processes, code)
    if way.blocking:
        await becomes(lambda: _stands_for_it(handle, code), False)


async def _stands_for_it(handle: object, code: str) -> bool:
    return bool(await stands(handle) == code)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", WAYS)
async def test_a_process_comes_to_a_reason_and_out_of_it_by_the_stated_remedy(
    attempts: Mapping[str, asyncio.Task[None]], code: str
) -> None:
    await attempts[code]


def test_no_reason_of_the_catalogue_is_left_out() -> None:
    assert set(REASONS) == set(WAYS) | set(ELSEWHERE)
    assert not (set(WAYS) & set(ELSEWHERE)), "said twice"


@pytest.mark.parametrize("code", ELSEWHERE)
def test_the_test_that_is_named_is_there(code: str) -> None:
    file, _, name = ELSEWHERE[code].test.partition("::")
    source = (REPOSITORY / file).read_text(encoding="utf-8")
    assert f"def {name}(" in source and code.removesuffix("-off") in source
