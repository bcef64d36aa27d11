"""The proof of a purchase in euro works in small, and sees an öre that went astray."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from bench.prove_4 import purchase_in_euro
from domain import supplier_invoices
from domain.supplier_invoices import Booked
from tests.conftest import Cluster


async def test_a_small_purchase_comes_out_as_computed_independently(cluster: Cluster) -> None:
    proof = await purchase_in_euro.prove(True, cluster.url())
    assert proof.ok, proof.line()


async def test_an_ore_laid_on_the_wrong_difference_is_seen(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: Any = supplier_invoices._parts

    def astray(row_no: int, match: Any) -> Sequence[Booked]:
        cent = Decimal("0.01")
        return [Booked(p.row_no, p.receipt, p.quantity, p.cleared, p.rate + cent, p.price - cent) for p in parts(row_no, match)]

    monkeypatch.setattr(supplier_invoices, "_parts", astray)
    proof = await purchase_in_euro.prove(True, cluster.url())
    assert any("account" in words for words in proof.short), proof.line()
