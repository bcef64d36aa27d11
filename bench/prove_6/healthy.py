"""Healthy merchants for the doctor's proof: connected to both simulators, with workers, schedules, rates and folders.

Each is one more merchant on the same servers. What a planted fault turns for everybody (switches, clocks, faults on tap) is
turned back by `World.calm`.
"""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError

from bench.prove_1.stand import free_port, postgres, scratch_database, simulator
from erp.database import Database
from erp.merchants import save_connection
from erp.migrate import LOGINS
from simulators.fortnox.company import ALL_SCOPES
from simulators.ongoing.switches import DEFAULTS
from starters.doctor import Finding, examine
from starters.merchants import NewMerchant, WebhookAddress, connect_merchant
from starters.stack import temporal
from starters.stack.child import Program
from starters.stack.child import start as start_child
from tests.activities.world import Control, Shop, Worker, new_shop, new_worker
from tests.erp.data import insert
from worker.__main__ import workers as product_workers
from worker.codec import data_converter
from worker.keyring import KeyRing
from worker.settings import Settings

OURS = {
    "short_grace_seconds": 0,
    "goods_received_not_invoiced_account": 2490,
    "transporters": {"postnord": {"code": "PLAB", "services": {"ombud": "P19"}}},
    "ways_of_delivery": {"OMBUD": {"code": "mypack", "transporter": "postnord", "service": "ombud"}},
    "order_types": {
        "normal": None,
        "webb": "B2C",
        "transfer": {"code": "TRANSFER", "invoice": False, "issue_account": 1461},
    },
    "return_causes": {"DEFECT": "scrapped", "REGRET": "stock"},
    "rate_currencies": ["EUR"],
}
"""A merchant's settings as a careful consultant leaves them; `reconciliation` is added with the merchant's folders."""

PATIENT_SECONDS = 30


async def until(probe: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until something is so, not for ever."""
    deadline = time.monotonic() + PATIENT_SECONDS
    while not await probe():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {PATIENT_SECONDS} s in vain: {what}")
        await asyncio.sleep(0.1)


@dataclass
class Patient:
    """A healthy merchant, and every place where something can be misconfigured."""

    world: "World"
    shop: Shop
    folder: Path
    new: NewMerchant
    keys: KeyRing = field(repr=False)

    @property
    def merchant(self) -> str:
        return self.shop.merchant

    # --- what is ours

    async def sql(self, statement: str, **values: Any) -> None:
        """As the database's owner, with `:m` for the merchant."""
        owner = Database(self.world.owner_url, pool_size=1)
        try:
            async with owner.everyone() as session:
                await session.execute(text(statement), {"m": self.merchant} | values)
        finally:
            await owner.close()

    async def settings(self, **changes: Any) -> None:
        """Settings as they are stored, unchecked; None takes one away."""
        stored = {name: value for name, value in (self.new.settings | changes).items() if value is not None}
        await self.sql(
            "update bridge.merchant_settings set settings = cast(:s as jsonb) where merchant_id = :m", s=json.dumps(stored)
        )

    async def reconciliation(self, **changes: Any) -> None:
        await self.settings(reconciliation=self.new.settings["reconciliation"] | changes)

    async def connection(self, system: str, where: dict[str, Any], keys: KeyRing | None = None, **credentials: str) -> None:
        """Where a system is and how it is entered, as stored."""
        old, secret = (
            (self.new.ongoing, self.new.ongoing_credentials)
            if system == "ongoing"
            else (self.new.fortnox, self.new.fortnox_credentials)
        )
        sealed = (keys or self.keys).seal(self.merchant, system, json.dumps(secret | credentials))
        async with self.shop.worker.database.merchant(self.merchant) as session:
            await save_connection(session, self.merchant, system, old | where, sealed)

    async def add(self, table: str, **values: Any) -> None:
        """A row that the ERP writes."""
        async with self.shop.erp.everyone() as session:
            await insert(session, f"erp.{table}", {"merchant_id": self.merchant} | values)

    async def draft(self, vat_rate: int = 25, **head: Any) -> None:
        """An order that somebody is writing in the ERP; it is not released."""
        order = {"order_number": "SO-D", "customer_number": "K-1"} | head
        await self.add("sales_order", **order)
        line = {"order_number": order["order_number"], "line_number": 1, "article_number": "A", "quantity": 1, "unit_price": 10}
        await self.add("sales_order_line", **line, vat_rate=vat_rate)

    # --- what is the warehouse's

    async def warehouse(self, **switches: Any) -> None:
        await self.shop.ongoing("PUT", "settings", switches)

    # --- what is the books'

    async def company(self, **changes: Any) -> None:
        await self.shop.fortnox("PUT", "companies", {"tenantId": self.shop.tenant} | changes)

    async def consent(self, without: str) -> None:
        """The integration's consent, without one of its scopes."""
        scopes = [scope for scope in ALL_SCOPES if scope != without]
        known = {"clientId": f"client-{self.shop.goods_owner}", "clientSecret": self.shop.secrets["fortnox"]}
        await self.company(**known, scopes=scopes)

    async def account(self, number: int, **changes: Any) -> None:
        await self.shop.fortnox("POST", f"accounts/{number}", {"tenantId": self.shop.tenant} | changes)

    async def years(self) -> list[dict[str, Any]]:
        answer = json.loads((await self.shop.call_fortnox("GET", "financialyears")).content)
        return list(answer["FinancialYears"])

    async def year_of(self, day: str) -> int:
        return next(int(y["Id"]) for y in await self.years() if y["FromDate"] <= day <= y["ToDate"])

    async def every_year(self, path: str, body: dict[str, Any], from_year: int = 0) -> None:
        """The same change in every financial year, or in those from one on: registers are kept by year."""
        for year in await self.years():
            if int(year["FromDate"][:4]) >= from_year:
                await self.shop.call_fortnox("PUT", f"{path}?financialyear={year['Id']}", body)

    async def close_year(self, number: int) -> None:
        await self.shop.fortnox("DELETE", f"financial-years/{number}?tenantId={self.shop.tenant}")

    # --- the doctor

    async def examine(self, client: Client | None = None, no_temporal: bool = False) -> list[Finding]:
        """What the doctor says of it now."""
        asked = None if no_temporal else client or self.world.client
        return await examine(self.world.settings, self.world.keys, self.merchant, asked)


@dataclass
class World:
    """The servers that all merchants share."""

    settings: Settings
    environment: dict[str, str] = field(repr=False)
    keys: KeyRing = field(repr=False)
    owner_url: str = field(repr=False)
    client: Client
    erp: Database
    verifying: Database
    worker: Worker
    ongoing: Control
    fortnox: Control
    folder: Path

    async def patient(self) -> Patient:
        """One more merchant in good health, its rates fetched."""
        app = self.settings.database("app")
        shop = await new_shop(self.erp, self.verifying, [self.worker], self.ongoing, self.fortnox, self.keys, app)
        folder = self.folder / shop.merchant
        (folder / "reports").mkdir(parents=True)
        (folder / "files").mkdir()
        await _over_there(shop)
        reconciliation = {"counting_is_known": True, "warehouse_ids": [1], "folder": str(folder / "reports")}
        new = NewMerchant(
            merchant_id=shop.merchant,
            name="Provhandel AB",
            ongoing={"base_url": self.ongoing.address, "warehouse": shop.merchant, "goods_owner_id": shop.goods_owner},
            ongoing_credentials={"username": "user", "password": shop.secrets["ongoing"]},
            fortnox={
                "base_url": self.fortnox.address,
                "token_url": self.fortnox.address,
                "tenant_id": shop.tenant,
                "rate_window": {"requests": 25, "seconds": 0.02},
            },
            fortnox_credentials={"client_id": f"client-{shop.goods_owner}", "client_secret": shop.secrets["fortnox"]},
            settings=OURS | {"reconciliation": reconciliation},
        )
        made = Patient(self, shop, folder, new, self.keys)
        await made.add("supplier", supplier_number="L-1", name="Leverantören GmbH", country="DE", currency="EUR")
        await connect_merchant(self.erp, self.worker.database, self.keys, self.client, new, WebhookAddress.new())
        await self._until_rated(made)
        return made

    async def _until_rated(self, made: Patient) -> None:
        async def looked() -> bool:
            return bool(
                await made.shop.read(
                    "select 1 from erp.exchange_rate r join bridge.entity e using (merchant_id)"
                    " where merchant_id = :m and e.flow = 'orders-back' and e.last_run_at is not null limit 1"
                )
            )

        await until(looked, f"rates and watcher of {made.merchant}")

    async def calm(self, made: Patient | None = None) -> None:
        """Turn back what is everybody's, and let a merchant that was looked at rest."""
        await self.ongoing("PUT", "settings", dict(DEFAULTS))
        for control in (self.ongoing, self.fortnox):
            await control("PUT", "clock", None)
            await control("DELETE", "faults")
        if made is None:
            return
        shutil.rmtree(made.folder, ignore_errors=True)
        with contextlib.suppress(RPCError):
            await self.client.get_workflow_handle(f"watch/{made.merchant}").terminate("looked at")
        for name in ("vouchers", "reconcile", "supplier-invoices", "rates"):
            with contextlib.suppress(RPCError):
                await self.client.get_schedule_handle(f"{name}/{made.merchant}").delete()


async def _over_there(shop: Shop) -> None:
    """What the warehouse and the accountant have set up."""
    owner: dict[str, Any] = {"goodsOwnerId": shop.goods_owner}
    ways = {**owner, "code": "mypack", "name": "MyPack"}
    assert (await shop.call_ongoing("PUT", "orders/wayOfDeliveryTypes", ways)).status_code == 200
    for code in ("DEFECT", "REGRET"):
        body = {**owner, "code": code, "name": code.title()}
        assert (await shop.call_ongoing("PUT", "returnOrders/returnCauses", body)).status_code == 200
    for number, kind in (("H-1", "B2C"), ("H-2", "TRANSFER")):
        head = {
            **owner,
            "orderNumber": number,
            "deliveryDate": datetime.now(UTC).date().isoformat(),
            "consignee": {"name": "Hand", "countryCode": "SE"},
            "orderType": {"code": kind, "name": kind},
            "orderLines": [],
        }
        await shop.ongoing("POST", "orders", head)
    inbound = {
        **owner,
        "purchaseOrderNumber": "H-3",
        "purchaseOrderType": {"code": "TRANSFER", "name": "TRANSFER"},
        "inDate": datetime.now(UTC).isoformat(),
        "purchaseOrderLines": [],
    }
    assert (await shop.call_ongoing("PUT", "purchaseOrders", inbound)).status_code < 300
    for account in (2490, 1461):
        await shop.fortnox("POST", f"accounts/{account}", {"tenantId": shop.tenant, "active": True})


@asynccontextmanager
async def world(server: str | None = None) -> AsyncIterator[World]:
    """PostgreSQL, Temporal with the product's workers, and the three simulators, for as long as the proof takes."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        async with (
            postgres(server) as address,
            scratch_database(address) as scratch,
            simulator("ongoing", folder / "ongoing.db") as warehouse,
            simulator("fortnox", folder / "fortnox.db") as books,
            simulator("riksbank", folder / "riksbank.db") as bank,
            _temporal(folder) as temporal_address,
            httpx.AsyncClient(trust_env=False, timeout=60) as http,
        ):
            keys = KeyRing.new()
            environment = {
                **{f"LAGERBRO_{role.upper()}_DATABASE_URL": scratch.url(role) for role in LOGINS},
                "TEMPORAL_ADDRESS": temporal_address,
                "TEMPORAL_NAMESPACE": "default",
                "LAGERBRO_KEYS": keys.dump(),
                "LAGERBRO_RIKSBANK_URL": f"{bank}/swea/v1",
                "LAGERBRO_ECB_URL": f"{bank}/stats/eurofxref",
                "LAGERBRO_DOUBT_SECONDS": "1",
                "LAGERBRO_CLIENT_DEADLINE_SECONDS": "5",
                "LAGERBRO_SETTLE_SECONDS": "11",
            }
            settings = Settings.from_environment(environment)
            client = await Client.connect(temporal_address, data_converter=data_converter(settings))
            erp, verifying = Database(scratch.url("erp"), 4), Database(scratch.url("verify"), 4)
            worker, app = new_worker(scratch.url("app"), keys), Database(scratch.url("app"), 8)
            running, connections = product_workers(client, app, keys, settings)
            tasks = [asyncio.create_task(each.run()) for each in running]
            try:
                yield World(
                    settings,
                    environment,
                    keys,
                    scratch.url(),
                    client,
                    erp,
                    verifying,
                    worker,
                    Control(warehouse, http),
                    Control(books, http),
                    folder,
                )
            finally:
                await asyncio.gather(*(each.shutdown() for each in running))
                await asyncio.gather(*tasks)
                for connection in connections:
                    await connection.aclose()  # type: ignore[attr-defined]
                await worker.close()
                for database in (erp, verifying, app):
                    await database.close()
                await asyncio.sleep(0.3)  # the SDK may crash a process whose clients end at once


@asynccontextmanager
async def _temporal(folder: Path) -> AsyncIterator[str]:
    ports = {name: free_port() for name in ("temporal", "ui", "metrics", "http")}
    address = f"127.0.0.1:{ports['temporal']}"
    program = Program(
        name="temporal",
        command=temporal.command(temporal.binary(os.environ.get("TEMPORAL_CLI")), None, ports),
        environment={"HOME": str(folder), "GOGC": "400"},
        log=folder / "temporal.log",
        probe=lambda: temporal.serves(address),
    )
    process = start_child(program)
    try:
        await until(program.probe, "Temporal")
        yield address
    finally:
        process.terminate()
        process.wait(20)
