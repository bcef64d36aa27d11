-- What is taken back of a landed cost is weighed against what is booked of it: what is only entered upwards may still be withdrawn.
create or replace function bridge.landed_cost_is_declared() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
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
