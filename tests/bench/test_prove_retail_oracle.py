"""The oracle of the retail run: its totals are those of the issue, and its rules are its own."""

import ast
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from bench.prove_1 import retail_oracle
from bench.prove_1.retail_oracle import expected
from bench.prove_1.stand import RETAIL_FILE

HEADER = "invoice_no,stock_code,description,quantity,invoice_date,unit_price_gbp,customer_id,country\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = ["1,A,x,1,2010-12-01T08:00:00,1.005,7,United Kingdom\n"] * 501
    others = [
        "2,B,x,3,2010-12-01T08:00:00,0.29,7,United Kingdom\n",
        "2,B,x,0,2010-12-01T08:00:00,0.29,7,United Kingdom\n",
        "2,B,x,1,2010-12-01T08:00:00,0,7,United Kingdom\n",
        "C3,B,x,-1,2010-12-01T08:00:00,0.29,7,United Kingdom\n",
    ]
    made = tmp_path / "retail.csv"
    made.write_text(HEADER + "".join(lines + others), encoding="utf-8")
    return made


@pytest.mark.skipif(not RETAIL_FILE.exists(), reason=f"{RETAIL_FILE.name} is not in ../shared/data beside the repository")
def test_the_file_comes_to_what_the_issue_says() -> None:
    found = expected(RETAIL_FILE)
    assert (found.lines, found.taken, len(found.orders), found.net) == (10_000, 9_854, 424, Decimal("184248.33"))


def test_an_order_of_more_than_500_rows_is_two_invoices(file: Path) -> None:
    assert expected(file).invoices() == {"1": [Decimal("505.00"), Decimal("1.01")], "2": [Decimal("0.87")]}


def test_what_was_listed_is_not_due(file: Path) -> None:
    assert expected(file).without({2, 503}).invoices() == {"1": [Decimal("505.00")]}


def test_a_piece_costs_half_of_its_highest_price_in_whole_ore(file: Path) -> None:
    assert expected(file).opening_costs() == {"A": Decimal("0.50"), "B": Decimal("0.15")}


def test_the_oracle_shares_no_code_with_the_product() -> None:
    tree = ast.parse(Path(retail_oracle.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
