"""Whoever opens a connection and says nothing, or half of something, loses it; whoever works keeps it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from starters.impatience import Impatient
from starters.stack.ports import free_ports
from tests.workflows.process import becomes

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Hasty(Impatient):
    seconds = 0.2


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that answers when it has waited a little longer than it has patience with those who say nothing."""

    async def slow(_request: Request) -> Response:
        await asyncio.sleep(0.5)
        return Response("here")

    (chosen,) = free_ports(1)
    app = Starlette(routes=[Route("/", slow)])
    config = uvicorn.Config(app, port=chosen, http=Hasty, log_config=None, lifespan="off", timeout_keep_alive=30)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await becomes(started, True)
    yield chosen
    server.should_exit = True
    await serving


@pytest.mark.parametrize("said", [b"", b"GET", b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_silence_and_half_a_head_are_hung_up_on(port: int, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_head_that_drips_after_a_good_request_is_hung_up_on_too(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    async with asyncio.timeout(5):
        while not reader.at_eof():  # at its end when the server has hung up
            with suppress(ConnectionError):
                writer.write(b"G")
                await writer.drain()
            with suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(reader.read(1), 0.05)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_whoever_is_waiting_for_an_answer_keeps_the_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(GET)
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
