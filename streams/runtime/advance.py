"""How far the opening of a partition has come, or a rewind in it: what whoever watches over the process takes for progress.

Invariant: an attempt that fails and is begun anew counts only where it gets further than every attempt before it, so that one
that fails for ever at the same place does not look like one that gets on.
"""

from __future__ import annotations

from streams.runtime import metrics


class Advances:
    """Of the partitions of one stream agent."""

    def __init__(self, agent: str) -> None:
        self._counter = metrics.RESTORED.labels(agent)
        self._done: dict[int, int] = {}
        self._most: dict[int, int] = {}

    def begin(self, partition: int) -> None:
        """An attempt to open it begins."""
        self._done[partition] = 0

    def step(self, partition: int, records: int) -> None:
        """So many more were read, done again or taken back for it."""
        done = self._done[partition] = self._done.get(partition, 0) + records
        most = self._most.get(partition, 0)
        if done > most:
            self._counter.inc(done - most)
            self._most[partition] = done

    def settled(self, partition: int) -> None:
        """Its work gets on: what comes next is measured anew."""
        self._done.pop(partition, None)
        self._most.pop(partition, None)
