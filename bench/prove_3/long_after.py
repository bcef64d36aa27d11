"""Point 4: returns seen 300 days after their orders' end are booked at the cost the goods left with, within one sweep.

python -m bench.prove_3.long_after [--small]

The warehouse's clock stands 300 days back while the orders are sold, and what our books remember of them is as old. Between the
sales goods are bought at other prices, so that no order's cost is the pool's average any more.
"""

import asyncio
import sys
import time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import text

from bench.prove_1.proof import Proof
from bench.prove_3.ground import Ground, ground, receive_goods
from erp.migrate import engine_for
from tests.activities.returning import begin, goes_on
from tests.activities.world import Shop, again
from tests.erp.data import line

DAYS = 300
FOUND = "select return_number, order_number, origin from erp.return_order where merchant_id = :m order by 1"
COSTS = """
  select substr(document, 13) as number, value / quantity from erp.stock_entry
  where merchant_id = :m and kind = 'pick'"""
BACK = """
  select r.order_number, e.value, e.quantity from erp.stock_entry e
  join erp.returned_goods r on r.merchant_id = e.merchant_id and r.doc_id = e.booking_doc_id and r.line_id = e.booking_line_id
    and r.step = e.booking_step
  where e.merchant_id = :m and e.kind = 'return'"""
CREDITED = """
  select order_number, count(*) from erp.invoice_basis
  where merchant_id = :m and kind = 'credit' and state = 'booked' group by 1"""
AGE = (
    "update bridge.watched set looked_at = looked_at - make_interval(days => :days),"
    " watch_until = watch_until - make_interval(days => :days) where merchant_id = :m",
    "update bridge.process set ended_at = ended_at - make_interval(days => :days) where merchant_id = :m",
)


async def _sell(shop: Shop, orders: list[str]) -> None:
    for number, order in enumerate(orders):
        await receive_goods(shop, "A", 500, Decimal(2300 + 137 * number))
        await shop.sent(order, [line("A", 4, "19.90")], freight=49)
        await shop.pick_and_send(order)
        await shop.ended(await shop.look_until_calm(order), order)


async def _grow_old(at: Ground, shop: Shop) -> None:
    engine = engine_for(at.scratch.url())
    async with engine.begin() as connection:
        for statement in AGE:
            await connection.execute(text(statement), {"m": shop.merchant, "days": DAYS})
    await engine.dispose()


async def _judge(shop: Shop, orders: list[str]) -> list[str]:
    costs = {order: each.quantize(Decimal("0.01"), ROUND_HALF_UP) for order, each in await shop.read(COSTS)}
    back: dict[str, list[Any]] = {}
    for order, value, quantity in await shop.read(BACK):
        back.setdefault(order, []).append((value, quantity))
    credited = dict(await shop.read(CREDITED))
    wrong = []
    for order in orders:
        if back.get(order) != [(costs[order], 1)]:
            wrong.append(f"{order}: left at {costs[order]} each, came back as {back.get(order)}")
        if credited.get(order) != 1:
            wrong.append(f"{order}: {credited.get(order, 0)} credits")
    if len(set(costs.values())) < len(orders):
        wrong.append("orders left at the same cost, so the proof proves less")
    return wrong[:10]


async def prove(small: bool, server: str | None = None) -> Proof:
    """So many orders, one piece of each back, one sweep."""
    orders = [f"SO-{number:03d}" for number in range(5 if small else 60)]
    async with ground(server) as at:
        shop = await at.shop()
        await at.ongoing("PUT", "clock", {"offsetSeconds": -DAYS * 86_400})
        await _sell(shop, orders)
        await _grow_old(at, shop)
        await at.ongoing("PUT", "clock", None)
        for order in orders:
            await shop.floor("return", order, {1: 1}, keepStatus=True)
        before = await shop.read(FOUND)
        began = time.monotonic()
        await again(shop.worker.watch.sweep, shop.merchant)
        swept = time.monotonic() - began
        found = await shop.read(FOUND)
        for number, _, _ in found:
            await goes_on(shop, await begin(shop, number))
        short = await _judge(shop, orders) + await at.unclean()
    seen = {order for _, order, origin in found if origin == "seen"}
    if before or seen != set(orders):
        short.append(f"returns of {len(seen)} of {len(orders)} orders were found by the sweep, {len(before)} before it")
    figure = f"{len(seen)} of {len(orders)} returns found by one sweep ({swept:.1f} s), each at its own order's cost"
    return Proof("4", f"returns {DAYS} days after the end", figure, tuple(short))


if __name__ == "__main__":
    proof = asyncio.run(prove("--small" in sys.argv))
    print(proof.line())
    sys.exit(0 if proof.ok else 1)
