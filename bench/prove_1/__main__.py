"""`make prove-1`: every point of the issue's list, one line each; exit code 1 where one falls short.

python -m bench.prove_1                  all of it; takes the better part of an hour
python -m bench.prove_1 --only 2,5       these points
python -m bench.prove_1 --small          small sizes: does the proof itself work?
python -m bench.prove_1 --postgres URL   a superuser's address of a PostgreSQL that may be used for points 4 and 5
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

from bench.cost import measure
from bench.prove_1 import canaries, fresh_clone, interleavings, lost_answers, rate_window, table_interleavings
from bench.prove_1.proof import Proof
from bench.prove_1.retail import Retail

POINTS = ("1", "2", "3", "4", "5", "6", "7")


async def proofs(points: Iterable[str], small: bool, postgres: str | None, folder: Path) -> AsyncIterator[Proof]:
    """Each proof as it is done. One that breaks down has fallen short, and the next is tried all the same."""
    retail = Retail(small, folder)

    async def clone() -> Proof:
        return await asyncio.to_thread(fresh_clone.prove, small)

    async def in_memory() -> Proof:
        return await asyncio.to_thread(interleavings.prove, small)

    steps: dict[str, list[Callable[[], Awaitable[Proof]]]] = {
        "1": [clone],
        "2": [retail.prove_calm, retail.prove_varied],
        "3": [retail.prove_killed],
        "4": [lambda: lost_answers.prove(small, postgres), lambda: rate_window.prove(small, postgres)],
        "5": [in_memory, lambda: table_interleavings.prove(small, postgres)],
        "6": [canaries.prove],
        "7": [lambda: cost(small)],
    }
    for point in points:
        for step in steps[point]:
            try:
                yield await step()
            except Exception as broke:
                where = traceback.extract_tb(broke.__traceback__)[-1]
                what = f"{type(broke).__name__}: {broke}"[:500]
                yield Proof(point, "broke down", f"{Path(where.filename).name}:{where.lineno}", (what,))


async def cost(small: bool) -> Proof:
    """Point 7 is measured by bench.cost."""
    found = await measure(rounds=1, orders=10, shipments=30) if small else await measure()
    order = found["order"]
    figure = (
        f"CPU {found['cpu_ratio_to_bare']} times a bare workflow's, {found['cpu_ratio_to_floor']} times the floor's; "
        f"an order takes {order['remote_activities']} remote activities, {order['workflow_tasks']} tasks, "
        f"{order['events']} events, {order['actions']} actions; ledger lines {found['ledger_ratio']} of raw asyncpg's; "
        f"from pick to booked stock {found['pick_to_booked_p50_ms']} ms (p99 {found['pick_to_booked_p99_ms']} ms)"
    )
    return Proof("7", "cost of an order", figure, tuple(found["short"]))


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(POINTS), help="points, with commas")
    parser.add_argument("--small", action="store_true", help="small sizes, to try the proofs themselves")
    parser.add_argument("--postgres", help="superuser's address; without it a server of the proof's own is used")
    given = parser.parse_args()
    points = [point.strip() for point in given.only.split(",")]
    if unknown := [point for point in points if point not in POINTS]:
        parser.error(f"points are {', '.join(POINTS)}; not {', '.join(unknown)}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        began = time.monotonic()
        async for proof in proofs(points, given.small, given.postgres, Path(folder)):
            print(f"{proof.line()}  [{time.monotonic() - began:.0f} s]", flush=True)
            began = time.monotonic()
            failed += not proof.ok
    print(f"{failed} fell short" if failed else "all hold" + (" (small sizes)" if given.small else ""))
    return 1 if failed else 0


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(asyncio.run(main()))
