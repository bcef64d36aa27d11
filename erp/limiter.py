"""How fast and how many at once: a merchant's request window and its write lease, shared by all workers through PostgreSQL.

The window is a set of slots. A request takes the slot that has been free longest and gives it back when the answer is here:
from then the slot rests for the length of the window. Two requests on one slot are therefore at least a window apart as the
partner sees them, so of the n slots never more than n requests fall into any window, however late they travel.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from erp.database import Database, one

_TAKE = text("select slot, wait from bridge.take_slot(:merchant, :system, :slots, :longest)")
_GIVE_BACK = text("select bridge.give_back_slot(:merchant, :system, :slot, :rest)")
_LEASE = text("select bridge.take_lease(:merchant, :system, :holder, :longest, :urgent) as taken")
_RELEASE = text("select bridge.release_lease(:merchant, :system, :holder)")

LONGEST_PAUSE_SECONDS = 1.0
LEASE_PAUSE_SECONDS = 0.02


class RateWindow:
    """At most `requests` in any `seconds`, for one merchant at one system, over all workers.

    `longest` is how long a request may live: a worker that dies with a slot leaves it resting for that time and the window.
    """

    def __init__(self, database: Database, merchant: str, system: str, requests: int, seconds: float, longest: float) -> None:
        self._database = database
        self._key = {"merchant": merchant, "system": system}
        self._slots = requests
        self._seconds = seconds
        self._longest = longest + seconds

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        """Wait for a slot, hold it for one request, let it rest after."""
        slot = await self._take()
        try:
            yield
        finally:
            await asyncio.shield(self._give_back(slot))

    async def _take(self) -> int:
        while True:
            async with self._database.outside() as connection:
                answer = await one(connection, _TAKE, **self._key, slots=self._slots, longest=self._longest)
            if answer.slot is not None:
                return int(answer.slot)
            await asyncio.sleep(min(max(answer.wait or 0.0, 0.005), LONGEST_PAUSE_SECONDS))

    async def _give_back(self, slot: int) -> None:
        async with self._database.outside() as connection:
            await connection.execute(_GIVE_BACK, self._key | {"slot": slot, "rest": self._seconds})


class WriteLease:
    """One write at a time for a goods owner. Orders go before articles; taken for a single request, never for a batch."""

    def __init__(self, database: Database, merchant: str, system: str, longest: float) -> None:
        self._database = database
        self._key = {"merchant": merchant, "system": system}
        self._longest = longest
        self._here = asyncio.Lock()
        self._urgent = 0
        self._calm = asyncio.Condition()

    @asynccontextmanager
    async def __call__(self, urgent: bool) -> AsyncIterator[None]:
        """Hold the lease for one request. It runs out after the longest life of a request, should its holder die."""
        holder = secrets.token_hex(8)
        async with self._turn(urgent), self._here:
            while not await self._take(holder, urgent):  # noqa: ASYNC110 - the other holder may be another process
                await asyncio.sleep(LEASE_PAUSE_SECONDS)
            try:
                yield
            finally:
                await asyncio.shield(self._release(holder))

    @asynccontextmanager
    async def _turn(self, urgent: bool) -> AsyncIterator[None]:
        """Within this process: an article's write waits until no order's write wants the lease."""
        async with self._calm:
            if urgent:
                self._urgent += 1
            else:
                await self._calm.wait_for(lambda: self._urgent == 0)
        try:
            yield
        finally:
            if urgent:
                async with self._calm:
                    self._urgent -= 1
                    self._calm.notify_all()

    async def _take(self, holder: str, urgent: bool) -> bool:
        async with self._database.outside() as connection:
            key = self._key | {"holder": holder}
            return bool((await one(connection, _LEASE, **key, longest=self._longest, urgent=urgent)).taken)

    async def _release(self, holder: str) -> None:
        async with self._database.outside() as connection:
            await connection.execute(_RELEASE, self._key | {"holder": holder})
