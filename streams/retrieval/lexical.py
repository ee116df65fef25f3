"""Words of documents that come and go, by slot number: postings, and how much of a question's words a document holds.

Assumes slots are small non-negative integers that the owner hands out and reuses.
Invariant: after any sequence of ``put`` and ``remove`` every answer is that of postings built anew from the documents that are
there; memory is proportional to the words of those documents.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BYTES_PER_POSTING = 24
"""Slot and count in a term's arrays, and the term's place in its document's list."""
BYTES_PER_TERM = 320

Floats = NDArray[np.float32]
Slots = NDArray[np.int64]


class _Postings:
    """Documents of one term: slot and how often it stands there, in no order."""

    __slots__ = ("counts", "slots", "term")

    def __init__(self, term: str) -> None:
        self.term = term
        self.slots = array("i")
        self.counts = array("f")

    def add(self, slot: int, count: int) -> None:
        self.slots.append(slot)
        self.counts.append(count)

    def remove(self, slot: int) -> None:
        at = self.slots.index(slot)
        last_slot, last_count = self.slots.pop(), self.counts.pop()
        if at < len(self.slots):
            self.slots[at], self.counts[at] = last_slot, last_count


class LexicalIndex:
    """Postings by term."""

    def __init__(self) -> None:
        self._postings: dict[str, _Postings] = {}
        self._of: dict[int, tuple[_Postings, ...]] = {}
        self._held = 0

    def __len__(self) -> int:
        return len(self._of)

    @property
    def nbytes(self) -> int:
        """Memory held, Python's objects estimated."""
        return BYTES_PER_POSTING * self._held + BYTES_PER_TERM * len(self._postings)

    def put(self, slot: int, words: Sequence[str]) -> None:
        """Sets the document of ``slot``."""
        self.remove(slot)
        there = []
        for term, count in Counter(words).items():
            postings = self._postings.get(term)
            if postings is None:
                postings = self._postings[term] = _Postings(term)
            postings.add(slot, count)
            there.append(postings)
        self._of[slot] = tuple(there)
        self._held += len(there)

    def remove(self, slot: int) -> None:
        """Takes the document of ``slot`` out, if there is one."""
        there = self._of.pop(slot, ())
        for postings in there:
            postings.remove(slot)
            if not postings.slots:
                del self._postings[postings.term]
        self._held -= len(there)

    def holders(self, term: str) -> int:
        """How many documents hold the term."""
        postings = self._postings.get(term)
        return 0 if postings is None else len(postings.slots)

    def postings(self, term: str) -> tuple[Slots, Floats]:
        """Slots that hold the term, and how often each does."""
        postings = self._postings.get(term)
        if postings is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return np.array(postings.slots, np.int64), np.array(postings.counts, np.float32)


def rarest(documents: int) -> float:
    """The weight of a term that one of ``documents`` holds."""
    return rarity(documents, 1)


def rarity(documents: int, holders: int) -> float:
    """BM25's weight of a term that ``holders`` of ``documents`` hold; never negative."""
    return float(np.log1p((documents - holders + 0.5) / (holders + 0.5))) if holders else 0.0
