"""Point 5: how long from a pick in the warehouse to booked stock in the ERP, on the embedded stack at low load.

With a webhook p99 is under 2 s; the watcher's interval is an hour meanwhile, so that nothing else can have told. Without one
it is under the interval and 3 s, for picks at any moment between two looks.

python -m bench.prove_2.latency [--orders N] [--interval SECONDS] [--json]
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
from datetime import UTC, datetime
from typing import Any

from bench.prove_1.proof import Proof
from bench.prove_2.ground import Ground, ground, percentile, until

MOST_SECONDS = 2.0
GRACE_SECONDS = 3.0
PAUSE_SECONDS = 0.25


async def measure(orders: int = 100, interval: int = 5, seed: int = 1) -> dict[str, Any]:
    """Seconds from the picker's request to the stock entry's commit, both ways."""
    async with ground() as made:
        await made.interval(3600)
        await made.webhooks(True)
        told = await _told(made, await made.sent(orders))
        await made.webhooks(False)
        await made.interval(interval)
        found = await _found(made, await made.sent(orders), interval, random.Random(seed))
    return {
        "orders": orders,
        "webhook": _figures(told),
        "poll": _figures(found),
        "interval": interval,
    }


async def _told(made: Ground, numbers: list[str]) -> list[float]:
    """One pick after the other, each told by its webhooks."""
    seconds = []
    for number in numbers:
        await asyncio.sleep(PAUSE_SECONDS)
        seconds.append(await _pick(made, number))
    return seconds


async def _found(made: Ground, numbers: list[str], interval: int, chance: random.Random) -> list[float]:
    """Picks at moments spread over several intervals, told by nobody."""
    spread = interval * max(2, min(6, len(numbers) // 4))

    async def some_time(number: str) -> float:
        await asyncio.sleep(chance.uniform(0, spread))
        return await _pick(made, number, pause=0.2)

    return list(await asyncio.gather(*(some_time(number) for number in numbers)))


async def _pick(made: Ground, number: str, pause: float = 0.0) -> float:
    picked_at = datetime.now(UTC)
    await made.floor("pick", number)

    async def booked() -> bool:
        await asyncio.sleep(pause)
        return await made.booked_at(number) is not None

    await until(booked, f"the pick of {number} is booked")
    booked_at = await made.booked_at(number)
    assert booked_at is not None
    return (booked_at - picked_at).total_seconds()


def _figures(seconds: list[float]) -> dict[str, float]:
    figures = {"p50": statistics.median(seconds), "p99": percentile(seconds, 0.99), "most": max(seconds)}
    return {name: round(value, 3) for name, value in figures.items()}


def judge(found: dict[str, Any]) -> Proof:
    told, polled = found["webhook"], found["poll"]
    limit = found["interval"] + GRACE_SECONDS
    short = []
    if told["p99"] >= MOST_SECONDS:
        short.append(f"with a webhook p99 is {told['p99']} s, under {MOST_SECONDS:g} s is asked")
    if polled["p99"] >= limit:
        short.append(f"without one p99 is {polled['p99']} s, under {limit:g} s is asked")
    figure = (
        f"{found['orders']} picks each: with a webhook p50 {told['p50']} s, p99 {told['p99']} s; without, at an interval of "
        f"{found['interval']} s, p50 {polled['p50']} s, p99 {polled['p99']} s"
    )
    return Proof("5", "from pick to booked stock", figure, tuple(short))


async def prove(small: bool) -> Proof:
    """The point, or a small variant of it."""
    return judge(await measure(orders=8, interval=2) if small else await measure())


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.prove_2.latency", description=(__doc__ or "").split("\n\n")[0])
    arguments.add_argument("--orders", type=int, default=100, help="picks, with a webhook and without")
    arguments.add_argument("--interval", type=int, default=5, help="seconds between two looks of the watcher")
    arguments.add_argument("--json", action="store_true")
    asked = arguments.parse_args()
    found = asyncio.run(measure(asked.orders, asked.interval))
    proof = judge(found)
    print(json.dumps(found | {"short": proof.short}, indent=2) if asked.json else proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
