"""Supplier invoices: what was ordered, received and billed are laid on each other to the öre, each once, whatever happens."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from clients.errors import Unreadable
from domain.errors import Refused
from erp import ledger
from erp import supplier_invoices as kept
from erp.supplier_invoices import ReadInvoice, ReadLine
from starters.verify.check import Probe
from starters.verify.run import CHECKS, examine
from tests.activities.buying import (
    CLAIMS,
    LANDED,
    LOSS,
    OWED,
    SOLD,
    STOCK,
    accounts,
    bill,
    bought,
    buying,
    decide,
    edit,
    enter,
    invoice_state,
    look,
    match,
    owed,
    pool,
    rate,
    read,
    sell,
    today,
)
from tests.activities.test_purchases import calm, change, floor, notes, ordered, status
from tests.activities.world import HOW_OFTEN, Shop, again, new_shop
from tests.erp.data import insert

D = Decimal
BOOKS = ("G1", "G2", "G3", "G4", "L1", "L2", "L3", "V2", "V3")
EUR = {"currency": "EUR", "rate": "11.40"}


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def books_hold(shop: Shop) -> AsyncIterator[None]:
    """Whatever a test does, afterwards the books are as `verify` wants them."""
    yield
    async with shop.verify.everyone() as session:
        for check in CHECKS:
            if check.invariant in BOOKS and not isinstance(check, Probe):
                found = await examine(session, check, shop.merchant, set())
                assert not found.violations and found.why is None, found


def line(article: str, quantity: Any, price: Any, **more: Any) -> dict[str, Any]:
    return {"article": article, "quantity": str(quantity), "price": str(price)} | more


async def received(shop: Shop, quantity: Any = 100, came: Any = None, **settings: Any) -> Any:
    """100 pieces of a new article at EUR 10 and 11.20; so many have come."""
    await buying(shop, "N", **settings)
    await rate(shop, "11.20")
    return await bought(shop, [ordered("N", quantity, 10)], {1: came or quantity}, currency="EUR")


@pytest.mark.parametrize("often", HOW_OFTEN)
async def test_an_invoice_at_another_price_and_rate_corrects_stock_and_what_is_sold_once(shop: Shop, often: Any) -> None:
    key = await received(shop)
    await sell(shop, "N", 40)
    assert await pool(shop, "N") == (60, 6720)
    number = await bill(shop, line("N", 100, "10.50"), **EUR)
    with pytest.raises(Refused, match=r"price differs by 570.00 of 11200.00 \(5.09 %\)") as waits:
        await match(shop, key)
    assert waits.value.code == "supplier-invoice-to-decide"
    assert await invoice_state(shop, number) == ("waiting", "price_diff")
    await decide(shop, number)
    await often(shop.workers, lambda worker: worker.supplier_invoices.match_purchase, key)
    assert await invoice_state(shop, number) == ("booked", "price_diff")
    assert await pool(shop, "N") == (60, 7182)
    assert await accounts(shop) == {STOCK: 7182, OWED: -11970, SOLD: 4788}
    assert await owed(shop) == 0
    assert await status(shop) == "invoiced"
    audit = "select actor, action, reason from bridge.audit where merchant_id = :m and kind = 'supplier-invoice'"
    assert await shop.read(audit) == [("anna", "approve-supplier-invoice", "agreed")]


async def test_several_part_invoices_each_correct_what_is_still_here(shop: Shop) -> None:
    """The worked table of part invoices: 100 at 112.00, 40 sold, 60 at 119.70, 30 sold, 40 at 110.00."""
    await buying(shop, "N", invoice_tolerance_percent=100, invoice_tolerance_row=10_000)
    key = await bought(shop, [ordered("N", 100, 112)], {1: 100})
    await sell(shop, "N", 40)
    await bill(shop, line("N", 60, "119.70"))
    assert (await look(shop, key)).outcome is None
    assert (await pool(shop, "N"), await owed(shop)) == ((60, D("6997.20")), -4480)
    assert (await accounts(shop))[SOLD] == D("4664.80")
    await sell(shop, "N", 30, "SO-2")
    assert await pool(shop, "N") == (30, D("3498.60"))
    await bill(shop, line("N", 40, "110"))
    assert (await look(shop, key)).outcome == "invoiced"
    assert (await pool(shop, "N"), await owed(shop)) == ((30, D("3474.60")), 0)
    assert (await accounts(shop))[SOLD] == D("8107.40")


async def test_what_is_billed_and_not_here_is_a_claim_that_a_credit_note_settles(shop: Shop) -> None:
    key = await received(shop, 100, 98, close_purchase_short="at-deviation", supplier_claims_account=CLAIMS)
    await floor(shop, "finish")
    await look(shop, key)
    number = await bill(shop, line("N", 100, "10.50"), **EUR)
    with pytest.raises(Refused, match=r"2 of article N are billed and not here, 239\.40"):
        await match(shop, key)
    await decide(shop, number)
    await match(shop, key)
    booking = "select cleared, rate, price, claimed, value from erp.purchase_booking where merchant_id = :m order by booked_at"
    assert await shop.read(booking) == [(D("10976"), D("196.00"), D("558.60"), D("239.40"), D("11970"))]
    assert await accounts(shop) == {STOCK: D("11730.60"), CLAIMS: D("239.40"), OWED: -11970}
    assert (await owed(shop), await status(shop)) == (0, "received")
    await bill(shop, line("N", -2, "10.50"), **EUR)
    assert (await match(shop, key)).outcome == "invoiced"
    assert (await owed(shop), await owed(shop, CLAIMS)) == (0, 0)
    assert (await accounts(shop))[OWED] == D("-11730.60")


async def test_a_late_delivery_settles_a_claim_at_the_price_that_was_billed(shop: Shop) -> None:
    key = await received(shop, 100, 98, close_purchase_short="at-deviation")
    await floor(shop, "finish")
    await look(shop, key)
    await decide_after_refusal(shop, key, await bill(shop, line("N", 100, "10.50"), **EUR))
    assert await owed(shop) == D("239.40")
    await floor(shop, "receive", {1: 2})
    assert (await look(shop, key)).outcome == "invoiced"
    assert (await owed(shop), await pool(shop, "N")) == (0, (100, 11970))


async def decide_after_refusal(shop: Shop, key: Any, number: int) -> None:
    with pytest.raises(Refused):
        await match(shop, key)
    await decide(shop, number)
    await match(shop, key)


@pytest.mark.parametrize("often", HOW_OFTEN)
async def test_an_invoice_before_the_goods_waits_and_is_matched_when_they_come(shop: Shop, often: Any) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)])
    number = await bill(shop, line("N", 10, 10))
    assert (await calm(shop, key)).to_match
    await match(shop, key)
    assert await invoice_state(shop, number) == ("parked", "not_received")
    await floor(shop, "receive")
    assert (await calm(shop, key)).to_match
    state = await often(shop.workers, lambda worker: worker.supplier_invoices.match_purchase, key)
    assert (state.outcome, await status(shop)) == ("invoiced", "invoiced")
    assert (await owed(shop), await accounts(shop)) == (0, {STOCK: 100, OWED: -100})


async def test_what_is_billed_before_all_has_come_waits_for_the_rest(shop: Shop) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 4})
    number = await bill(shop, line("N", 10, 10))
    await match(shop, key)
    assert await invoice_state(shop, number) == ("parked", "not_received")
    await floor(shop, "receive", {1: 6})
    assert (await look(shop, key)).outcome == "invoiced"


async def test_an_invoice_without_articles_is_matched_by_its_total(shop: Shop) -> None:
    await buying(shop, "N", "M")
    key = await bought(shop, [ordered("N", 10, 10), ordered("M", 5, 4)], {1: 10, 2: 5})
    await bill(shop, {"amount": "121.00", "text": "enligt order"})
    assert (await match(shop, key)).outcome == "invoiced"
    assert (await pool(shop, "N"), await pool(shop, "M")) == ((10, D("100.83")), (5, D("20.17")))


async def test_the_rate_difference_goes_to_the_exchange_account_by_policy(shop: Shop) -> None:
    key = await received(shop, rate_difference_at_invoice="exchange-account", invoice_tolerance_percent=10)
    await sell(shop, "N", 40)
    await decide_after_refusal(shop, key, await bill(shop, line("N", 100, "10.50"), **EUR))
    assert await accounts(shop) == {STOCK: 7062, OWED: -11970, SOLD: 4708, LOSS: 200}
    assert await owed(shop) == 0


async def test_an_invoice_is_never_guessed_onto_one_of_two_purchases(shop: Shop) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 10, 10)], {1: 10})
    await bought(shop, [ordered("N", 10, 10)], {1: 10}, "PO-2")
    both = await bill(shop, line("N", 10, 10), purchase="PO-1, PO-2")
    none = await bill(shop, line("N", 10, 10), purchase="Anna")
    assert [await invoice_state(shop, n) for n in (both, none)] == [("no-purchase", None)] * 2
    assert await notes(shop) == ["supplier-invoice-without-purchase"] * 2
    await edit(shop, both, purchase="PO-2")
    assert await invoice_state(shop, both) == ("parked", None)
    assert await notes(shop) == ["supplier-invoice-without-purchase"]


async def test_an_invoice_that_names_a_purchase_and_is_coded_elsewhere_is_told_to_the_accountant(shop: Shop) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 10, 10)], {1: 10})
    await bill(shop, line("N", 10, 10, account=4010))
    await bill(shop, {"account": 6570, "amount": 900}, purchase="hyra")
    assert await notes(shop) == ["supplier-invoice-not-on-account"]
    assert await shop.read("select count(*) from erp.supplier_invoice where merchant_id = :m") == [(1,)]


async def test_a_purchase_that_the_erp_enters_after_its_invoice_is_found(shop: Shop) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 1, 1)], number="PO-0")
    number = await bill(shop, line("N", 10, 10))
    assert await invoice_state(shop, number) == ("no-purchase", None)
    await bought(shop, [ordered("N", 10, 10)], {1: 10})
    assert await read(shop) == 1
    assert (await invoice_state(shop, number), await notes(shop)) == (("parked", None), [])


async def test_the_suppliers_number_twice_waits_for_a_person(shop: Shop) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 20, 10)], {1: 20})
    await bill(shop, line("N", 10, 10), invoiceNumber="F-1")
    again_ = await bill(shop, line("N", 10, 10), invoiceNumber="F-1")
    with pytest.raises(Refused, match="invoiced before"):
        await match(shop, key)
    assert await invoice_state(shop, again_) == ("waiting", "duplicate")
    await decide(shop, again_, reject=True)
    await match(shop, key)
    assert (await invoice_state(shop, again_))[0] == "rejected"
    assert await status(shop) == "received"


async def test_another_currency_cannot_be_approved_only_mended(shop: Shop) -> None:
    key = await received(shop)
    number = await bill(shop, line("N", 100, 10), currency="USD", rate="11.20")
    with pytest.raises(Refused, match="it is in USD, the purchase is in EUR"):
        await match(shop, key)
    with pytest.raises(Refused, match="cannot be approved"):
        await decide(shop, number)
    await edit(shop, number, line("N", 100, 10), currency="EUR", rate="11.20")
    assert (await look(shop, key)).outcome == "invoiced"


async def test_a_rate_of_one_for_euro_is_not_believed(shop: Shop) -> None:
    key = await received(shop)
    await bill(shop, line("N", 100, 10), currency="EUR", rate="1")
    with pytest.raises(Refused, match="its rate 1 makes"):
        await match(shop, key)
    assert await pool(shop, "N") == (100, 11200)


@pytest.mark.parametrize("often", HOW_OFTEN)
async def test_an_invoice_changed_after_it_was_matched_is_taken_back_and_matched_again(shop: Shop, often: Any) -> None:
    key = await received(shop, invoice_tolerance_percent=100, invoice_tolerance_row=10_000)
    await sell(shop, "N", 40)
    number = await bill(shop, line("N", 100, "10.50"), **EUR)
    await match(shop, key)
    await edit(shop, number, line("N", 100, "10.20"), currency="EUR", rate="11.00")
    await often(shop.workers, lambda worker: worker.supplier_invoices.match_purchase, key)
    assert await invoice_state(shop, number) == ("booked", "within_tolerance")
    assert await accounts(shop) == {STOCK: 6732, OWED: -11220, SOLD: 4488}
    assert (await owed(shop), await notes(shop)) == (0, ["supplier-invoice-changed"])
    kinds = "select step, kind from erp.purchase_booking where merchant_id = :m order by step"
    assert await shop.read(kinds) == [(1, "match"), (2, "reversal"), (3, "match")]
    await edit(shop, number, cancelled=True)
    await often(shop.workers, lambda worker: worker.supplier_invoices.match_purchase, key)
    assert await accounts(shop) == {STOCK: 6720, OWED: -11200, SOLD: 4480}
    assert (await invoice_state(shop, number))[0] == "cancelled"
    assert (await status(shop), await owed(shop)) == ("received", -11200)


async def test_an_invoice_that_is_moved_to_another_purchase_is_booked_on_one_of_them_whoever_is_first(shop: Shop) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    other = await bought(shop, [ordered("N", 10, 10)], {1: 10}, "PO-2")
    number = await bill(shop, line("N", 10, 10))
    assert (await match(shop, key)).outcome == "invoiced"
    await edit(shop, number, purchase="PO-2")
    assert (await match(shop, other)).outcome is None
    assert (await match(shop, key)).outcome is None
    assert [await status(shop, each) for each in ("PO-1", "PO-2")] == ["received", "received"]
    assert (await match(shop, other)).outcome == "invoiced"
    assert (await invoice_state(shop, number), await owed(shop)) == (("booked", "matched"), -100)


async def test_a_credit_note_opens_what_it_takes_back_and_its_cost_follows(shop: Shop) -> None:
    key = await received(shop, invoice_tolerance_percent=100, invoice_tolerance_row=10_000)
    await sell(shop, "N", 40)
    first = await bill(shop, line("N", 100, "10.50"), **EUR)
    await match(shop, key)
    await shop.call_fortnox("PUT", f"supplierinvoices/{first}/credit")
    await shop.call_fortnox("PUT", f"supplierinvoices/{first + 1}/bookkeep")
    await read(shop)
    await match(shop, key)
    assert await invoice_state(shop, first + 1) == ("booked", "matched")
    assert await accounts(shop) == {STOCK: 6720, OWED: -11200, SOLD: 4480}
    assert (await status(shop), await owed(shop)) == ("received", -11200)
    await bill(shop, line("N", 100, "10.20"), **EUR)
    assert (await match(shop, key)).outcome == "invoiced"
    assert await owed(shop) == 0


async def test_a_credit_note_that_is_read_before_its_invoice_waits_for_it(shop: Shop) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    early = await bill(shop, line("N", 10, 10), book=False)
    credit = await bill(shop, line("N", -4, 10))
    assert (await match(shop, key)).outcome is None
    assert await invoice_state(shop, credit) == ("parked", "qty_over")
    await shop.call_fortnox("PUT", f"supplierinvoices/{early}/bookkeep")
    await read(shop)
    await match(shop, key)
    assert [(await invoice_state(shop, n))[0] for n in (early, credit)] == ["booked", "booked"]
    assert (await owed(shop), await status(shop)) == (-40, "received")


async def test_what_is_credited_for_nothing_is_a_difference_if_a_person_agrees(shop: Shop) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    await bill(shop, line("N", 10, 10))
    assert (await match(shop, key)).outcome == "invoiced"
    number = await bill(shop, {"amount": "-7.50", "text": "bonus"}, line("X", -1, 5))
    with pytest.raises(Refused, match="1 of article X are credited, 0 were invoiced"):
        await match(shop, key)
    await decide(shop, number)
    assert (await match(shop, key)).outcome == "invoiced"
    assert (await accounts(shop), await owed(shop)) == ({STOCK: 100, OWED: -87.5, SOLD: -12.5}, 0)


async def test_what_the_warehouse_takes_back_after_the_invoice_is_a_claim(shop: Shop) -> None:
    await buying(shop, "N", close_purchase_short="at-deviation")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 7})
    await floor(shop, "receive", {1: 3})
    await look(shop, key)
    number = await bill(shop, line("N", 10, 10))
    assert (await match(shop, key)).outcome == "invoiced"
    await floor(shop, "undo-receive")
    with pytest.raises(Refused, match=r"3 of article N are billed and not here, 30\.00"):
        await look(shop, key)
    assert await invoice_state(shop, number) == ("waiting", "qty_over")
    await decide(shop, number)
    await match(shop, key)
    assert (await pool(shop, "N"), await owed(shop), await status(shop)) == ((7, 70), 30, "received")


@pytest.mark.parametrize("often", HOW_OFTEN)
async def test_freight_is_laid_on_what_it_brought_home_and_split_by_what_is_still_here(shop: Shop, often: Any) -> None:
    """The worked table: 1 000.00 over lines worth 11 200, 4 480 and 2 000, of which 0.6, all and nothing is still here."""
    await buying(shop, "N", "M", "K", landed_cost_account=LANDED)
    lines = [ordered("N", 100, 112), ordered("M", 40, 112), ordered("K", 20, 100)]
    key = await bought(shop, lines, {1: 100, 2: 40, 3: 20})
    await sell(shop, "N", 40)
    await sell(shop, "K", 20, "SO-2")
    await enter(shop, "landed_cost", landed_cost_number="LC-1", purchases=["PO-1"], amount=D(1000), allocation_key="value")
    assert (await calm(shop, key)).to_match
    await often(shop.workers, lambda worker: worker.supplier_invoices.match_purchase, key)
    assert [await pool(shop, each) for each in "NMK"] == [(60, D("7100.09")), (40, D("4733.40")), (0, 0)]
    split = "select amount, to_stock, to_sold from erp.late_cost where merchant_id = :m order by article_number desc"
    assert await shop.read(split) == [
        (D("633.48"), D("380.09"), D("253.39")),
        (D("253.40"), D("253.40"), D("0.00")),
        (D("113.12"), D("0.00"), D("113.12")),
    ]
    assert await accounts(shop) == {STOCK: D("11833.49"), OWED: -17680, LANDED: -1000, SOLD: D("6846.51")}


async def test_an_invoice_row_on_the_account_of_landed_cost_is_one(shop: Shop) -> None:
    await buying(shop, "N", "M", landed_cost_account=LANDED, landed_cost_key="quantity")
    key = await bought(shop, [ordered("N", 30, 10)], {1: 30})
    other = await bought(shop, [ordered("M", 10, 10)], {1: 10}, "PO-2")
    await bill(shop, {"account": LANDED, "amount": 100}, purchase="PO-1 PO-2", supplierNumber="FRAKT")
    await match(shop, key)
    await match(shop, other)
    assert (await pool(shop, "N"), await pool(shop, "M")) == ((30, 375), (10, 125))
    assert await owed(shop, LANDED) == 0
    assert await status(shop) == "received"


async def test_a_landed_cost_that_cannot_be_laid_on_the_goods_names_what_is_missing(shop: Shop) -> None:
    await buying(shop, "N", landed_cost_account=LANDED)
    key = await bought(shop, [ordered("N", 30, 10)], {1: 30})
    await enter(shop, "landed_cost", landed_cost_number="LC-1", purchases=["PO-1"], amount=D(10), allocation_key="weight")
    with pytest.raises(Refused, match="landed cost LC-1: article N of PO-1 has no weight"):
        await match(shop, key)
    await enter(
        shop,
        "landed_cost",
        landed_cost_number="LC-2",
        purchases=["PO-1"],
        amount=D(10),
        allocation_key="hand",
        parts='{"PO-1/1/1": "10.00"}',
    )
    with pytest.raises(Refused, match="LC-1"):
        await match(shop, key)
    assert await pool(shop, "N") == (30, 310)


@pytest.mark.parametrize("often", HOW_OFTEN)
async def test_goods_sent_back_leave_at_the_average_and_the_credit_note_settles_them(shop: Shop, often: Any) -> None:
    await buying(shop, "N", supplier_claims_account=CLAIMS, invoice_tolerance_percent=100)
    key = await bought(shop, [ordered("N", 10, 32), ordered("N", 10, 48)], {1: 10, 2: 10})
    await bill(shop, line("N", 10, 32), line("N", 10, 48))
    assert (await match(shop, key)).outcome == "invoiced"
    await enter(
        shop, "supplier_return", supplier_return_number="R-1", purchase_order_number="PO-1", article_number="N", quantity=4
    )
    assert (await calm(shop, key)).to_match
    await often(shop.workers, lambda worker: worker.supplier_invoices.match_purchase, key)
    assert (await pool(shop, "N"), await status(shop)) == ((16, 640), "received")
    await bill(shop, line("N", -4, 48))
    assert (await match(shop, key)).outcome == "invoiced"
    assert await accounts(shop) == {STOCK: 640, OWED: -608, SOLD: -32}
    assert (await owed(shop), await owed(shop, CLAIMS)) == (0, 0)


async def test_goods_sent_back_before_the_invoice_that_leaves_them_out_are_settled_with_it(shop: Shop) -> None:
    await buying(shop, "N", supplier_claims_account=CLAIMS)
    key = await bought(shop, [ordered("N", 10, 32), ordered("N", 10, 48)], {1: 10, 2: 10})
    await enter(
        shop, "supplier_return", supplier_return_number="R-1", purchase_order_number="PO-1", article_number="N", quantity=4
    )
    assert (await match(shop, key)).outcome is None
    assert await accounts(shop) == {STOCK: 640, OWED: -800, CLAIMS: 160}
    await bill(shop, line("N", 10, 32), line("N", 6, 48))
    assert (await match(shop, key)).outcome == "invoiced"
    assert await accounts(shop) == {STOCK: 640, OWED: -608, SOLD: -32}
    assert (await owed(shop), await owed(shop, CLAIMS)) == (0, 0)


async def test_no_more_can_be_sent_back_than_is_here(shop: Shop) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 32)], {1: 10})
    await enter(
        shop, "supplier_return", supplier_return_number="R-1", purchase_order_number="PO-1", article_number="N", quantity=11
    )
    with pytest.raises(Refused, match="11 of article N; 10 came, 10 are here"):
        await match(shop, key)


async def test_an_outage_while_reading_misses_nothing(shop: Shop) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 10, 10)], {1: 10})
    first = await bill(shop, line("N", 4, 10))
    body = {"tenantId": shop.tenant, "purchase": "PO-1", "invoiceNumber": "F-9"}
    made = await shop.fortnox("POST", "supplier-invoices", body | {"lines": [{"account": OWED} | line("N", 6, 10)]})
    async with shop.fortnox.faults(
        {"id": "f-1", "route": "GET /3/supplierinvoices/*", "kind": "http", "count": 2, "params": {"status": 503}}
    ):
        await again(shop.worker.supplier_invoices.read_supplier_invoices, shop.merchant)
    assert [await invoice_state(shop, n) for n in (first, int(made["GivenNumber"]))] == [("parked", None)] * 2


async def test_a_reading_that_was_cut_off_goes_on_and_counts_from_when_it_began(shop: Shop) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 10, 10)], {1: 10})
    body = {"tenantId": shop.tenant, "purchase": "PO-1", "lines": [{"account": OWED} | line("N", 1, 10)]}
    for n in range(3):
        await shop.fortnox("POST", "supplier-invoices", body | {"invoiceNumber": f"F-{n}"})
    began = datetime.now(UTC) - timedelta(hours=60)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_details=[2, began.isoformat()])
    assert await environment.run(shop.worker.supplier_invoices.read_supplier_invoices, shop.merchant) == 1
    mark = "select watermark from bridge.entity where merchant_id = :m and flow = 'supplier-invoices'"
    assert await shop.read(mark) == [(began,)]
    assert await read(shop) == 2


async def test_without_the_setting_a_purchase_ends_when_it_is_received(shop: Shop) -> None:
    await buying(shop, "N", match_supplier_invoices=False)
    key = await bought(shop, [ordered("N", 10, 10)])
    await floor(shop, "receive")
    assert (await calm(shop, key)).outcome == "completed"
    assert await read(shop) == 0


async def test_an_invoice_that_is_not_booked_waits_until_it_is(shop: Shop) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    number = await bill(shop, line("N", 10, 10), book=False)
    assert await invoice_state(shop, number) == ("unbooked", None)
    await shop.call_fortnox("PUT", f"supplierinvoices/{number}/bookkeep")
    await read(shop)
    assert (await match(shop, key)).outcome == "invoiced"


# --- other styles and methods -----------------------------------------------------------------------------------------


async def test_with_purchases_expensed_only_the_change_of_stock_is_ours(shop: Shop) -> None:
    style = {"posting_style": "purchases-expensed", "goods_received_not_invoiced_account": None, "purchase_account": 4010}
    key = await received(shop, **style)
    await sell(shop, "N", 40)
    await decide_after_refusal(shop, key, await bill(shop, line("N", 100, "10.50", account=4010), **EUR))
    assert await accounts(shop) == {STOCK: 7182, SOLD: -7182}
    assert await owed(shop, 4010) + await owed(shop, SOLD) == 4788


@pytest_asyncio.fixture(loop_scope="session")
async def bare(shop: Shop) -> Shop:
    """A merchant that has never had stock: only then is the costing method chosen."""
    with_url = (shop.ongoing, shop.fortnox, shop.keys, shop.app_url)
    return await new_shop(shop.erp, shop.verify, shop.workers, *with_url, opening=False)


async def test_with_layers_a_late_cost_follows_its_layer(bare: Shop) -> None:
    await buying(bare, "N", costing_method="fifo", invoice_tolerance_percent=100, invoice_tolerance_row=1000)
    await bought(bare, [ordered("N", 50, 100)], {1: 50}, "PO-0")
    key = await bought(bare, [ordered("N", 100, 112)], {1: 100})
    await sell(bare, "N", 90)
    await bill(bare, line("N", 100, "119.70"))
    assert (await match(bare, key)).outcome == "invoiced"
    assert await pool(bare, "N") == (60, 7182)
    assert (await accounts(bare))[SOLD] == 5000 + 4480 + 308


async def test_at_a_set_price_what_an_invoice_makes_dearer_is_a_price_difference(bare: Shop) -> None:
    more = {"invoice_tolerance_percent": 100, "invoice_tolerance_row": 1000}
    await buying(bare, "N", costing_method="latest-price", price_difference_account=4980, **more)
    key = await bought(bare, [ordered("N", 10, 10)], {1: 10})
    await bill(bare, line("N", 10, 12))
    assert (await match(bare, key)).outcome == "invoiced"
    assert await accounts(bare) == {STOCK: 100, OWED: -120, 4980: 20}


async def nothing_invoiced(shop: Shop, quantity: int) -> bool:
    return await shop.read("select quantity from erp.received_not_invoiced where merchant_id = :m") == [(quantity,)]


async def test_a_changed_invoice_that_is_rejected_at_once_is_taken_back_all_the_same(shop: Shop) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    number = await bill(shop, line("N", 10, "10.10"))
    await match(shop, key)
    assert await pool(shop, "N") == (10, 101)
    await edit(shop, number, line("N", 10, 12))
    await decide(shop, number, reject=True)
    await match(shop, key)
    assert await invoice_state(shop, number) == ("rejected", None)
    assert (await pool(shop, "N"), await nothing_invoiced(shop, 10)) == ((10, 100), True)


@pytest.mark.parametrize("came", [10, 8])
async def test_a_credit_note_numbered_before_its_invoice_is_taken_back_with_it(shop: Shop, came: int) -> None:
    """Of goods that are here, or of a claim for goods that are not."""
    await buying(shop, "N", supplier_claims_account=CLAIMS, close_purchase_short="at-deviation")
    key = await bought(shop, [ordered("N", 10, 10)], {1: came})
    await floor(shop, "finish")
    await calm(shop, key)
    credit = await bill(shop, line("N", -2, 10))
    with pytest.raises(Refused, match="2 of article N are credited, 0 were invoiced"):
        await match(shop, key)
    number = await bill(shop, line("N", 10, 10))
    with suppress(Refused):
        await match(shop, key)
    if came == 8:
        await decide(shop, number)
        await match(shop, key)
    assert [(await invoice_state(shop, each))[0] for each in (credit, number)] == ["booked", "booked"]
    await edit(shop, number, cancelled=True)
    with pytest.raises(Refused, match="2 of article N are credited, 0 were invoiced"):
        await match(shop, key)
    assert await nothing_invoiced(shop, came)
    claims = "select sum(quantity), sum(value) from erp.claim where merchant_id = :m having sum(quantity) <> 0"
    assert await shop.read(claims) == []


async def test_a_decision_about_a_credit_note_falls_with_what_it_credited(shop: Shop) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    number = await bill(shop, line("N", 10, 10))
    await match(shop, key)
    credit = await bill(shop, line("N", -2, 9))
    with pytest.raises(Refused, match="otherwise than invoiced"):
        await match(shop, key)
    await decide(shop, credit)
    await match(shop, key)
    await edit(shop, number, line("N", 10, 15))
    with pytest.raises(Refused, match="the price differs"):
        await match(shop, key)
    assert [(await invoice_state(shop, each))[0] for each in (number, credit)] == ["waiting", "parked"]
    assert await nothing_invoiced(shop, 10)


async def test_a_price_the_erp_changed_after_the_receipt_is_a_price_and_no_rate(shop: Shop) -> None:
    """Goods in the books' own currency have no rate to differ by, and what was agreed anew is cost, not an exchange loss."""
    await buying(shop, "N", rate_difference_at_invoice="exchange-account")
    key = await bought(shop, [ordered("N", 100, 10), ordered("A", 1, 1)], {1: 100})
    await change(shop, "update erp.purchase_order_line set unit_price = 11 where merchant_id = :m and article_number = 'N'")
    number = await bill(shop, line("N", 100, 11))
    await match(shop, key)
    assert await invoice_state(shop, number) == ("booked", "matched")
    assert await shop.read("select rate, price from erp.purchase_booking where merchant_id = :m") == [(0, 100)]
    assert await pool(shop, "N") == (100, 1100)


@pytest.mark.parametrize("parts", ['{"PO-1/1/1": "abc"}', "[1]", "null", '{"PO-1/1/1": null}', '{"PO-1/1/1": "1e400"}', '"x"'])
async def test_parts_by_hand_that_are_no_amounts_are_named_and_hold_nothing_up(shop: Shop, parts: str) -> None:
    await buying(shop, "N")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    number = await bill(shop, line("N", 10, 10))
    async with shop.erp.everyone() as session:
        statement = """insert into erp.landed_cost (merchant_id, landed_cost_number, purchases, amount, allocation_key, parts,
          account, entered_by, reason) values (:m, 'L1', array['PO-1'], 10, 'hand', cast(:p as jsonb), 2491, 'a', 'b')"""
        await session.execute(text(statement), {"m": shop.merchant, "p": parts})
    with pytest.raises(Refused, match="landed cost L1: "):
        await match(shop, key)
    assert (await invoice_state(shop, number))[0] == "booked"


@pytest.mark.parametrize("purchases", ["array['PO-1', null]", "array[array['PO-1']]", "'[2:2]={PO-1}'::text[]", "array['NO']"])
async def test_a_landed_cost_names_purchases_in_a_plain_list(shop: Shop, purchases: str) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 10, 10)], {1: 10})
    statement = f"""insert into erp.landed_cost (merchant_id, landed_cost_number, purchases, amount, entered_by, reason)
      values (:m, 'L1', {purchases}, 10, 'a', 'b')"""
    with pytest.raises(Exception, match="landed cost L1: "):
        await change(shop, statement)


@pytest.mark.parametrize("table", ["landed_cost", "supplier_return"])
async def test_what_nobody_would_book_is_refused_when_the_erp_enters_it(shop: Shop, table: str) -> None:
    await buying(shop, "N", match_supplier_invoices=False)
    await bought(shop, [ordered("N", 10, 10)], {1: 10})
    more: dict[str, Any] = {"landed_cost_number": "L1", "purchases": ["PO-1"], "amount": 10}
    if table == "supplier_return":
        more = {"supplier_return_number": "S1", "purchase_order_number": "PO-1", "article_number": "N", "quantity": 1}
    with pytest.raises(Exception, match=r"nobody would book it.*match_supplier_invoices"):
        await enter(shop, table, **more)


NOT_TAKEN = "select document, detail from bridge.exception where code = 'supplier-invoice-not-taken' and closed_at is null"
ODD = {
    "a rate below zero": ({"CurrencyUnit": -1}, "exchange_rate_in_range"),
    "a rate that no number holds": ({"CurrencyRate": 10**12}, "numeric field overflow|exchange_rate"),
    "more than there is money": ({"Debit": 10**13}, "value_is_a_number|quantity_is_a_number"),
    "more pieces than a column holds": ({"Quantity": 10**15}, "numeric field overflow"),
}


async def registered(shop: Shop, *lines: dict[str, Any]) -> int:
    """A person registers a supplier invoice in Fortnox; nobody has read it."""
    body = {"tenantId": shop.tenant, "purchase": "PO-1", "invoiceNumber": f"F-{datetime.now(UTC).timestamp()}"}
    made = await shop.fortnox("POST", "supplier-invoices", body | {"lines": [{"account": OWED} | each for each in lines]})
    return int(made["GivenNumber"])


@pytest.mark.parametrize("odd", ODD)
async def test_an_invoice_that_cannot_be_kept_is_listed_with_its_number_and_the_others_are_read(shop: Shop, odd: str) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 20, 10)], {1: 20})
    first, last = await registered(shop, line("N", 10, 10)), await registered(shop, line("N", 10, 10))
    told = (await shop.call_fortnox("GET", f"supplierinvoices/{first}")).json()
    change, why = ODD[odd]
    invoice = told["SupplierInvoice"]
    [row] = [each for each in invoice["SupplierInvoiceRows"] if each["Account"] == OWED]
    for name, value in change.items():
        (invoice if name in invoice else row)[name] = value
    async with shop.fortnox.fault(f"GET /3/supplierinvoices/{first}", "http", None, status=200, body=json.dumps(told)):
        assert await read(shop) == 1
        assert await invoice_state(shop, last) == ("parked", None)
        [(document, detail)] = await shop.read(f"{NOT_TAKEN} and merchant_id = :m")
        assert document == str(first) and detail.startswith(f"supplier invoice {first}: ") and re.search(why, detail), detail
        await move_on(shop)
    assert await read(shop) == 1, "it is read again although nothing in Fortnox says that it changed"
    assert await invoice_state(shop, first) == ("parked", None)
    assert await shop.read(f"{NOT_TAKEN} and merchant_id = :m") == []


async def test_an_invoice_that_cannot_be_read_again_and_again_is_listed_and_one_that_could_not_once_is_not(shop: Shop) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 20, 10)], {1: 20})
    first, last = await registered(shop, line("N", 10, 10)), await registered(shop, line("N", 10, 10))
    environment = ActivityEnvironment()
    body = json.dumps({"SupplierInvoice": {"GivenNumber": first, "SupplierInvoiceRows": "none"}})
    async with shop.fortnox.fault(f"GET /3/supplierinvoices/{first}", "http", None, status=200, body=body):
        with pytest.raises(Unreadable):
            await environment.run(shop.worker.supplier_invoices.read_supplier_invoices, shop.merchant)
        assert await shop.read(f"{NOT_TAKEN} and merchant_id = :m") == []
        environment.info = replace(environment.info, attempt=3)
        assert await environment.run(shop.worker.supplier_invoices.read_supplier_invoices, shop.merchant) == 1
    assert await invoice_state(shop, last) == ("parked", None)
    assert [document for document, _ in await shop.read(f"{NOT_TAKEN} and merchant_id = :m")] == [str(first)]
    await move_on(shop)
    assert (await read(shop), await shop.read(f"{NOT_TAKEN} and merchant_id = :m")) == (1, [])


async def test_an_invoice_that_fortnox_refuses_to_show_is_listed_and_the_others_are_read(shop: Shop) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 20, 10)], {1: 20})
    first, last = await registered(shop, line("N", 10, 10)), await registered(shop, line("N", 10, 10))
    body = json.dumps({"ErrorInformation": {"error": 1, "message": "Ett internt fel har uppst\u00e5tt.", "code": 2000134}})
    async with shop.fortnox.fault(f"GET /3/supplierinvoices/{first}", "http", None, status=400, body=body):
        assert await read(shop) == 1
    assert await invoice_state(shop, last) == ("parked", None)
    assert [document for document, _ in await shop.read(f"{NOT_TAKEN} and merchant_id = :m")] == [str(first)]
    await move_on(shop)
    assert (await read(shop), await shop.read(f"{NOT_TAKEN} and merchant_id = :m")) == (1, [])


async def test_one_without_a_purchase_that_cannot_be_read_does_not_stay_first_in_the_row(shop: Shop) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 20, 10)], {1: 20})
    first = await registered(shop, line("N", 10, 10))
    told = (await shop.call_fortnox("GET", f"supplierinvoices/{first}")).json()
    invoice = told["SupplierInvoice"]
    invoice |= {"YourReference": "", "OurReference": "", "ExternalInvoiceNumber": "", "Comments": ""}
    where = f"GET /3/supplierinvoices/{first}"
    async with shop.fortnox.fault(where, "http", None, status=200, body=json.dumps(told)):
        await read(shop)
    assert await invoice_state(shop, first) == ("no-purchase", None)
    invoice["CurrencyUnit"] = -1
    before = "select min(read_at) from erp.supplier_invoice where merchant_id = :m and fortnox_number = :n"
    [(read_at,)] = await shop.read(before, n=first)
    async with shop.fortnox.fault(where, "http", None, status=200, body=json.dumps(told)):
        await read(shop)
    assert [number for number, _ in await shop.read(f"{NOT_TAKEN} and merchant_id = :m")] == [str(first)]
    assert (await shop.read(before, n=first))[0][0] > read_at


async def move_on(shop: Shop) -> None:
    """A day passes: what Fortnox says has changed since then is nothing."""
    async with shop.worker.database.merchant(shop.merchant) as session:
        later = (
            "update bridge.entity set watermark = now() + interval '1 day' where merchant_id = :m and flow = 'supplier-invoices'"
        )
        await session.execute(text(later), {"m": shop.merchant})


async def test_of_many_invoices_without_a_purchase_all_come_round(shop: Shop) -> None:
    await buying(shop, "N")
    who = shop.merchant
    for number in range(1, 103):
        a_line = ReadLine(1, "goods", OWED, None, D(0), D(10), D(10), ())
        found = ReadInvoice(number, "1", f"F-{number}", today(), "SEK", D(1), None, True, False, (), (a_line,))
        async with shop.worker.database.merchant(who) as session:
            assert (await kept.store(session, who, found, "no-purchase", None, "it names none"))[0]
    seen: set[int] = set()
    for _ in range(2):
        async with shop.worker.database.merchant(who) as session:
            batch = await kept.unplaced(session, who)
        assert len(batch) == 100
        assert await read(shop) == 0, "in Fortnox there are none: they were deleted, and stand in nobody's way"
        seen |= {*batch}
    assert seen == {*range(1, 103)}


async def test_a_landed_cost_below_zero_names_the_booked_one_that_it_corrects(shop: Shop) -> None:
    await buying(shop, "N", landed_cost_account=LANDED)
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    await bought(shop, [ordered("N", 1, 10)], {1: 1}, "PO-2")
    cost: dict[str, Any] = {"purchases": ["PO-1"], "amount": D(30)}
    await enter(shop, "landed_cost", landed_cost_number="LC-1", **cost)

    async def refused(words: str, number: str = "LC-9", **change: Any) -> None:
        with pytest.raises(Exception, match=words):
            await enter(shop, "landed_cost", landed_cost_number=number, **cost | change)

    for amount in (-5, 0):
        await refused(rf"LC-9: {amount}.* is not above zero. What was too much of an earlier one", amount=amount)
    await refused("there is no earlier landed cost LC-8", amount=-5, corrects="LC-8")
    await refused("there is no earlier landed cost LC-9", amount=-5, corrects="LC-9")
    await refused(r"LC-1 is not booked yet. Write its right amount there, or withdraw it", amount=-5, corrects="LC-1")
    with pytest.raises(Exception, match=r"LC-1: -1.* is not above zero"):
        await change(shop, "update erp.landed_cost set amount = -1 where merchant_id = :m and landed_cost_number = 'LC-1'")
    await match(shop, key)
    assert await pool(shop, "N") == (11, 140)
    await refused("LC-1 was laid on PO-1; a correction names no other", amount=-5, corrects="LC-1", purchases=["PO-2"])
    await enter(shop, "landed_cost", landed_cost_number="LC-2", **cost | {"amount": -20, "corrects": "LC-1"})
    await refused(r"5.* more is taken back than is left of LC-1: at most 10", amount=-15, corrects="LC-1")
    await match(shop, key)
    assert await pool(shop, "N") == (11, 120)
    await refused("LC-2 is a correction itself. Name the one that it corrects, LC-1", amount=-5, corrects="LC-2")


async def test_two_corrections_at_once_do_not_take_back_more_than_was_laid(shop: Shop) -> None:
    await buying(shop, "N", landed_cost_account=LANDED)
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    cost: dict[str, Any] = {"purchases": ["PO-1"], "amount": D(30)}
    await enter(shop, "landed_cost", landed_cost_number="LC-1", **cost)
    await match(shop, key)
    back = cost | {"merchant_id": shop.merchant, "entered_by": "anna", "reason": "test", "amount": -20, "corrects": "LC-1"}
    began = "set transaction isolation level repeatable read"
    async with shop.erp.engine.connect() as one, shop.erp.engine.connect() as other:
        for session in (one, other):
            await session.execute(text(began))
            await session.execute(text("select count(*) from erp.landed_cost"))
        await insert(one, "erp.landed_cost", back | {"landed_cost_number": "LC-2"})
        await one.commit()
        with pytest.raises(Exception, match=r"could not serialize|more is taken back"):
            await insert(other, "erp.landed_cost", back | {"landed_cost_number": "LC-3"})
        await other.rollback()
    sums = "select sum(amount) from erp.landed_cost where merchant_id = :m and corrects is not null"
    assert await shop.read(sums) == [(-20,)]


async def test_a_correction_upwards_that_may_still_be_withdrawn_makes_no_room_for_one_downwards(shop: Shop) -> None:
    await buying(shop, "N", landed_cost_account=LANDED)
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    cost: dict[str, Any] = {"purchases": ["PO-1"], "amount": D(30)}
    await enter(shop, "landed_cost", landed_cost_number="LC-1", **cost)
    await match(shop, key)
    await enter(shop, "landed_cost", landed_cost_number="LC-2", **cost | {"amount": 100, "corrects": "LC-1"})
    with pytest.raises(Exception, match="more is taken back than is left of LC-1: at most 30"):
        await enter(shop, "landed_cost", landed_cost_number="LC-3", **cost | {"amount": -130, "corrects": "LC-1"})
    await match(shop, key)
    await enter(shop, "landed_cost", landed_cost_number="LC-3", **cost | {"amount": -130, "corrects": "LC-1"})
    await match(shop, key)
    assert await pool(shop, "N") == (10, 100)


async def test_no_more_goes_back_on_a_purchase_than_came_on_it(shop: Shop) -> None:
    await buying(shop, "N")
    await bought(shop, [ordered("N", 100, 10)], {1: 100}, "PO-0")
    key = await bought(shop, [ordered("N", 5, 10)], {1: 5})
    for number in ("S1", "S2"):
        more = {"purchase_order_number": "PO-1", "article_number": "N", "quantity": 3}
        await enter(shop, "supplier_return", supplier_return_number=number, **more)
    with pytest.raises(Refused, match="3 of article N; 5 came, 3 went back, 102 are here"):
        await match(shop, key)
    assert (await pool(shop, "N"))[0] == 102


async def test_a_cost_that_comes_while_its_purchase_is_matched_is_laid_on_all_its_purchases(shop: Shop) -> None:
    await buying(shop, "N", "M")
    key = await bought(shop, [ordered("N", 10, 10)], {1: 10})
    await bought(shop, [ordered("M", 10, 10)], {1: 10}, "PO-2")
    async with shop.worker.database.merchant(shop.merchant) as session:
        await ledger.lock_pools(session, shop.merchant, [("N", "MAIN")])
        matching = asyncio.create_task(match(shop, key))
        async with asyncio.timeout(20):
            while not (await session.execute(text("select count(*) from pg_locks where not granted"))).scalar_one():
                assert not matching.done()
        purchases = {"purchases": ["PO-1", "PO-2"], "account": LANDED}
        await enter(shop, "landed_cost", landed_cost_number="L1", amount=100, **purchases)
    await matching
    await match(shop, key)
    assert (await pool(shop, "N"), await pool(shop, "M")) == ((10, 150), (10, 150))
