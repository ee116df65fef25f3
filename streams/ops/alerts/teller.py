"""Tells one channel what is in ops.alerts, and remembers in the log how far it came.

Tellers of one channel are a consumer group, so of two watches one tells. Invariants: the position is committed after the
channel took an event or gave it up (``delivery``), so none is forgotten, and one is told again only where a crash came between,
under the same key and time: whoever ends a teller in order has it wait for an answer that is under way. What a receiver does
not take is tried on while it is the newest that ops.alerts says of its alert. A channel that is new is told what fires at that
moment, and nothing of the past; that an alert is over is told once, also if it was declared over by hand before it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import SchemaError
from streams.cancellation import end
from streams.cluster.arguments import client_arguments
from streams.cluster.ending import ended
from streams.cluster.refusals import explained
from streams.ops.alerts.channels import Channel
from streams.ops.alerts.delivery import LONGEST, PATIENCE, Delivery
from streams.ops.alerts.ends import Ends
from streams.ops.alerts.life import Event
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
LAST_SECONDS = 15.0
"""For an answer that is under way when a teller ends."""


@dataclass(frozen=True, slots=True)
class Former:
    """What ops.alerts held when the watch began: by key the newest, up to offset ``end``."""

    newest: Mapping[bytes, AlertRecord]
    end: int


class Answers:
    """A channel, and whether nothing is under way to it: neither its answer nor, after one, what is remembered of it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.quiet = asyncio.Event()
        self.quiet.set()

    async def send(self, event: Event) -> None:
        self.quiet.clear()
        try:
            await self._channel.send(event)
        except BaseException:
            self.quiet.set()
            raise


class Teller:
    """One channel's. ``read``: what ops.alerts holds now; raises LogError."""

    def __init__(
        self,
        kafka: KafkaSettings,
        name: str,
        channel: Channel,
        rules: Mapping[str, AlertRule],
        read: Callable[[], Awaitable[Former]],
    ) -> None:
        self._kafka = kafka
        self._name = name
        self._outage = Outage(_log, f"channel {name}")
        self._rules = rules
        self._source = TopicPartition(physical(kafka.prefix, OPS_ALERTS), 0)
        self._read = read
        self._answers = Answers(channel)
        self._delivery = Delivery(name, self._answers)
        self._ends = Ends()
        self._ending = False

    async def end(self, running: asyncio.Task[None]) -> None:
        """Ends ``run``, after the answer that is under way is there and remembered, or ``LAST_SECONDS``."""
        self._ending = True
        if not self._answers.quiet.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answers.quiet.wait(), LAST_SECONDS)
        await end(running)
        await asyncio.gather(running, return_exceptions=True)

    async def run(self, former: Former) -> None:
        """Until ``end``."""
        while True:
            try:
                await self._follow(former)
            except LogError as error:
                self._outage.failed(error.line)
            await asyncio.sleep(PAUSE)

    async def _follow(self, former: Former) -> None:
        consumer = self._consumer()
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
                    await self._tell(record, former, skipped=is_new and record.offset < former.end)
                    with translated(f"telling channel {self._name}"):
                        await consumer.commit({self._source: record.offset + 1})
                    self._answers.quiet.set()
                    if self._ending:
                        await asyncio.Event().wait()  # for ``end``, so that nothing new is begun
        finally:
            await ended(consumer)
            self._answers.quiet.set()

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            self._source.topic,
            **client_arguments(self._kafka),
            group_id=physical(self._kafka.prefix, f"{GROUP}-{self._name}"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=self._kafka.session_timeout_ms,
            heartbeat_interval_ms=self._kafka.heartbeat_interval_ms,
            max_poll_interval_ms=round(1_000 * (PATIENCE + 2 * LONGEST)),  # it is a member though an event is tried for long
            request_timeout_ms=max(self._kafka.request_timeout_ms, self._kafka.session_timeout_ms + JOIN_MS),
        )

    async def _tell(self, record: Any, former: Former, *, skipped: bool) -> None:
        """``skipped``: it is of the time before this channel was, and told only if it still stands."""
        try:
            said = AlertRecord.from_value(record.value)
        except SchemaError as error:
            _log.warning("ops.alerts, offset %d: %s", record.offset, error)
            return
        event = event_of(said, self._rules)
        known = former.newest.get(said.key) if record.offset >= former.end else None
        again = self._ends.again(said.key, said.state, known.state if known is not None else None)
        if event is None or event.silenced or again or self._name not in event.rule.channels:
            return
        if not skipped or _stands(record, former):
            await self._delivery.tell(event, lambda: self._worth(said))

    async def _worth(self, said: AlertRecord) -> bool:
        """Whether it is the newest that ops.alerts says of its alert; taken for granted where that cannot be read."""
        try:
            return (await self._read()).newest.get(said.key) == said
        except LogError:
            return True


def _stands(record: Any, former: Former) -> bool:
    """Whether it says of an alert that it fires, and is the newest that was there."""
    newest = former.newest.get(record.key)
    return newest is not None and newest.state == "firing" and newest.to_value() == record.value
