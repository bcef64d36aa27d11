"""The documented lists of the UI are those that the command opens."""

import pytest

from starters.filters import FILTERS, address_of, query_of
from tests.conftest import REPOSITORY


def test_each_list_is_documented_as_it_is() -> None:
    page = (REPOSITORY / "docs" / "people.md").read_text(encoding="utf-8")
    for name, (_, query) in FILTERS.items():
        assert f"| `{name}` | `{query.format(day_ago='<a day ago>')}` |" in page


def test_a_list_is_narrowed_to_a_merchant_whatever_its_name_holds() -> None:
    assert query_of("held", "demo", "") == "(BlockedReason = 'held-by-a-person') AND Merchant = 'demo'"
    assert query_of("held", "d'x", "").endswith("Merchant = 'd\\'x'")
    with pytest.raises(KeyError):
        query_of("no-such", None, "")


def test_the_address_opens_the_list() -> None:
    assert address_of("http://ui/", "default", "A = 'b'") == "http://ui/namespaces/default/workflows?query=A%20%3D%20%27b%27"
