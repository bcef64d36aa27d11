"""What an order costs when nothing is done: a workflow of the same shape with empty activities, and the cheapest there is.

`BareOrder` schedules the same number of remote activities on queues of their own, waits for the same signals, updates the same
search attributes and is run by a worker with the product's settings, interceptors and codec. `Floor` is one local activity, a
wait, one local activity. `python -m bench.bare` is their worker.
"""

import asyncio
import signal
import sys
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import Priority
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from domain.keys import OrderKey, OrderState
from worker.__main__ import GRACE
from worker.health import alive
from worker.interceptors import Meaning
from worker.settings import Settings
from worker.temporal import connect
from workflows import attributes, options

ORDERS_QUEUE, ONGOING_QUEUE, FORTNOX_QUEUE, FLOOR_QUEUE = "bare-orders", "bare-ongoing", "bare-fortnox", "floor"


@activity.defn
async def nothing(order: OrderKey) -> OrderState:
    """Answers as the product's steps do, and does nothing but tell the driver, by a line of output, that it ran."""
    sys.stdout.write(f"{order.number}\n")
    sys.stdout.flush()
    return OrderState("at-warehouse")


@workflow.defn
class BareOrder:
    """Send, look, look, invoice, with nothing behind it."""

    def __init__(self) -> None:
        self._looks = 0

    @workflow.run
    async def run(self, order: OrderKey) -> str:
        await self._step(order, "Send the order to the warehouse", ONGOING_QUEUE)
        self._enter("at-warehouse", "warehouse")
        for look in (1, 2):
            await workflow.wait_condition(lambda look=look: self._looks >= look)  # type: ignore[misc]
            await self._step(order, "Read what the warehouse has done", ONGOING_QUEUE)
        self._enter("invoicing", "accounting")
        await self._step(order, "Invoice", FORTNOX_QUEUE)
        return "completed"

    async def _step(self, order: OrderKey, summary: str, queue: str) -> OrderState:
        return await workflow.execute_activity(
            nothing,
            order,
            task_queue=queue,
            summary=summary,
            start_to_close_timeout=options.ONE_STEP,
            schedule_to_close_timeout=options.PATIENCE,
            heartbeat_timeout=options.SIGN_OF_LIFE,
            retry_policy=options.SOON,
            priority=Priority(fairness_key=order.merchant),
        )

    def _enter(self, stage: str, waiting_for: str) -> None:
        workflow.upsert_search_attributes(
            [
                attributes.STAGE.value_set(stage),
                attributes.STAGE_SINCE.value_set(workflow.now()),
                attributes.WAITING_FOR.value_set(waiting_for),
            ]
        )

    @workflow.signal
    def look(self) -> None:
        self._looks += 1


@workflow.defn
class Floor:
    """One local activity, a wait, one local activity."""

    def __init__(self) -> None:
        self._looked = False

    @workflow.run
    async def run(self, order: OrderKey) -> str:
        await self._step(order)
        await workflow.wait_condition(lambda: self._looked)
        await self._step(order)
        return "completed"

    async def _step(self, order: OrderKey) -> None:
        await workflow.execute_local_activity(nothing, order, start_to_close_timeout=timedelta(seconds=5))

    @workflow.signal
    def look(self) -> None:
        self._looked = True


async def main() -> None:
    settings = Settings.from_environment()
    client = await connect(settings)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    shared: dict[str, Any] = {"interceptors": [Meaning()], "graceful_shutdown_timeout": GRACE, "build_id": "bench"}
    tuned: dict[str, Any] = {
        "workflow_runner": UnsandboxedWorkflowRunner(),
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=1),
        "max_cached_workflows": 2000,
    }
    many = settings.worker_concurrency
    running = [
        Worker(client, task_queue=ORDERS_QUEUE, workflows=[BareOrder], **tuned, **shared),
        Worker(client, task_queue=ONGOING_QUEUE, activities=[nothing], max_concurrent_activities=many, **shared),
        Worker(client, task_queue=FORTNOX_QUEUE, activities=[nothing], max_concurrent_activities=many, **shared),
        Worker(client, task_queue=FLOOR_QUEUE, workflows=[Floor], activities=[nothing], **tuned, **shared),
    ]
    tasks = [asyncio.create_task(each.run()) for each in running]
    async with alive(settings):
        await stop.wait()
    await asyncio.gather(*(each.shutdown() for each in running))
    await asyncio.gather(*tasks)
    await asyncio.sleep(0.3)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
