"""The proof of returns works in small, and sees what it is there to see."""

import pytest

from bench.prove_3 import histories
from domain.costing import Pool


def test_histories_of_picks_and_returns_equal_a_model_that_shares_no_code() -> None:
    proof = histories.prove(500)
    assert proof.ok, proof.line()


def test_the_model_sees_an_ore_that_went_astray(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = Pool.receive
    monkeypatch.setattr(Pool, "receive", lambda pool, quantity, value: receive(pool, quantity, value + 1))
    assert not histories.prove(50).ok
