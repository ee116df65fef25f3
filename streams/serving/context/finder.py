"""Answers requests for context.

Invariants: every item was live in the chain view after the last wait, known and true at the moment asked about by records that
were live then too, and lies in the session asked about, or in none where none was: so a ranking, whose index is a superset,
decides nothing alone; equal requests at the same state of memory have equal answers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from streams.core.moment import Moment
from streams.core.session import lies_in
from streams.core.validity import Validity
from streams.ports.stores import StoredMemory
from streams.retrieval.ranked import Question, Ranking
from streams.serving import metrics
from streams.serving.addresses import to_hex
from streams.serving.context.assembly import Assembler, Chosen, Found, Piece
from streams.serving.context.history import cursor_of, place_of, walk_name
from streams.serving.context.request import ContextRequest
from streams.serving.context.walk import admitted, members
from streams.serving.context.window import Temporal
from streams.serving.faults import ConflictError
from streams.serving.reads import MemoryReads, present
from streams.serving.vectors import QueryVectors
from streams.serving.wire import Citation, Context, ContextItem, Omitted, ValidityView
from streams.settings import RagSettings

ATTEMPTS = 50
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
        started, when = time.monotonic(), request.when or present()
        limit = self._settings.max_context_tokens
        budget = min(limit, request.max_tokens or limit)
        if request.query is not None:
            await self._vectors.vector(request.query)  # the slowest part; done before the view is brought up to date
        await self._reads.chain.barrier()
        for _ in range(ATTEMPTS):
            stood = self._reads.chain.view.sequence
            found = await self._found(request, when)
            bearing = await self._reads.bearing(request.agent, [candidate.memory for candidate in found.ranked], when)
            chosen = await self._assembler.choose(request, found, budget)
            if self._reads.chain.view.sequence == stood:
                break  # else rows that were no candidates then may stand now
        # No wait from here on: what the view says now is what the answer holds.
        validity = self._validity(request, chosen, bearing, when)
        answer = self._answer(request, budget, found, self._still_true(request, chosen, validity), validity)
        metrics.RAG_QUERIES.inc()
        metrics.QUERY_LATENCY.observe(1000 * (time.monotonic() - started))
        return answer

    async def _found(self, request: ContextRequest, when: Moment) -> Found:
        if request.query is None:
            start = None if request.cursor is None else place_of(request.cursor, _walk(request))
            held = await members(self._reads, request.agent, request.window or EVER, request.only, start, when=when)
            live = [c for c in held.ranked if self._reads.live(c.row)]
            return Found(live, walking=True, not_text=held.not_text, end=held.end, more=held.more)
        usual = self._settings.min_similarity
        admits = await admitted(self._reads, request.agent, request.window, request.only, when)
        question = Question(request.agent, request.query, request.max_results, usual, admits, when, request.zone)
        best = await self._ranking.rank(question.bounded(request.min_similarity))
        return Found([c for c in best if self._reads.live(c.row)][: request.max_results], walking=False)

    def _validity(
        self, request: ContextRequest, chosen: Chosen, bearing: Sequence[StoredMemory], when: Moment
    ) -> dict[bytes, Validity]:
        """Of those chosen that are live now, true, and where they were asked for: in the zone, or in none."""
        live = [memory for piece in chosen.pieces if (memory := self._reads.live(piece.found.row))]
        live = [memory for memory in live if lies_in(memory, request.zone)]
        return {memory["id"]: validity for memory, validity in self._reads.shown(live, bearing, when)}

    def _still_true(self, request: ContextRequest, chosen: Chosen, validity: Mapping[bytes, Validity]) -> Chosen:
        still = [piece for piece in chosen.pieces if piece.found.memory["id"] in validity]
        if len(still) == len(chosen.pieces):
            return chosen
        if request.render is not None:
            raise ConflictError("the chain moved on each time the context was put together", "Ask again in a moment.")
        return replace(chosen, pieces=still, tokens=sum(piece.tokens for piece in still))

    def _answer(
        self, request: ContextRequest, budget: int, found: Found, chosen: Chosen, validity: Mapping[bytes, Validity]
    ) -> Context:
        return Context(
            agent=to_hex(request.agent),
            query=request.query,
            items=[item_of(piece, found.walking, validity[piece.found.memory["id"]]) for piece in chosen.pieces],
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
            as_of=self._reads.as_of(request.when),
        )


def _walk(request: ContextRequest) -> bytes:
    return walk_name(request.agent, request.window or EVER, (request.only, request.when))


def item_of(piece: Piece, walking: bool, validity: Validity) -> ContextItem:
    """What is handed out of a piece. ``walking``: nothing was asked in words."""
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
        validity=ValidityView.of(validity),
    )
