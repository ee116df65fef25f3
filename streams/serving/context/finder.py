"""Answers requests for context.

Invariants: every item was live in the chain view after the last wait, so a ranking, whose index is a superset, decides nothing
alone; equal requests at the same state of memory have equal answers.
"""

from __future__ import annotations

import time
from dataclasses import replace

from streams.retrieval.ranked import Question, Ranking
from streams.serving import metrics
from streams.serving.addresses import to_hex
from streams.serving.context.assembly import Assembler, Chosen, Found, Piece
from streams.serving.context.history import cursor_of, place_of, walk_name
from streams.serving.context.request import ContextRequest
from streams.serving.context.walk import admitted, members
from streams.serving.context.window import Temporal
from streams.serving.faults import ConflictError
from streams.serving.reads import MemoryReads
from streams.serving.vectors import QueryVectors
from streams.serving.wire import Citation, Context, ContextItem, Omitted
from streams.settings import RagSettings

ATTEMPTS = 8
"""Looks while the chain moves on; after the last one an answer may lack rows, never hold undone ones."""
EVER = Temporal(seconds=1 << 62)
"""The window of a walk that names none: the newest memories."""


class ContextFinder:
    """Finds memories, and has them put together."""

    def __init__(self, reads: MemoryReads, ranking: Ranking, vectors: QueryVectors, settings: RagSettings) -> None:
        self._reads = reads
        self._ranking = ranking
        self._vectors = vectors
        self._assembler = Assembler(vectors)
        self._settings = settings

    async def find(self, request: ContextRequest) -> Context:
        """The context. Raises BadRequestError, UnavailableError, ConflictError, StoreError."""
        started = time.monotonic()
        limit = self._settings.max_context_tokens
        budget = min(limit, request.max_tokens or limit)
        if request.query is not None:
            await self._vectors.vector(request.query)  # the slowest part; done before the view is brought up to date
        await self._reads.chain.barrier()
        for _ in range(ATTEMPTS):
            stood = self._reads.chain.view.sequence
            found = await self._found(request)
            chosen = await self._assembler.choose(request, found, budget)
            if self._reads.chain.view.sequence == stood:
                break  # else rows that were no candidates then may stand now
        # No wait from here on: what the view says now is what the answer holds.
        answer = self._answer(request, budget, found, self._still_live(request, chosen))
        metrics.RAG_QUERIES.inc()
        metrics.QUERY_LATENCY.observe(1000 * (time.monotonic() - started))
        return answer

    async def _found(self, request: ContextRequest) -> Found:
        if request.query is None:
            start = None if request.cursor is None else place_of(request.cursor, _walk(request))
            held = await members(self._reads, request.agent, request.window or EVER, request.only, start)
            live = [c for c in held.ranked if self._reads.live(c.row)]
            return Found(live, walking=True, not_text=held.not_text, end=held.end, more=held.more)
        least = self._settings.min_similarity if request.min_similarity is None else request.min_similarity
        admits = await admitted(self._reads, request.agent, request.window, request.only)
        best = await self._ranking.rank(Question(request.agent, request.query, request.max_results, least, admits))
        return Found([c for c in best if self._reads.live(c.row)][: request.max_results], walking=False)

    def _still_live(self, request: ContextRequest, chosen: Chosen) -> Chosen:
        live = [piece for piece in chosen.pieces if self._reads.live(piece.found.row)]
        if len(live) == len(chosen.pieces):
            return chosen
        if request.render is not None:
            raise ConflictError("the chain moved on each time the context was put together", "Ask again in a moment.")
        return replace(chosen, pieces=live, tokens=sum(piece.tokens for piece in live))

    def _answer(self, request: ContextRequest, budget: int, found: Found, chosen: Chosen) -> Context:
        return Context(
            agent=to_hex(request.agent),
            query=request.query,
            items=[_item(piece, found.walking) for piece in chosen.pieces],
            tokens=chosen.tokens,
            tokens_allowed=budget,
            left_out=chosen.over_budget,
            omitted=Omitted(
                over_budget=chosen.over_budget,
                not_text=found.not_text,
                truncated=sum(piece.truncated for piece in chosen.pieces),
            ),
            prompt=chosen.prompt,
            next=None if chosen.next is None else cursor_of(chosen.next, _walk(request)),
            as_of=self._reads.as_of(),
        )


def _walk(request: ContextRequest) -> bytes:
    return walk_name(request.agent, request.window or EVER, request.only)


def _item(piece: Piece, walking: bool) -> ContextItem:
    found, memory = piece.found, piece.found.memory
    return ContextItem(
        text=piece.text,
        score=found.score,
        similarity=None if walking else found.similarity,
        tokens=piece.tokens,
        truncated=piece.truncated,
        type=memory["type"],
        importance=memory["importance"],
        tags=list(memory["tags"]),
        timestamp=memory["timestamp"],
        citation=Citation.of(memory),
    )
