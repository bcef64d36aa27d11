"""What a person may send to a purchase order: a typed update, and the same name as a signal for those who send and forget.

A mixin of its own beside `Patient`. Whether it makes sense now is asked of the table in `domain/purchase_corrections.py`; what is
done is done once for the caller's key, and kept.
"""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.corrections import Asked, Corrected, Corrections
    from domain.corrections import Name, wrong_content
    from domain.purchase_corrections import PurchaseName, PurchaseSituation, refusal
    from workflows import options
    from workflows.patient import Correction, Patient


class CorrectablePurchase(Patient):
    """The corrections of a purchase order. It says where it is by `_stage` and its block."""

    def __init__(self) -> None:
        super().__init__()
        self._one_at_a_time = asyncio.Lock()
        self._done: set[str] = set()

    def _purchase_situation(self) -> PurchaseSituation:
        if self._blocked is not None and self._blocked_part == "look":
            return PurchaseSituation.SENDING_BLOCKED if self._stage == "sending" else PurchaseSituation.LOOKING_BLOCKED
        known = set(PurchaseSituation)
        return PurchaseSituation(self._stage) if self._stage in known else PurchaseSituation.RECEIVING

    def _check_close(self, sent: Correction) -> None:
        if wrong := wrong_content(Name.RETRY, sent.by, sent.reason, {}, sent.key):
            raise ApplicationError(f"{self.document}: {wrong}", type="wrong-content")
        if sent.key and sent.key in self._done:
            return
        if why := refusal(PurchaseName.CLOSE_SHORT, self._purchase_situation()):
            raise ApplicationError(f"{self.document}: {why}", type="makes-no-sense-now")

    async def _close_short(self, sent: Correction) -> str:
        key = sent.key or str(workflow.uuid4())
        async with self._one_at_a_time:
            asked = Asked(self.merchant, self.document, 1, PurchaseName.CLOSE_SHORT.value, sent.by, sent.reason, key)
            does: Any = Corrections.close_purchase
            done: Corrected = await workflow.execute_local_activity(
                does,
                asked,
                start_to_close_timeout=options.OUR_OWN_DATABASE,
                retry_policy=options.SOON,
            )
            if done.refused:
                raise ApplicationError(f"{self.document}: {done.refused}", type="correction-refused")
            self._done.add(key)
        if done.repeated:
            return f"{self.document}: close_short was done before under this key"
        self._tell(f"{sent.by}: close_short ({sent.reason})")
        self._retry()
        return f"{self.document}: close_short is done"

    def _offers(self) -> list[str]:
        if refusal(PurchaseName.CLOSE_SHORT, self._purchase_situation()) is not None:
            return []
        return [
            "",
            'A person may send now: `close_short` `{"by": "your name", "reason": "why", "key": "your own"}`: expect nothing more',
        ]

    @workflow.update(description='Expect nothing more of it, short or over. {"by": "...", "reason": "..."}')
    async def close_short(self, correction: Correction) -> str:
        """Expect nothing more of the purchase order. Goods that come later are booked all the same."""
        return await self._close_short(correction)

    @close_short.validator
    def _may_close(self, correction: Correction) -> None:
        self._check_close(correction)

    @workflow.signal(name="close_short", description="The same as the update.")
    async def close_short_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update; what is refused is told in the details, since nobody waits for the answer."""
        sent = Correction(*(str(correction.get(name, "")) for name in ("by", "reason", "key")))
        try:
            self._check_close(sent)
            await self._close_short(sent)
        except ApplicationError as refused:
            self._tell(f"{sent.by or 'somebody'}: close_short was refused ({refused.message})")
