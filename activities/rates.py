"""What we ask of the banks: a merchant's exchange rates, checked before they are stored.

A fetch reads a span that overlaps what is known: it fills whatever an outage has left out and sees what the bank has corrected.
One currency that is not believed, or not there, never keeps the others: they are stored first, then it is named.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.errors import Waiting
from clients.ecb import EcbClient, Rates
from clients.errors import NotFound, Rejected, Unavailable
from clients.riksbank import RiksbankClient
from domain.errors import Refused
from domain.money import rounded
from domain.rates import OLDEST, PUBLISHED, Limits, Quote, ambiguous, doubt, expected_day
from erp import rates
from erp.article_costs import recalculate
from erp.database import Database
from erp.merchants import Merchant, load_merchant
from erp.rates import Checked

STOCKHOLM = ZoneInfo("Europe/Stockholm")
OVERLAP = timedelta(days=7)
DAYS_IN_SHORT_FILE = timedelta(days=85)
SOON, LATER = 120.0, 1800.0
MOST_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class RateConfirmation:
    """What a person decides about a rate that is not believed: it is right, just as it was published."""

    by: str
    reason: str
    currency: str
    on: date
    value: Decimal


@dataclass(frozen=True, slots=True)
class FetchRates:
    """Whose rates to fetch, and what people have confirmed."""

    merchant: str
    confirmed: list[RateConfirmation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RatesFetched:
    """Up to which day the rates are there, for how many currencies, and how many rows this attempt added."""

    up_to: date
    currencies: int
    added: int


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Banks:
    """The two banks; None where no address is set. `remember`: how many seconds a whole answer serves other merchants too."""

    riksbank: RiksbankClient | None
    ecb: EcbClient | None
    remember: float = 600.0
    clock: Callable[[], datetime] = utc_now


class ExchangeRates:
    """Fetches rates. Safe to repeat, at any time, by several workers at once."""

    def __init__(self, database: Database, banks: Banks) -> None:
        self._database = database
        self._banks = banks
        self._remembered: dict[tuple[str, date, date], tuple[float, list[tuple[date, Decimal]]]] = {}
        self._other: tuple[float, bool, Rates] | None = None

    async def aclose(self) -> None:
        """Close both clients."""
        for client in (self._banks.riksbank, self._banks.ecb):
            if client is not None:
                await client.aclose()

    @activity.defn
    async def fetch_exchange_rates(self, asked: FetchRates) -> RatesFetched:
        """Store every rate up to today that is believed, and the calculated costs that follow. Refuses naming each currency that
        is not; waits for one that is late."""
        now = self._banks.clock().astimezone(STOCKHOLM)
        due = expected_day(now)
        async with self._database.merchant(asked.merchant) as session:
            merchant = await load_merchant(session, asked.merchant)
            wanted = merchant.settings.rate_currencies
            currencies = await rates.wanted_currencies(session, asked.merchant, merchant.currency, wanted)
        refused: list[str] = []
        late: list[str] = []
        added = 0
        for currency in currencies:
            count, newest, doubts = await self._fetch(merchant, currency, now.date(), due, asked.confirmed)
            added += count
            refused += doubts
            if not doubts and (newest is None or newest < due):
                late.append(f"{currency} {due}: not published; the last is of {newest or 'no day at all'}")
        async with self._database.merchant(asked.merchant) as session:
            await recalculate(session, merchant, now.date())
        if refused:
            raise Refused("exchange-rate-implausible", "; ".join(refused + late))
        if late:
            soon = now.date() == due and now.hour <= PUBLISHED.hour
            raise Waiting("exchange-rate-missing", "; ".join(late), SOON if soon else LATER)
        return RatesFetched(due, len(currencies), added)

    async def _fetch(
        self, merchant: Merchant, currency: str, today: date, due: date, confirmed: Sequence[RateConfirmation]
    ) -> tuple[int, date | None, list[str]]:
        """One currency: how many rows were added, the last day that is there, and what is not believed."""
        async with self._database.merchant(merchant.merchant_id) as session:
            asked_at = await rates.database_now(session)
            newest = await rates.newest(session, merchant.merchant_id, currency)
            first = min((newest or today) - OVERLAP, today - OVERLAP)
            if newest is None:
                first = min(first, today - timedelta(days=merchant.settings.rate_history_days))
            known = await rates.known(session, merchant.merchant_id, currency, first - OLDEST, today)
        units = merchant.settings.rate_units.get(currency, 1)
        published = await self._published(currency, first, today, due)
        quotes = sorted((Quote(currency, day, rounded(value, 8), units) for day, value in published), key=lambda q: q.rate_date)
        if twice := ambiguous(quotes):
            self._remembered.clear()
            return 0, newest, [twice]
        judged = _Judge(known, merchant.settings.rate_limits, today, confirmed)
        others = await self._other_bank(first, has_word=bool(known))
        believed = [checked for quote in quotes if (checked := judged.of(quote, _kronor(others, quote)))]
        if judged.doubts:
            self._remembered.clear()
            self._other = None
        async with self._database.merchant(merchant.merchant_id) as session:
            added = await rates.store(session, merchant.merchant_id, currency, believed, asked_at)
            newest = await rates.newest(session, merchant.merchant_id, currency)
        return added, newest, judged.doubts

    async def _published(self, currency: str, first: date, last: date, due: date) -> list[tuple[date, Decimal]]:
        if self._banks.riksbank is None:
            raise Refused("settings-wrong", f"{currency}: LAGERBRO_RIKSBANK_URL is not set, so no bank can be asked")
        key = (currency, first, last)
        at, found = self._remembered.get(key, (0.0, []))
        if at and time.monotonic() - at < self._banks.remember:
            return found
        try:
            found = await self._banks.riksbank.kronor_for(currency, first, last)
        except NotFound:
            return []
        if found and max(day for day, _ in found) >= due:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = (time.monotonic(), found)
        return found

    async def _other_bank(self, first: date, has_word: bool) -> Rates:
        """The ECB's rates. Its outage is none of ours as long as our own last rate can speak for the new one."""
        if self._banks.ecb is None:
            return {}
        all_years = self._banks.clock().date() - first > DAYS_IN_SHORT_FILE
        if self._other and self._other[1] >= all_years and time.monotonic() - self._other[0] < self._banks.remember:
            return self._other[2]
        try:
            found = await self._banks.ecb.for_one_euro(all_years=all_years)
        except (Unavailable, Rejected):
            if not has_word:
                raise
            return {}
        self._other = (time.monotonic(), all_years, found)
        return found


class _Judge:
    """Goes through quotes from the oldest on; each believed one speaks for the next."""

    def __init__(self, known: Sequence[Quote], limits: Limits, today: date, confirmed: Sequence[RateConfirmation]) -> None:
        self._known = {quote.rate_date: quote for quote in known}
        self._limits = limits
        self._today = today
        self._confirmed = {(each.currency, each.on, each.value): each for each in confirmed}
        self.doubts: list[str] = []

    def of(self, quote: Quote, other: Decimal | None) -> Checked | None:
        """The quote as believed, or None: it is known as it is, or stands among the doubts."""
        day = quote.rate_date
        there = self._known.get(day)
        if there is not None and (there.value, there.units) == (quote.value, quote.units):
            return None
        before = max((known for known in self._known if known < day and day - known <= OLDEST), default=None)
        previous = there or (self._known[before] if before else None)
        if why := doubt(quote, previous, other, self._today, self._limits):
            decided = self._confirmed.get((quote.currency, day, quote.value))
            if decided is None or quote.value <= 0:
                self.doubts.append(why)
                return None
            checked = Checked(quote, "person", other, decided.by, decided.reason)
        else:
            checked = Checked(quote, "ecb" if other is not None else "previous", other)
        self._known[day] = quote
        return checked


def _kronor(others: Rates, quote: Quote) -> Decimal | None:
    """What the other bank makes of one unit in kronor: that day, or its last day within five before."""
    for n in range(6):
        rates_of_day = others.get(quote.rate_date - timedelta(days=n))
        if rates_of_day and "SEK" in rates_of_day:
            one = Decimal(1) if quote.currency == "EUR" else rates_of_day.get(quote.currency)
            if not one or rates_of_day["SEK"] <= 0:
                return None
            with localcontext() as context:
                context.prec = 40
                return rounded(rates_of_day["SEK"] / one, 10)
    return None
