"""Invoices and what they stand on: I1 to I4, I6, I7."""

from starters.verify.check import Check, Probe, Stage

_LINES = """
      select s.merchant_id, s.order_number, s.shipment_no, l.unit_price,
        l.discount_percent + o.discount_percent - l.discount_percent * o.discount_percent / 100 as discount,
        case when coalesce((ms.settings->>'invoice_over_delivery')::boolean, false) then null else l.quantity end as most,
        sum(s.quantity) over same as after, s.quantity
      from erp.shipment_line s
      join erp.agreed_line l using (merchant_id, order_number, line_number)
      join erp.sales_order o using (merchant_id, order_number)
      left join bridge.merchant_settings ms on ms.merchant_id = s.merchant_id
"""
_DUE = """
      window same as (partition by s.merchant_id, s.order_number collate "C", s.line_number order by s.shipment_no)),
    expected as (
      select l.merchant_id, l.order_number, l.shipment_no,
        sum(round(least(after, most) * unit_price * (100 - discount) / 100, 2)
            - round(least(after - quantity, most) * unit_price * (100 - discount) / 100, 2)) as goods
      from lines l where quantity > 0 group by 1, 2, 3),
    due as (
      select e.merchant_id, e.order_number, e.shipment_no, o.version,
        e.goods + case when e.shipment_no = 1 then o.freight else 0 end as amount
      from expected e join erp.sales_order o using (merchant_id, order_number))
"""
# What the goods that left on each shipment are worth by the agreed prices; for a shipment without invoice alone, or for all of
# them. An invoice that a person has made outside is one, when the audit says who and why. What was taken back is credited, and a
# credit names its invoice.
_UNBILLED = (
    """
    with unbilled as (
      select merchant_id, order_number, shipment_no from erp.shipment where billable
      except select b.merchant_id, b.order_number, b.shipment_no from erp.invoice_basis b
      where b.kind = 'invoice' and b.shipment_no is not null and (b.state <> 'cancelled' or exists (
        select from bridge.audit a where a.merchant_id = b.merchant_id and a.kind = 'sales-order' and a.document = b.order_number
          and a.action = 'handled_outside' and a.detail ->> 'basis' = b.basis_no::text))),
    lines as (
"""
    + _LINES
    + "      where (s.merchant_id, s.order_number) in (select merchant_id, order_number from unbilled)"
    + _DUE
)
_ALL = (
    "    with lines as ("
    + _LINES
    + _DUE
    + """,
    billed as (
      select merchant_id, order_number, shipment_no, sum(amount) as amount from erp.invoice_basis
      where state <> 'cancelled' and kind = 'invoice' group by 1, 2, 3)
"""
)

CHECKS: list[Check | Probe] = [
    Check(
        "I1",
        "Each shipment that can be billed has one invoice basis, in parts of at most 500 rows, each part one invoice",
        Stage.BILLED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from erp.invoice_basis group by 1
          union all select merchant_id, count(*) from erp.shipment group by 1) as both_sides group by 1
        """,
        _UNBILLED
        + """
        select d.merchant_id, d.order_number as document,
          'shipment ' || d.shipment_no || ' is worth ' || d.amount || ' and has no invoice basis' as detail
        from due d join unbilled using (merchant_id, order_number, shipment_no) where d.amount <> 0
        union all
        select s.merchant_id, s.order_number, 'line ' || s.line_number || ': ' || s.quantity || ' are delivered, ' || b.quantity
          || ' are billed and not credited'
        from (select merchant_id, order_number, line_number, sum(quantity) as quantity from erp.shipment_line
              group by 1, 2, 3) as s
        join (select b.merchant_id, b.order_number, r.line_number, sum(coalesce(r.billed_quantity, r.quantity)) as quantity,
                sum(r.amount) as amount
              from erp.invoice_basis_row r join erp.invoice_basis b using (merchant_id, basis_no, part)
              where b.state <> 'cancelled' and r.line_number is not null group by 1, 2, 3) as b
          using (merchant_id, order_number, line_number)
        where b.quantity > greatest(s.quantity, 0) and b.amount > 0
        union all
        select merchant_id, order_number, 'shipment ' || shipment_no || ' has ' || count(distinct basis_no) || ' bases, part '
          || part || ' stands ' || count(*) || ' times'
        from erp.invoice_basis where state <> 'cancelled' and shipment_no is not null
        group by merchant_id, order_number, shipment_no, part having count(*) > 1
        union all
        select merchant_id, 'basis ' || basis_no, 'parts ' || min(part) || ' to ' || max(part) || ', ' || count(*) || ' of them'
        from erp.invoice_basis group by merchant_id, basis_no having min(part) <> 1 or max(part) <> count(*)
        union all
        select b.merchant_id, 'basis ' || b.basis_no || '/' || b.part, 'has ' || count(r.row_no) || ' rows'
        from erp.invoice_basis b left join erp.invoice_basis_row r using (merchant_id, basis_no, part)
        group by b.merchant_id, b.basis_no, b.part having count(r.row_no) not between 1 and 500
        union all
        select merchant_id, 'basis ' || basis_no || '/' || part, 'has the reference ' || reference
        from erp.invoice_basis
        where reference <> 'lb-' || left(encode(sha256(convert_to(merchant_id, 'UTF8')), 'hex'), 6) || '-'
          || lpad(basis_no::text, 12, '0') || '-' || lpad(part::text, 3, '0') || '-' || lpad(revision::text, 3, '0')
        union all
        select b.merchant_id, b.order_number, 'basis ' || b.basis_no || '/' || b.part || ' bills a shipment that does not exist'
        from erp.invoice_basis b left join erp.shipment s using (merchant_id, order_number, shipment_no)
        where s.shipment_no is null and b.credits_basis_no is null
        union all
        select merchant_id, 'Fortnox invoice ' || fortnox_invoice_number, 'stands for ' || count(*) || ' bases'
        from erp.invoice_basis where fortnox_invoice_number is not null
        group by merchant_id, fortnox_invoice_number having count(*) > 1
        union all
        select s.merchant_id, 'Fortnox invoice ' || s.their_id, 'is listed as surplus, and is the booked invoice of '
          || b.order_number
        from bridge.surplus_document s join erp.invoice_basis b on b.merchant_id = s.merchant_id
          and b.fortnox_invoice_number::text = s.their_id
        where s.system = 'fortnox' and s.kind = 'invoice'
        """,
        """
        select merchant_id, 'Fortnox invoice ' || their_id as document,
          'surplus to ' || business_key || ', ' || state || ': ' || fault as detail
        from bridge.surplus_document where system = 'fortnox'
        """,
    ),
    Check(
        "I2",
        "An invoice is its rows, the rows are shipment times agreed price, and Fortnox's totals are ours within the rounding",
        Stage.BILLED,
        "select merchant_id, count(*) as n from erp.invoice_basis group by 1",
        _ALL
        + """,
        rates as (
          select r.merchant_id, r.basis_no, r.part, r.vat_rate, sum(r.amount) as amount, count(*) as n,
            case when b.price_basis = 'net' then round(sum(r.amount) * r.vat_rate / 100, 2)
                 else round(sum(r.amount) * r.vat_rate / (100 + r.vat_rate), 2) end as tax
          from erp.invoice_basis_row r join erp.invoice_basis b using (merchant_id, basis_no, part)
          group by r.merchant_id, r.basis_no, r.part, r.vat_rate, b.price_basis),
        totals as (
          select merchant_id, basis_no, part, sum(amount) as amount, sum(tax) as vat,
            round(0.005 * (sum(n) filter (where vat_rate <> 0) + count(*)), 2) as tolerance
          from rates group by 1, 2, 3)
        select b.merchant_id, 'basis ' || b.basis_no || '/' || b.part as document,
          'amount ' || b.amount || ', net ' || b.net || ', VAT ' || b.vat || '; its rows make ' || coalesce(t.amount, 0)
          || ' with VAT ' || coalesce(t.vat, 0) as detail
        from erp.invoice_basis b left join totals t using (merchant_id, basis_no, part)
        where b.amount is distinct from t.amount or b.vat is distinct from t.vat
          or b.net is distinct from case when b.price_basis = 'net' then t.amount else t.amount - t.vat end
          or b.tolerance is distinct from coalesce(t.tolerance, 0)
        union all
        select b.merchant_id, 'basis ' || b.basis_no || '/' || b.part,
          'is ' || b.price_basis || ' in ' || b.currency || ' at ' || b.exchange_rate || ', the order ' || o.price_basis || ' in '
          || o.currency
        from erp.invoice_basis b join erp.sales_order o using (merchant_id, order_number) join erp.merchant m using (merchant_id)
        where (o.version = 1 and (b.currency <> o.currency or b.price_basis <> o.price_basis)) or b.exchange_rate <= 0
          or (b.currency = m.currency and b.exchange_rate <> 1)
        union all
        select b.merchant_id, 'basis ' || b.basis_no || '/' || b.part,
          'net ' || b.net || ' and VAT ' || b.vat || ', in Fortnox ' || coalesce(b.fortnox_net::text, 'none') || ' and '
          || coalesce(b.fortnox_vat::text, 'none') || ', tolerance ' || b.tolerance
        from erp.invoice_basis b
        where b.state = 'booked' and not coalesce(abs(b.fortnox_vat - b.vat) <= b.tolerance
          and b.amount = case when b.price_basis = 'net' then b.fortnox_net else b.fortnox_net + b.fortnox_vat end, false)
        union all
        select d.merchant_id, d.order_number,
          'shipment ' || d.shipment_no || ' is worth ' || d.amount || ' by the agreed prices, billed were ' || b.amount
        from due d join billed b using (merchant_id, order_number, shipment_no)
        where d.version = 1 and d.amount <> b.amount
        """,
    ),
    Check(
        "I3",
        "Credits never exceed what was invoiced (order, invoice, VAT rate, row) and have one cause; what is left has its own VAT",
        Stage.BILLED,
        "select merchant_id, count(distinct order_number) as n from erp.invoice_basis group by 1",
        """
        with bases as (
          select merchant_id, order_number, basis_no, sum(amount) as amount from erp.invoice_basis
          where state <> 'cancelled' group by 1, 2, 3),
        running as (
          select *, sum(amount) over (partition by merchant_id, order_number order by basis_no) as so_far from bases),
        rates as (
          select b.merchant_id, b.order_number, coalesce(b.credits_basis_no, b.basis_no) as basis_no,
            coalesce(b.credits_part, b.part) as part, b.kind, b.price_basis, r.vat_rate, sum(r.amount) as amount,
            round(sum(r.amount) * r.vat_rate / (100 + case when b.price_basis = 'net' then 0 else r.vat_rate end), 2) as vat
          from erp.invoice_basis b join erp.invoice_basis_row r using (merchant_id, basis_no, part)
          where b.state <> 'cancelled' and exists (
            select from erp.invoice_basis c where c.merchant_id = b.merchant_id and c.state <> 'cancelled'
              and c.credits_basis_no = coalesce(b.credits_basis_no, b.basis_no)
              and c.credits_part = coalesce(b.credits_part, b.part))
          group by b.merchant_id, b.order_number, b.basis_no, b.part, r.vat_rate),
        lefts as (
          select merchant_id, order_number, basis_no, part, price_basis, vat_rate, sum(amount) as amount, sum(vat) as vat,
            sum(amount) filter (where kind = 'invoice') as invoiced
          from rates group by 1, 2, 3, 4, 5, 6)
        select merchant_id, order_number as document, 'basis ' || basis_no || ' over ' || amount || ' leaves ' || so_far as detail
        from running where so_far < 0
        union all
        select merchant_id, order_number, 'basis ' || basis_no || '/' || part || ' over ' || amount || ' is called ' || kind
        from erp.invoice_basis where (kind = 'credit') <> (amount < 0)
        union all
        select b.merchant_id, b.order_number, 'line ' || r.line_number || ' of shipment ' || b.shipment_no || ': '
          || greatest(-coalesce(max(s.quantity), 0), 0) || ' were taken back, credited ' || -sum(r.billed_quantity)
        from erp.invoice_basis b join erp.invoice_basis_row r using (merchant_id, basis_no, part)
        left join erp.shipment_line s on s.merchant_id = b.merchant_id and s.order_number = b.order_number
          and s.shipment_no = b.shipment_no and s.line_number = r.line_number
        where b.kind = 'credit' and b.shipment_no is not null and b.state <> 'cancelled'
        group by b.merchant_id, b.order_number, b.shipment_no, r.line_number
        having -sum(r.billed_quantity) > greatest(-coalesce(max(s.quantity), 0), 0)
        union all
        select merchant_id, order_number, 'basis ' || basis_no || '/' || part || ' at ' || vat_rate || ' % over ' || invoiced
          || ': credits leave ' || amount || ' with VAT ' || vat
        from lefts
        where invoiced is not null and (amount < 0
          or vat <> round(amount * vat_rate / (100 + case when price_basis = 'net' then 0 else vat_rate end), 2))
        union all
        select r.merchant_id, 'basis ' || b.credits_basis_no || '/' || b.credits_part || ' row ' || r.credits_row_no,
          'billed ' || coalesce(max(o.billed_quantity), 0) || ', credited ' || -sum(r.billed_quantity)
        from erp.invoice_basis_row r join erp.invoice_basis b using (merchant_id, basis_no, part)
        left join erp.invoice_basis_row o on o.merchant_id = b.merchant_id and o.basis_no = b.credits_basis_no
          and o.part = b.credits_part and o.row_no = r.credits_row_no and o.vat_rate = r.vat_rate and o.account = r.account
        where b.credits_basis_no is not null and b.state <> 'cancelled'
        group by r.merchant_id, b.credits_basis_no, b.credits_part, r.credits_row_no
        having -sum(r.billed_quantity) > coalesce(max(o.billed_quantity), 0) or bool_or(o.row_no is null)
        union all
        select b.merchant_id, 'basis ' || b.basis_no || '/' || b.part, 'credits ' || i.kind || ' ' || i.basis_no || ' of order '
          || i.order_number || ' in ' || i.currency || ' at ' || i.exchange_rate
        from erp.invoice_basis b join erp.invoice_basis i on i.merchant_id = b.merchant_id and i.basis_no = b.credits_basis_no
          and i.part = b.credits_part
        where (i.order_number, i.currency, i.exchange_rate, i.price_basis, i.kind) is distinct from
          (b.order_number, b.currency, b.exchange_rate, b.price_basis, 'invoice')
        """,
    ),
    Check(
        "I4",
        "A booked invoice has its number, voucher and totals, and the call that made it ended with that number",
        Stage.INVOICED,
        "select merchant_id, count(*) as n from erp.invoice_basis where state = 'booked' group by 1",
        """
        select b.merchant_id, 'basis ' || b.basis_no || '/' || b.part as document,
          'Fortnox invoice ' || coalesce(b.fortnox_invoice_number::text, 'none') || ', voucher '
          || coalesce(b.fortnox_voucher, 'none') || ', call ' || coalesce(c.state || ' with ' || coalesce(c.their_id, 'none'),
          'missing') as detail
        from erp.invoice_basis b left join bridge.foreign_call c on c.merchant_id = b.merchant_id and c.system = 'fortnox'
          and c.operation = 'create-invoice' and c.business_key = b.reference
        where b.state = 'booked' and (b.fortnox_invoice_number is null or coalesce(b.fortnox_voucher, '') = ''
          or b.fortnox_net is null or b.fortnox_vat is null or b.booked_at is null
          or c.their_id is distinct from b.fortnox_invoice_number::text)
        union all
        select b.merchant_id, 'basis ' || b.basis_no || '/' || b.part,
          'is ' || b.state || ' and names voucher ' || b.fortnox_voucher
        from erp.invoice_basis b where b.state = 'open' and b.fortnox_voucher is not null
        """,
    ),
    Check(
        "I6",
        "Accounting dates are days of the merchant's own time zone: of the pick, of the shipment",
        Stage.BOOKED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from erp.posting group by 1
          union all select merchant_id, count(*) from erp.shipment group by 1) as dated group by 1
        """,
        """
        select distinct e.merchant_id, 'posting ' || e.posting_no as document,
          'is dated ' || p.accounting_date || ', the pick was at ' || e.occurred_at as detail
        from erp.stock_entry e join erp.posting p using (merchant_id, posting_no) join erp.merchant m using (merchant_id)
        where e.booking_step is not null and p.accounting_date <> (e.occurred_at at time zone m.time_zone)::date
        union all
        select merchant_id, 'posting ' || posting_no, 'is dated ' || accounting_date
        from erp.posting where accounting_date > (now() + interval '2 days')::date or accounting_date < '2000-01-01'
        union all
        select s.merchant_id, s.order_number,
          'shipment ' || s.shipment_no || ' of ' || s.shipped_at || ' is dated ' || s.shipped_on
        from erp.shipment s join erp.merchant m using (merchant_id)
        where s.shipped_on <> (s.shipped_at at time zone m.time_zone)::date
        union all
        select b.merchant_id, 'basis ' || b.basis_no || '/' || b.part,
          'is dated ' || b.invoice_date || ', its shipment ' || s.shipped_on
        from erp.invoice_basis b join erp.shipment s using (merchant_id, order_number, shipment_no)
        where b.invoice_date <> s.shipped_on and not exists (
          select from bridge.audit a where a.merchant_id = b.merchant_id and a.kind = 'sales-order'
            and a.document = b.order_number and a.action = 'choose_period' and a.detail ->> 'basis' = b.basis_no::text)
        """,
    ),
    Check(
        "I7",
        "A key of ours stands for one thing of theirs and the other way round",
        Stage.SENT,
        "select merchant_id, count(*) as n from bridge.link group by 1",
        """
        select merchant_id, system || ' ' || kind || ' ' || their_id as document,
          'stands for ' || string_agg(our_key, ' and ' order by our_key) as detail
        from bridge.link group by merchant_id, system, kind, their_id having count(*) > 1
        union all
        select merchant_id, system || ' ' || kind || ' ' || our_key, 'is linked to ' || count(*) || ' documents'
        from bridge.link group by merchant_id, system, kind, our_key having count(*) > 1
        union all
        select merchant_id, system || ' ' || kind || ' ' || our_key, 'is linked to nothing'
        from bridge.link where btrim(their_id) = ''
        """,
    ),
]
