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

_ENSURE = text(
    """
    insert into bridge.rate_slot (merchant_id, system, slot, free_at)
    select :merchant, :system, n, 'epoch' from generate_series(1, :slots) as n on conflict do nothing
    """
)
_TAKE = text(
    """
    update bridge.rate_slot s set free_at = now() + make_interval(secs => :longest)
    from (select slot from bridge.rate_slot
          where merchant_id = :merchant and system = :system and slot <= :slots and free_at <= now()
          order by free_at limit 1 for update skip locked) as free
    where s.merchant_id = :merchant and s.system = :system and s.slot = free.slot
    returning s.slot
    """
)
_WAIT = text(
    """
    select count(*) as slots, extract(epoch from min(free_at) - clock_timestamp()) as seconds from bridge.rate_slot
    where merchant_id = :merchant and system = :system and slot <= :slots
    """
)
_GIVE_BACK = text(
    """
    update bridge.rate_slot set free_at = clock_timestamp() + make_interval(secs => :window)
    where merchant_id = :merchant and system = :system and slot = :slot
    """
)
_LEASE = text(
    """
    insert into bridge.write_lease as l (merchant_id, system, holder, held_until)
    values (:merchant, :system, :holder, now() + make_interval(secs => :longest))
    on conflict (merchant_id, system) do update set holder = excluded.holder, held_until = excluded.held_until,
        orders_wait_until = case when :urgent then null else l.orders_wait_until end
    where (l.holder is null or l.held_until < now()) and (:urgent or coalesce(l.orders_wait_until, 'epoch') < now())
    returning holder
    """
)
_SAY_WAITING = text(
    """
    update bridge.write_lease set orders_wait_until = now() + interval '2 seconds'
    where merchant_id = :merchant and system = :system
    """
)
_RELEASE = text(
    "update bridge.write_lease set holder = null where merchant_id = :merchant and system = :system and holder = :holder"
)


class RateWindow:
    """At most `requests` in any `seconds`, for one merchant at one system, over all workers."""

    def __init__(self, database: Database, merchant: str, system: str, requests: int, seconds: float, longest: float) -> None:
        self._database = database
        self._key = {"merchant": merchant, "system": system, "slots": requests}
        self._seconds = seconds
        self._longest = longest + seconds

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        """Wait for a slot, hold it for one request, rest it after. A worker that dies leaves the slot to rest out its time."""
        slot = await self._take()
        try:
            yield
        finally:
            await asyncio.shield(self._give_back(slot))

    async def _take(self) -> int:
        while True:
            async with self._database.merchant(self._key["merchant"]) as connection:  # type: ignore[arg-type]
                taken = await one(connection, _TAKE, **self._key, longest=self._longest)
                if taken is not None:
                    return int(taken.slot)
                wait = await one(connection, _WAIT, **self._key)
                if wait.slots < self._key["slots"]:
                    await connection.execute(_ENSURE, self._key)
                    continue
            await asyncio.sleep(min(max(float(wait.seconds), 0.01), 1.0))

    async def _give_back(self, slot: int) -> None:
        async with self._database.merchant(self._key["merchant"]) as connection:  # type: ignore[arg-type]
            await connection.execute(_GIVE_BACK, self._key | {"slot": slot, "window": self._seconds})


class WriteLease:
    """One write at a time for a goods owner. Orders go before articles; taken for a single request, never for a batch."""

    def __init__(self, database: Database, merchant: str, system: str, longest: float) -> None:
        self._database = database
        self._merchant = merchant
        self._system = system
        self._longest = longest
        self._here = asyncio.Lock()

    @asynccontextmanager
    async def __call__(self, urgent: bool) -> AsyncIterator[None]:
        """Hold the lease for one request. It runs out after the longest life of a request, should its holder die."""
        holder = secrets.token_hex(8)
        key = {"merchant": self._merchant, "system": self._system}
        async with self._here:
            await self._take(key | {"holder": holder}, urgent)
            try:
                yield
            finally:
                await asyncio.shield(self._release(key | {"holder": holder}))

    async def _take(self, key: dict[str, str], urgent: bool) -> None:
        while True:
            async with self._database.merchant(self._merchant) as connection:
                if await one(connection, _LEASE, **key, longest=self._longest, urgent=urgent):
                    return
                if urgent:
                    await connection.execute(_SAY_WAITING, key)
            await asyncio.sleep(0.02)

    async def _release(self, key: dict[str, str]) -> None:
        async with self._database.merchant(self._merchant) as connection:
            await connection.execute(_RELEASE, key)
