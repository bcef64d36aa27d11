"""Orders whose histories are kept. Not collected with the tests: run by `python -m tests.replay.record`."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from temporalio.client import WorkflowHandle

from activities.rates import RateConfirmation
from domain.rates import expected_day
from starters.cli_reconcile import begin, decide
from tests.activities.buying import enter
from tests.activities.returning import receive
from tests.activities.test_purchases import floor
from tests.activities.test_reconciling import lose, stocked
from tests.activities.world import Control, rule
from tests.erp.data import article, insert, line, set_order
from tests.workflows.process import Processes, becomes
from tests.workflows.test_receive_purchase_order import ended as purchase_ended
from tests.workflows.test_receive_purchase_order import of as of_purchase
from tests.workflows.test_receive_purchase_order import shows, watcher_looks
from tests.workflows.test_receive_return import announced, credited, ended
from tests.workflows.test_receive_return import blocked_by as return_blocked_by
from tests.workflows.test_receive_return import of as returning
from tests.workflows.test_supplier_invoices import APPROVE, LINE, about, told
from tests.workflows.test_supplier_invoices import blocked as invoice_blocked
from tests.workflows.test_supplier_invoices import placed as expected
from workflows import attributes, options
from workflows.approve_differences import Approval
from workflows.corrections import Approval as SecondPerson
from workflows.exchange_rates import FetchExchangeRates, RatesKey
from workflows.patient import Correction
from workflows.purchase_corrections import AboutInvoice, CorrectCost
from workflows.receive_return import ReceiveReturn
from workflows.reconcile_stock import ToReconcile

HERE = Path(__file__).parent


async def save(handle: WorkflowHandle[Any, Any], name: str) -> None:
    history = await handle.fetch_history()
    (HERE / f"{name}.json").write_text(history.to_json() + "\n", encoding="utf-8")


async def at_warehouse(processes: Processes, number: str) -> None:
    await processes.begin(number)
    await processes.reaches("at-warehouse", number)
    await processes.shop.stock(articles=["A", "B"])


async def test_good(processes: Processes) -> None:
    await at_warehouse(processes, "SO-GOOD")
    await processes.shop.floor("pick", "SO-GOOD")
    await processes.look("SO-GOOD")
    await becomes(lambda: processes.shop.read("select count(*) from bridge.booking where merchant_id = :m"), [(2,)])
    await processes.shop.floor("send", "SO-GOOD")
    await processes.look("SO-GOOD")
    assert await processes.result("SO-GOOD") == "completed"
    await save(processes.of("SO-GOOD"), "good")


async def test_blocked_and_mended(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin("SO-MENDED", lines=[line("A"), line("NEW")])
    await processes.blocked_by("unknown-article", "SO-MENDED")
    await processes.retry("anna", "nothing mended yet", "SO-MENDED")
    await processes.blocked_by("unknown-article", "SO-MENDED")
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "NEW"))
    await processes.retry("anna", "article added", "SO-MENDED")
    await processes.reaches("at-warehouse", "SO-MENDED")
    await shop.stock(articles=["A", "NEW"])
    await shop.pick_and_send("SO-MENDED")
    await processes.look("SO-MENDED")
    assert await processes.result("SO-MENDED") == "completed"
    await save(processes.of("SO-MENDED"), "blocked-and-mended")


async def test_outlasted(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warehouse does not answer for longer than our patience; a person says when it is back."""
    shop = processes.shop
    monkeypatch.setattr(options, "PATIENCE", timedelta(seconds=2.5))
    slow = rule("PUT /orders", "delay", None, after=1, seconds=3)  # the time runs out while an attempt is under way
    async with shop.ongoing.faults(slow, rule("PUT /orders", "http", status=503)):
        await processes.begin("SO-OUTLASTED")
        await processes.blocked_by("no-answer", "SO-OUTLASTED")
    await processes.retry("anna", "it is back", "SO-OUTLASTED")
    await processes.reaches("at-warehouse", "SO-OUTLASTED")
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send("SO-OUTLASTED")
    await processes.look("SO-OUTLASTED")
    assert await processes.result("SO-OUTLASTED") == "completed"
    await save(processes.of("SO-OUTLASTED"), "outlasted")


async def test_short(processes: Processes) -> None:
    await processes.shop.settings(short_grace_seconds=1)
    await at_warehouse(processes, "SO-SHORT")
    await processes.shop.floor("pick", "SO-SHORT", {1: 1})
    await processes.shop.floor("finish-short", "SO-SHORT")
    await processes.look("SO-SHORT")
    assert await processes.result("SO-SHORT") == "completed"
    await save(processes.of("SO-SHORT"), "short")


async def test_unpicked(processes: Processes) -> None:
    await at_warehouse(processes, "SO-UNPICKED")
    await processes.shop.floor("pick", "SO-UNPICKED")
    await processes.look("SO-UNPICKED")
    await becomes(lambda: processes.shop.read("select count(*) from bridge.booking where merchant_id = :m"), [(2,)])
    await processes.shop.floor("undo-pick", "SO-UNPICKED", {1: 1})
    await processes.look("SO-UNPICKED")
    await becomes(lambda: processes.shop.read("select count(*) from bridge.booking where merchant_id = :m"), [(3,)])
    await processes.shop.floor("pick", "SO-UNPICKED")
    await processes.shop.floor("send", "SO-UNPICKED")
    await processes.look("SO-UNPICKED")
    assert await processes.result("SO-UNPICKED") == "completed"
    await save(processes.of("SO-UNPICKED"), "unpicked")


async def test_cancelled(processes: Processes) -> None:
    shop = processes.shop
    await at_warehouse(processes, "SO-CANCELLED")
    await set_order(shop.erp, shop.merchant, "SO-CANCELLED", cancel_requested_at=datetime.now(UTC))
    await processes.deliver()
    assert await processes.result("SO-CANCELLED") == "cancelled"
    await save(processes.of("SO-CANCELLED"), "cancelled")


async def test_changed_too_late(processes: Processes) -> None:
    shop = processes.shop
    await at_warehouse(processes, "SO-TOO-LATE")
    await shop.change_lines({1: {"quantity": 4}}, "SO-TOO-LATE")
    await processes.deliver()
    await becomes(
        lambda: shop.read("select sent_version from bridge.link where merchant_id = :m and kind = 'sales-order'"), [(2,)]
    )
    await shop.floor("pick", "SO-TOO-LATE", {1: 1})
    await shop.change_lines({1: {"quantity": 1}}, "SO-TOO-LATE")
    await processes.deliver()
    await becomes(lambda: shop.read("select refused_version from erp.sales_order where merchant_id = :m"), [(3,)])
    await shop.ask_to_cancel("SO-TOO-LATE")
    await processes.deliver()
    await becomes(lambda: shop.read("select cancel_answer from erp.sales_order where merchant_id = :m"), [("too-late",)])
    await shop.pick_and_send("SO-TOO-LATE")
    await processes.look("SO-TOO-LATE")
    assert await processes.result("SO-TOO-LATE") == "completed"
    await save(processes.of("SO-TOO-LATE"), "changed-too-late")


async def test_return(processes: Processes) -> None:
    shop = processes.shop
    await at_warehouse(processes, "SO-1")
    await shop.pick_and_send("SO-1")
    await processes.look("SO-1")
    assert await processes.result("SO-1") == "completed"
    await announced(processes, {1: 2})
    await becomes(lambda: shop.read("select status from erp.return_order where merchant_id = :m"), [("at-warehouse",)])
    await receive(shop, {1: 1})
    await credited(processes, 1)
    await receive(shop, {1: 3}, over=True)
    await returning(processes).signal(ReceiveReturn.look)
    await return_blocked_by(processes, "returned-more-than-sent")
    settle: Any = ReceiveReturn.settle_without_credit
    await returning(processes).execute_update(settle, Correction("anna", "counted with the warehouse"))
    assert await ended(processes) == "completed"
    await save(returning(processes), "return-settled")


async def test_return_cancelled(processes: Processes) -> None:
    shop = processes.shop
    await at_warehouse(processes, "SO-1")
    await shop.pick_and_send("SO-1")
    await processes.look("SO-1")
    assert await processes.result("SO-1") == "completed"
    await announced(processes, {1: 2})
    await becomes(lambda: shop.read("select status from erp.return_order where merchant_id = :m"), [("at-warehouse",)])
    async with shop.erp.everyone() as session:
        statement = "update erp.return_order set cancel_requested_at = now() where merchant_id = :m"
        await session.execute(text(statement), {"m": shop.merchant})
    await processes.deliver()
    assert await ended(processes) == "cancelled"
    await save(returning(processes), "return-cancelled")


async def test_rate_confirmed(processes: Processes, riksbank_simulator: str) -> None:
    shop = processes.shop
    await shop.settings(rate_currencies=["EUR"])
    bank = Control(riksbank_simulator, shop.ongoing.http)
    day = expected_day(datetime.now(ZoneInfo("Europe/Stockholm")))
    await bank("PUT", "quotes", {"bank": "riksbank", "currency": "EUR", "date": str(day), "value": "1.0"})
    handle = await processes.client.start_workflow(
        FetchExchangeRates.run, RatesKey(shop.merchant), id=f"rates/{shop.merchant}", task_queue=options.ORDERS_QUEUE
    )

    async def standing() -> bool:
        return bool(await shop.exceptions())

    await becomes(standing, True)
    confirm: Any = FetchExchangeRates.confirm_rate
    await handle.execute_update(confirm, RateConfirmation("anna", "a new krona", "EUR", day, Decimal("1.0")))
    await handle.result()
    await save(handle, "rate-confirmed")


async def test_articles_synced(processes: Processes) -> None:
    shop = processes.shop
    refused = "select count(*) from bridge.exception where merchant_id = :m and kind = 'article' and closed_at is null"
    async with shop.ongoing.fault("PUT /articles", "http", status=400):
        await processes.deliver()
        await becomes(lambda: shop.read(refused), [(1,)])
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "NEW"))
    await processes.deliver()
    handle = processes.client.get_workflow_handle(f"articles/{shop.merchant}")
    await handle.result()
    await save(handle, "articles-synced")


async def test_purchase_invoiced(processes: Processes) -> None:
    """A purchase that comes in two parts, whose invoice differs and is approved, with freight on top."""
    shop = processes.shop
    await expected(processes, landed_cost_account=2491)
    await floor(shop, "receive", {1: 4})
    await watcher_looks(processes)
    await enter(shop, "landed_cost", landed_cost_number="LC-1", purchases=["PO-1"], amount=25)
    number = await told(processes, LINE | {"price": "12"})
    await floor(shop, "receive", {1: 6})
    await watcher_looks(processes)
    await invoice_blocked(processes, "supplier-invoice-to-decide")
    await of_purchase(processes).execute_update(APPROVE, about(number))
    assert await purchase_ended(processes) == "invoiced"
    await save(of_purchase(processes), "purchase-invoiced")


async def test_purchase_corrected(processes: Processes) -> None:
    """A purchase whose cost is corrected by two people, that is closed short, and whose invoice is rejected and comes again."""
    shop = processes.shop
    await expected(processes, purchase_difference_account=4990, second_person_above=50)
    await floor(shop, "receive", {1: 6})
    await watcher_looks(processes)
    handle: Any = of_purchase(processes)
    await becomes(lambda: shows(processes, attributes.STAGE), "receiving")
    assert "waits" in await handle.execute_update("correct_cost", CorrectCost("anna", "by hand", amount="60", key="k-1"))
    await handle.execute_update("approve_correction", SecondPerson("bo", "yes", "k-1"))
    await handle.execute_update("close_short", Correction("anna", "no more", "k-2"))
    await processes.deliver()
    number = await told(processes, LINE | {"quantity": "6", "price": "12"})
    await invoice_blocked(processes, "supplier-invoice-to-decide")
    await handle.execute_update("retry_now", Correction("anna", "look again", "k-3"))
    await handle.execute_update("reject", AboutInvoice(number, "anna", "too dear", "k-4"))
    await told(processes, LINE | {"quantity": "6"})
    assert await purchase_ended(processes) == "invoiced"
    await save(handle, "purchase-corrected")


async def test_reconciled(processes: Processes) -> None:
    """A day in which a loss is found, stands, waits for a person, and is booked by decision."""
    shop = processes.shop
    await stocked(shop, looks_apart_hours=0)
    await lose(shop, "A", 990)
    daily = await begin(processes.client, ToReconcile(shop.merchant))
    await daily.result()
    await save(daily, "reconciled")
    asking = await begin(processes.client, ToReconcile(shop.merchant, "on-demand"))
    await asking.result()
    await save(asking, "reconciled-and-asked")
    assert (await decide(processes.client, shop.merchant, Approval(1, "anna", "counted"))).startswith("booked")
    deciding = processes.client.get_workflow_handle(f"differences/{shop.merchant}")
    assert await deciding.result() == 1
    await save(deciding, "difference-approved")
