"""What we send to Ongoing: orders, articles, returns, purchases."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from pydantic import Field

from clients.ongoing.model import Model
from clients.wire import Exact, Id, Key, Text


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
