"""The doctor finds what is wrong by name, with the remedy, and finds nothing where all is well."""

import json
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from sqlalchemy import text
from temporalio.client import Client

from domain.flows import INVOICES
from domain.merchant import DEFAULT_SALES_ACCOUNTS
from erp import flows
from erp.merchants import load_connection, save_connection
from starters.doctor import Finding, examine
from starters.merchants import start_watching
from starters.schedules import every_day
from tests.activities.test_purchases import place
from tests.activities.world import Shop, connect
from tests.clients.sftp_server import PASSWORD, Server, serving, words
from tests.erp.data import add_order
from worker.keyring import KeyRing
from worker.settings import Settings
from workflows.post_vouchers import PostVouchers
from workflows.reconcile_stock import ReconcileStock

Plant = Callable[[Shop], Awaitable[Any]]


async def asked(shop: Shop, settings: Settings, client: Client | None) -> dict[str, Finding]:
    found = await examine(settings, shop.keys, shop.merchant, client)
    assert len({each.name for each in found}) == len(found)
    return {each.name: each for each in found}


async def change_connection(shop: Shop, system: str, **changes: Any) -> None:
    async with shop.worker.database.merchant(shop.merchant) as session:
        held = await load_connection(session, shop.merchant, system)
        await save_connection(session, shop.merchant, system, held.settings | changes, held.credentials)


async def company(shop: Shop, **changes: Any) -> None:
    client = {"clientId": f"client-{shop.goods_owner}", "clientSecret": shop.secrets["fortnox"]}
    await shop.fortnox("PUT", "companies", {"tenantId": shop.tenant} | client | changes)
    await shop.fortnox("POST", "expire-tokens", {"tenantId": shop.tenant})


async def fortnox(shop: Shop, method: str, path: str, body: Any = None) -> None:
    await shop.call_fortnox(method, path, body)


async def year(shop: Shop) -> int:
    found = await shop.call_fortnox("GET", f"financialyears?date={date.today()}")  # noqa: DTZ011
    return int(found.json()["FinancialYears"][0]["Id"])


async def account(shop: Shop, number: int, **fields: Any) -> None:
    await fortnox(shop, "PUT", f"accounts/{number}?financialyear={await year(shop)}", {"Account": fields})


async def no_year(shop: Shop) -> None:
    await shop.fortnox("DELETE", f"financial-years/{await year(shop)}?tenantId={shop.tenant}")


async def in_euro(shop: Shop) -> None:
    await add_order(shop.erp, shop.merchant, "EUR-1", release=False, currency="CZK", exchange_rate=1)


async def other_vat(shop: Shop) -> None:
    async with shop.erp.everyone() as session:
        await session.execute(text("update erp.article set vat_rate = 17 where merchant_id = :m"), {"m": shop.merchant})


async def other_keys(shop: Shop) -> None:
    async with shop.worker.database.merchant(shop.merchant) as session:
        held = await load_connection(session, shop.merchant, "fortnox")
        sealed = KeyRing.new().seal(shop.merchant, "fortnox", json.dumps({"client_id": "a", "client_secret": "b"}))
        await save_connection(session, shop.merchant, "fortnox", held.settings, sealed)


async def half_credentials(shop: Shop) -> None:
    async with shop.worker.database.merchant(shop.merchant) as session:
        held = await load_connection(session, shop.merchant, "ongoing")
        sealed = shop.keys.seal(shop.merchant, "ongoing", json.dumps({"username": "user"}))
        await save_connection(session, shop.merchant, "ongoing", held.settings, sealed)


async def by_sftp(shop: Shop, secret: str = PASSWORD, **where: Any) -> None:
    async with shop.worker.database.merchant(shop.merchant) as session:
        sealed = shop.keys.seal(shop.merchant, "sftp", json.dumps({"password": secret}))
        await save_connection(session, shop.merchant, "sftp", Server(Path()).where(**where), sealed)


def without(*rights: str) -> Plant:
    async def plant(shop: Shop) -> None:
        everything = ["bookkeeping", "companyinformation", "currency", "customer", "invoice", "settings", "supplierinvoice"]
        await company(shop, scopes=[right for right in everything if right not in rights])

    return plant


def clock(system: str) -> Plant:
    async def plant(shop: Shop) -> None:
        await getattr(shop, system)("PUT", "clock", {"offsetSeconds": -300})

    return plant


def statuses(**changes: Any) -> Plant:
    async def plant(shop: Shop) -> None:
        from domain.merchant import DEFAULT_STATUSES

        kept = {number: meaning for number, meaning in DEFAULT_STATUSES.items() if changes.get(f"s{number}", meaning)}
        await shop.settings(statuses=kept)

    return plant


async def a_cause(shop: Shop) -> None:
    await shop.settings(return_causes={"SIZE": "stock"})
    body = {"goodsOwnerId": shop.goods_owner, "code": "TORN", "name": "Torn"}
    answer = await shop.call_ongoing("PUT", "returnOrders/returnCauses", body)
    assert answer.status_code < 300, answer.text


async def a_transfer(shop: Shop, mapped: bool = False) -> None:
    types: dict[str, Any] = {"normal": {"code": None}}
    if mapped:
        types["transfer"] = {"code": "TRANSFER", "invoice": False, "issue_account": 1498}
    else:
        types["other"] = {"code": "OTHER"}
    await add_order(shop.erp, shop.merchant, "T-1", release=False, order_type="transfer")
    await shop.settings(order_types=types)


PLANTED: list[tuple[str, str, str, Plant]] = [
    ("wrong password", "ongoing-credentials", "credentials", lambda s: connect(s, ongoing_password="wrong")),
    ("wrong secret", "fortnox-credentials", "client id and secret", lambda s: connect(s, fortnox_secret="wrong")),
    ("warehouse unknown", "ongoing-credentials", "warehouse", lambda s: change_connection(s, "ongoing", warehouse="nobody")),
    (
        "nobody at the address",
        "ongoing-address",
        "base_url",
        lambda s: change_connection(s, "ongoing", base_url="http://127.0.0.1:9"),
    ),
    (
        "nobody at Fortnox",
        "fortnox-address",
        "base_url",
        lambda s: change_connection(s, "fortnox", base_url="http://127.0.0.1:9"),
    ),
    ("other goods owner", "ongoing-goods-owner", "goods_owner_id", lambda s: change_connection(s, "ongoing", goods_owner_id=1)),
    ("goods owner no number", "ongoing-connection", "anew", lambda s: change_connection(s, "ongoing", goods_owner_id="x")),
    ("no tenant", "fortnox-connection", "anew", lambda s: change_connection(s, "fortnox", tenant_id="")),
    ("other keys", "fortnox-connection", "key ring", other_keys),
    ("half credentials", "ongoing-connection", "anew", half_credentials),
    ("status without meaning", "ongoing-statuses", "statuses", statuses(s320=None)),
    ("status number wrong", "ongoing-statuses", "statuses", lambda s: s.settings(statuses={"451": "sent"})),
    ("no carriers", "ongoing-transporters", "carriers", lambda s: s.ongoing("PUT", "settings", {"transporters": []})),
    ("Ongoing's clock", "ongoing-clock", "NTP", clock("ongoing")),
    ("Fortnox's clock", "fortnox-clock", "NTP", clock("fortnox")),
    ("no right to invoices", "fortnox-rights", "invoice", without("invoice")),
    ("no right to vouchers", "fortnox-rights", "bookkeeping", without("bookkeeping")),
    ("no right to customers", "fortnox-rights", "customer", without("customer")),
    ("no right to the company", "fortnox-rights", "companyinformation", without("companyinformation")),
    ("no financial year", "fortnox-financial-year", "financial year", no_year),
    (
        "locked period",
        "fortnox-locked-period",
        "Unlock",
        lambda s: s.fortnox("PUT", "locked-period", {"tenantId": s.tenant, "endDate": "2099-12-31"}),
    ),
    ("stock account missing", "fortnox-accounts", "accounts", lambda s: s.settings(stock_account=1499)),
    ("account inactive", "fortnox-accounts", "activate", lambda s: account(s, 3001, Active=False)),
    ("VAT code wrong", "fortnox-vat-accounts", "VAT code", lambda s: account(s, 3002, VATCode="MP1")),
    (
        "accounts swapped",
        "fortnox-vat-accounts",
        "sales_accounts",
        lambda s: s.settings(sales_accounts=DEFAULT_SALES_ACCOUNTS | {"SEVAT": {"25": 3002, "12": 3001, "6": 3003, "0": 3004}}),
    ),
    ("a rate without account", "fortnox-vat-accounts", "sales_accounts", other_vat),
    ("not registered for VAT", "fortnox-vat", "Register", lambda s: company(s, taxEnabled=False)),
    ("series missing", "fortnox-series", "series Q", lambda s: s.settings(voucher_series="Q")),
    ("series not manual", "fortnox-series", "manual", lambda s: s.settings(voucher_series="B")),
    ("currency unknown", "fortnox-currencies", "Register", in_euro),
    ("terms unknown", "fortnox-terms", "terms_of_payment", lambda s: s.settings(terms_of_payment="77")),
    (
        "purchase status without meaning",
        "ongoing-purchase-statuses",
        "purchase_statuses",
        lambda s: s.settings(purchase_statuses={"100": "notified", "500": "received", "900": "cancelled"}),
    ),
    (
        "return status without meaning",
        "ongoing-return-statuses",
        "return_statuses",
        lambda s: s.settings(return_statuses={"100": "notified", "900": "cancelled"}),
    ),
    ("return cause without meaning", "ongoing-return-causes", "return_causes", a_cause),
    (
        "no such warehouse",
        "ongoing-warehouses",
        "warehouse_ids",
        lambda s: s.settings(reconciliation={"warehouse_ids": [77]}),
    ),
    (
        "no such folder",
        "reconciliation-folders",
        "folder",
        lambda s: s.settings(reconciliation={"file_folder": "/no/such/folder"}),
    ),
    (
        "nobody at the address of the SFTP server",
        "reconciliation-sftp",
        "sftp.host",
        lambda s: by_sftp(s, port=9),
    ),
    (
        "an SFTP server whose host key nobody can read",
        "reconciliation-sftp",
        "connect --replace",
        lambda s: by_sftp(s, host_key="SHA256:abc"),
    ),
    (
        "account of differences missing",
        "fortnox-accounts",
        "accounts",
        lambda s: s.settings(reconciliation={"unknown_difference_account": 4998}),
    ),
    (
        "account of a cause missing",
        "fortnox-accounts",
        "accounts",
        lambda s: s.settings(reconciliation={"adjustment_accounts": {"DMG": 4998}}),
    ),
    (
        "account of purchases missing in Fortnox",
        "fortnox-accounts",
        "accounts",
        lambda s: s.settings(goods_received_not_invoiced_account=2998),
    ),
    ("no account for purchases", "purchase-account", "goods_received_not_invoiced_account", place),
    ("a type of order without meaning", "order-types", "order_types", a_transfer),
    ("the account of a type missing", "fortnox-accounts", "accounts", lambda s: a_transfer(s, mapped=True)),
    ("no rate", "exchange-rates", "rates fetch", lambda s: s.settings(rate_currencies=["USD"])),
    (
        "Fortnox Lager on",
        "fortnox-lager",
        "off",
        lambda s: s.fortnox("PUT", "settings", {"tenantId": s.tenant, "warehouseModule": True}),
    ),
]


@pytest.fixture(autouse=True)
async def put_back(shop: Shop) -> Any:
    """The simulators are shared: their clocks and carriers are put back."""
    held = await shop.ongoing("GET", "settings")
    yield
    await shop.ongoing("PUT", "clock", None)
    await shop.fortnox("PUT", "clock", None)
    await shop.ongoing("PUT", "settings", {"transporters": held["transporters"]})


async def test_nothing_is_found_on_a_healthy_merchant(shop: Shop, settings: Settings, temporal_client: Client) -> None:
    await start_watching(temporal_client, shop.merchant)
    schedules = [f"{name}/{shop.merchant}" for name in ("vouchers", "reconcile")]
    runs: list[Any] = [PostVouchers.run, ReconcileStock.run]
    for name, run in zip(schedules, runs, strict=True):
        await every_day(temporal_client, name, run, shop.merchant, 4, "Europe/Stockholm", shop.merchant)
    found = await asked(shop, settings, temporal_client)
    assert [each for each in found.values() if each.state == "red"] == []
    assert [each.name for each in found.values() if each.state == "yellow"] == ["webhooks", "ongoing-counting"]
    assert {each[1] for each in PLANTED} <= set(found), "each thing that is looked at is also said when it is well"
    await temporal_client.get_schedule_handle(schedules[0]).pause(note="closed for the holidays")
    await temporal_client.get_schedule_handle(schedules[1]).delete()
    red = [each for each in (await asked(shop, settings, temporal_client)).values() if each.state == "red"]
    assert [each.name for each in red] == ["schedules"]
    assert "vouchers is paused (closed for the holidays)" in red[0].said and "balances has none" in red[0].said
    await temporal_client.get_schedule_handle(schedules[0]).delete()
    await temporal_client.get_workflow_handle(f"watch/{shop.merchant}").terminate("the test is over")


async def test_a_flow_that_is_off_is_said_and_stops_nothing_else(shop: Shop, settings: Settings, temporal_client: Client) -> None:
    async with shop.worker.database.merchant(shop.merchant) as session:
        await flows.switch(session, shop.merchant, INVOICES, False, "anna", "the books are moved")
    found = await asked(shop, settings, None)
    assert (found["flows"].state, found["flows"].said) == ("yellow", "switched off: invoices")


@pytest.mark.parametrize(("name", "remedy", "plant"), [each[1:] for each in PLANTED], ids=[each[0] for each in PLANTED])
async def test_a_planted_fault_is_found_by_name_with_its_remedy(
    shop: Shop, settings: Settings, name: str, remedy: str, plant: Plant
) -> None:
    await plant(shop)
    found = await asked(shop, settings, None)
    red = {each.name: each for each in found.values() if each.state == "red"}
    assert set(red) == {name, "watcher"}, red
    assert remedy in red[name].remedy


async def test_a_server_of_stock_files_is_asked_as_a_look_at_them_does(shop: Shop, settings: Settings, tmp_path: Path) -> None:
    async def said(**changes: Any) -> tuple[str, str, str]:
        await by_sftp(shop, **(server.where() | changes))
        found = (await asked(shop, settings, None))["reconciliation-sftp"]
        return found.state, found.said, found.remedy

    async with serving(tmp_path) as server:
        server.put("stock.csv", "x")
        assert (await said())[:2] == ("green", "answers with the host key that we know, lets us in; files in the folder: 1")
        state, why, remedy = await said(secret="guessed")
        assert state == "red" and "refuses the password" in why and "connection set sftp" in remedy
        state, why, remedy = await said(host_key=words(asyncssh.generate_private_key("ssh-ed25519")))
        assert state == "red" and "shows the host key" in why and "sftp.host_key" in remedy
        state, why, remedy = await said(folder="/elsewhere")
        assert state == "red" and "/elsewhere is not there" in why and "sftp.folder" in remedy
        assert server.opened == [], "nothing is read"


async def test_a_merchant_that_is_not_there_is_said_to_be_so(shop: Shop, settings: Settings) -> None:
    [finding] = await examine(settings, shop.keys, "no-such", None)
    assert (finding.name, finding.state) == ("settings", "red")
