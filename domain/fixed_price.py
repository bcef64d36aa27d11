"""Stock at a price that is set and not computed: a standard cost, or the latest known purchase price.

The value is always quantity times price, rounded once, so nothing can be left on zero pieces. What a receipt cost more or less
than the price is a difference of its own, and so is every change of the price: neither may hide in the stock.
"""

from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from domain.money import ZERO, rounded


@dataclass(frozen=True, slots=True)
class FixedPricePool:
    """Quantity on hand, worth `price` a piece (6 decimals)."""

    quantity: Decimal = ZERO
    price: Decimal = ZERO

    @property
    def value(self) -> Decimal:
        return rounded(self.quantity * self.price)

    def issue(self, quantity: Decimal) -> tuple["FixedPricePool", Decimal]:
        """Take `quantity` out; returns what remains and the value that left."""
        left = replace(self, quantity=self.quantity - quantity)
        return left, self.value - left.value

    def receive(self, quantity: Decimal, value: Decimal) -> tuple["FixedPricePool", Decimal]:
        """Put `quantity` in; returns the pool and what the goods cost more than the price (a price difference)."""
        grown = replace(self, quantity=self.quantity + quantity)
        return grown, value - (grown.value - self.value)

    def reprice(self, price: Decimal) -> tuple["FixedPricePool", Decimal]:
        """Set another price; returns the pool and what its goods are worth more."""
        changed = replace(self, price=rounded(price, 6))
        return changed, changed.value - self.value

    def receive_at_latest(self, quantity: Decimal, value: Decimal) -> tuple["FixedPricePool", Decimal, Decimal]:
        """A receipt whose price becomes everybody's: returns the pool, what the goods here gained, and the rounding left over."""
        with localcontext() as context:
            context.prec = 60
            pool, gained = self.reprice(value / quantity)
        pool, rest = pool.receive(quantity, value)
        return pool, gained, rest
