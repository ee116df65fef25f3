"""One question to the memories of several agents: the asker's own, and those that others let it read.

Who has granted what is the caller's to know, and is said with every question. Invariants, checked after the last wait: every
item is live, known and true at the moment asked about, in no open session, of an agent named, and has a tag granted where not
all was. What is hidden moves no score and is counted nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from schemas.records import Memory
from streams.core.moment import Moment
from streams.core.session import in_zone
from streams.core.validity import Validity
from streams.ports.stores import StoredMemory
from streams.retrieval.ranked import Question
from streams.serving import metrics
from streams.serving.addresses import to_hex
from streams.serving.context.assembly import Assembler, Chosen, Found
from streams.serving.context.finder import ATTEMPTS, item_of
from streams.serving.context.request import ContextRequest
from streams.serving.reads import MemoryReads, present
from streams.serving.retrieval.pooled import ABREAST, Pooled
from streams.serving.vectors import QueryVectors
from streams.serving.wire.shared import OWNERS_LIMIT, SharedContext, SharedItem
from streams.settings import RagSettings

assert OWNERS_LIMIT < ABREAST  # the asker is one more

Readable = Mapping[bytes, frozenset[str] | None]
"""By agent, the tags of which a memory must have one; None: all of its memories."""


@dataclass(frozen=True, slots=True)
class SharedRequest:
    """``agent``: who asks. ``readable``: whose memories it may read; it is the whole of what is looked at.
    ``when`` None is now.
    """

    agent: bytes
    query: str
    readable: Readable
    max_results: int = 10
    min_similarity: float | None = None
    max_tokens: int | None = None
    when: Moment | None = None


class SharedFinder:
    """Answers from all that an agent may read."""

    def __init__(self, reads: MemoryReads, pooled: Pooled, vectors: QueryVectors, settings: RagSettings) -> None:
        self._reads = reads
        self._pooled = pooled
        self._vectors = vectors
        self._assembler = Assembler(vectors)
        self._settings = settings

    async def find(self, request: SharedRequest) -> SharedContext:
        """The context. Raises UnavailableError, StoreError."""
        started, when = time.monotonic(), request.when or present()
        limit = self._settings.max_context_tokens
        budget = min(limit, request.max_tokens or limit)
        tags = {agent: granted for agent, granted in request.readable.items() if granted is not None}
        question = Question(request.agent, request.query, request.max_results, self._settings.min_similarity, when=when)
        question = question.bounded(request.min_similarity)
        asked = ContextRequest(request.agent, request.query, request.max_results)
        await self._vectors.vector(request.query)  # the slowest part; done before the view is brought up to date
        await self._reads.chain.barrier()
        for _ in range(ATTEMPTS):
            stood = self._reads.chain.view.sequence
            found = await self._pooled.pool(request.readable.keys(), tags, question)
            best = [each for each in found.ranked if self._reads.live(each.row)][: request.max_results]
            bearing = await self._bearing([each.memory for each in best], when)
            chosen = await self._assembler.choose(asked, Found(best, walking=False), budget)
            if self._reads.chain.view.sequence == stood:
                break
        # No wait from here on: what the view says now is what the answer holds.
        items = self._items(request.readable, chosen, bearing, when)
        metrics.RAG_QUERIES.inc()
        metrics.QUERY_LATENCY.observe(1000 * (time.monotonic() - started))
        return SharedContext(
            agent=to_hex(request.agent),
            query=request.query,
            owners=sorted(map(to_hex, request.readable.keys() - found.unsearched)),
            unsearched=sorted(map(to_hex, found.unsearched)),
            items=items,
            tokens=sum(item.tokens for item in items),
            tokens_allowed=budget,
            left_out=chosen.over_budget,
            as_of=self._reads.as_of(request.when),
        )

    async def _bearing(self, memories: list[Memory], when: Moment) -> dict[bytes, list[StoredMemory]]:
        owned: dict[bytes, list[Memory]] = {}
        for memory in memories:
            owned.setdefault(memory["agent"], []).append(memory)
        return {agent: await self._reads.bearing(agent, held, when) for agent, held in owned.items()}

    def _items(
        self, readable: Readable, chosen: Chosen, bearing: Mapping[bytes, list[StoredMemory]], when: Moment
    ) -> list[SharedItem]:
        items = []
        for piece in chosen.pieces:
            memory = self._reads.live(piece.found.row)
            if memory is None or in_zone(memory) or not may_read(readable, memory):
                continue
            for _, validity in self._reads.shown([memory], bearing[memory["agent"]], when):
                item = item_of(piece, False, _bare(validity))
                items.append(SharedItem.model_validate({**dict(item), "owner": to_hex(memory["agent"])}))
        return items


def may_read(readable: Readable, memory: Memory) -> bool:
    """Whether the memory is among what was granted."""
    if memory["agent"] not in readable:
        return False
    tags = readable[memory["agent"]]
    return tags is None or not tags.isdisjoint(memory["tags"])


def _bare(validity: Validity) -> Validity:
    """Without the names of other memories, which may be hidden."""
    return replace(validity, superseded_by=(), invalidated_by=(), contradicts=())
