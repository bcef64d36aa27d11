"""Hourly: supplier invoices that changed in the accounting are read and kept; the purchase orders' own processes match them.

One run at a time for a merchant. What a run misses because the accounting is away, the next that gets an answer reads.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.supplier_invoices import SupplierInvoices
    from workflows import options
    from workflows.patient import Patient


@workflow.defn
class MatchSupplierInvoices(Patient):
    """Read what changed since the last run."""

    @workflow.run
    async def run(self, merchant: str) -> int:
        """Returns how many invoices were new or changed. Never fails."""
        self.merchant, self.kind, self.document = merchant, "supplier-invoices", merchant
        self._enter("reading", "accounting")
        news: int = await self.step(
            SupplierInvoices.read_supplier_invoices,
            merchant,
            "Read supplier invoices that changed",
            options.FORTNOX_QUEUE,
            try_again_after=options.UNATTENDED,
            start_to_close_timeout=options.LONG_STEP,
        )
        self._tell(f"{news} supplier invoices are new or changed")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return news
