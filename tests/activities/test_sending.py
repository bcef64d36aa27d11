"""Sending an order: the warehouse holds it once, as the ERP has it, whatever happens to the answers."""

from typing import Any

import pytest

from activities.errors import Waiting
from domain.errors import Refused
from domain.keys import OrderState
from tests.activities.world import HOW_OFTEN, Shop, again
from tests.erp.data import article, customer, insert, line, set_order


async def held(shop: Shop) -> list[dict[str, Any]]:
    """Every order of ours in the warehouse."""
    answer = await shop.call_ongoing("GET", f"orders?goodsOwnerId={shop.goods_owner}")
    return list(answer.json())


def rows_of(order: dict[str, Any]) -> list[tuple[str, str, float]]:
    return [(row["rowNumber"], row["article"]["articleNumber"], row["orderedNumberOfItems"]) for row in order["orderLines"]]


async def nothing_was_sent(shop: Shop) -> bool:
    return await held(shop) == [] and await shop.read("select 1 from bridge.watched where merchant_id = :m") == []


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_an_order_is_held_once_however_often_it_is_sent(shop: Shop, often: Any) -> None:
    key = await shop.order()
    state = await often(shop.workers, lambda worker: worker.ongoing.send_sales_order, key)
    assert (state.stage, state.to_invoice, state.outcome) == ("at-warehouse", [], None)
    [order] = await held(shop)
    assert rows_of(order) == [("1", "A", 3.0), ("2", "B", 2.0)]
    order_id = order["orderInfo"]["orderId"]
    assert order["orderInfo"]["goodsOwnerOrderId"] == "lagerbro/SO-1/v1"
    assert await shop.read("select doc_id, document from bridge.watched where merchant_id = :m") == [(order_id, "SO-1")]
    links = """
        select kind, our_key, sent_version, confirmed from bridge.link where merchant_id = :m and system = 'ongoing' order by 1, 2
    """
    assert await shop.read(links) == [
        ("article", "A", 1, True),
        ("article", "B", 1, True),
        ("sales-order", "SO-1", 1, True),
    ]
    moves = "select from_status, to_status from bridge.status_move where merchant_id = :m"
    assert await shop.read(moves) == [("released", "at-warehouse")]


async def test_a_repeat_writes_nothing_to_the_warehouse(shop: Shop) -> None:
    await shop.order()
    await shop.send()
    log = await shop.ongoing("GET", "log")
    entries = log["log"] if isinstance(log, dict) else log
    since = max(entry["n"] for entry in entries)
    await shop.send()
    later = await shop.ongoing("GET", f"log?since={since}")
    assert [e for e in (later["log"] if isinstance(later, dict) else later) if e["method"] in ("PUT", "POST", "PATCH")] == []


async def test_a_changed_order_is_sent_again_and_replaces_the_old(shop: Shop) -> None:
    await shop.order()
    await shop.send()
    async with shop.erp.everyone() as session:
        await insert(
            session,
            "erp.sales_order_line",
            {"merchant_id": shop.merchant, "order_number": "SO-1", "line_number": 3} | line("C", 4, 1),
        )
    await shop.send()
    [order] = await held(shop)
    assert rows_of(order) == [("1", "A", 3.0), ("2", "B", 2.0), ("3", "C", 4.0)]
    assert order["orderInfo"]["goodsOwnerOrderId"] == "lagerbro/SO-1/v2"


async def test_a_changed_article_is_sent_again_with_the_next_order(shop: Shop) -> None:
    from sqlalchemy import text

    await shop.order()
    await shop.send()
    async with shop.erp.everyone() as session:
        change = text("update erp.article set name = 'Nytt namn' where merchant_id = :m and article_number = 'A'")
        await session.execute(change, {"m": shop.merchant})
    await shop.order("SO-2")
    await shop.send("SO-2")
    answer = await shop.call_ongoing("GET", f"articles?goodsOwnerId={shop.goods_owner}&articleNumbers=A")
    assert [a["articleName"] for a in answer.json()] == ["Nytt namn"]


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("lost-answer", {}),
    ("lost-answer-500", {}),
    ("refuse-connection", {}),
    ("http", {"status": 503}),
    ("http", {"status": 500}),
    ("rate-limited", {"retryAfter": 0}),
    ("rate-limited", {}),
    ("html-200", {}),
    ("html-200", {"applied": True}),
    ("empty-200", {}),
    ("http", {"status": 502, "applied": True}),
    ("truncated", {}),
    ("null-id", {}),
    ("late", {"seconds": 0.2}),
]


@pytest.mark.parametrize(("kind", "params"), FAULTS, ids=[f"{kind} {params or ''}" for kind, params in FAULTS])
@pytest.mark.parametrize("route", ["PUT /articles", "PUT /orders"])
async def test_no_fault_of_the_warehouse_leaves_two_orders_or_none(
    shop: Shop, route: str, kind: str, params: dict[str, Any]
) -> None:
    await shop.order()
    async with shop.ongoing.fault(route, kind, **params):
        assert (await shop.send()).stage == "at-warehouse"
    [order] = await held(shop)
    assert rows_of(order) == [("1", "A", 3.0), ("2", "B", 2.0)]


async def test_an_order_that_cannot_be_billed_or_delivered_is_never_sent(shop: Shop) -> None:
    async with shop.erp.everyone() as session:
        await insert(session, "erp.customer", customer(shop.merchant, "TYSK", country="DE", vat_number="DE123456789"))
        await insert(session, "erp.customer", customer(shop.merchant, "US", country="US"))
        await insert(session, "erp.customer", {"merchant_id": shop.merchant, "customer_number": "TOM", "name": "Utan adress"})
    cases: list[tuple[str, str, dict[str, Any], list[dict[str, Any]]]] = [
        ("unknown-article", "line 2: article X is not in erp.article", {}, [line("A"), line("X")]),
        ("missing-address", "delivery address lacks address1, post_code, city", {"customer_number": "TOM"}, []),
        ("missing-address", "delivery address lacks post_code", {"delivery_name": "N", "delivery_address1": "G 1",
                                                                 "delivery_city": "S", "delivery_country": "SE"}, []),
        ("vat-does-not-fit-customer", "(A) has 25 % VAT, but the customer is EUREVERSEDVAT", {"customer_number": "TYSK"}, []),
        ("vat-does-not-fit-customer", "line 1 (A) has 25 % VAT, but the customer is EXPORT", {"customer_number": "US"}, []),
        ("vat-rate-without-account", "line 1 (A): no account for 20 % VAT", {}, [line("A", vat_rate=20)]),
        ("missing-exchange-rate", "is in EUR and has no exchange_rate", {"currency": "EUR"}, []),
    ]  # fmt: skip
    for number, (code, words, columns, lines) in enumerate(cases, start=1):
        key = await shop.order(f"BAD-{number}", lines, **columns)
        with pytest.raises(Refused) as refused:
            await again(shop.worker.ongoing.send_sales_order, key)
        assert (refused.value.code, words in str(refused.value)) == (code, True), str(refused.value)
    assert await nothing_was_sent(shop)
    assert (await shop.read("select distinct status from erp.sales_order where merchant_id = :m")) == [("released",)]


async def test_an_order_goes_on_once_its_article_is_in_the_erp(shop: Shop) -> None:
    key = await shop.order(lines=[line("A"), line("NEW")])
    with pytest.raises(Refused, match="article NEW"):
        await again(shop.worker.ongoing.send_sales_order, key)
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "NEW"))
    assert await shop.send() == OrderState("at-warehouse")


async def test_an_order_with_a_foreign_twin_in_the_warehouse_is_refused_and_the_twin_left_alone(shop: Shop) -> None:
    await shop.order("OTHER")
    await shop.send("OTHER")
    body = {
        "goodsOwnerId": shop.goods_owner,
        "orderNumber": "SO-1",
        "deliveryDate": "2026-11-25T00:00:00",
        "consignee": {"name": "N", "address1": "G", "postCode": "1", "city": "S", "countryCode": "SE"},
        "orderLines": [{"rowNumber": "1", "articleNumber": "A", "numberOfItems": 99}],
    }
    assert (await shop.call_ongoing("PUT", "orders", body)).status_code in (200, 201)
    key = await shop.order("SO-1")
    with pytest.raises(Refused) as refused:
        await again(shop.worker.ongoing.send_sales_order, key)
    assert refused.value.code == "foreign-order-number"
    twin = next(order for order in await held(shop) if order["orderInfo"]["orderNumber"] == "SO-1")
    assert rows_of(twin) == [("1", "A", 99.0)]


async def test_an_article_that_the_warehouse_refuses_is_named(shop: Shop) -> None:
    key = await shop.order()
    async with shop.ongoing.fault("PUT /articles", "http", status=400, body={"message": "Article group is not allowed"}):
        with pytest.raises(Refused, match="article A") as refused:
            await again(shop.worker.ongoing.send_sales_order, key)
    assert refused.value.code == "article-refused"
    assert await nothing_was_sent(shop)
    assert await shop.send() == OrderState("at-warehouse")


async def test_an_order_that_the_warehouse_refuses_is_tried_once_more_only_while_its_articles_are_new(shop: Shop) -> None:
    await shop.order("SO-1")
    key = shop.key("SO-1")
    async with shop.ongoing.fault("PUT /orders", "http", count=2, status=400, body={"message": "Unknown way of delivery"}):
        with pytest.raises(Waiting):
            await shop_send_once(shop, key)
        with pytest.raises(Refused, match="Unknown way of delivery") as refused:
            await shop_send_once(shop, key)
    assert refused.value.code == "order-refused"


async def shop_send_once(shop: Shop, key: Any) -> OrderState:
    from temporalio.testing import ActivityEnvironment

    state: OrderState = await ActivityEnvironment().run(shop.worker.ongoing.send_sales_order, key)
    return state


async def test_an_order_cancelled_before_it_was_sent_never_reaches_the_warehouse(shop: Shop) -> None:
    from datetime import UTC, datetime

    await shop.order()
    await set_order(shop.erp, shop.merchant, "SO-1", cancel_requested_at=datetime.now(UTC))
    assert await shop.send() == OrderState("cancelled", outcome="cancelled")
    assert await nothing_was_sent(shop)
    assert await shop.status() == "cancelled"
    assert await shop.read("select outcome from bridge.process where merchant_id = :m") == [("cancelled",)]


async def test_an_order_of_a_thousand_lines_is_sent_whole(shop: Shop) -> None:
    await shop.order(lines=[line("ABC"[number % 3], 1 + number % 4) for number in range(1000)])
    assert await shop.send() == OrderState("at-warehouse")
    [order] = await held(shop)
    assert len(order["orderLines"]) == 1000


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_an_order_of_services_only_never_meets_the_warehouse_and_is_billed_once(shop: Shop, often: Any) -> None:
    key = await shop.order(lines=[line("FRAKTSERVICE", 2, 100)])
    state = await often(shop.workers, lambda worker: worker.ongoing.send_sales_order, key)
    assert (state.stage, len(state.to_invoice), state.outcome) == ("invoicing", 1, None)
    assert await nothing_was_sent(shop)
    assert await shop.read("select amount, kind from erp.invoice_basis where merchant_id = :m") == [(200, "invoice")]
    assert await shop.read("select reason from erp.shipment where merchant_id = :m") == [("at-once",)]
