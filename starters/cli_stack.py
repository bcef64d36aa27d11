"""Commands about the embedded stack: up, down, status, wait."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import psutil
import typer
from rich.markup import escape
from rich.table import Table

from erp.database import DATABASE_ERRORS, Database
from erp.finds import Finds, finds
from erp.overview import moving
from starters.command import AsJson, console, print_json, run_command, wrong
from starters.stack import Stack, StackError
from starters.stack.home import Home, HomeError
from starters.stack.programs import Programs
from worker.settings import Settings, SettingsError

DONE, WRONG, NOT_RUNNING = 0, 1, 3
START_SECONDS = 90.0
STOP_SECONDS = 75.0
STUCK = "BlockedReason IS NOT NULL OR TemporalReportedProblems IS NOT NULL"


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background; return when everything works.")] = False,
    auto_warehouse: Annotated[
        bool, typer.Option("--auto-warehouse", help="The simulated warehouse releases, picks and ships by itself.")
    ] = False,
    port_base: Annotated[
        int | None, typer.Option("--port-base", help="First of ten consecutive ports; chosen free and kept without it.")
    ] = None,
) -> None:
    """Start the whole system on this machine and keep it running.

    PostgreSQL, Temporal with its UI, the simulated Ongoing, Fortnox and Riksbank, worker, relay, intake and codec server, with a
    merchant `demo` connected to the simulators. A child that dies is started again on the same port and data. State lives in the
    state folder (LAGERBRO_HOME, .lagerbro by default) and is there again at the next start. Ctrl-C stops everything.

    Exit code 0: stopped as asked, or running in the background. 1: something did not come up, or a stack runs here already; the
    text names it.
    """
    home = Home(Settings.from_environment().home)
    raise typer.Exit(_detached(home, auto_warehouse, port_base) if detach else asyncio.run(_up(home, auto_warehouse, port_base)))


async def _up(home: Home, auto_warehouse: bool, port_base: int | None) -> int:
    stop, works = asyncio.Event(), asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)

    async def run() -> None:
        began = time.monotonic()
        async with Stack.start(home.folder, auto_warehouse=auto_warehouse, port_base=port_base, tell=_aside) as stack:
            console.print(f"Up after {time.monotonic() - began:.1f} s; state in {home.folder}. Ctrl-C stops everything.")
            _print_addresses(stack.addresses)
            works.set()
            await _until_asked_or_forgotten(stop, home)
            console.print("Stopping.")

    running = asyncio.create_task(run())
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait([running, asked], return_when=asyncio.FIRST_COMPLETED)
    if not works.is_set():
        running.cancel()  # still starting; once up, it hears `stop` by itself
    try:
        await running
    except asyncio.CancelledError:
        console.print("Stopped before everything was up.")
    finally:
        asked.cancel()
    return DONE


async def _until_asked_or_forgotten(stop: asyncio.Event, home: Home) -> None:
    """A state folder that somebody removed under a running stack leaves nothing to keep running."""
    while home.exists:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 2.0)
            return
    wrong(f"{home.folder} is gone.")


def _detached(home: Home, auto_warehouse: bool, port_base: int | None) -> int:
    home.create()
    if home.is_running():
        raise HomeError(f"a stack runs in {home.folder} already: `lagerbro status` shows it, `lagerbro down` stops it")
    command = [sys.executable, "-m", "starters.cli", "up"]
    command += ["--auto-warehouse"] if auto_warehouse else []
    command += ["--port-base", str(port_base)] if port_base is not None else []
    said = home.logs / "up.log"
    with os.fdopen(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        supervisor = subprocess.Popen(
            command,
            env=os.environ | {"LAGERBRO_HOME": str(home.folder)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and supervisor.poll() is None:
        state = home.state()
        if state.get("supervisor", {}).get("pid") == supervisor.pid and state.get("started_in_seconds") is not None:
            console.print(f"Up after {state['started_in_seconds']} s, in the background; state in {home.folder}.")
            _print_addresses(state["addresses"])
            return DONE
        time.sleep(0.1)
    if supervisor.poll() is None:
        supervisor.terminate()
    last = said.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
    raise StackError(f"the stack did not come up:\n{last}\nMore in {home.logs}")


def down(
    wipe: Annotated[bool, typer.Option("--wipe", help="Forget everything too: remove the state folder.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --wipe: do not ask.")] = False,
) -> None:
    """Stop the stack that runs in the state folder; with --wipe also remove what it kept.

    Only a folder that was made by `lagerbro up` is ever removed. Exit code 0: nothing runs any more (also if nothing did). 1: it
    could not be stopped or removed, or the question was answered with no.
    """
    home = Home(Settings.from_environment().home)
    if wipe and not home.exists:
        if home.folder.exists():
            raise HomeError(f"{home.folder} is no state folder of ours: nothing was removed")
        console.print(f"There is no {home.folder}.")
        return
    if wipe and not yes and not typer.confirm(f"Remove {home.folder} with its databases and keys?"):
        raise typer.Exit(WRONG)
    if home.is_running():
        _stop(home)
        console.print("Stopped.")
    else:
        console.print(f"Nothing runs in {home.folder}.")
    if wipe:
        home.wipe()
        console.print(f"{home.folder} is removed.")


def _stop(home: Home) -> None:
    pid = home.state().get("supervisor", {}).get("pid")
    if pid is None:
        raise HomeError(f"{home.folder} is locked by a process that is just starting: try again in a moment")
    try:
        psutil.Process(pid).terminate()
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied:
        raise HomeError(f"the supervisor, process {pid}, belongs to another user") from None
    deadline = time.monotonic() + STOP_SECONDS
    while home.is_running():
        if time.monotonic() > deadline:
            raise HomeError(f"process {pid} has not stopped after {STOP_SECONDS:.0f} s: read {home.logs}/supervisor.log")
        time.sleep(0.05)


def status(as_json: AsJson = False) -> None:
    """Every address of the stack, and how each of its processes is: asked now, not remembered.

    Also, for each merchant, how many changes in the warehouse no webhook told: found only by the poll, or only by the sweep.

    Exit code 0: everything works. 1: something does not; the table says what. 3: no stack runs in the state folder.
    """
    home = Home(Settings.from_environment().home)
    if not home.is_running():
        if as_json:
            print_json({"home": str(home.folder), "running": False})
        else:
            console.print(f"No stack runs in {home.folder}. `lagerbro up` starts one.")
        raise typer.Exit(NOT_RUNNING)
    state = asyncio.run(_asked(home))
    if as_json:
        print_json(state)
    else:
        console.print(_children(state["children"]))
        _print_addresses(state["addresses"])
        for each in state["finds"] or []:
            console.print(
                f"{each['merchant']}: {each['webhooks']} hints by webhook; found only by the poll {each['only_by_poll']}, "
                f"only by the nightly sweep {each['only_by_sweep']}.",
                highlight=False,
                soft_wrap=True,
            )
        console.print(f"State in {home.folder}, logs in {home.logs}.")
    raise typer.Exit(DONE if state["healthy"] else WRONG)


async def _asked(home: Home) -> dict[str, Any]:
    """The supervisor's state, with what each child answers now."""
    state = home.state()
    children: dict[str, dict[str, Any]] = dict(state.get("children", {}))
    programs = Programs(home, home.ports(), {}).all()
    answers = await asyncio.gather(*(_answers(program.probe) for program in programs))
    await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once
    for program, works in zip(programs, answers, strict=True):
        children.setdefault(program.name, {"state": "not started yet", "pid": None, "restarts": 0})["works"] = works
    addresses = state.get("addresses", {})
    ui = addresses.get("ui")
    found = await _finds()
    return {
        "home": str(home.folder),
        "running": True,
        "healthy": bool(children) and all(child["works"] for child in children.values()),
        "started_at": state.get("started_at"),
        "supervisor_pid": state.get("supervisor", {}).get("pid"),
        "addresses": addresses,
        "stuck_orders": _stuck(ui) if ui else None,
        "finds": None if found is None else [asdict(each) for each in found],
        "children": {name: child | {"started_at": _instant(child.get("started_at"))} for name, child in children.items()},
    }


def _instant(epoch: float | None) -> str | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds")


async def _finds() -> list[Finds] | None:
    """What only the poll and the sweep found; None while the database does not answer."""
    try:
        async with asyncio.timeout(5):
            database = Database(Settings.from_environment().database("verify"), pool_size=1)
            try:
                async with database.everyone() as session:
                    return await finds(session)
            finally:
                await database.close()
    except (*DATABASE_ERRORS, OSError, TimeoutError, SettingsError):
        return None


async def _answers(probe: Callable[[], Any]) -> bool:
    try:
        return bool(await asyncio.wait_for(probe(), 5))
    except Exception:
        return False


def wait(
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait at the most.")] = 300.0,
    as_json: AsJson = False,
) -> None:
    """Wait until nothing moves any more: every message delivered, every order ended or waiting for a person.

    Exit code 0: at rest; orders that stand still are counted, not waited for. 1: still moving when the time was up.
    """
    run_command(_wait(timeout, as_json))


async def _wait(timeout: float, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"), pool_size=1)
    began = time.monotonic()
    calm = 0
    try:
        while True:
            async with database.everyone() as session:
                now = await moving(session)
            calm = calm + 1 if now["outbox"] == now["inbox"] == now["orders"] == 0 else 0
            if calm >= 2 or time.monotonic() - began > timeout:
                break
            await asyncio.sleep(0.25)
    finally:
        await database.close()
    seconds = round(time.monotonic() - began, 1)
    calm = 2 if calm and timeout <= 0 else calm
    if as_json:
        print_json({"at_rest": calm >= 2, "seconds": seconds} | now)
    elif calm >= 2:
        console.print(f"At rest after {seconds} s; {now['blocked']} documents wait for a person.")
    else:
        console.print(
            f"[red]Still moving after {seconds} s[/]: {now['orders']} orders, {now['outbox']} messages to processes, "
            f"{now['inbox']} hints from the warehouse. `lagerbro order list` shows the orders."
        )
    return DONE if calm >= 2 else WRONG


def adopt_running_stack() -> None:
    """Let commands find the stack that runs here: its variables fill in what the environment does not say.

    Whoever names a database means another installation, and gets nothing of ours mixed in.
    """
    if any(name.startswith("LAGERBRO_") and "_DATABASE_URL" in name for name in os.environ):
        return
    home = Home(Settings.from_environment().home)
    if home.is_running():
        for name, value in home.state().get("environment", {}).items():
            if name not in os.environ and name.removesuffix("_FILE") not in os.environ:
                os.environ[name] = value


def nothing_runs(why: SettingsError) -> str | None:
    """The better words for a missing variable when the real reason is that no stack is up."""
    if "_DATABASE_URL is not set" not in str(why):
        return None
    home = Home(Settings.from_environment().home)
    return None if home.is_running() else f"No stack runs in {home.folder}: `lagerbro up` starts one. ({why})"


def _aside(text: str) -> None:
    console.print(escape(text), style="dim", highlight=False, soft_wrap=True)


def _print_addresses(addresses: Mapping[str, str]) -> None:
    words = {
        "ui": "Temporal UI",
        "temporal": "Temporal (TEMPORAL_ADDRESS)",
        "postgres": "PostgreSQL (database lagerbro)",
        "ongoing": "Ongoing, simulated",
        "fortnox": "Fortnox, simulated",
        "riksbank": "Riksbank and ECB, simulated",
        "intake": "webhook intake",
        "codec": "codec server",
        "metrics": "Temporal's metrics",
    }
    lines = [(meaning, addresses[name]) for name, meaning in words.items() if name in addresses]
    if ui := addresses.get("ui"):
        lines.append(("orders that stand still", _stuck(ui)))
    for meaning, address in lines:
        console.print(f"  {meaning:<32}{address}", soft_wrap=True, highlight=False)


def _stuck(ui: str) -> str:
    return f"{ui}/namespaces/default/workflows?query={quote(STUCK)}"


def _children(children: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table("process", "answers", "state", "pid", "restarts", "last exit", header_style="bold")
    for name, child in children.items():
        works = "[green]yes[/]" if child["works"] else "[red]no[/]"
        cells = (child["state"], child["pid"], child["restarts"], child.get("last_exit"))
        table.add_row(name, works, *("" if cell is None else str(cell) for cell in cells))
    return table
