"""Customers: the card that documents copy from."""

import re
from typing import Any

from simulators.fortnox import cards, chart, lists
from simulators.fortnox.call import Call
from simulators.fortnox.documents import chosen
from simulators.fortnox.fields import Spec, boolean, choice, nested, number, read, read_only, text
from simulators.fortnox.refusals import bad_parameter, invalid, missing
from simulators.fortnox.wire import HERE, Answer, Fields, enveloped

KIND = "customer"
_DELIVERY = ("PRINT", "EMAIL", "PRINTSERVICE", "ELECTRONICINVOICE")

SPEC: Spec = {
    **read_only("@url", "Country", "DeliveryCountry", "VisitingCountry"),
    "Active": boolean(),
    "Address1": text(1024),
    "Address2": text(1024),
    "City": text(1024),
    "Comments": text(1024),
    "CostCenter": text(),
    "CountryCode": text(exactly=2),
    "Currency": text(exactly=3),
    "CustomerNumber": text(1024, any_character=True),
    "DefaultDeliveryTypes": nested({"Invoice": choice(*_DELIVERY), "Order": choice(*_DELIVERY), "Offer": choice(*_DELIVERY)}),
    "DefaultTemplates": nested({"Order": text(), "Offer": text(), "Invoice": text(), "CashInvoice": text()}),
    "DeliveryAddress1": text(1024),
    "DeliveryAddress2": text(1024),
    "DeliveryCity": text(1024),
    "DeliveryCountryCode": text(exactly=2),
    "DeliveryFax": text(1024),
    "DeliveryName": text(1024),
    "DeliveryPhone1": text(1024),
    "DeliveryPhone2": text(1024),
    "DeliveryZipCode": text(10),
    "Email": text(1024),
    "EmailInvoice": text(1024),
    "EmailInvoiceBCC": text(1024),
    "EmailInvoiceCC": text(1024),
    "EmailOffer": text(1024),
    "EmailOfferBCC": text(1024),
    "EmailOfferCC": text(1024),
    "EmailOrder": text(1024),
    "EmailOrderBCC": text(1024),
    "EmailOrderCC": text(1024),
    "ExternalReference": text(1024),
    "Fax": text(1024),
    "GLN": text(exactly=13),
    "GLNDelivery": text(exactly=13),
    "InvoiceAdministrationFee": number(),
    "InvoiceDiscount": number(),
    "InvoiceFreight": number(),
    "InvoiceRemark": text(1024),
    "Name": text(1024, shortest=1),
    "OrganisationNumber": text(30),
    "OurReference": text(50),
    "Phone1": text(1024),
    "Phone2": text(1024),
    "PriceList": text(),
    "Project": text(),
    "SalesAccount": text(exactly=4),
    "ShowPriceVATIncluded": boolean(),
    "TermsOfDelivery": text(),
    "TermsOfPayment": text(),
    "Type": choice("COMPANY", "PRIVATE"),
    "VATNumber": text(),
    "VATType": choice("SEVAT", "SEREVERSEDVAT", "EUREVERSEDVAT", "EUVAT", "EXPORT"),
    "VisitingAddress": text(128),
    "VisitingCity": text(128),
    "VisitingCountryCode": text(exactly=2),
    "VisitingZipCode": text(10),
    "WWW": text(128),
    "WayOfDelivery": text(),
    "YourReference": text(50),
    "ZipCode": text(10),
}

# Unset text is null on customers, except where recordings show an empty string.
_EMPTY: Fields = {
    "@url": "", "Address1": None, "Address2": None, "City": None, "Country": None, "Comments": None, "Currency": "SEK",
    "CostCenter": None,
    "CountryCode": None, "Active": True, "CustomerNumber": "", "DefaultDeliveryTypes": {"Invoice": "PRINT", "Order": "PRINT",
    "Offer": "PRINT"},
    "DefaultTemplates": {
        "Order": "DEFAULTTEMPLATE", "Offer": "DEFAULTTEMPLATE", "Invoice": "DEFAULTTEMPLATE", "CashInvoice": "DEFAULTTEMPLATE",
    },
    "DeliveryAddress1": None, "DeliveryAddress2": None, "DeliveryCity": None, "DeliveryCountry": None,
    "DeliveryCountryCode": None,
    "DeliveryFax": None, "DeliveryName": None, "DeliveryPhone1": None, "DeliveryPhone2": None, "DeliveryZipCode": None,
    "Email": "", "EmailInvoice": "", "EmailInvoiceBCC": "", "EmailInvoiceCC": "", "EmailOffer": "", "EmailOfferBCC": "",
    "EmailOfferCC": "",
    "EmailOrder": "", "EmailOrderBCC": "", "EmailOrderCC": "", "ExternalReference": None, "Fax": None, "GLN": None,
    "GLNDelivery": None,
    "InvoiceAdministrationFee": None, "InvoiceDiscount": None, "InvoiceFreight": None, "InvoiceRemark": "", "Name": "",
    "OrganisationNumber": "",
    "OurReference": "", "Phone1": None, "Phone2": None, "PriceList": "A", "Project": "", "SalesAccount": None,
    "ShowPriceVATIncluded": False,
    "TermsOfDelivery": "", "TermsOfPayment": chart.DEFAULT_TERMS, "Type": "COMPANY", "VATNumber": "", "VATType": "SEVAT",
    "VisitingAddress": None,
    "VisitingCity": None, "VisitingCountry": None, "VisitingCountryCode": None, "VisitingZipCode": None, "WayOfDelivery": "",
    "WWW": "",
    "YourReference": "", "ZipCode": None,
}  # fmt: skip

_BRIEF = ("@url", "Address1", "Address2", "City", "CustomerNumber", "Email", "Name", "OrganisationNumber", "Phone", "ZipCode")
_SEARCHED = ("customernumber", "name", "zipcode", "city", "email", "phone", "organisationnumber", "gln", "glndelivery")
_PARAMETERS = frozenset(_SEARCHED)
_NUMBER = re.compile(r"[\w\-+/]+")
_VAT_NUMBER = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,13}")


def create(call: Call) -> Answer:
    sent = read(SPEC, call.envelope("Customer"), call.knobs)
    if not sent.get("Name"):
        raise invalid(2000637, "Kundnamn måste anges.")
    key = sent.get("CustomerNumber")
    if key is None:
        key = _next_number(call)
    elif not _NUMBER.fullmatch(key):
        raise invalid(2000106, "Värdet måste vara alfanumeriskt.")
    elif cards.exists(call, KIND, key):
        raise invalid(2000637, f"Kundnummer {key} används redan.")
    elif cards.was_deleted(call, KIND, key):
        raise invalid(2000637, f"Kundnummer {key} används redan. Kundnumret har redan använts men blivit raderat.")
    card = {**_EMPTY, "@url": f"{HERE}/3/customers/{key}", "CustomerNumber": key}
    text_now = _keep(call, key, _applied(call, card, {**sent, "CustomerNumber": key}))
    answer = enveloped("Customer", text_now, 201)
    answer.headers.append((b"location", b"customers"))
    return answer


def get(call: Call, key: str) -> Answer:
    found = cards.text_of(call, KIND, key)
    if found is None:
        raise _missing()
    return enveloped("Customer", found)


def update(call: Call, key: str) -> Answer:
    card = cards.find(call, KIND, key)
    if card is None:
        raise _missing()
    sent = read(SPEC, call.envelope("Customer"), call.knobs)
    if sent.get("CustomerNumber", key) != key:
        raise invalid(2000310, "Posten används.")
    if "Name" in sent and not sent["Name"]:
        raise invalid(2000637, "Kundnamn måste anges.")
    return enveloped("Customer", _keep(call, key, _applied(call, card, sent)))


def delete(call: Call, key: str) -> Answer:
    if not cards.exists(call, KIND, key):
        raise _missing()
    if call.store.value("SELECT 1 FROM invoice WHERE tenant = ? AND customer = ? AND cancelled = 0 LIMIT 1", call.tenant, key):
        raise invalid(2000310, "Posten används.")
    cards.remove(call, KIND, key)
    return Answer(204)


def listing(call: Call) -> Answer:
    lists.known_parameters(call, _PARAMETERS)
    wanted = lists.Wanted(call)
    wanted.where("kind = ?", KIND)
    filtered = call.query.get("filter")
    if filtered:
        if filtered not in ("active", "inactive"):
            raise invalid(2000587, "Ett ogiltigt filter har använts.")
        wanted.where("active = ?", int(filtered == "active"))
    for name in _SEARCHED:
        wanted.matching(KIND, name, "key", exact=name == "organisationnumber")
    wanted.modified()
    wanted.visible()
    if call.query.get("sortby") not in (None, "", "customernumber", "name"):
        raise bad_parameter()
    order = {"customernumber": "CAST(key AS INTEGER) then key", "name": "json_extract(body, '$.Name') then key"}
    return lists.page(wanted, "Customers", "card", order, order["customernumber"])


def _applied(call: Call, card: Fields, sent: Fields) -> Fields:
    """Return the card with what was sent laid over it, derived fields included."""
    _check(call, sent)
    for name, value in sent.items():
        if value is None:
            card[name] = _EMPTY[name]
        elif isinstance(value, dict):
            card[name] = {**card[name], **{inner: choice for inner, choice in value.items() if choice is not None}}
        elif name in ("InvoiceFreight", "InvoiceAdministrationFee"):
            card[name] = format(value, "f")
        else:
            card[name] = value
    for code, name in (
        ("CountryCode", "Country"),
        ("DeliveryCountryCode", "DeliveryCountry"),
        ("VisitingCountryCode", "VisitingCountry"),
    ):
        card[name] = chart.COUNTRIES.get(card[code], card[code]) if card[code] else None
    return card


def _check(call: Call, sent: Fields) -> None:
    registers = (
        ("Currency", "currency", 2000427, "Kunde inte hitta valuta."),
        ("TermsOfPayment", "termsofpayment", 2000429, "Kan inte hitta betalningsvillkoret."),
        ("PriceList", "pricelist", 2000431, "Kan inte hitta prislistan."),
    )
    for name, kind, code, message in registers:
        if sent.get(name) and not cards.exists(call, kind, sent[name]):
            raise invalid(code, message)
    checked = call.knobs["organisationNumberCheck"] and sent.get("OrganisationNumber")
    if checked and not _valid_organisation(sent["OrganisationNumber"]):
        raise invalid(call.knobs.code("organisationNumber"), "Ogiltigt organisationsnummer.")
    if sent.get("VATNumber") and not _VAT_NUMBER.fullmatch(sent["VATNumber"].replace(" ", "")):
        raise invalid(2004194, "Ogiltigt VAT-nummer.")


def _valid_organisation(text: str) -> bool:
    """Swedish numbers (10 or 12 digits) carry a check digit; anything else is another country's."""
    digits = text.replace("-", "")
    if not digits.isdecimal() or len(digits) not in (10, 12):
        return True
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(digits[-10:]))
    return total % 10 == 0


def _keep(call: Call, key: str, card: Fields) -> str:
    brief = chosen({**card, "Phone": card["Phone1"] or ""}, _BRIEF)
    terms: dict[str, Any] = {
        "customernumber": key,
        "name": card["Name"],
        "zipcode": card["ZipCode"],
        "city": card["City"],
        "email": card["Email"],
        "phone": card["Phone1"],
        "organisationnumber": card["OrganisationNumber"],
        "gln": card["GLN"],
        "glndelivery": card["GLNDelivery"],
    }
    return cards.keep(call, KIND, key, card, brief, terms)


def _next_number(call: Call) -> str:
    """Take the next free number. As observed, an automatic number may be one whose customer was deleted."""
    if call.knobs["recycleCustomerNumbers"]:
        highest = call.store.value(
            "SELECT max(CAST(key AS INTEGER)) FROM card WHERE tenant = ? AND kind = ? AND key NOT GLOB '*[^0-9]*'",
            call.tenant,
            KIND,
        )
        return str(int(highest or 0) + 1)
    while True:
        key = str(call.store.next_number(call.tenant, KIND))
        if not cards.exists(call, KIND, key) and not cards.was_deleted(call, KIND, key):
            return key


def _missing() -> Exception:
    return missing(2000433, "Kan inte hitta kunden.")
