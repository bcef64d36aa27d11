"""What a run of the retail file leaves behind: our books, and the invoices that Fortnox holds by its own account."""

import json
from collections import defaultdict
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

import httpx
from sqlalchemy import text

from erp.database import Database, rows
from starters.connect import MERCHANT, SECRETS_FILE, TENANT_ID
from starters.stack import Stack

_STATUS = text("select order_number, status from erp.sales_order where merchant_id = :merchant")
_SHIPPED = text(
    """
    select order_number || '/' || line_number as line, sum(quantity) as quantity from erp.shipment_line
    where merchant_id = :merchant group by order_number, line_number
    """
)
_ISSUED = text(
    """
    select article_number, -sum(quantity) as quantity, -sum(value) as value from erp.stock_entry
    where merchant_id = :merchant and kind <> 'opening' group by article_number
    """
)
_STOCK = text("select article_number, quantity, value from erp.stock_balance where merchant_id = :merchant")
_ACCOUNTS = text(
    "select account, sum(debit - credit) as balance from erp.posting_row where merchant_id = :merchant group by account"
)


@dataclass(slots=True)
class Books:
    """What must be equal in two runs of the same file, however they went."""

    statuses: dict[str, str] = field(default_factory=dict)
    shipped: dict[str, Decimal] = field(default_factory=dict)
    issued: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    stock: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    accounts: dict[str, Decimal] = field(default_factory=dict)
    invoices: dict[str, list[Decimal]] = field(default_factory=dict)

    def differences(self, other: "Books") -> list[str]:
        """Where two runs differ, named."""
        found = []
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            differing = sorted(key for key in {*mine, *theirs} if mine.get(key) != theirs.get(key))
            if differing:
                key = differing[0]
                found.append(f"{each.name} differ in {len(differing)}: {key} is {mine.get(key)} and {theirs.get(key)}")
        return found


async def read_books(database: Database) -> Books:
    """Everything but the invoices, as one moment of our database."""
    async with database.everyone() as session:

        async def read(statement: Any) -> list[Any]:
            return await rows(session, statement, merchant=MERCHANT)

        return Books(
            {row.order_number: row.status for row in await read(_STATUS)},
            {row.line: row.quantity for row in await read(_SHIPPED)},
            {row.article_number: (row.quantity, row.value) for row in await read(_ISSUED)},
            {row.article_number: (row.quantity, row.value) for row in await read(_STOCK)},
            {str(row.account): row.balance for row in await read(_ACCOUNTS)},
        )


async def invoices_in_fortnox(stack: Stack) -> dict[str, list[Decimal]]:
    """Net of each live invoice by order, booked or it would not count, as the simulator itself says."""
    secret = json.loads((stack.home.folder / SECRETS_FILE).read_text(encoding="utf-8"))["fortnox_secret"]
    address = stack.addresses["fortnox"]
    orders: dict[int, str] = {}
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as http:
        answer = await http.post(
            "/oauth-v1/token",
            data={"grant_type": "client_credentials"},
            headers={"TenantId": str(TENANT_ID)},
            auth=("lagerbro-demo", secret),
        )
        bearer = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
        page = pages = 1
        while page <= pages:
            listed = (await http.get(f"/3/invoices?limit=500&page={page}", headers=bearer)).raise_for_status().json()
            pages, page = int(listed["MetaInformation"]["@TotalPages"]), page + 1
            for hit in listed["Invoices"]:
                orders[int(hit["DocumentNumber"])] = hit["ExternalInvoiceReference2"].rsplit("/", 1)[0]
        state = json.loads((await http.get(f"/_control/state?tenantId={TENANT_ID}")).raise_for_status().text, parse_float=Decimal)
    nets: dict[str, list[Decimal]] = defaultdict(list)
    for invoice in state["invoices"]:
        if not invoice["cancelled"]:
            net = Decimal(str(invoice["net"])) if invoice["booked"] else Decimal("NaN")
            nets[orders[int(invoice["number"])]].append(net)
    return {number: sorted(of_it) for number, of_it in nets.items()}
