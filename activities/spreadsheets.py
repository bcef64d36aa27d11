"""Spreadsheets read and written: the one place that knows openpyxl.

What is read is a stranger's file: its size unpacked is bounded before it is opened, formulas are taken as the text that they are
and no macro or link is looked at. What is written is the same for the same report, byte for byte: its hash means something.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from copy import copy
from datetime import datetime
from decimal import Decimal
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from domain.errors import Refused
from domain.reconciliation_csv import exponent_of
from domain.reconciliation_report import Report
from domain.reconciliation_tables import Cell, Sheet, sheets
from domain.stock_files import Awaited, Dialect, StockFile, no, number_cell, read_table, read_text_file

LARGEST_UNPACKED = 512 * 1024 * 1024
MOST_ROWS = 1_000_000
MOST_COLUMNS = 50
"""What lies further to the right is not read: one cell there makes every row as wide, and a small file fills the memory."""
LARGEST_RATIO = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_THEN = (2000, 1, 1, 0, 0, 0)


def read_stock_file(data: bytes, dialect: Dialect, awaited: Awaited) -> StockFile:
    """A delivered file in its declared dialect, or a refusal with the reason."""
    if dialect.format == "xlsx":
        return read_table(_cells(data, dialect), dialect, awaited)
    return read_text_file(data, dialect, awaited)


def _cells(data: bytes, dialect: Dialect) -> list[list[str]]:
    """The cells of the first sheet. What a stranger's file makes the library fail with, and where, is not to be foreseen."""
    try:
        return _unpacked(data, dialect)
    except Refused:
        raise
    except Exception as error:
        raise no(f"not a spreadsheet, or cut: {type(error).__name__}") from None


def _unpacked(data: bytes, dialect: Dialect) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        unpacked = sum(item.file_size for item in packed.infolist())
        if unpacked > LARGEST_UNPACKED or unpacked > LARGEST_RATIO * max(len(data), 50_000):
            raise no(f"{len(data)} bytes that unpack to {unpacked}")
        damaged = packed.testzip()
        if damaged:
            raise no(f"the spreadsheet is damaged at {damaged[:60]}")
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
    sheet: Any = book.worksheets[0] if book.worksheets else None
    if sheet is None:
        raise no("the spreadsheet has no sheet")
    rows: list[list[str]] = []
    for row in sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS):
        if len(rows) > MOST_ROWS:
            raise no(f"more than {MOST_ROWS} rows")
        cells = [_read(value, dialect) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        rows.append(cells)
    widest = max((len(row) for row in rows), default=0)
    return [row if row and row[0].startswith("#") else row + [""] * (widest - len(row)) for row in rows]


def _read(value: Any, dialect: Dialect) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number_cell(repr(value), dialect.decimal_mark)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def as_xlsx(report: Report) -> bytes:
    """The report as a spreadsheet with its picture. Text is text, whatever it begins with."""
    book = Workbook()
    book.remove(book.active)
    for sheet in sheets(report):
        _write(book, sheet)
    if report.days:
        _draw(book["Thirty days"], len(report.days), report.currency)
    out = io.BytesIO()
    book.save(out)
    return _timeless(out.getvalue())


def _write(book: Workbook, sheet: Sheet) -> None:
    page = book.create_sheet(sheet.name)
    page["A1"] = sheet.says
    page["A1"].font = Font(italic=True, color="5A6478")
    for column, name in enumerate(sheet.columns, start=1):
        cell = page.cell(2, column, name)
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, vertical="bottom")
    looks: dict[Look, Any] = {}
    for number, row in enumerate(sheet.rows, start=3):
        for column, value in enumerate(row, start=1):
            _set(page.cell(number, column), value, looks)
    for number, row in enumerate(sheet.totals, start=3 + len(sheet.rows)):
        for column, value in enumerate(row, start=1):
            cell = page.cell(number, column)
            _set(cell, value, looks)
            cell.font = Font(bold=True)
    page.freeze_panes = "A3"
    for column, name in enumerate(sheet.columns, start=1):
        shown = [row[column - 1] for row in (*sheet.rows[:200], *sheet.totals)]
        longest = max([min(len(name), WIDEST_NAME), *(len("" if cell is None else str(cell)) for cell in shown)])
        page.column_dimensions[get_column_letter(column)].width = min(60, max(10, longest + 2))


WIDEST_NAME = 16
"""A column's name is broken into lines; what stands below it says how wide the column is."""
Look = tuple[bool, bool] | str
"""How a cell looks: a text (marked as text, wrapped), or the format of its number."""


def _set(cell: Any, value: Cell, looks: dict[Look, Any]) -> None:
    """Put the value in. Of each look one cell is made up; the others take it over, which is many times quicker."""
    look: Look | None = None
    if isinstance(value, str):
        cell.value = _CONTROL.sub(" ", value)
        cell.data_type = "s"
        look = (value.startswith(("=", "+", "-", "@")), len(value) > 60)
    elif isinstance(value, datetime):
        cell.value = value.replace(tzinfo=None)
        look = "yyyy-mm-dd hh:mm:ss"
    else:
        cell.value = value
        if isinstance(value, Decimal):
            look = _format_of(value)
    if look is None:
        return
    if look in looks:
        cell._style = copy(looks[look])
        return
    if isinstance(look, str):
        cell.number_format = look
    else:
        cell.quotePrefix, wrapped = look
        cell.alignment = Alignment(wrap_text=wrapped, vertical="top")
    looks[look] = copy(cell._style)


def _format_of(number: Decimal) -> str:
    """Money with two decimals, a share with one, pieces without decimals unless there are any."""
    decimals = -exponent_of(number)
    if decimals in (1, 2):
        return "#,##0.0" if decimals == 1 else "#,##0.00"
    return "#,##0" if number == int(number) else "#,##0.0000"


def _draw(page: Any, days: int, currency: str) -> None:
    """Bars of the explained and the other part, one on the other; a line for the explained share on an axis of its own."""
    bars = BarChart()
    bars.grouping, bars.overlap = "stacked", 100
    bars.title = "Differences each day, and their explained share"
    bars.add_data(Reference(page, min_col=2, max_col=3, min_row=2, max_row=2 + days), titles_from_data=True)
    bars.set_categories(Reference(page, min_col=1, min_row=3, max_row=2 + days))
    for series, colour in zip(bars.series, ("2F5FB3", "E3A59F"), strict=True):
        series.graphicalProperties.solidFill = colour
    bars.y_axis.title, bars.x_axis.title = f"{currency} a day", "day"
    bars.y_axis.delete = bars.x_axis.delete = False
    bars.y_axis.number_format, bars.x_axis.number_format = "#,##0", "d mmm"
    bars.legend.position = "b"
    share = LineChart()
    share.add_data(Reference(page, min_col=5, min_row=2, max_row=2 + days), titles_from_data=True)
    share.series[0].graphicalProperties.line.solidFill = "1F7A4D"
    share.y_axis.axId = 200
    share.y_axis.title = "explained, percent"
    share.y_axis.crosses = "max"
    share.y_axis.delete = False
    share.y_axis.number_format = "0"
    share.y_axis.scaling.min, share.y_axis.scaling.max = 0, 100
    bars += share
    bars.width, bars.height = 28, 13
    page.add_chart(bars, "G3")


def _timeless(data: bytes) -> bytes:
    """The same file without the moment at which it was packed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as packed, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as again:
        for item in packed.infolist():
            content = packed.read(item)
            if item.filename == "docProps/core.xml":
                content = re.sub(rb">\d{4}-\d\d-\d\dT[0-9:]+Z<", b">2000-01-01T00:00:00Z<", content)
            again.writestr(zipfile.ZipInfo(item.filename, _THEN), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def write_table(rows: Sequence[Sequence[Any]]) -> bytes:
    """A plain sheet of cells, as a warehouse would deliver one."""
    book = Workbook()
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            book.active.cell(number, column, value)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
