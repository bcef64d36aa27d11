"""Daily: every posting of the ledger that has no voucher goes to Fortnox. One run at a time for a merchant.

What is late for its day is not missed: postings are chosen because they have no voucher, not by their date. A run that a person
must help tries again by itself and takes what has come meanwhile with it, so one open question never holds up tomorrow.
"""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.vouchers import Posted, Vouchers
    from workflows import options
    from workflows.patient import Patient


@workflow.defn
class PostVouchers(Patient):
    """Vouchers for all that has none; then a search for what came twice."""

    @workflow.run
    async def run(self, merchant: str) -> int:
        """Returns how many vouchers were booked. Never fails."""
        self.merchant, self.kind, self.document = merchant, "vouchers", merchant
        self._enter("posting", "accounting")
        posted: Posted = await self._ask(Vouchers.post_vouchers, "Book what has no voucher yet")
        self._tell(f"{posted.booked} vouchers booked")
        found = await self._ask(Vouchers.sweep_surplus_vouchers, "Search for vouchers that came twice")
        if found:
            self._tell(f"{found} vouchers had come twice and are reversed")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return posted.booked

    async def _ask(self, does: Any, summary: str) -> Any:
        return await self.step(
            does,
            self.merchant,
            summary,
            options.FORTNOX_QUEUE,
            try_again_after=options.UNATTENDED,
            start_to_close_timeout=options.LONG_STEP,
        )
