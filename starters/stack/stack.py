"""The whole stack as one object: started in parallel, supervised, stopped in order.

    async with Stack.start(home) as stack:
        settings = Settings.from_environment(stack.environment())
        stack.kill("worker")        # it is back within seconds

PostgreSQL, Temporal and the simulators need nobody and start at once; what needs the database starts when it is migrated.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from erp.migrate import LOGINS, prepare_async
from starters.connect import GOODS_OWNER_ID, connect_demo
from starters.stack import postgres, temporal
from starters.stack.child import Program, end_leftovers, started_at
from starters.stack.home import Home
from starters.stack.journal import Journal
from starters.stack.programs import SIMULATED, Programs
from starters.stack.supervisor import Supervised
from worker.settings import Settings

OWN_VARIABLES = ("LAGERBRO_HOME", "LAGERBRO_PORT_BASE")
FIRST_TO_STOP = ("intake", "relay", "worker", "codec")
START_SECONDS = 60.0
AUTO_DELAY_SECONDS = 0.5


class StackError(Exception):
    """The stack did not come up; the text names the child and its log."""


class Stack:
    """A running stack. Made by `Stack.start`."""

    def __init__(self, home: Home, programs: Programs, journal: Journal) -> None:
        self.home = home
        self.addresses = programs.addresses
        self.started_in: float | None = None
        self._journal = journal
        self._programs = programs
        self._children: dict[str, Supervised] = {}
        self._started_at = datetime.now(UTC)

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        home: Path | None = None,
        *,
        auto_warehouse: bool = False,
        port_base: int | None = None,
        environment: Mapping[str, str] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> AsyncIterator["Stack"]:
        """Start everything and give it when it works; stop everything at the end.

        `environment` holds LAGERBRO_* variables for all children, over those of this process; `tell` hears what the
        supervisor does. Raises `HomeError` when a stack runs in this folder already, `StackError` when a child does not come up.
        """
        settings = Settings.from_environment()
        given = _inherited(settings) | dict(environment or {})
        state = Home(home or settings.home)
        state.create()
        with state.locked():
            former = state.state().get("children", {})
            journal = Journal(state.logs / "supervisor.log", tell)
            for name in end_leftovers({name: (c["pid"], c["started_at"]) for name, c in former.items() if c.get("pid")}):
                journal.note("was left over from a supervisor that died, and is ended", name)
            ports = state.choose_ports(port_base or settings.port_base)
            stack = cls(state, Programs(state, ports, given), journal)
            try:
                await stack._bring_up(auto_warehouse)
                yield stack
            finally:
                await stack._take_down()

    def environment(self) -> dict[str, str]:
        """Variables for `Settings.from_environment`, or for a process of one's own that works on this stack."""
        return self._programs.environment()

    def pid(self, name: str) -> int | None:
        """The child's process now; None while it is away."""
        return self._children[name].pid

    def restarts(self, name: str) -> int:
        """How often the child was started again."""
        return max(0, self._children[name].starts - 1)

    @property
    def names(self) -> list[str]:
        return sorted(self._children)

    def kill(self, name: str, which: signal.Signals = signal.SIGKILL) -> bool:
        """Send a child a signal; it will be back. False when it is away already."""
        pid = self.pid(name)
        if pid is None:
            return False
        os.kill(pid, which)
        return True

    async def ready(self, name: str, seconds: float = 30.0) -> None:
        """Wait until the child works."""
        try:
            await asyncio.wait_for(self._children[name].ready.wait(), seconds)
        except TimeoutError:
            raise StackError(f"{name} does not work after {seconds:.0f} s: {self._why_not(name)}") from None

    def state(self) -> dict[str, Any]:
        """What is written to stack.json. No secrets."""
        return {
            "home": str(self.home.folder),
            "supervisor": {"pid": os.getpid(), "started_at": started_at(os.getpid())},
            "started_at": self._started_at.isoformat(timespec="seconds"),
            "started_in_seconds": self.started_in,
            "addresses": self.addresses,
            "environment": self.environment(),
            "children": {name: child.state() for name, child in self._children.items()},
        }

    async def _bring_up(self, auto_warehouse: bool) -> None:
        began = time.monotonic()
        programs = self._programs
        programs.write_secrets()
        for program in (programs.temporal(), *(programs.simulator(system) for system in SIMULATED), programs.codec()):
            self._supervise(program)
        await asyncio.to_thread(postgres.initialise, self.home.postgres, self.home.passwords()["postgres"])
        self._supervise(programs.postgres())
        await self._all_ready("postgres")
        await self._migrate()
        await self._all_ready("temporal", *SIMULATED, "codec")
        await temporal.keep_closed_workflows(self.addresses["temporal"])
        for program in (programs.worker(), programs.relay(), programs.intake()):
            self._supervise(program)
        await connect_demo(Settings.from_environment(self.environment()), self.addresses)
        if auto_warehouse:
            await self._let_the_warehouse_work()
        await self._all_ready("worker", "relay", "intake")
        self.started_in = round(time.monotonic() - began, 2)
        self._write()
        self._journal.note("everything is up", text=f"{self.started_in} s")

    async def _migrate(self) -> None:
        passwords = self.home.passwords()
        await postgres.prepare_installation(self._programs.superuser_url(), passwords["setup"])
        owner = Settings.from_environment(self.environment()).database("owner")
        await prepare_async(owner, {role: passwords[role] for role in LOGINS})

    async def _let_the_warehouse_work(self) -> None:
        body = {"goodsOwnerId": GOODS_OWNER_ID, "enabled": True, "delaySeconds": AUTO_DELAY_SECONDS, "style": "full", "seed": 1}
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            (await http.put(f"{self.addresses['ongoing']}/_control/auto", json=body)).raise_for_status()

    async def _all_ready(self, *names: str) -> None:
        """Wait for children at the start, where one that dies again and again is a reason to give up at once."""
        for name in names:
            child = self._children[name]
            waiting = [asyncio.create_task(event.wait()) for event in (child.ready, child.looping)]
            try:
                await asyncio.wait(waiting, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
            if not child.ready.is_set():
                raise StackError(f"{name} does not come up: {self._why_not(name)}")

    def _why_not(self, name: str) -> str:
        state = self._children[name].state()
        return f"{state['last_exit'] or 'it runs but does not answer'}; read {state['log']}"

    def _supervise(self, program: Program) -> None:
        child = Supervised(program, self._journal, self._write)
        self._children[program.name] = child
        child.begin()

    def _write(self) -> None:
        if self.home.exists:
            self.home.write_state(self.state())

    async def _take_down(self) -> None:
        """Those who use the servers first, then the servers."""
        users = [child for name, child in self._children.items() if name in FIRST_TO_STOP]
        servers = [child for name, child in self._children.items() if name not in FIRST_TO_STOP]
        for together in (users, servers):
            await asyncio.gather(*(child.stop() for child in together))
        await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once


def _inherited(settings: Settings) -> dict[str, str]:
    """What the user set for this stack's children: everything that the stack does not decide itself."""
    decided = (
        "DATABASE_URL",
        "LAGERBRO_KEYS",
        "_PORT",
        "_HOST",
        "LAGERBRO_CODEC_ORIGIN",
        "LAGERBRO_PASSWORDS",
        "HEALTH_FILE",
        "BANK_URL",
        "ECB_URL",
    )
    return {
        name: value
        for name, value in settings.environment().items()
        if name.startswith("LAGERBRO_") and name not in OWN_VARIABLES and not any(part in name for part in decided)
    }
