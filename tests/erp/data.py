"""What the ERP writes, with ordinary defaults, written as the ERP's own role: a test says only what it is about."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from erp.database import Database, Session, rows
from erp.merchants import load_merchant
from erp.opening import OpeningBalance, book_opening

Row = dict[str, Any]


def new_merchant_id() -> str:
    """A merchant that no other test has."""
    return f"m-{secrets.token_hex(6)}"


async def insert(connection: Session, table: str, *values: Row) -> None:
    """Plain inserts, as any ERP writes them."""
    for value in values:
        names = list(value)
        columns, places = ", ".join(names), ", ".join(f":{name}" for name in names)
        await connection.execute(text(f"insert into {table} ({columns}) values ({places})"), value)


async def add_merchant(erp: Database, merchant: str | None = None, **columns: Any) -> str:
    """A merchant of the ERP with two articles in stock, a service and a customer in Sweden."""
    who = merchant or new_merchant_id()
    async with erp.everyone() as session:
        await insert(session, "erp.merchant", {"merchant_id": who, "name": "Provhandel AB"} | columns)
        await insert(session, "erp.article", *(article(who, number) for number in ("A", "B", "C")))
        await insert(session, "erp.article", article(who, "FRAKTSERVICE", stock_article=False, name="Montering"))
        await insert(session, "erp.customer", customer(who))
    return who


def article(merchant: str, number: str, **columns: Any) -> Row:
    return {"merchant_id": merchant, "article_number": number, "name": f"Artikel {number}"} | columns


def customer(merchant: str, number: str = "K-1", **columns: Any) -> Row:
    return {
        "merchant_id": merchant,
        "customer_number": number,
        "name": "Testbolaget AB",
        "address1": "Provgatan 1",
        "post_code": "111 22",
        "city": "Provstad",
    } | columns


def line(article_number: str = "A", quantity: Any = 3, unit_price: Any = 10, **columns: Any) -> Row:
    return {"article_number": article_number, "quantity": quantity, "unit_price": unit_price} | columns


async def add_order(
    erp: Database, merchant: str, number: str = "SO-1", lines: Sequence[Row] = (), release: bool = True, **columns: Any
) -> str:
    """An order as the ERP writes it: header, then lines, each its own transaction, then the release."""
    header = {"merchant_id": merchant, "order_number": number, "customer_number": "K-1"} | columns
    async with erp.everyone() as session:
        await insert(session, "erp.sales_order", header)
    async with erp.everyone() as session:
        for line_number, values in enumerate(lines or [line()], start=1):
            await insert(
                session,
                "erp.sales_order_line",
                {"merchant_id": merchant, "order_number": number, "line_number": line_number} | values,
            )
    if release:
        await set_order(erp, merchant, number, status="released")
    return number


async def set_order(erp: Database, merchant: str, number: str, **columns: Any) -> None:
    """An update by the ERP of its own order."""
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    async with erp.everyone() as session:
        await session.execute(
            text(f"update erp.sales_order set {changes} where merchant_id = :merchant and order_number = :number"),
            columns | {"merchant": merchant, "number": number},
        )


async def open_stock(
    app: Database, merchant: str, quantity: Any = 1000, unit_cost: Any = "4.50", articles: Sequence[str] = ("A", "B", "C")
) -> None:
    """Opening balances in our books."""
    async with app.merchant(merchant) as session:
        who = await load_merchant(session, merchant)
        balances = [OpeningBalance(number, Decimal(quantity), Decimal(unit_cost)) for number in articles]
        await book_opening(session, who, balances, datetime.now(UTC), "test", "test")


async def read(database: Database, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Rows as plain tuples, read as a role that sees all."""
    async with database.everyone() as session:
        return [tuple(row) for row in await rows(session, text(statement), **parameters)]
