"""The invoice basis: the quoted side is exact over all part deliveries, and Fortnox's arithmetic gives the same row."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused
from domain.invoicing import (
    BasisPart,
    BillableLine,
    Terms,
    amount_for,
    billable,
    combined_discount,
    compare_totals,
    invoice_basis,
    reference,
)
from domain.merchant import MerchantSettings
from domain.vat import VatZone

D = Decimal
SETTINGS = MerchantSettings()


def terms(basis: str = "net", discount: str = "0", freight: str = "0", zone: VatZone = VatZone.DOMESTIC) -> Terms:
    return Terms(basis, D(discount), D(freight), D(25) if zone is VatZone.DOMESTIC else D(0), zone)


def line(number: int = 1, quantity: str = "3", price: str = "100", discount: str = "0", vat: str = "25") -> BillableLine:
    return BillableLine(number, f"A-{number}", "Kruka", D(quantity), D(price), D(discount), D(vat), None, True)


def fortnox_total(part: BasisPart) -> Decimal:
    """What the other side makes of the rows: two decimals of quantity and price, half up, a percentage off."""
    total = D(0)
    for row in part.rows:
        quantity, price = round_half_up(row.quantity), round_half_up(row.unit_price)
        total += round_half_up(quantity * price * (100 - row.discount_percent) / 100)
    return total


def round_half_up(value: Decimal) -> Decimal:
    sign = -1 if value < 0 else 1
    return sign * (abs(value) * 100 + D("0.5")).to_integral_value(rounding="ROUND_FLOOR") / 100


money = st.decimals("0", "9999", places=4)


@given(
    price=money,
    discounts=st.tuples(st.decimals("0", "100", places=2), st.decimals("0", "100", places=2)),
    basis=st.sampled_from(["net", "gross"]),
    vat=st.sampled_from(["25", "12", "6", "0"]),
    shipments=st.lists(st.decimals("0.01", "40", places=4), min_size=1, max_size=6),
)
def test_part_deliveries_add_up_to_one_delivery(
    price: Decimal, discounts: tuple[Decimal, Decimal], basis: str, vat: str, shipments: list[Decimal]
) -> None:
    ordered = BillableLine(1, "A", "Kruka", sum(shipments, D(0)), price, discounts[0], D(vat), None, True)
    before, total = D(0), D(0)
    for now in shipments:
        parts = invoice_basis(terms(basis, str(discounts[1])), [ordered], {1: before}, {1: now}, False, SETTINGS)
        assert len(parts) == 1
        assert fortnox_total(parts[0]) == parts[0].amount
        total += parts[0].amount
        before += now
    assert total == amount_for(before, price, combined_discount(*discounts))


def test_a_row_that_two_decimals_would_change_goes_as_one_at_its_amount() -> None:
    row = invoice_basis(terms(), [line(quantity="3", price="1.125")], {}, {1: D(3)}, False, SETTINGS)[0].rows[0]
    assert (row.quantity, row.unit_price, row.amount, row.folded) == (D(1), D("3.38"), D("3.38"), True)
    assert "3 st" in row.description


def test_freight_rides_on_the_first_shipment_only() -> None:
    first = invoice_basis(terms(freight="49"), [line()], {}, {1: D(1)}, True, SETTINGS)[0]
    second = invoice_basis(terms(freight="49"), [line()], {1: D(1)}, {1: D(2)}, False, SETTINGS)[0]
    assert ([row.kind for row in first.rows], first.amount) == (["freight", "goods"], D(149))
    assert ([row.kind for row in second.rows], second.amount) == (["goods"], D(200))


def test_a_thousand_rows_are_parts_of_at_most_five_hundred() -> None:
    lines = [line(n) for n in range(1, 1001)]
    parts = invoice_basis(terms(freight="49"), lines, {}, {n: D(1) for n in range(1, 1001)}, True, SETTINGS)
    assert [len(part.rows) for part in parts] == [500, 500, 1]


def test_no_more_is_billed_than_was_ordered() -> None:
    assert billable(line(quantity="3"), D(5), SETTINGS) == D(3)
    assert billable(line(quantity="3"), D(5), MerchantSettings(invoice_over_delivery=True)) == D(5)


def test_vat_to_a_customer_without_vat_is_refused_with_the_row() -> None:
    with pytest.raises(Refused, match=r"line 1 \(A-1\) has 25 % VAT") as refusal:
        invoice_basis(terms(zone=VatZone.EXPORT), [line()], {}, {1: D(1)}, False, SETTINGS)
    assert refusal.value.code == "vat-does-not-fit-customer"


def test_a_rate_without_an_account_is_refused_with_the_row() -> None:
    with pytest.raises(Refused, match=r"line 1 .*no account for 7 % VAT"):
        invoice_basis(terms(), [line(vat="7")], {}, {1: D(1)}, False, SETTINGS)


def test_the_quoted_side_must_agree_exactly_and_vat_within_the_rounding() -> None:
    part = invoice_basis(terms(), [line(price="10.01", quantity="1")], {}, {1: D(1)}, False, SETTINGS)[0]
    compare_totals("net", part, D("10.01"), D("2.50"))
    compare_totals("net", part, D("10.01"), D("2.51"))
    with pytest.raises(Refused) as wrong_net:
        compare_totals("net", part, D("10.02"), D("2.50"))
    with pytest.raises(Refused) as wrong_vat:
        compare_totals("net", part, D("10.01"), D("2.53"))
    assert (wrong_net.value.code, wrong_vat.value.code) == ("invoice-differs", "row-not-exact")


def test_no_reference_is_a_part_of_another() -> None:
    keys = {reference("ab12cd34", basis, part, revision) for basis in (1, 10, 100) for part in (1, 10) for revision in (0, 1)}
    assert {len(key) for key in keys} == {30}
    assert not any(a != b and a in b for a in keys for b in keys)
