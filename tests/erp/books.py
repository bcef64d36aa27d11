"""Picks booked by the product's own functions, without a warehouse: enough books to test what guards them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from domain.counting import Line
from domain.keys import OrderKey
from domain.stock import Movement, move_stock
from erp import counters, ledger
from erp.counters import CountedLine
from erp.database import Database
from erp.merchants import load_merchant

PATIENCE = timedelta(0)


async def count(
    app: Database, merchant: str, number: str, doc_id: int, picked: dict[int, int], articles: dict[int, str] | None = None
) -> int:
    """What the warehouse shows, by line number, looked at and booked with its stock; returns the number of steps."""
    async with app.merchant(merchant) as session:
        await counters.watch(session, merchant, number, doc_id, 400)
    async with app.merchant(merchant) as session:
        looks = await counters.begin_look(session, merchant, number)
    at = datetime.now(UTC)
    seen = [
        CountedLine((doc_id, n), n, (articles or {}).get(n, "A"), Decimal(100), Decimal(quantity), None, True, at)
        for n, quantity in picked.items()
    ]
    async with app.merchant(merchant) as session:
        who = await load_merchant(session, merchant)
        watched = await counters.lock(session, merchant, number, looks)
        plan = await counters.book(session, merchant, watched, seen, looks, PATIENCE)
        by_line: dict[Line, CountedLine] = {line.line: line for line in seen}
        movements = [Movement(step, (by_line[step.line].article_number, "MAIN"), at, date(2026, 11, 25)) for step in plan.steps]
        if movements:
            pools = await ledger.lock_pools(session, merchant, [movement.place for movement in movements])
            down = [movement.step.line for movement in movements if movement.step.quantity < 0]
            entries, after = move_stock(movements, pools, await ledger.earlier_entries(session, merchant, down))
            accounts = who.settings.stock_accounts
            await ledger.append(
                session, merchant, entries, after, accounts, "SEK", f"sales-order/{number}", "pick", "test", "test"
            )
        await counters.draw_fence(session, merchant, number, plan.open_doubts, {doc_id: (300, None, False)})
    return len(plan.steps)


def key(merchant: str, number: str = "SO-1") -> OrderKey:
    return OrderKey(merchant, number)
