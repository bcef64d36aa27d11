-- Two numbers that people and warehouses take for one another: they differ in case, blanks or leading zeros only.
create function erp.twin_key(number text) returns text language sql immutable parallel safe as $$
  select coalesce(nullif(ltrim(lower(regexp_replace(number, '[[:space:]]', '', 'g')), '0'), ''), '0')
$$;
