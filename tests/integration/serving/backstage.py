"""A gateway on a real broker, in a thread of its own, for tests that are not asynchronous themselves."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaProducer

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from infra.topics import apply
from streams.core.canonical import ChainStep
from streams.serving.root import Root
from streams.serving.server import Gateway, Stores
from streams.settings import KafkaSettings, Settings
from streams.signing import Verifier
from streams.topics import OPS_ALERTS, OPS_HEALTH, OPS_METRICS, OPS_WINDOWS, physical
from tests.identity import operator_token
from tests.integration.serving.broker import SIGNER, log_writer
from tests.serving_fakes import FakeEmbedder

T = TypeVar("T")
TOPIC = {"MetricReport": OPS_METRICS, "HealthReport": OPS_HEALTH, "AlertRecord": OPS_ALERTS, "Window": OPS_WINDOWS}


class Report(Protocol):
    """What processes write to the topics of operations."""

    @property
    def key(self) -> bytes: ...

    def to_value(self) -> bytes: ...


class Backstage:
    """``start``, ``stop`` and ``say`` return when it is done."""

    def __init__(self, broker: str, folder: Path) -> None:
        kafka = KafkaSettings(bootstrap=broker, prefix=f"t{uuid.uuid4().hex[:12]}.", partitions=2)
        self.settings = Settings(state_dir=folder, kafka=kafka)
        self.settings.gateway.port = self.settings.gateway.metrics_port = 0
        self.loop = asyncio.new_event_loop()
        self.gateway: Gateway | None = None
        self._stores: Stores | None = None
        self._producer: AIOKafkaProducer | None = None
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.run(apply(kafka))

    @property
    def url(self) -> str:
        assert self.gateway is not None
        return self.gateway.url

    @property
    def token(self) -> str:
        return operator_token(self.settings)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def start(self) -> None:
        """At the same port as the last time."""
        self.run(self._start())

    def stop(self) -> None:
        self.run(self._stop())

    def say(self, *reports: Report) -> None:
        """Writes them to the log."""
        self.run(self._say(reports))

    def steps(self, *steps: ChainStep) -> None:
        """Writes notifications of the chain."""
        self.run(self._steps(steps))

    def publish(self, root: Root) -> None:
        """Writes an agent's root."""
        self.run(self._publish(root))

    def close(self) -> None:
        if self.gateway is not None:
            self.stop()
        if self._producer is not None:
            self.run(self._producer.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    async def _start(self) -> None:
        embedder, settings = FakeEmbedder(), self.settings
        self._stores = Stores(
            LmdbMemoryStore(settings.path(settings.memory.db_path)),
            LmdbVectorStore(settings.state_dir / "vectors", dimension=embedder.dimension),
        )
        self.gateway = Gateway(settings, self._stores, embedder, Verifier([SIGNER.public]))
        await self.gateway.start()
        settings.gateway.port = self.gateway.port

    async def _stop(self) -> None:
        assert self.gateway is not None
        assert self._stores is not None
        await self.gateway.stop()
        self.gateway = None
        await self._stores.memories.close()
        await self._stores.vectors.close()

    async def _say(self, reports: tuple[Report, ...]) -> None:
        if self._producer is None:
            self._producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka.bootstrap, enable_idempotence=True)
            await self._producer.start()
        for report in reports:
            topic = physical(self.settings.kafka.prefix, TOPIC[type(report).__name__])
            await self._producer.send_and_wait(topic, report.to_value(), key=report.key)

    async def _steps(self, steps: tuple[ChainStep, ...]) -> None:
        async with log_writer(self.settings.kafka) as writer:
            await writer.steps(*steps)

    async def _publish(self, root: Root) -> None:
        async with log_writer(self.settings.kafka) as writer:
            await writer.root(root.agent, root)


@contextmanager
def backstage(broker: str, folder: Path) -> Iterator[Backstage]:
    made = Backstage(broker, folder)
    try:
        made.start()
        yield made
    finally:
        made.close()
