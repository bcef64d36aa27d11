"""The business in figures for monitoring, over all merchants. Read as `lagerbro_verify`."""

from typing import Any

from sqlalchemy import text

from erp.database import Session, rows

_FLOWS = text(
    """
    select e.merchant_id, e.flow, extract(epoch from now() - e.last_run_at)::float8 as lag
    from bridge.entity e where e.enabled and e.last_run_at is not null
    union all
    select merchant_id, 'outbox', extract(epoch from now() - min(created_at))::float8 from bridge.outbox
    where delivered_at is null group by 1
    union all
    select merchant_id, 'inbox', extract(epoch from now() - min(received_at))::float8 from bridge.inbox
    where applied_at is null group by 1
    union all
    select merchant_id, 'invoices-open', extract(epoch from now() - min(created_at))::float8 from erp.invoice_basis
    where state = 'open' group by 1
    """
)
_BLOCKED = text(
    """
    select merchant_id, code, count(*) as count, extract(epoch from now() - min(opened_at))::float8 as oldest
    from bridge.exception where closed_at is null and blocking group by 1, 2
    """
)
_ORDERS = text(
    """
    select merchant_id, status, count(*) as count from erp.sales_order
    where status not in ('draft', 'completed', 'cancelled') group by 1, 2
    """
)
_BUDGET = text(
    """
    select merchant_id, system, count(*) filter (where free_at > now())::float8 / greatest(count(*), 1) as used
    from bridge.rate_slot group by 1, 2
    """
)
_CONNECTIONS = text("select merchant_id, system, (state = 'blocked')::int as blocked from bridge.connection")
_MERCHANTS = text(
    """
    select m.merchant_id, s.settings from erp.merchant m left join bridge.merchant_settings s using (merchant_id)
    where exists (select from bridge.connection c where c.merchant_id = m.merchant_id)
    """
)
_SURPLUS = text("select merchant_id, count(*) as count from bridge.surplus_document group by 1")


NAMES = {
    "flows": _FLOWS,
    "blocked": _BLOCKED,
    "orders": _ORDERS,
    "budget": _BUDGET,
    "connections": _CONNECTIONS,
    "merchants": _MERCHANTS,
    "surplus": _SURPLUS,
}


async def measured(connection: Session) -> dict[str, list[dict[str, Any]]]:
    """Every figure, as rows of its statement."""

    return {name: [dict(row._mapping) for row in await rows(connection, statement)] for name, statement in NAMES.items()}
