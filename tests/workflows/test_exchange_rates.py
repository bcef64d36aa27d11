"""The daily fetch on a real server, with the product's workers: it waits, says why, goes on by itself, and hears a person."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from activities.rates import RateConfirmation, RatesFetched
from domain.rates import expected_day
from erp.database import Database
from erp.merchants import save_settings
from starters.schedules import every_day
from tests.activities.world import Control
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, read
from tests.workflows.process import LosesFirstAnswers, becomes, working
from worker.codec import data_converter
from worker.keyring import KeyRing
from worker.settings import Settings
from workflows import attributes, options
from workflows.exchange_rates import FetchExchangeRates, RatesKey
from workflows.patient import Correction

ROWS = "select currency, max(rate_date) from erp.exchange_rate where merchant_id = :m group by 1 order by 1"
STANDING = "select code, detail from bridge.exception where merchant_id = :m and closed_at is null"


def due() -> date:
    """The last day whose rate must be there by now."""
    return expected_day(datetime.now(ZoneInfo("Europe/Stockholm")))


@dataclass
class Rates:
    """One merchant's fetches."""

    merchant: str
    verify: Database
    bank: Control
    client: Client
    environment: WorkflowEnvironment

    async def start(self) -> WorkflowHandle[Any, RatesFetched]:
        return await self.client.start_workflow(
            FetchExchangeRates.run,
            RatesKey(self.merchant),
            id=f"rates/{self.merchant}",
            task_queue=options.ORDERS_QUEUE,
            search_attributes=attributes.at_start(self.merchant, self.merchant, "fetching", datetime.now(UTC)),
        )

    async def blocked_by(self, handle: WorkflowHandle[Any, Any], code: str | None) -> None:
        async def reason() -> Any:
            return (await handle.describe()).typed_search_attributes.get(attributes.BLOCKED_REASON)

        await becomes(reason, code)

    async def quote(self, value: str | None, currency: str = "EUR") -> None:
        await self.bank("PUT", "quotes", {"bank": "riksbank", "currency": currency, "date": str(due()), "value": value})

    async def rows(self) -> list[tuple[Any, ...]]:
        return await read(self.verify, ROWS, m=self.merchant)

    async def standing(self) -> list[tuple[Any, ...]]:
        return await read(self.verify, STANDING, m=self.merchant)

    async def result(self, handle: WorkflowHandle[Any, RatesFetched]) -> RatesFetched:
        async with asyncio.timeout(20):
            return await handle.result()


@pytest.fixture(scope="module")
def rate_settings(skipping_settings: Settings, riksbank_simulator: str) -> Settings:
    """What a worker is told about the banks, on the server whose clock is moved by hand."""
    return skipping_settings.model_copy(
        update={"riksbank_url": f"{riksbank_simulator}/swea/v1", "ecb_url": f"{riksbank_simulator}/stats/eurofxref"}
    )


@pytest_asyncio.fixture(loop_scope="session")
async def rates(
    database: TestDatabase,
    erp: Database,
    verify: Database,
    http: httpx.AsyncClient,
    skipping: WorkflowEnvironment,
    rate_settings: Settings,
    riksbank_simulator: str,
    key_ring: KeyRing,
) -> AsyncIterator[Rates]:
    merchant = await add_merchant(erp)
    app = Database(database.url("app"), pool_size=2)
    async with app.merchant(merchant) as session:
        await save_settings(session, merchant, {"rate_currencies": ["EUR", "USD"]}, "test")
    await app.close()
    bank = Control(riksbank_simulator, http)
    async with working(skipping.client, database.url("app"), key_ring, rate_settings):
        yield Rates(merchant, verify, bank, skipping.client, skipping)
    await bank("DELETE", "quotes")
    await bank("DELETE", "faults")


async def test_rates_are_fetched_and_the_process_ends(rates: Rates) -> None:
    found = await rates.result(await rates.start())
    assert (found.up_to, found.currencies) == (due(), 2)
    assert await rates.rows() == [("EUR", due()), ("USD", due())]


async def test_an_outage_of_days_is_shown_and_ends_by_itself(rates: Rates) -> None:
    async with rates.bank.fault("GET /swea/v1/*", "http", count=None, status=503):
        handle = await rates.start()
        await rates.environment.fast_forward(handle, timedelta(minutes=11))
        await rates.blocked_by(handle, "no-answer")
        await rates.environment.fast_forward(handle, timedelta(days=2))
        [(code, detail)] = await rates.standing()
        assert code == "no-answer"
        assert "503" in detail
    await rates.environment.fast_forward(handle, timedelta(minutes=31))
    assert (await rates.result(handle)).up_to == due()
    assert await rates.standing() == []


async def test_a_rate_that_is_late_is_named_and_goes_on_when_it_comes(rates: Rates) -> None:
    await rates.quote(None, "USD")
    handle = await rates.start()
    await rates.environment.fast_forward(handle, timedelta(minutes=11))
    await rates.blocked_by(handle, "exchange-rate-missing")
    assert f"USD {due()}: not published" in (await rates.standing())[0][1]
    await rates.bank("DELETE", "quotes")
    update: Any = FetchExchangeRates.retry_now
    await handle.execute_update(update, Correction("anna", "it is there now"))
    assert (await rates.result(handle)).up_to == due()
    assert await rates.standing() == []


async def test_one_krona_for_a_euro_blocks_until_a_person_confirms_or_the_bank_corrects(rates: Rates) -> None:
    await rates.quote("1.0")
    handle = await rates.start()
    await rates.blocked_by(handle, "exchange-rate-implausible")
    assert (await rates.standing())[0][1].startswith(f"EUR {due()}: 1.0")
    assert ("USD", due()) in await rates.rows(), "the other currency is there all the same"
    confirm: Any = FetchExchangeRates.confirm_rate
    for wrong in (
        RateConfirmation("anna", "right", "USD", due(), Decimal(1)),
        RateConfirmation("", "right", "EUR", due(), Decimal(1)),
        RateConfirmation("anna", "no database keeps a \0", "EUR", due(), Decimal(1)),
        RateConfirmation("anna", "right", "EUR", due(), Decimal(0)),
    ):
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(confirm, wrong)
    await handle.signal("confirm_rate", {"by": "anna", "currency": "nonsense"})
    said = await handle.execute_update(confirm, RateConfirmation("anna", "a new krona", "EUR", due(), Decimal("1.0")))
    assert said == f"EUR {due()} 1.0 is taken as right, and tried again"
    assert (await rates.result(handle)).up_to == due()
    assert ("EUR", due()) in await rates.rows()
    assert await rates.standing() == []


async def test_the_bank_corrects_itself_and_nobody_need_do_anything(rates: Rates) -> None:
    await rates.quote("1.0")
    handle = await rates.start()
    await rates.blocked_by(handle, "exchange-rate-implausible")
    await rates.bank("DELETE", "quotes")
    await rates.environment.fast_forward(handle, timedelta(minutes=31))
    assert (await rates.result(handle)).up_to == due()


async def test_a_signal_confirms_as_the_update_does(rates: Rates) -> None:
    await rates.quote("1.0")
    handle = await rates.start()
    await rates.blocked_by(handle, "exchange-rate-implausible")
    given = {"by": "anna", "reason": "a new krona", "currency": "EUR", "on": str(due()), "value": "1.0"}
    await handle.signal("confirm_rate", given)
    assert (await rates.result(handle)).added == 1


async def test_the_outcome_is_the_same_when_the_first_answer_is_lost(
    rates: Rates, database: TestDatabase, key_ring: KeyRing, rate_settings: Settings, settings: Settings
) -> None:
    losing = LosesFirstAnswers()
    told = rate_settings.model_copy(update={"temporal": settings.temporal})
    client = await Client.connect(
        settings.temporal["TEMPORAL_ADDRESS"], data_converter=data_converter(told), interceptors=[losing]
    )
    async with working(client, database.url("app"), key_ring, told):
        rates.client = client
        found = await rates.result(await rates.start())
    assert losing.lost == ["fetch_exchange_rates"]
    assert (found.currencies, found.added) == (2, 0)
    assert await rates.rows() == [("EUR", due()), ("USD", due())]
    await asyncio.sleep(0.3)  # the SDK may crash a process whose clients end at once


async def test_a_schedule_fetches_at_once_and_a_pause_survives_a_new_connection(rates: Rates) -> None:
    async def connect() -> None:
        name, key = f"rates/{rates.merchant}", RatesKey(rates.merchant)
        await every_day(
            rates.client, name, FetchExchangeRates.run, key, 17, "Europe/Stockholm", rates.merchant, minute=5, at_once=True
        )

    await connect()
    await becomes(rates.rows, [("EUR", due()), ("USD", due())])
    handle = rates.client.get_schedule_handle(f"rates/{rates.merchant}")
    await handle.pause(note="the bank moves house")
    await connect()
    found = (await handle.describe()).schedule
    assert (found.state.paused, found.state.note) == (True, "the bank moves house")
    assert found.spec.time_zone_name == "Europe/Stockholm"
    await handle.delete()
