"""Ledger lines per second: a pick as the product books it, beside raw asyncpg writing the same rows.

Both write, for each shipment of 20 lines and in one transaction: the counted lines, their steps, the balances, the entries, the
postings and the link of the hash chain, as the application's role, under row level security. The raw side knows everything in
advance: it plans nothing, asks nothing and computes no cost; it sends prepared statements with ready values.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from sqlalchemy import make_url, text

from domain.pools import MOVING_AVERAGE, AnyPool
from domain.stock import Movement, Place, StockAccounts, move_stock, opening
from erp import counters, ledger
from erp.counters import CountedLine, Look
from erp.database import Database
from erp.merchants import Merchant, load_merchant

LINES = 20
ARTICLES = 200
TURN = 10
PATIENCE = timedelta(seconds=30)
KIND, WHAT, WAREHOUSE = counters.SALES_ORDER, counters.PICKED, "MAIN"
TODAY = date(2026, 11, 25)


@dataclass(frozen=True, slots=True)
class Round:
    """Lines per second of one round of each."""

    product: float
    raw: float


async def new_merchant(erp: Database, app: Database) -> tuple[Merchant, dict[Place, AnyPool]]:
    """A merchant with 200 articles in stock."""
    name = f"lines-{secrets.token_hex(5)}"
    async with erp.everyone() as session:
        await session.execute(text("insert into erp.merchant (merchant_id, name) values (:m, 'Bench')"), {"m": name})
        await session.execute(
            text(
                "insert into erp.article (merchant_id, article_number, name)"
                " select :m, 'A' || lpad(n::text, 4, '0'), 'Article' from generate_series(0, :most - 1) as n"
            ),
            {"m": name, "most": ARTICLES},
        )
    async with app.merchant(name) as session:
        merchant = await load_merchant(session, name)
        places = [(f"A{number:04}", WAREHOUSE) for number in range(ARTICLES)]
        await ledger.lock_pools(session, name, places)
        made = [
            opening(place, Decimal(100_000), Decimal(4_500_000), f"opening/{place[0]}", datetime.now(UTC), TODAY)
            for place in places
        ]
        pools = {opened[0].place: pool for opened, pool in made}
        entries = [entry for opened, _ in made for entry in opened]
        await ledger.append(
            session, name, entries, pools, merchant.settings.stock_accounts, "SEK", "opening", "opening", "bench", "bench"
        )
    return merchant, pools


def shipment(number: int) -> list[CountedLine]:
    """Twenty lines of twenty articles, one to three pieces each."""
    at = datetime.now(UTC)
    return [
        CountedLine(
            (number, line),
            line,
            f"A{(number * 7 + line * 9) % ARTICLES:04}",
            Decimal(3),
            Decimal(1 + line % 3),
            Decimal(0),
            True,
            at,
        )
        for line in range(1, LINES + 1)
    ]


class Product:
    """Locks, plan, cost, entries, postings, chain: what a look does with the database once the warehouse has answered.

    The look's number is drawn beforehand, as it is in the product: before the warehouse is asked.
    """

    def __init__(self, app: Database, merchant: Merchant) -> None:
        self._app = app
        self._merchant = merchant
        self._looks: dict[int, list[Look]] = {}

    async def prepare(self, shipments: int) -> None:
        who = self._merchant.merchant_id
        for number in range(1, shipments + 1):
            async with self._app.merchant(who) as session:
                await counters.watch(session, who, f"SO-{number}", number, 400)
                self._looks[number] = await counters.begin_look(session, who, f"SO-{number}")

    async def book(self, number: int) -> None:
        merchant, who, document, looks = self._merchant, self._merchant.merchant_id, f"SO-{number}", self._looks[number]
        async with self._app.merchant(who) as session:
            watched = await counters.lock(session, who, document, looks)
            seen = shipment(number)
            plan = await counters.book(session, who, watched, seen, looks, PATIENCE)
            by_line = {line.line: line for line in seen}
            movements = [
                Movement(step, (by_line[step.line].article_number, WAREHOUSE), watched.now, TODAY) for step in plan.steps
            ]
            pools = await ledger.lock_pools(session, who, [movement.place for movement in movements])
            ordered = sorted(movements, key=lambda movement: (movement.place, movement.step.line))
            entries, after = move_stock(ordered, pools, {})
            await ledger.append(
                session,
                who,
                entries,
                after,
                merchant.settings.stock_accounts,
                "SEK",
                f"{KIND}/{document}",
                "pick",
                "bench",
                "bench",
            )
            await counters.draw_fence(session, who, document, False, {number: (400, None, False)})


@dataclass(frozen=True, slots=True)
class _Ready:
    """One shipment's values, ready to send."""

    counted: Sequence[Any]
    booked: Sequence[Any]
    articles: Sequence[str]
    ledger: Sequence[Any]


def _prepare(merchant: str, pools: dict[Place, AnyPool], shipments: int, accounts: StockAccounts) -> list[_Ready]:
    from domain.counting import Step
    from domain.stock import postings

    ready = []
    for number in range(1, shipments + 1):
        lines = shipment(number)
        movements = [
            Movement(
                Step(line.line, 1, line.picked, Decimal(0), line.picked), (line.article_number, WAREHOUSE), line.picked_at, TODAY
            )
            for line in lines
            if line.picked_at
        ]
        movements.sort(key=lambda movement: (movement.place, movement.step.line))
        entries, after = move_stock(movements, {movement.place: pools[movement.place] for movement in movements}, {})
        pools |= after
        booked, numbers = postings(entries, accounts)
        heading = {
            "reason": "pick",
            "actor": "bench",
            "rule_version": ledger.RULE_VERSIONS[MOVING_AVERAGE],
            "code_version": "bench",
        }
        document = f"{KIND}/SO-{number}"
        rows = [
            {
                "article_number": entry.place[0],
                "warehouse": entry.place[1],
                "kind": entry.kind,
                "quantity": str(entry.quantity),
                "value": str(entry.value),
                "document": document,
                "posting": posting,
                "epoch": entry.epoch,
                "keep": f"{entry.keep:f}",
                "occurred_at": entry.occurred_at.isoformat(),
                "booking_kind": KIND,
                "booking_doc_id": number,
                "booking_line_id": entry.step.line[1] if entry.step else None,
                "booking_what": WHAT,
                "booking_step": 1,
            }
            for entry, posting in zip(entries, numbers, strict=True)
        ]
        posted = [
            {
                "event": posting.event,
                "accounting_date": TODAY.isoformat(),
                "currency": "SEK",
                "document": document,
                "rows": [{"account": row.account, "debit": str(row.debit), "credit": str(row.credit)} for row in posting.rows],
            }
            for posting in booked
        ]
        balances = [
            {
                "article_number": place[0],
                "warehouse": place[1],
                "quantity": str(pool.quantity),
                "value": str(pool.value),
                "last_cost": str(pool.last_cost),
                "epoch": pool.epoch,
                "keep": f"{pool.keep:f}",
            }
            for place, pool in after.items()
        ]
        ids = [line.line[1] for line in lines]
        quantities = [line.picked for line in lines]
        ready.append(
            _Ready(
                (merchant, KIND, number, WHAT, ids, [line.article_number for line in lines], quantities),
                (merchant, KIND, number, WHAT, ids, quantities, lines[0].picked_at),
                sorted(line.article_number for line in lines),
                (merchant, json.dumps(heading), json.dumps(rows), json.dumps(posted), json.dumps(balances)),
            )
        )
    return ready


class Raw:
    """The same rows under the same constraints and the same chain, by prepared statements with ready values."""

    def __init__(self, app: Database, url: str, merchant: Merchant, pools: dict[Place, AnyPool]) -> None:
        self._app = app
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._merchant = merchant
        self._pools = pools
        self._ready: list[_Ready] = []
        self._prepared: dict[str, Any] = {}
        self._connection: Any = None

    async def prepare(self, shipments: int) -> None:
        who = self._merchant.merchant_id
        self._ready = _prepare(who, dict(self._pools), shipments, self._merchant.settings.stock_accounts)
        async with self._app.merchant(who) as session:
            for number in range(1, shipments + 1):
                await counters.watch(session, who, f"SO-{number}", number, 400)
        self._connection = await asyncpg.connect(self._url)
        for name, statement in STATEMENTS.items():
            self._prepared[name] = await self._connection.prepare(statement)

    async def book(self, number: int) -> None:
        who, values, run = self._merchant.merchant_id, self._ready[number - 1], self._prepared
        async with self._connection.transaction():
            await run["merchant"].fetch(who)
            await run["count"].fetch(*values.counted)
            await run["book"].fetch(*values.booked)
            await run["lock"].fetch(who, values.articles)
            await run["append"].fetch(*values.ledger)
            await run["fence"].fetch(who, KIND, number)

    async def close(self) -> None:
        await self._connection.close()


STATEMENTS = {
    "merchant": "select set_config('lagerbro.merchant', $1, true)",
    "count": (
        "insert into bridge.counted (merchant_id, kind, doc_id, what, line_id, line_number, article_number, ordered, booked,"
        " step, reported_known) select $1, $2, $3, $4, l, l, a, 3, q, 1, 0"
        " from unnest($5::bigint[], $6::text[], $7::numeric[]) as n(l, a, q)"
    ),
    "book": (
        "insert into bridge.booking (merchant_id, kind, doc_id, what, line_id, step, look, quantity, from_value, to_value,"
        " occurred_at) select $1, $2, $3, $4, l, 1, 1, q, 0, q, $7 from unnest($5::bigint[], $6::numeric[]) as n(l, q)"
    ),
    "lock": (
        "select 1 from erp.stock_balance where merchant_id = $1 and warehouse = 'MAIN' and article_number = any($2::text[])"
        " order by article_number for update"
    ),
    "append": "select erp.append_to_ledger($1, $2::jsonb, $3::jsonb, $4::jsonb, $5::jsonb)",
    "fence": (
        "update bridge.watched set fence = nextval('bridge.look_no'), look_owed = false, status = 400, looked_at = now()"
        " where merchant_id = $1 and kind = $2 and doc_id = $3"
    ),
}


async def ledger_lines(app_url: str, erp_url: str, rounds: int = 3, shipments: int = 150) -> list[Round]:
    """Rounds on merchants of their own; within a round the two take turns, a few shipments each, so that noise hits both."""
    app, erp = Database(app_url, pool_size=2), Database(erp_url, pool_size=2)
    found = []
    try:
        for number in range(rounds + 1):
            product = Product(app, (await new_merchant(erp, app))[0])
            raw = Raw(app, app_url, *await new_merchant(erp, app))
            await product.prepare(shipments)
            await raw.prepare(shipments)
            sides: tuple[Product | Raw, ...] = (product, raw)
            seconds = [0.0, 0.0]
            for start in range(1, shipments + 1, TURN):
                for which, side in enumerate(sides):
                    began = time.perf_counter()
                    for each in range(start, min(start + TURN, shipments + 1)):
                        await side.book(each)
                    seconds[which] += time.perf_counter() - began
            await raw.close()
            if number:  # the first round warms caches and connections
                found.append(Round(*(shipments * LINES / taken for taken in seconds)))
    finally:
        await app.close()
        await erp.close()
    return found
