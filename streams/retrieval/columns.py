"""Numbers of documents by slot, in arrays that grow; slots of removed ones are used again.

Invariant: ``alive`` marks exactly the slots that hold a document; what other slots hold means nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.retrieval.document import Document

FIRST = 64
_COLUMN = np.dtype(
    [
        ("thread", np.int64),
        ("gap", np.int64),
        ("time", np.int64),
        ("block", np.int64),
        ("index", np.int64),
        ("tie", np.int64),
        ("author", np.int64),
        ("words", np.float32),
        ("spoken", np.float32),
        ("importance", np.float32),
        ("question", np.float32),
        ("timed", np.float32),
        ("counted", np.float32),
    ]
)


class Columns:
    """``table``: one record per slot, by the names of _COLUMN; ``vectors``: one row per slot, zero where not ``embedded``."""

    def __init__(self, dimension: int) -> None:
        self.table = np.zeros(FIRST, _COLUMN)
        self.vectors = np.zeros((FIRST, dimension), np.float32)
        self.embedded = np.zeros(FIRST, np.bool_)
        self.alive = np.zeros(FIRST, np.bool_)
        self.author_sets: list[frozenset[str]] = []
        self._author_numbers: dict[frozenset[str], int] = {}
        self._threads: dict[bytes, int] = {}
        self._free = list(reversed(range(FIRST)))

    @property
    def nbytes(self) -> int:
        """Of the arrays and the names they refer to."""
        names = 120 * (len(self._threads) + len(self.author_sets)) + 8 * len(self._free)
        return self.table.nbytes + self.vectors.nbytes + self.embedded.nbytes + self.alive.nbytes + names

    def take(self) -> int:
        """A free slot."""
        if not self._free:
            size = len(self.table)
            more = max(FIRST, size // 4)
            self.table = np.concatenate([self.table, np.zeros(more, _COLUMN)])
            self.vectors = np.concatenate([self.vectors, np.zeros((more, self.vectors.shape[1]), np.float32)])
            self.embedded = np.concatenate([self.embedded, np.zeros(more, np.bool_)])
            self.alive = np.concatenate([self.alive, np.zeros(more, np.bool_)])
            self._free = list(reversed(range(size, size + more)))
        return self._free.pop()

    def give(self, slot: int) -> None:
        """The slot is free."""
        self.alive[slot] = self.embedded[slot] = False
        self._free.append(slot)

    def put(self, slot: int, document: Document, vector: NDArray[np.float32] | None) -> None:
        """Writes a document's numbers."""
        self.table[slot] = (
            self._threads.setdefault(document.thread, len(self._threads)),
            -1 if document.gap is None else document.gap,
            min(max(document.time, -(1 << 62)), 1 << 62),
            *document.place,
            int.from_bytes(document.id[:8], "big", signed=True),
            self._author(document.authors),
            len(document.words),
            document.spoken,
            document.importance,
            document.question,
            document.timed,
            document.counted,
        )
        self.vectors[slot] = 0.0 if vector is None else vector
        self.embedded[slot] = vector is not None
        self.alive[slot] = True

    def _author(self, names: frozenset[str]) -> int:
        number = self._author_numbers.setdefault(names, len(self.author_sets))
        if number == len(self.author_sets):
            self.author_sets.append(names)
        return number
