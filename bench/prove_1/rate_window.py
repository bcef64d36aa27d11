"""Point 4, the window: four worker processes share 25 requests in 5 seconds through PostgreSQL, and none is refused.

The simulator keeps the real window and refuses what exceeds it. One of the four is killed in the middle: what it held must not
be lost to the others, nor given out too early.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from bench.prove_1.accounting import MERCHANT, Accounting, accounting
from bench.prove_1.lost_answers import log_entries
from bench.prove_1.proof import Proof
from bench.prove_1.stand import REPOSITORY, postgres
from clients.errors import Unavailable
from erp.database import Database
from worker.settings import Settings
from worker.wiring import fortnox_connections

WINDOW = (25, 5.0)
WORKERS = 4
CALLS_AT_ONCE = 5
DEADLINE_SECONDS = 15.0


async def worker(seconds: float) -> None:
    """One of the processes: asks as often as the window lets it."""
    settings = Settings.from_environment()
    database = Database(settings.database("app"), pool_size=10)
    connections = fortnox_connections(database, settings.key_ring(), settings)
    until = time.monotonic() + seconds

    async def ask() -> None:
        while time.monotonic() < until:
            with suppress(Unavailable):  # its turn did not come in time
                async with connections.using(MERCHANT) as (_, client):
                    await client.locked_period()

    await asyncio.gather(*(ask() for _ in range(CALLS_AT_ONCE)))
    await connections.aclose()
    await database.close()


async def run(server: str, seconds: float) -> tuple[str, list[str]]:
    """Four processes for so long, one of them killed on the way. Judged by the simulator's log."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with accounting(server, Path(folder), WINDOW, 2 * DEADLINE_SECONDS + 1, DEADLINE_SECONDS) as stand:
            environment = os.environ | stand.settings.environment()
            command = [sys.executable, "-m", "bench.prove_1.rate_window", str(seconds)]
            workers = [await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY, env=environment) for _ in range(WORKERS)]
            await asyncio.sleep(seconds / 3)
            workers[0].send_signal(signal.SIGKILL)
            codes = [await process.wait() for process in workers]
            return await _judge(stand, codes)


async def _judge(stand: Accounting, codes: list[int]) -> tuple[str, list[str]]:
    log = [entry for entry in await log_entries(stand, "") if entry["path"].startswith("/3/")]
    times = sorted(datetime.fromisoformat(entry["at"]).timestamp() for entry in log)
    refused = sum(1 for entry in log if entry["status"] == 429)
    most = max((sum(1 for at in times[n:] if at - first < WINDOW[1]) for n, first in enumerate(times)), default=0)
    span = times[-1] - times[0] if times else 0.0
    short = [f"a worker ended with {code}" for code in codes[1:] if code]
    if refused:
        short.append(f"{refused} requests were refused")
    if most > WINDOW[0]:
        short.append(f"{most} requests fell into one window")
    if len(times) < span / WINDOW[1] * WINDOW[0] / 2:
        short.append(f"only {len(times)} requests got through in {span:.0f} s: the window is hardly used")
    figure = (
        f"{len(times)} requests in {span:.0f} s by {WORKERS} processes (one killed), at most {most} in any {WINDOW[1]:g} s "
        f"of {WINDOW[0]} allowed, {refused} refused"
    )
    return figure, short


async def prove(small: bool, server: str | None = None) -> Proof:
    """No refusal, by the simulator's log."""
    async with postgres(server) as address:
        figure, short = await run(address, 15.0 if small else 40.0)
    return Proof("4b", "25 requests in 5 s shared by 4 workers", figure, tuple(short))


if __name__ == "__main__":
    asyncio.run(worker(float(sys.argv[1])))
