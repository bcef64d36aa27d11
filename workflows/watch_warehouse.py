"""One watcher per merchant, for ever: finds what no message told, and sweeps every watched document each night."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fortnox import Fortnox
    from activities.watch import Found, Watch
    from workflows import options
    from workflows.patient import Patient


@dataclass(frozen=True, slots=True)
class WatchKey:
    """The merchant whose warehouse is watched."""

    merchant: str


@workflow.defn
class WatchWarehouse(Patient):
    """Ask what has something to report at the merchant's interval; nudge what differs from our books."""

    def __init__(self) -> None:
        super().__init__()
        self._now = False

    @workflow.run
    async def run(self, key: WatchKey) -> None:
        """Never ends: continues as new when its history has grown."""
        self.merchant, self.kind, self.document = key.merchant, "watch", key.merchant
        self._stage = "watching"
        while not workflow.info().is_continue_as_new_suggested():
            self._now = False
            found: Found = await self._look(Watch.find_changes, "Ask what has changed")
            if found.sweep_due:
                await self._look(Watch.sweep, "Nightly sweep of every watched document")
                await self.step(
                    Fortnox.sweep_surplus_invoices,
                    key.merchant,
                    "Nightly search for invoices that came late",
                    options.FORTNOX_QUEUE,
                    try_again_after=options.UNATTENDED,
                    start_to_close_timeout=options.LONG_STEP,
                )
            try:
                await workflow.wait_condition(
                    lambda: self._now,
                    timeout=timedelta(seconds=found.interval_seconds),
                    timeout_summary="Wait for the next look",
                )
            except TimeoutError:
                continue
        workflow.continue_as_new(key)

    async def _look(self, does: object, summary: str) -> Found:
        found: Found = await self.step(
            does,  # type: ignore[arg-type]
            self.merchant,
            summary,
            options.ONGOING_QUEUE,
            try_again_after=options.UNATTENDED,
            start_to_close_timeout=options.LONG_STEP,
        )
        return found

    @workflow.signal(description="Look now instead of at the next interval.")
    def run_now(self) -> None:
        """Look now instead of at the next interval."""
        self._now = True
        self._retry()
