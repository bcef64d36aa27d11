"""Unknown differences that wait for people: it shows them, takes decisions, and ends when none is left.

A process of its own, so that one open question never stops tomorrow's reconciliation. The decisions are rows; a repeat of one
finds its outcome.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.reconcile import Decision, Reconcile
    from activities.settle import Decided
    from workflows import options
    from workflows.patient import Patient

LOOK_AGAIN = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person sends: which unknown difference, who they are and why. `refuse`: it must not be booked.

    `key` is the caller's own: the same key is decided once."""

    number: int
    by: str
    reason: str
    refuse: bool = False
    key: str = ""


@workflow.defn
class ApproveDifferences(Patient):
    """Wait for decisions until nothing waits."""

    @workflow.init
    def __init__(self, merchant: str) -> None:
        super().__init__()
        # Here and not in `run`: a decision that starts the process is taken before `run` begins.
        self.merchant, self.kind, self.document = merchant, "differences", merchant
        self._look_owed = True
        self._taken = 0

    @workflow.run
    async def run(self, merchant: str) -> int:
        """Returns how many decisions were taken. Never fails."""
        self._enter("waiting", "person")
        while True:
            self._look_owed = False
            waiting: list[str] = await self.step(
                Reconcile.waiting_differences, merchant, "What waits for a person", options.ONGOING_QUEUE
            )
            if not waiting:
                await self._free("approval")
                await workflow.wait_condition(workflow.all_handlers_finished)
                if not self._look_owed:
                    return self._taken
                continue
            await self._block("approval", "difference-needs-approval", "; ".join(waiting))
            try:
                await workflow.wait_condition(lambda: self._look_owed, timeout=LOOK_AGAIN)
            except TimeoutError:
                self._look_owed = True
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(merchant)

    @workflow.signal
    def look(self) -> None:
        """Something may have changed. Saying it twice is harmless."""
        self._look_owed = True

    @workflow.update(description='Decide. {"number": 7, "by": "...", "reason": "...", "refuse": false}')
    async def approve(self, approval: Approval) -> str:
        """Approve or refuse an unknown difference; answers what became of it."""
        return await self._decide(approval)

    @approve.validator
    def _may_decide(self, approval: Approval) -> None:
        if approval.number < 1 or not approval.by.strip() or not approval.reason.strip():
            raise ApplicationError("a decision names the number of the difference, who and why", type="approval-incomplete")

    @workflow.signal(name="approve", description="The same as the update, for many at once.")
    async def approve_signal(self, approval: dict[str, Any]) -> None:
        """The same as the update; what is refused is told in the details, and nothing is lost."""
        try:
            given = Approval(
                int(approval.get("number", 0)),
                str(approval.get("by", "")),
                str(approval.get("reason", "")),
                bool(approval.get("refuse", False)),
                str(approval.get("key", "")),
            )
            self._tell(await self._decide(given))
        except (ApplicationError, ValueError, TypeError) as refused:
            self._tell(f"a decision was not taken: {refused}")

    async def _decide(self, approval: Approval) -> str:
        decision = Decision(
            self.merchant, approval.number, approval.by, approval.reason, workflow.now(), approval.refuse, approval.key
        )
        try:
            decided: Decided = await workflow.execute_activity_method(
                Reconcile.decide_difference,
                decision,
                task_queue=options.ONGOING_QUEUE,
                summary=f"Decision of {approval.by} about {approval.number}",
                start_to_close_timeout=options.ONE_STEP,
                heartbeat_timeout=options.SIGN_OF_LIFE,
                schedule_to_close_timeout=options.PATIENCE,
                retry_policy=options.SOON,
                priority=Priority(fairness_key=self.merchant),
            )
        except ActivityError as error:
            cause = error.cause
            words = cause.message if isinstance(cause, ApplicationError) else str(cause)
            code = cause.type if isinstance(cause, ApplicationError) else "no-answer"
            raise ApplicationError(words, type=code or "no-answer", non_retryable=True) from None
        self._taken += 1
        self._look_owed = True
        self._tell(f"{approval.by} about {approval.number} ({approval.reason}): {decided.text}")
        return f"{decided.outcome}: {decided.text}"
