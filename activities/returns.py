"""Returns, between the warehouse and our books. Each method is safe to repeat, at any time, by several workers at once.

What came back is read from the counters of the order's own lines and booked under the same fence as picks. A return order over
there announces, groups and explains; it is never booked from, so that what it shows beside the order is not booked twice.
Stock follows what happened; money waits, and says for whom.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from temporalio import activity

from activities.connections import Connections
from activities.errors import Waiting
from activities.ongoing import SYSTEM, Rules
from clients.errors import NotFound, Rejected, Unauthorised, Unavailable
from clients.ongoing import Cause, GetOrder, GetReturnOrder, OngoingClient, PostReturnLine, PostReturnOrder
from domain.counting import Line, Plan, believable
from domain.crediting import Credit, credit_bases, creditable
from domain.errors import LookAgain, Refused
from domain.flows import ORDERS_BACK
from domain.keys import Decision, OrderKey, ReturnKey, ReturnState
from domain.money import ZERO
from domain.returns import SCRAPPED, Graded, Reason, ReturnMovement, attributed, grade_of, graded, move_returns
from erp import counters, ledger, returns, watching
from erp.articles import stock_articles
from erp.bases import invoiced_outside
from erp.counters import RETURNED, CountedLine, Look, Watched
from erp.database import Database, Session
from erp.exceptions import open_exception
from erp.links import links, save_link
from erp.merchants import Merchant, utc_now
from erp.orders import OrderDocument, load_order, lock_order
from erp.returns import CANCELLED, Came, ReturnDocument, Sale, Standing

WAIT_FOR_INVOICE = 2.0


@dataclass(frozen=True, slots=True)
class Held:
    """The order's documents and its return orders, as the warehouse has them."""

    orders: Sequence[GetOrder]
    returns: Sequence[GetReturnOrder]


class Returns:
    """The warehouse's side of a return, and what it makes owed."""

    def __init__(self, database: Database, connections: Connections[OngoingClient], rules: Rules) -> None:
        self._database = database
        self._connections = connections
        self._rules = rules

    # --- announcing ---------------------------------------------------------------------------------------------------

    @activity.defn
    async def announce_return(self, key: ReturnKey) -> ReturnState:
        """Make the warehouse expect the return as the ERP has it. What was seen there, or comes without goods, is only looked at.

        A repeat finds what is there. Refuses what cannot be announced; goods that come all the same are booked.
        """
        async with self._connections.using(key.merchant, ORDERS_BACK) as (merchant, client):
            async with self._database.merchant(key.merchant) as session:
                document = await returns.load_return(session, key.merchant, key.number)
                link = (await links(session, key.merchant, SYSTEM, "return", [key.number])).get(key.number)
                order_links = await links(session, key.merchant, SYSTEM, "sales-order", [document.order_number])
            if document.cancel_requested and document.status == "announced":
                return await self._cancel(client, merchant, key, document)
            if document.origin == "announced" and not (link and link.confirmed and link.sent_version == document.version):
                try:
                    await self._put(client, key, document, order_links)
                except Refused:
                    await self._look(client, merchant, key)  # goods that came all the same are booked, whatever is wrong here
                    raise
            return await self._look(client, merchant, key)

    async def _put(
        self, client: OngoingClient, key: ReturnKey, document: ReturnDocument, order_links: Mapping[str, object]
    ) -> None:
        """PUT, then read back what the warehouse holds."""
        if not document.lines:
            raise Refused("return-without-lines", f"return {key.number} has no lines")
        if document.order_number not in order_links:
            text = f"return {key.number}: the warehouse has never had sales order {document.order_number}"
            raise Refused("return-of-unsent-order", text)
        order = await client.find_order(document.order_number)
        if order is None:
            raise LookAgain(f"the warehouse does not find sales order {document.order_number}")
        line_ids = {line.row_number: line.line_id for line in order.lines}
        held = await client.find_return_order(key.number)
        if held is not None and held.order_id != order.order_id:
            text = f"the warehouse holds a return order {key.number} for order {held.order_number}, not {document.order_number}"
            raise Refused("foreign-return-number", text)
        for line in document.lines:
            if str(line.line_number) not in line_ids:
                text = f"return {key.number}: sales order {document.order_number} has no line {line.line_number} in the warehouse"
                raise Refused("return-of-unsent-order", text)
        wanted = {str(line.line_number): (line_ids[str(line.line_number)], line.quantity) for line in document.lines}
        if held is None or _lines_of(held) != wanted:
            try:
                return_id = await client.put_return_order(_to_ongoing(document, order, line_ids))
            except Unauthorised:
                raise
            except Rejected as refusal:
                if held is None and await client.find_return_order(key.number):
                    raise LookAgain(f"an earlier request has made the warehouse's return {key.number} meanwhile") from None
                raise Refused("return-refused", f"return {key.number}: {refusal}") from None
            held = await client.get_return_order(return_id)
        if _lines_of(held) != wanted:
            raise Refused("return-differs", f"return {key.number}: the warehouse holds {_lines_of(held)}, sent were {wanted}")
        async with self._database.merchant(key.merchant) as session:
            their_id = str(held.return_order_id)
            await save_link(session, key.merchant, SYSTEM, "return", key.number, their_id, sent_version=document.version)
            if document.status == "announced":
                await returns.move_return(session, key.merchant, key.number, "at-warehouse")

    # --- cancelling ---------------------------------------------------------------------------------------------------

    @activity.defn
    async def cancel_return(self, key: ReturnKey) -> ReturnState:
        """Ask the warehouse to expect the return no more. Too late is a state, not an error."""
        async with self._connections.using(key.merchant, ORDERS_BACK) as (merchant, client):
            async with self._database.merchant(key.merchant) as session:
                document = await returns.load_return(session, key.merchant, key.number)
            return await self._cancel(client, merchant, key, document)

    async def _cancel(self, client: OngoingClient, merchant: Merchant, key: ReturnKey, document: ReturnDocument) -> ReturnState:
        """A return order of that number for another order is somebody else's: it is left alone."""
        held = await client.find_return_order(key.number) if document.origin == "announced" else None
        if held is not None:
            async with self._database.merchant(key.merchant) as session:
                order = (await links(session, key.merchant, SYSTEM, "sales-order", [document.order_number])).get(
                    document.order_number
                )
            if order is None or held.order_id != int(order.their_id):
                held = None
        if held is not None and merchant.settings.return_statuses.get(str(held.status)) != "cancelled":
            try:
                await client.cancel_return_order(held.return_order_id)
            except Unauthorised:
                raise
            except Rejected as refusal:
                again = await client.get_return_order(held.return_order_id)
                if merchant.settings.return_statuses.get(str(again.status)) != "cancelled":
                    async with self._database.merchant(key.merchant) as session:
                        text = f"return {key.number}: {refusal}"
                        await open_exception(
                            session, key.merchant, returns.RETURN, key.number, "too-late-to-cancel-return", text, False
                        )
        if document.origin == "credit":
            async with self._database.merchant(key.merchant) as session:
                await lock_order(session, OrderKey(key.merchant, document.order_number))
                if not await returns.has_credit(session, key.merchant, key.number):
                    return await returns.end_return(session, key, CANCELLED)
        state = await self._look(client, merchant, key)
        if held is None and document.origin == "announced" and state.outcome is None:
            async with self._database.merchant(key.merchant) as session:
                await lock_order(session, OrderKey(key.merchant, document.order_number))
                if not (await returns.standing(session, key.merchant, document)).came:
                    return await returns.end_return(session, key, CANCELLED)
        return state

    @activity.defn
    async def settle_without_credit(self, decision: Decision) -> None:
        """A person decides that what came back on this return is not credited: an exchange, a claim. It leaves an audit row."""
        async with self._database.merchant(decision.merchant) as session:
            await returns.settle_without_credit(session, decision.merchant, decision.number, decision.by, decision.reason)

    # --- looking ------------------------------------------------------------------------------------------------------

    @activity.defn
    async def look_at_return(self, key: ReturnKey) -> ReturnState:
        """Book what has come back on the order, tell the warehouse so, and say what the return owes.

        Everything that came back on the order is booked, also what belongs to its other returns; those are nudged. Credits
        are written for this return alone. What cannot be credited is refused only after the stock has been booked.
        """
        async with self._connections.using(key.merchant, ORDERS_BACK) as (merchant, client):
            return await self._look(client, merchant, key)

    async def _look(self, client: OngoingClient, merchant: Merchant, key: ReturnKey) -> ReturnState:
        async with self._database.merchant(key.merchant) as session:
            document = await returns.load_return(session, key.merchant, key.number)
            looks = []
            if document.origin != "credit":
                looks = await counters.begin_look(session, key.merchant, document.order_number)
        held = await _ask(client, looks, document)
        await self._picks_first(key, document, held)
        waits, refusal, owed, doubted = await self._book(merchant, key, document, looks, held)
        if owed:
            await self._report(client, key, owed)
        async with self._database.merchant(key.merchant) as session:
            await lock_order(session, OrderKey(key.merchant, document.order_number))
            if (await returns.load_return(session, key.merchant, key.number)).status == CANCELLED:
                return await returns.end_return(session, key, CANCELLED)
            state = await returns.return_state(
                session, key, self._rules.patience.total_seconds(), returns.PATIENCE if refusal else waits
            )
        if refusal and not state.to_credit and not doubted:
            raise refusal
        return state

    async def _picks_first(self, key: ReturnKey, document: ReturnDocument, held: Held) -> None:
        """What comes back must have left in our books first, or it could not come back at its cost: the order is told to look."""
        shown = {
            (order.order_id, line.line_id): (line.picked or ZERO, line.returned or ZERO)
            for order in held.orders
            for each in order.lines
            for line in each.counted
        }
        async with self._database.merchant(key.merchant) as session:
            booked = await counters.booked(session, key.merchant, [order.order_id for order in held.orders])
            behind = {
                line[0]: document.order_number
                for line, (picked, back) in shown.items()
                if back > booked.get(line, ZERO) and picked > booked.get(line, ZERO)
            }
            await watching.nudge(session, key.merchant, "return", behind)
        if behind:
            text = f"return {key.number}: picks of sales order {document.order_number} are to be booked first"
            raise Waiting("unclear-answer", text, 0.5)

    async def _book(
        self, merchant: Merchant, key: ReturnKey, document: ReturnDocument, looks: Sequence[Look], held: Held
    ) -> tuple[float | None, Refused | None, list[tuple[Line, Decimal]], bool]:
        """Goods, then the return's status, then its money.

        Returns seconds to wait, a refusal, what to report, and whether a doubt is open, which comes before any refusal.
        """
        async with self._database.merchant(key.merchant) as session:
            await lock_order(session, OrderKey(key.merchant, document.order_number))
            document = await returns.load_return(session, key.merchant, key.number)  # as it is now, under the lock
            refusal: Refused | None = None
            owed: list[tuple[Line, Decimal]] = []
            doubted = False
            if looks:
                order = await load_order(session, OrderKey(key.merchant, document.order_number))
                watched = await counters.lock(session, key.merchant, document.order_number, looks, RETURNED)
                if watched.outran:
                    raise Waiting("unclear-answer", f"return {key.number}: another look was booked meanwhile", 0.2)
                refusal, owed, doubted = await self._book_goods(session, merchant, key, document, order, watched, looks, held)
            refusal = await self._follow_status(session, merchant, key, document, held) or refusal
            document = await returns.load_return(session, key.merchant, key.number)
            waits = None
            try:
                waits = await self._settle(session, merchant, document)
            except Refused as cannot_credit:
                refusal = refusal or cannot_credit
            return waits, refusal, owed, doubted

    async def _book_goods(
        self,
        session: Session,
        merchant: Merchant,
        key: ReturnKey,
        document: ReturnDocument,
        order: OrderDocument,
        watched: Watched,
        looks: Sequence[Look],
        held: Held,
    ) -> tuple[Refused | None, list[tuple[Line, Decimal]], bool]:
        seen, refusal = await _counted(session, key.merchant, order, watched, held.orders)
        plan = await counters.book(session, key.merchant, watched, seen, looks, self._rules.patience, RETURNED)
        by_line = {line.line: line for line in seen}
        if plan.steps:
            await self._move(session, merchant, key, document, order.order_type, watched, plan, by_line, held)
        await counters.draw_fence_only(session, key.merchant, document.order_number)
        after = {step.line: step.to_value for step in plan.steps}
        owed = []
        for line in seen:
            counter = watched.counters.get(line.line)
            booked = after.get(line.line, counter.booked if counter else ZERO)
            doubted = counter is not None and counter.doubt is not None and line.line not in plan.settled
            if booked != (line.reported or ZERO) and line.line not in plan.doubted and not doubted:
                owed.append((line.line, booked))
        return refusal, owed, plan.open_doubts

    async def _move(
        self,
        session: Session,
        merchant: Merchant,
        key: ReturnKey,
        document: ReturnDocument,
        order_type: str,
        watched: Watched,
        plan: Plan,
        by_line: Mapping[Line, CountedLine],
        held: Held,
    ) -> None:
        """Stock entries, what came back piece by piece, and whose return it is. Goods come back from where they were laid."""
        causes, unstated = merchant.settings.return_causes, merchant.settings.return_grade_unstated
        listed = _reasons(held, causes, unstated)
        booked = await returns.booked_reasons(session, key.merchant, [order.order_id for order in held.orders])
        parts = {
            step.line: graded(
                step.quantity,
                listed.get(step.line, {}),
                booked.get(step.line, {}),
                (None, grade_of(None, False, causes, unstated)),
            )
            for step in plan.steps
        }
        movements = [
            ReturnMovement(
                step,
                (by_line[step.line].article_number, merchant.settings.warehouse),
                at := by_line[step.line].picked_at or watched.now,
                merchant.day_of(at),
                parts[step.line],
            )
            for step in sorted(plan.steps, key=lambda step: (by_line[step.line].article_number, step.line))
            if by_line[step.line].moves_stock
        ]
        surplus: dict[Line, Decimal] = {}
        if movements:
            lines = [movement.step.line for movement in movements]
            pools = await ledger.lock_pools(session, key.merchant, [movement.place for movement in movements])
            picks = await ledger.earlier_entries(session, key.merchant, lines)
            undone = await ledger.earlier_returns(session, key.merchant, lines)
            entries, after, surplus = move_returns(movements, pools, picks, undone)
            await ledger.append(
                session,
                key.merchant,
                entries,
                after,
                merchant.settings.accounts_for(order_type),
                merchant.currency,
                document=f"{returns.RETURN}/{key.number}",
                reason="returned to the warehouse",
                actor="lagerbro",
                code_version=self._rules.code_version,
                what=RETURNED,
            )
        shares = await self._share(session, key, document, plan, by_line, held)
        came = _whose(plan, by_line, parts, shares, key.number, watched)
        await returns.record_goods(session, key.merchant, document.order_number, came)
        await returns.nudge(session, key.merchant, list({each.return_number for each in came} - {key.number}))
        for owner in sorted({each.return_number for each in came if each.goods.quantity < 0}):
            undone_of = await returns.load_return(session, key.merchant, owner)  # it may have ended long ago
            await _note_undone(session, key.merchant, owner, await returns.standing(session, key.merchant, undone_of))
        for line, quantity in surplus.items():
            number = by_line[line].line_number
            text = f"return {key.number}: {quantity.normalize():f} more of article {by_line[line].article_number}"
            text += f" came back than was picked, line {number or 'unknown'} of sales order {document.order_number}"
            await open_exception(session, key.merchant, returns.RETURN, key.number, "returned-more-than-sent", text, False)
        for step in plan.steps:
            if by_line[step.line].line_number is None and not _is_component(held.orders, step.line):
                text = (
                    f"return {key.number}: article {by_line[step.line].article_number} came back on line {step.line[1]}, not ours"
                )
                await open_exception(session, key.merchant, returns.RETURN, key.number, "return-not-ours", text, False)

    async def _share(
        self,
        session: Session,
        key: ReturnKey,
        document: ReturnDocument,
        plan: Plan,
        by_line: Mapping[Line, CountedLine],
        held: Held,
    ) -> dict[tuple[str, int], Decimal]:
        """To which return each piece belongs; for what nobody announced there is one, or one is opened."""
        arrived: dict[int, Decimal] = {}
        for step in plan.steps:
            number = by_line[step.line].line_number
            if number is not None:
                arrived[number] = arrived.get(number, ZERO) + step.quantity
        rows = {
            (order.order_id, line.line_id): by_line[order.order_id, line.line_id].line_number
            for order in held.orders
            for line in order.lines
            if (order.order_id, line.line_id) in by_line
        }
        counted: dict[tuple[str, int], Decimal] = {}
        for back in held.returns:
            for line in back.lines:
                number = rows.get((back.order_id or 0, line.order_line_id or 0))
                if number is not None and line.returned is not None and back.return_order_number:
                    at = (back.return_order_number, number)
                    counted[at] = counted.get(at, ZERO) + line.returned
        announced, seen = await returns.expecting(session, key.merchant, document.order_number, counted)
        sofar = await returns.attributed_so_far(session, key.merchant, document.order_number)
        shares = attributed(arrived, announced, sofar, seen or "")
        if any(number == "" for number, _ in shares):
            opened = await returns.open_seen(session, key.merchant, document.order_number)
            shares = {(number or opened, line): quantity for (number, line), quantity in shares.items()}
        return shares

    async def _follow_status(
        self, session: Session, merchant: Merchant, key: ReturnKey, document: ReturnDocument, held: Held
    ) -> Refused | None:
        """Move the return's status after what the warehouse says and what has come."""
        if document.origin != "announced" or document.status in (CANCELLED, "completed"):
            return None
        came = (await returns.standing(session, key.merchant, document)).came
        mine = next((back for back in held.returns if back.return_order_number == key.number), None)
        all_of_it = bool(document.lines) and all(came.get(line.line_number, ZERO) >= line.quantity for line in document.lines)
        try:
            meaning = merchant.settings.return_meaning(mine.status) if mine else "notified"
        except Refused as unknown:
            return unknown
        if meaning == "cancelled" and not any(came.values()):
            await returns.move_return(session, key.merchant, key.number, CANCELLED)
        elif meaning in ("returned", "cancelled") or all_of_it:
            behind = mine is not None and any(
                (line.returned or ZERO) > came.get(int(line.row_number or 0), ZERO)
                for line in mine.lines
                if (line.row_number or "").isdigit()
            )
            await returns.move_return(session, key.merchant, key.number, "part-returned" if behind else "returned")
        elif any(came.values()):
            await returns.move_return(session, key.merchant, key.number, "part-returned")
        return None

    # --- money --------------------------------------------------------------------------------------------------------

    async def _settle(self, session: Session, merchant: Merchant, document: ReturnDocument) -> float | None:
        """Write the credits that are due for this return; returns seconds to wait when it is too early to know.

        Refuses, after crediting what can be, what a person must decide.
        """
        if document.status in ("draft", CANCELLED, "completed"):
            return None
        who, number = merchant.merchant_id, document.number
        stand = await returns.standing(session, who, document)
        await _note_undone(session, who, number, stand)
        owed = stand.owed
        if not document.credit:
            for line, quantity in owed.items():
                await returns.settle(session, who, number, line, quantity, "without-credit")
            return None
        if not owed and document.credit_freight is not True:
            return None
        known = merchant.settings.return_causes
        for cause in await returns.causes(session, who, number) if known and owed else []:
            if cause not in known:
                text = f"return {number}: goods came back for cause {cause!r}, which return_causes does not know"
                raise Refused("unknown-return-cause", text)
        what = await returns.sale(session, who, document.order_number)
        if what.unbooked:
            return WAIT_FOR_INVOICE
        if document.origin == "credit":
            await self._write(session, merchant, document, what, owed)
            return None
        wanted = {line: min(quantity, creditable(what.invoices, line)) for line, quantity in owed.items()}
        if wanted != owed and what.unshipped:
            return WAIT_FOR_INVOICE
        await self._write(session, merchant, document, what, {line: quantity for line, quantity in wanted.items() if quantity})
        surplus = {line: quantity - wanted[line] for line, quantity in owed.items() if quantity > wanted[line]}
        outside = await invoiced_outside(session, who, document.order_number) if surplus else {}
        for line, quantity in surplus.items():
            if what.returned.get(line, ZERO) > what.delivered.get(line, ZERO):
                back, sent = what.returned[line].normalize(), what.delivered.get(line, ZERO).normalize()
                text = (
                    f"return {number} line {line} of sales order {document.order_number}: {back:f} are back, {sent:f} were sent"
                )
                text += f"; {quantity.normalize():f} are not credited"
                raise Refused("returned-more-than-sent", text)
            if line in outside:
                text = f"return {number} line {line} of sales order {document.order_number}: {quantity.normalize():f} came back"
                raise Refused("invoiced-outside", f"{text} whose invoice was made outside")
            await returns.settle(session, who, number, line, quantity, "not-invoiced")
        return None

    async def _write(
        self, session: Session, merchant: Merchant, document: ReturnDocument, what: Sale, wanted: Mapping[int, Decimal]
    ) -> None:
        with_the_last = merchant.settings.credit_freight == "with-the-last"
        credits: list[Credit] = credit_bases(what.invoices, wanted, document.credit_freight, with_the_last)
        credited: dict[int, Decimal] = {}
        for credit in credits:
            await returns.write_credit(session, merchant, document, what, credit, merchant.day_of(utc_now()))
            for row in credit.rows:
                if row.row.line_number is not None:
                    credited[row.row.line_number] = credited.get(row.row.line_number, ZERO) + row.quantity
        for line, quantity in wanted.items():
            if quantity > credited.get(line, ZERO):  # it cost nothing, so there is nothing to give back
                left = quantity - credited.get(line, ZERO)
                await returns.settle(session, merchant.merchant_id, document.number, line, left, "not-invoiced")

    # --- telling ------------------------------------------------------------------------------------------------------

    async def _report(self, client: OngoingClient, key: ReturnKey, owed: Sequence[tuple[Line, Decimal]]) -> None:
        """Tell the warehouse what we have booked, in absolute figures, after our commit. Untold is seen by the next look."""
        told: list[tuple[Line, Decimal]] = []
        try:
            for (doc_id, line_id), booked in owed:
                await client.report_returned_line(doc_id, line_id, booked)
                told.append(((doc_id, line_id), booked))
        except Unavailable:
            pass
        except Unauthorised:
            raise
        except Rejected as refusal:
            told = list(owed)  # our own books stand; what it refuses is not asked for ever
            async with self._database.merchant(key.merchant) as session:
                await open_exception(session, key.merchant, returns.RETURN, key.number, "report-refused", str(refusal), False)
        if told:
            async with self._database.merchant(key.merchant) as session:
                await counters.reported(session, key.merchant, told, RETURNED)


async def _note_undone(session: Session, merchant: str, number: str, stand: Standing) -> None:
    """Fewer are back than were settled: the money has gone, a person is told."""
    for line, settled in stand.settled.items():
        quantity = stand.came.get(line, ZERO)
        if quantity < settled:
            text = f"return {number} line {line}: {quantity.normalize():f} are back, {settled.normalize():f} settled"
            await open_exception(session, merchant, returns.RETURN, number, "return-undone-after-credit", text, False)


async def _ask(client: OngoingClient, looks: Sequence[Look], document: ReturnDocument) -> Held:
    """The order's documents first, its return orders after: those are never older than the counters that are booked."""
    orders = []
    for look in looks:
        try:
            orders.append(await client.get_order(look.doc_id))
        except NotFound:
            raise LookAgain(f"the warehouse does not find document {look.doc_id} of {document.order_number}") from None
    backs: list[GetReturnOrder] = []
    for number in sorted({order.order_number for order in orders if order.order_number}):
        backs += await client.return_orders_of(number)
    return Held(orders, backs)


async def _counted(
    session: Session, merchant: str, order: OrderDocument, watched: Watched, held: Sequence[GetOrder]
) -> tuple[list[CountedLine], Refused | None]:
    """The counters of returns of lines that have any, or had. Of an article that the ERP lacks nothing can be booked."""
    ours = {str(line.line_number): line for line in order.lines}
    strangers = [leaf.article_number for document in held for line in document.lines for leaf in line.leaves]
    known = await stock_articles(session, merchant, sorted(set(strangers)))
    seen: list[CountedLine] = []
    refusal = None
    for document in held:
        for line in document.lines:
            match = ours.get(line.row_number or "")
            number = match.line_number if match is not None and match.article_number == line.article_number else None
            for each in line.counted:
                at = (document.order_id, each.line_id)
                came = believable(each.returned, f"line {each.line_id} returned")
                if not came and at not in watched.counters:
                    continue
                if each.article_number not in known and not each.components:
                    text = f"sales order {order.number}: article {each.article_number} came back, not in erp.article"
                    refusal = Refused("article-not-in-erp", text)
                    continue
                seen.append(
                    CountedLine(
                        at,
                        number if each is line else None,
                        each.article_number,
                        each.ordered or ZERO,
                        came,
                        each.reported_returned,
                        not each.components and known.get(each.article_number, False),
                        each.returned_at,
                    )
                )
    return seen, refusal


def _reasons(held: Held, causes: Mapping[str, str], unstated: str) -> dict[Line, dict[Reason, Decimal]]:
    """By line in the warehouse, why what it lists as returned came back. What a return order calls thrown away is scrapped."""
    removed: dict[tuple[int, str | None], Decimal] = {}
    for back in held.returns:
        for line in back.lines:
            for item in line.items:
                if item.removed and item.number_of_items and line.order_line_id:
                    at = (line.order_line_id, item.cause)
                    removed[at] = removed.get(at, ZERO) + item.number_of_items
    reasons: dict[Line, dict[Reason, Decimal]] = {}
    for order in held.orders:
        for line_ in (each for line in order.lines for each in line.counted):
            by_cause: dict[str | None, Decimal] = {}
            for piece in line_.returned_items:
                by_cause[piece.return_cause] = by_cause.get(piece.return_cause, ZERO) + (piece.number_of_items or ZERO)
            found = reasons.setdefault((order.order_id, line_.line_id), {})
            for cause, quantity in by_cause.items():
                gone = min(quantity, removed.get((line_.line_id, cause), ZERO))
                for reason, share in (
                    ((cause, SCRAPPED), gone),
                    ((cause, grade_of(cause, False, causes, unstated)), quantity - gone),
                ):
                    if share:
                        found[reason] = found.get(reason, ZERO) + share
    return reasons


def _whose(
    plan: Plan,
    by_line: Mapping[Line, CountedLine],
    parts: Mapping[Line, Sequence[Graded]],
    shares: Mapping[tuple[str, int], Decimal],
    looking: str,
    watched: Watched,
) -> list[Came]:
    """The pieces of each step with the return they belong to; what is on no line of the order belongs to who looks."""
    left = dict(shares)
    came: list[Came] = []
    for step in plan.steps:
        line = by_line[step.line]
        at = line.picked_at or watched.now
        pieces: list[tuple[str, Graded]] = []
        for part in parts[step.line]:
            rest = part.quantity
            if line.line_number is None:
                pieces.append((looking, part))
                continue
            for owner, number in [key for key in left if key[1] == line.line_number]:
                have = left[owner, number]
                if not rest or not have or (have > 0) != (rest > 0):
                    continue
                share = min(abs(rest), abs(have)) * (1 if rest > 0 else -1)
                left[owner, number] -= share
                rest -= share
                pieces.append((owner, Graded(share, part.cause, part.grade)))
            if rest:
                pieces.append((looking, Graded(rest, part.cause, part.grade)))
        came += [
            Came(step.line, step.step, n, line.line_number, owner, line.article_number, piece, at)
            for n, (owner, piece) in enumerate(pieces, start=1)
        ]
    return came


def _is_component(held: Sequence[GetOrder], at: Line) -> bool:
    return any(
        leaf.line_id == at[1]
        for order in held
        if order.order_id == at[0]
        for line in order.lines
        if line.components
        for leaf in line.leaves
    )


def _lines_of(held: GetReturnOrder) -> dict[str, tuple[int | None, Decimal | None]]:
    return {line.row_number or "": (line.order_line_id, line.to_be_returned) for line in held.lines}


def _to_ongoing(document: ReturnDocument, order: GetOrder, line_ids: Mapping[str | None, int]) -> PostReturnOrder:
    """Translate: our line numbers are row numbers on both."""
    return PostReturnOrder(
        return_order_number=document.number,
        order_id=order.order_id,
        in_date=document.expected_on,
        comment=document.comment,
        lines=[
            PostReturnLine(
                row_number=str(line.line_number),
                line_id=line_ids[str(line.line_number)],
                to_be_returned=line.quantity,
                cause=Cause(code=line.cause_code, name=line.cause_name or line.cause_code) if line.cause_code else None,
            )
            for line in document.lines
        ],
    )
