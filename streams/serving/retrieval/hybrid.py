"""The ranking of one agent's memories by all signals, from its index; by vectors alone where there can be no index.

Invariant: what is returned was live, true at the moment asked about, and admitted, at some look at the view, and it is the
agent's own. How rare a word is, and what is linked, is what it is now, also where the question is about an earlier moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

import numpy as np

from streams.ports.stores import StoredMemory
from streams.retrieval.index import MemoryIndex
from streams.retrieval.question import Asked
from streams.retrieval.rank import ARRANGED, Near, Scored, arranged, ranked
from streams.retrieval.ranked import Question, Ranked, Ranking
from streams.retrieval.weights import WEIGHTS
from streams.serving.reads import MemoryReads
from streams.serving.retrieval.indexes import AgentIndexes
from streams.serving.vectors import QueryVectors
from streams.serving.wire import text_of

SPARE = 16
ROUNDS = 6
INLINE = 512
"""Rows up to which a ranking takes less than the way to a thread and back."""


class Hybrid:
    """A Ranking. ``otherwise``: the one for agents without an index."""

    def __init__(
        self,
        reads: MemoryReads,
        indexes: AgentIndexes,
        vectors: QueryVectors,
        otherwise: Ranking,
        weights: Mapping[str, float] = WEIGHTS,
    ) -> None:
        self._reads = reads
        self._indexes = indexes
        self._vectors = vectors
        self._otherwise = otherwise
        self._weights = weights

    async def rank(self, question: Question) -> list[Ranked]:
        asked = Asked.of(question.text, await self._vectors.vector(question.text))
        async with self._indexes.of(question.agent) as index:
            if index is not None:
                return await self._ranked(question, asked, index)
        return await self._otherwise.rank(question)

    async def _ranked(self, question: Question, asked: Asked, index: MemoryIndex) -> list[Ranked]:
        """Candidates that fit, ``wanted`` at least if there are so many: looks further as rows drop out."""
        depth = depth_of(question)
        limit = depth + 2 * SPARE
        fit: list[tuple[Scored, Ranked]] = []
        for _ in range(ROUNDS):
            search = partial(ranked, [index], asked, limit, weights=self._weights, near=near_of(question))
            found = search() if len(index) <= INLINE else await asyncio.to_thread(search)
            rows = await self._reads.candidates(question.agent, [each.id for each in found], question.when)
            fit = [pair for each, row in zip(found, rows, strict=True) if (pair := fits(question, each, row))]
            if len(found) < limit or len(fit) >= depth + SPARE // 2:
                break
            limit *= 4
        fit = fit[: depth + SPARE]
        order = arranged([each for each, _ in fit], [candidate.text for _, candidate in fit])
        return [fit[at][1] for at in order]


def depth_of(question: Question) -> int:
    """Candidates that are looked for: as many as are put in order even where fewer are wanted, so that the first ones are the
    same however many are asked for.
    """
    return max(question.wanted, ARRANGED)


def near_of(question: Question) -> Near:
    """The question's bounds on what is ranked at all."""
    return Near(question.min_similarity, question.least)


def fits(question: Question, each: Scored, row: StoredMemory | None) -> tuple[Scored, Ranked] | None:
    """The candidate, if it is admitted, and a text; ``row``: None if it may not be shown."""
    memory = row.memory if row is not None else None
    if row is None or memory is None or not question.admits(memory) or (text := text_of(memory)) is None:
        return None
    similarity = 0.0 if each.similarity is None else float(np.clip(each.similarity, -1.0, 1.0))
    return each, Ranked(memory, row, text, each.score, similarity)
