# ruff: noqa: F811  pytest hands fixtures over by name
"""`lagerbro purchase correct-cost`, `correct`, `close` and `approve`: what a person types to a purchase order under way."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment
from typer.testing import CliRunner

from starters.cli import app
from tests.activities.buying import buying, pool
from tests.activities.test_purchases import floor, ordered, place
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
from tests.workflows.test_receive_purchase_order import of, shows
from worker.keyring import KeyRing
from workflows import attributes
from workflows.receive_purchase_order import ReceivePurchaseOrder

Says = Callable[..., Any]
CLOSED = "select closed_by from erp.purchase_order where merchant_id = :m"


@pytest.fixture
def typed(
    database: TestDatabase,
    skipping: WorkflowEnvironment,
    key_ring: KeyRing,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> Says:
    """Type a command about this merchant's purchase order, as at a prompt; gives its exit code and what it said."""
    address = {"TEMPORAL_ADDRESS": skipping.client.service_client.config.target_host, "LAGERBRO_KEYS": key_ring.dump()}
    for name, value in (database.environment() | address).items():
        monkeypatch.setenv(name, value)

    async def run(command: str, *words: str, by: str = "anna") -> tuple[int, str]:
        told = ["purchase", command, "PO-1", *words, "--by", by, "--reason", "why not", "--merchant", processes.shop.merchant]
        result = await asyncio.to_thread(CliRunner().invoke, app, told, env={"COLUMNS": "200"})
        return result.exit_code, " ".join(result.output.split())

    return run


async def test_a_cost_is_corrected_and_the_rest_closed_by_two_people(processes: Processes, typed: Says) -> None:
    shop = processes.shop
    await buying(shop, "N", purchase_difference_account=4990, second_person_above=15)
    await place(shop, [ordered("N", 10, 10)])
    await processes.deliver()
    await becomes(lambda: shows(processes, attributes.STAGE), "at-warehouse")
    await floor(shop, "receive", {1: 6})
    await of(processes).signal(ReceivePurchaseOrder.look)
    await becomes(lambda: shows(processes, attributes.STAGE), "receiving")
    for _ in range(2):
        assert (await typed("correct-cost", "--amount", "12", "--key", "k-1"))[0] == 0
    assert await pool(shop, "N") == (6, 72)
    code, said = await typed("correct-cost", "--receipt", "1/1", "--unit-cost", "13")
    assert (code, "awaits its invoice" in said) == (1, True)
    code, said = await typed("close", "--key", "k-2")
    assert (code, "waits for a second person (40.00 SEK is above the limit of 15)" in said) == (0, True)
    assert await shop.read(CLOSED) == [(None,)]
    code, said = await typed("correct", "approve-correction", "--key", "k-2")
    assert (code, "another person must approve" in said) == (1, True)
    assert (await typed("correct", "approve-correction", "--key", "k-2", by="bo"))[0] == 0
    assert await shop.read(CLOSED) == [("anna",)]
    code, said = await typed("approve", "--invoice", "57")
    assert (code, "no such invoice" in said) == (1, True)
    code, said = await typed("correct", "approve", "--content", "57")
    assert (code, "not a JSON object" in said) == (1, True)
