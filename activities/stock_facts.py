"""What the warehouse has moved and our books have not: picks, returns, its own corrections, what was thrown away."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from clients.ongoing import ArticleAdjustments, GetOrder, GetOrderLine
from domain.money import ZERO
from domain.reconciling import Adjusted, AdjustmentKey, Fact
from erp.counters import PICKED, RETURNED, SALES_ORDER
from erp.reconciling import Known

SAME_MOMENT = timedelta(minutes=2)
NO_CAUSE = "no cause"
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Corrections:
    """The warehouse's own corrections in the window: sums by counter, rows by article, and what we have booked of them."""

    seen: dict[AdjustmentKey, Decimal]
    rows: dict[int, list[tuple[AdjustmentKey, Decimal, datetime]]]
    numbers: dict[int, str]
    booked: dict[AdjustmentKey, Adjusted]
    waiting: set[AdjustmentKey] = field(default_factory=set)
    causes: dict[str, str] = field(default_factory=dict)

    def unbooked(self, article_id: int) -> dict[AdjustmentKey, Decimal]:
        """Signed pieces that are not booked, by counter."""
        keys = {key for key in (*self.seen, *self.booked) if key.article_id == article_id}
        found = {}
        for key in keys:
            more = self.seen.get(key, ZERO) - self.booked.get(key, Adjusted()).booked
            if more:
                found[key] = more if key.up else -more
        return found

    @property
    def touched(self) -> set[int]:
        return {key.article_id for key in {*self.seen, *self.booked} if self.unbooked_of(key)}

    def unbooked_of(self, key: AdjustmentKey) -> Decimal:
        return self.seen.get(key, ZERO) - self.booked.get(key, Adjusted()).booked


@dataclass(frozen=True, slots=True)
class Candidate:
    """A correction, by its place among those of its article, that may throw away what came back on a line."""

    order: GetOrder
    line: GetOrderLine
    key: AdjustmentKey
    place: int
    quantity: Decimal


def order_facts(
    order_id: int,
    name: str,
    line: GetOrderLine,
    about: Known,
    scrapped: Mapping[tuple[int, int], Decimal],
    thrown: Mapping[tuple[int, int], Decimal],
) -> list[Fact]:
    """What one line of an order has moved and our books have not: picks piece by piece, newest first, returns, thrown away."""
    key, doubtful = f"{SALES_ORDER}:{order_id}", line.line_id in about.doubtful

    def fact(what: str, quantity: Decimal, at: datetime | None, in_doubt: bool = False) -> Fact:
        return Fact(what, name, quantity, at, about.looked_at, about.ours, about.alive, doubtful or in_doubt, None, key)

    found = []
    unpicked = (line.picked or ZERO) - about.booked.get((line.line_id, PICKED), ZERO)
    if line.picked is None:
        found.append(fact("picked", ZERO, None, True))
    elif unpicked > 0:
        for item in sorted(
            (
                item
                for item in line.picked_article_items
                if item.picked_time and item.is_picked is not False and item.number_of_items
            ),
            key=lambda item: item.picked_time or NEVER,
            reverse=True,
        ):
            part = min(unpicked, item.number_of_items or ZERO)
            if part > 0:
                found.append(fact("picked", -part, item.picked_time))
                unpicked -= part
        if unpicked:
            found.append(fact("picked", -unpicked, line.picked_at))
    elif unpicked:
        found.append(fact("picked", -unpicked, line.picked_at))
    back = (line.returned or ZERO) - about.booked.get((line.line_id, RETURNED), ZERO)
    if back:
        at = max((item.return_date for item in line.picked_article_items if item.return_date), default=None)
        found.append(fact("returned", back, at))
    gone = thrown.get((order_id, line.line_id), ZERO) - scrapped.get((order_id, line.line_id), ZERO)
    if gone:
        found.append(fact("returned", gone, None))
    return found


def adjustment_facts(article_id: int | None, corrections: Corrections, thrown: Mapping[tuple[int, int], Decimal]) -> list[Fact]:
    """The warehouse's corrections of an article that are not booked, each with its cause."""
    if article_id is None:
        return []
    found = []
    for key, quantity in sorted(corrections.unbooked(article_id).items()):
        times = [at for one, _, at in corrections.rows.get(article_id, ()) if one == key]
        counter = corrections.booked.get(key, Adjusted())
        shrinks = corrections.unbooked_of(key) < 0 or counter.doubt is not None
        found.append(
            Fact(
                "adjusted",
                f"stock-taking {key.inventory_id}",
                quantity,
                max(times, default=None),
                None,
                True,
                True,
                shrinks,
                key.cause,
                f"adjustment:{key.inventory_id}",
            )
        )
    return found


def scrap_candidates(orders: Iterable[GetOrder], corrections: Corrections) -> list[Candidate]:
    """Corrections that may throw away what came back: the same article and quantity in the same moment, and not booked yet."""
    found = []
    used: set[tuple[int, int]] = set()
    for order in sorted(orders, key=lambda each: each.order_id):
        for line in (leaf for each in order.lines for leaf in each.leaves):
            rows = corrections.rows.get(line.article_system_id or 0, [])
            for item in line.picked_article_items:
                if not (item.is_returned and item.return_date and item.number_of_items):
                    continue
                for place, (key, quantity, at) in enumerate(rows):
                    mark = (line.article_system_id or 0, place)
                    fits = quantity == -item.number_of_items and abs(at - item.return_date) <= SAME_MOMENT
                    if mark not in used and fits and corrections.unbooked_of(key) >= item.number_of_items:
                        used.add(mark)
                        found.append(Candidate(order, line, key, place, item.number_of_items))
                        break
    return found


def sum_up(
    listed: Sequence[ArticleAdjustments],
    booked: Mapping[AdjustmentKey, Adjusted],
    warehouse_ids: Sequence[int],
    cut: datetime | None = None,
) -> Corrections:
    """The corrections as counters: plus and minus apart, by inventory, article, warehouse and cause."""
    corrections = Corrections({}, {}, {}, dict(booked))
    for article in listed:
        for row in article.adjustments:
            if row.number_of_items is None or row.inventory_time is None or not row.number_of_items:
                continue
            house = row.warehouse_id or 0
            if (warehouse_ids and house not in warehouse_ids) or (cut is not None and row.inventory_time > cut):
                continue
            cause = (row.cause.code if row.cause else NO_CAUSE)[:100]
            key = AdjustmentKey(row.inventory_id, article.article_system_id, house, cause, row.number_of_items > 0)
            if row.cause and row.cause.name:
                corrections.causes[cause] = row.cause.name
            corrections.seen[key] = corrections.seen.get(key, ZERO) + abs(row.number_of_items)
            corrections.rows.setdefault(article.article_system_id, []).append((key, row.number_of_items, row.inventory_time))
            corrections.numbers[article.article_system_id] = article.article_number
    return corrections
