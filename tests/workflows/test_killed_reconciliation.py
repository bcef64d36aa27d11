"""A worker that is killed -9 in the middle of a reconciliation: another goes on behind the pages that were saved."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from temporalio.client import Client

from bench.prove_1.stand import REPOSITORY
from starters.cli_reconcile import begin
from tests.activities.test_reconciling import lose, stocked
from tests.activities.world import Shop
from tests.erp.data import article, insert, open_stock
from worker.settings import Settings
from workflows.reconcile_stock import ToReconcile

FAR = "select run_no, state, articles_read from erp.reconciliation_run where merchant_id = :m"


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker as a process of its own, killed -9 at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "worker", cwd=REPOSITORY, env=os.environ | settings.environment(),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


@pytest.mark.timeout(180)
async def test_a_worker_killed_in_the_middle_of_a_run_leaves_it_to_another_that_does_not_start_over(
    shop: Shop, settings: Settings, temporal_client: Client
) -> None:
    numbers = [f"N{n:04}" for n in range(200)]
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", *(article(shop.merchant, number) for number in numbers))
    await open_stock(shop.worker.database, shop.merchant, 10, 1, numbers)
    await stocked(shop, page_size=10)
    await shop.stock(10, numbers)
    await lose(shop, "N0190", 9)
    pages = "GET /articles/inventoryPerWarehouse"
    async with shop.ongoing.fault(pages, "delay", None, seconds=0.3):
        async with worker(settings):
            handle = await begin(temporal_client, ToReconcile(shop.merchant, "on-demand"))
            for _ in range(600):
                found = await shop.read(FAR)
                if found and found[0][2] >= 50:
                    break
                await asyncio.sleep(0.1)
        [(run, state, read)] = await shop.read(FAR)
        assert state == "running" and 50 <= read < 203, "it was killed in the middle"
        async with worker(settings):
            [said] = await asyncio.wait_for(handle.result(), 90)
    assert await shop.read(FAR) == [(run, "finished", 203)], "each article was counted once, in one run"
    assert "203 articles compared, 1 differs" in said
