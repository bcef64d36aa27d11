"""One request over a real socket, against servers that misbehave: what is raised, and whether it may have been executed."""

import asyncio
import gzip
import logging
import traceback
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from clients.errors import NotFound, RateLimited, Rejected, Unauthorised, Unavailable, Unreadable
from clients.transport import Answer, clean, failure_of, json_of, new_http, query, retry_after, segment, send
from clients.wire import write_json
from tests.clients.rude_server import body, drip, endless, free_address, head, reset, rude_server, says

CANARY = "tweety"
MEBIBYTE = 1024 * 1024


async def ask(address: str, **options: object) -> Answer:
    http = new_http(address, auth=("WSIuser", f"{CANARY}-password"))
    try:
        return await send(http, "PUT", "orders", parameters=f"name={CANARY}", body=write_json({"name": CANARY}), **options)  # type: ignore[arg-type]
    finally:
        await http.aclose()


def everything_said(error: BaseException) -> str:
    chain: list[BaseException] = []
    while error and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return "".join(f"{link!r} {link.__dict__}" for link in chain) + "".join(traceback.format_exception(chain[0]))


async def refused(address: str, **options: object) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await ask(address, **options)
    assert CANARY not in everything_said(caught.value)
    assert caught.value.__context__ is None or isinstance(caught.value.__context__, asyncio.CancelledError)
    return caught.value


async def test_an_answer_is_read_whole() -> None:
    async with rude_server(says(body(b'{"orderId":1}', "201 Created"))) as server:
        answer = await ask(server.address)
    assert (answer.status, json_of(answer), answer.call) == (201, {"orderId": 1}, "PUT /orders")


async def test_a_request_is_plain_and_carries_nothing_that_it_need_not() -> None:
    async with rude_server(says(body(b"{}"))) as server:
        await ask(server.address)
    lines = {line.split(":")[0].lower() for line in server.requests[0].split("\r\n")[1:] if line}
    assert lines == {"host", "accept", "user-agent", "content-type", "content-length", "authorization"}
    assert server.requests[0].startswith("PUT /orders?name=tweety HTTP/1.1\r\n")


async def test_nobody_listening_means_that_nothing_was_executed() -> None:
    assert (await refused(free_address())).outcome_unknown is False


async def test_a_cut_answer_leaves_the_outcome_unknown() -> None:
    async with rude_server(says(head("200 OK", "Content-Length: 100") + b'{"orderId":1}')) as server:
        assert (await refused(server.address)).outcome_unknown is True


async def test_a_cut_chunk_leaves_the_outcome_unknown() -> None:
    async with rude_server(says(head("200 OK", "Transfer-Encoding: chunked") + b"ff\r\n{}")) as server:
        assert (await refused(server.address)).outcome_unknown is True


async def test_a_reset_after_the_request_leaves_the_outcome_unknown() -> None:
    async with rude_server(reset) as server:
        assert (await refused(server.address)).outcome_unknown is True


async def test_a_closed_connection_without_an_answer_leaves_the_outcome_unknown() -> None:
    async with rude_server(says(b"")) as server:
        assert (await refused(server.address)).outcome_unknown is True


async def test_garbage_instead_of_http_leaves_the_outcome_unknown() -> None:
    async with rude_server(says(b"SSH-2.0-OpenSSH\r\n\r\n")) as server:
        assert (await refused(server.address)).outcome_unknown is True


async def test_a_dripping_server_is_left_at_the_deadline() -> None:
    async with rude_server(drip) as server:
        began = asyncio.get_running_loop().time()
        error = await refused(server.address, deadline=0.2)
        assert asyncio.get_running_loop().time() - began < 2
    assert error.outcome_unknown is True


async def test_an_endless_answer_is_cut_off_at_the_cap() -> None:
    async with rude_server(endless) as server:
        assert "larger than 1048576 bytes" in str(await refused(server.address, cap=MEBIBYTE))


async def test_an_answer_that_declares_too_much_is_not_read() -> None:
    async with rude_server(says(head("200 OK", "Content-Length: 10000000000"))) as server:
        assert "larger than" in str(await refused(server.address))


async def test_a_gzip_bomb_is_inflated_no_further_than_the_cap() -> None:
    bomb = gzip.compress(b" " * (64 * MEBIBYTE))
    async with rude_server(says(body(bomb, "200 OK", "Content-Encoding: gzip"))) as server:
        tracemalloc.start()
        try:
            assert "larger than" in str(await refused(server.address, cap=MEBIBYTE))
            assert tracemalloc.get_traced_memory()[1] < 8 * MEBIBYTE
        finally:
            tracemalloc.stop()


async def test_an_answer_packed_without_being_asked_is_unpacked() -> None:
    async with rude_server(says(body(gzip.compress(b'{"a":1}'), "200 OK", "Content-Encoding: gzip"))) as server:
        assert json_of(await ask(server.address)) == {"a": 1}


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(gzip.compress(b'{"a":1}', mtime=0)[:-6], "gzip"), (b"not gzip", "gzip"), (b"{}", "br"), (b"{}", "gzip, gzip")],
)
async def test_a_packed_answer_that_cannot_be_unpacked_is_no_answer(content: bytes, encoding: str) -> None:
    async with rude_server(says(body(content, "200 OK", f"Content-Encoding: {encoding}"))) as server:
        assert (await refused(server.address)).outcome_unknown is True


async def test_a_redirect_is_not_followed_and_credentials_stay_here() -> None:
    async with rude_server(says(body(b"{}"))) as elsewhere:
        location = f"Location: {elsewhere.address}/login?token=tweety"
        for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
            async with rude_server(says(head(status, location, "Content-Length: 0"))) as server:
                error = failure_of(await ask(server.address), None, "")
            assert isinstance(error, Unreadable)
            assert str(error) == f"PUT /orders: {status[:3]}, redirected to 127.0.0.1, not followed"
        assert elsewhere.requests == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rude_server(says(body(b"{}"))) as proxy, rude_server(says(body(b'{"direct":true}'))) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        assert json_of(await ask(server.address)) == {"direct": True}
        assert proxy.requests == []


async def test_cookies_are_not_kept() -> None:
    async with rude_server(says(body(b"{}", "200 OK", "Set-Cookie: session=1", "Connection: close"))) as server:
        http = new_http(server.address)
        for _ in range(2):
            await send(http, "GET", "orders")
        await http.aclose()
    assert "cookie" not in server.requests[1].lower()


async def test_addresses_and_bodies_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with rude_server(says(body(b'{"name":"tweety-answer"}'))) as server:
        await ask(server.address)
    async with rude_server(reset) as server:
        await refused(server.address)
    assert CANARY not in caplog.text


async def test_a_request_that_does_not_get_its_turn_is_never_sent() -> None:
    released = asyncio.Event()

    @asynccontextmanager
    async def never() -> AsyncIterator[None]:
        await released.wait()
        yield

    async with rude_server(says(body(b"{}"))) as server:
        error = await refused(server.address, gate=never, deadline=0.05)
        assert error.outcome_unknown is False
        assert server.requests == []


async def test_the_gate_is_held_around_the_request_and_let_go_after_a_failure() -> None:
    held: list[str] = []

    @asynccontextmanager
    async def gate() -> AsyncIterator[None]:
        held.append("taken")
        try:
            yield
        finally:
            held.append("given back")

    async with rude_server(reset) as server:
        await refused(server.address, gate=gate)
    assert held == ["taken", "given back"]


async def test_a_connection_is_used_again() -> None:
    connections = 0

    async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(body(b"{}"))
        while (await reader.readuntil(b"\r\n\r\n")) != b"":
            writer.write(body(b"{}"))

    async with rude_server(polite) as server:
        http = new_http(server.address)
        for _ in range(5):
            await send(http, "GET", "orders")
        await http.aclose()
    assert connections == 1


def answer(status: int, content: bytes = b"", **headers: str) -> Answer:
    return Answer(
        "PUT /orders", status, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), content
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Unauthorised),
        (403, Unauthorised),
        (404, NotFound),
        (409, Rejected),
        (413, Rejected),
        (422, Rejected),
        (429, RateLimited),
        (408, Unavailable),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
    ],
)
def test_a_status_means_one_thing(status: int, kind: type[Exception]) -> None:
    error = failure_of(answer(status), "77", "why")
    assert type(error) is kind
    assert str(error) == f"PUT /orders: {status} 77 why"
    if isinstance(error, Unavailable):
        assert error.outcome_unknown is (status != 429)
    else:
        assert (error.status, error.code, error.text) == (status, "77", "why")  # type: ignore[attr-defined]


def test_retry_after_is_obeyed_within_reason() -> None:
    at = datetime.now(UTC) + timedelta(seconds=100)
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "0"}) == 0
    assert 95 < (retry_after({"retry-after": format_datetime(at, usegmt=True)}) or 0) <= 100
    assert retry_after({"retry-after": format_datetime(at - timedelta(days=1), usegmt=True)}) == 0
    assert retry_after({"retry-after": "99999999"}) == 3600
    assert retry_after({"retry-after": "9" * 400}) == 3600
    for garbage in ("", "soon", "-5", "1.5", "7 seconds", "٧", "Mon, 99 Foo 2026", "\x00"):
        assert retry_after({"retry-after": garbage}) is None
    assert retry_after({}) is None


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"", "application/json", "empty answer"),
        (b"  \r\n", "application/json", "empty answer"),
        (b"<!DOCTYPE html><p>tweety", "application/json", "a page of HTML"),
        (b"tweety", "text/html; charset=utf-8", "a page of HTML"),
        (b'{"orderId": 1, "name": "tweety', "application/json", "not JSON, or cut"),
        (b'{"n": NaN}', "application/json", "not JSON, or cut"),
    ],
)
def test_a_yes_that_is_not_theirs_is_no_yes(content: bytes, kind: str, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        json_of(answer(200, content, content_type=kind))
    assert str(caught.value) == f"PUT /orders: 200, {said}"
    assert caught.value.outcome_unknown is True
    assert CANARY not in everything_said(caught.value)


def test_the_words_of_others_are_cleaned_and_cut() -> None:
    assert clean("a\x1b[31m\r\nb\u2028c\x00  d") == "a [31m b c d"
    assert len(clean("x" * 1000)) == 300


def test_what_we_sent_in_confidence_is_struck_from_the_words_of_others() -> None:
    assert clean("Name 'Mia  Berg' of Mia is bad", ["Mia Berg", "Mia", "of"]) == "Name '***' of *** is bad"
    assert "Berg" not in clean("x" * 296 + " Mia Berg", ["Mia Berg"])


@pytest.mark.parametrize("hostile", ["../admin", "a/b", "a?b=c", "a#b", "å ä", "%2e%2e", "a\r\nb"])
def test_an_id_cannot_leave_its_place_in_a_path(hostile: str) -> None:
    assert not set(segment(hostile)) & set("/?# \r\n")
    assert httpx.URL(f"https://x/3/{segment(hostile)}/end").path == f"/3/{hostile}/end"


@pytest.mark.parametrize("empty", ["", ".", ".."])
def test_an_id_that_is_no_id_is_not_put_in_a_path(empty: str) -> None:
    with pytest.raises(ValueError, match="may not be empty"):
        segment(empty)


def test_a_query_repeats_keys_and_encodes_the_plus_sign() -> None:
    parameters = [("n", "A&B"), ("n", "å+1"), ("t", "08:00+00:00"), ("b", True), ("gone", None)]
    assert query(parameters) == "n=A%26B&n=%C3%A5%2B1&t=08%3A00%2B00%3A00&b=true"


@pytest.mark.parametrize("wrong", ["", "ftp://x", "x.se/api", "https://u:p@x", "https://x/?a=1", "https:///x", "file:///etc"])
def test_an_address_that_is_no_address_is_refused_at_once(wrong: str) -> None:
    with pytest.raises(ValueError, match="address must be"):
        new_http(wrong)
