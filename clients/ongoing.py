"""Ongoing WMS, the goods owner REST API v1. Names are Ongoing's own, in snake case; `line_id` and `order_id` are its ids.

Optional details may be null, missing or an empty list, and mean the same. A quantity that is null stays None: unknown, and
never zero; the caller judges. Ongoing has no error codes, so after a refusal the order itself is read to see what holds.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import AliasPath, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from clients.errors import Unreadable
from clients.transport import CAP, DEADLINE, Answer, failure_of, json_of, query, read, segment, send
from clients.wire import Day, Exact, Id, Instant, Key, NullAsEmpty, Text, Whole, read_json, utc, write_json

# What a request does, for the gate: orders are written before articles, one write at a time.
Kind = Literal["read", "order", "article"]
KindGate = Callable[[Kind], AbstractAsyncContextManager[None] | None]
T = TypeVar("T", bound="GetOrder | GetArticle | ArticleInventory | GetPurchaseOrder")

# The server is IIS, which by default refuses a query of more than 2048 characters.
LONGEST_NUMBERS = 1500


class Model(BaseModel):
    """How Ongoing spells: camel case. Unknown fields are ignored, values are never shown in errors."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )


# --- what we send -----------------------------------------------------------------------------------------------------


class Consignee(Model):
    """Who gets the goods. Only the customer number and the country are ever shown."""

    customer_number: Text | None = None
    name: Text | None = Field(None, repr=False)
    address1: Text | None = Field(None, repr=False)
    address2: Text | None = Field(None, repr=False)
    address3: Text | None = Field(None, repr=False)
    post_code: Text | None = Field(None, repr=False)
    city: Text | None = Field(None, repr=False)
    country_code: Text | None = None
    country_state_code: Text | None = Field(None, repr=False)
    door_code: Text | None = Field(None, repr=False)
    remark: Text | None = Field(None, repr=False)
    organisation_number: Text | None = Field(None, repr=False)
    vat_number: Text | None = Field(None, repr=False)


class Prices(Model):
    line_price: Exact | None = None
    customer_line_price: Exact | None = None
    currency_code: Text | None = None
    discount_percentage: Exact | None = None


class PostOrderLine(Model):
    """One line; `row_number` is ours and unique in the order."""

    row_number: Key
    article_number: Key
    number_of_items: Exact
    comment: Text | None = Field(None, repr=False)
    should_be_picked: bool | None = None
    serial_number: Text | None = None
    batch_number: Text | None = None
    line_total_customs_value: Exact | None = None
    customer_article_number: Text | None = None
    warehouse_instruction: Text | None = Field(None, repr=False)
    external_id: Text | None = None
    prices: Prices | None = None


class Transporter(Model):
    """A carrier by Ongoing's codes, those of `transporter_contracts`."""

    transporter_code: Text
    transporter_service_code: Text | None = None


class PostOrder(Model):
    """An order whole, as it shall be. `way_of_delivery`, `order_type` and `terms_of_delivery_type` are codes of ours, which
    the warehouse maps; `email` and `phone` are where the consignee is notified, unless `notify` says no."""

    order_number: Key
    delivery_date: date
    consignee: Consignee
    order_lines: list[PostOrderLine] = Field(repr=False)
    goods_owner_order_id: Text | None = None
    reference_number: Text | None = None
    consignee_order_number: Text | None = None
    sales_code: Text | None = None
    order_remark: Text | None = Field(None, repr=False)
    delivery_instruction: Text | None = Field(None, repr=False)
    warehouse_instruction: Text | None = Field(None, repr=False)
    service_point_code: Text | None = None
    free_text1: Text | None = Field(None, repr=False)
    free_text2: Text | None = Field(None, repr=False)
    free_text3: Text | None = Field(None, repr=False)
    order_type: Text | None = None
    way_of_delivery: Text | None = None
    terms_of_delivery_type: Text | None = None
    transporter: Transporter | None = None
    email: Text | None = Field(None, repr=False)
    phone: Text | None = Field(None, repr=False)
    notify: bool = True
    customs_value_currency_code: Text | None = None
    freight_price: Exact | None = None
    customer_price: Exact | None = None
    warehouse_id: int | None = None
    picking_priority: int | None = None

    def body(self, goods_owner_id: int) -> dict[str, Any]:
        """The order as Ongoing takes it. Nothing is sent that was not meant: v57 allows no other fields."""
        apart = {"email", "phone", "notify", "order_type", "way_of_delivery", "terms_of_delivery_type"}
        body = self.model_dump(by_alias=True, exclude_none=True, exclude=apart | {"customs_value_currency_code"})
        body["goodsOwnerId"] = goods_owner_id
        codes = {
            "orderType": self.order_type,
            "wayOfDelivery": self.way_of_delivery,
            "termsOfDeliveryType": self.terms_of_delivery_type,
        }
        body |= {name: {"code": code, "name": code} for name, code in codes.items() if code}
        for name, value in (("emailNotification", self.email), ("smsNotification", self.phone)):
            if value:
                body[name] = {"toBeNotified": self.notify, "value": value}
        if self.customs_value_currency_code:
            body["customsInfo"] = {"customsValueCurrencyCode": self.customs_value_currency_code}
        return body

    def in_confidence(self) -> Iterator[str]:
        """What must not come back in a message."""
        address = self.consignee.model_dump(exclude={"customer_number", "country_code"}, exclude_none=True)
        yield from map(str, address.values())
        texts = (self.email, self.phone, self.order_remark, self.delivery_instruction, self.warehouse_instruction)
        yield from (text for text in (*texts, self.free_text1, self.free_text2, self.free_text3) if text)


class TaricNumber(Model):
    country_code: Text
    taric_number: Text


class AlternativeBarCode(Model):
    bar_code: Text
    quantity_per_bar_code: Exact | None = None


class ArticleNameTranslation(Model):
    language_code: Text
    article_name: Text


class StructureRow(Model):
    article_number: Key
    number_of_items: Exact


class StructureDefinition(Model):
    """What a kit is made of. `article_kind` is `Structure` (taken apart at the pick) or `Production`."""

    article_kind: Text = "Structure"
    rows: list[StructureRow]


class PostArticle(Model):
    """An article whole. `article_group` and `article_category` are names; weight is in kilograms."""

    article_number: Key
    article_name: Text | None = None
    description: Text | None = None
    product_code: Text | None = None
    unit_code: Text | None = None
    is_stock_article: bool | None = None
    is_active: bool | None = None
    article_group: Text | None = None
    article_category: Text | None = None
    bar_code: Text | None = None
    bar_code_package: Text | None = None
    bar_code_pallet: Text | None = None
    alternative_bar_codes: list[AlternativeBarCode] | None = None
    supplier_number: Text | None = None
    supplier_name: Text | None = None
    supplier_article_number: Text | None = None
    quantity_per_package: int | None = None
    quantity_per_pallet: int | None = None
    weight: Exact | None = None
    net_weight: Exact | None = None
    length: Exact | None = None
    width: Exact | None = None
    height: Exact | None = None
    volume: Exact | None = None
    purchase_price: Exact | None = None
    stock_valuation_price: Exact | None = None
    customer_price: Exact | None = None
    purcase_currency_code: Text | None = None  # sic: Ongoing's spelling
    country_of_origin_code: Text | None = None
    statistics_number: Text | None = None
    customs_description: Text | None = None
    taric_numbers: list[TaricNumber] | None = None
    stock_limit: int | None = None
    link_to_picture: Text | None = None
    is_serial_number_article: bool | None = None
    is_batch_article: bool | None = None
    is_expiry_date_article: bool | None = None
    article_name_translations: list[ArticleNameTranslation] | None = None
    structure_definition: StructureDefinition | None = None
    null_clears_structure: bool = False

    def body(self, goods_owner_id: int) -> dict[str, Any]:
        """The article as Ongoing takes it, details in the groups it wants them in. What we have not is sent as null: whether
        an omitted field is kept or cleared over there is not documented, and a bar code that was taken away must go."""
        flat = self.model_dump(by_alias=True, exclude={"null_clears_structure"})
        if flat["structureDefinition"] is None and not self.null_clears_structure:
            del flat["structureDefinition"]  # what an article without it takes a null for is not known
        body: dict[str, Any] = {"goodsOwnerId": goods_owner_id}
        body |= {name: value for name, value in flat.items() if name not in _GROUPED}
        for name in ("articleGroup", "articleCategory"):
            body[name] = flat[name] and {"code": flat[name], "name": flat[name]}
        for group, names in _GROUPS.items():
            body[group] = {name: flat[name] for name in names}
        body["storageProperties"] = {name: value for name, value in body["storageProperties"].items() if value is not None}
        return body


_GROUPS = {
    "barCodeInfo": ("barCode", "barCodePackage", "barCodePallet", "alternativeBarCodes"),
    "supplierInfo": ("supplierNumber", "supplierName", "supplierArticleNumber"),
    "taricNumbersInfo": ("taricNumbers",),
    "storageProperties": ("isSerialNumberArticle", "isBatchArticle", "isExpiryDateArticle"),
}
_GROUPED = {name for names in _GROUPS.values() for name in names} | {"articleGroup", "articleCategory"}


class Cause(Model):
    """Why goods come back. A code that the warehouse does not know is made by naming it."""

    code: Text
    name: Text | None = None


class PostReturnLine(Model):
    """One line; `line_id` is Ongoing's id of the original order's line."""

    row_number: Key
    line_id: Id
    to_be_returned: Exact
    cause: Cause | None = None


class PostReturnOrder(Model):
    """A return order whole; `order_id` is Ongoing's id of the original order."""

    return_order_number: Key
    order_id: Id
    lines: list[PostReturnLine] = Field(repr=False)
    in_date: date | None = None
    comment: Text | None = Field(None, repr=False)

    def body(self, goods_owner_id: int) -> dict[str, Any]:
        """The return order as Ongoing takes it."""
        body: dict[str, Any] = {
            "goodsOwnerId": goods_owner_id,
            "returnOrderNumber": self.return_order_number,
            "customerOrder": {"orderId": self.order_id},
            "returnOrderLines": [
                {
                    "returnOrderRowNumber": line.row_number,
                    "customerOrderLine": {"orderLineId": line.line_id},
                    "toBeReturnedNumberOfItems": line.to_be_returned,
                }
                | ({"returnCause": line.cause.model_dump(by_alias=True, exclude_none=True)} if line.cause else {})
                for line in self.lines
            ],
        }
        if self.in_date:
            body["inDate"] = self.in_date
        if self.comment:
            body["comment"] = self.comment
        return body


class PostPurchaseLine(Model):
    """One line of an expected delivery; `row_number` is ours and unique in the purchase order."""

    row_number: Key
    article_number: Key
    number_of_items: Exact
    row_price: Exact | None = None
    currency_code: Text | None = None


class PostPurchaseOrder(Model):
    """An expected delivery whole, as it shall be. `reference_number` is a text of ours that comes back as it was sent."""

    purchase_order_number: Key
    lines: list[PostPurchaseLine] = Field(repr=False)
    purchase_order_type: Text | None = None
    in_date: date | None = None
    supplier_number: Text | None = None
    supplier_name: Text | None = None
    reference_number: Text | None = None
    remark: Text | None = Field(None, repr=False)

    def body(self, goods_owner_id: int) -> dict[str, Any]:
        """The purchase order as Ongoing takes it."""
        body: dict[str, Any] = {
            "goodsOwnerId": goods_owner_id,
            "purchaseOrderNumber": self.purchase_order_number,
            "purchaseOrderLines": [line.model_dump(by_alias=True, exclude_none=True) for line in self.lines],
            "inDate": self.in_date,
            "purchaseOrderRemark": self.remark,
        }
        if self.purchase_order_type:
            body["purchaseOrderType"] = {"code": self.purchase_order_type, "name": self.purchase_order_type}
        if self.reference_number:
            body["referenceNumber"] = self.reference_number
        if self.supplier_number:
            body["supplierInfo"] = {"supplierNumber": self.supplier_number, "supplierName": self.supplier_name or ""}
        return body


# --- what we read -----------------------------------------------------------------------------------------------------


class PickedArticleItem(Model):
    article_item_id: Id | None = None
    number_of_items: Exact | None = None
    is_picked: bool | None = None
    is_returned: bool | None = None
    picked_time: Instant | None = None
    packed_time: Instant | None = None
    return_date: Instant | None = None
    return_cause: Text | None = Field(None, validation_alias=AliasPath("returnCause", "code"))
    batch_number: Text | None = None
    serial: Text | None = None


class GetOrderLine(Model):
    """One line with its counters. A kit's components are lines of their own, below it."""

    line_id: Id = Field(validation_alias="id")
    row_number: Text | None = None
    article_number: Text = Field("", validation_alias=AliasPath("article", "articleNumber"))
    article_system_id: Id | None = Field(None, validation_alias=AliasPath("article", "articleSystemId"))
    article_kind: Text | None = Field(None, validation_alias=AliasPath("article", "articleKind"))
    ordered: Exact | None = Field(None, validation_alias="orderedNumberOfItems")
    allocated: Exact | None = Field(None, validation_alias="allocatedNumberOfItems")
    picked: Exact | None = Field(None, validation_alias="pickedNumberOfItems")
    packed: Exact | None = Field(None, validation_alias="packedNumberOfItems")
    returned: Exact | None = Field(None, validation_alias="returnedNumberOfItems")
    reported: Exact | None = Field(None, validation_alias="reportedNumberOfItems")
    reported_returned: Exact | None = Field(None, validation_alias="reportedReturnedNumberOfItems")
    should_be_picked: bool | None = None
    picked_article_items: Annotated[list[PickedArticleItem], NullAsEmpty] = []
    components: Annotated[list["GetOrderLine"], NullAsEmpty] = Field([], validation_alias="subOrderLines")

    @property
    def leaves(self) -> list["GetOrderLine"]:
        """The lines that goods are picked on: this one, or its components if it is a kit."""
        if not self.components:
            return [self]
        return [leaf for component in self.components for leaf in component.leaves]

    @property
    def counted(self) -> list["GetOrderLine"]:
        """Every line that has counters of its own to follow: this one, and its components if it is a kit."""
        return [self, *self.leaves] if self.components else [self]

    @property
    def picked_at(self) -> datetime | None:
        """When goods were last picked on this line."""
        times = [item.picked_time for item in self.picked_article_items if item.picked_time and item.is_picked is not False]
        return max(times, default=None)

    @property
    def returned_items(self) -> list[PickedArticleItem]:
        """What came back on this line, piece by piece; a kit's pieces are on its components."""
        return [item for item in self.picked_article_items if item.is_returned]

    @property
    def returned_at(self) -> datetime | None:
        """When goods last came back on this line."""
        return max((item.return_date for item in self.returned_items if item.return_date), default=None)


class Tracking(Model):
    """One way to follow the goods: a waybill, an address, or both."""

    waybill: Text | None = None
    tracking_url: Text | None = None


class Parcel(Model):
    parcel_id: Id | None = Field(None, validation_alias="id")
    parcel_number: Text | None = None
    is_return_parcel: bool | None = None
    tracking: Tracking | None = None


class OrderTransporter(Model):
    transporter_name: Text | None = None
    name: Text | None = None
    code: Text | None = None
    service_code: Text | None = None


def _info(name: str) -> AliasPath:
    return AliasPath("orderInfo", name)


class GetOrder(Model):
    """An order as the warehouse has it. `status` is a number of that warehouse's own list."""

    order_id: Id = Field(validation_alias=_info("orderId"))
    order_number: Text | None = Field(None, validation_alias=_info("orderNumber"))
    goods_owner_id: Id | None = Field(None, validation_alias=AliasPath("goodsOwner", "id"))
    goods_owner_order_id: Text | None = Field(None, validation_alias=_info("goodsOwnerOrderId"))
    reference_number: Text | None = Field(None, validation_alias=_info("referenceNumber"))
    status: Whole = Field(validation_alias=AliasPath("orderInfo", "orderStatus", "number"))
    status_text: Text | None = Field(None, validation_alias=AliasPath("orderInfo", "orderStatus", "text"))
    created_date: Instant | None = Field(None, validation_alias=_info("createdDate"))
    delivery_date: Day | None = Field(None, validation_alias=_info("deliveryDate"))
    shipped_time: Instant | None = Field(None, validation_alias=_info("shippedTime"))
    way_of_delivery: Text | None = Field(None, validation_alias=AliasPath("orderInfo", "wayOfDelivery", "code"))
    warehouse_id: Id | None = Field(None, validation_alias=AliasPath("orderInfo", "warehouse", "id"))
    way_bill: Text | None = Field(None, validation_alias=_info("wayBill"))
    return_way_bill: Text | None = Field(None, validation_alias=_info("returnWayBill"))
    back_order_for_order_id: Id | None = Field(
        None, validation_alias=AliasPath("orderInfo", "advanced", "backOrderInfo", "backOrderForOrderId")
    )
    consignee: Consignee | None = Field(None, repr=False)
    transporter: OrderTransporter | None = None
    lines: Annotated[list[GetOrderLine], NullAsEmpty] = Field([], validation_alias="orderLines")
    parcels: Annotated[list[Parcel], NullAsEmpty] = []
    tracking_entries: Annotated[list[Tracking], NullAsEmpty] = Field([], validation_alias="tracking")

    @property
    def tracking(self) -> list[Tracking]:
        """Where the goods can be followed, from the three places that may tell, each once; what goes back is left out."""
        returning = {parcel.tracking.waybill for parcel in self.parcels if parcel.is_return_parcel and parcel.tracking}
        returning |= {self.return_way_bill}
        told = list(self.tracking_entries)
        told += [parcel.tracking for parcel in self.parcels if parcel.tracking and not parcel.is_return_parcel]
        if self.way_bill:
            told.append(Tracking(waybill=self.way_bill, tracking_url=None))
        addresses: dict[str, str | None] = {}
        for entry in told:
            if entry.waybill and entry.waybill not in returning:
                addresses[entry.waybill] = addresses.get(entry.waybill) or entry.tracking_url
        known = [Tracking(waybill=waybill, tracking_url=address) for waybill, address in addresses.items()]
        loose = {entry.tracking_url: entry for entry in told if entry.tracking_url and not entry.waybill}
        return known + [entry for address, entry in loose.items() if address not in addresses.values()]


class OrderStatus(Model):
    number: Whole
    text: Text | None = None


class Warehouse(Model):
    warehouse_id: Id = Field(validation_alias="id")
    code: Text | None = None
    name: Text | None = None


class TransporterService(Model):
    transporter_service_code: Text | None = None
    transporter_service_name: Text | None = None


class TransporterContract(Model):
    transporter_code: Text | None = None
    transporter_name: Text | None = None
    transporter_service_code: Text | None = None
    transporter_services: Annotated[list[TransporterService], NullAsEmpty] = []


class ReturnedItem(Model):
    """Pieces that came in on a return order. `removed` says that they were thrown away again."""

    number_of_items: Exact | None = None
    removed: bool | None = Field(None, validation_alias="isReturnRemovedByInventory")
    cause: Text | None = Field(None, validation_alias=AliasPath("returnCause", "code"))
    return_time: Instant | None = None


class GetReturnLine(Model):
    """One line of a return order with its counters; `order_line_id` is the line of the original order."""

    return_line_id: Id = Field(validation_alias="returnOrderLineId")
    row_number: Text | None = Field(None, validation_alias="returnOrderRowNumber")
    order_line_id: Id | None = Field(None, validation_alias=AliasPath("customerOrderLine", "orderLineId"))
    article_number: Text = Field("", validation_alias=AliasPath("article", "articleNumber"))
    to_be_returned: Exact | None = Field(None, validation_alias="toBeReturnedNumberOfItems")
    returned: Exact | None = Field(None, validation_alias="returnedNumberOfItems")
    removed: Exact | None = Field(None, validation_alias="returnedRemovedByInventoryNumberOfItems")
    cause: Text | None = Field(None, validation_alias=AliasPath("returnCause", "code"))
    items: Annotated[list[ReturnedItem], NullAsEmpty] = Field([], validation_alias="returnedArticleItems")


class GetReturnOrder(Model):
    """A return order as the warehouse has it. `status` is a number of that warehouse's own list."""

    return_order_id: Id = Field(validation_alias=AliasPath("returnOrderInfo", "returnOrderId"))
    return_order_number: Text | None = Field(None, validation_alias=AliasPath("returnOrderInfo", "returnOrderNumber"))
    status: Whole | None = Field(None, validation_alias=AliasPath("returnOrderInfo", "returnOrderStatus", "number"))
    order_id: Id | None = Field(None, validation_alias=AliasPath("customerOrderInfo", "orderId"))
    order_number: Text | None = Field(None, validation_alias=AliasPath("customerOrderInfo", "orderNumber"))
    lines: Annotated[list[GetReturnLine], NullAsEmpty] = Field([], validation_alias="returnOrderLines")


class ReceivedItem(Model):
    """One receipt on a line of a purchase order."""

    number_of_items: Exact | None = None
    received_at: Instant | None = Field(None, validation_alias="inDate")


class GetPurchaseLine(Model):
    """One line of a purchase order with its counters. The warehouse may add lines of its own: they have no row number of ours."""

    line_id: Id = Field(validation_alias="id")
    row_number: Text | None = None
    article_number: Text = Field("", validation_alias=AliasPath("article", "articleNumber"))
    article_system_id: Id | None = Field(None, validation_alias=AliasPath("article", "articleSystemId"))
    advised: Exact | None = Field(None, validation_alias="advisedNumberOfItems")
    received: Exact | None = Field(None, validation_alias="receivedNumberOfItems")
    reported: Exact | None = Field(None, validation_alias="reportedNumberOfItems")
    items: Annotated[list[ReceivedItem], NullAsEmpty] = Field([], validation_alias="articleItems")

    @property
    def received_at(self) -> datetime | None:
        """When goods last came in on this line."""
        return max((item.received_at for item in self.items if item.received_at), default=None)


def _purchase_info(name: str) -> AliasPath:
    return AliasPath("purchaseOrderInfo", name)


class GetPurchaseOrder(Model):
    """A purchase order as the warehouse has it. `status` is a number of that warehouse's own list."""

    purchase_order_id: Id = Field(validation_alias=_purchase_info("purchaseOrderId"))
    purchase_order_number: Text | None = Field(None, validation_alias=_purchase_info("purchaseOrderNumber"))
    goods_owner_id: Id | None = Field(None, validation_alias=AliasPath("goodsOwner", "id"))
    warehouse_id: Id | None = Field(None, validation_alias=AliasPath("purchaseOrderInfo", "warehouse", "id"))
    reference_number: Text | None = Field(None, validation_alias=_purchase_info("referenceNumber"))
    status: Whole = Field(validation_alias=AliasPath("purchaseOrderInfo", "purchaseOrderStatus", "number"))
    in_date: Day | None = Field(None, validation_alias=_purchase_info("inDate"))
    supplier_number: Text | None = Field(None, validation_alias=AliasPath("supplierInfo", "supplierNumber"))
    lines: Annotated[list[GetPurchaseLine], NullAsEmpty] = Field([], validation_alias="purchaseOrderLines")


class ReturnCause(Model):
    cause_id: Id | None = Field(None, validation_alias="id")
    code: Text
    name: Text | None = None


class Named(Model):
    """A type of orders or a way of delivery, as the warehouse lists it."""

    code: Text | None = None
    name: Text | None = None


class InventoryInfo(Model):
    """Stock figures of an article over all warehouses. `sellable_number_of_items` may be negative."""

    number_of_items: Exact | None = None
    number_of_booked_items: Exact | None = None
    number_of_locked_items: Exact | None = None
    to_receive_number_of_items: Exact | None = None
    allocated_number_of_items: Exact | None = None
    locked_for_sale_number_of_items: Exact | None = None
    picked_to_be_collected_number_of_items: Exact | None = None
    received_to_be_finished_number_of_items: Exact | None = None
    sellable_number_of_items: Exact | None = None
    total_stock_value: Exact | None = None


class GetArticle(Model):
    article_system_id: Id
    article_number: Text
    article_name: Text | None = None
    unit_code: Text | None = None
    is_stock_article: bool | None = None
    is_active: bool | None = None
    article_kind: Text | None = None
    bar_code: Text | None = Field(None, validation_alias=AliasPath("barCodeInfo", "barCode"))
    inventory_info: InventoryInfo | None = None


class Unreported(Model):
    """What Ongoing has counted and we have not reported back, by its own figures."""

    picked_to_be_reported: Exact | None = Field(None, validation_alias="pickedToBeReportedNumberOfItems")
    received_to_be_reported: Exact | None = Field(None, validation_alias="receivedToBeReportedNumberOfItems")
    returned_to_be_reported: Exact | None = Field(None, validation_alias="returnedToBeReportedNumberOfItems")


class WarehouseInventory(Model):
    warehouse_id: Id
    number_of_items: Exact | None = None
    number_of_locked_items: Exact | None = None
    sellable_number_of_items: Exact | None = None
    available_for_sale_number_of_items: Exact | None = None
    allocated_number_of_items: Exact | None = None
    reported: Unreported | None = None


class ArticleInventory(Model):
    article_system_id: Id
    article_number: Text
    inventory_per_warehouse: Annotated[list[WarehouseInventory], NullAsEmpty] = []


class AdjustmentCause(Model):
    code: Text
    name: Text | None = None


class InventoryAdjustment(Model):
    """A correction made in the warehouse, signed. It has no id of its own, and its cause is null where causes are not used."""

    inventory_id: Id
    number_of_items: Exact | None = None
    inventory_time: Instant | None = None
    cause: AdjustmentCause | None = Field(None, validation_alias="inventoryAdjustmentCause")
    comment: Text | None = Field(None, validation_alias="inventoryItemComment")
    warehouse_id: Id | None = Field(None, validation_alias=AliasPath("warehouse", "id"))


class ArticleAdjustments(Model):
    article_system_id: Id = Field(validation_alias=AliasPath("article", "articleSystemId"))
    article_number: Text = Field("", validation_alias=AliasPath("article", "articleNumber"))
    adjustments: Annotated[list[InventoryAdjustment], NullAsEmpty] = Field([], validation_alias="inventoryAdjustments")


class HistoricalArticle(Model):
    article_system_id: Id
    article_number: Text
    number_of_items: Exact | None = None


class HistoricalInventory(Model):
    articles: Annotated[list[HistoricalArticle], NullAsEmpty] = []


# --- what we ask for --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders; everything that is set must hold. Times are aware; `updated_from` may be at most two days old."""

    order_numbers: Sequence[str] = ()
    order_id_from: int | None = None
    status_from: int | None = None
    status_to: int | None = None
    status_changed_from: datetime | None = None
    updated_from: datetime | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    shipped_from: datetime | None = None
    shipped_to: datetime | None = None
    last_picking_from: datetime | None = None
    last_returned_from: datetime | None = None
    only_with_lines_to_report: bool = False
    only_with_lines_to_report_returned: bool = False
    back_order_for_order_id: int | None = None
    article_numbers: Sequence[str] = ()

    def parameters(self) -> list[tuple[str, object]]:
        """As query parameters, without the order numbers and the cursor, which paging adds."""
        times = {
            "orderStatusChangedTimeFrom": self.status_changed_from,
            "orderUpdatedTimeFrom": self.updated_from,
            "orderCreatedTimeFrom": self.created_from,
            "orderCreatedTimeTo": self.created_to,
            "shippedTimeFrom": self.shipped_from,
            "shippedTimeTo": self.shipped_to,
            "lastPickingTimeFrom": self.last_picking_from,
            "lastReturnedFrom": self.last_returned_from,
        }
        return [
            ("orderStatusFrom", self.status_from),
            ("orderStatusTo", self.status_to),
            *((name, at and utc(at)) for name, at in times.items()),
            ("onlyOrdersWithOrderLinesToReport", self.only_with_lines_to_report or None),
            ("onlyOrdersWithOrderLinesToReportReturned", self.only_with_lines_to_report_returned or None),
            ("backOrderForOrderId", self.back_order_for_order_id),
            *(("articleNumbers", number) for number in self.article_numbers),
        ]


@dataclass(frozen=True, slots=True)
class PurchaseFilter:
    """Which purchase orders; everything that is set must hold. Times are aware."""

    purchase_order_numbers: Sequence[str] = ()
    purchase_order_id_from: int | None = None
    status_changed_from: datetime | None = None
    last_received_from: datetime | None = None
    only_with_lines_to_report: bool = False
    article_numbers: Sequence[str] = ()

    def parameters(self) -> list[tuple[str, object]]:
        """As query parameters, without the numbers and the cursor, which paging adds."""
        return [
            *(("articleNumbers", number) for number in self.article_numbers),
            ("purchaseOrderStatusChangedTimeFrom", self.status_changed_from and utc(self.status_changed_from)),
            ("lastReceiveTimeFrom", self.last_received_from and utc(self.last_received_from)),
            ("onlyPurchaseOrdersWithOrderLinesToReport", self.only_with_lines_to_report or None),
        ]


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
