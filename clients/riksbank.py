"""The Riksbank's rates by its REST API (SWEA). A series is `SEK<currency>PMI`: kronor for one unit, of some for a hundred.

A span without quotes is an answer (204 or an empty list), an unknown series is not (404): the two must not be mixed up. The key
is optional; without it few requests are allowed, counted by address.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter

from clients.errors import ApiError
from clients.transport import DEADLINE, Answer, failure_of, json_of, read, segment, send
from clients.wire import Day, Exact, read_json


class Observation(BaseModel):
    """One quote of a series. The value may come as a number or as digits in a text."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    date: Day
    value: Exact


_OBSERVATIONS = TypeAdapter(list[Observation])


class RiksbankClient:
    """Asks for observations. No key is no fault."""

    def __init__(self, http: httpx.AsyncClient, key: str | None = None, deadline: float = DEADLINE) -> None:
        self._http = http
        self._headers: Mapping[str, str] = {"Ocp-Apim-Subscription-Key": key} if key else {}
        self._deadline = deadline

    async def aclose(self) -> None:
        await self._http.aclose()

    async def kronor_for(self, currency: str, first: date, last: date) -> list[tuple[date, Decimal]]:
        """The quotes of a currency over a span, both ends included, as the bank writes them and in its order.

        Raises `NotFound` for a currency that the bank has no series for.
        """
        path = f"Observations/{segment(f'SEK{currency}PMI')}/{first}/{last}"
        answer = await send(self._http, "GET", path, headers=self._headers, deadline=self._deadline)
        if answer.status == 204:
            return []
        if answer.status != 200:
            raise _failure(answer)
        return [(found.date, found.value) for found in read(answer, _OBSERVATIONS, json_of(answer))]


def _failure(answer: Answer) -> ApiError:
    """The bank's words are in `message`; a page of HTML has none."""
    try:
        said = read_json(answer.content)
    except ValueError:
        said = None
    return failure_of(answer, None, str(said["message"]) if isinstance(said, dict) and "message" in said else "")
