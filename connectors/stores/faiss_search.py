"""PooledSearch in one faiss index over many agents, in memory; made from a vector store, which stays the truth.

Needs the extra ``search``, and a store that tells what changed. Exact inner products, in faiss's own threads and instructions.
Invariants: before each search the rows of the agents asked of are those of the store; a search looks at their rows alone, by a
selector, whatever else the index holds; at most ``capacity`` vectors are held: the agents asked of longest ago leave first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import faiss
import numpy as np
from numpy.typing import NDArray

from connectors.stores.vectors import check_query
from streams.errors import ConfigurationError
from streams.ports.stores import Hit, VectorRow, VectorStore, Version

PAGE = 4_096
CAPACITY = 1_000_000

Floats = NDArray[np.float32]


@dataclass(slots=True)
class _Agent:
    """``numbers``: of each memory's row in the index."""

    version: Version | None = None
    numbers: dict[bytes, int] = field(default_factory=dict)


class FaissSearch:
    """``capacity``: most vectors held; agents that have more together cannot be asked at once."""

    def __init__(self, store: VectorStore, dimension: int, capacity: int = CAPACITY) -> None:
        self._store = store
        self._dimension = dimension
        self._capacity = capacity
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
        self._agents: OrderedDict[bytes, _Agent] = OrderedDict()
        self._names: dict[int, tuple[bytes, bytes]] = {}
        self._next = 0
        self._lock = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._names)

    async def nearest(self, agents: Set[bytes], vector: Floats, limit: int) -> list[Hit]:
        """See PooledSearch. Raises ConfigurationError (the store cannot tell what changed; no room), StoreError."""
        query = check_query(vector, self._dimension)
        async with self._lock:
            for agent in sorted(agents):
                await self._follow(agent)
            self._make_room(agents)
            return await asyncio.to_thread(self._search, agents, query, limit)

    def forget(self, agent: bytes) -> None:
        """Takes out all that is held of the agent."""
        held = self._agents.pop(agent, None)
        if held is not None:
            self._remove(list(held.numbers.values()))

    def _search(self, agents: Set[bytes], query: Floats, limit: int) -> list[Hit]:
        numbers = [number for agent in agents for number in self._agents[agent].numbers.values()]
        if not numbers or limit <= 0:
            return []
        only = faiss.SearchParameters(sel=faiss.IDSelectorBatch(np.array(numbers, np.int64)))  # type: ignore[call-arg]
        scores, found = self._index.search(query[None, :], min(limit, len(numbers)), params=only)
        pairs = [
            (self._names[int(number)], float(score)) for number, score in zip(found[0], scores[0], strict=True) if number >= 0
        ]
        hits = [Hit(agent, memory_id, score) for (agent, memory_id), score in pairs]
        return sorted(hits, key=lambda hit: (-hit.score, hit.agent, hit.memory_id))

    async def _follow(self, agent: bytes) -> None:
        held = self._agents.setdefault(agent, _Agent())
        self._agents.move_to_end(agent)
        while (await self._store.version(agent)) != held.version or held.version is None:
            page = await self._store.changes(agent, held.version, PAGE)
            if page is None:
                raise ConfigurationError(
                    "this vector store cannot tell what changed", "Search across agents in the store itself."
                )
            if page.start_over:
                self._remove(list(held.numbers.values()))
                held.numbers.clear()
            rows = await self._store.find([(agent, memory_id) for memory_id in page.ids])
            self._take(agent, held, page.ids, rows)
            held.version = page.version

    def _take(self, agent: bytes, held: _Agent, ids: Sequence[bytes], rows: Sequence[VectorRow | None]) -> None:
        self._remove([number for memory_id in ids if (number := held.numbers.pop(memory_id, None)) is not None])
        there = [(memory_id, row.vector) for memory_id, row in zip(ids, rows, strict=True) if row is not None]
        if there:
            numbers = np.arange(self._next, self._next + len(there), dtype=np.int64)
            self._next += len(there)
            self._index.add_with_ids(np.stack([vector for _, vector in there]).astype(np.float32), numbers)
            for (memory_id, _), number in zip(there, numbers.tolist(), strict=True):
                held.numbers[memory_id] = number
                self._names[number] = (agent, memory_id)

    def _remove(self, numbers: list[int]) -> None:
        if numbers:
            self._index.remove_ids(faiss.IDSelectorBatch(np.array(numbers, np.int64)))
            for number in numbers:
                del self._names[number]

    def _make_room(self, asked: Set[bytes]) -> None:
        for agent in [agent for agent in self._agents if agent not in asked]:
            if len(self._names) <= self._capacity:
                return
            self.forget(agent)
        if len(self._names) > self._capacity:
            count = len(self._names)
            for agent in asked:
                self.forget(agent)
            raise ConfigurationError(
                f"{count} vectors are more than the {self._capacity} this index may hold", "Use a Milvus server."
            )
