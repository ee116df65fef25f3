"""What the pipeline wrote, read back from the topics by a reader of its own: read_committed, whole topics, markers checked."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import SchemaError, codec
from streams.cluster.arguments import client_arguments
from streams.core.block import BlockRef, Step
from streams.core.marker import Marker, block_digest
from streams.settings import KafkaSettings, Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.topics import physical

FETCH_BYTES = 16 * 1024 * 1024
SECONDS = 60


class Entry(NamedTuple):
    """One committed record."""

    offset: int
    key: bytes | None
    value: bytes | None


@dataclass
class Partition:
    """One partition of a marked topic, folded: ``blocks`` that stand with their values; ``outside``: values of no block."""

    blocks: list[tuple[BlockRef, list[bytes]]] = field(default_factory=list)
    outside: list[bytes] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    sequence: int = -1

    @property
    def values(self) -> list[bytes]:
        """Values of all records that stand."""
        return [value for _, values in self.blocks for value in values] + self.outside


async def read(kafka: KafkaSettings, topic: str) -> dict[int, list[Entry]]:
    """Every committed record of a topic, by partition."""
    name = physical(kafka.prefix, topic)
    consumer = AIOKafkaConsumer(
        **client_arguments(kafka),
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    try:
        cluster = await consumer._client.fetch_all_metadata()
        places = [TopicPartition(name, number) for number in sorted(cluster.partitions_for_topic(name) or ())]
        assert places, f"no topic {name}"
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        for place, offset in (await consumer.beginning_offsets(places)).items():
            consumer.seek(place, offset)
        found: dict[int, list[Entry]] = {place.partition: [] for place in places}
        async with asyncio.timeout(SECONDS):
            for place in places:
                while await consumer.position(place) < ends[place]:
                    for records in (await consumer.getmany(place, timeout_ms=200)).values():
                        found[place.partition] += [Entry(r.offset, r.key, r.value) for r in records]
        return found
    finally:
        await consumer.stop()


async def table(kafka: KafkaSettings, topic: str, kind: str) -> dict[bytes, Any]:
    """A compacted topic as it stands: records of type ``kind`` by key; what is no record is passed over."""
    rows: dict[bytes, bytes | None] = {}
    for entries in (await read(kafka, topic)).values():
        rows.update((entry.key, entry.value) for entry in entries if entry.key is not None)
    return {key: record for key, value in rows.items() for name, record in records([value]) if name == kind}


def records(values: Iterable[bytes | None]) -> Iterator[tuple[str, Any]]:
    """(type, record) of every value that is one."""
    for value in values:
        with suppress(SchemaError):
            yield codec().decode(value)


async def marked(settings: Settings, topic: str) -> dict[int, Partition]:
    """A marked topic, folded by its markers, each of which is checked: signature, sequence, order, count, digest."""
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    found: dict[int, Partition] = defaultdict(Partition)
    for number, entries in (await read(settings.kafka, topic)).items():
        partition, opened = found[number], list[bytes]()
        for entry in entries:
            assert entry.value is not None
            name, record = codec().decode(entry.value)
            if name != "Marker":
                (partition.outside if record.get("block", 0) is None else opened).append(entry.value)
                continue
            verifier.verify("Marker", record, entry.value)
            marker = Marker.of(record)
            place = f"{topic}/{number}@{entry.offset}"
            assert (marker.topic, marker.partition, marker.sequence) == (topic, number, partition.sequence + 1), place
            partition.sequence += 1
            _fold(partition, marker, opened, place)
            opened = []
        assert not opened, f"{topic}/{number}: {len(opened)} records behind the last marker"
    return found


def _fold(partition: Partition, marker: Marker, opened: list[bytes], place: str) -> None:
    if marker.step is Step.NEW:
        assert (marker.count, marker.digest) == (len(opened), block_digest(opened)), place
        assert not partition.blocks or partition.blocks[-1][0].hash == marker.block.parent, place
        partition.blocks.append((marker.block, opened))
        return
    assert not opened, place
    for ref in marker.removed:
        assert partition.blocks.pop()[0] == ref, place
    if marker.step is Step.UNDO:
        assert not partition.blocks or partition.blocks[-1][0] == marker.ancestor, place
        partition.undone.append(len(marker.removed))
