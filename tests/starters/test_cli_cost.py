"""`lagerbro cost` and `merchant posting-rules`: what a person types, sees and writes."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest_asyncio

from domain.reasons import REASONS
from erp.database import Database
from erp.merchants import save_settings
from tests.activities.conftest import erp, fortnox, http, ongoing, shop, verify, workers
from tests.activities.test_purchases import ACCOUNT
from tests.activities.test_revaluing import opened, received, sold, sound, stock
from tests.activities.world import SETTINGS, Shop
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, open_stock, read
from tests.starters.test_cli_returns import Says, typed

__all__ = ["erp", "fortnox", "http", "ongoing", "shop", "typed", "verify", "workers"]

D = Decimal


@pytest_asyncio.fixture(loop_scope="session")
async def merchant(database: TestDatabase, typed: Says) -> AsyncIterator[str]:
    """At standard cost: A opened at 10 a piece, where the list says 12."""
    erp, app = Database(database.url("erp")), Database(database.url("app"))
    who = await add_merchant(erp)
    rules = [{"priority": 5, "event": "goods-issue", "debit": 4011, "credit": 1460, "country": "NO"}]
    settings = {"costing_method": "standard", "price_difference_account": 4980, "posting_rules": rules}
    async with app.merchant(who) as session:
        await save_settings(session, who, settings, "test")
    for article in "ABC":
        answer = await typed("cost", "standard", article, "12", "--from", "2026-01-01", "-m", who)
        assert answer.exit_code == 0, answer.output
    await open_stock(app, who, 10, "10")
    yield who
    await erp.close()
    await app.close()


async def test_stock_at_standard_cost_is_previewed_and_booked_by_the_previews_hash(
    typed: Says, merchant: str, database: TestDatabase
) -> None:
    assert (await typed("cost", "standard", "A", "13,50", "-m", merchant)).exit_code == 0
    asked = ("--prices", "-m", merchant)
    shown = await typed("cost", "preview", *asked)
    assert shown.exit_code == 0 and "nothing is booked" in shown.output and "+15.00" in shown.output
    told = json.loads((await typed("cost", "preview", *asked, "--json")).output)
    assert (told["stock"], told["result"]) == ("15.00", "-15.00")
    [a] = told["articles"]
    assert (a["article"], a["cost_before"], a["cost_after"]) == ("A", "12.000000", "13.500000")
    words = ("cost", "revalue", *asked, "--by", "Kim", "--reason", "new list")
    wrong = await typed(*words, "--preview", "00" * 32)
    assert wrong.exit_code == 1 and "nothing was booked" in wrong.output
    nameless = await typed("cost", "revalue", *asked, "--by", " ", "--reason", "x", "--preview", told["preview"])
    assert nameless.exit_code == 1
    booked = await typed(*words, "--preview", told["preview"])
    assert booked.exit_code == 0 and "Revaluation 1 is booked" in booked.output, booked.output
    again = await typed(*words, "--preview", told["preview"])
    assert again.exit_code == 0 and "was booked before" in again.output
    assert "Nothing would change" in (await typed("cost", "preview", *asked)).output
    verify = Database(database.url("verify"))
    value = "select value from erp.stock_balance where merchant_id = :m and article_number = 'A'"
    assert await read(verify, value, m=merchant) == [(D("135.00"),)]
    await verify.close()


async def test_an_article_is_shown_and_the_stock_list_adds_up(typed: Says, merchant: str) -> None:
    shown = await typed("cost", "show", "A", "-m", merchant)
    assert shown.exit_code == 0 and "costed by standard" in shown.output and "opening" in shown.output
    told = json.loads((await typed("cost", "show", "A", "-m", merchant, "--json")).output)
    assert (told["method"], told["stock"][0]["booked_cost"]) == ("standard", "12.000000")
    assert (await typed("cost", "show", "NONE", "-m", merchant)).exit_code == 1
    listed = json.loads((await typed("cost", "list", "-m", merchant, "--json")).output)
    assert (listed["value"], len(listed["articles"])) == ("360.00", 3)
    assert "Nothing was in stock" in (await typed("cost", "list", "--as-of", "2020-01-01", "-m", merchant)).output


async def test_what_cannot_be_asked_is_named(typed: Says, merchant: str) -> None:
    nothing = await typed("cost", "preview", "-m", merchant)
    assert nothing.exit_code == 1 and "--rate, --rates-of, --purchases or --prices" in nothing.output
    wrong = await typed("cost", "preview", "--rate", "EUR=eleven", "-m", merchant)
    assert wrong.exit_code == 1 and "is no number above 0" in wrong.output
    unknown = await typed("cost", "standard", "NONE", "1", "-m", merchant)
    assert unknown.exit_code == 1 and "there must be such an article" in unknown.output
    by_hand = await typed("cost", "set", "NONE", "1", "--by", "Kim", "--reason", "x", "-m", merchant)
    assert by_hand.exit_code == 1 and "NONE is not in" in by_hand.output
    assert (await typed("cost", "recalculate", "-m", merchant)).exit_code == 0


async def test_posting_rules_are_shown_and_explained(typed: Says, merchant: str) -> None:
    rules = ("merchant", "posting-rules")
    shown = await typed(*rules, "show", "-m", merchant)
    assert shown.exit_code == 0 and "country NO" in shown.output and "built in" in shown.output
    other = await typed(*rules, "explain", "goods-issue", "--country", "SE", "-m", merchant)
    assert "rule 5: no, country is SE, not NO" in other.output and "debits 4960 and credits 1460" in other.output
    hit = await typed(*rules, "explain", "goods-issue-reversed", "--country", "NO", "-m", merchant)
    assert hit.exit_code == 0 and "rule 5 decides" in hit.output and "debits 1460 and credits 4011" in hit.output
    none = await typed(*rules, "explain", "goods-received", "-m", merchant)
    assert none.exit_code == 1 and "No rule matches" in none.output
    assert (await typed(*rules, "explain", "nosuch", "-m", merchant)).exit_code == 1


AT_A_NEW_RATE = ("--rate", "USD=10.95", "--on", "2026-11-30")


async def previewed(typed: Says, shop: Shop) -> str:
    told = await typed("cost", "preview", *AT_A_NEW_RATE, "-m", shop.merchant, "--json")
    return str(json.loads(told.output)["preview"])


async def revalued(typed: Says, shop: Shop, mark: str) -> tuple[int, str]:
    who = ("--by", "Kim", "--reason", "month's end", "--preview", mark)
    answer = await typed("cost", "revalue", *AT_A_NEW_RATE, *who, "-m", shop.merchant)
    return answer.exit_code, " ".join(answer.output.split())


async def test_goods_without_a_posting_rule_are_not_revalued_until_the_rule_named_is_set(
    shop: Shop, typed: Says, tmp_path: Path
) -> None:
    """`posting-rule-missing` holds up no process: only the booking of a revaluation can lack a rule."""
    await opened(shop)
    await received(shop, 100, "10")
    mark = await previewed(typed, shop)

    async def in_force(**rule: Any) -> None:
        rules = [{"priority": 10, "event": "goods-received", "debit": 1460, "credit": ACCOUNT} | rule]
        file = tmp_path / "settings.json"
        file.write_text(json.dumps(SETTINGS | {"posting_rules": rules}), encoding="utf-8")
        set_to = ("merchant", "settings", "set", str(file), "--replace", "--by", "Kim", "--reason", "rules")
        answer = await typed(*set_to, "-m", shop.merchant)
        assert answer.exit_code == 0, answer.output

    await in_force(article="ANOTHER")
    code, said = await revalued(typed, shop, mark)
    assert code == 1 and "no posting rule for goods-received of article X" in said, said
    assert REASONS["posting-rule-missing"].remedy in said
    explained = await typed("merchant", "posting-rules", "explain", "goods-received", "--article", "X", "-m", shop.merchant)
    assert explained.exit_code == 1 and "No rule matches" in explained.output
    assert (await stock(shop))[1] == D(11200), "nothing is booked"
    await in_force()
    code, said = await revalued(typed, shop, mark)
    assert code == 0 and "Revaluation 1 is booked" in said, said
    assert (await stock(shop))[1] == D(10950)
    await sound(shop)


async def test_a_preview_that_is_outdated_is_refused_and_the_new_one_is_booked(shop: Shop, typed: Says) -> None:
    """`preview-outdated` holds up no process: who books is told, and looks again."""
    await opened(shop)
    await received(shop, 100, "10")
    mark = await previewed(typed, shop)
    await sold(shop, 40)
    code, said = await revalued(typed, shop, mark)
    assert code == 1 and "it is no longer what was previewed" in said, said
    assert REASONS["preview-outdated"].remedy in said
    assert (await stock(shop))[1] == D(6720), "nothing is booked"
    code, said = await revalued(typed, shop, await previewed(typed, shop))
    assert code == 0 and "Revaluation 1 is booked" in said, said
    assert (await stock(shop))[1] == D(6570)
    await sound(shop)
