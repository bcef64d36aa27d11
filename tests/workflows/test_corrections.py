"""What a person sends to an order: done once, refused in words where it makes no sense, kept with who and why."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.corrections import LineChange, Name, Situation, refusal
from erp.corrections import park_address
from tests.activities.world import Shop
from tests.erp.data import article, insert, line
from tests.workflows.process import Processes, becomes
from tests.workflows.situations import brought_to, correction, send
from workflows.corrections import Approval

D = Decimal
STANDING = "select document, code from bridge.exception where merchant_id = :m and closed_at is null and blocking"
AUDIT = "select actor, action, reason from bridge.audit where merchant_id = :m order by audit_no"


async def refused(processes: Processes, name: Name, number: str = "SO-1", **given: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await send(processes, name, number, **given)
    return str(failed.value.cause)


@pytest.mark.parametrize("where", list(Situation))
async def test_what_makes_no_sense_is_refused_in_words_and_nothing_is_written(processes: Processes, where: Situation) -> None:
    async with brought_to(processes, where):
        before = await processes.shop.read(AUDIT)
        for name in Name:
            if words := refusal(name, where):
                assert words in await refused(processes, name), (name, where)
        assert await processes.shop.read(AUDIT) == before


async def test_an_order_on_hold_is_not_sent_until_it_is_released(processes: Processes) -> None:
    shop = processes.shop
    async with brought_to(processes, Situation.HELD):
        await processes.blocked_by("held-by-a-person")
        async with shop.erp.everyone() as session:
            await insert(session, "erp.article", article(shop.merchant, "X"))
        await processes.deliver()
        await asyncio.sleep(0.5)
        assert await processes.stage() == "sending"
        await send(processes, Name.RELEASE)
        await processes.reaches("at-warehouse")
        await processes.blocked_by(None)
    assert [row[:2] for row in await shop.read(AUDIT)] == [("anna", "hold"), ("anna", "release")]


async def test_money_waits_while_an_order_is_on_hold_and_stock_does_not(processes: Processes) -> None:
    shop = processes.shop
    async with brought_to(processes, Situation.AT_WAREHOUSE):
        await send(processes, Name.HOLD)
        await processes.blocked_by("held-by-a-person")
        await shop.pick_and_send()
        await processes.look()
        await becomes(lambda: shop.read("select count(*) from bridge.booking where merchant_id = :m"), [(2,)])
        await asyncio.sleep(0.5)
        assert await shop.invoices() == []
        await send(processes, Name.RELEASE)
        assert await processes.result() == "completed"
    assert len(await shop.invoices()) == 1


@pytest.mark.parametrize("where", [Situation.SENDING_BLOCKED, Situation.AT_WAREHOUSE, Situation.HELD])
async def test_a_person_cancels_an_order_wherever_it_has_not_left(processes: Processes, where: Situation) -> None:
    async with brought_to(processes, where):
        await send(processes, Name.CANCEL)
        await processes.deliver()
        assert await processes.result() == "cancelled"
    assert await processes.shop.status() == "cancelled"
    assert await processes.shop.invoices() == []
    assert await processes.shop.read(STANDING) == []


async def test_an_order_that_is_cancelled_while_on_hold_stands_still_no_more(processes: Processes) -> None:
    async with brought_to(processes, Situation.AT_WAREHOUSE):
        await send(processes, Name.HOLD)
        await processes.blocked_by("held-by-a-person")
        await send(processes, Name.CANCEL)
        await processes.deliver()
        assert await processes.result() == "cancelled"
    assert await processes.shop.read(STANDING) == []


async def test_a_parked_address_goes_to_the_warehouse_and_never_into_temporal(processes: Processes) -> None:
    shop = processes.shop
    address = {"name": "Ny Mottagare", "address1": "Nygatan 9", "post_code": "99999", "city": "Nystad", "country": "SE"}
    async with brought_to(processes, Situation.AT_WAREHOUSE):
        assert "no address is parked" in await refused(processes, Name.CHANGE_ADDRESS, parked="p-1")
        async with shop.worker.database.merchant(shop.merchant) as session:
            assert await park_address(session, shop.merchant, "SO-1", "p-1", address)
        await send(processes, Name.CHANGE_ADDRESS, parked="p-1")
        await processes.deliver()

        async def city() -> Any:
            return (await shop.warehouse_order())["consignee"]["city"]

        await becomes(city, "Nystad")
    history = await processes.of().fetch_history()
    assert "Nygatan" not in history.to_json()
    assert await shop.read("select count(*) from bridge.parked_address where merchant_id = :m") == [(0,)]


async def test_changed_lines_are_what_is_sent_and_invoiced(processes: Processes) -> None:
    shop = processes.shop
    async with brought_to(processes, Situation.SENDING_BLOCKED):
        lines = [LineChange(1, "2"), LineChange(2, "0")]
        assert "has no line 7" in await refused(processes, Name.CHANGE_LINES, lines=[LineChange(7, "1")])
        assert "no line" in await refused(processes, Name.CHANGE_LINES, lines=[LineChange(1, "0"), LineChange(2, "0")])
        await send(processes, Name.CHANGE_LINES, lines=lines)
        await processes.deliver()
        await processes.reaches("at-warehouse")
        await shop.stock(articles=["A"])
        await shop.pick_and_send()
        await processes.look()
        assert await processes.result() == "completed"
    assert [D(str(each["net"])) for each in await shop.invoices()] == [D("20.00")]


async def test_a_short_shipment_is_accepted_without_waiting_for_the_rest(processes: Processes) -> None:
    async with brought_to(processes, Situation.THE_REST):
        await send(processes, Name.ACCEPT_SHORT)
        assert await processes.result() == "completed"
    assert [D(str(each["net"])) for each in await processes.shop.invoices()] == [D("10.00")]


async def test_what_is_split_off_runs_as_an_order_of_its_own(processes: Processes) -> None:
    shop = processes.shop
    async with brought_to(processes, Situation.SENDING_BLOCKED):
        assert "are to be moved" in await refused(processes, Name.SPLIT_OFF, new_number="SO-1-B", lines=[LineChange(2, "3")])
        await send(processes, Name.SPLIT_OFF, new_number="SO-1-B", lines=[LineChange(2, "2")])
        await processes.deliver()
        await processes.reaches("at-warehouse")
        await processes.blocked_by("unknown-article", "SO-1-B")
    lines = "select order_number, line_number, quantity from erp.sales_order_line where merchant_id = :m order by 1, 2"
    assert await shop.read(lines) == [("SO-1", 1, D(3)), ("SO-1-B", 2, D(2))]


async def test_an_invoice_made_outside_is_not_made_here_and_the_ledger_stays(processes: Processes) -> None:
    shop = processes.shop
    ledger = "select count(*), sum(value) from erp.stock_entry where merchant_id = :m"
    async with brought_to(processes, Situation.INVOICING_BLOCKED):
        before = await shop.read(ledger)
        await send(processes, Name.HANDLED_OUTSIDE, foreign_id="F-2026-17")
        assert await processes.result() == "completed"
        assert await shop.read(ledger) == before
    assert not any(each["booked"] for each in await shop.invoices())
    assert await shop.read("select state from erp.invoice_basis where merchant_id = :m") == [("cancelled",)]
    assert "F-2026-17" in str(await shop.read("select detail from bridge.audit where merchant_id = :m"))


async def test_an_invoice_gets_a_day_that_is_open(processes: Processes) -> None:
    shop = processes.shop
    async with brought_to(processes, Situation.INVOICING_BLOCKED):
        assert "locked to and including" in await refused(processes, Name.CHOOSE_PERIOD, day="2027-06-30")
        assert "no financial year" in await refused(processes, Name.CHOOSE_PERIOD, day="2099-01-01")
        await send(processes, Name.CHOOSE_PERIOD, day="2027-07-01")
        assert await processes.result() == "completed"
    [booked] = [each for each in await shop.invoices() if each["booked"]]
    found = await shop.call_fortnox("GET", f"invoices/{booked['number']}")
    assert found.json()["Invoice"]["InvoiceDate"] == "2027-07-01"


async def test_a_draft_made_by_hand_is_adopted_when_it_is_what_was_meant(processes: Processes) -> None:
    shop = processes.shop
    async with brought_to(processes, Situation.INVOICING_BLOCKED):
        [draft] = await shop.invoices()
        ours = (await shop.call_fortnox("GET", f"invoices/{draft['number']}")).json()["Invoice"]
        fields = ("CustomerNumber", "InvoiceDate", "Currency", "VATIncluded")
        by_hand = {name: ours[name] for name in fields} | {"NotCompleted": True}
        names = ("Description", "DeliveredQuantity", "Price", "Discount", "VAT", "AccountNumber")
        by_hand["InvoiceRows"] = [{name: row[name] for name in names} for row in ours["InvoiceRows"]]
        made = (await shop.call_fortnox("POST", "invoices", {"Invoice": by_hand})).json()["Invoice"]["DocumentNumber"]
        other = by_hand | {"InvoiceRows": by_hand["InvoiceRows"][:1]}
        wrong = (await shop.call_fortnox("POST", "invoices", {"Invoice": other})).json()["Invoice"]["DocumentNumber"]
        assert "number of rows is 1" in await refused(processes, Name.ADOPT, foreign_id=str(wrong))
        assert "999" in await refused(processes, Name.ADOPT, foreign_id="999999")
        await shop.fortnox("PUT", "locked-period", {"tenantId": shop.tenant, "endDate": None})
        await send(processes, Name.ADOPT, foreign_id=str(made))
        assert await processes.result() == "completed"
    assert [str(each["number"]) for each in await shop.invoices() if each["booked"]] == [str(made)]


async def test_an_order_that_the_warehouse_holds_under_our_number_is_adopted(processes: Processes, shop: Shop) -> None:
    await processes.begin("SO-0")
    await processes.reaches("at-warehouse", "SO-0")
    theirs = await shop.warehouse_order("SO-0")
    body = {"goodsOwnerId": shop.goods_owner, "orderNumber": "SO-1", "deliveryDate": theirs["orderInfo"]["deliveryDate"]}
    body |= {"consignee": theirs["consignee"]}
    body["orderLines"] = [
        {"rowNumber": str(n), "articleNumber": number, "numberOfItems": count} for n, number, count in ((1, "A", 3), (2, "B", 2))
    ]
    made = await shop.ongoing("POST", "orders", body)
    await processes.begin("SO-1")
    await processes.blocked_by("foreign-order-number")
    assert "has the number SO-0" in await refused(processes, Name.ADOPT, foreign_id=str(theirs["orderInfo"]["orderId"]))
    order_id = (await shop.warehouse_order("SO-1"))["orderInfo"]["orderId"]
    await send(processes, Name.ADOPT, foreign_id=str(order_id))
    await processes.reaches("at-warehouse")
    assert made and (await shop.warehouse_order("SO-1"))["orderInfo"]["orderId"] == order_id


async def test_above_the_limit_a_second_person_must_approve(processes: Processes) -> None:
    shop = processes.shop
    await shop.settings(second_person_above=20)
    await asyncio.sleep(2.1)
    async with brought_to(processes, Situation.AT_WAREHOUSE):
        assert "waits for a second person" in await send(processes, Name.CANCEL, key="k-1")
        await processes.deliver()
        assert await shop.status() == "at-warehouse"

        async def approve(by: str, key: str) -> str:
            return str(await processes.of().execute_update("approve", Approval(by, "yes", key), result_type=str))

        for by, key in (("Anna ", "k-1"), ("bertil", "k-2")):
            with pytest.raises(WorkflowUpdateFailedError):
                await approve(by, key)
        assert "cancel is done" in await approve("bertil", "k-1")
        assert "approved before" in await approve("bertil", "k-1")
        await processes.deliver()
        assert await processes.result() == "cancelled"
    assert [row[:2] for row in await shop.read(AUDIT)] == [("anna", "cancel requested"), ("anna", "cancel")]


async def test_one_key_is_done_once_and_never_for_something_else(processes: Processes) -> None:
    shop = processes.shop
    async with brought_to(processes, Situation.SENDING_BLOCKED):
        change: dict[str, Any] = {"key": "k-1", "lines": [LineChange(1, "2")]}
        answers = await asyncio.gather(*(send(processes, Name.CHANGE_LINES, **change) for _ in range(3)))
        assert sorted("before" in answer for answer in answers) == [False, True, True]
        assert "another correction" in await refused(processes, Name.CHANGE_LINES, key="k-1", lines=[LineChange(1, "1")])
        assert "another correction" in await refused(processes, Name.HOLD, key="k-1")
    assert [row[:2] for row in await shop.read(AUDIT)] == [("anna", "change_lines")]
    assert await shop.read("select version from erp.sales_order where merchant_id = :m") == [(2,)]


async def test_of_two_sent_at_once_the_second_is_judged_by_what_the_first_has_done(processes: Processes) -> None:
    async with brought_to(processes, Situation.SENDING_BLOCKED):
        answers = await asyncio.gather(
            send(processes, Name.HOLD, key="h"), send(processes, Name.RETRY, key="r"), return_exceptions=True
        )
        assert [isinstance(answer, WorkflowUpdateFailedError) for answer in answers] in ([False, True], [False, False])
        await processes.blocked_by("held-by-a-person")


async def test_a_signal_does_the_same_and_tells_what_it_refuses(processes: Processes) -> None:
    shop = processes.shop
    async with brought_to(processes, Situation.AT_WAREHOUSE):
        handle = processes.of()
        await handle.signal("release", {"by": "anna", "reason": "by mistake"})
        await handle.signal("hold", {"by": "anna", "reason": "asked on the phone", "nonsense": 1})
        await handle.signal(
            "change_lines", {"by": "anna", "reason": "fewer", "lines": [{"line": 1, "quantity": "2"}], "key": "s-1"}
        )
        await becomes(lambda: shop.read(AUDIT), [("anna", "change_lines", "fewer")])
        details = await handle.query("__temporal_workflow_metadata", result_type=dict)
        assert "it is not on hold" in str(details) and "nonsense is not a field" in str(details)


async def test_the_details_say_what_can_be_sent_with_an_example(processes: Processes) -> None:
    async with brought_to(processes, Situation.INVOICING_BLOCKED):
        details = str(await processes.of().query("__temporal_workflow_metadata", result_type=dict))
        for name in Name:
            if name is not Name.RETRY:
                assert (f"`{name.value}` `" in details) == (refusal(name, Situation.INVOICING_BLOCKED) is None), name


def test_ordinary_corrections_are_what_the_types_take() -> None:
    for name in Name:
        assert correction(name).by == "anna"
    assert line("A")["quantity"] == 3
