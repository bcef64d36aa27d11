CREATE TABLE bridge.stock_delivery (
  merchant_id TEXT NOT NULL,
  place TEXT NOT NULL,
  name TEXT NOT NULL,
  size BIGINT NOT NULL,
  modified_at TIMESTAMP WITH TIME ZONE NOT NULL,
  sha256 BYTEA,
  content_hash TEXT,
  reason TEXT,
  read_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_stock_delivery PRIMARY KEY (merchant_id, place, name),
  CONSTRAINT fk_stock_delivery_merchant_id FOREIGN KEY(merchant_id) REFERENCES erp.merchant (merchant_id),
  CONSTRAINT fk_stock_delivery_merchant_id_content_hash FOREIGN KEY(merchant_id, content_hash)
    REFERENCES bridge.stock_file (merchant_id, content_hash),
  CONSTRAINT ck_stock_delivery_place_is_known CHECK (place IN ('folder','sftp')),
  CONSTRAINT ck_stock_delivery_taken_or_refused CHECK (num_nonnulls(content_hash, reason) = 1),
  CONSTRAINT ck_stock_delivery_what_is_taken_was_read CHECK (content_hash IS NULL OR sha256 IS NOT NULL)
);

revoke all on bridge.stock_delivery from public;
grant select on bridge.stock_delivery to lagerbro_app, lagerbro_verify;
grant insert, update on bridge.stock_delivery to lagerbro_app;

alter table bridge.stock_delivery enable row level security;
alter table bridge.stock_delivery force row level security;
create policy app on bridge.stock_delivery to lagerbro_app using (merchant_id = current_setting('lagerbro.merchant', true))
  with check (merchant_id = current_setting('lagerbro.merchant', true));
create policy owner on bridge.stock_delivery to lagerbro_owner using (true) with check (true);
create policy verify on bridge.stock_delivery for select to lagerbro_verify using (true);
create policy relay on bridge.stock_delivery to lagerbro_relay using (true) with check (true);
create policy intake on bridge.stock_delivery to lagerbro_intake using (true) with check (true);
