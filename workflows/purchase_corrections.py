"""What a person may send to a purchase order: typed updates, and the same names as signals for those who send and forget.

A mixin of its own beside `Patient`. Whether it makes sense now is asked of the table in `domain/purchase_corrections.py`; what is
done is done once for the caller's key, and kept, by one step on our own rows. What waits for a second person is kept there too.
"""

import asyncio
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.corrections import Asked, Corrected, Corrections
    from activities.purchase_corrections import PurchaseCorrected, PurchaseCorrections
    from domain.purchase_corrections import (
        EXAMPLES,
        MEANINGS,
        SECOND_PERSON,
        PurchaseName,
        PurchaseSituation,
        refusal,
        wrong_content,
    )
    from workflows import options
    from workflows.corrections import Approval
    from workflows.patient import Correction, Patient


@dataclass(frozen=True, slots=True)
class AboutInvoice:
    """What a person sends about a supplier invoice, by Fortnox's number: who they are and why."""

    invoice: int
    by: str
    reason: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class CorrectCost:
    """What received goods cost, in the books' currency: a receipt line's `unit_cost`, or an `amount` more or less.

    `receipt` is as 1/1; without it an amount is of all that came. `account`: the other side, else `purchase_difference_account`.
    """

    by: str
    reason: str
    receipt: str = ""
    unit_cost: str = ""
    amount: str = ""
    account: str = ""
    key: str = ""


PURCHASE_SENT_AS: dict[PurchaseName, type[Any]] = {
    PurchaseName.RETRY: Correction,
    PurchaseName.CLOSE_SHORT: Correction,
    PurchaseName.CORRECT_COST: CorrectCost,
    PurchaseName.APPROVE: AboutInvoice,
    PurchaseName.REJECT: AboutInvoice,
}


class CorrectablePurchase(Patient):
    """The corrections of a purchase order. It says where it is by `_stage` and its block."""

    def __init__(self) -> None:
        super().__init__()
        self._run = 1
        self._one_at_a_time = asyncio.Lock()
        self._done: dict[str, tuple[str, str]] = {}
        self._waiting: dict[str, str] = {}

    def _purchase_situation(self) -> PurchaseSituation:
        if self._outcome is not None:
            return PurchaseSituation.ENDED
        if self._blocked is not None and self._blocked_part == "look":
            return PurchaseSituation.SENDING_BLOCKED if self._stage == "sending" else PurchaseSituation.LOOKING_BLOCKED
        if self._blocked is not None:
            return PurchaseSituation.TO_DECIDE
        known = set(PurchaseSituation)
        return PurchaseSituation(self._stage) if self._stage in known else PurchaseSituation.RECEIVING

    def _check_correction(self, name: PurchaseName, sent: Any) -> None:
        """The validator of every update: refused in words before anything is written."""
        content = purchase_content(sent)
        if wrong := wrong_content(name, sent.by, sent.reason, content):
            code = "approval-incomplete" if isinstance(sent, AboutInvoice) else "wrong-content"
            raise ApplicationError(f"{self.document}: {wrong}", type=code)
        if sent.key and sent.key in self._done:
            if self._done[sent.key] != (name.value, json.dumps(content, sort_keys=True)):
                text = f"{self.document}: the key {sent.key} was used for another correction: take a new one"
                raise ApplicationError(text, type="key-used")
            return
        if why := refusal(name, self._purchase_situation()):
            raise ApplicationError(f"{self.document}: {why}", type="makes-no-sense-now")

    async def _correct_purchase(self, name: PurchaseName, sent: Any) -> str:
        """Do it, once for its key; one correction at a time."""
        key, content = sent.key or str(workflow.uuid4()), purchase_content(sent)
        asked = Asked(self.merchant, self.document, self._run, name.value, sent.by, sent.reason, key, content)
        async with self._one_at_a_time:
            done = await self._ask_rows(asked)
            if done.second_person:
                self._waiting[key] = f"{name.value} by {sent.by}"
                self._tell(f"{sent.by} asks for {name.value} ({sent.reason}): a second person must approve, key {key}")
                text = f"{self.document}: {name.value} waits for a second person ({done.words})"
                return f"{text}: update {SECOND_PERSON} with the key {key}"
            self._done[key] = (name.value, json.dumps(content, sort_keys=True))
            return self._corrected(name.value, asked, done)

    async def _ask_rows(self, asked: Asked) -> PurchaseCorrected:
        does: Any = PurchaseCorrections.correct_purchase
        self._correcting = True
        try:
            done: PurchaseCorrected = await workflow.execute_local_activity(
                does, asked, start_to_close_timeout=options.OUR_OWN_DATABASE, retry_policy=options.SOON
            )
        finally:
            self._correcting = False
        if done.refused:
            raise ApplicationError(f"{self.document}: {done.refused}", type="correction-refused")
        return done

    def _corrected(self, name: str, asked: Asked, done: PurchaseCorrected) -> str:
        self._waiting.pop(asked.key, None)
        if done.repeated:
            self._show()
            return f"{self.document}: {name} was done before under this key"
        what = f"yes to {name}" if asked.name == SECOND_PERSON else name
        self._tell(f"{asked.by}: {what} ({asked.reason}): {done.words}")
        if name in (PurchaseName.APPROVE, PurchaseName.REJECT):
            self._match_again()
            return done.words
        if name == PurchaseName.RETRY:
            self._person_saw = self._blocked
            self._retry()
        if name == PurchaseName.CLOSE_SHORT:
            self._retry()  # the ERP's own row tells the process to look
        return f"{self.document}: {done.words}"

    def _match_again(self) -> None:
        """An invoice was decided about."""

    async def _close_short(self, sent: Correction) -> str:
        if workflow.patched("purchase-corrections-are-weighed"):
            return await self._correct_purchase(PurchaseName.CLOSE_SHORT, sent)
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
            self._done[key] = (PurchaseName.CLOSE_SHORT.value, json.dumps({}))
        if done.repeated:
            return f"{self.document}: close_short was done before under this key"
        self._tell(f"{sent.by}: close_short ({sent.reason})")
        self._retry()
        return f"{self.document}: close_short is done"

    def _offers(self) -> list[str]:
        where = self._purchase_situation()
        lines = []
        for name in (PurchaseName.CLOSE_SHORT, PurchaseName.CORRECT_COST):
            if refusal(name, where) is None:
                payload = {"by": "your name", "reason": "why", "key": "your own", **EXAMPLES[name]}
                lines.append(f"- `{name.value}` `{json.dumps(payload)}`: {MEANINGS[name]}")
        if lines:
            lines = ["", "A person may send now:", "", *lines]
        for key, words in self._waiting.items():
            lines += ["", f"**{words} waits for a second person:** send `{SECOND_PERSON}` with the key `{key}`"]
        return lines

    async def _tried_again(self, correction: Correction) -> None:
        if not workflow.patched("purchase-retries-are-audited"):
            self._decided(correction.by, correction.reason)
            return
        try:
            await self._correct_purchase(PurchaseName.RETRY, correction)
        except ApplicationError as refused:
            if workflow.current_update_info() is not None:
                raise
            self._tell(f"{correction.by}: retry was refused ({refused.message})")

    def _check_retry(self, correction: Correction) -> None:
        self._check_correction(PurchaseName.RETRY, correction)

    async def _purchase_signalled(self, name: PurchaseName, sent: dict[str, Any]) -> None:
        """A correction sent as a signal: what is refused is told in the details, since nobody waits for the answer."""
        try:
            given = _as_sent(name, sent)
            self._check_correction(name, given)
            await self._correct_purchase(name, given)
        except ApplicationError as refused:
            self._tell(f"{sent.get('by') or 'somebody'}: {name.value} was refused ({refused.message})")

    @workflow.update(description='Expect nothing more of it, short or over. {"by": "...", "reason": "..."}')
    async def close_short(self, correction: Correction) -> str:
        """Expect nothing more of the purchase order. Goods that come later are booked all the same."""
        return await self._close_short(correction)

    @close_short.validator
    def _may_close(self, correction: Correction) -> None:
        self._check_correction(PurchaseName.CLOSE_SHORT, correction)

    @workflow.update(description='What a receipt line cost. {"by", "reason", "receipt": "1/1", "unit_cost": "12.50" or "amount"}')
    async def correct_cost(self, correction: CorrectCost) -> str:
        """Correct what received goods cost: what is here takes its share, what is sold the rest."""
        return await self._correct_purchase(PurchaseName.CORRECT_COST, correction)

    @correct_cost.validator
    def _may_correct_cost(self, correction: CorrectCost) -> None:
        self._check_correction(PurchaseName.CORRECT_COST, correction)

    @workflow.update(description='A second person says yes. {"by": "...", "reason": "...", "key": "..."}')
    async def approve_correction(self, approval: Approval) -> str:
        """Do what another person asked for above the limit."""
        content: dict[str, Any] = {}
        asked = Asked(self.merchant, self.document, self._run, SECOND_PERSON, approval.by, approval.reason, approval.key, content)
        async with self._one_at_a_time:
            done = await self._ask_rows(asked)
            return self._corrected(done.name or SECOND_PERSON, asked, done)

    @approve_correction.validator
    def _may_approve_correction(self, approval: Approval) -> None:
        if wrong := wrong_content(PurchaseName.CLOSE_SHORT, approval.by, approval.reason, {}):
            raise ApplicationError(f"{self.document}: {wrong}", type="wrong-content")

    @workflow.signal(name="close_short", description="The same as the update.")
    async def close_short_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update; what is refused is told in the details."""
        sent = Correction(*(str(correction.get(name, "")) for name in ("by", "reason", "key")))
        try:
            self._check_correction(PurchaseName.CLOSE_SHORT, sent)
            await self._close_short(sent)
        except ApplicationError as refused:
            self._tell(f"{sent.by or 'somebody'}: close_short was refused ({refused.message})")

    @workflow.signal(name="correct_cost", description="The same as the update.")
    async def correct_cost_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update; what is refused is told in the details."""
        await self._purchase_signalled(PurchaseName.CORRECT_COST, correction)


def purchase_content(sent: Any) -> dict[str, Any]:
    """What was sent beside who, why and the key; fields left empty are left out."""
    return {name: value for name, value in asdict(sent).items() if name not in ("by", "reason", "key") and value != ""}


def _as_sent(name: PurchaseName, sent: dict[str, Any]) -> Any:
    """A signal's object as the update's type; what is missing or too much is refused by name."""
    kind = PURCHASE_SENT_AS[name]
    if strange := sorted(set(sent) - {each.name for each in fields(kind)}):
        raise ApplicationError(f"{strange[0]} is not a field of {name.value}", type="wrong-content")
    try:
        return kind(**{field: str(value) for field, value in sent.items()})
    except TypeError as wrong:
        raise ApplicationError(f"{name.value} is not understood: {wrong}", type="wrong-content") from None
