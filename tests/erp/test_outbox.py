"""The ERP's own inserts and updates write the outbox: once, at commit, in the same transaction, whatever the ERP does."""

import asyncio
from typing import Any

from sqlalchemy import text

from erp.database import Database
from tests.erp.data import add_merchant, add_order, article, insert, line, read, set_order

OUTBOX = "select topic, document from bridge.outbox where merchant_id = :m and topic <> 'articles.changed' order by outbox_no"


async def outbox(verify: Database, merchant: str) -> list[tuple[Any, ...]]:
    return await read(verify, OUTBOX, m=merchant)


async def test_a_draft_writes_nothing_and_its_release_one_row(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, lines=[line("A"), line("B")], release=False)
    await set_order(erp, merchant, "SO-1", delivery_city="Annan stad")
    assert await outbox(verify, merchant) == []
    await set_order(erp, merchant, "SO-1", status="released")
    assert await outbox(verify, merchant) == [("sales-order.released", "SO-1")]
    await set_order(erp, merchant, "SO-1", status="released")
    assert await outbox(verify, merchant) == [("sales-order.released", "SO-1")]


async def test_header_and_lines_autocommitted_apart_and_then_released_write_one_row(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    async with erp.outside() as session:
        await insert(session, "erp.sales_order", {"merchant_id": merchant, "order_number": "SO-1"})
        for number in range(1, 6):
            await insert(
                session, "erp.sales_order_line", {"merchant_id": merchant, "order_number": "SO-1", "line_number": number} | line()
            )
        await session.execute(text("update erp.sales_order set status = 'released' where merchant_id = :m"), {"m": merchant})
    assert await outbox(verify, merchant) == [("sales-order.released", "SO-1")]


async def test_one_transaction_with_everything_in_it_writes_one_row(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    async with erp.everyone() as session:
        await insert(session, "erp.sales_order", {"merchant_id": merchant, "order_number": "SO-1"})
        await insert(
            session, "erp.sales_order_line", {"merchant_id": merchant, "order_number": "SO-1", "line_number": 1} | line()
        )
        await session.execute(text("update erp.sales_order set status = 'released' where merchant_id = :m"), {"m": merchant})
        await session.execute(text("update erp.sales_order set note = 'x' where merchant_id = :m"), {"m": merchant})
    assert (await outbox(verify, merchant))[0] == ("sales-order.released", "SO-1")
    assert [row for row in await outbox(verify, merchant) if row[0] == "sales-order.released"] == [
        ("sales-order.released", "SO-1")
    ]


async def test_a_release_that_is_rolled_back_leaves_nothing(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, release=False)
    async with erp.engine.connect() as session:
        await session.execute(text("update erp.sales_order set status = 'released' where merchant_id = :m"), {"m": merchant})
        await session.rollback()
    assert await outbox(verify, merchant) == []


async def test_a_change_after_the_release_and_a_wish_to_cancel_are_told(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    await set_order(erp, merchant, "SO-1", delivery_city="Nystad")
    await set_order(erp, merchant, "SO-1", delivery_city="Nystad")
    async with erp.everyone() as session:
        await session.execute(text("update erp.sales_order_line set quantity = 9 where merchant_id = :m"), {"m": merchant})
    async with erp.everyone() as session:
        cancel = "update erp.sales_order set cancel_requested_at = now() where merchant_id = :m"
        await session.execute(text(cancel), {"m": merchant})
        await session.execute(text(cancel), {"m": merchant})
    assert await outbox(verify, merchant) == [
        ("sales-order.released", "SO-1"),
        ("sales-order.changed", "SO-1"),
        ("sales-order.changed", "SO-1"),
        ("sales-order.cancel", "SO-1"),
    ]


async def test_several_lines_changed_in_one_transaction_are_told_once(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, lines=[line("A"), line("B"), line("C")])
    async with erp.everyone() as session:
        await session.execute(text("update erp.sales_order_line set quantity = 9 where merchant_id = :m"), {"m": merchant})
    assert await outbox(verify, merchant) == [("sales-order.released", "SO-1"), ("sales-order.changed", "SO-1")]


async def test_what_we_write_ourselves_is_not_told(app: Database, erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    async with app.merchant(merchant) as session:
        for status in ("at-warehouse", "picking", "part-shipped", "shipped", "completed"):
            await session.execute(text("update erp.sales_order set status = :s"), {"s": status})
    assert await outbox(verify, merchant) == [("sales-order.released", "SO-1")]


async def test_a_new_article_tells_the_orders_that_name_it(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, lines=[line("N2")])
    async with erp.everyone() as session:
        await insert(session, "erp.article", article(merchant, "N1"))
    assert await outbox(verify, merchant) == [("sales-order.released", "SO-1")]
    async with erp.everyone() as session:
        await insert(session, "erp.article", article(merchant, "N2"))
    assert await outbox(verify, merchant) == [("sales-order.released", "SO-1"), ("sales-order.changed", "SO-1")]


async def test_a_line_that_meets_a_release_halfway_is_told(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, release=False)
    release = text("update erp.sales_order set status = 'released' where merchant_id = :m")
    async with erp.everyone() as slow:
        await slow.execute(text("select now()"))  # this transaction began before the release
        async with erp.everyone() as quick:
            await quick.execute(release, {"m": merchant})
        await slow.execute(text("update erp.sales_order_line set quantity = 9 where merchant_id = :m"), {"m": merchant})
    assert await outbox(verify, merchant) == [("sales-order.released", "SO-1"), ("sales-order.changed", "SO-1")]


async def test_the_erp_cannot_set_the_version_itself(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    async with erp.everyone() as session:
        await session.execute(text("update erp.sales_order set version = 40 where merchant_id = :m"), {"m": merchant})
    async with verify.everyone() as session:
        found = await session.execute(text("select version from erp.sales_order where merchant_id = :m"), {"m": merchant})
        assert found.scalar_one() == 1


async def test_the_relay_is_woken_when_the_order_commits_and_not_before(erp: Database, relay: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, release=False)
    woken = asyncio.Event()
    async with relay.engine.connect() as listening:
        driver: Any = (await listening.get_raw_connection()).driver_connection
        await driver.add_listener("lagerbro_outbox", lambda *_: woken.set())
        async with erp.everyone() as session:
            await session.execute(text("update erp.sales_order set status = 'released' where merchant_id = :m"), {"m": merchant})
            await driver.fetchval("select 1")
            assert not woken.is_set()
        async with asyncio.timeout(5):
            await woken.wait()
