"""A purchase with its supplier invoices: the warehouse receives, the accountant registers, we read and match."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.errors import Refused
from domain.keys import InvoiceDecision, PurchaseKey, PurchaseState
from domain.rates import Quote
from erp.rates import Checked, store
from tests.activities.test_purchases import calm, floor, place, send
from tests.activities.world import Shop, again
from tests.erp.data import Row, article, insert, line

D = Decimal
OWED, CLAIMS, LANDED, STOCK, SOLD, PAYABLES, LOSS = 2490, 1680, 2491, 1460, 4960, 2440, 7960
BOOKED = """
    select r.account, sum(r.debit - r.credit) from erp.posting_row r join erp.posting p using (merchant_id, posting_no)
    where p.merchant_id = :m and p.event <> 'opening-balance' group by 1 having sum(r.debit - r.credit) <> 0 order by 1"""


async def buying(shop: Shop, *articles: str, **settings: Any) -> None:
    """The merchant awaits supplier invoices; new articles that have never moved, and the accounts in Fortnox."""
    await shop.settings(**{"goods_received_not_invoiced_account": OWED, "match_supplier_invoices": True} | settings)
    for account in (OWED, CLAIMS, LANDED):
        await shop.fortnox("POST", f"accounts/{account}", {"tenantId": shop.tenant, "description": "Inköp"})
    async with shop.erp.everyone() as session:
        for number in articles:
            await insert(session, "erp.article", article(shop.merchant, number))


async def rate(shop: Shop, value: str, currency: str = "EUR") -> None:
    """What the bank says today."""
    async with shop.worker.database.merchant(shop.merchant) as session:
        quote = Quote(currency, datetime.now(UTC).date() - timedelta(days=1), D(value))
        await store(session, shop.merchant, currency, [Checked(quote, "ecb", D(value))], datetime.now(UTC))


async def bought(
    shop: Shop, lines: Sequence[Row], receive: dict[Any, Any] | None = None, number: str = "PO-1", **columns: Any
) -> PurchaseKey:
    """A purchase that the warehouse expects; with `receive` so much of its lines has come in, and the rest is not expected."""
    key = await place(shop, lines, number, **columns)
    await send(shop, key)
    if receive is not None:
        await floor(shop, "receive", receive, number)
        await look(shop, key)
    return key


async def look(shop: Shop, key: PurchaseKey) -> PurchaseState:
    """Look and match, as the process does."""
    state = await calm(shop, key)
    return await match(shop, key) if state.to_match else state


async def match(shop: Shop, key: PurchaseKey) -> PurchaseState:
    return await again(shop.worker.supplier_invoices.match_purchase, key)


async def look_past(shop: Shop, key: PurchaseKey) -> None:
    """Look and match; what a person must decide is left waiting."""
    with suppress(Refused):
        await look(shop, key)


async def bill(shop: Shop, *lines: dict[str, Any], **wish: Any) -> int:
    """A person registers a supplier invoice in Fortnox, and we read it; returns its number."""
    account = {"account": OWED}
    body = {"tenantId": shop.tenant, "purchase": "PO-1", "invoiceNumber": f"F-{datetime.now(UTC).timestamp()}"} | wish
    made = await shop.fortnox("POST", "supplier-invoices", body | {"lines": [account | each for each in lines]})
    await read(shop)
    return int(made["GivenNumber"])


async def edit(shop: Shop, number: int, *lines: dict[str, Any], **wish: Any) -> None:
    """A person changes a supplier invoice in Fortnox, and we read it."""
    body = {"tenantId": shop.tenant} | wish | ({"lines": [{"account": OWED} | each for each in lines]} if lines else {})
    await shop.fortnox("POST", f"supplier-invoices/{number}/edit", body)
    await read(shop)


async def read(shop: Shop) -> int:
    return await again(shop.worker.supplier_invoices.read_supplier_invoices, shop.merchant)


async def decide(shop: Shop, number: int, purchase: str = "PO-1", **more: Any) -> str:
    decision = InvoiceDecision(shop.merchant, purchase, number, "anna", "agreed", **more)
    return await again(shop.worker.supplier_invoices.decide_invoice, decision)


async def sell(shop: Shop, article_number: str, quantity: Any, number: str = "SO-1") -> None:
    await shop.sent(number, [line(article_number, quantity, 200)])
    await shop.floor("pick", number)
    await shop.look_until_calm(number)


async def accounts(shop: Shop) -> Any:
    """What our postings come to on each account: debit is positive."""
    return dict(await shop.read(BOOKED))


async def owed(shop: Shop, account: int = OWED) -> Any:
    """The account of what is not invoiced as Fortnox will have it: our postings, and the invoices booked there."""
    state = await shop.fortnox("GET", f"state?tenantId={shop.tenant}")
    theirs = sum(
        (
            D(str(row["debit"])) - D(str(row["credit"]))
            for voucher in state["vouchers"]
            if voucher["referenceType"] == "SUPPLIERINVOICE"
            for row in voucher["rows"]
            if row["account"] == account
        ),
        D(0),
    )
    return theirs + (await accounts(shop)).get(account, D(0))


async def pool(shop: Shop, article_number: str) -> Any:
    found = await shop.balances()
    return (D(found[article_number][0]), D(found[article_number][1]))


async def invoice_state(shop: Shop, number: int) -> Any:
    statement = "select state, match_state from erp.supplier_invoice where merchant_id = :m and fortnox_number = :n"
    [(state, match_state)] = await shop.read(statement, n=number)
    return str(state), match_state


async def enter(shop: Shop, table: str, **values: Any) -> None:
    """The ERP enters a landed cost or a return to the supplier."""
    async with shop.erp.everyone() as session:
        await insert(session, f"erp.{table}", {"merchant_id": shop.merchant, "entered_by": "anna", "reason": "test"} | values)


def today() -> date:
    return datetime.now(UTC).date()
