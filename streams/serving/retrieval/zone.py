"""The ranking of what one session holds.

A session holds few memories and lives for a task, so an index of them is made for the question and goes with it: nothing of a
zone is kept where another question could come by it, and no large agent's index is built to find ten memories in it.
Invariant: what is looked at are the session's memories, known and true at the moment asked about, and nothing beside them, not
even to count how rare a word is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from schemas.records import Memory
from streams.core.session import MEMORIES
from streams.ports.stores import MemoryFilter, VectorRow, VectorStore
from streams.retrieval.document import document_of
from streams.retrieval.index import MemoryIndex
from streams.retrieval.links import links_of
from streams.retrieval.question import Asked
from streams.retrieval.rank import Near, Scored, arranged, ranked
from streams.retrieval.ranked import Question, Ranked
from streams.serving.reads import MemoryReads
from streams.serving.retrieval.hybrid import SPARE, depth_of, fits, near_of
from streams.serving.vectors import QueryVectors

INLINE = 16
"""Memories up to which an index is made sooner than a thread takes over."""


class ZoneRanking:
    """A Ranking for questions that name a zone."""

    def __init__(self, reads: MemoryReads, store: VectorStore, vectors: QueryVectors) -> None:
        self._reads = reads
        self._store = store
        self._vectors = vectors

    async def rank(self, question: Question) -> list[Ranked]:
        if not question.zone:  # to the store that would mean all that lies in no session
            raise ValueError("a question about a session names it")
        agent = question.agent
        asked = Asked.of(question.text, await self._vectors.vector(question.text))
        shown = await self._reads.listed(agent, MemoryFilter(limit=MEMORIES, sessions=question.zone), question.when)
        held = [memory for memory, _ in shown]
        rows = dict(zip((memory["id"] for memory in held), await self._reads.rows(agent, [m["id"] for m in held]), strict=True))
        vectors = await self._store.find([(agent, memory["id"]) for memory in held])
        search = partial(_ranked, held, vectors, asked, near_of(question), self._vectors.embedder.dimension)
        found = search() if len(held) <= INLINE else await asyncio.to_thread(search)
        fit = [pair for each in found if (pair := fits(question, each, rows[each.id]))][: depth_of(question) + SPARE]
        order = arranged([each for each, _ in fit], [candidate.text for _, candidate in fit])
        return [fit[at][1] for at in order]


def _ranked(
    held: Sequence[Memory], vectors: Sequence[VectorRow | None], asked: Asked, near: Near, dimension: int
) -> list[Scored]:
    index = MemoryIndex(dimension)
    for memory, row in zip(held, vectors, strict=True):
        document = document_of(memory)
        if document is not None:
            index.put(document, None if row is None else row.vector)
            index.link(memory["id"], links_of(memory))
    return ranked([index], asked, len(index), near=near)
