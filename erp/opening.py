"""Opening balances: what a merchant's stock was, and was worth, when its books began here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text

from domain.money import rounded
from domain.pools import AnyPool
from domain.stock import Entry, Place, opening
from erp import ledger
from erp.database import Session, rows
from erp.merchants import Merchant

_MOVED = text(
    """
    select distinct article_number from erp.stock_entry
    where merchant_id = :merchant and warehouse = :warehouse and article_number = any(cast(:numbers as text[]))
    """
)


@dataclass(frozen=True, slots=True)
class OpeningBalance:
    """So many pieces at so much each, in the books' currency."""

    article_number: str
    quantity: Decimal
    unit_cost: Decimal


async def book_opening(
    connection: Session, merchant: Merchant, balances: Sequence[OpeningBalance], at: datetime, actor: str, code: str
) -> list[str]:
    """Book opening balances in one transaction; returns the articles booked. An article that has ever moved is left alone."""
    warehouse = merchant.settings.warehouse
    pools = await ledger.lock_pools(connection, merchant.merchant_id, [(b.article_number, warehouse) for b in balances])
    numbers = [balance.article_number for balance in balances]
    found = await rows(connection, _MOVED, merchant=merchant.merchant_id, warehouse=warehouse, numbers=numbers)
    moved = {row.article_number for row in found}
    entries: list[Entry] = []
    after: dict[Place, AnyPool] = {}
    for balance in sorted(balances, key=lambda balance: balance.article_number):
        if balance.article_number in moved:
            continue
        place: Place = (balance.article_number, warehouse)
        value = rounded(balance.quantity * balance.unit_cost)
        cause = f"opening/{balance.article_number}"
        made, after[place] = opening(place, balance.quantity, value, cause, at, merchant.day_of(at), pools[place])
        entries += made
    if entries:
        await ledger.append(
            connection,
            merchant.merchant_id,
            entries,
            {place: after.get(place, pool) for place, pool in pools.items() if place in after},
            merchant.settings.stock_accounts,
            merchant.currency,
            document="opening-balance",
            reason="opening balance",
            actor=actor,
            code_version=code,
        )
    return [entry.place[0] for entry in entries if entry.kind == "opening"]
