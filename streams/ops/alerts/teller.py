"""Tells one channel what is in ops.alerts, and remembers in the log how far it came.

Tellers of one channel are a consumer group, so of two watches one tells. Invariants: the position is committed after the
channel took an event or gave it up (``delivery``), so none is forgotten, and one is told again only where a crash came between,
under the same key and time; a channel that is new is told what fires at that moment, and nothing of the past.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import SchemaError
from streams.cluster.arguments import client_arguments
from streams.cluster.ending import ended
from streams.cluster.refusals import explained
from streams.ops.alerts.channels import Channel
from streams.ops.alerts.delivery import LONGEST, Delivery
from streams.ops.alerts.records import event_of
from streams.ops.alerts.rules import AlertRule
from streams.ops.reports import AlertRecord
from streams.outage import Outage
from streams.ports.log import LogError
from streams.runtime.kafka.consumer import JOIN_MS
from streams.runtime.kafka.names import translated
from streams.settings import KafkaSettings
from streams.topics import OPS_ALERTS, physical

_log = logging.getLogger(__name__)
GROUP = "ops-alerts"
"""Begins the names of the groups that hold positions, one for each channel."""
PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Former:
    """What ops.alerts held when the watch began: by key the newest, up to offset ``end``."""

    newest: Mapping[bytes, AlertRecord]
    end: int


class Teller:
    """One channel's."""

    def __init__(self, kafka: KafkaSettings, name: str, channel: Channel, rules: Mapping[str, AlertRule]) -> None:
        self._kafka = kafka
        self._name = name
        self._outage = Outage(_log, f"channel {name}")
        self._rules = rules
        self._source = TopicPartition(physical(kafka.prefix, OPS_ALERTS), 0)
        self._delivery = Delivery(name, channel)

    async def run(self, former: Former) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._follow(former)
            except LogError as error:
                self._outage.failed(error.line)
            await asyncio.sleep(PAUSE)

    async def _follow(self, former: Former) -> None:
        consumer = AIOKafkaConsumer(
            self._source.topic,
            **client_arguments(self._kafka),
            group_id=physical(self._kafka.prefix, f"{GROUP}-{self._name}"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=self._kafka.session_timeout_ms,
            heartbeat_interval_ms=self._kafka.heartbeat_interval_ms,
            max_poll_interval_ms=round(2_000 * LONGEST),  # it is still a member after an event that was tried again and again
            request_timeout_ms=max(self._kafka.request_timeout_ms, self._kafka.session_timeout_ms + JOIN_MS),
        )
        try:
            with translated(f"telling channel {self._name}"):
                async with explained(self._kafka):
                    await consumer.start()
                is_new = await consumer.committed(self._source) is None
            self._outage.over()
            while True:
                with translated(f"telling channel {self._name}"):
                    found = await consumer.getmany(timeout_ms=1_000, max_records=1)
                for record in found.get(self._source, ()):
                    if not is_new or record.offset >= former.end or _stands(record, former):
                        await self._tell(record)
                    with translated(f"telling channel {self._name}"):
                        await consumer.commit({self._source: record.offset + 1})
        finally:
            await ended(consumer)

    async def _tell(self, record: Any) -> None:
        try:
            event = event_of(AlertRecord.from_value(record.value), self._rules)
        except SchemaError as error:
            _log.warning("ops.alerts, offset %d: %s", record.offset, error)
            return
        if event is None or event.silenced or self._name not in event.rule.channels:
            return
        await self._delivery.tell(event)


def _stands(record: Any, former: Former) -> bool:
    """Whether it says of an alert that it fires, and is the newest that was there."""
    newest = former.newest.get(record.key)
    return newest is not None and newest.state == "firing" and newest.to_value() == record.value
