-- Returns: guarded like orders, told to the relay, append-only where we write, rights and row level security.

update erp.invoice_basis_row r set billed_quantity = coalesce(
  (select s.quantity from erp.invoice_basis b join erp.shipment_line s using (merchant_id, order_number, shipment_no)
   where r.folded and b.merchant_id = r.merchant_id and b.basis_no = r.basis_no and b.part = r.part
     and s.line_number = r.line_number), r.quantity);

create function erp.return_order_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
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

create trigger guard before insert or update on erp.return_order for each row execute function erp.return_order_guard();

-- A line names a line of the order. What the warehouse really takes in is booked whatever is written here.
create function erp.return_order_line_guard() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  the_line record;
  the_return record;
  sold text;
begin
  the_line := case when tg_op = 'DELETE' then old else new end;
  select order_number, status, announced_in into the_return from erp.return_order
    where merchant_id = the_line.merchant_id and return_number = the_line.return_number for update;
  if the_return.status in ('completed', 'cancelled') then
    raise exception 'return % is %: its lines are history. Write a new return', the_line.return_number, the_return.status
      using errcode = 'check_violation';
  end if;
  if tg_op <> 'DELETE' then
    select article_number into sold from erp.sales_order_line
      where merchant_id = new.merchant_id and order_number = the_return.order_number and line_number = new.line_number;
    if not found then
      raise exception 'return %: sales order % has no line %. A return names lines of its order', new.return_number,
        the_return.order_number, new.line_number using errcode = 'check_violation';
    end if;
    if new.article_number is not null and new.article_number <> sold then
      raise exception 'return %: line % of sales order % is article %, not %', new.return_number, new.line_number,
        the_return.order_number, sold, new.article_number using errcode = 'check_violation';
    end if;
  end if;
  if the_return.status <> 'draft' and the_return.announced_in is distinct from pg_current_xact_id()::text::bigint then
    update erp.return_order set version = version + 1
      where merchant_id = the_line.merchant_id and return_number = the_line.return_number;
  end if;
  return null;
end $$;

create trigger guard after insert or update or delete on erp.return_order_line
  for each row execute function erp.return_order_line_guard();

create function bridge.return_order_to_outbox() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  told text;
begin
  if new.credit is false and (tg_op = 'INSERT' or old.credit) or (new.origin = 'credit' and tg_op = 'INSERT') then
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason, detail)
      values (new.merchant_id, new.decided_by, case when new.origin = 'credit' then 'credit-without-return' else 'return-without-credit' end,
              'return', new.return_number, new.decision, jsonb_build_object('order', new.order_number));
  end if;
  if new.status = 'announced' and (tg_op = 'INSERT' or old.status = 'draft') then
    if new.origin <> 'seen' and new.credit_freight is not true and not exists (select from erp.return_order_line l
        where l.merchant_id = new.merchant_id and l.return_number = new.return_number) then
      raise exception 'return % cannot be announced: it has no lines. Insert its return_order_line rows first, then announce it',
        new.return_number using errcode = 'check_violation';
    end if;
    told := 'return.announced';
  elsif tg_op = 'UPDATE' and new.cancel_requested_at is not null and old.cancel_requested_at is null then
    told := 'return.cancel';
  elsif tg_op = 'UPDATE' and new.version <> old.version and old.status <> 'draft' then
    told := 'return.changed';
  elsif tg_op = 'UPDATE' and (new.nudged_at is distinct from old.nudged_at or new.credit <> old.credit) and old.status <> 'draft' then
    told := 'return.look';
  else
    return null;
  end if;
  if not exists (select from bridge.outbox o where o.merchant_id = new.merchant_id and o.document = new.return_number
                 and o.topic = told and o.xmin = pg_current_xact_id()::xid) then
    insert into bridge.outbox (merchant_id, topic, document) values (new.merchant_id, told, new.return_number);
    perform pg_notify('lagerbro_outbox', '');
  end if;
  return null;
end $$;

create constraint trigger to_outbox after insert or update on erp.return_order
  deferrable initially deferred for each row execute function bridge.return_order_to_outbox();

-- A reversal stays within what it reverses: a pick is taken back by un-picks and returns, a return by its undoing, which
-- gives the pick back what the return had taken.
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
          or (original.kind in ('return', 'return-scrapped') and new.kind = 'return-reversal'))
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
  foreach it in array array['returned_goods', 'return_settlement'] loop
    execute format('create trigger append_only before update or delete on erp.%I for each row execute function erp.append_only()', it);
    execute format('create trigger append_only_truncate before truncate on erp.%I execute function erp.append_only()', it);
    execute format('alter table erp.%I enable always trigger append_only', it);
    execute format('alter table erp.%I enable always trigger append_only_truncate', it);
  end loop;
  foreach it in array array['return_order', 'return_order_line', 'returned_goods', 'return_settlement'] loop
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
grant insert, update, delete on erp.return_order, erp.return_order_line to lagerbro_erp;
grant update on erp.return_order to lagerbro_app;
revoke execute on function erp.return_order_guard(), erp.return_order_line_guard(), bridge.return_order_to_outbox() from public;
