"""What Ongoing shows: orders, returns, purchases, articles, balances."""

from datetime import datetime
from typing import Annotated

from pydantic import AliasPath, Field

from clients.ongoing.model import Model
from clients.ongoing.sent import Consignee
from clients.wire import Day, Exact, Id, Instant, NullAsEmpty, Text, Whole


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
    picked_article_items: Annotated[list[PickedArticleItem], NullAsEmpty] = Field([])
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
    parcels: Annotated[list[Parcel], NullAsEmpty] = Field([])
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
    transporter_services: Annotated[list[TransporterService], NullAsEmpty] = Field([])


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
    inventory_per_warehouse: Annotated[list[WarehouseInventory], NullAsEmpty] = Field([])


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
    articles: Annotated[list[HistoricalArticle], NullAsEmpty] = Field([])
