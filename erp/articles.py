"""Articles as they are sent to the warehouse, and which of them it does not have yet as the ERP has them.

`bridge.article_due` holds one row for each article that has changed, written by a trigger of the ERP's tables. Whoever sends an article
claims its row first, so that two senders at once do not send one version twice.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from erp.database import Session, one, rows

SYSTEM = "ongoing"


@dataclass(frozen=True, slots=True)
class ArticleDocument:
    """An article whole, as the ERP has it. `components` make it a structure article (sats)."""

    article_number: str
    name: str
    stock_article: bool
    unit: str
    bar_code: str | None
    article_group: str | None
    weight: Decimal | None
    length: Decimal | None
    width: Decimal | None
    height: Decimal | None
    country_of_origin: str | None
    customs_number: str | None
    quantity_per_package: int | None
    purchase_price: Decimal | None
    purchase_currency: str | None
    stock_valuation_price: Decimal | None
    customer_price: Decimal | None
    supplier_number: str | None
    supplier_name: str | None
    supplier_article_number: str | None
    description: str | None
    product_code: str | None
    article_category: str | None
    bar_code_package: str | None
    bar_code_pallet: str | None
    quantity_per_pallet: int | None
    net_weight: Decimal | None
    volume: Decimal | None
    customs_description: str | None
    stock_limit: int | None
    link_to_picture: str | None
    batch_article: bool | None
    serial_number_article: bool | None
    expiry_date_article: bool | None
    active: bool
    translations: tuple[tuple[str, str], ...]
    bar_codes: tuple[tuple[str, Decimal], ...]
    components: tuple[tuple[str, Decimal], ...]
    taric_numbers: tuple[tuple[str, str], ...]
    replaces_article_number: str | None
    version: int

    @property
    def hash(self) -> str:
        """The same as long as nothing that is sent has changed."""
        return hashlib.sha256(repr(astuple(self)[:-2]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Due:
    """What is left to send: how many articles, how many were refused as they are, and since when the oldest waits."""

    to_send: int
    refused: int
    oldest: datetime | None
    sent: int


_ARTICLES = text(
    """
    select a.article_number, a.name, a.stock_article, a.unit, a.bar_code, a.article_group, a.weight, a.length, a.width, a.height,
      a.country_of_origin, a.customs_number, a.quantity_per_package, a.purchase_price, a.purchase_currency,
      a.stock_valuation_price, a.customer_price, a.supplier_number, s.name as supplier_name, a.supplier_article_number,
      a.description, a.product_code, a.article_category, a.bar_code_package, a.bar_code_pallet, a.quantity_per_pallet,
      a.net_weight, a.volume, a.customs_description, a.stock_limit, a.link_to_picture, a.batch_article, a.serial_number_article,
      a.expiry_date_article, a.active, a.replaces_article_number, a.version,
      (select array_agg(array[t.language, t.name] order by t.language) from erp.article_translation t
        where t.merchant_id = a.merchant_id and t.article_number = a.article_number) as translations,
      (select array_agg(array[b.bar_code, b.quantity::text] order by b.bar_code) from erp.article_bar_code b
        where b.merchant_id = a.merchant_id and b.article_number = a.article_number) as bar_codes,
      (select array_agg(array[c.component_article_number, c.quantity::text] order by c.component_article_number)
        from erp.article_component c
        where c.merchant_id = a.merchant_id and c.article_number = a.article_number) as components,
      (select array_agg(array[n.country, n.taric_number] order by n.country) from erp.article_taric n
        where n.merchant_id = a.merchant_id and n.article_number = a.article_number) as taric_numbers
    from erp.article a left join erp.supplier s using (merchant_id, supplier_number)
    where a.merchant_id = :merchant and a.article_number = any(cast(:numbers as text[])) order by a.article_number
    """
)
_STOCK = text(
    """
    select article_number, stock_article from erp.article
    where merchant_id = :merchant and article_number = any(cast(:numbers as text[]))
    """
)
_UNSENT = text(
    """
    select a.article_number from erp.article a
    left join bridge.link l on l.merchant_id = a.merchant_id and l.system = :system and l.kind = 'article'
      and l.our_key = a.article_number
    left join bridge.article_due d on d.merchant_id = a.merchant_id and d.article_number = a.article_number
    where a.merchant_id = :merchant and a.article_number = any(cast(:numbers as text[]))
      and (l.sent_version is null or (d.version is not null and l.sent_version < a.version))
    order by a.article_number
    """
)
_PARTS = text(
    """
    with recursive parts as (
      select component_article_number as part from erp.article_component
        where merchant_id = :merchant and article_number = any(cast(:numbers as text[]))
      union select c.component_article_number from erp.article_component c
        join parts p on c.merchant_id = :merchant and c.article_number = p.part)
    select part from parts
    """
)
_NEW_DUE = text(
    """
    insert into bridge.article_due as d (merchant_id, article_number, version)
    select a.merchant_id, a.article_number, a.version from erp.article a
    where a.merchant_id = :merchant and a.article_number = any(cast(:numbers as text[]))
      and not exists (select from bridge.article_due t where t.merchant_id = a.merchant_id and t.article_number = a.article_number)
    on conflict do nothing
    """
)
_CLAIM = text(
    """
    update bridge.article_due set claimed_until = clock_timestamp() + make_interval(secs => :seconds)
    where merchant_id = :merchant and article_number in (
      select article_number from bridge.article_due
      where merchant_id = :merchant and article_number = any(cast(:numbers as text[]))
        and (claimed_until is null or claimed_until < clock_timestamp())
      for update skip locked)
    returning article_number
    """
)
_NEXT = text(
    """
    select article_number from bridge.article_due
    where merchant_id = :merchant and refused_version is distinct from version
      and (claimed_until is null or claimed_until < clock_timestamp())
    order by since, article_number limit :most
    """
)
_LOCK = text(
    """
    select article_number, version from bridge.article_due
    where merchant_id = :merchant and article_number = any(cast(:numbers as text[])) for update skip locked
    """
)
_LOCK_ONE = text(
    "select article_number, version from bridge.article_due where merchant_id = :merchant and article_number = :number for update"
)
_DONE = text("delete from bridge.article_due where merchant_id = :merchant and article_number = any(cast(:numbers as text[]))")
_CHANGED_MEANWHILE = text(
    """
    update bridge.article_due set claimed_until = null, since = clock_timestamp()
    where merchant_id = :merchant and article_number = any(cast(:numbers as text[]))
    """
)
_LEAVE = text(
    """
    update bridge.article_due set claimed_until = clock_timestamp() + make_interval(secs => :seconds)
    where merchant_id = :merchant and article_number = any(cast(:numbers as text[]))
    """
)
_REFUSED = text(
    """
    update bridge.article_due set refused_version = :version, refusal = left(:refusal, 500), claimed_until = null,
      refusals = case when refused_version = :version and refused_at > now() - interval '10 minutes' then refusals + 1 else 1 end,
      refused_at = now()
    where merchant_id = :merchant and article_number = :number
    """
)
_HOPELESS = text(
    """
    select article_number, refusal, refusals from bridge.article_due
    where merchant_id = :merchant and article_number = any(cast(:numbers as text[])) and refused_version = version
      and refusals >= :most and refused_at > now() - interval '10 minutes'
    order by article_number limit 1
    """
)
_DUE_AGAIN = text(
    """
    with forgotten as (
      update bridge.link set sent_hash = null where merchant_id = :merchant and system = :system and kind = 'article'
        and (cast(:number as text) is null or our_key = :number)
        and exists (select from erp.article a where a.merchant_id = :merchant and a.article_number = our_key)
      returning our_key)
    insert into bridge.article_due (merchant_id, article_number, version)
    select a.merchant_id, a.article_number, a.version from erp.article a join forgotten on forgotten.our_key = a.article_number
    where a.merchant_id = :merchant on conflict do nothing
    """
)
_TWINS = text(
    """
    select a.article_number, min(t.article_number) as twin from erp.article a
    join erp.article t on t.merchant_id = a.merchant_id and erp.twin_key(t.article_number) = erp.twin_key(a.article_number)
      and t.article_number <> a.article_number
    where a.merchant_id = :merchant and a.article_number = any(cast(:numbers as text[])) group by a.article_number
    """
)
_REFUSED_KITS = text(
    """
    select d.article_number from bridge.article_due d
    where d.merchant_id = :merchant and d.refused_version is not null and d.refused_version = d.version and exists (
      select from erp.article_component c where c.merchant_id = d.merchant_id and c.article_number = d.article_number
        and c.component_article_number = any(cast(:numbers as text[])))
    """
)
_TRY_AGAIN = text(
    """
    update bridge.article_due set refused_version = null, refusal = null where merchant_id = :merchant
      and refused_version = version and (cast(:number as text) is null or article_number = :number)
    returning article_number
    """
)
_DUE = text(
    """
    select count(*) filter (where refused_version is distinct from version) as to_send,
      count(*) filter (where refused_version = version) as refused,
      min(since) filter (where refused_version is distinct from version) as oldest,
      (select count(*) from bridge.link where merchant_id = :merchant and system = :system and kind = 'article') as sent
    from bridge.article_due where merchant_id = :merchant
    """
)


async def load_articles(connection: Session, merchant: str, numbers: list[str]) -> list[ArticleDocument]:
    """The articles that the ERP has of these, in number order."""
    return [_document(r._mapping) for r in await rows(connection, _ARTICLES, merchant=merchant, numbers=numbers)]


def _document(row: dict[str, Any]) -> ArticleDocument:
    def pairs(name: str) -> list[tuple[str, str]]:
        return [(first, second) for first, second in row[name] or ()]

    parts: dict[str, Any] = {name: tuple(pairs(name)) for name in ("translations", "taric_numbers")}
    parts |= {name: tuple((first, Decimal(second)) for first, second in pairs(name)) for name in ("bar_codes", "components")}
    return ArticleDocument(**(dict(row) | parts))


async def stock_articles(connection: Session, merchant: str, numbers: list[str]) -> dict[str, bool]:
    """Which of these the ERP has, and whether they are kept in stock."""
    found = await rows(connection, _STOCK, merchant=merchant, numbers=numbers)
    return {r.article_number: r.stock_article for r in found}


async def unsent_articles(connection: Session, merchant: str, numbers: Sequence[str]) -> list[str]:
    """Of these articles, those that the warehouse does not hold as the ERP has them now."""
    found = await rows(connection, _UNSENT, merchant=merchant, system=SYSTEM, numbers=sorted(set(numbers)))
    return [r.article_number for r in found]


async def next_articles(connection: Session, merchant: str, most: int) -> list[str]:
    """The articles to send next, oldest change first; those that were refused as they are and those being sent are left out."""
    return [r.article_number for r in await rows(connection, _NEXT, merchant=merchant, most=most)]


async def parts_of(connection: Session, merchant: str, numbers: Sequence[str]) -> list[str]:
    """The components of these structure articles, and theirs."""
    return [r.part for r in await rows(connection, _PARTS, merchant=merchant, numbers=list(numbers))]


async def claim_articles(connection: Session, merchant: str, numbers: Sequence[str], seconds: float) -> set[str]:
    """Take these articles for sending, for so long; returns those that nobody else is sending.

    Rows that the ERP is changing at this moment are passed over. Here and below nobody waits for one of these rows while holding
    another: the ERP locks them in an order of its own, and its transactions must not meet a deadlock with us.
    """
    wanted = sorted(set(numbers))
    await connection.execute(_NEW_DUE, {"merchant": merchant, "numbers": wanted})
    found = await rows(connection, _CLAIM, merchant=merchant, numbers=wanted, seconds=seconds)
    return {r.article_number for r in found}


async def articles_sent(connection: Session, merchant: str, versions: Mapping[str, int], wait: bool = False) -> set[str]:
    """The warehouse holds these versions: nothing is due, unless an article has changed again meanwhile.

    Returns those whose rows somebody holds: they are to be told again one by one, each in a transaction of its own, with `wait`.
    """
    locked = await _locked(connection, merchant, sorted(versions), wait)
    done = sorted(number for number, version in locked.items() if version <= versions[number])
    changed = sorted(locked.keys() - set(done))
    if done:
        await connection.execute(_DONE, {"merchant": merchant, "numbers": done})
    if changed:
        await connection.execute(_CHANGED_MEANWHILE, {"merchant": merchant, "numbers": changed})
    return versions.keys() - locked.keys() if not wait else set()


async def leave_articles(
    connection: Session, merchant: str, numbers: Sequence[str], seconds: float, wait: bool = False
) -> set[str]:
    """Nobody sends these for so long: an attempt without an answer may still arrive, and must not come after a newer one.

    Returns those whose rows somebody holds, as `articles_sent` does.
    """
    locked = await _locked(connection, merchant, sorted(numbers), wait)
    if locked:
        await connection.execute(_LEAVE, {"merchant": merchant, "numbers": sorted(locked), "seconds": seconds})
    return set(numbers) - locked.keys() if not wait else set()


async def _locked(connection: Session, merchant: str, numbers: Sequence[str], wait: bool) -> dict[str, int]:
    """Rows with their versions as they are now, locked; with `wait`, of a single article, even if that takes a while."""
    if not numbers:
        return {}
    if wait:
        [number] = numbers
        found = await rows(connection, _LOCK_ONE, merchant=merchant, number=number)
    else:
        found = await rows(connection, _LOCK, merchant=merchant, numbers=list(numbers))
    return {row.article_number: row.version for row in found}


async def article_refused(connection: Session, merchant: str, number: str, version: int, refusal: str) -> None:
    """The warehouse refuses this version: it is not sent again until it changes, or until a person wants it tried."""
    await connection.execute(_REFUSED, {"merchant": merchant, "number": number, "version": version, "refusal": refusal})


async def hopeless(connection: Session, merchant: str, numbers: Sequence[str], most: int) -> str | None:
    """One of these articles that was refused so often, as it is and within ten minutes, that asking again only does harm."""
    row = await one(connection, _HOPELESS, merchant=merchant, numbers=list(numbers), most=most)
    return None if row is None else f"article {row.article_number}: {row.refusal} (refused {row.refusals} times, not asked again)"


async def due_again(connection: Session, merchant: str, number: str | None = None) -> None:
    """Have an article that the warehouse has, or all of them, sent once more, whatever was sent before."""
    await connection.execute(_DUE_AGAIN, {"merchant": merchant, "system": SYSTEM, "number": number})


async def near_twins(connection: Session, merchant: str, numbers: Sequence[str]) -> dict[str, str]:
    """Of these articles, those whose number differs from another's in case, blanks or leading zeros only."""
    return {r.article_number: r.twin for r in await rows(connection, _TWINS, merchant=merchant, numbers=list(numbers))}


async def refused_kits(connection: Session, merchant: str, numbers: Sequence[str]) -> list[str]:
    """Structure articles that were refused, perhaps only because one of these components was not there yet."""
    return [r.article_number for r in await rows(connection, _REFUSED_KITS, merchant=merchant, numbers=list(numbers))]


async def try_articles_again(connection: Session, merchant: str, number: str | None) -> list[str]:
    """Send what was refused once more, one article or all; returns which."""
    return [r.article_number for r in await rows(connection, _TRY_AGAIN, merchant=merchant, number=number)]


async def articles_due(connection: Session, merchant: str) -> Due:
    """How far the warehouse is from the ERP's articles."""
    row = await one(connection, _DUE, merchant=merchant, system=SYSTEM)
    return Due(row.to_send, row.refused, row.oldest, row.sent)
