"""The order in which memories of one index follow each other, and who is whose neighbour.

Assumes one row per memory. Positions are places in the order (thread, time, place, id); rows are where the columns hold it.
Invariants: a neighbour is of the same thread, and not further than the thread's gap from the memory between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REACH = 4
TOP = 3

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """``order``: row at each position; ``position``: its inverse; ``starts``: positions where a thread begins.

    ``near[k - 1]``: whether positions i and i + k are neighbours, shape (rows - k,).
    """

    order: Rows
    position: Rows
    starts: Rows
    thread: Rows
    near: tuple[NDArray[np.bool_], ...]

    def around(self, values: Floats, weights: Sequence[float]) -> Floats:
        """For each position the weighted sum of its neighbours' values; ``weights[k - 1]`` is that of distance k."""
        total = np.zeros_like(values)
        for distance, (weight, near) in enumerate(zip(weights, self.near, strict=False), 1):
            if len(near):
                total[:-distance] += weight * near * values[distance:]
                total[distance:] += weight * near * values[:-distance]
        return total

    def of_thread(self, values: Floats) -> Floats:
        """For each position the mean of its thread's TOP best values."""
        if not len(values):
            return values
        ranked = values[np.lexsort((-values, self.thread))]
        ends = np.append(self.starts[1:], len(values))
        sums = np.concatenate([np.zeros(1), np.cumsum(ranked, dtype=np.float64)])
        upto = np.minimum(self.starts + TOP, ends)
        means = (sums[upto] - sums[self.starts]) / (upto - self.starts)
        best: Floats = means[self.thread].astype(np.float32)
        return best


def laid_out(thread: Rows, gap: Rows, time: Rows, place: Rows, tie: Rows) -> Layout:
    """``thread``, ``gap`` (negative: none), ``time`` and the keys after it, by row; ``place``: shape (2, rows)."""
    order = np.lexsort((tie, place[1], place[0], time, thread))
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    named, at, limit = thread[order], time[order], gap[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (named[1:] != named[:-1]) | ((limit[1:] >= 0) & (at[1:] - at[:-1] > limit[1:]))
    within = np.cumsum(new) - 1
    near = tuple(within[distance:] == within[:-distance] for distance in range(1, REACH + 1) if distance < len(order))
    return Layout(order, position, np.flatnonzero(new), within, near)
