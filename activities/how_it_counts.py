"""Finding out how a warehouse counts, from real picks and receipts; what is proved is kept."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from activities.compare_stock import Comparer
from clients.ongoing import OrderFilter, PurchaseFilter
from domain.how_it_counts import AT_COLLECTION, WHEN_FINISHED, Counted, proved
from domain.money import ZERO
from domain.reconciling import Why
from erp import adjusted

MOST = 40


async def prove_counting(comparer: Comparer) -> Mapping[str, Any]:
    """Everything that is proved of how the warehouse counts: what was kept, and what can be seen now. Keeps what is new."""
    async with comparer.database.merchant(comparer.who) as session:
        known = await adjusted.counting(session, comparer.who)
    if len(known) == 2 and all(known[name]["value"] == value for name, value in settings_of(comparer).items()):
        return known
    fresh = {
        setting: {"value": proof.value, "article": proof.article, "at": comparer.now().isoformat(timespec="seconds")}
        for setting, proof in proved(await _seen(comparer)).items()
    }
    if fresh:
        async with comparer.database.merchant(comparer.who) as session:
            known = await adjusted.keep_counting(session, comparer.who, fresh)
    return known


def settings_of(comparer: Comparer) -> dict[str, bool]:
    """The two settings as the merchant has them."""
    rules = comparer.rules
    return {AT_COLLECTION: rules.goods_leave_at_collection, WHEN_FINISHED: rules.received_counts_when_finished}


async def _seen(comparer: Comparer) -> list[Counted]:
    numbers = await _open(comparer)
    before = await _figures(comparer, numbers)
    looked = await comparer.look(sorted(before))
    after = await _figures(comparer, sorted(before))
    counted = []
    for each in looked:
        article = each.close.article
        if each.moving or before[article] != after.get(article) or each.physical.of(Why.DEFERRED):
            continue
        must_be = each.physical.theirs - each.physical.of(Why.UNKNOWN) - each.physical.of(Why.UNIT)
        counted.append(Counted(article, must_be, *before[article]))
    return counted


async def _open(comparer: Comparer) -> list[str]:
    """Articles that somebody has picked or received of late."""
    since = comparer.now() - timedelta(hours=comparer.rules.recent_hours)
    numbers: dict[str, None] = {}
    async for orders in comparer.client.list_orders(OrderFilter(last_picking_from=since)):
        for leaf in (leaf for order in orders for line in order.lines for leaf in line.leaves if leaf.picked):
            numbers.setdefault(leaf.article_number)
        comparer.beat()
    some = list(numbers)[-MOST:]
    bought: dict[str, None] = {}
    async for purchases in comparer.client.list_purchase_orders(PurchaseFilter(last_received_from=since)):
        for line in (line for purchase in purchases for line in purchase.lines if line.received):
            bought.setdefault(line.article_number)
        comparer.beat()
    return [*some, *(number for number in list(bought)[-MOST:] if number not in some)]


async def _figures(comparer: Comparer, numbers: list[str]) -> dict[str, tuple[Any, Any, Any]]:
    """What the warehouse shows of these: items, to collect, to finish. Only where one of the last two is open."""
    found = {}
    for start in range(0, len(numbers), MOST):
        async for page in comparer.client.list_articles(numbers[start : start + MOST]):
            for article in page:
                info = article.inventory_info
                if info is None or info.number_of_items is None:
                    continue
                collect = info.picked_to_be_collected_number_of_items or ZERO
                finish = info.received_to_be_finished_number_of_items or ZERO
                if collect or finish:
                    found[article.article_number] = (info.number_of_items, collect, finish)
    return found
