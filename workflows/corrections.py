"""What a person may send to a sales order: typed updates, and the same names as signals for those who send and forget.

A mixin of its own beside `Patient`, so that the order's own story stays readable. Whether something makes sense now is asked of
the table in `domain/corrections.py`, once before anything is written and once more when it is its turn: two corrections sent
at once are done one after the other. Effects are steps with an audit row, under the caller's key.
"""

import asyncio
import json
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.corrections import Asked, Corrected, Corrections
    from domain.corrections import EXAMPLES, MEANINGS, LineChange, Name, Situation, refusal, wrong_content
    from domain.keys import OrderKey
    from workflows import options
    from workflows.patient import Correction, Patient

ANSWERED_WITHIN = timedelta(minutes=2)
OUTSIDE = {Name.ADOPT, Name.HANDLED_OUTSIDE, Name.CHOOSE_PERIOD}
ROWS = {Name.CANCEL, Name.CHANGE_ADDRESS, Name.CHANGE_LINES, Name.ACCEPT_SHORT, Name.SPLIT_OFF, Name.HOLD, Name.RELEASE}


@dataclass(frozen=True, slots=True)
class ChangeAddress:
    """`parked`: the name of an address parked before. The address itself never comes here."""

    by: str
    reason: str
    parked: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class ChangeLines:
    """New quantities of lines; 0 removes a line."""

    by: str
    reason: str
    lines: list[LineChange]
    key: str = ""


@dataclass(frozen=True, slots=True)
class SplitOff:
    """Quantities that move to the order `new_number`."""

    by: str
    reason: str
    new_number: str
    lines: list[LineChange]
    key: str = ""


@dataclass(frozen=True, slots=True)
class ForeignDocument:
    """A document on the other side: the id that it has there."""

    by: str
    reason: str
    foreign_id: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class ChoosePeriod:
    """The day that the invoice is to have, as 2026-12-01."""

    by: str
    reason: str
    day: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """A second person's yes to the correction that was sent under `key`."""

    by: str
    reason: str
    key: str


SENT_AS: dict[Name, type[Any]] = dict.fromkeys(Name, Correction) | {
    Name.CHANGE_ADDRESS: ChangeAddress,
    Name.CHANGE_LINES: ChangeLines,
    Name.SPLIT_OFF: SplitOff,
    Name.HANDLED_OUTSIDE: ForeignDocument,
    Name.ADOPT: ForeignDocument,
    Name.CHOOSE_PERIOD: ChoosePeriod,
}


@dataclass(slots=True)
class _Held:
    """Whether, and by whom, an order is on hold."""

    by: str = ""
    since: str = ""
    reason: str = ""
    on: bool = field(default=False)


class Correctable(Patient):
    """The corrections of a sales order. The order says where it is by `_attempting`, `_stage` and its block."""

    def __init__(self) -> None:
        super().__init__()
        self._key = OrderKey("", "")
        self._hold = _Held()
        self._look_owed = False
        self._one_at_a_time = asyncio.Lock()
        self._done: dict[str, tuple[str, str]] = {}
        self._pending: dict[str, Asked] = {}

    def _situation(self) -> Situation:
        """Where the order is, as the table of corrections names it."""
        if self._hold.on and self._attempting not in ("send", "invoice"):
            return Situation.HELD
        if self._blocked is not None and self._blocked_part in ("send", "invoice", "look"):
            trying = self._attempting == self._blocked_part
            match self._blocked_part:
                case "send":
                    return Situation.SENDING_TRYING if trying else Situation.SENDING_BLOCKED
                case "invoice":
                    return Situation.INVOICING_TRYING if trying else Situation.INVOICING_BLOCKED
            return Situation.AT_WAREHOUSE_BLOCKED
        return Situation(self._stage)

    def _refusal(self, name: Name) -> str | None:
        """Why it makes no sense now. A hold that waits for a step under way may be taken back at once."""
        where = Situation.HELD if name is Name.RELEASE and self._hold.on else self._situation()
        return refusal(name, where)

    def _check(self, name: Name, sent: Any) -> None:
        """The validator of every update: refused in words before anything is written."""
        content = _content(sent)
        if wrong := wrong_content(name, sent.by, sent.reason, content, sent.key):
            raise ApplicationError(f"{self.document}: {wrong}", type="wrong-content")
        if sent.key and sent.key in self._done:
            if self._done[sent.key] != (name.value, _fingerprint(content)):
                text = f"{self.document}: the key {sent.key} was used for another correction: take a new one"
                raise ApplicationError(text, type="key-used")
            return
        if why := self._refusal(name):
            raise ApplicationError(f"{self.document}: {why}", type="makes-no-sense-now")

    async def _correct(self, name: Name, sent: Any) -> str:
        """Do it, once for its key; one correction at a time."""
        content, key = _content(sent), sent.key or str(workflow.uuid4())
        asked = Asked(self._key.merchant, self._key.number, self._key.run, name.value, sent.by, sent.reason, key, content)
        async with self._one_at_a_time:
            return await self._do(name, asked)

    async def _do(self, name: Name, asked: Asked) -> str:
        if asked.key in self._done:
            return f"{self.document}: {name.value} was done before under this key"
        if why := self._refusal(name):
            raise ApplicationError(f"{self.document}: {why}", type="makes-no-sense-now")
        self._correcting = True
        try:
            weighed = await self._rows(Corrections.weigh_correction, asked)
            if weighed.second_person:
                self._pending[asked.key] = asked
                self._tell(f"{asked.by} asks for {name.value} ({asked.reason}): a second person must approve, key {asked.key}")
                return f"{self.document}: {name.value} waits for a second person: update approve with the key {asked.key}"
            done = weighed if weighed.refused or weighed.repeated else await self._effect(name, asked)
        finally:
            self._correcting = False
        if done.refused:
            raise ApplicationError(f"{self.document}: {done.refused}", type="correction-refused")
        self._done[asked.key] = (name.value, _fingerprint(asked.content))
        self._pending.pop(asked.key, None)
        if done.repeated:
            return f"{self.document}: {name.value} was done before under this key"
        approved = f", approved by {asked.approved_by}" if asked.approved_by else ""
        self._tell(f"{asked.by}: {name.value}{_shown(asked.content)} ({asked.reason}{approved})")
        await self._follow(name, asked)
        self._show()
        return f"{self.document}: {name.value} is done"

    async def _effect(self, name: Name, asked: Asked) -> Corrected:
        if name not in OUTSIDE:
            return await self._rows(Corrections.correct_rows, asked)
        adopts_order = name is Name.ADOPT and self._stage == "sending"
        does: Any = Corrections.adopt_order if adopts_order else Corrections.correct_invoice
        queue = options.ONGOING_QUEUE if adopts_order else options.FORTNOX_QUEUE
        try:
            done: Corrected = await workflow.execute_activity(
                does,
                asked,
                task_queue=queue,
                summary=f"{asked.name} by a person",
                schedule_to_close_timeout=ANSWERED_WITHIN,
                start_to_close_timeout=options.ONE_STEP,
                heartbeat_timeout=options.SIGN_OF_LIFE,
                retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10)),
            )
        except ActivityError as error:
            cause = error.cause
            words = cause.message if isinstance(cause, ApplicationError) else str(cause)
            text = f"{self.document}: not done, the other system does not answer ({words}): send it again, with the same key"
            raise ApplicationError(text, type="no-answer") from None
        return done

    async def _rows(self, does: Any, asked: Asked) -> Corrected:
        done: Corrected = await workflow.execute_local_activity(
            does, asked, start_to_close_timeout=options.OUR_OWN_DATABASE, retry_policy=options.SOON
        )
        return done

    async def _follow(self, name: Name, asked: Asked) -> None:
        """What the process does next. What changed the ERP's rows is told by the ERP's own triggers."""
        match name:
            case Name.RETRY:
                self._person_saw = self._blocked
                self._retry()
            case Name.HOLD:
                self._hold = _Held(asked.by, f"{workflow.now():%Y-%m-%d %H:%M}", asked.reason, True)
                if not self._attempting or self._attempting == "look":
                    await self._say_held()
            case Name.RELEASE:
                self._hold = _Held()
                self._look_owed = self._stage != "sending"
                await self._free("hold")
                self._retry()
            case Name.ACCEPT_SHORT:
                self._look_owed = True
            case Name.ADOPT | Name.HANDLED_OUTSIDE | Name.CHOOSE_PERIOD | Name.SPLIT_OFF:
                self._retry()

    async def _say_held(self) -> None:
        await self._block("hold", "held-by-a-person", f"{self._hold.by} since {self._hold.since}: {self._hold.reason}")

    def _offers(self) -> list[str]:
        where = self._situation()
        lines = ["", "A person may send now, each with `by`, `reason` and, to be safe against doing it twice, a `key`:", ""]
        for name in Name:
            if (refusal(name, where) is None and name is not Name.RETRY) or (name is Name.RELEASE and self._hold.on):
                payload = {"by": "your name", "reason": "why", **EXAMPLES[name]}
                lines.append(f"- `{name.value}` `{json.dumps(payload)}`: {MEANINGS[name]}")
        for key, asked in self._pending.items():
            lines += ["", f"**{asked.name} by {asked.by} waits for a second person:** send `approve` with the key `{key}`"]
        return lines

    # --- updates, and the same as signals -----------------------------------------------------------------------------

    async def _tried_again(self, correction: Correction) -> None:
        if not workflow.patched("retries-are-audited"):
            self._decided(correction.by, correction.reason)
            return
        try:
            await self._correct(Name.RETRY, correction)
        except ApplicationError as refused:
            if workflow.current_update_info() is not None:
                raise
            self._tell(f"{correction.by}: retry was refused ({refused.message})")

    def _check_retry(self, correction: Correction) -> None:
        self._check(Name.RETRY, correction)

    @workflow.update(description='Stop before the next thing that is sent or invoiced. {"by": "...", "reason": "..."}')
    async def hold(self, correction: Correction) -> str:
        """Stop before the next thing that is sent or invoiced; what the warehouse does is booked all the same."""
        return await self._correct(Name.HOLD, correction)

    @hold.validator
    def _may_hold(self, correction: Correction) -> None:
        self._check(Name.HOLD, correction)

    @workflow.update(description='Go on after a hold. {"by": "...", "reason": "..."}')
    async def release(self, correction: Correction) -> str:
        """Go on after a hold."""
        return await self._correct(Name.RELEASE, correction)

    @release.validator
    def _may_release(self, correction: Correction) -> None:
        self._check(Name.RELEASE, correction)

    @workflow.update(description='Cancel the order as far as the warehouse lets us. {"by": "...", "reason": "..."}')
    async def cancel(self, correction: Correction) -> str:
        """Ask to cancel, as the ERP would: the order's row says what came of it."""
        return await self._correct(Name.CANCEL, correction)

    @cancel.validator
    def _may_cancel(self, correction: Correction) -> None:
        self._check(Name.CANCEL, correction)

    @workflow.update(description='Send it to a parked address. {"by": "...", "reason": "...", "parked": "..."}')
    async def change_address(self, correction: ChangeAddress) -> str:
        """Put a parked address on the order; the warehouse is told by the order's own change."""
        return await self._correct(Name.CHANGE_ADDRESS, correction)

    @change_address.validator
    def _may_change_address(self, correction: ChangeAddress) -> None:
        self._check(Name.CHANGE_ADDRESS, correction)

    @workflow.update(description='New quantities. {"by": "...", "reason": "...", "lines": [{"line": 1, "quantity": "2"}]}')
    async def change_lines(self, correction: ChangeLines) -> str:
        """Set lines to new quantities; the warehouse is told by the order's own change."""
        return await self._correct(Name.CHANGE_LINES, correction)

    @change_lines.validator
    def _may_change_lines(self, correction: ChangeLines) -> None:
        self._check(Name.CHANGE_LINES, correction)

    @workflow.update(description='End it with what was sent, without the rest. {"by": "...", "reason": "..."}')
    async def accept_short(self, correction: Correction) -> str:
        """End the order with what was sent."""
        return await self._correct(Name.ACCEPT_SHORT, correction)

    @accept_short.validator
    def _may_accept_short(self, correction: Correction) -> None:
        self._check(Name.ACCEPT_SHORT, correction)

    @workflow.update(
        description='Move quantities to a new order. {"by", "reason", "new_number", "lines": [{"line", "quantity"}]}'
    )
    async def split_off(self, correction: SplitOff) -> str:
        """Move quantities to a new order, which starts by itself."""
        return await self._correct(Name.SPLIT_OFF, correction)

    @split_off.validator
    def _may_split_off(self, correction: SplitOff) -> None:
        self._check(Name.SPLIT_OFF, correction)

    @workflow.update(description='The invoice was made outside. {"by": "...", "reason": "...", "foreign_id": "4711"}')
    async def handled_outside(self, correction: ForeignDocument) -> str:
        """The invoice that stands still was made outside; the ledger stays as it is."""
        return await self._correct(Name.HANDLED_OUTSIDE, correction)

    @handled_outside.validator
    def _may_handle_outside(self, correction: ForeignDocument) -> None:
        self._check(Name.HANDLED_OUTSIDE, correction)

    @workflow.update(description='Take over a document on the other side. {"by": "...", "reason": "...", "foreign_id": "4711"}')
    async def adopt(self, correction: ForeignDocument) -> str:
        """Take over the warehouse's order, or the draft invoice in Fortnox."""
        return await self._correct(Name.ADOPT, correction)

    @adopt.validator
    def _may_adopt(self, correction: ForeignDocument) -> None:
        self._check(Name.ADOPT, correction)

    @workflow.update(description='Give the invoice another day. {"by": "...", "reason": "...", "day": "2026-12-01"}')
    async def choose_period(self, correction: ChoosePeriod) -> str:
        """Give the invoice that stands still another day."""
        return await self._correct(Name.CHOOSE_PERIOD, correction)

    @choose_period.validator
    def _may_choose_period(self, correction: ChoosePeriod) -> None:
        self._check(Name.CHOOSE_PERIOD, correction)

    @workflow.update(description='A second person says yes. {"by": "...", "reason": "...", "key": "..."}')
    async def approve(self, approval: Approval) -> str:
        """Do what another person asked for above the limit."""
        async with self._one_at_a_time:
            asked = self._pending.get(approval.key)
            if asked is None:
                return f"{self.document}: it was approved before"
            approved = Asked(**{**_flat(asked), "approved_by": approval.by})
            return await self._do(Name(asked.name), approved)

    @approve.validator
    def _may_approve(self, approval: Approval) -> None:
        if wrong := wrong_content(Name.RETRY, approval.by, approval.reason, {}):
            raise ApplicationError(f"{self.document}: {wrong}", type="wrong-content")
        asked = self._pending.get(approval.key)
        if asked is None and approval.key not in self._done:
            raise ApplicationError(f"{self.document}: nothing waits for approval under {approval.key}", type="makes-no-sense-now")
        if asked is not None and asked.by.strip().casefold() == approval.by.strip().casefold():
            raise ApplicationError(f"{self.document}: {asked.by} asked for it: another person must approve", type="same-person")

    async def _signalled(self, name: Name, sent: dict[str, Any]) -> None:
        """A correction sent as a signal: what is refused is told in the details, since nobody waits for the answer."""
        try:
            correction = _as_sent(name, sent)
            self._check(name, correction)
            await self._correct(name, correction)
        except ApplicationError as refused:
            self._tell(f"{sent.get('by', 'somebody')}: {name.value} was refused ({refused.message})")

    @workflow.signal(name="hold", description="The same as the update.")
    async def hold_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.HOLD, correction)

    @workflow.signal(name="release", description="The same as the update.")
    async def release_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.RELEASE, correction)

    @workflow.signal(name="cancel", description="The same as the update.")
    async def cancel_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.CANCEL, correction)

    @workflow.signal(name="change_address", description="The same as the update.")
    async def change_address_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.CHANGE_ADDRESS, correction)

    @workflow.signal(name="change_lines", description="The same as the update.")
    async def change_lines_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.CHANGE_LINES, correction)

    @workflow.signal(name="accept_short", description="The same as the update.")
    async def accept_short_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.ACCEPT_SHORT, correction)

    @workflow.signal(name="split_off", description="The same as the update.")
    async def split_off_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.SPLIT_OFF, correction)

    @workflow.signal(name="handled_outside", description="The same as the update.")
    async def handled_outside_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.HANDLED_OUTSIDE, correction)

    @workflow.signal(name="adopt", description="The same as the update.")
    async def adopt_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.ADOPT, correction)

    @workflow.signal(name="choose_period", description="The same as the update.")
    async def choose_period_signal(self, correction: dict[str, Any]) -> None:
        """The same as the update."""
        await self._signalled(Name.CHOOSE_PERIOD, correction)


def _content(sent: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(sent).items() if name not in ("by", "reason", "key")}


def _fingerprint(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True)


def _shown(content: dict[str, Any]) -> str:
    return f" {json.dumps(content)}" if content else ""


def _flat(asked: Asked) -> dict[str, Any]:
    return {each.name: getattr(asked, each.name) for each in fields(asked)}


def _as_sent(name: Name, sent: dict[str, Any]) -> Any:
    """A signal's object as the update's type; what is missing or too much is refused by name."""
    kind = SENT_AS[name]
    known = {each.name for each in fields(kind)}
    if strange := sorted(set(sent) - known):
        raise ApplicationError(f"{strange[0]} is not a field of {name.value}", type="wrong-content")
    try:
        values: dict[str, Any] = {field: str(value) for field, value in sent.items() if field != "lines"}
        if "lines" in sent:
            values["lines"] = [LineChange(int(each["line"]), str(each["quantity"])) for each in sent["lines"]]
        return kind(**values)
    except (TypeError, ValueError, KeyError) as wrong:
        raise ApplicationError(f"{name.value} is not understood: {wrong}", type="wrong-content") from None
