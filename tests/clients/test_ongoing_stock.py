"""Stock figures and corrections as Ongoing's own samples show them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from clients.errors import Unreadable
from clients.ongoing import OngoingClient
from tests.clients.scripted import Scripted, ok

D = Decimal
AT = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
ADJUSTMENTS = [
    {
        "article": {"articleSystemId": 5012, "articleNumber": "NB-1001", "articleName": "Cotton tote", "productCode": "TOTE-N"},
        "inventoryAdjustments": [
            {
                "inventoryId": 107,
                "numberOfItems": -2.0,
                "inventoryTime": "2026-03-03T09:19:41.597Z",
                "articleItemComment": "",
                "inventoryItemComment": "Dropped on floor",
                "inventoryAdjustmentCause": {"code": "DMG", "name": "Damaged"},
                "location": "A-01-3",
                "batchNumber": "",
                "serial": "",
                "articleItemStatus": None,
                "expiryDate": None,
                "warehouse": {"id": 1, "code": "GBG", "name": "Göteborg"},
            },
            {"inventoryId": 108, "numberOfItems": 1, "inventoryTime": "2026-03-03T10:00:00Z", "inventoryAdjustmentCause": None},
        ],
    }
]


def client(partner: Scripted) -> OngoingClient:
    return OngoingClient(partner.http, 77)


def answering(*answers: Any) -> Scripted:
    return Scripted(*answers, base="https://api.ongoing.example/nordlager/api/v1/")


async def test_adjustments_are_read_with_their_cause_which_may_be_missing() -> None:
    partner = answering(ok(ADJUSTMENTS))
    [article] = await client(partner).inventory_adjustments(AT)
    assert (article.article_system_id, article.article_number) == (5012, "NB-1001")
    broken, found = article.adjustments
    assert (broken.inventory_id, broken.number_of_items, broken.warehouse_id) == (107, D(-2), 1)
    assert broken.cause is not None and broken.cause.code == "DMG"
    assert broken.inventory_time == datetime(2026, 3, 3, 9, 19, 41, 597000, tzinfo=UTC)
    assert (found.cause, found.number_of_items) == (None, D(1))
    assert partner.asked == [
        "GET /nordlager/api/v1/inventoryAdjustments?goodsOwnerId=77&from=2026-03-03T09%3A00%3A00.000%2B00%3A00"
    ]


async def test_an_adjustment_is_acknowledged_by_inventory_and_article() -> None:
    partner = answering(ok({"message": "ok", "items": [{"inventoryArticleItemId": 1, "articleItemId": 2}]}))
    await client(partner).set_adjustment_reported(107, 5012)
    assert partner.asked == ["PATCH /nordlager/api/v1/inventoryAdjustments/107/articles/5012/setReported"]


async def test_past_stock_comes_whole_in_a_list_of_one() -> None:
    partner = answering(ok([{"articles": [{"articleSystemId": 5012, "articleNumber": "NB-1001", "numberOfItems": 7.5}]}]))
    [article] = await client(partner).historical_inventory(AT)
    assert (article.article_number, article.number_of_items) == ("NB-1001", D("7.5"))
    assert partner.asked == [
        "GET /nordlager/api/v1/articles/historicalInventory?goodsOwnerId=77&stockDate=2026-03-03T09%3A00%3A00.000%2B00%3A00"
    ]


async def test_stock_goes_on_after_the_article_where_it_stopped() -> None:
    partner = answering(ok([{"articleSystemId": 5020, "articleNumber": "B"}]), ok([]))
    pages = [page async for page in client(partner).inventory_per_warehouse(after=5012, page_size=10)]
    assert [article.article_number for page in pages for article in page] == ["B"]
    assert "articleSystemIdFrom=5013&maxArticlesToGet=10" in partner.asked[0]
    assert "articleSystemIdFrom=5021" in partner.asked[1]


async def test_an_answer_of_another_shape_is_no_stock() -> None:
    with pytest.raises(Unreadable):
        await client(answering(ok([{"inventoryAdjustments": []}]))).inventory_adjustments()
