"""The ECB's reference rates, a file without key: units of a currency for one euro. Our second source, only to compare with."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree

import httpx

from clients.errors import Unreadable
from clients.transport import DEADLINE, Answer, failure_of, send
from clients.wire import day, exact

_CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"
Rates = Mapping[date, Mapping[str, Decimal]]


class EcbClient:
    """Reads the published files."""

    def __init__(self, http: httpx.AsyncClient, deadline: float = DEADLINE) -> None:
        self._http = http
        self._deadline = deadline

    async def aclose(self) -> None:
        await self._http.aclose()

    async def for_one_euro(self, *, all_years: bool = False) -> Rates:
        """Units of each currency for one euro, by day: the last 90 days, or all since 1999 (a large file)."""
        path = "eurofxref-hist.xml" if all_years else "eurofxref-hist-90d.xml"
        answer = await send(self._http, "GET", path, headers={"Accept": "application/xml"}, deadline=self._deadline)
        if answer.status != 200:
            raise failure_of(answer, None, "")
        return _rates(answer)


def _rates(answer: Answer) -> Rates:
    """The days of a file. Declarations of entities have no place in it and are refused unread."""
    problem = "not the ECB's XML"
    if b"<!" not in answer.content[:4096].replace(b"<!--", b""):
        try:
            root = ElementTree.fromstring(answer.content)
            found = {
                day(cube.attrib["time"]): {
                    each.attrib["currency"]: exact(each.attrib["rate"]) for each in cube.iter(_CUBE) if "rate" in each.attrib
                }
                for cube in root.iter(_CUBE)
                if "time" in cube.attrib
            }
        except (ElementTree.ParseError, ValueError, KeyError, RecursionError):
            problem = "XML that is cut or damaged"
        else:
            if found:
                return found
    raise Unreadable(f"{answer.call}: {answer.status}, {problem}")
