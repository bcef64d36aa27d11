"""What we send to Fortnox: invoices and vouchers."""

from datetime import date
from typing import Annotated

from pydantic import Field

from clients.fortnox.model import ZERO, Model
from clients.wire import Exact, Key, Text, Whole

Reference = Annotated[Key, Field(max_length=80)]


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
