-- A credit without a named invoice cannot be given one here: which pieces of which invoice it took back was never written down.
do $$
declare
  nameless text;
begin
  select string_agg(format('%s of order %s (merchant %s)', reference, order_number, merchant_id), ', ') into nameless
  from (select b.reference, b.order_number, b.merchant_id from erp.invoice_basis b
        where b.credits_basis_no is null and b.state <> 'cancelled' and (b.kind = 'credit' or exists (
          select from erp.invoice_basis_row r where r.merchant_id = b.merchant_id and r.basis_no = b.basis_no
            and r.part = b.part and r.quantity < 0)) limit 20) as found;
  if nameless is not null then
    raise exception 'credits that name no invoice: %', nameless
      using hint = 'Say in credits_basis_no and credits_part of erp.invoice_basis, and credits_row_no of its rows, what each takes back.';
  end if;
end $$;

alter table erp.invoice_basis drop constraint ck_invoice_basis_follows_a_shipment_or_a_return;
alter table erp.invoice_basis add constraint ck_invoice_basis_follows_a_shipment_or_a_return
  check (num_nonnulls(shipment_no, return_number) = 1 and (shipment_no is not null or kind = 'credit'));
alter table erp.invoice_basis add constraint ck_invoice_basis_a_credit_names_its_invoice
  check (num_nonnulls(credits_basis_no, credits_part) = case when kind = 'credit' then 2 else 0 end);

-- What is un-picked after its invoice may be credited on several invoices: a row knows its own true quantity.
create or replace view erp.sales_order_line_progress with (security_invoker = true) as
  select l.merchant_id, l.order_number, l.line_number, l.article_number, l.quantity as ordered,
    coalesce(p.quantity, 0) as picked, coalesce(s.quantity, 0) as shipped, coalesce(i.quantity, 0) as invoiced,
    case when o.status in ('completed', 'cancelled') then 0 else greatest(l.quantity - coalesce(s.quantity, 0), 0) end as remaining,
    case when o.status in ('completed', 'cancelled') then greatest(l.quantity - coalesce(s.quantity, 0), 0) else 0 end
      as never_delivered,
    greatest(p.changed_at, s.changed_at, i.changed_at,
      case when o.status in ('completed', 'cancelled') then o.status_changed_at else o.created_at end) as changed_at
  from erp.agreed_line l
  join erp.sales_order o on o.merchant_id = l.merchant_id and o.order_number = l.order_number
  left join erp.picked_line p
    on p.merchant_id = l.merchant_id and p.order_number = l.order_number and p.line_number = l.line_number
  left join lateral (
    select sum(d.quantity) as quantity, max(h.closed_at) as changed_at
    from erp.shipment_line d join erp.shipment h using (merchant_id, order_number, shipment_no)
    where d.merchant_id = l.merchant_id and d.order_number = l.order_number and d.line_number = l.line_number) as s on true
  left join lateral (
    select sum(coalesce(r.billed_quantity, r.quantity)) as quantity, max(b.booked_at) as changed_at
    from erp.invoice_basis b
    join erp.invoice_basis_row r
      on r.merchant_id = b.merchant_id and r.basis_no = b.basis_no and r.part = b.part and r.line_number = l.line_number
    where b.merchant_id = l.merchant_id and b.order_number = l.order_number and b.state = 'booked'
      and b.shipment_no is not null) as i on true;
