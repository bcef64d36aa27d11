"""The HTTP interface for corrections, for ERPs that are not in Python. `GET /openapi.json` describes it.

    POST /v1/{merchant}/sales-orders/{number}/corrections/{name}   Authorization: Bearer <token of the merchant>
    PUT  /v1/{merchant}/sales-orders/{number}/parked-addresses/{parked}
    GET  /v1/{merchant}/sales-orders/{number}
    POST /v1/{merchant}/purchase-orders/{number}/corrections/{name}

A token belongs to one merchant and is kept as a hash; its name goes with the actor into the audit. Bodies are small and strict; a
refusal is 409 with the sentence that a person would read. An address never leaves our database on its way.
"""

import hmac
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
import uvicorn
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client

from domain.corrections import MEANINGS, Name
from domain.purchase_corrections import MEANINGS as PURCHASE_MEANINGS
from domain.purchase_corrections import SECOND_PERSON
from erp.corrections import ADDRESS, park_address
from erp.database import DATABASE_ERRORS, Database
from erp.overview import order_overview
from erp.people import token_name
from starters.corrections import APPROVE, Unacceptable, correct, running, shape
from starters.endpoints import hashed
from starters.purchase_corrections import PURCHASE_KINDS, correct_purchase
from worker.logs import configure_logs
from worker.settings import Settings
from worker.temporal import SERVER_MAY_COME_LATER, connect
from workflows.corrections import SENT_AS, Approval

log = structlog.get_logger("api")

_ONE = text("select 1")

LARGEST_BODY = 16 * 1024
STATUS_OF = {"wrong-content": 400, "not-found": 404, "refused": 409, "no-answer": 503}


def application(database: Database, client: Client, build_id: str = "api") -> Starlette:
    """The ASGI application. `database` is the app's role: each request sees its own merchant only."""

    async def allowed(request: Request) -> str | None:
        """The token's name, or None."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not hmac.compare_digest(scheme.lower(), "bearer") or not 20 <= len(token) <= 200:
            return None
        merchant = request.path_params["merchant"]
        async with database.merchant(merchant) as session:
            return await token_name(session, merchant, hashed(token))

    async def send(request: Request) -> Response:
        return await taken(request, partial(correct, client, database))

    async def send_purchase(request: Request) -> Response:
        return await taken(request, partial(correct_purchase, client, database, code_version=build_id))

    async def taken(request: Request, does: Callable[..., Awaitable[str]]) -> Response:
        who = await allowed(request)
        if who is None:
            return _said(401, "unauthorised", "the bearer token opens nothing of this merchant")
        body = await _object(request)
        if body is None:
            return _said(400, "wrong-content", f"the body must be one JSON object of at most {LARGEST_BODY} bytes")
        where = request.path_params
        if isinstance(body.get("by"), str) and body["by"].strip():
            body["by"] = f"{body['by']} (via {who})"
        try:
            if strange := {"merchant", "number", "name", "code_version"} & set(body):
                return _said(400, "wrong-content", f"{min(strange)} is not a field of {where['name']}")
            answer = await does(where["merchant"], where["number"], where["name"], **body)
        except Unacceptable as why:
            return _said(STATUS_OF[why.code], why.code, str(why))
        return JSONResponse({"answer": answer})

    async def park(request: Request) -> Response:
        if await allowed(request) is None:
            return _said(401, "unauthorised", "the bearer token opens nothing of this merchant")
        body = await _object(request)
        where = request.path_params
        if body is None or not all(isinstance(value, str) and len(value) <= 200 for value in body.values()):
            return _said(400, "wrong-content", "the body must be one JSON object of texts of at most 200 signs")
        if strange := sorted(set(body) - set(ADDRESS)):
            return _said(400, "wrong-content", f"{strange[0]} is not part of an address; there are {', '.join(ADDRESS)}")
        async with database.merchant(where["merchant"]) as session:
            try:
                await running(session, where["merchant"], where["number"])
            except Unacceptable as why:
                return _said(STATUS_OF[why.code], why.code, str(why))
            done = await park_address(session, where["merchant"], where["number"], where["parked"], body)
        return JSONResponse({"answer": "parked" if done else "it was parked before"}, status_code=201 if done else 200)

    async def show(request: Request) -> Response:
        if await allowed(request) is None:
            return _said(401, "unauthorised", "the bearer token opens nothing of this merchant")
        merchant, number = request.path_params["merchant"], request.path_params["number"]
        async with database.merchant(merchant) as session:
            found = await order_overview(session, merchant, number)
        if found is None:
            return _said(404, "not-found", f"there is no sales order {number} of merchant {merchant}")
        return Response(json.dumps(found, default=str, ensure_ascii=False), media_type="application/json")

    async def health(_request: Request) -> Response:
        async with database.outside() as session:
            await session.execute(_ONE)
        return Response("ok")

    async def describe(_request: Request) -> Response:
        return JSONResponse(openapi())

    async def no_database(_request: Request, error: Exception) -> Response:
        log.warning("no database", error=type(error).__name__)
        return _said(503, "no-answer", "the database does not answer: send it again, with the same key")

    order, purchase = "/v1/{merchant}/sales-orders/{number}", "/v1/{merchant}/purchase-orders/{number}"
    return Starlette(
        exception_handlers=dict.fromkeys((*DATABASE_ERRORS, DBAPIError, OSError), no_database),
        routes=[
            Route(f"{order}/corrections/{{name}}", send, methods=["POST"]),
            Route(f"{purchase}/corrections/{{name}}", send_purchase, methods=["POST"]),
            Route(f"{order}/parked-addresses/{{parked}}", park, methods=["PUT"]),
            Route(order, show, methods=["GET"]),
            Route("/openapi.json", describe, methods=["GET"]),
            Route("/health", health, methods=["GET"]),
        ],
    )


def _said(status: int, code: str, words: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse({"code": code, "message": words}, status_code=status, headers=headers)


async def _object(request: Request) -> dict[str, Any] | None:
    parts = bytearray()
    try:
        async for part in request.stream():
            parts += part
            if len(parts) > LARGEST_BODY:
                return None
        body = json.loads(bytes(parts))
    except (ValueError, RecursionError, ClientDisconnect):
        return None
    return body if isinstance(body, dict) else None


def openapi() -> dict[str, Any]:
    """The interface as an OpenAPI document, made from the types that the corrections take."""
    place = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in ("merchant", "number")]
    problem = {"type": "object", "properties": {"code": {"type": "string"}, "message": {"type": "string"}}}
    answers = {"200": {"description": "Done, or done before under this key."}} | {
        code: {"description": words, "content": {"application/json": {"schema": problem}}}
        for code, words in (
            ("400", "Not understood."),
            ("401", "The token opens nothing of this merchant."),
            ("404", "There is no such order."),
            ("409", "Refused; the message says why. Nothing was done."),
            ("503", "No answer: send it again with the same key."),
        )
    }

    def operation(identity: str, summary: str, schema: dict[str, Any] | None, *more: str) -> dict[str, Any]:
        extra = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in more]
        body = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}} if schema else {}
        return {"operationId": identity, "summary": summary, "parameters": place + extra, "responses": answers} | body

    order = "/v1/{merchant}/sales-orders/{number}"
    paths: dict[str, Any] = {
        f"{order}/corrections/{name.value}": {"post": operation(name.value, MEANINGS[name], shape(SENT_AS[name]))}
        for name in Name
    }
    yes = operation(APPROVE, "a second person says yes", shape(Approval))
    paths[f"{order}/corrections/{APPROVE}"] = {"post": yes}
    purchase = "/v1/{merchant}/purchase-orders/{number}/corrections"
    meanings = {name.value: words for name, words in PURCHASE_MEANINGS.items()} | {SECOND_PERSON: "a second person says yes"}
    for name, kind in PURCHASE_KINDS.items():
        paths[f"{purchase}/{name}"] = {"post": operation(f"purchase_{name}", meanings[name], shape(kind))}
    texts = {"type": "object", "properties": {name: {"type": "string"} for name in ADDRESS}, "additionalProperties": False}
    parking = operation("park_address", "keep an address for change_address", texts, "parked")
    paths[f"{order}/parked-addresses/{{parked}}"] = {"put": parking}
    paths[order] = {"get": operation("show", "the order with all that belongs to it", None)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lagerbro: corrections of sales orders and purchase orders", "version": "1"},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
        "paths": paths,
    }


async def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    database = Database(settings.database("app"), pool_size=5)
    client = await connect(settings, SERVER_MAY_COME_LATER)
    config = uvicorn.Config(
        application(database, client, settings.build_id),
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=100,
    )
    log.info("api started", address=f"{settings.api_host}:{settings.api_port}")
    await uvicorn.Server(config).serve()
    await database.close()


def main() -> None:
    import asyncio

    settings = Settings.from_environment()
    configure_logs(settings.log_level)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
