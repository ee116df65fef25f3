"""What the demo sees, read from the topics alone, as any outside system could.

Progress of a stream agent is the sequence in its newest checkpoints: sequences count notifications, so they are exact
where offsets are not (transactions leave gaps).
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import SchemaError, codec
from schemas.records import BlockNotification, CheckpointRecord, LatticeRoot
from streams.cluster.arguments import client_arguments
from streams.core.block import BlockRef
from streams.settings import KafkaSettings
from streams.topics import BLOCKS, CHECKPOINTS, DLQ, ROOTS, TOPICS, logical, physical

RATE_SECONDS = 5.0


@dataclass(slots=True)
class Observation:
    """State of the pipeline so far. ``reorgs``: depth of each UNDO in order; ``first_undo``: sequence of the first.

    ``progress``: stream agent -> partition -> sequence of its newest checkpoint.
    """

    partitions: int
    head: BlockRef | None = None
    final: BlockRef | None = None
    sequence: int = -1
    blocks: int = 0
    transactions: int = 0
    records: int = 0
    reorgs: list[int] = field(default_factory=list)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=8))
    progress: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    roots: dict[bytes, LatticeRoot] = field(default_factory=dict)
    dead_letters: int = 0
    garbage: int = 0
    first_undo: int | None = None
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def notification(self, note: BlockNotification, now: float) -> None:
        """Folds one record of chain.blocks."""
        self.sequence = note["sequence"]
        self.head = BlockRef.of(note["head"])
        if note["final"]:
            self.final = BlockRef.of(note["final"])
        if note["step"] == "NEW":
            self.blocks += 1
            self.transactions += note["transactions"]
            self.records += note["records"]
            self._seen.append((now, note["transactions"]))
            self.recent.append(f"NEW   {BlockRef.of(note['block'])}  {note['transactions']} transactions")
        elif note["step"] == "UNDO":
            self.reorgs.append(len(note["removed"]))
            self.first_undo = note["sequence"] if self.first_undo is None else self.first_undo
            self.recent.append(f"UNDO  {len(note['removed'])} blocks, back to {self.head}")

    def checkpoint(self, point: CheckpointRecord) -> None:
        """Folds one record of checkpoints."""
        agent = self.progress[point["stream_agent"]]
        agent[point["partition"]] = max(point["sequence"], agent.get(point["partition"], -1))

    def rate(self, now: float) -> float:
        """Transactions per second over the last five seconds."""
        while self._seen and self._seen[0][0] < now - RATE_SECONDS:
            self._seen.popleft()
        return sum(n for _, n in self._seen) / RATE_SECONDS

    def reached(self, agent: str) -> int:
        """Sequence that every partition of ``agent`` has settled; -1 for none."""
        seen = self.progress.get(agent, {})
        return min((seen.get(p, -1) for p in range(self.partitions)), default=-1)

    def lag(self, agent: str) -> int:
        """Notifications the slowest partition of ``agent`` is behind the log. After a replay sequences are ahead of it."""
        return max(0, self.sequence - self.reached(agent))


class Observer:
    """Tails the topics into an Observation until cancelled."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self.seen = Observation(settings.partitions)

    async def run(self) -> None:
        """Reads for ever. The caller cancels it."""
        names = {physical(self._settings.prefix, name) for name in (BLOCKS, CHECKPOINTS, ROOTS, DLQ)}
        consumer = AIOKafkaConsumer(
            **client_arguments(self._settings),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 * 1024 * 1024,
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(name, p) for name in names for p in await self._partitions(consumer, name)]
            consumer.assign(partitions)
            while True:
                for topic, records in (await consumer.getmany(timeout_ms=250)).items():
                    for record in records:
                        self._fold(logical(self._settings.prefix, topic.topic), record.key, record.value)
        finally:
            await consumer.stop()

    async def _partitions(self, consumer: AIOKafkaConsumer, topic: str) -> set[int]:
        while not (found := consumer.partitions_for_topic(topic)):
            await consumer._client.force_metadata_update()  # aiokafka has no public way to ask for a topic it does not consume
            consumer._client.add_topic(topic)
            await asyncio.sleep(0.2)
        return set(found)

    def _fold(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if value is None:
            if topic == ROOTS and key is not None:
                self.seen.roots.pop(key, None)
            return
        try:
            kind, record = codec().decode(value)
        except SchemaError:
            kind = ""
        if kind not in TOPICS[topic].records:
            self.seen.garbage += 1
            return
        if topic == BLOCKS:
            self.seen.notification(record, time.monotonic())
        elif topic == CHECKPOINTS:
            self.seen.checkpoint(record)
        elif topic == DLQ:
            self.seen.dead_letters += 1
        elif kind == "LatticeRoot":
            self.seen.roots[record["agent"]] = record
