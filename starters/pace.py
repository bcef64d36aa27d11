"""How often one document may be nudged: what a burst says of it is said to its process twice at once, and then once a second.

A single order causes a dozen webhooks within a second or two. Its process reads everything at each look, so that most of a
burst tells it nothing new, and each signal costs Temporal as much as the first.
"""

import time
from collections.abc import Callable, Hashable

TOLD_AT_ONCE = 2
FORGET_ABOVE = 1000


class Pace:
    """When each document may next be told. `seconds` of 0 lets everything through."""

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._calm_at: dict[Hashable, float] = {}

    def wait(self, document: Hashable) -> float:
        """Seconds until the document may be told; 0 when it may be now."""
        calm_at = self._calm_at.get(document)
        return 0.0 if calm_at is None else max(0.0, calm_at - self._clock() - (TOLD_AT_ONCE - 1) * self._seconds)

    def told(self, document: Hashable) -> None:
        """The document is told now."""
        now = self._clock()
        if len(self._calm_at) > FORGET_ABOVE:
            self._calm_at = {known: at for known, at in self._calm_at.items() if at > now}
        self._calm_at[document] = max(self._calm_at.get(document, now), now) + self._seconds
