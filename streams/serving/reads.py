"""Reads of memories that are true for one point of the chain.

Invariant: each answer is filtered by the chain view after the last wait, so it holds no row of a block the log had undone
when the request came, or that the view learned of meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.records import Memory
from streams.core.block import BlockRef
from streams.ports.stores import MemoryFilter, MemoryStore, StoredMemory
from streams.serving import metrics
from streams.serving.chain import ChainReader
from streams.serving.wire import AsOf, Block

SPARE = 16
ROUNDS = 8


class MemoryReads:
    """Live memories of one agent at a time, through the store port."""

    def __init__(self, chain: ChainReader, store: MemoryStore) -> None:
        self.chain = chain
        self._store = store

    def as_of(self) -> AsOf:
        """The point the view stands at."""
        return AsOf(sequence=self.chain.view.sequence, head=Block.of(self.chain.view.head))

    async def rows(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        """Rows as the store holds them; pass each through ``live`` after the last wait. No barrier."""
        return await self._store.get(agent, ids)

    def live(self, row: StoredMemory | None) -> Memory | None:
        """The memory, if it is live in the view as it stands now."""
        if row is None or row.memory is None:
            return None
        if self.chain.view.live(row.presence):
            return row.memory
        metrics.DROPPED.inc()
        return None

    async def get(self, agent: bytes, memory_id: bytes) -> Memory | None:
        """One live memory, or None."""
        await self.chain.barrier()
        rows = await self._store.get(agent, [memory_id])
        return self.live(rows[0])

    async def list(self, agent: bytes, wanted: MemoryFilter) -> list[Memory]:
        """Live memories that match, newest first."""
        await self.chain.barrier()
        limit = wanted.limit + SPARE
        # The view, exact near the tip, may drop rows that passed the store's own filter; more are asked for in their place.
        # So are they where the chain moved on while the store was asked.
        for _ in range(ROUNDS):
            stood = self.chain.view.sequence
            found = await self._store.query(agent, replace(wanted, limit=limit), self.chain.view.canonical)
            held = [memory for memory in found if self._held(memory)]
            if self.chain.view.sequence != stood:
                continue
            if len(held) >= wanted.limit or len(found) < limit:
                break
            limit *= 4
        metrics.DROPPED.inc(len(found) - len(held))
        return held[: wanted.limit]

    def _held(self, memory: Memory) -> bool:
        if memory["block"] is None:
            return True
        block = BlockRef.of(memory["block"])
        return self.chain.view.holds(block.number, block.hash)
