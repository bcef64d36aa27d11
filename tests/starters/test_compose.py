"""The production shape, checked as far as it can be without a Docker engine: structure, references, settings, hardening."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from erp.migrate import LOGINS
from starters.migrate import passwords
from starters.stack.temporal import RETENTION
from worker.keyring import KeyRing
from worker.settings import Settings
from workflows import attributes, options

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "worker", "relay", "intake", "codec", "api", "exporter")

_STRING = {"type": "string"}
_STRINGS = {"type": "array", "items": _STRING, "uniqueItems": True}
_COMMAND = {"oneOf": [{"type": "null"}, _STRING, {"type": "array", "items": _STRING}]}
_DURATION = {"type": "string", "pattern": "^([0-9]+(us|ms|s|m|h))+$"}
_MAPPING = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
_SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "anyOf": [{"required": ["image"]}, {"required": ["build"]}],
    "properties": {
        "image": _STRING,
        "build": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"context": _STRING, "dockerfile": _STRING, "target": _STRING, "args": _MAPPING},
        },
        "command": _COMMAND,
        "entrypoint": _COMMAND,
        "environment": _MAPPING,
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {
                    "condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]},
                    "restart": {"type": "boolean"},
                    "required": {"type": "boolean"},
                },
            },
        },
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "read_only": {"type": "boolean"},
        "cap_drop": _STRINGS,
        "cap_add": _STRINGS,
        "security_opt": _STRINGS,
        "tmpfs": _STRINGS,
        "user": _STRING,
        "init": {"type": "boolean"},
        "ulimits": {"type": "object", "additionalProperties": {"type": "integer"}},
        "networks": _STRINGS,
        "profiles": _STRINGS,
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^([0-9.]+:)?[0-9]+:[0-9]+$"}},
        "secrets": _STRINGS,
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^[^:]+:/[^:]*(:ro|:rw)?$"}},
        "stop_grace_period": _DURATION,
        "deploy": {"type": "object"},
        "mem_limit": _STRING,
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test"],
            "properties": {
                "test": {"type": "array", "minItems": 2, "items": _STRING},
                "interval": _DURATION,
                "timeout": _DURATION,
                "start_period": _DURATION,
                "start_interval": _DURATION,
                "retries": {"type": "integer", "minimum": 1},
            },
        },
    },
}
# The part of the compose specification that this file uses, written down strictly: what is not here is a mistake.
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "required": ["services"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "services": {"type": "object", "additionalProperties": False, "patternProperties": {"^[a-zA-Z0-9._-]+$": _SERVICE}},
        "networks": {
            "type": "object",
            "additionalProperties": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": {"internal": {"type": "boolean"}, "driver": _STRING},
            },
        },
        "volumes": {"type": "object", "additionalProperties": {"type": ["object", "null"]}},
        "secrets": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {"file": _STRING, "environment": _STRING, "external": {"type": "boolean"}},
            },
        },
    },
}


def test_it_has_the_form_that_compose_prescribes() -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(COMPOSE)


def test_everything_that_is_named_exists() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("networks", [])) <= set(COMPOSE["networks"]), name
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"]), name
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (REPOSITORY / source).exists(), volume
        for variable, value in service.get("environment", {}).items():
            if isinstance(value, str) and value.startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], f"{name}: {variable}"
        for read in re.findall(r"/run/secrets/([a-z_]+)", json.dumps(service)):
            assert read in service["secrets"], f"{name}: {read}"
    assert set(COMPOSE["secrets"]) == {secret for service in SERVICES.values() for secret in service.get("secrets", [])}


def test_whoever_is_waited_for_can_be_waited_for() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[needed], f"{name} waits for the health of {needed}"
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[needed]["restart"] in ("no", "on-failure"), f"{name} waits for {needed} to end"


def settings_of(service: str, folder: Path) -> Settings:
    """What the process in the container would be told, with plausible secrets in the files."""
    given = {}
    for variable, value in SERVICES[service].get("environment", {}).items():
        given[variable] = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
    for variable, value in given.items():
        if variable.startswith("LAGERBRO_") and value.startswith("/run/secrets/"):
            file = folder / value.removeprefix("/run/secrets/")
            if variable == "LAGERBRO_KEYS_FILE":
                file.write_text(KeyRing.new().dump(), encoding="utf-8")
            elif variable == "LAGERBRO_PASSWORDS_FILE":
                file.write_text(json.dumps(dict.fromkeys(LOGINS, "secret")), encoding="utf-8")
            else:
                file.write_text("postgresql://user:secret@db:5432/erp\n", encoding="utf-8")
            given[variable] = str(file)
    return Settings.from_environment(given)


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_known_and_none_is_missing(service: str, tmp_path: Path) -> None:
    settings = settings_of(service, tmp_path)
    match service:
        case "migrate":
            assert settings.database("owner")
            assert passwords(settings)
        case "worker":
            assert settings.database("app")
            assert settings.key_ring()
            assert settings.health_file is not None
        case "relay":
            assert settings.database("relay")
            assert settings.key_ring()
            assert settings.health_file is not None
        case "intake":
            assert settings.database("intake")
            assert settings.intake_host == "0.0.0.0"
        case "codec":
            assert settings.key_ring()
            assert settings.codec_origin is not None
            assert settings.codec_host == "0.0.0.0"
        case "api":
            assert settings.database("app")
            assert settings.key_ring()
            assert settings.api_host == "0.0.0.0"
        case "exporter":
            assert settings.database("verify")
            assert (settings.metrics_host, settings.metrics_port) == ("0.0.0.0", 9464)


@pytest.mark.parametrize("service", ["worker", "relay", "api"])
def test_who_speaks_to_temporal_is_told_where_it_is(service: str, tmp_path: Path) -> None:
    connection = settings_of(service, tmp_path).temporal_connection()
    host = connection["target_host"].split(":")[0]
    assert host in SERVICES
    assert connection["namespace"] == settings_of("codec", tmp_path).temporal_namespace


def test_a_process_holds_the_secrets_it_needs_and_no_others() -> None:
    needed = {
        "migrate": {"owner_database_url", "role_passwords"},
        "worker": {"app_database_url", "keys"},
        "relay": {"relay_database_url", "keys"},
        "intake": {"intake_database_url"},
        "codec": {"keys"},
        "api": {"app_database_url", "keys"},
        "exporter": {"verify_database_url"},
    }
    assert {name: set(SERVICES[name]["secrets"]) for name in OURS} == needed


@pytest.mark.parametrize("service", OURS)
def test_our_containers_can_write_nothing_and_may_do_nothing(service: str) -> None:
    hardened = SERVICES[service]
    assert hardened["read_only"] is True
    assert hardened["cap_drop"] == ["ALL"]
    assert "cap_add" not in hardened
    assert "no-new-privileges:true" in hardened["security_opt"]
    assert hardened["ulimits"]["core"] == 0
    assert "volumes" not in hardened


@pytest.mark.parametrize("service", sorted(set(OURS) - {"migrate"}))
def test_what_runs_for_long_says_how_it_is(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_a_worker_that_is_stopped_may_finish_its_calls() -> None:
    seconds = int(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    assert seconds > 30


def test_no_secret_stands_in_the_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            secret = re.search("PASSWORD|PWD|SECRET|TOKEN|KEYS|DATABASE_URL", variable)
            assert not secret or str(value).startswith("/run/secrets/"), f"{name}: {variable}"


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_are_pinned_to_a_version() -> None:
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    images += re.findall(r"^FROM (\S+)", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    for image in images:
        assert re.search(r":\d+\.\d+", image), image


def test_the_image_runs_as_nobody_in_particular_and_is_built_from_the_lock() -> None:
    dockerfile = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    user = re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)[-1]
    assert int(user) > 0
    assert "--require-hashes -r requirements.txt" in dockerfile
    for folder in ("domain", "clients", "erp", "activities", "workflows", "worker", "starters"):
        assert re.search(rf"^COPY {folder} ", dockerfile, re.MULTILINE), folder
    assert not re.search(r"COPY (simulators|bench|tests|\.)", dockerfile)


def test_temporal_is_set_up_with_the_attributes_that_the_processes_use() -> None:
    script = json.dumps(SERVICES["temporal-namespace"])
    made = r"for name in ([^;]*); do\\n\s*temporal operator search-attribute create[^|]*--type (\w+)"
    kinds = {name: kind for names, kind in re.findall(made, script) for name in names.split()}
    assert kinds == {key.name: key.indexed_value_type.name.title() for key in attributes.ALL}
    assert f"--retention {int(RETENTION.total_seconds() // 3600)}h" in script


def test_fairness_between_merchants_is_configured_for_the_queue_of_fortnox() -> None:
    dynamic = yaml.safe_load((REPOSITORY / "deploy" / "dynamic-config.yaml").read_text(encoding="utf-8"))
    for key, value in (
        ("matching.enableFairness", True),
        ("matching.numTaskqueueReadPartitions", 1),
        ("matching.numTaskqueueWritePartitions", 1),
    ):
        assert dynamic[key] == [{"value": value, "constraints": {"taskQueueName": options.FORTNOX_QUEUE}}]
    mounted = SERVICES["temporal"]["environment"]["DYNAMIC_CONFIG_FILE_PATH"]
    assert any(volume.split(":")[1] == mounted for volume in SERVICES["temporal"]["volumes"])
