"""The socket side: reads a request, lets a fault spoil it if one is due, answers, and logs what came of it."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from uvicorn.protocols.http.h11_impl import H11Protocol

from simulators.riksbank.banks import Answer, Banks, settings
from simulators.riksbank.control import Control
from simulators.riksbank.faults import Faults, Rule
from simulators.riksbank.store import Store

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_HTML = b"<!DOCTYPE html><html><head><title>Service</title></head><body><h1>Temporarily unavailable</h1></body></html>"


class OpenConnection(H11Protocol):
    """uvicorn's HTTP protocol, which hands its transport to the application: a fault may end the connection without a word."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Server:
    """The ASGI application."""

    def __init__(self, store: Store, banks: Banks, faults: Faults, control: Control) -> None:
        self._store, self._banks, self._faults, self._control = store, banks, faults, control
        self._served: deque[float] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method, path = scope["method"], unquote(scope["raw_path"].decode("ascii", "replace"))
        if path.startswith("/_control/"):
            query = dict(parse_qsl(scope["query_string"].decode("ascii", "replace")))
            await _send(send, self._control.answer(method, path.removeprefix("/_control/"), query, await _body(receive)))
            return
        rule = self._faults.pick(method, path)
        if rule is not None:
            await self._spoil(rule, method, path, scope, receive, send)
            return
        answer = self._limited() or self._refused(scope) or self._banks.answer(method, path)
        self._log(method, path, answer.status, None)
        await _send(send, answer)

    def _limited(self) -> Answer | None:
        limit = settings(self._store)["limit"]
        if limit is None:
            return None
        now = time.monotonic()
        while self._served and self._served[0] <= now - limit["seconds"]:
            self._served.popleft()
        if len(self._served) < limit["requests"]:
            self._served.append(now)
            return None
        wait = max(1, round(self._served[0] + limit["seconds"] - now))
        return _too_many(wait)

    def _refused(self, scope: Scope) -> Answer | None:
        """A wrong key is refused; no key is fine."""
        key = settings(self._store)["key"]
        given = next((value.decode() for name, value in scope["headers"] if name == b"ocp-apim-subscription-key"), None)
        if key is None or given in (None, key):
            return None
        body = {"statusCode": 401, "message": "Access denied due to invalid subscription key."}
        return Answer(401, json.dumps(body).encode())

    async def _spoil(self, rule: Rule, method: str, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        given = rule.get("params") or {}
        answer = self._banks.answer(method, path)
        match rule["kind"]:
            case "http":
                answer = Answer(int(given.get("status", 500)), str(given.get("body", "")).encode(), "text/plain")
            case "rate-limited":
                answer = _too_many(given.get("retryAfter"))
            case "html-200":
                answer = Answer(200, _HTML, "text/html")
            case "empty-200":
                answer = Answer(200)
            case "delay":
                await asyncio.sleep(float(given.get("seconds", 5)))
        self._log(method, path, None if rule["kind"] in ("lost-answer", "refuse-connection") else answer.status, rule["id"])
        match rule["kind"]:
            case "lost-answer" | "refuse-connection":
                await _drop(scope, receive, gently=False)
            case "truncated":
                await _start(send, answer)
                await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
                await _drop(scope, receive, gently=True)
            case "drip":
                await _drip(send, answer, scope, float(given.get("seconds", 10)))
            case _:
                await _send(send, answer)

    def _log(self, method: str, path: str, status: int | None, fault: str | None) -> None:
        self._store.run(
            "insert into log (at, method, path, status, fault) values (datetime('now'), ?, ?, ?, ?)", method, path, status, fault
        )


def _too_many(retry_after: Any) -> Answer:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    body = {"statusCode": 429, "message": "Rate limit is exceeded."}
    return Answer(429, json.dumps(body).encode(), headers=headers)


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _drop(scope: Scope, receive: Receive, *, gently: bool) -> None:
    transport: asyncio.Transport = scope["state"]["transport"]
    if gently:
        transport.close()
    else:
        transport.abort()
    # uvicorn must have seen the loss before the application returns, else it would answer 500 by itself.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _drip(send: Send, answer: Answer, scope: Scope, seconds: float) -> None:
    await _start(send, answer)
    steps = max(1, min(len(answer.body), int(seconds * 20)))
    size = -(-len(answer.body) // steps) or 1
    for start in range(0, len(answer.body), size):
        await asyncio.sleep(seconds / steps)
        if scope["state"]["transport"].is_closing():
            return
        await send({"type": "http.response.body", "body": answer.body[start : start + size], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _start(send: Send, answer: Answer) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    if answer.status != 204:
        headers += [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _send(send: Send, answer: Answer) -> None:
    await _start(send, answer)
    await send({"type": "http.response.body", "body": answer.body})
