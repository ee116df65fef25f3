"""The runtime's log client without transactions: at least once. What exactly-once costs is the difference.

Everything else is as in ``streams.runtime.kafka``: same batches, same compression, acknowledged by all, idempotent; offsets are
committed by the consumer after the outputs are acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaProducer

from streams.ports.log import TopicPartition
from streams.runtime.kafka.client import KafkaClient
from streams.runtime.kafka.consumer import KafkaConsumer
from streams.runtime.kafka.names import Names
from streams.runtime.kafka.producer import BATCH_BYTES, KafkaProducer
from streams.settings import KafkaSettings


class PlainProducer(KafkaProducer):
    """Its transactions are only brackets."""

    def __init__(self, settings: KafkaSettings, names: Names, group: str, partition: int, consumer: KafkaConsumer) -> None:
        super().__init__(settings, names, group, partition)
        self._consumer = consumer
        self._offsets: dict[TopicPartition, int] = {}
        self._producer._closed = True  # the transactional one, which was never started
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=min(15_000, settings.transaction_timeout_ms),
            metadata_max_age_ms=30_000,
        )

    async def begin(self) -> None:
        pass

    async def send_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._offsets = dict(offsets)

    async def commit(self) -> None:
        physical = {self._names.to_kafka(partition): offset for partition, offset in self._offsets.items()}
        await self._do("committing", self._consumer._consumer.commit(physical))

    async def abort(self) -> None:
        self._offsets = {}


class PlainClient(KafkaClient):
    """Makes plain producers that commit through the newest consumer of the process."""

    _consumer: KafkaConsumer

    def consumer(self, group: str, topics: Sequence[str]) -> KafkaConsumer:
        self._consumer = super().consumer(group, topics)
        return self._consumer

    def producer(self, group: str, partition: int) -> PlainProducer:
        return PlainProducer(self._settings, self._names, group, partition, self._consumer)
