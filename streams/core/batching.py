"""How much to work on at once, from what it has cost: a transaction, a request of many rows, anything with a fixed part.

A batch of weight w is taken to cost ``fixed + each * w`` seconds. The next one is the heaviest that should take ``seconds``.
``each`` follows the last batches, the more the less of a batch was its fixed part; ``fixed`` is the median of what pairs of
batches of unlike weight say, so that a change of the work between two of them does not move it. Where the fixed part alone
takes as long as a batch should, small ones are no quicker but dearer: then a batch is as heavy as takes as long again. Of
records heavier than those it learned from it takes fewer than their weight says, until it knows what they cost.
Invariants: ``least`` <= ``records`` <= ``most``; ``fits`` is at least 1 where something waits, so nothing starves; a heavier
batch than ever is at most GROWTH times heavier, and after a failure sizes grow again; no clock in here, and equal histories
give equal answers.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

FIRST = 256
"""Records of the first batch, where nothing is known: in the middle, to grow from or to shrink from."""
USUAL = 2.0
"""Weight of a record of which nothing is known."""
GROWTH = 4.0
SLICE = 512
"""Bytes of a record that weigh as much as the record itself."""
FIXED, EACH = 0.02, 1e-3
"""Seconds that are believed at first."""
PAIRS = 9
PRUDENCE = 3
"""Records that are heavier than those learned from may be of a kind that is dearer by more than their weight: the load is
divided by this power of how many times heavier they are.
"""
LATE, THRIFT = 3, 0.05
"""Batches that a record may wait for until there is no hurry; the share of fixed costs that is wanted then."""
UNLIKE = 1.5
"""How many times heavier one of two batches must be, to tell of the fixed part."""
STEADY = 2.0
"""A smaller change is taken for noise by half."""
FULL = 0.25
"""How much a full batch says of ``each`` at least, though nearly all of it may be fixed."""
LONGEST = 1024
"""Most batches that must go well before a size that failed is tried again."""
TINY = 1e-9


def weight(size: int) -> float:
    """Of a record of ``size`` bytes."""
    return 1.0 + size / SLICE


@dataclass(slots=True)
class Batching:
    """``most``, ``least``: bounds on records of a batch. ``seconds``: what one should take. ``share``: most of the time that
    fixed parts may take, where that can be had by waiting for more records to come (1: waits for nothing). ``first``: most
    weight of the first batch.
    """

    most: int
    least: int = 1
    seconds: float = 1.0
    share: float = 1.0
    first: float = USUAL * FIRST
    fixed: float = field(init=False, default=FIXED)
    each: float = field(init=False, default=EACH)
    _ceiling: float = field(init=False)
    _wall: float = field(init=False, default=math.inf)
    _calm: int = field(init=False, default=0)
    _patience: int = field(init=False, default=4)
    _mean: float = field(init=False, default=0.0)
    _other: tuple[float, float] = field(init=False, default=(0.0, 0.0))
    _pairs: deque[float] = field(init=False, default_factory=lambda: deque([FIXED], PAIRS))

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most or not self.seconds > 0 or not 0 < self.share <= 1:
            raise ValueError(f"bounds of a batch: {self.least}, {self.most}, {self.seconds}, {self.share}")
        self._ceiling = self.first

    @property
    def load(self) -> float:
        """Weight of the next batch."""
        return self._load(self.seconds)

    def _load(self, seconds: float) -> float:
        return max(1.0, min(max(seconds - self.fixed, min(self.fixed, GROWTH * self.seconds)) / self.each, self._ceiling))

    @property
    def records(self) -> int:
        """How many records are likely to be one batch."""
        return max(self.least, min(self.most, math.ceil(self.load / (self._mean or USUAL))))

    def fits(self, sizes: Iterable[int], waited: float = 0.0) -> int:
        """How many of the records that wait, of these sizes in bytes, belong to one batch; the oldest has ``waited`` so long.

        One that waited for LATE batches is late whatever is done: then as many as make fixed costs small, to catch up.
        """
        late = waited > LATE * self.seconds
        goal = max(self.seconds, min(self.fixed / THRIFT, GROWTH * self.seconds)) if late else self.seconds
        count, total, load = 0, 0.0, self._load(goal)
        for size in sizes:
            total += weight(size)
            strange = max(1.0, total / (count + 1) / (self._mean or total))
            if count >= self.most or (total > load / strange**PRUDENCE and count >= self.least):
                break
            count += 1
        return count

    def took(self, records: int, weighed: float, seconds: float) -> None:
        """So many records, of this weight together, took so long."""
        if records <= 0 or seconds <= 0:
            return
        self._fixed(weighed, seconds)
        self._each(weighed, seconds)
        self._mean = (weighed / records + (self._mean or weighed / records)) / 2
        self._calm += 1
        if self._calm >= self._patience:
            self._wall = math.inf
        self._ceiling = max(self._ceiling, min(GROWTH * weighed, self._wall / 2))

    def failed(self, weighed: float) -> None:
        """A batch was refused or timed out, maybe because of its size: half of it is tried next.

        As heavy ones are not tried again before several went well, twice as many after each attempt that failed too.
        """
        if self._calm:
            self._patience = min(2 * self._patience, LONGEST)
        self._calm, self._wall = 0, weighed
        self._ceiling = max(1.0, min(self._ceiling, weighed) / 2)

    @property
    def linger(self) -> float:
        """Seconds to wait for more after a batch, before the next one is taken."""
        return min(self.fixed * (1 / self.share - 1), self.seconds / 2)

    def _fixed(self, weighed: float, seconds: float) -> None:
        (lighter, less), (heavier, more) = sorted([self._other, (weighed, seconds)])
        if lighter == 0:
            self._other = weighed, seconds
        elif lighter * UNLIKE <= heavier:
            self._other = weighed, seconds
            slope = max(0.0, more - less) / (heavier - lighter)
            self._pairs.append(max(0.0, min(less - slope * lighter, more)))
        elif seconds < self.fixed:
            self._pairs.append(seconds * 0.9)
        self.fixed = median(self._pairs)

    def _each(self, weighed: float, seconds: float) -> None:
        beyond = max(seconds - self.fixed, seconds / 100)
        trust = max(beyond / seconds, FULL if weighed >= self.load / 2 else 0.0)
        change = beyond / weighed / self.each
        if 1 / STEADY < change < STEADY:
            change = math.sqrt(change)
        self.each = max(TINY, self.each * change**trust)
