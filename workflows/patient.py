"""Steps that wait, for the other system or for a person, instead of failing.

The one mixin of the project. A step that time cures is retried; when it has lasted too long the process says so and goes on
slowly. A step that a person must cure says why, who, and what to send, and waits for the answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as OutOfTime

with workflow.unsafe.imports_passed_through():
    from activities.erp import Erp
    from domain.keys import Blocked
    from domain.reasons import REASONS
    from workflows import attributes, options


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person sends: who they are and why. Both are kept. `key` is the caller's own: the same key is done once."""

    by: str
    reason: str
    key: str = ""


WHO_ACTS = {
    "erp": "whoever keeps the ERP's orders, articles and customers",
    "warehouse": "the warehouse",
    "accounting": "accounting, in Fortnox or in the merchant's settings",
    "person": "a person who decides",
    "system": "nobody: it is tried again by itself",
}
"""The values of `WaitingFor` in the words of the order's page."""
WAITED_FOR = {options.ONGOING_QUEUE: "warehouse", options.FORTNOX_QUEUE: "accounting"}
GAVE_WAY = object()
"""What a blocked step returns when something more urgent than its own answer has turned up."""


class Patient:
    """State and steps of a process that never fails. A subclass sets `merchant`, `kind` and `document` first."""

    merchant: str
    kind: str
    document: str

    def __init__(self) -> None:
        self._stage = "sending"
        self._story: list[str] = []
        self._blocked: str | None = None
        self._blocked_text = ""
        self._blocked_part = ""
        self._blocked_at: datetime | None = None
        self._answered = False
        self._person_saw: str | None = None
        self._waiting_for: str | None = None
        self._attempting = ""
        self._correcting = False
        self._outcome: str | None = None

    async def step(
        self,
        does: Callable[..., Any],
        argument: Any,
        summary: str,
        queue: str,
        give_way: Callable[[], bool] = lambda: False,
        try_again_after: timedelta | None = None,
        part: str = "",
        **settings: Any,
    ) -> Any:
        """Run one activity to its end. Returns `GAVE_WAY` only while blocked, and only when `give_way` says so.

        A block belongs to its `part` of the process: another part that goes well does not clear it.
        `argument` may be a function, asked anew for each try: what a person decided may have changed it. With
        `try_again_after` a refusal too is tried again by itself, for processes that nobody waits for.
        """
        patience: timedelta | None = options.PATIENCE
        refusals = 0
        while True:
            self._answered = False
            self._attempting = part
            attempt = workflow.start_activity(
                does,
                argument() if callable(argument) else argument,
                task_queue=queue,
                summary=summary,
                schedule_to_close_timeout=patience,
                retry_policy=options.SOON if patience else options.LATER,
                priority=Priority(fairness_key=self.merchant),
                **({"start_to_close_timeout": options.ONE_STEP, "heartbeat_timeout": options.SIGN_OF_LIFE} | settings),
            )
            if patience is None:
                await workflow.wait_condition(lambda attempt=attempt: attempt.done() or self._answered or give_way())  # type: ignore[misc]
                if not attempt.done():
                    attempt.cancel()
            try:
                result = await attempt
            except ActivityError as error:
                self._attempting = ""
                if is_cancelled_exception(error):
                    if self._answered:
                        continue
                    if give_way():
                        return GAVE_WAY
                    raise
                cause = _last_of(error)
                if not (isinstance(cause, ApplicationError) and cause.non_retryable):
                    code = cause.type if isinstance(cause, ApplicationError) and cause.type in REASONS else "no-answer"
                    await self._block(part, code or "no-answer", f"{summary}: {_words(cause)}", WAITED_FOR.get(queue))
                    patience = None
                    continue
                code = cause.type if cause.type in REASONS else "unexpected-refusal"
                await self._block(part, code or "unexpected-refusal", cause.message)
                # Ever more seldom: a process that is blocked for months must not fill its history.
                pause = min(try_again_after * 2**refusals, max(options.SELDOM, try_again_after)) if try_again_after else None
                refusals = min(refusals + 1, 10)
                if not await self._answer(give_way, pause):
                    return GAVE_WAY
                patience = options.PATIENCE
            else:
                self._attempting = ""
                await self._free(part)
                return result

    async def _answer(self, give_way: Callable[[], bool], try_again_after: timedelta | None) -> bool:
        """Wait until somebody says what to do; False when something more urgent has turned up."""
        try:
            await workflow.wait_condition(
                lambda: (self._answered or give_way()) and not self._correcting, timeout=try_again_after
            )
        except TimeoutError:
            return True
        return self._answered

    def _enter(self, stage: str, waiting_for: str | None = None) -> None:
        """Show where the process is. One update of the attributes, and only when the stage is new."""
        if stage == self._stage:
            return
        self._stage, self._waiting_for = stage, waiting_for
        workflow.upsert_search_attributes(
            [
                attributes.STAGE.value_set(stage),
                attributes.STAGE_SINCE.value_set(workflow.now()),
                attributes.WAITING_FOR.value_set(waiting_for) if waiting_for else attributes.WAITING_FOR.value_unset(),
            ]
        )
        self._show()

    async def _block(self, part: str, code: str, text: str, system: str | None = None) -> None:
        """Say why nothing goes on. `system`: who has not answered, where nobody has to act."""
        if self._blocked == code and self._blocked_text == text:
            return
        self._blocked, self._blocked_text, self._blocked_part = code, text, part
        since = self._blocked_at or workflow.now()
        self._blocked_at = since
        workflow.upsert_search_attributes(
            [
                attributes.BLOCKED_REASON.value_set(code),
                attributes.BLOCKED_SINCE.value_set(since),
                attributes.WAITING_FOR.value_set(system if system and REASONS[code].who == "system" else REASONS[code].who),
            ]
        )
        self._show()
        await self._note(Erp.open_exception, Blocked(self.merchant, self.kind, self.document, code, text))

    async def _free(self, part: str) -> None:
        if self._blocked is None or self._blocked_part != part:
            return
        blocked = Blocked(self.merchant, self.kind, self.document, self._blocked, self._blocked_text)
        self._blocked, self._blocked_text, self._blocked_at = None, "", None
        workflow.upsert_search_attributes(
            [
                attributes.BLOCKED_REASON.value_unset(),
                attributes.BLOCKED_SINCE.value_unset(),
                attributes.WAITING_FOR.value_set(self._waiting_for)
                if self._waiting_for
                else attributes.WAITING_FOR.value_unset(),
            ]
        )
        self._person_saw = None
        self._show()
        await self._note(Erp.close_exceptions, blocked)

    async def _note(self, does: Callable[..., Any], blocked: Blocked) -> None:
        await workflow.execute_local_activity(
            does, blocked, start_to_close_timeout=options.OUR_OWN_DATABASE, retry_policy=options.SOON
        )

    def _tell(self, line: str) -> None:
        """Add a line to what has happened, shown in the UI. The newest twenty are kept."""
        self._story = [*self._story, f"{workflow.now():%Y-%m-%d %H:%M} {line}"][-20:]
        self._show()

    def _tell_end(self, outcome: str) -> None:
        """It has ended: nothing more can be sent to it."""
        self._outcome = outcome
        self._tell(f"ended: {outcome}")

    def _show(self) -> None:
        lines = [f"**{self.document}** ({self.merchant}): {self._outcome or self._stage}"]
        if self._blocked and self._blocked_at:
            reason = REASONS[self._blocked]
            lines += [
                "",
                f"**Stands still since {self._blocked_at:%Y-%m-%d %H:%M} UTC:** {reason.sentence}",
                "",
                f"- what: {self._blocked_text}",
                f"- who acts: {WHO_ACTS[reason.who]}",
                f"- what to do: {reason.remedy}",
                '- then send the update `retry_now` with `{"by": "your name", "reason": "what was mended"}`',
            ]
        lines += [] if self._outcome else self._offers()
        lines += ["", "What has happened:", "", *(f"- {line}" for line in self._story)] if self._story else []
        workflow.set_current_details("\n".join(lines))

    def _offers(self) -> list[str]:
        """What else a person may send now, for the details in the UI."""
        return []

    def _retry(self) -> None:
        self._answered = True

    @workflow.update(description='Try again what stands still. {"by": "...", "reason": "..."}')
    async def retry_now(self, correction: Correction) -> str:
        """Try again what stands still. Refused when nothing does."""
        await self._tried_again(correction)
        return f"{self.document} is tried again"

    @retry_now.validator
    def _may_retry(self, correction: Correction) -> None:
        self._check_retry(correction)

    @workflow.signal(name="retry_now", description="The same as the update, for many at once.")
    async def retry_now_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update, for many at once: a wrong shape is taken as no name, not dropped."""
        if self._blocked is not None:
            by, reason = str(correction.get("by", "somebody")), str(correction.get("reason", "no reason given"))
            await self._tried_again(Correction(by, reason, str(correction.get("key", ""))))

    async def _tried_again(self, correction: Correction) -> None:
        self._decided(correction.by, correction.reason)

    def _check_retry(self, correction: Correction) -> None:
        self._must_be_blocked()

    def _decided(self, by: str, reason: str) -> None:
        """A person wants it tried again: what they were shown, `_person_saw`, is what they decided about."""
        self._person_saw = self._blocked
        self._tell(f"{by}: try again ({reason})")
        self._retry()

    def _must_be_blocked(self) -> None:
        if self._blocked is None:
            raise ApplicationError(f"{self.document} is not standing still: there is nothing to retry", type="not-blocked")


def _last_of(error: ActivityError) -> BaseException | None:
    """What the last attempt said. Where the time ran out during an attempt, or while the next one was awaited, that is behind it.

    Orders that stood still before this was looked for replay as they were.
    """
    cause = error.cause
    behind = cause
    while isinstance(behind, OutOfTime) and behind.cause is not None:
        behind = behind.cause
    if isinstance(behind, ApplicationError) and behind is not cause and workflow.patched("the-last-failure-is-told"):
        return behind
    return cause


def _words(cause: BaseException | None) -> str:
    return cause.message if isinstance(cause, ApplicationError) else str(cause)
