"""``streams.producer.log.ChainLog`` on the simulated broker, for one producer process.

As the one on Kafka: one transactional id per chain, the position read back after it was taken over, refusal to go on if another
producer wrote since.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.codec import codec
from schemas.records import BlockNotification
from streams.core.block import BlockRef
from streams.core.forkview import ForkView
from streams.errors import FencedError
from streams.ports.log import LogError, TopicPartition
from streams.producer.kafka_log import LogUnavailableError
from streams.producer.log import Position, Staged, UncertainWriteError
from streams.producer.resume import replay
from streams.topics import BLOCKS, TRANSACTIONS
from tests.sim.client import SimCluster, SimProducer, SimReader
from tests.sim.process import Process

KEY = bytes(8)


class SimChainLog:
    """``keep``: notifications read back at a start."""

    def __init__(self, cluster: SimCluster, process: Process, keep: int) -> None:
        self._cluster = cluster
        self._process = process
        self._keep = keep
        self._reader = SimReader(cluster, process)
        self._producer: SimProducer | None = None
        self._written: tuple[int, ...] | None = None

    async def open(self) -> Position:
        try:
            if self._written is not None:
                self._refuse_if_overtaken(await self._read(self._keep))
            self._producer = SimProducer(self._cluster, self._process, "producer", "producer")
            await self._producer.start()
            return await self._position()
        except LogError as error:
            raise LogUnavailableError(error.message) from None

    async def _position(self) -> Position:
        count = self._keep
        while True:
            found = await self._read(count)
            view, sequence = replay(found)
            self._written = (sequence,)
            if not found:
                return Position()
            whole = found[0]["sequence"] == 0
            if whole or (view.final is not None and view.blocks and view.final.number >= view.blocks[0].number):
                return Position(view, sequence, BlockRef.of((await self._all())[0]["block"]))
            count *= 2

    def _refuse_if_overtaken(self, found: list[BlockNotification]) -> None:
        assert self._written is not None
        sequence = found[-1]["sequence"] + 1 if found else 0
        if sequence not in self._written:
            raise FencedError(f"the log is at {sequence}, this producer at {self._written}")

    async def older(self, known: ForkView) -> ForkView:
        count = 2 * max(self._keep, len(known.blocks))
        while True:
            try:
                found = await self._read(count)
            except LogError as error:
                raise LogUnavailableError(error.message) from None
            self._refuse_if_overtaken(found)
            view, _ = replay(found)
            if not view.blocks or found[0]["sequence"] == 0 or view.blocks[0].number < known.blocks[0].number:
                return view
            count *= 2

    async def _read(self, count: int) -> list[BlockNotification]:
        return (await self._all())[-count:]

    async def _all(self) -> list[BlockNotification]:
        target = TopicPartition(BLOCKS, 0)
        _, stop = (await self._reader.bounds([target]))[target]
        records = []
        async for batch in self._reader.read_range(target, 0, stop):
            records += [codec().decode(message.value)[1] for message in batch]
        return records

    async def append(self, staged: Sequence[Staged]) -> None:
        assert self._producer is not None
        assert self._written is not None
        before = self._written[-1]
        self._written = (before, before + len(staged))
        outputs: dict[TopicPartition, list[tuple[bytes | None, bytes]]] = {}
        for one in staged:
            for number, part in enumerate(one.partitions):
                outputs.setdefault(TopicPartition(TRANSACTIONS, number), []).extend(part)
            outputs.setdefault(TopicPartition(BLOCKS, 0), []).append((KEY, one.notification))
        try:
            await self._producer.begin()
            await self._producer.send(outputs)
            await self._producer.commit()
        except LogError as error:
            raise UncertainWriteError(error.message) from None
        self._written = (before + len(staged),)

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.close()
