"""Who may say something to the intake: every merchant's secret address and token, as hashes, read anew every two seconds.

They are kept whole, and not one by one as they are asked for: a flood of invented addresses then costs neither memory nor a
query each. An address that was withdrawn is refused within two seconds; a new one is taken within a quarter of one.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable

from sqlalchemy import text

from erp.database import Database, rows

REMEMBERED_SECONDS = 2.0
UNKNOWN_AGAIN_SECONDS = 0.25

_ENDPOINTS = text("select path_hash, token_hash, merchant_id from bridge.webhook_endpoint where system = 'ongoing' and enabled")


def hashed(secret: str) -> str:
    """How a secret is stored: addresses and tokens are long and random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


_NOBODY = hashed("nobody")


class Endpoints:
    """The addresses of all merchants."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[str, str]] = {}
        self._read_at = clock() - REMEMBERED_SECONDS
        self._reading = asyncio.Lock()

    async def merchant(self, path: str, token: str) -> str | None:
        """Whose address it is, if the token is right. Tokens are compared in constant time, also for an unknown address."""
        path_hash = hashed(path)
        await self._read_if_older(REMEMBERED_SECONDS)
        if path_hash not in self._known:
            await self._read_if_older(UNKNOWN_AGAIN_SECONDS)
        expected, merchant = self._known.get(path_hash, (_NOBODY, None))
        return merchant if hmac.compare_digest(hashed(token), expected) else None

    async def _read_if_older(self, seconds: float) -> None:
        if self._clock() - self._read_at < seconds:
            return
        async with self._reading:
            if self._clock() - self._read_at < seconds:
                return
            began = self._clock()
            async with self._database.outside() as session:
                found = await rows(session, _ENDPOINTS)
            self._known = {row.path_hash: (row.token_hash, row.merchant_id) for row in found}
            self._read_at = began
