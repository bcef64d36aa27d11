"""A connection on which nothing begins is closed: silence and half a request line must not use up the places at the door.

The server by itself waits for ever for the first request, and for the rest of a head that has begun. Once a request has begun
it is the application that decides how long to wait for its body.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 10.0


class Impatient(H11Protocol):
    """Uvicorn's HTTP/1.1, which closes a connection where no request has begun for `seconds`."""

    seconds = SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._former: Any = None
        self._watch()

    def _watch(self) -> None:
        self._watching = self.loop.call_later(self.seconds, self._look)

    def _look(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        if not busy and self.cycle is self._former:
            self.transport.close()
            return
        self._former = self.cycle
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._watching.cancel()
        super().connection_lost(exc)
