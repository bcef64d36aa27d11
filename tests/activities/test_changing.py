"""The ERP changes its mind: sent while the warehouse allows it, else said on the ERP's row, and the order follows the goods."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal as D
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from activities.errors import Waiting
from clients.errors import Unavailable
from tests.activities.test_watching import emptied, found
from tests.activities.world import ALIVE, HOW_OFTEN, Shop, again
from tests.erp.data import article, insert, line

NOTHING: dict[str, Any] = {"version": None, "part": None, "code": None, "cancel": None}
NEW_ADDRESS = {
    "delivery_name": "Ny Mottagare",
    "delivery_address1": "Nygatan 2",
    "delivery_post_code": "222 33",
    "delivery_city": "Nystad",
    "delivery_country": "SE",
}
BILLED = "select r.line_number, r.quantity, r.amount from erp.invoice_basis_row r where r.merchant_id = :m order by 1"
HELD = "select line_number, article_number, quantity from erp.held_line where merchant_id = :m and quantity > 0 order by 1"


def send(worker: Any) -> Any:
    return worker.ongoing.send_sales_order


@asynccontextmanager
async def warehouse_rules(shop: Shop, **switches: Any) -> AsyncIterator[None]:
    """A warehouse with other rules, while inside."""
    before = await shop.ongoing("GET", "settings")
    await shop.ongoing("PUT", "settings", switches)
    try:
        yield
    finally:
        await shop.ongoing("PUT", "settings", {name: before[name] for name in switches})


async def consignee(shop: Shop) -> str:
    return str((await shop.warehouse_order())["consignee"]["name"])


async def mark(shop: Shop) -> str:
    return str((await shop.warehouse_order())["orderInfo"]["goodsOwnerOrderId"])


async def status_there(shop: Shop) -> int:
    return int((await shop.warehouse_order())["orderInfo"]["orderStatus"]["number"])


async def ordered(shop: Shop) -> dict[str, float]:
    return {row["rowNumber"]: row["orderedNumberOfItems"] for row in (await shop.warehouse_order())["orderLines"]}


async def logged(shop: Shop, since: int = 0) -> list[dict[str, Any]]:
    """The warehouse's log of requests."""
    log = await shop.ongoing("GET", f"log?since={since}")
    return list(log["log"] if isinstance(log, dict) else log)


@asynccontextmanager
async def first_put_unheard(shop: Shop) -> AsyncIterator[None]:
    """The next order put gets no answer, and is still on its way: `arrives_late` delivers it when the test wants it to."""
    async with shop.ongoing.fault("PUT /orders", "refuse-connection"):
        yield


async def arrives_late(shop: Shop, lines: dict[int, tuple[str, int]] | None = None) -> None:
    """The first version of the order, as it was sent then, reaches the warehouse now."""
    body = {
        "goodsOwnerId": shop.goods_owner,
        "orderNumber": "SO-1",
        "goodsOwnerOrderId": "lagerbro/SO-1/v1",
        "deliveryDate": "2026-11-25T00:00:00",
        "consignee": {
            "name": "Testbolaget AB",
            "address1": "Provgatan 1",
            "postCode": "111 22",
            "city": "S",
            "countryCode": "SE",
        },
        "orderLines": [
            {"rowNumber": str(row), "articleNumber": article_number, "numberOfItems": quantity}
            for row, (article_number, quantity) in (lines or {1: ("A", 3), 2: ("B", 2)}).items()
        ],
    }
    assert (await shop.call_ongoing("PUT", "orders", body)).status_code in (200, 201)


# --- changes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_change_that_comes_too_late_is_said_on_the_erps_row_and_the_order_ends_as_picked(shop: Shop, often: Any) -> None:
    key = await shop.sent(lines=[line("A", 3, 10), line("B", 2, "5.50")])
    await shop.floor("pick", lines={1: 1})
    await shop.change_lines({1: {"quantity": 1}, 2: None, 3: line("C", 4, 7)})
    await shop.change(**NEW_ADDRESS)
    await often(shop.workers, send, key)
    assert await shop.answers() == {"version": 5, "part": "address and lines", "code": "order-refused", "cancel": None}
    [(why,)] = await shop.read("select refused_text from erp.sales_order where merchant_id = :m")
    assert "started working on it" in why
    assert ("change-refused", False) in await shop.exceptions()
    assert (await ordered(shop), await consignee(shop)) == ({"1": 3, "2": 2}, "Testbolaget AB")
    await shop.pick_and_send()
    state = await shop.ended(await shop.look_until_calm())
    assert state.outcome == "completed"
    assert await shop.read(BILLED) == [(1, D(3), D(30)), (2, D(2), D(11))], "the dropped line too, at the price it was sold at"
    assert [code for code, _ in await shop.exceptions()] == ["change-refused"], "nothing was over-delivered"


async def test_a_raised_quantity_that_was_refused_is_not_waited_for(shop: Shop) -> None:
    await shop.settings(short_grace_seconds=3600)
    await shop.sent(lines=[line("A", 3, 10)])
    await shop.floor("pick")
    await shop.change_lines({1: {"quantity": 5}})
    await shop.send()
    assert await shop.answers() == {"version": 2, "part": "lines", "code": "order-refused", "cancel": None}
    assert await shop.read(HELD) == [(1, "A", D(3))]
    await shop.floor("send")
    assert (await shop.ended(await shop.look_until_calm())).outcome == "completed"
    assert await shop.read(BILLED) == [(1, D(3), D(30))]


async def test_a_look_before_the_change_was_sent_is_true_to_the_warehouse_too(shop: Shop) -> None:
    await shop.sent(lines=[line("A", 3, 10)])
    await shop.pick_and_send()
    await shop.change_lines({1: {"quantity": 1}})
    await shop.look_until_calm()
    await shop.send()
    assert await shop.answers() == {"version": 2, "part": "lines", "code": "order-refused", "cancel": None}
    assert await shop.read(BILLED) == [(1, D(3), D(30))]


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_new_address_is_taken_where_only_the_lines_are_refused(shop: Shop, often: Any) -> None:
    async with warehouse_rules(shop, editLockStatus=450, editLockOnQuantities=False):
        key = await shop.sent()
        await shop.floor("pick", lines={1: 1})
        await shop.change_lines({1: None})
        await shop.change(**NEW_ADDRESS)
        await often(shop.workers, send, key)
        assert await shop.answers() == {"version": 3, "part": "lines", "code": "order-refused", "cancel": None}
        assert (await consignee(shop), await ordered(shop)) == ("Ny Mottagare", {"1": 3, "2": 2})
        assert await mark(shop) == "lagerbro/SO-1/v3/address"
        await shop.pick_and_send()
        assert (await shop.ended(await shop.look_until_calm())).outcome == "completed"


async def test_new_lines_are_taken_where_only_the_address_is_refused(shop: Shop) -> None:
    await shop.sent()
    await shop.change_lines({1: {"quantity": 7}})
    await shop.change(**NEW_ADDRESS)
    async with shop.ongoing.fault("PUT /orders", "http", count=2, status=400, body={"message": "No such town"}):
        await shop.send()
    assert await shop.answers() == {"version": 3, "part": "address", "code": "order-refused", "cancel": None}
    assert (await consignee(shop), await ordered(shop)) == ("Testbolaget AB", {"1": 7, "2": 2})
    assert await shop.read(HELD) == [(1, "A", D(7)), (2, "B", D(2))]


async def test_a_later_version_that_is_taken_wipes_the_refusal_out(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick", lines={1: 1})
    await shop.change(**NEW_ADDRESS)
    await shop.send()
    assert (await shop.answers())["part"] == "address"
    await shop.floor("undo-pick")
    await shop.change(delivery_name="Tredje Mottagare")
    await shop.send()
    assert (await shop.answers(), await shop.exceptions()) == (NOTHING, [])
    assert await consignee(shop) == "Tredje Mottagare"


async def test_a_new_price_needs_no_leave_of_the_warehouse(shop: Shop) -> None:
    await shop.sent(lines=[line("A", 3, 10)])
    await shop.floor("pick")
    since = max(entry["n"] for entry in await logged(shop))
    await shop.change_lines({1: {"unit_price": 20}})
    await shop.send()
    assert await shop.answers() == NOTHING
    assert [entry["method"] for entry in await logged(shop, since) if entry["method"] != "GET"] == [], "it is not even asked"
    await shop.floor("send")
    await shop.look_until_calm()
    assert await shop.read(BILLED) == [(1, D(3), D(60))]


async def test_a_change_that_cannot_be_sent_does_not_make_the_order_deaf(shop: Shop) -> None:
    await shop.sent(lines=[line("A", 3, 10)])
    await shop.change_lines({2: line("NEW", 1, 1)})
    assert (await shop.send()).outcome is None
    assert await shop.answers() == {"version": 2, "part": "address and lines", "code": "unknown-article", "cancel": None}
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "NEW"))
    await shop.send()
    assert await shop.answers() == NOTHING
    assert await ordered(shop) == {"1": 3, "2": 1}


async def test_a_cancelled_document_is_never_put_again(shop: Shop) -> None:
    async with warehouse_rules(shop, putOnCancelled="revive"):
        await shop.sent()
        await shop.floor("cancel")
        await shop.change(**NEW_ADDRESS)
        await shop.send()
        assert (await shop.answers())["part"] == "address"
        assert await status_there(shop) == 1000
        assert (await shop.look()).outcome == "cancelled"


async def test_only_we_write_what_we_answer_the_erp(shop: Shop) -> None:
    await shop.sent()
    await shop.change(refused_version=9, refused_text="mine", cancel_answer="stopped")
    assert await shop.answers() == NOTHING
    with pytest.raises(DBAPIError, match="permission denied"):
        async with shop.erp.everyone() as session:
            await session.execute(text("update erp.held_line set quantity = 1"))


# --- requests that come late ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_the_newest_version_wins_even_if_an_older_request_arrives_later(shop: Shop, often: Any) -> None:
    key = await shop.order(lines=[line("A", 3, 10)])
    async with first_put_unheard(shop):
        await shop.send()
    await shop.change_lines({1: {"quantity": 5}})
    await shop.send()
    assert await ordered(shop) == {"1": 5}
    await arrives_late(shop, {1: ("A", 3)})
    assert (await ordered(shop), await mark(shop)) == ({"1": 3}, "lagerbro/SO-1/v1")
    assert await found(shop) == [("poll", "SO-1")], "the watcher sees it even if nobody were to look"
    await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, key)
    assert (await ordered(shop), await mark(shop)) == ({"1": 5}, "lagerbro/SO-1/v2")
    await shop.stock(articles=["A"])
    await shop.pick_and_send()
    assert (await shop.ended(await shop.look_until_calm())).outcome == "completed"
    assert await shop.read(BILLED) == [(1, D(5), D(50))]


async def test_what_was_sent_is_read_back_when_no_former_request_can_be_alive(shop: Shop) -> None:
    await shop.order(lines=[line("A", 3, 10)])
    async with first_put_unheard(shop):
        state = await shop.send()
    assert state.look_after is not None
    assert 0 < state.look_after <= ALIVE.total_seconds() + 0.1
    assert (await shop.look_until_calm()).look_after is None
    await shop.order("SO-2")
    assert (await shop.send("SO-2")).look_after is None, "a request that was answered needs no second look"


async def test_an_older_version_that_the_warehouse_has_begun_on_is_the_order(shop: Shop) -> None:
    await shop.order(lines=[line("A", 3, 10), line("B", 1, 1)])
    async with first_put_unheard(shop):
        await shop.send()
    await shop.change_lines({1: {"quantity": 5}, 2: None})
    await shop.send()
    assert await ordered(shop) == {"1": 5}
    await arrives_late(shop, {1: ("A", 3), 2: ("B", 1)})
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    state = await shop.ended(await shop.look_until_calm())
    assert state.outcome == "completed"
    assert (await shop.answers())["part"] == "lines"
    assert await shop.read(BILLED) == [(1, D(3), D(30)), (2, D(1), D(1))]


async def test_a_cancelled_order_that_a_late_request_revives_is_cancelled_again_before_it_ends(shop: Shop) -> None:
    async with warehouse_rules(shop, putOnCancelled="revive"):
        await shop.order()
        async with first_put_unheard(shop):
            await shop.send()
        await shop.ask_to_cancel()
        state = await again(shop.worker.ongoing.cancel_sales_order, shop.key())
        assert (state.outcome, await status_there(shop)) == (None, 1000), "not confirmed while a request may be alive"
        assert (await shop.answers())["cancel"] is None
        await arrives_late(shop)
        assert await status_there(shop) == 300, "the late request has revived it"
        assert (await shop.look_until_calm()).outcome == "cancelled"
        assert (await status_there(shop), (await shop.answers())["cancel"]) == (1000, "stopped")


async def test_a_cancelled_order_that_is_revived_after_its_end_is_found_and_cancelled_again(shop: Shop) -> None:
    async with warehouse_rules(shop, putOnCancelled="revive"):
        await shop.sent()
        await shop.ask_to_cancel()
        assert (await shop.look_until_calm()).outcome == "cancelled"
        await arrives_late(shop)
        assert (await shop.status(), await status_there(shop)) == ("cancelled", 300)
        assert await found(shop) == [("poll", "SO-1")]
        await emptied(shop)
        await again(shop.worker.watch.sweep, shop.merchant)
        assert await shop.read("select source from bridge.inbox where merchant_id = :m and applied_at is null") == [("sweep",)]
        assert (await shop.look_until_calm()).outcome == "cancelled"
        assert (await shop.status(), await status_there(shop)) == ("cancelled", 1000)


async def test_an_order_picked_after_it_was_cancelled_and_revived_is_booked_and_flagged(shop: Shop) -> None:
    async with warehouse_rules(shop, putOnCancelled="revive"):
        await shop.sent()
        await shop.ask_to_cancel()
        assert (await shop.look_until_calm()).outcome == "cancelled"
        await arrives_late(shop)
        await shop.floor("pick", lines={1: 2})
        await shop.look()
        assert ("picked-after-cancel", False) in await shop.exceptions()
        assert (await shop.answers())["cancel"] == "too-late", "it was stopped, and is not any more"
        assert await shop.status() == "picking"
        assert await shop.read("select sum(quantity) from erp.stock_entry where merchant_id = :m and kind = 'pick'") == [(D(-2),)]


async def test_an_order_is_not_cancelled_unsent_while_a_request_for_it_may_still_arrive(shop: Shop) -> None:
    key = await shop.order()
    async with first_put_unheard(shop):
        with pytest.raises(Unavailable):
            await shop_once(shop.worker.ongoing.send_sales_order, key)
    await shop.ask_to_cancel()
    with pytest.raises(Waiting, match="may still arrive"):
        await shop_once(shop.worker.ongoing.send_sales_order, key)
    assert await shop.status() == "released"
    await arrives_late(shop)
    state = await shop.ended(await shop.send())
    assert (state.outcome, await shop.status(), await status_there(shop)) == ("cancelled", "cancelled", 1000)


async def test_an_order_that_arrives_long_after_it_was_cancelled_unsent_is_found_and_cancelled(shop: Shop) -> None:
    await shop.sent("SO-0")  # the warehouse knows the articles
    key = await shop.order()
    async with first_put_unheard(shop):
        with pytest.raises(Unavailable):
            await shop_once(shop.worker.ongoing.send_sales_order, key)
    await shop.ask_to_cancel()
    assert (await shop.send()).outcome == "cancelled"
    assert (await shop.answers())["cancel"] == "stopped"
    await arrives_late(shop)
    assert ("poll", "SO-1") in await found(shop)
    assert (await shop.look_until_calm()).outcome == "cancelled"
    assert await status_there(shop) == 1000


async def shop_once(does: Any, key: Any) -> Any:
    from temporalio.testing import ActivityEnvironment

    return await ActivityEnvironment().run(does, key)


# --- cancelling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_look_alone_stops_what_the_erp_has_cancelled(shop: Shop, often: Any) -> None:
    key = await shop.sent()
    await shop.ask_to_cancel()
    await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, key)
    assert (await status_there(shop), (await shop.answers())["cancel"]) == (1000, "stopped")


async def test_too_late_is_answered_once_and_the_order_goes_on(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick", lines={1: 1})
    await shop.ask_to_cancel()
    await shop.look_until_calm()
    assert (await shop.answers())["cancel"] == "too-late"
    await shop.floor("undo-pick")
    await shop.look_until_calm()
    assert await status_there(shop) == 300, "what was answered stays: it is not stopped behind the ERP's back"
    await shop.change(cancel_requested_at=None)
    await shop.ask_to_cancel()
    assert (await shop.answers())["cancel"] is None
    assert (await shop.look_until_calm()).outcome == "cancelled"
    assert (await shop.answers())["cancel"] == "stopped"


async def test_a_wish_to_cancel_that_meets_a_sent_order_is_answered(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    await shop.ask_to_cancel()
    state = await shop.ended(await shop.look_until_calm())
    assert (state.outcome, (await shop.answers())["cancel"]) == ("completed", "too-late")


# --- services ---------------------------------------------------------------------------------------------------------


async def test_a_service_that_comes_after_the_first_shipment_is_billed_once(shop: Shop) -> None:
    await shop.settings(ship_when="picked")
    await shop.sent(lines=[line("A", 3, 10), line("FRAKTSERVICE", 1, 100)])
    await shop.floor("pick", lines={1: 1})
    await shop.look_until_calm()
    await shop.change_lines({3: line("FRAKTSERVICE", 2, 40)})
    await shop.send()
    assert await shop.answers() == NOTHING, "the warehouse is not asked about services"
    await shop.look()
    assert await shop.read(BILLED) == [(1, D(1), D(10)), (2, D(1), D(100)), (3, D(2), D(80))], "it waits for no more goods"
    await shop.floor("pick")
    await shop.look_until_calm()
    assert await shop.read(BILLED) == [(1, D(1), D(10)), (1, D(2), D(20)), (2, D(1), D(100)), (3, D(2), D(80))]
