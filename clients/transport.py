"""One HTTP request, bounded in time and size, and what its answer means.

httpx has no total deadline and no cap on what it reads, so both are here. Redirects are not followed: an API that redirects is
a wrong address or a login page in between, and our credentials must not go there. That is `Unreadable` and not `Rejected`,
because it is cured at the connection and the documents that met it should then go on by themselves.

A call has two spans of `deadline` seconds at most: one to get its turn (token, rate window, write lease) and one to be
answered. A request that did not get its turn is never sent late.
"""

import asyncio
import logging
import re
import ssl
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

from clients.errors import ApiError, NotFound, RateLimited, Rejected, Unauthorised, Unavailable, Unreadable
from clients.wire import read_json

T = TypeVar("T")
Gate = Callable[[], AbstractAsyncContextManager[None]]

DEADLINE = 30.0
CAP = 32 * 1024 * 1024
LONGEST_RETRY_AFTER = 3600.0
LONGEST_TEXT = 300
CONNECT_SECONDS = 10.0
# Shorter than the five seconds after which servers commonly close an idle connection: a write must not meet one that is closing.
IDLE_SECONDS = 4.0


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back. `call` names method and path for messages."""

    call: str
    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def is_html(self) -> bool:
        return "html" in self.headers.get("content-type", "").lower() or self.content[:64].lstrip()[:1] == b"<"


def new_http(
    base_url: str,
    *,
    auth: tuple[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """The one long-lived client of a merchant and a system: HTTP/1.1, keep-alive, no retries, no proxies, no cookies.

    httpx logs every URL at INFO, query values included, so its loggers are raised to WARNING.
    """
    address = urlsplit(base_url)
    if address.scheme not in ("http", "https") or not address.hostname or address.username or address.query or address.fragment:
        raise ValueError("an address must be http(s)://host[:port]/path, without user, query or fragment")
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.AsyncClient(
        base_url=base_url,
        auth=httpx.BasicAuth(*auth) if auth else None,
        transport=transport,
        verify=tls or _tls(),
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=IDLE_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def segment(value: object) -> str:
    """An id as one segment of a path: percent-encoded whole, so that it can neither climb nor end the path."""
    encoded = quote(str(value), safe="")
    if encoded in ("", ".", ".."):
        raise ValueError("an id in a path may not be empty or a dot")
    return encoded


def query(parameters: Iterable[tuple[str, object]]) -> str:
    """A query string; lists are repeated keys, booleans are lower case, None is left out."""
    pairs = [
        (name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in parameters if value is not None
    ]
    return urlencode(pairs, quote_via=quote, safe="")


async def send(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    parameters: str = "",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    deadline: float = DEADLINE,
    begin_by: float | None = None,
    cap: int = CAP,
    gate: Gate | None = None,
) -> Answer:
    """Send one request and read its answer, whatever its status. Raises `Unavailable` when no whole answer came.

    `path` is relative to the client's address, its ids encoded by `segment`. `begin_by` is the latest moment, in the time of
    the running loop, at which the request may be sent.
    """
    url = str(http.base_url).rstrip("/")
    if path:
        url = f"{url}/{path}"
    call = f"{method} {urlsplit(url).path}"
    if parameters:
        url = f"{url}?{parameters}"
    sent_headers = {"Accept": "application/json", "User-Agent": "lagerbro"}
    if body is not None:
        sent_headers["Content-Type"] = "application/json"
    if headers:
        sent_headers.update(headers)
    # Not by the client's own build_request: that would add its cookies and its own headers.
    request = httpx.Request(method, url, headers=sent_headers, content=body)
    if gate is None:
        return await _exchange(http, request, call, deadline, cap)
    async with AsyncExitStack() as held:
        async with turn(call, begin_by or asyncio.get_running_loop().time() + deadline):
            await held.enter_async_context(gate())
        return await _exchange(http, request, call, deadline, cap)


class turn:
    """What is done here is done by `begin_by`, or the request is not sent."""

    def __init__(self, call: str, begin_by: float) -> None:
        self._call = call
        self._timeout = asyncio.timeout_at(begin_by)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        late = False
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError:
            late = True
        if late:
            raise Unavailable(f"{self._call}: did not get its turn in time, not sent", outcome_unknown=False) from None


async def _exchange(http: httpx.AsyncClient, request: httpx.Request, call: str, deadline: float, cap: int) -> Answer:
    try:
        async with asyncio.timeout(deadline):
            response = await http.send(request, stream=True)
            try:
                return Answer(call, response.status_code, response.headers, await _content(response, call, cap))
            finally:
                await response.aclose()
    except TimeoutError:
        failure = Unavailable(f"{call}: no whole answer within {deadline:g} s", outcome_unknown=True)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        reason = clean(str(error)) or type(error).__name__
        failure = Unavailable(f"{call}: no connection to {request.url.host}: {reason}", outcome_unknown=False)
    except (httpx.HTTPError, httpx.StreamError) as error:
        failure = Unavailable(f"{call}: no whole answer ({type(error).__name__})", outcome_unknown=True)
    raise failure  # outside the handlers: httpx's errors hold the request with its credentials


async def _content(response: httpx.Response, call: str, cap: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > cap:
        raise Unreadable(f"{call}: {response.status_code}, answer larger than {cap} bytes")
    if encoding == "identity" and (declared.isdecimal() or response.is_stream_consumed):
        return await response.aread()
    if encoding not in ("identity", "gzip", "deflate"):
        raise Unreadable(f"{call}: {response.status_code}, answer in an encoding nobody asked for")
    inflater = zlib.decompressobj(wbits=47 if encoding == "gzip" else 15) if encoding != "identity" else None
    pieces: list[bytes] = []
    size = 0
    damaged = False
    try:
        async for raw in response.aiter_raw():
            piece = inflater.decompress(raw, cap - size + 1) if inflater else raw
            size += len(piece)
            if size > cap:
                raise Unreadable(f"{call}: {response.status_code}, answer larger than {cap} bytes")
            pieces.append(piece)
    except zlib.error:
        damaged = True
    if damaged or (inflater and not inflater.eof):
        raise Unreadable(f"{call}: {response.status_code}, compressed answer cut or damaged")
    return b"".join(pieces)


def failure_of(answer: Answer, code: str | None, words: str, hide: Iterable[str] = ()) -> ApiError:
    """The error that a status outside 2xx means. `words` are the vendor's; what is in `hide` is struck from them."""
    status = answer.status
    spoken = clean(words, hide)
    message = " ".join(part for part in (f"{answer.call}: {status}", code, spoken) if part)
    if status == 429:
        return RateLimited(message, retry_after=retry_after(answer.headers))
    if 300 <= status < 400:
        host = urlsplit(answer.headers.get("location", "")).hostname
        return Unreadable(f"{answer.call}: {status}, redirected to {clean(host or 'nowhere')}, not followed")
    if status == 408 or not 400 <= status < 500:
        return Unavailable(message, outcome_unknown=True, retry_after=retry_after(answer.headers))
    kind = Unauthorised if status in (401, 403) else NotFound if status == 404 else Rejected
    return kind(message, status=status, code=code, text=spoken)


def read(answer: Answer, adapter: TypeAdapter[T], data: Any) -> T:
    """`data` by the model, or `Unreadable`, which names fields and never values."""
    try:
        return adapter.validate_python(data)
    except (ValidationError, RecursionError) as error:
        wrong = _where(error)
    raise Unreadable(f"{answer.call}: {answer.status}, answer not understood: {wrong}")


def _where(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    found = error.errors(include_input=False, include_url=False, include_context=False)
    places = [".".join(str(part) for part in wrong["loc"]) + f" ({wrong['type']})" for wrong in found[:3]]
    return ", ".join(places) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def json_of(answer: Answer) -> Any:
    """The answer's JSON, or `Unreadable`: a 2xx with a page of HTML or half a body is no success."""
    if not answer.content.strip():
        problem = "empty answer"
    elif answer.is_html:
        problem = "a page of HTML"
    else:
        try:
            return read_json(answer.content)
        except ValueError:
            problem = "not JSON, or cut"
    raise Unreadable(f"{answer.call}: {answer.status}, {problem}")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a `Retry-After` in seconds or as an HTTP date; None when absent or garbage; one hour at most."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        seconds = float(value)
    else:
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def clean(words: str, hide: Iterable[str] = ()) -> str:
    """Words of others for our messages: one line, no control signs, at most 300 characters.

    What is in `hide` is struck out: vendors like to quote a name or an address in a refusal.
    """
    plain = _plain(words[: LONGEST_TEXT * 10])
    for value in sorted({_plain(value) for value in hide if value}, key=len, reverse=True):
        if len(value) > 2:
            plain = re.sub(re.escape(value), "***", plain, flags=re.IGNORECASE)
    return plain if len(plain) <= LONGEST_TEXT else plain[: LONGEST_TEXT - 1] + "…"


def _plain(words: str) -> str:
    return " ".join("".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in words).split())
