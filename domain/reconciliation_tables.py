"""The reconciliation's report laid out as tables, the same in every format: what each column counts, in which unit and sign, and
totals that are the sums of what stands above them.

Signs are one thing throughout: a difference is warehouse minus books, a booking is what it adds to our stock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from domain.money import ZERO, rounded
from domain.reconciliation_report import Booking, Report, Row, Waiting, headline, total
from domain.reconciliation_words import ACTS, BOOKED, KIND, MEANING, NOBODY, SOURCE, STATE, WAITS_FOR_ANOTHER
from domain.reconciling import Why

Cell = str | Decimal | int | date | datetime | None

ON_ITS_WAY = (Why.IN_FLIGHT, Why.NOT_POLLED, Why.STUCK)
SIGNS = (
    "a difference is warehouse minus books: minus means that the warehouse has fewer than our books say. A booking is what it"
    " adds to our stock. Values are at our average cost per piece, without VAT."
)
BY_RUN, BY_PEOPLE = "this run", "people, since the run before"
PIECES = "warehouse minus books, pieces"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of the file: a name, a sentence that says what it shows, its columns, its rows, and what they add up to."""

    name: str
    says: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    totals: list[tuple[Cell, ...]] = field(default_factory=list)


def sheets(report: Report) -> list[Sheet]:
    """The file as tables, what was booked and what it is worth first."""
    physical, available = report.of("physical"), report.of("available")
    return [
        Sheet("Summary", "What was compared and how it came out.", ("what", "is"), _summary(report)),
        _stock_value(report),
        _booked(report),
        _approvals(report),
        _classes(report),
        _differences(
            report,
            "Differences",
            "What lies on the shelf (saldo), the warehouse against our books. An article with several causes has a row for each;"
            " its rows add up to warehouse minus books. Only these can be booked.",
            physical,
            True,
        ),
        _differences(
            report,
            "Can be sold",
            "What the warehouse would sell against what we would (disponibelt saldo): stock less what is reserved or locked."
            " Never booked: it is mended on an order or a lock.",
            available,
        ),
        _differences(
            report,
            "In flight",
            "Those of the differences on the shelf that have moved in the warehouse and are not yet in our books. Never booked"
            " here: the order or receipt itself books them.",
            [row for row in physical if row.why in ON_ITS_WAY],
            True,
        ),
        Sheet(
            "Unmatched",
            "Articles and documents that only one side has. Nothing is made of them by itself.",
            ("only in the", "number", "pieces", "what to do"),
            [(each.side, each.number, each.quantity, each.action) for each in report.unmatched],
        ),
        _days(report),
    ]


def _summary(report: Report) -> list[tuple[Cell, ...]]:
    days = ", ".join(day.isoformat() for day in report.covers)
    unvalued = sum(1 for row in report.rows if row.value is None)
    rows: list[tuple[Cell, ...]] = [
        ("in short", headline(report)),
        ("how to read it", SIGNS),
        ("merchant", report.merchant),
        ("day", report.on),
        ("days covered", days),
        ("run", report.run),
        ("kind of run", KIND.get(report.kind, report.kind)),
        ("the warehouse's figures are from", SOURCE.get(report.source, report.source)),
        ("instant of the warehouse's figures (UTC)", report.cut),
        ("currency", report.currency),
        ("articles compared", report.compared),
        ("articles only in our books", report.ours_only),
        ("articles only in the warehouse", report.theirs_only),
    ]
    if unvalued:
        rows.append(("differences whose cost nobody knows, left out of every value", unvalued))
    if report.held:
        rows.append(("booked nothing of the unknown, because", report.held))
    return rows + [("note", note) for note in report.notes] + [("rule", rule) for rule in report.rules]


def _stock_value(report: Report) -> Sheet:
    by_run = [booking for booking in report.booked if not booking.by_people]
    accounts = sorted({booking.account for booking in by_run})
    rows: list[tuple[Cell, ...]] = [("before this run booked anything", rounded(report.value_before))]
    rows += [
        (f"booked by this run against account {account}", total(each.value for each in by_run if each.account == account))
        for account in accounts
    ]
    meanwhile = rounded(report.value_after - report.value_before - report.booked_by_run)
    rows.append(("booked meanwhile by others (picks, receipts, returns, approvals)", meanwhile))
    says = "What all our stock is worth (lagervärde), and what this run changed in it."
    if report.kind == "past":
        says += " This run books nothing, and the value is that of the moment when this file was made, not of the day."
    approved = total(booking.value for booking in report.booked if booking.by_people)
    if len(by_run) < len(report.booked):
        says += (
            f" What people approved since the run before, {approved} {report.currency} of the table Booked, was booked at once."
        )
    return Sheet("Stock value", says, ("stock value", report.currency), rows, [("after this run", rounded(report.value_after))])


def _booked(report: Report) -> Sheet:
    says = (
        "What this run booked, and what people have approved since the run before: inventory differences and their accounts,"
        " with the day of the voucher (verifikation) that carries them to the books."
    )
    columns = (
        "what",
        "article",
        "added to stock, pieces",
        f"added to stock value, {report.currency}",
        "debit account",
        "credit account",
        "accounting day",
        "reason",
        "booked by",
        "ledger transaction",
    )
    return Sheet("Booked", says, columns, [_booking(each) for each in report.booked], _booked_totals(report.booked))


def _booking(one: Booking) -> tuple[Cell, ...]:
    by = BY_PEOPLE if one.by_people else BY_RUN
    what = BOOKED.get(one.what, one.what)
    sides: tuple[str | None, ...] = (one.stock_account, str(one.account))
    if not one.value:
        sides = (None, None)
    elif one.value < 0:
        sides = sides[::-1]
    return what, one.article, one.quantity, one.value, *sides, one.day, one.reason, by, one.transaction_no


def _booked_totals(booked: Sequence[Booking]) -> list[tuple[Cell, ...]]:
    if not booked:
        return []
    whole: list[tuple[str, str | None, Sequence[Booking]]] = [("total", None, booked)]
    if any(one.by_people for one in booked):
        for by_people in (True, False):
            some = [one for one in booked if one.by_people == by_people]
            whole.insert(0, ("total", BY_PEOPLE if by_people else BY_RUN, some))
    return [
        (name, None, sum((one.quantity for one in some), ZERO), total(one.value for one in some), *[None] * 4, by, None)
        for name, by, some in whole
    ]


def _approvals(report: Report) -> Sheet:
    says = (
        "Unknown differences that are not booked, and what each waits for. Decide with: lagerbro reconcile approve NUMBER"
        f" -m {report.merchant} --by NAME --reason WHY (to say no: --refuse)."
    )
    columns = ("number", "article", PIECES, f"value of it, {report.currency}", "since (UTC)", "state", "why", "approved by")
    rows: list[tuple[Cell, ...]] = [
        (w.number, w.article, w.quantity, w.value, w.since, _state(w), w.why, ", ".join(w.approvals)) for w in report.waiting
    ]
    totals: list[tuple[Cell, ...]] = []
    if rows:
        pieces = sum((w.quantity for w in report.waiting), ZERO)
        totals = [("total", None, pieces, total(w.value for w in report.waiting), None, None, None, None)]
    return Sheet("Approvals", says, columns, rows, totals)


def _state(one: Waiting) -> str:
    return WAITS_FOR_ANOTHER if one.approvals and one.state == "waiting" else STATE.get(one.state, one.state)


def _classes(report: Report) -> Sheet:
    says = (
        "Every difference by its class, on the shelf (physical) and in what can be sold (available). Too many and missing are"
        " never set off against each other."
    )
    columns = (
        "comparison",
        "class",
        "differences",
        "too many in the warehouse, pieces",
        "missing in the warehouse, pieces",
        f"too many, {report.currency}",
        f"missing, {report.currency}",
        "meaning",
        "who must act",
    )
    rows: list[tuple[Cell, ...]] = []
    totals: list[tuple[Cell, ...]] = []
    for comparison in ("physical", "available"):
        mine = report.of(comparison)
        for why in sorted({row.why for row in mine}):
            figures = _plus_and_minus(row for row in mine if row.why == why)
            rows.append((comparison, why, *figures, MEANING.get(why, ""), ACTS.get(why, NOBODY)))
        if mine:
            totals.append((comparison, "total", *_plus_and_minus(mine), None, None))
    return Sheet("Classes", says, columns, rows, totals)


def _plus_and_minus(rows: Iterable[Row]) -> tuple[Cell, ...]:
    mine = list(rows)
    more, fewer = [row for row in mine if row.quantity > 0], [row for row in mine if row.quantity < 0]
    pieces = [sum((row.quantity for row in some), ZERO) for some in (more, fewer)]
    return len(mine), *pieces, *(total(row.value for row in some) for some in (more, fewer))


def _differences(report: Report, name: str, says: str, rows: Sequence[Row], on_the_shelf: bool = False) -> Sheet:
    """`on_the_shelf`: these can be booked, so each says what became of it."""
    became = ("what became of it",) if on_the_shelf else ()
    columns = (
        "article",
        "name",
        "warehouse",
        "our books, pieces",
        "warehouse has, pieces",
        "class",
        PIECES,
        f"value of it, {report.currency}",
        *became,
        "document",
        "cause",
        "happened (UTC)",
        "meaning",
    )
    totals: list[tuple[Cell, ...]] = []
    if rows:
        pieces = sum((row.quantity for row in rows), ZERO)
        totals = [("total", *[None] * 5, pieces, total(row.value for row in rows), *[None] * (4 + len(became)))]
    outcomes = _became(report) if on_the_shelf else None
    return Sheet(name, says, columns, [_difference(row, outcomes) for row in rows], totals)


def _became(report: Report) -> dict[tuple[str, str], str]:
    """What became of the differences that are booked here, by article and class."""
    waiting = {(each.article, str(Why.UNKNOWN)): f"number {each.number}: {_state(each)}" for each in report.waiting}
    whys = {"unknown": Why.UNKNOWN, "adjustment": Why.ADJUSTED, "taken back": Why.ABSORBED}
    return waiting | {(each.article, str(whys[each.what])): "booked" for each in report.booked if not each.by_people}


def _difference(row: Row, became: Mapping[tuple[str, str], str] | None) -> tuple[Cell, ...]:
    return (
        row.article,
        row.name,
        row.warehouse,
        row.ours,
        row.theirs,
        row.why,
        row.quantity,
        row.value,
        *(() if became is None else (became.get((row.article, row.why), "not booked"),)),
        row.document,
        row.cause,
        row.at,
        MEANING.get(row.why, ""),
    )


def _days(report: Report) -> Sheet:
    says = (
        "The value of each day's differences on the shelf, too many and missing added up, and how much of it had a known cause."
    )
    unit = report.currency
    columns = ("day", f"explained, {unit}", f"unknown or put off, {unit}", f"all differences, {unit}", "explained, percent")
    rows: list[tuple[Cell, ...]] = [
        (day.on, day.explained, day.differing - day.explained, day.differing, rounded(day.share * 100, 1)) for day in report.days
    ]
    return Sheet("Thirty days", says, columns, rows)
