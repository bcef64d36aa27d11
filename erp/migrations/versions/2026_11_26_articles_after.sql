-- What the warehouse does not have as the ERP has it. One row for each article, however often it changes; `since` is the first
-- change that has not been sent.
create function bridge.article_is_due() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into bridge.article_due as d (merchant_id, article_number, version) values (new.merchant_id, new.article_number, new.version)
    on conflict (merchant_id, article_number) do update set version = excluded.version;
  -- Once for each transaction: a row of another one may be delivered before this one commits.
  if not exists (select from bridge.outbox o where o.merchant_id = new.merchant_id and o.document = new.merchant_id
                 and o.topic = 'articles.changed' and o.xmin = pg_current_xact_id()::xid) then
    insert into bridge.outbox (merchant_id, topic, document) values (new.merchant_id, 'articles.changed', new.merchant_id);
    perform pg_notify('lagerbro_articles', '');
  end if;
  return null;
end $$;

create trigger due_new after insert on erp.article for each row execute function bridge.article_is_due();
create trigger due_changed after update on erp.article for each row when (old.version is distinct from new.version)
  execute function bridge.article_is_due();

-- A translation, a bar code, a component, a customs number: the article has changed.
create function erp.article_part_changed() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  if tg_op <> 'INSERT' then
    update erp.article set version = version + 1, updated_at = clock_timestamp()
      where merchant_id = old.merchant_id and article_number = old.article_number;
  end if;
  if tg_op = 'INSERT' or (tg_op = 'UPDATE' and (new.merchant_id, new.article_number) <> (old.merchant_id, old.article_number)) then
    update erp.article set version = version + 1, updated_at = clock_timestamp()
      where merchant_id = new.merchant_id and article_number = new.article_number;
  end if;
  return null;
end $$;

create trigger changed after insert or update or delete on erp.article_translation for each row execute function erp.article_part_changed();
create trigger changed after insert or update or delete on erp.article_bar_code for each row execute function erp.article_part_changed();
create trigger changed after insert or update or delete on erp.article_component for each row execute function erp.article_part_changed();
create trigger changed after insert or update or delete on erp.article_taric for each row execute function erp.article_part_changed();

-- Stock, counters and the warehouse know an article by its number: once the warehouse has it, the number stands.
create function erp.article_number_stands() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  if exists (select from bridge.link l where l.merchant_id = old.merchant_id and l.kind = 'article' and l.our_key = old.article_number) then
    raise exception 'article % is in the warehouse under that number and cannot be renamed: insert article % with '
      'replaces_article_number = %, and let the stock of the old number run out or be moved', old.article_number,
      new.article_number, old.article_number using errcode = 'check_violation';
  end if;
  return new;
end $$;

create trigger number_stands before update of article_number on erp.article for each row
  when (old.article_number is distinct from new.article_number) execute function erp.article_number_stands();

-- What was refused is wanted again: the article process is told.
create function bridge.article_is_wanted_again() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into bridge.outbox (merchant_id, topic, document) values (new.merchant_id, 'articles.changed', new.merchant_id);
  perform pg_notify('lagerbro_articles', '');
  return null;
end $$;

create trigger wanted_again after update on bridge.article_due for each row
  when (old.refused_version = old.version and new.refused_version is null) execute function bridge.article_is_wanted_again();

-- Articles from before this migration that were never sent.
insert into bridge.article_due (merchant_id, article_number, version)
  select a.merchant_id, a.article_number, a.version from erp.article a
  left join bridge.link l on l.merchant_id = a.merchant_id and l.system = 'ongoing' and l.kind = 'article' and l.our_key = a.article_number
  where l.sent_version is distinct from a.version;
insert into bridge.outbox (merchant_id, topic, document) select distinct merchant_id, 'articles.changed', merchant_id from bridge.article_due;

revoke execute on function bridge.article_is_due(), bridge.article_is_wanted_again(), erp.article_part_changed(), erp.article_number_stands() from public;
grant select, insert, update, delete on erp.article_translation, erp.article_bar_code, erp.article_component, erp.article_taric
  to lagerbro_erp;
grant select on erp.article_translation, erp.article_bar_code, erp.article_component, erp.article_taric, bridge.article_due
  to lagerbro_app, lagerbro_verify;
grant select on bridge.article_due to lagerbro_relay;
grant insert, update, delete on bridge.article_due to lagerbro_app;

do $$
declare
  it text[];
begin
  foreach it slice 1 in array array[['erp', 'article_translation'], ['erp', 'article_bar_code'], ['erp', 'article_component'],
                                    ['erp', 'article_taric'], ['bridge', 'article_due']] loop
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
