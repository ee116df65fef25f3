"""Reads the topics while things go wrong, as any outside reader could, and records polls, commits and state digests.

Invariant: it goes on where it was after any loss of the broker, so that a skipped or repeated record is the log's doing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.records import CheckpointRecord
from streams.settings import KafkaSettings
from streams.topics import BLOCKS, CHECKPOINTS, COMMANDS, INTENTS, MEMORY_LOG, TOPICS, TRANSACTIONS, logical, physical
from tests.chaos.naming import decode, tapped
from tests.checker.events import Assign, Commit, Digest, Event, Poll

LOGS = (BLOCKS, TRANSACTIONS, INTENTS, MEMORY_LOG, COMMANDS)
READER = "tap"
PAUSE = 0.2


@dataclass
class Seen:
    """What the tap knows. ``ends``: position behind the newest record; ``positions``: stream agent -> (topic, partition) ->
    position in its newest checkpoint; ``head``: hash of the log's head; ``sequence``: of its newest notification.
    """

    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    positions: dict[str, dict[tuple[str, int], int]] = field(default_factory=lambda: defaultdict(dict))
    head: bytes = b""
    sequence: int = -1

    def behind(self, inputs: Mapping[str, Sequence[str]], ends: Mapping[tuple[str, int], int] | None = None) -> list[str]:
        """Lanes of the stream agents (name -> input topics) that have not settled everything before ``ends``, or all seen."""
        return [
            f"{agent} {topic}/{partition} at {self.positions[agent].get((topic, partition))} of {end}"
            for agent, topics in inputs.items()
            for (topic, partition), end in (self.ends if ends is None else ends).items()
            if topic in topics and self.positions[agent].get((topic, partition), 0) < end
        ]


class Tap:
    """``run`` until cancelled."""

    def __init__(self, settings: KafkaSettings, say: Callable[[Event], None]) -> None:
        self.seen = Seen()
        self._settings = settings
        self._say = say
        self._next: dict[TopicPartition, int] = {}
        for topic in (*LOGS, CHECKPOINTS):
            for partition in range(TOPICS[topic].partitions or settings.partitions):
                self._next[TopicPartition(physical(settings.prefix, topic), partition)] = 0

    async def run(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(PAUSE)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 * 1024 * 1024,
            request_timeout_ms=10_000,
        )
        try:
            await consumer.start()
            consumer.assign(list(self._next))
            for place, position in self._next.items():
                consumer.seek(place, position)
                topic = logical(self._settings.prefix, place.topic)
                self._say(Assign(process=READER, topic=topic, partition=place.partition, position=position))
            while True:
                for place, records in (await consumer.getmany(timeout_ms=200)).items():
                    self._fold(place, records)
        finally:
            await consumer.stop()

    def _fold(self, place: TopicPartition, records: Sequence[Any]) -> None:
        if not records:
            return
        topic, partition = logical(self._settings.prefix, place.topic), place.partition
        if topic == CHECKPOINTS:
            for record in records:
                if record.value is not None:
                    self._checkpoint(decode(record.value)[1])
        else:
            named = tuple((record.offset, tapped(record.key, record.value)[0]) for record in records)
            self._say(Poll(process=READER, topic=topic, partition=partition, records=named))
            self.seen.ends[topic, partition] = records[-1].offset + 1
            if topic == BLOCKS:
                newest = decode(records[-1].value)[1]
                self.seen.head, self.seen.sequence = newest["head"]["hash"], newest["sequence"]
        self._next[place] = records[-1].offset + 1

    def _checkpoint(self, point: CheckpointRecord) -> None:
        agent, partition = point["stream_agent"], point["partition"]
        if point["state_digest"] is not None:
            self._say(
                Digest(
                    source=f"slot {point['slot']}",
                    subject=f"{agent}/{partition}",
                    block=point["block"]["hash"].hex(),
                    value=point["state_digest"].hex(),
                )
            )
        if point["slot"] != "tip":
            return
        for topic, position in point["offsets"].items():
            if self.seen.positions[agent].get((topic, partition)) != position:
                self._say(Commit(group=agent, topic=topic, partition=partition, position=position))
            self.seen.positions[agent][topic, partition] = position
