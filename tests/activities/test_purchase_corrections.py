"""Corrections of purchase orders in the books: what goods cost is corrected once, and shared by stock and what is sold."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.corrections import Asked
from activities.purchase_corrections import PurchaseCorrected, PurchaseCorrections
from starters.verify.check import Probe
from starters.verify.run import CHECKS, examine
from tests.activities.buying import (
    CLAIMS,
    OWED,
    SOLD,
    STOCK,
    accounts,
    bill,
    bought,
    buying,
    invoice_state,
    look,
    look_past,
    pool,
    sell,
)
from tests.activities.test_purchases import ordered
from tests.activities.world import Shop

D = Decimal
BOOKS = ("G1", "G2", "G3", "G4", "L1", "L2", "L3", "V2", "V3")
DIFFERENCE = 4990
AUDIT = """
    select actor, action, detail ->> 'approved_by' from bridge.audit
    where merchant_id = :m and kind = 'purchase-order' order by 1, 2"""


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def books_hold(shop: Shop) -> AsyncIterator[None]:
    """Whatever a test does, afterwards the books are as `verify` wants them."""
    yield
    async with shop.verify.everyone() as session:
        for check in CHECKS:
            if check.invariant in BOOKS and not isinstance(check, Probe):
                found = await examine(session, check, shop.merchant, set())
                assert not found.violations and found.why is None, found


async def ten_of_which_four_are_sold(shop: Shop, *others: Any, **settings: Any) -> Any:
    wanted = {"purchase_difference_account": DIFFERENCE, "match_supplier_invoices": False} | settings
    await buying(shop, "N", **wanted)
    key = await bought(shop, [ordered("N", 10, 10), *others], {1: 10, **{n: 4 for n, _ in enumerate(others, 2)}})
    await sell(shop, "N", 4)
    return key


def asked(shop: Shop, name: str = "correct_cost", key: str = "k-1", by: str = "anna", **content: Any) -> Asked:
    return Asked(shop.merchant, "PO-1", 1, name, by, "the freight was by hand", key, content)


async def done(shop: Shop, wanted: Asked) -> PurchaseCorrected:
    does = PurchaseCorrections(shop.worker.database, "test").correct_purchase
    return await ActivityEnvironment().run(does, wanted)


@pytest.mark.parametrize(
    ("content", "stock", "total"),
    [
        ({"receipt": "1/1", "unit_cost": "12"}, 12, 20),
        ({"receipt": "1/1", "amount": "-5,01"}, "-3.01", "-5.01"),
        ({"receipt": "1/1", "unit_cost": "0"}, -60, -100),
        ({"amount": "11"}, "6.6", 11),
    ],
)
async def test_what_is_here_takes_its_share_and_what_is_sold_the_rest_once(
    shop: Shop, content: dict[str, str], stock: Any, total: Any
) -> None:
    await ten_of_which_four_are_sold(shop)
    before = await accounts(shop)
    wanted = asked(shop, **content)
    answers = await asyncio.gather(*(done(shop, wanted) for _ in range(8)))
    assert sorted((each.refused, each.repeated) for each in answers) == [(None, False), *[(None, True)] * 7]
    after = await accounts(shop)
    assert {number: after.get(number, 0) - before.get(number, 0) for number in (STOCK, SOLD, DIFFERENCE, OWED)} == {
        STOCK: D(str(stock)), SOLD: D(str(total)) - D(str(stock)), DIFFERENCE: -D(str(total)), OWED: 0,
    }  # fmt: skip
    assert (await shop.read(AUDIT)) == [("anna", "correct_cost", None)]


async def test_an_amount_without_a_line_is_shared_by_all_that_came(shop: Shop) -> None:
    await ten_of_which_four_are_sold(shop, ordered("B", 4, "2.50"))
    await done(shop, asked(shop, amount="11"))
    late = "select article_number, amount, to_stock, to_sold from erp.late_cost where merchant_id = :m order by part_no"
    assert await shop.read(late) == [("B", 1, 1, 0), ("N", 10, 6, 4)]


async def test_two_corrections_follow_each_other(shop: Shop) -> None:
    await ten_of_which_four_are_sold(shop)
    await done(shop, asked(shop, receipt="1/1", unit_cost="12"))
    again = await done(shop, asked(shop, receipt="1/1", unit_cost="12", key="k-2"))
    assert again.refused == "receipt line 1/1 costs 12 a piece already"
    back = await done(shop, asked(shop, receipt="1/1", unit_cost="10", key="k-3"))
    assert back.words == "20.00 SEK cheaper: -12.00 on what is here, -8.00 on what is sold, against account 4990"
    assert await pool(shop, "N") == (6, 60)
    assert DIFFERENCE not in await accounts(shop)


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        ({"receipt": "7/1", "unit_cost": "12"}, {}, "no receipt line 7/1"),
        ({"receipt": "1/1", "amount": "-100.01"}, {}, "cannot become 100.01 cheaper"),
        ({"amount": "5"}, {"purchase_difference_account": None}, "say against which account"),
        ({"amount": "5", "account": f"{STOCK}"}, {}, "give another account"),
        ({"amount": "5", "account": f"{SOLD}"}, {}, "give another account"),
        ({"amount": "5", "account": f"{OWED}"}, {}, "give another account"),
        ({"receipt": "1/1", "unit_cost": "12"}, {"match_supplier_invoices": True}, "awaits its invoice"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words_and_leaves_no_trace(
    shop: Shop, content: dict[str, str], settings: dict[str, Any], words: str
) -> None:
    await ten_of_which_four_are_sold(shop, **settings)
    refused = await done(shop, asked(shop, **content))
    assert words in (refused.refused or "")
    assert await shop.read("select count(*) from erp.late_cost where merchant_id = :m") == [(0,)]
    assert await shop.read(AUDIT) == []


async def test_goods_that_did_not_come_have_no_cost_to_correct(shop: Shop) -> None:
    await buying(shop, "N", purchase_difference_account=DIFFERENCE)
    await bought(shop, [ordered("N", 10, 10)])
    assert (await done(shop, asked(shop, amount="5"))).refused == "nothing of it has come in whose cost could be corrected"


async def test_what_an_invoice_has_said_may_be_corrected_too(shop: Shop) -> None:
    await buying(shop, "N", purchase_difference_account=DIFFERENCE, supplier_claims_account=CLAIMS)
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    await bill(shop, {"article": "N", "quantity": "10", "price": "10"})
    assert (await look(shop, key)).outcome == "invoiced"
    assert not (await done(shop, asked(shop, receipt="1/1", unit_cost="9"))).refused
    assert (await pool(shop, "N"), await accounts(shop)) == ((10, 90), {STOCK: 90, DIFFERENCE: 10, OWED: -100})


async def test_above_the_limit_nothing_is_done_before_a_second_person_says_yes_once(shop: Shop) -> None:
    await ten_of_which_four_are_sold(shop, second_person_above=15)
    wanted = asked(shop, receipt="1/1", unit_cost="12")
    assert [(await done(shop, wanted)).second_person for _ in range(2)] == [True, True]
    other = await done(shop, asked(shop, receipt="1/1", unit_cost="13"))
    assert "used for another correction" in (other.refused or "")
    yes = asked(shop, "approve_correction", by="bo")
    same = await done(shop, asked(shop, "approve_correction", by="Anna "))
    assert "another person must approve" in (same.refused or "")
    nothing = await done(shop, asked(shop, "approve_correction", "k-9", by="bo"))
    assert nothing.refused == "nothing waits for approval under k-9"
    assert await pool(shop, "N") == (6, 60)
    answers = await asyncio.gather(*(done(shop, yes) for _ in range(4)))
    assert sorted((each.refused, each.repeated) for each in answers) == [(None, False), *[(None, True)] * 3]
    assert await pool(shop, "N") == (6, 72)
    assert await shop.read(AUDIT) == [("anna", "correct_cost", "bo"), ("anna", "correct_cost requested", None)]
    small = await done(shop, asked(shop, amount="15", key="k-3"))
    assert (small.second_person, small.refused) == (False, None)


@pytest.mark.parametrize(("name", "second"), [("approve", True), ("reject", False)])
async def test_a_large_invoice_that_differs_is_approved_by_two_and_rejected_by_one(shop: Shop, name: str, second: bool) -> None:
    await buying(shop, "N", second_person_above=100)
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    number = await bill(shop, {"article": "N", "quantity": "10", "price": "12"})
    await look_past(shop, key)
    unknown = await done(shop, asked(shop, name, "k-0", invoice=number + 7))
    assert "no such invoice" in (unknown.refused or "")
    assert (await done(shop, asked(shop, name, invoice=number))).second_person is second
    if second:
        assert (await invoice_state(shop, number))[0] == "waiting"
        approved = await done(shop, asked(shop, "approve_correction", by="bo"))
        assert approved.words == f"supplier invoice {number} of purchase order PO-1: approve by anna"
        assert (await look(shop, key)).outcome == "invoiced"
    else:
        assert (await invoice_state(shop, number))[0] == "rejected"


async def test_closing_what_much_was_expected_of_needs_two(shop: Shop) -> None:
    await buying(shop, "N", second_person_above=50)
    await bought(shop, [ordered("N", 10, 10)], {1: 4})
    closed = "select closed_by from erp.purchase_order where merchant_id = :m"
    asked_for = await done(shop, asked(shop, "close_short"))
    assert (asked_for.second_person, asked_for.words) == (True, "60.00 SEK is above the limit of 50")
    assert await shop.read(closed) == [(None,)]
    assert not (await done(shop, asked(shop, "approve_correction", by="bo"))).refused
    assert await shop.read(closed) == [("anna",)]
