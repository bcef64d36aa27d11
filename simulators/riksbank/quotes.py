"""What the two banks quote on which day: made up by a rule from currency and day, so that every run sees the same rates.

A quote made by hand goes before the rule, and a quote of null is a day without one. The calendar here was written for the
simulator alone: it shares nothing with whoever asks.
"""

import math
import zlib
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from simulators.riksbank.clock import Clock
from simulators.riksbank.store import Store

RIKSBANK, ECB = "riksbank", "ecb"
PUBLISHED = {RIKSBANK: time(16, 15), ECB: time(16, 0)}
FIRST_DAY = date(2015, 1, 2)
# Kronor for one unit, about which each currency moves.
AROUND = {
    "AUD": "6.72", "BGN": "5.74", "BRL": "1.88", "CAD": "7.45", "CHF": "11.86", "CNY": "1.43", "CZK": "0.459",
    "DKK": "1.505", "EUR": "11.24", "GBP": "13.05", "HKD": "1.32", "HUF": "0.0288", "IDR": "0.00064", "ILS": "2.91",
    "INR": "0.119", "ISK": "0.0779", "JPY": "0.0687", "KRW": "0.00712", "MXN": "0.561", "MYR": "2.43", "NOK": "0.978",
    "NZD": "6.05", "PHP": "0.181", "PLN": "2.64", "RON": "2.21", "SGD": "7.98", "THB": "0.317", "TRY": "0.247",
    "USD": "10.33", "ZAR": "0.584",
}  # fmt: skip
# Closed on weekdays, written out. Before 2024 and after 2028 only weekends and the fixed days are.
_EASTER = {2024: (3, 31), 2025: (4, 20), 2026: (4, 5), 2027: (3, 28), 2028: (4, 16)}
_MIDSUMMER_EVE = {2024: (6, 21), 2025: (6, 20), 2026: (6, 19), 2027: (6, 25), 2028: (6, 23)}
_FIXED = {
    RIKSBANK: {(1, 1), (1, 6), (5, 1), (6, 6), (12, 24), (12, 25), (12, 26), (12, 31)},
    ECB: {(1, 1), (5, 1), (12, 25), (12, 26)},
}


def closed(bank: str, day: date) -> bool:
    """Whether the bank quotes nothing on this day."""
    if day.weekday() >= 5 or (day.month, day.day) in _FIXED[bank]:
        return True
    if day.year not in _EASTER:
        return False
    since_easter = (day - date(day.year, *_EASTER[day.year])).days
    if since_easter in (-2, 1):
        return True
    return bank == RIKSBANK and (since_easter == 39 or (day.month, day.day) == _MIDSUMMER_EVE[day.year])


class Quotes:
    """Both banks' quotes up to now."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def last_day(self, bank: str) -> date:
        """The last day that the bank may have quoted by now."""
        now: datetime = self._clock.now()
        return now.date() if now.time() >= PUBLISHED[bank] else now.date() - timedelta(days=1)

    def of(self, bank: str, currency: str, first: date, last: date) -> list[tuple[date, Decimal]]:
        """Day and value for each day with a quote, oldest first; the value is of one unit, as the bank writes it."""
        by_hand = {
            date.fromisoformat(row["day"]): row["value"]
            for row in self._store.run("select day, value from quote where bank = ? and currency = ?", bank, currency)
        }
        last = min(last, self.last_day(bank))
        found = []
        day = max(first, FIRST_DAY)
        while day <= last:
            if day in by_hand:
                if by_hand[day] is not None:
                    found.append((day, Decimal(by_hand[day])))
            elif not closed(bank, day):
                found.append((day, self._ruled(bank, currency, day)))
            day += timedelta(days=1)
        return found

    def _ruled(self, bank: str, currency: str, day: date) -> Decimal:
        if bank == ECB:
            euro = _kronor("EUR", day)
            return _rounded(euro if currency == "SEK" else euro / _kronor(currency, day) * _noise(currency, day, 0.001), 4)
        return _rounded(_kronor(currency, day), 4 if float(AROUND[currency]) > 0.1 else 6)


def _kronor(currency: str, day: date) -> float:
    turn = zlib.crc32(currency.encode()) % 97
    return float(AROUND[currency]) * (1 + 0.03 * math.sin((day.toordinal() + turn) / 61)) * _noise(currency, day, 0.002)


def _noise(currency: str, day: date, most: float) -> float:
    return 1 + most * (zlib.crc32(f"{currency}{day}{most}".encode()) % 2001 - 1000) / 1000


def _rounded(value: float, places: int) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
