-- As before, but the look for this transaction's own row reads undelivered rows only: it took longer with every change ever made.
create or replace function bridge.article_is_due() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into bridge.article_due as d (merchant_id, article_number, version) values (new.merchant_id, new.article_number, new.version)
    on conflict (merchant_id, article_number) do update set version = excluded.version;
  -- Once for each transaction: a row of another one may be delivered before this one commits.
  if not exists (select from bridge.outbox o where o.merchant_id = new.merchant_id and o.topic = 'articles.changed'
                 and o.delivered_at is null and o.xmin = pg_current_xact_id()::xid) then
    insert into bridge.outbox (merchant_id, topic, document) values (new.merchant_id, 'articles.changed', new.merchant_id);
    perform pg_notify('lagerbro_articles', '');
  end if;
  return null;
end $$;

-- An article that was deleted and comes again goes on counting, so that no old version is taken for a newer one.
create function erp.article_begins() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  new.version := 1 + coalesce((select l.sent_version from bridge.link l where l.merchant_id = new.merchant_id
    and l.system = 'ongoing' and l.kind = 'article' and l.our_key = new.article_number), 0);
  return new;
end $$;

create trigger begins before insert on erp.article for each row execute function erp.article_begins();

-- The supplier's name travels with each of its articles.
create function erp.supplier_renamed() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  update erp.article set version = version + 1, updated_at = clock_timestamp()
    where merchant_id = new.merchant_id and supplier_number = new.supplier_number;
  return null;
end $$;

create trigger renamed after update of name on erp.supplier for each row when (old.name is distinct from new.name)
  execute function erp.supplier_renamed();

-- The warehouse has no way to delete an article: one that is gone from the ERP and not from there is listed.
create function erp.article_deleted() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into bridge.exception (merchant_id, kind, document, code, detail, blocking)
    select l.merchant_id, 'article', l.our_key, 'article-deleted',
      'article ' || l.our_key || ' was deleted in the ERP, and the warehouse still has it', false
    from bridge.link l where l.merchant_id = old.merchant_id and l.system = 'ongoing' and l.kind = 'article'
      and l.our_key = old.article_number
    on conflict (merchant_id, kind, document, code) where closed_at is null do nothing;
  return null;
end $$;

create trigger deleted after delete on erp.article for each row execute function erp.article_deleted();

revoke execute on function erp.article_begins(), erp.supplier_renamed(), erp.article_deleted() from public;
