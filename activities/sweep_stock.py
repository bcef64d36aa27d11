"""A quick sweep over everything: what is plainly equal on both sides is passed, the rest is read closely.

The sweep merges two ascending streams and holds one page of each. It may only ever say "equal"; whatever else it finds is read
again by itself, under the rule of one instant.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from activities.compare_stock import AT_ONCE, Comparer, Unmatched
from activities.stock_facts import Corrections
from activities.their_documents import in_flight
from activities.warehouse_stock import Shown, figures_of, plainly_equal
from domain.money import ZERO
from erp import reconciling
from erp.differences import Found
from erp.links import save_link
from erp.reconciling import Balance

SAVE_SECONDS = 2.0
"""What a killed worker may lose of its reading."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One merchant's sweep. `absent_is_zero`: an article that the given figures lack is at zero there, and not just not said;
    `writes`: an article that is found by its number is remembered."""

    comparer: Comparer
    absent_is_zero: bool = True
    writes: bool = True

    @property
    def who(self) -> str:
        return self.comparer.who

    @property
    def warehouse(self) -> str:
        return self.comparer.warehouse

    @property
    def _absent_means_something(self) -> bool:
        """An article that is not shown is asked for by itself, or is at zero in figures of the past; a file just lacks it."""
        return self.comparer.given is None or self.absent_is_zero

    async def over(
        self, after: int, save: Callable[[Sequence[Found], Sequence[Unmatched], int, int, bool], Awaitable[bool]]
    ) -> None:
        """Compare every article above `after`, page by page; `save` takes what a page came to and says whether to go on."""
        corrections = await self.comparer.corrections()
        touched = corrections.touched
        numbers = set[str]() if self.comparer.trusted else await in_flight(self.comparer.client, self.comparer.beat)
        if self.comparer.cut:
            async with self.comparer.database.merchant(self.who) as session:
                numbers |= await reconciling.moved_since(session, self.who, self.warehouse, self.comparer.cut)
        async with self.comparer.database.merchant(self.who) as session:
            head, _ = await reconciling.head(session, self.who)
        available = self.comparer.rules.compare_available and self.comparer.cut is None
        closely, unmatched, read, saved_at = list[str](), list[Unmatched](), 0, time.monotonic()
        async with _ahead(self.comparer.theirs.pages(after)) as next_page:
            page = await next_page()
            before = head
            while page:
                # The next page is on its way while this one is compared; what moves after it was asked for is read again.
                coming, before_coming = next_page(), head
                last = max(page)
                async with self.comparer.database.merchant(self.who) as session:
                    ours = await reconciling.balances_between(session, self.who, self.warehouse, after, last, 10**7)
                    reserved = await reconciling.reserved_between(session, self.who, after, last) if available else {}
                    missing = page.keys() - {one[0] for one in ours}
                    if missing:
                        fresh = await self._by_number(session, [page[each] for each in sorted(missing)])
                        ours += fresh
                        if available and fresh:
                            reserved |= await reconciling.reserved_of(session, self.who, [one.article for one in fresh])
                    head, _ = await reconciling.head(session, self.who)
                suspects, lonely = self._screen(page, ours, reserved, before, touched, numbers, available)
                closely += suspects
                unmatched += lonely
                read, after = read + len(page), last
                if len(closely) >= AT_ONCE or time.monotonic() - saved_at >= SAVE_SECONDS:
                    found = await self._close(closely, unmatched)
                    if not await save(found, unmatched, after, read, False):
                        return
                    closely, unmatched, read, saved_at = [], [], 0, time.monotonic()
                self.comparer.beat()
                page, before = await coming, before_coming
        if read:
            found = await self._close(closely, unmatched)
            if not await save(found, unmatched, after, read, False):
                return
        found, unmatched = await self._tail(after, available)
        await save(found, [*unmatched, *(await self._corrected_strangers(corrections))], after, 0, True)

    async def _corrected_strangers(self, corrections: Corrections) -> list[Unmatched]:
        """Articles that the warehouse has corrected and that we do not have: nothing can be booked, so they are listed."""
        async with self.comparer.database.merchant(self.who) as session:
            ours = await reconciling.owners(session, self.who, sorted(corrections.touched))
        return [
            (
                "warehouse",
                corrections.numbers.get(article_id, str(article_id)),
                sum(corrections.unbooked(article_id).values(), ZERO),
                "corrected in the warehouse, and the ERP has no such article: add it, or ask whose it is",
            )
            for article_id in sorted(corrections.touched - ours.keys())
        ]

    async def _by_number(self, session: Any, missing: Sequence[Shown]) -> list[Balance]:
        """Articles that were never matched: the same number, to the letter, is the same article. It is remembered."""
        ids = {row.number: row.article_id for row in (figures_of(each, self.comparer.rules.warehouse_ids) for each in missing)}
        matched = []
        for balance in await reconciling.balances_of(session, self.who, self.warehouse, list(ids)):
            if balance.their_id is None:
                if self.writes:
                    await save_link(
                        session, self.who, "ongoing", "article", balance.article, str(ids[balance.article]), confirmed=False
                    )
                matched.append(balance._replace(their_id=ids[balance.article]))
        return matched

    def _screen(
        self,
        page: Mapping[int, Shown],
        ours: Sequence[Balance],
        reserved: Mapping[str, Decimal],
        head: int,
        touched: set[int],
        numbers: set[str],
        available: bool,
    ) -> tuple[list[str], list[Unmatched]]:
        """Which articles to read closely, and which only one side has."""
        closely, matched = [], set[int]()
        houses, trusted, absent = self.comparer.rules.warehouse_ids, self.comparer.trusted, self._absent_means_something
        for their_id, article, quantity, version, compared in ours:
            assert their_id is not None
            matched.add(their_id)
            if not compared:
                continue
            shown = page.get(their_id)
            if shown is None:
                if quantity and absent:
                    closely.append(article)
            elif (
                version > head
                or their_id in touched
                or article in numbers
                or not plainly_equal(shown, article, quantity, reserved.get(article, ZERO), houses, available, trusted)
            ):
                closely.append(article)
        alone = [figures_of(page[each], houses) for each in page.keys() - matched]
        said = "the ERP has no such article: add it, or ask whose it is"
        return closely, [
            ("warehouse", row.number, row.physical, said) for row in sorted(alone, key=lambda row: row.article_id) if row.physical
        ]

    async def _tail(self, after: int, available: bool) -> tuple[list[Found], list[Unmatched]]:
        """What comes after the warehouse's last article: ours that it does not have, and ours that were never matched."""
        closely = []
        unmatched: list[Unmatched] = []
        position, number = after, ""
        if not self._absent_means_something:
            return [], unmatched
        async with self.comparer.database.merchant(self.who) as session:
            while True:
                some = await reconciling.balances_between(session, self.who, self.warehouse, position, None, 1000)
                if not some:
                    break
                closely += [balance.article for balance in some if balance.compared and balance.quantity]
                position = some[-1].their_id or position
                self.comparer.beat()
            while True:
                names = await reconciling.unlinked(session, self.who, self.warehouse, number, 20_000)
                if not names:
                    break
                closely += names
                number = names[-1]
                self.comparer.beat()
        return await self._close(closely, unmatched), unmatched

    async def _close(self, numbers: Sequence[str], unmatched: list[Unmatched]) -> list[Found]:
        found = []
        for start in range(0, len(numbers), AT_ONCE):
            for looked in await self.comparer.look(numbers[start : start + AT_ONCE], unmatched):
                found += looked.found()
            self.comparer.beat()
        return found


@asynccontextmanager
async def _ahead(pages: AsyncIterator[dict[int, Shown]]) -> AsyncIterator[Callable[[], "asyncio.Future[dict[int, Shown]]"]]:
    """The pages one by one, each asked for when it is said to, and awaited later. After the last comes an empty one."""
    coming: list[asyncio.Task[dict[int, Shown]]] = []

    async def following() -> dict[int, Shown]:
        async for page in pages:
            return page
        return {}

    def ask() -> "asyncio.Future[dict[int, Shown]]":
        coming[:] = [asyncio.create_task(following())]  # only the newest: the pages before it are not kept
        return coming[0]

    try:
        yield ask
    finally:
        if coming and not coming[-1].done():
            coming[-1].cancel()
            with suppress(asyncio.CancelledError):
                await coming[-1]
