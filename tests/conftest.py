"""What many tests stand on: one PostgreSQL, one Temporal server and the simulators for the session; a database per module.

Servers are the product's own ways of starting them, on free ports, in a temporary folder, and they die with the test run.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import hypothesis
import pytest
import pytest_asyncio
from sqlalchemy import make_url, text
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from erp.migrate import LOGINS, engine_for, prepare_async
from starters.stack import postgres, temporal
from starters.stack.child import Program, signal_group
from starters.stack.child import start as start_child
from starters.stack.ports import free_ports
from worker.codec import data_converter
from worker.keyring import KeyRing
from worker.settings import Settings
from workflows import attributes

REPOSITORY = Path(__file__).resolve().parents[1]
PASSWORD = "only-for-tests"
TEMPLATE = "lagerbro_template"


# What a law takes says how loaded the machine is, and nothing about the law.
hypothesis.settings.register_profile("lagerbro", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("lagerbro")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "stack: starts the whole embedded stack; `-m 'not stack'` leaves these out")


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server; `url()` is its superuser's address."""

    port: int

    def url(self, database: str = "postgres", user: str = postgres.SUPERUSER) -> str:
        return postgres.address(user, PASSWORD, self.port, database)


@dataclass(frozen=True)
class TestDatabase:
    """A migrated database of a module. `url("app")` and so on log in as the roles, `url("owner")` as the superuser."""

    __test__ = False

    cluster: Cluster
    name: str

    def url(self, role: str) -> str:
        return self.cluster.url(self.name, postgres.SUPERUSER if role == "owner" else f"lagerbro_{role}")

    def environment(self) -> dict[str, str]:
        return {f"LAGERBRO_{role.upper()}_DATABASE_URL": self.url(role) for role in (*LOGINS, "owner")}


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder for PostgreSQL, which as root runs as another user: pytest's own close their parent whenever a run begins."""
    with passable_folder() as folder:
        yield folder


@contextlib.contextmanager
def passable_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lagerbro-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster() -> AsyncIterator[Cluster]:
    """One server for all tests. It need not survive a power cut, so it does not wait for the disk."""
    with passable_folder() as folder:
        async with _cluster(folder) as running:
            yield running


@contextlib.asynccontextmanager
async def _cluster(folder: Path) -> AsyncIterator[Cluster]:
    (port,) = free_ports(1)
    found = Cluster(port)
    data = folder / "data"
    postgres.initialise(data, PASSWORD)
    quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
    program = Program(
        name="postgres",
        command=postgres.command(data, port, quick),
        environment={"LC_ALL": "C.UTF-8"},
        log=folder / "postgres.log",
        probe=lambda: postgres.answers(found.url()),
        user=postgres.account(),
        folder=data,
        orphan_signal=signal.SIGQUIT,
    )
    process = start_child(program)
    await _until(program.probe, 20, f"PostgreSQL, see {program.log}")
    try:
        await _execute(found.url(), f"create database {TEMPLATE}")
        await prepare_async(found.url(TEMPLATE), dict.fromkeys(LOGINS, PASSWORD))
        yield found
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(10)
        signal_group(process, signal.SIGKILL)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(cluster: Cluster) -> AsyncIterator[TestDatabase]:
    """A fresh migrated database for the module, dropped after it."""
    made = await _copy(cluster)
    yield made
    await _execute(cluster.url(), f"drop database {made.name} with (force)")


@contextlib.asynccontextmanager
async def scratch_database(cluster: Cluster) -> AsyncIterator[TestDatabase]:
    """One more migrated database, for a test that must not share."""
    made = await _copy(cluster)
    try:
        yield made
    finally:
        await _execute(cluster.url(), f"drop database {made.name} with (force)")


@pytest.fixture(scope="session")
def key_ring() -> KeyRing:
    return KeyRing.new()


@dataclass(frozen=True)
class TemporalServer:
    """A real development server, in memory, with the product's flags."""

    address: str
    metrics: str
    pid: int

    def environment(self) -> dict[str, str]:
        return {"TEMPORAL_ADDRESS": self.address, "TEMPORAL_NAMESPACE": "default"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalServer]:
    folder = tmp_path_factory.mktemp("temporal")
    ports = dict(zip(("temporal", "ui", "metrics", "http"), free_ports(4), strict=True))
    address = f"127.0.0.1:{ports['temporal']}"
    program = Program(
        name="temporal",
        command=temporal.command(temporal.binary(os.environ.get("TEMPORAL_CLI")), None, ports),
        environment={"HOME": str(folder), "GOGC": "400"},
        log=folder / "temporal.log",
        probe=lambda: temporal.serves(address),
    )
    process = start_child(program)
    await _until(program.probe, 30, f"Temporal, see {program.log}")
    yield TemporalServer(address, f"http://127.0.0.1:{ports['metrics']}/metrics", process.pid)
    await asyncio.sleep(0.3)  # the SDK may crash a process whose clients end at once
    process.terminate()
    process.wait(20)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def skipping(key_ring: KeyRing) -> AsyncIterator[WorkflowEnvironment]:
    """A real server with a clock per workflow, moved by hand: `await skipping.fast_forward(handle, delta)`."""
    dynamic = (*temporal.DYNAMIC_CONFIG, "frontend.WorkflowTimeSkippingEnabled=true", 'history.timerProcessorMaxTimeShift="1ms"')
    env = await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        dev_server_existing_path=temporal.binary(os.environ.get("TEMPORAL_CLI")),
        dev_server_extra_args=[part for setting in dynamic for part in ("--dynamic-config-value", setting)],
        dev_server_log_level="error",
        data_converter=data_converter(Settings.from_environment({"LAGERBRO_KEYS": key_ring.dump()})),
        search_attributes=list(attributes.ALL),
    )
    yield env
    await env.shutdown()
    await asyncio.sleep(0.3)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def emptied(temporal_server: TemporalServer) -> AsyncIterator[None]:
    """Nothing of another module runs on the server: its database is gone, and what tries in vain keeps workers from ending."""
    client = await Client.connect(temporal_server.address)
    await _empty(client)
    yield
    await _empty(client)
    await asyncio.sleep(0.3)


async def _empty(client: Client) -> None:
    async for schedule in await client.list_schedules():
        with contextlib.suppress(RPCError):
            await client.get_schedule_handle(schedule.id).delete()
    async for left in client.list_workflows('ExecutionStatus = "Running"'):
        with contextlib.suppress(RPCError):
            await client.get_workflow_handle(left.id).terminate("its tests are over")


@pytest.fixture(scope="module")
def settings(database: TestDatabase, temporal_server: TemporalServer, emptied: None, key_ring: KeyRing) -> Settings:
    """Everything a process needs against this module's database, with waiting times cut to seconds."""
    return Settings.from_environment(
        database.environment()
        | temporal_server.environment()
        | {
            "LAGERBRO_KEYS": key_ring.dump(),
            "LAGERBRO_DOUBT_SECONDS": "1",
            "LAGERBRO_CLIENT_DEADLINE_SECONDS": "2",
            "LAGERBRO_SETTLE_SECONDS": "5",
        }
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal_client(settings: Settings) -> AsyncIterator[Client]:
    """A client with the worker's own converter: sealed, like in production."""
    yield await Client.connect(settings.temporal["TEMPORAL_ADDRESS"], data_converter=data_converter(settings))
    await asyncio.sleep(0.3)


@pytest.fixture(scope="session")
def ongoing_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base address of a simulated Ongoing, for the session."""
    with simulator("ongoing", tmp_path_factory.mktemp("ongoing")) as address:
        yield address


@pytest.fixture(scope="session")
def fortnox_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base address of a simulated Fortnox, for the session."""
    with simulator("fortnox", tmp_path_factory.mktemp("fortnox")) as address:
        yield address


@pytest.fixture(scope="session")
def riksbank_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base address of a simulated Riksbank (and ECB), for the session."""
    with simulator("riksbank", tmp_path_factory.mktemp("riksbank")) as address:
        yield address


@contextlib.contextmanager
def simulator(system: str, folder: Path) -> Iterator[str]:
    """`simulators.<system>` as a process of its own, with its state in `folder`."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    log = (folder / f"{system}.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", f"simulators.{system}", "--port", str(port), "--data", str(folder / f"{system}.db")],
        cwd=REPOSITORY,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 20
        with httpx.Client(trust_env=False, timeout=2) as http:
            while not _healthy(http, f"{address}/_control/health"):
                assert process.poll() is None and time.monotonic() < deadline, f"{system} did not start, see {log.name}"
                time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait()
        log.close()


def _healthy(http: httpx.Client, address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return http.get(address).status_code == 200
    return False


async def _copy(cluster: Cluster) -> TestDatabase:
    made = TestDatabase(cluster, f"test_{secrets.token_hex(6)}")
    await _execute(cluster.url(), f"create database {made.name} template {TEMPLATE}")
    return made


async def _execute(url: str, statement: str) -> None:
    engine = engine_for(make_url(url).render_as_string(hide_password=False))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(statement))
    await engine.dispose()


async def _until(probe: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not await probe():
        assert time.monotonic() < deadline, f"did not start: {what}"
        await asyncio.sleep(0.05)
