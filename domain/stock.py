"""From counted steps to ledger entries and postings: what a pick does to stock and to the books.

A pick takes the pool's cost out and lays it on cost of goods sold. A pick that is undone takes back the line's own entries,
last first, at the value they left with: by running totals, so that the parts of an entry add up to it and the last piece
carries the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from domain.costing import Pool
from domain.counting import Line, Step
from domain.money import ZERO, rounded

Place = tuple[str, str]
"""An article in a warehouse of ours."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One counted step that moves stock: which article, from where, when it happened and the day it is booked on."""

    step: Step
    place: Place
    occurred_at: datetime
    accounting_date: date


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the stock ledger: signed quantity and value. `reverses` names the entry that it takes back; `account` is the
    other side of its posting where that does not follow from its kind."""

    place: Place
    kind: str
    quantity: Decimal
    value: Decimal
    step: Step | None
    occurred_at: datetime
    accounting_date: date
    cause: str | None = None
    reverses: int | None = None
    epoch: int = 1
    keep: Decimal = Decimal(1)
    account: int | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """An entry of a line that may be taken back: what is left of it after earlier reversals."""

    entry_no: int
    quantity: Decimal
    value: Decimal
    quantity_left: Decimal
    value_left: Decimal


@dataclass(frozen=True, slots=True)
class PostingRow:
    account: int
    debit: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True)
class Posting:
    """One balanced booking for one accounting date. Entries name it by its place in the list, from 1."""

    event: str
    accounting_date: date
    rows: tuple[PostingRow, ...]


@dataclass(frozen=True, slots=True)
class StockAccounts:
    """Where stock is booked. `elsewhere`: where goods go that leave unsold, as by a transfer; None when they are sold.
    `received`: what is owed for goods that have come in and are not invoiced."""

    stock: int
    cost_of_goods_sold: int
    opening: int
    scrapped: int = 4990
    elsewhere: int | None = None
    received: int | None = None


def move_stock(
    movements: Sequence[Movement], pools: Mapping[Place, Pool], earlier: Mapping[Line, Sequence[Earlier]]
) -> tuple[list[Entry], dict[Place, Pool]]:
    """Entries for the movements, in their order, and the pools as they stand afterwards.

    `earlier` holds, for each line with a decrease, its entries newest first.
    """
    entries: list[Entry] = []
    after = dict(pools)
    for movement in movements:
        pool = after[movement.place]
        if movement.step.quantity > 0:
            pool, cost = pool.issue(movement.step.quantity)
            entries.append(_entry(movement, "pick", -movement.step.quantity, -cost, pool))
        else:
            for taken in taken_back(-movement.step.quantity, earlier[movement.step.line]):
                pool, true_up = pool.receive(taken.quantity, taken.value)
                entries.append(
                    replace(_entry(movement, "pick-reversal", taken.quantity, taken.value, pool), reverses=taken.entry_no)
                )
                if true_up:
                    entries.append(_entry(movement, "true-up", ZERO, -true_up, pool))
        after[movement.place] = pool
    return entries, after


def _entry(movement: Movement, kind: str, quantity: Decimal, value: Decimal, pool: Pool) -> Entry:
    return Entry(
        movement.place,
        kind,
        quantity,
        value,
        movement.step,
        movement.occurred_at,
        movement.accounting_date,
        epoch=pool.epoch,
        keep=pool.keep,
    )


def taken_back(quantity: Decimal, earlier: Iterable[Earlier]) -> list[Earlier]:
    """So many pieces of these entries, newest first, at their own value; the parts of an entry add up to it."""
    taken = []
    for entry in earlier:
        part = min(quantity, entry.quantity_left)
        if part <= 0:
            continue
        back_after = entry.quantity - entry.quantity_left + part
        value = rounded(entry.value * back_after / entry.quantity) - (entry.value - entry.value_left)
        taken.append(Earlier(entry.entry_no, part, value, ZERO, ZERO))
        quantity -= part
    if quantity:
        raise ValueError(f"{quantity} pieces more are taken back than were ever booked")
    return taken


EVENTS = {
    "pick": "goods-issue",
    "pick-reversal": "goods-issue-reversed",
    "true-up": "cost-settled",
    "opening": "opening-balance",
    "receipt": "goods-received",
    "receipt-reversal": "goods-receipt-undone",
    "return": "goods-returned",
    "return-scrapped": "goods-returned",
    "return-reversal": "goods-return-undone",
    "scrap": "goods-scrapped",
    "scrap-reversal": "goods-scrap-undone",
    "adjustment": "stock-adjusted",
}
RECEIPTS = frozenset({"goods-received", "goods-receipt-undone"})
UNSOLD = {"goods-issue": "goods-transferred", "goods-issue-reversed": "goods-transferred-reversed"}
"""What an issue is called in the books when the goods leave unsold."""


def postings(entries: Sequence[Entry], accounts: StockAccounts) -> tuple[list[Posting], list[int | None]]:
    """One balanced posting per event, day and account, and for each entry the number (from 1) of the posting that holds it.

    An entry without value has no posting: there is nothing to book.
    """
    totals: dict[Group, Decimal] = {}
    for entry in entries:
        group = _group(entry, accounts)
        totals[group] = totals.get(group, ZERO) + entry.value
    numbers = {group: n for n, group in enumerate((g for g, total in totals.items() if total), start=1)}
    booked = [Posting(group[0], group[1], _rows(totals[group], accounts.stock, group[2])) for group in numbers]
    return booked, [numbers.get(_group(entry, accounts)) for entry in entries]


Group = tuple[str, date, int, bool]


def _group(entry: Entry, accounts: StockAccounts) -> Group:
    """What one posting holds. Where the account is the entry's own, plus and minus are booked apart: they are no one fact."""
    event = _event(entry, accounts)
    if entry.account is None:
        return event, entry.accounting_date, _other_side(event, accounts), False
    return event, entry.accounting_date, entry.account, entry.value > 0


def _event(entry: Entry, accounts: StockAccounts) -> str:
    event = EVENTS[entry.kind]
    return event if accounts.elsewhere is None else UNSOLD.get(event, event)


def _other_side(event: str, accounts: StockAccounts) -> int:
    if event in RECEIPTS:
        if accounts.received is None:
            raise ValueError("goods are received, and no account says what is owed for them")
        return accounts.received
    special = {"opening-balance": accounts.opening, "goods-scrapped": accounts.scrapped, "goods-scrap-undone": accounts.scrapped}
    return special.get(event, accounts.cost_of_goods_sold if accounts.elsewhere is None else accounts.elsewhere)


def _rows(value: Decimal, stock: int, other: int) -> tuple[PostingRow, ...]:
    amount = abs(value)
    debit, credit = (stock, other) if value > 0 else (other, stock)
    return PostingRow(debit, amount, ZERO), PostingRow(credit, ZERO, amount)


def opening(place: Place, quantity: Decimal, value: Decimal, cause: str, at: datetime, on: date) -> tuple[Entry, Pool]:
    """The opening balance of an article that has never moved."""
    pool, _ = Pool().receive(quantity, value)
    return Entry(place, "opening", quantity, value, None, at, on, cause=cause, epoch=pool.epoch, keep=pool.keep), pool
