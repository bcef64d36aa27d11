"""Every path of the accounting API, with the scope it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulators.fortnox import articles, books, company, customers, invoices, payments, registers, sie, suppliers
from simulators.fortnox.wire import Answer

Handler = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path below `/3`; `*` is a segment handed to the handler."""

    method: str
    pattern: str
    handler: Handler
    scope: str

    @property
    def segments(self) -> list[str]:
        return self.pattern.split("/")


def _resource(path: str, scope: str, module: Any, verbs: str = "list create get update delete") -> list[Route]:
    made = {
        "list": lambda: Route("GET", path, module.listing, scope),
        "create": lambda: Route("POST", path, module.create, scope),
        "get": lambda: Route("GET", f"{path}/*", module.get, scope),
        "update": lambda: Route("PUT", f"{path}/*", module.update, scope),
        "delete": lambda: Route("DELETE", f"{path}/*", module.delete, scope),
    }
    return [made[verb]() for verb in verbs.split()]


_BOOKS = "bookkeeping"
_REGISTER_SCOPES = {"currencies": "currency", "pricelists": "price"}

ROUTES: list[Route] = [
    *_resource("customers", "customer", customers),
    *_resource("articles", "article", articles),
    Route("POST", "prices", articles.create_price, "price"),
    Route("GET", "prices/sublist/*/*", articles.price_sublist, "price"),
    Route("GET", "prices/*/*", articles.get_price, "price"),
    Route("PUT", "prices/*/*", articles.update_price, "price"),
    Route("GET", "prices/*/*/*", articles.get_price, "price"),
    Route("PUT", "prices/*/*/*", articles.update_price, "price"),
    Route("DELETE", "prices/*/*/*", articles.delete_price, "price"),
    *_resource("invoices", "invoice", invoices, "list create get update"),
    Route("PUT", "invoices/*/bookkeep", invoices.bookkeep, "invoice"),
    Route("PUT", "invoices/*/cancel", invoices.cancel, "invoice"),
    Route("PUT", "invoices/*/credit", invoices.credit, "invoice"),
    Route("PUT", "invoices/*/externalprint", invoices.external_print, "invoice"),
    Route("PUT", "invoices/*/warehouseready", invoices.warehouse_ready, "invoice"),
    Route("GET", "invoices/*/print", invoices.print_pdf, "invoice"),
    Route("GET", "invoices/*/preview", invoices.preview, "invoice"),
    Route("GET", "invoices/*/printreminder", invoices.print_reminder, "invoice"),
    Route("GET", "invoices/*/email", invoices.email, "invoice"),
    Route("GET", "invoices/*/einvoice", invoices.einvoice, "invoice"),
    Route("GET", "invoices/*/eprint", invoices.eprint, "invoice"),
    *_resource("invoicepayments", "payment", payments),
    Route("PUT", "invoicepayments/*/bookkeep", payments.bookkeep, "payment"),
    Route("POST", "vouchers", books.create_voucher, _BOOKS),
    Route("GET", "vouchers", books.list_vouchers, _BOOKS),
    Route("GET", "vouchers/sublist", books.sublist, _BOOKS),
    Route("GET", "vouchers/sublist/*", books.sublist, _BOOKS),
    Route("GET", "vouchers/*/*", books.get_voucher, _BOOKS),
    Route("GET", "voucherseries", books.list_series, _BOOKS),
    Route("POST", "voucherseries", books.create_series, _BOOKS),
    Route("GET", "voucherseries/*", books.get_series, _BOOKS),
    Route("PUT", "voucherseries/*", books.update_series, _BOOKS),
    Route("GET", "accounts", books.list_accounts, _BOOKS),
    Route("POST", "accounts", books.create_account, _BOOKS),
    Route("GET", "accounts/*", books.get_account, _BOOKS),
    Route("PUT", "accounts/*", books.update_account, _BOOKS),
    Route("DELETE", "accounts/*", books.delete_account, _BOOKS),
    Route("GET", "financialyears", books.list_years, _BOOKS),
    Route("POST", "financialyears", books.create_year, _BOOKS),
    Route("GET", "financialyears/*", books.get_year, _BOOKS),
    Route("GET", "sie/*", sie.export, _BOOKS),
    Route("GET", "predefinedaccounts", registers.predefined_accounts, "settings"),
    Route("GET", "predefinedaccounts/*", registers.predefined_account, "settings"),
    Route("PUT", "predefinedaccounts/*", registers.update_predefined_account, "settings"),
    Route("GET", "predefinedvoucherseries", registers.predefined_all_series, "settings"),
    Route("GET", "predefinedvoucherseries/*", registers.predefined_series, "settings"),
    Route("PUT", "predefinedvoucherseries/*", registers.update_predefined_series, "settings"),
    Route("GET", "settings/lockedperiod", company.locked_period, "settings"),
    Route("GET", "settings/company", company.settings, "settings"),
    Route("GET", "companyinformation", company.information, "companyinformation"),
    *_resource("suppliers", "supplier", suppliers, "list create get update"),
    Route("GET", "supplierinvoices", suppliers.list_invoices, "supplierinvoice"),
    Route("POST", "supplierinvoices", suppliers.create_invoice, "supplierinvoice"),
    Route("GET", "supplierinvoices/*", suppliers.get_invoice, "supplierinvoice"),
    Route("PUT", "supplierinvoices/*", suppliers.update_invoice, "supplierinvoice"),
    Route("PUT", "supplierinvoices/*/bookkeep", suppliers.bookkeep_invoice, "supplierinvoice"),
    Route("PUT", "supplierinvoices/*/cancel", suppliers.cancel_invoice, "supplierinvoice"),
    Route("PUT", "supplierinvoices/*/credit", suppliers.credit_invoice, "supplierinvoice"),
]
for _register in registers.ALL:
    _verbs = "list create get update" if _register.path == "pricelists" else "list create get update delete"
    ROUTES += _resource(_register.path, _REGISTER_SCOPES.get(_register.path, "settings"), _register, _verbs)

# The codes seen for a missing scope; others get the general one.
SCOPE_CODES = {"invoice": 2001393, "bookkeeping": 2002455, "supplier": 2003275}
GENERAL_SCOPE_CODE = 2000663

_BY_SHAPE: dict[tuple[str, int], list[tuple[list[str], Route]]] = {}
for _route in ROUTES:
    _BY_SHAPE.setdefault((_route.segments[0], len(_route.segments)), []).append((_route.segments, _route))


def find(method: str, segments: list[str]) -> tuple[Route | None, bool]:
    """Return the route of a request, and whether its path exists at all. A literal segment wins over `*`."""
    fitting = [
        route
        for pattern, route in _BY_SHAPE.get((segments[0], len(segments)), [])
        if all(part in ("*", segment) for part, segment in zip(pattern, segments, strict=True))
    ]
    literal = [route for route in fitting if route.pattern.count("*") == min(other.pattern.count("*") for other in fitting)]
    for route in literal:
        if route.method == method:
            return route, True
    return None, bool(fitting)
