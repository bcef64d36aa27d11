"""What purchases cost: supplier invoices, landed costs, returns to suppliers, costing methods."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from temporalio.client import WorkflowHandle

from erp.article_costs import set_by_hand
from tests.activities.buying import LANDED, OWED, bill, buying, edit, enter, pool, read, today
from tests.activities.test_purchases import floor, ordered, place, status
from tests.activities.test_reconciling import Clock, lose, stocked
from tests.activities.test_revaluing import opened
from tests.erp.data import article, insert
from tests.workflows.process import Processes, becomes
from tests.workflows.reasons.articles import reaches_the_warehouse
from tests.workflows.reasons.purchases import look
from tests.workflows.reasons.world import Way, erp, mend_fortnox, seen_to, spoil_fortnox
from tests.workflows.test_receive_purchase_order import ended, of
from workflows import attributes, options
from workflows.exchange_rates import FetchExchangeRates, RatesKey
from workflows.patient import Correction

LINE = {"article": "N", "quantity": "10", "price": "10"}


async def came(p: Processes, quantity: int = 10, **settings: Any) -> None:
    """So many of ten have come of a purchase that awaits its invoice."""
    await buying(p.shop, "N", landed_cost_account=LANDED, **settings)
    await place(p.shop, [ordered("N", 10, 10)])
    await becomes(lambda: status(p.shop), "at-warehouse")
    await floor(p.shop, "receive", {1: quantity})
    await look(p)
    await becomes(lambda: status(p.shop), "received" if quantity == 10 else "part-received")


async def retry(p: Processes) -> None:
    await of(p).execute_update("retry_now", Correction("anna", "mended"))


async def invoiced(p: Processes) -> None:
    assert await ended(p) == "invoiced"


# --- what the ERP enters


async def freight_by_weight(p: Processes) -> None:
    await came(p)
    await enter(p.shop, "landed_cost", landed_cost_number="LC-1", purchases=["PO-1"], amount=25, allocation_key="weight")


async def the_articles_have_weights(p: Processes) -> None:
    await erp(p, "update erp.article set weight = 2 where merchant_id = :m and article_number = 'N'")
    await retry(p)
    await becomes(lambda: pool(p.shop, "N"), (10, 125))


async def more_goes_back_than_came(p: Processes) -> None:
    await came(p)
    await enter(
        p.shop, "supplier_return", supplier_return_number="SR-1", purchase_order_number="PO-1", article_number="N", quantity=12
    )


async def a_smaller_quantity_is_written(p: Processes) -> None:
    await erp(p, "update erp.supplier_return set quantity = 2 where merchant_id = :m and supplier_return_number = 'SR-1'")
    await becomes(lambda: pool(p.shop, "N"), (8, 80))


# --- what the accounting tells


async def on_another_account(p: Processes) -> int:
    await came(p)
    return await bill(p.shop, LINE | {"account": 4010})


async def coded_on_the_account(p: Processes) -> None:
    [(number,)] = await p.shop.read("select fortnox_number from erp.supplier_invoice where merchant_id = :m")
    await edit(p.shop, number, LINE)
    await invoiced(p)


async def without_a_number(p: Processes) -> None:
    await came(p)
    await bill(p.shop, LINE, purchase="")


async def its_number_is_written(p: Processes) -> None:
    [(number,)] = await p.shop.read("select fortnox_number from erp.supplier_invoice where merchant_id = :m")
    await edit(p.shop, number, purchase="PO-1")
    await invoiced(p)


async def at_an_impossible_rate(p: Processes) -> None:
    """What Fortnox says of the invoice is nothing that could be kept."""
    await came(p)
    body = {"tenantId": p.shop.tenant, "purchase": "PO-1", "lines": [LINE | {"account": OWED}]}
    number = (await p.shop.fortnox("POST", "supplier-invoices", body))["GivenNumber"]
    told = (await p.shop.call_fortnox("GET", f"supplierinvoices/{number}")).json()
    told["SupplierInvoice"]["CurrencyUnit"] = -1
    await spoil_fortnox(p, "GET /3/supplierinvoices/*", "http", status=200, body=json.dumps(told))
    await read(p.shop)


async def its_rate_is_corrected(p: Processes) -> None:
    await mend_fortnox(p)
    await read(p.shop)
    await invoiced(p)


async def changed_after_it_was_matched(p: Processes) -> None:
    await came(p, 5)
    number = await bill(p.shop, LINE | {"quantity": "5"})
    await becomes(lambda: _booked(p), True)
    await edit(p.shop, number, LINE | {"quantity": "5", "price": "10.10"})


async def _booked(p: Processes) -> bool:
    return bool(await p.shop.read("select 1 from erp.supplier_invoice where merchant_id = :m and state = 'booked'"))


async def it_was_meant(p: Processes) -> None:
    [(number,)] = await p.shop.read("select fortnox_number from erp.supplier_invoice where merchant_id = :m")
    await becomes(lambda: pool(p.shop, "N"), (5, Decimal("50.50")))
    await seen_to("supplier-invoice-changed", f"{number}")(p)


# --- what goods are worth


async def at_standard(p: Processes, **more: Any) -> None:
    settings = {"match_supplier_invoices": True, "invoice_tolerance_percent": 100, "invoice_tolerance_row": 10_000} | more
    await buying(p.shop, "N", **settings)
    await opened(p.shop, "standard", **settings)


async def without_standard_cost(p: Processes) -> None:
    await at_standard(p)
    await place(p.shop, [ordered("N", 10, 10)])
    await becomes(lambda: status(p.shop), "at-warehouse")
    await floor(p.shop, "receive", {1: 10})
    await look(p)


async def it_is_written(p: Processes) -> None:
    row = {"merchant_id": p.shop.merchant, "article_number": "N", "valid_from": today(), "price": Decimal(9)}
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.standard_cost", row)
    await look(p)
    await becomes(lambda: status(p.shop), "received")
    assert await pool(p.shop, "N") == (10, 90)


async def a_price_that_jumps(p: Processes) -> None:
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.article", article(p.shop.merchant, "JUMP", purchase_price=Decimal(10)))
    await fetched(p)
    await erp(p, "update erp.article set purchase_price = 1000 where merchant_id = :m and article_number = 'JUMP'")
    await fetched(p)


async def fetched(p: Processes) -> None:
    """The day's fetch, which calculates costs anew."""
    who = p.shop.merchant
    handle: WorkflowHandle[Any, Any] = await p.client.start_workflow(
        FetchExchangeRates.run,
        RatesKey(who),
        id=f"rates/{who}",
        task_queue=options.ORDERS_QUEUE,
        search_attributes=attributes.at_start(who, who, "fetching", datetime.now(UTC)),
    )
    await handle.result()


async def the_cost_is_set_by_hand(p: Processes) -> None:
    """`lagerbro cost set`."""
    async with p.shop.worker.database.merchant(p.shop.merchant) as session:
        await set_by_hand(session, p.shop.merchant, "JUMP", Decimal(1000), "anna", "a new supplier")


# --- what the warehouse counts


async def nothing_was_seen(p: Processes) -> None:
    await reaches_the_warehouse(p, "C")
    await stocked(p.shop, counting_is_known=False, looks_apart_hours=0)
    await lose(p.shop, "A", 998)
    clock = Clock(p.shop)
    await clock.run()
    await clock.run(timedelta(hours=24))


async def somebody_knows(p: Processes) -> None:
    await stocked(p.shop, counting_is_known=True, looks_apart_hours=0)
    await lose(p.shop, "A", 998)
    clock = Clock(p.shop)
    clock.now += timedelta(hours=48)
    await clock.run()


WAYS = {
    "landed-cost-not-allocated": Way(freight_by_weight, the_articles_have_weights),
    "supplier-return-impossible": Way(more_goes_back_than_came, a_smaller_quantity_is_written),
    "supplier-invoice-not-on-account": Way(on_another_account, coded_on_the_account, blocking=False),
    "supplier-invoice-without-purchase": Way(without_a_number, its_number_is_written, blocking=False),
    "supplier-invoice-not-taken": Way(at_an_impossible_rate, its_rate_is_corrected, blocking=False),
    "supplier-invoice-changed": Way(changed_after_it_was_matched, it_was_meant, blocking=False),
    "standard-cost-missing": Way(without_standard_cost, it_is_written),
    "cost-implausible": Way(a_price_that_jumps, the_cost_is_set_by_hand, blocking=False),
    "counting-not-proved": Way(nothing_was_seen, somebody_knows, blocking=False),
}
