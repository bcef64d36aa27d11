"""A merchant between real PostgreSQL and the two simulators, and the people who work there.

`again` stands in for Temporal: what time cures is tried again, at the pace the error asks for; what a person must cure
comes out. Timings are injected and short, so nothing waits long.
"""

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.articles import Articles
from activities.connections import Connections
from activities.erp import Erp
from activities.errors import Waiting
from activities.fortnox import Fortnox
from activities.ongoing import Ongoing, Rules
from activities.purchases import Purchases
from activities.reconcile import Reconcile
from activities.returns import Returns
from activities.supplier_invoices import SupplierInvoices
from activities.vouchers import Vouchers
from activities.watch import Watch
from activities.writing import WriteRules
from clients.errors import Unavailable
from domain.errors import LookAgain
from domain.keys import OrderKey, OrderState
from erp.database import Database
from erp.merchants import save_connection, save_settings
from tests.erp.data import Row, add_merchant, add_order, insert, line, open_stock, read, set_order
from worker.keyring import KeyRing
from worker.settings import Settings
from worker.wiring import fortnox_connections, ongoing_connections, sftp_connections

PATIENCE = timedelta(seconds=0.3)
SETTLE = timedelta(seconds=0.4)
ALIVE = timedelta(seconds=1.0)
DEADLINE = timedelta(seconds=5)
UNCLEAR = timedelta(seconds=0.2)
SETTINGS: dict[str, Any] = {"short_grace_seconds": 0}

_numbers = itertools.count(1000)
Answer = TypeVar("Answer")


@dataclass
class Control:
    """The control interface of one simulator."""

    address: str
    http: httpx.AsyncClient

    async def __call__(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"{self.address}/_control/{path}", json=body)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return json.loads(answer.content) if answer.content else None

    @asynccontextmanager
    async def fault(self, route: str, kind: str, count: int | None = 1, **settings: Any) -> AsyncIterator[None]:
        """While inside, requests to this route meet the fault; it must strike as often as asked, or at all if None."""
        async with self.faults(rule(route, kind, count, **settings)):
            yield

    @asynccontextmanager
    async def faults(self, *rules: dict[str, Any]) -> AsyncIterator[None]:
        """Several faults at once."""
        for each in rules:
            await self("POST", "faults", each)
        try:
            yield
            answer = await self("GET", "faults")
            fired = {f["id"]: f["fired"] for f in (answer["faults"] if isinstance(answer, dict) else answer)}
            for each in rules:
                struck = fired[each["id"]]
                assert struck == each["count"] or (each["count"] is None and struck), f"{each} struck {struck} times"
        finally:
            await self("DELETE", "faults")


def rule(route: str, kind: str, count: int | None = 1, **settings: Any) -> dict[str, Any]:
    """A fault as the control interface takes it."""
    drawn = {name: settings.pop(name) for name in ("after", "probability", "seed") if name in settings}
    return {"id": f"f-{secrets.token_hex(4)}", "route": route, "kind": kind, "count": count, "params": settings} | drawn


@dataclass
class Worker:
    """The activities of one worker process, with pools and clients of its own."""

    database: Database
    ongoing: Ongoing
    fortnox: Fortnox
    watch: Watch
    erp: Erp
    vouchers: Vouchers
    articles: Articles
    returns: Returns
    purchases: Purchases
    reconcile: Reconcile
    supplier_invoices: SupplierInvoices
    connections: Sequence[Connections[Any]]

    async def close(self) -> None:
        for each in self.connections:
            await each.aclose()
        await self.database.close()


def new_worker(app_url: str, keys: KeyRing, settle: timedelta = SETTLE) -> Worker:
    settings = Settings(client_deadline_seconds=DEADLINE.total_seconds(), settle_seconds=2 * DEADLINE.total_seconds() + 1)
    database = Database(app_url, pool_size=10)
    warehouse = ongoing_connections(database, keys, settings)
    accounting = fortnox_connections(database, keys, settings)
    files = sftp_connections(database, keys, settings)
    rules = WriteRules(DEADLINE, settle, PATIENCE)
    return Worker(
        database,
        Ongoing(database, warehouse, Rules(PATIENCE, UNCLEAR, "test", ALIVE)),
        Fortnox(database, accounting, rules),
        Watch(database, warehouse),
        Erp(database),
        Vouchers(database, accounting, rules),
        Articles(database, warehouse, UNCLEAR),
        Returns(database, warehouse, Rules(PATIENCE, UNCLEAR, "test", ALIVE)),
        Purchases(database, warehouse, Rules(PATIENCE, UNCLEAR, "test", ALIVE)),
        Reconcile(database, warehouse, "test", files),
        SupplierInvoices(database, accounting, "test"),
        (warehouse, accounting, files),
    )


def never() -> bool:
    return False


longest_wait = 60.0
"""Seconds until a test gives an activity up. Proofs that load the machine wait longer."""


async def again(
    does: Callable[[Any], Awaitable[Answer]], argument: Any, seconds: float | None = None, heartbeat: Any = None
) -> Answer:
    """Run an activity until it answers, as Temporal would. Refusals and bugs come out at once."""
    async with asyncio.timeout(longest_wait if seconds is None else seconds):
        while True:
            environment = ActivityEnvironment()
            try:
                answer: Answer = await environment.run(does, argument)
                return answer
            except Waiting as waiting:
                await asyncio.sleep(min(waiting.seconds, 0.5))
            except (LookAgain, Unavailable):
                await asyncio.sleep(0.02)


async def once(workers: Sequence[Worker], does: Callable[[Worker], Callable[[Any], Awaitable[Answer]]], argument: Any) -> Answer:
    return await again(does(workers[0]), argument)


async def twice(workers: Sequence[Worker], does: Callable[[Worker], Callable[[Any], Awaitable[Answer]]], argument: Any) -> Answer:
    await again(does(workers[0]), argument)
    return await again(does(workers[1]), argument)


async def eight_at_once(
    workers: Sequence[Worker], does: Callable[[Worker], Callable[[Any], Awaitable[Answer]]], argument: Any
) -> Answer:
    """Four by each of two workers, started together. All must answer; the last to be asked answers for all."""
    await asyncio.gather(*(again(does(workers[number % 2]), argument) for number in range(8)))
    return await again(does(workers[0]), argument)


HOW_OFTEN = (once, twice, eight_at_once)


@dataclass
class Shop:
    """One merchant with its warehouse and its books over there."""

    merchant: str
    goods_owner: int
    tenant: int
    erp: Database
    verify: Database
    workers: Sequence[Worker]
    ongoing: Control
    fortnox: Control
    keys: KeyRing
    app_url: str = field(repr=False)
    secrets: dict[str, str] = field(repr=False)

    @property
    def worker(self) -> Worker:
        return self.workers[0]

    def key(self, number: str = "SO-1") -> OrderKey:
        return OrderKey(self.merchant, number)

    # --- the ERP

    async def order(self, number: str = "SO-1", lines: Sequence[Row] = (), **columns: Any) -> OrderKey:
        """A released order, with its process begun as the relay begins it."""
        await add_order(self.erp, self.merchant, number, lines or [line("A", 3, 10), line("B", 2, "5.50")], **columns)
        await self.begin(number)
        return self.key(number)

    async def change(self, number: str = "SO-1", **columns: Any) -> None:
        """The ERP changes the head of its order."""
        await set_order(self.erp, self.merchant, number, **columns)

    async def change_lines(self, changes: dict[int, Row | None], number: str = "SO-1") -> None:
        """The ERP changes lines by their number: new values, a new line, or None for a line that goes."""
        where = "where merchant_id = :m and order_number = :o and line_number = :n"
        async with self.erp.everyone() as session:
            for line_number, values in changes.items():
                key = {"m": self.merchant, "o": number, "n": line_number}
                if values is None:
                    await session.execute(text(f"delete from erp.sales_order_line {where}"), key)
                    continue
                sets = ", ".join(f"{name} = :{name}" for name in values)
                done = await session.execute(text(f"update erp.sales_order_line set {sets} {where}"), values | key)
                if not done.rowcount:
                    head = {"merchant_id": self.merchant, "order_number": number, "line_number": line_number}
                    await insert(session, "erp.sales_order_line", head | values)

    async def ask_to_cancel(self, number: str = "SO-1") -> None:
        """The ERP asks to cancel its order."""
        await self.change(number, cancel_requested_at=datetime.now(UTC))

    async def answers(self, number: str = "SO-1") -> dict[str, Any]:
        """What we have told the ERP on its own row: what was refused, and what became of its wish to cancel."""
        [(version, part, code, cancel)] = await self.read(
            "select refused_version, refused_part, refused_code, cancel_answer from erp.sales_order"
            " where merchant_id = :m and order_number = :n",
            n=number,
        )
        return {"version": version, "part": part, "code": code, "cancel": cancel}

    async def begin(self, number: str) -> None:
        async with self.worker.database.merchant(self.merchant) as session:
            await session.execute(
                text(
                    "insert into bridge.process (merchant_id, kind, document, run, workflow_id)"
                    " values (:m, 'sales-order', :n, 1, :w) on conflict do nothing"
                ),
                {"m": self.merchant, "n": number, "w": self.key(number).workflow_id},
            )

    async def settings(self, **changes: Any) -> None:
        async with self.worker.database.merchant(self.merchant) as session:
            await save_settings(session, self.merchant, SETTINGS | changes, "test")
        await self.forget()

    async def forget(self) -> None:
        """As when the workers were started anew: nothing is remembered of connections and settings."""
        for worker in self.workers:
            for connections in worker.connections:
                if known := connections._known.pop(self.merchant, None):
                    await connections.close(known.client)

    # --- the warehouse's people

    async def stock(self, quantity: Any = 100_000, articles: Sequence[str] = ("A", "B", "C")) -> None:
        body = {"warehouse": self.merchant, "goodsOwnerId": self.goods_owner}
        numbers = [{"articleNumber": number, "numberOfItems": str(quantity)} for number in articles]
        await self.ongoing("PUT", "stock", body | {"articles": numbers})

    async def floor(self, action: str, number: str = "SO-1", lines: dict[int, Any] | None = None, **more: Any) -> Any:
        body: dict[str, Any] = dict(more)
        if lines is not None:
            body["lines"] = [{"rowNumber": str(row), "numberOfItems": str(quantity)} for row, quantity in lines.items()]
        return await self.ongoing("POST", f"orders/by-number/{self.goods_owner}/{number}/{action}", body)

    async def pick_and_send(self, number: str = "SO-1", lines: dict[int, Any] | None = None) -> None:
        await self.floor("pick", number, lines)
        await self.floor("send", number)

    async def call_ongoing(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A request as any other client of the warehouse would make it."""
        return await self.ongoing.http.request(
            method,
            f"{self.ongoing.address}/{self.merchant}/api/v1/{path}",
            json=body,
            auth=("user", self.secrets["ongoing"]),
        )

    async def call_fortnox(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A request as the accountant's own program would make it."""
        token = await self.fortnox.http.post(
            f"{self.fortnox.address}/oauth-v1/token",
            data={"grant_type": "client_credentials"},
            headers={"TenantId": str(self.tenant)},
            auth=(f"client-{self.goods_owner}", self.secrets["fortnox"]),
        )
        answer = await self.fortnox.http.request(
            method,
            f"{self.fortnox.address}/3/{path}",
            json=body,
            headers={"Authorization": f"Bearer {token.json()['access_token']}"},
        )
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer

    # --- the activities

    async def send(self, number: str = "SO-1") -> OrderState:
        return await again(self.worker.ongoing.send_sales_order, self.key(number))

    async def sent(self, number: str = "SO-1", lines: Sequence[Row] = (), **columns: Any) -> OrderKey:
        """An order that the warehouse holds, with stock enough."""
        key = await self.order(number, lines, **columns)
        await self.send(number)
        await self.stock(
            articles=sorted({row["article_number"] for row in lines if row["article_number"] != "FRAKTSERVICE"} or {"A", "B"})
        )
        return key

    async def look(self, number: str = "SO-1") -> OrderState:
        return await again(self.worker.ongoing.look_at_sales_order, self.key(number))

    async def look_until_calm(self, number: str = "SO-1") -> OrderState:
        """Look as the workflow would, until no look is owed."""
        async with asyncio.timeout(15):
            while True:
                state = await self.look(number)
                if state.look_after is None or state.look_after > 60:
                    return state
                await asyncio.sleep(min(state.look_after, 0.2))

    async def invoice(self, state: OrderState) -> OrderState:
        while state.to_invoice:
            state = await again(self.worker.fortnox.invoice_shipment, state.to_invoice[0])
        return state

    async def ended(self, state: OrderState, number: str = "SO-1") -> OrderState:
        """Go on as the workflow does until the order is at its end: invoice what is owed, look when it is time to."""
        async with asyncio.timeout(15):
            while state.outcome is None:
                state = await self.invoice(state) if state.to_invoice else await self.look(number)
        return state

    # --- what is true afterwards

    async def read(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of ours, with `:m` for the merchant."""
        return await read(self.verify, statement, m=self.merchant, **parameters)

    async def status(self, number: str = "SO-1") -> str:
        [(found,)] = await self.read("select status from erp.sales_order where merchant_id = :m and order_number = :n", n=number)
        return str(found)

    async def exceptions(self) -> list[tuple[Any, ...]]:
        return await self.read(
            "select code, blocking from bridge.exception where merchant_id = :m and closed_at is null order by 1"
        )

    async def balances(self) -> dict[str, tuple[Any, Any]]:
        found = await self.read("select article_number, quantity, value from erp.stock_balance where merchant_id = :m")
        return {number: (quantity, value) for number, quantity, value in found}

    async def invoices(self) -> list[dict[str, Any]]:
        """Every invoice in Fortnox, by number."""
        state = await self.fortnox("GET", f"state?tenantId={self.tenant}")
        return sorted(state["invoices"], key=lambda invoice: int(invoice["number"]))

    async def vouchers(self) -> list[dict[str, Any]]:
        """Every voucher in Fortnox."""
        state = await self.fortnox("GET", f"state?tenantId={self.tenant}")
        return list(state["vouchers"])

    async def warehouse_order(self, number: str = "SO-1") -> dict[str, Any]:
        answer = await self.call_ongoing("GET", f"orders?goodsOwnerId={self.goods_owner}&orderNumber={number}")
        [order] = json.loads(answer.content)
        return dict(order)

    async def picked_and_reported(self, number: str = "SO-1") -> dict[str, tuple[Any, Any]]:
        order = await self.warehouse_order(number)
        return {row["rowNumber"]: (row["pickedNumberOfItems"], row["reportedNumberOfItems"]) for row in order["orderLines"]}


async def new_shop(
    erp: Database,
    verify: Database,
    workers: Sequence[Worker],
    ongoing: Control,
    fortnox: Control,
    keys: KeyRing,
    app_url: str,
    opening: bool = True,
) -> Shop:
    """A merchant of its own at both simulators, connected; with opening stock in our books, or none."""
    merchant, number = await add_merchant(erp), next(_numbers)
    known = {"ongoing": secrets.token_hex(8), "fortnox": secrets.token_hex(8)}
    shop = Shop(merchant, number, 100_000 + number, erp, verify, workers, ongoing, fortnox, keys, app_url, known)
    await ongoing(
        "PUT",
        "goods-owners",
        {
            "warehouse": merchant,
            "goodsOwnerId": shop.goods_owner,
            "name": "Provhandel AB",
            "username": "user",
            "password": known["ongoing"],
        },
    )
    if fortnox.address:
        await fortnox(
            "PUT",
            "companies",
            {
                "tenantId": shop.tenant,
                "name": "Provhandel AB",
                "organisationNumber": "556000-0001",
                "clientId": f"client-{number}",
                "clientSecret": known["fortnox"],
            },
        )
    if fortnox.address:
        await fortnox("PUT", "settings", {"tenantId": shop.tenant, "rateWindow": {"requests": 25, "seconds": 0.01}})
    await connect(shop)
    await shop.settings()
    if opening:
        await open_stock(workers[0].database, merchant)
    return shop


async def connect(shop: Shop, ongoing_password: str | None = None, fortnox_secret: str | None = None) -> None:
    """Store how the two systems are reached, credentials sealed."""
    warehouse = {"username": "user", "password": ongoing_password or shop.secrets["ongoing"]}
    accounting = {"client_id": f"client-{shop.goods_owner}", "client_secret": fortnox_secret or shop.secrets["fortnox"]}
    window = {"requests": 25, "seconds": 0.02}
    for system, where, credentials in (
        (
            "ongoing",
            {"base_url": shop.ongoing.address, "warehouse": shop.merchant, "goods_owner_id": shop.goods_owner},
            warehouse,
        ),
        (
            "fortnox",
            {
                "base_url": shop.fortnox.address,
                "token_url": shop.fortnox.address,
                "tenant_id": shop.tenant,
                "rate_window": window,
            },
            accounting,
        ),
    ):
        async with shop.worker.database.merchant(shop.merchant) as session:
            sealed = shop.keys.seal(shop.merchant, system, json.dumps(credentials))
            await save_connection(session, shop.merchant, system, where, sealed)
