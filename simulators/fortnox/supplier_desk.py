"""The person who registers supplier invoices at the screen: makes one from lines, changes it, undoes its booking, cancels it.

Not part of the API. What the person does leaves the books right: a booked invoice that is changed or cancelled is taken back by a
voucher, and booked anew as it is then.
"""

from decimal import Decimal
from typing import Any

from simulators.fortnox import cards, ledger, suppliers
from simulators.fortnox.call import Call
from simulators.fortnox.wire import Fields, decimal, read_json, to_ore, write_json

PAYABLES = 2440


def register(call: Call, wish: Fields) -> Fields:
    """Make an invoice from lines of `{account, amount, article?, quantity?, price?, text?, unit?}`, in its currency, without VAT.

    Negative amounts and `credit` make a credit note. `purchase` is written into the field named `field` (`YourReference`).
    `book` books it at once. The supplier is made if it is not there.
    """
    supplier = str(wish.get("supplierNumber", "S-1"))
    if not cards.exists(call, suppliers.KIND, supplier):
        call.raw = write_json({"Supplier": {"Name": supplier, "SupplierNumber": supplier}}).encode()
        suppliers.create(call)
    call.raw = write_json({"SupplierInvoice": {"SupplierNumber": supplier} | _invoice(wish)}).encode()
    made: Fields = read_json(suppliers.create_invoice(call).body)["SupplierInvoice"]
    if wish.get("book", True):
        suppliers.bookkeep_invoice(call, made["GivenNumber"])
    return told(call, made["GivenNumber"])


def edit(call: Call, key: str, wish: Fields) -> Fields:
    """Change an invoice, booked or not: new lines, rate, currency, purchase; or `cancelled`. Returns how it is then."""
    was_booked = bool(_found(call, key)["Booked"])
    if was_booked:
        _unbook(call, key)
    if wish.get("cancelled"):
        suppliers.cancel_invoice(call, key)
        return told(call, key)
    changes = _invoice(wish) if "lines" in wish else _header(wish)
    call.raw = write_json({"SupplierInvoice": changes}).encode()
    suppliers.update_invoice(call, key)
    if was_booked or wish.get("book"):
        suppliers.bookkeep_invoice(call, key)
    return told(call, key)


def told(call: Call, key: str) -> Fields:
    found: Fields = read_json(suppliers.get_invoice(call, key).body)["SupplierInvoice"]
    return found


def _header(wish: Fields) -> Fields:
    names = {"invoiceNumber": "InvoiceNumber", "currency": "Currency", "rate": "CurrencyRate", "unit": "CurrencyUnit"}
    found = {theirs: wish[ours] for ours, theirs in names.items() if ours in wish}
    if "date" in wish:
        found["InvoiceDate"] = wish["date"]
    if "purchase" in wish:
        found[str(wish.get("field", "YourReference"))] = wish["purchase"]
    return found | dict(wish.get("fields", {}))


def _invoice(wish: Fields) -> Fields:
    rate = decimal(wish.get("rate", 1)) / decimal(wish.get("unit", 1))
    lines = list(wish["lines"])
    net = sum((_amount(line) for line in lines), Decimal(0))
    rows, owed = [], Decimal(0)
    for line in lines:
        amount = _amount(line)
        booked = to_ore(amount * rate)
        owed += booked
        rows.append(_row(line, amount, booked))
    vat = to_ore(decimal(wish.get("vat", 0)))
    if vat:
        booked = to_ore(vat * rate)
        owed += booked
        rows.append({"Account": 2641, "Code": "VAT"} | _sides(vat, booked))
    rows.insert(0, {"Account": PAYABLES, "Code": "TOT"} | _sides(-(net + vat), -owed))
    head = {"Total": net + vat, "VAT": vat, "Credit": bool(wish.get("credit", net < 0)), "SupplierInvoiceRows": rows}
    return _header(wish) | head


def _amount(line: Fields) -> Decimal:
    if "amount" in line:
        return to_ore(decimal(line["amount"]))
    return to_ore(decimal(line["quantity"]) * decimal(line["price"]))


def _row(line: Fields, amount: Decimal, booked: Decimal) -> Fields:
    row: Fields = {"Account": int(line["account"]), "Total": amount} | _sides(amount, booked)
    names = {"article": "ArticleNumber", "text": "TransactionInformation", "unit": "Unit", "description": "ItemDescription"}
    row |= {theirs: line[ours] for ours, theirs in names.items() if ours in line}
    return row | {
        theirs: decimal(line[ours]) for ours, theirs in {"quantity": "Quantity", "price": "Price"}.items() if ours in line
    }


def _sides(amount: Decimal, booked: Decimal) -> Fields:
    if amount >= 0:
        return {"Debit": booked, "DebitCurrency": amount}
    return {"Credit": -booked, "CreditCurrency": -amount}


def _found(call: Call, key: str) -> Fields:
    invoice = cards.find(call, suppliers.INVOICE, key)
    if invoice is None:
        raise KeyError(f"supplier invoice {key}")
    return invoice


def _unbook(call: Call, key: str) -> None:
    """Take the invoice's voucher back by one with the sides changed: it may be changed again."""
    invoice = _found(call, key)
    year = ledger.year_for_booking(call, invoice["InvoiceDate"])
    lines: list[Any] = [
        ledger.Row(int(row["Account"]), to_ore(decimal(row["Credit"]) - decimal(row["Debit"])))
        for row in invoice["SupplierInvoiceRows"]
    ]
    ledger.book(
        call,
        ledger.Entry(
            year=year["id"],
            series=ledger.predefined_series(call, "SUPPLIERINVOICE"),
            date=invoice["InvoiceDate"],
            description=f"Ändring leverantörsfaktura ({key})",
            rows=lines,
            reference_type="SUPPLIERINVOICE",
            reference=key,
        ),
    )
    invoice |= {"Booked": False, "VoucherNumber": None, "VoucherSeries": None, "VoucherYear": None, "Vouchers": []}
    suppliers.keep_invoice(call, key, invoice)
