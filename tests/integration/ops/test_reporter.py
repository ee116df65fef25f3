"""A real worker's reports on a real broker: they arrive and can be read, and a broker that is away does not stop the worker."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import mean

import pytest
from aiokafka import AIOKafkaConsumer

from infra.broker import LocalBroker
from infra.broker.ports import free_port
from infra.topics import apply
from streams.ops.reports import ENDED, HealthReport, MetricReport, process_key
from streams.settings import KafkaSettings, Settings
from streams.topics import OPS_HEALTH, OPS_METRICS, physical
from tests.e2e.processes import Child, running
from tests.metrics_table import documented

BEHIND = "monmouth_runtime_seconds_behind"
OWN = {"worker", "worker,", "every"}
pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
async def own(broker: str, jars_dir: Path, tmp_path: Path) -> AsyncIterator[LocalBroker]:
    """A broker that may be stopped; ``broker`` is asked for so that jars are known to be there."""
    found = LocalBroker(tmp_path / "broker", port=free_port(), jars=jars_dir, record_startup=False)
    await asyncio.to_thread(found.start)
    try:
        yield found
    finally:
        await asyncio.to_thread(found.stop)


@asynccontextmanager
async def following(kafka: KafkaSettings, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
    names = [physical(kafka.prefix, topic) for topic in topics]
    async with AIOKafkaConsumer(*names, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer:
        yield consumer


async def reports(consumer: AIOKafkaConsumer, worker: Child, after_ms: int = 0) -> tuple[MetricReport, HealthReport]:
    """The first of each that was made later, when the worker held its partitions and was ready. A busy machine may be."""
    metrics: MetricReport | None = None
    health: HealthReport | None = None
    async with asyncio.timeout(60):
        while metrics is None or health is None:
            record = await consumer.getone()
            worker.check()
            if record.topic.endswith(OPS_METRICS):
                found = MetricReport.from_value(record.value)
                assert record.key == found.key
                whole = any(sample.name == BEHIND for sample in found.samples)  # not before it holds a partition
                metrics = found if whole and found.at_ms > after_ms else metrics
            else:
                said = HealthReport.from_value(record.value)
                assert record.key == said.key
                ready = any((part.name, part.status) == ("readiness", "healthy") for part in said.parts)
                health = said if ready and said.at_ms > after_ms else health
    return metrics, health


async def test_a_workers_reports_arrive_and_a_broker_that_is_away_does_not_stop_it(own: LocalBroker, tmp_path: Path) -> None:
    kafka = KafkaSettings(bootstrap=own.bootstrap, prefix="p.", partitions=2)
    await apply(kafka)
    async with running(Settings(state_dir=tmp_path / "state", kafka=kafka), "worker", "--agents", "intent,memory") as worker:
        async with following(kafka, OPS_METRICS, OPS_HEALTH) as consumer:
            metrics, health = await reports(consumer, worker)
            assert metrics.key == process_key("worker", f"{socket.gethostname()}:{worker.process.pid}")
            names = {sample.name for sample in metrics.samples}
            assert {"monmouth_uptime_seconds", "monmouth_memory_usage_mb", BEHIND} <= names
            assert all(name.startswith("monmouth_") for name in names)
            foreign = {row.name for row in documented()} - {row.name for row in documented() if OWN & set(row.of.split())}
            assert not foreign & names, "what only a gateway or a producer measures is not shown by a worker, at 0"
            assert any(sample.kind == "HISTOGRAM" and "le" in sample.labels for sample in metrics.samples)
            assert metrics.dropped == 0
            assert health.score == pytest.approx(mean(part.score for part in health.parts))
            names = [part.name for part in health.parts]
            assert names[:2] == ["liveness", "readiness"]
            assert {"intent", "memory"} <= set(names), "each stream agent is a part, and so is what was probed"
        await asyncio.to_thread(own.stop)
        await asyncio.sleep(3)
        worker.check()
        await asyncio.to_thread(own.start)
        async with following(kafka, OPS_METRICS, OPS_HEALTH) as consumer:
            again, _ = await reports(consumer, worker, metrics.at_ms + 3_000)
            assert again.key == metrics.key
            failures = {
                dict(sample.labels)["step"]: sample.value for sample in again.samples if "report_failures" in sample.name
            }
            assert failures.get("look", 0) == 0
            await asyncio.to_thread(worker.process.terminate)
            async with asyncio.timeout(30):
                while True:
                    record = await consumer.getone()
                    if record.topic.endswith(OPS_METRICS):
                        last = MetricReport.from_value(record.value)
                        if last.key == metrics.key and any(sample.name == ENDED for sample in last.samples):
                            break
        # A second signal to end, while it ends of the first, would end it at once.
        assert await asyncio.to_thread(worker.process.wait, 30) == 0
