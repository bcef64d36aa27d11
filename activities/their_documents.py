"""The warehouse's documents that may hold something of some articles that we have not booked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from clients.ongoing import GetOrder, GetPurchaseOrder, OngoingClient, OrderFilter, PurchaseFilter
from erp.merchants import Merchant

LONGEST_NUMBERS = 1500
"""Of article numbers in one query; what else stands in it leaves it below the 2048 characters that IIS takes."""


@dataclass(frozen=True, slots=True)
class Documents:
    """What the warehouse has on its documents of some articles."""

    orders: dict[int, GetOrder]
    purchases: dict[int, GetPurchaseOrder]


async def documents_of(
    client: OngoingClient, articles: Sequence[str], since: datetime, open_below: int | None, beat: Callable[[], None]
) -> Documents:
    """Those with something to report or that have moved since then, and orders open below a status if one is given."""
    orders: dict[int, GetOrder] = {}
    purchases: dict[int, GetPurchaseOrder] = {}
    for numbers in _in_parts(articles):
        asked = [
            OrderFilter(article_numbers=numbers, only_with_lines_to_report=True),
            OrderFilter(article_numbers=numbers, last_picking_from=since),
            OrderFilter(article_numbers=numbers, only_with_lines_to_report_returned=True),
            OrderFilter(article_numbers=numbers, last_returned_from=since),
        ]
        if open_below is not None:
            asked.append(OrderFilter(article_numbers=numbers, status_to=open_below - 1))
        for wish in asked:
            async for page in client.list_orders(wish):
                orders |= {order.order_id: order for order in page}
        for bought_wish in (
            PurchaseFilter(article_numbers=numbers, only_with_lines_to_report=True),
            PurchaseFilter(article_numbers=numbers, last_received_from=since),
        ):
            async for bought in client.list_purchase_orders(bought_wish):
                purchases |= {purchase.purchase_order_id: purchase for purchase in bought}
        beat()
    return Documents(orders, purchases)


async def in_flight(client: OngoingClient, beat: Callable[[], None]) -> set[str]:
    """Articles on documents that the warehouse holds for unreported."""
    numbers = set()
    for asked in (OrderFilter(only_with_lines_to_report=True), OrderFilter(only_with_lines_to_report_returned=True)):
        async for page in client.list_orders(asked):
            numbers |= {leaf.article_number for order in page for line in order.lines for leaf in line.leaves}
            beat()
    async for bought in client.list_purchase_orders(PurchaseFilter(only_with_lines_to_report=True)):
        numbers |= {line.article_number for purchase in bought for line in purchase.lines}
    return numbers


def picked_from(merchant: Merchant) -> int:
    """The first status number from which the warehouse no longer reserves."""
    meant = ("picked", "sent", "collected", "returned")
    return min((int(number) for number, meaning in merchant.settings.statuses.items() if meaning in meant), default=400)


def _in_parts(numbers: Sequence[str]) -> list[list[str]]:
    """Numbers in parts that fit in a query."""
    parts: list[list[str]] = []
    length = LONGEST_NUMBERS + 1
    for number in numbers:
        needed = len(quote(number, safe="")) + len("&articleNumbers=")
        if length + needed > LONGEST_NUMBERS:
            parts.append([])
            length = 0
        parts[-1].append(number)
        length += needed
    return parts
