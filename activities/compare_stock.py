"""Comparing some articles of the warehouse with our books, closely: each at one instant on both sides, explained.

Our version, the warehouse's row, the documents, the row again, our version again: only when nothing moved in between does the
difference mean anything; else it is tried anew, and after a few times put off to the next run.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from activities.stock_facts import Corrections
from activities.their_corrections import TheirCorrections
from activities.their_documents import documents_of, picked_from
from activities.their_moves import TheirMoves
from activities.their_stock import TheirStock
from activities.warehouse_stock import Theirs
from clients.ongoing import OngoingClient
from domain.adjusting import cost_of
from domain.costing import Pool
from domain.money import ZERO
from domain.reconciliation_settings import ReconciliationSettings
from domain.reconciling import Explanation, Happened, Snapshot, explain, explain_available
from erp import reconciling
from erp.database import Database
from erp.differences import Found
from erp.merchants import Merchant
from erp.reconciling import Close

TRIES = 3
AT_ONCE = 60

Unmatched = tuple[str, str, Decimal, str]
"""Side, number, quantity, what to do."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One article read closely: its differences, what was listed of it by document, the version of ours that it holds for."""

    close: Close
    physical: Explanation
    available: Explanation | None
    listed: dict[str, Decimal]
    unit_cost: Decimal | None
    read_at: datetime
    their_number: str | None
    moving: bool
    happened: tuple[Happened, ...] = ()

    def found(self) -> list[Found]:
        """What the run has to say of it; nothing when everything agrees."""
        said = [("physical", self.physical)]
        if self.available is not None:
            said.append(("available", self.available))
        return [
            Found(comparison, explanation, self.unit_cost, self.read_at)
            for comparison, explanation in said
            if explanation.parts or explanation.difference
        ]


@dataclass
class Comparer:
    """One merchant's comparison. `at` is the business's time when it was made; from there on it runs with the real clock."""

    database: Database
    client: OngoingClient
    merchant: Merchant
    at: datetime
    beat: Callable[[], None] = lambda: None
    cut: datetime | None = None
    given: Mapping[int, Decimal] | None = None
    _began: float = field(default_factory=time.monotonic)

    @cached_property
    def rules(self) -> ReconciliationSettings:
        return self.merchant.settings.reconciling

    @property
    def who(self) -> str:
        return self.merchant.merchant_id

    @property
    def warehouse(self) -> str:
        return self.merchant.settings.warehouse

    @cached_property
    def trusted(self) -> bool:
        """Whether Ongoing's own figures of what is not reported come with its stock, and may be believed."""
        instant = self.rules.instant
        shown = not (instant.goods_leave_at_collection or instant.received_counts_when_finished)
        return self.rules.trust_reported_block and self.cut is None and shown

    @cached_property
    def theirs(self) -> TheirStock:
        return TheirStock(self.database, self.client, self.merchant, self.given)

    @cached_property
    def moves(self) -> TheirMoves:
        return TheirMoves(self.database, self.client, self.merchant)

    @cached_property
    def _corrections(self) -> TheirCorrections:
        return TheirCorrections(self.database, self.client, self.who, self.rules.warehouse_ids, self.cut)

    @property
    def _window(self) -> datetime:
        """Since when the warehouse's corrections are read."""
        return self.now() - timedelta(days=self.rules.adjustment_window_days)

    def now(self) -> datetime:
        return self.at + timedelta(seconds=time.monotonic() - self._began)

    async def look(self, numbers: Sequence[str], unmatched: list[Unmatched] | None = None) -> list[Looked]:
        """These articles, each at one instant on both sides, explained. What only we have is added to `unmatched`."""
        results: list[Looked] = []
        pending = list(numbers)
        for tried in range(1, TRIES + 1):
            if not pending:
                break
            pending = await self._look(pending, results, tried == TRIES, unmatched)
            self.beat()
        return results

    async def _look(self, numbers: list[str], results: list[Looked], last: bool, unmatched: list[Unmatched] | None) -> list[str]:
        async with self.database.merchant(self.who) as session:
            before = await reconciling.closely(session, self.who, self.warehouse, numbers)
        first = await self.theirs.rows(before)
        documents = await documents_of(
            self.client,
            list(before),
            since=min(self.now(), self.cut or self.now()) - timedelta(hours=self.rules.recent_hours),
            open_below=picked_from(self.merchant) if self.rules.compare_available and self.cut is None else None,
            beat=self.beat,
        )
        self.beat()
        corrections = await self._corrections.of(_ids(before.values(), first.values()), self._window)
        second = first if self.given is not None else await self.theirs.rows(before)
        async with self.database.merchant(self.who) as session:
            after = await reconciling.closely(session, self.who, self.warehouse, numbers)
            facts, reserved = await self.moves.facts(session, documents, corrections, after)
            waiting = {
                number: [Happened(fact.key, fact.quantity, fact.at, None) for fact in facts.get(number, ())] for number in after
            }
            late = await reconciling.late(session, self.who, self.warehouse, waiting)
            unclear = await reconciling.unclear(session, self.who, numbers)
            since = (
                await reconciling.booked_since(session, self.who, self.warehouse, numbers, self.cut)
                if self.cut is not None
                else {}
            )
        again = []
        for number in numbers:
            if number not in after:
                continue
            mine, row = after[number], second.get(number)
            moved = first.get(number) != row or before[number].version != mine.version
            if moved and not last:
                again.append(number)
                continue
            if row is None or row.physical is None:
                if unmatched is not None and mine.quantity:
                    said = "the warehouse does not have it" if row is None else "the warehouse shows no quantity"
                    unmatched.append(("books", number, mine.quantity, f"{said}: send the article, or move its stock"))
                continue
            moving = "it moved each time we looked" if moved else "a request has no clear answer" if number in unclear else None
            physical = explain(
                Snapshot(
                    number,
                    self.warehouse,
                    mine.quantity,
                    row.physical,
                    mine.entries,
                    tuple(facts.get(number, ())),
                    late.get(number, ()),
                    mine.factors,
                    self.cut,
                    since.get(number, ()),
                    moving,
                ),
                self.now(),
                timedelta(hours=self.rules.stuck_after_hours),
            )
            listed: dict[str, Decimal] = {}
            for fact in facts.get(number, ()):
                listed[fact.key] = listed.get(fact.key, ZERO) + fact.quantity
            available = None
            if self.cut is None and self.rules.compare_available and row.sellable is not None and row.locked is not None:
                lines = reserved.get(number, [])
                ours = mine.quantity - sum((line.by_us for line in lines), ZERO)
                available = explain_available(physical, ours, row.sellable, row.locked, ZERO, lines)
            if row.number != number and unmatched is not None:
                unmatched.append(("warehouse", row.number, row.physical, f"it is our article {number}, renamed in the warehouse"))
            cost = cost_of(Pool(mine.quantity, mine.value, mine.last_cost), mine.said_cost)
            results.append(
                Looked(
                    mine, physical, available, listed, cost, self.now(), row.number, moving is not None, tuple(waiting[number])
                )
            )
        return again

    async def corrections(self) -> Corrections:
        """The warehouse's own corrections in the window, reported or not, and what we have booked of them."""
        return await self._corrections.whole(self._window)


def _ids(ours: Iterable[Close], theirs: Iterable[Theirs]) -> set[int]:
    """The warehouse's ids of these articles, those that we remember and those that it shows."""
    return {each.their_id for each in ours if each.their_id is not None} | {row.article_id for row in theirs}
