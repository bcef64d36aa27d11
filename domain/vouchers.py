"""From postings to vouchers (verifikationer): which postings share one, what its rows are, and on which day it may be booked.

A voucher is chosen by absence, not by a date: whatever has no voucher at the cut gets one, also when it is late for its day.
Each voucher points to a specification that lists every posting in it, with a hash, so that the total can be taken apart.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from domain.errors import Refused
from domain.money import ZERO

PER = ("day", "event")
POLICIES = ("next-open-day", "hold")
MOST_POSTINGS = 5_000


@dataclass(frozen=True, slots=True)
class Row:
    """One account of a posting or a voucher: either side is zero."""

    account: int
    debit: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True)
class PostingToBook:
    """A posting that has no voucher yet."""

    posting_no: int
    event: str
    accounting_date: date
    document: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class VoucherDraft:
    """A voucher to be: its accounting day, the postings it holds, its rows, and the specification it points to."""

    accounting_date: date
    postings: tuple[int, ...]
    rows: tuple[Row, ...]
    specification: str

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.specification.encode()).digest()


def drafts(postings: Iterable[PostingToBook], per: str) -> list[VoucherDraft]:
    """Vouchers for these postings: one for each accounting day, or (`event`) one for each posting.

    A day of more than `MOST_POSTINGS` becomes several vouchers, so that a specification stays readable.
    """
    groups: dict[tuple[date, int], list[PostingToBook]] = {}
    counts: dict[date, int] = {}
    for posting in sorted(postings, key=lambda posting: (posting.accounting_date, posting.posting_no)):
        number = counts.get(posting.accounting_date, 0)
        counts[posting.accounting_date] = number + 1
        part = number if per == "event" else number // MOST_POSTINGS
        groups.setdefault((posting.accounting_date, part), []).append(posting)
    return [_draft(on, group) for (on, _), group in groups.items()]


def _draft(on: date, group: Sequence[PostingToBook]) -> VoucherDraft:
    return VoucherDraft(on, tuple(each.posting_no for each in group), totals(group), _specification(group))


def totals(group: Iterable[PostingToBook]) -> tuple[Row, ...]:
    """The rows of a voucher: for each account what was debited and what was credited, never netted against each other."""
    debits: dict[int, Decimal] = {}
    credits: dict[int, Decimal] = {}
    for posting in group:
        for row in posting.rows:
            if row.debit:
                debits[row.account] = debits.get(row.account, ZERO) + row.debit
            if row.credit:
                credits[row.account] = credits.get(row.account, ZERO) + row.credit
    rows = [Row(account, amount, ZERO) for account, amount in sorted(debits.items())]
    rows += [Row(account, ZERO, amount) for account, amount in sorted(credits.items())]
    if sum((row.debit for row in rows), ZERO) != sum((row.credit for row in rows), ZERO):
        raise ValueError("postings do not balance, which the ledger forbids")
    return tuple(rows)


def _specification(group: Sequence[PostingToBook]) -> str:
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["posting", "event", "date", "document", "account", "debit", "credit"])
    for posting in group:
        for row in posting.rows:
            on = posting.accounting_date.isoformat()
            lines.writerow([posting.posting_no, posting.event, on, posting.document, row.account, row.debit, row.credit])
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Year:
    """A financial year over there; its id is not the calendar year."""

    year_id: int
    first: date
    last: date


def booking_day(wanted: date, years: Iterable[Year], locked_until: date | None, policy: str) -> tuple[date, Year]:
    """The day a voucher is booked on, and its financial year.

    Its own day when that is open; else, by the policy `next-open-day`, the first open day after it. Refuses when the policy is
    `hold`, or when no later open day exists: a person must open the period or make the financial year.
    """
    known = sorted(years, key=lambda year: year.first)
    day = wanted
    if locked_until is not None and day <= locked_until:
        if policy == "hold":
            raise Refused("period-locked", f"postings of {wanted}: Fortnox is locked up to and including {locked_until}")
        day = locked_until + timedelta(days=1)
    for year in known:
        if year.first <= day <= year.last:
            return day, year
    later = [year for year in known if year.first > day]
    if policy == "hold" or not later:
        raise Refused("financial-year-missing", f"postings of {wanted}: Fortnox has no financial year with {day} in it")
    return later[0].first, later[0]


def voucher_key(number: int, reverses: bool = False) -> str:
    """What identifies a voucher over there: alone in its comments, first in its description."""
    return f"lagerbro-ver-{number:010d}" + ("-rev" if reverses else "")
