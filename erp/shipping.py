"""Shipments and what they may be billed: written when goods have left, in the transaction that saw it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text

from domain.counting import Line
from domain.errors import Refused
from domain.invoicing import BasisPart, BillableLine, Terms, billable, invoice_basis, reference
from domain.money import ZERO
from domain.vat import VatZone, vat_zone
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
_BILLED_AND_LEFT = text(
    """
    select r.line_number, sum(coalesce(r.billed_quantity, r.quantity)) as quantity, sum(r.amount) as amount
    from erp.invoice_basis_row r join erp.invoice_basis b using (merchant_id, basis_no, part)
    where b.merchant_id = :merchant and b.order_number = :number and b.state <> 'cancelled' and r.line_number is not null
    group by r.line_number
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
_BASIS = text(
    """
    insert into erp.invoice_basis (merchant_id, basis_no, part, reference, kind, order_number, shipment_no, currency,
      exchange_rate, price_basis, invoice_date, amount, net, vat, tolerance)
    values (:merchant, :basis_no, :part, :reference, :kind, :number, :shipment_no, :currency, :exchange_rate, :price_basis,
      :invoice_date, :amount, :net, :vat, :tolerance)
    """
)
_ROWS = text(
    """
    insert into erp.invoice_basis_row (merchant_id, basis_no, part, row_no, kind, line_number, article_number, description,
      quantity, unit_price, discount_percent, amount, vat_rate, account, folded, billed_quantity)
    select :merchant, :basis_no, :part, row_no, k, l, a, d, q, p, dp, am, v, ac, f, b
    from unnest(cast(:kinds as text[]), cast(:lines as int[]), cast(:articles as text[]), cast(:texts as text[]),
      cast(:quantities as numeric[]), cast(:prices as numeric[]), cast(:discounts as numeric[]), cast(:amounts as numeric[]),
      cast(:vat_rates as numeric[]), cast(:accounts as int[]), cast(:folded as boolean[]),
      cast(:billed as numeric[])) with ordinality as u(k, l, a, d, q, p, dp, am, v, ac, f, b, row_no)
    """
)
_BASIS_NO = text("select nextval('erp.basis_no')")


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
    back = any(quantity < 0 for quantity in quantities.values())
    left = {r.line_number: (r.quantity, r.amount) for r in await rows(connection, _BILLED_AND_LEFT, **key)} if back else {}
    billable_order = merchant.settings.is_invoiced(order.order_type)
    parts, surplus = _parts(merchant, order, before, quantities, first, left) if billable_order else ([], [])
    rate = rate_of(order, merchant) if billable_order else Decimal(1)

    on = merchant.day_of(ship.at)
    shipment = await one(connection, _NEXT_SHIPMENT, **key, reason=ship.reason, at=ship.at, on=on, billable=billable_order)
    lines = sorted(quantities)
    await connection.execute(
        _SHIPMENT_LINES,
        key | {"shipment_no": shipment.shipment_no, "lines": lines, "quantities": [quantities[n] for n in lines]},
    )
    await shipped(connection, merchant.merchant_id, ship.counted)
    if parts:
        basis_no = int((await connection.execute(_BASIS_NO)).scalar_one())
        for number, part in enumerate(parts, start=1):
            await _write_part(
                connection,
                key
                | {
                    "basis_no": basis_no,
                    "part": number,
                    "reference": reference(merchant.merchant_id, basis_no, number, 0),
                    "shipment_no": shipment.shipment_no,
                    "currency": order.currency,
                    "exchange_rate": rate,
                    "price_basis": order.price_basis,
                    "invoice_date": on,
                },
                part,
            )
    for line_number in surplus:
        detail = f"sales order {order.number} line {line_number}: more was delivered than ordered"
        await open_exception(connection, merchant.merchant_id, SALES_ORDER, order.number, "over-delivery", detail, False)


def _parts(
    merchant: Merchant,
    order: OrderDocument,
    before: Mapping[int, Decimal],
    quantities: Mapping[int, Decimal],
    first: bool,
    left: Mapping[int, tuple[Decimal, Decimal]],
) -> tuple[list[BasisPart], list[int]]:
    """`left`: by line, quantity and amount that are billed and not credited. What came back takes no more than that."""
    lines = billable_lines(order)
    billed: dict[int, Decimal] = {}
    now: dict[int, Decimal] = {}
    surplus = []
    for line in lines:
        delivered = before.get(line.line_number, ZERO)
        after = delivered + quantities.get(line.line_number, ZERO)
        billed[line.line_number] = billable(line, delivered, merchant.settings)
        now[line.line_number] = billable(line, after, merchant.settings) - billed[line.line_number]
        if now[line.line_number] < 0:
            billed[line.line_number] = max(left.get(line.line_number, (ZERO, ZERO))[0], ZERO)
            now[line.line_number] = max(now[line.line_number], -billed[line.line_number])
        if after > line.quantity_ordered and after > delivered:
            surplus.append(line.line_number)
    amounts = _amounts_left(lines, now, left)
    parts = invoice_basis(terms_of(order, merchant), lines, billed, now, first, merchant.settings, amounts)
    return [part for part in parts if any(row.amount for row in part.rows)], surplus


def _amounts_left(
    lines: Sequence[BillableLine], now: Mapping[int, Decimal], left: Mapping[int, tuple[Decimal, Decimal]]
) -> dict[int, Decimal]:
    """By line, what is billed and not credited, with the öre of lines that have no pieces left: a credit that was moved until
    its VAT agreed took them from another line of the rate, or left them there, and the last that comes back evens them out."""
    amounts = {line: amount for line, (_, amount) in left.items()}
    for rate in {line.vat_rate for line in lines if now[line.line_number] < 0}:
        mine = [line.line_number for line in lines if line.vat_rate == rate]
        stray = sum((left[n][1] for n in mine if n in left and left[n][0] <= 0), ZERO)
        back = next(n for n in mine if now[n] < 0)
        amounts[back] = max(amounts.get(back, ZERO) + stray, ZERO)
    return amounts


async def _write_part(connection: Session, key: dict[str, object], part: BasisPart) -> None:
    await connection.execute(
        _BASIS,
        key
        | {
            "kind": "credit" if part.amount < 0 else "invoice",
            "amount": part.amount,
            "net": part.net,
            "vat": part.vat,
            "tolerance": part.tolerance,
        },
    )
    await connection.execute(
        _ROWS,
        {name: key[name] for name in ("merchant", "basis_no", "part")}
        | {
            "kinds": [row.kind for row in part.rows],
            "lines": [row.line_number for row in part.rows],
            "articles": [row.article_number for row in part.rows],
            "texts": [row.description for row in part.rows],
            "quantities": [row.quantity for row in part.rows],
            "prices": [row.unit_price for row in part.rows],
            "discounts": [row.discount_percent for row in part.rows],
            "amounts": [row.amount for row in part.rows],
            "vat_rates": [row.vat_rate for row in part.rows],
            "accounts": [row.account for row in part.rows],
            "folded": [row.folded for row in part.rows],
            "billed": [row.billed for row in part.rows],
        },
    )


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
