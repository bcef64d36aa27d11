"""Every request to Ongoing, what it gives back and what it raises."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from clients.errors import Unreadable
from clients.ongoing.asked import OrderFilter, PurchaseFilter
from clients.ongoing.seen import (
    ArticleAdjustments,
    ArticleInventory,
    GetArticle,
    GetOrder,
    GetPurchaseOrder,
    GetReturnOrder,
    HistoricalArticle,
    HistoricalInventory,
    Named,
    OrderStatus,
    ReturnCause,
    TransporterContract,
    Warehouse,
)
from clients.ongoing.sent import PostArticle, PostOrder, PostPurchaseOrder, PostReturnOrder
from clients.transport import CAP, DEADLINE, Answer, failure_of, json_of, query, read, segment, send
from clients.wire import Id, read_json, utc, write_json

# What a request does, for the gate: orders are written before articles, one write at a time.
Kind = Literal["read", "order", "article"]
KindGate = Callable[[Kind], AbstractAsyncContextManager[None] | None]
T = TypeVar("T", bound="GetOrder | GetArticle | ArticleInventory | GetPurchaseOrder")


# The server is IIS, which by default refuses a query of more than 2048 characters.
LONGEST_NUMBERS = 1500


_ORDER = TypeAdapter(GetOrder)
_ORDERS = TypeAdapter(list[GetOrder])
_ARTICLE = TypeAdapter(GetArticle)
_ARTICLES = TypeAdapter(list[GetArticle])
_INVENTORY = TypeAdapter(list[ArticleInventory])
_ADJUSTMENTS = TypeAdapter(list[ArticleAdjustments])
_HISTORY = TypeAdapter(list[HistoricalInventory])
_STATUSES = TypeAdapter(list[OrderStatus])
_RETURN = TypeAdapter(GetReturnOrder)
_RETURNS = TypeAdapter(list[GetReturnOrder])
_PURCHASE = TypeAdapter(GetPurchaseOrder)
_PURCHASES = TypeAdapter(list[GetPurchaseOrder])
_CAUSES = TypeAdapter(list[ReturnCause] | None)
_NAMED = TypeAdapter(list[Named] | None)
_WAREHOUSES = TypeAdapter(list[Warehouse])
_CONTRACTS = TypeAdapter(list[TransporterContract])
_NULLABLE_ID = TypeAdapter(Id | None)


class OngoingClient:
    """One goods owner at one warehouse. `gate` is asked by the kind of each request for what must be held around it."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        goods_owner_id: int,
        *,
        deadline: float = DEADLINE,
        gate: KindGate | None = None,
        cap: int = CAP,
    ) -> None:
        self._http = http
        self._goods_owner_id = goods_owner_id
        self._deadline = deadline
        self._gate = gate
        self._cap = cap

    @property
    def goods_owner_id(self) -> int:
        return self._goods_owner_id

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    # --- articles

    async def put_article(self, article: PostArticle, *, for_order: bool = False) -> int:
        """Create or update by article number; a repeat is harmless. One that an order waits for goes as the order itself
        would. Returns Ongoing's id of the article."""
        answer = await self._write("PUT", "articles", "order" if for_order else "article", article.body(self._goods_owner_id))
        return _id_of(answer, "articleSystemId")

    async def get_article(self, article_system_id: int) -> GetArticle:
        """One article with its stock figures."""
        answer = await self._read(f"articles/{segment(article_system_id)}")
        return read(answer, _ARTICLE, json_of(answer))

    async def list_articles(
        self, numbers: Sequence[str] = (), *, page_size: int = 500, only_in_stock: bool = False, after: int | None = None
    ) -> AsyncIterator[list[GetArticle]]:
        """Pages of articles, ascending by Ongoing's id; those of `numbers`, or all above `after`."""
        parameters = [("onlyArticlesInStock", only_in_stock or None)]
        first = None if after is None else after + 1
        async for page in self._pages("articles", _ARTICLES, parameters, numbers, page_size=page_size, first=first):
            yield page

    async def inventory_per_warehouse(
        self,
        numbers: Sequence[str] = (),
        *,
        warehouse_ids: Sequence[int] = (),
        changed_from: datetime | None = None,
        page_size: int = 500,
        after: int | None = None,
    ) -> AsyncIterator[list[ArticleInventory]]:
        """Pages of stock by warehouse, ascending by Ongoing's article id, those above `after`. Structure and non-stock articles
        are left out where the tenant's version can. `changed_from` older than 24 hours is refused by Ongoing."""
        parameters: list[tuple[str, object]] = [("warehouseIds", warehouse) for warehouse in warehouse_ids]
        parameters.append(("stockInfoChangedFrom", changed_from and utc(changed_from)))
        if not numbers:
            parameters += [("excludeStructureArticles", True), ("excludeNonStockArticles", True)]
        first = None if after is None else after + 1
        path = "articles/inventoryPerWarehouse"
        async for page in self._pages(path, _INVENTORY, parameters, numbers, page_size=page_size, first=first):
            yield page

    async def historical_inventory(self, at: datetime, warehouse_id: int | None = None) -> list[HistoricalArticle]:
        """Stock as it stood at a past instant, whole: there is no paging here. An article without stock is left out."""
        parameters = [("goodsOwnerId", self._goods_owner_id), ("stockDate", utc(at)), ("warehouseId", warehouse_id)]
        answer = await self._read("articles/historicalInventory", parameters)
        return [article for part in read(answer, _HISTORY, json_of(answer)) for article in part.articles]

    async def inventory_adjustments(
        self, made_from: datetime | None = None, made_to: datetime | None = None
    ) -> list[ArticleAdjustments]:
        """Corrections of stock in a time, reported or not: what `isReported` leaves out is not certain. There is no paging."""
        parameters: list[tuple[str, object]] = [
            ("goodsOwnerId", self._goods_owner_id),
            ("from", made_from and utc(made_from)),
            ("toTime", made_to and utc(made_to)),
        ]
        answer = await self._read("inventoryAdjustments", parameters)
        return read(answer, _ADJUSTMENTS, json_of(answer))

    async def set_adjustment_reported(self, inventory_id: int, article_system_id: int) -> None:
        """Say that an adjustment is booked. A repeat is harmless."""
        path = f"inventoryAdjustments/{segment(inventory_id)}/articles/{segment(article_system_id)}/setReported"
        answer = await self._write("PATCH", path, "order", None)
        if answer.is_html:
            raise Unreadable(f"{answer.call}: {answer.status}, a page of HTML")

    # --- orders

    async def put_order(self, order: PostOrder) -> int:
        """Create or replace by order number, until the warehouse has begun; a repeat is harmless. Returns Ongoing's id."""
        answer = await self._write("PUT", "orders", "order", order.body(self._goods_owner_id), order.in_confidence())
        return _id_of(answer, "orderId")

    async def get_order(self, order_id: int) -> GetOrder:
        """One order. Another goods owner's, or another order than asked for, is no answer."""
        answer = await self._read(f"orders/{segment(order_id)}")
        order = self._ours(answer, read(answer, _ORDER, json_of(answer)))
        if order.order_id != order_id:
            raise Unreadable(f"{answer.call}: {answer.status}, answered with order {order.order_id}")
        return order

    async def find_order(self, order_number: str) -> GetOrder | None:
        """The order with exactly this number, the newest if a number was made twice; None if there is none."""
        answer = await self._read("orders", [("goodsOwnerId", self._goods_owner_id), ("orderNumber", order_number)])
        found = [self._ours(answer, order) for order in read(answer, _ORDERS, json_of(answer))]
        return max((o for o in found if o.order_number == order_number), key=lambda o: o.order_id, default=None)

    async def find_back_orders(self, order_id: int) -> list[GetOrder]:
        """The orders that were made for what this one lacked."""
        answer = await self._read("orders", [("goodsOwnerId", self._goods_owner_id), ("backOrderForOrderId", order_id)])
        found = [self._ours(answer, order) for order in read(answer, _ORDERS, json_of(answer))]
        return [order for order in found if order.back_order_for_order_id == order_id]

    async def list_orders(self, wanted: OrderFilter | None = None, *, page_size: int = 100) -> AsyncIterator[list[GetOrder]]:
        """Pages of orders by ascending id. A page may serve as one look at each order on it."""
        wanted = wanted or OrderFilter()
        parameters = wanted.parameters()
        async for page in self._pages(
            "orders", _ORDERS, parameters, wanted.order_numbers, page_size=page_size, first=wanted.order_id_from
        ):
            yield page

    async def cancel_order(self, order_id: int) -> None:
        """Ask for the order to be cancelled. The answer proves nothing either way: read the order afterwards."""
        await self._write("DELETE", f"orders/{segment(order_id)}", "order", None)

    async def set_order_status(self, order_id: int, status: int) -> None:
        """Move the order to another status; refused if goods are allocated."""
        await self._patch(order_id, "orderStatus", {"orderStatusNumber": status})

    async def report_order_line(self, order_id: int, line_id: int, quantity: Decimal) -> None:
        """Say how much of what was picked on a line is booked. The figure is absolute, so a repeat is harmless."""
        path = f"lines/{segment(line_id)}/reportedNumberOfItems"
        await self._patch(order_id, path, {"reportedNumberOfItems": quantity})

    async def report_all_picked(self, order_id: int) -> None:
        """Say that everything is booked that is picked when this arrives, which may be more than we have seen: look again."""
        await self._patch(order_id, "setReportedNumberOfItemsToPickedNumberOfItems", None)

    # --- returns

    async def put_return_order(self, back: PostReturnOrder) -> int:
        """Create or replace by return order number, until goods have come back; a repeat is harmless. Returns Ongoing's id."""
        hide = [back.comment] if back.comment else []
        answer = await self._write("PUT", "returnOrders", "order", back.body(self._goods_owner_id), hide)
        return _id_of(answer, "returnOrderId")

    async def get_return_order(self, return_order_id: int) -> GetReturnOrder:
        """One return order. Another than asked for is no answer."""
        answer = await self._read(f"returnOrders/{segment(return_order_id)}")
        found = read(answer, _RETURN, json_of(answer))
        if found.return_order_id != return_order_id:
            raise Unreadable(f"{answer.call}: {answer.status}, answered with return order {found.return_order_id}")
        return found

    async def find_return_order(self, return_order_number: str) -> GetReturnOrder | None:
        """The return order with exactly this number; None if there is none."""
        found = await self._return_orders([("returnOrderNumbers", return_order_number)])
        return next((each for each in found if each.return_order_number == return_order_number), None)

    async def return_orders_of(self, order_number: str) -> list[GetReturnOrder]:
        """Every return order of an order, by ascending id. There is no paging here."""
        found = await self._return_orders([("customerOrderNumbers", order_number)])
        return sorted((each for each in found if each.order_number == order_number), key=lambda each: each.return_order_id)

    async def _return_orders(self, parameters: Sequence[tuple[str, object]]) -> list[GetReturnOrder]:
        answer = await self._read("returnOrders", [("goodsOwnerId", self._goods_owner_id), *parameters])
        return read(answer, _RETURNS, json_of(answer))

    async def cancel_return_order(self, return_order_id: int) -> None:
        """Ask for the return order to be cancelled. The answer proves nothing either way: read it afterwards."""
        await self._write("DELETE", f"returnOrders/{segment(return_order_id)}", "order", None)

    async def report_returned_line(self, order_id: int, line_id: int, quantity: Decimal) -> None:
        """Say how much of what came back on an order's line is booked. The figure is absolute, so a repeat is harmless."""
        path = f"lines/{segment(line_id)}/reportedReturnedNumberOfItems"
        await self._patch(order_id, path, {"reportedReturnedNumberOfItems": quantity})

    async def return_order_statuses(self) -> list[OrderStatus]:
        """The warehouse's own list of statuses of return orders."""
        answer = await self._read("returnOrders/statuses")
        data = json_of(answer)
        return read(answer, _STATUSES, data.get("returnOrderStatuses") if isinstance(data, dict) else data)

    async def return_causes(self) -> list[ReturnCause]:
        """The causes of returns that the warehouse knows."""
        answer = await self._read("returnOrders/returnCauses", [("goodsOwnerId", self._goods_owner_id)])
        data = json_of(answer)
        return read(answer, _CAUSES, data.get("returnCauses") if isinstance(data, dict) else data) or []

    # --- purchase orders

    async def put_purchase_order(self, purchase: PostPurchaseOrder) -> int:
        """Create or replace by number, until the warehouse has begun; a repeat is harmless. Returns Ongoing's id."""
        hide = [purchase.remark] if purchase.remark else []
        answer = await self._write("PUT", "purchaseOrders", "order", purchase.body(self._goods_owner_id), hide)
        return _id_of(answer, "purchaseOrderId")

    async def get_purchase_order(self, purchase_order_id: int) -> GetPurchaseOrder:
        """One purchase order. Another goods owner's, or another than asked for, is no answer."""
        answer = await self._read(f"purchaseOrders/{segment(purchase_order_id)}")
        found = self._owned(answer, read(answer, _PURCHASE, json_of(answer)))
        if found.purchase_order_id != purchase_order_id:
            raise Unreadable(f"{answer.call}: {answer.status}, answered with purchase order {found.purchase_order_id}")
        return found

    async def find_purchase_order(self, number: str) -> GetPurchaseOrder | None:
        """The purchase order with exactly this number, the newest if a number was made twice; None if there is none."""
        parameters = [("goodsOwnerId", self._goods_owner_id), ("purchaseOrderNumber", number)]
        answer = await self._read("purchaseOrders", parameters)
        found = [self._owned(answer, each) for each in read(answer, _PURCHASES, json_of(answer))]
        mine = (each for each in found if each.purchase_order_number == number)
        return max(mine, key=lambda each: each.purchase_order_id, default=None)

    async def list_purchase_orders(
        self, wanted: PurchaseFilter | None = None, *, page_size: int = 100
    ) -> AsyncIterator[list[GetPurchaseOrder]]:
        """Pages of purchase orders by ascending id. A page may serve as one look at each on it."""
        wanted = wanted or PurchaseFilter()
        numbers, first = wanted.purchase_order_numbers, wanted.purchase_order_id_from
        async for page in self._pages(
            "purchaseOrders", _PURCHASES, wanted.parameters(), numbers, page_size=page_size, first=first
        ):
            yield page

    async def cancel_purchase_order(self, purchase_order_id: int) -> None:
        """Ask for the purchase order to be cancelled. The answer proves nothing either way: read it afterwards."""
        await self._write("DELETE", f"purchaseOrders/{segment(purchase_order_id)}", "order", None)

    async def report_received_line(self, purchase_order_id: int, line_id: int, quantity: Decimal) -> None:
        """Say how much of what came in on a line is booked. The figure is absolute, so a repeat is harmless."""
        path = f"purchaseOrders/{segment(purchase_order_id)}/lines/{segment(line_id)}/reportedNumberOfItems"
        self._taken(await self._write("PATCH", path, "order", {"reportedNumberOfItems": quantity}))

    async def purchase_order_statuses(self) -> list[OrderStatus]:
        """The warehouse's own list of statuses of purchase orders; its key is that of orders here too."""
        answer = await self._read("purchaseOrders/statuses")
        data = json_of(answer)
        return read(answer, _STATUSES, data.get("orderStatuses") if isinstance(data, dict) else data)

    # --- lists that seldom change

    async def order_statuses(self) -> list[OrderStatus]:
        """The warehouse's own list of statuses."""
        answer = await self._read("orders/statuses")
        data = json_of(answer)
        return read(answer, _STATUSES, data.get("orderStatuses") if isinstance(data, dict) else data)

    async def order_types(self) -> list[str]:
        """The codes of the types of orders that the warehouse knows; an order may bring a new one."""
        return await self._named("orders/types", "orderTypes")

    async def ways_of_delivery(self) -> list[str]:
        """The codes of the ways of delivery that the warehouse knows; an order may bring a new one."""
        return await self._named("orders/wayOfDeliveryTypes", "wayOfDeliveryTypes")

    async def _named(self, path: str, key: str) -> list[str]:
        answer = await self._read(path, [("goodsOwnerId", self._goods_owner_id)])
        data = json_of(answer)
        listed = read(answer, _NAMED, data.get(key) if isinstance(data, dict) else data) or []
        return [each.code for each in listed if each.code]

    async def warehouses(self) -> list[Warehouse]:
        """The warehouses of this instance."""
        answer = await self._read("warehouses")
        return read(answer, _WAREHOUSES, json_of(answer))

    async def transporter_contracts(self) -> list[TransporterContract]:
        """Carriers and services that an order may name."""
        answer = await self._read("transporterContracts", [("goodsOwnerId", self._goods_owner_id)])
        return read(answer, _CONTRACTS, json_of(answer))

    # --- requests

    async def _read(self, path: str, parameters: Iterable[tuple[str, object]] = ()) -> Answer:
        return await self._call("GET", path, "read", query(parameters), None)

    async def _write(self, method: str, path: str, kind: Kind, body: object, hide: Iterable[str] = ()) -> Answer:
        return await self._call(method, path, kind, "", None if body is None else write_json(body), hide)

    async def _patch(self, order_id: int, path: str, body: object) -> None:
        self._taken(await self._write("PATCH", f"orders/{segment(order_id)}/{path}", "order", body))

    def _taken(self, answer: Answer) -> None:
        # Ongoing's list says "binary" for some of these: an empty or odd body is a yes, a proxy's page is not.
        if answer.is_html:
            raise Unreadable(f"{answer.call}: {answer.status}, a page of HTML")

    async def _call(
        self, method: str, path: str, kind: Kind, parameters: str, body: bytes | None, hide: Iterable[str] = ()
    ) -> Answer:
        held = self._gate(kind) if self._gate else None
        answer = await send(
            self._http,
            method,
            path,
            parameters=parameters,
            body=body,
            deadline=self._deadline,
            cap=self._cap,
            gate=(lambda: held) if held is not None else None,
        )
        if 200 <= answer.status < 300:
            return answer
        if answer.status == 404 and answer.is_html:
            raise Unreadable(f"{answer.call}: 404, a page of HTML: not Ongoing's answer")
        raise failure_of(answer, None, _reason(answer), hide)

    def _ours(self, answer: Answer, order: GetOrder) -> GetOrder:
        if order.goods_owner_id not in (None, self._goods_owner_id):
            raise Unreadable(f"{answer.call}: order {order.order_id} belongs to goods owner {order.goods_owner_id}")
        return order

    def _owned(self, answer: Answer, purchase: GetPurchaseOrder) -> GetPurchaseOrder:
        if purchase.goods_owner_id not in (None, self._goods_owner_id):
            text = f"purchase order {purchase.purchase_order_id} belongs to goods owner {purchase.goods_owner_id}"
            raise Unreadable(f"{answer.call}: {text}")
        return purchase

    async def _pages(
        self,
        path: str,
        adapter: TypeAdapter[list[T]],
        parameters: Iterable[tuple[str, object]],
        numbers: Sequence[str],
        *,
        page_size: int,
        first: int | None = None,
    ) -> AsyncIterator[list[T]]:
        cursor_name, size_name, id_of, number_of, numbers_name = _PAGING[path]
        fixed = [("goodsOwnerId", self._goods_owner_id), *parameters]
        for part in _in_parts(numbers):
            asked, missing, cursor = [(numbers_name, number) for number in part], set(part), first
            while not part or missing:  # all numbers asked for have answered: the empty last page need not be fetched
                answer = await self._read(path, [*fixed, *asked, (cursor_name, cursor), (size_name, page_size)])
                page = read(answer, adapter, json_of(answer))
                if not page:
                    break
                last = max(id_of(item) for item in page)
                if cursor is not None and last < cursor:
                    raise Unreadable(f"{answer.call}: the cursor does not advance past {cursor}")
                page = [self._checked(answer, item) for item in page]
                missing -= {number_of(item) for item in page}
                yield page
                cursor = last + 1

    def _checked(self, answer: Answer, item: T) -> T:
        if isinstance(item, GetOrder):
            self._ours(answer, item)
        elif isinstance(item, GetPurchaseOrder):
            self._owned(answer, item)
        return item


def _order_id(item: Any) -> int:
    return int(item.order_id)


def _article_id(item: Any) -> int:
    return int(item.article_system_id)


def _purchase_id(item: Any) -> int:
    return int(item.purchase_order_id)


def _number(field: str, item: Any) -> str:
    return str(getattr(item, field))


_PAGING: dict[str, tuple[str, str, Callable[[Any], int], Callable[[Any], str], str]] = {
    "orders": ("orderIdFrom", "maxOrdersToGet", _order_id, partial(_number, "order_number"), "orderNumbers"),
    "purchaseOrders": (
        "purchaseOrderIdFrom",
        "maxPurchaseOrdersToGet",
        _purchase_id,
        partial(_number, "purchase_order_number"),
        "purchaseOrderNumbers",
    ),
    "articles": ("articleSystemIdFrom", "maxArticlesToGet", _article_id, partial(_number, "article_number"), "articleNumbers"),
    "articles/inventoryPerWarehouse": (
        "articleSystemIdFrom",
        "maxArticlesToGet",
        _article_id,
        partial(_number, "article_number"),
        "articleNumbers",
    ),
}


def _in_parts(numbers: Sequence[str]) -> Iterator[list[str]]:
    """Numbers in parts that fit in a query; one empty part when there are none, which means all."""
    part: list[str] = []
    length = 0
    for number in numbers:
        needed = len(quote(number, safe="")) + len("&purchaseOrderNumbers=")
        if part and length + needed > LONGEST_NUMBERS:
            yield part
            part, length = [], 0
        part.append(number)
        length += needed
    if part or not numbers:
        yield part


def _id_of(answer: Answer, name: str) -> int:
    """The id in an answer to a PUT. Ongoing may answer 2xx without one: then nobody knows, and the number must be read back."""
    data = json_of(answer)
    found = read(answer, _NULLABLE_ID, data.get(name) if isinstance(data, dict) else None)
    if found is None:
        raise Unreadable(f"{answer.call}: {answer.status} without {name}: read it back by its number")
    return found


def _reason(answer: Answer) -> str:
    """The reason in a refusal: undocumented, so the spellings that were seen, else plain text."""
    if answer.is_html:
        return "a page of HTML"
    try:
        data = read_json(answer.content)
    except ValueError:
        return answer.content[:3000].decode("utf-8", "replace")
    if not isinstance(data, dict):
        return data if isinstance(data, str) else ""
    words = [value for name in ("message", "Message", "error", "Error") if isinstance(value := data.get(name), str) and value]
    states = data.get("ModelState")
    if isinstance(states, dict):
        words += [f"{field}: {' '.join(map(str, told)) if isinstance(told, list) else told}" for field, told in states.items()]
    return " ".join(words)
