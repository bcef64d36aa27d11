"""What goods turned out to cost after they came in: one booking of a document on receipt lines, in pools, postings and rows.

The one place where a late cost reaches the books. Of each receipt's amount stock gets the part that is still here, by the mark
the receipt was given, and what is sold gets the rest; the entry has no quantity. The booking, its late costs and the ledger's
transaction are written together; a booking that moves nothing has no transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text

from domain.errors import Refused
from domain.money import ZERO
from domain.pools import AT_SET_PRICE, settle
from domain.posting_rules import first_match
from domain.revaluation import Mark, Split
from domain.stock import Entry, Place, Posting, PostingRow
from erp import ledger
from erp.database import Session, one
from erp.merchants import Merchant

KIND = "cost"
EVENTS = {
    "match": "supplier-invoice-matched",
    "delivery": "supplier-claim-delivered",
    "reversal": "supplier-invoice-undone",
    "landed-cost": "landed-cost",
    "cost-correction": "cost-corrected",
}


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A line of a goods receipt that bears cost: which one, of what, and where the pool stood before it came."""

    purchase: str
    receipt_no: int
    row_no: int
    place: Place
    at: Mark


@dataclass(frozen=True, slots=True)
class Booking:
    """What a document comes to in one step. `value` is what the accounting system has booked on `account`; the rest adds up to it.
    `exchange` is the rate difference where it is no cost of goods, else 0."""

    document: str
    kind: str
    purchase: str
    account: int
    claims_account: int
    on: date
    actor: str
    reason: str
    version: int = 1
    value: Decimal = ZERO
    cleared: Decimal = ZERO
    rate: Decimal = ZERO
    price: Decimal = ZERO
    claimed: Decimal = ZERO
    difference: Decimal = ZERO
    exchange: Decimal = ZERO


_STEP = text(
    """
    select coalesce(max(step), 0) + 1 as step from erp.purchase_booking where merchant_id = :merchant and document = :document
    """
)
_BOOKING = text(
    """
    insert into erp.purchase_booking (merchant_id, document, step, kind, purchase_order_number, version, account, value, cleared, rate,
      price, claimed, difference, exchange, claims_account, accounting_date, actor, reason, transaction_no)
    values (:merchant, :document, :step, :kind, :purchase, :version, :account, :value, :cleared, :rate, :price, :claimed, :difference,
      :exchange, :claims_account, :on, :actor, :reason, cast(:transaction_no as bigint))
    """
)
_LATE_COSTS = text(
    """
    insert into erp.late_cost (merchant_id, document, step, part_no, purchase_order_number, receipt_no, receipt_row_no, article_number,
      warehouse, amount, to_stock, to_sold)
    select :merchant, :document, :step, n, p, r, w, a, h, m, k, s
    from unnest(cast(:purchases as text[]), cast(:receipts as int[]), cast(:rows as int[]), cast(:articles as text[]),
      cast(:warehouses as text[]), cast(:amounts as numeric[]), cast(:to_stock as numeric[]), cast(:to_sold as numeric[]))
      with ordinality as u(p, r, w, a, h, m, k, s, n)
    """
)


async def next_step(connection: Session, merchant: str, document: str) -> int:
    """The number of the document's next booking. Its row, or its purchase order's, is locked by the caller."""
    return int((await one(connection, _STEP, merchant=merchant, document=document)).step)


async def book_late_cost(
    connection: Session,
    merchant: Merchant,
    booking: Booking,
    costs: Sequence[tuple[ReceiptLine, Decimal]],
    now: datetime,
    code_version: str,
) -> int:
    """Book a document's step with what each receipt line became dearer by (or cheaper); returns the step's number."""
    step = await next_step(connection, merchant.merchant_id, booking.document)
    costs = [(line, amount) for line, amount in costs if amount]
    found = await _settle(connection, merchant, booking, step, costs, now, code_version)
    splits, transaction_no = found
    await write_booking(connection, merchant.merchant_id, booking, step, transaction_no)
    if costs:
        columns = {
            "purchases": [line.purchase for line, _ in costs],
            "receipts": [line.receipt_no for line, _ in costs],
            "rows": [line.row_no for line, _ in costs],
            "articles": [line.place[0] for line, _ in costs],
            "warehouses": [line.place[1] for line, _ in costs],
            "amounts": [amount for _, amount in costs],
            "to_stock": [split.stock for split in splits],
            "to_sold": [split.sold for split in splits],
        }
        await connection.execute(
            _LATE_COSTS, {"merchant": merchant.merchant_id, "document": booking.document, "step": step} | columns
        )
    return step


async def write_booking(connection: Session, merchant: str, booking: Booking, step: int, transaction_no: int | None) -> None:
    """The row of a booking, with the ledger's transaction that holds it."""
    names = "document kind purchase version account value cleared rate price claimed difference exchange claims_account on actor reason"
    values = {name: getattr(booking, name) for name in names.split()}
    await connection.execute(_BOOKING, values | {"merchant": merchant, "step": step, "transaction_no": transaction_no})


async def _settle(
    connection: Session,
    merchant: Merchant,
    booking: Booking,
    step: int,
    costs: Sequence[tuple[ReceiptLine, Decimal]],
    now: datetime,
    code_version: str,
) -> tuple[list[Split], int | None]:
    pools = await ledger.lock_pools(connection, merchant.merchant_id, [line.place for line, _ in costs]) if costs else {}
    splits, by_place = [], dict.fromkeys(pools, ZERO)
    for line, amount in costs:
        pools[line.place], split = settle(pools[line.place], line.at, amount)
        splits.append(split)
        by_place[line.place] += split.stock
    cause = f"{booking.document}#{step}"
    entries = [
        Entry(place, KIND, ZERO, value, None, now, booking.on, cause=cause, epoch=pools[place].epoch, keep=pools[place].keep)
        for place, value in by_place.items()
        if value
    ]
    sums = await _sums(connection, merchant, booking, costs, splits)
    rows = tuple(PostingRow(account, max(value, ZERO), max(-value, ZERO)) for account, value in sums.items() if value)
    if not rows and not entries:
        return splits, None
    transaction_no = await ledger.append(
        connection,
        merchant.merchant_id,
        entries,
        {entry.place: pools[entry.place] for entry in entries},
        merchant.settings.stock_accounts,
        merchant.currency,
        document=booking.document,
        reason=booking.reason,
        actor=booking.actor,
        code_version=code_version,
        own=Posting(EVENTS[booking.kind], booking.on, rows),
    )
    return splits, transaction_no


async def _sums(
    connection: Session,
    merchant: Merchant,
    booking: Booking,
    costs: Sequence[tuple[ReceiptLine, Decimal]],
    splits: Sequence[Split],
) -> Mapping[int, Decimal]:
    """What each account is debited; what is not cleared leaves the account where the invoice is booked."""
    settings = merchant.settings
    loss = (booking.exchange > 0) != (booking.kind == "reversal")
    difference_account = settings.purchase_difference_account or settings.cost_of_goods_sold_account
    sides = [
        (settings.exchange_loss_account if loss else settings.exchange_gain_account, booking.exchange),
        (booking.claims_account, booking.claimed),
        (difference_account, booking.difference),
    ]
    places = [line.place for line, _ in costs]
    accounts = await accounts_of(connection, merchant, f"purchase-order/{booking.purchase}", places)
    for (line, _), split in zip(costs, splits, strict=True):
        stock, sold = accounts[line.place]
        sides += [(stock, split.stock), (sold, split.sold)]
    sums: dict[int, Decimal] = {}
    for account, value in sides:
        sums[account] = sums.get(account, ZERO) + value
    sums[booking.account] = sums.get(booking.account, ZERO) - sum((value for _, value in sides), ZERO)
    return sums


async def accounts_of(
    connection: Session, merchant: Merchant, document: str, places: Sequence[Place]
) -> dict[Place, tuple[int, int]]:
    """Where what is still here is booked, and where what is not: by the rules of what settles a cost late. At a set price nothing
    of it stays, and it is a price difference."""
    event = "price-difference" if merchant.settings.costing_method in AT_SET_PRICE else "cost-settled"
    accounts = await ledger.asked_for(connection, merchant.merchant_id, merchant.settings.stock_accounts, places, document)
    rules = accounts.table()
    found = {}
    for place in places:
        rule = first_match(rules, accounts.facts(event, place))
        if rule is None:
            text_ = f"article {place[0]} in {place[1]}: no posting rule for {event}; set posting_rules in the merchant's settings"
            raise Refused("posting-rule-missing", text_)
        found[place] = rule.sides(event)
    return found
