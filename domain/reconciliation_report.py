"""What a reconciliation says of one merchant and day: what differed, why, what was booked, what waits, and the last thirty days.

It is the document that an accountant keeps (BFNAR 2013:2: how each deviation was handled), so it is made from values that do not
change any more, and the same values give the same file. `reconciliation_tables` lays it out, `reconciliation_csv` and
`reconciliation_page` write it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from domain.money import ZERO, rounded
from domain.reconciling import Why

NOT_EXPLAINED = (Why.UNKNOWN, Why.DEFERRED)


@dataclass(frozen=True, slots=True)
class Row:
    """A part of a difference, warehouse minus books. `value` at our cost per piece; None where nobody knows it."""

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
    """What was booked: a settlement, an adjustment of the warehouse, or a settlement taken back; signed as stock moves.

    `by_people`: not by this run, but when a person approved it, since the file before. `account` is the other side of
    `stock_account`, which is None, as `day` is, where nothing is worth anything and so no voucher tells of it.
    """

    what: str
    article: str
    quantity: Decimal
    value: Decimal
    account: int
    reason: str
    transaction_no: int
    by_people: bool = False
    day: date | None = None
    stock_account: str | None = None


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
    """Everything the file says. `covers`: the days for which this run stands; `held` why it booked nothing, if so.

    `value_before` and `value_after`: what all our stock was worth before the run booked anything, and when the file was made.
    """

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
    value_before: Decimal
    value_after: Decimal
    rows: tuple[Row, ...] = ()
    booked: tuple[Booking, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    days: tuple[Day, ...] = ()
    held: str | None = None
    notes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    def of(self, comparison: str) -> list[Row]:
        """The differences on the shelf (`physical`) or in what can be sold (`available`)."""
        return [row for row in self.rows if row.comparison == comparison]

    @property
    def booked_by_run(self) -> Decimal:
        return total(booking.value for booking in self.booked if not booking.by_people)


def total(values: Iterable[Decimal | None]) -> Decimal:
    """A sum of money in two decimals; what has no value counts as nothing."""
    return rounded(sum((value for value in values if value is not None), ZERO))


def day_of(on: date, rows: Sequence[Row]) -> Day:
    """A day in the picture, from its differences on the shelf. What is only put off is not explained."""
    mine = [row for row in rows if row.comparison == "physical" and row.value is not None]
    known = [row for row in mine if row.why not in NOT_EXPLAINED]
    return Day(on, total(abs(row.value or ZERO) for row in mine), total(abs(row.value or ZERO) for row in known))


def headline(report: Report) -> str:
    """One sentence for whoever reads only one."""
    physical = report.of("physical")
    articles = {(row.article, row.warehouse) for row in physical}
    unknown = {(row.article, row.warehouse) for row in physical if row.why == Why.UNKNOWN}
    differ = "differs" if len(articles) == 1 else "differ"
    words = [f"{report.compared} articles compared, {len(articles)} {differ}, {len(unknown)} of them for an unknown reason."]
    if report.held:
        words.append(f"NOTHING WAS BOOKED of the unknown: {report.held}.")
    by_run = [b for b in report.booked if not b.by_people]
    by_cause = [b for b in by_run if b.what == "adjustment"]
    unknown_booked = [b for b in by_run if b.what == "unknown"]
    back = [b for b in by_run if b.what == "taken back"]
    approved = [b for b in report.booked if b.by_people]
    for what, bookings in (
        ("correction{} of the warehouse {} booked", by_cause),
        ("unknown difference{} {} booked", unknown_booked),
        ("earlier booking{} {} taken back", back),
        ("difference{} {} booked since the run before because people approved", approved),
    ):
        if bookings:
            value = sum((b.value for b in bookings), ZERO)
            many = ("", "was") if len(bookings) == 1 else ("s", "were")
            words.append(f"{len(bookings)} {what.format(*many)} (stock value {value:+.2f} {report.currency}).")
    if not by_run:
        words.append("This run itself booked nothing." if approved else "Nothing was booked.")
    asked = [w for w in report.waiting if w.state == "waiting"]
    if asked:
        words.append(f"{len(asked)} {'waits' if len(asked) == 1 else 'wait'} for a person's approval.")
    seen = len(report.waiting) - len(asked)
    if seen:
        words.append(f"{seen} {'is' if seen == 1 else 'are'} looked at again in the next run.")
    return " ".join(words)
