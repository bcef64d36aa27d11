-- Supplier invoices read from the accounting, their matches to receipts, claims, late and landed costs, returns to suppliers.
-- What is booked only grows; a supplier invoice keeps where it stands. Landed costs and returns are entered by the ERP.
alter table erp.purchase_order drop constraint ck_purchase_order_status_is_known;
alter table erp.purchase_order add constraint ck_purchase_order_status_is_known check (status IN ('draft','placed','at-warehouse','part-received','received','invoiced','completed','cancelled'));

alter table erp.stock_entry drop constraint ck_stock_entry_sign_follows_kind;
alter table erp.stock_entry add constraint ck_stock_entry_sign_follows_kind check (
  (kind IN ('opening','receipt') AND quantity > 0) OR (kind = 'pick' AND quantity < 0)
  OR (kind IN ('pick-reversal','return','return-scrapped','scrap-reversal') AND quantity > 0)
  OR (kind IN ('return-reversal','receipt-reversal','scrap','supplier-return') AND quantity < 0)
  OR (kind = 'adjustment' AND quantity <> 0) OR (kind IN ('cost','true-up') AND quantity = 0 AND value <> 0));

-- A purchase order whose goods are all here waits for its invoice: its lines are history as well.
create or replace function erp.purchase_order_line_guard() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  the_line record;
  the_purchase record;
begin
  the_line := case when tg_op = 'DELETE' then old else new end;
  select status, placed_in into the_purchase from erp.purchase_order
    where merchant_id = the_line.merchant_id and purchase_order_number = the_line.purchase_order_number for update;
  if the_purchase.status in ('received', 'invoiced', 'completed', 'cancelled') then
    raise exception 'purchase order % is %: its lines are history. Write a new purchase order', the_line.purchase_order_number,
      the_purchase.status using errcode = 'check_violation';
  end if;
  if the_purchase.status <> 'draft' and the_purchase.placed_in is distinct from pg_current_xact_id()::text::bigint then
    update erp.purchase_order set version = version + 1
      where merchant_id = the_line.merchant_id and purchase_order_number = the_line.purchase_order_number;
  end if;
  return null;
end $$;

CREATE TABLE erp.supplier_invoice (
  merchant_id TEXT NOT NULL,
  fortnox_number BIGINT NOT NULL,
  version INTEGER DEFAULT '1' NOT NULL,
  fingerprint TEXT NOT NULL,
  supplier_number TEXT,
  invoice_number TEXT,
  invoice_date DATE NOT NULL,
  currency TEXT NOT NULL,
  exchange_rate NUMERIC(20, 10) NOT NULL,
  credits_number BIGINT,
  purchases TEXT[] NOT NULL,
  purchase_order_number TEXT,
  in_books BOOLEAN NOT NULL,
  cancelled BOOLEAN NOT NULL,
  state TEXT NOT NULL,
  match_state TEXT,
  why TEXT DEFAULT '' NOT NULL,
  booked_version INTEGER,
  decision TEXT,
  decided_by TEXT,
  decision_reason TEXT,
  decided_version INTEGER,
  state_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  read_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_supplier_invoice PRIMARY KEY (merchant_id, fortnox_number),
  CONSTRAINT fk_supplier_invoice_merchant_id FOREIGN KEY(merchant_id) REFERENCES erp.merchant (merchant_id),
  CONSTRAINT ck_supplier_invoice_state_is_known CHECK (state IN ('unbooked','no-purchase','parked','waiting','booked','rejected','cancelled')),
  CONSTRAINT ck_supplier_invoice_match_state_is_known CHECK (match_state IN ('no_po','duplicate','currency_mismatch','not_received','qty_over','price_diff','qty_under','within_tolerance','matched')),
  CONSTRAINT ck_supplier_invoice_decision_is_known CHECK (decision IN ('approve','reject')),
  CONSTRAINT ck_supplier_invoice_exchange_rate_in_range CHECK (exchange_rate > 0 AND exchange_rate <= 1000000),
  CONSTRAINT ck_supplier_invoice_booked_is_as_it_is_now CHECK ((state = 'booked') = (booked_version IS NOT NULL AND booked_version = version)),
  CONSTRAINT ck_supplier_invoice_a_decision_has_an_actor_and_a_reason CHECK (num_nonnulls(decision, decided_by, decision_reason, decided_version) = 0 OR (num_nonnulls(decision, decided_version) = 2 AND coalesce(btrim(decided_by), '') <> '' AND coalesce(btrim(decision_reason), '') <> ''))
);
CREATE INDEX ix_supplier_invoice_number ON erp.supplier_invoice (merchant_id, supplier_number, invoice_number);
CREATE INDEX ix_supplier_invoice_purchase ON erp.supplier_invoice (merchant_id, purchase_order_number);

CREATE TABLE erp.supplier_invoice_line (
  merchant_id TEXT NOT NULL,
  fortnox_number BIGINT NOT NULL,
  version INTEGER NOT NULL,
  row_no INTEGER NOT NULL,
  kind TEXT NOT NULL,
  account INTEGER NOT NULL,
  article_number TEXT,
  quantity NUMERIC(18, 4) NOT NULL,
  amount NUMERIC(20, 2) NOT NULL,
  value NUMERIC(20, 2) NOT NULL,
  purchases TEXT[] NOT NULL,
  CONSTRAINT pk_supplier_invoice_line PRIMARY KEY (merchant_id, fortnox_number, version, row_no),
  CONSTRAINT fk_supplier_invoice_line_merchant_id_fortnox_number FOREIGN KEY(merchant_id, fortnox_number) REFERENCES erp.supplier_invoice (merchant_id, fortnox_number),
  CONSTRAINT ck_supplier_invoice_line_kind_is_known CHECK (kind IN ('goods','landed-cost')),
  CONSTRAINT ck_supplier_invoice_line_account_in_range CHECK (account BETWEEN 1000 AND 9999),
  CONSTRAINT ck_supplier_invoice_line_quantity_is_a_number CHECK (abs(quantity) <= 1000000000000 AND abs(amount) <= 1000000000000 AND abs(value) <= 1000000000000)
);

CREATE TABLE erp.purchase_booking (
  merchant_id TEXT NOT NULL,
  document TEXT NOT NULL,
  step INTEGER NOT NULL,
  kind TEXT NOT NULL,
  purchase_order_number TEXT NOT NULL,
  version INTEGER NOT NULL,
  account INTEGER NOT NULL,
  value NUMERIC(20, 2) NOT NULL,
  cleared NUMERIC(20, 2) NOT NULL,
  rate NUMERIC(20, 2) NOT NULL,
  price NUMERIC(20, 2) NOT NULL,
  claimed NUMERIC(20, 2) NOT NULL,
  difference NUMERIC(20, 2) NOT NULL,
  exchange NUMERIC(20, 2) NOT NULL,
  claims_account INTEGER NOT NULL,
  accounting_date DATE NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  transaction_no BIGINT,
  booked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_purchase_booking PRIMARY KEY (merchant_id, document, step),
  CONSTRAINT fk_purchase_booking_merchant_id_purchase_order_number FOREIGN KEY(merchant_id, purchase_order_number) REFERENCES erp.purchase_order (merchant_id, purchase_order_number),
  CONSTRAINT fk_purchase_booking_merchant_id_transaction_no FOREIGN KEY(merchant_id, transaction_no) REFERENCES erp.ledger_transaction (merchant_id, transaction_no),
  CONSTRAINT ck_purchase_booking_kind_is_known CHECK (kind IN ('match','delivery','reversal','landed-cost','supplier-return')),
  CONSTRAINT ck_purchase_booking_step_in_range CHECK (step >= 1 AND step <= 1000000),
  CONSTRAINT ck_purchase_booking_value_is_a_number CHECK (abs(value) <= 1000000000000 AND abs(cleared) <= 1000000000000 AND abs(rate) <= 1000000000000 AND abs(price) <= 1000000000000 AND abs(claimed) <= 1000000000000 AND abs(difference) <= 1000000000000 AND abs(exchange) <= 1000000000000),
  CONSTRAINT ck_purchase_booking_it_adds_up CHECK (value = cleared + rate + price + claimed + difference),
  CONSTRAINT ck_purchase_booking_exchange_is_the_rate_difference CHECK (exchange IN (0, rate)),
  CONSTRAINT ck_purchase_booking_account_in_range CHECK (account BETWEEN 1000 AND 9999 AND claims_account BETWEEN 1000 AND 9999)
);
CREATE INDEX ix_purchase_booking_purchase ON erp.purchase_booking (merchant_id, purchase_order_number);

CREATE TABLE erp.invoice_match (
  merchant_id TEXT NOT NULL,
  document TEXT NOT NULL,
  step INTEGER NOT NULL,
  part_no INTEGER NOT NULL,
  purchase_order_number TEXT NOT NULL,
  receipt_no INTEGER NOT NULL,
  receipt_row_no INTEGER NOT NULL,
  row_no INTEGER NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  cleared NUMERIC(20, 2) NOT NULL,
  rate NUMERIC(20, 2) NOT NULL,
  price NUMERIC(20, 2) NOT NULL,
  CONSTRAINT pk_invoice_match PRIMARY KEY (merchant_id, document, step, part_no),
  CONSTRAINT fk_invoice_match_booking FOREIGN KEY(merchant_id, document, step) REFERENCES erp.purchase_booking (merchant_id, document, step),
  CONSTRAINT fk_invoice_match_receipt_line FOREIGN KEY(merchant_id, purchase_order_number, receipt_no, receipt_row_no) REFERENCES erp.goods_receipt_line (merchant_id, purchase_order_number, receipt_no, row_no),
  CONSTRAINT ck_invoice_match_quantity_is_a_number CHECK (abs(quantity) <= 1000000000000 AND abs(cleared) <= 1000000000000 AND abs(rate) <= 1000000000000 AND abs(price) <= 1000000000000)
);
CREATE INDEX ix_invoice_match_receipt ON erp.invoice_match (merchant_id, purchase_order_number, receipt_no, receipt_row_no);

CREATE TABLE erp.claim (
  merchant_id TEXT NOT NULL,
  document TEXT NOT NULL,
  step INTEGER NOT NULL,
  part_no INTEGER NOT NULL,
  claimed_by TEXT NOT NULL,
  purchase_order_number TEXT NOT NULL,
  article_number TEXT NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  value NUMERIC(20, 2) NOT NULL,
  exchange_rate NUMERIC(20, 10) NOT NULL,
  CONSTRAINT pk_claim PRIMARY KEY (merchant_id, document, step, part_no),
  CONSTRAINT fk_claim_booking FOREIGN KEY(merchant_id, document, step) REFERENCES erp.purchase_booking (merchant_id, document, step),
  CONSTRAINT ck_claim_quantity_is_a_number CHECK (abs(quantity) <= 1000000000000 AND abs(value) <= 1000000000000 AND abs(exchange_rate) <= 1000000000000)
);
CREATE INDEX ix_claim_purchase ON erp.claim (merchant_id, purchase_order_number);

CREATE TABLE erp.late_cost (
  merchant_id TEXT NOT NULL,
  document TEXT NOT NULL,
  step INTEGER NOT NULL,
  part_no INTEGER NOT NULL,
  purchase_order_number TEXT NOT NULL,
  receipt_no INTEGER NOT NULL,
  receipt_row_no INTEGER NOT NULL,
  article_number TEXT NOT NULL,
  warehouse TEXT NOT NULL,
  amount NUMERIC(20, 2) NOT NULL,
  to_stock NUMERIC(20, 2) NOT NULL,
  to_sold NUMERIC(20, 2) NOT NULL,
  CONSTRAINT pk_late_cost PRIMARY KEY (merchant_id, document, step, part_no),
  CONSTRAINT fk_late_cost_booking FOREIGN KEY(merchant_id, document, step) REFERENCES erp.purchase_booking (merchant_id, document, step),
  CONSTRAINT fk_late_cost_receipt_line FOREIGN KEY(merchant_id, purchase_order_number, receipt_no, receipt_row_no) REFERENCES erp.goods_receipt_line (merchant_id, purchase_order_number, receipt_no, row_no),
  CONSTRAINT ck_late_cost_amount_is_a_number CHECK (abs(amount) <= 1000000000000 AND abs(to_stock) <= 1000000000000 AND abs(to_sold) <= 1000000000000),
  CONSTRAINT ck_late_cost_it_adds_up CHECK (amount = to_stock + to_sold AND amount <> 0)
);
CREATE INDEX ix_late_cost_receipt ON erp.late_cost (merchant_id, purchase_order_number, receipt_no, receipt_row_no);

CREATE TABLE erp.landed_cost (
  merchant_id TEXT NOT NULL,
  landed_cost_number TEXT NOT NULL,
  purchases TEXT[] NOT NULL,
  amount NUMERIC(20, 2) NOT NULL,
  allocation_key TEXT DEFAULT 'value' NOT NULL,
  parts JSONB,
  account INTEGER,
  cost_date DATE DEFAULT current_date NOT NULL,
  entered_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  state TEXT DEFAULT 'entered' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_landed_cost PRIMARY KEY (merchant_id, landed_cost_number),
  CONSTRAINT fk_landed_cost_merchant_id FOREIGN KEY(merchant_id) REFERENCES erp.merchant (merchant_id),
  CONSTRAINT ck_landed_cost_landed_cost_number_is_printable CHECK (landed_cost_number ~ '^[^[:cntrl:]]+$' AND landed_cost_number = btrim(landed_cost_number) AND length(landed_cost_number) <= 50),
  CONSTRAINT ck_landed_cost_allocation_key_is_known CHECK (allocation_key IN ('value','weight','volume','quantity','equal','hand')),
  CONSTRAINT ck_landed_cost_state_is_known CHECK (state IN ('entered','booked')),
  CONSTRAINT ck_landed_cost_it_names_purchases CHECK (cardinality(purchases) BETWEEN 1 AND 100),
  CONSTRAINT ck_landed_cost_parts_are_by_hand CHECK ((allocation_key = 'hand') = (parts IS NOT NULL)),
  CONSTRAINT ck_landed_cost_amount_in_range CHECK (amount <> 0 AND abs(amount) <= 1000000000000),
  CONSTRAINT ck_landed_cost_account_in_range CHECK (account IS NULL OR account BETWEEN 1000 AND 9999),
  CONSTRAINT ck_landed_cost_somebody_says_why CHECK (btrim(entered_by) <> '' AND btrim(reason) <> '')
);

CREATE TABLE erp.supplier_return (
  merchant_id TEXT NOT NULL,
  supplier_return_number TEXT NOT NULL,
  purchase_order_number TEXT NOT NULL,
  article_number TEXT NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  returned_on DATE DEFAULT current_date NOT NULL,
  entered_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  state TEXT DEFAULT 'entered' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_supplier_return PRIMARY KEY (merchant_id, supplier_return_number),
  CONSTRAINT fk_supplier_return_merchant_id_purchase_order_number FOREIGN KEY(merchant_id, purchase_order_number) REFERENCES erp.purchase_order (merchant_id, purchase_order_number),
  CONSTRAINT ck_supplier_return_supplier_return_number_is_printable CHECK (supplier_return_number ~ '^[^[:cntrl:]]+$' AND supplier_return_number = btrim(supplier_return_number) AND length(supplier_return_number) <= 50),
  CONSTRAINT ck_supplier_return_state_is_known CHECK (state IN ('entered','booked')),
  CONSTRAINT ck_supplier_return_quantity_in_range CHECK (quantity > 0 AND quantity <= 10000000),
  CONSTRAINT ck_supplier_return_somebody_says_why CHECK (btrim(entered_by) <> '' AND btrim(reason) <> '')
);

-- What of each receipt has no invoice: less what is matched, more or less what it was revalued by while it had none.
create or replace view erp.received_not_invoiced with (security_invoker = true) as
  select l.merchant_id, l.purchase_order_number, l.receipt_no, l.row_no, l.article_number, l.warehouse, l.line_number, l.currency,
    l.quantity + coalesce(back.quantity, 0) - coalesce(m.quantity, 0) as quantity,
    l.value + coalesce(back.value, 0) + coalesce(again.amount, 0) - coalesce(m.cleared, 0) as value,
    coalesce(again.unit_price, l.unit_price) as unit_price, coalesce(again.exchange_rate, l.exchange_rate) as exchange_rate,
    l.mark_epoch, l.mark_keep, l.received_at,
    l.quantity + coalesce(back.quantity, 0) as received, l.value + coalesce(back.value, 0) as received_value
  from erp.goods_receipt_line l
  left join lateral (
    select sum(b.quantity) as quantity, sum(b.value) as value from erp.goods_receipt_line b
    where b.merchant_id = l.merchant_id and b.doc_id = l.doc_id and b.line_id = l.line_id and b.reverses_step = l.step) as back on true
  left join lateral (
    select sum(r.amount) as amount, (array_agg(r.unit_price order by r.revaluation_no desc))[1] as unit_price,
      (array_agg(r.exchange_rate order by r.revaluation_no desc))[1] as exchange_rate
    from erp.revaluation_line r where r.merchant_id = l.merchant_id and r.purchase_order_number = l.purchase_order_number
      and r.receipt_no = l.receipt_no and r.receipt_row_no = l.row_no) as again on true
  left join lateral (
    select sum(i.quantity) as quantity, sum(i.cleared) as cleared from erp.invoice_match i
    where i.merchant_id = l.merchant_id and i.purchase_order_number = l.purchase_order_number and i.receipt_no = l.receipt_no
      and i.receipt_row_no = l.row_no) as m on true
  where l.quantity > 0 and l.in_stock;

-- What the ERP enters is told to the process of the first purchase order that it names; one that has ended gets another run.
create function bridge.landed_cost_to_inbox() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  unknown text;
begin
  select p into unknown from unnest(new.purchases) as p where not exists (select from erp.purchase_order o
    where o.merchant_id = new.merchant_id and o.purchase_order_number = p) limit 1;
  if unknown is not null then
    raise exception 'landed cost %: there is no purchase order %', new.landed_cost_number, unknown using errcode = 'check_violation';
  end if;
  new.state := 'entered';
  insert into bridge.inbox (merchant_id, source, event_id, kind, document)
    values (new.merchant_id, 'erp', gen_random_uuid()::text, 'purchase-order', new.purchases[1]);
  return new;
end $$;

create function bridge.supplier_return_to_inbox() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  new.state := 'entered';
  insert into bridge.inbox (merchant_id, source, event_id, kind, document)
    values (new.merchant_id, 'erp', gen_random_uuid()::text, 'purchase-order', new.purchase_order_number);
  return new;
end $$;

create trigger to_inbox before insert on erp.landed_cost for each row execute function bridge.landed_cost_to_inbox();
create trigger to_inbox before insert on erp.supplier_return for each row execute function bridge.supplier_return_to_inbox();

do $$
declare
  it text;
begin
  foreach it in array array['supplier_invoice_line', 'purchase_booking', 'invoice_match', 'claim', 'late_cost'] loop
    execute format('create trigger append_only before update or delete on erp.%I for each row execute function erp.append_only()', it);
    execute format('create trigger append_only_truncate before truncate on erp.%I execute function erp.append_only()', it);
    execute format('alter table erp.%I enable always trigger append_only', it);
    execute format('alter table erp.%I enable always trigger append_only_truncate', it);
  end loop;
  foreach it in array array['supplier_invoice', 'supplier_invoice_line', 'purchase_booking', 'invoice_match', 'claim', 'late_cost',
      'landed_cost', 'supplier_return'] loop
    execute format('revoke all on erp.%I from public', it);
    execute format('grant select on erp.%I to lagerbro_erp, lagerbro_app, lagerbro_verify', it);
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
grant insert on erp.supplier_invoice, erp.supplier_invoice_line, erp.purchase_booking, erp.invoice_match, erp.claim, erp.late_cost
  to lagerbro_app;
grant update on erp.supplier_invoice to lagerbro_app;
grant insert on erp.landed_cost, erp.supplier_return to lagerbro_erp;
grant update (state) on erp.landed_cost, erp.supplier_return to lagerbro_app;
revoke execute on function bridge.landed_cost_to_inbox(), bridge.supplier_return_to_inbox() from public;
