"""Lists: paging, searching, and the meta block with its `@` keys."""

from dataclasses import dataclass, field
from typing import Any

from simulators.fortnox.call import Call
from simulators.fortnox.clock import real_seconds
from simulators.fortnox.refusals import bad_parameter
from simulators.fortnox.wire import Answer

PAGE = 100
LARGEST_PAGE = 500
# Parameters that mean something on every list.
COMMON = frozenset(
    (
        "page",
        "limit",
        "offset",
        "sortby",
        "sortorder",
        "lastmodified",
        "fromdate",
        "todate",
        "financialyear",
        "financialyeardate",
        "filter",
    )
)


@dataclass(slots=True)
class Wanted:
    """The rows a list asks for, as conditions in SQL."""

    call: Call
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def where(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition)
        self.values += values

    def matching(self, kind: str, parameter: str, column: str, *, exact: bool = False) -> None:
        """Keep what the named search parameter finds: case-insensitive, inside the value or at its start."""
        sought = self.call.query.get(parameter)
        if not sought:
            return
        sought = sought.casefold()
        doc = "CAST(doc AS INTEGER)" if column == "number" else "doc"
        head = f"SELECT {doc} FROM term WHERE tenant = ? AND kind = ? AND field = ? AND size"
        keys = (self.call.tenant, kind, parameter)
        equal = f"{head} = ? AND value = ?"
        if exact:
            self.where(f"{column} IN ({equal})", *keys, len(sought), sought)
            return
        longer = "substr(value, 1, ?) = ?" if self.call.knobs["searchMode"] == "prefix" else "instr(value, ?) > 0"
        extra = (len(sought), sought) if self.call.knobs["searchMode"] == "prefix" else (sought,)
        self.where(
            f"{column} IN ({equal} UNION ALL {head} > ? AND {longer})",
            *keys, len(sought), sought, *keys, len(sought), *extra,
        )  # fmt: skip

    def between(self, column: str, start: str = "fromdate", end: str = "todate") -> None:
        """Keep a range of days, both included."""
        if first := self.call.query.get(start):
            self.where(f"{column} >= ?", first)
        if last := self.call.query.get(end):
            self.where(f"{column} <= ?", last)

    def modified(self) -> None:
        if since := self.call.query.get("lastmodified"):
            self.where("modified >= ?", since)

    def visible(self) -> None:
        """Hide what the search does not show yet: the lag knob, or the fault that serves an old list."""
        lag = float(self.call.knobs["visibilityLagSeconds"])
        if lag > 0:
            self.where("created <= ?", real_seconds() - lag)
        if self.call.stale_seconds is not None:
            self.where("created <= ?", self.call.served_until)


def known_parameters(call: Call, names: frozenset[str]) -> None:
    """Refuse a misspelled parameter, where the knob says that Fortnox does."""
    if call.knobs["unknownParameter"] == "refused" and any(name not in names and name not in COMMON for name in call.query):
        raise bad_parameter()


def page(wanted: Wanted, key: str, table: str, order: dict[str, str], default: str) -> Answer:
    """Answer one page of list rows, each already written as JSON; an order is "this then that"."""
    call = wanted.call
    limit, start, number = _window(call)
    column = order.get(call.query.get("sortby", ""), default)
    if call.query.get("sortby") and call.query["sortby"] not in order:
        raise bad_parameter()
    direction = call.query.get("sortorder", "ascending")
    if direction not in ("ascending", "descending"):
        raise bad_parameter()
    ordered = ", ".join(f"{part} {'DESC' if direction == 'descending' else 'ASC'}" for part in column.split(" then "))
    rule = " AND ".join(["tenant = ?", *wanted.conditions])
    values = (call.tenant, *wanted.values)
    total = int(call.store.value(f"SELECT count(*) FROM {table} WHERE {rule}", *values))
    rows = call.store.all(f"SELECT brief FROM {table} WHERE {rule} ORDER BY {ordered} LIMIT ? OFFSET ?", *values, limit, start)
    return written(key, [row["brief"] for row in rows], total, limit, number)


def page_of(call: Call, key: str, texts: list[str]) -> Answer:
    """Answer one page of a short list held in memory."""
    limit, start, number = _window(call)
    return written(key, texts[start : start + limit], len(texts), limit, number)


def written(key: str, texts: list[str], total: int, limit: int, number: int) -> Answer:
    pages = -(-total // limit)
    meta = f'{{"@TotalResources":{total},"@TotalPages":{pages},"@CurrentPage":{number}}}'
    return Answer(200, f'{{"MetaInformation":{meta},"{key}":[{",".join(texts)}]}}'.encode())


def _window(call: Call) -> tuple[int, int, int]:
    asked = call.integer("limit")
    limit = PAGE if asked is None else asked
    if limit < 1:
        raise bad_parameter()
    limit = min(limit, LARGEST_PAGE)
    number = call.integer("page") or 1
    offset = call.integer("offset")
    return limit, (number - 1) * limit if offset is None else offset, number
