"""Spreadsheets: delivered ones are believed whole or refused, our own say the same as the report and can do nothing."""

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import load_workbook

from activities.spreadsheets import as_xlsx, read_stock_file, write_table
from domain.errors import Refused
from domain.reconciliation_csv import as_csv
from domain.reconciliation_report import headline
from domain.reconciliation_tables import sheets
from domain.stock_files import Awaited, Dialect
from tests.domain.test_reconciliation_report import EVIL, SWEDISH, difference, report

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
    assert as_csv(report(), SWEDISH) == as_csv(report(), SWEDISH)
    assert as_csv(report(), SWEDISH) != as_csv(report(rows=()), SWEDISH)


def test_the_spreadsheet_says_what_the_report_says_and_has_its_picture() -> None:
    book = load_workbook(io.BytesIO(as_xlsx(report())))
    assert book.sheetnames == [sheet.name for sheet in sheets(report())]
    assert book["Summary"]["B3"].value == headline(report())
    shown = [cell.value for cell in book["Differences"][3]][:9]
    assert shown == ["KRUKA-12", "Kruka", "MAIN", 100, 97, "unknown", -3, -30, "booked"]
    assert [cell.value for cell in book["Stock value"]["B"]][2:] == [123456.78, -30, 0, 123426.78]
    assert [book["Booked"].cell(3, place).number_format for place in (3, 4)] == ["#,##0", "#,##0.00"]
    assert book["In flight"].max_row == 4
    assert len(book["Thirty days"]._charts) == 1


@pytest.mark.parametrize("word", EVIL)
def test_no_text_of_a_spreadsheet_acts(word: str) -> None:
    evil = report(rows=(difference(word, name=word, document=word, cause=word),))
    page = load_workbook(io.BytesIO(as_xlsx(evil)))["Differences"]
    assert [cell.data_type for cell in page[3]][:3] == ["s", "s", "s"]


def changed(name: str, how: Callable[[bytes], bytes], table: list[list[Any]] = TABLE) -> bytes:
    """A delivered spreadsheet with one of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(write_table(table))) as packed, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as again:
        for item in packed.infolist():
            content = packed.read(item)
            again.writestr(item.filename, how(content) if item.filename.endswith(name) else content)
    return out.getvalue()


@pytest.mark.parametrize(
    "how",
    [
        lambda sheet: sheet[: len(sheet) // 2],
        lambda sheet: sheet.replace(b"<v>77</v>", b"<v>many</v>"),
        lambda sheet: sheet.replace(b'r="A1"', b'r="!!"'),
    ],
)
def test_a_spreadsheet_whose_sheet_is_damaged_inside_is_refused(how: Callable[[bytes], bytes]) -> None:
    data = changed("sheet1.xml", how)
    with pytest.raises(Refused, match="not a spreadsheet, or cut"):
        read_stock_file(data, XLSX, AWAITED)


def test_a_spreadsheet_whose_packing_is_damaged_is_refused() -> None:
    whole = write_table(TABLE)
    for at in range(30, len(whole), 11):
        with suppress(Refused):
            read_stock_file(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :], XLSX, AWAITED)


def test_a_cell_far_to_the_right_does_not_make_every_row_as_wide() -> None:
    many = [[f"N-{n}", n] for n in range(2000)]
    wide = write_table([*TABLE[:4], [*TABLE[4], *[None] * 16_000, "far"], *TABLE[5:-1], *many, ["#end", 2003]])
    tracemalloc.start()
    try:
        assert len(read_stock_file(wide, XLSX, AWAITED).quantities) == 2003
        assert tracemalloc.get_traced_memory()[1] < 32 * 1024 * 1024
    finally:
        tracemalloc.stop()
