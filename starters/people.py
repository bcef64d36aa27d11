"""What the commands for people stand on: what stands still and for whom, the whole story of an order, trying many again."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from domain.keys import OrderKey
from domain.reasons import REASONS, Reason
from erp.database import Database
from erp.overview import order_overview
from erp.people import chain, stuck
from starters.filters import FILTERS, of_merchant
from workflows import attributes
from workflows.patient import Correction

WORKFLOW_OF = {
    "articles": "articles/{merchant}",
    "differences": "differences/{merchant}",
    "exchange-rates": "rates/{merchant}",
    "reconcile": "reconcile/{merchant}",
    "supplier-invoices": "supplier-invoices/{merchant}",
    "vouchers": "vouchers/{merchant}",
    "watch": "watch/{merchant}",
}
"""The id of a merchant's own process of each kind; what a schedule or a person starts adds a day or a word to it."""
BROKEN = Reason("The process fails on its own code.", "person", "Tell those who run Lagerbro: the fault is in the program.")


@dataclass(frozen=True, slots=True)
class Stuck:
    """One thing that stands still. `waiting_for` is who is waited for right now, as the process says."""

    merchant: str
    kind: str
    document: str
    code: str
    detail: str
    since: datetime | None
    waiting_for: str
    sentence: str
    remedy: str
    workflow_id: str | None
    blocking: bool = True


async def all_stuck(database: Database, client: Client | None, merchant: str | None, notes: bool = False) -> list[Stuck]:
    """Everything that stands still, oldest first: our own list, and processes that Temporal reports as failing on their code.

    Without Temporal the list is our own alone, and `waiting_for` is who usually acts.
    """
    async with database.everyone() as session:
        found = await stuck(session, merchant, notes)
    seen = await _seen_in_temporal(client, merchant) if client else {}
    listed = []
    for row in found:
        reason = REASONS.get(row["code"], REASONS["unexpected-refusal"])
        usual = WORKFLOW_OF.get(row["kind"], "").format(merchant=row["merchant_id"]) or None
        workflow_id = row["workflow_id"] or (usual and _of_its_kind(usual, seen))
        waits = seen.pop(workflow_id, None) if workflow_id else None
        listed.append(
            Stuck(
                row["merchant_id"],
                row["kind"],
                row["document"],
                row["code"],
                row["detail"],
                row["opened_at"],
                waits or reason.who,
                reason.sentence,
                reason.remedy,
                workflow_id,
                row["blocking"],
            )
        )
    return listed


def _of_its_kind(usual: str, seen: Collection[str]) -> str:
    """The process that stands still under the usual id, or under one that begins with it."""
    return next((each for each in seen if each == usual or each.startswith((f"{usual}-", f"{usual}/"))), usual)


async def _seen_in_temporal(client: Client, merchant: str | None) -> dict[str, str | None]:
    query = of_merchant(FILTERS["stuck"][1], merchant)
    return {each.id: each.typed_search_attributes.get(attributes.WAITING_FOR) async for each in client.list_workflows(query)}


async def broken(client: Client, merchant: str | None) -> list[Stuck]:
    """Processes that fail on their own code: nothing of ours lists them, Temporal does."""
    query = of_merchant("TemporalReportedProblems IS NOT NULL", merchant)
    return [
        Stuck(
            each.typed_search_attributes.get(attributes.MERCHANT) or "",
            each.workflow_type,
            each.typed_search_attributes.get(attributes.DOCUMENT) or each.id,
            "broken",
            "its tasks fail again and again",
            each.start_time,
            BROKEN.who,
            BROKEN.sentence,
            BROKEN.remedy,
            each.id,
        )
        async for each in client.list_workflows(query)
    ]


async def explain(database: Database, client: Client | None, merchant: str, number: str) -> dict[str, Any] | None:
    """The whole chain of one order: ERP, process, warehouse, shipments, ledger, invoices, Fortnox, every attempt."""
    async with database.everyone() as session:
        found = await order_overview(session, merchant, number)
        if found is None:
            return None
        found |= await chain(session, merchant, number)
    running = [process for process in found["processes"] if process["ended_at"] is None]
    found["now"] = await _now(client, running[-1]["workflow_id"]) if client and running else None
    found["steps"] = [step for process in found["processes"] if client async for step in steps(client, process["workflow_id"])]
    return found


async def _now(client: Client, workflow_id: str) -> dict[str, Any] | None:
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return None
    said = description.typed_search_attributes
    return {
        "workflow_id": workflow_id,
        "stage": said.get(attributes.STAGE),
        "since": said.get(attributes.STAGE_SINCE),
        "waiting_for": said.get(attributes.WAITING_FOR),
        "blocked": said.get(attributes.BLOCKED_REASON),
        "pending": [
            {"step": each.activity_type.name, "attempt": each.attempt, "last": each.last_failure.message or None}
            for each in description.raw_description.pending_activities
        ],
    }


async def steps(client: Client, workflow_id: str) -> AsyncIterator[dict[str, Any]]:
    """Every step of a process with its attempts, and every correction, in the order in which they began."""
    names: dict[int, str] = {}
    began: dict[int, tuple[datetime, int]] = {}
    ends = {
        EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: ("done", "activity_task_completed_event_attributes"),
        EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: ("refused", "activity_task_failed_event_attributes"),
        EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: ("no answer", "activity_task_timed_out_event_attributes"),
        EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: ("given up", "activity_task_canceled_event_attributes"),
    }
    try:
        async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
            if event.HasField("activity_task_scheduled_event_attributes"):
                names[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
            elif event.HasField("activity_task_started_event_attributes"):
                started = event.activity_task_started_event_attributes
                began[started.scheduled_event_id] = (event.event_time.ToDatetime(), started.attempt)
            elif event.event_type in ends:
                how, field = ends[event.event_type]
                scheduled = getattr(event, field).scheduled_event_id
                at, attempts = began.get(scheduled, (event.event_time.ToDatetime(), 0))
                yield {
                    "at": at,
                    "process": workflow_id,
                    "step": names.get(scheduled, "?"),
                    "attempts": attempts,
                    "how": how,
                }
            elif event.HasField("workflow_execution_update_accepted_event_attributes"):
                name = event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
                at = event.event_time.ToDatetime()
                yield {"at": at, "process": workflow_id, "step": f"correction {name}", "attempts": 1, "how": "accepted"}
    except RPCError:
        return  # Temporal has forgotten it; our own tables have not


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of one order that was tried again. `refused` is in words, None when it was accepted."""

    merchant: str
    document: str
    refused: str | None


async def retry_many(client: Client, found: Sequence[Stuck], by: str, reason: str, a_second: float) -> AsyncIterator[Retried]:
    """Try many again, so many a second: an outage that is over must not begin anew with everybody calling at once."""
    for each in found:
        began = asyncio.get_running_loop().time()
        yield Retried(each.merchant, each.document, await _retry(client, each, by, reason))
        await asyncio.sleep(max(0.0, 1 / a_second - (asyncio.get_running_loop().time() - began)))


async def _retry(client: Client, each: Stuck, by: str, reason: str) -> str | None:
    workflow_id = each.workflow_id or OrderKey(each.merchant, each.document).workflow_id
    try:
        await client.get_workflow_handle(workflow_id).execute_update("retry_now", Correction(by, reason))
    except WorkflowUpdateFailedError as refused:
        return str(refused.cause)
    except RPCError as error:
        return error.message
    return None
