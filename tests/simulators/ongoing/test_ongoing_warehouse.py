"""What happens behind the API: the goods, the people who move them, and the figures that follow."""

from decimal import Decimal

import pytest

from tests.simulators.ongoing.harness import Shop, Simulator, eventually, line


def worked_example(shop: Shop) -> int:
    """140 on the shelf, 25 ordered, 10 of them allocated (the example of the notes)."""
    shop.stocked("A", 140)
    shop.put_order(shop.an_order("SO-1", line(1, "A", 15)))
    order_id = shop.put_order(shop.an_order("SO-2", line(1, "A", 10)))
    shop.work(order_id, "allocate")
    return order_id


def figures(shop: Shop, *names: str) -> list[Decimal]:
    found = shop.figures("A")
    return [found[name] for name in names]


_NAMES = ("numberOfItems", "numberOfBookedItems", "allocatedNumberOfItems", "lockedForSaleNumberOfItems", "sellableNumberOfItems")


def test_a_sale_lowers_what_can_be_sold_once_and_not_again_at_the_pick(shop: Shop) -> None:
    order_id = worked_example(shop)
    assert figures(shop, *_NAMES) == [140, 25, 10, 10, 115]
    shop.work(order_id, "pick")
    assert figures(shop, *_NAMES) == [130, 15, 0, 0, 115]
    assert figures(shop, "pickedToBeCollectedNumberOfItems") == [10]
    order = shop.order(order_id)
    assert order["orderLines"][0]["allocatedNumberOfItems"] == 10
    shop.put_order(shop.an_order("SO-3", line(1, "A", 120)))
    assert figures(shop, "sellableNumberOfItems") == [-5]
    shop.work(order_id, "send")
    shop.work(order_id, "collect")
    assert figures(shop, "pickedToBeCollectedNumberOfItems", "numberOfItems") == [0, 130]


def test_goods_may_leave_the_stock_only_when_the_carrier_collects_them(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "settings", {"goodsLeaveStock": "at-collection"})
    order_id = worked_example(shop)
    shop.work(order_id, "pick")
    assert figures(shop, "numberOfItems", "pickedToBeCollectedNumberOfItems", "sellableNumberOfItems") == [140, 10, 115]
    shop.work(order_id, "send")
    shop.work(order_id, "collect")
    assert figures(shop, "numberOfItems", "pickedToBeCollectedNumberOfItems", "sellableNumberOfItems") == [130, 0, 115]


def test_goods_locked_for_sale_are_there_and_cannot_be_sold_or_picked(shop: Shop, simulator: Simulator) -> None:
    shop.stocked("A", 10)
    simulator.ask("POST", "lock-for-sale", {"goodsOwnerId": shop.id, "articleNumber": "A", "numberOfItems": "4"})
    assert figures(shop, "numberOfItems", "lockedForSaleNumberOfItems", "sellableNumberOfItems") == [10, 4, 6]
    order_id = shop.put_order(shop.an_order("SO-1", line(1, "A", 7)))
    assert "6.0 there" in shop.work(order_id, "pick", expect=409)["error"]


def test_the_reported_block_holds_what_was_moved_and_not_reported(shop: Shop) -> None:
    order_id = worked_example(shop)
    shop.work(order_id, "pick")

    def reported() -> dict[str, Decimal]:
        (house,) = shop.listed("articles/inventoryPerWarehouse", articleNumbers="A")[0]["inventoryPerWarehouse"]
        return dict(house["reported"])

    assert reported()["pickedToBeReportedNumberOfItems"] == 10
    shop.call("PATCH", f"orders/{order_id}/setReportedNumberOfItemsToPickedNumberOfItems")
    assert reported()["pickedToBeReportedNumberOfItems"] == 0
    shop.work(order_id, "return", {"lines": [{"rowNumber": "1", "numberOfItems": 3}]})
    assert reported()["returnedToBeReportedNumberOfItems"] == 3


def test_a_pick_in_two_goes_stays_on_the_same_order(shop: Shop) -> None:
    order_id = shop.order_with(10, number="SO-1")
    order = shop.pick(order_id, 8)
    assert order["orderInfo"]["orderStatus"]["number"] == 320
    order = shop.pick(order_id, 2)
    assert order["orderInfo"]["orderStatus"]["number"] == 400
    assert [item["numberOfItems"] for item in order["orderLines"][0]["pickedArticleItems"]] == [8, 2]
    assert shop.figures("SO-1/1")["numberOfItems"] == 990


def test_an_undone_pick_puts_the_goods_back(shop: Shop) -> None:
    order_id = shop.order_with(10, number="SO-1")
    shop.pick(order_id, 8)
    shop.pick(order_id, 2)
    order = shop.work(order_id, "undo-pick", {"lines": [{"rowNumber": "1", "numberOfItems": 3}]})
    assert order["orderLines"][0]["pickedNumberOfItems"] == 7
    assert [item["numberOfItems"] for item in order["orderLines"][0]["pickedArticleItems"]] == [7]
    assert order["orderInfo"]["orderStatus"]["number"] == 320
    assert shop.figures("SO-1/1")["numberOfItems"] == 993
    order = shop.work(order_id, "undo-pick")
    assert order["orderInfo"]["orderStatus"]["number"] == 300
    assert shop.figures("SO-1/1")["sellableNumberOfItems"] == 990


def test_more_than_ordered_is_picked_only_on_purpose_and_never_more_than_there_is(shop: Shop) -> None:
    order_id = shop.order_with(10, stock=12)
    shop.work(order_id, "pick", {"lines": [{"rowNumber": "1", "numberOfItems": 11}]}, expect=409)
    shop.work(order_id, "pick", {"lines": [{"rowNumber": "1", "numberOfItems": 13}], "over": True}, expect=409)
    assert shop.order(order_id)["orderLines"][0]["pickedNumberOfItems"] == 0
    assert shop.pick(order_id, 12, over=True)["orderLines"][0]["pickedNumberOfItems"] == 12


def test_a_sent_order_has_its_papers_and_a_later_pick_opens_it_again(shop: Shop, simulator: Simulator) -> None:
    order_id = shop.order_with(10)
    shop.pick(order_id, 6)
    shop.work(order_id, "pack")
    sent = shop.work(order_id, "send", {"waybill": "W1", "trackingUrl": "https://carrier.example/W1", "parcelNumber": "P1"})
    assert (sent["orderInfo"]["orderStatus"]["number"], sent["orderInfo"]["wayBill"]) == (450, "W1")
    assert sent["orderInfo"]["shippedTime"] is not None
    assert sent["tracking"][0]["trackingUrl"] == "https://carrier.example/W1"
    assert sent["orderLines"][0]["pickedArticleItems"][0]["parcel"]["parcelNumber"] == "P1"
    assert sent["orderLines"][0]["packedNumberOfItems"] == 6
    assert shop.pick(order_id, 4)["orderInfo"]["orderStatus"]["number"] == 400
    simulator.ask("PUT", "settings", {"laterPick": "keeps"})
    other = shop.order_with(10)
    shop.pick(other, 6)
    shop.work(other, "send")
    assert shop.pick(other, 4)["orderInfo"]["orderStatus"]["number"] == 450


def test_a_short_order_ends_there_or_goes_on_as_a_back_order(shop: Shop, simulator: Simulator) -> None:
    order_id = shop.order_with(10, 5, number="SO-1")
    shop.work(order_id, "allocate")
    shop.pick(order_id, 8, 5)
    order = shop.work(order_id, "finish-short")
    assert order["orderInfo"]["orderStatus"]["number"] == 450
    assert [row["pickedNumberOfItems"] for row in order["orderLines"]] == [8, 5]
    assert shop.figures("SO-1/1")["sellableNumberOfItems"] == 992
    assert shop.listed("orders", backOrderForOrderId=order_id) == []
    simulator.ask("PUT", "settings", {"shortPick": "back-order"})
    second = shop.order_with(10, number="SO-2")
    shop.pick(second, 8)
    shop.work(second, "finish-short")
    (rest,) = shop.listed("orders", backOrderForOrderId=second)
    assert rest["orderInfo"]["orderNumber"] == "SO-2-1"
    assert rest["orderInfo"]["advanced"]["backOrderInfo"] == {"backOrderForOrderId": second}
    assert [(row["rowNumber"], row["orderedNumberOfItems"]) for row in rest["orderLines"]] == [("1", 2)]


def test_the_warehouse_cancels_and_puts_back_what_was_picked(shop: Shop) -> None:
    order_id = shop.order_with(10, number="SO-1")
    shop.pick(order_id, 4)
    order = shop.work(order_id, "cancel")
    assert (order["orderInfo"]["orderStatus"]["number"], order["orderLines"][0]["pickedNumberOfItems"]) == (1000, 0)
    found = shop.figures("SO-1/1")
    assert [found[name] for name in ("numberOfItems", "numberOfBookedItems", "sellableNumberOfItems")] == [1000, 0, 1000]
    shop.work(order_id, "pick", expect=409)


def test_non_stock_articles_are_never_picked(shop: Shop) -> None:
    shop.stocked("A", 10)
    shop.put_article("POST", isStockArticle=False)
    order_id = shop.put_order(shop.an_order("SO-1", line(1, "A", 1), line(2, "POST", 1)))
    order = shop.work(order_id, "pick")
    assert [row["pickedNumberOfItems"] for row in order["orderLines"]] == [1, 0]
    assert order["orderInfo"]["orderStatus"]["number"] == 400
    shop.work(order_id, "pick", {"lines": [{"rowNumber": "2", "numberOfItems": 1}]}, expect=409)
    assert shop.figures("POST")["numberOfBookedItems"] == 0


def test_a_kit_is_picked_by_its_parts(shop: Shop) -> None:
    shop.stocked("BAG", 10)
    shop.stocked("PIN", 9)
    rows = [{"articleNumber": "BAG", "numberOfItems": 1}, {"articleNumber": "PIN", "numberOfItems": 2}]
    kit = shop.put_article("KIT", structureDefinition={"articleKind": "Structure", "rows": rows})
    assert shop.figures("KIT")["sellableNumberOfItems"] == 4
    assert [row["numberOfItems"] for row in shop.call("GET", f"articles/{kit}/structureDefinition")["rows"]] == [1, 2]
    order_id = shop.put_order(shop.an_order("SO-1", line(1, "KIT", 3)))
    (row,) = shop.order(order_id)["orderLines"]
    assert [(part["article"]["articleNumber"], part["orderedNumberOfItems"]) for part in row["subOrderLines"]] == [
        ("BAG", 3),
        ("PIN", 6),
    ]
    order = shop.pick(order_id, 2)
    (row,) = order["orderLines"]
    assert (row["pickedNumberOfItems"], [part["pickedNumberOfItems"] for part in row["subOrderLines"]]) == (2, [2, 4])
    assert [shop.figures(part)["numberOfItems"] for part in ("BAG", "PIN")] == [8, 5]


def test_an_adjustment_exists_only_because_somebody_in_the_warehouse_made_it(shop: Shop, simulator: Simulator) -> None:
    article_id = shop.stocked("A", 10)
    wish = {"goodsOwnerId": shop.id, "articleNumber": "A", "numberOfItems": "-2"}
    cause = {"code": "DMG", "name": "Damaged"}
    first = simulator.ask("POST", "adjust", {**wish, "cause": cause, "comment": "Dropped"})["inventoryId"]
    simulator.ask("POST", "adjust", {**wish, "numberOfItems": "0.5"})
    (found,) = shop.listed("inventoryAdjustments", isReported="false")
    assert found["article"]["articleNumber"] == "A"
    assert [(row["numberOfItems"], row["inventoryAdjustmentCause"]) for row in found["inventoryAdjustments"]] == [
        (-2, cause),
        (Decimal("0.5"), None),
    ]
    assert shop.figures("A")["numberOfItems"] == Decimal("8.5")
    shop.call("PATCH", f"inventoryAdjustments/{first}/articles/{article_id}/setReported")
    assert len(shop.listed("inventoryAdjustments", isReported="false")[0]["inventoryAdjustments"]) == 1
    assert shop.call("GET", f"inventoryAdjustments/{first}")["inventoryAdjustments"][0]["inventoryItemComment"] == "Dropped"
    assert shop.listed("inventoryAdjustments", toTime="2020-01-01T00:00:00Z") == []
    simulator.ask("POST", "adjust", {**wish, "numberOfItems": "-9"}, expect=409)


def test_a_count_sets_what_lies_there_and_leaves_the_difference_as_an_adjustment(shop: Shop, simulator: Simulator) -> None:
    shop.stocked("A", 10)
    wish = {"goodsOwnerId": shop.id, "articleNumber": "A", "numberOfItems": "8", "cause": {"code": "INV", "name": "Counted"}}
    inventory_id = simulator.ask("POST", "count", wish)["inventoryId"]
    [adjusted] = shop.listed("inventoryAdjustments")
    assert [(row["inventoryId"], row["numberOfItems"]) for row in adjusted["inventoryAdjustments"]] == [(inventory_id, -2)]
    assert shop.figures("A")["numberOfItems"] == 8
    assert simulator.ask("POST", "count", wish)["inventoryId"] is None


def test_stock_comes_in_pages_of_whole_articles(shop: Shop) -> None:
    for number in "ABC":
        shop.stocked(number, 1)
    first = shop.listed("articles/inventoryPerWarehouse", maxArticlesToGet=2)
    assert [article["articleNumber"] for article in first] == ["A", "B"]
    rest = shop.listed("articles/inventoryPerWarehouse", maxArticlesToGet=2, articleSystemIdFrom=first[-1]["articleSystemId"] + 1)
    assert [article["articleNumber"] for article in rest] == ["C"]


def test_a_scrapped_return_appears_as_return_and_as_adjustment(shop: Shop) -> None:
    order_id = shop.order_with(5, number="SO-1")
    shop.work(order_id, "pick")
    shop.work(order_id, "return", {"lines": [{"rowNumber": "1", "numberOfItems": 2}], "scrap": True})
    assert shop.order(order_id)["orderLines"][0]["returnedNumberOfItems"] == 2
    assert shop.listed("inventoryAdjustments")[0]["inventoryAdjustments"][0]["numberOfItems"] == -2
    assert shop.figures("SO-1/1")["numberOfItems"] == 995


def test_stock_can_be_read_as_it_stood_at_an_instant(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "clock", {"now": "2026-05-01T10:00:00Z", "frozen": True})
    order_id = shop.order_with(4, number="SO-1", stock=10)
    simulator.ask("PUT", "clock", {"now": "2026-05-02T10:00:00Z", "frozen": True})
    shop.work(order_id, "pick")

    def at(moment: str) -> list[Decimal]:
        return [row["numberOfItems"] for row in shop.listed("articles/historicalInventory", stockDate=moment)[0]["articles"]]

    assert at("2026-05-01T09:00:00Z") == []
    assert at("2026-05-01T11:00:00Z") == [10]
    assert at("2026-05-02T11:00:00Z") == [6]


# --- purchase orders


def purchased(shop: Shop, **fields: object) -> int:
    shop.put_article("A")
    shop.put_article("B")
    return shop.put_purchase("PO-1", line(10, "A", 300, externalOrderLineId="PO-1-10"), line(20, "B", 100), **fields)


def test_a_purchase_order_is_received_in_parts_and_ends_with_a_deviation_or_in_full(shop: Shop) -> None:
    purchase_id = purchased(shop)
    assert shop.figures("A")["toReceiveNumberOfItems"] == 300
    for quantity in (240, 48):
        purchase = shop.receive(purchase_id, {"lines": [{"rowNumber": "10", "numberOfItems": quantity}]})
    assert purchase["purchaseOrderInfo"]["purchaseOrderStatus"] == {"number": 300, "text": "Inlevereras"}
    row = purchase["purchaseOrderLines"][0]
    assert (row["advisedNumberOfItems"], row["receivedNumberOfItems"], row["reportedNumberOfItems"]) == (300, 288, None)
    assert [item["numberOfItems"] for item in row["articleItems"]] == [240, 48]
    found = shop.figures("A")
    names = ("numberOfItems", "toReceiveNumberOfItems", "receivedToBeFinishedNumberOfItems")
    assert [found[name] for name in names] == [288, 12, 288]
    shop.receive(purchase_id, {"lines": [], "finish": True})
    assert shop.call("GET", f"purchaseOrders/{purchase_id}")["purchaseOrderInfo"]["purchaseOrderStatus"]["number"] == 400
    assert shop.receive(purchase_id)["purchaseOrderInfo"]["purchaseOrderStatus"]["number"] == 500
    found = shop.figures("A")
    assert [found[name] for name in names] == [300, 0, 0]


def test_receipts_are_reported_back_and_a_difference_either_way_is_to_report(shop: Shop) -> None:
    purchase_id = purchased(shop)
    query = {"onlyPurchaseOrdersWithOrderLinesToReport": "true"}
    assert shop.listed("purchaseOrders", **query) == []
    row = shop.receive(purchase_id, {"lines": [{"rowNumber": "10", "numberOfItems": 5}]})["purchaseOrderLines"][0]
    assert len(shop.listed("purchaseOrders", **query)) == 1
    shop.call("PATCH", f"purchaseOrders/{purchase_id}/lines/{row['id']}/reportedNumberOfItems", {"reportedNumberOfItems": 5})
    assert shop.listed("purchaseOrders", **query) == []
    shop.simulator.ask("POST", f"purchase-orders/{purchase_id}/undo-receive")
    assert len(shop.listed("purchaseOrders", **query)) == 1
    shop.call("PATCH", f"purchaseOrders/{purchase_id}/setReportedNumberOfItemsToReceivedNumberOfItems")
    assert shop.listed("purchaseOrders", **query) == []


def test_more_than_advised_and_unannounced_articles_can_arrive(shop: Shop, simulator: Simulator) -> None:
    purchase_id = purchased(shop)
    shop.put_article("C")
    lines = [
        {"rowNumber": "10", "numberOfItems": 301},
        {"rowNumber": "20", "numberOfItems": 100},
        {"articleNumber": "C", "numberOfItems": 7},
    ]
    purchase = shop.receive(purchase_id, {"lines": lines})
    assert purchase["purchaseOrderInfo"]["purchaseOrderStatus"]["number"] == 400
    assert (purchase["purchaseOrderLines"][2]["rowNumber"], purchase["purchaseOrderLines"][2]["receivedNumberOfItems"]) == ("", 7)
    simulator.ask("PUT", "settings", {"overReceipt": "refuse"})
    shop.receive(purchase_id, {"lines": lines[:1]}, expect=409)


def test_what_is_received_by_its_article_is_received_on_the_row_that_has_it(shop: Shop) -> None:
    purchase_id = purchased(shop)
    goods = [{"articleNumber": "A", "numberOfItems": 300}, {"articleNumber": "A", "numberOfItems": 1}]
    purchase = shop.receive(purchase_id, {"lines": goods, "finish": False})
    assert [(row["rowNumber"], row["receivedNumberOfItems"]) for row in purchase["purchaseOrderLines"]] == [
        ("10", 301),
        ("20", 0),
    ]
    both = shop.put_purchase("PO-2", line(1, "A", 5), line(2, "A", 5))
    more = [{"articleNumber": "A", "numberOfItems": number} for number in (5, 4, 3)]
    twice = shop.receive(both, {"lines": more, "finish": False})
    assert [(row["rowNumber"], row["receivedNumberOfItems"]) for row in twice["purchaseOrderLines"]] == [("1", 5), ("2", 7)]


def test_a_purchase_order_may_change_until_receiving_has_begun(shop: Shop) -> None:
    purchase_id = purchased(
        shop, advanced={"purchaseOrderStatusCreated": 200}, freeValues={"freeBoolean1": True}, inDate="2026-03-10"
    )
    assert shop.put_purchase("PO-1", line(10, "A", 200)) == purchase_id
    purchase = shop.call("GET", f"purchaseOrders/{purchase_id}")
    info = purchase["purchaseOrderInfo"]
    assert (info["purchaseOrderStatus"]["number"], info["freeValues"]["freeBool1"], info["inDate"]) == (200, True, "2026-03-10")
    assert [row["advisedNumberOfItems"] for row in purchase["purchaseOrderLines"]] == [200]
    shop.receive(purchase_id, {"lines": [{"rowNumber": "10", "numberOfItems": 1}]})
    shop.call("DELETE", f"purchaseOrders/{purchase_id}", expect=400)
    other = shop.put_purchase("PO-2", line(1, "A", 1))
    shop.call("DELETE", "purchaseOrders", goodsOwnerId=shop.id, purchaseOrderNumber="PO-2")
    assert shop.call("GET", f"purchaseOrders/{other}")["purchaseOrderInfo"]["purchaseOrderStatus"]["number"] == 900


# --- the automatic warehouse, and restarts


def test_the_automatic_warehouse_takes_each_order_to_the_carrier_in_steps(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "auto", {"goodsOwnerId": shop.id, "enabled": True, "delaySeconds": 0.05})
    order_id = shop.order_with(3, 2)
    seen = set()

    def sent() -> bool:
        seen.add(shop.order(order_id)["orderInfo"]["orderStatus"]["number"])
        return 450 in seen

    eventually(sent, "the order is sent")
    assert {320, 450} <= seen
    order = shop.order(order_id)
    assert [row["pickedNumberOfItems"] for row in order["orderLines"]] == [3, 2]
    assert order["orderInfo"]["wayBill"] and order["parcels"][0]["parcelNumber"]


def test_an_order_without_goods_waits_for_them(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "auto", {"goodsOwnerId": shop.id, "delaySeconds": 0})
    short = shop.order_with(3, number="SHORT", stock=2)
    other = shop.order_with(3)
    eventually(lambda: shop.order(other)["orderInfo"]["orderStatus"]["number"] == 450, "the other order is sent")
    assert shop.order(short)["orderInfo"]["orderStatus"]["number"] == 300
    shop.stocked("SHORT/1", 3)
    eventually(lambda: shop.order(short)["orderInfo"]["orderStatus"]["number"] == 450, "the order is sent when goods have come")


def test_the_varied_warehouse_splits_and_shortens_some_orders_the_same_way_each_time(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "auto", {"goodsOwnerId": shop.id, "delaySeconds": 0, "style": "varied", "seed": 7})
    shop.stocked("A", 100_000)
    for at in range(60):
        shop.put_order(shop.an_order(f"V-{at}", line(1, "A", 10), line(2, "A", 7), line(3, "A", 1)))

    def outcome() -> dict[str, int] | None:
        orders = shop.listed("orders")
        if any(row["orderInfo"]["orderStatus"]["number"] != 450 for row in orders):
            return None
        shapes = {"full": 0, "short": 0, "parcels": 0}
        for row in orders:
            shapes["full" if row["orderInfo"]["pickedNumberOfItems"] == 18 else "short"] += 1
            shapes["parcels"] += len(row["parcels"])
        return shapes if shapes["parcels"] > 60 else None

    shapes = eventually(outcome, "all orders are sent")
    state = simulator.control.get("state", params={"goodsOwnerId": shop.id}).json()
    assert state["picked"]["A"] == 100_000 - shop.figures("A")["numberOfItems"]
    assert shapes["full"] > 40 and 0 < shapes["short"] < 15
    assert state["ordersByStatus"] == {"450": 60}


def test_nothing_that_was_answered_is_lost_when_the_simulator_is_killed(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "settings", {"language": "en"})
    simulator.ask("PUT", "clock", {"offsetSeconds": 3600})
    simulator.ask("PUT", "auto", {"goodsOwnerId": shop.id, "delaySeconds": 0.2})
    simulator.ask("POST", "faults", {"id": "f1", "route": "GET /warehouses", "kind": "http", "count": 2})
    shop.call("GET", "warehouses", expect=500)
    order_id = shop.order_with(3, number="SO-1")
    before = simulator.ask("GET", "log?route=PUT /orders")
    simulator.kill()
    simulator.start()
    assert simulator.ask("GET", "log?route=PUT /orders") == before
    assert simulator.ask("GET", "clock")["offsetSeconds"] == 3600
    assert [(fault["id"], fault["fired"]) for fault in simulator.ask("GET", "faults")] == [("f1", 1)]
    eventually(lambda: shop.order(order_id)["orderInfo"]["orderStatus"] == {"number": 450, "text": "Sent"}, "the work goes on")
    assert shop.put_order(shop.an_order("SO-2"), expect=201) > order_id
    assert shop.figures("SO-1/1")["numberOfItems"] == 997


def test_totals_are_added_up_for_whoever_trusts_neither_side(shop: Shop, simulator: Simulator) -> None:
    order_id = shop.order_with(10, number="SO-1")
    shop.pick(order_id, 4)
    state = simulator.ask("GET", f"state?goodsOwnerId={shop.id}")
    assert state["ordersByStatus"] == {"320": 1}
    assert (state["picked"], state["stock"], state["linesToReport"]) == ({"SO-1/1": 4}, {"SO-1/1": 996}, 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "orders/1/pick", {}, 404),
        ("POST", "orders/by-number/1/X/pick", {}, 404),
        ("PUT", "stock", {"articles": []}, 400),
        ("PUT", "auto", {"goodsOwnerId": 1}, 404),
        ("GET", "nothing", None, 404),
    ],
)
def test_a_control_request_that_makes_no_sense_is_refused(
    simulator: Simulator, method: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    assert "error" in simulator.ask(method, path, body, expect=status)


def test_an_order_made_by_hand_is_unknown_to_the_erp_and_open(shop: Shop, simulator: Simulator) -> None:
    shop.stocked("A", 10)
    order_id = simulator.ask("POST", "orders", shop.an_order("HAND-1", line(1, "A", 2)))["orderId"]
    assert shop.order(order_id)["orderInfo"]["orderStatus"]["number"] == 200
    simulator.ask("POST", f"orders/by-number/{shop.id}/HAND-1/release")
    assert shop.order(order_id)["orderInfo"]["orderStatus"]["number"] == 300
