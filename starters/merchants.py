"""Connecting a merchant: its settings, its sealed credentials, its webhook address, its watcher."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from temporalio.client import Client, ScheduleRange, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from domain.flows import FLOWS, ORDERS_BACK
from domain.merchant import MerchantSettings
from erp.database import Database
from erp.flows import ensure
from erp.merchants import save_connection, save_settings
from starters.endpoints import hashed
from starters.schedules import every_day
from worker.keyring import KeyRing
from workflows import attributes, options
from workflows.exchange_rates import FetchExchangeRates, RatesKey
from workflows.match_supplier_invoices import MatchSupplierInvoices
from workflows.post_vouchers import PostVouchers
from workflows.reconcile_stock import ReconcileStock, ToReconcile
from workflows.sync_articles import SyncArticles
from workflows.watch_warehouse import WatchKey, WatchWarehouse

_ERP_MERCHANT = text(
    """
    insert into erp.merchant (merchant_id, name, currency, country, time_zone)
    values (:merchant, :name, :currency, :country, :time_zone)
    on conflict (merchant_id) do nothing
    """
)
_ENDPOINT = text(
    """
    insert into bridge.webhook_endpoint (merchant_id, system, path_hash, token_hash) values (:merchant, :system, :path, :token)
    on conflict do nothing
    """
)


@dataclass(frozen=True, slots=True)
class NewMerchant:
    """Everything that connects a merchant. Credentials are sealed before they touch the database.

    `sftp` is empty where no stock files come that way.
    """

    merchant_id: str
    name: str
    ongoing: dict[str, Any]
    ongoing_credentials: dict[str, str] = field(repr=False)
    fortnox: dict[str, Any]
    fortnox_credentials: dict[str, str] = field(repr=False)
    currency: str = "SEK"
    country: str = "SE"
    time_zone: str = "Europe/Stockholm"
    settings: dict[str, Any] = field(default_factory=dict)
    sftp: dict[str, Any] = field(default_factory=dict)
    sftp_credentials: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    """The secret end of the address to give the warehouse, and the token it must send. Shown once, kept as hashes."""

    path: str = field(repr=False)
    token: str = field(repr=False)

    @classmethod
    def new(cls) -> "WebhookAddress":
        return cls(f"/webhooks/ongoing/{secrets.token_urlsafe(32)}", secrets.token_urlsafe(32))


async def connect_merchant(
    erp: Database, app: Database, keys: KeyRing, client: Client, merchant: NewMerchant, webhook: WebhookAddress | None
) -> None:
    """Connect a merchant, or connect it anew: addresses, credentials and settings are replaced, nothing is lost.

    Switches and intervals that a person has turned stay, and without `webhook` the addresses that are there. `erp` may
    write erp.merchant (the ERP's own role), `app` our plumbing. Starts the merchant's watcher if it is not running, and sets its
    schedules.
    """
    who = merchant.merchant_id
    settings = MerchantSettings.of(merchant.settings)
    async with erp.everyone() as session:
        await session.execute(
            _ERP_MERCHANT,
            {
                "merchant": who,
                "name": merchant.name,
                "currency": merchant.currency,
                "country": merchant.country,
                "time_zone": merchant.time_zone,
            },
        )
    async with app.merchant(who) as session:
        await save_settings(session, who, merchant.settings, "lagerbro connect")
        for system, where, credentials in (
            ("ongoing", merchant.ongoing, merchant.ongoing_credentials),
            ("fortnox", merchant.fortnox, merchant.fortnox_credentials),
            ("sftp", merchant.sftp, merchant.sftp_credentials),
        ):
            if not where:  # not every merchant gets files by SFTP; a connection that is there stays
                continue
            sealed = keys.seal(who, system, json.dumps(credentials))
            await save_connection(session, who, system, where, sealed)
        if webhook is not None:
            secret = webhook.path.rsplit("/", 1)[1]
            await session.execute(
                _ENDPOINT, {"merchant": who, "system": "ongoing", "path": hashed(secret), "token": hashed(webhook.token)}
            )
        for flow in FLOWS.values():
            await ensure(session, who, flow, settings.watch_interval_seconds if flow is ORDERS_BACK else None)
    await start_watching(client, who)
    await every_day(client, f"vouchers/{who}", PostVouchers.run, who, settings.vouchers_hour, merchant.time_zone, merchant=who)
    await every_day(
        client,
        f"reconcile/{who}",
        ReconcileStock.run,
        ToReconcile(who),
        settings.reconciling.hour,
        merchant.time_zone,
        merchant=who,
        minute=10,
    )
    await every_day(
        client,
        f"supplier-invoices/{who}",
        MatchSupplierInvoices.run,
        who,
        0,
        merchant.time_zone,
        merchant=who,
        minute=40,
        hours=ScheduleRange(0, 23),
    )
    await every_day(
        client,
        f"rates/{who}",
        FetchExchangeRates.run,
        RatesKey(who),
        17,
        "Europe/Stockholm",
        merchant=who,
        minute=5,
        at_once=True,
    )


async def start_syncing(client: Client, merchant: str) -> WorkflowHandle[SyncArticles, int]:
    """Start the merchant's article process, or tell the one that runs."""
    return await client.start_workflow(
        SyncArticles.run,
        merchant,
        id=f"articles/{merchant}",
        task_queue=options.ORDERS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal="articles_changed",
        static_summary=f"Articles of {merchant}",
        search_attributes=attributes.at_start(merchant, merchant, "sending", datetime.now(UTC)),
    )


async def start_watching(client: Client, merchant: str) -> None:
    """Start the merchant's watcher, or leave the one that runs."""
    try:
        await client.start_workflow(
            WatchWarehouse.run,
            WatchKey(merchant),
            id=f"watch/{merchant}",
            task_queue=options.ORDERS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"Watches the warehouse of {merchant}",
            search_attributes=attributes.at_start(merchant, merchant, "watching", datetime.now(UTC)),
        )
    except WorkflowAlreadyStartedError:
        return
