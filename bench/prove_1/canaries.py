"""Point 6: nothing personal and no secret in what Temporal stores, in logs, or in failures.

A customer and the orders of a day are planted with words that exist nowhere else, and everything that can be refused is
refused: an unknown article, half an address, both vendors quoting personal data back at us, a row the database turns away,
credentials that no longer hold. Then every sink is searched, byte by byte. Control words prove that each search works: the
unknown article's number, which must be found in every sink of Temporal's when sealing is off and in none when it is on, and
an order's number, which belongs in our log.
"""

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from temporalio.client import Client

from bench.prove_1.proof import Proof
from erp.database import Database, one, rows
from erp.opening import OpeningBalance
from starters.cli_orders import open_stock
from starters.connect import GOODS_OWNER_ID, MERCHANT, SECRETS_FILE, TENANT_ID
from starters.stack import Stack
from worker.keyring import KeyRing
from worker.settings import Settings

CONTROL = "CONTROLWORD-7F3A"
LOG_CONTROL = "KAN-2"
PERSONAL = {
    "name": "Zyxkanarie Personsson",
    "address": "Zyxfjaderstigen 77",
    "mail": "zyx.kanarie@fagelholk.example",
    "phone": "+46700817263",
    "personal number": "190001019876",
    "note": "Nyckel under zyxkrukan",
}
OUR_LOGS = ("worker", "relay", "intake", "codec", "temporal", "postgres")
PATIENCE_SECONDS = 60.0
SEALED, OPEN = "on", "off"

_EXCEPTION = text(
    """
    select code from bridge.exception where merchant_id = :merchant and document = :document and closed_at is null and blocking
    """
)
_COMPLETED = text(
    "select 1 from erp.sales_order where merchant_id = :merchant and order_number = :document and status = 'completed'"
)
_BLOCKED_CONNECTION = text(
    "select 1 from bridge.connection where merchant_id = :merchant and system = :system and state = 'blocked'"
)
_CREDENTIALS = text("select system, credentials from bridge.connection where merchant_id = :merchant")
_CUSTOMER = text(
    """
    select c.name, c.address1, c.email, c.phone, c.organisation_number, o.note from erp.customer c
    join erp.sales_order o using (merchant_id, customer_number)
    where c.merchant_id = :merchant and o.order_number = 'KAN-1'
    """
)


@dataclass(slots=True)
class Sinks:
    """What was searched, by name: raw bytes."""

    parts: dict[str, list[bytes]] = field(default_factory=dict)

    def add(self, name: str, part: bytes) -> None:
        self.parts.setdefault(name, []).append(part)

    def holding(self, word: str) -> list[str]:
        """Names of the sinks that hold the word."""
        sought = word.encode()
        return [name for name, parts in self.parts.items() if any(sought in part for part in parts)]

    @property
    def size(self) -> int:
        return sum(len(part) for parts in self.parts.values() for part in parts)


async def run(sealing: str) -> tuple[Sinks, dict[str, str], list[str]]:
    """A stack of its own, canaries in, everything refused, sinks out. Returns sinks, secrets by name, and what fell short."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with Stack.start(
            Path(folder) / "home", auto_warehouse=True, environment={"LAGERBRO_SEALING": sealing, "LAGERBRO_LOG_LEVEL": "info"}
        ) as stack:
            settings = Settings.from_environment(stack.environment())
            secrets = _secrets(stack)
            erp, verify = Database(settings.database("erp"), 2), Database(settings.database("verify"), 2)
            try:
                short = await _plant_and_provoke(stack, settings, erp, verify)
                short += await _where_they_belong(settings, verify, secrets)
            finally:
                await erp.close()
                await verify.close()
            sinks = await _collect(stack, settings)
    return sinks, secrets, short


def _secrets(stack: Stack) -> dict[str, str]:
    """Every secret of the installation, by what it is."""
    folder = stack.home.folder
    demo = json.loads((folder / SECRETS_FILE).read_text(encoding="utf-8"))
    keys = json.loads(stack.home.keys.read_text(encoding="utf-8"))["keys"]
    found = {name: demo[name] for name in ("ongoing_password", "fortnox_secret", "webhook_token")}
    found |= {f"key {name}": key for name, key in keys.items()}
    return found | {f"password of {role}": password for role, password in stack.home.passwords().items()}


async def _plant_and_provoke(stack: Stack, settings: Settings, erp: Database, verify: Database) -> list[str]:
    control = _Control(stack)
    await _customer(erp)
    await open_stock(settings, MERCHANT, [OpeningBalance("KAN-ARTIKEL", Decimal(1000), Decimal(3))])
    short = []

    await _order(erp, "KAN-1", "KAN-ARTIKEL")
    short += await _until(verify, "KAN-1 is completed", _COMPLETED, document="KAN-1")
    await _order(erp, "KAN-2", CONTROL)
    short += await _until(verify, "KAN-2 is blocked by its article", _EXCEPTION, document="KAN-2")
    await _order(erp, "KAN-3", "KAN-ARTIKEL", post_code=None)
    short += await _until(verify, "KAN-3 is blocked by its address", _EXCEPTION, document="KAN-3")

    quoted = ", ".join(PERSONAL.values())
    await control.refuse(
        "ongoing", "PUT /orders", 400, {"type": "x", "title": "Bad Request", "detail": f"Okänd mottagare: {quoted}"}
    )
    await _order(erp, "KAN-4", "KAN-ARTIKEL")
    short += await _until(verify, "KAN-4 is blocked by the warehouse's refusal", _EXCEPTION, document="KAN-4")
    refusal = {"ErrorInformation": {"error": 1, "message": f"Kunden kan inte faktureras: {quoted}", "code": 2000106}}
    await control.refuse("fortnox", "POST /3/invoices", 400, refusal)
    await _order(erp, "KAN-5", "KAN-ARTIKEL")
    short += await _until(verify, "KAN-5 is blocked by Fortnox's refusal", _EXCEPTION, document="KAN-5")

    with suppress(DBAPIError):
        await _order(erp, "KAN-6", "KAN-ARTIKEL", quantity=0)
    await control.refuse_credentials_at_fortnox()
    await _order(erp, "KAN-7", None)
    short += await _until(verify, "the connection to Fortnox is blocked", _BLOCKED_CONNECTION, system="fortnox")
    await control.refuse_credentials_at_ongoing()
    await _order(erp, "KAN-8", "KAN-ARTIKEL")
    short += await _until(verify, "the connection to Ongoing is blocked", _BLOCKED_CONNECTION, system="ongoing")
    return short


class _Control:
    """What only a simulator can be asked."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def ask(self, system: str, method: str, path: str, body: dict[str, Any]) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await http.request(method, f"{self._stack.addresses[system]}/_control/{path}", json=body)
            answer.raise_for_status()

    async def refuse(self, system: str, route: str, status: int, body: dict[str, Any]) -> None:
        """Once, with this body."""
        parameters = {"status": status, "body": body, "headers": {"Content-Type": "application/json"}}
        await self.ask(system, "POST", "faults", {"id": route, "route": route, "kind": "http", "count": 1, "params": parameters})

    async def refuse_credentials_at_fortnox(self) -> None:
        """The company gets another secret than the one we hold, and our token runs out."""
        company = {"tenantId": TENANT_ID, "name": "Demohandel AB", "organisationNumber": "556000-0001"}
        await self.ask("fortnox", "PUT", "companies", company | {"clientId": "lagerbro-demo", "clientSecret": "another-one"})
        await self.ask("fortnox", "POST", "expire-tokens", {"tenantId": TENANT_ID})

    async def refuse_credentials_at_ongoing(self) -> None:
        """The goods owner gets another password than the one we hold."""
        owner = {"warehouse": MERCHANT, "goodsOwnerId": GOODS_OWNER_ID, "name": "Demohandel AB", "username": "WSIdemo"}
        await self.ask("ongoing", "PUT", "goods-owners", owner | {"password": "another-one"})


async def _customer(erp: Database) -> None:
    async with erp.everyone() as session:
        await session.execute(
            text(
                "insert into erp.article (merchant_id, article_number, name, stock_article)"
                " values (:m, 'KAN-ARTIKEL', 'Kruka', true), (:m, 'KAN-TJANST', 'Inslagning', false)"
            ),
            {"m": MERCHANT},
        )
        await session.execute(
            text(
                "insert into erp.customer (merchant_id, customer_number, name, customer_type, organisation_number, address1,"
                " post_code, city, email, phone) values (:m, 'KAN-KUND', :name, 'private', :person, :address, '11122', 'Stad',"
                " :mail, :phone)"
            ),
            {"m": MERCHANT, "person": PERSONAL["personal number"]}
            | {name: PERSONAL[name] for name in ("name", "address", "mail", "phone")},
        )


async def _order(erp: Database, number: str, article: str | None, post_code: str | None = "11122", quantity: int = 2) -> None:
    """An order to the planted customer, with its data on the order as well. Without an article it is one of services."""
    async with erp.everyone() as session:
        await session.execute(
            text(
                "insert into erp.sales_order (merchant_id, order_number, customer_number, delivery_name, delivery_address1,"
                " delivery_post_code, delivery_city, delivery_country, delivery_email, delivery_phone, note)"
                " values (:m, :number, 'KAN-KUND', :name, :address, :post_code, 'Stad', 'SE', :mail, :phone, :note)"
            ),
            {"m": MERCHANT, "number": number, "post_code": post_code}
            | {name: PERSONAL[name] for name in ("name", "address", "mail", "phone", "note")},
        )
        await session.execute(
            text(
                "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, description, quantity,"
                " unit_price) values (:m, :number, 1, :article, :note, :quantity, 10)"
            ),
            {
                "m": MERCHANT,
                "number": number,
                "article": article or "KAN-TJANST",
                "quantity": quantity,
                "note": PERSONAL["note"],
            },
        )
        await session.execute(
            text("update erp.sales_order set status = 'released' where merchant_id = :m and order_number = :number"),
            {"m": MERCHANT, "number": number},
        )


async def _until(verify: Database, what: str, statement: Any, **parameters: str) -> list[str]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        async with verify.everyone() as session:
            row = await one(session, statement, merchant=MERCHANT, **parameters)
        if row is not None:
            return []
        await asyncio.sleep(0.25)
    return [f"after {PATIENCE_SECONDS:.0f} s it is not so that {what}"]


async def _where_they_belong(settings: Settings, verify: Database, secrets: dict[str, str]) -> list[str]:
    """Personal data in the ERP's tables; credentials in their sealed column, and only sealed."""
    keys: KeyRing = settings.key_ring()
    async with verify.everyone() as session:
        card = tuple((await one(session, _CUSTOMER, merchant=MERCHANT))._mapping.values())
        held = await rows(session, _CREDENTIALS, merchant=MERCHANT)
    short = [f"{name} is not in the ERP's tables" for name, word in PERSONAL.items() if word not in card]
    for row in held:
        word = secrets["ongoing_password" if row.system == "ongoing" else "fortnox_secret"]
        if word not in keys.open(MERCHANT, row.system, row.credentials):
            short.append(f"the credentials of {row.system} are not where they belong")
        if word.encode() in row.credentials:
            short.append(f"the credentials of {row.system} are stored in the clear")
    return short


async def _collect(stack: Stack, settings: Settings) -> Sinks:
    sinks = Sinks()
    home = stack.home.folder
    connection: dict[str, Any] = {"target_host": "127.0.0.1:7233", **settings.temporal_connection()}
    client = await Client.connect(**connection)
    async for listed in client.list_workflows():
        handle = client.get_workflow_handle(listed.id, run_id=listed.run_id)
        description = (await handle.describe()).raw_description
        sinks.add("descriptions", description.SerializeToString())
        for pending in description.pending_activities:
            sinks.add("failures", pending.last_failure.SerializeToString())
        async for event in handle.fetch_history_events():
            sinks.add("histories", event.SerializeToString())
            for _, attributes in event.ListFields():
                if hasattr(attributes, "failure"):
                    sinks.add("failures", attributes.failure.SerializeToString())
    for file in sorted(home.glob("temporal.db*")):
        sinks.add("Temporal's files", file.read_bytes())
    for value in _stored(home / "temporal.db"):
        sinks.add("Temporal's tables", value)
    for name in OUR_LOGS:
        for file in sorted(stack.home.logs.glob(f"{name}.log*")):
            sinks.add(f"{name}.log", file.read_bytes())
    await asyncio.sleep(0.3)
    return sinks


def _stored(file: Path) -> Iterator[bytes]:
    """Every value in the database, whole: in the file a long one is cut up over pages."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            with suppress(sqlite3.OperationalError):  # virtual tables of the full text search have no values of their own
                for row in database.execute(f'select * from "{table}"'):
                    for value in row:
                        if isinstance(value, str | bytes):
                            yield value.encode() if isinstance(value, str) else value
    database.close()


def judge(sealing: str, sinks: Sinks, secrets: dict[str, str]) -> list[str]:
    """What was found where it must not be, and controls that were not found where they must."""
    temporals = {"histories", "failures", "Temporal's files", "Temporal's tables"}
    found = set(sinks.holding(CONTROL))
    logged = "worker.log" in sinks.holding(LOG_CONTROL)
    short = [] if logged else ["the order's number is not in worker.log: the search of logs proves nothing"]
    if sealing == OPEN:
        missing = sorted(temporals - found)
        return short + [f"sealing off: the control word is not in {name}: the search proves nothing" for name in missing]
    short += [f"sealing on: the control word is in {name}" for name in sorted(found & (temporals | {"descriptions"}))]
    for kind, words in (("personal", PERSONAL), ("secret", secrets)):
        for name, word in words.items():
            short += [f"{kind}: {name} is in {sink}" for sink in sinks.holding(word)]
    return short


async def prove() -> Proof:
    """Both runs, sealing off and on."""
    short, sizes = [], []
    for sealing in (OPEN, SEALED):
        sinks, secrets, fell_short = await run(sealing)
        short += [f"sealing {sealing}: {text}" for text in fell_short] + judge(sealing, sinks, secrets)
        sizes.append(f"{len(sinks.parts)} sinks, {sinks.size / 1e6:.1f} MB with sealing {sealing}")
    planted = len(PERSONAL) + len(secrets)
    return Proof("6", "nothing personal, no secret", f"{planted} canaries and a control word in {'; '.join(sizes)}", tuple(short))


if __name__ == "__main__":
    print(asyncio.run(prove()).line())
