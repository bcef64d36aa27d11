"""A merchant as we serve it: its books, its settings, its connections to the other systems."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from domain.errors import Refused
from domain.merchant import MerchantSettings
from erp.database import Session, one


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who it is, and the rules that hold for it now."""

    merchant_id: str
    currency: str
    country: str
    time_zone: str
    settings: MerchantSettings
    flows_off: frozenset[str] = frozenset()

    def day_of(self, at: datetime) -> date:
        """The accounting day of an instant, in the merchant's time zone."""
        return at.astimezone(ZoneInfo(self.time_zone)).date()


@dataclass(frozen=True, slots=True)
class Connection:
    """How one system is reached for one merchant. `credentials` are sealed; `version` changes when anything does."""

    system: str
    settings: dict[str, Any]
    credentials: bytes
    state: str
    problem: str | None
    probe_after: datetime | None
    version: int


_MERCHANT = text(
    """
    select m.currency, m.country, m.time_zone, s.settings, s.version,
      array(select flow from bridge.entity e where e.merchant_id = m.merchant_id and not e.enabled) as flows_off
    from erp.merchant m
    left join bridge.merchant_settings s using (merchant_id) where m.merchant_id = :merchant
    """
)
_CONNECTION = text(
    """
    select system, settings, credentials, state, problem, probe_after, version from bridge.connection
    where merchant_id = :merchant and system = :system
    """
)
_CONNECTED = text("select from bridge.connection where merchant_id = :merchant and system = :system")
_SAVE_CONNECTION = text(
    """
    insert into bridge.connection as c (merchant_id, system, settings, credentials)
    values (:merchant, :system, cast(:settings as jsonb), :credentials)
    on conflict (merchant_id, system) do update set settings = excluded.settings, credentials = excluded.credentials,
      state = 'untested', problem = null, problem_since = null, probe_after = null, version = c.version + 1, updated_at = now()
    """
)
_SAVE_SETTINGS = text(
    """
    insert into bridge.merchant_settings as s (merchant_id, settings, changed_by)
    values (:merchant, cast(:settings as jsonb), :by)
    on conflict (merchant_id) do update set settings = excluded.settings, changed_by = excluded.changed_by,
      version = s.version + 1, updated_at = now() where s.settings <> excluded.settings
    """
)
_METHOD = text(
    """
    select coalesce(s.settings->>'costing_method', 'moving-average') as method
    from erp.merchant m left join bridge.merchant_settings s using (merchant_id) where m.merchant_id = :merchant
    """
)
_HEAD = text("select from bridge.ledger_head where merchant_id = :merchant for update")
_IN_STOCK = text(
    """
    select article_number, quantity, value from erp.stock_balance
    where merchant_id = :merchant and (quantity <> 0 or value <> 0) order by article_number limit 1
    """
)
_STORED = text(
    """
    select coalesce(s.settings, '{}') as settings from erp.merchant m left join bridge.merchant_settings s using (merchant_id)
    where m.merchant_id = :merchant
    """
)
_AUDIT = text(
    """
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason, detail)
    values (:merchant, :by, 'settings-changed', 'merchant', :merchant, :reason, cast(:detail as jsonb))
    """
)
_BLOCK = text(
    """
    update bridge.connection set state = 'blocked', problem = left(:problem, 500), problem_since = coalesce(problem_since, now()),
      probe_after = now() + make_interval(secs => :pause), updated_at = now()
    where merchant_id = :merchant and system = :system and version = :version
    """
)
_PROBING = text(
    """
    update bridge.connection set probe_after = now() + make_interval(secs => :pause)
    where merchant_id = :merchant and system = :system and state = 'blocked' and probe_after <= now() returning system
    """
)
_WORKS = text(
    """
    update bridge.connection set state = 'working', problem = null, problem_since = null, probe_after = null, updated_at = now()
    where merchant_id = :merchant and system = :system and version = :version and state <> 'working'
    """
)


async def load_merchant(connection: Session, merchant: str) -> Merchant:
    """The merchant with its settings; refuses one that the ERP does not have."""
    row = await one(connection, _MERCHANT, merchant=merchant)
    if row is None:
        raise Refused("settings-wrong", f"merchant {merchant} is not in erp.merchant")
    settings = MerchantSettings.of(row.settings or {})
    return Merchant(merchant, row.currency, row.country, row.time_zone, settings, frozenset(row.flows_off))


async def load_connection(connection: Session, merchant: str, system: str) -> Connection:
    """How a system is reached; refuses a merchant that is not connected to it."""
    row = await one(connection, _CONNECTION, merchant=merchant, system=system)
    if row is None:
        raise Refused("settings-wrong", f"merchant {merchant} has no connection to {system}: connect it first")
    return Connection(row.system, row.settings, row.credentials, row.state, row.problem, row.probe_after, row.version)


async def is_connected(connection: Session, merchant: str, system: str) -> bool:
    """Whether a merchant has this connection: not every merchant has each."""
    return await one(connection, _CONNECTED, merchant=merchant, system=system) is not None


async def save_connection(
    connection: Session, merchant: str, system: str, settings: dict[str, Any], sealed_credentials: bytes
) -> None:
    """Store how a system is reached; replaces what was there and forgets that it was blocked."""
    await connection.execute(
        _SAVE_CONNECTION,
        {"merchant": merchant, "system": system, "settings": json.dumps(settings), "credentials": sealed_credentials},
    )


async def save_settings(connection: Session, merchant: str, settings: dict[str, Any], by: str) -> None:
    """Store a merchant's settings after checking them. Another costing method is refused while anything is in stock."""
    checked = MerchantSettings.of(settings)
    head = await one(connection, _METHOD, merchant=merchant)
    if head is not None and head.method != checked.costing_method:
        await connection.execute(_HEAD, {"merchant": merchant})  # bookings under way end first, and the next see the new method
        stocked = await one(connection, _IN_STOCK, merchant=merchant)
        if stocked is not None:
            raise Refused(
                "settings-wrong",
                f"setting costing_method is {head.method} and cannot become {checked.costing_method} while anything is in stock:"
                f" article {stocked.article_number} has {stocked.quantity.normalize():f} pieces worth {stocked.value}. Change it"
                " when every balance is zero, or begin a merchant of its own with an opening balance",
            )
    await connection.execute(_SAVE_SETTINGS, {"merchant": merchant, "settings": json.dumps(settings), "by": by})


async def stored_settings(connection: Session, merchant: str) -> dict[str, Any] | None:
    """A merchant's settings as they were set, without defaults; None when the ERP has no such merchant."""
    row = await one(connection, _STORED, merchant=merchant)
    return None if row is None else dict(row.settings)


async def change_settings(connection: Session, merchant: str, settings: dict[str, Any], by: str, reason: str) -> list[str]:
    """Put settings in force in place of all that was set; returns the names that mean something else now: a default that is written
    out means what it meant. Each change is kept in the audit, with what it was before; the same settings again are no change."""
    before = await stored_settings(connection, merchant) or {}
    changed = sorted(name for name in before.keys() | settings.keys() if before.get(name) != settings.get(name))
    if changed:
        await save_settings(connection, merchant, settings, by)
        detail = {name: {"from": before.get(name), "to": settings.get(name)} for name in changed}
        await connection.execute(_AUDIT, {"merchant": merchant, "by": by, "reason": reason, "detail": json.dumps(detail)})
    try:
        meant, means = asdict(MerchantSettings.of(before)), asdict(MerchantSettings.of(settings))
    except Refused:  # what was stored cannot be read, and that is being mended
        return changed
    return [name for name in changed if name not in means or meant[name] != means[name]]


async def block_connection(connection: Session, merchant: str, system: str, version: int, problem: str, pause: float) -> None:
    """One exception for the merchant instead of one for every order: the other system refuses our credentials."""
    await connection.execute(
        _BLOCK, {"merchant": merchant, "system": system, "version": version, "problem": problem, "pause": pause}
    )


async def may_probe(connection: Session, merchant: str, system: str, pause: float) -> bool:
    """Whether this caller is the one that tries a blocked connection now; the next may after `pause` seconds."""
    return await one(connection, _PROBING, merchant=merchant, system=system, pause=pause) is not None


async def connection_works(connection: Session, merchant: str, system: str, version: int) -> None:
    """The other system has answered with these credentials."""
    await connection.execute(_WORKS, {"merchant": merchant, "system": system, "version": version})


def utc_now() -> datetime:
    """Now, aware; only where no transaction's own `now()` is at hand."""
    return datetime.now(UTC)
