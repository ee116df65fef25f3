"""Puts a context together: ranked memories, within a budget of tokens.

Invariant: every item was live in the chain view after the last wait; a ranking, whose index is a superset, decides nothing
alone.
"""

from __future__ import annotations

import time

from streams.retrieval.ranked import Question, Ranked, Ranking
from streams.serving import metrics
from streams.serving.addresses import to_hex
from streams.serving.context.budget import within_budget
from streams.serving.context.request import ContextRequest
from streams.serving.reads import MemoryReads
from streams.serving.vectors import QueryVectors
from streams.serving.wire import Citation, Context, ContextItem
from streams.settings import RagSettings

ATTEMPTS = 8
"""Looks while the chain moves on; after the last one an answer may lack rows, never hold undone ones."""


class ContextFinder:
    """Answers requests for context."""

    def __init__(self, reads: MemoryReads, ranking: Ranking, vectors: QueryVectors, settings: RagSettings) -> None:
        self._reads = reads
        self._ranking = ranking
        self._vectors = vectors
        self._settings = settings

    async def find(self, request: ContextRequest) -> Context:
        """Items best first. Raises UnavailableError, StoreError."""
        started = time.monotonic()
        settings = self._settings
        threshold = settings.min_similarity if request.min_similarity is None else request.min_similarity
        budget = min(settings.max_context_tokens, request.max_tokens or settings.max_context_tokens)
        question = Question(request.agent, request.query, request.max_results, threshold)
        await self._vectors.vector(request.query)  # the slowest part; done before the view is brought up to date
        await self._reads.chain.barrier()
        for _ in range(ATTEMPTS):
            stood = self._reads.chain.view.sequence
            best = await self._ranking.rank(question)
            counts = await self._vectors.count_tokens({c.memory["id"]: c.text for c in best})
            if self._reads.chain.view.sequence == stood:
                break  # else rows that were no candidates then may stand now
        # No wait from here on: what the view says now is what the answer holds.
        best = [c for c in best if self._reads.live(c.row)][: request.max_results]
        tokens = [counts[c.memory["id"]] for c in best]
        kept = within_budget(tokens, budget)
        answer = Context(
            agent=to_hex(request.agent),
            query=request.query,
            items=[_item(best[i], tokens[i]) for i in kept],
            tokens=sum(tokens[i] for i in kept),
            left_out=len(best) - len(kept),
            as_of=self._reads.as_of(),
        )
        metrics.RAG_QUERIES.inc()
        metrics.QUERY_LATENCY.observe(1000 * (time.monotonic() - started))
        return answer


def _item(found: Ranked, tokens: int) -> ContextItem:
    memory = found.memory
    return ContextItem(
        text=found.text,
        score=found.score,
        similarity=found.similarity,
        tokens=tokens,
        type=memory["type"],
        importance=memory["importance"],
        tags=list(memory["tags"]),
        timestamp=memory["timestamp"],
        citation=Citation.of(memory),
    )
