"""A server of raw sockets for what no well-behaved server does: cut answers, drips, resets, answers without end."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RudeServer:
    """`requests` holds the head of each request that came."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.requests: list[str] = []
        self.address = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head.decode())
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await reader.readexactly(int(line.split(b":")[1]))
            await self._behaviour(reader, writer)
        writer.close()


@asynccontextmanager
async def rude_server(behaviour: Behaviour) -> AsyncIterator[RudeServer]:
    rude = RudeServer(behaviour)
    server = await asyncio.start_server(rude.handle, "127.0.0.1", 0)
    rude.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield rude
    finally:
        server.close()


def says(raw: bytes) -> Behaviour:
    """Writes these bytes and closes."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return behave


def head(status: str, *lines: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode()


def body(content: bytes, status: str = "200 OK", *lines: str) -> bytes:
    return head(status, "Content-Type: application/json", f"Content-Length: {len(content)}", *lines) + content


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for ever: no read ever times out."""
    writer.write(head("200 OK", "Content-Type: application/json", "Content-Length: 100000"))
    while not reader.at_eof() and not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.02)


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The connection is reset after the request has been read."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Chunks without end."""
    writer.write(head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked"))
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


def free_address() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
