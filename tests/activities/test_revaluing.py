"""Revaluation: previewed without a trace, booked exactly as previewed, once; what is sold already goes to the result."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from domain.adjusting import Change, change_stock
from domain.errors import Refused
from domain.pools import AT_SET_PRICE, METHODS
from domain.rates import Quote
from domain.revaluing import Asked, Preview
from erp import ledger
from erp.merchants import load_merchant
from erp.rates import Checked, store
from erp.revaluing import preview_revaluation, revalue
from starters.verify import verify as check_books
from tests.activities.test_purchases import ACCOUNT, calm, floor, ordered, place, send
from tests.activities.world import Shop
from tests.erp.data import article, insert

D = Decimal
ON = date(2026, 11, 30)
X = ("X", "MAIN")
DIFFERENCE = 4980
BOOKED = """
  select p.event, r.account, sum(r.debit - r.credit) from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
  where p.merchant_id = :m and p.document like 'revaluation/%' group by 1, 2 order by 1, 2"""
CHECKED = {"L1", "L2", "L3", "V1", "V2", "V3", "C1", "C2", "C3", "E5", "L5"}


async def opened(shop: Shop, method: str = "moving-average", **more: Any) -> None:
    """Nothing in stock, an article X, dollars at 11.20, and the merchant's costing method."""
    async with shop.worker.database.merchant(shop.merchant) as session:
        who = await load_merchant(session, shop.merchant)
        pools = await ledger.lock_pools(session, shop.merchant, [(a, "MAIN") for a in "ABC"])
        entries, after = [], {}
        for at, pool in pools.items():
            made, after[at] = change_stock(Change(at, -pool.quantity, "emptied", 4990, datetime.now(UTC), ON), pool)
            entries += made
        accounts = who.settings.stock_accounts
        await ledger.append(session, shop.merchant, entries, after, accounts, "SEK", "emptied", "emptied", "test", "test")
        for days in range(3):
            quote = Quote("USD", datetime.now(UTC).date() - timedelta(days=days), D("11.20"))
            await store(session, shop.merchant, "USD", [Checked(quote, "ecb", D("11.2"))], datetime.now(UTC))
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "X"))
        price = {"merchant_id": shop.merchant, "article_number": "X", "valid_from": date(2026, 1, 1), "price": D(100)}
        await insert(session, "erp.standard_cost", price)
    difference = {"price_difference_account": DIFFERENCE} if method in AT_SET_PRICE else {}
    await shop.settings(goods_received_not_invoiced_account=ACCOUNT, costing_method=method, **difference, **more)


async def received(shop: Shop, quantity: int, price: str, number: str = "PO-1", currency: str = "USD") -> None:
    key = await place(shop, [ordered("X", quantity, price)], number, currency=currency)
    await send(shop, key)
    await floor(shop, "receive", number=number)
    await calm(shop, key)


async def sold(shop: Shop, quantity: int, cause: str = "sold") -> None:
    async with shop.worker.database.merchant(shop.merchant) as session:
        who = await load_merchant(session, shop.merchant)
        pools = await ledger.lock_pools(session, shop.merchant, [X])
        made, pool = change_stock(Change(X, D(-quantity), cause, 4960, datetime.now(UTC), ON), pools[X])
        accounts = who.settings.stock_accounts
        await ledger.append(session, shop.merchant, made, {X: pool}, accounts, "SEK", cause, "sold", "test", "test")


async def seen(shop: Shop, asked: Asked, articles: Sequence[str] | None = None) -> Preview:
    """As `cost preview` asks: by a role that may only read."""
    async with shop.verify.everyone() as session:
        await session.execute(text("set transaction read only"))
        return await preview_revaluation(session, await load_merchant(session, shop.merchant), asked, articles)


async def book(shop: Shop, asked: Asked, preview_hash: str, reason: str = "month's end") -> tuple[int, bool]:
    async with shop.worker.database.merchant(shop.merchant) as session:
        who = await load_merchant(session, shop.merchant)
        return await revalue(session, who, asked, None, preview_hash, "ekonomi", reason, "test")


async def stock(shop: Shop) -> tuple[Any, Any]:
    [found] = await shop.read("select quantity, value from erp.stock_balance where merchant_id = :m and article_number = 'X'")
    return found[0], found[1]


async def everything(shop: Shop) -> dict[str, Any]:
    """A mark over each table of the database, every row of it."""
    marks: dict[str, Any] = {}
    async with shop.verify.everyone() as session:
        tables = await session.execute(
            text("select schemaname || '.' || tablename from pg_tables where schemaname in ('erp', 'bridge')")
        )
        for (table,) in tables.all():
            marks[table] = (
                await session.execute(text(f"select md5(string_agg(t::text, '|' order by t::text)) from {table} as t"))
            ).scalar()
    return marks


async def sound(shop: Shop) -> None:
    report = await check_books(shop.verify, merchant=shop.merchant, online=None, temporal=None)
    assert [f"{r.invariant} {r.samples}" for r in report.results if r.violations and r.invariant in CHECKED - {"R6"}] == []


RATE = Asked(ON, {"USD": D("10.95")})


async def test_received_and_not_invoiced_at_a_new_rate_is_split_between_stock_and_result(shop: Shop) -> None:
    await opened(shop)
    await received(shop, 100, "10")
    await sold(shop, 40)
    found = await seen(shop, RATE)
    assert (found.stock, found.result) == (D("-150.00"), D("-100.00"))
    [x] = found.articles
    assert (x.quantity, x.value_before, x.value_after) == (D(60), D("6720.00"), D("6570.00"))
    assert (x.cost_before, x.cost_after) == (D("112"), D("109.5"))
    number, fresh = await book(shop, RATE, found.hash)
    assert (number, fresh) == (1, True)
    assert await stock(shop) == (60, D("6570.00"))
    assert await shop.read(BOOKED) == [
        ("cost-settled", 1460, D("100.00")),
        ("cost-settled", 4960, D("-100.00")),
        ("stock-revalued", 1460, D("-250.00")),
        ("stock-revalued", ACCOUNT, D("250.00")),
    ]
    audit = "select actor, action, document, reason from bridge.audit where merchant_id = :m and action = 'revalue'"
    assert await shop.read(audit) == [("ekonomi", "revalue", "revaluation/1", "month's end")]
    assert (await seen(shop, RATE)).lines == (), "it stands at that rate now"
    back = await seen(shop, Asked(ON, {"USD": D("11.20")}))
    assert (back.stock, back.result) == (D("150.00"), D("100.00"))
    await sound(shop)


async def test_a_preview_writes_nothing_at_all(shop: Shop) -> None:
    await opened(shop)
    await received(shop, 100, "10")
    before = await everything(shop)
    found = await seen(shop, RATE)
    assert found.lines and await everything(shop) == before


async def test_a_revaluation_is_booked_once_however_often_it_is_asked_for(shop: Shop) -> None:
    await opened(shop)
    await received(shop, 100, "10")
    mark = (await seen(shop, RATE)).hash
    answers = await asyncio.gather(*(book(shop, RATE, mark) for _ in range(8)))
    assert sorted(answers) == [(1, False)] * 7 + [(1, True)]
    assert await book(shop, RATE, mark) == (1, False)
    assert await stock(shop) == (100, D("10950.00"))
    await sound(shop)


async def test_when_the_books_have_moved_since_the_preview_nothing_is_booked(shop: Shop) -> None:
    await opened(shop)
    await received(shop, 100, "10")
    mark = (await seen(shop, RATE)).hash
    await sold(shop, 1)
    before = await everything(shop)
    with pytest.raises(Refused, match="nothing was booked: it is no longer what was previewed") as refused:
        await book(shop, RATE, mark)
    assert refused.value.code == "preview-outdated"
    for other in (replace(RATE, rates={"USD": D("10.94")}), replace(RATE, on=date(2026, 12, 1)), replace(RATE, purchases=True)):
        with pytest.raises(Refused, match="no longer what was previewed"):
            await book(shop, other, mark)
    with pytest.raises(Refused, match="is no preview: give the whole hash"):
        await book(shop, RATE, "what")
    assert await everything(shop) == before


async def test_a_preview_that_is_outdated_is_refused_and_the_new_one_is_booked(shop: Shop) -> None:
    await opened(shop)
    await received(shop, 100, "10")
    mark = (await seen(shop, RATE)).hash
    await sold(shop, 1)
    with pytest.raises(Refused) as refused:
        await book(shop, RATE, mark)
    assert refused.value.code == "preview-outdated"
    assert (await book(shop, RATE, (await seen(shop, RATE)).hash))[1] is True
    await sound(shop)


async def test_goods_without_a_posting_rule_are_not_revalued_until_there_is_one(shop: Shop) -> None:
    await opened(shop)
    await received(shop, 100, "10")
    mark = (await seen(shop, RATE)).hash
    rule = {"priority": 10, "event": "goods-received", "debit": 1460, "credit": ACCOUNT}
    await shop.settings(posting_rules=[rule | {"article": "ANOTHER"}])
    with pytest.raises(Refused, match="no posting rule for goods-received of article X") as refused:
        await book(shop, RATE, mark)
    assert refused.value.code == "posting-rule-missing"
    await shop.settings(posting_rules=[rule])
    assert (await book(shop, RATE, mark))[1] is True
    await sound(shop)


async def test_a_purchase_price_that_was_corrected_after_the_receipt_reaches_stock_and_result(shop: Shop) -> None:
    await opened(shop)
    key = await place(shop, [ordered("X", 200, "10")], currency="USD")
    await send(shop, key)
    await floor(shop, "receive", {1: 100})
    await calm(shop, key)
    await sold(shop, 40)
    async with shop.erp.everyone() as session:
        change = "update erp.purchase_order_line set unit_price = 10.50 where merchant_id = :m and article_number = 'X'"
        await session.execute(text(change), {"m": shop.merchant})
    found = await seen(shop, Asked(ON, purchases=True))
    assert (found.stock, found.result) == (D("336.00"), D("224.00"))
    both = Asked(ON, {"USD": D("11.40")}, purchases=True)
    found = await seen(shop, both)
    assert (found.stock, found.result) == (D("462.00"), D("308.00")), "price 570 and rate 200, of which six tenths are here"
    await book(shop, both, found.hash)
    assert await stock(shop) == (60, D("7182.00"))
    await sound(shop)


async def test_with_layers_a_new_rate_follows_what_is_left_of_its_receipt(shop: Shop) -> None:
    await opened(shop, "fifo")
    await received(shop, 50, "10", "PO-1")
    await received(shop, 100, "10", "PO-2")
    await sold(shop, 90)
    found = await seen(shop, RATE)
    assert [(line.amount, line.stock, line.result) for line in found.lines] == [
        (D("-125.00"), D(0), D("-125.00")),
        (D("-250.00"), D("-150.00"), D("-100.00")),
    ]
    await book(shop, RATE, found.hash)
    assert await stock(shop) == (60, D("6570.00"))
    layers = "select layer_no, quantity, value from erp.stock_layer where merchant_id = :m"
    assert await shop.read(layers) == [(2, D(60), D("6570.00"))]
    await sound(shop)


async def test_at_standard_cost_a_new_rate_is_a_price_difference_and_a_new_price_revalues_stock(shop: Shop) -> None:
    await opened(shop, "standard")
    await received(shop, 100, "10")
    await sold(shop, 40)
    assert await stock(shop) == (60, D("6000.00"))
    found = await seen(shop, RATE)
    assert (found.stock, found.result) == (D(0), D("-250.00"))
    await book(shop, RATE, found.hash)
    assert await stock(shop) == (60, D("6000.00"))
    async with shop.erp.everyone() as session:
        price = {"merchant_id": shop.merchant, "article_number": "X", "valid_from": ON, "price": D("102.5")}
        await insert(session, "erp.standard_cost", price)
    assert (await seen(shop, Asked(ON - timedelta(days=1), prices=True))).lines == ()
    new = Asked(ON, prices=True)
    found = await seen(shop, new)
    assert (found.stock, found.result) == (D("150.00"), D("-150.00"))
    await book(shop, new, found.hash)
    assert await stock(shop) == (60, D("6150.00"))
    assert await shop.read(BOOKED) == [
        ("price-difference", 1460, D("250.00")),
        ("price-difference", DIFFERENCE, D("-250.00")),
        ("stock-revalued", 1460, D("-100.00")),
        ("stock-revalued", ACCOUNT, D("250.00")),
        ("stock-revalued", DIFFERENCE, D("-150.00")),
    ]
    await sound(shop)


async def test_the_latest_price_follows_the_rate_of_the_latest_purchase(shop: Shop) -> None:
    await opened(shop, "latest-price")
    await received(shop, 10, "9", "PO-1")
    await received(shop, 10, "10", "PO-2")
    assert await stock(shop) == (20, D("2240.00"))
    new = Asked(ON, {"USD": D("11.00")}, prices=True)
    found = await seen(shop, new)
    assert (found.stock, found.result) == (D("-40.00"), D("2.00"))
    await book(shop, new, found.hash)
    assert await stock(shop) == (20, D("2200.00"))
    await sound(shop)


@pytest.mark.parametrize("method", METHODS)
async def test_a_receipt_that_was_revalued_and_taken_back_leaves_nothing_owed(shop: Shop, method: str) -> None:
    await opened(shop, method)
    key = await place(shop, [ordered("X", 10, "10")], currency="USD")
    await send(shop, key)
    await floor(shop, "receive", {1: 12})
    await calm(shop, key)
    found = await seen(shop, RATE)
    await book(shop, RATE, found.hash)
    await floor(shop, "undo-receive")
    await calm(shop, key)
    rest = await seen(shop, RATE)
    assert [line.amount for line in rest.lines] == [D("30.00")]
    await book(shop, RATE, rest.hash)
    owed = "select sum(debit - credit) from erp.posting_row where merchant_id = :m and account = 2490"
    assert await shop.read(owed) == [(0,)]
    assert await stock(shop) == (0, 0)
    await sound(shop)


async def test_a_revaluation_waits_for_whoever_is_at_work_on_one_of_its_purchases(shop: Shop) -> None:
    await opened(shop)
    await received(shop, 100, "10")
    mark = (await seen(shop, RATE)).hash
    held = "select 1 from erp.purchase_order where merchant_id = :m and purchase_order_number = 'PO-1' for no key update"
    waiting = "select count(*) from pg_locks where not granted"
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text(held), {"m": shop.merchant})
        booking = asyncio.create_task(book(shop, RATE, mark))
        async with asyncio.timeout(20):
            while not (await session.execute(text(waiting))).scalar_one():
                assert not booking.done(), "an invoice may be matched to it at this moment"
    assert await booking == (1, True)
    await sound(shop)
