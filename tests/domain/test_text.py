"""Free text is cleaned, never a reason to block."""

import re

from hypothesis import given
from hypothesis import strategies as st

from domain.text import cleaned

# The published rule of the accounting system, written out once more, independently of the product's own pattern.
PERMITTED = re.compile(r"[^\W\d_]|[0-9–:.`´’,;^¤#%§£$€¢¥©™°&/()=+\-*_!?²³®½@\\ ]")


def test_quotes_and_brackets_become_what_is_permitted() -> None:
    assert cleaned('Kruka "Röd" <liten> 🎉\tny', 50) == "Kruka ’Röd’ (liten) ny"


@given(st.text(max_size=80), st.integers(1, 60))
def test_whatever_comes_in_only_permitted_signs_come_out(text: str, limit: int) -> None:
    out = cleaned(text, limit)
    assert len(out) <= limit
    assert all(PERMITTED.fullmatch(sign) for sign in out)
    assert cleaned(out, limit) == out
