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
        unmoved as (
          select merchant_id, kind, doc_id, line_id, what, step, sum(counted) as counted, sum(moved) as moved from (
            select merchant_id, kind, doc_id, line_id, what, step, quantity as counted, null::numeric as moved from bridge.booking
            union all
            select merchant_id, booking_kind, booking_doc_id, booking_line_id, booking_what, booking_step, null, quantity
            from erp.stock_entry where booking_step is not null) as both_sides
          group by 1, 2, 3, 4, 5, 6 having sum(counted) is distinct from -sum(moved))
        select s.merchant_id, s.kind || '/' || s.doc_id || '/' || s.line_id as document,
          'step ' || s.step || ' from ' || from_value || ' to ' || to_value || ' by ' || quantity || ': expected was step '
          || next_step || ' from ' || next_from || '; counted are ' || coalesce(c.step::text, 'no') || ' steps' as detail
        from steps s left join bridge.counted c using (merchant_id, kind, doc_id, line_id, what)
        where s.step <> next_step or from_value <> next_from or to_value <> from_value + quantity or quantity = 0 or to_value < 0
          or c.line_id is null or s.step > c.step
        union all
        select c.merchant_id, c.kind || '/' || c.doc_id || '/' || c.line_id,
          'booked is ' || c.booked || ' after step ' || c.step || ', that step ends at ' || coalesce(b.to_value, 0)
        from bridge.counted c left join bridge.booking b using (merchant_id, kind, doc_id, line_id, what, step)
        where c.booked <> coalesce(b.to_value, 0) or (c.step <> 0 and b.step is null)
        union all
        select u.merchant_id, u.kind || '/' || u.doc_id || '/' || u.line_id,
          'step ' || u.step || ' counted ' || coalesce(u.counted::text, 'nothing') || ', stock moved by '
          || coalesce(u.moved::text, 'nothing')
        from unmoved u left join bridge.counted c using (merchant_id, kind, doc_id, line_id, what)
        left join erp.article a on a.merchant_id = c.merchant_id and a.article_number = c.article_number
        where not (
          not exists (select from erp.stock_entry e where e.merchant_id = u.merchant_id and e.booking_kind = u.kind
                        and e.booking_doc_id = u.doc_id and e.booking_line_id = u.line_id and e.booking_what = u.what)
          and (not coalesce(a.stock_article, true)
               or (c.line_number is not null and exists (
                     select from bridge.counted k where k.merchant_id = u.merchant_id and k.kind = u.kind and k.doc_id = u.doc_id
                       and k.line_number is null))))
        union all
        select c.merchant_id, c.kind || '/' || c.doc_id || '/' || c.line_id, 'counted on a document that is not watched'
        from bridge.counted c left join bridge.watched w using (merchant_id, kind, doc_id) where w.doc_id is null
        """,
    ),
]
