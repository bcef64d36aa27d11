"""What the outbox and the inbox say about documents that have one process at a time: sales orders, returns, purchase orders.

The process of a document is unique in `bridge.process`, and is told by signals. One that our row says is running and Temporal
does not is started again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import text
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.keys import OrderKey, PurchaseKey, ReturnKey
from erp.counters import PURCHASE_ORDER, SALES_ORDER
from erp.database import Database, rows
from workflows import attributes, options
from workflows.receive_purchase_order import ReceivePurchaseOrder
from workflows.receive_return import ReceiveReturn
from workflows.sales_order import FulfilSalesOrder

log = structlog.get_logger("relay")

_PROCESS = text(
    """
    insert into bridge.process (merchant_id, kind, document, run, workflow_id)
    values (:merchant, :kind, :document, :run, :workflow_id) on conflict do nothing
    """
)
_LAST = text(
    """
    select run, workflow_id, ended_at from bridge.process
    where merchant_id = :merchant and kind = :kind and document = :document order by run desc limit 1
    """
)
_LOST = text(
    """
    update bridge.process set ended_at = now(), outcome = 'lost'
    where merchant_id = :merchant and kind = :kind and document = :document and run = :run and ended_at is null
    """
)

Key = OrderKey | ReturnKey | PurchaseKey


@dataclass(frozen=True, slots=True)
class Documents:
    """A kind of document: its word in `bridge.process`, what a person calls it, its key and its workflow, the topic that starts a
    process, and those that are told to it. A topic of `answered` starts another run where the process has ended."""

    kind: str
    title: str
    key: type[Key]
    workflow: Any
    begins: str
    signals: Mapping[str, Any]
    answered: frozenset[str] = frozenset()

    async def deliver(self, database: Database, client: Client, row: Any) -> str:
        """Start the document's process, or tell it."""
        key = self.key(row.merchant_id, row.document)
        if row.topic == self.begins:
            return await self._start(database, client, key)
        if row.topic not in self.signals:
            return f"unknown topic {row.topic}"
        found = await self._last(database, key)
        if found is not None and found.ended_at is not None and row.topic in self.answered:
            return await self._start(database, client, self.key(key.merchant, key.number, found.run + 1))
        if found is None or found.ended_at is not None:
            return "no process"
        return await self._signal(database, client, self.key(key.merchant, key.number, found.run), self.signals[row.topic])

    async def look(self, database: Database, client: Client, merchant: str, document: str, again: bool) -> str:
        """Tell the document's process to look; with `again` one that has ended gets another run.

        After a webhook none does: most often it is the echo of what ended the process. If the warehouse differs from our books,
        the watcher says so.
        """
        key = self.key(merchant, document)
        found = await self._last(database, key)
        if found is None:
            return "no process"
        if found.ended_at is None:
            return await self._signal(database, client, self.key(merchant, document, found.run), self.workflow.look)
        if not again:
            return "ended; left to the watcher"
        return await self._start(database, client, self.key(merchant, document, found.run + 1))

    async def _last(self, database: Database, key: Key) -> Any:
        async with database.everyone() as session:
            found = await rows(session, _LAST, merchant=key.merchant, kind=self.kind, document=key.number)
        return found[0] if found else None

    async def _signal(self, database: Database, client: Client, key: Key, signal: Any) -> str:
        """Signal the process of this run. One that our row says is running and Temporal does not is started (again)."""
        try:
            await client.get_workflow_handle(key.workflow_id).signal(signal)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return await self._revive(database, client, key)
        return "told"

    async def _start(self, database: Database, client: Client, key: Key) -> str:
        values = {"merchant": key.merchant, "kind": self.kind, "document": key.number, "run": key.run}
        async with database.everyone() as session:
            await session.execute(_PROCESS, values | {"workflow_id": key.workflow_id})
        last = await self._last(database, key)
        if last.ended_at is not None or last.run != key.run:
            return "ended before"
        try:
            await client.start_workflow(
                self.workflow.run,
                key,
                id=key.workflow_id,
                task_queue=options.ORDERS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=f"{self.title} {key.number} of {key.merchant}",
                search_attributes=attributes.at_start(key.merchant, key.number, "sending", datetime.now(UTC)),
            )
        except WorkflowAlreadyStartedError:
            return "ran to its end"
        return "started"

    async def _revive(self, database: Database, client: Client, key: Key) -> str:
        outcome = await self._start(database, client, key)
        if outcome != "ran to its end":
            return outcome
        values = {"merchant": key.merchant, "kind": self.kind, "document": key.number, "run": key.run}
        async with database.everyone() as session:
            lost = await session.execute(_LOST, values)
        if not lost.rowcount:
            return "ended before"
        log.warning("process was lost", merchant=key.merchant, kind=self.kind, document=key.number)
        return await self._start(database, client, self.key(key.merchant, key.number, key.run + 1))


ORDERS = Documents(
    SALES_ORDER,
    "Sales order",
    OrderKey,
    FulfilSalesOrder,
    "sales-order.released",
    {"sales-order.changed": FulfilSalesOrder.erp_changed, "sales-order.cancel": FulfilSalesOrder.cancel_asked},
    frozenset({"sales-order.cancel"}),
)
RETURNS = Documents(
    "return",
    "Return",
    ReturnKey,
    ReceiveReturn,
    "return.announced",
    {
        "return.look": ReceiveReturn.look,
        "return.changed": ReceiveReturn.erp_changed,
        "return.cancel": ReceiveReturn.cancel_asked,
    },
)
PURCHASES = Documents(
    PURCHASE_ORDER,
    "Purchase order",
    PurchaseKey,
    ReceivePurchaseOrder,
    "purchase-order.placed",
    {
        "purchase-order.changed": ReceivePurchaseOrder.erp_changed,
        "purchase-order.cancel": ReceivePurchaseOrder.erp_changed,
    },
)
TOLD = {documents.kind: documents for documents in (ORDERS, PURCHASES)}
"""What the warehouse says something about, by its word."""
BY_TOPIC = {documents.begins.partition(".")[0]: documents for documents in (ORDERS, RETURNS, PURCHASES)}
"""What the ERP says something about, by the first word of the outbox's topic."""
