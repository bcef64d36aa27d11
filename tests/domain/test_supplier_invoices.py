"""Supplier invoices against purchases: what is booked, what waits for goods, what waits for a person."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.matching import Tolerance
from domain.supplier_invoices import (
    BOOKABLE,
    DECIDABLE,
    Bill,
    BilledRow,
    Booked,
    Bought,
    Claimed,
    Invoiced,
    Open,
    OpenClaim,
    Plan,
    plan_bill,
    plan_delivery,
    reversed_plan,
)

D = Decimal
JUMP = D(20)
STRICT, WIDE = Tolerance(), Tolerance(D(100), D(10**9), D(50))


def received(quantity: Any = 100, value: Any = None, receipt: str = "1/1", article: str = "A", line: int | None = 1) -> Open:
    price = D(10) if value is None else D(value) / D(quantity) / D("11.2")
    return Open(receipt, article, line, price, "EUR", D(quantity), D(value) if value is not None else D(quantity) * 112)


def bought(*open_: Open, closed: bool = True, **more: Any) -> Bought:
    return Bought("EUR", {1: ("A", D(10)), 2: ("B", D(4))}, open_, closed=closed, **more)


def row(quantity: Any, price: Any, rate: Any = "11.4", article: str | None = "A", row_no: int = 2) -> BilledRow:
    amount = D(quantity) * D(price)
    return BilledRow(row_no, amount, (amount * D(rate)).quantize(D("0.01")), article, D(quantity) if article else D(0))


def bill(*rows: BilledRow, rate: Any = "11.4", **more: Any) -> Bill:
    return Bill("supplier-invoice/57", more.pop("currency", "EUR"), D(rate), rows, **more)


def plan(the_bill: Bill, purchase: Bought | None, tolerance: Tolerance = STRICT) -> Plan:
    made = plan_bill(the_bill, purchase, tolerance, JUMP)
    if made.state in (*BOOKABLE, *DECIDABLE):
        assert made.value == the_bill.value
    return made


def test_an_invoice_with_other_price_and_rate_is_cleared_and_its_differences_are_cost() -> None:
    made = plan(bill(row(100, "10.50")), bought(received()))
    assert made.state == "price_diff" and made.why == "article A: the price differs by 570.00 of 11200 (5.09 %)"
    assert (made.cleared, made.rate, made.price, made.claims) == (D(11200), D("200.00"), D("570.00"), ())
    assert made.late_costs(rate_is_cost=True) == {"1/1": D("770.00")}
    assert made.late_costs(rate_is_cost=False) == {"1/1": D("570.00")}
    assert plan(bill(row(100, "10.10")), bought(received())).state == "within_tolerance"
    assert plan(bill(row(100, 10)), bought(received())).state == "matched"


def test_what_is_billed_beyond_what_came_waits_as_long_as_more_is_expected_and_is_a_claim_after_that() -> None:
    short = received(98, 10976)
    assert plan(bill(row(100, "10.50")), bought(short, closed=False)).state == "not_received"
    made = plan(bill(row(100, "10.50")), bought(short))
    assert made.state == "qty_over"
    assert (made.cleared, made.rate, made.price) == (D(10976), D("196.00"), D("558.60"))
    assert made.claims == (Claimed("supplier-invoice/57", "A", D(2), D("239.40"), D("11.4")),)


def test_a_part_invoice_leaves_the_rest_open() -> None:
    made = plan(bill(row(60, 10, "11.2"), rate="11.2"), bought(received()))
    assert (made.state, made.cleared, made.price, made.rate) == ("qty_under", D(6720), D(0), D(0))


def test_an_invoice_without_articles_is_laid_on_all_that_is_open() -> None:
    purchase = bought(received(), received(50, 2240, "1/2", "B", 2))
    made = plan(bill(row(1, 1200, "11.2", None), rate="11.2"), purchase)
    assert made.state == "matched" and [(p.receipt, p.cleared) for p in made.parts] == [("1/1", D(11200)), ("1/2", D(2240))]
    assert plan(bill(row(1, 600, "11.2", None), rate="11.2"), purchase).state == "price_diff"


def test_a_discount_on_the_whole_invoice_is_laid_on_its_lines_by_amount() -> None:
    purchase = bought(received(), received(50, 2240, "1/2", "B", 2))
    made = plan(bill(row(100, 10, "11.2"), row(50, 4, "11.2", "B", 3), row(1, -12, "11.2", None, 4), rate="11.2"), purchase)
    assert made.state == "within_tolerance"
    assert [(p.receipt, p.price) for p in made.parts] == [("1/1", D("-112.00")), ("1/2", D("-22.40"))]


def test_an_article_on_two_lines_is_matched_to_the_line_with_the_invoiced_price_first() -> None:
    purchase = Bought(
        "EUR",
        {1: ("A", D(10)), 2: ("A", D(8))},
        (received(10, 1120), received(10, 896, "1/2", "A", 2)),
        closed=True,
    )
    made = plan(bill(row(10, 8, "11.2"), rate="11.2"), purchase)
    assert [(p.receipt, p.price) for p in made.parts] == [("1/2", D(0))]
    both = plan(bill(row(15, 8, "11.2"), rate="11.2"), purchase)
    assert [(p.receipt, p.quantity) for p in both.parts] == [("1/2", D(10)), ("1/1", D(5))]


def test_what_was_received_without_having_been_ordered_is_invoiced_by_its_article() -> None:
    stray = Open("2/1", "C", None, D("50.00"), "SEK", D(3), D(150))
    made = plan(bill(row(3, 5, article="C")), bought(stray), WIDE)
    assert (made.cleared, made.rate, made.price, made.claims) == (D(150), D(0), D("21.00"), ())


@pytest.mark.parametrize(
    ("the_bill", "purchase", "state"),
    [
        (bill(row(1, 10)), None, "no_po"),
        (bill(row(1, 10), currency="USD"), bought(received()), "currency_mismatch"),
        (bill(row(100, 10), seen_before=True), bought(received()), "duplicate"),
        (bill(row(100, 10)), bought(closed=False), "not_received"),
        (bill(row(100, 10)), bought(), "qty_over"),
        (bill(row(1, 10, article="X")), bought(received(), closed=False), "qty_over"),
        (bill(row(100, 10, 1), rate=1), bought(received()), "price_diff"),
    ],
)
def test_what_does_not_fit_has_a_state_of_its_own(the_bill: Bill, purchase: Bought | None, state: str) -> None:
    assert plan(the_bill, purchase).state == state


MATCHED = Invoiced(("supplier-invoice/57",), "1/1", "A", D(98), D(10976), D("196.00"), D("558.60"))
CLAIM = OpenClaim("supplier-invoice/57", "A", D(2), D("239.40"), D("11.4"))


def test_a_credit_note_for_what_never_came_settles_the_claim() -> None:
    purchase = bought(claims=(CLAIM,), invoiced=(MATCHED,))
    made = plan(bill(row(-2, "10.50")), purchase)
    assert (made.state, made.parts, made.claimed, made.difference) == ("matched", (), D("-239.40"), D(0))
    less = plan(bill(row(-2, "10.00")), purchase, WIDE)
    assert (less.claimed, less.difference) == (D("-239.40"), D("11.40"))


def test_a_credit_note_for_goods_that_were_matched_makes_them_not_invoiced_again() -> None:
    made = plan(bill(row(-10, "10.50")), bought(invoiced=(MATCHED,)))
    assert made.parts == (Booked(2, "1/1", D(-10), D("-1120.00"), D("-20.00"), D("-57.00")),)
    assert made.state == "matched"


def test_a_credit_note_without_pieces_is_a_lower_price_that_a_person_agrees_to() -> None:
    made = plan(bill(row(1, -100, article=None)), bought(invoiced=(MATCHED,)))
    assert made.state == "price_diff" and made.parts == (Booked(2, "1/1", D(0), D(0), D(0), D("-1140.00")),)
    settles = plan(bill(row(1, -21, article=None)), bought(claims=(CLAIM,), invoiced=(MATCHED,)))
    assert (settles.state, settles.parts, settles.claimed) == ("matched", (), D("-239.40"))


def test_more_credited_than_was_invoiced_waits_for_a_person() -> None:
    made = plan(bill(row(-101, "10.50")), bought(claims=(CLAIM,), invoiced=(MATCHED,)))
    assert (made.state, made.difference) == ("qty_over", D("-119.70"))
    nothing = plan(bill(row(-5, "10.50")), bought())
    assert (nothing.state, nothing.difference, nothing.parts) == ("qty_over", D("-598.50"), ())
    assert plan(bill(row(1, -100, article=None)), bought()).difference == D("-1140.00")


def test_an_invoice_without_articles_for_nothing_that_is_here_is_a_claim_if_a_person_agrees() -> None:
    made = plan(bill(row(1, 100, article=None)), bought())
    assert (made.state, made.claims[0].article_number, made.claimed) == ("qty_over", "*", D("1140.00"))


def test_what_was_sent_back_is_met_by_its_credit_note_and_the_difference_is_no_cost_of_goods() -> None:
    back = OpenClaim("supplier-return/1", "A", D(4), D("160.00"), D(1), returned=True)
    made = plan(bill(row(-4, 48, 1), rate=1), bought(claims=(back,)), WIDE)
    assert (made.parts, made.claimed, made.difference) == ((), D("-160.00"), D("-32.00"))


def test_a_late_delivery_settles_the_claim_and_becomes_goods_at_their_cost() -> None:
    [(document, made)] = plan_delivery(bought(received(2, 224, "2/1"), claims=(CLAIM,), invoiced=(MATCHED,)))
    assert document == "supplier-invoice/57" and made.value == 0
    assert made.parts == (Booked(0, "2/1", D(2), D(224), D("4.00"), D("11.40")),)
    assert made.claims == (Claimed("supplier-invoice/57", "A", D(-2), D("-239.40"), D("11.4")),)


quantities = st.integers(1, 400).map(lambda n: D(n) / 4)
prices = st.integers(1, 5000).map(lambda n: D(n) / 100)


@given(
    st.lists(st.tuples(quantities, prices), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(["A", "B", None]), quantities, prices), min_size=1, max_size=5),
    st.integers(500, 2000).map(lambda n: D(n) / 100),
    st.booleans(),
)
def test_whatever_is_billed_the_plan_adds_up_and_clears_no_more_than_is_open(
    receipts: list[tuple[D, D]], rows: list[tuple[str | None, D, D]], rate: D, sign: bool
) -> None:
    open_ = [
        Open(f"{n}/1", "AB"[n % 2], n % 2 + 1, price, "EUR", quantity, (quantity * price * 11).quantize(D("0.01")))
        for n, (quantity, price) in enumerate(receipts)
    ]
    lines = [row(quantity, price, rate, article, n) for n, (article, quantity, price) in enumerate(rows)]
    purchase = bought(*open_)
    made = plan_bill(bill(*lines, rate=rate), purchase, WIDE, D(10**6))
    assert made.value == sum(each.value for each in lines)
    for each in open_:
        parts = [part for part in made.parts if part.receipt == each.receipt]
        assert sum((p.quantity for p in parts), D(0)) <= each.quantity
        assert sum((p.cleared for p in parts), D(0)) <= each.value
        if parts and sum(p.quantity for p in parts) == each.quantity:
            assert sum(p.cleared for p in parts) == each.value
    back = reversed_plan(made.parts, made.claims, made.difference)
    assert back.value == -made.value


@given(
    st.lists(st.tuples(st.sampled_from(["A", "B", None]), quantities, prices), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from("AB"), quantities, prices), max_size=3),
    st.lists(st.tuples(st.sampled_from("AB"), quantities, prices), max_size=3),
)
def test_whatever_is_credited_the_plan_adds_up_and_takes_back_no_more_than_there_was(
    rows: list[tuple[str | None, D, D]], claims: list[tuple[str, D, D]], invoiced: list[tuple[str, D, D]]
) -> None:
    open_claims = tuple(
        OpenClaim(f"supplier-invoice/{n}", article, quantity, (quantity * price).quantize(D("0.01")), D(11))
        for n, (article, quantity, price) in enumerate(claims)
    )
    matched = tuple(
        Invoiced(
            (f"supplier-invoice/{n}",), f"{n}/1", article, quantity, (quantity * price).quantize(D("0.01")), D("1.11"), D("-0.5")
        )
        for n, (article, quantity, price) in enumerate(invoiced)
    )
    lines = [
        row(-quantity if article else 1, price if article else -price, 11, article, n)
        for n, (article, quantity, price) in enumerate(rows)
    ]
    made = plan_bill(bill(*lines, rate=11), bought(claims=open_claims, invoiced=matched), WIDE, D(10**6))
    assert made.value == sum(each.value for each in lines)
    for each in matched:
        assert -sum((p.quantity for p in made.parts if p.receipt == each.receipt), D(0)) <= each.quantity
    for claim in open_claims:
        assert -sum((c.quantity for c in made.claims if c.document == claim.document), D(0)) <= claim.quantity
