"""The list of what stands still: opened once, closed when it moves, whoever says it how often."""

from typing import Any

import pytest

from domain.keys import Blocked
from tests.activities.world import HOW_OFTEN, Shop

ROWS = """
    select code, detail, blocking, closed_at is null, closed_by from bridge.exception where merchant_id = :m order by exception_no
"""


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_an_exception_is_opened_once_and_closed_with_a_name(shop: Shop, often: Any) -> None:
    blocked = Blocked(shop.merchant, "sales-order", "SO-1", "unknown-article", "line 2: article X is not in erp.article")
    await often(shop.workers, lambda worker: worker.erp.open_exception, blocked)
    assert await shop.read(ROWS) == [("unknown-article", blocked.detail, True, True, None)]
    await often(shop.workers, lambda worker: worker.erp.close_exceptions, blocked)
    assert await shop.read(ROWS) == [("unknown-article", blocked.detail, True, False, "lagerbro")]
    await often(shop.workers, lambda worker: worker.erp.open_exception, blocked)
    assert [row[3] for row in await shop.read(ROWS)] == [False, True]


async def test_a_new_detail_replaces_the_old_and_keeps_the_opening_time(shop: Shop) -> None:
    opened = "select opened_at, detail from bridge.exception where merchant_id = :m"
    for detail in ("first", "second"):
        await shop.worker.erp.open_exception(Blocked(shop.merchant, "sales-order", "SO-1", "order-refused", detail))
    [(at, detail)] = await shop.read(opened)
    assert detail == "second"
    assert await shop.read("select count(*) from bridge.exception where merchant_id = :m and opened_at = :at", at=at) == [(1,)]


async def test_closing_leaves_notes_that_do_not_block(shop: Shop) -> None:
    from erp.exceptions import open_exception

    async with shop.worker.database.merchant(shop.merchant) as session:
        await open_exception(session, shop.merchant, "sales-order", "SO-1", "over-delivery", "x", False)
    await shop.worker.erp.close_exceptions(Blocked(shop.merchant, "sales-order", "SO-1", "order-refused", ""))
    assert await shop.exceptions() == [("over-delivery", False)]
