"""Returns and credits when something is wrong or much happens at once: stock follows what happened, money waits for a person."""

import asyncio
import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from domain.errors import Refused
from domain.keys import Decision
from erp.corrections import open_basis
from tests.activities.buying import accounts
from tests.activities.returning import announce, announced, begin, goes_on, look, receive, sold, sums
from tests.activities.world import HOW_OFTEN, Shop, again
from tests.erp.data import add_merchant, add_order, customer, insert, line

D = Decimal
CLAIM = {"origin": "credit", "decided_by": "Kim", "decision": "claim"}
CREDITS = """
  select i.fortnox_invoice_number, b.amount, b.shipment_no, b.return_number from erp.invoice_basis b
  join erp.invoice_basis i on i.merchant_id = b.merchant_id and i.basis_no = b.credits_basis_no and i.part = b.credits_part
  where b.merchant_id = :m order by b.basis_no, b.part"""


async def nets(shop: Shop) -> list[Decimal]:
    return [D(str(each["net"])) for each in await shop.invoices() if not each["cancelled"]]


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_goods_unpicked_after_two_invoices_are_credited_on_both_the_newest_first(shop: Shop, often: Any) -> None:
    await shop.sent(lines=[line("A", 5, 10)])
    for quantity in (3, 2):
        await shop.pick_and_send(lines={1: quantity})
        await shop.invoice(await shop.look_until_calm())
    first, second = [each["number"] for each in await shop.invoices()]
    await shop.floor("undo-pick", lines={1: 4})
    await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, shop.key())
    await shop.invoice(await shop.look_until_calm())
    assert await shop.read(CREDITS) == [(first, D("-20.00"), 3, None), (second, D("-20.00"), 3, None)]
    assert await nets(shop) == [D("30.00"), D("20.00"), D("-20.00"), D("-20.00")]
    held = [
        json.loads((await shop.call_fortnox("GET", f"invoices/{n}")).content)["Invoice"]
        for n in (int(second) + 1, int(second) + 2)
    ]
    assert [each["Remarks"] for each in held] == [f"Kredit av faktura {first}", f"Kredit av faktura {second}"]
    progress = "select invoiced from erp.sales_order_line_progress where merchant_id = :m"
    assert await shop.read(progress) == [(1,)]


async def test_a_shipment_that_goes_both_ways_is_an_invoice_and_a_credit(shop: Shop) -> None:
    await shop.sent(lines=[line("A", 3, 10), line("B", 2, "5.50")])
    await shop.pick_and_send(lines={1: 3})
    await shop.invoice(await shop.look_until_calm())
    await shop.floor("undo-pick", lines={1: 1})
    await shop.pick_and_send(lines={2: 2})
    await shop.invoice(await shop.look_until_calm())
    [invoice, *_] = await shop.invoices()
    assert [(number, amount) for number, amount, _, _ in await shop.read(CREDITS)] == [(invoice["number"], D("-10.00"))]
    assert sorted(await nets(shop)) == [D("-10.00"), D("11.00"), D("30.00")]


@pytest.mark.parametrize("now", ["12", None], ids=["another", "none"])
async def test_what_is_unpicked_is_credited_at_the_rate_of_its_invoice_whatever_it_is_now(shop: Shop, now: str | None) -> None:
    async with shop.erp.everyone() as session:
        await insert(session, "erp.customer", customer(shop.merchant, "TYSK", country="DE", vat_number="DE123456789"))
    terms: dict[str, Any] = {"currency": "EUR", "exchange_rate": "11.25", "customer_number": "TYSK", "freight_vat_rate": 0}
    await shop.sent(lines=[line("A", 3, 10, vat_rate=0)], **terms)
    await shop.pick_and_send(lines={1: 2})
    await shop.invoice(await shop.look_until_calm())
    async with shop.erp.everyone() as session:
        changed = text("update erp.sales_order set exchange_rate = cast(:now as numeric) where merchant_id = :m")
        await session.execute(changed, {"m": shop.merchant, "now": now})
    await shop.floor("undo-pick", lines={1: 1})
    await shop.invoice(await shop.look_until_calm())
    rates = await shop.read("select kind, amount, exchange_rate from erp.invoice_basis where merchant_id = :m order by basis_no")
    assert rates == [("invoice", D("20.00"), D("11.25")), ("credit", D("-10.00"), D("11.25"))]


async def test_an_unpick_a_return_and_a_claim_at_once_never_credit_more_than_was_invoiced(shop: Shop) -> None:
    await sold(shop, lines=[line("A", 4, "3.33"), line("B", 2, "0.01")])
    await shop.floor("return", lines={1: 2}, keepStatus=True)
    await shop.floor("undo-pick", lines={1: 1, 2: 2})
    key = await announce(shop, {1: 2}, "R-1")
    claim = await announce(shop, {1: 1}, "K-1", **CLAIM)
    await asyncio.gather(
        *(again(worker.ongoing.look_at_sales_order, shop.key()) for worker in shop.workers),
        *(again(worker.returns.announce_return, each) for worker in shop.workers for each in (key, claim)),
        return_exceptions=True,
    )
    await shop.invoice(await shop.look_until_calm())
    for each in (claim, key):
        assert (await goes_on(shop, each)).outcome == "completed"
    assert await sums(shop) == [0, 0, 0]


async def test_what_a_claim_has_credited_is_not_credited_again_when_the_goods_come_back(shop: Shop) -> None:
    await sold(shop)
    claim = await announce(shop, {1: 2}, "K-1", **CLAIM)
    await again(shop.worker.returns.announce_return, claim)
    await goes_on(shop, claim)
    key = await announced(shop, {1: 3})
    await receive(shop)
    assert (await goes_on(shop, key)).outcome == "completed"
    assert await nets(shop) == [D("41.00"), D("-20.00"), D("-10.00")]
    settled = "select outcome, quantity from erp.return_settlement where merchant_id = :m and return_number = 'R-1' order by 1"
    assert await shop.read(settled) == [("credited", 1), ("not-invoiced", 2)]
    assert (await shop.balances())["A"] == (D(1000), D("4500.00"))


async def test_a_return_of_another_merchants_order_is_refused_with_both_named(shop: Shop) -> None:
    other = await add_merchant(shop.erp)
    await add_order(shop.erp, other, "SO-OTHER")
    with pytest.raises(Exception, match=f"return R-1: merchant {shop.merchant} has no sales order SO-OTHER"):
        await announce(shop, {1: 1}, order="SO-OTHER")
    assert await shop.read("select 1 from erp.return_order where merchant_id = :m") == []


async def test_a_return_that_is_announced_twice_is_one(shop: Shop) -> None:
    await sold(shop)
    key = await announced(shop, {1: 1})
    with pytest.raises(Exception, match="pk_return_order"):
        await announce(shop, {1: 1})
    await again(shop.worker.returns.announce_return, key)
    await receive(shop)
    assert (await goes_on(shop, key)).outcome == "completed"
    assert await nets(shop) == [D("41.00"), D("-10.00")]


async def test_a_credit_of_more_than_is_left_can_be_cancelled_and_credits_nothing(shop: Shop) -> None:
    await sold(shop)
    key = await announce(shop, {1: 4}, "K-1", **CLAIM)
    with pytest.raises(Refused, match="line 1: 1 more"):
        await again(shop.worker.returns.announce_return, key)
    async with shop.erp.everyone() as session:
        await session.execute(
            text("update erp.return_order set cancel_requested_at = now() where merchant_id = :m"), {"m": shop.merchant}
        )
    for _ in range(2):
        assert (await again(shop.worker.returns.cancel_return, key)).outcome == "cancelled"
    assert (await again(shop.worker.returns.announce_return, key)).outcome == "cancelled"
    assert await nets(shop) == [D("41.00")]


async def test_a_credit_that_was_written_is_not_cancelled_any_more(shop: Shop) -> None:
    await sold(shop)
    key = await announce(shop, {1: 1}, "K-1", **CLAIM)
    state = await again(shop.worker.returns.announce_return, key)
    assert state.to_credit
    state = await again(shop.worker.returns.cancel_return, key)
    assert (state.outcome, len(state.to_credit)) == (None, 1)
    assert (await goes_on(shop, key)).outcome == "completed"
    assert await nets(shop) == [D("41.00"), D("-10.00")]


async def test_what_comes_back_of_an_invoice_made_outside_waits_for_a_person(shop: Shop) -> None:
    await shop.sent()
    await shop.pick_and_send()
    await shop.look()
    async with shop.worker.database.merchant(shop.merchant) as session:  # as the correction handled_outside does
        await session.execute(
            text("update erp.invoice_basis set state = 'cancelled' where merchant_id = :m"), {"m": shop.merchant}
        )
    await shop.ended(await shop.look_until_calm())
    key = await announced(shop, {1: 1})
    await receive(shop)
    with pytest.raises(
        Refused, match="return R-1 line 1 of sales order SO-1: 1 came back whose invoice was made outside"
    ) as refused:
        await goes_on(shop, key)
    assert refused.value.code == "invoiced-outside"
    assert (await shop.balances())["A"][0] == 998, "stock follows what happened"
    await again(shop.worker.returns.settle_without_credit, Decision(shop.merchant, "R-1", "Kim", "credited by hand"))
    assert (await goes_on(shop, key)).outcome == "completed"
    await shop.floor("undo-pick", lines={1: 1})
    await shop.look_until_calm()
    assert ("invoiced-outside", False) in await shop.exceptions()
    assert await shop.invoices() == []


async def test_what_the_warehouse_put_on_the_order_by_itself_and_gets_back_is_booked_and_told(shop: Shop) -> None:
    await shop.sent()
    other = {"goodsOwnerId": shop.goods_owner, "articleNumber": "C", "articleName": "Artikel C"}
    assert (await shop.call_ongoing("PUT", "articles", other)).status_code == 200
    await shop.stock(articles=["C"])
    held = await shop.warehouse_order()
    body = {"goodsOwnerId": shop.goods_owner, "orderNumber": "SO-1", "deliveryDate": "2026-12-01", "consignee": held["consignee"]}
    rows = (("1", "A", 3), ("2", "B", 2), ("9", "C", 1))
    body["orderLines"] = [{"rowNumber": row, "articleNumber": number, "numberOfItems": n} for row, number, n in rows]
    answer = await shop.call_ongoing("PUT", "orders", body)
    assert answer.status_code == 200, answer.text
    await shop.pick_and_send()
    with contextlib.suppress(Refused):
        await shop.ended(await shop.look_until_calm())
    await shop.floor("return", lines={9: 1}, keepStatus=True)
    await again(shop.worker.watch.sweep, shop.merchant)
    key = await begin(shop, "SO-1/R1")
    await look(shop, key)
    assert ("return-not-ours", False) in await shop.exceptions()
    assert (await shop.balances())["C"][0] == 1000
    assert all(net > 0 for net in await nets(shop))


async def test_an_announced_return_follows_the_erp_until_the_warehouse_has_begun(shop: Shop) -> None:
    async def expected() -> dict[str, Any]:
        answer = await shop.call_ongoing("GET", f"returnOrders?goodsOwnerId={shop.goods_owner}&returnOrderNumber=R-1")
        [held] = json.loads(answer.content)
        return {row["returnOrderRowNumber"]: row["toBeReturnedNumberOfItems"] for row in held["returnOrderLines"]}

    async def expects(quantity: int) -> None:
        async with shop.erp.everyone() as session:
            await session.execute(
                text("update erp.return_order_line set quantity = :q where merchant_id = :m"), {"m": shop.merchant, "q": quantity}
            )

    await sold(shop)
    key = await announced(shop, {1: 1})
    await expects(2)
    await again(shop.worker.returns.announce_return, key)
    assert await expected() == {"1": 2}
    await receive(shop, {1: 1}, keepStatus=True)
    await look(shop, key)
    await expects(3)
    with pytest.raises(Refused) as refused:
        await again(shop.worker.returns.announce_return, key)
    assert refused.value.code == "return-refused"
    assert await expected() == {"1": 2}
    await receive(shop, {1: 2}, over=True)
    with contextlib.suppress(Refused):
        await goes_on(shop, key)
    assert (await shop.balances())["A"][0] == 1000, "goods that come all the same are booked"
    assert sum(await nets(shop)) == D("11.00")


async def test_a_stale_answer_of_the_warehouse_takes_no_return_back(shop: Shop) -> None:
    await sold(shop)
    key = await announced(shop, {1: 2})
    for _ in range(2):
        await receive(shop, {1: 1}, keepStatus=True)
        await goes_on(shop, key)
    async with shop.ongoing.fault("GET /orders/*", "stale-read"):
        await look(shop, key)
    await goes_on(shop, key)
    entries = "select kind, quantity from erp.stock_entry where merchant_id = :m and kind like '%return%'"
    assert await shop.read(entries) == [("return", 1), ("return", 1)]
    assert await nets(shop) == [D("41.00"), D("-10.00"), D("-10.00")]


async def test_a_claim_that_a_person_credited_outside_is_not_credited_again_when_its_pick_is_undone(shop: Shop) -> None:
    await sold(shop)
    claim = await announce(shop, {1: 3}, "K-1", **CLAIM)
    await again(shop.worker.returns.announce_return, claim)
    async with shop.worker.database.merchant(shop.merchant) as session:  # as the correction handled_outside does
        await session.execute(
            text("update erp.invoice_basis set state = 'cancelled' where merchant_id = :m and kind = 'credit'"),
            {"m": shop.merchant},
        )
    assert (await goes_on(shop, claim)).outcome == "completed"
    await shop.floor("undo-pick", lines={1: 3})
    await shop.invoice(await shop.look_until_calm())
    assert await shop.read("select amount from erp.invoice_basis where merchant_id = :m and kind = 'credit'") == [(D("-30.00"),)]
    assert await nets(shop) == [D("41.00")]


async def test_a_return_that_is_undone_long_after_its_end_is_told_to_a_person(shop: Shop) -> None:
    await sold(shop)
    key = await announced(shop, {1: 2})
    await receive(shop)
    assert (await goes_on(shop, key)).outcome == "completed"
    await shop.floor("undo-return", lines={1: 1})
    await ActivityEnvironment().run(shop.worker.watch.sweep, shop.merchant)
    found = await shop.read("select return_number from erp.return_order where merchant_id = :m and origin = 'seen'")
    assert (await goes_on(shop, await begin(shop, found[0][0]))).outcome == "completed"
    assert ("return-undone-after-credit", False) in await shop.exceptions()


async def test_what_comes_back_of_a_transfer_comes_from_goods_in_transit(shop: Shop) -> None:
    transfer = {"code": "TRANSFER", "invoice": False, "issue_account": 1461}
    await shop.settings(order_types={"normal": None, "transfer": transfer})
    await sold(shop, order_type="transfer")
    key = await announced(shop, {1: 3, 2: 2})
    await receive(shop, {1: 2})
    await goes_on(shop, key)
    assert await accounts(shop) == {1460: D("-13.50"), 1461: D("13.50")}
    await receive(shop)
    assert (await goes_on(shop, key)).outcome == "completed"
    assert await accounts(shop) == {}


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "update erp.return_order set origin = 'credit', decided_by = 'x', decision = 'y' where merchant_id = :m",
            "stays what it is",
        ),
        ("update erp.return_order set origin = 'seen' where merchant_id = :m", "stays what it is"),
        ("update erp.return_order set return_number = 'R-2' where merchant_id = :m", "stays what it is"),
        ("delete from erp.return_order where merchant_id = :m", "its row stays"),
        ("delete from erp.sales_order where merchant_id = :m", "its row stays"),
    ],
)
async def test_what_the_erp_has_told_keeps_its_kind_its_number_and_its_row(shop: Shop, statement: str, words: str) -> None:
    await shop.sent()
    await announced(shop, {1: 2})
    async with shop.erp.everyone() as session:
        with pytest.raises(Exception, match=words):
            await session.execute(text(statement), {"m": shop.merchant})


async def test_a_credit_of_a_return_is_not_taken_for_the_invoice_of_its_order(shop: Shop) -> None:
    await sold(shop)
    claim = await announce(shop, {1: 1}, "K-1", **CLAIM)
    await again(shop.worker.returns.announce_return, claim)
    async with shop.worker.database.merchant(shop.merchant) as session:
        assert await open_basis(session, shop.merchant, "SO-1", 1) is None
