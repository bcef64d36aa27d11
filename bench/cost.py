"""What an order costs: `python -m bench.cost`.

On the embedded stack as it is shipped, one after the other and several times over: orders of the product with their whole life
(send, pick, look, sent, look, invoice, through the simulators), a bare workflow of the same shape with empty activities, and
the floor of one local activity, a wait, one local activity. CPU is that of the Temporal server and of the worker's process;
the driver, PostgreSQL and the simulators are outside. The machine is shared and noisy: use the ratios.
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
from google.protobuf.message import Message
from sqlalchemy import text
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError

from bench import bare
from bench.ledger_lines import ledger_lines
from domain.keys import OrderKey
from erp.database import Database, rows
from erp.merchants import load_merchant
from erp.opening import OpeningBalance, book_opening
from starters.connect import GOODS_OWNER_ID, MERCHANT
from starters.stack import Stack
from worker.settings import Settings
from worker.temporal import connect
from workflows import attributes

MOST_REMOTE, MOST_TASKS, MOST_EVENTS, MOST_ACTIONS = 4, 8, 44, 10
MOST_CPU_RATIO, LEAST_LEDGER_RATIO = 1.5, 0.5
AT_ONCE = 8
DEADLINE = 120.0
REST = 0.05  # seconds in which a step's answer reaches its workflow, before the next thing happens to the order
REPOSITORY = Path(__file__).resolve().parents[1]
ARTICLES = ("A1", "A2", "A3")


@dataclass(frozen=True, slots=True)
class Figures:
    """One round of one kind: orders per second, and milliseconds of CPU per order."""

    per_second: float
    cpu_ms: float
    server_ms: float
    worker_ms: float


@dataclass(frozen=True, slots=True)
class Shape:
    """What one order leaves in Temporal."""

    remote_activities: int
    workflow_tasks: int
    events: int
    actions: float
    payload_bytes: int
    history_bytes: int


@dataclass
class Ground:
    """The stack and the hands that work on it."""

    stack: Stack
    client: Client
    erp: Database
    app: Database
    verify: Database
    http: httpx.AsyncClient
    bare_worker: int
    ran: Counter[str]
    lines: int
    numbers: list[str] = field(default_factory=list)

    async def control(self, method: str, path: str, body: Any = None) -> None:
        address = f"{self.stack.addresses['ongoing']}/_control/{path}"
        (await self.http.request(method, address, json=body)).raise_for_status()

    def cpu(self, worker: int) -> tuple[float, float]:
        """Seconds of CPU that the server and a worker have used so far."""
        server = self.stack.pid("temporal")
        if server is None:
            raise RuntimeError("the Temporal server is away")
        return _used(server), _used(worker)


def _used(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def measure(rounds: int = 3, orders: int = 40, lines: int = 3, shipments: int = 150) -> dict[str, Any]:
    """All figures, medians of the rounds; `short` names each that falls short of what the issue asks."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-bench-") as folder:
        async with Stack.start(Path(folder) / "home") as stack, _ground(stack, Path(folder), lines) as ground:
            await _prepare(ground)
            await _products(ground, 8)  # warms every process
            await _bares(ground, 8, bare.BareOrder, bare.ORDERS_QUEUE, looks=2)
            await _bares(ground, 8, bare.Floor, bare.FLOOR_QUEUE, looks=1)
            shape = await _shape(ground)
            found: dict[str, list[Figures]] = {"product": [], "bare": [], "floor": []}
            for _ in range(rounds):
                found["product"].append(await _products(ground, orders))
                found["bare"].append(await _bares(ground, orders, bare.BareOrder, bare.ORDERS_QUEUE, looks=2))
                found["floor"].append(await _bares(ground, orders, bare.Floor, bare.FLOOR_QUEUE, looks=1))
            settings = Settings.from_environment(stack.environment())
            ledger = await ledger_lines(settings.database("app"), settings.database("erp"), rounds, shipments)
            delays = await _pick_to_booked(ground, orders)
    return _report(shape, found, ledger, delays)


def _report(shape: Shape, found: dict[str, list[Figures]], lines: Sequence[Any], delays: list[float]) -> dict[str, Any]:
    def median(kind: str, name: str) -> Any:
        return statistics.median(getattr(figures, name) for figures in found[kind])

    def ratio(other: str) -> Any:
        pairs = zip(found["product"], found[other], strict=True)
        return statistics.median(product.cpu_ms / beside.cpu_ms for product, beside in pairs)

    report: dict[str, Any] = {
        kind: {name: round(median(kind, name), 2) for name in ("per_second", "cpu_ms", "server_ms", "worker_ms")}
        for kind in found
    }
    report |= {
        "cpu_ratio_to_bare": round(ratio("bare"), 2),
        "cpu_ratio_to_floor": round(ratio("floor"), 2),
        "order": {name: getattr(shape, name) for name in Shape.__slots__},
        "ledger_lines_per_second": round(statistics.median(each.product for each in lines)),
        "raw_lines_per_second": round(statistics.median(each.raw for each in lines)),
        "ledger_ratio": round(statistics.median(each.product / each.raw for each in lines), 2),
        "pick_to_booked_p50_ms": round(statistics.median(delays)),
        "pick_to_booked_p99_ms": round(sorted(delays)[min(len(delays) - 1, int(len(delays) * 0.99))]),
    }
    limits = [
        ("CPU to a bare workflow of the same shape", report["cpu_ratio_to_bare"], MOST_CPU_RATIO),
        ("remote activities of a simple order", shape.remote_activities, MOST_REMOTE),
        ("workflow tasks of a simple order", shape.workflow_tasks, MOST_TASKS),
        ("events of a simple order", shape.events, MOST_EVENTS),
        ("billable actions of a simple order", shape.actions, MOST_ACTIONS),
    ]
    report["short"] = [f"{name}: {figure}, at most {most} is asked" for name, figure, most in limits if figure > most]
    if report["ledger_ratio"] < LEAST_LEDGER_RATIO:
        report["short"].append(
            f"ledger lines beside raw asyncpg: {report['ledger_ratio']}, at least {LEAST_LEDGER_RATIO} is asked"
        )
    return report


@asynccontextmanager
async def _ground(stack: Stack, folder: Path, lines: int = 3) -> AsyncIterator[Ground]:
    settings = Settings.from_environment(stack.environment())
    erp, app, verify = (Database(settings.database(role), pool_size=4) for role in ("erp", "app", "verify"))
    beat = folder / "bare.alive"
    told = {name: value for name, value in os.environ.items() if not name.startswith("LAGERBRO_")}
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.bare",
        env=told | stack.environment() | {"LAGERBRO_HEALTH_FILE": str(beat)},
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    ran: Counter[str] = Counter()
    hearing = asyncio.create_task(_hear(worker, ran))
    try:

        async def up() -> bool:
            return beat.exists()

        await _until(up, "the bare worker is up")
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            yield Ground(stack, await connect(settings), erp, app, verify, http, worker.pid, ran, lines)
    finally:
        worker.terminate()
        await worker.wait()
        await hearing
        for database in (erp, app, verify):
            await database.close()
        await asyncio.sleep(0.3)


async def _hear(worker: asyncio.subprocess.Process, ran: Counter[str]) -> None:
    """Which bare order has had a step, as its worker says; asking the server would cost the server."""
    while worker.stdout and (told := await worker.stdout.readline()):
        ran[told.decode().strip()] += 1


async def _all_ran(ran: Counter[str], numbers: Sequence[str], steps: int) -> None:
    async def probe() -> bool:
        return all(ran[number] >= steps for number in numbers)

    await _until(probe, "the bare workflows have had their step")
    await asyncio.sleep(REST)


async def _until(probe: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not await probe():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{DEADLINE:.0f} s, and it is not so that {what}")
        await asyncio.sleep(0.02)


async def _prepare(ground: Ground) -> None:
    """A merchant with three articles in stock, nothing that moves by itself: each nudge is made here, and counted."""
    async with ground.erp.everyone() as session:
        for number in ARTICLES:
            await session.execute(
                text("insert into erp.article (merchant_id, article_number, name) values (:m, :n, 'Article')"),
                {"m": MERCHANT, "n": number},
            )
    async with ground.app.merchant(MERCHANT) as session:
        merchant = await load_merchant(session, MERCHANT)
        balances = [OpeningBalance(number, Decimal(1_000_000), Decimal("4.50")) for number in ARTICLES]
        await book_opening(session, merchant, balances, datetime.now(UTC), "bench", "bench")
    await _webhooks(ground, False)
    try:
        await ground.client.get_workflow_handle(f"watch/{MERCHANT}").terminate("the bench nudges")
    except RPCError as gone:
        print(f"no watcher: {gone.status.name}", file=sys.stderr)


async def _webhooks(ground: Ground, enabled: bool) -> None:
    known = json.loads((ground.stack.home.folder / "demo-secrets.json").read_text(encoding="utf-8"))
    for kind in ("order", "picking"):
        body = {"goodsOwnerId": GOODS_OWNER_ID, "type": kind, "enabled": enabled, "retryPolicy": "OneDay"}
        body |= {"url": f"{ground.stack.addresses['intake']}{known['webhook_path']}", "token": known["webhook_token"]}
        await ground.control("PUT", "webhooks", body)


# --- orders of the product -----------------------------------------------------------------------------------------------


async def _release(ground: Ground, numbers: Sequence[str]) -> None:
    async with ground.erp.everyone() as session:
        for number in numbers:
            await session.execute(
                text(
                    "insert into erp.sales_order (merchant_id, order_number, delivery_name, delivery_address1,"
                    " delivery_post_code, delivery_city, delivery_country)"
                    " values (:m, :n, 'Bench', 'Gatan 1', '111 22', 'Stad', 'SE')"
                ),
                {"m": MERCHANT, "n": number},
            )
            for line, article in enumerate(ARTICLES[: ground.lines], start=1):
                await session.execute(
                    text(
                        "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity,"
                        " unit_price) values (:m, :n, :l, :a, 2, 10)"
                    ),
                    {"m": MERCHANT, "n": number, "l": line, "a": article},
                )
    async with ground.erp.everyone() as session:
        await session.execute(
            text("update erp.sales_order set status = 'released' where merchant_id = :m and order_number = any(:n)"),
            {"m": MERCHANT, "n": list(numbers)},
        )


async def _count(ground: Ground, statement: str, numbers: Sequence[str]) -> int:
    async with ground.verify.everyone() as session:
        return int((await rows(session, text(statement), m=MERCHANT, n=list(numbers)))[0][0])


SENT = "select count(*) from bridge.watched where merchant_id = :m and document = any(:n)"
PICKED = """
    select count(distinct document) from bridge.watched w join bridge.counted c using (merchant_id, kind, doc_id)
    where merchant_id = :m and document = any(:n) and booked > 0 and not look_owed
"""
COMPLETED = "select count(*) from erp.sales_order where merchant_id = :m and order_number = any(:n) and status = 'completed'"


async def _all(ground: Ground, statement: str, numbers: Sequence[str], what: str) -> None:
    async def probe() -> bool:
        return await _count(ground, statement, numbers) == len(numbers)

    await _until(probe, what)


async def _floor(ground: Ground, action: str, number: str) -> None:
    await ground.control("POST", f"orders/by-number/{GOODS_OWNER_ID}/{number}/{action}", {})


async def _nudge(ground: Ground, numbers: Sequence[str]) -> None:
    """A hint in the inbox, as a webhook leaves it."""
    async with ground.app.merchant(MERCHANT) as session:
        await session.execute(
            text(
                "insert into bridge.inbox (merchant_id, source, event_id, kind, document)"
                " select :m, 'bench', gen_random_uuid()::text, 'sales-order', n from unnest(cast(:n as text[])) as n"
            ),
            {"m": MERCHANT, "n": list(numbers)},
        )


async def _products(ground: Ground, orders: int) -> Figures:
    """The whole life of so many orders, a few at once."""
    batch = secrets.token_hex(3)
    numbers = [f"B-{batch}-{number}" for number in range(orders)]
    ground.numbers = numbers
    worker = ground.stack.pid("worker")
    if worker is None:
        raise RuntimeError("the worker is away")
    before, began = ground.cpu(worker), time.perf_counter()
    waves = [numbers[start : start + AT_ONCE] for start in range(0, orders, AT_ONCE)]
    for wave in waves:
        await _release(ground, wave)
        await _all(ground, SENT, wave, "the orders are in the warehouse")
        await asyncio.sleep(REST)
        await _stock(ground)
        for number in wave:
            await _floor(ground, "pick", number)
        await _nudge(ground, wave)
        await _all(ground, PICKED, wave, "the picks are booked")
        await asyncio.sleep(REST)
        for number in wave:
            await _floor(ground, "send", number)
        await _nudge(ground, wave)
        await _all(ground, COMPLETED, wave, "the orders are completed")
    return _figures(orders, began, before, ground.cpu(worker))


def _figures(orders: int, began: float, before: tuple[float, float], after: tuple[float, float]) -> Figures:
    seconds = time.perf_counter() - began
    server, worker = ((after[n] - before[n]) * 1000 / orders for n in (0, 1))
    return Figures(orders / seconds, server + worker, server, worker)


async def _stock(ground: Ground) -> None:
    articles = [{"articleNumber": number, "numberOfItems": "1000000"} for number in ARTICLES]
    await ground.control("PUT", "stock", {"warehouse": MERCHANT, "goodsOwnerId": GOODS_OWNER_ID, "articles": articles})


async def _shape(ground: Ground) -> Shape:
    """One simple order by itself: what it leaves in the history, and the actions that the server counts for it."""
    before = await _actions(ground)
    await _products(ground, 1)
    [number] = ground.numbers
    after = await _actions(ground)
    handle = ground.client.get_workflow_handle(OrderKey(MERCHANT, number).workflow_id)
    history = await handle.fetch_history()
    kinds = [event.event_type for event in history.events]
    description = await handle.describe()
    return Shape(
        kinds.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED),
        kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED),
        len(kinds),
        after - before,
        sum(_payload_bytes(event) for event in history.events),
        description.raw_description.workflow_execution_info.history_size_bytes,
    )


def _payload_bytes(message: Message) -> int:
    if isinstance(message, Payload):
        return message.ByteSize()
    total = 0
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if descriptor.message_type.GetOptions().map_entry:
            parts: Any = [part for part in value.values() if isinstance(part, Message)]
        else:
            parts = value if not isinstance(value, Message) else [value]
        total += sum(_payload_bytes(part) for part in parts)
    return total


async def _actions(ground: Ground) -> float:
    """The server's own count of billable actions; it lags, so it is read until it stands."""
    former = -1.0
    while True:
        lines = (await ground.http.get(ground.stack.addresses["metrics"])).text.splitlines()
        now = sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("action{"))
        if now == former:
            return now
        former = now
        await asyncio.sleep(1.5)


# --- the bare workflow and the floor -------------------------------------------------------------------------------------


async def _bares(ground: Ground, orders: int, workflow: Any, queue: str, looks: int) -> Figures:
    """So many of a bare workflow, in the same waves; each is signalled when its former step has ended."""
    batch = secrets.token_hex(3)
    worker = ground.bare_worker
    before, began = ground.cpu(worker), time.perf_counter()
    for start in range(0, orders, AT_ONCE):
        keys = [OrderKey("bare", f"{batch}-{number}") for number in range(start, min(start + AT_ONCE, orders))]
        handles = await asyncio.gather(
            *(
                ground.client.start_workflow(
                    workflow.run,
                    key,
                    id=f"{queue}/{key.number}",
                    task_queue=queue,
                    static_summary=f"Sales order {key.number}",
                    search_attributes=attributes.at_start(key.merchant, key.number, "sending", datetime.now(UTC)),
                )
                for key in keys
            )
        )
        for look in range(looks):
            await _all_ran(ground.ran, [key.number for key in keys], look + 1)
            await asyncio.gather(*(handle.signal(workflow.look) for handle in handles))
        await asyncio.gather(*(handle.result() for handle in handles))
    return _figures(orders, began, before, ground.cpu(worker))


# --- from pick to booked stock --------------------------------------------------------------------------------------------


async def _pick_to_booked(ground: Ground, orders: int) -> list[float]:
    """Milliseconds from the picker's request to the stock entry's commit, by webhook, intake, inbox, relay and signal."""
    await _webhooks(ground, True)
    batch = secrets.token_hex(3)
    numbers = [f"P-{batch}-{number}" for number in range(orders)]
    await _release(ground, numbers)
    await _all(ground, SENT, numbers, "the orders are in the warehouse")
    await _stock(ground)
    delays = []
    for number in numbers:
        picked_at = datetime.now(UTC)
        await _floor(ground, "pick", number)
        await _all(ground, PICKED, [number], "the pick is booked")
        async with ground.verify.everyone() as session:
            found = await rows(
                session,
                text(
                    "select min(booked_at) from bridge.booking b join bridge.watched w using (merchant_id, kind, doc_id)"
                    " where b.merchant_id = :m and w.document = :n"
                ),
                m=MERCHANT,
                n=number,
            )
        delays.append((found[0][0] - picked_at).total_seconds() * 1000)
    return delays


def _print(report: dict[str, Any]) -> None:
    for kind in ("product", "bare", "floor"):
        figures = report[kind]
        print(
            f"{kind:8} {figures['per_second']:7.1f} orders/s   {figures['cpu_ms']:7.1f} ms CPU an order"
            f"   (server {figures['server_ms']:.1f}, worker {figures['worker_ms']:.1f})"
        )
    order = report["order"]
    print(f"CPU beside the bare workflow of the same shape: {report['cpu_ratio_to_bare']} (at most {MOST_CPU_RATIO})")
    print(f"CPU beside the floor: {report['cpu_ratio_to_floor']}")
    print(
        f"a simple order: {order['remote_activities']} remote activities, {order['workflow_tasks']} workflow tasks, "
        f"{order['events']} events, {order['actions']:g} actions, {order['payload_bytes']} bytes of payloads, "
        f"{order['history_bytes']} bytes of history"
    )
    print(
        f"ledger lines: {report['ledger_lines_per_second']} per s, raw asyncpg {report['raw_lines_per_second']} per s: "
        f"{report['ledger_ratio']} (at least {LEAST_LEDGER_RATIO})"
    )
    print(f"from pick to booked stock: p50 {report['pick_to_booked_p50_ms']} ms, p99 {report['pick_to_booked_p99_ms']} ms")
    print("all within what is asked" if not report["short"] else "\n".join(f"FALLS SHORT  {line}" for line in report["short"]))


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.cost", description=(__doc__ or "").split("\n\n")[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--orders", type=int, default=40, help="orders in each round")
    arguments.add_argument("--lines", type=int, default=3, choices=(1, 2, 3), help="lines of each order")
    arguments.add_argument("--json", action="store_true")
    asked = arguments.parse_args()
    report = asyncio.run(measure(asked.rounds, asked.orders, asked.lines))
    if asked.json:
        print(json.dumps(report, indent=2))
    else:
        _print(report)
    return 1 if report["short"] else 0


if __name__ == "__main__":
    sys.exit(main())
