"""The whole examination of one merchant: our own side first, then both systems."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from domain.errors import Refused
from domain.vat import vat_zone
from erp.database import Database, one, rows
from erp.merchants import Connection, Merchant, is_connected, load_connection, load_merchant
from erp.rates import wanted_currencies
from starters.doctor.accounting import examine_accounting
from starters.doctor.company import Company
from starters.doctor.finding import RED, Finding, bad, good, later
from starters.doctor.how_it_counts import examine_counting
from starters.doctor.ours import examine_ours, examine_schedules
from starters.doctor.sftp import NAME as SFTP
from starters.doctor.sftp import NONE, examine_sftp
from starters.doctor.warehouse import examine_warehouse
from worker.keyring import KeyRing, KeyRingError
from worker.settings import Settings
from worker.wiring import fortnox_connections, ongoing_connections, sftp_connections

_USES = text(
    """
    select
      (select coalesce(array_agg(distinct currency), '{}') from erp.sales_order where merchant_id = :m
        and created_at > now() - interval '400 days') as currencies,
      (select coalesce(array_agg(distinct way_of_delivery), '{}') from erp.sales_order where merchant_id = :m
        and way_of_delivery is not null and created_at > now() - interval '400 days') as ways,
      (select coalesce(array_agg(distinct trim_scale(vat_rate)::text), '{}') from erp.article where merchant_id = :m and active)
        as vat_rates,
      (select coalesce(array_agg(distinct order_type), '{}') from erp.sales_order where merchant_id = :m
        and created_at > now() - interval '400 days') as order_types,
      (select coalesce(array_agg(distinct currency), '{}') from erp.supplier where merchant_id = :m) as supplier_currencies,
      (select count(*) from bridge.webhook_endpoint where merchant_id = :m and system = 'ongoing' and enabled) as webhooks,
      clock_timestamp() as now
    """
)
_SALES = text(
    """
    select distinct c.country, c.vat_number is not null and c.vat_number <> '' as has_vat_number,
      trim_scale(l.vat_rate)::text as rate, o.freight <> 0 as freight
    from erp.sales_order o
    join erp.customer c on c.merchant_id = o.merchant_id and c.customer_number = o.customer_number
    join erp.sales_order_line l on l.merchant_id = o.merchant_id and l.order_number = o.order_number
    where o.merchant_id = :m and o.created_at > now() - interval '400 days'
    """
)


async def examine(settings: Settings, keys: KeyRing, merchant: str, client: Client | None) -> list[Finding]:
    """Everything that is looked at, in an order in which it can be mended. Keeps what it saw of how the warehouse counts."""
    database = Database(settings.database("app"), pool_size=2)
    try:
        return await _examine(database, settings, keys, merchant, client)
    finally:
        await database.close()


async def _examine(database: Database, settings: Settings, keys: KeyRing, merchant: str, client: Client | None) -> list[Finding]:
    connections: dict[str, Connection] = {}
    found: list[Finding] = []
    async with database.merchant(merchant) as session:
        uses = await one(session, _USES, m=merchant)
        sales = await rows(session, _SALES, m=merchant)
        try:
            who = await load_merchant(session, merchant)
        except Refused as wrong:
            return [bad("settings", str(wrong), "Connect the merchant (lagerbro connect), or correct its settings.")]
        try:
            ZoneInfo(who.time_zone)
        except (KeyError, ValueError):
            remedy = "Give the merchant one like Europe/Stockholm in erp.merchant (time_zone)."
            return [bad("settings", f"{who.time_zone!r} is no time zone", remedy)]
        found.append(good("settings", "readable"))
        for system in ("ongoing", "fortnox"):
            try:
                connections[system] = await load_connection(session, merchant, system)
            except Refused as missing:
                found.append(bad(f"{system}-connection", str(missing), "Connect the merchant (lagerbro connect)."))
        by_sftp = await load_connection(session, merchant, "sftp") if await is_connected(session, merchant, "sftp") else None
    apart = (uses.now - datetime.now(UTC)).total_seconds()
    found.append(
        good("database-clock", "as ours")
        if abs(apart) < 60
        else bad("database-clock", f"{apart:.0f} s away from ours", "Set both machines' clocks by NTP.")
    )
    found.append(
        good("webhooks", "an address is there")
        if uses.webhooks
        else later("webhooks", "no address: everything is found by the poll, later", "lagerbro connect makes one.")
    )
    found.append(await _watcher(client, merchant))
    async with database.merchant(merchant) as session:
        found += await examine_ours(session, who, datetime.now(ZoneInfo(who.time_zone)).date())
        rated = await wanted_currencies(session, merchant, who.currency, who.settings.rate_currencies)
    found.append(await _sftp(database, settings, keys, who, by_sftp) if by_sftp else NONE)
    found += await examine_schedules(client, who, bool(rated))
    for system, connection in connections.items():
        if wrong_words := _unusable(system, connection, keys, merchant):
            found.append(bad(f"{system}-connection", *wrong_words))
            continue
        found.append(good(f"{system}-connection", "complete"))
        if system == "ongoing":
            found += await _warehouse(database, settings, keys, who, connection, list(uses.ways))
        else:
            found += await _accounting(database, settings, keys, who, connection, uses, sales)
    return found


NEEDED = {
    "ongoing": (("base_url", "warehouse", "goods_owner_id"), ("username", "password")),
    "fortnox": (("base_url", "token_url", "tenant_id"), ("client_id", "client_secret")),
}


def _unusable(system: str, connection: Connection, keys: KeyRing, merchant: str) -> tuple[str, str] | None:
    names, secret_names = NEEDED[system]
    if lacking := [name for name in names if connection.settings.get(name) in (None, "")]:
        return f"lacks {', '.join(lacking)}", "Connect the merchant anew with it (lagerbro connect)."
    numbers = [name for name in ("goods_owner_id", "tenant_id") if name in names]
    if wrong := [name for name in numbers if not str(connection.settings[name]).isdecimal()]:
        return f"{wrong[0]} is no number", "Connect the merchant anew with it (lagerbro connect)."
    remedy = f"Give them anew (lagerbro connection set {system} --credentials FILE)."
    try:
        secret: dict[str, Any] = json.loads(keys.open(merchant, system, connection.credentials))
    except (KeyRingError, ValueError) as why:
        return f"its credentials cannot be opened: {why}", f"Give the key ring that sealed them. {remedy}"
    if lacking := [name for name in secret_names if not secret.get(name)]:
        return f"its credentials lack {', '.join(lacking)}", remedy
    return None


async def _watcher(client: Client | None, merchant: str) -> Finding:
    if client is None:
        return bad("watcher", "Temporal does not answer", "Start Temporal, or correct TEMPORAL_ADDRESS.")
    try:
        description = await client.get_workflow_handle(f"watch/{merchant}").describe()
    except RPCError:
        return bad("watcher", "nobody watches the warehouse", "lagerbro connect starts it; it is safe to repeat.")
    if description.status is not WorkflowExecutionStatus.RUNNING:
        return bad("watcher", "nobody watches the warehouse any more", "lagerbro connect starts it; it is safe to repeat.")
    return good("watcher", "runs")


async def _sftp(database: Database, settings: Settings, keys: KeyRing, who: Merchant, connection: Connection) -> Finding:
    try:
        client = sftp_connections(database, keys, settings).build(who, connection)
    except (KeyRingError, Refused, ValueError, TypeError) as why:
        remedy = "Give the key ring that sealed it, or connect the merchant anew with it (lagerbro connect --replace FILE)."
        return bad(SFTP, f"the connection is not usable: {why}", remedy)
    return await examine_sftp(client)


async def _warehouse(
    database: Database, settings: Settings, keys: KeyRing, who: Merchant, connection: Connection, ways: list[str]
) -> list[Finding]:
    connections = ongoing_connections(database, keys, settings)
    client = connections.build(who, connection)
    try:
        found = await examine_warehouse(client, connection.settings, who.settings, ways)
        if any(each.state == RED for each in found):
            return found
        return [*found, await examine_counting(database, client, who)]
    finally:
        await client.aclose()


async def _accounting(
    database: Database, settings: Settings, keys: KeyRing, who: Merchant, connection: Connection, uses: Any, sales: Sequence[Any]
) -> list[Finding]:
    connections = fortnox_connections(database, keys, settings)
    client = connections.build(who, connection)
    today = datetime.now(ZoneInfo(who.time_zone)).date()
    try:
        zones = [(vat_zone(who.country, row.country, "given" if row.has_vat_number else None).value, row) for row in sales]
        company = Company(
            today,
            who.settings,
            who.currency,
            list(uses.currencies),
            list(uses.vat_rates),
            list(uses.order_types),
            sorted({(zone, row.rate) for zone, row in zones}),
            sorted({zone for zone, row in zones if row.freight}),
            list(uses.supplier_currencies),
        )
        return await examine_accounting(client, connection.settings, company)
    finally:
        await client.aclose()
