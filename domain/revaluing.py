"""Revaluation: goods received and not invoiced at today's purchase prices and exchange rates, stock at set prices at new ones.

First a preview, which writes nothing: for each receipt and each price what it comes to, for stock and for the result. Then just
that is booked, or nothing: the preview has a hash over all that it rests on, so books that have moved since have another.

Goods that are invoiced are never revalued: their cost is what was paid. A reserve for write-down to what goods sell for is no
part of this: it is kept beside stock, by hand.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any

from domain.fifo import FifoPool
from domain.fixed_price import FixedPricePool
from domain.money import ZERO, rounded
from domain.pools import AnyPool, settle
from domain.revaluation import Mark
from domain.stock import Entry, Place


@dataclass(frozen=True, slots=True)
class Asked:
    """What a revaluation goes by: exchange rates by currency; `purchases`: the prices of the purchase orders as they are now;
    `prices`: the list of standard costs, or the latest purchase. `on` is the accounting day."""

    on: date
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    purchases: bool = False
    prices: bool = False

    def as_document(self) -> dict[str, Any]:
        rates = {currency: f"{rate.normalize():f}" for currency, rate in sorted(self.rates.items())}
        return {"on": self.on.isoformat(), "rates": rates, "purchases": self.purchases, "prices": self.prices}


@dataclass(frozen=True, slots=True)
class ReceivedNotInvoiced:
    """A line of a goods receipt, as far as no invoice has come: pieces, and what they stand for in our books. `price_now` is that
    of the purchase order today."""

    purchase: str
    receipt_no: int
    row_no: int
    place: Place
    at: Mark
    quantity: Decimal
    value: Decimal
    currency: str
    price: Decimal
    rate: Decimal
    price_now: Decimal
    order_type: str = "normal"


@dataclass(frozen=True, slots=True)
class Line:
    """One receipt or one price: `amount` is what more (or less) is owed to the supplier, `stock` and `result` its two parts;
    a positive result is a cost. A new price owes nobody anything: its parts add up to nothing."""

    place: Place
    before: Decimal
    amount: Decimal
    stock: Decimal
    result: Decimal
    receipt: ReceivedNotInvoiced | None = None
    price: Decimal | None = None
    rate: Decimal | None = None
    epoch: int = 1
    keep: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class ArticleEffect:
    """What a revaluation does to one article in one warehouse."""

    place: Place
    quantity: Decimal
    value_before: Decimal
    value_after: Decimal
    result: Decimal

    @property
    def stock(self) -> Decimal:
        return self.value_after - self.value_before

    @property
    def cost_before(self) -> Decimal:
        return _each(self.value_before, self.quantity)

    @property
    def cost_after(self) -> Decimal:
        return _each(self.value_after, self.quantity)


@dataclass(frozen=True, slots=True)
class Preview:
    """All of a revaluation before it is booked. `hash` stands for exactly this, on books that stand exactly so."""

    asked: Asked
    lines: tuple[Line, ...]
    articles: tuple[ArticleEffect, ...]
    pools: Mapping[Place, AnyPool]
    hash: str

    @property
    def stock(self) -> Decimal:
        return sum((line.stock for line in self.lines), ZERO)

    @property
    def result(self) -> Decimal:
        return sum((line.result for line in self.lines), ZERO)


def preview(
    asked: Asked,
    receipts: Sequence[ReceivedNotInvoiced],
    new_prices: Mapping[Place, Decimal],
    pools: Mapping[Place, AnyPool],
    standing: Mapping[Place, int],
) -> Preview:
    """Go through the receipts in their order, then through the set prices. `standing` is the last entry of each balance."""
    after = dict(pools)
    lines: list[Line] = []
    for receipt in receipts:
        wanted = _wanted(asked, receipt)
        if wanted is None:
            continue
        price, rate, value = wanted
        pool, parts = settle(after[receipt.place], receipt.at, value - receipt.value)
        after[receipt.place] = pool
        amounts = (value - receipt.value, parts.stock, parts.sold)
        epoch = receipt.at.epoch if isinstance(pool, FifoPool) else pool.epoch
        lines.append(Line(receipt.place, receipt.value, *amounts, receipt, price, rate, epoch, pool.keep))
    for place, price in sorted(new_prices.items()) if asked.prices else ():
        pool = after[place]
        if not isinstance(pool, FixedPricePool) or pool.price == rounded(price, 6):
            continue
        after[place], more = pool.reprice(price)
        lines.append(Line(place, pool.value, ZERO, more, -more, price=price))
    lines = [line for line in lines if line.amount or line.stock or line.price is not None]
    touched = sorted({line.place for line in lines})
    effects = [
        ArticleEffect(
            place,
            pools[place].quantity,
            pools[place].value,
            after[place].value,
            sum((line.result for line in lines if line.place == place), ZERO),
        )
        for place in touched
    ]
    numbered = {place: standing.get(place, 0) for place in touched}
    mark = _hash(asked, lines, effects, numbered)
    return Preview(asked, tuple(lines), tuple(effects), {place: after[place] for place in touched}, mark)


def _wanted(asked: Asked, receipt: ReceivedNotInvoiced) -> tuple[Decimal, Decimal, Decimal] | None:
    """Price, rate and value that a receipt is to stand at; None where it stays as it is."""
    price = receipt.price_now if asked.purchases else receipt.price
    rate = asked.rates.get(receipt.currency, receipt.rate)
    if receipt.quantity and (price, rate) == (receipt.price, receipt.rate):
        return None
    with localcontext() as context:
        context.prec = 60
        value = rounded(receipt.quantity * price * rate)
    return None if value == receipt.value else (price, rate, value)


def entries_of(found: Preview, number: int, accounts: Mapping[int, int], at: datetime) -> list[Entry]:
    """The ledger entries of a revaluation. All of an amount comes to stock against `accounts` (by line, from 1), then what
    belongs to goods that are sold leaves again: two facts, each with its own posting."""
    entries = []
    for n, line in enumerate(found.lines, start=1):
        cause = f"revaluation/{number}/{n}"
        whole = line.amount if line.receipt else line.stock
        base = Entry(line.place, "cost", ZERO, whole, None, at, found.asked.on, cause, None, line.epoch, line.keep)
        if whole:
            entries.append(replace(base, account=accounts[n]))
        if line.receipt and line.result:
            entries.append(replace(base, kind="true-up", value=-line.result, cause=f"{cause}/result"))
    return entries


def _hash(asked: Asked, lines: Sequence[Line], effects: Sequence[ArticleEffect], standing: Mapping[Place, int]) -> str:
    told = {
        "asked": asked.as_document(),
        "lines": [
            [
                *line.place,
                str(line.before),
                str(line.amount),
                str(line.stock),
                str(line.result),
                str(line.price),
                str(line.rate),
                [line.receipt.purchase, line.receipt.receipt_no, line.receipt.row_no] if line.receipt else None,
            ]
            for line in lines
        ],
        "articles": [[*each.place, str(each.quantity), str(each.value_before), str(each.value_after)] for each in effects],
        "standing": [[*place, number] for place, number in sorted(standing.items())],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _each(value: Decimal, quantity: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return rounded(value / quantity, 6) if quantity else ZERO
