"""Writes synthetic chains to a real broker and reads results back, apart from the code under test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams import topics
from streams.settings import Settings
from tests.chainlog import ChainLog
from tests.toys import Pair, expected_counts, expected_output, live_output, table


class ChainWriter:
    """Writes steps of a chain, one transaction each, as the block producer does."""

    def __init__(self, settings: Settings, name: str = "chainwriter") -> None:
        self._prefix = settings.kafka.prefix
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka.bootstrap, transactional_id=f"{self._prefix}{name}", acks="all"
        )
        self.published = 0

    async def __aenter__(self) -> ChainWriter:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def publish(self, chain: ChainLog) -> None:
        """Steps not published yet."""
        for step in chain.steps[self.published :]:
            async with self._producer.transaction():
                for partition, records in enumerate(step.records):
                    for key, value in records:
                        await self._producer.send(self._prefix + chain.topic, value, key, partition=partition)
        self.published = chain.sequence

    async def raw(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        """One record of any bytes."""
        async with self._producer.transaction():
            await self._producer.send_and_wait(self._prefix + topic, value, key, partition=partition)


async def read_all(settings: Settings, topic: str, partition: int) -> list[Pair]:
    """Everything committed in a partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    await consumer.start()
    try:
        source = TopicPartition(settings.kafka.prefix + topic, partition)
        consumer.assign([source])
        end = (await consumer.end_offsets([source]))[source]
        consumer.seek(source, 0)
        found: list[Pair] = []
        while await consumer.position(source) < end:
            for messages in (await consumer.getmany(source, timeout_ms=200)).values():
                found += [(message.key, message.value) for message in messages]
        return found
    finally:
        await consumer.stop()


async def wait_for(condition: Callable[[], object], task: asyncio.Future[object] | None = None, seconds: float = 30.0) -> None:
    """Until an async condition holds; raises what the task raised, if it ends first."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():  # type: ignore[misc]
        if task is not None and task.done():
            task.result()
            raise AssertionError("the worker ended")
        assert asyncio.get_running_loop().time() < deadline, "did not happen in time"
        await asyncio.sleep(0.1)


async def has_output(settings: Settings, chain: ChainLog) -> bool:
    """Whether the newest marker of the chain came out at the other end of every partition."""
    for partition in range(settings.kafka.partitions):
        output = await read_all(settings, topics.INTENTS, partition)
        markers = sum(key is None for key, _ in output)
        if markers < chain.sequence:
            return False
    return True


async def check_tally(settings: Settings, chain: ChainLog) -> None:
    """Everything Tally left behind is what the canonical chain demands: nothing lost, nothing twice."""
    for partition in range(settings.kafka.partitions):
        output = live_output(await read_all(settings, topics.INTENTS, partition), topics.INTENTS, partition)
        assert output == expected_output(chain, partition, counted=True)
        rows = table(await read_all(settings, topics.ROOTS, partition))
        assert {key: row["count"] for key, row in rows.items() if row["count"]} == dict(expected_counts(chain, partition))
