"""Orders from a CSV: every line is taken or listed with its reason, and a bad line never makes half an order."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from erp.database import Database
from starters.import_orders import import_orders, release_orders
from tests.erp.data import new_merchant_id

RETAIL = Path(__file__).resolve().parents[3] / "shared" / "data" / "online-retail-2010-12.csv"
HEAD = "invoice_no,stock_code,description,quantity,invoice_date,unit_price_gbp,customer_id,country\n"
D = Decimal


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def erp(database: Any) -> AsyncIterator[Database]:
    opened = Database(database.url("erp"), pool_size=4)
    yield opened
    await opened.close()


async def merchant(erp: Database) -> str:
    who = new_merchant_id()
    async with erp.everyone() as session:
        await session.execute(text("insert into erp.merchant (merchant_id, name) values (:m, 'Provhandel AB')"), {"m": who})
    return who


def csv(folder: Path, *rows: str) -> Path:
    file = folder / "orders.csv"
    file.write_text(HEAD + "\n".join(rows), encoding="utf-8")
    return file


async def test_the_real_file_is_taken_or_listed_line_by_line(erp: Database) -> None:
    if not RETAIL.exists():
        pytest.skip(f"needs {RETAIL.name} in ../shared/data beside the repository")
    result, balances = await import_orders(erp, await merchant(erp), RETAIL, D(25), False)
    assert (result.lines, result.taken_lines + len(result.listed), len(result.orders)) == (10_000, 10_000, 424)
    assert result.net == D("184248.33")
    assert {item.reason for item in result.listed} == {
        "a cancellation (C invoice) is not an order",
        "quantity is not above 0",
        "price is not above 0",
    }
    assert ["84970S", "84970s"] in result.near_twins
    assert result.service_articles == ["POST", "C2", "DOT", "M", "BANK CHARGES"]
    assert all(balance.unit_cost == round(balance.unit_cost, 2) > 0 for balance in balances)


async def test_a_line_that_cannot_be_read_holds_its_whole_order_back(erp: Database, tmp_path: Path) -> None:
    file = csv(
        tmp_path,
        "1,A,Kruka,2,2010-12-01T08:00:00,10.00,17,Sweden",
        "1,B,Fat,abc,2010-12-01T08:00:00,10.00,17,Sweden",
        "2,A,Kruka,1,2010-12-01T08:00:00,10.00,,Sweden",
    )
    result, _ = await import_orders(erp, await merchant(erp), file, D(25), False)
    assert result.orders == ["2"]
    assert [(item.row, item.reason) for item in result.listed] == [
        (2, "another line of the order is not readable"),
        (3, "quantity or price is not a number"),
    ]


async def test_an_order_that_the_database_refuses_is_listed_and_a_corrected_file_is_taken(erp: Database, tmp_path: Path) -> None:
    who = await merchant(erp)
    bad = csv(tmp_path, "1,A,Kruka,99999999999,2010-12-01T08:00:00,10.00,,Sweden", "2,A,Kruka,1,2010-12-01T08:00:00,1.00,,Sweden")
    result, _ = await import_orders(erp, who, bad, D(25), False)
    assert (result.orders, [item.invoice_no for item in result.listed]) == (["2"], ["1"])
    good = csv(tmp_path, "1,A,Kruka,9,2010-12-01T08:00:00,10.00,,Sweden", "2,A,Kruka,1,2010-12-01T08:00:00,1.00,,Sweden")
    result, _ = await import_orders(erp, who, good, D(25), False)
    assert (result.orders, result.already_there) == (["1"], ["2"])


async def test_importing_twice_changes_nothing(erp: Database, tmp_path: Path) -> None:
    who = await merchant(erp)
    file = csv(tmp_path, "1,A,Kruka,2,2010-12-01T08:00:00,10.00,17,Sweden")
    first, _ = await import_orders(erp, who, file, D(25), False)
    await release_orders(erp, who, first.orders)
    again, _ = await import_orders(erp, who, file, D(25), False)
    assert (again.orders, again.already_there, again.taken_lines) == ([], ["1"], 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"invoice_no;stock_code\n1;A\n", "the separator must be a comma"),
        (HEAD.encode() + "1,A,Kr\xf6ka,1,x,1,,Sweden".encode("latin-1"), "is not UTF-8"),
        (b"a,b\n", "unit_price"),
    ],
)
async def test_a_file_that_is_no_such_csv_is_refused_with_the_remedy(
    erp: Database, tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        await import_orders(erp, await merchant(erp), file, D(25), False)
