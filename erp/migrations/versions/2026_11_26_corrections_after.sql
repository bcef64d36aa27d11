revoke all on bridge.parked_address, bridge.api_token from public;
grant select, insert, delete on bridge.parked_address to lagerbro_app;
grant select, insert, update on bridge.api_token to lagerbro_app;
grant select on bridge.parked_address, bridge.api_token to lagerbro_verify;

-- The lines of an order are the ERP's. What a person corrects goes through these two, and the order's own triggers tell of it.
create function bridge.change_order_lines(the_merchant text, the_number text, the_lines int[], the_quantities numeric[])
returns void language plpgsql security definer set search_path = pg_catalog as $$
begin
  if the_merchant is distinct from current_setting('lagerbro.merchant', true) then
    raise exception 'merchant % is not the one of this transaction', the_merchant using errcode = 'insufficient_privilege';
  end if;
  update erp.sales_order_line l set quantity = w.quantity
    from unnest(the_lines, the_quantities) as w(line_number, quantity)
    where l.merchant_id = the_merchant and l.order_number = the_number and l.line_number = w.line_number
      and w.quantity > 0 and l.quantity <> w.quantity;
  delete from erp.sales_order_line l using unnest(the_lines, the_quantities) as w(line_number, quantity)
    where l.merchant_id = the_merchant and l.order_number = the_number and l.line_number = w.line_number and w.quantity = 0;
end $$;

create function bridge.split_order(
  the_merchant text, the_number text, the_new text, the_lines int[], the_quantities numeric[], the_left numeric[]
) returns void language plpgsql security definer set search_path = pg_catalog as $$
begin
  if the_merchant is distinct from current_setting('lagerbro.merchant', true) then
    raise exception 'merchant % is not the one of this transaction', the_merchant using errcode = 'insufficient_privilege';
  end if;
  insert into erp.sales_order (merchant_id, order_number, order_type, customer_number, currency, exchange_rate, price_basis,
      order_date, delivery_date, way_of_delivery, your_reference, discount_percent, delivery_name, delivery_address1,
      delivery_address2, delivery_post_code, delivery_city, delivery_country, delivery_email, delivery_phone,
      delivery_instruction, note)
    select merchant_id, the_new, order_type, customer_number, currency, exchange_rate, price_basis, order_date, delivery_date,
      way_of_delivery, your_reference, discount_percent, delivery_name, delivery_address1, delivery_address2, delivery_post_code,
      delivery_city, delivery_country, delivery_email, delivery_phone, delivery_instruction, note
    from erp.sales_order where merchant_id = the_merchant and order_number = the_number;
  insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, description, quantity, unit_price,
      discount_percent, vat_rate, account)
    select l.merchant_id, the_new, l.line_number, l.article_number, l.description, w.quantity, l.unit_price, l.discount_percent,
      l.vat_rate, l.account
    from erp.sales_order_line l join unnest(the_lines, the_quantities) as w(line_number, quantity) using (line_number)
    where l.merchant_id = the_merchant and l.order_number = the_number;
  perform bridge.change_order_lines(the_merchant, the_number, the_lines, the_left);
  update erp.sales_order set status = 'released' where merchant_id = the_merchant and order_number = the_new;
end $$;

revoke execute on function bridge.change_order_lines(text, text, int[], numeric[]),
  bridge.split_order(text, text, text, int[], numeric[], numeric[]) from public;
grant execute on function bridge.change_order_lines(text, text, int[], numeric[]),
  bridge.split_order(text, text, text, int[], numeric[], numeric[]) to lagerbro_app;

do $$
declare
  it record;
begin
  for it in select * from (values ('parked_address'), ('api_token')) as made(t) loop
    execute format('alter table bridge.%I enable row level security', it.t);
    execute format('alter table bridge.%I force row level security', it.t);
    execute format('create policy app on bridge.%I to lagerbro_app using (merchant_id = current_setting(''lagerbro.merchant'', true)) '
                   'with check (merchant_id = current_setting(''lagerbro.merchant'', true))', it.t);
    execute format('create policy owner on bridge.%I to lagerbro_owner using (true) with check (true)', it.t);
    execute format('create policy verify on bridge.%I for select to lagerbro_verify using (true)', it.t);
    execute format('create policy relay on bridge.%I to lagerbro_relay using (true) with check (true)', it.t);
    execute format('create policy intake on bridge.%I to lagerbro_intake using (true) with check (true)', it.t);
  end loop;
end $$;

-- The interface for programs shows an order as the ERP sees it.
grant select on erp.sales_order_progress, erp.sales_order_line_progress, erp.agreed_line to lagerbro_app;
