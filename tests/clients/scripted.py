"""A partner that answers what a test says, over `MockTransport`, and remembers what it was asked."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx

from clients.transport import new_http

Handler = Callable[[httpx.Request], httpx.Response]


class Scripted:
    """Answers in order; a function is asked for its answer, and the last one is repeated."""

    def __init__(self, *answers: httpx.Response | Handler, auth: tuple[str, str] | None = None, base: str = "") -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.http = new_http(base or "https://partner.example", auth=auth, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)

    @property
    def asked(self) -> list[str]:
        """Method and path with query of each request."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]

    def sent(self, number: int = -1) -> Any:
        """The body of a request, numbers exact."""
        return json.loads(self.requests[number].content, parse_float=Decimal)


def ok(content: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=content)
