"""Returns: goods come back at their cost, money goes back to the öre, and what a person must decide waits for one."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.errors import Waiting
from domain.errors import Refused
from domain.keys import Decision
from tests.activities.returning import announce, announced, begin, goes_on, look, receive, round_trip, sold, sums
from tests.activities.world import HOW_OFTEN, Shop, again
from tests.erp.data import line

D = Decimal
BACK = """
  select line_number, quantity, cause_code, grade, return_number from erp.returned_goods
  where merchant_id = :m order by 1, booked_at, part"""
CREDITS = "select count(*) from erp.invoice_basis where merchant_id = :m and kind = 'credit'"


async def test_an_order_in_two_shipments_and_its_returns_in_three_sum_to_zero_to_the_ore(shop: Shop) -> None:
    await round_trip(shop)


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_return_is_announced_booked_and_credited_once_however_often_it_is_asked_for(shop: Shop, often: Any) -> None:
    await sold(shop, freight=49)
    key = await announce(shop, {1: 2})
    await often(shop.workers, lambda worker: worker.returns.announce_return, key)
    await receive(shop)
    state = await often(shop.workers, lambda worker: worker.returns.look_at_return, key)
    [basis] = state.to_credit
    ended = await often(shop.workers, lambda worker: worker.fortnox.credit_return, basis)
    assert ended.outcome == "completed"
    assert [D(str(each["net"])) for each in await shop.invoices()] == [D("90.00"), D("-20.00")]
    assert await shop.read(BACK) == [(1, 2, None, "stock", "R-1")]
    balances = await shop.balances()
    assert balances["A"] == (D("999.0000"), D("4495.50"))


async def test_a_return_nobody_announced_is_found_opened_and_credited(shop: Shop) -> None:
    await sold(shop)
    await shop.floor("return", lines={2: 1})
    await again(shop.worker.watch.find_changes, shop.merchant)
    await again(shop.worker.watch.find_changes, shop.merchant)
    assert await shop.read("select return_number, origin from erp.return_order where merchant_id = :m") == [("SO-1/R1", "seen")]
    topics = await shop.read("select topic from bridge.outbox where merchant_id = :m and document = 'SO-1/R1' order by 1")
    assert topics == [("return.announced",)], "one that was told a moment ago is not told again"
    state = await goes_on(shop, await begin(shop, "SO-1/R1"))
    assert state.outcome == "completed"
    credit = (await shop.invoices())[-1]  # 5.50, moved by an öre: 10.25 VAT cannot be split as 1.38 and 8.88
    assert (D(str(credit["net"])), D(str(credit["vat"]))) == (D("-5.51"), D("-1.38"))
    await again(shop.worker.watch.find_changes, shop.merchant)
    assert len(await shop.read("select 1 from erp.return_order where merchant_id = :m")) == 1


async def test_what_a_return_says_of_freight_is_history_once_it_has_ended(shop: Shop) -> None:
    await sold(shop, freight=49)
    key = await announced(shop, {1: 1})
    asks = "update erp.return_order set credit_freight = true where merchant_id = :m and return_number = 'R-1'"
    async with shop.erp.everyone() as session:
        await session.execute(text(asks), {"m": shop.merchant})
        await session.execute(text(asks.replace("true", "null")), {"m": shop.merchant})
    await receive(shop)
    assert (await goes_on(shop, key)).outcome == "completed"
    with pytest.raises(Exception, match=r"R-1 is completed: .* freight is history.*lagerbro order credit SO-1 --freight"):
        async with shop.erp.everyone() as session:
            await session.execute(text(asks), {"m": shop.merchant})
    decision: dict[str, Any] = {"origin": "credit", "decided_by": "Kim", "decision": "late", "credit_freight": True}
    assert (await goes_on(shop, await announced(shop, {}, "K-1", **decision))).outcome == "completed"
    assert D(str((await shop.invoices())[-1]["net"])) == -49


async def test_the_nightly_sweep_finds_a_return_long_after_the_end_and_books_it_at_its_original_cost(shop: Shop) -> None:
    await sold(shop)
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text("update bridge.watched set looked_at = now() - interval '300 days'"))
    await shop.floor("return", lines={1: 1}, keepStatus=True)
    await again(shop.worker.watch.sweep, shop.merchant)
    key = await begin(shop, "SO-1/R1")
    assert (await goes_on(shop, key)).outcome == "completed"
    entries = await shop.read("select quantity, value from erp.stock_entry where merchant_id = :m and kind = 'return'")
    assert entries == [(D("1.0000"), D("4.50"))]


async def test_causes_grade_what_comes_back_and_scrapped_goods_are_one_fact(shop: Shop) -> None:
    await shop.settings(return_causes={"SIZE": "stock", "DIRTY": "locked", "BROKEN": "scrapped"})
    await sold(shop)
    before = (await shop.balances())["A"]
    key = await announced(shop, {1: 3}, cause_code="SIZE")
    await receive(shop, {1: 1})
    await receive(shop, {1: 1}, causeCode="DIRTY")
    await receive(shop, {1: 1}, scrap=True)
    assert (await goes_on(shop, key)).outcome == "completed"
    graded = await shop.read("select cause_code, grade, quantity from erp.returned_goods where merchant_id = :m order by 1, 2")
    assert graded == [("DIRTY", "locked", 1), ("SIZE", "scrapped", 1), ("SIZE", "stock", 1)]
    after = (await shop.balances())["A"]
    assert [after[0] - before[0], after[1] - before[1]] == [2, D("9.00")]
    accounts = await shop.read(
        "select account, sum(debit - credit) from erp.posting_row where merchant_id = :m and account = 4990 group by 1"
    )
    assert accounts == [(4990, D("4.50"))]
    assert await sums(shop) == [D("11.00"), D("2.75"), D("13.75")]


async def test_an_unknown_cause_is_booked_and_its_money_waits_for_the_map(shop: Shop) -> None:
    await shop.settings(return_causes={"SIZE": "stock"})
    await sold(shop)
    key = await announced(shop, {1: 1})
    await receive(shop, causeCode="NEW")
    with pytest.raises(Refused, match="'NEW'") as refused:
        await look(shop, key)
    assert refused.value.code == "unknown-return-cause"
    assert await shop.read(BACK) == [(1, 1, "NEW", "stock", "R-1")]
    assert await shop.read(CREDITS) == [(0,)]
    await shop.settings(return_causes={"SIZE": "stock", "NEW": "stock"})
    assert (await goes_on(shop, key)).outcome == "completed"
    assert await shop.read(CREDITS) == [(1,)]


async def test_more_back_than_was_sent_is_booked_credited_as_far_as_invoiced_and_named(shop: Shop) -> None:
    await sold(shop)
    key = await announced(shop, {1: 3})
    await receive(shop, {1: 5}, over=True)
    with pytest.raises(Refused, match="line 1 of sales order SO-1: 5 are back, 3 were sent; 2 are not credited") as refused:
        await goes_on(shop, key)
    assert refused.value.code == "returned-more-than-sent"
    assert D(str((await shop.invoices())[-1]["net"])) == D("-30.00")
    assert (await shop.balances())["A"] == (D("1002.0000"), D("4509.00"))
    await again(shop.worker.returns.settle_without_credit, Decision(shop.merchant, "R-1", "Kim", "a gift from the customer"))
    assert (await goes_on(shop, key)).outcome == "completed"
    audit = await shop.read("select actor, action, reason from bridge.audit where merchant_id = :m")
    assert audit == [("Kim", "return-without-credit", "a gift from the customer")]
    assert await shop.read(CREDITS) == [(1,)]


async def test_a_return_without_credit_is_a_decision_and_credits_nothing(shop: Shop) -> None:
    await sold(shop)
    key = await announced(shop, {1: 1}, credit=False, decided_by="Kim", decision="exchange")
    await receive(shop)
    assert (await goes_on(shop, key)).outcome == "completed"
    assert await shop.read(CREDITS) == [(0,)]
    assert await shop.read("select outcome, quantity from erp.return_settlement where merchant_id = :m") == [
        ("without-credit", 1)
    ]


async def test_a_credit_without_goods_is_a_decision_and_never_more_than_is_left(shop: Shop) -> None:
    await sold(shop, freight=49)
    decision = {"origin": "credit", "decided_by": "Kim", "decision": "claim"}
    key = await announce(shop, {1: 2}, "K-1", credit_freight=True, **decision)
    state = await again(shop.worker.returns.announce_return, key)
    assert (await again(shop.worker.fortnox.credit_return, state.to_credit[0])).outcome == "completed"
    assert D(str((await shop.invoices())[-1]["net"])) == D("-69.00")
    second = await announce(shop, {1: 2}, "K-2", **decision)
    with pytest.raises(Refused, match="line 1: 1 more") as refused:
        await again(shop.worker.returns.announce_return, second)
    assert refused.value.code == "credit-more-than-invoiced"
    assert await shop.read(CREDITS) == [(1,)]
    assert await shop.read("select action from bridge.audit where merchant_id = :m order by audit_no") == [
        ("credit-without-return",),
        ("credit-without-return",),
    ]


async def test_what_was_credited_by_decision_is_not_credited_again_when_its_pick_is_undone(shop: Shop) -> None:
    await sold(shop, lines=[line("A", 3, 10)])
    decision = {"origin": "credit", "decided_by": "Kim", "decision": "claim"}
    key = await announce(shop, {1: 2}, "K-1", **decision)
    await again(shop.worker.returns.announce_return, key)
    assert (await goes_on(shop, key)).outcome == "completed"
    await shop.floor("undo-pick", lines={1: 3})
    await shop.invoice(await shop.look_until_calm())
    assert [D(str(each["net"])) for each in await shop.invoices()] == [D("30.00"), D("-20.00"), D("-10.00")]


async def test_two_returns_of_one_order_never_credit_the_same_piece(shop: Shop) -> None:
    await sold(shop)
    first, second = await announced(shop, {1: 1}, "R-1"), await announced(shop, {1: 2}, "R-2")
    await receive(shop, number="R-2")
    await shop.floor("return", lines={1: 1})
    assert (await goes_on(shop, first)).outcome == "completed"
    assert (await goes_on(shop, second)).outcome == "completed"
    owned = await shop.read("select return_number, quantity from erp.returned_goods where merchant_id = :m order by 1")
    assert owned == [("R-1", 1), ("R-2", 2)]
    assert await sums(shop) == [D("11.00"), D("2.75"), D("13.75")]


async def test_a_return_that_is_undone_before_its_credit_leaves_no_trace_in_stock(shop: Shop) -> None:
    await sold(shop)
    before = await shop.balances()
    await shop.settings(return_causes={"SIZE": "stock"})
    key = await announced(shop, {1: 2})
    await receive(shop, {1: 2}, causeCode="NEW", keepStatus=True)
    with pytest.raises(Refused):
        await look(shop, key)
    await shop.floor("undo-return", lines={1: 2})
    state = await goes_on(shop, key)
    assert state.outcome is None or state.outcome == "completed"
    assert await shop.balances() == before
    assert await shop.read(CREDITS) == [(0,)]


async def test_what_comes_back_before_its_pick_was_booked_waits_for_the_order_to_look(shop: Shop) -> None:
    await shop.sent()
    key = await announced(shop, {1: 1})
    await shop.pick_and_send()
    await receive(shop)
    with pytest.raises(Waiting, match="picks of sales order SO-1 are to be booked first"):
        await ActivityEnvironment().run(shop.worker.returns.look_at_return, key)
    assert await shop.read("select source, document from bridge.inbox where merchant_id = :m") == [("return", "SO-1")]
    await shop.ended(await shop.look_until_calm())
    assert (await goes_on(shop, key)).outcome == "completed"
    assert await shop.exceptions() == []
    assert (await shop.balances())["A"] == (D("998.0000"), D("4491.00"))


async def test_a_cancelled_return_ends_and_one_that_has_begun_goes_on(shop: Shop) -> None:
    await sold(shop)
    first, second = await announced(shop, {1: 1}, "R-1"), await announced(shop, {2: 1}, "R-2")
    assert (await again(shop.worker.returns.cancel_return, first)).outcome == "cancelled"
    await receive(shop, number="R-2")
    state = await again(shop.worker.returns.cancel_return, second)
    assert state.outcome is None
    assert ("too-late-to-cancel-return", False) in await shop.exceptions()
    assert (await goes_on(shop, second)).outcome == "completed"


async def test_a_return_of_an_order_the_warehouse_never_had_waits_for_the_erp(shop: Shop) -> None:
    await shop.order()
    key = await announce(shop, {1: 1})
    with pytest.raises(Refused, match="never had sales order SO-1") as refused:
        await again(shop.worker.returns.announce_return, key)
    assert refused.value.code == "return-of-unsent-order"


async def test_lost_answers_on_the_credit_make_it_once(shop: Shop) -> None:
    await sold(shop)
    key = await announced(shop, {1: 2})
    await receive(shop)
    state = await look(shop, key)
    async with shop.fortnox.fault("POST /3/invoices", "lost-answer"):
        assert (await again(shop.worker.fortnox.credit_return, state.to_credit[0])).outcome == "completed"
    assert await sums(shop) == [D("21.00"), D("5.25"), D("26.25")]


@pytest.mark.parametrize(
    ("lines", "columns", "says"),
    [
        ({9: 1}, {}, "sales order SO-1 has no line 9"),
        ({}, {}, "it has no lines"),
        ({1: 1}, {"credit": False}, "a_decision_has_an_actor_and_a_reason"),
        ({1: 1}, {"order": "SO-404"}, "has no sales order SO-404"),
        ({1: 1}, {"origin": "seen"}, "draft or announced"),
        ({1: 0}, {}, "quantity_in_range"),
    ],
)
async def test_a_return_that_cannot_be_is_refused_with_the_row_named(
    shop: Shop, lines: dict[int, Any], columns: dict[str, Any], says: str
) -> None:
    await shop.order()
    with pytest.raises(Exception, match=says):
        await announce(shop, lines, **columns)
    assert await shop.read("select 1 from erp.return_order where merchant_id = :m") == []
