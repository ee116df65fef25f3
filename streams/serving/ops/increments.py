"""How much counters and histograms of all processes grew within the last minute. Pure.

Invariant: what a process counted before it was first seen is not growth of now; a counter that is smaller than before began
again from nought. At most ``SPAN`` seconds are held, by second.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping

SPAN = 60
Buckets = Mapping[str, float]
"""Growth by label ``le``; plain counters have the one label ''."""


class Increments:
    """Of one family, over all processes."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, dict[str, float]]] = deque()

    def add(self, second: int, grown: Buckets) -> None:
        """Growth seen in a second, which is not before the last one."""
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, {}))
        newest = self._seconds[-1][1]
        for le, value in grown.items():
            newest[le] = newest.get(le, 0.0) + value
        while self._seconds[0][0] <= second - SPAN:
            self._seconds.popleft()

    def over(self, now: int, span: int = SPAN) -> dict[str, float]:
        """Growth in the ``span`` seconds up to ``now``."""
        total: dict[str, float] = defaultdict(float)
        for second, grown in self._seconds:
            if now - span < second <= now:
                for le, value in grown.items():
                    total[le] += value
        return total


def grown(before: Buckets, now: Buckets) -> dict[str, float]:
    """What was added from one report of a process to its next."""
    return {le: value - before[le] if value >= before.get(le, math.inf) else value for le, value in now.items()}


def quantile(grown_by: Buckets, share: float) -> float | None:
    """Of a histogram's growth, straight within a bucket; None if nothing was observed, the last bound if it is beyond that."""
    bounds = sorted((math.inf if le == "+Inf" else float(le), count) for le, count in grown_by.items())
    if not bounds or bounds[-1][1] <= 0:
        return None
    rank = share * bounds[-1][1]
    lower, below = 0.0, 0.0
    for bound, count in bounds:
        if count >= rank:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * (rank - below) / (count - below) if count > below else bound
        lower, below = bound, count
    return lower
