"""Warehouses that number their statuses otherwise and lock their orders earlier or later: served by the merchant's mapping alone.

Each tenant is a warehouse of its own (a process), all of them one stack. The same orders go to each: most run to their end, one
is a transfer, some the ERP changes and cancels before the warehouse has begun. What becomes of those depends on the tenant's
lock and on nothing else; everything else must come out the same for all.

    python -m bench.prove_2.tenants [--small]
"""

import argparse
import asyncio
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from bench.prove_1.proof import Proof
from bench.prove_1.stand import REPOSITORY, simulator
from erp.database import Database, rows
from erp.merchants import load_merchant
from erp.opening import OpeningBalance, book_opening
from erp.overview import moving, open_exceptions
from starters.merchants import NewMerchant, WebhookAddress, connect_merchant
from starters.stack import Stack
from worker.settings import Settings
from worker.temporal import connect

QUICK = {"LAGERBRO_SETTLE_SECONDS": "13", "LAGERBRO_CLIENT_DEADLINE_SECONDS": "6", "LAGERBRO_DOUBT_SECONDS": "5"}
ARTICLES = {"KRUKA": Decimal("4.50"), "FAT": Decimal("12.25"), "JORD": Decimal("1.10")}

NORWEGIAN = {"sent": 425, "collected": 451, "returned": 475}
PACKING = {"sent": 451, "collected": 475}


@dataclass(frozen=True, slots=True)
class Tenant:
    """One warehouse: the status its orders begin in, where it locks them, and its numbers where they are not the usual."""

    name: str
    start: int
    lock: int
    numbers: dict[str, int] = field(default_factory=dict)
    extra: dict[int, str] = field(default_factory=dict)

    @property
    def open_at_start(self) -> bool:
        """Whether an order may still be changed when it has just arrived."""
        return self.start < self.lock

    @property
    def switches(self) -> dict[str, Any]:
        """How its simulator is set."""
        return {
            "startStatus": self.start,
            "editLockStatus": self.lock,
            "orderStatusNumbers": self.numbers,
            "extraOrderStatuses": [{"number": number, "text": f"Status {number}"} for number in self.extra],
        }

    @property
    def mapping(self) -> dict[str, Any]:
        """The merchant's settings: all that our side needs to know of it."""
        usual = {"error": 150, "open": 200, "released": 300, "allocated": 320, "picked": 400, "sent": 450, "collected": 500}
        usual |= {"returned": 800, "cancelled": 1000}
        statuses = {str(number): meaning for meaning, number in (usual | self.numbers).items()}
        return {
            "statuses": statuses | {str(number): meaning for number, meaning in self.extra.items()},
            "edit_lock_status": self.lock,
            "transporters": {"postnord": {"code": "PLAB", "services": {"ombud": "P19"}}},
            "ways_of_delivery": {"OMBUD": {"code": "mypack", "transporter": "postnord", "service": "ombud"}},
            "order_types": {"normal": None, "webb": "B2C", "flytt": {"code": "MOVE", "invoice": False, "issue_account": 1469}},
        }


TENANTS = (
    Tenant("usual", 300, 320),
    Tenant("lock-200", 200, 200, NORWEGIAN),
    Tenant("lock-300", 200, 300, NORWEGIAN),
    Tenant("lock-320", 300, 320, PACKING, {425: "picked"}),
    Tenant("lock-400", 300, 400, PACKING, {425: "picked"}),
    Tenant("begun-at-once", 300, 300, NORWEGIAN),
)


@dataclass(slots=True)
class Served:
    """A tenant with its merchant's doors."""

    tenant: Tenant
    merchant: str
    number: int
    warehouse: str
    passwords: dict[str, str] = field(repr=False)

    async def control(self, method: str, path: str, body: object) -> None:
        """What only a simulator can be asked."""
        await _control(self.warehouse, method, path, body)


@dataclass(slots=True)
class Outcome:
    """What became of a merchant's orders."""

    statuses: dict[str, str]
    billed: dict[str, Decimal]
    invoiced: Decimal
    left: dict[str, Decimal]


async def prove(small: bool = False) -> Proof:
    """All tenants at once on one stack of their own."""
    began = time.monotonic()
    count = 8 if small else 40
    tenants = TENANTS[:3] if small else TENANTS
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as name:
        folder = Path(name)
        async with Stack.start(folder / "home", environment=QUICK) as stack, AsyncExitStack() as running:
            settings = Settings.from_environment(stack.environment())
            erp = await running.enter_async_context(_database(settings, "erp"))
            app = await running.enter_async_context(_database(settings, "app"))
            verifying = await running.enter_async_context(_database(settings, "verify"))
            served = []
            for n, tenant in enumerate(tenants):
                warehouse = await running.enter_async_context(simulator("ongoing", folder / f"{tenant.name}.db"))
                served.append(Served(tenant, f"t-{tenant.name}", 500 + n, warehouse, {}))
            for each in served:
                await _open(each, stack, settings, erp, app)
                await _release(each, erp, count)
            short = await _until_sent(verifying, served, count)
            await _change_and_cancel(served, erp, count)
            short += await _rest(verifying, 60, wanted=0, orders_may_wait=True)
            for each in served:
                stock = [{"articleNumber": number, "numberOfItems": 100_000} for number in ARTICLES]
                await each.control("PUT", "stock", {"warehouse": each.merchant, "goodsOwnerId": each.number, "articles": stock})
                auto = {"goodsOwnerId": each.number, "enabled": True, "delaySeconds": 0.1, "style": "varied", "seed": 7}
                await each.control("PUT", "auto", auto)
            short += await _rest(verifying, 600)
            outcomes = {each.tenant.name: await _outcome(verifying, each.merchant) for each in served}
            for each in served:
                short += _compare(each.tenant, outcomes[each.tenant.name], outcomes[served[0].tenant.name], count)
                short += await _verified(stack, each.merchant)
    ended = sum(len(outcome.statuses) for outcome in outcomes.values())
    net = sum((outcome.invoiced for outcome in outcomes.values()), Decimal(0))
    figure = (
        f"{len(tenants)} tenants with {ended} orders: statuses as usual, 425/451/475 and 425+451+475, edit lock at "
        f"{', '.join(str(tenant.lock) for tenant in tenants)}; net {net} invoiced; {time.monotonic() - began:.0f} s"
    )
    return Proof("6", "tenants by mapping alone", figure, tuple(short))


@asynccontextmanager
async def _database(settings: Settings, role: Any) -> AsyncIterator[Database]:
    database = Database(settings.database(role), pool_size=4)
    try:
        yield database
    finally:
        await database.close()


async def _control(address: str, method: str, path: str, body: object) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        (await http.request(method, f"{address}/_control/{path}", json=body)).raise_for_status()


async def _open(each: Served, stack: Stack, settings: Settings, erp: Database, app: Database) -> None:
    """A merchant at its own warehouse and with its own company, its articles and stock in the ERP; connected."""
    password, secret, tenant_id = secrets.token_hex(12), secrets.token_hex(12), 700_000 + each.number
    webhook, books = WebhookAddress.new(), stack.addresses["fortnox"]
    owner = {"warehouse": each.merchant, "goodsOwnerId": each.number, "name": "Prov", "username": "u", "password": password}
    await each.control("PUT", "settings", each.tenant.switches)
    await each.control("PUT", "goods-owners", owner)
    for kind in ("order", "picking"):
        body: dict[str, Any] = {"goodsOwnerId": each.number, "type": kind, "token": webhook.token, "enabled": True}
        await each.control("PUT", "webhooks", body | {"url": stack.addresses["intake"] + webhook.path, "retryPolicy": "OneDay"})
    company = {"tenantId": tenant_id, "name": "Prov AB", "organisationNumber": "556000-0003", "clientId": each.merchant}
    await _control(books, "PUT", "companies", company | {"clientSecret": secret})
    window = {"requests": 25, "seconds": 0.05}
    await _control(books, "PUT", "settings", {"tenantId": tenant_id, "rateWindow": window})
    merchant = NewMerchant(
        each.merchant,
        f"Prov {each.tenant.name}",
        {"base_url": each.warehouse, "warehouse": each.merchant, "goods_owner_id": each.number},
        {"username": "u", "password": password},
        {"base_url": books, "token_url": books, "tenant_id": tenant_id, "rate_window": window},
        {"client_id": each.merchant, "client_secret": secret},
        settings=each.tenant.mapping | {"short_grace_seconds": 3, "watch_interval_seconds": 5},
    )
    await connect_merchant(erp, app, settings.key_ring(), await connect(settings), merchant, webhook)
    async with erp.everyone() as session:
        article = text("insert into erp.article (merchant_id, article_number, name) values (:m, :number, :number)")
        await session.execute(article, [{"m": each.merchant, "number": number} for number in ARTICLES])
        customer = text(
            "insert into erp.customer (merchant_id, customer_number, name, address1, post_code, city)"
            " values (:m, 'K1', 'Kunden AB', 'Gatan 1', '11122', 'Stad')"
        )
        await session.execute(customer, {"m": each.merchant})
    async with app.merchant(each.merchant) as session:
        balances = [OpeningBalance(number, Decimal(10_000), cost) for number, cost in ARTICLES.items()]
        await book_opening(session, await load_merchant(session, each.merchant), balances, datetime.now(UTC), "proof", "proof")


def _numbers(count: int) -> list[str]:
    return [f"SO-{n:03d}" for n in range(count)]


def _cancelled(count: int) -> list[str]:
    """The orders that the ERP wants cancelled."""
    return _numbers(count)[1::4]


def _changed(count: int) -> list[str]:
    """The orders that the ERP changes."""
    return _numbers(count)[2::4]


async def _release(each: Served, erp: Database, count: int) -> None:
    order = text(
        "insert into erp.sales_order (merchant_id, order_number, customer_number, order_type, way_of_delivery, freight)"
        " values (:m, :number, 'K1', :type, :way, 49)"
    )
    line = text(
        "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price)"
        " values (:m, :number, :line, :article, :quantity, :price)"
    )
    async with erp.everyone() as session:
        for n, number in enumerate(_numbers(count)):
            kind = "flytt" if n == 0 else "webb" if n % 3 == 0 else "normal"
            key: dict[str, Any] = {"m": each.merchant, "number": number}
            await session.execute(order, key | {"type": kind, "way": "OMBUD" if n % 2 else None})
            for at, article in enumerate(ARTICLES, start=1):
                await session.execute(
                    line, key | {"line": at, "article": article, "quantity": 1 + (n + at) % 4, "price": 10 * at}
                )
        release = text("update erp.sales_order set status = 'released' where merchant_id = :m")
        await session.execute(release, {"m": each.merchant})


async def _until_sent(verifying: Database, served: Iterable[Served], count: int) -> list[str]:
    wanted = {each.merchant: count for each in served}
    statement = text("select merchant_id, count(*) as n from erp.sales_order where status = 'at-warehouse' group by 1")
    sent: dict[str, int] = {}
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        async with verifying.everyone() as session:
            sent = {row.merchant_id: row.n for row in await rows(session, statement)}
        if sent == wanted:
            return []
        await asyncio.sleep(0.3)
    return [f"of {count} orders each, at the warehouse are only {sent}"]


async def _change_and_cancel(served: Iterable[Served], erp: Database, count: int) -> None:
    async with erp.everyone() as session:
        for each in served:
            key = {"m": each.merchant}
            cancel = (
                "update erp.sales_order set cancel_requested_at = now() where merchant_id = :m and order_number = any(:these)"
            )
            change = "update erp.sales_order set note = 'Ring först' where merchant_id = :m and order_number = any(:these)"
            await session.execute(text(cancel), key | {"these": _cancelled(count)})
            await session.execute(text(change), key | {"these": _changed(count)})


async def _rest(verifying: Database, seconds: float, wanted: int = 0, orders_may_wait: bool = False) -> list[str]:
    """Wait until nothing moves; with `orders_may_wait` until every message has been delivered and its effect could be seen."""
    now: dict[str, int] = {}
    calm = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        async with verifying.everyone() as session:
            now = await moving(session)
        still = now["outbox"] + now["inbox"] + (0 if orders_may_wait else now["orders"])
        calm = calm + 1 if still == wanted else 0
        if calm > (8 if orders_may_wait else 1):
            break
        await asyncio.sleep(0.5)
    else:
        return [f"after {seconds:g} s there still are {now}"]
    if not now["blocked"]:
        return []
    async with verifying.everyone() as session:
        standing = await open_exceptions(session, None)
    return [f"{row['merchant_id']} {row['document']}: {row['code']} {row['detail']}" for row in standing if row["blocking"]][:10]


async def _outcome(verifying: Database, merchant: str) -> Outcome:
    orders = text("select order_number, status from erp.sales_order where merchant_id = :m")
    billed = text(
        """
        select order_number, sum(net) as net from erp.invoice_basis where merchant_id = :m and state = 'booked' group by 1
        """
    )
    left = text("select article_number, quantity from erp.stock_balance where merchant_id = :m")
    async with verifying.everyone() as session:
        found = {row.order_number: row.net for row in await rows(session, billed, m=merchant)}
        return Outcome(
            {row.order_number: row.status for row in await rows(session, orders, m=merchant)},
            found,
            sum(found.values(), Decimal(0)),
            {row.article_number: row.quantity for row in await rows(session, left, m=merchant)},
        )


def _compare(tenant: Tenant, outcome: Outcome, usual: Outcome, count: int) -> list[str]:
    """What the ERP wanted cancelled ends as the lock says; every other order ends, and is billed, as for the usual tenant."""
    short = []
    for number, status in outcome.statuses.items():
        wanted = "cancelled" if number in _cancelled(count) and tenant.open_at_start else "completed"
        if status != wanted:
            short.append(f"{tenant.name} {number} is {status}, expected was {wanted}")
        billed, expected = outcome.billed.get(number), usual.billed.get(number)
        if number not in _cancelled(count) and billed != expected:
            short.append(f"{tenant.name} {number} is billed {billed}, elsewhere {expected}")
        if (billed is None) != (wanted == "cancelled" or number == _numbers(count)[0]):
            short.append(f"{tenant.name} {number} ends {status} and is billed {billed}")
    return short


async def _verified(stack: Stack, merchant: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from starters.cli import main; main()",
        "verify",
        "--merchant",
        merchant,
        "--online",
        "--json",
        cwd=REPOSITORY,
        env=os.environ | stack.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode == 0:
        return []
    results = json.loads(output).get("results", [])
    bad = [f"{r['invariant']} {r['says']}: {r['why'] or r['samples'][:2]}" for r in results if r["verdict"] != "clean"]
    return [f"verify --online of {merchant} ended with {process.returncode}: {' // '.join(bad)[:1000]}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="three tenants and few orders: does the proof itself work?")
    proof = asyncio.run(prove(parser.parse_args().small))
    print(proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
