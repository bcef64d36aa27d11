"""The one reconciliation file of a merchant and day: what differed, why, what was booked, what waits, and the last thirty days.

It is the document that an accountant keeps (BFNAR 2013:2: how each deviation was handled), so it is made from values that do not
change any more, the same values give the same file, and no cell of it can act in a spreadsheet: text that would be read as a
formula is marked as text, numbers stay numbers.
"""

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from domain.money import ZERO
from domain.reconciling import Why

Cell = str | Decimal | int | date | datetime | None

MEANING: dict[str, str] = {
    Why.IN_FLIGHT: "On its way: the warehouse has moved it, our books follow by themselves",
    Why.NOT_POLLED: "Moved in the warehouse after our last look: booked at the next look",
    Why.STUCK: "Moved in the warehouse long ago and still not booked: see why its process stands still",
    Why.ADJUSTED: "Corrected by the warehouse with a cause: booked on the account of the cause",
    Why.AFTER_CUT: "Booked by us after the instant of the warehouse's figure",
    Why.NOT_OURS: "Moved on a document that the ERP does not know: find out whose it is",
    Why.OUR_ERROR: "Our balance is not the sum of its entries: run lagerbro verify",
    Why.ABSORBED: "Booked as unknown earlier; its cause has come and the booking is taken back",
    Why.UNIT: "Counted in packages on one side and in pieces on the other: correct the article's unit",
    Why.TWIN: "The opposite difference stands on a number that differs in case, blanks or leading zeros only",
    Why.RENAMED: "The opposite difference stands on the number that replaces this one",
    Why.DEFERRED: "Moving while we looked: compared again in the next run",
    Why.UNKNOWN: "No document explains it: booked when it stood in two runs and is small, else it waits for approval",
    Why.PHYSICAL: "Follows from the unknown physical difference",
    Why.LOCKED: "Locked in the warehouse: there, but not for sale",
    Why.HELD: "Held back from sale by the ERP",
    Why.OPEN_ORDER: "Reserved differently on an order: look at the order",
}

STATE = {
    "waiting": "waits for a person",
    "approved": "approved, booked when it stands still",
    "seen": "seen, looked at again in the next run",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A part of a difference. `value` at our cost per piece; None where nobody knows it."""

    comparison: str
    article: str
    name: str
    warehouse: str
    ours: Decimal
    theirs: Decimal
    why: str
    quantity: Decimal
    value: Decimal | None
    document: str
    cause: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Booking:
    """What this run booked: a settlement, an adjustment of the warehouse, or a settlement taken back."""

    what: str
    article: str
    quantity: Decimal
    value: Decimal
    account: int
    reason: str
    transaction_no: int


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An article or document that only one side has, and what to do about it."""

    side: str
    number: str
    quantity: Decimal
    action: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An unknown difference that is not booked: why, since when, and who has approved so far."""

    number: int
    article: str
    quantity: Decimal
    value: Decimal | None
    since: datetime
    state: str
    why: str
    approvals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """A day in the picture: the absolute value of all differences, and how much of it was explained."""

    on: date
    differing: Decimal
    explained: Decimal

    @property
    def share(self) -> Decimal:
        return Decimal(1) if not self.differing else self.explained / self.differing


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the file says. `covers`: the days for which this run stands; `held` why it booked nothing, if so."""

    merchant: str
    run: int
    kind: str
    on: date
    covers: tuple[date, ...]
    source: str
    cut: datetime
    currency: str
    compared: int
    ours_only: int
    theirs_only: int
    stock_value: Decimal
    rows: tuple[Row, ...] = ()
    booked: tuple[Booking, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    days: tuple[Day, ...] = ()
    held: str | None = None
    notes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    def physical(self) -> list[Row]:
        return [row for row in self.rows if row.comparison == "physical"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of the file: a name, a sentence that says what it shows, the names of its columns, its rows."""

    name: str
    says: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]] = field(default_factory=list)


def sheets(report: Report) -> list[Sheet]:
    """The file as tables: summary, differences, in flight, unmatched, booked, approvals, thirty days."""
    differences = (
        "comparison",
        "article",
        "name",
        "warehouse",
        "our books",
        "warehouse has",
        "class",
        "quantity",
        f"value {report.currency}",
        "document",
        "cause",
        "happened (UTC)",
        "meaning",
    )
    on_its_way = [row for row in report.rows if row.why in (Why.IN_FLIGHT, Why.NOT_POLLED, Why.STUCK)]
    return [
        Sheet("Summary", "What was compared and how it came out.", ("what", "is"), [*_summary(report)]),
        Sheet(
            "Classes",
            "Every difference by its class. Plus and minus are never set off.",
            ("comparison", "class", "parts", "plus", "minus", f"value {report.currency}", "meaning"),
            _classes(report),
        ),
        Sheet(
            "Differences",
            "Each difference in parts; the parts of an article add up to warehouse less books.",
            differences,
            [_difference(row) for row in report.rows],
        ),
        Sheet(
            "In flight",
            "Moved in the warehouse and not yet in our books. Never booked by a reconciliation.",
            differences,
            [_difference(row) for row in on_its_way],
        ),
        Sheet(
            "Unmatched",
            "Articles and documents that only one side has. Nothing is made of them by itself.",
            ("only", "number", "quantity", "what to do"),
            [(u.side, u.number, u.quantity, u.action) for u in report.unmatched],
        ),
        Sheet(
            "Booked",
            "What this run booked, and what people have approved since the run before; each on the account named, against the"
            " stock account, with its ledger transaction.",
            ("what", "article", "quantity", f"value {report.currency}", "account", "reason", "ledger transaction"),
            [(b.what, b.article, b.quantity, b.value, b.account, b.reason, b.transaction_no) for b in report.booked],
        ),
        Sheet(
            "Approvals",
            "Unknown differences that are not booked, and what each waits for.",
            ("number", "article", "quantity", f"value {report.currency}", "since (UTC)", "state", "why", "approved by"),
            [
                (w.number, w.article, w.quantity, w.value, w.since, STATE.get(w.state, w.state), w.why, ", ".join(w.approvals))
                for w in report.waiting
            ],
        ),
        Sheet(
            "Thirty days",
            "The value of all differences each day, and how much of it had a known cause.",
            ("day", f"differences {report.currency}", f"explained {report.currency}", "explained share"),
            [(d.on, d.differing, d.explained, round(d.share, 4)) for d in report.days],
        ),
    ]


def headline(report: Report) -> str:
    """One sentence for whoever reads only one."""
    physical = report.physical()
    articles = {(row.article, row.warehouse) for row in physical}
    unknown = {(row.article, row.warehouse) for row in physical if row.why == Why.UNKNOWN}
    differ = "differs" if len(articles) == 1 else "differ"
    words = [f"{report.compared} articles compared, {len(articles)} {differ}, {len(unknown)} of them for an unknown reason."]
    if report.held:
        words.append(f"NOTHING WAS BOOKED of the unknown: {report.held}.")
    by_cause = [b for b in report.booked if b.what == "adjustment"]
    unknown_booked = [b for b in report.booked if b.what == "unknown"]
    back = [b for b in report.booked if b.what == "taken back"]
    for what, bookings in (
        ("correction{} of the warehouse {} booked", by_cause),
        ("unknown difference{} {} booked", unknown_booked),
        ("earlier booking{} {} taken back", back),
    ):
        if bookings:
            value = sum((b.value for b in bookings), ZERO)
            many = ("", "was") if len(bookings) == 1 else ("s", "were")
            words.append(f"{len(bookings)} {what.format(*many)} (stock value {value:+.2f} {report.currency}).")
    if not report.booked:
        words.append("Nothing was booked.")
    asked = [w for w in report.waiting if w.state == "waiting"]
    if asked:
        words.append(f"{len(asked)} {'waits' if len(asked) == 1 else 'wait'} for a person's approval.")
    seen = len(report.waiting) - len(asked)
    if seen:
        words.append(f"{seen} {'is' if seen == 1 else 'are'} looked at again in the next run.")
    return " ".join(words)


def _summary(report: Report) -> list[tuple[Cell, ...]]:
    days = ", ".join(day.isoformat() for day in report.covers)
    rows: list[tuple[Cell, ...]] = [
        ("in short", headline(report)),
        ("merchant", report.merchant),
        ("run", report.run),
        ("kind", report.kind),
        ("day", report.on),
        ("covers", days),
        ("source", report.source),
        ("instant of the warehouse's figures (UTC)", report.cut),
        ("articles compared", report.compared),
        ("articles only in our books", report.ours_only),
        ("articles only in the warehouse", report.theirs_only),
        (f"stock value {report.currency}", report.stock_value),
    ]
    for account in sorted({booking.account for booking in report.booked}):
        mine = [booking.value for booking in report.booked if booking.account == account]
        rows.append((f"stock value booked against account {account} {report.currency}", sum(mine, ZERO)))
    if report.held:
        rows.append(("booked nothing of the unknown, because", report.held))
    return rows + [("note", note) for note in report.notes] + [("rule", rule) for rule in report.rules]


def _classes(report: Report) -> list[tuple[Cell, ...]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in report.rows:
        groups.setdefault((row.comparison, row.why), []).append(row)
    return [
        (
            comparison,
            why,
            len(rows),
            sum((row.quantity for row in rows if row.quantity > 0), ZERO),
            sum((row.quantity for row in rows if row.quantity < 0), ZERO),
            sum((abs(row.value) for row in rows if row.value is not None), ZERO),
            MEANING.get(why, ""),
        )
        for (comparison, why), rows in sorted(groups.items(), key=lambda item: (item[0][0] != "physical", item[0][1]))
    ]


def _difference(row: Row) -> tuple[Cell, ...]:
    return (
        row.comparison,
        row.article,
        row.name,
        row.warehouse,
        row.ours,
        row.theirs,
        row.why,
        row.quantity,
        row.value,
        row.document,
        row.cause,
        row.at,
        MEANING.get(row.why, ""),
    )


# --- CSV --------------------------------------------------------------------------------------------------------------

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def safe(words: str) -> str:
    """Text as a spreadsheet may have it: nothing that it takes for a formula, no control characters."""
    clean = "".join(character if character.isprintable() else " " for character in words)
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


def as_csv(report: Report) -> bytes:
    """All tables one after another, each with its name and columns. UTF-8 with a mark, semicolons, decimal points."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    for sheet in sheets(report):
        writer.writerow([f"# {sheet.name}", sheet.says])
        writer.writerow(sheet.columns)
        writer.writerows([plain(cell) for cell in row] for row in sheet.rows)
        writer.writerow([])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


# --- HTML -------------------------------------------------------------------------------------------------------------

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#1d2433;margin:2rem auto;max-width:70rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .2rem}p.says{color:#5a6478;margin:.1rem 0 .5rem}
p.short{font-size:1.1rem;background:#f2f5fa;border-left:4px solid #2f5fb3;padding:.7rem 1rem}
p.held{background:#fdeeee;border-left:4px solid #b3382f;padding:.7rem 1rem}
table{border-collapse:collapse;width:100%;font-size:13px}th{text-align:left;border-bottom:2px solid #c6cfdd;padding:.25rem .5rem}
td{border-bottom:1px solid #e4e9f1;padding:.25rem .5rem;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap}
td.k{white-space:nowrap}
svg{width:100%;height:auto}figcaption{color:#5a6478;font-size:13px}figure{margin:1rem 0}
"""


def as_html(report: Report, most_rows: int = 500) -> bytes:
    """One page that says what was booked and why to somebody who has not seen the system. A long table says where its rest is."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>Reconciliation {html.escape(report.merchant)} {report.on}</title><style>{_STYLE}</style>",
        f"<h1>Stock reconciliation, {html.escape(report.merchant)}, {report.on}</h1>",
        f"<p class=says>Warehouse against books, run {report.run}, warehouse figures of {plain(report.cut)} UTC.</p>",
        f"<p class=short>{html.escape(headline(report))}</p>",
    ]
    if report.held:
        parts.append(f"<p class=held><b>Held:</b> {html.escape(report.held)}. A person looks first; see Approvals.</p>")
    parts.append(_picture(report))
    tables = {sheet.name: sheet for sheet in sheets(report)}
    for sheet in (
        tables["Booked"],
        tables["Approvals"],
        tables["Classes"],
        _of(tables["Differences"], "physical", "What lies there", "the warehouse's shelves against our books, in parts"),
        _of(
            tables["Differences"],
            "available",
            "What can be sold",
            "what the warehouse would sell against what we would; never booked",
        ),
        tables["Unmatched"],
        tables["Summary"],
    ):
        parts.append(_table(sheet, most_rows))
    return "\n".join(parts).encode()


def _of(sheet: Sheet, comparison: str, name: str, says: str) -> Sheet:
    """The differences of one comparison, without the columns that are the same in each row or said among the classes."""
    kept = [n for n, column in enumerate(sheet.columns) if column not in ("comparison", "warehouse", "meaning")]
    rows = [tuple(row[n] for n in kept) for row in sheet.rows if row[0] == comparison]
    return Sheet(f"Differences: {name}", f"{says[0].upper()}{says[1:]}.", tuple(sheet.columns[n] for n in kept), rows)


def _table(sheet: Sheet, most_rows: int) -> str:
    figures = {n for row in sheet.rows[:most_rows] for n, cell in enumerate(row) if isinstance(cell, Decimal | int)}
    head = "".join(
        f"<th{' class=n' if n in figures and sheet.name != 'Summary' else ''}>{html.escape(column)}"
        for n, column in enumerate(sheet.columns)
    )
    rows = []
    for row in sheet.rows[:most_rows]:
        cells = "".join(f"<td{_kind(cell, sheet)}>{html.escape(plain(cell).removeprefix(chr(39)))}" for cell in row)
        rows.append(f"<tr>{cells}")
    if len(sheet.rows) > most_rows:
        left = len(sheet.rows) - most_rows
        rows.append(f"<tr><td colspan={len(sheet.columns)}>and {left} more, in the spreadsheet")
    body = "".join(rows) or f"<tr><td colspan={len(sheet.columns)}>none"
    return f"<h2>{sheet.name}</h2><p class=says>{html.escape(sheet.says)}</p><table><tr>{head}{body}</table>"


def _kind(cell: Cell, sheet: Sheet) -> str:
    if isinstance(cell, Decimal | int):
        return "" if sheet.name == "Summary" else " class=n"
    return " class=k" if isinstance(cell, datetime) or (isinstance(cell, str) and len(cell) <= 22) else ""


def _nice(most: Decimal) -> Decimal:
    """The end of an axis that is cut in four: the next round number."""
    step = Decimal(10) ** (len(str(int(most))) - 1)
    return next((end for times in (1, 2, 4, 6, 8, 10, 20) if (end := step * times) >= most), step * 20)


def _picture(report: Report) -> str:
    """Bars: the value of each day's differences, its explained part filled; a line: the explained share."""
    days: Sequence[Day] = report.days[-30:]
    if not days:
        return "<figure><figcaption>The picture of the last thirty days begins tomorrow.</figcaption></figure>"
    width, height, left, bottom, top = 960, 300, 70, 40, 24
    most = _nice(max((day.differing for day in days), default=ZERO) or Decimal(1))
    step = (width - left - 60) / len(days)
    inner = height - bottom - top

    def up(share: Decimal) -> float:
        return round(height - bottom - float(share) * inner, 1)

    parts = [
        f'<svg viewBox="0 0 {width} {height}" role=img aria-label="Differences and explained share, last {len(days)} days">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for part in range(5):
        share = Decimal(part) / 4
        parts.append(f'<line x1="{left}" x2="{width - 60}" y1="{up(share)}" y2="{up(share)}" stroke="#e4e9f1"/>')
        parts.append(
            f'<text x="{left - 6}" y="{up(share) + 4}" text-anchor="end" font-size="11" fill="#5a6478">{most * share:.0f}</text>'
        )
        parts.append(f'<text x="{width - 54}" y="{up(share) + 4}" font-size="11" fill="#b3382f">{share * 100:.0f} %</text>')
    points = []
    for number, day in enumerate(days):
        x, bar = left + number * step, max(step * 0.7, 2)
        whole, known = day.differing / most, day.explained / most
        parts.append(
            f'<rect x="{x:.1f}" y="{up(whole)}" width="{bar:.1f}" height="{height - bottom - up(whole):.1f}" fill="#e3b9b5"/>'
            f'<rect x="{x:.1f}" y="{up(known)}" width="{bar:.1f}" height="{height - bottom - up(known):.1f}" fill="#2f5fb3"/>'
        )
        points.append(f"{x + bar / 2:.1f},{up(day.share)}")
        if number % max(1, len(days) // 6) == 0 or number == len(days) - 1:
            parts.append(f'<text x="{x:.1f}" y="{height - 22}" font-size="11" fill="#5a6478">{day.on:%d %b}</text>')
    parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="#b3382f" stroke-width="2"/>')
    parts += [f'<circle cx="{point.split(",")[0]}" cy="{point.split(",")[1]}" r="2.5" fill="#b3382f"/>' for point in points]
    unit = html.escape(report.currency)
    parts.append(
        f'<text x="{left}" y="14" font-size="12" fill="#1d2433">Value of differences each day, {unit}</text>'
        f'<text x="{width - 60}" y="14" text-anchor="end" font-size="12" fill="#b3382f">explained share</text></svg>'
    )
    last = days[-1]
    caption = (
        f"Last {len(days)} days. Blue: differences with a known cause; pale red: unknown; red line: the explained share. "
        f"{last.on}: {last.differing:.2f} {unit} differed, {last.share * 100:.1f} % explained."
    )
    return f"<figure>{''.join(parts)}<figcaption>{caption}</figcaption></figure>"
