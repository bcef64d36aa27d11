"""The articles' process: begun by a change, told once for many, and never in the way of an order."""

from typing import Any

from sqlalchemy import text

from tests.erp.data import article, insert, line
from tests.workflows.process import Processes, becomes
from workflows import attributes
from workflows.sync_articles import SyncArticles

DUE = "select count(*) from bridge.article_due where merchant_id = :m"
TOLD = "select count(*), count(distinct outcome) from bridge.outbox where merchant_id = :m and topic = 'articles.changed'"


def of(processes: Processes) -> Any:
    return processes.client.get_workflow_handle_for(SyncArticles.run, f"articles/{processes.shop.merchant}")


async def test_changed_articles_reach_the_warehouse_and_many_changes_are_one_process(processes: Processes) -> None:
    shop = processes.shop
    for number in range(60):
        async with shop.erp.everyone() as session:
            await insert(session, "erp.article", article(shop.merchant, f"N-{number:02d}"))
    await processes.deliver()
    assert (await shop.read(TOLD))[0][1] == 1
    await becomes(lambda: shop.read(DUE), [(0,)])
    assert await of(processes).result() >= 60


async def test_a_change_while_it_runs_is_not_left_behind(processes: Processes) -> None:
    shop = processes.shop
    await processes.deliver()
    for number in range(5):
        async with shop.erp.everyone() as session:
            await insert(session, "erp.article", article(shop.merchant, f"N-{number}"))
        await processes.deliver()
    await becomes(lambda: shop.read(DUE), [(0,)])


async def test_a_refused_article_holds_nobody_up_and_is_sent_when_it_has_changed(processes: Processes) -> None:
    shop = processes.shop
    await processes.deliver()
    await becomes(lambda: shop.read(DUE), [(0,)])
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "BAD"))
    async with shop.ongoing.fault("PUT /articles", "http", count=1, status=400):
        await processes.deliver()
        await becomes(lambda: shop.read(DUE + " and refused_version is not null"), [(1,)])
    await processes.begin(lines=[line("A", 1, 10)])
    await processes.reaches("at-warehouse")
    assert (await of(processes).describe()).typed_search_attributes.get(attributes.BLOCKED_REASON) is None
    async with shop.erp.everyone() as session:
        await session.execute(text("update erp.article set name = 'Better' where merchant_id = :m"), {"m": shop.merchant})
    await processes.deliver()
    await becomes(lambda: shop.read(DUE), [(0,)])
