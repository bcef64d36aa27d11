"""Credits: an invoice and its credits sum to zero, in net, VAT and gross, however it is split."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.crediting import Credit, Invoiced, InvoicedRow, credit_bases, creditable
from domain.errors import Refused
from domain.invoicing import BasisPart, BillableLine, Terms, invoice_basis, tax_on
from domain.merchant import MerchantSettings
from domain.money import ZERO
from domain.vat import VatZone

D = Decimal


def bill(
    lines: list[tuple[str, str, str]], freight: str = "0", price_basis: str = "net", discount: str = "0", basis_no: int = 1
) -> tuple[Invoiced, BasisPart]:
    """An invoice over (quantity, price, VAT rate) for each line."""
    terms = Terms(price_basis, D(discount), D(freight), D(25), VatZone.DOMESTIC)
    billable = [
        BillableLine(n, f"A{n}", f"Artikel {n}", D(quantity), D(price), ZERO, D(rate), 3001, True)
        for n, (quantity, price, rate) in enumerate(lines, start=1)
    ]
    [part] = invoice_basis(terms, billable, {}, {n.line_number: n.quantity_ordered for n in billable}, True, MerchantSettings())
    rows = tuple(InvoicedRow(n, row) for n, row in enumerate(part.rows, start=1))
    return Invoiced(basis_no, 1, price_basis, rows), part


def after(invoice: Invoiced, credit: Credit) -> Invoiced:
    """The invoice once the credit is written."""
    by_row = {each.row_no: each for each in credit.rows}
    rows = tuple(
        replace(row, credited=row.credited + each.quantity, credited_amount=row.credited_amount - each.row.amount)
        if (each := by_row.get(row.row_no))
        else row
        for row in invoice.rows
    )
    by_rate: dict[Decimal, Decimal] = {}
    for each in credit.rows:
        by_rate[each.row.vat_rate] = by_rate.get(each.row.vat_rate, ZERO) - each.row.amount
    return replace(invoice, rows=rows, credits=(*invoice.credits, by_rate))


def one(invoice: Invoiced, wanted: Mapping[int, Any], freight: bool | None = False) -> Credit:
    [credit] = credit_bases([invoice], {line: D(quantity) for line, quantity in wanted.items()}, freight, True)
    return credit


def test_a_part_that_would_leave_an_ore_of_vat_is_moved_by_an_ore() -> None:
    invoice, _ = bill([("2", "5.01", "25")])
    first = one(invoice, {1: 1})
    assert (first.basis.net, first.basis.vat) == (D("-5.02"), D("-1.26"))
    last = one(after(invoice, first), {1: 1})
    assert (last.basis.net, last.basis.vat) == (D("-5.00"), D("-1.25"))


def test_a_credit_has_the_accounts_rates_and_prices_of_its_invoice() -> None:
    invoice, _ = bill([("3", "100", "25"), ("2", "10", "12")], discount="10")
    credit = one(invoice, {1: 2, 2: 2})
    assert [(r.row.quantity, r.row.unit_price, r.row.discount_percent, r.row.vat_rate, r.row.account) for r in credit.rows] == [
        (D(-2), D("100"), D(10), D(25), 3001),
        (D(-2), D("10"), D(10), D(12), 3001),
    ]
    assert credit.basis.amount == D("-198.00")


def test_the_newest_invoice_is_credited_first() -> None:
    first, _ = bill([("3", "10", "25")], basis_no=1)
    second, _ = bill([("2", "10", "25")], basis_no=2)
    credits = credit_bases([first, second], {1: D(4)}, None, True)
    assert [(c.basis_no, c.rows[0].quantity) for c in credits] == [(1, D(2)), (2, D(2))]


def test_more_than_was_invoiced_is_never_credited() -> None:
    invoice, _ = bill([("3", "10", "25")])
    with pytest.raises(Refused, match="line 1: 1 more are to be credited") as refused:
        credit_bases([invoice], {1: D(4)}, None, True)
    assert refused.value.code == "credit-more-than-invoiced"
    rest = after(invoice, one(invoice, {1: 2}))
    assert creditable([rest], 1) == 1
    with pytest.raises(Refused):
        credit_bases([rest], {1: D(2)}, None, True)


@pytest.mark.parametrize(
    ("wanted", "freight", "rule", "credited"),
    [({1: 3}, None, True, True), ({1: 2}, None, True, False), ({1: 3}, None, False, False), ({}, True, False, True)],
    ids=["with the last goods", "goods are out", "never", "by decision"],
)
def test_freight_follows_the_rule_or_a_decision(wanted: dict[int, int], freight: bool | None, rule: bool, credited: bool) -> None:
    invoice, _ = bill([("3", "10", "25")], freight="49")
    [credit] = credit_bases([invoice], {line: D(quantity) for line, quantity in wanted.items()}, freight, rule)
    assert any(row.row.kind == "freight" for row in credit.rows) is credited


def test_freight_is_credited_once() -> None:
    invoice, _ = bill([("3", "10", "25")], freight="49")
    rest = after(invoice, one(invoice, {}, freight=True))
    last = one(rest, {1: 3}, freight=None)
    assert [row.row.kind for row in last.rows] == ["goods"]


def test_goods_for_nothing_make_no_credit_and_hold_nothing_up() -> None:
    free, _ = bill([("3", "10", "25"), ("1", "0", "25")], freight="49")
    assert credit_bases([free], {2: D(1)}, None, True) == []
    last = one(free, {1: 3}, freight=None)
    assert [row.row.kind for row in last.rows] == ["freight", "goods"]


quantities = st.sampled_from(["1", "2", "3", "7", "0.5", "2.25", "1.3333"])
prices = st.decimals("0", "250", places=2).map(str) | st.sampled_from(["0.005", "33.333", "99.995", "0.01"])
rates = st.sampled_from(["25", "12", "6", "0"])


@given(
    lines=st.lists(st.tuples(quantities, prices, rates), min_size=1, max_size=4),
    freight=st.sampled_from(["0", "49", "49.50", "0.01"]),
    price_basis=st.sampled_from(["net", "gross"]),
    discount=st.sampled_from(["0", "10", "33.33"]),
    data=st.data(),
)
def test_an_invoice_and_all_its_credits_sum_to_zero(
    lines: list[tuple[str, str, str]], freight: str, price_basis: str, discount: str, data: st.DataObject
) -> None:
    invoice, part = bill(lines, freight, price_basis, discount)
    net, vat, amount = part.net, part.vat, part.amount
    left = {n: D(quantity) for n, (quantity, _, _) in enumerate(lines, start=1)}
    while left:
        line = data.draw(st.sampled_from(sorted(left)))
        back = min(left[line], data.draw(st.sampled_from([D("0.3"), D(1), D(2)])))
        for credit in credit_bases([invoice], {line: back}, None, True):
            invoice = after(invoice, credit)
            net, vat, amount = net + credit.basis.net, vat + credit.basis.vat, amount + credit.basis.amount
            assert credit.basis.amount < 0 <= amount
        left[line] -= back
        if not left[line]:
            del left[line]
    assert [net, vat, amount] == [0, 0, 0]


@given(
    lines=st.lists(st.tuples(prices, st.sampled_from(["25", "12", "6", "21", "5.5"])), min_size=1, max_size=3),
    freight=st.sampled_from(["0", "49", "0.01"]),
    price_basis=st.sampled_from(["net", "gross"]),
    discount=st.sampled_from(["0", "10", "33.33"]),
    data=st.data(),
)
def test_an_order_is_never_credited_more_than_it_was_invoiced_whatever_happened_in_whatever_order(
    lines: list[tuple[str, str]], freight: str, price_basis: str, discount: str, data: st.DataObject
) -> None:
    """Shipments, goods un-picked after their invoice, returns and claims: by VAT rate nothing goes below zero, neither net, VAT
    nor gross; what is left has just the VAT of its amount; and when all is credited, nothing is left."""
    terms = Terms(price_basis, D(discount), D(freight), D(25), VatZone.DOMESTIC)
    billable = [
        BillableLine(n, f"A{n}", f"Artikel {n}", D(9), D(price), ZERO, D(rate), 3001, True)
        for n, (price, rate) in enumerate(lines, start=1)
    ]
    invoices: list[Invoiced] = []
    shipped = dict.fromkeys(range(1, len(lines) + 1), ZERO)
    left: dict[Decimal, list[Decimal]] = {}

    def note(part: BasisPart) -> None:
        for rate in {row.vat_rate for row in part.rows}:
            amount = sum((row.amount for row in part.rows if row.vat_rate == rate), ZERO)
            vat = tax_on(price_basis, amount, rate)
            net, _, _ = now = left.setdefault(rate, [ZERO, ZERO, ZERO])
            now[0], now[1] = net + (amount if price_basis == "net" else amount - vat), now[1] + vat
            now[2] = now[0] + now[1]
            assert min(now) >= 0, (rate, now)

    def credit(wanted: dict[int, Decimal], freight: bool | None) -> None:
        for each in credit_bases(invoices, wanted, freight, True):
            at = next(n for n, invoice in enumerate(invoices) if invoice.basis_no == each.basis_no)
            invoices[at] = after(invoices[at], each)
            note(each.basis)

    for _ in range(data.draw(st.integers(1, 12))):
        line = data.draw(st.sampled_from(sorted(shipped)))
        does = data.draw(st.sampled_from(["ship", "ship", "unpick", "return", "claim with freight"]))
        quantity = data.draw(st.sampled_from([D(1), D(2), D("0.5")]))
        if does == "ship":
            now = {line: min(quantity, 9 - shipped[line])}
            for part in invoice_basis(terms, billable, shipped, now, not invoices, MerchantSettings()):
                rows = tuple(InvoicedRow(n, row) for n, row in enumerate(part.rows, start=1))
                invoices.append(Invoiced(len(invoices) + 1, 1, price_basis, rows))
                note(part)
            shipped[line] += now[line]
        else:
            back = min(quantity, creditable(invoices, line))
            shipped[line] -= back if does == "unpick" else ZERO
            freight_too = {"unpick": False, "return": None, "claim with freight": True}[does]
            credit({line: back} if back else {}, freight_too)
    credit({line: some for line in shipped if (some := creditable(invoices, line))}, True)
    assert all(now == [0, 0, 0] for now in left.values()), left
