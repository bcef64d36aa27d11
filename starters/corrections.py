"""A person's correction, sent from Python: by the commands, by the HTTP interface, by an ERP that is written in Python.

    answer = await correct(client, database, "demo", "SO-1001", "hold", by="anna", reason="customer asked", key="crm-17")

Raises `Unacceptable` with a readable text when it is refused. Safe to repeat with the same key.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from domain.corrections import LineChange
from erp.database import Database, Session, one
from erp.people import PROCESS
from workflows.corrections import SENT_AS, Approval

APPROVE = "approve"


class Unacceptable(Exception):
    """The correction was not done; the text says why. `code`: refused, not-found, wrong-content, no-answer."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def understood(name: str, given: dict[str, Any], kinds: Mapping[str, type[Any]] | None = None) -> Any:
    """What was given, as the type that the correction takes. Raises `Unacceptable` naming what is missing or too much."""
    kinds = kinds or {name_.value: kind_ for name_, kind_ in SENT_AS.items()} | {APPROVE: Approval}
    if name not in kinds:
        raise Unacceptable("wrong-content", f"{name} is no correction; there are {', '.join(map(str, kinds))}")
    kind = kinds[name]
    known_fields = {each.name for each in fields(kind)}
    if strange := sorted(set(given) - known_fields):
        raise Unacceptable("wrong-content", f"{strange[0]} is not a field of {name}; it takes {', '.join(sorted(known_fields))}")
    values = dict(given)
    try:
        if "lines" in values:
            values["lines"] = [
                each if is_dataclass(each) else LineChange(int(each["line"]), str(each["quantity"])) for each in values["lines"]
            ]
        if "invoice" in values and (isinstance(values["invoice"], bool) or not isinstance(values["invoice"], int)):
            raise Unacceptable("wrong-content", "invoice must be a number: the invoice's in Fortnox")
        for field in known_fields - {"lines", "invoice"}:
            if field in values and not isinstance(values[field], str):
                raise Unacceptable("wrong-content", f"{field} must be a text")
        return kind(**values)
    except (KeyError, ValueError):
        raise Unacceptable("wrong-content", 'lines must be like [{"line": 1, "quantity": "2"}]') from None
    except TypeError as wrong:
        lacking = str(wrong).rpartition(": ")[2]
        raise Unacceptable("wrong-content", f"{name} lacks {lacking}") from None


async def correct(client: Client, database: Database, merchant: str, number: str, name: str, **given: Any) -> str:
    """Send a correction to an order's running process and wait for its answer. `database` may be any role that sees processes."""
    sent = understood(name, given)
    async with database.merchant(merchant) as session:
        workflow_id = await running(session, merchant, number)
    return await send(client, workflow_id, number, name, sent)


async def send(client: Client, workflow_id: str, number: str, name: str, sent: Any) -> str:
    """The update, and its answer or `Unacceptable`."""
    try:
        return str(await client.get_workflow_handle(workflow_id).execute_update(name, sent, result_type=str))
    except WorkflowUpdateFailedError as refused:
        cause = refused.cause
        code = str(getattr(cause, "type", None) or "refused")
        known = code if code in ("wrong-content", "no-answer") else "refused"
        raise Unacceptable(known, getattr(cause, "message", None) or str(cause)) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Unacceptable("not-found", f"order {number} has no running process any more") from None
        raise Unacceptable("no-answer", f"Temporal: {error.message}") from None


async def running(session: Session, merchant: str, number: str) -> str:
    """The workflow id of the order's running process. Raises `Unacceptable` when there is none."""
    row = await one(session, PROCESS, merchant=merchant, number=number)
    if row is None:
        raise Unacceptable("not-found", f"there is no sales order {number} of merchant {merchant}")
    if row.workflow_id is None:
        raise Unacceptable("refused", f"order {number} is {row.status}: it has no running process that could be corrected")
    return str(row.workflow_id)


def shape(kind: type[Any]) -> dict[str, Any]:
    """The JSON schema of what a correction takes."""
    properties: dict[str, Any] = {}
    for each in fields(kind):
        properties[each.name] = {"type": "string"}
    if "invoice" in properties:
        properties["invoice"] = {"type": "integer"}
    if "lines" in properties:
        line = {"line": {"type": "integer"}, "quantity": {"type": "string"}}
        item = {"type": "object", "properties": line, "required": ["line", "quantity"]}
        properties["lines"] = {"type": "array", "items": item}
    required = [each.name for each in fields(kind) if each.default is MISSING]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
