"""Context for a question: the agent's own live memories nearest to it, within a budget of tokens.

Score of an item = cosine + band, band = BAND * (importance + recency) / 2, recency = 2^(-age / HALF_LIFE) with the age
counted from the newest candidate (so the same memories and question always give the same answer). The band orders items of
nearly equal cosine and can never lift an item over one that is more than BAND closer.
Invariant: every item was live in the chain view after the last wait; the vector index, a superset, decides nothing alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.records import Memory
from streams.ports.stores import Hit, StoredMemory, VectorStore
from streams.serving import metrics
from streams.serving.addresses import to_hex
from streams.serving.reads import MemoryReads
from streams.serving.vectors import QueryVectors
from streams.serving.wire import Citation, Context, ContextItem, text_of
from streams.settings import RagSettings

BAND = 0.05
HALF_LIFE_SECONDS = 7 * 86_400
SPARE = 16
ROUNDS = 6
ATTEMPTS = 8
"""Looks while the chain moves on; after the last one an answer may lack rows, never hold undone ones."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hit, the row behind it, its text and score."""

    hit: Hit
    row: StoredMemory
    memory: Memory
    text: str
    score: float = 0.0


def scored(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with their scores, best first; equal scores by id, so that the order never depends on the index."""
    newest = max((c.memory["timestamp"] for c in candidates), default=0)

    def score(candidate: Candidate) -> float:
        age = newest - candidate.memory["timestamp"]
        recency: float = 2.0 ** (-age / HALF_LIFE_SECONDS)
        importance = min(1.0, max(0.0, candidate.memory["importance"]))
        return candidate.hit.score + BAND * (importance + recency) / 2

    rated = [Candidate(c.hit, c.row, c.memory, c.text, score(c)) for c in candidates]
    return sorted(rated, key=lambda c: (-c.score, c.memory["id"]))


def within_budget(tokens: Sequence[int], budget: int) -> list[int]:
    """Indices kept, in order: each item that still fits; one that does not is passed over for smaller ones behind it."""
    kept, spent = [], 0
    for index, count in enumerate(tokens):
        if spent + count <= budget:
            kept.append(index)
            spent += count
    return kept


class ContextFinder:
    """Answers queries."""

    def __init__(self, reads: MemoryReads, index: VectorStore, vectors: QueryVectors, settings: RagSettings) -> None:
        self._reads = reads
        self._index = index
        self._vectors = vectors
        self._settings = settings

    async def query_context(
        self,
        agent: bytes,
        query: str,
        max_results: int,
        min_similarity: float | None = None,
        max_tokens: int | None = None,
    ) -> Context:
        """Items best first. ``max_tokens`` can only lower the server's limit. Raises UnavailableError, StoreError."""
        started = time.monotonic()
        threshold = self._settings.min_similarity if min_similarity is None else min_similarity
        budget = min(self._settings.max_context_tokens, max_tokens or self._settings.max_context_tokens)
        vector = await self._vectors.vector(query)
        await self._reads.chain.barrier()
        for _ in range(ATTEMPTS):
            stood = self._reads.chain.view.sequence
            candidates = await self._candidates(agent, vector, max_results, threshold)
            best = scored(candidates)[: max_results + SPARE]
            counts = await self._vectors.count_tokens({c.memory["id"]: c.text for c in best})
            if self._reads.chain.view.sequence == stood:
                break  # else rows that were no candidates then may stand now
        # No wait from here on: what the view says now is what the answer holds.
        best = [c for c in best if self._reads.live(c.row)][:max_results]
        tokens = [counts[c.memory["id"]] for c in best]
        kept = within_budget(tokens, budget)
        answer = Context(
            agent=to_hex(agent),
            query=query,
            items=[_item(best[i], tokens[i]) for i in kept],
            tokens=sum(tokens[i] for i in kept),
            left_out=len(best) - len(kept),
            as_of=self._reads.as_of(),
        )
        metrics.RAG_QUERIES.inc()
        metrics.QUERY_LATENCY.observe(1000 * (time.monotonic() - started))
        return answer

    async def _candidates(self, agent: bytes, vector: NDArray[np.float32], wanted: int, threshold: float) -> list[Candidate]:
        """Live candidates above the threshold, ``wanted`` at least if there are so many: asks for more as rows drop out."""
        found: dict[bytes, Candidate] = {}
        seen: set[bytes] = set()
        limit = 2 * wanted + SPARE
        for _ in range(ROUNDS):
            hits = await self._index.search(agent, vector, limit)
            fresh = [hit for hit in hits if hit.memory_id not in seen and hit.score >= threshold]
            seen.update(hit.memory_id for hit in fresh)
            rows = await self._reads.rows(agent, [hit.memory_id for hit in fresh])
            for hit, row in zip(fresh, rows, strict=True):
                if (memory := self._reads.live(row)) and row and (text := text_of(memory)) is not None:
                    found[hit.memory_id] = Candidate(hit, row, memory, text)
            exhausted = len(hits) < limit or hits[-1].score < threshold
            if exhausted or len(found) >= wanted + SPARE // 2:
                break
            limit *= 4
        return list(found.values())


def _item(candidate: Candidate, tokens: int) -> ContextItem:
    memory = candidate.memory
    return ContextItem(
        text=candidate.text,
        score=candidate.score,
        similarity=candidate.hit.score,
        tokens=tokens,
        type=memory["type"],
        importance=memory["importance"],
        tags=list(memory["tags"]),
        timestamp=memory["timestamp"],
        citation=Citation.of(memory),
    )
