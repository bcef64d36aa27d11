"""A write to Fortnox is claimed before its bytes leave: of two at once one wins, and what is done stays done."""

import asyncio

from erp import calls
from erp.calls import Call, CallKey
from erp.database import Database
from tests.erp.data import add_merchant, read

PAYLOAD = {"CustomerNumber": "K-1", "Rows": [{"Price": "10.00"}]}


def call(merchant: str, reference: str = "lb-1") -> CallKey:
    return CallKey(merchant, "fortnox", "create-invoice", reference)


async def intend(app: Database, key: CallKey) -> Call:
    async with app.merchant(key.merchant) as session:
        return await calls.intend(session, key, PAYLOAD)


async def send(app: Database, key: CallKey, attempt: int, settle: float = 60) -> int | None:
    async with app.merchant(key.merchant) as session:
        return await calls.send(session, key, attempt, PAYLOAD, 30, settle)


async def end(app: Database, key: CallKey, attempt: int, state: str, their_id: str | None = None) -> None:
    async with app.merchant(key.merchant) as session:
        await calls.end(session, key, attempt, state, their_id)


async def test_the_intent_is_written_once_however_many_write_it(app: Database, erp: Database, verify: Database) -> None:
    key = call(await add_merchant(erp))
    found = await asyncio.gather(*(intend(app, key) for _ in range(8)))
    assert found == [Call("intended", 0, None, None)] * 8
    assert await read(verify, "select count(*) from bridge.foreign_call where merchant_id = :m", m=key.merchant) == [(1,)]


async def test_of_eight_that_claim_the_same_attempt_one_wins(app: Database, erp: Database, verify: Database) -> None:
    key = call(await add_merchant(erp))
    await intend(app, key)
    for attempt in range(3):
        won = await asyncio.gather(*(send(app, key, attempt) for _ in range(8)))
        assert sorted(won, key=str) == [attempt + 1] + [None] * 7
    assert await read(verify, "select attempt, state from bridge.foreign_call where merchant_id = :m", m=key.merchant) == [
        (3, "sent")
    ]


async def test_an_attempt_that_was_sent_says_how_long_it_may_still_arrive(app: Database, erp: Database) -> None:
    key = call(await add_merchant(erp))
    await intend(app, key)
    await send(app, key, 0, settle=60)
    unclear = await intend(app, key)
    assert (unclear.state, unclear.attempt) == ("sent", 1)
    assert unclear.settles_in is not None and 50 < unclear.settles_in <= 60


async def test_only_the_latest_attempt_may_say_how_it_ended(app: Database, erp: Database) -> None:
    key = call(await add_merchant(erp))
    await intend(app, key)
    await send(app, key, 0)
    await send(app, key, 1)
    await end(app, key, 1, "refused")
    assert (await intend(app, key)).state == "sent"
    await end(app, key, 2, "done", "101")
    found = await intend(app, key)
    assert (found.state, found.their_id) == ("done", "101")


async def test_what_is_done_is_neither_sent_again_nor_undone(app: Database, erp: Database) -> None:
    key = call(await add_merchant(erp))
    await intend(app, key)
    await send(app, key, 0)
    await end(app, key, 1, "done", "101")
    assert await send(app, key, 1) is None
    await end(app, key, 1, "refused")
    await end(app, key, 1, "intended")
    found = await intend(app, key)
    assert (found.state, found.their_id, found.attempt) == ("done", "101", 1)


async def test_a_refused_call_may_be_sent_again_after_it_was_mended(app: Database, erp: Database) -> None:
    key = call(await add_merchant(erp))
    await intend(app, key)
    await send(app, key, 0)
    await end(app, key, 1, "refused")
    assert await send(app, key, 1) == 2


async def test_only_calls_of_more_than_one_attempt_are_searched_again_at_night(app: Database, erp: Database) -> None:
    merchant = await add_merchant(erp)
    for reference, attempts in (("once", 1), ("twice", 2)):
        key = call(merchant, reference)
        await intend(app, key)
        for attempt in range(attempts):
            await send(app, key, attempt)
        await end(app, key, attempts, "done", reference)
    async with app.merchant(merchant) as session:
        repeated = await calls.repeated_calls(session, merchant, "fortnox", "create-invoice", 21)
    assert [reference for reference, _ in repeated] == ["twice"]


def test_a_payloads_hash_does_not_depend_on_the_order_of_its_keys() -> None:
    assert calls.payload_hash({"a": 1, "b": {"c": 2, "d": 3}}) == calls.payload_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert calls.payload_hash({"a": 1}) != calls.payload_hash({"a": 2})
