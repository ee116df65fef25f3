"""A transactional producer on aiokafka.

Assumes the port's rule that a producer is closed after any error: aiokafka forgets the partitions of a failed transaction, so
that its own abort would leave the transaction open and the next commit would publish it.
Invariant: ``send`` returns only when every batch is acknowledged, so ``commit`` never races a batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.cancellation import stray_cancellation_is_an_error
from streams.cluster.arguments import client_arguments
from streams.cluster.background import OUT_OF_TURN, met, met_fence
from streams.cluster.denials import denial
from streams.cluster.refusals import explained
from streams.errors import FencedError
from streams.ports.log import KeyValue, TopicPartition
from streams.runtime.kafka.names import Names, translated
from streams.settings import KafkaSettings
from streams.tracing import Headers, appending

UNTRACED: Mapping[bytes, Headers] = {}
BATCH_BYTES = 512 * 1024
CLOSE_SECONDS = 3.0


def _seen(future: asyncio.Future[Any]) -> None:
    """Of many that fail for one reason the first is raised; the others need no one who complains that nobody looked."""
    if not future.cancelled():
        future.exception()


class KafkaProducer:
    """One transactional id: ``<prefix><group>-<partition>``."""

    def __init__(self, settings: KafkaSettings, names: Names, group: str, partition: int) -> None:
        self._settings = settings
        self._names = names
        self._group = names.topic(group)
        self._timeout = settings.transaction_timeout_ms / 1000
        self._producer = AIOKafkaProducer(
            **client_arguments(settings),
            acks="all",
            transactional_id=f"{self._group}-{partition}",
            transaction_timeout_ms=settings.transaction_timeout_ms,
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=min(settings.request_timeout_ms, settings.transaction_timeout_ms),
            metadata_max_age_ms=30_000,
        )
        self._broken = True  # until started

    async def _do(self, doing: str, work: Awaitable[Any]) -> Any:
        self._broken = True
        with translated(f"{doing} {self._group}", "WRITE"):
            try:
                result = await asyncio.wait_for(work, self._timeout)
            except OUT_OF_TURN:
                if met_fence(self._producer):
                    raise FencedError(f"fenced: {self._group}", "Another worker took this partition over.") from None
                raise
            except KafkaError:
                # Of several batches of a transaction the first to fail may be one that was allowed, and came without it.
                if (cause := met(self._producer)) is not None and denial(cause, "WRITE") is not None:
                    raise cause from None
                raise
        self._broken = False
        return result

    async def start(self) -> None:
        await self._do("starting the producer of", self._start())

    async def _start(self) -> None:
        async with explained(self._settings):
            await self._producer.start()

    async def begin(self) -> None:
        await self._do("beginning a transaction of", self._producer.begin_transaction())

    async def send(
        self, outputs: Mapping[TopicPartition, Iterable[KeyValue]], headers: Mapping[bytes, Headers] = UNTRACED
    ) -> None:
        await self._do("writing for", self._send(outputs, headers))

    async def _send(self, outputs: Mapping[TopicPartition, Iterable[KeyValue]], headers: Mapping[bytes, Headers]) -> None:
        sends = [asyncio.ensure_future(self._send_partition(target, records, headers)) for target, records in outputs.items()]
        try:
            await asyncio.gather(*sends)
        finally:
            for send in sends:
                send.cancel()
            await asyncio.gather(*sends, return_exceptions=True)  # what the others met is the same trouble: seen

    async def _send_partition(
        self, target: TopicPartition, records: Iterable[KeyValue], headers: Mapping[bytes, Headers]
    ) -> None:
        topic, partition = target_place = self._names.to_kafka(target)
        acknowledged: list[asyncio.Future[Any]] = []

        async def hand_over() -> None:
            sent = await self._producer.send_batch(batch, topic, partition=partition)
            sent.add_done_callback(_seen)
            if waiting := self._producer._message_accumulator._batches.get(target_place):
                waiting[-1]._drain_waiter.add_done_callback(_seen)  # fails with its batch; only who comes next looks at it
            acknowledged.append(sent)

        batch = self._producer.create_batch()
        append = appending(batch, headers)
        for key, value in records:
            if append(timestamp=None, key=key, value=value) is None:
                await hand_over()
                batch = self._producer.create_batch()
                append = appending(batch, headers)
                if append(timestamp=None, key=key, value=value) is None:
                    raise MessageSizeTooLargeError(f"{len(value or b'')} bytes for {topic}")
        if batch.record_count():
            await hand_over()
        await asyncio.gather(*acknowledged)

    async def send_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        physical = {self._names.to_kafka(partition): offset for partition, offset in offsets.items()}
        await self._do("adding offsets of", self._producer.send_offsets_to_transaction(physical, self._group))

    async def commit(self) -> None:
        await self._do("committing", self._producer.commit_transaction())

    async def abort(self) -> None:
        await self._do("aborting", self._producer.abort_transaction())

    async def close(self) -> None:
        # A broken producer may never flush what it holds; its sender is stopped instead, and the next owner's start, or the
        # transaction timeout, ends what is open on the broker.
        waiter = self._producer._txn_manager.wait_for_transaction_end()
        if waiter is not None:
            waiter.add_done_callback(_seen)
        await ended(self._producer, whole=not self._broken)


async def ended(producer: AIOKafkaProducer, *, whole: bool) -> None:
    """Closes a client, within a few seconds. One that is not ``whole`` may never flush what it holds: its sender is stopped."""
    with suppress(Exception), stray_cancellation_is_an_error():
        if whole:
            await asyncio.wait_for(producer.stop(), CLOSE_SECONDS)
            return
    with suppress(Exception), stray_cancellation_is_an_error():
        producer._closed = True
        await asyncio.wait_for(producer._sender.close(), CLOSE_SECONDS)
    with suppress(Exception), stray_cancellation_is_an_error():
        await asyncio.wait_for(producer.client.close(), CLOSE_SECONDS)
