"""The article process: begun by a change, told while it runs, ended when nothing is left, and held up by no single article."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.articles import REFUSED_IN_A_ROW
from erp.database import Database
from starters.cli_articles import _sync
from starters.relay import Relay
from tests.activities.world import Shop
from tests.conftest import TestDatabase
from tests.erp.data import article, insert, line
from tests.workflows.process import LosesFirstAnswers, Processes, becomes, working
from worker.keyring import KeyRing
from worker.settings import Settings
from workflows import attributes
from workflows.sync_articles import SyncArticles

DUE = "select count(*) from bridge.article_due where merchant_id = :m"
TOLD = "select count(*), count(distinct outcome) from bridge.outbox where merchant_id = :m and topic = 'articles.changed'"


def handle(processes: Processes) -> WorkflowHandle[SyncArticles, int]:
    return processes.client.get_workflow_handle_for(SyncArticles.run, f"articles/{processes.shop.merchant}")


async def add(shop: Shop, *numbers: str) -> None:
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", *(article(shop.merchant, number) for number in numbers))


async def rename(shop: Shop, name: str) -> None:
    async with shop.erp.everyone() as session:
        await session.execute(
            text("update erp.article set name = :n where merchant_id = :m and stock_article"), {"m": shop.merchant, "n": name}
        )


async def names(shop: Shop) -> set[str]:
    answer = await shop.call_ongoing("GET", f"articles?goodsOwnerId={shop.goods_owner}")
    return {each["articleName"] for each in json.loads(answer.content) if each["isStockArticle"]}


async def runs(processes: Processes) -> int:
    asked = f"Merchant = '{processes.shop.merchant}' AND WorkflowType = 'SyncArticles'"
    return len([found async for found in processes.client.list_workflows(asked)])


async def test_articles_are_sent_when_they_change_and_the_process_ends(processes: Processes) -> None:
    shop = processes.shop
    await processes.deliver()
    assert await handle(processes).result() == 4
    await rename(shop, "Renamed")
    await processes.deliver()
    assert await handle(processes).result() == 3
    assert (await names(shop), await shop.read(DUE)) == ({"Renamed"}, [(0,)])


async def test_a_hundred_changes_are_told_together(processes: Processes) -> None:
    shop = processes.shop
    for turn in range(100):
        await rename(shop, f"Name {turn}")
    await processes.deliver()
    await handle(processes).result()
    signals = [
        event
        async for event in handle(processes).fetch_history_events()
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert (await names(shop), len(signals)) == ({"Name 99"}, 1)


async def test_an_article_that_changes_while_others_are_sent_is_sent_by_the_same_process(processes: Processes) -> None:
    shop = processes.shop
    async with shop.ongoing.fault("PUT /articles", "delay", seconds=0.5):
        await processes.deliver()
        await becomes(lambda: shop.read("select count(claimed_until) from bridge.article_due where merchant_id = :m"), [(4,)])
        await add(shop, "NEW")
        await processes.deliver()
        assert await handle(processes).result() == 5
    assert await shop.read(DUE) == [(0,)]


async def test_a_warehouse_that_refuses_one_after_another_is_shown_and_the_rest_is_sent_later(processes: Processes) -> None:
    shop = processes.shop
    assert processes.fast_forward is not None
    await processes.deliver()
    await handle(processes).result()
    await add(shop, *(f"BAD-{number}" for number in range(5)))
    async with shop.ongoing.fault("PUT /articles", "http", count=REFUSED_IN_A_ROW, status=400):
        await processes.deliver()
        refused = (
            "select count(*) from bridge.exception where merchant_id = :m and code = 'article-refused' and closed_at is null"
        )
        await becomes(lambda: shop.read(refused), [(REFUSED_IN_A_ROW,)])
    assert (await handle(processes).describe()).status == WorkflowExecutionStatus.RUNNING
    await processes.fast_forward(handle(processes), timedelta(minutes=4))
    assert await handle(processes).result() == 2
    assert await shop.read(DUE) == [(REFUSED_IN_A_ROW,)]


async def test_refused_credentials_show_on_the_process_and_it_goes_on_by_itself(processes: Processes) -> None:
    from tests.activities.world import connect

    shop = processes.shop
    assert processes.fast_forward is not None
    await connect(shop, ongoing_password="wrong")
    await processes.deliver()

    async def reason() -> Any:
        return (await handle(processes).describe()).typed_search_attributes.get(attributes.BLOCKED_REASON)

    await processes.fast_forward(handle(processes), timedelta(minutes=12))
    await becomes(reason, "connection-blocked")
    await connect(shop)
    await processes.fast_forward(handle(processes), timedelta(minutes=40))
    assert await handle(processes).result() == 4
    assert await shop.read(DUE) == [(0,)]


async def test_an_order_is_not_held_up_by_the_articles_of_others(processes: Processes) -> None:
    shop = processes.shop
    await processes.deliver()
    await handle(processes).result()
    await add(shop, *(f"MANY-{number:03}" for number in range(300)))
    await processes.deliver()
    await processes.begin("SO-1", [line("A", 1, 10)])
    await processes.reaches("at-warehouse")
    [(left,)] = await shop.read(DUE)
    assert left > 100, "the order came first"
    await handle(processes).result()
    assert await shop.read(DUE) == [(0,)]


async def test_every_article_is_right_when_each_first_answer_is_lost(
    shop: Shop,
    skipping: WorkflowEnvironment,
    skipping_settings: Settings,
    database: TestDatabase,
    relay_database: Database,
    key_ring: KeyRing,
) -> None:
    losing = LosesFirstAnswers()
    settings = skipping.client.config()
    client = Client(**(settings | {"interceptors": [losing]}))
    async with working(client, database.url("app"), key_ring, skipping_settings):
        processes = Processes(shop, client, Relay(relay_database, client), skipping.fast_forward)
        await rename(shop, "Renamed")
        await processes.deliver()
        await handle(processes).result()
        await processes.end_all()
    assert set(losing.lost) == {"send_changed_articles"}
    assert (await names(shop), await shop.read(DUE)) == ({"Renamed"}, [(0,)])


async def test_changed_articles_reach_the_warehouse_and_many_changes_are_one_process(processes: Processes) -> None:
    shop = processes.shop
    for number in range(60):
        async with shop.erp.everyone() as session:
            await insert(session, "erp.article", article(shop.merchant, f"N-{number:02d}"))
    await processes.deliver()
    assert (await shop.read(TOLD))[0][1] == 1
    await becomes(lambda: shop.read(DUE), [(0,)])
    assert await handle(processes).result() >= 60


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
    assert (await handle(processes).describe()).typed_search_attributes.get(attributes.BLOCKED_REASON) is None
    async with shop.erp.everyone() as session:
        await session.execute(text("update erp.article set name = 'Better' where merchant_id = :m"), {"m": shop.merchant})
    await processes.deliver()
    await becomes(lambda: shop.read(DUE), [(0,)])


async def test_a_person_has_everything_sent_once_more_and_is_told_how_it_went(
    processes: Processes,
    database: TestDatabase,
    key_ring: KeyRing,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = processes.shop
    address = processes.client.service_client.config.target_host
    for name, value in (database.environment() | {"TEMPORAL_ADDRESS": address, "LAGERBRO_KEYS": key_ring.dump()}).items():
        monkeypatch.setenv(name, value)
    assert await _sync(shop.merchant, False, 30, True) == 0
    body = {"goodsOwnerId": shop.goods_owner, "articleNumber": "A", "articleName": "Spoiled over there"}
    await shop.call_ongoing("PUT", "articles", body)
    assert await _sync(shop.merchant, True, 30, True) == 0
    first, second = (json.loads(part + "}") for part in capsys.readouterr().out.split("}\n")[:2])
    assert (first["sent"], first["to_send"], second["sent"], second["to_send"]) == (4, 0, 4, 0)
    assert await names(shop) == {"Artikel A", "Artikel B", "Artikel C"}
    assert await shop.read("select action from bridge.audit where merchant_id = :m and kind = 'article'") == [("articles-all",)]
