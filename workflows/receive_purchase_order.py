"""One purchase order, from the day it is placed in the ERP until nothing more is expected of it.

The process carries keys and small facts. Messages only say "look again": what came in is read from the counters of the
warehouse's lines. What comes after the end starts another run.
"""

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.purchases import Purchases
    from domain.keys import PurchaseKey, PurchaseState
    from workflows import options
    from workflows.patient import GAVE_WAY
    from workflows.purchase_corrections import CorrectablePurchase

TRY_AGAIN = timedelta(minutes=10)
"""A rate, a setting or an article that was missing may have come meanwhile: nobody need say so."""
BRISK = timedelta(hours=1)
"""How long whatever is said makes a blocked process look again. The watcher says it every minute, and months must not fill its
history: later only the ERP's changes and a person do, and the time above."""


@workflow.defn
class ReceivePurchaseOrder(CorrectablePurchase):
    """Make the warehouse expect it, look when nudged, until it is received or closed."""

    def __init__(self) -> None:
        super().__init__()
        self._look_owed = False
        self._changed = False

    @workflow.run
    async def run(self, purchase: PurchaseKey) -> str:
        """Returns how it ended: `completed` or `cancelled`. Never fails."""
        self.merchant, self.kind, self.document = purchase.merchant, "purchase-order", purchase.number
        state = await self._send(purchase)
        while state.outcome is None:
            await self._wait(state)
            if self._blocked is None and workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(purchase)  # it begins by sending and looking, whatever was said meanwhile
            state = await self._next(purchase)
        self._tell_end(state.outcome)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state.outcome

    async def _wait(self, state: PurchaseState) -> None:
        if self._blocked is None:
            self._enter(state.stage, "person" if state.stage == "deviation" else "warehouse")
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

    async def _next(self, purchase: PurchaseKey) -> PurchaseState:
        self._look_owed = False
        if self._changed:
            return await self._send(purchase)
        return await self._ask(Purchases.look_at_purchase_order, purchase, "Read what has come in")

    async def _send(self, purchase: PurchaseKey) -> PurchaseState:
        self._changed = False
        return await self._ask(Purchases.send_purchase_order, purchase, f"Send purchase order {purchase.number} to the warehouse")

    async def _ask(self, does: Any, purchase: PurchaseKey, summary: str) -> PurchaseState:
        """A step that reads the warehouse. While it is blocked, what is said anew makes it read again."""
        state = await self.step(
            does,
            purchase,
            summary,
            options.ONGOING_QUEUE,
            part="look",
            give_way=self._gives_way,
            try_again_after=TRY_AGAIN,
        )
        if state is GAVE_WAY:
            return PurchaseState("at-warehouse")
        result: PurchaseState = state
        return result

    def _gives_way(self) -> bool:
        brisk = self._blocked_at is None or workflow.now() < self._blocked_at + BRISK
        return self._changed or (self._look_owed and brisk)

    def _something_to_do(self) -> bool:
        return self._look_owed or self._changed

    @workflow.signal(description="Something may have come in: look again. Saying it twice is harmless.")
    def look(self) -> None:
        """Something may have come in. Saying it twice is harmless."""
        self._look_owed = True

    @workflow.signal(description="The ERP has changed the purchase order, or asks to cancel or to close it.")
    def erp_changed(self) -> None:
        """The ERP has changed the purchase order, or asks to cancel or to close it: what stands still is tried again."""
        self._changed = True
        self._retry()

    @workflow.query(description="Where the purchase order is, in one object.")
    def where(self) -> dict[str, str | None]:
        """Where the purchase order is."""
        return {"stage": self._stage, "blocked": self._blocked, "what": self._blocked_text or None}
