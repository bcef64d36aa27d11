"""How clients are made from a merchant's stored connection: addresses, opened credentials, limiter, lease."""

import json
from contextlib import AbstractAsyncContextManager

from activities.connections import Connections, WrongCompany, setting
from activities.rates import Banks, ExchangeRates
from clients.ecb import EcbClient
from clients.fortnox import ClientCredentials, FortnoxClient
from clients.ongoing import OngoingClient
from clients.riksbank import RiksbankClient
from clients.sftp import SftpClient
from clients.transport import new_http
from domain.errors import Refused
from erp.database import Database
from erp.limiter import RateWindow, WriteLease
from erp.merchants import Connection, Merchant
from worker.keyring import KeyRing
from worker.settings import Settings


def ongoing_connections(database: Database, keys: KeyRing, settings: Settings) -> Connections[OngoingClient]:
    """Ongoing: Basic auth, one write at a time for a goods owner."""

    def build(merchant: Merchant, connection: Connection) -> OngoingClient:
        secret = json.loads(keys.open(merchant.merchant_id, "ongoing", connection.credentials))
        lease = WriteLease(database, merchant.merchant_id, "ongoing", settings.client_deadline_seconds + 5)

        def gate(kind: str) -> AbstractAsyncContextManager[None] | None:
            return lease(urgent=kind != "article") if kind != "read" else None

        base = setting(connection, "base_url").rstrip("/")
        http = new_http(f"{base}/{setting(connection, 'warehouse')}/api/v1/", auth=(secret["username"], secret["password"]))
        return OngoingClient(
            http, int(setting(connection, "goods_owner_id")), deadline=settings.client_deadline_seconds, gate=gate
        )

    async def prove(client: OngoingClient, connection: Connection) -> None:
        await client.order_statuses()

    return Connections(database, "ongoing", build, lambda client: client.aclose(), prove)


def fortnox_connections(database: Database, keys: KeyRing, settings: Settings) -> Connections[FortnoxClient]:
    """Fortnox: client credentials, and the request window that all workers share."""

    def build(merchant: Merchant, connection: Connection) -> FortnoxClient:
        secret = json.loads(keys.open(merchant.merchant_id, "fortnox", connection.credentials))
        window = connection.settings.get("rate_window", {"requests": 25, "seconds": 5})
        limiter = RateWindow(
            database,
            merchant.merchant_id,
            "fortnox",
            int(window["requests"]),
            float(window["seconds"]),
            settings.client_deadline_seconds,
        )
        token = ClientCredentials(
            new_http(setting(connection, "token_url")),
            client_id=secret["client_id"],
            client_secret=secret["client_secret"],
            tenant_id=int(setting(connection, "tenant_id")),
        )
        return FortnoxClient(
            new_http(setting(connection, "base_url")), token, deadline=settings.client_deadline_seconds, gate=limiter
        )

    async def prove(client: FortnoxClient, connection: Connection) -> None:
        company = await client.company_information()
        wanted = setting(connection, "tenant_id")
        if company.database_number != int(wanted):
            raise WrongCompany(f"the credentials open company {company.database_number}, the connection says {wanted}")

    return Connections(database, "fortnox", build, lambda client: client.aclose(), prove)


def sftp_connections(database: Database, keys: KeyRing, settings: Settings) -> Connections[SftpClient]:
    """The server where the warehouse lays its stock files, for merchants that have one."""

    def build(merchant: Merchant, connection: Connection) -> SftpClient:
        secret = json.loads(keys.open(merchant.merchant_id, "sftp", connection.credentials))
        host, port, folder, username, host_key = (
            setting(connection, name) for name in ("host", "port", "folder", "username", "host_key")
        )
        try:
            return SftpClient(
                host,
                int(port),
                folder,
                username,
                host_key,
                password=secret.get("password"),
                private_key=secret.get("private_key"),
                deadline=settings.client_deadline_seconds,
            )
        except ValueError as wrong:
            raise Refused("settings-wrong", f"the connection to sftp holds {wrong}: give it anew (lagerbro connect)") from None

    async def prove(client: SftpClient, connection: Connection) -> None:
        async with client.open() as folder:
            await folder.files()

    return Connections(database, "sftp", build, lambda client: client.aclose(), prove)


def exchange_rates(database: Database, settings: Settings) -> ExchangeRates:
    """Both banks, for all merchants: their rates are the same for everybody, so one answer serves many."""
    deadline = settings.client_deadline_seconds
    key = settings.riksbank_key.get_secret_value() if settings.riksbank_key else None
    riksbank = RiksbankClient(new_http(settings.riksbank_url), key, deadline) if settings.riksbank_url else None
    ecb = EcbClient(new_http(settings.ecb_url), deadline) if settings.ecb_url else None
    return ExchangeRates(database, Banks(riksbank, ecb))
