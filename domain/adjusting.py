"""Stock that changes without an order: a correction of the warehouse, an unknown difference that is settled, one taken back.

What is gone leaves at the pool's cost; what is found comes in at the cost that its caller knows, by default the pool's own. Each
has its own cause, which is unique in the ledger, so that no repeat can book it twice.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from domain.money import ZERO, rounded
from domain.pools import AnyPool
from domain.posting_rules import first_match
from domain.stock import Entry, Place, StockAccounts


@dataclass(frozen=True, slots=True)
class Change:
    """So many pieces, signed, because of `cause`; the other side is `account`. `unit_cost` None: the pool's own."""

    place: Place
    quantity: Decimal
    cause: str
    account: int
    occurred_at: datetime
    accounting_date: date
    unit_cost: Decimal | None = None


def cost_of(pool: AnyPool, otherwise: Decimal | None = None) -> Decimal | None:
    """What a piece is worth: the pool's average, else its last cost, else what the ERP says, else nobody knows."""
    if pool.quantity > 0:
        return rounded(pool.value / pool.quantity, 6)
    return pool.last_cost if pool.last_cost is not None else otherwise


def account_of(change: Change, accounts: StockAccounts) -> int:
    """The other side of a change: by the merchant's own posting rules where one matches, else what its cause says."""
    rule = first_match(accounts.rules, accounts.facts("stock-adjusted", change.place))
    return change.account if rule is None else rule.sides("stock-adjusted")[1]


def change_stock(change: Change, pool: AnyPool) -> tuple[list[Entry], AnyPool]:
    """The entries of one change, and the pool after it."""
    if change.quantity > 0:
        unit_cost = change.unit_cost if change.unit_cost is not None else cost_of(pool) or ZERO
        value = rounded(change.quantity * unit_cost)
        pool, true_up = pool.put_back(change.quantity, value)
    else:
        pool, cost = pool.issue(-change.quantity)
        value, true_up = -cost, ZERO
    entries = [_entry(change, "adjustment", change.quantity, value, pool, change.cause)]
    if true_up:
        entries.append(_entry(change, "true-up", ZERO, -true_up, pool, f"{change.cause}/true-up"))
    return entries, pool


def _entry(change: Change, kind: str, quantity: Decimal, value: Decimal, pool: AnyPool, cause: str) -> Entry:
    return Entry(
        change.place,
        kind,
        quantity,
        value,
        None,
        change.occurred_at,
        change.accounting_date,
        cause=cause,
        epoch=pool.epoch,
        keep=pool.keep,
        account=change.account if kind == "adjustment" else None,
    )
