"""The newest entries of one partition, in memory, for all who follow it at its end.

Invariant: from ``first`` on, up to ``end``, every entry of the log is here; at most ``2 * size`` are held.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable

from streams.serving.feed.entries import Entry

SIZE = 16_384


class Lane:
    """Filled by one task, read by many."""

    def __init__(self, first: int, size: int = SIZE) -> None:
        self.first = self.end = first
        self._size = size
        self._entries: list[Entry] = []
        self._changed = asyncio.Event()

    def extend(self, entries: Iterable[Entry], end: int) -> None:
        """Entries in order; all before offset ``end`` is known now."""
        self._entries.extend(entry for entry in entries if entry.offset >= self.end)
        self.end = max(self.end, end)
        if len(self._entries) > 2 * self._size:
            self.first = self._entries[-self._size].offset
            del self._entries[: -self._size]
        self.wake()

    def wake(self) -> None:
        """Lets everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def after(self, position: int, stop: int | None = None, limit: int | None = None) -> list[Entry]:
        """Entries at ``position`` and later, before ``stop``. Assumes ``position`` is not before ``first``."""
        start = bisect_left(self._entries, position, key=_offset)
        until = len(self._entries) if stop is None else bisect_left(self._entries, stop, key=_offset)
        return self._entries[start : until if limit is None else min(until, start + limit)]

    async def wait(self, position: int, seconds: float) -> None:
        """Returns when there may be something at ``position``, at ``wake``, or after a time."""
        if self.end > position:
            return
        changed = self._changed
        try:
            async with asyncio.timeout(seconds):
                await changed.wait()
        except TimeoutError:
            pass


def _offset(entry: Entry) -> int:
    return entry.offset
