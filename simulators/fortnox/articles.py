"""Articles and their prices."""

import re
from decimal import Decimal
from typing import Any

from simulators.fortnox import cards, ledger, lists
from simulators.fortnox.call import Call
from simulators.fortnox.documents import chosen
from simulators.fortnox.fields import Field, Spec, boolean, choice, integer, number, read, read_only, text
from simulators.fortnox.refusals import invalid, missing
from simulators.fortnox.wire import HERE, ZERO, Answer, Fields, decimal, enveloped, plain

KIND = "article"
PRICE = "price"
_ACCOUNTS = (
    "SalesAccount",
    "EUAccount",
    "EUVATAccount",
    "ExportAccount",
    "ConstructionAccount",
    "PurchaseAccount",
    "StockAccount",
    "StockChangeAccount",
)
_account = integer(1000, 99999)
_size = integer(0, 999999999)

SPEC: Spec = {
    **read_only("@url", "DisposableQuantity", "ReservedQuantity", "StockValue", "SupplierName"),
    "SalesPrice": Field(writable=False, read_only_code=2000321),
    **dict.fromkeys(_ACCOUNTS, _account),
    **dict.fromkeys(("Weight", "Width", "Height", "Depth"), _size),
    "Active": boolean(),
    "ArticleNumber": text(50, any_character=True),
    "Bulky": boolean(),
    "CostCalculationMethod": choice("MANUAL", "LAST_RELEASED_INBOUND"),
    "DefaultStockLocation": text(),
    "DefaultStockPoint": text(),
    "Description": text(200, shortest=1),
    "DirectCost": number(),
    "EAN": text(30),
    "Expired": boolean(),
    "FreightCost": number(),
    "Housework": boolean(),
    "HouseworkType": text(),
    "Manufacturer": text(50),
    "ManufacturerArticleNumber": text(50),
    "Note": text(10000),
    "OtherCost": number(),
    "PurchasePrice": number(),
    "QuantityInStock": number(),
    "StockGoods": boolean(),
    "StockPlace": text(100),
    "StockWarning": number(),
    "SupplierNumber": text(),
    "Type": choice("STOCK", "SERVICE"),
    "Unit": text(null=invalid(2000699, "Enheten får inte vara null.")),
    "VAT": number(),
    "WebshopArticle": boolean(),
}

_EMPTY: Fields = {
    "@url": "", "Active": True, "ArticleNumber": "", "Bulky": False, "ConstructionAccount": 0, "Depth": 0, "Description": "",
    "DisposableQuantity": 0, "EAN": "", "EUAccount": 3108, "EUVATAccount": 3106, "ExportAccount": 3105, "Height": 0,
    "Housework": False,
    "HouseworkType": None, "Manufacturer": None, "ManufacturerArticleNumber": "", "Note": "", "PurchaseAccount": 4000,
    "PurchasePrice": 0,
    "QuantityInStock": 0, "ReservedQuantity": 0, "SalesAccount": 3001, "StockGoods": False, "StockPlace": None, "StockValue": 0,
    "StockWarning": 0, "SupplierName": None, "SupplierNumber": None, "Type": "STOCK", "Unit": "", "VAT": 0,
    "WebshopArticle": False, "Weight": 0,
    "Width": 0, "Expired": False, "SalesPrice": None, "CostCalculationMethod": None, "StockAccount": None,
    "StockChangeAccount": None,
    "DirectCost": 0, "FreightCost": 0, "OtherCost": 0, "DefaultStockPoint": None, "DefaultStockLocation": None,
}  # fmt: skip

_BRIEF = (
    "@url", "ArticleNumber", "Description", "DisposableQuantity", "EAN", "Housework", "PurchasePrice", "SalesPrice",
    "QuantityInStock",
    "ReservedQuantity", "StockPlace", "StockValue", "Unit", "VAT", "WebshopArticle",
)  # fmt: skip
_AS_TEXT = ("DisposableQuantity", "PurchasePrice", "ReservedQuantity", "StockValue", "VAT")
_SEARCHED = ("articlenumber", "description", "ean", "suppliernumber", "manufacturer", "manufacturerarticlenumber", "webshop")
_NUMBER = re.compile(r"[\w\-+/.\\$]+")

PRICE_SPEC: Spec = {
    **read_only("@url", "Date"),
    "ArticleNumber": text(50, any_character=True),
    "FromQuantity": number(),
    "Percent": number(),
    "Price": number(),
    "PriceList": text(),
}


def create(call: Call) -> Answer:
    sent = read(SPEC, call.envelope("Article"), call.knobs)
    if not sent.get("Description"):
        raise invalid(2000204, "Benämning måste anges.")
    key = sent.get("ArticleNumber") or _next_number(call)
    if not _NUMBER.fullmatch(key):
        raise invalid(2000106, "Värdet måste vara alfanumeriskt.")
    if cards.exists(call, KIND, key):
        raise invalid(2000013, f'Artikelnummer "{key}" är redan taget.')
    card = {**_EMPTY, "@url": f"{HERE}/3/articles/{key}", "ArticleNumber": key}
    answer = enveloped("Article", _keep(call, key, _applied(call, card, sent)), 201)
    answer.headers.append((b"location", b"articles"))
    return answer


def get(call: Call, key: str) -> Answer:
    found = cards.text_of(call, KIND, key)
    if found is None:
        raise _missing()
    return enveloped("Article", found)


def update(call: Call, key: str) -> Answer:
    card = cards.find(call, KIND, key)
    if card is None:
        raise _missing()
    sent = read(SPEC, call.envelope("Article"), call.knobs)
    if sent.get("ArticleNumber", key) != key:
        raise invalid(2000310, "Posten används.")
    if "Description" in sent and not sent["Description"]:
        raise invalid(2000204, "Benämning måste anges.")
    changed = _applied(call, card, sent)
    if call.knobs["missingDefaultAccountBreaksPut"]:
        _refuse_missing_account(call, changed)
    return enveloped("Article", _keep(call, key, changed))


def delete(call: Call, key: str) -> Answer:
    if not cards.exists(call, KIND, key):
        raise _missing()
    if cards.is_used(call, KIND, key):
        raise invalid(2000310, "Posten används.")
    cards.remove(call, KIND, key)
    return Answer(204)


def listing(call: Call) -> Answer:
    lists.known_parameters(call, frozenset(_SEARCHED))
    wanted = lists.Wanted(call)
    wanted.where("kind = ?", KIND)
    filtered = call.query.get("filter")
    if filtered:
        if filtered not in ("active", "inactive"):
            raise invalid(2000587, "Ett ogiltigt filter har använts.")
        wanted.where("active = ?", int(filtered == "active"))
    for name in _SEARCHED:
        wanted.matching(KIND, name, "key")
    wanted.modified()
    wanted.visible()
    order = {
        "articlenumber": "CAST(key AS INTEGER) then key",
        "quantityinstock": "json_extract(body, '$.QuantityInStock') then key",
        "reservedquantity": "json_extract(body, '$.ReservedQuantity') then key",
        "stockvalue": "json_extract(body, '$.StockValue') then key",
    }
    return lists.page(wanted, "Articles", "card", order, order["articlenumber"])


def price_for(call: Call, price_list: str, article: str, quantity: Decimal) -> Decimal:
    """Return the unit price of the step that the quantity reaches; zero when the list has none."""
    steps = [
        (decimal(step["FromQuantity"]), decimal(step["Price"]))
        for step in _steps(call, price_list, article)
        if decimal(step["FromQuantity"]) <= max(abs(quantity), Decimal(1))
    ]
    return max(steps)[1] if steps else ZERO


def create_price(call: Call) -> Answer:
    sent = read(PRICE_SPEC, call.envelope("Price"), call.knobs)
    price_list, article = sent.get("PriceList"), sent.get("ArticleNumber")
    if not price_list or not article:
        raise invalid(2001795, "Obligatoriska fält saknas.")
    _check_owner(call, price_list, article)
    key = _price_key(price_list, article, decimal(sent.get("FromQuantity")))
    if cards.exists(call, PRICE, key):
        raise invalid(2000762, "Priset finns redan.")
    return enveloped("Price", _keep_price(call, price_list, article, sent), 201)


def get_price(call: Call, price_list: str, article: str, start: str = "0") -> Answer:
    found = cards.text_of(call, PRICE, _price_key(price_list, article, _start(start)))
    if found is None:
        raise missing(2000430, "Kan inte hitta priset.")
    return enveloped("Price", found)


def update_price(call: Call, price_list: str, article: str, start: str = "0") -> Answer:
    """Set a price step; the first step of an article is made when it is not there."""
    sent = read(PRICE_SPEC, call.envelope("Price"), call.knobs)
    _check_owner(call, price_list, article)
    old = cards.find(call, PRICE, _price_key(price_list, article, _start(start))) or {}
    merged = {
        "Price": old.get("Price", ZERO),
        "Percent": old.get("Percent", ZERO),
        **{n: v for n, v in sent.items() if v is not None},
    }
    return enveloped("Price", _keep_price(call, price_list, article, {**merged, "FromQuantity": _start(start)}))


def delete_price(call: Call, price_list: str, article: str, start: str) -> Answer:
    key = _price_key(price_list, article, _start(start))
    if not cards.exists(call, PRICE, key):
        raise missing(2000430, "Kan inte hitta priset.")
    cards.remove(call, PRICE, key)
    return Answer(204)


def price_sublist(call: Call, price_list: str, article: str) -> Answer:
    wanted = lists.Wanted(call)
    head = f"{price_list}\x1f{article}\x1f"
    wanted.where("kind = ? AND key >= ? AND key < ?", PRICE, head, _after(head))
    return lists.page(wanted, "Prices", "card", {}, "key")


def _applied(call: Call, card: Fields, sent: Fields) -> Fields:
    if sent.get("Unit") and not cards.exists(call, "unit", sent["Unit"]):
        raise invalid(2000432, "Kan inte hitta enheten.")
    if sent.get("SupplierNumber") and not cards.exists(call, "supplier", sent["SupplierNumber"]):
        raise invalid(2001795, "Kan inte hitta leverantören.")
    year = ledger.preselected(call)
    for name in _ACCOUNTS:
        if sent.get(name) and (year is None or ledger.account_of(call, year["id"], sent[name]) is None):
            raise invalid(2001304, f"Kunde inte hitta konto ({name})")
    for name, value in sent.items():
        card[name] = _EMPTY[name] if value is None else value
    card["DisposableQuantity"] = card["QuantityInStock"]
    return card


def _refuse_missing_account(call: Call, card: Fields) -> None:
    year = ledger.preselected(call)
    for name in ("SalesAccount", "EUAccount", "EUVATAccount", "ExportAccount", "PurchaseAccount"):
        if card[name] and (year is None or ledger.account_of(call, year["id"], int(card[name])) is None):
            raise invalid(2001304, f'Inköpskonto inte uppdaterat. Kontot "{card[name]}" existerar inte. ({name})')


def _keep(call: Call, key: str, card: Fields) -> str:
    brief = chosen(card, _BRIEF)
    for name in _AS_TEXT:
        brief[name] = plain(decimal(brief[name]))
    terms: dict[str, Any] = {name: card[field] for name, field in zip(_SEARCHED, _SEARCHED_FIELDS, strict=True)}
    terms["webshop"] = str(card["WebshopArticle"])
    return cards.keep(call, KIND, key, card, brief, terms)


_SEARCHED_FIELDS = (
    "ArticleNumber",
    "Description",
    "EAN",
    "SupplierNumber",
    "Manufacturer",
    "ManufacturerArticleNumber",
    "WebshopArticle",
)


def _steps(call: Call, price_list: str, article: str) -> list[Fields]:
    head = f"{price_list}\x1f{article}\x1f"
    rows = call.store.all(
        "SELECT key FROM card WHERE tenant = ? AND kind = ? AND key >= ? AND key < ?", call.tenant, PRICE, head, _after(head)
    )
    return [found for row in rows if (found := cards.find(call, PRICE, row["key"]))]


def _keep_price(call: Call, price_list: str, article: str, sent: Fields) -> str:
    start = decimal(sent.get("FromQuantity"))
    card: Fields = {
        "@url": f"{HERE}/3/prices/{price_list}/{article}/{plain(start)}",
        "ArticleNumber": article,
        "Date": call.stamp[:10],
        "FromQuantity": start,
        "Percent": sent.get("Percent") or ZERO,
        "Price": sent.get("Price") or ZERO,
        "PriceList": price_list,
    }
    brief = chosen(card, ("@url", "ArticleNumber", "FromQuantity", "Price", "PriceList"))
    return cards.keep(call, PRICE, _price_key(price_list, article, start), card, brief)


def _check_owner(call: Call, price_list: str, article: str) -> None:
    if not cards.exists(call, "pricelist", price_list):
        raise missing(2000431, "Kan inte hitta prislistan.")
    if not cards.exists(call, KIND, article):
        raise invalid(2000428, "Kan inte hitta artikeln.")


def _price_key(price_list: str, article: str, start: Decimal) -> str:
    return f"{price_list}\x1f{article}\x1f{plain(start)}"


def _after(head: str) -> str:
    """Return the first text behind all that begin with `head`, whose last character is the separator."""
    return head[:-1] + "\x20"


def _start(text_now: str) -> Decimal:
    if not re.fullmatch(r"\d{1,12}(\.\d{1,4})?", text_now):
        raise invalid(2000108, "Värdet måste vara numeriskt.")
    return Decimal(text_now)


def _next_number(call: Call) -> str:
    while True:
        key = str(call.store.next_number(call.tenant, KIND))
        if not cards.exists(call, KIND, key):
            return key


def _missing() -> Exception:
    return missing(2000428, "Kan inte hitta artikeln.")
