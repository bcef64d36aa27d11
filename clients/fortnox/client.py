"""Every request to Fortnox, what it gives back and what it raises."""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

import httpx
from pydantic import AliasChoices, BaseModel, Field, TypeAdapter

from clients.errors import ApiError, NotFound, Rejected, Unauthorised, Unavailable, Unreadable
from clients.fortnox.model import Model
from clients.fortnox.seen import (
    Account,
    Article,
    CompanyInformation,
    CompanySettings,
    Currency,
    Customer,
    FinancialYear,
    Invoice,
    InvoiceHit,
    LockedPeriod,
    PreDefinedVoucherSeries,
    SupplierInvoice,
    SupplierInvoiceHit,
    TermsOfPayment,
    Voucher,
    VoucherHit,
    VoucherSeries,
    WarehouseModule,
)
from clients.fortnox.sent import InvoicePayload, VoucherPayload
from clients.fortnox.tokens import ClientCredentials, _json_or_none, _now
from clients.transport import CAP, DEADLINE, Answer, Gate, clean, failure_of, json_of, query, read, segment, send, turn
from clients.wire import Text, Whole, write_json

PAGE = 500
MOST_PAGES = 2000


# Licence, scope and login: a matter of the connection, whatever the status they come with.
AUTHORISATION = frozenset({"2000311", "2000663", "2001101", "2001103", "2001339", "2001393", "2002455", "2003275", "2004054"})
LOGIN_OR_IN_USE = "2000310"  # one number, two messages: "Ogiltig inloggning" and "Posten används"
BAD_PARAMETER = "2000588"  # seen with 403, though nothing is forbidden
SYSTEM_EXCEPTION = "1000003"


T = TypeVar("T", bound=BaseModel)


class _Meta(Model):
    total_resources: Whole = Field(alias="@TotalResources")
    total_pages: Whole = Field(alias="@TotalPages")
    current_page: Whole = Field(alias="@CurrentPage")


class _Fault(Model):
    """`ErrorInformation`, whose casing depends on who wrote it."""

    code: Text | None = Field(None, validation_alias=AliasChoices("code", "Code"))
    message: Text | None = Field(None, validation_alias=AliasChoices("message", "Message"))


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
