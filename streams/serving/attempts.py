"""How often one address may fail before it has to wait.

Invariant: what is kept is bounded (``ADDRESSES``, the longest idle go first), so a flood from many addresses costs the same
memory as one from few. Only failures count: whoever shows the right key is never slowed down by others.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from streams.serving.faults import RateLimitedError

ADDRESSES = 4_096
BURST = 30
"""Failures at once."""
PER_SECOND = 0.5
"""Failures allowed again."""


class Attempts:
    """A bucket of failures for each address. ``clock``: seconds, never backwards."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def demand(self, address: str) -> None:
        """Raises RateLimitedError if ``address`` has failed too often of late."""
        level = self._level(address)
        if level > BURST - 1:
            wait = math.ceil((level - BURST + 1) / PER_SECOND)
            raise RateLimitedError("too many attempts have failed", f"Try again in {wait} seconds.", wait)

    def failed(self, address: str) -> None:
        """Counts a failure."""
        self._failed[address] = (self._level(address) + 1, self._clock())
        self._failed.move_to_end(address)
        while len(self._failed) > ADDRESSES:
            self._failed.popitem(last=False)

    def _level(self, address: str) -> float:
        level, at = self._failed.get(address, (0.0, self._clock()))
        return max(0.0, level - PER_SECOND * (self._clock() - at))
