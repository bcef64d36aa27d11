"""Point 4: answers to voucher creation get lost, half of them with the request still on its way; each posting is there once, net.

A voucher has no draft and no key that Fortnox would know twice: created is booked. Drives `activities.vouchers` against
PostgreSQL and the simulated Fortnox over a socket; the loop that calls the activity again stands in for Temporal's retries and
keeps the pause that it asks for. One posting is one voucher here, in rounds, so that a repeat comes as soon as it may. Some late
requests arrive after the settle time, when the voucher has been made again: such a one must be reversed by a voucher that names
it, and listed. Meanwhile postings are made for days that have long been vouchered. Counted by the simulator's own log, judged by
its own state.
"""

import asyncio
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.errors import Waiting
from activities.vouchers import Vouchers
from activities.writing import WriteRules
from bench.prove_1.accounting import ARTICLES, MERCHANT, TENANT_ID, Accounting, accounting
from bench.prove_1.lost_answers import Faults, log_entries
from bench.prove_1.proof import Proof
from bench.prove_1.stand import postgres
from clients.errors import Unavailable
from domain.adjusting import Change, change_stock
from domain.vouchers import voucher_key
from erp import ledger
from erp.database import rows
from erp.merchants import load_merchant, save_settings
from erp.opening import OpeningBalance, book_opening
from worker.wiring import fortnox_connections

SETTLE_SECONDS = 9.0
DEADLINE_SECONDS = 4.0
LATE_SECONDS = 2.0
TOO_LATE_SECONDS = SETTLE_SECONDS + 6.0
WINDOW = (100, 0.05)
ROUTE = "POST /3/vouchers"
ROUND = 120
EVERY_NTH_LATE = 10
SERIES = "L"
ACCOUNT = 4990

_OURS = text(
    """
    select v.voucher_no, v.state, v.fortnox_number as number, v.accounting_date, v.booked_on, count(p.posting_no) as postings
    from bridge.voucher v left join bridge.voucher_posting p using (merchant_id, voucher_no)
    where v.merchant_id = :merchant group by v.merchant_id, v.voucher_no
    """
)
_WITHOUT = text(
    """
    select count(*) as n from erp.posting p where p.merchant_id = :merchant and not exists (
      select from bridge.voucher_posting v where v.merchant_id = p.merchant_id and v.posting_no = p.posting_no)
    """
)
_POSTED = text(
    """
    select r.account, sum(r.debit - r.credit) as value from erp.posting_row r where r.merchant_id = :merchant
    group by r.account having sum(r.debit - r.credit) <> 0
    """
)
_SURPLUS = text(
    """
    select their_id, business_key, state from bridge.surplus_document where merchant_id = :merchant and kind = 'voucher'
    """
)


@dataclass(slots=True)
class Books:
    """What a run has done: postings made, of them for days that were vouchered before, repeats asked for, duplicates swept."""

    postings: int = 0
    late_days: int = 0
    repeats: int = 0
    swept: int = 0


@asynccontextmanager
async def vouchers_of(stand: Accounting) -> AsyncIterator[Vouchers]:
    connections = fortnox_connections(stand.database, stand.keys, stand.settings)
    rules = WriteRules(timedelta(seconds=DEADLINE_SECONDS), timedelta(seconds=SETTLE_SECONDS), timedelta(seconds=30))
    try:
        yield Vouchers(stand.database, connections, rules)
    finally:
        await connections.aclose()


async def run(server: str, faults: Faults, vouchers: int) -> tuple[str, list[str]]:
    """The whole of it: lose, post, sweep, judge. Returns the figure and what fell short."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with (
            accounting(server, Path(folder), WINDOW, SETTLE_SECONDS, DEADLINE_SECONDS) as stand,
            vouchers_of(stand) as desk,
        ):
            await _opened(stand)
            await _lose(stand, faults)
            books, began = Books(), time.monotonic()
            while books.postings < vouchers:
                await _move(stand, books, min(ROUND, vouchers - books.postings))
                await _post(desk, books)
            took = time.monotonic() - began
            await asyncio.sleep(TOO_LATE_SECONDS + 1)  # the last of the late ones has arrived by now
            while found := await _swept(desk):
                books.swept += found
            return await _judge(stand, books, faults, took)


async def _swept(desk: Vouchers) -> int:
    """The nightly search, called again after the pause that it asks for."""
    while True:
        try:
            return await ActivityEnvironment().run(desk.sweep_surplus_vouchers, MERCHANT)
        except Waiting as waiting:
            await asyncio.sleep(waiting.seconds)


async def _opened(stand: Accounting) -> None:
    async with stand.database.merchant(MERCHANT) as session:
        await save_settings(session, MERCHANT, {"voucher_per": "event"}, "proof")
        merchant = await load_merchant(session, MERCHANT)
        balances = [OpeningBalance(number, Decimal(100_000), price) for number, price in ARTICLES]
        await book_opening(session, merchant, balances, datetime(2026, 1, 2, 12, tzinfo=UTC), "proof", "proof")


async def _move(stand: Accounting, books: Books, count: int) -> None:
    """So many postings of different amounts: the newest days first vouchered, and every tenth for a day of long ago."""
    today = datetime.now(UTC).date()
    newest = (today - date(today.year, 1, 10)).days
    async with stand.database.merchant(MERCHANT) as session:
        merchant = await load_merchant(session, MERCHANT)
        places = [(number, merchant.settings.warehouse) for number, _ in ARTICLES]
        pools = await ledger.lock_pools(session, MERCHANT, places)
        entries = []
        for n in range(books.postings, books.postings + count):
            late = n % EVERY_NTH_LATE == EVERY_NTH_LATE - 1
            ago = (newest - n // 40 % 10) if late else n // 2 % (newest - 20)
            books.late_days += late
            place, at = places[n % len(places)], datetime.combine(today - timedelta(days=ago), datetime.min.time(), UTC)
            sign = 1 if n % 2 else -1
            change = Change(place, Decimal(sign * (n % 13 + 1)), f"proof/{n}", ACCOUNT, at, at.date())
            made, pools[place] = change_stock(change, pools[place])
            entries.append((made, place))
        for made, place in entries:  # each in a transaction of its own, so that each is a posting of its own
            accounts = merchant.settings.stock_accounts
            await ledger.append(
                session, MERCHANT, made, {place: pools[place]}, accounts, "SEK", "proof", "moved", "proof", "proof"
            )
    books.postings += count


async def _post(desk: Vouchers, books: Books) -> None:
    """As Temporal would: call, and call again after the pause that was asked for."""
    while True:
        try:
            await ActivityEnvironment().run(desk.post_vouchers, MERCHANT)
            return
        except Waiting as waiting:
            pause = waiting.seconds
        except Unavailable:
            pause = 0.5
        books.repeats += 1
        await asyncio.sleep(pause)


async def _lose(stand: Accounting, faults: Faults) -> None:
    """From now on so many answers to creations get lost."""
    for name, kind, count, probability, parameters in (
        ("lost", "lost-answer", faults.lost, 0.5, {}),
        ("too-late", "late", faults.too_late, 0.3, {"seconds": TOO_LATE_SECONDS}),
        ("late", "late", faults.late, 1.0, {"seconds": LATE_SECONDS}),
    ):
        fault = {"id": name, "route": ROUTE, "kind": kind, "count": count, "probability": probability, "seed": 1}
        await stand.control("POST", "faults", fault | {"params": parameters})


async def _judge(stand: Accounting, books: Books, faults: Faults, took: float) -> tuple[str, list[str]]:
    log = await log_entries(stand, ROUTE)
    state = await stand.control("GET", f"state?tenantId={TENANT_ID}")
    async with stand.database.merchant(MERCHANT) as session:
        ours = {voucher_key(row.voucher_no): row for row in await rows(session, _OURS, merchant=MERCHANT)}
        [without] = await rows(session, _WITHOUT, merchant=MERCHANT)
        posted = {row.account: row.value for row in await rows(session, _POSTED, merchant=MERCHANT)}
        surplus = list(await rows(session, _SURPLUS, merchant=MERCHANT))
    theirs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    reversals: dict[str, list[dict[str, Any]]] = defaultdict(list)
    sums: Counter[int] = Counter()
    for voucher in state["vouchers"]:
        if voucher["series"] != SERIES:
            continue
        key = voucher["comments"]
        found = re.fullmatch(r"(lagerbro-ver-\d+)-rev-(\d+)", key)
        (reversals[found[1]] if found else theirs[key]).append(voucher)
        for row in voucher["rows"]:
            sums[int(row["account"])] += Decimal(str(row["debit"])) - Decimal(str(row["credit"]))  # type: ignore[assignment]

    lost = sum(1 for entry in log if entry["fault"] and not entry["late"])
    late = sum(1 for entry in log if entry["late"] and entry["applied"])
    short = []
    if (lost, late) != (faults.total, faults.late + faults.too_late):
        short.append(f"the simulator's log has {lost} lost answers, {late} of them late; wanted were {faults.total} and half")
    opening = 1
    if len(ours) != books.postings + opening or without.n or any(row.postings != 1 for row in ours.values()):
        short.append(f"{books.postings + opening} postings, {len(ours)} vouchers of ours, {without.n} postings without one")
    if set(theirs) != set(ours):
        short.append(
            f"{len(set(ours) - set(theirs))} vouchers are missing in Fortnox, {len(set(theirs) - set(ours))} are strange"
        )
    twice = 0
    for key, row in ours.items():
        numbers = sorted(int(voucher["number"]) for voucher in theirs[key])
        taken_back = sorted(int(voucher["comments"].rpartition("-")[2]) for voucher in reversals[key])
        twice += len(taken_back)
        if [n for n in numbers if n not in taken_back] != [row.number] or len(taken_back) != len(numbers) - 1:
            short.append(f"{key}: ours is {row.state} {row.number}, in Fortnox are {numbers}, reversed {taken_back}")
        for voucher in reversals[key]:
            if f"{SERIES}{voucher['comments'].rpartition('-')[2]}" not in voucher["description"]:
                short.append(f"{key}: its reversal does not name what it reverses: {voucher['description']}")
        if any(voucher["date"][:10] != str(row.booked_on) for voucher in theirs[key]) or row.booked_on != row.accounting_date:
            short.append(f"{key}: of {row.accounting_date}, in Fortnox on {[voucher['date'] for voucher in theirs[key]]}")
    if len(surplus) != twice or any(row.state != "cancelled" for row in surplus):
        short.append(f"{twice} vouchers are reversed, {len(surplus)} are listed: {Counter(row.state for row in surplus)}")
    if {account: value for account, value in sums.items() if value} != posted:
        short.append(f"Fortnox has {dict(sums)}, posted are {posted}")
    if not twice:
        short.append("no voucher came twice, so none was seen to be reversed")
    figure = (
        f"{lost} answers lost by the simulator's log, {late} of them late; {len(ours)} postings, each in one voucher, net;"
        f" {twice} came twice, each reversed by one that names it and listed, {books.swept} of them seen through by the sweep;"
        f" {books.late_days} were made for days vouchered before; {took:.0f} s"
    )
    return figure, short[:10]


async def prove(small: bool, server: str | None = None) -> Proof:
    """2 000 lost answers, half of them late."""
    faults = Faults(20, 14, 6) if small else Faults(1000, 900, 100)
    async with postgres(server) as address:
        figure, short = await run(address, faults, faults.total + (10 if small else 100))
    return Proof("4", "lost answers on voucher creation", figure, tuple(short))


if __name__ == "__main__":
    print(asyncio.run(prove(False)).line())
