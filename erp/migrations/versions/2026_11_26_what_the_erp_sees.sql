-- Orders from before this migration: what the warehouse has done on them so far.
insert into erp.warehouse_order (merchant_id, warehouse_order_id, order_number, status, picked, shipped_at, changed_at)
  select w.merchant_id, w.doc_id, w.document, w.status,
    coalesce((select sum(c.booked) from bridge.counted c where c.merchant_id = w.merchant_id and c.kind = w.kind
      and c.doc_id = w.doc_id and c.what = 'picked' and c.line_number is not null), 0),
    w.shipped_at, coalesce(w.looked_at, w.created_at)
  from bridge.watched w join erp.sales_order o on o.merchant_id = w.merchant_id and o.order_number = w.document
  where w.kind = 'sales-order';
insert into erp.picked_line (merchant_id, order_number, line_number, quantity, changed_at)
  select c.merchant_id, w.document, c.line_number, sum(c.booked), max(coalesce(w.looked_at, w.created_at))
  from bridge.counted c join bridge.watched w using (merchant_id, kind, doc_id)
  join erp.sales_order o on o.merchant_id = w.merchant_id and o.order_number = w.document
  where c.kind = 'sales-order' and c.what = 'picked' and c.line_number is not null
  group by 1, 2, 3 having sum(c.booked) > 0;

-- Progress as the ERP asks for it. The views see with the rights of who asks: row level security holds through them.
create view erp.sales_order_line_progress with (security_invoker = true) as
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
    -- A row that goes as quantity 1 at its amount stands for all that was shipped.
    select sum(case when r.folded then d.quantity else r.quantity end) as quantity, max(b.booked_at) as changed_at
    from erp.invoice_basis b
    join erp.invoice_basis_row r
      on r.merchant_id = b.merchant_id and r.basis_no = b.basis_no and r.part = b.part and r.line_number = l.line_number
    join erp.shipment_line d on d.merchant_id = b.merchant_id and d.order_number = b.order_number
      and d.shipment_no = b.shipment_no and d.line_number = l.line_number
    where b.merchant_id = l.merchant_id and b.order_number = l.order_number and b.state = 'booked') as i on true;

create view erp.sales_order_progress with (security_invoker = true) as
  select o.merchant_id, o.order_number, o.order_type, o.status, w.meaning as warehouse_status, w.status as warehouse_status_number,
    w.status_text as warehouse_status_text, w.documents as warehouse_documents, w.shipped_at,
    o.way_of_delivery as way_of_delivery_ordered, w.way_of_delivery as way_of_delivery_shipped, w.transporter, w.transporter_code,
    w.transporter_service, coalesce(p.parcels, 0) as parcels, p.tracking_numbers,
    l.ordered, l.picked, l.shipped, l.invoiced, l.remaining,
    greatest(o.status_changed_at, w.changed_at, p.changed_at, l.changed_at) as changed_at
  from erp.sales_order o
  left join lateral (
    select count(*) as documents, max(x.shipped_at) as shipped_at, max(x.changed_at) as changed_at,
      (array_agg(x.status order by x.warehouse_order_id desc))[1] as status,
      (array_agg(x.status_text order by x.warehouse_order_id desc))[1] as status_text,
      (array_agg(x.meaning order by x.warehouse_order_id desc))[1] as meaning,
      (array_agg(x.way_of_delivery order by x.warehouse_order_id desc))[1] as way_of_delivery,
      (array_agg(x.transporter order by x.warehouse_order_id desc))[1] as transporter,
      (array_agg(x.transporter_code order by x.warehouse_order_id desc))[1] as transporter_code,
      (array_agg(x.transporter_service order by x.warehouse_order_id desc))[1] as transporter_service
    from erp.warehouse_order x where x.merchant_id = o.merchant_id and x.order_number = o.order_number) as w on true
  left join lateral (
    select count(*) as parcels, array_agg(distinct y.tracking_number) filter (where y.tracking_number is not null) as tracking_numbers,
      max(y.changed_at) as changed_at
    from erp.warehouse_order x join erp.parcel y using (merchant_id, warehouse_order_id)
    where x.merchant_id = o.merchant_id and x.order_number = o.order_number) as p on true
  left join lateral (
    select sum(z.ordered) as ordered, sum(z.picked) as picked, sum(z.shipped) as shipped, sum(z.invoiced) as invoiced,
      sum(z.remaining) as remaining, max(z.changed_at) as changed_at
    from erp.sales_order_line_progress z where z.merchant_id = o.merchant_id and z.order_number = o.order_number) as l on true;

-- One channel: LISTEN lagerbro_changes. Sent at commit, once for each document and transaction; keys only, nothing of people.
create function erp.tell_change() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  -- tg_argv: what changed, and the column that holds its number.
  perform pg_notify('lagerbro_changes',
    json_build_object('merchant', new.merchant_id, 'kind', tg_argv[0], 'document', to_jsonb(new)->>tg_argv[1])::text);
  return null;
end $$;

create function erp.tell_parcel() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  perform pg_notify('lagerbro_changes',
      json_build_object('merchant', o.merchant_id, 'kind', 'sales-order', 'document', o.order_number)::text)
    from erp.warehouse_order o where o.merchant_id = new.merchant_id and o.warehouse_order_id = new.warehouse_order_id;
  return null;
end $$;

create trigger tell after update on erp.sales_order for each row when (old.* is distinct from new.*)
  execute function erp.tell_change('sales-order', 'order_number');
create trigger tell after insert or update on erp.warehouse_order for each row
  execute function erp.tell_change('sales-order', 'order_number');
create function erp.tell_picked() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  perform pg_notify('lagerbro_changes',
      json_build_object('merchant', c.merchant_id, 'kind', 'sales-order', 'document', c.order_number)::text)
    from (select distinct merchant_id, order_number from changed) as c;
  return null;
end $$;

create trigger tell_new after insert on erp.picked_line referencing new table as changed for each statement
  execute function erp.tell_picked();
create trigger tell after update on erp.picked_line referencing new table as changed for each statement
  execute function erp.tell_picked();
create trigger tell after insert or update on erp.parcel for each row execute function erp.tell_parcel();
create trigger tell after insert on erp.shipment for each row execute function erp.tell_change('sales-order', 'order_number');
create trigger tell after update on erp.invoice_basis for each row when (old.state is distinct from new.state)
  execute function erp.tell_change('sales-order', 'order_number');

-- The type of an order decides its books, so it stands from the moment the warehouse has the order.
create function erp.order_type_stands() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  raise exception 'sales order % is %: its order_type stays %. Cancel it and write a new order', old.order_number, old.status,
    old.order_type using errcode = 'check_violation';
end $$;

create trigger order_type_stands before update of order_type on erp.sales_order for each row
  when (old.order_type is distinct from new.order_type and old.status not in ('draft', 'released'))
  execute function erp.order_type_stands();

-- Settings that were mended: what stands still because of them is tried again by itself.
create function bridge.settings_to_outbox() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  -- Not at once: workers remember a merchant's settings for two seconds.
  insert into bridge.outbox (merchant_id, topic, document, claimed_until)
    select distinct x.merchant_id, 'sales-order.changed', x.document, clock_timestamp() + interval '3 seconds'
    from bridge.exception x join erp.sales_order o on o.merchant_id = x.merchant_id and o.order_number = x.document
    where x.merchant_id = new.merchant_id and x.kind = 'sales-order' and x.closed_at is null and x.blocking
      and x.code in ('settings-wrong', 'unknown-order-status', 'unknown-way-of-delivery', 'unknown-order-type',
        'vat-rate-without-account', 'missing-customer')
      and o.status not in ('draft', 'completed', 'cancelled');
  return null;
end $$;

create trigger to_outbox after insert or update on bridge.merchant_settings for each row
  execute function bridge.settings_to_outbox();

-- Rights and policies, as for every table --------------------------------------------------------------------------------------
revoke execute on function erp.tell_change(), erp.tell_picked(), erp.tell_parcel(), erp.order_type_stands(), bridge.settings_to_outbox() from public;
grant select on erp.warehouse_order, erp.parcel, erp.picked_line, erp.sales_order_progress, erp.sales_order_line_progress
  to lagerbro_erp, lagerbro_verify;
grant select, insert, update on erp.warehouse_order, erp.parcel, erp.picked_line to lagerbro_app;
grant delete on erp.parcel to lagerbro_app;

do $$
declare
  it text;
begin
  foreach it in array array['warehouse_order', 'parcel', 'picked_line'] loop
    execute format('alter table erp.%I enable row level security', it);
    execute format('alter table erp.%I force row level security', it);
    execute format('create policy app on erp.%I to lagerbro_app using (merchant_id = current_setting(''lagerbro.merchant'', true)) '
                   'with check (merchant_id = current_setting(''lagerbro.merchant'', true))', it);
    execute format('create policy owner on erp.%I to lagerbro_owner using (true) with check (true)', it);
    execute format('create policy verify on erp.%I for select to lagerbro_verify using (true)', it);
    execute format('create policy relay on erp.%I to lagerbro_relay using (true) with check (true)', it);
    execute format('create policy intake on erp.%I to lagerbro_intake using (true) with check (true)', it);
    execute format('create policy erp on erp.%I to lagerbro_erp '
      'using (coalesce(current_setting(''lagerbro.merchant'', true), '''') in ('''', merchant_id)) '
      'with check (coalesce(current_setting(''lagerbro.merchant'', true), '''') in ('''', merchant_id))', it);
  end loop;
end $$;
