# ruff: noqa: F811  pytest hands fixtures over by name
"""`lagerbro return retry` and `return settle`: what a person types to a return that stands still, and what becomes of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment
from typer.testing import CliRunner

from starters.cli import app
from tests.activities.returning import receive, sums
from tests.conftest import TestDatabase
from tests.workflows.conftest import (  # noqa: F401  fixtures
    erp,
    fortnox,
    http,
    ongoing,
    processes,
    relay_database,
    shop,
    skipping_settings,
    verify,
    workers,
)
from tests.workflows.process import Processes, becomes
from tests.workflows.test_receive_return import announced, blocked_by, ended, of, sold
from worker.keyring import KeyRing
from workflows.receive_return import ReceiveReturn

Says = Callable[..., Any]


@pytest.fixture
def typed(
    database: TestDatabase,
    skipping: WorkflowEnvironment,
    key_ring: KeyRing,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> Says:
    """Type a command about this merchant's returns, as at a prompt; gives its exit code and what it said."""
    address = {"TEMPORAL_ADDRESS": skipping.client.service_client.config.target_host, "LAGERBRO_KEYS": key_ring.dump()}
    for name, value in (database.environment() | address).items():
        monkeypatch.setenv(name, value)

    async def run(*words: str, by: str = "anna", reason: str = "looked into it") -> tuple[int, str]:
        told = ["return", *words, "--by", by, "--reason", reason, "--merchant", processes.shop.merchant]
        result = await asyncio.to_thread(CliRunner().invoke, app, told, env={"COLUMNS": "200"})
        return result.exit_code, " ".join(result.output.split())

    return run


async def arrived(processes: Processes, lines: dict[int, Any], **wish: Any) -> None:
    """A return of one piece that is announced, and then comes as it comes."""
    await announced(processes, {1: 1})
    await becomes(lambda: processes.shop.read("select status from erp.return_order where merchant_id = :m"), [("at-warehouse",)])
    await receive(processes.shop, lines, **wish)
    await of(processes).signal(ReceiveReturn.look)


async def test_a_return_that_stands_still_is_tried_again_and_goes_on_once_its_cause_is_mended(
    processes: Processes, typed: Says
) -> None:
    await processes.shop.settings(return_causes={"SIZE": "stock"})
    await sold(processes)
    await arrived(processes, {1: 1}, causeCode="NEW")
    await blocked_by(processes, "unknown-return-cause")
    code, said = await typed("retry", "R-1")
    assert (code, "R-1 is tried again" in said) == (0, True)
    await blocked_by(processes, "unknown-return-cause")
    await processes.shop.settings(return_causes={"SIZE": "stock", "NEW": "stock"})
    await becomes(lambda: _retried(processes, typed), "completed")
    assert [each["credit"] for each in await processes.shop.invoices()] == [False, True]
    code, said = await typed("retry", "R-1")
    assert (code, "R-1" in said, "no running process" in said) == (1, True, True)


async def _retried(processes: Processes, typed: Says) -> Any:
    """Workers remember settings for two seconds: tried until it is so."""
    await typed("retry", "R-1", reason="the cause is in the map")
    [(status,)] = await processes.shop.read("select status from erp.return_order where merchant_id = :m")
    return status


async def test_a_return_that_goes_on_has_nothing_to_retry(processes: Processes, typed: Says) -> None:
    await sold(processes)
    await announced(processes, {1: 1})
    await becomes(lambda: processes.shop.read("select status from erp.return_order where merchant_id = :m"), [("at-warehouse",)])
    code, said = await typed("retry", "R-1")
    assert (code, "R-1 is not standing still: there is nothing to retry" in said) == (1, True)


async def test_what_is_settled_by_a_person_is_not_credited_and_names_who_and_why(processes: Processes, typed: Says) -> None:
    await sold(processes)
    await arrived(processes, {1: 4}, over=True)
    await blocked_by(processes, "returned-more-than-sent")
    before = await sums(processes.shop)
    assert await typed("settle", "R-1", reason=" ") == (1, "--by and --reason must say who and why: both are kept.")
    assert await typed("settle", "R-1", by="Kim", reason="counted again") == (0, "return R-1 is settled without credit")
    assert await ended(processes) == "completed"
    assert await sums(processes.shop) == before
    audit = await processes.shop.read("select actor, action, reason from bridge.audit where merchant_id = :m")
    assert audit == [("Kim", "return-without-credit", "counted again")]


@pytest.mark.parametrize("command", ["retry", "settle"])
async def test_a_return_that_is_not_there_is_named(processes: Processes, typed: Says, command: str) -> None:
    assert await typed(command, "R-404") == (1, f"There is no return R-404 of merchant {processes.shop.merchant}.")
