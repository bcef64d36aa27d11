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


def total(figures: Sequence[Decimal | None]) -> Decimal | None:
    total = ZERO
    for figure in figures:
        if figure is None:
            return None
        total += figure
    return total


def less(whole: Decimal | None, part: Decimal | None) -> Decimal | None:
    return None if whole is None or part is None else whole - part
