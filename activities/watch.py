"""What the watcher asks of the warehouse: everything that may have changed, in a handful of calls, compared with our books.

No list alone finds all: "lines to report" sees only reported below picked, so changes of status, picking and order are asked for
by time as well, with an overlap. What is found is a nudge in the inbox; nothing here is ever booked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.connections import Connections
from activities.order_changes import number_in
from activities.purchases import number_in as purchase_in
from clients.ongoing import GetOrder, GetPurchaseOrder, OngoingClient, OrderFilter, PurchaseFilter
from domain.counting import Line
from domain.flows import PURCHASES
from erp import counters, purchases, returns, watching
from erp.counters import PURCHASE_ORDER
from erp.database import Database, Session
from erp.merchants import Merchant
from erp.watching import Listed, Rhythm

OVERLAP = timedelta(minutes=2)
OLDEST_UPDATE = timedelta(hours=47)
PAGE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """How many documents differed, when to look again, and whether the nightly sweep is due."""

    nudged: int
    interval_seconds: int
    sweep_due: bool


class Watch:
    """Finds what no message told."""

    def __init__(self, database: Database, connections: Connections[OngoingClient]) -> None:
        self._database = database
        self._connections = connections

    @activity.defn
    async def find_changes(self, merchant_id: str) -> Found:
        """Nudge every order whose state in the warehouse differs from our books. A repeat nudges again, harmlessly."""
        async with self._connections.using(merchant_id) as (merchant, client):
            async with self._database.merchant(merchant_id) as session:
                rhythm = await watching.rhythm(session, merchant_id, merchant.settings.watch_interval_seconds)
            if not rhythm.enabled:
                return Found(0, rhythm.interval_seconds, False)
            nudged: dict[int, str] = {}
            for asked in _filters(rhythm):
                async for page in client.list_orders(asked, page_size=PAGE):
                    fresh = [order for order in page if order.order_id not in nudged]
                    async with self._database.merchant(merchant_id) as session:
                        differing = await watching.changed(session, merchant_id, [_listed(order) for order in fresh])
                        differing |= await _adopt_strays(session, merchant, fresh)
                        await watching.nudge(session, merchant_id, "poll", differing)
                        await returns.notice(session, merchant_id, _returned(page))
                    nudged |= differing
                    activity.heartbeat(len(nudged))
            bought = await self._find_receipts(client, merchant, rhythm)
            async with self._database.merchant(merchant_id) as session:
                orphans = await watching.orphans(session, merchant_id)
                await watching.nudge(session, merchant_id, "orphan", {-n: number for n, number in enumerate(orphans, 1)})
                await watching.ran(session, merchant_id, watching.FLOW, rhythm.now)
            found = len(nudged) + len(orphans) + bought
            return Found(found, rhythm.interval_seconds, _sweep_due(merchant, rhythm))

    async def _find_receipts(self, client: OngoingClient, merchant: Merchant, rhythm: Rhythm) -> int:
        """Nudge every purchase order whose state in the warehouse differs from our books; returns how many."""
        who, since = merchant.merchant_id, _since(rhythm)
        async with self._database.merchant(who) as session:
            buys = await purchases.any_placed(session, who)
        if not buys or await self._connections.is_off(merchant, PURCHASES):
            return 0
        nudged: set[int] = set()
        for asked in (
            PurchaseFilter(only_with_lines_to_report=True),
            PurchaseFilter(status_changed_from=since),
            PurchaseFilter(last_received_from=since),
        ):
            async for page in client.list_purchase_orders(asked, page_size=PAGE):
                fresh = [each for each in page if each.purchase_order_id not in nudged]
                async with self._database.merchant(who) as session:
                    differing = await purchases.changed(session, who, [_bought(each) for each in fresh])
                    ours = {
                        each.purchase_order_id: each.purchase_order_number
                        for each in fresh
                        if each.purchase_order_number and purchase_in(each.reference_number) == each.purchase_order_number
                    }
                    differing |= await purchases.strays(session, who, ours) if ours else {}
                    await watching.nudge(session, who, "poll", differing, PURCHASE_ORDER)
                nudged |= set(differing)
                activity.heartbeat(len(nudged))
        return len(nudged)

    async def _sweep_receipts(self, client: OngoingClient, merchant: str, beats: tuple[int, int]) -> int:
        """Compare every watched purchase order with our books, however old; returns how many differed.

        It begins anew with each attempt; `beats` keeps what the orders' sweep has reached.
        """
        after, nudged = 0, 0
        while True:
            async with self._database.merchant(merchant) as session:
                batch = await purchases.to_sweep(session, merchant, after, PAGE)
            if not batch:
                return nudged
            numbers = tuple(document for _, document in batch)
            asked = PurchaseFilter(purchase_order_id_from=batch[0][0], purchase_order_numbers=numbers)
            async for page in client.list_purchase_orders(asked, page_size=PAGE):
                async with self._database.merchant(merchant) as session:
                    differing = await purchases.changed(session, merchant, [_bought(each) for each in page])
                    await watching.nudge(session, merchant, "sweep", differing, PURCHASE_ORDER)
                nudged += len(differing)
            after = batch[-1][0]
            activity.heartbeat(*beats)

    @activity.defn
    async def sweep(self, merchant_id: str) -> Found:
        """Compare every watched document with our books, however old. Goes on where a former attempt stopped."""
        details = activity.info().heartbeat_details
        after, nudged = (int(details[0]), int(details[1])) if details else (0, 0)
        async with self._connections.using(merchant_id) as (merchant, client):
            while True:
                async with self._database.merchant(merchant_id) as session:
                    batch = await watching.to_sweep(session, merchant_id, after, PAGE)
                if not batch:
                    break
                asked = OrderFilter(order_id_from=batch[0][0], order_numbers=tuple(document for _, document in batch))
                async for page in client.list_orders(asked, page_size=PAGE):
                    async with self._database.merchant(merchant_id) as session:
                        differing = await watching.changed(session, merchant_id, [_listed(order) for order in page])
                        await watching.nudge(session, merchant_id, "sweep", differing)
                        await returns.notice(session, merchant_id, _returned(page))
                    nudged += len(differing)
                after = batch[-1][0]
                activity.heartbeat(after, nudged)
            if not await self._connections.is_off(merchant, PURCHASES):
                nudged += await self._sweep_receipts(client, merchant_id, (after, nudged))
            async with self._database.merchant(merchant_id) as session:
                await returns.nudge_unended(session, merchant_id)
                await watching.ran(session, merchant_id, watching.SWEEP)
            return Found(nudged, merchant.settings.watch_interval_seconds, False)


async def _adopt_strays(session: Session, merchant: Merchant, listed: Sequence[GetOrder]) -> dict[int, str]:
    """Watch documents of ours that nobody waits for any more: their request arrived after the order was cancelled unsent."""
    ours = {
        order.order_id: order.order_number
        for order in listed
        if order.order_number and number_in(order.goods_owner_order_id) == order.order_number
    }
    found = await watching.strays(session, merchant.merchant_id, ours) if ours else {}
    for order_id, number in found.items():
        await counters.watch(session, merchant.merchant_id, number, order_id, merchant.settings.watch_days)
    return found


def _since(rhythm: Rhythm) -> datetime:
    return (rhythm.watermark or rhythm.now - OLDEST_UPDATE) - OVERLAP


def _bought(purchase: GetPurchaseOrder) -> Listed:
    lines = {(purchase.purchase_order_id, line.line_id): (line.received, line.reported) for line in purchase.lines}
    return Listed(purchase.purchase_order_id, purchase.status, None, lines)


def _filters(rhythm: Rhythm) -> list[OrderFilter]:
    since = _since(rhythm)
    recent = max(since, rhythm.now - OLDEST_UPDATE)
    return [
        OrderFilter(only_with_lines_to_report=True),
        OrderFilter(status_changed_from=since),
        OrderFilter(last_picking_from=since),
        OrderFilter(updated_from=recent),
        OrderFilter(last_returned_from=since),
        OrderFilter(only_with_lines_to_report_returned=True),
    ]


def _listed(order: GetOrder) -> Listed:
    lines = {}
    for line in order.lines:
        for counted in line.counted:
            lines[order.order_id, counted.line_id] = (counted.picked, counted.reported)
    mark = order.goods_owner_order_id if number_in(order.goods_owner_order_id) == order.order_number else None
    return Listed(order.order_id, order.status, mark, lines)


def _returned(page: Sequence[GetOrder]) -> dict[Line, Decimal | None]:
    return {
        (order.order_id, counted.line_id): counted.returned for order in page for line in order.lines for counted in line.counted
    }


def _sweep_due(merchant: Merchant, rhythm: Rhythm) -> bool:
    if not rhythm.sweep_enabled or rhythm.sweep_asked:
        return rhythm.sweep_enabled
    zone = ZoneInfo(merchant.time_zone)
    local = rhythm.now.astimezone(zone)
    if local.hour < merchant.settings.nightly_sweep_hour:
        return False
    return rhythm.swept_at is None or rhythm.swept_at.astimezone(zone).date() < local.date()
