"""Reads ops.metrics outside any group: first what rules look back at, then what comes.

Assumes that brokers stamp records. Invariant: what is no report is passed over and counted; reports of one process come in
their order. Of the past only a report every ``THIN`` seconds of each process is read, and its newest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import SchemaError
from streams.cluster.arguments import client_arguments
from streams.cluster.denials import demand_topics
from streams.cluster.ending import ended
from streams.cluster.refusals import explained
from streams.cluster.words import missing
from streams.ops.alerts.metrics import GARBAGE
from streams.ops.reports import MetricReport
from streams.ports.log import LogError
from streams.runtime.kafka.names import translated
from streams.settings import KafkaSettings
from streams.topics import OPS_METRICS, physical
from streams.wall import time_of_day

_log = logging.getLogger(__name__)
POLL_MS = 200
THIN = 5.0
MOST_RECORDS = 500
Timed = tuple[float, MetricReport]
"""When it was written, in seconds, and what."""


class MetricsLog:
    """From ``back`` seconds ago on. An asynchronous context: connected inside. Raises LogError, ClusterAccessError."""

    def __init__(self, kafka: KafkaSettings, back: float) -> None:
        self._kafka = kafka
        self._back = back
        self._topic = physical(kafka.prefix, OPS_METRICS)
        self._ends: dict[TopicPartition, int] = {}
        self._consumer = AIOKafkaConsumer(
            **client_arguments(kafka),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            request_timeout_ms=kafka.request_timeout_ms,
        )

    async def __aenter__(self) -> Self:
        try:
            with translated("reading ops.metrics"):
                async with explained(self._kafka):
                    await self._consumer.start()
                await self._seek()
        except BaseException:
            await ended(self._consumer)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(self._consumer)

    async def _seek(self) -> None:
        found = await self._consumer._client.fetch_all_metadata()
        numbers = found.partitions_for_topic(self._topic)
        if not numbers:
            await demand_topics(self._consumer._client, [self._topic])
            raise LogError(missing(self._topic))
        places = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        self._consumer.assign(places)
        self._ends = await self._consumer.end_offsets(places)
        since = max(0, round(1000 * (time_of_day() - self._back)))
        for place, at in (await self._consumer.offsets_for_times(dict.fromkeys(places, since))).items():
            self._consumer.seek(place, self._ends[place] if at is None else at.offset)

    async def past(self) -> list[Timed]:
        """What was there when it connected, the oldest first."""
        found: list[Timed] = []
        last: dict[bytes | None, float] = {}
        newest: dict[bytes | None, Any] = {}  # of each process, if it was left out: what it says is how things are now
        while await self._behind():
            for record in await self._records():
                at = record.timestamp / 1000
                if at - last.get(record.key, 0.0) >= THIN:
                    last[record.key] = at
                    newest.pop(record.key, None)
                    found += _read(record)
                else:
                    newest[record.key] = record
        found += [timed for record in newest.values() for timed in _read(record)]
        return sorted(found, key=lambda timed: timed[0])

    async def poll(self) -> list[Timed]:
        """What comes within a moment."""
        return [timed for record in await self._records() for timed in _read(record)]

    async def _behind(self) -> bool:
        with translated("reading ops.metrics"):
            return any([await self._consumer.position(place) < end for place, end in self._ends.items()])

    async def _records(self) -> list[Any]:
        with translated("reading ops.metrics"):
            found: Mapping[TopicPartition, Sequence[Any]] = await self._consumer.getmany(
                timeout_ms=POLL_MS, max_records=MOST_RECORDS
            )
        return [record for records in found.values() for record in records]


def _read(record: Any) -> Iterator[Timed]:
    try:
        yield record.timestamp / 1000, MetricReport.from_value(record.value)
    except SchemaError as error:
        GARBAGE.inc()
        _log.warning("ops.metrics/%d, offset %d: %s", record.partition, record.offset, error)
