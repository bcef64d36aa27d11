"""The quantity ledger: L1, L3, L4, L5. Its chain, L2, is in `chain.py`."""

from starters.verify.check import Check, Probe, Stage

CHECKS: list[Check | Probe] = [
    Check(
        "L1",
        "A balance is the sum of its entries, in quantity and value, and every entry has exactly one cause",
        Stage.BOOKED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from erp.stock_balance group by 1
          union all select merchant_id, count(*) from erp.stock_entry group by 1) as both_sides group by 1
        """,
        """
        with sums as (
          select merchant_id, article_number, warehouse, sum(quantity) as quantity, sum(value) as value, max(entry_no) as last_no,
            max(transaction_no) as transaction_no
          from erp.stock_entry group by 1, 2, 3)
        select merchant_id, article_number || ' in ' || warehouse as document,
          'balance ' || coalesce(b.quantity::text, 'missing') || ' worth ' || coalesce(b.value::text, 'nothing')
          || ' after entry ' || coalesce(b.last_entry_no::text, '-') || ', entries ' || coalesce(s.quantity, 0) || ' worth '
          || coalesce(s.value, 0)
          || ', the last is ' || coalesce(s.last_no, 0) as detail
        from erp.stock_balance b full join sums s using (merchant_id, article_number, warehouse)
        left join erp.ledger_transaction t using (merchant_id, transaction_no)
        where b.quantity is distinct from coalesce(s.quantity, 0) or b.value is distinct from coalesce(s.value, 0)
          or b.last_entry_no is distinct from coalesce(t.last_entry_no, 0)
        union all
        select merchant_id, 'entry ' || entry_no, 'has ' || num_nonnulls(booking_step, cause) || ' causes'
        from erp.stock_entry where num_nonnulls(booking_step, cause) <> 1
        union all
        select merchant_id, 'cause ' || cause, 'caused ' || count(*) || ' entries of ' || article_number
        from erp.stock_entry where cause is not null group by merchant_id, cause, article_number, warehouse having count(*) > 1
        """,
    ),
    Check(
        "L3",
        "An entry's sign follows its kind; stock below zero has an open exception",
        Stage.BOOKED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from erp.stock_balance group by 1
          union all select merchant_id, count(*) from erp.stock_entry group by 1) as both_sides group by 1
        """,
        """
        select merchant_id, 'entry ' || entry_no as document, kind || ' of ' || quantity || ' worth ' || value as detail
        from erp.stock_entry
        where quantity in ('NaN', 'Infinity', '-Infinity') or value in ('NaN', 'Infinity', '-Infinity')
          or case when kind in ('opening', 'receipt', 'return', 'return-scrapped') then quantity <= 0 or value < 0
                  when kind in ('pick-reversal', 'scrap-reversal') then quantity <= 0
                  when kind in ('scrap', 'return-reversal', 'receipt-reversal', 'supplier-return') then quantity >= 0 or value > 0
                  when kind = 'pick' then quantity >= 0 or value > 0
                  when kind = 'adjustment' then quantity = 0
                  when kind in ('cost', 'true-up') then quantity <> 0 or value = 0
                  else true end
        union all
        select b.merchant_id, b.article_number || ' in ' || b.warehouse,
          'balance ' || b.quantity || ' without an open exception stock-below-zero'
        from erp.stock_balance b
        where b.quantity < 0 and not exists (
          select from bridge.exception x where x.merchant_id = b.merchant_id and x.kind = 'article' and x.closed_at is null
            and x.document = b.article_number and x.code = 'stock-below-zero')
        union all
        select merchant_id, article_number || ' in ' || warehouse, 'balance ' || quantity || ' worth ' || value
        from erp.stock_balance where quantity in ('NaN', 'Infinity', '-Infinity') or value in ('NaN', 'Infinity', '-Infinity')
        """,
    ),
    Check(
        "L4",
        "Every article that moved, was counted or was sent is byte for byte an article of the ERP",
        Stage.SENT,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from erp.stock_entry group by 1
          union all select merchant_id, count(*) from bridge.counted group by 1
          union all select merchant_id, count(*) from bridge.link where system = 'ongoing' and kind = 'article' group by 1)
          as mentions group by 1
        """,
        """
        with mentions as (
          select merchant_id, article_number, 'stock entries' as place from (
            select distinct merchant_id, article_number from erp.stock_entry) as e
          union all select distinct merchant_id, article_number, 'counted lines' from bridge.counted where booked <> 0
          union all select merchant_id, our_key, 'what was sent to the warehouse' from bridge.link
            where system = 'ongoing' and kind = 'article')
        select m.merchant_id, m.article_number as document, 'is in ' || m.place || ' and not in erp.article' as detail
        from mentions m left join erp.article a using (merchant_id, article_number) where a.article_number is null
        """,
        """
        select merchant_id, string_agg(article_number, ' / ' order by article_number) as document,
          'differ only in case or blanks: kept apart' as detail
        from erp.article group by merchant_id, lower(regexp_replace(article_number, '[[:space:]]', '', 'g')) having count(*) > 1
        """,
    ),
    Check(
        "L5",
        "What takes back a pick, a return or a receipt takes one of the same line, no more than it held, at the value it had",
        Stage.BOOKED,
        """
        select merchant_id, count(*) as n from erp.stock_entry
        where kind in ('pick', 'pick-reversal', 'return', 'return-scrapped', 'return-reversal', 'receipt', 'receipt-reversal')
        group by 1
        """,
        """
        select r.merchant_id, 'entry ' || r.entry_no as document,
          'reverses entry ' || coalesce(r.reverses_entry_no::text, 'none') || ', which is '
          || coalesce(o.kind || ' of ' || o.article_number || ' in ' || o.warehouse || ' by line ' || o.booking_doc_id || '/'
                      || o.booking_line_id, 'not there') as detail
        from erp.stock_entry r
        left join erp.stock_entry o on o.merchant_id = r.merchant_id and o.entry_no = r.reverses_entry_no
        where (r.kind in ('pick-reversal', 'return-reversal', 'receipt-reversal') or r.reverses_entry_no is not null)
          and (o.entry_no is null
          or not ((r.kind in ('pick-reversal', 'return', 'return-scrapped') and o.kind = 'pick')
                  or (r.kind = 'return-reversal' and o.kind in ('return', 'return-scrapped'))
                  or (r.kind = 'receipt-reversal' and o.kind = 'receipt'))
          or o.entry_no >= r.entry_no
          or (o.article_number, o.warehouse, o.booking_kind, o.booking_doc_id, o.booking_line_id) is distinct from
             (r.article_number, r.warehouse, r.booking_kind, r.booking_doc_id, r.booking_line_id)
          or (r.kind in ('pick-reversal', 'return-reversal', 'receipt-reversal')
              and o.booking_what is distinct from r.booking_what))
        union all
        select o.merchant_id, 'entry ' || o.entry_no,
          o.quantity || ' worth ' || o.value || ', taken back ' || r.quantity || ' worth ' || r.value
        from (select r.merchant_id, r.reverses_entry_no, sum(r.quantity + coalesce(u.quantity, 0)) as quantity,
                sum(r.value + coalesce(u.value, 0)) as value, count(*) + coalesce(sum(u.n), 0) as n
              from erp.stock_entry r
              left join (select merchant_id, reverses_entry_no, sum(quantity) as quantity, sum(value) as value, count(*) as n
                         from erp.stock_entry where kind = 'return-reversal' group by 1, 2) as u
                on u.merchant_id = r.merchant_id and u.reverses_entry_no = r.entry_no
              where r.reverses_entry_no is not null group by 1, 2) as r
        join erp.stock_entry o on o.merchant_id = r.merchant_id and o.entry_no = r.reverses_entry_no
        where abs(r.quantity) > abs(o.quantity) or abs(r.value) > abs(o.value) + 0.005 * r.n
          or (r.quantity = -o.quantity and r.value <> -o.value)
        union all
        select merchant_id, 'line ' || booking_doc_id || '/' || booking_line_id,
          'all that left came back, and ' || sum(value) || ' of its value did not'
        from erp.stock_entry
        where booking_step is not null and kind <> 'true-up'
          and (merchant_id, booking_doc_id, booking_line_id) not in (
            select merchant_id, booking_doc_id, booking_line_id from erp.stock_entry
            where kind in ('return', 'return-scrapped') and reverses_entry_no is null)
        group by merchant_id, booking_kind, booking_doc_id, booking_line_id having sum(quantity) = 0 and sum(value) <> 0
        """,
    ),
]
