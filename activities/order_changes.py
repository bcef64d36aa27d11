"""What of an order the warehouse takes. Its address and its lines are judged apart: one may be refused and the other taken.

An order is put whole. Where that is refused for an order that is there already, each part is tried with the other as the
warehouse took it last, and what came of it is read back: no words of a refusal are interpreted. Our mark says which version is
there and, where only one part of it was taken, which.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clients.errors import Rejected, Unauthorised
from clients.ongoing import GetOrder, OngoingClient, PostOrder, PostOrderLine
from domain.merchant import SENT
from domain.money import ZERO
from erp.orders import OrderDocument, Sent
from erp.sent_orders import HeldLine

ADDRESS, LINES, BOTH = "address", "lines", "address and lines"


@dataclass(frozen=True, slots=True)
class Taken:
    """What the warehouse holds after we asked, everything but the lines as it was taken, and the part it did not take."""

    held: GetOrder
    header: dict[str, Any] | None
    refused: str | None = None
    why: str = ""


def our_mark(order: OrderDocument) -> str:
    """What travels in `goodsOwnerOrderId`: whose order it is and which version."""
    return f"lagerbro/{order.number}/v{order.version}"


def is_ours(held: GetOrder, number: str) -> bool:
    """Whether the document carries our mark for this number."""
    return (held.goods_owner_order_id or "").startswith(f"lagerbro/{number}/v")


def number_in(mark: str | None) -> str | None:
    """The order number in a mark of ours; None for any other text."""
    found = re.fullmatch(r"lagerbro/(.+)/v\d+(/\w+)?", mark or "")
    return found[1] if found else None


def lines_of(held: GetOrder) -> dict[int, HeldLine]:
    """The document's lines by our line number; a row that is no number is none of ours."""
    return {
        int(line.row_number): HeldLine(line.article_number, line.ordered or ZERO)
        for line in held.lines
        if line.row_number and line.row_number.isascii() and line.row_number.isdigit() and len(line.row_number) < 8
    }


def header_of(order: PostOrder) -> dict[str, Any]:
    """Everything of the order but its lines and our mark, as it can be kept and compared."""
    return order.model_dump(mode="json", exclude={"order_lines", "goods_owner_order_id"}, exclude_none=True)


async def put_order(client: OngoingClient, wanted: PostOrder) -> GetOrder:
    """Put and read back."""
    return await client.get_order(await client.put_order(wanted))


async def change_order(client: OngoingClient, wanted: PostOrder, there: GetOrder, sent: Sent, meaning: str) -> Taken:
    """Make a document that is there already be as wanted, as far as the warehouse lets us. Never revives a cancelled one."""
    header = header_of(wanted)
    asked = {int(line.row_number): HeldLine(line.article_number, line.number_of_items) for line in wanted.order_lines}
    changed = _changed(header != sent.header, asked != lines_of(there))
    if there.goods_owner_order_id == wanted.goods_owner_order_id:
        return Taken(there, header)
    if changed is None and there.goods_owner_order_id == sent.mark:
        return Taken(there, header)  # only what the warehouse is never told has changed: prices, services
    if meaning in SENT or meaning == "cancelled":
        done = "cancelled" if meaning == "cancelled" else "sent"
        return Taken(there, sent.header, changed, f"the warehouse has {done} the order already")
    try:
        return Taken(await put_order(client, wanted), header)
    except Unauthorised:
        raise
    except Rejected as refusal:
        why = str(refusal)
    there = await client.get_order(there.order_id)
    if there.goods_owner_order_id == wanted.goods_owner_order_id:
        return Taken(there, header)
    if changed != BOTH or sent.header is None:
        return Taken(there, sent.header, changed, why)
    as_held = wanted.model_copy(
        update={"order_lines": _as_held(wanted, there), "goods_owner_order_id": f"{wanted.goods_owner_order_id}/{ADDRESS}"}
    )
    if isinstance(taken := await _try(client, as_held), GetOrder):
        return Taken(taken, header, LINES, why)
    if any(line.picked or line.allocated for line in there.lines):
        return Taken(there, sent.header, BOTH, why)  # the warehouse has begun: a third refusal would tell nothing new
    old_header = PostOrder.model_validate(
        sent.header | {"order_lines": wanted.order_lines, "goods_owner_order_id": f"{wanted.goods_owner_order_id}/{LINES}"}
    )
    if isinstance(taken := await _try(client, old_header), GetOrder):
        return Taken(taken, sent.header, ADDRESS, why)
    return Taken(await client.get_order(there.order_id), sent.header, BOTH, why)


async def _try(client: OngoingClient, wanted: PostOrder) -> GetOrder | None:
    try:
        return await put_order(client, wanted)
    except Unauthorised:
        raise
    except Rejected:
        return None


def _changed(header: bool, lines: bool) -> str | None:
    return BOTH if header and lines else ADDRESS if header else LINES if lines else None


def _as_held(wanted: PostOrder, there: GetOrder) -> Sequence[PostOrderLine]:
    """The lines as the warehouse holds them, with all we know of those that do not change."""
    same = {(line.row_number, line.article_number, line.number_of_items): line for line in wanted.order_lines}
    return [
        same.get((row, line.article_number, quantity))
        or PostOrderLine(row_number=row, article_number=line.article_number, number_of_items=quantity)
        for line in there.lines
        if (row := line.row_number) and (quantity := line.ordered or ZERO) is not None
    ]
