"""Access tokens of a service account."""

import asyncio
import base64
from contextlib import suppress
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlencode

import httpx
from pydantic import Field, TypeAdapter

from clients.errors import ApiError, Rejected, Unauthorised, Unavailable
from clients.fortnox.model import Model
from clients.transport import DEADLINE, Answer, clean, failure_of, read, send
from clients.wire import Exact, Text, read_json

TOKEN_MARGIN = 60.0
TOKEN_PATH = "oauth-v1/token"


class _Token(Model):
    access_token: Annotated[Text, Field(pattern=r"^[\x21-\x7e]+$")] = Field(alias="access_token", repr=False)
    expires_in: Exact = Field(Decimal(3600), alias="expires_in")


_TOKEN = TypeAdapter(_Token)


class ClientCredentials:
    """Access tokens of a service account: no refresh token, so a lost answer costs nothing but another request.

    `http` has the host of the token endpoint as its address, `https://apps.fortnox.se`. One renewal at a time; the token
    lives in memory only.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        client_id: str,
        client_secret: str,
        tenant_id: int,
        scope: str | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        self._http = http
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode(),
            "TenantId": str(tenant_id),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._form = urlencode({"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})).encode()
        self._deadline = deadline
        self._renewing = asyncio.Lock()
        self._token: str | None = None
        self._fresh_until = 0.0

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def token(self, refused: str | None = None) -> str:
        """A token that is good for a while. `refused` is one that was just refused: if it is still ours, it is replaced."""
        if self._token is not None and self._token != refused and _now() < self._fresh_until:
            return self._token
        async with self._renewing:
            if self._token is not None and self._token != refused and _now() < self._fresh_until:
                return self._token
            self._token = None
            token = await self._renew()
            lifetime = max(float(token.expires_in), 0.0)
            self._fresh_until = _now() + lifetime - min(TOKEN_MARGIN, lifetime / 2)
            self._token = token.access_token
            return self._token

    def forget(self, token: str) -> None:
        """Do not use this token again."""
        if self._token == token:
            self._token = None

    async def _renew(self) -> _Token:
        """A new token. No answer here means that the request it was wanted for was never sent: nothing is unclear."""
        failure: ApiError
        try:
            answer = await send(
                self._http, "POST", TOKEN_PATH, body=self._form, headers=self._headers, deadline=self._deadline, cap=1024 * 1024
            )
            if 200 <= answer.status < 300:
                return read(answer, _TOKEN, _json_or_none(answer))
            failure = _token_failure(answer)
        except Unavailable as unavailable:
            failure = unavailable
        if isinstance(failure, Unavailable):
            failure.outcome_unknown = False
        raise failure


def _json_or_none(answer: Answer) -> Any:
    with suppress(ValueError):
        return read_json(answer.content)
    return None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _token_failure(answer: Answer) -> ApiError:
    """OAuth's errors are JSON whatever the content type says. Any no here concerns the connection."""
    data = _json_or_none(answer)
    told = data if isinstance(data, dict) else {}
    code, words = (clean(str(told.get(name) or "")) for name in ("error", "error_description"))
    failure = failure_of(answer, code or None, words)
    if isinstance(failure, Rejected):
        return Unauthorised(str(failure), status=failure.status, code=failure.code, text=failure.text)
    return failure
