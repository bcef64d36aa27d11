"""Points 2 and 3: the retail file on the embedded stack, once in peace and once with everything killed again and again.

What Fortnox holds is read from the simulator by its own API and compared with `retail_oracle`, which shares no code with the
product. The two runs are compared with each other: quantities, invoices, amounts, and, since an opening cost is whole öre per
piece, the values too.
"""

import asyncio
import csv
import json
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bench.prove_1.killing import KINDS, Killer
from bench.prove_1.proof import Proof
from bench.prove_1.retail_oracle import Expected, expected
from bench.prove_1.stand import REPOSITORY, RETAIL_FILE
from erp.database import Database, rows
from erp.overview import moving, open_exceptions
from starters.connect import GOODS_OWNER_ID, MERCHANT, SECRETS_FILE, TENANT_ID
from starters.import_orders import release_orders
from starters.stack import Stack
from worker.settings import Settings

QUICK = {"LAGERBRO_SETTLE_SECONDS": "13", "LAGERBRO_CLIENT_DEADLINE_SECONDS": "6", "LAGERBRO_DOUBT_SECONDS": "10"}
KILLS_EACH = 20
SEED = 20101201
CALM_MINUTES, KILLED_MINUTES = 20.0, 40.0
ORDERS_OF_THE_FILE = 424
LINES_OF_THE_FILE = 10_000
SMALL_ORDERS = 25

_STATUS = text("select order_number, status from erp.sales_order where merchant_id = :merchant")
_SHIPPED = text(
    """
    select order_number || '/' || line_number as line, sum(quantity) as quantity from erp.shipment_line
    where merchant_id = :merchant group by order_number, line_number
    """
)
_ISSUED = text(
    """
    select article_number, -sum(quantity) as quantity, -sum(value) as value from erp.stock_entry
    where merchant_id = :merchant and kind <> 'opening' group by article_number
    """
)
_STOCK = text("select article_number, quantity, value from erp.stock_balance where merchant_id = :merchant")
_ACCOUNTS = text(
    "select account, sum(debit - credit) as balance from erp.posting_row where merchant_id = :merchant group by account"
)


@dataclass(slots=True)
class Books:
    """What must be equal in two runs of the same file, however they went."""

    statuses: dict[str, str] = field(default_factory=dict)
    shipped: dict[str, Decimal] = field(default_factory=dict)
    issued: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    stock: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    accounts: dict[str, Decimal] = field(default_factory=dict)
    invoices: dict[str, list[Decimal]] = field(default_factory=dict)

    def differences(self, other: "Books") -> list[str]:
        """Where two runs differ, named."""
        found = []
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            differing = sorted(key for key in {*mine, *theirs} if mine.get(key) != theirs.get(key))
            if differing:
                key = differing[0]
                found.append(f"{each.name} differ in {len(differing)}: {key} is {mine.get(key)} and {theirs.get(key)}")
        return found


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
                books = await _books(verifying)
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
    return json.dumps(report, default=str)[:2000]


async def _release_slowly(erp: Database, numbers: list[str], killed_enough: Callable[[], bool]) -> None:
    """As an ERP whose day goes on while everything falls over: a few orders at a time, again when the database was away."""
    for n, number in enumerate(numbers):
        if n % 2 == 0 and not killed_enough():
            await asyncio.sleep(1.2)
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


async def _books(database: Database) -> Books:
    async with database.everyone() as session:

        async def read(statement: Any) -> list[Any]:
            return await rows(session, statement, merchant=MERCHANT)

        return Books(
            {row.order_number: row.status for row in await read(_STATUS)},
            {row.line: row.quantity for row in await read(_SHIPPED)},
            {row.article_number: (row.quantity, row.value) for row in await read(_ISSUED)},
            {row.article_number: (row.quantity, row.value) for row in await read(_STOCK)},
            {str(row.account): row.balance for row in await read(_ACCOUNTS)},
        )


async def invoices_in_fortnox(stack: Stack) -> dict[str, list[Decimal]]:
    """Net of each live invoice by order, booked or it would not count, as the simulator itself says."""
    secret = json.loads((stack.home.folder / SECRETS_FILE).read_text(encoding="utf-8"))["fortnox_secret"]
    address = stack.addresses["fortnox"]
    orders: dict[int, str] = {}
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as http:
        answer = await http.post(
            "/oauth-v1/token",
            data={"grant_type": "client_credentials"},
            headers={"TenantId": str(TENANT_ID)},
            auth=("lagerbro-demo", secret),
        )
        bearer = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
        page = pages = 1
        while page <= pages:
            listed = (await http.get(f"/3/invoices?limit=500&page={page}", headers=bearer)).raise_for_status().json()
            pages, page = int(listed["MetaInformation"]["@TotalPages"]), page + 1
            for hit in listed["Invoices"]:
                orders[int(hit["DocumentNumber"])] = hit["ExternalInvoiceReference2"].rsplit("/", 1)[0]
        state = json.loads((await http.get(f"/_control/state?tenantId={TENANT_ID}")).raise_for_status().text, parse_float=Decimal)
    nets: dict[str, list[Decimal]] = defaultdict(list)
    for invoice in state["invoices"]:
        if not invoice["cancelled"]:
            net = Decimal(str(invoice["net"])) if invoice["booked"] else Decimal("NaN")
            nets[orders[int(invoice["number"])]].append(net)
    return {number: sorted(of_it) for number, of_it in nets.items()}


def against_the_file(done: Run, file: Path, full: bool) -> tuple[Expected, list[str]]:
    """What the run should have come to by the oracle, and where it did not."""
    whole = expected(file)
    listed = {item["row"] for item in done.imported["listed"]}
    due = whole.without(listed)
    short = []
    if done.imported["taken_lines"] + len(done.imported["listed"]) != whole.lines or done.imported["lines"] != whole.lines:
        short.append(f"{done.imported['taken_lines']} taken and {len(listed)} listed are not {whole.lines} lines")
    if sorted(done.imported["orders"]) != sorted(due.orders):
        short.append(f"{len(done.imported['orders'])} orders were taken, {len(due.orders)} are in the file")
    ended = Counter(done.books.statuses.values())
    if set(ended) - {"completed"}:
        short.append(f"not every order is completed: {dict(ended)}")
    if full:
        wanted = {number: sorted(nets) for number, nets in due.invoices().items()}
        wrong = sorted(n for n in {*wanted, *done.books.invoices} if wanted.get(n) != done.books.invoices.get(n))
        if wrong:
            short.append(
                f"invoices of {len(wrong)} orders differ from the file, {wrong[0]}: {done.books.invoices.get(wrong[0])}, "
                f"by the file {wanted.get(wrong[0])}"
            )
        if done.net != due.net:
            short.append(f"Fortnox's net is {done.net}, by the file {due.net}")
        short += _stock_against_the_file(done, due)
    return due, short


def _stock_against_the_file(done: Run, due: Expected) -> list[str]:
    costs = due.opening_costs()
    services = set(done.imported["service_articles"])
    wanted = {a: (q, q * costs[a]) for a, q in due.quantities().items() if a not in services}
    wrong = sorted(a for a in {*wanted, *done.books.issued} if wanted.get(a) != done.books.issued.get(a))
    if not wrong:
        return []
    return [f"{len(wrong)} articles were issued otherwise, {wrong[0]}: {done.books.issued.get(wrong[0])}, {wanted.get(wrong[0])}"]


def a_part_of(file: Path, orders: int, target: Path) -> Path:
    """The file's first orders, for a short run: whole orders, in the file's order."""
    with file.open(encoding="utf-8-sig", newline="") as source, target.open("w", encoding="utf-8", newline="") as copy:
        reader = csv.DictReader(source)
        writer = csv.DictWriter(copy, reader.fieldnames or [])
        writer.writeheader()
        seen: set[str] = set()
        for row in reader:
            seen.add(row["invoice_no"])
            if len(seen) > orders:
                break
            writer.writerow(row)
    return target


class Retail:
    """Both points; the calm run is kept for the comparison."""

    def __init__(self, small: bool, folder: Path) -> None:
        self._small = small
        self._file = a_part_of(RETAIL_FILE, SMALL_ORDERS, folder / "part.csv") if small else RETAIL_FILE
        self._calm: Run | None = None

    async def calm(self) -> Run:
        """The calm run, made once."""
        if self._calm is None:
            self._calm = await run(self._file, CALM_MINUTES)
        return self._calm

    async def prove_calm(self) -> Proof:
        """Point 2."""
        done = await self.calm()
        due, short = against_the_file(done, self._file, full=True)
        if not self._small and (due.lines, len(due.orders)) != (LINES_OF_THE_FILE, ORDERS_OF_THE_FILE):
            short.append(f"{due.lines} lines and {len(due.orders)} orders are not those of the issue")
        count = sum(len(nets) for nets in done.books.invoices.values())
        figure = (
            f"{done.imported['taken_lines']} taken + {len(done.imported['listed'])} listed = {due.lines} lines; "
            f"{len(due.orders)} orders, {count} invoices, net {done.net} (by the file {due.net}); verify --online clean; "
            f"{done.seconds:.0f} s"
        )
        return Proof("2", "the retail file, end to end", figure, (*done.short, *short))

    async def prove_varied(self) -> Proof:
        """Point 2 again, with a warehouse that picks in two goes and short: verified, and never more than the file."""
        done = await run(self._file, CALM_MINUTES, style="varied")
        due, short = against_the_file(done, self._file, full=False)
        if not 0 < done.net <= due.net:
            short.append(f"net {done.net} is not within {due.net}")
        figure = f"{len(due.orders)} orders in part, in two goes and short; net {done.net} of {due.net}; {done.seconds:.0f} s"
        return Proof("2b", "the retail file, picked as it comes", figure, (*done.short, *short))

    async def prove_killed(self) -> Proof:
        """Point 3."""
        each = 2 if self._small else KILLS_EACH
        calm = await self.calm()
        done = await run(self._file, KILLED_MINUTES, kills=each)
        _, short = against_the_file(done, self._file, full=True)
        short += [f"{kind} was killed only {done.kills[kind]} times" for kind in KINDS if done.kills[kind] < each]
        short += [f"compared with the calm run, {text}" for text in calm.books.differences(done.books)]
        killed = ", ".join(f"{kind} {done.kills[kind]}" for kind in KINDS)
        figure = (
            f"killed -9: {killed} (seed {SEED}); {len(done.books.invoices)} orders, net {done.net}; "
            f"quantities, invoices and values as in the calm run; {done.seconds:.0f} s"
        )
        return Proof("3", "the retail file under fire", figure, (*done.short, *short))
