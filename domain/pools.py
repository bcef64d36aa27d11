"""How stock is costed is the merchant's choice: one pool per article and warehouse, of one of four kinds.

All take goods out (`issue`), put them in (`receive` what is bought, `put_back` what comes back) and take back what came in
(`take_out`), and say with it what of the value did not stay. With moving average and layers that is cost of goods that were sold
before they came; at a set price it is the difference to the price. The method is chosen before anything is booked, and changed
only while nothing is in stock.
"""

from dataclasses import replace
from decimal import Decimal

from domain.costing import Pool
from domain.fifo import FifoPool
from domain.fixed_price import FixedPricePool
from domain.money import ZERO
from domain.revaluation import Mark, Split
from domain.revaluation import settle as settle_average

MOVING_AVERAGE, FIFO, LATEST_PRICE, STANDARD = METHODS = ("moving-average", "fifo", "latest-price", "standard")
AT_SET_PRICE = (LATEST_PRICE, STANDARD)

AnyPool = Pool | FifoPool | FixedPricePool


def method_of(pool: AnyPool) -> str:
    if isinstance(pool, Pool):
        return MOVING_AVERAGE
    if isinstance(pool, FifoPool):
        return FIFO
    return LATEST_PRICE if pool.latest else STANDARD


def empty(method: str, price: Decimal = ZERO) -> AnyPool:
    """Stock that has never moved; `price` is what a piece is set to be worth, where the method has one."""
    if method == FIFO:
        return FifoPool()
    if method in AT_SET_PRICE:
        return FixedPricePool(price=price, latest=method == LATEST_PRICE)
    return Pool()


def mark(pool: AnyPool) -> Mark:
    """Where the pool stands before a receipt is put in, to find later how much of it is still here."""
    return Mark(pool.epoch, pool.keep)


def settle(pool: AnyPool, at: Mark, amount: Decimal) -> tuple[AnyPool, Split]:
    """Let a late cost of one receipt reach the pool; returns the pool and where it went. At a set price none of it stays."""
    if isinstance(pool, Pool):
        return settle_average(pool, at, amount)
    if isinstance(pool, FifoPool):
        return pool.settle(at.epoch, amount)
    return replace(pool), Split(ZERO, amount)
