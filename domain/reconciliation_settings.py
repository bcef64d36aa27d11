"""How one merchant reconciles: what its warehouse's figures mean, what may be booked unasked, where files lie.

Kept as the part `reconciliation` of the merchant's settings. What the warehouse's papers leave open is a setting here, with the
default that they suggest; `doctor` proves the first two on a real pick and a real receipt before anything is booked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.errors import Refused
from domain.reconciling import Instant, Tolerances
from domain.stock_files import Dialect

RANGES = {
    "hour": (0, 23),
    "stuck_after_hours": (1, 24 * 60),
    "adjustment_window_days": (1, 365),
    "recent_hours": (1, 24 * 30),
    "looks_apart_hours": (0, 24 * 30),
    "tolerated_pieces": (0, 1_000_000),
    "tolerated_value": (0, 100_000_000),
    "tolerated_pieces_per_month": (0, 1_000_000),
    "tolerated_value_per_month": (0, 100_000_000),
    "most_percent_of_stock_value": (0, 100),
    "second_person_above_value": (0, 1_000_000_000),
    "adjustment_account": (1000, 9999),
    "unknown_difference_account": (1000, 9999),
    "file_oldest_hours": (1, 24 * 30),
    "page_size": (10, 5000),
}


@dataclass(frozen=True, slots=True)
class ReconciliationSettings:
    """`goods_leave_at_collection` (h): goods leave `numberOfItems` only when they are collected; `received_counts_when_finished`
    (f): received goods are inside it only when their receipt is finished. `trust_reported_block`: Ongoing's own figures of what
    is not reported may tell which articles to read closely. `scrapped_return_is_one_fact`: the warehouse's adjustment that throws
    a return away is part of that return. `past_is_an_instant`: `historicalInventory` answers for an instant, not for a day.
    `counting_is_known`: somebody answers for the first two; without it nothing unknown is booked before a real pick and a real
    receipt have shown them.

    `settles`: differences may be booked at all. Tolerances are absolute, per article and per article and month. Values are in the
    books' currency. `adjustment_accounts`: cause code to account. Folders are this computer's (or mounted); empty means none.
    `csv_decimal_mark`: of the report's CSV; empty means that of the merchant's country.
    """

    hour: int = 4
    goods_leave_at_collection: bool = False
    received_counts_when_finished: bool = False
    trust_reported_block: bool = True
    scrapped_return_is_one_fact: bool = True
    past_is_an_instant: bool = True
    counting_is_known: bool = False
    warehouse_ids: tuple[int, ...] = ()
    compare_available: bool = True
    settles: bool = True
    stuck_after_hours: int = 48
    adjustment_window_days: int = 35
    recent_hours: int = 72
    looks_apart_hours: int = 12
    tolerated_pieces: int = 5
    tolerated_value: int = 500
    tolerated_pieces_per_month: int = 20
    tolerated_value_per_month: int = 2000
    most_percent_of_stock_value: int = 2
    second_person_above_value: int = 10_000
    adjustment_account: int = 4990
    adjustment_accounts: Mapping[str, int] = field(default_factory=dict)
    unknown_difference_account: int = 4991
    folder: str = ""
    csv_decimal_mark: str = ""
    file_folder: str = ""
    file_dialect: Mapping[str, str] = field(default_factory=dict)
    file_oldest_hours: int = 36
    page_size: int = 1000

    @property
    def instant(self) -> Instant:
        return Instant(self.goods_leave_at_collection, self.received_counts_when_finished)

    @property
    def tolerances(self) -> Tolerances:
        return Tolerances(
            Decimal(self.tolerated_pieces),
            Decimal(self.tolerated_value),
            Decimal(self.tolerated_pieces_per_month),
            Decimal(self.tolerated_value_per_month),
            timedelta(hours=self.looks_apart_hours),
            Decimal(self.most_percent_of_stock_value) / 100,
            Decimal(self.second_person_above_value),
        )

    @property
    def dialect(self) -> Dialect:
        return Dialect.of(self.file_dialect)

    def account_of(self, cause: str) -> int:
        """Where a correction of the warehouse is booked: on its cause's account, else on the common one."""
        return self.adjustment_accounts.get(cause, self.adjustment_account)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "ReconciliationSettings":
        """Settings from their stored form, which `faults` has checked."""
        ids = document.get("warehouse_ids", ())
        return cls(**{**document, "warehouse_ids": tuple(ids)})


def faults(path: str, value: Any) -> Iterable[tuple[str, str]]:
    """Everything that is wrong with the part `reconciliation` of a merchant's settings, each with its key."""
    if not isinstance(value, Mapping):
        yield path, "is not an object of names and values"
        return
    defaults = ReconciliationSettings()
    known = {f.name: getattr(defaults, f.name) for f in fields(defaults)}
    for name, given in value.items():
        at = f"{path}.{name}"
        if name not in known:
            yield at, f"is not known; known are {', '.join(sorted(known))}"
        elif name == "warehouse_ids":
            if not isinstance(given, list | tuple) or not all(type(one) is int and one > 0 for one in given):
                yield at, "is not a list of the warehouse's numbers"
        elif name == "adjustment_accounts":
            if not isinstance(given, Mapping) or not all(type(a) is int and 1000 <= a <= 9999 for a in given.values()):
                yield at, 'is not causes with accounts from 1000 to 9999, like {"DMG": 4992}'
        elif name == "file_dialect":
            try:
                Dialect.of(given if isinstance(given, Mapping) else {"format": given})
            except Refused as wrong:
                yield at, str(wrong)
        elif name == "csv_decimal_mark" and given not in ("", ",", "."):
            yield at, f'is {given!r}, not "," or "." or empty for that of the merchant\'s country'
        elif type(given) is not type(known[name]):
            yield at, f"is {given!r}, not like {known[name]!r}"
        elif name in RANGES and not RANGES[name][0] <= given <= RANGES[name][1]:
            yield at, f"is {given}; it goes from {RANGES[name][0]} to {RANGES[name][1]}"
