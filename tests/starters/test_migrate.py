"""Setting up a database: migrations and models agree, and the command refuses what is incomplete."""

import json

import pytest
from sqlalchemy import text

from erp.migrate import LOGINS, check, differences, engine_for
from starters.migrate import passwords
from tests.conftest import Cluster, scratch_database
from worker.settings import Settings, SettingsError


async def test_what_the_migrations_build_is_what_the_models_say(cluster: Cluster) -> None:
    assert await check(cluster.url()) == []


async def test_a_column_that_only_the_database_knows_is_found(cluster: Cluster) -> None:
    async with scratch_database(cluster) as database:
        engine = engine_for(database.url("owner"))
        async with engine.begin() as connection:
            assert await connection.run_sync(differences) == []
            await connection.execute(text("alter table erp.article add column surprise text"))
            found = await connection.run_sync(differences)
        await engine.dispose()
    assert "surprise" in str(found)


@pytest.mark.parametrize("given", [None, "canary", "[]", json.dumps(dict.fromkeys(LOGINS[1:], "canary"))])
def test_passwords_that_are_not_complete_are_refused_without_being_shown(given: str | None) -> None:
    env = {} if given is None else {"LAGERBRO_PASSWORDS": given}
    with pytest.raises(SettingsError, match="LAGERBRO_PASSWORDS") as why:
        passwords(Settings.from_environment(env))
    assert "canary" not in str(why.value)
