"""An order brought to each place that the table of corrections knows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from domain.corrections import EXAMPLES, Name, Situation
from domain.merchant import DEFAULT_STATUSES
from tests.erp.data import line
from tests.workflows.process import Processes, becomes
from workflows import attributes
from workflows.corrections import SENT_AS

LOCKED = "2027-06-30"
UNDER_WAY = 5.0
"""Seconds that the step lasts during which something is asked: more than three answers of a loaded machine."""


async def attempted_twice(processes: Processes, number: str) -> bool:
    """Whether a step has been tried in vain: or, where that took longer than our patience, for so long that it says so."""
    description = await processes.of(number).describe()
    if description.typed_search_attributes.get(attributes.BLOCKED_REASON) == "no-answer":
        return True
    return any(pending.attempt > 1 for pending in description.raw_description.pending_activities)


@asynccontextmanager
async def brought_to(processes: Processes, where: Situation, number: str = "SO-1") -> AsyncIterator[None]:
    """While inside, the order stands there."""
    shop = processes.shop
    match where:
        case Situation.SENDING:
            async with shop.ongoing.fault("PUT /orders", "delay", None, seconds=UNDER_WAY):
                await processes.begin(number)
                await asyncio.sleep(0.3)
                yield
        case Situation.SENDING_BLOCKED:
            await processes.begin(number, [line("A", 3, 10), line("X", 2, 5)])
            await processes.blocked_by("unknown-article", number)
            yield
        case Situation.SENDING_TRYING:
            async with shop.ongoing.fault("PUT /orders", "http", None, status=503):
                await _outlast(processes, await processes.begin(number), number)
                yield
        case Situation.INVOICING_TRYING:
            async with shop.fortnox.fault("GET /3/invoices", "http", None, status=503):
                await _sent_off(processes, number)
                await processes.reaches("invoicing", number)
                await _outlast(processes, processes.of(number), number)
                yield
        case Situation.INVOICING:
            async with shop.fortnox.fault("GET /3/invoices", "delay", None, seconds=UNDER_WAY):
                await _sent_off(processes, number)
                await processes.reaches("invoicing", number)
                await asyncio.sleep(0.4)
                yield
        case Situation.INVOICING_BLOCKED:
            await shop.fortnox("PUT", "locked-period", {"tenantId": shop.tenant, "endDate": LOCKED})
            await _sent_off(processes, number)
            await processes.blocked_by("period-locked", number)
            yield
        case Situation.AT_WAREHOUSE_BLOCKED:
            await _at_warehouse(processes, number)
            held = (await shop.warehouse_order(number))["orderInfo"]["orderStatus"]["number"]
            await shop.settings(statuses=DEFAULT_STATUSES | {str(held): "error"})
            await asyncio.sleep(2.1)  # as long as a worker remembers a merchant's settings
            await processes.look(number)
            await processes.blocked_by("order-error-at-warehouse", number)
            yield
        case Situation.THE_REST:
            await shop.settings(short_grace_seconds=3600)
            await asyncio.sleep(2.1)
            await _at_warehouse(processes, number)
            await shop.floor("pick", number, {1: 1})
            await shop.floor("send", number)
            await processes.look(number)
            await processes.reaches("waiting-for-the-rest", number)
            yield
        case Situation.HELD:
            await processes.begin(number, [line("A", 3, 10), line("X", 2, 5)])
            await processes.blocked_by("unknown-article", number)
            await send(processes, Name.HOLD, number, key=f"hold-{number}")
            yield
        case Situation.AT_WAREHOUSE:
            await _at_warehouse(processes, number)
            yield


async def _at_warehouse(processes: Processes, number: str) -> None:
    await processes.begin(number)
    await processes.reaches("at-warehouse", number)
    await processes.shop.stock(articles=["A", "B"])


async def _sent_off(processes: Processes, number: str) -> None:
    await _at_warehouse(processes, number)
    await processes.shop.pick_and_send(number)
    await processes.look(number)


async def _outlast(processes: Processes, handle: Any, number: str) -> None:
    assert processes.fast_forward is not None
    await becomes(lambda: attempted_twice(processes, number), True)
    await processes.fast_forward(handle, timedelta(minutes=11))
    await processes.blocked_by("no-answer", number)
    await asyncio.sleep(0.3)


def correction(name: Name, **given: Any) -> Any:
    """What a person sends, with an ordinary content."""
    return SENT_AS[name](**({"by": "anna", "reason": "asked on the phone"} | _ordinary(name) | given))


def _ordinary(name: Name) -> dict[str, Any]:
    from domain.corrections import LineChange

    ordinary = dict(EXAMPLES[name])
    if "lines" in ordinary:
        ordinary["lines"] = [LineChange(1, "1")]
    return ordinary


async def send(processes: Processes, name: Name, number: str = "SO-1", **given: Any) -> str:
    """Send a correction as an update and wait for its answer."""
    return str(await processes.of(number).execute_update(name.value, correction(name, **given), result_type=str))
