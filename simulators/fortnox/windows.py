"""The rate limit: so many requests in a sliding window, per client and company, shared by all of its workers."""

from collections import deque
from typing import Any


class RateWindows:
    """Remembers when each client was let in; a refused request does not count."""

    def __init__(self) -> None:
        self._let_in: dict[tuple[str, int], deque[float]] = {}

    def admit(self, client: str, tenant: int, limit: dict[str, Any], now: float) -> bool:
        """Let a request in if fewer than the limit came within the window that ends now."""
        times = self._let_in.setdefault((client, tenant), deque())
        start = now - float(limit["seconds"])
        while times and times[0] <= start:
            times.popleft()
        if len(times) >= int(limit["requests"]):
            return False
        times.append(now)
        return True
