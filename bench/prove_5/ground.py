"""What the proofs of the reconciliation stand on: PostgreSQL, the simulated warehouse, one merchant, the steps as activities."""

import asyncio
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.errors import Waiting
from activities.reconcile import Reconcile, Settlement, Step, Wish, Written
from bench.prove_1.stand import Scratch, postgres, scratch_database, simulator
from clients.errors import Unavailable
from clients.ongoing import OngoingClient
from domain.errors import LookAgain
from erp.database import Database, rows
from erp.merchants import load_merchant, save_connection, save_settings
from erp.opening import OpeningBalance, book_opening
from worker.keyring import KeyRing
from worker.settings import Settings
from worker.wiring import ongoing_connections, sftp_connections

MERCHANT, OWNER = "prove", 77


@dataclass
class Ground:
    """One merchant between our books and its warehouse, and the business's clock."""

    scratch: Scratch
    address: str
    app: Database
    erp: Database
    connections: Connections[OngoingClient]
    does: Reconcile
    http: httpx.AsyncClient
    owner: AsyncEngine
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"{self.address}/_control/{path}", json=body)
        if answer.status_code >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    async def write(self, statement: str, **values: Any) -> None:
        """As the superuser, past every trigger: what a proof plants and what makes it quick."""
        async with self.owner.begin() as connection:
            await connection.execute(text("set local session_replication_role = replica"))
            await connection.execute(text(statement), values)

    async def read(self, statement: str, **values: Any) -> list[Any]:
        async with self.app.merchant(MERCHANT) as session:
            return await rows(session, text(statement), **values)

    async def articles(self, numbers: Sequence[str], quantity: int, **columns: Any) -> None:
        """Articles in the ERP, in our books with this stock at 10 each, and in the warehouse with the same stock."""
        names = "".join(f", {name}" for name in columns)
        values = "".join(f", {value!r}" if value is not None else ", null" for value in columns.values())
        await self.write(
            f"insert into erp.article (merchant_id, article_number, name{names})"
            f" select '{MERCHANT}', n, n{values} from unnest(cast(:numbers as text[])) as n",
            numbers=list(numbers),
        )
        async with self.app.merchant(MERCHANT) as session:
            merchant = await load_merchant(session, MERCHANT)
            for start in range(0, len(numbers), 500):
                some = [OpeningBalance(number, Decimal(quantity), Decimal(10)) for number in numbers[start : start + 500]]
                await book_opening(session, merchant, some, self.now - timedelta(days=30), "proof", "proof")
        gate = asyncio.Semaphore(4)
        ids: dict[str, int] = {}

        async def put(number: str) -> None:
            async with gate:
                body = {"goodsOwnerId": OWNER, "articleNumber": number, "articleName": number}
                answer = await self.http.put(f"{self.address}/{MERCHANT}/api/v1/articles", json=body, auth=("user", "secret"))
                ids[number] = answer.raise_for_status().json()["articleSystemId"]

        await asyncio.gather(*(put(number) for number in numbers))
        await self.write(
            "insert into bridge.link (merchant_id, system, kind, our_key, their_id, confirmed)"
            f" select '{MERCHANT}', 'ongoing', 'article', k, i, true"
            " from unnest(cast(:keys as text[]), cast(:ids as text[])) as u(k, i)",
            keys=list(ids),
            ids=[str(one) for one in ids.values()],
        )
        await self.stock(dict.fromkeys(numbers, quantity))

    async def stock(self, quantities: dict[str, Any]) -> None:
        """What lies on the shelves, without anybody having written down why."""
        names = list(quantities)
        for start in range(0, len(names), 1000):
            goods = [{"articleNumber": n, "numberOfItems": str(quantities[n])} for n in names[start : start + 1000]]
            await self.control("PUT", "stock", {"warehouse": MERCHANT, "goodsOwnerId": OWNER, "articles": goods})

    async def ask(self, does: Any, argument: Any) -> Any:
        """An activity until it answers, as Temporal would."""
        while True:
            try:
                return await ActivityEnvironment().run(does, argument)
            except Waiting as waiting:
                await asyncio.sleep(min(waiting.seconds, 1))
            except (LookAgain, Unavailable):
                await asyncio.sleep(0.05)

    async def run(self, later: timedelta = timedelta(0)) -> tuple[int, Settlement, Written]:
        """One reconciliation, so much later: its number, what it booked, its file."""
        self.now += later
        wish = Wish(MERCHANT, self.now, f"proof/{secrets.token_hex(4)}", "on-demand")
        [owed] = await self.ask(self.does.plan_reconciliation, wish)
        step = Step(MERCHANT, owed.run_no, self.now)
        while not (await self.ask(self.does.compare_stock, step)).done:
            continue
        settled = await self.ask(self.does.settle_differences, step)
        return owed.run_no, settled, await self.ask(self.does.write_reconciliation_file, step)


@asynccontextmanager
async def ground(given: str | None = None, data: Path | None = None, **rules: Any) -> AsyncIterator[Ground]:
    """A merchant with these settings of the reconciliation. `data`: a warehouse's file that is there already."""
    keys = KeyRing.new()
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with (
            postgres(given) as server,
            scratch_database(server) as scratch,
            simulator("ongoing", data or Path(folder) / "ongoing.db") as address,
            httpx.AsyncClient(trust_env=False, timeout=60) as http,
        ):
            app, erp = Database(scratch.url("app"), 10), Database(scratch.url("erp"), 4)
            owner_engine = create_async_engine(make_url(scratch.url()).set(drivername="postgresql+asyncpg"))
            settings = Settings(client_deadline_seconds=60, settle_seconds=121)
            connections = ongoing_connections(app, keys, settings)
            does = Reconcile(app, connections, "proof", sftp_connections(app, keys, settings))
            made = Ground(scratch, address, app, erp, connections, does, http, owner_engine)
            owner = {"warehouse": MERCHANT, "goodsOwnerId": OWNER, "name": "Prov AB", "username": "user", "password": "secret"}
            await made.control("PUT", "goods-owners", owner)
            async with erp.everyone() as session:
                await session.execute(text(f"insert into erp.merchant (merchant_id, name) values ('{MERCHANT}', 'Prov AB')"))
            async with app.merchant(MERCHANT) as session:
                await save_settings(session, MERCHANT, {"reconciliation": {"counting_is_known": True} | rules}, "proof")
                sealed = keys.seal(MERCHANT, "ongoing", json.dumps({"username": "user", "password": "secret"}))
                where = {"base_url": address, "warehouse": MERCHANT, "goods_owner_id": OWNER}
                await save_connection(session, MERCHANT, "ongoing", where, sealed)
            try:
                yield made
            finally:
                await owner_engine.dispose()
                await connections.aclose()
                await app.close()
                await erp.close()
