"""Everything a process is told from outside, read once, checked once, complained about in words.

Only this module reads the environment. Variables are the fields below in capitals after `LAGERBRO_`; a secret may instead be
named by a file, `LAGERBRO_KEYS_FILE=/run/secrets/keys`, as containers hand them over. The address, namespace and TLS of
Temporal are the SDK's own `TEMPORAL_*` variables. A variable that nobody knows is refused: a misspelt one that is silently
ignored costs a night.
"""

import difflib
import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError
from temporalio.envconfig import ClientConfig, ClientConnectConfig

from worker.keyring import KeyRing, KeyRingError

PREFIX = "LAGERBRO_"
Role = Literal["app", "relay", "intake", "erp", "verify", "owner"]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65_535)]


def _installed_version() -> str:
    """The version of the package; an image that only copies the code names its build itself."""
    try:
        return metadata.version("lagerbro")
    except metadata.PackageNotFoundError:
        return "unpackaged"


class SettingsError(Exception):
    """A variable is missing or wrong; the text names it and says what to do."""


class Settings(BaseModel):
    """What this process was told. Secrets show as stars; ask for a database with `database("app")`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    app_database_url: SecretStr | None = None
    relay_database_url: SecretStr | None = None
    intake_database_url: SecretStr | None = None
    erp_database_url: SecretStr | None = None
    verify_database_url: SecretStr | None = None
    owner_database_url: SecretStr | None = Field(None, description="a login that may create roles, for set-up and migrations")

    passwords: SecretStr | None = Field(None, description="JSON: the password of each login role, for set-up only")
    keys: SecretStr | None = Field(None, description="the key ring as JSON; see worker/keyring.py")
    sealing: Literal["on", "off"] = Field("on", description="off leaves payloads readable in Temporal: for tests only")

    riksbank_url: str | None = Field(None, description="https://api.riksbank.se/swea/v1; no rate is asked for without it")
    riksbank_key: SecretStr | None = Field(None, description="the bank's subscription key; fewer requests are allowed without")
    ecb_url: str | None = Field(None, description="https://www.ecb.europa.eu/stats/eurofxref; the second source of rates")

    home: Path = Field(Path(".lagerbro"), description="where the embedded stack keeps its state")
    port_base: Port | None = Field(None, description="the embedded stack's first port; the others follow")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    health_file: Path | None = Field(None, description="touched while the process is well; see worker/health.py")
    build_id: str = Field(default_factory=_installed_version, min_length=1, max_length=100)

    intake_host: str = "127.0.0.1"
    intake_port: Port = 8480
    api_host: str = "127.0.0.1"
    api_port: Port = 8482
    codec_host: str = "127.0.0.1"
    codec_port: Port = 8481
    codec_origin: str | None = Field(None, description="the one origin whose pages may use the codec server: the Temporal UI")

    metrics_host: str = "127.0.0.1"
    metrics_port: Port | None = Field(
        None, description="where this process serves its figures for Prometheus; not at all without it"
    )
    trace_endpoint: str | None = Field(
        None, description="where traces go over OTLP/HTTP, as http://collector:4318/v1/traces; off without it"
    )

    worker_concurrency: Annotated[int, Field(ge=1, le=1000)] = 20
    doubt_seconds: Annotated[Seconds, Field(description="how long a counter must stay lower before that is booked")] = 30.0
    settle_seconds: Annotated[Seconds, Field(description="how long a write without a clear answer may live")] = 90.0
    client_deadline_seconds: Annotated[Seconds, Field(description="the whole of one call to another system")] = 30.0

    temporal: Mapping[str, str] = Field(default_factory=dict, repr=False, description="the TEMPORAL_* variables as given")

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read and check. Raises `SettingsError` with one line for each variable that is wrong."""
        values: dict[str, object] = {"temporal": {name: value for name, value in env.items() if name.startswith("TEMPORAL_")}}
        problems: list[str] = []
        for variable, value in env.items():
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name.removesuffix("_file") in cls.secrets() - {name}:
                name = name.removesuffix("_file")
                if variable.removesuffix("_FILE") in env:
                    problems.append(f"{variable} and {variable.removesuffix('_FILE')} are both set: keep one of them")
                try:
                    values[name] = Path(value).read_text(encoding="utf-8").strip()
                except (OSError, UnicodeDecodeError) as why:
                    problems.append(f"{variable} names {value}, which cannot be read: {_reason(why)}")
                continue
            if name not in cls.model_fields or name == "temporal":
                problems.append(f"{variable} is not a setting{_nearest(variable)}")
            else:
                values[name] = value
        try:
            settings = cls.model_validate(values)
        except ValidationError as wrong:
            problems += [_in_words(error["loc"], error["msg"]) for error in wrong.errors(include_input=False, include_url=False)]
        if problems:
            raise SettingsError("\n".join(problems))
        return settings

    @classmethod
    def secrets(cls) -> frozenset[str]:
        """Fields that are secret, and may therefore come from a file."""
        return frozenset(name for name, field in cls.model_fields.items() if field.annotation == SecretStr | None)

    @classmethod
    def variables(cls) -> frozenset[str]:
        """Every environment variable that is understood."""
        plain = {PREFIX + name.upper() for name in cls.model_fields if name != "temporal"}
        return frozenset(plain | {PREFIX + name.upper() + "_FILE" for name in cls.secrets()})

    @field_validator(
        "app_database_url",
        "relay_database_url",
        "intake_database_url",
        "erp_database_url",
        "verify_database_url",
        "owner_database_url",
    )
    @classmethod
    def _is_an_address(cls, given: SecretStr | None) -> SecretStr | None:
        if given is None:
            return None
        try:
            url = make_url(given.get_secret_value())
        except (ArgumentError, ValueError):
            raise ValueError("is not an address of the form postgresql://user:password@host:port/database") from None
        if url.drivername != "postgresql" or not url.username or not url.database:
            raise ValueError("must have the form postgresql://user:password@host:port/database")
        return given

    @field_validator("keys")
    @classmethod
    def _is_a_key_ring(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None:
            try:
                KeyRing.parse(given.get_secret_value())
            except KeyRingError as why:
                raise ValueError(str(why)) from None
        return given

    @field_validator("codec_origin")
    @classmethod
    def _is_an_origin(cls, given: str | None) -> str | None:
        if given is not None and not (given.startswith(("http://", "https://")) and given.count("/") == 2 and "*" not in given):
            raise ValueError("must be one origin such as https://temporal.example.com, without a path and without *")
        return given

    @field_validator("trace_endpoint")
    @classmethod
    def _is_a_collector(cls, given: str | None) -> str | None:
        if given is not None and not given.startswith(("http://", "https://")):
            raise ValueError("must be an address like http://collector:4318/v1/traces")
        return given

    @model_validator(mode="after")
    def _an_unclear_request_is_outlived(self) -> Self:
        if self.settle_seconds <= 2 * self.client_deadline_seconds:
            raise ValueError(
                f"LAGERBRO_SETTLE_SECONDS ({self.settle_seconds:g}) must exceed twice LAGERBRO_CLIENT_DEADLINE_SECONDS "
                f"({self.client_deadline_seconds:g}): a request waits that long for its turn and that long for its answer"
            )
        return self

    def database(self, role: Role) -> str:
        """The address of the database as one role, password included. Raises `SettingsError` when it was not given."""
        url: SecretStr | None = getattr(self, f"{role}_database_url")
        if url is None:
            variable = f"{PREFIX}{role.upper()}_DATABASE_URL"
            raise SettingsError(f"{variable} is not set: give postgresql://user:password@host:port/database, or {variable}_FILE")
        return url.get_secret_value()

    def key_ring(self) -> KeyRing:
        """The keys for payloads and credentials. Raises `SettingsError` when none were given."""
        if self.keys is None:
            raise SettingsError(
                "LAGERBRO_KEYS is not set: give the key ring, or LAGERBRO_KEYS_FILE; `lagerbro keys new` writes a new one"
            )
        return KeyRing.parse(self.keys.get_secret_value())

    def temporal_connection(self) -> ClientConnectConfig:
        """How to reach Temporal, as `Client.connect` takes it: the SDK's own variables and profile file."""
        return ClientConfig.load_client_connect_config(override_env_vars=dict(self.temporal))

    @property
    def temporal_namespace(self) -> str:
        return self.temporal_connection().get("namespace", "default")

    def environment(self) -> dict[str, str]:
        """The variables that make the same settings again, for a child process. Secrets are in the clear: never log it."""
        values = dict(self.temporal)
        for name in self.model_fields_set - {"temporal"}:
            value = getattr(self, name)
            if value is not None:
                values[PREFIX + name.upper()] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        return values


def _in_words(where: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not where:
        return message
    variable = PREFIX + str(where[0]).upper()
    return f"{variable} {message}" if message.startswith(("is ", "must ")) else f"{variable} is wrong: {message}"


def _nearest(variable: str) -> str:
    near = difflib.get_close_matches(variable, Settings.variables(), n=1)
    return f": did you mean {near[0]}?" if near else "; the README lists them"


def _reason(why: Exception) -> str:
    return why.strerror or "unknown" if isinstance(why, OSError) else "it is not UTF-8"
