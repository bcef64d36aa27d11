"""The other systems as a merchant reaches them: a client per merchant, its limiter and lease, its state.

Credentials that are refused block the connection, once, and not every order that needs it: while it is blocked nobody calls,
except one attempt now and then that finds out whether it works again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from activities.errors import Waiting
from clients.errors import Unauthorised
from domain.errors import Refused
from domain.flows import Flow
from erp.database import Database
from erp.merchants import (
    Connection,
    Merchant,
    block_connection,
    connection_works,
    load_connection,
    load_merchant,
    may_probe,
)

REMEMBERED_SECONDS = 2.0
PROBE_PAUSE_SECONDS = 30.0


class WrongCompany(Exception):
    """The credentials work, but open another company than the connection says: nobody may write with them."""


@dataclass(slots=True)
class _Known:
    merchant: Merchant
    connection: Connection
    client: Any
    read_at: float
    proven: bool = False


Client = TypeVar("Client")


@dataclass(slots=True)
class Connections(Generic[Client]):
    """Clients of one system, for all merchants. `build` makes one from a connection whose credentials it opens."""

    database: Database
    system: str
    build: Callable[[Merchant, Connection], Client]
    close: Callable[[Client], Any]
    prove: Callable[[Client, Connection], Any]
    _known: dict[str, _Known] = field(default_factory=dict)
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def using(self, merchant: str, flow: Flow | None = None) -> AbstractAsyncContextManager[tuple[Merchant, Client]]:
        """The merchant and its client. Raises `Waiting` while the connection is blocked; blocks it on refused credentials.

        Refuses what belongs to a `flow` that is switched off; a switch just turned is known within two seconds.
        """
        return self._using(merchant, flow)

    @asynccontextmanager
    async def _using(self, merchant: str, flow: Flow | None) -> AsyncIterator[tuple[Merchant, Client]]:
        known = await self._load(merchant)
        if flow and await self.is_off(known.merchant, flow):
            raise Refused(flow.off, f"the flow {flow.name} of {merchant} is switched off")
        try:
            if not known.proven:
                await self.prove(known.client, known.connection)
            yield known.merchant, known.client
        except (Unauthorised, WrongCompany) as refusal:
            async with self.database.merchant(merchant) as session:
                await block_connection(
                    session, merchant, self.system, known.connection.version, str(refusal), PROBE_PAUSE_SECONDS
                )
            known.proven = False
            known.read_at = 0.0
            raise Waiting("connection-blocked", f"{self.system}: {refusal}", PROBE_PAUSE_SECONDS) from None
        if not known.proven or known.connection.state != "working":
            async with self.database.merchant(merchant) as session:
                await connection_works(session, merchant, self.system, known.connection.version)
            known.proven = True
            known.read_at = 0.0

    async def is_off(self, merchant: Merchant, flow: Flow) -> bool:
        """Whether a flow is switched off: asked anew if it was, for who was just told that it is on must not be refused."""
        if flow.name not in merchant.flows_off:
            return False
        async with self.database.merchant(merchant.merchant_id) as session:
            return flow.name in (await load_merchant(session, merchant.merchant_id)).flows_off

    async def _load(self, merchant: str) -> _Known:
        async with self._loading:
            return await self._loaded(merchant)

    async def _loaded(self, merchant: str) -> _Known:
        known = self._known.get(merchant)
        if known and time.monotonic() - known.read_at < REMEMBERED_SECONDS and known.connection.state != "blocked":
            return known
        async with self.database.merchant(merchant) as session:
            who = await load_merchant(session, merchant)
            connection = await load_connection(session, merchant, self.system)
            if connection.state == "blocked" and not await may_probe(session, merchant, self.system, PROBE_PAUSE_SECONDS):
                raise Waiting("connection-blocked", f"{self.system}: {connection.problem}", PROBE_PAUSE_SECONDS)
        if known and known.connection.version == connection.version:
            known.merchant, known.connection, known.read_at = who, connection, time.monotonic()
            return known
        if known:
            await self.close(known.client)
        known = _Known(who, connection, self.build(who, connection), time.monotonic())
        self._known[merchant] = known
        return known

    async def aclose(self) -> None:
        """Close every client."""
        for known in self._known.values():
            await self.close(known.client)
        self._known.clear()


def setting(connection: Connection, name: str) -> Any:
    """A setting a connection must have."""
    try:
        return connection.settings[name]
    except KeyError:
        raise Refused("settings-wrong", f"the connection to {connection.system} lacks the setting {name}") from None
