"""A workflow's id is a sentence with the order's number, and no two orders or runs share one."""

from hypothesis import given
from hypothesis import strategies as st

from domain.keys import OrderKey

numbers = st.text(alphabet="AS1/#%2-", min_size=1, max_size=6)


def test_the_first_run_is_named_after_the_order() -> None:
    assert OrderKey("demo", "SO-1").workflow_id == "sales-order/demo/SO-1"


@given(numbers, st.integers(1, 12), numbers, st.integers(1, 12))
def test_no_two_runs_share_an_id(a: str, run_a: int, b: str, run_b: int) -> None:
    same = (a, run_a) == (b, run_b)
    assert (OrderKey("demo", a, run_a).workflow_id == OrderKey("demo", b, run_b).workflow_id) is same
