"""Vectors of one agent in memory: exact cosine search as one matrix product.

Assumes L2-normalised float32 rows and queries, so that cosine is the dot product.
Invariant: row i belongs to ids[i]; rows stay dense (a removed row is filled by the last one), so a search reads no hole.
Not safe for threads by itself; its owner locks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SLACK = 64
TIE = 1e-6
"""Scores closer than this are equal: the last bits of a product depend on where in the matrix a row lies."""

Floats = NDArray[np.float32]


def best(ids: Sequence[bytes], scores: Floats, limit: int) -> list[tuple[bytes, float]]:
    """The ``limit`` highest scores with their ids, best first; ties (within TIE) in the order of ids."""
    limit = min(limit, len(ids))
    if limit <= 0:
        return []
    cut = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    candidates = np.flatnonzero(scores >= cut - TIE)
    ranked = sorted((-round(float(scores[i]) / TIE), ids[i], float(scores[i])) for i in candidates.tolist())
    return [(memory_id, score) for _, memory_id, score in ranked[:limit]]


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
        return best(self._ids, self._rows[: len(self._ids)] @ query, limit)
