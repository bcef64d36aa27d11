"""The tie-out (avstämning): stock list, ledger and Fortnox's stock account are one figure, and what lies between them has a name.

As of an accounting day: opening, our vouchers up to that day, and whatever else moves the account there, each listed. Our own
figure says besides what is dated up to that day and is not in Fortnox by then: it waits, or its day was locked and it was booked
on a later one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from activities.vouchers import totals
from clients.errors import NotFound
from clients.fortnox import FinancialYear, FortnoxClient
from domain.money import ZERO
from erp.database import Database
from erp.merchants import load_merchant
from erp.vouchers import TieOut, booked_vouchers, tie_out
from worker.settings import Settings
from worker.wiring import fortnox_connections

Known = Mapping[tuple[str, int, int], int]


@dataclass(frozen=True, slots=True)
class Foreign:
    """A voucher in Fortnox that moves the stock account and is not ours."""

    voucher: str
    on: date
    amount: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class Tied:
    """Both sides of the tie-out. `gap` is what nothing explains: 0.00 or somebody must look."""

    accounts: list[int]
    ours: TieOut
    fortnox: Decimal
    brought_forward: Decimal
    ours_before: Decimal = ZERO
    foreign: list[Foreign] = field(default_factory=list)
    as_of: date | None = None
    year_before: Decimal | None = None
    """What Fortnox held at the end of the year before; None where it has no such year."""

    @property
    def before(self) -> Decimal:
        """What Fortnox held into the year beside our own vouchers of earlier years."""
        return self.brought_forward - self.ours_before - self.lost_between_years

    @property
    def lost_between_years(self) -> Decimal:
        """What it brought into the year more or less than it held at the end of the year before: part of the gap.

        Nothing brought at all is its own step at the turn of a year that has not been taken yet (`not_brought`).
        """
        if self.year_before is None or not self.brought_forward:
            return ZERO
        return self.brought_forward - self.year_before

    @property
    def not_brought(self) -> bool:
        """Whether Fortnox has not brought our vouchers of earlier years into this one (its own step at the turn of a year)."""
        return self.ours_before != ZERO and self.brought_forward == ZERO

    @property
    def gap(self) -> Decimal:
        """Fortnox's balance, less what is explained: our vouchers, what it held before, and the foreign vouchers listed."""
        foreign = sum((each.amount for each in self.foreign), ZERO)
        before = ZERO if self.ours.opening else self.before
        return self.fortnox - self.ours.vouchered - self.ours.opening - before - foreign

    @property
    def unexplained_here(self) -> Decimal:
        """What our own parts do not add up to: list, balances, and what is posted, in Fortnox or not."""
        ours = self.ours
        parts = ours.vouchered + ours.later + ours.waiting + ours.opening
        return max(abs(ours.ledger - ours.posted), abs(ours.posted - parts), abs(ours.ledger - ours.balances))

    @property
    def agrees(self) -> bool:
        return not self.unexplained_here and not self.gap


async def tied_out(settings: Settings, merchant_id: str, as_of: date | None = None) -> Tied:
    """The tie-out by connections of its own."""
    database = Database(settings.database("app"), pool_size=2)
    connections = fortnox_connections(database, settings.key_ring(), settings)
    try:
        async with connections.using(merchant_id) as (_, client):
            return await tie(database, client, merchant_id, as_of)
    finally:
        await connections.aclose()
        await database.close()


async def tie(database: Database, client: FortnoxClient, merchant_id: str, as_of: date | None = None) -> Tied:
    """Read both sides. Now: Fortnox's own balance, and its vouchers only if the figures differ. As of a day: every voucher of the
    year up to it is read there, ours too, because Fortnox has no balance of a day; that takes a request for each."""
    async with database.merchant(merchant_id) as session:
        merchant = await load_merchant(session, merchant_id)
        accounts = merchant.settings.stock_account_numbers
        in_fortnox = not merchant.settings.opening_is_in_fortnox
        ours = await tie_out(session, merchant_id, accounts, in_fortnox, as_of, merchant.time_zone)
        booked = await booked_vouchers(session, merchant_id, accounts)
    known = {(row.fortnox_series, row.fortnox_number, row.fortnox_year): row.voucher_no for row in booked}
    last = as_of or merchant.day_of(datetime.now(UTC))
    year = next(iter(await client.financial_years(last)), None)
    if year is None:
        return Tied(accounts, ours, ZERO, ZERO, as_of=as_of)
    brought, carried = await _balances(client, accounts, year)
    before = sum((row.stock for row in booked if row.booked_on < year.from_date), ZERO)
    earlier = next(iter(await client.financial_years(year.from_date - timedelta(days=1))), None) if brought else None
    held = (await _balances(client, accounts, earlier))[1] if earlier else None
    if as_of is None:
        tied = Tied(accounts, ours, carried, brought, before, year_before=held)
        if not tied.gap:
            return tied
        foreign, _ = await _moves(client, accounts, year, year.to_date, known, read_ours=False)
        return Tied(accounts, ours, carried, brought, before, foreign, year_before=held)
    foreign, ours_there = await _moves(client, accounts, year, as_of, known, read_ours=True)
    there = brought + ours_there + sum((each.amount for each in foreign), ZERO)
    return Tied(accounts, ours, there, brought, before, foreign, as_of, held)


async def _balances(client: FortnoxClient, accounts: Sequence[int], year: FinancialYear) -> tuple[Decimal, Decimal]:
    brought = carried = ZERO
    for account in accounts:
        try:
            held = await client.get_account(account, year.year_id)
        except NotFound:
            continue
        brought += held.balance_brought_forward or ZERO
        carried += held.balance_carried_forward or ZERO
    return brought, carried


async def _moves(
    client: FortnoxClient, accounts: Sequence[int], year: FinancialYear, last: date, known: Known, read_ours: bool
) -> tuple[list[Foreign], Decimal]:
    """The vouchers of the year up to a day that move stock and are not ours; and, where asked for, the sum of those that are."""
    foreign, ours = list[Foreign](), ZERO
    for series in await client.voucher_series(year.year_id):
        for hit in await client.list_vouchers(series.code, year.year_id, year.from_date, min(last, year.to_date)):
            mine = (hit.voucher_series, hit.voucher_number, year.year_id) in known
            if mine and not read_ours:
                continue
            voucher = await client.get_voucher(hit.voucher_series, hit.voucher_number, year.year_id)
            sides = totals(voucher)
            moved = sum((debit - credit for account, (debit, credit) in sides.items() if account in accounts), ZERO)
            if mine:
                ours += moved
            elif moved:
                name = f"{hit.voucher_series}{hit.voucher_number}"
                foreign.append(Foreign(name, hit.transaction_date, moved, hit.description or ""))
    return foreign, ours
