"""The relay: exactly one process for a released order, however often and by however many it is delivered, killed anywhere."""

import asyncio
from typing import Any, cast

import pytest
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from erp.database import Database
from starters import relay as relay_module
from starters.pace import Pace
from starters.relay import Relay
from tests.activities.world import Shop
from tests.conftest import TestDatabase
from tests.erp.data import add_order, set_order
from tests.workflows.process import Processes, becomes

OUTBOX = (
    "select topic, delivered_at is not null, outcome, attempts from bridge.outbox where merchant_id = :m"
    " and topic <> 'articles.changed' order by outbox_no"
)
PROCESSES = "select document, run, workflow_id, ended_at is not null from bridge.process where merchant_id = :m order by 1, 2"


async def forget_claims(relay_database: Database, merchant: str, delivered: bool = False) -> None:
    """As after a relay that died before it marked its rows: the claims run out."""
    async with relay_database.everyone() as session:
        also = ", delivered_at = null, outcome = null" if delivered else ""
        await session.execute(
            text(f"update bridge.outbox set claimed_until = null{also} where merchant_id = :m"), {"m": merchant}
        )


async def runs(client: Client, merchant: str) -> int:
    found = [w async for w in client.list_workflows(f"Merchant = '{merchant}' AND WorkflowType = 'FulfilSalesOrder'")]
    return len(found)


class Killed(BaseException):
    """The process is gone: nothing after this line happens."""


class Reached:
    """Temporal, reached by a relay that is killed, or cut off, at the moment it starts a process or tells one."""

    def __init__(self, client: Client, before: BaseException | None = None, after: BaseException | None = None) -> None:
        self._client, self._before, self._after = client, before, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_workflow_handle(self, workflow_id: str) -> Any:
        if self._before:
            raise self._before
        return self._client.get_workflow_handle(workflow_id)

    async def start_workflow(self, *args: Any, **named: Any) -> Any:
        if self._before:
            raise self._before
        started = await self._client.start_workflow(*args, **named)
        if self._after:
            raise self._after
        return started


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_relay_killed_anywhere_leaves_exactly_one_process(
    processes: Processes, relay_database: Database, where: str
) -> None:
    shop, client = processes.shop, processes.client
    await add_order(shop.erp, shop.merchant)
    with pytest.raises(Killed):
        await Relay(relay_database, cast(Client, Reached(client, **{where: Killed()}))).deliver_outbox()
    assert (await shop.read(OUTBOX))[0][:3] == ("sales-order.released", False, None)
    assert await processes.relay.deliver_outbox() == 0, "the row is claimed for a while"
    await forget_claims(relay_database, shop.merchant)
    await processes.deliver()
    assert await shop.read(OUTBOX) == [("sales-order.released", True, "started", 2)]
    await processes.reaches("at-warehouse")
    assert await shop.read(PROCESSES) == [("SO-1", 1, shop.key().workflow_id, False)]
    await becomes(lambda: runs(client, shop.merchant), 1)


async def test_five_relays_at_once_start_one_process(processes: Processes, relay_database: Database) -> None:
    shop = processes.shop
    for number in range(4):
        await add_order(shop.erp, shop.merchant, f"SO-{number}")
    relays = [Relay(relay_database, processes.client) for _ in range(5)]
    for _ in range(3):
        await asyncio.gather(*(each.deliver_outbox() for each in relays))
        await forget_claims(relay_database, shop.merchant, delivered=True)
    await processes.deliver()
    assert {row[:3] for row in await shop.read(OUTBOX)} == {("sales-order.released", True, "started")}
    assert len(await shop.read(PROCESSES)) == 4
    await becomes(lambda: runs(processes.client, shop.merchant), 4)


async def test_an_order_that_ran_to_its_end_is_not_started_again_even_when_temporal_has_forgotten_it(
    processes: Processes, relay_database: Database
) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    await processes.look()
    assert await processes.result() == "completed"
    await forget_claims(relay_database, shop.merchant, delivered=True)
    await processes.deliver()
    assert [row[2] for row in await shop.read(OUTBOX)] == ["ended before"]
    await becomes(lambda: runs(processes.client, shop.merchant), 1)


async def test_an_outage_of_temporal_leaves_the_rows_and_their_order(
    processes: Processes, relay_database: Database, skipping: WorkflowEnvironment
) -> None:
    shop = processes.shop
    down = Reached(processes.client, before=RPCError("down", RPCStatusCode.UNAVAILABLE, b""))
    await add_order(shop.erp, shop.merchant)
    await set_order(shop.erp, shop.merchant, "SO-1", note="Ring på")
    await Relay(relay_database, cast(Client, down)).deliver_outbox()
    error = OUTBOX.replace("topic, delivered_at is not null, outcome, attempts", "last_error, delivered_at is null")
    assert await shop.read(error) == [("UNAVAILABLE", True), (None, True)], "the change does not overtake the start"
    await forget_claims(relay_database, shop.merchant)
    await processes.deliver()
    assert [row[1:3] for row in await shop.read(OUTBOX)] == [(True, "started"), (True, "told")]
    await processes.reaches("at-warehouse")


async def test_many_hints_about_one_order_become_one_nudge(processes: Processes, relay_database: Database) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    [(doc_id,)] = await shop.read("select doc_id from bridge.watched where merchant_id = :m")
    async with relay_database.everyone() as session:
        for number in range(20):
            await session.execute(
                text(
                    "insert into bridge.inbox (merchant_id, source, event_id, kind, doc_id)"
                    " values (:m, 'webhook', :e, 'sales-order', :d)"
                ),
                {"m": shop.merchant, "e": f"e{number}", "d": doc_id if number < 19 else 999_999_999},
            )
    await processes.deliver()
    outcomes = "select outcome, count(*) from bridge.inbox where merchant_id = :m group by 1 order by 1"
    assert await shop.read(outcomes) == [("not one of ours", 1), ("told", 19)]
    await becomes(lambda: looks(processes), 1)


async def looks(processes: Processes) -> int:
    history = await processes.of().fetch_history()
    return sum(1 for event in history.events if event.HasField("workflow_execution_signaled_event_attributes"))


async def test_a_hint_after_the_end_starts_nothing_unless_our_books_differ(
    processes: Processes, relay_database: Database
) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    await processes.look()
    assert await processes.result() == "completed"
    async with relay_database.everyone() as session:
        await session.execute(
            text(
                "insert into bridge.inbox (merchant_id, source, event_id, kind, document)"
                " values (:m, 'webhook', 'e1', 'sales-order', 'SO-1')"
            ),
            {"m": shop.merchant},
        )
    await processes.deliver()
    assert await shop.read("select outcome from bridge.inbox where merchant_id = :m") == [("ended; left to the watcher",)]
    assert len(await shop.read(PROCESSES)) == 1


async def test_the_relay_wakes_on_notify_and_delivers_at_once(
    processes: Processes, relay_database: Database, database: TestDatabase
) -> None:
    shop = processes.shop
    stop, woken, calls = asyncio.Event(), asyncio.Event(), 0

    async def deliver() -> int:
        nonlocal calls
        calls += 1
        return await processes.relay.deliver_outbox()

    listening = asyncio.create_task(relay_module._listen(relay_database, {"lagerbro_outbox": woken}, stop))
    working = asyncio.create_task(relay_module._forever(deliver, woken, stop))
    try:
        await add_order(shop.erp, shop.merchant)
        await becomes(lambda: shop.read("select count(*) from bridge.process where merchant_id = :m"), [(1,)])
        await processes.reaches("at-warehouse")
    finally:
        stop.set()
        await working
        listening.cancel()
    assert calls >= 1


async def test_a_signal_for_an_order_without_a_process_is_taken_and_said(
    shop: Shop, skipping: WorkflowEnvironment, relay_database: Database
) -> None:
    await add_order(shop.erp, shop.merchant)
    async with relay_database.everyone() as session:
        await session.execute(
            text("update bridge.outbox set topic = 'sales-order.changed' where merchant_id = :m and topic <> 'articles.changed'"),
            {"m": shop.merchant},
        )
    await Relay(relay_database, skipping.client).deliver_outbox()
    assert [row[1:3] for row in await shop.read(OUTBOX)] == [(True, "no process")]


async def test_a_burst_is_told_in_a_few_signals_its_last_hint_included(processes: Processes, relay_database: Database) -> None:
    shop, clock = processes.shop, [1000.0]
    paced = Relay(relay_database, processes.client, Pace(1.0, lambda: clock[0]))
    await processes.begin()
    await processes.reaches("at-warehouse")
    [(doc_id,)] = await shop.read("select doc_id from bridge.watched where merchant_id = :m")
    for number in range(60):
        await hint(relay_database, shop.merchant, f"b{number}", "sales-order", doc_id)
        await paced.drain_inbox()
        clock[0] += 0.03
    waiting = "select count(*) from bridge.inbox where merchant_id = :m and applied_at is null"
    assert (await shop.read(waiting))[0][0] > 0, "the end of the burst is held back, not dropped"
    assert 0 < paced.until_due() <= 1
    assert await looks(processes) == 3
    clock[0] += paced.until_due()
    await paced.drain_inbox()
    assert await shop.read(waiting) == [(0,)]
    assert await looks(processes) == 4 <= 60 / 8


async def test_a_relay_that_dies_while_it_holds_hints_back_loses_none(processes: Processes, relay_database: Database) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    [(doc_id,)] = await shop.read("select doc_id from bridge.watched where merchant_id = :m")
    dying = Relay(relay_database, processes.client, Pace(1000.0))
    for number in range(3):
        await hint(relay_database, shop.merchant, f"d{number}", "sales-order", doc_id)
        await dying.drain_inbox()
    outcomes = "select outcome, count(*) from bridge.inbox where merchant_id = :m group by 1 order by 1"
    assert await shop.read(outcomes) == [("told", 2), (None, 1)]
    async with relay_database.everyone() as session:
        await session.execute(text("update bridge.inbox set claimed_until = null where merchant_id = :m"), {"m": shop.merchant})
    await processes.deliver()
    assert await shop.read(outcomes) == [("told", 3)]


async def test_hints_of_other_kinds_wait_for_nobody_and_reach_no_order_of_the_same_id(
    processes: Processes, relay_database: Database
) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    [(doc_id,)] = await shop.read("select doc_id from bridge.watched where merchant_id = :m")
    for kind in ("purchase-order", "movement", "inventory"):
        await hint(relay_database, shop.merchant, kind, kind, doc_id)
    await processes.deliver()
    outcomes = "select kind, outcome from bridge.inbox where merchant_id = :m order by kind"
    nobody = "no process of this kind yet"
    assert await shop.read(outcomes) == [("inventory", nobody), ("movement", nobody), ("purchase-order", "not one of ours")]
    assert await looks(processes) == 0


async def hint(relay_database: Database, merchant: str, event: str, kind: str, doc_id: int) -> None:
    """One row of the inbox, as the intake writes it."""
    async with relay_database.everyone() as session:
        await session.execute(
            text("insert into bridge.inbox (merchant_id, source, event_id, kind, doc_id) values (:m, 'webhook', :e, :k, :d)"),
            {"m": merchant, "e": event, "k": kind, "d": doc_id},
        )


async def test_hints_outlast_an_outage_of_temporal(processes: Processes, relay_database: Database) -> None:
    shop = processes.shop
    down = Reached(processes.client, before=RPCError("down", RPCStatusCode.UNAVAILABLE, b""))
    await processes.begin()
    await processes.reaches("at-warehouse")
    [(doc_id,)] = await shop.read("select doc_id from bridge.watched where merchant_id = :m")
    await hint(relay_database, shop.merchant, "e-1", "sales-order", doc_id)
    await Relay(relay_database, cast(Client, down)).drain_inbox()
    waiting = "select count(*) from bridge.inbox where merchant_id = :m and applied_at is null"
    assert await shop.read(waiting) == [(1,)]
    async with relay_database.everyone() as session:
        await session.execute(text("update bridge.inbox set claimed_until = null where merchant_id = :m"), {"m": shop.merchant})
    await processes.deliver()
    assert await shop.read(waiting) == [(0,)]
    assert await looks(processes) == 1
