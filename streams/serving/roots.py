"""The newest lattice root of every agent, and the logs of final states, from the compacted topic memory.roots.

Invariant: a root is the last record of its key in the log as far as it has been read; ``fresh`` reads to the end first.
Memory: the 2 KiB lattice state is not kept, only its checksum, as one packed row of 164 bytes an agent (`perf.million` measures
it), and older roots within the bounds of ``root_history``.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Any, Protocol

from schemas.codec import SchemaError, codec
from streams.core.block import BlockRef, optional_ref
from streams.core.packed import PackedTable
from streams.serving import metrics
from streams.serving.addresses import to_hex
from streams.serving.final_logs import FinalLogs
from streams.serving.root_history import RootHistory, Seen
from streams.serving.tail import TopicTail, each
from streams.serving.wire import Block, RootView
from streams.settings import KafkaSettings
from streams.topics import ROOTS

_ROOT = Struct(">Q32s32sq32s32s")
WIDTH = _ROOT.size
AGENT = 20
NOTHING = bytes(32)


@dataclass(frozen=True, slots=True)
class Root:
    """What memory.roots says of one agent. ``block``: newest block applied when it was written."""

    agent: bytes
    count: int
    checksum: bytes
    merkle_root: bytes
    block: BlockRef | None

    def packed(self) -> bytes:
        """All but the agent, in ``WIDTH`` bytes."""
        block = self.block
        number, block_hash, parent = (-1, NOTHING, NOTHING) if block is None else (block.number, block.hash, block.parent)
        return _ROOT.pack(self.count, self.checksum, self.merkle_root, number, block_hash, parent)

    @classmethod
    def of(cls, agent: bytes, wire: bytes) -> Root:
        """The inverse of ``packed``."""
        count, checksum, merkle_root, number, block_hash, parent = _ROOT.unpack(wire)
        return cls(agent, count, checksum, merkle_root, None if number < 0 else BlockRef(number, block_hash, parent))

    def view(self) -> RootView:
        """The answer's form."""
        return RootView(
            agent=to_hex(self.agent),
            count=self.count,
            checksum=to_hex(self.checksum),
            merkle_root=to_hex(self.merkle_root),
            block=Block.of(self.block),
        )


class RootTable(Protocol):
    """Roots by agent."""

    async def fresh(self, agent: bytes) -> Root | None:
        """The root as of everything committed before the call; None if the agent has none."""

    async def history(self, agent: bytes) -> list[Seen[Root]]:
        """The roots it had, oldest first, as far as they are known; the last is the one that ``fresh`` gives."""


class RootTail:
    """A RootTable, and the LogTable beside it, on Kafka."""

    def __init__(self, settings: KafkaSettings, timeout: float) -> None:
        """``timeout``: seconds that ``fresh`` may wait."""
        self._fold = each(settings, ROOTS, self._read)
        self.tail = TopicTail(settings, ROOTS, self._fold)
        self._timeout = timeout
        self._roots = PackedTable(AGENT, WIDTH)
        self._logs = FinalLogs()
        self._history: RootHistory[Root] = RootHistory()
        self._active = 0
        metrics.ROOTS_HELD.set_function(lambda: len(self._roots))
        metrics.AGENTS_ACTIVE.set_function(lambda: self._active)

    def start(self) -> None:
        """Begins to follow the topic."""
        self.tail.start()

    async def stop(self) -> None:
        """Stops following."""
        await self.tail.stop()

    async def fresh(self, agent: bytes) -> Root | None:
        await self.tail.barrier(self._timeout)
        wire = self._roots.get(agent)
        return None if wire is None else Root.of(agent, wire)

    async def history(self, agent: bytes) -> list[Seen[Root]]:
        root = await self.fresh(agent)
        seen = self._history.of(agent)
        if not seen and root is not None:  # others changed since, so that all of it left the history
            return [Seen(root, live=False)]
        return seen

    async def fresh_logs(self) -> FinalLogs:
        await self.tail.barrier(self._timeout)
        return self._logs

    def _read(self, record: Any) -> None:
        self._take(record.partition, record.key, record.value)

    def _take(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        if key is None:
            raise SchemaError("a root without a key")
        if value is not None and codec().name_of(value) == "LatticeLog":
            self._logs.take(partition, codec().decode(value)[1])
            return
        root = None if value is None else _decoded(key, value)
        height = None if root is None or root.block is None else root.block.number
        self._history.add(key, root, live=not self.tail.complaint, height=height)
        before = self._roots.get(key)
        self._active -= before is not None and Root.of(key, before).count > 0
        if root is not None:
            self._roots.set(key, root.packed())
            self._active += root.count > 0
        elif before is not None:
            self._roots.pop(key)


def _decoded(key: bytes, value: bytes) -> Root:
    name, record = codec().decode(value)
    if name != "LatticeRoot" or record["agent"] != key or len(key) != AGENT:
        raise SchemaError(f"a {name} that is not this key's root")
    return Root(key, record["count"], record["checksum"], record["merkle_root"], optional_ref(record["block"]))
