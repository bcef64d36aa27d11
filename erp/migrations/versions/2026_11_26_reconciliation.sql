-- The daily reconciliation: runs, differences in parts, what nobody can explain and who decided, the file; and what the warehouse
-- has corrected by itself. Differences of a run that has finished, bookings, approvals and files only grow.
alter table bridge.link add column their_article_id bigint generated always as (
  CASE WHEN system = 'ongoing' AND kind = 'article' AND their_id ~ '^[0-9]{1,18}$' THEN CAST(their_id AS bigint) END) stored;
create index ix_link_their_article_id on bridge.link (merchant_id, their_article_id) where their_article_id is not null;

CREATE TABLE erp.reconciliation_run (
  merchant_id TEXT NOT NULL,
  run_no BIGINT NOT NULL,
  kind TEXT NOT NULL,
  for_date DATE NOT NULL,
  request TEXT NOT NULL,
  source TEXT NOT NULL,
  settles BOOLEAN NOT NULL,
  state TEXT DEFAULT 'running' NOT NULL,
  cut_at TIMESTAMP WITH TIME ZONE,
  input_hash TEXT,
  position BIGINT DEFAULT '0' NOT NULL,
  swept BOOLEAN DEFAULT false NOT NULL,
  articles_read BIGINT DEFAULT '0' NOT NULL,
  ours_only BIGINT DEFAULT '0' NOT NULL,
  theirs_only BIGINT DEFAULT '0' NOT NULL,
  stocked BIGINT DEFAULT '0' NOT NULL,
  stock_value NUMERIC(20, 2) DEFAULT '0' NOT NULL,
  held TEXT,
  covered_by BIGINT,
  started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  finished_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_reconciliation_run PRIMARY KEY (merchant_id, run_no),
  CONSTRAINT uq_reconciliation_run_merchant_id_request UNIQUE (merchant_id, request),
  CONSTRAINT fk_reconciliation_run_merchant_id FOREIGN KEY(merchant_id) REFERENCES erp.merchant (merchant_id),
  CONSTRAINT fk_reconciliation_run_merchant_id_covered_by FOREIGN KEY(merchant_id, covered_by) REFERENCES erp.reconciliation_run (merchant_id, run_no),
  CONSTRAINT ck_reconciliation_run_kind_is_known CHECK (kind IN ('daily','on-demand','past','file')),
  CONSTRAINT ck_reconciliation_run_state_is_known CHECK (state IN ('running','finished')),
  CONSTRAINT ck_reconciliation_run_finished_has_a_time CHECK ((state = 'finished') = (finished_at IS NOT NULL)),
  CONSTRAINT ck_reconciliation_run_stock_value_is_a_number CHECK (abs(stock_value) <= 1000000000000)
);
CREATE UNIQUE INDEX uq_reconciliation_run_daily ON erp.reconciliation_run (merchant_id, for_date) WHERE kind IN ('daily','past');
CREATE UNIQUE INDEX uq_reconciliation_run_file ON erp.reconciliation_run (merchant_id, input_hash) WHERE input_hash IS NOT NULL;

CREATE TABLE erp.difference (
  merchant_id TEXT NOT NULL,
  run_no BIGINT NOT NULL,
  comparison TEXT NOT NULL,
  article_number TEXT NOT NULL,
  warehouse TEXT NOT NULL,
  ours NUMERIC(18, 4) NOT NULL,
  theirs NUMERIC(18, 4) NOT NULL,
  unit_cost NUMERIC(18, 6),
  read_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_difference PRIMARY KEY (merchant_id, run_no, comparison, article_number, warehouse),
  CONSTRAINT fk_difference_merchant_id_run_no FOREIGN KEY(merchant_id, run_no) REFERENCES erp.reconciliation_run (merchant_id, run_no),
  CONSTRAINT ck_difference_comparison_is_known CHECK (comparison IN ('physical','available')),
  CONSTRAINT ck_difference_ours_is_a_number CHECK (abs(ours) <= 1000000000000 AND abs(theirs) <= 1000000000000),
  CONSTRAINT ck_difference_unit_cost_in_range CHECK (unit_cost >= 0 AND unit_cost <= 1000000000000)
);

CREATE TABLE erp.difference_part (
  merchant_id TEXT NOT NULL,
  run_no BIGINT NOT NULL,
  comparison TEXT NOT NULL,
  article_number TEXT NOT NULL,
  warehouse TEXT NOT NULL,
  part_no INTEGER NOT NULL,
  why TEXT NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  document TEXT DEFAULT '' NOT NULL,
  what TEXT DEFAULT '' NOT NULL,
  cause TEXT,
  happened_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_difference_part PRIMARY KEY (merchant_id, run_no, comparison, article_number, warehouse, part_no),
  CONSTRAINT fk_difference_part_difference FOREIGN KEY(merchant_id, run_no, comparison, article_number, warehouse) REFERENCES erp.difference (merchant_id, run_no, comparison, article_number, warehouse) ON DELETE CASCADE,
  CONSTRAINT ck_difference_part_a_part_is_something CHECK (quantity <> 0),
  CONSTRAINT ck_difference_part_quantity_is_a_number CHECK (abs(quantity) <= 1000000000000)
);

CREATE TABLE erp.unmatched (
  merchant_id TEXT NOT NULL,
  run_no BIGINT NOT NULL,
  side TEXT NOT NULL,
  number TEXT NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  action TEXT NOT NULL,
  CONSTRAINT pk_unmatched PRIMARY KEY (merchant_id, run_no, side, number),
  CONSTRAINT fk_unmatched_merchant_id_run_no FOREIGN KEY(merchant_id, run_no) REFERENCES erp.reconciliation_run (merchant_id, run_no),
  CONSTRAINT ck_unmatched_side_is_known CHECK (side IN ('books','warehouse')),
  CONSTRAINT ck_unmatched_quantity_is_a_number CHECK (abs(quantity) <= 1000000000000)
);

CREATE TABLE erp.settlement (
  merchant_id TEXT NOT NULL,
  settlement_no BIGINT NOT NULL,
  article_number TEXT NOT NULL,
  warehouse TEXT NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  unit_cost NUMERIC(18, 6),
  state TEXT DEFAULT 'seen' NOT NULL,
  why TEXT DEFAULT '' NOT NULL,
  first_run_no BIGINT NOT NULL,
  last_run_no BIGINT NOT NULL,
  seen_runs INTEGER DEFAULT '1' NOT NULL,
  first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
  read_at TIMESTAMP WITH TIME ZONE NOT NULL,
  listed JSONB DEFAULT '{}'::jsonb NOT NULL,
  booked_in_run BIGINT,
  transaction_no BIGINT,
  ended_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_settlement PRIMARY KEY (merchant_id, settlement_no),
  CONSTRAINT fk_settlement_merchant_id FOREIGN KEY(merchant_id) REFERENCES erp.merchant (merchant_id),
  CONSTRAINT fk_settlement_merchant_id_article_number FOREIGN KEY(merchant_id, article_number) REFERENCES erp.article (merchant_id, article_number),
  CONSTRAINT ck_settlement_state_is_known CHECK (state IN ('seen','waiting','approved','booked','refused','gone')),
  CONSTRAINT ck_settlement_booked_has_a_transaction CHECK ((state = 'booked') = (transaction_no IS NOT NULL)),
  CONSTRAINT ck_settlement_a_difference_is_something CHECK (quantity <> 0),
  CONSTRAINT ck_settlement_quantity_is_a_number CHECK (abs(quantity) <= 1000000000000),
  CONSTRAINT ck_settlement_unit_cost_in_range CHECK (unit_cost >= 0 AND unit_cost <= 1000000000000)
);
CREATE INDEX ix_settlement_booked ON erp.settlement (merchant_id, article_number, warehouse) WHERE state = 'booked';
CREATE UNIQUE INDEX uq_settlement_open ON erp.settlement (merchant_id, article_number, warehouse) WHERE state IN ('seen','waiting','approved');

CREATE TABLE erp.settlement_approval (
  merchant_id TEXT NOT NULL,
  settlement_no BIGINT NOT NULL,
  actor TEXT NOT NULL,
  decision TEXT NOT NULL,
  reason TEXT NOT NULL,
  decided_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_settlement_approval PRIMARY KEY (merchant_id, settlement_no, actor),
  CONSTRAINT fk_settlement_approval_merchant_id_settlement_no FOREIGN KEY(merchant_id, settlement_no) REFERENCES erp.settlement (merchant_id, settlement_no),
  CONSTRAINT ck_settlement_approval_decision_is_known CHECK (decision IN ('approve','refuse')),
  CONSTRAINT ck_settlement_approval_somebody_says_why CHECK (btrim(actor) <> '' AND btrim(reason) <> '')
);

CREATE TABLE erp.reconciliation_booking (
  merchant_id TEXT NOT NULL,
  cause TEXT NOT NULL,
  run_no BIGINT,
  what TEXT NOT NULL,
  article_number TEXT NOT NULL,
  warehouse TEXT NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  value NUMERIC(20, 2) NOT NULL,
  account INTEGER NOT NULL,
  reason TEXT NOT NULL,
  transaction_no BIGINT NOT NULL,
  booked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_reconciliation_booking PRIMARY KEY (merchant_id, cause),
  CONSTRAINT fk_reconciliation_booking_merchant_id_run_no FOREIGN KEY(merchant_id, run_no) REFERENCES erp.reconciliation_run (merchant_id, run_no),
  CONSTRAINT fk_reconciliation_booking_merchant_id_transaction_no FOREIGN KEY(merchant_id, transaction_no) REFERENCES erp.ledger_transaction (merchant_id, transaction_no),
  CONSTRAINT ck_reconciliation_booking_what_is_known CHECK (what IN ('adjustment','unknown','taken back')),
  CONSTRAINT ck_reconciliation_booking_quantity_is_a_number CHECK (abs(quantity) <= 1000000000000 AND abs(value) <= 1000000000000)
);
CREATE INDEX ix_reconciliation_booking_run ON erp.reconciliation_booking (merchant_id, run_no);

CREATE TABLE erp.reconciliation_file (
  merchant_id TEXT NOT NULL,
  run_no BIGINT NOT NULL,
  format TEXT NOT NULL,
  name TEXT NOT NULL,
  content BYTEA NOT NULL,
  sha256 BYTEA NOT NULL,
  written_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_reconciliation_file PRIMARY KEY (merchant_id, run_no, format),
  CONSTRAINT fk_reconciliation_file_merchant_id_run_no FOREIGN KEY(merchant_id, run_no) REFERENCES erp.reconciliation_run (merchant_id, run_no),
  CONSTRAINT ck_reconciliation_file_format_is_known CHECK (format IN ('csv','xlsx','html')),
  CONSTRAINT ck_reconciliation_file_hash_is_of_the_content CHECK (sha256 = sha256(content))
);

CREATE TABLE bridge.reconciling (
  merchant_id TEXT NOT NULL,
  run_no BIGINT DEFAULT '0' NOT NULL,
  settlement_no BIGINT DEFAULT '0' NOT NULL,
  fence BIGINT DEFAULT '0' NOT NULL,
  watermark DATE,
  CONSTRAINT pk_reconciling PRIMARY KEY (merchant_id),
  CONSTRAINT fk_reconciling_merchant_id FOREIGN KEY(merchant_id) REFERENCES erp.merchant (merchant_id)
);

CREATE TABLE bridge.adjusted (
  merchant_id TEXT NOT NULL,
  inventory_id BIGINT NOT NULL,
  article_id BIGINT NOT NULL,
  warehouse_id BIGINT NOT NULL,
  cause TEXT NOT NULL,
  up BOOLEAN NOT NULL,
  article_number TEXT NOT NULL,
  booked NUMERIC(18, 4) DEFAULT '0' NOT NULL,
  step INTEGER DEFAULT '0' NOT NULL,
  doubt NUMERIC(18, 4),
  doubt_at TIMESTAMP WITH TIME ZONE,
  happened_at TIMESTAMP WITH TIME ZONE NOT NULL,
  reported BOOLEAN DEFAULT false NOT NULL,
  CONSTRAINT pk_adjusted PRIMARY KEY (merchant_id, inventory_id, article_id, warehouse_id, cause, up),
  CONSTRAINT fk_adjusted_merchant_id FOREIGN KEY(merchant_id) REFERENCES erp.merchant (merchant_id),
  CONSTRAINT ck_adjusted_a_doubt_is_whole CHECK (num_nonnulls(doubt, doubt_at) IN (0, 2)),
  CONSTRAINT ck_adjusted_booked_in_range CHECK (booked >= 0 AND booked <= 1000000000000),
  CONSTRAINT ck_adjusted_doubt_in_range CHECK (doubt >= 0 AND doubt <= 1000000000000)
);
CREATE INDEX ix_adjusted_happened ON bridge.adjusted (merchant_id, happened_at);
CREATE INDEX ix_adjusted_unreported ON bridge.adjusted (merchant_id, inventory_id) WHERE NOT reported;

CREATE TABLE bridge.stock_file (
  merchant_id TEXT NOT NULL,
  content_hash TEXT NOT NULL,
  name TEXT NOT NULL,
  content BYTEA NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  cut_at TIMESTAMP WITH TIME ZONE,
  articles BIGINT,
  received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_stock_file PRIMARY KEY (merchant_id, content_hash),
  CONSTRAINT fk_stock_file_merchant_id FOREIGN KEY(merchant_id) REFERENCES erp.merchant (merchant_id),
  CONSTRAINT ck_stock_file_state_is_known CHECK (state IN ('taken','refused')),
  CONSTRAINT ck_stock_file_a_refusal_has_a_reason CHECK ((state = 'refused') = (reason IS NOT NULL)),
  CONSTRAINT ck_stock_file_a_taken_file_has_a_cut CHECK ((state = 'taken') = (cut_at IS NOT NULL))
);

-- What a finished run says does not change. A file, an approval, a booking never does.
create function erp.finished_run_stands() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  it record;
begin
  it := case when tg_op = 'DELETE' then old else new end;
  if exists (select from erp.reconciliation_run r where r.merchant_id = it.merchant_id and r.run_no = it.run_no
             and r.state = 'finished') then
    raise exception 'reconciliation run % of % is finished: what it says stands', it.run_no, it.merchant_id
      using errcode = 'restrict_violation';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;

create trigger stands before insert or update or delete on erp.difference for each row execute function erp.finished_run_stands();
create trigger stands before insert or update or delete on erp.difference_part for each row execute function erp.finished_run_stands();
create trigger stands before insert or update or delete on erp.unmatched for each row execute function erp.finished_run_stands();

-- The parts of a difference add up to it, when the transaction that wrote them commits.
create function erp.difference_adds_up() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  the_difference record;
  explained numeric;
begin
  select d.* into the_difference from erp.difference d where d.merchant_id = new.merchant_id and d.run_no = new.run_no
    and d.comparison = new.comparison and d.article_number = new.article_number and d.warehouse = new.warehouse;
  if not found then return null; end if;
  select coalesce(sum(p.quantity), 0) into explained from erp.difference_part p where p.merchant_id = new.merchant_id
    and p.run_no = new.run_no and p.comparison = new.comparison and p.article_number = new.article_number
    and p.warehouse = new.warehouse;
  if explained <> the_difference.theirs - the_difference.ours then
    raise exception 'article % in run %: the parts add up to %, the difference is %', new.article_number, new.run_no, explained,
      the_difference.theirs - the_difference.ours using errcode = 'check_violation';
  end if;
  return null;
end $$;

create constraint trigger adds_up after insert or update on erp.difference
  deferrable initially deferred for each row execute function erp.difference_adds_up();
create constraint trigger adds_up after insert or update on erp.difference_part
  deferrable initially deferred for each row execute function erp.difference_adds_up();

revoke execute on function erp.finished_run_stands(), erp.difference_adds_up() from public;

do $$
declare
  it text;
begin
  foreach it in array array['erp.settlement_approval', 'erp.reconciliation_booking', 'erp.reconciliation_file'] loop
    execute format('create trigger append_only before update or delete on %s for each row execute function erp.append_only()', it);
    execute format('create trigger append_only_truncate before truncate on %s execute function erp.append_only()', it);
    execute format('alter table %s enable always trigger append_only', it);
    execute format('alter table %s enable always trigger append_only_truncate', it);
  end loop;
end $$;

revoke all on erp.reconciliation_run, erp.difference, erp.difference_part, erp.unmatched, erp.settlement, erp.settlement_approval,
  erp.reconciliation_booking, erp.reconciliation_file, bridge.reconciling, bridge.adjusted, bridge.stock_file from public;
grant select on erp.reconciliation_run, erp.difference, erp.difference_part, erp.unmatched, erp.settlement, erp.settlement_approval,
  erp.reconciliation_booking, erp.reconciliation_file to lagerbro_erp, lagerbro_app, lagerbro_verify;
grant select on bridge.reconciling, bridge.adjusted, bridge.stock_file to lagerbro_app, lagerbro_verify;
grant insert on erp.reconciliation_run, erp.difference, erp.difference_part, erp.unmatched, erp.settlement, erp.settlement_approval,
  erp.reconciliation_booking, erp.reconciliation_file, bridge.reconciling, bridge.adjusted, bridge.stock_file to lagerbro_app;
grant update on erp.reconciliation_run, erp.settlement, bridge.reconciling, bridge.adjusted to lagerbro_app;
grant update (why, cause) on erp.difference_part to lagerbro_app;
grant delete on erp.difference, erp.difference_part, erp.unmatched to lagerbro_app;

do $$
declare
  it text[];
begin
  foreach it slice 1 in array array[['erp', 'reconciliation_run'], ['erp', 'difference'], ['erp', 'difference_part'],
      ['erp', 'unmatched'], ['erp', 'settlement'], ['erp', 'settlement_approval'], ['erp', 'reconciliation_booking'],
      ['erp', 'reconciliation_file'], ['bridge', 'reconciling'], ['bridge', 'adjusted'], ['bridge', 'stock_file']] loop
    execute format('alter table %I.%I enable row level security', it[1], it[2]);
    execute format('alter table %I.%I force row level security', it[1], it[2]);
    execute format('create policy app on %I.%I to lagerbro_app using (merchant_id = current_setting(''lagerbro.merchant'', true)) '
                   'with check (merchant_id = current_setting(''lagerbro.merchant'', true))', it[1], it[2]);
    execute format('create policy owner on %I.%I to lagerbro_owner using (true) with check (true)', it[1], it[2]);
    execute format('create policy verify on %I.%I for select to lagerbro_verify using (true)', it[1], it[2]);
    execute format('create policy relay on %I.%I to lagerbro_relay using (true) with check (true)', it[1], it[2]);
    execute format('create policy intake on %I.%I to lagerbro_intake using (true) with check (true)', it[1], it[2]);
    if it[1] = 'erp' then
      execute format('create policy erp on %I.%I to lagerbro_erp '
        'using (coalesce(current_setting(''lagerbro.merchant'', true), '''') in ('''', merchant_id)) '
        'with check (coalesce(current_setting(''lagerbro.merchant'', true), '''') in ('''', merchant_id))', it[1], it[2]);
    end if;
  end loop;
end $$;
