"""From counted steps to ledger entries and postings: what a pick does to stock and to the books.

A pick takes the pool's cost out and lays it on cost of goods sold. A pick that is undone takes back the line's own entries,
last first, at the value they left with: by running totals, so that the parts of an entry add up to it and the last piece
carries the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from domain.costing import Pool
from domain.counting import Line, Step
from domain.errors import Refused
from domain.money import ZERO, rounded
from domain.pools import AnyPool
from domain.posting_rules import ANY, Facts, PostingRule, built_in, first_match

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
class About:
    """What posting rules may ask of the document behind a booking; None where it is not known."""

    order_type: str | None = None
    vat_zone: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class StockAccounts:
    """Where stock is booked. `elsewhere`: where goods go that leave unsold, as by a transfer; None when they are sold.
    `received`: what is owed for goods that have come in and are not invoiced. `price_difference`: set where stock stands at a
    set price, and what goods cost more is a difference of its own. `rules`: the merchant's own, which come first; `about` and
    `groups` (each article's group) are what they may ask for."""

    stock: int
    cost_of_goods_sold: int
    opening: int
    scrapped: int = 4990
    elsewhere: int | None = None
    received: int | None = None
    price_difference: int | None = None
    rules: tuple[PostingRule, ...] = ()
    about: About = About()
    groups: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> list[PostingRule]:
        """All rules in order: the merchant's own, then what the single accounts come to."""
        elsewhere = {} if self.elsewhere is None else {ANY: self.elsewhere}
        single = (self.stock, self.cost_of_goods_sold, self.opening, self.scrapped, self.received, self.price_difference)
        return [*self.rules, *built_in(*single, elsewhere)]

    def facts(self, event: str, place: Place) -> Facts:
        about = self.about
        group = self.groups.get(place[0])
        return Facts(event, place[0], group, place[1], about.order_type, about.vat_zone, about.country)


def move_stock(
    movements: Sequence[Movement], pools: Mapping[Place, AnyPool], earlier: Mapping[Line, Sequence[Earlier]]
) -> tuple[list[Entry], dict[Place, AnyPool]]:
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
                pool, true_up = pool.put_back(taken.quantity, taken.value)
                entries.append(
                    replace(_entry(movement, "pick-reversal", taken.quantity, taken.value, pool), reverses=taken.entry_no)
                )
                if true_up:
                    entries.append(_entry(movement, "true-up", ZERO, -true_up, pool))
        after[movement.place] = pool
    return entries, after


def _entry(movement: Movement, kind: str, quantity: Decimal, value: Decimal, pool: AnyPool) -> Entry:
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
    "cost": "stock-revalued",
}
UNSOLD = {"goods-issue": "goods-transferred", "goods-issue-reversed": "goods-transferred-reversed"}
"""What an issue is called in the books when the goods leave unsold."""


def postings(entries: Sequence[Entry], accounts: StockAccounts) -> tuple[list[Posting], list[int | None]]:
    """One balanced posting per event, day and accounts, and for each entry the number (from 1) of the posting that holds it.

    An entry without value has no posting: there is nothing to book.
    """
    table = accounts.table()
    totals: dict[Group, Decimal] = {}
    groups = [_group(entry, accounts, table) if entry.value else None for entry in entries]
    for entry, group in zip(entries, groups, strict=True):
        if group is not None:
            totals[group] = totals.get(group, ZERO) + entry.value
    numbers = {group: n for n, group in enumerate((g for g, total in totals.items() if total), start=1)}
    booked = [Posting(group[0], group[1], _rows(totals[group], group[2], group[3])) for group in numbers]
    return booked, [numbers.get(group) if group is not None else None for group in groups]


Group = tuple[str, date, int, int, bool]


def _group(entry: Entry, accounts: StockAccounts, table: Sequence[PostingRule]) -> Group:
    """What one posting holds. Where the account is the entry's own, plus and minus are booked apart: they are no one fact."""
    event = _event(entry, accounts)
    rule = first_match(table, accounts.facts(event, entry.place))
    if rule is not None:
        stock, other = rule.sides(event)
    elif entry.account is not None:
        stock, other = accounts.stock, entry.account
    else:
        raise Refused(*_without_rule(event, entry))
    return event, entry.accounting_date, stock, other, entry.account is not None and entry.value > 0


def _without_rule(event: str, entry: Entry) -> tuple[str, str]:
    code = "goods-received-account-missing" if event in RECEIPTS else "posting-rule-missing"
    more = "goods_received_not_invoiced_account or " if event in RECEIPTS else ""
    text = f"article {entry.place[0]} in {entry.place[1]}: no posting rule for {event}; set {more}posting_rules"
    return code, f"{text} in the merchant's settings"


RECEIPTS = frozenset({"goods-received", "goods-receipt-undone"})


def _event(entry: Entry, accounts: StockAccounts) -> str:
    event = EVENTS[entry.kind]
    if event == "cost-settled" and accounts.price_difference is not None:
        return "price-difference"
    return event if accounts.elsewhere is None else UNSOLD.get(event, event)


def _rows(value: Decimal, stock: int, other: int) -> tuple[PostingRow, ...]:
    amount = abs(value)
    debit, credit = (stock, other) if value > 0 else (other, stock)
    return PostingRow(debit, amount, ZERO), PostingRow(credit, ZERO, amount)


def opening(
    place: Place, quantity: Decimal, value: Decimal, cause: str, at: datetime, on: date, pool: AnyPool | None = None
) -> tuple[list[Entry], AnyPool]:
    """The opening balance of an article that never moved, into its empty pool. At a set price it may leave a difference."""
    pool, difference = (Pool() if pool is None else pool).receive(quantity, value)
    entries = [Entry(place, "opening", quantity, value, None, at, on, cause=cause, epoch=pool.epoch, keep=pool.keep)]
    if difference:
        more = f"{cause}/difference"
        entries.append(Entry(place, "true-up", ZERO, -difference, None, at, on, more, epoch=pool.epoch, keep=pool.keep))
    return entries, pool
