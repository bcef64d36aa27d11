"""Warehouse against books: what is on its way is listed and never booked, what nobody explains is booked once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.reconcile import Decision, Settlement, Step, Wish, Written
from domain.difference_decisions import TABLE, DifferenceDecision, DifferenceSituation, too_late
from domain.errors import Refused
from erp import reconciliation_bookings, reconciliation_runs, settlements
from tests.activities.world import HOW_OFTEN, Shop, again
from tests.erp.data import article, insert, line, open_stock

D = Decimal
PARTS = """
  select p.article_number, p.why, p.quantity from erp.difference_part p where p.merchant_id = :m and p.comparison = :c
    and p.run_no = (select max(run_no) from erp.reconciliation_run r where r.merchant_id = :m) order by 1, 2, 3"""
ENTRIES = """
  select article_number, kind, quantity, value from erp.stock_entry
  where merchant_id = :m and kind <> 'opening' order by entry_no"""
QUIET = {"counting_is_known": True, "tolerated_pieces": 5, "looks_apart_hours": 12, "most_percent_of_stock_value": 50}


async def stocked(shop: Shop, articles: Sequence[str] = ("A", "B", "C"), **rules: Any) -> None:
    """The warehouse has the articles, and as many of each as our books."""
    await shop.settings(reconciliation=QUIET | rules)
    await again(shop.worker.articles.send_changed_articles, shop.merchant)
    await shop.stock(1000, articles)


class Clock:
    """The business's days, one run after another."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.now = shop, datetime.now(UTC)

    async def run(self, later: timedelta = timedelta(0), kind: str = "on-demand", **wish: Any) -> tuple[Settlement, Written]:
        """One reconciliation as the workflow does it, so much later."""
        self.now += later
        steps = await self.plan(kind, **wish)
        settled, written = Settlement(), None
        for step in steps:
            settled, written = await self.reconcile(step)
        assert written is not None, "nothing is owed"
        return settled, written

    async def plan(self, kind: str = "on-demand", **wish: Any) -> list[Step]:
        asked = Wish(self.shop.merchant, self.now, f"{kind}/{self.now.timestamp()}", kind, **wish)
        owed = await again(self.shop.worker.reconcile.plan_reconciliation, asked)
        return [Step(self.shop.merchant, each.run_no, self.now) for each in owed]

    async def reconcile(self, step: Step) -> tuple[Settlement, Written]:
        does = self.shop.worker.reconcile
        while not (await again(does.compare_stock, step)).done:
            continue
        settled = await again(does.settle_differences, step)
        return settled, await again(does.write_reconciliation_file, step)


@pytest.fixture
def clock(shop: Shop) -> Clock:
    return Clock(shop)


async def parts(shop: Shop, comparison: str = "physical") -> list[tuple[str, str, Decimal]]:
    return [tuple(row) for row in await shop.read(PARTS, c=comparison)]


async def csv_of(shop: Shop) -> str:
    """The newest file, as text."""
    newest = "select content from erp.reconciliation_file where merchant_id = :m and format = 'csv' order by run_no desc limit 1"
    [(content,)] = await shop.read(newest)
    return bytes(content).decode("utf-8-sig")


async def adjust(shop: Shop, number: str, quantity: Any, cause: str | None = "DMG", **more: Any) -> int:
    """The warehouse corrects its stock, and says why."""
    wish = {"goodsOwnerId": shop.goods_owner, "articleNumber": number, "numberOfItems": str(quantity)} | more
    if cause:
        wish["cause"] = {"code": cause, "name": cause}
    return int((await shop.ongoing("POST", "adjust", wish))["inventoryId"])


async def lose(shop: Shop, number: str, left: Any) -> None:
    """So many pieces lie there now, and nobody has written down why."""
    await shop.stock(left, [number])


async def test_when_everything_agrees_the_file_says_so_and_nothing_is_booked(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    settled, written = await clock.run()
    assert settled == Settlement()
    assert written.headline == "3 articles compared, 0 differ, 0 of them for an unknown reason. Nothing was booked."
    assert await parts(shop) == [] and await shop.read(ENTRIES) == []


async def test_a_pick_that_is_not_booked_is_listed_in_flight_and_leaves_the_books_alone(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await shop.sent(lines=[line("A", 7, 10), line("B", 2, 5)])
    await shop.stock(1000)
    await shop.floor("pick", lines={1: 5})
    settled, _ = await clock.run()
    assert settled == Settlement()
    assert await parts(shop) == [("A", "not-yet-polled", D(-5))]
    assert await parts(shop, "available") == []
    await shop.look()
    await clock.run(timedelta(minutes=1))
    assert await parts(shop) == []


async def test_a_loss_is_found_beside_a_pick_on_its_way_and_beside_one_that_hides_it(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await shop.sent(lines=[line("A", 7, 10)])
    await lose(shop, "A", 998)
    await shop.floor("pick", lines={1: 5})
    await clock.run()
    assert await parts(shop) == [("A", "not-yet-polled", D(-5)), ("A", "unknown", D(-2))]
    await lose(shop, "A", 1000)
    await clock.run(timedelta(minutes=1))
    assert await parts(shop) == [("A", "not-yet-polled", D(-5)), ("A", "unknown", D(5))]


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_correction_with_a_cause_is_booked_once_on_its_account_and_reported_back(
    shop: Shop, clock: Clock, often: Any
) -> None:
    await stocked(shop, adjustment_accounts={"DMG": 4992})
    inventory = await adjust(shop, "A", -3)
    await adjust(shop, "A", 1, "FND", inventoryId=inventory)
    await adjust(shop, "B", -1, None)
    [step] = await clock.plan()
    await again(shop.worker.reconcile.compare_stock, step)
    assert await parts(shop) == [
        ("A", "adjusted-in-warehouse", D(-3)), ("A", "adjusted-in-warehouse", D(1)), ("B", "adjusted-in-warehouse", D(-1)),
    ]  # fmt: skip
    await often(shop.workers, lambda worker: worker.reconcile.settle_differences, step)
    assert sorted(await shop.read(ENTRIES)) == [
        ("A", "adjustment", D(-3), D("-13.50")), ("A", "adjustment", D(1), D("4.50")), ("B", "adjustment", D(-1), D("-4.50")),
    ]  # fmt: skip
    assert await shop.read(
        "select account, sum(debit - credit) from erp.posting_row where merchant_id = :m and account between 4900 and 4999"
        " group by 1 order by 1"
    ) == [(4990, D("0.00")), (4992, D("13.50"))]
    answer = await shop.call_ongoing("GET", f"inventoryAdjustments?goodsOwnerId={shop.goods_owner}&isReported=false")
    assert answer.json() == []
    await again(shop.worker.reconcile.write_reconciliation_file, step)
    [(content,)] = await shop.read("select content from erp.reconciliation_file where merchant_id = :m and name like '%.csv'")
    booked = [line for line in bytes(content).decode("utf-8-sig").splitlines() if line.startswith("corrected by the warehouse")]
    sides = {tuple(line.split(";")[1:6]) for line in booked}
    assert sides == {
        ("A", "-3", "-13,50", "4992", "1460"), ("A", "1", "4,50", "1460", "4990"), ("B", "-1", "-4,50", "4990", "1460"),
    }  # fmt: skip
    settled, _ = await clock.run(timedelta(hours=1))
    assert settled == Settlement() and await parts(shop) == []


async def test_what_nobody_explains_is_booked_when_it_stood_in_two_runs_and_then_no_more(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await lose(shop, "A", 997)
    settled, _ = await clock.run()
    assert (settled.unknown, settled.waiting) == (0, 0)
    settled, _ = await clock.run(timedelta(hours=2))
    assert settled.unknown == 0, "two looks too close together"
    settled, written = await clock.run(timedelta(hours=22))
    assert settled.unknown == 1
    assert "1 unknown difference was booked (stock value -13.50 SEK)" in written.headline
    assert await shop.read(ENTRIES) == [("A", "adjustment", D(-3), D("-13.50"))]
    settled, _ = await clock.run(timedelta(hours=24))
    assert settled == Settlement() and len(await shop.read(ENTRIES)) == 1


async def test_a_figure_that_changes_between_the_looks_begins_anew(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await lose(shop, "A", 997)
    await clock.run()
    await lose(shop, "A", 996)
    settled, _ = await clock.run(timedelta(hours=24))
    assert settled.unknown == 0
    assert await shop.read("select quantity, state from erp.settlement where merchant_id = :m order by 1") == [
        (D(-4), "seen"), (D(-3), "gone"),
    ]  # fmt: skip


async def waits(shop: Shop, clock: Clock, **rules: Any) -> int:
    """A loss that is too large to be booked unasked; returns its number."""
    await stocked(shop, **rules)
    await lose(shop, "A", 990)
    await clock.run()
    settled, _ = await clock.run(timedelta(hours=24))
    assert (settled.unknown, settled.waiting) == (0, 1)
    [(number,)] = await shop.read("select settlement_no from erp.settlement where merchant_id = :m and state = 'waiting'")
    return int(number)


async def decide(shop: Shop, clock: Clock, number: int, by: str = "anna", **more: Any) -> str:
    decision = Decision(shop.merchant, number, by, "counted", clock.now, **more)
    return (await again(shop.worker.reconcile.decide_difference, decision)).outcome


async def test_above_the_tolerance_a_person_decides_and_tomorrow_is_not_held_up(shop: Shop, clock: Clock) -> None:
    number = await waits(shop, clock)
    await lose(shop, "B", 999)
    await clock.run(timedelta(hours=24))
    settled, _ = await clock.run(timedelta(hours=24))
    assert (settled.unknown, settled.waiting) == (1, 1)
    with pytest.raises(Refused, match="who and why"):
        await ActivityEnvironment().run(
            shop.worker.reconcile.decide_difference, Decision(shop.merchant, number, " ", "why", clock.now)
        )
    assert await decide(shop, clock, number) == "booked"
    assert await decide(shop, clock, number) == "booked"
    assert (await shop.read(ENTRIES))[-1] == ("A", "adjustment", D(-10), D("-45.00"))
    assert len(await shop.read(ENTRIES)) == 2


async def test_above_the_limit_a_second_person_is_needed_and_not_the_same(shop: Shop, clock: Clock) -> None:
    number = await waits(shop, clock, second_person_above_value=10)
    assert await decide(shop, clock, number) == "approved-once"
    assert await decide(shop, clock, number) == "approved-once"
    assert await decide(shop, clock, number, "Anna ") == "approved-once"
    assert await shop.read(ENTRIES) == []
    assert await decide(shop, clock, number, "bo") == "booked"


async def test_what_people_approved_stands_in_the_next_file_and_in_no_other(shop: Shop, clock: Clock) -> None:
    number = await waits(shop, clock)
    assert await decide(shop, clock, number) == "booked"
    files = []
    for _ in range(2):
        await clock.run(timedelta(hours=1))
        files.append(await csv_of(shop))
    approved = [line for line in files[0].splitlines() if ";A;-10;-45,00;4991;" in line]
    assert len(approved) == 1 and "approved by anna (counted)" in approved[0] and "first seen" in approved[0]
    assert "people, since the run before" in approved[0] and "booked by this run" not in files[0]
    assert ";A;-10;" not in files[1]
    assert "rule;" in files[0] and "between 1460 and 4991 when the same figure stood in two runs" in files[0]


async def test_an_approved_figure_that_no_longer_stands_is_not_booked(shop: Shop, clock: Clock) -> None:
    number = await waits(shop, clock)
    await lose(shop, "A", 1000)
    assert await decide(shop, clock, number) == "gone"
    assert await shop.read(ENTRIES) == []


async def test_what_a_person_refuses_is_not_asked_again_while_the_figure_is_the_same(shop: Shop, clock: Clock) -> None:
    number = await waits(shop, clock)
    assert await decide(shop, clock, number, refuse=True) == "refused"
    settled, _ = await clock.run(timedelta(hours=24))
    assert (settled.waiting, await parts(shop)) == (0, [("A", "unknown", D(-10))])


async def test_a_run_in_which_everything_is_gone_books_nothing_and_asks(shop: Shop, clock: Clock) -> None:
    await stocked(shop, tolerated_pieces=5000, tolerated_value=100_000, tolerated_pieces_per_month=5000,
                  tolerated_value_per_month=100_000, most_percent_of_stock_value=100)  # fmt: skip
    await shop.stock(0)
    await clock.run()
    settled, written = await clock.run(timedelta(hours=24))
    assert settled.held == "all 3 articles with stock are at zero in the warehouse"
    assert (settled.unknown, settled.waiting) == (0, 3)
    assert "NOTHING WAS BOOKED" in written.headline and await shop.read(ENTRIES) == []
    assert await shop.exceptions() == [("reconciliation-held", False)]
    await shop.stock(1000)
    await clock.run(timedelta(hours=24))
    assert await shop.exceptions() == []


async def test_a_run_that_would_change_too_much_of_the_stock_value_books_nothing(shop: Shop, clock: Clock) -> None:
    await stocked(shop, most_percent_of_stock_value=0)
    await lose(shop, "A", 999)
    await clock.run()
    settled, _ = await clock.run(timedelta(hours=24))
    assert settled.held is not None and "more than 0 %" in settled.held
    assert await shop.read(ENTRIES) == []


async def test_a_late_cause_takes_its_settlement_back_and_is_not_booked_twice(shop: Shop, clock: Clock) -> None:
    """The warehouse shows its balance lowered by a pick whose order it does not list yet: a lag that looks like a loss."""
    await stocked(shop)
    await shop.sent(lines=[line("A", 3, 10)])
    await shop.stock(1000)
    await shop.floor("pick")
    async with shop.ongoing.fault("GET /orders", "http", None, status=200, body="[]"):
        await clock.run()
        settled, _ = await clock.run(timedelta(hours=24))
    assert settled.unknown == 1
    assert (await shop.balances())["A"][0] == D(997)
    settled, _ = await clock.run(timedelta(hours=1))
    assert await parts(shop) == [("A", "not-yet-polled", D(-3)), ("A", "was-booked-as-unknown", D(3))]
    assert (settled.taken_back, settled.unknown) == (1, 0)
    assert (await shop.balances())["A"] == (D(1000), D("4500.00"))
    await shop.look()
    assert (await shop.balances())["A"] == (D(997), D("4486.50"))
    settled, _ = await clock.run(timedelta(hours=24))
    assert settled == Settlement() and await parts(shop) == []


async def test_a_late_cause_that_was_booked_before_the_next_run_is_absorbed_all_the_same(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await shop.sent(lines=[line("A", 3, 10)])
    await shop.stock(1000)
    await shop.floor("pick")
    async with shop.ongoing.fault("GET /orders", "http", None, status=200, body="[]"):
        await clock.run()
        await clock.run(timedelta(hours=24))
    await shop.look()
    assert (await shop.balances())["A"][0] == D(994)
    settled, _ = await clock.run(timedelta(hours=1))
    assert (settled.taken_back, settled.unknown) == (1, 0)
    assert (await shop.balances())["A"] == (D(997), D("4486.50"))
    assert (await clock.run(timedelta(hours=24)))[0] == Settlement()


async def test_twins_unit_factors_and_what_only_one_side_has_are_named_and_never_booked(shop: Shop, clock: Clock) -> None:
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", *(article(shop.merchant, number) for number in ("X 1", "X1", "OURS")),
                     article(shop.merchant, "PACK", quantity_per_package=12))  # fmt: skip
    await open_stock(shop.worker.database, shop.merchant, 120, 1, ["X 1", "X1", "OURS", "PACK"])
    await stocked(shop, ["A", "B", "C"])
    await shop.stock(115, ["X 1"])
    await shop.stock(125, ["X1"])
    await shop.stock(10, ["PACK"])
    await shop.stock(120, ["OURS"])
    await shop.call_ongoing("PUT", "articles", {"goodsOwnerId": shop.goods_owner, "articleNumber": "THEIRS", "articleName": "x"})
    await shop.stock(4, ["THEIRS"])
    for _ in range(2):
        settled, _ = await clock.run(timedelta(hours=24))
    assert await parts(shop) == [
        ("PACK", "unit-factor", D(-110)),
        ("X 1", "near-twin-article", D(-5)),
        ("X1", "near-twin-article", D(5)),
    ]
    assert settled == Settlement() and await shop.read(ENTRIES) == []
    assert (await shop.exceptions()).count(("difference-to-mend", False)) == 3
    assert await shop.read(
        "select side, number, quantity from erp.unmatched where merchant_id = :m"
        " and run_no = (select max(run_no) from erp.unmatched where merchant_id = :m)"
    ) == [("warehouse", "THEIRS", D(4))]


async def test_locked_goods_explain_the_available_balance_and_not_the_physical(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    wish = {"goodsOwnerId": shop.goods_owner, "articleNumber": "A", "numberOfItems": "8"}
    await shop.ongoing("POST", "lock-for-sale", wish)
    await shop.sent(lines=[line("B", 6, 10)])
    await shop.stock(1000)
    await clock.run()
    assert await parts(shop) == []
    assert await parts(shop, "available") == [("A", "locked", D(-8))]


async def test_a_return_that_is_not_booked_is_in_flight_and_a_scrapped_one_is_one_fact(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await shop.sent(lines=[line("A", 5, 10)])
    await shop.stock(1000)
    await shop.pick_and_send()
    await shop.look()
    await shop.floor("return", lines={1: 2}, causeCode="WRONG")
    await shop.floor("return", lines={1: 1}, causeCode="BROKEN", scrap=True)
    settled, _ = await clock.run()
    found = await parts(shop)
    assert sorted(found) == [("A", "adjusted-in-warehouse", D(-1)), ("A", "not-yet-polled", D(3))]
    assert settled.adjustments == 0, "whether it throws the return away can be told when the return is booked"
    assert await shop.read("select count(*) from bridge.adjusted where merchant_id = :m") == [(0,)]


async def test_an_article_that_moves_while_we_look_is_put_off(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await shop.sent(lines=[line("A", 500, 10)])
    await lose(shop, "A", 998)
    stop = asyncio.Event()

    async def busy() -> None:
        while not stop.is_set():
            await shop.floor("pick", lines={1: 1})

    picking = asyncio.create_task(busy())
    try:
        for _ in range(3):
            settled, _ = await clock.run(timedelta(hours=24))
            assert settled.unknown == 0
            assert not [part for part in await parts(shop) if part[1] == "unknown" and part[2] != -2]
    finally:
        stop.set()
        await picking


async def test_the_day_has_one_run_and_one_file_however_often_it_is_asked_for(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    first = await clock.plan("daily")
    assert first == await clock.plan("daily")
    await asyncio.gather(*(clock.reconcile(first[0]) for _ in range(3)))
    assert await clock.plan("daily") == []
    _, again_written = await clock.reconcile(first[0])
    files = await shop.read(
        "select format, sha256 = sha256(content) from erp.reconciliation_file where merchant_id = :m order by 1"
    )
    assert files == [("csv", True), ("html", True), ("xlsx", True)]
    [(csv_hash,)] = await shop.read(
        "select encode(sha256, 'hex') from erp.reconciliation_file where merchant_id = :m and format = 'csv'"
    )
    assert again_written.sha256 == csv_hash


async def test_missed_days_each_have_a_file_in_order_and_only_today_books(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await lose(shop, "A", 997)
    await clock.run(kind="daily")
    clock.now += timedelta(days=3)
    steps = await clock.plan("daily")
    kinds = []
    for step in steps:
        settled, _ = await clock.reconcile(step)
        kinds.append(settled.unknown)
    assert kinds == [0, 0, 1]
    assert await shop.read(
        "select kind, state, (select count(*) from erp.reconciliation_file f where f.merchant_id = r.merchant_id"
        " and f.run_no = r.run_no) from erp.reconciliation_run r where merchant_id = :m order by for_date"
    ) == [("daily", "finished", 3), ("past", "finished", 3), ("past", "finished", 3), ("daily", "finished", 3)]
    assert await clock.plan("daily") == []


async def test_a_missed_day_without_figures_says_which_run_covers_it(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await clock.run(kind="daily")
    clock.now += timedelta(days=2)
    async with shop.ongoing.fault("GET /articles/historicalInventory", "http", None, status=404, body='{"message": "no"}'):
        steps = await clock.plan("daily")
        for step in steps:
            await clock.reconcile(step)
    [missed, today] = await shop.read(
        "select run_no, covered_by, state from erp.reconciliation_run where merchant_id = :m and run_no > 1 order by 1"
    )
    assert (missed[1], missed[2], today[2]) == (today[0], "finished", "finished")
    [(content,)] = await shop.read(
        "select convert_from(content, 'UTF8') from erp.reconciliation_file"
        " where merchant_id = :m and format = 'csv' and run_no = :r",
        r=missed[0],
    )
    assert f"covered by run {today[0]}" in content


async def test_the_file_lies_in_the_folder_under_its_name(shop: Shop, clock: Clock, tmp_path: Path) -> None:
    await stocked(shop, folder=str(tmp_path / "out"))
    await clock.run()
    names = sorted(path.suffix for path in (tmp_path / "out").iterdir())
    assert names == [".csv", ".html", ".xlsx"]


def stock_file(shop: Shop, rows: dict[str, Any], at: datetime, owner: int | None = None) -> str:
    lines = [f"#goods-owner;{owner or shop.goods_owner}", f"#cut;{at.isoformat()}", "article;quantity"]
    lines += [f"{number};{quantity}" for number, quantity in rows.items()]
    return "\n".join([*lines, f"#end;{len(rows)}", ""])


async def test_a_delivered_file_is_compared_at_its_cut_and_never_twice(shop: Shop, clock: Clock, tmp_path: Path) -> None:
    await stocked(shop, file_folder=str(tmp_path))
    await shop.sent(lines=[line("B", 2, 10)])
    await shop.stock(1000)
    cut = clock.now
    rows = {"A": 998, "B": 1000, "NEW": 3}
    (tmp_path / "stock-1.csv").write_text(stock_file(shop, rows, cut))
    await shop.floor("pick")
    await shop.look()
    await clock.run(timedelta(minutes=5), kind="file")
    assert await parts(shop) == [("A", "unknown", D(-2)), ("B", "after-the-cut", D(2))]
    assert sorted(await shop.read("select side, number from erp.unmatched where merchant_id = :m")) == [
        ("books", "C"), ("warehouse", "NEW"),
    ]  # fmt: skip
    assert await shop.read("select count(*) from erp.stock_entry where merchant_id = :m and kind = 'adjustment'") == [(0,)]
    (tmp_path / "copy.csv").write_text(stock_file(shop, rows, cut))
    assert await clock.plan("file") == []


async def test_files_that_cannot_be_believed_are_kept_with_the_reason_and_book_nothing(
    shop: Shop, clock: Clock, tmp_path: Path
) -> None:
    await stocked(shop, file_folder=str(tmp_path))
    whole = stock_file(shop, {"A": 1, "B": 1, "C": 1}, clock.now)
    (tmp_path / "cut.csv").write_text(whole[:-9])
    (tmp_path / "foreign.csv").write_text(stock_file(shop, {"A": 1}, clock.now, owner=1))
    (tmp_path / "stale.csv").write_text(stock_file(shop, {"A": 1}, clock.now - timedelta(days=3)))
    assert await clock.plan("file") == [] == await clock.plan("file")
    assert await shop.read("select name, state from bridge.stock_file where merchant_id = :m order by 1") == [
        ("cut.csv", "refused"), ("foreign.csv", "refused"), ("stale.csv", "refused"),
    ]  # fmt: skip
    assert [code for code, _ in await shop.exceptions()] == ["stock-file-refused"] * 3
    assert await shop.read(ENTRIES) == []


async def test_a_named_file_that_cannot_be_taken_is_listed_and_holds_nothing_up(shop: Shop, clock: Clock, tmp_path: Path) -> None:
    await stocked(shop)
    (tmp_path / "foreign.csv").write_text(stock_file(shop, {"A": 1}, clock.now, owner=1))
    for name in ("none.csv", "foreign.csv"):
        assert await clock.plan("file", file=str(tmp_path / name)) == []
    listed = await shop.read(
        "select document, code, blocking, detail from bridge.exception where merchant_id = :m order by document desc"
    )
    assert [row[:3] for row in listed] == [
        ("none.csv", "stock-file-refused", False), ("foreign.csv", "stock-file-refused", False),
    ]  # fmt: skip
    assert "No such file" in listed[0][3]


async def test_when_goods_leave_only_at_collection_the_setting_says_so(shop: Shop, clock: Clock) -> None:
    await shop.ongoing("PUT", "settings", {"goodsLeaveStock": "at-collection"})
    try:
        await stocked(shop, goods_leave_at_collection=True)
        await shop.sent(lines=[line("A", 5, 10)])
        await shop.stock(1000)
        await shop.floor("pick")
        await clock.run()
        assert await parts(shop) == [("A", "not-yet-polled", D(-5))]
        await shop.look()
        await clock.run(timedelta(minutes=1))
        assert await parts(shop) == []
    finally:
        await shop.ongoing("PUT", "settings", {"goodsLeaveStock": "at-pick"})


async def test_a_page_on_which_nothing_is_goods_is_not_the_end(shop: Shop, clock: Clock) -> None:
    for number in range(10):
        kit = {"goodsOwnerId": shop.goods_owner, "articleNumber": f"KIT-{number}", "articleName": "Kit"}
        kind = {"structureDefinition": {"articleKind": "Structure", "rows": []}}
        (await shop.call_ongoing("PUT", "articles", kit | kind)).raise_for_status()
    await stocked(shop, goods_leave_at_collection=True, page_size=10)
    await clock.run()
    [(read,)] = await shop.read("select articles_read from erp.reconciliation_run where merchant_id = :m")
    assert read >= 3


async def test_a_switched_off_flow_owes_nothing(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    async with shop.worker.database.merchant(shop.merchant) as session:
        await insert(session, "bridge.entity", {"merchant_id": shop.merchant, "flow": "balances", "enabled": False})
    await shop.forget()
    assert await clock.plan("daily") == []


async def test_answers_that_are_lost_change_nothing(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await adjust(shop, "A", -3)
    route = "PATCH /inventoryAdjustments/{inventoryId}/articles/{articleSystemId}/setReported"
    async with shop.ongoing.fault(route, "lost-answer"):
        settled, _ = await clock.run()
    assert settled.adjustments in (0, 1)
    assert await shop.read(ENTRIES) == [("A", "adjustment", D(-3), D("-13.50"))]
    assert await shop.read("select reported from bridge.adjusted where merchant_id = :m") == [(True,)]


def test_a_step_can_be_told_apart_by_its_run() -> None:
    assert replace(Step("m", 1, datetime.now(UTC)), run_no=2).run_no == 2


D_, S_ = DifferenceDecision, DifferenceSituation
KEYS = "select actor, action, document from bridge.audit where merchant_id = :m and request_key = 'k-1'"


def test_every_cell_of_the_decisions_says_what_comes_of_it() -> None:
    assert {decision: set(cells) for decision, cells in TABLE.items()} == {decision: set(S_) for decision in D_}
    assert all(None in cells.values() for cells in TABLE.values())


@pytest.mark.parametrize("where", S_)
@pytest.mark.parametrize("decision", D_)
async def test_a_decision_under_a_key_is_taken_once_or_answered_with_what_has_become_of_it(
    shop: Shop, clock: Clock, decision: DifferenceDecision, where: DifferenceSituation
) -> None:
    number = await brought_to(shop, clock, where)
    before = await shop.read(ENTRIES)
    refuse = decision is D_.REFUSE
    answers = {await decide(shop, clock, number, refuse=refuse, key="k-1") for _ in range(3)}
    after = await shop.read(ENTRIES)
    if too_late(decision, where) is not None:
        assert (answers, after) == ({where.value}, before)
    else:
        assert answers == {"refused" if refuse else "booked"}
        assert len(after) == len(before) + (not refuse)
    assert await shop.read(KEYS) == [("anna", f"{decision}-difference", f"{number}")]
    with pytest.raises(Refused, match="used for another decision"):
        await decide(shop, clock, number, refuse=not refuse, key="k-1")
    at_once = await asyncio.gather(*(decide(shop, clock, number, by, refuse=refuse) for by in ("bo", "cy")))
    assert set(at_once) <= {"booked", "refused", "gone"} and await shop.read(ENTRIES) == after


async def brought_to(shop: Shop, clock: Clock, where: DifferenceSituation) -> int:
    """The number of a difference that stands there."""
    if where is S_.SEEN:
        await stocked(shop)
        await lose(shop, "A", 990)
        await clock.run()
        [(seen,)] = await shop.read("select settlement_no from erp.settlement where merchant_id = :m and state = 'seen'")
        return int(seen)
    number = await waits(shop, clock)
    match where:
        case S_.BOOKED:
            assert await decide(shop, clock, number, "dan") == "booked"
        case S_.REFUSED:
            assert await decide(shop, clock, number, "dan", refuse=True) == "refused"
        case S_.GONE:
            await lose(shop, "A", 1000)
            assert await decide(shop, clock, number, "dan") == "gone"
        case S_.APPROVED:  # as when the goods were moving just then
            async with shop.worker.database.merchant(shop.merchant) as session:
                await settlements.decide(session, shop.merchant, number, "dan", "approve", "counted")
                await settlements.move_settlement(session, shop.merchant, number, "approved", "approved by dan")
    return number


async def test_the_file_says_what_the_stock_was_worth_before_and_after_and_the_bookings_are_the_difference(
    shop: Shop, clock: Clock
) -> None:
    await stocked(shop, looks_apart_hours=0)
    await clock.run()
    [(before,)] = await shop.read("select sum(value) from erp.stock_balance where merchant_id = :m")
    await lose(shop, "A", 998)
    await adjust(shop, "B", -3)
    await clock.run(timedelta(hours=24))
    settled, _ = await clock.run(timedelta(hours=24))
    assert settled.unknown == 1
    [(after,)] = await shop.read("select sum(value) from erp.stock_balance where merchant_id = :m")
    file = (await csv_of(shop)).split("# Stock value;", 1)[1].split("\r\n\r\n", 1)[0].splitlines()
    figures = [line.rsplit(";", 1)[1].replace(",", ".") for line in file[2:]]
    [(booked,)] = await shop.read("select sum(value) from erp.reconciliation_booking where merchant_id = :m and run_no = 3")
    assert [D(figure) for figure in figures] == [after - booked, booked, D(0), after]
    assert sum(D(figure) for figure in figures[:-1]) == after and after < before


async def test_the_merchants_country_says_how_numbers_are_written_and_a_setting_otherwise(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await clock.run()
    assert "UTF-8, semicolons between columns, decimal comma" in await csv_of(shop)
    await stocked(shop, csv_decimal_mark=".")
    _, written = await clock.run(timedelta(hours=1))
    assert "decimal point" in await csv_of(shop)
    assert written.headline == "3 articles compared, 0 differ, 0 of them for an unknown reason. Nothing was booked."


async def test_a_day_in_the_picture_stays_what_its_own_file_said(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    await lose(shop, "A", 998)
    await adjust(shop, "B", -3)
    files = []
    for _ in range(2):
        await clock.run(timedelta(hours=24))
        files.append((await csv_of(shop)).split("# Thirty days;", 1)[1].strip().splitlines()[2:])
    assert files[0][0] == files[1][0] and len(files[1]) == 2
    _, explained, other, whole, _ = files[0][0].split(";")
    assert D(explained.replace(",", ".")) > 0 and D(other.replace(",", ".")) == D("9.00")
    assert D(whole.replace(",", ".")) == D(explained.replace(",", ".")) + D("9.00")


async def test_a_run_that_has_booked_thousands_lists_them_in_a_moment(shop: Shop, clock: Clock) -> None:
    await stocked(shop, looks_apart_hours=0)
    await lose(shop, "A", 998)
    await clock.run()
    await clock.run(timedelta(hours=1))
    columns = "run_no, what, article_number, warehouse, quantity, value, account, reason, transaction_no"
    many = f"""
        insert into erp.reconciliation_booking (merchant_id, cause, {columns}) select merchant_id, cause || '/' || n, {columns}
        from erp.reconciliation_booking, generate_series(1, 7000) n where merchant_id = :m
        """
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(text(many), {"m": shop.merchant})
    [(run_no,)] = await shop.read("select distinct run_no from erp.reconciliation_booking where merchant_id = :m")
    async with shop.worker.database.merchant(shop.merchant) as session:
        run = await reconciliation_runs.load_run(session, shop.merchant, run_no)
        assert run is not None
        await session.execute(text("set local statement_timeout = '2s'"), {})
        found = await reconciliation_bookings.bookings_in(session, run)
    assert len(found) == 7001 and {each.stock_account for each in found} == {"1460"}
