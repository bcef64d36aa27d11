"""The door to PostgreSQL. Work for a merchant happens in a transaction that says which merchant first.

The merchant is set as the first statement of the transaction and dies with it: never in a hook, where a cancelled task can
leave it behind on a pooled connection. Without it the application's role sees no row at all.
"""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg
from asyncpg.exceptions import (
    AdminShutdownError,
    CannotConnectNowError,
    DataError,
    IntegrityConstraintViolationError,
    InterfaceError,
    PostgresConnectionError,
    PostgresError,
)
from sqlalchemy import TextClause, make_url
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import InterfaceError as SqlalchemyInterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

DATABASE_ERRORS = (DBAPIError, PostgresError, InterfaceError)
"""What a statement or a connection may fail with, by either way of speaking to PostgreSQL."""

NEVER_KEPT = (IntegrityConstraintViolationError, DataError)
"""What PostgreSQL refuses because of what is written: it will refuse it again, however often it is tried."""

_DIALECT = dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_WAIT_SECONDS = 30.0
_LEAVE_SECONDS = 5.0


def is_away(error: BaseException) -> bool:
    """Whether an error means that PostgreSQL does not answer, and not that it refuses."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | SqlalchemyInterfaceError)
    return isinstance(error, InterfaceError | PostgresConnectionError | CannotConnectNowError | AdminShutdownError)


class Session(Protocol):
    """What the queries need of a connection: SQLAlchemy's, or ours over asyncpg itself."""

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any] | None = None, /) -> Any:
        """Run one statement with its named parameters."""


class Row(asyncpg.Record):  # type: ignore[misc]
    """A row whose columns are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def _mapping(self) -> dict[str, Any]:
        return dict(self.items())


class Rows:
    """What a statement has found, read whole."""

    __slots__ = ("_rows",)

    def __init__(self, found: list[Row]) -> None:
        self._rows = found

    def all(self) -> list[Row]:
        """Every row."""
        return self._rows

    def one_or_none(self) -> Row | None:
        """The single row, or None. More than one is a bug."""
        if len(self._rows) > 1:
            raise ValueError(f"{len(self._rows)} rows where one at most was expected")
        return self._rows[0] if self._rows else None

    def scalar_one(self) -> Any:
        """The first column of the single row."""
        [row] = self._rows
        return row[0]


class Direct:
    """A connection of asyncpg that takes the statements of `erp/`: the hot paths spend half the CPU this way."""

    __slots__ = ("_driver",)

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any] | None = None, /) -> Rows:
        """Run one statement with its named parameters."""
        sql, names = _numbered(statement)
        return Rows(await self._driver.fetch(sql, *(parameters[name] for name in names) if parameters else ()))


@functools.lru_cache(maxsize=1000)
def _numbered(statement: TextClause) -> tuple[str, tuple[str, ...]]:
    """The statement with numbered parameters, and their names in that order. Statements are constants, so this is done once."""
    compiled = statement.compile(dialect=_DIALECT)
    return str(compiled), tuple(compiled.positiontup or ())


class Database:
    """A pool of connections as one role. Parameters never appear in errors or logs."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        self._url = make_url(url)
        self._pool_size = pool_size
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._engine: AsyncEngine | None = None

    @asynccontextmanager
    async def merchant(self, merchant: str) -> AsyncIterator[Direct]:
        """One transaction that sees the rows of one merchant. A cancelled or failed commit leaves its outcome unknown."""
        named = merchant.replace("'", "''")
        async with self._connection() as driver:
            # One round trip for both. Nobody else's words get here: a merchant's id is a short word, and quoted all the same.
            await driver.execute(f"begin; select set_config('lagerbro.merchant', '{named}', true)")
            try:
                yield Direct(driver)
            except BaseException:
                if not driver.is_closed():
                    await driver.execute("rollback")
                raise
            ended = await driver.execute("commit")
            if ended != "COMMIT":
                raise InterfaceError("a statement of this transaction failed and nobody minded: nothing of it is kept")

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[Direct]:
        """Single statements, each committed by itself, without a merchant: for functions that need none."""
        async with self._connection() as driver:
            yield Direct(driver)

    @asynccontextmanager
    async def everyone(self) -> AsyncIterator[AsyncConnection]:
        """One transaction without a merchant, for roles whose policies let them see all: relay, intake, verify, the ERP."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        pool = self._pool or await self._open()
        async with pool.acquire(timeout=_WAIT_SECONDS) as driver:
            yield driver

    async def _open(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url.set(drivername="postgresql").render_as_string(hide_password=False),
                    min_size=0,
                    max_size=2 * self._pool_size,
                    timeout=10,
                    command_timeout=60,
                    server_settings={"application_name": "lagerbro"},
                    record_class=Row,
                    init=_read_json,
                    reset=_nothing_to_reset,
                )
        return self._pool

    @property
    def engine(self) -> AsyncEngine:
        """SQLAlchemy's engine on the same database, made when first needed."""
        if self._engine is None:
            self._engine = create_async_engine(
                self._url.set(drivername="postgresql+asyncpg"),
                pool_size=self._pool_size,
                max_overflow=self._pool_size,
                pool_timeout=_WAIT_SECONDS,
                hide_parameters=True,
                connect_args={"timeout": 10, "command_timeout": 60, "server_settings": {"application_name": "lagerbro"}},
            )
        return self._engine

    async def close(self) -> None:
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), _LEAVE_SECONDS)
            except TimeoutError:  # somebody who was killed holds a connection still
                self._pool.terminate()
        if self._engine is not None:
            await self._engine.dispose()


async def _read_json(driver: Any) -> None:
    await driver.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=json.loads)


async def _nothing_to_reset(_driver: Any) -> None:
    """Whatever we set is set for the transaction only; asyncpg has ended that by itself."""


async def rows(connection: Session, statement: TextClause, **parameters: Any) -> list[Any]:
    """All rows of a statement."""
    return list((await connection.execute(statement, parameters)).all())


async def one(connection: Session, statement: TextClause, **parameters: Any) -> Any:
    """The single row of a statement, or None."""
    return (await connection.execute(statement, parameters)).one_or_none()
