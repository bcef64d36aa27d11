"""A correction's effect and its audit row are one: twice, and eight times at once, it is done once."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.corrections import Asked, Corrected, Corrections
from erp.corrections import park_address
from tests.activities.world import Shop

ADDRESS = {"name": "Ny Mottagare", "address1": "Nygatan 9", "post_code": "99999", "city": "Nystad", "country": "SE"}
LINES = [{"line": 1, "quantity": "1"}]


def corrections(shop: Shop) -> Corrections:
    warehouse, accounting = shop.worker.connections[:2]
    return Corrections(shop.worker.database, warehouse, accounting)


def asked(shop: Shop, name: str, key: str = "k-1", **content: Any) -> Asked:
    return Asked(shop.merchant, "SO-1", 1, name, "anna", "asked on the phone", key, content)


async def done(shop: Shop, wanted: Asked) -> Corrected:
    return await ActivityEnvironment().run(corrections(shop).correct_rows, wanted)


@pytest.mark.parametrize(
    ("name", "content", "effect", "once"),
    [
        ("cancel", {}, "select count(*) from bridge.outbox where merchant_id = :m and topic = 'sales-order.cancel'", 1),
        ("change_address", {"parked": "p-1"}, "select version from erp.sales_order where merchant_id = :m", 2),
        ("change_lines", {"lines": LINES}, "select version from erp.sales_order where merchant_id = :m", 2),
        (
            "split_off",
            {"new_number": "SO-1-B", "lines": LINES},
            "select quantity from erp.sales_order_line where merchant_id = :m and order_number = 'SO-1' and line_number = 1",
            Decimal(2),
        ),
    ],
)
async def test_it_is_done_once_however_often_it_runs(
    shop: Shop, name: str, content: dict[str, Any], effect: str, once: Any
) -> None:
    await shop.order()
    async with shop.worker.database.merchant(shop.merchant) as session:
        await park_address(session, shop.merchant, "SO-1", "p-1", ADDRESS)
    wanted = asked(shop, name, **content)
    results = await asyncio.gather(*(done(shop, wanted) for _ in range(8)))
    assert sorted((each.refused, each.repeated) for each in results) == [(None, False), *[(None, True)] * 7]
    assert await done(shop, wanted) == Corrected(repeated=True)
    assert await shop.read(effect) == [(once,)]
    assert await shop.read("select action from bridge.audit where merchant_id = :m") == [(name,)]


async def test_what_is_refused_leaves_no_trace_and_its_key_free(shop: Shop) -> None:
    await shop.order()
    wrong = await done(shop, asked(shop, "change_lines", lines=[{"line": 9, "quantity": "1"}]))
    assert "has no line 9" in (wrong.refused or "")
    assert await shop.read("select count(*) from bridge.audit where merchant_id = :m") == [(0,)]
    assert await done(shop, asked(shop, "change_lines", lines=LINES)) == Corrected()


async def test_what_the_erps_tables_do_not_take_is_an_answer_and_not_tried_for_ever(shop: Shop) -> None:
    await shop.order()
    wrong = await done(shop, asked(shop, "split_off", new_number="SO-2 ", lines=LINES[:1]))
    assert "order_number_is_printable" in (wrong.refused or "") and "Failing row" not in (wrong.refused or "")
    assert await shop.read("select count(*) from bridge.audit where merchant_id = :m") == [(0,)]
    assert await done(shop, asked(shop, "change_lines", lines=LINES)) == Corrected()


async def test_a_key_that_was_used_for_something_else_is_refused(shop: Shop) -> None:
    await shop.order()
    assert await done(shop, asked(shop, "change_lines", lines=LINES)) == Corrected()
    other = await done(shop, asked(shop, "cancel"))
    assert "another correction" in (other.refused or "")
