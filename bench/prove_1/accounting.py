"""A merchant connected to the simulated Fortnox on a scratch database, with shipments that wait for their invoices.

Written by the product's own functions. No Temporal here: the activities are called as they are, and whoever calls them stands
in for Temporal's retries.
"""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
from sqlalchemy import text

from activities.fortnox import Fortnox
from activities.writing import WriteRules
from bench.prove_1.stand import Scratch, scratch_database, simulator
from domain.keys import BasisKey, OrderKey
from erp.database import Database, rows
from erp.merchants import load_merchant, save_connection
from erp.orders import load_order
from erp.shipping import ToShip, close_shipment
from worker.keyring import KeyRing
from worker.settings import Settings
from worker.wiring import fortnox_connections

MERCHANT = "proof"
TENANT_ID = 654321
ARTICLES = [(f"ART-{n}", Decimal(n * 7 + 3) / Decimal(4)) for n in range(1, 9)]
CUSTOMERS = 20

_BASES = text("select basis_no, part, order_number from erp.invoice_basis where merchant_id = :merchant order by basis_no, part")


@dataclass(frozen=True, slots=True)
class Accounting:
    """Everything a proof needs of the accounting side."""

    scratch: Scratch
    settings: Settings
    keys: KeyRing
    address: str
    database: Database
    fortnox: Fortnox

    async def control(self, method: str, path: str, body: object | None = None) -> Any:
        """Ask the simulator something that only a simulator can be asked."""
        async with httpx.AsyncClient(base_url=self.address, trust_env=False, timeout=60) as http:
            answer = await http.request(method, f"/_control/{path}", json=body)
            answer.raise_for_status()
            return answer.json()


@asynccontextmanager
async def accounting(
    server: str, folder: Path, window: tuple[int, float], settle: float, deadline: float
) -> AsyncIterator[Accounting]:
    """The merchant, its connection, and the simulator with the same request window."""
    secret = secrets.token_urlsafe(24)
    async with scratch_database(server) as scratch, simulator("fortnox", folder / "fortnox.db") as address:
        keys = KeyRing.new()
        settings = Settings.from_environment(
            {
                "LAGERBRO_KEYS": keys.dump(),
                "LAGERBRO_APP_DATABASE_URL": scratch.url("app"),
                "LAGERBRO_SETTLE_SECONDS": str(settle),
                "LAGERBRO_CLIENT_DEADLINE_SECONDS": str(deadline),
            }
        )
        database = Database(scratch.url("app"), pool_size=30)
        connections = fortnox_connections(database, keys, settings)
        rules = WriteRules(timedelta(seconds=deadline), timedelta(seconds=settle), timedelta(seconds=30))
        stand = Accounting(scratch, settings, keys, address, database, Fortnox(database, connections, rules))
        rate_window = {"requests": window[0], "seconds": window[1]}
        await stand.control(
            "PUT",
            "companies",
            {
                "tenantId": TENANT_ID,
                "name": "Bevis AB",
                "organisationNumber": "556000-0002",
                "clientId": "lagerbro-proof",
                "clientSecret": secret,
            },
        )
        await stand.control("PUT", "settings", {"tenantId": TENANT_ID, "rateWindow": rate_window})
        await _merchant(scratch)
        async with database.merchant(MERCHANT) as session:
            where = {"base_url": address, "token_url": address, "tenant_id": TENANT_ID, "rate_window": rate_window}
            sealed = keys.seal(MERCHANT, "fortnox", json.dumps({"client_id": "lagerbro-proof", "client_secret": secret}))
            await save_connection(session, MERCHANT, "fortnox", where, sealed)
        try:
            yield stand
        finally:
            await connections.aclose()
            await database.close()


async def _merchant(scratch: Scratch) -> None:
    erp = Database(scratch.url("erp"), pool_size=1)
    async with erp.everyone() as session:
        key = {"m": MERCHANT}
        await session.execute(text("insert into erp.merchant (merchant_id, name) values (:m, 'Bevis AB')"), key)
        await session.execute(
            text("insert into erp.article (merchant_id, article_number, name) values (:m, :number, :number)"),
            [key | {"number": number} for number, _ in ARTICLES],
        )
        await session.execute(
            text(
                "insert into erp.customer (merchant_id, customer_number, name, address1, post_code, city)"
                " values (:m, :number, :number, 'Gatan 1', '11122', 'Stad')"
            ),
            [key | {"number": f"K{n}"} for n in range(CUSTOMERS)],
        )
    await erp.close()


async def ship(stand: Accounting, orders: int, long_orders: int = 0, seed: int = 1) -> list[BasisKey]:
    """So many orders of a few lines, and some of more than one invoice, all shipped; returns the invoices to write."""
    rng = Random(seed)
    lines = [rng.randint(1, 3) for _ in range(orders - long_orders)] + [505] * long_orders
    erp = Database(stand.scratch.url("erp"), pool_size=1)
    async with erp.everyone() as session:
        await session.execute(
            text("insert into erp.sales_order (merchant_id, order_number, customer_number) values (:m, :number, :customer)"),
            [{"m": MERCHANT, "number": _number(n), "customer": f"K{n % CUSTOMERS}"} for n in range(orders)],
        )
        await session.execute(
            text(
                "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price)"
                " values (:m, :number, :line, :article, :quantity, :price)"
            ),
            [
                {"m": MERCHANT, "number": _number(n), "line": line, "article": article, "quantity": quantity, "price": price}
                for n, count in enumerate(lines)
                for line in range(1, count + 1)
                for (article, price), quantity in [(rng.choice(ARTICLES), Decimal(rng.randint(1, 9)))]
            ],
        )
        release = "update erp.sales_order set status = 'released' where merchant_id = :m and order_number = :number"
        await session.execute(text(release), [{"m": MERCHANT, "number": _number(n)} for n in range(orders)])
    await erp.close()
    for n in range(orders):
        async with stand.database.merchant(MERCHANT) as session:
            merchant = await load_merchant(session, MERCHANT)
            order = await load_order(session, OrderKey(MERCHANT, _number(n)))
            everything = {line.line_number: line.quantity for line in order.lines}
            await close_shipment(session, merchant, order, ToShip("sent", datetime.now(UTC), everything, []))
    async with stand.database.merchant(MERCHANT) as session:
        bases = await rows(session, _BASES, merchant=MERCHANT)
    return [BasisKey(MERCHANT, row.order_number, 1, row.basis_no, row.part) for row in bases]


def _number(n: int) -> str:
    return f"SO-{n:05d}"
