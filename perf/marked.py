"""A marked log of known content, made in memory and written to a real broker; and counting what is committed in a topic.

Blocks follow each other, each with its signed marker in every partition, as a block producer or a stream agent writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from blake3 import blake3

from infra.broker import LocalBroker
from perf.measure import ROOT
from schemas.codec import codec
from streams.core.block import ZERO_HASH, BlockRef, Step
from streams.core.ids import content_id
from streams.core.marker import Marker, block_digest
from streams.signing import Signer

CHAIN_ID = 1337
FINAL_EVERY = 10
KeyValue = tuple[bytes | None, bytes]
Row = tuple[bytes, bytes]
Fill = Callable[[BlockRef, int], Iterable[Row]]
"""(key, encoded record) of one block and partition."""


def agent_address(number: int) -> bytes:
    """The n-th agent."""
    return blake3(b"agent%d" % number).digest(length=20)


def next_ref(head: BlockRef | None, fork: int = 0) -> BlockRef:
    """The block that follows ``head``."""
    number, parent = (0, bytes(32)) if head is None else (head.number + 1, head.hash)
    return BlockRef(number, content_id("perf/block", number, parent, fork.to_bytes(4, "big")), parent)


def chain(topic: str, signer: Signer, partitions: int, blocks: int, fill: Fill) -> Iterator[list[list[KeyValue]]]:
    """``blocks`` blocks: per partition its records and marker, in log order; every ten of them become final."""
    head: BlockRef | None = None
    final: BlockRef | None = None
    sequence = 0
    for number in range(blocks):
        head = next_ref(head)
        rows = [list(fill(head, partition)) for partition in range(partitions)]
        yield [
            [*part, (None, _marker(signer, Step.NEW, sequence, topic, partition, head, final, part))]
            for partition, part in enumerate(rows)
        ]
        sequence += 1
        if number % FINAL_EVERY == FINAL_EVERY - 1:
            final = head
            yield [
                [(None, _marker(signer, Step.FINAL, sequence, topic, partition, head, final, []))]
                for partition in range(partitions)
            ]
            sequence += 1


def _marker(
    signer: Signer,
    step: Step,
    sequence: int,
    topic: str,
    partition: int,
    head: BlockRef,
    final: BlockRef | None,
    rows: Sequence[Row],
) -> bytes:
    new = step is Step.NEW
    digest = block_digest(value for _, value in rows) if new else ZERO_HASH
    time = 1_700_000_000 if new else 0
    marker = Marker(step, CHAIN_ID, sequence, topic, partition, head, head, final, time, len(rows), digest)
    return codec().encode("Marker", signer.sign("Marker", marker.record()))


def steps_of(blocks: int) -> int:
    """Markers of a partition that holds so many blocks."""
    return blocks + blocks // FINAL_EVERY


def local_broker(state: Path) -> LocalBroker:
    """A broker of its own for one benchmark."""
    return LocalBroker(state, port=0, jars=ROOT / ".monmouth" / "jars", record_startup=False)


async def create(bootstrap: str, partitions: int, *topics: str) -> None:
    """Makes topics, and waits until they are led."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        settings = {"max.message.bytes": str(16 << 20), "message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings) for topic in topics])
    finally:
        await admin.close()


async def write(
    bootstrap: str, topic: str, steps: Iterable[Sequence[Sequence[KeyValue]]], transaction: str | None = None
) -> None:
    """Appends the steps, in order per partition; all in one transaction of this id, if there is one."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=512 * 1024,
        transactional_id=transaction,
        transaction_timeout_ms=600_000,
    )
    await producer.start()
    try:
        if transaction is not None:
            await producer.begin_transaction()
        for step in steps:
            for partition, rows in enumerate(step):
                batch = producer.create_batch()
                for key, value in rows:
                    if batch.append(timestamp=None, key=key, value=value) is None:
                        await producer.send_batch(batch, topic, partition=partition)
                        batch = producer.create_batch()
                        batch.append(timestamp=None, key=key, value=value)
                await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
        if transaction is not None:
            await producer.commit_transaction()
    finally:
        await producer.stop()


async def committed(bootstrap: str, topic: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """All records a read_committed reader sees, partition by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()
        numbers = sorted((await consumer._client.fetch_all_metadata()).partitions_for_topic(topic) or ())
        sources = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(sources)
        ends = await consumer.end_offsets(sources)
        found: list[tuple[bytes | None, bytes | None]] = []
        for source in sources:
            consumer.seek(source, 0)
            while await consumer.position(source) < ends[source]:
                for messages in (await consumer.getmany(source, timeout_ms=500)).values():
                    found += [(message.key, message.value) for message in messages]
        return iter(found)
    finally:
        await consumer.stop()
