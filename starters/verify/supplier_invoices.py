"""Supplier invoices: the account of what is not invoiced, what each booking comes to, and late costs, G2 to G4."""

from starters.verify.check import Check, Probe, Stage

MATCHING = "('match', 'delivery', 'reversal')"

CHECKS: list[Check | Probe] = [
    Check(
        "G2",
        "The account of goods received and not invoiced is what is open of the receipts, and the claims that wait on it",
        Stage.NEVER,
        "select merchant_id, count(*) as n from erp.goods_receipt_line where in_stock group by 1",
        f"""
        with accounts as (
          select merchant_id, cast(settings->>'goods_received_not_invoiced_account' as int) as account
          from bridge.merchant_settings
          where settings->>'goods_received_not_invoiced_account' is not null),
        came as (
          select g.merchant_id, o.account, sum(l.value) as value
          from (select merchant_id, purchase_order_number, receipt_no, sum(value) as value from erp.goods_receipt_line
                where in_stock group by 1, 2, 3) as l
          join erp.goods_receipt g using (merchant_id, purchase_order_number, receipt_no)
          join lateral (
            select r.account from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
            where p.merchant_id = g.merchant_id and p.transaction_no = g.transaction_no
              and ((p.event = 'goods-received' and r.credit > 0) or (p.event = 'goods-receipt-undone' and r.debit > 0))
            limit 1) as o on true
          group by 1, 2),
        again as (
          select l.merchant_id, o.account, sum(l.amount) as value
          from erp.revaluation_line l join erp.goods_receipt g using (merchant_id, purchase_order_number, receipt_no)
          join lateral (
            select r.account from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
            where p.merchant_id = g.merchant_id and p.transaction_no = g.transaction_no
              and p.event = 'goods-received' and r.credit > 0 limit 1) as o on true
          group by 1, 2),
        ours as (
          select merchant_id, account, sum(debit - credit) as value from erp.posting_row
          where (merchant_id, account) in (select merchant_id, account from accounts) group by 1, 2),
        booked as (
          select merchant_id, account, sum(value) as value, sum(cleared) as cleared from erp.purchase_booking
          where kind in {MATCHING} group by 1, 2),
        claimed as (
          select merchant_id, claims_account as account, sum(claimed) as value from erp.purchase_booking
          where kind <> 'landed-cost' group by 1, 2)
        select a.merchant_id, 'account ' || a.account as document,
          'holds ' || coalesce(o.value, 0) + coalesce(b.value, 0) || ' with the invoices that are matched, open are '
          || coalesce(b.cleared, 0) - coalesce(c.value, 0) - coalesce(v.value, 0) + coalesce(k.value, 0) as detail
        from accounts a left join came c using (merchant_id, account) left join ours o using (merchant_id, account)
        left join again v using (merchant_id, account)
        left join booked b using (merchant_id, account) left join claimed k using (merchant_id, account)
        where coalesce(o.value, 0) + coalesce(b.value, 0)
          <> coalesce(b.cleared, 0) - coalesce(c.value, 0) - coalesce(v.value, 0) + coalesce(k.value, 0)
        """,
        """
        select merchant_id, 'supplier invoice ' || fortnox_number as document,
          'is ' || state || coalesce(' (' || match_state || ')', '') || ' since ' || date_trunc('second', state_at)
          || case when why = '' then '' else ': ' || why end as detail
        from erp.supplier_invoice where state in ('parked', 'waiting', 'no-purchase', 'rejected') order by state_at
        """,
    ),
    Check(
        "G3",
        "A booking of a purchase is its parts, its claims and its posting; an invoice is booked for what it says, or not at all",
        Stage.NEVER,
        "select merchant_id, count(*) as n from erp.purchase_booking group by 1",
        f"""
        with parts as (
          select merchant_id, document, step, sum(cleared) as cleared, sum(rate) as rate, sum(price) as price
          from erp.invoice_match group by 1, 2, 3),
        claims as (select merchant_id, document, step, sum(value) as value from erp.claim group by 1, 2, 3),
        late as (select merchant_id, document, step, sum(amount) as amount from erp.late_cost group by 1, 2, 3),
        posted as (
          select p.merchant_id, p.transaction_no, r.account, sum(r.debit - r.credit) as value
          from erp.posting p join erp.posting_row r using (merchant_id, posting_no)
          where (p.merchant_id, p.transaction_no) in (select merchant_id, transaction_no from erp.purchase_booking)
          group by 1, 2, 3)
        select b.merchant_id, b.document || ' step ' || b.step as document,
          'cleared ' || b.cleared || ', rate ' || b.rate || ', price ' || b.price || ', claimed ' || b.claimed
          || '; its rows are ' || coalesce(p.cleared, 0) || ', ' || coalesce(p.rate, 0) || ', ' || coalesce(p.price, 0) || ', '
          || coalesce(c.value, 0) as detail
        from erp.purchase_booking b left join parts p using (merchant_id, document, step)
        left join claims c using (merchant_id, document, step)
        where b.claimed <> coalesce(c.value, 0)
          or (b.kind in {MATCHING}
              and (b.cleared, b.rate, b.price) <> (coalesce(p.cleared, 0), coalesce(p.rate, 0), coalesce(p.price, 0)))
        union all
        select b.merchant_id, b.document || ' step ' || b.step,
          'makes goods dearer by ' || b.rate + b.price - b.exchange || ', its late costs are ' || coalesce(l.amount, 0)
        from erp.purchase_booking b left join late l using (merchant_id, document, step)
        where b.rate + b.price - b.exchange <> coalesce(l.amount, 0)
        union all
        select b.merchant_id, b.document || ' step ' || b.step,
          'leaves ' || -(b.rate + b.price + b.difference + case when b.claims_account = b.account then 0 else b.claimed end)
          || ' on account ' || b.account || ', posted is ' || coalesce(t.value, 0)
        from erp.purchase_booking b
        left join posted t on t.merchant_id = b.merchant_id and t.transaction_no = b.transaction_no and t.account = b.account
        where b.kind <> 'supplier-return'
          and not exists (select from bridge.merchant_settings s where s.merchant_id = b.merchant_id
            and s.settings->>'posting_style' = 'purchases-expensed')
          and -(b.rate + b.price + b.difference + case when b.claims_account = b.account then 0 else b.claimed end)
            <> coalesce(t.value, 0)
        union all
        select s.merchant_id, 'supplier invoice ' || s.fortnox_number,
          'is ' || s.state || ' over ' || coalesce(l.value, 0) || ', booked are ' || coalesce(b.value, 0)
        from erp.supplier_invoice s
        left join (select merchant_id, fortnox_number, version, sum(value) as value from erp.supplier_invoice_line
                   group by 1, 2, 3) as l using (merchant_id, fortnox_number, version)
        left join (select merchant_id, document, sum(value) as value from erp.purchase_booking group by 1, 2) as b
          on b.merchant_id = s.merchant_id and b.document = 'supplier-invoice/' || s.fortnox_number
        where coalesce(b.value, 0) <> case when s.state = 'booked' then coalesce(l.value, 0) else 0 end and not (
          s.booked_version is not null and s.state <> 'booked')
        """,
        """
        select merchant_id, purchase_order_number as document,
          'the supplier owes ' || sum(quantity) || ' of article ' || article_number || ' worth ' || sum(value) || ' by '
          || claimed_by as detail
        from erp.claim group by merchant_id, purchase_order_number, article_number, claimed_by
        having sum(quantity) <> 0 or sum(value) <> 0 order by 1, 2
        """,
    ),
    Check(
        "G4",
        "A late cost is one value entry of the ledger for each article that it reached, and no entry is without its document",
        Stage.NEVER,
        "select merchant_id, count(*) as n from erp.late_cost group by 1",
        """
        with rows as (
          select b.merchant_id, b.transaction_no, l.article_number, l.warehouse, sum(l.to_stock) as value
          from erp.late_cost l join erp.purchase_booking b using (merchant_id, document, step) group by 1, 2, 3, 4),
        entries as (
          select merchant_id, transaction_no, article_number, warehouse, sum(value) as value from erp.stock_entry
          where kind = 'cost' and document not like 'revaluation/%' group by 1, 2, 3, 4)
        select merchant_id, 'transaction ' || transaction_no || ' (' || article_number || ')' as document,
          'late costs of ' || coalesce(r.value, 0) || ' reached stock, its entries are ' || coalesce(e.value::text, 'none')
          as detail
        from rows r full join entries e using (merchant_id, transaction_no, article_number, warehouse)
        where coalesce(r.value, 0) <> coalesce(e.value, 0)
        union all
        select l.merchant_id, l.document || ' step ' || l.step,
          'stock got ' || l.to_stock || ' of ' || l.amount || ': more than all of it'
        from erp.late_cost l where abs(l.to_stock) > abs(l.amount) or l.to_stock * l.amount < 0
        """,
    ),
]
