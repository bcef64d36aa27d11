"""Comparing the warehouse with our books: a quick sweep over everything, and a close look at what is not plainly equal.

The sweep merges two ascending streams and holds one page of each. It may only ever say "equal"; whatever else it finds is read
again by itself, with its documents, under the rule of one instant: our version, the warehouse's row, the documents, the row
again, our version again. Only when nothing moved in between does the difference mean anything; else it is tried anew, and after
a few times put off to the next run.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from activities.stock_facts import Corrections, adjustment_facts, order_facts, scrap_candidates
from activities.their_corrections import TheirCorrections
from activities.their_documents import Documents, documents_of, in_flight, picked_from
from activities.warehouse_stock import Shown, Theirs, figures_of, less, plainly_equal
from clients.errors import NotFound
from clients.ongoing import (
    GetArticle,
    GetOrder,
    OngoingClient,
)
from domain.adjusting import cost_of
from domain.costing import Pool
from domain.money import ZERO
from domain.reconciliation_settings import ReconciliationSettings
from domain.reconciling import (
    Explanation,
    Fact,
    Happened,
    Reserved,
    Snapshot,
    explain,
    explain_available,
)
from erp import reconciling
from erp.counters import PURCHASE_ORDER, RECEIVED, RETURNED, SALES_ORDER
from erp.database import Database
from erp.differences import Found
from erp.links import save_link
from erp.merchants import Merchant
from erp.reconciling import Balance, Close, Reserving

TRIES = 3
AT_ONCE = 60
SAVE_SECONDS = 2.0
"""What a killed worker may lose of its reading."""

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
    absent_is_zero: bool = True
    writes: bool = True
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
    def _trusted(self) -> bool:
        """Whether Ongoing's own figures of what is not reported come with its stock, and may be believed."""
        instant = self.rules.instant
        shown = not (instant.goods_leave_at_collection or instant.received_counts_when_finished)
        return self.rules.trust_reported_block and self.cut is None and shown

    @property
    def _absent_means_something(self) -> bool:
        """An article that is not shown is asked for by itself, or is at zero in figures of the past; a file just lacks it."""
        return self.given is None or self.absent_is_zero

    @cached_property
    def _corrections(self) -> TheirCorrections:
        return TheirCorrections(self.database, self.client, self.who, self.rules.warehouse_ids, self.cut)

    @property
    def _window(self) -> datetime:
        """Since when the warehouse's corrections are read."""
        return self.now() - timedelta(days=self.rules.adjustment_window_days)

    def now(self) -> datetime:
        return self.at + timedelta(seconds=time.monotonic() - self._began)

    # --- the sweep ----------------------------------------------------------------------------------------------------

    async def sweep(
        self, after: int, save: Callable[[Sequence[Found], Sequence[Unmatched], int, int, bool], Awaitable[bool]]
    ) -> None:
        """Compare every article above `after`, page by page; `save` takes what a page came to and says whether to go on."""
        corrections = await self.corrections()
        touched = corrections.touched
        numbers = set[str]() if self._trusted else await in_flight(self.client, self.beat)
        if self.cut:
            async with self.database.merchant(self.who) as session:
                numbers |= await reconciling.moved_since(session, self.who, self.warehouse, self.cut)
        async with self.database.merchant(self.who) as session:
            head, _ = await reconciling.head(session, self.who)
        available = self.rules.compare_available and self.cut is None
        closely, unmatched, read, saved_at = list[str](), list[Unmatched](), 0, time.monotonic()
        async with _ahead(self._pages(after)) as next_page:
            page = await next_page()
            before = head
            while page:
                # The next page is on its way while this one is compared; what moves after it was asked for is read again.
                coming, before_coming = next_page(), head
                last = max(page)
                async with self.database.merchant(self.who) as session:
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
                self.beat()
                page, before = await coming, before_coming
        if read:
            found = await self._close(closely, unmatched)
            if not await save(found, unmatched, after, read, False):
                return
        found, unmatched = await self._tail(after, available)
        await save(found, [*unmatched, *(await self._corrected_strangers(corrections))], after, 0, True)

    async def _corrected_strangers(self, corrections: Corrections) -> list[Unmatched]:
        """Articles that the warehouse has corrected and that we do not have: nothing can be booked, so they are listed."""
        async with self.database.merchant(self.who) as session:
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
        ids = {row.number: row.article_id for row in (figures_of(each, self.rules.warehouse_ids) for each in missing)}
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
        houses, trusted, absent = self.rules.warehouse_ids, self._trusted, self._absent_means_something
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
        async with self.database.merchant(self.who) as session:
            while True:
                some = await reconciling.balances_between(session, self.who, self.warehouse, position, None, 1000)
                if not some:
                    break
                closely += [balance.article for balance in some if balance.compared and balance.quantity]
                position = some[-1].their_id or position
                self.beat()
            while True:
                names = await reconciling.unlinked(session, self.who, self.warehouse, number, 20_000)
                if not names:
                    break
                closely += names
                number = names[-1]
                self.beat()
        return await self._close(closely, unmatched), unmatched

    async def _close(self, numbers: Sequence[str], unmatched: list[Unmatched]) -> list[Found]:
        found = []
        for start in range(0, len(numbers), AT_ONCE):
            for looked in await self.look(numbers[start : start + AT_ONCE], unmatched):
                found += looked.found()
            self.beat()
        return found

    async def _pages(self, after: int) -> AsyncIterator[dict[int, Shown]]:
        if self.given is not None:
            ids = sorted(article_id for article_id in self.given if article_id > after)
            async with self.database.merchant(self.who) as session:
                names = await reconciling.owners(session, self.who, ids)
            size = self.rules.page_size
            for start in range(0, len(ids), size):
                yield {one: Theirs(one, names.get(one, str(one)), self.given[one]) for one in ids[start : start + size]}
            return
        async for page in self._shown(after=after or None):
            yield page

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

    # --- a close look -------------------------------------------------------------------------------------------------

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
        first = await self._rows(before)
        documents = await documents_of(
            self.client,
            list(before),
            since=min(self.now(), self.cut or self.now()) - timedelta(hours=self.rules.recent_hours),
            open_below=picked_from(self.merchant) if self.rules.compare_available and self.cut is None else None,
            beat=self.beat,
        )
        self.beat()
        corrections = await self._corrections.of(_ids(before.values(), first.values()), self._window)
        second = first if self.given is not None else await self._rows(before)
        async with self.database.merchant(self.who) as session:
            after = await reconciling.closely(session, self.who, self.warehouse, numbers)
            facts, reserved = await self._facts(session, documents, corrections, after)
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

    async def _rows(self, wanted: Mapping[str, Close]) -> dict[str, Theirs]:
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

    async def corrections(self) -> Corrections:
        """The warehouse's own corrections in the window, reported or not, and what we have booked of them."""
        return await self._corrections.whole(self._window)

    async def scrap(self, orders: Iterable[GetOrder], corrections: Corrections) -> dict[tuple[int, int], Decimal]:
        """Corrections that throw a return away, given to the line that came back (document and line, negative): one fact.

        They are taken out of `corrections`. The list of corrections does not say which return one belongs to; that goods of the
        line were thrown away is said by a return order, or by our own books of it. While the return is not booked nobody can
        tell, and the correction waits.
        """
        candidates = scrap_candidates(orders, corrections) if self.rules.scrapped_return_is_one_fact else []
        if not candidates:
            return {}
        removed: dict[int, Decimal] = {}
        for number in sorted({each.order.order_number for each in candidates if each.order.order_number}):
            for back in await self.client.return_orders_of(number):
                for line in back.lines:
                    if line.order_line_id is not None:
                        removed[line.order_line_id] = removed.get(line.order_line_id, ZERO) + (line.removed or ZERO)
        async with self.database.merchant(self.who) as session:
            names = await reconciling.owners(session, self.who, sorted({each.key.article_id for each in candidates}))
            ours = await reconciling.scrapped(session, self.who, sorted(names.values()))
            ids: dict[int, str | None] = {each.order.order_id: each.order.order_number for each in candidates}
            known = await reconciling.known(session, self.who, SALES_ORDER, ids)
        thrown: dict[tuple[int, int], Decimal] = {}
        gone: dict[int, set[int]] = {}
        for each in candidates:
            place = (each.order.order_id, each.line.line_id)
            most = max(removed.get(each.line.line_id, ZERO), -ours.get(place, ZERO))
            if each.quantity - thrown.get(place, ZERO) <= most:
                thrown[place] = thrown.get(place, ZERO) - each.quantity
                corrections.seen[each.key] -= each.quantity
                gone.setdefault(each.key.article_id, set()).add(each.place)
            elif (each.line.returned or ZERO) > known[each.order.order_id].booked.get((each.line.line_id, RETURNED), ZERO):
                corrections.waiting.add(each.key)
        for article_id, places in gone.items():
            rows = corrections.rows[article_id]
            corrections.rows[article_id] = [row for place, row in enumerate(rows) if place not in places]
        return thrown

    async def _facts(
        self, session: Any, documents: Documents, corrections: Corrections, wanted: Mapping[str, Close]
    ) -> tuple[dict[str, list[Fact]], dict[str, list[Reserved]]]:
        """What is on its way, by article of ours; and how each order reserves."""
        by_id = {close.their_id: number for number, close in wanted.items() if close.their_id is not None}
        known = await reconciling.known(
            session, self.who, SALES_ORDER, {order_id: order.order_number for order_id, order in documents.orders.items()}
        )
        bought = await reconciling.known(
            session,
            self.who,
            PURCHASE_ORDER,
            {one_id: one.purchase_order_number for one_id, one in documents.purchases.items()},
        )
        scrapped = await reconciling.scrapped(session, self.who, list(wanted))
        held = await reconciling.reserving(session, self.who, list(wanted))
        facts: dict[str, list[Fact]] = {}
        theirs: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        threshold = picked_from(self.merchant)
        thrown = await self.scrap(documents.orders.values(), corrections)
        for order_id, order in documents.orders.items():
            if self.rules.warehouse_ids and order.warehouse_id not in (None, *self.rules.warehouse_ids):
                continue
            about = known[order_id]
            name = about.document or order.order_number or f"order {order_id}"
            for line in (leaf for each in order.lines for leaf in each.leaves):
                number = by_id.get(line.article_system_id or 0, line.article_number)
                if number not in wanted:
                    continue
                made = order_facts(order_id, name, line, about, scrapped, thrown)
                facts.setdefault(number, []).extend(made)
                unbooked = -sum((fact.quantity for fact in made if fact.what == "picked"), ZERO)
                open_there = max(ZERO, (line.ordered or ZERO) - (line.picked or ZERO)) if order.status < threshold else ZERO
                w, u = theirs.get((number, name), (ZERO, ZERO))
                theirs[number, name] = (w + open_there, u + unbooked)
        for one_id, purchase in documents.purchases.items():
            about = bought[one_id]
            for received in purchase.lines:
                number = by_id.get(received.article_system_id or 0, received.article_number)
                if number not in wanted:
                    continue
                booked = about.booked.get((received.line_id, RECEIVED), ZERO)
                more = (received.received or ZERO) - booked
                at = received.received_at
                name = about.document or purchase.purchase_order_number or f"purchase order {one_id}"
                doubtful = received.received is None or received.line_id in about.doubtful
                if more or doubtful:
                    facts.setdefault(number, []).append(
                        Fact(
                            "received",
                            name,
                            more,
                            at,
                            about.looked_at,
                            about.ours,
                            about.alive,
                            doubtful,
                            None,
                            f"{PURCHASE_ORDER}:{one_id}",
                        )
                    )
        for number, close in wanted.items():
            facts.setdefault(number, []).extend(adjustment_facts(close.their_id, corrections, thrown))
        return facts, _reserved(held, theirs)


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


def _reserved(held: Sequence[Reserving], theirs: Mapping[tuple[str, str], tuple[Decimal, Decimal]]) -> dict[str, list[Reserved]]:
    ours: dict[tuple[str, str], Decimal] = {}
    for line in held:
        ours[line.article, line.order] = ours.get((line.article, line.order), ZERO) + line.quantity
    found: dict[str, list[Reserved]] = {}
    for article, order in sorted({*ours, *theirs}):
        open_there, unbooked = theirs.get((article, order), (ZERO, ZERO))
        found.setdefault(article, []).append(Reserved(order, ours.get((article, order), ZERO), open_there, unbooked))
    return found


def _ids(ours: Iterable[Close], theirs: Iterable[Theirs]) -> set[int]:
    """The warehouse's ids of these articles, those that we remember and those that it shows."""
    return {each.their_id for each in ours if each.their_id is not None} | {row.article_id for row in theirs}
