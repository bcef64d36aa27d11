"""One return, from its announcement in the ERP, or from the day it was seen in the warehouse, to its last credit in Fortnox.

The process carries keys and small facts. Messages only say "look again": what came back is read from the counters of the order's
lines. A return without goods (a credit by decision) takes the same way and never asks the warehouse.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.fortnox import Fortnox
    from activities.returns import Returns
    from domain.keys import BasisKey, Decision, ReturnKey, ReturnState
    from domain.text import keepable
    from workflows import options
    from workflows.patient import GAVE_WAY, Correction, Patient


@workflow.defn
class ReceiveReturn(Patient):
    """Announce, look when nudged, credit what came back, until nothing is owed."""

    def __init__(self) -> None:
        super().__init__()
        self._look_owed = False
        self._changed = False
        self._cancel_asked = False
        self._decisions: list[Correction] = []

    @workflow.run
    async def run(self, back: ReturnKey) -> str:
        """Returns how it ended: `completed` or `cancelled`. Never fails."""
        self.merchant, self.kind, self.document = back.merchant, "return", back.number
        state = await self._ask(Returns.announce_return, back, f"Announce return {back.number} to the warehouse")
        while state.outcome is None:
            state = await self._credit(state)
            if state.outcome is None:
                await self._wait(state)
                state = await self._next(back)
        self._tell_end(state.outcome)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state.outcome

    async def _credit(self, state: ReturnState) -> ReturnState:
        while state.to_credit:
            self._enter("crediting", "accounting")
            basis: BasisKey = state.to_credit[0]
            result = await self.step(
                Fortnox.credit_return,
                lambda basis=basis: replace(basis, again=self._person_saw == "invoice-cancelled-by-hand"),
                f"Credit basis {basis.basis}",
                options.FORTNOX_QUEUE,
                part="credit",
                give_way=self._something_to_do,
            )
            if result is GAVE_WAY:
                return ReturnState(state.stage)
            state = result
            self._tell(f"credited basis {basis.basis}" + (f": {state.said}" if state.said else ""))
        await self._free("credit")
        return state

    async def _wait(self, state: ReturnState) -> None:
        if self._blocked is None:
            self._enter(state.stage if state.stage != "crediting" else "at-warehouse", "warehouse")
        if state.look_after is None:
            # No deadline: goods take their time, and the watcher finds what nobody told.
            await workflow.wait_condition(self._something_to_do)
            return
        try:
            await workflow.wait_condition(
                self._something_to_do, timeout=timedelta(seconds=state.look_after), timeout_summary="Look again"
            )
        except TimeoutError:
            self._look_owed = True

    async def _next(self, back: ReturnKey) -> ReturnState:
        self._look_owed = False
        while self._decisions:
            decision = self._decisions.pop(0)
            await self.step(
                Returns.settle_without_credit,
                Decision(back.merchant, back.number, decision.by, decision.reason),
                f"Settle return {back.number} without credit",
                options.ONGOING_QUEUE,
                part="decision",
            )
            self._tell(f"{decision.by}: not credited ({decision.reason})")
        if self._cancel_asked:
            self._cancel_asked = False
            self._tell("the ERP asks to cancel")
            return await self._ask(Returns.cancel_return, back, f"Cancel return {back.number} in the warehouse")
        if self._changed:
            self._changed = False
            return await self._ask(Returns.announce_return, back, f"Announce return {back.number} to the warehouse")
        return await self._ask(Returns.look_at_return, back, "Read what has come back")

    async def _ask(self, does: Any, back: ReturnKey, summary: str) -> ReturnState:
        """A step that reads the warehouse. While it is blocked, whatever is said anew makes it read again."""
        state = await self.step(does, back, summary, options.ONGOING_QUEUE, part="look", give_way=self._something_to_do)
        if state is GAVE_WAY:
            return ReturnState("at-warehouse")
        result: ReturnState = state
        return result

    def _something_to_do(self) -> bool:
        return self._look_owed or self._changed or self._cancel_asked or bool(self._decisions)

    @workflow.signal(description="Something may have come back: look again. Saying it twice is harmless.")
    def look(self) -> None:
        """Something may have come back. Saying it twice is harmless."""
        self._look_owed = True

    @workflow.signal(description="The ERP has changed the return.")
    def erp_changed(self) -> None:
        """The ERP has changed the return: what stands still is tried again."""
        self._changed = True
        self._retry()

    @workflow.signal(description="The ERP asks to cancel the return.")
    def cancel_asked(self) -> None:
        """The ERP asks to cancel the return."""
        self._cancel_asked = True
        self._retry()

    @workflow.update(description='Do not credit what came back: an exchange, a claim. {"by": "...", "reason": "..."}')
    async def settle_without_credit(self, correction: Correction) -> str:
        """Do not credit what came back. Who and why are kept."""
        self._decisions.append(correction)
        return f"return {self.document} is settled without credit"

    @settle_without_credit.validator
    def _needs_a_name(self, correction: Correction) -> None:
        if not (correction.by.strip() and correction.reason.strip() and keepable(correction.by, correction.reason)):
            raise ApplicationError("by and reason must say who and why, in signs that can be kept: both are", type="no-name")

    @workflow.query(description="Where the return is, in one object.")
    def where(self) -> dict[str, str | None]:
        """Where the return is."""
        return {"stage": self._stage, "blocked": self._blocked, "what": self._blocked_text or None}
