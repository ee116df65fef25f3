"""The chain's log on Kafka: one transactional id per chain, so that the newest producer shuts out the one before.

Assumes the topics exist. Invariants: everything of one ``append`` is one Kafka transaction; the position comes from
read_committed reads after the transactional id was taken over, so no write of a predecessor can land behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced

from schemas.codec import SchemaError, UnknownSchemaError, codec
from schemas.records import BlockNotification
from streams.cancellation import stray_cancellation_is_an_error
from streams.cluster.arguments import client_arguments
from streams.cluster.background import OUT_OF_TURN, met_fence
from streams.cluster.denials import demand_topics, denial
from streams.cluster.ending import ended
from streams.cluster.refusals import explained
from streams.cluster.words import spoken
from streams.core.block import BlockRef
from streams.core.forkview import ForkView
from streams.errors import Category, ConfigurationError, FencedError, MonmouthError, OutdatedError, Severity
from streams.producer import metrics
from streams.producer.log import Position, Staged, UncertainWriteError
from streams.producer.resume import replay
from streams.settings import PRODUCER, Settings
from streams.signing import Verifier
from streams.topics import BLOCKS, TRANSACTIONS, physical
from streams.tracing import Headers, appending, current

log = logging.getLogger(__name__)
KEEP = 1_024
"""Notifications read back at a start; more, up to ``MOST``, if the finality line is older."""
BATCH_BYTES = 512 * 1024
MOST = 65_536
READ_TIMEOUT = 30.0
CLOSE_SECONDS = 5.0
GRACE = 10.0
"""Seconds a write may take beyond the time after which the broker itself gives the transaction up."""
FIRST = 50
Batch = list[tuple[bytes | None, bytes]]


class LogUnavailableError(MonmouthError):
    """The broker cannot be reached."""

    category = Category.NETWORK
    severity = Severity.HIGH
    passes = True


class KafkaLog:
    """``ChainLog`` on the broker of ``settings``."""

    def __init__(self, settings: Settings, chain_id: int, verifier: Verifier) -> None:
        self._kafka = settings.kafka.as_role(PRODUCER)
        self._chain_id = chain_id
        self._verifier = verifier
        self._blocks = TopicPartition(physical(self._kafka.prefix, BLOCKS), 0)
        self._transactions = physical(self._kafka.prefix, TRANSACTIONS)
        self._key = chain_id.to_bytes(8, "big")
        self._producer: AIOKafkaProducer | None = None
        self._written: tuple[int, int] | None = None
        self._broken = False

    async def open(self) -> Position:
        await self.close()
        async with self._unavailable():
            await self._check_topics()
            if self._written is not None:
                self._refuse_if_overtaken(await self._read(KEEP))
            self._producer = AIOKafkaProducer(
                **client_arguments(self._kafka),
                transactional_id=f"{self._kafka.prefix}producer-{self._chain_id}",
                transaction_timeout_ms=self._kafka.transaction_timeout_ms,
                acks="all",
                compression_type="zstd",
                max_batch_size=BATCH_BYTES,
                max_request_size=2**31 - 1,
                request_timeout_ms=min(self._kafka.request_timeout_ms, self._kafka.transaction_timeout_ms),
                metadata_max_age_ms=30_000,
            )
            await self._producer.start()
            await self._check_partitions(self._producer)
            position = await self._position(KEEP)
        self._written = (position.sequence, position.sequence)
        return position

    @asynccontextmanager
    async def _unavailable(self) -> AsyncIterator[None]:
        try:
            with stray_cancellation_is_an_error():
                async with explained(self._kafka):
                    yield
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            self._refuse_if_denied(error)
            raise LogUnavailableError(
                f"no use of the broker at {self._kafka.bootstrap}: {spoken(error)}",
                "Start one with `monmouth infra up` or name it with --bootstrap; `monmouth topics apply` creates the topics.",
            ) from None

    @staticmethod
    def _refuse_if_denied(error: BaseException) -> None:
        if (denied := denial(error, "WRITE")) is not None:
            raise denied from None

    async def _check_topics(self) -> None:
        """Raises ConfigurationError at once where the client would wait for a topic that is not there."""
        async with self._consumer() as consumer:
            missing = {self._blocks.topic, self._transactions} - await consumer.topics()
            if missing:
                await demand_topics(consumer._client, missing)
        if missing:
            raise ConfigurationError(f"no topic {min(missing)} on {self._kafka.bootstrap}", "Run `monmouth topics apply`.")

    async def _check_partitions(self, producer: AIOKafkaProducer) -> None:
        for topic, wanted in ((self._blocks.topic, 1), (self._transactions, self._kafka.partitions)):
            found = len(await producer.partitions_for(topic))
            if found != wanted:
                raise ConfigurationError(f"{topic} has {found} partitions, {wanted} are set", "Set kafka.partitions to that.")

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **client_arguments(self._kafka),
            isolation_level="read_committed",
            auto_offset_reset="none",
            enable_auto_commit=False,
            request_timeout_ms=self._kafka.request_timeout_ms,
        )
        try:
            await consumer.start()
            yield consumer
        finally:
            await ended(consumer)

    def _refuse_if_overtaken(self, notifications: list[BlockNotification]) -> None:
        assert self._written is not None
        sequence = notifications[-1]["sequence"] + 1 if notifications else 0
        if sequence not in self._written:
            raise self._fenced(f"the log is at {sequence}, this producer at {self._written[0]}")

    async def older(self, known: ForkView) -> ForkView:
        count = 2 * max(KEEP, len(known.blocks))
        async with self._unavailable():
            while True:
                notifications = await self._read(count)
                self._refuse_if_overtaken(notifications)  # what another one wrote need not link to what this one knows
                view, _ = replay(notifications)
                # Much going back and forth fills many notifications with few heights, so the count alone says little.
                if not view.blocks or notifications[0]["sequence"] == 0 or view.blocks[0].number < known.blocks[0].number:
                    return view
                count *= 2

    async def _position(self, count: int) -> Position:
        """Reads ``count`` notifications or more, until the finality line is inside or the log begins."""
        while True:
            notifications = await self._read(count)
            view, sequence = replay(notifications)
            if not notifications:
                return Position()
            whole = notifications[0]["sequence"] == 0
            known = view.final is not None and view.blocks and view.final.number >= view.blocks[0].number
            if whole or known or count >= MOST:
                first = notifications[0] if whole else (await self._read(1, from_start=True))[0]
                return Position(view, sequence, BlockRef.of(first["block"]))
            count *= 2

    async def _read(self, count: int, *, from_start: bool = False) -> list[BlockNotification]:
        """The last ``count`` notifications, or a few more; or some of the first ones. Empty only if the topic holds none."""
        async with self._consumer() as consumer, asyncio.timeout(READ_TIMEOUT):
            partition = self._blocks
            consumer.assign([partition])
            begin = (await consumer.beginning_offsets([partition]))[partition]
            end = (await consumer.end_offsets([partition]))[partition]
            while True:
                # A transaction adds an offset of its own to those of its notifications, so twice as many hold enough.
                start = begin if from_start else max(begin, end - 2 * count)
                consumer.seek(partition, start)
                found: list[BlockNotification] = []
                while await consumer.position(partition) < end and not (from_start and found):
                    records = await consumer.getmany(timeout_ms=200, max_records=FIRST if from_start else None)
                    for record in records.get(partition, ()):
                        found += self._notification(record.offset, record.value)
                if found or start == begin:
                    return found
                count *= 2

    def _notification(self, offset: int, value: bytes | None) -> list[BlockNotification]:
        """The notification at ``offset``; none if what lies there is not one. What it overwrote, the sequences will miss."""
        try:
            name, record = codec().decode(value)
            if name != "BlockNotification":
                raise SchemaError(f"a {name} does not belong here")
        except UnknownSchemaError as error:
            raise OutdatedError(f"{self._blocks.topic}, offset {offset}", str(error)) from None
        except SchemaError as error:
            log.warning("%s, offset %d: %s", self._blocks.topic, offset, error)
            metrics.GARBAGE.inc()
            return []
        self._verifier.verify(name, record, value)
        if record["chain_id"] != self._chain_id:
            raise ConfigurationError(
                f"{self._blocks.topic} holds chain {record['chain_id']}, the source is chain {self._chain_id}",
                "Use another topic prefix (kafka.prefix) for another chain.",
            )
        return [record]

    async def append(self, staged: Sequence[Staged]) -> None:
        assert self._producer is not None, "open() first"
        assert self._written is not None
        before = self._written[1]
        self._written = (before, before + len(staged))
        try:
            with stray_cancellation_is_an_error():
                await self._bounded(self._transaction(self._producer, staged))
        except ProducerFenced:
            raise self._fenced("its transactional id was taken") from None
        except MessageSizeTooLargeError as error:
            raise ConfigurationError(
                f"{self._transactions} refused a record as too large: {error}",
                "Its max.message.bytes is below what streams/topics.py says; run `monmouth topics apply`.",
            ) from None
        except (KafkaError, OSError, TimeoutError, *OUT_OF_TURN) as error:
            if met_fence(self._producer):
                raise self._fenced("its transactional id was taken") from None
            self._refuse_if_denied(error)
            raise UncertainWriteError(f"the broker did not confirm a write: {spoken(error)}") from None
        self._written = (before + len(staged), before + len(staged))

    async def _bounded(self, work: Coroutine[Any, Any, None]) -> None:
        """The client looks for a lost broker without end, and would do so to abort too: it is left to ``close`` instead."""
        task = asyncio.create_task(work)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            await asyncio.wait({task}, timeout=self._kafka.transaction_timeout_ms / 1000 + GRACE)
        finally:
            if not task.done():
                self._broken = True
                task.cancel()
        if not task.done():
            raise TimeoutError("no answer")
        await task

    async def _transaction(self, producer: AIOKafkaProducer, staged: Sequence[Staged]) -> None:
        tracing = current()
        if tracing is None:
            await self._written_as(producer, staged, {})
            return
        said = [codec().decode(one.notification)[1] for one in staged]
        spans = [
            tracing.begin(PRODUCER, step=one["step"], block=one["block"]["hash"].hex(), number=one["block"]["number"])
            for one in said
        ]
        headers: dict[bytes, Headers] = {}
        for one, span in zip(staged, spans, strict=True):
            carried = tracing.headers(span)
            headers |= {partition[-1][1]: carried for partition in one.partitions} | {one.notification: carried}
        try:
            await self._written_as(producer, staged, headers)
        except BaseException as error:
            for span in spans:
                tracing.failed(span, error)
            raise
        for span in spans:
            span.end()

    async def _written_as(self, producer: AIOKafkaProducer, staged: Sequence[Staged], headers: Mapping[bytes, Headers]) -> None:
        async with producer.transaction():
            sends: list[asyncio.Future[object]] = []
            for number in range(len(staged[0].partitions)):
                records = [record for one in staged for record in one.partitions[number]]
                sends += await self._send(producer, records, self._transactions, number, headers)
            notifications: Batch = [(self._key, one.notification) for one in staged]
            sends += await self._send(producer, notifications, self._blocks.topic, 0, headers)
            await asyncio.gather(*sends)

    @staticmethod
    async def _send(
        producer: AIOKafkaProducer, records: Batch, topic: str, partition: int, headers: Mapping[bytes, Headers]
    ) -> list[asyncio.Future[object]]:
        sends = []
        batch = producer.create_batch()
        append = appending(batch, headers)
        for key, value in records:
            if append(key=key, value=value, timestamp=None) is None:
                sends.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                append = appending(batch, headers)
                if append(key=key, value=value, timestamp=None) is None:
                    raise MessageSizeTooLargeError(f"{len(value)} bytes")
        sends.append(await producer.send_batch(batch, topic, partition=partition))
        return sends

    def _fenced(self, reason: str) -> FencedError:
        return FencedError(
            f"another producer took over chain {self._chain_id}: {reason}",
            "One producer writes a chain; this one has stopped, and nothing of an unfinished transaction is in the log.",
        )

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        steps = [] if self._broken else [producer.stop]
        if producer._sender is not None:
            steps.append(producer._sender.close)
        for step in (*steps, producer.client.close):
            try:
                with stray_cancellation_is_an_error():
                    await asyncio.wait_for(step(), CLOSE_SECONDS)
            except Exception as error:  # it is being thrown away; the log decides what counts
                log.info("closing the writer: %s", spoken(error))
            else:
                if step == producer.stop:
                    break
        producer._closed = True
        self._broken = False
