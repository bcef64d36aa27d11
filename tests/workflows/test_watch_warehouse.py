"""The watcher, for ever: at its interval it nudges what differs, it survives an outage, and it can be asked to look now."""

from datetime import timedelta

from temporalio.client import WorkflowHandle

from starters.merchants import start_watching
from tests.workflows.process import Processes, becomes
from workflows import attributes
from workflows.watch_warehouse import WatchWarehouse

NUDGES = "select count(*) from bridge.inbox where merchant_id = :m and source = 'poll'"
RAN = "select count(*) from bridge.entity where merchant_id = :m and flow = 'orders-back' and watermark is not null"


async def watching(processes: Processes) -> WorkflowHandle[WatchWarehouse, None]:
    merchant = processes.shop.merchant
    await start_watching(processes.client, merchant)
    await start_watching(processes.client, merchant)
    await becomes(lambda: processes.shop.read(RAN), [(1,)])
    return processes.client.get_workflow_handle_for(WatchWarehouse.run, f"watch/{merchant}")


async def test_what_nobody_told_is_found_at_the_next_interval_and_the_order_goes_on(processes: Processes) -> None:
    shop = processes.shop
    assert processes.fast_forward is not None
    await processes.begin()
    await processes.reaches("at-warehouse")
    handle = await watching(processes)
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    await processes.fast_forward(handle, timedelta(seconds=61))

    async def ended() -> str:
        await processes.deliver()
        return await shop.status()

    await becomes(ended, "completed")
    assert await processes.result() == "completed"
    await handle.terminate()


async def test_it_looks_at_once_when_asked(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    handle = await watching(processes)
    await processes.deliver()  # a nudge that still waits is not said twice
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    before = (await shop.read(NUDGES))[0][0]
    await handle.signal(WatchWarehouse.run_now)
    await becomes(lambda: shop.read(NUDGES), [(before + 1,)])
    await handle.terminate()


async def test_an_outage_is_shown_and_the_watch_goes_on(processes: Processes) -> None:
    shop = processes.shop
    assert processes.fast_forward is not None
    handle = await watching(processes)

    async def reason() -> str | None:
        return (await handle.describe()).typed_search_attributes.get(attributes.BLOCKED_REASON)

    async with shop.ongoing.fault("GET /orders", "http", count=None, status=503):
        await handle.signal(WatchWarehouse.run_now)
        await processes.fast_forward(handle, timedelta(minutes=11))
        await becomes(reason, "no-answer")
    await handle.signal(WatchWarehouse.run_now)
    await becomes(reason, None)
    await handle.terminate()
