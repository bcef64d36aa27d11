"""The webhook intake: takes the warehouse's hints at a secret address per merchant, and answers after one insert.

The content of a webhook is never booked: it only says which document to look at. The address names the merchant, the
`X-Auth-Token` header proves the sender; both are compared as hashes, in constant time, before the body is read. Whatever is
wrong with a request is a 4xx, and nothing of it is kept. While the database is away the answer is 503, and the sender tries
again. Temporal is not asked: hints wait in the inbox while it is away.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
import uvicorn
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from clients.ongoing_webhooks import About, NotAWebhook, read_webhook
from erp.database import DATABASE_ERRORS, Database
from starters.endpoints import Endpoints
from starters.group_commit import Hint, Inbox
from starters.impatience import Impatient
from worker.logs import configure_logs
from worker.settings import Settings

log = structlog.get_logger("intake")

LARGEST_BODY = 64 * 1024
BODY_SECONDS = 10.0
MOST_AT_ONCE = 500
UNREAD = {"Connection": "close"}  # what is left of the body must not be taken for the next request
NO_DATABASE = (*DATABASE_ERRORS, OSError, TimeoutError, PoolTimeout)

KINDS: dict[About, str] = {
    "order": "sales-order",
    "purchase order": "purchase-order",
    "article": "movement",
    "inventory": "inventory",
}
"""What we call what a webhook is about. A movement is known by its article, unless a purchase order caused it."""


class TooLarge(Exception):
    """The body is larger than any webhook."""


def application(database: Database) -> Starlette:
    """The ASGI application: one route for webhooks, one for health."""
    endpoints, inbox = Endpoints(database), Inbox(database)

    async def webhook(request: Request) -> Response:
        merchant = await endpoints.merchant(request.path_params["secret"], request.headers.get("x-auth-token", ""))
        if merchant is None:
            return Response(status_code=401)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                said = read_webhook(await _body(request))
        except TooLarge:
            return Response(f"larger than {LARGEST_BODY} bytes", status_code=413, headers=UNREAD)
        except TimeoutError:
            return Response(f"the body did not come within {BODY_SECONDS:g} s", status_code=408, headers=UNREAD)
        except ClientDisconnect:
            return Response(status_code=400)
        except NotAWebhook as why:
            log.info("not a webhook", merchant=merchant, why=str(why))
            return Response(str(why), status_code=400)
        await inbox.keep(Hint(merchant, said.event, KINDS[said.about], said.object_id))
        return Response(status_code=204)

    async def health(_request: Request) -> Response:
        async with database.outside() as session:
            await session.execute(text("select 1"))
        return Response("ok")

    async def no_database(_request: Request, error: Exception) -> Response:
        log.warning("no database", error=type(error).__name__)
        return Response(status_code=503, headers={"Retry-After": "5"})

    handlers: dict[Any, Callable[[Request, Exception], Any]] = dict.fromkeys(NO_DATABASE, no_database)
    app = Starlette(
        exception_handlers=handlers,
        routes=[
            Route("/webhooks/ongoing/{secret}", webhook, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ],
    )
    app.router.redirect_slashes = False  # a webhook sent elsewhere is wrong, and is told so at once
    return app


async def _body(request: Request) -> bytes:
    """The body, refused as soon as it is, or says that it will be, too large."""
    said = request.headers.get("content-length", "")
    if said.isdigit() and (len(said) > 15 or int(said) > LARGEST_BODY):
        raise TooLarge
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > LARGEST_BODY:
            raise TooLarge
    return bytes(parts)


def serve(app: Any, host: str, port: int) -> None:
    """Serve until told to stop. The number of connections at once is bounded, and none is kept where nothing happens."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=Impatient,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_AT_ONCE,
    )


def main() -> None:
    settings = Settings.from_environment()
    configure_logs(settings.log_level)
    serve(application(Database(settings.database("intake"), pool_size=10)), settings.intake_host, settings.intake_port)


if __name__ == "__main__":
    main()
