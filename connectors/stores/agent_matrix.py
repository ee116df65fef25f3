"""Vectors of one agent in memory: exact cosine search, one dot product a row.

Assumes L2-normalised float32 rows and queries, so that cosine is the dot product. Not a matrix product: that takes all cores,
which waits long on a busy machine, and its last bits depend on where a row lies; these scores depend on the two vectors alone.
Invariant: row i belongs to ids[i]; rows stay dense (a removed row is filled by the last one), so a search reads no hole.
Not safe for threads by itself; its owner locks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SLACK = 64

Floats = NDArray[np.float32]


def best(ids: Sequence[bytes], scores: Floats, limit: int) -> list[tuple[bytes, float]]:
    """The ``limit`` highest scores with their ids, best first; equal ones in the order of ids."""
    limit = min(limit, len(ids))
    if limit <= 0:
        return []
    cut = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    ranked = sorted((-float(scores[i]), ids[i]) for i in np.flatnonzero(scores >= cut).tolist())
    return [(memory_id, -score) for score, memory_id in ranked[:limit]]


def cosines(rows: Floats, query: Floats) -> Floats:
    """Scores of normalised rows, shape (len(rows),)."""
    scores: Floats = np.vecdot(rows, query)
    return scores


class AgentMatrix:
    """``rows``: float32, shape (len(ids), dimension), copied."""

    def __init__(self, ids: Sequence[bytes], rows: Floats) -> None:
        self._ids = list(ids)
        self._row_of = {memory_id: i for i, memory_id in enumerate(self._ids)}
        self._rows = np.array(rows, np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def nbytes(self) -> int:
        """Memory held, the Python objects of the ids estimated."""
        return self._rows.nbytes + 200 * len(self._ids)

    def put(self, memory_id: bytes, vector: Floats) -> None:
        """Adds or replaces one vector."""
        row = self._row_of.get(memory_id)
        if row is None:
            row = len(self._ids)
            if row == len(self._rows):
                room = np.empty((SLACK + row // 8, self._rows.shape[1]), np.float32)
                self._rows = np.concatenate([self._rows, room])
            self._ids.append(memory_id)
            self._row_of[memory_id] = row
        self._rows[row] = vector

    def remove(self, memory_id: bytes) -> None:
        """Takes one vector out, if it is there."""
        row = self._row_of.pop(memory_id, None)
        if row is None:
            return
        last = self._ids.pop()
        if last != memory_id:
            self._ids[row] = last
            self._row_of[last] = row
            self._rows[row] = self._rows[len(self._ids)]

    def search(self, query: Floats, limit: int) -> list[tuple[bytes, float]]:
        """Ids and cosines, best first."""
        return best(self._ids, cosines(self._rows[: len(self._ids)], query), limit)
