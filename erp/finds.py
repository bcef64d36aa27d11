"""What only the poll, or only the nightly sweep, found: the measure of how well the hints before them work.

Counted is a change of our books (a booking, or a move of the order's status) that came after such a nudge, when nothing
quicker had spoken: no hint was on its way to the document when the nudge was made (`bridge.inbox.alone`), and none came until a
few seconds after the change. A nudge that changed nothing found nothing, and a change found by ten nudges is one.
"""

from dataclasses import dataclass

from sqlalchemy import text

from erp.database import Session, rows

GRACE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Finds:
    """One merchant: hints that came by webhook, and changes that only the poll and only the sweep found."""

    merchant: str
    webhooks: int
    only_by_poll: int
    only_by_sweep: int


_FINDS = text(
    """
    with found as (
      select i.merchant_id, i.source, count(distinct (i.doc_id, c.at)) as changes
      from bridge.inbox i
      cross join lateral (select min(x.at) as at from (
        select b.booked_at as at from bridge.booking b
        where b.merchant_id = i.merchant_id and b.kind = i.kind and b.doc_id = i.doc_id and b.booked_at >= i.received_at
        union all
        select s.moved_at from bridge.status_move s
        where s.merchant_id = i.merchant_id and s.order_number = i.document and s.moved_at >= i.received_at) as x) as c
      where i.alone and c.at is not null and not exists (
        select from bridge.inbox h
        where h.merchant_id = i.merchant_id and h.doc_id = i.doc_id and h.received_at > i.received_at
          and h.received_at <= c.at + make_interval(secs => :grace)
          and (h.source = 'webhook' or (h.source = 'poll' and i.source = 'sweep')))
      group by 1, 2)
    select m.merchant_id,
      (select count(*) from bridge.inbox i where i.merchant_id = m.merchant_id and i.source = 'webhook') as webhooks,
      coalesce((select changes from found f where f.merchant_id = m.merchant_id and f.source = 'poll'), 0) as only_by_poll,
      coalesce((select changes from found f where f.merchant_id = m.merchant_id and f.source = 'sweep'), 0) as only_by_sweep
    from erp.merchant m order by 1
    """
)


async def finds(connection: Session) -> list[Finds]:
    """The figures of every merchant."""
    found = await rows(connection, _FINDS, grace=GRACE_SECONDS)
    return [Finds(row.merchant_id, row.webhooks, row.only_by_poll, row.only_by_sweep) for row in found]
