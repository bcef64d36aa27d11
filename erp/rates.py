"""Exchange rates in our tables: which currencies a merchant needs, what is known of them, and what a document may use.

A stored rate is never overwritten: a value that the bank corrects is a new revision, and documents keep the rate they used. Only an
answer asked for after the last revision was stored may add one, so that an old answer that comes late changes nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.errors import Refused
from domain.rates import KRONOR, OLDEST, Quote, Used, rate_between
from erp.database import Session, one, rows

RIKSBANK = "riksbank"

_WANTED = text(
    """
    select distinct currency from (
      select currency from erp.supplier where merchant_id = :merchant
      union all select currency from erp.purchase_order where merchant_id = :merchant
      union all select unnest(cast(:more as text[]))) as c order by currency
    """
)
_KNOWN = text(
    """
    select distinct on (rate_date) currency, rate_date, value, units, revision from erp.exchange_rate
    where merchant_id = :merchant and source = :source and currency = :currency and rate_date between :first and :last
    order by rate_date, revision desc
    """
)
_NEWEST = text(
    """
    select max(rate_date) as newest from erp.exchange_rate
    where merchant_id = :merchant and source = :source and currency = :currency
    """
)
_NOW = text("select clock_timestamp() as now")
_STORE = text(
    """
    insert into erp.exchange_rate (merchant_id, source, currency, rate_date, revision, value, units, checked_by, other_rate,
                                   confirmed_by, asked_at)
    select :merchant, :source, :currency, n.rate_date, coalesce(k.revision, 0) + 1, n.value, n.units, n.checked_by, n.other_rate,
           n.confirmed_by, cast(:asked_at as timestamptz)
    from jsonb_to_recordset(cast(:quotes as jsonb)) as n(rate_date date, value numeric, units smallint, checked_by text,
                                                         other_rate numeric, confirmed_by text)
    left join lateral (select e.revision, e.value, e.units, e.fetched_at from erp.exchange_rate e
                       where e.merchant_id = :merchant and e.source = :source and e.currency = :currency
                         and e.rate_date = n.rate_date order by e.revision desc limit 1) as k on true
    where k.revision is null
       or ((k.value, k.units) is distinct from (n.value, n.units) and k.fetched_at < cast(:asked_at as timestamptz))
    on conflict do nothing
    returning rate_date
    """
)
_AUDIT = text(
    """
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason, detail, request_key)
    values (:merchant, :actor, 'confirm-rate', 'exchange-rates', :document, :reason, cast(:detail as jsonb), :request_key)
    on conflict (merchant_id, request_key) do nothing
    """
)
_SHOWN = text(
    """
    select currency, rate_date, value, units, revision, checked_by, other_rate, confirmed_by, fetched_at from erp.exchange_rate
    where merchant_id = :merchant and (cast(:currency as text) is null or currency = :currency) and rate_date >= :first
    order by currency, rate_date desc, revision desc
    """
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A quote that is believed, and on whose word: `ecb`, `previous` or `person`, the last with a name and a reason."""

    quote: Quote
    checked_by: str
    other_rate: Decimal | None = None
    confirmed_by: str | None = None
    reason: str = ""


async def database_now(connection: Session) -> datetime:
    """The database's clock, before the bank is asked."""
    now: datetime = (await one(connection, _NOW)).now
    return now


async def wanted_currencies(connection: Session, merchant: str, books: str, more: Sequence[str]) -> list[str]:
    """The foreign currencies of suppliers, purchases and settings. Books in another currency than kronor need that one too."""
    found = {row.currency for row in await rows(connection, _WANTED, merchant=merchant, more=list(more))} - {books}
    return sorted(({*found, books} if found else found) - {KRONOR})


async def newest(connection: Session, merchant: str, currency: str) -> date | None:
    """The last day that we have a rate of."""
    day: date | None = (await one(connection, _NEWEST, merchant=merchant, source=RIKSBANK, currency=currency)).newest
    return day


async def known(connection: Session, merchant: str, currency: str, first: date, last: date) -> list[Quote]:
    """The latest revision of each day of a span, oldest first."""
    key = {"merchant": merchant, "source": RIKSBANK, "currency": currency, "first": first, "last": last}
    return [Quote(r.currency, r.rate_date, r.value, r.units, r.revision) for r in await rows(connection, _KNOWN, **key)]


async def store(connection: Session, merchant: str, currency: str, quotes: Sequence[Checked], asked_at: datetime) -> int:
    """Add what is new or corrected; a repeat adds nothing. Returns how many rows were added."""
    if not quotes:
        return 0
    added = await rows(
        connection,
        _STORE,
        merchant=merchant,
        source=RIKSBANK,
        currency=currency,
        quotes=json.dumps([_row(each) for each in quotes]),
        asked_at=asked_at,
    )
    days = {row.rate_date for row in added}
    for each in quotes:
        if each.confirmed_by and each.quote.rate_date in days:
            document = f"{currency} {each.quote.rate_date} {each.quote.value}"
            await connection.execute(
                _AUDIT,
                {
                    "merchant": merchant,
                    "actor": each.confirmed_by,
                    "document": document,
                    "reason": each.reason,
                    "detail": json.dumps({"value": str(each.quote.value), "units": each.quote.units}),
                    "request_key": f"confirm-rate/{document}/{asked_at.isoformat()}",
                },
            )
    return len(days)


def _row(checked: Checked) -> dict[str, Any]:
    return {
        "rate_date": checked.quote.rate_date.isoformat(),
        "value": str(checked.quote.value),
        "units": checked.quote.units,
        "checked_by": checked.checked_by,
        "other_rate": None if checked.other_rate is None else str(checked.other_rate),
        "confirmed_by": checked.confirmed_by,
    }


async def rate_for(connection: Session, merchant: str, books: str, currency: str, wanted: date) -> Used:
    """The rate a document of that day uses. Refused, naming the currency, where there is none: nobody falls back on anything."""
    first = wanted - OLDEST
    needed = {currency, books} - {KRONOR} if currency != books else set()
    quotes = {each: await known(connection, merchant, each, first, wanted) for each in sorted(needed)}
    used = rate_between(currency, books, wanted, quotes.get(currency, []), quotes.get(books, []))
    if used is None:
        raise Refused("exchange-rate-missing", f"{currency} {wanted}: no exchange rate from the ten days before it")
    return used


async def shown(connection: Session, merchant: str, currency: str | None, first: date) -> list[dict[str, Any]]:
    """Stored rates for a person, the newest first, every revision."""
    return [dict(row._mapping) for row in await rows(connection, _SHOWN, merchant=merchant, currency=currency, first=first)]
