"""Follows one topic from its beginning, or from its end, read_committed, and says when it has read to the end.

Assumes ``fold`` takes batches in log order. Invariants:
  * a record is folded once, also across reconnects: the position moves only after ``fold`` returned;
  * after ``barrier`` returns, everything committed to the topic before the call has been folded;
  * an error that reading again cannot mend (an integrity error, a lost position) ends the tail, and every later barrier
    raises it.
The end is the last stable offset (ListOffsets with isolation level read_committed), so an open transaction delays nobody.
A transaction counts as committed once readers can see it: the broker tells its producer so a moment earlier, before the
commit markers have reached every partition.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from schemas.codec import SchemaError
from streams.cancellation import stray_cancellation_is_an_error
from streams.cluster.arguments import client_arguments
from streams.cluster.denials import demand_topics, denial
from streams.cluster.ending import ended
from streams.cluster.refusals import explained
from streams.cluster.words import missing, spoken
from streams.errors import ClusterAccessError, MonmouthError, PositionLostError
from streams.metrics import count_error
from streams.outage import Outage
from streams.serving.faults import UnavailableError
from streams.serving.metrics import BARRIER_LATENCY, GARBAGE
from streams.settings import KafkaSettings
from streams.topics import physical

log = logging.getLogger(__name__)

Fold = Callable[[Sequence[Any]], Awaitable[None]]
POLL_MS = 50  # an aborted transaction moves the position without a record; a barrier learns of it at the next poll
BATCH = 2_000
FETCH_BYTES = 4 * 1024 * 1024
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
STARTING = "starting"
CONNECTION_SECONDS = 1.0
"""How long whoever asks for the lag waits for a connection: less than a probe does, which can then say why there is none."""


def each(settings: KafkaSettings, topic: str, take: Callable[[Any], None]) -> Fold:
    """A fold that takes the records of ``topic`` one by one, and passes over those that ``take`` refuses with SchemaError.

    Anybody may write to a topic, so what is no record of ours stops nobody; it is logged and counted.
    """
    name = physical(settings.prefix, topic)

    async def fold(records: Sequence[Any]) -> None:
        for record in records:
            try:
                take(record)
            except SchemaError as error:
                log.warning("%s, partition %d, offset %d: %s", name, record.partition, record.offset, error)
                GARBAGE.labels(topic).inc()

    return fold


class NoTopicError(UnavailableError):
    """Nobody has made the topic yet, or the broker that was asked does not know of it yet. It is waited for."""


AWAY = (ClusterAccessError, NoTopicError, KafkaError, OSError)
"""What may pass while it waits: a password, a grant or a topic may be given meanwhile."""


class TopicTail:
    """One consumer on all partitions of one topic. ``start`` it, ``stop`` it; not to be started again."""

    def __init__(self, settings: KafkaSettings, topic: str, fold: Fold, *, newest: bool = False) -> None:
        """``newest``: begins with what is written from now on."""
        self.topic = physical(settings.prefix, topic)
        self.complaint: str = STARTING
        self.failure: MonmouthError | None = None
        self.beginnings: dict[int, int] = {}
        self.starts: dict[int, int] = {}
        """Offsets at which reading began, by partition."""
        self.met: dict[int, int] = {}
        """Where each partition ended when it was connected to: what lies before may have been compacted unseen."""
        self._newest = newest
        self._settings = settings
        self._fold = fold
        self._positions: dict[TopicPartition, int] = {}
        self._scout: AIOKafkaConsumer | None = None
        self._changed = asyncio.Condition()
        self._flight: asyncio.Task[Mapping[TopicPartition, int]] | None = None
        self._next_flight: asyncio.Task[Mapping[TopicPartition, int]] | None = None
        self._pause = SHORTEST_PAUSE
        self._outage = Outage(log, self.topic)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to read, in the background. Connects again whenever the broker is away."""
        self._task = asyncio.create_task(self._run(), name=f"tail {self.topic}")

    async def stop(self) -> None:
        """Stops reading and closes the connection; safe to call twice."""
        for task in (self._task, self._flight, self._next_flight):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    async def barrier(self, timeout: float) -> None:
        """Returns when all that was committed before the call has been folded.

        Raises UnavailableError after ``timeout`` seconds, or the error that ended the tail.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(timeout):
                target = await self.ends()
                await self._until(lambda: all(self._positions.get(tp, -1) >= end for tp, end in target.items()))
        except TimeoutError:
            raise UnavailableError(
                f"{self.topic} could not be read to its end within {timeout:g} s"
                + (f": {self.complaint}" if self.complaint else ""),
                "Is the broker up? `monmouth infra status` tells. Ask again when /readyz says yes.",
            ) from None
        BARRIER_LATENCY.observe(1000 * (time.monotonic() - started))

    async def ends(self) -> Mapping[TopicPartition, int]:
        """The last stable offset of each partition, looked up after the call. Concurrent callers share one look-up.

        A look-up already on its way may miss what was committed before a caller came, so callers wait for the next one.
        """
        await self._until(lambda: self._scout is not None)
        if self._next_flight is None:
            self._next_flight = asyncio.create_task(self._look_up(self._flight))
            self._next_flight.add_done_callback(lambda task: task.cancelled() or task.exception())  # all callers may have left
        return await asyncio.shield(self._next_flight)

    async def end_offsets(self) -> Mapping[int, int]:
        """``ends`` by partition number."""
        return {tp.partition: end for tp, end in (await self.ends()).items()}

    async def lag(self) -> int:
        """Offsets between what has been folded and the end. Raises UnavailableError, with why there is no connection."""
        try:
            async with asyncio.timeout(CONNECTION_SECONDS):
                await self._until(lambda: self._scout is not None)
        except TimeoutError:
            raise UnavailableError(
                f"{self.topic}: {self.complaint}" if self.complaint else f"{self.topic}: {STARTING}"
            ) from None
        ends = await self.ends()
        return sum(max(0, end - self._positions.get(tp, 0)) for tp, end in ends.items())

    async def _look_up(self, before: asyncio.Task[Mapping[TopicPartition, int]] | None) -> Mapping[TopicPartition, int]:
        if before is not None:
            await asyncio.wait([before])
        self._flight, self._next_flight = self._next_flight, None
        scout = self._scout
        if scout is None:
            raise UnavailableError(f"no connection to the broker: {self.complaint}", "Ask again when /readyz says yes.")
        try:
            with stray_cancellation_is_an_error():
                ends: Mapping[TopicPartition, int] = await scout.end_offsets(list(self._positions))
        except (KafkaError, OSError) as error:
            raise UnavailableError(f"the end of {self.topic} is unknown: {spoken(error)}") from error
        return ends

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.failure is not None or condition())
        if self.failure is not None:
            raise self.failure

    async def _run(self) -> None:
        while True:
            try:
                with stray_cancellation_is_an_error():
                    await self._session()
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                cut = f"{self.topic} was cut behind its reader: {error}"
                await self._fail(PositionLostError(cut, "The view begins anew with another gateway."))
                return
            except AWAY as error:
                refused = error if isinstance(error, ClusterAccessError) else denial(error, "READ")
                self.complaint = str(refused) if refused is not None else spoken(error)
                self._outage.failed(self.complaint)
            except MonmouthError as error:
                await self._fail(error)
                return
            except Exception as error:  # a defect: say so to every caller rather than end unseen
                log.exception("%s: the tail broke", self.topic)
                await self._fail(MonmouthError(f"reading {self.topic} broke: {type(error).__name__}", "See the gateway's log."))
                return
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    async def _fail(self, error: MonmouthError) -> None:
        log.error("%s: %s", self.topic, error)
        count_error(error)
        async with self._changed:
            self.failure, self.complaint = error, error.message
            self._changed.notify_all()

    async def _session(self) -> None:
        # A broker answers one request of a connection after the other, so that a look-up behind a waiting fetch would take
        # up to fetch_max_wait_ms (500): the scout, which fetches nothing, has a connection of its own.
        consumer, scout = self._connection(), self._connection()
        try:
            async with explained(self._settings):
                await consumer.start()
                await scout.start()
            await self._seek(consumer)
            self._scout = scout
            while True:
                await self._poll(consumer)
        finally:
            self._scout = None
            await ended(consumer, scout)

    def _connection(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **client_arguments(self._settings),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=FETCH_BYTES,
            request_timeout_ms=10_000,
        )

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        # aiokafka has no public way to see the partitions of a topic that is not subscribed to.
        numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(self.topic)
        if not numbers:
            await demand_topics(consumer._client, [self.topic])
            raise NoTopicError(missing(self.topic))
        partitions = [TopicPartition(self.topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        beginnings = await consumer.beginning_offsets(partitions)
        self.beginnings = {tp.partition: offset for tp, offset in beginnings.items()}
        ends = await consumer.end_offsets(partitions)
        self.met = {tp.partition: offset for tp, offset in ends.items()}
        starts = ends if self._newest and not self._positions else beginnings
        for tp in partitions:
            consumer.seek(tp, self._positions.setdefault(tp, starts[tp]))
            self.starts.setdefault(tp.partition, self._positions[tp])

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
        for records in batches.values():
            await self._fold(records)
        async with self._changed:
            for tp in self._positions:
                self._positions[tp] = await consumer.position(tp)
            self.complaint, self._pause = "", SHORTEST_PAUSE
            self._outage.over()
            self._changed.notify_all()
