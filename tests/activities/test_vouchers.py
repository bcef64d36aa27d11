"""Vouchers: each posting in Fortnox once, whatever becomes of the answers, and never on a locked day."""

import asyncio
import contextlib
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.errors import Waiting
from clients.errors import Unavailable
from domain.errors import Refused
from erp.merchants import load_merchant
from erp.opening import OpeningBalance, book_opening
from tests.activities.world import HOW_OFTEN, SETTLE, Shop, again, rule
from tests.erp.data import insert

D = Decimal
STOCK, COST, OPENING = 1460, 4960, 2099


def post(worker: Any) -> Any:
    return worker.vouchers.post_vouchers


async def picked(shop: Shop, number: str = "SO-1") -> None:
    """An order whose pick is booked: postings without a voucher."""
    await shop.sent(number)
    await shop.floor("pick", number)
    await shop.look(number)


async def sums(shop: Shop) -> dict[int, Decimal]:
    """Debit less credit on each account of our series, over every voucher that counts."""
    found: Counter[int] = Counter()
    for voucher in await ours(shop):
        for row in voucher["rows"]:
            found[int(row["account"])] += D(str(row["debit"])) - D(str(row["credit"]))  # type: ignore[assignment]
    return {account: D(value) for account, value in found.items() if value}


async def ours(shop: Shop) -> list[dict[str, Any]]:
    return [voucher for voucher in await shop.vouchers() if voucher["series"] == "L"]


async def posted_here(shop: Shop) -> dict[int, Decimal]:
    found = await shop.read(
        "select account, sum(debit - credit) from erp.posting_row where merchant_id = :m group by account"
        " having sum(debit - credit) <> 0"
    )
    return {int(account): value for account, value in found}


async def accounting_day(shop: Shop) -> date:
    [(found,)] = await shop.read("select max(accounting_date) from erp.posting where merchant_id = :m")
    assert isinstance(found, date)
    return found


async def lock(shop: Shop, until: date | None) -> None:
    body = {"tenantId": shop.tenant, "endDate": until and until.isoformat()}
    await shop.fortnox("PUT", "locked-period", body)


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_what_the_ledger_has_posted_is_in_fortnox_once_however_often_it_is_asked_for(shop: Shop, often: Any) -> None:
    await picked(shop)
    await often(shop.workers, post, shop.merchant)
    assert await sums(shop) == await posted_here(shop)
    assert await shop.read(
        "select count(*) from erp.posting p where merchant_id = :m and not exists (select from bridge.voucher_posting v"
        " join bridge.voucher b using (merchant_id, voucher_no)"
        " where v.merchant_id = p.merchant_id and v.posting_no = p.posting_no and b.state = 'booked')"
    ) == [(0,)]


async def test_a_posting_made_late_for_an_earlier_day_is_not_missed(shop: Shop) -> None:
    await picked(shop)
    await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", {"merchant_id": shop.merchant, "article_number": "LATE", "name": "Late"})
    async with shop.worker.database.merchant(shop.merchant) as books:
        merchant = await load_merchant(books, shop.merchant)
        earlier = datetime.now(UTC) - timedelta(days=40)
        await book_opening(books, merchant, [OpeningBalance("LATE", D(5), D("4.00"))], earlier, "test", "test")
    before = len(await ours(shop))
    await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    assert len(await ours(shop)) == before + 1
    assert await sums(shop) == await posted_here(shop)


async def test_a_voucher_names_itself_and_its_specification(shop: Shop) -> None:
    await picked(shop)
    await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    [(number, specification, digest)] = await shop.read(
        "select voucher_no, specification, encode(specification_hash, 'hex') from bridge.voucher where merchant_id = :m"
        " order by voucher_no limit 1"
    )
    first = (await ours(shop))[0]
    assert first["comments"] == f"lagerbro-ver-{number:010d}"
    assert first["description"].startswith(first["comments"])
    assert digest[:12] in first["description"]
    assert specification.splitlines()[0] == "posting,event,date,document,account,debit,credit"


async def test_the_opening_is_left_out_when_fortnox_held_it_before(shop: Shop) -> None:
    await shop.settings(opening_is_in_fortnox=True)
    await picked(shop)
    await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    assert OPENING not in await sums(shop)
    assert (await sums(shop))[COST] == (await posted_here(shop))[COST]


async def test_a_lost_answer_books_nothing_twice(shop: Shop) -> None:
    await picked(shop)
    async with shop.fortnox.fault("POST /3/vouchers", "lost-answer", 1):
        with pytest.raises(Waiting):
            await ActivityEnvironment().run(shop.worker.vouchers.post_vouchers, shop.merchant)
    await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    assert await sums(shop) == await posted_here(shop)
    assert len(await ours(shop)) == len({voucher["comments"] for voucher in await ours(shop)})


async def test_an_attempt_that_arrives_after_it_was_given_up_is_reversed_by_a_voucher_that_names_it(shop: Shop) -> None:
    await picked(shop)
    late = SETTLE.total_seconds() + 4
    async with shop.fortnox.faults(rule("POST /3/vouchers", "late", 1, seconds=late)):
        with pytest.raises(Waiting):
            await ActivityEnvironment().run(shop.worker.vouchers.post_vouchers, shop.merchant)
        await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    twice = 0
    while not twice:
        twice = await again(shop.worker.vouchers.sweep_surplus_vouchers, shop.merchant)
    assert twice == 1
    assert await again(shop.worker.vouchers.sweep_surplus_vouchers, shop.merchant) == 0
    assert await sums(shop) == await posted_here(shop)
    [(place, state)] = await shop.read("select their_id, state from bridge.surplus_document where merchant_id = :m")
    reversing = next(voucher for voucher in await ours(shop) if "-rev-" in voucher["comments"])
    assert (state, f"L{place.split('/')[1]}" in reversing["description"]) == ("cancelled", True)
    assert ("voucher-booked-twice", False) in await shop.exceptions()


@pytest.mark.parametrize("kind", ["lost-answer", "http"])
async def test_a_reversal_whose_answer_is_lost_is_seen_through_by_the_next_sweep(shop: Shop, kind: str) -> None:
    await picked(shop)
    late = SETTLE.total_seconds() + 4
    async with shop.fortnox.faults(rule("POST /3/vouchers", "late", 1, seconds=late)):
        with pytest.raises(Waiting):
            await ActivityEnvironment().run(shop.worker.vouchers.post_vouchers, shop.merchant)
        await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    more = {"status": 503} if kind == "http" else {}
    async with shop.fortnox.faults(rule("POST /3/vouchers", kind, 1, **more)):
        async with asyncio.timeout(15):
            while not await shop.read("select 1 from bridge.surplus_document where merchant_id = :m"):
                with contextlib.suppress(Waiting, Unavailable):
                    await ActivityEnvironment().run(shop.worker.vouchers.sweep_surplus_vouchers, shop.merchant)
    assert await shop.read("select state from bridge.surplus_document where merchant_id = :m") == [("found",)]
    assert await again(shop.worker.vouchers.sweep_surplus_vouchers, shop.merchant) == 1
    assert await shop.read("select state from bridge.surplus_document where merchant_id = :m") == [("cancelled",)]
    assert len([voucher for voucher in await ours(shop) if "-rev-" in voucher["comments"]]) == 1
    assert await sums(shop) == await posted_here(shop)
    assert ("voucher-booked-twice", False) in await shop.exceptions()
    assert await again(shop.worker.vouchers.sweep_surplus_vouchers, shop.merchant) == 0


async def test_what_falls_in_a_locked_period_is_booked_on_the_next_open_day_with_its_own_day_in_the_text(shop: Shop) -> None:
    await picked(shop)
    day = await accounting_day(shop)
    await lock(shop, day)
    await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    booked = await ours(shop)
    assert {voucher["date"] for voucher in booked} == {(day + timedelta(days=1)).isoformat()}
    assert all("avser" in voucher["description"] for voucher in booked)


async def test_or_is_held_until_the_period_is_opened(shop: Shop) -> None:
    await shop.settings(locked_period_policy="hold")
    await picked(shop)
    day = await accounting_day(shop)
    await lock(shop, day)
    with pytest.raises(Refused, match="locked up to and including") as held:
        await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    assert held.value.code == "period-locked"
    assert await ours(shop) == []
    await lock(shop, None)
    await again(shop.worker.vouchers.post_vouchers, shop.merchant)
    assert await sums(shop) == await posted_here(shop)
