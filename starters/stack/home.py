"""The state folder: what the embedded stack keeps between two starts, and who may use it.

A marker makes the folder ours: we start in no folder that holds something else, and wipe none without the marker. A lock says
that a supervisor runs; it dies with its process, so nothing stale can remain of it. Secrets are files that only their owner
reads, made once.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from starters.stack.ports import free_ports, is_free
from worker.keyring import KeyRing

MARKER = ".lagerbro-home"
SERVICES = ("postgres", "temporal", "ui", "metrics", "http", "ongoing", "fortnox", "intake", "codec", "riksbank")
PASSWORDS = ("postgres", "setup", "erp", "app", "relay", "intake", "verify")


class HomeError(Exception):
    """The folder cannot be used, or is in use; the text says what to do."""


class Home:
    """One state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.keys = self.folder / "keys.json"
        self.postgres = self.folder / "postgres"
        self.logs = self.folder / "logs"
        self.run = self.folder / "run"
        self._passwords = self.folder / "passwords.json"
        self._ports = self.folder / "ports.json"
        self._state = self.folder / "stack.json"

    @property
    def exists(self) -> bool:
        return (self.folder / MARKER).is_file()

    def create(self) -> None:
        """Make the folder and its secrets, or complete them. Refuses a folder with something else in it."""
        if not self.exists and self.folder.exists() and any(self.folder.iterdir()):
            raise HomeError(f"{self.folder} is not empty and not ours: name another folder with LAGERBRO_HOME")
        # As root PostgreSQL runs as another user, which must be able to pass through to its own folder.
        passable = 0o711 if os.geteuid() == 0 else 0o700
        self.folder.mkdir(mode=passable, parents=True, exist_ok=True)
        self.folder.chmod(passable)
        for folder in (self.logs, self.run):
            folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / MARKER).write_text(
            "State of Lagerbro's embedded stack: `lagerbro down --wipe` removes it.\n", encoding="utf-8"
        )
        if not self.keys.exists():
            write_private(self.keys, KeyRing.new().dump())
        kept = self.passwords() if self._passwords.exists() else {}
        if missing := [name for name in PASSWORDS if name not in kept]:
            fresh = {name: secrets.token_urlsafe(24) for name in missing}
            write_private(self._passwords, json.dumps(kept | fresh, indent=2) + "\n")

    def passwords(self) -> dict[str, str]:
        return dict(json.loads(self._passwords.read_text(encoding="utf-8")))

    def ports(self) -> dict[str, int]:
        """The ports of the last start."""
        return dict(json.loads(self._ports.read_text(encoding="utf-8")))

    def choose_ports(self, base: int | None) -> dict[str, int]:
        """A port for each service: from `base` upwards if given, else those of last time as far as they are free."""
        if base is not None:
            chosen = {name: base + n for n, name in enumerate(SERVICES)}
            if taken := [f"{port} ({name})" for name, port in chosen.items() if not is_free(port)]:
                raise HomeError(f"these ports are taken: {', '.join(taken)}; choose another LAGERBRO_PORT_BASE")
        else:
            kept = self.ports() if self._ports.exists() else {}
            chosen = {name: kept[name] for name in SERVICES if name in kept and is_free(kept[name])}
            missing = [name for name in SERVICES if name not in chosen]
            chosen |= dict(zip(missing, free_ports(len(missing), set(chosen.values())), strict=True))
        write_private(self._ports, json.dumps(chosen, indent=2) + "\n")
        return chosen

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one supervisor. A second one is told so at once."""
        with (self.folder / "lock").open("a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeError(
                    f"a stack runs in {self.folder} already: `lagerbro status` shows it, `lagerbro down` stops it"
                ) from None
            yield

    def is_running(self) -> bool:
        """Whether a supervisor holds the folder now."""
        if not (self.folder / "lock").exists():
            return False
        try:
            with self.locked():
                return False
        except HomeError:
            return True

    def write_state(self, state: Mapping[str, Any]) -> None:
        write_private(self._state, json.dumps(state, indent=2) + "\n")

    def state(self) -> dict[str, Any]:
        """What the supervisor last wrote; empty when there is none."""
        try:
            return dict(json.loads(self._state.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return {}

    def wipe(self) -> None:
        """Remove everything. Only a folder of ours, and only while nothing runs in it."""
        if not self.exists:
            raise HomeError(f"{self.folder} is no state folder of ours: nothing was removed")
        with self.locked():
            marker = self.folder / MARKER
            for each in self.folder.iterdir():
                if each == marker:
                    continue
                if each.is_dir() and not each.is_symlink():
                    shutil.rmtree(each)
                else:
                    each.unlink()
            marker.unlink()  # last, so that a wipe that was cut short can be repeated
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
