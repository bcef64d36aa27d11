"""Moving average cost: what stock is worth, and what leaving stock costs.

A pool is one article in one warehouse. We carry quantity and value and derive the average: carrying a rounded average
would leak a little value at every movement. Stock may go below zero, because the pick has happened; the pieces that were
not there leave at the last known cost, and the next receipt settles the difference.

`keep` is the part of an earlier receipt that is still here: the product of `1 - issued/quantity` over all issues since
the pool last ran empty (an epoch). A receipt that fills a hole has lost the pieces that fill it, as if they were issued at once.
What becomes of a later cost of a receipt is in `domain/revaluation.py`.
"""

from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from domain.money import ZERO, rounded

KEEP_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Pool:
    """Quantity on hand and its value in the books' currency; `last_cost` per piece values what leaves below zero."""

    quantity: Decimal = ZERO
    value: Decimal = ZERO
    last_cost: Decimal | None = None
    epoch: int = 1
    keep: Decimal = Decimal(1)

    def issue(self, quantity: Decimal) -> tuple["Pool", Decimal]:
        """Take `quantity` out; returns what remains and the value that left.

        The last piece carries out all remaining value, so an empty pool is worth exactly zero whatever was rounded before.
        """
        if quantity > self.quantity:
            return self._issue_below_zero(quantity)
        with localcontext() as context:
            context.prec = 60
            average = self.value / self.quantity
            emptied = quantity == self.quantity
            # Multiplied first: a quotient that ends on half an öre is then exact, and rounds as it does in PostgreSQL.
            cost = self.value if emptied else rounded(self.value * quantity / self.quantity)
        left = replace(self, quantity=self.quantity - quantity, value=self.value - cost, last_cost=rounded(average, 6))
        return (left._emptied() if emptied else left._kept(quantity, self.quantity)), cost

    def _issue_below_zero(self, quantity: Decimal) -> tuple["Pool", Decimal]:
        here = max(self.quantity, ZERO)
        cost_here = ZERO
        pool = self
        if here:
            pool, cost_here = self.issue(here)
        missing = quantity - here
        cost_missing = rounded(missing * (pool.last_cost or ZERO))
        left = replace(pool, quantity=pool.quantity - missing, value=pool.value - cost_missing)
        return left._emptied(), cost_here + cost_missing

    def receive(self, quantity: Decimal, value: Decimal) -> tuple["Pool", Decimal]:
        """Put `quantity` in at `value`; returns the pool and the true-up: extra cost (or less) of what was sold below zero.

        The hole is filled first, at the incoming cost per piece; the rest of the value is what the pool then holds.
        """
        with localcontext() as context:
            context.prec = 60
            cost = value / quantity
            after = self.quantity + quantity
            if self.quantity >= 0:
                whole = self.value + value
            elif after <= 0:
                whole = rounded(value * after / quantity)
            else:
                whole = value - rounded(value * -self.quantity / quantity)
        true_up = self.value + value - whole
        pool = replace(self, quantity=after, value=whole, last_cost=rounded(cost, 6) if cost else self.last_cost)
        if after <= 0:
            return pool._emptied(), true_up
        return (pool._kept(-self.quantity, quantity) if self.quantity < 0 else pool), true_up

    def put_back(self, quantity: Decimal, value: Decimal) -> tuple["Pool", Decimal]:
        """Goods that come back, at the value they left with: like a receipt of their own."""
        return self.receive(quantity, value)

    def revalue(self, change: Decimal) -> "Pool":
        """The same pieces, worth `change` more or less. Only where there are pieces, and never below nothing."""
        if self.quantity <= 0 or self.value + change < 0:
            raise ValueError(f"{self.quantity} pieces worth {self.value} cannot become worth {change} more")
        return replace(self, value=self.value + change)

    def take_out(self, quantity: Decimal, value: Decimal) -> tuple["Pool", Decimal]:
        """Take `quantity` out at the value it once came in with; returns the pool and the true-up: what the pool was worth more.

        Used when goods that were booked in turn out not to be there: their neighbours may have left at another average meanwhile.
        """
        after, rest = self.quantity - quantity, self.value - value
        with localcontext() as context:
            context.prec = 60
            if after == 0:
                whole = ZERO
            elif after > 0:
                whole = max(rest, ZERO)
            else:
                whole = rounded(after * (value / quantity))
        pool = replace(self, quantity=after, value=whole, last_cost=self.last_cost or rounded(value / quantity, 6))
        return (pool._emptied() if after == 0 else pool), rest - whole

    def _emptied(self) -> "Pool":
        return replace(self, epoch=self.epoch + 1, keep=Decimal(1))

    def _kept(self, issued: Decimal, before: Decimal) -> "Pool":
        with localcontext() as context:
            context.prec = KEEP_DIGITS
            return replace(self, keep=self.keep * (before - issued) / before)
