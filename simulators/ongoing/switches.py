"""What is not known about Ongoing, as switches: each has the most likely default and its alternatives.

Status numbers belong here too, because every warehouse may renumber, rename and add statuses.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Json = Any

ALTERNATIVES: dict[str, tuple[Json, ...]] = {
    "refusedChange": ("400-message", "409-message", "400-Message", "200-null-id"),
    "validationFailure": ("model-state", "message", "text"),
    "unknownArticle": ("refuse", "create", "drop"),
    "unknownId": ("404", "400", "200-null"),
    "secondCancel": ("refuse", "accept"),
    "putOnCancelled": ("refuse", "revive"),
    "createdStatusCode": (201, 200),
    "omittedFields": ("unchanged", "cleared"),
    "missingLines": ("remove", "keep", "reject"),
    "shortPick": ("same-order", "back-order"),
    "overReceipt": ("allow", "refuse"),
    "laterPick": ("reopens", "keeps"),
    "unknownFields": ("ignore", "refuse"),
    "timeBounds": ("inclusive", "exclusive"),
    "language": ("sv", "en"),
    "editLockOnQuantities": (True, False),
    "unknownTransporter": ("refuse", "accept"),
    "goodsLeaveStock": ("at-pick", "at-collection"),
    "receivedGoodsCount": ("at-once", "when-finished"),
    "articleNumbers": ("exact", "alike"),
}

DEFAULTS: dict[str, Json] = {
    **{name: choices[0] for name, choices in ALTERNATIVES.items()},
    "startStatus": 300,
    "editLockStatus": 320,
    "purchaseOrderEditLockStatus": 300,
    "visibilityDelaySeconds": 0,
    "writeSeconds": 0,
    "orderStatusNumbers": {},
    "purchaseOrderStatusNumbers": {},
    "extraOrderStatuses": [],
    "volumeLimits": [],
    "failureLimits": [],
    "warehouses": [{"id": 1, "code": "GBG", "name": "Göteborg"}],
    "transporters": [
        {
            "ediCode": "",
            "transporterName": "PostNord Sweden AB",
            "transporterCode": "PLAB",
            "transporterServiceCode": "",
            "transporterServices": [
                {"transporterServiceName": "PostNord MyPack Collect", "transporterServiceCode": "P19"},
                {"transporterServiceName": "PostNord Parcel", "transporterServiceCode": "P18"},
            ],
        },
        {
            "ediCode": "",
            "transporterName": "DHL Freight",
            "transporterCode": "DHLROAD",
            "transporterServiceCode": "",
            "transporterServices": [{"transporterServiceName": "DHL Paket", "transporterServiceCode": "102"}],
        },
    ],
}

_LIMIT_FIELDS = {
    "volumeLimits": {"route", "calls", "windowSeconds", "retryAfter"},
    "failureLimits": {"route", "failures", "windowSeconds", "retryAfter"},
}


@dataclass(frozen=True, slots=True)
class Status:
    meaning: str
    number: int
    english: str
    swedish: str


ORDER_STATUSES = (
    Status("error", 150, "Error", "Fel"),
    Status("open", 200, "Open", "Öppen"),
    Status("released", 300, "Released", "Frisläppt"),
    Status("allocated", 320, "Allocated", "Allokerad"),
    Status("picked", 400, "Picked", "Plockad"),
    Status("sent", 450, "Sent", "Skickad"),
    Status("collected", 500, "Collected", "Hämtad"),
    Status("returned", 800, "Returned", "Returnerad"),
    Status("cancelled", 1000, "Cancelled", "Makulerad"),
)

PURCHASE_ORDER_STATUSES = (
    Status("notified", 100, "Notified", "Aviserad"),
    Status("arrival", 200, "Arrival space", "Ankomstyta"),
    Status("inbound", 300, "Inbound", "Inlevereras"),
    Status("deviation", 400, "Deflection", "Avvikelse"),
    Status("received", 500, "Received", "Mottagen"),
    Status("cancelled", 900, "Cancelled", "Makulerad"),
)


class BadSetting(ValueError):
    """The switch or its value does not exist."""


class Switches:
    """The switches as they stand now. Changing one takes effect with the next request."""

    def __init__(self, stored: dict[str, Json]) -> None:
        self.values: dict[str, Json] = {**DEFAULTS, **stored}
        self._number_statuses()

    def __getitem__(self, name: str) -> Json:
        return self.values[name]

    def change(self, changes: dict[str, Json]) -> None:
        for name, value in changes.items():
            _check(name, value)
        self.values.update(changes)
        self._number_statuses()

    def order_status(self, meaning: str) -> int:
        return self._order_numbers[meaning]

    def order_status_text(self, number: int) -> str | None:
        return self._order_texts.get(number)

    def order_statuses(self) -> list[dict[str, Json]]:
        return [{"number": number, "text": text} for number, text in sorted(self._order_texts.items())]

    def purchase_status(self, meaning: str) -> int:
        return self._purchase_numbers[meaning]

    def purchase_status_text(self, number: int) -> str | None:
        return self._purchase_texts.get(number)

    def purchase_statuses(self) -> list[dict[str, Json]]:
        return [{"number": number, "text": text} for number, text in sorted(self._purchase_texts.items())]

    def warehouse(self, warehouse_id: int) -> dict[str, Json] | None:
        found = [house for house in self.values["warehouses"] if house["id"] == warehouse_id]
        return found[0] if found else None

    def _number_statuses(self) -> None:
        swedish = self.values["language"] == "sv"

        def numbered(statuses: tuple[Status, ...], given: dict[str, int]) -> tuple[dict[str, int], dict[int, str]]:
            numbers = {status.meaning: given.get(status.meaning, status.number) for status in statuses}
            texts = {numbers[status.meaning]: status.swedish if swedish else status.english for status in statuses}
            return numbers, texts

        self._order_numbers, self._order_texts = numbered(ORDER_STATUSES, self.values["orderStatusNumbers"])
        self._purchase_numbers, self._purchase_texts = numbered(
            PURCHASE_ORDER_STATUSES, self.values["purchaseOrderStatusNumbers"]
        )
        for extra in self.values["extraOrderStatuses"]:
            self._order_texts[extra["number"]] = extra["text"]


def _check(name: str, value: Json) -> None:
    if name not in DEFAULTS:
        raise BadSetting(f"there is no setting '{name}'; there are: {', '.join(sorted(DEFAULTS))}")
    if name in ALTERNATIVES:
        if not any(type(value) is type(choice) and value == choice for choice in ALTERNATIVES[name]):
            raise BadSetting(f"{name} is one of {list(ALTERNATIVES[name])}")
        return
    default = DEFAULTS[name]
    number_like = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if (number_like and value < 0) or (not number_like if isinstance(default, int) else not isinstance(value, type(default))):
        raise BadSetting(f"{name} is written like {default!r}")
    if name in ("orderStatusNumbers", "purchaseOrderStatusNumbers"):
        known = {status.meaning for status in (ORDER_STATUSES if name == "orderStatusNumbers" else PURCHASE_ORDER_STATUSES)}
        if not set(value) <= known or not all(type(number) is int for number in value.values()):
            raise BadSetting(f"{name} gives a number to some of {sorted(known)}")
    if name in _LIMIT_FIELDS:
        for limit in value:
            if not isinstance(limit, dict) or not set(limit) <= _LIMIT_FIELDS[name] or "route" not in limit:
                raise BadSetting(f"each of {name} has {sorted(_LIMIT_FIELDS[name])}")
    if name == "extraOrderStatuses" and not all(
        isinstance(extra, dict) and type(extra.get("number")) is int and isinstance(extra.get("text"), str) for extra in value
    ):
        raise BadSetting('each of extraOrderStatuses is like {"number": 425, "text": "..."}')
    if name == "warehouses" and not (value and all(isinstance(house, dict) and type(house.get("id")) is int for house in value)):
        raise BadSetting("each of warehouses has an id, a code and a name; there is at least one")
