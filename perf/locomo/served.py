"""The conversations in a gateway's own stores, asked as the gateway is asked.

A question goes to the finder that answers ``POST /v1/agents/{agent}/query``, or, where several agents are asked as one pool, to
that of the shared question, with the settings' own defaults and the most results that a question may have. So what is measured
is what is served: the index kept from the stores, what is admitted, the order, the budget of a context.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from perf.locomo.data import Conversation, Vectors
from perf.retrieval import StillChain
from schemas.records import Memory, MemoryFact
from streams.ports.embedder import Embedder
from streams.ports.stores import MemoryStore, VectorRow, VectorStore
from streams.retrieval.weights import WEIGHTS
from streams.serving.context.finder import ContextFinder
from streams.serving.context.nearest import Nearest
from streams.serving.context.request import ContextRequest
from streams.serving.context.shared import SharedFinder, SharedRequest
from streams.serving.reads import MemoryReads
from streams.serving.retrieval.hybrid import Hybrid
from streams.serving.retrieval.indexes import AgentIndexes
from streams.serving.retrieval.pooled import Pooled
from streams.serving.vectors import QueryVectors
from streams.serving.wire import RESULTS_LIMIT, Context
from streams.serving.wire.shared import SharedContext
from streams.settings import RagSettings


class Kept:
    """An Embedder that embeds each text once for all runs."""

    def __init__(self, vectors: Vectors, embedder: Embedder) -> None:
        self.model, self.model_hash, self.backend = embedder.model, embedder.model_hash, embedder.backend
        self.dimension = embedder.dimension
        self.count_tokens = embedder.count_tokens
        self._vectors = vectors

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._vectors.of(texts)


class Gateway:
    """Its finders over stores that hold ``talks``. ``weights``: of the signals, where each agent is asked by itself."""

    def __init__(
        self, memories: MemoryStore, stored: VectorStore, embedder: Embedder, weights: Mapping[str, float] = WEIGHTS
    ) -> None:
        settings, chain = RagSettings(), StillChain()
        self._runner = asyncio.Runner()
        self._vectors = QueryVectors(embedder)
        reads = MemoryReads(chain, memories)
        indexes = AgentIndexes(memories, stored, chain, embedder.dimension, settings.index_mib << 20)
        ranking = Hybrid(reads, indexes, self._vectors, Nearest(reads, stored, self._vectors), weights)
        self._finder = ContextFinder(reads, ranking, self._vectors, settings)
        self._shared = SharedFinder(reads, Pooled(reads, indexes, self._vectors, None), self._vectors, settings)
        self._stores = memories, stored

    def ask(self, agents: Sequence[bytes], question: str, **more: int) -> list[bytes]:
        """Ids of the answer's memories, in its order."""
        return self._runner.run(self._ids(agents, question, **more))

    async def _ids(self, agents: Sequence[bytes], question: str, **more: int) -> list[bytes]:
        found = await self._found(agents, question, **more)
        return [bytes.fromhex(item.memory_id.removeprefix("0x")) for item in found.items]

    async def _found(
        self, agents: Sequence[bytes], question: str, max_results: int = RESULTS_LIMIT, max_tokens: int | None = None
    ) -> Context | SharedContext:
        if len(agents) == 1:
            return await self._finder.find(ContextRequest(agents[0], question, max_results, max_tokens=max_tokens))
        readable = dict.fromkeys(agents)
        return await self._shared.find(SharedRequest(agents[0], question, readable, max_results, max_tokens=max_tokens))

    def fill(self, talks: Sequence[Conversation]) -> None:
        """Stores memories and vectors, as the stream agents leave them."""
        self._runner.run(self._fill(talks))

    async def _fill(self, talks: Sequence[Conversation]) -> None:
        memories, stored = self._stores
        for talk in talks:
            await memories.apply([_fact(memory) for memory in talk.memories])
            rows = self._vectors.embedder.embed([memory["content"].decode() for memory in talk.memories])
            keys = [(memory["agent"], memory["id"]) for memory in talk.memories]
            await stored.upsert([VectorRow(*key, row) for key, row in zip(keys, rows, strict=True)])

    def close(self) -> None:
        """Ends the threads, and closes the stores."""
        for store in self._stores:
            self._runner.run(store.close())
        self._vectors.close()
        self._runner.close()


def _fact(memory: Memory) -> MemoryFact:
    told = {"cause": memory["id"], "memory_id": memory["id"], "owner": memory["agent"]}
    return {"op": "UPSERT", **told, "memory": memory, "block": None}  # type: ignore[typeddict-item]


@contextmanager
def gateway(talks: Sequence[Conversation], vectors: Vectors, weights: Mapping[str, float] = WEIGHTS) -> Iterator[Gateway]:
    """One over stores of its own, which are gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder, embedder = Path(name), Kept(vectors, vectors.embedder)
        stored = LmdbVectorStore(folder / "vectors", embedder.dimension)
        served = Gateway(LmdbMemoryStore(folder / "memories"), stored, embedder, weights)
        served.fill(talks)
        try:
            yield served
        finally:
            served.close()
