"""Posting rules against the tables: what they ask of articles and of the document is read when they ask for it."""

from decimal import Decimal

from sqlalchemy import text

from erp.database import Database
from erp.merchants import save_settings
from tests.erp.books import count
from tests.erp.data import add_merchant, add_order, line, open_stock, read

D = Decimal
ACCOUNTS = """
  select p.event, r.account, sum(r.debit - r.credit) from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
  where p.merchant_id = :m and p.document like 'sales-order/%' group by 1, 2 order by 1, 2"""


async def test_a_pick_is_booked_by_its_article_group_order_type_zone_and_country(
    app: Database, erp: Database, verify: Database
) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, lines=[line("A", 5), line("B", 2)])
    async with erp.everyone() as session:
        for statement in (
            "update erp.article set article_group = 'shoes' where merchant_id = :m and article_number = 'A'",
            "update erp.customer set country = 'NO' where merchant_id = :m",
        ):
            await session.execute(text(statement), {"m": merchant})
    await open_stock(app, merchant, 100, "2")
    where = {"order_type": "normal", "vat_zone": "EXPORT", "country": "NO"}
    rules = [
        {"priority": 10, "event": "goods-issue", "debit": 4999, "credit": 1460, "country": "DK"},
        {"priority": 20, "event": "goods-issue", "debit": 4011, "credit": 1465, "article_group": "shoes"} | where,
        {"priority": 30, "event": "goods-issue", "debit": 4012, "credit": 1460} | where,
    ]
    async with app.merchant(merchant) as session:
        await save_settings(session, merchant, {"posting_rules": rules}, "test")
    await count(app, merchant, "SO-1", 7, {1: 3, 2: 2}, {1: "A", 2: "B"})
    for _ in range(2):
        await count(app, merchant, "SO-1", 7, {1: 1, 2: 2}, {1: "A", 2: "B"})
    assert await read(verify, ACCOUNTS, m=merchant) == [
        ("goods-issue", 1460, D(-4)),
        ("goods-issue", 1465, D(-6)),
        ("goods-issue", 4011, D(6)),
        ("goods-issue", 4012, D(4)),
        ("goods-issue-reversed", 1465, D(4)),
        ("goods-issue-reversed", 4011, D(-4)),
    ]
