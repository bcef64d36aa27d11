"""First in, first out: each receipt is a layer of its own, and what leaves is taken from the oldest.

A late cost follows its layer: the pieces still in it carry their share, the rest has been sold. Below zero the pieces leave at
the last known cost; the next receipt fills the hole first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from domain.money import ZERO, rounded
from domain.revaluation import Split, split


@dataclass(frozen=True, slots=True)
class Layer:
    """What is left of one receipt; `received` is how much it was."""

    number: int
    received: Decimal
    quantity: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class FifoPool:
    """Layers, oldest first. While stock is below zero there are none, and `missing` pieces have left at `missing_value`."""

    layers: tuple[Layer, ...] = ()
    missing: Decimal = ZERO
    missing_value: Decimal = ZERO
    last_cost: Decimal | None = None
    next_number: int = 1

    @property
    def quantity(self) -> Decimal:
        return sum((layer.quantity for layer in self.layers), ZERO) - self.missing

    @property
    def value(self) -> Decimal:
        return sum((layer.value for layer in self.layers), ZERO) - self.missing_value

    @property
    def epoch(self) -> int:
        """The number that the next layer gets: what a receipt is known by, as a moving average's is by its epoch."""
        return self.next_number

    @property
    def keep(self) -> Decimal:
        return Decimal(1)

    def issue(self, quantity: Decimal) -> tuple["FifoPool", Decimal]:
        """Take `quantity` out, oldest first; returns what remains and the value that left."""
        return self._issue(quantity, self.layers)

    def _issue(self, quantity: Decimal, order: Sequence[Layer]) -> tuple["FifoPool", Decimal]:
        cost, last = ZERO, self.last_cost
        left: list[Layer] = []
        for layer in order:
            taken = min(quantity, layer.quantity)
            if taken:
                last = _each(layer.value, layer.quantity) or last
            if taken == layer.quantity:
                value = layer.value
            else:
                value = _share(layer.value, taken, layer.quantity)
                left.append(replace(layer, quantity=layer.quantity - taken, value=layer.value - value))
            quantity -= taken
            cost += value
        below = rounded(quantity * (last or ZERO))
        pool = replace(self, layers=tuple(sorted(left, key=lambda layer: layer.number)), last_cost=last)
        return replace(pool, missing=self.missing + quantity, missing_value=self.missing_value + below), cost + below

    def receive(self, quantity: Decimal, value: Decimal) -> tuple["FifoPool", Decimal]:
        """Put a layer in, numbered `next_number`; returns the pool and the extra cost (or less) of what was sold below zero."""
        filled = min(quantity, self.missing)
        cost = _share(value, filled, quantity)
        expected = self.missing_value if filled == self.missing else _share(self.missing_value, filled, self.missing)
        layer = Layer(self.next_number, quantity, quantity - filled, value - cost)
        pool = FifoPool(
            (*self.layers, layer) if layer.quantity else self.layers,
            self.missing - filled,
            self.missing_value - expected,
            _each(value, quantity) or self.last_cost,
            self.next_number + 1,
        )
        return pool, cost - expected

    def put_back(self, quantity: Decimal, value: Decimal) -> tuple["FifoPool", Decimal]:
        """Goods that come back, at the value they left with: a layer of their own, the newest."""
        return self.receive(quantity, value)

    def take_out(self, quantity: Decimal, value: Decimal) -> tuple["FifoPool", Decimal]:
        """Take back what came in at `value`, the newest layers first; returns the pool and what those were worth more."""
        if self.last_cost is None:
            return replace(self, last_cost=_each(value, quantity)).take_out(quantity, value)
        pool, cost = self._issue(quantity, self.layers[::-1])
        return pool, cost - value

    def settle(self, number: int, amount: Decimal) -> tuple["FifoPool", Split]:
        """Let a late cost of a layer reach what is left of it."""
        layer = next((layer for layer in self.layers if layer.number == number), None)
        if layer is None:
            return self, Split(ZERO, amount)
        with localcontext() as context:
            context.prec = 60
            stock = max(split(amount, layer.quantity / layer.received).stock, -layer.value)
        grown = replace(layer, value=layer.value + stock)
        pool = replace(self, layers=tuple(grown if each is layer else each for each in self.layers))
        return pool, Split(stock, amount - stock)


def _share(value: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return rounded(value * part / whole)


def _each(value: Decimal, quantity: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return rounded(value / quantity, 6)
