"""`lagerbro reconcile`: what a person types, what it says, and its exit codes."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from starters.cli import app
from tests.activities.conftest import erp, fortnox, http, ongoing, shop, verify, workers
from tests.activities.test_reconciling import Clock, lose, stocked
from tests.activities.world import Shop
from tests.conftest import TestDatabase
from worker.keyring import KeyRing

__all__ = ["erp", "fortnox", "http", "ongoing", "shop", "verify", "workers"]
Says = Callable[..., Any]


@pytest.fixture
def typed(database: TestDatabase, key_ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Type a command, as at a prompt."""
    for name, value in (database.environment() | {"LAGERBRO_KEYS": key_ring.dump()}).items():
        monkeypatch.setenv(name, value)

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, ["reconcile", *words], env={"COLUMNS": "200"})

    return run


def written(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_before_the_first_run_there_is_nothing_to_show_and_it_says_what_to_do(shop: Shop, typed: Says) -> None:
    answer = await typed("show", "-m", shop.merchant)
    assert (answer.exit_code, "lagerbro reconcile run" in answer.output) == (1, True)
    assert (await typed("file", "-m", shop.merchant)).exit_code == 1


async def test_a_run_is_shown_with_its_classes_and_fetched_as_it_was_made(shop: Shop, typed: Says, tmp_path: Path) -> None:
    await stocked(shop)
    await lose(shop, "A", 998)
    await Clock(shop).run()
    answer = await typed("show", "-m", shop.merchant)
    assert answer.exit_code == 1
    assert "3 articles compared" in answer.output and "unknown" in answer.output and "must stand in two looks" in answer.output
    told = json.loads((await typed("show", "1", "-m", shop.merchant, "--json")).output)
    assert [row["article"] for row in told["differences"] if row["comparison"] == "physical"] == ["A"]
    fetched = await typed("file", "1", "-m", shop.merchant, "--out", str(tmp_path), "--format", "csv")
    assert fetched.exit_code == 0
    assert [path.suffix for path in written(tmp_path)] == [".csv"] and "sha256" in fetched.output
    assert (await typed("file", "1", "-m", shop.merchant, "--out", str(tmp_path), "--format", "pdf")).exit_code == 1


async def test_what_cannot_be_reconciled_is_refused_before_anything_is_started(shop: Shop, typed: Says) -> None:
    """No process is started: none would be there to answer."""
    today = Clock(shop).now.date()
    answer = await typed("run", "--on", f"{today + timedelta(days=2)}", "-m", shop.merchant)
    assert (answer.exit_code, "is not past" in answer.output) == (1, True)
    for words in (("run", "-m", "nobody"), ("approve", "1", "--by", "anna", "--reason", "counted", "-m", "nobody")):
        assert "merchant nobody is not in erp.merchant" in str((await typed(*words)).exception)
    formless = await typed("file", "-m", shop.merchant, "--format", "pdf")
    assert "there are csv, xlsx, html, all" in formless.output


async def test_a_preview_shows_what_a_run_would_find(shop: Shop, typed: Says) -> None:
    await stocked(shop)
    assert (await typed("preview", "-m", shop.merchant)).exit_code == 0
    await lose(shop, "B", 998)
    answer = await typed("preview", "-m", shop.merchant)
    assert (answer.exit_code, "Nothing was written" in answer.output) == (1, True)
    assert "B (physical): unknown -2" in answer.output
    assert await shop.read("select count(*) from erp.reconciliation_run where merchant_id = :m") == [(0,)]
