"""Orders and their processes: O1 to O7."""

from starters.verify.check import Check, Probe, Stage

CHECKS: list[Check | Probe] = [
    Check(
        "O1",
        "One process at a time for an order, under its own id; runs are numbered without gap and only the last may be open",
        Stage.SENT,
        "select merchant_id, count(*) as n from bridge.process group by 1",
        """
        with runs as (
          select *, row_number() over same as next_run, count(*) over (partition by merchant_id, kind, document) as runs
          from bridge.process window same as (partition by merchant_id, kind, document order by run))
        select merchant_id, document,
          'run ' || run || ' (' || workflow_id || '), ' || case when ended_at is null then 'open' else 'ended' end
          || ': expected was run ' || next_run || ' of ' || runs as detail
        from runs
        where run <> next_run or (ended_at is null and run < runs)
          or (kind = 'sales-order' and workflow_id
              <> 'sales-order/' || merchant_id || '/' || replace(replace(document, '%', '%25'), '#', '%23')
                || case when run = 1 then '' else '#' || run end)
        union all
        select p.merchant_id, p.document, 'has a process, and there is no such order'
        from bridge.process p left join erp.sales_order o on o.merchant_id = p.merchant_id and o.order_number = p.document
        where p.kind = 'sales-order' and o.order_number is null
        """,
    ),
    Check(
        "O2",
        "Status moves along the declared graph, each from where the last ended, with cause, to where the order is now",
        Stage.SENT,
        "select merchant_id, count(*) as n from bridge.status_move group by 1",
        """
        with moves as (
          select *, lag(to_status, 1, 'released') over same as stood, lead(move_no) over same is null as is_last
          from bridge.status_move window same as (partition by merchant_id, order_number order by move_no))
        select merchant_id, order_number as document,
          'moved from ' || m.from_status || ' to ' || m.to_status || ' because ' || m.cause || '; it stood at ' || m.stood
          || ' and is now ' || coalesce(o.status, 'missing') as detail
        from moves m left join erp.sales_order o using (merchant_id, order_number)
        where not erp.status_may_move(m.from_status, m.to_status) or m.from_status <> m.stood or btrim(m.cause) = ''
          or (m.is_last and m.to_status is distinct from o.status)
        union all
        select o.merchant_id, o.order_number, 'is ' || o.status || ' without ever having moved'
        from erp.sales_order o left join bridge.status_move m using (merchant_id, order_number)
        where m.move_no is null and o.status not in ('draft', 'released', 'cancelled')
        """,
    ),
    Check(
        "O3",
        "Nothing is sent before what it refers to: an order's articles to the warehouse, an invoice's customer to Fortnox",
        Stage.SENT,
        """
        select merchant_id, sum(n)::bigint as n from (
          select merchant_id, count(*) as n from bridge.link where kind = 'sales-order' group by 1
          union all select merchant_id, count(*) from bridge.foreign_call where attempt > 0 group by 1) as sent group by 1
        """,
        """
        select l.merchant_id, l.our_key as document,
          'line ' || sl.line_number || ' was sent; its article ' || sl.article_number || ' never was' as detail
        from bridge.link l
        join erp.sales_order o on o.merchant_id = l.merchant_id and o.order_number = l.our_key and o.version = l.sent_version
        join erp.agreed_line sl on sl.merchant_id = l.merchant_id and sl.order_number = l.our_key
        join erp.article a on a.merchant_id = sl.merchant_id and a.article_number = sl.article_number and a.stock_article
        where l.system = 'ongoing' and l.kind = 'sales-order' and not exists (
          select from bridge.link k where k.merchant_id = l.merchant_id and k.system = 'ongoing' and k.kind = 'article'
            and k.our_key = sl.article_number)
        union all
        select b.merchant_id, b.order_number, 'basis ' || b.basis_no || '/' || b.part || ' was sent; its customer never was'
        from erp.invoice_basis b
        join bridge.foreign_call c on c.merchant_id = b.merchant_id and c.system = 'fortnox' and c.operation = 'create-invoice'
          and c.business_key = b.reference and c.attempt > 0
        join erp.sales_order o on o.merchant_id = b.merchant_id and o.order_number = b.order_number and o.version = 1
        join erp.merchant m on m.merchant_id = b.merchant_id
        where not exists (
          select from bridge.link k where k.merchant_id = b.merchant_id and k.system = 'fortnox' and k.kind = 'customer'
            and k.our_key = coalesce(o.customer_number, 'KOLLEKTIV-' || coalesce(o.delivery_country, m.country)))
        """,
    ),
    Check(
        "O4",
        "Shipped is summed from shipments, never below zero, equal to what the counters shipped; over-delivery is an exception",
        Stage.SHIPPED,
        "select merchant_id, count(*) as n from erp.shipment_line group by 1",
        """
        with lines as (
          select merchant_id, order_number, line_number, coalesce(sum(shipped), 0) as shipped, sum(counted) as counted,
            sum(ordered) as ordered
          from (
            select merchant_id, order_number, line_number, quantity as shipped, null::numeric as counted, null::numeric as ordered
              from erp.shipment_line
            union all select c.merchant_id, w.document, c.line_number, null, c.shipped, null
              from bridge.counted c join bridge.watched w using (merchant_id, kind, doc_id)
              where c.kind = 'sales-order' and c.what = 'picked' and c.line_number is not null
            union all select merchant_id, order_number, line_number, null, null, quantity from erp.agreed_line) as sides
          group by 1, 2, 3
          having coalesce(sum(shipped), 0) < 0 or coalesce(sum(shipped), 0) <> coalesce(sum(counted), 0)
            or sum(shipped) > sum(ordered))
        select d.merchant_id, d.order_number || ' line ' || d.line_number as document,
          'shipments add up to ' || d.shipped || ', counters have shipped ' || coalesce(d.counted, 0) as detail
        from lines d left join erp.agreed_line l using (merchant_id, order_number, line_number)
        left join erp.article a on a.merchant_id = l.merchant_id and a.article_number = l.article_number
        where d.shipped < 0
          or (d.shipped <> coalesce(d.counted, 0) and (d.counted is not null or coalesce(a.stock_article, true)))
        union all
        select d.merchant_id, d.order_number || ' line ' || d.line_number,
          'ordered ' || d.ordered || ', shipped ' || d.shipped || ' without an exception over-delivery'
        from lines d join erp.sales_order o using (merchant_id, order_number)
        where d.shipped > d.ordered and o.version = 1 and not exists (
          select from bridge.exception x where x.merchant_id = d.merchant_id and x.document = d.order_number
            and x.code = 'over-delivery')
        union all
        select s.merchant_id, s.order_number, 'shipment ' || s.shipment_no || ' has no lines'
        from erp.shipment s left join erp.shipment_line l using (merchant_id, order_number, shipment_no)
        where l.line_number is null
        """,
    ),
    Check(
        "O5",
        "The warehouse was sent the order as the ERP has it, and reading back confirmed it, or a person knows",
        Stage.SENT,
        "select merchant_id, count(*) as n from bridge.link where system = 'ongoing' and kind = 'sales-order' group by 1",
        """
        select l.merchant_id, l.our_key as document,
          'version ' || coalesce(l.sent_version::text, 'none')
          || case when l.confirmed then ' confirmed' else ' not confirmed' end || ', the ERP has version '
          || coalesce(o.version::text, 'none') || ' (' || coalesce(o.status, 'missing') || ')' as detail
        from bridge.link l left join erp.sales_order o on o.merchant_id = l.merchant_id and o.order_number = l.our_key
        where l.system = 'ongoing' and l.kind = 'sales-order'
          and (o.order_number is null or l.sent_version > o.version or l.sent_version is null
            or (o.status not in ('completed', 'cancelled') and (not l.confirmed or l.sent_version <> o.version)
                and o.updated_at < now() - interval '15 minutes'
                and not exists (select from bridge.exception x where x.merchant_id = o.merchant_id and x.kind = 'sales-order'
                                  and x.document = o.order_number and x.closed_at is null)))
        """,
    ),
    Check(
        "O6",
        "An order or purchase under way has one running process or a release that waits; a running process has such an order",
        Stage.RELEASED,
        """
        select merchant_id, sum(n)::bigint as n from (
          select merchant_id, count(*) as n from erp.sales_order where status <> 'draft' group by 1
          union all select merchant_id, count(*) from erp.purchase_order where status <> 'draft' group by 1) as both_sides
        group by 1
        """,
        """
        select o.merchant_id, o.order_number as document, 'is ' || o.status || ' and nothing works on it' as detail
        from erp.sales_order o
        where o.status not in ('draft', 'completed', 'cancelled')
          and not exists (select from bridge.process p where p.merchant_id = o.merchant_id and p.kind = 'sales-order'
                            and p.document = o.order_number and p.ended_at is null)
          and not exists (select from bridge.outbox b where b.merchant_id = o.merchant_id and b.topic = 'sales-order.released'
                            and b.document = o.order_number and b.delivered_at is null)
        union all
        select o.merchant_id, o.purchase_order_number, 'is ' || o.status || ' and nothing works on it'
        from erp.purchase_order o
        where o.status in ('placed', 'at-warehouse', 'part-received', 'received')
          and not exists (select from bridge.process p where p.merchant_id = o.merchant_id and p.kind = 'purchase-order'
                            and p.document = o.purchase_order_number and p.ended_at is null)
          and not exists (select from bridge.outbox b where b.merchant_id = o.merchant_id and b.topic = 'purchase-order.placed'
                            and b.document = o.purchase_order_number and b.delivered_at is null)
        union all
        select o.merchant_id, o.order_number, 'is ' || o.status || ', and ' || p.workflow_id || ' runs since '
          || date_trunc('second', p.started_at)
        from erp.sales_order o join bridge.process p on p.merchant_id = o.merchant_id and p.kind = 'sales-order'
          and p.document = o.order_number and p.ended_at is null
        where o.status in ('draft', 'completed', 'cancelled') and p.started_at < now() - interval '15 minutes'
          and o.status_changed_at < now() - interval '15 minutes'
          and not exists (select from bridge.exception x where x.merchant_id = o.merchant_id and x.kind = 'sales-order'
                            and x.document = o.order_number and x.closed_at is null)
        """,
    ),
    Check(
        "O7",
        "The ERP is shown what the books hold: each watched document with its status, and what is picked on it and on each line",
        Stage.SENT,
        "select merchant_id, count(*) as n from erp.warehouse_order group by 1",
        """
        with counted as (
          select c.merchant_id, w.document, c.doc_id, c.line_number, sum(c.booked) as booked
          from bridge.counted c join bridge.watched w using (merchant_id, kind, doc_id)
          where c.kind = 'sales-order' and c.what = 'picked' and c.line_number is not null group by 1, 2, 3, 4),
        lines as (select merchant_id, document, line_number, sum(booked) as booked from counted group by 1, 2, 3),
        documents as (select merchant_id, doc_id, sum(booked) as booked from counted group by 1, 2)
        select coalesce(l.merchant_id, p.merchant_id) as merchant_id,
          coalesce(l.document, p.order_number) || ' line ' || coalesce(l.line_number, p.line_number) as document,
          'shows ' || coalesce(p.quantity, 0) || ' picked, booked are ' || coalesce(l.booked, 0) as detail
        from lines l full join erp.picked_line p
          on p.merchant_id = l.merchant_id and p.order_number = l.document and p.line_number = l.line_number
        where coalesce(l.booked, 0) <> coalesce(p.quantity, 0)
        union all
        select w.merchant_id, w.document,
          'warehouse order ' || w.doc_id || ' is shown with status ' || coalesce(o.status::text, 'none') || ' and '
          || coalesce(o.picked::text, 'nothing') || ' picked; we saw ' || coalesce(w.status::text, 'none') || ' and booked '
          || coalesce(d.booked, 0)
        from bridge.watched w
        join erp.sales_order s on s.merchant_id = w.merchant_id and s.order_number = w.document
        left join erp.warehouse_order o on o.merchant_id = w.merchant_id and o.warehouse_order_id = w.doc_id
        left join documents d on d.merchant_id = w.merchant_id and d.doc_id = w.doc_id
        where w.kind = 'sales-order'
          and (o.order_number is distinct from w.document or o.status is distinct from w.status
            or o.picked is distinct from coalesce(d.booked, 0))
        """,
    ),
]
