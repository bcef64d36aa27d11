"""A role sees and writes what it may, and nothing of another merchant's: tried as each role, on every table."""

import pytest
from sqlalchemy import text

from erp.database import DATABASE_ERRORS, Database, rows
from tests.erp.data import add_merchant, add_order, article, insert, new_merchant_id, open_stock, read

TABLES = """
select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('erp', 'bridge') and c.relkind = 'r' and c.relname <> 'schema_version' order by 1
"""


async def all_tables(verify: Database) -> list[str]:
    return [name for (name,) in await read(verify, TABLES)]


async def test_without_a_merchant_the_application_sees_no_row_of_any_table(
    app: Database, erp: Database, verify: Database
) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    await open_stock(app, merchant)
    filled = 0
    for table in await all_tables(verify):
        async with app.everyone() as session:
            assert await rows(session, text(f"select 1 from {table} limit 1")) == [], table
        filled += len(await read(verify, f"select 1 from {table} limit 1"))
    assert filled >= 10


async def test_the_application_sees_one_merchant_at_a_time(app: Database, erp: Database, verify: Database) -> None:
    ours, theirs = await add_merchant(erp), await add_merchant(erp)
    for merchant in (ours, theirs):
        await add_order(erp, merchant)
        await open_stock(app, merchant)
    for table in await all_tables(verify):
        async with app.merchant(ours) as session:
            seen = {row.merchant_id for row in await rows(session, text(f"select distinct merchant_id from {table}"))}
        assert seen <= {ours}, table


async def test_the_merchant_is_forgotten_with_the_transaction(app: Database, erp: Database) -> None:
    merchant = await add_merchant(erp)
    async with app.merchant(merchant) as session:
        assert len(await rows(session, text("select 1 from erp.article"))) == 4
    for _ in range(20):
        async with app.everyone() as session:
            assert await rows(session, text("select 1 from erp.article")) == []


async def test_the_application_cannot_write_into_another_merchants_rows(app: Database, erp: Database, verify: Database) -> None:
    ours, theirs = await add_merchant(erp), await add_merchant(erp)
    await add_order(erp, theirs)
    with pytest.raises(DATABASE_ERRORS, match="row-level security"):
        async with app.merchant(ours) as session:
            await insert(
                session,
                "bridge.exception",
                {"merchant_id": theirs, "kind": "x", "document": "x", "code": "x", "detail": "x", "blocking": True},
            )
    async with app.merchant(ours) as session:
        assert await rows(session, text("update erp.sales_order set status = 'at-warehouse' returning 1")) == []
    assert await read(verify, "select status from erp.sales_order where merchant_id = :m", m=theirs) == [("released",)]
    assert await read(verify, "select 1 from bridge.exception where merchant_id = :m", m=theirs) == []


async def test_the_application_cannot_write_what_the_erp_owns(app: Database, erp: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    for statement in (
        "delete from erp.sales_order_line",
        "update erp.article set name = 'x'",
        "insert into erp.customer (merchant_id, customer_number, name) values (current_setting('lagerbro.merchant'), 'X', 'X')",
        "delete from bridge.outbox",
        "alter table erp.stock_entry disable trigger all",
        "alter table erp.stock_entry disable row level security",
        "drop table bridge.booking",
        "set session_replication_role = replica",
        "set role lagerbro_owner",
    ):
        with pytest.raises(DATABASE_ERRORS, match=r"permission denied|must be owner"):
            async with app.merchant(merchant) as session:
                await session.execute(text(statement))


async def test_the_erp_cannot_reach_the_plumbing_or_write_our_books(erp: Database) -> None:
    merchant = await add_merchant(erp)
    for statement in (
        "select 1 from bridge.outbox",
        "select 1 from bridge.connection",
        "insert into erp.stock_balance (merchant_id, article_number, warehouse) values ('x', 'A', 'MAIN')",
        "update erp.stock_balance set quantity = 1",
        "delete from erp.stock_entry",
        "truncate erp.sales_order cascade",
        "select erp.append_to_ledger('x', '{}', '[]', '[]', '[]')",
    ):
        with pytest.raises(DATABASE_ERRORS, match="permission denied"):
            async with erp.everyone() as session:
                await session.execute(text(statement), {"m": merchant} if ":m" in statement else {})


async def test_an_erp_session_that_names_its_merchant_is_kept_to_it(erp: Database) -> None:
    ours, theirs = await add_merchant(erp), await add_merchant(erp)
    async with erp.merchant(ours) as session:
        assert {row.merchant_id for row in await rows(session, text("select merchant_id from erp.article"))} == {ours}
    with pytest.raises(DATABASE_ERRORS, match="row-level security"):
        async with erp.merchant(ours) as session:
            await insert(session, "erp.article", article(theirs, "NEW"))


async def test_verify_reads_everything_and_writes_nothing(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    tables = await all_tables(verify)
    assert len(tables) > 30
    for table in tables:
        await read(verify, f"select 1 from {table} limit 1")
        with pytest.raises(DATABASE_ERRORS, match="permission denied"):
            async with verify.everyone() as session:
                await session.execute(text(f"delete from {table}"))


async def test_relay_and_intake_reach_only_what_they_need(relay: Database, intake: Database) -> None:
    for role, statement in (
        (relay, "select 1 from bridge.connection"),
        (relay, "select 1 from erp.sales_order"),
        (relay, "select 1 from erp.customer"),
        (relay, "delete from bridge.outbox"),
        (intake, "select 1 from bridge.outbox"),
        (intake, "select 1 from bridge.connection"),
        (intake, "update bridge.inbox set applied_at = now()"),
        (intake, "update bridge.webhook_endpoint set enabled = true"),
    ):
        with pytest.raises(DATABASE_ERRORS, match="permission denied"):
            async with role.everyone() as session:
                await session.execute(text(statement))


async def test_every_table_has_forced_row_level_security_and_no_login_role_can_pass_it(verify: Database) -> None:
    unguarded = """
        select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('erp', 'bridge') and c.relkind = 'r' and c.relname <> 'schema_version'
          and not (c.relrowsecurity and c.relforcerowsecurity)
    """
    assert await read(verify, unguarded) == []
    powerful = "select rolname from pg_roles where rolname like 'lagerbro%' and (rolsuper or rolbypassrls or rolcreaterole)"
    assert await read(verify, powerful) == []
    assert await read(verify, "select rolcanlogin from pg_roles where rolname = 'lagerbro_owner'") == [(False,)]


async def test_no_foreign_key_crosses_merchants(verify: Database) -> None:
    crossing = """
        select conrelid::regclass::text, conname from pg_constraint k join pg_class c on c.oid = k.conrelid
        join pg_namespace n on n.oid = c.relnamespace
        where contype = 'f' and n.nspname in ('erp', 'bridge') and not (
          (select attname from pg_attribute where attrelid = k.conrelid and attnum = k.conkey[1]) = 'merchant_id'
          and (select attname from pg_attribute where attrelid = k.confrelid and attnum = k.confkey[1]) = 'merchant_id')
    """
    assert await read(verify, crossing) == []


async def test_a_merchants_name_is_a_short_word(erp: Database) -> None:
    for name in ("", "A", "m/1", "m 1", "-m", "m" * 32, "ö", "m\n"):
        with pytest.raises(DATABASE_ERRORS, match="merchant_id_is_a_short_word"):
            await add_merchant(erp, name or " ")
    assert await add_merchant(erp, new_merchant_id())
