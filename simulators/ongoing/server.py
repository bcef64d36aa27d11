"""The HTTP server: who may ask, which operation it is, what goes wrong on the way, and the answer.

Writes of one goods owner are processed one at a time, as Ongoing does. Whatever a request changed, its log entry is
committed with it and before it is answered.
"""

import asyncio
import base64
import binascii
import re
import sys
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from simulators.ongoing import adjustments, articles, codes, order_view, purchases, returns
from simulators.ongoing.connections import Connections
from simulators.ongoing.faults import Fault, Faults
from simulators.ongoing.limits import Limits
from simulators.ongoing.orders import Orders
from simulators.ongoing.store import transaction
from simulators.ongoing.wire import Unreadable, dumps, loads
from simulators.ongoing.world import Answer, Call, GoodsOwner, Refusal, World, Written

Json = Any
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Operation = Callable[[World, Call], Answer]

_MOST_BODY = 32 * 1024 * 1024
_HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>Ongoing WMS</title></head><body><h1>Service temporarily unavailable</h1></body></html>"
)
_ID_FIELDS = ("orderId", "articleSystemId", "purchaseOrderId", "returnOrderId")
_DOCUMENT_KINDS = {"/orders/{orderId}": "order", "/purchaseOrders/{purchaseOrderId}": "purchaseOrder"}


def operations(orders: Orders) -> dict[str, Operation]:
    """Everything the API can do: method and path under `/api/v1`."""
    article, order, purchase = "/articles/{articleSystemId}", "/orders/{orderId}", "/purchaseOrders/{purchaseOrderId}"
    returned = "/returnOrders/{returnOrderId}"
    return {
        "PUT /articles": articles.put_article,
        "GET /articles": articles.list_articles,
        "GET /articles/inventoryPerWarehouse": articles.inventory_per_warehouse,
        "GET /articles/historicalInventory": articles.historical_inventory,
        "GET /articles/structureDefinitions": articles.list_structure_definitions,
        "GET /articles/classes": articles.list_article_classes,
        "PUT /articles/classes": articles.put_article_class,
        f"GET {article}": articles.get_article,
        f"PUT {article}": articles.put_article_by_id,
        f"PUT {article}/classes": articles.put_classes_of_article,
        f"GET {article}/structureDefinition": articles.structure_definition,
        "GET /articleItems": articles.list_article_items,
        "GET /articleItems/statuses": codes.list_article_item_statuses,
        "PUT /orders": orders.put,
        "GET /orders": order_view.list_orders,
        "DELETE /orders": orders.delete_by_number,
        "GET /orders/statuses": codes.list_order_statuses,
        "GET /orders/types": codes.list_order_types,
        "GET /orders/classes": codes.list_order_classes,
        "GET /orders/wayOfDeliveryTypes": codes.list_ways_of_delivery,
        "PUT /orders/wayOfDeliveryTypes": codes.put_way_of_delivery,
        "PUT /orders/wayOfDeliveryTypes/{wayOfDeliveryTypeId}": codes.put_way_of_delivery,
        "DELETE /orders/wayOfDeliveryTypes/{wayOfDeliveryTypeId}": codes.delete_way_of_delivery,
        f"GET {order}": order_view.get_order,
        f"PUT {order}": orders.put_by_id,
        f"DELETE {order}": orders.delete,
        f"PATCH {order}/orderNumber": orders.patch_order_number,
        f"PATCH {order}/orderStatus": orders.patch_order_status,
        f"PATCH {order}/deliveryDate": orders.patch_delivery_date,
        f"PATCH {order}/transporter": orders.patch_transporter,
        f"PATCH {order}/servicePointCode": orders.patch_service_point,
        f"PATCH {order}/waybill": orders.patch_waybill,
        f"PATCH {order}/returnWaybill": orders.patch_return_waybill,
        f"PATCH {order}/addOrderClasses": orders.add_classes,
        f"PATCH {order}/setOrderClasses": orders.set_classes,
        f"PATCH {order}/lines/{{orderLineId}}/reportedNumberOfItems": orders.report_line,
        f"PATCH {order}/lines/{{orderLineId}}/reportedReturnedNumberOfItems": orders.report_line_returned,
        f"PATCH {order}/setReportedNumberOfItemsToPickedNumberOfItems": orders.report_all,
        f"PATCH {order}/setReportedReturnedNumberOfItemsToReturnedNumberOfItems": orders.report_all_returned,
        f"PUT {order}/orderTracking": orders.put_tracking,
        f"PUT {order}/parcels": orders.put_parcel,
        f"PUT {order}/parcels/{{parcelId}}": orders.put_parcel_by_id,
        f"DELETE {order}/parcels/{{parcelId}}": orders.delete_parcel,
        "PUT /purchaseOrders": purchases.put_purchase_order,
        "GET /purchaseOrders": purchases.list_purchase_orders,
        "DELETE /purchaseOrders": purchases.delete_purchase_order_by_number,
        "GET /purchaseOrders/statuses": codes.list_purchase_order_statuses,
        "GET /purchaseOrders/types": codes.list_purchase_order_types,
        f"GET {purchase}": purchases.get_purchase_order,
        f"PUT {purchase}": purchases.put_purchase_order_by_id,
        f"DELETE {purchase}": purchases.delete_purchase_order,
        f"PATCH {purchase}/inDate": purchases.patch_in_date,
        f"PATCH {purchase}/advisedDate": purchases.patch_advised_date,
        f"PATCH {purchase}/freeBool1": purchases.patch_free_bool,
        f"PATCH {purchase}/purchaseOrderStatus": purchases.patch_status,
        f"PATCH {purchase}/lines/{{purchaseOrderLineId}}/reportedNumberOfItems": purchases.report_line,
        f"PATCH {purchase}/setReportedNumberOfItemsToReceivedNumberOfItems": purchases.report_all,
        "PUT /returnOrders": returns.put_return_order,
        "GET /returnOrders": returns.list_return_orders,
        "DELETE /returnOrders": returns.delete_return_order_by_number,
        "GET /returnOrders/statuses": returns.list_statuses,
        "GET /returnOrders/returnCauses": returns.list_causes,
        "PUT /returnOrders/returnCauses": returns.put_cause,
        "PUT /returnOrders/returnCauses/{returnCauseId}": returns.put_cause,
        f"GET {returned}": returns.get_return_order,
        f"DELETE {returned}": returns.delete_return_order,
        f"PATCH {returned}/returnOrderStatus": returns.patch_status,
        "GET /inventoryAdjustments": adjustments.list_adjustments,
        "GET /inventoryAdjustments/{inventoryId}": adjustments.get_adjustment,
        "PATCH /inventoryAdjustments/{inventoryId}/articles/{articleSystemId}/setReported": adjustments.set_reported,
        "GET /transporterContracts": codes.list_transporter_contracts,
        "GET /warehouses": codes.list_warehouses,
        "GET /warehouses/{warehouseId}/zones": codes.list_zones,
        "GET /warehouses/locations/types": codes.list_location_types,
        "GET /parcelTypes": codes.list_parcel_types,
    }


@dataclass(slots=True)
class Request:
    """One HTTP request, read to its end."""

    method: str
    tenant: str
    path: str
    template: str
    operation: Operation
    ids: dict[str, int]
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    client: Any
    url: str

    @property
    def route(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    template: str
    pattern: re.Pattern[str]
    operation: Operation


class Api:
    """The goods owner REST API v1, `/{warehouse}/api/v1/...`."""

    def __init__(
        self, world: World, orders: Orders, faults: Faults, connections: Connections, settled: Callable[[], None]
    ) -> None:
        self._world, self._faults, self._connections, self._settled = world, faults, connections, settled
        self._limits = Limits(world)
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._late: set[asyncio.Task[None]] = set()
        self._last_answers: dict[str, str] = {}
        self._routes: defaultdict[int, list[Route]] = defaultdict(list)
        for route, operation in operations(orders).items():
            method, template = route.split(" ")
            pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template)) + "$")
            self._routes[template.count("/")].append(Route(method, template, pattern, operation))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive)
        except ClientGone:
            return
        request = self._recognised(scope, body)
        if isinstance(request, Answer):
            path = unquote(scope["path"])
            self._log(scope["method"], path, None, request.status, None, None, applied=False)
            await send_answer(send, request)
            return
        met = self._faults.meet(request.method, request.template, request.path, request.tenant)
        fault = next((each for each in met if each.kind != "delay"), None)
        delays = [each for each in met if each.kind == "delay"]
        if fault is not None and fault.kind == "refuse-connection":
            self._log(request.method, request.url, request.route, None, fault.id, None, applied=False)
            await self._connections.end(request.client)
            return
        caller = _username(request) or str(request.client[0])
        answer = self._limits.refusal(request.route, caller)
        if answer is not None:
            self._log(request.method, request.url, request.route, answer.status, None, None, applied=False)
            await send_answer(send, answer)
            return
        owner = self._owner(request)
        if owner is None:
            answer = Answer(401, dumps({"Message": "Authorization has been denied for this request."}),
                            headers={"WWW-Authenticate": 'Basic realm="Ongoing"'})  # fmt: skip
            self._limits.note(request.route, caller, 401)
            self._log(request.method, request.url, request.route, 401, None, None, applied=False)
            await send_answer(send, answer)
            return
        if fault is not None and fault.kind == "late":
            n = self._log(request.method, request.url, request.route, None, fault.id, None, applied=False)
            task = asyncio.create_task(self._apply_late(request, owner, fault, n))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            await self._connections.end(request.client)
            return
        answer = await self._processed(request, owner, fault, delays)
        self._limits.note(request.route, caller, answer.status)
        await self._answer(send, request, fault, answer)

    # --- who and what

    def _recognised(self, scope: Scope, body: bytes | None) -> "Request | Answer":
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        path = raw_path.split(b"?")[0].decode("ascii", "replace")
        parts = path.split("/", 4)
        if len(parts) < 5 or [part.lower() for part in parts[2:4]] != ["api", "v1"]:
            return Answer(404, dumps({"Message": f"No HTTP resource was found that matches the request URI '{path}'."}))
        if body is None:
            return Answer(413, dumps({"Message": "The request is too large."}))
        operation_path = "/" + parts[4].rstrip("/")
        fitting = [
            (route, found)
            for route in self._routes[operation_path.count("/")]
            if (found := route.pattern.match(operation_path)) is not None
            and all(unquote(each).isdecimal() for each in found.groups())
        ]
        mine = next(((route, found) for route, found in fitting if route.method == scope["method"]), None)
        if mine is None:
            if fitting:
                return Answer(
                    405, dumps({"Message": f"The requested resource does not support http method '{scope['method']}'."})
                )
            return Answer(404, dumps({"Message": f"No HTTP resource was found that matches the request URI '{path}'."}))
        route, found = mine
        query_text = scope["query_string"].decode("ascii", "replace")
        return Request(
            route.method,
            unquote(parts[1]).lower(),
            operation_path,
            route.template,
            route.operation,
            {name: min(int(unquote(value)), 2**62) for name, value in found.groupdict().items()},
            parse_qs(query_text, keep_blank_values=True, max_num_fields=100_000),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body,
            scope["client"],
            f"{path}?{query_text}" if query_text else path,
        )

    def _owner(self, request: Request) -> GoodsOwner | None:
        credentials = _credentials(request)
        if credentials is None:
            return None
        row = self._world.db.execute(
            "SELECT * FROM goods_owner WHERE tenant = ? AND username = ? AND password = ?", (request.tenant, *credentials)
        ).fetchone()
        return GoodsOwner(**row) if row is not None else None

    # --- doing it

    async def _processed(self, request: Request, owner: GoodsOwner, fault: Fault | None, delays: list[Fault]) -> Answer:
        before = sum(each.seconds(1) for each in delays if each.params.get("when") != "after")
        after = sum(each.seconds(1) for each in delays if each.params.get("when") == "after")
        fault_id = fault.id if fault is not None else (delays[0].id if delays else None)

        async def process() -> Answer:
            if before:
                await asyncio.sleep(before)
            if fault is not None and not fault.applied:
                answer = _unapplied(fault)
                self._log(request.method, request.url, request.route, answer.status, fault_id, None, applied=False)
                return answer
            return self._perform(request, owner, fault_id)

        if request.writes:
            async with self._locks[owner.id]:
                answer = await process()
                if self._world.switches["writeSeconds"]:
                    await asyncio.sleep(float(self._world.switches["writeSeconds"]))
        else:
            answer = await process()
        if after:
            await asyncio.sleep(after)
        return answer

    async def _apply_late(self, request: Request, owner: GoodsOwner, fault: Fault, n: int) -> None:
        await asyncio.sleep(fault.seconds(1))
        async with self._locks[owner.id]:
            self._perform(request, owner, fault.id, late_entry=n)

    def _perform(self, request: Request, owner: GoodsOwner, fault_id: str | None, *, late_entry: int | None = None) -> Answer:
        """Run the operation and enter it in the log, in one transaction; a refusal changes nothing."""
        world = self._world
        try:
            with transaction(world.db, world.now()):
                answer = request.operation(world, self._call(request, owner))
                self._enter(request, fault_id, answer, late_entry)
        except Refusal as refusal:
            answer = refusal.answer
        except Exception:
            traceback.print_exc(file=sys.stderr)
            answer = Answer(500, dumps({"Message": "An error has occurred."}))
        else:
            self._settled()
            return answer
        world.forget()
        self._enter(request, fault_id, answer, late_entry)
        return answer

    def _call(self, request: Request, owner: GoodsOwner) -> Call:
        body: Json = None
        if request.writes and request.body:
            kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
            if kind not in ("application/json", "text/json"):
                sentence = f"The request entity's media type '{kind}' is not supported for this resource."
                raise Refusal(Answer(415, dumps({"Message": sentence})))
            try:
                body = loads(request.body)
            except (ValueError, RecursionError, Unreadable) as error:
                self._world.refuse_invalid({"body": f"The body is not JSON: {type(error).__name__}."})
        return Call(owner, request.ids, request.query, body)

    def _enter(self, request: Request, fault_id: str | None, answer: Answer, late_entry: int | None) -> None:
        applied = answer.written is not None
        if late_entry is None:
            self._log(request.method, request.url, request.route, answer.status, fault_id, answer.written, applied=applied)
            return
        written = answer.written
        self._world.db.execute(
            "UPDATE request_log SET status = ?, applied = ?, late = 1, applied_at = ?, kind = ?, object_id = ?,"
            " number = ? WHERE n = ?",
            (
                answer.status, int(applied), self._world.now(), written and written.kind, written and written.id,
                written and written.number, late_entry,
            ),
        )  # fmt: skip

    def _log(
        self,
        method: str,
        path: str,
        route: str | None,
        status: int | None,
        fault: str | None,
        written: Written | None,
        *,
        applied: bool,
    ) -> int:
        now = self._world.now()
        cursor = self._world.db.execute(
            "INSERT INTO request_log (at, method, path, route, status, fault, kind, object_id, number, applied, late, applied_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (
                now, method, path, route, status, fault, written and written.kind, written and written.id,
                written and written.number, int(applied), now if applied else None,
            ),
        )  # fmt: skip
        return cursor.lastrowid or 0

    # --- answering

    async def _answer(self, send: Send, request: Request, fault: Fault | None, answer: Answer) -> None:
        kind = fault.kind if fault is not None else None
        if request.method == "GET":
            answer = self._stale(request, answer) if kind == "stale-read" else self._noted(request, answer)
        match kind:
            case "lost-answer":
                await self._connections.end(request.client)
            case "lost-answer-500":
                await send_answer(send, Answer(500, dumps({"Message": "An error has occurred."})))
            case "html-200":
                await send_answer(send, Answer(200, _HTML_PAGE, content_type="text/html; charset=utf-8"))
            case "empty-200":
                await send_answer(send, Answer(200, ""))
            case "null-id":
                await send_answer(send, _without_id(answer))
            case "truncated":
                await self._send_part(send, request, answer)
            case "drip":
                assert fault is not None
                await _send_slowly(send, answer, fault.seconds(5), int(fault.params.get("pieces", 50)))
            case _:
                await send_answer(send, answer)

    def _noted(self, request: Request, answer: Answer) -> Answer:
        """Keep the answer, so that a stale read of the same address can give it again."""
        if answer.status == 200 and len(answer.text) < 200_000:
            if len(self._last_answers) > 2000:
                self._last_answers.pop(next(iter(self._last_answers)))
            self._last_answers[request.url] = answer.text
        return answer

    def _stale(self, request: Request, answer: Answer) -> Answer:
        """Answer a document as it was before its last change; other addresses as they were last answered."""
        kind = _DOCUMENT_KINDS.get(request.template)
        earlier = self._world.earlier.of(kind, next(iter(request.ids.values()))) if kind else self._last_answers.get(request.url)
        return answer if earlier is None else Answer(200, earlier)

    async def _send_part(self, send: Send, request: Request, answer: Answer) -> None:
        body = answer.text.encode()
        await send(_start(answer, len(body)))
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await self._connections.end(request.client, after_flush=True)


def _username(request: Request) -> str | None:
    credentials = _credentials(request)
    return credentials[0] if credentials else None


def _credentials(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return username, password


def _unapplied(fault: Fault) -> Answer:
    """The answer of something that stands between the client and the warehouse."""
    params = fault.params
    if fault.kind == "rate-limited":
        headers = {"Retry-After": str(params["retryAfter"])} if params.get("retryAfter") is not None else {}
        return Answer(429, dumps({"message": "Too many requests."}), headers=headers)
    if fault.kind == "html-200":
        return Answer(200, _HTML_PAGE, content_type="text/html; charset=utf-8")
    headers = {str(name): str(value) for name, value in (params.get("headers") or {}).items()}
    body = params.get("body", {"Message": "An error has occurred."})
    text = body if isinstance(body, str) else dumps(body)
    content_type = headers.pop("Content-Type", "text/html" if text.startswith("<") else "application/json; charset=utf-8")
    return Answer(int(params.get("status", 500)), text, content_type=content_type, headers=headers)


def _without_id(answer: Answer) -> Answer:
    if answer.status >= 300 or not answer.text.startswith("{"):
        return answer
    body = loads(answer.text)
    return Answer(answer.status, dumps({name: None if name in _ID_FIELDS else value for name, value in body.items()}))


class ClientGone(Exception):
    """The client hung up before its request had come in whole."""


async def read_body(receive: Receive) -> bytes | None:
    """Read the whole body; None when it is larger than anybody needs."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > _MOST_BODY:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _start(answer: Answer, length: int) -> dict[str, Any]:
    headers = [(b"content-length", str(length).encode())]
    if length:
        headers.append((b"content-type", answer.content_type.encode()))
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def send_answer(send: Send, answer: Answer) -> None:
    body = answer.text.encode()
    await send(_start(answer, len(body)))
    await send({"type": "http.response.body", "body": body})


async def _send_slowly(send: Send, answer: Answer, seconds: float, pieces: int) -> None:
    body = answer.text.encode()
    await send(_start(answer, len(body)))
    size = max(1, -(-len(body) // pieces))
    for at in range(0, len(body), size):
        await asyncio.sleep(seconds / pieces)
        await send({"type": "http.response.body", "body": body[at : at + size], "more_body": at + size < len(body)})
