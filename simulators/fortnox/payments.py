"""Customer payments: registered as often as they are sent, counted only when bookkept."""

import sqlite3
from decimal import Decimal

from simulators.fortnox import cards, invoices, ledger, lists
from simulators.fortnox.call import Call
from simulators.fortnox.clock import real_seconds
from simulators.fortnox.documents import chosen, held, seen
from simulators.fortnox.fields import Spec, day, integer, number, read, read_only, rows, text
from simulators.fortnox.refusals import Refusal, bad_identifier, invalid, missing
from simulators.fortnox.wire import HERE, ZERO, Answer, Fields, decimal, enveloped, plain, to_ore, write_json

SPEC: Spec = {
    **read_only(
        "@url", "Booked", "Currency", "ExternalInvoiceReference1", "ExternalInvoiceReference2", "InvoiceCustomerName",
        "InvoiceCustomerNumber",
        "InvoiceDueDate", "InvoiceOCR", "InvoiceTotal", "Number", "Source", "VoucherNumber", "VoucherSeries", "VoucherYear",
    ),
    "Amount": number(),
    "AmountCurrency": number(),
    "CurrencyRate": number(),
    "CurrencyUnit": number(),
    "InvoiceNumber": integer(1),
    "ModeOfPayment": text(),
    "ModeOfPaymentAccount": integer(1000, 9999),
    "PaymentDate": day(),
    "WriteOffs": rows(
        {
            "AccountNumber": integer(1000, 9999),
            "Amount": number(),
            "CostCenter": text(),
            "Currency": text(exactly=3),
            "Description": text(),
            "Project": text(),
            "TransactionInformation": text(100),
        }
    ),
}  # fmt: skip
_BRIEF = (
    "@url", "Amount", "Booked", "Currency", "CurrencyRate", "CurrencyUnit", "InvoiceNumber", "Number", "PaymentDate",
    "Source", "WriteOffExist",
)  # fmt: skip


def create(call: Call) -> Answer:
    sent = read(SPEC, call.envelope("InvoicePayment"), call.knobs)
    if not sent.get("InvoiceNumber"):
        raise invalid(2001795, "Obligatoriska fält saknas.")
    row, invoice = invoices.held_by_number(call, str(sent["InvoiceNumber"]))
    if not row["booked"]:
        raise invalid(call.knobs.code("paymentOnUnbooked"), "Fakturan måste vara bokförd.")
    document = call.store.next_number(call.tenant, "payment")
    mode = sent.get("ModeOfPayment") or "BG"
    payment: Fields = {
        "@url": f"{HERE}/3/invoicepayments/{document}",
        "Amount": ZERO,
        "AmountCurrency": ZERO,
        "Booked": False,
        "Currency": invoice["Currency"],
        "CurrencyRate": decimal(invoice["CurrencyRate"]),
        "CurrencyUnit": decimal(invoice["CurrencyUnit"]),
        "ExternalInvoiceReference1": invoice["ExternalInvoiceReference1"],
        "ExternalInvoiceReference2": invoice["ExternalInvoiceReference2"],
        "InvoiceCustomerName": invoice["CustomerName"],
        "InvoiceCustomerNumber": invoice["CustomerNumber"],
        "InvoiceNumber": row["number"],
        "InvoiceDueDate": invoice["DueDate"],
        "InvoiceOCR": invoice["OCR"],
        "InvoiceTotal": plain(decimal(invoice["Total"])),
        "ModeOfPayment": mode,
        "ModeOfPaymentAccount": _account_of(call, mode),
        "Number": str(document),
        "PaymentDate": call.today,
        "Source": "manual",
        "VoucherNumber": None,
        "VoucherSeries": None,
        "VoucherYear": None,
        "WriteOffs": [],
    }
    body = _write(call, document, _applied(call, payment, sent, invoice))
    return enveloped("InvoicePayment", body, 201)


def get(call: Call, key: str) -> Answer:
    found = seen(call, _row(call, key))
    if found is None:
        raise _missing()
    return enveloped("InvoicePayment", found)


def update(call: Call, key: str) -> Answer:
    row = _unbooked(call, key)
    sent = read(SPEC, call.envelope("InvoicePayment"), call.knobs)
    if sent.pop("InvoiceNumber", row["invoice"]) != row["invoice"]:
        raise invalid(2000310, "Posten används.")
    _, invoice = invoices.held_by_number(call, str(row["invoice"]))
    return enveloped("InvoicePayment", _write(call, row["number"], _applied(call, held(row), sent, invoice)))


def delete(call: Call, key: str) -> Answer:
    row = _unbooked(call, key)
    call.store.run("DELETE FROM payment WHERE tenant = ? AND number = ?", call.tenant, row["number"])
    call.note("payment deleted", row["number"])
    return Answer(204)


def listing(call: Call) -> Answer:
    lists.known_parameters(call, frozenset(("invoicenumber",)))
    wanted = lists.Wanted(call)
    if (invoice := call.integer("invoicenumber")) is not None:
        wanted.where("invoice = ?", invoice)
    wanted.modified()
    wanted.visible()
    return lists.page(wanted, "InvoicePayments", "payment", {"paymentdate": "date then number"}, "number")


def bookkeep(call: Call, key: str) -> Answer:
    """Book a payment in the series for payments, and lower the invoice's balance."""
    row = _unbooked(call, key)
    payment = held(row)
    invoice_row, invoice = invoices.held_by_number(call, str(row["invoice"]))
    settled = decimal(payment["AmountCurrency"]) + sum((decimal(off["Amount"]) for off in payment["WriteOffs"]), ZERO)
    _refuse_overpayment(settled, decimal(invoice["Balance"]))
    ledger.refuse_locked(call, payment["PaymentDate"])
    year = ledger.year_for_booking(call, payment["PaymentDate"])
    voucher = ledger.book(
        call,
        ledger.Entry(
            year=year["id"],
            series=ledger.predefined_series(call, "INVOICEPAYMENT"),
            date=payment["PaymentDate"],
            description=f"Kundinbetalning ({row['invoice']}) {invoice['CustomerName']}"[:200],
            rows=_voucher_rows(call, payment, invoice, settled),
            reference_type="INVOICEPAYMENT",
            reference=str(row["number"]),
        ),
    )
    invoice["Balance"] = decimal(invoice["Balance"]) - settled
    if not invoice["Balance"]:
        invoice["FinalPayDate"] = payment["PaymentDate"]
    invoices.save(call, invoice_row, invoice)
    payment["Booked"] = True
    payment["VoucherNumber"], payment["VoucherSeries"], payment["VoucherYear"] = (
        voucher["VoucherNumber"],
        voucher["VoucherSeries"],
        voucher["Year"],
    )
    return enveloped("InvoicePayment", _write(call, row["number"], payment))


def _applied(call: Call, payment: Fields, sent: Fields, invoice: Fields) -> Fields:
    for name in ("CurrencyRate", "CurrencyUnit", "PaymentDate"):
        if sent.get(name):
            payment[name] = sent[name]
    if sent.get("ModeOfPayment"):
        payment["ModeOfPayment"], payment["ModeOfPaymentAccount"] = (
            sent["ModeOfPayment"],
            _account_of(call, sent["ModeOfPayment"]),
        )
    if sent.get("ModeOfPaymentAccount"):
        payment["ModeOfPaymentAccount"] = sent["ModeOfPaymentAccount"]
    if sent.get("WriteOffs") is not None:
        payment["WriteOffs"] = [_write_off(call, off, payment["Currency"]) for off in sent["WriteOffs"]]
    _set_amounts(payment, sent)
    if payment["PaymentDate"] < invoice["InvoiceDate"]:
        raise invalid(call.knobs.code("paymentBeforeInvoice"), "Betalningsdatum får inte vara före fakturadatum.")
    year = ledger.year_of(call, invoice["InvoiceDate"])
    if year is not None and payment["PaymentDate"] > year["to_date"] and ledger.year_of(call, payment["PaymentDate"]) is None:
        raise invalid(
            call.knobs.code("paymentOutsideYear"),
            "Angivet betaldatum måste vara inom fakturans räkenskapsår, eller fakturan årsomföras.",
        )
    settled = decimal(payment["AmountCurrency"]) + sum((decimal(off["Amount"]) for off in payment["WriteOffs"]), ZERO)
    _refuse_overpayment(settled, decimal(invoice["Balance"]))
    return payment


def _set_amounts(payment: Fields, sent: Fields) -> None:
    """Keep `Amount = AmountCurrency * CurrencyRate / CurrencyUnit` where only one of them was sent."""
    rate = decimal(payment["CurrencyRate"]) / decimal(payment["CurrencyUnit"])
    amount, in_currency = sent.get("Amount"), sent.get("AmountCurrency")
    if payment["Currency"] == "SEK":
        given = amount if amount is not None else in_currency
        if given is not None:
            payment["Amount"] = payment["AmountCurrency"] = to_ore(given)
    elif in_currency is not None:
        payment["AmountCurrency"] = to_ore(in_currency)
        payment["Amount"] = to_ore(amount if amount is not None else in_currency * rate)
    elif amount is not None:
        payment["Amount"], payment["AmountCurrency"] = to_ore(amount), to_ore(amount / rate)


def _refuse_overpayment(settled: Decimal, balance: Decimal) -> None:
    """A payment may not exceed what remains; a credit invoice is paid with a negative amount."""
    if abs(settled) > abs(balance) or settled * balance < 0:
        raise invalid(2003055, "Betalningen överstiger fakturans restbelopp.")


def _voucher_rows(call: Call, payment: Fields, invoice: Fields, settled: Decimal) -> list[ledger.Row]:
    """Bank and write-offs against the claim at the invoice's rate; the difference is gain or loss on the rate."""
    claim_rate = decimal(invoice["CurrencyRate"]) / decimal(invoice["CurrencyUnit"])
    paid_rate = decimal(payment["CurrencyRate"]) / decimal(payment["CurrencyUnit"])
    lines = [ledger.Row(int(payment["ModeOfPaymentAccount"]), decimal(payment["Amount"]))]
    lines += [
        ledger.Row(
            int(off["AccountNumber"]), to_ore(decimal(off["Amount"]) * paid_rate), information=off["TransactionInformation"]
        )
        for off in payment["WriteOffs"]
    ]
    lines.append(ledger.Row(ledger.predefined_account(call, "CUSTCLAIM"), -to_ore(settled * claim_rate)))
    rest = sum((line.amount for line in lines), ZERO)
    if rest:
        lines.append(ledger.Row(ledger.predefined_account(call, "CURRENCYWIN" if rest > 0 else "CURRENCYLOSS"), -rest))
    return lines


def _write_off(call: Call, off: Fields, currency: str) -> Fields:
    if not off.get("AccountNumber") or off.get("Amount") is None:
        raise invalid(2001795, "Obligatoriska fält saknas.")
    return {
        "Amount": to_ore(off["Amount"]),
        "AccountNumber": off["AccountNumber"],
        "CostCenter": off.get("CostCenter") or "",
        "Currency": off.get("Currency") or currency,
        "Description": off.get("Description") or "",
        "TransactionInformation": off.get("TransactionInformation") or "",
        "Project": off.get("Project") or "",
    }


def _account_of(call: Call, mode: str) -> int:
    card = cards.find(call, "modeofpayment", mode)
    if card is None:
        raise invalid(call.knobs.code("unknownModeOfPayment"), "Kan inte hitta betalningssättet.")
    cards.mark_used(call, "modeofpayment", mode)
    return int(card["AccountNumber"])


def _write(call: Call, document: int, payment: Fields) -> str:
    body, moment = write_json(payment), real_seconds()
    brief = write_json(chosen({**payment, "WriteOffExist": bool(payment["WriteOffs"])}, _BRIEF))
    values = (payment["InvoiceNumber"], payment["PaymentDate"], int(payment["Booked"]), body, brief, call.stamp, moment)
    changed = call.store.run(
        "UPDATE payment SET before = body, invoice = ?, date = ?, booked = ?, body = ?, brief = ?, modified = ?, changed = ? "
        "WHERE tenant = ? AND number = ?",
        *values, call.tenant, document,
    )  # fmt: skip
    if not changed:
        call.store.run(
            "INSERT INTO payment VALUES (?,?,?,?,?,?,?,?,?,?,NULL)", call.tenant, document, *values[:-1], moment, moment
        )
    call.note("payment", document, str(payment["InvoiceNumber"]))
    return body


def _unbooked(call: Call, key: str) -> sqlite3.Row:
    row = _row(call, key)
    if row is None:
        raise _missing()
    if row["booked"]:
        raise invalid(call.knobs.code("updateBookedPayment"), "Betalningen är bokförd.")
    return row


def _row(call: Call, key: str) -> sqlite3.Row | None:
    if not key.isdecimal() or len(key) > 18:
        raise bad_identifier()
    return call.store.one("SELECT * FROM payment WHERE tenant = ? AND number = ?", call.tenant, int(key))


def _missing() -> Refusal:
    return missing(2000434, "Kan inte hitta betalningen.")
