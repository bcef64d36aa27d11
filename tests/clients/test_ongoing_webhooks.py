"""What a webhook says is read by its documented shape, and nothing else is taken for one."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.ongoing_webhooks import NotAWebhook, Webhook, read_webhook
from tests.webhook_bodies import inventory, movement, order, picking, purchase_order


def said(body: Any) -> Webhook:
    return read_webhook(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (order(), Webhook("webhookOrdersId/12/4550101/90211", "order", 90211)),
        (picking(), Webhook("webhookPickingId/13/4550101/90211", "order", 90211)),
        (purchase_order(), Webhook("webhookPurchaseOrdersId/14/4550101/3301", "purchase order", 3301)),
        (movement(), Webhook("webhookMovesId/15/4550101/3301", "purchase order", 3301)),
        (movement(purchaseOrder=None), Webhook("webhookMovesId/15/4550101/501", "article", 501)),
        (inventory(), Webhook("webhookInventoryId/16/4550101/8801", "inventory", 8801)),
        (order(aFieldOfNextYear={"deep": [1]}), Webhook("webhookOrdersId/12/4550101/90211", "order", 90211)),
    ],
)
def test_every_documented_type_says_what_it_is_about(body: Any, expected: Webhook) -> None:
    assert said(body) == expected


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {field: value for field, value in body.items() if field != name}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (order(orderId="90211"), "orderId: Input should be a valid integer"),
        (order(orderId=True), "orderId: Input should be a valid integer"),
        (order(orderId=1.0), "orderId: Input should be a valid integer"),
        (order(orderId=0), "orderId: Input should be greater than 0"),
        (order(orderId=2**63), "orderId: Input should be less than 9223372036854775808"),
        (order(orderStatus=450), "orderStatus: "),
        (order(webhookOrdersId=None), "webhookOrdersId is not an id"),
        (without(order(), "webhookEventId"), "webhookEventId: Field required"),
        (without(order(), "goodsOwnerId"), "goodsOwnerId: Field required"),
        (picking(isPicked="true"), "isPicked: Input should be a valid boolean"),
        (picking(order=None), "order: "),
        (movement(purchaseOrder={}), "purchaseOrder.purchaseOrderId: Field required"),
        (order() | picking(), "the body names 2 webhook types"),
        (without(order(), "webhookOrdersId"), "the body names 0 webhook types"),
        ({"webhookPickOrderId": 1}, "a webhook with webhookPickOrderId is of no use here: switch it off"),
        ([order()], "the body is not a JSON object"),
        (None, "the body is not a JSON object"),
    ],
)
def test_what_departs_from_the_documents_is_refused_with_its_name_and_without_its_content(body: Any, why: str) -> None:
    with pytest.raises(NotAWebhook) as refused:
        said(body)
    assert str(refused.value).startswith(why)
    assert "SO-10045" not in str(refused.value)


HOSTILE = [b"", b"{", b"[" * 60_000, b'{"a":' * 10_000, b"\xff\xfe", b'{"webhookOrdersId": 1e999}', b'{"webhookOrdersId": NaN}']
HOSTILE += [b'{"webhookOrdersId": ' + b"9" * 50_000 + b"}", b'{"webhookOrdersId": 1, "orderNumber": "\\ud800"}', b"\x00" * 100]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_body_is_refused_and_nothing_worse(body: bytes) -> None:
    with pytest.raises(NotAWebhook):
        read_webhook(body)


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just([1]) | st.just({"number": None})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(order() | picking())), ANY, max_size=4))
def test_whatever_a_field_holds_the_answer_is_a_webhook_or_a_refusal(changes: dict[str, Any]) -> None:
    try:
        webhook = said(order(**changes))
    except NotAWebhook:
        return
    assert 0 < webhook.object_id < 2**63 and webhook.event.isascii()
