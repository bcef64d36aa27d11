"""What goes wrong on the way: each fault fires, is counted, and is in the log."""

import threading
import time
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.simulators.ongoing.harness import Shop, Simulator, eventually, line


def fault(simulator: Simulator, kind: str, route: str = "PUT /orders", **rule: Any) -> None:
    simulator.ask("POST", "faults", {"id": "f1", "route": route, "kind": kind, "count": 1, **rule})


def fired(simulator: Simulator) -> int:
    (only,) = simulator.ask("GET", "faults")
    return int(only["fired"])


def logged(simulator: Simulator, shop: Shop, route: str = "PUT /orders") -> list[Any]:
    entries = simulator.ask("GET", f"log?route={route}")
    return [
        entry
        for entry in entries
        if entry["fault"] == "f1" and (entry["written"] is None or entry["written"]["number"] == "SO-1")
    ][-1:]


def put(shop: Shop) -> httpx.Response:
    return shop.http.put("orders", json=shop.an_order("SO-1"))


def exists(shop: Shop) -> bool:
    return bool(shop.listed("orders", orderNumber="SO-1"))


def test_an_error_of_choice_is_answered_and_nothing_is_written(shop: Shop, simulator: Simulator) -> None:
    fault(simulator, "http", params={"status": 503, "body": "<html>busy</html>", "headers": {"Retry-After": "7"}})
    response = put(shop)
    assert (response.status_code, response.text, response.headers["retry-after"]) == (503, "<html>busy</html>", "7")
    assert response.headers["content-type"] == "text/html"
    assert not exists(shop) and fired(simulator) == 1
    (entry,) = logged(simulator, shop)
    assert (entry["status"], entry["applied"], entry["fault"]) == (503, False, "f1")
    assert put(shop).status_code == 201


@pytest.mark.parametrize("retry_after", [None, 3])
def test_too_many_requests_with_and_without_a_time_to_come_back(
    shop: Shop, simulator: Simulator, retry_after: int | None
) -> None:
    fault(simulator, "rate-limited", params={"retryAfter": retry_after})
    response = put(shop)
    assert (response.status_code, response.headers.get("retry-after")) == (429, retry_after and str(retry_after))
    assert not exists(shop) and fired(simulator) == 1


def test_a_proxy_page_with_200_is_not_the_warehouse(shop: Shop, simulator: Simulator) -> None:
    fault(simulator, "html-200")
    response = put(shop)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not exists(shop) and fired(simulator) == 1


def test_an_empty_answer_and_a_null_id_hide_an_order_that_exists(shop: Shop, simulator: Simulator) -> None:
    fault(simulator, "null-id")
    assert put(shop).json()["orderId"] is None
    assert exists(shop) and fired(simulator) == 1
    fault(simulator, "empty-200")
    response = put(shop)
    assert (response.status_code, response.content) == (200, b"")
    assert fired(simulator) == 1


def test_a_truncated_answer_breaks_off_in_the_middle(shop: Shop, simulator: Simulator) -> None:
    fault(simulator, "truncated")
    with pytest.raises(httpx.RemoteProtocolError):
        put(shop)
    assert exists(shop) and fired(simulator) == 1


def test_a_slow_drip_brings_the_whole_answer_in_the_end(shop: Shop, simulator: Simulator) -> None:
    fault(simulator, "drip", params={"seconds": 0.3, "pieces": 10})
    start = time.monotonic()
    assert put(shop).json()["orderId"]
    assert time.monotonic() - start >= 0.3
    assert fired(simulator) == 1


def test_a_lost_answer_leaves_the_order_written(shop: Shop, simulator: Simulator) -> None:
    fault(simulator, "lost-answer")
    with pytest.raises(httpx.TransportError):
        put(shop)
    assert exists(shop) and fired(simulator) == 1
    (entry,) = logged(simulator, shop)
    assert (entry["applied"], entry["late"], entry["written"]["number"]) == (True, False, "SO-1")
    fault(simulator, "lost-answer-500")
    assert put(shop).json() == {"Message": "An error has occurred."}
    assert fired(simulator) == 1


def test_a_refused_connection_leaves_nothing(shop: Shop, simulator: Simulator) -> None:
    fault(simulator, "refuse-connection")
    with pytest.raises(httpx.TransportError):
        put(shop)
    assert not exists(shop) and fired(simulator) == 1


def test_a_late_request_is_written_after_the_client_has_given_up(shop: Shop, simulator: Simulator) -> None:
    fault(simulator, "late", params={"seconds": 0.3})
    with pytest.raises(httpx.TransportError):
        put(shop)
    assert not exists(shop) and fired(simulator) == 1
    eventually(lambda: exists(shop), "the late order arrives")
    (entry,) = logged(simulator, shop)
    assert (entry["applied"], entry["late"], entry["status"]) == (True, True, 201)
    assert entry["appliedAt"] > entry["at"]


def test_a_late_request_may_restore_an_old_version(shop: Shop, simulator: Simulator) -> None:
    order_id = shop.order_with(1, number="SO-1")
    fault(simulator, "late", params={"seconds": 0.2})
    with pytest.raises(httpx.TransportError):
        shop.http.put("orders", json=shop.an_order("SO-1", line(1, "SO-1/1", 1), orderRemark="old"))
    shop.call("PUT", "orders", shop.an_order("SO-1", line(1, "SO-1/1", 1), orderRemark="new"))
    eventually(lambda: shop.order(order_id)["orderInfo"]["orderRemark"] == "old", "the old version returns")


def test_a_stale_read_shows_the_order_before_its_last_change(shop: Shop, simulator: Simulator) -> None:
    order_id = shop.order_with(10)
    shop.pick(order_id, 8)
    shop.work(order_id, "undo-pick", {"lines": [{"rowNumber": "1", "numberOfItems": 2}]})
    fault(simulator, "stale-read", "GET /orders/{orderId}")
    assert shop.order(order_id)["orderLines"][0]["pickedNumberOfItems"] == 8
    assert shop.order(order_id)["orderLines"][0]["pickedNumberOfItems"] == 6
    assert fired(simulator) == 1


def test_a_stale_list_is_the_one_answered_before(shop: Shop, simulator: Simulator) -> None:
    shop.stocked("A", 5)
    assert shop.figures("A")["numberOfItems"] == 5
    shop.stocked("A", 4)
    fault(simulator, "stale-read", "GET /articles")
    assert shop.figures("A")["numberOfItems"] == 5
    assert shop.figures("A")["numberOfItems"] == 4


def test_a_slow_write_delays_the_other_writes_of_the_same_goods_owner_only(shop: Shop, simulator: Simulator) -> None:
    other = Shop(simulator)
    fault(simulator, "delay", params={"seconds": 0.4})
    slow = threading.Thread(target=put, args=(shop,))
    start = time.monotonic()
    slow.start()
    eventually(lambda: fired(simulator) == 1, "the slow write has begun")
    other.put_article("A")
    assert time.monotonic() - start < 0.4
    assert not exists(shop)
    shop.put_article("A")
    assert time.monotonic() - start >= 0.4
    slow.join()
    other.close()
    assert exists(shop)


def test_a_fault_waits_for_its_turn_and_ends_after_its_count(shop: Shop, simulator: Simulator) -> None:
    fault(simulator, "http", "PUT /articles", after=2, count=2, params={"status": 500})
    statuses = [shop.http.put("articles", json={"goodsOwnerId": shop.id, "articleNumber": "A"}).status_code for _ in range(6)]
    assert statuses == [200, 200, 500, 500, 200, 200]
    (only,) = simulator.ask("GET", "faults")
    assert (only["matched"], only["fired"]) == (6, 2)


def test_a_fault_with_a_probability_strikes_the_same_requests_for_the_same_seed(shop: Shop, simulator: Simulator) -> None:
    def pattern(seed: int) -> list[int]:
        fault(simulator, "http", "GET /warehouses", count=None, probability=0.5, seed=seed)
        return [shop.http.get("warehouses").status_code for _ in range(30)]

    first = pattern(1)
    assert first == pattern(1) != pattern(2)
    assert 5 < first.count(500) < 25


@pytest.mark.parametrize(
    "rule", [{"route": "PUT /orders", "kind": "earthquake"}, {"kind": "http"}, {"route": "*", "kind": "http", "probability": 2}]
)
def test_a_fault_that_makes_no_sense_is_refused(simulator: Simulator, rule: dict[str, Any]) -> None:
    simulator.ask("POST", "faults", rule, expect=400)
    assert simulator.ask("GET", "faults") == []


def test_calls_are_limited_per_method_in_a_sliding_window(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "clock", {"now": "2026-05-01T10:00:00Z", "frozen": True})
    limit = {"route": "GET /warehouses", "calls": 3, "windowSeconds": 60, "retryAfter": True}
    simulator.ask("PUT", "settings", {"volumeLimits": [limit]})
    assert [shop.http.get("warehouses").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert shop.http.get("warehouses").headers["retry-after"] == "60"
    assert shop.http.get("orders/statuses").status_code == 200
    simulator.ask("PUT", "clock", {"now": "2026-05-01T10:01:01Z", "frozen": True})
    assert shop.http.get("warehouses").status_code == 200


def test_failures_in_a_row_block_the_method_and_one_success_forgives_them(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "clock", {"now": "2026-05-01T10:00:00Z", "frozen": True})
    simulator.ask("PUT", "settings", {"failureLimits": [{"route": "PUT /orders", "failures": 3, "windowSeconds": 600}]})
    good, bad = shop.an_order("SO-1"), {"goodsOwnerId": shop.id}

    def statuses(*orders: Any) -> list[int]:
        return [shop.http.put("orders", json=order).status_code for order in orders]

    assert statuses(bad, bad, good, bad, bad, bad) == [400, 400, 201, 400, 400, 400]
    response = shop.http.put("orders", json=good)
    assert (response.status_code, "retry-after" in response.headers) == (429, False)
    assert shop.http.get("warehouses").status_code == 200
    simulator.ask("PUT", "clock", {"now": "2026-05-01T10:10:01Z", "frozen": True})
    assert statuses(good) == [200]


def test_the_clock_moves_everything_that_is_written(shop: Shop, simulator: Simulator) -> None:
    simulator.ask("PUT", "clock", {"now": "2030-01-02T03:04:05.060Z", "frozen": True})
    order = shop.order(shop.order_with(1))
    assert order["orderInfo"]["createdDate"] == "2030-01-02T03:04:05.06Z"
    simulator.ask("PUT", "clock", {"now": "2030-01-02T03:04:05Z", "frozen": True})
    assert shop.order(shop.order_with(1))["orderInfo"]["createdDate"] == "2030-01-02T03:04:05Z"
    simulator.ask("PUT", "clock", {"now": "2031-01-02T00:00:00Z"})
    first, second = (shop.order(shop.order_with(1))["orderInfo"]["createdDate"] for _ in range(2))
    assert "2031-01-02T00:00:00" < first <= second < "2031-01-02T00:01"


def test_the_log_can_be_read_on_from_where_it_was_left(shop: Shop, simulator: Simulator) -> None:
    last = simulator.ask("GET", "log")[-1]["n"] if simulator.ask("GET", "log") else 0
    shop.put_order(shop.an_order("SO-1"))
    shop.call("GET", "nothing", expect=404)
    created, missing = simulator.ask("GET", f"log?since={last}")
    assert (created["route"], created["written"]["kind"], created["applied"]) == ("PUT /orders", "order", True)
    assert (missing["route"], missing["status"], missing["applied"]) == (None, 404, False)
    assert [entry["n"] for entry in simulator.ask("GET", f"log?since={last}&route=PUT *")] == [created["n"]]


def test_decimals_never_pass_through_a_float(shop: Shop) -> None:
    price = "12345678901234567.89"
    body = f'{{"goodsOwnerId": {shop.id}, "articleNumber": "A", "customerPrice": {price}}}'
    shop.http.put("articles", content=body, headers={"Content-Type": "application/json"})
    assert shop.article("A")["customerPrice"] == Decimal(price)


@pytest.mark.parametrize(
    ("content", "kind", "status"), [("{", "application/json", 400), ("{}", "text/plain", 415), ("[]", "application/json", 400)]
)
def test_a_body_that_is_not_json_is_refused(shop: Shop, content: str, kind: str, status: int) -> None:
    assert shop.http.put("orders", content=content, headers={"Content-Type": kind}).status_code == status
