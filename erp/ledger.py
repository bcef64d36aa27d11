"""The stock ledger: entries, postings and balances of one transaction, written by one call that also links the hash chain.

Locks are taken in one order everywhere: the document, then balances by article, then the merchant's head row (inside
`erp.append_to_ledger`). Two bookings can therefore wait for each other but never in a circle.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.costing import Pool
from domain.counting import Line
from domain.errors import LookAgain, Refused
from domain.fifo import FifoPool, Layer
from domain.fixed_price import FixedPricePool
from domain.money import ZERO
from domain.pools import AT_SET_PRICE, FIFO, LATEST_PRICE, MOVING_AVERAGE, STANDARD, AnyPool, method_of
from domain.posting_rules import ANY, OF_DOCUMENT
from domain.stock import About, Earlier, Entry, Place, Posting, StockAccounts, postings
from domain.vat import vat_zone
from erp.counters import PICKED, PURCHASE_ORDER, RECEIVED, RETURNED, SALES_ORDER
from erp.database import Session, one, rows

RULE_VERSIONS = {MOVING_AVERAGE: "moving-average-1", FIFO: "fifo-1", LATEST_PRICE: "latest-price-1", STANDARD: "standard-1"}

_ENSURE = text(
    """
    insert into erp.stock_balance (merchant_id, article_number, warehouse)
    select :merchant, a, w from unnest(cast(:articles as text[]), cast(:warehouses as text[])) as n(a, w)
    order by a, w on conflict do nothing
    """
)
_READ = """
    select b.article_number, b.warehouse, b.quantity, b.value, b.last_cost, b.epoch, b.keep,
      (select s.settings->>'costing_method' from bridge.merchant_settings s where s.merchant_id = :merchant) as method
    from erp.stock_balance b
    join unnest(cast(:articles as text[]), cast(:warehouses as text[])) as n(a, w) on b.article_number = n.a and b.warehouse = n.w
    where b.merchant_id = :merchant order by b.article_number, b.warehouse
    """
_POOLS = text(_READ)
_LOCK = text(f"{_READ} for update of b")
_LAYERS = text(
    """
    select l.article_number, l.warehouse, l.layer_no, l.received, l.quantity, l.value from erp.stock_layer l
    join unnest(cast(:articles as text[]), cast(:warehouses as text[])) as n(a, w) on l.article_number = n.a and l.warehouse = n.w
    where l.merchant_id = :merchant order by l.article_number, l.warehouse, l.layer_no
    """
)
_STANDARD = text(
    """
    select distinct on (article_number) article_number, price from erp.standard_cost
    where merchant_id = :merchant and article_number = any(cast(:articles as text[])) and valid_from <= current_date
    order by article_number, valid_from desc
    """
)
_KEEP_LAYERS = text(
    """
    with there as (
      select a, w, n, received, quantity, value from unnest(cast(:articles as text[]), cast(:warehouses as text[]),
        cast(:numbers as int[]), cast(:received as numeric[]), cast(:quantities as numeric[]), cast(:values as numeric[]))
        as l(a, w, n, received, quantity, value)),
    gone as (
      delete from erp.stock_layer l using unnest(cast(:all_articles as text[]), cast(:all_warehouses as text[])) as p(a, w)
      where l.merchant_id = :merchant and l.article_number = p.a and l.warehouse = p.w
        and not exists (select from there t where t.a = l.article_number and t.w = l.warehouse and t.n = l.layer_no))
    insert into erp.stock_layer as l (merchant_id, article_number, warehouse, layer_no, received, quantity, value)
    select :merchant, a, w, n, received, quantity, value from there
    on conflict (merchant_id, article_number, warehouse, layer_no) do update
      set quantity = excluded.quantity, value = excluded.value
      where (l.quantity, l.value) is distinct from (excluded.quantity, excluded.value)
    """
)
_EARLIER = text(
    """
    select e.booking_doc_id as doc_id, e.booking_line_id as line_id, e.booking_step as step, e.kind, e.entry_no, abs(e.quantity) as quantity,
           abs(e.value) as value, abs(e.quantity) - abs(coalesce(r.quantity, 0)) as quantity_left,
           abs(e.value) - abs(coalesce(r.value, 0)) as value_left
    from unnest(cast(:doc_ids as bigint[]), cast(:line_ids as bigint[])) as n(d, l)
    join erp.stock_entry e on e.merchant_id = :merchant and e.booking_kind = :kind and e.booking_doc_id = n.d
                          and e.booking_line_id = n.l and e.booking_what = :what and e.kind = any(cast(:kinds as text[]))
    left join lateral (
      select sum(r.quantity + coalesce(u.quantity, 0)) as quantity, sum(r.value + coalesce(u.value, 0)) as value
      from erp.stock_entry r left join lateral (
        select sum(u.quantity) as quantity, sum(u.value) as value from erp.stock_entry u
        where u.merchant_id = r.merchant_id and u.reverses_entry_no = r.entry_no) as u on true
      where r.merchant_id = e.merchant_id and r.reverses_entry_no = e.entry_no) as r on true
    where abs(e.quantity) > abs(coalesce(r.quantity, 0))
    order by e.entry_no desc
    """
)
_APPEND = text(
    """
    select erp.append_to_ledger(:merchant, cast(:heading as jsonb), cast(:entries as jsonb), cast(:postings as jsonb),
                                cast(:balances as jsonb)) as transaction_no
    """
)

_GROUPS = text(
    """
    select article_number, article_group from erp.article
    where merchant_id = :merchant and article_number = any(cast(:numbers as text[])) and article_group is not null
    """
)
_DOCUMENT = text(
    """
    select o.order_type, c.country, c.vat_number, m.country as home
    from erp.sales_order o join erp.customer c using (merchant_id, customer_number) join erp.merchant m using (merchant_id)
    where o.merchant_id = :merchant and o.order_number = case when :kind = 'sales-order' then :number
      when :kind = 'return' then (select r.order_number from erp.return_order r
                                  where r.merchant_id = :merchant and r.return_number = :number) end
    union all
    select p.order_type, s.country, null, m.country
    from erp.purchase_order p join erp.supplier s using (merchant_id, supplier_number) join erp.merchant m using (merchant_id)
    where p.merchant_id = :merchant and :kind = 'purchase-order' and p.purchase_order_number = :number
    """
)


async def lock_pools(connection: Session, merchant: str, places: Iterable[Place]) -> dict[Place, AnyPool]:
    """The pools of these articles, locked in article order; one that has never moved is made, empty.

    They are of the merchant's costing method as it stands now. At standard cost an article without one is refused, and where
    nothing is in stock the price of the list holds at once.
    """
    wanted = sorted(set(places))
    key = {"merchant": merchant, "articles": [place[0] for place in wanted], "warehouses": [place[1] for place in wanted]}
    found = await rows(connection, _LOCK, **key)
    if len(found) < len(wanted):
        await connection.execute(_ENSURE, key)
        found = await rows(connection, _LOCK, **key)
    return await _pools(connection, key, found)


async def read_pools(connection: Session, merchant: str, places: Iterable[Place]) -> dict[Place, AnyPool]:
    """The pools of articles that have moved, as they are now, without a lock: nothing may be booked on what they say."""
    wanted = sorted(set(places))
    key = {"merchant": merchant, "articles": [place[0] for place in wanted], "warehouses": [place[1] for place in wanted]}
    return await _pools(connection, key, await rows(connection, _POOLS, **key))


async def _pools(connection: Session, key: Mapping[str, Any], found: Sequence[Any]) -> dict[Place, AnyPool]:
    method = (found[0].method if found else None) or MOVING_AVERAGE
    if method == MOVING_AVERAGE:
        return {(r.article_number, r.warehouse): Pool(r.quantity, r.value, r.last_cost, r.epoch, r.keep) for r in found}
    if method == FIFO:
        return await _with_layers(connection, key, found)
    listed: dict[str, Decimal] = {}
    if method == STANDARD:
        listed = {
            r.article_number: r.price
            for r in await rows(connection, _STANDARD, merchant=key["merchant"], articles=key["articles"])
        }
    pools: dict[Place, AnyPool] = {}
    for r in found:
        price = listed.get(r.article_number, r.last_cost) if r.quantity == 0 else r.last_cost
        if price is None and method == STANDARD:
            text_ = f"article {r.article_number} has no standard cost that holds today (erp.standard_cost)"
            raise Refused("standard-cost-missing", text_)
        pools[r.article_number, r.warehouse] = FixedPricePool(r.quantity, price or ZERO, method == LATEST_PRICE)
    return pools


async def _with_layers(connection: Session, key: Mapping[str, Any], found: Sequence[Any]) -> dict[Place, AnyPool]:
    layers: dict[Place, list[Layer]] = {}
    for r in await rows(connection, _LAYERS, **key):
        layers.setdefault((r.article_number, r.warehouse), []).append(Layer(r.layer_no, r.received, r.quantity, r.value))
    pools: dict[Place, AnyPool] = {}
    for r in found:
        below = r.quantity < 0
        pools[r.article_number, r.warehouse] = FifoPool(
            tuple(layers.get((r.article_number, r.warehouse), ())),
            -r.quantity if below else ZERO,
            -r.value if below else ZERO,
            r.last_cost,
            r.epoch,
        )
    return pools


async def _keep_layers(connection: Session, merchant: str, pools: Mapping[Place, FifoPool]) -> None:
    """The layers as they are now in place of those that were."""
    held = [(place, layer) for place, pool in pools.items() for layer in pool.layers]
    await connection.execute(
        _KEEP_LAYERS,
        {
            "merchant": merchant,
            "all_articles": [place[0] for place in pools],
            "all_warehouses": [place[1] for place in pools],
            "articles": [place[0] for place, _ in held],
            "warehouses": [place[1] for place, _ in held],
            "numbers": [layer.number for _, layer in held],
            "received": [layer.received for _, layer in held],
            "quantities": [layer.quantity for _, layer in held],
            "values": [layer.value for _, layer in held],
        },
    )


async def earlier_entries(connection: Session, merchant: str, lines: Sequence[Line]) -> dict[Line, list[Earlier]]:
    """For each line, its picks that are not wholly taken back (un-picked, or returned), newest first."""
    key = {"merchant": merchant, "kind": SALES_ORDER, "what": PICKED, "kinds": ["pick"]}
    found = await rows(connection, _EARLIER, **key, doc_ids=[line[0] for line in lines], line_ids=[line[1] for line in lines])
    earlier: dict[Line, list[Earlier]] = {line: [] for line in lines}
    for r in found:
        earlier[r.doc_id, r.line_id].append(Earlier(r.entry_no, r.quantity, r.value, r.quantity_left, r.value_left))
    return earlier


async def earlier_returns(connection: Session, merchant: str, lines: Sequence[Line]) -> dict[tuple[Line, str], list[Earlier]]:
    """For each line and kind of entry, its returns that are not wholly undone, newest first."""
    key = {"merchant": merchant, "kind": SALES_ORDER, "what": RETURNED, "kinds": ["return", "return-scrapped"]}
    found = await rows(connection, _EARLIER, **key, doc_ids=[line[0] for line in lines], line_ids=[line[1] for line in lines])
    earlier: dict[tuple[Line, str], list[Earlier]] = {}
    for r in found:
        left = Earlier(r.entry_no, r.quantity, r.value, r.quantity_left, r.value_left)
        earlier.setdefault(((r.doc_id, r.line_id), r.kind), []).append(left)
    return earlier


async def earlier_receipts(connection: Session, merchant: str, lines: Sequence[Line]) -> dict[Line, list[tuple[int, Earlier]]]:
    """For each line of a purchase order, its receipts that are not wholly taken back, newest first, each with its step."""
    key = {"merchant": merchant, "kind": PURCHASE_ORDER, "what": RECEIVED, "kinds": ["receipt"]}
    found = await rows(connection, _EARLIER, **key, doc_ids=[line[0] for line in lines], line_ids=[line[1] for line in lines])
    earlier: dict[Line, list[tuple[int, Earlier]]] = {line: [] for line in lines}
    for r in found:
        left = Earlier(r.entry_no, r.quantity, r.value, r.quantity_left, r.value_left)
        earlier[r.doc_id, r.line_id].append((r.step, left))
    return earlier


async def append(
    connection: Session,
    merchant: str,
    entries: Sequence[Entry],
    pools: Mapping[Place, AnyPool],
    accounts: StockAccounts,
    currency: str,
    document: str,
    reason: str,
    actor: str,
    code_version: str,
    what: str = PICKED,
    kind: str = SALES_ORDER,
    own: Posting | None = None,
) -> int:
    """Book entries with their postings and the balances they lead to; returns the transaction's number in the chain.

    What the merchant's posting rules ask for beside the entries is read here, and only if they ask for it. `own`: one posting that
    holds all the entries, where their other side does not follow from their kind; none if it has no rows, because they sum to
    nothing.
    """
    if own is None:
        asked = await asked_for(connection, merchant, accounts, [entry.place for entry in entries], document)
        booked, numbers = postings(entries, asked)
    else:
        booked, numbers = _by_itself(own, len(entries))
    method = next((method_of(pool) for pool in pools.values()), MOVING_AVERAGE)
    if (method in AT_SET_PRICE) != (accounts.price_difference is not None) and pools:
        raise LookAgain(f"merchant {merchant}: the costing method was changed meanwhile")
    heading = {"reason": reason, "actor": actor, "rule_version": RULE_VERSIONS[method], "code_version": code_version}
    parameters = {
        "merchant": merchant,
        "heading": json.dumps(heading | {"method": method} if pools else heading),
        "entries": json.dumps(
            [_entry(entry, number, document, what, kind) for entry, number in zip(entries, numbers, strict=True)]
        ),
        "postings": json.dumps(
            [
                {
                    "event": posting.event,
                    "accounting_date": posting.accounting_date.isoformat(),
                    "currency": currency,
                    "document": document,
                    "rows": [
                        {"account": row.account, "debit": str(row.debit), "credit": str(row.credit)} for row in posting.rows
                    ],
                }
                for posting in booked
            ]
        ),
        "balances": json.dumps([_balance(place, pool) for place, pool in pools.items()]),
    }
    number = int((await connection.execute(_APPEND, parameters)).scalar_one())
    layered = {place: pool for place, pool in pools.items() if isinstance(pool, FifoPool)}
    if layered:
        await _keep_layers(connection, merchant, layered)
    return number


async def asked_for(
    connection: Session, merchant: str, accounts: StockAccounts, places: Iterable[Place], document: str
) -> StockAccounts:
    """The accounts with what their rules ask of articles and of the document behind the booking."""
    if any(rule.article_group != ANY for rule in accounts.rules):
        numbers = sorted({place[0] for place in places})
        found = await rows(connection, _GROUPS, merchant=merchant, numbers=numbers)
        accounts = replace(accounts, groups={row.article_number: row.article_group for row in found})
    if any(getattr(rule, name) != ANY for rule in accounts.rules for name in OF_DOCUMENT):
        kind, _, number = document.partition("/")
        row = await one(connection, _DOCUMENT, merchant=merchant, kind=kind, number=number)
        if row is not None:
            zone = None if kind == PURCHASE_ORDER else vat_zone(row.home, row.country, row.vat_number).value
            accounts = replace(accounts, about=About(row.order_type, zone, row.country))
    return accounts


def _by_itself(posting: Posting, entries: int) -> tuple[list[Posting], list[int | None]]:
    return ([posting], [1] * entries) if posting.rows else ([], [None] * entries)


def _entry(entry: Entry, posting: int | None, document: str, what: str, kind: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "article_number": entry.place[0],
        "warehouse": entry.place[1],
        "kind": entry.kind,
        "quantity": str(entry.quantity),
        "value": str(entry.value),
        "document": document,
        "posting": posting,
        "epoch": entry.epoch,
        "keep": _plain(entry.keep),
        "occurred_at": entry.occurred_at.isoformat(),
    }
    if entry.step:
        row |= {
            "booking_kind": kind,
            "booking_doc_id": entry.step.line[0],
            "booking_line_id": entry.step.line[1],
            "booking_what": what,
            "booking_step": entry.step.step,
        }
    if entry.cause:
        row["cause"] = entry.cause
    if entry.reverses:
        row["reverses_entry_no"] = entry.reverses
    return row


def _balance(place: Place, pool: AnyPool) -> dict[str, Any]:
    return {
        "article_number": place[0],
        "warehouse": place[1],
        "quantity": str(pool.quantity),
        "value": str(pool.value),
        "last_cost": None if pool.last_cost is None else str(pool.last_cost),
        "epoch": pool.epoch,
        "keep": _plain(pool.keep),
    }


def _plain(number: Decimal) -> str:
    return f"{number:f}"


def below_zero(pools: Mapping[Place, AnyPool]) -> list[str]:
    """Articles of which more has left than our books held."""
    return [place[0] for place, pool in pools.items() if pool.quantity < ZERO]
