"""What the warehouse's documents have moved and our books have not, by article; and how each order reserves on both sides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from activities.stock_facts import Corrections, adjustment_facts, order_facts, scrap_candidates
from activities.their_documents import Documents, picked_from
from clients.ongoing import GetOrder, OngoingClient
from domain.money import ZERO
from domain.reconciliation_settings import ReconciliationSettings
from domain.reconciling import Fact, Reserved
from erp import reconciling
from erp.counters import PURCHASE_ORDER, RECEIVED, RETURNED, SALES_ORDER
from erp.database import Database
from erp.merchants import Merchant
from erp.reconciling import Close, Reserving


@dataclass(frozen=True, slots=True)
class TheirMoves:
    """One merchant's documents over there, against what is booked of them."""

    database: Database
    client: OngoingClient
    merchant: Merchant

    @property
    def who(self) -> str:
        return self.merchant.merchant_id

    @property
    def rules(self) -> ReconciliationSettings:
        return self.merchant.settings.reconciling

    async def facts(
        self, session: Any, documents: Documents, corrections: Corrections, wanted: Mapping[str, Close]
    ) -> tuple[dict[str, list[Fact]], dict[str, list[Reserved]]]:
        """What is on its way, by article of ours; and how each order reserves."""
        by_id = {close.their_id: number for number, close in wanted.items() if close.their_id is not None}
        known = await reconciling.known(
            session, self.who, SALES_ORDER, {order_id: order.order_number for order_id, order in documents.orders.items()}
        )
        bought = await reconciling.known(
            session,
            self.who,
            PURCHASE_ORDER,
            {one_id: one.purchase_order_number for one_id, one in documents.purchases.items()},
        )
        scrapped = await reconciling.scrapped(session, self.who, list(wanted))
        held = await reconciling.reserving(session, self.who, list(wanted))
        facts: dict[str, list[Fact]] = {}
        theirs: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        threshold = picked_from(self.merchant)
        thrown = await self.scrap(documents.orders.values(), corrections)
        for order_id, order in documents.orders.items():
            if self.rules.warehouse_ids and order.warehouse_id not in (None, *self.rules.warehouse_ids):
                continue
            about = known[order_id]
            name = about.document or order.order_number or f"order {order_id}"
            for line in (leaf for each in order.lines for leaf in each.leaves):
                number = by_id.get(line.article_system_id or 0, line.article_number)
                if number not in wanted:
                    continue
                made = order_facts(order_id, name, line, about, scrapped, thrown)
                facts.setdefault(number, []).extend(made)
                unbooked = -sum((fact.quantity for fact in made if fact.what == "picked"), ZERO)
                open_there = max(ZERO, (line.ordered or ZERO) - (line.picked or ZERO)) if order.status < threshold else ZERO
                w, u = theirs.get((number, name), (ZERO, ZERO))
                theirs[number, name] = (w + open_there, u + unbooked)
        for one_id, purchase in documents.purchases.items():
            about = bought[one_id]
            for received in purchase.lines:
                number = by_id.get(received.article_system_id or 0, received.article_number)
                if number not in wanted:
                    continue
                booked = about.booked.get((received.line_id, RECEIVED), ZERO)
                more = (received.received or ZERO) - booked
                at = received.received_at
                name = about.document or purchase.purchase_order_number or f"purchase order {one_id}"
                doubtful = received.received is None or received.line_id in about.doubtful
                if more or doubtful:
                    facts.setdefault(number, []).append(
                        Fact(
                            "received",
                            name,
                            more,
                            at,
                            about.looked_at,
                            about.ours,
                            about.alive,
                            doubtful,
                            None,
                            f"{PURCHASE_ORDER}:{one_id}",
                        )
                    )
        for number, close in wanted.items():
            facts.setdefault(number, []).extend(adjustment_facts(close.their_id, corrections, thrown))
        return facts, _reserved(held, theirs)

    async def scrap(self, orders: Iterable[GetOrder], corrections: Corrections) -> dict[tuple[int, int], Decimal]:
        """Corrections that throw a return away, given to the line that came back (document and line, negative): one fact.

        They are taken out of `corrections`. The list of corrections does not say which return one belongs to; that goods of the
        line were thrown away is said by a return order, or by our own books of it. While the return is not booked nobody can
        tell, and the correction waits.
        """
        candidates = scrap_candidates(orders, corrections) if self.rules.scrapped_return_is_one_fact else []
        if not candidates:
            return {}
        removed: dict[int, Decimal] = {}
        for number in sorted({each.order.order_number for each in candidates if each.order.order_number}):
            for back in await self.client.return_orders_of(number):
                for line in back.lines:
                    if line.order_line_id is not None:
                        removed[line.order_line_id] = removed.get(line.order_line_id, ZERO) + (line.removed or ZERO)
        async with self.database.merchant(self.who) as session:
            names = await reconciling.owners(session, self.who, sorted({each.key.article_id for each in candidates}))
            ours = await reconciling.scrapped(session, self.who, sorted(names.values()))
            ids: dict[int, str | None] = {each.order.order_id: each.order.order_number for each in candidates}
            known = await reconciling.known(session, self.who, SALES_ORDER, ids)
        thrown: dict[tuple[int, int], Decimal] = {}
        gone: dict[int, set[int]] = {}
        for each in candidates:
            place = (each.order.order_id, each.line.line_id)
            most = max(removed.get(each.line.line_id, ZERO), -ours.get(place, ZERO))
            if each.quantity - thrown.get(place, ZERO) <= most:
                thrown[place] = thrown.get(place, ZERO) - each.quantity
                corrections.seen[each.key] -= each.quantity
                gone.setdefault(each.key.article_id, set()).add(each.place)
            elif (each.line.returned or ZERO) > known[each.order.order_id].booked.get((each.line.line_id, RETURNED), ZERO):
                corrections.waiting.add(each.key)
        for article_id, places in gone.items():
            rows = corrections.rows[article_id]
            corrections.rows[article_id] = [row for place, row in enumerate(rows) if place not in places]
        return thrown


def _reserved(held: Sequence[Reserving], theirs: Mapping[tuple[str, str], tuple[Decimal, Decimal]]) -> dict[str, list[Reserved]]:
    ours: dict[tuple[str, str], Decimal] = {}
    for line in held:
        ours[line.article, line.order] = ours.get((line.article, line.order), ZERO) + line.quantity
    found: dict[str, list[Reserved]] = {}
    for article, order in sorted({*ours, *theirs}):
        open_there, unbooked = theirs.get((article, order), (ZERO, ZERO))
        found.setdefault(article, []).append(Reserved(order, ours.get((article, order), ZERO), open_there, unbooked))
    return found
