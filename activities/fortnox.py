"""What we ask of the accounting system. It takes no idempotency key, so every creation follows the write protocol.

Intent committed, search, attempt committed, create as a draft, compare, complete, bookkeep, read back. An attempt without a
clear answer is left alone until it can no longer arrive; then the search decides. Booked is final, so everything that can
be found out is found out while the invoice is still a draft.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from temporalio import activity

from activities.connections import Connections
from activities.errors import Waiting
from activities.writing import WriteRules, attempt_once, end_attempt, may_be_written
from clients.errors import NotFound, Rejected, Unauthorised
from clients.fortnox import FortnoxClient, Invoice, InvoiceHit, InvoicePayload, InvoiceRowPayload
from domain.errors import Refused
from domain.flows import INVOICES
from domain.fortnox_errors import reason_of
from domain.invoicing import BasisRow, compare_totals
from domain.keys import BasisKey, OrderKey, OrderState, ReturnKey, ReturnState
from domain.money import ZERO
from domain.text import cleaned
from erp import calls
from erp.calls import Call, CallKey
from erp.database import Database, Session
from erp.invoices import Customer, InvoiceBasis, basis_booked, load_basis, revise
from erp.links import Link, links, save_link
from erp.merchants import Merchant
from erp.orders import lock_order, order_state
from erp.returns import return_state

State = TypeVar("State")

SYSTEM = "fortnox"
CREATE_INVOICE = "create-invoice"
CUSTOMER_NUMBER = re.compile(r"^[A-Za-z0-9\-+/_]{1,50}$")

CUSTOMER_TAKEN = "2000637"


class CancelledByHand(Exception):
    """Somebody cancelled the invoice over there; `revision` is that of the basis it was made from."""

    def __init__(self, text: str, revision: int) -> None:
        super().__init__(text)
        self.revision = revision


class Fortnox:
    """Invoices of a merchant's shipments, each written exactly once."""

    def __init__(self, database: Database, connections: Connections[FortnoxClient], rules: WriteRules) -> None:
        self._database = database
        self._connections = connections
        self._rules = rules

    @activity.defn
    async def invoice_shipment(self, key: BasisKey) -> OrderState:
        """Bring one part of an invoice basis to a booked invoice, and say what the order still owes.

        A repeat goes on where the last attempt stands. Raises `Waiting` while an unclear attempt may still arrive; refuses
        what a person must decide (the period is locked, somebody edited the draft, two are booked).
        """
        patience = self._rules.patience.total_seconds()
        return await self._bring(key, lambda session, merchant: order_state(session, merchant, _order(key), patience))

    @activity.defn
    async def credit_return(self, key: BasisKey) -> ReturnState:
        """Bring one credit of a return to a booked negative invoice by the same protocol, and say what the return still owes."""
        back = ReturnKey(key.merchant, key.return_number or "", key.run)

        async def state(session: Session, _merchant: Merchant) -> ReturnState:
            await lock_order(session, OrderKey(key.merchant, key.order))
            return await return_state(session, back, self._rules.patience.total_seconds())

        return await self._bring(key, state)

    async def _bring(self, key: BasisKey, answer: Callable[[Session, Merchant], Awaitable[State]]) -> State:
        async with self._connections.using(key.merchant, INVOICES) as (merchant, client):
            try:
                return await self._invoice(client, merchant, key, answer)
            except CancelledByHand as cancelled:
                if not key.again:
                    raise Refused("invoice-cancelled-by-hand", str(cancelled)) from None
                async with self._database.merchant(key.merchant) as session:
                    await revise(session, key, cancelled.revision + 1)
            return await self._invoice(client, merchant, key, answer)

    async def _invoice(
        self, client: FortnoxClient, merchant: Merchant, key: BasisKey, answer: Callable[[Session, Merchant], Awaitable[State]]
    ) -> State:
        async with self._database.merchant(key.merchant) as session:
            basis = await load_basis(session, merchant, key)
            if basis.state != "open":
                return await answer(session, merchant)
            call_key = CallKey(key.merchant, SYSTEM, CREATE_INVOICE, basis.reference)
            payload = to_fortnox_invoice(basis, merchant)
            call = await calls.intend(session, call_key, payload.model_dump())
            known = await links(session, key.merchant, SYSTEM, "customer", [basis.customer.number])
        number = int(call.their_id) if call.state == "done" and call.their_id else None
        try:
            if number is None:
                await self._ensure_customer(client, merchant, basis.customer, basis.currency, known.get(basis.customer.number))
                number = await self._create(client, call_key, call, basis, payload)
            invoice = await self._book(client, call_key, call, basis, number)
        except Refused as refusal:
            if refusal.code == "invoice-cancelled-by-hand":
                raise CancelledByHand(str(refusal), basis.revision) from None
            raise
        async with self._database.merchant(key.merchant) as session:
            voucher = f"{invoice.voucher_series or ''}{invoice.voucher_number or ''}"
            vat = invoice.total_vat or ZERO
            await basis_booked(session, key, invoice.document_number, voucher, invoice.net_total, vat)
            state: Any = await answer(session, merchant)
            done: State = replace(state, said=f"invoice {invoice.document_number}, voucher {voucher}")
            return done

    # --- the write protocol -------------------------------------------------------------------------------------------

    async def _create(self, client: FortnoxClient, key: CallKey, call: Call, basis: InvoiceBasis, payload: InvoicePayload) -> int:
        what = f"invoice {basis.reference}"
        may_be_written(call, what)
        number = await self._adopt(client, key, await client.find_invoices_by_reference(basis.reference), call)
        attempt = call.attempt
        if number is None:

            async def create() -> int:
                return (await client.create_invoice(payload)).document_number

            number, attempt = await attempt_once(
                self._database, self._rules, key, attempt, payload.model_dump(), what, create, lambda no: _refused(no, basis)
            )
        await end_attempt(self._database, key, attempt, "done", number)
        return number

    async def _adopt(
        self, client: FortnoxClient, key: CallKey, hits: Sequence[InvoiceHit], call: Call, ours: int | None = None
    ) -> int | None:
        """The one live document with our reference, surplus drafts cancelled and listed; None when there is none.

        The booked one stays, else the one adopted before (`ours`), else the lowest number.
        """
        live = sorted(
            (hit for hit in hits if not hit.cancelled),
            key=lambda hit: (not hit.booked, hit.document_number != ours, hit.document_number),
        )
        if not live:
            surplus = await self._surplus(key)
            if any(str(hit.document_number) not in surplus for hit in hits):
                numbers = ", ".join(str(hit.document_number) for hit in hits)
                raise Refused("invoice-cancelled-by-hand", f"invoice {numbers} ({key.key}) was cancelled in Fortnox")
            return None
        if len([hit for hit in live if hit.booked]) > 1:
            live = [hit for hit in live if not (hit.booked and await self._credited(client, hit.document_number))] or live
        if len([hit for hit in live if hit.booked]) > 1:
            numbers = ", ".join(str(hit.document_number) for hit in live if hit.booked)
            raise Refused("invoice-booked-twice", f"invoices {numbers} are booked with one reference, {key.key}")
        for hit in live[1:]:
            async with self._database.merchant(key.merchant) as session:
                fault = f"attempt {call.attempt} had no clear answer and another arrived"
                await calls.note_surplus(session, key, "invoice", str(hit.document_number), fault)
            await client.cancel_invoice(hit.document_number)
            async with self._database.merchant(key.merchant) as session:
                await calls.surplus_cancelled(session, key, "invoice", str(hit.document_number))
        return live[0].document_number

    @staticmethod
    async def _credited(client: FortnoxClient, number: int) -> bool:
        """Whether somebody has credited this invoice over there: it does not count any more."""
        invoice = await client.get_invoice(number)
        return invoice.credit_invoice_reference not in (None, "", "0") and not invoice.credit

    async def _surplus(self, key: CallKey) -> set[str]:
        async with self._database.merchant(key.merchant) as session:
            return await calls.surplus_documents(session, key, "invoice")

    async def _book(self, client: FortnoxClient, key: CallKey, call: Call, basis: InvoiceBasis, number: int) -> Invoice:
        if call.attempt > 0:
            # An earlier attempt may have arrived after the one we adopted: exactly one document may be booked.
            hits = await client.find_invoices_by_reference(basis.reference)
            number = await self._adopt(client, key, hits, call, number) or number
        invoice = await client.get_invoice(number)
        if invoice.cancelled:
            raise Refused("invoice-cancelled-by-hand", f"invoice {number} ({basis.reference}) was cancelled in Fortnox")
        compare(basis, invoice)
        if invoice.booked:
            return invoice
        try:
            if invoice.not_completed:
                await client.complete_invoice(number)
            invoice = await client.bookkeep_invoice(number)
        except Unauthorised:
            raise
        except Rejected as refusal:
            invoice = await client.get_invoice(number)
            if not invoice.booked:
                raise _refused(refusal, basis) from None
        if not invoice.booked:
            invoice = await client.get_invoice(number)
        if not invoice.booked:
            raise Waiting("settling", f"invoice {number} is not booked yet", 2.0)
        return invoice

    # --- customers ----------------------------------------------------------------------------------------------------

    async def _ensure_customer(
        self, client: FortnoxClient, merchant: Merchant, customer: Customer, currency: str, known: Link | None
    ) -> None:
        """Make the customer exist over there under its own number, and follow the ERP's card when that changes."""
        if not CUSTOMER_NUMBER.match(customer.number):
            raise Refused("customer-number-not-accepted", f"customer number {customer.number!r} is not accepted by Fortnox")
        card = to_fortnox_customer(customer, merchant.settings.terms_of_payment)
        fingerprint = calls.payload_hash(card)
        if known and known.sent_hash == fingerprint:
            return
        try:
            try:
                held = await client.get_customer(customer.number)
            except NotFound:
                held = await client.create_customer(card | {"CustomerNumber": customer.number, "Currency": currency})
            mark = card["ExternalReference"]
            if held.external_reference not in (None, mark):
                raise Refused("customer-number-taken", f"customer {customer.number} in Fortnox is not ours")
            if known or held.external_reference is None:
                await client.update_customer(customer.number, card)
        except Unauthorised:
            raise
        except Rejected as refusal:
            if refusal.code == CUSTOMER_TAKEN:
                raise Waiting("customer-refused", f"customer {customer.number}: {refusal}", 1.0) from None
            raise Refused(reason_of("customer", refusal.code, refusal.text), f"customer {customer.number}: {refusal}") from None
        async with self._database.merchant(merchant.merchant_id) as session:
            await save_link(
                session, merchant.merchant_id, SYSTEM, "customer", customer.number, customer.number, fingerprint, None
            )

    # --- the nightly look for what came late --------------------------------------------------------------------------

    @activity.defn
    async def sweep_surplus_invoices(self, merchant_id: str) -> int:
        """Search again, for weeks, for every invoice whose creation once had no clear answer; cancel surplus drafts.

        Returns how many were found; none while the flow is off. Two booked with one reference become an exception for the
        accountant.
        """
        found = 0
        async with self._connections.using(merchant_id) as (merchant, client):
            if await self._connections.is_off(merchant, INVOICES):
                return found
            async with self._database.merchant(merchant_id) as session:
                unclear = await calls.repeated_calls(session, merchant_id, SYSTEM, CREATE_INVOICE, days=21)
            for number, (reference, call) in enumerate(unclear):
                key = CallKey(merchant_id, SYSTEM, CREATE_INVOICE, reference)
                hits = await client.find_invoices_by_reference(reference)
                found += max(0, len([hit for hit in hits if not hit.cancelled]) - 1)
                try:
                    await self._adopt(client, key, hits, call, int(call.their_id) if call.their_id else None)
                except Unauthorised:
                    raise
                except (Refused, Rejected) as refusal:
                    code = refusal.code if isinstance(refusal, Refused) else "unexpected-refusal"
                    async with self._database.merchant(merchant_id) as session:
                        await calls.note_refusal(session, key, code, str(refusal))
                activity.heartbeat(number)
        return found


def _order(key: BasisKey) -> OrderKey:
    return OrderKey(key.merchant, key.order, key.run)


def _refused(refusal: Rejected, basis: InvoiceBasis) -> Refused:
    text = f"invoice {basis.reference} of sales order {basis.order_number}: {refusal}"
    return Refused(reason_of("invoice", refusal.code, refusal.text), text)


def compare(basis: InvoiceBasis, invoice: Invoice) -> None:
    """Refuse a draft that is not what was meant: people edit drafts, and Fortnox fills in what it thinks is missing."""
    facts: list[tuple[str, Any, Any]] = [
        ("customer", invoice.customer_number, basis.customer.number),
        ("currency", invoice.currency, basis.currency),
        ("rate", invoice.rate, basis.exchange_rate),
        ("prices with VAT", invoice.vat_included, basis.price_basis == "gross"),
        ("number of rows", len(invoice.rows), len(basis.part.rows)),
    ]
    for number, (row, meant) in enumerate(zip(invoice.rows, basis.part.rows, strict=False), start=1):
        facts += [
            (f"row {number} quantity", row.delivered_quantity, meant.quantity),
            (f"row {number} price", row.price, meant.unit_price),
            (f"row {number} VAT", row.vat, meant.vat_rate),
            (f"row {number} account", row.account_number, meant.account),
            (f"row {number} total", row.total, meant.amount),
        ]
    for name, held, meant_value in facts:
        if held != meant_value:
            raise Refused(
                "invoice-differs",
                f"invoice {invoice.document_number} ({basis.reference}): {name} is {held}, meant was {meant_value}",
            )
    compare_totals(basis.price_basis, basis.part, invoice.net_total, invoice.total_vat or ZERO)


def to_fortnox_invoice(basis: InvoiceBasis, merchant: Merchant) -> InvoicePayload:
    """Translate: everything is sent, zeros too, because Fortnox fills what is left out from the customer's card."""
    return InvoicePayload(
        customer_number=basis.customer.number,
        invoice_date=basis.invoice_date,
        delivery_date=basis.invoice_date,
        currency=basis.currency,
        currency_rate=basis.exchange_rate if basis.currency != merchant.currency else None,
        vat_included=basis.price_basis == "gross",
        external_invoice_reference1=basis.reference,
        external_invoice_reference2=cleaned(f"{basis.order_number}/{basis.shipment_no or f'K{basis.credits_invoice}'}", 80),
        remarks=f"Kredit av faktura {basis.credits_invoice}" if basis.credits_invoice else None,
        your_order_number=cleaned(basis.order_number, 30),
        your_reference=cleaned(basis.your_reference, 50),
        terms_of_payment=merchant.settings.terms_of_payment,
        not_completed=True,
        rows=[to_fortnox_row(row) for row in basis.part.rows],
    )


def to_fortnox_row(row: BasisRow) -> InvoiceRowPayload:
    """A row with its account and VAT rate, so that nothing is derived from cards over there."""
    return InvoiceRowPayload(
        description=row.description,
        delivered_quantity=row.quantity,
        price=row.unit_price,
        discount=row.discount_percent,
        vat=row.vat_rate,
        account_number=row.account,
    )


def to_fortnox_customer(customer: Customer, terms_of_payment: str) -> dict[str, Any]:
    """The customer's card as Fortnox takes it. `ExternalReference` says that it is ours."""
    card: dict[str, Any] = {
        "Name": cleaned(customer.name, 1024) or customer.number,
        "Type": "PRIVATE" if customer.customer_type == "private" else "COMPANY",
        "VATType": customer.zone.value,
        "CountryCode": customer.country,
        "TermsOfPayment": terms_of_payment,
        "ExternalReference": f"lagerbro/{customer.number}",
    }
    for name, value, limit in (
        ("OrganisationNumber", customer.organisation_number, 30),
        ("VATNumber", customer.vat_number, 30),
        ("Address1", customer.address1, 1024),
        ("Address2", customer.address2, 1024),
        ("ZipCode", customer.post_code, 10),
        ("City", customer.city, 1024),
        ("Email", customer.email, 1024),
    ):
        if value:
            card[name] = cleaned(value, limit)
    return card
