"""A process without a port says that it is well by touching a file, from its own event loop.

A blocked loop stops the touching, which is the point: a process that lives and does nothing is not well.

    async with alive(settings): ...        in the process
    python -m worker.health                in its container's health check: exit 0 while the file is fresh
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from worker.settings import Settings

BEAT_SECONDS = 2.0
STALE_SECONDS = 20.0


@contextlib.asynccontextmanager
async def alive(settings: Settings) -> AsyncIterator[None]:
    """Touch `LAGERBRO_HEALTH_FILE` now and every two seconds until left; does nothing when it is not set."""
    if settings.health_file is None:
        yield
        return
    beating = asyncio.create_task(_beat(settings.health_file))
    try:
        yield
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
        settings.health_file.unlink(missing_ok=True)


async def _beat(file: Path) -> None:
    while True:
        file.touch()  # noqa: ASYNC240 - one quick call, and in the loop on purpose
        await asyncio.sleep(BEAT_SECONDS)


def age(file: Path) -> float | None:
    """Seconds since the file was touched; None when it is not there."""
    try:
        return max(0.0, time.time() - file.stat().st_mtime)
    except FileNotFoundError:
        return None


def main() -> int:
    file = Settings.from_environment().health_file
    since = age(file) if file else None
    return 0 if since is not None and since < STALE_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
