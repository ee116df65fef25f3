"""The wall clock of a run: anywhere, and jumping, so that whoever decides by it is found out.

Its jumps come from a source of chance of their own, so a run in which nobody looks at it is the same run however it jumps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

DAYS = 400 * 86_400.0


class WallClock:
    """``jumps``: chance a second."""

    def __init__(self, random: Random, jumps: float) -> None:
        self._random = random
        self._jumps = jumps
        self.now = 1_700_000_000.0 + (random.uniform(-DAYS, DAYS) if jumps else 0.0)

    def pass_by(self, seconds: float) -> None:
        """Goes on, and now and then jumps, back as well."""
        self.now += seconds
        if self._random.random() < self._jumps * seconds:
            self.now += self._random.uniform(-DAYS, DAYS)

    @contextmanager
    def on_the_wall(self) -> Iterator[None]:
        """What ``time.time`` shows meanwhile."""
        real, real_ns = time.time, time.time_ns
        time.time, time.time_ns = (lambda: self.now), (lambda: int(self.now * 1e9))
        try:
            yield
        finally:
            time.time, time.time_ns = real, real_ns
