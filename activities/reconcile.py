"""The daily reconciliation's steps: which days are owed, compare, settle, write the file; and what a person decides.

Each step finds what former attempts have left.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.compare_stock import Comparer, Unmatched
from activities.connections import Connections
from activities.how_it_counts import prove_counting, settings_of
from activities.reconciliation_file import covering, report_of, write_once
from activities.settle import Decided, Settler
from activities.spreadsheets import as_xlsx
from activities.stock_deliveries import StockDeliveries, believe
from activities.sweep_stock import Sweep
from clients.errors import Rejected
from clients.ongoing import OngoingClient
from clients.sftp import SftpClient
from domain.difference_decisions import DifferenceDecision, DifferenceSituation, too_late
from domain.errors import Refused
from domain.flows import BALANCES
from domain.how_it_counts import in_the_way
from domain.reconciliation_csv import CsvForm, as_csv, headline_in
from domain.reconciliation_page import as_html
from domain.reconciling import (
    Kin,
    Why,
    approvals_needed,
    check_approval,
    kindred,
    value_of,
)
from domain.stock_files import StockFile
from erp import differences, reconciliation_bookings, reconciliation_runs, reconciling, settlements, stock_files
from erp.database import Database, Session
from erp.differences import Found
from erp.exceptions import keep_notes
from erp.merchants import Merchant
from erp.people import audit, audited
from erp.reconciliation_runs import Run
from erp.watching import ran

SLICE_SECONDS, FIRST_SLICE_SECONDS = 20.0, 3.0
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
    """How far a comparison is: articles read, of about how many, and how many of them differ on the shelf so far."""

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
    key: str = ""


class Reconcile:
    """Warehouse against books."""

    def __init__(
        self,
        database: Database,
        connections: Connections[OngoingClient],
        code_version: str,
        sftp: Connections[SftpClient],
    ) -> None:
        self._database = database
        self._connections = connections
        self._deliveries = StockDeliveries(database, sftp)
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
                    run = await reconciliation_runs.begin_run(
                        session, wish.merchant, "on-demand", today, wish.request, "api", settles
                    )
                    return [_owed(run)]
                if wish.kind == "past":
                    day = wish.on or today
                    if day >= today:
                        raise Refused("settings-wrong", f"{day} is not past: run the reconciliation of today")
                    request = f"past/{day}/{wish.request}"
                    run = await reconciliation_runs.begin_run(
                        session, wish.merchant, "past", day, request, "history", False, _cut_of(merchant, day)
                    )
                    return [_owed(run)] if run.state == "running" else []
                return await self._days(session, merchant, wish, today, settles)

    async def _days(self, session: Session, merchant: Merchant, wish: Wish, today: date, settles: bool) -> list[Owed]:
        last = await reconciliation_runs.watermark(session, wish.merchant)
        first = today if last is None else last + timedelta(days=1)
        owed = []
        for number in range((today - first).days):
            day = first + timedelta(days=number)
            await reconciliation_runs.make_past(session, wish.merchant, day, _cut_of(merchant, day))
            run = await reconciliation_runs.begin_run(
                session, wish.merchant, "past", day, f"past/{day}", "history", False, _cut_of(merchant, day)
            )
            if run.state == "running":
                owed.append(_owed(run))
        if first <= today:
            run = await reconciliation_runs.begin_run(session, wish.merchant, "daily", today, f"daily/{today}", "api", settles)
            if run.state == "running":
                owed.append(_owed(run))
        return owed

    async def _plan_files(self, merchant: Merchant, client: OngoingClient, wish: Wish) -> list[Owed]:
        """Runs for delivered files that are new and believed. One that is refused is kept with the reason, and listed."""
        owner = client.goods_owner_id
        if wish.file:
            found = await self._deliveries.owed_for(merchant, owner, wish.at, Path(wish.file))
        else:
            found = await self._deliveries.owed(merchant, owner, wish.at)
        return [Owed(run_no, on, "file") for run_no, on in found]

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
            comparer = Comparer(self._database, client, merchant, step.at, lambda: activity.heartbeat(read), run.cut_at, given)

            async def save(found: Sequence[Found], lonely: Sequence[Unmatched], position: int, count: int, swept: bool) -> bool:
                nonlocal run, read
                extra = unmatched if swept else []
                async with self._database.merchant(step.merchant) as session:
                    run = await differences.save_page(session, run, found, [*lonely, *extra], position, count, swept)
                read = run.articles_read
                return time.monotonic() < ends_at

            await Sweep(comparer, run.kind != "file").over(run.position, save)
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
            content = await stock_files.stock_file(session, run.merchant, run.input_hash)
        assert content is not None
        # It was believed when it was taken: its age is not judged again, however long the run takes to begin.
        file = believe(content, merchant, client.goods_owner_id, run.cut_at or run.started_at, None)
        return await self._by_their_ids(merchant, run, file)

    async def _by_their_ids(self, merchant: Merchant, run: Run, file: StockFile) -> tuple[dict[int, Decimal], list[Unmatched]]:
        given: dict[int, Decimal] = {}
        unmatched: list[Unmatched] = []
        numbers = sorted(file.quantities)
        warehouse = merchant.settings.warehouse
        async with self._database.merchant(run.merchant) as session:
            for start in range(0, len(numbers), 1000):
                some = numbers[start : start + 1000]
                known = {one.article: one for one in await reconciling.balances_of(session, run.merchant, warehouse, some)}
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
                for one in await reconciling.balances_of(session, run.merchant, warehouse, some):
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
            await reconciliation_runs.hold(session, run, f"the warehouse has no figures of that day ({refusal[:200]})")
            await differences.save_page(session, run, [], [], run.position, 0, True)
        return Progress(True, 0, 0)

    async def _differing(self, run: Run) -> int:
        async with self._database.merchant(run.merchant) as session:
            return await differences.differing(session, run)

    async def _run(self, step: Step) -> Run:
        async with self._database.merchant(step.merchant) as session:
            run = await reconciliation_runs.load_run(session, step.merchant, step.run_no)
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
                known, _ = await reconciliation_runs.totals(session, run)
                if not known and not await reconciliation_bookings.bookings_in(session, run, 0):
                    await reconciliation_runs.save_worth(session, run, stocked, value)
            comparer = Comparer(self._database, client, merchant, step.at, lambda: activity.heartbeat(run.run_no))
            settler = Settler(comparer, self._code_version)
            corrected = await settler.book_adjustments(run)
            taken_back = await settler.take_back(run)
            unproved = (
                None if comparer.rules.counting_is_known else in_the_way(await prove_counting(comparer), settings_of(comparer))
            )
            unknown, waiting, held = await settler.settle_unknown(run, unproved)
            await self._note(run, held, "counting-not-proved" if held and held == unproved else "reconciliation-held")
            return Settlement(corrected, taken_back, unknown, waiting, held)

    async def _tie(self, run: Run) -> None:
        """Unknown differences that are each other's opposite on near-twins or renamed articles are not unknown any more."""
        async with self._database.merchant(run.merchant) as session:
            unknown = await differences.unknown_in(session, run)
            found = kindred([Kin(row.article, row.twin_key, row.replaces, row.quantity) for row in unknown])
            places = {row.article: row.warehouse for row in unknown}
            for article, (why, other) in sorted(found.items()):
                await differences.tie(session, run, article, places[article], why.value, other)

    async def _note(self, run: Run, held: str | None, code: str) -> None:
        """What a person must mend is listed beside everything else that waits for people, as long as it is so."""
        if run.kind == "file":
            return
        async with self._database.merchant(run.merchant) as session:
            to_mend: dict[str, str] = {}
            for row in await differences.found_in(session, run):
                for why, quantity, document, _, cause, _ in row.parts if row.comparison == "physical" else ():
                    if why in TO_MEND:
                        words = f"{row.article}: {Decimal(quantity).normalize():+f} pieces, {why} {cause or document}"
                        to_mend[row.article] = f"{words} (run {run.run_no})"
            who, by = run.merchant, f"run {run.run_no}"
            await keep_notes(session, who, "article", "difference-to-mend", to_mend, by)
            for each in ("reconciliation-held", "counting-not-proved"):
                note = {who: f"run {run.run_no}: {held}"} if held and each == code else {}
                await keep_notes(session, who, "reconciliation", each, note, by)

    # --- what a person decides ----------------------------------------------------------------------------------------

    @activity.defn
    async def decide_difference(self, decision: Decision) -> Decided:
        """Keep the decision; book the difference when enough people have approved and it stands. A repeat finds the outcome."""
        who, number = decision.merchant, decision.number
        async with self._connections.using(who) as (merchant, client):
            async with self._database.merchant(who) as session:
                each = await settlements.lock_settlement(session, who, number)
                if each is None:
                    raise Refused(
                        "approval-incomplete", f"there is no unknown difference {number}: lagerbro reconcile show lists them"
                    )
                wish = DifferenceDecision.REFUSE if decision.refuse else DifferenceDecision.APPROVE
                await _claim_key(session, decision, wish)
                if why := too_late(wish, DifferenceSituation(each.state)):
                    return Decided(each.state, f"{each.article} {each.quantity.normalize():f}: {why} ({each.why})")
                if decision.by.strip().casefold() not in {one.casefold() for one in each.approved_by}:
                    check_approval(each.approved_by, decision.by, decision.reason)
                    await settlements.decide(session, who, number, decision.by, wish.value, decision.reason)
                if decision.refuse:
                    text = f"refused by {decision.by}: {decision.reason}"
                    await settlements.move_settlement(session, who, number, "refused", text)
                    return Decided("refused", f"{each.article}: {text}")
                each = await settlements.lock_settlement(session, who, number)
                assert each is not None
                needed = approvals_needed(value_of(each.quantity, each.unit_cost), merchant.settings.reconciling.tolerances)
                if len(each.approved_by) < needed:
                    return Decided("approved-once", f"{each.article}: a second person must approve")
                await settlements.move_settlement(session, who, number, "approved", f"approved by {', '.join(each.approved_by)}")
            comparer = Comparer(self._database, client, merchant, decision.at, lambda: activity.heartbeat(number))
            looked = await comparer.look([each.article])
            if not looked:
                return Decided("later", f"{each.article}: the warehouse does not show it now; the next run tries again")
            return await Settler(comparer, self._code_version).book_unknown(None, each, looked[0], "approved")

    @activity.defn
    async def waiting_differences(self, merchant_id: str) -> list[str]:
        """What waits for a person, in words, the oldest first and the rest as a number; empty when nothing does."""
        async with self._database.merchant(merchant_id) as session:
            found = [each for each in await settlements.open_settlements(session, merchant_id) if each.state == "waiting"]
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
                    await reconciliation_runs.one_file_at_a_time(session, step.merchant)
                    if not run.settles:
                        await self._worth_now(session, merchant, run)
                    covered_by = await covering(session, run)
                    _, booked_to = await reconciliation_bookings.listed(
                        session, run
                    )  # before the bookings are read: a later one is in the next file
                    report = await report_of(session, merchant, run, step.at, covered_by, booked_to)
                    name = f"{report.on}-{step.merchant}-run-{run.run_no}"
                    form = CsvForm.of(merchant.country, merchant.settings.reconciling.csv_decimal_mark)
                    book = await asyncio.to_thread(as_xlsx, report)  # seconds of it: the loop must go on beating
                    for kind, content in (("csv", as_csv(report, form)), ("xlsx", book), ("html", as_html(report))):
                        await reconciliation_runs.save_file(session, run, kind, f"{name}.{kind}", content)
                    await reconciliation_runs.finish(session, run, run.cut_at or step.at, covered_by, booked_to or None)
                    if run.kind == "daily":
                        await ran(session, step.merchant, BALANCES.name)
                kept = {row.format: row for row in await reconciliation_runs.files(session, step.merchant, run.run_no)}
                waiting = [one for one in await settlements.open_settlements(session, step.merchant) if one.state == "waiting"]
            folder = merchant.settings.reconciling.folder
            if folder:
                for row in kept.values():
                    write_once(Path(folder), row.name, bytes(row.content))
            return Written(headline_in(bytes(kept["csv"].content)), bytes(kept["csv"].sha256).hex(), len(waiting))

    async def _worth_now(self, session: Session, merchant: Merchant, run: Run) -> None:
        stocked, value = await reconciling.worth(session, run.merchant, merchant.settings.warehouse)
        await reconciliation_runs.save_worth(session, run, stocked, value)


def _owed(run: Run) -> Owed:
    return Owed(run.run_no, run.for_date, run.kind)


def _cut_of(merchant: Merchant, day: date) -> datetime:
    """The instant that a past day's run stands for: when it would have begun."""
    hour = merchant.settings.reconciling.hour
    return datetime.combine(day, time_of_day(hour), ZoneInfo(merchant.time_zone))


async def _claim_key(session: Session, decision: Decision, wish: DifferenceDecision) -> None:
    """Keep a decision under its caller's key: the same again finds its outcome, another one under that key is refused."""
    if not decision.key:
        return
    said = {"actor": decision.by, "action": f"{wish.value}-difference", "kind": "difference", "document": str(decision.number)}
    if await audit(session, decision.merchant, **said, reason=decision.reason, request_key=decision.key):
        return
    held = await audited(session, decision.merchant, decision.key) or {}
    if any(held.get(name) != value for name, value in said.items()):
        text = f"the key {decision.key} was used for another decision or correction: take a new one"
        raise Refused("approval-incomplete", text)
