"""The daily reconciliation's steps: which days are owed, compare, settle, write the file; and what a person decides.

Each step finds what former attempts have left. What the warehouse itself has corrected is booked under the account of its cause;
what nobody can explain is booked only after it stood in two runs and is small, and only when a fresh look, at one instant, still
shows the same figure. The article's version is checked once more under the lock of its balance, so that nothing which is on its
way is ever booked here.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.compare_stock import Comparer, Looked, Unmatched
from activities.connections import Connections
from activities.how_it_counts import prove_counting, settings_of
from activities.spreadsheets import as_xlsx, read_stock_file
from activities.stock_facts import Corrections
from clients.errors import Rejected
from clients.ongoing import GetOrder, OngoingClient, OrderFilter
from domain.adjusting import Change
from domain.errors import LookAgain, Refused
from domain.flows import BALANCES
from domain.how_it_counts import in_the_way
from domain.money import ZERO, rounded
from domain.reconciliation_report import Booking, Day, Report, Row, as_csv, as_html
from domain.reconciliation_report import Unmatched as UnmatchedRow
from domain.reconciliation_report import Waiting as WaitingRow
from domain.reconciling import (
    AdjustmentStep,
    Kin,
    Late,
    Standing,
    Verdict,
    Why,
    approvals_needed,
    check_approval,
    judge,
    kindred,
    plan_adjustments,
    too_much,
)
from domain.stock_files import Awaited, StockFile
from erp import adjusted, ledger, reconciling, settling
from erp.database import Database, Session
from erp.exceptions import keep_notes
from erp.merchants import Merchant
from erp.settling import Found, Open, Run
from erp.watching import ran

SLICE_SECONDS, FIRST_SLICE_SECONDS = 20.0, 3.0
PATIENCE = timedelta(minutes=30)
ACTOR = "reconciliation"
MOST_SHOWN = 10
TO_MEND = (Why.UNIT, Why.TWIN, Why.RENAMED, Why.NOT_OURS, Why.OUR_ERROR)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be reconciled: `daily` (everything owed up to `at`), `on-demand` (now), `past` (the day `on`), `file`."""

    merchant: str
    at: datetime
    request: str
    kind: str = "daily"
    on: date | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One run, and the business's time."""

    merchant: str
    run_no: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Owed:
    """One run that is to be made or finished, and the day that it is for."""

    run_no: int
    on: date
    kind: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is: articles read, of about how many, and how many of them differ so far."""

    done: bool
    read: int
    differing: int
    of: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a run booked and what waits. `held`: why it booked nothing of the unknown."""

    adjustments: int = 0
    taken_back: int = 0
    unknown: int = 0
    waiting: int = 0
    held: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The run's file: one sentence, its hash (of the CSV), and how many unknown differences wait for a person."""

    headline: str
    sha256: str
    waiting: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decides about an unknown difference."""

    merchant: str
    number: int
    by: str
    reason: str
    at: datetime
    refuse: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of it: `approved-once` (a second person is needed), `booked`, `refused`, `gone`, `later` (it is moving)."""

    outcome: str
    text: str


class Reconcile:
    """Warehouse against books."""

    def __init__(self, database: Database, connections: Connections[OngoingClient], code_version: str) -> None:
        self._database = database
        self._connections = connections
        self._code_version = code_version

    # --- which runs are owed ------------------------------------------------------------------------------------------

    @activity.defn
    async def plan_reconciliation(self, wish: Wish) -> list[Owed]:
        """The runs that are owed, oldest day first: every day since the watermark, today last. A repeat finds the same."""
        async with self._connections.using(wish.merchant) as (merchant, client):
            if wish.kind == "daily" and await self._connections.is_off(merchant, BALANCES):
                return []
            if wish.kind == "file":
                return await self._plan_files(merchant, client, wish)
            today = merchant.day_of(wish.at)
            async with self._database.merchant(wish.merchant) as session:
                settles = merchant.settings.reconciling.settles
                if wish.kind == "on-demand":
                    run = await settling.begin_run(session, wish.merchant, "on-demand", today, wish.request, "api", settles)
                    return [_owed(run)]
                if wish.kind == "past":
                    day = wish.on or today
                    if day >= today:
                        raise Refused("settings-wrong", f"{day} is not past: run the reconciliation of today")
                    request = f"past/{day}/{wish.request}"
                    run = await settling.begin_run(
                        session, wish.merchant, "past", day, request, "history", False, _cut_of(merchant, day)
                    )
                    return [_owed(run)] if run.state == "running" else []
                return await self._days(session, merchant, wish, today, settles)

    async def _days(self, session: Session, merchant: Merchant, wish: Wish, today: date, settles: bool) -> list[Owed]:
        last = await settling.watermark(session, wish.merchant)
        first = today if last is None else last + timedelta(days=1)
        owed = []
        for number in range((today - first).days):
            day = first + timedelta(days=number)
            await settling.make_past(session, wish.merchant, day, _cut_of(merchant, day))
            run = await settling.begin_run(
                session, wish.merchant, "past", day, f"past/{day}", "history", False, _cut_of(merchant, day)
            )
            if run.state == "running":
                owed.append(_owed(run))
        if first <= today:
            run = await settling.begin_run(session, wish.merchant, "daily", today, f"daily/{today}", "api", settles)
            if run.state == "running":
                owed.append(_owed(run))
        return owed

    async def _plan_files(self, merchant: Merchant, client: OngoingClient, wish: Wish) -> list[Owed]:
        """Runs for delivered files that are new and believed. One that is refused is kept with the reason, and listed."""
        rules = merchant.settings.reconciling
        if not rules.file_folder and not wish.file:
            raise Refused(
                "settings-wrong", "reconciliation.file_folder is not set: say where stock files are delivered, or name one"
            )
        paths = [Path(wish.file)] if wish.file else delivered(Path(rules.file_folder))
        owed = []
        for path in paths:
            activity.heartbeat(path.name)
            content = path.read_bytes()
            async with self._database.merchant(wish.merchant) as session:
                newest = await settling.newest_cut(session, wish.merchant)
            try:
                file = _believe(content, merchant, client, wish.at, newest)
            except Refused as refusal:
                async with self._database.merchant(wish.merchant) as session:
                    await settling.refuse_file(session, wish.merchant, path.name, content, str(refusal))
                if wish.file:
                    raise
                continue
            async with self._database.merchant(wish.merchant) as session:
                await settling.take_file(
                    session, wish.merchant, path.name, content, file.content_hash, file.cut, len(file.quantities)
                )
                run = await settling.begin_run(
                    session,
                    wish.merchant,
                    "file",
                    merchant.day_of(file.cut),
                    f"file/{file.content_hash}",
                    f"file {path.name}"[:200],
                    rules.settles and not file.older_than_newest,
                    file.cut,
                    file.content_hash,
                )
            if run.state == "running":
                owed.append(_owed(run))
        return owed

    # --- compare ------------------------------------------------------------------------------------------------------

    @activity.defn
    async def compare_stock(self, step: Step) -> Progress:
        """Compare for a while and say how far it is; called again it goes on behind the last page that was saved."""
        async with self._connections.using(step.merchant) as (merchant, client):
            run = await self._run(step)
            if run.swept:
                await self._tie(run)
                return Progress(True, run.articles_read, await self._differing(run))
            try:
                given, unmatched = await self._given(merchant, client, run, step.at)
            except Rejected as refusal:
                if run.kind != "past":
                    raise
                # This warehouse has no figures of the past: the day is covered by the next run, and its file says so.
                return await self._cover(run, str(refusal))
            # The first is short: whoever looks sees soon that it moves, and how long it will take.
            ends_at = time.monotonic() + (SLICE_SECONDS if run.position else FIRST_SLICE_SECONDS)
            read = run.articles_read
            comparer = Comparer(
                self._database, client, merchant, step.at, lambda: activity.heartbeat(read), run.cut_at, given, run.kind != "file"
            )

            async def save(found: Sequence[Found], lonely: Sequence[Unmatched], position: int, count: int, swept: bool) -> bool:
                nonlocal run, read
                extra = unmatched if swept else []
                async with self._database.merchant(step.merchant) as session:
                    run = await settling.save_page(session, run, found, [*lonely, *extra], position, count, swept)
                read = run.articles_read
                return time.monotonic() < ends_at

            await comparer.sweep(run.position, save)
            if run.swept:
                await self._tie(run)
            async with self._database.merchant(step.merchant) as session:
                of = max(await reconciling.matched(session, step.merchant), run.articles_read)
            return Progress(run.swept, run.articles_read, await self._differing(run), of)

    async def _given(
        self, merchant: Merchant, client: OngoingClient, run: Run, at: datetime
    ) -> tuple[dict[int, Decimal] | None, list[Unmatched]]:
        """The warehouse's figures of another instant than now, by its article ids; None for those of now."""
        if run.kind == "past":
            assert run.cut_at is not None
            ids = merchant.settings.reconciling.warehouse_ids
            history = await client.historical_inventory(run.cut_at, ids[0] if len(ids) == 1 else None)
            return {each.article_system_id: each.number_of_items for each in history if each.number_of_items is not None}, []
        if run.kind != "file":
            return None, []
        assert run.input_hash is not None
        async with self._database.merchant(run.merchant) as session:
            content = await settling.stock_file(session, run.merchant, run.input_hash)
        assert content is not None
        file = _believe(content, merchant, client, run.started_at, None)
        return await self._by_their_ids(merchant, run, file)

    async def _by_their_ids(self, merchant: Merchant, run: Run, file: StockFile) -> tuple[dict[int, Decimal], list[Unmatched]]:
        given: dict[int, Decimal] = {}
        unmatched: list[Unmatched] = []
        numbers = sorted(file.quantities)
        warehouse = merchant.settings.warehouse
        async with self._database.merchant(run.merchant) as session:
            for start in range(0, len(numbers), 1000):
                some = numbers[start : start + 1000]
                known = {one.article: one for one in await reconciling.balances_of(session, run.merchant, warehouse, some, False)}
                for number in some:
                    quantity = file.quantities[number]
                    article = known.get(number)
                    if article is None or article.their_id is None:
                        if quantity:
                            said = "the ERP has no such article" if article is None else "the article was never sent"
                            unmatched.append(("warehouse", number, quantity, f"{said}: ask the warehouse what it is"))
                    elif article.compared:
                        given[article.their_id] = quantity
            after = ""
            while True:
                some = await reconciling.stocked(session, run.merchant, warehouse, after, 1000)
                if not some:
                    break
                for one in await reconciling.balances_of(session, run.merchant, warehouse, some, False):
                    if one.compared and one.article not in file.quantities:
                        unmatched.append(
                            (
                                "books",
                                one.article,
                                one.quantity,
                                "the file does not show it, which is not zero: ask the warehouse",
                            )
                        )
                after = some[-1]
        return given, unmatched

    async def _cover(self, run: Run, refusal: str) -> Progress:
        async with self._database.merchant(run.merchant) as session:
            await settling.hold(session, run, f"the warehouse has no figures of that day ({refusal[:200]})")
            await settling.save_page(session, run, [], [], run.position, 0, True)
        return Progress(True, 0, 0)

    async def _differing(self, run: Run) -> int:
        async with self._database.merchant(run.merchant) as session:
            return len(await settling.found_in(session, run))

    async def _run(self, step: Step) -> Run:
        async with self._database.merchant(step.merchant) as session:
            run = await settling.load_run(session, step.merchant, step.run_no)
        if run is None:
            raise Refused("settings-wrong", f"there is no reconciliation run {step.run_no} of {step.merchant}")
        return run

    # --- settle -------------------------------------------------------------------------------------------------------

    @activity.defn
    async def settle_differences(self, step: Step) -> Settlement:
        """Book what may be booked of a run that compares now: corrections with a cause, late causes, and small unknown rests.

        A repeat finds what is booked by its cause in the ledger. A run whose settings or outcome forbid it books nothing.
        """
        run = await self._run(step)
        if not run.settles or run.state == "finished":
            return Settlement()
        async with self._connections.using(step.merchant) as (merchant, client):
            async with self._database.merchant(step.merchant) as session:
                stocked, value = await reconciling.worth(session, step.merchant, merchant.settings.warehouse)
                known, _ = await settling.totals(session, run)
                if not known:
                    await settling.save_worth(session, run, stocked, value)
            comparer = Comparer(self._database, client, merchant, step.at, lambda: activity.heartbeat(run.run_no))
            adjusted = await self._book_adjustments(comparer, run)
            taken_back = await self._take_back(comparer, run)
            unproved = (
                None if comparer.rules.counting_is_known else in_the_way(await prove_counting(comparer), settings_of(comparer))
            )
            unknown, waiting, held = await self._settle_unknown(comparer, run, unproved)
            await self._note(run, held, "counting-not-proved" if held and held == unproved else "reconciliation-held")
            return Settlement(adjusted, taken_back, unknown, waiting, held)

    async def _tie(self, run: Run) -> None:
        """Unknown differences that are each other's opposite on near-twins or renamed articles are not unknown any more."""
        async with self._database.merchant(run.merchant) as session:
            unknown = await settling.unknown_in(session, run)
            found = kindred([Kin(row.article, row.twin_key, row.replaces, row.quantity) for row in unknown])
            places = {row.article: row.warehouse for row in unknown}
            for article, (why, other) in sorted(found.items()):
                await settling.tie(session, run, article, places[article], why.value, other)

    async def _note(self, run: Run, held: str | None, code: str) -> None:
        """What a person must mend is listed beside everything else that waits for people, as long as it is so."""
        if run.kind == "file":
            return
        async with self._database.merchant(run.merchant) as session:
            to_mend: dict[str, str] = {}
            for row in await settling.found_in(session, run):
                for why, quantity, document, _, cause, _ in row.parts if row.comparison == "physical" else ():
                    if why in TO_MEND:
                        words = f"{row.article}: {Decimal(quantity).normalize():+f} pieces, {why} {cause or document}"
                        to_mend[row.article] = f"{words} (run {run.run_no})"
            who, by = run.merchant, f"run {run.run_no}"
            await keep_notes(session, who, "article", "difference-to-mend", to_mend, by)
            for each in ("reconciliation-held", "counting-not-proved"):
                note = {who: f"run {run.run_no}: {held}"} if held and each == code else {}
                await keep_notes(session, who, "reconciliation", each, note, by)

    async def _book_adjustments(self, comparer: Comparer, run: Run | None) -> int:
        """Book the warehouse's own corrections under their causes' accounts, and tell it so. Returns how many were booked."""
        merchant, who, rules = comparer.merchant, comparer.who, comparer.rules
        since = comparer.now() - timedelta(days=rules.adjustment_window_days)
        async with self._database.merchant(who) as session:
            look, began_at = await adjusted.begin_look(session)
        listed = await comparer.corrections()
        if rules.scrapped_return_is_one_fact and listed.touched:
            await _leave_scrap(comparer, listed)
        async with self._database.merchant(who) as session:
            ours = await reconciling.owners(session, who, sorted({key.article_id for key in listed.seen}))
        booked = 0
        async with self._database.merchant(who) as session:
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
                at = max(times, default=comparer.now())
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
                await settling.book_changes(
                    session,
                    merchant,
                    None if run is None else run.run_no,
                    changes,
                    "adjustment",
                    reasons,
                    "stock-takings of the warehouse",
                    ACTOR,
                    self._code_version,
                )
                booked = len(changes)
            await adjusted.note_adjusted(session, who, told, doubted, over, began_at)
        await self._report_adjustments(comparer)
        return booked

    async def _report_adjustments(self, comparer: Comparer) -> None:
        async with self._database.merchant(comparer.who) as session:
            owed = await adjusted.unreported(session, comparer.who)
        for inventory_id, article_id in owed:
            try:
                await comparer.client.set_adjustment_reported(inventory_id, article_id)
            except Rejected:
                continue  # our books stand; the flag decides nothing, and the next run says it again
            async with self._database.merchant(comparer.who) as session:
                await adjusted.adjustment_reported(session, comparer.who, inventory_id, article_id)
            comparer.beat()

    async def _take_back(self, comparer: Comparer, run: Run) -> int:
        """Take back of settlements what a late cause has explained."""
        async with self._database.merchant(run.merchant) as session:
            articles = sorted(
                {
                    row.article
                    for row in await settling.found_in(session, run)
                    if row.comparison == "physical" and any(part[0] == Why.ABSORBED for part in row.parts)
                }
            )
        done = 0
        for start in range(0, len(articles), 40):
            for looked in await comparer.look(articles[start : start + 40]):
                done += await self._absorb(comparer, run, looked)
        return done

    async def _absorb(self, comparer: Comparer, run: Run, looked: Looked) -> int:
        merchant, article = comparer.merchant, looked.close.article
        if looked.moving:
            return 0
        done = 0
        async with self._database.merchant(run.merchant) as session:
            await ledger.lock_pools(session, run.merchant, [(article, merchant.settings.warehouse)])
            # Under the lock, from the tables alone: an attempt at the same time may have taken it back already.
            for late in await self._late(session, merchant, looked):
                booked = await settling.settled_at(session, run.merchant, late.settlement)
                if booked is None:
                    continue
                quantity, value, account = booked
                times = await settling.times_absorbed(session, run.merchant, late.settlement, late.document)
                now = comparer.now()
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
                made = await settling.book_changes(
                    session,
                    merchant,
                    run.run_no,
                    [change],
                    "taken back",
                    [reason],
                    f"settlement/{late.settlement}",
                    ACTOR,
                    self._code_version,
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

    async def _settle_unknown(self, comparer: Comparer, run: Run, unproved: str | None) -> tuple[int, int, str | None]:
        """Note what nobody can explain, judge it, and book what may be booked. Returns booked, waiting, and why held.

        `unproved`: why it is not certain how the warehouse counts; the next run may book what this one must not.
        """
        merchant, tolerances = comparer.merchant, comparer.rules.tolerances
        now = comparer.now()
        async with self._database.merchant(run.merchant) as session:
            unknown = {(row.article, row.warehouse): row for row in await settling.unknown_in(session, run)}
            stocked, stock_value = await settling.totals(session, run)
            gone = await settling.emptied(session, run)
            before = {(each.article, each.warehouse): each for each in await settling.open_settlements(session, run.merchant)}
            refused = await settling.refused_figures(session, run.merchant)
            for place, each in before.items():
                if place not in unknown and run.kind != "file":
                    await settling.move_settlement(session, run.merchant, each.settlement_no, "gone", "the two sides agree again")
            standing: list[tuple[Open, Verdict, str]] = []
            month = await settling.booked_this_month(
                session, run.merchant, _month_of(merchant, now), [article for article, _ in unknown]
            )
            for place, row in unknown.items():
                if refused.get(place) == row.quantity:
                    continue
                each = await settling.see(
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
                await settling.hold(session, run, held)
            for each, verdict, why in standing:
                if held and held == unproved and verdict is Verdict.BOOK and why != "approved":
                    if each.state == "seen":
                        await settling.move_settlement(session, run.merchant, each.settlement_no, "seen", held)
                elif held and verdict is Verdict.BOOK and why != "approved":
                    await settling.move_settlement(session, run.merchant, each.settlement_no, "waiting", f"run held: {held}")
                elif verdict is Verdict.ASK:
                    await settling.move_settlement(session, run.merchant, each.settlement_no, "waiting", why)
                elif verdict is Verdict.LOOK_AGAIN and each.state == "seen":
                    await settling.move_settlement(session, run.merchant, each.settlement_no, "seen", why)
        booked = 0
        if held is None or any(why == "approved" for _, _, why in standing):
            wanted = [
                (each, why) for each, verdict, why in standing if verdict is Verdict.BOOK and (not held or why == "approved")
            ]
            for start in range(0, len(wanted), 40):
                some = {each.article: (each, why) for each, why in wanted[start : start + 40]}
                for looked in await comparer.look(list(some)):
                    each, why = some[looked.close.article]
                    booked += (await self._book_unknown(comparer, run, each, looked, why)).outcome == "booked"
        async with self._database.merchant(run.merchant) as session:
            waiting = [each for each in await settling.open_settlements(session, run.merchant) if each.state == "waiting"]
        return booked, len(waiting), held

    async def _book_unknown(self, comparer: Comparer, run: Run | None, each: Open, looked: Looked, why: str) -> Decided:
        """Book an unknown difference, if a fresh look at one instant still shows exactly it."""
        merchant, who = comparer.merchant, comparer.who
        if looked.moving or looked.physical.of(Why.DEFERRED):
            return Decided("later", f"{each.article} is moving: it is looked at again in the next run")
        rules = comparer.rules
        now = comparer.now()
        async with self._database.merchant(who) as session:
            await ledger.lock_pools(session, who, [(each.article, each.warehouse)])
            current = await settling.lock_settlement(session, who, each.settlement_no)
            if current is None or current.state not in ("seen", "waiting", "approved"):
                return Decided(current.state if current else "gone", f"{each.settlement_no} is decided already")
            if looked.physical.unknown != each.quantity:
                text = f"the figure is now {looked.physical.unknown.normalize():f}"
                await settling.move_settlement(session, who, each.settlement_no, "gone", text)
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
            people = await settling.approvals(session, who, each.settlement_no)
            why = f"approved by {people}" if people else why
            seen = f"first seen {each.first_seen_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            reason = f"nobody can explain it; {seen}, {why}"
            number = await settling.book_changes(
                session,
                merchant,
                None if run is None else run.run_no,
                [change],
                "unknown",
                [reason],
                f"settlement/{each.settlement_no}",
                ", ".join(current.approved_by) or ACTOR,
                self._code_version,
            )
            if number is not None:
                await settling.settlement_booked(
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

    # --- what a person decides ----------------------------------------------------------------------------------------

    @activity.defn
    async def decide_difference(self, decision: Decision) -> Decided:
        """Keep the decision; book the difference when enough people have approved and it stands. A repeat finds the outcome."""
        who, number = decision.merchant, decision.number
        async with self._connections.using(who) as (merchant, client):
            async with self._database.merchant(who) as session:
                each = await settling.lock_settlement(session, who, number)
                if each is None:
                    raise Refused("approval-incomplete", f"there is no unknown difference {number}")
                if each.state == "booked":
                    return Decided("booked", f"{each.article}: {each.quantity.normalize():f} is booked")
                if each.state in ("gone", "refused"):
                    return Decided(each.state, f"{each.article}: {each.why}")
                if decision.by.strip().casefold() not in {one.casefold() for one in each.approved_by}:
                    check_approval(each.approved_by, decision.by, decision.reason)
                    verb = "refuse" if decision.refuse else "approve"
                    await settling.decide(session, who, number, decision.by, verb, decision.reason)
                if decision.refuse:
                    text = f"refused by {decision.by}: {decision.reason}"
                    await settling.move_settlement(session, who, number, "refused", text)
                    return Decided("refused", f"{each.article}: {text}")
                each = await settling.lock_settlement(session, who, number)
                assert each is not None
                needed = approvals_needed(
                    settling.value_of(each.quantity, each.unit_cost), merchant.settings.reconciling.tolerances
                )
                if len(each.approved_by) < needed:
                    return Decided("approved-once", f"{each.article}: a second person must approve")
                await settling.move_settlement(session, who, number, "approved", f"approved by {', '.join(each.approved_by)}")
            comparer = Comparer(self._database, client, merchant, decision.at, lambda: activity.heartbeat(number))
            looked = await comparer.look([each.article])
            if not looked:
                return Decided("later", f"{each.article}: the warehouse does not show it now; the next run tries again")
            return await self._book_unknown(comparer, None, each, looked[0], "approved")

    @activity.defn
    async def waiting_differences(self, merchant_id: str) -> list[str]:
        """What waits for a person, in words, the oldest first and the rest as a number; empty when nothing does."""
        async with self._database.merchant(merchant_id) as session:
            found = [each for each in await settling.open_settlements(session, merchant_id) if each.state == "waiting"]
        words = [
            f"{each.settlement_no}: {each.article} {each.quantity.normalize():+f} pieces, {each.why}"
            for each in found[:MOST_SHOWN]
        ]
        return words + ([f"and {len(found) - MOST_SHOWN} more"] if len(found) > MOST_SHOWN else [])

    # --- the file -----------------------------------------------------------------------------------------------------

    @activity.defn
    async def write_reconciliation_file(self, step: Step) -> Written:
        """Write the run's one file and end the run. A run that has ended answers with the file that it has."""
        run = await self._run(step)
        async with self._connections.using(step.merchant) as (merchant, _):
            async with self._database.merchant(step.merchant) as session:
                if run.state == "running":
                    if run.kind == "past" and run.held is None:
                        await self._worth_then(session, merchant, run)
                    covered_by = await _covering(session, run)
                    _, booked_to = await settling.listed(
                        session, run
                    )  # before the bookings are read: a later one is in the next file
                    report = await report_of(session, merchant, run, step.at, covered_by, booked_to)
                    name = f"{report.on}-{step.merchant}-run-{run.run_no}"
                    for kind, content in (("csv", as_csv(report)), ("xlsx", as_xlsx(report)), ("html", as_html(report))):
                        await settling.save_file(session, run, kind, f"{name}.{kind}", content)
                    await settling.finish(session, run, run.cut_at or step.at, covered_by, booked_to or None)
                    if run.kind == "daily":
                        await ran(session, step.merchant, BALANCES.name)
                kept = {row.format: row for row in await settling.files(session, step.merchant, run.run_no)}
                waiting = [one for one in await settling.open_settlements(session, step.merchant) if one.state == "waiting"]
            folder = merchant.settings.reconciling.folder
            if folder:
                for row in kept.values():
                    write_once(Path(folder), row.name, bytes(row.content))
            first = bytes(kept["csv"].content).decode("utf-8-sig").splitlines()[2]
            return Written(first.split(";", 1)[1].strip('"'), bytes(kept["csv"].sha256).hex(), len(waiting))

    async def _worth_then(self, session: Session, merchant: Merchant, run: Run) -> None:
        stocked, value = await reconciling.worth(session, run.merchant, merchant.settings.warehouse)
        await settling.save_worth(session, run, stocked, value)


async def _leave_scrap(comparer: Comparer, corrections: Corrections) -> None:
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
    await comparer.scrap(orders.values(), corrections)


async def report_of(
    session: Session, merchant: Merchant, run: Run, at: datetime, covered_by: int | None = None, booked_to: int | None = None
) -> Report:
    """Everything that the file of a run says, from the tables. `booked_to`: the newest ledger transaction that it may list."""
    found = await settling.found_in(session, run)
    rows = [
        Row(
            row.comparison,
            row.article,
            row.name or "",
            row.warehouse,
            row.ours,
            row.theirs,
            why,
            Decimal(quantity),
            settling.value_of(Decimal(quantity), row.unit_cost),
            document,
            cause or "",
            None if happened is None else datetime.fromisoformat(happened),
        )
        for row in found
        for why, quantity, document, _, cause, happened in row.parts
    ]
    _, stock_value = await settling.totals(session, run)
    days = [Day(row.day, rounded(row.differing), rounded(row.explained)) for row in await settling.last_days(session, run)]
    mine = sum((abs(row.value) for row in rows if row.comparison == "physical" and row.value is not None), ZERO)
    dark = (Why.UNKNOWN, Why.DEFERRED)
    lit = sum(
        (abs(row.value) for row in rows if row.comparison == "physical" and row.value is not None and row.why not in dark), ZERO
    )
    if covered_by is None:
        days = [day for day in days if day.on != run.for_date] + [Day(run.for_date, mine, lit)]
    covers = sorted({run.for_date, *(await settling.covers(session, run))})
    notes = [
        f"Day {day} has no figures of its own in the warehouse and is covered by this run."
        for day in covers
        if day != run.for_date
    ]
    if covered_by is not None:
        notes.append(f"This day is covered by run {covered_by}: {run.held}.")
    return Report(
        run.merchant,
        run.run_no,
        run.kind,
        run.for_date,
        tuple(covers) if covered_by is None else (),
        run.source,
        run.cut_at or at,
        merchant.currency,
        run.articles_read,
        run.ours_only,
        run.theirs_only,
        stock_value,
        tuple(rows),
        tuple(
            Booking(row.what, row.article, row.quantity, row.value, row.account, row.reason, row.transaction_no)
            for row in await settling.bookings_in(session, run, booked_to)
        ),
        tuple(UnmatchedRow(row.side, row.number, row.quantity, row.action) for row in await settling.unmatched_in(session, run)),
        tuple(
            WaitingRow(
                one.settlement_no,
                one.article,
                one.quantity,
                settling.value_of(one.quantity, one.unit_cost),
                one.first_seen_at,
                one.state,
                one.why,
                one.approved_by,
            )
            for one in await settling.open_settlements(session, run.merchant)
        ),
        tuple(sorted(days, key=lambda day: day.on)[-30:]),
        run.held if covered_by is None else None,
        tuple(notes),
        tuple(_rules(merchant)),
    )


def _rules(merchant: Merchant) -> list[str]:
    """By which rules this run booked, for whoever reads the file years later."""
    rules, currency = merchant.settings.reconciling, merchant.currency
    accounts = ", ".join(f"{cause} {account}" for cause, account in sorted(rules.adjustment_accounts.items()))
    stock = merchant.settings.stock_account
    if not rules.settles:
        return ["This merchant's settings say that a reconciliation books nothing."]
    return [
        "What the warehouse has corrected and given a cause is booked between the stock account"
        f" {stock} and account {rules.adjustment_account}{f' ({accounts})' if accounts else ''}.",
        f"What nobody can explain is booked between {stock} and {rules.unknown_difference_account} when the same figure stood"
        f" in two runs at least {rules.looks_apart_hours} hours apart, is at most {rules.tolerated_pieces} pieces and"
        f" {rules.tolerated_value} {currency}, and at most {rules.tolerated_pieces_per_month} pieces and"
        f" {rules.tolerated_value_per_month} {currency} of that article in a month.",
        f"A run that would change more than {rules.most_percent_of_stock_value} % of the stock value, or find every article gone,"
        " books nothing unknown and asks.",
        f"The rest waits for a person; above {rules.second_person_above_value} {currency} for two.",
    ]


async def _covering(session: Session, run: Run) -> int | None:
    """The run that stands for a day of which the warehouse has no figures: today's, which is owed with it."""
    if run.kind != "past" or run.held is None:
        return None
    later = [each for each in await settling.recent_runs(session, run.merchant, 200) if each.kind == "daily"]
    found = [each for each in later if each.for_date > run.for_date]
    return min(found, key=lambda each: each.for_date).run_no if found else None


def delivered(folder: Path) -> list[Path]:
    """The files that lie in a folder, by name; a name that begins with a dot is still being written."""
    return sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))


def write_once(folder: Path, name: str, content: bytes) -> Path:
    """Write a file under its name unless it is there; half a file is never seen under that name."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    if not target.exists() or target.read_bytes() != content:
        part = folder / f".{name}.part"
        part.write_bytes(content)
        part.chmod(0o444)
        part.replace(target)
    return target


def value_or_nothing(each: Open) -> Decimal:
    return settling.value_of(each.quantity, each.unit_cost) or ZERO


def _believe(content: bytes, merchant: Merchant, client: OngoingClient, now: datetime, newest: datetime | None) -> StockFile:
    rules = merchant.settings.reconciling
    awaited = Awaited(client.goods_owner_id, now, timedelta(hours=rules.file_oldest_hours), newest)
    return read_stock_file(content, rules.dialect, awaited)


def _owed(run: Run) -> Owed:
    return Owed(run.run_no, run.for_date, run.kind)


def _cut_of(merchant: Merchant, day: date) -> datetime:
    """The instant that a past day's run stands for: when it would have begun."""
    hour = merchant.settings.reconciling.hour
    return datetime.combine(day, time_of_day(hour), ZoneInfo(merchant.time_zone))


def _month_of(merchant: Merchant, at: datetime) -> datetime:
    local = at.astimezone(ZoneInfo(merchant.time_zone))
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
