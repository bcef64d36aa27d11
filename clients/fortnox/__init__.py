"""Fortnox, the classic API under `/3` with client credentials. Names are Fortnox's own, in snake case.

Fortnox knows no idempotency key and no duplicate: nothing here repeats a write, except once after a 401, which was not
executed. Its answers vary in type and casing and are read leniently; money is a Decimal whether it came as number or string.
"""

from clients.fortnox.client import FortnoxClient
from clients.fortnox.seen import Account, FinancialYear, Invoice, InvoiceHit, SupplierInvoice, Voucher, VoucherHit
from clients.fortnox.sent import InvoicePayload, InvoiceRowPayload, VoucherPayload, VoucherRowPayload
from clients.fortnox.tokens import ClientCredentials

__all__ = [
    "Account",
    "ClientCredentials",
    "FinancialYear",
    "FortnoxClient",
    "Invoice",
    "InvoiceHit",
    "InvoicePayload",
    "InvoiceRowPayload",
    "SupplierInvoice",
    "Voucher",
    "VoucherHit",
    "VoucherPayload",
    "VoucherRowPayload",
]
