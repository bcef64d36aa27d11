"""What a person asks in the morning: what stands still, why, and everything that happened to one order.

Read as `lagerbro_verify`. Nothing personal is selected: no name, no address.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import text

from erp.database import Session, one, rows

_STUCK = text(
    """
    select x.merchant_id, x.kind, x.document, x.code, x.detail, x.opened_at, x.blocking, p.workflow_id
    from bridge.exception x left join bridge.process p on p.merchant_id = x.merchant_id and p.kind = x.kind
      and p.document = x.document and p.ended_at is null
    where x.closed_at is null and x.blocking >= :blocking and (cast(:merchant as text) is null or x.merchant_id = :merchant)
    order by x.opened_at, x.exception_no
    """
)
_CALLS = text(
    """
    select f.intended_at, f.sent_at, f.ended_at, f.operation, f.business_key, f.state, f.attempt, f.their_id, f.error
    from bridge.foreign_call f join erp.invoice_basis b on b.merchant_id = f.merchant_id and b.reference = f.business_key
    where f.merchant_id = :merchant and b.order_number = :number order by f.intended_at
    """
)
_TOLD = text(
    """
    select created_at, topic, attempts, delivered_at, outcome, last_error from bridge.outbox
    where merchant_id = :merchant and document = :number and topic like 'sales-order.%' order by outbox_no
    """
)
_HINTS = text(
    """
    select received_at, source, applied_at, outcome from bridge.inbox
    where merchant_id = :merchant and kind = 'sales-order' and document = :number order by inbox_no
    """
)
_MOVES = text(
    """
    select moved_at, from_status, to_status, cause from bridge.status_move
    where merchant_id = :merchant and order_number = :number order by move_no
    """
)
_LEDGER = text(
    """
    select e.entry_no, t.recorded_at, e.kind, e.document, e.article_number, e.quantity, e.value, e.posting_no,
      v.fortnox_series || v.fortnox_number as voucher
    from erp.stock_entry e join erp.ledger_transaction t using (merchant_id, transaction_no)
    left join bridge.voucher_posting k on k.merchant_id = e.merchant_id and k.posting_no = e.posting_no
    left join bridge.voucher v on v.merchant_id = k.merchant_id and v.voucher_no = k.voucher_no
    where e.merchant_id = :merchant and e.document in (select 'sales-order/' || :number union all
      select 'return/' || r.return_number from erp.return_order r where r.merchant_id = :merchant and r.order_number = :number)
    order by e.entry_no
    """
)
_RETURNS = text(
    """
    select r.return_number, r.origin, r.status, r.status_changed_at,
      coalesce((select sum(g.quantity) from erp.returned_goods g where g.merchant_id = r.merchant_id
        and g.return_number = r.return_number), 0) as came_back,
      coalesce((select sum(s.quantity) from erp.return_settlement s where s.merchant_id = r.merchant_id
        and s.return_number = r.return_number and s.outcome = 'credited'), 0) as credited,
      coalesce((select sum(s.quantity) from erp.return_settlement s where s.merchant_id = r.merchant_id
        and s.return_number = r.return_number and s.outcome <> 'credited'), 0) as settled_otherwise
    from erp.return_order r where r.merchant_id = :merchant and r.order_number = :number order by r.created_at, r.return_number
    """
)
_SURPLUS = text(
    """
    select s.found_at, s.kind, s.their_id, s.state, s.fault
    from bridge.surplus_document s join erp.invoice_basis b on b.merchant_id = s.merchant_id and b.reference = s.business_key
    where s.merchant_id = :merchant and b.order_number = :number order by s.found_at
    """
)
_AUDIT = text(
    """
    select recorded_at, actor, action, reason, detail from bridge.audit
    where merchant_id = :merchant and kind = 'sales-order' and document = :number order by audit_no
    """
)
_ALL_EXCEPTIONS = text(
    """
    select opened_at, closed_at, closed_by, code, detail, blocking from bridge.exception
    where merchant_id = :merchant and kind = 'sales-order' and document = :number order by exception_no
    """
)
_DIGEST = text(
    """
    select m.merchant_id,
      (select count(*) from erp.sales_order o where o.merchant_id = m.merchant_id
        and o.status not in ('draft', 'completed', 'cancelled')) as under_way,
      (select count(*) from erp.sales_order o where o.merchant_id = m.merchant_id and o.status = 'completed'
        and o.status_changed_at >= :since) as completed,
      (select count(distinct (x.kind, x.document)) from bridge.exception x
        where x.merchant_id = m.merchant_id and x.closed_at is null and x.blocking) as blocked,
      (select count(*) from bridge.exception x where x.merchant_id = m.merchant_id and x.blocking and x.opened_at >= :since
        and x.closed_at is not null) as mended,
      (select count(*) from bridge.outbox b where b.merchant_id = m.merchant_id and b.delivered_at is null
        and b.created_at < now() - interval '5 minutes') as undelivered,
      (select count(*) from bridge.inbox b where b.merchant_id = m.merchant_id and b.applied_at is null
        and b.received_at < now() - interval '5 minutes') as unread,
      (select count(*) from bridge.surplus_document s where s.merchant_id = m.merchant_id and s.found_at >= :since) as surplus,
      (select count(*) from bridge.inbox b where b.merchant_id = m.merchant_id and b.source = 'sweep'
        and b.received_at >= :since) as found_only_by_sweep,
      (select max(a.recorded_at) from bridge.audit a where a.merchant_id = m.merchant_id and a.action = 'digest') as last_digest
    from erp.merchant m
    where (cast(:merchant as text) is null or m.merchant_id = :merchant)
      and exists (select from bridge.connection c where c.merchant_id = m.merchant_id)
    order by m.merchant_id
    """
)
_BLOCKED_CONNECTIONS = text(
    """
    select merchant_id, system, problem, problem_since from bridge.connection
    where state = 'blocked' and (cast(:merchant as text) is null or merchant_id = :merchant) order by problem_since
    """
)
_LATE_FLOWS = text(
    """
    select merchant_id, flow, last_run_at, interval_seconds from bridge.entity
    where enabled and (cast(:merchant as text) is null or merchant_id = :merchant)
      and ((flow = 'orders-back' and last_run_at < now() - make_interval(secs => greatest(600, 10 * interval_seconds)))
        or (flow = 'sweep' and last_run_at < now() - interval '26 hours'))
    order by last_run_at
    """
)

PROCESS = text(
    """
    select o.status, p.workflow_id from erp.sales_order o left join bridge.process p on p.merchant_id = o.merchant_id
      and p.kind = 'sales-order' and p.document = o.order_number and p.ended_at is null
    where o.merchant_id = :merchant and o.order_number = :number
    """
)
_TOKEN = text("select name from bridge.api_token where merchant_id = :merchant and token_hash = :hash and enabled")
_ADD_TOKEN = text("insert into bridge.api_token (merchant_id, token_hash, name) values (:merchant, :hash, :name)")
_END_TOKEN = text(
    "update bridge.api_token set enabled = false where merchant_id = :merchant and name = :name and enabled returning name"
)


async def token_name(connection: Session, merchant: str, token_hash: str) -> str | None:
    """Whose token this is; None when it opens nothing."""
    row = await one(connection, _TOKEN, merchant=merchant, hash=token_hash)
    return None if row is None else str(row.name)


async def add_token(connection: Session, merchant: str, token_hash: str, name: str) -> None:
    """Let the holder of a token correct orders of this merchant."""
    await connection.execute(_ADD_TOKEN, {"merchant": merchant, "hash": token_hash, "name": name})


async def end_token(connection: Session, merchant: str, name: str) -> bool:
    """End every token of that name; False when there was none."""
    return bool(await rows(connection, _END_TOKEN, merchant=merchant, name=name))


async def stuck(connection: Session, merchant: str | None, notes: bool = False) -> list[dict[str, Any]]:
    """What stands still, oldest first; with `notes` also what only deserves a look."""
    found = await rows(connection, _STUCK, merchant=merchant, blocking=not notes)
    return [dict(row._mapping) for row in found]


async def chain(connection: Session, merchant: str, number: str) -> dict[str, list[dict[str, Any]]]:
    """Everything beside the overview that we hold about one order."""
    parts = {
        "status_moves": _MOVES,
        "told_by_the_erp": _TOLD,
        "hints": _HINTS,
        "returns": _RETURNS,
        "ledger": _LEDGER,
        "fortnox_attempts": _CALLS,
        "surplus_documents": _SURPLUS,
        "corrections": _AUDIT,
        "exceptions": _ALL_EXCEPTIONS,
    }
    return {
        name: [dict(row._mapping) for row in await rows(connection, statement, merchant=merchant, number=number)]
        for name, statement in parts.items()
    }


async def digest(connection: Session, merchant: str | None, since: datetime) -> list[dict[str, Any]]:
    """Each connected merchant in figures since then."""
    return [dict(row._mapping) for row in await rows(connection, _DIGEST, merchant=merchant, since=since)]


async def blocked_connections(connection: Session, merchant: str | None) -> list[dict[str, Any]]:
    """Connections that nobody may use until their credentials are mended."""
    return [dict(row._mapping) for row in await rows(connection, _BLOCKED_CONNECTIONS, merchant=merchant)]


async def late_flows(connection: Session, merchant: str | None) -> list[dict[str, Any]]:
    """Flows that should have run by now."""
    return [dict(row._mapping) for row in await rows(connection, _LATE_FLOWS, merchant=merchant)]


_NOTE = text(
    """
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason, detail, request_key)
    values (:merchant, :actor, :action, :kind, :document, :reason, cast(:detail as jsonb), :request_key)
    on conflict (merchant_id, request_key) do nothing
    returning audit_no
    """
)
_NOTED = text(
    "select actor, action, kind, document, reason, detail from bridge.audit where merchant_id = :m and request_key = :k"
)


async def audit(
    connection: Session,
    merchant: str,
    actor: str,
    action: str,
    kind: str,
    document: str,
    reason: str,
    detail: str = "{}",
    request_key: str | None = None,
) -> bool:
    """Write down who did what and why, for ever. False when this request's key has been written before."""
    row = await one(
        connection,
        _NOTE,
        merchant=merchant,
        actor=actor,
        action=action,
        kind=kind,
        document=document,
        reason=reason,
        detail=detail,
        request_key=request_key,
    )
    return row is not None


async def audited(connection: Session, merchant: str, request_key: str) -> dict[str, Any] | None:
    """What was written under a request's key."""
    row = await one(connection, _NOTED, m=merchant, k=request_key)
    return None if row is None else dict(row._mapping)


_MERCHANTS = text("select merchant_id from erp.merchant order by merchant_id")
_WHEREABOUTS = text(
    """
    select merchant_id, 'sales order' as kind from erp.sales_order where order_number = :number
    union all select merchant_id, 'purchase order' from erp.purchase_order where purchase_order_number = :number
    union all select merchant_id, 'return' from erp.return_order where return_number = :number
    order by merchant_id, kind limit 5
    """
)


async def merchants(connection: Session) -> list[str]:
    """Every merchant, by its id."""
    return [str(row.merchant_id) for row in await rows(connection, _MERCHANTS)]


async def whereabouts(connection: Session, number: str) -> list[tuple[str, str]]:
    """Where a number is known: merchant, and sales order, purchase order or return."""
    return [(str(row.merchant_id), str(row.kind)) for row in await rows(connection, _WHEREABOUTS, number=number)]
