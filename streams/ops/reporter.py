"""Each process's reports: what it measured and how it is, to ops.metrics and ops.health, off the path of the data.

Two tasks: one looks, at each interval, and puts the reports into a queue; the other writes them with a plain idempotent
producer. Invariants: nothing here fails the work or makes it wait (registries are read on a thread); the queue holds
``WAITING`` looks, and where the brokers are away the oldest gives way, counted; a failure is counted each time and logged once
until reports arrive again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from schemas.ops_records import HealthStatus, SampleKind
from streams.cancellation import stray_cancellation_is_an_error
from streams.cluster.arguments import client_arguments
from streams.cluster.words import spoken
from streams.health import Health
from streams.metrics import REGISTRY, counting_errors
from streams.ops.health.monitor import Monitor
from streams.ops.reports import ENDED, MOST_BYTES, MOST_SAMPLES, HealthPart, HealthReport, MetricReport, MetricSample
from streams.runtime.kafka.producer import ended
from streams.settings import KafkaSettings, Settings
from streams.topics import OPS_HEALTH, OPS_METRICS, physical

_log = logging.getLogger(__name__)
PREFIX = "monmouth_"
WAITING = 60
"""Looks that wait for the brokers: the last minute, at the usual interval."""
LAST_SECONDS = 2.0
"""What the last report may take."""
PAUSE = (0.5, 10.0)
"""First and longest pause before the brokers are tried again, in seconds."""
KINDS: dict[str, SampleKind] = {"counter": "COUNTER", "histogram": "HISTOGRAM", "summary": "HISTOGRAM"}
SCORES: dict[HealthStatus, float] = {"healthy": 1.0, "degraded": 0.5, "failed": 0.0}
LEFT_OUT = ("_created",)

REPORTS = Counter(
    "monmouth_ops_reports_total",
    "Looks of this process at itself: written to ops.metrics and ops.health, or dropped since the brokers were away too long.",
    ["outcome"],
    registry=REGISTRY,
)
FAILURES = Counter(
    "monmouth_ops_report_failures_total", "Attempts to look or to write reports that failed.", ["step"], registry=REGISTRY
)

Parts = Callable[[], Sequence[HealthPart]]


class Reports(NamedTuple):
    """One look."""

    metrics: MetricReport
    health: HealthReport


class Reporter:
    """``component``: kind of process. ``kafka``: as whom it writes. ``parts``: what is looked at for health."""

    def __init__(
        self,
        settings: Settings,
        kafka: KafkaSettings,
        component: str,
        instance: str,
        parts: Parts,
        *,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._kafka = kafka
        self._interval = settings.ops.interval_seconds
        self._component = component
        self._instance = instance
        self._parts = parts
        self._registry = registry
        self._started_ms = int(time.time() * 1000)
        self._waiting: deque[Reports] = deque()
        self._more = asyncio.Event()
        self._ending = asyncio.Event()
        self._last: tuple[MetricSample, ...] = ()
        self._looked_last = False
        self._quiet = False

    async def run(self) -> None:
        """Until cancelled, or what was there to be said after ``end`` is written."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_again_and_again())
            group.create_task(self._write_again_and_again())

    def end(self, *, orderly: bool) -> None:
        """One more look, so that what came last is not lost; and, where the process ends as it should, the word for it."""
        self._last = (MetricSample(ENDED, "GAUGE", {}, 1.0),) if orderly else ()
        self._ending.set()

    async def _look_again_and_again(self) -> None:
        while True:
            began, last = time.monotonic(), self._ending.is_set()
            try:
                self._keep(await self._look())
            except Exception as error:  # whatever a gauge that asks a part raises: the work goes on, and so do later looks
                self._failed("look", error)
            if last:
                self._looked_last = True
                self._more.set()
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), max(0.0, self._interval - (time.monotonic() - began)))

    async def _look(self) -> Reports:
        parts = tuple(self._parts())
        at_ms = int(time.time() * 1000)
        samples, dropped = await asyncio.to_thread(samples_of, self._registry)
        return Reports(
            MetricReport(self._component, self._instance, at_ms, (*self._last, *samples), self._started_ms, dropped),
            HealthReport(self._component, self._instance, at_ms, *verdict(parts), parts),
        )

    def _keep(self, reports: Reports) -> None:
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            REPORTS.labels("dropped").inc()
        self._waiting.append(reports)
        self._more.set()

    async def _write_again_and_again(self) -> None:
        pause = PAUSE[0]
        while True:
            try:
                async with self._connected() as producer:
                    while await self._write_next(producer):
                        pause, self._quiet = PAUSE[0], False
                    return
            except Exception as error:  # whatever the client raises: the work goes on, and the brokers come back
                self._failed("write", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE[1])

    async def _write_next(self, producer: AIOKafkaProducer) -> bool:
        """False where nothing more will come."""
        while not self._waiting:
            if self._looked_last:
                return False
            self._more.clear()
            await self._more.wait()
        reports = self._waiting[0]
        with stray_cancellation_is_an_error():
            sent = [
                await producer.send(physical(self._kafka.prefix, topic), report.to_value(), key=report.key)
                for topic, report in ((OPS_METRICS, reports.metrics), (OPS_HEALTH, reports.health))
            ]
            async with asyncio.timeout(self._kafka.request_timeout_ms / 1000):  # wait_for would leave what it cancels unseen
                await asyncio.gather(*sent)
        REPORTS.labels("written").inc()
        if self._waiting and self._waiting[0] is reports:  # else it gave way to a newer one meanwhile
            self._waiting.popleft()
        return True

    @property
    def arrives(self) -> bool:
        """Whether the last report did."""
        return not self._quiet

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            **client_arguments(self._kafka),
            enable_idempotence=True,
            compression_type="zstd",
            max_request_size=2 * MOST_BYTES,
            request_timeout_ms=self._kafka.request_timeout_ms,
        )
        whole = True
        try:
            with stray_cancellation_is_an_error():
                await asyncio.wait_for(producer.start(), self._kafka.request_timeout_ms / 1000)
            yield producer
        except Exception:
            whole = False
            raise
        finally:
            await ended(producer, whole=whole)

    def _failed(self, step: str, error: Exception) -> None:
        FAILURES.labels(step).inc()
        if not self._quiet:
            _log.warning("reports of this process do not arrive: %s", spoken(error))
        self._quiet = True


def this_process() -> str:
    """Host and number, for a process that nobody gave a name."""
    return f"{socket.gethostname()}:{os.getpid()}"


def samples_of(registry: CollectorRegistry, limit: int = MOST_SAMPLES) -> tuple[tuple[MetricSample, ...], int]:
    """Our samples of a registry, at most ``limit``, and how many were left out."""
    found: list[MetricSample] = []
    dropped = 0
    for family in registry.collect():
        if not family.name.startswith(PREFIX):
            continue
        kind = KINDS.get(family.type, "GAUGE")
        for sample in family.samples:
            if sample.name.endswith(LEFT_OUT):
                continue
            if len(found) >= limit:
                dropped += 1
                continue
            found.append(MetricSample(sample.name, kind, dict(sample.labels), float(sample.value)))
    return tuple(found), dropped


def verdict(parts: Sequence[HealthPart]) -> tuple[HealthStatus, float]:
    """The process in one word, which is that of its worst part, and the mean of their scores; healthy if there are none."""
    if not parts:
        return "healthy", 1.0
    worst = min(parts, key=lambda part: ("failed", "degraded", "healthy").index(part.status))
    return worst.status, sum(part.score for part in parts) / len(parts)


def parts_of(health: Health, monitor: Monitor | None = None) -> Parts:
    """What the probes of a process say: that it lives, what it is not ready for, and how each part gets on; what its monitor
    found; and what that expects.
    """

    def parts() -> Sequence[HealthPart]:
        own = [_part("liveness", health.live(), "failed"), _part("readiness", health.ready(), "degraded")]
        own += [_part(name, complaints, "degraded") for name, complaints in health.parts().items()]
        return own if monitor is None else [*own, *_found(monitor)]

    return parts


def _found(monitor: Monitor) -> Sequence[HealthPart]:
    expected: dict[str, list[str]] = {}
    for one in monitor.predictions:
        expected.setdefault(one.component, []).append(one.breach.told(one.level))
    return [
        HealthPart(
            name, found.status, found.score, "; ".join([found.detail, *expected.get(name, ())]).strip("; "), found.seconds
        )
        for name, found in monitor.found.items()
    ]


def _part(name: str, complaints: Sequence[str], otherwise: HealthStatus) -> HealthPart:
    if not complaints:
        return HealthPart(name, "healthy", 1.0)
    return HealthPart(name, otherwise, SCORES[otherwise], "; ".join(complaints))


@asynccontextmanager
async def reporting(
    settings: Settings,
    kafka: KafkaSettings,
    component: str,
    health: Health,
    instance: str | None = None,
    *,
    monitor: Monitor | None = None,
) -> AsyncIterator[None]:
    """Reports for the block, where the settings want it. ``kafka``: as whom; ``instance``: the process's name if it has one;
    ``monitor``: what it knows is reported too. An error that ends the block is counted, and in the last report.
    """
    if not settings.ops.enabled:
        with counting_errors():
            yield
        return
    reporter = Reporter(settings, kafka, component, instance or this_process(), parts_of(health, monitor))
    task = asyncio.create_task(reporter.run(), name="reports")
    orderly = False
    try:
        with counting_errors():
            yield
        orderly = True
    finally:
        reporter.end(orderly=orderly)
        await asyncio.wait([task], timeout=LAST_SECONDS if reporter.arrives else 0)
        task.cancel()
        await asyncio.wait([task])
