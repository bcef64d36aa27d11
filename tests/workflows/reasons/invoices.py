"""Sales orders on their way to the books."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.activities.returning import announce
from tests.erp.data import customer, insert
from tests.workflows.process import Processes, becomes
from tests.workflows.reasons.orders import setting
from tests.workflows.reasons.world import (
    Way,
    after,
    agreed,
    completed,
    erp,
    mend_fortnox,
    order,
    outlast,
    retry,
    sent_off,
    sold,
    spoil_fortnox,
)

WHERE: dict[str, Any] = {"name": "Anna Exempel", "address1": "G 1", "post_code": "1", "city": "S", "country": "SE"}
NO_CUSTOMER = {"customer_number": None, **{f"delivery_{name}": value for name, value in WHERE.items()}}


async def nobody_to_bill(p: Processes) -> None:
    await agreed(p, collective_customers=False)
    await sent_off(p, **NO_CUSTOMER)


async def another_customer(p: Processes) -> None:
    await order(p, customer_number="K-1")
    await retry_until_through(p)


async def retry_until_through(p: Processes) -> None:
    """The ERP's change is noticed by itself; else a person says so."""
    try:
        await p.result("SO-1", 6)
    except TimeoutError:
        await retry(p)
        await completed(p)


async def a_number_that_fortnox_does_not_take(p: Processes) -> None:
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.customer", customer(p.shop.merchant, "K 1 ö"))
    await sent_off(p, customer_number="K 1 ö")


async def a_wrong_organisation_number(p: Processes) -> None:
    await erp(p, "update erp.customer set organisation_number = '556000-0000' where merchant_id = :m")
    await sent_off(p)


async def the_right_organisation_number(p: Processes) -> None:
    await erp(p, "update erp.customer set organisation_number = null where merchant_id = :m")
    await retry_until_through(p)


async def a_customer_of_somebody_else(p: Processes) -> None:
    theirs = {"CustomerNumber": "K-1", "Name": "Någon annan", "ExternalReference": "other-system/1"}
    await p.shop.call_fortnox("POST", "customers", {"Customer": theirs})
    await sent_off(p)


async def renumbered(p: Processes) -> None:
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.customer", customer(p.shop.merchant, "K-2"))
    await order(p, customer_number="K-2")
    await retry_until_through(p)


async def draft(p: Processes) -> int:
    """The number of the one draft, when it is there."""

    async def there() -> int:
        return len(await p.shop.invoices())

    await becomes(there, 1)
    [found] = await p.shop.invoices()
    assert (found["booked"], found["notCompleted"]) == (False, True)
    return int(found["number"])


async def a_draft_waits(p: Processes) -> int:
    await spoil_fortnox(p, "PUT /3/invoices/*", "http", status=503)
    await sent_off(p)
    await becomes(lambda: struck(p), True)
    return await draft(p)


async def struck(p: Processes) -> bool:
    return any(each["id"] == p.shop.merchant and each["fired"] for each in await p.shop.fortnox("GET", "faults"))


async def edit(p: Processes, number: int, **fields: Any) -> None:
    await p.shop.fortnox("POST", f"invoices/{number}/edit", {"tenantId": p.shop.tenant} | fields)


async def an_edited_draft(p: Processes) -> None:
    await edit(p, await a_draft_waits(p), Freight=100)
    await mend_fortnox(p)


async def the_edit_is_undone(p: Processes) -> None:
    [found] = await p.shop.invoices()
    await edit(p, int(found["number"]), Freight=0)
    await retry(p)
    await completed(p)


async def a_cancelled_draft(p: Processes) -> None:
    await edit(p, await a_draft_waits(p), Cancelled=True)
    await mend_fortnox(p)


async def made_again(p: Processes) -> None:
    await retry(p)
    await completed(p)
    assert [each["booked"] for each in await p.shop.invoices()] == [False, True]


async def two_that_are_booked(p: Processes) -> None:
    number = await a_draft_waits(p)
    ours = (await p.shop.call_fortnox("GET", f"invoices/{number}")).json()["Invoice"]
    copy = {name: ours[name] for name in ("CustomerNumber", "InvoiceDate", "ExternalInvoiceReference1")}
    rows = ("Description", "DeliveredQuantity", "Price", "VAT", "AccountNumber")
    copy["InvoiceRows"] = [{name: row[name] for name in rows} for row in ours["InvoiceRows"]]
    made = (await p.shop.call_fortnox("POST", "invoices", {"Invoice": copy})).json()["Invoice"]["DocumentNumber"]
    for each in (number, made):
        await edit(p, each, NotCompleted=False, Booked=True)
    await mend_fortnox(p)


async def one_is_credited(p: Processes) -> None:
    last = max(int(each["number"]) for each in await p.shop.invoices())
    await p.shop.call_fortnox("PUT", f"invoices/{last}/credit")
    credit = max(int(each["number"]) for each in await p.shop.invoices())
    await p.shop.call_fortnox("PUT", f"invoices/{credit}/bookkeep")
    await retry(p)
    await completed(p)


async def refused(p: Processes, code: int, message: str) -> None:
    await spoil_fortnox(p, "POST /3/invoices", "error-in-200", code=code, message=message)
    await sent_off(p)


async def a_value_that_is_refused(p: Processes) -> None:
    await refused(p, 2000106, "Ogiltigt värde")


async def a_missing_right(p: Processes) -> None:
    await refused(p, 2000719, "Saknar behörighet")


async def mended_in_fortnox(p: Processes) -> None:
    await mend_fortnox(p)
    await retry(p)
    await completed(p)


async def no_financial_year(p: Processes) -> None:
    for each in await years(p):
        if each["ToDate"] >= f"{datetime.now(UTC).date()}":
            await p.shop.fortnox("DELETE", f"financial-years/{each['Id']}?tenantId={p.shop.tenant}")
    await sent_off(p)


async def years(p: Processes) -> list[dict[str, Any]]:
    return list((await p.shop.call_fortnox("GET", "financialyears?limit=500")).json()["FinancialYears"])


async def the_year_is_made(p: Processes) -> None:
    year = datetime.now(UTC).year
    await p.shop.fortnox("POST", "financial-years", {"tenantId": p.shop.tenant, "from": f"{year}-01-01", "to": f"{year}-12-31"})
    await retry(p)
    await completed(p)


async def no_answer_is_clear(p: Processes) -> None:
    await spoil_fortnox(p, "POST /3/invoices", "refuse-connection")
    await sent_off(p)
    await outlast(p)


async def it_settles(p: Processes) -> None:
    await mend_fortnox(p)
    await retry(p)
    await completed(p)


async def two_credits_by_decision(p: Processes) -> None:
    await sold(p)
    decision: dict[str, Any] = {"origin": "credit", "decided_by": "Kim", "decision": "claim"}
    await announce(p.shop, {1: 2}, "K-1", **decision)
    await becomes(lambda: credited(p), 1)
    await announce(p.shop, {1: 2}, "K-2", **decision)


async def credited(p: Processes) -> int:
    return len([each for each in await p.shop.invoices() if each["credit"] and each["booked"]])


async def less_is_credited(p: Processes) -> None:
    await erp(
        p, "update erp.return_order_line set quantity = 1 where merchant_id = :m and return_number = 'K-2' and line_number = 1"
    )


async def another_vat(p: Processes) -> None:
    """What Fortnox computes of it is not what any rounding can make."""
    number = await a_draft_waits(p)
    told = (await p.shop.call_fortnox("GET", f"invoices/{number}")).json()
    for name in ("TotalVAT", "Total", "TotalToPay"):
        told["Invoice"][name] += 1
    await spoil_fortnox(p, "GET /3/invoices/*", "http", status=200, body=json.dumps(told))


async def computed_as_we_do(p: Processes) -> None:
    await mend_fortnox(p)
    await retry(p)
    await completed(p)


WAYS = {
    "missing-customer": Way(nobody_to_bill, after(setting(collective_customers=True), completed)),
    "customer-number-not-accepted": Way(a_number_that_fortnox_does_not_take, another_customer),
    "customer-refused": Way(a_wrong_organisation_number, the_right_organisation_number),
    "customer-number-taken": Way(a_customer_of_somebody_else, renumbered),
    "row-not-exact": Way(another_vat, computed_as_we_do),
    "invoice-differs": Way(an_edited_draft, the_edit_is_undone),
    "invoice-cancelled-by-hand": Way(a_cancelled_draft, made_again),
    "invoice-booked-twice": Way(two_that_are_booked, one_is_credited),
    "invoice-refused": Way(a_value_that_is_refused, mended_in_fortnox),
    "fortnox-rights-missing": Way(a_missing_right, mended_in_fortnox),
    "financial-year-missing": Way(no_financial_year, the_year_is_made),
    "settling": Way(no_answer_is_clear, it_settles),
    "credit-more-than-invoiced": Way(two_credits_by_decision, less_is_credited),
}
