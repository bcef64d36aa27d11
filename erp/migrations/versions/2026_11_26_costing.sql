-- Costing: what is left of each receipt (first in, first out), the list of standard costs, the calculated cost beside the booked
-- one, and revaluations. Revaluations only grow.
CREATE TABLE erp.stock_layer (
  merchant_id TEXT NOT NULL,
  article_number TEXT NOT NULL,
  warehouse TEXT NOT NULL,
  layer_no INTEGER NOT NULL,
  received NUMERIC(18, 4) NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  value NUMERIC(20, 2) NOT NULL,
  CONSTRAINT pk_stock_layer PRIMARY KEY (merchant_id, article_number, warehouse, layer_no),
  CONSTRAINT fk_stock_layer_balance FOREIGN KEY(merchant_id, article_number, warehouse) REFERENCES erp.stock_balance (merchant_id, article_number, warehouse),
  CONSTRAINT ck_stock_layer_a_layer_has_pieces CHECK (quantity > 0 AND quantity <= received),
  CONSTRAINT ck_stock_layer_value_in_range CHECK (value >= 0 AND value <= 1000000000000),
  CONSTRAINT ck_stock_layer_received_in_range CHECK (received >= 0 AND received <= 1000000000)
);

CREATE TABLE erp.standard_cost (
  merchant_id TEXT NOT NULL,
  article_number TEXT NOT NULL,
  valid_from DATE DEFAULT current_date NOT NULL,
  price NUMERIC(18, 6) NOT NULL,
  written_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_standard_cost PRIMARY KEY (merchant_id, article_number, valid_from),
  CONSTRAINT fk_standard_cost_merchant_id_article_number FOREIGN KEY(merchant_id, article_number) REFERENCES erp.article (merchant_id, article_number),
  CONSTRAINT ck_standard_cost_price_in_range CHECK (price > 0 AND price <= 100000000)
);

CREATE TABLE erp.article_cost (
  merchant_id TEXT NOT NULL,
  article_number TEXT NOT NULL,
  calculated_cost NUMERIC(18, 6) NOT NULL,
  price NUMERIC(18, 6),
  currency TEXT,
  exchange_rate NUMERIC(20, 10),
  rate_date DATE,
  landed_percent INTEGER DEFAULT '0' NOT NULL,
  set_by TEXT,
  reason TEXT,
  calculated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_article_cost PRIMARY KEY (merchant_id, article_number),
  CONSTRAINT fk_article_cost_merchant_id_article_number FOREIGN KEY(merchant_id, article_number) REFERENCES erp.article (merchant_id, article_number),
  CONSTRAINT ck_article_cost_calculated_cost_in_range CHECK (calculated_cost > 0 AND calculated_cost <= 100000000),
  CONSTRAINT ck_article_cost_a_hand_says_why CHECK ((set_by IS NULL) = (reason IS NULL))
);

CREATE TABLE erp.revaluation (
  merchant_id TEXT NOT NULL,
  revaluation_no BIGINT NOT NULL,
  preview_hash BYTEA NOT NULL,
  accounting_date DATE NOT NULL,
  asked JSONB NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  transaction_no BIGINT NOT NULL,
  booked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_revaluation PRIMARY KEY (merchant_id, revaluation_no),
  CONSTRAINT uq_revaluation_merchant_id_preview_hash UNIQUE (merchant_id, preview_hash),
  CONSTRAINT fk_revaluation_merchant_id_transaction_no FOREIGN KEY(merchant_id, transaction_no) REFERENCES erp.ledger_transaction (merchant_id, transaction_no),
  CONSTRAINT ck_revaluation_somebody_says_why CHECK (btrim(actor) <> '' AND btrim(reason) <> '')
);

CREATE TABLE erp.revaluation_line (
  merchant_id TEXT NOT NULL,
  revaluation_no BIGINT NOT NULL,
  row_no INTEGER NOT NULL,
  article_number TEXT NOT NULL,
  warehouse TEXT NOT NULL,
  purchase_order_number TEXT,
  receipt_no INTEGER,
  receipt_row_no INTEGER,
  value_before NUMERIC(20, 2) NOT NULL,
  amount NUMERIC(20, 2) NOT NULL,
  stock NUMERIC(20, 2) NOT NULL,
  result NUMERIC(20, 2) NOT NULL,
  unit_price NUMERIC(18, 6) NOT NULL,
  exchange_rate NUMERIC(20, 10),
  CONSTRAINT pk_revaluation_line PRIMARY KEY (merchant_id, revaluation_no, row_no),
  CONSTRAINT fk_revaluation_line_merchant_id_revaluation_no FOREIGN KEY(merchant_id, revaluation_no) REFERENCES erp.revaluation (merchant_id, revaluation_no),
  CONSTRAINT fk_revaluation_line_receipt FOREIGN KEY(merchant_id, purchase_order_number, receipt_no, receipt_row_no) REFERENCES erp.goods_receipt_line (merchant_id, purchase_order_number, receipt_no, row_no),
  CONSTRAINT ck_revaluation_line_a_receipt_is_whole CHECK (num_nonnulls(purchase_order_number, receipt_no, receipt_row_no) IN (0, 3)),
  CONSTRAINT ck_revaluation_line_parts_add_up CHECK (amount = stock + result),
  CONSTRAINT ck_revaluation_line_value_before_is_a_number CHECK (abs(value_before) <= 1000000000000 AND abs(amount) <= 1000000000000 AND abs(stock) <= 1000000000000 AND abs(result) <= 1000000000000)
);
CREATE INDEX ix_revaluation_line_receipt ON erp.revaluation_line (merchant_id, purchase_order_number, receipt_no, receipt_row_no);

-- Both costs of an article, and never one: booked follows from what stock is worth, calculated looks ahead.
create view erp.article_costs with (security_invoker = true) as
  select a.merchant_id, a.article_number, b.warehouse, coalesce(b.quantity, 0) as quantity, coalesce(b.value, 0) as value,
    case when b.quantity <> 0 then round(b.value / b.quantity, 6) else b.last_cost end as booked_cost,
    c.calculated_cost, c.price as purchase_price, c.currency, c.exchange_rate, c.rate_date, c.landed_percent, c.set_by, c.calculated_at
  from erp.article a
  left join erp.stock_balance b using (merchant_id, article_number)
  left join erp.article_cost c using (merchant_id, article_number);

-- What of each receipt no invoice has come for, at the price and rate that it stands at now: its own, or its last revaluation's.
create view erp.received_not_invoiced with (security_invoker = true) as
  select l.merchant_id, l.purchase_order_number, l.receipt_no, l.row_no, l.article_number, l.warehouse, l.line_number, l.currency,
    l.quantity + coalesce(back.quantity, 0) as quantity, l.value + coalesce(back.value, 0) + coalesce(again.amount, 0) as value,
    coalesce(again.unit_price, l.unit_price) as unit_price, coalesce(again.exchange_rate, l.exchange_rate) as exchange_rate,
    l.mark_epoch, l.mark_keep, l.received_at
  from erp.goods_receipt_line l
  left join lateral (
    select sum(b.quantity) as quantity, sum(b.value) as value from erp.goods_receipt_line b
    where b.merchant_id = l.merchant_id and b.doc_id = l.doc_id and b.line_id = l.line_id and b.reverses_step = l.step) as back on true
  left join lateral (
    select sum(r.amount) as amount, (array_agg(r.unit_price order by r.revaluation_no desc))[1] as unit_price,
      (array_agg(r.exchange_rate order by r.revaluation_no desc))[1] as exchange_rate
    from erp.revaluation_line r where r.merchant_id = l.merchant_id and r.purchase_order_number = l.purchase_order_number
      and r.receipt_no = l.receipt_no and r.receipt_row_no = l.row_no) as again on true
  where l.quantity > 0 and l.in_stock;

-- As before, and a booking whose pools were of another costing method than the merchant has now is taken back.
create or replace function erp.append_to_ledger(the_merchant text, heading jsonb, entries jsonb, postings jsonb, balances jsonb)
returns bigint language plpgsql set search_path = pg_catalog as $$
declare
  head bridge.ledger_head;
  t erp.ledger_transaction;
  entry_count bigint := jsonb_array_length(entries);
  posting_count bigint := jsonb_array_length(postings);
begin
  select * into strict head from bridge.ledger_head where merchant_id = the_merchant for update;
  if heading ? 'method' and heading->>'method' <> coalesce(
      (select s.settings->>'costing_method' from bridge.merchant_settings s where s.merchant_id = the_merchant), 'moving-average') then
    raise exception 'the costing method of % is no longer %: cost it again', the_merchant, heading->>'method'
      using errcode = 'serialization_failure';
  end if;
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

do $$
declare
  it text;
begin
  foreach it in array array['revaluation', 'revaluation_line'] loop
    execute format('create trigger append_only before update or delete on erp.%I for each row execute function erp.append_only()', it);
    execute format('create trigger append_only_truncate before truncate on erp.%I execute function erp.append_only()', it);
    execute format('alter table erp.%I enable always trigger append_only', it);
    execute format('alter table erp.%I enable always trigger append_only_truncate', it);
  end loop;
  foreach it in array array['stock_layer', 'standard_cost', 'article_cost', 'revaluation', 'revaluation_line'] loop
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
grant update, delete on erp.stock_layer to lagerbro_app;
grant update on erp.article_cost, erp.standard_cost to lagerbro_app;
grant insert, update, delete on erp.standard_cost to lagerbro_erp;
grant select on erp.article_costs, erp.received_not_invoiced to lagerbro_erp, lagerbro_app, lagerbro_verify;
