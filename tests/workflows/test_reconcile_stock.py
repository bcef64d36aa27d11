"""The daily reconciliation as a process: a file for every day, however long the warehouse was away; people decide the rest."""

import asyncio
import contextlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RetryPolicy
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities import reconcile, sweep_stock
from clients.errors import Unavailable
from starters.cli_reconcile import _follow, _outcome, begin, decide, look_only
from tests.activities.test_reconciling import ENTRIES, Clock, lose, stock_file, stocked
from tests.activities.test_stock_by_sftp import connected as by_sftp
from tests.activities.world import again
from tests.clients.sftp_server import serving
from tests.erp.data import article, insert, open_stock
from tests.workflows.process import Processes, becomes
from workflows import attributes, options
from workflows.approve_differences import Approval
from workflows.reconcile_stock import ReconcileStock, ToReconcile

D = Decimal
RUNS = """
  select r.kind, r.state, (select count(*) from erp.reconciliation_file f
    where f.merchant_id = r.merchant_id and f.run_no = r.run_no) from erp.reconciliation_run r
  where merchant_id = :m order by r.for_date"""


async def reconciling(processes: Processes, kind: str = "daily") -> WorkflowHandle[ReconcileStock, list[str]]:
    return await begin(processes.client, ToReconcile(processes.shop.merchant, kind))


async def state(processes: Processes, key: Any) -> Any:
    """An attribute of the process that waits for people; None where there is none."""
    handle = processes.client.get_workflow_handle(f"differences/{processes.shop.merchant}")
    try:
        return (await handle.describe()).typed_search_attributes.get(key)
    except RPCError:
        return None


async def test_a_day_ends_with_its_file_and_the_process_says_how_it_was(processes: Processes) -> None:
    await stocked(processes.shop)
    await lose(processes.shop, "A", 998)
    handle = await reconciling(processes)
    [said] = await handle.result()
    assert "3 articles compared, 1 differs, 1 of them for an unknown reason" in said
    assert await processes.shop.read(RUNS) == [("daily", "finished", 3)]
    again_asked = await reconciling(processes)
    assert await again_asked.result() == []


async def test_what_waits_is_shown_until_people_have_decided_and_holds_nothing_up(processes: Processes) -> None:
    shop = processes.shop
    await stocked(shop, looks_apart_hours=0, second_person_above_value=10)
    await lose(shop, "A", 990)
    for _ in range(2):
        await (await reconciling(processes, "on-demand")).result()
    await becomes(lambda: state(processes, attributes.BLOCKED_REASON), "difference-needs-approval")
    with pytest.raises(WorkflowUpdateFailedError) as incomplete:
        await decide(processes.client, shop.merchant, Approval(1, "", "why"))
    assert getattr(incomplete.value.cause, "type", None) == "approval-incomplete"
    assert (await decide(processes.client, shop.merchant, Approval(1, "anna", "counted"))).startswith("approved-once")
    with pytest.raises(WorkflowUpdateFailedError):
        await decide(processes.client, shop.merchant, Approval(7, "anna", "counted"))
    assert await shop.read(ENTRIES) == []
    await (await reconciling(processes, "on-demand")).result()
    assert (await decide(processes.client, shop.merchant, Approval(1, "bo", "counted"))).startswith("booked")
    assert await shop.read(ENTRIES) == [("A", "adjustment", D(-10), D("-45.00"))]
    assert await processes.client.get_workflow_handle(f"differences/{shop.merchant}").result() == 2


async def test_a_decision_about_a_difference_that_is_not_there_is_refused_in_words(processes: Processes) -> None:
    await stocked(processes.shop)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await decide(processes.client, processes.shop.merchant, Approval(99, "anna", "counted"))
    assert "99" in str(refused.value.cause)


async def test_a_named_file_that_is_not_there_ends_the_run_and_stands_in_nobodys_way(
    processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    merchant = processes.shop.merchant
    wanted = ToReconcile(merchant, "file", file="/no/such.csv")
    handle = await begin(processes.client, wanted)
    async with asyncio.timeout(60):
        said = await handle.result()
    for asked, code in ((wanted, 1), (replace(wanted, file=None), 1), (replace(wanted, file="/another.csv"), 0)):
        assert await _outcome(processes.shop.worker.database, asked, said) == code
        told = capsys.readouterr().out
        assert ("Refused: such.csv: /no/such.csv: No such file" in told, "Nothing is owed" in told) == (bool(code), not code)
    assert await processes.shop.exceptions() == [("stock-file-refused", False)]


async def test_a_decision_by_signal_does_the_same(processes: Processes) -> None:
    shop = processes.shop
    await stocked(shop, looks_apart_hours=0)
    await lose(shop, "A", 990)
    for _ in range(2):
        await (await reconciling(processes, "on-demand")).result()
    handle: Any = processes.client.get_workflow_handle(f"differences/{shop.merchant}")
    await handle.signal("approve", {"number": "x"})
    await handle.signal("approve", {"number": 1, "by": "anna", "reason": "counted"})
    assert await handle.result() == 1
    assert len(await shop.read(ENTRIES)) == 1


async def test_after_the_warehouse_was_away_for_sixty_hours_every_day_has_its_file_without_a_touch(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked more seldom than in earnest: each attempt stops the clock, and three hundred of them took a minute."""
    if os.environ.get("PROVE_INTERVALS") != "real":
        monkeypatch.setattr(options, "SOON", RetryPolicy(initial_interval=timedelta(minutes=4)))
        monkeypatch.setattr(options, "LATER", RetryPolicy(initial_interval=timedelta(hours=3), backoff_coefficient=1))
    shop = processes.shop
    assert processes.fast_forward is not None
    await stocked(shop)
    yesterday = Clock(shop)
    yesterday.now -= timedelta(days=1)
    await yesterday.run(kind="daily")
    await lose(shop, "A", 998)
    [(first,)] = await shop.read("select for_date from erp.reconciliation_run where merchant_id = :m")
    await shop.ongoing(
        "POST", "faults", {"id": f"away-{shop.merchant}", "route": "*", "kind": "refuse-connection", "count": None}
    )
    try:
        await shop.forget()
        handle = await reconciling(processes)
        for _ in range(6):
            await processes.fast_forward(handle, timedelta(hours=10))
    finally:
        await shop.ongoing("DELETE", "faults")
    with contextlib.suppress(RPCError):  # it is through
        for _ in range(5):
            await processes.fast_forward(handle, timedelta(hours=3))
    said = await handle.result()
    found = await shop.read(
        "select for_date, state, covered_by from erp.reconciliation_run where merchant_id = :m order by run_no"
    )
    days = [day for day, _, _ in found]
    assert days == [first + timedelta(days=n) for n in range(len(days))] and len(days) in (4, 5)
    assert {state for _, state, _ in found} == {"finished"}
    assert await shop.read("select count(*) from erp.reconciliation_file where merchant_id = :m") == [(3 * len(days),)]
    assert len(said) == len(days) - 1
    assert await shop.read(ENTRIES) == []


async def test_a_server_of_stock_files_that_is_away_is_waited_for_and_said_to_be(processes: Processes, tmp_path: Path) -> None:
    shop = processes.shop
    assert processes.fast_forward is not None
    await stocked(shop)
    async with serving(tmp_path) as server:
        await by_sftp(shop, server)
        server.put("stock.csv", stock_file(shop, {"A": 1000, "B": 1000, "C": 1000}, datetime.now(UTC)))
        await server.stop()
        handle = await reconciling(processes, "file")
        await processes.fast_forward(handle, timedelta(minutes=11))
        told = (await handle.describe()).typed_search_attributes
        assert (told.get(attributes.BLOCKED_REASON), told.get(attributes.WAITING_FOR)) == ("no-answer", "warehouse")
        [(code, detail)] = await shop.read(
            "select code, detail from bridge.exception where merchant_id = :m and blocking and closed_at is null"
        )
        assert code == "no-answer" and f"SFTP 127.0.0.1:{server.port}: no connection" in detail
        await server.start()
        with contextlib.suppress(RPCError):  # it is through
            await processes.fast_forward(handle, timedelta(hours=1))
        [said] = await handle.result()
    assert "3 articles compared, 0 differ" in said
    assert await shop.exceptions() == []


async def test_a_preview_writes_nothing(processes: Processes) -> None:
    shop = processes.shop
    await stocked(shop)
    await lose(shop, "A", 998)
    tables = (
        "erp.reconciliation_run",
        "erp.difference",
        "erp.settlement",
        "bridge.reconciling",
        "bridge.adjusted",
        "bridge.audit",
    )
    count = " + ".join(f"(select count(*) from {table} where merchant_id = :m)" for table in tables)
    before = await shop.read(f"select {count}, (select max(updated_at) from bridge.link where merchant_id = :m)")
    [(warehouse, _)] = [shop.worker.connections[:2]]
    found, lonely, read = await look_only(shop.worker.database, warehouse, shop.merchant)
    assert (len(found), lonely, read) == (2, [], 3)
    assert await shop.read(f"select {count}, (select max(updated_at) from bridge.link where merchant_id = :m)") == before


async def test_a_comparison_that_is_cut_off_goes_on_where_it_was(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when its worker is killed: the next attempt begins behind the pages that are saved, and counts nothing twice."""
    monkeypatch.setattr(sweep_stock, "SAVE_SECONDS", 0.0)
    shop = processes.shop
    numbers = [f"N{n:03}" for n in range(75)]
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", *(article(shop.merchant, number) for number in numbers))
    await open_stock(shop.worker.database, shop.merchant, 10, 1, numbers)
    await stocked(shop, page_size=10)
    await shop.stock(10, numbers)
    await lose(shop, "N070", 9)
    [step] = await Clock(shop).plan()
    far = "select articles_read, swept from erp.reconciliation_run where merchant_id = :m"
    async with shop.ongoing.fault("GET /articles/inventoryPerWarehouse", "http", None, after=5, status=500):
        with pytest.raises(Unavailable):
            await ActivityEnvironment().run(shop.worker.reconcile.compare_stock, step)
    assert await shop.read(far) == [(50, False)]
    progress = await again(shop.worker.reconcile.compare_stock, step)
    assert (progress.done, progress.read, progress.differing) == (True, 78, 1)
    assert await shop.read(far) == [(78, True)]


async def test_while_it_compares_the_ui_and_the_command_say_how_far_it_is(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = processes.shop
    monkeypatch.setattr(reconcile, "FIRST_SLICE_SECONDS", 0.0)
    monkeypatch.setattr(sweep_stock, "SAVE_SECONDS", 0.0)
    numbers = [f"N{n:03}" for n in range(30)]
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", *(article(shop.merchant, number) for number in numbers))
    await stocked(shop, page_size=10)
    async with shop.ongoing.fault("GET /articles/inventoryPerWarehouse", "delay", None, after=2, seconds=1.5):
        handle: Any = await reconciling(processes)
        following = asyncio.create_task(_follow(handle, shop.worker.database, shop.merchant, 30))

        async def told() -> bool:
            details = str(await handle.query("__temporal_workflow_metadata", result_type=dict))
            return "10 of about 34 articles compared, 0 differ" in details

        await becomes(told, True)
        await following
    assert "10 of about 34 articles read and compared, 0 differ" in " ".join(capsys.readouterr().out.split())
