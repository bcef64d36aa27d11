"""Invoice bases as they are written and read: the invoices of an order, and the credits, each of which names one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.crediting import Credit, Invoiced, InvoicedRow
from domain.invoicing import BasisPart, BasisRow, reference
from domain.money import ZERO
from erp.database import Session, rows


@dataclass(frozen=True, slots=True)
class Billed:
    """The invoices of an order with what was credited of each, the terms of each, and whether one is not booked yet."""

    invoices: list[Invoiced]
    terms: dict[tuple[int, int], Any]
    unbooked: bool


_BASES = text(
    """
    select basis_no, part, price_basis, state, currency, exchange_rate, credits_basis_no, credits_part from erp.invoice_basis
    where merchant_id = :merchant and order_number = :order and (state <> 'cancelled' or kind = 'credit') order by basis_no, part
    """
)
_ROWS = text(
    """
    select r.basis_no, r.part, r.row_no, r.credits_row_no, r.kind, r.line_number, r.article_number, r.description, r.quantity,
      r.unit_price, r.discount_percent, r.amount, r.vat_rate, r.account, r.folded, coalesce(r.billed_quantity, r.quantity) as billed
    from erp.invoice_basis_row r join erp.invoice_basis b using (merchant_id, basis_no, part)
    where b.merchant_id = :merchant and b.order_number = :order and (b.state <> 'cancelled' or b.kind = 'credit')
    order by r.basis_no, r.part, r.row_no
    """
)
_OUTSIDE = text(
    """
    select r.line_number, sum(coalesce(r.billed_quantity, r.quantity)) as quantity
    from erp.invoice_basis_row r join erp.invoice_basis b using (merchant_id, basis_no, part)
    where b.merchant_id = :merchant and b.order_number = :order and b.state = 'cancelled' and b.kind = 'invoice'
      and r.line_number is not null and r.amount <> 0
    group by 1
    """
)
_BASIS_NO = text("select nextval('erp.basis_no')")
_BASIS = text(
    """
    insert into erp.invoice_basis (merchant_id, basis_no, part, reference, kind, order_number, shipment_no, credits_basis_no,
      credits_part, return_number, currency, exchange_rate, price_basis, invoice_date, amount, net, vat, tolerance)
    values (:merchant, :basis_no, :part, :reference, :kind, :order, :shipment_no, :credits_basis_no, :credits_part,
      :return_number, :currency, :exchange_rate, :price_basis, :invoice_date, :amount, :net, :vat, :tolerance)
    """
)
_BASIS_ROWS = text(
    """
    insert into erp.invoice_basis_row (merchant_id, basis_no, part, row_no, kind, line_number, article_number, description,
      quantity, unit_price, discount_percent, amount, vat_rate, account, folded, billed_quantity, credits_row_no)
    select :merchant, :basis_no, :part, row_no, k, l, a, d, q, p, dp, am, v, ac, f, b, cr
    from unnest(cast(:kinds as text[]), cast(:lines as int[]), cast(:articles as text[]), cast(:texts as text[]),
      cast(:quantities as numeric[]), cast(:prices as numeric[]), cast(:discounts as numeric[]), cast(:amounts as numeric[]),
      cast(:vat_rates as numeric[]), cast(:accounts as int[]), cast(:folded as boolean[]), cast(:billed as numeric[]),
      cast(:credited as int[])) with ordinality as u(k, l, a, d, q, p, dp, am, v, ac, f, b, cr, row_no)
    """
)


async def billed(connection: Session, merchant: str, order: str) -> Billed:
    """What was invoiced of the order and is left to credit. The caller holds the order's lock.

    A credit that a person has made outside is a credit: what it gave back is not given back again.
    """
    key = {"merchant": merchant, "order": order}
    bases = {(b.basis_no, b.part): b for b in await rows(connection, _BASES, **key)}
    found: dict[tuple[int, int], list[Any]] = {}
    for r in await rows(connection, _ROWS, **key):
        found.setdefault((r.basis_no, r.part), []).append(r)
    credited: dict[tuple[int, int, int], tuple[Decimal, Decimal]] = {}
    credits: dict[tuple[int, int], list[dict[Decimal, Decimal]]] = {}
    for at, basis in bases.items():
        if basis.credits_basis_no is not None:
            of = (basis.credits_basis_no, basis.credits_part)
            by_rate: dict[Decimal, Decimal] = {}
            for r in found.get(at, []):
                quantity, amount = credited.get((*of, r.credits_row_no), (ZERO, ZERO))
                credited[(*of, r.credits_row_no)] = (quantity - r.billed, amount - r.amount)
                by_rate[r.vat_rate] = by_rate.get(r.vat_rate, ZERO) - r.amount
            credits.setdefault(of, []).append(by_rate)
    invoices = [
        Invoiced(
            *at,
            basis.price_basis,
            tuple(InvoicedRow(r.row_no, _basis_row(r), *credited.get((*at, r.row_no), (ZERO, ZERO))) for r in found.get(at, [])),
            tuple(credits.get(at, ())),
        )
        for at, basis in bases.items()
        if basis.credits_basis_no is None
    ]
    unbooked = any(basis.state == "open" and basis.credits_basis_no is None for basis in bases.values())
    return Billed(invoices, bases, unbooked)


async def invoiced_outside(connection: Session, merchant: str, order: str) -> dict[int, Decimal]:
    """By line, pieces whose invoice a person has made outside: only a person can credit them."""
    return {r.line_number: r.quantity for r in await rows(connection, _OUTSIDE, merchant=merchant, order=order)}


def _basis_row(r: Any) -> BasisRow:
    return BasisRow(
        r.kind,
        r.line_number,
        r.article_number,
        r.description,
        r.quantity,
        r.unit_price,
        r.discount_percent,
        r.amount,
        r.vat_rate,
        r.account,
        r.folded,
        r.billed,
    )


async def new_basis_no(connection: Session) -> int:
    """The number of a new basis; its parts are numbered from 1."""
    return int((await connection.execute(_BASIS_NO)).scalar_one())


async def write_invoice(connection: Session, key: Mapping[str, Any], part: BasisPart) -> None:
    """One invoice of a shipment. `key`: merchant, order, shipment_no, basis_no, part, currency, rate, price basis and date."""
    await _write(connection, dict(key) | {"credits_basis_no": None, "credits_part": None, "return_number": None}, part)


async def write_credit(connection: Session, key: Mapping[str, Any], terms: Any, credit: Credit) -> None:
    """One credit, in the currency and at the rate of the invoice it names.

    `key`: merchant, order, basis_no, part, invoice_date, and shipment_no (goods that were un-picked) or return_number.
    """
    named = {"credits_basis_no": credit.basis_no, "credits_part": credit.part}
    same = {name: getattr(terms, name) for name in ("currency", "exchange_rate", "price_basis")}
    of: list[int | None] = [each.row_no for each in credit.rows]
    await _write(connection, {"shipment_no": None, "return_number": None} | dict(key) | named | same, credit.basis, of)


async def _write(connection: Session, key: dict[str, Any], part: BasisPart, credited: list[int | None] | None = None) -> None:
    await connection.execute(
        _BASIS,
        key
        | {
            "reference": reference(key["merchant"], key["basis_no"], key["part"], 0),
            "kind": "invoice" if credited is None else "credit",
            "amount": part.amount,
            "net": part.net,
            "vat": part.vat,
            "tolerance": part.tolerance,
        },
    )
    await connection.execute(
        _BASIS_ROWS,
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
            "credited": [None for _ in part.rows] if credited is None else credited,
        },
    )
