"""What else happens to stock, at what value: goods back to the supplier, counts, moves, kits, write-downs."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from domain.costing import Pool
from domain.money import ZERO, rounded


@dataclass(frozen=True, slots=True)
class SupplierReturn:
    """Goods that went back: what left stock, what the supplier credits, and the price difference between the two."""

    cost: Decimal
    credited: Decimal

    @property
    def difference(self) -> Decimal:
        return self.credited - self.cost


def return_to_supplier(pool: Pool, quantity: Decimal, credited: Decimal) -> tuple[Pool, SupplierReturn]:
    """They leave at the average of today; what they were bought for only shows in the difference."""
    left, cost = pool.issue(quantity)
    return left, SupplierReturn(cost, credited)


def customer_return(pool: Pool, quantity: Decimal, left_quantity: Decimal, left_cost: Decimal) -> tuple[Pool, Decimal, Decimal]:
    """Goods come back at the cost they left with, later corrections included (`left_cost` of `left_quantity` pieces).

    Returns the pool, the value that came back, and the true-up where stock was below zero.
    """
    with localcontext() as context:
        context.prec = 60
        value = rounded(left_cost * quantity / left_quantity)
    pool, true_up = pool.receive(quantity, value)
    return pool, value, true_up


def count_gain(pool: Pool, quantity: Decimal) -> tuple[Pool, Decimal, Decimal]:
    """Pieces that a count found: at the average, without stock at the last known cost. Returns the pool, value and true-up."""
    with localcontext() as context:
        context.prec = 60
        value = rounded(pool.value * quantity / pool.quantity if pool.quantity > 0 else quantity * (pool.last_cost or ZERO))
    pool, true_up = pool.receive(quantity, value)
    return pool, value, true_up


def transfer(source: Pool, target: Pool, quantity: Decimal) -> tuple[Pool, Pool, Decimal, Decimal]:
    """Goods change warehouse and take their value along. Returns both pools, that value, and the target's true-up."""
    source, value = source.issue(quantity)
    target, true_up = target.receive(quantity, value)
    return source, target, value, true_up


def assemble(parts: Sequence[tuple[Pool, Decimal]], kit: Pool, quantity: Decimal) -> tuple[list[Pool], Pool, Decimal, Decimal]:
    """Parts become kits: what the parts cost is what the kits cost. Returns the pools, that value, and the kit's true-up."""
    left, value = [], ZERO
    for pool, used in parts:
        pool, cost = pool.issue(used)  # noqa: PLW2901
        left.append(pool)
        value += cost
    kit, true_up = kit.receive(quantity, value)
    return left, kit, value, true_up


def write_down(pool: Pool, sells_for: Decimal) -> Decimal:
    """The reserve down to what the goods bring in net, 0 or less. It is kept beside the pool, never in it: it can be undone."""
    return min(rounded(max(pool.quantity, ZERO) * sells_for) - max(pool.value, ZERO), ZERO)
