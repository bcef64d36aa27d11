revoke all on bridge.parked_address, bridge.api_token from public;
grant select, insert, delete on bridge.parked_address to lagerbro_app;
grant select, insert, update on bridge.api_token to lagerbro_app;
grant select on bridge.parked_address, bridge.api_token to lagerbro_verify;

-- A person's correction changes lines and makes the order that is split off, as the ERP would; the order's own triggers tell it.
grant insert on erp.sales_order to lagerbro_app;
grant insert, update, delete on erp.sales_order_line to lagerbro_app;

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
