"""Booking what may be booked: the warehouse's own corrections, late causes that take a settlement back, small unknown rests.

Each booking finds what former attempts have booked by its cause in the ledger, and is made under the lock of the article's
balance, where its version is checked once more: nothing that is on its way is ever booked here.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from activities.compare_stock import Comparer, Looked
from activities.stock_facts import Corrections
from clients.errors import Rejected
from clients.ongoing import GetOrder, OrderFilter
from domain.adjusting import Change
from domain.errors import LookAgain
from domain.money import ZERO, rounded
from domain.reconciling import AdjustmentStep, Late, Standing, Verdict, Why, judge, plan_adjustments, too_much, value_of
from erp import adjusted, differences, ledger, reconciliation_bookings, reconciliation_runs, reconciling, settlements
from erp.database import Session
from erp.merchants import Merchant
from erp.reconciliation_runs import Run
from erp.settlements import Open

PATIENCE = timedelta(minutes=30)
ACTOR = "reconciliation"
AT_ONCE = 60


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of it: `approved-once` (a second person is needed), `booked`, `refused`, `gone`, `later` (it is moving)."""

    outcome: str
    text: str


@dataclass
class Settler:
    """What books for one merchant. `comparer` looks, `code_version` stands in the ledger."""

    comparer: Comparer
    code_version: str

    async def book_adjustments(self, run: Run | None) -> int:
        """Book the warehouse's own corrections under their causes' accounts, and tell it so. Returns how many were booked."""
        merchant, who, rules = self.comparer.merchant, self.comparer.who, self.comparer.rules
        since = self.comparer.now() - timedelta(days=rules.adjustment_window_days)
        async with self.comparer.database.merchant(who) as session:
            look, began_at = await adjusted.begin_look(session)
        listed = await self.comparer.corrections()
        if rules.scrapped_return_is_one_fact and listed.touched:
            await leave_scrap(self.comparer, listed)
        async with self.comparer.database.merchant(who) as session:
            ours = await reconciling.owners(session, who, sorted({key.article_id for key in listed.seen}))
        booked = 0
        async with self.comparer.database.merchant(who) as session:
            known = await adjusted.lock_adjusted(session, who, look, since)
            if known is None:
                raise LookAgain("the warehouse's corrections were booked by another look")
            seen = {key: value for key, value in listed.seen.items() if key.article_id in ours}
            seen |= {key: known[key].booked if key in known else ZERO for key in listed.waiting}
            steps, doubted, over = plan_adjustments(known, seen, began_at, PATIENCE)
            told: list[tuple[AdjustmentStep, str, datetime]] = []
            changes, reasons = [], []
            for one in steps:
                if one.key.article_id not in ours:
                    continue
                article = ours[one.key.article_id]
                times = [at for key, _, at in listed.rows.get(one.key.article_id, ()) if key == one.key]
                at = max(times, default=self.comparer.now())
                told.append((one, article, at))
                way = "up" if one.key.up else "down"
                of = one.key
                cause = f"adjustment/{of.inventory_id}/{of.article_id}/{of.warehouse_id}/{way}/{one.step}/{of.cause}"
                place = (article, merchant.settings.warehouse)
                changes.append(Change(place, one.quantity, cause, rules.account_of(one.key.cause), at, merchant.day_of(at)))
                named = listed.causes.get(one.key.cause)
                cause = f"{one.key.cause}, {named}" if named and named != one.key.cause else one.key.cause
                reasons.append(f"the warehouse corrected it in its stock-taking {one.key.inventory_id}: {cause}")
            if changes:
                await reconciliation_bookings.book_changes(
                    session,
                    merchant,
                    None if run is None else run.run_no,
                    changes,
                    "adjustment",
                    reasons,
                    "stock-takings of the warehouse",
                    ACTOR,
                    self.code_version,
                )
                booked = len(changes)
            await adjusted.note_adjusted(session, who, told, doubted, over, began_at)
        await self._report_adjustments()
        return booked

    async def _report_adjustments(self) -> None:
        async with self.comparer.database.merchant(self.comparer.who) as session:
            owed = await adjusted.unreported(session, self.comparer.who)
        by_article = [(place, [*some]) for place, some in groupby(owed, lambda each: (each[0].inventory_id, each[0].article_id))]
        # What is told and not yet noted when we are killed is told again, which is harmless.
        for start in range(0, len(by_article), AT_ONCE):
            told = []
            for (inventory_id, article_id), some in by_article[start : start + AT_ONCE]:
                with suppress(Rejected):  # our books stand; the flag decides nothing, and the next run says it again
                    await self.comparer.client.set_adjustment_reported(inventory_id, article_id)
                    told += some
                self.comparer.beat()
            async with self.comparer.database.merchant(self.comparer.who) as session:
                await adjusted.adjustments_reported(session, self.comparer.who, told)

    async def take_back(self, run: Run) -> int:
        """Take back of settlements what a late cause has explained."""
        async with self.comparer.database.merchant(run.merchant) as session:
            articles = sorted(
                {
                    row.article
                    for row in await differences.found_in(session, run)
                    if row.comparison == "physical" and any(part[0] == Why.ABSORBED for part in row.parts)
                }
            )
        done = 0
        for start in range(0, len(articles), AT_ONCE):
            for looked in await self.comparer.look(articles[start : start + AT_ONCE]):
                done += await self._absorb(run, looked)
        return done

    async def _absorb(self, run: Run, looked: Looked) -> int:
        merchant, article = self.comparer.merchant, looked.close.article
        if looked.moving:
            return 0
        done = 0
        async with self.comparer.database.merchant(run.merchant) as session:
            await ledger.lock_pools(session, run.merchant, [(article, merchant.settings.warehouse)])
            # Under the lock, from the tables alone: an attempt at the same time may have taken it back already.
            for late in await self._late(session, merchant, looked):
                booked = await reconciliation_bookings.settled_at(session, run.merchant, late.settlement)
                if booked is None:
                    continue
                quantity, value, account = booked
                times = await reconciliation_bookings.times_absorbed(session, run.merchant, late.settlement, late.document)
                now = self.comparer.now()
                change = Change(
                    (article, merchant.settings.warehouse),
                    -late.quantity,
                    f"absorbed/{late.settlement}/{late.document}/{times + 1}",
                    account,
                    now,
                    merchant.day_of(now),
                    rounded(abs(value / quantity), 6),
                )
                reason = f"settlement {late.settlement} is taken back: its cause was {late.document}"
                made = await reconciliation_bookings.book_changes(
                    session,
                    merchant,
                    run.run_no,
                    [change],
                    "taken back",
                    [reason],
                    f"settlement/{late.settlement}",
                    ACTOR,
                    self.code_version,
                )
                done += made is not None
        return done

    async def _late(self, session: Session, merchant: Merchant, looked: Looked) -> Sequence[Late]:
        article = looked.close.article
        now = await reconciling.closely(session, merchant.merchant_id, merchant.settings.warehouse, [article])
        if now[article].version != looked.close.version:
            return []
        found = await reconciling.late(session, merchant.merchant_id, merchant.settings.warehouse, {article: looked.happened})
        return found.get(article, ())

    async def settle_unknown(self, run: Run, unproved: str | None) -> tuple[int, int, str | None]:
        """Note what nobody can explain, judge it, and book what may be booked. Returns booked, waiting, and why held.

        `unproved`: why it is not certain how the warehouse counts; the next run may book what this one must not.
        """
        merchant, tolerances = self.comparer.merchant, self.comparer.rules.tolerances
        now = self.comparer.now()
        async with self.comparer.database.merchant(run.merchant) as session:
            unknown = {(row.article, row.warehouse): row for row in await differences.unknown_in(session, run)}
            stocked, stock_value = await reconciliation_runs.totals(session, run)
            gone = await differences.emptied(session, run)
            before = {(each.article, each.warehouse): each for each in await settlements.open_settlements(session, run.merchant)}
            refused = await settlements.refused_figures(session, run.merchant)
            for place, each in before.items():
                if place not in unknown and run.kind != "file":
                    await settlements.move_settlement(
                        session, run.merchant, each.settlement_no, "gone", "the two sides agree again"
                    )
            standing: list[tuple[Open, Verdict, str]] = []
            month = await reconciliation_bookings.booked_this_month(
                session, run.merchant, _month_of(merchant, now), [article for article, _ in unknown]
            )
            for place, row in unknown.items():
                if refused.get(place) == row.quantity:
                    continue
                each = await settlements.see(
                    session, run, row.article, row.warehouse, row.quantity, row.unit_cost, row.read_at, {}, before.get(place)
                )
                pieces, value = month.get(row.article, (ZERO, ZERO))
                seen = Standing(each.quantity, each.unit_cost, each.first_seen_at, each.seen_runs, pieces, value)
                verdict, why = judge(seen, now, tolerances)
                if each.state == "approved":
                    verdict, why = Verdict.BOOK, "approved"
                standing.append((each, verdict, why))
            change = sum(
                (abs(value_or_nothing(each)) for each, verdict, why in standing if verdict is Verdict.BOOK and why != "approved"),
                ZERO,
            )
            held = too_much(stocked, gone, change, stock_value, tolerances.run_share)
            if held is None and any(verdict is Verdict.BOOK and why != "approved" for _, verdict, why in standing):
                held = unproved
            if held:
                await reconciliation_runs.hold(session, run, held)
            for each, verdict, why in standing:
                if held and held == unproved and verdict is Verdict.BOOK and why != "approved":
                    if each.state == "seen":
                        await settlements.move_settlement(session, run.merchant, each.settlement_no, "seen", held)
                elif held and verdict is Verdict.BOOK and why != "approved":
                    await settlements.move_settlement(session, run.merchant, each.settlement_no, "waiting", f"run held: {held}")
                elif verdict is Verdict.ASK:
                    await settlements.move_settlement(session, run.merchant, each.settlement_no, "waiting", why)
                elif verdict is Verdict.LOOK_AGAIN and each.state == "seen":
                    await settlements.move_settlement(session, run.merchant, each.settlement_no, "seen", why)
        booked = 0
        if held is None or any(why == "approved" for _, _, why in standing):
            wanted = [
                (each, why) for each, verdict, why in standing if verdict is Verdict.BOOK and (not held or why == "approved")
            ]
            for start in range(0, len(wanted), AT_ONCE):
                some = {each.article: (each, why) for each, why in wanted[start : start + AT_ONCE]}
                for looked in await self.comparer.look(list(some)):
                    each, why = some[looked.close.article]
                    booked += (await self.book_unknown(run, each, looked, why)).outcome == "booked"
        async with self.comparer.database.merchant(run.merchant) as session:
            waiting = [each for each in await settlements.open_settlements(session, run.merchant) if each.state == "waiting"]
        return booked, len(waiting), held

    async def book_unknown(self, run: Run | None, each: Open, looked: Looked, why: str) -> Decided:
        """Book an unknown difference, if a fresh look at one instant still shows exactly it."""
        merchant, who = self.comparer.merchant, self.comparer.who
        if looked.moving or looked.physical.of(Why.DEFERRED):
            return Decided("later", f"{each.article} is moving: it is looked at again in the next run")
        rules = self.comparer.rules
        now = self.comparer.now()
        async with self.comparer.database.merchant(who) as session:
            await ledger.lock_pools(session, who, [(each.article, each.warehouse)])
            current = await settlements.lock_settlement(session, who, each.settlement_no)
            if current is None or current.state not in ("seen", "waiting", "approved"):
                return Decided(current.state if current else "gone", f"{each.settlement_no} is decided already")
            if looked.physical.unknown != each.quantity:
                text = f"the figure is now {looked.physical.unknown.normalize():f}"
                await settlements.move_settlement(session, who, each.settlement_no, "gone", text)
                return Decided("gone", f"{each.article}: {text}, and not {each.quantity.normalize():f}")
            fresh = await reconciling.closely(session, who, each.warehouse, [each.article])
            if fresh[each.article].version != looked.close.version:
                return Decided("later", f"{each.article} has moved: it is looked at again in the next run")
            change = Change(
                (each.article, each.warehouse),
                each.quantity,
                f"settlement/{each.settlement_no}",
                rules.unknown_difference_account,
                looked.read_at,
                merchant.day_of(looked.read_at),
                looked.unit_cost if each.quantity > 0 else None,
            )
            people = await settlements.approvals(session, who, each.settlement_no)
            why = f"approved by {people}" if people else why
            seen = f"first seen {each.first_seen_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            reason = f"nobody can explain it; {seen}, {why}"
            number = await reconciliation_bookings.book_changes(
                session,
                merchant,
                None if run is None else run.run_no,
                [change],
                "unknown",
                [reason],
                f"settlement/{each.settlement_no}",
                ", ".join(current.approved_by) or ACTOR,
                self.code_version,
            )
            if number is not None:
                await settlements.settlement_booked(
                    session,
                    who,
                    None if run is None else run.run_no,
                    each.settlement_no,
                    number,
                    why,
                    looked.read_at,
                    looked.listed,
                )
        return Decided("booked", f"{each.article}: {each.quantity.normalize():f} booked on {merchant.day_of(now)}")


async def leave_scrap(comparer: Comparer, corrections: Corrections) -> None:
    """Take out of the corrections those that throw a return away: they are part of the return."""
    async with comparer.database.merchant(comparer.who) as session:
        names = await reconciling.owners(session, comparer.who, sorted(corrections.touched))
    since = comparer.now() - timedelta(days=comparer.rules.adjustment_window_days)
    orders: dict[int, GetOrder] = {}
    numbers = sorted(names.values())
    for start in range(0, len(numbers), 20):
        wish = OrderFilter(article_numbers=numbers[start : start + 20], last_returned_from=since)
        async for page in comparer.client.list_orders(wish):
            orders |= {order.order_id: order for order in page}
        comparer.beat()
    await comparer.moves.scrap(orders.values(), corrections)


def value_or_nothing(each: Open) -> Decimal:
    return value_of(each.quantity, each.unit_cost) or ZERO


def _month_of(merchant: Merchant, at: datetime) -> datetime:
    local = at.astimezone(ZoneInfo(merchant.time_zone))
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
