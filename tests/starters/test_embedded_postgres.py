"""What a killed PostgreSQL leaves, and who may log in."""

import os
from pathlib import Path

import asyncpg
import pytest

from starters.stack import postgres
from tests.conftest import Cluster


def test_a_pid_file_without_a_server_behind_it_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "postmaster.pid"
    for stale in ("4194301\n/somewhere\n", "", "nonsense\n", f"{os.getpid()}\n{tmp_path}\n"):
        file.write_text(stale, encoding="utf-8")
        postgres.clear_stale(tmp_path, patience=0.5)
        assert not file.exists()


def test_nothing_to_clear_is_fine(tmp_path: Path) -> None:
    postgres.clear_stale(tmp_path)


def test_a_cluster_half_made_is_made_anew(passable: Path) -> None:
    half = passable / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n", encoding="utf-8")
    postgres.initialise(passable / "data", "only-for-tests")
    assert (passable / "data" / "global" / "pg_control").exists()
    assert sorted(os.listdir(passable)) == ["data"]


async def test_nobody_gets_in_without_the_password(cluster: Cluster) -> None:
    assert await postgres.answers(cluster.url())
    assert not await postgres.answers(cluster.url().replace("only-for-tests", "guessed"))
    assert not await postgres.answers(f"postgresql://postgres@127.0.0.1:{cluster.port}/postgres")


async def test_the_server_listens_on_loopback_only_and_on_no_socket_file(cluster: Cluster) -> None:
    connection = await asyncpg.connect(cluster.url())
    settings = {row["name"]: row["setting"] for row in await connection.fetch("select name, setting from pg_settings")}
    await connection.close()
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["unix_socket_directories"] == ""
    assert settings["data_checksums"] == "on"
    assert (settings["log_min_error_statement"], settings["log_error_verbosity"]) == ("panic", "terse")


async def test_preparing_an_installation_twice_changes_the_password_and_nothing_else(cluster: Cluster) -> None:
    await postgres.prepare_installation(cluster.url(), "first")
    await postgres.prepare_installation(cluster.url(), "second' quoted")
    connection = await asyncpg.connect(cluster.url())
    try:
        role = await connection.fetchrow("select rolsuper, rolcreaterole from pg_roles where rolname = 'lagerbro_setup'")
        assert tuple(role) == (False, True)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(postgres.address("lagerbro_setup", "first", cluster.port, "lagerbro"))
        login = {"user": "lagerbro_setup", "password": "second' quoted", "database": "lagerbro"}
        setup = await asyncpg.connect(host="127.0.0.1", port=cluster.port, **login)
        await setup.close()
    finally:
        await connection.execute("drop database lagerbro with (force)")
        await connection.execute("drop role lagerbro_setup")
        await connection.close()
