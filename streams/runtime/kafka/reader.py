"""Reads ranges of the log on aiokafka, outside any group.

Two clients: one that reads committed records, one that asks how far the log goes with open transactions counted in, so that a
range up to there is complete once it was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from typing import Literal

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaTimeoutError

from streams.cancellation import stray_cancellation_is_an_error
from streams.cluster.arguments import client_arguments
from streams.cluster.denials import demand_topics, hidden
from streams.cluster.refusals import explained
from streams.cluster.words import missing
from streams.errors import PositionLostError
from streams.ports.log import LogError, Message, TopicPartition
from streams.runtime.kafka.consumer import START_SECONDS
from streams.runtime.kafka.known import partition_counts
from streams.runtime.kafka.names import Names, translated
from streams.settings import KafkaSettings

POLL_MS = 200
MAX_RECORDS = 5_000
HELD = "A transaction that nobody has ended holds it back: see 'nothing readable' in docs/troubleshooting.md."


class KafkaReader:
    """One read at a time."""

    def __init__(self, settings: KafkaSettings, names: Names) -> None:
        self._settings = settings
        self._names = names
        self._clients: dict[str, AIOKafkaConsumer] = {}
        self._patience = settings.transaction_timeout_ms / 1000 + 30

    async def _client(self, isolation: Literal["read_committed", "read_uncommitted"]) -> AIOKafkaConsumer:
        if isolation not in self._clients:
            client = self._clients[isolation] = AIOKafkaConsumer(
                **client_arguments(self._settings),
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level=isolation,
                max_partition_fetch_bytes=self._settings.partition_fetch_mib << 20,
                fetch_max_bytes=self._settings.fetch_mib << 20,
                request_timeout_ms=self._settings.request_timeout_ms,
            )
            with translated("connecting"):
                async with explained(self._settings):
                    await asyncio.wait_for(client.start(), START_SECONDS)
        return self._clients[isolation]

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        client = await self._client("read_uncommitted")
        physical = [self._names.to_kafka(p) for p in partitions]
        with translated("asking how far the log goes"):
            await self._demand_known(client, {p.topic for p in physical})
            try:
                first = await client.beginning_offsets(physical)
                last = await client.end_offsets(physical)
            except KafkaTimeoutError:
                await demand_topics(client._client, {p.topic for p in physical})
                raise
        return {p: (first[q], last[q]) for p, q in zip(partitions, physical, strict=True)}

    @staticmethod
    async def _demand_known(client: AIOKafkaConsumer, topics: set[str]) -> None:
        """Of a topic that is not there the client would say no more than that there was no answer in time. A node that has
        just come up does not know all topics yet.
        """
        known = client._client.cluster
        if all(known.partitions_for_topic(topic) for topic in topics):
            return
        counts = await partition_counts(client._client, sorted(topics))
        if unknown := [topic for topic, count in counts.items() if not count]:
            await demand_topics(client._client, unknown)
            raise LogError(missing(unknown[0]))

    async def read_range(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[Sequence[Message]]:
        client = await self._client("read_committed")
        source = self._names.to_kafka(partition)
        loop = asyncio.get_running_loop()
        client.assign([source])
        client.seek(source, start)
        position, moved = start, loop.time()
        while position < stop:
            try:
                with translated(f"reading {partition.topic}/{partition.partition} from {position}"):
                    wanted = min(MAX_RECORDS, stop - position)  # what lies behind ``stop`` is not worth unpacking
                    found = await client.getmany(source, timeout_ms=POLL_MS, max_records=wanted)
                    reached = await client.position(source)
            except PositionLostError as error:
                raise PositionLostError(
                    f"{partition.topic}/{partition.partition} no longer holds offset {position}", error.hint
                ) from error
            batch = found.get(source, ())
            if batch and batch[-1].offset >= stop:
                batch = [message for message in batch if message.offset < stop]
            if batch:
                yield batch
            if reached > position:
                position, moved = reached, loop.time()
            elif source.topic in client._client.cluster.unauthorized_topics:
                raise hidden(source.topic)
            elif loop.time() - moved > self._patience:
                raise LogError(f"{partition.topic}/{partition.partition}: nothing readable at {position}, {stop} was due", HELD)
        client.pause(source)  # or it would go on fetching for nobody

    async def close(self) -> None:
        for client in self._clients.values():
            with suppress(Exception), stray_cancellation_is_an_error():
                await asyncio.wait_for(client.stop(), 5)
        self._clients.clear()
