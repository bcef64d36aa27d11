"""Purchase orders of Ongoing, as its own samples have them, and what we make of them."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clients.errors import Unreadable
from clients.ongoing import GetPurchaseOrder, OngoingClient, PostPurchaseLine, PostPurchaseOrder, PurchaseFilter
from tests.clients.scripted import Scripted, ok

D = Decimal
BASE = "https://api.ongoingsystems.se/nordlager/api/v1/"
SAMPLE = """
{
  "goodsOwner": {"id": 77, "name": "Nordbutik AB"},
  "supplierInfo": {"supplierNumber": "S-14", "supplierName": "Vävkraft AB"},
  "purchaseOrderInfo": {
    "purchaseOrderId": 4410, "purchaseOrderNumber": "PO-3001", "supplierOrderNumber": "S-99812",
    "goodsOwnerReference": "K. Lind", "referenceNumber": "lagerbro/PO-3001/v2",
    "purchaseOrderStatus": {"number": 400, "text": "Avvikelse"}, "purchaseOrderType": null,
    "inDate": "2026-03-10", "createdDate": "2026-03-01T08:00:00Z", "warehouse": {"id": 1, "code": "GBG", "name": "Göteborg"},
    "advanced": {"arrivalDate": null, "orderDate": "2026-02-01T00:00:00Z", "purchaseOrderIsReturnType": false}
  },
  "purchaseOrderLines": [
    {"id": 8801, "rowNumber": "10", "externalOrderLineId": "PO-3001-10",
     "article": {"articleSystemId": 5012, "articleNumber": "NB-1001", "articleName": "Cotton tote, natural"},
     "rowPrice": 5550.0, "advisedNumberOfItems": 300.0, "receivedNumberOfItems": 288.0, "reportedNumberOfItems": null,
     "articleItems": [
       {"originalArticleItemId": 77001, "numberOfItems": 240.0, "inDate": "2026-03-10T09:15:42.527Z", "location": "IN-1"},
       {"originalArticleItemId": 77002, "numberOfItems": 48.0, "inDate": "2026-03-10T13:40:11.9Z", "location": "IN-1"}],
     "subPurchaseOrderLines": null},
    {"id": 8802, "rowNumber": "", "article": {"articleNumber": "NB-9"}, "advisedNumberOfItems": 0.0,
     "receivedNumberOfItems": null, "reportedNumberOfItems": null, "articleItems": null}
  ]
}
"""


def sample(**info: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SAMPLE)
    found["purchaseOrderInfo"] |= info
    return found


def client(partner: Scripted) -> OngoingClient:
    return OngoingClient(partner.http, 77)


async def test_what_came_in_is_read_from_the_lines_and_unknown_stays_unknown() -> None:
    partner = Scripted(httpx.Response(200, text=SAMPLE), base=BASE)
    found = await client(partner).get_purchase_order(4410)
    assert (found.purchase_order_number, found.status, found.in_date) == ("PO-3001", 400, date(2026, 3, 10))
    assert (found.supplier_number, found.reference_number) == ("S-14", "lagerbro/PO-3001/v2")
    first, strange = found.lines
    assert (first.line_id, first.row_number, first.advised, first.received, first.reported) == (8801, "10", D(300), D(288), None)
    assert first.received_at == datetime(2026, 3, 10, 13, 40, 11, 900000, tzinfo=UTC)
    assert (strange.row_number, strange.received, strange.received_at) == ("", None, None)


async def test_another_purchase_or_another_goods_owner_s_is_no_answer() -> None:
    with pytest.raises(Unreadable, match="answered with purchase order 4410"):
        await client(Scripted(ok(sample()), base=BASE)).get_purchase_order(4411)
    theirs = sample() | {"goodsOwner": {"id": 78, "name": "Annan AB"}}
    with pytest.raises(Unreadable, match="belongs to goods owner 78"):
        await client(Scripted(ok(theirs), base=BASE)).get_purchase_order(4410)
    with pytest.raises(Unreadable, match="belongs to goods owner 78"):
        await client(Scripted(ok([theirs]), base=BASE)).find_purchase_order("PO-3001")


async def test_a_purchase_is_put_whole_and_a_date_that_was_taken_away_is_sent_as_none() -> None:
    partner = Scripted(ok({"purchaseOrderId": 4410, "message": "Inorder with order number PO-3001 created. <br/>"}), base=BASE)
    lines = [PostPurchaseLine(row_number="10", article_number="NB-1001", number_of_items=D("1.5"), row_price=D("18.5"))]
    wanted = PostPurchaseOrder(
        purchase_order_number="PO-3001", lines=lines, supplier_number="S-14", supplier_name="Vävkraft AB", reference_number="r"
    )
    assert await client(partner).put_purchase_order(wanted) == 4410
    assert partner.asked == ["PUT /nordlager/api/v1/purchaseOrders"]
    assert partner.sent() == {
        "goodsOwnerId": 77,
        "purchaseOrderNumber": "PO-3001",
        "purchaseOrderLines": [{"rowNumber": "10", "articleNumber": "NB-1001", "numberOfItems": D("1.5"), "rowPrice": D("18.5")}],
        "inDate": None,
        "purchaseOrderRemark": None,
        "referenceNumber": "r",
        "supplierInfo": {"supplierNumber": "S-14", "supplierName": "Vävkraft AB"},
    }


async def test_the_newest_with_exactly_the_number_is_found_or_none() -> None:
    listed = [sample(purchaseOrderId=1), sample(purchaseOrderId=5), sample(purchaseOrderId=9, purchaseOrderNumber="po-3001")]
    found = await client(Scripted(ok(listed), base=BASE)).find_purchase_order("PO-3001")
    assert found is not None
    assert found.purchase_order_id == 5
    assert await client(Scripted(ok([]), base=BASE)).find_purchase_order("PO-3001") is None


async def test_what_is_booked_is_reported_in_absolute_figures_and_an_empty_answer_is_a_yes() -> None:
    partner = Scripted(httpx.Response(200), base=BASE)
    await client(partner).report_received_line(4410, 8801, D("288.0"))
    assert partner.asked == ["PATCH /nordlager/api/v1/purchaseOrders/4410/lines/8801/reportedNumberOfItems"]
    assert partner.sent() == {"reportedNumberOfItems": 288}
    page = Scripted(httpx.Response(200, text="<html></html>", headers={"content-type": "text/html"}), base=BASE)
    with pytest.raises(Unreadable):
        await client(page).report_received_line(4410, 8801, D(1))


async def test_pages_follow_the_id_and_filters_travel_as_ongoing_spells_them() -> None:
    partner = Scripted(ok([sample(purchaseOrderId=7)]), ok([]), base=BASE)
    at = datetime(2026, 3, 1, 8, tzinfo=UTC)
    wanted = PurchaseFilter((), 2, status_changed_from=at, last_received_from=at, only_with_lines_to_report=True)
    pages: list[list[GetPurchaseOrder]] = [page async for page in client(partner).list_purchase_orders(wanted, page_size=2)]
    assert [[each.purchase_order_id for each in page] for page in pages] == [[7]]
    time = "2026-03-01T08%3A00%3A00.000%2B00%3A00"
    assert partner.asked[0] == (
        "GET /nordlager/api/v1/purchaseOrders?goodsOwnerId=77"
        f"&purchaseOrderStatusChangedTimeFrom={time}&lastReceiveTimeFrom={time}"
        "&onlyPurchaseOrdersWithOrderLinesToReport=true&purchaseOrderIdFrom=2&maxPurchaseOrdersToGet=2"
    )
    assert partner.asked[1].endswith("&purchaseOrderIdFrom=8&maxPurchaseOrdersToGet=2")


async def test_statuses_come_under_the_key_of_orders() -> None:
    answer = ok({"orderStatuses": [{"number": 100, "text": "Aviserad"}]})
    assert [each.number for each in await client(Scripted(answer, base=BASE)).purchase_order_statuses()] == [100]
