"""Goods receipts: a row of one is what was counted, what stock moved and what is owed for it, G1."""

from starters.verify.check import Check, Probe, Stage

CHECKS: list[Check | Probe] = [
    Check(
        "G1",
        "A goods receipt is what was counted and what stock moved, at its price and rate; a completed purchase told all of it",
        Stage.NEVER,
        "select merchant_id, count(*) as n from erp.goods_receipt_line group by 1",
        """
        with written as (
          select merchant_id, doc_id, line_id, step, sum(quantity) as quantity, sum(value) as value, bool_or(in_stock) as in_stock
          from erp.goods_receipt_line group by 1, 2, 3, 4),
        moved as (
          select merchant_id, booking_doc_id as doc_id, booking_line_id as line_id, booking_step as step,
            sum(quantity) as quantity, sum(value) as value
          from erp.stock_entry where booking_kind = 'purchase-order' and kind in ('receipt', 'receipt-reversal')
          group by 1, 2, 3, 4),
        booked as (
          select merchant_id, doc_id, line_id, step, quantity from bridge.booking where kind = 'purchase-order')
        select merchant_id, 'purchase-order/' || doc_id || '/' || line_id as document,
          'step ' || step || ' counted ' || coalesce(b.quantity::text, 'nothing') || ', received are '
          || coalesce(w.quantity::text, 'none') as detail
        from booked b full join written w using (merchant_id, doc_id, line_id, step) where b.quantity is distinct from w.quantity
        union all
        select merchant_id, 'purchase-order/' || doc_id || '/' || line_id,
          'step ' || step || ' received ' || coalesce(w.quantity || ' worth ' || w.value, 'nothing') || ', stock moved by '
          || coalesce(m.quantity || ' worth ' || m.value, 'nothing')
        from (select * from written where in_stock) w full join moved m using (merchant_id, doc_id, line_id, step)
        where (w.quantity, w.value) is distinct from (m.quantity, m.value)
        union all
        select merchant_id, purchase_order_number || ' receipt ' || receipt_no || ' row ' || row_no,
          quantity || ' at ' || unit_price || ' ' || currency || ' and ' || exchange_rate || ' are not ' || value
        from erp.goods_receipt_line
        where reverses_step is null and value <> round(quantity * unit_price * exchange_rate, 2)
        union all
        select r.merchant_id, r.purchase_order_number || ' receipt ' || r.receipt_no || ' row ' || r.row_no,
          'takes back step ' || r.reverses_step || ', which is not there'
        from erp.goods_receipt_line r
        where r.reverses_step is not null and not exists (select from erp.goods_receipt_line o
          where o.merchant_id = r.merchant_id and o.doc_id = r.doc_id and o.line_id = r.line_id and o.step = r.reverses_step
            and o.step < r.step and o.quantity > 0)
        union all
        select p.merchant_id, p.purchase_order_number,
          'is completed; line ' || c.line_id || ' is booked ' || c.booked || ', the warehouse was told '
          || coalesce(c.reported_known, 0)
        from erp.purchase_order p
        join bridge.watched w on w.merchant_id = p.merchant_id and w.kind = 'purchase-order'
          and w.document = p.purchase_order_number
        join bridge.counted c on c.merchant_id = w.merchant_id and c.kind = w.kind and c.doc_id = w.doc_id
        where p.status = 'completed' and c.what = 'received' and c.booked <> coalesce(c.reported_known, 0)
          and not exists (select from bridge.process q where q.merchant_id = p.merchant_id and q.kind = 'purchase-order'
                            and q.document = p.purchase_order_number and q.ended_at is null)
        """,
        """
        select merchant_id, purchase_order_number as document,
          'was closed by ' || closed_by || ': ' || close_reason as detail
        from erp.purchase_order where closed_by is not null order by status_changed_at
        """,
    ),
]
