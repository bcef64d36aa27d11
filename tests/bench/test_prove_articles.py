"""The proof about changed articles, in a small size; and that it notices what it is there to notice."""

import pytest

from bench.prove_2.articles import Measured, judge, prove


@pytest.mark.stack
async def test_changed_articles_are_right_sent_once_for_a_version_and_hold_no_order_up() -> None:
    proof = await prove(small=True)
    assert proof.ok, proof.line()


def measured(**changes: object) -> Measured:
    good = {"calm": [0.1, 0.1], "urgent": [0.2, 0.4], "requests": 9, "versions": 10, "signals": 3, "seconds": 2.0}
    return Measured(10, **(good | changes))  # type: ignore[arg-type]


def test_a_run_in_which_all_is_well_holds() -> None:
    assert judge(measured()).short == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"wrong": ["P-1: the ERP has 1, the warehouse 2"]}, "not right in the warehouse: P-1"),
        ({"too_often": ["P-1 was sent 2 times for 1 versions"]}, "P-1 was sent 2 times"),
        ({"requests": 11}, "11 requests for 10 versions"),
        ({"urgent": [0.2, 5.2]}, "was delayed by 5.10 s"),
        ({"signals": 10_000}, "10000 signals in 2 s"),
    ],
)
def test_what_falls_short_is_said(wrong: dict[str, object], said: str) -> None:
    [short] = judge(measured(**wrong)).short
    assert said in short
