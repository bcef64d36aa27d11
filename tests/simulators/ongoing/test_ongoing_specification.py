"""Every answer fits the description of the API that the notes come with.

Where the notes say otherwise they are right, and the difference is named here (`_NOTES_SAY`).
"""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.simulators.ongoing.harness import Shop, Simulator, line

Json = Any

_SPECIFICATION = Path(__file__).parents[4] / "shared" / "apis" / "ongoing-openapi-reconstructed.json"

pytestmark = pytest.mark.skipif(not _SPECIFICATION.exists(), reason=f"no {_SPECIFICATION.name} beside the repository")

# Answers whose 200 body the file does not describe; the notes (4.8, 5.6) say: accept any or an empty body.
_NOTES_SAY = {
    "PATCH /orders/{orderId}/lines/{orderLineId}/reportedReturnedNumberOfItems": "empty body",
    "PATCH /purchaseOrders/{purchaseOrderId}/lines/{purchaseOrderLineId}/reportedNumberOfItems": "empty body",
    "PATCH /purchaseOrders/{purchaseOrderId}/setReportedNumberOfItemsToReceivedNumberOfItems": "empty body",
}
# `deliveryDate` and `inDate` are typed date-time and come as dates (notes 1.4): formats are not checked.


def strict(schema: Json) -> Json:
    """Turn an OpenAPI 3.0 schema into JSON Schema: nullable becomes a type, and no field may be unknown."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    known = {name: strict(value) for name, value in schema.items() if name not in ("nullable", "format", "properties")}
    if "properties" in schema:
        known["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        known["additionalProperties"] = False
    return {"anyOf": [known, {"type": "null"}]} if schema.get("nullable") else known


class Specification:
    def __init__(self, document: Json) -> None:
        self._paths = document["paths"]
        self._components = strict(document["components"])
        self.checked: set[str] = set()

    def described(self, method: str, path: str) -> tuple[str, Json]:
        for template, operations in sorted(self._paths.items(), key=lambda item: item[0].count("{")):
            if re.fullmatch(re.sub(r"\{\w+\}", r"\\d+", template), f"/api/v1/{path}") and method.lower() in operations:
                return template.removeprefix("/api/v1"), operations[method.lower()]
        raise AssertionError(f"{method} {path} is not described")

    def check(self, method: str, path: str, status: int, body: Json) -> None:
        template, operation = self.described(method, path)
        route = f"{method} {template}"
        self.checked.add(route)
        if route in _NOTES_SAY:
            assert body is None
            return
        (media,) = operation["responses"][str(status)]["content"].values()
        jsonschema.validate(body, {**strict(media["schema"]), "components": self._components})


def answers(shop: Shop, simulator: Simulator) -> list[tuple[str, str, int, Json]]:
    """Use every endpoint once with as much in the documents as the models hold."""
    said: list[tuple[str, str, int, Json]] = []

    def ask(method: str, path: str, body: Json = None, expect: int = 200, **query: Json) -> Json:
        response = shop.http.request(method, path, json=body, params=query or None)
        assert response.status_code == expect, f"{method} {path}: {response.text}"
        answer = response.json() if response.content else None
        said.append((method, path, expect, answer))
        return answer

    mine = {"goodsOwnerId": shop.id}
    full = {
        **mine,
        "articleNumber": "A",
        "articleName": "Tote",
        "productCode": "T",
        "unitCode": "st",
        "description": "d",
        "weight": "0.12",
        "barCodeInfo": {
            "barCode": "1",
            "alternativeBarCodes": [{"barCode": "2", "quantityPerBarCode": 1, "barCodeType": {"code": "L"}}],
        },
        "supplierInfo": {"supplierNumber": "S", "supplierName": "n"},
        "articleGroup": {"code": "G", "name": "g"},
        "stockLimit": 50,
        "purchasePrice": 18.5,
        "stockValuationPrice": 19,
        "quantityPerPackage": 20,
        "freeValues": {"freeDecimal1": 1, "freeBoolean1": True},
        "taricNumbersInfo": {"taricNumbers": [{"countryCode": "SE", "taricNumber": "42"}]},
        "storageProperties": {"isObsolete": False},
    }
    article_id = ask("PUT", "articles", full)["articleSystemId"]
    ask("PUT", f"articles/{article_id}", full)
    shop.stocked("B", 1000)
    structure = {"articleKind": "Structure", "rows": [{"articleNumber": "B", "numberOfItems": 2}]}
    kit_id = ask("PUT", "articles", {**mine, "articleNumber": "KIT", "structureDefinition": structure})["articleSystemId"]
    shop.stocked("A", 1000)
    class_id = ask("PUT", "articles/classes", {**mine, "code": "K", "name": "k"})["articleClassId"]
    ask("PUT", f"articles/{article_id}/classes", {"articleClassIds": [class_id]})
    ask("GET", "articles/classes", **mine)
    ask("GET", f"articles/{kit_id}/structureDefinition")
    ask("GET", "articles/structureDefinitions", **mine)

    order = shop.an_order(
        "SO-1",
        line(1, "A", 10, prices={"linePrice": 790, "currencyCode": "SEK"}, lineFreeValues={"freeText1": "x"}, batchNumber="L24"),
        line(2, "KIT", 2),
        orderType={"code": "B2C", "name": "Consumer"},
        wayOfDelivery={"code": "M", "name": "m"},
        freightPrice=49,
        warehouseId=1,
        transporter={"transporterCode": "PLAB", "transporterServiceCode": "P19"},
        emailNotification={"toBeNotified": True, "value": "m"},
        marketPlace={"marketPlace": "m", "marketPlaceOrderNumber": "1"},
        customsInfo={"customsValueCurrencyCode": "SEK"},
        advanced={"arrivalDate": "2026-03-03", "invoiceNumber": "7"},
        classes=[{"code": "A", "name": "A"}],
        consignee={
            "name": "Mia",
            "advanced": {"smsNotification": {"toBeNotified": True, "value": "+46"}},
            "invoiceAddress": {"name": "Mia", "advanced": {"emailNotification": {"value": "m"}}},
        },
    )
    order_id = ask("PUT", "orders", order, expect=201)["orderId"]
    ask("PUT", "orders", order)
    ask("PUT", f"orders/{order_id}", order)
    ask("PATCH", f"orders/{order_id}/orderStatus", {"orderStatusNumber": 300})
    shop.work(order_id, "allocate")
    ask("GET", f"orders/{order_id}")
    shop.work(order_id, "pick")
    shop.work(order_id, "pack")
    shop.work(order_id, "send", {"waybill": "W1", "trackingUrl": "https://carrier.example/W1", "parcelNumber": "P1"})
    picked = ask("GET", f"orders/{order_id}")
    line_id = picked["orderLines"][0]["id"]
    ask("PATCH", f"orders/{order_id}/lines/{line_id}/reportedNumberOfItems", {"reportedNumberOfItems": 4})
    ask("PATCH", f"orders/{order_id}/setReportedNumberOfItemsToPickedNumberOfItems")
    shop.work(order_id, "return", {"lines": [{"rowNumber": "1", "numberOfItems": 1}], "causeCode": "SIZE", "causeName": "s"})
    ask("PATCH", f"orders/{order_id}/lines/{line_id}/reportedReturnedNumberOfItems", {"reportedReturnedNumberOfItems": 1})
    ask("PATCH", f"orders/{order_id}/setReportedReturnedNumberOfItemsToReturnedNumberOfItems")
    for suffix, body in (
        ("orderNumber", {"orderNumber": "SO-1b"}),
        ("deliveryDate", {"deliveryDate": "2026-04-01"}),
        ("waybill", {"waybill": "W2"}),
        ("transporter", {"transporterCode": "PLAB"}),
        ("servicePointCode", {"servicePointCode": "1"}),
        ("returnWaybill", {"returnWaybill": "R"}),
        ("addOrderClasses", {"classes": [{"code": "B"}]}),
        ("setOrderClasses", {"classes": []}),
    ):
        ask("PATCH", f"orders/{order_id}/{suffix}", body)
    ask(
        "PUT", f"orders/{order_id}/orderTracking", {"waybill": "W3", "trackingUrl": "https://c.example", "isReturnTracking": True}
    )
    parcel_id = ask("PUT", f"orders/{order_id}/parcels", {"parcelNumber": "P2", "transportAdministrationType": "delivery"})[
        "parcelId"
    ]
    ask("PUT", f"orders/{order_id}/parcels/{parcel_id}", {"parcelNumber": "P3"})
    ask("DELETE", f"orders/{order_id}/parcels/{parcel_id}")
    ask("GET", f"orders/{order_id}")
    ask("GET", "orders", **mine)
    for number in ("SO-2", "SO-3"):
        shop.put_order(shop.an_order(number))
    ask("DELETE", "orders", **mine, orderNumber="SO-2")
    ask("DELETE", f"orders/{shop.listed('orders', orderNumber='SO-3')[0]['orderInfo']['orderId']}")
    way_id = ask("PUT", "orders/wayOfDeliveryTypes", {**mine, "code": "W", "name": "w"})["wayOfDeliveryTypeId"]
    ask("PUT", f"orders/wayOfDeliveryTypes/{way_id}", {**mine, "code": "W", "name": "x"})
    ask("DELETE", f"orders/wayOfDeliveryTypes/{way_id}")

    purchase = {
        **mine,
        "purchaseOrderNumber": "PO-1",
        "inDate": "2026-03-10",
        "supplierInfo": {"supplierNumber": "S", "supplierName": "n"},
        "purchaseOrderType": {"code": "STD", "name": "s"},
        "advanced": {"container": "c", "orderDate": "2026-02-01T00:00:00Z"},
        "freeValues": {"freeText1": "a", "freeBoolean1": True},
        "sellerInfo": {"sellerNumber": "S"},
        "purchaseOrderLines": [line(10, "A", 300, rowPrice=5550, lineFreeValues={"freeText1": "x"})],
    }
    purchase_id = ask("PUT", "purchaseOrders", purchase)["purchaseOrderId"]
    ask("PUT", f"purchaseOrders/{purchase_id}", purchase)
    changes: list[tuple[str, Json]] = [
        ("inDate", {"inDate": "2026-03-11"}),
        ("advisedDate", {"advisedDate": "2026-03-11"}),
        ("freeBool1", {"freeBool1": False}),
        ("purchaseOrderStatus", {"purchaseOrderStatusNumber": 200}),
    ]
    for suffix, body in changes:
        ask("PATCH", f"purchaseOrders/{purchase_id}/{suffix}", body)
    shop.receive(
        purchase_id, {"lines": [{"rowNumber": "10", "numberOfItems": 3, "batchNumber": "L", "expiryDate": "2027-01-01"}]}
    )
    row_id = ask("GET", f"purchaseOrders/{purchase_id}")["purchaseOrderLines"][0]["id"]
    ask("PATCH", f"purchaseOrders/{purchase_id}/lines/{row_id}/reportedNumberOfItems", {"reportedNumberOfItems": 1})
    ask("PATCH", f"purchaseOrders/{purchase_id}/setReportedNumberOfItemsToReceivedNumberOfItems")
    ask("GET", "purchaseOrders", **mine)
    for number in ("PO-2", "PO-3"):
        shop.put_purchase(number)
    ask("DELETE", "purchaseOrders", **mine, purchaseOrderNumber="PO-2")
    ask(
        "DELETE",
        f"purchaseOrders/{shop.listed('purchaseOrders', purchaseOrderNumber='PO-3')[0]['purchaseOrderInfo']['purchaseOrderId']}",
    )

    back = {
        **mine,
        "returnOrderNumber": "RMA-1",
        "customerOrder": {"orderId": order_id},
        "inDate": "2026-03-20",
        "tracking": [{"waybill": "RT1", "trackingUrl": "https://c.example"}],
        "returnOrderLines": [
            {
                "returnOrderRowNumber": "1",
                "customerOrderLine": {"orderLineId": shop.order(order_id)["orderLines"][0]["id"]},
                "toBeReturnedNumberOfItems": 1,
                "returnCause": {"code": "SIZE", "name": "Wrong size"},
            }
        ],
    }
    return_id = ask("PUT", "returnOrders", back)["returnOrderId"]
    second = ask("PUT", "returnOrders", {**back, "returnOrderNumber": "RMA-2"})["returnOrderId"]
    ask("DELETE", f"returnOrders/{second}")
    wish = {"lines": [{"rowNumber": "1", "numberOfItems": 1}], "over": True, "scrap": True}
    simulator.ask("POST", f"return-orders/{return_id}/receive", wish)
    ask("GET", f"returnOrders/{return_id}")
    ask("GET", "returnOrders", **mine)
    cause_id = ask("PUT", "returnOrders/returnCauses", {**mine, "code": "DMG", "name": "Damaged"})["returnCauseId"]
    ask("PUT", f"returnOrders/returnCauses/{cause_id}", {**mine, "code": "DMG", "name": "Damaged goods"})
    ask("GET", "returnOrders/returnCauses", **mine)

    adjustment = {**mine, "articleNumber": "A", "numberOfItems": "-2", "cause": {"code": "DMG", "name": "d"}}
    inventory_id = simulator.ask("POST", "adjust", adjustment)["inventoryId"]
    ask("GET", "inventoryAdjustments", **mine)
    ask("GET", f"inventoryAdjustments/{inventory_id}")
    ask("PATCH", f"inventoryAdjustments/{inventory_id}/articles/{article_id}/setReported")
    ask("GET", f"articles/{article_id}")
    for path in (
        "articles",
        "articles/inventoryPerWarehouse",
        "articleItems",
        "articleItems/statuses",
        "orders/types",
        "orders/classes",
        "orders/wayOfDeliveryTypes",
        "purchaseOrders/types",
        "transporterContracts",
        "parcelTypes",
    ):
        ask("GET", path, **mine)
    ask("GET", "articles/historicalInventory", **mine, stockDate="2100-01-01T00:00:00Z")
    for path in (
        "orders/statuses",
        "purchaseOrders/statuses",
        "returnOrders/statuses",
        "warehouses",
        "warehouses/1/zones",
        "warehouses/locations/types",
    ):
        ask("GET", path)
    return said


def test_every_answer_fits_the_specification_of_the_api(shop: Shop, simulator: Simulator) -> None:
    specification = Specification(json.loads(_SPECIFICATION.read_text()))
    for method, path, status, body in answers(shop, simulator):
        specification.check(method, path, status, body)
    assert len(specification.checked) >= 60


def test_the_check_itself_sees_a_wrong_type_an_unknown_field_and_a_missing_null() -> None:
    specification = Specification(json.loads(_SPECIFICATION.read_text()))
    good = {"orderId": 1, "message": None}
    specification.check("PUT", "orders", 201, good)
    for wrong in ({**good, "orderId": "1"}, {**good, "colour": "red"}, [good]):
        with pytest.raises(jsonschema.ValidationError):
            specification.check("PUT", "orders", 201, wrong)
    with pytest.raises(jsonschema.ValidationError):
        specification.check("GET", "orders/1", 200, {"orderLines": [{"id": None}]})
