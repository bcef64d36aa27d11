"""Fetching exchange rates from both banks: what is believed is stored once, what is not is named, and outages leave no hole."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio

from activities.errors import Waiting
from activities.rates import Banks, ExchangeRates, FetchRates, RateConfirmation, RatesFetched
from clients.ecb import EcbClient
from clients.errors import Unavailable
from clients.riksbank import RiksbankClient
from clients.transport import new_http
from domain.banking_days import banking_days
from domain.errors import Refused
from domain.rates import Quote
from erp.database import Database
from erp.merchants import save_settings
from erp.rates import Checked, database_now, rate_for, store
from tests.activities.world import Control
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, insert, read

D = Decimal
STOCKHOLM = ZoneInfo("Europe/Stockholm")
MONDAY = date(2026, 3, 16)


@dataclass
class Fetching:
    """A merchant, two workers that fetch its rates, both banks, and the day it is."""

    merchant: str
    erp: Database
    verify: Database
    app: Database
    bank: Control
    workers: Sequence[ExchangeRates] = ()
    now: datetime = field(default_factory=lambda: datetime(2026, 3, 16, 17, 30, tzinfo=STOCKHOLM))

    async def at(self, moment: str) -> None:
        """It is that time, here and at the banks."""
        self.now = datetime.fromisoformat(moment).replace(tzinfo=STOCKHOLM)
        await self.bank("PUT", "clock", {"now": moment, "frozen": True})

    async def settings(self, **settings: Any) -> None:
        async with self.app.merchant(self.merchant) as session:
            await save_settings(session, self.merchant, {"rate_currencies": ["EUR", "USD"]} | settings, "test")

    async def quote(self, value: str | None, currency: str = "EUR", on: date = MONDAY, bank: str = "riksbank") -> None:
        await self.bank("PUT", "quotes", {"bank": bank, "currency": currency, "date": str(on), "value": value})

    async def fetch(self, *confirmed: RateConfirmation, worker: int = 0) -> RatesFetched:
        return await self.workers[worker].fetch_exchange_rates(FetchRates(self.merchant, list(confirmed)))

    async def rows(self, currency: str = "EUR") -> list[tuple[Any, ...]]:
        statement = (
            "select rate_date, revision, value, units, checked_by from erp.exchange_rate"
            " where merchant_id = :m and currency = :c order by 1, 2"
        )
        return await read(self.verify, statement, m=self.merchant, c=currency)

    async def last(self, currency: str = "EUR") -> tuple[Any, ...]:
        return (await self.rows(currency))[-1]

    async def asked(self, since: int = 0) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.bank("GET", f"log?since={since}")
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def fetching(
    database: TestDatabase, erp: Database, verify: Database, http: httpx.AsyncClient, riksbank_simulator: str
) -> AsyncIterator[Fetching]:
    app = Database(database.url("app"), pool_size=10)
    made = Fetching(await add_merchant(erp), erp, verify, app, Control(riksbank_simulator, http))
    made.workers = [new_worker(app, riksbank_simulator, lambda: made.now) for _ in range(2)]
    await made.at("2026-03-16T17:30")
    before = await made.bank("GET", "settings")
    await made.settings()
    yield made
    await made.bank("PUT", "settings", before)
    await made.bank("DELETE", "quotes")
    await made.bank("DELETE", "faults")
    await made.bank("PUT", "clock", None)
    for worker in made.workers:
        await worker.aclose()
    await app.close()


def new_worker(app: Database, address: str, clock: Callable[[], datetime], remember: float = 0.0) -> ExchangeRates:
    riksbank = RiksbankClient(new_http(f"{address}/swea/v1"), deadline=6)
    ecb = EcbClient(new_http(f"{address}/stats/eurofxref"), deadline=6)
    return ExchangeRates(app, Banks(riksbank, ecb, remember, clock))


async def once(f: Fetching) -> None:
    await f.fetch()


async def twice(f: Fetching) -> None:
    await f.fetch()
    assert (await f.fetch(worker=1)).added == 0


async def eight_at_once(f: Fetching) -> None:
    found = await asyncio.gather(*(f.fetch(worker=n % 2) for n in range(8)))
    assert sum(each.added for each in found) == 2 * len(banking_days(MONDAY - timedelta(days=30), MONDAY))


@pytest.mark.parametrize("often", [once, twice, eight_at_once], ids=lambda often: often.__name__)
async def test_every_banking_day_is_stored_once(fetching: Fetching, often: Callable[[Fetching], Awaitable[None]]) -> None:
    await often(fetching)
    for currency in ("EUR", "USD"):
        found = await fetching.rows(currency)
        assert [row[0] for row in found] == banking_days(MONDAY - timedelta(days=30), MONDAY)
        assert {row[1:2] + row[3:] for row in found} == {(1, 1, "ecb")}


async def test_the_currencies_are_those_of_suppliers_purchases_and_settings(fetching: Fetching) -> None:
    supplier = {"merchant_id": fetching.merchant, "supplier_number": "S-1", "name": "Lieferant", "currency": "GBP"}
    purchase = {"merchant_id": fetching.merchant, "purchase_order_number": "PO-1", "supplier_number": "S-1", "currency": "NOK"}
    async with fetching.erp.everyone() as session:
        await insert(session, "erp.supplier", supplier)
        await insert(session, "erp.purchase_order", purchase)
    assert (await fetching.fetch()).currencies == 4
    assert len(await fetching.rows("GBP")) == len(await fetching.rows("NOK")) > 20


async def test_a_merchant_with_kronor_only_asks_nobody(fetching: Fetching) -> None:
    await fetching.settings(rate_currencies=[])
    before = len(await fetching.asked())
    assert (await fetching.fetch()) == RatesFetched(MONDAY, 0, 0)
    assert len(await fetching.asked()) == before


async def test_after_days_of_outage_over_easter_every_banking_day_is_filled(fetching: Fetching) -> None:
    await fetching.fetch()
    async with fetching.bank.fault("GET /swea/v1/*", "http", count=None, status=503):
        for day in ("2026-03-17", "2026-04-01", "2026-04-06"):
            await fetching.at(f"{day}T17:30")
            with pytest.raises(Unavailable):
                await fetching.fetch()
    await fetching.at("2026-04-08T17:30")
    before = (await fetching.asked())[-1]["n"]
    await fetching.fetch()
    assert [row[0] for row in await fetching.rows()] == banking_days(MONDAY - timedelta(days=30), date(2026, 4, 8))
    assert len(await fetching.asked(before)) == 2 + 2, "one call for each currency and bank"


@pytest.mark.parametrize("empty", ["204", "[]"])
async def test_on_a_bank_holiday_nothing_is_missed(fetching: Fetching, empty: str) -> None:
    await fetching.bank("PUT", "settings", {"emptySpan": empty})
    await fetching.at("2026-04-06T20:00")
    assert (await fetching.fetch()).up_to == date(2026, 4, 2)


async def test_a_late_rate_is_waited_for_by_name_and_soon(fetching: Fetching) -> None:
    await fetching.quote(None)
    with pytest.raises(Waiting, match=r"^EUR 2026-03-16: not published; the last is of 2026-03-13$") as late:
        await fetching.fetch()
    assert (late.value.code, late.value.seconds) == ("exchange-rate-missing", 120.0)
    assert (await fetching.last("USD"))[0] == MONDAY
    await fetching.quote("11.1900")
    await fetching.fetch()
    assert (await fetching.last())[:3] == (MONDAY, 1, D("11.19"))


async def test_a_day_that_never_got_a_rate_is_not_waited_for_once_a_later_one_is_there(fetching: Fetching) -> None:
    await fetching.quote(None)
    await fetching.at("2026-03-17T17:30")
    assert (await fetching.fetch()).up_to == date(2026, 3, 17)
    assert [row[0].day for row in (await fetching.rows())[-2:]] == [13, 17]


async def test_a_series_that_has_ended_is_named(fetching: Fetching) -> None:
    await fetching.settings(rate_currencies=["BGN", "EUR"])
    with pytest.raises(Waiting, match="BGN 2026-03-16: not published; the last is of no day at all"):
        await fetching.fetch()
    assert (await fetching.last())[0] == MONDAY


async def test_a_currency_that_the_bank_does_not_know_is_named(fetching: Fetching) -> None:
    await fetching.settings(rate_currencies=["AED"])
    with pytest.raises(Waiting, match="AED 2026-03-16: not published"):
        await fetching.fetch()


async def test_one_krona_for_a_euro_is_refused_by_name_and_the_others_are_stored(fetching: Fetching) -> None:
    await fetching.quote("1.0")
    with pytest.raises(Refused, match=r"^EUR 2026-03-16: 1.0+ kronor for 1 is 9\d\.\d % off the other bank's") as refused:
        await fetching.fetch()
    assert refused.value.code == "exchange-rate-implausible"
    assert "not published" not in str(refused.value)
    assert (await fetching.last())[0] == date(2026, 3, 13)
    assert (await fetching.last("USD"))[0] == MONDAY


async def test_a_jump_is_seen_within_one_fetch_also_when_both_banks_make_it(fetching: Fetching) -> None:
    await fetching.quote("14.2000")
    await fetching.quote("14.2100", currency="SEK", bank="ecb")
    with pytest.raises(Refused, match=r"EUR 2026-03-16: 14\.2.* is a jump of 2\d\.\d %"):
        await fetching.fetch()
    assert (await fetching.last())[0] == date(2026, 3, 13)


async def test_what_a_person_confirms_is_stored_with_the_name_and_in_the_audit_log(fetching: Fetching) -> None:
    await fetching.quote("1.0")
    wrong = RateConfirmation("anna", "seen it", "EUR", MONDAY, D("1.1"))
    with pytest.raises(Refused):
        await fetching.fetch(wrong)
    right = RateConfirmation("anna", "devaluation, see the news", "EUR", MONDAY, D("1"))
    await fetching.fetch(right)
    await fetching.fetch(right, worker=1)
    assert (await fetching.last())[:3] + (await fetching.last())[4:] == (MONDAY, 1, D("1.0"), "person")
    audit = "select actor, action, document, reason from bridge.audit where merchant_id = :m"
    found = await read(fetching.verify, audit, m=fetching.merchant)
    assert [row[:2] + row[3:] for row in found] == [("anna", "confirm-rate", "devaluation, see the news")]


async def test_a_rate_for_a_hundred_is_told_from_one_for_one(fetching: Fetching) -> None:
    await fetching.bank("PUT", "settings", {"per100": ["JPY"]})
    await fetching.settings(rate_currencies=["JPY"])
    with pytest.raises(Refused, match=r"JPY .* the unit is wrong, see rate_units"):
        await fetching.fetch()
    await fetching.settings(rate_currencies=["JPY"], rate_units={"JPY": 100})
    await fetching.fetch()
    async with fetching.app.merchant(fetching.merchant) as session:
        used = await rate_for(session, fetching.merchant, "SEK", "JPY", MONDAY)
    assert D("0.06") < used.rate < D("0.08")


async def test_a_correction_by_the_bank_is_a_new_revision_and_the_old_one_stays(fetching: Fetching) -> None:
    await fetching.fetch()
    old = await fetching.last()
    await fetching.quote("11.4000")
    await asyncio.gather(*(fetching.fetch(worker=n % 2) for n in range(8)))
    assert (await fetching.rows())[-2:] == [old, (MONDAY, 2, D("11.4"), 1, "ecb")]


async def test_an_old_answer_that_comes_late_corrects_nothing(fetching: Fetching) -> None:
    async with fetching.app.merchant(fetching.merchant) as session:
        before = await database_now(session)
    await fetching.fetch()
    late = Checked(Quote("EUR", MONDAY, D("11.0")), "ecb")
    async with fetching.app.merchant(fetching.merchant) as session:
        assert await store(session, fetching.merchant, "EUR", [late], before) == 0
        assert await store(session, fetching.merchant, "EUR", [late], await database_now(session)) == 1


async def test_without_the_other_bank_our_own_last_rate_speaks_for_the_new_one(fetching: Fetching) -> None:
    await fetching.fetch()
    await fetching.at("2026-03-17T17:30")
    async with fetching.bank.fault("GET /stats/*", "html-200", count=None):
        await fetching.fetch()
    assert (await fetching.last())[0::4] == (date(2026, 3, 17), "previous")


async def test_the_first_rates_of_all_need_the_other_banks_word(fetching: Fetching) -> None:
    async with fetching.bank.fault("GET /stats/*", "http", count=None, status=503):
        with pytest.raises(Unavailable):
            await fetching.fetch()
    await fetching.bank("PUT", "settings", {"ecbLacksSek": True})
    with pytest.raises(Refused, match=r"EUR .* there is nothing to compare it with"):
        await fetching.fetch()
    assert await fetching.rows() == []


@pytest.mark.parametrize("switch", [{"valueAsString": True}, {"duplicateDates": True}])
async def test_odd_answers_that_say_the_same_are_taken(fetching: Fetching, switch: dict[str, Any]) -> None:
    await fetching.bank("PUT", "settings", switch)
    await fetching.fetch()
    assert (await fetching.last())[0] == MONDAY


async def test_a_rate_of_a_day_to_come_is_refused(fetching: Fetching) -> None:
    await fetching.bank("PUT", "settings", {"futureDate": True})
    with pytest.raises(Refused, match=r"EUR 2026-04-15: .* is of a day to come"):
        await fetching.fetch()
    assert (await fetching.last())[0] == MONDAY


@pytest.mark.parametrize("kind", ["lost-answer", "truncated", "html-200", "empty-200", "rate-limited", "drip"])
async def test_an_answer_that_is_spoiled_stores_nothing_and_the_repeat_everything(fetching: Fetching, kind: str) -> None:
    async with fetching.bank.fault("GET /swea/v1/*", kind, seconds=12):
        with pytest.raises(Unavailable):
            await fetching.fetch()
        assert await fetching.rows() == []
    await fetching.fetch()
    assert (await fetching.last())[0] == MONDAY


async def test_one_answer_serves_every_merchant(fetching: Fetching) -> None:
    worker = new_worker(fetching.app, fetching.bank.address, lambda: fetching.now, remember=60)
    before = (await fetching.asked() or [{"n": 0}])[-1]["n"]
    for _ in range(3):
        merchant = await add_merchant(fetching.erp)
        async with fetching.app.merchant(merchant) as session:
            await save_settings(session, merchant, {"rate_currencies": ["EUR"]}, "test")
        assert (await worker.fetch_exchange_rates(FetchRates(merchant))).added > 20
    assert len(await fetching.asked(before)) == 2
    await worker.aclose()


async def test_without_an_address_the_setting_is_named(fetching: Fetching) -> None:
    nowhere = ExchangeRates(fetching.app, Banks(None, None))
    with pytest.raises(Refused, match="LAGERBRO_RIKSBANK_URL is not set"):
        await nowhere.fetch_exchange_rates(FetchRates(fetching.merchant))


async def test_a_document_gets_the_rate_of_its_day_or_a_refusal_that_names_the_currency(fetching: Fetching) -> None:
    await fetching.quote("11.2000", on=date(2026, 3, 13))
    await fetching.fetch()
    async with fetching.app.merchant(fetching.merchant) as session:
        used = await rate_for(session, fetching.merchant, "SEK", "EUR", date(2026, 3, 15))
        assert (used.rate, used.rate_date, used.provisional) == (D("11.2000000000"), date(2026, 3, 13), False)
        assert (await rate_for(session, fetching.merchant, "SEK", "SEK", MONDAY)).rate == 1
        with pytest.raises(Refused, match="CHF 2026-03-16: no exchange rate"):
            await rate_for(session, fetching.merchant, "SEK", "CHF", MONDAY)
        with pytest.raises(Refused, match="EUR 2026-04-20: no exchange rate"):
            await rate_for(session, fetching.merchant, "SEK", "EUR", date(2026, 4, 20))


async def test_books_in_euro_need_the_euros_own_rate_too(fetching: Fetching) -> None:
    merchant = await add_merchant(fetching.erp, currency="EUR", country="FI")
    async with fetching.app.merchant(merchant) as session:
        await save_settings(session, merchant, {"rate_currencies": ["USD", "SEK"]}, "test")
    await fetching.workers[0].fetch_exchange_rates(FetchRates(merchant))
    async with fetching.app.merchant(merchant) as session:
        used = await rate_for(session, merchant, "EUR", "USD", MONDAY)
    assert D("0.8") < used.rate < D("1.0")
