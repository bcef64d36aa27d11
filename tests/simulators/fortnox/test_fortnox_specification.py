"""Every answer fits Fortnox's own description of its API.

Where the notes (fortnox.md) say otherwise they are right, and the difference is named here.
"""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema.exceptions
import pytest

from simulators.fortnox.routes import ROUTES
from tests.simulators.fortnox.harness import Company, row, voucher

Json = Any

_SPECIFICATION = Path(__file__).parents[4] / "shared" / "apis" / "fortnox-openapi.json"

pytestmark = pytest.mark.skipif(not _SPECIFICATION.exists(), reason=f"no {_SPECIFICATION.name} beside the repository")

_NUMBER = {"type": "number"}
_TEXT = {"type": "string"}
# Where recordings differ from the file (notes 2.5), beside these rules for all: an unset field is null or "" (enumerations and
# fixed lengths included), and formats are not checked because unset dates of an invoice period are "".
_NOTES_SAY: dict[tuple[str, str], Json] = {
    ("fortnox_InvoiceListItem", "CurrencyRate"): _TEXT,  # 2.5: a string in lists, a number in the detail
    ("fortnox_Invoice", "InvoiceReference"): _TEXT,  # 2.5, 7.4: recorded, not in the file
    ("fortnox_Invoice_InvoiceRow", "Cost"): _NUMBER,  # 7.2: comes back though the file does not name it
    ("fortnox_Invoice_InvoiceRow", "VAT"): _NUMBER,  # 2.5: a registered rate may have decimals
    ("fortnox_Article", "ConstructionAccount"): {"type": "integer"},  # 9.1: recorded as 0, below the file's least
}
# 2.3 and 2.5: every list has a meta block, though most list wrappers of the file do not name it.
_META = {
    "type": "object",
    "required": ["@TotalResources", "@TotalPages", "@CurrentPage"],
    "additionalProperties": False,
    "properties": {name: {"type": "integer"} for name in ("@TotalResources", "@TotalPages", "@CurrentPage")},
}
# 5.1: a refusal is in lower case, "not found" as the file has it.
_REFUSAL = {
    "type": "object",
    "required": ["ErrorInformation"],
    "additionalProperties": False,
    "properties": {
        "ErrorInformation": {
            "type": "object",
            "required": ["error", "message", "code"],
            "additionalProperties": False,
            "properties": {"error": {"type": "integer"}, "message": _TEXT, "code": {"type": "integer"}},
        }
    },
}


def unset_allowed(schema: Json) -> Json:
    return {"anyOf": [schema, {"enum": [None, ""]}]}


def strict(name: str, schema: Json) -> Json:
    """Turn a schema of the file into JSON Schema in which no field may be unknown."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/components/schemas/", "#/$defs/")}
    if schema.get("type") == "array":
        return {"type": "array", "items": strict(name, schema["items"])}
    if "properties" not in schema:
        return {key: value for key, value in schema.items() if key not in ("format", "example", "description", "default")}
    properties = {field: unset_allowed(strict(name, inside)) for field, inside in schema["properties"].items()}
    properties |= {field: unset_allowed(inside) for (of, field), inside in _NOTES_SAY.items() if of == name}
    if re.search(r"_(List|Wrap|WrapList)$", name) and any(
        inside.get("type") == "array" for inside in schema["properties"].values()
    ):
        properties["MetaInformation"] = _META
    return {"type": "object", "properties": properties, "required": schema.get("required", []), "additionalProperties": False}


class Specification:
    """The description file, and what has been checked against it."""

    def __init__(self) -> None:
        document = json.loads(_SPECIFICATION.read_bytes())
        self._paths = document["paths"]
        self._definitions = {name: strict(name, schema) for name, schema in document["components"]["schemas"].items()}
        self.checked: set[str] = set()

    def check(self, method: str, path: str, response: httpx.Response) -> None:
        template, operation = self._operation(method, path)
        described = operation["responses"].get(str(response.status_code))
        if response.status_code >= 400:
            self._fits(
                response.json(), _REFUSAL if response.status_code != 404 else self._described(operation["responses"]["default"])
            )
            return
        self.checked.add(f"{method} {template}")
        if template.startswith("/3/sie/"):
            return  # 14: answers with a file, where the file says 204
        assert described is not None, f"{method} {path}: {response.status_code}"
        content = described.get("content")
        if not content:
            assert response.content == b""
        elif "application/pdf" in content:
            assert response.headers["content-type"] == "application/pdf"
        else:
            assert response.headers["content-type"] == "application/json"
            self._fits(response.json(), self._described(described))

    def _operation(self, method: str, path: str) -> tuple[str, Json]:
        for template, operations in sorted(self._paths.items(), key=lambda item: item[0].count("{")):
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), f"/3/{path}") and method.lower() in operations:
                return template, operations[method.lower()]
        raise AssertionError(f"{method} {path} is not described")

    def _described(self, described: Json) -> Json:
        [content] = described["content"].values()
        return strict("", content["schema"])

    def _fits(self, body: Json, schema: Json) -> None:
        # Not `jsonschema.validate`, which would check 535 schemas again for each answer.
        validator = jsonschema.Draft202012Validator({**schema, "$defs": self._definitions})
        if wrong := jsonschema.exceptions.best_match(validator.iter_errors(body)):
            raise AssertionError(f"{wrong.json_path}: {wrong.message[:300]}")


@pytest.fixture
def described(company: Company) -> tuple[Company, Specification]:
    specification = Specification()
    send = company.send

    def checked(method: str, path: str, body: Json = None, **query: Any) -> httpx.Response:
        response = send(method, path, body, **query)
        specification.check(method, path, response)
        return response

    company.send = checked  # type: ignore[method-assign]
    return company, specification


def register(company: Company, path: str, key: str, envelope: str, first: Json, change: Json, *, deleted: bool = True) -> None:
    company.call("POST", path, {envelope: first}, expect=201)
    company.call("GET", path)
    company.call("GET", f"{path}/{key}")
    company.call("PUT", f"{path}/{key}", {envelope: change})
    if deleted:
        company.call("DELETE", f"{path}/{key}", expect=204)


def test_every_route_answers_as_described(described: tuple[Company, Specification]) -> None:
    company, specification = described
    year = company.year()
    full = {
        "Name": "Havet AB",
        "CustomerNumber": "K7",
        "Address1": "Kaj 1",
        "CountryCode": "NO",
        "InvoiceFreight": 10,
        "SalesAccount": "3001",
    }
    register(company, "customers", "K7", "Customer", full, {"City": "Göteborg"})
    register(
        company, "articles", "A7", "Article", {"ArticleNumber": "A7", "Description": "Vara", "StockAccount": 1460}, {"Note": "Ny"}
    )
    register(company, "currencies", "CZK", "Currency", {"Code": "CZK", "Description": "Koruna"}, {"BuyRate": 0.45})
    register(company, "units", "l", "Unit", {"Code": "l", "Description": "liter"}, {"Description": "Liter"})
    register(company, "termsofpayments", "45", "TermsOfPayment", {"Code": "45", "Description": "45 dagar"}, {"Description": "45"})
    register(company, "modesofpayments", "SW", "ModeOfPayment", {"Code": "SW", "AccountNumber": "1930"}, {"Description": "Swish"})
    register(company, "pricelists", "B", "PriceList", {"Code": "B", "Description": "Två"}, {"Comments": "Ny"}, deleted=False)
    register(company, "suppliers", "L1", "Supplier", {"Name": "Ek AB", "SupplierNumber": "L1"}, {"City": "Ek"}, deleted=False)

    company.article("SKU-1", VAT=25)
    company.call(
        "POST", "prices", {"Price": {"ArticleNumber": "SKU-1", "PriceList": "A", "FromQuantity": 0, "Price": 9.5}}, expect=201
    )
    company.call("GET", "prices/A/SKU-1")
    company.call("PUT", "prices/A/SKU-1", {"Price": {"Price": 9}})
    company.call("GET", "prices/sublist/A/SKU-1")
    company.call("PUT", "prices/A/SKU-1/10", {"Price": {"Price": 8}})
    company.call("GET", "prices/A/SKU-1/10")
    company.call("DELETE", "prices/A/SKU-1/10", expect=204)

    invoice = company.invoice(
        [row(ArticleNumber="SKU-1", VATCode="MP1"), {"Description": "Text"}], Currency="EUR", PaymentWay="CARD", Freight=5
    )
    company.change(invoice, Remarks="Ny", InvoiceRows=[row()])
    for action in ("warehouseready", "externalprint", "bookkeep", "credit"):
        company.call("PUT", f"invoices/{invoice['DocumentNumber']}/{action}")
    for action in ("print", "preview", "printreminder"):
        assert company.send("GET", f"invoices/{invoice['DocumentNumber']}/{action}").status_code == 200
    for action in ("email", "einvoice", "eprint"):
        company.call("GET", f"invoices/{invoice['DocumentNumber']}/{action}")
    company.call("PUT", f"invoices/{company.invoice([row(-1)])['DocumentNumber']}/cancel")
    company.read(invoice)

    payment = {
        "InvoiceNumber": int(invoice["DocumentNumber"]),
        "AmountCurrency": 10,
        "WriteOffs": [{"Amount": 1, "AccountNumber": 6570}],
    }
    for _ in range(2):
        company.call("POST", "invoicepayments", {"InvoicePayment": payment | {"PaymentDate": "2026-04-08"}}, expect=201)
    company.call("PUT", "invoicepayments/1", {"InvoicePayment": {"PaymentDate": "2026-04-09"}})
    company.call("PUT", "invoicepayments/1/bookkeep")
    company.call("GET", "invoicepayments/1")
    company.call("DELETE", "invoicepayments/2", expect=204)

    company.call("POST", "vouchers", voucher((4960, 10), (1460, -10)), expect=201, financialyear=year)
    company.call("GET", "vouchers/L/1", financialyear=year)
    for path in ("vouchers", "vouchers/sublist", "vouchers/sublist/B"):
        assert company.call("GET", path, financialyear=year)["Vouchers"]
    register(company, "voucherseries", "M", "VoucherSeries", {"Code": "M", "Manual": True}, {"Description": "Ny"}, deleted=False)
    company.call("POST", "accounts", {"Account": {"Number": 4971, "Description": "Svinn"}}, expect=201, financialyear=year)
    company.call("PUT", "accounts/4971", {"Account": {"Active": False}}, financialyear=year)
    company.call("GET", "accounts/4971", financialyear=year)
    company.call("DELETE", "accounts/4971", expect=204, financialyear=year)
    company.call("POST", "financialyears", {"FinancialYear": {"FromDate": "2028-01-01", "ToDate": "2028-12-31"}}, expect=201)
    company.call("GET", f"financialyears/{year}")
    assert company.send("GET", "sie/4", financialyear=year).status_code == 200
    company.call("GET", "predefinedaccounts/CUSTCLAIM")
    company.call("PUT", "predefinedaccounts/CUSTCLAIM", {"PreDefinedAccount": {"Account": 1510}})
    company.call("GET", "predefinedvoucherseries/INVOICE")
    company.call("PUT", "predefinedvoucherseries/INVOICE", {"PreDefinedVoucherSeries": {"VoucherSeries": "B"}})

    bill = {"SupplierNumber": "L1", "InvoiceNumber": "F-1", "InvoiceDate": "2026-03-10", "Total": 125, "VAT": 25}
    for _ in range(2):
        company.call("POST", "supplierinvoices", {"SupplierInvoice": bill}, expect=201)
    company.call("PUT", "supplierinvoices/1", {"SupplierInvoice": {"Comments": "Ny"}})
    company.call("PUT", "supplierinvoices/1/bookkeep")
    company.call("PUT", "supplierinvoices/1/credit")
    company.call("PUT", "supplierinvoices/2/cancel")
    company.call("GET", "supplierinvoices/1")

    for route in ROUTES:
        if route.method == "GET" and "*" not in route.pattern:
            company.call("GET", route.pattern, financialyear=year)
    for path, status in (("invoices/999", 404), ("customers/none", 404), ("invoices?filter=none", 400)):
        company.call("GET", path.split("?")[0], expect=status, **({"filter": "none"} if "?" in path else {}))

    expected = {f"{route.method} /3/{route.pattern}" for route in ROUTES}
    assert {re.sub(r"\{\w+\}", "*", checked) for checked in specification.checked} == expected


def test_the_check_notices_an_unknown_field_and_a_wrong_type(described: tuple[Company, Specification]) -> None:
    company, specification = described
    invoice = company.invoice()
    for wrong in (
        {"Surprise": 1},
        {"DocumentNumber": 1},
        {"InvoiceRows": [{**invoice["InvoiceRows"][0], "DeliveredQuantity": 10}]},
    ):
        answer = httpx.Response(200, json={"Invoice": json.loads(json.dumps({**invoice, **wrong}, default=float))})
        with pytest.raises(AssertionError):
            specification.check("GET", "invoices/1", answer)
