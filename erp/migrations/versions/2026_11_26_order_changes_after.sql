-- The lines that count for stock, shipping and billing: what the warehouse holds, with the ERP's terms while it still has the
-- line; services, which the warehouse never sees, as the ERP has them. An order that was never sent has the ERP's lines.
create view erp.agreed_line with (security_invoker = true) as
  select h.merchant_id, h.order_number, h.line_number, h.article_number, h.quantity,
    case when l.line_number is null then h.description else l.description end as description,
    coalesce(l.unit_price, h.unit_price) as unit_price,
    coalesce(l.discount_percent, h.discount_percent) as discount_percent,
    coalesce(l.vat_rate, h.vat_rate) as vat_rate,
    case when l.line_number is null then h.account else l.account end as account
  from erp.held_line h left join erp.sales_order_line l on l.merchant_id = h.merchant_id and l.order_number = h.order_number
    and l.line_number = h.line_number and l.article_number = h.article_number
  where h.quantity > 0
  union all
  select l.merchant_id, l.order_number, l.line_number, l.article_number, l.quantity, l.description, l.unit_price,
    l.discount_percent, l.vat_rate, l.account
  from erp.sales_order_line l
  where not exists (select from erp.held_line h where h.merchant_id = l.merchant_id and h.order_number = l.order_number
                      and (h.line_number = l.line_number and h.quantity > 0
                           or not exists (select from erp.article a where a.merchant_id = l.merchant_id
                                            and a.article_number = l.article_number and not a.stock_article)));

-- What we answer on the ERP's row is ours to write. A wish to cancel that is expressed anew gets a new answer.
create function erp.sales_order_answers() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  if not (pg_has_role(current_user, 'lagerbro_app', 'usage') or current_user = 'lagerbro_owner') then
    new.refused_version := old.refused_version;
    new.refused_part := old.refused_part;
    new.refused_code := old.refused_code;
    new.refused_text := old.refused_text;
    new.refused_at := old.refused_at;
    new.cancel_answer := old.cancel_answer;
    new.cancel_answered_at := old.cancel_answered_at;
  end if;
  if new.cancel_requested_at is not null and old.cancel_requested_at is null then
    new.cancel_answer := null;
    new.cancel_answered_at := null;
  end if;
  return new;
end $$;

create trigger answers before update on erp.sales_order for each row
  when ((new.refused_version, new.refused_part, new.refused_code, new.refused_text, new.refused_at, new.cancel_answer,
         new.cancel_answered_at, new.cancel_requested_at)
        is distinct from
        (old.refused_version, old.refused_part, old.refused_code, old.refused_text, old.refused_at, old.cancel_answer,
         old.cancel_answered_at, old.cancel_requested_at))
  execute function erp.sales_order_answers();

-- Orders that are at the warehouse already: what was sent is what it holds.
insert into erp.held_line (merchant_id, order_number, line_number, article_number, description, quantity, unit_price,
    discount_percent, vat_rate, account)
  select l.merchant_id, l.order_number, l.line_number, l.article_number, l.description, l.quantity, l.unit_price,
    l.discount_percent, l.vat_rate, l.account
  from bridge.link k
  join erp.sales_order o on o.merchant_id = k.merchant_id and o.order_number = k.our_key and o.version = k.sent_version
  join erp.sales_order_line l on l.merchant_id = o.merchant_id and l.order_number = o.order_number
  join erp.article a on a.merchant_id = l.merchant_id and a.article_number = l.article_number and a.stock_article
  where k.system = 'ongoing' and k.kind = 'sales-order' and k.confirmed;

revoke all on erp.held_line, erp.agreed_line, bridge.order_sent from public;
revoke execute on function erp.sales_order_answers() from public;
grant select on erp.held_line, erp.agreed_line to lagerbro_erp, lagerbro_app, lagerbro_verify;
grant insert, update on erp.held_line to lagerbro_app;
grant select, insert, update on bridge.order_sent to lagerbro_app;
grant select on bridge.order_sent to lagerbro_verify;

do $$
declare
  it record;
begin
  for it in select * from (values ('erp', 'held_line'), ('bridge', 'order_sent')) as made(s, t) loop
    execute format('alter table %I.%I enable row level security', it.s, it.t);
    execute format('alter table %I.%I force row level security', it.s, it.t);
    execute format('create policy app on %I.%I to lagerbro_app using (merchant_id = current_setting(''lagerbro.merchant'', true)) '
                   'with check (merchant_id = current_setting(''lagerbro.merchant'', true))', it.s, it.t);
    execute format('create policy owner on %I.%I to lagerbro_owner using (true) with check (true)', it.s, it.t);
    execute format('create policy verify on %I.%I for select to lagerbro_verify using (true)', it.s, it.t);
    execute format('create policy relay on %I.%I to lagerbro_relay using (true) with check (true)', it.s, it.t);
    execute format('create policy intake on %I.%I to lagerbro_intake using (true) with check (true)', it.s, it.t);
    if it.s = 'erp' then
      execute format('create policy erp on %I.%I to lagerbro_erp '
        'using (coalesce(current_setting(''lagerbro.merchant'', true), '''') in ('''', merchant_id)) '
        'with check (coalesce(current_setting(''lagerbro.merchant'', true), '''') in ('''', merchant_id))', it.s, it.t);
    end if;
  end loop;
end $$;
