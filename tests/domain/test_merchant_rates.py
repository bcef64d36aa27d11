"""A merchant's settings about exchange rates: read as written, refused with the name of what is wrong."""

from typing import Any

import pytest

from domain.errors import Refused
from domain.exchange import RatePolicy
from domain.merchant import MerchantSettings
from domain.rates import Limits


def test_they_are_read_as_written() -> None:
    settings = MerchantSettings.of(
        {
            "rate_currencies": ["EUR"],
            "rate_units": {"JPY": 100},
            "rate_jump_percent": 30,
            "rate_difference_at_invoice": "exchange-account",
        }
    )
    assert (list(settings.rate_currencies), dict(settings.rate_units)) == (["EUR"], {"JPY": 100})
    assert settings.rate_limits == Limits(jump=Limits().jump + 10)
    assert settings.rate_policy == RatePolicy("exchange-account", "accounting-system")
    assert MerchantSettings().rate_limits == Limits()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_currencies", "EUR"),
        ("rate_currencies", ["EURO"]),
        ("rate_currencies", [1]),
        ("rate_currencies", 7),
        ("rate_units", {"JPY": 10}),
        ("rate_units", ["JPY"]),
        ("rate_history_days", 0),
        ("rate_jump_percent", 101),
        ("rate_cross_check_percent", 0),
        ("rate_difference_at_invoice", "somewhere"),
        ("rate_difference_at_payment", "product-cost"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: Any) -> None:
    with pytest.raises(Refused, match=name) as refused:
        MerchantSettings.of({name: value})
    assert refused.value.code == "settings-wrong"
