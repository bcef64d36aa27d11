"""The reconciliation's file as CSV: written for the spreadsheets of the merchant's country, and nothing in it can act there.

A Swedish spreadsheet takes 12.50 for a text and parts columns at semicolons, an English one parts at commas; a file in the wrong
form is opened without a question and adds up to nothing. So the form is that of the merchant's country, the file says it, and a
setting (`reconciliation.csv_decimal_mark`) can say another. Text that would be read as a formula is marked as text; numbers stay
numbers.
"""

import csv
import io
import re
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from domain.reconciliation_report import Report
from domain.reconciliation_tables import Cell, Sheet, sheets

WITH_DECIMAL_POINT = frozenset(
    ("AU", "CA", "CN", "GB", "HK", "IE", "IL", "IN", "JP", "KR", "MT", "MX", "MY", "NZ", "PH", "SG", "TH", "TW", "US")
)
"""Countries whose spreadsheets await a decimal point and commas between columns."""
POINT_AND_SEMICOLON = frozenset(("CH", "LI"))


@dataclass(frozen=True, slots=True)
class CsvForm:
    """What parts the columns and what marks the decimals."""

    delimiter: str = ";"
    decimal_mark: str = ","

    @classmethod
    def of(cls, country: str, decimal_mark: str = "") -> "CsvForm":
        """What the spreadsheets of a country await, or of those with this decimal mark."""
        if decimal_mark == "." or (not decimal_mark and country in WITH_DECIMAL_POINT):
            return cls(",", ".")
        return cls(";", "." if not decimal_mark and country in POINT_AND_SEMICOLON else ",")

    @property
    def words(self) -> str:
        names = {";": "semicolons", ",": "commas"}
        return f"UTF-8, {names[self.delimiter]} between columns, decimal {'comma' if self.decimal_mark == ',' else 'point'}"


_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_AFTER_A_DELIMITER = re.compile(r"""([,;|])(["'\s]*)([=+@-])""")
"""Where another delimiter than ours would begin a cell with a formula."""


def safe(words: str) -> str:
    """Text as a spreadsheet may have it: nothing that it takes for a formula however it parts cells, no control characters."""
    clean = "".join(character if character.isprintable() else " " for character in words)
    clean = _AFTER_A_DELIMITER.sub(r"\1\2'\3", clean)
    return f"'{clean}" if words.startswith(_DANGEROUS) or clean.lstrip().startswith(("=", "+", "-", "@")) else clean


def exponent_of(number: Decimal) -> int:
    """How many decimals a number is written with, negative: pieces have four, money two."""
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def plain(cell: Cell) -> str:
    """A cell as text: money with its two decimals, pieces without zeros at the end, instants in UTC."""
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        words = f"{cell:f}"
        return words.rstrip("0").rstrip(".") if exponent_of(cell) < -2 else words
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    return safe(cell) if isinstance(cell, str) else str(cell)


def as_csv(report: Report, form: CsvForm) -> bytes:
    """All tables one after another, each with its name, its columns and its totals. UTF-8 with a mark."""

    def written(cell: Cell) -> str:
        words = plain(cell)
        return words.replace(".", form.decimal_mark) if isinstance(cell, Decimal) else words

    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=form.delimiter, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    for sheet in _with_its_form(sheets(report), form):
        writer.writerow([f"# {sheet.name}", sheet.says])
        writer.writerow(sheet.columns)
        writer.writerows([written(cell) for cell in row] for row in (*sheet.rows, *sheet.totals))
        writer.writerow([])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _with_its_form(tables: list[Sheet], form: CsvForm) -> list[Sheet]:
    summary, *others = tables
    first, *rest = summary.rows
    return [replace(summary, rows=[first, ("this file", form.words), *rest]), *others]


def headline_in(content: bytes) -> str:
    """The sentence of a file that was written, in whatever form: the value in the first row of its first table."""
    lines = content.decode("utf-8-sig").splitlines()
    delimiter = ";" if lines[1].startswith("what;") else ","
    return next(csv.reader([lines[2]], delimiter=delimiter))[1]
