"""What we ask of the warehouse. Each method is safe to repeat, at any time, by several workers at once.

An order is sent as an upsert by our number and read back; what the warehouse has done is read from its counters and booked
under our own locks. Our version of an order travels in `goodsOwnerOrderId`, so that a document that we did not make, or an
older one that came back, is recognised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from temporalio import activity

from activities.articles import send_articles
from activities.connections import Connections
from activities.errors import Waiting
from activities.order_changes import BOTH, LINES, Taken, change_order, header_of, is_ours, lines_of, our_mark, put_order
from activities.shown import new_to_the_erp, picked_now, shown
from clients.errors import NotFound, Rejected, Unauthorised, Unavailable
from clients.ongoing import Consignee, GetOrder, GetOrderLine, OngoingClient, PostOrder, PostOrderLine, Transporter
from domain.counting import Line, believable
from domain.errors import LookAgain, Refused
from domain.flows import ORDERS_BACK, ORDERS_OUT
from domain.keys import OrderKey, OrderState
from domain.merchant import SENT, MerchantSettings
from domain.money import ZERO
from domain.stock import Movement, move_stock
from erp import counters, ledger
from erp.articles import stock_articles, unsent_articles
from erp.counters import CountedLine, Look, Watched
from erp.database import Database, Session
from erp.exceptions import close_note, open_exception
from erp.links import Link, links, save_link
from erp.merchants import Merchant
from erp.orders import (
    CANCELLED,
    STOPPED,
    TOO_LATE,
    OrderDocument,
    answer_cancel,
    end_process,
    forget_refusal,
    load_agreed,
    load_order,
    lock_order,
    move_status,
    order_state,
    refuse_change,
)
from erp.sent_orders import begin_send, taken
from erp.shipping import ToShip, check_billing, close_shipment, due, services_owed

SYSTEM = "ongoing"


@dataclass(frozen=True, slots=True)
class Rules:
    """Timings of a worker: `patience` is how long a decrease must stand; `unclear` how long a report may live, `alive` an
    order on its way to the warehouse."""

    patience: timedelta
    unclear: timedelta
    code_version: str
    alive: timedelta = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look came to: where the order is, what the warehouse is to be told, what a person must cure, what is to be done
    before the next look."""

    state: OrderState
    owed: list[tuple[Line, Decimal]] = field(default_factory=list)
    refusal: Refused | None = None
    other_version: bool = False
    to_stop: list[GetOrder] = field(default_factory=list)


class Ongoing:
    """The warehouse's side of a sales order."""

    def __init__(self, database: Database, connections: Connections[OngoingClient], rules: Rules) -> None:
        self._database = database
        self._connections = connections
        self._rules = rules

    # --- sending ------------------------------------------------------------------------------------------------------

    @activity.defn
    async def send_sales_order(self, key: OrderKey) -> OrderState:
        """Make the warehouse hold the order as the ERP has it, its articles first.

        A repeat finds what is there: it sends again only what is missing or older. Refuses (a person acts) what cannot be
        sent or billed, and never sends such an order at all. Once the warehouse holds the order, what cannot be changed any
        more is said on the ERP's row, and the order goes on as the warehouse has it.
        """
        async with self._connections.using(key.merchant, ORDERS_OUT) as (merchant, client):
            return await self._send(client, merchant, key)

    async def _send(self, client: OngoingClient, merchant: Merchant, key: OrderKey, again: bool = False) -> OrderState:
        """`again`: the warehouse was seen to hold another version than it took last."""
        attempt, unsent, wrong = None, list[str](), None
        async with self._database.merchant(key.merchant) as session:
            order = await load_order(session, key)
            link = (await links(session, key.merchant, SYSTEM, "sales-order", [key.number])).get(key.number)
            if not again and link and link.confirmed and link.sent_version == order.version:
                return await self._state(session, merchant, key)
            if not order.cancel_wanted:
                wrong = _wrong(order, merchant)
                if wrong and link is None:
                    raise wrong
                if not order.stock_lines and link is None:
                    return await self._ship_services(session, merchant, order, key)
                if not wrong:
                    unsent = await unsent_articles(session, key.merchant, [line.article_number for line in order.stock_lines])
                if not wrong and not unsent:
                    attempt = await begin_send(session, key, self._rules.alive.total_seconds())
        if order.cancel_wanted:
            return await (self._look(client, merchant, key) if link else self._cancel_unsent(client, merchant, order, key))
        try:
            if wrong:
                raise wrong
            if unsent:
                await send_articles(self._database, client, key.merchant, unsent, self._rules.alive, activity.heartbeat)
                async with self._database.merchant(key.merchant) as session:
                    attempt = await begin_send(session, key, self._rules.alive.total_seconds())
            if attempt is None:
                raise LookAgain(f"sales order {key.number} was asked to be cancelled meanwhile")
            done = await self._put(client, merchant, order, link, fresh_articles=bool(unsent))
        except Refused as refusal:
            if link is None:
                raise
            return await self._refused(client, merchant, key, order, link, refusal)
        return await self._keep(merchant, key, order, done, attempt)

    async def _keep(self, merchant: Merchant, key: OrderKey, order: OrderDocument, done: Taken, attempt: int) -> OrderState:
        """Remember what the warehouse took, and tell the ERP what it did not."""
        wrong = None if done.refused in (LINES, BOTH) else _difference(order, done.held)
        async with self._database.merchant(key.merchant) as session:
            await self._watch(session, merchant, key, order, done.held, confirmed=wrong is None)
            if wrong is None:
                mark = done.held.goods_owner_order_id
                await taken(session, key, order, mark, done.header, lines_of(done.held), attempt)
                if done.refused:
                    await self._tell_refusal(session, key, order, done.refused, "order-refused", done.why)
                elif order.refused_version is not None:
                    await forget_refusal(session, key)
                    await close_note(session, key.merchant, counters.SALES_ORDER, key.number, "change-refused", "lagerbro")
                state = await self._state(session, merchant, key)
                return replace(state, said=f"version {order.version}, their order {done.held.order_id}")
        raise wrong

    async def _refused(
        self, client: OngoingClient, merchant: Merchant, key: OrderKey, order: OrderDocument, link: Link, refusal: Refused
    ) -> OrderState:
        """A change that was not even sent. Tried again when the ERP says something new; until then what is held counts."""
        held = await client.get_order(int(link.their_id))
        if not is_ours(held, order.number):
            raise refusal
        async with self._database.merchant(key.merchant) as session:
            await taken(session, key, order, held.goods_owner_order_id, None, lines_of(held), None)
            await self._tell_refusal(session, key, order, BOTH, refusal.code, str(refusal))
            state = await self._state(session, merchant, key)
            return replace(state, look_after=0.0) if state.outcome is None and not state.to_invoice else state

    async def _tell_refusal(self, session: Session, key: OrderKey, order: OrderDocument, part: str, code: str, why: str) -> None:
        await refuse_change(session, key, order.version, part, code, why)
        await self._flag(session, key, "change-refused", f"version {order.version}, {part}: {why}")

    async def _cancel_unsent(self, client: OngoingClient, merchant: Merchant, order: OrderDocument, key: OrderKey) -> OrderState:
        """Cancel an order that we have no answer for: perhaps an earlier attempt arrived all the same, or still will."""
        held = await client.find_order(order.number)
        if held and is_ours(held, order.number):
            async with self._database.merchant(key.merchant) as session:
                await self._watch(session, merchant, key, order, held, confirmed=False)
            return await self._look(client, merchant, key)
        if order.sent.alive_for is not None:
            text = f"sales order {key.number} is to be cancelled, and a request to send it may still arrive"
            raise Waiting("unclear-answer", text, order.sent.alive_for + 0.05)
        async with self._database.merchant(key.merchant) as session:
            await answer_cancel(session, key, STOPPED)
            await move_status(session, key.merchant, key.number, order.status, CANCELLED, "cancelled before it was sent")
            await end_process(session, key, CANCELLED)
        return OrderState(CANCELLED, outcome=CANCELLED)

    @staticmethod
    async def _watch(
        session: Session, merchant: Merchant, key: OrderKey, order: OrderDocument, held: GetOrder, confirmed: bool
    ) -> None:
        """From the moment we know its id over there the document is watched, whatever else may be wrong with it."""
        await save_link(
            session,
            key.merchant,
            SYSTEM,
            "sales-order",
            key.number,
            str(held.order_id),
            sent_version=order.version,
            confirmed=confirmed,
        )
        settings = merchant.settings
        meaning = settings.statuses.get(str(held.status))
        await counters.watch(session, key.merchant, key.number, held.order_id, settings.watch_days, held.status, meaning)

    async def _ship_services(self, session: Session, merchant: Merchant, order: OrderDocument, key: OrderKey) -> OrderState:
        """An order of services only never meets the warehouse: it is shipped, and billed, as it stands."""
        state = await self._state(session, merchant, key)
        if state.outcome is None and await services_owed(session, order, key.merchant):
            await close_shipment(session, merchant, order, ToShip("at-once", datetime.now(UTC), {}, []))
            state = await self._state(session, merchant, key)
        return state

    async def _put(
        self, client: OngoingClient, merchant: Merchant, order: OrderDocument, link: Link | None, fresh_articles: bool
    ) -> Taken:
        """PUT, unless the warehouse already holds this version; then read back what it holds."""
        held = await client.get_order(int(link.their_id)) if link else await client.find_order(order.number)
        if held and not is_ours(held, order.number):
            raise Refused("foreign-order-number", f"the warehouse holds an order {order.number} that is not ours")
        wanted = to_ongoing_order(order, merchant.settings)
        if held:
            return await change_order(
                client, wanted, held, order.sent, merchant.settings.statuses.get(str(held.status), "unknown")
            )
        try:
            return Taken(await put_order(client, wanted), header_of(wanted))
        except Unauthorised:
            raise
        except Rejected as refusal:
            if fresh_articles:
                raise Waiting("order-refused", f"sales order {order.number}: {refusal}", 3.0) from None
            if await client.find_order(order.number):
                raise LookAgain(f"an earlier request has made the warehouse's order {order.number} meanwhile") from None
            raise Refused("order-refused", f"sales order {order.number}: {refusal}") from None

    # --- looking ------------------------------------------------------------------------------------------------------

    @activity.defn
    async def look_at_sales_order(self, key: OrderKey) -> OrderState:
        """Book what the warehouse has done since we last looked, tell it so, and say what the order owes.

        The answer is read from the tables: after a lost answer the repeat still finds the invoice that is owed. What
        cannot be billed is refused only after the stock that moved has been booked.
        """
        async with self._connections.using(key.merchant, ORDERS_BACK) as (merchant, client):
            return await self._look(client, merchant, key)

    async def _look(self, client: OngoingClient, merchant: Merchant, key: OrderKey, acted: bool = False) -> OrderState:
        """Look, and act on what is seen at most once: send what is not there, stop what the ERP has cancelled; look again."""
        async with self._database.merchant(key.merchant) as session:
            looks = await counters.begin_look(session, key.merchant, key.number)
        if not looks:
            return await self._send(client, merchant, key)  # services only, or a process that was lost before it had sent
        held = [await _ask(client, look, key) for look in looks]
        back_orders = await self._back_orders(client, merchant, key, held)
        if back_orders:
            raise Waiting("unclear-answer", f"sales order {key.number} has a back order", 0.1)
        seen = await self._book(merchant, key, looks, held)
        if seen.other_version or seen.to_stop:
            if acted:
                raise Waiting("unclear-answer", f"sales order {key.number}: the warehouse does not show what it was told", 0.5)
            if seen.other_version:
                await self._send(client, merchant, key, again=True)
            else:
                await self._stop(client, merchant, key, seen.to_stop)
            return await self._look(client, merchant, key, acted=True)
        if seen.refusal:
            raise seen.refusal
        return await self._report(client, merchant, key, held, seen.owed, seen.state) if seen.owed else seen.state

    async def _back_orders(self, client: OngoingClient, merchant: Merchant, key: OrderKey, held: Sequence[GetOrder]) -> list[int]:
        """Back orders of a short shipment that we do not watch yet; from now on we do."""
        known = {order.order_id for order in held}
        found = []
        for order in held:
            short = any((line.picked or ZERO) < (line.ordered or ZERO) for line in order.lines)
            if short and merchant.settings.statuses.get(str(order.status)) in SENT:
                found += [back.order_id for back in await client.find_back_orders(order.order_id) if back.order_id not in known]
        if found:
            async with self._database.merchant(key.merchant) as session:
                for order_id in found:
                    await counters.watch(session, key.merchant, key.number, order_id, merchant.settings.watch_days)
        return found

    async def _book(self, merchant: Merchant, key: OrderKey, looks: Sequence[Look], held: Sequence[GetOrder]) -> Seen:
        refusal: Refused | None = None
        async with self._database.merchant(key.merchant) as session:
            await lock_order(session, key)
            watched = await counters.lock(session, key.merchant, key.number, looks)
            if watched.outran:
                raise Waiting("unclear-answer", f"sales order {key.number}: another look was booked meanwhile", 0.2)
            order = await load_agreed(session, key)
            if _other_version(merchant, order, held):
                return Seen(OrderState(order.status), other_version=True)
            seen, refusal = await _counted(session, key.merchant, order, held)
            _forget_dropped_lines(watched, order, seen)
            plan = await counters.book(session, key.merchant, watched, seen, looks, self._rules.patience)
            by_line = {line.line: line for line in seen}
            movements = [
                Movement(
                    step,
                    (by_line[step.line].article_number, merchant.settings.warehouse),
                    at := by_line[step.line].picked_at or watched.now,
                    merchant.day_of(at),
                )
                for step in plan.steps
                if by_line[step.line].moves_stock
            ]
            if movements:
                await self._move_stock(session, merchant, key, movements, order.order_type)
            meanings = {}
            for document in held:
                try:
                    meanings[document.order_id] = merchant.settings.meaning(document.status)
                except Refused as unknown:
                    refusal = refusal or unknown
            if order.status == CANCELLED and plan.steps:
                detail = f"sales order {key.number} is cancelled, yet the warehouse has picked it"
                await open_exception(
                    session, key.merchant, counters.SALES_ORDER, key.number, "picked-after-cancel", detail, False
                )
            after = {step.line: step.to_value for step in plan.steps}
            ship = _due(merchant, watched, seen, after, held, meanings)
            if ship is None and await services_owed(session, order, key.merchant, later=True):
                ship = ToShip("at-once", watched.now, {}, [])
            if ship:
                try:
                    await close_shipment(session, merchant, order, ship)
                except Refused as cannot_bill:
                    refusal = refusal or cannot_bill
            owed = [
                (line.line, booked)
                for line in seen
                if (booked := after.get(line.line, watched.counters[line.line].booked if line.line in watched.counters else ZERO))
                != (line.reported or ZERO)
                and line.line not in plan.doubted
                and not _doubted(watched, line.line, plan.settled)
            ]
            many = len(owed) > merchant.settings.report_singly_up_to
            by_document, picked = picked_now(watched, seen, plan.steps)
            documents = [
                shown(
                    document,
                    merchant.settings,
                    meanings.get(document.order_id),
                    order.way_of_delivery,
                    by_document.get(document.order_id, ZERO),
                )
                for document in held
            ]
            await counters.draw_fence(
                session,
                key.merchant,
                key.number,
                plan.open_doubts or many,
                {
                    document.order_id: (
                        document.status,
                        document.shipped_time if meanings.get(document.order_id) in SENT else None,
                        meanings.get(document.order_id) in SENT,
                    )
                    for document in held
                },
                new_to_the_erp(watched.shown, documents),
                picked,
            )
            to_stop = _to_stop(order, held, meanings)
            if refusal:
                return Seen(OrderState(order.status), owed, refusal, to_stop=to_stop)
            if "error" in meanings.values():
                text = f"the warehouse has set sales order {key.number} to its error status"
                return Seen(OrderState(order.status), owed, Refused("order-error-at-warehouse", text), to_stop=to_stop)
            if to_stop:
                return Seen(OrderState(order.status), owed, to_stop=to_stop)
            return Seen(await self._state(session, merchant, key, just_looked=True), owed)

    async def _move_stock(
        self, session: Session, merchant: Merchant, key: OrderKey, movements: Sequence[Movement], order_type: str
    ) -> None:
        pools = await ledger.lock_pools(session, key.merchant, [movement.place for movement in movements])
        decreased = [movement.step.line for movement in movements if movement.step.quantity < 0]
        earlier = await ledger.earlier_entries(session, key.merchant, decreased) if decreased else {}
        ordered = sorted(movements, key=lambda movement: (movement.place, movement.step.line))
        entries, after = move_stock(ordered, pools, earlier)
        await ledger.append(
            session,
            key.merchant,
            entries,
            after,
            merchant.settings.accounts_for(order_type),
            merchant.currency,
            document=f"{counters.SALES_ORDER}/{key.number}",
            reason="picked in the warehouse",
            actor="lagerbro",
            code_version=self._rules.code_version,
        )
        for article in ledger.below_zero(after):
            await open_exception(
                session,
                key.merchant,
                "article",
                article,
                "stock-below-zero",
                f"article {article}: more was picked than our books hold, last by sales order {key.number}",
                False,
            )

    async def _report(
        self,
        client: OngoingClient,
        merchant: Merchant,
        key: OrderKey,
        held: Sequence[GetOrder],
        owed: Sequence[tuple[Line, Decimal]],
        state: OrderState,
    ) -> OrderState:
        """Tell the warehouse what we have booked, in absolute figures, after our commit.

        A document that is picked in full and booked as it stands is told in one request: nothing more can be picked on it
        meanwhile, and what can (an undone pick) differs from our books and is found.
        """
        told: list[tuple[Line, Decimal]] = []
        many = len(owed) > merchant.settings.report_singly_up_to
        try:
            if many:
                for doc_id in sorted({line[0] for line, _ in owed}):
                    await client.report_all_picked(doc_id)
                return replace(state, look_after=0.05, outcome=None) if state.outcome is None else state
            complete = {document.order_id for document in held if _complete(document, dict(owed))}
            for doc_id in complete:
                await client.report_all_picked(doc_id)
                told += [(line, booked) for line, booked in owed if line[0] == doc_id]
            for (doc_id, line_id), booked in owed:
                if doc_id in complete:
                    continue
                await client.report_order_line(doc_id, line_id, booked)
                told.append(((doc_id, line_id), booked))
        except Unavailable:
            return await self._owe_look(key, state, told)
        except Unauthorised:
            raise
        except Rejected as refusal:
            async with self._database.merchant(key.merchant) as session:
                await self._flag(session, key, "report-refused", str(refusal))
                if many:
                    await counters.owe_nothing(session, key.merchant, key.number)
                    state = await self._state(session, merchant, key, just_looked=True)
        if told:
            async with self._database.merchant(key.merchant) as session:
                await counters.reported(session, key.merchant, told)
        return state

    async def _owe_look(self, key: OrderKey, state: OrderState, told: Sequence[tuple[Line, Decimal]]) -> OrderState:
        async with self._database.merchant(key.merchant) as session:
            await counters.owe_look(session, key.merchant, key.number)
            if told:
                await counters.reported(session, key.merchant, told)
        wait = self._rules.unclear.total_seconds()
        return replace(state, look_after=min(state.look_after or wait, wait)) if state.outcome is None else state

    # --- cancelling ---------------------------------------------------------------------------------------------------

    @activity.defn
    async def cancel_sales_order(self, key: OrderKey) -> OrderState:
        """Look: that stops what the ERP has asked to cancel, and reads back whether it has stopped. Too late is no error."""
        async with self._connections.using(key.merchant, ORDERS_OUT) as (merchant, client):
            return await self._look(client, merchant, key)

    async def _stop(self, client: OngoingClient, merchant: Merchant, key: OrderKey, documents: Sequence[GetOrder]) -> None:
        """Cancel these documents, or tell the ERP that it is too late. The look that follows proves it."""
        for document in documents:
            why = "the goods are sent"
            if merchant.settings.statuses.get(str(document.status)) not in SENT:
                try:
                    await client.cancel_order(document.order_id)
                    continue
                except Unauthorised:
                    raise
                except Rejected as refusal:
                    held = await client.get_order(document.order_id)
                    if merchant.settings.statuses.get(str(held.status)) == "cancelled":
                        continue  # an earlier attempt, whose answer was lost, has cancelled it
                    why = str(refusal)
            async with self._database.merchant(key.merchant) as session:
                await answer_cancel(session, key, TOO_LATE)
                await self._flag(session, key, "too-late-to-cancel", f"sales order {key.number}: {why}")

    @staticmethod
    async def _flag(session: Session, key: OrderKey, code: str, detail: str) -> None:
        """Note for a person what does not hold the order up."""
        await open_exception(session, key.merchant, counters.SALES_ORDER, key.number, code, detail, False)

    async def _state(self, session: Session, merchant: Merchant, key: OrderKey, just_looked: bool = False) -> OrderState:
        return await order_state(session, merchant, key, self._rules.patience.total_seconds(), just_looked)


def _check(order: OrderDocument, merchant: Merchant) -> None:
    """What can be known to be wrong before anything is sent, each with the row it is about."""
    if not order.lines:
        raise Refused("order-without-lines", f"sales order {order.number} has no lines")
    for line in order.lines:
        if line.stock_article is None:
            raise Refused(
                "unknown-article",
                f"sales order {order.number} line {line.line_number}: article {line.article_number} is not in erp.article",
            )
    if order.address is None:
        raise Refused("missing-address", f"sales order {order.number}: delivery address lacks {', '.join(order.missing)}")
    _codes_of(order, merchant.settings)
    if merchant.settings.is_invoiced(order.order_type):
        check_billing(order, merchant)


def _wrong(order: OrderDocument, merchant: Merchant) -> Refused | None:
    try:
        _check(order, merchant)
    except Refused as wrong:
        return wrong
    if not order.stock_lines and order.sent.mark is not None:
        return Refused("order-without-lines", f"sales order {order.number} has no stock lines left: cancel it instead")
    return None


async def _ask(client: OngoingClient, look: Look, key: OrderKey) -> GetOrder:
    try:
        held = await client.get_order(look.doc_id)
    except NotFound:
        raise LookAgain(f"the warehouse does not find document {look.doc_id} of sales order {key.number}") from None
    if held.order_id != look.doc_id:
        raise LookAgain(f"asked for document {look.doc_id}, answered with {held.order_id}")
    return held


async def _counted(
    session: Session, merchant: str, order: OrderDocument, held: Sequence[GetOrder]
) -> tuple[list[CountedLine], Refused | None]:
    """The lines as the warehouse counts them. A line of an article that the ERP lacks is left out, and said."""
    ours = {str(line.line_number): line for line in order.lines}
    seen: list[CountedLine] = []
    strangers: list[tuple[GetOrder, GetOrderLine]] = []
    for document in held:
        for line in document.lines:
            match = ours.get(line.row_number or "")
            is_ours = match is not None and match.article_number == line.article_number
            for leaf in line.leaves:
                if leaf is line and is_ours and match is not None:
                    seen.append(_line(document, line, match.line_number, moves_stock=not line.components))
                else:
                    strangers.append((document, leaf))
            if line.components and is_ours and match is not None:
                seen.append(_line(document, line, match.line_number, moves_stock=False))
    refusal = None
    if strangers:
        known = await stock_articles(session, merchant, [line.article_number for _, line in strangers])
        for document, line in strangers:
            if line.article_number in known:
                seen.append(_line(document, line, None, moves_stock=known[line.article_number]))
            elif believable(line.picked, f"line {line.line_id} picked"):
                text = f"sales order {order.number}: the warehouse moved article {line.article_number}, not in erp.article"
                refusal = Refused("article-not-in-erp", text)
    return seen, refusal


def _line(document: GetOrder, line: GetOrderLine, line_number: int | None, moves_stock: bool) -> CountedLine:
    return CountedLine(
        (document.order_id, line.line_id),
        line_number,
        line.article_number,
        line.ordered or ZERO,
        believable(line.picked, f"line {line.line_id} picked"),
        line.reported,
        moves_stock,
        line.picked_at,
    )


def _complete(document: GetOrder, owed: dict[Line, Decimal]) -> bool:
    """Picked in full, every line of it owed as it is picked: then "all that is picked" is what we would say line by line."""
    lines = [counted for line in document.lines for counted in line.counted]
    in_full = all(line.picked is not None and line.picked >= (line.ordered or ZERO) for line in lines)
    return len(lines) > 1 and in_full and all(owed.get((document.order_id, line.line_id)) == line.picked for line in lines)


def _forget_dropped_lines(watched: Watched, order: OrderDocument, seen: Sequence[CountedLine]) -> None:
    """A line that the ERP has dropped and that was never picked need not be there any more: its absence says nothing."""
    ours = {line.line_number for line in order.lines}
    there = {line.line for line in seen}
    for line, counter in list(watched.counters.items()):
        number = watched.line_numbers[line]
        if number is not None and number not in ours and counter.step == 0 and line not in there:
            del watched.counters[line]


def _kept_after_cancel(order: OrderDocument, seen: Sequence[CountedLine], meanings: dict[int, str]) -> bool:
    """Goods that are picked on a document that is cancelled, by the warehouse or by us."""
    return any(
        line.picked and (meanings.get(line.line[0]) == "cancelled" or order.status == CANCELLED) and line.moves_stock
        for line in seen
    )


def _doubted(watched: Watched, line: Line, settled: Sequence[Line]) -> bool:
    counter = watched.counters.get(line)
    return counter is not None and counter.doubt is not None and line not in settled


def _due(
    merchant: Merchant,
    watched: Watched,
    seen: Sequence[CountedLine],
    after: dict[Line, Decimal],
    held: Sequence[GetOrder],
    meanings: dict[int, str],
) -> ToShip | None:
    """What of the booked quantities is due to be shipped now, by the merchant's rule.

    On a cancelled document only what came back is due: what was picked all the same waits for a person, and so does its invoice.
    """
    at_once = merchant.settings.ship_when == "picked"
    cancelled = {doc_id for doc_id, meaning in meanings.items() if meaning == "cancelled"}
    gone = {doc_id for doc_id, meaning in meanings.items() if at_once or meaning in SENT} | cancelled
    shipped_at = max((d.shipped_time for d in held if d.order_id in gone and d.shipped_time), default=watched.now)
    counted = [
        (
            line.line,
            line.line_number,
            after.get(line.line, watched.counters[line.line].booked if line.line in watched.counters else ZERO),
            watched.shipped.get(line.line, ZERO),
        )
        for line in seen
        if line.line_number is not None and line.line[0] in gone
    ]
    counted = [row for row in counted if row[0][0] not in cancelled or row[2] < row[3]]
    if all(booked <= shipped_before for _, _, booked, shipped_before in counted):
        shipped_at = watched.now  # what comes back is dated when it was seen, not when the goods once left
    return due("at-once" if at_once else "sent", shipped_at, counted)


def _other_version(merchant: Merchant, order: OrderDocument, held: Sequence[GetOrder]) -> bool:
    """Whether the order's document carries another mark than what the warehouse took last: a late request has arrived, or the
    answer to the last one never did. A cancelled document is left as it is, and so is one that is to be cancelled."""
    if order.sent.mark is None or order.cancel_wanted:
        return False
    return any(
        document.order_number == order.number
        and is_ours(document, order.number)
        and document.goods_owner_order_id != order.sent.mark
        and merchant.settings.statuses.get(str(document.status)) != "cancelled"
        for document in held
    )


def _to_stop(order: OrderDocument, held: Sequence[GetOrder], meanings: dict[int, str]) -> list[GetOrder]:
    """What the ERP wants cancelled and is not: the documents that have not been sent, or all where everything has."""
    if not order.cancel_wanted:
        return []
    live = [document for document in held if meanings.get(document.order_id) not in SENT | {"cancelled"}]
    return live or [d for d in held if all(m in SENT for m in meanings.values()) and order.cancel_answer is None]


def _difference(order: OrderDocument, held: GetOrder) -> Exception | None:
    """What the warehouse holds must be what we sent, line by line; None when it is."""
    wanted = {str(line.line_number): (line.article_number, line.quantity) for line in order.stock_lines}
    got = {line.row_number: (line.article_number, line.ordered) for line in held.lines}
    for row in got:
        if row not in wanted:
            text = f"sales order {order.number}: the warehouse holds line {row}, which we did not send"
            return Refused("order-differs", text)
    for row, line in wanted.items():
        if row not in got:
            return LookAgain(f"sales order {order.number}: line {row} is not in the warehouse yet")
        if got[row] != line:
            text = (
                f"sales order {order.number} line {row}: the warehouse holds {got[row][1]} of {got[row][0]}, sent were "
                f"{line[1]} of {line[0]}"
            )
            return Refused("order-differs", text)
    return None


def _codes_of(order: OrderDocument, settings: MerchantSettings) -> tuple[str | None, str | None, Transporter | None]:
    """Type, way of delivery and transporter in the warehouse's words; refuses a code of ours that the mapping lacks."""
    what = f"sales order {order.number}"
    order_type = settings.order_type(order.order_type, what)["code"]
    if not order.way_of_delivery:
        return order_type, None, None
    way = settings.way_of_delivery(order.way_of_delivery, what)
    if "transporter" not in way:
        return order_type, way["code"], None
    carrier = settings.transporters[way["transporter"]]
    service = carrier.get("services", {})[way["service"]] if "service" in way else None
    return order_type, way["code"], Transporter(transporter_code=carrier["code"], transporter_service_code=service)


def to_ongoing_order(order: OrderDocument, settings: MerchantSettings) -> PostOrder:
    """Translate: only lines that the warehouse handles, our codes by the merchant's mapping; prices and VAT stay at home."""
    address = order.address
    assert address is not None  # _check has refused it
    order_type, way_of_delivery, transporter = _codes_of(order, settings)
    return PostOrder(
        order_number=order.number,
        goods_owner_order_id=our_mark(order),
        delivery_date=order.delivery_date or order.order_date,
        reference_number=order.your_reference,
        order_remark=order.note,
        delivery_instruction=order.delivery_instruction,
        order_type=order_type,
        way_of_delivery=way_of_delivery,
        transporter=transporter,
        consignee=Consignee(
            customer_number=order.customer_number,
            name=address.name,
            address1=address.address1,
            address2=address.address2,
            post_code=address.post_code,
            city=address.city,
            country_code=address.country,
        ),
        email=address.email,
        phone=address.phone,
        order_lines=[
            PostOrderLine(row_number=str(line.line_number), article_number=line.article_number, number_of_items=line.quantity)
            for line in order.stock_lines
        ],
    )
