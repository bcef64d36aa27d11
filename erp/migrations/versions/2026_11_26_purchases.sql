-- Purchases: guarded like orders, told to the relay; goods receipts only grow; rights and row level security.

create function erp.purchase_order_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  by_us constant boolean := pg_has_role(current_user, 'lagerbro_app', 'usage') or current_user = 'lagerbro_owner';
begin
  if tg_op = 'INSERT' then
    if not by_us and new.status not in ('draft', 'placed') then
      raise exception 'purchase order %: a new purchase order is draft or placed, not %', new.purchase_order_number, new.status
        using errcode = 'check_violation';
    end if;
    new.version := 1;
    new.placed_in := case when new.status = 'placed' then pg_current_xact_id()::text::bigint end;
    return new;
  end if;
  new.updated_at := clock_timestamp();
  if new.status is distinct from old.status then
    if not by_us and (old.status <> 'draft' or new.status <> 'placed') then
      raise exception 'purchase order %: once placed its status follows the warehouse; set cancel_requested_at to ask for a cancellation',
        new.purchase_order_number using errcode = 'check_violation';
    end if;
    new.status_changed_at := clock_timestamp();
  end if;
  if new.currency <> old.currency and exists (select from erp.goods_receipt r where r.merchant_id = new.merchant_id
      and r.purchase_order_number = new.purchase_order_number) then
    raise exception 'purchase order %: goods have come in at prices in %; its currency cannot change any more',
      new.purchase_order_number, old.currency using errcode = 'check_violation';
  end if;
  if old.status = 'draft' and new.status = 'placed' then
    new.placed_in := pg_current_xact_id()::text::bigint;
  elsif not by_us then
    new.version := old.version;
    if old.status <> 'draft' and (new.supplier_number, new.currency, new.order_date, new.expected_on, new.remark)
       is distinct from (old.supplier_number, old.currency, old.order_date, old.expected_on, old.remark) then
      new.version := old.version + 1;
    end if;
  end if;
  return new;
end $$;

create trigger guard before insert or update on erp.purchase_order
  for each row execute function erp.purchase_order_guard();

create function erp.purchase_order_line_guard() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  the_line record;
  the_purchase record;
begin
  the_line := case when tg_op = 'DELETE' then old else new end;
  select status, placed_in into the_purchase from erp.purchase_order
    where merchant_id = the_line.merchant_id and purchase_order_number = the_line.purchase_order_number for update;
  if the_purchase.status in ('completed', 'cancelled') then
    raise exception 'purchase order % is %: its lines are history. Write a new purchase order', the_line.purchase_order_number,
      the_purchase.status using errcode = 'check_violation';
  end if;
  if the_purchase.status <> 'draft' and the_purchase.placed_in is distinct from pg_current_xact_id()::text::bigint then
    update erp.purchase_order set version = version + 1
      where merchant_id = the_line.merchant_id and purchase_order_number = the_line.purchase_order_number;
  end if;
  return null;
end $$;

create trigger guard after insert or update or delete on erp.purchase_order_line
  for each row execute function erp.purchase_order_line_guard();

create function bridge.purchase_order_to_outbox() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  told text;
begin
  if tg_op = 'UPDATE' and new.closed_by is not null and (new.closed_by, new.close_reason)
     is distinct from (old.closed_by, old.close_reason) then
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason, detail)
      values (new.merchant_id, new.closed_by, 'close-purchase', 'purchase-order', new.purchase_order_number, new.close_reason,
              jsonb_build_object('status', old.status));
    told := 'purchase-order.changed';
  end if;
  if new.status = 'placed' and (tg_op = 'INSERT' or old.status = 'draft') then
    if not exists (select from erp.purchase_order_line l
        where l.merchant_id = new.merchant_id and l.purchase_order_number = new.purchase_order_number) then
      raise exception 'purchase order % cannot be placed: it has no lines. Insert its purchase_order_line rows first, then place it',
        new.purchase_order_number using errcode = 'check_violation';
    end if;
    told := 'purchase-order.placed';
  elsif tg_op = 'UPDATE' and new.cancel_requested_at is not null and old.cancel_requested_at is null and old.status <> 'draft' then
    told := 'purchase-order.cancel';
  elsif tg_op = 'UPDATE' and new.version <> old.version and old.status <> 'draft' then
    told := 'purchase-order.changed';
  end if;
  if told is not null and not exists (select from bridge.outbox o where o.merchant_id = new.merchant_id
      and o.document = new.purchase_order_number and o.topic = told and o.xmin = pg_current_xact_id()::xid) then
    insert into bridge.outbox (merchant_id, topic, document) values (new.merchant_id, told, new.purchase_order_number);
    perform pg_notify('lagerbro_outbox', '');
  end if;
  return null;
end $$;

create constraint trigger to_outbox after insert or update on erp.purchase_order
  deferrable initially deferred for each row execute function bridge.purchase_order_to_outbox();

-- A receipt is taken back by receipt-reversals alone; the rest as before.
create or replace function erp.reversal_within_original() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  original record;
  reversed numeric;
begin
  select * into original from erp.stock_entry where merchant_id = new.merchant_id and entry_no = new.reverses_entry_no;
  select coalesce(sum(r.quantity + coalesce((select sum(u.quantity) from erp.stock_entry u
      where u.merchant_id = r.merchant_id and u.reverses_entry_no = r.entry_no), 0)), 0) into reversed
    from erp.stock_entry r where r.merchant_id = new.merchant_id and r.reverses_entry_no = new.reverses_entry_no;
  if not ((original.kind = 'pick' and new.kind in ('pick-reversal', 'return', 'return-scrapped'))
          or (original.kind in ('return', 'return-scrapped') and new.kind = 'return-reversal')
          or (original.kind = 'receipt' and new.kind = 'receipt-reversal'))
     or original.article_number <> new.article_number or original.warehouse <> new.warehouse
     or abs(reversed) > abs(original.quantity) then
    raise exception 'entry % reverses more than entry % holds, another article, or what cannot be reversed', new.entry_no,
      new.reverses_entry_no using errcode = 'check_violation';
  end if;
  return null;
end $$;

do $$
declare
  it text;
begin
  foreach it in array array['goods_receipt', 'goods_receipt_line'] loop
    execute format('create trigger append_only before update or delete on erp.%I for each row execute function erp.append_only()', it);
    execute format('create trigger append_only_truncate before truncate on erp.%I execute function erp.append_only()', it);
    execute format('alter table erp.%I enable always trigger append_only', it);
    execute format('alter table erp.%I enable always trigger append_only_truncate', it);
    execute format('revoke all on erp.%I from public', it);
    execute format('grant select on erp.%I to lagerbro_erp, lagerbro_app, lagerbro_verify', it);
    execute format('grant insert on erp.%I to lagerbro_app', it);
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
grant update on erp.purchase_order to lagerbro_app;
revoke execute on function erp.purchase_order_guard(), erp.purchase_order_line_guard(), bridge.purchase_order_to_outbox() from public;
