"""Indexes of the agents asked of lately, within a bound on their memory.

Invariants: the bytes held never exceed ``capacity`` for longer than one refresh takes; the least recently used agent's index
leaves first; nobody is handed an index of an agent that was not asked for by name, nor one of more than the tags asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.ports.stores import MemoryStore, VectorStore
from streams.retrieval.index import MemoryIndex
from streams.serving.chain import ChainReader
from streams.serving.retrieval import metrics
from streams.serving.retrieval.kept import KeptIndex, UntoldError

_Name = tuple[bytes, frozenset[str] | None]
"""Agent and tags."""


class AgentIndexes:
    """``capacity``: bytes over all agents, and for one."""

    def __init__(self, memories: MemoryStore, vectors: VectorStore, chain: ChainReader, dimension: int, capacity: int) -> None:
        self._memories = memories
        self._vectors = vectors
        self._chain = chain
        self._dimension = dimension
        self._capacity = capacity
        self._kept: OrderedDict[_Name, KeptIndex] = OrderedDict()
        self._bytes = 0
        metrics.INDEX_BYTES.set_function(lambda: self._bytes)
        metrics.INDEX_AGENTS.set_function(lambda: len({agent for agent, _ in self._kept}))

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def __contains__(self, agent: bytes) -> bool:
        return any(agent == kept for kept, _ in self._kept)

    @asynccontextmanager
    async def of(self, agent: bytes, tags: frozenset[str] | None = None) -> AsyncIterator[MemoryIndex | None]:
        """The agent's index, up to date, for this block alone. None: the stores cannot tell what changed, or it is too large.

        ``tags``: an index that holds the memories with one of them only. Raises StoreError.
        """
        name = (agent, tags)
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = KeptIndex(agent, self._dimension, tags)
        self._kept.move_to_end(name)
        async with kept.lock:
            try:
                await kept.refresh(self._memories, self._vectors, self._chain.view, self._capacity)
            except UntoldError:
                self._drop(name)
                yield None
                return
            finally:
                self._settle(name, kept)
            if kept.too_large:
                metrics.INDEX_TOO_LARGE.inc()
            yield None if kept.too_large else kept.index

    def drop(self, agent: bytes) -> None:
        """Forgets all that is held of the agent."""
        for name in [name for name in self._kept if name[0] == agent]:
            self._drop(name)

    def drop_all(self) -> None:
        """Forgets all that is held."""
        for name in list(self._kept):
            self._drop(name)

    def _drop(self, name: _Name) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._bytes -= kept.charged
            kept.charged = 0

    def _settle(self, name: _Name, kept: KeptIndex) -> None:
        """Accounts for the index and evicts others until all fit. One that was evicted while in use is gone after its use."""
        if self._kept.get(name) is not kept:
            return
        size = kept.nbytes
        self._bytes += size - kept.charged
        kept.charged = size
        while self._bytes > self._capacity and self._kept:
            oldest = next(iter(self._kept))
            metrics.INDEX_EVICTIONS.inc()
            self._drop(oldest)
