"""Exchange rates as a bank publishes them: which one counts for a day, and which ones to believe.

A quote is kronor for so many units of a currency, as published. What is not believable is never used until a person has confirmed
it: a rate of 1.0 for the euro, a jump, or a rate per 100 taken for one per 1 would each make every receipt of that day wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, localcontext

from domain.banking_days import age, last_banking_day
from domain.money import rounded

KRONOR = "SEK"
OLDEST = timedelta(days=10)
PUBLISHED = time(17, 0)
"""Local time from which the day's rate is missed. It is published at about 16:15."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Kronor for `units` of a currency on a day."""

    currency: str
    rate_date: date
    value: Decimal
    units: int = 1
    revision: int = 1

    @property
    def per_unit(self) -> Decimal:
        with localcontext() as context:
            context.prec = 40
            return self.value / self.units


@dataclass(frozen=True, slots=True)
class Used:
    """The rate that a document uses, and the day it is of: both are kept with the document. `provisional`: the wanted day's own
    rate may still come."""

    currency: str
    rate: Decimal
    wanted_date: date
    rate_date: date
    provisional: bool


def rate_between(
    currency: str, books: str, wanted: date, of_currency: Iterable[Quote], of_books: Iterable[Quote] = ()
) -> Used | None:
    """What one of the currency is worth in the books' currency: the last rate on or before the wanted day, at most 10 days old.

    None where there is none: nobody falls back on anything. Two foreign currencies are crossed at rates of one day. 10 decimals.
    """
    if currency == books:
        return Used(currency, Decimal(1), wanted, wanted, False)
    first, second = ({q.rate_date: q.per_unit for q in quotes} for quotes in (of_currency, of_books))
    days = [
        day
        for day in (first if currency != KRONOR else second)
        if wanted - OLDEST <= day <= wanted and (books == KRONOR or day in second)
    ]
    if not days:
        return None
    day = max(days)
    with localcontext() as context:
        context.prec = 40
        rate = (Decimal(1) if currency == KRONOR else first[day]) / (Decimal(1) if books == KRONOR else second[day])
    return Used(currency, rounded(rate, 10), wanted, day, age(day, wanted) > 0)


def expected_day(now: datetime) -> date:
    """The last day whose rate must be there by now. `now` is local to the bank."""
    day = now.date() if now.time() >= PUBLISHED else now.date() - timedelta(days=1)
    return last_banking_day(day)


@dataclass(frozen=True, slots=True)
class Limits:
    """Percent that a rate may jump from one quote to the next, and be off the other bank's."""

    jump: Decimal = Decimal(20)
    cross_check: Decimal = Decimal(5)


def doubt(quote: Quote, previous: Quote | None, other: Decimal | None, today: date, limits: Limits) -> str | None:
    """Why a quote is not to be believed, naming the currency; None when it is.

    `previous` is the last quote believed, `other` what the other bank makes of one unit. One of the two must speak for it.
    """
    said = f"{quote.currency} {quote.rate_date}: {quote.value} kronor for {quote.units}"
    if quote.value <= 0:
        return f"{said} is not a rate"
    if quote.rate_date > today:
        return f"{said} is of a day to come"
    if other is not None and _off(quote.per_unit, other) > limits.cross_check:
        factor = quote.per_unit / other
        unit = "; the unit is wrong, see rate_units" if 50 < factor < 200 or 50 < 1 / factor < 200 else ""
        return f"{said} is {_percent(quote.per_unit, other)} % off the other bank's {rounded(other, 6)} for 1{unit}"
    if previous is not None and _off(quote.per_unit, previous.per_unit) > limits.jump:
        return (
            f"{said} is a jump of {_percent(quote.per_unit, previous.per_unit)} % from {previous.value} on {previous.rate_date}"
        )
    if other is None and previous is None:
        return f"{said}: there is nothing to compare it with"
    if other is None and quote.per_unit == 1:
        return f"{said} is exactly one, and the other bank does not say so"
    return None


def _off(rate: Decimal, other: Decimal) -> Decimal:
    return abs(rate - other) * 100 / other


def _percent(rate: Decimal, other: Decimal) -> Decimal:
    return rounded(_off(rate, other), 1)


def ambiguous(quotes: Iterable[Quote]) -> str | None:
    """A day quoted twice with different values, in words; the same value twice is harmless."""
    seen: dict[date, Decimal] = {}
    for quote in quotes:
        if seen.setdefault(quote.rate_date, quote.value) != quote.value:
            return f"{quote.currency} {quote.rate_date}: quoted twice, {seen[quote.rate_date]} and {quote.value}"
    return None
