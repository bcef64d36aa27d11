"""Returns as Ongoing tells of them, and what we say about them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from clients.errors import Rejected, Unreadable
from clients.ongoing import Cause, GetReturnOrder, PostReturnLine, PostReturnOrder
from tests.clients.scripted import ok
from tests.clients.test_ongoing import answering, client, sample

D = Decimal


def back(**changes: Any) -> dict[str, Any]:
    """A return order as the notes have it."""
    return {
        "returnOrderInfo": {
            "returnOrderId": 10312,
            "returnOrderNumber": "RMA-501",
            "comment": None,
            "inDate": "2026-03-20",
            "returnOrderStatus": {"number": 100, "text": "Aviserad"},
            "warehouse": {"id": 1, "code": "GBG", "name": "Göteborg"},
        },
        "customerOrderInfo": {"orderId": 90211, "orderNumber": "SO-10045"},
        "returnOrderLines": [
            {
                "returnOrderLineId": 20501,
                "returnOrderRowNumber": "1",
                "customerOrderLine": {"orderLineId": 700101, "customerOrderRowNumber": "1"},
                "article": {"articleSystemId": 5012, "articleNumber": "NB-1001"},
                "returnCause": {"code": "SIZE", "name": "Wrong size"},
                "returnedNumberOfItems": 1.5,
                "pickedNumberOfItems": 8.0,
                "toBeReturnedNumberOfItems": 2.0,
                "returnedRemovedByInventoryNumberOfItems": 0.5,
                "returnedArticleItems": [
                    {"numberOfItems": 0.5, "isReturnRemovedByInventory": True, "returnCause": {"code": "DMG", "name": None}},
                ],
            }
        ],
    } | changes


async def test_a_return_order_is_put_as_ongoing_takes_it() -> None:
    partner = answering(ok({"returnOrderId": 10312, "message": "created"}))
    lines = [PostReturnLine(row_number="1", line_id=700101, to_be_returned=D("1.5"), cause=Cause(code="SIZE", name="Wrong size"))]
    put = PostReturnOrder(return_order_number="RMA-501", order_id=90211, lines=lines, in_date=date(2026, 3, 20))
    assert await client(partner).put_return_order(put) == 10312
    assert partner.asked == ["PUT /nordlager/api/v1/returnOrders"]
    assert partner.sent() == {
        "goodsOwnerId": 77,
        "returnOrderNumber": "RMA-501",
        "customerOrder": {"orderId": 90211},
        "inDate": "2026-03-20",
        "returnOrderLines": [
            {
                "returnOrderRowNumber": "1",
                "customerOrderLine": {"orderLineId": 700101},
                "toBeReturnedNumberOfItems": D("1.5"),
                "returnCause": {"code": "SIZE", "name": "Wrong size"},
            }
        ],
    }


async def test_a_put_that_is_answered_without_an_id_proves_nothing() -> None:
    put = PostReturnOrder(return_order_number="RMA-501", order_id=90211, lines=[])
    with pytest.raises(Unreadable, match="read it back"):
        await client(answering(ok({"returnOrderId": None, "message": "?"}))).put_return_order(put)


async def test_a_return_order_is_read_with_its_counters_and_causes() -> None:
    found = await client(answering(ok(back()))).get_return_order(10312)
    assert (found.return_order_id, found.return_order_number, found.status) == (10312, "RMA-501", 100)
    assert (found.order_id, found.order_number) == (90211, "SO-10045")
    [line] = found.lines
    assert [line.order_line_id, line.to_be_returned, line.returned, line.removed] == [700101, 2, D("1.5"), D("0.5")]
    assert (line.cause, [(item.cause, item.removed, item.number_of_items) for item in line.items]) == (
        "SIZE",
        [("DMG", True, D("0.5"))],
    )


async def test_an_answer_about_another_return_order_is_no_answer() -> None:
    with pytest.raises(Unreadable, match="answered with return order 10312"):
        await client(answering(ok(back()))).get_return_order(1)


async def test_a_number_is_matched_exactly() -> None:
    partner = answering(ok([back()]))
    assert await client(partner).find_return_order("rma-501") is None
    found = await client(partner).find_return_order("RMA-501")
    assert isinstance(found, GetReturnOrder)
    assert await client(partner).return_orders_of("SO-1004") == []
    assert [each.return_order_number for each in await client(partner).return_orders_of("SO-10045")] == ["RMA-501"]
    assert partner.asked[-1] == "GET /nordlager/api/v1/returnOrders?goodsOwnerId=77&customerOrderNumbers=SO-10045"


async def test_what_came_back_is_told_in_absolute_figures() -> None:
    partner = answering(ok({}))
    await client(partner).report_returned_line(90211, 700101, D("2"))
    assert partner.asked == ["PATCH /nordlager/api/v1/orders/90211/lines/700101/reportedReturnedNumberOfItems"]
    assert partner.sent() == {"reportedReturnedNumberOfItems": 2}


async def test_a_refused_cancellation_says_why() -> None:
    partner = answering(ok({"message": "goods have come back"}, 400))
    with pytest.raises(Rejected, match="goods have come back"):
        await client(partner).cancel_return_order(10312)


async def test_causes_and_times_of_what_came_back_are_read_on_the_order() -> None:
    order = sample()
    item = {"numberOfItems": 1, "isReturned": True, "returnDate": "2026-03-22T10:00:00Z", "returnCause": {"code": "SIZE"}}
    order["orderLines"][0]["pickedArticleItems"].append(item)
    found = await client(answering(ok(order))).get_order(90211)
    [line] = found.lines
    assert [(each.number_of_items, each.return_cause) for each in line.returned_items] == [(D(1), "SIZE")]
    assert line.returned_at == datetime(2026, 3, 22, 10, tzinfo=UTC)


async def test_the_lists_of_statuses_and_causes() -> None:
    statuses = {"returnOrderStatuses": [{"number": 100, "text": "Aviserad"}]}
    assert [each.number for each in await client(answering(ok(statuses))).return_order_statuses()] == [100]
    causes = {"returnCauses": [{"id": 1, "code": "SIZE", "name": "Wrong size", "isRemoveCause": False}]}
    assert [each.code for each in await client(answering(ok(causes))).return_causes()] == ["SIZE"]
    assert await client(answering(ok({"returnCauses": None}))).return_causes() == []


async def test_types_of_orders_and_ways_of_delivery_are_known_by_their_codes() -> None:
    types = {"orderTypes": [{"code": "B2C", "name": "Web"}, {"code": None, "name": "nameless"}]}
    assert await client(answering(ok(types))).order_types() == ["B2C"]
    assert await client(answering(ok({"orderTypes": None}))).order_types() == []
    ways = {"wayOfDeliveryTypes": [{"id": 4, "code": "mypack", "name": "MyPack"}]}
    assert await client(answering(ok(ways))).ways_of_delivery() == ["mypack"]
