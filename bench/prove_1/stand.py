"""What a proof stands on: a PostgreSQL of its own, a migrated scratch database, a simulator as a process of its own."""

import asyncio
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
from sqlalchemy import make_url, text

from erp.migrate import LOGINS, engine_for, prepare_async
from starters.stack import postgres as server
from starters.stack.child import Program
from starters.stack.child import start as start_child

REPOSITORY = Path(__file__).resolve().parents[2]
RETAIL_FILE = REPOSITORY.parent / "shared" / "data" / "online-retail-2010-12.csv"
READY_SECONDS = 30.0


@asynccontextmanager
async def postgres(given: str | None) -> AsyncIterator[str]:
    """A superuser's address: the one given, or that of a server that lives as long as the proof does."""
    if given:
        yield given
        return
    password = secrets.token_urlsafe(16)
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        data, port = Path(folder) / "postgres", free_port()
        await asyncio.to_thread(server.initialise, data, password)
        address = server.address(server.SUPERUSER, password, port, "postgres")
        program = Program(
            name="postgres",
            command=server.command(data, port),
            environment={"LC_ALL": "C.UTF-8"},
            log=Path(folder) / "postgres.log",
            probe=lambda: server.answers(address),
            user=server.account(),
            folder=data,
            orphan_signal=signal.SIGQUIT,
        )
        process = start_child(program)
        try:
            await _until(program.probe, process, "PostgreSQL")
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


class Scratch:
    """A database of our own, with the product's schema; one address for each role."""

    def __init__(self, server_url: str, name: str) -> None:
        self._server = make_url(server_url)
        self.name = name

    @property
    def password(self) -> str:
        """What the roles log in with: the server's own password. It is a throwaway server, and so are they."""
        return str(self._server.password or "only-for-proofs")

    def url(self, role: str | None = None) -> str:
        """As `lagerbro_<role>`, or as the superuser."""
        url = self._server.set(database=self.name)
        if role:
            url = url.set(username=f"lagerbro_{role}", password=self.password)
        return url.render_as_string(hide_password=False)


@asynccontextmanager
async def scratch_database(server_url: str) -> AsyncIterator[Scratch]:
    """A migrated database that is dropped at the end."""
    scratch = Scratch(server_url, f"lagerbro_proof_{secrets.token_hex(4)}")
    await _as_superuser(server_url, f"create database {scratch.name}")
    try:
        await prepare_async(scratch.url(), dict.fromkeys(LOGINS, scratch.password))
        yield scratch
    finally:
        await _as_superuser(server_url, f"drop database {scratch.name} with (force)")


async def _as_superuser(server_url: str, statement: str) -> None:
    engine = engine_for(server_url)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(statement))
    await engine.dispose()


@asynccontextmanager
async def simulator(system: str, data: Path) -> AsyncIterator[str]:
    """`simulators.<system>` on a free port, with its state in `data`; gives its base address."""
    port = free_port()
    command = [sys.executable, "-m", f"simulators.{system}", "--port", str(port), "--data", str(data)]
    log = data.with_suffix(".log").open("ab")
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)  # noqa: ASYNC220 - returns at once
    address = f"http://127.0.0.1:{port}"
    try:
        await _until(lambda: _healthy(address), process, f"the simulated {system}")
        yield address
    finally:
        process.kill()
        process.wait()
        log.close()


async def _healthy(address: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        with suppress(httpx.TransportError):
            return (await http.get(f"{address}/_control/health")).status_code == 200
    return False


async def _until(probe: Callable[[], Awaitable[bool]], process: "subprocess.Popen[bytes]", what: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not await probe():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not start")
        await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
