"""What Fortnox shows: its company, registers, invoices and vouchers."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from clients.fortnox.model import ZERO, Model
from clients.wire import Day, Exact, Id, NullAsEmpty, Text, Whole


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
