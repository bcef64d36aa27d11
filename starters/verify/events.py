"""Facts from outside and how they were taken in: E1 to E6, and the outbox, X1."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from erp.database import rows
from starters.verify.check import Check, Found, Probe, Stage, Violation

_INBOX_COLUMNS = text(
    """
    select a.attname as name from pg_attribute a
    where a.attrelid = 'bridge.inbox'::regclass and a.attnum > 0 and not a.attisdropped
    """
)
POINTERS = {
    "inbox_no",
    "merchant_id",
    "source",
    "event_id",
    "kind",
    "doc_id",
    "document",
    "received_at",
    "claimed_until",
    "applied_at",
    "outcome",
    "alone",
}


async def only_pointers(connection: AsyncConnection, merchant: str | None) -> Found:
    """The inbox has no column that a quantity or a body could be kept in: a message can only point."""
    names = [row.name for row in await rows(connection, _INBOX_COLUMNS)]
    wrong = [Violation("", f"bridge.inbox.{name}", "holds more than a pointer") for name in names if name not in POINTERS]
    return Found.of(len(names), wrong)


CHECKS: list[Check | Probe] = [
    Check(
        "E1",
        "Each fact stands once in the inbox and each step of a counter once in the books",
        Stage.BOOKED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from bridge.inbox group by 1
          union all select merchant_id, count(*) from bridge.booking group by 1) as facts group by 1
        """,
        """
        select merchant_id, source || '/' || event_id as document, 'stands ' || count(*) || ' times in the inbox' as detail
        from bridge.inbox group by merchant_id, source, event_id having count(*) > 1
        union all
        select merchant_id, kind || '/' || doc_id || '/' || line_id, 'step ' || step || ' was booked ' || count(*) || ' times'
        from bridge.booking group by merchant_id, kind, doc_id, line_id, what, step having count(*) > 1
        """,
    ),
    Check(
        "E2",
        "Every order the warehouse holds is watched by its id, and every line of ours on it is counted",
        Stage.SENT,
        """
        select merchant_id, sum(n)::bigint as n from (
          select merchant_id, count(*) as n from bridge.link where system = 'ongoing' and kind = 'sales-order' group by 1
          union all select merchant_id, count(*) from bridge.watched group by 1) as documents group by 1
        """,
        """
        select l.merchant_id, l.our_key as document, 'document ' || l.their_id || ' is not watched' as detail
        from bridge.link l left join bridge.watched w on w.merchant_id = l.merchant_id and w.kind = l.kind
          and w.document = l.our_key and w.doc_id::text = l.their_id
        where l.system = 'ongoing' and l.kind = 'sales-order' and w.doc_id is null
        union all
        select w.merchant_id, w.document, 'document ' || w.doc_id || ' is watched, and there is no such order'
        from bridge.watched w left join erp.sales_order o on o.merchant_id = w.merchant_id and o.order_number = w.document
        where w.kind = 'sales-order' and o.order_number is null
        union all
        select w.merchant_id, w.document, 'line ' || sl.line_number || ' is not counted'
        from bridge.watched w
        join bridge.link l on l.merchant_id = w.merchant_id and l.system = 'ongoing' and l.kind = w.kind
          and l.our_key = w.document and l.their_id = w.doc_id::text
        join erp.sales_order o on o.merchant_id = w.merchant_id and o.order_number = w.document
        join erp.agreed_line sl on sl.merchant_id = w.merchant_id and sl.order_number = w.document
        join erp.article a on a.merchant_id = sl.merchant_id and a.article_number = sl.article_number and a.stock_article
        where w.kind = 'sales-order' and w.looked_at > l.updated_at and l.sent_version = o.version and not exists (
          select from bridge.counted c where c.merchant_id = w.merchant_id and c.kind = w.kind and c.doc_id = w.doc_id
            and c.line_number = sl.line_number)
        """,
    ),
    Check(
        "E3",
        "Every message is applied within 15 minutes, and a look that is owed is taken within the hour or a person knows",
        Stage.BOOKED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from bridge.inbox group by 1
          union all select merchant_id, count(*) from bridge.watched group by 1) as waiting group by 1
        """,
        """
        select merchant_id, coalesce(document, kind || ' ' || doc_id) as document,
          'said by ' || source || ' and not applied for ' || date_trunc('second', now() - received_at) as detail
        from bridge.inbox where applied_at is null and received_at < now() - interval '15 minutes'
        union all
        select w.merchant_id, w.document,
          'a look is owed for ' || date_trunc('second', now() - coalesce(w.looked_at, w.created_at))
        from bridge.watched w
        where w.look_owed and coalesce(w.looked_at, w.created_at) < now() - interval '1 hour'
          and (w.watch_until is null or w.watch_until > now())
          and not exists (select from bridge.exception x where x.merchant_id = w.merchant_id and x.kind = w.kind
                            and x.document = w.document and x.closed_at is null)
        """,
    ),
    Check(
        "E4",
        "Answers were booked in the order they were read: looks rise with the steps and lie below the document's fence",
        Stage.BOOKED,
        "select merchant_id, count(*) as n from bridge.booking group by 1",
        """
        with looks as (
          select merchant_id, kind, doc_id, line_id, step, look,
            lag(look) over (partition by merchant_id, kind, doc_id, line_id, what order by step) as former
          from bridge.booking)
        select b.merchant_id, b.kind || '/' || b.doc_id || '/' || b.line_id as document,
          'step ' || b.step || ' by look ' || b.look || ', the step before by look ' || coalesce(b.former::text, '-')
          || ', the fence is ' || coalesce(w.fence::text, 'missing') as detail
        from looks b left join bridge.watched w using (merchant_id, kind, doc_id)
        where b.look <= b.former or w.fence is null or b.look >= w.fence
        """,
    ),
    Probe("E5", "A message can only point at a document: the inbox has no place for a quantity", Stage.ALWAYS, only_pointers),
    Check(
        "E5",
        "What the warehouse moved comes from a numbered look at its document, never from a message",
        Stage.BOOKED,
        """
        select merchant_id, count(*) as n from erp.stock_entry
        where kind in ('pick', 'pick-reversal', 'receipt', 'receipt-reversal') group by 1
        """,
        """
        select e.merchant_id, 'entry ' || e.entry_no as document,
          e.kind || ' of ' || e.quantity || case when e.booking_step is null then ' has the cause ' || coalesce(e.cause, 'none')
            else ' names a step that was never booked' end as detail
        from erp.stock_entry e left join bridge.booking b on b.merchant_id = e.merchant_id and b.kind = e.booking_kind
          and b.doc_id = e.booking_doc_id and b.line_id = e.booking_line_id and b.what = e.booking_what
          and b.step = e.booking_step
        where e.kind in ('pick', 'pick-reversal', 'receipt', 'receipt-reversal') and coalesce(b.look, 0) < 1
        """,
    ),
    Check(
        "E6",
        "Nothing is dropped silently: what was taken from inbox and outbox says what became of it",
        Stage.RELEASED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from bridge.inbox group by 1
          union all select merchant_id, count(*) from bridge.outbox group by 1) as both_boxes group by 1
        """,
        """
        select merchant_id, 'inbox ' || inbox_no as document,
          source || ' of ' || received_at::date || ': applied ' || coalesce(applied_at::text, 'never') || ', outcome '
          || coalesce(outcome, 'none') as detail
        from bridge.inbox where (applied_at is null) <> (outcome is null) or btrim(outcome) = ''
        union all
        select merchant_id, 'outbox ' || outbox_no,
          topic || ' of ' || document || ': delivered ' || coalesce(delivered_at::text, 'never') || ', outcome '
          || coalesce(outcome, 'none')
        from bridge.outbox
        where (delivered_at is null) <> (outcome is null) or btrim(outcome) = '' or outcome like 'unknown topic%'
        """,
    ),
    Check(
        "X1",
        "Every release went through the outbox to a process, and nothing waits there longer than 15 minutes",
        Stage.RELEASED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from bridge.outbox group by 1
          union all select merchant_id, count(*) from erp.sales_order where released_at is not null group by 1) as both_sides
        group by 1
        """,
        """
        select merchant_id, document, topic || ' waits since ' || date_trunc('second', created_at) || ', tried ' || attempts
          || ' times, last: ' || coalesce(last_error, 'no error') as detail
        from bridge.outbox where delivered_at is null and created_at < now() - interval '15 minutes'
        union all
        select o.merchant_id, o.order_number, 'was released, and no outbox row says so'
        from erp.sales_order o
        where o.released_at is not null and o.status <> 'draft' and not exists (
          select from bridge.outbox b where b.merchant_id = o.merchant_id and b.topic = 'sales-order.released'
            and b.document = o.order_number)
        union all
        select b.merchant_id, b.document, 'its placing was delivered, and it has no process'
        from bridge.outbox b
        where b.topic = 'purchase-order.placed' and b.delivered_at is not null and not exists (
          select from bridge.process p where p.merchant_id = b.merchant_id and p.kind = 'purchase-order'
            and p.document = b.document)
        union all
        select b.merchant_id, b.document, 'its release was delivered, and it has no process'
        from bridge.outbox b
        where b.topic = 'sales-order.released' and b.delivered_at is not null and not exists (
          select from bridge.process p where p.merchant_id = b.merchant_id and p.kind = 'sales-order' and p.document = b.document)
        """,
    ),
]
