"""Copies the commands of one pipeline to another one on the same cluster: they are nowhere but in their topic.

Everything else follows from the chain and the commands, so a pipeline under a new prefix that gets them comes to hold the same
memories. Invariant: keys, values, partitions and their order stay; the copy is one transaction; a topic that holds anything is
refused, so that nothing is ever copied twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from infra.topics import TopicError
from streams.cluster.arguments import client_arguments
from streams.cluster.denials import denial
from streams.cluster.refusals import explained
from streams.settings import KafkaSettings
from streams.topics import COMMANDS, physical

POLL_MS = 500


async def carry_commands(kafka: KafkaSettings, prefix: str) -> int:
    """Copies memory.commands of ``prefix`` to that of ``kafka``; how many records. Raises TopicError."""
    source, target = physical(prefix, COMMANDS), physical(kafka.prefix, COMMANDS)
    try:
        async with _reading(kafka) as consumer:
            places = await _places(consumer, source, kafka.partitions)
            await _demand_empty(consumer, await _places(consumer, target, kafka.partitions))
            return await _copy(kafka, consumer, places, target)
    except (KafkaError, OSError, TimeoutError) as error:
        if (denied := denial(error, "READ")) is not None:
            raise denied from None
        raise TopicError(f"{source} was not copied: {type(error).__name__}: {error}", "Nothing of it is visible.") from None


@asynccontextmanager
async def _reading(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **client_arguments(kafka), isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="none"
    )
    try:
        async with explained(kafka):
            await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _places(consumer: AIOKafkaConsumer, topic: str, partitions: int) -> list[TopicPartition]:
    # aiokafka has no public way to see the partitions of a topic that is not subscribed to.
    found = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic) or set()
    if len(found) != partitions:
        raise TopicError(f"{topic} has {len(found)} partitions, {partitions} are set", "`monmouth topics apply` makes topics.")
    return [TopicPartition(topic, number) for number in sorted(found)]


async def _demand_empty(consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> None:
    if held := [place for place, end in (await consumer.end_offsets(places)).items() if end]:
        raise TopicError(f"{held[0].topic} is not empty", "Copy before anything else writes there, and once.")


async def _copy(kafka: KafkaSettings, consumer: AIOKafkaConsumer, places: list[TopicPartition], target: str) -> int:
    ends = await consumer.end_offsets(places)
    gone = [place for place, first in (await consumer.beginning_offsets(places)).items() if first]
    if gone:
        raise TopicError(f"{gone[0].topic}/{gone[0].partition} has lost its beginning", "Restore it from a copy first.")
    producer = AIOKafkaProducer(
        **client_arguments(kafka), acks="all", transactional_id=f"{kafka.prefix}carry", max_request_size=2**31 - 1
    )
    await producer.start()
    copied = 0
    try:
        async with producer.transaction():
            for place in places:
                consumer.assign([place])
                consumer.seek(place, 0)
                while await consumer.position(place) < ends[place]:
                    for record in (await consumer.getmany(place, timeout_ms=POLL_MS)).get(place, ()):
                        if record.offset < ends[place]:
                            await producer.send(target, record.value, record.key, partition=place.partition)
                            copied += 1
    finally:
        await producer.stop()
    return copied
