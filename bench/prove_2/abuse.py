"""Point 4: a flood of forged, malformed, oversized and replayed webhooks, the rate of the durable intake, and a burst.

On the embedded stack as it is shipped, over real sockets. None is accepted that should not be, nothing answers 5xx, the
intake's memory stays flat. The durable intake is measured beside the same server that only checks the token, one after the
other and several times over, while everything else of the stack runs. A burst of 60 events for one order is counted in
signals by the Temporal server's own figures.

python -m bench.prove_2.abuse [--requests N] [--seconds S] [--json]
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from bench.prove_1.proof import Proof
from bench.prove_1.stand import REPOSITORY, free_port
from bench.prove_2.ground import Ground, ground, until
from bench.prove_2.load import Hits, Shot, fire
from starters.connect import MERCHANT

REPLAYED_EVENTS = 50
LEAST_RATE = 0.3
MOST_SIGNALS = 60 // 8
BURST = 60
MOST_GROWTH_MB = 16.0
WARM_UP = 0.2
ROUNDS = 3
SENDERS = 128  # at once, for the rate: a commit takes milliseconds, and a batch is whoever waits meanwhile
LARGEST = 64 * 1024

ACCEPTED, UNKNOWN = frozenset({204}), frozenset({401})
NOTHING_BUT_4XX = frozenset({0, 400, 401, 404, 405, 408, 411, 413, 414, 431})


@dataclass(frozen=True, slots=True)
class Sender:
    """How requests to the intake are spelled."""

    path: str
    token: str

    def post(self, body: bytes, token: str | None = None, path: str | None = None, length: int | None = None) -> bytes:
        head = f"POST {path or self.path} HTTP/1.1\r\nHost: intake\r\nContent-Type: application/json\r\n"
        head += f"X-Auth-Token: {self.token if token is None else token}\r\n"
        return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode("latin-1") + body

    def chunked(self, body: bytes) -> bytes:
        head = f"POST {self.path} HTTP/1.1\r\nHost: intake\r\nX-Auth-Token: {self.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
        return head.encode() + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


def order_event(event: int, order_id: int = 90211) -> dict[str, Any]:
    """A webhook about an order, as documented."""
    return {
        "webhookOrdersId": 12,
        "webhookEventId": event,
        "system": "demo",
        "timestamp": "2026-03-02T13:05:48.1230000",
        "orderId": order_id,
        "orderNumber": "SO-10045",
        "goodsOwnerId": 77,
        "path": f"api/v1/orders/{order_id}",
        "orderStatus": {"number": 450},
        "tracking": [],
        "parcels": [],
    }


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def shots(sender: Sender, chance: random.Random) -> Iterator[Shot]:
    """Abuse without end; the replays are the only ones that may be accepted."""

    def forged() -> Shot:
        body = _json(order_event(chance.randrange(1, 10**9)))
        wrong = chance.choice(["", "x" * 43, sender.token[:-1], sender.token + "x", sender.token.swapcase(), "\xff" * 40])
        content = chance.choice([sender.post(body, token=wrong), sender.post(body, path=f"/webhooks/ongoing/{chance.random()}")])
        return Shot("forged", content, UNKNOWN)

    def wrong_shape() -> Shot:
        body = order_event(chance.randrange(1, 10**9))
        name = chance.choice(["webhookOrdersId", "webhookEventId", "orderId", "goodsOwnerId", "orderStatus"])
        body[name] = chance.choice([None, True, "7", -1, 0, 2**70, 1.5, [], {}, {"number": "450"}])
        return Shot("wrong shape", sender.post(_json(body)), frozenset({400}))

    def not_json() -> Shot:
        whole = _json(order_event(chance.randrange(1, 10**9)))
        bodies = [
            b"",
            b"[" * 50_000,
            b'{"a":' * 9_000,
            b"\xff\xfe\x00" * 20,
            whole[: chance.randrange(len(whole))],
            chance.randbytes(200),
            b'{"webhookOrdersId": ' + b"9" * 20_000 + b"}",
        ]
        return Shot("not JSON", sender.post(chance.choice(bodies)), frozenset({400}))

    def oversized() -> Shot:
        body = _json(order_event(chance.randrange(1, 10**9)) | {"path": "x" * LARGEST})
        claimed = sender.post(b"", length=10 ** chance.randrange(6, 20))
        content = chance.choice([sender.post(body), sender.chunked(body), claimed])
        return Shot("oversized", content, frozenset({0, 400, 413}))

    def not_http() -> Shot:
        lines = [
            b"GET " + sender.path.encode() + b" HTTP/1.1\r\nHost: intake\r\n\r\n",
            b"PUT " + sender.path.encode() + b" HTTP/1.1\r\nHost: intake\r\nContent-Length: 0\r\n\r\n",
            b"POST /webhooks/ongoing HTTP/1.1\r\nHost: intake\r\nContent-Length: 0\r\n\r\n",
            b"POST /webhooks/ongoing/%2e%2e%2f HTTP/1.1\r\nHost: intake\r\nContent-Length: 0\r\n\r\n",
            b"POST " + sender.path.encode() + b" HTTP/1.1\r\nHost: intake\r\nContent-Length: -5\r\n\r\n",
            b"POST / HTTP/9.9\r\n\r\n",
            chance.randbytes(40).replace(b"\n", b"x") + b"\r\n\r\n",
            b"POST " + sender.path.encode() + b" HTTP/1.1\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n",
        ]
        return Shot("not HTTP, or not a webhook's", chance.choice(lines), NOTHING_BUT_4XX)

    def replayed() -> Shot:
        return Shot("replayed", sender.post(_json(order_event(1 + chance.randrange(REPLAYED_EVENTS)))), ACCEPTED)

    kinds: list[Callable[[], Shot]] = [forged, wrong_shape, not_json, replayed]
    while True:
        yield chance.choices([*kinds, oversized, not_http], weights=[30, 20, 15, 25, 5, 5])[0]()


async def measure(requests: int = 100_000, seconds: float = 5.0, rounds: int = ROUNDS, seed: int = 1) -> dict[str, Any]:
    """All three figures."""
    async with ground() as made:
        await made.webhooks(False)
        await made.interval(3600)
        found = {"flood": await _flood(made, requests, random.Random(seed))}
        found["burst"] = {"at_once": await _burst(made, 0.0, 1_000_000), "over_two_seconds": await _burst(made, 2.0, 2_000_000)}
        found["rate"] = await _rates(made, seconds, rounds)
    return found


# --- the flood -----------------------------------------------------------------------------------------------------------


async def _flood(made: Ground, requests: int, chance: random.Random) -> dict[str, Any]:
    host, port = _address(made)
    sender = Sender(made.path, made.token)
    endless = shots(sender, chance)
    await _every_event_once(made, sender)
    warm = await fire(host, port, itertools.islice(endless, int(requests * WARM_UP)))
    before = _memory_mb(made)
    rest = await fire(host, port, itertools.islice(endless, requests - warm.shots))
    after = _memory_mb(made)
    await made.drained()
    kept = (await made.read("select count(*) as n from bridge.inbox where merchant_id = :m and source = 'webhook'"))[0].n
    statuses = warm.statuses + rest.statuses
    return {
        "requests": statuses.total(),
        "statuses": {str(status or "closed"): count for status, count in sorted(statuses.items())},
        "wrong": dict(warm.wrong + rest.wrong),
        "kept": kept,
        "kept_expected": REPLAYED_EVENTS,
        "memory_mb_after_warm_up": round(before, 1),
        "memory_mb_at_the_end": round(after, 1),
        "restarts": _restarts(made),
        "per_second": round(rest.shots / rest.seconds),
    }


async def _every_event_once(made: Ground, sender: Sender) -> None:
    host, port = _address(made)
    true = [Shot("true", sender.post(_json(order_event(event))), ACCEPTED) for event in range(1, REPLAYED_EVENTS + 1)]
    hits = await fire(host, port, true, connections=4)
    if hits.wrong:
        raise RuntimeError(f"true events are refused: {dict(hits.wrong)}")


def _address(made: Ground) -> tuple[str, int]:
    host, _, port = made.stack.addresses["intake"].removeprefix("http://").partition(":")
    return host, int(port)


def _memory_mb(made: Ground) -> float:
    pid = made.stack.pid("intake")
    if pid is None:
        raise RuntimeError("the intake is away")
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def _restarts(made: Ground) -> int:
    return int(made.stack.home.state()["children"]["intake"]["restarts"])


# --- a burst about one order ----------------------------------------------------------------------------------------------


async def _burst(made: Ground, seconds: float, first_event: int) -> dict[str, int]:
    """60 events for one order within so many seconds; how many signals its process is sent for them."""
    [number] = await made.sent(1)
    [watched] = await made.read("select doc_id from bridge.watched where merchant_id = :m and document = :n", n=number)
    host, port = _address(made)
    sender = Sender(made.path, made.token)
    before = await made.signals()
    burst = [
        Shot("burst", sender.post(_json(order_event(first_event + event, watched.doc_id))), ACCEPTED) for event in range(BURST)
    ]
    hits = Hits()
    if seconds:
        for shot in burst:
            hits.wrong += (await fire(host, port, [shot], connections=1)).wrong
            await asyncio.sleep(seconds / BURST)
    else:
        hits = await fire(host, port, burst)
    await made.drained()
    told = "select count(*) as n from bridge.inbox where merchant_id = :m and doc_id = :d and outcome = 'told'"
    answered = (await made.read(told, d=watched.doc_id))[0].n
    return {"events": answered, "refused": hits.wrong.total(), "signals": await made.signals() - before}


# --- the rate -------------------------------------------------------------------------------------------------------------


async def _rates(made: Ground, seconds: float, rounds: int) -> dict[str, Any]:
    """True webhooks a second by the durable intake, and by the same server that only checks the token."""
    port = free_port()
    told = {name: value for name, value in os.environ.items() if not name.startswith("LAGERBRO_")} | made.stack.environment()
    checking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.prove_2.token_only", str(port), env=told, cwd=REPOSITORY
    )
    events = itertools.count(10_000_000)
    sender = Sender(made.path, made.token)
    durable, token = [], []
    try:
        await until(lambda: _listens(port), "the server that only checks the token is up")
        for _ in range(rounds):
            durable.append(await _rate(*_address(made), sender, events, seconds))
            await made.drained()
            token.append(await _rate("127.0.0.1", port, sender, events, seconds))
    finally:
        checking.terminate()
        await checking.wait()
    ratios = [mine / theirs for mine, theirs in zip(durable, token, strict=True)]
    return {
        "durable_per_second": round(statistics.median(durable)),
        "token_only_per_second": round(statistics.median(token)),
        "ratio": round(statistics.median(ratios), 2),
    }


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _rate(host: str, port: int, sender: Sender, events: Iterator[int], seconds: float) -> float:
    loop = asyncio.get_running_loop()
    until_then = loop.time() + seconds

    def true() -> Iterator[Shot]:
        while loop.time() < until_then:
            yield Shot("true", sender.post(_json(order_event(next(events)))), ACCEPTED)

    hits = await fire(host, port, true(), SENDERS)
    if hits.wrong:
        raise RuntimeError(f"true events are refused: {dict(hits.wrong)}")
    return hits.shots / hits.seconds


# --- the report -----------------------------------------------------------------------------------------------------------


def judge(found: dict[str, Any]) -> Proof:
    flood, rate = found["flood"], found["rate"]
    short = [f"{count} answered otherwise than they should: {what}" for what, count in flood["wrong"].items()]
    if server_errors := sum(count for status, count in flood["statuses"].items() if status.startswith("5")):
        short.append(f"{server_errors} answers were 5xx")
    if flood["kept"] != flood["kept_expected"]:
        short.append(f"{flood['kept']} hints of {MERCHANT} were kept, {flood['kept_expected']} are true")
    growth = flood["memory_mb_at_the_end"] - flood["memory_mb_after_warm_up"]
    if growth > MOST_GROWTH_MB:
        short.append(f"the intake grew by {growth:.1f} MB after the warm-up, at most {MOST_GROWTH_MB:g} is flat")
    if flood["restarts"]:
        short.append(f"the intake was started again {flood['restarts']} times")
    if rate["ratio"] < LEAST_RATE:
        short.append(f"the durable intake has {rate['ratio']} of the rate of the token check, {LEAST_RATE} is asked")
    for how, burst in found["burst"].items():
        if burst["events"] != BURST or burst["refused"] or not 0 < burst["signals"] <= MOST_SIGNALS:
            short.append(f"burst {how}: {burst}, at most {MOST_SIGNALS} signals for {BURST} events are asked")
    bursts = " and ".join(f"{burst['signals']} ({how.replace('_', ' ')})" for how, burst in found["burst"].items())
    figure = (
        f"{flood['requests']} bad webhooks, {flood['kept']} true ones kept, memory {flood['memory_mb_after_warm_up']} to "
        f"{flood['memory_mb_at_the_end']} MB; durable {rate['durable_per_second']}/s, {rate['ratio']} of the token check's; "
        f"{BURST} events of one order cost {bursts} signals"
    )
    return Proof("4", "abuse of the intake", figure, tuple(short))


async def prove(small: bool) -> Proof:
    """The point, or a small variant of it."""
    return judge(await measure(2_000, 1.0, 1) if small else await measure())


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.prove_2.abuse", description=(__doc__ or "").split("\n\n")[0])
    arguments.add_argument("--requests", type=int, default=100_000, help="bad webhooks")
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each measurement of the rate")
    arguments.add_argument("--json", action="store_true")
    asked = arguments.parse_args()
    found = asyncio.run(measure(asked.requests, asked.seconds))
    proof = judge(found)
    print(json.dumps(found | {"short": proof.short}, indent=2) if asked.json else proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
