-- What the ERP has told stands. A return keeps its kind and its number; what is under way is cancelled and not deleted, or its
-- process would look for it for ever; a landed cost or a return to the supplier that nobody would book is refused at once.

create or replace function erp.return_order_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  by_us constant boolean := pg_has_role(current_user, 'lagerbro_app', 'usage') or current_user = 'lagerbro_owner';
begin
  if tg_op = 'INSERT' then
    if not by_us and (new.status not in ('draft', 'announced') or new.origin = 'seen') then
      raise exception 'return %: a new return is draft or announced, and "seen" is what the warehouse found by itself', new.return_number
        using errcode = 'check_violation';
    end if;
    if not exists (select from erp.sales_order o where o.merchant_id = new.merchant_id and o.order_number = new.order_number) then
      raise exception 'return %: merchant % has no sales order %. A return names the order it came from', new.return_number,
        new.merchant_id, new.order_number using errcode = 'foreign_key_violation';
    end if;
    new.version := 1;
    new.announced_in := case when new.status = 'announced' then pg_current_xact_id()::text::bigint end;
    return new;
  end if;
  new.updated_at := clock_timestamp();
  if new.origin <> old.origin or new.return_number <> old.return_number then
    raise exception 'return % stays what it is (%): cancel it and write a new one', old.return_number, old.origin
      using errcode = 'check_violation';
  end if;
  if new.order_number <> old.order_number and old.status <> 'draft' then
    raise exception 'return % belongs to sales order %: cancel it and write a new one', new.return_number, old.order_number
      using errcode = 'check_violation';
  end if;
  if new.status is distinct from old.status then
    if not by_us and (old.status <> 'draft' or new.status <> 'announced') then
      raise exception 'return %: once announced its status follows the warehouse; set cancel_requested_at to ask for a cancellation',
        new.return_number using errcode = 'check_violation';
    end if;
    new.status_changed_at := clock_timestamp();
  end if;
  if old.status = 'draft' and new.status = 'announced' then
    new.announced_in := pg_current_xact_id()::text::bigint;
  elsif not by_us then
    new.version := old.version;
    if old.status <> 'draft' and (new.credit, new.credit_freight, new.expected_on, new.comment)
       is distinct from (old.credit, old.credit_freight, old.expected_on, old.comment) then
      new.version := old.version + 1;
    end if;
  end if;
  return new;
end $$;


create function erp.told_is_not_deleted() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  -- tg_argv: what it is, and the column that holds its number.
  raise exception '% % is %: set cancel_requested_at to ask for a cancellation, its row stays', tg_argv[0], to_jsonb(old)->>tg_argv[1],
    old.status using errcode = 'restrict_violation';
end $$;

create trigger told before delete on erp.return_order for each row when (old.status <> 'draft')
  execute function erp.told_is_not_deleted('return', 'return_number');
create trigger told before delete on erp.purchase_order for each row when (old.status <> 'draft')
  execute function erp.told_is_not_deleted('purchase order', 'purchase_order_number');
create trigger told before delete on erp.sales_order for each row when (old.status <> 'draft')
  execute function erp.told_is_not_deleted('sales order', 'order_number');

-- Whether costs that come late are booked on this purchase order: invoices are matched, and it is no transfer.
create function bridge.awaits_invoice(the_merchant text, the_purchase text) returns boolean language sql stable
security definer set search_path = pg_catalog as $$
  select coalesce((s.settings->>'match_supplier_invoices')::boolean, false)
      and s.settings->'order_types'->o.order_type->>'issue_account' is null
    from bridge.merchant_settings s join erp.purchase_order o using (merchant_id)
    where s.merchant_id = the_merchant and o.purchase_order_number = the_purchase
$$;

create or replace function bridge.landed_cost_to_inbox() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  unknown text;
begin
  if array_ndims(new.purchases) <> 1 or new.purchases[1] is null or array_position(new.purchases, null) is not null then
    raise exception 'landed cost %: purchases must be a plain list of numbers of purchase orders', new.landed_cost_number
      using errcode = 'check_violation';
  end if;
  select p into unknown from unnest(new.purchases) as p where not exists (select from erp.purchase_order o
    where o.merchant_id = new.merchant_id and o.purchase_order_number = p) limit 1;
  if unknown is not null then
    raise exception 'landed cost %: there is no purchase order %', new.landed_cost_number, unknown using errcode = 'check_violation';
  end if;
  if bridge.awaits_invoice(new.merchant_id, new.purchases[1]) is not true then
    raise exception 'landed cost %: nobody would book it. Costs are laid on purchase order % only where supplier invoices are matched (setting match_supplier_invoices), and never on a transfer',
      new.landed_cost_number, new.purchases[1] using errcode = 'check_violation';
  end if;
  new.state := 'entered';
  insert into bridge.inbox (merchant_id, source, event_id, kind, document)
    values (new.merchant_id, 'erp', gen_random_uuid()::text, 'purchase-order', new.purchases[1]);
  return new;
end $$;

create or replace function bridge.supplier_return_to_inbox() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  if bridge.awaits_invoice(new.merchant_id, new.purchase_order_number) is not true and exists (select from erp.purchase_order o
      where o.merchant_id = new.merchant_id and o.purchase_order_number = new.purchase_order_number) then
    raise exception 'return % to the supplier: nobody would book it. Goods go back on purchase order % only where supplier invoices are matched (setting match_supplier_invoices), and never on a transfer',
      new.supplier_return_number, new.purchase_order_number using errcode = 'check_violation';
  end if;
  new.state := 'entered';
  insert into bridge.inbox (merchant_id, source, event_id, kind, document)
    values (new.merchant_id, 'erp', gen_random_uuid()::text, 'purchase-order', new.purchase_order_number);
  return new;
end $$;

revoke execute on function erp.told_is_not_deleted(), bridge.awaits_invoice(text, text) from public;
