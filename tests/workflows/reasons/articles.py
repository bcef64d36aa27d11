"""Articles on their way to the warehouse."""

from typing import Any

from temporalio.client import WorkflowHandle

from erp.articles import try_articles_again
from tests.erp.data import article, insert, line
from tests.workflows.process import Processes, becomes
from tests.workflows.reasons.world import Way, erp, mend_ongoing, outlast, retry, seen_to, spoil_ongoing


async def add(p: Processes, *numbers: str, **columns: Any) -> None:
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.article", *(article(p.shop.merchant, number, **columns) for number in numbers))


async def has(p: Processes, number: str) -> bool:
    found = await p.shop.read("select 1 from bridge.link where merchant_id = :m and kind = 'article' and our_key = :n", n=number)
    return bool(found)


async def reaches_the_warehouse(p: Processes, number: str) -> None:
    await becomes(lambda: has(p, number), True)


async def an_order_with_an_article_that_is_refused(p: Processes) -> None:
    await reaches_the_warehouse(p, "C")
    await spoil_ongoing(p, "PUT /articles", "http", status=400, body={"message": "Article group is not allowed"})
    await add(p, "BAD")
    await p.begin(lines=[line("BAD", 1, 10)])
    await p.blocked_by("article-refused", seconds=40)


async def the_article_is_corrected(p: Processes) -> None:
    await mend_ongoing(p)
    await erp(p, "update erp.article set article_group = null, name = 'Better' where merchant_id = :m and article_number = 'BAD'")
    await retry(p)
    await p.reaches("at-warehouse")


async def an_article_that_is_deleted(p: Processes) -> None:
    await add(p, "GONE")
    await reaches_the_warehouse(p, "GONE")
    await erp(p, "delete from erp.article where merchant_id = :m and article_number = 'GONE'")


async def it_comes_again_inactive(p: Processes) -> None:
    await add(p, "GONE", active=False)


async def an_article_that_replaces_another(p: Processes) -> None:
    await reaches_the_warehouse(p, "A")
    await add(p, "A2", replaces_article_number="A")


async def one_after_another(p: Processes) -> None:
    await reaches_the_warehouse(p, "C")
    await spoil_ongoing(p, "PUT /articles", "http", status=400, body={"message": "No such article group"})
    await add(p, *(f"BAD-{number:02}" for number in range(40)))
    handle: WorkflowHandle[Any, Any] = p.client.get_workflow_handle(f"articles/{p.shop.merchant}")
    await outlast(p, handle)


async def the_setting_is_mended_there(p: Processes) -> None:
    await mend_ongoing(p)
    async with p.shop.worker.database.merchant(p.shop.merchant) as session:
        await try_articles_again(session, p.shop.merchant, None)
    handle: WorkflowHandle[Any, Any] = p.client.get_workflow_handle(f"articles/{p.shop.merchant}")
    await handle.execute_update("retry_now", {"by": "anna", "reason": "mended"})
    await reaches_the_warehouse(p, "BAD-00")


async def twins(p: Processes) -> None:
    await add(p, "abc")
    await reaches_the_warehouse(p, "abc")
    await add(p, "ABC")
    await p.begin(lines=[line("ABC", 1, 10)])
    await p.blocked_by("near-twin-article", seconds=40)


async def one_is_renamed(p: Processes) -> None:
    await add(p, "XYZ")
    await p.shop.change_lines({1: {"article_number": "XYZ"}})
    await p.reaches("at-warehouse")
    await erp(p, "delete from erp.article where merchant_id = :m and article_number = 'ABC'")
    await seen_to("near-twin-article", "abc")(p)
    await seen_to("near-twin-article", "ABC")(p)


WAYS = {
    "article-refused": Way(an_order_with_an_article_that_is_refused, the_article_is_corrected),
    "article-deleted": Way(an_article_that_is_deleted, it_comes_again_inactive, blocking=False),
    "article-renamed": Way(an_article_that_replaces_another, seen_to("article-renamed", "A2"), blocking=False),
    "articles-refused-in-a-row": Way(one_after_another, the_setting_is_mended_there),
    "near-twin-article": Way(twins, one_is_renamed, odd=True),
}
