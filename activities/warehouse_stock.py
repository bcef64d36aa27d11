"""One article as the warehouse shows its stock, summed over the warehouses that count."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from clients.ongoing import ArticleInventory
from domain.money import ZERO


class Theirs(NamedTuple):
    """One article as the warehouse shows it. None: not shown, which is never zero."""

    article_id: int
    number: str
    physical: Decimal | None
    sellable: Decimal | None = None
    locked: Decimal | None = None
    unreported: tuple[Decimal | None, Decimal | None, Decimal | None] | None = None


def of_warehouses(article: ArticleInventory, ids: Sequence[int]) -> Theirs:
    rows = [row for row in article.inventory_per_warehouse if not ids or row.warehouse_id in ids]
    if len(rows) == 1 and rows[0].reported is not None:
        [row], block = rows, rows[0].reported
        figures = (block.picked_to_be_reported, block.returned_to_be_reported, block.received_to_be_reported)
        locked = less(row.number_of_locked_items, row.allocated_number_of_items)
        items, sellable = row.number_of_items, row.sellable_number_of_items
        return Theirs(article.article_system_id, article.article_number, items, sellable, locked, figures)
    if not rows:
        return Theirs(article.article_system_id, article.article_number, ZERO, None, None, (ZERO, ZERO, ZERO))
    if any(row.number_of_items is None for row in rows):
        return Theirs(article.article_system_id, article.article_number, None)
    sellable = total([row.sellable_number_of_items for row in rows])
    locked = total([less(row.number_of_locked_items, row.allocated_number_of_items) for row in rows])
    blocks = [row.reported for row in rows if row.reported is not None]
    unreported = None
    if len(blocks) == len(rows):
        unreported = (
            total([block.picked_to_be_reported for block in blocks]),
            total([block.returned_to_be_reported for block in blocks]),
            total([block.received_to_be_reported for block in blocks]),
        )
    physical = sum((row.number_of_items for row in rows if row.number_of_items is not None), ZERO)
    return Theirs(article.article_system_id, article.article_number, physical, sellable, locked, unreported)


Shown = Theirs | ArticleInventory
"""One article as the sweep has it: figures that were given, or the warehouse's own answer as it was read."""


def figures_of(shown: Shown, ids: Sequence[int]) -> Theirs:
    return shown if isinstance(shown, Theirs) else of_warehouses(shown, ids)


def plainly_equal(
    shown: Shown, number: str, quantity: Decimal, reserved: Decimal, ids: Sequence[int], available: bool, trusted: bool
) -> bool:
    """The two sides are equal, nothing is on its way, and both can be seen. Anything else is looked at closely.

    `quantity` and `reserved` are ours. A million articles are asked this, and nearly all are in one warehouse and equal: for
    those nothing is built. Figures that are not shown are equal to nothing.
    """
    if isinstance(shown, Theirs):
        return shown.number == number and _equal(shown, quantity, reserved, available, trusted)
    rows = shown.inventory_per_warehouse
    if len(rows) != 1 or rows[0].reported is None or (ids and rows[0].warehouse_id not in ids):
        return shown.article_number == number and _equal(of_warehouses(shown, ids), quantity, reserved, available, trusted)
    [row] = rows
    if row.number_of_items != quantity or shown.article_number != number:
        return False
    if trusted:
        block = rows[0].reported
        for figure in (block.picked_to_be_reported, block.returned_to_be_reported, block.received_to_be_reported):
            if figure is None or figure:
                return False
    if available:
        locked, allocated, sellable = row.number_of_locked_items, row.allocated_number_of_items, row.sellable_number_of_items
        if sellable is not None and locked is not None and allocated is not None:
            return locked == allocated and sellable == (quantity - reserved if reserved else quantity)
    return True


def _equal(theirs: Theirs, quantity: Decimal, reserved: Decimal, available: bool, trusted: bool) -> bool:
    if theirs.physical is None or theirs.physical != quantity:
        return False
    if trusted and (theirs.unreported is None or any(figure is None or figure for figure in theirs.unreported)):
        return False
    if available:
        if theirs.sellable is None or theirs.locked is None:
            return True
        return theirs.sellable == quantity - reserved - theirs.locked and not theirs.locked
    return True


def total(figures: Sequence[Decimal | None]) -> Decimal | None:
    total = ZERO
    for figure in figures:
        if figure is None:
            return None
        total += figure
    return total


def less(whole: Decimal | None, part: Decimal | None) -> Decimal | None:
    return None if whole is None or part is None else whole - part
