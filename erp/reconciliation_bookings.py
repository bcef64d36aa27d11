"""What the reconciliation books: each cause once for ever, which the ledger's own unique cause holds, and what files list of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.adjusting import Change, account_of, change_stock
from domain.pools import AnyPool
from domain.stock import Entry, Place
from erp import ledger
from erp.database import Session, one, rows
from erp.exceptions import open_exception
from erp.merchants import Merchant
from erp.reconciliation_runs import Run

_MONTH = text(
    """
    select article_number as article, sum(abs(quantity)) as pieces, sum(abs(value)) as value from erp.reconciliation_booking
    where merchant_id = :merchant and what = 'unknown' and booked_at >= :since and article_number = any(cast(:numbers as text[]))
    group by 1
    """
)
_BOOKING = text(
    """
    insert into erp.reconciliation_booking (merchant_id, cause, run_no, what, article_number, warehouse, quantity, value, account,
      reason, transaction_no)
    select :merchant, c, :run_no, w, a, h, q, v, n, r, :transaction_no
    from unnest(cast(:causes as text[]), cast(:whats as text[]), cast(:articles as text[]), cast(:warehouses as text[]),
                cast(:quantities as numeric[]), cast(:values as numeric[]), cast(:accounts as int[]), cast(:reasons as text[]))
      as u(c, w, a, h, q, v, n, r)
    """
)
_HAVE = text(
    "select cause from erp.reconciliation_booking where merchant_id = :merchant and cause = any(cast(:causes as text[]))"
)
_LISTED = text(
    """
    select coalesce(r.booked_to, h.transaction_no) as up_to, (select coalesce(max(o.booked_to), 0) from erp.reconciliation_run o
        where o.merchant_id = r.merchant_id and o.run_no <> r.run_no and (r.booked_to is null or o.booked_to < r.booked_to)) as after
    from erp.reconciliation_run r left join bridge.ledger_head h using (merchant_id)
    where r.merchant_id = :merchant and r.run_no = :run_no and r.kind in ('daily', 'on-demand')
    """
)
_BOOKINGS = text(
    """
    with b as materialized (
      select what, article_number, cause, quantity, value, account, reason, transaction_no, run_no
      from erp.reconciliation_booking where merchant_id = :merchant
        and (run_no = :run_no or (run_no is null and transaction_no > :after and transaction_no <= :up_to))),
    sides as materialized (select distinct transaction_no, account from b),
    p as materialized (
      select p.transaction_no, min(p.accounting_date) as day,
        string_agg(distinct cast(r.account as text), ', ') filter (where s.account is null) as stock_account
      from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
      left join sides s on s.transaction_no = p.transaction_no and s.account = r.account
      where p.merchant_id = :merchant and p.transaction_no in (select transaction_no from sides)
      group by 1)
    select b.what, b.article_number as article, b.quantity, b.value, b.account, b.reason, b.transaction_no,
      b.run_no is null as by_people, p.day, p.stock_account
    from b left join p using (transaction_no)
    order by b.what, b.article_number, b.cause
    """
)
_SETTLED_COST = text(
    """
    select quantity, value, account from erp.reconciliation_booking where merchant_id = :merchant and cause = 'settlement/' || :number
    """
)
_ABSORBED_TIMES = text(
    """
    select count(*) as n from erp.reconciliation_booking where merchant_id = :merchant and cause like 'absorbed/' || :number || '/%'
      and cause like '%/' || cast(:key as text) || '/%'
    """
)


async def booked_this_month(
    connection: Session, merchant: str, since: datetime, numbers: Sequence[str]
) -> dict[str, tuple[Decimal, Decimal]]:
    """Pieces and value booked as unknown since then, by article, in absolute figures."""
    found = await rows(connection, _MONTH, merchant=merchant, since=since, numbers=list(numbers))
    return {row.article: (row.pieces, row.value) for row in found}


async def book_changes(
    connection: Session,
    merchant: Merchant,
    run_no: int | None,
    changes: Sequence[Change],
    what: str,
    reasons: Sequence[str],
    document: str,
    actor: str,
    code_version: str,
) -> int | None:
    """Book changes of stock in one ledger transaction, each cause once for ever; those that are booked already are left out.

    Returns the transaction's number, None when there was nothing left to book.
    """
    who = merchant.merchant_id
    pools = await ledger.lock_pools(connection, who, [change.place for change in changes])
    found = await rows(connection, _HAVE, merchant=who, causes=[change.cause for change in changes])
    have = {row.cause for row in found}
    fresh = [(change, reason) for change, reason in zip(changes, reasons, strict=True) if change.cause not in have]
    if not fresh:
        return None
    accounts = merchant.settings.stock_accounts
    if accounts.rules:  # what is kept beside the entry is the account that it was booked on
        accounts = await ledger.asked_for(connection, who, accounts, [change.place for change, _ in fresh], document)
        fresh = [(replace(change, account=account_of(change, accounts)), reason) for change, reason in fresh]
    entries: list[Entry] = []
    after: dict[Place, AnyPool] = {}
    values: list[Decimal] = []
    for change, _ in fresh:
        made, pool = change_stock(change, after.get(change.place, pools[change.place]))
        after[change.place] = pool
        values.append(made[0].value)
        entries += made
    number = await ledger.append(
        connection,
        who,
        entries,
        after,
        accounts,
        merchant.currency,
        document,
        reasons[0],
        actor,
        code_version,
    )
    await connection.execute(
        _BOOKING,
        {
            "merchant": who,
            "run_no": run_no,
            "transaction_no": number,
            "causes": [change.cause for change, _ in fresh],
            "whats": [what for _ in fresh],
            "articles": [change.place[0] for change, _ in fresh],
            "warehouses": [change.place[1] for change, _ in fresh],
            "quantities": [change.quantity for change, _ in fresh],
            "values": values,
            "accounts": [change.account for change, _ in fresh],
            "reasons": [reason for _, reason in fresh],
        },
    )
    for article in ledger.below_zero(after):
        detail = f"{article} stands at {next(p.quantity for place, p in after.items() if place[0] == article)} after {document}"
        await open_exception(connection, who, "article", article, "stock-below-zero", detail, False)
    return number


async def settled_at(connection: Session, merchant: str, number: int) -> tuple[Decimal, Decimal, int] | None:
    """What a settlement was booked at: quantity, value, account."""
    row = await one(connection, _SETTLED_COST, merchant=merchant, number=str(number))
    return None if row is None else (row.quantity, row.value, row.account)


async def times_absorbed(connection: Session, merchant: str, number: int, key: str) -> int:
    return int((await one(connection, _ABSORBED_TIMES, merchant=merchant, number=str(number), key=key)).n)


async def listed(connection: Session, run: Run) -> tuple[int, int]:
    """The transactions between which the file of a run lists what people have approved: after the first, up to the second."""
    found = await one(connection, _LISTED, merchant=run.merchant, run_no=run.run_no)
    return (0, 0) if found is None else (found.after, found.up_to or 0)


async def bookings_in(connection: Session, run: Run, booked_to: int | None = None) -> list[Any]:
    """What the run booked, and what people approved since the file before: each is in one file."""
    after, up_to = await listed(connection, run)
    up_to = up_to if booked_to is None else booked_to
    return await rows(connection, _BOOKINGS, merchant=run.merchant, run_no=run.run_no, after=after, up_to=up_to)
