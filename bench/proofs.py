"""Running an issue's proofs: every point one line as it is done, exit code 1 where one falls short."""

import argparse
import asyncio
import signal
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from bench.prove_1.proof import Proof

Step = Callable[[bool], Awaitable[Proof]]
Steps = Mapping[str, Sequence[Step]]


def run(doc: str | None, steps: Steps) -> int:
    """The points that the command line asks for. A proof that breaks down has fallen short; the next is tried all the same."""
    signal.signal(signal.SIGTERM, _stop)
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(steps), help="points, with commas")
    parser.add_argument("--small", action="store_true", help="small sizes, to try the proofs themselves")
    given = parser.parse_args()
    points = [point.strip() for point in given.only.split(",")]
    if unknown := [point for point in points if point not in steps]:
        parser.error(f"points are {', '.join(steps)}; not {', '.join(unknown)}")
    return asyncio.run(_all(points, steps, given.small))


async def _all(points: Sequence[str], steps: Steps, small: bool) -> int:
    failed = 0
    for point in points:
        for step in steps[point]:
            began = time.monotonic()
            proof = await _proof(point, step, small)
            print(f"{proof.line()}  [{time.monotonic() - began:.0f} s]", flush=True)
            failed += not proof.ok
    print(f"{failed} fell short" if failed else "all hold" + (" (small sizes)" if small else ""))
    return 1 if failed else 0


async def _proof(point: str, step: Step, small: bool) -> Proof:
    try:
        return await step(small)
    except Exception as broke:
        where = traceback.extract_tb(broke.__traceback__)[-1]
        what = f"{type(broke).__name__}: {broke}"[:500]
        return Proof(point, "broke down", f"{Path(where.filename).name}:{where.lineno}", (what,))


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
