"""Stock at a price that is set and not computed: a standard cost, or the latest known purchase price.

The value is always quantity times price, rounded once, so nothing can be left on zero pieces. What a receipt cost more or less
than the price is a difference of its own, and so is every change of the price: neither may hide in the stock.
"""

from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from domain.money import ZERO, rounded


@dataclass(frozen=True, slots=True)
class FixedPricePool:
    """Quantity on hand, worth `price` a piece (6 decimals). `latest`: each purchase sets the price, else only `reprice` does."""

    quantity: Decimal = ZERO
    price: Decimal = ZERO
    latest: bool = False

    @property
    def value(self) -> Decimal:
        return rounded(self.quantity * self.price)

    @property
    def last_cost(self) -> Decimal | None:
        return self.price or None

    @property
    def epoch(self) -> int:
        return 1

    @property
    def keep(self) -> Decimal:
        return Decimal(1)

    def issue(self, quantity: Decimal) -> tuple["FixedPricePool", Decimal]:
        """Take `quantity` out; returns what remains and the value that left."""
        left = replace(self, quantity=self.quantity - quantity)
        return left, self.value - left.value

    def receive(self, quantity: Decimal, value: Decimal) -> tuple["FixedPricePool", Decimal]:
        """Put bought goods in; returns the pool and what they cost more than they are worth in it (a price difference).

        What comes for nothing says nothing about the price: a free sample does not make all that is here worth nothing.
        """
        if not self.latest or not value:
            return self.put_back(quantity, value)
        pool, gained, rest = self.receive_at_latest(quantity, value)
        return pool, rest - gained

    def put_back(self, quantity: Decimal, value: Decimal) -> tuple["FixedPricePool", Decimal]:
        """Put goods in without any say about the price, as those that come back; the rest as for `receive`."""
        grown = replace(self, quantity=self.quantity + quantity)
        return grown, value - (grown.value - self.value)

    def take_out(self, quantity: Decimal, value: Decimal) -> tuple["FixedPricePool", Decimal]:
        """Take back what came in at `value`; returns the pool and what the goods were worth more in it."""
        pool, cost = self.issue(quantity)
        return pool, cost - value

    def reprice(self, price: Decimal) -> tuple["FixedPricePool", Decimal]:
        """Set another price; returns the pool and what its goods are worth more."""
        changed = replace(self, price=rounded(price, 6))
        return changed, changed.value - self.value

    def receive_at_latest(self, quantity: Decimal, value: Decimal) -> tuple["FixedPricePool", Decimal, Decimal]:
        """A receipt whose price becomes everybody's: returns the pool, what the goods here gained, and the rounding left over."""
        with localcontext() as context:
            context.prec = 60
            pool, gained = self.reprice(value / quantity)
        pool, rest = pool.put_back(quantity, value)
        return pool, gained, rest
