"""The agent's own live memories nearest to a question.

Score of a memory = cosine + band, band = BAND * (importance + recency) / 2, recency = 2^(-age / HALF_LIFE) with the age
counted from the newest candidate (so the same memories and question always give the same answer). The band orders items of
nearly equal cosine and can never lift an item over one that is more than BAND closer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streams.ports.stores import VectorStore
from streams.retrieval.ranked import Question, Ranked
from streams.serving.reads import MemoryReads
from streams.serving.vectors import QueryVectors
from streams.serving.wire import text_of

BAND = 0.05
HALF_LIFE_SECONDS = 7 * 86_400
SPARE = 16
ROUNDS = 6


def scored(candidates: Sequence[Ranked]) -> list[Ranked]:
    """Candidates with their scores, best first; equal scores by id."""
    newest = max((c.memory["timestamp"] for c in candidates), default=0)

    def score(candidate: Ranked) -> float:
        age = newest - candidate.memory["timestamp"]
        recency: float = 2.0 ** (-age / HALF_LIFE_SECONDS)
        importance = min(1.0, max(0.0, candidate.memory["importance"]))
        return candidate.similarity + BAND * (importance + recency) / 2

    return sorted((replace(c, score=score(c)) for c in candidates), key=lambda c: (-c.score, c.memory["id"]))


class Nearest:
    """A Ranking by one vector search."""

    def __init__(self, reads: MemoryReads, index: VectorStore, vectors: QueryVectors) -> None:
        self._reads = reads
        self._index = index
        self._vectors = vectors

    async def rank(self, question: Question) -> list[Ranked]:
        vector = await self._vectors.vector(question.text)
        return scored(await self._candidates(question, vector))[: question.wanted + SPARE]

    async def _candidates(self, question: Question, vector: NDArray[np.float32]) -> list[Ranked]:
        """Live candidates above the threshold, ``wanted`` at least if there are so many: asks for more as rows drop out."""
        agent, threshold = question.agent, question.min_similarity
        found: dict[bytes, Ranked] = {}
        seen: set[bytes] = set()
        limit = 2 * question.wanted + SPARE
        for _ in range(ROUNDS):
            hits = await self._index.search(agent, vector, limit)
            fresh = [hit for hit in hits if hit.memory_id not in seen and hit.score >= threshold]
            seen.update(hit.memory_id for hit in fresh)
            rows = await self._reads.candidates(agent, [hit.memory_id for hit in fresh], question.when)
            for hit, row in zip(fresh, rows, strict=True):
                memory = row.memory if row else None
                if memory and row and question.admits(memory) and (text := text_of(memory)) is not None:
                    found[hit.memory_id] = Ranked(memory, row, text, hit.score, hit.score)
            exhausted = len(hits) < limit or hits[-1].score < threshold
            if exhausted or len(found) >= question.wanted + SPARE // 2:
                break
            limit *= 4
        return list(found.values())
