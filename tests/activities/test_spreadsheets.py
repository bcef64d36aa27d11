"""Spreadsheets: delivered ones are believed whole or refused, our own say the same as the report and can do nothing."""

import csv
import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from activities.spreadsheets import as_xlsx, read_stock_file, write_table
from domain.errors import Refused
from domain.reconciliation_report import Booking, Day, Report, Row, Unmatched, Waiting, as_csv, as_html, headline, plain, safe
from domain.stock_files import Awaited, Dialect

D = Decimal
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
AWAITED = Awaited(77, NOW)
XLSX = Dialect(format="xlsx")
TABLE: list[list[Any]] = [
    ["#goods-owner", 77],
    ["#cut", "2026-11-25T22:00:00+01:00"],
    ["article", "quantity"],
    ["KRUKA-12", 140],
    ["KRUKA-20", 5.25],
    ["1001", "7"],
    ["#end", 3],
]


def difference(article: str = "KRUKA-12", why: str = "unknown", quantity: Any = -3, **more: Any) -> Row:
    values: dict[str, Any] = {"name": "Kruka", "document": "", "cause": "", "at": None, "value": D("-30.00")} | more
    return Row(
        "physical",
        article,
        values["name"],
        "MAIN",
        D(100),
        D(100) + D(quantity),
        why,
        D(quantity),
        values["value"],
        values["document"],
        values["cause"],
        values["at"],
    )


def report(**more: Any) -> Report:
    days = tuple(Day(date(2026, 10, 27) + timedelta(days=n), D(100 + 10 * n), D(90 + 9 * n)) for n in range(30))
    told: dict[str, Any] = {
        "rows": (difference(), difference("KRUKA-20", "in-flight", -7, document="SO-1", at=NOW)),
        "booked": (Booking("unknown", "KRUKA-12", D(-3), D("-30.00"), 4990, "stood in two runs, under every tolerance", 41),),
        "unmatched": (Unmatched("warehouse", "KRUKA-99", D(4), "add the article in the ERP, or ask whose it is"),),
        "waiting": (Waiting(7, "VAS-1", D(-40), D("-4000.00"), NOW, "waiting", "pieces 40 is above 5"),),
        "days": days,
    } | more
    return Report(
        "demo", 12, "daily", date(2026, 11, 25), (date(2026, 11, 25),), "api", NOW, "SEK", 20, 0, 1, D("123456.78"), **told
    )


def test_a_delivered_spreadsheet_is_read_by_its_cells() -> None:
    found = read_stock_file(write_table(TABLE), XLSX, AWAITED)
    assert found.quantities == {"KRUKA-12": D(140), "KRUKA-20": D("5.25"), "1001": D(7)}


def test_a_spreadsheet_cut_at_any_byte_is_refused() -> None:
    whole = write_table(TABLE)
    for end in range(0, len(whole), 7):
        with pytest.raises(Refused):
            read_stock_file(whole[:end], XLSX, AWAITED)


@pytest.mark.parametrize("cell", ["5,25", "=2+3", "5.123456", "", None, True, -4, 1e30])
def test_a_cell_that_is_no_quantity_is_refused(cell: Any) -> None:
    table = [*TABLE[:3], ["KRUKA-12", cell], ["#end", 1]]
    with pytest.raises(Refused):
        read_stock_file(write_table(table), XLSX, AWAITED)


def test_a_spreadsheet_that_unpacks_to_a_mountain_is_not_opened() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 60_000_000)
    with pytest.raises(Refused, match="unpack to"):
        read_stock_file(bomb.getvalue(), XLSX, AWAITED)


def test_the_same_report_is_the_same_file_byte_for_byte() -> None:
    assert as_xlsx(report()) == as_xlsx(report())
    assert as_csv(report()) == as_csv(report())
    assert as_csv(report()) != as_csv(report(rows=()))


def test_the_spreadsheet_says_what_the_report_says_and_has_its_picture() -> None:
    book = load_workbook(io.BytesIO(as_xlsx(report())))
    assert book.sheetnames == [
        "Summary",
        "Classes",
        "Differences",
        "In flight",
        "Unmatched",
        "Booked",
        "Approvals",
        "Thirty days",
    ]
    assert book["Summary"]["B3"].value == headline(report())
    assert [cell.value for cell in book["Differences"][3]][:9] == [
        "physical",
        "KRUKA-12",
        "Kruka",
        "MAIN",
        100,
        97,
        "unknown",
        -3,
        -30,
    ]
    assert book["In flight"].max_row == 3
    assert len(book["Thirty days"]._charts) == 1


@pytest.mark.parametrize("word", ["=1+1", "+46", "-2", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")', " =1", "%0A=1", "|x"])
def test_no_text_of_the_file_acts_in_a_spreadsheet(word: str) -> None:
    evil = report(rows=(difference(word, name=word, document=word, cause=word),))
    cells = [cell for row in csv.reader(io.StringIO(as_csv(evil).decode("utf-8-sig")), delimiter=";") for cell in row]
    assert not [
        cell for cell in cells if cell.startswith(("=", "@", "\t", "\r")) or (cell.startswith(("+", "-")) and not _number(cell))
    ]
    page = load_workbook(io.BytesIO(as_xlsx(evil)))["Differences"]
    assert [cell.data_type for cell in page[3]][1:3] == ["s", "s"]
    assert f"<td>{word}" not in as_html(report(rows=(difference("<b>x</b>"),))).decode()


@given(st.text(max_size=30))
def test_safe_text_never_begins_a_formula(words: str) -> None:
    assert not safe(words).lstrip().startswith(("=", "+", "-", "@"))


def test_negative_numbers_stay_numbers() -> None:
    assert plain(D("-3.50")) == "-3.50"
    assert b";-3;-30.00;" in as_csv(report())


def test_the_headline_says_what_was_booked_and_what_waits() -> None:
    assert headline(report()) == (
        "20 articles compared, 2 differ, 1 of them for an unknown reason. 1 unknown difference was booked"
        " (stock value -30.00 SEK). 1 waits for a person's approval."
    )
    held = headline(report(booked=(), held="all 20 articles with stock are at zero in the warehouse"))
    assert "NOTHING WAS BOOKED" in held


def test_the_page_escapes_what_strangers_wrote() -> None:
    page = as_html(report(rows=(difference("<script>alert(1)</script>"),))).decode()
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "begins tomorrow" in as_html(report(days=())).decode()


def _number(cell: str) -> bool:
    try:
        D(cell)
    except ArithmeticError:
        return False
    return True
