"""memory.log in memory, as the memory agent writes it, and what a gateway follows it with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.codec import codec
from schemas.records import MemoryFact
from streams.core.block import BlockRef, Step
from streams.core.marker import Marker
from streams.errors import MonmouthError
from streams.ports.log import TopicPartition
from streams.serving.feed.lane import SIZE
from streams.serving.feed.log import FeedLog, Fold
from streams.topics import MEMORY_LOG
from tests.chainlog import SIGNER, VERIFIER, partition_of
from tests.fakelog import FakeBroker


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class FakeTail:
    """Follows a FakeBroker's memory.log from its end."""

    def __init__(self, broker: FakeBroker, fold: Fold) -> None:
        self.starts: dict[int, int] = {}
        self.failure: MonmouthError | None = None
        self._broker = broker
        self._fold = fold
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.starts = dict(self._ends())
        self._task = asyncio.create_task(self._run(dict(self.starts)))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def end_offsets(self) -> Mapping[int, int]:
        if self.failure is not None:
            raise self.failure
        return self._ends()

    def _ends(self) -> dict[int, int]:
        return {n: self._broker.stable(TopicPartition(MEMORY_LOG, n)) for n in range(self._broker.partitions)}

    async def _run(self, positions: dict[int, int]) -> None:
        while True:
            changed = self._broker.changed
            for partition, end in self._ends().items():
                found = self._broker.visible(TopicPartition(MEMORY_LOG, partition), positions[partition], end)
                positions[partition] = end
                if found:
                    try:
                        await self._fold([Record(partition, e.offset, e.key, e.value) for e in found])
                    except MonmouthError as error:
                        self.failure = error
                        return
            await changed.wait()


class Facts:
    """Writes facts and markers into a FakeBroker, block by block; commands by themselves."""

    def __init__(self, partitions: int = 2) -> None:
        self.broker = FakeBroker(partitions)
        self.sequence = 0

    def feed(self, size: int = SIZE) -> FeedLog:
        """A gateway's way to this log."""
        return FeedLog(lambda fold: FakeTail(self.broker, fold), self.broker.reader, VERIFIER, size)

    def partition(self, agent: bytes) -> int:
        return partition_of(agent, self.broker.partitions)

    def command(self, *facts: MemoryFact) -> None:
        for fact in facts:
            self._append(self.partition(fact["owner"]), [(fact["owner"], codec().encode("MemoryFact", fact))])

    def block(self, ref: BlockRef, *facts: MemoryFact) -> None:
        """The facts of one block, each in its agent's partition, then the markers."""
        self.command(*facts)
        self._markers(Step.NEW, ref, ref)

    def undo(self, removed: Sequence[BlockRef], ancestor: BlockRef) -> None:
        self._markers(Step.UNDO, removed[0], ancestor, removed=tuple(removed), ancestor=ancestor)

    def final(self, ref: BlockRef, head: BlockRef) -> None:
        self._markers(Step.FINAL, ref, head, final=ref)

    def raw(self, partition: int, value: bytes | None) -> None:
        self._append(partition, [(None, value)])

    def marker(self, step: Step, partition: int, block: BlockRef, head: BlockRef, **more: Any) -> bytes:
        """A signed one."""
        marker = Marker(step, 1337, self.sequence, MEMORY_LOG, partition, block, head, **more)
        return codec().encode("Marker", SIGNER.sign("Marker", marker.record()))

    def _markers(self, step: Step, block: BlockRef, head: BlockRef, **more: Any) -> None:
        for partition in range(self.broker.partitions):
            self._append(partition, [(None, self.marker(step, partition, block, head, **more))])
        self.sequence += 1

    def _append(self, partition: int, records: list[tuple[bytes | None, bytes]] | list[tuple[None, bytes | None]]) -> None:
        self.broker.append(TopicPartition(MEMORY_LOG, partition), records)
