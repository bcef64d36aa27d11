"""Fortnox away for a day: what waits for it says so, with a count; nothing fails, and all finish by themselves.

Six orders here; `python -m bench.prove_6.day_without_fortnox` asks for 300 (PROVE_ORDERS).
"""

import asyncio
import json
import os
from datetime import timedelta
from functools import partial

import pytest
from temporalio.client import WorkflowExecutionStatus

from starters import cli_people
from starters.filters import query_of
from tests.conftest import TestDatabase
from tests.workflows.process import PATIENCE, Processes, becomes
from tests.workflows.situations import attempted_twice
from worker.settings import Settings
from workflows import attributes

ORDERS = int(os.environ.get("PROVE_ORDERS", "6"))
AT_ONCE = 25


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, skipping_settings: Settings, database: TestDatabase) -> None:
    for name, value in skipping_settings.environment().items():
        monkeypatch.setenv(name, value)


async def pass_for_all(processes: Processes, numbers: list[str], time: timedelta) -> None:
    """Let that much time pass for every order, many at once."""
    some = asyncio.Semaphore(AT_ONCE)

    async def passes(number: str) -> None:
        assert processes.fast_forward is not None
        async with some:
            await processes.fast_forward(processes.of(number), time)

    await asyncio.gather(*(passes(number) for number in numbers))


@pytest.mark.timeout(60 + 12 * ORDERS)
async def test_a_day_without_fortnox_is_waited_out(processes: Processes, capsys: pytest.CaptureFixture[str]) -> None:
    shop = processes.shop
    assert processes.fast_forward is not None
    numbers = [f"SO-{n}" for n in range(1, ORDERS + 1)]
    for number in numbers:
        await processes.begin(number)
    for number in numbers:
        await processes.reaches("at-warehouse", number)
    await shop.stock(articles=["A", "B"])
    async with shop.fortnox.fault("* /3/*", "http", None, status=503):
        for number in numbers:
            await shop.pick_and_send(number)
            await processes.look(number)
        for number in numbers:
            await processes.reaches("invoicing", number)
            await becomes(partial(attempted_twice, processes, number), True)
        await pass_for_all(processes, numbers, timedelta(minutes=11))
        for number in numbers:
            await processes.blocked_by("no-answer", number)
            assert await processes.shows(attributes.WAITING_FOR, number) == "accounting"

        query = query_of("fortnox", shop.merchant, "")

        async def waiting() -> int:
            return (await processes.client.count_workflows(query)).count

        await becomes(waiting, ORDERS)  # Temporal's list is a little behind; what we list says what it says
        capsys.readouterr()
        assert await cli_people._stuck(shop.merchant, None, False, False, True) == 1
        listed = json.loads(capsys.readouterr().out)
        assert {(each["waiting_for"], each["code"]) for each in listed} == {("accounting", "no-answer")}
        assert len(listed) == ORDERS
        await pass_for_all(processes, numbers, timedelta(days=1))
        for number in numbers:
            assert (await processes.of(number).describe()).status is WorkflowExecutionStatus.RUNNING
        assert not any(each["booked"] for each in await shop.invoices())

    some, loop = asyncio.Semaphore(AT_ONCE), asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE + 3 * ORDERS

    async def finish(number: str) -> str:
        assert processes.fast_forward is not None
        handle = processes.of(number)
        async with some:
            while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
                assert loop.time() < deadline, f"{number} has not ended"
                await processes.fast_forward(handle, timedelta(hours=1))
                await asyncio.sleep(0.2)
        return await processes.result(number)

    assert await asyncio.gather(*(finish(number) for number in numbers)) == ["completed"] * ORDERS
    assert len([each for each in await shop.invoices() if each["booked"]]) == ORDERS
    assert await shop.exceptions() == []
