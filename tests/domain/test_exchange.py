"""Three rates of one amount: which difference goes where is the merchant's choice, and nothing gets lost between them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.exchange import AT_INVOICE, AT_PAYMENT, RateDifferences, RatePolicy, rate_differences

D = Decimal


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (RatePolicy(), RateDifferences(D("200.00"), D("0.00"), D("-150.00"))),
        (RatePolicy("exchange-account"), RateDifferences(D("0.00"), D("200.00"), D("-150.00"))),
        (RatePolicy("product-cost", "exchange-account"), RateDifferences(D("200.00"), D("-150.00"), D("0.00"))),
        (RatePolicy("exchange-account", "exchange-account"), RateDifferences(D("0.00"), D("50.00"), D("0.00"))),
    ],
)
def test_a_thousand_euros_received_invoiced_and_paid_at_three_rates(policy: RatePolicy, found: RateDifferences) -> None:
    assert rate_differences(D("1000.00"), D("11.2000"), D("11.4000"), D("11.2500"), policy) == found


def test_what_is_not_paid_has_no_payment_difference() -> None:
    found = rate_differences(D("1000.00"), D("11.2"), D("11.4"), None, RatePolicy())
    assert found == RateDifferences(D("200.00"), D(0), D(0))


rates = st.decimals("0.0001", "200", places=6)


@given(st.decimals("-100000", "100000", places=2), rates, rates, rates, st.sampled_from(AT_INVOICE), st.sampled_from(AT_PAYMENT))
def test_the_differences_add_up_and_a_payment_never_touches_the_goods(
    amount: Decimal, first: Decimal, second: Decimal, third: Decimal, at_invoice: str, at_payment: str
) -> None:
    policy = RatePolicy(at_invoice, at_payment)
    found = rate_differences(amount, first, second, third, policy)
    total = found.product_cost + found.exchange_account + found.accounting_system
    assert abs(total - amount * (third - first)) <= D("0.01")
    assert found.product_cost == rate_differences(amount, first, second, None, policy).product_cost
