"""What the reconciliation reads of our books: balances in the warehouse's order, what is booked on its documents, what was settled.

Balances come by ranges of the warehouse's article ids, ascending, so that two streams can be merged without holding either. Each
range comes with the ledger's head, by which the caller knows whether an article has moved while the warehouse was asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import text

from domain.money import ZERO
from domain.reconciling import Happened, Late, Settled, late_causes
from erp.database import Session, one, rows

UNIT_FACTORS = ("quantity_per_package", "quantity_per_pallet")


class Balance(NamedTuple):
    """One article of ours as the sweep compares it. `compared`: a stock article that is no kit."""

    their_id: int | None
    article: str
    quantity: Decimal
    version: int
    compared: bool


@dataclass(frozen=True, slots=True)
class Close:
    """One article of ours read closely: what its entries add up to, its cost, what ties it to other articles."""

    article: str
    name: str
    quantity: Decimal
    value: Decimal
    last_cost: Decimal | None
    said_cost: Decimal | None
    version: int
    entries: Decimal
    their_id: int | None
    twin_key: str
    replaces: str | None
    factors: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What we know of a document of the warehouse: when we last looked, whether a process cares for it, what is booked by line.

    `booked` by (line id, what); `scrapped` what returns of a line have taken out of stock again; `doubtful` lines have a doubt.
    """

    document: str | None
    ours: bool
    looked_at: datetime | None
    alive: bool
    owed: bool
    booked: dict[tuple[int, str], Decimal] = field(default_factory=dict)
    doubtful: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Reserving:
    """What the ERP reserves on one line of an open order."""

    article: str
    order: str
    line_number: int
    quantity: Decimal


_HEAD = text("select entry_no, clock_timestamp() as now from bridge.ledger_head where merchant_id = :merchant")
_COLUMNS = """
    select l.their_article_id as their_id, a.article_number as article, coalesce(b.quantity, 0) as quantity,
      coalesce(b.last_entry_no, 0) as version,
      a.stock_article and not exists (select from erp.article_component c
        where c.merchant_id = a.merchant_id and c.article_number = a.article_number) as compared
"""
_RANGE = text(
    _COLUMNS
    + """
    from bridge.link l
    cross join lateral (  -- offset 0: one probe for each link, however many articles there are
      select a.merchant_id, a.article_number, a.stock_article from erp.article a
      where a.merchant_id = l.merchant_id and a.article_number = l.our_key offset 0) as a
    left join lateral (
      select b.quantity, b.last_entry_no from erp.stock_balance b where b.merchant_id = l.merchant_id
        and b.article_number = l.our_key and b.warehouse = :warehouse offset 0) as b on true
    where l.merchant_id = :merchant and l.their_article_id > :after and (cast(:last as bigint) is null or l.their_article_id <= :last)
    order by l.their_article_id limit :most
    """
)
_BY_NUMBER = text(
    _COLUMNS
    + """
    from unnest(cast(:numbers as text[])) as n(number)
    join erp.article a on a.merchant_id = :merchant and a.article_number = n.number
    left join bridge.link l on l.merchant_id = a.merchant_id and l.system = 'ongoing' and l.kind = 'article'
      and l.our_key = a.article_number
    left join erp.stock_balance b on b.merchant_id = a.merchant_id and b.article_number = a.article_number
      and b.warehouse = :warehouse
    """
)
_UNLINKED = text(
    """
    select b.article_number as article from erp.stock_balance b
    where b.merchant_id = :merchant and b.warehouse = :warehouse and b.quantity <> 0 and b.article_number > :after
    except  -- never a probe for each balance, whatever the planner thinks of the tables
    select l.our_key from bridge.link l where l.merchant_id = :merchant and l.system = 'ongoing' and l.kind = 'article'
      and l.their_article_id is not null and l.our_key > :after
    order by article limit :most
    """
)
_STOCKED = text(
    """
    select b.article_number as article from erp.stock_balance b join erp.article a using (merchant_id, article_number)
    where b.merchant_id = :merchant and b.warehouse = :warehouse and b.quantity <> 0 and a.stock_article
      and b.article_number > :after order by b.article_number limit :most
    """
)
_OPEN_LINES = """
    select l.article_number as article, l.order_number, l.line_number,
      greatest(l.quantity - coalesce(c.booked, 0), 0) as quantity
    from erp.sales_order_line l join erp.sales_order o using (merchant_id, order_number)
"""
_BOOKED_OF_LINE = """
    left join lateral (
      select sum(c.booked) as booked from bridge.watched w join bridge.counted c using (merchant_id, kind, doc_id)
      where w.merchant_id = l.merchant_id and w.kind = 'sales-order' and w.document = l.order_number and c.what = 'picked'
        and c.line_number = l.line_number) as c on true
    where l.merchant_id = :merchant and o.status not in ('draft', 'completed', 'cancelled')
"""
_RESERVED = text(f"{_OPEN_LINES}{_BOOKED_OF_LINE} and l.article_number = any(cast(:numbers as text[]))")
_RESERVED_BETWEEN = text(
    f"""
    {_OPEN_LINES}
    join bridge.link k on k.merchant_id = l.merchant_id and k.system = 'ongoing' and k.kind = 'article' and k.our_key = l.article_number
    {_BOOKED_OF_LINE} and k.their_article_id > :after and k.their_article_id <= coalesce(cast(:last as bigint), 9223372036854775807)
    """
)
_CLOSE = text(
    """
    select a.article_number as article, a.name, coalesce(b.quantity, 0) as quantity, coalesce(b.value, 0) as value, b.last_cost,
      coalesce(a.stock_valuation_price,
        case when coalesce(a.purchase_currency, m.currency) = m.currency then a.purchase_price end) as said_cost,
      coalesce(b.last_entry_no, 0) as version, l.their_article_id as their_id, erp.twin_key(a.article_number) as twin_key,
      a.replaces_article_number as replaces, a.quantity_per_package, a.quantity_per_pallet,
      (select coalesce(sum(e.quantity), 0) from erp.stock_entry e where e.merchant_id = a.merchant_id
        and e.article_number = a.article_number and e.warehouse = :warehouse) as entries
    from erp.article a join erp.merchant m using (merchant_id)
    left join bridge.link l on l.merchant_id = a.merchant_id and l.system = 'ongoing' and l.kind = 'article'
      and l.our_key = a.article_number
    left join erp.stock_balance b on b.merchant_id = a.merchant_id and b.article_number = a.article_number
      and b.warehouse = :warehouse
    where a.merchant_id = :merchant and a.article_number = any(cast(:numbers as text[]))
    """
)
_OWNERS = text(
    """
    select their_article_id as their_id, our_key as article from bridge.link
    where merchant_id = :merchant and their_article_id = any(cast(:ids as bigint[]))
    """
)
_WATCHED = text(
    """
    select w.kind, w.doc_id, w.document, w.looked_at, w.look_owed,
      exists (select from bridge.process p where p.merchant_id = w.merchant_id and p.kind = w.kind and p.document = w.document
        and p.ended_at is null) as alive
    from bridge.watched w where w.merchant_id = :merchant and w.kind = :kind and w.doc_id = any(cast(:ids as bigint[]))
    """
)
_COUNTED = text(
    """
    select doc_id, line_id, what, booked, doubt_value is not null as doubtful from bridge.counted
    where merchant_id = :merchant and kind = :kind and doc_id = any(cast(:ids as bigint[]))
    """
)
_SCRAPPED = text(
    """
    select split_part(cause, '/', 2)::bigint as doc_id, split_part(cause, '/', 3)::bigint as line_id, sum(quantity) as quantity
    from erp.stock_entry where merchant_id = :merchant and kind in ('scrap', 'scrap-reversal')
      and article_number = any(cast(:numbers as text[])) group by 1, 2
    """
)
_OUR_ORDERS = text(
    """
    select o.order_number as number, exists (select from bridge.process p where p.merchant_id = o.merchant_id
        and p.kind = 'sales-order' and p.document = o.order_number and p.ended_at is null) as alive
    from erp.sales_order o where o.merchant_id = :merchant and o.order_number = any(cast(:numbers as text[]))
    """
)
_OUR_PURCHASES = text(
    """
    select p.purchase_order_number as number, true as alive
    from erp.purchase_order p where p.merchant_id = :merchant and p.purchase_order_number = any(cast(:numbers as text[]))
    """
)
_UNCLEAR = text(
    """
    select distinct l.article_number as article from bridge.order_sent s
    join erp.sales_order_line l using (merchant_id, order_number)
    where s.merchant_id = :merchant and s.unclear_until > clock_timestamp() and l.article_number = any(cast(:numbers as text[]))
    """
)
_SETTLED = text(
    """
    select s.settlement_no, s.article_number as article, s.read_at, s.listed, e.entry_no from erp.settlement s
    join erp.stock_entry e on e.merchant_id = s.merchant_id and e.cause = 'settlement/' || s.settlement_no
      and e.article_number = s.article_number and e.warehouse = s.warehouse
    where s.merchant_id = :merchant and s.state = 'booked' and s.warehouse = :warehouse
      and s.article_number = any(cast(:numbers as text[])) order by s.read_at
    """
)
_HAPPENED = text(
    """
    select e.article_number as article, e.quantity, e.occurred_at as at, e.entry_no,
      case when e.booking_doc_id is not null then e.booking_kind || ':' || e.booking_doc_id
           when e.kind in ('scrap', 'scrap-reversal') then 'sales-order:' || split_part(e.cause, '/', 2)
           when e.cause like 'adjustment/%' then 'adjustment:' || split_part(e.cause, '/', 2)
           else e.document end as key
    from erp.stock_entry e where e.merchant_id = :merchant and e.warehouse = :warehouse
      and e.article_number = any(cast(:numbers as text[])) and e.entry_no > :since and e.quantity <> 0
      and e.cause is distinct from 'opening' and coalesce(e.cause, '') not like 'settlement/%'
      and coalesce(e.cause, '') not like 'absorbed/%'
    """
)
_ABSORBED = text(
    """
    select split_part(e.cause, '/', 2)::bigint as settlement_no, e.article_number as article, split_part(e.cause, '/', 3) as key,
      -sum(e.quantity) as quantity
    from erp.stock_entry e where e.merchant_id = :merchant and e.warehouse = :warehouse and e.kind = 'adjustment'
      and e.article_number = any(cast(:numbers as text[])) and e.cause like 'absorbed/%' group by 1, 2, 3
    """
)
_SINCE = text(
    """
    select article_number as article, document, quantity, occurred_at from erp.stock_entry
    where merchant_id = :merchant and warehouse = :warehouse and article_number = any(cast(:numbers as text[]))
      and occurred_at >= :cut and quantity <> 0 order by entry_no
    """
)
_MOVED_SINCE = text(
    """
    select distinct article_number as article from erp.stock_entry
    where merchant_id = :merchant and warehouse = :warehouse and occurred_at >= :cut and quantity <> 0
    """
)
_MATCHED = text("select count(*) as n from bridge.link where merchant_id = :merchant and their_article_id is not null")
_WORTH = text(
    """
    select count(*) filter (where quantity > 0) as stocked, coalesce(sum(value), 0) as value from erp.stock_balance
    where merchant_id = :merchant and warehouse = :warehouse
    """
)


async def head(connection: Session, merchant: str) -> tuple[int, datetime]:
    """The ledger's newest entry, and the time. An article whose newest entry is above it has moved since."""
    row = await one(connection, _HEAD, merchant=merchant)
    return int(row.entry_no), row.now


async def balances_between(
    connection: Session, merchant: str, warehouse: str, after: int, last: int | None, most: int
) -> list[Balance]:
    """Our balances of the articles whose id over there lies in (after, last], ascending. Rows as they are read, to be unpacked."""
    return await rows(connection, _RANGE, merchant=merchant, warehouse=warehouse, after=after, last=last, most=most)


async def reserved_between(connection: Session, merchant: str, after: int, last: int) -> dict[str, Decimal]:
    """What open orders reserve of the same articles; one of which nothing is reserved is left out."""
    return _summed(await rows(connection, _RESERVED_BETWEEN, merchant=merchant, after=after, last=last))


async def balances_of(connection: Session, merchant: str, warehouse: str, numbers: Sequence[str]) -> list[Balance]:
    """Our balances of these articles; one that the ERP does not have is left out."""
    found = await rows(connection, _BY_NUMBER, merchant=merchant, warehouse=warehouse, numbers=list(numbers))
    return [Balance(*row) for row in found]


async def reserved_of(connection: Session, merchant: str, numbers: Sequence[str]) -> dict[str, Decimal]:
    """What open orders reserve of these articles; one of which nothing is reserved is left out."""
    return _summed(await reserving(connection, merchant, numbers))


def _summed(lines: Iterable[Any]) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for line in lines:
        held[line.article] = held.get(line.article, ZERO) + line.quantity
    return held


async def reserving(connection: Session, merchant: str, numbers: Sequence[str]) -> list[Reserving]:
    """What the ERP reserves of these articles, line by line: ordered less what is booked as picked, while the order is open."""
    found = await rows(connection, _RESERVED, merchant=merchant, numbers=list(numbers))
    return [Reserving(r.article, r.order_number, r.line_number, r.quantity) for r in found]


async def unlinked(connection: Session, merchant: str, warehouse: str, after: str, most: int) -> list[str]:
    """Articles with stock in our books that were never matched with an article of the warehouse."""
    return [r.article for r in await rows(connection, _UNLINKED, merchant=merchant, warehouse=warehouse, after=after, most=most)]


async def stocked(connection: Session, merchant: str, warehouse: str, after: str, most: int) -> list[str]:
    """Articles with stock in our books, in the order of their numbers."""
    return [r.article for r in await rows(connection, _STOCKED, merchant=merchant, warehouse=warehouse, after=after, most=most)]


async def closely(connection: Session, merchant: str, warehouse: str, numbers: Sequence[str]) -> dict[str, Close]:
    """These articles with everything that may explain a difference on our side."""
    found = await rows(connection, _CLOSE, merchant=merchant, warehouse=warehouse, numbers=list(numbers))
    return {
        r.article: Close(
            r.article,
            r.name,
            r.quantity,
            r.value,
            r.last_cost,
            r.said_cost,
            r.version,
            r.entries,
            r.their_id,
            r.twin_key,
            r.replaces,
            tuple(Decimal(factor) for factor in (r.quantity_per_package, r.quantity_per_pallet) if factor),
        )
        for r in found
    }


async def owners(connection: Session, merchant: str, ids: Sequence[int]) -> dict[int, str]:
    """Which articles of ours these articles of the warehouse are."""
    return {r.their_id: r.article for r in await rows(connection, _OWNERS, merchant=merchant, ids=list(ids))}


async def known(connection: Session, merchant: str, kind: str, numbers_by_id: Mapping[int, str | None]) -> dict[int, Known]:
    """What we know of these documents of the warehouse, by their ids there; `numbers_by_id` holds the numbers they go by."""
    ids = list(numbers_by_id)
    watched = {r.doc_id: r for r in await rows(connection, _WATCHED, merchant=merchant, kind=kind, ids=ids)}
    booked: dict[int, dict[tuple[int, str], Decimal]] = {}
    doubtful: dict[int, set[int]] = {}
    for r in await rows(connection, _COUNTED, merchant=merchant, kind=kind, ids=ids):
        booked.setdefault(r.doc_id, {})[r.line_id, r.what] = r.booked
        if r.doubtful:
            doubtful.setdefault(r.doc_id, set()).add(r.line_id)
    strange = sorted({number for doc_id, number in numbers_by_id.items() if number and doc_id not in watched})
    statement = _OUR_ORDERS if kind == "sales-order" else _OUR_PURCHASES
    ours = {r.number: r.alive for r in await rows(connection, statement, merchant=merchant, numbers=strange)} if strange else {}
    found = {}
    for doc_id, number in numbers_by_id.items():
        row = watched.get(doc_id)
        if row is None:
            found[doc_id] = Known(number, number in ours, None, ours.get(number, False), False)
        else:
            lines = booked.get(doc_id, {})
            found[doc_id] = Known(
                row.document, True, row.looked_at, row.alive, row.look_owed, lines, frozenset(doubtful.get(doc_id, ()))
            )
    return found


async def scrapped(connection: Session, merchant: str, numbers: Sequence[str]) -> dict[tuple[int, int], Decimal]:
    """What our books have taken out again of what came back on a line, by document and line: negative."""
    found = await rows(connection, _SCRAPPED, merchant=merchant, numbers=list(numbers))
    return {(r.doc_id, r.line_id): r.quantity for r in found}


async def unclear(connection: Session, merchant: str, numbers: Sequence[str]) -> set[str]:
    """Articles on orders whose last request to the warehouse has no clear answer yet."""
    return {r.article for r in await rows(connection, _UNCLEAR, merchant=merchant, numbers=list(numbers))}


async def late(
    connection: Session, merchant: str, warehouse: str, waiting: Mapping[str, Sequence[Happened]]
) -> dict[str, tuple[Late, ...]]:
    """What is to be taken back of settlements of these articles. `waiting`: for each, what happened over there and is not booked."""
    key = {"merchant": merchant, "warehouse": warehouse, "numbers": list(waiting)}
    settled: dict[str, list[tuple[Settled, int]]] = {}
    for r in await rows(connection, _SETTLED, **key):
        listed = {document: Decimal(quantity) for document, quantity in r.listed.items()}
        settled.setdefault(r.article, []).append((Settled(r.settlement_no, r.read_at, listed), r.entry_no))
    if not settled:
        return {}
    first = min(entry_no for each in settled.values() for _, entry_no in each)
    happened: dict[str, list[Happened]] = {}
    for r in await rows(connection, _HAPPENED, **key, since=first):
        happened.setdefault(r.article, []).append(Happened(r.key, r.quantity, r.at, r.entry_no))
    absorbed: dict[str, dict[tuple[int, str], Decimal]] = {}
    for r in await rows(connection, _ABSORBED, **key):
        absorbed.setdefault(r.article, {})[r.settlement_no, r.key] = r.quantity
    return {
        article: tuple(late_causes(each, [*happened.get(article, ()), *waiting[article]], absorbed.get(article, {})))
        for article, each in settled.items()
    }


async def booked_since(
    connection: Session, merchant: str, warehouse: str, numbers: Sequence[str], cut: datetime
) -> dict[str, tuple[tuple[str, Decimal, datetime], ...]]:
    """Our entries of these articles that happened at the cut or later, by article: document, quantity, when."""
    found: dict[str, list[tuple[str, Decimal, datetime]]] = {}
    for r in await rows(connection, _SINCE, merchant=merchant, warehouse=warehouse, numbers=list(numbers), cut=cut):
        found.setdefault(r.article, []).append((r.document, r.quantity, r.occurred_at))
    return {article: tuple(each) for article, each in found.items()}


async def moved_since(connection: Session, merchant: str, warehouse: str, cut: datetime) -> set[str]:
    """Articles of which we have booked something that happened at the cut or later."""
    return {r.article for r in await rows(connection, _MOVED_SINCE, merchant=merchant, warehouse=warehouse, cut=cut)}


async def matched(connection: Session, merchant: str) -> int:
    """How many articles both sides have: about as many a run will compare."""
    return int((await one(connection, _MATCHED, merchant=merchant)).n)


async def worth(connection: Session, merchant: str, warehouse: str) -> tuple[int, Decimal]:
    """How many articles have stock in our books, and what all of it is worth."""
    row = await one(connection, _WORTH, merchant=merchant, warehouse=warehouse)
    return int(row.stocked), row.value
