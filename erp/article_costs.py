"""The calculated cost of articles, beside the booked one: from purchase price and exchange rate, written when it has moved enough.

It is for quotes and margins; nothing that is owned is ever revalued by it. What a person must see is a note on the article, and
the cost stays as it is meanwhile.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.banking_days import age
from domain.errors import Refused
from domain.prices import calculated_cost, moved
from domain.rates import Used
from erp.database import Session, one, rows
from erp.exceptions import close_note, keep_notes
from erp.merchants import Merchant
from erp.rates import rate_for

_PRICED = text(
    """
    select a.article_number, a.purchase_price as price, coalesce(a.purchase_currency, :books) as currency, c.calculated_cost as written
    from erp.article a left join erp.article_cost c using (merchant_id, article_number)
    where a.merchant_id = :merchant and a.active and a.stock_article and a.purchase_price > 0 order by a.article_number
    """
)
_WRITE = text(
    """
    insert into erp.article_cost as c (merchant_id, article_number, calculated_cost, price, currency, exchange_rate, rate_date,
      landed_percent)
    select :merchant, a, k, p, u, r, d, :landed
    from unnest(cast(:articles as text[]), cast(:costs as numeric[]), cast(:prices as numeric[]), cast(:currencies as text[]),
      cast(:rates as numeric[]), cast(:days as date[])) as n(a, k, p, u, r, d)
    on conflict (merchant_id, article_number) do update set calculated_cost = excluded.calculated_cost, price = excluded.price,
      currency = excluded.currency, exchange_rate = excluded.exchange_rate, rate_date = excluded.rate_date,
      landed_percent = excluded.landed_percent, set_by = null, reason = null, calculated_at = now()
    """
)
_SET = text(
    """
    insert into erp.article_cost as c (merchant_id, article_number, calculated_cost, set_by, reason)
    values (:merchant, :article, :cost, :by, :reason)
    on conflict (merchant_id, article_number) do update set calculated_cost = excluded.calculated_cost, price = null,
      currency = null, exchange_rate = null, rate_date = null, landed_percent = 0, set_by = excluded.set_by,
      reason = excluded.reason, calculated_at = now()
    """
)
_KNOWN = text(
    """
    select calculated_cost from erp.article a left join erp.article_cost c using (merchant_id, article_number)
    where a.merchant_id = :merchant and a.article_number = :article
    """
)
_AUDIT = text(
    """
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason, detail)
    values (:merchant, :by, 'set-calculated-cost', 'article', :article, :reason, cast(:detail as jsonb))
    """
)


@dataclass(frozen=True, slots=True)
class Recalculated:
    """How many articles have a purchase price, whose cost was written anew, and what a person must look at, by article."""

    priced: int
    written: tuple[str, ...]
    refused: dict[str, str]


async def recalculate(connection: Session, merchant: Merchant, today: date) -> Recalculated:
    """Write the calculated cost of every article where it has moved enough. A repeat writes nothing."""
    found = await rows(connection, _PRICED, merchant=merchant.merchant_id, books=merchant.currency)
    used: dict[str, Used | Refused] = {}
    for currency in sorted({r.currency for r in found}):
        try:
            used[currency] = await rate_for(connection, merchant.merchant_id, merchant.currency, currency, today)
        except Refused as none:
            used[currency] = none
    landed, limits = merchant.settings.cost_landed_percent, merchant.settings.cost_limits
    written: list[tuple[Any, Decimal, Used]] = []
    notes: dict[str, dict[str, str]] = {"cost-implausible": {}, "exchange-rate-missing": {}}
    for r in found:
        rate = used[r.currency]
        try:
            if isinstance(rate, Refused):
                raise rate
            cost = calculated_cost(r.price, rate.rate, Decimal(landed))
            old = 0 if r.currency == merchant.currency else age(rate.rate_date, today)
            new = moved(r.article_number, r.written, cost, old, limits)
        except Refused as refused:
            notes[refused.code][r.article_number] = str(refused)
            continue
        if new is not None:
            written.append((r, new, rate))
    await _write(connection, merchant.merchant_id, written, landed)
    for code, by_article in notes.items():
        await keep_notes(connection, merchant.merchant_id, "article", code, by_article, "lagerbro")
    return Recalculated(
        len(found), tuple(r.article_number for r, _, _ in written), {k: v for n in notes.values() for k, v in n.items()}
    )


async def _write(connection: Session, merchant: str, written: Sequence[tuple[Any, Decimal, Used]], landed: int) -> None:
    if not written:
        return
    columns = {
        "articles": [r.article_number for r, _, _ in written],
        "costs": [cost for _, cost, _ in written],
        "prices": [r.price for r, _, _ in written],
        "currencies": [r.currency for r, _, _ in written],
        "rates": [used.rate for _, _, used in written],
        "days": [used.rate_date for _, _, used in written],
    }
    await connection.execute(_WRITE, {"merchant": merchant, "landed": landed} | columns)


async def set_by_hand(connection: Session, merchant: str, article: str, cost: Decimal, by: str, reason: str) -> None:
    """A person's word for an article's calculated cost. The next purchase price or rate that moves it enough takes over again."""
    known = await one(connection, _KNOWN, merchant=merchant, article=article)
    if known is None:
        raise Refused("unknown-article", f"article {article} is not in erp.article")
    if not 0 < cost <= 100_000_000:
        raise Refused("cost-implausible", f"article {article}: {cost} is no cost of a piece")
    key = {"merchant": merchant, "article": article, "by": by, "reason": reason}
    await connection.execute(_SET, key | {"cost": cost})
    detail = {"from": None if known.calculated_cost is None else str(known.calculated_cost), "to": str(cost)}
    await connection.execute(_AUDIT, key | {"detail": json.dumps(detail)})
    await close_note(connection, merchant, "article", article, "cost-implausible", by)
