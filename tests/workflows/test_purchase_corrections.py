"""Every cell of the table of purchase corrections, with a real process: three times in a row, and with another at once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from domain.purchase_corrections import SECOND_PERSON, TABLE, PurchaseName, PurchaseSituation, refusal
from erp.database import Database
from starters.corrections import Unacceptable
from starters.purchase_corrections import correct_purchase
from starters.relay import Relay
from tests.activities.buying import bill, buying, invoice_state, pool
from tests.activities.test_purchases import ACCOUNT, floor, ordered, place
from tests.activities.world import Shop
from tests.conftest import TestDatabase
from tests.workflows.process import Processes, becomes, working
from tests.workflows.test_receive_purchase_order import ended, of, placed, shows
from worker.keyring import KeyRing
from worker.settings import Settings
from workflows import attributes
from workflows.receive_purchase_order import ReceivePurchaseOrder

AUDIT = """
    select actor, action, request_key from bridge.audit
    where merchant_id = :m and kind = 'purchase-order' and request_key is not null order by audit_no"""
CLOSED = "select closed_by, close_reason from erp.purchase_order where merchant_id = :m"
COSTS = "select coalesce(sum(amount), 0) from erp.late_cost where merchant_id = :m"
WHY = "the supplier has no more"
DIFFERENCE = 4990
S, N = PurchaseSituation, PurchaseName
ACCEPTED = [(name, where) for where in S for name in N if refusal(name, where) is None]


@pytest_asyncio.fixture(loop_scope="session")
async def at_work(
    where: PurchaseSituation,
    shop: Shop,
    skipping: WorkflowEnvironment,
    skipping_settings: Settings,
    database: TestDatabase,
    relay_database: Database,
    key_ring: KeyRing,
) -> AsyncIterator[Processes]:
    """As `processes`; where a doubt is wanted, a counter that goes down is doubted for half a minute."""
    settings = skipping_settings.model_copy(update={"doubt_seconds": 30.0}) if where is S.DOUBT else skipping_settings
    async with working(skipping.client, database.url("app"), key_ring, settings):
        made = Processes(shop, skipping.client, Relay(relay_database, skipping.client), skipping.fast_forward)
        yield made
        await made.end_all()


@asynccontextmanager
async def brought_to(processes: Processes, where: PurchaseSituation) -> AsyncIterator[Mapping[str, Any]]:
    """While inside, purchase order PO-1 stands there; what a decision about its invoice would name."""
    shop = processes.shop
    invoice: Mapping[str, Any] = {"invoice": 57}
    match where:
        case S.SENDING:
            async with shop.ongoing.fault("PUT /purchaseOrders", "delay", None, seconds=1.5):
                await shop.settings(goods_received_not_invoiced_account=ACCOUNT)
                await place(shop)
                await processes.deliver()
                await asyncio.sleep(0.3)
                yield invoice
            return
        case S.SENDING_BLOCKED:
            await place(shop, [ordered("X")])
            await processes.deliver()
            await becomes(lambda: shows(processes, attributes.BLOCKED_REASON), "unknown-article")
        case S.EXPECTED:
            await placed(processes, purchase_difference_account=DIFFERENCE)
            await becomes(lambda: shows(processes, attributes.STAGE), "at-warehouse")
        case S.RECEIVING | S.DOUBT | S.DEVIATION:
            await placed(processes, purchase_difference_account=DIFFERENCE)
            await becomes(lambda: shows(processes, attributes.STAGE), "at-warehouse")
            await floor(shop, "receive", {1: 6}, finish=where is S.DEVIATION)
            await looks(processes, "deviation" if where is S.DEVIATION else "receiving")
            if where is S.DOUBT:
                await floor(shop, "receive", {2: 4})
                await looks(processes, "receiving")
                await becomes(lambda: shop.read("select count(*) from erp.goods_receipt where merchant_id = :m"), [(2,)])
                await floor(shop, "undo-receive")
                await looks(processes, "doubt")
        case S.LOOKING_BLOCKED:
            await placed(processes, purchase_difference_account=DIFFERENCE)
            await becomes(lambda: shows(processes, attributes.STAGE), "at-warehouse")
            body = {"goodsOwnerId": shop.goods_owner, "articleNumber": "X", "articleName": "x"}
            await shop.call_ongoing("PUT", "articles", body)
            await floor(shop, "receive", {1: 6, "X": 2})
            await of(processes).signal(ReceivePurchaseOrder.look)
            await becomes(lambda: shows(processes, attributes.BLOCKED_REASON), "purchase-article-not-in-erp")
        case S.RECEIVED | S.TO_DECIDE:
            await buying(shop, "N", purchase_difference_account=DIFFERENCE)
            await place(shop, [ordered("N", 10, 10), *([ordered("B", 4, "2.50")] if where is S.TO_DECIDE else [])])
            await processes.deliver()
            await becomes(lambda: shows(processes, attributes.STAGE), "at-warehouse")
            await floor(shop, "receive", {1: 10})
            await looks(processes, "received" if where is S.RECEIVED else "receiving")
            if where is S.TO_DECIDE:
                invoice = {"invoice": await bill(shop, {"article": "N", "quantity": "10", "price": "12"})}
                await processes.deliver()
                await becomes(lambda: shows(processes, attributes.BLOCKED_REASON), "supplier-invoice-to-decide")
        case S.ENDED:
            await placed(processes, purchase_difference_account=DIFFERENCE)
            await floor(shop, "receive", {1: 10, 2: 4})
            await of(processes).signal(ReceivePurchaseOrder.look)
            assert await ended(processes) == "completed"
    yield invoice


async def looks(processes: Processes, stage: str) -> None:
    await of(processes).signal(ReceivePurchaseOrder.look)
    await becomes(lambda: shows(processes, attributes.STAGE), stage)


async def answered(processes: Processes, name: str, key: str, by: str = "anna", **content: Any) -> tuple[str, str]:
    """What whoever sends it from Python is told."""
    shop = processes.shop
    sent = content | {"by": by, "reason": WHY} | ({"key": key} if key else {})
    try:
        return "done", await correct_purchase(processes.client, shop.worker.database, shop.merchant, "PO-1", name, **sent)
    except Unacceptable as refused:
        return refused.code, str(refused)


def takes(name: PurchaseName, invoice: Mapping[str, Any]) -> dict[str, Any]:
    return {N.CORRECT_COST: {"amount": "-5"}, N.APPROVE: invoice, N.REJECT: invoice}.get(name, {})  # type: ignore[return-value]


def test_every_cell_says_accept_or_why_not() -> None:
    for name in PurchaseName:
        assert set(TABLE[name]) == set(PurchaseSituation)
        assert None in TABLE[name].values()
        assert all(words is None or len(words.split()) > 3 for words in TABLE[name].values())


@pytest.mark.parametrize("where", S)
async def test_what_makes_no_sense_is_refused_three_times_in_words_and_leaves_no_trace(
    at_work: Processes, where: PurchaseSituation
) -> None:
    processes, shop = at_work, at_work.shop
    async with brought_to(processes, where) as invoice:
        for name in [each for each in N if refusal(each, where)]:
            answers = [await answered(processes, name, "k-1", **takes(name, invoice)) for _ in range(3)]
            assert [kind for kind, _ in answers] == ["refused"] * 3
            assert all(refusal(name, where) in said for _, said in answers)  # type: ignore[operator]
        for name in N:
            assert (await answered(processes, name, "k-1", by=" ", **takes(name, invoice)))[0] != "done"
        assert await shop.read(AUDIT) == []
        assert await shop.read(CLOSED) == [(None, None)]
        assert await shop.read(COSTS) == [(0,)]


@pytest.mark.parametrize(("name", "where"), ACCEPTED)
async def test_what_is_accepted_holds_three_times_in_a_row_and_at_once_with_another(
    at_work: Processes, name: PurchaseName, where: PurchaseSituation
) -> None:
    processes, shop = at_work, at_work.shop
    async with brought_to(processes, where) as invoice:
        content = takes(name, invoice)
        answers = [await answered(processes, name, "k-1", **content) for _ in range(3)]
        if name in (N.APPROVE, N.REJECT) and where is not S.TO_DECIDE:
            assert {kind for kind, _ in answers} == {"refused"}
            assert all("there is no such invoice" in said for _, said in answers)
            assert await shop.read(AUDIT) == []
            return
        assert [kind for kind, _ in answers] == ["done"] * 3, answers
        assert await shop.read(AUDIT) == [("anna", name, "k-1")]
        other = {N.APPROVE: N.REJECT, N.REJECT: N.APPROVE}.get(name, name)
        both = await asyncio.gather(
            answered(processes, name, "k-2", "bo", **content), answered(processes, other, "k-3", "cy", **content)
        )
        match name:
            case N.CLOSE_SHORT:
                assert {kind for kind, _ in both} == {"refused"}, both
                assert await shop.read(CLOSED) == [("anna", WHY)]
            case N.CORRECT_COST:
                assert {kind for kind, _ in both} == {"done"}, both
                assert await shop.read(COSTS) == [(-15,)]
            case N.APPROVE | N.REJECT:
                assert both[1][0] == "refused", both
                state = ("booked" if name is N.APPROVE else "rejected", "price_diff")
                await becomes(lambda: invoice_state(shop, invoice["invoice"]), state)
        await processes.deliver()
    if name is N.CLOSE_SHORT and where in (S.EXPECTED, S.RECEIVING, S.DEVIATION):
        assert await ended(processes) == ("cancelled" if where is S.EXPECTED else "completed")


async def test_the_signals_do_the_same_and_tell_what_they_refuse(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes, purchase_difference_account=DIFFERENCE)
    await floor(shop, "receive", {1: 6}, finish=True)
    await looks(processes, "deviation")
    handle: Any = of(processes)
    await handle.signal("close_short", {"by": "", "reason": "why"})
    await handle.signal("correct_cost", {"by": "Kim", "reason": "freight", "colour": "red"})
    await handle.signal("correct_cost", {"by": "Kim", "reason": "freight", "amount": "3", "key": "s-1"})
    await handle.signal("close_short", {"by": "Kim", "reason": "no more", "key": "s-2"})
    await becomes(lambda: shop.read(AUDIT), [("Kim", "correct_cost", "s-1"), ("Kim", "close_short", "s-2")])
    await processes.deliver()
    assert await ended(processes) == "completed"
    assert (await shop.exceptions(), await shop.read(COSTS)) == ([], [(3,)])


async def test_above_the_limit_a_second_person_says_yes_and_the_page_says_what_waits(processes: Processes) -> None:
    shop = processes.shop
    await shop.settings(second_person_above=4)
    async with brought_to(processes, S.RECEIVED):
        await shop.settings(
            goods_received_not_invoiced_account=2490, match_supplier_invoices=True, purchase_difference_account=DIFFERENCE,
            second_person_above=4,
        )  # fmt: skip
        kind, said = await answered(processes, N.CORRECT_COST, "k-1", amount="20")
        assert (kind, "waits for a second person" in said) == ("done", True)
        assert await pool(shop, "N") == (10, 100)
        page: Any = await of(processes).query("__temporal_workflow_metadata")
        assert "correct_cost by anna waits for a second person" in page.current_details
        assert (await answered(processes, SECOND_PERSON, "k-1", "Anna "))[0] == "refused"
        assert (await answered(processes, SECOND_PERSON, "k-2", "bo"))[0] == "refused"
        assert "20.00 SEK dearer" in (await answered(processes, SECOND_PERSON, "k-1", "bo"))[1]
        assert "before" in (await answered(processes, SECOND_PERSON, "k-1", "bo"))[1]
        assert await pool(shop, "N") == (10, 120)


async def test_a_cost_is_corrected_by_two_after_the_end_too(processes: Processes) -> None:
    shop = processes.shop
    async with brought_to(processes, S.ENDED):
        await shop.settings(purchase_difference_account=DIFFERENCE, second_person_above=4)
        assert (await answered(processes, N.CORRECT_COST, "", amount="20"))[0] == "wrong-content"
        assert "waits" in (await answered(processes, N.CORRECT_COST, "k-1", amount="20"))[1]
        assert "20.00 SEK dearer" in (await answered(processes, SECOND_PERSON, "k-1", "bo"))[1]
        assert await shop.read(COSTS) == [(20,)]
