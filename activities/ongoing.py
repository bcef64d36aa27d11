"""What we ask of the warehouse. Each method is safe to repeat, at any time, by several workers at once.

An order is sent as an upsert by our number and read back; what the warehouse has done is read from its counters and booked
under our own locks. Our version of an order travels in `goodsOwnerOrderId`, so that a document that we did not make, or an
older one that came back, is recognised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from temporalio import activity

from activities.articles import send_articles
from activities.connections import Connections
from activities.errors import Waiting
from clients.errors import NotFound, Rejected, Unauthorised, Unavailable
from clients.ongoing import Consignee, GetOrder, GetOrderLine, OngoingClient, PostOrder, PostOrderLine
from domain.counting import Line, believable
from domain.errors import LookAgain, Refused
from domain.keys import OrderKey, OrderState
from domain.merchant import SENT
from domain.money import ZERO
from domain.stock import Movement, move_stock
from erp import counters, ledger
from erp.articles import stock_articles, unsent_articles
from erp.counters import CountedLine, Look, Watched
from erp.database import Database, Session
from erp.exceptions import open_exception
from erp.links import Link, links, save_link
from erp.merchants import Merchant
from erp.orders import CANCELLED, OrderDocument, end_process, load_order, lock_order, move_status, order_state
from erp.shipping import ToShip, check_billing, close_shipment, due

SYSTEM = "ongoing"


@dataclass(frozen=True, slots=True)
class Rules:
    """Timings of a worker: `patience` is how long a decrease must stand; `unclear` how long a request may live."""

    patience: timedelta
    unclear: timedelta
    code_version: str


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
        sent or billed, and never sends such an order at all.
        """
        async with self._connections.using(key.merchant) as (merchant, client):
            async with self._database.merchant(key.merchant) as session:
                order = await load_order(session, key)
                link = (await links(session, key.merchant, SYSTEM, "sales-order", [key.number])).get(key.number)
                if link and link.confirmed and link.sent_version == order.version:
                    return await self._state(session, merchant, key)
                unwanted = order.cancel_requested and link is None and order.status == "released"
                if not unwanted:
                    _check(order, merchant)
                    if not order.stock_lines:
                        return await self._ship_services(session, merchant, order, key)
                    unsent = await unsent_articles(session, key.merchant, [line.article_number for line in order.stock_lines])
            if unwanted:
                return await self._cancel_unsent(client, merchant, order, key)
            await send_articles(self._database, client, key.merchant, unsent, self._rules.unclear, activity.heartbeat)
            try:
                held = await self._put(client, order, link, fresh_articles=bool(unsent))
            except Refused as refusal:
                if link is None:
                    raise
                # The warehouse has begun: the ERP is told, and the order goes on true to what the warehouse does.
                async with self._database.merchant(key.merchant) as session:
                    await self._flag(session, key, refusal.code, f"change not taken: {refusal}")
                return OrderState(order.status, look_after=0.0)
            wrong = _difference(order, held)
            async with self._database.merchant(key.merchant) as session:
                await self._watch(session, merchant, key, order, held, confirmed=wrong is None)
                if wrong is None:
                    return await self._state(session, merchant, key)
            raise wrong

    async def _cancel_unsent(self, client: OngoingClient, merchant: Merchant, order: OrderDocument, key: OrderKey) -> OrderState:
        """Cancel an order that we have no answer for: perhaps an earlier attempt arrived all the same."""
        held = await client.find_order(order.number)
        if held and _is_ours(held, order.number):
            async with self._database.merchant(key.merchant) as session:
                await self._watch(session, merchant, key, order, held, confirmed=False)
            return await self._cancel_watched(client, merchant, key)
        async with self._database.merchant(key.merchant) as session:
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
        await counters.watch(session, key.merchant, key.number, held.order_id, merchant.settings.watch_days, held.status)

    async def _ship_services(self, session: Session, merchant: Merchant, order: OrderDocument, key: OrderKey) -> OrderState:
        """An order of services only never meets the warehouse: it is shipped, and billed, as it stands."""
        state = await self._state(session, merchant, key)
        if not state.to_invoice and state.outcome is None:
            quantities = {line.line_number: line.quantity for line in order.lines}
            await close_shipment(session, merchant, order, ToShip("at-once", datetime.now(UTC), quantities, []))
            state = await self._state(session, merchant, key)
        return state

    async def _put(self, client: OngoingClient, order: OrderDocument, link: Link | None, fresh_articles: bool) -> GetOrder:
        """PUT, unless the warehouse already holds this version; then read back what it holds."""
        held = await client.get_order(int(link.their_id)) if link else await client.find_order(order.number)
        if held and not _is_ours(held, order.number):
            raise Refused("foreign-order-number", f"the warehouse holds an order {order.number} that is not ours")
        if held and held.goods_owner_order_id == our_mark(order):
            return held
        try:
            order_id = await client.put_order(to_ongoing_order(order))
        except Unauthorised:
            raise
        except Rejected as refusal:
            if fresh_articles:
                raise Waiting("order-refused", f"sales order {order.number}: {refusal}", 3.0) from None
            raise Refused("order-refused", f"sales order {order.number}: {refusal}") from None
        return await client.get_order(order_id)

    # --- looking ------------------------------------------------------------------------------------------------------

    @activity.defn
    async def look_at_sales_order(self, key: OrderKey) -> OrderState:
        """Book what the warehouse has done since we last looked, tell it so, and say what the order owes.

        The answer is read from the tables: after a lost answer the repeat still finds the invoice that is owed. What
        cannot be billed is refused only after the stock that moved has been booked.
        """
        async with self._connections.using(key.merchant) as (merchant, client):
            return await self._look(client, merchant, key)

    async def _look(self, client: OngoingClient, merchant: Merchant, key: OrderKey) -> OrderState:
        async with self._database.merchant(key.merchant) as session:
            looks = await counters.begin_look(session, key.merchant, key.number)
            if not looks:
                return await self._state(session, merchant, key)
        held = [await _ask(client, look, key) for look in looks]
        back_orders = await self._back_orders(client, merchant, key, held)
        if back_orders:
            raise Waiting("unclear-answer", f"sales order {key.number} has a back order", 0.1)
        state, refusal, owed = await self._book(merchant, key, looks, held)
        if refusal:
            raise refusal
        return await self._report(client, merchant, key, held, owed, state) if owed else state

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

    async def _book(
        self, merchant: Merchant, key: OrderKey, looks: Sequence[Look], held: Sequence[GetOrder]
    ) -> tuple[OrderState, Refused | None, list[tuple[Line, Decimal]]]:
        refusal: Refused | None = None
        async with self._database.merchant(key.merchant) as session:
            await lock_order(session, key)
            watched = await counters.lock(session, key.merchant, key.number, looks)
            if watched.outran:
                raise Waiting("unclear-answer", f"sales order {key.number}: another look was booked meanwhile", 0.2)
            order = await load_order(session, key)
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
                await self._move_stock(session, merchant, key, movements)
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
            )
            if refusal:
                return OrderState(order.status), refusal, owed
            if "error" in meanings.values():
                text = f"the warehouse has set sales order {key.number} to its error status"
                return OrderState(order.status), Refused("order-error-at-warehouse", text), owed
            return await self._state(session, merchant, key, just_looked=True), None, owed

    async def _move_stock(self, session: Session, merchant: Merchant, key: OrderKey, movements: Sequence[Movement]) -> None:
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
            merchant.settings.stock_accounts,
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
        """Ask the warehouse to stop the order, and read back whether it has. Too late is a state, not an error."""
        async with self._connections.using(key.merchant) as (merchant, client):
            return await self._cancel_watched(client, merchant, key)

    async def _cancel_watched(self, client: OngoingClient, merchant: Merchant, key: OrderKey) -> OrderState:
        async with self._database.merchant(key.merchant) as session:
            looks = await counters.begin_look(session, key.merchant, key.number)
        for look in looks:
            try:
                await client.cancel_order(look.doc_id)
            except Unauthorised:
                raise
            except Rejected as refusal:
                held = await client.get_order(look.doc_id)
                if merchant.settings.statuses.get(str(held.status)) == "cancelled":
                    continue  # an earlier attempt, whose answer was lost, has cancelled it
                async with self._database.merchant(key.merchant) as session:
                    await self._flag(session, key, "too-late-to-cancel", f"sales order {key.number}: {refusal}")
        return await self._look(client, merchant, key)

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
    check_billing(order, merchant)


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


def our_mark(order: OrderDocument) -> str:
    """What travels in `goodsOwnerOrderId`: whose order it is and which version."""
    return f"lagerbro/{order.number}/v{order.version}"


def _is_ours(held: GetOrder, number: str) -> bool:
    return (held.goods_owner_order_id or "").startswith(f"lagerbro/{number}/v")


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


def to_ongoing_order(order: OrderDocument) -> PostOrder:
    """Translate: only lines that the warehouse handles; prices and VAT stay at home."""
    address = order.address
    assert address is not None  # _check has refused it
    return PostOrder(
        order_number=order.number,
        goods_owner_order_id=our_mark(order),
        delivery_date=order.delivery_date or order.order_date,
        reference_number=order.your_reference,
        order_remark=order.note,
        delivery_instruction=order.delivery_instruction,
        way_of_delivery=order.way_of_delivery,
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
