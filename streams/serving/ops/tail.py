"""Follows the topics of operations with one connection, into a board.

Invariants: the compacted topics are read from their beginning, ops.metrics from ``BACK_MS`` ago on, so that a gateway that
has just started has a short history at once; what was in the log before it connected is dated by the broker, what comes later
by this machine. Anybody may write to a topic: what is no record of ours, or no number, is counted and passed over. Reports
that retention took away before they were read are gone, and nothing else is made of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import SchemaError
from streams.cluster.arguments import client_arguments
from streams.cluster.denials import demand_topics
from streams.cluster.ending import ended
from streams.cluster.refusals import explained
from streams.cluster.words import missing
from streams.ops.reports import AlertRecord, HealthReport, MetricReport, Window
from streams.ops.slo.minutes import KIND as SLO
from streams.serving.metrics import GARBAGE
from streams.serving.ops.board import Board
from streams.serving.ops.metrics import SAMPLES_REFUSED
from streams.serving.tail import FETCH_BYTES, NoTopicError, TopicTail
from streams.settings import KafkaSettings
from streams.topics import OPS_ALERTS, OPS_HEALTH, OPS_METRICS, OPS_WINDOWS, logical, physical
from streams.wall import time_of_day

log = logging.getLogger(__name__)

FOLLOWED = (OPS_METRICS, OPS_HEALTH, OPS_ALERTS, OPS_WINDOWS)
BACK_MS = 12 * 60_000
WAITING = 2_000
"""Reports held at most while another partition catches up; then the oldest are folded though older ones may come."""
SHOWN = f"{SLO}/".encode()
"""How keys of windows begin that are shown; those of every single series are passed over unread."""
TURN = 50
"""Records folded before the event loop gets its turn."""


class OpsTail(TopicTail):
    """Of all topics of operations at once. ``told`` is called when the board has changed."""

    def __init__(self, settings: KafkaSettings, board: Board, told: Callable[[], None]) -> None:
        super().__init__(settings, FOLLOWED[0], self._take)
        self.topic = physical(settings.prefix, "ops.*")
        self._prefix = settings.prefix
        self._board = board
        self._told = told
        self._live_from: dict[TopicPartition, int] = {}
        self.caught_up = asyncio.Event()
        """Set once it has read what was there when it connected."""
        self._reports: dict[TopicPartition, deque[Any]] = {}
        """Of ops.metrics, not folded yet."""

    async def _session(self) -> None:
        consumer = AIOKafkaConsumer(
            **client_arguments(self._settings),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            request_timeout_ms=10_000,
        )
        try:
            async with explained(self._settings):
                await consumer.start()
            await self._seek(consumer)
            while True:
                await self._poll(consumer)
        finally:
            await ended(consumer)

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        names = [physical(self._prefix, name) for name in FOLLOWED]
        metadata = await consumer._client.fetch_all_metadata()
        if absent := [name for name in names if not metadata.partitions_for_topic(name)]:
            await demand_topics(consumer._client, absent)
            raise NoTopicError(missing(absent[0]))
        partitions = [TopicPartition(name, number) for name in names for number in sorted(metadata.partitions_for_topic(name))]
        consumer.assign(partitions)
        self._live_from = await consumer.end_offsets(partitions)
        beginnings = await consumer.beginning_offsets(partitions)
        metrics = [tp for tp in partitions if logical(self._prefix, tp.topic) == OPS_METRICS]
        self._reports = {tp: self._reports.get(tp, deque()) for tp in metrics}
        since = int(time_of_day() * 1000) - BACK_MS
        found = await consumer.offsets_for_times(dict.fromkeys(metrics, since))
        recent = {tp: place.offset if place is not None else self._live_from[tp] for tp, place in found.items()}
        for tp in partitions:
            consumer.seek(tp, self._positions.setdefault(tp, recent.get(tp, beginnings[tp])))

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        await super()._poll(consumer)
        behind = [tp for tp in self._reports if self._positions[tp] < self._live_from[tp]]
        await self._fold_all(self._ordered(behind))
        if not behind:
            self.caught_up.set()

    def _ordered(self, behind: Sequence[TopicPartition]) -> list[Any]:
        """What waits of ops.metrics, oldest first, as far as no older report can come from a partition that is ``behind``."""
        held = sum(map(len, self._reports.values()))
        ready: list[Any] = []
        while held > len(ready):
            if len(ready) >= held - WAITING and not all(self._reports[tp] for tp in behind):
                break
            ready.append(min((q for q in self._reports.values() if q), key=lambda q: q[0].timestamp).popleft())
        return ready

    async def _take(self, records: Sequence[Any]) -> None:
        place = TopicPartition(records[0].topic, records[0].partition)
        if place in self._reports:
            self._reports[place].extend(records)
        else:
            await self._fold_all(records)

    async def _fold_all(self, records: Sequence[Any]) -> None:
        now_ms = int(time_of_day() * 1000)
        for turn, record in enumerate(records):
            if turn % TURN == TURN - 1:
                await asyncio.sleep(0)
            place = TopicPartition(record.topic, record.partition)
            seen_ms = now_ms if record.offset >= self._live_from.get(place, 0) else min(now_ms, record.timestamp)
            try:
                self._fold_one(logical(self._prefix, record.topic), record, seen_ms)
            except SchemaError as error:
                log.warning("%s, partition %d, offset %d: %s", record.topic, record.partition, record.offset, error)
                GARBAGE.labels(logical(self._prefix, record.topic)).inc()
        if records:
            self._told()

    def _fold_one(self, topic: str, record: Any, seen_ms: int) -> None:
        board = self._board
        if topic == OPS_METRICS:
            report = MetricReport.from_value(record.value)
            board.advance(seen_ms)
            known = report.reckoned()
            SAMPLES_REFUSED.inc(len(report.samples) - len(known.samples))
            board.take_metrics(known, seen_ms)
        elif topic == OPS_HEALTH:
            if record.value is not None:
                board.take_health(HealthReport.from_value(record.value), seen_ms)
        elif topic == OPS_ALERTS:
            board.take_alert(record.key or b"", None if record.value is None else AlertRecord.from_value(record.value))
        elif record.value is not None and (record.key or b"").startswith(SHOWN):
            board.take_window(Window.from_value(record.value), seen_ms)
