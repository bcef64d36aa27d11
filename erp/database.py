"""The door to PostgreSQL. Work for a merchant happens in a transaction that says which merchant first.

The merchant is set as the first statement of the transaction and dies with it: never in a hook, where a cancelled task can
leave it behind on a pooled connection. Without it the application's role sees no row at all.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import TextClause, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

_SET_MERCHANT = text("select set_config('lagerbro.merchant', :merchant, true)")


class Database:
    """A pool of connections as one role. Parameters never appear in errors or logs."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        address = make_url(url).set(drivername="postgresql+asyncpg")
        common: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": pool_size,
            "pool_timeout": 30,
            "hide_parameters": True,
            "connect_args": {"timeout": 10, "command_timeout": 60, "server_settings": {"application_name": "lagerbro"}},
        }
        self._engine: AsyncEngine = create_async_engine(address, **common)
        # A pool of its own: its connections are never in a transaction, so nothing need be rolled back when they come home.
        self._autocommit = create_async_engine(address, **common, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)

    @asynccontextmanager
    async def merchant(self, merchant: str) -> AsyncIterator[AsyncConnection]:
        """One transaction that sees the rows of one merchant. A cancelled or failed commit leaves its outcome unknown."""
        async with self._engine.begin() as connection:
            await connection.execute(_SET_MERCHANT, {"merchant": merchant})
            yield connection

    @asynccontextmanager
    async def everyone(self) -> AsyncIterator[AsyncConnection]:
        """One transaction without a merchant, for roles whose policies let them see all: relay, intake, verify, the ERP."""
        async with self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[AsyncConnection]:
        """Single statements, each committed by itself, without a merchant: for functions that need none."""
        async with self._autocommit.connect() as connection:
            yield connection

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    async def close(self) -> None:
        await self._engine.dispose()
        await self._autocommit.dispose()


async def rows(connection: AsyncConnection, statement: TextClause, **parameters: Any) -> list[Any]:
    """All rows of a statement."""
    return list((await connection.execute(statement, parameters)).all())


async def one(connection: AsyncConnection, statement: TextClause, **parameters: Any) -> Any:
    """The single row of a statement, or None."""
    return (await connection.execute(statement, parameters)).one_or_none()
