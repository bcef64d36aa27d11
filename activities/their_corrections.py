"""The warehouse's own corrections, read whole once, and after that only what is newer.

The list has no filter by article and no pages, only a time from which it is asked for. A batch of articles needs those that were
made up to now, and of them only its own: so what was read stays, and what is asked for again begins a little before the newest
that was seen, on the warehouse's own clock. One that is written down later with an earlier time than that is found by the next
whole list, which every step of a run begins with and every booking of a correction is made from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.stock_facts import Corrections, sum_up
from clients.ongoing import ArticleAdjustments, InventoryAdjustment, OngoingClient
from domain.reconciling import Adjusted, AdjustmentKey
from erp import adjusted
from erp.database import Database

OVERLAP = timedelta(minutes=1)
"""How much later than its own time a correction may come into the list."""


@dataclass
class TheirCorrections:
    """One merchant's list. `warehouse_ids` and `cut`: which corrections count."""

    database: Database
    client: OngoingClient
    merchant: str
    warehouse_ids: Sequence[int]
    cut: datetime | None
    _since: datetime | None = None
    _numbers: dict[int, str] = field(default_factory=dict)
    _lasting: dict[int, list[InventoryAdjustment]] = field(default_factory=dict)
    _fresh: dict[int, list[InventoryAdjustment]] = field(default_factory=dict)
    _mark: datetime | None = None

    async def whole(self, since: datetime) -> Corrections:
        """All since then, reported or not, and what we have booked of them."""
        self._since, self._mark, self._lasting, self._fresh = since, None, {}, {}
        listed = await self.client.inventory_adjustments(since)
        self._take(listed)
        return sum_up(listed, await self._booked(None), self.warehouse_ids, self.cut)

    async def of(self, ids: Iterable[int], since: datetime) -> Corrections:
        """Those of these articles of the warehouse, up to now. The first time it is asked the whole list is read."""
        wanted = sorted({*ids})
        if self._since is None:
            await self.whole(since)
        else:
            # A little earlier than the mark, and cut at the mark here: whether the bound itself is inside is nowhere said.
            asked = self._since if self._mark is None else max(self._since, self._mark - timedelta(seconds=1))
            self._take(await self.client.inventory_adjustments(asked))
        listed = [
            ArticleAdjustments.model_construct(
                article_system_id=each,
                article_number=self._numbers[each],
                adjustments=[*self._lasting.get(each, ()), *self._fresh.get(each, ())],
            )
            for each in wanted
            if each in self._numbers
        ]
        return sum_up(listed, await self._booked(wanted), self.warehouse_ids, self.cut)

    def _take(self, listed: Sequence[ArticleAdjustments]) -> None:
        """Put what was read in the place of what was not certain to be the last word, and see how far the certain goes now."""
        rows = [
            (article.article_system_id, row)
            for article in listed
            for row in article.adjustments
            if row.inventory_time is not None and (self._mark is None or row.inventory_time >= self._mark)
        ]
        self._numbers |= {article.article_system_id: article.article_number for article in listed}
        newest = max((row.inventory_time for _, row in rows if row.inventory_time is not None), default=None)
        if newest is not None and (self._mark is None or newest - OVERLAP > self._mark):
            self._mark = newest - OVERLAP
        self._fresh = {}
        for article_id, row in rows:
            assert self._mark is not None and row.inventory_time is not None
            place = self._lasting if row.inventory_time < self._mark else self._fresh
            place.setdefault(article_id, []).append(row)

    async def _booked(self, ids: Sequence[int] | None) -> dict[AdjustmentKey, Adjusted]:
        assert self._since is not None
        async with self.database.merchant(self.merchant) as session:
            return await adjusted.adjusted(session, self.merchant, self._since, ids)
