"""Which rate counts for a day, and which ones are believed."""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from domain.banking_days import age, banking_days, easter, is_banking_day
from domain.rates import Limits, Quote, Used, ambiguous, doubt, expected_day, rate_between

D = Decimal
MONDAY = date(2026, 3, 16)
FRIDAY = date(2026, 3, 13)


def quote(value: str, on: date = MONDAY, currency: str = "EUR", units: int = 1) -> Quote:
    return Quote(currency, on, D(value), units)


def test_the_swedish_weekdays_off_of_2026_are_known() -> None:
    off = [day for n in range(365) if (day := date(2026, 1, 1) + timedelta(days=n)).weekday() < 5 and not is_banking_day(day)]
    wanted = [(1, 1), (1, 6), (4, 3), (4, 6), (5, 1), (5, 14), (6, 19), (12, 24), (12, 25), (12, 31)]
    assert off == [date(2026, month, day) for month, day in wanted]


@pytest.mark.parametrize(("year", "month", "day"), [(2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2027, 3, 28), (2038, 4, 25)])
def test_easter(year: int, month: int, day: int) -> None:
    assert easter(year) == date(year, month, day)


def test_the_national_day_on_a_weekday_is_no_banking_day() -> None:
    assert not is_banking_day(date(2025, 6, 6))
    assert banking_days(date(2025, 6, 5), date(2025, 6, 10)) == [date(2025, 6, day) for day in (5, 9, 10)]


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-03-16T16:59", FRIDAY),
        ("2026-03-16T17:00", MONDAY),
        ("2026-04-06T20:00", date(2026, 4, 2)),
        ("2026-01-01T20:00", date(2025, 12, 30)),
    ],
)
def test_a_rate_is_missed_only_after_its_publication_and_only_for_banking_days(now: str, day: date) -> None:
    assert expected_day(datetime.fromisoformat(now)) == day


def test_the_last_rate_before_the_day_counts_for_ten_days_and_says_whether_its_own_may_still_come() -> None:
    quotes = [quote("11.2", FRIDAY - timedelta(days=1)), quote("11.3", FRIDAY)]
    assert rate_between("EUR", "SEK", MONDAY, quotes) == Used("EUR", D("11.3"), MONDAY, FRIDAY, True)
    sunday = MONDAY - timedelta(days=1)
    assert rate_between("EUR", "SEK", sunday, quotes) == Used("EUR", D("11.3"), sunday, FRIDAY, False)
    assert rate_between("EUR", "SEK", FRIDAY + timedelta(days=11), quotes) is None
    assert rate_between("EUR", "SEK", FRIDAY - timedelta(days=2), quotes) is None


def test_other_books_than_kronor_are_crossed_at_rates_of_one_day() -> None:
    euro = [quote("11.2345"), quote("11.0", FRIDAY)]
    dollar = [quote("10.0", FRIDAY, "USD")]
    found = rate_between("USD", "EUR", MONDAY, dollar, euro)
    assert found is not None
    assert (found.rate, found.rate_date) == (D("0.9090909091"), FRIDAY)
    kronor = rate_between("SEK", "EUR", MONDAY, (), euro)
    assert kronor is not None
    assert kronor.rate == D("0.0890115270")
    assert rate_between("EUR", "EUR", MONDAY, ()) == Used("EUR", D(1), MONDAY, MONDAY, False)


def test_a_rate_per_hundred_is_one_hundredth_for_one() -> None:
    used = rate_between("JPY", "SEK", MONDAY, [quote("6.873356", units=100, currency="JPY")])
    assert used is not None
    assert used.rate == D("0.0687335600")


@pytest.mark.parametrize(
    ("published", "previous", "other", "words"),
    [
        (quote("11.2345"), quote("11.2", FRIDAY), D("11.24"), None),
        (quote("11.2345"), quote("11.2", FRIDAY), None, None),
        (quote("11.2345"), None, D("11.24"), None),
        (quote("1.0"), None, D("11.24"), r"EUR 2026-03-16: 1\.0 kronor for 1 is 91\.1 % off"),
        (quote("1.0"), quote("11.2", FRIDAY), None, r"EUR .* is a jump of 91\.1 %"),
        (quote("1.0"), quote("1.01", FRIDAY), None, "EUR .* is exactly one"),
        (quote("1.0000", currency="NOK"), quote("1.01", FRIDAY), D("1.002"), None),
        (quote("11.2345"), None, None, "EUR .* nothing to compare it with"),
        (quote("14.0"), quote("11.2", FRIDAY), D("14.0"), r"EUR .* is a jump of 25\.0 %"),
        (quote("6.87", currency="JPY"), None, D("0.0687"), r"JPY .* 9900\.0 % off .*the unit is wrong"),
        (quote("6.87", currency="JPY", units=100), None, D("0.0687"), None),
        (quote("0.0687", currency="JPY", units=100), None, D("0.0687"), "JPY .*the unit is wrong"),
        (quote("0"), None, D("11"), "EUR .* is not a rate"),
        (quote("-11"), None, D("11"), "EUR .* is not a rate"),
        (quote("11.2", MONDAY + timedelta(days=1)), None, D("11.2"), "EUR 2026-03-17.* is of a day to come"),
    ],
)
def test_a_rate_that_is_not_believable_says_why(
    published: Quote, previous: Quote | None, other: Decimal | None, words: str | None
) -> None:
    found = doubt(published, previous, other, MONDAY, Limits())
    if words is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(words, found), found


def test_a_day_quoted_twice_is_harmless_only_with_one_value() -> None:
    assert ambiguous([quote("11.2"), quote("11.2"), quote("11.3", FRIDAY)]) is None
    assert ambiguous([quote("11.2"), quote("11.3")]) == "EUR 2026-03-16: quoted twice, 11.2 and 11.3"


def test_the_age_of_a_rate_is_counted_in_banking_days() -> None:
    assert age(date(2026, 4, 2), date(2026, 4, 6)) == 0
    assert age(date(2026, 4, 2), date(2026, 4, 8)) == 2
