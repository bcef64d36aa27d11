"""How the stack finds out that a child works: it is asked what it is there for."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from worker.health import STALE_SECONDS, age


def http_answers(address: str) -> Callable[[], Awaitable[bool]]:
    """The address answers 200."""

    async def probe() -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
                return (await http.get(address)).status_code == 200
        except httpx.HTTPError:
            return False

    return probe


def beats(file: Path) -> Callable[[], Awaitable[bool]]:
    """The process touches its health file."""

    async def probe() -> bool:
        since = age(file)
        return since is not None and since < STALE_SECONDS

    return probe


def forget(file: Path) -> Callable[[], None]:
    """Remove the sign of life of the process before this one."""

    def before() -> None:
        file.unlink(missing_ok=True)

    return before
