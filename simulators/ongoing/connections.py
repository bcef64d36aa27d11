"""The sockets under the server, for the faults that a response cannot express: a connection that just ends."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_Peer = tuple[str, int]


class Connections:
    """The open connections by the address of the client."""

    def __init__(self) -> None:
        self._open: dict[_Peer, tuple[asyncio.Transport, asyncio.Event]] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """Return the HTTP protocol of the server, which enters its connections here."""
        opened = self._open

        class Noted(H11Protocol):
            _peer: _Peer

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                self._peer = transport.get_extra_info("peername")[:2]
                opened[self._peer] = (transport, asyncio.Event())
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                _, ended = opened.pop(self._peer)
                ended.set()

        return Noted

    async def end(self, client: Any, *, after_flush: bool = False) -> None:
        """Close the client's connection: at once, or after what was written has gone out. Return when it is closed."""
        connection = self._open.get(tuple(client))
        if connection is None:
            return
        transport, ended = connection
        if after_flush:
            transport.close()
        else:
            transport.abort()
        await ended.wait()
