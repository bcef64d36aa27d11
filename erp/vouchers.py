"""Vouchers as our books hold them: which postings each holds, what it says, and where it is in Fortnox."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.vouchers import PostingToBook, Row, VoucherDraft, drafts
from erp.database import Session, one, rows


@dataclass(frozen=True, slots=True)
class StoredVoucher:
    """A voucher of ours. `booked_on`, `series` and `year` are set when it was first sent, and stay: an unclear attempt may
    still arrive under them."""

    voucher_no: int
    accounting_date: date
    state: str
    booked_on: date | None
    series: str | None
    year: int | None
    number: int | None
    specification_hash: bytes
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class TieOut:
    """What must be one figure: the stock ledger, the balances, the postings on the stock accounts, and what of it is vouchered.
    `later`: in Fortnox by a voucher of a later day than the one asked for."""

    ledger: Decimal
    balances: Decimal
    posted: Decimal
    vouchered: Decimal
    waiting: Decimal
    waiting_postings: int
    opening: Decimal
    later: Decimal = Decimal(0)


_LOCK = text("select 1 from bridge.entity where merchant_id = :merchant and flow = 'vouchers' for update")
_ENTITY = text(
    "insert into bridge.entity (merchant_id, flow, interval_seconds) values (:merchant, 'vouchers', 86400) on conflict do nothing"
)
_WITHOUT_VOUCHER = text(
    """
    select p.posting_no, p.event, p.accounting_date, p.document,
      array_agg(r.account order by r.row_no) as accounts, array_agg(r.debit order by r.row_no) as debits,
      array_agg(r.credit order by r.row_no) as credits
    from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
    where p.merchant_id = :merchant and (:opening or p.event <> 'opening-balance')
      and not exists (select from bridge.voucher_posting v where v.merchant_id = p.merchant_id and v.posting_no = p.posting_no)
    group by p.posting_no, p.event, p.accounting_date, p.document order by p.posting_no limit :most
    """
)
_VOUCHER = text(
    """
    insert into bridge.voucher (merchant_id, voucher_no, accounting_date, specification_hash, specification)
    select :merchant, coalesce(max(voucher_no), 0) + 1, :on, :hash, :specification from bridge.voucher
    where merchant_id = :merchant returning voucher_no
    """
)
_POSTINGS = text(
    """
    insert into bridge.voucher_posting (merchant_id, posting_no, voucher_no)
    select :merchant, n, :voucher from unnest(cast(:postings as bigint[])) as n
    """
)
_OPEN = text(
    "select voucher_no from bridge.voucher where merchant_id = :merchant and state = 'open' order by accounting_date, voucher_no"
)
_READ = text(
    """
    select voucher_no, accounting_date, state, booked_on, fortnox_series, fortnox_year, fortnox_number, specification_hash
    from bridge.voucher where merchant_id = :merchant and voucher_no = :voucher
    """
)
_ROWS = text(
    """
    select r.account, sum(r.debit) as debit, sum(r.credit) as credit from bridge.voucher_posting v
    join erp.posting_row r using (merchant_id, posting_no) where v.merchant_id = :merchant and v.voucher_no = :voucher
    group by r.account order by r.account
    """
)
_PLACE = text(
    """
    update bridge.voucher set booked_on = :on, fortnox_series = :series, fortnox_year = :year
    where merchant_id = :merchant and voucher_no = :voucher and state = 'open'
    """
)
_BOOKED = text(
    """
    update bridge.voucher set state = 'booked', fortnox_number = :number, booked_at = now()
    where merchant_id = :merchant and voucher_no = :voucher and state = 'open'
    """
)
_TIE_OUT = text(
    """
    with stock as (
      select p.posting_no, p.event, sum(r.debit - r.credit) as value, v.state = 'booked' as booked,
        v.booked_on > cast(:on as date) as later
      from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
      left join bridge.voucher_posting vp using (merchant_id, posting_no)
      left join bridge.voucher v using (merchant_id, voucher_no)
      where p.merchant_id = :merchant and r.account = any(cast(:accounts as int[]))
        and (cast(:on as date) is null or p.accounting_date <= :on)
      group by p.posting_no, p.event, v.state, v.booked_on),
    listed as (
      select coalesce(sum(e.value), 0) as value from erp.stock_entry e left join erp.posting p using (merchant_id, posting_no)
      where e.merchant_id = :merchant
        and (cast(:on as date) is null or coalesce(p.accounting_date, (e.occurred_at at time zone :zone)::date) <= :on))
    select (select value from listed) as ledger,
      case when cast(:on as date) is null
        then (select coalesce(sum(value), 0) from erp.stock_balance where merchant_id = :merchant)
        else (select value from listed) end as balances,
      coalesce(sum(value), 0) as posted,
      coalesce(sum(value) filter (where booked and later is not true), 0) as vouchered,
      coalesce(sum(value) filter (where booked and later), 0) as later,
      coalesce(sum(value) filter (where booked is not true and (:opening or event <> 'opening-balance')), 0) as waiting,
      count(*) filter (where booked is not true and (:opening or event <> 'opening-balance')) as waiting_postings,
      coalesce(sum(value) filter (where event = 'opening-balance' and not :opening), 0) as opening
    from stock
    """
)


async def prepare_vouchers(connection: Session, merchant: str, per: str, with_opening: bool, most: int = 20_000) -> list[int]:
    """Give every posting that has none a voucher, and return the numbers of all vouchers that are not in Fortnox yet.

    Safe to repeat and at once: the flow's row is locked, and a posting can be in one voucher only. Postings are numbered under
    the lock of the ledger's head, so what is visible here is whole.
    """
    await connection.execute(_ENTITY, {"merchant": merchant})
    await connection.execute(_LOCK, {"merchant": merchant})
    found = await rows(connection, _WITHOUT_VOUCHER, merchant=merchant, opening=with_opening, most=most)
    for draft in drafts([_posting(row) for row in found], per):
        await _store(connection, merchant, draft)
    return [row.voucher_no for row in await rows(connection, _OPEN, merchant=merchant)]


def _posting(row: Any) -> PostingToBook:
    parts = zip(row.accounts, row.debits, row.credits, strict=True)
    return PostingToBook(
        row.posting_no, row.event, row.accounting_date, row.document, tuple(Row(int(a), d, c) for a, d, c in parts)
    )


async def _store(connection: Session, merchant: str, draft: VoucherDraft) -> None:
    stored = await one(
        connection, _VOUCHER, merchant=merchant, on=draft.accounting_date, hash=draft.hash, specification=draft.specification
    )
    await connection.execute(_POSTINGS, {"merchant": merchant, "voucher": stored.voucher_no, "postings": list(draft.postings)})


async def load_voucher(connection: Session, merchant: str, number: int) -> StoredVoucher:
    """A voucher with its rows: per account what was debited and what was credited."""
    row = await one(connection, _READ, merchant=merchant, voucher=number)
    found = await rows(connection, _ROWS, merchant=merchant, voucher=number)
    zero = Decimal(0)
    sides = [Row(r.account, r.debit, zero) for r in found if r.debit] + [
        Row(r.account, zero, r.credit) for r in found if r.credit
    ]
    return StoredVoucher(
        row.voucher_no,
        row.accounting_date,
        row.state,
        row.booked_on,
        row.fortnox_series,
        row.fortnox_year,
        row.fortnox_number,
        row.specification_hash,
        tuple(sides),
    )


async def place_voucher(connection: Session, merchant: str, number: int, on: date, series: str, year: int) -> None:
    """Where it will be booked, committed before the first attempt."""
    await connection.execute(_PLACE, {"merchant": merchant, "voucher": number, "on": on, "series": series, "year": year})


async def voucher_booked(connection: Session, merchant: str, number: int, fortnox_number: int) -> None:
    """It is in Fortnox under this number. Repeating changes nothing."""
    await connection.execute(_BOOKED, {"merchant": merchant, "voucher": number, "number": fortnox_number})


async def tie_out(
    connection: Session,
    merchant: str,
    accounts: Sequence[int],
    with_opening: bool,
    as_of: date | None = None,
    zone: str = "Europe/Stockholm",
) -> TieOut:
    """Our side of the tie-out (avstämning) of the stock accounts, as of an accounting day or now."""
    key = {"merchant": merchant, "accounts": list(accounts), "opening": with_opening, "on": as_of, "zone": zone}
    row = await one(connection, _TIE_OUT, **key)
    parts = (row.ledger, row.balances, row.posted, row.vouchered, row.waiting, row.waiting_postings, row.opening, row.later)
    return TieOut(*parts)


_BOOKED_VOUCHERS = text(
    """
    select v.voucher_no, v.fortnox_series, v.fortnox_year, v.fortnox_number, v.booked_on, coalesce(s.stock, 0) as stock
    from bridge.voucher v
    left join lateral (
      select sum(r.debit - r.credit) as stock from bridge.voucher_posting p join erp.posting_row r using (merchant_id, posting_no)
      where p.merchant_id = v.merchant_id and p.voucher_no = v.voucher_no and r.account = any(cast(:accounts as int[]))) as s on true
    where v.merchant_id = :merchant and v.state = 'booked' order by v.voucher_no
    """
)


async def booked_vouchers(connection: Session, merchant: str, accounts: Sequence[int] = ()) -> Sequence[Any]:
    """Every voucher of ours that is in Fortnox, with where it is, and what it moves on these accounts."""
    return await rows(connection, _BOOKED_VOUCHERS, merchant=merchant, accounts=list(accounts))
