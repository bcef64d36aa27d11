"""Keeps one child alive: starts it, waits until it works, starts it again on the same port and data when it is gone.

A child that had worked is started again at once. One that never gets that far is tried again after a growing pause, and the
state says so: a crash loop is something to read about, not something to watch the processor for.
"""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from starters.stack.child import Program, signal_group, start, started_at
from starters.stack.journal import Journal

PAUSES = (0.1, 0.3, 0.7, 1.5, 3.0, 6.0, 15.0, 30.0)
LOOK_SECONDS = 0.1
CRASH_LOOP = 4


class Supervised:
    """A program under supervision. `ready` is set while it works, `looping` while it dies again and again before that."""

    def __init__(self, program: Program, journal: Journal, changed: Callable[[], None]) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = asyncio.Event()
        self.looping = asyncio.Event()
        self.starts = 0
        self._journal = journal
        self._changed = changed
        self._failures = 0
        self._last_exit: str | None = None
        self._since = datetime.now(UTC)
        self._stopping = False
        self._keeping: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.returncode is None else None

    def state(self) -> dict[str, Any]:
        """What `status` shows."""
        if self.looping.is_set():
            word = "crash loop"
        elif self.ready.is_set():
            word = "running"
        else:
            word = "stopped" if self._stopping else "starting"
        return {
            "state": word,
            "pid": self.pid,
            "started_at": started_at(self.pid) if self.pid else None,
            "since": self._since.isoformat(timespec="seconds"),
            "restarts": max(0, self.starts - 1),
            "last_exit": self._last_exit,
            "log": str(self.program.log),
        }

    def begin(self) -> None:
        """Start the program and keep it running until `stop`."""
        self._keeping = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def _keep(self) -> None:
        while True:
            try:
                # In the loop's own thread: a child is tied to the thread that started it.
                self.process = start(self.program)
            except Exception as why:
                self._last_exit = f"could not be started: {why}"
            else:
                self.starts += 1
                self._note()
                await self._live(self.process)
            self._failures = 0 if self.ready.is_set() else self._failures + 1
            self.ready.clear()
            self._note()
            self._journal.note("is gone and is started again", self.name, self._last_exit or "")
            if self._failures == CRASH_LOOP:
                self.looping.set()
                self._journal.note("does not come up; it is tried more and more seldom", self.name, str(self.program.log))
            await asyncio.sleep(PAUSES[min(self._failures, len(PAUSES) - 1)])

    async def _live(self, process: "subprocess.Popen[bytes]") -> None:
        """Until the process is gone. Probing and watching are two tasks: a hanging probe must not hide a death."""
        probing = asyncio.create_task(self._become_ready())
        try:
            while process.poll() is None:  # noqa: ASYNC110 - the kernel sets no Event
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        self._last_exit = _exit_in_words(process.returncode)
        signal_group(process, signal.SIGKILL)

    async def _become_ready(self) -> None:
        while True:
            with suppress(Exception):  # a probe that fails in a new way is a probe that fails
                if await self.program.probe():
                    break
            await asyncio.sleep(LOOK_SECONDS)
        self._failures = 0
        self.looping.clear()
        self.ready.set()
        self._note()

    def _note(self) -> None:
        self._since = datetime.now(UTC)
        self._changed()

    async def stop(self) -> None:
        """Ask the child to end, wait, and insist."""
        self._stopping = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        self.ready.clear()
        process = self.process
        if process is not None and process.poll() is None:
            process.send_signal(self.program.stop_signal)
            deadline = time.monotonic() + self.program.stop_seconds
            while process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 - the kernel sets no Event
                await asyncio.sleep(0.02)
            if process.poll() is None:
                self._journal.note("does not stop and is killed", self.name)
            signal_group(process, signal.SIGKILL)
            process.wait()
        self._note()


def _exit_in_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
