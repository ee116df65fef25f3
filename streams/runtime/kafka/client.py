"""Makes consumers, readers and producers for one cluster and topic prefix."""

from __future__ import annotations

from collections.abc import Sequence

from streams.runtime.kafka.consumer import KafkaConsumer
from streams.runtime.kafka.names import Names
from streams.runtime.kafka.producer import KafkaProducer
from streams.runtime.kafka.reader import KafkaReader
from streams.settings import KafkaSettings


class KafkaClient:
    """Implements ``streams.ports.log.LogClient``. Groups carry the topic prefix, so several pipelines share a cluster."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._names = Names(settings.prefix)

    def consumer(self, group: str, topics: Sequence[str]) -> KafkaConsumer:
        return KafkaConsumer(self._settings, self._names, group, topics)

    def reader(self) -> KafkaReader:
        return KafkaReader(self._settings, self._names)

    def producer(self, group: str, partition: int) -> KafkaProducer:
        return KafkaProducer(self._settings, self._names, group, partition)
