"""The books only grow, whoever asks: the application, the owner, or a superuser whose triggers are on."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from erp.database import DATABASE_ERRORS, Database
from tests.erp.books import count
from tests.erp.data import add_merchant, add_order, open_stock, read

APPEND_ONLY = (
    "erp.stock_entry",
    "erp.ledger_transaction",
    "erp.posting",
    "erp.posting_row",
    "erp.shipment_line",
    "bridge.booking",
    "bridge.audit",
    "bridge.status_move",
    "bridge.voucher_posting",
)
FILLED = ("erp.stock_entry", "erp.ledger_transaction", "erp.posting", "erp.posting_row", "bridge.booking")


async def books(app: Database, erp: Database) -> str:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    await open_stock(app, merchant)
    await count(app, merchant, "SO-1", 1, {1: 2})
    return merchant


@pytest.mark.parametrize("table", FILLED)
@pytest.mark.parametrize("how", ["superuser", "replica", "owner"])
async def test_a_superuser_or_the_owner_can_neither_change_nor_delete_nor_truncate(
    app: Database, erp: Database, verify: Database, superuser: AsyncEngine, table: str, how: str
) -> None:
    await books(app, erp)
    before = await read(verify, f"select * from {table} order by 1, 2, 3")
    assert before
    for statement in (
        f"update {table} set merchant_id = merchant_id",
        f"delete from {table}",
        f"truncate {table} cascade",
        f"truncate {table} restart identity cascade",
    ):
        with pytest.raises(DATABASE_ERRORS, match="only grows"):
            async with superuser.begin() as session:
                if how == "replica":
                    await session.execute(text("set local session_replication_role = replica"))
                if how == "owner":
                    await session.execute(text("set local role lagerbro_owner"))
                await session.execute(text(statement))
    assert await read(verify, f"select * from {table} order by 1, 2, 3") == before


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_the_application_has_no_right_to_change_or_delete(app: Database, erp: Database, table: str) -> None:
    merchant = await add_merchant(erp)
    for statement in (f"update {table} set merchant_id = merchant_id", f"delete from {table}", f"truncate {table}"):
        with pytest.raises(DATABASE_ERRORS, match="permission denied"):
            async with app.merchant(merchant) as session:
                await session.execute(text(statement))


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_every_append_only_table_is_guarded_even_when_empty(superuser: AsyncEngine, table: str) -> None:
    with pytest.raises(DATABASE_ERRORS, match="only grows"):
        async with superuser.begin() as session:
            await session.execute(text(f"truncate {table} cascade"))


async def test_the_message_says_what_to_do_instead(superuser: AsyncEngine) -> None:
    with pytest.raises(DATABASE_ERRORS, match=r"erp\.posting only grows: book a correction that names what it corrects"):
        async with superuser.begin() as session:
            await session.execute(text("truncate erp.posting cascade"))
