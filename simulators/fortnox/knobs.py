"""Everything about Fortnox that is unverified or differs between companies, as settings.

A knob may be set for all companies or for one; the one for the company wins.
"""

from typing import Any

from simulators.fortnox.store import Store
from simulators.fortnox.wire import read_json, write_json

ARTIFICIAL_CODES = {
    "duplicateInvoiceNumber": 2999001,
    "noFinancialYear": 2999002,
    "alreadyBooked": 2999003,
    "updateBooked": 2999004,
    "cancelBooked": 2999005,
    "secondCredit": 2999006,
    "paymentOnUnbooked": 2999007,
    "unbalancedVoucher": 2999008,
    "cashMethod": 2999009,
    "invalidDate": 2999010,
    "dateOutsideYear": 2999011,
    "unknownSeries": 2999012,
    "seriesNotManual": 2999013,
    "unknownVat": 2999014,
    "tooManyRows": 2999015,
    "updateCancelled": 2999016,
    "secondCancel": 2999017,
    "creditUnbooked": 2999018,
    "creditOfCredit": 2999019,
    "paymentBeforeInvoice": 2999020,
    "paymentOutsideYear": 2999021,
    "unknownModeOfPayment": 2999022,
    "updateBookedPayment": 2999023,
    "seriesExists": 2999024,
    "invalidChoice": 2999025,
    "yearOverlaps": 2999026,
    "accountExists": 2999027,
    "rowNotFound": 2999028,
    "badVoucherRow": 2999029,
    "organisationNumber": 2999030,
    "noSuchVoucher": 2999031,
    "noSuchResource": 2999404,
    "noSuchMethod": 2999405,
}

DEFAULTS: dict[str, Any] = {
    "rateWindow": {"requests": 25, "seconds": 5},
    "rateBody": "",
    "retryAfter": None,
    "tokenLifetime": 3600,
    "unconsentedScopes": "dropped",
    "searchMode": "substring",
    "visibilityLagSeconds": 0,
    "unknownParameter": "ignored",
    "sublistDates": "honoured",
    "latencyMilliseconds": 0,
    "readOnlyFields": "refused",
    "customerMissingStatus": 400,
    "organisationNumberCheck": True,
    "recycleCustomerNumbers": True,
    "missingDefaultAccountBreaksPut": False,
    "priceDecimals": 2,
    "quantityDecimals": 2,
    "vatRounding": "rate",
    "registeredVat": [25, 12, 6, 0],
    "freightVat": 25,
    "roundOff": False,
    "yourOrderNumberLength": 30,
    "discountTypeDefault": "PERCENT",
    "ownNumberMovesSeries": False,
    "negativeInvoiceIsCredit": True,
    "draftInLockedPeriod": "allowed",
    "secondBookkeep": "error",
    "secondCancel": "error",
    "warehouseModule": False,
    "preselectedYear": "latest",
    "yearInVoucherBody": "ignored",
    "codes": {},
}


class Knobs:
    """The settings that hold for one company."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def code(self, name: str) -> int:
        return int(self.values["codes"].get(name, ARTIFICIAL_CODES[name]))


class KnobShelf:
    """Reads and keeps knobs; what is read often is held in memory until it is changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: dict[int, Knobs] = {}

    def of(self, tenant: int) -> Knobs:
        held = self._held.get(tenant)
        if held is None:
            values = {**DEFAULTS, **self._set_for(0), **(self._set_for(tenant) if tenant else {})}
            held = self._held[tenant] = Knobs(values)
        return held

    def change(self, tenant: int, changes: dict[str, Any]) -> None:
        """Set some knobs; null puts a knob back to its default. An unknown name raises KeyError."""
        for name, value in changes.items():
            if name not in DEFAULTS:
                raise KeyError(name)
            if value is None:
                self._store.run("DELETE FROM knob WHERE tenant = ? AND name = ?", tenant, name)
            else:
                self._store.run("INSERT OR REPLACE INTO knob VALUES (?, ?, ?)", tenant, name, write_json(value))
        self._held.clear()

    def forget(self) -> None:
        self._held.clear()

    def _set_for(self, tenant: int) -> dict[str, Any]:
        rows = self._store.all("SELECT name, value FROM knob WHERE tenant = ?", tenant)
        return {row["name"]: read_json(row["value"].encode()) for row in rows}
