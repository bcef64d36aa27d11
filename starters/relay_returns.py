"""What the outbox says about returns: each has one process at a time, unique in `bridge.process`, and is told by signals."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.keys import ReturnKey
from erp.database import Database, rows
from workflows import attributes, options
from workflows.receive_return import ReceiveReturn

_PROCESS = text(
    """
    insert into bridge.process (merchant_id, kind, document, run, workflow_id)
    values (:merchant, 'return', :document, :run, :workflow_id) on conflict do nothing
    """
)
_LAST = text(
    """
    select run, workflow_id, ended_at from bridge.process
    where merchant_id = :merchant and kind = 'return' and document = :document order by run desc limit 1
    """
)
_LOST = text(
    """
    update bridge.process set ended_at = now(), outcome = 'lost'
    where merchant_id = :merchant and kind = 'return' and document = :document and run = :run and ended_at is null
    """
)
SIGNALS: dict[str, Any] = {
    "return.look": ReceiveReturn.look,
    "return.changed": ReceiveReturn.erp_changed,
    "return.cancel": ReceiveReturn.cancel_asked,
}


async def deliver_return(database: Database, client: Client, row: Any) -> str:
    """Start the return's process, or tell it; a process that our row says is running and Temporal does not is started again."""
    key = ReturnKey(row.merchant_id, row.document)
    if row.topic == "return.announced":
        return await _start(database, client, key)
    if row.topic not in SIGNALS:
        return f"unknown topic {row.topic}"
    async with database.everyone() as session:
        found = await rows(session, _LAST, merchant=key.merchant, document=key.number)
    if not found or found[0].ended_at is not None:
        return "no process"
    key = ReturnKey(key.merchant, key.number, found[0].run)
    try:
        await client.get_workflow_handle(key.workflow_id).signal(SIGNALS[row.topic])
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return await _revive(database, client, key)
    return "told"


async def _start(database: Database, client: Client, key: ReturnKey) -> str:
    async with database.everyone() as session:
        values = {"merchant": key.merchant, "document": key.number, "run": key.run, "workflow_id": key.workflow_id}
        await session.execute(_PROCESS, values)
        last = (await rows(session, _LAST, merchant=key.merchant, document=key.number))[0]
    if last.ended_at is not None or last.run != key.run:
        return "ended before"
    try:
        await client.start_workflow(
            ReceiveReturn.run,
            key,
            id=key.workflow_id,
            task_queue=options.ORDERS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            static_summary=f"Return {key.number} of {key.merchant}",
            search_attributes=attributes.at_start(key.merchant, key.number, "sending", datetime.now(UTC)),
        )
    except WorkflowAlreadyStartedError:
        return "ran to its end"
    return "started"


async def _revive(database: Database, client: Client, key: ReturnKey) -> str:
    outcome = await _start(database, client, key)
    if outcome != "ran to its end":
        return outcome
    async with database.everyone() as session:
        lost = await session.execute(_LOST, {"merchant": key.merchant, "document": key.number, "run": key.run})
    if not lost.rowcount:
        return "ended before"
    return await _start(database, client, ReturnKey(key.merchant, key.number, key.run + 1))
