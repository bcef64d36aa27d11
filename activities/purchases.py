"""Purchase orders, between the warehouse and our books. Each method is safe to repeat, at any time, by several workers at once.

A purchase order that is placed becomes an expected delivery. What comes in is read from the counters of the warehouse's own lines
and booked under a fence as picks are; whatever came is booked, also what nobody ordered, or what comes after the end.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from temporalio import activity

from activities.articles import send_articles
from activities.connections import Connections
from activities.errors import Waiting
from activities.ongoing import SYSTEM, Rules
from clients.errors import NotFound, Rejected, Unauthorised, Unavailable
from clients.ongoing import GetPurchaseOrder, OngoingClient, PostPurchaseLine, PostPurchaseOrder
from domain.costing import Pool
from domain.counting import Line, Plan, Step, believable
from domain.errors import LookAgain, Refused
from domain.flows import PURCHASES
from domain.keys import PurchaseKey, PurchaseState
from domain.money import ZERO, rounded
from domain.pools import AnyPool
from domain.receiving import Balance, Cost, Receipt, difference, is_closed, receive_goods
from domain.stock import Place
from erp import counters, ledger, purchases
from erp.articles import stock_articles, unsent_articles
from erp.counters import PURCHASE_ORDER, RECEIVED, CountedLine, Look, Watched
from erp.database import Database, Session
from erp.exceptions import close_note, open_exception
from erp.links import Link, links, save_link
from erp.merchants import Merchant
from erp.purchases import ALL_HERE, CANCELLED, COMPLETED, INVOICED, PurchaseDocument
from erp.rates import rate_for
from erp.supplier_invoices import pending

ENDED = (INVOICED, COMPLETED, CANCELLED)
OVER = (ALL_HERE, *ENDED)
"""Nothing more is expected of the warehouse."""
LOOK_AGAIN = 1.0
FRESH_ARTICLE = 3.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look came to: what the warehouse is to be told, what a person must cure, and whether nothing more is expected."""

    owed: list[tuple[Line, Decimal]]
    refusal: Refused | None
    closed: bool
    cancelled: bool
    waits_for_person: bool


def number_in(mark: str | None) -> str | None:
    """The purchase order's number in a mark of ours; None for any other text."""
    found = re.fullmatch(r"lagerbro/(.+)/v\d+", mark or "")
    return found[1] if found else None


class Purchases:
    """The warehouse's side of a purchase order, and what it makes of our stock."""

    def __init__(self, database: Database, connections: Connections[OngoingClient], rules: Rules) -> None:
        self._database = database
        self._connections = connections
        self._rules = rules

    # --- sending ------------------------------------------------------------------------------------------------------

    @activity.defn
    async def send_purchase_order(self, key: PurchaseKey) -> PurchaseState:
        """Make the warehouse expect what the ERP has ordered, as it is now, and book what has come in.

        A repeat finds what is there. A change that the warehouse refuses is shown, and what comes in is booked all the same.
        """
        async with self._connections.using(key.merchant, PURCHASES) as (merchant, client):
            async with self._database.merchant(key.merchant) as session:
                document = await purchases.load_purchase(session, key.merchant, key.number)
                link = (await links(session, key.merchant, SYSTEM, PURCHASE_ORDER, [key.number])).get(key.number)
                nothing_came = not (await purchases.standing(session, key.merchant, key.number)).booked
            if document.status not in (ALL_HERE, INVOICED, COMPLETED) and (
                document.cancel_requested or (document.closed and nothing_came)
            ):
                return await self._cancel(client, merchant, key, link, document.cancel_requested)
            known = link is not None and link.confirmed and link.sent_version == document.version
            if document.status not in OVER and not known and document.refused_version != document.version:
                try:
                    await self._put(client, merchant, key, document, link)
                except Refused:
                    if link is not None:
                        await self._look(client, merchant, key)  # what came in is booked, whatever is wrong here
                    raise
            return await self._look(client, merchant, key)

    async def _put(
        self, client: OngoingClient, merchant: Merchant, key: PurchaseKey, document: PurchaseDocument, link: Link | None
    ) -> None:
        """PUT, unless the warehouse holds it like this already; then read back what it holds."""
        wanted = await self._wanted(client, merchant, key, document)
        held = await self._find(client, document.number, link)
        if held is None or _differs(held, wanted):
            try:
                if held is not None and any(line.received for line in held.lines):
                    raise Refused(
                        "purchase-change-refused", f"purchase order {key.number}: the warehouse has begun to receive it"
                    )
                purchase_id = await client.put_purchase_order(wanted)
            except Unauthorised:
                raise
            except (Rejected, Refused) as refusal:
                if held is None:
                    if await self._find(client, document.number, link):
                        raise LookAgain(f"an earlier request has made the inbound of {key.number} meanwhile") from None
                    raise Refused("purchase-refused", f"purchase order {key.number}: {refusal}") from None
                await self._change_refused(key, document, held, str(refusal), merchant)
                return
            held = await client.get_purchase_order(purchase_id)
            differs = _differs(held, wanted)
            if differs:
                raise Refused("purchase-differs", f"purchase order {key.number}: the warehouse holds {differs}")
        async with self._database.merchant(key.merchant) as session:
            await self._keep(session, merchant, key, held, document.version)
            await purchases.tell_refusal(session, key.merchant, key.number, None, None)
            for note in ("purchase-change-refused", "purchase-refused"):
                await close_note(session, key.merchant, PURCHASE_ORDER, key.number, note, "lagerbro")
            if document.status == "placed":
                await purchases.move(session, key.merchant, key.number, "at-warehouse")

    async def _wanted(
        self, client: OngoingClient, merchant: Merchant, key: PurchaseKey, document: PurchaseDocument
    ) -> PostPurchaseOrder:
        """The document as the warehouse is to hold it; its articles are sent first. Services never meet the warehouse."""
        numbers = [line.article_number for line in document.lines]
        async with self._database.merchant(key.merchant) as session:
            known = await stock_articles(session, key.merchant, numbers)
            strange = sorted(set(numbers) - set(known))
            if strange:
                raise Refused("unknown-article", f"purchase order {key.number}: article {strange[0]} is not in erp.article")
            unsent = await unsent_articles(session, key.merchant, [number for number in numbers if known[number]])
        kind = merchant.settings.order_type(document.order_type, f"purchase order {key.number}")
        stocked = [line for line in document.lines if known[line.article_number]]
        if not stocked:
            raise Refused("purchase-without-lines", f"purchase order {key.number} has no lines that are kept in stock")
        if unsent:
            await send_articles(self._database, client, key.merchant, unsent, self._rules.alive, activity.heartbeat)
        return PostPurchaseOrder(
            purchase_order_number=document.number,
            purchase_order_type=kind["code"],
            in_date=document.expected_on,
            supplier_number=document.supplier_number,
            supplier_name=document.supplier_name,
            reference_number=f"lagerbro/{document.number}/v{document.version}",
            remark=document.remark,
            lines=[
                PostPurchaseLine(
                    row_number=str(line.line_number),
                    article_number=line.article_number,
                    number_of_items=line.quantity,
                    row_price=line.unit_price,
                    currency_code=document.currency,
                )
                for line in stocked
            ],
        )

    async def _find(self, client: OngoingClient, number: str, link: Link | None) -> GetPurchaseOrder | None:
        held = await client.get_purchase_order(int(link.their_id)) if link else await client.find_purchase_order(number)
        if held is not None and (held.purchase_order_number != number or number_in(held.reference_number) != number):
            text = f"the warehouse holds a purchase order {number} that we did not send"
            raise Refused("foreign-purchase-number", text)
        return held

    async def _keep(
        self, session: Session, merchant: Merchant, key: PurchaseKey, held: GetPurchaseOrder, version: int | None
    ) -> None:
        """Remember which document it is, and watch it."""
        their_id, days = str(held.purchase_order_id), merchant.settings.watch_days
        await save_link(session, key.merchant, SYSTEM, PURCHASE_ORDER, key.number, their_id, sent_version=version)
        await purchases.watch(session, key.merchant, key.number, held.purchase_order_id, held.status, days)

    async def _change_refused(
        self, key: PurchaseKey, document: PurchaseDocument, held: GetPurchaseOrder, words: str, merchant: Merchant
    ) -> None:
        """The warehouse keeps what it has. The ERP is told on its own row, and a person by a note."""
        async with self._database.merchant(key.merchant) as session:
            await self._keep(session, merchant, key, held, None)
            await purchases.tell_refusal(session, key.merchant, key.number, document.version, "purchase-change-refused")
            await _note(session, key, "purchase-change-refused", f"version {document.version}: {words}")

    # --- cancelling ---------------------------------------------------------------------------------------------------

    async def _cancel(
        self, client: OngoingClient, merchant: Merchant, key: PurchaseKey, link: Link | None, asked: bool
    ) -> PurchaseState:
        """Ask the warehouse to expect it no more. Too late is a state, not an error; noted where the ERP asked for it.

        One of that number that we did not send is left alone: ours was never there.
        """
        try:
            held = await self._find(client, key.number, link)
        except Refused:
            if link is not None:
                raise
            held = None
        if held is None:
            async with self._database.merchant(key.merchant) as session:
                await purchases.lock_purchase(session, key.merchant, key.number)
                await purchases.end(session, key, CANCELLED)
            return PurchaseState(CANCELLED, outcome=CANCELLED)
        async with self._database.merchant(key.merchant) as session:
            await self._keep(session, merchant, key, held, None if link is None else link.sent_version)
        if merchant.settings.purchase_statuses.get(str(held.status)) != "cancelled":
            try:
                await client.cancel_purchase_order(held.purchase_order_id)
            except Unauthorised:
                raise
            except Rejected as refusal:
                again = await client.get_purchase_order(held.purchase_order_id)
                if asked and merchant.settings.purchase_statuses.get(str(again.status)) != "cancelled":
                    async with self._database.merchant(key.merchant) as session:
                        await _note(session, key, "too-late-to-cancel-purchase", str(refusal))
        return await self._look(client, merchant, key)

    # --- looking ------------------------------------------------------------------------------------------------------

    @activity.defn
    async def look_at_purchase_order(self, key: PurchaseKey) -> PurchaseState:
        """Book what has come in, tell the warehouse so, and say where the purchase order is.

        The answer is read from the tables. What cannot be booked, or has no meaning, is refused only after the rest is booked.
        """
        async with self._connections.using(key.merchant, PURCHASES) as (merchant, client):
            return await self._look(client, merchant, key)

    async def _look(self, client: OngoingClient, merchant: Merchant, key: PurchaseKey) -> PurchaseState:
        async with self._database.merchant(key.merchant) as session:
            looks = await counters.begin_look(session, key.merchant, key.number, PURCHASE_ORDER)
        held = await _ask(client, looks, key)
        if await self._overtaken(client, merchant, key, held):
            raise Waiting("unclear-answer", f"purchase order {key.number}: an older version arrived late", 0.2)
        seen = await self._book(merchant, key, looks, held)
        if seen.owed:
            await self._report(client, key, seen.owed)
        async with self._database.merchant(key.merchant) as session:
            state = await self._state(session, merchant, key, seen)
        if seen.refusal and state.stage != "doubt":
            raise seen.refusal
        return state

    async def _overtaken(
        self, client: OngoingClient, merchant: Merchant, key: PurchaseKey, held: Sequence[GetPurchaseOrder]
    ) -> bool:
        """Send again what a late request of ours has put back to an older version, as long as nothing has come in."""
        async with self._database.merchant(key.merchant) as session:
            document = await purchases.load_purchase(session, key.merchant, key.number)
            link = (await links(session, key.merchant, SYSTEM, PURCHASE_ORDER, [key.number])).get(key.number)
        if document.status in OVER or link is None or link.sent_version != document.version or document.cancel_requested:
            return False
        mine = next((each for each in held if str(each.purchase_order_id) == link.their_id), None)
        if mine is None or any(line.received for line in mine.lines) or document.refused_version == document.version:
            return False
        version = re.fullmatch(r"lagerbro/.+/v(\d+)", mine.reference_number or "")
        if version is None or int(version[1]) >= document.version:
            return False
        if not _differs(mine, await self._wanted(client, merchant, key, document)):
            return False
        await self._put(client, merchant, key, document, link)
        return True

    async def _book(self, merchant: Merchant, key: PurchaseKey, looks: Sequence[Look], held: Sequence[GetPurchaseOrder]) -> Seen:
        settings = merchant.settings
        async with self._database.merchant(key.merchant) as session:
            document = await purchases.lock_purchase(session, key.merchant, key.number)
            if not looks:
                return Seen([], None, False, False, False)
            watched = await counters.lock(session, key.merchant, key.number, looks, RECEIVED, PURCHASE_ORDER)
            if watched.outran:
                raise Waiting("unclear-answer", f"purchase order {key.number}: another look was booked meanwhile", 0.2)
            seen, refusal = await _counted(session, key, document, watched, held)
            plan = await counters.book(
                session, key.merchant, watched, seen, looks, self._rules.patience, RECEIVED, PURCHASE_ORDER
            )
            by_line = {line.line: line for line in seen}
            if plan.steps:
                await self._receive(session, merchant, key, document, watched, plan, by_line)
            statuses = {each.purchase_order_id: each.status for each in held}
            await purchases.draw_fence(session, key.merchant, statuses, plan.open_doubts)
            after = _after(watched, plan, seen)
            try:
                meanings = {settings.purchase_meaning(each.status) for each in held}
            except Refused as unknown:
                return Seen(_owed(watched, plan, seen, after), refusal or unknown, False, False, False)
            balances = _balances(document, held, after)
            meaning = meanings.pop() if len(meanings) == 1 else "inbound"
            short, over = settings.close_purchase_short, settings.close_purchase_over
            closed = is_closed(meaning, balances, short, over, document.closed)
            await _notes(session, key, document, plan, by_line, balances, closed, meaning)
            if any(after.values()) and document.status in ("placed", "at-warehouse"):
                await purchases.move(session, key.merchant, key.number, "part-received")
            waits = meaning == "deviation" and not closed
            return Seen(_owed(watched, plan, seen, after), refusal, closed, meaning == "cancelled", waits)

    async def _receive(
        self,
        session: Session,
        merchant: Merchant,
        key: PurchaseKey,
        document: PurchaseDocument,
        watched: Watched,
        plan: Plan,
        by_line: Mapping[Line, CountedLine],
    ) -> None:
        """The goods receipt of these steps, with its stock entries and postings. Refuses, writing nothing, without an account
        or a rate."""
        accounts = merchant.settings.receipt_accounts(key.number, document.order_type)
        steps = sorted(plan.steps, key=lambda step: (by_line[step.line].article_number, step.line))
        places = {step.line: (by_line[step.line].article_number, merchant.settings.warehouse) for step in steps}
        stocked = [step for step in steps if by_line[step.line].moves_stock]
        pools = await ledger.lock_pools(session, key.merchant, [places[step.line] for step in stocked]) if stocked else {}
        undone = [step.line for step in steps if step.quantity < 0]
        earlier = await ledger.earlier_receipts(session, key.merchant, undone) if undone else {}
        former = await purchases.costs(session, key.merchant, undone) if undone else {}
        fresh = await _costs(session, merchant, document, steps, by_line, places, pools, watched.now)
        receipts = []
        for step in steps:
            at = by_line[step.line].picked_at or watched.now
            cost = fresh.get(step.line) or [former[one] for one in former if one[0] == step.line][-1]
            in_stock = by_line[step.line].moves_stock
            receipts.append(Receipt(step, places[step.line], at, merchant.day_of(at), cost, in_stock))
        entries, after, lines = receive_goods(receipts, pools, earlier)
        transaction_no = None
        if entries:
            transaction_no = await ledger.append(
                session,
                key.merchant,
                entries,
                after,
                accounts,
                merchant.currency,
                document=f"{PURCHASE_ORDER}/{key.number}",
                reason="received by the warehouse",
                actor="lagerbro",
                code_version=self._rules.code_version,
                what=RECEIVED,
                kind=PURCHASE_ORDER,
            )
            await _below_zero(session, merchant, key, pools, after)
        written = [
            (
                line,
                by_line[line.receipt.step.line].line_number,
                former[line.receipt.step.line, line.reverses_step] if line.reverses_step else line.receipt.cost,
            )
            for line in lines
        ]
        await purchases.write_receipt(session, key.merchant, key.number, written, transaction_no)

    async def _state(self, session: Session, merchant: Merchant, key: PurchaseKey, seen: Seen) -> PurchaseState:
        """Where it stands, from the tables. Nothing owed and nothing expected: it ends here, unless it awaits invoices."""
        document = await purchases.lock_purchase(session, key.merchant, key.number)
        stand = await purchases.standing(session, key.merchant, key.number)
        if stand.doubt_seconds is not None:
            patience = self._rules.patience.total_seconds()
            return PurchaseState("doubt", max(0.05, patience - stand.doubt_seconds + 0.05))
        if stand.unreported:
            return PurchaseState("receiving", LOOK_AGAIN)
        outcome = None
        if document.status in ENDED:
            outcome = document.status
        elif seen.cancelled:
            outcome = COMPLETED if stand.booked else CANCELLED
        elif seen.closed:
            outcome = COMPLETED
        to_match = False
        if merchant.settings.awaits_invoice(document.order_type):
            to_match = await pending(session, key.merchant, key.number)
            if outcome == COMPLETED and document.status != COMPLETED and not seen.refusal:
                await purchases.move(session, key.merchant, key.number, ALL_HERE)
                return PurchaseState(ALL_HERE, to_match=True)
            if outcome and to_match:
                return PurchaseState(ALL_HERE, to_match=True)
        if outcome and not seen.refusal:
            await purchases.end(session, key, outcome)
            return PurchaseState(outcome, outcome=outcome)
        if seen.waits_for_person:
            return PurchaseState("deviation", to_match=to_match)
        if stand.booked:
            return PurchaseState("receiving", to_match=to_match)
        ago = await purchases.sent_seconds_ago(session, key.merchant, key.number)
        alive = self._rules.alive.total_seconds()
        late = None if ago is None or ago > alive or document.version == 1 else alive - ago + 0.1
        return PurchaseState("at-warehouse", late, to_match=to_match)

    # --- telling ------------------------------------------------------------------------------------------------------

    async def _report(self, client: OngoingClient, key: PurchaseKey, owed: Sequence[tuple[Line, Decimal]]) -> None:
        """Tell the warehouse what we have booked, in absolute figures, after our commit. Untold is seen by the next look."""
        told: list[tuple[Line, Decimal]] = []
        try:
            for (doc_id, line_id), booked in owed:
                await client.report_received_line(doc_id, line_id, booked)
                told.append(((doc_id, line_id), booked))
        except Unavailable:
            pass
        except Unauthorised:
            raise
        except Rejected as refusal:
            told = list(owed)  # our own books stand; what it refuses is not asked for ever
            async with self._database.merchant(key.merchant) as session:
                await _note(session, key, "report-refused", str(refusal))
        if told:
            async with self._database.merchant(key.merchant) as session:
                await counters.reported(session, key.merchant, told, RECEIVED, PURCHASE_ORDER)


async def _ask(client: OngoingClient, looks: Sequence[Look], key: PurchaseKey) -> list[GetPurchaseOrder]:
    found = []
    for look in looks:
        try:
            held = await client.get_purchase_order(look.doc_id)
        except NotFound:
            raise LookAgain(f"the warehouse does not find document {look.doc_id} of purchase order {key.number}") from None
        if held.purchase_order_number != key.number:
            raise LookAgain(f"document {look.doc_id} is purchase order {held.purchase_order_number}, not {key.number}")
        found.append(held)
    return found


async def _counted(
    session: Session, key: PurchaseKey, document: PurchaseDocument, watched: Watched, held: Sequence[GetPurchaseOrder]
) -> tuple[list[CountedLine], Refused | None]:
    """The counters of lines that have received anything, or had. Of an article that the ERP lacks nothing can be booked."""
    ours = {str(line.line_number): line for line in document.lines}
    known = await stock_articles(session, key.merchant, sorted({line.article_number for each in held for line in each.lines}))
    seen: list[CountedLine] = []
    refusal = None
    for each in held:
        for line in each.lines:
            at = (each.purchase_order_id, line.line_id)
            received = believable(line.received, f"line {line.line_id} received")
            if not received and at not in watched.counters:
                continue
            if line.article_number not in known:
                text = f"purchase order {key.number}: article {line.article_number} came in, not in erp.article"
                refusal = Refused("purchase-article-not-in-erp", text)
                if at in watched.counters:
                    raise refusal
                continue
            match = ours.get(line.row_number or "")
            number = match.line_number if match is not None and match.article_number == line.article_number else None
            if at in watched.counters:
                number = watched.line_numbers[at]
            in_stock = known[line.article_number]
            counted = CountedLine(
                at, number, line.article_number, line.advised or ZERO, received, line.reported, in_stock, line.received_at
            )
            seen.append(counted)
    return seen, refusal


async def _costs(
    session: Session,
    merchant: Merchant,
    document: PurchaseDocument,
    steps: Sequence[Step],
    by_line: Mapping[Line, CountedLine],
    places: Mapping[Line, Place],
    pools: Mapping[Place, AnyPool],
    now: datetime,
) -> dict[Line, Cost]:
    """What the pieces of each increase cost: as ordered; else the article's purchase price; else what it costs in stock."""
    ordered = {line.line_number: line.unit_price for line in document.lines}
    strange = [by_line[step.line].article_number for step in steps if by_line[step.line].line_number not in ordered]
    usual = await purchases.usual_prices(session, merchant.merchant_id, strange) if strange else {}
    costs: dict[Line, Cost] = {}
    for step in steps:
        if step.quantity < 0:
            continue
        line = by_line[step.line]
        on = merchant.day_of(line.picked_at or now)
        price, currency = ordered.get(line.line_number or 0), document.currency
        if price is None and line.article_number in usual:
            price, currency = usual[line.article_number][0], usual[line.article_number][1] or merchant.currency
        if price is None:
            costs[step.line] = Cost(_cost_in_stock(pools.get(places[step.line], Pool())), merchant.currency, Decimal(1), on)
            continue
        used = await rate_for(session, merchant.merchant_id, merchant.currency, currency, on)
        costs[step.line] = Cost(price, currency, used.rate, used.rate_date)
    return costs


def _cost_in_stock(pool: AnyPool) -> Decimal:
    if pool.quantity > 0:
        return rounded(pool.value / pool.quantity, 6)
    return pool.last_cost or ZERO


def _after(watched: Watched, plan: Plan, seen: Sequence[CountedLine]) -> dict[Line, Decimal]:
    """How far each line is booked now."""
    booked = {line.line: watched.counters[line.line].booked if line.line in watched.counters else ZERO for line in seen}
    return booked | {step.line: step.to_value for step in plan.steps}


def _owed(watched: Watched, plan: Plan, seen: Sequence[CountedLine], after: Mapping[Line, Decimal]) -> list[tuple[Line, Decimal]]:
    """What the warehouse has not been told, of lines without a doubt."""
    owed = []
    for line in seen:
        counter = watched.counters.get(line.line)
        doubted = counter is not None and counter.doubt is not None and line.line not in plan.settled
        if after[line.line] != (line.reported or ZERO) and line.line not in plan.doubted and not doubted:
            owed.append((line.line, after[line.line]))
    return owed


def _balances(document: PurchaseDocument, held: Sequence[GetPurchaseOrder], after: Mapping[Line, Decimal]) -> list[Balance]:
    """Each line of the warehouse as it stands: advised is what it agreed to expect, whatever the ERP says since."""
    ours = {str(line.line_number) for line in document.lines}
    return [
        Balance(line.advised or ZERO, after.get((each.purchase_order_id, line.line_id), ZERO), (line.row_number or "") in ours)
        for each in held
        for line in each.lines
    ]


async def _notes(
    session: Session,
    key: PurchaseKey,
    document: PurchaseDocument,
    plan: Plan,
    by_line: Mapping[Line, CountedLine],
    balances: Sequence[Balance],
    closed: bool,
    meaning: str,
) -> None:
    """What deserves a person's eye: over, not ordered, after the end, finished with a difference."""
    for step in plan.steps:
        line = by_line[step.line]
        if line.line_number is None:
            text = f"article {line.article_number}: {step.to_value.normalize():f} received on line {step.line[1]}, not ordered"
            await _note(session, key, "received-not-ordered", text)
        elif step.quantity > 0 and step.to_value > line.ordered:
            text = f"line {line.line_number}, article {line.article_number}: {step.to_value.normalize():f} received of"
            await _note(session, key, "received-more-than-ordered", f"{text} {line.ordered.normalize():f}")
    if plan.steps and (document.status in OVER or document.closed):
        text = ", ".join(f"{step.quantity.normalize():f} of {by_line[step.line].article_number}" for step in plan.steps)
        await _note(session, key, "received-after-close", text)
    found = difference(balances) if meaning == "deviation" and not closed else None
    for what, code in (("short", "purchase-short"), ("over", "purchase-over")):
        if what == found:
            lines = ", ".join(f"{each.booked.normalize():f} of {each.advised.normalize():f}" for each in balances)
            await _note(session, key, code, f"received {lines}")
        else:
            await close_note(session, key.merchant, PURCHASE_ORDER, key.number, code, "lagerbro")


async def _below_zero(
    session: Session, merchant: Merchant, key: PurchaseKey, before: Mapping[Place, AnyPool], after: Mapping[Place, AnyPool]
) -> None:
    """Stock below zero is an exception of its article: opened by what was taken back, closed by the receipt that fills it."""
    below = ledger.below_zero(after)
    for place, pool in before.items():
        if place[0] in below:
            text = f"purchase order {key.number}: {after[place].quantity.normalize():f} of article {place[0]} in our books"
            await open_exception(session, merchant.merchant_id, "article", place[0], "stock-below-zero", text, False)
        elif pool.quantity < 0:
            await close_note(session, merchant.merchant_id, "article", place[0], "stock-below-zero", "lagerbro")


async def _note(session: Session, key: PurchaseKey, code: str, words: str) -> None:
    text = f"purchase order {key.number}: {words}"
    await open_exception(session, key.merchant, PURCHASE_ORDER, key.number, code, text, False)


def _differs(held: GetPurchaseOrder, wanted: PostPurchaseOrder) -> str:
    """What the warehouse holds otherwise than wanted, in words; empty when nothing."""
    have = {line.row_number or "": (line.article_number, line.advised) for line in held.lines if line.row_number}
    want = {line.row_number: (line.article_number, line.number_of_items) for line in wanted.lines}
    found = [
        f"row {row}: {have.get(row)}, sent was {want.get(row)}" for row in sorted(have | want) if have.get(row) != want.get(row)
    ]
    if held.in_date != wanted.in_date:
        found.append(f"date {held.in_date}, sent was {wanted.in_date}")
    if held.supplier_number != wanted.supplier_number:
        found.append(f"supplier {held.supplier_number}, sent was {wanted.supplier_number}")
    return "; ".join(found)
