"""The hash chain of the ledger: every link recomputed by a statement of our own, a sample by PostgreSQL's function and by Python.

Three readings of one text: the function that wrote the links could be changed, so it is not asked to judge itself.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from erp.database import rows
from starters.verify.check import SAMPLES, Check, Found, Probe, Stage, Violation

BATCH = 100_000
BY_FUNCTION = 1000
BY_PYTHON = 100

_MERCHANTS = text(
    """
    select merchant_id, min(transaction_no) as first, max(transaction_no) as last from erp.ledger_transaction
    where coalesce(cast(:merchant as text), merchant_id) = merchant_id group by 1 order by 1
    """
)
_RECOMPUTED = text(
    """
    with entries as (
      select transaction_no, string_agg(
        entry_no || '|' || coalesce(posting_no::text, '-') || '|' || article_number || '|' || warehouse || '|' || kind || '|'
        || quantity || '|' || value || '|' || document || '|'
        || coalesce(booking_kind || '/' || booking_doc_id || '/' || booking_line_id || '/' || booking_what || '/' || booking_step,
                    cause, '')
        || '|' || coalesce(reverses_entry_no::text, '-') || '|' || epoch || '|' || trim_scale(keep) || '|'
        || to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), chr(10) order by entry_no) as text
      from erp.stock_entry where merchant_id = :merchant and transaction_no between :first and :last group by 1),
    booked as (
      select p.transaction_no, string_agg(
        p.posting_no || '|' || p.event || '|' || to_char(p.accounting_date, 'YYYY-MM-DD') || '|' || p.currency || '|'
        || p.document || '|' || coalesce(p.corrects_posting_no::text, '-') || '|'
        || r.row_no || '|' || r.account || '|' || r.debit || '|'
        || r.credit, chr(10) order by p.posting_no, r.row_no) as text
      from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
      where p.merchant_id = :merchant and p.transaction_no between :first and :last group by 1),
    links as (
      select transaction_no, hash = sha256(previous_hash || convert_to(
        merchant_id || '|' || transaction_no || '|' || reason || '|' || actor || '|' || rule_version || '|' || code_version || '|'
        || first_entry_no || '|' || last_entry_no || '|' || first_posting_no || '|' || last_posting_no || '|'
        || to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || chr(10) || coalesce(e.text, '') || chr(10)
        || coalesce(b.text, ''), 'UTF8')) as holds
      from erp.ledger_transaction t left join entries e using (transaction_no) left join booked b using (transaction_no)
      where merchant_id = :merchant and transaction_no between :first and :last)
    select (select count(*) from links) as n, count(*) over () as wrong, transaction_no from links where not holds
    union all select (select count(*) from links), 0, null
    limit :most
    """
)
_BY_FUNCTION = text(
    """
    select t.transaction_no, t.hash = erp.ledger_digest(t.merchant_id, t.transaction_no, t.previous_hash, erp.ledger_heading(t))
      as holds
    from (select * from erp.ledger_transaction where merchant_id = :merchant order by random() limit :most) as t
    """
)
_SAMPLE = text("select * from erp.ledger_transaction where merchant_id = :merchant order by random() limit :most")
_ENTRIES = text(
    """
    select * from erp.stock_entry where merchant_id = :merchant and transaction_no = any(cast(:numbers as bigint[]))
    order by entry_no
    """
)
_ROWS = text(
    """
    select p.transaction_no, p.event, p.accounting_date, p.currency, p.document, p.corrects_posting_no, r.*
    from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
    where p.merchant_id = :merchant and p.transaction_no = any(cast(:numbers as bigint[])) order by r.posting_no, r.row_no
    """
)


async def links_hold(connection: AsyncConnection, merchant: str | None) -> Found:
    """Every transaction's hash is the hash of its rows and of the link before; a sample also by the other two readings."""
    found = Found(0)
    for books in await rows(connection, _MERCHANTS, merchant=merchant):
        who = books.merchant_id
        for first in range(books.first, books.last + 1, BATCH):
            part = {"merchant": who, "first": first, "last": min(first + BATCH - 1, books.last), "most": SAMPLES + 1}
            links = await rows(connection, _RECOMPUTED, **part)
            broken = [row.transaction_no for row in links if row.transaction_no is not None]
            wrong = max(row.wrong for row in links)
            found = _more(found, links[0].n, wrong, _broken(who, broken, "its rows"))
        by_function = await rows(connection, _BY_FUNCTION, merchant=who, most=BY_FUNCTION)
        failed = [row.transaction_no for row in by_function if not row.holds]
        found = _more(found, 0, len(failed), _broken(who, failed, "erp.ledger_digest"))
        failed = await _fails_in_python(connection, who)
        found = _more(found, 0, len(failed), _broken(who, failed, "Python's reading of its rows"))
    return found


def _broken(merchant: str, numbers: Iterable[int], by: str) -> list[Violation]:
    return [Violation(merchant, f"transaction {number}", f"its hash is not that of {by}") for number in numbers]


def _more(found: Found, rows_more: int, wrong: int, samples: list[Violation]) -> Found:
    return Found(found.rows + rows_more, found.violations + wrong, (found.samples + samples)[:SAMPLES])


async def _fails_in_python(connection: AsyncConnection, merchant: str) -> list[int]:
    transactions = await rows(connection, _SAMPLE, merchant=merchant, most=BY_PYTHON)
    key = {"merchant": merchant, "numbers": [t.transaction_no for t in transactions]}
    entries: dict[int, list[str]] = defaultdict(list)
    for entry in await rows(connection, _ENTRIES, **key):
        entries[entry.transaction_no].append(_entry(entry))
    booked: dict[int, list[str]] = defaultdict(list)
    for row in await rows(connection, _ROWS, **key):
        booked[row.transaction_no].append(_posting_row(row))
    return [
        t.transaction_no
        for t in transactions
        if t.hash != hashlib.sha256(t.previous_hash + _text(t, entries[t.transaction_no], booked[t.transaction_no])).digest()
    ]


def _text(t: Any, entries: list[str], booked: list[str]) -> bytes:
    heading = "|".join(
        str(part)
        for part in (
            t.merchant_id,
            t.transaction_no,
            t.reason,
            t.actor,
            t.rule_version,
            t.code_version,
            t.first_entry_no,
            t.last_entry_no,
            t.first_posting_no,
            t.last_posting_no,
            _instant(t.recorded_at),
        )
    )
    return "\n".join([heading, "\n".join(entries), "\n".join(booked)]).encode()


def _entry(e: Any) -> str:
    step = (e.booking_kind, e.booking_doc_id, e.booking_line_id, e.booking_what, e.booking_step)
    cause = e.cause if None in step else "/".join(str(part) for part in step)
    parts = (
        e.entry_no,
        "-" if e.posting_no is None else e.posting_no,
        e.article_number,
        e.warehouse,
        e.kind,
        f"{e.quantity:f}",
        f"{e.value:f}",
        e.document,
        cause,
        "-" if e.reverses_entry_no is None else e.reverses_entry_no,
        e.epoch,
        _trimmed(e.keep),
        _instant(e.occurred_at),
    )
    return "|".join(str(part) for part in parts)


def _posting_row(r: Any) -> str:
    corrects = "-" if r.corrects_posting_no is None else r.corrects_posting_no
    parts = (r.posting_no, r.event, r.accounting_date.isoformat(), r.currency, r.document, corrects, r.row_no, r.account)
    return "|".join(str(part) for part in (*parts, f"{r.debit:f}", f"{r.credit:f}"))


def _trimmed(number: Decimal) -> str:
    written = f"{number:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


CHECKS: list[Check | Probe] = [
    Check(
        "L2",
        "Transactions, entries and postings of a merchant are numbered 1..n without gap, each in the transaction that claims it",
        Stage.BOOKED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from erp.ledger_transaction group by 1
          union all select merchant_id, count(*) from erp.stock_entry group by 1
          union all select merchant_id, count(*) from erp.posting group by 1) as numbered group by 1
        """,
        """
        with numbered as (
          select merchant_id, 'transactions' as what, count(*) as n, min(transaction_no) as first, max(transaction_no) as last
            from erp.ledger_transaction group by 1
          union all select merchant_id, 'entries', count(*), min(entry_no), max(entry_no) from erp.stock_entry group by 1
          union all select merchant_id, 'postings', count(*), min(posting_no), max(posting_no) from erp.posting group by 1)
        select merchant_id, what as document, n || ' of them, numbered ' || first || ' to ' || last as detail
        from numbered where first <> 1 or last <> n
        union all
        select merchant_id, 'entry ' || e.entry_no, 'is not one of transaction ' || e.transaction_no
        from erp.stock_entry e left join erp.ledger_transaction t using (merchant_id, transaction_no)
        where t.transaction_no is null or e.entry_no not between t.first_entry_no and t.last_entry_no
        union all
        select merchant_id, 'posting ' || p.posting_no, 'is not one of transaction ' || p.transaction_no
        from erp.posting p left join erp.ledger_transaction t using (merchant_id, transaction_no)
        where t.transaction_no is null or p.posting_no not between t.first_posting_no and t.last_posting_no
        union all
        select merchant_id, 'transaction ' || transaction_no,
          'claims entries ' || first_entry_no || ' to ' || last_entry_no || ' and postings ' || first_posting_no || ' to '
          || last_posting_no || ', the one before ended at ' || entries_before || ' and ' || postings_before
        from (select *, lag(last_entry_no, 1, 0::bigint) over same as entries_before,
                lag(last_posting_no, 1, 0::bigint) over same as postings_before
              from erp.ledger_transaction window same as (partition by merchant_id order by transaction_no)) as t
        where first_entry_no <> entries_before + 1 or first_posting_no <> postings_before + 1
        """,
    ),
    Probe(
        "L2",
        "Every transaction's hash is that of its rows and of the link before (all by SQL; samples by the function and Python)",
        Stage.BOOKED,
        links_hold,
    ),
    Check(
        "A1",
        "The chain is unbroken from the merchant's first link to its head, and the head is the last transaction",
        Stage.BOOKED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from erp.ledger_transaction group by 1
          union all select merchant_id, count(*) from bridge.ledger_head group by 1) as links group by 1
        """,
        """
        select merchant_id, 'transaction ' || transaction_no as document, 'does not follow the link before it' as detail
        from (select *, lag(hash, 1, sha256(convert_to(merchant_id, 'UTF8')))
                over (partition by merchant_id order by transaction_no) as link_before from erp.ledger_transaction) as t
        where previous_hash <> link_before
        union all
        select m.merchant_id, 'head',
          'stands at transaction ' || coalesce(h.transaction_no::text, 'none') || ', entry ' || coalesce(h.entry_no::text, 'none')
          || ', posting ' || coalesce(h.posting_no::text, 'none') || '; the last is ' || coalesce(t.transaction_no, 0) || ', '
          || coalesce(t.last_entry_no, 0) || ', ' || coalesce(t.last_posting_no, 0)
        from erp.merchant m left join bridge.ledger_head h using (merchant_id)
        left join lateral (select * from erp.ledger_transaction t where t.merchant_id = m.merchant_id
                           order by transaction_no desc limit 1) as t on true
        where h.hash is distinct from coalesce(t.hash, sha256(convert_to(m.merchant_id, 'UTF8')))
          or h.transaction_no is distinct from coalesce(t.transaction_no, 0)
          or h.entry_no is distinct from coalesce(t.last_entry_no, 0)
          or h.posting_no is distinct from coalesce(t.last_posting_no, 0)
        """,
    ),
]
