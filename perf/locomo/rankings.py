"""Plain rankings to compare with, over the same memories; and the product's index of them, for the fit.

A ranking of a question is memory ids, best first. The product's is what a gateway answers (``perf.locomo.served``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from perf.locomo.data import Conversation, Vectors
from streams.retrieval.document import document_of
from streams.retrieval.index import MemoryIndex

DEPTH = 400
Ranking = Callable[[str], list[bytes]]


def index_of(talk: Conversation, vectors: Vectors) -> MemoryIndex:
    """The product's index of one agent's memories."""
    documents = [document_of(memory) for memory in talk.memories]
    rows = vectors.of([document.text for document in documents if document])
    index = MemoryIndex(rows.shape[1])
    for document, row in zip(documents, rows, strict=True):
        assert document is not None
        index.put(document, row)
    return index


def dense(talks: Sequence[Conversation], vectors: Vectors) -> Ranking:
    """Cosine alone."""
    ids, rows = _rows(talks, vectors)

    def rank(question: str) -> list[bytes]:
        return [ids[i] for i in np.argsort(-(rows @ vectors.of([question])[0]), kind="stable")[:DEPTH]]

    return rank


class PlainBm25:
    """BM25 as in textbooks (k1 1.2, b 0.75) over words in lower case."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(_words(text)) for text in texts]
        lengths = np.array([sum(count.values()) for count in counts], float)
        self._norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
        self._held: dict[str, np.ndarray] = {}
        for row, count in enumerate(counts):
            for word, times in count.items():
                self._held.setdefault(word, np.zeros(len(texts)))[row] = times

    def scores(self, question: str) -> np.ndarray:
        total = np.zeros(len(self._norm))
        for word in _words(question):
            if (held := self._held.get(word)) is not None:
                holders = np.count_nonzero(held)
                total += np.log1p((len(held) - holders + 0.5) / (holders + 0.5)) * held * 2.2 / (held + self._norm)
        return total


def bm25(talks: Sequence[Conversation]) -> Ranking:
    ids = [memory["id"] for talk in talks for memory in talk.memories]
    index = PlainBm25([memory["content"].decode() for talk in talks for memory in talk.memories])

    def rank(question: str) -> list[bytes]:
        return [ids[i] for i in np.argsort(-index.scores(question), kind="stable")[:DEPTH]]

    return rank


def plain_sum(talks: Sequence[Conversation], vectors: Vectors) -> Ranking:
    """Min-max sum of both with a quarter of each neighbour turn's score."""
    ids, rows = _rows(talks, vectors)
    index = PlainBm25([memory["content"].decode() for talk in talks for memory in talk.memories])
    sessions = [(talk.name, number) for talk in talks for number in talk.sessions]
    near = np.array([a == b for a, b in pairwise(sessions)], float)

    def rank(question: str) -> list[bytes]:
        score = _scaled(rows @ vectors.of([question])[0]) + _scaled(index.scores(question))
        total = score.copy()
        total[1:] += 0.25 * near * score[:-1]
        total[:-1] += 0.25 * near * score[1:]
        return [ids[i] for i in np.argsort(-total, kind="stable")[:DEPTH]]

    return rank


def _rows(talks: Sequence[Conversation], vectors: Vectors) -> tuple[list[bytes], np.ndarray]:
    memories = [memory for talk in talks for memory in talk.memories]
    return [memory["id"] for memory in memories], vectors.of([memory["content"].decode() for memory in memories])


def _scaled(values: np.ndarray) -> np.ndarray:
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread else np.zeros_like(values)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
