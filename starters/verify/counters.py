"""The counters of the warehouse as our books hold them (protocols, section 1)."""

from starters.verify.check import Check, Probe, Stage

CHECKS: list[Check | Probe] = [
    Check(
        "P1",
        "Steps of a counted line run 1..n, each from where the last ended, to what is booked and what stock moved",
        Stage.BOOKED,
        "select merchant_id, count(*) as n from bridge.counted group by 1",
        """
        with unmoved as (
          select merchant_id, kind, doc_id, line_id, what, step, sum(counted) as counted, sum(moved) as moved from (
            select merchant_id, kind, doc_id, line_id, what, step, quantity as counted, null::numeric as moved from bridge.booking
            union all
            select merchant_id, booking_kind, booking_doc_id, booking_line_id, booking_what, booking_step, null, quantity
            from erp.stock_entry where booking_step is not null) as both_sides
          group by 1, 2, 3, 4, 5, 6
          having sum(counted) is distinct from case when what in ('returned', 'received') then sum(moved) else -sum(moved) end)
        select b.merchant_id, b.kind || '/' || b.doc_id || '/' || b.line_id as document,
          'step ' || b.step || ' from ' || b.from_value || ' to ' || b.to_value || ' by ' || b.quantity || ': the step before '
          || coalesce('ends at ' || p.to_value, 'is missing') as detail
        from bridge.booking b left join bridge.booking p on p.merchant_id = b.merchant_id and p.kind = b.kind
          and p.doc_id = b.doc_id and p.line_id = b.line_id and p.what = b.what and p.step = b.step - 1
        where b.step <> 1 and (p.step is null or p.to_value <> b.from_value)
        union all
        select merchant_id, kind || '/' || doc_id || '/' || line_id,
          'step ' || step || ' from ' || from_value || ' to ' || to_value || ' by ' || quantity
        from bridge.booking
        where to_value <> from_value + quantity or quantity = 0 or to_value < 0 or step < 1 or (step = 1 and from_value <> 0)
        union all
        select b.merchant_id, b.kind || '/' || b.doc_id || '/' || b.line_id,
          'step ' || b.step || ' was booked, counted are ' || coalesce(c.step || ' steps', 'no such lines')
        from bridge.booking b left join bridge.counted c using (merchant_id, kind, doc_id, line_id, what)
        where c.step is null or b.step > c.step
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
