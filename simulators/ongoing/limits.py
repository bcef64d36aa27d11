"""Ongoing's two limits, per method and caller: calls in a sliding window, and failures in a row.

Both are off until a setting turns them on; the real numbers are not known. They live in memory, as a limit per
server does.
"""

from collections import defaultdict, deque
from fnmatch import fnmatchcase
from typing import Any

from simulators.ongoing.wire import dumps
from simulators.ongoing.world import Answer, World

Json = Any


class Limits:
    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
        self._failures: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)

    def refusal(self, route: str, caller: str) -> Answer | None:
        """Count the call; return the 429 when it is one too many."""
        now = self._world.now()
        for limit in _fitting(self._world.switches["failureLimits"], route):
            window = _milliseconds(limit)
            failures = self._failures[route, caller]
            while failures and failures[0] <= now - window:
                failures.popleft()
            if len(failures) >= int(limit.get("failures", 5)):
                return _too_many(limit, failures[-int(limit.get("failures", 5))] + window - now)
        for limit in _fitting(self._world.switches["volumeLimits"], route):
            window = _milliseconds(limit)
            calls = self._calls[route, caller]
            while calls and calls[0] <= now - window:
                calls.popleft()
            if len(calls) >= int(limit.get("calls", 100)):
                return _too_many(limit, calls[0] + window - now)
        if self._world.switches["volumeLimits"]:
            self._calls[route, caller].append(now)
        return None

    def note(self, route: str, caller: str, status: int) -> None:
        """Remember how a call ended: one success forgives the failures before it."""
        if status < 400:
            self._failures.pop((route, caller), None)
        elif self._world.switches["failureLimits"]:
            self._failures[route, caller].append(self._world.now())


def _fitting(limits: list[dict[str, Json]], route: str) -> list[dict[str, Json]]:
    return [limit for limit in limits if fnmatchcase(route, limit["route"])]


def _milliseconds(limit: dict[str, Json]) -> int:
    return int(limit.get("windowSeconds", 600) * 1000)


def _too_many(limit: dict[str, Json], wait: int) -> Answer:
    headers = {"Retry-After": str(max(1, -(-wait // 1000)))} if limit.get("retryAfter") else {}
    return Answer(429, dumps({"message": "Too many requests."}), headers=headers)
