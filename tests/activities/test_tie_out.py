"""The stock list as of any accounting day ties to the stock account: opening, our series, and listed vouchers of others."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.adjusting import Change, change_stock
from erp import ledger
from erp.cost_overview import stock_as_of
from erp.merchants import load_merchant
from starters import verify as checker
from starters.tie_out import Tied, tie
from tests.activities.test_vouchers import lock, post
from tests.activities.world import Shop, again

D = Decimal
TODAY = datetime.now(UTC).date()
OPENED = D("13500.00")
A = ("A", "MAIN")


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


async def moved(shop: Shop, pieces: int, days: int, cause: str) -> None:
    """Pieces found or gone, dated some days ago."""
    at = datetime.combine(ago(days), time(12), UTC)
    async with shop.worker.database.merchant(shop.merchant) as session:
        who = await load_merchant(session, shop.merchant)
        pools = await ledger.lock_pools(session, shop.merchant, [A])
        made, pool = change_stock(Change(A, D(pieces), cause, 4990, at, ago(days)), pools[A])
        accounts = who.settings.stock_accounts
        await ledger.append(session, shop.merchant, made, {A: pool}, accounts, "SEK", cause, "test", "test", "test")


async def vouchered(shop: Shop) -> None:
    await again(post(shop.worker), shop.merchant)


async def tied(shop: Shop, days: int | None = None) -> Tied:
    async with shop.worker.connections[1].using(shop.merchant) as (_, client):
        return await tie(shop.worker.database, client, shop.merchant, None if days is None else ago(days))


async def listed(shop: Shop, days: int) -> Decimal:
    async with shop.verify.everyone() as session:
        return sum((row["value"] for row in await stock_as_of(session, shop.merchant, ago(days), "Europe/Stockholm")), D(0))


async def by_hand(shop: Shop, days: int, amount: int, account: int = 1460) -> None:
    [year] = (await shop.call_fortnox("GET", f"financialyears?date={ago(days)}")).json()["FinancialYears"]
    rows: list[dict[str, Any]] = [{"Account": account, "Debit": amount}, {"Account": 4010, "Credit": amount}]
    body = {"Description": "by hand", "VoucherSeries": "A", "TransactionDate": str(ago(days)), "VoucherRows": rows}
    await shop.call_fortnox("POST", f"vouchers?financialyear={year['Id']}", {"Voucher": body})


async def test_the_stock_list_of_every_day_ties_to_what_fortnox_has_booked_up_to_it(shop: Shop) -> None:
    await moved(shop, -10, 3, "one")
    await moved(shop, 4, 1, "two")
    await vouchered(shop)
    await by_hand(shop, 2, 100)
    [(each,)] = await shop.read("select -value / 10 from erp.stock_entry where merchant_id = :m and cause = 'one'")
    for days, ours, foreign in ((4, 0, []), (3, -10 * each, []), (2, -10 * each, [D(100)]), (1, -6 * each, [D(100)])):
        found = await tied(shop, days)
        assert (found.ours.ledger, found.ours.vouchered, found.fortnox) == (ours, ours, ours + sum(foreign))
        assert [each.amount for each in found.foreign] == foreign
        assert found.agrees and await listed(shop, days) == ours
    now = await tied(shop)
    assert now.agrees and now.ours.ledger == OPENED - 6 * each and now.fortnox == now.ours.ledger + 100


async def test_a_day_that_was_locked_shows_what_was_booked_on_a_later_one(shop: Shop) -> None:
    await lock(shop, ago(2))
    await moved(shop, -10, 3, "late")
    waits = await tied(shop, 3)
    assert waits.agrees and waits.ours.waiting == waits.ours.ledger != 0 and waits.ours.later == 0
    await vouchered(shop)
    late = await tied(shop, 3)
    assert late.agrees and late.ours.later == late.ours.ledger
    assert late.ours.waiting == late.fortnox == 0
    assert (await tied(shop, 1)).ours.later == 0
    await lock(shop, None)


async def test_stock_on_several_accounts_by_rules_is_tied_out_as_one(shop: Shop) -> None:
    rule = {"priority": 1, "event": "stock-adjusted", "debit": 1465, "credit": 4990, "article": "A"}
    await shop.settings(posting_rules=[rule], order_types={"normal": None})
    await moved(shop, -10, 1, "other account")
    await vouchered(shop)
    found = await tied(shop)
    assert (found.accounts, found.agrees, found.foreign) == ([1460, 1465], True, [])
    assert (await tied(shop, 1)).agrees


async def test_verify_online_finds_what_nothing_explains_on_the_stock_account_and_lists_what_is_not_ours(shop: Shop) -> None:
    async def found() -> Any:
        warehouse, accounting = shop.worker.connections[:2]
        online = checker.Online(shop.worker.database, warehouse, accounting)
        report = await checker.verify(shop.verify, merchant=shop.merchant, online=online, temporal=None)
        return next(result for result in report.results if result.invariant == "C4")

    await vouchered(shop)
    assert ((await found()).violations, (await found()).rows) == (0, 1)
    await by_hand(shop, 0, 100)
    clean = await found()
    assert clean.violations == 0 and ["100" in each.detail for each in clean.listed] == [True]
    await moved(shop, -1, 0, "waits")
    assert any("1 postings wait for a voucher" in each.detail for each in (await found()).listed)
    await vouchered(shop)
    [voucher] = [each for each in await shop.vouchers() if each["series"] == "A"]
    assert voucher["rows"]
    statement = "select max(voucher_no) from bridge.voucher where merchant_id = :m"
    [(number,)] = await shop.read(statement)
    async with shop.worker.database.merchant(shop.merchant) as session:
        forgotten = "update bridge.voucher set state = 'open' where voucher_no = :n and merchant_id = :m"
        await session.execute(text(forgotten), {"n": number, "m": shop.merchant})
    lost = await found()
    assert lost.violations == 0 and len(lost.listed) == 3, "what we forgot is in Fortnox as if it were not ours: it is listed"


async def test_what_fortnox_lost_between_two_years_is_found(shop: Shop) -> None:
    [year] = (await shop.call_fortnox("GET", f"financialyears?date={TODAY}")).json()["FinancialYears"]
    days = (TODAY - date.fromisoformat(year["FromDate"])).days + 10
    await by_hand(shop, days, 100)
    for brought, lost in ((100, 0), (70, -30)):
        account = {"Account": {"Number": 1460, "BalanceBroughtForward": brought}}
        await shop.call_fortnox("PUT", f"accounts/1460?financialyear={year['Id']}", account)
        assert (await tied(shop)).lost_between_years == lost
