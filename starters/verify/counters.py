"""The counters of the warehouse as our books hold them (protocols, section 1)."""

from starters.verify.check import Check, Probe, Stage

CHECKS: list[Check | Probe] = [
    Check(
        "P1",
        "Steps of a counted line run 1..n, each from where the last ended, to what is booked and what stock moved",
        Stage.BOOKED,
        "select merchant_id, count(*) as n from bridge.counted group by 1",
        """
        with steps as (
          select merchant_id, kind, doc_id, line_id, what, step, quantity, from_value, to_value,
            row_number() over line as next_step, lag(to_value, 1, 0::numeric) over line as next_from
          from bridge.booking window line as (partition by merchant_id, kind, doc_id, line_id, what order by step)),
        ends as (
          select distinct on (merchant_id, kind, doc_id, line_id, what) merchant_id, kind, doc_id, line_id, what, step, to_value
          from bridge.booking order by merchant_id, kind, doc_id, line_id, what, step desc),
        entries as (
          select merchant_id, booking_kind as kind, booking_doc_id as doc_id, booking_line_id as line_id, booking_what as what,
            booking_step as step, sum(quantity) as quantity
          from erp.stock_entry where booking_step is not null group by 1, 2, 3, 4, 5, 6),
        moved as (
          select merchant_id, kind, doc_id, line_id, what, step, b.quantity, e.quantity as moved,
            count(e.quantity) over (partition by merchant_id, kind, doc_id, line_id, what) as with_entries
          from bridge.booking b full join entries e using (merchant_id, kind, doc_id, line_id, what, step)),
        kits as (select distinct merchant_id, kind, doc_id from bridge.counted where line_number is null)
        select merchant_id, kind || '/' || doc_id || '/' || line_id as document,
          'step ' || step || ' from ' || from_value || ' to ' || to_value || ' by ' || quantity || ': expected was step '
          || next_step || ' from ' || next_from as detail
        from steps
        where step <> next_step or from_value <> next_from or to_value <> from_value + quantity or quantity = 0 or to_value < 0
        union all
        select merchant_id, kind || '/' || doc_id || '/' || line_id,
          'booked is ' || coalesce(c.booked::text, 'missing') || ' after step ' || coalesce(c.step::text, 'missing')
          || ', its steps end at ' || coalesce(e.to_value, 0) || ' with step ' || coalesce(e.step, 0)
        from bridge.counted c full join ends e using (merchant_id, kind, doc_id, line_id, what)
        where c.booked is distinct from coalesce(e.to_value, 0) or c.step is distinct from coalesce(e.step, 0)
        union all
        select merchant_id, kind || '/' || doc_id || '/' || line_id,
          'step ' || m.step || ' counted ' || coalesce(m.quantity::text, 'nothing') || ', stock moved by '
          || coalesce(m.moved::text, 'nothing')
        from moved m left join bridge.counted c using (merchant_id, kind, doc_id, line_id, what)
        left join erp.article a using (merchant_id, article_number)
        left join kits k using (merchant_id, kind, doc_id)
        where m.moved is distinct from -m.quantity
          and not (m.with_entries = 0 and (not coalesce(a.stock_article, true)
                                           or (k.doc_id is not null and c.line_number is not null)))
        union all
        select c.merchant_id, c.kind || '/' || c.doc_id || '/' || c.line_id, 'counted on a document that is not watched'
        from bridge.counted c left join bridge.watched w using (merchant_id, kind, doc_id) where w.doc_id is null
        """,
    ),
]
