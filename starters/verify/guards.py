"""What PostgreSQL itself must hold: who sees whose rows (T1 to T3), and what the books lean on (A2 to A5)."""

from importlib.resources import files

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from erp.database import one, rows
from erp.tables import metadata
from starters.verify.check import Check, Found, Probe, Stage, Violation

MERCHANT_RULE = "(merchant_id = current_setting('lagerbro.merchant'::text, true))"
ERP_RULE = (
    "((COALESCE(current_setting('lagerbro.merchant'::text, true), ''::text) = ''::text) "
    "OR (COALESCE(current_setting('lagerbro.merchant'::text, true), ''::text) = merchant_id))"
)
SEE_ALL = {"lagerbro_owner", "lagerbro_verify", "lagerbro_relay", "lagerbro_intake"}
LOGINS = ("lagerbro_erp", "lagerbro_app", "lagerbro_relay", "lagerbro_intake", "lagerbro_verify")
APPEND_ONLY = (
    "erp.stock_entry",
    "erp.ledger_transaction",
    "erp.posting",
    "erp.posting_row",
    "erp.shipment_line",
    "erp.exchange_rate",
    "bridge.booking",
    "bridge.audit",
    "bridge.status_move",
    "bridge.voucher_posting",
    "erp.revaluation",
    "erp.revaluation_line",
)

_TABLES = text(
    """
    select n.nspname || '.' || c.relname as name, c.relkind::text as kind, c.relpersistence::text as persistence,
      c.relrowsecurity as secured, c.relforcerowsecurity as forced, pg_get_userbyid(c.relowner) as owner,
      coalesce(c.reloptions::text like '%security_invoker=true%', false) as invoker
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('erp', 'bridge') and c.relkind in ('r', 'p', 'v', 'm', 'f')
    """
)
_POLICIES = text(
    """
    select schemaname || '.' || tablename as name, policyname as policy, permissive, array_to_string(roles, ',') as role, cmd,
      qual, with_check
    from pg_policies where schemaname in ('erp', 'bridge')
    """
)
_FOREIGN_KEYS = text(
    """
    select k.conname as name, k.conrelid::regclass::text as child, k.confrelid::regclass::text as parent, k.convalidated as valid,
      exists (select from unnest(k.conkey, k.confkey) as pair(here, there)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = pair.here
        join pg_attribute b on b.attrelid = k.confrelid and b.attnum = pair.there
        where a.attname = 'merchant_id' and b.attname = 'merchant_id') as of_one_merchant
    from pg_constraint k join pg_namespace n on n.oid = k.connamespace
    where k.contype = 'f' and n.nspname in ('erp', 'bridge')
    """
)
_WITHOUT_MERCHANT = text(
    """
    select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('erp', 'bridge') and c.relkind in ('r', 'p') and c.relname <> 'schema_version' and not exists (
      select from pg_attribute a where a.attrelid = c.oid and a.attname = 'merchant_id' and a.attnotnull)
    """
)
_TIMES = text(
    """
    select n.nspname || '.' || c.relname || '.' || a.attname as name, format_type(a.atttypid, null) as type
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('erp', 'bridge') and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
      and format_type(a.atttypid, null) like any (array['time%', 'abstime'])
    """
)
_VERSION = text("select array_agg(version_num) as found from bridge.schema_version")
_COLUMNS = text(
    """
    select n.nspname || '.' || c.relname as name, array_agg(a.attname::text) as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
    where n.nspname in ('erp', 'bridge') and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped group by 1
    """
)
_SETTINGS = text("select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')")
_OVERRIDES = text(
    """
    select coalesce(r.rolname, 'all roles') || ' in ' || coalesce(d.datname, 'every database') as place, item
    from pg_db_role_setting s cross join unnest(s.setconfig) as item
    left join pg_roles r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase
    where (s.setrole = 0 or r.rolname like 'lagerbro%') and (s.setdatabase = 0 or d.datname = current_database())
    """
)
_ROLES = text(
    """
    select r.rolname as name, r.rolsuper as super, r.rolbypassrls as bypass, r.rolcreaterole as creates, r.rolcanlogin as logs_in,
      pg_has_role(r.oid, 'lagerbro_owner', 'member') as owner
    from pg_roles r where r.rolname in
      ('lagerbro_owner', 'lagerbro_erp', 'lagerbro_app', 'lagerbro_relay', 'lagerbro_intake', 'lagerbro_verify')
    """
)
_WRITES = text(
    """
    select n.nspname || '.' || c.relname as name, grantee, right_
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    cross join (values ('lagerbro_verify', 'INSERT'), ('lagerbro_verify', 'UPDATE'), ('lagerbro_verify', 'DELETE'),
      ('lagerbro_verify', 'TRUNCATE'), ('lagerbro_app', 'TRUNCATE'), ('lagerbro_erp', 'TRUNCATE'), ('lagerbro_relay', 'TRUNCATE'),
      ('lagerbro_intake', 'TRUNCATE')) as v(grantee, right_)
    where n.nspname in ('erp', 'bridge') and c.relkind in ('r', 'p') and has_table_privilege(grantee, c.oid, right_)
    """
)
_CHANGES_LEDGER = text(
    """
    select name, grantee, right_ from unnest(cast(:tables as text[])) as name
    cross join unnest(cast(:roles as text[])) as grantee cross join unnest(array['UPDATE', 'DELETE']) as right_
    where has_table_privilege(grantee, name, right_)
    """
)
_TRIGGERS = text(
    """
    select t.tgrelid::regclass::text as name, t.tgname as trigger, t.tgenabled::text as enabled, t.tgtype as type,
      p.proname as does
    from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_class c on c.oid = t.tgrelid
    join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('erp', 'bridge') and not t.tgisinternal
    """
)
ROW_UPDATE_DELETE_BEFORE = 1 | 2 | 8 | 16
STATEMENT_TRUNCATE_BEFORE = 2 | 32


async def policies_stand(connection: AsyncConnection, merchant: str | None) -> Found:
    """The application's role sees one merchant and only through the declared policy, on every table."""
    tables = [row.name for row in await rows(connection, _TABLES) if row.kind in "rp" and row.name != "bridge.schema_version"]
    policies = await rows(connection, _POLICIES)
    wrong = []
    for table in tables:
        by_role = {row.role: row for row in policies if row.name == table}
        for role in sorted({"lagerbro_app", *SEE_ALL} | ({"lagerbro_erp"} if table.startswith("erp.") else set())):
            if role not in by_role:
                wrong.append(Violation("", table, f"has no policy for {role}"))
    for row in policies:
        if row.role == "lagerbro_app":
            good = row.cmd == "ALL" and row.qual == MERCHANT_RULE and row.with_check == MERCHANT_RULE
        elif row.role == "lagerbro_erp":
            good = row.name.startswith("erp.") and row.qual == ERP_RULE and row.with_check == ERP_RULE
        else:
            good = row.role in SEE_ALL and row.qual == "true" and row.with_check in (None, "true")
        if not good or row.permissive != "PERMISSIVE":
            wrong.append(Violation("", row.name, f"policy {row.policy} lets {row.role} use {row.qual}, write {row.with_check}"))
    return Found.of(len(policies), wrong)


async def keys_stay_within_a_merchant(connection: AsyncConnection, merchant: str | None) -> Found:
    """Every foreign key carries the merchant, is validated, and every table of ours has one."""
    keys = await rows(connection, _FOREIGN_KEYS)
    wrong = [
        Violation("", f"{key.child}.{key.name}", f"{'is not validated' if key.of_one_merchant else 'crosses'} to {key.parent}")
        for key in keys
        if not key.of_one_merchant or not key.valid
    ]
    declared = sum(len(table.foreign_key_constraints) for table in metadata.tables.values())
    if len(keys) < declared:
        wrong.append(Violation("", "foreign keys", f"{declared} are declared, {len(keys)} are there"))
    wrong += [
        Violation("", row.name, "has no merchant_id that is never null") for row in await rows(connection, _WITHOUT_MERCHANT)
    ]
    return Found.of(len(keys), wrong)


async def times_are_instants(connection: AsyncConnection, merchant: str | None) -> Found:
    """Every time of day is stored with its zone."""
    times = await rows(connection, _TIMES)
    wrong = [Violation("", row.name, f"is {row.type}") for row in times if row.type != "timestamp with time zone"]
    return Found.of(len(times), wrong)


async def schema_is_the_codes(connection: AsyncConnection, merchant: str | None) -> Found:
    """The database stands at the last migration of this code, with every table and column it declares."""
    expected = ScriptDirectory(str(files("erp") / "migrations")).get_heads()
    version = (await one(connection, _VERSION)).found or []
    wrong = []
    if sorted(version) != sorted(expected):
        wrong.append(Violation("", "bridge.schema_version", f"is {', '.join(version)}; this code has {', '.join(expected)}"))
    held = {row.name: set(row.columns) for row in await rows(connection, _COLUMNS)}
    for table in metadata.tables.values():
        missing = {column.name for column in table.columns} - held.get(table.fullname, set())
        if missing:
            wrong.append(Violation("", table.fullname, f"lacks {', '.join(sorted(missing))}"))
    return Found.of(1 + len(metadata.tables), wrong)


async def ground_is_firm(connection: AsyncConnection, merchant: str | None) -> Found:
    """Commits are durable, tables are logged, row security is forced, and no role of ours can get around it."""
    settings = await rows(connection, _SETTINGS)
    wrong = [Violation("", row.name, f"is {row.setting}") for row in settings if not _durable(row.name, row.setting)]
    for override in await rows(connection, _OVERRIDES):
        name, _, value = override.item.partition("=")
        if name in ("fsync", "full_page_writes", "synchronous_commit") and not _durable(name, value):
            wrong.append(Violation("", name, f"is {value} for {override.place}"))
    roles = await rows(connection, _ROLES)
    supers = {row.name for row in roles if row.super}
    tables = await rows(connection, _TABLES)
    for table in tables:
        if table.kind in "rp":
            if table.persistence != "p":
                wrong.append(Violation("", table.name, "is not logged: a crash empties it"))
            if table.name != "bridge.schema_version" and not (table.secured and table.forced):
                wrong.append(Violation("", table.name, "has row level security off or not forced"))
        elif not table.invoker:
            wrong.append(Violation("", table.name, f"is a view that sees as {table.owner}, not as who asks"))
        if table.owner != "lagerbro_owner":
            wrong.append(Violation("", table.name, f"belongs to {table.owner}"))
    for role in roles:
        faults = [name for name in ("super", "bypass", "creates") if getattr(role, name)]
        if role.name in LOGINS and role.owner:
            faults.append("may become the owner")
        if role.name == "lagerbro_owner" and role.logs_in:
            faults.append("may log in")
        if faults or role.name in supers:
            wrong.append(Violation("", role.name, f"has more rights than it may: {', '.join(faults)}"))
    missing = set(LOGINS) | {"lagerbro_owner"}
    wrong += [Violation("", name, "is not there") for name in sorted(missing - {role.name for role in roles})]
    if not missing - {role.name for role in roles}:
        wrong += [Violation("", row.name, f"{row.grantee} may {row.right_}") for row in await rows(connection, _WRITES)]
    return Found.of(len(settings) + len(tables) + len(roles), wrong)


def _durable(name: str, value: str) -> bool:
    return value in (("on", "remote_apply", "remote_write") if name == "synchronous_commit" else ("on",))


async def nothing_can_be_rewritten(connection: AsyncConnection, merchant: str | None) -> Found:
    """The triggers that refuse UPDATE, DELETE and TRUNCATE are armed for everybody, and no role of ours has the rights."""
    held = {(row.name, row.trigger): row for row in await rows(connection, _TRIGGERS)}
    wrong = []
    for table in APPEND_ONLY:
        for name, type_ in (("append_only", ROW_UPDATE_DELETE_BEFORE), ("append_only_truncate", STATEMENT_TRUNCATE_BEFORE)):
            row = held.get((table, name))
            if row is None:
                wrong.append(Violation("", table, f"has no trigger {name}"))
            elif row.enabled != "A" or row.type != type_ or row.does != "append_only":
                wrong.append(Violation("", table, f"trigger {name} is {'off' if row.enabled == 'D' else 'not what it was'}"))
    for (table, name), row in held.items():
        if name not in ("append_only", "append_only_truncate") and row.enabled not in ("O", "A"):
            wrong.append(Violation("", table, f"trigger {name} is off"))
    found = await rows(connection, _CHANGES_LEDGER, tables=list(APPEND_ONLY), roles=list(LOGINS))
    wrong += [Violation("", row.name, f"{row.grantee} may {row.right_}") for row in found]
    return Found.of(len(held), wrong)


CHECKS: list[Check | Probe] = [
    Probe("L2", "UPDATE, DELETE and TRUNCATE are refused on every append-only table", Stage.ALWAYS, nothing_can_be_rewritten),
    Probe("T1", "Each role sees what its policy says, on every table", Stage.ALWAYS, policies_stand),
    Check(
        "T2",
        "A goods owner, a company and a webhook address belong to one merchant each",
        Stage.CONNECTED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from bridge.connection group by 1
          union all select merchant_id, count(*) from bridge.webhook_endpoint group by 1) as doors group by 1
        """,
        """
        with doors as (
          select merchant_id, system, case system
            when 'ongoing' then concat_ws('/', settings->>'base_url', settings->>'warehouse', settings->>'goods_owner_id')
            else concat_ws('/', settings->>'base_url', settings->>'tenant_id') end as door
          from bridge.connection where system in ('ongoing', 'fortnox'))
        select a.merchant_id, a.system || ' ' || a.door as document, 'is also that of ' || b.merchant_id as detail
        from doors a join doors b on b.system = a.system and b.door = a.door and b.merchant_id <> a.merchant_id
        union all
        select a.merchant_id, 'webhook of ' || a.system, 'has the address of one of ' || b.merchant_id
        from bridge.webhook_endpoint a join bridge.webhook_endpoint b on b.path_hash = a.path_hash
          and b.merchant_id <> a.merchant_id
        union all
        select i.merchant_id, 'inbox ' || i.inbox_no, 'points at document ' || i.doc_id || ' of ' || w.merchant_id
        from bridge.inbox i join bridge.watched w on w.kind = i.kind and w.doc_id = i.doc_id and w.document = i.document
        where i.doc_id > 0 and w.merchant_id <> i.merchant_id and not exists (
          select from bridge.watched o where o.merchant_id = i.merchant_id and o.kind = i.kind and o.doc_id = i.doc_id)
          and not exists (select from erp.sales_order s where s.merchant_id = i.merchant_id and s.order_number = i.document)
        """,
    ),
    Probe("T3", "No foreign key crosses merchants", Stage.ALWAYS, keys_stay_within_a_merchant),
    Probe("A2", "Every stored instant has its zone", Stage.ALWAYS, times_are_instants),
    Check(
        "A2",
        "No instant that the database wrote lies ahead of its clock",
        Stage.BOOKED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from erp.ledger_transaction group by 1
          union all select merchant_id, count(*) from bridge.booking group by 1) as stamped group by 1
        """,
        """
        select merchant_id, 'transaction ' || transaction_no as document, 'was recorded at ' || recorded_at as detail
        from erp.ledger_transaction where recorded_at > clock_timestamp()
        union all
        select merchant_id, kind || '/' || doc_id || '/' || line_id, 'step ' || step || ' was booked at ' || booked_at
        from bridge.booking where booked_at > clock_timestamp()
        """,
    ),
    Check(
        "A3",
        "Every ledger transaction names who booked it, why, with which code and which rules",
        Stage.BOOKED,
        """
        select merchant_id, sum(n)::bigint as n from (select merchant_id, count(*) as n from erp.ledger_transaction group by 1
          union all select merchant_id, count(*) from bridge.audit group by 1) as acts group by 1
        """,
        """
        select merchant_id, 'transaction ' || transaction_no as document,
          'actor "' || actor || '", reason "' || reason || '", code "' || code_version || '", rules "' || rule_version || '"'
          as detail
        from erp.ledger_transaction
        where btrim(actor) = '' or btrim(reason) = '' or btrim(code_version) = '' or btrim(rule_version) = ''
        union all
        select merchant_id, 'audit ' || audit_no, 'actor "' || actor || '", action "' || action || '", reason "' || reason || '"'
        from bridge.audit where btrim(actor) = '' or btrim(action) = '' or btrim(reason) = ''
        """,
    ),
    Probe("A4", "The schema is that of this code", Stage.ALWAYS, schema_is_the_codes),
    Probe(
        "A5",
        "Commits are durable, tables logged, row security forced, and no role of ours can get around it",
        Stage.ALWAYS,
        ground_is_firm,
    ),
]
