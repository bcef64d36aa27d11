-- A landed cost is above zero, or it names the one that it corrects: one that is booked, of purchase orders that were named there,
-- and no more is taken back than is booked of it: what is only entered upwards may still be withdrawn.
create function bridge.landed_cost_is_declared() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  original record;
  others numeric;
begin
  if new.corrects is null then
    if new.amount <= 0 then
      raise exception 'landed cost %: % is not above zero. What was too much of an earlier one is taken back by naming it (column corrects, or: lagerbro purchase landed-cost --corrects NUMBER); a supplier''s credit note is read from Fortnox by itself',
        new.landed_cost_number, new.amount using errcode = 'check_violation';
    end if;
    return new;
  end if;
  -- Written, not only locked: who began before another correction was written fails, and does not weigh without it.
  update erp.landed_cost set state = state where merchant_id = new.merchant_id and landed_cost_number = new.corrects
    and landed_cost_number <> new.landed_cost_number
    returning amount, purchases, state, corrects into original;
  if not found then
    raise exception 'landed cost %: there is no earlier landed cost % that it could correct', new.landed_cost_number, new.corrects
      using errcode = 'check_violation';
  end if;
  if original.corrects is not null then
    raise exception 'landed cost %: % is a correction itself. Name the one that it corrects, %', new.landed_cost_number, new.corrects,
      original.corrects using errcode = 'check_violation';
  end if;
  if original.state <> 'booked' then
    raise exception 'landed cost %: % is not booked yet. Write its right amount there, or withdraw it (lagerbro purchase withdraw %)',
      new.landed_cost_number, new.corrects, new.corrects using errcode = 'check_violation';
  end if;
  if not new.purchases <@ original.purchases then
    raise exception 'landed cost %: % was laid on %; a correction names no other purchase orders', new.landed_cost_number, new.corrects,
      array_to_string(original.purchases, ', ') using errcode = 'check_violation';
  end if;
  select coalesce(sum(amount), 0) into others from erp.landed_cost
    where merchant_id = new.merchant_id and corrects = new.corrects and landed_cost_number <> new.landed_cost_number
      and (amount < 0 or state = 'booked');
  if original.amount + others + new.amount < 0 then
    raise exception 'landed cost %: % more is taken back than is left of %: at most % can be', new.landed_cost_number,
      -(original.amount + others + new.amount), new.corrects, original.amount + others using errcode = 'check_violation';
  end if;
  return new;
end $$;

create trigger declared before insert or update of amount on erp.landed_cost
  for each row execute function bridge.landed_cost_is_declared();

-- What a return says of freight is history once it has ended, as its lines are.
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
  if not by_us and old.status in ('completed', 'cancelled') and new.credit_freight is distinct from old.credit_freight then
    raise exception 'return % is %: what it says of freight is history. Credit freight by a row of its own in erp.return_order, with origin credit and credit_freight (or: lagerbro order credit % --freight)',
      old.return_number, old.status, old.order_number using errcode = 'check_violation';
  end if;
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

revoke execute on function bridge.landed_cost_is_declared() from public;
