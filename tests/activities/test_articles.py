"""Articles in step: whole, one request for one version, orders first, and nothing about them silent."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.articles import REFUSED_IN_A_ROW, ArticlesLeft
from activities.errors import Waiting
from clients.errors import Unavailable
from domain.errors import Refused
from erp.articles import articles_due, try_articles_again
from erp.database import DATABASE_ERRORS
from tests.activities.world import HOW_OFTEN, Shop, again, rule
from tests.erp.data import article, insert, line
from tests.workflows.process import becomes

D = Decimal
DUE = "select article_number, refused_version is not null from bridge.article_due where merchant_id = :m order by 1"
LISTED = (
    "select document, code from bridge.exception where merchant_id = :m and kind = 'article' and closed_at is null order by 1, 2"
)


def sync(worker: Any) -> Any:
    return worker.articles.send_changed_articles


async def add(shop: Shop, *numbers: str, **columns: Any) -> None:
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", *(article(shop.merchant, number, **columns) for number in numbers))


async def change(shop: Shop, statement: str, **values: Any) -> None:
    async with shop.erp.everyone() as session:
        await session.execute(text(statement), {"m": shop.merchant} | values)


async def held(shop: Shop, number: str) -> dict[str, Any]:
    answer = await shop.call_ongoing("GET", f"articles?goodsOwnerId={shop.goods_owner}&articleNumber={number}")
    [found] = json.loads(answer.content)
    return dict(found)


async def puts(shop: Shop) -> int:
    """How many articles this goods owner was sent, by the simulator's own log."""
    log = await shop.ongoing("GET", "log?route=PUT%20/articles&limit=100000")
    entries = log["requests"] if isinstance(log, dict) else log
    return sum(1 for entry in entries if f"/{shop.merchant}/" in entry["path"])


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_new_article_is_sent_once_however_often_it_is_asked_for(shop: Shop, often: Any) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    before = await puts(shop)
    await add(shop, "N-1", "N-2", "N-3")
    left = await often(shop.workers, sync, shop.merchant)
    assert (left.to_send, left.refused) == (0, 0)
    assert await puts(shop) == before + 3
    assert await shop.read(DUE) == []


async def test_every_field_of_the_product_map_arrives_and_one_that_is_taken_away_goes(shop: Shop) -> None:
    async with shop.erp.everyone() as session:
        await insert(session, "erp.supplier", {"merchant_id": shop.merchant, "supplier_number": "S-14", "name": "Vävkraft AB"})
    whole = {
        "description": "Organic cotton",
        "product_code": "TOTE-N",
        "bar_code": "7350012340011",
        "bar_code_package": "17350012340018",
        "article_group": "BAGS",
        "article_category": "ACC",
        "weight": D("0.12"),
        "net_weight": D("0.11"),
        "length": D("0.42"),
        "width": D("0.38"),
        "height": D("0.01"),
        "volume": D("0.0016"),
        "country_of_origin": "IN",
        "customs_number": "42022290",
        "customs_description": "Shopping bag",
        "quantity_per_package": 20,
        "quantity_per_pallet": 800,
        "purchase_price": D("18.5"),
        "purchase_currency": "SEK",
        "stock_valuation_price": D(19),
        "customer_price": D(79),
        "supplier_number": "S-14",
        "supplier_article_number": "CT-88",
        "stock_limit": 50,
        "link_to_picture": "https://example.se/tote.jpg",
        "batch_article": True,
    }
    await add(shop, "TOTE", **whole)
    async with shop.erp.everyone() as session:
        of = {"merchant_id": shop.merchant, "article_number": "TOTE"}
        await insert(session, "erp.article_translation", of | {"language": "en", "name": "Cotton tote"})
        await insert(session, "erp.article_bar_code", of | {"bar_code": "OLD-1001", "quantity": D(1)})
        await insert(session, "erp.article_taric", of | {"country": "SE", "taric_number": "4202229000"})
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    found = await held(shop, "TOTE")
    assert found["barCodeInfo"]["alternativeBarCodes"][0]["barCode"] == "OLD-1001"
    assert (found["productCode"], found["statisticsNumber"], found["quantityPerPallet"]) == ("TOTE-N", "42022290", 800)
    assert found["supplierInfo"]["supplierArticleNumber"] == "CT-88"
    assert found["taricNumbersInfo"]["taricNumbers"] == [{"countryCode": "SE", "taricNumber": "4202229000"}]
    await change(shop, "delete from erp.article_bar_code where merchant_id = :m")
    await change(shop, "update erp.article set product_code = null where merchant_id = :m and article_number = 'TOTE'")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    found = await held(shop, "TOTE")
    assert (found["productCode"], found["barCodeInfo"]["alternativeBarCodes"]) == (None, None)


async def test_a_structure_article_travels_with_its_components(shop: Shop) -> None:
    await add(shop, "PART-1", "PART-2", "KIT")
    async with shop.erp.everyone() as session:
        of = {"merchant_id": shop.merchant, "article_number": "KIT"}
        await insert(session, "erp.article_component", of | {"component_article_number": "PART-1", "quantity": D(1)})
        await insert(session, "erp.article_component", of | {"component_article_number": "PART-2", "quantity": D(2)})
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert (await held(shop, "KIT"))["articleKind"] == "Structure"


async def test_a_structure_article_that_came_before_its_component_is_tried_again_when_that_is_there(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await add(shop, "PART", "KIT")
    async with shop.erp.everyone() as session:
        of = {"merchant_id": shop.merchant, "article_number": "KIT"}
        await insert(session, "erp.article_component", of | {"component_article_number": "PART", "quantity": D(1)})
    async with shop.ongoing.fault("PUT /articles", "http", count=1, status=400, body={"message": "Unknown group"}):
        left = await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert (left.refused, await shop.read(LISTED)) == (2, [("KIT", "article-refused"), ("PART", "article-refused")])
    await change(
        shop, "update erp.article set article_group = null, name = 'P' where merchant_id = :m and article_number = 'PART'"
    )
    left = await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert (left.refused, await shop.read(DUE), await shop.read(LISTED)) == (0, [], [])
    assert (await held(shop, "KIT"))["articleKind"] == "Structure"


async def test_a_structure_that_is_taken_apart_in_the_erp_is_so_in_a_warehouse_that_clears_by_null(shop: Shop) -> None:
    await shop.settings(null_clears_structure=True)
    await add(shop, "PART", "KIT")
    async with shop.erp.everyone() as session:
        of = {"merchant_id": shop.merchant, "article_number": "KIT"}
        await insert(session, "erp.article_component", of | {"component_article_number": "PART", "quantity": D(1)})
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await change(shop, "delete from erp.article_component where merchant_id = :m")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert (await held(shop, "KIT"))["articleKind"] is None


async def test_what_changed_in_nothing_that_is_sent_is_not_sent_again(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    before = await puts(shop)
    await change(shop, "update erp.article set sales_account = 3051 where merchant_id = :m and article_number = 'A'")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert await puts(shop) == before
    assert await shop.read(DUE) == []


async def test_many_changes_of_one_article_are_one_request_with_the_newest(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    before = await puts(shop)
    for number in range(20):
        await change(shop, "update erp.article set name = :n where merchant_id = :m and article_number = 'A'", n=f"Name {number}")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert await puts(shop) == before + 1
    assert (await held(shop, "A"))["articleName"] == "Name 19"


async def test_an_order_and_the_sync_together_send_an_article_once(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    before = await puts(shop)
    await add(shop, "NEW")
    await shop.order(lines=[line("NEW", 1, 10)])
    await asyncio.gather(
        again(shop.workers[0].articles.send_changed_articles, shop.merchant),
        again(shop.workers[1].ongoing.send_sales_order, shop.key()),
    )
    assert await puts(shop) == before + 1


async def test_a_refused_article_is_listed_holds_up_no_other_and_is_left_until_it_changes(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await add(shop, "BAD")
    async with shop.ongoing.fault("PUT /articles", "http", count=1, status=400):
        left = await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert left == ArticlesLeft(left.sent, 0, 1, None)
    await add(shop, "GOOD")
    before = await puts(shop)
    left = await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert (await puts(shop), left.refused) == (before + 1, 1)
    assert await shop.read(LISTED) == [("BAD", "article-refused")]
    await change(shop, "update erp.article set name = 'Better' where merchant_id = :m and article_number = 'BAD'")
    left = await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert (left.refused, await shop.read(LISTED), await shop.read(DUE)) == (0, [], [])


async def test_a_refused_article_is_tried_again_when_a_person_wants_it(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await add(shop, "BAD")
    async with shop.ongoing.fault("PUT /articles", "http", count=1, status=400):
        await again(shop.worker.articles.send_changed_articles, shop.merchant)
    async with shop.worker.database.merchant(shop.merchant) as session:
        assert await try_articles_again(session, shop.merchant, "BAD") == ["BAD"]
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    async with shop.worker.database.merchant(shop.merchant) as session:
        due = await articles_due(session, shop.merchant)
    assert (due.to_send, due.refused) == (0, 0)


async def test_the_articles_of_an_order_go_before_those_that_wait(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await add(shop, *(f"MANY-{number:02}" for number in range(75)))
    await add(shop, *(f"OWN-{number}" for number in range(8)))
    await shop.order(lines=[line(f"OWN-{number}", 1, 10) for number in range(8)])
    claimed = "select count(claimed_until) > 0 from bridge.article_due where merchant_id = :m"
    sending = asyncio.create_task(again(shop.worker.articles.send_changed_articles, shop.merchant))
    await becomes(lambda: shop.read(claimed), [(True,)])
    await asyncio.gather(sending, again(shop.worker.ongoing.send_sales_order, shop.key()))
    log = await shop.ongoing("GET", "log?route=PUT%20/articles&limit=100000")
    numbers = [each["written"]["number"] for each in log if f"/{shop.merchant}/" in each["path"] and each["written"]]
    own = [at for at, number in enumerate(numbers) if number.startswith("OWN-")]
    assert (len(own), own[-1] < len(numbers) - 1) == (8, True)
    assert own[-1] - own[0] < 10, "one of the others at most was under way"


async def test_an_order_with_a_refused_article_says_so(shop: Shop) -> None:
    await add(shop, "BAD")
    await shop.order(lines=[line("BAD", 1, 10)])
    async with shop.ongoing.fault("PUT /articles", "http", count=1, status=400):
        with pytest.raises(Refused, match="article BAD") as refused:
            await again(shop.worker.ongoing.send_sales_order, shop.key())
    assert refused.value.code == "article-refused"


async def test_near_twins_stay_apart_and_are_listed(shop: Shop) -> None:
    await add(shop, "84970S", "84970s", "0012", "12")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    listed = {number for number, code in await shop.read(LISTED) if code == "near-twin-article"}
    assert {"0012", "12"} <= listed
    assert {"84970S", "84970s"} & listed


async def test_an_article_that_the_warehouse_wrote_over_with_its_twin_is_put_right_and_the_twin_listed(shop: Shop) -> None:
    await add(shop, "abc")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await shop.ongoing("PUT", "settings", {"articleNumbers": "alike"})
    try:
        await add(shop, "ABC")
        left = await again(shop.worker.articles.send_changed_articles, shop.merchant)
    finally:
        await shop.ongoing("PUT", "settings", {"articleNumbers": "exact"})
    assert (left.to_send, left.refused) == (0, 1)
    assert (await held(shop, "abc"))["articleName"] == "Artikel abc"
    assert await shop.read(LISTED) == [("ABC", "near-twin-article"), ("abc", "near-twin-article")]


async def test_near_twins_are_listed_before_either_is_sent(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await add(shop, "0012", "12")
    async with shop.ongoing.fault("PUT /articles", "http", status=503):
        with pytest.raises(Unavailable):
            await ActivityEnvironment().run(shop.worker.articles.send_changed_articles, shop.merchant)
    assert await shop.read(LISTED) == [("0012", "near-twin-article"), ("12", "near-twin-article")]


async def test_a_warehouse_that_refuses_one_after_another_is_left_in_peace_for_a_while(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await add(shop, *(f"BAD-{number}" for number in range(9)))
    before = await puts(shop)
    async with shop.ongoing.fault("PUT /articles", "http", count=REFUSED_IN_A_ROW, status=400):
        with pytest.raises(Waiting) as waiting:
            await ActivityEnvironment().run(shop.worker.articles.send_changed_articles, shop.merchant)
    assert (waiting.value.code, await puts(shop) - before) == ("articles-refused-in-a-row", REFUSED_IN_A_ROW)
    left = await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert (left.sent, left.to_send, left.refused) == (6, 0, 3)


async def test_many_orders_with_one_refused_article_do_not_use_up_the_warehouses_patience(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await add(shop, "BAD")
    before = await puts(shop)
    async with shop.ongoing.fault("PUT /articles", "http", count=REFUSED_IN_A_ROW, status=400):
        for number in range(REFUSED_IN_A_ROW + 3):
            await shop.order(f"SO-{number}", lines=[line("BAD", 1, 10)])
            with pytest.raises(Refused, match="article BAD") as refused:
                await again(shop.worker.ongoing.send_sales_order, shop.key(f"SO-{number}"))
            assert refused.value.code == "article-refused"
        assert await puts(shop) == before + REFUSED_IN_A_ROW
    await change(shop, "update erp.article set name = 'Better' where merchant_id = :m and article_number = 'BAD'")
    assert (await shop.send("SO-0")).stage == "at-warehouse"


async def test_a_suppliers_new_name_reaches_its_articles(shop: Shop) -> None:
    async with shop.erp.everyone() as session:
        await insert(session, "erp.supplier", {"merchant_id": shop.merchant, "supplier_number": "S-1", "name": "Old name"})
    await add(shop, "OF-S-1", supplier_number="S-1")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    before = await puts(shop)
    await change(shop, "update erp.supplier set name = 'New name' where merchant_id = :m")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert await puts(shop) == before + 1
    assert (await held(shop, "OF-S-1"))["supplierInfo"]["supplierName"] == "New name"


async def test_a_deleted_article_is_listed_and_one_that_comes_again_is_newer_than_all_before(shop: Shop) -> None:
    await add(shop, "GONE", "NEVER-SENT")
    await change(shop, "delete from erp.article where merchant_id = :m and article_number = 'NEVER-SENT'")
    for name in ("First", "Second", "Third"):
        await change(shop, "update erp.article set name = :n where merchant_id = :m and article_number = 'GONE'", n=name)
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await change(shop, "delete from erp.article where merchant_id = :m and article_number = 'GONE'")
    assert await shop.read(LISTED) == [("GONE", "article-deleted")]
    await add(shop, "GONE")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert ((await held(shop, "GONE"))["articleName"], await shop.read(LISTED)) == ("Artikel GONE", [])
    await change(shop, "update erp.article set name = 'Third' where merchant_id = :m and article_number = 'GONE'")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert (await held(shop, "GONE"))["articleName"] == "Third"


async def test_translations_reach_the_warehouse_though_it_does_not_show_them(shop: Shop) -> None:
    await add(shop, "TOTE")
    async with shop.erp.everyone() as session:
        of = {"merchant_id": shop.merchant, "article_number": "TOTE"}
        await insert(
            session, "erp.article_translation", *(of | {"language": code, "name": f"In {code}"} for code in ("en", "fi"))
        )
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    written = await shop.ongoing("GET", f"articles/{shop.goods_owner}/TOTE")
    assert [(each["languageCode"], each["articleName"]) for each in written["articleNameTranslations"]] == [
        ("en", "In en"),
        ("fi", "In fi"),
    ]


async def test_an_article_that_the_warehouse_has_keeps_its_number_and_its_successor_is_listed(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    with pytest.raises(DATABASE_ERRORS, match="cannot be renamed: insert article A2 with replaces_article_number = A"):
        await change(shop, "update erp.article set article_number = 'A2' where merchant_id = :m and article_number = 'A'")
    await add(shop, "A2", replaces_article_number="A")
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert ("A2", "article-renamed") in await shop.read(LISTED)


async def test_an_old_version_that_travels_late_never_comes_after_a_newer_one(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await change(shop, "update erp.article set name = 'First' where merchant_id = :m and article_number = 'A'")
    async with shop.ongoing.faults(rule("PUT /articles", "late", 1, seconds=0.1)):
        with pytest.raises(Unavailable):
            await ActivityEnvironment().run(shop.worker.articles.send_changed_articles, shop.merchant)
        await change(shop, "update erp.article set name = 'Second' where merchant_id = :m and article_number = 'A'")
        left = await ActivityEnvironment().run(shop.worker.articles.send_changed_articles, shop.merchant)
        assert (left.sent, left.to_send, left.look_after) == (0, 1, timedelta(seconds=0.2).total_seconds())

        async def name() -> str:
            await again(shop.worker.articles.send_changed_articles, shop.merchant)
            return str((await held(shop, "A"))["articleName"])

        await becomes(name, "Second", 10)
    assert await shop.read(DUE) == []


async def test_a_change_that_commits_while_an_article_is_sent_is_sent_next_and_not_left_for_minutes(shop: Shop) -> None:
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await change(shop, "update erp.article set name = 'First' where merchant_id = :m and article_number = 'A'")
    claimed = "select claimed_until is not null from bridge.article_due where merchant_id = :m and article_number = 'A'"
    async with shop.ongoing.fault("PUT /articles", "delay", seconds=0.5):
        sending = asyncio.create_task(again(shop.worker.articles.send_changed_articles, shop.merchant))
        await becomes(lambda: shop.read(claimed), [(True,)])
        async with shop.erp.everyone() as session:
            second = "update erp.article set name = 'Second' where merchant_id = :m and article_number = 'A'"
            await session.execute(text(second), {"m": shop.merchant})
            # The answer is there, and what we have to write about it waits for the ERP's commit.
            await becomes(lambda: shop.read("select count(*) > 0 from pg_locks where not granted and :m = :m"), [(True,)])
    await sending
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert ((await held(shop, "A"))["articleName"], await shop.read(DUE)) == ("Second", [])


async def test_the_erp_never_meets_a_deadlock_with_us_however_it_orders_its_changes(shop: Shop) -> None:
    numbers = [f"D-{n:02}" for n in range(20)]
    await add(shop, *numbers)

    async def busy_erp() -> None:
        for turn in range(30):
            async with shop.erp.everyone() as session:
                for number in numbers if turn % 2 else reversed(numbers):
                    await session.execute(
                        text("update erp.article set name = :n where merchant_id = :m and article_number = :a"),
                        {"m": shop.merchant, "a": number, "n": f"Name {turn}"},
                    )

    async def busy_sync() -> None:
        while not changing.done():
            await again(shop.workers[0].articles.send_changed_articles, shop.merchant)

    changing = asyncio.create_task(busy_erp())
    await asyncio.wait_for(asyncio.gather(changing, busy_sync()), 60)
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    assert await shop.read(DUE) == []
    assert {(await held(shop, number))["articleName"] for number in numbers} == {"Name 29"}
