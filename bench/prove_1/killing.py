"""Kill -9 at random moments, several kinds at once now and then, until each kind has died often enough."""

import asyncio
import random
import signal
from collections import Counter

from starters.stack import Stack

KINDS = ("worker", "relay", "intake", "temporal", "postgres")
PAUSE_SECONDS = (0.3, 5.0)
AT_ONCE = (1, 1, 1, 2, 2, 3, 5)


class Killer:
    """Kills what runs, by pid, and counts. The moments come from a seed; what they hit depends on the machine."""

    def __init__(self, stack: Stack, each: int, seed: int) -> None:
        self._stack = stack
        self._each = each
        self._rng = random.Random(seed)
        self.counted: Counter[str] = Counter()

    async def run(self) -> None:
        """Until each kind was killed `each` times. Only what works is killed: a start that was cut off counts for nothing."""
        while left := [kind for kind in KINDS if self.counted[kind] < self._each]:
            await asyncio.sleep(self._rng.uniform(*PAUSE_SECONDS))
            for kind in self._rng.sample(left, min(self._rng.choice(AT_ONCE), len(left))):
                await self._stack.ready(kind, 60)
                if self._stack.kill(kind, signal.SIGKILL):
                    self.counted[kind] += 1
