"""The ERP's articles, kept in step in the warehouse: sent behind the orders, oldest change first, until nothing is left.

Begun by the relay when an article has changed, and told again while it runs: thousands of changes are one signal, and rows in
a table.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.articles import Articles, ArticlesLeft
    from workflows import options
    from workflows.patient import Patient


@workflow.defn
class SyncArticles(Patient):
    """Send what has changed until nothing is left, then end."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = False
        self._sent = 0
        self._left: ArticlesLeft | None = None

    @workflow.run
    async def run(self, merchant: str) -> int:
        """Returns how many articles were sent. Never fails; a refused article is listed and holds up no other."""
        self.merchant, self.kind, self.document = merchant, "articles", merchant
        self._stage = "sending"
        while True:
            self._changed = False
            left = await self._send()
            if left.look_after is None and not self._changed:
                break
            if left.look_after and not self._changed:
                await self._pause(left.look_after)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(merchant)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._sent

    async def _send(self) -> ArticlesLeft:
        left: ArticlesLeft = await self.step(
            Articles.send_changed_articles,
            self.merchant,
            "Send changed articles to the warehouse",
            options.ONGOING_QUEUE,
            try_again_after=options.UNATTENDED,
            start_to_close_timeout=options.LONG_STEP,
        )
        self._left = left
        self._sent += left.sent
        self._tell(f"{left.sent} articles sent, {left.to_send} to send, {left.refused} refused")
        return left

    async def _pause(self, seconds: float) -> None:
        try:
            await workflow.wait_condition(
                lambda: self._changed, timeout=timedelta(seconds=seconds), timeout_summary="Another sender is at it"
            )
        except TimeoutError:
            return

    @workflow.signal(description="Articles have changed in the ERP. Saying it twice is harmless.")
    def articles_changed(self) -> None:
        """Articles have changed in the ERP. Saying it twice is harmless."""
        self._changed = True
        self._retry()

    @workflow.query(description="How far the warehouse is behind.")
    def where(self) -> dict[str, int]:
        """Sent by this run; to send and refused when it last looked."""
        left = self._left
        return {"sent": self._sent, "to_send": left.to_send if left else 0, "refused": left.refused if left else 0}
