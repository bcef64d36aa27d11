"""What all commands share: how they print, and how they say what the database refused."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from starters import command


def test_what_somebody_typed_is_said_back_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    command.wrong("--line 'KRUKA-12:abc:4' and [/x] and [bold]")
    command.console.print("KRUKA-12:abc:4")
    assert capsys.readouterr().out == "--line 'KRUKA-12:abc:4' and [/x] and [bold]\nKRUKA-12:abc:4\n"


def test_a_check_of_the_database_is_said_by_its_column() -> None:
    text = 'new row for relation "purchase_order_line" violates check constraint "ck_purchase_order_line_quantity_in_range"'
    assert command.said_by(ValueError(text)) == "quantity of erp.purchase_order_line is out of range"
    assert command.said_by(ValueError("something else\nDETAIL: more")) == "something else"


def test_quantities_and_prices_are_shown_without_idle_zeros_and_money_with_its_two() -> None:
    row = {"pieces": Decimal("5.0000"), "price": Decimal("10.500000"), "value": Decimal("2400.00"), "many": Decimal("100.0000")}
    seen = io.StringIO()
    Console(file=seen, width=120).print(command.table("t", [row]))
    assert [cell.strip() for cell in seen.getvalue().splitlines()[-2].strip("│").split("│")] == ["5", "10.5", "2400.00", "100"]
