"""Every cell of the table of purchase corrections, with a real process: three times in a row, and with another at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from domain.purchase_corrections import TABLE, PurchaseName, PurchaseSituation, refusal
from tests.activities.test_purchases import ACCOUNT, floor, ordered, place
from tests.workflows.process import Processes, becomes
from tests.workflows.test_receive_purchase_order import ended, of, placed, shows
from workflows import attributes
from workflows.patient import Correction
from workflows.receive_purchase_order import ReceivePurchaseOrder

AUDIT = "select actor, request_key from bridge.audit where merchant_id = :m and action = 'close_short' order by audit_no"
CLOSED = "select closed_by, close_reason from erp.purchase_order where merchant_id = :m"
S = PurchaseSituation


@asynccontextmanager
async def brought_to(processes: Processes, where: PurchaseSituation) -> AsyncIterator[None]:
    """While inside, purchase order PO-1 stands there."""
    shop = processes.shop
    match where:
        case S.SENDING:
            async with shop.ongoing.fault("PUT /purchaseOrders", "delay", None, seconds=1.5):
                await shop.settings(goods_received_not_invoiced_account=ACCOUNT)
                await place(shop)
                await processes.deliver()
                await asyncio.sleep(0.3)
                yield
        case S.SENDING_BLOCKED:
            await place(shop, [ordered("X")])
            await processes.deliver()
            await becomes(lambda: shows(processes, attributes.BLOCKED_REASON), "unknown-article")
            yield
        case S.EXPECTED:
            await placed(processes)
            await becomes(lambda: shows(processes, attributes.STAGE), "at-warehouse")
            yield
        case S.RECEIVING:
            await placed(processes)
            await floor(shop, "receive", {1: 6})
            await looks(processes, "receiving")
            yield
        case S.DEVIATION:
            await placed(processes)
            await floor(shop, "receive", {1: 6}, finish=True)
            await looks(processes, "deviation")
            yield
        case S.DOUBT:
            await placed(processes)
            await floor(shop, "receive", {1: 6})
            await looks(processes, "receiving")
            unsure = {"route": "GET /purchaseOrders/*", "kind": "delay", "seconds": 0}
            assert unsure
            await floor(shop, "undo-receive")
            await of(processes).signal(ReceivePurchaseOrder.look)
            await becomes(lambda: shows(processes, attributes.STAGE), "doubt")
            yield
        case S.RECEIVED:
            await to_be_invoiced(processes)
            yield
        case S.ENDED:
            await placed(processes)
            await floor(shop, "receive", {1: 10, 2: 4})
            await of(processes).signal(ReceivePurchaseOrder.look)
            assert await ended(processes) == "completed"
            yield
        case S.LOOKING_BLOCKED:
            await placed(processes)
            body = {"goodsOwnerId": shop.goods_owner, "articleNumber": "X", "articleName": "x"}
            await shop.call_ongoing("PUT", "articles", body)
            await floor(shop, "receive", {1: 6, "X": 2})
            await of(processes).signal(ReceivePurchaseOrder.look)
            await becomes(lambda: shows(processes, attributes.BLOCKED_REASON), "purchase-article-not-in-erp")
            yield


async def looks(processes: Processes, stage: str) -> None:
    await of(processes).signal(ReceivePurchaseOrder.look)
    await becomes(lambda: shows(processes, attributes.STAGE), stage)


async def answered(processes: Processes, key: str, by: str = "anna") -> tuple[str, str]:
    update: Any = ReceivePurchaseOrder.close_short
    try:
        sent = Correction(by, "the supplier has no more", key)
        return "done", str(await of(processes).execute_update(update, sent))
    except WorkflowUpdateFailedError as failed:
        assert isinstance(failed.cause, ApplicationError)
        return failed.cause.type or "", failed.cause.message
    except RPCError as ended_meanwhile:
        return "ended", ended_meanwhile.message


def test_every_cell_says_accept_or_why_not() -> None:
    for name in PurchaseName:
        assert set(TABLE[name]) == set(PurchaseSituation)
        assert None in TABLE[name].values()
        assert all(words is None or len(words.split()) > 3 for words in TABLE[name].values())


@pytest.mark.parametrize("where", [where for where in S if where not in (S.DOUBT, S.RECEIVED)])
async def test_closing_short_holds_three_times_in_a_row_and_at_once_with_another(
    processes: Processes, where: PurchaseSituation
) -> None:
    shop = processes.shop
    async with brought_to(processes, where):
        nameless, _ = await answered(processes, "k-0", by=" ")
        assert nameless == "wrong-content"
        answers = [await answered(processes, "k-1") for _ in range(3)]
        words = refusal(PurchaseName.CLOSE_SHORT, where)
        if words is not None:
            assert [kind for kind, _ in answers] == ["makes-no-sense-now"] * 3
            assert all(words in said for _, said in answers)
            assert await shop.read(AUDIT) == []
            assert await shop.read(CLOSED) == [(None, None)]
            return
        assert answers[0][0] == "done" and {kind for kind, _ in answers} <= {"done", "ended"}, answers
        assert await shop.read(AUDIT) == [("anna", "k-1")]
        both = await asyncio.gather(answered(processes, "k-2", "bo"), answered(processes, "k-3", "cy"))
        assert {kind for kind, _ in both} <= {"correction-refused", "makes-no-sense-now", "ended"}, both
        assert await shop.read(CLOSED) == [("anna", "the supplier has no more")]
        assert await shop.read(AUDIT) == [("anna", "k-1")]
        await processes.deliver()
    if where is not S.LOOKING_BLOCKED:
        assert await ended(processes) == ("cancelled" if where is S.EXPECTED else "completed")


async def test_the_signal_does_the_same_and_tells_what_it_refuses(processes: Processes) -> None:
    shop = processes.shop
    await placed(processes)
    await floor(shop, "receive", {1: 6}, finish=True)
    await looks(processes, "deviation")
    handle: Any = of(processes)
    await handle.signal("close_short", {"by": "", "reason": "why"})
    await handle.signal("close_short", {"by": "Kim", "reason": "no more", "key": "s-1"})
    await becomes(lambda: shop.read(AUDIT), [("Kim", "s-1")])
    await processes.deliver()
    assert await ended(processes) == "completed"
    assert await shop.exceptions() == []
