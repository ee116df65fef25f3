"""Writes to chain.blocks and memory.roots as the producer and the lattice agent do: in transactions, signed."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.codec import codec
from schemas.records import AgentAccess
from streams.agents.access import Authority, published
from streams.core.block import ZERO_HASH, BlockRef
from streams.core.canonical import ChainStep
from streams.core.chain import LiveBlock
from streams.core.checkpoint import TIP, Checkpoint
from streams.serving.roots import Root
from streams.settings import KafkaSettings
from streams.signing import Signer
from streams.topics import ACCESS, BLOCKS, CHECKPOINTS, ROOTS, TRANSACTIONS, physical
from tests.final_logs import key_of
from tests.steps import notification

SIGNER = Signer(b"\x05" * 32)


class LogWriter:
    """Each method returns when read_committed readers can see what it wrote, which is later than the commit's answer."""

    def __init__(self, kafka: KafkaSettings, producer: AIOKafkaProducer, looker: AIOKafkaConsumer) -> None:
        self._producer = producer
        self._looker = looker
        self._blocks = physical(kafka.prefix, BLOCKS)
        self._roots = physical(kafka.prefix, ROOTS)
        self._access = physical(kafka.prefix, ACCESS)
        self._checkpoints = physical(kafka.prefix, CHECKPOINTS)

    def signed(self, step: ChainStep) -> bytes:
        return codec().encode("BlockNotification", SIGNER.sign("BlockNotification", notification(step)))

    async def steps(self, *steps: ChainStep) -> None:
        await self.raw(*(self.signed(step) for step in steps))

    async def raw(self, *values: bytes) -> None:
        async with self._producer.transaction():
            for value in values:
                written = await self._producer.send_and_wait(self._blocks, value, key=b"\0" * 8, partition=0)
        await self._visible(written)

    async def aborted(self, step: ChainStep) -> None:
        await self._producer.begin_transaction()
        await self._producer.send_and_wait(self._blocks, self.signed(step), partition=0)
        await self._producer.abort_transaction()

    @asynccontextmanager
    async def open_transaction(self, step: ChainStep) -> AsyncIterator[None]:
        """The step is in the log, not committed, until the block ends."""
        async with self._producer.transaction():
            written = await self._producer.send_and_wait(self._blocks, self.signed(step), partition=0)
            yield
        await self._visible(written)

    async def root(self, agent: bytes, root: Root | None) -> None:
        record: dict[str, Any] | None = root and {
            "agent": agent,
            "count": root.count,
            "lattice": bytes(2048),
            "checksum": root.checksum,
            "merkle_root": root.merkle_root,
            "block": root.block.record() if root.block else None,
        }
        async with self._producer.transaction():
            value = record and codec().encode("LatticeRoot", record)
            written = await self._producer.send_and_wait(self._roots, value, key=agent)
        await self._visible(written)

    async def access(self, row: AgentAccess) -> None:
        """Keys and grants as a trusted memory agent says them."""
        value = published(Authority(signer=SIGNER), row).value
        async with self._producer.transaction():
            written = await self._producer.send_and_wait(
                self._access, codec().encode("AgentAccess", value or {}), key=row["agent"]
            )
        await self._visible(written)

    async def tips(self, partition: int, offsets: Mapping[str, int], at: BlockRef) -> None:
        """The memory and the embedding agent of a partition stand there."""
        live = LiveBlock(at, 0, 0, 0, 0, ZERO_HASH)
        tips = [Checkpoint(name, partition, TIP, TRANSACTIONS, live, offsets) for name in ("memory", "embedding")]
        async with self._producer.transaction():
            for tip in tips:
                value = codec().encode("Checkpoint", tip.record())
                written = await self._producer.send_and_wait(self._checkpoints, value, key=tip.key, partition=partition)
        await self._visible(written)

    async def entries(self, records: Sequence[dict[str, Any]]) -> None:
        """LatticeLog records, each in the partition it speaks of."""
        async with self._producer.transaction():
            for record in records:
                value = codec().encode("LatticeLog", record)
                written = await self._producer.send_and_wait(
                    self._roots, value, key=key_of(record), partition=record["partition"]
                )
        await self._visible(written)

    async def _visible(self, written: Any) -> None:
        place = TopicPartition(written.topic, written.partition)
        async with asyncio.timeout(20):
            while (await self._looker.end_offsets([place]))[place] <= written.offset:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def log_writer(kafka: KafkaSettings) -> AsyncIterator[LogWriter]:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=f"test-{uuid.uuid4().hex}", transaction_timeout_ms=30_000
    )
    looker = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, isolation_level="read_committed")
    await producer.start()
    await looker.start()
    try:
        yield LogWriter(kafka, producer, looker)
    finally:
        await looker.stop()
        await producer.stop()


async def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until it holds; fails if it does not."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
