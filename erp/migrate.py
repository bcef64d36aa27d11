"""Build and check the database: roles, schemas, Alembic to head. `starters.migrate` is the command.

The tables belong to `lagerbro_owner`, a role that nobody can log in as: neither the application nor the ERP can drop a
trigger, a constraint or a policy. Passwords for the login roles come from the caller and are set on every run.
"""

import asyncio
import secrets
from importlib.resources import files

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from erp.tables import metadata

SCHEMAS = ("erp", "bridge")
LOGINS = ("erp", "app", "relay", "intake", "verify")


def engine_for(url: str) -> AsyncEngine:
    """An engine for set-up work, on a plain `postgresql://` address."""
    return create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool, hide_parameters=True)


def prepare(owner_url: str, passwords: dict[str, str]) -> None:
    """Create or update everything the database needs. Safe to repeat, also by two at once (an advisory lock orders them).

    `owner_url` is a login that may create roles; `passwords` holds one for each of `LOGINS`.
    """
    asyncio.run(prepare_async(owner_url, passwords))


async def prepare_async(owner_url: str, passwords: dict[str, str]) -> None:
    engine = engine_for(owner_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(hashtext('lagerbro.migrate'))"))
            await _roles(connection.execute, passwords)
            for schema in SCHEMAS:
                await connection.execute(text(f"create schema if not exists {schema} authorization lagerbro_owner"))
            await connection.execute(text("set local role lagerbro_owner"))
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def _roles(execute, passwords: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    names = (await execute(text("select rolname from pg_roles"))).scalars().all()
    if "lagerbro_owner" not in names:
        await execute(text("create role lagerbro_owner nologin"))
    await execute(text("grant lagerbro_owner to current_user with inherit false, set true"))
    for login in LOGINS:
        role = f"lagerbro_{login}"
        if role not in names:
            await execute(text(f"create role {role} login nosuperuser nobypassrls nocreaterole nocreatedb"))
        if login in passwords:
            quoted = (await execute(text("select quote_literal(:password)"), {"password": passwords[login]})).scalar_one()
            await execute(text(f"alter role {role} password {quoted.replace(':', chr(92) + ':')}"))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("erp") / "migrations"))
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


def differences(connection: Connection) -> list[object]:
    """What Alembic would change to make the database equal to `erp/tables/`; empty when they agree."""
    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_name": lambda name, type_, _parents: type_ != "schema" or name in SCHEMAS,
            "include_object": lambda _object, name, type_, _reflected, _other: (type_, name) != ("table", "schema_version"),
            "version_table": "schema_version",
            "version_table_schema": "bridge",
            "compare_type": True,
        },
    )
    return list(compare_metadata(context, metadata))


async def check(owner_url: str) -> list[object]:
    """Build a scratch database by the migrations, compare it with the models, drop it again."""
    name = f"lagerbro_check_{secrets.token_hex(4)}"
    scratch = make_url(owner_url).set(database=name).render_as_string(hide_password=False)
    engine = engine_for(owner_url)
    try:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text(f"create database {name}"))
        try:
            await prepare_async(scratch, {})
            built = engine_for(scratch)
            async with built.connect() as connection:
                found = await connection.run_sync(differences)
            await built.dispose()
        finally:
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.execute(text(f"drop database {name} with (force)"))
        return found
    finally:
        await engine.dispose()
