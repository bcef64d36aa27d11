"""Fortnox, the classic API under `/3` with client credentials. Names are Fortnox's own, in snake case.

Fortnox knows no idempotency key and no duplicate: nothing here repeats a write, except once after a 401, which was not
executed. Its answers vary in type and casing and are read leniently; money is a Decimal whether it came as number or string.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from clients.errors import ApiError, NotFound, Rejected, Unauthorised, Unavailable, Unreadable
from clients.transport import CAP, DEADLINE, Answer, Gate, clean, failure_of, json_of, query, read, segment, send, turn
from clients.wire import Day, Exact, Id, Key, NullAsEmpty, Text, Whole, read_json, write_json

PAGE = 500
MOST_PAGES = 2000
TOKEN_MARGIN = 60.0
TOKEN_PATH = "oauth-v1/token"

# Licence, scope and login: a matter of the connection, whatever the status they come with.
AUTHORISATION = frozenset({"2000311", "2000663", "2001101", "2001103", "2001339", "2001393", "2002455", "2003275", "2004054"})
LOGIN_OR_IN_USE = "2000310"  # one number, two messages: "Ogiltig inloggning" and "Posten används"
BAD_PARAMETER = "2000588"  # seen with 403, though nothing is forbidden
SYSTEM_EXCEPTION = "1000003"

ZERO = Decimal(0)
T = TypeVar("T", bound=BaseModel)
Reference = Annotated[Key, Field(max_length=80)]
_UPPER = frozenset({"vat", "ocr", "ean", "gln", "sru"})


def _spell(name: str) -> str:
    return "".join(part.upper() if part in _UPPER else part.capitalize() for part in name.split("_"))


class Model(BaseModel):
    """How Fortnox spells, and what it writes for nothing: an empty text, or a word that says the user lacks the right."""

    model_config = ConfigDict(
        alias_generator=_spell, populate_by_name=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_none(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: None if value in ("", "API_NORIGHT") else value for name, value in data.items()}
        return data


# --- what we send -----------------------------------------------------------------------------------------------------


class InvoiceRowPayload(Model):
    """A row with all that decides its amount and account, zeros too: what is left out Fortnox takes from cards or from the
    row that stood there before."""

    description: Text | None
    delivered_quantity: Exact
    price: Exact
    vat: Exact | None = None
    account_number: Whole | None = None
    discount: Exact = ZERO
    discount_type: Text = "PERCENT"
    article_number: Text | None = None
    unit: Text | None = None
    vat_code: Text | None = None
    cost_center: Text | None = None
    project: Text | None = None


class InvoicePayload(Model):
    """An invoice to create. Freight and fee are sent even when zero, or Fortnox takes them from the customer's card."""

    customer_number: Text
    rows: list[InvoiceRowPayload] = Field(alias="InvoiceRows", repr=False)
    external_invoice_reference1: Reference
    external_invoice_reference2: Reference | None = None
    invoice_date: date
    due_date: date | None = None
    delivery_date: date | None = None
    currency: Text
    currency_rate: Exact | None = None
    currency_unit: Exact | None = None
    vat_included: bool = False
    freight: Exact = ZERO
    administration_fee: Exact = ZERO
    not_completed: bool = True
    terms_of_payment: Text | None = None
    your_order_number: Text | None = None
    your_reference: Text | None = Field(None, repr=False)
    our_reference: Text | None = Field(None, repr=False)
    remarks: Text | None = Field(None, repr=False)
    comments: Text | None = Field(None, repr=False)
    language: Text | None = None
    cost_center: Text | None = None
    project: Text | None = None


class VoucherRowPayload(Model):
    account: Whole
    debit: Exact = ZERO
    credit: Exact = ZERO
    description: Text | None = None
    transaction_information: Annotated[Text, Field(max_length=100)] | None = None
    cost_center: Text | None = None
    project: Text | None = None


class VoucherPayload(Model):
    """A voucher to create. It is booked at once and can only be reversed."""

    description: Annotated[Key, Field(max_length=200)]
    voucher_series: Text
    transaction_date: date
    comments: Annotated[Text, Field(max_length=1000)] | None = None
    rows: list[VoucherRowPayload] = Field(alias="VoucherRows", repr=False)
    cost_center: Text | None = None
    project: Text | None = None


# --- what we read -----------------------------------------------------------------------------------------------------


class CompanyInformation(Model):
    """Whose books these are. `database_number` is the tenant id."""

    database_number: Id
    company_name: Text | None = None
    organization_number: Text | None = None
    country_code: Text | None = None


class CompanySettings(Model):
    database_number: Id
    name: Text | None = None
    organization_number: Text | None = None
    country_code: Text | None = None
    vat_number: Text | None = None
    tax_enabled: bool | None = None


class Currency(Model):
    code: Text
    unit: Exact | None = None


class TermsOfPayment(Model):
    code: Text


class WarehouseModule(BaseModel):
    """Whether Fortnox Lager is on in the company."""

    activated: bool | None = None


class Customer(Model):
    """A customer's card, as far as we compare it. Only keys are ever shown."""

    customer_number: Text
    external_reference: Text | None = None
    name: Text | None = Field(None, repr=False)
    organisation_number: Text | None = Field(None, repr=False)
    vat_number: Text | None = Field(None, repr=False)
    vat_type: Text | None = None
    currency: Text | None = None
    country_code: Text | None = None
    type: Text | None = None
    active: bool | None = None
    terms_of_payment: Text | None = None


class Article(Model):
    article_number: Text
    description: Text | None = None
    type: Text | None = None
    stock_goods: bool | None = None
    unit: Text | None = None
    vat: Exact | None = None
    sales_account: Whole | None = None
    active: bool | None = None


class InvoiceRow(Model):
    row_id: Id | None = None
    article_number: Text | None = None
    description: Text | None = None
    delivered_quantity: Exact | None = None
    price: Exact | None = None
    discount: Exact | None = None
    discount_type: Text | None = None
    vat: Exact | None = None
    account_number: Whole | None = None
    total: Exact | None = None
    total_excluding_vat: Exact | None = None


class Invoice(Model):
    """An invoice as Fortnox has it. `total` is with VAT and before öresavrundning, in the invoice's currency."""

    document_number: Id
    external_invoice_reference1: Text | None = None
    external_invoice_reference2: Text | None = None
    customer_number: Text | None = None
    currency: Text | None = None
    currency_rate: Exact | None = None
    currency_unit: Exact | None = None
    vat_included: bool | None = None
    invoice_date: Day | None = None
    due_date: Day | None = None
    booked: bool
    cancelled: bool
    not_completed: bool | None = None
    credit: bool | None = None
    credit_invoice_reference: Text | None = None
    sent: bool | None = None
    net: Exact | None = None
    total: Exact
    total_vat: Exact | None = None
    total_to_pay: Exact | None = None
    round_off: Exact | None = None
    freight: Exact | None = None
    administration_fee: Exact | None = None
    balance: Exact | None = None
    voucher_series: Text | None = None
    voucher_number: Id | None = None
    voucher_year: Id | None = None
    warehouse_ready: bool | None = None
    accounting_method: Text | None = None
    rows: Annotated[list[InvoiceRow], NullAsEmpty] = Field([], alias="InvoiceRows")

    @property
    def net_total(self) -> Decimal:
        """Without VAT, freight and fee included. `Net` is not used: what it means is documented nowhere."""
        return self.total - (self.total_vat or ZERO)

    @property
    def rate(self) -> Decimal:
        """What one unit of the invoice's currency is worth in that of the books."""
        return (self.currency_rate or Decimal(1)) / (self.currency_unit or Decimal(1))


class InvoiceHit(Model):
    """An invoice in a list: no rows, no VAT, and not whether it is a draft."""

    document_number: Id
    external_invoice_reference1: Text | None = None
    external_invoice_reference2: Text | None = None
    customer_number: Text | None = None
    currency: Text | None = None
    invoice_date: Day | None = None
    booked: bool
    cancelled: bool
    total: Exact | None = None
    voucher_series: Text | None = None
    voucher_number: Id | None = None


class SupplierInvoiceRow(Model):
    """A row of a supplier invoice's booking: both sides in the books' currency and in the invoice's. `code`: `ACC` is what it is
    booked on, `TOT` what is owed, `VAT` the tax."""

    account: Whole | None = None
    code: Text | None = None
    article_number: Text | None = None
    item_description: Text | None = None
    transaction_information: Text | None = None
    quantity: Exact | None = None
    price: Exact | None = None
    debit: Exact | None = None
    credit: Exact | None = None
    debit_currency: Exact | None = None
    credit_currency: Exact | None = None

    @property
    def booked(self) -> Decimal:
        """What it books in the currency of the books: debit is positive."""
        return (self.debit or ZERO) - (self.credit or ZERO)

    @property
    def amount(self) -> Decimal:
        """The same in the invoice's currency, 0 where Fortnox keeps none."""
        return (self.debit_currency or ZERO) - (self.credit_currency or ZERO)


class SupplierInvoice(Model):
    """A supplier invoice with its rows. `given_number` is Fortnox's own, `invoice_number` the supplier's."""

    given_number: Id
    supplier_number: Text | None = None
    invoice_number: Text | None = None
    invoice_date: Day | None = None
    currency: Text | None = None
    currency_rate: Exact | None = None
    currency_unit: Exact | None = None
    credit: bool | None = None
    credit_reference: Whole | None = None
    booked: bool | None = None
    cancelled: bool | None = None
    total: Exact | None = None
    vat: Exact | None = None
    your_reference: Text | None = Field(None, repr=False)
    our_reference: Text | None = Field(None, repr=False)
    external_invoice_number: Text | None = None
    comments: Text | None = Field(None, repr=False)
    rows: Annotated[list[SupplierInvoiceRow], NullAsEmpty] = Field([], alias="SupplierInvoiceRows")

    @property
    def rate(self) -> Decimal:
        """What one unit of the invoice's currency is worth in that of the books."""
        return (self.currency_rate or Decimal(1)) / (self.currency_unit or Decimal(1))


class SupplierInvoiceHit(Model):
    """A supplier invoice in a list: which one, no more. The list calls the flag `Cancel`, the single `Cancelled`."""

    given_number: Id


class FinancialYear(Model):
    """`year_id` is what Fortnox wants as `financialyear`: a small number, not the calendar year."""

    year_id: Id = Field(alias="Id")
    from_date: Day
    to_date: Day
    accounting_method: Text | None = None


class LockedPeriod(Model):
    end_date: Day | None = None


class VoucherSeries(Model):
    code: Text
    description: Text | None = None
    manual: bool | None = None
    year: Id | None = None
    next_voucher_number: Id | None = None


class PreDefinedVoucherSeries(Model):
    """What Fortnox itself, and who writes by hand, puts in which series."""

    name: Text
    voucher_series: Text | None = None


class VoucherRow(Model):
    account: Whole
    debit: Exact | None = None
    credit: Exact | None = None
    description: Text | None = None
    transaction_information: Text | None = None
    removed: bool | None = None


class VoucherHit(Model):
    """A voucher in a list: no rows."""

    voucher_series: Text
    voucher_number: Id
    year: Id | None = None
    transaction_date: Day
    description: Text | None = None
    comments: Text | None = None
    reference_type: Text | None = None
    reference_number: Text | None = None


class Voucher(VoucherHit):
    """A voucher with its rows; a row that is `removed` was struck and counts for nothing."""

    rows: Annotated[list[VoucherRow], NullAsEmpty] = Field([], alias="VoucherRows")


class Account(Model):
    number: Whole
    description: Text | None = None
    active: bool | None = None
    vat_code: Text | None = Field(None, alias="VATCode")
    year: Id | None = None
    balance_brought_forward: Exact | None = None
    balance_carried_forward: Exact | None = None


class _Meta(Model):
    total_resources: Whole = Field(alias="@TotalResources")
    total_pages: Whole = Field(alias="@TotalPages")
    current_page: Whole = Field(alias="@CurrentPage")


class _Fault(Model):
    """`ErrorInformation`, whose casing depends on who wrote it."""

    code: Text | None = Field(None, validation_alias=AliasChoices("code", "Code"))
    message: Text | None = Field(None, validation_alias=AliasChoices("message", "Message"))


class _Token(Model):
    access_token: Annotated[Text, Field(pattern=r"^[\x21-\x7e]+$")] = Field(alias="access_token", repr=False)
    expires_in: Exact = Field(Decimal(3600), alias="expires_in")


_TOKEN = TypeAdapter(_Token)
_META = TypeAdapter(_Meta)
_FAULT = TypeAdapter(_Fault)
_INVOICE = TypeAdapter(Invoice)
_INVOICE_HIT = TypeAdapter(InvoiceHit)
_CUSTOMER = TypeAdapter(Customer)
_ARTICLE = TypeAdapter(Article)
_VOUCHER = TypeAdapter(Voucher)
_VOUCHER_HIT = TypeAdapter(VoucherHit)
_SERIES = TypeAdapter(VoucherSeries)
_PREDEFINED_SERIES = TypeAdapter(PreDefinedVoucherSeries)
_ACCOUNT = TypeAdapter(Account)
_CURRENCY = TypeAdapter(Currency)
_TERMS = TypeAdapter(TermsOfPayment)
_MODULE = TypeAdapter(WarehouseModule)
_SUPPLIER_INVOICE = TypeAdapter(SupplierInvoice)
_SUPPLIER_INVOICE_HIT = TypeAdapter(SupplierInvoiceHit)
_YEAR = TypeAdapter(FinancialYear)
_LOCKED = TypeAdapter(LockedPeriod)
_COMPANY = TypeAdapter(CompanyInformation)
_SETTINGS = TypeAdapter(CompanySettings)


class ClientCredentials:
    """Access tokens of a service account: no refresh token, so a lost answer costs nothing but another request.

    `http` has the host of the token endpoint as its address, `https://apps.fortnox.se`. One renewal at a time; the token
    lives in memory only.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        client_id: str,
        client_secret: str,
        tenant_id: int,
        scope: str | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        self._http = http
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode(),
            "TenantId": str(tenant_id),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._form = urlencode({"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})).encode()
        self._deadline = deadline
        self._renewing = asyncio.Lock()
        self._token: str | None = None
        self._fresh_until = 0.0

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def token(self, refused: str | None = None) -> str:
        """A token that is good for a while. `refused` is one that was just refused: if it is still ours, it is replaced."""
        if self._token is not None and self._token != refused and _now() < self._fresh_until:
            return self._token
        async with self._renewing:
            if self._token is not None and self._token != refused and _now() < self._fresh_until:
                return self._token
            self._token = None
            token = await self._renew()
            lifetime = max(float(token.expires_in), 0.0)
            self._fresh_until = _now() + lifetime - min(TOKEN_MARGIN, lifetime / 2)
            self._token = token.access_token
            return self._token

    def forget(self, token: str) -> None:
        """Do not use this token again."""
        if self._token == token:
            self._token = None

    async def _renew(self) -> _Token:
        """A new token. No answer here means that the request it was wanted for was never sent: nothing is unclear."""
        failure: ApiError
        try:
            answer = await send(
                self._http, "POST", TOKEN_PATH, body=self._form, headers=self._headers, deadline=self._deadline, cap=1024 * 1024
            )
            if 200 <= answer.status < 300:
                return read(answer, _TOKEN, _json_or_none(answer))
            failure = _token_failure(answer)
        except Unavailable as unavailable:
            failure = unavailable
        if isinstance(failure, Unavailable):
            failure.outcome_unknown = False
        raise failure


def _json_or_none(answer: Answer) -> Any:
    with suppress(ValueError):
        return read_json(answer.content)
    return None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _token_failure(answer: Answer) -> ApiError:
    """OAuth's errors are JSON whatever the content type says. Any no here concerns the connection."""
    data = _json_or_none(answer)
    told = data if isinstance(data, dict) else {}
    code, words = (clean(str(told.get(name) or "")) for name in ("error", "error_description"))
    failure = failure_of(answer, code or None, words)
    if isinstance(failure, Rejected):
        return Unauthorised(str(failure), status=failure.status, code=failure.code, text=failure.text)
    return failure


class FortnoxClient:
    """One company's books. `http` has the host as its address, `https://api.fortnox.se`; `gate` is held around every request."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        token: ClientCredentials,
        *,
        deadline: float = DEADLINE,
        gate: Gate | None = None,
        cap: int = CAP,
    ) -> None:
        self._http = http
        self._token = token
        self._deadline = deadline
        self._gate = gate
        self._cap = cap

    async def aclose(self) -> None:
        """Close the connections, also those to the token endpoint."""
        await self._http.aclose()
        await self._token.aclose()

    # --- the company

    async def company_information(self) -> CompanyInformation:
        """Which company the credentials open: compare before the first write."""
        return await self._one("GET", "companyinformation", "CompanyInformation", _COMPANY)

    async def company_settings(self) -> CompanySettings:
        """The company's own settings."""
        return await self._one("GET", "settings/company", "CompanySettings", _SETTINGS)

    async def financial_years(self, on: date | None = None) -> list[FinancialYear]:
        """The financial year that holds this date, one or none; without a date every year, in the order they were made."""
        answer, data = await self._call("GET", "financialyears", query([("date", on)]))
        return [read(answer, _YEAR, item) for item in _items(answer, data, "FinancialYears")]

    async def locked_period(self) -> date | None:
        """The last day of the locked period, None if nothing is locked."""
        return (await self._one("GET", "settings/lockedperiod", "LockedPeriod", _LOCKED)).end_date

    async def currencies(self) -> list[Currency]:
        """The currencies that documents may be in."""
        return [currency async for _, currency in self._pages("currencies", "Currencies", _CURRENCY, [])]

    async def terms_of_payment(self) -> list[TermsOfPayment]:
        """The terms of payment that an invoice may name."""
        return [terms async for _, terms in self._pages("termsofpayments", "TermsOfPayments", _TERMS, [])]

    async def warehouse_module(self) -> bool:
        """Whether Fortnox Lager is on."""
        answer, data = await self._call("GET", "api/warehouse/tenants-v4", whole_path=True)
        return read(answer, _MODULE, data).activated is True

    async def may_read(self, resource: str) -> None:
        """Read the first of a list. Raises `Unauthorised` when the service account has no right to it."""
        await self._call("GET", resource, query([("limit", 1)]))

    # --- customers and articles

    async def get_customer(self, customer_number: str) -> Customer:
        """One customer. Raises `NotFound`."""
        return await self._one("GET", f"customers/{segment(customer_number)}", "Customer", _CUSTOMER)

    async def create_customer(self, card: Mapping[str, Any]) -> Customer:
        """Create a customer; `card` in Fortnox's spelling, with our own `CustomerNumber`, which makes a repeat harmless."""
        return await self._one("POST", "customers", "Customer", _CUSTOMER, card, hide=_in_confidence(card))

    async def update_customer(self, customer_number: str, card: Mapping[str, Any]) -> Customer:
        """Change the fields that `card` names; a repeat is harmless."""
        path = f"customers/{segment(customer_number)}"
        return await self._one("PUT", path, "Customer", _CUSTOMER, card, hide=_in_confidence(card))

    async def get_article(self, article_number: str) -> Article:
        """One article. Raises `NotFound`."""
        return await self._one("GET", f"articles/{segment(article_number)}", "Article", _ARTICLE)

    async def create_article(self, article: Mapping[str, Any]) -> Article:
        """Create an article, in Fortnox's spelling, with our own `ArticleNumber`."""
        return await self._one("POST", "articles", "Article", _ARTICLE, article)

    # --- invoices

    async def find_invoices_by_reference(self, reference: str) -> list[InvoiceHit]:
        """Every invoice whose `ExternalInvoiceReference1` is exactly this, cancelled ones too, by number.

        Fortnox finds parts of a reference as well. A hit that does not even contain it means that the search was not
        applied, and then nothing is known.
        """
        return [hit for hit in await self.find_invoices_by_prefix(reference) if hit.external_invoice_reference1 == reference]

    async def find_invoices_by_prefix(self, prefix: str) -> list[InvoiceHit]:
        """Every invoice whose `ExternalInvoiceReference1` begins with this, cancelled ones too, by number."""
        if not prefix.strip():
            raise ValueError("an empty reference finds everything")
        parameters = [("externalinvoicereference1", prefix), ("sortby", "documentnumber"), ("sortorder", "ascending")]
        found: dict[int, InvoiceHit] = {}
        async for answer, hit in self._pages("invoices", "Invoices", _INVOICE_HIT, parameters):
            held = hit.external_invoice_reference1 or ""
            if prefix.casefold() not in held.casefold():
                raise Unreadable(f"{answer.call}: invoice {hit.document_number} does not match the search: it was not applied")
            if held.startswith(prefix):
                found[hit.document_number] = hit
        return [found[number] for number in sorted(found)]

    async def create_invoice(self, invoice: InvoicePayload) -> Invoice:
        """Create an invoice. Not safe to repeat: after `outcome_unknown`, search by its reference first."""
        return await self._one("POST", "invoices", "Invoice", _INVOICE, _body(invoice), hide=_texts_of(invoice))

    async def get_invoice(self, document_number: int) -> Invoice:
        """One invoice with its rows. Raises `NotFound`."""
        return await self._one("GET", f"invoices/{segment(document_number)}", "Invoice", _INVOICE)

    async def update_invoice(self, document_number: int, fields: Mapping[str, Any]) -> Invoice:
        """Change fields, in Fortnox's spelling, of an invoice that is not booked; a repeat is harmless."""
        return await self._one("PUT", f"invoices/{segment(document_number)}", "Invoice", _INVOICE, fields)

    async def complete_invoice(self, document_number: int) -> Invoice:
        """Clear the draft mark, which forbids booking. Nothing else is touched; a repeat is harmless."""
        return await self._one("PUT", f"invoices/{segment(document_number)}", "Invoice", _INVOICE, {"NotCompleted": False})

    async def bookkeep_invoice(self, document_number: int) -> Invoice:
        """Book the invoice, for good. What a second call does is not documented: read `booked` first and afterwards."""
        return await self._one("PUT", f"invoices/{segment(document_number)}/bookkeep", "Invoice", _INVOICE)

    async def cancel_invoice(self, document_number: int) -> Invoice:
        """Cancel an invoice that is not booked."""
        return await self._one("PUT", f"invoices/{segment(document_number)}/cancel", "Invoice", _INVOICE)

    # --- supplier invoices: only read

    async def supplier_invoices_changed(self, since: datetime) -> list[int]:
        """The numbers of supplier invoices made or changed at or after this Swedish wall clock time, cancelled ones too."""
        parameters = [("lastmodified", since.strftime("%Y-%m-%d %H:%M"))]
        pages = self._pages("supplierinvoices", "SupplierInvoices", _SUPPLIER_INVOICE_HIT, parameters)
        return sorted({hit.given_number async for _, hit in pages})

    async def get_supplier_invoice(self, given_number: int) -> SupplierInvoice:
        """One supplier invoice with its rows. Raises `NotFound`."""
        path = f"supplierinvoices/{segment(given_number)}"
        return await self._one("GET", path, "SupplierInvoice", _SUPPLIER_INVOICE)

    # --- vouchers and accounts. Series, numbers and accounts mean something only within a year: it is never left out.

    async def voucher_series(self, year: int) -> list[VoucherSeries]:
        """The series of a financial year, by its id. One that is not `manual` takes no vouchers of ours."""
        pages = self._pages("voucherseries", "VoucherSeriesCollection", _SERIES, [("financialyear", year)])
        return [series async for _, series in pages]

    async def predefined_series(self) -> dict[str, str]:
        """Which series is taken for what: MANUAL, INVOICE and so on."""
        pages = self._pages("predefinedvoucherseries", "PreDefinedVoucherSeriesCollection", _PREDEFINED_SERIES, [])
        return {each.name: each.voucher_series async for _, each in pages if each.voucher_series}

    async def create_voucher(self, voucher: VoucherPayload, year: int) -> Voucher:
        """Create a voucher; it is booked at once. Not safe to repeat: after `outcome_unknown`, read the series' tail first."""
        return await self._one("POST", "vouchers", "Voucher", _VOUCHER, _body(voucher), query([("financialyear", year)]))

    async def list_vouchers(self, series: str, year: int, from_date: date, to_date: date) -> list[VoucherHit]:
        """The vouchers of a series between two dates, both included, by number. The dates are checked here as well."""
        parameters = [("financialyear", year), ("fromdate", from_date), ("todate", to_date)]
        found: dict[int, VoucherHit] = {}
        async for _, hit in self._pages(f"vouchers/sublist/{segment(series)}", "Vouchers", _VOUCHER_HIT, parameters):
            if hit.voucher_series == series and hit.year in (None, year) and from_date <= hit.transaction_date <= to_date:
                found[hit.voucher_number] = hit
        return [found[number] for number in sorted(found)]

    async def get_voucher(self, series: str, number: int, year: int) -> Voucher:
        """One voucher with its rows. Raises `NotFound`."""
        path = f"vouchers/{segment(series)}/{segment(number)}"
        return await self._one("GET", path, "Voucher", _VOUCHER, parameters=query([("financialyear", year)]))

    async def accounts(self, year: int) -> list[Account]:
        """The chart of accounts of a year."""
        return [account async for _, account in self._pages("accounts", "Accounts", _ACCOUNT, [("financialyear", year)])]

    async def get_account(self, number: int, year: int) -> Account:
        """One account with its balances. Raises `NotFound`."""
        path = f"accounts/{segment(number)}"
        return await self._one("GET", path, "Account", _ACCOUNT, parameters=query([("financialyear", year)]))

    # --- requests

    async def _one(
        self,
        method: str,
        path: str,
        key: str,
        adapter: TypeAdapter[T],
        payload: Mapping[str, Any] | None = None,
        parameters: str = "",
        hide: Iterable[str] = (),
    ) -> T:
        body = None if payload is None else write_json({key: payload})
        answer, data = await self._call(method, path, parameters, body, hide)
        if key not in data:
            raise Unreadable(f"{answer.call}: {answer.status} without {key}")
        return read(answer, adapter, data[key])

    async def _pages(
        self, path: str, key: str, adapter: TypeAdapter[T], parameters: Iterable[tuple[str, object]]
    ) -> AsyncIterator[tuple[Answer, T]]:
        """Every item of a list, page by page. Pages shift while others write, so callers keep items by their number."""
        fixed = [*parameters, ("limit", PAGE)]
        for page in range(1, MOST_PAGES + 1):
            answer, data = await self._call("GET", path, query([*fixed, ("page", page)]))
            items = _items(answer, data, key)
            for item in items:
                yield answer, read(answer, adapter, item)
            meta = read(answer, _META, data["MetaInformation"]) if data.get("MetaInformation") else None
            if meta and items and meta.current_page != page:
                raise Unreadable(f"{answer.call}: asked for page {page}, answered with page {meta.current_page}")
            if not items or (page >= meta.total_pages if meta else len(items) < PAGE):
                return
        raise Unreadable(f"GET /3/{path}: more than {MOST_PAGES} pages")

    async def _call(
        self,
        method: str,
        path: str,
        parameters: str = "",
        body: bytes | None = None,
        hide: Iterable[str] = (),
        whole_path: bool = False,
    ) -> tuple[Answer, dict[str, Any]]:
        """One request, and the same once more with a new token if the token was refused: that one was not executed."""
        begin_by = _now() + self._deadline
        path = path if whole_path else f"3/{path}"
        call = f"{method} /{path}"
        async with turn(call, begin_by):
            token = await self._token.token()
        answer = await self._send(method, path, parameters, body, token, begin_by)
        if answer.status == 401:
            async with turn(call, begin_by):
                token = await self._token.token(refused=token)
            answer = await self._send(method, path, parameters, body, token, begin_by)
        if answer.status == 401:
            self._token.forget(token)
        return answer, _judged(answer, hide)

    async def _send(self, method: str, path: str, parameters: str, body: bytes | None, token: str, begin_by: float) -> Answer:
        return await send(
            self._http,
            method,
            path,
            parameters=parameters,
            body=body,
            headers={"Authorization": f"Bearer {token}"},
            deadline=self._deadline,
            begin_by=begin_by,
            cap=self._cap,
            gate=self._gate,
        )


def _body(payload: Model) -> dict[str, Any]:
    return payload.model_dump(by_alias=True, exclude_none=True)


def _in_confidence(card: Mapping[str, Any]) -> list[str]:
    shown = ("CustomerNumber", "ExternalReference", "VATType", "CountryCode", "Currency", "Type", "TermsOfPayment")
    return [value for name, value in card.items() if isinstance(value, str) and name not in shown]


def _texts_of(invoice: InvoicePayload) -> list[str]:
    return [text for text in (invoice.your_reference, invoice.our_reference, invoice.remarks, invoice.comments) if text]


def _items(answer: Answer, data: dict[str, Any], key: str) -> list[Any]:
    """The list under its key."""
    found = data.get(key)
    if not isinstance(found, list):
        raise Unreadable(f"{answer.call}: {answer.status} without {key}")
    return found


def _judged(answer: Answer, hide: Iterable[str]) -> dict[str, Any]:
    """The answer's object, or the error it means: by status and code together, and by what the body says, not only the status."""
    good = 200 <= answer.status < 300
    data = json_of(answer) if good else _json_or_none(answer)
    if good and not isinstance(data, dict):
        raise Unreadable(f"{answer.call}: {answer.status}, not an object")
    told = data.get("ErrorInformation") if isinstance(data, dict) else None
    fault = read(answer, _FAULT, told) if isinstance(told, dict) else None
    if good and fault is None:
        return dict(data)
    raise _failure(answer, data, fault, hide)


def _failure(answer: Answer, data: Any, fault: _Fault | None, hide: Iterable[str]) -> ApiError:
    if fault is None:
        if answer.status == 404:
            # Fortnox says in a body what it did not find; a bare 404 is a wrong address or a gateway.
            return Unreadable(f"{answer.call}: 404 without ErrorInformation: not Fortnox's answer")
        words = data.get("message") if isinstance(data, dict) else None
        return failure_of(answer, None, words if isinstance(words, str) else "a page of HTML" if answer.is_html else "", hide)
    code, words = fault.code, fault.message or ""
    failure = failure_of(answer, code, words, hide)
    if code == SYSTEM_EXCEPTION:
        return Unavailable(str(failure), outcome_unknown=True)
    if isinstance(failure, Unavailable) and answer.status >= 300:
        return failure
    in_use = code == LOGIN_OR_IN_USE and "inloggning" not in words.casefold()
    if in_use or code == BAD_PARAMETER:
        kind = Rejected
    elif answer.status in (401, 403) or code in AUTHORISATION or code == LOGIN_OR_IN_USE:
        kind = Unauthorised
    else:
        kind = NotFound if answer.status == 404 else Rejected
    return kind(str(failure), status=answer.status, code=code, text=clean(words, hide))
