"""The codec server: what the UI and CLI may have opened and sealed, and who may not."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict, Parse
from temporalio.api.common.v1 import Payload, Payloads

from starters.codec_server import LARGEST_BODY, application
from worker.codec import REFUSED, SEALED, SealedCodec
from worker.keyring import KeyRing
from worker.settings import Settings

UI = "http://127.0.0.1:8233"
RING = KeyRing.new()
CODEC = SealedCodec(RING, "default")
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"by": "anna"}')


def settings(**more: str) -> Settings:
    return Settings.from_environment({"LAGERBRO_KEYS": RING.dump(), "LAGERBRO_CODEC_ORIGIN": UI} | more)


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application(settings())), base_url="http://codec") as client:
        yield client


def as_json(*payloads: Payload) -> dict[str, Any]:
    return MessageToDict(Payloads(payloads=payloads))


def payloads(response: httpx.Response) -> list[Payload]:
    assert response.status_code == 200, response.text
    return list(Parse(response.content, Payloads()).payloads)


@pytest.mark.parametrize("query", ["", "?preserveStorageRefs=true"])
async def test_what_is_encoded_is_sealed_and_decodes_again(http: httpx.AsyncClient, query: str) -> None:
    sealed = payloads(await http.post(f"/encode{query}", json=as_json(PLAIN, PLAIN), headers={"x-namespace": "default"}))
    assert [payload.metadata["encoding"] for payload in sealed] == [SEALED, SEALED]
    assert [CODEC.open(payload) for payload in sealed] == [PLAIN, PLAIN]
    assert payloads(await http.post(f"/decode{query}", json=as_json(*sealed))) == [PLAIN, PLAIN]


async def test_what_cannot_be_opened_is_marked_beside_what_can(http: httpx.AsyncClient) -> None:
    opened = payloads(await http.post("/decode", json=as_json(CODEC.seal(PLAIN), PLAIN)))
    assert opened[0] == PLAIN
    assert opened[1].metadata["encoding"] == REFUSED


async def test_after_a_rotation_the_ui_still_reads_what_is_old(http: httpx.AsyncClient) -> None:
    app = application(settings(LAGERBRO_KEYS=RING.rotate().dump()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://codec") as rotated:
        assert payloads(await rotated.post("/decode", json=as_json(CODEC.seal(PLAIN)))) == [PLAIN]
        (sealed,) = payloads(await rotated.post("/encode", json=as_json(PLAIN)))
        assert sealed.metadata["kid"] == b"k2"


@pytest.mark.parametrize("path", ["/encode", "/decode", "/decode?preserveStorageRefs=true"])
async def test_the_uis_pages_may_ask_and_are_told_which_headers(http: httpx.AsyncClient, path: str) -> None:
    asked = {"origin": UI, "access-control-request-method": "POST", "access-control-request-headers": "content-type,x-namespace"}
    answer = await http.options(path, headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["access-control-allow-headers"] == "content-type, x-namespace, authorization"
    assert answer.headers["access-control-allow-methods"] == "POST"
    used = await http.post(path, json=as_json(CODEC.seal(PLAIN)), headers={"origin": UI})
    assert (used.status_code, used.headers["access-control-allow-origin"]) == (200, UI)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:82330", "https://127.0.0.1:8233"])
async def test_pages_from_anywhere_else_get_nothing(http: httpx.AsyncClient, origin: str) -> None:
    for answer in (
        await http.options("/decode", headers={"origin": origin, "access-control-request-method": "POST"}),
        await http.post("/decode", json=as_json(CODEC.seal(PLAIN)), headers={"origin": origin}),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert "anna" not in answer.text


async def test_another_namespace_is_not_served(http: httpx.AsyncClient) -> None:
    answer = await http.post("/decode", json=as_json(CODEC.seal(PLAIN)), headers={"x-namespace": "other"})
    assert answer.status_code == 403


@pytest.mark.parametrize("body", [b"", b"{", b"3", b'{"payloads": 3}', b"\xff\xfe", b'{"payloads": [{"date": "x"}]}'])
async def test_what_is_no_list_of_payloads_is_refused(http: httpx.AsyncClient, body: bytes) -> None:
    assert (await http.post("/decode", content=body)).status_code == 400


async def test_a_body_that_is_too_large_is_not_read_to_its_end(http: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 1024 * 1024

    answer = await http.post("/decode", content=endless())
    assert answer.status_code == 413
    assert sent * 1024 * 1024 <= LARGEST_BODY + 2 * 1024 * 1024


async def test_every_call_is_a_line_in_the_log_without_its_content(
    http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await http.post("/decode", json=as_json(CODEC.seal(PLAIN), PLAIN))
    line = capsys.readouterr().out
    assert "decoded" in line
    assert "count=2" in line.replace("\x1b[0m", "").replace("\x1b[36m", "").replace("\x1b[35m", "")
    assert "anna" not in line


async def test_only_the_documented_paths_and_methods_exist(http: httpx.AsyncClient) -> None:
    statuses: Mapping[tuple[str, str], int] = {
        ("GET", "/decode"): 405,
        ("PUT", "/encode"): 405,
        ("POST", "/decode/x"): 404,
        ("GET", "/"): 404,
        ("GET", "/health"): 200,
    }
    for (method, path), status in statuses.items():
        assert (await http.request(method, path)).status_code == status, (method, path)


async def test_with_sealing_off_payloads_pass_unchanged() -> None:
    app = application(Settings.from_environment({"LAGERBRO_SEALING": "off"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://codec") as plain:
        assert json.loads((await plain.post("/decode", json=as_json(PLAIN))).content) == as_json(PLAIN)
