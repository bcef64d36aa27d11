"""The checker: clean books are clean, damaged books are found, and what was not proved is never called clean."""

import io
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from rich.console import Console
from sqlalchemy import text
from temporalio.client import Client
from typer.testing import CliRunner

from erp.database import Database
from erp.migrate import engine_for
from starters.cli import app
from starters.verify import prove, verify
from starters.verify.check import Stage
from starters.verify.healthy import fill
from starters.verify.planted import PLANTS
from starters.verify.prove import ProveReport, print_proofs
from starters.verify.report import CLEAN, NOT_CHECKED, VIOLATED, Report, Result, Verdict, print_report
from starters.verify.run import CHECKS
from tests.conftest import Cluster, TestDatabase, scratch_database
from worker.settings import SettingsError

NAMED_BY_THE_ISSUE = (
    "P1 L1 L2 L3 L4 L5 V1 V2 V3 V4 V5 V6 E1 E2 E3 E4 E5 E6 O1 O2 O3 O4 O5 O6"
    " G1 G2 G3 G4 I1 I2 I3 I4 I6 I7 X1 X2 X3 X6 T1 T2 T3 A1 A2 A3 A4 A5"
)  # The cluster of the tests does not wait for the disk, and verify says so.
OF_THE_TEST_CLUSTER = {"A5"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def books(cluster: Cluster) -> AsyncIterator[TestDatabase]:
    """Healthy books. A test that damages them copies what it needs or puts it back."""
    async with scratch_database(cluster) as made:
        engine = engine_for(made.url("owner"))
        await fill(engine)
        await engine.dispose()
        yield made


async def verified(made: TestDatabase, merchant: str | None = None, role: str = "verify") -> Report:
    database = Database(made.url(role), pool_size=1)
    try:
        return await verify(database, merchant=merchant, online=None, temporal=None)
    finally:
        await database.close()


async def as_superuser(made: TestDatabase, *statements: str) -> None:
    engine = engine_for(made.url("owner"))
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


def of(report: Report, invariant: str) -> list[Result]:
    return [result for result in report.results if result.invariant == invariant]


async def test_healthy_books_break_nothing_and_every_invariant_covers_rows(books: TestDatabase) -> None:
    report = await verified(books)
    broken = {result.invariant: result.samples for result in report.violated}
    assert broken.keys() <= OF_THE_TEST_CLUSTER, broken
    assert {result.invariant for result in report.not_checked} == {"O6", "X6"}
    assert all(result.rows for result in report.results if result.verdict == Verdict.CLEAN)
    assert set(report.heads) == {"alfa", "beta", "gamma", "delta"}


async def test_every_invariant_of_the_issue_is_reported(books: TestDatabase) -> None:
    report = await verified(books)
    assert {result.invariant for result in report.results} == {*NAMED_BY_THE_ISSUE.split(), "O7", "R1", "R6", "C1", "C2", "C3"}


async def test_without_temporal_the_books_are_not_called_clean(books: TestDatabase) -> None:
    [stuck] = of(await verified(books), "X6")
    assert stuck.verdict == Verdict.NOT_CHECKED
    assert "TEMPORAL_ADDRESS" in (stuck.why or "")
    assert _report(stuck).exit_code == NOT_CHECKED


async def test_with_temporal_the_workflows_behind_the_rows_are_asked_for(books: TestDatabase, temporal_client: Client) -> None:
    database = Database(books.url("verify"), pool_size=1)
    report = await verify(database, merchant=None, online=None, temporal=temporal_client)
    await database.close()
    assert {result.invariant for result in report.not_checked} == set()


async def test_a_purchase_or_return_whose_process_runs_nowhere_is_found_like_an_order(
    cluster: Cluster, temporal_client: Client
) -> None:
    """A merchant that only buys is told what is under way, not that there is nothing yet."""
    async with scratch_database(cluster) as made:
        engine = engine_for(made.url("owner"))
        await fill(engine)
        await engine.dispose()
        old = "started_at = now() - interval '1 day', ended_at = null, outcome = null"
        await as_superuser(made, f"update bridge.process set {old} where kind in ('purchase-order', 'return')")
        database = Database(made.url("verify"), pool_size=1)
        report = await verify(database, merchant=None, online=None, temporal=temporal_client)
        await database.close()
        behind = of(report, "O6")[-1]
        assert sorted(each.document for each in behind.samples) == ["PO-1", "R-1"]
        assert behind.rows > behind.violations == 2


async def test_a_violation_names_merchant_document_and_what_is_wrong(cluster: Cluster) -> None:
    async with scratch_database(cluster) as made:
        engine = engine_for(made.url("owner"))
        await fill(engine)
        await engine.dispose()
        await as_superuser(made, "update erp.stock_balance set quantity = 95 where merchant_id = 'alfa' and article_number = 'A'")
        report = await verified(made)
        assert report.exit_code == VIOLATED
        [balance] = of(report, "L1")
        assert (balance.violations, balance.samples[0].merchant, balance.samples[0].document) == (1, "alfa", "A in MAIN")
        assert "95.0000" in balance.samples[0].detail and "92.0000" in balance.samples[0].detail
        assert of(await verified(made, "beta"), "L1")[0].verdict == Verdict.CLEAN
        shown = _shown(report)
        assert "L1 alfa A in MAIN: balance 95.0000" in shown
        assert "Violated: " in shown


async def test_rows_that_vanished_after_a_run_prove_nothing(cluster: Cluster) -> None:
    async with scratch_database(cluster) as made:
        engine = engine_for(made.url("owner"))
        await fill(engine)
        await engine.dispose()
        await as_superuser(made, "alter table bridge.status_move disable trigger all", "delete from bridge.status_move")
        await as_superuser(made, "alter table bridge.link disable trigger all", "delete from bridge.link")
        report = await verified(made)
        assert of(report, "I7")[0].verdict == Verdict.NOTHING_PROVED
        assert "I7" in {result.invariant for result in report.not_checked}


async def test_a_database_without_orders_has_nothing_to_prove_yet(cluster: Cluster) -> None:
    async with scratch_database(cluster) as made:
        report = await verified(made)
        assert {result.invariant for result in report.violated} <= OF_THE_TEST_CLUSTER
        assert of(report, "L1")[0].verdict == Verdict.NOTHING_YET


async def test_who_cannot_see_every_row_cannot_call_them_clean(books: TestDatabase) -> None:
    report = await verified(books, role="app")
    assert report.exit_code == NOT_CHECKED
    assert "lagerbro_app is not lagerbro_verify" in _shown(report)


async def test_a_merchant_that_does_not_exist_is_not_clean(books: TestDatabase) -> None:
    report = await verified(books, "nobody")
    assert report.exit_code == NOT_CHECKED
    assert "there is no merchant nobody" in _shown(report)


async def test_a_database_of_somebody_else_is_not_clean(cluster: Cluster) -> None:
    database = Database(cluster.url("postgres"), pool_size=1)
    report = await verify(database, merchant=None, online=None, temporal=None)
    await database.close()
    assert report.exit_code == NOT_CHECKED


async def test_a_check_that_fails_does_not_stop_the_others(cluster: Cluster) -> None:
    async with scratch_database(cluster) as made:
        await as_superuser(made, "drop table bridge.surplus_document")
        report = await verified(made)
        assert of(report, "X2")[0].verdict == Verdict.NOT_CHECKED
        assert "surplus_document" in (of(report, "X2")[0].why or "")
        assert of(report, "X3")[0].verdict == Verdict.NOTHING_YET
        assert of(report, "A4")[0].verdict == Verdict.VIOLATED


async def test_the_report_is_one_json_document(books: TestDatabase) -> None:
    report = await verified(books, "alfa")
    found = json.loads(report.to_json())
    assert found["merchant"] == "alfa" and found["exit_code"] == report.exit_code
    assert {"invariant", "says", "verdict", "rows", "violations", "samples", "why", "seconds", "listed"} <= found["results"][
        0
    ].keys()


def test_every_invariant_has_a_violation_to_plant() -> None:
    planted = {plant.invariant for plant in PLANTS} | {"X6"}
    assert {check.invariant for check in CHECKS} <= planted
    assert all(check.since in Stage for check in CHECKS)


async def test_every_violation_planted_is_found(cluster: Cluster) -> None:
    report = await prove(cluster.url())
    assert {result.invariant for result in report.unwell} <= OF_THE_TEST_CLUSTER
    assert [proof for proof in report.proofs if not proof.found] == []
    assert report.unproved == []
    proved = ProveReport(report.proofs, [], report.unproved, report.seconds)
    assert proved.exit_code == CLEAN
    console = Console(width=200, record=True, file=io.StringIO())
    print_proofs(proved, console)
    assert f"{len(report.proofs)} of {len(report.proofs)} planted violations found" in console.export_text()


def _report(*results: Result) -> Report:
    return Report(None, "now", False, list(results), {})


def _shown(report: Report) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    print_report(report, console)
    return console.export_text()


def test_where_nothing_runs_that_is_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its exit code is 3, as that of every command: `main` makes it of this error."""
    for name in [name for name in os.environ if name.startswith("LAGERBRO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LAGERBRO_HOME", str(tmp_path))
    assert isinstance(CliRunner().invoke(app, ["verify"]).exception, SettingsError)
