"""Ranks the memories of several agents as one pool.

The agents are those the caller was granted, named one by one; nothing else is looked at, not even to count how rare a word is:
of an agent that is granted by tags, what has none of them is in no index used here. Where there are more than ABREAST agents,
those with the nearest vectors are taken, so that an answer costs no more. Agents without an index, since it is too large or the
memory store cannot tell what changed, are searched by vectors alone, in one search over all of them.
Invariant: every result is live, true at the moment asked about, of an agent that was named, and has one of its tags.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence, Set
from contextlib import AsyncExitStack
from typing import NamedTuple

from streams.ports.search import PooledSearch
from streams.ports.stores import Hit, StoredMemory
from streams.retrieval.index import MemoryIndex
from streams.retrieval.question import Asked
from streams.retrieval.rank import Scored, arranged, ranked
from streams.retrieval.ranked import Question, Ranked
from streams.serving.context.nearest import scored
from streams.serving.reads import MemoryReads
from streams.serving.retrieval.hybrid import ROUNDS, SPARE, depth_of, fits, near_of
from streams.serving.retrieval.indexes import AgentIndexes
from streams.serving.vectors import QueryVectors
from streams.serving.wire import text_of

ABREAST = 64
"""Most agents whose indexes are ranked at a time."""
HITS = 512

Tags = Mapping[bytes, frozenset[str]]
"""By agent, which tags its memories must have one of. Who is not in it, is granted whole."""


class Pool(NamedTuple):
    """What was found, best first, and the agents that have no index to look in."""

    ranked: list[Ranked]
    unsearched: frozenset[bytes]


class Pooled:
    """Answers a question from several agents' memories. ``search`` None: of at most ABREAST."""

    def __init__(self, reads: MemoryReads, indexes: AgentIndexes, vectors: QueryVectors, search: PooledSearch | None) -> None:
        self._reads = reads
        self._indexes = indexes
        self._vectors = vectors
        self._search = search

    async def rank(self, agents: Set[bytes], question: Question) -> list[Ranked]:
        """Best first. ``question.agent`` is who asks, and is searched only if ``agents`` names it. No barrier."""
        return (await self.pool(agents, {}, question)).ranked

    async def pool(self, agents: Set[bytes], tags: Tags, question: Question) -> Pool:
        """The same where some are granted by tags, and what could not be looked at. No barrier."""
        asked = Asked.of(question.text, await self._vectors.vector(question.text))
        named = await self._nearest(agents, asked)
        async with AsyncExitStack() as held:
            indexes: dict[bytes, MemoryIndex] = {}
            for agent in sorted(named):  # one order for all, so that nobody waits in a circle
                index = await held.enter_async_context(self._indexes.of(agent, tags.get(agent)))
                if index is not None:
                    indexes[agent] = index
            fit = await self._fitting(question, asked, indexes)
            order = arranged([each for each, _ in fit], [candidate.text for _, candidate in fit])
        best, bare = [fit[at][1] for at in order], frozenset(named - indexes.keys())
        if not bare or self._search is None:
            return Pool(best, bare)
        near = await self._by_vectors(question, asked, bare, tags, self._search)
        # Cosines and sums of signals are no one scale: where there are both, what all signals speak for comes first.
        return Pool([*best, *near], frozenset())

    async def _by_vectors(
        self, question: Question, asked: Asked, agents: Set[bytes], tags: Tags, search: PooledSearch
    ) -> list[Ranked]:
        """As ``Nearest`` ranks one agent's memories: what is not granted moves no score."""
        limit, found = 2 * question.wanted + SPARE, []
        for _ in range(ROUNDS):
            hits = await search.nearest(agents, asked.vector, limit)
            found = await self._granted(question, hits, agents, tags)
            if len(hits) < limit or hits[-1].score < question.min_similarity or len(found) >= question.wanted:
                break
            limit *= 4
        return scored(found)[: question.wanted + SPARE]

    async def _granted(self, question: Question, hits: Sequence[Hit], agents: Set[bytes], tags: Tags) -> list[Ranked]:
        found = []
        for agent in sorted(agents):
            near = {hit.memory_id: hit.score for hit in hits if hit.agent == agent and hit.score >= question.min_similarity}
            rows = await self._reads.candidates(agent, list(near), question.when)
            for score, row in zip(near.values(), rows, strict=True):
                memory = row.memory if row else None
                if memory is None or row is None or not question.admits(memory) or (text := text_of(memory)) is None:
                    continue
                if agent not in tags or not tags[agent].isdisjoint(memory["tags"]):
                    found.append(Ranked(memory, row, text, score, score))
        return found

    async def _nearest(self, agents: Set[bytes], asked: Asked) -> Set[bytes]:
        if len(agents) <= ABREAST:
            return agents
        if self._search is None:
            raise ValueError(f"{len(agents)} agents, and no search to choose {ABREAST} of them by")
        hits = await self._search.nearest(agents, asked.vector, HITS)
        return set(list(dict.fromkeys(hit.agent for hit in hits if hit.agent in agents))[:ABREAST])

    async def _fitting(
        self, question: Question, asked: Asked, indexes: Mapping[bytes, MemoryIndex]
    ) -> list[tuple[Scored, Ranked]]:
        """Candidates that may be shown; looks further as rows drop out."""
        depth = depth_of(question)
        limit = depth + 2 * SPARE
        for _ in range(ROUNDS):
            found = await asyncio.to_thread(ranked, list(indexes.values()), asked, limit, near=near_of(question))
            fit = await self._shown(question, indexes, found)
            if len(found) < limit or len(fit) >= depth:
                break
            limit *= 4
        return fit[: depth + SPARE]

    async def _shown(
        self, question: Question, indexes: Mapping[bytes, MemoryIndex], found: list[Scored]
    ) -> list[tuple[Scored, Ranked]]:
        rows: dict[int, StoredMemory | None] = {}  # by place: two agents may hold one id, as imports bring their own
        for agent, index in indexes.items():
            places = [place for place, each in enumerate(found) if each.index is index]
            candidates = await self._reads.candidates(agent, [found[place].id for place in places], question.when)
            rows |= dict(zip(places, candidates, strict=True))
        return [pair for place, each in enumerate(found) if (pair := fits(question, each, rows[place]))]
