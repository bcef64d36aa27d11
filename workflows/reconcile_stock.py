"""The daily reconciliation: every day that is owed, oldest first, each ends with its file.

Which days are owed comes from a watermark in the database and never from the name of the schedule's run, so an outage of any
part, of any length, leaves no day without a file. While the warehouse is away the days go on: the process plans anew, and a day
that is over meanwhile is compared with the warehouse's figures of that day. Open questions go to a process of their own, so that
they never hold up tomorrow.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.reconcile import Owed, Progress, Reconcile, Settlement, Step, Wish, Written
    from workflows import attributes, options
    from workflows.approve_differences import ApproveDifferences
    from workflows.patient import GAVE_WAY, Patient

PLAN_ANEW = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class ToReconcile:
    """One merchant's reconciliation: `daily`, `on-demand`, `past` (with `on`) or `file` (those delivered, or the one named)."""

    merchant: str
    kind: str = "daily"
    on: date | None = None
    file: str | None = None


@workflow.defn
class ReconcileStock(Patient):
    """Plan, compare, settle, write; until no day is owed."""

    def __init__(self) -> None:
        super().__init__()
        self._time_has_passed = False
        self._progress = ""

    @workflow.run
    async def run(self, wanted: ToReconcile) -> list[str]:
        """Returns one sentence for each run. Never fails."""
        self.merchant, self.kind, self.document = wanted.merchant, "reconcile", wanted.merchant
        self._enter("planning", "warehouse")
        clock = asyncio.create_task(self._watch_the_clock())
        said: list[str] = []
        while True:
            self._time_has_passed = False
            owed: list[Owed] | object = await self._ask(
                Reconcile.plan_reconciliation, lambda: self._wish(wanted), "Which days are owed"
            )
            if owed is GAVE_WAY:
                continue
            assert isinstance(owed, list)
            written = [await self._reconcile(each) for each in owed]
            said += [sentence for sentence in written if sentence is not None]
            if wanted.kind != "daily" and None not in written:
                break
            if not owed:
                break
        clock.cancel()
        with suppress(asyncio.CancelledError):
            await clock
        await workflow.wait_condition(workflow.all_handlers_finished)
        return said

    async def _reconcile(self, owed: Owed) -> str | None:
        """One run to its file; None when so much time has passed that the days must be counted anew."""
        if self._time_has_passed:
            return None
        self._enter("comparing", "warehouse")
        while True:
            progress: Progress | object = await self._ask(
                Reconcile.compare_stock, lambda: self._step(owed), f"Compare stock, run {owed.run_no} for {owed.on}"
            )
            if not isinstance(progress, Progress):
                return None
            of = f" of about {progress.of}" if progress.of else ""
            self._show_progress(
                f"run {owed.run_no} for {owed.on}: {progress.read}{of} articles compared, {progress.differing} differ"
            )
            if progress.done:
                break
        if owed.kind != "past":
            self._enter("settling", "erp")
            settled: Settlement | object = await self._ask(
                Reconcile.settle_differences, lambda: self._step(owed), f"Settle what may be settled of run {owed.run_no}"
            )
            if not isinstance(settled, Settlement):
                return None
        self._enter("writing", "erp")
        written: Written | object = await self._ask(
            Reconcile.write_reconciliation_file, lambda: self._step(owed), f"Write the file of run {owed.run_no}"
        )
        if not isinstance(written, Written):
            return None
        self._show_progress("")
        self._tell(f"{owed.on}: {written.headline}")
        if written.waiting:
            await self._ask_people()
        return f"{owed.on}: {written.headline}"

    async def _ask_people(self) -> None:
        """Open questions live in a process of their own; one that runs already is told to look."""
        name = f"differences/{self.merchant}"
        try:
            await workflow.start_child_workflow(
                ApproveDifferences.run,
                self.merchant,
                id=name,
                parent_close_policy=ParentClosePolicy.ABANDON,
                search_attributes=attributes.at_start(self.merchant, self.merchant, "waiting", workflow.now()),
            )
        except WorkflowAlreadyStartedError:
            with suppress(ApplicationError):  # it may have ended just now: the next run starts another
                await workflow.get_external_workflow_handle_for(ApproveDifferences.run, name).signal(ApproveDifferences.look)

    async def _watch_the_clock(self) -> None:
        while True:
            await workflow.sleep(PLAN_ANEW, summary="Plan anew if the warehouse is still away")
            self._time_has_passed = True

    async def _ask(self, does: Any, argument: Any, summary: str) -> Any:
        return await self.step(
            does,
            argument,
            summary,
            options.ONGOING_QUEUE,
            give_way=lambda: self._time_has_passed,
            try_again_after=options.UNATTENDED,
            start_to_close_timeout=options.LONG_STEP,
        )

    def _wish(self, wanted: ToReconcile) -> Wish:
        request = f"{workflow.info().workflow_id}/{workflow.info().run_id}"
        return Wish(wanted.merchant, workflow.now(), request, wanted.kind, wanted.on, wanted.file)

    def _step(self, owed: Owed) -> Step:
        return Step(self.merchant, owed.run_no, workflow.now())

    def _show_progress(self, words: str) -> None:
        self._progress = words
        self._show()

    def _show(self) -> None:
        super()._show()
        if self._progress:
            workflow.set_current_details(f"{workflow.get_current_details()}\n\nNow: {self._progress}")
