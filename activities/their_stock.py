"""The warehouse's stock as it is read: page by page, or some articles by their numbers; or figures that were given instead."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from activities.warehouse_stock import Shown, Theirs, figures_of, less
from clients.errors import NotFound
from clients.ongoing import GetArticle, OngoingClient
from domain.money import ZERO
from domain.reconciliation_settings import ReconciliationSettings
from erp import reconciling
from erp.database import Database
from erp.merchants import Merchant
from erp.reconciling import Close


@dataclass(frozen=True, slots=True)
class TheirStock:
    """One merchant's articles over there. `given`: figures of another instant than now, by the warehouse's article ids."""

    database: Database
    client: OngoingClient
    merchant: Merchant
    given: Mapping[int, Decimal] | None = None

    @property
    def rules(self) -> ReconciliationSettings:
        return self.merchant.settings.reconciling

    async def pages(self, after: int) -> AsyncIterator[dict[int, Shown]]:
        if self.given is not None:
            ids = sorted(article_id for article_id in self.given if article_id > after)
            async with self.database.merchant(self.merchant.merchant_id) as session:
                names = await reconciling.owners(session, self.merchant.merchant_id, ids)
            size = self.rules.page_size
            for start in range(0, len(ids), size):
                yield {one: Theirs(one, names.get(one, str(one)), self.given[one]) for one in ids[start : start + size]}
            return
        async for page in self._shown(after=after or None):
            yield page

    async def rows(self, wanted: Mapping[str, Close]) -> dict[str, Theirs]:
        """The warehouse's rows of our articles, by our numbers: by number, else by the id that it once had."""
        if self.given is not None:
            return {
                number: Theirs(close.their_id or 0, number, self.given.get(close.their_id or 0, ZERO))
                for number, close in wanted.items()
                if close.their_id is not None
            }
        found: dict[str, Theirs] = {}
        async for page in self._shown(list(wanted)):
            rows = [figures_of(shown, self.rules.warehouse_ids) for shown in page.values()]
            found |= {row.number: row for row in rows if row.number in wanted}
        for number, close in wanted.items():
            if number not in found and close.their_id is not None:
                try:
                    article = await self.client.get_article(close.their_id)
                except NotFound:
                    continue
                if article.article_system_id == close.their_id:
                    found[number] = self._whole(article)
        return found

    async def _shown(self, numbers: Sequence[str] = (), after: int | None = None) -> AsyncIterator[dict[int, Shown]]:
        """The warehouse's articles page by page, by their ids there."""
        instant, size = self.rules.instant, self.rules.page_size
        if instant.goods_leave_at_collection or instant.received_counts_when_finished:
            # What is collected and finished is shown for all warehouses together only.
            async for articles in self.client.list_articles(numbers, page_size=size, after=after):
                goods: dict[int, Shown] = {
                    one.article_system_id: self._whole(one) for one in articles if one.article_kind is None
                }
                if goods:  # an empty page would mean the end
                    yield goods
        else:
            ids = self.rules.warehouse_ids
            async for stock in self.client.inventory_per_warehouse(numbers, warehouse_ids=ids, page_size=size, after=after):
                yield {each.article_system_id: each for each in stock}

    def _whole(self, article: GetArticle) -> Theirs:
        info = article.inventory_info
        if info is None or info.number_of_items is None:
            return Theirs(article.article_system_id, article.article_number, None)
        collect, finish = info.picked_to_be_collected_number_of_items, info.received_to_be_finished_number_of_items
        physical = self.rules.instant.physical(info.number_of_items, collect or ZERO, finish or ZERO)
        return Theirs(
            article.article_system_id,
            article.article_number,
            physical,
            info.sellable_number_of_items,
            less(info.locked_for_sale_number_of_items, info.allocated_number_of_items),
        )
