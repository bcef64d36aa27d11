"""The socket side: reads a request, lets a fault spoil it if one is due, and logs what came of it.

uvicorn speaks HTTP; its protocol is extended by one line that lets a fault close the connection without an answer, which
no ASGI message can do.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from simulators.fortnox import control
from simulators.fortnox.clock import real_seconds
from simulators.fortnox.faults import BEFORE, Fault
from simulators.fortnox.journal import Entry
from simulators.fortnox.refusals import Refusal
from simulators.fortnox.wire import Answer, write_json
from simulators.fortnox.world import Outcome, Request, World, too_many

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LARGEST_BODY = 20 * 1024 * 1024
_HTML = b"<!DOCTYPE html><html><head><title>Fortnox</title></head><body><h1>Service temporarily unavailable</h1></body></html>"
log = logging.getLogger("simulators.fortnox")


class OpenConnection(H11Protocol):
    """uvicorn's HTTP protocol, which hands its transport to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Server:
    """The ASGI application."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def dated(message: MutableMapping[str, Any]) -> None:
            """The `Date` of an answer follows the simulated clock, as everything else does."""
            if message["type"] == "http.response.start":
                now = format_datetime(self._world.clock.now().astimezone(UTC), usegmt=True)
                message = {**message, "headers": [*message["headers"], (b"date", now.encode())]}
            await send(message)

        connection = Connection(scope, receive, dated)
        request = await _read(scope, receive)
        if request is None:
            await connection.answer(Answer(413, b'{"message":"request entity too large"}'))
        elif request.segments[:1] == ["_control"]:
            await connection.answer(control.answer(self._world, request))
        else:
            await self._serve(request, connection)

    async def _serve(self, request: Request, connection: "Connection") -> None:
        with self._world.store.transaction():
            fault = self._world.faults.pick(request.method, request.path, lambda: self._whose(request))
        if fault is None:
            outcome = self._done(request)
            await self._latency(outcome)
            await connection.answer(outcome.answer)
        else:
            await self._spoil(request, connection, fault)

    def _whose(self, request: Request) -> int | None:
        identity = self._world.tokens.check(request.headers.get("authorization", ""))
        return identity.tenant if identity else None

    async def _spoil(self, request: Request, connection: "Connection", fault: Fault) -> None:
        match fault.kind:
            case "refuse-connection":
                self._note(request, fault)
                await connection.drop()
            case "late":
                number = self._note(request, fault)
                await connection.drop()
                self._later(request, fault, number)
            case "rate-limited":
                answer = too_many(str(fault.params.get("body", "")), fault.params.get("retryAfter"))
                self._note(request, fault, answer.status, refused=True)
                await connection.answer(answer)
            case "lost-answer" | "token-loss":
                self._done(request, fault, answered=False)
                await connection.drop()
            case "lost-answer-500":
                status = int(fault.number("status", 500))
                self._done(request, fault, status=status)
                await connection.answer(Answer(status, b"", "text/html"))
            case "delay":
                await self._delay(request, connection, fault)
            case "stale-read":
                await connection.answer(self._done(request, fault, stale=fault.number("seconds", 3600)).answer)
            case "truncated":
                await connection.truncate(self._done(request, fault).answer)
            case "drip":
                await connection.drip(self._done(request, fault).answer, fault.number("seconds", 10))
            case _:
                await self._instead(request, connection, fault)

    async def _instead(self, request: Request, connection: "Connection", fault: Fault) -> None:
        """Answer something else than Fortnox would."""
        answer = _other_answer(fault)
        if fault.kind in BEFORE and not fault.params.get("applied", False):
            self._note(request, fault, answer.status)
        else:
            self._done(request, fault, status=answer.status)
        await connection.answer(answer)

    async def _delay(self, request: Request, connection: "Connection", fault: Fault) -> None:
        seconds = fault.number("seconds", 5)
        if fault.params.get("when", "before") == "before":
            await asyncio.sleep(seconds)
            outcome = self._done(request, fault)
        else:
            outcome = self._done(request, fault)
            await asyncio.sleep(seconds)
        await connection.answer(outcome.answer)

    def _later(self, request: Request, fault: Fault, number: int) -> None:
        """Carry the request out after the client has long given up."""

        async def arrive() -> None:
            await asyncio.sleep(fault.number("seconds", 5))
            self._done(request, fault, answered=False, late=True, arrived_as=number)

        task = asyncio.create_task(arrive())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _done(
        self,
        request: Request,
        fault: Fault | None = None,
        *,
        answered: bool = True,
        status: int | None = None,
        late: bool = False,
        stale: float | None = None,
        arrived_as: int | None = None,
    ) -> Outcome:
        """Carry out and log in one transaction, committed before anything is sent."""
        with self._world.store.transaction():
            outcome = self._world.carry_out(request, stale=stale, late=late)
            self._world.journal.add(
                Entry(
                    method=request.method,
                    path=request.path,
                    route=outcome.route,
                    real=request.arrived,
                    tenant=outcome.tenant,
                    client=outcome.client,
                    status=(status or outcome.answer.status) if answered else None,
                    fault=fault.id if fault else None,
                    kind=fault.kind if fault else None,
                    wrote=outcome.wrote,
                    applied=bool(outcome.wrote),
                    late=late,
                    refused=outcome.refused,
                    arrived_as=arrived_as,
                )
            )
        return outcome

    def _note(self, request: Request, fault: Fault, status: int | None = None, *, refused: bool = False) -> int:
        """Log a request that was not carried out (yet)."""
        route = fault.route.partition(" ")[2]
        with self._world.store.transaction():
            return self._world.journal.add(
                Entry(
                    request.method,
                    request.path,
                    route,
                    request.arrived,
                    status=status,
                    fault=fault.id,
                    kind=fault.kind,
                    refused=refused,
                )
            )

    async def _latency(self, outcome: Outcome) -> None:
        wait = float(self._world.knobs.of(outcome.tenant or 0)["latencyMilliseconds"])
        if wait > 0:
            await asyncio.sleep(wait / 1000)


class Connection:
    """One request's way back to the client, and the ways it can go wrong."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self._transport: asyncio.Transport = scope["state"]["transport"]
        self._receive = receive
        self._send = send
        host = next((value for name, value in scope["headers"] if name == b"host"), b"127.0.0.1")
        self._here = b"http:\\/\\/" + host

    async def answer(self, answer: Answer) -> None:
        body = self._addressed(answer)
        await self._start(answer, len(body))
        await self._send({"type": "http.response.body", "body": body})

    async def drop(self) -> None:
        """Close the connection without a word."""
        self._transport.abort()
        # uvicorn must have seen the loss before the application returns, else it would answer 500 by itself.
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def truncate(self, answer: Answer) -> None:
        """Promise the whole answer, send half, close."""
        body = self._addressed(answer)
        await self._start(answer, max(len(body), 2))
        await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        self._transport.close()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def drip(self, answer: Answer, seconds: float) -> None:
        """Send the answer byte by byte, spread over so many seconds."""
        body = self._addressed(answer)
        await self._start(answer, len(body))
        steps = max(1, min(len(body), int(seconds * 20)))
        size = -(-len(body) // steps) if body else 1
        for start in range(0, len(body), size):
            await asyncio.sleep(seconds / steps)
            if self._transport.is_closing():
                return
            await self._send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    def _addressed(self, answer: Answer) -> bytes:
        """Put this server's own address into every @url."""
        return answer.body.replace(b"\\u0001", self._here) if answer.content_type == "application/json" else answer.body

    async def _start(self, answer: Answer, length: int) -> None:
        headers = list(answer.headers)
        if answer.status != 204:
            headers += [(b"content-type", answer.content_type.encode()), (b"content-length", str(length).encode())]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})


def run(world: World, host: str, port: int) -> None:
    """Serve until stopped."""
    uvicorn.run(
        Server(world), host=host, port=port, http=OpenConnection, ws="none", lifespan="off", loop="uvloop", log_level="warning",
        access_log=False, timeout_keep_alive=60, server_header=False, date_header=False, timeout_graceful_shutdown=2,
    )  # fmt: skip


async def _read(scope: MutableMapping[str, Any], receive: Receive) -> Request | None:
    """Read the whole request; None when its body is too large."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            break
    raw_path: str = scope["raw_path"].decode("ascii", "replace")
    query = parse_qsl(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)
    headers: Mapping[str, str] = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(
        method=scope["method"],
        path=raw_path.rstrip("/") or "/",
        segments=[unquote(part) for part in raw_path.strip("/").split("/")],
        query={name if raw_path.startswith("/_control") else name.lower(): value for name, value in query},
        headers=headers,
        raw=bytes(body),
        arrived=real_seconds(),
    )


def _other_answer(fault: Fault) -> Answer:
    match fault.kind:
        case "html-200":
            return Answer(200, _HTML, "text/html; charset=utf-8")
        case "empty-200":
            return Answer(200)
        case "error-in-200":
            code, message = int(fault.number("code", 1000003)), str(fault.params.get("message", "System exception"))
            return Answer(200, Refusal(500, code, message).answer().body)
    headers = [(str(name).lower().encode(), str(value).encode()) for name, value in (fault.params.get("headers") or {}).items()]
    kind = next((value.decode() for name, value in headers if name == b"content-type"), "application/json")
    headers = [(name, value) for name, value in headers if name not in (b"content-type", b"content-length")]
    return Answer(int(fault.number("status", 500)), _as_bytes(fault.params.get("body", "")), kind, headers)


def _as_bytes(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    return write_json(body).encode()
