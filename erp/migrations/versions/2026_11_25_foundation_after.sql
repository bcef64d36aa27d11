-- What must be true whoever writes: status graph, outbox, an append-only hash-chained ledger, rights and row level security.

-- The ERP's order status moves along this graph and no other way ----------------------------------------------------------
create function erp.status_may_move(from_status text, to_status text) returns boolean language sql immutable as $$
  select (from_status, to_status) in (
    ('draft', 'released'), ('draft', 'cancelled'),
    ('released', 'at-warehouse'), ('released', 'shipped'), ('released', 'cancelled'),
    ('at-warehouse', 'picking'), ('at-warehouse', 'part-shipped'), ('at-warehouse', 'shipped'), ('at-warehouse', 'cancelled'),
    ('picking', 'at-warehouse'), ('picking', 'part-shipped'), ('picking', 'shipped'), ('picking', 'cancelled'),
    ('part-shipped', 'shipped'), ('part-shipped', 'completed'),
    ('shipped', 'part-shipped'), ('shipped', 'completed'),
    ('completed', 'picking'), ('completed', 'part-shipped'), ('completed', 'shipped'),
    ('cancelled', 'picking'), ('cancelled', 'part-shipped'), ('cancelled', 'shipped'))
$$;

create function erp.sales_order_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  by_us constant boolean := pg_has_role(current_user, 'lagerbro_app', 'usage') or current_user = 'lagerbro_owner';
begin
  if tg_op = 'INSERT' then
    if not by_us and new.status not in ('draft', 'released') then
      raise exception 'sales order %: a new order is draft or released, not %', new.order_number, new.status
        using errcode = 'check_violation';
    end if;
    new.version := 1;
    new.released_at := case when new.status = 'released' then clock_timestamp() end;
    new.released_in := case when new.status = 'released' then pg_current_xact_id()::text::bigint end;
    return new;
  end if;
  new.updated_at := clock_timestamp();
  if new.status is distinct from old.status then
    if not erp.status_may_move(old.status, new.status) then
      raise exception 'sales order %: status cannot move from % to %', new.order_number, old.status, new.status
        using errcode = 'check_violation';
    end if;
    if not by_us and old.status <> 'draft' then
      raise exception 'sales order %: after its release the status follows the warehouse; set cancel_requested_at to ask for a cancellation',
        new.order_number using errcode = 'check_violation';
    end if;
    new.status_changed_at := clock_timestamp();
  end if;
  new.released_at := case when old.status = 'draft' and new.status = 'released' then clock_timestamp() else old.released_at end;
  new.released_in := case when old.status = 'draft' and new.status = 'released' then pg_current_xact_id()::text::bigint
                          else old.released_in end;
  if not by_us then
    new.version := old.version;
    if old.status <> 'draft' and old.released_in is distinct from pg_current_xact_id()::text::bigint and (
      (new.customer_number, new.currency, new.exchange_rate, new.price_basis, new.delivery_date, new.way_of_delivery,
       new.your_reference, new.freight, new.freight_vat_rate, new.discount_percent, new.delivery_name, new.delivery_address1,
       new.delivery_address2, new.delivery_post_code, new.delivery_city, new.delivery_country, new.delivery_email,
       new.delivery_phone, new.delivery_instruction, new.note)
      is distinct from
      (old.customer_number, old.currency, old.exchange_rate, old.price_basis, old.delivery_date, old.way_of_delivery,
       old.your_reference, old.freight, old.freight_vat_rate, old.discount_percent, old.delivery_name, old.delivery_address1,
       old.delivery_address2, old.delivery_post_code, old.delivery_city, old.delivery_country, old.delivery_email,
       old.delivery_phone, old.delivery_instruction, old.note)) then
      new.version := old.version + 1;
    end if;
  end if;
  return new;
end $$;

create trigger guard before insert or update on erp.sales_order for each row execute function erp.sales_order_guard();

-- Lines that come with the release are the order; later ones are a change of it. The order's row is locked first, so that a line
-- and a release at the same time see each other.
create function erp.sales_order_line_changed() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  the_line record;
  the_order record;
begin
  the_line := case when tg_op = 'DELETE' then old else new end;
  select status, released_in into the_order from erp.sales_order
    where merchant_id = the_line.merchant_id and order_number = the_line.order_number for share;
  if the_order.status in ('completed', 'cancelled') then
    raise exception 'sales order % is %: its lines are history. Write a new order, or a return', the_line.order_number, the_order.status
      using errcode = 'check_violation';
  end if;
  if the_order.status <> 'draft' and the_order.released_in is distinct from pg_current_xact_id()::text::bigint then
    update erp.sales_order set version = version + 1
      where merchant_id = the_line.merchant_id and order_number = the_line.order_number;
  end if;
  return null;
end $$;

create trigger changed after insert or update or delete on erp.sales_order_line
  for each row execute function erp.sales_order_line_changed();

-- The outbox: written with the change, by the table itself ------------------------------------------------------------------
create function bridge.sales_order_to_outbox() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  told text;
begin
  if new.status = 'released' and (tg_op = 'INSERT' or old.status = 'draft') then
    if not exists (select from erp.sales_order_line l
                   where l.merchant_id = new.merchant_id and l.order_number = new.order_number) then
      raise exception 'sales order % cannot be released: it has no lines. Insert its sales_order_line rows first, then release it',
        new.order_number using errcode = 'check_violation';
    end if;
    told := 'sales-order.released';
  elsif tg_op = 'UPDATE' and new.cancel_requested_at is not null and old.cancel_requested_at is null then
    told := 'sales-order.cancel';
  elsif tg_op = 'UPDATE' and new.version <> old.version and old.status <> 'draft' then
    told := 'sales-order.changed';
  else
    return null;
  end if;
  -- Once for each transaction: a row of another one may be delivered before this one commits.
  if not exists (select from bridge.outbox o where o.merchant_id = new.merchant_id and o.document = new.order_number
                 and o.topic = told and o.xmin = pg_current_xact_id()::xid) then
    insert into bridge.outbox (merchant_id, topic, document) values (new.merchant_id, told, new.order_number);
    perform pg_notify('lagerbro_outbox', '');
  end if;
  return null;
end $$;

create constraint trigger to_outbox after insert or update on erp.sales_order
  deferrable initially deferred for each row execute function bridge.sales_order_to_outbox();

-- An article that comes after an order that names it: the order is told, whether it stands still already or is about to.
create function bridge.article_to_outbox() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into bridge.outbox (merchant_id, topic, document)
    select distinct o.merchant_id, 'sales-order.changed', o.order_number
    from erp.sales_order_line l join erp.sales_order o using (merchant_id, order_number)
    where l.merchant_id = new.merchant_id and l.article_number = new.article_number
      and o.status not in ('draft', 'completed', 'cancelled');
  if found then perform pg_notify('lagerbro_outbox', ''); end if;
  return null;
end $$;

create trigger to_outbox after insert on erp.article for each row execute function bridge.article_to_outbox();

create function erp.article_changed() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  if (to_jsonb(new) - 'version' - 'updated_at') is distinct from (to_jsonb(old) - 'version' - 'updated_at') then
    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
  end if;
  return new;
end $$;

create trigger changed before update on erp.article for each row execute function erp.article_changed();

create function bridge.inbox_notify() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  perform pg_notify('lagerbro_inbox', '');
  return null;
end $$;

create trigger notify after insert on bridge.inbox for each statement execute function bridge.inbox_notify();

-- Append-only: no UPDATE, DELETE or TRUNCATE, whoever asks --------------------------------------------------------------------
create function erp.append_only() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  raise exception '%.% only grows: book a correction that names what it corrects', tg_table_schema, tg_table_name
    using errcode = 'restrict_violation';
end $$;

do $$
declare
  it text;
begin
  foreach it in array array['erp.stock_entry', 'erp.ledger_transaction', 'erp.posting', 'erp.posting_row', 'bridge.booking',
                            'bridge.audit', 'bridge.status_move', 'bridge.voucher_posting', 'erp.shipment_line'] loop
    execute format('create trigger append_only before update or delete on %s for each row execute function erp.append_only()', it);
    execute format('create trigger append_only_truncate before truncate on %s execute function erp.append_only()', it);
    execute format('alter table %s enable always trigger append_only', it);
    execute format('alter table %s enable always trigger append_only_truncate', it);
  end loop;
end $$;

-- Double entry: every posting balances when its transaction commits ------------------------------------------------------------
create function erp.posting_balances() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  sums record;
begin
  select count(*) as n, coalesce(sum(debit), 0) as debit, coalesce(sum(credit), 0) as credit into sums
    from erp.posting_row where merchant_id = new.merchant_id and posting_no = new.posting_no;
  if sums.n < 2 or sums.debit <> sums.credit then
    raise exception 'posting % of % does not balance: % rows, debit %, credit %',
      new.posting_no, new.merchant_id, sums.n, sums.debit, sums.credit using errcode = 'check_violation';
  end if;
  return null;
end $$;

create constraint trigger balances after insert on erp.posting
  deferrable initially deferred for each row execute function erp.posting_balances();
create constraint trigger balances after insert on erp.posting_row
  deferrable initially deferred for each row execute function erp.posting_balances();

-- A reversal stays within what it reverses -----------------------------------------------------------------------------------
create function erp.reversal_within_original() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  original record;
  reversed numeric;
begin
  select * into original from erp.stock_entry where merchant_id = new.merchant_id and entry_no = new.reverses_entry_no;
  select coalesce(sum(quantity), 0) into reversed from erp.stock_entry
    where merchant_id = new.merchant_id and reverses_entry_no = new.reverses_entry_no;
  if original.reverses_entry_no is not null or original.article_number <> new.article_number
     or original.warehouse <> new.warehouse or reversed > abs(original.quantity) then
    raise exception 'entry % reverses more than entry % holds, another article, or a reversal', new.entry_no, new.reverses_entry_no
      using errcode = 'check_violation';
  end if;
  return null;
end $$;

create constraint trigger reversal_within_original after insert on erp.stock_entry
  deferrable initially deferred for each row when (new.reverses_entry_no is not null)
  execute function erp.reversal_within_original();

-- The hash chain: one link per transaction, over all of its rows ---------------------------------------------------------------
create function erp.ledger_digest(the_merchant text, the_transaction bigint, previous bytea, heading text)
returns bytea language sql stable set search_path = pg_catalog as $$
  select sha256(previous || convert_to(heading || E'\n'
    || coalesce((select string_agg(concat_ws('|', e.entry_no, coalesce(e.posting_no::text, '-'), e.article_number, e.warehouse, e.kind,
         e.quantity::text, e.value::text, e.document, coalesce(e.booking_kind || '/' || e.booking_doc_id || '/' || e.booking_line_id
         || '/' || e.booking_what || '/' || e.booking_step, e.cause), coalesce(e.reverses_entry_no::text, '-'), e.epoch,
         trim_scale(e.keep)::text, to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')), E'\n' order by e.entry_no)
         from erp.stock_entry e where e.merchant_id = the_merchant and e.transaction_no = the_transaction), '')
    || E'\n'
    || coalesce((select string_agg(concat_ws('|', p.posting_no, p.event, to_char(p.accounting_date, 'YYYY-MM-DD'), p.currency,
         p.document, coalesce(p.corrects_posting_no::text, '-'), r.row_no, r.account, r.debit::text, r.credit::text), E'\n'
         order by p.posting_no, r.row_no)
         from erp.posting p join erp.posting_row r on r.merchant_id = p.merchant_id and r.posting_no = p.posting_no
         where p.merchant_id = the_merchant and p.transaction_no = the_transaction), ''), 'UTF8'))
$$;

create function erp.ledger_heading(t erp.ledger_transaction) returns text language sql immutable set search_path = pg_catalog as $$
  select concat_ws('|', t.merchant_id, t.transaction_no, t.reason, t.actor, t.rule_version, t.code_version, t.first_entry_no,
    t.last_entry_no, t.first_posting_no, t.last_posting_no, to_char(t.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'))
$$;

-- One call books one transaction: entries, postings, balances, chain. The caller has locked the balances in article order; the
-- merchant's head row is locked here, last.
create function erp.append_to_ledger(the_merchant text, heading jsonb, entries jsonb, postings jsonb, balances jsonb)
returns bigint language plpgsql set search_path = pg_catalog as $$
declare
  head bridge.ledger_head;
  t erp.ledger_transaction;
  entry_count bigint := jsonb_array_length(entries);
  posting_count bigint := jsonb_array_length(postings);
begin
  select * into strict head from bridge.ledger_head where merchant_id = the_merchant for update;
  t.merchant_id := the_merchant;
  t.transaction_no := head.transaction_no + 1;
  t.reason := heading->>'reason';
  t.actor := heading->>'actor';
  t.rule_version := heading->>'rule_version';
  t.code_version := heading->>'code_version';
  t.first_entry_no := head.entry_no + 1;
  t.last_entry_no := head.entry_no + entry_count;
  t.first_posting_no := head.posting_no + 1;
  t.last_posting_no := head.posting_no + posting_count;
  t.recorded_at := clock_timestamp();
  t.previous_hash := head.hash;

  insert into erp.posting (merchant_id, posting_no, transaction_no, event, accounting_date, currency, document, corrects_posting_no)
    select the_merchant, head.posting_no + p.n, t.transaction_no, p.it->>'event', (p.it->>'accounting_date')::date,
           p.it->>'currency', p.it->>'document', (p.it->>'corrects_posting_no')::bigint
    from jsonb_array_elements(postings) with ordinality as p(it, n);
  insert into erp.posting_row (merchant_id, posting_no, row_no, account, debit, credit)
    select the_merchant, head.posting_no + p.n, r.n, (r.it->>'account')::int, (r.it->>'debit')::numeric, (r.it->>'credit')::numeric
    from jsonb_array_elements(postings) with ordinality as p(it, n),
         jsonb_array_elements(p.it->'rows') with ordinality as r(it, n);

  update erp.stock_balance b
     set quantity = n.quantity, value = n.value, last_cost = n.last_cost, epoch = n.epoch, keep = n.keep,
         last_entry_no = t.last_entry_no, updated_at = t.recorded_at
    from jsonb_to_recordset(balances) as n(article_number text, warehouse text, quantity numeric, value numeric, last_cost numeric,
                                           epoch int, keep numeric)
   where b.merchant_id = the_merchant and b.article_number = n.article_number and b.warehouse = n.warehouse;

  insert into erp.stock_entry (merchant_id, entry_no, transaction_no, posting_no, article_number, warehouse, kind, quantity, value,
      document, booking_kind, booking_doc_id, booking_line_id, booking_what, booking_step, cause, reverses_entry_no, epoch, keep,
      occurred_at)
    select the_merchant, head.entry_no + e.n, t.transaction_no, head.posting_no + (e.it->>'posting')::bigint,
      e.it->>'article_number', e.it->>'warehouse', e.it->>'kind', (e.it->>'quantity')::numeric, (e.it->>'value')::numeric,
      e.it->>'document', e.it->>'booking_kind', (e.it->>'booking_doc_id')::bigint, (e.it->>'booking_line_id')::bigint,
      e.it->>'booking_what', (e.it->>'booking_step')::int, e.it->>'cause', (e.it->>'reverses_entry_no')::bigint,
      coalesce((e.it->>'epoch')::int, 1), coalesce((e.it->>'keep')::numeric, 1), (e.it->>'occurred_at')::timestamptz
    from jsonb_array_elements(entries) with ordinality as e(it, n);

  t.hash := erp.ledger_digest(the_merchant, t.transaction_no, t.previous_hash, erp.ledger_heading(t));
  insert into erp.ledger_transaction select t.*;
  update bridge.ledger_head set transaction_no = t.transaction_no, entry_no = t.last_entry_no, posting_no = t.last_posting_no,
    hash = t.hash where merchant_id = the_merchant;
  return t.transaction_no;
end $$;

create function bridge.merchant_begins() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into bridge.ledger_head (merchant_id, hash) values (new.merchant_id, sha256(convert_to(new.merchant_id, 'UTF8')));
  return null;
end $$;

create trigger begins after insert on erp.merchant for each row execute function bridge.merchant_begins();

-- Rate window and write lease: one round trip each, outside any transaction of the caller's. They run as the owner, so that no
-- merchant need be set first; they hold no data, only who may call next.
create function bridge.take_slot(the_merchant text, the_system text, slots int, longest double precision)
returns table (slot int, wait double precision) language plpgsql security definer set search_path = pg_catalog as $$
declare
  taken int;
begin
  select f.slot into taken from bridge.rate_slot f
    where f.merchant_id = the_merchant and f.system = the_system and f.slot <= slots and f.free_at <= clock_timestamp()
    order by f.free_at limit 1 for update skip locked;
  if taken is not null then
    update bridge.rate_slot s set free_at = clock_timestamp() + make_interval(secs => longest)
      where s.merchant_id = the_merchant and s.system = the_system and s.slot = taken;
  else
    insert into bridge.rate_slot (merchant_id, system, slot, free_at)
      select the_merchant, the_system, n, 'epoch' from generate_series(1, slots) as n on conflict do nothing;
    if found then
      return query select * from bridge.take_slot(the_merchant, the_system, slots, longest);
      return;
    end if;
  end if;
  return query select taken, case when taken is null then
    (select extract(epoch from min(free_at) - clock_timestamp())::double precision from bridge.rate_slot f
     where f.merchant_id = the_merchant and f.system = the_system and f.slot <= slots) end;
end $$;

create function bridge.give_back_slot(the_merchant text, the_system text, the_slot int, rest double precision)
returns void language sql security definer set search_path = pg_catalog as $$
  update bridge.rate_slot set free_at = clock_timestamp() + make_interval(secs => rest)
  where merchant_id = the_merchant and system = the_system and slot = the_slot
$$;

create function bridge.take_lease(the_merchant text, the_system text, the_holder text, longest double precision, urgent boolean)
returns boolean language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into bridge.write_lease as l (merchant_id, system, holder, held_until)
    values (the_merchant, the_system, the_holder, clock_timestamp() + make_interval(secs => longest))
    on conflict (merchant_id, system) do update set holder = excluded.holder, held_until = excluded.held_until,
      orders_wait_until = case when urgent then null else l.orders_wait_until end
    where (l.holder is null or l.held_until < clock_timestamp())
      and (urgent or coalesce(l.orders_wait_until, 'epoch') < clock_timestamp());
  if found then return true; end if;
  if urgent then
    update bridge.write_lease set orders_wait_until = clock_timestamp() + interval '2 seconds'
      where merchant_id = the_merchant and system = the_system;
  end if;
  return false;
end $$;

create function bridge.release_lease(the_merchant text, the_system text, the_holder text)
returns void language sql security definer set search_path = pg_catalog as $$
  update bridge.write_lease set holder = null where merchant_id = the_merchant and system = the_system and holder = the_holder
$$;

-- Rights -----------------------------------------------------------------------------------------------------------------------
revoke all on all tables in schema erp, bridge from public;
revoke execute on all functions in schema erp, bridge from public;
grant usage on schema erp to lagerbro_erp, lagerbro_app, lagerbro_relay, lagerbro_intake, lagerbro_verify;
grant usage on schema bridge to lagerbro_app, lagerbro_relay, lagerbro_intake, lagerbro_verify;
grant execute on function erp.is_country(text), erp.is_currency(text), erp.status_may_move(text, text)
  to lagerbro_erp, lagerbro_app, lagerbro_relay, lagerbro_verify;

grant execute on function bridge.take_slot(text, text, int, double precision),
  bridge.give_back_slot(text, text, int, double precision), bridge.take_lease(text, text, text, double precision, boolean),
  bridge.release_lease(text, text, text) to lagerbro_app;

grant select, insert, update, delete on erp.customer, erp.supplier, erp.article, erp.sales_order, erp.sales_order_line,
  erp.purchase_order, erp.purchase_order_line to lagerbro_erp;
grant select, insert, update on erp.merchant to lagerbro_erp;
grant select on erp.shipment, erp.shipment_line, erp.invoice_basis, erp.invoice_basis_row, erp.stock_balance, erp.stock_entry,
  erp.ledger_transaction, erp.posting, erp.posting_row to lagerbro_erp;

grant select on all tables in schema erp, bridge to lagerbro_verify;

grant select on all tables in schema erp, bridge to lagerbro_app;
grant insert on erp.shipment, erp.shipment_line, erp.invoice_basis, erp.invoice_basis_row, erp.stock_balance, erp.stock_entry,
  erp.ledger_transaction, erp.posting, erp.posting_row, bridge.voucher, bridge.voucher_posting, bridge.inbox, bridge.process,
  bridge.watched, bridge.counted, bridge.booking, bridge.link, bridge.foreign_call, bridge.surplus_document, bridge.connection,
  bridge.merchant_settings, bridge.entity, bridge.exception, bridge.audit, bridge.status_move, bridge.webhook_endpoint
  to lagerbro_app;
grant update on erp.sales_order, erp.invoice_basis, erp.stock_balance, bridge.ledger_head, bridge.voucher, bridge.inbox,
  bridge.process, bridge.watched, bridge.counted, bridge.link, bridge.foreign_call, bridge.surplus_document, bridge.connection,
  bridge.merchant_settings, bridge.entity, bridge.exception, bridge.webhook_endpoint to lagerbro_app;
grant usage on sequence bridge.look_no, erp.basis_no to lagerbro_app;
grant execute on function erp.append_to_ledger(text, jsonb, jsonb, jsonb, jsonb), erp.ledger_digest(text, bigint, bytea, text),
  erp.ledger_heading(erp.ledger_transaction) to lagerbro_app, lagerbro_verify;

grant select on erp.merchant, bridge.outbox, bridge.inbox, bridge.process, bridge.watched, bridge.exception, bridge.entity to lagerbro_relay;
grant update on bridge.outbox, bridge.inbox, bridge.process to lagerbro_relay;
grant insert on bridge.process, bridge.inbox to lagerbro_relay;

grant select on bridge.webhook_endpoint to lagerbro_intake;
grant select, insert on bridge.inbox to lagerbro_intake;

-- Row level security: forced, on every table -------------------------------------------------------------------------------------
do $$
declare
  it record;
begin
  for it in select n.nspname as s, c.relname as t from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname in ('erp', 'bridge') and c.relkind = 'r' and c.relname <> 'schema_version' loop
    execute format('alter table %I.%I enable row level security', it.s, it.t);
    execute format('alter table %I.%I force row level security', it.s, it.t);
    execute format('create policy app on %I.%I to lagerbro_app using (merchant_id = current_setting(''lagerbro.merchant'', true)) '
                   'with check (merchant_id = current_setting(''lagerbro.merchant'', true))', it.s, it.t);
    execute format('create policy owner on %I.%I to lagerbro_owner using (true) with check (true)', it.s, it.t);
    execute format('create policy verify on %I.%I for select to lagerbro_verify using (true)', it.s, it.t);
    execute format('create policy relay on %I.%I to lagerbro_relay using (true) with check (true)', it.s, it.t);
    execute format('create policy intake on %I.%I to lagerbro_intake using (true) with check (true)', it.s, it.t);
    if it.s = 'erp' then
      -- The ERP sees every merchant it hosts, or one where its session says which.
      execute format('create policy erp on %I.%I to lagerbro_erp '
        'using (coalesce(current_setting(''lagerbro.merchant'', true), '''') in ('''', merchant_id)) '
        'with check (coalesce(current_setting(''lagerbro.merchant'', true), '''') in ('''', merchant_id))', it.s, it.t);
    end if;
  end loop;
end $$;
