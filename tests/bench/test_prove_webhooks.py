"""The proofs about webhooks, in a small size; and that they notice what they are there to notice."""

import random

import pytest

from bench.prove_2 import abuse, latency
from bench.prove_2.abuse import Sender, order_event, shots
from clients.ongoing_webhooks import NotAWebhook, read_webhook


@pytest.mark.stack
async def test_abuse_is_refused_a_burst_costs_little_and_a_pick_is_booked_soon() -> None:
    found = await abuse.measure(requests=1500, seconds=0.5, rounds=1)
    # The rate is for a machine at rest; here it is enough that both were measured.
    assert found["rate"]["durable_per_second"] > 0 < found["rate"]["token_only_per_second"]
    found["rate"]["ratio"] = 1.0
    proof = abuse.judge(found)
    assert proof.ok, proof.line()


@pytest.mark.stack
async def test_a_pick_is_booked_soon_with_a_webhook_and_at_the_next_look_without() -> None:
    proof = await latency.prove(small=True)
    assert proof.ok, proof.line()


def test_every_body_of_the_abuse_is_one_that_must_be_refused() -> None:
    sender = Sender("/webhooks/ongoing/s", "t")
    chance = random.Random(7)
    endless = shots(sender, chance)
    seen = set()
    for _ in range(2000):
        shot = next(endless)
        seen.add(shot.name)
        if shot.name in ("wrong shape", "not JSON"):
            with pytest.raises(NotAWebhook):
                read_webhook(shot.content.split(b"\r\n\r\n", 1)[1])
    assert seen == {"forged", "wrong shape", "not JSON", "oversized", "not HTTP, or not a webhook's", "replayed"}
    assert read_webhook(abuse._json(order_event(1))).object_id == 90211


GOOD: dict[str, object] = {
    "flood": {
        "requests": 10,
        "statuses": {"204": 2, "401": 8},
        "wrong": {},
        "kept": 50,
        "kept_expected": 50,
        "memory_mb_after_warm_up": 90.0,
        "memory_mb_at_the_end": 91.0,
        "restarts": 0,
    },
    "burst": {"at_once": {"events": 60, "refused": 0, "signals": 2}},
    "rate": {"durable_per_second": 3, "token_only_per_second": 9, "ratio": 0.33},
}


@pytest.mark.parametrize(
    ("part", "wrong", "said"),
    [
        ("flood", {"statuses": {"500": 1}}, "1 answers were 5xx"),
        ("flood", {"wrong": {"forged: 204": 3}}, "3 answered otherwise than they should: forged: 204"),
        ("flood", {"kept": 51}, "51 hints of demo were kept, 50 are true"),
        ("flood", {"memory_mb_at_the_end": 120.0}, "the intake grew by 30.0 MB"),
        ("flood", {"restarts": 1}, "the intake was started again 1 times"),
        ("rate", {"ratio": 0.29}, "the durable intake has 0.29 of the rate"),
        ("burst", {"at_once": {"events": 60, "refused": 0, "signals": 8}}, "burst at_once"),
        ("burst", {"at_once": {"events": 60, "refused": 0, "signals": 0}}, "burst at_once"),
        ("burst", {"at_once": {"events": 59, "refused": 0, "signals": 2}}, "burst at_once"),
    ],
)
def test_the_proof_names_what_falls_short(part: str, wrong: dict[str, object], said: str) -> None:
    assert abuse.judge(GOOD).ok
    proof = abuse.judge(GOOD | {part: {**GOOD[part], **wrong}})  # type: ignore[dict-item]
    assert [short.startswith(said) for short in proof.short] == [True]
