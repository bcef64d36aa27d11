"""Ordered, received, invoiced: the worked tables, one fixed set of terms, and sums that always add up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.costing import Pool
from domain.matching import (
    Claim,
    Credited,
    InvoiceLine,
    Match,
    OpenReceipt,
    OrderedLine,
    Part,
    Tolerance,
    credit,
    holds,
    judge,
    match_line,
    match_total,
    total_holds,
    unmatchable,
)
from domain.revaluation import mark, settle

D = Decimal
ORDERED = D("10.00")
INVOICED = InvoiceLine(D(100), D("1050.00"), D("11.4000"))


def receipt(quantity: str, value: str, name: str = "R-1") -> OpenReceipt:
    return OpenReceipt(name, D(quantity), D(value))


def test_ordered_received_and_invoiced_differ_in_price_rate_and_quantity() -> None:
    found = match_line(ORDERED, [receipt("98", "10976.00")], INVOICED)
    assert found == Match((Part("R-1", D(98), D("10976.00"), D("196.00"), D("558.60")),), Claim(D(2), D("239.40")))
    assert found.price + found.rate + found.claim.value == D("994.00") == D("11970.00") - D("10976.00")


def test_the_terms_of_another_system_add_up_to_the_same_and_mixing_them_does_not() -> None:
    ours = match_line(ORDERED, [receipt("98", "10976.00")], INVOICED)
    price, rate, quantity = D(100) * D("0.5") * D("11.4"), D(100) * 10 * D("0.2"), 2 * 10 * D("11.2")
    assert (price, rate, quantity) == (D("570.00"), D("200.00"), D("224.00"))
    assert price + rate + quantity == ours.price + ours.rate + ours.claim.value
    assert price + rate + ours.claim.value - D("994.00") == D("15.40")


def test_eight_received_at_six_and_ten_billed_at_eight() -> None:
    found = match_line(D(6), [receipt("8", "48.00")], InvoiceLine(D(10), D(80), D(1)))
    assert (found.price, found.rate, found.claim.value) == (D("16.00"), D(0), D("16.00"))


def test_all_received_at_one_rate_and_invoiced_at_another() -> None:
    found = match_line(ORDERED, [receipt("100", "11200.00")], INVOICED)
    assert (found.price, found.rate, found.claim) == (D("570.00"), D("200.00"), Claim(D(0), D(0)))
    pool, at = Pool(), mark(Pool())
    pool, _ = pool.receive(D(100), D("11200.00"))
    pool, cost = pool.issue(D(40))
    pool, split = settle(pool, at, found.parts[0].late_cost)
    assert (split.stock, split.sold, pool.value, cost + split.sold) == (
        D("462.00"),
        D("308.00"),
        D("7182.00"),
        D("4788.00"),
    )


def test_both_posting_styles_end_at_the_same_stock_and_cost() -> None:
    """The amounts of the worked table laid on accounts: goods received not invoiced, or purchases expensed."""
    late = match_line(ORDERED, [receipt("100", "11200.00")], INVOICED)
    pool, at = Pool().receive(D(100), D("11200.00"))[0], mark(Pool())
    pool, sold = pool.issue(D(40))
    pool, split = settle(pool, at, late.parts[0].late_cost)
    first = {"1460": D("11200.00") - sold + split.stock, "cogs": sold + split.sold}
    first["gr-ir"] = -D("11200.00") + late.cleared + late.rate + late.price - split.stock - split.sold
    assert first == {"1460": D("7182.00"), "cogs": D("4788.00"), "gr-ir": D("0.00")}
    second = {"4010": INVOICED.value, "4960": -D("11200.00") + sold - split.stock}
    assert second["4010"] + second["4960"] == D("4788.00")


def test_part_invoices_clear_what_they_bill() -> None:
    first = match_line(ORDERED, [receipt("100", "11200.00")], InvoiceLine(D(60), D("630.00"), D("11.4")))
    assert (first.cleared, first.rate + first.price) == (D("6720.00"), D("462.00"))
    second = match_line(ORDERED, [receipt("40", "4480.00")], InvoiceLine(D(40), D("4400.00"), D(1)))
    assert (second.cleared, second.rate + second.price) == (D("4480.00"), D("-80.00"))


def test_receipts_are_cleared_oldest_first_each_at_its_own_rate() -> None:
    found = match_line(ORDERED, [receipt("60", "6720.00"), receipt("40", "4560.00", "R-2")], INVOICED)
    assert [(part.receipt, part.cleared, part.rate, part.price) for part in found.parts] == [
        ("R-1", D("6720.00"), D("120.00"), D("342.00")),
        ("R-2", D("4560.00"), D("0.00"), D("228.00")),
    ]


def test_a_full_credit_takes_everything_back_the_claim_first() -> None:
    found = match_line(ORDERED, [receipt("98", "10976.00")], INVOICED)
    taken, claim, surprise = credit(found, D(100), D("11970.00"))
    assert (claim, surprise) == (Claim(D(0), D(0)), D(0))
    assert taken == (Credited("R-1", D(98), D("10976.00"), D("-754.60")),)


def test_a_credit_for_what_never_came_closes_the_claim_and_touches_no_cost() -> None:
    found = match_line(ORDERED, [receipt("98", "10976.00")], INVOICED)
    assert credit(found, D(2), D("239.40")) == ((), Claim(D(0), D("0.00")), D("0.00"))
    assert credit(found, D(1), D("110.00")) == ((), Claim(D(1), D("119.70")), D("-9.70"))


def test_a_credit_without_pieces_is_a_lower_price_for_everything_matched() -> None:
    found = match_line(ORDERED, [receipt("60", "6720.00"), receipt("40", "4560.00", "R-2")], INVOICED)
    taken, _, _ = credit(found, D(0), D("100.00"))
    assert [(each.quantity, each.late_cost) for each in taken] == [(D(0), D("-59.57")), (D(0), D("-40.43"))]


def test_a_line_that_does_not_divide_is_laid_on_its_receipts_to_the_last_ore() -> None:
    receipts = [receipt("1", "33.00", name) for name in ("R-1", "R-2", "R-3")]
    found = match_line(D(33), receipts, InvoiceLine(D(3), D("100.00"), D(1)))
    assert [part.price for part in found.parts] == [D("0.33"), D("0.34"), D("0.33")]
    assert found.claim == Claim(D(0), D("0.00"))


def test_what_is_credited_is_taken_from_the_last_receipt_first() -> None:
    found = match_line(ORDERED, [receipt("60", "6720.00"), receipt("40", "4560.00", "R-2")], INVOICED)
    taken, _, _ = credit(found, D(50), D("5985.00"))
    assert [(each.receipt, each.quantity, each.reopened, each.late_cost) for each in taken] == [
        ("R-2", D(40), D("4560.00"), D("-228.00")),
        ("R-1", D(10), D("1120.00"), D("-77.00")),
    ]


def test_an_invoice_without_lines_is_laid_on_all_that_its_purchase_has_open() -> None:
    lines = [
        OrderedLine(D("10.00"), (receipt("60", "6720.00"), receipt("40", "4480.00", "R-2"))),
        OrderedLine(D("3.33"), (receipt("7", "261.07", "R-3"),)),
        OrderedLine(D("99.00"), ()),
    ]
    found = match_total(lines, D("1023.31"), D("11.2"))
    assert [(part.receipt, part.quantity, part.rate, part.price) for match in found for part in match.parts] == [
        ("R-1", D(60), D("0.00"), D("0.00")),
        ("R-2", D(40), D("0.00"), D("0.00")),
        ("R-3", D(7), D("0.00"), D("0.00")),
    ]
    dearer = match_total(lines, D("1100.00"), D("11.4"))
    assert sum(each.cleared + each.rate + each.price + each.claim.value for each in dearer) == D("12540.00")
    assert [judge(each, each.quantity, Tolerance()) for each in dearer] == ["price_diff", "price_diff"]
    assert all(each.claim == Claim(D(0), D(0)) for each in dearer)
    assert match_total(lines[2:], D("1100.00"), D("11.4")) == []


def test_a_total_may_differ_from_its_lines_by_its_rounding() -> None:
    assert total_holds(D("100.00"), D("150.00"), Tolerance())
    assert not total_holds(D("100.00"), D("150.01"), Tolerance())


def test_more_is_never_credited_than_was_invoiced() -> None:
    with pytest.raises(ValueError, match="101 pieces are credited, 100 were invoiced"):
        credit(match_line(ORDERED, [receipt("98", "10976.00")], INVOICED), D(101), D(1))


@pytest.mark.parametrize(
    ("received", "line", "state"),
    [
        ([], ("100", "1000.00"), "not_received"),
        ([("100", "11400.00")], ("100", "1000.00"), "matched"),
        ([("100", "11400.00")], ("60", "600.00"), "qty_under"),
        ([("98", "11172.00")], ("100", "1000.00"), "qty_over"),
        ([("100", "11400.00")], ("100", "1019.00"), "within_tolerance"),
        ([("100", "11400.00")], ("100", "1050.00"), "price_diff"),
        ([("1000", "114000.00")], ("1000", "10050.00"), "price_diff"),
    ],
)
def test_the_state_of_a_line(received: list[tuple[str, str]], line: tuple[str, str], state: str) -> None:
    receipts = [receipt(quantity, value) for quantity, value in received]
    found = match_line(ORDERED, receipts, InvoiceLine(D(line[0]), D(line[1]), D("11.4")))
    assert judge(found, sum((each.quantity for each in receipts), D(0)), Tolerance()) == state


def test_a_line_that_cannot_be_matched_says_why() -> None:
    assert unmatchable(None, "EUR", False) == "no_po"
    assert unmatchable("EUR", "EUR", True) == "duplicate"
    assert unmatchable("EUR", "USD", False) == "currency_mismatch"
    assert unmatchable("EUR", "EUR", False) is None


def test_both_limits_of_a_tolerance_must_hold() -> None:
    assert not holds(D("570.00"), D("11200.00"), Tolerance())
    assert holds(D("224.00"), D("11200.00"), Tolerance())
    assert not holds(D("501.00"), D("1000000.00"), Tolerance())


quantities = st.decimals("0.0001", "5000", places=4)


@given(
    st.decimals("0.01", "5000", places=4),
    st.lists(st.tuples(quantities, st.decimals("0", "99999", places=2)), max_size=6),
    quantities,
    st.decimals("0.01", "99999", places=2),
    st.decimals("0.01", "200", places=6),
    st.decimals("0.01", "1"),
)
def test_every_part_of_a_line_adds_up_to_it(
    price: Decimal, received: list[tuple[Decimal, Decimal]], quantity: Decimal, amount: Decimal, rate: Decimal, back: Decimal
) -> None:
    receipts = [OpenReceipt(str(n), *each) for n, each in enumerate(received)]
    line = InvoiceLine(quantity, amount, rate)
    found = match_line(price, receipts, line)
    assert found.cleared + found.rate + found.price + found.claim.value == line.value
    assert found.quantity + found.claim.quantity == quantity
    assert found.claim.quantity or not found.claim.value
    part = (quantity * back).quantize(D("0.0001"))
    if part:
        value = (line.value * back).quantize(D("0.01"))
        taken, claim, surprise = credit(found, part, value)
        gone = found.claim.value - claim.value
        assert sum((each.reopened - each.late_cost for each in taken), D(0)) + gone + surprise == value
