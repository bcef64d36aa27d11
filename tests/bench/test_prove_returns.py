"""The proof of returns works in small, and sees what it is there to see."""

from random import Random

import pytest

from bench.prove_3 import histories, sales_model, sales_rules, table_histories
from bench.prove_3.sales_model import Line, Order, Shelf, nearest
from domain.costing import Pool
from tests.conftest import Cluster


def test_histories_of_picks_and_returns_equal_a_model_that_shares_no_code() -> None:
    proof = histories.prove(500)
    assert proof.ok, proof.line()


def test_the_model_sees_an_ore_that_went_astray(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = Pool.receive
    monkeypatch.setattr(Pool, "receive", lambda pool, quantity, value: receive(pool, quantity, value + 1))
    assert not histories.prove(50).ok


def test_the_model_of_sales_gives_back_what_it_took_to_the_ore() -> None:
    rng = Random(1)
    for _ in range(200):
        lines = {n: Line("P", rng.randint(1, 6), rng.randint(100, 99_999), rng.choice((25, 12, 6))) for n in (1, 2)}
        order, shelf = Order(lines, 15, 4_900, rng.random() < 0.5), Shelf(20, rng.randint(0, 99_999))
        before = shelf.worth
        for n, each in lines.items():
            order.pick(n, each.ordered, shelf)
            if rng.random() < 0.5:
                order.send()
        order.send()
        while open_lines := [n for n, each in lines.items() if each.out]:
            n = rng.choice(open_lines)
            order.back(n, rng.randint(1, lines[n].out), shelf, scrapped=False)
        assert (shelf.worth, shelf.sold) == (before, 0)
        assert [sum(each) for each in zip(*order.documents, strict=True)] == [0, 0]


def test_histories_of_invoices_and_credits_equal_the_model_and_an_ore_that_went_astray_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proof = sales_rules.prove(500)
    assert proof.ok, proof.line()
    share = sales_model._share
    monkeypatch.setattr(sales_model, "_share", lambda row, n: share(row, n) + (n == 2))
    assert not sales_rules.prove(50).ok


async def test_histories_on_the_tables_equal_the_model_and_a_model_that_errs_by_an_ore_is_seen(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = await table_histories.prove(True, cluster.url(), merchants=2)
    assert proof.ok, proof.line()
    monkeypatch.setattr(Order, "vat", lambda order, amount, rate: nearest(amount * rate, 100) + 1)
    assert not (await table_histories.prove(True, cluster.url(), merchants=2)).ok
