# ruff: noqa: F811  pytest hands fixtures over by name
"""Comparing with the other systems: a warehouse and a Fortnox that agree, that differ, that do not answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.keys import OrderKey
from erp.migrate import engine_for
from starters import verify as checker
from starters.verify.report import Report, Result, Verdict
from tests.activities.conftest import erp, fortnox, http, ongoing, shop, verify, workers  # noqa: F401  fixtures
from tests.activities.returning import announced, begin, goes_on, receive
from tests.activities.test_purchases import calm, expected, floor
from tests.activities.world import Shop, again
from tests.conftest import TestDatabase


async def compared(shop: Shop) -> Report:
    warehouse, accounting = shop.worker.connections[:2]
    online = checker.Online(shop.worker.database, warehouse, accounting)
    return await checker.verify(shop.verify, merchant=shop.merchant, online=online, temporal=None)


def of(report: Report, system: str) -> Result:
    [found] = [result for result in report.results if result.says.startswith(f"Online: {system}")]
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def delivered(shop: Shop) -> AsyncIterator[OrderKey]:
    """An order that was picked, sent, invoiced and has ended."""
    key = await shop.sent()
    await shop.pick_and_send()
    await shop.invoice(await shop.look_until_calm())
    await shop.look()
    assert await shop.status() == "completed"
    yield key


async def change(database: TestDatabase, statement: str, **parameters: Any) -> None:
    engine = engine_for(database.url("owner"))
    async with engine.begin() as connection:
        await connection.execute(text(statement), parameters)
    await engine.dispose()


async def test_a_delivered_order_agrees_with_both_systems(shop: Shop, delivered: OrderKey) -> None:
    report = await compared(shop)
    for system, rows in (("Ongoing", 2), ("Fortnox", 1)):
        result = of(report, system)
        assert (result.verdict, result.rows, result.listed) == (Verdict.CLEAN, rows, []), result
    # The tests' cluster does not wait for the disk, and their attempts settle before their deadline, to be quick.
    assert {result.invariant for result in report.violated} <= {"A5", "X3"}, report.violated


async def test_a_pick_that_a_living_process_has_yet_to_book_is_on_its_way(shop: Shop) -> None:
    await shop.sent()
    await shop.look()
    await shop.floor("pick", lines={1: 1})
    result = of(await compared(shop), "Ongoing")
    assert result.verdict == Verdict.CLEAN
    assert any("shows 1" in item.detail for item in result.listed)


async def test_a_line_that_was_taken_away_before_anything_was_picked_of_it_is_no_difference(shop: Shop) -> None:
    await shop.sent()
    await shop.look()
    async with shop.erp.everyone() as session:
        await session.execute(
            text("delete from erp.sales_order_line where merchant_id = :m and line_number = 2"), {"m": shop.merchant}
        )
    await shop.send()
    await shop.look()
    assert of(await compared(shop), "Ongoing").verdict == Verdict.CLEAN


async def test_an_older_version_that_came_back_is_a_violation(shop: Shop) -> None:
    await shop.sent()
    await shop.look()
    old = {
        "goodsOwnerId": shop.goods_owner,
        "orderNumber": "SO-1",
        "goodsOwnerOrderId": "lagerbro/SO-1/v0",
        "deliveryDate": "2026-11-25T00:00:00",
        "consignee": {"name": "N", "address1": "G", "postCode": "1", "city": "S", "countryCode": "SE"},
    }
    assert (await shop.call_ongoing("PUT", "orders", old)).status_code == 200
    result = of(await compared(shop), "Ongoing")
    assert result.verdict == Verdict.VIOLATED
    assert "is lagerbro/SO-1/v0; the warehouse had taken lagerbro/SO-1/v1" in result.samples[0].detail
    await shop.look()
    assert of(await compared(shop), "Ongoing").verdict == Verdict.CLEAN


async def test_a_pick_that_nobody_will_book_is_a_violation(shop: Shop, delivered: OrderKey, database: TestDatabase) -> None:
    await change(
        database,
        "update bridge.counted set booked = booked - 1 where merchant_id = :m and line_number = 1",
        m=shop.merchant,
    )
    result = of(await compared(shop), "Ongoing")
    assert result.verdict == Verdict.VIOLATED
    assert "SO-1" in result.samples[0].document and "picked" in result.samples[0].detail


async def test_goods_back_that_a_return_has_yet_to_book_are_on_their_way(shop: Shop, delivered: OrderKey) -> None:
    await announced(shop, {1: 1})
    await receive(shop, keepStatus=True)
    result = of(await compared(shop), "Ongoing")
    assert result.verdict == Verdict.CLEAN
    assert any("shows 1 returned, booked are 0" in item.detail for item in result.listed)


async def test_goods_back_that_no_return_will_book_are_a_violation(shop: Shop, delivered: OrderKey) -> None:
    await shop.floor("return", lines={1: 1}, keepStatus=True)
    result = of(await compared(shop), "Ongoing")
    assert result.verdict == Verdict.VIOLATED
    assert "shows 1 returned, booked are 0" in result.samples[0].detail
    await again(shop.worker.watch.sweep, shop.merchant)
    await goes_on(shop, await begin(shop, "SO-1/R1"))
    assert of(await compared(shop), "Ongoing").verdict == Verdict.CLEAN


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("update bridge.counted set booked = booked + 1 where merchant_id = :m and what = 'returned'", "shows 2 returned"),
        ("", "shows 1 reported as returned, booked are 2"),
    ],
)
async def test_a_return_that_is_booked_or_reported_otherwise_is_a_violation(
    shop: Shop, delivered: OrderKey, database: TestDatabase, spoil: str, says: str
) -> None:
    key = await announced(shop, {1: 2})
    await receive(shop, keepStatus=True)
    assert (await goes_on(shop, key)).outcome == "completed"
    assert of(await compared(shop), "Ongoing").verdict == Verdict.CLEAN
    if spoil:
        await change(database, spoil, m=shop.merchant)
    else:
        order = await shop.warehouse_order()
        path = f"orders/{order['orderInfo']['orderId']}/lines/{order['orderLines'][0]['id']}/reportedReturnedNumberOfItems"
        await shop.call_ongoing("PATCH", path, {"reportedReturnedNumberOfItems": 1})
    result = of(await compared(shop), "Ongoing")
    assert result.verdict == Verdict.VIOLATED
    assert says in result.samples[0].detail


async def test_an_invoice_with_our_mark_and_no_basis_is_found(shop: Shop, delivered: OrderKey) -> None:
    [[reference]] = [list(row) for row in await shop.read("select reference from erp.invoice_basis where merchant_id = :m")]
    stranger = str(reference)[:-3] + "009"
    await shop.call_fortnox(
        "POST",
        "invoices",
        {
            "Invoice": {
                "CustomerNumber": "K-1",
                "ExternalInvoiceReference1": stranger,
                "InvoiceRows": [
                    {"Description": "by hand", "DeliveredQuantity": "1", "Price": 1, "AccountNumber": 3001, "VAT": 25}
                ],
            }
        },
    )
    result = of(await compared(shop), "Fortnox")
    assert result.verdict == Verdict.VIOLATED
    assert stranger in result.samples[0].detail


async def test_a_second_live_invoice_with_one_reference_is_found(shop: Shop, delivered: OrderKey) -> None:
    [[reference]] = [list(row) for row in await shop.read("select reference from erp.invoice_basis where merchant_id = :m")]
    await shop.call_fortnox(
        "POST",
        "invoices",
        {
            "Invoice": {
                "CustomerNumber": "K-1",
                "ExternalInvoiceReference1": reference,
                "InvoiceRows": [{"Description": "again", "DeliveredQuantity": "1", "Price": 1, "AccountNumber": 3001, "VAT": 25}],
            }
        },
    )
    result = of(await compared(shop), "Fortnox")
    assert result.verdict == Verdict.VIOLATED
    assert "live documents in Fortnox" in result.samples[0].detail


async def test_totals_that_are_not_fortnoxs_are_found(shop: Shop, delivered: OrderKey, database: TestDatabase) -> None:
    await change(
        database, "update erp.invoice_basis set fortnox_vat = fortnox_vat + 0.01 where merchant_id = :m", m=shop.merchant
    )
    result = of(await compared(shop), "Fortnox")
    assert result.verdict == Verdict.VIOLATED
    assert "VAT in Fortnox is" in result.samples[0].detail


async def test_a_surplus_invoice_that_lives_is_found(shop: Shop, delivered: OrderKey, database: TestDatabase) -> None:
    [[number]] = [
        list(row) for row in await shop.read("select fortnox_invoice_number from erp.invoice_basis where merchant_id = :m")
    ]
    await change(
        database,
        "insert into bridge.surplus_document (merchant_id, system, kind, their_id, business_key, fault, state, cancelled_at)"
        " values (:m, 'fortnox', 'invoice', :n, 'lb', 'an answer was lost', 'cancelled', now())",
        m=shop.merchant,
        n=str(number),
    )
    result = of(await compared(shop), "Fortnox")
    assert result.verdict == Verdict.VIOLATED
    assert "not cancelled there" in result.samples[0].detail


async def test_a_system_that_does_not_answer_is_not_checked(shop: Shop, delivered: OrderKey, database: TestDatabase) -> None:
    await change(
        database,
        "update bridge.connection set settings = settings || jsonb_build_object('base_url', 'http://127.0.0.1:9')"
        " where merchant_id = :m and system = 'ongoing'",
        m=shop.merchant,
    )
    result = of(await compared(shop), "Ongoing")
    assert result.verdict == Verdict.NOT_CHECKED
    assert (await compared(shop)).exit_code != 0


async def test_a_received_purchase_agrees_and_one_that_nobody_booked_is_a_violation(shop: Shop, database: TestDatabase) -> None:
    key = await expected(shop)
    await floor(shop, "receive", {1: 4})
    await calm(shop, key)
    agreed = of(await compared(shop), "the warehouse")
    assert (agreed.verdict, agreed.rows, agreed.listed) == (Verdict.CLEAN, 1, [])
    await floor(shop, "receive", {1: 2})
    under_way = of(await compared(shop), "the warehouse")
    assert under_way.verdict == Verdict.CLEAN
    assert any("shows 6" in item.detail for item in under_way.listed)
    await change(database, "update bridge.process set ended_at = now(), outcome = 'lost' where merchant_id = :m", m=shop.merchant)
    assert of(await compared(shop), "the warehouse").verdict == Verdict.VIOLATED
