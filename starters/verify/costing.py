"""How stock is costed, by the method it was booked with: layers, set prices, revaluations."""

from itertools import groupby
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.fifo import FifoPool
from domain.money import ZERO
from erp.database import rows
from starters.verify.check import Check, Found, Probe, Stage, Violation

_LAYERED = text(
    """
    select e.merchant_id, e.article_number, e.warehouse, e.entry_no, e.kind, e.quantity, e.value, e.epoch,
      e.cause like 'revaluation/%' as of_one_layer
    from erp.stock_entry e join erp.ledger_transaction t using (merchant_id, transaction_no)
    where t.rule_version like 'fifo-%' and (cast(:merchant as text) is null or e.merchant_id = :merchant)
    order by e.merchant_id, e.article_number collate "C", e.warehouse, e.entry_no
    """
)
_HELD = text(
    """
    select merchant_id, article_number, warehouse, array_agg(array[layer_no, quantity, value] order by layer_no) as layers
    from erp.stock_layer where cast(:merchant as text) is null or merchant_id = :merchant group by 1, 2, 3
    """
)
OUTSIDE = frozenset({"return-scrapped", "scrap", "scrap-reversal"})
"""Goods that come and go in one step, without touching what is in stock."""


async def layers_replayed(connection: AsyncConnection, merchant: str | None) -> Found:
    """Every movement of first in, first out, played again: each took and left what it says, and the layers are what is left."""
    held = {(r.merchant_id, r.article_number, r.warehouse): r.layers for r in await rows(connection, _HELD, merchant=merchant)}
    wrong: list[Violation] = []
    seen = 0
    found = await rows(connection, _LAYERED, merchant=merchant)
    for place, entries in groupby(found, key=lambda r: (r.merchant_id, r.article_number, r.warehouse)):
        pool, owed, last, values_known = FifoPool(), ZERO, None, True
        for entry in entries:
            seen += 1
            if last is None and entry.kind in ("opening", "receipt"):
                pool = FifoPool(next_number=entry.epoch - 1)  # another method may have been before
            if entry.kind == "cost" and not entry.of_one_layer:
                values_known = False  # a late cost of several receipts in one entry: by itself it does not say which layers
            if not values_known and entry.kind in ("cost", "true-up"):
                pass
            elif entry.kind == "true-up":
                owed += entry.value
            elif entry.kind not in OUTSIDE:
                if owed and values_known:
                    wrong.append(_differs(place, last, f"{owed} of its value is not where it belongs"))
                pool, owed, took = _play(pool, entry)
                if took != entry.value and values_known:
                    wrong.append(_differs(place, entry, f"is worth {entry.value}, by its layers {took}"))
            last = entry
        left = [[layer.number, layer.quantity, layer.value if values_known else ZERO] for layer in pool.layers]
        there = [[int(n), q, v if values_known else ZERO] for n, q, v in held.get(place, [])]
        if there != left or (owed and values_known):
            wrong.append(_differs(place, last, f"leaves {len(left)} layers worth {pool.value}, held are others"))
    return Found.of(seen, wrong)


def _play(pool: FifoPool, entry: Any) -> tuple[FifoPool, Any, Any]:
    """The pool afterwards, what a true-up must then bring to zero, and what the entry ought to be worth."""
    if entry.kind == "cost":
        pool, parts = pool.settle(entry.epoch, entry.value)
        return pool, parts.sold, entry.value
    if entry.quantity > 0:
        pool, owed = pool.receive(entry.quantity, entry.value)
        return pool, owed, entry.value
    if entry.kind in ("receipt-reversal", "return-reversal"):
        pool, owed = pool.take_out(-entry.quantity, -entry.value)
        return pool, owed, entry.value
    pool, cost = pool.issue(-entry.quantity)
    return pool, ZERO, -cost


def _differs(place: tuple[str, str, str], entry: Any, what: str) -> Violation:
    number = "-" if entry is None else entry.entry_no
    return Violation(place[0], f"{place[1]} in {place[2]}", f"entry {number} {what}")


CHECKS: list[Check | Probe] = [
    Probe("C1", "First in, first out: each movement took its layers, which are what is left", Stage.NEVER, layers_replayed),
    Check(
        "C1",
        "Layers add up to the balance where stock is costed by layers, and are nowhere else",
        Stage.NEVER,
        """
        select merchant_id, sum(n)::bigint as n from (
          select merchant_id, count(*) as n from erp.stock_layer group by 1
          union all select merchant_id, count(*) from erp.stock_balance group by 1) as b group by 1
        """,
        """
        with method as (
          select m.merchant_id, coalesce(s.settings->>'costing_method', 'moving-average') as method
          from erp.merchant m left join bridge.merchant_settings s using (merchant_id)),
        layers as (
          select merchant_id, article_number, warehouse, sum(quantity) as quantity, sum(value) as value
          from erp.stock_layer group by 1, 2, 3)
        select merchant_id, b.article_number || ' in ' || b.warehouse as document,
          'balance ' || b.quantity || ' worth ' || b.value || ', layers ' || coalesce(l.quantity, 0) || ' worth '
          || coalesce(l.value, 0) || ', costed by ' || m.method as detail
        from erp.stock_balance b join method m using (merchant_id)
        left join layers l using (merchant_id, article_number, warehouse)
        where case when m.method = 'fifo' and b.quantity > 0
                then (b.quantity, b.value) is distinct from (l.quantity, l.value) else l.quantity is not null end
        """,
    ),
    Check(
        "C2",
        "Stock at a set price is worth quantity times price, rounded once",
        Stage.NEVER,
        """
        select merchant_id, count(*) as n from erp.stock_balance b join erp.merchant m using (merchant_id)
        join bridge.merchant_settings s using (merchant_id)
        where s.settings->>'costing_method' in ('latest-price', 'standard') group by 1
        """,
        """
        select b.merchant_id, b.article_number || ' in ' || b.warehouse as document,
          b.quantity || ' at ' || coalesce(b.last_cost, 0) || ' are booked as ' || b.value as detail
        from erp.stock_balance b join bridge.merchant_settings s using (merchant_id)
        where s.settings->>'costing_method' in ('latest-price', 'standard')
          and b.value <> round(b.quantity * coalesce(b.last_cost, 0), 2)
        """,
    ),
    Check(
        "C3",
        "Every revaluation is in the ledger once, for the figures that it was previewed with",
        Stage.NEVER,
        "select merchant_id, count(*) as n from erp.revaluation_line group by 1",
        """
        select l.merchant_id, 'revaluation ' || l.revaluation_no || ' row ' || l.row_no as document,
          'changes stock by ' || l.stock || ' and the result by ' || l.result || ', the ledger has ' || coalesce(sum(e.value), 0)
            as detail
        from erp.revaluation_line l join erp.revaluation r using (merchant_id, revaluation_no)
        left join erp.stock_entry e on e.merchant_id = l.merchant_id and e.article_number = l.article_number
          and e.warehouse = l.warehouse and e.transaction_no = r.transaction_no
          and e.cause in ('revaluation/' || l.revaluation_no || '/' || l.row_no,
                          'revaluation/' || l.revaluation_no || '/' || l.row_no || '/result')
        group by l.merchant_id, l.revaluation_no, l.row_no, l.stock, l.result, l.purchase_order_number
        having coalesce(sum(e.value), 0) <> l.stock
          or coalesce(-sum(e.value) filter (where e.kind = 'true-up'), 0)
             <> case when l.purchase_order_number is null then 0 else l.result end
        union all
        select e.merchant_id, 'entry ' || e.entry_no, 'says ' || e.cause || ', and there is no such revaluation'
        from erp.stock_entry e where e.cause like 'revaluation/%' and not exists (
          select from erp.revaluation_line l where l.merchant_id = e.merchant_id
            and l.revaluation_no = split_part(e.cause, '/', 2)::bigint and l.row_no = split_part(e.cause, '/', 3)::int)
        """,
    ),
]
