"""The intake's server with nothing but the token check: what a durable intake is measured against."""

import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from erp.database import Database
from starters.endpoints import Endpoints
from starters.intake import serve
from worker.settings import Settings


def main(port: int) -> None:
    endpoints = Endpoints(Database(Settings.from_environment().database("intake"), pool_size=2))

    async def webhook(request: Request) -> Response:
        known = await endpoints.merchant(request.path_params["secret"], request.headers.get("x-auth-token", ""))
        return Response(status_code=204 if known else 401)

    serve(Starlette(routes=[Route("/webhooks/ongoing/{secret}", webhook, methods=["POST"])]), "127.0.0.1", port)


if __name__ == "__main__":
    main(int(sys.argv[1]))
