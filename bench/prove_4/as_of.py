"""Point 5: the stock list as of every day of two months ties to the stock account as Fortnox had it at the end of that day.

Movements in a random order of days, many of them for days that were vouchered long before, some for days that were locked by
then; vouchers by hand on the stock account; an opening. Judged by a list kept beside (which piece of value was dated when), and
by the simulated Fortnox's own state, voucher by voucher; none of the product's arithmetic is used for either.
"""

import asyncio
import json
import random
import tempfile
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from bench.prove_1.accounting import ARTICLES, MERCHANT, TENANT_ID, Accounting, accounting
from bench.prove_1.proof import Proof
from bench.prove_1.stand import postgres
from bench.prove_4.lost_vouchers import DEADLINE_SECONDS, SERIES, SETTLE_SECONDS, WINDOW, vouchers_of
from domain.adjusting import Change, change_stock
from erp import ledger
from erp.cost_overview import stock_as_of
from erp.database import rows
from erp.merchants import load_merchant
from erp.opening import OpeningBalance, book_opening
from starters.tie_out import tie
from worker.wiring import fortnox_connections

DAYS, SMALL_DAYS = 60, 12
A_DAY = 4
ACCOUNT, STOCK = 4990, 1460

_VALUES = text(
    """
    select e.cause, e.value from erp.stock_entry e where e.merchant_id = :merchant and e.cause like 'proof/%'
    """
)


class Beside:
    """What was dated when, kept apart from the books: pieces by article, value by cause."""

    def __init__(self) -> None:
        self.pieces: dict[date, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self.dated: dict[str, date] = {}
        self.values: dict[str, Decimal] = {}
        self.opening = Decimal(0)

    def value(self, on: date) -> Decimal:
        return self.opening + sum((v for cause, v in self.values.items() if self.dated[cause] <= on), Decimal(0))

    def quantities(self, on: date) -> dict[str, Decimal]:
        found: dict[str, Decimal] = defaultdict(Decimal)
        for day, pieces in self.pieces.items():
            for article, quantity in pieces.items() if day <= on else ():
                found[article] += quantity
        return {article: quantity for article, quantity in found.items() if quantity}


async def run(server: str, days: int) -> tuple[str, list[str]]:
    """Move, voucher, lock, book by hand; then every day is tied."""
    rng, beside = random.Random(5), Beside()
    today = datetime.now(UTC).date()
    first = today - timedelta(days=days)
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with (
            accounting(server, Path(folder), WINDOW, SETTLE_SECONDS, DEADLINE_SECONDS) as stand,
            vouchers_of(stand) as desk,
        ):
            await _open(stand, first, beside)
            locked = 0
            for part in range(4):
                for n in range(days * A_DAY // 4):
                    number = part * days * A_DAY + n
                    await _move(stand, rng, beside, first + timedelta(days=rng.randrange(days)), number)
                await ActivityEnvironment().run(desk.post_vouchers, MERCHANT)
                if part == 1:
                    locked = days // 3
                    until = str(first + timedelta(days=locked))
                    await stand.control("PUT", "locked-period", {"tenantId": TENANT_ID, "endDate": until})
            async with stand.database.merchant(MERCHANT) as session:
                found = await rows(session, _VALUES, merchant=MERCHANT)
            beside.values = {row.cause: row.value for row in found}
            by_hand = await _by_hand(stand, first, days, locked, rng)
            short, late, foreign = await _judge(stand, beside, first, days)
    figure = (
        f"{days + 1} days tied of a stock list of {len(beside.values)} movements in any order; {late} with something booked"
        f" later because the day was locked, {foreign} with vouchers by hand ({by_hand} in all) listed"
    )
    if not late or not foreign:
        short.append("no day was locked or no voucher was foreign, so the hard part was not seen")
    return figure, short[:10]


async def _open(stand: Accounting, first: date, beside: Beside) -> None:
    at = datetime.combine(first, time(12), UTC)
    async with stand.database.merchant(MERCHANT) as session:
        merchant = await load_merchant(session, MERCHANT)
        balances = [OpeningBalance(number, Decimal(1000), price) for number, price in ARTICLES]
        await book_opening(session, merchant, balances, at, "proof", "proof")
    for number, price in ARTICLES:
        beside.pieces[first][number] += 1000
        beside.opening += 1000 * price


async def _move(stand: Accounting, rng: random.Random, beside: Beside, on: date, number: int) -> None:
    article, _ = rng.choice(ARTICLES)
    quantity = Decimal(rng.choice((-3, -2, -1, 1, 2)))
    cost = Decimal(rng.randint(100, 9999)) / 100 if quantity > 0 else None
    cause = f"proof/{number}"
    async with stand.database.merchant(MERCHANT) as session:
        merchant = await load_merchant(session, MERCHANT)
        place = (article, merchant.settings.warehouse)
        pools = await ledger.lock_pools(session, MERCHANT, [place])
        at = datetime.combine(on, time(12), UTC)
        made, pool = change_stock(Change(place, quantity, cause, ACCOUNT, at, on, cost), pools[place])
        accounts = merchant.settings.stock_accounts
        await ledger.append(session, MERCHANT, made, {place: pool}, accounts, "SEK", cause, "moved", "proof", "proof")
    beside.pieces[on][article] += quantity
    beside.dated[cause] = on


async def _by_hand(stand: Accounting, first: date, days: int, locked: int, rng: random.Random) -> int:
    """The accountant moves the stock account by vouchers of her own, after what is locked."""
    secret = stand.keys.open(MERCHANT, "fortnox", await _sealed(stand))
    async with httpx.AsyncClient(base_url=stand.address, trust_env=False, timeout=60) as http:
        key = json.loads(secret)
        token = await http.post(
            "/oauth-v1/token",
            data={"grant_type": "client_credentials"},
            headers={"TenantId": str(TENANT_ID)},
            auth=(key["client_id"], key["client_secret"]),
        )
        bearer = {"Authorization": f"Bearer {token.json()['access_token']}"}
        for _ in range(5):
            day = first + timedelta(days=locked + 1 + rng.randrange(days - locked - 1))
            years = (await http.get(f"/3/financialyears?date={day}", headers=bearer)).json()["FinancialYears"]
            amount = rng.randint(1, 500)
            both = [{"Account": STOCK, "Debit": amount}, {"Account": 4010, "Credit": amount}]
            body = {"Description": "by hand", "VoucherSeries": "A", "TransactionDate": str(day), "VoucherRows": both}
            made = await http.post(f"/3/vouchers?financialyear={years[0]['Id']}", headers=bearer, json={"Voucher": body})
            made.raise_for_status()
    return 5


async def _sealed(stand: Accounting) -> bytes:
    query = text("select credentials from bridge.connection where merchant_id = :merchant and system = 'fortnox'")
    async with stand.database.merchant(MERCHANT) as session:
        [found] = await rows(session, query, merchant=MERCHANT)
    return bytes(found.credentials)


async def _judge(stand: Accounting, beside: Beside, first: date, days: int) -> tuple[list[str], int, int]:
    """Every day by both judges. Returns what fell short, days with something booked later, days with foreign vouchers."""
    state = await stand.control("GET", f"state?tenantId={TENANT_ID}")
    ours_by_day: dict[date, Decimal] = defaultdict(Decimal)
    others_by_day: dict[date, Decimal] = defaultdict(Decimal)
    for voucher in state["vouchers"]:
        side = ours_by_day if voucher["series"] == SERIES else others_by_day
        moved = sum((_amount(row) for row in voucher["rows"] if int(row["account"]) == STOCK), Decimal(0))
        side[date.fromisoformat(voucher["date"][:10])] += moved
    connections = fortnox_connections(stand.database, stand.keys, stand.settings)
    short: list[str] = []
    late = foreign = 0
    try:
        async with connections.using(MERCHANT) as (_, client):
            for n in range(days + 1):
                on = first + timedelta(days=n)
                tied = await tie(stand.database, client, MERCHANT, on)
                async with stand.database.merchant(MERCHANT) as session:
                    listed = await stock_as_of(session, MERCHANT, on, "Europe/Stockholm")
                value = sum((row["value"] for row in listed), Decimal(0))
                there = sum((v for day, v in ours_by_day.items() if day <= on), Decimal(0))
                others = sum((v for day, v in others_by_day.items() if day <= on), Decimal(0))
                late += bool(tied.ours.later)
                foreign += bool(tied.foreign)
                if value != beside.value(on) or {row["article"]: row["quantity"] for row in listed} != beside.quantities(on):
                    short.append(f"{on}: the stock list is worth {value}, by the list beside {beside.value(on)}")
                if (tied.fortnox, tied.ours.vouchered, value - tied.ours.later) != (there + others, there, there):
                    short.append(f"{on}: Fortnox has {there} of ours and {others} of others, the tie-out says {tied.fortnox}")
                if sum((each.amount for each in tied.foreign), Decimal(0)) != others or not tied.agrees:
                    short.append(f"{on}: gap {tied.gap}, listed as foreign are {[each.amount for each in tied.foreign]}")
    finally:
        await connections.aclose()
    return short, late, foreign


def _amount(row: dict[str, Any]) -> Decimal:
    return Decimal(str(row["debit"])) - Decimal(str(row["credit"]))


async def prove(small: bool, server: str | None = None) -> Proof:
    """Every day ties, to the öre."""
    async with postgres(server) as address:
        figure, short = await run(address, SMALL_DAYS if small else DAYS)
    return Proof("5", "the stock list as of every day", figure, tuple(short))


if __name__ == "__main__":
    print(asyncio.run(prove(False)).line())
