"""What no call can be quicker than, on this machine and at this moment: the broker alone, and HTTP alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from perf.groups.rows import timed
from streams.cli.demo.system import System
from streams.cluster.arguments import client_arguments
from streams.topics import MESSAGES, physical

COUNT = 50


async def http_alone(system: System) -> list[float]:
    """A request that the gateway answers without doing anything."""
    async with system.async_client() as client:
        await client.live()
        return (await timed(COUNT, lambda _: client.live()))[0]


async def broker_alone(system: System, size: int, trips: int) -> list[float]:
    """A record written with all acknowledgements and read by a consumer, ``trips`` times in a row."""
    async with _ends(system) as (producer, consumer, place):

        async def there(_: int) -> None:
            for _ in range(trips):
                await producer.send_and_wait(place.topic, bytes(size), partition=place.partition)
                await consumer.getone(place)

        return (await timed(COUNT, there))[0]


async def write_alone(system: System, size: int) -> list[float]:
    """A record written with all acknowledgements."""
    async with _ends(system) as (producer, _, place):
        return (await timed(COUNT, lambda _: producer.send_and_wait(place.topic, bytes(size), partition=place.partition)))[0]


@asynccontextmanager
async def _ends(system: System) -> AsyncIterator[tuple[AIOKafkaProducer, AIOKafkaConsumer, TopicPartition]]:
    """On a topic whose readers pass over what is no message."""
    place = TopicPartition(physical(system.settings.kafka.prefix, MESSAGES), 0)
    arguments = client_arguments(system.settings.kafka)
    producer = AIOKafkaProducer(**arguments, acks="all", max_request_size=2 * 1024 * 1024)
    consumer = AIOKafkaConsumer(**arguments, enable_auto_commit=False, isolation_level="read_committed", fetch_max_wait_ms=100)
    await producer.start()
    await consumer.start()
    try:
        consumer.assign([place])
        await consumer.seek_to_end(place)
        await consumer.position(place)
        yield producer, consumer, place
    finally:
        await consumer.stop()
        await producer.stop()
