"""A step whose time runs out in the middle of an attempt: what a person reads is the last reason that was known."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.erp import Erp
from tests.activities.world import Shop
from tests.workflows.process import becomes
from workflows import attributes, options
from workflows.patient import Patient

SETTLING, MISSING = "settling", "no-such-reason"


@activity.defn
async def ask(code: str) -> None:
    """Says once why it cannot be done, and is never heard of again."""
    if activity.info().attempt == 1:
        raise ApplicationError(f"invoice 57 has no clear answer yet: {code}", type=code)
    await asyncio.Event().wait()


@workflow.defn(sandboxed=False)
class Asks(Patient):
    @workflow.run
    async def run(self, given: list[str]) -> None:
        self.merchant, code = given
        self.kind, self.document = "sales-order", "SO-1"
        await self.step(ask, code, "Ask", workflow.info().task_queue, heartbeat_timeout=None)


@pytest.mark.parametrize(("code", "shown"), [(SETTLING, SETTLING), (MISSING, "no-answer")])
async def test_the_last_reason_is_read_where_the_time_runs_out_during_an_attempt(
    shop: Shop, skipping: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, code: str, shown: str
) -> None:
    client = skipping.client
    monkeypatch.setattr(options, "PATIENCE", timedelta(seconds=3))
    queue, ours = f"last-failure-{shop.merchant}-{code}", Erp(shop.worker.database)
    activities: list[Any] = [ask, ours.open_exception, ours.close_exceptions]
    async with Worker(client, task_queue=queue, workflows=[Asks], activities=activities, graceful_shutdown_timeout=timedelta(0)):
        handle = await client.start_workflow(Asks.run, [shop.merchant, code], id=queue, task_queue=queue)

        async def reason() -> object:
            return (await handle.describe()).typed_search_attributes.get(attributes.BLOCKED_REASON)

        await becomes(reason, shown)
        listed = "select code, detail from bridge.exception where merchant_id = :m"
        assert await shop.read(listed) == [(shown, f"Ask: invoice 57 has no clear answer yet: {code}")]
        history = await handle.fetch_history()
        await handle.terminate("the test is over")
    times_out = [each for each in history.events if each.HasField("activity_task_timed_out_event_attributes")]
    assert len(times_out) == 1, "the case that this is about"
    await Replayer(workflows=[Asks], data_converter=client.config()["data_converter"]).replay_workflow(history)
