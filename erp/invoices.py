"""Invoice bases as they are written to the accounting system, and what it answered."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.errors import Refused
from domain.invoicing import BasisPart, BasisRow, reference
from domain.keys import BasisKey
from domain.vat import VatZone, vat_zone
from erp.database import Session, one, rows
from erp.merchants import Merchant


@dataclass(frozen=True, slots=True)
class Customer:
    """Who is billed. Personal data for a private person: sent to the accounting system and forgotten."""

    number: str
    zone: VatZone
    country: str
    name: str = field(repr=False)
    customer_type: str = "company"
    organisation_number: str | None = field(default=None, repr=False)
    vat_number: str | None = field(default=None, repr=False)
    address1: str | None = field(default=None, repr=False)
    address2: str | None = field(default=None, repr=False)
    post_code: str | None = field(default=None, repr=False)
    city: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class InvoiceBasis:
    """One invoice to write: the part with its rows, and the document it belongs to."""

    key: BasisKey
    reference: str
    revision: int
    state: str
    order_number: str
    shipment_no: int | None
    credits_invoice: int | None
    currency: str
    exchange_rate: Decimal
    price_basis: str
    invoice_date: date
    your_reference: str | None
    customer: Customer
    part: BasisPart


_BASIS = text(
    """
    select b.*, o.your_reference, o.customer_number, o.delivery_name, o.delivery_country, c.name as customer_name, c.customer_type,
      c.organisation_number, c.vat_number, c.country as customer_country, c.address1, c.address2, c.post_code, c.city, c.email,
      (select k.fortnox_invoice_number from erp.invoice_basis k where k.merchant_id = b.merchant_id
        and k.basis_no = b.credits_basis_no and k.part = b.credits_part) as credits_invoice
    from erp.invoice_basis b join erp.sales_order o using (merchant_id, order_number)
    left join erp.customer c using (merchant_id, customer_number)
    where b.merchant_id = :merchant and b.basis_no = :basis and b.part = :part
    """
)
_ROWS = text(
    """
    select kind, line_number, article_number, description, quantity, unit_price, discount_percent, amount, vat_rate, account,
      folded, coalesce(billed_quantity, quantity) as billed
    from erp.invoice_basis_row where merchant_id = :merchant and basis_no = :basis and part = :part order by row_no
    """
)
_REVISE = text(
    """
    update erp.invoice_basis set revision = :revision, reference = :reference
    where merchant_id = :merchant and basis_no = :basis and part = :part and state = 'open' and revision = :revision - 1
    """
)
_BOOKED = text(
    """
    update erp.invoice_basis set state = 'booked', booked_at = now(), fortnox_invoice_number = :number, fortnox_voucher = :voucher,
      fortnox_net = :net, fortnox_vat = :vat
    where merchant_id = :merchant and basis_no = :basis and part = :part and state = 'open'
    """
)


async def load_basis(connection: Session, merchant: Merchant, key: BasisKey) -> InvoiceBasis:
    """The invoice to write, with its customer; an order without customer is billed to a collective one for its country."""
    row = await one(connection, _BASIS, merchant=key.merchant, basis=key.basis, part=key.part)
    found = await rows(connection, _ROWS, merchant=key.merchant, basis=key.basis, part=key.part)
    return InvoiceBasis(
        key=key,
        reference=row.reference,
        revision=row.revision,
        state=row.state,
        order_number=row.order_number,
        shipment_no=row.shipment_no,
        credits_invoice=row.credits_invoice,
        currency=row.currency,
        exchange_rate=row.exchange_rate,
        price_basis=row.price_basis,
        invoice_date=row.invoice_date,
        your_reference=row.your_reference,
        customer=_customer(row, merchant),
        part=BasisPart(tuple(BasisRow(**r._mapping) for r in found), row.amount, row.net, row.vat, row.tolerance),
    )


def _customer(row: Any, merchant: Merchant) -> Customer:
    if row.customer_number is None:
        country = row.delivery_country or merchant.country
        if not merchant.settings.collective_customers:
            raise Refused("missing-customer", f"sales order {row.order_number} has no customer_number")
        return Customer(
            f"KOLLEKTIV-{country}", vat_zone(merchant.country, country, None), country, f"Kollektivkund {country}", "private"
        )
    return Customer(
        row.customer_number,
        vat_zone(merchant.country, row.customer_country, row.vat_number),
        row.customer_country,
        row.customer_name,
        row.customer_type,
        row.organisation_number,
        row.vat_number,
        row.address1,
        row.address2,
        row.post_code,
        row.city,
        row.email,
    )


async def basis_booked(connection: Session, key: BasisKey, number: int, voucher: str, net: Decimal, vat: Decimal) -> None:
    """The invoice is booked over there. Repeating changes nothing."""
    await connection.execute(
        _BOOKED,
        {
            "merchant": key.merchant,
            "basis": key.basis,
            "part": key.part,
            "number": number,
            "voucher": voucher,
            "net": net,
            "vat": vat,
        },
    )


async def revise(connection: Session, key: BasisKey, revision: int) -> None:
    """Give the basis the next revision, and with it a new reference: the invoice is made anew under that."""
    await connection.execute(
        _REVISE,
        {
            "merchant": key.merchant,
            "basis": key.basis,
            "part": key.part,
            "revision": revision,
            "reference": reference(key.merchant, key.basis, key.part, revision),
        },
    )
