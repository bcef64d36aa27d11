"""The worker is killed between any two steps, again and again; every order ends as if nothing had happened."""

import asyncio
import os
import random
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from erp.database import Database
from starters.relay import Relay
from tests.activities.world import Shop, again
from tests.conftest import REPOSITORY, TemporalServer, TestDatabase
from tests.erp.data import add_order, line
from worker.codec import data_converter
from worker.keyring import KeyRing
from worker.settings import Settings

D = Decimal
ORDERS, KILLS, SEED = 10, 6, 20261125
SECONDS = 120.0


class WorkerProcess:
    """`python -m worker`, started anew after each kill, as the supervisor does."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._beat = folder / "worker.alive"
        self._log = folder / "worker.log"
        told = {name: value for name, value in os.environ.items() if not name.startswith(("LAGERBRO_", "TEMPORAL_"))}
        self._environment = told | settings.environment() | {"LAGERBRO_HEALTH_FILE": str(self._beat)}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._beat.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "worker", env=self._environment, stdout=log, stderr=log, cwd=REPOSITORY
            )
        async with asyncio.timeout(30):
            while not self._beat.exists():
                assert self._process.returncode is None, self._log.read_text(errors="replace")[-2000:]
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


@pytest.mark.timeout(240)
async def test_ten_orders_end_right_with_the_worker_killed_at_random_moments(
    shop: Shop,
    database: TestDatabase,
    temporal_server: TemporalServer,
    relay_database: Database,
    key_ring: KeyRing,
    tmp_path: Path,
) -> None:
    told = {
        "LAGERBRO_KEYS": key_ring.dump(),
        "LAGERBRO_DOUBT_SECONDS": "0.5",
        "LAGERBRO_CLIENT_DEADLINE_SECONDS": "2",
        "LAGERBRO_SETTLE_SECONDS": "4.5",
    }
    settings = Settings.from_environment(database.environment() | temporal_server.environment() | told)
    client = await Client.connect(temporal_server.address, data_converter=data_converter(settings))
    relay = Relay(relay_database, client)
    random_moments = random.Random(SEED)
    await shop.settings(short_grace_seconds=1)
    stop = asyncio.Event()

    async def nudging() -> None:
        """The relay and the watcher, as they always run beside the worker."""
        while not stop.is_set():
            await again(shop.worker.watch.find_changes, shop.merchant)
            await relay.deliver_outbox()
            await relay.drain_inbox()
            await asyncio.sleep(0.3)

    worker = WorkerProcess(settings, tmp_path)
    await worker.start()
    for number in range(ORDERS):
        await add_order(shop.erp, shop.merchant, f"SO-{number}", [line("A", 3, 10), line("B", 2, "5.50")], freight=49)
    nudger = asyncio.create_task(nudging())
    try:
        await until(shop, "select count(*) from bridge.link where merchant_id = :m and kind = 'article'", 2)
        await shop.stock(articles=["A", "B"])
        auto = {"goodsOwnerId": shop.goods_owner, "enabled": True, "delaySeconds": 0.8, "style": "varied", "seed": 3}
        await shop.ongoing("PUT", "auto", auto)
        for _ in range(KILLS):
            await asyncio.sleep(random_moments.uniform(0.2, 1.5))
            await worker.kill()
            await worker.start()
        completed = "select count(*) from erp.sales_order where merchant_id = :m and status = 'completed'"
        await until(shop, completed, ORDERS, SECONDS)
    finally:
        stop.set()
        await nudger
        await worker.kill()
    await everything_is_right(shop)


async def until(shop: Shop, statement: str, wanted: int, seconds: float = 30) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while (found := (await shop.read(statement))[0][0]) != wanted:
        assert loop.time() < deadline, f"{found} and not {wanted}: {statement}: {await standing(shop)}"
        await asyncio.sleep(0.1)


async def standing(shop: Shop) -> Any:
    return await shop.read(
        "select order_number, status from erp.sales_order where merchant_id = :m and status <> 'completed'"
    ), await shop.read("select document, code, detail from bridge.exception where merchant_id = :m and closed_at is null")


async def everything_is_right(shop: Shop) -> None:
    """Books, warehouse and Fortnox agree to the piece and the öre, each thing exactly once."""
    picked: dict[tuple[str, str], Decimal] = {}
    for number in range(ORDERS):
        for row, (quantity, reported) in (await shop.picked_and_reported(f"SO-{number}")).items():
            assert quantity == (reported or 0), f"SO-{number} row {row}: picked {quantity}, reported {reported}"
            picked[f"SO-{number}", row] = D(str(quantity))
    shipped = await shop.read(
        "select order_number, line_number, sum(quantity) from erp.shipment_line where merchant_id = :m group by 1, 2"
    )
    assert {(number, str(row)): quantity for number, row, quantity in shipped} == {k: q for k, q in picked.items() if q}
    for article, row in (("A", "1"), ("B", "2")):
        gone = sum((quantity for (_, of), quantity in picked.items() if of == row), D(0))
        assert (await shop.balances())[article] == (1000 - gone, 4500 - gone * D("4.50"))
    bases = await shop.read("select reference, amount, state from erp.invoice_basis where merchant_id = :m")
    live = [each for each in await shop.invoices() if not each["cancelled"]]
    assert {state for _, _, state in bases} == {"booked"}
    assert {each["reference1"]: D(str(each["net"])) for each in live} == {reference: amount for reference, amount, _ in bases}
    assert len(live) == len(bases) and all(each["booked"] for each in live)
    freight = "select count(*) from erp.invoice_basis_row where merchant_id = :m and kind = 'freight'"
    assert await shop.read(freight) == [(ORDERS,)]
    assert await shop.read("select count(*) from bridge.process where merchant_id = :m and ended_at is null") == [(0,)]
