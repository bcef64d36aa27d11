"""The whole stack, for real: one folder, started once for these tests, killed in every part, found by the commands."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
import pytest_asyncio
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from starters.stack import Stack
from starters.stack.home import HomeError
from starters.stack.temporal import RETENTION
from tests.conftest import REPOSITORY, passable_folder
from worker.settings import Settings

pytestmark = pytest.mark.stack

CHILDREN = ["codec", "fortnox", "intake", "ongoing", "postgres", "relay", "riksbank", "temporal", "worker"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack() -> AsyncIterator[Stack]:
    with passable_folder() as folder:
        async with Stack.start(folder / "home") as running:
            yield running


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    return Settings.from_environment(stack.environment())


def promised(seconds: float) -> float:
    """The promise is made for a machine of our own; where others work too it takes as much longer as they take."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


async def lagerbro(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command as a person runs it: it knows the folder and nothing else."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home.parent), "LAGERBRO_HOME": str(home), "COLUMNS": "200"}
    command = [sys.executable, "-m", "starters.cli", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=200, check=False
    )


async def test_it_is_up_within_fifteen_seconds(stack: Stack) -> None:
    assert stack.names == CHILDREN
    assert stack.started_in is not None
    assert stack.started_in < promised(15)


@pytest.mark.parametrize("name", CHILDREN)
async def test_a_killed_child_is_back_within_five_seconds_on_the_same_port_and_data(
    stack: Stack, settings: Settings, name: str
) -> None:
    await put_article(settings, f"BEFORE-{name}")
    pid, addresses, restarts = stack.pid(name), dict(stack.addresses), stack.restarts(name)
    began = time.monotonic()
    assert stack.kill(name)
    while stack.pid(name) in (None, pid):
        assert time.monotonic() - began < promised(5)
        await asyncio.sleep(0.02)
    await stack.ready(name, promised(5))
    assert time.monotonic() - began < promised(5)
    assert (stack.restarts(name), stack.addresses) == (restarts + 1, addresses)
    assert f"BEFORE-{name}" in await articles(settings)
    client = await Client.connect(stack.addresses["temporal"])
    assert (await client.get_workflow_handle("watch/demo").describe()).status is not None


async def put_article(settings: Settings, number: str) -> None:
    connection = await asyncpg.connect(settings.database("erp"))
    await connection.execute(
        "insert into erp.article (merchant_id, article_number, name) values ('demo', $1, 'Kruka') on conflict do nothing", number
    )
    await connection.close()


async def articles(settings: Settings) -> list[str]:
    connection = await asyncpg.connect(settings.database("verify"))
    found = await connection.fetch("select article_number from erp.article where merchant_id = 'demo'")
    await connection.close()
    return [row["article_number"] for row in found]


async def test_two_stacks_in_one_folder_are_refused(stack: Stack) -> None:
    with pytest.raises(HomeError, match="already"):
        async with Stack.start(stack.home.folder):
            pass
    second = await lagerbro(stack.home.folder, "up")
    assert second.returncode == 1
    assert "runs in" in second.stderr


async def test_status_asks_each_process_how_it_is(stack: Stack) -> None:
    well = await lagerbro(stack.home.folder, "status", "--json")
    assert well.returncode == 0, well.stdout
    said = json.loads(well.stdout)
    assert said["addresses"] == stack.addresses
    assert {name: child["works"] for name, child in said["children"].items()} == dict.fromkeys(CHILDREN, True)
    assert stack.kill("codec", signal.SIGSTOP)
    try:
        ill = await lagerbro(stack.home.folder, "status", "--json")
    finally:
        stack.kill("codec", signal.SIGCONT)
    assert ill.returncode == 1
    assert [name for name, child in json.loads(ill.stdout)["children"].items() if not child["works"]] == ["codec"]
    shown = (await lagerbro(stack.home.folder, "status")).stdout
    assert all(address in shown for address in stack.addresses.values())


async def test_commands_find_the_stack_by_its_folder(stack: Stack) -> None:
    calm = await lagerbro(stack.home.folder, "wait", "--json", "--timeout", "20")
    assert calm.returncode == 0, calm.stderr
    assert json.loads(calm.stdout)["at_rest"] is True
    assert (await lagerbro(stack.home.folder, "order", "list", "--json")).stdout.strip() == "[]"


async def test_exchange_rates_are_there_and_one_krona_for_a_euro_waits_for_a_person(stack: Stack) -> None:
    home = stack.home.folder
    fetched = await lagerbro(home, "rates", "fetch")
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    assert fetched.stdout.startswith("2 currencies up to")
    found = json.loads((await lagerbro(home, "rates", "show", "eur", "--json")).stdout)
    assert (found["missing"], found["standing"]) == ({}, [])
    day = found["rates"][0]["rate_date"]
    async with httpx.AsyncClient(base_url=stack.addresses["riksbank"], trust_env=False) as http:
        quote = {"bank": "riksbank", "currency": "EUR", "date": day, "value": "1.0"}
        (await http.put("/_control/quotes", json=quote)).raise_for_status()
        stack.kill("worker")  # a worker serves an answer to all merchants for ten minutes; a new one asks again
        doubted = await lagerbro(home, "rates", "fetch", "--wait", "15")
        assert doubted.returncode == 1
        assert f"exchange-rate-implausible EUR {day}" in " ".join(doubted.stdout.split())
        assert (await lagerbro(home, "rates", "confirm", "EUR", day, "x", "--by", "a", "--reason", "b")).returncode == 1
        told = await lagerbro(home, "rates", "confirm", "EUR", day, "1.0", "--by", "anna", "--reason", "a new krona")
        assert told.returncode == 0, told.stdout + told.stderr
        assert (await lagerbro(home, "rates", "fetch")).returncode == 0
        await http.delete("/_control/quotes")
    shown = (await lagerbro(home, "rates", "show", "EUR")).stdout
    assert "person (anna)" in shown


async def test_without_a_stack_commands_say_so(tmp_path: Path) -> None:
    for command in (["status"], ["order", "list"]):
        said = await lagerbro(tmp_path / "none", *command)
        assert (said.returncode, "No stack runs in" in said.stdout + said.stderr) == (3, True), command
    assert not (tmp_path / "none").exists()


async def test_the_ui_is_told_of_the_codec_server_which_opens_what_temporal_keeps(stack: Stack) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        shown = (await http.get(f"{stack.addresses['ui']}/api/v1/settings")).json()
        assert shown["Codec"]["Endpoint"] == stack.addresses["codec"]
        history = f"{stack.addresses['ui']}/api/v1/namespaces/default/workflows/watch%2Fdemo/history"
        async with asyncio.timeout(20):
            # The server may be on its way back from a test that killed it.
            while "history" not in (told := (await http.get(history)).json()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        payloads: Any = told["history"]["events"][0]["workflowExecutionStartedEventAttributes"]["input"]
        assert "demo" not in json.dumps(payloads)
        opened = await http.post(
            f"{stack.addresses['codec']}/decode?preserveStorageRefs=true",
            json=payloads,
            headers={"origin": stack.addresses["ui"], "x-namespace": "default"},
        )
    assert opened.status_code == 200
    assert opened.headers["access-control-allow-origin"] == stack.addresses["ui"]
    assert "metadata" in opened.json()["payloads"][0]
    assert opened.json()["payloads"][0]["metadata"] != payloads["payloads"][0]["metadata"]


async def test_nothing_is_forgotten_too_early_and_nothing_is_lost_in_a_power_cut(stack: Stack, settings: Settings) -> None:
    client = await Client.connect(stack.addresses["temporal"])
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    assert described.config.workflow_execution_retention_ttl.ToTimedelta() == RETENTION
    with sqlite3.connect(f"file:{stack.home.folder / 'temporal.db'}?mode=ro", uri=True) as file:
        assert file.execute("pragma journal_mode").fetchone() == ("wal",)
    file.close()
    connection = await asyncpg.connect(settings.database("verify"))
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert await connection.fetchval(f"show {setting}") == "on"
    await connection.close()


async def test_no_secret_stands_on_a_command_line_or_in_an_environment(stack: Stack) -> None:
    demo = json.loads((stack.home.folder / "demo-secrets.json").read_text(encoding="utf-8"))
    secrets = [*stack.home.passwords().values(), *json.loads(stack.home.keys.read_text(encoding="utf-8"))["keys"].values()]
    secrets += [value for value in demo.values() if isinstance(value, str)]
    seen = [json.dumps(stack.state()), (stack.home.folder / "stack.json").read_text(encoding="utf-8")]
    for name in stack.names:
        process = psutil.Process(stack.pid(name) or 0)
        seen += [*process.cmdline(), *process.environ().values()]
    seen += [log.read_text(encoding="utf-8", errors="replace") for log in stack.home.logs.glob("*.log")]
    assert not [text[:80] for text in seen for secret in secrets if secret in text]


async def test_a_child_is_told_only_what_it_needs(stack: Stack) -> None:
    needed = {
        "worker": {"LAGERBRO_APP_DATABASE_URL_FILE", "LAGERBRO_KEYS_FILE"},
        "relay": {"LAGERBRO_RELAY_DATABASE_URL_FILE", "LAGERBRO_KEYS_FILE"},
        "intake": {"LAGERBRO_INTAKE_DATABASE_URL_FILE"},
        "codec": {"LAGERBRO_KEYS_FILE"},
        "temporal": set(),
        "ongoing": set(),
    }
    for name, secrets in needed.items():
        told = psutil.Process(stack.pid(name) or 0).environ()
        assert {variable for variable in told if variable.endswith(("_URL_FILE", "_KEYS_FILE"))} == secrets, name


@pytest.fixture
def background(passable: Path) -> Iterator[Path]:
    """A folder for a stack in the background, which is stopped however the test ends."""
    home = passable / "home"
    yield home
    with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
        supervisor = json.loads((home / "stack.json").read_text(encoding="utf-8"))["supervisor"]
        process = psutil.Process(supervisor["pid"])
        if abs(process.create_time() - supervisor["started_at"]) < 1:
            process.terminate()
            process.wait(60)


async def test_a_background_stack_survives_the_death_of_its_supervisor(background: Path) -> None:
    home = background
    first = await lagerbro(home, "up", "--detach")
    assert first.returncode == 0, first.stderr
    state = json.loads((home / "stack.json").read_text(encoding="utf-8"))
    await put_article(Settings.from_environment(state["environment"]), "KEPT")
    os.kill(state["supervisor"]["pid"], signal.SIGKILL)
    began = time.monotonic()
    again = await lagerbro(home, "up", "--detach")
    assert again.returncode == 0, again.stderr
    assert time.monotonic() - began < promised(30)
    now = json.loads((home / "stack.json").read_text(encoding="utf-8"))
    assert "KEPT" in await articles(Settings.from_environment(now["environment"]))
    assert now["addresses"] == state["addresses"]
    pids = [child["pid"] for child in now["children"].values()]
    gone = await lagerbro(home, "down", "--wipe", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert not home.exists()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
