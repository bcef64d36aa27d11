"""Payloads: sealed for one namespace, refused by a mark, and no bad message ever wedges a process."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio import workflow
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from tests.conftest import TemporalServer
from worker.codec import REFUSED, SEALED, SealedCodec, data_converter
from worker.keyring import KeyRing
from worker.settings import Settings

RING = KeyRing.new()
CODEC = SealedCodec(RING, "default")
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"canary"')


def settings_with(ring: KeyRing, **more: str) -> Settings:
    return Settings.from_environment({"LAGERBRO_KEYS": ring.dump()} | more)


@given(st.binary(), st.dictionaries(st.text(max_size=10), st.binary(max_size=10), max_size=3))
def test_what_is_sealed_opens_unchanged(data: bytes, metadata: dict[str, bytes]) -> None:
    payload = Payload(metadata=metadata, data=data)
    sealed = CODEC.seal(payload)
    assert sorted(sealed.metadata) == ["encoding", "kid"]
    assert CODEC.open(sealed) == payload


@given(st.data())
def test_no_bit_of_a_sealed_payload_can_be_changed(data: st.DataObject) -> None:
    sealed = CODEC.seal(PLAIN)
    changed = bytearray(sealed.data)
    position = data.draw(st.integers(0, len(changed) * 8 - 1))
    changed[position // 8] ^= 1 << position % 8
    assert CODEC.open(Payload(metadata=sealed.metadata, data=bytes(changed))).metadata["encoding"] == REFUSED


@given(st.dictionaries(st.sampled_from(["encoding", "kid", "other"]), st.binary(max_size=20)), st.binary(max_size=60))
def test_whatever_arrives_is_marked_and_never_raises(metadata: dict[str, bytes], data: bytes) -> None:
    for encoding in ({}, {"encoding": SEALED}):
        opened = CODEC.open(Payload(metadata=metadata | encoding, data=data))
        assert opened.metadata["encoding"] == REFUSED
        assert opened.data == b""


def test_a_payload_that_was_never_sealed_is_refused() -> None:
    opened = CODEC.open(PLAIN)
    assert (opened.metadata["encoding"], opened.metadata["why"]) == (REFUSED, b"not sealed")


def test_a_payload_of_another_namespace_is_refused() -> None:
    assert SealedCodec(RING, "other").open(CODEC.seal(PLAIN)).metadata["encoding"] == REFUSED


def test_a_credential_cannot_pass_for_a_payload() -> None:
    key_id, sealed = RING.encrypt(PLAIN.SerializeToString(), "credential", "default")
    assert CODEC.open(Payload(metadata={"encoding": SEALED, "kid": key_id.encode()}, data=sealed)).metadata["encoding"] == REFUSED


def test_after_a_rotation_old_payloads_open_and_new_ones_use_the_new_key() -> None:
    rotated = SealedCodec(RING.rotate(), "default")
    assert rotated.open(CODEC.seal(PLAIN)) == PLAIN
    assert rotated.seal(PLAIN).metadata["kid"] == b"k2"
    assert CODEC.open(rotated.seal(PLAIN)).metadata["encoding"] == REFUSED


def test_sealing_can_be_turned_off_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert data_converter(Settings.from_environment({"LAGERBRO_SEALING": "off"})).payload_codec is None
    assert "sealing is off" in capsys.readouterr().out


@workflow.defn(name="Patience", sandboxed=False)
class Patience:
    """Waits for words, says the last one back."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.done = False

    @workflow.run
    async def run(self, greeting: str) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if greeting == "fail":
            raise ApplicationError("canary in a failure", "canary in its details", non_retryable=True)
        return [greeting, *self.heard]

    @workflow.signal
    def hear(self, word: str) -> None:
        self.heard.append(word)

    @workflow.update
    def finish(self, word: str) -> str:
        self.heard.append(word)
        self.done = True
        return word


async def client_for(server: TemporalServer, ring: KeyRing) -> Client:
    return await Client.connect(server.address, data_converter=data_converter(settings_with(ring)))


async def becomes(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def send_raw(client: Client, workflow_id: str, payload: Payload) -> None:
    """A signal as somebody sends it who does not go through our converter."""
    await client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name="hear",
            input=Payloads(payloads=[payload]),
        )
    )


async def raw_history(order: WorkflowHandle[Any, Any]) -> bytes:
    """What the server keeps, byte for byte."""
    return b"".join(event.SerializeToString() for event in (await order.fetch_history()).events)


async def test_one_bad_signal_never_wedges_a_process(temporal_server: TemporalServer) -> None:
    client = await client_for(temporal_server, RING)
    async with Worker(client, task_queue="codec", workflows=[Patience]):
        order = await client.start_workflow(Patience.run, "hello", id=f"codec/{uuid.uuid4()}", task_queue="codec")
        flipped = CODEC.seal(PLAIN)
        flipped.data = flipped.data[:-1] + bytes([flipped.data[-1] ^ 1])
        for bad in (PLAIN, flipped, SealedCodec(KeyRing.new().rotate(), "default").seal(PLAIN), Payload(), CODEC.seal(Payload())):
            await send_raw(client, order.id, bad)
        await order.signal(Patience.hear, "good")
        assert await order.execute_update(Patience.finish, "bye") == "bye"
        assert await asyncio.wait_for(order.result(), 15) == ["hello", "good", "bye"]


async def test_an_unsealed_update_is_refused_and_the_process_goes_on(temporal_server: TemporalServer) -> None:
    client = await client_for(temporal_server, RING)
    stranger = await Client.connect(temporal_server.address, data_converter=DataConverter.default)
    async with Worker(client, task_queue="codec", workflows=[Patience]):
        order = await client.start_workflow(Patience.run, "hello", id=f"codec/{uuid.uuid4()}", task_queue="codec")
        with pytest.raises(WorkflowUpdateFailedError):
            await stranger.get_workflow_handle(order.id).execute_update("finish", "canary")
        await order.execute_update(Patience.finish, "bye")
        assert await asyncio.wait_for(order.result(), 15) == ["hello", "bye"]


async def test_keys_are_rotated_under_an_open_process(temporal_server: TemporalServer) -> None:
    before = await client_for(temporal_server, RING)
    order = await before.start_workflow(Patience.run, "old key", id=f"codec/{uuid.uuid4()}", task_queue="codec-rotated")
    await order.signal(Patience.hear, "old too")
    after = await client_for(temporal_server, RING.rotate())
    async with Worker(after, task_queue="codec-rotated", workflows=[Patience], max_cached_workflows=0):
        handle: WorkflowHandle[Any, Any] = after.get_workflow_handle(order.id)
        await handle.signal(Patience.hear, "new key")
        await handle.execute_update(Patience.finish, "bye")
        assert await asyncio.wait_for(handle.result(), 15) == ["old key", "old too", "new key", "bye"]


async def test_raw_histories_hold_nothing_in_the_clear_failures_included(temporal_server: TemporalServer) -> None:
    client = await client_for(temporal_server, RING)
    async with Worker(client, task_queue="codec", workflows=[Patience]):
        order = await client.start_workflow(
            Patience.run, "fail", id=f"codec/{uuid.uuid4()}", task_queue="codec", static_summary="canary summary"
        )
        await order.signal(Patience.hear, "canary signal")
        await order.execute_update(Patience.finish, "canary update")
        with pytest.raises(WorkflowFailureError) as failure:
            await asyncio.wait_for(order.result(), 15)
    raw = await raw_history(order)
    assert b"canary" not in raw
    assert raw.count(SEALED) >= 6
    assert "canary in a failure" in str(failure.value.cause)


async def test_with_sealing_off_the_same_search_finds_the_canary(temporal_server: TemporalServer) -> None:
    client = await Client.connect(
        temporal_server.address, data_converter=data_converter(Settings.from_environment({"LAGERBRO_SEALING": "off"}))
    )
    order = await client.start_workflow(
        Patience.run, "canary", id=f"codec/{uuid.uuid4()}", task_queue="nobody", execution_timeout=timedelta(minutes=1)
    )
    raw = await raw_history(order)
    await order.terminate()
    assert b"canary" in raw
