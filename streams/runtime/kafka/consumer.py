"""A member of a consumer group on aiokafka, by a name of its own if it has one (see ``membership``).

aiokafka calls the listener in the background, swallows its exceptions and may return records of a new assignment before the
listener has run; so the listener must not raise, and partitions start paused at a position of no meaning until the owner seeks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import aiokafka
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, NoOffsetForPartitionError, OffsetOutOfRangeError

from streams import topics
from streams.cluster.arguments import client_arguments
from streams.cluster.denials import demand_topics
from streams.cluster.refusals import explained
from streams.core.position import HINT
from streams.errors import ConfigurationError, PositionLostError
from streams.ports.log import Message, RebalanceListener, TopicPartition
from streams.runtime.kafka.known import partition_counts
from streams.runtime.kafka.membership import Membership
from streams.runtime.kafka.names import Names, translated
from streams.settings import KafkaSettings

START_SECONDS = 30.0
JOIN_MS = 2_000
OWN = (topics.CHECKPOINTS, topics.REPLAYS, topics.DLQ)
"""What the runtime itself reads and writes, whatever the stream agent."""


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, listener: RebalanceListener, names: Names) -> None:
        self._listener = listener
        self._names = names

    async def on_partitions_revoked(self, revoked: Collection[aiokafka.TopicPartition]) -> None:
        await self._listener.revoked([self._names.to_logical(p) for p in revoked])

    async def on_partitions_assigned(self, assigned: Collection[aiokafka.TopicPartition]) -> None:
        await self._listener.assigned([self._names.to_logical(p) for p in assigned])


class _Free:
    """Of what records may be taken: a view that the client asks anew for each answer of a broker."""

    def __init__(self, held: Collection[aiokafka.TopicPartition]) -> None:
        self._held = held

    def __contains__(self, partition: aiokafka.TopicPartition) -> bool:
        return partition not in self._held


class KafkaConsumer:
    """Reads committed records only, commits nothing by itself, never resets a position."""

    def __init__(self, settings: KafkaSettings, names: Names, group: str, topics: Sequence[str]) -> None:
        self._settings = settings
        self._names = names
        self._topics = [names.topic(topic) for topic in topics]
        self._held: set[aiokafka.TopicPartition] = set()
        self._membership = Membership(names.topic(group), settings.instance_id)
        self._consumer = AIOKafkaConsumer(
            **client_arguments(settings),
            group_id=names.topic(group),
            group_instance_id=settings.instance_id,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            partition_assignment_strategy=[RangePartitionAssignor],
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
            # A broker answers who joins when all members have, or the sessions of those that do not are over.
            request_timeout_ms=max(settings.request_timeout_ms, settings.session_timeout_ms + JOIN_MS),
            max_partition_fetch_bytes=settings.partition_fetch_mib << 20,
            fetch_max_bytes=settings.fetch_mib << 20,
            metadata_max_age_ms=30_000,
        )

    async def start(self, listener: RebalanceListener) -> None:
        with translated("joining the group"):
            async with explained(self._settings):
                await asyncio.wait_for(self._consumer.start(), START_SECONDS)
            self._membership.attach(self._consumer._coordinator)
            await self._check_topics()
            self._consumer.subscribe(self._topics, listener=_Listener(listener, self._names))

    async def _check_topics(self) -> None:
        counts = await partition_counts(self._consumer._client, [*self._topics, *map(self._names.topic, OWN)])
        missing = [topic for topic, count in counts.items() if not count]
        if missing:
            await demand_topics(self._consumer._client, missing)
            raise ConfigurationError(f"no topic {', '.join(missing)}", "Run `monmouth topics apply`, then start it again.")
        inputs = {topic: counts[topic] for topic in self._topics}
        if len(set(inputs.values())) > 1:
            raise ConfigurationError(
                f"input topics differ in partitions: {inputs}", "They must be equal: monmouth topics apply"
            )

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Message]]:
        self._membership.check()
        try:
            with translated("reading"):
                records = await self._fetched(timeout_ms / 1000, max_records)
        except Exception as error:
            self._membership.check()
            if isinstance(error.__cause__, NoOffsetForPartitionError):  # assigned, and the listener has not run yet
                await asyncio.sleep(0.02)
                return {}
            if isinstance(error.__cause__, OffsetOutOfRangeError):
                raise await self._lost(error.__cause__.args[0]) from error
            raise
        return {self._names.to_logical(partition): messages for partition, messages in records.items()}

    async def _fetched(self, timeout: float, most: int) -> Mapping[aiokafka.TopicPartition, Sequence[Message]]:
        """As the client's own ``getmany``, which takes a list of partitions that cannot change while it waits.

        A pause of the client would do for what is held too, but throws away what was fetched ahead.
        """
        client = self._consumer
        if client._closed:
            raise ConsumerStoppedError
        client._coordinator.check_errors()
        with client._subscription.fetch_context():
            found: Mapping[aiokafka.TopicPartition, Sequence[Message]] = await client._fetcher.fetched_records(
                _Free(self._held), timeout, max_records=most
            )
            return found

    async def _lost(self, positions: Mapping[aiokafka.TopicPartition, int]) -> PositionLostError:
        with translated("asking what the log still holds"):
            first = await self._consumer.beginning_offsets(list(positions))
        gaps = [
            f"{self._names.to_logical(p).topic}/{p.partition}: offset {at} is due, the log begins at {first[p]}"
            for p, at in positions.items()
        ]
        return PositionLostError("; ".join(gaps), HINT)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        with translated("seeking"):
            self._consumer.seek(self._names.to_kafka(partition), offset)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        with translated("pausing"):
            self._consumer.pause(*map(self._names.to_kafka, partitions))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        with translated("resuming"):
            self._consumer.resume(*map(self._names.to_kafka, partitions))

    def hold(self, partitions: Collection[TopicPartition]) -> None:
        self._held.update(map(self._names.to_kafka, partitions))

    def release(self, partitions: Collection[TopicPartition]) -> None:
        self._held.difference_update(map(self._names.to_kafka, partitions))
        fetcher = self._consumer._fetcher
        for waiter in list(fetcher._fetch_waiters):
            fetcher._notify(waiter)

    def caught_up(self, partition: TopicPartition) -> bool:
        source = self._names.to_kafka(partition)
        subscription = self._consumer._subscription
        if not subscription.is_assigned(source):
            return False
        state = subscription.subscription.assignment.state_value(source)
        return state.has_valid_position and state.lso is not None and state.position >= state.lso

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int | None]:
        physical = [self._names.to_kafka(partition) for partition in partitions]
        with translated("reading committed offsets"):  # in one request; the client's own call takes one partition each
            coordinator = self._consumer._coordinator
            found = await asyncio.wait_for(coordinator.fetch_committed_offsets(physical), START_SECONDS)
        return {p: found[q].offset if q in found else None for p, q in zip(partitions, physical, strict=True)}

    async def stop(self) -> None:
        with translated("leaving the group"):
            await asyncio.wait_for(self._consumer.stop(), START_SECONDS)
