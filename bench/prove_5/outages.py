"""The reconciliation outlives everybody: killed -9 in the middle, five minutes without a warehouse, sixty hours without one.

    python -m bench.prove_5.outages [--minutes M]

The first two on an embedded stack of its own, in real time: worker, database and Temporal are each killed -9 while a run pages,
and the run goes on behind the pages that were saved; then the warehouse answers nobody for five minutes, begun in the middle of
the day's run, while it corrects its stock. The sixty hours go by on the business's clock, with the intervals of production.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from activities.sweep_stock import SAVE_SECONDS
from bench.prove_1.proof import Proof
from bench.prove_1.stand import REPOSITORY
from erp.database import Database, rows
from erp.merchants import save_settings
from erp.opening import OpeningBalance
from starters.cli_orders import open_stock
from starters.cli_reconcile import begin
from starters.connect import GOODS_OWNER_ID, MERCHANT, SECRETS_FILE
from starters.stack import Stack
from worker.settings import Settings
from worker.temporal import connect
from workflows.reconcile_stock import ToReconcile

ARTICLES, FEW = 3000, 600
PAGE = 10
STOCK = 100
PAGE_SECONDS = 0.05
KILLED = ("worker", "postgres", "temporal")
MINUTES = 5.0
PATIENCE_SECONDS = 240.0
RULES = {"counting_is_known": True, "page_size": PAGE, "looks_apart_hours": 0, "most_percent_of_stock_value": 100}
PAGES = "GET /articles/inventoryPerWarehouse"

AWAY = (SQLAlchemyError, OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError)

_RUN = text(
    """
    select run_no, state, articles_read, position, swept from erp.reconciliation_run
    where merchant_id = :m and kind = :kind order by run_no desc limit 1
    """
)


@dataclass
class Stand:
    """A running stack whose merchant has articles on both sides."""

    stack: Stack
    client: Client
    app: Database
    http: httpx.AsyncClient
    numbers: list[str]
    short: list[str] = field(default_factory=list)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"{self.stack.addresses['ongoing']}/_control/{path}", json=body)
        return answer.raise_for_status().json() if answer.content else None

    async def read(self, statement: Any, **values: Any) -> list[Any]:
        """From our database, again while it is away."""
        while True:
            try:
                async with self.app.merchant(MERCHANT) as session:
                    return await rows(session, statement, m=MERCHANT, **values)
            except AWAY:
                await asyncio.sleep(0.1)

    async def pages_asked(self, since: int) -> tuple[int, int]:
        """How many pages of stock the warehouse was asked for since the request of that number, and the newest number."""
        asked, last = 0, since
        while True:
            found = await self.control("GET", f"log?since={last}&limit=1000")
            if not found:
                return asked, last
            asked += sum(each["route"] == PAGES for each in found)
            last = max(each["n"] for each in found)

    async def result(self, handle: WorkflowHandle[Any, list[str]], seconds: float) -> list[str] | None:
        """What the process says at its end, though Temporal may be away for a while."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                async with asyncio.timeout(max(1.0, ends - time.monotonic())):
                    return await handle.result()
            except (RPCError, TimeoutError):
                await asyncio.sleep(0.3)
        return None

    async def reads_past(self, kind: str, articles: int, seconds: float = 60) -> Any:
        """The run when it has saved so many articles."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            found = await self.read(_RUN, kind=kind)
            if found and found[0].state == "running" and found[0].articles_read >= articles:
                return found[0]
            await asyncio.sleep(0.05)
        raise RuntimeError(f"the run did not read {articles} articles in {seconds:g} s")


@asynccontextmanager
async def _stand(articles: int) -> AsyncIterator[Stand]:
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with (
            Stack.start(Path(folder) / "home", environment={"LAGERBRO_CLIENT_DEADLINE_SECONDS": "6"}) as stack,
            httpx.AsyncClient(trust_env=False, timeout=60) as http,
        ):
            settings = Settings.from_environment(stack.environment())
            app = Database(settings.database("app"), 2)
            numbers = [f"U-{n:05}" for n in range(articles)]
            made = Stand(stack, await connect(settings), app, http, numbers)
            await _fill(made, settings)
            try:
                yield made
            finally:
                await app.close()


async def _fill(made: Stand, settings: Settings) -> None:
    """The articles on both sides, a hundred of each, and the merchant's rules."""
    erp = Database(settings.database("erp"), 2)
    async with erp.everyone() as session:
        await session.execute(
            text(
                "insert into erp.article (merchant_id, article_number, name)"
                " select :m, n, n from unnest(cast(:numbers as text[])) as n"
            ),
            {"m": MERCHANT, "numbers": made.numbers},
        )
    await erp.close()
    await open_stock(settings, MERCHANT, [OpeningBalance(number, Decimal(STOCK), Decimal(10)) for number in made.numbers])
    [held] = await made.read(text("select settings from bridge.merchant_settings where merchant_id = :m"))
    async with made.app.merchant(MERCHANT) as held_by_us:
        await save_settings(held_by_us, MERCHANT, dict(held.settings) | {"reconciliation": RULES}, "proof")
    password = json.loads((made.stack.home.folder / SECRETS_FILE).read_text(encoding="utf-8"))["ongoing_password"]
    gate = asyncio.Semaphore(4)

    async def put(number: str) -> None:
        async with gate:
            body = {"goodsOwnerId": GOODS_OWNER_ID, "articleNumber": number, "articleName": number}
            address = f"{made.stack.addresses['ongoing']}/{MERCHANT}/api/v1/articles"
            (await made.http.put(address, json=body, auth=("WSIdemo", password))).raise_for_status()

    await asyncio.gather(*(put(number) for number in made.numbers))
    await _lies(made, dict.fromkeys(made.numbers, STOCK))


async def _lies(made: Stand, quantities: dict[str, int]) -> None:
    goods = [{"articleNumber": number, "numberOfItems": str(quantity)} for number, quantity in quantities.items()]
    await made.control("PUT", "stock", {"warehouse": MERCHANT, "goodsOwnerId": GOODS_OWNER_ID, "articles": goods})


async def _killed(made: Stand, name: str) -> int:
    """One run in the middle of which `name` is killed -9; how many articles were saved by then."""
    many = len(made.numbers)
    _, since = await made.pages_asked(0)
    handle = await begin(made.client, ToReconcile(MERCHANT, "on-demand"))
    caught = await made.reads_past("on-demand", many // 3)
    made.stack.kill(name)
    await asyncio.sleep(0.2)
    await made.stack.ready(name, 60)
    far = caught.articles_read
    watching = asyncio.create_task(made.result(handle, PATIENCE_SECONDS))
    while not watching.done():
        [now] = await made.read(_RUN, kind="on-demand")
        if now.run_no != caught.run_no:
            made.short.append(f"{name} killed: run {now.run_no} was begun beside run {caught.run_no}")
        if now.articles_read < far:
            made.short.append(f"{name} killed: {now.articles_read} articles after {far}: it started over")
        far = now.articles_read
        await asyncio.wait([watching], timeout=0.2)
    said = await watching
    asked, _ = await made.pages_asked(since)
    pages = -(-many // PAGE)
    [ended] = await made.read(_RUN, kind="on-demand")
    if said is None or ended.state != "finished":
        made.short.append(f"{name} killed: the run is {ended.state} after {PATIENCE_SECONDS:g} s")
    if ended.articles_read != many:
        made.short.append(f"{name} killed: {ended.articles_read} articles counted of {many}")
    # Begun anew it would ask for a third of the pages once more; read and not saved are those of two seconds at most.
    if asked > pages + 2 + SAVE_SECONDS / PAGE_SECONDS:
        made.short.append(f"{name} killed: {asked} pages asked for, of {pages}")
    return int(caught.articles_read)


async def _away(made: Stand, minutes: float) -> float:
    """The warehouse answers nobody for so long, in the middle of the day's run. Returns how long the run took after that."""
    corrected, lost = made.numbers[7], made.numbers[-8]
    await _lies(made, {lost: STOCK - 2})
    handle = await begin(made.client, ToReconcile(MERCHANT, "daily"))
    caught = await made.reads_past("daily", len(made.numbers) // 4)
    await made.control("POST", "faults", {"id": "away", "route": "*", "kind": "refuse-connection", "count": None})
    cause = {"code": "DMG", "name": "Damaged"}
    goods = {"goodsOwnerId": GOODS_OWNER_ID, "articleNumber": corrected}
    await made.control("POST", "adjust", goods | {"numberOfItems": "-3", "cause": cause})
    await asyncio.sleep(minutes * 60)
    [now] = await made.read(_RUN, kind="daily")
    if now.state != "running" or now.run_no != caught.run_no:
        made.short.append(f"while the warehouse was away run {now.run_no} was {now.state}")
    await made.control("DELETE", "faults/away")
    back = time.monotonic()
    said = await made.result(handle, PATIENCE_SECONDS)
    [ended] = await made.read(_RUN, kind="daily")
    if not said or ended.state != "finished" or ended.articles_read != len(made.numbers):
        made.short.append(f"after the outage: {said}, {ended.state}, {ended.articles_read} articles")
    took = time.monotonic() - back
    await made.result(await begin(made.client, ToReconcile(MERCHANT, "on-demand")), PATIENCE_SECONDS)
    await made.result(await begin(made.client, ToReconcile(MERCHANT, "on-demand")), PATIENCE_SECONDS)
    booked = await made.read(
        text(
            "select article_number, cause, quantity from erp.stock_entry"
            " where merchant_id = :m and kind = 'adjustment' order by entry_no"
        )
    )
    wanted = sorted([(corrected, -3), (lost, -2)])
    if sorted((row.article_number, int(row.quantity)) for row in booked) != wanted:
        made.short.append(f"booked were {[tuple(row) for row in booked]}, and not once each {wanted}")
    [(without,)] = await made.read(
        text(
            "select count(*) from erp.reconciliation_run r where merchant_id = :m and (state <> 'finished' or 3 <>"
            " (select count(*) from erp.reconciliation_file f where f.merchant_id = r.merchant_id and f.run_no = r.run_no))"
        )
    )
    if without:
        made.short.append(f"{without} runs have no file")
    return took


def _sixty_hours(short: list[str]) -> float:
    """On the business's clock, with the intervals of production."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--timeout=600", "-p", "no:randomly", "-k", "sixty_hours"]
    command.append("tests/workflows/test_reconcile_stock.py")
    done = subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | {"PROVE_INTERVALS": "real"}, check=False, capture_output=True, text=True
    )
    if done.returncode:
        short.append(f"sixty hours on the business's clock: {done.stdout[-600:]}")
    return time.monotonic() - began


async def prove(small: bool = False, minutes: float | None = None) -> Proof:
    """Point 2."""
    minutes = minutes if minutes is not None else 0.3 if small else MINUTES
    async with _stand(FEW if small else ARTICLES) as made:
        slow = {"id": "slow", "route": PAGES, "kind": "delay", "count": None, "params": {"seconds": PAGE_SECONDS}}
        await made.control("POST", "faults", slow)
        at = {name: await _killed(made, name) for name in KILLED}
        took = await _away(made, minutes)
        short, many = made.short, len(made.numbers)
    hours = await asyncio.to_thread(_sixty_hours, short)
    kills = ", ".join(f"{name} at {articles}" for name, articles in at.items())
    figure = (
        f"killed -9 in the middle of a run of {many} articles ({kills}), each went on where it was; the warehouse away for"
        f" {minutes:g} minutes in the middle of the day's run, through {took:.0f} s after it was back, nothing twice; sixty hours"
        f" on the business's clock ({hours:.0f} s)"
    )
    return Proof("2", "outages", figure, tuple(short[:20]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long the warehouse is away")
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    proof = asyncio.run(prove(given.small, given.minutes))
    print(proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
