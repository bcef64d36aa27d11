"""The simulator's clock: real time moved by an offset, so that days can pass in a test without waiting."""

import time

from simulators.ongoing.wire import moment_text


class Clock:
    def __init__(self, offset: int = 0, frozen_at: int | None = None) -> None:
        self.offset = offset
        self.frozen_at = frozen_at

    def now(self) -> int:
        """Return the simulated instant in milliseconds since 1970."""
        return self.frozen_at if self.frozen_at is not None else time.time_ns() // 1_000_000 + self.offset

    def set(self, now: int, *, frozen: bool) -> None:
        self.offset = now - time.time_ns() // 1_000_000
        self.frozen_at = now if frozen else None

    def shift(self, offset: int) -> None:
        self.offset, self.frozen_at = offset, None

    def seconds_until(self, moment: int) -> float | None:
        """Return how long to wait for a moment, or None when the clock stands still before it."""
        if self.frozen_at is not None:
            return 0.0 if moment <= self.frozen_at else None
        return max(0.0, (moment - self.now()) / 1000)

    def described(self) -> dict[str, object]:
        return {"now": moment_text(self.now()), "offsetSeconds": round(self.offset / 1000), "frozen": self.frozen_at is not None}
