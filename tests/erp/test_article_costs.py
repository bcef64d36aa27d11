"""Two costs of an article: calculated from price and rate, booked from stock, and never one for the other."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from domain.errors import Refused
from domain.rates import Quote
from erp.article_costs import Recalculated, recalculate, set_by_hand
from erp.database import Database
from erp.merchants import load_merchant, save_settings
from erp.rates import Checked, store
from tests.erp.data import add_merchant, article, insert, open_stock, read

D = Decimal
TODAY = date(2026, 11, 26)
COSTS = """
  select calculated_cost, currency, exchange_rate, set_by from erp.article_cost
  where merchant_id = :m and article_number = 'X'"""


async def rate(app: Database, merchant: str, value: str, on: date = TODAY) -> None:
    async with app.merchant(merchant) as session:
        await store(session, merchant, "EUR", [Checked(Quote("EUR", on, D(value)), "ecb", D(value))], datetime.now(UTC))


async def costed(app: Database, merchant: str, today: date = TODAY) -> Recalculated:
    async with app.merchant(merchant) as session:
        return await recalculate(session, await load_merchant(session, merchant), today)


async def priced(erp: Database, price: str = "10", currency: str | None = "EUR") -> str:
    merchant = await add_merchant(erp)
    async with erp.everyone() as session:
        columns: dict[str, Any] = {"purchase_price": D(price), "purchase_currency": currency}
        await insert(session, "erp.article", article(merchant, "X", **columns))
    return merchant


async def test_the_calculated_cost_moves_with_price_and_rate_and_the_booked_one_does_not(
    app: Database, erp: Database, verify: Database
) -> None:
    merchant = await priced(erp)
    await open_stock(app, merchant, 10, "100")
    async with app.merchant(merchant) as session:
        await save_settings(session, merchant, {"cost_landed_percent": 5}, "test")
    await rate(app, merchant, "11.20")
    assert await costed(app, merchant) == Recalculated(1, ("X",), {})
    assert await read(verify, COSTS, m=merchant) == [(D("117.60"), "EUR", D("11.2"), None)]
    assert await costed(app, merchant) == Recalculated(1, (), {}), "a repeat writes nothing"
    both = "select booked_cost, calculated_cost from erp.article_costs where merchant_id = :m and article_number = :a"
    assert await read(erp, both, m=merchant, a="A") == [(D(100), None)]
    assert await read(erp, both, m=merchant, a="X") == [(None, D("117.60"))]


async def test_a_small_move_is_not_written_until_it_has_added_up_and_a_jump_is_a_note_for_a_person(
    app: Database, erp: Database, verify: Database
) -> None:
    merchant = await priced(erp)
    for value, written in (("11.00", ("X",)), ("11.05", ()), ("11.10", ()), ("11.12", ("X",))):
        await rate(app, merchant, value)
        assert (await costed(app, merchant)).written == written, value
    async with erp.everyone() as session:
        await session.execute(
            text("update erp.article set purchase_price = 15 where merchant_id = :m and purchase_price > 0"), {"m": merchant}
        )
    found = await costed(app, merchant)
    assert found.written == () and "would go from 111.20" in found.refused["X"]
    notes = "select kind, document, code, blocking from bridge.exception where merchant_id = :m and closed_at is null"
    assert await read(verify, notes, m=merchant) == [("article", "X", "cost-implausible", False)]
    async with app.merchant(merchant) as session:
        await set_by_hand(session, merchant, "X", D("166.80"), "Kim", "new price list")
    assert await read(verify, COSTS, m=merchant) == [(D("166.80"), None, None, "Kim")]
    assert await costed(app, merchant) == Recalculated(1, (), {})
    assert await read(verify, notes, m=merchant) == []
    audit = "select actor, action, document, reason from bridge.audit where merchant_id = :m and action = 'set-calculated-cost'"
    assert await read(verify, audit, m=merchant) == [("Kim", "set-calculated-cost", "X", "new price list")]


async def test_without_a_fresh_rate_a_cost_stays_and_its_article_is_named(app: Database, erp: Database, verify: Database) -> None:
    merchant = await priced(erp)
    assert "no exchange rate" in (await costed(app, merchant)).refused["X"]
    await rate(app, merchant, "11.20", TODAY - timedelta(days=9))
    assert "banking days old" in (await costed(app, merchant)).refused["X"]
    assert await read(verify, COSTS, m=merchant) == []


async def test_what_is_no_cost_or_no_article_is_refused(app: Database, erp: Database) -> None:
    merchant = await priced(erp)
    async with app.merchant(merchant) as session:
        with pytest.raises(Refused, match="article NONE is not in"):
            await set_by_hand(session, merchant, "NONE", D(1), "Kim", "why")
        with pytest.raises(Refused, match="-1 is no cost of a piece"):
            await set_by_hand(session, merchant, "X", D(-1), "Kim", "why")
