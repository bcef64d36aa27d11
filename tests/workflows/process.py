"""An order's process in a test: the product's own workers and relay against a real server, and what can be seen of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput
from temporalio.worker import Interceptor as WorkerInterceptor

from domain.keys import OrderKey
from erp.database import Database
from starters.relay import Relay
from tests.activities.world import Shop
from worker.__main__ import workers
from worker.keyring import KeyRing
from worker.settings import Settings
from workflows import attributes
from workflows.patient import Correction
from workflows.sales_order import FulfilSalesOrder

PATIENCE = 90.0
"""Seconds that a loaded machine is given before something that did not happen is a failure."""


class LosesFirstAnswers(ClientInterceptor, WorkerInterceptor):
    """Every activity does its work, and the first answer of each never arrives. Given to the client, it reaches the workers."""

    def __init__(self) -> None:
        self.lost: list[str] = []

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Losing(next, self.lost)


class _Losing(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, lost: list[str]) -> None:
        super().__init__(next)
        self._lost = lost

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        from temporalio import activity

        answer = await self.next.execute_activity(input)
        info = activity.info()
        if info.attempt == 1:
            self._lost.append(info.activity_type)
            raise ApplicationError("the answer was lost", type="no-answer", category=ApplicationErrorCategory.BENIGN)
        return answer


@asynccontextmanager
async def working(client: Client, app_url: str, keys: KeyRing, settings: Settings) -> AsyncIterator[None]:
    """The product's workers, in this process, while inside."""
    database = Database(app_url, pool_size=10)
    running, connections = workers(client, database, keys, settings)
    tasks = [asyncio.create_task(worker.run()) for worker in running]
    try:
        yield
    finally:
        await asyncio.gather(*(worker.shutdown() for worker in running))
        await asyncio.gather(*tasks)
        for each in connections:
            await each.aclose()  # type: ignore[attr-defined]
        await database.close()


@dataclass
class Processes:
    """The orders of one shop, as processes."""

    shop: Shop
    client: Client
    relay: Relay
    fast_forward: Callable[[WorkflowHandle[Any, Any], timedelta], Awaitable[Any]] | None = field(default=None)

    def of(self, number: str = "SO-1", run: int = 1) -> WorkflowHandle[FulfilSalesOrder, str]:
        key = OrderKey(self.shop.merchant, number, run)
        return self.client.get_workflow_handle_for(FulfilSalesOrder.run, key.workflow_id)

    async def begin(
        self, number: str = "SO-1", lines: Sequence[Any] = (), **columns: Any
    ) -> WorkflowHandle[FulfilSalesOrder, str]:
        """Release an order in the ERP and let the relay start its process."""
        from tests.erp.data import add_order, line

        await add_order(self.shop.erp, self.shop.merchant, number, lines or [line("A", 3, 10), line("B", 2, "5.50")], **columns)
        await self.deliver()
        return self.of(number)

    async def end_all(self) -> None:
        """Terminate what still runs: the server outlives the module's database, and nothing of it may come back later."""
        found = await self.shop.read("select workflow_id from bridge.process where merchant_id = :m")
        for workflow_id in [
            *(name for (name,) in found),
            f"watch/{self.shop.merchant}",
            f"articles/{self.shop.merchant}",
            f"differences/{self.shop.merchant}",
        ]:
            with contextlib.suppress(RPCError):
                await self.client.get_workflow_handle(workflow_id).terminate("the test is over")
        with contextlib.suppress(RPCError):  # the time-skipping server keeps no list
            async for left in self.client.list_workflows('ExecutionStatus = "Running"'):
                with contextlib.suppress(RPCError):
                    await self.client.get_workflow_handle(left.id).terminate("the test is over")

    async def deliver(self) -> None:
        """Let the relay empty outbox and inbox."""
        while await self.relay.deliver_outbox() + await self.relay.deliver_articles() + await self.relay.drain_inbox():
            continue

    async def stage(self, number: str = "SO-1") -> Any:
        return await self.shows(attributes.STAGE, number)

    async def shows(self, key: Any, number: str = "SO-1") -> Any:
        """A search attribute, as it is now; None before there is a process."""
        try:
            description = await self.of(number).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return description.typed_search_attributes.get(key)

    async def reaches(self, stage: str, number: str = "SO-1", seconds: float = PATIENCE) -> None:
        await becomes(lambda: self.stage(number), stage, seconds)

    async def blocked_by(self, code: str | None, number: str = "SO-1", seconds: float = PATIENCE) -> None:
        await becomes(lambda: self.shows(attributes.BLOCKED_REASON, number), code, seconds)

    async def retry(self, by: str, reason: str, number: str = "SO-1") -> str:
        """What a person sends to an order that stands still."""
        update: Any = FulfilSalesOrder.retry_now
        return str(await self.of(number).execute_update(update, Correction(by, reason)))

    async def look(self, number: str = "SO-1") -> None:
        await self.of(number).signal(FulfilSalesOrder.look)

    async def result(self, number: str = "SO-1", seconds: float = PATIENCE) -> str:
        async with asyncio.timeout(seconds):
            return await self.of(number).result()


async def becomes(probe: Callable[[], Awaitable[Any]], wanted: Any, seconds: float = PATIENCE) -> None:
    """Ask until the answer is the wanted one; say what it was instead if it never is."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while (found := await probe()) != wanted:
        assert loop.time() < deadline, f"is {found!r}, and did not become {wanted!r} in {seconds:g} s"
        await asyncio.sleep(0.05)
