"""PooledSearch over any VectorStore: each agent searched by itself, the results merged.

Exact, and isolated as the store is: a hit that names an agent not asked of is dropped. Cost grows with the number of agents, of
which at most ABREAST are searched at a time; for many agents a server (Milvus, by one filter) or an index of its own is meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from streams.ports.stores import Hit, VectorStore

ABREAST = 8


class MergedSearch:
    """``store``: where the vectors are."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store

    async def nearest(self, agents: Set[bytes], vector: NDArray[np.float32], limit: int) -> list[Hit]:
        """See PooledSearch. Raises StoreError."""
        turn = asyncio.Semaphore(ABREAST)

        async def of(agent: bytes) -> list[Hit]:
            async with turn:
                return await self._store.search(agent, vector, limit)

        found = await asyncio.gather(*map(of, sorted(agents)))
        hits = [hit for part in found for hit in part if hit.agent in agents]
        return sorted(hits, key=lambda hit: (-hit.score, hit.agent, hit.memory_id))[:limit]
