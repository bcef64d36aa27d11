"""Suppliers and their invoices: registered, listed, booked, cancelled."""

from typing import Any

from simulators.fortnox import cards, ledger, lists, registers
from simulators.fortnox.call import Call
from simulators.fortnox.documents import chosen
from simulators.fortnox.fields import Spec, boolean, choice, day, integer, number, read, read_only, rows, text
from simulators.fortnox.refusals import Refusal, invalid, missing
from simulators.fortnox.wire import HERE, ZERO, Answer, Fields, decimal, enveloped, ore, plain, to_ore

KIND = "supplier"
INVOICE = "supplierinvoice"

SPEC: Spec = {
    **read_only("@url", "Country", "VisitingCountry"),
    **{
        name: text()
        for name in (
            "Address1", "Address2", "BG", "BIC", "Bank", "BankAccountNumber", "BranchCode", "ClearingNumber", "CostCenter",
            "Email", "Fax", "IBAN",
            "OrganisationNumber", "OurCustomerNumber", "OurReference", "PG", "Project", "TermsOfPayment", "VATNumber",
            "VATType", "VisitingAddress",
            "VisitingCity", "VisitingCountryCode", "VisitingZipCode", "WWW", "WorkPlace", "YourReference", "ZipCode",
        )
    },
    "Active": boolean(),
    "City": text(1024),
    "Comments": text(1024),
    "CountryCode": text(exactly=2),
    "Currency": text(exactly=3),
    "DisablePaymentFile": boolean(),
    "Name": text(1024, shortest=1),
    "Phone1": text(1024),
    "Phone2": text(1024),
    "PreDefinedAccount": text(exactly=4),
    "SupplierNumber": text(any_character=True),
}  # fmt: skip
_EMPTY: Fields = {
    "@url": "", "Active": True, "Address1": "", "Address2": "", "BG": "", "BIC": "", "Bank": "", "BankAccountNumber": "",
    "BranchCode": "",
    "City": "", "ClearingNumber": "", "Comments": "", "CostCenter": "", "Country": "", "CountryCode": "", "Currency": "SEK",
    "DisablePaymentFile": False, "Email": "", "Fax": "", "IBAN": "", "Name": "", "OrganisationNumber": "",
    "OurCustomerNumber": "",
    "OurReference": "", "PG": "", "Phone1": "", "Phone2": "", "PreDefinedAccount": None, "Project": "", "SupplierNumber": "",
    "TermsOfPayment": "30", "VATNumber": "", "VATType": "NORMAL", "VisitingAddress": "", "VisitingCity": "",
    "VisitingCountry": "",
    "VisitingCountryCode": "", "VisitingZipCode": "", "WorkPlace": "", "WWW": "", "YourReference": "", "ZipCode": "",
}  # fmt: skip
_BRIEF = (
    "@url", "Active", "Address1", "Address2", "BG", "BIC", "BankAccountNumber", "City", "CostCenter", "CountryCode", "Currency",
    "DisablePaymentFile", "Email", "IBAN", "Name", "OrganisationNumber", "PG", "Phone", "PreDefinedAccount", "Project",
    "SupplierNumber",
    "TermsOfPayment", "ZipCode",
)  # fmt: skip
_CODES = ("TOT", "VAT", "FRT", "AFE", "ROV", "CND", "CNC", "PRD", "PRC", "SRD", "SRC", "PRE", "GWB", "ACC")
INVOICE_SPEC: Spec = {
    **read_only(
        "@url", "AccountingMethod", "Balance", "Booked", "Cancelled", "CreditReference", "FinalPayDate", "GivenNumber",
        "PaymentPending",
        "SupplierName", "VoucherNumber", "VoucherSeries", "VoucherYear", "Vouchers",
    ),
    "AdministrationFee": number(),
    "Comments": text(1000),
    "CostCenter": text(),
    "Credit": boolean(),
    "Currency": text(exactly=3),
    "CurrencyRate": number(),
    "CurrencyUnit": number(),
    "DisablePaymentFile": boolean(),
    "DueDate": day(),
    "ExternalInvoiceNumber": text(),
    "ExternalInvoiceSeries": text(),
    "Freight": number(),
    "InvoiceDate": day(),
    "InvoiceNumber": text(64),
    "OCR": text(),
    "OurReference": text(50),
    "Project": text(),
    "RoundOffValue": number(),
    "SalesType": choice("STOCK", "SERVICE"),
    "SupplierInvoiceRows": rows(
        {
            **read_only("AccountDescription"),
            "Account": integer(1000, 9999),
            "ArticleNumber": text(any_character=True),
            "Code": choice(*_CODES),
            "CostCenter": text(),
            "Credit": number(),
            "CreditCurrency": number(),
            "Debit": number(),
            "DebitCurrency": number(),
            "ItemDescription": text(),
            "Price": number(),
            "Project": text(),
            "Quantity": number(),
            "StockLocationCode": text(),
            "StockPointCode": text(),
            "Total": number(),
            "TransactionInformation": text(100),
            "Unit": text(),
        }
    ),
    "SupplierNumber": text(any_character=True),
    "Total": number(),
    "VAT": number(),
    "VATType": choice("NORMAL", "EUINTERNAL", "REVERSE"),
    "YourReference": text(50),
}  # fmt: skip
_EMPTY_INVOICE: Fields = {
    "@url": "", "AccountingMethod": "ACCRUAL", "AdministrationFee": "0", "Balance": "0", "Booked": False, "Cancelled": False,
    "Comments": "",
    "CostCenter": "", "Credit": False, "CreditReference": 0, "Currency": "SEK", "CurrencyRate": "1", "CurrencyUnit": 1,
    "DisablePaymentFile": False, "DueDate": None, "ExternalInvoiceNumber": "", "ExternalInvoiceSeries": "",
    "FinalPayDate": None, "Freight": "0",
    "GivenNumber": "", "InvoiceDate": None, "InvoiceNumber": "", "OCR": "", "OurReference": "", "PaymentPending": False,
    "Project": "",
    "RoundOffValue": "0", "SalesType": "STOCK", "SupplierInvoiceRows": [], "SupplierName": "", "SupplierNumber": "",
    "Total": "0", "VAT": "0",
    "VATType": "NORMAL", "VoucherNumber": None, "VoucherSeries": None, "VoucherYear": None, "Vouchers": [], "YourReference": "",
}  # fmt: skip
_MONEY_AS_TEXT = ("AdministrationFee", "Freight", "RoundOffValue", "Total", "VAT", "CurrencyRate")
_INVOICE_BRIEF = (
    "@url", "AuthorizerName", "Balance", "Booked", "Cancel", "CostCenter", "Credit", "Currency", "CurrencyRate",
    "CurrencyUnit", "DueDate",
    "ExternalInvoiceNumber", "ExternalInvoiceSeries", "FinalPayDate", "GivenNumber", "InvoiceDate", "InvoiceNumber",
    "Project", "SupplierName",
    "SupplierNumber", "Total", "Vouchers",
)  # fmt: skip
_FILTERS = {
    "cancelled": "json_extract(body, '$.Cancelled') = 1",
    "fullypaid": "json_extract(body, '$.FinalPayDate') IS NOT NULL",
    "unpaid": "json_extract(body, '$.Booked') = 1 AND json_extract(body, '$.FinalPayDate') IS NULL",
    "unpaidoverdue": "json_extract(body, '$.Booked') = 1 AND json_extract(body, '$.FinalPayDate') IS NULL "
    "AND json_extract(body, '$.DueDate') < ?",
    "unbooked": "json_extract(body, '$.Booked') = 0 AND json_extract(body, '$.Cancelled') = 0",
    "pendingpayment": "json_extract(body, '$.PaymentPending') = 1",
    "authorizepending": "json_extract(body, '$.Booked') = 0 AND json_extract(body, '$.Cancelled') = 0",
}


def create(call: Call) -> Answer:
    sent = read(SPEC, call.envelope("Supplier"), call.knobs)
    if not sent.get("Name"):
        raise invalid(2000204, "Leverantörsnamn måste anges.")
    key = sent.get("SupplierNumber") or _next(call, KIND)
    if cards.exists(call, KIND, key):
        raise invalid(2000637, f"Leverantörsnummer {key} används redan.")
    card = {**_EMPTY, "@url": f"{HERE}/3/suppliers/{key}"}
    return enveloped("Supplier", _keep(call, key, card, sent), 201)


def get(call: Call, key: str) -> Answer:
    found = cards.text_of(call, KIND, key)
    if found is None:
        raise _no_supplier()
    return enveloped("Supplier", found)


def update(call: Call, key: str) -> Answer:
    card = cards.find(call, KIND, key)
    if card is None:
        raise _no_supplier()
    return enveloped("Supplier", _keep(call, key, card, read(SPEC, call.envelope("Supplier"), call.knobs)))


def listing(call: Call) -> Answer:
    wanted = lists.Wanted(call)
    wanted.where("kind = ?", KIND)
    for name in ("name", "suppliernumber", "organisationnumber"):
        wanted.matching(KIND, name, "key")
    wanted.modified()
    wanted.visible()
    return lists.page(
        wanted,
        "Suppliers",
        "card",
        {"suppliernumber": "key", "name": "json_extract(body, '$.Name')"},
        "CAST(key AS INTEGER) then key",
    )


def create_invoice(call: Call) -> Answer:
    sent = read(INVOICE_SPEC, call.envelope("SupplierInvoice"), call.knobs)
    supplier = cards.find(call, KIND, sent.get("SupplierNumber") or "")
    if supplier is None:
        raise invalid(2001795, "Kan inte hitta leverantören.")
    key = str(call.store.next_number(call.tenant, INVOICE))
    invoice: Fields = {
        **_EMPTY_INVOICE,
        "@url": f"{HERE}/3/supplierinvoices/{key}",
        "GivenNumber": key,
        "SupplierName": supplier["Name"],
        "Currency": supplier["Currency"] or "SEK",
        "InvoiceDate": call.today,
    }
    if "CurrencyRate" not in sent:
        currency = registers.currency(call, sent.get("Currency") or invoice["Currency"])
        invoice["CurrencyRate"], invoice["CurrencyUnit"] = plain(decimal(currency["BuyRate"])), int(currency["Unit"])
    _lay(invoice, sent)
    invoice["DueDate"] = invoice["DueDate"] or invoice["InvoiceDate"]
    if not invoice["SupplierInvoiceRows"]:
        invoice["SupplierInvoiceRows"] = _default_rows(call, invoice, supplier)
    _refuse_unbalanced(invoice)
    return enveloped("SupplierInvoice", keep_invoice(call, key, invoice), 201)


def get_invoice(call: Call, key: str) -> Answer:
    found = cards.text_of(call, INVOICE, key)
    if found is None:
        raise _no_invoice()
    return enveloped("SupplierInvoice", found)


def update_invoice(call: Call, key: str) -> Answer:
    invoice = _open_invoice(call, key)
    sent = read(INVOICE_SPEC, call.envelope("SupplierInvoice"), call.knobs)
    _lay(invoice, sent)
    _refuse_unbalanced(invoice)
    return enveloped("SupplierInvoice", keep_invoice(call, key, invoice))


def list_invoices(call: Call) -> Answer:
    wanted = lists.Wanted(call)
    wanted.where("kind = ?", INVOICE)
    filtered = call.query.get("filter")
    if filtered:
        if filtered not in _FILTERS:
            raise invalid(2000587, "Ett ogiltigt filter har använts.")
        wanted.where(_FILTERS[filtered], *([call.today] if filtered == "unpaidoverdue" else []))
    for name in ("suppliernumber", "suppliername", "invoicenumber", "externalinvoicenumber"):
        wanted.matching(INVOICE, name, "key")
    wanted.between("json_extract(body, '$.InvoiceDate')")
    wanted.modified()
    wanted.visible()
    return lists.page(wanted, "SupplierInvoices", "card", {}, "CAST(key AS INTEGER) then key")


def bookkeep_invoice(call: Call, key: str) -> Answer:
    """Book a supplier invoice as its rows say."""
    invoice = _open_invoice(call, key)
    ledger.refuse_locked(call, invoice["InvoiceDate"])
    year = ledger.year_for_booking(call, invoice["InvoiceDate"])
    lines = [
        ledger.Row(
            int(row["Account"]), to_ore(decimal(row["Debit"]) - decimal(row["Credit"])), cost_center=row["CostCenter"],
            project=row["Project"],
            information=row["TransactionInformation"],
        )
        for row in invoice["SupplierInvoiceRows"]
    ]  # fmt: skip
    voucher = ledger.book(
        call,
        ledger.Entry(
            year=year["id"],
            series=ledger.predefined_series(call, "SUPPLIERINVOICE"),
            date=invoice["InvoiceDate"],
            description=f"Leverantörsfaktura ({key}) {invoice['SupplierName']}"[:200],
            rows=lines,
            reference_type="SUPPLIERINVOICE",
            reference=key,
        ),
    )
    where: dict[str, Any] = {"Number": voucher["VoucherNumber"], "Series": voucher["VoucherSeries"], "Year": voucher["Year"]}
    invoice["Booked"] = True
    invoice["VoucherNumber"], invoice["VoucherSeries"], invoice["VoucherYear"] = where["Number"], where["Series"], where["Year"]
    invoice["Vouchers"] = [{**where, "ReferenceType": "SUPPLIERINVOICE"}]
    return enveloped("SupplierInvoice", keep_invoice(call, key, invoice))


def cancel_invoice(call: Call, key: str) -> Answer:
    invoice = _open_invoice(call, key)
    invoice["Cancelled"], invoice["Balance"] = True, "0"
    return enveloped("SupplierInvoice", keep_invoice(call, key, invoice))


def credit_invoice(call: Call, key: str) -> Answer:
    """Make a credit note over all of an invoice, not booked yet: every amount and quantity with the other sign."""
    invoice = cards.find(call, INVOICE, key)
    if invoice is None:
        raise _no_invoice()
    if invoice["Credit"] or invoice["Cancelled"] or invoice["CreditReference"]:
        raise invalid(call.knobs.code("updateCancelled"), "Leverantörsfakturan kan inte krediteras.")
    number = str(call.store.next_number(call.tenant, INVOICE))
    swapped = {"Debit": "Credit", "Credit": "Debit", "DebitCurrency": "CreditCurrency", "CreditCurrency": "DebitCurrency"}
    rows = [
        row
        | {ours: row[other] for ours, other in swapped.items()}
        | {name: -decimal(row[name]) for name in ("Quantity", "Total")}
        for row in invoice["SupplierInvoiceRows"]
    ]
    note: Fields = invoice | {
        "@url": f"{HERE}/3/supplierinvoices/{number}",
        "Booked": False,
        "Credit": True,
        "CreditReference": int(key),
        "FinalPayDate": None,
        "GivenNumber": number,
        "InvoiceDate": call.today,
        "SupplierInvoiceRows": rows,
        "VoucherNumber": None,
        "VoucherSeries": None,
        "VoucherYear": None,
        "Vouchers": [],
        **{name: plain(-decimal(invoice[name])) for name in ("Balance", "Total", "VAT", "Freight", "AdministrationFee")},
    }
    invoice["CreditReference"] = int(number)
    keep_invoice(call, key, invoice)
    return enveloped("SupplierInvoice", keep_invoice(call, number, note))


def _keep(call: Call, key: str, card: Fields, sent: Fields) -> str:
    if sent.get("Currency"):
        registers.currency(call, sent["Currency"])
    for name, value in sent.items():
        card[name] = _EMPTY[name] if value is None else value
    card["SupplierNumber"] = key
    brief = chosen({**card, "Phone": card["Phone1"]}, _BRIEF)
    terms = {"suppliernumber": key, "name": card["Name"], "organisationnumber": card["OrganisationNumber"]}
    return cards.keep(call, KIND, key, card, brief, terms)


def _lay(invoice: Fields, sent: Fields) -> None:
    for name, value in sent.items():
        if name == "SupplierInvoiceRows":
            invoice[name] = [_row(row) for row in value or []]
        elif value is None:
            invoice[name] = _EMPTY_INVOICE[name]
        elif name == "CurrencyRate":
            invoice[name] = plain(value)
        elif name in _MONEY_AS_TEXT:
            invoice[name] = plain(to_ore(value))
        else:
            invoice[name] = value
    if not invoice["Booked"]:
        # What is owed is kept in SEK whatever the currency of the invoice.
        rate = decimal(invoice["CurrencyRate"]) / decimal(invoice["CurrencyUnit"])
        invoice["Balance"] = plain(to_ore(decimal(invoice["Total"]) * rate))


def _row(sent: Fields) -> Fields:
    empty: Fields = {
        "Account": None, "AccountDescription": "", "ArticleNumber": "", "Code": "", "CostCenter": "", "Credit": ZERO,
        "CreditCurrency": ZERO,
        "Debit": ZERO, "DebitCurrency": ZERO, "ItemDescription": "", "Price": ZERO, "Project": "", "Quantity": ZERO,
        "StockLocationCode": "",
        "StockPointCode": "", "Total": ZERO, "TransactionInformation": "", "Unit": "",
    }  # fmt: skip
    row = {**empty, **{name: value for name, value in sent.items() if value is not None}}
    row["Code"] = row["Code"] or "ACC"
    return row


def _default_rows(call: Call, invoice: Fields, supplier: Fields) -> list[Fields]:
    """Book on the supplier's account, VAT apart, against payables."""
    rate = decimal(invoice["CurrencyRate"]) / decimal(invoice["CurrencyUnit"])
    total, vat = to_ore(decimal(invoice["Total"]) * rate), to_ore(decimal(invoice["VAT"]) * rate)
    purchase = int(supplier["PreDefinedAccount"] or ledger.predefined_account(call, "PURCASE"))
    made = [_row({"Account": ledger.predefined_account(call, "SUPDEBT"), "Code": "TOT", **_side(-total)})]
    if vat:
        made.append(_row({"Account": ledger.predefined_account(call, "INVAT"), "Code": "VAT", **_side(vat)}))
    made.append(_row({"Account": purchase, "Code": "ACC", **_side(total - vat)}))
    return made


def _side(amount: Any) -> Fields:
    return {"Debit": amount, "Credit": ZERO} if amount >= 0 else {"Debit": ZERO, "Credit": -amount}


def _refuse_unbalanced(invoice: Fields) -> None:
    if sum(ore(decimal(row["Debit"]) - decimal(row["Credit"])) for row in invoice["SupplierInvoiceRows"]):
        raise invalid(2000755, "Fakturan är inte balanserad")


def _open_invoice(call: Call, key: str) -> Fields:
    invoice = cards.find(call, INVOICE, key)
    if invoice is None:
        raise _no_invoice()
    if invoice["Booked"]:
        raise invalid(call.knobs.code("updateBooked"), "Leverantörsfakturan är bokförd.")
    if invoice["Cancelled"]:
        raise invalid(call.knobs.code("updateCancelled"), "Leverantörsfakturan är makulerad.")
    return invoice


def keep_invoice(call: Call, key: str, invoice: Fields) -> str:
    brief = chosen({**invoice, "AuthorizerName": "", "Cancel": invoice["Cancelled"]}, _INVOICE_BRIEF)
    terms = {
        "suppliernumber": invoice["SupplierNumber"],
        "suppliername": invoice["SupplierName"],
        "invoicenumber": invoice["InvoiceNumber"],
        "externalinvoicenumber": invoice["ExternalInvoiceNumber"],
    }
    cards.mark_used(call, KIND, invoice["SupplierNumber"])
    return cards.keep(call, INVOICE, key, invoice, brief, terms)


def _next(call: Call, kind: str) -> str:
    while True:
        key = str(call.store.next_number(call.tenant, kind))
        if not cards.exists(call, kind, key):
            return key


def _no_supplier() -> Refusal:
    return missing(2001795, "Kan inte hitta leverantören.")


def _no_invoice() -> Refusal:
    return missing(2000434, "Kan inte hitta leverantörsfakturan.")
