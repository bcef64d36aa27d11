"""What Temporal knows of our processes: the second half of O6, and X6."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from erp.database import one, rows
from starters.verify.check import SAMPLES, CannotCheck, Found, Violation

LONGEST_HISTORY = 2000
WORKFLOWS = {"sales-order": "FulfilSalesOrder", "purchase-order": "ReceivePurchaseOrder", "return": "ReceiveReturn"}
"""The kinds of document that have one process at a time, and its type in Temporal."""
SETTLING = timedelta(minutes=2)
"""How long the two may differ: a process is written before its workflow starts, and ended before it closes."""

_RUNNING = text(
    """
    select merchant_id, document, workflow_id, started_at < now() - cast(:settling as interval) as settled from bridge.process
    where kind = any(cast(:kinds as text[])) and ended_at is null and coalesce(cast(:merchant as text), merchant_id) = merchant_id
    """
)
_ENDED = text(
    """
    select merchant_id, document, workflow_id from bridge.process
    where kind = any(cast(:kinds as text[])) and ended_at < now() - cast(:settling as interval)
      and workflow_id = any(cast(:ids as text[]))
    """
)
_MERCHANT_OF = text("select merchant_id, document from bridge.process where workflow_id = :workflow")


async def processes_run(connection: AsyncConnection, temporal: Client | None, merchant: str | None) -> Found:
    """Compare the processes in our tables with the workflows that run: of sales orders, purchase orders and returns."""
    key = {"kinds": list(WORKFLOWS), "settling": SETTLING}
    processes = {row.workflow_id: row for row in await rows(connection, _RUNNING, **key, merchant=merchant)}
    running = set[str]()
    for kind, name in WORKFLOWS.items():
        prefix = f"{kind}/{merchant}/" if merchant else f"{kind}/"
        listed = await _list(temporal, f"WorkflowType = '{name}' AND ExecutionStatus = 'Running'")
        running |= {workflow.id for workflow in listed if workflow.id.startswith(prefix)}
    wrong = [
        Violation(row.merchant_id, row.document, f"{name} is open in bridge.process and does not run in Temporal")
        for name, row in processes.items()
        if row.settled and name not in running
    ]
    ended = await rows(connection, _ENDED, **key, ids=sorted(running - set(processes)))
    wrong += [
        Violation(row.merchant_id, row.document, f"{row.workflow_id} runs in Temporal and has ended in bridge.process")
        for row in ended
    ]
    return Found.of(len(processes) + len(running), wrong)


async def workflows_are_well(connection: AsyncConnection, temporal: Client | None, merchant: str | None) -> Found:
    """No running workflow fails on its own code, and none has grown a history that replays slowly."""
    whole = await _count(temporal, "")
    stuck = await _list(temporal, "TemporalReportedProblems IS NOT NULL AND ExecutionStatus = 'Running'")
    long = await _list(temporal, f"HistoryLength > {LONGEST_HISTORY}")
    wrong = [await _named(connection, workflow, "fails on its own code: see its last workflow task") for workflow in stuck]
    wrong += [await _named(connection, workflow, f"has {workflow.history_length} events") for workflow in long]
    return Found(whole, len(wrong), wrong[:SAMPLES])


async def _named(connection: AsyncConnection, workflow: WorkflowExecution, what: str) -> Violation:
    row = await one(connection, _MERCHANT_OF, workflow=workflow.id)
    return Violation(row.merchant_id if row else "", workflow.id, what)


async def _list(temporal: Client | None, query: str) -> list[WorkflowExecution]:
    try:
        return [workflow async for workflow in _connected(temporal).list_workflows(query)]
    except RPCError as refused:
        raise CannotCheck(f"Temporal does not answer: {refused.message}") from None


async def _count(temporal: Client | None, query: str) -> int:
    try:
        return (await _connected(temporal).count_workflows(query)).count
    except RPCError as refused:
        raise CannotCheck(f"Temporal does not answer: {refused.message}") from None


def _connected(temporal: Client | None) -> Client:
    if temporal is None:
        raise CannotCheck("no Temporal to ask: set TEMPORAL_ADDRESS to one that answers")
    return temporal
