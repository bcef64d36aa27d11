"""Supplier invoices, read from the accounting and matched to what came in. Each method is safe to repeat, and by several at once.

Reading keeps what changed and tells the purchase orders' processes; nothing is booked there. Matching is one transaction of ours
on one locked purchase order: what an invoice had booked as it was before is taken back, what was billed and has come since is
settled, then each invoice is laid on what is open, in the order of its numbers. What a person must decide is refused by name,
after the rest is booked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.connections import Connections
from clients.errors import NotFound, Rejected, Unauthorised, Unreadable
from clients.fortnox import FortnoxClient, SupplierInvoice
from domain.errors import Refused
from domain.flows import SUPPLIER_INVOICES
from domain.keys import InvoiceDecision, PurchaseKey, PurchaseState
from domain.landed import ReceivedLine, by_hand, by_key
from domain.money import ZERO, rounded
from domain.stock import Entry, Place, Posting, PostingRow
from domain.supplier_invoices import (
    BOOKABLE,
    DECIDABLE,
    Bill,
    Bought,
    Claimed,
    Plan,
    plan_bill,
    plan_delivery,
    plan_sent_back,
    reversed_plan,
)
from erp import ledger, purchases
from erp import supplier_invoices as kept
from erp.database import NEVER_KEPT, Database, Session
from erp.exceptions import close_notes, open_exception
from erp.late_cost import Booking, ReceiptLine, accounts_of, book_late_cost, next_step, write_booking
from erp.merchants import Merchant, load_merchant
from erp.purchases import ALL_HERE, CANCELLED, COMPLETED, INVOICED, PurchaseDocument
from erp.supplier_invoices import Net, ReadInvoice, ReadLine, Receipts, StoredInvoice
from erp.watching import ran

KIND = "supplier-invoice"
OVERLAP = timedelta(hours=2)
"""Fortnox's times of change are Swedish wall clock by the minute; around the change of summer time an hour comes twice."""
SWEDEN = ZoneInfo("Europe/Stockholm")
LARGEST_PART = 10**12
WITHOUT_PURCHASE, NOT_ON_ACCOUNT = "supplier-invoice-without-purchase", "supplier-invoice-not-on-account"
TO_DECIDE, CHANGED = "supplier-invoice-to-decide", "supplier-invoice-changed"
SURELY = 3
"""An answer that cannot be read is asked for so often before it is taken to be the invoice, and not the way to it."""


class SupplierInvoices:
    """The accounting's side of a purchase order."""

    def __init__(self, database: Database, connections: Connections[FortnoxClient], code_version: str) -> None:
        self._database = database
        self._connections = connections
        self._code_version = code_version

    # --- reading ------------------------------------------------------------------------------------------------------

    @activity.defn
    async def read_supplier_invoices(self, merchant_id: str) -> int:
        """Keep every supplier invoice that changed since the last reading, and tell the processes; returns how many are news.

        The time of reading moves on only when all of it is kept, so an outage misses nothing. A repeat goes on where the last
        attempt was cut off, and the time of reading is then that of the first. An invoice that cannot be kept as it is does not
        stop the others: it is listed, and read again by every run.
        """
        async with self._connections.using(merchant_id) as (merchant, client):
            if await self._connections.is_off(merchant, SUPPLIER_INVOICES):
                return 0
            if not merchant.settings.match_supplier_invoices:
                async with self._database.merchant(merchant_id) as session:
                    await ran(session, merchant_id, SUPPLIER_INVOICES.name)
                return 0
            if merchant.settings.invoiced_on is None:
                text = (
                    "supplier invoices: set goods_received_not_invoiced_account in the merchant's settings (or purchase_account)"
                )
                raise Refused("goods-received-account-missing", text)
            async with self._database.merchant(merchant_id) as session:
                since, began = await kept.read_since(session, merchant_id, SUPPLIER_INVOICES.name)
                numbers = {*await kept.unplaced(session, merchant_id), *await kept.not_taken(session, merchant_id)}
            if since is not None:
                numbers |= {*await client.supplier_invoices_changed((since - OVERLAP).astimezone(SWEDEN))}
            news, kept_until = 0, 0
            if activity.info().heartbeat_details:
                kept_until, first = activity.info().heartbeat_details
                began = datetime.fromisoformat(first)
            for number in sorted(numbers):
                if number <= kept_until:
                    continue
                news += await self._read_one(merchant, client, number)
                activity.heartbeat(number, began.isoformat())
            async with self._database.merchant(merchant_id) as session:
                await ran(session, merchant_id, SUPPLIER_INVOICES.name, began if since is not None else None)
            return news

    async def _read_one(self, merchant: Merchant, client: FortnoxClient, number: int) -> bool:
        """Keep one invoice as it is now, or list it with what is wrong with it; whether it is news."""
        who = merchant.merchant_id
        try:
            found = await client.get_supplier_invoice(number)
            async with self._database.merchant(who) as session:
                return await _keep(session, merchant, found)
        except NotFound:  # deleted meanwhile
            async with self._database.merchant(who) as session:
                await kept.seen(session, who, number)
                await close_notes(session, who, KIND, str(number), [kept.NOT_TAKEN], "lagerbro")
        except Unauthorised:
            raise
        except (*NEVER_KEPT, ArithmeticError, ValueError, Unreadable, Rejected) as why:
            if isinstance(why, Unreadable) and activity.info().attempt < SURELY:
                raise
            async with self._database.merchant(who) as session:
                words = f"supplier invoice {number}: {str(why).splitlines()[0] if str(why) else type(why).__name__}"
                await kept.seen(session, who, number)  # its turn is over: of many without a purchase all come round
                await open_exception(session, who, KIND, str(number), kept.NOT_TAKEN, words, False)
        return False

    # --- deciding -----------------------------------------------------------------------------------------------------

    @activity.defn
    async def decide_invoice(self, decision: InvoiceDecision) -> str:
        """Keep what a person decided; returns it in words. The same decision again changes nothing, another one is refused."""
        async with self._database.merchant(decision.merchant) as session:
            return await decide(session, decision)

    # --- matching -----------------------------------------------------------------------------------------------------

    @activity.defn
    async def match_purchase(self, key: PurchaseKey) -> PurchaseState:
        """Match and book whatever can be on this purchase order, and end it if nothing is open any more.

        A repeat finds it done. What a person must decide, or what cannot be done, is refused after the rest is committed.
        """
        async with self._database.merchant(key.merchant) as session:
            state, waits = await match(session, key, self._code_version)
        if waits:
            more = "; ".join(str(each) for each in waits[1:])
            raise Refused(waits[0].code, f"{waits[0]}{'; ' + more if more else ''}")
        return state


async def decide(session: Session, decision: InvoiceDecision) -> str:
    """Keep a decision about an invoice in the caller's transaction; returns it in words."""
    name = f"supplier invoice {decision.invoice} of purchase order {decision.purchase}"
    wish = "reject" if decision.reject else "approve"
    await purchases.lock_purchase(session, decision.merchant, decision.purchase)
    held = await kept.state_of(session, decision.merchant, decision.purchase, decision.invoice)
    if held is None:
        raise Refused(TO_DECIDE, f"{name}: there is no such invoice on this purchase order")
    if held.decision == wish:
        return f"{name}: {wish} was decided before, by {held.decided_by}"
    if held.state not in ("waiting", "parked") or held.decision is not None:
        raise Refused(TO_DECIDE, f"{name} is {held.state}: there is nothing to decide")
    if not decision.reject and held.match_state not in DECIDABLE:
        raise Refused(TO_DECIDE, f"{name} is {held.match_state}: {held.why}; that cannot be approved, only mended")
    await kept.decide(session, decision.merchant, decision.purchase, decision.invoice, decision.by, decision.reason, wish)
    if decision.reject:
        words = f"by {decision.by}: {decision.reason}"
        # What an earlier version has booked is still to be taken back.
        booked = held.booked_version
        await kept.set_state(session, decision.merchant, decision.invoice, "rejected", held.match_state, words, booked)
    return f"{name}: {wish} by {decision.by}"


async def match(session: Session, key: PurchaseKey, code_version: str) -> tuple[PurchaseState, list[Refused]]:
    """All of a purchase order's matching, in the caller's transaction: where it is then, and what waits for a person."""
    waits: list[Refused] = []
    merchant = await load_merchant(session, key.merchant)
    document = await purchases.lock_purchase(session, key.merchant, key.number)
    if merchant.settings.awaits_invoice(document.order_type):
        work = await _begin(session, merchant, document, code_version)
        await _take_back(work)
        await _settle_deliveries(work)
        held, booked = await _match_invoices(work)
        while booked:  # what was booked may be what another was waiting for, whatever their numbers are
            held, booked = await _match_invoices(work)
        waits += held
        waits += await _book_landed_costs(work)
        waits += await _send_back(work)
        await _settle_sent_back(work)
    return await _state(session, key, document), waits


# --- reading ----------------------------------------------------------------------------------------------------------


async def _keep(session: Session, merchant: Merchant, found: SupplierInvoice) -> bool:
    """Keep one invoice if it concerns us, with what is to be said about it; whether that is news."""
    invoice = await _read(session, merchant, found)
    goods = [line for line in invoice.lines if line.kind == "goods"]
    if not invoice.lines and not invoice.purchases and not await kept.is_kept(session, merchant.merchant_id, invoice.number):
        await close_notes(session, merchant.merchant_id, KIND, str(invoice.number), [kept.NOT_TAKEN], "lagerbro")
        return False
    # Rows that name a purchase order speak for themselves; the others follow the head.
    of_goods = sorted({name for line in goods for name in (line.purchases or invoice.purchases)})
    named = of_goods if goods else [name for line in invoice.lines for name in (line.purchases or invoice.purchases)]
    purchase = named[0] if named and (not goods or len(named) == 1) else None
    state, note, words = "parked", "", ""
    if invoice.cancelled:
        state = "cancelled"
    elif not invoice.lines:
        if not invoice.purchases:
            state, purchase = "no-purchase", None
        else:
            account = merchant.settings.invoiced_on
            state, note, words = "no-purchase", NOT_ON_ACCOUNT, f"{', '.join(invoice.purchases)}: no row on account {account}"
    elif purchase is None:
        state, note = "no-purchase", WITHOUT_PURCHASE
        words = (
            f"it names {', '.join(named)}, and only one can be matched" if named else "it names no purchase order that we know"
        )
    elif not invoice.in_books and merchant.settings.supplier_invoice_when == "booked":
        state = "unbooked"
    news, told = await kept.store(session, merchant.merchant_id, invoice, state, purchase, words)
    await kept.nudge(session, merchant.merchant_id, told)
    others = [code for code in (WITHOUT_PURCHASE, NOT_ON_ACCOUNT, kept.NOT_TAKEN) if code != note]
    await close_notes(session, merchant.merchant_id, KIND, str(invoice.number), others, "lagerbro")
    if note:
        name = f"supplier invoice {invoice.number} ({invoice.invoice_number or 'without number'})"
        await open_exception(session, merchant.merchant_id, KIND, str(invoice.number), note, f"{name}: {words}", False)
    return news


async def _read(session: Session, merchant: Merchant, found: SupplierInvoice) -> ReadInvoice:
    """Translate: the rows that concern us, and the purchase orders that head and rows name. No other text is kept."""
    settings = merchant.settings
    kinds = {settings.landed_cost_account: "landed-cost", settings.invoiced_on: "goods"}
    kinds.pop(None, None)
    field = {
        "YourReference": found.your_reference,
        "OurReference": found.our_reference,
        "ExternalInvoiceNumber": found.external_invoice_number,
        "Comments": found.comments,
    }[settings.supplier_invoice_purchase_field]
    ours = [(n, row) for n, row in enumerate(found.rows, 1) if row.account in kinds and row.booked]
    words = {"": _words(field)} | {str(n): _words(row.transaction_information) for n, row in ours}
    known = await kept.known_purchases(session, merchant.merchant_id, [word for each in words.values() for word in each])
    lines = []
    for n, row in ours:
        sign = 1 if row.booked > 0 else -1
        lines.append(
            ReadLine(
                n,
                kinds[row.account],
                row.account or 0,
                row.article_number,
                rounded(abs(row.quantity or ZERO), 4) * sign,
                rounded(row.amount or row.booked / found.rate),
                rounded(row.booked),
                tuple(word for word in words[str(n)] if word in known),
            )
        )
    return ReadInvoice(
        found.given_number,
        found.supplier_number,
        found.invoice_number,
        found.invoice_date or date.min,
        found.currency or merchant.currency,
        rounded(found.rate, 10),
        found.credit_reference or None if found.credit else None,
        bool(found.booked),
        bool(found.cancelled),
        tuple(word for word in words[""] if word in known),
        tuple(lines),
    )


def _words(text: str | None) -> list[str]:
    """What may be a number of ours in a text: all of it, or its words."""
    if not text:
        return []
    found = [text.strip(), *re.split(r"[\s,;]+", text.strip())]
    return [word for word in dict.fromkeys(found) if word and len(word) <= 50]


# --- matching ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Work:
    """One purchase order under lock, with all that may bear or make cost. `invoices` and `landed` were there when it was locked:
    what comes later may name purchase orders that are not among `related`, and waits for the next matching, which it asks for."""

    session: Session
    merchant: Merchant
    document: PurchaseDocument
    account: int
    claims_account: int
    now: datetime
    code_version: str
    related: list[str]
    invoices: frozenset[int]
    landed: frozenset[str]
    receipts: Receipts
    bought: Bought

    @property
    def merchant_id(self) -> str:
        return self.merchant.merchant_id

    @property
    def number(self) -> str:
        return self.document.number

    async def reload(self) -> None:
        self.receipts = await kept.receipts(self.session, self.merchant_id, self.related)
        self.bought = await kept.bought(
            self.session, self.merchant_id, self.number, self.document.currency, self.receipts, _closed(self.document)
        )

    def booking(self, document: str, kind: str, on: date, actor: str, reason: str, **more: Any) -> Booking:
        return Booking(
            document, kind, self.number, more.pop("account", self.account), self.claims_account, on, actor, reason, **more
        )

    def day(self, on: date, lines: Sequence[ReceiptLine]) -> date:
        """The accounting day of a cost: its document's, and never before the goods came in."""
        came = [self.receipts.received_at[line.purchase, f"{line.receipt_no}/{line.row_no}"] for line in lines]
        return max([on, *(self.merchant.day_of(at) for at in came)])


def _closed(document: PurchaseDocument) -> bool:
    return document.status in (ALL_HERE, INVOICED, COMPLETED, CANCELLED) or document.closed


async def _begin(session: Session, merchant: Merchant, document: PurchaseDocument, code_version: str) -> _Work:
    """Load and lock: the invoices by number, then every pool that may be touched, in article order."""
    account = merchant.settings.received_account
    if account is None:
        text = f"purchase order {document.number}: set goods_received_not_invoiced_account in the merchant's settings"
        raise Refused("goods-received-account-missing", text)
    claims = merchant.settings.supplier_claims_account or account
    invoices = await kept.invoices_of(session, merchant.merchant_id, document.number)
    named = {document.number, *(p for each in invoices for p in each.purchases)}
    named |= {p for each in invoices for line in each.lines for p in line.purchases}
    landed = await kept.landed_costs(session, merchant.merchant_id, document.number)
    named |= {p for each in landed for p in each.purchases}
    related = sorted(named)
    receipts = await kept.receipts(session, merchant.merchant_id, related)
    places = {line.place for line in receipts.lines.values()}
    if places:
        await ledger.lock_pools(session, merchant.merchant_id, places)
    now = await kept.now(session)
    bought = await kept.bought(session, merchant.merchant_id, document.number, document.currency, receipts, _closed(document))
    there = frozenset(each.number for each in invoices), frozenset(each.number for each in landed)
    return _Work(session, merchant, document, account, claims, now, code_version, related, *there, receipts, bought)


async def _book(work: _Work, booking: Booking, plan: Plan) -> None:
    """Book a plan: its late costs in pools and ledger, its parts and claims as rows."""
    rate_is_cost = work.merchant.settings.rate_policy.at_invoice == "product-cost"
    late = plan.late_costs(rate_is_cost)
    costs = [(work.receipts.line(work.number, receipt), amount) for receipt, amount in sorted(late.items())]
    lines = [work.receipts.line(work.number, part.receipt) for part in plan.parts]
    whole = replace(
        booking,
        on=work.day(booking.on, lines),
        value=plan.value,
        cleared=plan.cleared,
        rate=plan.rate,
        price=plan.price,
        claimed=plan.claimed,
        difference=plan.difference,
        exchange=ZERO if rate_is_cost else plan.rate,
    )
    step = await book_late_cost(work.session, work.merchant, whole, costs, work.now, work.code_version)
    await kept.write_plan(work.session, work.merchant_id, whole, step, plan)
    await work.reload()


async def _take_back(work: _Work) -> None:
    """Take back what invoices have booked as they were before; where the warehouse took goods back, what was matched to them.

    Credit notes are taken back with it, whatever their numbers are, and matched again: what a person decided about one was about
    what it credited then.
    """
    invoices = await kept.invoices_of(work.session, work.merchant_id, work.number)
    nets = {each.number: await kept.net(work.session, work.merchant_id, each.document, work.number) for each in invoices}
    short = {receipt for number, receipt in work.receipts.overdrawn if number == work.number}
    booked = [each for each in invoices if each.booked_version is not None and each.booked_on == work.number]
    overdrawn = {n.number for n in booked if any(p.receipt in short and p.quantity > 0 for p in nets[n.number].parts)}
    if not overdrawn and all(each.state == "booked" for each in booked):
        return
    for each in booked:
        net, changed = nets[each.number], each.state != "booked"
        if not (changed or each.number in overdrawn or net.value < 0):
            continue
        if not net.is_nothing:
            await _reverse(work, each, net)
        await kept.unbooked(work.session, work.merchant_id, each.number, keep_decision=changed)
        if changed:
            text = f"supplier invoice {each.number} ({each.invoice_number or 'without number'}) on purchase order {work.number}"
            words = f"{text}: version {net.version} was matched; it is {each.state} now"
            await open_exception(work.session, work.merchant_id, KIND, str(each.number), CHANGED, words, False)
            if each.purchase and each.purchase != work.number:
                await kept.nudge(work.session, work.merchant_id, [each.purchase])
    await work.reload()


async def _reverse(work: _Work, invoice: StoredInvoice, net: Net) -> None:
    on = work.merchant.day_of(work.now)
    words = "what the invoice had booked before"
    if net.parts or net.claims or net.difference or net.late:
        plan = reversed_plan(net.parts, net.claims, net.difference)
        booking = work.booking(invoice.document, "reversal", on, "lagerbro", words, version=net.version, account=net.account)
        booking = replace(
            booking,
            claims_account=net.claims_account,
            value=plan.value,
            cleared=plan.cleared,
            rate=plan.rate,
            price=plan.price,
            claimed=plan.claimed,
            difference=plan.difference,
            exchange=-net.exchange,
        )
        costs = [(work.receipts.line(purchase, receipt), -amount) for purchase, receipt, amount in net.late]
        step = await book_late_cost(work.session, work.merchant, booking, costs, work.now, work.code_version)
        await kept.write_plan(work.session, work.merchant_id, booking, step, plan)
    if net.landed:
        booking = work.booking(
            invoice.document, "landed-cost", on, "lagerbro", words, version=net.version, account=net.landed_account
        )
        booking = replace(booking, value=-net.landed, price=-net.landed)
        costs = [(work.receipts.line(purchase, receipt), -amount) for purchase, receipt, amount in net.landed_late]
        await book_late_cost(work.session, work.merchant, booking, costs, work.now, work.code_version)


async def _settle_deliveries(work: _Work) -> None:
    """What was billed and not here, and has come since, becomes goods at their cost."""
    for document, plan in plan_delivery(work.bought):
        booking = work.booking(document, "delivery", date.min, "lagerbro", "billed before, received now")
        await _book(work, booking, plan)


async def _match_invoices(work: _Work) -> tuple[list[Refused], bool]:
    """Match what is not matched, by number; returns what a person must decide, and whether anything was booked.

    A credit note that finds nothing to credit waits quietly as long as an invoice does.
    """
    waits: list[Refused] = []
    booked = False
    invoices = await kept.invoices_of(work.session, work.merchant_id, work.number)
    for invoice in invoices:
        if invoice.number not in work.invoices:
            continue
        if invoice.purchase != work.number or invoice.state not in ("parked", "waiting"):
            continue
        if invoice.booked_version is not None:
            continue  # another purchase order has it booked still, takes it back, and tells this one
        plan, landed = _plan(work, invoice), ZERO
        parts: list[tuple[ReceiptLine, Decimal]] = []
        costs = invoice.rows_of("landed-cost")
        if costs:
            landed = sum((row.value for row in costs), ZERO)
            try:
                parts = await _landed_parts(work, invoice, landed)
            except Refused as refusal:
                plan = Plan("price_diff", str(refusal))
            if not parts and plan.state in BOOKABLE:
                plan = Plan("not_received", "nothing has come in that its landed cost could be laid on")
        may = plan.state in BOOKABLE or (invoice.approved and plan.state in DECIDABLE and (not costs or bool(parts)))
        if not may:
            early = plan.state == "qty_over" and invoice.takes_back and any(each.awaits for each in invoices)
            state = "parked" if early or plan.state == "not_received" else "waiting"
            await kept.set_state(
                work.session, work.merchant_id, invoice.number, state, plan.state, plan.why, invoice.booked_version
            )
            if state == "waiting":
                name = f"supplier invoice {invoice.number} ({invoice.invoice_number or 'without number'})"
                waits.append(Refused(TO_DECIDE, f"purchase order {work.number}: {name} is {plan.state}: {plan.why}"))
            continue
        actor, reason = (invoice.decided_by, invoice.decision_reason) if invoice.approved else ("lagerbro", "within tolerance")
        booking = work.booking(
            invoice.document, "match", invoice.invoice_date, actor or "", reason or "", version=invoice.version
        )
        if invoice.rows_of("goods"):
            await _book(work, booking, plan)
        if parts:
            account = next(line.account for line in invoice.lines if line.kind == "landed-cost")
            cost = replace(
                booking, kind="landed-cost", account=account, value=landed, price=landed,
                on=work.day(invoice.invoice_date, [line for line, _ in parts]),
            )  # fmt: skip
            await book_late_cost(work.session, work.merchant, cost, parts, work.now, work.code_version)
        await kept.set_state(work.session, work.merchant_id, invoice.number, "booked", plan.state, plan.why, invoice.version)
        booked = True
    return waits, booked


def _plan(work: _Work, invoice: StoredInvoice) -> Plan:
    rows = invoice.rows_of("goods")
    if not rows:
        return Plan("duplicate", "the supplier's number was invoiced before") if invoice.seen_before else Plan("matched")
    bill = Bill(
        invoice.document,
        invoice.currency,
        invoice.rate,
        rows,
        invoice.seen_before,
        None if invoice.credits is None else kept.document_of(invoice.credits),
    )
    settings = work.merchant.settings
    return plan_bill(bill, work.bought, settings.invoice_tolerance, Decimal(settings.rate_jump_percent))


# --- landed cost and returns to suppliers ------------------------------------------------------------------------------


async def _landed_parts(work: _Work, invoice: StoredInvoice, total: Decimal) -> list[tuple[ReceiptLine, Decimal]]:
    named: list[str] = []
    for line in invoice.lines:
        if line.kind == "landed-cost":
            named += line.purchases or invoice.purchases or (work.number,)
    return await _allocated(work, total, work.merchant.settings.landed_cost_key, sorted(set(named)))


async def _allocated(work: _Work, total: Decimal, key: str, named: Sequence[str]) -> list[tuple[ReceiptLine, Decimal]]:
    """The parts of a cost on all that came in of these purchase orders; none while nothing has."""
    found = [at for at in work.receipts.lines if at[0] in named and work.receipts.received[at][0] > 0]
    if not found:
        return []
    known = await kept.weights(work.session, work.merchant_id, [work.receipts.lines[at].place[0] for at in found])
    lines = []
    for at in found:
        quantity, value = work.receipts.received[at]
        article = work.receipts.lines[at].place[0]
        weight, volume = known.get(article, (None, None))
        lines.append(
            ReceivedLine(
                f"article {article} of {at[0]}",
                quantity,
                value,
                None if weight is None else weight * quantity,
                None if volume is None else volume * quantity,
            )
        )
    return [(work.receipts.lines[at], part) for at, part in zip(found, by_key(total, key, lines), strict=True)]


async def _book_landed_costs(work: _Work) -> list[Refused]:
    """Book the costs that were entered, each on what has come in; one that cannot be laid on it waits for a person."""
    waits = []
    for cost in await kept.landed_costs(work.session, work.merchant_id, work.number):
        if cost.number not in work.landed:
            continue
        account = cost.account or work.merchant.settings.landed_cost_account
        name = f"landed cost {cost.number}"
        try:
            if account is None:
                raise Refused("landed-cost-not-allocated", f"{name}: set landed_cost_account, or give the cost an account")
            if cost.allocation_key == "hand":
                parts = _by_hand(work, name, cost)
            else:
                parts = await _allocated(work, cost.amount, cost.allocation_key, cost.purchases)
        except Refused as refusal:
            waits.append(refusal if name in str(refusal) else Refused(refusal.code, f"{name}: {refusal}"))
            continue
        if not parts:
            continue
        on = work.day(cost.cost_date, [line for line, _ in parts])
        booking = work.booking(f"landed-cost/{cost.number}", "landed-cost", on, cost.entered_by, cost.reason, account=account)
        booking = replace(booking, value=cost.amount, price=cost.amount)
        await book_late_cost(work.session, work.merchant, booking, parts, work.now, work.code_version)
        await kept.landed_cost_booked(work.session, work.merchant_id, cost.number)
    return waits


def _by_hand(work: _Work, name: str, cost: Any) -> list[tuple[ReceiptLine, Decimal]]:
    """The parts a person has given, by receipt line: `PO-1/2/1` is row 1 of receipt 2."""
    found = []
    if not isinstance(cost.parts, dict):
        raise Refused(
            "landed-cost-not-allocated", f'{name}: parts must be like {{"PO-1/2/1": "12.50"}}: an amount by receipt line'
        )
    for written, amount in sorted(cost.parts.items()):
        purchase, receipt_no, row_no = ("", "", "") if str(written).count("/") < 2 else str(written).rsplit("/", 2)
        line = work.receipts.lines.get((purchase, f"{receipt_no}/{row_no}"))
        if line is None:
            raise Refused("landed-cost-not-allocated", f"{name}: there is no receipt line {written}")
        try:
            part = Decimal(str(amount))
        except InvalidOperation:
            part = Decimal("NaN")
        if not part.is_finite() or abs(part) > LARGEST_PART:
            raise Refused("landed-cost-not-allocated", f"{name}: {amount!r} for receipt line {written} is no amount")
        found.append((line, part))
    by_hand(cost.amount, [part for _, part in found])
    return found


async def _send_back(work: _Work) -> list[Refused]:
    """Goods that go back to the supplier leave at the average of today; what they were worth is claimed until the credit note."""
    waits = []
    for back in await kept.supplier_returns(work.session, work.merchant_id, work.number):
        place: Place = (back.article_number, work.merchant.settings.warehouse)
        mine = [at for at, line in work.receipts.lines.items() if line.place == place and at[0] == work.number]
        received = sum((work.receipts.received[at][0] for at in mine), ZERO)
        gone = await kept.sent_back(work.session, work.merchant_id, work.number, back.article_number)
        name = f"return {back.number} to the supplier of purchase order {work.number}"
        pools = await ledger.lock_pools(work.session, work.merchant_id, [place]) if mine else {}
        held = pools[place].quantity if mine else ZERO
        if back.quantity > min(held, received - gone):
            words = f"{back.quantity.normalize():f} of article {place[0]}; {received.normalize():f} came, "
            words += f"{gone.normalize():f} went back, " if gone else ""
            waits.append(Refused("supplier-return-impossible", f"{name}: {words}{held.normalize():f} are here"))
            continue
        pool, cost = pools[place].issue(back.quantity)
        document = f"{kept.RETURN}{back.number}"
        step = await next_step(work.session, work.merchant_id, document)
        entry = Entry(
            place,
            "supplier-return",
            -back.quantity,
            -cost,
            None,
            work.now,
            back.returned_on,
            cause=f"{document}#{step}",
            epoch=pool.epoch,
            keep=pool.keep,
        )
        [(stock, _)] = (await accounts_of(work.session, work.merchant, f"purchase-order/{work.number}", [place])).values()
        rows = (PostingRow(work.claims_account, cost, ZERO), PostingRow(stock, ZERO, cost)) if cost else ()
        transaction_no = await ledger.append(
            work.session,
            work.merchant_id,
            [entry],
            {place: pool},
            work.merchant.settings.stock_accounts,
            work.merchant.currency,
            document=document,
            reason=back.reason,
            actor=back.entered_by,
            code_version=work.code_version,
            own=Posting("supplier-return", back.returned_on, rows),
        )
        booking = work.booking(document, "supplier-return", back.returned_on, back.entered_by, back.reason)
        booking = replace(booking, account=work.claims_account, value=cost, claimed=cost)
        await write_booking(work.session, work.merchant_id, booking, step, transaction_no)
        claim = Claimed(document, place[0], back.quantity, cost, Decimal(1), returned=True)
        await kept.write_plan(work.session, work.merchant_id, booking, step, Plan("matched", claims=(claim,)))
        await kept.supplier_return_booked(work.session, work.merchant_id, back.number)
        await work.reload()
    return waits


async def _settle_sent_back(work: _Work) -> None:
    """What went back and was left out of the invoices is settled, once no invoice of the purchase order waits."""
    invoices = await kept.invoices_of(work.session, work.merchant_id, work.number)
    if any(each.state in ("parked", "waiting", "unbooked") for each in invoices):
        return
    for document, plan in plan_sent_back(work.bought):
        await _book(work, work.booking(document, "delivery", work.merchant.day_of(work.now), "lagerbro", plan.why), plan)


async def _state(session: Session, key: PurchaseKey, document: PurchaseDocument) -> PurchaseState:
    """Where the purchase order is, from the tables. Received and nothing open: it ends as invoiced."""
    open_ = await kept.unsettled(session, key.merchant, key.number)
    waits = await kept.pending(session, key.merchant, key.number)
    if document.status == ALL_HERE and not open_ and not waits:
        await purchases.end(session, key, INVOICED)
        return PurchaseState(INVOICED, outcome=INVOICED)
    if document.status == INVOICED and (open_ or waits):
        await purchases.move(session, key.merchant, key.number, ALL_HERE)
        return PurchaseState(ALL_HERE)
    if document.status in (INVOICED, COMPLETED, CANCELLED) and not waits:
        await purchases.end(session, key, document.status)
        return PurchaseState(document.status, outcome=document.status)
    return PurchaseState(ALL_HERE if document.status == ALL_HERE else "receiving")
