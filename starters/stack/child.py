"""One child process: started so that it cannot outlive us, stopped kindly first and surely in the end.

Each child leads a process group of its own, so that a Ctrl-C at the terminal reaches only the supervisor, which then stops the
children in order. Where the kernel can (Linux), a child is told to die with us, so that a supervisor killed with -9 leaves no
orphans; `leftovers` finds what remains elsewhere.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

LARGEST_LOG = 20 * 1024 * 1024


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Program:
    """What to start and how to know that it works."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    probe: Callable[[], Awaitable[bool]]
    before: Callable[[], None] = _nothing
    user: str | None = None
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    stop_seconds: float = 10.0


def start(program: Program) -> "subprocess.Popen[bytes]":
    """Start the program, its output appended to its log."""
    program.before()
    make_room(program.log)
    parent, last_signal = os.getpid(), int(program.orphan_signal)

    def die_with_parent() -> None:
        # Between fork and exec: nothing here may import or log. The user has been changed already, which would reset the wish.
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, last_signal)
            if os.getppid() != parent:
                os._exit(1)

    who: dict[str, object] = {"user": program.user, "group": program.user, "extra_groups": []} if program.user else {}
    with os.fdopen(os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            program.command,
            env=dict(program.environment),
            cwd=program.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
            umask=0o077,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it makes two system calls and nothing else
            **who,
        )


def signal_group(process: "subprocess.Popen[bytes]", which: signal.Signals) -> None:
    """Signal what is left of a child's group, grandchildren included."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, which)


def end_leftovers(recorded: Mapping[str, tuple[int, float]], patience: float = 5.0) -> list[str]:
    """End children of a former supervisor that are still there: the same pid, started at the same moment. Returns their names."""
    found = {}
    for name, (pid, started) in recorded.items():
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if abs(process.create_time() - started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE:
                found[name] = process
    for name, process in found.items():
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
    for process in psutil.wait_procs(list(found.values()), timeout=patience)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return sorted(found)


def started_at(pid: int) -> float:
    """When the process began, to tell it from a later one with the same number."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return time.time()


def make_room(log: Path) -> None:
    """Make the log's folder beside the rest; put a log that has grown large aside, over the one put aside before."""
    log.parent.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileNotFoundError):
        if log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
