"""How often keys are asked for, in bounded memory: the heavy ones are kept. Pure.

When the table is full, its median is taken from every count and what falls to zero leaves (the frequent-items reduction of
Anderson et al., 2017): about half the table goes, so that an addition costs a constant on average.
Invariants: a count is never above the true one, and below it by at most ``error``; ``error`` is at most 2 / capacity of all
additions, so that every key asked for more often than that is in the table; at most ``capacity`` keys are held.
"""

from __future__ import annotations

import heapq


class Frequency:
    """Counts of the heaviest of any number of keys."""

    def __init__(self, capacity: int) -> None:
        self.capacity = max(2, capacity)
        self.error = 0
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: int) -> int:
        """Counts the key once more; its count now."""
        count = self._counts.get(key, 0) + 1
        if count == 1 and len(self._counts) == self.capacity:
            self._reduce()
        self._counts[key] = count
        return count

    def drop(self, key: int) -> None:
        """Forgets the key."""
        self._counts.pop(key, None)

    def top(self, limit: int) -> list[tuple[int, int]]:
        """(key, count) of the heaviest, heaviest first."""
        return heapq.nlargest(limit, self._counts.items(), key=lambda item: (item[1], item[0]))

    def _reduce(self) -> None:
        counts = sorted(self._counts.values())
        cut = counts[len(counts) // 2]
        self._counts = {key: count - cut for key, count in self._counts.items() if count > cut}
        self.error += cut
