"""Articles brought to the warehouse: whole, one version at most once, whoever asks for them.

An order waits for its own articles and no longer; everything else is sent by `SyncArticles` behind the orders, oldest change
first. Both take an article by claiming its row, so they never send one version twice; and an attempt without an answer keeps its
claim until it can no longer arrive, so that an old version never comes after a newer one.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from temporalio import activity

from activities.connections import Connections
from activities.errors import Waiting
from clients.errors import RateLimited, Rejected, Unauthorised, Unavailable
from clients.ongoing import (
    AlternativeBarCode,
    ArticleNameTranslation,
    OngoingClient,
    PostArticle,
    StructureDefinition,
    StructureRow,
    TaricNumber,
)
from domain.errors import Refused
from domain.flows import ARTICLES
from erp.articles import (
    SYSTEM,
    ArticleDocument,
    article_refused,
    articles_due,
    articles_sent,
    claim_articles,
    due_again,
    hopeless,
    leave_articles,
    load_articles,
    near_twins,
    next_articles,
    parts_of,
    refused_kits,
    try_articles_again,
    unsent_articles,
)
from erp.database import Database
from erp.exceptions import close_notes, open_exception
from erp.links import linked_to, links, save_link
from erp.merchants import load_merchant
from erp.watching import ran

KIND = "article"
BATCH = 25
CLAIM_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 0.1
ONE_RUN_SECONDS = 60.0
REFUSED_IN_A_ROW = 3
REST_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class ArticlesLeft:
    """What a run of the sync has done, and what is left. `look_after`: seconds until the rest may be tried."""

    sent: int
    to_send: int
    refused: int
    look_after: float | None = None


@dataclass(slots=True)
class Run:
    """What a run of the sync has met: how many articles were refused since one was taken."""

    refused: int = 0


class Articles:
    """The warehouse's copy of the ERP's articles."""

    def __init__(self, database: Database, connections: Connections[OngoingClient], unclear: timedelta) -> None:
        self._database = database
        self._connections = connections
        self._unclear = unclear

    @activity.defn
    async def send_changed_articles(self, merchant_id: str) -> ArticlesLeft:
        """Send what has changed, oldest first, for a minute or until nothing is left. A repeat goes on with what is left.

        A refused article is listed and left until it changes; the others go on, unless one after another is refused: Ongoing
        shuts out who fails too often in a row, orders and all. While the flow is off nothing is done: what has changed waits
        for the first run after it is on. What an order needs is sent with the order.
        """
        sent, in_a_row, ends = 0, Run(), time.monotonic() + ONE_RUN_SECONDS
        async with self._connections.using(merchant_id) as (merchant, client):
            if await self._connections.is_off(merchant, ARTICLES):
                return ArticlesLeft(0, 0, 0)
            while True:
                async with self._database.merchant(merchant_id) as session:
                    numbers = await next_articles(session, merchant_id, BATCH)
                    if not numbers:
                        await ran(session, merchant_id, ARTICLES.name)
                    due = await articles_due(session, merchant_id)
                activity.heartbeat(sent, due.to_send)
                if not numbers or time.monotonic() > ends:
                    return ArticlesLeft(sent, due.to_send, due.refused, self._pause(bool(numbers), due.to_send))
                sent += await send_batch(self._database, client, merchant_id, numbers, self._unclear, run=in_a_row)

    def _pause(self, more: bool, to_send: int) -> float | None:
        """None when nothing is left; else soon, or when what somebody else is sending should be done."""
        if not to_send:
            return None
        return 0.0 if more else min(self._unclear.total_seconds(), 5.0)


async def send_articles(
    database: Database,
    client: OngoingClient,
    merchant: str,
    numbers: Sequence[str],
    unclear: timedelta,
    progress: Callable[[int], None],
) -> None:
    """Make the warehouse hold these articles. What somebody else is sending is waited for. Refuses one that is refused."""
    wanted = list(numbers)
    done = 0
    while wanted:
        sent = 0
        for start in range(0, len(wanted), BATCH):
            sent += await send_batch(database, client, merchant, wanted[start : start + BATCH], unclear)
            done += sent
            progress(done)
        async with database.merchant(merchant) as session:
            wanted = await unsent_articles(session, merchant, wanted)
        if wanted and not sent:
            progress(done)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def send_batch(
    database: Database,
    client: OngoingClient,
    merchant: str,
    numbers: Sequence[str],
    unclear: timedelta,
    run: Run | None = None,
) -> int:
    """Send those of these articles that nobody else is sending; returns how many were dealt with.

    Without a `run` of the sync an order waits for them: they go before those of the sync, and a refused one is raised.
    """
    async with database.merchant(merchant) as session:
        if run is None and (why := await hopeless(session, merchant, numbers, REFUSED_IN_A_ROW)):
            raise Refused("article-refused", why)
        parts = await unsent_articles(session, merchant, await parts_of(session, merchant, numbers))
        lasts = CLAIM_SECONDS + unclear.total_seconds()
        claimed = sorted(await claim_articles(session, merchant, [*numbers, *parts], lasts))
        articles = _parts_first(await load_articles(session, merchant, claimed))
        known = await links(session, merchant, SYSTEM, KIND, claimed)
        clears = (await load_merchant(session, merchant)).settings.null_clears_structure
        twins = await near_twins(session, merchant, claimed)
        for number, twin in twins.items():
            text = f"article {number!r} and article {twin!r} differ in case, blanks or leading zeros only"
            await open_exception(session, merchant, KIND, number, "near-twin-article", text, False)
    left = set(claimed)
    sent: list[tuple[ArticleDocument, int]] = []
    try:
        for article in articles:
            number = article.article_number
            held = known.get(number)
            if held and held.sent_hash == article.hash:
                sent.append((article, int(held.their_id)))  # nothing that is sent has changed
                left.discard(number)
                continue
            try:
                sent.append((article, await client.put_article(to_ongoing_article(article, clears), for_order=run is None)))
                left.discard(number)
                if run:
                    run.refused = 0
            except (Unauthorised, RateLimited):
                raise
            except Unavailable as problem:
                if problem.outcome_unknown:
                    left.discard(number)
                    async with database.merchant(merchant) as session:
                        await leave_articles(session, merchant, [number], unclear.total_seconds(), wait=True)
                raise
            except Rejected as refusal:
                left.discard(number)
                text = f"article {number}: {refusal}"
                async with database.merchant(merchant) as session:
                    await article_refused(session, merchant, number, article.version, str(refusal))
                    await open_exception(session, merchant, KIND, number, "article-refused", text, False)
                if run is None:
                    raise Refused("article-refused", text) from None
                run.refused += 1
                if run.refused >= REFUSED_IN_A_ROW:
                    raise Waiting("articles-refused-in-a-row", f"one article after another, last {text}", REST_SECONDS) from None
    finally:
        clash = await _keep(database, merchant, sent, twins, left)
    if clash and run is None:
        raise clash
    return len(claimed)


def _parts_first(articles: Sequence[ArticleDocument]) -> list[ArticleDocument]:
    """A structure article after its components, which the warehouse must know first."""
    by_number = {article.article_number: article for article in articles}
    order = TopologicalSorter({a.article_number: [number for number, _ in a.components if number in by_number] for a in articles})
    try:
        return [by_number[number] for number in order.static_order()]
    except CycleError:
        return list(articles)  # the warehouse refuses it, and that is listed


async def _keep(
    database: Database, merchant: str, sent: Sequence[tuple[ArticleDocument, int]], twins: dict[str, str], left: set[str]
) -> Refused | None:
    """Remember what the warehouse has now; give back what was claimed and not sent; list replacements, and close what is over."""
    versions, clashes = {article.article_number: article.version for article, _ in sent}, list[tuple[str, str]]()
    async with database.merchant(merchant) as session:
        for article, system_id in sent:
            number = article.article_number
            twin = await linked_to(session, merchant, SYSTEM, KIND, str(system_id))
            if twin is not None and twin != number:
                clashes.append((number, twin))
                continue
            await save_link(session, merchant, SYSTEM, KIND, number, str(system_id), article.hash, article.version)
            over = ["article-refused", "article-deleted", *([] if number in twins else ["near-twin-article"])]
            await close_notes(session, merchant, KIND, number, over, "the warehouse has taken it")
            if article.replaces_article_number:
                old = article.replaces_article_number
                text = f"article {number} replaces {old}: the warehouse keeps the stock of {old} under its own number"
                await open_exception(session, merchant, KIND, number, "article-renamed", text, False)
        taken = {number: versions[number] for number in versions.keys() - {number for number, _ in clashes}}
        kits = await refused_kits(session, merchant, sorted(taken))
        sent_late = await articles_sent(session, merchant, taken)
        left_late = await leave_articles(session, merchant, sorted(left), 0.0)
    for number in sorted(sent_late):
        async with database.merchant(merchant) as session:
            await articles_sent(session, merchant, {number: taken[number]}, wait=True)
    for number in sorted(left_late):
        async with database.merchant(merchant) as session:
            await leave_articles(session, merchant, [number], 0.0, wait=True)
    for number in kits:
        async with database.merchant(merchant) as session:
            await try_articles_again(session, merchant, number)
    for number, twin in clashes:
        await _took_for_its_twin(database, merchant, number, versions[number], twin)
    if not clashes:
        return None
    return Refused("near-twin-article", _alike(*clashes[0]))


async def _took_for_its_twin(database: Database, merchant: str, number: str, version: int, twin: str) -> None:
    """The warehouse wrote this article over its twin: it is listed and not sent again, and the twin is put right."""
    async with database.merchant(merchant) as session:
        await article_refused(session, merchant, number, version, _alike(number, twin))
        await open_exception(session, merchant, KIND, number, "near-twin-article", _alike(number, twin), False)
    async with database.merchant(merchant) as session:
        await due_again(session, merchant, twin)


def _alike(number: str, twin: str) -> str:
    return f"the warehouse takes article {number!r} for {twin!r}: their numbers are alike"


def to_ongoing_article(article: ArticleDocument, null_clears_structure: bool = False) -> PostArticle:
    """Translate by the public product map of Extend and Ongoing. Always the full article."""
    components = [StructureRow(article_number=number, number_of_items=quantity) for number, quantity in article.components]
    return PostArticle(
        article_number=article.article_number,
        article_name=article.name,
        description=article.description or article.name,
        product_code=article.product_code,
        unit_code=article.unit,
        is_stock_article=article.stock_article,
        is_active=article.active,
        article_group=article.article_group,
        article_category=article.article_category,
        bar_code=article.bar_code,
        bar_code_package=article.bar_code_package,
        bar_code_pallet=article.bar_code_pallet,
        alternative_bar_codes=[AlternativeBarCode(bar_code=c, quantity_per_bar_code=q) for c, q in article.bar_codes] or None,
        supplier_number=article.supplier_number,
        supplier_name=article.supplier_name,
        supplier_article_number=article.supplier_article_number,
        quantity_per_package=article.quantity_per_package,
        quantity_per_pallet=article.quantity_per_pallet,
        weight=article.weight,
        net_weight=article.net_weight,
        length=article.length,
        width=article.width,
        height=article.height,
        volume=article.volume,
        purchase_price=article.purchase_price,
        stock_valuation_price=article.stock_valuation_price,
        customer_price=article.customer_price,
        purcase_currency_code=article.purchase_currency,
        country_of_origin_code=article.country_of_origin,
        statistics_number=article.customs_number,
        customs_description=article.customs_description,
        taric_numbers=[TaricNumber(country_code=c, taric_number=n) for c, n in article.taric_numbers] or None,
        stock_limit=article.stock_limit,
        link_to_picture=article.link_to_picture,
        is_batch_article=article.batch_article,
        is_serial_number_article=article.serial_number_article,
        is_expiry_date_article=article.expiry_date_article,
        article_name_translations=[
            ArticleNameTranslation(language_code=language, article_name=name) for language, name in article.translations
        ]
        or None,
        structure_definition=StructureDefinition(rows=components) if components else None,
        null_clears_structure=null_clears_structure,
    )
