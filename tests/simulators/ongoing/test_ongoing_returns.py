"""Goods that come back: announced on a return order, in parts, with a cause, scrapped, or simply there one day."""

from decimal import Decimal
from typing import Any

from tests.simulators.ongoing.harness import Shop, Simulator


def sent(shop: Shop, quantity: int = 3) -> tuple[int, int]:
    """An order that was picked and sent; its id and its line's."""
    order_id = shop.order_with(quantity)
    shop.work(order_id, "pick")
    order = shop.work(order_id, "send")
    return order_id, order["orderLines"][0]["id"]


def announced(shop: Shop, order_id: int, line_id: int, quantity: int = 2, number: str = "RMA-1", **more: Any) -> dict[str, Any]:
    line = {"returnOrderRowNumber": "1", "customerOrderLine": {"orderLineId": line_id}, "toBeReturnedNumberOfItems": quantity}
    body = {"goodsOwnerId": shop.id, "returnOrderNumber": number, "customerOrder": {"orderId": order_id}}
    return {**body, "returnOrderLines": [{**line, "returnCause": {"code": "SIZE", "name": "Wrong size"}}], **more}


def receive(simulator: Simulator, return_id: int, expect: int = 200, **wish: Any) -> Any:
    return simulator.ask("POST", f"return-orders/{return_id}/receive", wish, expect=expect)


def on_the_shelf(shop: Shop, order_id: int) -> Decimal:
    [line] = shop.order(order_id)["orderLines"]
    found: Decimal = shop.article(line["article"]["articleNumber"])["inventoryInfo"]["numberOfItems"]
    return found


def counted(order: Any) -> tuple[Any, ...]:
    [line] = order["orderLines"]
    return line["returnedNumberOfItems"], line["reportedReturnedNumberOfItems"]


def test_what_comes_in_on_a_return_order_counts_on_the_orders_line_too(shop: Shop, simulator: Simulator) -> None:
    order_id, line_id = sent(shop)
    before = on_the_shelf(shop, order_id)
    return_id = shop.call("PUT", "returnOrders", announced(shop, order_id, line_id))["returnOrderId"]
    receive(simulator, return_id, lines=[{"rowNumber": "1", "numberOfItems": 1}])
    found = shop.call("GET", f"returnOrders/{return_id}")
    assert found["returnOrderInfo"]["returnOrderStatus"] == {"number": 100, "text": "Aviserad"}
    receive(simulator, return_id, lines=[{"rowNumber": "1", "numberOfItems": 1}], causeCode="BROKEN", scrap=True)
    found = shop.call("GET", f"returnOrders/{return_id}")
    assert found["returnOrderInfo"]["returnOrderStatus"] == {"number": 500, "text": "Returnerad"}
    [line] = found["returnOrderLines"]
    assert (line["returnedNumberOfItems"], line["returnedRemovedByInventoryNumberOfItems"]) == (2, 1)
    assert [(i["returnCause"]["code"], i["isReturnRemovedByInventory"]) for i in line["returnedArticleItems"]] == [
        ("SIZE", False),
        ("BROKEN", True),
    ]
    assert counted(shop.order(order_id)) == (2, None)
    assert on_the_shelf(shop, order_id) == before + 1
    assert [a["inventoryAdjustments"][0]["numberOfItems"] for a in shop.listed("inventoryAdjustments")] == [-1]


def test_a_return_order_is_put_again_until_something_has_come_back(shop: Shop, simulator: Simulator) -> None:
    order_id, line_id = sent(shop)
    return_id = shop.call("PUT", "returnOrders", announced(shop, order_id, line_id))["returnOrderId"]
    assert shop.call("PUT", "returnOrders", announced(shop, order_id, line_id, 3))["returnOrderId"] == return_id
    assert shop.call("GET", f"returnOrders/{return_id}")["returnOrderLines"][0]["toBeReturnedNumberOfItems"] == Decimal(3)
    receive(simulator, return_id, lines=[{"rowNumber": "1", "numberOfItems": 1}])
    shop.call("PUT", "returnOrders", announced(shop, order_id, line_id, 1), expect=400)
    shop.call("DELETE", f"returnOrders/{return_id}", expect=400)


def test_a_return_order_needs_an_order_and_a_line_of_it(shop: Shop) -> None:
    order_id, line_id = sent(shop)
    shop.call("PUT", "returnOrders", announced(shop, 1, line_id), expect=400)
    shop.call("PUT", "returnOrders", announced(shop, order_id, 1), expect=400)
    shop.call("PUT", "returnOrders", announced(shop, order_id, line_id, 0), expect=400)
    assert shop.listed("returnOrders") == []


def test_a_cancelled_return_order_takes_nothing_in(shop: Shop, simulator: Simulator) -> None:
    order_id, line_id = sent(shop)
    return_id = shop.call("PUT", "returnOrders", announced(shop, order_id, line_id))["returnOrderId"]
    shop.call("DELETE", f"returnOrders/{return_id}")
    assert shop.call("GET", f"returnOrders/{return_id}")["returnOrderInfo"]["returnOrderStatus"]["number"] == 900
    shop.call("DELETE", f"returnOrders/{return_id}", expect=400)
    receive(simulator, return_id, expect=409)
    assert counted(shop.order(order_id)) == (0, None)


def test_return_orders_are_listed_by_number_by_order_and_by_status(shop: Shop) -> None:
    order_id, line_id = sent(shop)
    for number in ("RMA-1", "RMA-2"):
        shop.call("PUT", "returnOrders", announced(shop, order_id, line_id, 1, number))

    def found(**query: Any) -> list[str]:
        return [row["returnOrderInfo"]["returnOrderNumber"] for row in shop.listed("returnOrders", **query)]

    number = shop.order(order_id)["orderInfo"]["orderNumber"]
    assert found(customerOrderNumbers=[number]) == ["RMA-1", "RMA-2"]
    assert found(returnOrderNumbers=["RMA-2", "x"]) == ["RMA-2"]
    assert found(customerOrderNumbers=["x"]) == found(returnOrderStatusFrom=101) == []
    assert found(goodsReturnedFromDate="2020-01-01T00:00:00Z") == []


def test_causes_are_made_by_name_or_by_use(shop: Shop) -> None:
    order_id, line_id = sent(shop)
    cause_id = shop.call("PUT", "returnOrders/returnCauses", {"goodsOwnerId": shop.id, "code": "DMG", "name": "Damaged"})
    shop.call("PUT", "returnOrders", announced(shop, order_id, line_id))
    causes = shop.listed("returnOrders/returnCauses")["returnCauses"]
    assert [(cause["code"], cause["name"], cause["isRemoveCause"]) for cause in causes] == [
        ("DMG", "Damaged", False),
        ("SIZE", "Wrong size", False),
    ]
    assert causes[0]["id"] == cause_id["returnCauseId"]


def test_a_return_can_be_undone_and_more_can_come_than_ever_left(shop: Shop) -> None:
    order_id, _ = sent(shop)
    before = on_the_shelf(shop, order_id)
    shop.work(order_id, "return", {"causeCode": "SIZE"})
    order = shop.work(order_id, "undo-return", {"lines": [{"rowNumber": "1", "numberOfItems": 2}]})
    assert counted(order) == (1, None)
    assert on_the_shelf(shop, order_id) == before + 1
    items = order["orderLines"][0]["pickedArticleItems"]
    assert sorted((item["isReturned"], item["numberOfItems"]) for item in items) == [(False, 2), (True, 1)]
    wish = {"lines": [{"rowNumber": "1", "numberOfItems": 5}]}
    shop.work(order_id, "return", wish, expect=409)
    assert counted(shop.work(order_id, "return", {**wish, "over": True})) == (6, None)
