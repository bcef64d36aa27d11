"""Shipments and what they may be billed: written when goods have left, in the transaction that saw it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.counting import Line
from domain.crediting import Credit, credit_bases, creditable
from domain.errors import Refused
from domain.invoicing import BasisPart, BillableLine, Terms, billable, invoice_basis
from domain.money import ZERO
from domain.vat import VatZone, vat_zone
from erp import bases
from erp.counters import SALES_ORDER, shipped
from erp.database import Session, one, rows
from erp.exceptions import open_exception
from erp.merchants import Merchant
from erp.orders import OrderDocument


@dataclass(frozen=True, slots=True)
class ToShip:
    """What goes on a shipment: signed quantity by line of ours, and how far each counted line has then been shipped."""

    reason: str
    at: datetime
    quantities: dict[int, Decimal]
    counted: list[tuple[Line, Decimal]]


_SHIPPED_BEFORE = text(
    """
    select line_number, sum(quantity) as quantity from erp.shipment_line
    where merchant_id = :merchant and order_number = :number group by line_number
    """
)
_NEXT_SHIPMENT = text(
    """
    insert into erp.shipment (merchant_id, order_number, shipment_no, reason, shipped_at, shipped_on, billable)
    select :merchant, :number, coalesce(max(shipment_no), 0) + 1, :reason, :at, :on, :billable
    from erp.shipment where merchant_id = :merchant and order_number = :number
    returning shipment_no
    """
)
_SHIPMENT_LINES = text(
    """
    insert into erp.shipment_line (merchant_id, order_number, shipment_no, line_number, quantity)
    select :merchant, :number, :shipment_no, n, q from unnest(cast(:lines as int[]), cast(:quantities as numeric[])) as u(n, q)
    """
)


def terms_of(order: OrderDocument, merchant: Merchant) -> Terms:
    """What holds for every invoice of the order."""
    return Terms(order.price_basis, order.discount_percent, order.freight, order.freight_vat_rate, zone_of(order, merchant))


def zone_of(order: OrderDocument, merchant: Merchant) -> VatZone:
    """How the sale is taxed: by the customer's country and VAT number."""
    return vat_zone(merchant.country, order.country, order.vat_number)


def billable_lines(order: OrderDocument) -> list[BillableLine]:
    """The order's lines as the invoice basis takes them."""
    return [
        BillableLine(
            line.line_number,
            line.article_number,
            line.description,
            line.quantity,
            line.unit_price,
            line.discount_percent,
            line.vat_rate,
            line.account,
            line.stock_article is not False,
        )
        for line in order.lines
    ]


def rate_of(order: OrderDocument, merchant: Merchant) -> Decimal:
    """The order's exchange rate, 1 in the books' own currency; refuses one that is missing."""
    if order.currency == merchant.currency:
        return Decimal(1)
    if order.exchange_rate is None:
        raise Refused("missing-exchange-rate", f"sales order {order.number} is in {order.currency} and has no exchange_rate")
    return order.exchange_rate


def check_billing(order: OrderDocument, merchant: Merchant) -> None:
    """Refuse, before any goods move, an order that could not be invoiced: rate, VAT and accounts of every line."""
    rate_of(order, merchant)
    everything = {line.line_number: line.quantity for line in order.lines}
    invoice_basis(terms_of(order, merchant), billable_lines(order), {}, everything, True, merchant.settings)


async def services_owed(connection: Session, order: OrderDocument, merchant: str, later: bool = False) -> bool:
    """Whether a service of the order is not delivered; with `later`, only of an order that had its first shipment already."""
    if not any(line.stock_article is False for line in order.lines):
        return False
    before = {r.line_number: r.quantity for r in await rows(connection, _SHIPPED_BEFORE, merchant=merchant, number=order.number)}
    return bool((before or not later) and _services(order, before))


def _services(order: OrderDocument, before: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """What is left to deliver of the order's services."""
    left = {n.line_number: n.quantity - before.get(n.line_number, ZERO) for n in order.lines if n.stock_article is False}
    return {line: quantity for line, quantity in left.items() if quantity > 0}


async def close_shipment(connection: Session, merchant: Merchant, order: OrderDocument, ship: ToShip) -> None:
    """Write a shipment and the invoice basis that follows it. The caller holds the documents' lock.

    Service lines ride on the first shipment, those that the ERP adds later on the next; freight on the first part. Refuses,
    with nothing written, what cannot be billed; the stock that moved is booked all the same, by the caller. Order
    types that are not invoiced, as a transfer, get a shipment and no basis.
    """
    key = {"merchant": merchant.merchant_id, "number": order.number}
    before = {r.line_number: r.quantity for r in await rows(connection, _SHIPPED_BEFORE, **key)}
    first = not before
    quantities = {line: quantity for line, quantity in ship.quantities.items() if quantity}
    if ship.reason != "correction":
        quantities |= _services(order, before)
    billable_order = merchant.settings.is_invoiced(order.order_type)
    moved, surplus = _billable_moves(merchant, order, before, quantities) if billable_order else ({}, [])
    parts = _invoices(merchant, order, before, moved, first) if billable_order else []
    sold, credits = await _credits(connection, merchant, order, moved)
    rate = rate_of(order, merchant) if parts else Decimal(1)

    on = merchant.day_of(ship.at)
    shipment = await one(connection, _NEXT_SHIPMENT, **key, reason=ship.reason, at=ship.at, on=on, billable=billable_order)
    lines = sorted(quantities)
    await connection.execute(
        _SHIPMENT_LINES,
        key | {"shipment_no": shipment.shipment_no, "lines": lines, "quantities": [quantities[n] for n in lines]},
    )
    await shipped(connection, merchant.merchant_id, ship.counted)
    if parts or credits:
        basis = {
            "merchant": merchant.merchant_id,
            "order": order.number,
            "basis_no": await bases.new_basis_no(connection),
            "shipment_no": shipment.shipment_no,
            "invoice_date": on,
        }
        terms = {"currency": order.currency, "exchange_rate": rate, "price_basis": order.price_basis}
        for number, part in enumerate(parts, start=1):
            await bases.write_invoice(connection, basis | terms | {"part": number}, part)
        for number, credit in enumerate(credits, start=len(parts) + 1):
            await bases.write_credit(connection, basis | {"part": number}, sold[credit.basis_no, credit.part], credit)
    for line_number in surplus:
        detail = f"sales order {order.number} line {line_number}: more was delivered than ordered"
        await open_exception(connection, merchant.merchant_id, SALES_ORDER, order.number, "over-delivery", detail, False)


def _billable_moves(
    merchant: Merchant, order: OrderDocument, before: Mapping[int, Decimal], quantities: Mapping[int, Decimal]
) -> tuple[dict[int, Decimal], list[int]]:
    """By line, how much more may be billed now, negative for what came back; and the lines that were delivered beyond the order."""
    moved: dict[int, Decimal] = {}
    surplus = []
    for line in billable_lines(order):
        delivered = before.get(line.line_number, ZERO)
        after = delivered + quantities.get(line.line_number, ZERO)
        moved[line.line_number] = billable(line, after, merchant.settings) - billable(line, delivered, merchant.settings)
        if after > line.quantity_ordered and after > delivered:
            surplus.append(line.line_number)
    return moved, surplus


def _invoices(
    merchant: Merchant, order: OrderDocument, before: Mapping[int, Decimal], moved: Mapping[int, Decimal], first: bool
) -> list[BasisPart]:
    """What was delivered, on top of what had been."""
    lines = billable_lines(order)
    billed = {n.line_number: billable(n, before.get(n.line_number, ZERO), merchant.settings) for n in lines}
    now = {line: quantity for line, quantity in moved.items() if quantity > 0}
    parts = invoice_basis(terms_of(order, merchant), lines, billed, now, first, merchant.settings)
    return [part for part in parts if part.amount]


async def _credits(
    connection: Session, merchant: Merchant, order: OrderDocument, moved: Mapping[int, Decimal]
) -> tuple[dict[tuple[int, int], Any], list[Credit]]:
    """What was un-picked after its invoice is credited as any credit is, as far as it is not credited already. The freight of
    the order stays: it is billed once, and a later pick does not bill it again."""
    back = {line: -quantity for line, quantity in moved.items() if quantity < 0}
    if not back:
        return {}, []
    sold = await bases.billed(connection, merchant.merchant_id, order.number)
    wanted = {line: min(quantity, creditable(sold.invoices, line)) for line, quantity in back.items()}
    outside = await bases.invoiced_outside(connection, merchant.merchant_id, order.number) if wanted != back else {}
    for line in sorted(outside.keys() & back.keys()):
        if back[line] > wanted[line]:
            detail = f"sales order {order.number} line {line}: {(back[line] - wanted[line]).normalize():f} were un-picked"
            detail += " whose invoice was made outside"
            await open_exception(
                connection, merchant.merchant_id, SALES_ORDER, order.number, "invoiced-outside", detail, blocking=False
            )
    wanted = {line: quantity for line, quantity in wanted.items() if quantity}
    return sold.terms, credit_bases(sold.invoices, wanted, False, False)


def due(reason: str, at: datetime, counted: Sequence[tuple[Line, int, Decimal, Decimal]]) -> ToShip | None:
    """What is booked and not shipped, as a shipment; None when there is nothing. `counted`: line, our line, booked, shipped."""
    quantities: dict[int, Decimal] = {}
    moved = []
    for line, line_number, booked, shipped_before in counted:
        if booked != shipped_before:
            quantities[line_number] = quantities.get(line_number, ZERO) + booked - shipped_before
            moved.append((line, booked))
    quantities = {line: quantity for line, quantity in quantities.items() if quantity}
    if not moved or not quantities:
        return None
    if all(quantity < 0 for quantity in quantities.values()):
        reason = "correction"
    return ToShip(reason, at, quantities, moved)
