"""What nobody can explain: each unknown difference that is not booked, what it waits for, and who decided.

An article has at most one open unknown difference in a warehouse.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from erp.database import Session, one, rows
from erp.reconciliation_runs import Run


@dataclass(frozen=True, slots=True)
class Open:
    """An unknown difference that is not booked yet."""

    settlement_no: int
    article: str
    warehouse: str
    quantity: Decimal
    unit_cost: Decimal | None
    state: str
    why: str
    first_seen_at: datetime
    seen_runs: int
    last_run_no: int
    approved_by: tuple[str, ...] = ()


_OPENED = text(
    """
    select s.settlement_no, s.article_number as article, s.warehouse, s.quantity, s.unit_cost, s.state, s.why, s.first_seen_at,
      s.seen_runs, s.last_run_no,
      (select array_agg(p.actor order by p.decided_at) from erp.settlement_approval p
        where p.merchant_id = s.merchant_id and p.settlement_no = s.settlement_no and p.decision = 'approve') as approved_by
    from erp.settlement s where s.merchant_id = :merchant and s.state in ('seen', 'waiting', 'approved')
    order by s.settlement_no
    """
)
_SEE = text(
    """
    with n as (update bridge.reconciling set settlement_no = settlement_no + 1 where merchant_id = :merchant returning settlement_no)
    insert into erp.settlement (merchant_id, settlement_no, article_number, warehouse, quantity, unit_cost, first_run_no, last_run_no,
      first_seen_at, read_at, listed)
    select :merchant, n.settlement_no, :article, :warehouse, :quantity, :unit_cost, :run_no, :run_no, :read_at, :read_at,
      cast(:listed as jsonb) from n
    returning settlement_no
    """
)
_SEEN_AGAIN = text(
    """
    update erp.settlement set seen_runs = seen_runs + 1, last_run_no = :run_no, read_at = :read_at, unit_cost = :unit_cost,
      listed = cast(:listed as jsonb)
    where merchant_id = :merchant and settlement_no = :number and last_run_no < :run_no
    """
)
_MOVE = text(
    """
    update erp.settlement set state = :state, why = left(:why, 500),
      ended_at = case when cast(:state as text) in ('gone', 'refused') then now() end
    where merchant_id = :merchant and settlement_no = :number and state in ('seen', 'waiting', 'approved')
    """
)
_BOOKED = text(
    """
    update erp.settlement set state = 'booked', why = left(:why, 500), transaction_no = :transaction_no, booked_in_run = :run_no,
      ended_at = now(), read_at = :read_at, listed = cast(:listed as jsonb)
    where merchant_id = :merchant and settlement_no = :number and state in ('seen', 'waiting', 'approved')
    """
)
_OF_NUMBER = text(
    """
    select s.settlement_no, s.article_number as article, s.warehouse, s.quantity, s.unit_cost, s.state, s.why, s.first_seen_at,
      s.seen_runs, s.last_run_no,
      (select array_agg(p.actor order by p.decided_at) from erp.settlement_approval p
        where p.merchant_id = s.merchant_id and p.settlement_no = s.settlement_no and p.decision = 'approve') as approved_by
    from erp.settlement s where s.merchant_id = :merchant and s.settlement_no = :number for update of s
    """
)
_REFUSED = text(
    """
    select distinct on (article_number, warehouse) article_number as article, warehouse, quantity from erp.settlement
    where merchant_id = :merchant and state = 'refused' order by article_number, warehouse, settlement_no desc
    """
)
_APPROVE = text(
    """
    insert into erp.settlement_approval (merchant_id, settlement_no, actor, decision, reason)
    values (:merchant, :number, :actor, :decision, :reason) on conflict do nothing
    """
)
_APPROVALS = text(
    """
    select actor, reason from erp.settlement_approval
    where merchant_id = :merchant and settlement_no = :number and decision = 'approve' order by decided_at, actor
    """
)


async def open_settlements(connection: Session, merchant: str) -> list[Open]:
    """Unknown differences that are neither booked nor gone, oldest first."""
    return [_open(row) for row in await rows(connection, _OPENED, merchant=merchant)]


async def refused_figures(connection: Session, merchant: str) -> dict[tuple[str, str], Decimal]:
    """Unknown differences that a person has refused to book, by article and warehouse: the same figure is not asked again."""
    found = await rows(connection, _REFUSED, merchant=merchant)
    return {(row.article, row.warehouse): row.quantity for row in found}


async def lock_settlement(connection: Session, merchant: str, number: int) -> Open | None:
    row = await one(connection, _OF_NUMBER, merchant=merchant, number=number)
    return None if row is None else _open(row)


def _open(row: Any) -> Open:
    return Open(
        row.settlement_no,
        row.article,
        row.warehouse,
        row.quantity,
        row.unit_cost,
        row.state,
        row.why,
        row.first_seen_at,
        row.seen_runs,
        row.last_run_no,
        tuple(row.approved_by or ()),
    )


async def see(
    connection: Session,
    run: Run,
    article: str,
    warehouse: str,
    quantity: Decimal,
    unit_cost: Decimal | None,
    read_at: datetime,
    listed: Mapping[str, Decimal],
    known: Open | None,
) -> Open:
    """Note an unknown difference: the same figure once more, or a new one in the place of another."""
    told = json.dumps({key: str(value) for key, value in listed.items()})
    key = {"merchant": run.merchant, "run_no": run.run_no, "read_at": read_at, "unit_cost": unit_cost, "listed": told}
    if known is not None and known.quantity == quantity:
        await connection.execute(_SEEN_AGAIN, key | {"number": known.settlement_no})
        again = known.last_run_no < run.run_no
        return replace(known, seen_runs=known.seen_runs + int(again), last_run_no=run.run_no, unit_cost=unit_cost)
    if known is not None:
        await move_settlement(connection, run.merchant, known.settlement_no, "gone", f"the figure is now {quantity}")
    row = await one(connection, _SEE, **key, article=article, warehouse=warehouse, quantity=quantity)
    return Open(row.settlement_no, article, warehouse, quantity, unit_cost, "seen", "", read_at, 1, run.run_no)


async def move_settlement(connection: Session, merchant: str, number: int, state: str, why: str) -> None:
    """Say what an open unknown difference waits for, or why it is over."""
    await connection.execute(_MOVE, {"merchant": merchant, "number": number, "state": state, "why": why})


async def decide(connection: Session, merchant: str, number: int, actor: str, decision: str, reason: str) -> None:
    """Keep who decided what, and why."""
    key = {"merchant": merchant, "number": number, "actor": actor.strip(), "decision": decision, "reason": reason.strip()}
    await connection.execute(_APPROVE, key)


async def settlement_booked(
    connection: Session,
    merchant: str,
    run_no: int | None,
    number: int,
    transaction_no: int,
    why: str,
    read_at: datetime,
    listed: Mapping[str, Decimal],
) -> None:
    """The unknown difference is booked. It stays open for a cause that comes late: what was listed with it is kept."""
    told = json.dumps({key: str(value) for key, value in listed.items()})
    key = {"merchant": merchant, "run_no": run_no, "number": number, "transaction_no": transaction_no}
    await connection.execute(_BOOKED, key | {"why": why, "read_at": read_at, "listed": told})


async def approvals(connection: Session, merchant: str, number: int) -> str:
    """Who has approved an unknown difference, and why, in words; empty when nobody had to."""
    found = await rows(connection, _APPROVALS, merchant=merchant, number=number)
    return " and ".join(f"{row.actor} ({row.reason})" for row in found)
