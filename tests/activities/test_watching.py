"""The watcher finds everything even if no webhook ever comes, and says it once; books are only ever moved by a look."""

from typing import Any

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from domain.flows import SWEEP
from erp import flows
from erp.finds import finds
from tests.activities.world import HOW_OFTEN, Shop, again

INBOX = "select source, document from bridge.inbox where merchant_id = :m and applied_at is null order by inbox_no"
FORGET = "update bridge.inbox set applied_at = now()"


async def found(shop: Shop) -> list[tuple[Any, ...]]:
    """What the watcher nudges for now, the inbox emptied first."""
    await emptied(shop)
    await again(shop.worker.watch.find_changes, shop.merchant)
    return await shop.read(INBOX)


async def emptied(shop: Shop) -> None:
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text(FORGET))


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_pick_is_found_and_nudged(shop: Shop, often: Any) -> None:
    await shop.sent()
    await shop.look()
    await again(shop.worker.watch.find_changes, shop.merchant)
    await emptied(shop)
    await shop.floor("pick", lines={1: 1})
    await often(shop.workers, lambda worker: worker.watch.find_changes, shop.merchant)
    assert set(await shop.read(INBOX)) == {("poll", "SO-1")}
    assert await shop.read("select 1 from bridge.booking where merchant_id = :m") == [], "finding books nothing"


async def test_what_our_books_already_hold_is_not_nudged_again(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    await shop.look_until_calm()
    assert await found(shop) == []


async def test_an_unpick_a_status_and_a_return_are_found_too(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick")
    await shop.look()
    await shop.floor("undo-pick", lines={1: 1})
    assert await found(shop) == [("poll", "SO-1")]
    await shop.look()
    await shop.look_until_calm()
    await shop.floor("send")
    assert await found(shop) == [("poll", "SO-1")]


async def test_the_warehouses_other_orders_are_nobody_s(shop: Shop) -> None:
    await shop.sent()
    body = {
        "goodsOwnerId": shop.goods_owner,
        "orderNumber": "MANUAL-1",
        "deliveryDate": "2026-11-25T00:00:00",
        "consignee": {"name": "N", "address1": "G", "postCode": "1", "city": "S", "countryCode": "SE"},
        "orderLines": [{"rowNumber": "1", "articleNumber": "A", "numberOfItems": 9}],
    }
    assert (await shop.call_ongoing("PUT", "orders", body)).status_code in (200, 201)
    await shop.floor("pick", "MANUAL-1")
    await shop.look()
    assert await found(shop) == []


async def test_the_nightly_sweep_compares_every_watched_order_and_goes_on_where_it_stopped(shop: Shop) -> None:
    for number in range(4):
        await shop.sent(f"SO-{number}")
        await shop.look(f"SO-{number}")
    await emptied(shop)
    await shop.floor("pick", "SO-1")
    await shop.floor("pick", "SO-3")
    result = await again(shop.worker.watch.sweep, shop.merchant)
    assert result.nudged == 2
    assert await shop.read(INBOX) == [("sweep", "SO-1"), ("sweep", "SO-3")]
    await emptied(shop)
    [(after,)] = await shop.read("select doc_id from bridge.watched where merchant_id = :m and document = 'SO-1'")
    resumed = ActivityEnvironment()
    import dataclasses

    resumed.info = dataclasses.replace(resumed.info, heartbeat_details=[after, 1])
    assert (await resumed.run(shop.worker.watch.sweep, shop.merchant)).nudged == 2
    assert await shop.read(INBOX) == [("sweep", "SO-3")]


async def test_an_invoice_owed_by_an_order_whose_process_has_ended_is_found(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    await shop.look()
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text("update bridge.process set ended_at = now(), outcome = 'completed'"))
    assert ("orphan", "SO-1") in await found(shop)


async def test_a_flow_that_is_switched_off_calls_nobody(shop: Shop) -> None:
    await again(shop.worker.watch.find_changes, shop.merchant)
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text("update bridge.entity set enabled = false where flow = 'orders-back'"))
    async with shop.ongoing.fault("GET *", "http", count=0, status=500):
        result = await again(shop.worker.watch.find_changes, shop.merchant)
    assert (result.nudged, result.sweep_due) == (0, False)


async def test_the_sweep_is_due_once_a_night(shop: Shop) -> None:
    await shop.settings(nightly_sweep_hour=0)
    assert (await again(shop.worker.watch.find_changes, shop.merchant)).sweep_due is True
    await again(shop.worker.watch.sweep, shop.merchant)
    assert (await again(shop.worker.watch.find_changes, shop.merchant)).sweep_due is False


@pytest.mark.parametrize("kind", ["html-200", "truncated", "lost-answer", "lost-answer-500", "rate-limited"])
async def test_a_list_that_cannot_be_read_moves_no_watermark(shop: Shop, kind: str) -> None:
    from clients.errors import Unavailable

    await shop.sent()
    mark = "select watermark from bridge.entity where merchant_id = :m and flow = 'orders-back'"
    await again(shop.worker.watch.find_changes, shop.merchant)
    before = await shop.read(mark)
    async with shop.ongoing.fault("GET /orders", kind):
        with pytest.raises(Unavailable):
            await ActivityEnvironment().run(shop.worker.watch.find_changes, shop.merchant)
    assert await shop.read(mark) == before


async def test_a_sweep_is_due_when_somebody_asks_for_one_and_never_while_it_is_off(shop: Shop) -> None:
    database = shop.worker.database
    await shop.settings(nightly_sweep_hour=0)
    await again(shop.worker.watch.find_changes, shop.merchant)
    await again(shop.worker.watch.sweep, shop.merchant)
    async with database.merchant(shop.merchant) as session:
        await flows.ask_to_run(session, shop.merchant, SWEEP, "anna", "after a power cut")
    assert (await again(shop.worker.watch.find_changes, shop.merchant)).sweep_due is True
    async with database.merchant(shop.merchant) as session:
        await flows.switch(session, shop.merchant, SWEEP, False, "anna", "too many calls")
    assert (await again(shop.worker.watch.find_changes, shop.merchant)).sweep_due is False
    async with database.merchant(shop.merchant) as session:
        await flows.switch(session, shop.merchant, SWEEP, True, "anna", "enough again")
    await again(shop.worker.watch.sweep, shop.merchant)
    assert (await again(shop.worker.watch.find_changes, shop.merchant)).sweep_due is False


# --- what only the poll or the sweep found --------------------------------------------------------------------------------


async def figures(shop: Shop) -> tuple[int, int, int]:
    async with shop.verify.everyone() as session:
        [mine] = [each for each in await finds(session) if each.merchant == shop.merchant]
    return mine.webhooks, mine.only_by_poll, mine.only_by_sweep


async def webhook(shop: Shop, event: str, applied: bool) -> None:
    """A hint as the intake and the relay leave it."""
    statement = """
        insert into bridge.inbox (merchant_id, source, event_id, kind, doc_id, applied_at)
        select merchant_id, 'webhook', :e, kind, doc_id, case when :applied then now() end from bridge.watched
    """
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text(statement), {"e": event, "applied": applied})


async def later(shop: Shop, seconds: int = 20) -> None:
    """As when so much time has passed since everything that has happened."""
    for table, column in (
        ("bridge.inbox", "received_at"),
        ("bridge.inbox", "applied_at"),
        ("bridge.watched", "looked_at"),
    ):
        async with shop.worker.database.merchant(shop.merchant) as session:
            await session.execute(text(f"update {table} set {column} = {column} - make_interval(secs => :s)"), {"s": seconds})


async def test_a_pick_that_nobody_told_is_a_find_of_the_poll_and_counted_once(shop: Shop) -> None:
    await shop.sent()
    await shop.look()
    await shop.floor("pick")
    for _ in range(3):
        await again(shop.worker.watch.find_changes, shop.merchant)
        await emptied(shop)
    assert await figures(shop) == (0, 0, 0), "found is what changed our books, and nothing has yet"
    await shop.look()
    assert await figures(shop) == (0, 1, 0)


async def test_what_the_sweep_finds_after_the_poll_had_found_it_is_the_polls(shop: Shop) -> None:
    await shop.sent()
    await shop.look()
    await shop.floor("pick")
    await again(shop.worker.watch.find_changes, shop.merchant)
    await again(shop.worker.watch.sweep, shop.merchant)
    await shop.look()
    assert await figures(shop) == (0, 1, 0)


async def test_what_neither_a_webhook_nor_the_poll_told_is_a_find_of_the_sweep(shop: Shop) -> None:
    await shop.sent()
    await shop.look()
    await shop.floor("pick")
    await again(shop.worker.watch.sweep, shop.merchant)
    await shop.look()
    assert await figures(shop) == (0, 0, 1)


@pytest.mark.parametrize("applied", [True, False], ids=["told and not yet looked at", "in the inbox"])
async def test_what_a_webhook_is_just_telling_is_no_find(shop: Shop, applied: bool) -> None:
    await shop.sent()
    await shop.look()
    await shop.floor("pick")
    await webhook(shop, "e-1", applied)
    await again(shop.worker.watch.find_changes, shop.merchant)
    await again(shop.worker.watch.sweep, shop.merchant)
    await shop.look()
    assert await figures(shop) == (1, 0, 0)


async def test_a_webhook_that_comes_while_the_poll_finds_the_same_is_no_find(shop: Shop) -> None:
    await shop.sent()
    await shop.look()
    await shop.floor("pick")
    await again(shop.worker.watch.find_changes, shop.merchant)
    await webhook(shop, "e-1", True)
    await shop.look()
    assert await figures(shop) == (1, 0, 0)


async def test_a_webhook_of_an_earlier_change_hides_no_find(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick", lines={1: 1})
    await webhook(shop, "e-1", True)
    await shop.look()
    await emptied(shop)
    await later(shop)
    await shop.look()
    await shop.floor("pick", lines={2: 1})
    await again(shop.worker.watch.find_changes, shop.merchant)
    await shop.look()
    assert await figures(shop) == (1, 1, 0)


async def test_a_nudge_that_changed_nothing_found_nothing(shop: Shop) -> None:
    await shop.sent()
    await shop.look()
    await shop.floor("allocate")
    assert await found(shop) == [("poll", "SO-1")]
    await shop.look()
    assert await figures(shop) == (0, 0, 0)
