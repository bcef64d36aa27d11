"""Webhooks: what is told, with which secret, and what happens when nobody listens."""

from typing import Any

from tests.simulators.ongoing.harness import Shop, Simulator, a_receiver, eventually, line


def subscribe(shop: Shop, url: str, kind: str = "order", **wish: Any) -> None:
    shop.simulator.ask("PUT", "webhooks", {"goodsOwnerId": shop.id, "type": kind, "url": url, "token": "T-1", **wish})


def calls(shop: Shop, simulator: Simulator) -> list[Any]:
    return [call for call in simulator.ask("GET", "webhook-calls") if call["number"].startswith(f"W{shop.id}")]


def test_an_order_tells_when_it_is_created_picked_and_changes_status(shop: Shop, simulator: Simulator) -> None:
    with a_receiver() as receiver:
        subscribe(shop, receiver.url, statuses=[450])
        order_id = shop.order_with(2, number=f"W{shop.id}")
        shop.work(order_id, "pick")
        shop.work(order_id, "send", {"waybill": "W1", "parcelNumber": "P1"})
        eventually(lambda: len(receiver.arrived) == 3, "three notes")
        headers, first = receiver.arrived[0]
        assert headers["X-Auth-Token"] == "T-1"
        assert (first["orderId"], first["orderNumber"], first["path"]) == (order_id, f"W{shop.id}", f"api/v1/orders/{order_id}")
        assert [note["orderStatus"] for note in receiver.events()] == [{"number": 300}, {"number": 400}, {"number": 450}]
        assert len({note["webhookEventId"] for note in receiver.events()}) == 3
        assert (first["system"], first["goodsOwnerId"], len(first["timestamp"])) == ("demo", shop.id, 27)
        assert receiver.events()[2]["tracking"] == [{"trackingUrl": None, "waybill": "W1", "isReturn": False}]


def test_picking_tells_each_line_and_what_was_done(shop: Shop) -> None:
    with a_receiver() as receiver:
        subscribe(shop, receiver.url, "picking")
        order_id = shop.order_with(2, 3, number=f"W{shop.id}")
        shop.pick(order_id, 2, 1)
        shop.work(order_id, "undo-pick", {"lines": [{"rowNumber": "1", "numberOfItems": 1}]})
        eventually(lambda: len(receiver.arrived) == 3, "three notes")
        told = [(note["isPicked"], note["isDeleted"], note["order"]["orderLine"]["rowNumber"]) for note in receiver.events()]
        assert told == [(True, False, "1"), (True, False, "2"), (False, True, "1")]
        assert [note["articleItem"]["numberOfItems"] for note in receiver.events()] == [2.0, 1.0, 1.0]


def test_an_unheard_note_is_sent_again_by_the_clock_for_a_day(shop: Shop, simulator: Simulator) -> None:
    with a_receiver() as receiver:
        receiver.answers = [500] * 100
        simulator.ask("PUT", "clock", {"now": "2026-05-01T00:00:00Z", "frozen": True})
        subscribe(shop, receiver.url, events=["created"])
        shop.put_order(shop.an_order(f"W{shop.id}"))
        due: list[str] = []
        while True:
            eventually(lambda: calls(shop, simulator)[0]["attempts"] == len(due) + 1, "the next attempt")
            (call,) = calls(shop, simulator)
            if call["state"] != "waiting":
                break
            due.append(call["dueAt"])
            simulator.ask("PUT", "clock", {"now": call["dueAt"], "frozen": True})
        assert due[:6] == [f"2026-05-01T{time}:00Z" for time in ("00:01", "00:06", "00:21", "00:51", "02:51", "04:51")]
        assert (len(due), due[-1]) == (15, "2026-05-01T22:51:00Z")
        assert call["state"] == "given-up"
        assert len({note["webhookEventId"] for note in receiver.events()}) == 1


def test_without_a_retry_policy_an_unheard_note_is_gone(shop: Shop, simulator: Simulator) -> None:
    subscribe(shop, "http://127.0.0.1:9/closed", retryPolicy="None", events=["created"])
    shop.put_order(shop.an_order(f"W{shop.id}"))
    eventually(lambda: calls(shop, simulator)[0]["state"] == "given-up", "the note is given up")


def test_a_disabled_webhook_tells_nothing(shop: Shop, simulator: Simulator) -> None:
    subscribe(shop, "http://127.0.0.1:9/closed", enabled=False)
    shop.put_order(shop.an_order(f"W{shop.id}"))
    assert calls(shop, simulator) == []


def test_notes_can_be_dropped_doubled_and_overtaken(shop: Shop, simulator: Simulator) -> None:
    for kind in ("drop", "duplicate", "reorder"):
        rule = {"id": kind, "route": "WEBHOOK order", "kind": kind, "count": 1, "params": {"seconds": 0.3}}
        simulator.ask("POST", "faults", rule)
    with a_receiver() as receiver:
        subscribe(shop, receiver.url, events=["created"])
        for at in range(4):
            shop.put_order(shop.an_order(f"W{shop.id}-{at}"))
        eventually(lambda: len(receiver.arrived) == 4, "four notes")
        assert [note["orderNumber"][-1] for note in receiver.events()] == ["1", "1", "3", "2"]
        assert [fault["fired"] for fault in simulator.ask("GET", "faults")] == [1, 1, 1]


def test_copies_of_notes_arrive_mixed_up_and_a_replay_sends_them_all_again(shop: Shop, simulator: Simulator) -> None:
    rule = {"route": "WEBHOOK order", "kind": "duplicate", "seed": "1", "params": {"copies": 3, "within": 0.5}}
    simulator.ask("POST", "faults", rule)
    with a_receiver() as receiver:
        subscribe(shop, receiver.url, events=["created"])
        for at in range(4):
            shop.put_order(shop.an_order(f"W{shop.id}-{at}"))
        eventually(lambda: len(receiver.arrived) == 12, "each of the four notes three times")
        order = [note["orderNumber"][-1] for note in receiver.events()]
        assert (sorted(order), order != sorted(order)) == (sorted("012301230123"), True)
        again = simulator.ask("POST", "webhooks/replay", {"goodsOwnerId": shop.id, "orderNumber": f"W{shop.id}-2"})
        assert again == {"again": 3}
        eventually(lambda: len(receiver.arrived) == 15, "the notes about one order, once more")
        ids = [note["webhookEventId"] for note in receiver.events() if note["orderNumber"] == f"W{shop.id}-2"]
        assert len(ids) == 6 and len(set(ids)) == 1, "the same event, word for word"


def test_a_note_can_be_fired_by_hand_and_survives_a_kill(shop: Shop, simulator: Simulator) -> None:
    subscribe(shop, "http://127.0.0.1:9/closed", events=["statusChanged"])
    shop.put_order(shop.an_order(f"W{shop.id}"))
    simulator.ask("POST", "webhooks/fire", {"goodsOwnerId": shop.id, "orderNumber": f"W{shop.id}"})
    eventually(lambda: calls(shop, simulator)[0]["attempts"] == 1, "the first attempt")
    simulator.kill()
    simulator.start()
    with a_receiver() as receiver:
        subscribe(shop, receiver.url)
        simulator.ask("PUT", "clock", {"offsetSeconds": 61})
        eventually(lambda: len(receiver.arrived) == 1, "the note arrives after the restart")


COMMON = {"webhookEventId", "system", "timestamp", "goodsOwnerId", "webhookTemplate"}


def test_a_purchase_order_tells_when_it_is_created_changes_status_and_is_received(shop: Shop) -> None:
    with a_receiver() as receiver:
        shop.put_article("P1")
        subscribe(shop, receiver.url, "purchaseOrder")
        purchase_id = shop.put_purchase(f"W{shop.id}", line(1, "P1", 5))
        shop.receive(purchase_id, {"lines": [{"rowNumber": "1", "numberOfItems": 2}]})
        shop.receive(purchase_id)
        eventually(lambda: len(receiver.arrived) >= 4, "the notes")
        notes = receiver.events()
        assert {(note["purchaseOrderId"], note["purchaseOrderNumber"]) for note in notes} == {(purchase_id, f"W{shop.id}")}
        fields = {"webhookPurchaseOrdersId", "purchaseOrderId", "purchaseOrderNumber", "path", "purchaseOrderStatus"}
        assert set(notes[0]) == COMMON | fields | {"goodsOwnerName", "purchaseOrderType"}
        assert [note["purchaseOrderStatus"]["number"] for note in notes] == [100, 300, 500, 500], "the last one: received"
        assert len({note["webhookEventId"] for note in notes}) == len(notes)


def test_each_receipt_tells_its_article_quantity_and_purchase_order(shop: Shop) -> None:
    with a_receiver() as receiver:
        article_id = shop.put_article("P1")
        subscribe(shop, receiver.url, "movement")
        purchase_id = shop.put_purchase(f"W{shop.id}", line(1, "P1", 5))
        shop.receive(purchase_id, {"lines": [{"rowNumber": "1", "numberOfItems": 2}]})
        eventually(lambda: len(receiver.arrived) == 1, "one note")
        [note] = receiver.events()
        fields = {"webhookMovesId", "isReceive", "isMove", "article", "movement", "articleItem", "byComputer", "byUser"}
        assert set(note) == COMMON | fields | {"purchaseOrder"}
        assert (note["isReceive"], note["isMove"], note["articleItem"]["numberOfItems"]) == (True, False, 2.0)
        assert note["article"] == {"articleSystemId": article_id, "articleNumber": "P1", "barCode": None}
        about = note["purchaseOrder"]
        assert (about["purchaseOrderId"], about["purchaseOrderLine"]["rowNumber"]) == (purchase_id, "1")


def test_a_stock_correction_tells_its_quantity_cause_and_inventory(shop: Shop, simulator: Simulator) -> None:
    with a_receiver() as receiver:
        shop.stocked("P1", 10)
        subscribe(shop, receiver.url, "inventory")
        wish = {"goodsOwnerId": shop.id, "articleNumber": "P1", "numberOfItems": "-2", "cause": {"code": "BROKEN", "name": "B"}}
        inventory_id = simulator.ask("POST", "adjust", wish)["inventoryId"]
        eventually(lambda: len(receiver.arrived) == 1, "one note")
        [note] = receiver.events()
        fields = {"webhookInventoryId", "goodsOwnerName", "transaction", "inventory", "article", "articleItem", "byComputer"}
        assert set(note) == COMMON | fields | {"byUser", "purchaseOrder", "location"}
        assert (note["inventory"]["inventoryId"], note["transaction"]["transactionNumberOfItems"]) == (inventory_id, -2.0)
        assert note["transaction"]["inventoryAdjustmentCause"]["code"] == "BROKEN"
