"""One purchase order, from the day it is placed in the ERP until nothing more is expected of it, goods or invoice.

The process carries keys and small facts. Messages only say "look again": what came in is read from the counters of the
warehouse's lines, what was invoiced from our tables. What comes after the end starts another run.
"""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.purchases import Purchases
    from activities.supplier_invoices import SupplierInvoices
    from domain.keys import InvoiceDecision, PurchaseKey, PurchaseState
    from domain.purchase_corrections import PurchaseName
    from workflows import options
    from workflows.patient import GAVE_WAY
    from workflows.purchase_corrections import AboutInvoice, CorrectablePurchase

TRY_AGAIN = timedelta(minutes=10)
"""A rate, a setting or an article that was missing may have come meanwhile: nobody need say so."""
BRISK = timedelta(hours=1)
"""How long whatever is said makes a blocked process look again. The watcher says it every minute, and months must not fill its
history: later only the ERP's changes and a person do, and the time above."""


@workflow.defn
class ReceivePurchaseOrder(CorrectablePurchase):
    """Make the warehouse expect it, look when nudged, until it is received or closed; and invoiced, where that is awaited."""

    def __init__(self) -> None:
        super().__init__()
        self._look_owed = False
        self._changed = False

    @workflow.run
    async def run(self, purchase: PurchaseKey) -> str:
        """Returns how it ended: `invoiced`, `completed` or `cancelled`. Never fails."""
        self.merchant, self.kind, self.document = purchase.merchant, "purchase-order", purchase.number
        self._run = purchase.run
        state = await self._matched(purchase, await self._send(purchase))
        while state.outcome is None:
            await self._wait(state)
            if self._blocked is None and workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(purchase)  # it begins by sending and looking, whatever was said meanwhile
            state = await self._matched(purchase, await self._next(purchase))
        self._tell_end(state.outcome)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state.outcome

    async def _wait(self, state: PurchaseState) -> None:
        if self._blocked is None:
            self._enter(state.stage, {"deviation": "person", "received": "accounting"}.get(state.stage, "warehouse"))
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

    async def _matched(self, purchase: PurchaseKey, state: PurchaseState) -> PurchaseState:
        """Match invoices and costs where there are any. While a person must decide, what comes in is booked all the same."""
        if not state.to_match:
            await self._free("invoices")  # what waited for a person is not this purchase order's any more
            return state
        result = await self.step(
            SupplierInvoices.match_purchase,
            purchase,
            f"Match the invoices of purchase order {purchase.number}",
            options.ORDERS_QUEUE,
            part="invoices",
            give_way=self._something_to_do,
        )
        if result is GAVE_WAY:
            return PurchaseState(state.stage)
        matched: PurchaseState = result
        return matched if matched.outcome or matched.stage == "received" else state

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

    @workflow.update(description='Book a supplier invoice as it is. {"invoice": 57, "by": "...", "reason": "..."}')
    async def approve(self, about: AboutInvoice) -> str:
        """Book a supplier invoice although it differs; answers what was decided."""
        return await self._decide(about, reject=False)

    @workflow.update(description='Do not book a supplier invoice. {"invoice": 57, "by": "...", "reason": "..."}')
    async def reject(self, about: AboutInvoice) -> str:
        """Leave a supplier invoice out of our books, until it is changed over there."""
        return await self._decide(about, reject=True)

    @approve.validator
    def _may_approve(self, about: AboutInvoice) -> None:
        self._check_correction(PurchaseName.APPROVE, about)

    @reject.validator
    def _may_reject(self, about: AboutInvoice) -> None:
        self._check_correction(PurchaseName.REJECT, about)

    @workflow.signal(name="approve", description="The same as the update, for many at once.")
    async def approve_signal(self, about: dict[str, Any]) -> None:
        """The same as the update; what is refused is told in the details."""
        await self._decide_quietly(about, reject=False)

    @workflow.signal(name="reject", description="The same as the update, for many at once.")
    async def reject_signal(self, about: dict[str, Any]) -> None:
        """The same as the update; what is refused is told in the details."""
        await self._decide_quietly(about, reject=True)

    async def _decide_quietly(self, about: dict[str, Any], reject: bool) -> None:
        try:
            words = [str(about.get(name, "")) for name in ("by", "reason", "key")]
            given = AboutInvoice(int(about.get("invoice", 0)), *words)
            self._check_correction(PurchaseName.REJECT if reject else PurchaseName.APPROVE, given)
            await self._decide(given, reject)
        except (ApplicationError, ValueError, TypeError) as refused:
            self._tell(f"a decision was not taken: {refused}")

    def _offers(self) -> list[str]:
        decisions = ['- or send `approve` or `reject` with `{"invoice": 57, "by": "your name", "reason": "what was agreed"}`']
        return [*(decisions if self._blocked == "supplier-invoice-to-decide" else []), *super()._offers()]

    def _match_again(self) -> None:
        self._look_owed = True
        self._retry()

    async def _decide(self, about: AboutInvoice, reject: bool) -> str:
        if workflow.patched("purchase-corrections-are-weighed"):
            return await self._correct_purchase(PurchaseName.REJECT if reject else PurchaseName.APPROVE, about)
        decision = InvoiceDecision(self.merchant, self.document, about.invoice, about.by, about.reason, reject)
        try:
            answer: str = await workflow.execute_activity_method(
                SupplierInvoices.decide_invoice,
                decision,
                task_queue=options.ORDERS_QUEUE,
                summary=f"Decision of {about.by} about supplier invoice {about.invoice}",
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
        self._tell(f"{answer} ({about.reason})")
        self._look_owed = True
        self._retry()
        return answer
