"""What Ongoing's webhooks say, by their documented shapes. A webhook is a hint: read here is only what it is about.

The types differ in the name of the field that identifies the webhook (`webhookOrdersId`, `webhookPickingId`, ...), so a body
names exactly one. Unknown fields are ignored, because the documents add some now and then; what is read must be as documented.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

About = Literal["order", "purchase order", "article", "inventory"]

Id = Annotated[int, Field(gt=0, lt=2**63)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class NotAWebhook(Exception):
    """The body is none of the webhooks we know; the text says why, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """What is left of a webhook: `event` tells it from every other one of this sender, `about` and `object_id` where to look."""

    event: str
    about: About
    object_id: int


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True, hide_input_in_errors=True)


class _Said(_Model):
    webhook_event_id: Id
    goods_owner_id: Id
    system: Name
    timestamp: Name

    def looks_at(self) -> tuple[About, int]:
        raise NotImplementedError


class _Status(_Model):
    number: int


class _Order(_Said):
    order_id: Id
    order_number: Name
    order_status: _Status

    def looks_at(self) -> tuple[About, int]:
        return "order", self.order_id


class _OrderOfPicking(_Model):
    order_id: Id
    order_number: Name


class _Picking(_Said):
    is_allocated: bool
    is_picked: bool
    is_packed: bool
    is_returned: bool
    is_deleted: bool
    order: _OrderOfPicking

    def looks_at(self) -> tuple[About, int]:
        return "order", self.order.order_id


class _PurchaseOrder(_Said):
    purchase_order_id: Id
    purchase_order_number: Name
    purchase_order_status: _Status

    def looks_at(self) -> tuple[About, int]:
        return "purchase order", self.purchase_order_id


class _Article(_Model):
    article_system_id: Id
    article_number: Name


class _PurchaseOrderOfMovement(_Model):
    purchase_order_id: Id


class _Movement(_Said):
    is_receive: bool
    is_move: bool
    article: _Article
    purchase_order: _PurchaseOrderOfMovement | None = None

    def looks_at(self) -> tuple[About, int]:
        if self.purchase_order:
            return "purchase order", self.purchase_order.purchase_order_id
        return "article", self.article.article_system_id


class _OfInventory(_Model):
    inventory_id: Id


class _Inventory(_Said):
    inventory: _OfInventory
    article: _Article

    def looks_at(self) -> tuple[About, int]:
        return "inventory", self.inventory.inventory_id


SHAPES: dict[str, type[_Said]] = {
    "webhookOrdersId": _Order,
    "webhookPickingId": _Picking,
    "webhookPurchaseOrdersId": _PurchaseOrder,
    "webhookMovesId": _Movement,
    "webhookInventoryId": _Inventory,
}
UNUSED = ("webhookPurchaseOrderLinesId", "webhookArticleItemsId", "webhookPickOrderId", "webhookProductionOrdersId")


def read_webhook(body: bytes) -> Webhook:
    """What a body says, or `NotAWebhook` with the reason."""
    try:
        said: Any = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise NotAWebhook("the body is not JSON") from None
    if not isinstance(said, dict):
        raise NotAWebhook("the body is not a JSON object")
    named = [name for name in (*SHAPES, *UNUSED) if name in said]
    if len(named) != 1:
        raise NotAWebhook(f"the body names {len(named)} webhook types, not one; known are {', '.join(SHAPES)}")
    [name] = named
    if name in UNUSED:
        raise NotAWebhook(f"a webhook with {name} is of no use here: switch it off in Administration, Webhooks")
    number = said[name]
    if type(number) is not int or not 0 < number < 2**63:
        raise NotAWebhook(f"{name} is not an id")
    try:
        shape = SHAPES[name].model_validate(said)
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NotAWebhook(f"{where}: {first['msg']}") from None
    about, object_id = shape.looks_at()
    return Webhook(f"{name}/{number}/{shape.webhook_event_id}/{object_id}", about, object_id)
