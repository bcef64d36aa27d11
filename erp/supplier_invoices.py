"""Supplier invoices as they are read from the accounting and matched to receipts: rows of ours, one for each invoice over there.

What an invoice says is kept by version; a version that was booked is taken back before the next is. A purchase order's row is
locked first, then its invoices by number, then pools.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.revaluation import Mark
from domain.supplier_invoices import BilledRow, Booked, Bought, Claimed, Invoiced, Open, OpenClaim, Plan
from erp.counters import PURCHASE_ORDER
from erp.database import Session, one, rows
from erp.late_cost import Booking, ReceiptLine

RETURN = "supplier-return/"
NOT_TAKEN = "supplier-invoice-not-taken"


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A row that concerns us: `goods` on the account of what is not invoiced, or `landed-cost`. It may name purchases itself."""

    row_no: int
    kind: str
    account: int
    article_number: str | None
    quantity: Decimal
    amount: Decimal
    value: Decimal
    purchases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadInvoice:
    """A supplier invoice as the accounting has it now, as far as it concerns us. `purchases` are numbers that it names."""

    number: int
    supplier_number: str | None
    invoice_number: str | None
    invoice_date: date
    currency: str
    rate: Decimal
    credits: int | None
    in_books: bool
    cancelled: bool
    purchases: tuple[str, ...]
    lines: tuple[ReadLine, ...]

    @property
    def fingerprint(self) -> str:
        """Changes when anything does that matching reads."""
        said: list[tuple[Any, ...]] = [
            (self.supplier_number, self.invoice_number, str(self.invoice_date), self.currency, _plain(self.rate)),
            (self.credits, self.in_books, self.cancelled, self.purchases),
        ]
        for line in self.lines:
            figures = (_plain(line.quantity), _plain(line.amount), _plain(line.value))
            said.append((line.row_no, line.kind, line.account, line.article_number, line.purchases, *figures))
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredInvoice:
    """A supplier invoice as we keep it. `approved`: a person decided about just this version. `booked_on`: the purchase order that
    an earlier version may be booked on still, where `booked_version` is not None."""

    number: int
    version: int
    supplier_number: str | None
    invoice_number: str | None
    invoice_date: date
    currency: str
    rate: Decimal
    credits: int | None
    purchase: str | None
    purchases: tuple[str, ...]
    state: str
    booked_version: int | None
    decision: str | None
    decided_by: str | None
    decision_reason: str | None
    booked_on: str | None
    seen_before: bool
    lines: tuple[ReadLine, ...] = ()

    @property
    def document(self) -> str:
        return document_of(self.number)

    @property
    def approved(self) -> bool:
        return self.decision == "approve"

    @property
    def takes_back(self) -> bool:
        """Whether it is a credit note."""
        return sum((line.value for line in self.lines), Decimal(0)) < 0

    @property
    def awaits(self) -> bool:
        """Whether it is an invoice that will be booked by itself: when goods come, or when the accounting books it."""
        return self.state in ("parked", "unbooked") and not self.takes_back

    def rows_of(self, kind: str) -> tuple[BilledRow, ...]:
        return tuple(
            BilledRow(line.row_no, line.amount, line.value, line.article_number, abs(line.quantity))
            for line in self.lines
            if line.kind == kind
        )


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def document_of(number: int) -> str:
    """How bookings and postings name a supplier invoice."""
    return f"supplier-invoice/{number}"


_KNOWN = text(
    """
    select purchase_order_number as number from erp.purchase_order
    where merchant_id = :merchant and purchase_order_number = any(cast(:numbers as text[])) and status <> 'draft'
    """
)
_HELD = text(
    """
    select version, fingerprint, state, booked_version, purchase_order_number from erp.supplier_invoice
    where merchant_id = :merchant and fortnox_number = :number for update
    """
)
_INSERT = text(
    """
    insert into erp.supplier_invoice (merchant_id, fortnox_number, fingerprint, supplier_number, invoice_number, invoice_date, currency,
      exchange_rate, credits_number, purchases, purchase_order_number, in_books, cancelled, state, why)
    values (:merchant, :number, :fingerprint, :supplier, :invoice_number, :on, :currency, :rate, :credits, cast(:purchases as text[]),
      :purchase, :in_books, :cancelled, :state, :why)
    on conflict (merchant_id, fortnox_number) do nothing returning version
    """
)
_UPDATE = text(
    """
    update erp.supplier_invoice set version = version + 1, fingerprint = :fingerprint, supplier_number = :supplier,
      invoice_number = :invoice_number, invoice_date = :on, currency = :currency, exchange_rate = :rate, credits_number = :credits,
      purchases = cast(:purchases as text[]), purchase_order_number = :purchase, in_books = :in_books, cancelled = :cancelled,
      state = :state, match_state = null, why = :why, decision = null, decided_by = null, decision_reason = null,
      decided_version = null, state_at = now(), read_at = now()
    where merchant_id = :merchant and fortnox_number = :number returning version
    """
)
_SEEN = text("update erp.supplier_invoice set read_at = now() where merchant_id = :merchant and fortnox_number = :number")
_LINES = text(
    """
    insert into erp.supplier_invoice_line (merchant_id, fortnox_number, version, row_no, kind, account, article_number, quantity, amount,
      value, purchases)
    select :merchant, :number, :version, r, k, c, a, q, m, v, string_to_array(p, chr(10))
    from unnest(cast(:rows as int[]), cast(:kinds as text[]), cast(:accounts as int[]), cast(:articles as text[]),
      cast(:quantities as numeric[]), cast(:amounts as numeric[]), cast(:values as numeric[]), cast(:purchases as text[]))
      as u(r, k, c, a, q, m, v, p)
    """
)
_NUDGE = text(
    """
    insert into bridge.inbox (merchant_id, source, event_id, kind, document)
    select :merchant, 'supplier-invoice', gen_random_uuid()::text, :kind, n from unnest(cast(:numbers as text[])) as u(n)
    where not exists (select from bridge.inbox i where i.merchant_id = :merchant and i.document = u.n and i.kind = :kind
                      and i.applied_at is null)
    """
)
_INVOICES = text(
    """
    select s.fortnox_number as number, s.version, s.supplier_number, s.invoice_number, s.invoice_date, s.currency, s.exchange_rate,
      s.credits_number, s.purchase_order_number, s.purchases, s.state, s.booked_version,
      s.decision, s.decided_by, s.decision_reason,
      (select b.purchase_order_number from erp.purchase_booking b where b.merchant_id = s.merchant_id
        and b.document = 'supplier-invoice/' || s.fortnox_number order by b.step desc limit 1) as booked_on,
      exists (select from erp.supplier_invoice o where o.merchant_id = s.merchant_id and o.supplier_number = s.supplier_number
        and o.invoice_number = s.invoice_number and o.fortnox_number < s.fortnox_number and not o.cancelled
        and o.state <> 'rejected' and o.credits_number is null and s.credits_number is null) as seen_before
    from erp.supplier_invoice s
    where s.merchant_id = :merchant and (s.purchase_order_number = :purchase or (s.booked_version is not null and exists (
      select from erp.purchase_booking b where b.merchant_id = s.merchant_id and b.purchase_order_number = :purchase
        and b.document = 'supplier-invoice/' || s.fortnox_number)))
    order by s.fortnox_number for update of s
    """
)
_INVOICE_LINES = text(
    """
    select l.fortnox_number, l.row_no, l.kind, l.account, l.article_number, l.quantity, l.amount, l.value, l.purchases
    from erp.supplier_invoice_line l join erp.supplier_invoice s on s.merchant_id = l.merchant_id
      and s.fortnox_number = l.fortnox_number and s.version = l.version
    where l.merchant_id = :merchant and l.fortnox_number = any(cast(:numbers as bigint[])) order by l.fortnox_number, l.row_no
    """
)
_STATE = text(
    """
    update erp.supplier_invoice set state = :state, match_state = :match_state, why = left(:why, 1000),
      booked_version = cast(:booked as int), state_at = case when state = :state then state_at else now() end
    where merchant_id = :merchant and fortnox_number = :number
    """
)
_UNBOOKED = text(
    """
    update erp.supplier_invoice set booked_version = null, state = case when state = 'booked' then 'parked' else state end,
      decision = case when :keep then decision end, decided_by = case when :keep then decided_by end,
      decision_reason = case when :keep then decision_reason end, decided_version = case when :keep then decided_version end
    where merchant_id = :merchant and fortnox_number = :number
    """
)
_DECIDE = text(
    """
    update erp.supplier_invoice set decision = :decision, decided_by = :by, decision_reason = :reason, decided_version = version
    where merchant_id = :merchant and fortnox_number = :number and purchase_order_number = :purchase and state in ('waiting', 'parked')
    returning version, match_state, why
    """
)
_AUDIT = text(
    """
    insert into bridge.audit (merchant_id, actor, action, kind, document, reason, detail)
    values (:merchant, :by, :action, 'supplier-invoice', :document, :reason, cast(:detail as jsonb))
    """
)
_ONE_STATE = text(
    """
    select state, match_state, why, decision, decided_by, booked_version from erp.supplier_invoice
    where merchant_id = :merchant and fortnox_number = :number and purchase_order_number = :purchase for update
    """
)


async def unplaced(connection: Session, merchant: str) -> list[int]:
    """Invoices on our account whose purchase order was not found: it may have come since. Of many the longest unread, so that all
    come round."""
    return [row.number for row in await rows(connection, _UNPLACED, merchant=merchant)]


async def not_taken(connection: Session, merchant: str) -> list[int]:
    """Invoices that could not be kept as they were: some, drawn by lot, so that all come round."""
    return [int(row.document) for row in await rows(connection, _NOT_TAKEN, merchant=merchant, code=NOT_TAKEN)]


async def seen(connection: Session, merchant: str, number: int) -> None:
    """It was looked at, and is as we keep it."""
    await connection.execute(_SEEN, {"merchant": merchant, "number": number})


async def read_since(connection: Session, merchant: str, flow: str) -> tuple[datetime | None, datetime]:
    """From when on invoices are to be read, and the time now. At first from the oldest purchase order that is under way; None while
    nothing was ever ordered."""
    mark = await one(connection, _WATERMARK, merchant=merchant, flow=flow)
    since = mark.watermark if mark and mark.watermark else (await one(connection, _FIRST, merchant=merchant)).at
    return since, await now(connection)


async def now(connection: Session) -> datetime:
    found: datetime = (await one(connection, _NOW)).now
    return found


async def is_kept(connection: Session, merchant: str, number: int) -> bool:
    """Whether we hold this invoice already."""
    return await one(connection, _HOLDS, merchant=merchant, number=number) is not None


async def known_purchases(connection: Session, merchant: str, numbers: Sequence[str]) -> set[str]:
    """Those of these words that are numbers of purchase orders."""
    found = await rows(connection, _KNOWN, merchant=merchant, numbers=sorted(set(numbers)))
    return {row.number for row in found}


async def store(
    connection: Session, merchant: str, invoice: ReadInvoice, state: str, purchase: str | None, why: str
) -> tuple[bool, list[str]]:
    """Keep an invoice as it is now: whether that is news, and the purchase orders whose processes must look.

    The same content again changes nothing. Of a version that was booked the next one remembers so: it is taken back first.
    """
    key = {"merchant": merchant, "number": invoice.number}
    values = {
        "fingerprint": invoice.fingerprint,
        "supplier": invoice.supplier_number,
        "invoice_number": invoice.invoice_number,
        "on": invoice.invoice_date,
        "currency": invoice.currency,
        "rate": invoice.rate,
        "credits": invoice.credits,
        "purchases": list(invoice.purchases),
        "purchase": purchase,
        "in_books": invoice.in_books,
        "cancelled": invoice.cancelled,
        "state": state,
        "why": why,
    }
    made = await rows(connection, _INSERT, **key, **values)
    told = [purchase] if purchase else []
    if not made:
        held = await one(connection, _HELD, **key)
        same_place = (held.purchase_order_number, held.state != "no-purchase") == (purchase, state != "no-purchase")
        if held.fingerprint == invoice.fingerprint and same_place:
            await seen(connection, merchant, invoice.number)
            return False, []
        made = await rows(connection, _UPDATE, **key, **values)
        if held.purchase_order_number and held.purchase_order_number not in told:
            told.append(held.purchase_order_number)
    columns: dict[str, list[Any]] = {
        "rows": [line.row_no for line in invoice.lines],
        "kinds": [line.kind for line in invoice.lines],
        "accounts": [line.account for line in invoice.lines],
        "articles": [line.article_number for line in invoice.lines],
        "quantities": [line.quantity for line in invoice.lines],
        "amounts": [line.amount for line in invoice.lines],
        "values": [line.value for line in invoice.lines],
        "purchases": ["\n".join(line.purchases) for line in invoice.lines],
    }
    await connection.execute(_LINES, key | {"version": made[0].version} | columns)
    return True, told


async def nudge(connection: Session, merchant: str, numbers: Sequence[str]) -> None:
    """Let the processes of these purchase orders look; one that has ended gets another run."""
    if numbers:
        await connection.execute(_NUDGE, {"merchant": merchant, "kind": PURCHASE_ORDER, "numbers": sorted(set(numbers))})


async def invoices_of(connection: Session, merchant: str, purchase: str) -> list[StoredInvoice]:
    """Every supplier invoice that names this purchase order or is booked on it, locked, by number."""
    found = await rows(connection, _INVOICES, merchant=merchant, purchase=purchase)
    lines: dict[int, list[ReadLine]] = {}
    for row in await rows(connection, _INVOICE_LINES, merchant=merchant, numbers=[row.number for row in found]):
        line = ReadLine(
            row.row_no, row.kind, row.account, row.article_number, row.quantity, row.amount, row.value, tuple(row.purchases)
        )
        lines.setdefault(row.fortnox_number, []).append(line)
    return [
        StoredInvoice(
            row.number,
            row.version,
            row.supplier_number,
            row.invoice_number,
            row.invoice_date,
            row.currency,
            row.exchange_rate,
            row.credits_number,
            row.purchase_order_number,
            tuple(row.purchases),
            row.state,
            row.booked_version,
            row.decision,
            row.decided_by,
            row.decision_reason,
            row.booked_on,
            row.seen_before,
            tuple(lines.get(row.number, ())),
        )
        for row in found
    ]


async def set_state(
    connection: Session, merchant: str, number: int, state: str, match_state: str | None, why: str, booked: int | None = None
) -> None:
    """Where an invoice stands now, and in which words."""
    values = {"state": state, "match_state": match_state, "why": why, "booked": booked}
    await connection.execute(_STATE, {"merchant": merchant, "number": number} | values)


async def unbooked(connection: Session, merchant: str, number: int, keep_decision: bool) -> None:
    """What the invoice had booked is taken back. What a person decided about it stands only if nothing of it has changed."""
    await connection.execute(_UNBOOKED, {"merchant": merchant, "number": number, "keep": keep_decision})


async def state_of(connection: Session, merchant: str, purchase: str, number: int) -> Any:
    """Where an invoice of this purchase order stands, locked; None if it is none of it."""
    return await one(connection, _ONE_STATE, merchant=merchant, number=number, purchase=purchase)


async def decide(connection: Session, merchant: str, purchase: str, number: int, by: str, reason: str, decision: str) -> None:
    """Keep a person's decision about an invoice as it is now, with its audit row."""
    key = {"merchant": merchant, "number": number}
    found = await rows(connection, _DECIDE, **key, purchase=purchase, decision=decision, by=by, reason=reason)
    detail = {"purchase": purchase, "version": found[0].version, "state": found[0].match_state, "why": found[0].why}
    values = {"by": by, "action": f"{decision}-supplier-invoice", "document": str(number), "reason": reason}
    await connection.execute(_AUDIT, {"merchant": merchant, "detail": json.dumps(detail)} | values)


# --- what a purchase order stands at ----------------------------------------------------------------------------------

_PRICES = text(
    """
    select line_number, article_number, unit_price from erp.purchase_order_line
    where merchant_id = :merchant and purchase_order_number = :purchase
    """
)
_OPEN = text(
    """
    select * from erp.received_not_invoiced
    where merchant_id = :merchant and purchase_order_number = any(cast(:purchases as text[]))
    order by purchase_order_number, receipt_no, row_no
    """
)
_CLAIMS = text(
    """
    select claimed_by, article_number, sum(quantity) as quantity, sum(value) as value, max(exchange_rate) as rate from erp.claim
    where merchant_id = :merchant and purchase_order_number = :purchase
    group by 1, 2 having sum(quantity) <> 0 or sum(value) <> 0 order by 1, 2
    """
)
_INVOICED = text(
    """
    select m.receipt_no, m.receipt_row_no, r.article_number, array_agg(distinct m.document) as documents, sum(m.quantity) as quantity,
      sum(m.cleared) as cleared, sum(m.rate) as rate, sum(m.price) as price
    from erp.invoice_match m join erp.goods_receipt_line r on r.merchant_id = m.merchant_id
      and r.purchase_order_number = m.purchase_order_number and r.receipt_no = m.receipt_no and r.row_no = m.receipt_row_no
    where m.merchant_id = :merchant and m.purchase_order_number = :purchase
    group by 1, 2, 3 having sum(m.quantity) > 0 order by 1, 2
    """
)
_PARTS = text(
    """
    insert into erp.invoice_match (merchant_id, document, step, part_no, purchase_order_number, receipt_no, receipt_row_no, row_no,
      quantity, cleared, rate, price)
    select :merchant, :document, :step, n, :purchase, r, w, i, q, c, x, p
    from unnest(cast(:receipts as int[]), cast(:receipt_rows as int[]), cast(:rows as int[]), cast(:quantities as numeric[]),
      cast(:cleared as numeric[]), cast(:rates as numeric[]), cast(:prices as numeric[])) with ordinality as u(r, w, i, q, c, x, p, n)
    """
)
_CLAIMED = text(
    """
    insert into erp.claim (merchant_id, document, step, part_no, claimed_by, purchase_order_number, article_number, quantity, value,
      exchange_rate)
    select :merchant, :document, :step, n, d, :purchase, a, q, v, r
    from unnest(cast(:documents as text[]), cast(:articles as text[]), cast(:quantities as numeric[]), cast(:values as numeric[]),
      cast(:rates as numeric[])) with ordinality as u(d, a, q, v, r, n)
    """
)
_NET_PARTS = text(
    """
    select row_no, receipt_no, receipt_row_no, sum(quantity) as quantity, sum(cleared) as cleared, sum(rate) as rate,
      sum(price) as price
    from erp.invoice_match where merchant_id = :merchant and document = :document and purchase_order_number = :purchase
    group by 1, 2, 3
    having sum(quantity) <> 0 or sum(cleared) <> 0 or sum(rate) <> 0 or sum(price) <> 0 order by 2, 3, 1
    """
)
_NET_CLAIMS = text(
    """
    select claimed_by, article_number, sum(quantity) as quantity, sum(value) as value, max(exchange_rate) as rate from erp.claim
    where merchant_id = :merchant and document = :document and purchase_order_number = :purchase
    group by 1, 2 having sum(quantity) <> 0 or sum(value) <> 0 order by 1, 2
    """
)
_NET_BOOKING = text(
    """
    select coalesce(sum(value) filter (where kind <> 'landed-cost'), 0) as value, coalesce(sum(difference), 0) as difference,
      coalesce(sum(exchange), 0) as exchange, coalesce(max(account) filter (where kind = 'landed-cost'), 0) as landed_account,
      max(account) filter (where kind <> 'landed-cost') as account, max(claims_account) as claims_account,
      coalesce(sum(value) filter (where kind = 'landed-cost'), 0) as landed, max(version) as version
    from erp.purchase_booking where merchant_id = :merchant and document = :document and purchase_order_number = :purchase
    """
)
_NET_LATE = text(
    """
    select l.purchase_order_number as purchase, l.receipt_no, l.receipt_row_no, sum(l.amount) as amount
    from erp.late_cost l join erp.purchase_booking b using (merchant_id, document, step)
    where l.merchant_id = :merchant and l.document = :document and b.purchase_order_number = :purchase
      and (b.kind = 'landed-cost') = :landed
    group by 1, 2, 3 having sum(l.amount) <> 0 order by 1, 2, 3
    """
)


@dataclass(frozen=True, slots=True)
class Receipts:
    """Every stocked receipt line of some purchase orders: what is open of it, how it bears cost, when it came."""

    open: dict[tuple[str, str], Open]
    lines: dict[tuple[str, str], ReceiptLine]
    received: dict[tuple[str, str], tuple[Decimal, Decimal]]
    received_at: dict[tuple[str, str], datetime]

    def line(self, purchase: str, receipt: str) -> ReceiptLine:
        return self.lines[purchase, receipt]

    @property
    def overdrawn(self) -> list[tuple[str, str]]:
        """Receipt lines of which more is invoiced than came: the warehouse has taken them back since."""
        return [key for key, each in self.open.items() if each.quantity < 0]


async def receipts(connection: Session, merchant: str, purchases: Sequence[str]) -> Receipts:
    """The stocked receipt lines of these purchase orders; a receipt is named by its number and row."""
    found = Receipts({}, {}, {}, {})
    for row in await rows(connection, _OPEN, merchant=merchant, purchases=list(purchases)):
        name = f"{row.receipt_no}/{row.row_no}"
        key = (row.purchase_order_number, name)
        found.open[key] = Open(name, row.article_number, row.line_number, row.unit_price, row.currency, row.quantity, row.value)
        place, at = (row.article_number, row.warehouse), Mark(row.mark_epoch, row.mark_keep)
        found.lines[key] = ReceiptLine(row.purchase_order_number, row.receipt_no, row.row_no, place, at)
        found.received[key] = (row.received, row.received_value)
        found.received_at[key] = row.received_at
    return found


async def bought(connection: Session, merchant: str, purchase: str, currency: str, held: Receipts, closed: bool) -> Bought:
    """The purchase order as matching sees it."""
    key = {"merchant": merchant, "purchase": purchase}
    prices = {r.line_number: (r.article_number, r.unit_price) for r in await rows(connection, _PRICES, **key)}
    claims = tuple(
        OpenClaim(r.claimed_by, r.article_number, r.quantity, r.value, r.rate, r.claimed_by.startswith(RETURN))
        for r in await rows(connection, _CLAIMS, **key)
    )
    invoiced = tuple(
        Invoiced(
            tuple(r.documents), f"{r.receipt_no}/{r.receipt_row_no}", r.article_number, r.quantity, r.cleared, r.rate, r.price
        )
        for r in await rows(connection, _INVOICED, **key)
    )
    open_ = tuple(each for (number, _), each in held.open.items() if number == purchase and each.quantity > 0)
    return Bought(currency, prices, open_, claims, invoiced, closed)


async def write_plan(connection: Session, merchant: str, booking: Booking, step: int, plan: Plan) -> None:
    """The rows of a booking: what is matched on which receipt line, and what is claimed."""
    key = {"merchant": merchant, "document": booking.document, "step": step, "purchase": booking.purchase}
    if plan.parts:
        places = [part.receipt.split("/") for part in plan.parts]
        await connection.execute(
            _PARTS,
            key
            | {
                "receipts": [int(place[0]) for place in places],
                "receipt_rows": [int(place[1]) for place in places],
                "rows": [part.row_no for part in plan.parts],
                "quantities": [part.quantity for part in plan.parts],
                "cleared": [part.cleared for part in plan.parts],
                "rates": [part.rate for part in plan.parts],
                "prices": [part.price for part in plan.parts],
            },
        )
    if plan.claims:
        await connection.execute(
            _CLAIMED,
            key
            | {
                "documents": [claim.document for claim in plan.claims],
                "articles": [claim.article_number for claim in plan.claims],
                "quantities": [claim.quantity for claim in plan.claims],
                "values": [claim.value for claim in plan.claims],
                "rates": [claim.rate for claim in plan.claims],
            },
        )


@dataclass(frozen=True, slots=True)
class Net:
    """All that a document has booked on a purchase order so far, to be taken back: what was matched, and landed cost apart."""

    parts: tuple[Booked, ...]
    claims: tuple[Claimed, ...]
    value: Decimal
    difference: Decimal
    exchange: Decimal
    account: int | None
    claims_account: int
    version: int
    late: tuple[tuple[str, str, Decimal], ...]
    landed: Decimal
    landed_account: int
    landed_late: tuple[tuple[str, str, Decimal], ...]

    @property
    def is_nothing(self) -> bool:
        return not (self.parts or self.claims or self.difference or self.late or self.landed or self.value)


async def net(connection: Session, merchant: str, document: str, purchase: str) -> Net:
    """What a document stands at on a purchase order, over all its bookings."""
    key = {"merchant": merchant, "document": document, "purchase": purchase}
    sums = await one(connection, _NET_BOOKING, **key)
    parts = tuple(
        Booked(r.row_no, f"{r.receipt_no}/{r.receipt_row_no}", r.quantity, r.cleared, r.rate, r.price)
        for r in await rows(connection, _NET_PARTS, **key)
    )
    claims = tuple(
        Claimed(r.claimed_by, r.article_number, r.quantity, r.value, r.rate, r.claimed_by.startswith(RETURN))
        for r in await rows(connection, _NET_CLAIMS, **key)
    )
    late = [
        tuple(
            (r.purchase, f"{r.receipt_no}/{r.receipt_row_no}", r.amount)
            for r in await rows(connection, _NET_LATE, **key, landed=landed)
        )
        for landed in (False, True)
    ]
    return Net(
        parts,
        claims,
        sums.value,
        sums.difference,
        sums.exchange,
        sums.account,
        sums.claims_account or 0,
        sums.version or 1,
        late[0],
        sums.landed,
        sums.landed_account,
        late[1],
    )


# --- what the ERP enters ----------------------------------------------------------------------------------------------

_LANDED = text(
    """
    select landed_cost_number as number, purchases, amount, allocation_key, parts, account, cost_date, entered_by, reason
    from erp.landed_cost where merchant_id = :merchant and purchases[1] = :purchase and state = 'entered'
    order by created_at, landed_cost_number for update
    """
)
_RETURNS = text(
    """
    select supplier_return_number as number, article_number, quantity, returned_on, entered_by, reason
    from erp.supplier_return where merchant_id = :merchant and purchase_order_number = :purchase and state = 'entered'
    order by created_at, supplier_return_number for update
    """
)
_SENT_BACK = text(
    """
    select coalesce(sum(quantity), 0) as quantity from erp.supplier_return where merchant_id = :merchant
      and purchase_order_number = :purchase and article_number = :article and state = 'booked'
    """
)
_LANDED_DONE = text("update erp.landed_cost set state = 'booked' where merchant_id = :merchant and landed_cost_number = :number")
_RETURN_DONE = text(
    "update erp.supplier_return set state = 'booked' where merchant_id = :merchant and supplier_return_number = :number"
)
_WEIGHTS = text(
    """
    select article_number, weight, coalesce(volume, length * width * height) as volume from erp.article
    where merchant_id = :merchant and article_number = any(cast(:articles as text[]))
    """
)
_UNPLACED = text(
    """
    select fortnox_number as number from erp.supplier_invoice s
    where merchant_id = :merchant and state = 'no-purchase' and exists (select from erp.supplier_invoice_line l
      where l.merchant_id = s.merchant_id and l.fortnox_number = s.fortnox_number and l.version = s.version)
    order by s.read_at, 1 limit 100
    """
)
_NOT_TAKEN = text(
    """
    select document from bridge.exception
    where merchant_id = :merchant and kind = 'supplier-invoice' and code = :code and closed_at is null order by random() limit 100
    """
)
_FIRST = text(
    """
    select coalesce(min(created_at) filter (where status not in ('completed', 'cancelled')), max(created_at)) as at
    from erp.purchase_order where merchant_id = :merchant and status <> 'draft'
    """
)
_HOLDS = text("select 1 from erp.supplier_invoice where merchant_id = :merchant and fortnox_number = :number")
_WATERMARK = text("select watermark from bridge.entity where merchant_id = :merchant and flow = :flow")
_NOW = text("select now() as now")
_PENDING = text(
    """
    select exists (select from erp.supplier_invoice s where s.merchant_id = :merchant and (
        (s.purchase_order_number = :purchase and s.state in ('parked', 'waiting'))
        or (s.booked_version is not null and s.state <> 'booked' and exists (select from erp.purchase_booking b
          where b.merchant_id = s.merchant_id and b.purchase_order_number = :purchase
            and b.document = 'supplier-invoice/' || s.fortnox_number))))
      or exists (select from erp.landed_cost c where c.merchant_id = :merchant and c.purchases[1] = :purchase and c.state = 'entered')
      or exists (select from erp.supplier_return t where t.merchant_id = :merchant and t.purchase_order_number = :purchase
        and t.state = 'entered')
      or exists (select from erp.received_not_invoiced o where o.merchant_id = :merchant and o.purchase_order_number = :purchase
        and o.quantity < 0) as pending
    """
)
_UNSETTLED = text(
    """
    select exists (select from erp.received_not_invoiced o where o.merchant_id = :merchant and o.purchase_order_number = :purchase
        and o.quantity <> 0 and o.value <> 0)
      or exists (select from erp.claim c where c.merchant_id = :merchant and c.purchase_order_number = :purchase
        group by c.claimed_by, c.article_number having sum(c.quantity) <> 0 or sum(c.value) <> 0)
      or exists (select from erp.supplier_invoice s where s.merchant_id = :merchant and s.purchase_order_number = :purchase
        and s.state in ('parked', 'waiting', 'unbooked')) as unsettled
    """
)


async def landed_costs(connection: Session, merchant: str, purchase: str) -> list[Any]:
    """Costs of bringing goods home that were entered for this purchase order first and are not booked."""
    return await rows(connection, _LANDED, merchant=merchant, purchase=purchase)


async def landed_cost_booked(connection: Session, merchant: str, number: str) -> None:
    await connection.execute(_LANDED_DONE, {"merchant": merchant, "number": number})


async def supplier_returns(connection: Session, merchant: str, purchase: str) -> list[Any]:
    """Goods that go back to the supplier, entered and not booked."""
    return await rows(connection, _RETURNS, merchant=merchant, purchase=purchase)


async def sent_back(connection: Session, merchant: str, purchase: str, article: str) -> Decimal:
    """How many pieces of an article have gone back on the purchase order before."""
    return Decimal((await one(connection, _SENT_BACK, merchant=merchant, purchase=purchase, article=article)).quantity)


async def supplier_return_booked(connection: Session, merchant: str, number: str) -> None:
    await connection.execute(_RETURN_DONE, {"merchant": merchant, "number": number})


async def weights(
    connection: Session, merchant: str, articles: Sequence[str]
) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    """Weight and volume of a piece of each of these articles; None where nobody knows them."""
    found = await rows(connection, _WEIGHTS, merchant=merchant, articles=sorted(set(articles)))
    return {row.article_number: (row.weight, row.volume) for row in found}


async def pending(connection: Session, merchant: str, purchase: str) -> bool:
    """Whether something is to be matched, booked or taken back on the purchase order now."""
    return bool((await one(connection, _PENDING, merchant=merchant, purchase=purchase)).pending)


async def unsettled(connection: Session, merchant: str, purchase: str) -> bool:
    """Whether anything is left that an invoice, a credit note or a person must still settle."""
    return bool((await one(connection, _UNSETTLED, merchant=merchant, purchase=purchase)).unsettled)
