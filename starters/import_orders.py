"""Orders from a CSV into the ERP's tables: each order with its lines in one transaction, its release in another.

Nothing is dropped in silence: what is not taken is listed with its reason. Article numbers are taken exactly as they stand, and
numbers that differ only in case, blanks or leading zeros are listed as near-twins.
"""

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.money import rounded
from domain.vat import VatZone, vat_zone
from erp.database import Database, rows
from erp.opening import OpeningBalance

SERVICE_CODES = frozenset(["POST", "DOT", "M", "D", "S", "C2", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS", "ADJUST", "B", "m"])
PLACEHOLDER = {"address1": "Address not given", "post_code": "00000", "city": "Not given"}
COUNTRIES = {
    "australia": "AU", "austria": "AT", "bahrain": "BH", "belgium": "BE", "brazil": "BR", "canada": "CA", "channel islands": "JE",
    "cyprus": "CY", "czech republic": "CZ", "denmark": "DK", "eire": "IE", "finland": "FI", "france": "FR", "germany": "DE",
    "greece": "GR", "hong kong": "HK", "iceland": "IS", "ireland": "IE", "israel": "IL", "italy": "IT", "japan": "JP",
    "lebanon": "LB",
    "lithuania": "LT", "malta": "MT", "netherlands": "NL", "norway": "NO", "poland": "PL", "portugal": "PT", "rsa": "ZA",
    "saudi arabia": "SA", "singapore": "SG", "spain": "ES", "sweden": "SE", "switzerland": "CH", "united arab emirates": "AE",
    "united kingdom": "GB", "usa": "US",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the file that was not taken, and why."""

    row: int
    invoice_no: str
    article_number: str
    reason: str


@dataclass(slots=True)
class ImportResult:
    """What became of every line of the file: `lines == taken_lines + len(listed)`."""

    lines: int = 0
    taken_lines: int = 0
    orders: list[str] = field(default_factory=list)
    already_there: list[str] = field(default_factory=list)
    listed: list[Listed] = field(default_factory=list)
    near_twins: list[list[str]] = field(default_factory=list)
    service_articles: list[str] = field(default_factory=list)
    new_articles: int = 0
    net: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Line:
    row: int
    article_number: str
    description: str
    quantity: Decimal
    unit_price: Decimal


@dataclass(slots=True)
class _Order:
    number: str
    customer: str | None
    country: str
    on: date
    lines: list[_Line] = field(default_factory=list)


_ARTICLE = text(
    """
    insert into erp.article (merchant_id, article_number, name, stock_article, vat_rate)
    values (:merchant, :number, :name, :stock, :vat) on conflict do nothing
    """
)
_CUSTOMER = text(
    """
    insert into erp.customer (merchant_id, customer_number, name, country, address1, post_code, city)
    values (:merchant, :number, :name, :country, :address1, :post_code, :city) on conflict do nothing
    """
)
_ORDER = text(
    """
    insert into erp.sales_order (merchant_id, order_number, customer_number, currency, price_basis, order_date, delivery_name,
      delivery_address1, delivery_post_code, delivery_city, delivery_country)
    values (:merchant, :number, :customer, :currency, :price_basis, :on, :name, :address1, :post_code, :city, :country)
    """
)
_LINE = text(
    """
    insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, description, quantity,
      unit_price, vat_rate)
    values (:merchant, :number, :line, :article, :description, :quantity, :price, :vat)
    """
)
_RELEASE = text(
    "update erp.sales_order set status = 'released' where merchant_id = :merchant and order_number = :number and status = 'draft'"
)
_MERCHANT = text("select currency, country from erp.merchant where merchant_id = :merchant")
_ORDERS = text(
    "select order_number from erp.sales_order where merchant_id = :merchant and order_number = any(cast(:numbers as text[]))"
)


async def import_orders(
    database: Database, merchant: str, file: Path, vat_rate: Decimal, gross: bool
) -> tuple[ImportResult, list[OpeningBalance]]:
    """Write the file's orders as drafts, as the ERP would; returns what became of each line, and the stock that would suffice.

    `database` is reached as the ERP's own role. Domestic and EU lines get `vat_rate`, others none. An order that is there
    already is left as it is. Raises `ValueError`, naming row and column, when the file is not such a CSV.
    """
    async with database.everyone() as session:
        known = await rows(session, _MERCHANT, merchant=merchant)
    if not known:
        raise ValueError(f"merchant {merchant!r} is not in erp.merchant: connect it first (lagerbro up makes `demo`)")
    home, currency = known[0].country, known[0].currency
    result = ImportResult()
    orders = _read(file, result)
    async with database.everyone() as session:
        there = {r.order_number for r in await rows(session, _ORDERS, merchant=merchant, numbers=list(orders))}
    for number in sorted(there):
        result.already_there.append(number)
        result.listed += [
            Listed(line.row, number, line.article_number, "the order is there already") for line in orders[number].lines
        ]
        del orders[number]
    await _articles(database, merchant, orders, vat_rate, result)
    for order in orders.values():
        rate = vat_rate if vat_zone(home, order.country, None) is not VatZone.EXPORT else Decimal(0)
        await _write(database, merchant, order, currency, rate, gross, result)
    return result, _stock_needed([orders[number] for number in result.orders])


async def release_orders(database: Database, merchant: str, numbers: list[str]) -> None:
    """Release drafts one by one, as an ERP does. One that is released already stays as it is."""
    for number in numbers:
        async with database.everyone() as session:
            await session.execute(_RELEASE, {"merchant": merchant, "number": number})


def _read(file: Path, result: ImportResult) -> dict[str, _Order]:
    orders: dict[str, _Order] = {}
    unreadable: set[str] = set()
    try:
        content = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{file.name} is not UTF-8: save it as UTF-8 (in a spreadsheet: CSV UTF-8)") from None
    with io.StringIO(content, newline="") as stream:
        reader = csv.DictReader(stream)
        columns = reader.fieldnames or []
        price_column = next((name for name in columns if name.startswith("unit_price")), None)
        missing = {"invoice_no", "stock_code", "description", "quantity", "invoice_date", "customer_id", "country"} - set(columns)
        if missing or price_column is None:
            lacking = sorted(missing | ({"unit_price"} if price_column is None else set()))
            hint = "; the separator must be a comma" if len(columns) == 1 and ";" in columns[0] else ""
            raise ValueError(f"{file.name}: columns missing: {', '.join(lacking)}{hint}")
        for row_number, row in enumerate(reader, start=2):
            result.lines += 1
            if not _take(orders, row, row_number, price_column, result):
                unreadable.add((row["invoice_no"] or "").strip())
    for number in unreadable & set(orders):
        for line in orders[number].lines:
            result.listed.append(Listed(line.row, number, line.article_number, "another line of the order is not readable"))
        del orders[number]
    result.listed.sort(key=lambda item: item.row)
    return orders


def _take(orders: dict[str, _Order], row: dict[str, Any], row_number: int, price_column: str, result: ImportResult) -> bool:
    """Take the row or list it. False when it is not readable: then nobody knows what its order should be."""
    number, article = (row["invoice_no"] or "").strip(), (row["stock_code"] or "").strip()

    def leave(reason: str, readable: bool = True) -> bool:
        result.listed.append(Listed(row_number, number, article, reason))
        return readable

    if number.upper().startswith("C"):
        return leave("a cancellation (C invoice) is not an order")
    if not number or not article or None in row:
        return leave("invoice_no or stock_code is empty, or there are too many columns", readable=False)
    try:
        quantity, price = Decimal(row["quantity"]), Decimal(row[price_column])
    except (InvalidOperation, TypeError):
        return leave("quantity or price is not a number", readable=False)
    try:
        on = datetime.fromisoformat(row["invoice_date"]).date()
    except (ValueError, TypeError):
        return leave("invoice_date is not a date", readable=False)
    if not (quantity.is_finite() and price.is_finite()):
        return leave("quantity or price is not a number", readable=False)
    country = COUNTRIES.get((row["country"] or "").strip().lower(), (row["country"] or "").strip())
    if quantity <= 0:
        return leave("quantity is not above 0")
    if price <= 0:
        return leave("price is not above 0")
    if len(country) != 2:
        return leave(f"country {row['country']!r} is not known; use its two-letter code", readable=False)
    order = orders.setdefault(number, _Order(number, (row["customer_id"] or "").strip() or None, country, on))
    order.lines.append(_Line(row_number, article, (row["description"] or "").strip() or article, quantity, price))
    return True


async def _articles(
    database: Database, merchant: str, orders: dict[str, _Order], vat_rate: Decimal, result: ImportResult
) -> None:
    names: dict[str, str] = {}
    for order in orders.values():
        for line in order.lines:
            names.setdefault(line.article_number, line.description)
    async with database.everyone() as session:
        for number, name in names.items():
            service = number in SERVICE_CODES
            values = {"merchant": merchant, "number": number, "name": name, "stock": not service, "vat": vat_rate}
            try:
                async with session.begin_nested():
                    result.new_articles += (await session.execute(_ARTICLE, values)).rowcount
            except DBAPIError as refused:
                if refused.connection_invalidated:
                    raise
                continue  # its orders are refused, and listed, with the same article number
            if service:
                result.service_articles.append(number)
    alike: dict[str, list[str]] = defaultdict(list)
    for number in names:
        alike["".join(number.split()).casefold().lstrip("0")].append(number)
    result.near_twins = sorted(sorted(twins) for twins in alike.values() if len(twins) > 1)


async def _write(
    database: Database, merchant: str, order: _Order, currency: str, vat_rate: Decimal, gross: bool, result: ImportResult
) -> None:
    key = {"merchant": merchant, "number": order.number}
    name = f"Customer {order.customer}" if order.customer else "Customer not given"
    try:
        async with database.everyone() as session:
            if order.customer:
                await session.execute(
                    _CUSTOMER,
                    {"merchant": merchant, "number": order.customer, "name": name, "country": order.country} | PLACEHOLDER,
                )
            await session.execute(
                _ORDER,
                key
                | {"customer": order.customer, "currency": currency, "price_basis": "gross" if gross else "net", "on": order.on}
                | {"name": name, "country": order.country}
                | PLACEHOLDER,
            )
            await session.execute(
                _LINE,
                [
                    key
                    | {
                        "line": n,
                        "article": line.article_number,
                        "description": line.description,
                        "quantity": line.quantity,
                        "price": line.unit_price,
                        "vat": vat_rate,
                    }
                    for n, line in enumerate(order.lines, start=1)
                ],
            )
    except DBAPIError as refused:
        if refused.connection_invalidated:
            raise
        constraint = getattr(refused.orig, "constraint_name", None) or str(refused.orig).splitlines()[0][:200]
        result.listed += [
            Listed(line.row, order.number, line.article_number, f"the database refuses the order: {constraint}")
            for line in order.lines
        ]
        return
    result.orders.append(order.number)
    result.taken_lines += len(order.lines)
    result.net += sum((rounded(line.quantity * line.unit_price) for line in order.lines), Decimal(0))


def _stock_needed(orders: list[_Order]) -> list[OpeningBalance]:
    """For each stock article what all orders together take, at half of its highest price: whole öre, at least one."""
    quantities: dict[str, Decimal] = defaultdict(Decimal)
    prices: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders:
        for line in order.lines:
            if line.article_number not in SERVICE_CODES:
                quantities[line.article_number] += line.quantity
                prices[line.article_number] = max(prices[line.article_number], line.unit_price)
    least = Decimal("0.01")
    return [OpeningBalance(n, quantity, max(rounded(prices[n] / 2), least)) for n, quantity in sorted(quantities.items())]
