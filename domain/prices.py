"""Two costs of an article, and never one: the booked cost follows from what stock is worth, the calculated cost looks ahead.

The booked cost is derived, so quantity times booked cost is the stock value by definition. The calculated cost moves with prices
and exchange rates, for quotes, margins and the next receipt; it never revalues goods that are owned already.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext

from domain.errors import Refused
from domain.money import ZERO, rounded
from domain.pools import AnyPool


def booked_cost(pool: AnyPool) -> Decimal:
    """What a piece is worth in our books, 6 decimals; of an empty pool the last known cost."""
    if pool.quantity == 0:
        return pool.last_cost or ZERO
    with localcontext() as context:
        context.prec = 60
        return rounded(pool.value / pool.quantity, 6)


def calculated_cost(price: Decimal, rate: Decimal, landed_percent: Decimal) -> Decimal:
    """What a piece would cost today, in place: price in the supplier's currency, rate, landed cost. Rounded once."""
    with localcontext() as context:
        context.prec = 60
        return rounded(price * rate * (100 + landed_percent) / 100)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a new calculated cost is written: beyond `threshold` percent since the last written; beyond `jump` a person decides;
    never by a rate older than `rate_days` banking days."""

    threshold: Decimal = Decimal(1)
    jump: Decimal = Decimal(20)
    rate_days: int = 5


def moved(article: str, written: Decimal | None, cost: Decimal, rate_age: int, limits: Limits) -> Decimal | None:
    """The cost to write, or None while it has not moved enough since the last *written* one, so that slow drift still counts.

    `rate_age` is in banking days. What a person must see is refused and leaves the cost as it is.
    """
    if rate_age > limits.rate_days:
        raise Refused(
            "exchange-rate-missing", f"article {article}: its rate is {rate_age} banking days old; the cost stays {written}"
        )
    if cost <= 0:
        raise Refused("cost-implausible", f"article {article}: the calculated cost would be {cost}; it stays {written}")
    if not written:
        return cost
    change = abs(cost - written) * 100 / written
    if change > limits.jump:
        raise Refused(
            "cost-implausible",
            f"article {article}: the calculated cost would go from {written} to {cost}, {rounded(change, 1)} %",
        )
    return cost if change > limits.threshold else None
