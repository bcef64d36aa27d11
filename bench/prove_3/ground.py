"""What the proofs of returns stand on: merchants between PostgreSQL and both simulators, and two workers' activities.

No Temporal here: whoever calls an activity stands in for its retries (`tests.activities.world.again`).
"""

import secrets
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx

from bench.prove_1.stand import Scratch, postgres, scratch_database, simulator
from domain.stock import Entry
from erp import ledger
from erp.database import Database
from erp.merchants import load_merchant
from starters.verify import Online, verify
from starters.verify.report import Verdict
from tests.activities import world
from tests.activities.world import Control, Shop, Worker, new_shop, new_worker
from worker.keyring import KeyRing

FINE = (Verdict.CLEAN, Verdict.NOTHING_YET)
WITHOUT_TEMPORAL = "O6", "X6"
QUICK = ("X3", "A5")
"""To be quick, the proofs' attempts settle before their deadline, and a test's server does not wait for the disk."""


@dataclass
class Ground:
    """Both simulators, a database, and merchants to be had."""

    scratch: Scratch
    erp: Database
    verifying: Database
    workers: Sequence[Worker]
    ongoing: Control
    fortnox: Control
    keys: KeyRing

    async def shop(self, number: int = 0) -> Shop:
        """One more merchant, with stock in our books; its number says whose worker serves it. None may be at work meanwhile."""
        url, workers = self.scratch.url("app"), [self.workers[number % len(self.workers)]]
        return await new_shop(self.erp, self.verifying, workers, self.ongoing, self.fortnox, self.keys, url)

    async def unclean(self) -> list[str]:
        """What `verify --online` finds, over all merchants."""
        warehouse, accounting = self.workers[0].connections[:2]
        online = Online(self.workers[0].database, warehouse, accounting)
        report = await verify(self.verifying, online=online, temporal=None)
        return [
            f"verify: {r.invariant} {r.verdict}: {r.says} {r.why or ''} {r.samples[:2]}"
            for r in report.results
            if r.verdict not in FINE and r.invariant not in (*WITHOUT_TEMPORAL, *QUICK)
        ]


@asynccontextmanager
async def ground(server: str | None = None) -> AsyncIterator[Ground]:
    """All of it, for as long as a proof takes."""
    world.longest_wait = 120.0
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with (
            postgres(server) as address,
            scratch_database(address) as scratch,
            simulator("ongoing", Path(folder) / "ongoing.db") as warehouse,
            simulator("fortnox", Path(folder) / "fortnox.db") as books,
            httpx.AsyncClient(trust_env=False, timeout=60) as http,
        ):
            erp, verifying = Database(scratch.url("erp"), 8), Database(scratch.url("verify"), 8)
            keys = KeyRing.new()
            workers = [new_worker(scratch.url("app"), keys) for _ in range(2)]
            try:
                yield Ground(scratch, erp, verifying, workers, Control(warehouse, http), Control(books, http), keys)
            finally:
                for worker in workers:
                    await worker.close()
                for database in (erp, verifying):
                    await database.close()


async def receive_goods(shop: Shop, article: str, quantity: int, value: Decimal) -> None:
    """More goods at another price, as an opening balance: the pool's average moves."""
    async with shop.worker.database.merchant(shop.merchant) as session:
        merchant = await load_merchant(session, shop.merchant)
        place = (article, merchant.settings.warehouse)
        pool, _ = (await ledger.lock_pools(session, shop.merchant, [place]))[place].receive(Decimal(quantity), value)
        now, cause = datetime.now(UTC), f"opening/{secrets.token_hex(4)}"
        on = merchant.day_of(now)
        entry = Entry(place, "opening", Decimal(quantity), value, None, now, on, cause, epoch=pool.epoch, keep=pool.keep)
        accounts = merchant.settings.stock_accounts
        await ledger.append(session, shop.merchant, [entry], {place: pool}, accounts, "SEK", cause, "bought", "proof", "proof")
