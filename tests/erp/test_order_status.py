"""The order's status moves along the declared graph, and after the release only the warehouse moves it."""

from contextlib import nullcontext

import pytest
from sqlalchemy import text

from erp.database import DATABASE_ERRORS, Database
from erp.orders import move_status
from erp.tables.orders import ORDER_STATUSES
from tests.erp.data import add_merchant, add_order, insert, line, read, set_order

MAY = {
    "draft": {"released", "cancelled"},
    "released": {"at-warehouse", "shipped", "cancelled"},
    "at-warehouse": {"picking", "part-shipped", "shipped", "cancelled"},
    "picking": {"at-warehouse", "part-shipped", "shipped", "cancelled"},
    "part-shipped": {"shipped", "completed"},
    "shipped": {"part-shipped", "completed"},
    "completed": {"picking", "part-shipped", "shipped"},
    "cancelled": {"picking", "part-shipped", "shipped"},
}
WAY_TO = {
    "draft": [],
    "released": ["released"],
    "at-warehouse": ["released", "at-warehouse"],
    "picking": ["released", "at-warehouse", "picking"],
    "part-shipped": ["released", "at-warehouse", "part-shipped"],
    "shipped": ["released", "shipped"],
    "completed": ["released", "shipped", "completed"],
    "cancelled": ["released", "cancelled"],
}


async def status(verify: Database, merchant: str) -> str:
    [(found,)] = await read(verify, "select status from erp.sales_order where merchant_id = :m", m=merchant)
    return str(found)


async def order_in(erp: Database, app: Database, target: str) -> str:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, release=False)
    for step in WAY_TO[target]:
        async with app.merchant(merchant) as session:
            await session.execute(text("update erp.sales_order set status = :s"), {"s": step})
    return merchant


@pytest.mark.parametrize("before", ORDER_STATUSES)
async def test_the_status_graph_is_what_we_declared(app: Database, erp: Database, verify: Database, before: str) -> None:
    for after in ORDER_STATUSES:
        if after == before:
            continue
        merchant = await order_in(erp, app, before)
        refused = pytest.raises(DATABASE_ERRORS, match=f"sales order SO-1: status cannot move from {before} to {after}")
        with nullcontext() if after in MAY[before] else refused:
            async with app.merchant(merchant) as session:
                await session.execute(text("update erp.sales_order set status = :s"), {"s": after})
        assert await status(verify, merchant) == (after if after in MAY[before] else before)


@pytest.mark.parametrize("before", [s for s in ORDER_STATUSES if s != "draft"])
async def test_the_erp_may_not_move_a_status_once_released(app: Database, erp: Database, verify: Database, before: str) -> None:
    merchant = await order_in(erp, app, before)
    for after in ORDER_STATUSES:
        if after == before:
            continue
        with pytest.raises(DATABASE_ERRORS, match=r"status follows the warehouse|status cannot move"):
            await set_order(erp, merchant, "SO-1", status=after)
    assert await status(verify, merchant) == before


async def test_the_erp_may_release_or_cancel_its_draft(erp: Database, verify: Database) -> None:
    for after in ("released", "cancelled"):
        merchant = await add_merchant(erp)
        await add_order(erp, merchant, release=False)
        await set_order(erp, merchant, "SO-1", status=after)
        assert await status(verify, merchant) == after


async def test_the_erp_learns_how_to_cancel_from_the_refusal(erp: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    with pytest.raises(DATABASE_ERRORS, match="set cancel_requested_at to ask for a cancellation"):
        await set_order(erp, merchant, "SO-1", status="cancelled")


async def test_a_move_is_written_down_once_with_its_cause(app: Database, erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    for _ in range(2):
        async with app.merchant(merchant) as session:
            await move_status(session, merchant, "SO-1", "released", "at-warehouse", "warehouse")
    moves = await read(verify, "select from_status, to_status, cause from bridge.status_move where merchant_id = :m", m=merchant)
    assert moves == [("released", "at-warehouse", "warehouse")]


async def test_a_change_by_the_erp_raises_the_version_and_ours_does_not(app: Database, erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)

    async def version() -> int:
        [(found,)] = await read(verify, "select version from erp.sales_order where merchant_id = :m", m=merchant)
        return int(found)

    assert await version() == 1
    await set_order(erp, merchant, "SO-1", delivery_city="Nystad")
    assert await version() == 2
    await set_order(erp, merchant, "SO-1", delivery_city="Nystad")
    assert await version() == 2
    async with erp.everyone() as session:
        await session.execute(text("update erp.sales_order_line set quantity = 4 where merchant_id = :m"), {"m": merchant})
    assert await version() == 3
    async with app.merchant(merchant) as ours:
        await move_status(ours, merchant, "SO-1", "released", "at-warehouse", "warehouse")
    assert await version() == 3
    async with erp.everyone() as session:
        await insert(
            session,
            "erp.sales_order_line",
            {"merchant_id": merchant, "order_number": "SO-1", "line_number": 2} | line("B"),
        )
    assert await version() == 4
