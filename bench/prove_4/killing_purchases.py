"""Point 3: purchases received in parts while everything is killed with -9, again and again: the same books as in a calm run.

The embedded stack, all of it: the ERP's rows, relay, Temporal, workers, the simulated warehouse and Fortnox. Afterwards vouchers
are posted and the whole is verified with both systems.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bench.prove_1.killing import KINDS, Killer
from bench.prove_1.proof import Proof
from bench.prove_1.retail_run import QUICK, _command, _database
from erp.database import Database, rows
from erp.merchants import save_settings, stored_settings
from starters.connect import GOODS_OWNER_ID, MERCHANT
from starters.stack import Stack
from starters.verify.report import Verdict
from worker.settings import Settings

SEED = 4
PURCHASES, LINES, KILLS = 120, 3, 20
SMALL_PURCHASES, SMALL_KILLS = 8, 1
MINUTES = 25.0
ARTICLES = tuple(f"KÖP-{n}" for n in range(1, 13))
OWED = 2440
PAUSE_SECONDS = 1.5

_ARTICLE = text(
    "insert into erp.article (merchant_id, article_number, name) values (:m, :number, :number) on conflict do nothing"
)
_SUPPLIER = text(
    "insert into erp.supplier (merchant_id, supplier_number, name) values (:m, 'S-1', 'Leverans AB') on conflict do nothing"
)
_PURCHASE = text(
    "insert into erp.purchase_order (merchant_id, purchase_order_number, supplier_number, status)"
    " values (:m, :p, 'S-1', 'placed')"
)
_LINE = text(
    """
    insert into erp.purchase_order_line (merchant_id, purchase_order_number, line_number, article_number, quantity, unit_price)
    values (:m, :p, :n, :a, :q, :price)
    """
)
_STATUSES = text("select purchase_order_number as number, status from erp.purchase_order where merchant_id = :m")
_RECEIVED = text(
    """
    select purchase_order_number || '/' || line_number as line, sum(quantity) as quantity, sum(value) as value, count(*) as n
    from erp.goods_receipt_line where merchant_id = :m group by purchase_order_number, line_number
    """
)
_STOCK = text(
    "select article_number, quantity, value from erp.stock_balance where merchant_id = :m and article_number like 'KÖP-%'"
)
_ACCOUNTS = text(
    """
    select r.account, sum(r.debit - r.credit) as balance from erp.posting_row r join erp.posting p using (merchant_id, posting_no)
    where r.merchant_id = :m and p.document like 'purchase-order/%' group by r.account
    """
)
_UNPOSTED = text(
    """
    select count(*) as n from erp.posting p where p.merchant_id = :m and not exists (
      select from bridge.voucher_posting x join bridge.voucher v using (merchant_id, voucher_no)
      where x.merchant_id = p.merchant_id and x.posting_no = p.posting_no and v.state = 'booked')
    """
)


@dataclass(slots=True)
class Books:
    """What must be equal in two runs, however they went."""

    statuses: dict[str, str] = field(default_factory=dict)
    received: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    stock: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    accounts: dict[str, Decimal] = field(default_factory=dict)

    def differences(self, other: "Books") -> list[str]:
        found = []
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            differing = sorted(key for key in {*mine, *theirs} if mine.get(key) != theirs.get(key))
            if differing:
                key = differing[0]
                found.append(f"{each.name} differ in {len(differing)}: {key} is {mine.get(key)} and {theirs.get(key)}")
        return found


@dataclass(frozen=True, slots=True)
class Bought:
    """One purchase: its lines (article, pieces, price), and in how many goes each arrives."""

    number: str
    lines: tuple[tuple[str, int, Decimal], ...]
    goes: tuple[tuple[int, ...], ...]


def purchases(count: int) -> list[Bought]:
    """The same for every run."""
    rng = random.Random(SEED)
    made = []
    for n in range(count):
        lines = tuple(
            (article, rng.randint(2, 40), Decimal(rng.randint(100, 99_999)) / 1000) for article in rng.sample(ARTICLES, LINES)
        )
        goes = []
        left = [quantity for _, quantity, _ in lines]
        while any(left):
            part = [rng.randint(0, each) if rng.random() < 0.6 else each for each in left]
            goes.append(tuple(part))
            left = [have - gone for have, gone in zip(left, part, strict=True)]
        made.append(Bought(f"KP-{n:04d}", lines, tuple(go for go in goes if any(go))))
    return made


async def run(bought: list[Bought], kills: int) -> tuple[Books, Counter[str], float, list[str]]:
    """Place, receive in parts, wait for rest, post, verify, read the books. With `kills`, under fire."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with Stack.start(Path(folder) / "home", environment=QUICK) as stack:
            settings = Settings.from_environment(stack.environment())
            async with (
                _database(settings, "erp") as erp,
                _database(settings, "app") as app,
                _database(settings, "verify") as seen,
            ):
                await _prepare(erp, app)
                counted: Counter[str] = Counter()
                if kills:
                    killer = Killer(stack, kills, SEED)
                    async with asyncio.TaskGroup() as group:
                        killing = group.create_task(killer.run())
                        await _buy(stack, erp, bought, killing)
                    counted = killer.counted
                else:
                    await _buy(stack, erp, bought, None)
                short = await _rest(seen, bought, began)
                await _until_posted(stack, seen, began)
                code, report = await _command(stack, "verify", "--merchant", MERCHANT, "--online", "--json")
                short += _verified(code, report)
                books = await _books(seen)
    return books, counted, time.monotonic() - began, short


def _verified(code: int, report: Any) -> list[str]:
    """Nothing is violated, everything that there is was checked, and the tie-out is among it. Nobody has sold anything here."""
    bad = [each for each in report["results"] if each["verdict"] in (Verdict.VIOLATED, Verdict.NOT_CHECKED)]
    tied = [each for each in report["results"] if each["invariant"] == "C4" and each["verdict"] == Verdict.CLEAN]
    short = [f"verify --online ended with {code}: {each['invariant']} {each['says']}: {each['samples'][:3]}" for each in bad]
    return short if tied else [*short, "verify --online did not tie stock to Fortnox"]


async def _prepare(erp: Database, app: Database) -> None:
    async with erp.everyone() as session:
        await session.execute(_ARTICLE, [{"m": MERCHANT, "number": number} for number in ARTICLES])
        await session.execute(_SUPPLIER, {"m": MERCHANT})
    async with app.merchant(MERCHANT) as session:
        known = await stored_settings(session, MERCHANT) or {}
        more = {"goods_received_not_invoiced_account": OWED, "watch_interval_seconds": 1, "stock_account": 1460}
        await save_settings(session, MERCHANT, known | more, "proof")


async def _buy(stack: Stack, erp: Database, bought: list[Bought], killing: "asyncio.Task[None] | None") -> None:
    """Place purchases a few at a time, and let the warehouse receive each as soon as it expects it."""
    async with asyncio.TaskGroup() as group:
        for n, each in enumerate(bought):
            if killing is not None and not killing.done() and n % 2 == 0:
                await asyncio.sleep(PAUSE_SECONDS)
            await _placed(erp, each)
            group.create_task(_arrives(stack, each))


async def _placed(erp: Database, each: Bought) -> None:
    """As an ERP that tries again when the database was away."""
    key = {"m": MERCHANT, "p": each.number}
    while True:
        try:
            async with erp.everyone() as session:
                there = {row.number for row in await rows(session, _STATUSES, m=MERCHANT)}
                if each.number in there:
                    return
                await session.execute(_PURCHASE, key)
                for n, (article, quantity, price) in enumerate(each.lines, start=1):
                    await session.execute(_LINE, key | {"n": n, "a": article, "q": quantity, "price": price})
            return
        except (SQLAlchemyError, OSError):
            await asyncio.sleep(0.3)


async def _arrives(stack: Stack, each: Bought) -> None:
    """Its goes, one after the other, as soon as the warehouse knows of it."""
    rng = random.Random(each.number)
    path = f"/_control/purchase-orders/by-number/{GOODS_OWNER_ID}/{each.number}/receive"
    async with httpx.AsyncClient(base_url=stack.addresses["ongoing"], trust_env=False, timeout=30) as http:
        for go in each.goes:
            lines = [{"rowNumber": str(n), "numberOfItems": str(part)} for n, part in enumerate(go, start=1) if part]
            while True:
                with suppress(httpx.TransportError):
                    answer = await http.post(path, json={"lines": lines})
                    if answer.status_code < 300:
                        break
                await asyncio.sleep(0.5)
            await asyncio.sleep(rng.uniform(0.2, 3))


async def _rest(seen: Database, bought: list[Bought], began: float) -> list[str]:
    """Wait until every purchase is at its end."""
    found: Counter[str] = Counter()
    while time.monotonic() - began < MINUTES * 60:
        with suppress(SQLAlchemyError, OSError):
            async with seen.everyone() as session:
                found = Counter(row.status for row in await rows(session, _STATUSES, m=MERCHANT) if row.number.startswith("KP-"))
            if found == {"completed": len(bought)}:
                return []
        await asyncio.sleep(1)
    return [f"after {MINUTES:g} minutes purchases are {dict(found)}"]


async def _until_posted(stack: Stack, seen: Database, began: float) -> None:
    while time.monotonic() - began < MINUTES * 60:
        with suppress(RuntimeError):
            await _command(stack, "voucher", "post", "--merchant", MERCHANT)
        async with seen.everyone() as session:
            [left] = await rows(session, _UNPOSTED, m=MERCHANT)
        if not left.n:
            return
        await asyncio.sleep(2)


async def _books(seen: Database) -> Books:
    async with seen.everyone() as session:

        async def read(statement: Any) -> list[Any]:
            return list(await rows(session, statement, m=MERCHANT))

        return Books(
            {row.number: row.status for row in await read(_STATUSES) if row.number.startswith("KP-")},
            {row.line: (row.quantity, row.value) for row in await read(_RECEIVED)},
            {row.article_number: (row.quantity, row.value) for row in await read(_STOCK)},
            {str(row.account): row.balance for row in await read(_ACCOUNTS)},
        )


def against_the_purchases(books: Books, bought: list[Bought]) -> list[str]:
    """Quantities exactly as delivered; values within half an öre for each part in which they may have been booked."""
    short = []
    for each in bought:
        for n, (_, quantity, price) in enumerate(each.lines, start=1):
            got, value = books.received.get(f"{each.number}/{n}", (Decimal(0), Decimal(0)))
            if got != quantity or abs(value - quantity * price) > Decimal("0.005") * len(each.goes):
                short.append(f"{each.number} line {n}: {got} worth {value}, delivered were {quantity} at {price}")
    received = sum((value for _, value in books.received.values()), Decimal(0))
    if sum((value for _, value in books.stock.values()), Decimal(0)) != received or books.accounts != {
        "1460": received,
        str(OWED): -received,
    }:
        short.append(f"received are {received}, stock is {books.stock}, accounts are {books.accounts}")
    return short


def alike(calm: Books, killed: Books, bought: list[Bought]) -> list[str]:
    """The same books but for roundings: pieces that were seen in one look are valued in one, in two looks in two."""
    short = Books(calm.statuses).differences(Books(killed.statuses))
    short += Books(received={k: (q, Decimal(0)) for k, (q, _) in calm.received.items()}).differences(
        Books(received={k: (q, Decimal(0)) for k, (q, _) in killed.received.items()})
    )
    goes = {each.number: len(each.goes) for each in bought}
    for line, (_, value) in calm.received.items():
        if abs(value - killed.received.get(line, (0, Decimal(0)))[1]) > Decimal("0.01") * goes[line.partition("/")[0]]:
            short.append(f"{line} is worth {value} and {killed.received.get(line)}")
    return short


async def prove(small: bool) -> Proof:
    """A calm run and one under fire."""
    bought = purchases(SMALL_PURCHASES if small else PURCHASES)
    kills = SMALL_KILLS if small else KILLS
    calm, _, _, short = await run(bought, 0)
    killed, counted, seconds, more = await run(bought, kills)
    short = [f"calm: {each}" for each in short + against_the_purchases(calm, bought)]
    short += more + against_the_purchases(killed, bought) + alike(calm, killed, bought)
    short += [f"{kind} was killed only {counted[kind]} times" for kind in KINDS if counted[kind] < kills]
    received = sum((value for _, value in killed.received.values()), Decimal(0))
    goes = sum(len(each.goes) for each in bought)
    times = ", ".join(f"{kind} {counted[kind]}" for kind in KINDS)
    figure = (
        f"killed -9: {times}; {len(bought)} purchases of {len(bought) * LINES} lines in {goes} deliveries, worth {received};"
        f" the same books as the calm run, verified online with the tie-out; {seconds:.0f} s"
    )
    return Proof("3", "purchases under fire", figure, tuple(short[:10]))


if __name__ == "__main__":
    import sys

    print(asyncio.run(prove("--small" in sys.argv[1:])).line())
