"""What a process is told: complete, checked, and complained about in words that name the remedy."""

import pickle
from pathlib import Path

import pytest

from worker.keyring import KeyRing
from worker.settings import Settings, SettingsError

URL = "postgresql://lagerbro_app:canary-password@db:5432/erp"


def refused(**env: str) -> str:
    with pytest.raises(SettingsError) as why:
        Settings.from_environment(env)
    return str(why.value)


def test_a_database_that_was_not_given_is_named_when_it_is_asked_for() -> None:
    with pytest.raises(SettingsError, match=r"LAGERBRO_RELAY_DATABASE_URL is not set: give .*_URL_FILE"):
        Settings.from_environment({"LAGERBRO_APP_DATABASE_URL": URL}).database("relay")


def test_a_secret_may_come_from_a_file_without_its_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(URL + "\n", encoding="utf-8")
    assert Settings.from_environment({"LAGERBRO_APP_DATABASE_URL_FILE": str(file)}).database("app") == URL


def test_a_file_that_is_not_there_is_named() -> None:
    assert refused(LAGERBRO_KEYS_FILE="/nowhere/keys") == "LAGERBRO_KEYS_FILE names /nowhere/keys, which cannot be read: " + (
        "No such file or directory"
    )


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(URL, encoding="utf-8")
    text = refused(LAGERBRO_APP_DATABASE_URL=URL, LAGERBRO_APP_DATABASE_URL_FILE=str(file))
    assert text == "LAGERBRO_APP_DATABASE_URL_FILE and LAGERBRO_APP_DATABASE_URL are both set: keep one of them"


def test_what_is_no_secret_cannot_come_from_a_file() -> None:
    assert "LAGERBRO_LOG_LEVEL_FILE is not a setting" in refused(LAGERBRO_LOG_LEVEL_FILE="/etc/hostname")


def test_a_misspelt_variable_is_refused_with_the_nearest_known_one() -> None:
    assert (
        refused(LAGERBRO_SETTLE_SECOND="90") == "LAGERBRO_SETTLE_SECOND is not a setting: did you mean LAGERBRO_SETTLE_SECONDS?"
    )


def test_every_wrong_variable_is_listed_not_only_the_first() -> None:
    text = refused(LAGERBRO_INTAKE_PORT="many", LAGERBRO_SEALING="maybe", LAGERBRO_DOUBT_SECONDS="nan")
    assert [line.split(" ")[0] for line in sorted(text.splitlines())] == [
        "LAGERBRO_DOUBT_SECONDS",
        "LAGERBRO_INTAKE_PORT",
        "LAGERBRO_SEALING",
    ]


@pytest.mark.parametrize("url", ["mysql://u:canary-password@h/d", "postgresql+asyncpg://u:canary-password@h/d", "canary"])
def test_an_address_of_another_form_is_refused_without_being_shown(url: str) -> None:
    text = refused(LAGERBRO_APP_DATABASE_URL=url)
    assert "LAGERBRO_APP_DATABASE_URL" in text
    assert "canary" not in text


def test_secrets_show_in_no_form_of_printing() -> None:
    ring = KeyRing.new()
    settings = Settings.from_environment({"LAGERBRO_APP_DATABASE_URL": URL, "LAGERBRO_KEYS": ring.dump()})
    key = ring.dump().split('"')[9]
    for shown in (repr(settings), str(settings), f"{settings}", settings.model_dump_json(), str(settings.model_dump())):
        assert "canary" not in shown
        assert key not in shown


def test_an_unclear_write_may_not_be_repeated_while_the_first_may_still_arrive() -> None:
    text = refused(LAGERBRO_SETTLE_SECONDS="30", LAGERBRO_CLIENT_DEADLINE_SECONDS="30")
    assert text.startswith("LAGERBRO_SETTLE_SECONDS (30) must exceed twice LAGERBRO_CLIENT_DEADLINE_SECONDS")


@pytest.mark.parametrize("origin", ["*", "http://a.example/ui", "a.example", "https://*.example"])
def test_the_codec_server_is_opened_to_one_origin_only(origin: str) -> None:
    assert "LAGERBRO_CODEC_ORIGIN must be one origin" in refused(LAGERBRO_CODEC_ORIGIN=origin)


def test_temporal_is_reached_by_the_sdks_own_variables() -> None:
    settings = Settings.from_environment(
        {"TEMPORAL_ADDRESS": "t.example:7233", "TEMPORAL_NAMESPACE": "shop", "TEMPORAL_TLS": "true"}
    )
    connection = settings.temporal_connection()
    assert (connection["target_host"], connection["namespace"], bool(connection["tls"])) == ("t.example:7233", "shop", True)
    assert settings.temporal_namespace == "shop"


def test_settings_made_again_from_their_own_environment_are_the_same() -> None:
    env = {"LAGERBRO_APP_DATABASE_URL": URL, "LAGERBRO_DOUBT_SECONDS": "2.5", "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    settings = Settings.from_environment(env)
    assert Settings.from_environment(settings.environment()) == settings


def test_settings_survive_being_handed_to_another_process() -> None:
    settings = Settings.from_environment({"LAGERBRO_APP_DATABASE_URL": URL})
    assert pickle.loads(pickle.dumps(settings)) == settings
