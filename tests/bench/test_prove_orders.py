"""The proofs about changes, cancellations and webhooks, a few of each; the model by hand, all of it."""

import itertools
from collections import Counter
from decimal import Decimal

import pytest

from bench.prove_2 import permutations, webhooks
from bench.prove_2.order_model import EVENTS, predict


def test_the_model_says_what_a_person_would() -> None:
    calm = predict(("pick", "change", "cancel", "send", "replay", "second pick"))
    assert (calm.refused_part, calm.cancel_answer, calm.invoiced, calm.status) == (
        "address and lines",
        "too-late",
        Decimal(30),
        "part-shipped",
    )
    stopped = predict(("cancel", "change", "pick", "second pick", "send", "replay"))
    assert (stopped.status, stopped.refused_by_warehouse, stopped.refused_by_erp, stopped.invoiced) == (
        "cancelled",
        3,
        1,
        Decimal(0),
    )
    too_much = predict(("change", "pick", "second pick", "cancel", "send", "replay"))
    assert (too_much.refused_by_warehouse, too_much.invoiced) == (1, Decimal(30))


def test_the_model_ends_in_many_ways_and_never_blocked() -> None:
    ends = Counter((end.status, end.cancel_answer, end.refused_part) for end in map(predict, itertools.permutations(EVENTS)))
    assert sum(ends.values()) == 720
    assert len(ends) >= 6, ends
    assert not any(predict(events).blocked for events in itertools.permutations(EVENTS))


@pytest.mark.stack
async def test_a_sample_of_the_orders_of_six_events_agrees_with_the_model() -> None:
    proof = await permutations.prove(sample=12)
    assert proof.ok, proof.line()


@pytest.mark.stack
async def test_webhooks_dropped_or_tripled_change_nothing() -> None:
    proof = await webhooks.prove(orders=8)
    assert proof.ok, proof.line()
