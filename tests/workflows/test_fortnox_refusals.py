"""What Fortnox refuses and a person must cure: an order is brought into each, and out of it by the stated remedy."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from tests.activities.world import Shop
from tests.workflows.process import Processes

Act = Callable[[Shop], Awaitable[Any]]


def knob(**values: Any) -> Act:
    return lambda shop: shop.fortnox("PUT", "settings", {"tenantId": shop.tenant} | values)


def account(active: bool) -> Act:
    return lambda shop: shop.fortnox("POST", "accounts/3001", {"tenantId": shop.tenant, "active": active})


def register(resource: str, single: str, **fields: Any) -> Act:
    return lambda shop: shop.call_fortnox("POST", resource, {single: fields})


async def switch_off_and_mark_ready(shop: Shop) -> None:
    await knob(warehouseModule=False)(shop)
    for each in await shop.invoices():
        await shop.call_fortnox("PUT", f"invoices/{each['number']}/warehouseready")


async def nothing(_shop: Shop) -> None:
    return


def vat_number(number: str | None) -> Act:
    async def write(shop: Shop) -> None:
        async with shop.erp.everyone() as session:
            statement = text("update erp.customer set vat_number = :number where merchant_id = :m")
            await session.execute(statement, {"m": shop.merchant, "number": number})

    return write


CASES: dict[str, tuple[str, Act, Act, dict[str, Any]]] = {
    "account-missing": ("account-missing", account(False), account(True), {}),
    "currency-missing": (
        "currency-missing",
        nothing,
        register("currencies", "Currency", Code="CZK", Description="Koruna", BuyRate=1, SellRate=1, Unit=1),
        {"currency": "CZK", "exchange_rate": Decimal("0.45")},
    ),
    "terms-missing": (
        "terms-missing",
        lambda shop: shop.settings(terms_of_payment="77"),
        register("termsofpayments", "TermsOfPayment", Code="77", Description="77 dagar"),
        {},
    ),
    "vat-not-registered": ("vat-not-registered", knob(registeredVat=[12, 6, 0]), knob(registeredVat=None), {}),
    "vat-number-refused": ("vat-number-refused", vat_number("12-34"), vat_number(None), {}),
    "fortnox-warehouse-on": ("fortnox-warehouse-on", knob(warehouseModule=True), switch_off_and_mark_ready, {}),
}


@pytest.mark.parametrize(("code", "plant", "mend", "columns"), CASES.values(), ids=CASES)
async def test_an_order_goes_into_a_refusal_and_out_of_it_by_the_stated_remedy(
    processes: Processes, shop: Shop, code: str, plant: Act, mend: Act, columns: dict[str, Any]
) -> None:
    await plant(shop)
    await processes.begin("SO-1", **columns)
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    await processes.look()
    await processes.blocked_by(code)
    assert await shop.exceptions() == [(code, True)]
    await mend(shop)
    await processes.retry("anna", "mended in Fortnox")
    assert await processes.result() == "completed"
    assert [each["booked"] for each in await shop.invoices() if not each["cancelled"]] == [True]
    assert await shop.exceptions() == []
