"""Reconciliation: every difference explained to zero, every booking of it in the ledger once and for the same figure."""

from starters.verify.check import Check, Probe, Stage

CHECKS: list[Check | Probe] = [
    Check(
        "R1",
        "The parts of every difference add up to warehouse less books, and none is without a class",
        Stage.NEVER,
        "select merchant_id, count(*) as n from erp.difference group by 1",
        """
        select d.merchant_id, 'run ' || d.run_no || ', ' || d.article_number || ' in ' || d.warehouse as document,
          'the difference is ' || (d.theirs - d.ours) || ', its parts add up to ' || coalesce(sum(p.quantity), 0) as detail
        from erp.difference d left join erp.difference_part p using (merchant_id, run_no, comparison, article_number, warehouse)
        group by d.merchant_id, d.run_no, d.comparison, d.article_number, d.warehouse, d.theirs, d.ours
        having d.theirs - d.ours <> coalesce(sum(p.quantity), 0)
        union all
        select merchant_id, 'run ' || run_no || ', ' || article_number, 'a part of ' || quantity || ' has no class'
        from erp.difference_part where btrim(why) = ''
        union all
        select r.merchant_id, 'run ' || r.run_no, 'is finished and has no file'
        from erp.reconciliation_run r where r.state = 'finished' and not exists (
          select from erp.reconciliation_file f where f.merchant_id = r.merchant_id and f.run_no = r.run_no)
        """,
        """
        select merchant_id, article_number || ' in ' || warehouse as document,
          quantity || ' pieces that nobody can explain: ' || state || ', ' || why as detail
        from erp.settlement where state in ('seen', 'waiting', 'approved')
        """,
    ),
    Check(
        "R6",
        "Every correction of stock is in the ledger once, for the figure and with the approvals that it was booked with",
        Stage.NEVER,
        """
        select merchant_id, sum(n)::bigint as n from (
          select merchant_id, count(*) as n from erp.reconciliation_booking group by 1
          union all select merchant_id, count(*) from erp.stock_entry where kind = 'adjustment' group by 1) as b group by 1
        """,
        """
        select coalesce(b.merchant_id, e.merchant_id) as merchant_id, coalesce(b.cause, e.cause) as document,
          case when e.cause is null then 'is said to be booked, and no entry has this cause'
               when b.cause is null then 'entry ' || e.entry_no || ' corrects stock, and no reconciliation has booked it'
               else 'booked ' || b.quantity || ' worth ' || b.value || ', the entry is ' || e.quantity || ' worth ' || e.value end
            as detail
        from erp.reconciliation_booking b
        full join (select * from erp.stock_entry where kind = 'adjustment') as e
          on e.merchant_id = b.merchant_id and e.cause = b.cause and e.article_number = b.article_number
            and e.warehouse = b.warehouse
        where b.cause is null or e.cause is null or b.quantity <> e.quantity or b.value <> e.value
          or b.transaction_no <> e.transaction_no
        union all
        select s.merchant_id, 'settlement ' || s.settlement_no, 'is said to be booked: ' || s.quantity || ', the ledger has '
          || coalesce(e.quantity::text, 'nothing')
        from erp.settlement s left join erp.stock_entry e on e.merchant_id = s.merchant_id
          and e.cause = 'settlement/' || s.settlement_no
        where s.state = 'booked' and s.quantity is distinct from e.quantity
        union all
        select j.merchant_id, 'stock-taking ' || j.inventory_id || ' of ' || j.article_number || ', ' || j.cause,
          'booked are ' || j.booked || ', the ledger has ' || coalesce(sum(e.quantity), 0)
        from bridge.adjusted j left join erp.stock_entry e on e.merchant_id = j.merchant_id and e.kind = 'adjustment'
          and e.cause like 'adjustment/' || j.inventory_id || '/' || j.article_id || '/' || j.warehouse_id || '/'
            || case when j.up then 'up' else 'down' end || '/%'
          and split_part(e.cause, '/', 7) = split_part(j.cause, '/', 1)
        group by j.merchant_id, j.inventory_id, j.article_id, j.warehouse_id, j.cause, j.up, j.article_number, j.booked
        having coalesce(sum(e.quantity), 0) <> j.booked * case when j.up then 1 else -1 end
        """,
    ),
]
