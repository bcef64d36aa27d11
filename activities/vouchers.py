"""What we book in the accounting system by ourselves: vouchers. There is no draft of a voucher: created is booked, for ever.

So a first attempt is sent only after its intent is committed, and a second only after the first can no longer arrive and the
series has been read. One that turns up twice all the same is reversed by a voucher that names it, and listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from temporalio import activity

from activities.connections import Connections
from activities.errors import Waiting
from activities.writing import WriteRules, attempt_once, end_attempt, may_be_written
from clients.errors import Rejected
from clients.fortnox import FortnoxClient, Voucher, VoucherHit, VoucherPayload, VoucherRowPayload
from domain.errors import Refused
from domain.flows import VOUCHERS
from domain.fortnox_errors import reason_of
from domain.money import ZERO
from domain.vouchers import Row, Year, booking_day, voucher_key
from erp import calls
from erp.calls import CallKey
from erp.database import Database
from erp.exceptions import open_exception
from erp.limiter import WriteLease
from erp.merchants import Merchant
from erp.vouchers import StoredVoucher, booked_vouchers, load_voucher, place_voucher, prepare_vouchers, voucher_booked
from erp.watching import ran

SYSTEM = "fortnox"
CREATE, REVERSE = "create-voucher", "reverse-voucher"
SEARCHED_DAYS = 21


@dataclass(frozen=True, slots=True)
class Posted:
    """How many vouchers a run has brought to Fortnox."""

    booked: int = 0


@dataclass(frozen=True, slots=True)
class _Books:
    """What holds over there now."""

    years: list[Year]
    locked_until: date | None


class Vouchers:
    """Postings that have no voucher, brought to Fortnox, each exactly once."""

    def __init__(self, database: Database, connections: Connections[FortnoxClient], rules: WriteRules) -> None:
        self._database = database
        self._connections = connections
        self._rules = rules

    @activity.defn
    async def post_vouchers(self, merchant_id: str) -> Posted:
        """Give every posting without one a voucher, and book every voucher that is not in Fortnox yet.

        One writer at a time for a merchant. A repeat goes on where the last attempt stands. One voucher that a person must
        decide about does not stop the others; when all are done the first reason is refused, with how many wait for it. While
        the flow is off nothing is done: the postings wait for the first run after it is on.
        """
        async with self._connections.using(merchant_id) as (merchant, client):
            if await self._connections.is_off(merchant, VOUCHERS):
                return Posted()
            lease = WriteLease(self._database, merchant_id, "fortnox-vouchers", self._rules.settle.total_seconds() + 60)
            async with lease(urgent=True):
                return await self._post(client, merchant)

    async def _post(self, client: FortnoxClient, merchant: Merchant) -> Posted:
        settings = merchant.settings
        async with self._database.merchant(merchant.merchant_id) as session:
            numbers = await prepare_vouchers(
                session, merchant.merchant_id, settings.voucher_per, with_opening=not settings.opening_is_in_fortnox
            )
        books = await _books(client)
        booked, held, settling = 0, list[Refused](), list[Waiting]()
        for number in numbers:
            try:
                await self._bring(client, merchant, books, number)
                booked += 1
            except Refused as refusal:
                held.append(refusal)
            except Waiting as unclear:
                settling.append(unclear)  # its key keeps it apart: the others need not wait for it
            activity.heartbeat(booked, len(held), len(settling))
        if settling:
            raise min(settling, key=lambda unclear: unclear.seconds)
        if held:
            more = f", and {len(held) - 1} more vouchers wait" if len(held) > 1 else ""
            raise Refused(held[0].code, f"{held[0]}{more}")
        async with self._database.merchant(merchant.merchant_id) as session:
            await ran(session, merchant.merchant_id, VOUCHERS.name)
        return Posted(booked)

    async def _bring(self, client: FortnoxClient, merchant: Merchant, books: _Books, number: int) -> None:
        async with self._database.merchant(merchant.merchant_id) as session:
            voucher = await load_voucher(session, merchant.merchant_id, number)
            key = CallKey(merchant.merchant_id, SYSTEM, CREATE, voucher_key(number))
            call = await calls.intend(session, key, {"specification": voucher.specification_hash.hex()})
            if call.state in ("intended", "refused") or voucher.booked_on is None:
                # Nothing of it can be on its way, so its day may still be chosen; afterwards it stands.
                on, year = booking_day(
                    voucher.accounting_date, books.years, books.locked_until, merchant.settings.locked_period_policy
                )
                await place_voucher(session, merchant.merchant_id, number, on, merchant.settings.voucher_series, year.year_id)
                voucher = await load_voucher(session, merchant.merchant_id, number)
        if voucher.state == "booked":
            return
        payload = to_fortnox_voucher(voucher)
        assert voucher.year is not None
        found = await self._write(client, key, payload, voucher.year)
        async with self._database.merchant(merchant.merchant_id) as session:
            await voucher_booked(session, merchant.merchant_id, number, found)

    async def _write(self, client: FortnoxClient, key: CallKey, payload: VoucherPayload, year: int) -> int:
        """The number of the one voucher with this key, made if it is not there."""
        async with self._database.merchant(key.merchant) as session:
            call = await calls.intend(session, key, payload.model_dump())
        if call.state == "done" and call.their_id:
            return int(call.their_id)
        what = f"voucher {key.key}"
        may_be_written(call, what)
        attempt = call.attempt
        hits = await _search(client, key.key, payload, year) if attempt else []
        number = min((hit.voucher_number for hit in hits), default=None)
        if number is None:

            async def create() -> int:
                return (await client.create_voucher(payload, year)).voucher_number

            def refused(refusal: Rejected) -> Refused:
                code = reason_of("voucher", refusal.code, refusal.text)
                return Refused(code, f"{what} of {payload.transaction_date}: {refusal}")

            number, attempt = await attempt_once(
                self._database, self._rules, key, attempt, payload.model_dump(), what, create, refused
            )
        made = await client.get_voucher(payload.voucher_series, number, year)
        if totals(made) != _meant(payload):
            raise Refused("voucher-differs", f"voucher {payload.voucher_series}{number} ({key.key}) is not what was sent")
        await end_attempt(self._database, key, attempt, "done", number)
        for hit in hits:
            if hit.voucher_number != number:
                await self._reverse(client, key, hit, year, number)
        return number

    # --- what came twice ----------------------------------------------------------------------------------------------

    async def _reverse(self, client: FortnoxClient, of: CallKey, hit: VoucherHit, year: int, kept: int) -> None:
        """Reverse a voucher that came twice by one that names it, and list it for the accountant."""
        name = f"{hit.voucher_series}{hit.voucher_number}"
        place = f"{hit.voucher_series}/{hit.voucher_number}/{year}"
        async with self._database.merchant(of.merchant) as session:
            await calls.note_surplus(session, of, "voucher", place, f"an attempt without a clear answer arrived beside {kept}")
        twice = await client.get_voucher(hit.voucher_series, hit.voucher_number, year)
        books = await _books(client)
        on, in_year = booking_day(twice.transaction_date, books.years, books.locked_until, "next-open-day")
        key = CallKey(of.merchant, SYSTEM, REVERSE, f"{of.key}-rev-{hit.voucher_number}")
        payload = VoucherPayload(
            description=f"{key.key} Rättar {name}, bokförd två gånger (kvar är {hit.voucher_series}{kept})",
            voucher_series=hit.voucher_series,
            transaction_date=on,
            comments=key.key,
            rows=[
                VoucherRowPayload(account=row.account, debit=row.credit or ZERO, credit=row.debit or ZERO)
                for row in twice.rows
                if not row.removed
            ],
        )
        await self._write(client, key, payload, in_year.year_id)
        async with self._database.merchant(of.merchant) as session:
            await calls.surplus_cancelled(session, of, "voucher", place)
            detail = f"voucher {name} was booked twice and is reversed; the one that counts is {hit.voucher_series}{kept}"
            await open_exception(session, of.merchant, "voucher", of.key, "voucher-booked-twice", detail, False)

    @activity.defn
    async def sweep_surplus_vouchers(self, merchant_id: str) -> int:
        """Search again, for weeks, for vouchers whose creation once had no clear answer; reverse what came twice. A reversal
        that was begun and whose answer was lost is seen through.

        Returns how many were found; none while the flow is off.
        """
        found = 0
        async with self._connections.using(merchant_id) as (merchant, client):
            if await self._connections.is_off(merchant, VOUCHERS):
                return found
            async with self._database.merchant(merchant_id) as session:
                unclear = [
                    (operation, reference, call)
                    for operation in (CREATE, REVERSE)
                    for reference, call in await calls.repeated_calls(session, merchant_id, SYSTEM, operation, SEARCHED_DAYS)
                ]
            if not unclear:
                return 0
            years = (await _books(client)).years
            by_key = await _all_of_series(client, merchant_id, years, self._database)
            for operation, reference, call in unclear:
                key = CallKey(merchant_id, SYSTEM, operation, reference)
                async with self._database.merchant(merchant_id) as session:
                    seen_to = await calls.surplus_documents(session, key, "voucher", cancelled=True)
                for year, hit in by_key.get(reference, []):
                    place = f"{hit.voucher_series}/{hit.voucher_number}/{year}"
                    if str(hit.voucher_number) != call.their_id and place not in seen_to:
                        found += 1
                        await self._reverse(client, key, hit, year, int(call.their_id or 0))
                activity.heartbeat(found)
        return found


async def _books(client: FortnoxClient) -> _Books:
    years = [Year(year.year_id, year.from_date, year.to_date) for year in await client.financial_years()]
    return _Books(years, await client.locked_period())


async def _search(client: FortnoxClient, key: str, payload: VoucherPayload, year: int) -> list[VoucherHit]:
    """The vouchers with this key, compared on our side: the partner has no search by it."""
    on = payload.transaction_date
    return [hit for hit in await client.list_vouchers(payload.voucher_series, year, on, on) if hit.comments == key]


async def _all_of_series(
    client: FortnoxClient, merchant_id: str, years: Sequence[Year], database: Database
) -> dict[str, list[tuple[int, VoucherHit]]]:
    async with database.merchant(merchant_id) as session:
        places = {(row.fortnox_series, row.fortnox_year) for row in await booked_vouchers(session, merchant_id)}
    found: dict[str, list[tuple[int, VoucherHit]]] = {}
    for year in years:
        for series in sorted(series for series, year_id in places if year_id == year.year_id):
            for hit in await client.list_vouchers(series, year.year_id, year.first, year.last):
                if hit.comments:
                    found.setdefault(hit.comments, []).append((year.year_id, hit))
    return found


def totals(voucher: Voucher) -> dict[int, tuple[Decimal, Decimal]]:
    """What stands on each account of a voucher: debit and credit. Struck rows count for nothing."""
    sums: dict[int, tuple[Decimal, Decimal]] = {}
    for row in voucher.rows:
        if not row.removed:
            debit, credit = sums.get(row.account, (ZERO, ZERO))
            sums[row.account] = (debit + (row.debit or ZERO), credit + (row.credit or ZERO))
    return sums


def _meant(payload: VoucherPayload) -> dict[int, tuple[Decimal, Decimal]]:
    sums: dict[int, tuple[Decimal, Decimal]] = {}
    for row in payload.rows:
        debit, credit = sums.get(row.account, (ZERO, ZERO))
        sums[row.account] = (debit + row.debit, credit + row.credit)
    return sums


def to_fortnox_voucher(voucher: StoredVoucher) -> VoucherPayload:
    """Translate: the key stands alone in the comments, and first in the description, with the original day where it moved."""
    assert voucher.booked_on is not None
    assert voucher.series is not None
    key = voucher_key(voucher.voucher_no)
    moved = "" if voucher.booked_on == voucher.accounting_date else f", avser {voucher.accounting_date}"
    return VoucherPayload(
        description=f"{key} Lager och kostnad sålda varor{moved} (specifikation {voucher.specification_hash.hex()[:12]})",
        voucher_series=voucher.series,
        transaction_date=voucher.booked_on,
        comments=key,
        rows=[_row(row) for row in voucher.rows],
    )


def _row(row: Row) -> VoucherRowPayload:
    return VoucherRowPayload(account=row.account, debit=row.debit, credit=row.credit)
