"""On which days a bank is expected to quote. Used to tell a missing rate from an expected gap, and never to invent a rate."""

from datetime import date, timedelta

ONE = timedelta(days=1)


def easter(year: int) -> date:
    """Easter Sunday, by the Gregorian rule."""
    golden, century, rest = year % 19, year // 100, year % 100
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (golden + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


def is_banking_day(day: date) -> bool:
    """Whether Swedish banks, and so the Riksbank, are open. Half days count: rates are published on them."""
    fixed = {(1, 1), (1, 6), (5, 1), (6, 6), (12, 24), (12, 25), (12, 26), (12, 31)}
    sunday = easter(day.year)
    moving = {sunday - 2 * ONE, sunday + ONE, sunday + 39 * ONE}
    midsummer_eve = day.month == 6 and 19 <= day.day <= 25 and day.weekday() == 4
    return day.weekday() < 5 and (day.month, day.day) not in fixed and day not in moving and not midsummer_eve


def last_banking_day(day: date) -> date:
    """The day itself, or the last banking day before it."""
    while not is_banking_day(day):
        day -= ONE
    return day


def banking_days(first: date, last: date) -> list[date]:
    """Every banking day of a span, both ends included."""
    return [day for n in range((last - first).days + 1) if is_banking_day(day := first + n * ONE)]


def age(rate_date: date, today: date) -> int:
    """How many banking days have begun since the day of a rate."""
    return len(banking_days(rate_date + ONE, today))
