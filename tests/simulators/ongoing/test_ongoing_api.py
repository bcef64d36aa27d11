"""What a goods owner sees of Ongoing: the rules that are certain, and the switches for those that are not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

import httpx
import pytest

from tests.simulators.ongoing.harness import Shop, Simulator, line


def test_a_wrong_password_is_401_and_another_goods_owner_403(shop: Shop, simulator: Simulator) -> None:
    stranger = httpx.get(
        f"http://127.0.0.1:{simulator.port}/demo/api/v1/orders",
        params={"goodsOwnerId": shop.id},
        auth=(shop.username, "wrong"),
        trust_env=False,
    )
    assert stranger.status_code == 401
    assert stranger.headers["www-authenticate"].startswith("Basic")
    shop.call("GET", "orders", goodsOwnerId=shop.id + 1000, expect=403)
    shop.call("PUT", "articles", {"goodsOwnerId": shop.id + 1000, "articleNumber": "A"}, expect=403)


def test_an_order_of_another_goods_owner_does_not_exist(shop: Shop, simulator: Simulator) -> None:
    order_id = shop.order_with(1)
    other = Shop(simulator)
    other.call("GET", f"orders/{order_id}", expect=404)
    other.close()


def test_the_name_of_the_warehouse_is_part_of_the_address(shop: Shop, simulator: Simulator) -> None:
    for tenant, expected in (("DEMO", 200), ("elsewhere", 401)):
        response = httpx.get(
            f"http://127.0.0.1:{simulator.port}/{tenant}/api/v1/warehouses", auth=(shop.username, "secret"), trust_env=False
        )
        assert response.status_code == expected


def test_an_api_user_belongs_to_one_goods_owner_only(shop: Shop, simulator: Simulator) -> None:
    wish = {"warehouse": "demo", "goodsOwnerId": shop.id + 5000, "username": shop.username, "password": "x"}
    simulator.ask("PUT", "goods-owners", wish, expect=409)
    assert shop.listed("orders") == []


def test_an_unknown_path_is_404_and_a_wrong_method_405(shop: Shop) -> None:
    shop.call("GET", "nothing", expect=404)
    shop.call("POST", "orders", {}, expect=405)


def test_putting_an_article_twice_changes_it_and_keeps_its_id(shop: Shop) -> None:
    first = shop.put_article("NB-1001", weight="1.50", unitCode="St", barCodeInfo={"barCode": "735"})
    second = shop.put_article("NB-1001", articleName="Tote")
    assert second == first
    article = shop.call("GET", f"articles/{first}")
    assert (article["articleName"], article["weight"], article["unitCode"]) == ("Tote", Decimal("1.5"), "st")
    assert shop.listed("articles", barCodes="735")[0]["articleSystemId"] == first
    assert shop.put_article("NB-1002") > first


def test_article_numbers_that_differ_only_in_case_stay_apart(shop: Shop) -> None:
    assert shop.put_article("84970S") != shop.put_article("84970s")


def test_a_new_supplier_is_announced_before_the_article(shop: Shop) -> None:
    body = {"goodsOwnerId": shop.id, "articleNumber": "A", "articleName": "Bag", "supplierInfo": {"supplierNumber": "S-14"}}
    message = shop.call("PUT", "articles", body)["message"]
    assert message == "Supplier with supplier number 'S-14' created. <br/>Article A Bag Updated/Created"
    assert shop.call("PUT", "articles", body)["message"] == "Article A Bag Updated/Created"


def test_an_order_is_created_once_and_updated_after(shop: Shop) -> None:
    shop.stocked("A", 10)
    order = shop.an_order("SO-1", line(1, "A", 2))
    created = shop.call("PUT", "orders", order, expect=201)
    assert "Customer with customer number 'C-SO-1' and ID" in created["message"]
    assert created["message"].endswith("<br/> <br/>Order number SO-1 created/updated")
    updated = shop.call("PUT", "orders", order, expect=200)
    assert updated == {"orderId": created["orderId"], "message": "Order number SO-1 created/updated"}
    assert [row["orderInfo"]["orderId"] for row in shop.listed("orders", orderNumber="SO-1")] == [created["orderId"]]


def test_a_fresh_order_is_released_in_swedish_and_full_of_nulls(shop: Shop) -> None:
    order = shop.order(shop.order_with(2))
    assert order["orderInfo"]["orderStatus"] == {"number": 300, "text": "Frisläppt"}
    assert order["orderInfo"]["deliveryDate"] == "2026-03-02"
    assert order["orderInfo"]["advanced"]["deliveryDateWithTime"] == "2026-03-02T00:00:00Z"
    assert order["orderInfo"]["createdDate"].endswith("Z")
    assert (order["tracking"], order["parcels"], order["classes"], order["shipmentInfo"]) == (None, None, None, None)
    row = order["orderLines"][0]
    assert (row["reportedNumberOfItems"], row["reportedReturnedNumberOfItems"], row["pickedArticleItems"]) == (None, None, None)
    assert (row["orderedNumberOfItems"], row["returnedNumberOfItems"]) == (Decimal("2.0"), Decimal("0.0"))


def test_quantities_are_written_with_one_decimal_and_keep_every_digit(shop: Shop) -> None:
    order_id = shop.order_with("0.3", "2", "1.00000001")
    shop.pick(order_id, "0.1")
    text = shop.http.get(f"orders/{order_id}").text
    assert '"orderedNumberOfItems":0.3,"allocatedNumberOfItems":0.1,"pickedNumberOfItems":0.1,' in text
    assert '"orderedNumberOfItems":2.0,"allocatedNumberOfItems":0.0,' in text
    assert '"orderedNumberOfItems":1.00000001,' in text
    shop.work(order_id, "pick", {"lines": [{"rowNumber": "1", "numberOfItems": "0.2"}]})
    assert '"pickedNumberOfItems":0.3,"packedNumberOfItems"' in shop.http.get(f"orders/{order_id}").text


@pytest.mark.parametrize("quantity", ["0.000000001", "1e10", "NaN", "many", -1])
def test_a_quantity_that_cannot_be_kept_is_refused_and_nothing_is_written(shop: Shop, quantity: str | int) -> None:
    shop.stocked("A", 10)
    refused = shop.call("PUT", "orders", shop.an_order("SO-1", line(1, "A", quantity)), expect=400)
    assert refused["Message"] == "The request is invalid."
    assert list(refused["ModelState"]) == ["orderLines[0].numberOfItems"]
    assert shop.listed("orders") == []


def test_numbers_may_come_as_strings_and_unknown_fields_are_left_out(shop: Shop) -> None:
    shop.stocked("A", 10)
    order_id = shop.put_order(shop.an_order("SO-1", line(1, "A", "2.5", colour="red"), nonsense=1))
    assert shop.order(order_id)["orderLines"][0]["orderedNumberOfItems"] == Decimal("2.5")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("orderNumber", ""), ("deliveryDate", None), ("consignee", None), ("deliveryDate", "tomorrow"), ("goodsOwnerId", None)],
)
def test_the_required_fields_of_an_order_are_required(shop: Shop, field: str, wrong: str | None) -> None:
    refused = shop.call("PUT", "orders", {**shop.an_order("SO-1"), field: wrong}, expect=400)
    assert field in refused["ModelState"]


def test_a_row_number_is_used_once(shop: Shop) -> None:
    shop.stocked("A", 10)
    shop.call("PUT", "orders", shop.an_order("SO-1", line(1, "A", 1), line(1, "A", 2)), expect=400)


def test_an_article_listed_twice_in_an_order_keeps_two_lines(shop: Shop) -> None:
    shop.stocked("A", 10)
    order_id = shop.put_order(shop.an_order("SO-1", line(1, "A", 1), line(2, "A", 2)))
    assert [row["orderedNumberOfItems"] for row in shop.order(order_id)["orderLines"]] == [1, 2]


def test_an_update_matches_lines_by_row_number(shop: Shop) -> None:
    shop.stocked("A", 10)
    shop.stocked("B", 10)
    order_id = shop.put_order(shop.an_order("SO-1", line(1, "A", 1), line(2, "A", 2), referenceNumber="Web 1"))
    before = {row["rowNumber"]: row["id"] for row in shop.order(order_id)["orderLines"]}
    shop.call("PUT", "orders", shop.an_order("SO-1", line(2, "B", 5), line(3, "A", 1)))
    order = shop.order(order_id)
    assert [(row["rowNumber"], row["article"]["articleNumber"]) for row in order["orderLines"]] == [("2", "B"), ("3", "A")]
    assert order["orderLines"][0]["id"] == before["2"]
    assert order["orderLines"][1]["id"] not in before.values()
    assert order["orderInfo"]["referenceNumber"] == "Web 1"
    assert shop.figures("A")["numberOfBookedItems"] == 1


def test_an_order_may_change_until_the_warehouse_has_begun(shop: Shop) -> None:
    order_id = shop.order_with(2, number="SO-1")
    order = shop.an_order("SO-1", line(1, "SO-1/1", 3))
    shop.call("PUT", f"orders/{order_id}", order)
    shop.work(order_id, "allocate")
    assert "started working" in shop.call("PUT", "orders", order, expect=400)["message"]
    shop.call("DELETE", f"orders/{order_id}", expect=400)
    assert shop.order(order_id)["orderInfo"]["orderStatus"]["number"] == 320


def test_a_cancelled_order_stays_readable_and_cannot_be_cancelled_again(shop: Shop) -> None:
    order_id = shop.order_with(2, number="SO-1")
    shop.call("DELETE", "orders", goodsOwnerId=shop.id, orderNumber="SO-1")
    assert shop.order(order_id)["orderInfo"]["orderStatus"] == {"number": 1000, "text": "Makulerad"}
    shop.call("DELETE", f"orders/{order_id}", expect=400)
    shop.call("PUT", "orders", shop.an_order("SO-1", line(1, "SO-1/1", 3)), expect=400)
    assert shop.figures("SO-1/1")["numberOfBookedItems"] == 0


def test_pages_begin_at_the_cursor_itself_and_end_empty(shop: Shop) -> None:
    ids = [shop.order_with(1) for _ in range(5)]

    def page(first: int) -> list[int]:
        return [row["orderInfo"]["orderId"] for row in shop.listed("orders", orderIdFrom=first, maxOrdersToGet=2)]

    assert page(ids[0]) == ids[:2]
    assert page(ids[2]) == ids[2:4]
    assert page(ids[4]) == ids[4:]
    assert page(ids[4] + 1) == []
    assert [row["orderInfo"]["orderId"] for row in shop.listed("orders", page=3, pageSize=1)] == ids
    articles = shop.listed("articles", maxArticlesToGet=2)
    assert shop.listed("articles", articleSystemIdFrom=articles[1]["articleSystemId"], maxArticlesToGet=1)[0] == articles[1]


def test_a_list_of_values_is_repeated_keys_and_a_comma_is_a_character(shop: Shop) -> None:
    for article_number in ("A", "B", "A,B"):
        shop.put_article(article_number)

    def found(numbers: list[str]) -> list[str]:
        return [row["articleNumber"] for row in shop.listed("articles", articleNumbers=numbers)]

    assert found(["A", "B"]) == ["A", "B"]
    assert found(["A,B"]) == ["A,B"]
    assert found(["C"]) == []


def test_stock_changes_can_be_asked_for_a_day_back_and_order_updates_two(shop: Shop) -> None:
    shop.order_with(1)

    def back(**ago: int) -> str:
        return (datetime.now(UTC) - timedelta(**ago)).isoformat()

    assert len(shop.listed("articles", stockInfoChangedFrom=back(hours=23))) == 1
    refused = shop.call("GET", "articles", goodsOwnerId=shop.id, stockInfoChangedFrom=back(hours=25), expect=400)
    assert "within 24 hours" in refused["message"]
    assert len(shop.listed("orders", orderUpdatedTimeFrom=back(hours=47))) == 1
    shop.call("GET", "orders", goodsOwnerId=shop.id, orderUpdatedTimeFrom=back(hours=49), expect=400)
    assert len(shop.listed("orders", orderStatusChangedTimeFrom=back(days=30))) == 1


def test_a_plus_sign_in_a_time_must_be_encoded(shop: Shop) -> None:
    moment = datetime.now(UTC).isoformat()
    for text, expected in ((quote(moment), 200), (moment, 400)):
        assert shop.http.get(f"orders?goodsOwnerId={shop.id}&orderStatusChangedTimeFrom={text}").status_code == expected


def test_orders_are_found_by_what_has_happened_to_them(shop: Shop) -> None:
    start = datetime.now(UTC).isoformat()
    untouched, picked, sent = shop.order_with(1), shop.order_with(1), shop.order_with(1, number="SENT")
    shop.work(picked, "pick")
    shop.work(sent, "pick")
    shop.work(sent, "send", {"waybill": "W1", "parcelNumber": "P1"})

    def found(**query: object) -> list[int]:
        return [row["orderInfo"]["orderId"] for row in shop.listed("orders", **query)]

    assert found(orderStatusFrom=400) == [picked, sent]
    assert found(orderStatusFrom=400, orderStatusTo=449) == [picked]
    assert found(lastPickingTimeFrom=start) == [picked, sent]
    assert found(shippedTimeFrom=start) == [sent]
    assert found(lastReturnedFrom=start) == []
    assert found(onlyIfTransportPrinted="true") == [sent]
    assert found(parcelNumber="P1") == [sent]
    assert found(articleNumbers="SENT/1") == [sent]
    assert found(orderNumbers=["SENT", "x"]) == [sent]
    assert found(orderCreatedTimeTo=start) == []
    assert found(orderCreatedTimeFrom=start) == [untouched, picked, sent]


def test_reported_is_null_until_it_is_set_and_names_what_is_left_to_report(shop: Shop) -> None:
    order_id = shop.order_with(10, 5)

    def to_report() -> list[int]:
        return [row["orderInfo"]["orderId"] for row in shop.listed("orders", onlyOrdersWithOrderLinesToReport="true")]

    assert to_report() == []
    line_id = shop.pick(order_id, 8)["orderLines"][0]["id"]
    assert to_report() == [order_id]
    path = f"orders/{order_id}/lines/{line_id}/reportedNumberOfItems"
    assert shop.call("PATCH", path, {"reportedNumberOfItems": 8})["orderId"] == order_id
    assert to_report() == []
    assert shop.order(order_id)["orderLines"][0]["reportedNumberOfItems"] == 8
    shop.pick(order_id, 2)
    assert to_report() == [order_id]
    shop.call("PATCH", f"orders/{order_id}/setReportedNumberOfItemsToPickedNumberOfItems")
    assert [row["reportedNumberOfItems"] for row in shop.order(order_id)["orderLines"]] == [10, None]
    # An un-pick leaves more reported than picked, and the filter does not see that.
    shop.work(order_id, "undo-pick", {"lines": [{"rowNumber": "1", "numberOfItems": 4}]})
    assert to_report() == []
    shop.call("PATCH", f"orders/{order_id}/lines/1/reportedNumberOfItems", {"reportedNumberOfItems": 1}, expect=404)


def test_returns_are_reported_back_on_their_own(shop: Shop) -> None:
    order_id = shop.order_with(3)
    shop.work(order_id, "pick")
    shop.work(order_id, "send")
    order = shop.work(order_id, "return", {"lines": [{"rowNumber": "1", "numberOfItems": 1}], "causeCode": "SIZE"})
    assert order["orderInfo"]["orderStatus"]["number"] == 800
    items = order["orderLines"][0]["pickedArticleItems"]
    assert [(item["numberOfItems"], item["isReturned"]) for item in items] == [(2, False), (1, True)]
    assert items[1]["returnCause"] == {"code": "SIZE", "name": None}
    query = {"onlyOrdersWithOrderLinesToReportReturned": "true"}
    assert len(shop.listed("orders", **query)) == 1
    path = f"orders/{order_id}/lines/{order['orderLines'][0]['id']}/reportedReturnedNumberOfItems"
    assert shop.http.patch(path, json={"reportedReturnedNumberOfItems": 1}).content == b""
    assert shop.listed("orders", **query) == []


def test_an_order_number_can_be_patched_to_one_that_is_taken(shop: Shop) -> None:
    first, second = shop.order_with(1, number="SO-1"), shop.order_with(1, number="SO-2")
    shop.call("PATCH", f"orders/{second}/orderNumber", {"orderNumber": "SO-1"})
    assert [row["orderInfo"]["orderId"] for row in shop.listed("orders", orderNumber="SO-1")] == [first, second]


def test_single_fields_change_whatever_the_status(shop: Shop) -> None:
    order_id = shop.order_with(1)
    shop.work(order_id, "pick")
    for suffix, body in (
        ("deliveryDate", {"deliveryDate": "2026-03-09T12:00:00Z"}),
        ("servicePointCode", {"servicePointCode": "3232"}),
        ("waybill", {"waybill": "W1"}),
        ("returnWaybill", {"returnWaybill": "R1"}),
        ("transporter", {"transporterCode": "PLAB", "transporterServiceCode": "P19"}),
        ("setOrderClasses", {"classes": [{"code": "A", "name": "A"}]}),
        ("addOrderClasses", {"classes": [{"code": "B", "name": "B"}]}),
    ):
        assert shop.call("PATCH", f"orders/{order_id}/{suffix}", body)["orderId"] == order_id
    order = shop.order(order_id)
    info = order["orderInfo"]
    assert (info["deliveryDate"], info["advanced"]["deliveryDateWithTime"]) == ("2026-03-09", "2026-03-09T12:00:00Z")
    assert (info["servicePointCode"], info["wayBill"], info["returnWayBill"]) == ("3232", "W1", "R1")
    assert order["transporter"]["name"] == "PostNord MyPack Collect"
    assert order["classes"] == [{"code": "A", "name": "A"}, {"code": "B", "name": "B"}]


def test_a_status_can_be_patched_unless_goods_are_allocated(shop: Shop) -> None:
    order_id = shop.order_with(1)
    shop.call("PATCH", f"orders/{order_id}/orderStatus", {"orderStatusNumber": 200})
    shop.call("PATCH", f"orders/{order_id}/orderStatus", {"orderStatusNumber": 201}, expect=400)
    shop.call("PATCH", f"orders/{order_id}/orderStatus", {"orderStatusNumber": 300})
    shop.work(order_id, "allocate")
    shop.call("PATCH", f"orders/{order_id}/orderStatus", {"orderStatusNumber": 200}, expect=400)


def test_tracking_and_parcels_can_be_put(shop: Shop) -> None:
    order_id = shop.order_with(1)
    tracking = {"waybill": "W1", "trackingUrl": "https://carrier.example/W1", "isReturnTracking": False}
    assert shop.call("PUT", f"orders/{order_id}/orderTracking", tracking)["success"]
    parcel = {"parcelNumber": "P1", "transportAdministrationType": "delivery"}
    parcel_id = shop.call("PUT", f"orders/{order_id}/parcels", parcel)["parcelId"]
    assert shop.call("PUT", f"orders/{order_id}/parcels", parcel)["parcelId"] == parcel_id
    order = shop.order(order_id)
    assert [row["waybill"] for row in order["tracking"]] == ["W1"]
    assert [row["parcelNumber"] for row in order["parcels"]] == ["P1"]
    assert shop.call("DELETE", f"orders/{order_id}/parcels/{parcel_id}")["success"]
    assert shop.order(order_id)["parcels"] is None


def test_both_status_lists_come_under_the_same_key(shop: Shop) -> None:
    orders, purchases = shop.call("GET", "orders/statuses"), shop.call("GET", "purchaseOrders/statuses")
    assert [row["number"] for row in orders["orderStatuses"]] == [150, 200, 300, 320, 400, 450, 500, 800, 1000]
    assert {"number": 400, "text": "Avvikelse"} in purchases["orderStatuses"]
    assert list(shop.call("GET", "returnOrders/statuses")) == ["returnOrderStatuses"]


def test_codes_come_into_being_when_they_are_named(shop: Shop) -> None:
    kinds = {"orderType": {"code": "B2C", "name": "Consumer"}, "wayOfDelivery": {"code": "mypack", "name": "MyPack"}}
    shop.put_order(shop.an_order("SO-1", **kinds))
    assert shop.listed("orders/types") == {"orderTypes": [{"code": "B2C", "name": "Consumer"}]}
    (way,) = shop.listed("orders/wayOfDeliveryTypes")["wayOfDeliveryTypes"]
    assert (way["code"], way["name"]) == ("mypack", "MyPack")
    assert shop.call("DELETE", f"orders/wayOfDeliveryTypes/{way['id']}")["success"]
    assert shop.listed("orders/wayOfDeliveryTypes") == {"wayOfDeliveryTypes": []}


def test_a_transporter_is_not_free_text(shop: Shop) -> None:
    shop.call("PUT", "orders", shop.an_order("SO-1", transporter={"transporterCode": "HORSE"}), expect=400)
    shop.put_order(shop.an_order("SO-1", transporter={"transporterCode": "PLAB", "transporterServiceCode": "P19"}))


# --- switches


@pytest.mark.parametrize(
    ("setting", "status", "body"),
    [
        ("400-message", 400, {"message"}),
        ("409-message", 409, {"message"}),
        ("400-Message", 400, {"Message"}),
        ("200-null-id", 200, {"orderId", "message"}),
    ],
)
def test_how_a_change_is_refused_is_a_switch(shop: Shop, simulator: Simulator, setting: str, status: int, body: set[str]) -> None:
    simulator.ask("PUT", "settings", {"refusedChange": setting})
    order_id = shop.order_with(1)
    shop.work(order_id, "pick")
    refused = shop.call("DELETE", f"orders/{order_id}", expect=status)
    assert set(refused) == body
    assert refused.get("orderId") is None


def test_what_an_invalid_request_and_an_unknown_id_get_are_switches(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "settings", {"validationFailure": "message", "unknownId": "200-null"})
    assert "orderNumber" in shop.call("PUT", "orders", {"goodsOwnerId": shop.id}, expect=400)["message"]
    assert shop.call("GET", "orders/1") is None
    simulator.ask("PUT", "settings", {"validationFailure": "text", "unknownId": "400"})
    assert shop.http.put("orders", json={}).headers["content-type"].startswith("text/plain")
    shop.call("GET", "orders/1", expect=400)


def test_what_an_unknown_article_does_to_an_order_is_a_switch(shop: Shop, simulator: Simulator) -> None:
    order = shop.an_order("SO-1", line(1, "NEW", 1))
    assert "NEW" in shop.call("PUT", "orders", order, expect=400)["message"]
    assert shop.listed("orders") == []
    simulator.ask("PUT", "settings", {"unknownArticle": "drop"})
    assert "NEW" in shop.call("PUT", "orders", order, expect=201)["message"]
    assert shop.listed("orders")[0]["orderLines"] is None
    simulator.ask("PUT", "settings", {"unknownArticle": "create"})
    shop.call("PUT", "orders", order)
    assert shop.article("NEW")["articleNumber"] == "NEW"


def test_what_an_update_leaves_out_is_a_switch(shop: Shop, simulator: Simulator) -> None:
    shop.stocked("A", 10)
    both = (line(1, "A", 1), line(2, "A", 1))
    order_id = shop.put_order(shop.an_order("SO-1", *both, orderRemark="Gift"))
    simulator.ask("PUT", "settings", {"missingLines": "reject"})
    shop.call("PUT", "orders", shop.an_order("SO-1", both[0]), expect=400)
    simulator.ask("PUT", "settings", {"missingLines": "keep", "omittedFields": "cleared"})
    shop.call("PUT", "orders", shop.an_order("SO-1", both[0]))
    order = shop.order(order_id)
    assert (len(order["orderLines"]), order["orderInfo"]["orderRemark"]) == (2, None)


def test_start_status_first_code_and_edit_lock_are_switches(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "settings", {"startStatus": 200, "createdStatusCode": 200, "editLockStatus": 300})
    shop.stocked("A", 10)
    order = shop.an_order("SO-1", line(1, "A", 1))
    order_id = shop.put_order(order, expect=200)
    assert shop.order(order_id)["orderInfo"]["orderStatus"]["number"] == 200
    shop.work(order_id, "pick", expect=409)
    shop.work(order_id, "release")
    shop.call("PUT", "orders", order, expect=400)


def test_lines_may_become_visible_later_than_their_order(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "settings", {"visibilityDelaySeconds": 30})
    order_id = shop.order_with(1)
    assert shop.order(order_id)["orderLines"] is None
    simulator.ask("PUT", "clock", {"offsetSeconds": 31})
    assert len(shop.order(order_id)["orderLines"]) == 1


def test_a_second_cancel_and_a_put_on_a_cancelled_order_are_switches(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "settings", {"secondCancel": "accept", "putOnCancelled": "revive"})
    order_id = shop.order_with(2, number="SO-1")
    for _ in range(2):
        shop.call("DELETE", f"orders/{order_id}")
    shop.call("PUT", "orders", shop.an_order("SO-1", line(1, "SO-1/1", 3)))
    assert shop.order(order_id)["orderInfo"]["orderStatus"]["number"] == 300
    assert shop.figures("SO-1/1")["numberOfBookedItems"] == 3


def test_a_tenant_may_renumber_its_statuses_and_speak_english(shop: Shop, simulator: Simulator) -> None:
    before = shop.order_with(1)
    shop.work(before, "pick")
    shop.work(before, "send")
    simulator.ask(
        "PUT",
        "settings",
        {"orderStatusNumbers": {"sent": 451}, "extraOrderStatuses": [{"number": 425, "text": "Partly sent"}], "language": "en"},
    )
    after = shop.order_with(1)
    shop.work(after, "pick")
    shop.work(after, "send")
    for order_id in (before, after):
        assert shop.order(order_id)["orderInfo"]["orderStatus"] == {"number": 451, "text": "Sent"}
    numbers = [row["number"] for row in shop.call("GET", "orders/statuses")["orderStatuses"]]
    assert 425 in numbers and 450 not in numbers


def test_unknown_fields_and_time_bounds_are_switches(shop: Shop, simulator: Simulator) -> None:
    created = shop.order(shop.order_with(1))["orderInfo"]["createdDate"]
    assert len(shop.listed("orders", orderCreatedTimeFrom=created)) == 1
    simulator.ask("PUT", "settings", {"unknownFields": "refuse", "timeBounds": "exclusive"})
    assert shop.listed("orders", orderCreatedTimeFrom=created) == []
    shop.call("PUT", "orders", shop.an_order("SO-2", nonsense=1), expect=400)


@pytest.mark.parametrize(
    "wrong", [{"nonsense": 1}, {"language": "da"}, {"startStatus": "high"}, {"volumeLimits": [{"calls": 1}]}]
)
def test_a_setting_that_does_not_exist_is_refused(simulator: Simulator, wrong: dict[str, object]) -> None:
    before = simulator.ask("GET", "settings")
    simulator.ask("PUT", "settings", wrong, expect=400)
    assert simulator.ask("GET", "settings") == before
