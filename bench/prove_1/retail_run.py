"""One run of the retail file on an embedded stack of its own: imported, picked, invoiced, verified, in peace or under fire."""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.exc import SQLAlchemyError

from bench.prove_1.killing import Killer
from bench.prove_1.retail_books import Books, invoices_in_fortnox, read_books
from bench.prove_1.stand import REPOSITORY
from erp.database import Database
from erp.overview import moving, open_exceptions
from starters.connect import GOODS_OWNER_ID, MERCHANT
from starters.import_orders import release_orders
from starters.stack import Stack
from worker.settings import Settings

QUICK = {"LAGERBRO_SETTLE_SECONDS": "13", "LAGERBRO_CLIENT_DEADLINE_SECONDS": "6", "LAGERBRO_DOUBT_SECONDS": "10"}
SEED = 20101201
RELEASED_AT_ONCE, RELEASE_PAUSE_SECONDS = 2, 1.2


@dataclass(slots=True)
class Run:
    """One run of the file, and what came of it."""

    books: Books
    imported: dict[str, Any]
    seconds: float
    kills: Counter[str]
    short: list[str]

    @property
    def net(self) -> Decimal:
        return sum((net for nets in self.books.invoices.values() for net in nets), Decimal(0))


async def run(file: Path, minutes: float, style: str = "full", kills: int = 0, seed: int = SEED) -> Run:
    """Import, release, let the warehouse pick, wait for rest, verify, read the books. With `kills`, under fire."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with Stack.start(Path(folder) / "home", environment=QUICK) as stack:
            await _warehouse(stack, style, 1.5 if kills else 0.2)
            code, imported = await _command(
                stack, "erp", "import-orders", str(file), "--merchant", MERCHANT, "--with-stock", "--draft", "--json"
            )
            short = [f"the import ended with {code}"] if code else []
            settings = Settings.from_environment(stack.environment())
            counted: Counter[str] = Counter()
            async with _database(settings, "erp") as erp, _database(settings, "verify") as verifying:
                if kills:
                    killer = Killer(stack, kills, seed)
                    async with asyncio.TaskGroup() as group:
                        killing = group.create_task(killer.run())
                        await _release_slowly(erp, imported["orders"], killing.done)
                    counted = killer.counted
                else:
                    await release_orders(erp, MERCHANT, imported["orders"])
                short += await _rest(verifying, minutes, began)
                code, report = await _command(stack, "verify", "--merchant", MERCHANT, "--online", "--json")
                if code:
                    short.append(f"verify --online ended with {code}: {_unclean(report)}")
                books = await read_books(verifying)
            books.invoices = await invoices_in_fortnox(stack)
        return Run(books, imported, time.monotonic() - began, counted, short)


@asynccontextmanager
async def _database(settings: Settings, role: Any) -> AsyncIterator[Database]:
    database = Database(settings.database(role), pool_size=2)
    try:
        yield database
    finally:
        await database.close()


async def _warehouse(stack: Stack, style: str, delay: float) -> None:
    body = {"goodsOwnerId": GOODS_OWNER_ID, "enabled": True, "delaySeconds": delay, "style": style, "seed": 1}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        (await http.put(f"{stack.addresses['ongoing']}/_control/auto", json=body)).raise_for_status()


async def _command(stack: Stack, *arguments: str) -> tuple[int, Any]:
    """`lagerbro ...` as a person runs it; its exit code and its JSON."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from starters.cli import main; main()",
        *arguments,
        cwd=REPOSITORY,
        env=os.environ | stack.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    try:
        return process.returncode or 0, json.loads(output)
    except ValueError:
        raise RuntimeError(f"lagerbro {arguments[0]} ended with {process.returncode} and no JSON") from None


def _unclean(report: Any) -> str:
    results = report.get("results", []) if isinstance(report, dict) else []
    bad = [
        f"{result['invariant']} {result['verdict']}: {result['says']}: {result['why'] or result['samples'][:3]}"
        for result in results
        if result["verdict"] != "clean"
    ]
    return " // ".join(bad)[:2000] or str(report)[:500]


async def _release_slowly(erp: Database, numbers: list[str], killed_enough: Callable[[], bool]) -> None:
    """As an ERP whose day goes on while everything falls over: a few orders at a time, again when the database was away."""
    for n, number in enumerate(numbers):
        if n % RELEASED_AT_ONCE == 0 and not killed_enough():
            await asyncio.sleep(RELEASE_PAUSE_SECONDS)
        while True:
            try:
                await release_orders(erp, MERCHANT, [number])
                break
            except (SQLAlchemyError, OSError):
                await asyncio.sleep(0.3)


async def _rest(database: Database, minutes: float, began: float) -> list[str]:
    """Wait until nothing moves any more. Says what still moves, or stands still, when the time is up."""
    now: dict[str, int] = {}
    while time.monotonic() - began < minutes * 60:
        try:
            async with database.everyone() as session:
                now = await moving(session)
        except (SQLAlchemyError, OSError):
            now = {}
        if now and not (now["orders"] or now["outbox"] or now["inbox"]):
            break
        await asyncio.sleep(0.5)
    else:
        return [f"after {minutes:g} minutes there still are {now}"]
    if not now["blocked"]:
        return []
    async with database.everyone() as session:
        standing = await open_exceptions(session, MERCHANT)
    return [f"stands still: {row['document']}: {row['code']} {row['detail']}" for row in standing if row["blocking"]][:10]
