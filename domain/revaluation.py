"""Late cost: a receipt turns out dearer or cheaper after some of it has been sold.

The part of it that is still here follows from the pool alone: its keep factor now over its keep factor when the receipt came, as
long as the pool has not run empty since. No history is replayed, so it takes the same time however long the history is. It is
what a full replay with the right cost would give, as long as no pick was taken back and stock never was below zero. With those,
by the stated rule:

- a pick that is taken back returns at the value it left with, like a receipt of its own: what of a late cost it took with it
  when it left stays with what is sold;
- pieces that fill a hole are sold the moment they come; a receipt that only makes the hole smaller has nothing left here.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext

from domain.costing import KEEP_DIGITS, Pool
from domain.money import ZERO, rounded

_SNAP = 20
"""Digits at which a share is taken for exact before it is rounded: a third of 0.015 is half an öre, not a hair less."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a pool stood just before a receipt came: kept with the receipt, to find later how much of it is still here."""

    epoch: int
    keep: Decimal


@dataclass(frozen=True, slots=True)
class Split:
    """What of an amount belongs to stock and what to goods already sold. The two add up to it."""

    stock: Decimal
    sold: Decimal


def mark(pool: Pool) -> Mark:
    """To be taken before the receipt is put into the pool."""
    return Mark(pool.epoch, pool.keep)


def part_left(pool: Pool, at: Mark) -> Decimal:
    """Which part of a receipt is still in the pool: from 0 to 1, and it never rises."""
    if pool.quantity <= 0 or pool.epoch != at.epoch:
        return ZERO
    with localcontext() as context:
        context.prec = KEEP_DIGITS
        return pool.keep / at.keep


def split(amount: Decimal, part: Decimal) -> Split:
    """Stock gets its part, rounded to the öre; what is sold gets the rest."""
    with localcontext() as context:
        context.prec = 60
        stock = rounded(rounded(amount * part, _SNAP))
    return Split(stock, amount - stock)


def settle(pool: Pool, at: Mark, amount: Decimal) -> tuple[Pool, Split]:
    """Let a late cost of one receipt reach the pool; returns the pool and where the amount went.

    Roundings of many issues may leave a pool some öre short of a large credit: stock is never made worth less than nothing,
    the rest goes with what is sold.
    """
    found = split(amount, part_left(pool, at))
    stock = max(found.stock, -pool.value) if pool.quantity > 0 else ZERO
    return (pool.revalue(stock) if stock else pool), Split(stock, amount - stock)


@dataclass(frozen=True, slots=True)
class OpenValue:
    """What of a receipt has no invoice yet: its price in the supplier's currency, and what it stands for in our books."""

    amount: Decimal
    value: Decimal


def at_rate(pool: Pool, at: Mark, uninvoiced: OpenValue, rate: Decimal) -> tuple[Pool, Split]:
    """Received and not invoiced, at a new rate (a month's end). The invoice then settles from the new value.

    Goods that are invoiced are never revalued for their currency: their cost is what was paid.
    """
    return settle(pool, at, rounded(uninvoiced.amount * rate) - uninvoiced.value)
