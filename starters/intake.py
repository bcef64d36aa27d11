"""The webhook intake: takes the warehouse's hints at a secret address per merchant, and answers after one insert.

The content of a webhook is never booked: it only says which document to look at. The address names the merchant, the
`X-Auth-Token` header proves the sender; both are compared as hashes, in constant time. Whatever is wrong with a request is a
4xx, and nothing of it is kept. While the database is away the answer is 503, and the sender tries again.
"""

import hashlib
import hmac
import json
from typing import Any

import structlog
import uvicorn
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from erp.database import Database, one
from worker.logs import configure_logs
from worker.settings import Settings

log = structlog.get_logger("intake")

LARGEST_BODY = 64 * 1024

_ENDPOINT = text(
    "select merchant_id, token_hash from bridge.webhook_endpoint where path_hash = :path_hash and system = 'ongoing' and enabled"
)
_INSERT = text(
    """
    insert into bridge.inbox (merchant_id, source, event_id, kind, doc_id)
    values (:merchant, 'webhook', :event_id, 'sales-order', :doc_id) on conflict (merchant_id, source, event_id) do nothing
    """
)


def hashed(secret: str) -> str:
    """How a secret is stored: addresses and tokens are long and random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def application(database: Database) -> Starlette:
    """The ASGI application: one route for webhooks, one for health."""

    async def webhook(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return Response(status_code=413)
        async with database.everyone() as session:
            endpoint = await one(session, _ENDPOINT, path_hash=hashed(request.path_params["secret"]))
        token = hashed(request.headers.get("x-auth-token", ""))
        expected = endpoint.token_hash if endpoint else hashed("nobody")
        if not hmac.compare_digest(token, expected) or endpoint is None:
            return Response(status_code=401)
        hint = _hint(body)
        if hint is None:
            return Response(status_code=400)
        event_id, doc_id = hint
        async with database.everyone() as session:
            await session.execute(_INSERT, {"merchant": endpoint.merchant_id, "event_id": event_id, "doc_id": doc_id})
        return Response(status_code=204)

    async def health(_request: Request) -> Response:
        async with database.everyone() as session:
            await session.execute(text("select 1"))
        return Response("ok")

    async def no_database(_request: Request, error: Exception) -> Response:
        log.warning("no database", error=type(error).__name__)
        return Response(status_code=503, headers={"Retry-After": "5"})

    return Starlette(
        exception_handlers={DBAPIError: no_database, OSError: no_database, PoolTimeout: no_database},
        routes=[
            Route("/webhooks/ongoing/{secret}", webhook, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ],
    )


async def _body(request: Request) -> bytes | None:
    """The body, or None as soon as it is too large."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > LARGEST_BODY:
            return None
    return bytes(parts)


def _hint(body: bytes) -> tuple[str, int] | None:
    """Event id and order id of a webhook about an order or a pick; None for anything that is not one."""
    try:
        said: Any = json.loads(body)
        event = said["webhookEventId"]
        order = said["orderId"] if "orderId" in said else said["order"]["orderId"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(event, int | str) or not isinstance(order, int) or isinstance(event, bool) or isinstance(order, bool):
        return None
    kind = next((name for name in ("webhookOrdersId", "webhookPickingId") if name in said), "order")
    event_id = f"{kind}/{event}"
    if not 0 < order < 2**63 or not event_id.isprintable() or len(event_id) > 200:
        return None
    return event_id, order


def main() -> None:
    settings = Settings.from_environment()
    configure_logs(settings.log_level)
    database = Database(settings.database("intake"), pool_size=10)
    uvicorn.run(
        application(database),
        host=settings.intake_host,
        port=settings.intake_port,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=500,
    )


if __name__ == "__main__":
    main()
