"""Lets the Temporal UI and CLI read sealed payloads, and seal what a person sends through them.

Answers `POST /encode` and `/decode`, with or without a query string, for our namespace only. A browser may use it from one
origin only, the UI's. It listens on loopback; elsewhere it belongs behind the same sign-in as the UI. Every call is one line in
the log, with counts and never with content.
"""

from collections.abc import Callable

import structlog
import uvicorn
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads

from worker.codec import REFUSED, SealedCodec
from worker.logs import configure_logs
from worker.settings import Settings

log = structlog.get_logger("codec")

LARGEST_BODY = 8 * 1024 * 1024
MOST_PAYLOADS = 5_000


def application(settings: Settings) -> Starlette:
    """The ASGI application. With sealing off it hands payloads through, so that the UI works the same."""
    namespace = settings.temporal_namespace
    sealed = SealedCodec(settings.key_ring(), namespace) if settings.sealing == "on" else None
    origin = settings.codec_origin

    async def encode(request: Request) -> Response:
        return await answer(request, "encoded", sealed.seal if sealed else _as_it_is)

    async def decode(request: Request) -> Response:
        return await answer(request, "decoded", sealed.open if sealed else _as_it_is)

    async def answer(request: Request, what: str, change: Callable[[Payload], Payload]) -> Response:
        allowed = _allowance(request, origin)
        if allowed is None:
            return _refusal(403, "this origin may not use the codec server")
        asked = request.headers.get("x-namespace", namespace)
        if asked != namespace:
            return _refusal(403, "this codec server serves another namespace", allowed)
        body = await _body(request)
        if body is None:
            return _refusal(413, "too large", allowed)
        try:
            payloads = Parse(body, Payloads()).payloads
        except (ParseError, UnicodeDecodeError, RecursionError):
            return _refusal(400, "not a list of payloads", allowed)
        if len(payloads) > MOST_PAYLOADS:
            return _refusal(413, "too many payloads", allowed)
        changed = Payloads(payloads=[change(payload) for payload in payloads])
        refused = sum(payload.metadata.get("encoding") == REFUSED for payload in changed.payloads)
        log.info(what, count=len(payloads), code="refused" if refused else "ok", text=f"{refused} refused")
        return Response(MessageToJson(changed, indent=None), media_type="application/json", headers=allowed)

    async def preflight(request: Request) -> Response:
        allowed = _allowance(request, origin)
        if not allowed:
            return _refusal(403, "this origin may not use the codec server")
        permits = {
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "content-type, x-namespace, authorization",
            "access-control-max-age": "600",
        }
        return Response(status_code=204, headers=allowed | permits)

    async def health(_request: Request) -> Response:
        return Response("ok")

    return Starlette(
        routes=[
            Route("/encode", encode, methods=["POST"]),
            Route("/decode", decode, methods=["POST"]),
            Route("/encode", preflight, methods=["OPTIONS"]),
            Route("/decode", preflight, methods=["OPTIONS"]),
            Route("/health", health, methods=["GET"]),
        ]
    )


def _allowance(request: Request, origin: str | None) -> dict[str, str] | None:
    """CORS headers for the UI's pages; none for a caller without a browser; None for pages from anywhere else."""
    asking = request.headers.get("origin")
    if asking is None:
        return {}
    if origin is None or asking != origin:
        log.warning("refused", code="origin")
        return None
    return {"access-control-allow-origin": origin, "access-control-allow-credentials": "true", "vary": "Origin"}


def _as_it_is(payload: Payload) -> Payload:
    return payload


def _refusal(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status_code=status, headers=headers)


async def _body(request: Request) -> bytes | None:
    """The body, or None as soon as it is too large or the caller is gone."""
    parts = bytearray()
    try:
        async for part in request.stream():
            parts += part
            if len(parts) > LARGEST_BODY:
                return None
    except ClientDisconnect:
        return None
    return bytes(parts)


def main() -> None:
    settings = Settings.from_environment()
    configure_logs(settings.log_level)
    uvicorn.run(
        application(settings),
        host=settings.codec_host,
        port=settings.codec_port,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=100,
    )


if __name__ == "__main__":
    main()
