"""What a person's correction does outside the process: to our rows, to the warehouse's order, to the draft in Fortnox.

Each writes its audit row in the transaction of its effect, under the caller's key: a repeat finds the row and does nothing more.
What cannot be done is an answer and not an error, so that the person who sent it reads why.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity

from activities.connections import Connections
from activities.fortnox import CREATE_INVOICE, compare, to_fortnox_invoice
from activities.fortnox import SYSTEM as FORTNOX
from activities.ongoing import SYSTEM as ONGOING
from activities.ongoing import to_ongoing_order
from clients.errors import NotFound, Rejected, Unauthorised
from clients.fortnox import FortnoxClient
from clients.ongoing import OngoingClient
from domain.corrections import Name
from domain.errors import Refused
from domain.keys import BasisKey, OrderKey
from erp import calls, corrections
from erp.calls import CallKey
from erp.counters import PURCHASE_ORDER, SALES_ORDER
from erp.database import NEVER_KEPT, Database, Session
from erp.invoices import InvoiceBasis, load_basis, revise
from erp.links import links
from erp.merchants import Merchant, load_merchant
from erp.orders import load_order
from erp.people import audit, audited


@dataclass(frozen=True, slots=True)
class Asked:
    """A correction as a person sent it. `key` is the caller's, unique for the merchant; `approved_by` a second person."""

    merchant: str
    number: str
    run: int
    name: str
    by: str
    reason: str
    key: str
    content: dict[str, Any] = field(default_factory=dict)
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """What came of it. `refused` in words; `second_person`: nothing was done, somebody else must approve it first."""

    refused: str | None = None
    repeated: bool = False
    second_person: bool = False


class Corrections:
    """Corrections of sales orders and of purchase orders."""

    def __init__(self, database: Database, warehouse: Connections[OngoingClient], accounting: Connections[FortnoxClient]) -> None:
        self._database = database
        self._warehouse = warehouse
        self._accounting = accounting

    @activity.defn
    async def weigh_correction(self, asked: Asked) -> Corrected:
        """Whether it was done before under its key, and whether its amount needs a second person; then that is noted."""
        async with self._database.merchant(asked.merchant) as session:
            if (known := await _known(session, asked)) is not None:
                return known
            if asked.approved_by is not None:
                return Corrected()
            settings = (await load_merchant(session, asked.merchant)).settings
            amount = await corrections.amount_of(session, asked.name, asked.merchant, asked.number, asked.content)
            if not settings.second_person_above or amount <= settings.second_person_above:
                return Corrected()
            detail = corrections.detail_of(asked.content, amount=str(amount), limit=settings.second_person_above)
            action = f"{asked.name} requested"
            number, key = asked.number, f"{asked.key}/requested"
            await audit(session, asked.merchant, asked.by, action, SALES_ORDER, number, asked.reason, detail, key)
            return Corrected(second_person=True)

    @activity.defn
    async def correct_rows(self, asked: Asked) -> Corrected:
        """A correction of our own rows, in one transaction with its audit row, which is written first: it claims the key."""
        try:
            async with self._database.merchant(asked.merchant) as session:
                if not await _note(session, asked):
                    return await _known(session, asked) or Corrected()
                if refused := await _change_rows(session, asked):
                    raise _NotDone(refused)
        except _NotDone as why:
            return Corrected(str(why))
        except NEVER_KEPT as why:
            return Corrected(f"the ERP's tables do not take it: {getattr(why, 'message', None) or type(why).__name__}")
        return Corrected()

    @activity.defn
    async def close_purchase(self, asked: Asked) -> Corrected:
        """Expect nothing more of a purchase order, once for the caller's key. The ERP's trigger tells its process."""
        try:
            async with self._database.merchant(asked.merchant) as session:
                if not await _note(session, asked, kind=PURCHASE_ORDER):
                    return await _known(session, asked) or Corrected()
                if refused := await corrections.close_purchase(session, asked.merchant, asked.number, asked.by, asked.reason):
                    raise _NotDone(refused)
        except _NotDone as why:
            return Corrected(str(why))
        except NEVER_KEPT as why:
            return Corrected(f"the ERP's tables do not take it: {getattr(why, 'message', None) or type(why).__name__}")
        return Corrected()

    @activity.defn
    async def adopt_order(self, asked: Asked) -> Corrected:
        """Take over an order that the warehouse holds under our number: its lines must be ours; then it gets our mark."""
        key = OrderKey(asked.merchant, asked.number, asked.run)
        async with self._warehouse.using(asked.merchant) as (merchant, client):
            async with self._database.merchant(asked.merchant) as session:
                if (known := await _known(session, asked)) is not None:
                    return known
                order = await load_order(session, key)
                if await links(session, asked.merchant, ONGOING, "sales-order", [asked.number]):
                    return Corrected(f"order {asked.number} has its document in the warehouse already")
            if not asked.content["foreign_id"].isdecimal():
                return Corrected(f"{asked.content['foreign_id']!r} is no id of an order in the warehouse: it is a number")
            try:
                held = await client.get_order(int(asked.content["foreign_id"]))
            except NotFound:
                return Corrected(f"the warehouse has no order with the id {asked.content['foreign_id']}")
            if held.order_number != asked.number:
                return Corrected(f"the warehouse's order {held.order_id} has the number {held.order_number}, not {asked.number}")
            ours = sorted((line.article_number, line.quantity) for line in order.stock_lines)
            theirs = sorted((line.article_number, line.ordered) for line in held.lines)
            if ours != theirs:
                return Corrected(f"the warehouse's order {held.order_id} has other lines than ours: correct one of the two first")
            try:
                await client.put_order(to_ongoing_order(order, merchant.settings))
            except Unauthorised:
                raise
            except Rejected as refusal:
                return Corrected(f"the warehouse does not let us take its order over: {refusal}")
        async with self._database.merchant(asked.merchant) as session:
            await _note(session, asked)
        return Corrected()

    @activity.defn
    async def correct_invoice(self, asked: Asked) -> Corrected:
        """A correction of the invoice that stands still: adopt a draft, mark it made outside, give it another day."""
        async with self._accounting.using(asked.merchant) as (merchant, client):
            async with self._database.merchant(asked.merchant) as session:
                if (known := await _known(session, asked)) is not None:
                    return known
                found = await corrections.open_basis(session, asked.merchant, asked.number, asked.run)
                if found is None:
                    return Corrected(f"order {asked.number} owes no invoice now")
                key, on_its_way = found
                if on_its_way:
                    return Corrected(f"an attempt to make the invoice of order {asked.number} may still arrive: send this again")
                basis = await load_basis(session, merchant, key)
            try:
                return await self._correct_invoice(client, merchant, asked, key, basis)
            except (Refused, NotFound) as why:
                return Corrected(str(why))
            except Unauthorised:
                raise
            except Rejected as why:
                return Corrected(f"Fortnox refuses: {why}")

    async def _correct_invoice(
        self, client: FortnoxClient, merchant: Merchant, asked: Asked, key: BasisKey, basis: InvoiceBasis
    ) -> Corrected:
        call_key = CallKey(asked.merchant, FORTNOX, CREATE_INVOICE, basis.reference)
        live = [hit for hit in await client.find_invoices_by_reference(basis.reference) if not hit.cancelled]
        if booked := [hit for hit in live if hit.booked]:
            return Corrected(f"invoice {booked[0].document_number} is booked in Fortnox for it already: retry_now finds it")
        if asked.name == Name.ADOPT:
            number = asked.content["foreign_id"]
            if not number.isdecimal():
                return Corrected(f"{number!r} is no invoice number of Fortnox")
            draft = await client.get_invoice(int(number))
            if draft.cancelled or draft.booked:
                state = "cancelled" if draft.cancelled else "booked"
                return Corrected(f"invoice {number} is {state}: only a draft can be adopted; a booked one is handled_outside")
            compare(basis, draft)
            await client.update_invoice(int(number), {"ExternalInvoiceReference1": basis.reference})
            for hit in live:
                if hit.document_number != int(number):
                    await client.cancel_invoice(hit.document_number)
            async with self._database.merchant(asked.merchant) as session:
                call = await calls.intend(session, call_key, to_fortnox_invoice(basis, merchant).model_dump())
                await calls.end(session, call_key, call.attempt, "done", number)
                await _note(session, asked, reference=basis.reference)
            return Corrected()
        if asked.name == Name.CHOOSE_PERIOD:
            day = asked.content["day"]
            if wrong := await _closed(client, day):
                return Corrected(wrong)
        for hit in live:
            await client.cancel_invoice(hit.document_number)
        async with self._database.merchant(asked.merchant) as session:
            if asked.name == Name.CHOOSE_PERIOD:
                await corrections.redate(session, key, asked.content["day"])
                await revise(session, key, basis.revision + 1)
            else:
                await corrections.handled_outside(session, key)
            await _note(session, asked, reference=basis.reference, basis=key.basis, part=key.part)
        return Corrected()


class _NotDone(Exception):
    """Takes the transaction back, with the words for the person."""


async def _change_rows(session: Session, asked: Asked) -> str | None:
    """The effect on our rows; why it cannot be done, in words."""
    content, merchant, number = asked.content, asked.merchant, asked.number
    match Name(asked.name):
        case Name.CANCEL:
            return await corrections.ask_to_cancel(session, merchant, number)
        case Name.CHANGE_ADDRESS:
            return await corrections.take_address(session, merchant, number, content["parked"])
        case Name.CHANGE_LINES:
            return await corrections.change_lines(session, merchant, number, content["lines"])
        case Name.ACCEPT_SHORT:
            return await corrections.accept_short(session, merchant, number)
        case Name.SPLIT_OFF:
            return await corrections.split_off(session, merchant, number, content["new_number"], content["lines"])
    return None


async def _closed(client: FortnoxClient, day: str) -> str | None:
    from datetime import date

    on = date.fromisoformat(day)
    locked = await client.locked_period()
    if locked is not None and on <= locked:
        return f"the books are locked to and including {locked}: choose a later day than {day}"
    if not await client.financial_years(on):
        return f"Fortnox has no financial year for {day}"
    return None


async def _known(session: Session, asked: Asked) -> Corrected | None:
    """What was done before under this key; another correction under the same key is refused."""
    held = await audited(session, asked.merchant, asked.key)
    if held is None:
        return None
    kept = held["detail"] if isinstance(held["detail"], dict) else json.loads(held["detail"])
    same = (held["action"], held["document"], kept.get("sent")) == (asked.name, asked.number, _sent(asked.content))
    return Corrected(repeated=True) if same else Corrected(f"the key {asked.key} was used for another correction: take a new one")


def _sent(content: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(content, sort_keys=True, default=str))


async def _note(session: Session, asked: Asked, kind: str = SALES_ORDER, **came_to: Any) -> bool:
    """Write the audit row. False when the key has one: whoever writes it at the same moment is waited for."""
    detail = corrections.detail_of({"sent": _sent(asked.content)}, **came_to, approved_by=asked.approved_by)
    return await audit(session, asked.merchant, asked.by, asked.name, kind, asked.number, asked.reason, detail, asked.key)
