"""One sales order, from release in the ERP to its last invoice in Fortnox.

The workflow carries keys and small facts; documents stay in PostgreSQL. Messages only say "look again": what has happened is
read from Ongoing's counters. Between two steps it waits, without a timer and without cost, for as long as the warehouse takes;
a look is missed by nobody, because `WatchWarehouse` compares every document with our books.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fortnox import Fortnox
    from activities.ongoing import Ongoing
    from domain.keys import BasisKey, OrderKey, OrderState
    from workflows import options
    from workflows.corrections import Correctable
    from workflows.patient import GAVE_WAY


@workflow.defn
class FulfilSalesOrder(Correctable):
    """Send, look when nudged, invoice what was shipped, until nothing is owed."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = False
        self._cancel_asked = False

    @workflow.run
    async def run(self, order: OrderKey) -> str:
        """Returns how it ended: `completed` or `cancelled`. Never fails."""
        self.merchant, self.kind, self.document, self._key = order.merchant, "sales-order", order.number, order
        # A later run was started because the warehouse differs from our books: it looks first.
        state = OrderState("at-warehouse", look_after=0.0) if order.run > 1 else await self._send(order)
        while state.outcome is None:
            state = await self._invoice(state)
            if state.outcome is None:
                await self._wait(state)
                state = await self._next(order)
        if self._blocked is not None:
            await self._free(self._blocked_part)  # an order on hold may be cancelled: nobody can release it any more
        self._tell_end(state.outcome)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state.outcome

    async def _send(self, order: OrderKey) -> OrderState:
        while True:
            await self._while_held()
            state = await self.step(
                Ongoing.send_sales_order,
                order,
                f"Send order {order.number} to the warehouse",
                options.ONGOING_QUEUE,
                part="send",
                give_way=lambda: self._hold.on and not self._cancel_asked,
                start_to_close_timeout=options.LONG_STEP,
            )
            if state is not GAVE_WAY:
                break
        sent: OrderState = state
        self._tell(f"sent to the warehouse: {sent.said}" if sent.said else "the warehouse holds it as the ERP has it")
        return sent

    async def _while_held(self) -> None:
        """A person has put the order on hold: nothing is sent, until it is released or asked to be cancelled."""
        if self._hold.on and not self._cancel_asked:
            await self._say_held()
            await workflow.wait_condition(lambda: not self._hold.on or self._cancel_asked)

    async def _invoice(self, state: OrderState) -> OrderState:
        while state.to_invoice:
            if self._hold.on:
                await self._say_held()
                await workflow.wait_condition(lambda: not self._hold.on or self._something_to_do())
                return OrderState(state.stage)
            self._enter("invoicing", "accounting")
            basis: BasisKey = state.to_invoice[0]
            result = await self.step(
                Fortnox.invoice_shipment,
                lambda basis=basis: replace(basis, again=self._person_saw == "invoice-cancelled-by-hand"),
                f"Invoice basis {basis.basis}, part {basis.part}",
                options.FORTNOX_QUEUE,
                part="invoice",
                give_way=lambda: self._something_to_do() or self._hold.on,
            )
            if result is GAVE_WAY and self._hold.on and not self._something_to_do():
                continue
            if result is GAVE_WAY:
                return OrderState(state.stage)
            state = result
            self._tell(f"invoiced basis {basis.basis}, part {basis.part}{_with(state.said)}")
        await self._free("invoice")
        return state

    async def _wait(self, state: OrderState) -> None:
        if self._blocked is None:
            stage = "waiting-for-the-rest" if state.stage == "waiting-for-the-rest" else "at-warehouse"
            self._enter(stage, "warehouse")

        if state.look_after is None:
            # No deadline: an order waits for the warehouse as long as it takes; WatchWarehouse finds what nobody told.
            await workflow.wait_condition(self._something_to_do)
            return
        try:
            await workflow.wait_condition(
                self._something_to_do, timeout=timedelta(seconds=state.look_after), timeout_summary="Look again"
            )
        except TimeoutError:
            self._look_owed = True

    async def _next(self, order: OrderKey) -> OrderState:
        self._look_owed = False
        if self._cancel_asked:
            self._cancel_asked = False
            self._tell("the ERP asks to cancel")
            return await self._ask(Ongoing.cancel_sales_order, order, f"Cancel order {order.number} in the warehouse")
        if self._changed:
            self._changed = False
            await self._send(order)
        return await self._ask(Ongoing.look_at_sales_order, order, "Read what the warehouse has done")

    async def _ask(self, does: Any, order: OrderKey, summary: str) -> OrderState:
        """A step that reads the warehouse. While it is blocked, whatever is said anew makes it read again."""
        state = await self.step(does, order, summary, options.ONGOING_QUEUE, part="look", give_way=self._something_to_do)
        return OrderState("at-warehouse") if state is GAVE_WAY else state

    def _something_to_do(self) -> bool:
        return self._look_owed or self._changed or self._cancel_asked

    @workflow.signal(description="Something may have changed in the warehouse: look again. Saying it twice is harmless.")
    def look(self) -> None:
        """Something may have changed in the warehouse. Saying it twice is harmless."""
        self._look_owed = True

    @workflow.signal(description="The ERP has changed the order, or something it needs.")
    def erp_changed(self) -> None:
        """The ERP has changed the order, or something it needs: what stands still is tried again."""
        self._changed = True
        self._retry()

    @workflow.signal(description="The ERP asks to cancel the order.")
    def cancel_asked(self) -> None:
        """The ERP asks to cancel the order."""
        self._cancel_asked = True
        self._retry()

    @workflow.query(description="Where the order is, in one object.")
    def where(self) -> dict[str, str | None]:
        """Where the order is."""
        return {"stage": self._stage, "blocked": self._blocked, "what": self._blocked_text or None}


def _with(said: str) -> str:
    return f": {said}" if said else ""
