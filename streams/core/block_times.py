"""Times of the newest canonical blocks by number, in a bounded ring.

Invariant: ``of(number)`` is the time of the block that was last added at that height, or None if that is not known (any more).
"""

from __future__ import annotations

from array import array

LIMIT = 1 << 20
"""Blocks; eight bytes each."""


class BlockTimes:
    """Changed by ``add`` and ``cut`` as blocks come and go."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._first: int | None = None
        self._times = array("q")

    def add(self, number: int, time: int) -> None:
        """A new tip. One that does not follow the tip before begins anew."""
        if self._first is None or number != self._first + len(self._times):
            self._first, self._times = number, array("q")
        self._times.append(time)
        if len(self._times) >= 2 * self._limit:
            self._first += len(self._times) - self._limit
            self._times = self._times[-self._limit :]

    def cut(self, number: int) -> None:
        """``number`` is the tip now."""
        if self._first is not None:
            del self._times[max(0, number + 1 - self._first) :]

    def of(self, number: int) -> int | None:
        """The block's time in unix seconds."""
        if self._first is None or not 0 <= number - self._first < len(self._times):
            return None
        return self._times[number - self._first]
