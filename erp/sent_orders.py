"""What was sent of an order and what the warehouse took: the lines it holds, our mark on it, and requests that may still arrive.

An attempt is committed before its bytes are sent, with the time until which it may live. Whoever finds an attempt that did
not end treats it as one that may still arrive: it could restore an older version or revive a cancelled order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.keys import OrderKey
from erp.database import Session, one, rows
from erp.orders import OrderDocument


@dataclass(frozen=True, slots=True)
class HeldLine:
    """A line as the warehouse holds it."""

    article_number: str
    quantity: Decimal


_BEGIN = text(
    """
    insert into bridge.order_sent as s (merchant_id, order_number, attempt, sending_until)
    select o.merchant_id, o.order_number, 1, clock_timestamp() + make_interval(secs => :alive) from erp.sales_order o
    where o.merchant_id = :merchant and o.order_number = :number
      and (o.cancel_requested_at is null or o.cancel_answer = 'too-late')
    on conflict (merchant_id, order_number) do update set attempt = s.attempt + 1,
      unclear_until = greatest(s.unclear_until, s.sending_until), sending_until = excluded.sending_until
    returning attempt
    """
)
_HELD = text(
    """
    select line_number, article_number, quantity, description, unit_price, discount_percent, vat_rate, account
    from erp.held_line where merchant_id = :merchant and order_number = :number
    """
)
_TAKEN = text(
    """
    with sent as (
      insert into bridge.order_sent as s (merchant_id, order_number, mark, header)
      values (:merchant, :number, :mark, cast(:header as jsonb))
      on conflict (merchant_id, order_number) do update set mark = excluded.mark, header = coalesce(excluded.header, s.header),
        sending_until = case when s.attempt = :attempt then null else s.sending_until end),
    gone as (
      update erp.held_line set quantity = 0
      where merchant_id = :merchant and order_number = :number and quantity <> 0
        and line_number <> all (cast(:lines as int[])))
    insert into erp.held_line as h (merchant_id, order_number, line_number, article_number, quantity, description, unit_price,
      discount_percent, vat_rate, account)
    select :merchant, :number, n, a, q, d, p, dp, v, ac
    from unnest(cast(:lines as int[]), cast(:articles as text[]), cast(:quantities as numeric[]), cast(:texts as text[]),
      cast(:prices as numeric[]), cast(:discounts as numeric[]), cast(:vat_rates as numeric[]), cast(:accounts as int[]))
      as u(n, a, q, d, p, dp, v, ac)
    on conflict (merchant_id, order_number, line_number) do update set article_number = excluded.article_number,
      quantity = excluded.quantity, description = excluded.description, unit_price = excluded.unit_price,
      discount_percent = excluded.discount_percent, vat_rate = excluded.vat_rate, account = excluded.account
    """
)


async def begin_send(connection: Session, key: OrderKey, alive: float) -> int | None:
    """Note, before anything is sent, that a request may live for so many seconds. None when the ERP has asked to cancel."""
    row = await one(connection, _BEGIN, merchant=key.merchant, number=key.number, alive=alive)
    return None if row is None else int(row.attempt)


async def held_lines(connection: Session, key: OrderKey) -> dict[int, HeldLine]:
    """What the warehouse took of the order's lines, without those it no longer holds."""
    found = await rows(connection, _HELD, merchant=key.merchant, number=key.number)
    return {row.line_number: HeldLine(row.article_number, row.quantity) for row in found if row.quantity}


async def taken(
    connection: Session,
    key: OrderKey,
    order: OrderDocument,
    mark: str | None,
    header: dict[str, Any] | None,
    lines: Mapping[int, HeldLine],
    attempt: int | None,
) -> None:
    """Keep what the warehouse was read to hold, at the ERP's terms or, where it has dropped a line, at those last known.

    A line that the ERP never had is left out: it cannot be billed. Ends the attempt, unless a later one has begun.
    """
    terms: dict[int, Any] = {line.line_number: line for line in order.lines}
    if any(number not in terms or terms[number].article_number != line.article_number for number, line in lines.items()):
        known = {row.line_number: row for row in await rows(connection, _HELD, merchant=key.merchant, number=key.number)}
        terms = {
            number: of
            for number, line in lines.items()
            for of in (terms.get(number), known.get(number))
            if of is not None and of.article_number == line.article_number
        }
    kept = [(number, line, terms[number]) for number, line in sorted(lines.items()) if number in terms]
    await connection.execute(
        _TAKEN,
        {
            "merchant": key.merchant,
            "number": key.number,
            "mark": mark,
            "header": None if header is None else json.dumps(header),
            "attempt": attempt,
            "lines": [number for number, _, _ in kept],
            "articles": [line.article_number for _, line, _ in kept],
            "quantities": [line.quantity for _, line, _ in kept],
            "texts": [of.description for _, _, of in kept],
            "prices": [of.unit_price for _, _, of in kept],
            "discounts": [of.discount_percent for _, _, of in kept],
            "vat_rates": [of.vat_rate for _, _, of in kept],
            "accounts": [of.account for _, _, of in kept],
        },
    )
