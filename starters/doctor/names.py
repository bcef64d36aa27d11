"""Names and numbers of the warehouse that nobody refuses and that mean something else than the settings say.

An order brings a type or a way of delivery that the warehouse does not have, and makes it: a misspelt one is found by nobody. So
it is said here, but it does not stop orders.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from clients.ongoing import OngoingClient, OrderStatus
from domain.merchant import DEFAULT_ORDER_TYPES, MerchantSettings
from starters.doctor.finding import Finding, good, later

NAME = "ongoing-names"
ORDERS = {
    "error": ("error", "fel"),
    "open": ("open", "öppen"),
    "released": ("released", "frisläppt"),
    "allocated": ("allocated", "allokerad"),
    "picked": ("picked", "plockad"),
    "sent": ("sent", "skickad"),
    "collected": ("collected", "hämtad"),
    "returned": ("returned", "returnerad"),
    "cancelled": ("cancelled", "makulerad"),
}
PURCHASES = {
    "notified": ("notified", "aviserad"),
    "inbound": ("inbound", "inlevereras"),
    "deviation": ("deflection", "avvikelse"),
    "received": ("received", "mottagen"),
    "cancelled": ("cancelled", "makulerad"),
}
RETURNS = {
    "notified": ("notified", "aviserad"),
    "returned": ("returned", "returnerad"),
    "cancelled": ("cancelled", "makulerad"),
}
WORDS = {"statuses": ORDERS, "purchase_statuses": PURCHASES, "return_statuses": RETURNS}
"""What the warehouse system itself calls its statuses, in English and Swedish. A warehouse may rename them."""


def taken_for_another(setting: str, ours: Mapping[int, str], theirs: Mapping[int, str]) -> list[str]:
    """Statuses whose name in the warehouse is the system's own word for something else than we take it for."""
    words = {word: meaning for meaning, spoken in WORDS[setting].items() for word in spoken}
    return [
        f"status {number} is called {text} there, and means {ours[number]} here ({setting})"
        for number, text in sorted(theirs.items())
        if number in ours and words.get(text.strip().lower(), ours[number]) != ours[number]
    ]


def lock_too_high(name: str, settings: MerchantSettings, theirs: Sequence[OrderStatus]) -> Finding | None:
    """A lock above what is sent: we would ask for changes that the warehouse refuses."""
    there = {status.number for status in theirs}
    sent = [int(number) for number, meaning in settings.statuses.items() if meaning == "sent" and int(number) in there]
    if not sent or settings.edit_lock_status <= min(sent):
        return None
    said = f"edit_lock_status is {settings.edit_lock_status}, above {min(sent)}, at which orders are sent"
    return later(name, said, "Set edit_lock_status to the lowest status at which the warehouse refuses to change an order.")


async def examine_names(client: OngoingClient, settings: MerchantSettings) -> Finding:
    """Types of orders and ways of delivery, as the warehouse calls them. Where it has none yet, all are new."""
    types = {
        kind: code
        for kind, known in settings.order_types.items()
        if (code := known["code"]) is not None and known != DEFAULT_ORDER_TYPES.get(kind)
    }
    ways = {ours: way["code"] for ours, way in settings.ways_of_delivery.items()}
    wrong = _unknown("order_types", types, await client.order_types())
    wrong += _unknown("ways_of_delivery", ways, await client.ways_of_delivery())
    if wrong:
        remedy = "Correct them in the merchant's settings, or let the warehouse make them: else the first order does."
        return later(NAME, "; ".join(wrong), remedy)
    return good(NAME, f"{len(types)} order types and {len(ways)} ways of delivery")


def _unknown(setting: str, codes: Mapping[str, str], theirs: Sequence[str]) -> list[str]:
    wrong = []
    for ours, code in codes.items() if theirs else ():
        if code not in theirs:
            near = get_close_matches(code, theirs, 1)
            known = f"; is it {near[0]}?" if near else f", but {', '.join(sorted(theirs)[:10])}"
            wrong.append(f"{setting}.{ours} is {code}, which the warehouse does not have{known}")
    return wrong
