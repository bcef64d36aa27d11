"""The proofs of stock value at a size for every day, and that they can fail."""

from decimal import Decimal as D

import pytest

from bench.prove_4 import as_of
from bench.prove_4.histories import RULES, history
from bench.prove_4.rounding import SMALL, cases, differing, in_python
from tests.conftest import Cluster


def test_a_late_cost_by_keep_factor_is_what_a_replay_gives() -> None:
    assert [(seed, found) for seed in range(400) if (found := history(seed))] == []


@pytest.mark.parametrize("rule", RULES[1:])
def test_a_wrong_rule_is_found_out(rule: str) -> None:
    assert any(history(seed, rule) for seed in range(200))


async def test_postgresql_rounds_as_python_does(cluster: Cluster) -> None:
    assert await differing(cluster.url(), SMALL) == (0, "")


def test_every_shape_is_tried_and_many_cases_end_on_half_an_ore() -> None:
    some = list(cases(3000))
    halves = [case for case in some if case[0] == "amount" and abs(case[1] - in_python(case)) == D(5).scaleb(-case[4] - 1)]
    assert {case[0] for case in some} == {"amount", "product", "share"}
    assert len(halves) > 200


@pytest.mark.timeout(200)
async def test_the_stock_list_of_every_day_ties_to_the_stock_account(cluster: Cluster) -> None:
    figure, short = await as_of.run(cluster.url(), 6)
    assert short == [], figure
