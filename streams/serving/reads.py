"""Reads of memories that are true for one point of the chain.

Invariant: each answer is filtered by the chain view after the last wait, so it holds no row of a block the log had undone
when the request came, or that the view learned of meanwhile; nor does such a row end or hide another memory.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from schemas.records import Memory
from streams.core.block import BlockRef
from streams.core.ids import eviction_cause
from streams.core.moment import Moment
from streams.core.presence import Fact
from streams.core.session import in_zone
from streams.core.validity import Validity
from streams.ports.stores import Concern, Counts, MemoryFilter, MemoryStore, StoredMemory
from streams.serving import metrics
from streams.serving.chain import ChainReader
from streams.serving.faults import BadRequestError, ConflictError
from streams.serving.wire import AsOf, Block

PAGE, WALKED = 1_000, 32_000
"""Memories read at a time, and at most, to find the oldest: an agent keeps no more than a part of that."""
SPARE = 16
ROUNDS = 8


class Shown(NamedTuple):
    """A memory a read shows, and from when to when it is true."""

    memory: Memory
    validity: Validity


def present() -> Moment:
    """All that is known, as true now."""
    return Moment(int(time.time()))


class MemoryReads:
    """Live memories of one agent at a time, through the store port."""

    def __init__(self, chain: ChainReader, store: MemoryStore) -> None:
        self.chain = chain
        self._store = store

    def as_of(self, when: Moment | None = None) -> AsOf:
        """The point the view stands at, and what a read of that moment was limited to."""
        view = self.chain.view
        if when is None:
            return AsOf(sequence=view.sequence, head=Block.of(view.head))
        return AsOf(
            sequence=view.sequence,
            head=Block.of(view.head),
            known_block=when.known_block,
            known_time=when.known_time,
            valid_at=when.valid_at,
        )

    async def rows(self, agent: bytes, ids: Sequence[bytes]) -> list[StoredMemory | None]:
        """Rows as the store holds them; pass each through ``live`` after the last wait. No barrier."""
        return await self._store.get(agent, ids)

    async def bearing(self, agent: bytes, memories: Collection[Memory], when: Moment) -> list[StoredMemory]:
        """Rows that may end ``memories``; pass them to ``shown`` after the last wait. No barrier."""
        if not memories:
            return []
        return await self._store.concerning(agent, [Concern.of(memory) for memory in memories], self._counts(when))

    async def candidates(self, agent: bytes, ids: Sequence[bytes], when: Moment) -> list[StoredMemory | None]:
        """Rows of memories that a search of ``when`` may show, else None. The chain may move on: see ``rows``. No barrier."""
        rows = await self._store.get(agent, ids)
        memories = [memory for row in rows if (memory := self.live(row)) and memory["form"] == "MEMORY" and not in_zone(memory)]
        bearing = await self.bearing(agent, memories, when)
        shown = {memory["id"] for memory, _ in self.shown(memories, bearing, when)}
        return [row if row is not None and memory_id in shown else None for memory_id, row in zip(ids, rows, strict=True)]

    def live(self, row: StoredMemory | None) -> Memory | None:
        """The memory, if it is live in the view as it stands now."""
        if row is None or row.memory is None:
            return None
        if self.chain.view.live(row.presence):
            return row.memory
        metrics.DROPPED.inc()
        return None

    def shown(self, memories: Sequence[Memory], bearing: Sequence[StoredMemory], when: Moment) -> list[Shown]:
        """Those of ``memories``, live as they must be, that a read of ``when`` shows, in their order."""
        others = [row.memory for row in bearing if row.memory is not None and self._stands(row)]
        validity = when.shown(memories, others)
        return [Shown(memory, validity[memory["id"]]) for memory in memories if memory["id"] in validity]

    async def get(self, agent: bytes, memory_id: bytes, when: Moment | None = None) -> Shown | None:
        """One live memory or amendment, or None. What lies in an open session is listed there, and is nowhere else."""
        when = when or present()
        await self.chain.barrier()
        for _ in range(ROUNDS):
            stood = self.chain.view.sequence
            row = (await self._store.get(agent, [memory_id]))[0]
            bearing = await self.bearing(agent, [row.memory] if row and row.memory else [], when)
            if self.chain.view.sequence == stood:
                break
        memory = self.live(row)
        found = self.shown([memory], bearing, when) if memory and not in_zone(memory) else []
        return found[0] if found else None

    async def listed(self, agent: bytes, wanted: MemoryFilter, when: Moment) -> list[Shown]:
        """``list`` for who has passed the barrier."""
        limit = wanted.limit + SPARE
        # The view, exact near the tip, may drop rows that passed the store's own filter; more are asked for in their place.
        # So are they where the chain moved on while the store was asked, and for those that are not true at that moment.
        for _ in range(ROUNDS):
            stood = self.chain.view.sequence
            found = await self._store.query(agent, replace(wanted, limit=limit), self.chain.view.canonical)
            bearing = await self.bearing(agent, found, when)
            held = await self._standing(agent, found)
            shown = self.shown(held, bearing, when)
            if self.chain.view.sequence != stood:
                continue
            if len(shown) >= wanted.limit or len(found) < limit:
                break
            limit *= 4
        metrics.DROPPED.inc(len(found) - len(held))
        return shown[: wanted.limit]

    async def oldest(self, agent: bytes, wanted: MemoryFilter, when: Moment) -> list[Shown]:
        """The first ``limit`` of all that match, oldest first. Raises BadRequestError where too many match."""
        await self.chain.barrier()
        for _ in range(ROUNDS):
            stood = self.chain.view.sequence
            found = await self._walked_back(agent, wanted, when)
            if self.chain.view.sequence == stood:
                return found
        raise ConflictError("the chain moved on each time the memories were walked over", "Ask again in a moment.")

    async def _walked_back(self, agent: bytes, wanted: MemoryFilter, when: Moment) -> list[Shown]:
        last: deque[Shown] = deque(maxlen=wanted.limit)
        after = wanted.after
        for _ in range(WALKED // PAGE):
            page = await self.listed(agent, replace(wanted, limit=PAGE, after=after), when)
            last.extend(page)
            if len(page) < PAGE:
                return list(reversed(last))
            after = (page[-1].memory["timestamp"], page[-1].memory["id"])
        raise BadRequestError(f"more than {WALKED} memories match", "Narrow the time they are from, or ask for the newest.")

    async def list(self, agent: bytes, wanted: MemoryFilter, when: Moment | None = None) -> list[Shown]:
        """Live memories that match, newest first."""
        await self.chain.barrier()
        return await self.listed(agent, wanted, when or present())

    async def _standing(self, agent: bytes, found: Sequence[Memory]) -> Sequence[Memory]:
        """Those whose block is canonical, or that stand on something else: an import is no matter of the chain."""
        doubtful = [memory["id"] for memory in found if not self._held(memory)]
        if not doubtful:
            return found
        rows = await self._store.get(agent, doubtful)
        gone = {memory_id for memory_id, row in zip(doubtful, rows, strict=True) if self.live(row) is None}
        return [memory for memory in found if memory["id"] not in gone]

    def _counts(self, when: Moment) -> Counts:
        return lambda row: row.memory is not None and when.knows(row.memory) and self._stands(row)

    def _stands(self, row: StoredMemory) -> bool:
        """Whether what the memory says of others counts: also of one that was evicted, so that what it ended stays ended."""
        if row.memory is None:
            return False
        evicted = Fact(eviction_cause(row.memory["agent"], row.memory["id"]))
        return self.chain.view.live(row.presence.without(evicted))

    def _held(self, memory: Memory) -> bool:
        if memory["block"] is None:
            return True
        block = BlockRef.of(memory["block"])
        return self.chain.view.holds(block.number, block.hash)
