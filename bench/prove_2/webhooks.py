"""Webhooks are hints: without any, and with each three times in random order, the books end as in a calm run.

python -m bench.prove_2.webhooks               60 orders, three runs, each on a stack of its own
python -m bench.prove_2.webhooks --orders 12   fewer

The same orders each time: some changed and some cancelled before the warehouse begins, some picked, un-picked and picked again by
hand, the rest by the warehouse that works by itself, in full, short, in two goes and in two shipments. Compared are statuses,
shipped quantities by line, stock, cost, accounts, and what Fortnox holds of each order.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from bench.prove_1.proof import Proof
from bench.prove_1.retail_books import Books, invoices_in_fortnox, read_books
from bench.prove_2.shop import Shop, open_shop, order
from starters.connect import GOODS_OWNER_ID, MERCHANT
from worker.temporal import connect

COSTS = {"MUGG": Decimal("2.50"), "FAT": Decimal("1.25"), "SKÅL": Decimal("7.10")}
PRICES = {"MUGG": Decimal(10), "FAT": Decimal("5.50"), "SKÅL": Decimal("29.90")}
MISCHIEF: dict[str, list[dict[str, Any]]] = {
    "calm": [],
    "all dropped": [{"route": "WEBHOOK *", "kind": "drop"}],
    "three times in random order": [{"route": "WEBHOOK *", "kind": "duplicate", "params": {"copies": 3, "within": 6}}],
}
LOOK_EVERY_SECONDS = 3
QUIET_SECONDS = 8.0
MINUTES = 6.0

_AT_WAREHOUSE = """
    select count(*) as n from bridge.link
    where merchant_id = :m and system = 'ongoing' and kind = 'sales-order' and confirmed
"""
_UNSETTLED = """
    select (select count(*) from bridge.outbox where merchant_id = :m and delivered_at is null)
      + (select count(*) from bridge.process where merchant_id = :m and kind = 'sales-order' and ended_at is null)
      + (select count(*) from bridge.watched where merchant_id = :m and status not in (450, 1000))
      + (select count(*) from erp.invoice_basis where merchant_id = :m and state = 'open') as n
"""


@dataclass(slots=True)
class Run:
    """What one run left behind, and which webhooks it had."""

    books: Books
    heard: Counter[str]
    short: list[str]


async def run(name: str, orders: int) -> Run:
    """One run under one kind of mischief."""
    async with open_shop(COSTS, short_grace_seconds=2, watch_interval_seconds=LOOK_EVERY_SECONDS) as shop:
        for at, rule in enumerate(MISCHIEF[name]):
            body = {"id": f"mischief-{at}", "count": None, "probability": 1, "seed": "7"} | rule
            (await shop.control("POST", "faults", body)).raise_for_status()
        await _watch_often(shop)
        short = await _live_a_day(shop, orders)
        short += await shop.unclean()
        books = await read_books(shop.verifying)
        books.invoices = {number: [sum(nets, Decimal(0))] for number, nets in (await invoices_in_fortnox(shop.stack)).items()}
        calls = (await shop.control("GET", "webhook-calls?since=0")).json()
        return Run(books, Counter(call["state"] for call in calls), short)


async def _watch_often(shop: Shop) -> None:
    """What a merchant sets who does not want to wait a minute."""
    client = await connect(shop.settings)
    often = text("update bridge.entity set interval_seconds = :seconds where merchant_id = :m and flow = 'orders-back'")
    async with shop.app.merchant(MERCHANT) as session:
        await session.execute(often, {"m": MERCHANT, "seconds": LOOK_EVERY_SECONDS})
    await client.get_workflow_handle(f"watch/{MERCHANT}").signal("run_now")


async def _live_a_day(shop: Shop, orders: int) -> list[str]:
    numbers = [f"W-{n:03d}" for n in range(orders)]
    articles = list(COSTS)
    for n, number in enumerate(numbers):
        lines = [(articles[(n + at) % 3], Decimal(4 + (n + at) % 5), PRICES[articles[(n + at) % 3]]) for at in range(1 + n % 3)]
        await shop.write(*order(number, lines))
    await _until(shop, _AT_WAREHOUSE, orders)
    await shop.stock_there(articles)
    for n, number in enumerate(numbers):
        if n % 6 == 1:
            change = (
                "update erp.sales_order_line set quantity = 9 where merchant_id = :m and order_number = :n and line_number = 1"
            )
            await shop.write((change, {"n": number}))
        if n % 6 == 2:
            ask = "update erp.sales_order set cancel_requested_at = now() where merchant_id = :m and order_number = :n"
            await shop.write((ask, {"n": number}))
    cancelled = "select count(*) as n from erp.sales_order where merchant_id = :m and status = 'cancelled'"
    changed = "select count(*) as n from bridge.link where merchant_id = :m and kind = 'sales-order' and sent_version = 2"
    await _until(shop, cancelled, len(numbers[2::6]))
    await _until(shop, changed, len(numbers[1::6]))
    for number in numbers[3::6]:
        await _by_hand(shop, number)
    work = {"goodsOwnerId": GOODS_OWNER_ID, "enabled": True, "delaySeconds": 0.3, "style": "varied", "seed": 1}
    (await shop.control("PUT", "auto", work)).raise_for_status()
    return await _rest(shop)


async def _by_hand(shop: Shop, number: str) -> None:
    """A worker who picks, changes their mind, and picks again."""
    row = [{"rowNumber": "1", "numberOfItems": "2"}]
    for action, body in (
        ("pick", {"lines": row}),
        ("undo-pick", {"lines": [row[0] | {"numberOfItems": "1"}]}),
        ("pick", {}),
        ("send", {}),
    ):
        answer = await shop.control("POST", f"orders/by-number/{GOODS_OWNER_ID}/{number}/{action}", body)
        answer.raise_for_status()


async def _until(shop: Shop, statement: str, wanted: int) -> None:
    async with asyncio.timeout(120):
        while True:
            if (await shop.read(statement))[0].n >= wanted:
                return
            await asyncio.sleep(0.2)


async def _rest(shop: Shop) -> list[str]:
    """Until the warehouse has done nothing for a while, all of it is reported, and none of ours is under way."""
    until, quiet_since, before = time.monotonic() + MINUTES * 60, time.monotonic(), None
    while time.monotonic() < until:
        state = (await shop.control("GET", f"state?goodsOwnerId={GOODS_OWNER_ID}")).json()
        unsettled = (await shop.read(_UNSETTLED))[0].n
        if state != before or state["linesToReport"] or unsettled:
            quiet_since, before = time.monotonic(), state
        if time.monotonic() - quiet_since > QUIET_SECONDS:
            return []
        await asyncio.sleep(0.5)
    return [f"after {MINUTES:g} minutes {unsettled} things of ours are under way; the warehouse: {before}"]


async def prove(orders: int = 60) -> Proof:
    """Three runs, one set of books."""
    began = time.monotonic()
    runs = {name: await run(name, orders) for name in MISCHIEF}
    calm = runs["calm"]
    short = [f"{name}: {what}" for name, each in runs.items() for what in each.short]
    short += [f"{name}: {what}" for name, each in runs.items() for what in calm.books.differences(each.books)]
    heard = {name: each.heard["sent"] for name, each in runs.items()}
    if heard["all dropped"] or heard["three times in random order"] % 3 or not heard["calm"]:
        short.append(
            f"the webhooks were not as they should have been: { {name: dict(each.heard) for name, each in runs.items()} }"
        )
    net = sum((nets[0] for nets in calm.books.invoices.values()), Decimal(0))
    figure = (
        f"{orders} orders three times: webhooks heard {', '.join(f'{n} ({name})' for name, n in heard.items())}; "
        f"{Counter(calm.books.statuses.values())}, {net} invoiced net each time; {time.monotonic() - began:.0f} s"
    )
    return Proof("1", "webhooks are hints", figure, tuple(short[:10]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=60, help="how many orders each run has")
    proof = asyncio.run(prove(parser.parse_args().orders))
    print(proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
