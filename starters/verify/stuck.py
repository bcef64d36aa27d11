"""Violations in a scratch Temporal server: a workflow that fails on its own code, and a process that runs nowhere."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import workflow
from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from starters.stack.ports import free_ports
from starters.stack.temporal import TemporalMissing, binary
from starters.verify.check import CannotCheck, Found
from starters.verify.temporal import processes_run, workflows_are_well

QUEUE = "verify-prove"
LONGEST_WAIT_SECONDS = 60.0
LONGEST_START_SECONDS = 20.0


@workflow.defn
class FailsOnItsOwnCode:
    """What a bug or a wrong release looks like: the workflow never fails, its tasks do, for ever."""

    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("planted")


@asynccontextmanager
async def scratch_temporal() -> AsyncIterator[Client]:
    """A Temporal server of its own, in memory, that calls a workflow stuck after two failed tasks."""
    try:
        server = binary(os.environ.get("TEMPORAL_CLI"))
    except TemporalMissing as why:
        raise CannotCheck(str(why)) from None
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *(server, "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--headless", "--log-level", "never"),
        *("--dynamic-config-value", "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield await _connect(f"127.0.0.1:{port}", process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _connect(address: str, process: asyncio.subprocess.Process) -> Client:
    until = time.monotonic() + LONGEST_START_SECONDS
    quiet = Runtime(telemetry=TelemetryConfig(logging=None))  # what is planted would fill the screen
    while True:
        try:
            return await Client.connect(address, runtime=quiet)
        except RuntimeError:
            if process.returncode is not None or time.monotonic() > until:
                raise CannotCheck("the scratch Temporal server does not start") from None
            await asyncio.sleep(0.1)


def _is_not_planted(record: logging.LogRecord) -> bool:
    return FailsOnItsOwnCode.__name__ not in record.getMessage()


async def stuck(connection: AsyncConnection, client: Client) -> Found:
    """Start a workflow that fails on its own code, and look until the server calls it stuck or the wait is over."""
    until = time.monotonic() + LONGEST_WAIT_SECONDS
    runner = UnsandboxedWorkflowRunner()
    logging.getLogger("temporalio.worker._workflow_instance").addFilter(_is_not_planted)
    async with Worker(client, task_queue=QUEUE, workflows=[FailsOnItsOwnCode], workflow_runner=runner):
        handle = await client.start_workflow(
            FailsOnItsOwnCode.run, id="verify-prove/stuck", task_queue=QUEUE, task_timeout=timedelta(seconds=1)
        )
        found = await workflows_are_well(connection, client, None)
        while not found.violations and time.monotonic() < until:
            await asyncio.sleep(0.5)
            found = await workflows_are_well(connection, client, None)
        await handle.terminate()
    return found


async def runs_nowhere(connection: AsyncConnection, client: Client) -> Found:
    """The healthy books have a running process, and this server knows nothing of it."""
    transaction = await connection.begin()
    await connection.execute(text("update bridge.process set started_at = now() - interval '1 day'"))
    await connection.execute(text("set local role lagerbro_verify"))
    found = await processes_run(connection, client, None)
    await transaction.rollback()
    return found


PLANTED = (
    ("O6", "an open process runs nowhere in Temporal", runs_nowhere),
    ("X6", "a workflow fails on its own code and nobody noticed", stuck),
)
