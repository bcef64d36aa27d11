"""A flow that is switched off holds up what belongs to it, visibly and by name; switched on, everything goes on by itself."""

import asyncio

from sqlalchemy import text
from temporalio.client import WorkflowHandle

from activities.articles import ArticlesLeft
from activities.vouchers import Posted
from domain.flows import ARTICLES, BALANCES, INVOICES, ORDERS_BACK, ORDERS_OUT, SUPPLIER_INVOICES, SWEEP, VOUCHERS, Flow
from erp import flows
from starters.cli_reconcile import begin
from starters.merchants import NewMerchant, WebhookAddress, connect_merchant, start_watching
from starters.schedules import every_day
from tests.activities.buying import bill, buying
from tests.activities.test_purchases import floor, ordered, place, status
from tests.activities.world import Shop, again
from tests.workflows.process import Processes, becomes
from tests.workflows.test_receive_purchase_order import ended, of
from workflows.match_supplier_invoices import MatchSupplierInvoices
from workflows.post_vouchers import PostVouchers
from workflows.receive_purchase_order import ReceivePurchaseOrder
from workflows.reconcile_stock import ToReconcile
from workflows.watch_warehouse import WatchWarehouse


async def turn(shop: Shop, flow: Flow, enabled: bool) -> None:
    async with shop.worker.database.merchant(shop.merchant) as session:
        await flows.switch(session, shop.merchant, flow, enabled, "anna", "the warehouse counts its stock")
    if not enabled:
        await becomes_known(shop)


async def becomes_known(shop: Shop) -> None:
    """As when two seconds have passed."""
    await shop.forget()


async def test_an_order_is_not_sent_while_its_flow_is_off_and_is_when_it_is_on(processes: Processes) -> None:
    shop = processes.shop
    await turn(shop, ORDERS_OUT, False)
    await processes.begin()
    await processes.blocked_by("orders-out-off")
    assert await shop.exceptions() == [("orders-out-off", True)]
    assert await shop.status() == "released"
    await processes.relay.tend_flows()
    await processes.blocked_by("orders-out-off")
    await turn(shop, ORDERS_OUT, True)
    await processes.relay.tend_flows()
    await processes.reaches("at-warehouse")
    await processes.blocked_by(None)
    assert await shop.exceptions() == []


async def test_stock_is_booked_while_invoices_are_off_and_the_invoice_follows(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await turn(shop, INVOICES, False)
    await shop.pick_and_send()
    await processes.look()
    await processes.blocked_by("invoices-off")
    assert await shop.read("select count(*) from bridge.booking where merchant_id = :m") == [(2,)]
    assert await shop.invoices() == []
    await turn(shop, INVOICES, True)
    await processes.relay.tend_flows()
    assert await processes.result() == "completed"
    assert len(await shop.invoices()) == 1


async def test_nothing_is_booked_while_orders_back_is_off_and_everything_is_afterwards(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await turn(shop, ORDERS_BACK, False)
    await shop.pick_and_send()
    await processes.look()
    await processes.blocked_by("orders-back-off")
    assert await shop.read("select count(*) from bridge.booking where merchant_id = :m") == [(0,)]
    await turn(shop, ORDERS_BACK, True)
    await processes.relay.tend_flows()
    assert await processes.result() == "completed"


async def watching(processes: Processes) -> WorkflowHandle[WatchWarehouse, None]:
    await start_watching(processes.client, processes.shop.merchant)
    ran = "select count(*) from bridge.entity where merchant_id = :m and flow = 'orders-back' and last_run_at is not null"
    await becomes(lambda: processes.shop.read(ran), [(1,)])
    return processes.client.get_workflow_handle_for(WatchWarehouse.run, f"watch/{processes.shop.merchant}")


async def test_the_watch_runs_now_when_asked_once_and_a_watch_that_is_gone_is_started(processes: Processes) -> None:
    shop = processes.shop
    handle = await watching(processes)
    for signals in (1, 2):
        async with shop.worker.database.merchant(shop.merchant) as session:
            await flows.ask_to_run(session, shop.merchant, ORDERS_BACK, "anna", "impatient")
        asked_at = await shop.read("select run_now_at from bridge.entity where merchant_id = :m and flow = 'orders-back'")
        for _ in range(3):
            await processes.relay.tend_flows()
        ran = "select run_now_at from bridge.entity where merchant_id = :m and flow = 'orders-back' and last_run_at > run_now_at"
        await becomes(lambda: shop.read(ran), asked_at)  # noqa: B023 - asked at once
        history = await handle.fetch_history()
        assert sum(event.HasField("workflow_execution_signaled_event_attributes") for event in history.events) == signals
    await handle.terminate()
    async with shop.worker.database.merchant(shop.merchant) as session:
        await flows.ask_to_run(session, shop.merchant, ORDERS_BACK, "anna", "impatient")
        [(asked,)] = [tuple(row) for row in (await session.execute(text("select max(run_now_at) from bridge.entity"))).all()]
    await processes.relay.tend_flows()
    ran_after = "select count(*) from bridge.entity where merchant_id = :m and flow = 'orders-back' and last_run_at > :at"
    await becomes(lambda: shop.read(ran_after, at=asked), [(1,)])


async def test_connecting_a_merchant_anew_leaves_its_switches_and_intervals_as_a_person_set_them(processes: Processes) -> None:
    shop = processes.shop
    merchant = NewMerchant(
        shop.merchant,
        "Provhandel AB",
        ongoing={"base_url": shop.ongoing.address, "warehouse": shop.merchant, "goods_owner_id": shop.goods_owner},
        ongoing_credentials={"username": "user", "password": shop.secrets["ongoing"]},
        fortnox={"base_url": shop.fortnox.address, "token_url": shop.fortnox.address, "tenant_id": shop.tenant},
        fortnox_credentials={"client_id": f"client-{shop.goods_owner}", "client_secret": shop.secrets["fortnox"]},
        settings={"watch_interval_seconds": 30},
    )
    database, webhook = shop.worker.database, WebhookAddress.new()
    entities = (
        "select flow, enabled, interval_seconds from bridge.entity where merchant_id = :m and flow <> 'articles' order by 1"
    )
    await connect_merchant(shop.erp, database, shop.keys, processes.client, merchant, webhook)
    first = [("balances", True, 60), ("invoices", True, 60), ("orders-back", True, 30), ("orders-out", True, 60)]
    first += [("purchases", True, 60), ("supplier-invoices", True, 60), ("sweep", True, 60), ("vouchers", True, 60)]
    assert await shop.read(entities) == first
    await turn(shop, INVOICES, False)
    async with database.merchant(shop.merchant) as session:
        await flows.set_interval(session, shop.merchant, ORDERS_BACK, 900, "anna", "quiet season")
    await connect_merchant(shop.erp, database, shop.keys, processes.client, merchant, webhook)
    turned = [("balances", True, 60), ("invoices", False, 60), ("orders-back", True, 900), *first[3:]]
    assert await shop.read(entities) == turned
    await processes.client.get_schedule_handle(f"vouchers/{shop.merchant}").delete()


async def test_postings_wait_while_vouchers_are_off_and_are_booked_at_once_when_they_are_on(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    await processes.look()
    assert await processes.result() == "completed"
    await turn(shop, VOUCHERS, False)
    assert await again(shop.worker.vouchers.post_vouchers, shop.merchant) == Posted()
    unbooked = "select count(*) from bridge.voucher where merchant_id = :m and state = 'booked'"
    assert await shop.read(unbooked) == [(0,)]
    schedule = f"vouchers/{shop.merchant}"
    await every_day(processes.client, schedule, PostVouchers.run, shop.merchant, 3, "Europe/Stockholm", shop.merchant)
    await turn(shop, VOUCHERS, True)
    await processes.relay.tend_flows()
    ran = "select last_run_at > run_now_at from bridge.entity where merchant_id = :m and flow = 'vouchers'"
    await becomes(lambda: shop.read(ran), [(True,)], 60)
    assert (await shop.read(unbooked))[0][0] > 0
    await processes.client.get_schedule_handle(schedule).delete()


async def test_no_supplier_invoice_is_read_while_their_flow_is_off_and_all_are_when_it_is_on(processes: Processes) -> None:
    """`supplier-invoices-off` holds up no process: what was billed meanwhile is read by the first run after it."""
    shop = processes.shop
    await buying(shop, "N")
    await place(shop, [ordered("N", 10, 10)])
    await processes.deliver()
    await becomes(lambda: status(shop), "at-warehouse")
    await floor(shop, "receive", {1: 10})
    await of(processes).signal(ReceivePurchaseOrder.look)
    await becomes(lambda: status(shop), "received")
    await turn(shop, SUPPLIER_INVOICES, False)
    await bill(shop, {"article": "N", "quantity": "10", "price": "10"})
    kept = "select count(*) from erp.supplier_invoice where merchant_id = :m"
    assert await shop.read(kept) == [(0,)]
    schedule = f"supplier-invoices/{shop.merchant}"
    await every_day(processes.client, schedule, MatchSupplierInvoices.run, shop.merchant, 3, "Europe/Stockholm", shop.merchant)
    await turn(shop, SUPPLIER_INVOICES, True)
    await processes.relay.tend_flows()
    await becomes(lambda: shop.read(kept), [(1,)], 60)
    await processes.deliver()
    assert await ended(processes) == "invoiced"
    await processes.client.get_schedule_handle(schedule).delete()


async def test_a_run_of_something_that_is_not_there_is_not_asked_for_again_and_again(processes: Processes) -> None:
    shop = processes.shop
    async with shop.worker.database.merchant(shop.merchant) as session:
        await flows.ask_to_run(session, shop.merchant, VOUCHERS, "anna", "impatient")
    asked = 0
    run_now = processes.relay._run_now

    async def counted(flow: Flow, merchant: str) -> None:
        nonlocal asked
        asked += merchant == shop.merchant
        await run_now(flow, merchant)

    processes.relay._run_now = counted  # type: ignore[method-assign]
    for _ in range(3):
        await processes.relay.tend_flows()
    assert asked == 1


async def test_changed_articles_wait_while_their_flow_is_off_and_are_sent_at_once_when_it_is_on(processes: Processes) -> None:
    shop = processes.shop
    await turn(shop, ARTICLES, False)
    assert await again(shop.worker.articles.send_changed_articles, shop.merchant) == ArticlesLeft(0, 0, 0)
    links = "select count(*) from bridge.link where merchant_id = :m and kind = 'article'"
    assert await shop.read(links) == [(0,)]
    async with shop.verify.everyone() as session:
        [waiting] = [each.waiting for each in await flows.states(session, shop.merchant) if each.flow == "articles"]
    assert waiting > 0
    await turn(shop, ARTICLES, True)
    await processes.relay.tend_flows()
    await becomes(lambda: shop.read(links), [(waiting,)])


async def test_no_day_is_compared_while_balances_are_off_and_it_is_when_they_are_on(processes: Processes) -> None:
    """`balances-off` holds up no process: the day is owed, and the first run after it covers it."""
    shop = processes.shop
    await turn(shop, BALANCES, False)
    handle = await begin(processes.client, ToReconcile(shop.merchant, "daily"))
    assert await handle.result() == []
    runs = "select count(*) from erp.reconciliation_run where merchant_id = :m and state = 'finished'"
    assert await shop.read(runs) == [(0,)]
    await turn(shop, BALANCES, True)
    await asyncio.sleep(2.1)  # as long as a worker remembers a merchant's switches
    handle = await begin(processes.client, ToReconcile(shop.merchant, "daily"))
    assert len(await handle.result()) == 1
    assert await shop.read(runs) == [(1,)]


async def test_no_night_is_swept_while_the_sweep_is_off_and_it_is_when_it_is_on(processes: Processes) -> None:
    """`sweep-off` holds up no process either: what was missed is found by the first sweep after it."""
    shop = processes.shop
    await shop.settings(nightly_sweep_hour=0)
    await turn(shop, SWEEP, False)
    handle = await watching(processes)
    swept = "select count(*) from bridge.entity where merchant_id = :m and flow = 'sweep' and last_run_at is not null"
    assert await shop.read(swept) == [(0,)]
    await turn(shop, SWEEP, True)
    await handle.signal(WatchWarehouse.run_now)
    await becomes(lambda: shop.read(swept), [(1,)])
