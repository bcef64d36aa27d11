"""Sales orders on their way to the warehouse and back."""

import contextlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from domain.corrections import Name
from domain.flows import PURCHASES
from domain.merchant import DEFAULT_STATUSES
from erp.merchants import save_connection
from tests.activities.test_purchases import ACCOUNT, floor, place, status
from tests.activities.world import connect
from tests.erp.data import Row, article, customer, insert, line
from tests.workflows.process import Processes, becomes
from tests.workflows.reasons.world import (
    Way,
    after,
    agreed,
    at_warehouse,
    completed,
    listed,
    mend_ongoing,
    order,
    outlast,
    retry,
    seen_to,
    set_in_force,
    spoil_ongoing,
)
from tests.workflows.situations import send
from tests.workflows.test_flows import turn
from tests.workflows.test_receive_purchase_order import watcher_looks
from workflows.patient import Correction

ADDRESS = {
    "delivery_name": "N",
    "delivery_address1": "G 1",
    "delivery_post_code": "11122",
    "delivery_city": "S",
    "delivery_country": "SE",
}


def begins(lines: Sequence[Row] = (), **columns: Any) -> Any:
    async def into(p: Processes) -> None:
        await p.begin(lines=lines, **columns)

    return into


def changes(**columns: Any) -> Any:
    async def out(p: Processes) -> None:
        await order(p, **columns)

    return out


def setting(**settings: Any) -> Any:
    async def out(p: Processes) -> None:
        await set_in_force(p, **settings)

    return out


def from_the_start(**settings: Any) -> Any:
    async def into(p: Processes) -> None:
        await agreed(p, **settings)

    return into


def new_article(number: str) -> Any:
    async def out(p: Processes) -> None:
        async with p.shop.erp.everyone() as session:
            await insert(session, "erp.article", article(p.shop.merchant, number))

    return out


def lines_are(changes: dict[int, Any], number: str = "SO-1") -> Any:
    async def out(p: Processes) -> None:
        await p.shop.change_lines(changes, number)

    return out


async def customer_without_address(p: Processes) -> None:
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.customer", {"merchant_id": p.shop.merchant, "customer_number": "TOM", "name": "Utan adress"})
    await p.begin(customer_number="TOM")


async def german_customer(p: Processes) -> None:
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.customer", customer(p.shop.merchant, "TYSK", country="DE", vat_number="DE123456789"))
    await p.begin(lines=[line("A", 3, 10)], customer_number="TYSK")


async def lines_are_taken_away(p: Processes) -> None:
    await p.begin(lines=[line("X")])
    await p.blocked_by("unknown-article")
    await p.shop.change_lines({1: None})


async def theirs(p: Processes, lines: dict[int, tuple[str, int]], mark: str | None = None) -> None:
    """An order of our number that somebody else has put into the warehouse."""
    body = {
        "goodsOwnerId": p.shop.goods_owner,
        "orderNumber": "SO-1",
        "goodsOwnerOrderId": mark,
        "deliveryDate": "2026-11-25T00:00:00",
        "consignee": {"name": "N", "address1": "G", "postCode": "1", "city": "S", "countryCode": "SE"},
        "orderLines": [
            {"rowNumber": str(row), "articleNumber": number, "numberOfItems": count} for row, (number, count) in lines.items()
        ],
    }
    answer = await p.shop.call_ongoing("PUT", "orders", {name: value for name, value in body.items() if value is not None})
    assert answer.status_code in (200, 201), answer.text


async def a_foreign_twin(p: Processes) -> None:
    await at_warehouse(p, "SO-0")
    await theirs(p, {1: ("A", 3), 2: ("B", 2)})
    await p.begin()


async def adopt_it(p: Processes) -> None:
    order_id = (await p.shop.warehouse_order())["orderInfo"]["orderId"]
    await send(p, Name.ADOPT, foreign_id=str(order_id))


async def an_unknown_transporter(p: Processes) -> None:
    ways = {"hem": {"code": "HEM", "transporter": "T"}, "paket": "PAKET"}
    await agreed(p, ways_of_delivery=ways, transporters={"T": {"code": "NOBODY"}})
    await p.begin(way_of_delivery="hem")


async def a_change_that_comes_too_late(p: Processes) -> None:
    await at_warehouse(p)
    await p.shop.floor("pick", lines={1: 1})
    await p.shop.change_lines({1: {"quantity": 1}})


async def the_warehouse_agrees(p: Processes) -> None:
    await p.shop.floor("undo-pick")
    await p.shop.change_lines({1: {"quantity": 2}})


async def a_line_that_stays(p: Processes) -> None:
    await at_warehouse(p)
    await p.shop.change_lines({2: None})


async def a_status_that_nobody_named(p: Processes) -> None:
    await agreed(p, statuses={number: meaning for number, meaning in DEFAULT_STATUSES.items() if meaning != "picked"})
    await at_warehouse(p)
    await p.shop.floor("pick")
    await p.look()


async def the_error_status(p: Processes) -> None:
    await at_warehouse(p)
    order_id = (await p.shop.warehouse_order())["orderInfo"]["orderId"]
    await p.shop.call_ongoing(
        "PATCH", f"orders/{order_id}/orderStatus", {"goodsOwnerId": p.shop.goods_owner, "orderStatusNumber": 150}
    )
    await p.look()


async def released_again(p: Processes) -> None:
    await p.shop.floor("release")
    await retry(p)


async def an_article_of_theirs_is_moved(p: Processes) -> None:
    await at_warehouse(p)
    await p.shop.call_ongoing(
        "PUT", "articles", {"goodsOwnerId": p.shop.goods_owner, "articleNumber": "Z", "articleName": "Theirs"}
    )
    await p.shop.stock(articles=["Z"])
    await theirs(p, {1: ("A", 3), 2: ("B", 2), 9: ("Z", 1)}, "lagerbro/SO-1/v1")
    await p.shop.pick_and_send()
    await p.look()


async def cancelled_too_late(p: Processes) -> None:
    await at_warehouse(p)
    await p.shop.pick_and_send()
    await p.shop.ask_to_cancel()


async def cancelled_and_picked(p: Processes) -> None:
    await at_warehouse(p)
    await p.shop.ask_to_cancel()
    assert await p.result() == "cancelled"
    await theirs(p, {1: ("A", 3), 2: ("B", 2)}, "lagerbro/SO-1/v1")
    await p.shop.floor("pick", lines={1: 2})
    await p.shop.look()


async def held(p: Processes) -> None:
    await at_warehouse(p)
    await send(p, Name.HOLD)


async def release(p: Processes) -> None:
    await send(p, Name.RELEASE)


async def picked_over(p: Processes) -> None:
    await at_warehouse(p)
    await p.shop.floor("pick", lines={1: 5, 2: 2}, over=True)
    await p.shop.floor("send")
    await p.look()
    await completed(p)


async def a_report_that_is_refused(p: Processes) -> None:
    await at_warehouse(p)
    await spoil_ongoing(p, "PATCH /orders/*", "http", status=400, body={"message": "Order is locked"})
    await p.shop.pick_and_send()
    await p.look()
    await listed(p, "report-refused")
    await mend_ongoing(p)


async def nobody_answers(p: Processes) -> None:
    await spoil_ongoing(p, "PUT /orders", "http", status=503)
    await p.begin()
    await outlast(p)


async def no_clear_answer(p: Processes) -> None:
    await at_warehouse(p)
    await spoil_ongoing(p, "GET /orders/*", "http", status=404, body={"message": "not found"})
    await p.shop.pick_and_send()
    await p.look()
    await outlast(p)


async def again_by_itself(p: Processes) -> None:
    """A remedy of nothing: what keeps trying goes on. The clock of the retries is real, so a person hurries it."""
    await mend_ongoing(p)
    await retry(p)


async def refused_for_a_reason_we_do_not_know(p: Processes) -> None:
    await at_warehouse(p)
    await spoil_ongoing(p, "GET /orders/*", "http", status=400, body={"message": "Something of our own"})
    await p.shop.pick_and_send()
    await p.look()


async def wrong_password(p: Processes) -> None:
    await connect(p.shop, ongoing_password="wrong")
    await agreed(p)
    await p.begin()
    await outlast(p)


async def right_password(p: Processes) -> None:
    await connect(p.shop)
    await p.relay.tend_flows()
    await retry(p)


async def a_connection_that_lacks_a_setting(p: Processes) -> None:
    async with p.shop.worker.database.merchant(p.shop.merchant) as session:
        login = p.shop.keys.seal(p.shop.merchant, "ongoing", json.dumps({"username": "user", "password": "x"}))
        await save_connection(session, p.shop.merchant, "ongoing", {"base_url": p.shop.ongoing.address}, login)
    await agreed(p)
    await p.begin()


async def the_connection_is_whole(p: Processes) -> None:
    await connect(p.shop)
    await retry_if_it_stands(p)
    articles = p.client.get_workflow_handle(f"articles/{p.shop.merchant}")
    with contextlib.suppress(RPCError, WorkflowUpdateFailedError):  # it tries again by itself in five minutes
        await articles.execute_update("retry_now", Correction("anna", "mended"))


async def retry_if_it_stands(p: Processes) -> None:
    """What was mended is often noticed before a person can say so."""
    with contextlib.suppress(WorkflowUpdateFailedError):
        await retry(p)


async def cancelled_at(p: Processes) -> None:
    await order(p, cancel_requested_at=datetime.now(UTC))


async def picked_below_zero(p: Processes) -> None:
    await agreed(p, goods_received_not_invoiced_account=ACCOUNT)
    await at_warehouse(p, lines=[line("A", 1005, 10)])
    await p.shop.pick_and_send()
    await p.look()


async def the_missing_receipt(p: Processes) -> None:
    await place(p.shop)
    await p.deliver()
    await becomes(lambda: status(p.shop), "at-warehouse")
    await floor(p.shop, "receive")
    await watcher_looks(p)


async def purchases_are_off(p: Processes) -> None:
    await turn(p.shop, PURCHASES, False)
    await place(p.shop)


async def purchases_are_on(p: Processes) -> None:
    await turn(p.shop, PURCHASES, True)
    await becomes(lambda: status(p.shop), "at-warehouse")


WAYS = {
    "unknown-article": Way(begins([line("A"), line("NEW")]), new_article("NEW")),
    "missing-address": Way(customer_without_address, changes(**ADDRESS)),
    "missing-exchange-rate": Way(begins(currency="EUR"), changes(exchange_rate=11.5)),
    "order-without-lines": Way(lines_are_taken_away, lines_are({1: line("A", 1, 10)})),
    "foreign-order-number": Way(a_foreign_twin, adopt_it),
    "order-refused": Way(an_unknown_transporter, changes(way_of_delivery="paket")),
    "change-refused": Way(a_change_that_comes_too_late, the_warehouse_agrees, blocking=False),
    "order-differs": Way(a_line_that_stays, lines_are({2: line("B", 2, "5.50")}), odd=True),
    "unknown-order-status": Way(a_status_that_nobody_named, setting()),
    "unknown-way-of-delivery": Way(
        after(from_the_start(ways_of_delivery={"paket": "PAKET"}), begins(way_of_delivery="hem")),
        setting(ways_of_delivery={"paket": "PAKET", "hem": "HEM"}),
    ),
    "unknown-order-type": Way(
        after(from_the_start(order_types={"normal": None}), begins(order_type="sample")),
        setting(order_types={"normal": None, "sample": "SAMPLE"}),
    ),
    "order-error-at-warehouse": Way(the_error_status, released_again),
    "article-not-in-erp": Way(an_article_of_theirs_is_moved, after(new_article("Z"), retry, completed)),
    "too-late-to-cancel": Way(cancelled_too_late, after(completed, seen_to("too-late-to-cancel")), blocking=False),
    "picked-after-cancel": Way(cancelled_and_picked, seen_to("picked-after-cancel"), blocking=False, odd=True),
    "held-by-a-person": Way(held, release),
    "over-delivery": Way(picked_over, seen_to("over-delivery"), blocking=False),
    "report-refused": Way(a_report_that_is_refused, seen_to("report-refused"), blocking=False),
    "no-answer": Way(nobody_answers, again_by_itself),
    "unclear-answer": Way(no_clear_answer, again_by_itself),
    "unexpected-refusal": Way(refused_for_a_reason_we_do_not_know, again_by_itself),
    "connection-blocked": Way(wrong_password, right_password),
    "settings-wrong": Way(a_connection_that_lacks_a_setting, the_connection_is_whole),
    "vat-does-not-fit-customer": Way(german_customer, lines_are({1: {"vat_rate": 0}})),
    "vat-rate-without-account": Way(begins([line("A", vat_rate=20)]), lines_are({1: {"vat_rate": 25}})),
    "purchases-off": Way(purchases_are_off, purchases_are_on),
    "stock-below-zero": Way(picked_below_zero, the_missing_receipt, blocking=False),
}
