"""Fortnox's answers as recorded, with their odd types and casings, and what we make of them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from clients.errors import ApiError, NotFound, RateLimited, Rejected, Unauthorised, Unavailable, Unreadable
from clients.fortnox import (
    ClientCredentials,
    FortnoxClient,
    InvoicePayload,
    InvoiceRowPayload,
    VoucherPayload,
    VoucherRowPayload,
)
from tests.clients.rude_server import reset, rude_server
from tests.clients.scripted import Handler, Scripted, ok

REFERENCE = "lb-a1b2c3-000000000731-001-000"
ROW = """
{"AccountNumber":3001,"ArticleNumber":"SKU-1001","ContributionPercent":"0","Cost":0,"CostCenter":"","DeliveredQuantity":"10",
 "Description":"Fiskkniv 20 cm","Discount":0,"DiscountType":"PERCENT","HouseWorkType":null,"Price":120.10,
 "RowId":1,"StockPointCode":null,"Total":1201,"TotalExcludingVAT":1201,"Unit":"","VAT":25}
"""
INVOICE = (
    """
{"Invoice":{"@url":"https:\\/\\/api.fortnox.se\\/3\\/invoices\\/1057","AdministrationFee":0,"Balance":1501.25,"Booked":false,
 "Cancelled":false,"Comments":"","ContractReference":0,"Credit":"false","CreditInvoiceReference":"0","Currency":"SEK",
 "CurrencyRate":1,"CurrencyUnit":1,"CustomerName":"Mia Canary-Berg","CustomerNumber":"K10042","DeliveryDate":null,
 "DocumentNumber":"1057","DueDate":"2026-04-09","ExternalInvoiceReference1":"lb-a1b2c3-000000000731-001-000",
 "ExternalInvoiceReference2":"","Freight":0,"InvoiceDate":"2026-03-10","InvoicePeriodStart":"","InvoiceRows":["""
    + ROW
    + """],
 "Net":1201,"NotCompleted":true,"OCR":"105767","RoundOff":0,"Sent":false,"TaxReduction":null,"Total":1501.25,"TotalToPay":1501,
 "TotalVAT":300.25,"VATIncluded":false,"VoucherNumber":null,"VoucherSeries":null,"VoucherYear":null,"AccountingMethod":"ACCRUAL",
 "FinalPayDate":null,"WarehouseReady":true}}
"""
)
TOKEN = {"access_token": "canary-token-1", "expires_in": 3600, "token_type": "bearer", "scope": "invoice"}


def books(*answers: httpx.Response | Handler) -> Scripted:
    return Scripted(*answers, base="https://api.fortnox.example")


def credentials(issuer: Scripted | None = None) -> ClientCredentials:
    issuer = issuer or Scripted(ok(TOKEN))
    return ClientCredentials(issuer.http, client_id="client", client_secret="canary-secret", tenant_id=123456)


def client(partner: Scripted, token: ClientCredentials | None = None, **options: Any) -> FortnoxClient:
    return FortnoxClient(partner.http, token or credentials(), **options)


def invoice(**fields: Any) -> httpx.Response:
    document: dict[str, Any] = json.loads(INVOICE)
    document["Invoice"] |= fields
    return ok(document, 201)


def hit(number: int, reference: str | None = REFERENCE, **fields: Any) -> dict[str, Any]:
    usual = {"DocumentNumber": str(number), "Booked": False, "Cancelled": False, "CurrencyRate": "1", "Total": 1501.25}
    return usual | {"ExternalInvoiceReference1": reference} | fields


def page(items: list[dict[str, Any]], number: int = 1, pages: int = 1, key: str = "Invoices") -> httpx.Response:
    meta = {"@TotalResources": len(items), "@TotalPages": pages, "@CurrentPage": number}
    return ok({"MetaInformation": meta, key: items})


def fault(status: int, code: object, message: str, capital: bool = False) -> httpx.Response:
    names = ("Error", "Message", "Code") if capital else ("error", "message", "code")
    return httpx.Response(status, json={"ErrorInformation": dict(zip(names, (1, message, code), strict=True))})


def draft(**changes: Any) -> InvoicePayload:
    usual: dict[str, Any] = {
        "customer_number": "K10042",
        "invoice_date": date(2026, 3, 10),
        "currency": "SEK",
        "external_invoice_reference1": REFERENCE,
        "rows": [
            InvoiceRowPayload(
                description="Fiskkniv 20 cm",
                delivered_quantity=Decimal("10"),
                price=Decimal("120.10"),
                vat=Decimal(25),
                account_number=3001,
            )
        ],
    }
    return InvoicePayload(**(usual | changes))


# --- invoices


async def test_an_invoice_is_read_in_spite_of_its_types() -> None:
    partner = books(httpx.Response(200, content=INVOICE))
    read = await client(partner).get_invoice(1057)
    assert partner.asked == ["GET /3/invoices/1057"]
    assert partner.requests[0].headers["authorization"] == "Bearer canary-token-1"
    assert (read.document_number, read.customer_number, read.currency, read.rate) == (1057, "K10042", "SEK", Decimal(1))
    assert (read.booked, read.cancelled, read.not_completed, read.credit, read.vat_included) == (False, False, True, False, False)
    assert [str(amount) for amount in (read.total, read.total_vat, read.net_total)] == ["1501.25", "300.25", "1201.00"]
    assert (read.external_invoice_reference1, read.external_invoice_reference2) == (REFERENCE, None)
    assert (read.invoice_date, read.voucher_series, read.voucher_number) == (date(2026, 3, 10), None, None)
    (row,) = read.rows
    assert [row.delivered_quantity, row.vat, row.total, row.discount] == [10, 25, 1201, 0]
    assert (str(row.price), row.account_number, row.article_number, row.row_id) == ("120.10", 3001, "SKU-1001", 1)


@pytest.mark.parametrize(
    ("rate", "unit", "meant"), [("11.5", 1, "11.5"), (11.5, 1, "11.5"), (7.25, 100, "0.0725"), ("API_NORIGHT", "", "1")]
)
async def test_the_rate_is_for_one_unit_of_the_currency(rate: object, unit: object, meant: str) -> None:
    read = await client(books(invoice(CurrencyRate=rate, CurrencyUnit=unit))).get_invoice(1057)
    assert read.rate == Decimal(meant)


async def test_a_right_that_is_lacking_reads_as_nothing() -> None:
    read = await client(books(invoice(Balance="API_NORIGHT", VoucherSeries="API_NORIGHT"))).get_invoice(1057)
    assert (read.balance, read.voucher_series) == (None, None)


@pytest.mark.parametrize("field", ["DocumentNumber", "Booked", "Cancelled", "Total"])
async def test_an_invoice_that_does_not_say_what_decides_is_unreadable(field: str) -> None:
    for nothing in (None, "", "API_NORIGHT"):
        with pytest.raises(Unreadable, match=field):
            await client(books(invoice(**{field: nothing}))).get_invoice(1057)


async def test_an_invoice_is_sent_with_everything_that_it_means() -> None:
    partner = books(invoice())
    created = await client(partner).create_invoice(draft(your_reference="Web", delivery_date=date(2026, 3, 9)))
    assert created.document_number == 1057
    assert partner.asked == ["POST /3/invoices"]
    assert partner.sent() == {
        "Invoice": {
            "CustomerNumber": "K10042",
            "InvoiceDate": "2026-03-10",
            "DeliveryDate": "2026-03-09",
            "Currency": "SEK",
            "VATIncluded": False,
            "Freight": 0,
            "AdministrationFee": 0,
            "NotCompleted": True,
            "ExternalInvoiceReference1": REFERENCE,
            "YourReference": "Web",
            "InvoiceRows": [
                {
                    "Description": "Fiskkniv 20 cm",
                    "DeliveredQuantity": 10,
                    "Price": Decimal("120.10"),
                    "VAT": 25,
                    "AccountNumber": 3001,
                    "Discount": 0,
                    "DiscountType": "PERCENT",
                }
            ],
        }
    }
    assert b'"Price":120.10' in partner.requests[0].content


async def test_an_amount_arrives_byte_for_byte() -> None:
    partner = books(invoice())
    row = InvoiceRowPayload(description="x", delivered_quantity=Decimal("0.1"), price=Decimal("1234567890123.4567"))
    await client(partner).create_invoice(draft(rows=[row]))
    assert b'"DeliveredQuantity":0.1,"Price":1234567890123.4567' in partner.requests[0].content


def test_a_reference_that_is_too_long_or_empty_is_never_sent() -> None:
    for reference in ("", "x" * 81):
        with pytest.raises(ValueError, match="external_invoice_reference1"):
            draft(external_invoice_reference1=reference)


async def test_actions_on_an_invoice_send_no_body() -> None:
    partner = books(invoice())
    fortnox = client(partner)
    await fortnox.bookkeep_invoice(1057)
    await fortnox.cancel_invoice(1057)
    await fortnox.complete_invoice(1057)
    assert partner.asked == ["PUT /3/invoices/1057/bookkeep", "PUT /3/invoices/1057/cancel", "PUT /3/invoices/1057"]
    assert [request.content for request in partner.requests] == [b"", b"", b'{"Invoice":{"NotCompleted":false}}']
    assert "content-type" not in partner.requests[0].headers


async def test_a_search_returns_what_carries_exactly_the_reference() -> None:
    partner = books(page([hit(3, f"{REFERENCE}0"), hit(9), hit(7, Cancelled=True), hit(5, REFERENCE.upper())]))
    found = await client(partner).find_invoices_by_reference(REFERENCE)
    assert [(h.document_number, h.cancelled) for h in found] == [(7, True), (9, False)]
    assert partner.asked == [
        f"GET /3/invoices?externalinvoicereference1={REFERENCE}&sortby=documentnumber&sortorder=ascending&limit=500&page=1"
    ]


async def test_a_search_reads_every_page_and_counts_nothing_twice() -> None:
    partner = books(page([hit(1), hit(2)], 1, 3), page([hit(2), hit(3)], 2, 3), page([hit(4)], 3, 3))
    found = await client(partner).find_invoices_by_reference(REFERENCE)
    assert [h.document_number for h in found] == [1, 2, 3, 4]
    assert len(partner.requests) == 3


async def test_an_empty_search_finds_nothing() -> None:
    assert await client(books(page([], 1, 0))).find_invoices_by_reference(REFERENCE) == []


@pytest.mark.parametrize("stranger", ["other", None, ""])
async def test_a_search_that_was_not_applied_proves_nothing(stranger: str | None) -> None:
    with pytest.raises(Unreadable, match="was not applied"):
        await client(books(page([hit(1), hit(2, stranger)]))).find_invoices_by_reference(REFERENCE)


async def test_a_page_that_is_not_the_one_asked_for_proves_nothing() -> None:
    with pytest.raises(Unreadable, match="asked for page 2, answered with page 1"):
        await client(books(page([hit(1)], 1, 3))).find_invoices_by_reference(REFERENCE)


async def test_an_answer_without_a_list_is_not_an_empty_list() -> None:
    contents: list[dict[str, Any]] = [{}, {"Invoices": None}, {"Invoice": {}}]
    for content in contents:
        with pytest.raises(Unreadable, match="without Invoices"):
            await client(books(ok(content))).find_invoices_by_reference(REFERENCE)


async def test_an_empty_reference_is_never_searched_for() -> None:
    with pytest.raises(ValueError, match="empty reference"):
        await client(books(page([]))).find_invoices_by_reference(" ")


# --- customers, articles, the company


async def test_a_customer_is_made_and_changed_under_our_number() -> None:
    card = {"CustomerNumber": "K/1", "Name": "Nordhavet", "ExternalReference": "lagerbro/K/1", "Active": None}
    partner = books(ok({"Customer": card | {"Email": "", "Currency": "SEK", "VATType": "SEVAT"}}, 201))
    fortnox = client(partner)
    created = await fortnox.create_customer(card)
    assert (created.customer_number, created.external_reference, created.vat_type) == ("K/1", "lagerbro/K/1", "SEVAT")
    await fortnox.update_customer("K/1", {"Name": "Nordhavet"})
    await fortnox.get_customer("../invoices/1")
    assert partner.asked == ["POST /3/customers", "PUT /3/customers/K%2F1", "GET /3/customers/..%2Finvoices%2F1"]
    assert partner.sent(0) == {"Customer": card}


async def test_a_number_may_come_as_number_or_text() -> None:
    read = await client(books(ok({"Article": {"ArticleNumber": 1001, "VAT": "25", "SalesAccount": "3001"}}))).get_article("1001")
    assert (read.article_number, read.vat, read.sales_account) == ("1001", Decimal(25), 3001)


async def test_the_company_is_known_by_its_database_number() -> None:
    for number in (123456, "123456"):
        answer = ok({"CompanyInformation": {"DatabaseNumber": number, "CompanyName": "Demo AB", "OrganizationNumber": "556"}})
        assert (await client(books(answer)).company_information()).database_number == 123456
    settings = await client(books(ok({"CompanySettings": {"DatabaseNumber": "123456", "Name": "Demo"}}))).company_settings()
    assert settings.database_number == 123456


async def test_the_locked_period_may_be_empty() -> None:
    assert await client(books(ok({"LockedPeriod": {"EndDate": "2026-02-28"}}))).locked_period() == date(2026, 2, 28)
    for nothing in (None, ""):
        assert await client(books(ok({"LockedPeriod": {"EndDate": nothing}}))).locked_period() is None


async def test_a_financial_year_is_known_by_its_id() -> None:
    year = {"Id": 7, "FromDate": "2026-01-01", "ToDate": "2026-12-31", "AccountingMethod": "ACCRUAL"}
    partner = books(ok({"FinancialYears": [year]}))
    (read,) = await client(partner).financial_years(date(2026, 3, 10))
    assert (read.year_id, read.from_date, read.accounting_method) == (7, date(2026, 1, 1), "ACCRUAL")
    assert partner.asked == ["GET /3/financialyears?date=2026-03-10"]
    assert await client(books(ok({"FinancialYears": []}))).financial_years(date(2031, 1, 1)) == []


# --- vouchers


async def test_a_voucher_is_sent_to_its_year_and_read_back() -> None:
    row = {"Account": 4960, "Debit": 812.5, "Credit": 0, "Removed": False, "Description": ""}
    voucher = {
        "Description": "v-1 Lager",
        "Comments": "v-1",
        "VoucherSeries": "L",
        "VoucherNumber": 118,
        "Year": 7,
        "TransactionDate": "2026-03-10",
        "VoucherRows": [row, {"Account": 1460, "Debit": 0, "Credit": 812.5, "Removed": False}],
    }
    partner = books(ok({"Voucher": voucher}, 201))
    fortnox = client(partner)
    payload = VoucherPayload(
        description="v-1 Lager",
        comments="v-1",
        voucher_series="L",
        transaction_date=date(2026, 3, 10),
        rows=[
            VoucherRowPayload(account=4960, debit=Decimal("812.50")),
            VoucherRowPayload(account=1460, credit=Decimal("812.50")),
        ],
    )
    created = await fortnox.create_voucher(payload, 7)
    read = await fortnox.get_voucher("L", 118, 7)
    assert created == read
    assert [(r.account, r.debit, r.credit) for r in read.rows] == [(4960, Decimal("812.5"), 0), (1460, 0, Decimal("812.5"))]
    assert partner.asked == ["POST /3/vouchers?financialyear=7", "GET /3/vouchers/L/118?financialyear=7"]
    assert partner.sent(0)["Voucher"]["VoucherRows"][0] == {"Account": 4960, "Debit": Decimal("812.50"), "Credit": 0}


async def test_vouchers_outside_the_dates_asked_for_are_left_out() -> None:
    def item(number: int, on: str, series: str = "L") -> dict[str, Any]:
        return {"VoucherSeries": series, "VoucherNumber": number, "Year": 7, "TransactionDate": on, "Comments": f"v-{number}"}

    items = [
        item(3, "2026-03-10"),
        item(1, "2026-03-09"),
        item(2, "2026-03-11"),
        item(2, "2026-03-11"),
        item(9, "2026-03-10", "A"),
    ]
    partner = books(page(items, key="Vouchers"))
    found = await client(partner).list_vouchers("L", 7, date(2026, 3, 10), date(2026, 3, 11))
    assert [(v.voucher_number, v.comments) for v in found] == [(2, "v-2"), (3, "v-3")]
    assert partner.asked == ["GET /3/vouchers/sublist/L?financialyear=7&fromdate=2026-03-10&todate=2026-03-11&limit=500&page=1"]


async def test_what_fortnox_takes_a_series_for_is_told_by_name() -> None:
    taken = [{"Name": "MANUAL", "VoucherSeries": "A"}, {"Name": "ACCRUAL", "VoucherSeries": ""}, {"Name": "INVOICE"}]
    partner = books(page(taken, key="PreDefinedVoucherSeriesCollection"))
    assert await client(partner).predefined_series() == {"MANUAL": "A"}
    assert partner.asked == ["GET /3/predefinedvoucherseries?limit=500&page=1"]


async def test_series_and_accounts_belong_to_a_year() -> None:
    partner = books(page([{"Code": "L", "Manual": True, "Year": 7}], key="VoucherSeriesCollection"))
    (series,) = await client(partner).voucher_series(7)
    assert (series.code, series.manual) == ("L", True)
    assert partner.asked == ["GET /3/voucherseries?financialyear=7&limit=500&page=1"]
    account = {"Number": 1460, "Active": True, "BalanceBroughtForward": 10, "BalanceCarriedForward": "-3.50"}
    assert [a.number for a in await client(books(page([account], key="Accounts"))).accounts(7)] == [1460]
    read = await client(books(ok({"Account": account}))).get_account(1460, 7)
    assert read.balance_carried_forward == Decimal("-3.50")


# --- refusals


@pytest.mark.parametrize("capital", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, 2000587, "Ett ogiltigt filter har använts.", Rejected),
        (400, "2000401", "Perioden är låst", Rejected),
        (400, 2999001, "something new", Rejected),
        (404, 2000433, "Kan inte hitta kunden.", NotFound),
        (403, 2000663, "no scope", Unauthorised),
        (400, 2001101, "Det finns ingen aktiv licens för önskat scope", Unauthorised),
        (400, 2001103, "Api-licens saknas.", Unauthorised),
        (403, 2000310, "Ogiltig inloggning", Unauthorised),
        (400, 2000310, "Posten används", Rejected),
        (403, 2000310, "Posten används", Rejected),
        (403, 2000588, "Ogiltig parameter i anropet.", Rejected),
        (200, 2000401, "Perioden är låst", Rejected),
        (201, 2001103, "Api-licens saknas.", Unauthorised),
        (200, 2000310, "Posten används", Rejected),
        (200, 1000003, "System exception", Unavailable),
        (500, 1000003, "System exception", Unavailable),
        (429, 2000001, "slow", RateLimited),
    ],
)
async def test_a_refusal_is_judged_by_status_and_code(status: int, code: object, message: str, kind: type, capital: bool) -> None:
    with pytest.raises(ApiError) as caught:
        await client(books(fault(status, code, message, capital))).create_invoice(draft())
    assert type(caught.value) is kind
    assert str(caught.value) == f"POST /3/invoices: {status} {code} {message}"
    if isinstance(caught.value, Rejected):
        assert (caught.value.status, caught.value.code, caught.value.text) == (status, str(code), message)


@pytest.mark.parametrize(
    ("answer", "kind", "unknown"),
    [
        (httpx.Response(500), Unavailable, True),
        (httpx.Response(503, html="<p>gateway"), Unavailable, True),
        (httpx.Response(429), RateLimited, False),
        (httpx.Response(404, html="<p>gateway"), Unreadable, True),
        (httpx.Response(404), Unreadable, True),
        (httpx.Response(302, headers={"Location": "https://apps.fortnox.se/login?x=canary"}), Unreadable, True),
        (httpx.Response(200, html="<p>canary"), Unreadable, True),
        (httpx.Response(201), Unreadable, True),
        (httpx.Response(201, content=b"null"), Unreadable, True),
        (httpx.Response(201, content=b"[]"), Unreadable, True),
        (httpx.Response(201, content=b"{}"), Unreadable, True),
        (httpx.Response(201, content=INVOICE[:300].encode()), Unreadable, True),
        (ok({"Invoice": None}), Unreadable, True),
        (ok({"Invoice": {"DocumentNumber": "canary"}}), Unreadable, True),
    ],
)
async def test_no_clear_answer_says_whether_it_may_have_happened(answer: httpx.Response, kind: type, unknown: bool) -> None:
    with pytest.raises(Unavailable) as caught:
        await client(books(answer)).create_invoice(draft())
    assert type(caught.value) is kind
    assert caught.value.outcome_unknown is unknown
    assert "canary" not in str(caught.value)


async def test_a_write_whose_answer_was_lost_is_not_repeated() -> None:
    async with rude_server(reset) as server:
        http = httpx.AsyncClient(base_url=server.address, trust_env=False)
        fortnox = FortnoxClient(http, credentials())
        with pytest.raises(Unavailable) as caught:
            await fortnox.create_invoice(draft())
        await fortnox.aclose()
    assert caught.value.outcome_unknown is True
    assert len(server.requests) == 1


# --- tokens


async def test_a_token_is_asked_for_as_fortnox_wants_it_and_kept() -> None:
    issuer = Scripted(ok(TOKEN))
    partner = books(invoice())
    fortnox = client(partner, credentials(issuer))
    await asyncio.gather(*(fortnox.get_invoice(1057) for _ in range(5)))
    (request,) = issuer.requests
    assert (request.method, request.url.path) == ("POST", "/oauth-v1/token")
    assert request.headers["authorization"] == "Basic Y2xpZW50OmNhbmFyeS1zZWNyZXQ="
    assert request.headers["tenantid"] == "123456"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.content.decode()) == {"grant_type": ["client_credentials"]}
    assert len(partner.requests) == 5


async def test_a_token_near_its_end_is_replaced_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("clients.fortnox.tokens._now", lambda: clock)
    issuer = Scripted(ok(TOKEN), ok(TOKEN | {"access_token": "second"}))
    token = credentials(issuer)
    assert await token.token() == "canary-token-1"
    clock += 3539
    assert await token.token() == "canary-token-1"
    clock += 2
    assert await token.token() == "second"
    assert len(issuer.requests) == 2


async def test_a_refused_token_is_replaced_once_for_all_who_used_it() -> None:
    issuer = Scripted(ok(TOKEN), ok(TOKEN | {"access_token": "second"}))
    together = asyncio.Barrier(3)

    async def api(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] == "Bearer second":
            return invoice()
        await together.wait()
        return httpx.Response(401, json={"message": "unauthorized"})

    http = httpx.AsyncClient(transport=httpx.MockTransport(api), base_url="https://api.fortnox.example")
    fortnox = FortnoxClient(http, credentials(issuer))
    created = await asyncio.gather(*(fortnox.create_invoice(draft()) for _ in range(3)))
    assert [c.document_number for c in created] == [1057] * 3
    assert len(issuer.requests) == 2


async def test_a_token_that_is_refused_twice_blocks_the_connection_and_is_forgotten() -> None:
    issuer = Scripted(lambda _: ok(TOKEN | {"access_token": f"token-{len(issuer.requests)}"}))
    partner = books(httpx.Response(401, json={"message": "unauthorized"}))
    fortnox = client(partner, credentials(issuer))
    with pytest.raises(Unauthorised, match="401 unauthorized"):
        await fortnox.get_invoice(1057)
    assert len(partner.requests) == 2
    with pytest.raises(Unauthorised):
        await fortnox.get_invoice(1057)
    used = [request.headers["authorization"] for request in partner.requests]
    assert used == [f"Bearer token-{number}" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("status", "kind", "content", "code"),
    [
        (
            401,
            "text/plain",
            '{"error":"invalid_client","error_description":"They are invalid"}',
            "invalid_client",
        ),
        (400, "text/html", '{"error":"invalid_grant","error_description":"Invalid refresh token"}', "invalid_grant"),
        (400, "application/json", '{"error":"unauthorized_client"}', "unauthorized_client"),
        (403, "text/html", "<p>no", None),
        (400, "application/json", "[1]", None),
    ],
)
async def test_a_token_that_is_not_given_blocks_the_connection(status: int, kind: str, content: str, code: str | None) -> None:
    issuer = Scripted(httpx.Response(status, headers={"Content-Type": kind}, content=content))
    partner = books(invoice())
    with pytest.raises(Unauthorised) as caught:
        await client(partner, credentials(issuer)).create_invoice(draft())
    assert caught.value.code == code
    assert partner.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, html="<p>hello"),
        httpx.Response(200, content=b'{"access_token"'),
        ok({"access_token": ""}),
        ok({"access_token": "two\nlines"}),
        ok({"expires_in": 3600}),
        httpx.Response(429, headers={"Retry-After": "3"}),
    ],
)
async def test_no_token_means_that_the_invoice_was_never_sent(answer: httpx.Response) -> None:
    partner = books(invoice())
    with pytest.raises(Unavailable) as caught:
        await client(partner, credentials(Scripted(answer))).create_invoice(draft())
    assert caught.value.outcome_unknown is False
    assert partner.requests == []


async def test_a_token_is_read_whatever_its_content_type() -> None:
    issuer = Scripted(httpx.Response(200, headers={"Content-Type": "text/html"}, content=json.dumps(TOKEN)))
    assert await credentials(issuer).token() == "canary-token-1"


async def test_a_token_that_does_not_come_in_time_leaves_the_invoice_unsent() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    http = httpx.AsyncClient(transport=httpx.MockTransport(never), base_url="https://apps.fortnox.example")
    token = ClientCredentials(http, client_id="a", client_secret="b", tenant_id=1)
    partner = books(invoice())
    with pytest.raises(Unavailable) as caught:
        await client(partner, token, deadline=0.05).create_invoice(draft())
    assert caught.value.outcome_unknown is False
    assert partner.requests == []


# --- turns, and what must not be seen


async def test_every_request_takes_its_own_turn() -> None:
    turns = 0

    @asynccontextmanager
    async def gate() -> AsyncIterator[None]:
        nonlocal turns
        turns += 1
        yield

    partner = books(httpx.Response(401), page([hit(1)], 1, 2), page([hit(2)], 2, 2))
    await client(partner, gate=gate).find_invoices_by_reference(REFERENCE)
    assert turns == len(partner.requests) == 3


async def test_a_turn_that_comes_too_late_is_not_taken() -> None:
    @asynccontextmanager
    async def gate() -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    partner = books(invoice())
    with pytest.raises(Unavailable) as caught:
        await client(partner, gate=gate, deadline=0.05).create_invoice(draft())
    assert caught.value.outcome_unknown is False
    assert partner.requests == []


async def test_persons_and_secrets_are_seen_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = credentials()
    card = {"CustomerNumber": "K1", "Name": "Mia Canary", "Address1": "Canary street 1", "OrganisationNumber": "canary-1"}
    seen = [repr(token), repr(token.__class__), repr(client(books(invoice())))]
    quoting = fault(400, 2000359, "Värdet 'mia canary' på Canary street 1 innehåller ej tillåtna tecken (canary-1)")
    with pytest.raises(Rejected) as refused:
        await client(books(quoting), token).create_customer(card)
    seen += [str(refused.value), refused.value.text]
    seen.append(repr(await client(books(ok({"Customer": card})), token).get_customer("K1")))
    seen.append(repr(await client(books(httpx.Response(200, content=INVOICE)), token).get_invoice(1057)))
    seen.append(repr(draft(your_reference="Canary", comments="canary")))
    with pytest.raises(ValueError, match="customer_number") as mistaken:
        draft(customer_number=["canary"])
    seen += [repr(mistaken.value), caplog.text]
    for said in seen:
        assert "canary" not in said.lower()


# --- supplier invoices ------------------------------------------------------------------------------------------------

SUPPLIER_INVOICE = """
{"SupplierInvoice":{"@url":"https:\\/\\/api.fortnox.se\\/3\\/supplierinvoices\\/57","Balance":"11970","Booked":true,"Cancelled":false,
 "Credit":false,"CreditReference":0,"Currency":"EUR","CurrencyRate":"11.4","CurrencyUnit":1,"GivenNumber":"57","InvoiceDate":"2026-03-10",
 "InvoiceNumber":"F-1","SupplierNumber":"S-1","Total":"1050","VAT":"0","YourReference":"PO-1","Comments":"","SupplierInvoiceRows":[
 {"Account":2440,"Code":"TOT","ArticleNumber":"","Credit":11970,"CreditCurrency":1050,"Debit":0,"DebitCurrency":0,"Quantity":0},
 {"Account":2490,"Code":"ACC","ArticleNumber":"A","Debit":11970.00,"DebitCurrency":1050,"Credit":0,"Quantity":"100","Price":10.5}]}}
"""


async def test_a_supplier_invoice_is_read_with_both_of_its_currencies() -> None:
    fortnox = client(books(httpx.Response(200, text=SUPPLIER_INVOICE)))
    found = await fortnox.get_supplier_invoice(57)
    assert (found.given_number, found.rate, found.your_reference, found.comments) == (57, Decimal("11.4"), "PO-1", None)
    assert (found.booked, found.cancelled, found.credit, found.credit_reference) == (True, False, False, 0)
    assert [(row.account, row.article_number, row.quantity, row.booked, row.amount) for row in found.rows] == [
        (2440, None, Decimal(0), Decimal(-11970), Decimal(-1050)),
        (2490, "A", Decimal(100), Decimal(11970), Decimal(1050)),
    ]
    await fortnox.aclose()


async def test_supplier_invoices_that_changed_are_listed_by_number_over_all_pages() -> None:
    def page(number: int, *given: str) -> httpx.Response:
        meta = {"@TotalResources": 3, "@TotalPages": 2, "@CurrentPage": number}
        return ok({"MetaInformation": meta, "SupplierInvoices": [{"GivenNumber": each, "Cancel": False} for each in given]})

    partner = books(page(1, "12", "3"), page(2, "12", "7"))
    fortnox = client(partner)
    assert await fortnox.supplier_invoices_changed(datetime(2026, 3, 10, 8, 30)) == [3, 7, 12]  # noqa: DTZ001
    assert parse_qs(partner.requests[0].url.query.decode())["lastmodified"] == ["2026-03-10 08:30"]
    await fortnox.aclose()
