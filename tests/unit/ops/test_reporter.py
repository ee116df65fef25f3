"""What a reporter takes from a registry and from probes, how much it keeps, and that nothing of it fails the work."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Sequence
from typing import ClassVar, cast

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.errors import StoreError
from streams.health import Health, Look
from streams.metrics import REGISTRY
from streams.ops import reporter
from streams.ops.health.finding import Finding, Level
from streams.ops.health.monitor import Monitor, Prediction
from streams.ops.health.predict import Breach
from streams.ops.reporter import FAILURES, REPORTS, WAITING, Reporter, parts_of, reporting, samples_of, verdict
from streams.ops.reports import ENDED, HealthPart, MetricSample
from streams.settings import KafkaSettings, OpsSettings, Settings

NOWHERE = Settings(kafka=KafkaSettings(bootstrap="127.0.0.1:1", request_timeout_ms=1000), ops=OpsSettings(interval_seconds=0.1))


def registry() -> CollectorRegistry:
    found = CollectorRegistry()
    Counter("monmouth_things_total", "t", ["kind"], registry=found).labels("a").inc(3)
    Gauge("monmouth_level_total", "a gauge by that name", registry=found).set(2)
    Histogram("monmouth_time", "t", buckets=[1], registry=found).observe(0.5)
    Gauge("other_thing", "not ours", registry=found).set(1)
    return found


def test_samples_are_ours_with_their_kinds_and_buckets() -> None:
    found, dropped = samples_of(registry())
    assert dropped == 0
    assert found == (
        MetricSample("monmouth_things_total", "COUNTER", {"kind": "a"}, 3),
        MetricSample("monmouth_level_total", "GAUGE", {}, 2),
        MetricSample("monmouth_time_bucket", "HISTOGRAM", {"le": "1.0"}, 1),
        MetricSample("monmouth_time_bucket", "HISTOGRAM", {"le": "+Inf"}, 1),
        MetricSample("monmouth_time_count", "HISTOGRAM", {}, 1),
        MetricSample("monmouth_time_sum", "HISTOGRAM", {}, 0.5),
    )
    assert samples_of(registry(), limit=2) == (found[:2], 4)


@pytest.mark.parametrize(
    ("statuses", "said"),
    [([], ("healthy", 1.0)), (["healthy", "degraded"], ("degraded", 0.75)), (["failed", "degraded"], ("failed", 0.25))],
)
def test_a_process_is_as_its_worst_part(statuses: Sequence[str], said: tuple[str, float]) -> None:
    scores = {"healthy": 1.0, "degraded": 0.5, "failed": 0.0}
    assert verdict([HealthPart("p", status, scores[status]) for status in statuses]) == said  # type: ignore[arg-type]


def test_parts_say_what_the_probes_say() -> None:
    now = 0.0
    health = Health(60, clock=lambda: now)
    assert [(part.status, part.detail) for part in parts_of(health)()] == [("healthy", ""), ("degraded", "it is starting")]
    health.look(Look(True))
    assert verdict(parts_of(health)()) == ("healthy", 1.0)
    now = 61.0
    assert verdict(parts_of(health)())[0] == "failed"


async def test_a_broker_that_is_away_costs_old_reports_and_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "PAUSE", (0.01, 0.01))
    monkeypatch.setattr(reporter, "WAITING", 3)
    found = Reporter(NOWHERE, NOWHERE.kafka, "worker", "w", list, registry=registry())
    dropped, failed = REPORTS.labels("dropped")._value.get(), FAILURES.labels("write")._value.get()
    with caplog.at_level(logging.WARNING, "streams.ops.reporter"):
        task = asyncio.create_task(found.run())
        async with asyncio.timeout(20):
            while REPORTS.labels("dropped")._value.get() < dropped + 2 or FAILURES.labels("write")._value.get() < failed + 2:
                assert not task.done()
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
    assert len([line for line in caplog.records if "do not arrive" in line.message]) == 1
    assert len(found._waiting) == 3


async def test_a_look_that_fails_is_counted_and_the_next_one_is_taken() -> None:
    looks = 0

    def parts() -> Sequence[HealthPart]:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("a part that cannot be asked")
        return [HealthPart("p", "healthy", 1.0)]

    found = Reporter(NOWHERE, NOWHERE.kafka, "worker", "w", parts, registry=registry())
    failed = FAILURES.labels("look")._value.get()
    task = asyncio.create_task(found.run())
    async with asyncio.timeout(20):
        while not found._waiting:
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait([task])
    assert FAILURES.labels("look")._value.get() == failed + 1
    assert found._waiting[0].health.status == "healthy"


@pytest.mark.parametrize("orderly", [True, False])
async def test_at_the_end_it_looks_once_more_and_says_whether_it_ends_as_it_should(orderly: bool) -> None:
    counting = CollectorRegistry()
    things = Counter("monmouth_things_total", "t", registry=counting)
    slow = NOWHERE.model_copy(update={"ops": OpsSettings(interval_seconds=60)})
    found = Reporter(slow, slow.kafka, "worker", "w", list, registry=counting)
    task = asyncio.create_task(found.run())
    async with asyncio.timeout(20):
        while not found._waiting:
            await asyncio.sleep(0.02)
        things.inc()
        found.end(orderly=orderly)
        while len(found._waiting) < 2:
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait([task])
    samples = {sample.name: sample.value for sample in found._waiting[-1].metrics.samples}
    assert samples["monmouth_things_total"] == 1, "what came last is in it"
    assert (ENDED in samples) is orderly


async def test_where_it_is_off_nothing_runs() -> None:
    off = NOWHERE.model_copy(update={"ops": OpsSettings(enabled=False)})
    before = asyncio.all_tasks()
    async with reporting(off, off.kafka, "worker", Health(60)):
        assert asyncio.all_tasks() == before
    assert WAITING >= 60


async def test_a_report_holds_each_part_and_what_the_monitor_found_and_expects() -> None:
    health = Health(60)
    health.look(Look(True, ["graph: waits"], {"memory": [], "graph": ["graph: waits"]}))

    class Found:
        found: ClassVar = {"disk": Finding("degraded", "80 % used", seconds=0.25)}
        predictions: ClassVar = [Prediction("disk", Level("disk used", 80, 95, " %"), Breach(840, 540, 1320))]

    parts = {part.name: part for part in parts_of(health, cast("Monitor", Found()))()}
    assert set(parts) == {"liveness", "readiness", "memory", "graph", "disk"}
    assert (parts["memory"].status, parts["graph"].status, parts["graph"].detail) == ("healthy", "degraded", "graph: waits")
    assert parts["disk"].detail == "80 % used; disk used reaches 95 % in 14 min (9-22 min, 90 %)"
    assert (parts["disk"].score, parts["disk"].seconds) == (0.5, 0.25)


async def test_a_write_that_is_given_up_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Silent:
        """A producer of which nothing is ever acknowledged."""

        async def send(self, *_: object, **__: object) -> asyncio.Future[None]:
            return asyncio.get_running_loop().create_future()

    found = Reporter(NOWHERE, NOWHERE.kafka, "worker", "w", list, registry=registry())
    found._keep(await found._look())
    writing = asyncio.create_task(found._write_next(cast("AIOKafkaProducer", Silent())))
    await asyncio.sleep(0.01)
    writing.cancel()
    await asyncio.wait([writing])
    del writing
    gc.collect()
    await asyncio.sleep(0)
    assert not caplog.records


@pytest.mark.parametrize("enabled", [True, False])
async def test_an_error_that_ends_a_process_is_counted_before_its_last_report(enabled: bool) -> None:
    labels = {"category": "database", "severity": "high"}
    before = REGISTRY.get_sample_value("monmouth_errors_total", labels) or 0.0
    settings = NOWHERE.model_copy(update={"ops": OpsSettings(enabled=enabled)})
    with pytest.raises(StoreError):
        async with reporting(settings, settings.kafka, "worker", Health(60)):
            raise StoreError("away")
    assert REGISTRY.get_sample_value("monmouth_errors_total", labels) == before + 1
