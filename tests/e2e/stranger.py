"""Somebody else who can write to the topics: no key, no transaction, any bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from schemas.codec import codec
from streams.settings import Settings
from streams.topics import TOPICS, physical
from tests.samples import SAMPLES

GARBAGE = b"\xff\xfe not a record of anybody"
UNKNOWN_SCHEMA = b"\0" + (999_999).to_bytes(4, "big") + b"body"
EMPTY = b""
KEY = b"stranger"


def bad_values(topic: str) -> list[bytes | None]:
    """Bytes that are no record, of an unknown schema, of none, cut off, and a sound record that does not belong there."""
    wrong = "Intent" if "Intent" not in TOPICS[topic].records else "Embedding"
    sound = codec().encode(wrong, SAMPLES[wrong])
    return [GARBAGE, UNKNOWN_SCHEMA, EMPTY, sound[: len(sound) // 2], sound]


class Stranger:
    """Writes through a plain producer."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self._settings = settings
        self._producer = producer

    async def write(
        self, topic: str, values: Iterable[bytes | None], partition: int | None = None, key: bytes | None = KEY
    ) -> int:
        """Writes ``values`` to one partition, or to every one; how many records that were."""
        name, count = physical(self._settings.kafka.prefix, topic), 0
        everywhere = sorted(await self._producer.partitions_for(name))
        for value in values:
            for number in everywhere if partition is None else [partition]:
                await self._producer.send_and_wait(name, value, key=key, partition=number)
                count += 1
        return count

    async def flood(self, topic: str, count: int, partition: int = 0) -> None:
        """Writes the same garbage many times."""
        name = physical(self._settings.kafka.prefix, topic)
        for _ in range(count):
            await self._producer.send(name, GARBAGE, partition=partition)
        await self._producer.flush()


@asynccontextmanager
async def stranger(settings: Settings) -> AsyncIterator[Stranger]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, max_request_size=8 * 1024 * 1024)
    await producer.start()
    try:
        yield Stranger(settings, producer)
    finally:
        await producer.stop()
