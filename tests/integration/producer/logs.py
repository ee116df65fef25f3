"""Reading the topics of a test back."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import codec
from streams.core.block import Step
from streams.core.marker import Marker, block_digest
from streams.producer.records import Stager
from streams.settings import Settings
from streams.signing import Signer, Verifier, load_or_create_signer, load_verifier
from streams.topics import BLOCKS, TRANSACTIONS, physical

Records = dict[int, list[tuple[bytes | None, bytes]]]


async def read(settings: Settings, topic: str) -> Records:
    """(key, value) of every committed record, by partition."""
    name = physical(settings.kafka.prefix, topic)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        count = 1 if topic == BLOCKS else settings.kafka.partitions
        partitions = [TopicPartition(name, number) for number in range(count)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: Records = {number: [] for number in range(count)}
        async with asyncio.timeout(30):
            for partition in partitions:
                while await consumer.position(partition) < ends[partition]:
                    for records in (await consumer.getmany(partition, timeout_ms=200)).values():
                        found[partition.partition] += [(record.key, record.value) for record in records]
        return found
    finally:
        await consumer.stop()


async def notifications(settings: Settings) -> list[dict[str, Any]]:
    return [codec().decode(value)[1] for _, value in (await read(settings, BLOCKS))[0]]


def canonical(records: list[dict[str, Any]]) -> list[bytes]:
    """Block hashes a reader of the log holds; an undo must name exactly the newest ones."""
    held: list[bytes] = []
    for record in records:
        if record["step"] == "NEW":
            held.append(record["block"]["hash"])
        elif record["step"] == "UNDO":
            for removed in record["removed"]:
                assert held.pop() == removed["hash"]
            assert held[-1] == record["ancestor"]["hash"]
    return held


def own_verifier(settings: Settings) -> Verifier:
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    return load_verifier(settings.path(settings.security.trusted_keys_file), signer)


def check_partition(settings: Settings, chain_id: int, number: int, records: list[tuple[bytes | None, bytes]]) -> None:
    """Marker by marker: sequence, signature, count, digest, and that keys belong to the partition."""
    verifier = own_verifier(settings)
    stager = Stager(chain_id, settings.kafka.partitions, Signer(bytes(32)))
    values: list[bytes] = []
    sequence = 0
    for key, value in records:
        name, record = codec().decode(value)
        if name == "ChainTransaction":
            assert key == record["agent"]
            assert stager.partition(key) == number
            values.append(value)
            continue
        verifier.verify("Marker", record)
        marker = Marker.of(record)
        assert (marker.sequence, marker.partition, marker.topic) == (sequence, number, TRANSACTIONS)
        if marker.step is Step.NEW:
            assert (marker.count, marker.digest) == (len(values), block_digest(values))
        else:
            assert not values
        values, sequence = [], sequence + 1
    assert not values
