"""`lagerbro purchase` about what purchases cost: what a person types, and what it shows and writes."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.flows import SUPPLIER_INVOICES
from erp import flows
from tests.activities.buying import bill, bought, buying, look_past, match, today
from tests.activities.conftest import erp, fortnox, http, ongoing, shop, verify, workers
from tests.activities.test_purchases import ordered
from tests.activities.world import Shop
from tests.starters.test_cli_returns import Says, typed

__all__ = ["erp", "fortnox", "http", "ongoing", "shop", "typed", "verify", "workers"]

LINE = {"article": "N", "quantity": "6", "price": "10"}


async def shown(typed: Says, *words: str) -> Any:
    answer = await typed("purchase", *words, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output)


async def test_supplier_invoices_are_listed_with_what_they_wait_for_and_shown(shop: Shop, typed: Says) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    await bill(shop, LINE)
    await look_past(shop, key)
    waits = await bill(shop, LINE | {"quantity": "4", "price": "12"})
    await look_past(shop, key)
    [listed] = await shown(typed, "invoices", "-m", shop.merchant)
    assert (listed["fortnox_number"], listed["state"], listed["match_state"]) == (waits, "waiting", "price_diff")
    assert len(await shown(typed, "invoices", "-m", shop.merchant, "--all")) == 2
    found = await shown(typed, "show", "PO-1", "-m", shop.merchant)
    assert [(each["value"], each["state"]) for each in found["invoices"]] == [("60.00", "booked"), ("48.00", "waiting")]
    assert [(each["document"], each["kind"], each["cleared"]) for each in found["bookings"]] == [
        ("supplier-invoice/1", "match", "60.00")
    ]
    about = ["PO-1", "--invoice", str(waits), "--by", "Kim", "--reason", "agreed", "-m", shop.merchant]
    told = await typed("purchase", "match", "PO-1", "-m", shop.merchant)
    assert (told.exit_code, "Fortnox is asked for new supplier invoices" in told.output) == (0, True), told.output
    missing = await typed("purchase", "approve", "PO-9", *about[1:])
    assert (missing.exit_code, "There is no purchase order PO-9" in missing.output) == (1, True)


async def test_what_is_received_and_not_invoiced_is_listed_as_of_a_day_and_ties_to_its_account(shop: Shop, typed: Says) -> None:
    none = await typed("purchase", "uninvoiced", "-m", shop.merchant)
    assert (none.exit_code, "goods_received_not_invoiced_account" in none.output) == (1, True)
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    await bill(shop, LINE, date=f"{today()}")
    await match(shop, key)
    unmatched = await bill(shop, LINE | {"quantity": "4"}, date=f"{today()}")
    found = await shown(typed, "uninvoiced", "-m", shop.merchant)
    assert (found["value"], found["on_account"], found["unmatched"], found["gap"]) == ("40.00", "-40.00", "40.00", "0.00")
    [row] = found["rows"]
    assert (row["article_number"], row["quantity"], row["value"], row["days"]) == ("N", "4.0000", "40.00", 0)
    assert found["by_age"] == {"up to 30 days": "40.00"}
    await match(shop, key)
    assert unmatched and (await shown(typed, "uninvoiced", "-m", shop.merchant))["rows"] == []
    before = f"{datetime.now(UTC).date() - timedelta(days=2)}"
    assert (await shown(typed, "uninvoiced", "--as-of", before, "-m", shop.merchant))["value"] == "0"
    in_words = await typed("purchase", "uninvoiced", "-m", shop.merchant)
    assert "It ties." in in_words.output


async def test_landed_costs_and_returns_are_entered_once_with_actor_and_reason(shop: Shop, typed: Says) -> None:
    await buying(shop, "N", landed_cost_account=2491)
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    who = ["--by", "Kim", "--reason", "freight", "-m", shop.merchant]
    cost = ["purchase", "landed-cost", "LC-1", "--purchase", "PO-1", "--amount", "25.50", *who]
    assert "LC-1 is entered" in (await typed(*cost)).output
    assert "was entered before" in (await typed(*cost)).output
    unknown = await typed("purchase", "landed-cost", "LC-2", "--purchase", "PO-9", "--amount", "1", *who)
    assert (unknown.exit_code, "there is no purchase order PO-9" in unknown.output) == (1, True)
    wrong = await typed("purchase", "landed-cost", "LC-2", "--purchase", "PO-1", "--amount", "much", *who)
    assert (wrong.exit_code, "PURCHASE/RECEIPT/ROW=AMOUNT" in wrong.output) == (1, True)
    keyless = await typed(*cost[:2], "LC-3", *cost[3:7], "--key", "size", *who)
    assert (keyless.exit_code, "--key 'size' is none" in keyless.output) == (1, True)
    dearer = await typed(*[word if word != "25.50" else "26" for word in cost])
    assert (dearer.exit_code, "says something else" in dearer.output) == (1, True)
    below = await typed(*[{"LC-1": "LC-2", "25.50": "-5"}.get(word, word) for word in cost])
    assert (below.exit_code, "--amount -5: a landed cost is above zero" in below.output) == (1, True), below.output
    correction = [*[{"LC-1": "LC-2", "25.50": "-5"}.get(word, word) for word in cost], "--corrects", "LC-1"]
    early = await typed(*correction)
    assert (early.exit_code, "LC-1 is not booked yet" in early.output) == (1, True), early.output
    back = ["purchase", "return", "R-1", "--purchase", "PO-1", "--article", "N", "--quantity", "2", *who]
    assert "R-1 is entered" in (await typed(*back)).output
    assert "was entered before" in (await typed(*back)).output
    more = await typed(*[word if word != "2" else "3" for word in back])
    assert (more.exit_code, "says something else" in more.output) == (1, True)
    less = await typed(*[word if word != "2" else "-2" for word in back])
    assert (less.exit_code, "is not a number above zero" in less.output) == (1, True)
    nameless = await typed(*[word if word != "R-1" else "R-2" for word in back[:-6]], "--by", " ", "--reason", "x", *who[-2:])
    assert (nameless.exit_code, "both are kept" in nameless.output) == (1, True)
    await match(shop, key)
    entered = (await shown(typed, "show", "PO-1", "-m", shop.merchant))["entered"]
    assert [(each["document"], each["state"]) for each in entered] == [
        ("landed-cost/LC-1", "booked"),
        ("supplier-return/R-1", "booked"),
    ]
    assert (await shop.balances())["N"] == (8, Decimal("100.40"))
    assert "LC-2 is entered" in (await typed(*correction)).output
    assert "was entered before" in (await typed(*correction)).output
    other = await typed(*correction[:-2])
    assert (other.exit_code, "a landed cost is above zero" in other.output) == (1, True)
    await match(shop, key)
    assert (await shop.balances())["N"] == (8, Decimal("96.40"))


async def test_purchase_match_asks_fortnox_first_or_says_that_nothing_new_is_read(shop: Shop, typed: Says) -> None:
    await buying(shop, "N", match_supplier_invoices=False)
    await bought(shop, [ordered("N", 10, 10)], {1: 10})
    words = ("purchase", "match", "PO-1", "-m", shop.merchant)
    none = await typed(*words)
    assert (none.exit_code, "set match_supplier_invoices in its settings first" in none.output) == (1, True), none.output
    await buying(shop)
    asked = "select run_now_at is not null from bridge.entity where merchant_id = :m and flow = 'supplier-invoices'"
    told = "select count(*) from bridge.inbox where merchant_id = :m and document = 'PO-1' and source = 'supplier-invoice'"
    assert (await typed(*words)).exit_code == 0
    assert (await shop.read(asked), await shop.read(told)) == ([(True,)], [(1,)])
    async with shop.worker.database.merchant(shop.merchant) as session:
        await flows.switch(session, shop.merchant, SUPPLIER_INVOICES, False, "anna", "not yet")
    off = await typed(*words)
    assert off.exit_code == 0, off.output
    assert "Nothing new is read from Fortnox" in off.output and "lagerbro entity on supplier-invoices" in off.output


async def test_what_was_entered_and_is_not_booked_is_withdrawn_and_its_purchase_told(shop: Shop, typed: Says) -> None:
    await buying(shop, "N", landed_cost_account=2491)
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    who = ["--by", "Kim", "--reason", "a slip", "-m", shop.merchant]
    for number, quantity in (("R-1", "12"), ("R-2", "2")):
        back = ["purchase", "return", number, "--purchase", "PO-1", "--article", "N", "--quantity", quantity, *who]
        assert (await typed(*back)).exit_code == 0
    await look_past(shop, key)
    told = "select count(*) from bridge.inbox where merchant_id = :m and document = 'PO-1' and source = 'erp'"
    [(before,)] = await shop.read(told)
    assert "R-1 (return) is withdrawn" in (await typed("purchase", "withdraw", "R-1", *who)).output
    assert await shop.read(told) == [(before + 1,)]
    for number, words in (("R-1", "There is no landed cost"), ("R-2", "what is booked is not changed")):
        refused = await typed("purchase", "withdraw", number, *who)
        assert (refused.exit_code, words in refused.output) == (1, True), refused.output
    audit = "select actor, action, document, reason from bridge.audit where merchant_id = :m and action = 'withdraw'"
    assert await shop.read(audit) == [("Kim", "withdraw", "R-1", "a slip")]
