"""Every misconfiguration that we could think of, planted one at a time in a healthy merchant: does the doctor name it?

python -m bench.prove_6.planted_faults                 all of them
python -m bench.prove_6.planted_faults --only NAME,..  these
python -m bench.prove_6.planted_faults --list          their names

One line each: found, named otherwise (something is red or yellow, but nothing names what is wrong), or missed. Exit code 1 where
one is not found, or where a merchant that is well, each in its way, has anything red or yellow.

A fault lies where such a fault really lies: in the warehouse or the books (the simulators' control interface), in the settings
and connection as stored, in the ERP's rows, in folders, in Temporal. What the doctor must say is looked for in one line of
it, red or yellow: its name, what it says and the remedy.
"""

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from temporalio.client import ScheduleUpdate, ScheduleUpdateInput

from bench.prove_6.healthy import Patient, World, world
from domain.merchant import DEFAULT_FREIGHT_ACCOUNTS, DEFAULT_PURCHASE_STATUSES, DEFAULT_SALES_ACCOUNTS, DEFAULT_STATUSES
from starters.doctor import Finding
from starters.merchants import connect_merchant
from tests.activities.test_purchases import calm, floor, place, send
from worker.keyring import KeyRing

Plant = Callable[[Patient], Awaitable[object]]
NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Fault:
    """One misconfiguration. `must_say`: an expression that a red or yellow line has to match, in any case of letters."""

    about: str
    name: str
    must_say: str
    plant: Plant = field(repr=False)
    no_temporal: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the doctor said of a fault."""

    fault: Fault
    verdict: str
    told: tuple[str, ...]

    @property
    def found(self) -> bool:
        return self.verdict == "found"

    def line(self) -> str:
        first = f"{self.verdict:<16} {self.fault.about:<14} {self.fault.name}"
        shown = self.told if self.fault.must_say and not self.found else self.told[:1]
        return "\n".join([first, *(f"{'':<16} {text}" for text in shown)])


FAULTS: list[Fault] = []


def planted(about: str, name: str, must_say: str, no_temporal: bool = False) -> Callable[[Plant], Plant]:
    def kept(plant: Plant) -> Plant:
        FAULTS.append(Fault(about, name, must_say, plant, no_temporal))
        return plant

    return kept


def add(about: str, name: str, must_say: str, plant: Plant) -> None:
    FAULTS.append(Fault(about, name, must_say, plant))


def today() -> date:
    return datetime.now(UTC).date()


def month_end(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)


# --- credentials and addresses

add(
    "credentials",
    "the API user's password was changed in the warehouse",
    "ongoing.*(password|credential)",
    lambda p: p.shop.ongoing(
        "PUT",
        "goods-owners",
        {"warehouse": p.merchant, "goodsOwnerId": p.shop.goods_owner, "name": "P", "username": "user", "password": "new"},
    ),
)
add("credentials", "API user misspelt", "ongoing.*(user|credential)", lambda p: p.connection("ongoing", {}, username="usr"))
add("credentials", "another goods owner's number", "987654", lambda p: p.connection("ongoing", {"goods_owner_id": 987654}))
add("credentials", "name of the warehouse misspelt", "lagrett", lambda p: p.connection("ongoing", {"warehouse": "lagrett"}))
add(
    "credentials",
    "nobody answers at the warehouse's address",
    "base_url",
    lambda p: p.connection("ongoing", {"base_url": NOBODY}),
)
add(
    "credentials",
    "the warehouse's address is the accounting's",
    "ongoing-(address|credentials)",
    lambda p: p.connection("ongoing", {"base_url": p.shop.fortnox.address}),
)
add(
    "credentials",
    "a login page answers instead of the warehouse",
    "ongoing-(address|credentials)",
    lambda p: p.shop.ongoing("POST", "faults", {"route": "*", "kind": "html-200", "params": {"warehouse": p.merchant}}),
)
add(
    "credentials",
    "client secret rotated",
    "fortnox.*(secret|credential)",
    lambda p: p.connection("fortnox", {}, client_secret="old"),
)
add("credentials", "no such company (tenant)", "999999", lambda p: p.connection("fortnox", {"tenant_id": 999999}))
add(
    "credentials",
    "nobody answers at the books' address",
    "base_url",
    lambda p: p.connection("fortnox", {"base_url": NOBODY}),
)
add(
    "credentials",
    "nobody answers where tokens are given",
    "token_url",
    lambda p: p.connection("fortnox", {"token_url": NOBODY}),
)
add(
    "credentials",
    "the company took its consent back",
    "fortnox-credentials",
    lambda p: p.shop.fortnox("POST", "revoke-consent", {"tenantId": p.shop.tenant}),
)
add(
    "credentials",
    "sealed with a key ring that was lost",
    "ongoing.*key",
    lambda p: p.connection("ongoing", {}, keys=KeyRing.new()),
)
add(
    "credentials",
    "never connected to Fortnox",
    "fortnox-connection",
    lambda p: p.sql("delete from bridge.connection where merchant_id = :m and system = 'fortnox'"),
)

# --- rights

for _scope in ("bookkeeping", "invoice", "customer", "settings", "companyinformation", "currency"):
    add("rights", f"the client lacks the scope {_scope}", rf"\b{_scope}\b", partial(Patient.consent, without=_scope))


@planted("rights", "supplier invoices are matched, the client lacks the scope supplierinvoice", r"\bsupplierinvoice\b")
async def _no_supplier_invoices(p: Patient) -> None:
    await p.settings(match_supplier_invoices=True)
    await p.consent(without="supplierinvoice")


# --- statuses

add("statuses", "the warehouse renumbered Sent to 451", r"\b451\b", lambda p: p.warehouse(orderStatusNumbers={"sent": 451}))
add(
    "statuses",
    "the warehouse added a status 425",
    r"\b425\b",
    lambda p: p.warehouse(extraOrderStatuses=[{"number": 425, "text": "Delplockad"}]),
)
add(
    "statuses",
    "Picked and Sent taken for each other in the settings",
    r"\b(400|450)\b",
    lambda p: p.settings(statuses=DEFAULT_STATUSES | {"400": "sent", "450": "picked"}),
)
add(
    "statuses",
    "a status of the settings that the warehouse does not have means sent, and no other",
    r"\b(450|460)\b",
    lambda p: p.settings(statuses={k: v for k, v in DEFAULT_STATUSES.items() if k != "450"} | {"460": "sent"}),
)
add("statuses", "edit_lock_status above every status", "edit_lock_status", lambda p: p.settings(edit_lock_status=2000))

# --- transporters and ways of delivery

_DHL = [
    {
        "ediCode": "",
        "transporterName": "DHL Freight",
        "transporterCode": "DHLROAD",
        "transporterServiceCode": "",
        "transporterServices": [{"transporterServiceName": "DHL Paket", "transporterServiceCode": "102"}],
    }
]
_PLAB = _DHL[0] | {
    "transporterName": "PostNord",
    "transporterCode": "PLAB",
    "transporterServices": [{"transporterServiceName": "Parcel", "transporterServiceCode": "P18"}],
}
add("transporters", "the warehouse retired PLAB", "PLAB", lambda p: p.warehouse(transporters=_DHL))
add("transporters", "the warehouse retired the service P19", r"\bP19\b", lambda p: p.warehouse(transporters=[*_DHL, _PLAB]))
add("transporters", "the warehouse has no transporters yet", "carrier|PLAB", lambda p: p.warehouse(transporters=[]))
add(
    "transporters",
    "a way of delivery is called otherwise in the warehouse",
    "mypak",
    lambda p: p.settings(ways_of_delivery={"OMBUD": {"code": "mypak", "transporter": "postnord", "service": "ombud"}}),
)


@planted("transporters", "orders name ways of delivery, and the settings none", "red.*BUDBIL")
async def _no_ways(p: Patient) -> None:
    await p.settings(ways_of_delivery=None, transporters=None)
    await p.draft(way_of_delivery="BUDBIL")


add("transporters", "an order's way of delivery is not in the settings", "BUDBIL", lambda p: p.draft(way_of_delivery="BUDBIL"))

# --- VAT

add(
    "vat",
    "a rate in use has no account",
    r"(SEVAT.*\b12\b|\b12\b.*SEVAT|\b12 %)",
    lambda p: _then(
        p.settings(sales_accounts=DEFAULT_SALES_ACCOUNTS | {"SEVAT": {"25": 3001, "6": 3003, "0": 3004}}), p.draft(vat_rate=12)
    ),
)


async def _then(*steps: Awaitable[object]) -> None:
    for step in steps:
        await step


@planted("vat", "an order for export, and no account for export", "EXPORT")
async def _no_export(p: Patient) -> None:
    await p.settings(sales_accounts={k: v for k, v in DEFAULT_SALES_ACCOUNTS.items() if k != "EXPORT"})
    await p.add("customer", customer_number="K-NO", name="Oslo AS", country="NO")
    await p.draft(vat_rate=0, customer_number="K-NO", delivery_country="NO")


@planted("vat", "a customer in an EU country, and no freight account for it", "EUREVERSEDVAT")
async def _no_freight(p: Patient) -> None:
    await p.settings(freight_accounts={k: v for k, v in DEFAULT_FREIGHT_ACCOUNTS.items() if k != "EUREVERSEDVAT"})
    await p.add("customer", customer_number="K-DE", name="Berlin GmbH", country="DE", vat_number="DE123456788")
    await p.draft(vat_rate=0, customer_number="K-DE", freight=50)


add(
    "vat",
    "the account for 25 % has the VAT code of 12 %",
    r"\b3001\b",
    lambda p: p.every_year("accounts/3001", {"Account": {"VATCode": "MP2"}}),
)
add(
    "vat",
    "25 % is set to the account of 12 %",
    r"\b3002\b",
    lambda p: p.settings(sales_accounts=DEFAULT_SALES_ACCOUNTS | {"SEVAT": {"25": 3002, "12": 3002, "6": 3003, "0": 3004}}),
)
add("vat", "the sales account for 12 % is inactive", r"\b3002\b", lambda p: p.account(3002, active=False))
add("vat", "the company is not registered for VAT", r"fortnox-vat\b.*VAT", lambda p: p.company(taxEnabled=False))

# --- currencies


@planted("currencies", "an order's currency is not registered in Fortnox", "fortnox.*USD")
async def _orders_currency(p: Patient) -> None:
    await p.shop.call_fortnox("DELETE", "currencies/USD")
    await p.draft(currency="USD", exchange_rate=10)


@planted("currencies", "a supplier's currency is not registered in Fortnox", "fortnox.*USD")
async def _suppliers_currency(p: Patient) -> None:
    await p.shop.call_fortnox("DELETE", "currencies/USD")
    await p.add("supplier", supplier_number="L-2", name="US Inc", country="US", currency="USD")


add(
    "currencies",
    "the merchant's books are said to be in EUR",
    r"\b(EUR|SEK)\b",
    lambda p: p.sql("update erp.merchant set currency = 'EUR' where merchant_id = :m"),
)

# --- accounts

add("accounts", "stock account that does not exist", r"\b1462\b", lambda p: p.settings(stock_account=1462))
add("accounts", "cost of goods sold is inactive", r"\b4960\b", lambda p: p.account(4960, active=False))
add("accounts", "scrap account inactive", r"\b4990\b", lambda p: p.account(4990, active=False))
add(
    "accounts",
    "exchange loss account inactive",
    r"\b7960\b",
    lambda p: _then(p.settings(match_supplier_invoices=True), p.account(7960, active=False)),
)
add("accounts", "freight account inactive", r"\b3520\b", lambda p: p.account(3520, active=False))
add("accounts", "opening account that does not exist", r"\b2098\b", lambda p: p.settings(opening_account=2098))
add(
    "accounts",
    "a posting rule's account does not exist",
    r"\b4015\b",
    lambda p: p.settings(
        posting_rules=[{"priority": 10, "event": "goods-issue", "article_group": "skor", "debit": 4015, "credit": 1460}]
    ),
)
add(
    "accounts",
    "an order type's account does not exist",
    r"\b1499\b",
    lambda p: p.settings(order_types={"normal": None, "transfer": {"code": "TRANSFER", "invoice": False, "issue_account": 1499}}),
)
add(
    "accounts",
    "a price difference account that does not exist",
    r"\b4011\b",
    lambda p: p.settings(costing_method="standard", price_difference_account=4011),
)
add(
    "accounts",
    "the purchase account does not exist",
    r"\b4012\b",
    lambda p: p.settings(match_supplier_invoices=True, purchase_account=4012),
)
add(
    "accounts",
    "the landed cost account does not exist",
    r"\b4013\b",
    lambda p: p.settings(match_supplier_invoices=True, landed_cost_account=4013),
)
add(
    "accounts",
    "the supplier claims account does not exist",
    r"\b1689\b",
    lambda p: p.settings(match_supplier_invoices=True, supplier_claims_account=1689),
)
add(
    "accounts",
    "the purchase difference account does not exist",
    r"\b4014\b",
    lambda p: p.settings(match_supplier_invoices=True, purchase_difference_account=4014),
)


@planted("accounts", "cost of goods sold is inactive in the next year only", r"\b4960\b")
async def _inactive_next_year(p: Patient) -> None:
    await p.account(4960, active=False, financialYear=await p.year_of(f"{today().year + 1}-01-01"))


# --- series, year, period

add("series", "a series that is not there", r"\bLB\b", lambda p: p.settings(voucher_series="LB"))
add("series", "the series of customer invoices", r"series.*\bB\b", lambda p: p.settings(voucher_series="B"))
add("series", "the accountant's own series", r"series.*\bA\b", lambda p: p.settings(voucher_series="A"))


_NOT_MANUAL = {"VoucherSeries": {"Manual": False}}
add("series", "our series is not manual any more", r"series.*\bL\b", lambda p: p.every_year("voucherseries/L", _NOT_MANUAL))
add(
    "series",
    "our series is not manual in the next year",
    r"series.*\bL\b",
    lambda p: p.every_year("voucherseries/L", _NOT_MANUAL, today().year + 1),
)


async def _years(p: Patient, last: date) -> None:
    """The company's newest financial year ends on a day."""
    for year in await p.years():
        if year["ToDate"] >= last.isoformat():
            await p.close_year(int(year["Id"]))
    kept = max((year["ToDate"] for year in await p.years()), default=None)
    first = date.fromisoformat(kept) + timedelta(days=1) if kept else last.replace(month=1, day=1)
    if first <= last:
        body = {"tenantId": p.shop.tenant, "from": first.isoformat(), "to": last.isoformat()}
        await p.shop.fortnox("POST", "financial-years", body)


add("financial year", "no year for next month", "financial.year", lambda p: _years(p, month_end(today())))
add(
    "financial year",
    "no year for today",
    "financial.year",
    lambda p: _years(p, today().replace(month=1, day=1) - timedelta(days=1)),
)


async def _locked(p: Patient, until: date) -> None:
    await p.shop.fortnox("PUT", "locked-period", {"tenantId": p.shop.tenant, "endDate": until.isoformat()})


add("locked period", "locked up to yesterday", "locked", lambda p: _locked(p, today() - timedelta(days=1)))
add("locked period", "locked a month ahead", "locked", lambda p: _locked(p, today() + timedelta(days=30)))

# --- Fortnox's own stock module

add(
    "lager",
    "Fortnox Lager is on",
    r"lager",
    lambda p: p.shop.fortnox("PUT", "settings", {"tenantId": p.shop.tenant, "warehouseModule": True}),
)


@planted("lager", "nobody can tell whether Fortnox Lager is on", r"lager")
async def _lager_unknown(p: Patient) -> None:
    rule = {"id": "lager", "route": "GET /api/warehouse/tenants-v4", "kind": "http", "count": None, "tenantId": p.shop.tenant}
    await p.shop.fortnox("POST", "faults", rule | {"params": {"status": 403, "body": "{}"}})


# --- clocks

add(
    "clock",
    "the warehouse's clock is ten minutes fast",
    "ongoing-clock",
    lambda p: p.shop.ongoing("PUT", "clock", {"offsetSeconds": 600}),
)
add(
    "clock",
    "the warehouse's clock is an hour slow",
    "ongoing-clock",
    lambda p: p.shop.ongoing("PUT", "clock", {"offsetSeconds": -3600}),
)
add(
    "clock",
    "the books' clock is three minutes slow",
    "fortnox-clock",
    lambda p: p.shop.fortnox("PUT", "clock", {"offsetSeconds": -180}),
)

# --- terms

add("terms", "terms of payment that Fortnox does not have", r"\b30N\b", lambda p: p.settings(terms_of_payment="30N"))

# --- purchases

add(
    "purchases",
    "no account for goods received",
    "goods_received_not_invoiced_account",
    lambda p: p.settings(goods_received_not_invoiced_account=None),
)
add(
    "purchases",
    "account for goods received does not exist",
    r"\b2491\b",
    lambda p: p.settings(goods_received_not_invoiced_account=2491),
)
add(
    "purchases",
    "the warehouse renumbered Received to 550",
    r"\b550\b",
    lambda p: p.warehouse(purchaseOrderStatusNumbers={"received": 550}),
)
add(
    "purchases",
    "Deviation is not in the settings",
    r"\b400\b",
    lambda p: p.settings(purchase_statuses={k: v for k, v in DEFAULT_PURCHASE_STATUSES.items() if k != "400"}),
)
add(
    "purchases",
    "Received and Cancelled taken for each other",
    r"\b(500|900)\b",
    lambda p: p.settings(purchase_statuses=DEFAULT_PURCHASE_STATUSES | {"500": "cancelled", "900": "received"}),
)


@planted("purchases", "a purchase order's type is not in the settings", "importen")
async def _purchase_type(p: Patient) -> None:
    head = {"purchase_order_number": "PO-1", "supplier_number": "L-1", "currency": "EUR", "order_type": "importen"}
    await p.add("purchase_order", **head)


# --- returns

add(
    "returns",
    "the warehouse has a cause that the settings lack",
    "WRONGSIZE",
    lambda p: p.shop.call_ongoing(
        "PUT", "returnOrders/returnCauses", {"goodsOwnerId": p.shop.goods_owner, "code": "WRONGSIZE", "name": "Fel storlek"}
    ),
)
add(
    "returns",
    "a cause misspelt in the settings",
    "DEFEKT?",
    lambda p: p.settings(return_causes={"DEFEKT": "scrapped", "REGRET": "stock"}),
)
add(
    "returns",
    "Returned is not in the settings",
    r"\b500\b",
    lambda p: p.settings(return_statuses={"100": "notified", "900": "cancelled"}),
)
add(
    "returns",
    "Returned and Cancelled taken for each other",
    r"\b(500|900)\b",
    lambda p: p.settings(return_statuses={"100": "notified", "500": "cancelled", "900": "returned"}),
)

# --- order types

add(
    "order types",
    "a type that the warehouse does not know",
    "B2CX",
    lambda p: p.settings(order_types={"normal": None, "webb": "B2CX"}),
)
add(
    "order types",
    "the ERP's ordinary type is not in the settings",
    r"\bnormal\b",
    lambda p: _then(p.settings(order_types={"webb": "B2C"}), p.draft()),
)
add("order types", "an order's type is not in the settings", "butik", lambda p: p.draft(order_type="butik"))

# --- rates

add(
    "rates",
    "no rate for a supplier's currency",
    r"\bNOK\b",
    lambda p: p.add("supplier", supplier_number="L-3", name="Bergen AS", country="NO", currency="NOK"),
)


@planted("rates", "the newest rate is three weeks old", r"\bDKK\b")
async def _stale(p: Patient) -> None:
    await p.sql(
        "insert into erp.exchange_rate (merchant_id, source, currency, rate_date, revision, value, units, checked_by, asked_at)"
        " values (:m, 'riksbank', 'DKK', current_date - 21, 1, 1.5, 1, 'previous', now() - interval '21 days')"
    )
    await p.add("supplier", supplier_number="L-4", name="Aarhus ApS", country="DK", currency="DKK")


add("rates", "a currency that nobody quotes any more", r"\bBGN\b", lambda p: p.settings(rate_currencies=["EUR", "BGN"]))

# --- folders


@planted("folders", "a file stands where the folder should be", "reports-file")
async def _file_in_the_way(p: Patient) -> None:
    (p.folder / "reports-file").write_text("not a folder")
    await p.reconciliation(folder=str(p.folder / "reports-file"))


add("folders", "a folder where nobody may write", r"/proc", lambda p: p.reconciliation(folder="/proc"))
add(
    "folders",
    "the warehouse's files are not mounted",
    "nowhere",
    lambda p: p.reconciliation(file_folder=str(p.folder / "nowhere")),
)
add("folders", "a relative folder, wherever the process stands", "files", lambda p: p.reconciliation(file_folder="files"))

# --- flows

_OFF = "update bridge.entity set enabled = false where merchant_id = :m and flow = :f"
for _flow in ("orders-out", "orders-back", "invoices", "vouchers", "balances", "sweep", "articles", "purchases"):
    add("flows", f"{_flow} was switched off and forgotten", rf"\b{_flow}\b", partial(Patient.sql, statement=_OFF, f=_flow))
add(
    "flows",
    "orders-back looks once a day",
    "orders-back",
    lambda p: p.sql("update bridge.entity set interval_seconds = 86400 where merchant_id = :m and flow = 'orders-back'"),
)

# --- schedules and the watcher


async def _deleted(p: Patient, name: str) -> None:
    await p.world.client.get_schedule_handle(f"{name}/{p.merchant}").delete()


async def _paused(p: Patient, name: str) -> None:
    await p.world.client.get_schedule_handle(f"{name}/{p.merchant}").pause(note="stopped for the audit")


for _name, _called in (("vouchers", "vouchers"), ("reconcile", "balances|reconcile"), ("rates", "rates")):
    add(
        "schedules",
        f"the schedule of {_name} was deleted",
        rf"schedules.*\b({_called})",
        partial(_deleted, name=_name),
    )
    add(
        "schedules",
        f"the schedule of {_name} is paused",
        rf"schedules.*\b({_called})",
        partial(_paused, name=_name),
    )


@planted("schedules", "supplier invoices are matched, and their schedule was deleted", "supplier-invoices")
async def _no_matching(p: Patient) -> None:
    await p.settings(match_supplier_invoices=True)
    await _deleted(p, "supplier-invoices")


add("schedules", "vouchers_hour changed, the schedule kept its hour", "vouchers", lambda p: p.settings(vouchers_hour=9))


@planted("schedules", "a schedule starts work in a queue that nobody serves", "vouchers")
async def _wrong_queue(p: Patient) -> None:
    def elsewhere(found: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule: Any = found.description.schedule
        schedule.action.task_queue = "order"
        return ScheduleUpdate(schedule=schedule)

    await p.world.client.get_schedule_handle(f"vouchers/{p.merchant}").update(elsewhere)


add(
    "schedules",
    "the watcher was terminated",
    "watch",
    lambda p: p.world.client.get_workflow_handle(f"watch/{p.merchant}").terminate("by hand"),
)
FAULTS.append(Fault("schedules", "Temporal does not answer", "temporal", lambda p: asyncio.sleep(0), no_temporal=True))

# --- webhooks

add(
    "webhooks",
    "the webhook address is switched off",
    "webhook",
    lambda p: p.sql("update bridge.webhook_endpoint set enabled = false where merchant_id = :m"),
)
add(
    "webhooks",
    "no webhook address was made",
    "webhook",
    lambda p: p.sql("delete from bridge.webhook_endpoint where merchant_id = :m"),
)

# --- reconciliation: how the warehouse counts

add("reconciliation", "a warehouse number that is not there", r"\b77\b", lambda p: p.reconciliation(warehouse_ids=[77]))
add(
    "reconciliation",
    "the adjustment account does not exist",
    r"\b4993\b",
    lambda p: p.reconciliation(adjustment_account=4993),
)
add(
    "reconciliation",
    "the account of a cause does not exist",
    r"\b4994\b",
    lambda p: p.reconciliation(adjustment_accounts={"DMG": 4994}),
)
add(
    "reconciliation",
    "the account of unknown differences does not exist",
    r"\b4995\b",
    lambda p: p.reconciliation(unknown_difference_account=4995),
)
add("reconciliation", "nobody has said how the warehouse counts", "count", lambda p: p.reconciliation(counting_is_known=False))
add(
    "reconciliation",
    "settings give goods to two warehouses, one of them gone",
    r"\b2\b",
    lambda p: p.reconciliation(warehouse_ids=[1, 2]),
)


async def _picked(p: Patient) -> None:
    """One order that is picked and not collected; the warehouse had what our books have."""
    await p.shop.forget()
    await p.shop.sent("SO-C")
    await p.shop.stock(1000, ("A", "B"))
    await p.shop.floor("pick", "SO-C")
    await p.shop.look_until_calm("SO-C")


async def _received(p: Patient) -> None:
    """One inbound that is received in part and not finished."""
    await p.shop.forget()
    key = await place(p.shop)
    await send(p.shop, key)
    await p.shop.stock(1000, ("A", "B"))
    await floor(p.shop, "receive", {1: 4})
    await calm(p.shop, key)


@planted("reconciliation", "goods leave the balance at collection, the settings say at pick", "goods_leave_at_collection")
async def _at_collection(p: Patient) -> None:
    await p.warehouse(goodsLeaveStock="at-collection")
    await _picked(p)


@planted("reconciliation", "goods leave the balance at pick, the settings say at collection", "goods_leave_at_collection")
async def _at_pick(p: Patient) -> None:
    await p.reconciliation(goods_leave_at_collection=True)
    await _picked(p)


@planted(
    "reconciliation", "what is received counts when it is finished, the settings say at once", "received_counts_when_finished"
)
async def _when_finished(p: Patient) -> None:
    await p.warehouse(receivedGoodsCount="when-finished")
    await _received(p)


@planted(
    "reconciliation", "what is received counts at once, the settings say when it is finished", "received_counts_when_finished"
)
async def _at_once(p: Patient) -> None:
    await p.reconciliation(received_counts_when_finished=True)
    await _received(p)


# --- settings and the merchant's own row

add("settings", "a name in the stored settings that nobody knows", "ship_wen", lambda p: p.settings(ship_wen="picked"))
add("settings", "a value that is none", "locked_period_policy", lambda p: p.settings(locked_period_policy="skip"))
add(
    "settings",
    "the merchant's time zone is misspelt",
    "Stockhom",
    lambda p: p.sql("update erp.merchant set time_zone = 'Europe/Stockhom' where merchant_id = :m"),
)


# --- the run


def judge(fault: Fault, found: Sequence[Finding]) -> Outcome:
    """What the doctor's lines come to."""
    told = [f"{each.state}: {each.name}: {each.said} {each.remedy}" for each in found if each.state != "green"]
    naming = [line for line in told if re.search(fault.must_say, line, re.IGNORECASE | re.DOTALL)]
    verdict = "found" if naming else "named otherwise" if told else "MISSED"
    return Outcome(fault, verdict, tuple(naming or told))


async def look_at(servers: World, fault: Fault) -> Outcome:
    """Plant one fault in a healthy merchant and ask the doctor. What breaks the doctor is told as what it is."""
    patient = await servers.patient()
    try:
        try:
            await fault.plant(patient)
        except Exception as broke:
            return Outcome(fault, "NOT PLANTED", (f"{type(broke).__name__}: {broke}"[:300],))
        try:
            return judge(fault, await patient.examine(no_temporal=fault.no_temporal))
        except Exception as broke:
            return Outcome(fault, "DOCTOR BROKE", (f"{type(broke).__name__}: {broke}"[:300],))
    finally:
        await servers.calm(patient)


async def _two_rates(p: Patient) -> None:
    await p.draft(vat_rate=12, order_type="webb", way_of_delivery="OMBUD")
    await p.add("customer", customer_number="K-NO", name="Oslo AS", country="NO")
    await p.draft(vat_rate=0, order_number="SO-E", customer_number="K-NO", freight=50, currency="EUR", exchange_rate=11)


async def _broken_year(p: Patient) -> None:
    """A year that ends with the month, and the next one is there."""
    last = month_end(today())
    await _years(p, last)
    first = last + timedelta(days=1)
    body = {"tenantId": p.shop.tenant, "from": first.isoformat(), "to": month_end(first + timedelta(days=330)).isoformat()}
    await p.shop.fortnox("POST", "financial-years", body)


async def _renumbered(p: Patient) -> None:
    await p.warehouse(orderStatusNumbers={"sent": 451}, extraOrderStatuses=[{"number": 425, "text": "Delplockad"}], language="en")
    kept = {number: meaning for number, meaning in DEFAULT_STATUSES.items() if number != "450"}
    await p.settings(statuses=kept | {"451": "sent", "425": "picked"})


async def _other_hour(p: Patient) -> None:
    new = replace(p.new, settings=p.new.settings | {"vouchers_hour": 9})
    await connect_merchant(p.world.erp, p.world.worker.database, p.keys, p.world.client, new, None)


COMMANDED = "as connected, asked by the command"
HEALTHY: dict[str, Plant] = {
    "as connected": lambda p: asyncio.sleep(0),
    "orders for export, at two rates, with freight, in euro": _two_rates,
    "a broken financial year with the next one there": _broken_year,
    "locked up to two months ago": lambda p: _locked(p, (today().replace(day=1) - timedelta(days=35)).replace(day=1)),
    "the warehouse's statuses renumbered, added to and in English, and so in the settings": _renumbered,
    "the hour of vouchers changed by connecting anew": _other_hour,
    "supplier invoices matched": lambda p: p.settings(match_supplier_invoices=True, purchase_account=4010),
    "purchases expensed, no account of what is owed": lambda p: p.settings(
        posting_style="purchases-expensed", goods_received_not_invoiced_account=None
    ),
    "rules with accounts that are there": lambda p: p.settings(
        posting_rules=[{"priority": 10, "event": "goods-issue", "article_group": "skor", "debit": 4010, "credit": 1465}]
    ),
    "no mapping of transporters, and no order that names one": lambda p: p.settings(transporters=None, ways_of_delivery=None),
    "picked, not collected": _picked,
    "received, not finished": _received,
}
"""What a doctor must not complain of: well, though not as most are."""


async def commanded(servers: World) -> list[str]:
    """What is red or yellow on a merchant with nothing wrong, asked by the public command."""
    patient = await servers.patient()
    try:
        command = [sys.executable, "-m", "starters.cli", "doctor", "--json", "--merchant", patient.merchant]
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | servers.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, said = await process.communicate()
        if process.returncode:
            return [f"exit code {process.returncode}: {(out + said).decode()[-500:]}"]
        return [f"{each['state']}: {each['name']}: {each['said']}" for each in json.loads(out) if each["state"] != "green"]
    finally:
        await servers.calm(patient)


async def complaints(servers: World, well: Plant) -> list[str]:
    """What the doctor has to say of a merchant that is well."""
    patient = await servers.patient()
    try:
        try:
            await well(patient)
        except Exception as broke:
            return [f"cannot be shown: {type(broke).__name__}: {broke}"[:300]]
        return [f"{each.state}: {each.name}: {each.said}" for each in await patient.examine() if each.state != "green"]
    finally:
        await servers.calm(patient)


async def prove(wanted: Sequence[Fault], well: Sequence[str]) -> int:
    """One line each; how many faults were not found and how many healthy merchants complained of."""
    failed = 0
    async with world() as servers:
        for name in well:
            ill = await (commanded(servers) if name == COMMANDED else complaints(servers, HEALTHY[name]))
            print(
                "\n".join([f"{'COMPLAINED OF' if ill else 'healthy':<16} {name}", *(f"{'':<16} {each}" for each in ill)]),
                flush=True,
            )
            failed += bool(ill)
        for fault in wanted:
            outcome = await look_at(servers, fault)
            print(outcome.line(), flush=True)
            failed += not outcome.found
    verdict = f"{failed} fell short" if failed else "each fault was found, nothing else was complained of"
    print(f"{len(wanted)} faults planted, {len(well)} healthy merchants: {verdict}")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="parts of names or subjects, with commas")
    parser.add_argument("--list", action="store_true", help="names, and nothing is run")
    given = parser.parse_args()
    parts = [part.strip() for part in (given.only or "").split(",") if part.strip()]
    wanted = [fault for fault in FAULTS if not parts or any(part in f"{fault.about}: {fault.name}" for part in parts)]
    well = [name for name in (COMMANDED, *HEALTHY) if not parts or any(part in f"healthy: {name}" for part in parts)]
    if given.list:
        print("\n".join(f"{'healthy':<14} {name}" for name in well))
        print("\n".join(f"{fault.about:<14} {fault.name}" for fault in wanted))
        return 0
    return 1 if asyncio.run(prove(wanted, well)) else 0


if __name__ == "__main__":
    sys.exit(main())
