"""What the store holds of the chain up to one block, digested once, so that a partner can find differences in few questions.

Assumes that all memory agents have taken in the block. Invariants: a snapshot is of a block that was part of the chain from the
beginning of the scan to its end; at most ``HELD`` are held, none longer than ``LIFE`` seconds since it was last asked, and one
is made at a time.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from streams.core.block import BlockRef
from streams.core.sync.blocks import BlockChain, BlockSums
from streams.core.sync.digests import UNREADABLE, ChainFact, agent_digest, chain_facts
from streams.core.sync.tree import AgentTree
from streams.errors import MonmouthError
from streams.ports.stores import MemoryStore
from streams.serving.chain import ChainReader
from streams.serving.faults import ConflictError, NotFoundError, RateLimitedError
from streams.stored_ids import UnsettledError, stored_ids

HELD = 2
LIFE = 300.0
PAGE = 1_000


@dataclass(slots=True)
class Snapshot:
    """``tree`` and ``blocks`` are there once it is ready; ``fault`` if it never will be."""

    id: str
    block: BlockRef
    agents: int = 0
    tree: AgentTree | None = None
    blocks: BlockChain | None = None
    shift: int = 0
    fault: MonmouthError | None = None
    asked: float = 0.0
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        return self.tree is not None


def again(fault: MonmouthError) -> MonmouthError:
    """The same, for one more who asks: an error that is raised gathers a trace of its own, and keeps what it led through."""
    told = type(fault).__new__(type(fault))
    told.args = fault.args
    told.__dict__.update(fault.__dict__)
    return told


class StoreFacts:
    """Facts of blocks that lie in the store, agent by agent."""

    def __init__(self, store: MemoryStore, chain: ChainReader) -> None:
        self._store = store
        self._chain = chain

    def agents(self) -> AsyncIterator[bytes]:
        """Every agent with a row."""
        return self._store.agents()

    async def of(self, agent: bytes, height: int, after: bytes | None = None, most: int | None = None) -> list[ChainFact]:
        """Facts of blocks of the chain up to ``height``, by memory id. Raises StoreError and what opening a row raises.

        ``after``: of memories behind this id alone; ``most``: no more rows are opened once so many memories have facts.
        """
        found: list[ChainFact] = []
        memories = 0
        try:
            ids = await stored_ids(self._store, agent, self._chain.view.canonical)
        except UnsettledError as error:
            raise ConflictError(error.message, "Compare again.") from None
        ids = ids if after is None else ids[bisect_right(ids, after) :]
        size = PAGE if most is None else min(PAGE, most)
        for start in range(0, len(ids), size):
            part = ids[start : start + size]
            for memory_id, row in zip(part, await self._store.get(agent, part), strict=True):
                if row is not None and (facts := chain_facts(agent, memory_id, row.memory, row.presence, self._stands(height))):
                    found += facts
                    memories += 1
            if most is not None and memories >= most:
                break
        return sorted(found)

    def _stands(self, height: int) -> Callable[[int, bytes], bool]:
        view = self._chain.view
        return lambda number, block_hash: number <= height and view.holds(number, block_hash)


class Snapshots:
    """Those of one gateway."""

    def __init__(self, facts: StoreFacts, chain: ChainReader, clock: Callable[[], float] = time.monotonic) -> None:
        self._facts = facts
        self._chain = chain
        self._clock = clock
        self._held: OrderedDict[str, Snapshot] = OrderedDict()

    def open(self, block: BlockRef) -> Snapshot:
        """Begins a new one. Raises RateLimitedError while another is being made."""
        self._expire()
        if any(not (other.ready or other.fault) for other in self._held.values()):
            raise RateLimitedError("a snapshot is being made", "Ask again when it is ready.", retry_after=2)
        snapshot = Snapshot(secrets.token_hex(8), block, asked=self._clock())
        self._held[snapshot.id] = snapshot
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        snapshot.task = asyncio.create_task(self._make(snapshot), name="sync snapshot")
        return snapshot

    def get(self, name: str) -> Snapshot:
        """One that is held. Raises NotFoundError, and what kept it from becoming ready."""
        self._expire()
        snapshot = self._held.get(name)
        if snapshot is None:
            raise NotFoundError("no such snapshot, or it was not asked for too long", "Compare again.")
        if snapshot.fault is not None:
            raise again(snapshot.fault)
        snapshot.asked = self._clock()
        return snapshot

    async def close(self) -> None:
        """Ends what is being made."""
        tasks = [snapshot.task for snapshot in self._held.values() if snapshot.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()

    def _expire(self) -> None:
        now = self._clock()
        for name in [name for name, one in self._held.items() if (one.ready or one.fault) and now - one.asked > LIFE]:
            del self._held[name]

    async def _make(self, snapshot: Snapshot) -> None:
        try:
            await self._scan(snapshot)
        except MonmouthError as error:
            snapshot.fault = error
        except Exception as error:  # a defect: say so to whoever asks rather than be building for ever
            snapshot.fault = MonmouthError(f"the snapshot broke: {type(error).__name__}", "See the gateway's log.")
            raise

    async def _scan(self, snapshot: Snapshot) -> None:
        height = snapshot.block.number
        sums, digests = BlockSums(height), list[tuple[bytes, bytes]]()
        rewrites = self._chain.view.rewrites
        async for agent in self._facts.agents():
            try:
                facts = await self._facts.of(agent, height)
            except ConflictError:
                raise
            except MonmouthError:
                digests.append((agent, UNREADABLE))
                continue
            if facts:
                digests.append((agent, agent_digest(agent, (fact.element for fact in facts))))
            for fact in facts:
                sums.add(fact.number, fact.element)
            snapshot.agents += 1
        tree, blocks = await asyncio.to_thread(lambda: (AgentTree(digests), sums.chain()))
        view = self._chain.view
        if view.rewrites != rewrites or not view.holds(height, snapshot.block.hash):
            raise ConflictError(f"block {snapshot.block} left the chain while the store was read", "Compare again.")
        snapshot.tree, snapshot.blocks, snapshot.shift = tree, blocks, sums.shift
