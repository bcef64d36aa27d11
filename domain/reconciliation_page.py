"""The reconciliation's report as one page: what was booked and why, for somebody who has not seen the system."""

import html
from datetime import datetime
from decimal import Decimal

from domain.money import ZERO
from domain.reconciliation_csv import exponent_of, plain
from domain.reconciliation_picture import picture
from domain.reconciliation_report import Report, headline
from domain.reconciliation_tables import SIGNS, Cell, Sheet, sheets

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#1d2433;margin:2rem auto;max-width:76rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .2rem}p.says{color:#5a6478;margin:.1rem 0 .5rem}
p.short{font-size:1.1rem;background:#f2f5fa;border-left:4px solid #2f5fb3;padding:.7rem 1rem}
p.held{background:#fdeeee;border-left:4px solid #b3382f;padding:.7rem 1rem}
table{border-collapse:collapse;width:100%;font-size:13px}
th{text-align:left;vertical-align:bottom;border-bottom:2px solid #c6cfdd;padding:.25rem .5rem}
td{border-bottom:1px solid #e4e9f1;padding:.25rem .5rem;vertical-align:top}
td.n,th.n{text-align:right}td.n,td.k{white-space:nowrap}
th.n{max-width:8rem}tr.total td{font-weight:600;border-top:2px solid #c6cfdd;border-bottom:0}
table.narrow{width:auto;min-width:34rem}
svg{width:100%;height:auto}figcaption{color:#5a6478;font-size:13px}figure{margin:1.5rem 0 0}
"""
IN_THE_SPREADSHEET = ("name", "warehouse", "meaning")
"""Columns of the differences that the page leaves to the spreadsheet: it has them among the classes, or no room."""


def as_html(report: Report, most_rows: int = 500) -> bytes:
    """The page. A long table says where its rest is."""
    name = f"{html.escape(report.merchant)}, {report.on}"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>Stock reconciliation {name}</title><style>{_STYLE}</style>",
        f"<h1>Stock reconciliation, {name}</h1>",
        f"<p class=says>The warehouse against our books (inventeringsdifferenser). Run {report.run}, warehouse figures of"
        f" {plain(report.cut)} UTC, amounts in {html.escape(report.currency)}.</p>",
        f"<p class=short>{html.escape(headline(report))}</p>",
    ]
    if report.held:
        parts.append(f"<p class=held><b>Held:</b> {html.escape(report.held)}. A person looks first; see Approvals.</p>")
    parts.append(f"<p class=says>How to read the signs: {html.escape(SIGNS)}</p>")
    tables = {sheet.name: sheet for sheet in sheets(report)}
    parts += [_table(tables[each], most_rows) for each in ("Stock value", "Booked", "Approvals")]
    parts.append(picture(report.days, report.currency))
    parts.append(_table(tables["Classes"], most_rows))
    for each, title in (("Differences", "Differences: what lies there"), ("Can be sold", "Differences: what can be sold")):
        parts.append(_table(_without(tables[each], IN_THE_SPREADSHEET), most_rows, title))
    parts += [_table(tables[each], most_rows) for each in ("Unmatched", "Summary")]
    return "\n".join(parts).encode()


def _without(sheet: Sheet, columns: tuple[str, ...]) -> Sheet:
    kept = [n for n, column in enumerate(sheet.columns) if column not in columns]
    rows, totals = ([tuple(row[n] for n in kept) for row in some] for some in (sheet.rows, sheet.totals))
    return Sheet(sheet.name, sheet.says, tuple(sheet.columns[n] for n in kept), rows, totals)


def _table(sheet: Sheet, most_rows: int, title: str | None = None) -> str:
    figures = {n for row in sheet.rows[:most_rows] for n, cell in enumerate(row) if isinstance(cell, Decimal | int)}
    figures = set() if sheet.name == "Summary" else figures
    head = "".join(f"<th{' class=n' if n in figures else ''}>{html.escape(column)}" for n, column in enumerate(sheet.columns))
    rows = [f"<tr>{''.join(_cell(cell, n in figures) for n, cell in enumerate(row))}" for row in sheet.rows[:most_rows]]
    if len(sheet.rows) > most_rows:
        left = len(sheet.rows) - most_rows
        rows.append(f"<tr><td colspan={len(sheet.columns)}>and {left} more, in the spreadsheet")
    rows += [f"<tr class=total>{''.join(_cell(cell, n in figures) for n, cell in enumerate(row))}" for row in sheet.totals]
    body = "".join(rows) or f"<tr><td colspan={len(sheet.columns)}>none"
    narrow = " class=narrow" if len(sheet.columns) == 2 and sheet.name != "Summary" else ""
    says = html.escape(sheet.says)
    return f"<h2>{title or sheet.name}</h2><p class=says>{says}</p><table{narrow}><tr>{head}{body}</table>"


def _cell(cell: Cell, figure: bool) -> str:
    if figure and isinstance(cell, Decimal | int):
        return f"<td class=n>{_spaced(cell)}"
    kind = " class=k" if isinstance(cell, datetime) or (isinstance(cell, str) and len(cell) <= 22) else ""
    return f"<td{kind}>{html.escape(plain(cell).removeprefix(chr(39)))}"


def _spaced(number: Decimal | int) -> str:
    """Thousands apart where it is money; numbers of accounts and transactions as they are."""
    if isinstance(number, int) or exponent_of(number) != -2:
        return plain(number)
    return f"{number + ZERO:,.2f}".replace(",", "&nbsp;")
