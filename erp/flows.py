"""The switches of a merchant's flows (bridge.entity), kept with who turned them and why.

A switch is state and not a message: whoever runs a flow reads it there, and the relay compares what waits with it, so that
nothing is told twice or never.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from domain.errors import Refused
from domain.flows import FLOWS, Flow
from erp.database import Session, one, rows

LONGEST_INTERVAL = 86_400
NO_INTERVAL = 60  # stored where there is none, and used by nobody


@dataclass(frozen=True, slots=True)
class FlowState:
    """A flow as it stands: its switch, its rhythm, when it last ran, and how many documents wait because it is off."""

    merchant: str
    flow: str
    enabled: bool
    interval_seconds: int | None
    last_run_at: datetime | None
    run_now_at: datetime | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Held:
    """A process that stands still because a flow was off, and the flow is on."""

    merchant: str
    flow: str
    kind: str
    document: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants this flow to run now."""

    merchant: str
    flow: str
    at: datetime


_STATES = text(
    """
    select m.merchant_id, f.flow, coalesce(e.enabled, true) as enabled, e.interval_seconds, e.run_now_at,
      case f.flow
        when 'orders-out' then (select max(l.updated_at) from bridge.link l
          where l.merchant_id = m.merchant_id and l.system = 'ongoing' and l.kind = 'sales-order')
        when 'invoices' then (select max(b.booked_at) from erp.invoice_basis b where b.merchant_id = m.merchant_id)
        else e.last_run_at end as last_run_at,
      case when f.flow = 'articles' and not coalesce(e.enabled, true)
        then (select count(*) from bridge.article_due d where d.merchant_id = m.merchant_id
          and d.refused_version is distinct from d.version)
        else (select count(*) from bridge.exception x where x.merchant_id = m.merchant_id and x.closed_at is null
          and x.code = f.flow || '-off') end as waiting
    from erp.merchant m cross join unnest(cast(:flows as text[])) with ordinality as f(flow, place)
    left join bridge.entity e on e.merchant_id = m.merchant_id and e.flow = f.flow
    where cast(:merchant as text) is null or m.merchant_id = :merchant order by m.merchant_id, f.place
    """
)
_ENSURE = text(
    """
    insert into bridge.entity as e (merchant_id, flow, interval_seconds)
    select merchant_id, :flow, :interval from erp.merchant where merchant_id = :merchant
    on conflict (merchant_id, flow) do nothing
    """
)
_LOCK = text("select enabled, interval_seconds from bridge.entity where merchant_id = :merchant and flow = :flow for update")
_CHANGE = text(
    """
    update bridge.entity set enabled = :enabled, interval_seconds = :interval,
      run_now_at = case when :run then clock_timestamp() else run_now_at end
    where merchant_id = :merchant and flow = :flow
    """
)
_AUDIT = text(
    """
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason, detail)
    values (:merchant, :actor, :action, 'entity', :flow, :reason, cast(:detail as jsonb))
    """
)
_TELL = text("select pg_notify('lagerbro_entity', '')")
_HELD = text(
    """
    select x.merchant_id, e.flow, x.kind, x.document from bridge.exception x
    join bridge.entity e on e.merchant_id = x.merchant_id and x.code = e.flow || '-off'
    where x.closed_at is null and e.enabled order by x.opened_at
    """
)
_ASKED = text(
    """
    select merchant_id, flow, run_now_at from bridge.entity
    where enabled and run_now_at > coalesce(last_run_at, '-infinity')
    """
)


async def states(connection: Session, merchant: str | None = None) -> list[FlowState]:
    """Every flow of one merchant, or of all."""
    found = await rows(connection, _STATES, merchant=merchant, flows=list(FLOWS))
    return [
        FlowState(
            row.merchant_id,
            row.flow,
            row.enabled,
            (row.interval_seconds or FLOWS[row.flow].interval_seconds) if FLOWS[row.flow].interval_seconds else None,
            row.last_run_at,
            row.run_now_at if row.run_now_at and (row.last_run_at is None or row.run_now_at > row.last_run_at) else None,
            row.waiting,
        )
        for row in found
    ]


async def ensure(connection: Session, merchant: str, flow: Flow, interval: int | None = None) -> None:
    """The flow's row, with its default interval where there is none yet. What a person has set stays."""
    await connection.execute(
        _ENSURE, {"merchant": merchant, "flow": flow.name, "interval": interval or flow.interval_seconds or NO_INTERVAL}
    )


async def switch(connection: Session, merchant: str, flow: Flow, enabled: bool, actor: str, reason: str) -> bool:
    """Turn a flow on or off; False when it already was so. Turned on, it runs at once."""
    before = await _locked(connection, merchant, flow)
    if before.enabled == enabled:
        return False
    await _change(connection, merchant, flow, enabled, before.interval_seconds, run=enabled)
    detail = {"from": before.enabled, "to": enabled}
    await _audit(connection, merchant, flow, "switch on" if enabled else "switch off", actor, reason, detail)
    return True


async def set_interval(connection: Session, merchant: str, flow: Flow, seconds: int, actor: str, reason: str) -> bool:
    """Let a flow look so often; False when it did already. It looks at once, so that nobody sits out the old interval."""
    if flow.interval_seconds is None:
        raise Refused("settings-wrong", f"{flow.name} has no interval: it runs {flow.runs}")
    if not 1 <= seconds <= LONGEST_INTERVAL:
        raise Refused("settings-wrong", f"an interval is 1 to {LONGEST_INTERVAL} seconds, not {seconds}")
    before = await _locked(connection, merchant, flow)
    if before.interval_seconds == seconds:
        return False
    await _change(connection, merchant, flow, before.enabled, seconds, run=before.enabled)
    await _audit(connection, merchant, flow, "interval", actor, reason, {"from": before.interval_seconds, "to": seconds})
    return True


async def ask_to_run(connection: Session, merchant: str, flow: Flow, actor: str, reason: str) -> None:
    """Let a flow run now. Refused for one that is off, or that runs whenever something happens anyway."""
    if not flow.may_be_asked:
        raise Refused(
            "settings-wrong", f"{flow.name} runs whenever something happens; `lagerbro order retry` tries one order again"
        )
    before = await _locked(connection, merchant, flow)
    if not before.enabled:
        raise Refused(flow.off, f"{flow.name} of {merchant} is off: `lagerbro entity on {flow.name}` first")
    await _change(connection, merchant, flow, True, before.interval_seconds, run=True)
    await _audit(connection, merchant, flow, "run now", actor, reason, {})


async def _locked(connection: Session, merchant: str, flow: Flow) -> Any:
    await ensure(connection, merchant, flow)
    row = await one(connection, _LOCK, merchant=merchant, flow=flow.name)
    if row is None:
        raise Refused("settings-wrong", f"there is no merchant {merchant} in erp.merchant")
    return row


async def _change(connection: Session, merchant: str, flow: Flow, enabled: bool, interval: int, run: bool) -> None:
    key = {"merchant": merchant, "flow": flow.name}
    await connection.execute(_CHANGE, key | {"enabled": enabled, "interval": interval, "run": run})
    await connection.execute(_TELL)


async def _audit(
    connection: Session, merchant: str, flow: Flow, action: str, actor: str, reason: str, detail: dict[str, Any]
) -> None:
    if not (actor.strip() and reason.strip()):
        raise Refused("settings-wrong", "who turns a switch and why must be said: both are kept")
    await connection.execute(
        _AUDIT,
        {
            "merchant": merchant,
            "actor": actor,
            "action": action,
            "flow": flow.name,
            "reason": reason,
            "detail": json.dumps(detail),
        },
    )


async def held(connection: Session) -> list[Held]:
    """Processes that may go on: they wait for a flow that is on. Asked by the relay, for every merchant."""
    return [Held(row.merchant_id, row.flow, row.kind, row.document) for row in await rows(connection, _HELD)]


async def asked(connection: Session) -> list[Asked]:
    """Flows that shall run now and have not begun to since. Asked by the relay, for every merchant."""
    return [Asked(row.merchant_id, row.flow, row.run_now_at) for row in await rows(connection, _ASKED)]
