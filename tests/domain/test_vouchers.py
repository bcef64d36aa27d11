"""Vouchers: every posting in exactly one, balanced, on a day that is open."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused
from domain.vouchers import PostingToBook, Row, Year, booking_day, drafts, totals

D = Decimal
TEN = D("10.00")
MONDAY = date(2026, 3, 9)
YEAR = Year(7, date(2026, 1, 1), date(2026, 12, 31))
NEXT = Year(8, date(2027, 1, 1), date(2027, 12, 31))
amounts = st.integers(1, 10**9).map(lambda ore: D(ore) / 100)


def posting(number: int, on: date = MONDAY, value: Decimal = TEN, event: str = "goods-issue") -> PostingToBook:
    rows = (Row(4960, value, D(0)), Row(1460, D(0), value))
    return PostingToBook(number, event, on, f"sales-order/SO-{number}", rows)


def test_the_postings_of_a_day_share_a_voucher_and_each_account_keeps_both_its_sides() -> None:
    undone = PostingToBook(3, "goods-issue-reversal", MONDAY, "x", (Row(1460, D("4.00"), D(0)), Row(4960, D(0), D("4.00"))))
    [voucher] = drafts([posting(1), posting(2), undone], "day")
    assert voucher.postings == (1, 2, 3)
    assert voucher.rows == (
        Row(1460, D("4.00"), D(0)),
        Row(4960, D("20.00"), D(0)),
        Row(1460, D(0), D("20.00")),
        Row(4960, D(0), D("4.00")),
    )


def test_a_voucher_for_each_event_when_the_merchant_wants_it() -> None:
    assert [v.postings for v in drafts([posting(1), posting(2)], "event")] == [(1,), (2,)]


def test_the_specification_lists_every_row_of_every_posting_and_its_hash_follows_its_content() -> None:
    [voucher] = drafts([posting(1), posting(2)], "day")
    assert voucher.specification.splitlines() == [
        "posting,event,date,document,account,debit,credit",
        "1,goods-issue,2026-03-09,sales-order/SO-1,4960,10.00,0",
        "1,goods-issue,2026-03-09,sales-order/SO-1,1460,0,10.00",
        "2,goods-issue,2026-03-09,sales-order/SO-2,4960,10.00,0",
        "2,goods-issue,2026-03-09,sales-order/SO-2,1460,0,10.00",
    ]
    [other] = drafts([posting(1), posting(2, value=D("10.01"))], "day")
    assert other.hash != voucher.hash


@given(st.lists(st.tuples(st.integers(0, 9), amounts), max_size=60), st.sampled_from(["day", "event"]))
def test_each_posting_is_in_one_voucher_of_its_own_day_and_every_voucher_balances(
    days: list[tuple[int, Decimal]], per: str
) -> None:
    postings = [posting(n, MONDAY + timedelta(days=day), value) for n, (day, value) in enumerate(days, 1)]
    made = drafts(reversed(postings), per)
    assert sorted(n for voucher in made for n in voucher.postings) == [each.posting_no for each in postings]
    by_number = {each.posting_no: each for each in postings}
    for voucher in made:
        held = [by_number[n] for n in voucher.postings]
        assert {each.accounting_date for each in held} == {voucher.accounting_date}
        assert voucher.rows == totals(held)
        assert sum(row.debit for row in voucher.rows) == sum(row.credit for row in voucher.rows)


@pytest.mark.parametrize(
    ("locked", "policy", "day"),
    [
        (None, "hold", MONDAY),
        (MONDAY - timedelta(days=1), "hold", MONDAY),
        (MONDAY, "next-open-day", MONDAY + timedelta(days=1)),
        (date(2026, 12, 31), "next-open-day", date(2027, 1, 1)),
    ],
)
def test_a_posting_is_booked_on_its_own_day_or_the_next_open_one(locked: date | None, policy: str, day: date) -> None:
    assert booking_day(MONDAY, [NEXT, YEAR], locked, policy)[0] == day


def test_held_until_a_person_opens_the_period_when_the_merchant_wants_that() -> None:
    with pytest.raises(Refused, match="locked up to and including 2026-03-09") as held:
        booking_day(MONDAY, [YEAR], MONDAY, "hold")
    assert held.value.code == "period-locked"


@pytest.mark.parametrize("policy", ["hold", "next-open-day"])
def test_a_year_that_nobody_has_made_yet_is_named(policy: str) -> None:
    with pytest.raises(Refused, match="no financial year with 2027-01-02") as missing:
        booking_day(date(2027, 1, 2), [YEAR], None, policy)
    assert missing.value.code == "financial-year-missing"


def test_a_day_of_a_year_that_is_gone_moves_to_the_first_year_there_is() -> None:
    assert booking_day(date(2025, 12, 30), [YEAR], None, "next-open-day") == (date(2026, 1, 1), YEAR)
    with pytest.raises(Refused):
        booking_day(date(2025, 12, 30), [YEAR], None, "hold")
