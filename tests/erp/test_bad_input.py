"""What can never be right is refused at the ERP's insert, by a constraint that names it, and nothing of it is kept."""

from typing import Any

import pytest
from sqlalchemy import text

from erp.database import DATABASE_ERRORS, Database
from tests.erp.data import add_merchant, add_order, article, customer, insert, line, read, set_order


@pytest.mark.parametrize(
    "quantity", ["NaN", "Infinity", "-Infinity", "0", "-1", "10000001", "1e30", "0.00001"], ids=lambda q: f"quantity {q}"
)
async def test_a_quantity_that_can_never_be_right_is_refused(erp: Database, verify: Database, quantity: str) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, release=False)
    with pytest.raises(DATABASE_ERRORS, match=r"quantity_in_range|numeric field overflow|cannot hold an infinite value"):
        async with erp.everyone() as session:
            await session.execute(
                text(
                    "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, unit_price,"
                    f" quantity) values (:m, 'SO-1', 2, 'A', 10, '{quantity}'::numeric)"
                ),
                {"m": merchant},
            )
    assert await read(verify, "select count(*) from erp.sales_order_line where merchant_id = :m", m=merchant) == [(1,)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("unit_price", "NaN"),
        ("unit_price", "-0.01"),
        ("unit_price", "100000001"),
        ("vat_rate", "NaN"),
        ("vat_rate", "-1"),
        ("vat_rate", "101"),
        ("discount_percent", "NaN"),
        ("discount_percent", "100.01"),
        ("line_number", "0"),
        ("account", "99"),
    ],
)
async def test_a_line_figure_out_of_range_is_refused(erp: Database, column: str, value: str) -> None:
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, release=False)
    figures = {
        "line_number": "2",
        "quantity": "1",
        "unit_price": "1",
        "vat_rate": "25",
        "discount_percent": "0",
        "account": "3001",
    }
    figures[column] = value
    with pytest.raises(DATABASE_ERRORS, match=f"{column}_in_range"):
        async with erp.everyone() as session:
            await session.execute(
                text(
                    f"insert into erp.sales_order_line (merchant_id, order_number, article_number, {', '.join(figures)}) values"
                    f" (:m, 'SO-1', 'A', {', '.join(repr(v) for v in figures.values())})"
                ),
                {"m": merchant},
            )


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"currency": "SKR"}, "currency_is_known"),
        ({"currency": "sek"}, "currency_is_known"),
        ({"currency": ""}, "currency_is_known"),
        ({"delivery_country": "UK"}, "delivery_country_is_known"),
        ({"delivery_country": "Sverige"}, "delivery_country_is_known"),
        ({"price_basis": "with"}, "price_basis_is_known"),
        ({"status": "sent"}, "is draft or released, not sent"),
    ],
)
async def test_an_unknown_currency_country_or_word_is_refused(
    erp: Database, verify: Database, columns: dict[str, Any], constraint: str
) -> None:
    merchant = await add_merchant(erp)
    with pytest.raises(DATABASE_ERRORS, match=constraint):
        await add_order(erp, merchant, **columns)
    assert await read(verify, "select 1 from erp.sales_order where merchant_id = :m", m=merchant) == []


@pytest.mark.parametrize(("column", "value"), [("freight", "NaN"), ("freight", "-1"), ("discount_percent", "NaN")])
async def test_an_order_figure_that_is_no_number_is_refused(erp: Database, column: str, value: str) -> None:
    merchant = await add_merchant(erp)
    with pytest.raises(DATABASE_ERRORS, match=f"{column}_in_range"):
        async with erp.everyone() as session:
            await session.execute(
                text(f"insert into erp.sales_order (merchant_id, order_number, {column}) values (:m, 'SO-9', '{value}')"),
                {"m": merchant},
            )


@pytest.mark.parametrize("value", ["NaN", "0", "-1", "1000000"])
async def test_an_exchange_rate_that_is_no_rate_is_refused(erp: Database, value: str) -> None:
    merchant = await add_merchant(erp)
    with pytest.raises(DATABASE_ERRORS, match="exchange_rate_in_range"):
        async with erp.everyone() as session:
            await session.execute(
                text(f"insert into erp.sales_order (merchant_id, order_number, exchange_rate) values (:m, 'SO-9', '{value}')"),
                {"m": merchant},
            )


BAD_KEYS = ["", " ", "SO\n1", "SO\t1", "SO\x01", "SO\x7f", "SO\r", "SO\x85", " SO", "SO ", "S" * 51]


@pytest.mark.parametrize("bad", BAD_KEYS, ids=repr)
async def test_control_characters_blanks_and_lengths_in_keys_are_refused(erp: Database, verify: Database, bad: str) -> None:
    merchant = await add_merchant(erp)
    with pytest.raises(DATABASE_ERRORS, match="order_number_is_printable"):
        await add_order(erp, merchant, bad)
    await add_order(erp, merchant, release=False)
    with pytest.raises(DATABASE_ERRORS, match="article_number_is_printable"):
        async with erp.everyone() as session:
            await insert(
                session, "erp.sales_order_line", {"merchant_id": merchant, "order_number": "SO-1", "line_number": 2} | line(bad)
            )
    with pytest.raises(DATABASE_ERRORS, match="article_number_is_printable"):
        async with erp.everyone() as session:
            await insert(session, "erp.article", article(merchant, bad))
    with pytest.raises(DATABASE_ERRORS, match="customer_number_is_printable"):
        async with erp.everyone() as session:
            await insert(session, "erp.customer", customer(merchant, bad))
    assert await read(verify, "select count(*) from erp.article where merchant_id = :m", m=merchant) == [(4,)]


async def test_a_nul_in_a_key_is_refused(erp: Database) -> None:
    merchant = await add_merchant(erp)
    with pytest.raises(DATABASE_ERRORS, match="invalid byte sequence"):
        await add_order(erp, merchant, "SO\x00")


async def test_free_text_is_never_a_reason_to_refuse(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    note = "Ring på porten!\n\t<b>“Emoji” 🎁 | {x}</b> \x01" + "å" * 5000
    await add_order(erp, merchant, lines=[line(description=note)], note=note, delivery_instruction=note, your_reference=note)
    assert await read(verify, "select note, status from erp.sales_order where merchant_id = :m", m=merchant) == [
        (note, "released")
    ]


async def test_the_same_order_number_is_taken_once_per_merchant(erp: Database) -> None:
    first, second = await add_merchant(erp), await add_merchant(erp)
    await add_order(erp, first)
    await add_order(erp, second)
    with pytest.raises(DATABASE_ERRORS, match="duplicate key"):
        await add_order(erp, first)


async def test_an_order_of_an_unknown_customer_is_refused(erp: Database) -> None:
    merchant = await add_merchant(erp)
    with pytest.raises(DATABASE_ERRORS, match="foreign key"):
        await add_order(erp, merchant, customer_number="NOBODY")


async def test_a_released_order_without_lines_is_refused_at_commit_in_readable_words(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    with pytest.raises(
        DATABASE_ERRORS, match=r"sales order SO-1 cannot be released: it has no lines\. Insert its sales_order_line rows"
    ):
        async with erp.everyone() as session:
            await insert(session, "erp.sales_order", {"merchant_id": merchant, "order_number": "SO-1", "status": "released"})
    assert await read(verify, "select 1 from erp.sales_order where merchant_id = :m", m=merchant) == []

    async with erp.everyone() as session:
        await insert(session, "erp.sales_order", {"merchant_id": merchant, "order_number": "SO-1"})
    with pytest.raises(DATABASE_ERRORS, match="it has no lines"):
        await set_order(erp, merchant, "SO-1", status="released")
    assert await read(verify, "select status from erp.sales_order where merchant_id = :m", m=merchant) == [("draft",)]
    assert (
        await read(verify, "select 1 from bridge.outbox where merchant_id = :m and topic <> 'articles.changed'", m=merchant) == []
    )


async def test_an_order_released_before_its_lines_in_the_same_transaction_is_taken(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    async with erp.everyone() as session:
        await insert(session, "erp.sales_order", {"merchant_id": merchant, "order_number": "SO-1", "status": "released"})
        await insert(
            session, "erp.sales_order_line", {"merchant_id": merchant, "order_number": "SO-1", "line_number": 1} | line()
        )
    topics = await read(
        verify, "select topic, document from bridge.outbox where merchant_id = :m and topic <> 'articles.changed'", m=merchant
    )
    assert topics == [("sales-order.released", "SO-1")]
