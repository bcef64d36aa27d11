"""Revaluation in the tables: what it rests on is read, previewed by the domain, and booked as previewed or not at all."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.errors import Refused
from domain.money import rounded
from domain.pools import AnyPool
from domain.posting_rules import first_match
from domain.revaluation import Mark
from domain.revaluing import Asked, Line, Preview, ReceivedNotInvoiced, entries_of, preview
from domain.stock import Place
from erp import ledger
from erp.database import Session, one, rows
from erp.merchants import Merchant

_RECEIVED = text(
    """
    select r.*, o.order_type, coalesce(p.unit_price, r.unit_price) as price_now
    from erp.received_not_invoiced r
    join erp.purchase_order o using (merchant_id, purchase_order_number)
    left join erp.purchase_order_line p on p.merchant_id = r.merchant_id and p.purchase_order_number = r.purchase_order_number
      and p.line_number = r.line_number and p.article_number = r.article_number and o.currency = r.currency
    where r.merchant_id = :merchant and (r.quantity > 0 or (r.quantity = 0 and r.value <> 0))
      and (cast(:articles as text[]) is null or r.article_number = any(cast(:articles as text[])))
    order by r.article_number, r.warehouse, r.received_at, r.purchase_order_number, r.receipt_no, r.row_no
    """
)
_LOCK_PURCHASES = text(
    """
    select 1 from erp.purchase_order where merchant_id = :merchant and purchase_order_number = any(cast(:numbers as text[]))
    order by purchase_order_number for no key update
    """
)
_SET_PRICES = text(
    """
    select b.article_number, b.warehouse, s.price from erp.stock_balance b
    join lateral (select price from erp.standard_cost s where s.merchant_id = b.merchant_id
      and s.article_number = b.article_number and s.valid_from <= :on order by valid_from desc limit 1) as s on true
    where b.merchant_id = :merchant and b.quantity <> 0
      and (cast(:articles as text[]) is null or b.article_number = any(cast(:articles as text[])))
    """
)
_LATEST = text(
    """
    select distinct on (l.article_number, l.warehouse) l.article_number, l.warehouse, l.currency, l.unit_price, l.exchange_rate,
      coalesce(p.unit_price, l.unit_price) as price_now
    from erp.goods_receipt_line l join erp.purchase_order o using (merchant_id, purchase_order_number)
    left join erp.purchase_order_line p on p.merchant_id = l.merchant_id and p.purchase_order_number = l.purchase_order_number
      and p.line_number = l.line_number and p.article_number = l.article_number and o.currency = l.currency
    where l.merchant_id = :merchant and l.quantity > 0 and l.in_stock and l.unit_price > 0
      and (cast(:articles as text[]) is null or l.article_number = any(cast(:articles as text[])))
    order by l.article_number, l.warehouse, l.received_at desc, l.purchase_order_number desc, l.receipt_no desc, l.row_no desc
    """
)
_STANDING = text(
    """
    select b.article_number, b.warehouse, b.last_entry_no from erp.stock_balance b
    join unnest(cast(:articles as text[]), cast(:warehouses as text[])) as n(a, w) on b.article_number = n.a and b.warehouse = n.w
    where b.merchant_id = :merchant
    """
)
_BOOKED = text("select revaluation_no from erp.revaluation where merchant_id = :merchant and preview_hash = :hash")
_HEAD = text("select from bridge.ledger_head where merchant_id = :merchant for update")
_NUMBER = text("select coalesce(max(revaluation_no), 0) + 1 as number from erp.revaluation where merchant_id = :merchant")
_NOW = text("select clock_timestamp() as now")
_REVALUATION = text(
    """
    insert into erp.revaluation (merchant_id, revaluation_no, preview_hash, accounting_date, asked, actor, reason, transaction_no)
    values (:merchant, :number, :hash, :on, cast(:asked as jsonb), :actor, :reason, :transaction_no)
    """
)
_LINES = text(
    """
    insert into erp.revaluation_line (merchant_id, revaluation_no, row_no, article_number, warehouse, purchase_order_number,
      receipt_no, receipt_row_no, value_before, amount, stock, result, unit_price, exchange_rate)
    select :merchant, :number, n, a, w, p, r, rr, b, m, s, e, u, x
    from unnest(cast(:articles as text[]), cast(:warehouses as text[]), cast(:purchases as text[]), cast(:receipts as int[]),
      cast(:rows as int[]), cast(:befores as numeric[]), cast(:amounts as numeric[]), cast(:stock as numeric[]),
      cast(:results as numeric[]), cast(:prices as numeric[]), cast(:rates as numeric[]))
      with ordinality as u(a, w, p, r, rr, b, m, s, e, u, x, n)
    """
)
_AUDIT = text(
    """
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason, detail)
    values (:merchant, :actor, 'revalue', 'stock', :document, :reason, cast(:detail as jsonb))
    """
)


async def preview_revaluation(
    connection: Session, merchant: Merchant, asked: Asked, articles: Sequence[str] | None = None, for_update: bool = False
) -> Preview:
    """What a revaluation comes to now. Without `for_update` it only reads, and anybody who may read may ask."""
    who = merchant.merchant_id
    open_receipts = await _receipts(connection, merchant, asked, articles)
    if for_update:  # documents before balances: whoever receives, takes back or matches an invoice locks its purchase first
        numbers = sorted({r.purchase for r in open_receipts})
        await connection.execute(_LOCK_PURCHASES, {"merchant": who, "numbers": numbers})
    places = {r.place for r in open_receipts}
    places |= set(await _new_prices(connection, merchant, asked, articles))
    pools: dict[Place, AnyPool] = {}
    if places:
        read = ledger.lock_pools if for_update else ledger.read_pools
        pools = await read(connection, who, places)
    # Read again under the locks: nothing that this rests on can change any more before it is booked.
    receipts = [each for each in await _receipts(connection, merchant, asked, articles) if each.place in pools]
    prices = {at: price for at, price in (await _new_prices(connection, merchant, asked, articles)).items() if at in pools}
    key = {"articles": [place[0] for place in pools], "warehouses": [place[1] for place in pools]}
    found = await rows(connection, _STANDING, merchant=who, **key)
    standing = {(r.article_number, r.warehouse): r.last_entry_no for r in found}
    return preview(asked, receipts, prices, pools, standing)


async def revalue(
    connection: Session,
    merchant: Merchant,
    asked: Asked,
    articles: Sequence[str] | None,
    preview_hash: str,
    actor: str,
    reason: str,
    code_version: str,
) -> tuple[int, bool]:
    """Book exactly what was previewed; returns the revaluation's number, and whether it was booked just now. A repeat finds it.

    Refused where the books, the prices or what was asked for are not as they were at the preview.
    """
    who, mark = merchant.merchant_id, _bytes(preview_hash)
    found = await preview_revaluation(connection, merchant, asked, articles, for_update=True)
    await connection.execute(_HEAD, {"merchant": who})
    booked = await one(connection, _BOOKED, merchant=who, hash=mark)
    if booked is not None:
        return int(booked.revaluation_no), False
    if found.hash != preview_hash:
        text_ = "nothing was booked: it is no longer what was previewed (the books, prices, rates or options differ)"
        raise Refused("preview-outdated", f"preview {preview_hash[:12]}: {text_}; the preview is {found.hash[:12]} now")
    if not found.lines:
        raise Refused("preview-outdated", "there is nothing to revalue: every value is what it would be")
    number = int((await one(connection, _NUMBER, merchant=who)).number)
    now = (await one(connection, _NOW)).now
    accounts = {n: await _owed_on(connection, merchant, line) for n, line in enumerate(found.lines, start=1)}
    transaction_no = await ledger.append(
        connection,
        who,
        entries_of(found, number, accounts, now),
        found.pools,
        merchant.settings.stock_accounts,
        merchant.currency,
        document=f"revaluation/{number}",
        reason=reason,
        actor=actor,
        code_version=code_version,
    )
    key = {"merchant": who, "number": number, "actor": actor, "reason": reason}
    told = asked.as_document() | {"articles": sorted(articles) if articles is not None else None}
    await connection.execute(
        _REVALUATION,
        key | {"hash": mark, "on": asked.on, "asked": json.dumps(told), "transaction_no": transaction_no},
    )
    await connection.execute(_LINES, {"merchant": who, "number": number} | _columns(found.lines))
    detail = {"preview": preview_hash, "stock": str(found.stock), "result": str(found.result), "asked": told}
    await connection.execute(_AUDIT, key | {"document": f"revaluation/{number}", "detail": json.dumps(detail)})
    return number, True


async def _receipts(
    connection: Session, merchant: Merchant, asked: Asked, articles: Sequence[str] | None
) -> list[ReceivedNotInvoiced]:
    """What nobody has invoiced yet. Transfers are invoiced by nobody."""
    if not (asked.rates or asked.purchases):
        return []
    kinds = merchant.settings.order_types
    found = await rows(connection, _RECEIVED, merchant=merchant.merchant_id, articles=articles)
    return [
        ReceivedNotInvoiced(
            r.purchase_order_number,
            r.receipt_no,
            r.row_no,
            (r.article_number, r.warehouse),
            Mark(r.mark_epoch, r.mark_keep),
            r.quantity,
            r.value,
            r.currency,
            r.unit_price,
            r.exchange_rate,
            r.price_now,
            r.order_type,
        )
        for r in found
        if "issue_account" not in kinds.get(r.order_type, {})
    ]


async def _new_prices(
    connection: Session, merchant: Merchant, asked: Asked, articles: Sequence[str] | None
) -> dict[Place, Decimal]:
    """The prices that stock is to stand at: of the list, or of the latest purchase at today's price and rate."""
    method = merchant.settings.costing_method
    key = {"merchant": merchant.merchant_id, "articles": articles}
    if not asked.prices:
        return {}
    if method == "standard":
        return {(r.article_number, r.warehouse): r.price for r in await rows(connection, _SET_PRICES, **key, on=asked.on)}
    if method != "latest-price":
        raise Refused("settings-wrong", f"stock is costed by {method}: it stands at no set price that could be another")
    return {
        (r.article_number, r.warehouse): rounded(
            (r.price_now if asked.purchases else r.unit_price) * asked.rates.get(r.currency, r.exchange_rate), 6
        )
        for r in await rows(connection, _LATEST, **key)
    }


async def _owed_on(connection: Session, merchant: Merchant, line: Line) -> int:
    """The other side of what a line changes: where its receipt is owed, or the account of price differences."""
    settings = merchant.settings
    if line.receipt is None:
        assert settings.price_difference_account is not None
        return settings.price_difference_account
    receipt = line.receipt
    accounts = settings.receipt_accounts(receipt.purchase, receipt.order_type)
    document = f"purchase-order/{receipt.purchase}"
    accounts = await ledger.asked_for(connection, merchant.merchant_id, accounts, [line.place], document)
    rule = first_match(accounts.table(), accounts.facts("goods-received", line.place))
    if rule is None:
        raise Refused("posting-rule-missing", f"{document}: no posting rule for goods-received of article {line.place[0]}")
    return rule.sides("goods-received")[1]


def _columns(lines: Sequence[Line]) -> dict[str, list[Any]]:
    receipts = [line.receipt for line in lines]
    return {
        "articles": [line.place[0] for line in lines],
        "warehouses": [line.place[1] for line in lines],
        "purchases": [each and each.purchase for each in receipts],
        "receipts": [each and each.receipt_no for each in receipts],
        "rows": [each and each.row_no for each in receipts],
        "befores": [line.before for line in lines],
        "amounts": [line.amount for line in lines],
        "stock": [line.stock for line in lines],
        "results": [line.result for line in lines],
        "prices": [line.price for line in lines],
        "rates": [line.rate for line in lines],
    }


def _bytes(preview_hash: str) -> bytes:
    try:
        return bytes.fromhex(preview_hash)
    except ValueError:
        raise Refused(
            "preview-outdated", f"{preview_hash!r} is no preview: give the whole hash that `cost preview` shows"
        ) from None
