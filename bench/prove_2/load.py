"""Requests as bytes over plain sockets: many at once, kept alive, so that the sender costs less than what it measures."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

CONNECTIONS = 32
ANSWER_SECONDS = 20.0
NO_ANSWER = -1


@dataclass(frozen=True, slots=True)
class Shot:
    """One request and what it may be answered; 0 stands for a connection that is closed without an answer."""

    name: str
    content: bytes
    allowed: frozenset[int]


@dataclass
class Hits:
    """What was answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def shots(self) -> int:
        return self.statuses.total()


async def fire(host: str, port: int, shots: Iterable[Shot], connections: int = CONNECTIONS) -> Hits:
    """Send all of them, as fast as they are answered."""
    hits, waiting = Hits(), iter(shots)
    began = time.perf_counter()
    await asyncio.gather(*(_one_connection(host, port, waiting, hits) for _ in range(connections)))
    hits.seconds = time.perf_counter() - began
    return hits


async def _one_connection(host: str, port: int, shots: Iterator[Shot], hits: Hits) -> None:
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    for shot in shots:
        if reader is None or writer is None:
            reader, writer = await asyncio.open_connection(host, port)
        status, stays = await _answered(reader, writer, shot.content)
        hits.statuses[status] += 1
        if status not in shot.allowed:
            hits.wrong[f"{shot.name}: {status or 'closed'}"] += 1
        if not stays:
            await _close(writer)
            reader = writer = None
    if writer is not None:
        await _close(writer)


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> tuple[int, bool]:
    """The status, and whether the connection may be used again."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            writer.write(content)
            with suppress(ConnectionError):  # refused before all of it was sent: the answer may be there all the same
                await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
            if length:
                await reader.readexactly(int(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0, False
    except TimeoutError:
        return NO_ANSWER, False
    return int(head.split(b" ", 2)[1]), b"connection: close" not in head


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
