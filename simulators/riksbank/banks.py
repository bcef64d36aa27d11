"""The two banks' answers: SWEA's JSON for the Riksbank, the reference rates' XML for the ECB."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from simulators.riksbank.quotes import AROUND, ECB, FIRST_DAY, RIKSBANK, Quotes, closed
from simulators.riksbank.store import Store

DEFAULTS: dict[str, Any] = {
    "emptySpan": "204",
    "valueAsString": False,
    "per100": [],
    "ended": {"BGN": "2025-12-30"},
    "duplicateDates": False,
    "futureDate": False,
    "ecbLacksSek": False,
    "key": None,
    "limit": None,
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def settings(store: Store) -> dict[str, Any]:
    changed: dict[str, Any] = store.read("settings", {})
    return DEFAULTS | changed


class Banks:
    """Answers a path of either bank."""

    def __init__(self, store: Store, quotes: Quotes) -> None:
        self._store = store
        self._quotes = quotes

    def answer(self, method: str, path: str) -> Answer:
        if method != "GET":
            return _said(405, "Method Not Allowed")
        match path.strip("/").split("/"):
            case ["swea", "v1", *rest]:
                return self._swea(rest)
            case ["stats", "eurofxref", file]:
                return self._ecb(file)
        return _said(404, "Resource not found")

    def _swea(self, rest: list[str]) -> Answer:
        match rest:
            case ["Observations", "Latest", "ByGroup", "130"]:
                found = [(f"SEK{currency}PMI", self._latest(currency)) for currency in sorted(AROUND)]
                return _json([{"seriesId": series, **quote} for series, quote in found if quote])
            case ["Observations", "Latest", series]:
                currency = _currency(series)
                quote = self._latest(currency) if currency else None
                return _json(quote) if quote else _said(404, "Series not found")
            case ["Observations", series, first, *last] if len(last) <= 1:
                return self._span(series, first, last[0] if last else None)
            case ["CalendarDays", first, *last] if len(last) <= 1:
                return self._calendar(first, last[0] if last else None)
            case ["Series"]:
                return _json([{"seriesId": f"SEK{currency}PMI", "groupId": 130} for currency in sorted(AROUND)])
        return _said(404, "Resource not found")

    def _span(self, series: str, first: str, last: str | None) -> Answer:
        currency = _currency(series)
        if currency is None:
            return _said(404, "Series not found")
        try:
            begin = date.fromisoformat(first)
            end = date.fromisoformat(last) if last else self._quotes.last_day(RIKSBANK)
        except ValueError:
            return _said(400, "Dates are YYYY-MM-DD")
        found = self._observations(currency, begin, end)
        if not found:
            return Answer(204) if settings(self._store)["emptySpan"] == "204" else _json([])
        return _json(found)

    def _observations(self, currency: str, begin: date, end: date) -> list[dict[str, Any]]:
        switches = settings(self._store)
        ended = switches["ended"].get(currency)
        end = min(end, date.fromisoformat(ended)) if ended else end
        found = self._quotes.of(RIKSBANK, currency, begin, end)
        if found and switches["futureDate"]:
            found.append((self._quotes.last_day(RIKSBANK) + timedelta(days=30), found[-1][1]))
        if found and switches["duplicateDates"]:
            found.append(found[-1])
        return [self._observation(currency, day, value, switches) for day, value in found]

    @staticmethod
    def _observation(currency: str, day: date, value: Decimal, switches: Mapping[str, Any]) -> dict[str, Any]:
        shown = value * 100 if currency in switches["per100"] else value
        return {"date": day.isoformat(), "value": f"{shown:f}" if switches["valueAsString"] else shown}

    def _latest(self, currency: str) -> dict[str, Any] | None:
        found = self._observations(currency, FIRST_DAY, self._quotes.last_day(RIKSBANK))
        return found[-1] if found else None

    def _calendar(self, first: str, last: str | None) -> Answer:
        try:
            begin = date.fromisoformat(first)
            end = date.fromisoformat(last) if last else self._quotes.last_day(RIKSBANK)
        except ValueError:
            return _said(400, "Dates are YYYY-MM-DD")
        days = [begin + timedelta(days=n) for n in range(min((end - begin).days + 1, 4000))]
        return _json([{"calendarDate": day.isoformat(), "swedishBankday": not closed(RIKSBANK, day)} for day in days])

    def _ecb(self, file: str) -> Answer:
        last = self._quotes.last_day(ECB)
        spans = {
            "eurofxref-daily.xml": last - timedelta(days=10),
            "eurofxref-hist-90d.xml": last - timedelta(days=90),
            "eurofxref-hist.xml": FIRST_DAY,
        }
        if file not in spans:
            return Answer(404, b"<html><body>Not found</body></html>", "text/html")
        lacks = settings(self._store)["ecbLacksSek"]
        days: dict[date, list[tuple[str, Decimal]]] = {}
        for currency in ["SEK", *sorted(AROUND.keys() - {"EUR"})]:
            if currency != "SEK" or not lacks:
                for day, value in self._quotes.of(ECB, currency, spans[file], last):
                    days.setdefault(day, []).append((currency, value))
        newest = sorted(days, reverse=True)
        cubes = "".join(_cube(day, days[day]) for day in (newest[:1] if "daily" in file else newest))
        return Answer(200, _ENVELOPE.replace("CUBES", cubes).encode(), "text/xml")


_ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
\t<gesmes:subject>Reference rates</gesmes:subject>
\t<gesmes:Sender>
\t\t<gesmes:name>European Central Bank</gesmes:name>
\t</gesmes:Sender>
\t<Cube>CUBES</Cube>
</gesmes:Envelope>"""


def _cube(day: date, rates: list[tuple[str, Decimal]]) -> str:
    inside = "".join(f'<Cube currency="{currency}" rate="{rate}"/>' for currency, rate in rates)
    return f'<Cube time="{day}">{inside}</Cube>'


def _json(value: Any) -> Answer:
    return Answer(200, _written(value).encode())


def _written(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(item) for item in value) + "]"
    return json.dumps(value)


def _said(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"statusCode": status, "message": message}).encode())


def _currency(series: str) -> str | None:
    currency = series[3:6]
    return currency if series == f"SEK{currency}PMI" and currency in AROUND else None
