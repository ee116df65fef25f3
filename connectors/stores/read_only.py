"""Shared stores as a standby sees them: it reads what is there, and leaves writing to the owner of the partition.

Assumes the owner writes before it commits, so that what a standby would write for committed work is there already.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.records import Memory, MemoryFact
from streams.ports.stores import (
    Canonical,
    Changes,
    Concern,
    Counts,
    Footing,
    Hit,
    MemoryFilter,
    MemoryStore,
    StoredMemory,
    VectorRow,
    VectorStore,
    Version,
)


class ReadOnlyVectorStore:
    """Implements ``streams.ports.stores.VectorStore`` on another one, which it does not own."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store

    @property
    def identity(self) -> bytes:
        return self._store.identity

    async def upsert(self, rows: Sequence[VectorRow]) -> None:
        """Nothing: the owner did."""

    async def delete(self, keys: Sequence[tuple[bytes, bytes]]) -> None:
        """Nothing: the owner did."""

    async def search(self, agent: bytes, vector: NDArray[np.float32], limit: int) -> list[Hit]:
        return await self._store.search(agent, vector, limit)

    async def get(self, agent: bytes, memory_id: bytes) -> NDArray[np.float32] | None:
        return await self._store.get(agent, memory_id)

    async def find(self, keys: Sequence[tuple[bytes, bytes]]) -> list[VectorRow | None]:
        return await self._store.find(keys)

    async def version(self, agent: bytes) -> Version | None:
        return await self._store.version(agent)

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        return await self._store.changes(agent, since, limit)

    async def claim(self, lane: bytes) -> ReadOnlyVectorStore:
        """The store itself: what never writes needs no claim."""
        return self

    async def close(self) -> None:
        """Nothing: the store behind it stays open."""


class ReadOnlyMemoryStore:
    """Implements ``streams.ports.stores.MemoryStore`` on another one, which it does not own."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    @property
    def identity(self) -> bytes:
        return self._store.identity

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        """Nothing: the owner did."""

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        """Nothing: the owner did."""

    async def get(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        return await self._store.get(agent, ids)

    async def query(self, agent: bytes, wanted: MemoryFilter, canonical: Canonical) -> list[Memory]:
        return await self._store.query(agent, wanted, canonical)

    async def live_ids(self, agent: bytes, canonical: Canonical) -> list[bytes]:
        return await self._store.live_ids(agent, canonical)

    async def concerning(self, agent: bytes, concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
        return await self._store.concerning(agent, concerns, counts)

    def agents(self) -> AsyncIterator[bytes]:
        return self._store.agents()

    async def version(self, agent: bytes) -> Version | None:
        return await self._store.version(agent)

    async def changes(self, agent: bytes, since: Version | None, limit: int) -> Changes | None:
        return await self._store.changes(agent, since, limit)

    async def footing(self, agent: bytes, since: int, now: int) -> Footing | None:
        return await self._store.footing(agent, since, now)

    async def claim(self, lane: bytes) -> ReadOnlyMemoryStore:
        """The store itself: what never writes needs no claim."""
        return self

    async def close(self) -> None:
        """Nothing: the store behind it stays open."""
