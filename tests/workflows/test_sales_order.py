"""The life of an order: sent, picked, shipped, invoiced; blocked and mended; through outages and doubled messages."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from erp.database import Database
from starters.relay import Relay
from tests.activities.world import Shop, again
from tests.conftest import TestDatabase
from tests.erp.data import article, insert, line, set_order
from tests.workflows.process import LosesFirstAnswers, Processes, becomes, working
from worker.keyring import KeyRing
from worker.settings import Settings
from workflows import attributes

D = Decimal


async def at_warehouse(processes: Processes, number: str = "SO-1", **columns: Any) -> None:
    await processes.begin(number, **columns)
    await processes.reaches("at-warehouse", number)
    await processes.shop.stock(articles=["A", "B"])


async def invoiced(shop: Shop) -> list[tuple[Decimal, bool, bool]]:
    return [(D(str(each["net"])), each["booked"], each["cancelled"]) for each in await shop.invoices()]


async def test_a_simple_order_runs_to_its_end(processes: Processes) -> None:
    shop = processes.shop
    await at_warehouse(processes, freight=49)
    await shop.floor("pick")
    await processes.look()
    await becomes(lambda: shop.read("select count(*) from bridge.booking where merchant_id = :m"), [(2,)])
    await shop.floor("send")
    await processes.look()
    assert await processes.result() == "completed"
    assert await shop.status() == "completed"
    assert await invoiced(shop) == [(D("90.00"), True, False)]
    assert await shop.read("select outcome from bridge.process where merchant_id = :m") == [("completed",)]
    shown = (await processes.of().describe()).typed_search_attributes
    assert (shown.get(attributes.MERCHANT), shown.get(attributes.DOCUMENT)) == (shop.merchant, "SO-1")
    assert shown.get(attributes.BLOCKED_REASON) is None


@pytest_asyncio.fixture(loop_scope="session")
async def losing(
    shop: Shop,
    skipping: WorkflowEnvironment,
    skipping_settings: Settings,
    database: TestDatabase,
    relay_database: Database,
    key_ring: KeyRing,
) -> AsyncIterator[tuple[Processes, LosesFirstAnswers]]:
    losing = LosesFirstAnswers()
    config = skipping.client.config()
    config["interceptors"] = [losing]
    client = Client(**config)
    async with working(client, database.url("app"), key_ring, skipping_settings):
        made = Processes(shop, client, Relay(relay_database, client), skipping.fast_forward)
        yield made, losing
        await made.end_all()


async def test_the_outcome_is_the_same_when_every_first_answer_is_lost(losing: tuple[Processes, LosesFirstAnswers]) -> None:
    processes, interceptor = losing
    shop = processes.shop
    await processes.begin(lines=[line("A", 3, 10), line("NEW", 2, "5.50")], freight=49)
    await processes.blocked_by("unknown-article")
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "NEW"))
    await processes.deliver()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "NEW"])
    await shop.floor("pick", lines={1: 1})
    await processes.look()
    await becomes(lambda: shop.read("select count(*) from bridge.booking where merchant_id = :m"), [(1,)])
    await shop.floor("pick", lines={1: 2, 2: 2})
    await shop.floor("send")
    await processes.look()
    assert await processes.result(seconds=40) == "completed"
    of_orders = {"open_exception", "close_exceptions", "send_sales_order", "look_at_sales_order", "invoice_shipment"}
    assert of_orders == set(interceptor.lost) - {"send_changed_articles"}
    assert await invoiced(shop) == [(D("90.00"), True, False)]
    bookings = "select line_number, b.step, b.quantity from bridge.booking b join bridge.counted c using (merchant_id, kind, doc_id, line_id, what) where merchant_id = :m order by 1, 2"  # noqa: E501
    assert await shop.read(bookings) == [(1, 1, D(1)), (1, 2, D(2)), (2, 1, D(2))]
    assert await shop.read("select count(*) from erp.shipment where merchant_id = :m") == [(1,)]
    assert await shop.exceptions() == [("stock-below-zero", False)], "NEW had no opening stock"
    assert await shop.picked_and_reported() == {"1": (3.0, 3.0), "2": (2.0, 2.0)}


async def test_a_blocked_order_says_why_and_goes_on_when_told(processes: Processes) -> None:
    shop = processes.shop
    where: dict[str, Any] = {"name": "N", "address1": "G 1", "post_code": None, "city": "S", "country": "SE"}
    await processes.begin(**{f"delivery_{name}": value for name, value in where.items()})
    await processes.blocked_by("missing-address")
    shown = (await processes.of().describe()).typed_search_attributes
    assert shown.get(attributes.WAITING_FOR) == "erp"
    since = shown.get(attributes.BLOCKED_SINCE)
    assert since is not None and abs((datetime.now(UTC) - since).total_seconds()) < 60
    assert await shop.exceptions() == [("missing-address", True)]
    told = await processes.retry("anna", "nothing mended yet")
    assert told == "SO-1 is tried again"
    await becomes(lambda: shop.read("select count(*) from bridge.exception where merchant_id = :m"), [(1,)])
    await processes.blocked_by("missing-address")
    await set_order(shop.erp, shop.merchant, "SO-1", delivery_post_code="111 22")
    await processes.retry("anna", "post code filled in")
    await processes.reaches("at-warehouse")
    await processes.blocked_by(None)
    assert await shop.exceptions() == []
    closed = "select code, closed_by from bridge.exception where merchant_id = :m and closed_at is not null"
    assert await shop.read(closed) == [("missing-address", "lagerbro")]


async def test_a_correction_of_the_erp_is_noticed_without_being_told(processes: Processes) -> None:
    await processes.begin(lines=[line("A"), line("LATER")])
    await processes.blocked_by("unknown-article")
    async with processes.shop.erp.everyone() as session:
        await insert(session, "erp.article", article(processes.shop.merchant, "LATER"))
    await processes.deliver()
    await processes.reaches("at-warehouse")
    await processes.blocked_by(None)


async def test_an_order_that_does_not_stand_still_cannot_be_retried(processes: Processes) -> None:
    await at_warehouse(processes)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await processes.retry("anna", "impatience")
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "makes-no-sense-now"
    assert "there is nothing to retry" in str(refused.value.cause)


async def test_a_retry_of_a_wrong_shape_hurts_nobody(processes: Processes) -> None:
    await processes.begin(lines=[line("A"), line("X")])
    await processes.blocked_by("unknown-article")
    await processes.of().signal("retry_now", {"what": ["ever"]})
    await processes.of().signal("retry_now", "not an object")
    await processes.of().signal("look", {"surplus": True})
    async with processes.shop.erp.everyone() as session:
        await insert(session, "erp.article", article(processes.shop.merchant, "X"))
    await processes.of().signal("retry_now", {"by": "anna"})
    await processes.reaches("at-warehouse")


async def test_an_outage_of_two_days_is_shown_and_heals_by_itself(processes: Processes) -> None:
    shop = processes.shop
    assert processes.fast_forward is not None
    async with shop.ongoing.fault("PUT /orders", "http", count=None, status=503):
        handle = await processes.begin()
        await becomes(lambda: pending_attempts(processes), True)
        await processes.fast_forward(handle, timedelta(minutes=11))
        await processes.blocked_by("no-answer")
        assert await processes.shows(attributes.WAITING_FOR) == "warehouse"
        assert await shop.exceptions() == [("no-answer", True)]
        await processes.fast_forward(handle, timedelta(days=2))
        await processes.blocked_by("no-answer")
    await processes.fast_forward(handle, timedelta(minutes=31))
    await processes.reaches("at-warehouse")
    await processes.blocked_by(None)
    assert await shop.exceptions() == []


async def pending_attempts(processes: Processes) -> bool:
    description = await processes.of().describe()
    return any(pending.attempt > 1 for pending in description.raw_description.pending_activities)


async def test_a_decision_during_a_long_pause_acts_at_once(processes: Processes) -> None:
    shop = processes.shop
    assert processes.fast_forward is not None
    async with shop.ongoing.fault("PUT /orders", "http", count=None, status=503):
        handle = await processes.begin()
        await becomes(lambda: pending_attempts(processes), True)
        await processes.fast_forward(handle, timedelta(minutes=11))
        await processes.blocked_by("no-answer")
        await processes.fast_forward(handle, timedelta(hours=3))
    await processes.retry("anna", "the warehouse is back")
    await processes.reaches("at-warehouse", seconds=10)


async def test_doubled_signals_change_nothing(processes: Processes) -> None:
    shop = processes.shop
    await at_warehouse(processes)
    await shop.floor("pick", lines={1: 1})
    await asyncio.gather(*(processes.look() for _ in range(10)))
    await becomes(lambda: shop.read("select count(*) from bridge.booking where merchant_id = :m"), [(1,)])
    await shop.floor("pick")
    await shop.floor("send")
    await asyncio.gather(*(processes.look() for _ in range(10)))
    assert await processes.result() == "completed"
    assert await invoiced(shop) == [(D("41.00"), True, False)]
    assert len(await shop.read("select 1 from bridge.booking where merchant_id = :m")) == 3


async def test_an_order_waits_for_months_without_a_timer_and_without_cost(processes: Processes) -> None:
    assert processes.fast_forward is not None
    await at_warehouse(processes)
    handle = processes.of()
    await processes.fast_forward(handle, timedelta(days=90))
    description = await handle.describe()
    assert not description.raw_description.pending_activities
    await processes.shop.floor("pick")
    await processes.shop.floor("send")
    await processes.look()
    assert await processes.result() == "completed"


async def test_a_cancelled_order_ends_cancelled_in_the_warehouse_too(processes: Processes) -> None:
    shop = processes.shop
    await at_warehouse(processes)
    await set_order(shop.erp, shop.merchant, "SO-1", cancel_requested_at=datetime.now(UTC))
    await processes.deliver()
    assert await processes.result() == "cancelled"
    assert (await shop.warehouse_order())["orderInfo"]["orderStatus"]["number"] == 1000
    assert await shop.invoices() == []


async def test_a_blocked_order_can_be_cancelled(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin(lines=[line("X")])
    await processes.blocked_by("unknown-article")
    await set_order(shop.erp, shop.merchant, "SO-1", cancel_requested_at=datetime.now(UTC))
    await processes.deliver()
    assert await processes.result() == "cancelled"


async def test_an_unpick_while_the_invoice_is_blocked_is_booked_and_not_held_up(processes: Processes) -> None:
    shop = processes.shop
    await shop.fortnox("PUT", "locked-period", {"tenantId": shop.tenant, "endDate": "2027-12-31"})
    await at_warehouse(processes)
    await shop.floor("pick")
    await shop.floor("send")
    await processes.look()
    await processes.blocked_by("period-locked")
    assert await processes.shows(attributes.WAITING_FOR) == "accounting"
    await shop.floor("undo-pick", lines={1: 2})

    async def watched() -> list[tuple[Any, ...]]:
        await again(shop.worker.watch.find_changes, shop.merchant)
        await processes.deliver()
        return await shop.read("select sum(quantity) from erp.stock_entry where merchant_id = :m and kind = 'pick-reversal'")

    await becomes(watched, [(D(2),)])
    await shop.fortnox("PUT", "locked-period", {"tenantId": shop.tenant, "endDate": None})
    await processes.blocked_by("period-locked")
    await processes.retry("anna", "period unlocked")
    assert await processes.result(seconds=30) == "completed"
    assert await invoiced(shop) == [(D("41.00"), True, False), (D("-20.00"), True, False)]


async def test_a_pick_after_the_end_starts_another_run(processes: Processes) -> None:
    shop = processes.shop
    await at_warehouse(processes)
    await shop.floor("pick", lines={1: 1, 2: 2})
    await shop.floor("send")
    await processes.look()
    assert await processes.result() == "completed"
    await shop.floor("pick", lines={1: 2})
    await shop.floor("send")
    await again(shop.worker.watch.find_changes, shop.merchant)
    await processes.deliver()
    async with asyncio.timeout(20):
        assert await processes.of("SO-1", run=2).result() == "completed"
    assert [net for net, _, _ in await invoiced(shop)] == [D("21.00"), D("20.00")]
    runs = "select run, outcome from bridge.process where merchant_id = :m order by run"
    assert await shop.read(runs) == [(1, "completed"), (2, "completed")]


async def test_an_unpick_after_the_end_starts_another_run_that_credits(processes: Processes) -> None:
    shop = processes.shop
    await at_warehouse(processes)
    await shop.floor("pick")
    await shop.floor("send")
    await processes.look()
    assert await processes.result() == "completed"
    await shop.floor("undo-pick", lines={1: 2})
    await again(shop.worker.watch.find_changes, shop.merchant)
    await processes.deliver()
    async with asyncio.timeout(20):
        assert await processes.of("SO-1", run=2).result() == "completed"
    assert [net for net, _, _ in await invoiced(shop)] == [D("41.00"), D("-20.00")]


async def test_a_change_that_comes_too_late_is_answered_and_the_order_runs_to_its_end(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin(lines=[line("A", 3, 10)])
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A"])
    await shop.floor("pick")
    await shop.change_lines({1: {"quantity": 1}})
    await processes.deliver()
    await becomes(lambda: answered(shop), (2, "lines", None))
    await shop.floor("send")
    await processes.look()
    assert await processes.result() == "completed"
    assert [invoice["net"] for invoice in await shop.invoices()] == [30], "billed as delivered, not as wished for too late"


async def test_an_ended_order_still_answers_a_wish_to_cancel(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin(lines=[line("A", 3, 10)])
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A"])
    await shop.pick_and_send()
    await processes.look()
    assert await processes.result() == "completed"
    await shop.ask_to_cancel()
    await processes.deliver()
    await becomes(lambda: answered(shop), (None, None, "too-late"))
    assert await processes.of(run=2).result() == "completed"


async def answered(shop: Shop) -> tuple[Any, Any, Any]:
    found = await shop.answers()
    return found["version"], found["part"], found["cancel"]


async def test_change_and_cancel_end_the_same_when_every_first_answer_is_lost(
    losing: tuple[Processes, LosesFirstAnswers],
) -> None:
    processes, _ = losing
    shop = processes.shop
    await processes.begin("SO-LOSING", lines=[line("A", 3, 10)])
    await processes.reaches("at-warehouse", "SO-LOSING")
    await shop.change_lines({1: {"quantity": 5}}, "SO-LOSING")
    await processes.deliver()
    await becomes(lambda: held(shop), [(D(5),)])
    await shop.ask_to_cancel("SO-LOSING")
    await processes.deliver()
    assert await processes.result("SO-LOSING", seconds=40) == "cancelled"
    there = await shop.warehouse_order("SO-LOSING")
    assert there["orderInfo"]["orderStatus"]["number"] == 1000
    assert (await shop.answers("SO-LOSING"))["cancel"] == "stopped"


async def held(shop: Shop) -> Any:
    return await shop.read("select quantity from erp.held_line where merchant_id = :m")
