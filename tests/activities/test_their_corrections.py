"""The warehouse's corrections: read whole once, then only what is newer; nothing is lost between and nothing counted twice."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from activities.their_corrections import OVERLAP, TheirCorrections
from clients.ongoing import OngoingClient
from tests.activities.world import Shop
from tests.clients.scripted import Scripted, ok

D = Decimal
NINE, TEN = datetime(2026, 3, 3, 9, tzinfo=UTC), datetime(2026, 3, 3, 10, tzinfo=UTC)
SINCE = NINE - timedelta(days=35)


def listed(*rows: tuple[int, datetime, int]) -> list[dict[str, Any]]:
    """The warehouse's list: for each article (number, when, how many) a correction."""
    return [
        {
            "article": {"articleSystemId": article, "articleNumber": f"N-{article}"},
            "inventoryAdjustments": [{"inventoryId": 1, "numberOfItems": items, "inventoryTime": at.isoformat()}],
        }
        for article, at, items in rows
    ]


def list_of(shop: Shop, *answers: list[dict[str, Any]]) -> tuple[TheirCorrections, Scripted]:
    partner = Scripted(*map(ok, answers), base="https://api.ongoing.example/nordlager/api/v1/")
    return TheirCorrections(shop.worker.database, OngoingClient(partner.http, 77), shop.merchant, (), None), partner


async def unbooked(corrections: TheirCorrections, *ids: int) -> dict[int, Decimal]:
    found = await corrections.of(ids, SINCE)
    return {each: sum(found.unbooked(each).values(), D(0)) for each in ids}


async def test_after_the_whole_list_only_what_may_be_newer_is_asked_for(shop: Shop) -> None:
    corrections, partner = list_of(shop, listed((1, NINE, -2), (2, TEN, 1)), listed((2, TEN, 1)))
    assert await unbooked(corrections, 1) == {1: D(-2)}
    assert await unbooked(corrections, 2) == {2: D(1)}
    whole, newer = (request.url.params["from"] for request in partner.requests)
    assert datetime.fromisoformat(whole) == SINCE
    assert TEN - OVERLAP - timedelta(seconds=2) < datetime.fromisoformat(newer) < TEN - OVERLAP


async def test_what_is_told_again_is_counted_once_and_what_is_new_is_added(shop: Shop) -> None:
    corrections, _ = list_of(
        shop,
        listed((1, NINE, -2), (1, TEN, -3)),
        listed((1, TEN, -3), (1, TEN + timedelta(seconds=5), -4)),
        listed((1, TEN, -3), (1, TEN + timedelta(seconds=5), -4), (1, TEN + timedelta(minutes=5), 7)),
    )
    assert await unbooked(corrections, 1) == {1: D(-5)}
    assert await unbooked(corrections, 1) == {1: D(-9)}
    assert await unbooked(corrections, 1) == {1: D(-2)}
    assert await unbooked(corrections, 1, 2) == {1: D(-2), 2: D(0)}


async def test_one_that_comes_into_the_list_a_little_late_is_seen(shop: Shop) -> None:
    late = TEN - OVERLAP / 2
    corrections, _ = list_of(shop, listed((1, NINE, -2), (2, TEN, 1)), listed((1, late, -5), (2, TEN, 1)))
    assert await unbooked(corrections, 1) == {1: D(-2)}
    assert await unbooked(corrections, 1) == {1: D(-7)}


async def test_while_there_are_none_the_whole_window_is_asked_for_again(shop: Shop) -> None:
    corrections, partner = list_of(shop, [], listed((1, NINE, -2)))
    assert await unbooked(corrections, 1) == {1: D(0)}
    assert await unbooked(corrections, 1) == {1: D(-2)}
    assert [datetime.fromisoformat(request.url.params["from"]) for request in partner.requests] == [SINCE, SINCE]
