"""Customer invoices: drafts that may be edited, booked ones that are final, and no protection against doing it twice.

Omitted header fields are filled from the customer card, omitted row fields from the article; on a later PUT, rows are
matched by position (an omitted field inherits what stood there) or by `RowId`. Booking makes a real voucher.
"""

import sqlite3
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from simulators.fortnox import articles, cards, chart, invoice_sums, ledger, lists, registers
from simulators.fortnox.call import Call
from simulators.fortnox.clock import real_seconds
from simulators.fortnox.documents import chosen, held, seen
from simulators.fortnox.fields import Spec, boolean, choice, day, integer, nested, number, read, read_only, rows, text
from simulators.fortnox.ledger import Entry, Row
from simulators.fortnox.refusals import Refusal, bad_identifier, invalid, missing
from simulators.fortnox.wire import HERE, ZERO, Answer, Fields, decimal, enveloped, ore, to_ore, write_json

KIND = "invoice"
LARGEST = 500
VAT_CODES = {"MP1": Decimal(25), "MP2": Decimal(12), "MP3": Decimal(6), "MF": ZERO}

ROW_SPEC: Spec = {
    **read_only("Total", "PriceExcludingVAT", "TotalExcludingVAT", "ContributionPercent", "ContributionValue", "Cost"),
    "AccountNumber": integer(1000, 9999),
    "ArticleNumber": text(any_character=True),
    "CostCenter": text(),
    "DeliveredQuantity": number(),
    "Description": text(cut=255),
    "Discount": number(),
    "DiscountType": choice("AMOUNT", "PERCENT"),
    "HouseWork": boolean(),
    "HouseWorkHoursToReport": integer(0, 999),
    "HouseWorkType": text(),
    "Price": number(),
    "Project": text(),
    "RowId": integer(),
    "StockPointCode": text(),
    "Unit": text(null=invalid(2000699, "Enheten får inte vara null.")),
    "VAT": number(),
    "VATCode": text(),
}
SPEC: Spec = {
    **read_only(
        "@url",
        "@urlTaxReductionList",
        "AccountingMethod",
        "AdministrationFeeVAT",
        "Balance",
        "BasisTaxReduction",
        "Booked",
        "Cancelled",
        "ContractReference",
        "ContributionPercent",
        "ContributionValue",
        "Credit",
        "FinalPayDate",
        "FreightVAT",
        "Gross",
        "HouseWork",
        "InvoicePeriodStart",
        "InvoicePeriodEnd",
        "InvoicePeriodReference",
        "InvoiceReference",
        "LastRemindDate",
        "Net",
        "NoxFinans",
        "OfferReference",
        "OrderReference",
        "OrganisationNumber",
        "Reminders",
        "RoundOff",
        "Sent",
        "TaxReduction",
        "TimeBasisReference",
        "Total",
        "TotalToPay",
        "TotalVAT",
        "VoucherNumber",
        "VoucherSeries",
        "VoucherYear",
        "WarehouseReady",
    ),
    "Address1": text(1024),
    "Address2": text(1024),
    "AdministrationFee": number(),
    "City": text(1024),
    "Comments": text(1024, too_long=2001896),
    "CostCenter": text(),
    "Country": text(),
    "CreditInvoiceReference": text(),
    "Currency": text(exactly=3),
    "CurrencyRate": number(),
    "CurrencyUnit": integer(1),
    "CustomerName": text(1024),
    "CustomerNumber": text(any_character=True),
    "DeliveryAddress1": text(cut=60),
    "DeliveryAddress2": text(1024),
    "DeliveryCity": text(1024),
    "DeliveryCountry": text(),
    "DeliveryDate": day(),
    "DeliveryName": text(1024),
    "DeliveryZipCode": text(1024),
    "DocumentNumber": integer(1, 10**15),
    "DueDate": day(),
    "EDIInformation": nested(
        {
            "EDIGlobalLocationNumber": text(13),
            "EDIGlobalLocationNumberDelivery": text(13),
            "EDIInvoiceExtra1": text(),
            "EDIInvoiceExtra2": text(),
            "EDIOurElectronicReference": text(),
            "EDIYourElectronicReference": text(),
        }
    ),
    "EUQuarterlyReport": boolean(),
    "EmailInformation": nested(
        {
            "EmailAddressBCC": text(),
            "EmailAddressCC": text(),
            "EmailAddressFrom": text(),
            "EmailAddressTo": text(),
            "EmailBody": text(20000, any_character=True),
            "EmailSubject": text(100, any_character=True),
        }
    ),
    "ExternalInvoiceReference1": text(80),
    "ExternalInvoiceReference2": text(80),
    "Freight": number(),
    "InvoiceDate": day(),
    "InvoiceRows": rows(ROW_SPEC),
    "InvoiceType": choice("INVOICE", "AGREEMENTINVOICE", "INTRESTINVOICE", "SUMMARYINVOICE", "CASHINVOICE"),
    "Labels": rows({"Id": integer()}),
    "Language": choice("SV", "EN"),
    "NotCompleted": boolean(),
    "OCR": text(),
    "OurReference": text(50, too_long=2001600),
    "OutboundDate": day(),
    "PaymentWay": choice("CASH", "CARD", "AG"),
    "Phone1": text(1024),
    "Phone2": text(1024),
    "PriceList": text(),
    "PrintTemplate": text(),
    "Project": text(),
    "Remarks": text(1024),
    "TaxReductionType": choice("none", "rot", "rut", "green"),
    "TermsOfDelivery": text(),
    "TermsOfPayment": text(),
    "VATIncluded": boolean(),
    "WayOfDelivery": text(),
    "YourOrderNumber": text(75),
    "YourReference": text(50, too_long=2001600),
    "ZipCode": text(1024),
}
BRIEF = (
    "@url", "Balance", "Booked", "Cancelled", "CostCenter", "Currency", "CurrencyRate", "CurrencyUnit", "CustomerName",
    "CustomerNumber",
    "DocumentNumber", "DueDate", "ExternalInvoiceReference1", "ExternalInvoiceReference2", "FinalPayDate", "InvoiceDate",
    "InvoiceType",
    "NoxFinans", "OCR", "Project", "Sent", "TermsOfPayment", "Total", "VoucherNumber", "VoucherSeries", "VoucherYear",
    "WayOfDelivery",
)  # fmt: skip
# The order in which a full answer shows its fields, with what an unset one holds.
_EMPTY: Fields = {
    "@url": "", "@urlTaxReductionList": "", "AdministrationFee": ZERO, "AdministrationFeeVAT": ZERO, "Address1": "",
    "Address2": "",
    "Balance": ZERO, "BasisTaxReduction": 0, "Booked": False, "Cancelled": False, "City": "", "Comments": "",
    "ContractReference": 0,
    "ContributionPercent": 0, "ContributionValue": 0, "Country": "", "CostCenter": "", "Credit": "false",
    "CreditInvoiceReference": "0",
    "Currency": "SEK", "CurrencyRate": Decimal(1), "CurrencyUnit": 1, "CustomerName": "", "CustomerNumber": "",
    "DeliveryAddress1": "",
    "DeliveryAddress2": "", "DeliveryCity": "", "DeliveryCountry": "", "DeliveryDate": None, "DeliveryName": "",
    "DeliveryZipCode": "",
    "DocumentNumber": "", "DueDate": None,
    "EDIInformation": {
        "EDIGlobalLocationNumber": None, "EDIGlobalLocationNumberDelivery": None, "EDIInvoiceExtra1": None,
        "EDIInvoiceExtra2": None,
        "EDIOurElectronicReference": None, "EDIYourElectronicReference": None, "EDIStatus": "",
    },
    "EmailInformation": {
        "EmailAddressFrom": None, "EmailAddressTo": "", "EmailAddressCC": None, "EmailAddressBCC": None,
        "EmailSubject": "Faktura {no} bifogas", "EmailBody": " ",
    },
    "EUQuarterlyReport": False, "ExternalInvoiceReference1": "", "ExternalInvoiceReference2": "", "Freight": ZERO,
    "FreightVAT": ZERO,
    "Gross": ZERO, "HouseWork": False, "InvoiceDate": None, "InvoicePeriodStart": "", "InvoicePeriodEnd": "",
    "InvoiceReference": "0",
    "InvoiceRows": [], "InvoiceType": "INVOICE", "Labels": [], "Language": "SV", "LastRemindDate": None, "Net": ZERO,
    "NotCompleted": False,
    "NoxFinans": False, "OCR": "", "OfferReference": "0", "OrderReference": "0", "OrganisationNumber": "", "OurReference": "",
    "PaymentWay": "",
    "Phone1": "", "Phone2": "", "PriceList": "A", "PrintTemplate": "st", "Project": "", "WarehouseReady": True,
    "OutboundDate": None,
    "Remarks": "", "Reminders": 0, "RoundOff": ZERO, "Sent": False, "TaxReduction": None, "TermsOfDelivery": "",
    "TermsOfPayment": chart.DEFAULT_TERMS, "TimeBasisReference": None, "Total": ZERO, "TotalToPay": ZERO, "TotalVAT": ZERO,
    "VATIncluded": False,
    "VoucherNumber": None, "VoucherSeries": None, "VoucherYear": None, "WayOfDelivery": "", "YourOrderNumber": "",
    "YourReference": "",
    "ZipCode": "", "AccountingMethod": "ACCRUAL", "FinalPayDate": None, "TaxReductionType": "none",
}  # fmt: skip
_EMPTY_ROW: Fields = {
    "AccountNumber": None, "ArticleNumber": "", "ContributionPercent": "0", "ContributionValue": "0", "Cost": 0, "CostCenter": "",
    "DeliveredQuantity": "0", "Description": "", "Discount": ZERO, "DiscountType": "PERCENT", "HouseWork": False,
    "HouseWorkHoursToReport": None,
    "HouseWorkType": None, "Price": ZERO, "PriceExcludingVAT": ZERO, "Project": "", "RowId": 0, "StockPointCode": None,
    "Total": ZERO,
    "TotalExcludingVAT": ZERO, "Unit": "", "VAT": ZERO,
}  # fmt: skip
_FROM_CARD = {
    "CustomerName": "Name", "Address1": "Address1", "Address2": "Address2", "ZipCode": "ZipCode", "City": "City",
    "Country": "Country",
    "Phone1": "Phone1", "Phone2": "Phone2", "DeliveryName": "DeliveryName", "DeliveryAddress1": "DeliveryAddress1",
    "DeliveryAddress2": "DeliveryAddress2", "DeliveryZipCode": "DeliveryZipCode", "DeliveryCity": "DeliveryCity",
    "DeliveryCountry": "DeliveryCountry", "Currency": "Currency", "TermsOfPayment": "TermsOfPayment",
    "TermsOfDelivery": "TermsOfDelivery",
    "WayOfDelivery": "WayOfDelivery", "PriceList": "PriceList", "CostCenter": "CostCenter", "Project": "Project",
    "YourReference": "YourReference",
    "OurReference": "OurReference", "Freight": "InvoiceFreight", "AdministrationFee": "InvoiceAdministrationFee",
    "VATIncluded": "ShowPriceVATIncluded", "Remarks": "InvoiceRemark",
}  # fmt: skip
_NUMBERS = ("Freight", "AdministrationFee")
_TERMS = {
    "customername": "CustomerName", "customernumber": "CustomerNumber", "documentnumber": "DocumentNumber", "ocr": "OCR",
    "ourreference": "OurReference", "yourreference": "YourReference", "externalinvoicereference1": "ExternalInvoiceReference1",
    "externalinvoicereference2": "ExternalInvoiceReference2", "yourordernumber": "YourOrderNumber", "costcenter": "CostCenter",
    "project": "Project",
}  # fmt: skip
_PARAMETERS = frozenset(
    (*_TERMS, "label", "fromfinalpaydate", "tofinalpaydate", "notcompleted", "sent", "invoicetype", "articlenumber",
    "articledescription",
     "currency", "accountnumberfrom", "accountnumberto", "credit")
)  # fmt: skip
_FILTERS = {
    "cancelled": "cancelled = 1",
    "fullypaid": "paid IS NOT NULL AND cancelled = 0",
    "unpaid": "booked = 1 AND cancelled = 0 AND balance <> 0",
    "unpaidoverdue": "booked = 1 AND cancelled = 0 AND balance <> 0 AND due < ?",
    "unbooked": "booked = 0 AND cancelled = 0",
}
_ORDER = {
    "customername": "customer_name then number",
    "customernumber": "customer then number",
    "documentnumber": "number",
    "invoicedate": "date then number",
    "ocr": "ocr then number",
    "total": "total then number",
}
_NO_VAT = ("SEREVERSEDVAT", "EUREVERSEDVAT", "EXPORT")
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)


def create(call: Call) -> Answer:
    """Create an invoice. The same request five times makes five invoices."""
    sent = read(SPEC, call.envelope("Invoice"), call.knobs)
    row = _make(call, sent)
    answer = enveloped("Invoice", row, 201)
    answer.headers.append((b"location", b"invoices"))
    return answer


def get(call: Call, key: str) -> Answer:
    found = seen(call, _row(call, key))
    if found is None:
        raise _missing()
    return enveloped("Invoice", found)


def update(call: Call, key: str) -> Answer:
    row = _existing(call, key)
    return enveloped("Invoice", edit(call, row, read(SPEC, call.envelope("Invoice"), call.knobs)))


def edit(call: Call, row: sqlite3.Row, sent: Fields) -> str:
    """Change an unbooked invoice."""
    if row["booked"]:
        raise invalid(call.knobs.code("updateBooked"), f"Fakturan {row['number']} är bokförd och kan inte ändras.")
    if row["cancelled"]:
        raise invalid(call.knobs.code("updateCancelled"), f"Fakturan {row['number']} är makulerad och kan inte ändras.")
    invoice = held(row)
    if sent.pop("DocumentNumber", row["number"]) not in (row["number"], None):
        raise invalid(2000310, "Posten används.")
    customer, vat_type = None, str(row["vat_type"])
    if sent.get("CustomerNumber") and sent["CustomerNumber"] != invoice["CustomerNumber"]:
        customer = _customer(call, sent["CustomerNumber"])
        invoice["CustomerName"] = customer["Name"]
        vat_type = customer["VATType"]
    new_rows = sent.pop("InvoiceRows", None)
    _lay(call, invoice, sent)
    if "Currency" in sent and "CurrencyRate" not in sent:
        _rate_from_register(call, invoice)
    row_ids = int(row["row_ids"])
    # A new row takes its account from the card as it is now; the old rows keep theirs.
    card = customer or cards.find(call, "customer", invoice["CustomerNumber"]) or {}
    if new_rows is not None:
        invoice["InvoiceRows"] = _changed_rows(call, invoice, new_rows, str(card.get("VATType", vat_type)), card)
    for line in invoice["InvoiceRows"]:
        row_ids += 1
        line["RowId"] = row_ids
    _refuse_too_many(call, invoice)
    return _store(call, row["number"], invoice, vat_type, row_ids)


def listing(call: Call) -> Answer:
    lists.known_parameters(call, _PARAMETERS)
    wanted = lists.Wanted(call)
    filtered = call.query.get("filter")
    if filtered:
        if filtered not in _FILTERS:
            raise invalid(2000587, "Ett ogiltigt filter har använts.")
        wanted.where(_FILTERS[filtered], *([call.today] if filtered == "unpaidoverdue" else []))
    for parameter in _TERMS:
        wanted.matching(KIND, parameter, "number")
    for parameter, column in (("notcompleted", "not_completed"), ("sent", "sent"), ("credit", "credit")):
        if (flag := call.boolean(parameter)) is not None:
            wanted.where(f"{column} = ?", int(flag))
    for parameter, column in (("invoicetype", "type"), ("currency", "currency")):
        if value := call.query.get(parameter):
            wanted.where(f"{column} = ?", value)
    wanted.between("date")
    wanted.between("paid", "fromfinalpaydate", "tofinalpaydate")
    wanted.modified()
    wanted.visible()
    _match_rows(call, wanted)
    return lists.page(wanted, "Invoices", "invoice", _ORDER, "number")


def bookkeep(call: Call, key: str) -> Answer:
    row = _existing(call, key)
    if row["booked"]:
        if call.knobs["secondBookkeep"] == "no-op":
            return enveloped("Invoice", row["body"])
        raise invalid(call.knobs.code("alreadyBooked"), f"Fakturan {row['number']} är redan bokförd.")
    if row["cancelled"]:
        raise invalid(call.knobs.code("updateCancelled"), f"Fakturan {row['number']} är makulerad och kan inte bokföras.")
    invoice = held(row)
    if invoice["NotCompleted"] or not invoice["WarehouseReady"]:
        raise invalid(2003498, f"Kunde inte bokföra fakturanummer {row['number']}. Faktura som bokförs måste vara klarmarkerad.")
    ledger.refuse_locked(call, invoice["InvoiceDate"])
    year = ledger.year_for_booking(call, invoice["InvoiceDate"])
    if year["method"] == "CASH":
        raise invalid(call.knobs.code("cashMethod"), "Fakturan bokförs när den betalas (kontantmetoden).")
    voucher = ledger.book(
        call,
        Entry(
            year=year["id"],
            series=ledger.predefined_series(call, "INVOICE"),
            date=invoice["InvoiceDate"],
            description=f"Kundfaktura ({row['number']}) {invoice['CustomerName']}"[:200],
            rows=_voucher_rows(call, invoice, str(row["vat_type"])),
            reference_type="INVOICE",
            reference=str(row["number"]),
        ),
    )
    invoice["Booked"] = True
    invoice["VoucherNumber"] = voucher["VoucherNumber"]
    invoice["VoucherSeries"] = voucher["VoucherSeries"]
    invoice["VoucherYear"] = voucher["Year"]
    invoice["Balance"] = decimal(invoice["TotalToPay"])
    if not invoice["Balance"]:
        invoice["FinalPayDate"] = invoice["InvoiceDate"]
    return enveloped("Invoice", save(call, row, invoice))


def cancel(call: Call, key: str) -> Answer:
    row = _existing(call, key)
    if row["booked"]:
        raise invalid(call.knobs.code("cancelBooked"), f"Fakturan {row['number']} är bokförd och kan inte makuleras.")
    if row["cancelled"]:
        if call.knobs["secondCancel"] == "no-op":
            return enveloped("Invoice", row["body"])
        raise invalid(call.knobs.code("secondCancel"), f"Fakturan {row['number']} är redan makulerad.")
    invoice = held(row)
    invoice["Cancelled"] = True
    invoice["Balance"] = ZERO
    return enveloped("Invoice", save(call, row, invoice))


def credit(call: Call, key: str) -> Answer:
    """Make the credit invoice of a booked invoice; the answer is the original, which now names it."""
    row = _existing(call, key)
    invoice = held(row)
    if not row["booked"]:
        raise invalid(call.knobs.code("creditUnbooked"), "Fakturan måste vara bokförd för att kunna krediteras.")
    if invoice["Credit"] == "true":
        raise invalid(call.knobs.code("creditOfCredit"), "En kreditfaktura kan inte krediteras.")
    if invoice["CreditInvoiceReference"] != "0":
        raise invalid(call.knobs.code("secondCredit"), "Fakturan är redan krediterad.")
    mirrored = {**invoice, "Freight": -decimal(invoice["Freight"]), "AdministrationFee": -decimal(invoice["AdministrationFee"])}
    mirrored["InvoiceRows"] = [_mirrored(line) for line in invoice["InvoiceRows"]]
    mirrored.update(
        {
            "Booked": False, "VoucherNumber": None, "VoucherSeries": None, "VoucherYear": None, "Sent": False,
            "FinalPayDate": None,
            "Reminders": 0, "LastRemindDate": None, "ExternalInvoiceReference1": "", "ExternalInvoiceReference2": "",
            "Credit": "true",
            "CreditInvoiceReference": str(row["number"]), "InvoiceDate": call.today, "DueDate": call.today,
        }
    )  # fmt: skip
    credit_number = _next_number(call)
    _identify(mirrored, credit_number)
    for position, line in enumerate(mirrored["InvoiceRows"], 1):
        line["RowId"] = position
    _store(call, credit_number, mirrored, str(row["vat_type"]), len(mirrored["InvoiceRows"]))
    invoice["CreditInvoiceReference"] = str(credit_number)
    return enveloped("Invoice", save(call, row, invoice))


def external_print(call: Call, key: str) -> Answer:
    return enveloped("Invoice", _mark_sent(call, key, "externalprint"))


def email(call: Call, key: str) -> Answer:
    """Send the invoice. A GET that changes the world: each call is one more e-mail."""
    return enveloped("Invoice", _mark_sent(call, key, "email"))


def einvoice(call: Call, key: str) -> Answer:
    return enveloped("Invoice", _mark_sent(call, key, "einvoice"))


def eprint(call: Call, key: str) -> Answer:
    return enveloped("Invoice", _mark_sent(call, key, "eprint"))


def print_pdf(call: Call, key: str) -> Answer:
    _mark_sent(call, key, "print")
    return Answer(200, _PDF, "application/pdf")


def preview(call: Call, key: str) -> Answer:
    _existing(call, key)
    return Answer(200, _PDF, "application/pdf")


def print_reminder(call: Call, key: str) -> Answer:
    row = _existing(call, key)
    invoice = held(row)
    invoice["Reminders"] = int(invoice["Reminders"]) + 1
    invoice["LastRemindDate"] = call.today
    call.store.next_number(call.tenant, "printreminder", str(row["number"]))
    save(call, row, invoice)
    return Answer(200, _PDF, "application/pdf")


def warehouse_ready(call: Call, key: str) -> Answer:
    row = _existing(call, key)
    invoice = held(row)
    invoice["WarehouseReady"] = True
    return enveloped("Invoice", save(call, row, invoice))


def held_by_number(call: Call, key: str) -> tuple[sqlite3.Row, Fields]:
    """Return an invoice for a payment or a person to work on."""
    row = _row(call, key)
    if row is None:
        raise invalid(2000434, "Kan inte hitta fakturan.")
    return row, held(row)


def save(call: Call, row: sqlite3.Row, invoice: Fields) -> str:
    """Store a change that does not touch the figures of the rows."""
    return _write(call, row["number"], invoice, str(row["vat_type"]), int(row["row_ids"]))


def ocr_of(document: int) -> str:
    """Return the payment reference: number, one digit for the length of it all, and a check digit."""
    digits = f"{document}{(len(str(document)) + 2) % 10}"
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    return f"{digits}{-total % 10}"


# Creating


def _make(call: Call, sent: Fields) -> str:
    if not sent.get("CustomerNumber"):
        raise invalid(2000204, "Kundnummer måste anges.")
    customer = _customer(call, sent["CustomerNumber"])
    own = sent.pop("DocumentNumber", None)
    document = _next_number(call) if own is None else _own_number(call, own)
    invoice: Fields = {
        **_EMPTY,
        "EDIInformation": dict(_EMPTY["EDIInformation"]),
        "EmailInformation": dict(_EMPTY["EmailInformation"]),
    }
    for name, source in _FROM_CARD.items():
        if customer.get(source) not in (None, ""):
            invoice[name] = decimal(customer[source]) if name in _NUMBERS else customer[source]
    invoice["EmailInformation"]["EmailAddressTo"] = customer.get("EmailInvoice") or customer.get("Email") or ""
    invoice["OrganisationNumber"] = customer["OrganisationNumber"] or ""
    invoice["CustomerNumber"] = customer["CustomerNumber"]
    invoice["InvoiceDate"] = invoice["OutboundDate"] = call.today
    new_rows = sent.pop("InvoiceRows", None) or []
    if len(new_rows) > LARGEST:
        raise _too_many(call)
    _lay(call, invoice, sent)
    if "CurrencyRate" not in sent or sent["CurrencyRate"] is None:
        _rate_from_register(call, invoice, unit=sent.get("CurrencyUnit"))
    if not sent.get("DueDate"):
        given = date.fromisoformat(invoice["InvoiceDate"])
        invoice["DueDate"] = (given + timedelta(days=registers.days_of(invoice["TermsOfPayment"]))).isoformat()
    if call.knobs["draftInLockedPeriod"] == "refused":
        ledger.refuse_locked(call, invoice["InvoiceDate"])
    year = ledger.year_of(call, invoice["InvoiceDate"])
    invoice["AccountingMethod"] = year["method"] if year is not None else "ACCRUAL"
    invoice["WarehouseReady"] = not call.knobs["warehouseModule"]
    invoice["InvoiceRows"] = [_new_row(call, invoice, line, customer["VATType"], customer) for line in new_rows]
    for position, line in enumerate(invoice["InvoiceRows"], 1):
        line["RowId"] = position
    _identify(invoice, document, keep_ocr=bool(sent.get("OCR")))
    cards.mark_used(call, "termsofpayment", invoice["TermsOfPayment"])
    return _store(call, document, invoice, customer["VATType"], len(new_rows))


def _lay(call: Call, invoice: Fields, sent: Fields) -> None:
    """Lay sent header fields over an invoice; None clears."""
    if sent.get("Currency"):
        registers.currency(call, sent["Currency"])
    if sent.get("TermsOfPayment") and not cards.exists(call, "termsofpayment", sent["TermsOfPayment"]):
        raise invalid(2000429, "Kan inte hitta betalningsvillkoret.")
    if sent.get("PriceList") and not cards.exists(call, "pricelist", sent["PriceList"]):
        raise invalid(2000431, "Kan inte hitta prislistan.")
    for name, value in sent.items():
        if isinstance(value, dict):
            empty = _EMPTY[name]
            invoice[name] = {
                **invoice[name],
                **{inner: empty[inner] if given is None else given for inner, given in value.items()},
            }
        elif name == "YourOrderNumber" and value is not None:
            invoice[name] = value[: int(call.knobs["yourOrderNumberLength"])]
        elif name == "InvoiceDate" and value is None:
            invoice[name] = call.today
        elif name in _NUMBERS and value is not None:
            invoice[name] = to_ore(value)
        else:
            invoice[name] = _EMPTY[name] if value is None else value


def _rate_from_register(call: Call, invoice: Fields, unit: int | None = None) -> None:
    currency = registers.currency(call, invoice["Currency"])
    invoice["CurrencyRate"] = decimal(currency["BuyRate"])
    invoice["CurrencyUnit"] = unit or int(currency["Unit"])


def _identify(invoice: Fields, document: int, *, keep_ocr: bool = False) -> None:
    invoice["@url"] = f"{HERE}/3/invoices/{document}"
    invoice["@urlTaxReductionList"] = f"{HERE}/3/taxreductions?filter=invoices&referencenumber={document}"
    invoice["DocumentNumber"] = str(document)
    if not keep_ocr:
        invoice["OCR"] = ocr_of(document)


def _next_number(call: Call) -> int:
    while True:
        document = call.store.next_number(call.tenant, KIND)
        if not _taken(call, document):
            return document


def _own_number(call: Call, document: int) -> int:
    if _taken(call, document):
        raise invalid(call.knobs.code("duplicateInvoiceNumber"), f"Fakturanummer {document} används redan.")
    if call.knobs["ownNumberMovesSeries"]:
        call.store.run(
            "INSERT INTO counter VALUES (?, ?, '', ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            call.tenant,
            KIND,
            document,
        )
    return document


def _taken(call: Call, document: int) -> bool:
    return call.store.value("SELECT 1 FROM invoice WHERE tenant = ? AND number = ?", call.tenant, document) is not None


# Rows


def _new_row(call: Call, invoice: Fields, sent: Fields, vat_type: str, customer: Fields) -> Fields:
    """Return a complete row: what was sent, then the article's, then the company's defaults."""
    line = {
        **_EMPTY_ROW,
        "DiscountType": call.knobs["discountTypeDefault"],
        "CostCenter": invoice["CostCenter"],
        "Project": invoice["Project"],
    }
    article = _article(call, sent.get("ArticleNumber"))
    if article is not None:
        line["Description"], line["Unit"] = article["Description"], article["Unit"]
        if "Price" not in sent:
            quantity = decimal(sent.get("DeliveredQuantity"))
            line["Price"] = articles.price_for(call, invoice["PriceList"], article["ArticleNumber"], quantity)
    if customer.get("InvoiceDiscount") and "Discount" not in sent:
        line["Discount"], line["DiscountType"] = decimal(customer["InvoiceDiscount"]), "PERCENT"
    if "VAT" not in sent and (article is not None or sent.get("DeliveredQuantity")):
        line["VAT"] = ZERO if vat_type in _NO_VAT else decimal(article["VAT"]) if article else Decimal(25)
    _lay_row(call, line, sent, invoice["InvoiceDate"])
    if "AccountNumber" not in sent and (article is not None or decimal(line["DeliveredQuantity"]) or decimal(line["Price"])):
        line["AccountNumber"] = _sales_account(call, article, vat_type, decimal(line["VAT"]), customer)
    return line


def _lay_row(call: Call, line: Fields, sent: Fields, day: str) -> None:
    for name, value in sent.items():
        if name == "AccountNumber" and value is None:
            line[name] = 0  # as measured: null is stored as account 0
        elif name == "Description" and value is not None:
            line[name] = value.replace("\r", " ").replace("\n", " ")
        elif name != "RowId":
            line[name] = _EMPTY_ROW.get(name) if value is None else value
    if sent.get("VATCode"):
        if sent["VATCode"] not in VAT_CODES:
            raise invalid(2004052, "Momskoden är inte giltig.")
        line["VAT"] = VAT_CODES[sent["VATCode"]]
    elif line.get("VATCode") is None:
        line.pop("VATCode", None)
    if decimal(line["VAT"]) not in call.knobs["registeredVat"]:
        raise invalid(call.knobs.code("unknownVat"), "Kunde inte hitta moms.")
    if sent.get("Unit"):
        _check_unit(call, sent["Unit"])
    if sent.get("AccountNumber"):
        _check_account(call, sent["AccountNumber"], day)
    if decimal(line["DeliveredQuantity"]) > 0 and not line["Description"] and not line["ArticleNumber"]:
        raise invalid(2003977, "Rad med antal måste ha artikel eller benämning.")


def _changed_rows(call: Call, invoice: Fields, sent: list[Fields], vat_type: str, card: Fields) -> list[Fields]:
    """Return the rows after a PUT: matched by RowId if any row has one, else by position with inheritance."""
    old: list[Fields] = invoice["InvoiceRows"]
    if len(sent) > LARGEST:
        raise _too_many(call)
    if any(line.get("RowId") for line in sent):
        by_id = {int(line["RowId"]): line for line in old}
        result = []
        for line in sent:
            if not line.get("RowId"):
                result.append(_new_row(call, invoice, line, vat_type, card))
            elif line["RowId"] in by_id:
                result.append(_inherited(call, invoice, by_id[line["RowId"]], line))
            else:
                raise invalid(call.knobs.code("rowNotFound"), f"Kan inte hitta raden {line['RowId']}.")
        return result
    kept = [_inherited(call, invoice, before, line) for before, line in zip(old, sent, strict=False)]
    return kept + [_new_row(call, invoice, line, vat_type, card) for line in sent[len(old) :]]


def _inherited(call: Call, invoice: Fields, before: Fields, sent: Fields) -> Fields:
    line = dict(before)
    article = _article(call, sent.get("ArticleNumber"))
    if article is not None and sent["ArticleNumber"] != before["ArticleNumber"] and "Description" not in sent:
        line["Description"] = article["Description"]
    _lay_row(call, line, sent, invoice["InvoiceDate"])
    return line


def _article(call: Call, key: str | None) -> Fields | None:
    if not key:
        return None
    if ("article", key) not in call.looked_up:
        call.looked_up["article", key] = cards.find(call, articles.KIND, key)
    article: Fields | None = call.looked_up["article", key]
    if article is None:
        raise invalid(2000428, "Kan inte hitta artikeln.")
    return article


def _check_unit(call: Call, unit: str) -> None:
    if ("unit", unit) not in call.looked_up:
        call.looked_up["unit", unit] = cards.exists(call, "unit", unit)
    if not call.looked_up["unit", unit]:
        raise invalid(2000432, "Kan inte hitta enheten.")


def _check_account(call: Call, account: int, day: str) -> None:
    """Refuse an account that the year of the invoice does not have, or has put out of use."""
    if ("account", account) not in call.looked_up:
        year = ledger.year_of(call, day) or ledger.preselected(call)
        if year is not None:
            ledger.usable_account(call, year["id"], account, absent=2001303)
        call.looked_up["account", account] = True


def _sales_account(call: Call, article: Fields | None, vat_type: str, rate: Decimal, customer: Fields) -> int:
    """Return the account a row gets by itself: the card's, the article's by VAT type, the company's by rate."""
    if customer.get("SalesAccount"):
        return int(customer["SalesAccount"])
    by_type = {
        "SEREVERSEDVAT": "ConstructionAccount",
        "EUREVERSEDVAT": "EUAccount",
        "EUVAT": "EUVATAccount",
        "EXPORT": "ExportAccount",
    }
    if article is not None and vat_type in by_type and article.get(by_type[vat_type]):
        return int(article[by_type[vat_type]])
    predefined = {"SEREVERSEDVAT": "SALESCONSTR2", "EUREVERSEDVAT": "SALESEUREV", "EUVAT": "SALESEUVAT", "EXPORT": "SALESEXPORT"}
    if vat_type in predefined:
        return ledger.predefined_account(call, predefined[vat_type])
    if article is not None and article.get("SalesAccount") and decimal(article["VAT"]) == rate:
        return int(article["SalesAccount"])
    by_rate = {Decimal(25): "SALES_25_SE", Decimal(12): "SALES_12_SE", Decimal(6): "SALES_6_SE", ZERO: "SALES_0_SE"}
    return ledger.predefined_account(call, by_rate.get(rate, "SALES"))


def _mirrored(line: Fields) -> Fields:
    amount_off = line["DiscountType"] == "AMOUNT"
    return {
        **line,
        "DeliveredQuantity": -decimal(line["DeliveredQuantity"]),
        "Discount": -decimal(line["Discount"]) if amount_off else decimal(line["Discount"]),
    }


# Booking


def _voucher_rows(call: Call, invoice: Fields, vat_type: str) -> list[Row]:
    """Return the booking in SEK: the claim in debit, sales, fees and VAT in credit, rounding so that it balances."""
    sums = _sums(call, invoice, vat_type)
    included = bool(invoice["VATIncluded"])
    rate = decimal(invoice["CurrencyRate"]) / decimal(invoice["CurrencyUnit"])

    def sek(amount: Decimal) -> Decimal:
        return to_ore(amount * rate)

    lines = [Row(ledger.predefined_account(call, "CUSTCLAIM"), sek(sums.to_pay), credit_side=None if sums.to_pay else False)]
    for (account, center, project), amount in invoice_sums.by_account(invoice["InvoiceRows"], sums.net_by_rate).items():
        if amount:
            if account == 0:
                raise invalid(2001303, "Kunde inte hitta konto 0")
            lines.append(Row(account, -sek(amount), cost_center=center, project=project))
    freight = decimal(invoice["Freight"]) - (sums.freight_vat if included else ZERO)
    fee = decimal(invoice["AdministrationFee"]) - (sums.fee_vat if included else ZERO)
    if freight:
        lines.append(Row(_freight_account(call, vat_type), -sek(freight)))
    if fee:
        lines.append(Row(ledger.predefined_account(call, "ADMFEE"), -sek(fee)))
    vat = dict(sums.vat_by_rate)
    fee_rate = _fee_rate(call, vat_type)
    vat[fee_rate] = vat.get(fee_rate, ZERO) + sums.freight_vat + sums.fee_vat
    names = {Decimal(25): "OUTVAT_MP1", Decimal(12): "OUTVAT_MP2", Decimal(6): "OUTVAT_MP3"}
    for percent, amount in sorted(vat.items(), reverse=True):
        if amount:
            lines.append(Row(ledger.predefined_account(call, names.get(percent, "OUTVAT_MP1")), -sek(amount)))
    rest = sum((line.amount for line in lines), ZERO)
    if rest:
        lines.append(Row(ledger.predefined_account(call, "ROUNDOFF"), -rest))
    return lines


def _sums(call: Call, invoice: Fields, vat_type: str) -> invoice_sums.Sums:
    return invoice_sums.add_up(invoice, call.knobs, fee_rate=_fee_rate(call, vat_type))


def _fee_rate(call: Call, vat_type: str) -> Decimal:
    return ZERO if vat_type in _NO_VAT else Decimal(str(call.knobs["freightVat"]))


def _freight_account(call: Call, vat_type: str) -> int:
    by_type = {"EUREVERSEDVAT": 3521, "EUVAT": 3521, "EXPORT": 3522}
    return by_type.get(vat_type) or ledger.predefined_account(call, "FREIGHT")


# Storing


def _store(call: Call, document: int, invoice: Fields, vat_type: str, row_ids: int) -> str:
    """Work out the figures and store the invoice."""
    for line in invoice["InvoiceRows"]:
        invoice_sums.fill_row(line, call.knobs, vat_included=bool(invoice["VATIncluded"]))
    sums = _sums(call, invoice, vat_type)
    invoice["Gross"], invoice["Net"], invoice["TotalVAT"] = sums.gross, sums.net, sums.vat
    invoice["FreightVAT"], invoice["AdministrationFeeVAT"] = sums.freight_vat, sums.fee_vat
    invoice["Total"], invoice["RoundOff"], invoice["TotalToPay"] = sums.total, sums.round_off, sums.to_pay
    invoice["Balance"] = sums.to_pay
    if invoice["CreditInvoiceReference"] == "0" and call.knobs["negativeInvoiceIsCredit"]:
        invoice["Credit"] = "true" if sums.total < 0 else "false"
    return _write(call, document, invoice, vat_type, row_ids)


def _write(call: Call, document: int, invoice: Fields, vat_type: str, row_ids: int) -> str:
    body, moment = write_json(invoice), real_seconds()
    # In lists the rate is a string, as recorded.
    brief = write_json({**chosen(invoice, BRIEF), "CurrencyRate": format(decimal(invoice["CurrencyRate"]).normalize(), "f")})
    columns: dict[str, Any] = {
        "customer": invoice["CustomerNumber"],
        "customer_name": invoice["CustomerName"],
        "date": invoice["InvoiceDate"],
        "due": invoice["DueDate"],
        "paid": invoice["FinalPayDate"],
        "booked": int(invoice["Booked"]),
        "cancelled": int(invoice["Cancelled"]),
        "not_completed": int(invoice["NotCompleted"]),
        "sent": int(invoice["Sent"]),
        "credit": int(invoice["Credit"] == "true"),
        "type": invoice["InvoiceType"],
        "currency": invoice["Currency"],
        "net": ore(decimal(invoice["Net"])),
        "vat": ore(decimal(invoice["TotalVAT"])),
        "total": ore(decimal(invoice["Total"])),
        "balance": ore(decimal(invoice["Balance"])),
        "ocr": invoice["OCR"],
        "reference": invoice["ExternalInvoiceReference1"],
        "vat_type": vat_type,
        "row_ids": row_ids,
        "voucher": f"{invoice['VoucherSeries']}/{invoice['VoucherNumber']}/{invoice['VoucherYear']}"
        if invoice["Booked"]
        else None,
        "body": body,
        "brief": brief,
        "modified": call.stamp,
        "changed": moment,
    }
    assignments = ", ".join(f"{name} = ?" for name in columns)
    changed = call.store.run(
        f"UPDATE invoice SET before = body, {assignments} WHERE tenant = ? AND number = ?",
        *columns.values(),
        call.tenant,
        document,
    )
    if not changed:
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        call.store.run(
            f"INSERT INTO invoice (tenant, number, created, {names}) VALUES (?, ?, ?, {marks})",
            call.tenant,
            document,
            moment,
            *columns.values(),
        )
    call.store.index(call.tenant, KIND, str(document), {parameter: invoice[field] for parameter, field in _TERMS.items()})
    for key in {line["ArticleNumber"] for line in invoice["InvoiceRows"] if line["ArticleNumber"]}:
        cards.mark_used(call, articles.KIND, key)
    call.note(KIND, document, invoice["ExternalInvoiceReference1"])
    return body


def _mark_sent(call: Call, key: str, how: str) -> str:
    row = _existing(call, key)
    invoice = held(row)
    invoice["Sent"] = True
    call.store.next_number(call.tenant, how, str(row["number"]))
    return save(call, row, invoice)


def _match_rows(call: Call, wanted: lists.Wanted) -> None:
    """Keep invoices with a row that matches; rows are inside the text, so this reads every candidate."""
    article, words = call.query.get("articlenumber"), call.query.get("articledescription")
    low, high = call.integer("accountnumberfrom"), call.integer("accountnumberto")
    if not (article or words or low or high):
        return
    rules, values = [], []
    if article:
        rules.append("instr(lower(json_extract(value, '$.ArticleNumber')), ?) > 0")
        values.append(article.lower())
    if words:
        rules.append("instr(lower(json_extract(value, '$.Description')), ?) > 0")
        values.append(words.lower())
    if low or high:
        rules.append("json_extract(value, '$.AccountNumber') BETWEEN CAST(? AS INTEGER) AND CAST(? AS INTEGER)")
        values += [str(low or 0), str(high or 9999)]
    wanted.where(f"EXISTS (SELECT 1 FROM json_each(body, '$.InvoiceRows') WHERE {' AND '.join(rules)})", *values)


def _refuse_too_many(call: Call, invoice: Fields) -> None:
    if len(invoice["InvoiceRows"]) > LARGEST:
        raise _too_many(call)


def _too_many(call: Call) -> Refusal:
    return invalid(call.knobs.code("tooManyRows"), f"En faktura får ha högst {LARGEST} rader.")


def _customer(call: Call, key: str) -> Fields:
    card = cards.find(call, "customer", key)
    if card is None:
        raise Refusal(int(call.knobs["customerMissingStatus"]), 2000433, "Kan inte hitta kunden.")
    return card


def _row(call: Call, key: str) -> sqlite3.Row | None:
    if not key.isdecimal() or len(key) > 18:
        raise bad_identifier()
    return call.store.one("SELECT * FROM invoice WHERE tenant = ? AND number = ?", call.tenant, int(key))


def _existing(call: Call, key: str) -> sqlite3.Row:
    row = _row(call, key)
    if row is None:
        raise _missing()
    return row


def _missing() -> Refusal:
    return missing(2000434, "Kan inte hitta fakturan.")
