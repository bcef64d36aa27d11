"""The children of the embedded stack: how each is started, and what it is told.

A child is told only what it needs. Addresses of databases, with their passwords, go by file, so that no secret stands in an
environment or on a command line.
"""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from starters.stack import postgres, probes, temporal
from starters.stack.child import Program
from starters.stack.home import Home, write_private

ROLES = ("app", "relay", "intake", "erp", "verify")
PASSED_ON = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"),
    *("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE"),
)
NAMESPACE = "default"
SIMULATED = ("ongoing", "fortnox", "riksbank")


class Programs:
    """Builds the programs for one home, its ports and what the caller wants set besides."""

    def __init__(self, home: Home, ports: Mapping[str, int], extra: Mapping[str, str]) -> None:
        self._home = home
        self._ports = ports
        self._passwords = home.passwords()
        self._extra = extra
        self._base = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONUNBUFFERED": "1"}

    @property
    def addresses(self) -> dict[str, str]:
        """Where everything answers."""
        http = {
            name: f"http://127.0.0.1:{self._ports[name]}" for name in ("ui", "ongoing", "fortnox", "riksbank", "intake", "codec")
        }
        return http | {
            "postgres": f"127.0.0.1:{self._ports['postgres']}",
            "temporal": f"127.0.0.1:{self._ports['temporal']}",
            "metrics": f"http://127.0.0.1:{self._ports['metrics']}/metrics",
        }

    def environment(self) -> dict[str, str]:
        """The variables that let any command work on this stack, with the secrets named by file."""
        files = {f"LAGERBRO_{role.upper()}_DATABASE_URL_FILE": str(self._url_file(role)) for role in (*ROLES, "owner")}
        variables = {
            "LAGERBRO_HOME": str(self._home.folder),
            "LAGERBRO_KEYS_FILE": str(self._home.keys),
            "LAGERBRO_INTAKE_PORT": str(self._ports["intake"]),
            "LAGERBRO_CODEC_PORT": str(self._ports["codec"]),
            "LAGERBRO_CODEC_ORIGIN": self.addresses["ui"],
            "LAGERBRO_RIKSBANK_URL": f"{self.addresses['riksbank']}/swea/v1",
            "LAGERBRO_ECB_URL": f"{self.addresses['riksbank']}/stats/eurofxref",
            "TEMPORAL_ADDRESS": self.addresses["temporal"],
            "TEMPORAL_NAMESPACE": NAMESPACE,
        }
        return files | variables | dict(self._extra)

    def superuser_url(self) -> str:
        return self._url(postgres.SUPERUSER, "postgres", "postgres")

    def write_secrets(self) -> None:
        """The addresses of the databases as files, for today's ports."""
        for role in ROLES:
            write_private(self._url_file(role), self._url(f"lagerbro_{role}", role, "lagerbro"))
        write_private(self._url_file("owner"), self._url("lagerbro_setup", "setup", "lagerbro"))
        write_private(self._url_file("superuser"), self.superuser_url())

    def all(self) -> list[Program]:
        """Every child, for whoever wants to ask each how it is."""
        servers = [self.postgres(), self.temporal(), *(self.simulator(system) for system in SIMULATED)]
        return [*servers, self.worker(), self.relay(), self.intake(), self.codec()]

    def postgres(self) -> Program:
        data = self._home.postgres
        return Program(
            name="postgres",
            command=postgres.command(data, self._ports["postgres"]),
            environment={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            log=self._log("postgres"),
            probe=lambda: postgres.answers(self.superuser_url()),
            before=lambda: postgres.clear_stale(data),
            user=postgres.account(),
            folder=data,
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGINT,
            stop_seconds=20,
        )

    def temporal(self) -> Program:
        binary = temporal.binary(os.environ.get("TEMPORAL_CLI"))
        data = self._home.folder / "temporal.db"
        return Program(
            name="temporal",
            command=temporal.command(binary, data, self._ports, codec=self.addresses["codec"]),
            environment=self._base | {"GOGC": "400"},
            log=self._log("temporal"),
            probe=lambda: temporal.serves(self.addresses["temporal"]),
            stop_seconds=15,
        )

    def simulator(self, system: str) -> Program:
        return Program(
            name=system,
            command=[
                *(sys.executable, "-m", f"simulators.{system}", "--port", str(self._ports[system])),
                *("--data", str(self._home.folder / f"{system}.db")),
            ],
            environment=self._base,
            log=self._log(system),
            probe=probes.http_answers(f"{self.addresses[system]}/_control/health"),
        )

    def worker(self) -> Program:
        return self._beating(
            "worker", "worker", ("APP_DATABASE_URL_FILE", "KEYS_FILE", "RIKSBANK_URL", "ECB_URL"), stop_seconds=40
        )

    def relay(self) -> Program:
        return self._beating("relay", "starters.relay", ("RELAY_DATABASE_URL_FILE", "KEYS_FILE"))

    def intake(self) -> Program:
        return self._serving("intake", "starters.intake", ("INTAKE_DATABASE_URL_FILE", "INTAKE_PORT"))

    def codec(self) -> Program:
        return self._serving("codec", "starters.codec_server", ("KEYS_FILE", "CODEC_PORT", "CODEC_ORIGIN"))

    def _beating(self, name: str, module: str, told: tuple[str, ...], stop_seconds: float = 10) -> Program:
        file = self._home.run / f"{name}.alive"
        return Program(
            name=name,
            command=[sys.executable, "-m", module],
            environment=self._told(told) | {"LAGERBRO_HEALTH_FILE": str(file)},
            log=self._log(name),
            probe=probes.beats(file),
            before=probes.forget(file),
            stop_seconds=stop_seconds,
        )

    def _serving(self, name: str, module: str, told: tuple[str, ...]) -> Program:
        return Program(
            name=name,
            command=[sys.executable, "-m", module],
            environment=self._told(told),
            log=self._log(name),
            probe=probes.http_answers(f"{self.addresses[name]}/health"),
        )

    def _told(self, names: tuple[str, ...]) -> dict[str, str]:
        """What this child needs, and what the caller set for all that is no secret of another's."""
        given = self.environment()
        needed = {f"LAGERBRO_{name}": given[f"LAGERBRO_{name}"] for name in names}
        shared = {name: value for name, value in given.items() if name.startswith("TEMPORAL_") or name == "LAGERBRO_HOME"}
        return self._base | shared | needed | dict(self._extra)

    def _url_file(self, role: str) -> Path:
        return self._home.run / f"{role}.url"

    def _url(self, user: str, password: str, database: str) -> str:
        return postgres.address(user, self._passwords[password], self._ports["postgres"], database)

    def _log(self, name: str) -> Path:
        return self._home.logs / f"{name}.log"
