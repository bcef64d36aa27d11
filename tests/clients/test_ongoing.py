"""Ongoing's answers, as its own samples and those who wrote them down have them, and what we make of them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clients.errors import NotFound, RateLimited, Rejected, Unauthorised, Unavailable, Unreadable
from clients.ongoing import (
    AlternativeBarCode,
    Consignee,
    GetOrder,
    Kind,
    OngoingClient,
    OrderFilter,
    PostArticle,
    PostOrder,
    PostOrderLine,
    Prices,
    TaricNumber,
    Tracking,
    Transporter,
)
from tests.clients.scripted import Handler, Scripted, ok

BASE = "https://api.ongoingsystems.se/nordlager/api/v1/"
PERSON = "Mia Canary-Berg"
ORDER = """
{
  "goodsOwner": {"id": 77, "name": "Nordbutik AB"},
  "orderInfo": {
    "orderId": 90211, "orderNumber": "SO-10045", "goodsOwnerOrderId": "lagerbro/SO-10045/v3", "referenceNumber": "Web 88121",
    "deliveryDate": "2026-03-02", "createdDate": "2026-03-01T09:03:49.437Z", "shippedTime": "2026-03-02T13:05:47.127Z",
    "wayBill": "00370730254738383", "returnWayBill": null, "wayOfDelivery": {"code": "mypack", "name": "MyPack"},
    "orderStatus": {"number": 450, "text": "Skickad"}, "somethingNew": {"a": [1]},
    "orderedNumberOfItems": 12.0, "allocatedNumberOfItems": 10.0, "pickedNumberOfItems": 10.0,
    "warehouse": {"id": 1, "code": "GBG", "name": "Göteborg"},
    "advanced": {"invoiceNumber": null, "arrivalDate": null, "backOrderInfo": null}
  },
  "consignee": {"id": 3301, "customerNumber": "C-501", "name": "Mia Canary-Berg", "address1": "Storgatan 4", "postCode": "41301",
    "city": "Göteborg", "countryCode": "SE"},
  "parcels": [
    {"id": 611, "parcelNumber": "00373500123400", "isReturnParcel": false,
     "tracking": {"waybill": "00370730254738383", "trackingUrl": "https://carrier.example/t/383"}},
    {"id": 612, "parcelNumber": "R1", "isReturnParcel": true, "tracking": {"waybill": "R383", "trackingUrl": "https://c.example/r"}}],
  "tracking": [{"waybill": "00370730254738383", "trackingUrl": "https://carrier.example/t/383",
                "created": "2026-03-02T13:04:10Z"},
    {"waybill": "R383", "trackingUrl": "https://c.example/r"}],
  "orderLines": [
    {"id": 700101, "rowNumber": "1",
     "article": {"articleSystemId": 5012, "articleNumber": "NB-1001", "articleName": "Cotton tote", "articleKind": null},
     "orderedNumberOfItems": 10.0, "allocatedNumberOfItems": 8.0, "pickedNumberOfItems": 8.0, "packedNumberOfItems": 8.0,
     "reportedNumberOfItems": null, "returnedNumberOfItems": 0.0, "reportedReturnedNumberOfItems": null, "shouldBePicked": true,
     "pickedArticleItems": [
       {"articleItemId": 59290, "numberOfItems": 5.0, "serial": "", "batchNumber": "L23", "isPicked": true,
        "pickedTime": "2026-03-02T11:41:41.25Z", "packedTime": "2026-03-02T12:02:00Z", "isReturned": false, "returnDate": null},
       {"articleItemId": 59291, "numberOfItems": 3.0, "isPicked": true, "pickedTime": "2026-03-02T11:50:00Z"},
       {"articleItemId": 59292, "numberOfItems": 2.0, "isPicked": false, "pickedTime": "2026-03-02T12:50:00Z"}],
     "subOrderLines": null}
  ],
  "transporter": {"transporterName": "PostNord Sweden AB", "name": "MyPack Collect", "code": "PLAB", "serviceCode": "P19"},
  "returnTransporter": null, "classes": null, "shipmentInfo": null
}
"""


def sample(**info: Any) -> dict[str, Any]:
    order: dict[str, Any] = json.loads(ORDER)
    order["orderInfo"] |= info
    return order


def client(partner: Scripted, **options: Any) -> OngoingClient:
    return OngoingClient(partner.http, 77, **options)


def answering(*answers: httpx.Response | Handler) -> Scripted:
    return Scripted(*answers, auth=("WSIcanary", "canary-password"), base=BASE)


def consignee() -> Consignee:
    return Consignee(customer_number="C-501", name=PERSON, address1="Storgatan 4", post_code="41301", country_code="SE")


def post_order(**changes: Any) -> PostOrder:
    usual: dict[str, Any] = {
        "order_number": "SO-10045",
        "delivery_date": date(2026, 3, 2),
        "consignee": Consignee(
            customer_number="C-501", name=PERSON, address1="Storgatan 4", post_code="41301", country_code="SE"
        ),
        "order_lines": [PostOrderLine(row_number="1", article_number="NB-1001", number_of_items=Decimal("0.1"))],
    }
    return PostOrder(**(usual | changes))


# --- reading orders


async def test_an_order_is_read_as_ongoing_writes_it() -> None:
    partner = answering(ok(sample()))
    order = await client(partner).get_order(90211)
    assert partner.asked == ["GET /nordlager/api/v1/orders/90211"]
    assert (order.order_id, order.order_number, order.status, order.goods_owner_id) == (90211, "SO-10045", 450, 77)
    assert order.goods_owner_order_id == "lagerbro/SO-10045/v3"
    assert order.shipped_time == datetime(2026, 3, 2, 13, 5, 47, 127000, UTC)
    assert (order.delivery_date, order.way_of_delivery, order.warehouse_id) == (date(2026, 3, 2), "mypack", 1)
    assert order.transporter is not None
    assert (order.transporter.code, order.transporter.service_code) == ("PLAB", "P19")
    assert order.back_order_for_order_id is None
    (line,) = order.lines
    assert (line.line_id, line.row_number, line.article_number, line.article_system_id) == (700101, "1", "NB-1001", 5012)
    assert [line.ordered, line.allocated, line.picked, line.packed, line.returned] == [10, 8, 8, 8, 0]
    assert (line.reported, line.reported_returned) == (None, None)
    assert line.picked_at == datetime(2026, 3, 2, 11, 50, tzinfo=UTC)


async def test_the_credentials_travel_as_basic_auth() -> None:
    partner = answering(ok(sample()))
    await client(partner).get_order(90211)
    assert partner.requests[0].headers["authorization"] == "Basic V1NJY2FuYXJ5OmNhbmFyeS1wYXNzd29yZA=="


async def test_tracking_is_told_once_and_returns_are_left_out() -> None:
    order = await client(answering(ok(sample()))).get_order(90211)
    assert order.tracking == [Tracking(waybill="00370730254738383", tracking_url="https://carrier.example/t/383")]


async def test_tracking_is_gathered_from_all_three_places() -> None:
    document = sample(wayBill="W3")
    document["tracking"] = [{"waybill": "W1", "trackingUrl": None}, {"waybill": "W1", "trackingUrl": "https://c.example/1"}]
    document["parcels"] = [{"id": 1, "tracking": {"trackingUrl": "https://c.example/2"}}, {"id": 2, "tracking": None}]
    order = await client(answering(ok(document))).get_order(90211)
    assert order.tracking == [
        Tracking(waybill="W1", tracking_url="https://c.example/1"),
        Tracking(waybill="W3"),
        Tracking(tracking_url="https://c.example/2"),
    ]


@pytest.mark.parametrize("nothing", [None, [], "missing"])
async def test_null_missing_and_empty_details_mean_the_same(nothing: Any) -> None:
    document = sample(wayBill=None)
    for name in ("parcels", "tracking", "consignee", "transporter"):
        if nothing == "missing":
            del document[name]
        else:
            document[name] = nothing if name in ("parcels", "tracking") else None
    document["orderInfo"]["advanced"] = None
    for name in ("pickedArticleItems", "subOrderLines"):
        if nothing == "missing":
            del document["orderLines"][0][name]
        else:
            document["orderLines"][0][name] = nothing
    order = await client(answering(ok(document))).get_order(90211)
    assert (order.tracking, order.parcels, order.back_order_for_order_id, order.consignee) == ([], [], None, None)
    assert (order.lines[0].picked_at, order.lines[0].leaves) == (None, [order.lines[0]])


@pytest.mark.parametrize("missing", [True, False])
async def test_a_quantity_that_is_null_or_missing_is_unknown_and_never_zero(missing: bool) -> None:
    document = sample()
    if missing:
        del document["orderLines"][0]["pickedNumberOfItems"]
    else:
        document["orderLines"][0]["pickedNumberOfItems"] = None
    order = await client(answering(ok(document))).get_order(90211)
    assert order.lines[0].picked is None


async def test_an_order_without_lines_is_read_and_left_to_the_caller() -> None:
    document = sample()
    document["orderLines"] = None
    assert (await client(answering(ok(document))).get_order(90211)).lines == []


async def test_quantities_keep_every_digit_and_may_come_as_text() -> None:
    content = ORDER.replace('"pickedNumberOfItems": 8.0', '"pickedNumberOfItems": 1234567890123.4567')
    content = content.replace('"packedNumberOfItems": 8.0', '"packedNumberOfItems": "8.10"')
    order = await client(answering(httpx.Response(200, content=content))).get_order(90211)
    assert str(order.lines[0].picked) == "1234567890123.4567"
    assert str(order.lines[0].packed) == "8.10"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999999", "true", '"many"', "[]", "9" * 60, '{"a":1}'])
async def test_a_quantity_that_is_no_number_makes_the_answer_unreadable(value: str) -> None:
    content = ORDER.replace('"pickedNumberOfItems": 8.0', f'"pickedNumberOfItems": {value}')
    with pytest.raises(Unreadable) as caught:
        await client(answering(httpx.Response(200, content=content))).get_order(90211)
    assert caught.value.outcome_unknown is True


async def test_a_kit_is_picked_on_its_components() -> None:
    document = sample()
    line = document["orderLines"][0]
    line["article"]["articleKind"] = "Structure"
    line["subOrderLines"] = [line | {"id": 700102, "subOrderLines": None}, line | {"id": 700103, "subOrderLines": []}]
    kit = (await client(answering(ok(document))).get_order(90211)).lines[0]
    assert [leaf.line_id for leaf in kit.leaves] == [700102, 700103]
    assert [counted.line_id for counted in kit.counted] == [700101, 700102, 700103]
    assert kit.article_kind == "Structure"


async def test_a_back_order_names_the_order_it_came_from() -> None:
    back = sample(orderId=90300, orderNumber="SO-10045-1", advanced={"backOrderInfo": {"backOrderForOrderId": 90211}})
    partner = answering(ok([back, sample(orderId=5)]))
    found = await client(partner).find_back_orders(90211)
    assert [order.order_id for order in found] == [90300]
    assert partner.asked == ["GET /nordlager/api/v1/orders?goodsOwnerId=77&backOrderForOrderId=90211"]


async def test_an_order_is_found_by_exactly_its_number() -> None:
    partner = answering(ok([sample(orderNumber="SO-10045-1", orderId=9), sample(), sample(orderId=4)]))
    found = await client(partner).find_order("SO-10045")
    assert found is not None
    assert found.order_id == 90211
    assert await client(answering(ok([]))).find_order("SO-10045") is None
    assert await client(answering(ok([sample(orderNumber="so-10045")]))).find_order("SO-10045") is None


async def test_a_number_with_odd_signs_stays_inside_the_query() -> None:
    partner = answering(ok([]))
    await client(partner).find_order("A&goodsOwnerId=1 #+å")
    assert partner.asked == [
        "GET /nordlager/api/v1/orders?goodsOwnerId=77&orderNumber=A%26goodsOwnerId%3D1%20%23%2B%C3%A5",
    ]


async def test_another_goods_owners_order_is_no_answer() -> None:
    document = sample()
    document["goodsOwner"]["id"] = 78
    with pytest.raises(Unreadable, match="belongs to goods owner 78"):
        await client(answering(ok(document))).get_order(90211)
    with pytest.raises(Unreadable, match="belongs to goods owner 78"):
        await client(answering(ok([document]))).find_order("SO-10045")
    with pytest.raises(Unreadable, match="belongs to goods owner 78"):
        await numbers_of(client(answering(ok([document]))).list_orders())


async def test_another_order_than_asked_for_is_no_answer() -> None:
    with pytest.raises(Unreadable, match="answered with order 90211"):
        await client(answering(ok(sample()))).get_order(90212)


# --- lists


async def numbers_of(pages: AsyncIterator[list[GetOrder]]) -> list[list[int]]:
    return [[order.order_id for order in page] async for page in pages]


async def test_pages_follow_the_id_until_one_is_empty() -> None:
    partner = answering(ok([sample(orderId=7), sample(orderId=3)]), ok([sample(orderId=9)]), ok([]))
    assert await numbers_of(client(partner).list_orders(OrderFilter(order_id_from=2), page_size=2)) == [[7, 3], [9]]
    assert [asked.split("&orderIdFrom=")[1] for asked in partner.asked] == [
        "2&maxOrdersToGet=2",
        "8&maxOrdersToGet=2",
        "10&maxOrdersToGet=2",
    ]


async def test_a_cursor_that_does_not_advance_ends_in_an_error_and_not_in_a_loop() -> None:
    partner = answering(ok([sample(orderId=7)]))
    with pytest.raises(Unreadable, match="does not advance past 8"):
        await numbers_of(client(partner).list_orders())
    assert len(partner.requests) == 2


async def test_filters_travel_as_ongoing_spells_them() -> None:
    at = datetime.fromisoformat("2026-03-01T09:00:00+01:00")
    partner = answering(ok([]))
    wanted = OrderFilter(
        status_from=400, status_changed_from=at, only_with_lines_to_report=True, article_numbers=("A", "B"), updated_from=at
    )
    await numbers_of(client(partner).list_orders(wanted, page_size=50))
    assert partner.asked == [
        "GET /nordlager/api/v1/orders?goodsOwnerId=77&orderStatusFrom=400"
        "&orderStatusChangedTimeFrom=2026-03-01T08%3A00%3A00.000%2B00%3A00&orderUpdatedTimeFrom=2026-03-01T08%3A00%3A00.000%2B00%3A00"
        "&onlyOrdersWithOrderLinesToReport=true&articleNumbers=A&articleNumbers=B&maxOrdersToGet=50"
    ]


async def test_many_numbers_are_asked_for_in_queries_that_the_server_takes() -> None:
    wanted = [f"SALES-ORDER-{number:06d}" for number in range(100)]

    def answer(request: httpx.Request) -> httpx.Response:
        assert len(request.url.query) < 2048
        asked = request.url.params.get_list("orderNumbers")
        return ok([sample(orderId=int(number[-6:]) + 1, orderNumber=number) for number in asked])

    partner = answering(answer)
    pages = await numbers_of(client(partner).list_orders(OrderFilter(order_numbers=wanted)))
    assert sorted(number for page in pages for number in page) == list(range(1, 101))
    assert len(partner.requests) == 3


async def test_a_number_that_nobody_knows_ends_the_list_at_an_empty_page() -> None:
    partner = answering(ok([sample(orderNumber="A")]), ok([]))
    assert await numbers_of(client(partner).list_orders(OrderFilter(order_numbers=["A", "B"]))) == [[90211]]


async def test_the_lists_that_seldom_change_are_read() -> None:
    statuses = ok({"orderStatuses": [{"number": 300, "text": "Frisläppt"}, {"number": 425, "text": None}]})
    assert [s.number for s in await client(answering(statuses)).order_statuses()] == [300, 425]
    warehouses = await client(answering(ok([{"id": 1, "code": "GBG", "name": "Göteborg"}]))).warehouses()
    assert [(w.warehouse_id, w.code) for w in warehouses] == [(1, "GBG")]
    contract = {
        "ediCode": "",
        "transporterName": "PostNord Sweden AB",
        "transporterCode": "PLAB",
        "transporterServiceCode": "",
        "transporterServices": [{"transporterServiceName": "MyPack Collect", "transporterServiceCode": "P19"}],
    }
    (read,) = await client(answering(ok([contract]))).transporter_contracts()
    assert (read.transporter_code, read.transporter_services[0].transporter_service_code) == ("PLAB", "P19")


async def test_stock_is_read_by_article_and_by_warehouse() -> None:
    article = {
        "articleSystemId": 5012,
        "articleNumber": "NB-1001",
        "barCodeInfo": {"barCode": "735"},
        "inventoryInfo": {"numberOfItems": 140.0, "sellableNumberOfItems": -5.0, "toReceiveNumberOfItems": None},
    }
    partner = answering(ok([article]), ok([]))
    ((read,),) = [page async for page in client(partner).list_articles(page_size=10)]
    assert read.inventory_info is not None
    assert read.bar_code == "735"
    assert [read.inventory_info.number_of_items, read.inventory_info.sellable_number_of_items] == [140, -5]
    assert partner.asked[1] == "GET /nordlager/api/v1/articles?goodsOwnerId=77&articleSystemIdFrom=5013&maxArticlesToGet=10"
    reported = {
        "pickedToBeReportedNumberOfItems": 3.0,
        "receivedToBeReportedNumberOfItems": 0,
        "returnedToBeReportedNumberOfItems": 1,
    }
    stock = {
        "articleSystemId": 5012,
        "articleNumber": "NB-1001",
        "inventoryPerWarehouse": [{"warehouseId": 1, "numberOfItems": 140.0, "reported": reported}],
    }
    pages = [page async for page in client(answering(ok([stock]))).inventory_per_warehouse(["NB-1001"])]
    assert len(pages) == 1
    row = pages[0][0].inventory_per_warehouse[0]
    assert row.reported is not None
    assert [row.warehouse_id, row.number_of_items, row.reported.picked_to_be_reported] == [1, 140, 3]


# --- writing


async def test_an_order_is_sent_whole_and_nothing_else() -> None:
    partner = answering(ok({"orderId": 90211, "message": "Order number SO-10045 created/updated"}, 201))
    order = post_order(
        goods_owner_order_id="lagerbro/SO-10045/v3",
        reference_number="Web 88121",
        way_of_delivery="mypack_collect",
        order_type="B2C",
        transporter=Transporter(transporter_code="PLAB", transporter_service_code="P19"),
        email="mia@example.se",
        phone="+46700000000",
        freight_price=Decimal("49.00"),
        customs_value_currency_code="SEK",
        warehouse_id=1,
        order_lines=[
            PostOrderLine(
                row_number="1",
                article_number="NB-1001",
                number_of_items=Decimal("1234567890123.4567"),
                prices=Prices(line_price=Decimal("790.10"), currency_code="SEK"),
            )
        ],
    )
    assert await client(partner).put_order(order) == 90211
    assert partner.asked == ["PUT /nordlager/api/v1/orders"]
    assert partner.sent() == {
        "goodsOwnerId": 77,
        "orderNumber": "SO-10045",
        "deliveryDate": "2026-03-02",
        "goodsOwnerOrderId": "lagerbro/SO-10045/v3",
        "referenceNumber": "Web 88121",
        "wayOfDelivery": {"code": "mypack_collect", "name": "mypack_collect"},
        "orderType": {"code": "B2C", "name": "B2C"},
        "transporter": {"transporterCode": "PLAB", "transporterServiceCode": "P19"},
        "emailNotification": {"toBeNotified": True, "value": "mia@example.se"},
        "smsNotification": {"toBeNotified": True, "value": "+46700000000"},
        "freightPrice": Decimal("49.00"),
        "customsInfo": {"customsValueCurrencyCode": "SEK"},
        "warehouseId": 1,
        "consignee": {
            "customerNumber": "C-501",
            "name": PERSON,
            "address1": "Storgatan 4",
            "postCode": "41301",
            "countryCode": "SE",
        },
        "orderLines": [
            {
                "rowNumber": "1",
                "articleNumber": "NB-1001",
                "numberOfItems": Decimal("1234567890123.4567"),
                "prices": {"linePrice": Decimal("790.10"), "currencyCode": "SEK"},
            }
        ],
    }
    assert b'"numberOfItems":1234567890123.4567' in partner.requests[0].content
    assert b'"linePrice":790.10' in partner.requests[0].content


async def test_a_quantity_arrives_byte_for_byte() -> None:
    partner = answering(ok({"orderId": 1}))
    await client(partner).put_order(post_order())
    assert b'"numberOfItems":0.1}' in partner.requests[0].content


def test_a_float_is_never_sent() -> None:
    with pytest.raises(ValueError, match="not an exact number"):
        PostOrderLine(row_number="1", article_number="A", number_of_items=0.1)


def known(sent: Any) -> Any:
    """Without what is told to be nothing."""
    if not isinstance(sent, dict):
        return sent
    return {name: known(value) for name, value in sent.items() if value is not None}


async def test_an_article_is_sent_by_the_product_map() -> None:
    partner = answering(ok({"articleSystemId": 5012, "message": "Article NB-1001 Updated"}))
    article = PostArticle(
        article_number="NB-1001",
        article_name="Cotton tote",
        description="Cotton tote",
        unit_code="st",
        is_stock_article=True,
        article_group="Bags",
        bar_code="7350012340011",
        alternative_bar_codes=[AlternativeBarCode(bar_code="OLD", quantity_per_bar_code=Decimal(1))],
        quantity_per_package=20,
        weight=Decimal("0.12"),
        purcase_currency_code="SEK",
        country_of_origin_code="IN",
        statistics_number="42022290",
        taric_numbers=[TaricNumber(country_code="SE", taric_number="4202229000")],
        supplier_number="S-14",
        is_batch_article=True,
    )
    assert await client(partner).put_article(article) == 5012
    assert partner.asked == ["PUT /nordlager/api/v1/articles"]
    sent = partner.sent()
    assert known(sent) == {
        "goodsOwnerId": 77,
        "articleNumber": "NB-1001",
        "articleName": "Cotton tote",
        "description": "Cotton tote",
        "unitCode": "st",
        "isStockArticle": True,
        "articleGroup": {"code": "Bags", "name": "Bags"},
        "barCodeInfo": {"barCode": "7350012340011", "alternativeBarCodes": [{"barCode": "OLD", "quantityPerBarCode": 1}]},
        "quantityPerPackage": 20,
        "weight": Decimal("0.12"),
        "purcaseCurrencyCode": "SEK",
        "countryOfOriginCode": "IN",
        "statisticsNumber": "42022290",
        "taricNumbersInfo": {"taricNumbers": [{"countryCode": "SE", "taricNumber": "4202229000"}]},
        "supplierInfo": {"supplierNumber": "S-14"},
        "storageProperties": {"isBatchArticle": True},
    }
    # What an omitted field means over there is not documented: a bar code that was taken away must go.
    assert sent["barCodeInfo"]["barCodePackage"] is None
    assert sent["customsDescription"] is None
    assert "structureDefinition" not in sent


async def test_what_is_booked_is_reported_in_absolute_figures() -> None:
    partner = answering(httpx.Response(200, content=b""))
    ongoing = client(partner)
    await ongoing.report_order_line(90211, 700101, Decimal("8.0"))
    await ongoing.report_all_picked(90211)
    await ongoing.set_order_status(90211, 300)
    await ongoing.cancel_order(90211)
    assert partner.asked == [
        "PATCH /nordlager/api/v1/orders/90211/lines/700101/reportedNumberOfItems",
        "PATCH /nordlager/api/v1/orders/90211/setReportedNumberOfItemsToPickedNumberOfItems",
        "PATCH /nordlager/api/v1/orders/90211/orderStatus",
        "DELETE /nordlager/api/v1/orders/90211",
    ]
    assert [request.content for request in partner.requests] == [
        b'{"reportedNumberOfItems":8.0}',
        b"",
        b'{"orderStatusNumber":300}',
        b"",
    ]
    assert partner.requests[1].headers["content-length"] == "0"


async def test_a_page_of_html_is_no_yes_to_a_report() -> None:
    with pytest.raises(Unreadable):
        await client(answering(httpx.Response(200, html="<h1>Proxy</h1>"))).report_all_picked(1)


@pytest.mark.parametrize(
    "content",
    ["", "null", "{}", '{"orderId": null, "message": "ok"}', '{"orderId": 0}', '{"orderId": true}', "[]", "<html>", '{"o'],
)
async def test_a_yes_without_an_id_leaves_the_outcome_unknown(content: str) -> None:
    with pytest.raises(Unavailable) as caught:
        await client(answering(httpx.Response(200, content=content))).put_order(post_order())
    assert caught.value.outcome_unknown is True


# --- refusals


@pytest.mark.parametrize(
    ("status", "content", "kind", "said"),
    [
        (400, '{"message":"Order is locked"}', Rejected, "PUT /nordlager/api/v1/orders: 400 Order is locked"),
        (
            400,
            '{"Message":"The request is invalid.","ModelState":{"orderLines[0]":["Unknown article"]}}',
            Rejected,
            "Unknown article",
        ),
        (409, "plain words", Rejected, "409 plain words"),
        (400, '"a sentence"', Rejected, "400 a sentence"),
        (400, "<html>canary</html>", Rejected, "400 a page of HTML"),
        (401, "", Unauthorised, "401"),
        (403, "<html>firewall</html>", Unauthorised, "403"),
        (404, "", NotFound, "404"),
        (404, "<html>IIS</html>", Unreadable, "not Ongoing's answer"),
        (429, "", RateLimited, "429"),
        (500, '{"Message":"An error has occurred."}', Unavailable, "500 An error has occurred."),
        (502, "<html>Bad gateway</html>", Unavailable, "502 a page of HTML"),
    ],
)
async def test_a_refusal_says_what_ongoing_said(status: int, content: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as caught:
        await client(answering(httpx.Response(status, content=content))).put_order(post_order())
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)


async def test_a_wait_that_ongoing_asks_for_is_kept() -> None:
    with pytest.raises(RateLimited) as caught:
        await client(answering(httpx.Response(429, headers={"Retry-After": "12"}))).order_statuses()
    assert (caught.value.retry_after, caught.value.outcome_unknown) == (12, False)


# --- what must not be seen


async def test_persons_and_passwords_are_seen_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = {"customer_number", "country_code"}
    someone = Consignee(**{name: f"canary {name}" for name in Consignee.model_fields if name not in shown}, country_code="SE")
    order = post_order(email="canary@example.se", phone="canary-phone", delivery_instruction="canary code", order_remark="canary")
    quoting = httpx.Response(400, json={"message": f"Consignee '{PERSON}' (canary@example.se), Canary code, is refused"})
    with pytest.raises(Rejected) as refused:
        await client(answering(quoting)).put_order(order)
    read = await client(answering(ok(sample()))).get_order(90211)
    broken = sample()
    broken["consignee"]["name"] = {"canary": 1}
    broken["orderInfo"]["orderStatus"] = {"number": "canary"}
    with pytest.raises(Unreadable) as unreadable:
        await client(answering(ok(broken))).get_order(90211)
    with pytest.raises(ValueError, match="consignee") as mistaken:
        post_order(consignee={"name": [PERSON]})
    seen = [repr(order), str(order), repr(read), str(read), repr(read.consignee), repr(someone), repr(mistaken.value)]
    seen += [str(refused.value), refused.value.text, str(unreadable.value), repr(unreadable.value.__context__), caplog.text]
    assert "orderInfo.orderStatus.number" in str(unreadable.value)
    for said in seen:
        assert "canary" not in said.lower()


# --- turns


async def test_each_request_names_its_kind_to_the_gate() -> None:
    kinds: list[str] = []

    @asynccontextmanager
    async def held(kind: str) -> AsyncIterator[None]:
        kinds.append(kind)
        yield
        kinds.append("done")

    def gate(kind: Kind) -> AbstractAsyncContextManager[None] | None:
        return None if kind == "read" else held(kind)

    partner = answering(ok({"orderId": 1, "articleSystemId": 2, "orderStatuses": []}))
    ongoing = client(partner, gate=gate)
    await ongoing.order_statuses()
    await ongoing.put_article(PostArticle(article_number="A"))
    await ongoing.put_article(PostArticle(article_number="B"), for_order=True)
    await ongoing.put_order(post_order())
    await ongoing.report_all_picked(1)
    assert kinds == ["article", "done", "order", "done", "order", "done", "order", "done"]


async def test_a_call_that_is_cancelled_lets_go_of_its_turn() -> None:
    let_go = asyncio.Event()
    inside = asyncio.Event()

    @asynccontextmanager
    async def held() -> AsyncIterator[None]:
        try:
            yield
        finally:
            let_go.set()

    async def never(_: httpx.Request) -> httpx.Response:
        inside.set()
        await asyncio.Event().wait()
        raise AssertionError

    http = httpx.AsyncClient(transport=httpx.MockTransport(never), base_url=BASE)
    call = asyncio.create_task(OngoingClient(http, 77, gate=lambda _: held()).cancel_order(1))
    await inside.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert let_go.is_set()
