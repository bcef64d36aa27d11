"""Invoicing: one booked invoice for each part of a shipment, whatever happens to the answers and whoever edits the draft."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.errors import Waiting
from clients.errors import Unavailable
from domain.errors import Refused
from domain.keys import BasisKey, OrderState
from tests.activities.world import HOW_OFTEN, Shop, again, new_worker, rule
from tests.erp.data import customer, insert, line

D = Decimal
CALLS = "select state, attempt from bridge.foreign_call where merchant_id = :m order by call_no"
SURPLUS = "select their_id, state from bridge.surplus_document where merchant_id = :m order by their_id"


def invoice(worker: Any) -> Any:
    return worker.fortnox.invoice_shipment


async def owed(shop: Shop, number: str = "SO-1", lines: list[dict[str, Any]] | None = None, **columns: Any) -> OrderState:
    """An order that was picked and sent: its invoice is owed."""
    await shop.sent(number, lines or [], **columns)
    await shop.pick_and_send(number)
    return await shop.look_until_calm(number)


async def one_try(shop: Shop, basis: BasisKey) -> OrderState:
    """One attempt, as Temporal makes it, without a retry."""
    state: OrderState = await ActivityEnvironment().run(shop.worker.fortnox.invoice_shipment, basis)
    return state


def live(invoices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in invoices if not each["cancelled"]]


async def booked_once(shop: Shop, net: str) -> dict[str, Any]:
    """The one live invoice: booked, with our figures, and our books say so."""
    [found] = live(await shop.invoices())
    assert (found["booked"], D(str(found["net"]))) == (True, D(net))
    [row] = await shop.read(
        "select state, fortnox_invoice_number, fortnox_net, reference from erp.invoice_basis where merchant_id = :m"
    )
    assert row == ("booked", int(found["number"]), D(net), found["reference1"])
    return found


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_shipment_is_invoiced_once_however_often_it_is_asked_for(shop: Shop, often: Any) -> None:
    state = await owed(shop, freight=49)
    ended = await often(shop.workers, invoice, state.to_invoice[0])
    assert ended == OrderState("shipped", outcome="completed") or ended.outcome == "completed"
    found = await booked_once(shop, "90.00")
    assert (D(str(found["vat"])), found["customer"], found["notCompleted"]) == (D("22.50"), "K-1", False)
    assert len(await shop.invoices()) == 1
    assert await shop.status() == "completed"
    assert await shop.read("select outcome from bridge.process where merchant_id = :m") == [("completed",)]
    assert [state for state, _ in await shop.read(CALLS)] == ["done"]


async def test_freight_discount_and_vat_of_several_rates_come_out_as_the_order_says(shop: Shop) -> None:
    lines = [
        line("A", 3, "33.33", discount_percent=10, vat_rate=25),
        line("B", 7, "0.07", vat_rate=12),
        line("C", 2, "99.995", vat_rate=6),
        line("FRAKTSERVICE", 1, 250, vat_rate=0),
    ]
    state = await owed(shop, lines=lines, freight="49.50", discount_percent=5)
    await shop.invoice(state)
    amounts = {
        n: D(amount)
        for n, amount in await shop.read("select line_number, amount from erp.invoice_basis_row where merchant_id = :m")
    }
    expected = {None: D("49.50"), 1: D("85.49"), 2: D("0.47"), 3: D("189.99"), 4: D("237.50")}
    assert amounts == expected
    await booked_once(shop, str(sum(expected.values())))


async def test_prices_with_vat_are_exact_with_vat(shop: Shop) -> None:
    state = await owed(shop, lines=[line("A", 3, "99.90"), line("B", 1, "0.05", vat_rate=12)], price_basis="gross", freight=49)
    await shop.invoice(state)
    [found] = live(await shop.invoices())
    assert D(str(found["net"])) + D(str(found["vat"])) == D("348.75")


async def test_a_foreign_currency_is_invoiced_at_the_orders_rate(shop: Shop) -> None:
    async with shop.erp.everyone() as session:
        await insert(session, "erp.customer", customer(shop.merchant, "TYSK", country="DE", vat_number="DE123456789"))
    state = await owed(
        shop,
        lines=[line("A", 3, 10, vat_rate=0)],
        currency="EUR",
        exchange_rate="11.25",
        customer_number="TYSK",
        freight=5,
        freight_vat_rate=0,
    )
    await shop.invoice(state)
    found = await booked_once(shop, "35.00")
    assert found["customer"] == "TYSK"


async def test_an_order_without_a_customer_is_billed_to_its_countrys_collective_one(shop: Shop) -> None:
    where: dict[str, Any] = {"name": "Anna Exempel", "address1": "G 1", "post_code": "1", "city": "S", "country": "SE"}
    state = await owed(shop, customer_number=None, **{f"delivery_{name}": value for name, value in where.items()})
    await shop.invoice(state)
    assert (await booked_once(shop, "41.00"))["customer"] == "KOLLEKTIV-SE"


async def test_a_thousand_lines_become_invoices_of_at_most_five_hundred_rows(shop: Shop) -> None:
    await shop.sent(lines=[line("ABC"[number % 3], 1, 10) for number in range(1000)], freight=49)
    await shop.pick_and_send()
    state = await shop.look_until_calm()
    assert len(state.to_invoice) == 3
    ended = await shop.invoice(state)
    assert ended.outcome == "completed"
    found = live(await shop.invoices())
    assert [D(str(each["net"])) for each in found] == [D("5039.00"), D("5000.00"), D("10.00")]
    assert all(each["booked"] for each in found)
    assert len({each["reference1"] for each in found}) == 3


async def test_an_unpick_before_the_invoice_is_billed_and_credited(shop: Shop) -> None:
    state = await owed(shop)
    await shop.floor("undo-pick", lines={1: 2})
    await shop.look()
    state = await shop.look_until_calm()
    ended = await shop.ended(state)
    found = live(await shop.invoices())
    assert [(D(str(each["net"])), each["booked"]) for each in found] == [(D("41.00"), True), (D("-20.00"), True)]
    assert ended.outcome == "completed"
    assert await shop.status() == "completed"


async def test_an_unpick_after_the_invoice_becomes_a_booked_credit(shop: Shop) -> None:
    await shop.invoice(await owed(shop))
    await shop.floor("undo-pick", lines={1: 3})
    await shop.look()
    state = await shop.look_until_calm()
    assert len(state.to_invoice) == 1
    await shop.invoice(state)
    found = live(await shop.invoices())
    assert [(D(str(each["net"])), D(str(each["vat"]))) for each in found] == [(D("41.00"), D("10.25")), (D("-30.00"), D("-7.50"))]
    assert all(each["booked"] for each in found)
    assert (await shop.balances())["A"] == (D(1000), D("4500.00"))


async def test_a_pick_after_the_end_is_booked_shipped_and_invoiced(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick", lines={1: 1, 2: 2})
    await shop.floor("send")
    await shop.ended(await shop.look())
    assert (await shop.look()).outcome == "completed"
    assert await shop.status() == "completed"
    await shop.floor("pick", lines={1: 2})
    await shop.floor("send")
    state = await shop.look_until_calm()
    assert len(state.to_invoice) == 1
    ended = await shop.ended(state)
    assert [D(str(each["net"])) for each in live(await shop.invoices())] == [D("21.00"), D("20.00")]
    assert ended.outcome == "completed"


# --- answers that go missing ---------------------------------------------------------------------------------------------

WRITES = ["POST /3/customers", "POST /3/invoices", "PUT /3/invoices/*", "PUT /3/invoices/*/bookkeep"]
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("lost-answer", {}),
    ("lost-answer-500", {}),
    ("refuse-connection", {}),
    ("http", {"status": 503}),
    ("rate-limited", {"retryAfter": 0}),
    ("rate-limited", {}),
    ("html-200", {}),
    ("html-200", {"applied": True}),
    ("empty-200", {}),
    ("empty-200", {"applied": True}),
    ("http", {"status": 502, "applied": True}),
    ("truncated", {}),
    ("error-in-200", {}),
]


@pytest.mark.parametrize(("kind", "params"), FAULTS, ids=[f"{kind} {params or ''}" for kind, params in FAULTS])
@pytest.mark.parametrize("route", WRITES)
async def test_no_fault_of_fortnox_leaves_two_booked_invoices_or_none(
    shop: Shop, route: str, kind: str, params: dict[str, Any]
) -> None:
    state = await owed(shop)
    async with shop.fortnox.fault(route, kind, **params):
        ended = await shop.invoice(state)
    assert ended.outcome == "completed"
    await booked_once(shop, "41.00")
    assert len(await shop.invoices()) == 1, "nothing was created twice, not even a draft"


@pytest.mark.parametrize("route", ["GET /3/invoices", "GET /3/invoices/*", "GET /3/customers/*"])
@pytest.mark.parametrize("kind", ["html-200", "empty-200", "truncated", "refuse-connection", "lost-answer-500"])
async def test_an_unreadable_answer_to_a_question_is_asked_again(shop: Shop, route: str, kind: str) -> None:
    state = await owed(shop)
    async with shop.fortnox.fault(route, kind):
        assert (await shop.invoice(state)).outcome == "completed"
    await booked_once(shop, "41.00")
    assert len(await shop.invoices()) == 1


async def test_nothing_is_created_again_before_an_unclear_attempt_has_settled(shop: Shop) -> None:
    state = await owed(shop)
    async with shop.fortnox.fault("POST /3/invoices", "lost-answer"):
        with pytest.raises(Waiting) as waiting:
            await one_try(shop, state.to_invoice[0])
    assert waiting.value.code == "settling"
    assert await shop.read(CALLS) == [("sent", 1)]
    with pytest.raises(Waiting):
        await one_try(shop, state.to_invoice[0])
    assert await shop.read(CALLS) == [("sent", 1)], "the second attempt wrote nothing"
    assert (await shop.invoice(state)).outcome == "completed"
    assert await shop.read(CALLS) == [("done", 1)], "the search found what the first attempt had made"


async def test_a_worker_that_died_after_saying_it_sends_leaves_an_unclear_attempt(shop: Shop) -> None:
    """The attempt is committed before its bytes leave, so a frozen or killed worker is never mistaken for 'not sent'."""
    from erp import calls
    from erp.calls import CallKey

    state = await owed(shop)
    [(reference,)] = await shop.read("select reference from erp.invoice_basis where merchant_id = :m")
    key = CallKey(shop.merchant, "fortnox", "create-invoice", reference)
    async with shop.worker.database.merchant(shop.merchant) as session:
        await calls.intend(session, key, {})
        await calls.send(session, key, 0, {}, 5, 0.3)
    with pytest.raises(Waiting) as waiting:
        await one_try(shop, state.to_invoice[0])
    assert waiting.value.code == "settling"
    assert await shop.invoices() == []
    assert (await shop.invoice(state)).outcome == "completed"
    await booked_once(shop, "41.00")
    assert await shop.read(CALLS) == [("done", 2)]


async def test_a_late_arrival_within_the_settling_time_is_adopted(shop: Shop) -> None:
    state = await owed(shop)
    async with shop.fortnox.fault("POST /3/invoices", "late", seconds=0.2):
        assert (await shop.invoice(state)).outcome == "completed"
    await booked_once(shop, "41.00")
    assert len(await shop.invoices()) == 1
    assert await shop.read(SURPLUS) == []


async def test_a_surplus_draft_that_came_too_late_is_cancelled_and_listed_by_the_nightly_search(shop: Shop) -> None:
    state = await owed(shop)
    async with shop.fortnox.fault("POST /3/invoices", "late", seconds=1.5):
        assert (await shop.invoice(state)).outcome == "completed"
        await until_invoices(shop, 2)
    found = await again(shop.worker.fortnox.sweep_surplus_invoices, shop.merchant)
    assert found == 1
    kept = await booked_once(shop, "41.00")
    [surplus] = [each for each in await shop.invoices() if each["number"] != kept["number"]]
    assert (surplus["cancelled"], surplus["booked"]) == (True, False)
    assert await shop.read(SURPLUS) == [(str(surplus["number"]), "cancelled")]
    assert await again(shop.worker.fortnox.sweep_surplus_invoices, shop.merchant) == 0


async def test_a_surplus_draft_seen_before_bookkeeping_is_cancelled_then(shop: Shop) -> None:
    state = await owed(shop)
    late = rule("POST /3/invoices", "late", seconds=1.2)
    stuck = rule("PUT /3/invoices/*", "http", count=None, status=503)
    async with shop.fortnox.faults(late, stuck):
        with pytest.raises(TimeoutError):
            await again(shop.worker.fortnox.invoice_shipment, state.to_invoice[0], seconds=2)
        await until_invoices(shop, 2)
    assert (await shop.invoice(state)).outcome == "completed"
    kept = await booked_once(shop, "41.00")
    [surplus] = [each for each in await shop.invoices() if each["number"] != kept["number"]]
    assert surplus["cancelled"] is True
    assert await shop.read(SURPLUS) == [(str(surplus["number"]), "cancelled")]


async def until_invoices(shop: Shop, number: int) -> None:
    import asyncio

    async with asyncio.timeout(8):
        while len(await shop.invoices()) < number:  # noqa: ASYNC110 - another process makes them
            await asyncio.sleep(0.05)


# --- what a person must put right ------------------------------------------------------------------------------------------


async def refused(shop: Shop, state: OrderState) -> Refused:
    with pytest.raises(Refused) as refusal:
        await again(shop.worker.fortnox.invoice_shipment, state.to_invoice[0])
    return refusal.value


async def draft(shop: Shop, state: OrderState) -> int:
    """Leave a draft in Fortnox: the attempt that made it never came to book it."""
    async with shop.fortnox.fault("GET /3/invoices/*", "http", count=1, status=503):
        with pytest.raises(Unavailable):
            await one_try(shop, state.to_invoice[0])
    [found] = await shop.invoices()
    assert (found["booked"], found["notCompleted"]) == (False, True)
    return int(found["number"])


async def test_a_locked_period_is_named_and_cured_by_unlocking_it(shop: Shop) -> None:
    state = await owed(shop)
    await shop.fortnox("PUT", "locked-period", {"tenantId": shop.tenant, "endDate": "2027-12-31"})
    refusal = await refused(shop, state)
    assert refusal.code == "period-locked"
    assert not any(each["booked"] for each in await shop.invoices())
    await shop.fortnox("PUT", "locked-period", {"tenantId": shop.tenant, "endDate": None})
    assert (await shop.invoice(state)).outcome == "completed"
    await booked_once(shop, "41.00")
    assert len(await shop.invoices()) == 1


async def test_a_missing_financial_year_is_named(shop: Shop) -> None:
    state = await owed(shop)
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text("update erp.invoice_basis set invoice_date = date '2031-05-05'"))
    assert (await refused(shop, state)).code == "financial-year-missing"


async def test_a_draft_that_somebody_edited_is_not_booked(shop: Shop) -> None:
    state = await owed(shop)
    number = await draft(shop, state)
    await shop.fortnox("POST", f"invoices/{number}/edit?tenantId={shop.tenant}", {"tenantId": shop.tenant, "Freight": 100})
    refusal = await refused(shop, state)
    assert refusal.code == "invoice-differs"
    assert [each["booked"] for each in await shop.invoices()] == [False]


async def test_a_draft_that_somebody_cancelled_stops_for_a_person(shop: Shop) -> None:
    state = await owed(shop)
    number = await draft(shop, state)
    await shop.fortnox("POST", f"invoices/{number}/edit?tenantId={shop.tenant}", {"tenantId": shop.tenant, "Cancelled": True})
    assert (await refused(shop, state)).code == "invoice-cancelled-by-hand"
    assert len(await shop.invoices()) == 1


async def test_two_booked_with_one_reference_stop_for_a_person(shop: Shop) -> None:
    state = await owed(shop)
    async with shop.fortnox.fault("POST /3/invoices", "late", seconds=1.2):
        await shop.invoice(state)
        await until_invoices(shop, 2)
    surplus = next(each for each in await shop.invoices() if not each["booked"])
    await shop.call_fortnox("PUT", f"invoices/{surplus['number']}", {"Invoice": {"NotCompleted": False}})
    await shop.call_fortnox("PUT", f"invoices/{surplus['number']}/bookkeep")
    await again(shop.worker.fortnox.sweep_surplus_invoices, shop.merchant)
    assert ("invoice-booked-twice", False) in await shop.exceptions()


async def test_a_customer_that_fortnox_does_not_take_is_named(shop: Shop) -> None:
    async with shop.erp.everyone() as session:
        await insert(session, "erp.customer", customer(shop.merchant, "K 1 ö"))
    state = await owed(shop, customer_number="K 1 ö")
    assert (await refused(shop, state)).code == "customer-number-not-accepted"
    state = await owed(shop, "SO-2")
    async with shop.fortnox.fault(
        "POST /3/customers", "http", status=400, body={"ErrorInformation": {"error": 1, "message": "Nej", "code": 2000357}}
    ):
        refusal = await refused(shop, state)
    assert refusal.code == "customer-refused"
    assert await shop.invoices() == []


async def test_a_customer_number_that_belongs_to_somebody_else_is_left_alone(shop: Shop) -> None:
    state = await owed(shop)
    theirs = {"CustomerNumber": "K-1", "Name": "Någon annan", "ExternalReference": "other-system/1"}
    await shop.call_fortnox("POST", "customers", {"Customer": theirs})
    assert (await refused(shop, state)).code == "customer-number-taken"
    kept = await shop.call_fortnox("GET", "customers/K-1")
    assert kept.json()["Customer"]["Name"] == "Någon annan"


async def test_a_changed_customer_is_changed_over_there_too(shop: Shop) -> None:
    await shop.invoice(await owed(shop))
    async with shop.erp.everyone() as session:
        await session.execute(text("update erp.customer set city = 'Nystad' where merchant_id = :m"), {"m": shop.merchant})
    await shop.invoice(await owed(shop, "SO-2"))
    card = (await shop.call_fortnox("GET", "customers/K-1")).json()["Customer"]
    assert (card["City"], card["ExternalReference"]) == ("Nystad", "lagerbro/K-1")


async def test_what_fortnox_refuses_is_a_refusal_even_inside_a_200(shop: Shop) -> None:
    state = await owed(shop)
    async with shop.fortnox.fault("POST /3/invoices", "error-in-200", code=2000106, message="Ogiltigt värde"):
        refusal = await refused(shop, state)
    assert refusal.code == "invoice-refused"
    assert [state for state, _ in await shop.read(CALLS)] == ["refused"]
    assert (await shop.invoice(state)).outcome == "completed"
    await booked_once(shop, "41.00")


async def test_free_text_that_fortnox_does_not_take_is_cleaned_and_never_blocks(shop: Shop) -> None:
    words = 'Kruka <"stor"> 🎁 {x} | [y] ~ å\u0301'
    state = await owed(shop, lines=[line("A", 1, 10, description=words)], your_reference=words, note=words)
    assert (await shop.invoice(state)).outcome == "completed"
    await booked_once(shop, "10.00")


async def test_the_settling_time_holds_for_all_workers(shop: Shop) -> None:
    state = await owed(shop)
    patient = new_worker(shop.app_url, shop.keys, settle=timedelta(hours=1))
    try:
        async with shop.fortnox.fault("POST /3/invoices", "refuse-connection"):
            with pytest.raises(Waiting):
                await ActivityEnvironment().run(patient.fortnox.invoice_shipment, state.to_invoice[0])
        with pytest.raises(Waiting) as waiting:
            await one_try(shop, state.to_invoice[0])
        assert waiting.value.seconds > 3500
    finally:
        await patient.close()
