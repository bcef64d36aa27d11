"""Children: back at once when they die, tried more seldom when they cannot live, gone when the supervisor is."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from starters.stack.child import Program, end_leftovers, started_at
from starters.stack.journal import Journal
from starters.stack.supervisor import CRASH_LOOP, Supervised

LIVES = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(600)"


def program(folder: Path, code: str = LIVES, **more: Any) -> Program:
    sign = folder / "sign"

    async def probe() -> bool:
        return sign.exists()

    return Program(
        name="child",
        command=[sys.executable, "-S", "-c", code, str(sign)],
        environment={},
        log=folder / "logs" / "child.log",
        probe=probe,
        before=lambda: sign.unlink(missing_ok=True),
        **more,
    )


@asynccontextmanager
async def supervised(what: Program) -> AsyncIterator[Supervised]:
    child = Supervised(what, Journal(what.log.with_name("supervisor.log")), lambda: None)
    child.begin()
    try:
        yield child
    finally:
        await child.stop()


async def becomes(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def back_as_another(child: Supervised, before: int) -> Callable[[], bool]:
    return lambda: child.ready.is_set() and child.pid not in (None, before)


async def within(waiting: Awaitable[Any], seconds: float = 10.0) -> None:
    await asyncio.wait_for(waiting, seconds)


async def test_a_killed_child_is_back_at_once_and_the_journal_says_so(tmp_path: Path) -> None:
    async with supervised(program(tmp_path)) as child:
        await within(child.ready.wait())
        for killed in range(1, 7):
            before = child.pid
            assert before is not None
            began = time.monotonic()
            os.kill(before, signal.SIGKILL)
            await becomes(back_as_another(child, before))
            assert time.monotonic() - began < 5 * max(1.0, os.getloadavg()[0] / 2)
            assert (child.state()["restarts"], child.state()["last_exit"]) == (killed, "killed by SIGKILL")
    assert (tmp_path / "logs" / "supervisor.log").read_text(encoding="utf-8").count("is gone and is started again") == 6


async def test_a_child_that_cannot_live_is_reported_as_a_crash_loop_and_tried_more_seldom(tmp_path: Path) -> None:
    async with supervised(program(tmp_path, "print('no such database'); raise SystemExit(3)")) as child:
        await becomes(lambda: child.state()["state"] == "crash loop")
        assert CRASH_LOOP <= child.starts <= CRASH_LOOP + 1
        assert child.state()["last_exit"] == "exit code 3"
    assert "no such database" in (tmp_path / "logs" / "child.log").read_text(encoding="utf-8")


async def test_a_program_that_cannot_even_be_started_does_not_stop_the_supervisor(tmp_path: Path) -> None:
    broken = program(tmp_path)
    broken.command[0] = str(tmp_path / "nowhere")
    async with supervised(broken) as child:
        await becomes(lambda: "could not be started" in (child.state()["last_exit"] or ""))
        broken.command[0] = sys.executable
        await within(child.ready.wait())


async def test_a_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + LIVES
    async with supervised(program(tmp_path, deaf, stop_seconds=0.2)) as child:
        await within(child.ready.wait())
        pid = child.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_grandchildren_go_with_their_parent(tmp_path: Path) -> None:
    parent = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']); " + (
        "import pathlib, time; pathlib.Path(sys.argv[1]).write_text(str(p.pid)); time.sleep(600)"
    )
    async with supervised(program(tmp_path, parent)):
        await becomes(lambda: (tmp_path / "sign").exists() and (tmp_path / "sign").read_text())
        grandchild = int((tmp_path / "sign").read_text())
        assert psutil.pid_exists(grandchild)
    await becomes(lambda: gone(grandchild))


async def test_secrets_of_others_are_not_handed_down_and_logs_are_private(tmp_path: Path) -> None:
    async with supervised(program(tmp_path)) as child:
        await within(child.ready.wait())
        assert child.pid is not None
        assert set(psutil.Process(child.pid).environ()) <= {"LC_CTYPE"}
    assert (tmp_path / "logs" / "child.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = textwrap.dedent(
        f"""
        import asyncio, os, signal, sys
        from pathlib import Path
        from tests.starters.test_supervisor import program, supervised, within

        async def main():
            async with supervised(program(Path({str(tmp_path)!r}))) as child:
                await within(child.ready.wait())
                print(child.pid, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """
    )
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    await becomes(lambda: gone(int(done.stdout)))


async def test_leftovers_are_ended_but_never_a_stranger_with_the_same_number(tmp_path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]) for _ in range(2)]  # noqa: ASYNC220
    leftover, stranger = processes
    try:
        recorded = {
            "worker": (leftover.pid, started_at(leftover.pid)),
            "relay": (stranger.pid, started_at(stranger.pid) - 3600),
            "codec": (2**22 - 3, 0.0),
        }
        assert end_leftovers(recorded) == ["worker"]
        assert leftover.poll() is not None
        assert stranger.poll() is None
    finally:
        for process in processes:
            process.kill()
            process.wait()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
