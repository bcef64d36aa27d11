"""Moving average cost: what stock is worth, and what leaving stock costs.

A pool is one article in one warehouse. We carry quantity and value and derive the average: carrying a rounded average
would leak a little value at every movement. Stock may go below zero, because the pick has happened; the pieces that were
not there leave at the last known cost, and the next receipt settles the difference.

`keep` is the part of an earlier receipt that is still here: the product of `1 - issued/quantity` over all issues since
the pool last ran empty (an epoch). A later cost of a receipt stays in stock by `keep now / keep at the receipt`.
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
            cost = self.value if emptied else rounded(quantity * average)
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
                whole = rounded(after * cost)
            else:
                whole = value - rounded(-self.quantity * cost)
        true_up = self.value + value - whole
        pool = replace(self, quantity=after, value=whole, last_cost=rounded(cost, 6) if cost else self.last_cost)
        return (pool._emptied() if after == 0 else pool), true_up

    def _emptied(self) -> "Pool":
        return replace(self, epoch=self.epoch + 1, keep=Decimal(1))

    def _kept(self, issued: Decimal, before: Decimal) -> "Pool":
        with localcontext() as context:
            context.prec = KEEP_DIGITS
            return replace(self, keep=self.keep * (before - issued) / before)
