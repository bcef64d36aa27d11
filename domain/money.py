"""One rounding rule, half away from zero, equal in Python and in PostgreSQL's `round(numeric, n)`."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

CENT = Decimal("0.01")
ZERO = Decimal(0)


def rounded(amount: Decimal, places: int = 2) -> Decimal:
    """Round to `places` decimals, half away from zero, at any size of number."""
    with localcontext() as context:
        context.prec = 60
        return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def exact(amount: Decimal, places: int) -> bool:
    """True when the amount has no more than `places` decimals."""
    return amount == rounded(amount, places)
