"""Ways into a reason and out of it: what they share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from erp.exceptions import settle_note
from erp.merchants import change_settings
from tests.activities.world import SETTINGS
from tests.workflows.process import Processes, becomes
from workflows import attributes

Act = Callable[[Processes], Awaitable[Any]]


@dataclass(frozen=True)
class Way:
    """How a process comes to stand still for a reason, and what its stated remedy is when it is done.

    A note (`blocking` false) holds nothing up: it is listed, and leaves the list. `odd`: in a warehouse with other rules.
    """

    into: Act
    out: Act
    blocking: bool = True
    odd: bool = False


@dataclass(frozen=True)
class Elsewhere:
    """A test of its own brings a process in and out: `file::name`."""

    test: str


SETTLE = 12.0
"""Seconds that a write without a clear answer may live: so many that our patience is over after few attempts."""
ODD_RULES = {"missingLines": "keep", "articleNumbers": "alike", "putOnCancelled": "revive"}


# --- what the ERP does, in plain SQL


async def erp(p: Processes, statement: str, **values: Any) -> None:
    async with p.shop.erp.everyone() as session:
        await session.execute(text(statement), values | {"m": p.shop.merchant})


async def order(p: Processes, number: str = "SO-1", **columns: Any) -> None:
    await p.shop.change(number, **columns)


# --- what a person does


async def set_in_force(p: Processes, **settings: Any) -> None:
    """`lagerbro merchant settings set`."""
    async with p.shop.worker.database.merchant(p.shop.merchant) as session:
        await change_settings(session, p.shop.merchant, SETTINGS | settings, "anna", "mended")
    await p.shop.forget()


async def agreed(p: Processes, **settings: Any) -> None:
    """Settings that hold before anything begins: a worker remembers a merchant's for two seconds."""
    await p.shop.settings(**settings)
    await asyncio.sleep(2.1)


async def retry(p: Processes, number: str = "SO-1") -> None:
    await p.retry("anna", "mended", number)


def seen_to(code: str, document: str = "SO-1") -> Act:
    """`lagerbro note close`."""

    async def close(p: Processes) -> None:
        async with p.shop.worker.database.merchant(p.shop.merchant) as session:
            await settle_note(session, p.shop.merchant, document, code, "anna", "seen to")

    return close


def after(*acts: Act) -> Act:
    """One after the other."""

    async def all_of(p: Processes) -> None:
        for each in acts:
            await each(p)

    return all_of


async def nothing(_: Processes) -> None:
    """The remedy is to wait."""


# --- what the other systems do


async def spoil_ongoing(p: Processes, route: str, kind: str, count: int | None = None, **params: Any) -> None:
    """This merchant's requests meet a fault until `mend_ongoing`."""
    wish = {"id": p.shop.merchant, "route": route, "kind": kind, "count": count}
    await p.shop.ongoing("POST", "faults", wish | {"params": params | {"warehouse": p.shop.merchant}})


async def mend_ongoing(p: Processes) -> None:
    await p.shop.ongoing("DELETE", f"faults/{p.shop.merchant}")


async def spoil_fortnox(p: Processes, route: str, kind: str, count: int | None = None, **params: Any) -> None:
    wish = {"id": p.shop.merchant, "route": route, "kind": kind, "count": count, "tenantId": p.shop.tenant}
    await p.shop.fortnox("POST", "faults", wish | {"params": params})


async def mend_fortnox(p: Processes) -> None:
    await p.shop.fortnox("DELETE", f"faults/{p.shop.merchant}")


# --- where things are


async def at_warehouse(p: Processes, number: str = "SO-1", lines: Any = (), **columns: Any) -> None:
    await p.begin(number, lines, **columns)
    await p.reaches("at-warehouse", number)
    await p.shop.stock(articles=["A", "B"])


async def sent_off(p: Processes, number: str = "SO-1", lines: Any = (), **columns: Any) -> None:
    """Picked and sent: its invoice is owed."""
    await at_warehouse(p, number, lines, **columns)
    await p.shop.pick_and_send(number)
    await p.look(number)


async def sold(p: Processes, number: str = "SO-1", lines: Any = (), **columns: Any) -> None:
    await sent_off(p, number, lines, **columns)
    assert await p.result(number, 60) == "completed"


async def completed(p: Processes, number: str = "SO-1") -> None:
    assert await p.result(number, 60) == "completed"


async def outlast(p: Processes, handle: WorkflowHandle[Any, Any] | None = None, number: str = "SO-1") -> None:
    """More than our patience passes while a step is tried in vain."""
    assert p.fast_forward is not None
    waits = handle or p.of(number)
    await becomes(lambda: _failed_once(waits), True)
    assert await p.fast_forward(waits, timedelta(minutes=11)), "the clock moved less than that in the minute it is given"


async def _failed_once(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether it is there, and a step of it has an attempt behind it."""
    try:
        pending = (await handle.describe()).raw_description.pending_activities
    except RPCError:
        return False
    return any(each.attempt > 1 or each.last_failure.message for each in pending)


async def codes(p: Processes) -> list[str]:
    return [code for code, _ in await p.shop.exceptions()]


async def listed(p: Processes, code: str, seconds: float = 60) -> None:
    async def there() -> Any:
        found = await codes(p)
        return code if code in found else found

    await becomes(there, code, seconds)


async def gone(p: Processes, code: str, seconds: float = 60) -> None:
    async def there() -> Any:
        return await codes(p) if code in await codes(p) else None

    await becomes(there, None, seconds)


async def stands(handle: WorkflowHandle[Any, Any]) -> Any:
    return (await handle.describe()).typed_search_attributes.get(attributes.BLOCKED_REASON)


async def pause(seconds: float) -> None:
    await asyncio.sleep(seconds)
